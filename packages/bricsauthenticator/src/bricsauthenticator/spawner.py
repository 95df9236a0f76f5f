"""Servers as Slurm jobs of the user's project."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from batchspawner import JobStatus, SlurmSpawner  # type: ignore[import-untyped]
from traitlets import Unicode, observe

from bricsauthenticator import startup_cleanup
from bricsauthenticator.former_state import find_account, saved_projects
from bricsauthenticator.hub_guard import hub_handlers
from bricsauthenticator.hub_guard.http_errors import stop_failure
from bricsauthenticator.progress_events import Event
from bricsauthenticator.project_options import ProjectOptions
from bricsauthenticator.projects import is_account
from bricsauthenticator.server_job import ServerJob
from bricsauthenticator.slurm_commands import SlurmCommands
from bricsauthenticator.spawner_settings import SpawnerSettings

UNKNOWN_ACCOUNT = (
    "Job {job_id} was started by another spawner, which did not save its account, so it is not cancelled. "
    "Cancel it on the Slurm host with `scancel {job_id}`."
)

# hubpod's spawn timeline searches the hub's log for this line.
LISTENS_LOG = "Job %s of %s listens on %s:%s"


class BricsSlurmSpawner(ProjectOptions, SpawnerSettings, SlurmSpawner):  # type: ignore[misc]
    """Starts a server as a Slurm job of the account that the chosen project gives to the user.

    Only Slurm's own answer makes a job gone, and no job outlives its server.

    Templates have batchspawner's variables, `brics_project` (`PROJECT.PORTAL`) and `project` (`PROJECT`). `username`
    and `homedir` are the account `USER.PROJECT` and its home directory.

    Attributes:
        exports_in_script: The server's variables are exported by lines in the job script. A configuration therefore
            needs neither `--export={{keepvars}}` in `batch_script` nor `NAME=value` in `batch_submit_cmd`. Spawners
            without this attribute pass the variables in the environment of the submit command.
    """

    exports_in_script: ClassVar[bool] = True

    job_key = Unicode(help="Key of the current spawn; empty when there is none.")

    ended = Unicode(
        help="One sentence why the last server ended by itself; empty after a stop and while a server runs."
    )

    @staticmethod
    def end_leftovers_when_up() -> None:
        """Prepare the hub that is loading its configuration.

        Configurations call this method by its name, which therefore stays.
        """
        hub_handlers.install_in_starting_hub()
        startup_cleanup.run_when_up()

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - as traitlets has it
        super().__init__(**kwargs)
        self._job = ServerJob(self)
        self._is_checked = False  # whether the starting hub checks this server
        if self.user is not None:
            hub_handlers.install(self.user.settings["app"])

    def slurm_commands(self) -> SlurmCommands:
        """Return the site's commands with the current settings."""
        return SlurmCommands(
            prefix=self.exec_prefix,
            submit=self.batch_submit_cmd,
            query=self.batch_query_cmd,
            list_own=self.batch_list_cmd,
            cancel=self.batch_cancel_cmd,
            read_log=self.batch_log_cmd,
            find_home=self.batch_home_cmd,
            variables={**self.get_req_subvars(), "job_id": self.job_id},
            timeout_s=self.command_timeout,
            log=self.log,
        )

    # Start

    async def start(self) -> tuple[str, int]:
        """Submit the job of the chosen project and wait for its server.

        Returns:
            The address of the node and the port that the server listens on.

        Raises:
            ShownError: 503 with a sentence when the job could not be submitted, or ended before its server listened.
        """
        self.use_options(self.user_options)
        self._forget_address()
        self._job.reset()
        self.ended = ""
        try:
            await self._job.start(self.submit_batch_script)
            self.ip = self._job.startup.address
            self._job.report(f"Job {self.job_id} is ready on node {self.state_gethost()}", 90)
        finally:
            self._job.events.end()
        self.log.info(LISTENS_LOG, self.job_id, self._log_name, self.ip, self.port)
        return self.ip, self.port

    async def submit_batch_script(self) -> str:
        """Submit the job and return its id, as Submission.submit does."""
        return await self._job.submission.submit()

    @observe("port")
    def _port_changed(self, _change: object) -> None:
        # Set by the handler of the job's report; the constructor may set the port, too, before there is a job.
        if hasattr(self, "_job"):
            self._job.startup.notice_port()

    def notice_refused_report(self, why: str) -> None:
        """End the start, because the hub has refused the job's report, unless a valid report follows within seconds."""
        self._job.startup.notice_refusal(why)

    # Poll

    async def poll(self) -> int | None:
        """Return None while the job may be alive, 0 for a completed job and 1 for any other.

        The job may be alive as long as Slurm does not report its end.

        A starting hub also gets 1 for a server whose port the previous hub had not learnt, and for one that was being
        stopped. The hub then stops the server instead of waiting for an answer until http_timeout.
        """
        self._is_checked = self.pending == "check" or (self._is_checked and self.pending == "stop")
        if self.pending == "check" and self.server:
            if not self.server.port:
                self.ended = await self._job.end_report.explain_decision("hub_restarted_starting")
                return 1
            if self._job.is_being_cancelled():
                return 1
        if self.pending == "stop" and self._job.job_to_cancel() is not None:
            return None  # JupyterHub then calls stop, which saves the pending cancellation before any query
        await self._job.submission.settle()
        if await self.query_job_status(self.poll_interval) is not JobStatus.NOTFOUND:
            return None
        if self.job_id and not self.ended and not self._job.ledger.is_given_up:
            self.ended = await self._job.end_report.explain_job()
        return 0 if self._job.status.job.state == "COMPLETED" else 1

    async def query_job_status(self, max_age_s: float = 0.0) -> JobStatus:
        """Query Slurm about the job, in one command with other servers.

        Args:
            max_age_s: Maximum age of an answer that may be reused, in seconds.

        Returns:
            PENDING, RUNNING or NOTFOUND as Slurm reports, the last also when no job was submitted; UNKNOWN when Slurm
            does not say.
        """
        return await self._job.query(max_age_s)

    def state_gethost(self) -> str:
        """Return the name of the node that runs the job, or an empty text until Slurm names one."""
        return self._job.status.job.node

    # Progress

    async def progress(self) -> AsyncIterator[Event]:
        """Yield progress events.

        Each has `message` for the waiting user, and Slurm's words under `slurm` for programs.
        """
        async for event in self._job.events:
            yield event

    # Stop

    async def stop(self, now: bool = False) -> None:  # noqa: FBT001, FBT002 - JupyterHub's signature
        """Cancel the job and wait until Slurm reports that it is gone, for at most stop_timeout.

        While Slurm cannot be reached, and after a restart of the hub, cancelling continues in the background.

        Args:
            now: Wait only until Slurm has accepted the cancellation.

        Raises:
            ShownError: 503 when another spawner has started the job and its account is unknown.
        """
        if self._is_checked and not self.ended and not self._job.is_being_cancelled():
            self.ended = await self._job.end_report.explain_decision("hub_restarted_silent")
        await self._job.submission.settle()
        if self.job_id and not is_account(self.req_username):
            raise stop_failure(UNKNOWN_ACCOUNT.format(job_id=self.job_id))
        if (job := self._job.job_to_cancel()) is not None:
            await self._job.cancel(job, timeout_s=self.stop_timeout, until_gone=not now)

    # State

    def get_state(self) -> dict[str, Any]:
        """Return the job, its account and the reason of its end for the database.

        A restarted hub restores them. The original spawner finds the account by the saved projects.
        """
        state: dict[str, Any] = super().get_state() | self._job.ledger.to_state()
        if self.ended:
            state["ended"] = self.ended
        if self.job_id or self.job_key:
            chosen = {key: dict(each) for key, each in self.brics_projects.items() if self._has_account(each)}
            state |= {"username": self.req_username, "homedir": self.req_homedir, "brics_projects": chosen}
            state |= self._job.to_state()
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the result of get_state, or the state of another spawner of the same contract.

        The job of a server that JupyterHub has given up is cancelled.
        """
        if account := find_account(state, self.user_options or {}, self.user.name):
            self.req_username = account
            self.req_homedir = str(state.get("homedir") or self.usual_home(account))
        self.brics_projects = saved_projects(state)
        super().load_state(state)
        self._job.load_state(state)
        self.ended = state.get("ended", "")
        has_no_server = self.orm_spawner is not None and self.orm_spawner.server is None
        if has_no_server and self._job.job_to_cancel() is not None:
            self.clear_state()
            self._job.ledger.save()

    def clear_state(self) -> None:
        """Forget the job, and cancel it in the background if it may still run."""
        job = self._job.job_to_cancel()
        if job is not None:
            self._job.ledger.give_up(job)
        super().clear_state()
        self.job_key = ""
        self._job.reset()

    def _has_account(self, project: Mapping[str, object]) -> bool:
        return project["username"] == self.req_username

    def _forget_address(self) -> None:
        self.ip = self.traits()["ip"].default_value
        self.port = self.traits()["port"].default_value
        if self.server:
            self.server.port = self.port
