"""The issuer of a stack's tokens: its keys live here, its documents on a server that is steered from here."""

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
from hubpod.environments import nearest
from hubpod.errors import HubpodError
from hubpod_harness.blueprint import AUDIENCE, ISSUER_URL, PLATFORM
from hubpod_harness.documents import GARBAGE, Behaviour, good_documents
from hubpod_harness.keys import ALGORITHMS, SigningKey, new_key, unknown_algorithm
from hubpod_harness.token_flaws import FLAWS, VARIANTS, Variant
from hubpod_harness.token_mutations import with_claims
from hubpod_harness.tokens import Person, good_draft

__all__ = ["FLAWS", "VARIANTS", "Issuer"]

TIMEOUT_S = 10.0
START_TIMEOUT_S = 30.0
INTERVAL_S = 0.05
FIRST_PROJECT = "project1"

SigningKeys = Mapping[str, SigningKey]
"""One key for each algorithm."""


class Issuer:
    """Mints tokens, good and flawed, and lets the issuer's server behave well and badly.

    Its server publishes nothing before `wait_until_up` or `reset` is called for the first time.

    Attributes:
        url: The issuer as the hub sees it, and as tokens name it.
        platform: The platform that minted tokens have projects on.
        audience: The audience that they name.
        minted: Every token so far, so that they can be recognised in what is kept of a test.

    Args:
        control_url: The server's control API, as this process sees it.
        control_token: What the control API asks for.
        leeway_s: By how much the clocks may differ for the hub; flaws at the edge of validity are made of it.
        first: The keys that it has in the beginning; new ones when None.
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
        self._given = first
        self._current: SigningKeys | None = None
        self._kept: tuple[SigningKey, ...] = ()
        self._behaviour = Behaviour()

    def __repr__(self) -> str:
        return f"Issuer({self.url!r})"

    @cached_property
    def _first(self) -> SigningKeys:
        return self._given or self._new_keys()

    @property
    def _keys(self) -> SigningKeys:
        return self._current or self._first

    @property
    def changed(self) -> bool:
        """Whether it does not behave as in the beginning, or has other keys."""
        return self._current is not None or self._behaviour != Behaviour()

    def mint(
        self,
        user: Person | str,
        projects: Sequence[str] | None = None,
        *,
        algorithm: str = "RS256",
        claims: Mapping[str, object] | None = None,
        **flaws: bool,
    ) -> str:
        """A token for a person, good unless a flaw is asked for.

        Args:
            user: Who it is for; the name alone will do.
            projects: Names without portal; all of the user's when None, and project1 for a name.
            algorithm: What it is signed with, one of ALGORITHMS.
            claims: Claims that replace the usual ones.
            flaws: Names from FLAWS and VARIANTS, which bend the token in this order.

        Raises:
            HubpodError: There is no such flaw or algorithm.
        """
        bends = [_variant(name).bend for name, wanted in flaws.items() if wanted]
        draft = good_draft(
            issuer=self.url,
            audience=self.audience,
            platform=self.platform,
            key=self._key(algorithm),
            user=user if isinstance(user, str) else user.name,
            projects=_projects_of(user) if projects is None else projects,
            now=time.time(),
            leeway_s=self._leeway_s,
        )
        for bend in (with_claims(**(claims or {})), *bends):
            draft = bend(draft)
        token = draft.finished()
        self.minted.append(token)
        return token

    def rotate(self, *, overlap: bool) -> None:
        """Sign with new keys from now on; the old ones stay published when they overlap.

        Raises:
            HubpodError: The server does not do as it is told.
        """
        self._become(self._new_keys(), tuple(self._keys.values()) if overlap else (), self._behaviour)

    def up(self) -> None:
        """Serve good documents at once."""
        self._behave(Behaviour())

    def down(self) -> None:
        """Refuse connections."""
        self._behave(Behaviour(mood="down"))

    def slow(self, seconds: float) -> None:
        """Serve good documents, each so many seconds late."""
        self._behave(Behaviour(mood="slow", delay_s=seconds))

    def hang(self) -> None:
        """Take requests and never answer them."""
        self._behave(Behaviour(mood="hanging"))

    def garbage(self, kind: str = "not JSON") -> None:
        """Serve something else than good documents.

        Raises:
            HubpodError: The kind is not one of GARBAGE, or the server does not do as it is told.
        """
        if kind not in GARBAGE:
            raise HubpodError(
                f"the test issuer knows no garbage {kind!r}{nearest(kind, GARBAGE)}",
                remedy="kinds: " + ", ".join(GARBAGE),
            )
        self._behave(Behaviour(garbage=kind))

    def reset(self) -> None:
        """Serve good documents with the first keys; a server that has just started publishes them from now on."""
        self._become(None, (), Behaviour())

    def wait_until_up(self, deadline_s: float = START_TIMEOUT_S) -> None:
        """Wait for a server that has just been started, and let it serve good documents with the first keys.

        Raises:
            HubTimeoutError: The server did not answer within `deadline_s` seconds.
        """
        deadline = Deadline(deadline_s, "the start of the issuer's server")
        while not self._is_started():
            deadline.pause(INTERVAL_S)
        self.reset()

    def _is_started(self) -> bool:
        try:
            return self._call("GET", "/ready").ok
        except HubpodError:
            return False

    def requests(self) -> Counter[str]:
        """How often each path was asked for since the server started; FOREIGN_KEYS_PATH should never be among them."""
        return Counter(self._call("GET", "/requests").json())

    def _behave(self, behaviour: Behaviour) -> None:
        self._become(self._current, self._kept, behaviour)

    def _become(self, current: SigningKeys | None, kept: tuple[SigningKey, ...], behaviour: Behaviour) -> None:
        documents = good_documents(self.url, current or self._first, kept)
        if behaviour.garbage:
            documents = GARBAGE[behaviour.garbage](documents)
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
                raise _unsteered(method, path, type(error).__name__) from None
        if not response.ok:
            raise _unsteered(method, path, f"status {response.status_code} {response.text[:200]}".strip())
        return response

    def _key(self, algorithm: str) -> SigningKey:
        if algorithm not in self._keys:
            raise unknown_algorithm(algorithm)
        return self._keys[algorithm]

    def _new_keys(self) -> SigningKeys:
        generation = secrets.token_hex(4)  # a kid is never used again, since the hub keeps keys by it
        return {name: new_key(name, f"{name.lower()}-{generation}") for name in ALGORITHMS}


def _projects_of(user: Person | str) -> Sequence[str]:
    return (FIRST_PROJECT,) if isinstance(user, str) else user.projects


def _variant(name: str) -> Variant:
    known = {**VARIANTS, **FLAWS}
    if name not in known:
        raise HubpodError(
            f"there is no flaw {name!r} of a token{nearest(name, known)}", remedy="harness/flaws.py lists the flaws"
        )
    return known[name]


def _unsteered(method: str, path: str, reason: str) -> HubpodError:
    return HubpodError(
        f"the issuer's server did not do as it was told ({method} {path}): {reason}",
        remedy="look at the log of the container `issuer`",
    )
