"""The projects that a user can use on this platform, from the `projects` claim.

The claim maps `PROJECT.PORTAL` to `{name, resources: [{name: PLATFORM, username: USER.PROJECT}]}`, as an object or as
a JSON string. The result is the auth_state: `PROJECT.PORTAL` to `{name, username}`, this platform only.

sudo switches to the account of that username, so only the one expected username is accepted.
"""

import json
import re
from collections.abc import Iterator
from typing import TypedDict

from bricsauthenticator.login_errors import BadTokenError, NotPermittedError

USER_RE = re.compile(r"[a-z][a-z0-9_-]{0,31}")
PROJECT_RE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
PORTAL_RE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
RESERVED_USERS = frozenset({"root"})
MAX_CLAIM_CHARACTERS = 256 * 1024
MAX_NAME_CHARACTERS = 256

BAD_CLAIM = "Your sign-in token does not describe your projects as it should."
BAD_ACCOUNT = "Your account name on this platform is not acceptable. Please contact the operators."


class Project(TypedDict):
    """One of the user's projects in auth_state.

    Attributes:
        name: The name that users know.
        username: The account `USER.PROJECT` of its jobs.
    """

    name: str
    username: str


def check_user(short_name: str) -> str:
    """Return the user name if it is acceptable.

    Raises:
        NotPermittedError: The name is not acceptable.
    """
    if not USER_RE.fullmatch(short_name) or short_name in RESERVED_USERS:
        raise NotPermittedError(BAD_ACCOUNT, detail="short_name is not acceptable")
    return short_name


def is_account(username: object) -> bool:
    """Whether a value is a well-formed `USER.PROJECT`."""
    if not isinstance(username, str):
        return False
    user, dot, project = username.partition(".")
    return bool(dot and USER_RE.fullmatch(user) and user not in RESERVED_USERS and PROJECT_RE.fullmatch(project))


def project_of(username: str) -> str:
    """Return PROJECT of `USER.PROJECT`."""
    return username.partition(".")[2]


def home_of(username: str) -> str:
    """Return the home directory of `USER.PROJECT`."""
    return f"/home/{project_of(username)}/{username}"


def usable_projects(claim: object, *, user: str, platform: str) -> dict[str, Project]:
    """Return the user's projects on this platform.

    Args:
        claim: The `projects` claim, an object or a JSON string of one.
        user: The validated short_name.
        platform: The name of this platform among a project's resources.

    Raises:
        BadTokenError: The claim has the wrong shape.
        NotPermittedError: A username on this platform is not `USER.PROJECT` of this user and project, or there is no
            project on this platform.
    """
    found: dict[str, Project] = {}
    for key, name, resources in _entries(_as_object(claim)):
        for username in _usernames_on(platform, resources):
            if not PORTAL_RE.fullmatch(key.partition(".")[2]) or username != f"{user}.{key.partition('.')[0]}":
                raise NotPermittedError(BAD_ACCOUNT, detail="a username does not belong to its user and project")
            if not is_account(username):
                raise NotPermittedError(BAD_ACCOUNT, detail="a username is not acceptable")
            found[key] = Project(name=name, username=username)
    if not found:
        raise NotPermittedError("You have no project on this platform.", detail="no project on this platform")
    return found


def _as_object(claim: object) -> dict[str, object]:
    if isinstance(claim, str):
        if len(claim) > MAX_CLAIM_CHARACTERS:
            raise BadTokenError(BAD_CLAIM, detail="projects is too large")
        try:
            claim = json.loads(claim)
        except (ValueError, RecursionError):
            raise BadTokenError(BAD_CLAIM, detail="projects is not JSON") from None
    if not isinstance(claim, dict):
        raise BadTokenError(BAD_CLAIM, detail="projects is not an object")
    return claim


def _entries(claim: dict[str, object]) -> Iterator[tuple[str, str, list[object]]]:
    for key, project in claim.items():
        if not isinstance(project, dict):
            raise BadTokenError(BAD_CLAIM, detail="a project is not an object")
        name, resources = project.get("name"), project.get("resources")
        if not isinstance(name, str) or len(name) > MAX_NAME_CHARACTERS:
            raise BadTokenError(BAD_CLAIM, detail="a project's name is not a short string")
        if not isinstance(resources, list):
            raise BadTokenError(BAD_CLAIM, detail="a project's resources are not a list")
        yield key, name, resources


def _usernames_on(platform: str, resources: list[object]) -> Iterator[str]:
    for resource in resources:
        if not isinstance(resource, dict) or not isinstance(resource.get("name"), str):
            raise BadTokenError(BAD_CLAIM, detail="a resource is not an object with a name")
        if resource["name"] != platform:
            continue  # other platforms may name accounts as they like
        username = resource.get("username")
        if not isinstance(username, str):
            raise BadTokenError(BAD_CLAIM, detail="a resource's username is not a string")
        yield username
