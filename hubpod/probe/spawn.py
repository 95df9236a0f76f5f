"""Probe a hub as a user: log in, start a notebook in a Slurm job, run code, and stop it."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from hubpod.client import Form, HubError, ProgressEvent, Server, Session, SpawnRefused
from hubpod.client.deadline import Deadline
from hubpod.client.project import PROJECT_FIELD, match_project
from hubpod.errors import HubpodError, ProbeError

SPAWN_DEADLINE_S = 180.0
STOP_DEADLINE_S = 60.0
GONE_DEADLINE_S = 30.0
POLL_INTERVAL_S = 0.5

PRODUCT_CODE = "5 * 4"
PRODUCT = "20"
WHERE_CODE = (
    "import json, os; print(json.dumps([os.environ.get(name, '') for name in ('SLURM_JOB_ID', 'SLURMD_NODENAME')]))"
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A completed step of a probe.

    Attributes:
        name: login, submit, pending, starting, ready, open, kernel, stop or gone.
        at_s: Time of completion, in seconds since the start of the probe.
        took_s: Duration, in seconds since the previous step.
    """

    name: str
    at_s: float
    took_s: float


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """Result of a successful probe.

    Attributes:
        user: The user's name at the hub.
        project: The project of the job.
        job_id: Id of the Slurm job.
        node: Node of the job.
        result: Result of the code that ran in the kernel.
        began: Start of the probe, in seconds since the epoch.
        timeline: The steps, in order.
    """

    user: str
    project: str
    job_id: str
    node: str
    result: str
    began: float
    timeline: tuple[Step, ...]

    def as_dict(self) -> dict[str, object]:
        """The report as values that JSON can hold."""
        return asdict(self) | {"timeline": [asdict(step) for step in self.timeline]}


class ProbeStepError(ProbeError):
    """A step of the probe failed.

    Attributes:
        step: The failed step.
        timeline: The steps before it.
    """

    def __init__(self, step: str, cause: HubpodError, timeline: tuple[Step, ...]) -> None:
        reached = [f"{done.name} after {done.at_s:.1f} s" for done in timeline]
        notes = getattr(cause, "__notes__", ())
        detail = (*cause.detail, *notes, *reached)
        super().__init__(f"the probe failed at {step}: {cause.message}", remedy=cause.remedy, detail=detail)
        self.step = step
        self.timeline = timeline


def probe_session(  # noqa: PLR0913
    login: Callable[[], Session],
    *,
    project: str | None = None,
    options: Mapping[str, str] | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
    job_gone: Callable[[str], bool] | None = None,
    spawn_deadline_s: float = SPAWN_DEADLINE_S,
) -> ProbeReport:
    """Check that a user can log in, start a notebook, run code in it and stop it.

    Args:
        login: Logs in.
        project: The user's project, with or without its portal; the form's default when None.
        options: Further fields of the spawn form.
        on_step: Called with each completed step.
        job_gone: Returns whether a job has left Slurm's queue; called after the stop.
        spawn_deadline_s: Seconds for the server to become ready.

    Raises:
        ProbeStepError: A step failed. If the server was started, it has been stopped.
    """
    steps = _Steps(on_step)
    with steps.naming_the_failed_step():
        session = login()
        steps.complete("login")
        form = session.spawn_form()
        chosen = _options(form, options, project)
        server = session.server()
        with _stopping_on_failure(server):
            steps.take("submit", lambda: session.submit(chosen))
            for event in server.progress(spawn_deadline_s):
                steps.follow(event)
            steps.take("open", server.open)
            result, job_id, node = _run_code(server)
            steps.complete("kernel")
        steps.take("stop", lambda: server.stop(deadline_s=STOP_DEADLINE_S))
        if job_gone and job_id:
            steps.take("gone", lambda: _wait_until_gone(job_gone, job_id))
        return ProbeReport(
            user=session.user,
            project=_project(form, chosen),
            job_id=job_id,
            node=node,
            result=result,
            began=steps.began,
            timeline=steps.timeline,
        )


def _options(form: Form, options: Mapping[str, str] | None, project: str | None) -> dict[str, str]:
    """Return the values that replace the form's defaults."""
    return dict(options or {}) | ({} if project is None else {PROJECT_FIELD: match_project(project, form)})


def _project(form: Form, chosen: Mapping[str, str]) -> str:
    """Return the project of the server, or an empty text if the form has no field for it."""
    field = form.field(PROJECT_FIELD)
    return chosen.get(PROJECT_FIELD) or (field.default if field else "")


def phase_of(event: ProgressEvent) -> str:
    """Return the step that a progress event completes, or an empty text."""
    if event.ready:
        return "ready"
    if event.slurm:
        return {"PENDING": "pending", "CONFIGURING": "starting", "RUNNING": "starting"}.get(event.slurm.state, "")
    message = event.message.lower()  # batchspawner's own progress: "Pending in queue...", "Cluster job running..."
    return "pending" if "pending" in message else "starting" if "job running" in message else ""


class _Steps:
    """The completed steps, and the next one."""

    ORDER: Sequence[str] = ("login", "submit", "pending", "starting", "ready", "open", "kernel", "stop", "gone")

    def __init__(self, on_step: Callable[[Step], None]) -> None:
        self.timeline: tuple[Step, ...] = ()
        self._on_step = on_step
        self.began = round(time.time(), 3)
        self._start = time.monotonic()

    @property
    def next(self) -> str:
        done = self.timeline[-1].name if self.timeline else ""
        return self.ORDER[self.ORDER.index(done) + 1] if done else self.ORDER[0]

    def complete(self, name: str, *, at: float | None = None) -> None:
        """Record the completion of a step, now or at a monotonic time."""
        at_s = (time.monotonic() if at is None else at) - self._start
        before = self.timeline[-1].at_s if self.timeline else 0.0
        step = Step(name=name, at_s=round(at_s, 3), took_s=round(at_s - before, 3))
        self.timeline += (step,)
        self._on_step(step)

    def take(self, name: str, act: Callable[[], object]) -> None:
        """Take a step and record its completion."""
        act()
        self.complete(name)

    def follow(self, event: ProgressEvent) -> None:
        """Record the step that a progress event completes, unless it is recorded already."""
        name = phase_of(event)
        if name and self.ORDER.index(name) >= self.ORDER.index(self.next):
            self.complete(name, at=event.at)

    @contextmanager
    def naming_the_failed_step(self) -> Iterator[None]:
        """Raise errors as ProbeStepError, which names the failed step and those before it."""
        try:
            yield
        except HubpodError as error:
            raise ProbeStepError(self.next, error, self.timeline) from error


@contextmanager
def _stopping_on_failure(server: Server) -> Iterator[None]:
    """Stop the server if the block fails, unless the spawn was refused.

    After a refusal a running server, if any, is not the one of this spawn.
    """
    try:
        yield
    except SpawnRefused:
        raise
    except BaseException as error:
        try:
            server.stop(deadline_s=STOP_DEADLINE_S)
        except HubError as second:
            error.add_note(f"The server may still run: {second.message}")
        raise


def _run_code(server: Server) -> tuple[str, str, str]:
    """Run code in a kernel of the server, and return its result, the job's id and the job's node."""
    with server.kernel() as kernel:
        result = kernel.execute(PRODUCT_CODE)
        if result != PRODUCT:
            raise ProbeError(f"the kernel returned {result!r} for {PRODUCT_CODE}")
        job_id, node = json.loads(kernel.execute(WHERE_CODE))
    return result, job_id or server.job_id, node or (server.job.node if server.job else "")


def _wait_until_gone(job_gone: Callable[[str], bool], job_id: str) -> None:
    deadline = Deadline(GONE_DEADLINE_S, f"the end of job {job_id} in Slurm")
    while not job_gone(job_id):
        deadline.pause(POLL_INTERVAL_S)
