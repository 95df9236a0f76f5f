"""The measurement: inject each fault alone into a copy, and list the tests that catch it."""

import argparse
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hubpod.errors import HubpodError, UsageError, nearest
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
    """Options of the measurement.

    Attributes:
        jobs: Number of faults measured concurrently by the unit tests.
        first: Stop the unit tests at the first failure.
        resume: Skip faults that have a result.
    """

    jobs: int
    first: bool
    resume: bool


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, and return 0 if every fault is caught, 1 if not, 130 after Ctrl-C."""
    options = _build_parser().parse_args(argv)
    try:
        faults = select_faults(options.only)
        if options.list:
            _print("\n".join(f"{fault.name}: {fault.breaks}" for fault in faults))
            return 0
        results = Results(options.json)
        results.load()
        wanted = [which for which in Pass if getattr(options, which.value)] or [Pass.UNIT]
        plan = Plan(jobs=options.jobs, first=options.first, resume=options.resume)
        with _handle_sigterm():
            measure(faults, wanted, results, plan)
    except HubpodError as error:
        _print("\n".join((f"{error.message}{'; ' if error.remedy else ''}{error.remedy}.", *error.detail)))
        return error.exit_code
    except KeyboardInterrupt:
        _print("Interrupted; the copies were removed.")
        return process.SIGNAL_EXIT_BASE + signal.SIGINT
    _print(table(faults, results))
    return 0 if all(results.is_caught(fault) for fault in faults) else 1


def measure(faults: Sequence[Fault], wanted: Sequence[Pass], results: Results, plan: Plan) -> None:
    """Run each pass without a fault as a control, and then once per fault.

    Raises:
        FaultError: A fault does not apply, or tests fail in the control.
    """
    with copies.snapshot_project() as source:
        for fault in faults:
            fault.apply(source)
        for which in wanted:
            pending = [fault for fault in faults if not plan.resume or results.caught_by(fault, which) is None]
            if not pending:
                continue
            _run_control(source, which)
            workers = plan.jobs if which is Pass.UNIT else 1  # process.attach works in the main thread alone
            measure_one = partial(_measure_one, source=source, which=which, first=plan.first)
            with closing(_measure_each(pending, measure_one, workers)) as outcomes:  # ends workers before copies
                for number, (fault, tests) in enumerate(outcomes, start=1):
                    results.add(fault, which, tests)
                    _print(f"[{number}/{len(pending)}] {fault.name}: {', '.join(tests[:MANY_CAUSES]) or NOT_CAUGHT}")


def _run_control(source: Path, which: Pass) -> None:
    with copies.copy_snapshot(source, CONTROL) as copy:
        copies.require_own_modules(copy)
        failing = passes.run(which, copy)
    if failing:
        raise FaultError(
            f"the {which.value} tests fail without a fault, so they cannot measure any",
            remedy="fix the failing tests first",
            detail=failing,
        )


def _measure_one(fault: Fault, *, source: Path, which: Pass, first: bool) -> tuple[str, ...]:
    with copies.copy_snapshot(source, fault.name) as copy:
        fault.inject(copy.project)
        return passes.run(which, copy, fault, first=first)


def _measure_each(
    faults: Sequence[Fault], one: Callable[[Fault], tuple[str, ...]], workers: int
) -> Generator[tuple[Fault, tuple[str, ...]], None, None]:
    """Measure the faults with a number of workers, and yield each result when available."""
    if workers == 1:
        yield from ((fault, one(fault)) for fault in faults)
        return
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(one, fault): fault for fault in faults}
        try:
            yield from ((futures[future], future.result()) for future in as_completed(futures))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            while any(future.running() for future in futures):  # a worker may be about to start its tests
                process.terminate_all()
                wait(futures, timeout=0.2)
            raise


def select_faults(names: Sequence[str] | None) -> tuple[Fault, ...]:
    """Return the named faults, or all.

    Raises:
        UsageError: A fault does not exist.
    """
    known = {fault.name: fault for fault in FAULTS}
    for name in names or ():
        if name not in known:
            raise UsageError(f"no such fault: {name!r}{nearest(name, known)}", remedy="--list prints all faults")
    return tuple(known[name] for name in dict.fromkeys(names)) if names else FAULTS


@contextmanager
def _handle_sigterm() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, so that the copies are removed."""

    def terminate(number: int, _frame: object) -> None:
        raise TerminationSignal(number)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Seed small faults, one at a time, and list the tests that catch each."
    )
    add = parser.add_argument
    add("--unit", action="store_true", help="run the unit tests (default)")
    add("--integration", action="store_true", help="run harness/suite on real containers until the first failure")
    add("--only", nargs="+", metavar="NAME", help="measure only these faults")
    add("--list", action="store_true", help="list the faults and exit")
    add(
        "--json",
        type=Path,
        metavar="FILE",
        help="store the results in FILE after each fault, beside earlier ones",
    )
    add("--resume", action="store_true", help="skip faults with a result in FILE")
    add("--first", action="store_true", help="stop the unit tests at the first failure")
    add("--jobs", type=int, default=1, metavar="N", help="number of faults measured concurrently by the unit tests")
    return parser


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
