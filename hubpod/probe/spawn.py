"""The proof for people: log in, get a notebook as a Slurm job, run code in it, and stop it again."""

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
LOOK_AGAIN_S = 0.5

PRODUCT_CODE = "5 * 4"
PRODUCT = "20"
WHERE_CODE = (
    "import json, os; print(json.dumps([os.environ.get(name, '') for name in ('SLURM_JOB_ID', 'SLURMD_NODENAME')]))"
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that was reached.

    Attributes:
        name: login, submit, pending, starting, ready, open, kernel, stop or gone.
        at_s: When it was reached, in seconds since the start.
        took_s: How long that took, in seconds since the step before.
    """

    name: str
    at_s: float
    took_s: float


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """What the probe has shown.

    Attributes:
        user: The person's name at the hub.
        project: The project that they spawned for.
        job_id: The Slurm job's number.
        node: The node that it ran on.
        result: What the kernel has answered.
        began: When the probe began, in seconds since the epoch.
        timeline: The steps, in their order.
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
        step: The step that was not reached.
        timeline: The steps that were.
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
    """Prove that a person who logs in this way gets a notebook, and can run code in it and stop it.

    Args:
        login: How the person logs in.
        project: Their project, with or without its portal; the form's default when None.
        options: Further fields of the spawn form.
        on_step: Told of each step when it is reached.
        job_gone: Whether the job of that number has left Slurm's queue; asked after the stop, when given.
        spawn_deadline_s: How long the server may take to become ready.

    Raises:
        ProbeStepError: A step failed. A server that was started has been stopped again.
    """
    steps = _Steps(on_step)
    with steps.named_in_errors():
        session = login()
        steps.reached("login")
        form = session.spawn_form()
        chosen = _choice(form, options, project)
        server = session.server()
        with _stopped_on_failure(server):
            steps.did("submit", lambda: session.submit(chosen))
            for event in server.progress(spawn_deadline_s):
                steps.saw(event)
            steps.did("open", server.open)
            result, job_id, node = _run_code(server)
            steps.reached("kernel")
        steps.did("stop", lambda: server.stop(deadline_s=STOP_DEADLINE_S))
        if job_gone and job_id:
            steps.did("gone", lambda: _wait_until_gone(job_gone, job_id))
        return ProbeReport(
            user=session.user,
            project=_project(form, chosen),
            job_id=job_id,
            node=node,
            result=result,
            began=steps.began,
            timeline=steps.timeline,
        )


def _choice(form: Form, options: Mapping[str, str] | None, project: str | None) -> dict[str, str]:
    """What to submit in place of the form's defaults."""
    return dict(options or {}) | ({} if project is None else {PROJECT_FIELD: match_project(project, form)})


def _project(form: Form, chosen: Mapping[str, str]) -> str:
    """The project that a server is for; empty where the form has no such field."""
    field = form.field(PROJECT_FIELD)
    return chosen.get(PROJECT_FIELD) or (field.default if field else "")


def phase_of(event: ProgressEvent) -> str:
    """The step that a progress event shows to be reached; empty when it shows none."""
    if event.ready:
        return "ready"
    if event.slurm:
        return {"PENDING": "pending", "CONFIGURING": "starting", "RUNNING": "starting"}.get(event.slurm.state, "")
    message = event.message.lower()  # batchspawner's own progress: "Pending in queue...", "Cluster job running..."
    return "pending" if "pending" in message else "starting" if "job running" in message else ""


class _Steps:
    """The steps reached so far, and which comes next."""

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

    def reached(self, name: str, *, at: float | None = None) -> None:
        """Note that a step was reached, now or at that monotonic time."""
        at_s = (time.monotonic() if at is None else at) - self._start
        before = self.timeline[-1].at_s if self.timeline else 0.0
        step = Step(name=name, at_s=round(at_s, 3), took_s=round(at_s - before, 3))
        self.timeline += (step,)
        self._on_step(step)

    def did(self, name: str, act: Callable[[], object]) -> None:
        """Take a step."""
        act()
        self.reached(name)

    def saw(self, event: ProgressEvent) -> None:
        """Note what a progress event shows, if it is further than before."""
        name = phase_of(event)
        if name and self.ORDER.index(name) >= self.ORDER.index(self.next):
            self.reached(name, at=event.at)

    @contextmanager
    def named_in_errors(self) -> Iterator[None]:
        """Let errors tell the step that was not reached and those that were."""
        try:
            yield
        except HubpodError as error:
            raise ProbeStepError(self.next, error, self.timeline) from error


@contextmanager
def _stopped_on_failure(server: Server) -> Iterator[None]:
    """Stop the server when what follows fails, unless it was refused: then there is none, or not one of ours."""
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
    """Run code in a kernel of the server: the product, the job's number and its node."""
    with server.kernel() as kernel:
        result = kernel.execute(PRODUCT_CODE)
        if result != PRODUCT:
            raise ProbeError(f"the kernel says that {PRODUCT_CODE} is {result!r}")
        job_id, node = json.loads(kernel.execute(WHERE_CODE))
    return result, job_id or server.job_id, node or (server.job.node if server.job else "")


def _wait_until_gone(job_gone: Callable[[str], bool], job_id: str) -> None:
    deadline = Deadline(GONE_DEADLINE_S, f"the end of job {job_id} in Slurm")
    while not job_gone(job_id):
        deadline.pause(LOOK_AGAIN_S)
