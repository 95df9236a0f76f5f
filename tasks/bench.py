"""How long things take: the same as `nox -s bench`, whose environment has what the measurements need."""

import sys
from collections.abc import Sequence

from invoke.context import Context as InvokeContext
from invoke.exceptions import Exit
from invoke.tasks import task

from tasks import doing
from tasks.shell import WORKSPACE, told

SESSION = ("-m", "nox", "-f", str(WORKSPACE.project / "noxfile.py"), "-s", "bench", "--")


@task(
    iterable=["case"],
    help={
        "case": "only this one, as bench.cases names it; may be repeated",
        "rounds": "how often each is measured (default 5)",
        "against": "folder with another commit, or file with another tool's cases, measured in turns with ours",
        "json": "keep the results and the machine's facts in this file",
        "compare": "tell the ratios to the results in this file",
        "svg": "draw the results to this file",
    },
)
def run(  # noqa: PLR0913, PLR0917 - options for a person
    _: InvokeContext,
    case: Sequence[str] | None = None,  # invoke makes it a list; a default of another type would be its type
    rounds: str | None = None,
    against: str | None = None,
    json: str | None = None,
    compare: str | None = None,
    svg: str | None = None,
) -> None:
    """Measure how long what people wait for takes here."""
    given = {"rounds": rounds, "against": against, "json": json, "compare": compare, "svg": svg}
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    _session(*(f"--case={each}" for each in case or ()), *options)


@task
def cases(_: InvokeContext) -> None:
    """Tell which cases there are."""
    _session("--list")


def _session(*words: str) -> None:
    with told():
        code = doing.process.attach([sys.executable, *SESSION, *words])
    raise Exit(code=code)
