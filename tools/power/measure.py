"""The measurement: each fault alone in a copy of the project, and the tests that notice it."""

import argparse
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hubpod.environments import nearest
from hubpod.errors import HubpodError, UsageError
from hubpod.system import process
from hubpod.system.interrupts import TerminationSignal
from power import copies, passes
from power.fault import Fault, FaultError
from power.faults import FAULTS
from power.passes import Pass
from power.results import NOT_CAUGHT, Results, table

CONTROL = "control"
MANY_CAUSES = 3


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to measure.

    Attributes:
        jobs: How many faults the unit tests look for at a time.
        first: Whether the unit tests end at the first one that fails.
        resume: Whether to leave out what has a result.
    """

    jobs: int
    first: bool
    resume: bool


def main(argv: Sequence[str] | None = None) -> int:
    """Measure as the command line asks; 0 when every fault is caught, 1 when one is not, 130 after Ctrl-C."""
    options = _parser().parse_args(argv)
    try:
        faults = chosen(options.only)
        if options.list:
            _say("\n".join(f"{fault.name}: {fault.breaks}" for fault in faults))
            return 0
        results = Results(options.json)
        results.load()
        wanted = [which for which in Pass if getattr(options, which.value)] or [Pass.UNIT]
        plan = Plan(jobs=options.jobs, first=options.first, resume=options.resume)
        with _ended_by_signals():
            measure(faults, wanted, results, plan)
    except HubpodError as error:
        _say("\n".join((f"{error.message}{'; ' if error.remedy else ''}{error.remedy}.", *error.detail)))
        return error.exit_code
    except KeyboardInterrupt:
        _say("Interrupted; the copies are removed.")
        return process.SIGNAL_EXIT_BASE + signal.SIGINT
    _say(table(faults, results))
    return 0 if all(results.is_caught(fault) for fault in faults) else 1


def measure(faults: Sequence[Fault], wanted: Sequence[Pass], results: Results, plan: Plan) -> None:
    """Run each pass first without a fault, and then with each of them, or of those that have no result yet.

    Raises:
        FaultError: A fault does not fit, or tests fail without one.
    """
    with copies.pristine() as source:
        for fault in faults:
            fault.text(source)
        for which in wanted:
            open_ = [fault for fault in faults if not plan.resume or results.caught_by(fault, which) is None]
            if not open_:
                continue
            _control(source, which)
            workers = plan.jobs if which is Pass.UNIT else 1  # attach, and so the suite, belongs to the main thread
            one = partial(_one, source=source, which=which, first=plan.first)
            with closing(_each(open_, one, workers)) as outcomes:  # its workers end before the copies go
                for number, (fault, tests) in enumerate(outcomes, start=1):
                    results.add(fault, which, tests)
                    _say(f"[{number}/{len(open_)}] {fault.name}: {', '.join(tests[:MANY_CAUSES]) or NOT_CAUGHT}")


def _control(source: Path, which: Pass) -> None:
    with copies.copied(source, CONTROL) as copy:
        copies.require_own_modules(copy)
        failing = passes.run(which, copy)
    if failing:
        raise FaultError(
            f"the {which.value} tests fail without any fault, so they measure nothing",
            remedy="repair them first",
            detail=failing,
        )


def _one(fault: Fault, *, source: Path, which: Pass, first: bool) -> tuple[str, ...]:
    with copies.copied(source, fault.name) as copy:
        fault.put_into(copy.project)
        return passes.run(which, copy, fault, first=first)


def _each(
    faults: Sequence[Fault], one: Callable[[Fault], tuple[str, ...]], workers: int
) -> Generator[tuple[Fault, tuple[str, ...]], None, None]:
    """Measure the faults, several at a time if so wished, and hand on each one that is done."""
    if workers == 1:
        yield from ((fault, one(fault)) for fault in faults)
        return
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(one, fault): fault for fault in faults}
        try:
            yield from ((futures[future], future.result()) for future in as_completed(futures))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            while any(future.running() for future in futures):  # one may be about to start its tests
                process.terminate_all()
                wait(futures, timeout=0.2)
            raise


def chosen(names: Sequence[str] | None) -> tuple[Fault, ...]:
    """The faults of these names, or all.

    Raises:
        UsageError: There is no such fault.
    """
    known = {fault.name: fault for fault in FAULTS}
    for name in names or ():
        if name not in known:
            raise UsageError(f"there is no fault {name!r}{nearest(name, known)}", remedy="--list shows them")
    return tuple(known[name] for name in dict.fromkeys(names)) if names else FAULTS


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C, so that copies are removed then too."""

    def end(number: int, _frame: object) -> None:
        raise TerminationSignal(number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Seed small faults, one at a time, and tell which tests catch each.")
    add = parser.add_argument
    add("--unit", action="store_true", help="run the packages' own tests (the default)")
    add("--integration", action="store_true", help="run harness/suite, on real containers, until its first failure")
    add("--only", nargs="+", metavar="NAME", help="these faults only")
    add("--list", action="store_true", help="list the faults and end")
    add(
        "--json",
        type=Path,
        metavar="FILE",
        help="keep the results there, after each fault, beside those of earlier runs",
    )
    add("--resume", action="store_true", help="skip what FILE already has a result for")
    add("--first", action="store_true", help="end the unit tests at the first one that fails: quicker, and less told")
    add("--jobs", type=int, default=1, metavar="N", help="how many faults the unit tests look for at a time")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
