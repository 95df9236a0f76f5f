"""The stacks of one test process."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager

from hubpod.environments import find_environment
from hubpod.errors import HubpodError, NotReadyError
from hubpod_harness.options import PROJECT, Options
from hubpod_harness.preflight import Machine
from hubpod_harness.reuse import reuse_stack
from hubpod_harness.session_run import Run, open_run
from hubpod_harness.stack import Stack
from hubpod_harness.stack_launcher import StackRequest, launch_stack


class StackManager:
    """Starts stacks on demand and shares them between equal requests."""

    def __init__(self, *, options: Options, machine: Machine, run: Run, closing: ExitStack) -> None:
        self.options = options
        self.machine = machine
        self._run = run
        self._closing = closing
        self._stacks: dict[StackRequest, Stack] = {}
        self._failed: dict[StackRequest, str] = {}
        self._logins: dict[StackRequest, int] = {}
        self.started_at = 0.0

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """Return the running stacks."""
        return tuple(self._stacks.values())

    def stack(self, config: str = "", settings: Mapping[str, str] | None = None, environment: str = "") -> Stack:
        """Return a ready stack for a request: a running one, or a new one.

        Args:
            config: JupyterHub configuration that is loaded last, such as ``c.Spawner.mem_limit = "1G"``.
            settings: Values of the deploy ConfigMap that replace the harness's own, by key.
            environment: Name of an environment, if not the one under test.

        Raises:
            NotReadyError: The stack does not become ready.
            UsageError: The environment is unknown.
        """
        chosen = find_environment(environment) if environment else self.options.environment
        built = self.machine.images_of(chosen)
        request = StackRequest(
            environment=chosen,
            images=tuple(sorted(built.images.items())),
            sources=tuple(sorted(built.sources.items())),
            volumes=PROJECT / "volumes",
            config=config,
            changes=tuple(sorted((settings or {}).items())),
        )
        if request in self._failed:
            raise NotReadyError(f"this stack failed to start before: {self._failed[request]}")
        if request not in self._stacks:
            try:
                self._stacks[request] = self._closing.enter_context(self._start_stack(request))
            except HubpodError as error:
                self._failed[request] = error.message
                raise
        return self._stacks[request]

    def _start_stack(self, request: StackRequest) -> AbstractContextManager[Stack]:
        if self.options.reuse:
            state = self.machine.context.workspace.state
            return reuse_stack(self._run, request, state, os.environ.get("PYTEST_XDIST_WORKER", ""))
        return launch_stack(self._run, request, keep=self.options.keep)

    def begin(self) -> None:
        """Record the start of a test."""
        self.started_at = time.time()
        self._logins = {request: len(stack.hub.client.sessions) for request, stack in self._stacks.items()}

    @property
    def used(self) -> tuple[Stack, ...]:
        """Return the stacks with new logins since the start of the test, or all if none has any."""
        used = [
            stack
            for request, stack in self._stacks.items()
            if self._logins.get(request, -1) != len(stack.hub.client.sessions)
        ]
        return tuple(used) or self.stacks

    def heal(self) -> None:
        """Restore links and containers."""
        for stack in self.stacks:
            stack.heal()


@contextmanager
def open_stacks(options: Options, machine: Callable[[], Machine]) -> Iterator[StackManager]:
    """Open a run, and remove its stacks after the block.

    Raises:
        HubpodError: A prerequisite is missing.
    """
    ready = machine()
    with open_run(ready.context.workspace, ready.context.podman) as run, ExitStack() as closing:
        manager = StackManager(options=options, machine=ready, run=run, closing=closing)
        yield manager
        for stack in manager.stacks:
            stack.pool.settle()
