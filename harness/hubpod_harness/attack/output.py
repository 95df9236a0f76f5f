"""Print the verdicts of an attack."""

from collections.abc import Sequence

from rich.text import Text

from hubpod.cli.console import out
from hubpod.cli.output import show_table
from hubpod.system.progress import marks
from hubpod_harness.attack.verdicts import Verdict, status_text

REQUEST_CHARACTERS = 60


def show_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Print a table of all attempts, and the failed ones again at the end."""
    failed = [verdict for verdict in verdicts if not verdict.passed]
    show_table(("attempt", "what", "how", "answer", "verdict"), [_row(verdict) for verdict in verdicts])
    out.print(Text(f"{len(verdicts) - len(failed)} of {len(verdicts)} refused as they must be"), soft_wrap=True)
    for verdict in failed:
        text = f" {verdict.case.id}: {'; '.join(verdict.problems)}"
        out.print(Text.assemble((marks(out).bad, "red"), text), soft_wrap=True)


def _row(verdict: Verdict) -> tuple[str, ...]:
    how = verdict.case.request.how
    return (
        verdict.case.id,
        verdict.case.title,
        how if len(how) <= REQUEST_CHARACTERS else f"{how[:REQUEST_CHARACTERS]}…",
        status_text(verdict.status),
        "passed" if verdict.passed else "FAILED",
    )
