"""Print the steps and the result of a spawn, and draw its timeline."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.text import Text

from hubpod.cli.console import out, quiet_context
from hubpod.cli.output import show_json
from hubpod.commands import prove
from hubpod.probe import svg
from hubpod.probe.spawn import ProbeReport, Step
from hubpod.probe.timeline import Span, draw_timeline
from hubpod.request import SpawnRequest
from hubpod.system.progress import marks


def spawn(request: SpawnRequest, *, project: str | None, picture: Path | None, json: bool) -> None:
    """Spawn a notebook and print the report.

    Args:
        request: The instance and the user who logs in.
        project: Project to spawn for; the user's first when None.
        picture: File to draw the timeline to.
        json: Print the report as JSON, and no steps.
    """
    context = quiet_context(request.instance)
    report = prove.spawn(context, request, project=project, on_step=_ignore_step if json else _show_step)
    if json:
        show_json(report.as_dict())
    else:
        _show_report(report)
    if picture:
        _draw(picture, report, prove.timeline(context, request.instance, report))


def _ignore_step(_: Step) -> None:
    pass


def _show_step(step: Step) -> None:
    text = f" {step.name:<9}{step.at_s:6.1f} s "
    out.print(Text.assemble((marks(out).good, "green"), text, (f"+{step.took_s:.2f}", "dim")), soft_wrap=True)


def _show_report(report: ProbeReport) -> None:
    job = f"job {report.job_id} on {report.node}, 5 * 4 = {report.result}"
    out.print(Text(f"\n  {report.user} got a notebook for {report.project}: {job}\n"), soft_wrap=True)


def _draw(picture: Path, report: ProbeReport, spans: Sequence[Span]) -> None:
    title = f"{spans[-1].end_s:.2f} s from the login to a kernel's first answer"
    when = datetime.fromtimestamp(report.began, UTC).strftime("%F %T UTC")
    drawing = draw_timeline(
        title, f"{report.user} in {report.project}, job {report.job_id} on {report.node}, {when}", spans
    )
    picture.write_text(svg.page(drawing, title) if picture.suffix == ".html" else drawing)
