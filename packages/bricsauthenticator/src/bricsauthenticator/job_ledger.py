"""A job's key, by which the hub finds and cancels the job even when it never learnt its id or was restarted."""

import asyncio
from collections.abc import Coroutine
from math import inf
from typing import Any, ClassVar, TypeVar

from batchspawner import SlurmSpawner, format_template  # type: ignore[import-untyped]
from sqlalchemy.orm import object_session
from traitlets import Float, Unicode

from bricsauthenticator import commands, pending_cancellations, slurm
from bricsauthenticator.commands import Outcome
from bricsauthenticator.pending_cancellations import Leftover

T = TypeVar("T")


class KeyedJobSpawner(SlurmSpawner):  # type: ignore[misc]
    """A spawner each of whose jobs belongs to a server or is being cancelled.

    A spawn's key is saved in the database before the job is submitted, and is the last word of the job's comment.
    A job that no server has any more stays in the database until Slurm has accepted its cancellation.
    """

    command_timeout = Float(
        30.0, min=0.1, help="Seconds that a submit, query or cancel command may take, ssh included."
    ).tag(config=True)

    batch_list_cmd = Unicode(
        "",
        help="""Command that prints a line `ID COMMENT` for each of the account's jobs, ended ones included.

        With it, a job is found again when the answer to its submission was lost. Empty where there is no such command.
        """,
    ).tag(config=True)

    job_key = Unicode(help="Key of the current spawn; empty when there is none.")

    _background: ClassVar[set[asyncio.Task[Any]]] = set()
    _endings: ClassVar[dict[str, asyncio.Task[Any]]] = {}

    # Keys

    def _new_key(self) -> str:
        return slurm.new_key(slurm.hub_mark(self.user.settings.get("cookie_secret", b""), self.hub_connect_url or ""))

    async def _find(self, key: str, username: str, timeout_s: float) -> str | None:
        """Return the id of the account's job with this key; empty when Slurm knows none, None when it does not say."""
        outcome = await self.list_own(username, timeout_s)
        if outcome.ok:
            return slurm.find_key(outcome.stdout, key)
        self.log.warning("The jobs of %s cannot be listed: %s", username, outcome.complaint)
        return None

    async def list_own(self, username: str, timeout_s: float = inf) -> Outcome:
        """Ask Slurm for the ids and comments of an account's jobs; waits for timeout_s or command_timeout at most."""
        command = self._command(self.batch_list_cmd, username=username)
        return await commands.run(command, timeout_s=min(timeout_s, self.command_timeout))

    # What has to end

    def _leave(self, leftover: Leftover) -> asyncio.Task[Any]:
        """Save a job as a leftover and cancel it in the background, which the next hub goes on with if need be."""
        name = leftover.key or leftover.job_id
        ending = self._endings.get(name)
        if ending is None or ending.done():
            pending_cancellations.remember(self.orm_spawner, leftover)
            ending = self._endings[name] = self._in_background(self._end(leftover))
            ending.add_done_callback(lambda done: self._endings.get(name) is done and self._endings.pop(name))
        return ending

    async def _end(self, leftover: Leftover) -> None:
        row = self.orm_spawner
        await pending_cancellations.end(
            leftover,
            find=lambda: self._find(leftover.key, leftover.username, self.command_timeout),
            cancel=lambda job_id: self.cancel(job_id, leftover.username),
            log=self.log,
        )
        pending_cancellations.forget(row, leftover)

    async def cancel(self, job_id: str, username: str) -> str:
        """Cancel a job and return why that failed; empty when Slurm has accepted it or the job is over."""
        command = self._command(self.batch_cancel_cmd, job_id=job_id, username=username)
        self.log.info("Cancelling job %s: %s", job_id, command)
        outcome = await commands.run(command, timeout_s=self.command_timeout)
        return "" if outcome.ok or slurm.already_over(outcome.stderr) else outcome.complaint

    def _saved_leftovers(self) -> list[Leftover]:
        """Return what has to end by the row itself, which is the truth: several spawners may have shared it."""
        return pending_cancellations.in_state(self.orm_spawner.state if self.orm_spawner else None)

    # State

    def get_state(self) -> dict[str, Any]:
        """Return what a restarted hub needs to find the job and to end the leftovers."""
        state: dict[str, Any] = super().get_state()
        if self.job_key:
            state["job_key"] = self.job_key
        return state | pending_cancellations.to_state(self._saved_leftovers())

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what get_state returned, and go on cancelling the leftovers."""
        super().load_state(state)
        self.job_key = state.get("job_key", "")
        for leftover in pending_cancellations.in_state(state):
            self._leave(leftover)

    def _save_state(self) -> None:
        """Write the state to the database now; JupyterHub itself does so only when the server is up."""
        if self.orm_spawner is not None:
            self.orm_spawner.state = self.get_state()
            session = object_session(self.orm_spawner)
            if session is not None:
                session.commit()

    # Commands

    def _command(self, template: str, **changes: str) -> str:
        variables = {**self.get_req_subvars(), "job_id": self.job_id, **changes}
        return f"{format_template(self.exec_prefix, **variables)} {format_template(template, **variables)}"

    def _in_background(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task
