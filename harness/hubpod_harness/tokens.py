"""Tokens as they are drafted, bent and signed (RFC 7515, RFC 7519).

A good draft is bent by a flaw or a variant, which is a function from a draft to a draft, and finished into a token.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hubpod_harness.attack.forgeries import base64url
from hubpod_harness.keys import SigningKey

LIFETIME_S = 3600


class Person(Protocol):
    """Whoever a token can name: a leased user."""

    @property
    def name(self) -> str:
        """The short name."""

    @property
    def projects(self) -> Sequence[str]:
        """The projects, without their portal."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A token before it is signed.

    Attributes:
        header: Its JOSE header.
        claims: Its claims.
        issuer: The URL of the issuer under test.
        key: What it is signed with, unless `signer` is given.
        platform: The name of the platform under test among a project's resources.
        leeway_s: By how much the clocks may differ for the hub.
        now: Seconds since 1970, when it is minted.
        signer: Makes the signature of other things than the key.
        payload_edits: What is done to the payload's bytes before they are signed.
        token_edits: What is done to the signed token.
    """

    header: Mapping[str, object]
    claims: Mapping[str, object] = field(repr=False)
    key: SigningKey
    issuer: str
    platform: str
    leeway_s: float
    now: float
    signer: Callable[[bytes], bytes] | None = field(default=None, repr=False)
    payload_edits: tuple[Callable[[bytes], bytes], ...] = field(default=(), repr=False)
    token_edits: tuple[Callable[[str], str], ...] = field(default=(), repr=False)

    @property
    def payload(self) -> bytes:
        """What is signed, before it is encoded."""
        content = json.dumps(self.claims).encode()
        for edit in self.payload_edits:
            content = edit(content)
        return content

    def finished(self) -> str:
        """The token, signed."""
        signed = f"{base64url(json.dumps(self.header).encode())}.{base64url(self.payload)}"
        token = f"{signed}.{base64url((self.signer or self.key.sign)(signed.encode()))}"
        for edit in self.token_edits:
            token = edit(token)
        return token


Mutation = Callable[[Draft], Draft]
"""Makes another draft of a draft: a flaw, or a variant of a good token."""


def good_draft(  # noqa: PLR0913 - each is an independent part of a token
    *,
    issuer: str,
    audience: str,
    platform: str,
    key: SigningKey,
    user: str,
    projects: Sequence[str],
    now: float,
    leeway_s: float,
) -> Draft:
    """A draft that the hub accepts when it is signed as it is."""
    issued = int(now)
    return Draft(
        header={"alg": key.algorithm, "kid": key.key_id, "typ": "JWT"},
        claims={
            "iss": issuer,
            "aud": audience,
            "iat": issued,
            "nbf": issued,
            "exp": issued + LIFETIME_S,
            "short_name": user,
            "projects": projects_claim(user, projects, platform),
        },
        key=key,
        issuer=issuer,
        platform=platform,
        leeway_s=leeway_s,
        now=now,
    )


def projects_claim(user: str, projects: Sequence[str], platform: str) -> dict[str, object]:
    """The `projects` claim of a user whose account in each project is USER.PROJECT."""
    return {
        f"{project}.portal": {
            "name": f"Project {project}",
            "resources": [{"name": platform, "username": f"{user}.{project}"}],
        }
        for project in projects
    }


def decoded(part: str) -> bytes:
    """The content of a part of a token."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
