"""The projects that a user can use on this platform, from the `projects` claim.

The claim maps `PROJECT.PORTAL` to `{name, resources: [{name: PLATFORM, username: USER.PROJECT}]}`, as an object or as
a JSON string. The result is the auth_state: `PROJECT.PORTAL` to `{name, username}`, this platform only.

sudo switches to the account of that username, so only the one expected username is accepted. A project that cannot be
used is skipped, and costs the user no other project.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

from bricsauthenticator.hub_guard import strict_json
from bricsauthenticator.hub_guard.strict_json import is_text
from bricsauthenticator.login_errors import BadTokenError, LoginRefusedError, NotPermittedError

USER_RE = re.compile(r"[a-z][a-z0-9_-]{0,31}")
PROJECT_RE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
PORTAL_RE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
RESERVED_USERS = frozenset({"root"})
MAX_CLAIM_CHARACTERS = 256 * 1024
MAX_NAME_CHARACTERS = 256
MAX_LOGGED_CHARACTERS = 80

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


@dataclass(frozen=True, kw_only=True)
class Found:
    """The result of reading a claim.

    Attributes:
        usable: The user's projects on this platform.
        skipped: Why others were skipped, one phrase each for the log.
    """

    usable: dict[str, Project]
    skipped: tuple[str, ...] = ()


def usable_projects(claim: object, *, user: str, platform: str) -> Found:
    """Return the user's projects on this platform.

    Args:
        claim: The `projects` claim, an object or a JSON string of one.
        user: The validated short_name.
        platform: The name of this platform among a project's resources.

    Raises:
        BadTokenError: The claim has the wrong shape, or all its projects have.
        NotPermittedError: No project of the user on this platform is left.
    """
    usable: dict[str, Project] = {}
    problems: list[_SkipError] = []
    for key, value in _as_object(claim).items():
        try:
            project = _read_project(key, value, user=user, platform=platform)
        except _SkipError as problem:
            problems.append(problem)
        else:
            usable |= {key: project} if project else {}
    if not usable:
        raise _refusal(problems)
    return Found(usable=usable, skipped=tuple(problem.detail for problem in problems))


class _SkipError(Exception):
    """A project that cannot be used; the detail is for the log."""

    def __init__(self, key: str, why: str, *, malformed: bool) -> None:
        super().__init__(why)
        self.why, self.malformed = why, malformed
        self.detail = f"{why}: {key[:MAX_LOGGED_CHARACTERS]!a}"


def _refusal(problems: list[_SkipError]) -> LoginRefusedError:
    """Return the reason for refusing a user without a usable project."""
    if not problems:
        return NotPermittedError("You have no project on this platform.", detail="no project on this platform")
    worst = next((problem for problem in problems if not problem.malformed), problems[0])
    return (BadTokenError if worst.malformed else NotPermittedError)(
        BAD_CLAIM if worst.malformed else BAD_ACCOUNT, detail=worst.why
    )


def _read_project(key: str, value: object, *, user: str, platform: str) -> Project | None:
    """Return a project; None if it is not on this platform.

    Raises:
        _SkipError: The project has the wrong shape, or an account that is not `USER.PROJECT` of this user and project.
    """
    if not isinstance(value, dict):
        raise _SkipError(key, "a project is not an object", malformed=True)
    name, resources = value.get("name"), value.get("resources")
    if not is_text(name) or len(name) > MAX_NAME_CHARACTERS:
        raise _SkipError(key, "a project's name is not a short string", malformed=True)
    if not isinstance(resources, list):
        raise _SkipError(key, "a project's resources are not a list", malformed=True)
    usernames = list(_usernames_on(platform, key, resources))
    for username in usernames:
        _check_username(key, username, user)
    return Project(name=name, username=usernames[0]) if usernames else None


def _check_username(key: str, username: str, user: str) -> None:
    project, _, portal = key.partition(".")
    if not PORTAL_RE.fullmatch(portal) or username != f"{user}.{project}":
        raise _SkipError(key, "a username does not belong to its user and project", malformed=False)
    if not is_account(username):
        raise _SkipError(key, "a username is not acceptable", malformed=False)


def _as_object(claim: object) -> dict[str, object]:
    if isinstance(claim, str):
        if len(claim) > MAX_CLAIM_CHARACTERS:
            raise BadTokenError(BAD_CLAIM, detail="projects is too large")
        try:
            claim = strict_json.parse(claim)
        except ValueError:
            raise BadTokenError(BAD_CLAIM, detail="projects is not JSON") from None
    if not isinstance(claim, dict):
        raise BadTokenError(BAD_CLAIM, detail="projects is not an object")
    return claim


def _usernames_on(platform: str, key: str, resources: list[object]) -> Iterator[str]:
    """Yield the usernames on this platform; other platforms may name accounts as they like."""
    named = [resource for resource in resources if isinstance(resource, dict) and isinstance(resource.get("name"), str)]
    if resources and not named:
        raise _SkipError(key, "no resource is an object with a name", malformed=True)
    for resource in named:
        if resource["name"] == platform:
            username = resource.get("username")
            if not isinstance(username, str):
                raise _SkipError(key, "a resource's username is not a string", malformed=True)
            yield username
