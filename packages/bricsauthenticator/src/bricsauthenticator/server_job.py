"""The current job of one server, and the parts that submit, watch, record and cancel it."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any

from batchspawner import JobStatus  # type: ignore[import-untyped]

from bricsauthenticator import homes, jobscript, slurm
from bricsauthenticator.end_report import EndReport
from bricsauthenticator.hub_guard.http_errors import spawn_failure
from bricsauthenticator.job_ledger import JobLedger
from bricsauthenticator.job_states import Fate, Life, Phase, Run, fate, with_requeue
from bricsauthenticator.job_status import JobStatusQuery
from bricsauthenticator.messages import situation
from bricsauthenticator.pending_cancellations import PendingCancellation
from bricsauthenticator.progress_events import Event, ProgressEvents
from bricsauthenticator.startup import JobEndedError, OverdueError, StartupWatch
from bricsauthenticator.submission import Submission

STATUS_OF = {
    Life.PENDING: JobStatus.PENDING,
    Life.RUNNING: JobStatus.RUNNING,
    Life.PAUSED: JobStatus.RUNNING,
    Life.ENDING: JobStatus.NOTFOUND,
    Life.GONE: JobStatus.NOTFOUND,
    Life.UNKNOWN: JobStatus.UNKNOWN,
}
PROGRESS_OF = {Life.PENDING: 20, Life.RUNNING: 60, Life.PAUSED: 60}
LONGEST_STOP_PAUSE_S = 1.0
LONGEST_MARGIN_S = 5.0
"""How long before JupyterHub's start_timeout the start ends with a sentence, in seconds."""


class ServerJob:
    """Wires the parts to one spawner, whose traits hold the job's identity and the settings.

    Attributes:
        events: The progress events of the current spawn.
        status: The job as Slurm last described it.
        ledger: The job in the database, and the server's pending cancellations.
        submission: The submission of the job.
        startup: The wait for the server to answer.
        end_report: The explanation of the server's end.
        run: The run of the job that is the server, or will be; None until Slurm has described it.
        log_path: The file of the job's output on the Slurm host; empty when unknown.
    """

    def __init__(self, spawner: Any) -> None:  # noqa: ANN401 - BricsSlurmSpawner, whose module imports this one
        self._spawner = spawner
        self._is_stopping = False
        self.run: Run | None = None
        self.log_path = ""
        self.events = ProgressEvents()
        commands, log = spawner.slurm_commands, spawner.log
        self.status = JobStatusQuery(
            commands=commands, list_all=lambda: spawner.query_all_cmd, owner=self._owner, log=log
        )
        self.ledger = JobLedger(
            current=spawner,
            row=lambda: spawner.orm_spawner,
            state=spawner.get_state,
            commands=commands,
            owner=self._owner,
            log=log,
        )
        self.submission = Submission(
            ledger=self.ledger,
            commands=commands,
            new_key=self._new_key,
            write_script=self._write_script,
            report=self.report,
            search_timeout_s=lambda: spawner.search_timeout,
            secret=lambda: spawner.api_token,
            owner=self._owner,
            log=log,
        )
        self.startup = StartupWatch(
            query=spawner.query_job_status,
            job=lambda: self.status.job,
            port=lambda: spawner.port,
            find_address=lambda node: spawner.slurm_commands().find_address(node, spawner.slurm_host),
            settings=spawner,
        )
        self.end_report = EndReport(
            spawner=spawner,
            status=self.status,
            phase=self.phase,
            run=lambda: self.run,
            log_path=lambda: self.log_path,
            owner=self._owner,
        )

    def _owner(self) -> str:
        return str(self._spawner._log_name)  # noqa: SLF001 - JupyterHub's own name of a server in its log

    def _new_key(self) -> str:
        cookie_secret = self._spawner.user.settings.get("cookie_secret", b"")
        return slurm.new_key(slurm.hub_mark(cookie_secret, self._spawner.hub_connect_url or ""))

    async def _write_script(self, key: str) -> str:
        spawner = self._spawner
        await homes.locate(spawner)
        variables = {**spawner.get_req_subvars(), "cmd": spawner.cmd_formatted_for_batch()}
        environment = {name: str(value) for name, value in spawner.get_env().items()}
        if spawner.runs_launcher:
            environment[jobscript.LAUNCHER_VARIABLE] = jobscript.LAUNCHER
        script = await spawner._get_batch_script(**variables)  # noqa: SLF001 - batchspawner's
        script = jobscript.with_key(jobscript.without_requeue(script), key)
        self.log_path = jobscript.log_path(script)
        return jobscript.with_exports(script, environment)

    def to_state(self) -> dict[str, Any]:
        """Return the run of the job and its log for the database."""
        run = {"job_run": asdict(self.run)} if self.run is not None else {}
        return run | ({"job_log": self.log_path} if self.log_path else {})

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the results of to_state and of the ledger."""
        self.run = Run(**state["job_run"]) if "job_run" in state else None
        self.log_path = state.get("job_log", "")
        self.ledger.load_state(state)

    def report(self, message: str, percent: int | None) -> None:
        """Add a progress event.

        It has `message` for the user, and Slurm's words under `slurm` for programs.
        """
        job = self.status.job
        about = {"job_id": self._spawner.job_id, "state": job.state, "reason": job.reason, "node": job.node}
        event: Event = {"message": message, "slurm": about}
        self.events.add(event if percent is None else {**event, "progress": percent})

    async def query(self, max_age_s: float) -> JobStatus:
        """Query Slurm about the job, as BricsSlurmSpawner.query_job_status describes.

        An unknown job id is first looked up by the job's key.
        """
        spawner = self._spawner
        if not spawner.job_id:
            is_found = await self.ledger.recover_id()
            if not is_found:
                return JobStatus.UNKNOWN if is_found is None else JobStatus.NOTFOUND
        phase = self.phase()  # as of the query: a port that is reported meanwhile says nothing about its answer
        reuse_s = spawner.idle_query_interval if phase is Phase.READY else 0.0
        job = await self.status.query(spawner.job_id, max_age_s, reuse_s)
        if job.life is not Life.UNKNOWN:
            spawner.job_status = self.status.answer
        self._notice_run(phase)
        if phase is not Phase.STOPPING:  # a cancelled job that completes does not wait again
            job = with_requeue(job, self.run)
        if fate(job, phase, self.run) is Fate.ENDED:
            return JobStatus.NOTFOUND
        self.report(situation(spawner.job_id, job), PROGRESS_OF.get(job.life))
        return STATUS_OF[job.life]

    def _notice_run(self, phase: Phase) -> None:
        life = self.status.job.life
        is_start = phase is Phase.STARTING and life in (Life.PENDING, Life.RUNNING, Life.PAUSED)
        if is_start or (phase is Phase.READY and self.run is None and life is Life.RUNNING):
            self.record_run()

    def record_run(self) -> None:
        """Take the job's current run for the server."""
        self.run = Run(node=self.status.job.node, restarts=self.status.job.restarts)

    def phase(self) -> Phase:
        """Return the phase of the server."""
        if self._is_stopping:
            return Phase.STOPPING
        server = self._spawner.server
        return Phase.READY if self._spawner.port or (server and server.port) else Phase.STARTING

    async def start(self, submit: Callable[[], Coroutine[Any, Any, str]]) -> None:
        """Submit the job and wait until its server answers.

        Args:
            submit: Submits the job and returns its id.

        Raises:
            ShownError: 503 with a sentence when there is no server.
        """
        limit_s = self._spawner.start_timeout
        limit_s -= min(LONGEST_MARGIN_S, limit_s / 10)
        try:
            async with asyncio.timeout(limit_s):
                await self.submission.run(submit)
                await self.startup.until_listening()
        except JobEndedError:
            sentence = await self.end_report.explain_job()
        except OverdueError as late:
            sentence = await self.end_report.explain_delay(late)
        except TimeoutError:
            is_submitted = bool(self._spawner.job_id)
            delay = self.startup.overdue_now() if is_submitted else OverdueError("submit_timeout", limit_s)
            sentence = await self.end_report.explain_delay(delay)
        else:
            self.record_run()
            return
        self._spawner.ended = sentence
        raise spawn_failure(sentence)

    def job_to_cancel(self) -> PendingCancellation | None:
        """Return the job for cancellation, or None without a job that may run."""
        return None if self.status.is_gone else self.ledger.job_to_cancel()

    def is_being_cancelled(self) -> bool:
        """Whether the job is among the pending cancellations in the database."""
        job = self.job_to_cancel()
        return job is not None and any(map(job.same_as, self.ledger.pending()))

    async def cancel(self, job: PendingCancellation, *, timeout_s: float, until_gone: bool) -> None:
        """Cancel the job and wait until Slurm accepts the cancellation.

        With `until_gone`, also wait until Slurm reports that the job is gone. `timeout_s` limits the whole wait.
        """
        deadline = time.monotonic() + timeout_s
        self._is_stopping = True
        cancellation = self.ledger.give_up(job)
        spawner = self._spawner
        if not spawner.job_id:
            return
        await asyncio.wait({cancellation}, timeout=timeout_s)
        while until_gone and await spawner.query_job_status() is not JobStatus.NOTFOUND:
            if time.monotonic() >= deadline:
                spawner.log.warning("Job %s is cancelled, and Slurm does not say that it is gone yet", spawner.job_id)
                return
            await asyncio.sleep(min(spawner.startup_poll_interval, LONGEST_STOP_PAUSE_S))

    def reset(self) -> None:
        """Forget the job, and end its progress events."""
        self.status.reset()
        self.startup.reset()
        self._is_stopping = False
        self.run = None
        self.log_path = ""
        self.ledger.is_given_up = False
        if self.events.has_begun:
            self.events.end()
            self.events = ProgressEvents()
