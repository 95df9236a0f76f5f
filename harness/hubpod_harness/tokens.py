"""Tokens: a draft, its mutations, and its signature (RFC 7515, RFC 7519).

A flaw or a variant is a function from a draft to a draft. `Draft.sign` signs the result.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hubpod_harness.attack.forgeries import base64url
from hubpod_harness.keys import SigningKey

LIFETIME_S = 3600


class TokenUser(Protocol):
    """A user of a token."""

    @property
    def name(self) -> str:
        """The short name."""

    @property
    def projects(self) -> Sequence[str]:
        """The projects without portal."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An unsigned token.

    Attributes:
        header: Its JOSE header.
        claims: Its claims.
        issuer: The URL of the issuer under test.
        key: The signing key, unless `signer` is given.
        platform: The platform under test among a project's resources.
        leeway_s: The hub's tolerance for clock differences.
        now: Time of minting in seconds since 1970.
        signer: Makes the signature in place of the key.
        header_edits: Edits of the header's bytes before the signature.
        payload_edits: Edits of the payload's bytes before the signature.
        token_edits: Edits of the signed token.
    """

    header: Mapping[str, object]
    claims: Mapping[str, object] = field(repr=False)
    key: SigningKey
    issuer: str
    platform: str
    leeway_s: float
    now: float
    signer: Callable[[bytes], bytes] | None = field(default=None, repr=False)
    header_edits: tuple[Callable[[bytes], bytes], ...] = field(default=(), repr=False)
    payload_edits: tuple[Callable[[bytes], bytes], ...] = field(default=(), repr=False)
    token_edits: tuple[Callable[[str], str], ...] = field(default=(), repr=False)

    @property
    def payload(self) -> bytes:
        """Return the payload before it is encoded."""
        return _edited(self.claims, self.payload_edits)

    def sign(self) -> str:
        """Return the signed token."""
        signed = f"{base64url(_edited(self.header, self.header_edits))}.{base64url(self.payload)}"
        token = f"{signed}.{base64url((self.signer or self.key.sign)(signed.encode()))}"
        for edit in self.token_edits:
            token = edit(token)
        return token


def _edited(part: Mapping[str, object], edits: Sequence[Callable[[bytes], bytes]]) -> bytes:
    content = json.dumps(part).encode()
    for edit in edits:
        content = edit(content)
    return content


Mutation = Callable[[Draft], Draft]
"""A function from a draft to a draft: a flaw, or a variant of a valid token."""


def valid_draft(  # noqa: PLR0913 - each is an independent part of a token
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
    """Return a draft that the hub accepts once it is signed."""
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
    """Return the `projects` claim of a user whose account in each project is USER.PROJECT."""
    return {
        f"{project}.portal": {
            "name": f"Project {project}",
            "resources": [{"name": platform, "username": f"{user}.{project}"}],
        }
        for project in projects
    }


def decode_part(part: str) -> bytes:
    """Decode one part of a token."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
