"""The issuer of login tokens: its keys, and control of its document server."""

import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from urllib.parse import urlsplit

from requests import RequestException, Response

from hubpod.client.browser import direct_session
from hubpod.client.deadline import Deadline
from hubpod.errors import HubpodError, nearest
from hubpod_harness.blueprint import AUDIENCE, ISSUER_URL, PLATFORM
from hubpod_harness.documents import GARBAGE, KEY_SETS, Behaviour, check_kind, valid_documents
from hubpod_harness.keys import ALGORITHMS, SigningKey, new_key, unknown_algorithm
from hubpod_harness.token_flaws import FLAWS
from hubpod_harness.token_mutations import with_claims
from hubpod_harness.token_variants import VARIANTS, Variant
from hubpod_harness.tokens import TokenUser, valid_draft

__all__ = ["FLAWS", "VARIANTS", "Issuer"]

TIMEOUT_S = 10.0
START_TIMEOUT_S = 30.0
INTERVAL_S = 0.05
FIRST_PROJECT = "project1"

SigningKeys = Mapping[str, SigningKey]
"""One key per algorithm."""


class Issuer:
    """Mints valid and invalid tokens, and controls the behaviour of the issuer's server.

    The server publishes nothing before the first call of `wait_until_up` or `reset`.

    Attributes:
        url: The issuer's URL, as the hub reaches it and as tokens name it.
        platform: The platform of the projects in minted tokens.
        audience: The audience of minted tokens.
        minted: Every token so far, for the redaction of artifacts.

    Args:
        control_url: URL of the server's control API.
        control_token: Bearer token of the control API.
        leeway_s: The hub's tolerance for clock differences; some flaws are computed from it.
        first: The initial keys; generated when None.
    """

    def __init__(  # noqa: PLR0913 - each is independent of the others
        self,
        control_url: str,
        control_token: str,
        *,
        url: str = ISSUER_URL,
        platform: str = PLATFORM,
        audience: str = AUDIENCE,
        leeway_s: float = 5.0,
        first: "SigningKeys | None" = None,
    ) -> None:
        self.url, self.platform, self.audience = url.rstrip("/"), platform, audience
        self.minted: list[str] = []
        self._leeway_s = leeway_s
        self._control_url = control_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {control_token}"}
        self._initial = first
        self._current: SigningKeys | None = None
        self._kept: tuple[SigningKey, ...] = ()
        self._behaviour = Behaviour()

    def __repr__(self) -> str:
        return f"Issuer({self.url!r})"

    @cached_property
    def _first(self) -> SigningKeys:
        return self._initial or self._new_keys()

    @property
    def _keys(self) -> SigningKeys:
        return self._current or self._first

    @property
    def changed(self) -> bool:
        """Whether its behaviour or its keys differ from the initial ones."""
        return self._current is not None or self._behaviour != Behaviour()

    def mint(
        self,
        user: TokenUser | str,
        projects: Sequence[str] | None = None,
        *,
        algorithm: str = "RS256",
        claims: Mapping[str, object] | None = None,
        **flaws: bool,
    ) -> str:
        """Mint a token for a user, valid unless a flaw is requested.

        Args:
            user: A leased user, or a name.
            projects: Names without portal. None means all of the user's projects, or project1 for a name.
            algorithm: The signature algorithm, one of ALGORITHMS.
            claims: Claims that replace the default ones.
            flaws: Names from FLAWS and VARIANTS, applied in this order.

        Raises:
            HubpodError: A flaw or the algorithm is unknown.
        """
        mutations = [_variant(name).mutate for name, wanted in flaws.items() if wanted]
        draft = valid_draft(
            issuer=self.url,
            audience=self.audience,
            platform=self.platform,
            key=self._key(algorithm),
            user=user if isinstance(user, str) else user.name,
            projects=_projects_of(user) if projects is None else projects,
            now=time.time(),
            leeway_s=self._leeway_s,
        )
        for mutate in (with_claims(**(claims or {})), *mutations):
            draft = mutate(draft)
        token = draft.sign()
        self.minted.append(token)
        return token

    def rotate(self, *, overlap: bool) -> None:
        """Sign with new keys from now on. With `overlap`, the old ones stay published.

        Raises:
            HubpodError: The server does not accept the change.
        """
        self._apply(self._new_keys(), tuple(self._keys.values()) if overlap else (), self._behaviour)

    def up(self) -> None:
        """Serve valid documents without delay."""
        self._set_behaviour(Behaviour())

    def down(self) -> None:
        """Refuse connections."""
        self._set_behaviour(Behaviour(mood="down"))

    def slow(self, seconds: float) -> None:
        """Serve valid documents, each delayed by some seconds."""
        self._set_behaviour(Behaviour(mood="slow", delay_s=seconds))

    def hang(self) -> None:
        """Accept requests and never respond."""
        self._set_behaviour(Behaviour(mood="hanging"))

    def garbage(self, kind: str = "not JSON") -> None:
        """Serve invalid documents.

        Raises:
            HubpodError: The kind is not one of GARBAGE, or the server does not accept the change.
        """
        check_kind("garbage", kind, GARBAGE)
        self._set_behaviour(Behaviour(garbage=kind))

    def publish_keys(self, kind: str) -> None:
        """Publish an unusual set of the current keys.

        Raises:
            HubpodError: The kind is not one of KEY_SETS, or the server does not accept the change.
        """
        check_kind("key set", kind, KEY_SETS)
        self._set_behaviour(Behaviour(keys=kind))

    def reset(self) -> None:
        """Serve valid documents with the initial keys."""
        self._apply(None, (), Behaviour())

    def wait_until_up(self, deadline_s: float = START_TIMEOUT_S) -> None:
        """Wait for a server that was just started, and let it serve valid documents.

        Raises:
            HubTimeoutError: The server does not respond within `deadline_s` seconds.
        """
        deadline = Deadline(deadline_s, "the start of the issuer's server")
        while not self._responds():
            deadline.pause(INTERVAL_S)
        self.reset()

    def _responds(self) -> bool:
        try:
            return self._call("GET", "/ready").ok
        except HubpodError:
            return False

    def requests(self) -> Counter[str]:
        """Count the requests per path since the start. FOREIGN_KEYS_PATH must never be among them."""
        return Counter(self._call("GET", "/requests").json())

    def _set_behaviour(self, behaviour: Behaviour) -> None:
        self._apply(self._current, self._kept, behaviour)

    def _apply(self, current: SigningKeys | None, kept: tuple[SigningKey, ...], behaviour: Behaviour) -> None:
        documents = behaviour.documents(valid_documents(self.url, current or self._first, kept))
        base = urlsplit(self.url).path
        state = {
            "mood": behaviour.mood,
            "delay_s": behaviour.delay_s,
            "documents": {base + path: asdict(document) for path, document in documents.items()},
        }
        self._call("PUT", "/state", json=state)
        self._current, self._kept, self._behaviour = current, kept, behaviour

    def _call(self, method: str, path: str, json: object = None) -> Response:
        with direct_session() as session:
            try:
                response = session.request(
                    method, self._control_url + path, json=json, headers=self._headers, timeout=TIMEOUT_S
                )
            except RequestException as error:
                raise _control_error(method, path, type(error).__name__) from None
        if not response.ok:
            raise _control_error(method, path, f"status {response.status_code} {response.text[:200]}".strip())
        return response

    def _key(self, algorithm: str) -> SigningKey:
        if algorithm not in self._keys:
            raise unknown_algorithm(algorithm)
        return self._keys[algorithm]

    def _new_keys(self) -> SigningKeys:
        generation = secrets.token_hex(4)  # never reuse a kid, because the hub caches keys by kid
        return {name: new_key(name, f"{name.lower()}-{generation}") for name in ALGORITHMS}


def _projects_of(user: TokenUser | str) -> Sequence[str]:
    return (FIRST_PROJECT,) if isinstance(user, str) else user.projects


def _variant(name: str) -> Variant:
    known = {**VARIANTS, **FLAWS}
    if name not in known:
        raise HubpodError(
            f"unknown flaw {name!r} of a token{nearest(name, known)}",
            remedy="see FLAWS in hubpod_harness.token_flaws and VARIANTS in hubpod_harness.token_variants",
        )
    return known[name]


def _control_error(method: str, path: str, reason: str) -> HubpodError:
    return HubpodError(
        f"the issuer's server failed to {method} {path}: {reason}",
        remedy="check the log of the container `issuer`",
    )
