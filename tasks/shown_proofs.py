"""What commands print that prove something: steps of a spawn and where its time went, verdicts on attempts."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.text import Text

from hubpod.probe import svg
from hubpod.probe.spawn import ProbeReport, Step
from hubpod.probe.timeline import Span, draw_timeline
from hubpod.system.progress import marks
from hubpod_harness.attack import Verdict, status_text
from tasks.console import out
from tasks.shown import show_table

HOW_WIDTH = 60


def step_teller(*, silent: bool) -> Callable[[Step], None]:
    """Tells of each step of a probe when it is reached."""

    def show(step: Step) -> None:
        text = f" {step.name:<9}{step.at_s:6.1f} s "
        out.print(Text.assemble((marks(out).good, "green"), text, (f"+{step.took_s:.2f}", "dim")), soft_wrap=True)

    return (lambda _: None) if silent else show


def show_report(report: ProbeReport) -> None:
    """What a probe has shown, for a person."""
    job = f"job {report.job_id} on {report.node}, 5 * 4 = {report.result}"
    out.print(Text(f"\n  {report.user} got a notebook for {report.project}: {job}\n"), soft_wrap=True)


def draw_spawn(picture: Path, report: ProbeReport, spans: Sequence[Span]) -> None:
    """Where the time of a spawn went, as a file."""
    title = f"{spans[-1].end_s:.2f} s from the login to a kernel's first answer"
    when = datetime.fromtimestamp(report.began, UTC).strftime("%F %T UTC")
    drawing = draw_timeline(
        title, f"{report.user} in {report.project}, job {report.job_id} on {report.node}, {when}", spans
    )
    picture.write_text(svg.page(drawing, title) if picture.suffix == ".html" else drawing)


def show_verdicts(verdicts: Sequence[Verdict]) -> None:
    """What was attempted, and whether the hub has refused it, for a person; the failures once more at the end."""
    failed = [verdict for verdict in verdicts if not verdict.passed]
    rows = [_verdict_row(verdict) for verdict in verdicts]
    show_table(("attempt", "what", "how", "answer", "verdict"), rows)
    out.print(Text(f"{len(verdicts) - len(failed)} of {len(verdicts)} refused as they must be"), soft_wrap=True)
    for verdict in failed:
        text = f" {verdict.case.id}: {'; '.join(verdict.problems)}"
        out.print(Text.assemble((marks(out).bad, "red"), text), soft_wrap=True)


def _verdict_row(verdict: Verdict) -> tuple[str, ...]:
    how = verdict.case.request.how
    return (
        verdict.case.id,
        verdict.case.title,
        how if len(how) <= HOW_WIDTH else f"{how[:HOW_WIDTH]}…",
        status_text(verdict.status),
        "passed" if verdict.passed else "FAILED",
    )
