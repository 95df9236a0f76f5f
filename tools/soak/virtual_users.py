"""Users of a soak: they spawn, cancel, stop and work while faults come and go."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock

from hubpod.client import HubError, SpawnRefused
from hubpod.client.session import Session
from hubpod_harness.stack import Stack
from hubpod_harness.users import User
from soak.plan import Action, Verb

SPAWN_S = 60.0
STOP_S = 60.0
NO_GPU = {"ngpus": "0"}  # the stack has fewer GPUs than users


class VirtualUsers:
    """The users of a soak, each with one action at a time.

    Failures are expected during a fault, and only counted.

    Args:
        stack: The stack that they use.
        users: Their accounts, by the numbers in the plan.

    Attributes:
        outcomes: Number of actions per outcome.
    """

    def __init__(self, stack: Stack, users: Sequence[User]) -> None:
        self.outcomes: Counter[str] = Counter()
        self._stack = stack
        self._users = users
        self._lock = Lock()

    def perform(self, action: Action) -> None:
        """Perform an action and count its outcome."""
        time.sleep(action.after_s)
        try:
            self._verbs[action.verb](action)
            outcome = "done"
        except HubError as error:
            outcome = f"{type(error).__name__} {error.status or 'without an answer'}"
        with self._lock:
            self.outcomes[f"{action.verb.value}: {outcome}"] += 1

    @property
    def _verbs(self) -> dict[Verb, Callable[[Action], None]]:
        return {Verb.SPAWN: self._spawn, Verb.CANCEL: self._cancel, Verb.STOP: self._stop, Verb.WORK: self._work}

    def _log_in(self, action: Action) -> Session:
        return self._stack.hub.login_as(self._users[action.user])

    def _spawn(self, action: Action) -> None:
        session = self._log_in(action)
        if not session.server().is_active():
            session.spawn(NO_GPU, project=self._project(action), deadline_s=SPAWN_S)

    def _cancel(self, action: Action) -> None:
        session = self._log_in(action)
        if not session.server().is_active():
            with suppress(SpawnRefused):
                session.submit(NO_GPU, project=self._project(action))
            time.sleep(action.patience_s)
        session.server().stop(deadline_s=STOP_S)

    def _stop(self, action: Action) -> None:
        server = self._log_in(action).server()
        if server.is_active():
            server.stop(deadline_s=STOP_S)

    def _work(self, action: Action) -> None:
        server = self._log_in(action).server()
        if server.is_active():
            server.execute("5 * 4")

    def _project(self, action: Action) -> str:
        return self._users[action.user].projects[action.project]
