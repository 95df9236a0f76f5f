"""The stages of a spawn, from log lines to bars."""

from collections.abc import Iterator
from typing import cast
from xml.etree import ElementTree as ET

import pytest

from hubpod.instances import find_instance
from hubpod.podman.cli import Podman
from hubpod.probe import svg
from hubpod.probe.spawn import ProbeReport, Step
from hubpod.probe.spawn_timeline import STAGES, collect_stages, find_events, find_first_line, stages
from hubpod.probe.timeline import LEFT, Span, draw_timeline
from hubpod.system.process import Result

TAG = "{http://www.w3.org/2000/svg}"
SPANS = (
    Span(name="log in", who="browser", start_s=0.0, end_s=0.5),
    Span(name="<queue> & \x1b", who="Slurm", start_s=0.5, end_s=0.5),
    Span(name="start", who="notebook", start_s=0.5, end_s=4.0),
)

BEGAN = 1764000000.0
HUB_LOG = """\
2025-11-24T15:59:59.500Z [I JupyterHub submitted:59] Submitting the job of ann with the key k: ssh
2025-11-24T16:00:00.500000001Z [I JupyterHub submitted:59] Submitting the job of ann with the key l: ssh
2025-11-24T16:00:00.600Z [I JupyterHub submitted:59] Submitting the job of anna with the key m: ssh
2025-11-24T16:00:00.750Z [I JupyterHub submitted:82] Job 7 of ann is submitted
2025-11-24T16:00:02.000Z [I JupyterHub log:192] 201 POST /jupyter/hub/api/batchspawner (ann@127.0.0.1) 38.90ms
2025-11-24T16:00:03.000Z [I JupyterHub job:53] Job 7 of ann listens on node1:51399
"""
SLURM_LOG = """\
2025-11-24T17:00:00.700+01:00 slurmctld: _slurm_rpc_submit_batch_job: JobId=7 InitPrio=1 usec=1251
2025-11-24T17:00:00.800+01:00 slurmctld: sched/backfill: _start_job: Started JobId=7 in workq on node1
2025-11-24T17:00:00.900+01:00 slurmd-node1: launch task StepId=7.0 request from UID:20714
2025-11-24T17:00:00.950+01:00 slurmd-node1: launch task StepId=77.0 request from UID:20714
"""
SERVER_LOG = "module loaded\n[I 2025-11-24 16:00:02.500 ServerApp] jupyter_lsp\n[I 2025-11-24 16:00:02.900 LabApp] x\n"
REPORT = ProbeReport(
    user="ann",
    project="p.x",
    job_id="7",
    node="node1",
    result="20",
    began=BEGAN,
    timeline=(
        Step(name="login", at_s=0.25, took_s=0.25),
        Step(name="submit", at_s=0.625, took_s=0.375),
        Step(name="ready", at_s=3.25, took_s=2.625),
        Step(name="open", at_s=3.5, took_s=0.25),
        Step(name="kernel", at_s=4.0, took_s=0.5),
    ),
)


class FakePodman:
    """A podman whose containers have the logs above."""

    def __init__(self, *, slurm: bool = True) -> None:
        self.slurm = slurm

    def log(self, container: str, *, since: float, timestamps: bool) -> str:
        """Return the log of a container."""
        assert timestamps
        assert since < BEGAN
        return {"jupyterhub": HUB_LOG, "slurm": SLURM_LOG if self.slurm else ""}[container.rpartition("-")[2]]

    def execute(self, container: str, argv: list[str], *, user: str | None = None) -> Result:
        """Return the output of a command in a container, where only the job's owner can read its file."""
        if not self.slurm:
            return Result(argv=tuple(argv), returncode=125, stderr=f"no such container {container}")
        answers = {
            "scontrol": "JobId=7 JobName=x UserId=root(0) StdOut=/x UserId=ann.p(20714) StdOut=/home/p/ann.p/7.log",
            "squeue": "20714\n",
            "cat": SERVER_LOG if (user, argv[-1]) == ("20714", "/home/p/ann.p/7.log") else "",
        }
        return Result(argv=tuple(argv), returncode=0, stdout=answers[argv[0]])


def bars(document: str) -> Iterator[tuple[float, float]]:
    """Yield the position and width of each bar in pixels."""
    for rect in ET.fromstring(document).iter(f"{TAG}rect"):  # noqa: S314 - our own text
        if "bar" in rect.attrib["class"].split():
            yield float(rect.attrib["x"]), float(rect.attrib["width"])


def test_bars_match_their_spans() -> None:
    """Each span has a bar, which starts where the previous one ends and has a positive width."""
    first, second, third = bars(draw_timeline("title", "", SPANS))

    assert first[0] == LEFT
    assert second[0] == third[0] == pytest.approx(first[0] + first[1], abs=0.2)
    assert third[1] / first[1] == pytest.approx(7, rel=0.01)
    assert second[1] > 0


def test_labels_are_not_markup() -> None:
    """Markup in a name is escaped, and control characters are dropped."""
    texts = [each.text for each in ET.fromstring(draw_timeline("<t>", "a & b", SPANS)).iter(f"{TAG}text")]  # noqa: S314

    assert {"<t>", "a & b", "<queue> &  ", "3.50 s", "0 s", "4 s", "browser", "Slurm", "notebook"} <= set(texts)


def test_timeline_without_spans_is_empty() -> None:
    """Without spans there are no bars and no error."""
    assert list(bars(draw_timeline("title", "", ()))) == []


@pytest.mark.parametrize(
    ("longest", "ticks"), [(0.0, [0.0]), (3.9, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]), (75.0, [0, 10, 20, 30])]
)
def test_ticks_are_few_round_numbers(longest: float, ticks: list[float]) -> None:
    """The labels of an axis start at 0, have equal distances and do not exceed its end."""
    assert svg.ticks(longest)[: len(ticks)] == pytest.approx(ticks)
    assert len(svg.ticks(longest)) <= svg.MOST_TICKS + 1
    assert svg.ticks(longest)[-1] <= longest


def test_page_has_the_drawing_in_light_and_dark() -> None:
    """The page has only the drawing, and supports light and dark colour schemes."""
    page = svg.page(draw_timeline("title", "", SPANS), "<title>")

    assert page.startswith("<!DOCTYPE html>")
    assert "<title>&lt;title&gt;</title>" in page
    assert 'content="light dark"' in page
    assert page.count("<svg") == 1


def test_stages_come_from_all_logs() -> None:
    """The stages come from the probe, the logs of hub and Slurm, and the server's output."""
    spans = collect_stages(cast("Podman", FakePodman()), find_instance("dev_dummyauth", "default"), REPORT)

    assert [span.name for span in spans] == [stage.name for stage in STAGES]
    ends = [0.25, 0.5, 0.75, 0.8, 0.9, 2.0, 2.5, 3.0, 3.25, 3.5, 4.0]
    assert [span.end_s for span in spans] == pytest.approx(ends, abs=1e-5)
    assert spans[3].start_s == pytest.approx(0.7, abs=1e-5)  # Slurm accepts the job before the output of sbatch arrives


def test_stages_without_slurm_are_merged() -> None:
    """Without Slurm's log, the stages between two known events are one bar with all their names."""
    spans = collect_stages(cast("Podman", FakePodman(slurm=False)), find_instance("dev_dummyauth", "default"), REPORT)

    joined = next(span for span in spans if "queue" in span.name)
    assert joined.name == "queue + start of the job's step + Python, until it reports its port"
    assert (joined.start_s, joined.end_s) == pytest.approx((0.75, 2.0), abs=1e-5)
    assert all(span.took_s >= 0 for span in spans)


def test_stage_is_never_negative() -> None:
    """Times of logs differ by milliseconds, so a stage may have the length 0 but not less."""
    spans = list(stages({"began": 10.0, "login": 11.0, "submitting": 10.5}))

    assert [(span.start_s, span.end_s) for span in spans] == [(0.0, 1.0), (1.0, 1.0)]


@pytest.mark.parametrize("log", ["", "no time", "[I 2025-99-99 16:00:02.500 ServerApp] forged"])
def test_server_log_without_a_valid_time_is_ignored(log: str) -> None:
    """A user can write anything to the log of a server."""
    assert find_first_line(log) == {}


def test_first_matching_line_counts() -> None:
    """Lines before the spawn, or of a user whose name has the same start, do not match."""
    found = find_events(HUB_LOG, {"submitting": "Submitting the job of ann with"}, BEGAN)

    assert found == {"submitting": pytest.approx(BEGAN + 0.5, abs=1e-5)}
