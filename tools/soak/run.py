"""Soak test: users and faults at random, with the invariants checked after each fault.

python tools/soak/run.py [--minutes M] [--seed S] [--users N] [--steady], or `./run nox -s faults`

The seed decides every round: the fault, its time and duration, and each user's action. The first line prints it; equal
seeds give equal rounds, though threads interleave differently. After each fault the invariants I1 to I8
(hubpod_harness.invariants) must hold within a minute. Otherwise the exit code is 1, and a diagnosis of the stack is
written below .hubpod/soak.

Once a minute, between two rounds, memory and open files of hub and proxy are appended to .hubpod/soak/SEED.csv. At the
end, the slope over the second half of the longest-lived process is compared to a limit per hour (samples.py), after at
least twenty minutes. Growth above the limit gives exit code 1 as well. --steady leaves out the faults that end hub or
proxy, so that one process of each lives through the whole soak.
"""

import argparse
import secrets
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tools")]

from hubpod_harness import diagnosis  # noqa: E402 - needs the path above
from hubpod_harness.invariants import Violation, assert_invariants  # noqa: E402
from hubpod_harness.observation import observe  # noqa: E402
from hubpod_harness.options import Options  # noqa: E402
from hubpod_harness.preflight import prepare_machine  # noqa: E402
from hubpod_harness.stack import Stack  # noqa: E402
from hubpod_harness.stacks import open_stacks  # noqa: E402
from hubpod_harness.users import User  # noqa: E402
from soak.faults import FAULTS  # noqa: E402
from soak.plan import Round, generate_rounds  # noqa: E402
from soak.samples import INTERVAL_S, Sample, Verdict, measure_growth, take_samples, to_csv  # noqa: E402
from soak.virtual_users import VirtualUsers  # noqa: E402

CONFIG = """
c.BatchSpawnerBase.poll_interval = 2
c.BricsSlurmSpawner.command_timeout = 5
c.BricsAuthenticator.keys_refresh_interval = 1
c.BricsAuthenticator.keys_max_age = 1
"""
"""Short intervals: a fault lasts seconds, so the hub must notice it within seconds."""

DIRECTORY = PROJECT / ".hubpod" / "soak"
SETTLE_S = 60.0


def main(minutes: float, seed: int, users: int, *, steady: bool) -> int:
    """Run a soak, and return 1 if an invariant is violated or a process grows."""
    options = Options(artifacts=DIRECTORY)
    arguments = f"--seed {seed} --users {users}{' --steady' if steady else ''}"
    _print(f"seed {seed}, {minutes:g} minutes, {users} users; repeat with {arguments}")
    faults = tuple(name for name, fault in FAULTS.items() if not (steady and fault.replaces))
    with open_stacks(options, lambda: prepare_machine(options)) as stacks:
        return soak(stacks.stack(config=CONFIG), minutes, seed, users, faults)


def soak(stack: Stack, minutes: float, seed: int, number_of_users: int, faults: Sequence[str]) -> int:
    """Run rounds until the time is over or an invariant is violated."""
    fresh, *users = leased = stack.pool.lease(number_of_users + 1)
    crowd, start, samples = VirtualUsers(stack, users), time.monotonic(), list[Sample]()
    plan = generate_rounds(seed, faults, number_of_users, len(fresh.projects))
    try:
        for number, each in enumerate(plan, 1):
            if time.monotonic() - start > minutes * 60:
                break
            recovery_s = _run_round(stack, crowd, fresh, each)
            at_s = time.monotonic() - start
            _print(f"{at_s:6.0f} s, round {number:3}: {each.fault:17}, recovered after {recovery_s:4.1f} s")
            _sample(stack, at_s, samples, DIRECTORY / f"{seed}.csv")
    except AssertionError as error:
        _print(f"seed {seed}, round {number}, {each}:\n{error}")
        diagnosis.write(DIRECTORY / str(seed), stack, sessions=stack.hub.client.sessions, page=None, error=str(error))
        _print(f"diagnosis: {DIRECTORY / str(seed)}")
        return 1
    finally:
        _print("; ".join(f"{outcome} {count}" for outcome, count in sorted(crowd.outcomes.items())))
        stack.heal()
        stack.pool.release(leased, of=f"the soak with the seed {seed}")
    return _report_growth(samples, DIRECTORY / f"{seed}.csv")


def _sample(stack: Stack, at_s: float, samples: list[Sample], path: Path) -> None:
    """Sample hub and proxy once a minute, and write all samples to the file."""
    if samples and at_s // INTERVAL_S == samples[-1].at_s // INTERVAL_S:
        return
    samples += (new := take_samples(stack, at_s))
    _print("        " + ", ".join(f"{each.process} {each.memory_mib:.1f} MiB, {each.files} files" for each in new))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_csv(samples))


def _report_growth(samples: Sequence[Sample], path: Path) -> int:
    """Print the growth of hub and proxy, and return 1 if either grows."""
    growths = measure_growth(samples)
    _print("\n".join((*map(str, growths), f"samples: {path}")))
    return int(any(each.verdict is Verdict.GROWS for each in growths))


def _run_round(stack: Stack, crowd: VirtualUsers, fresh: User, each: Round) -> float:
    """Run one round, and return the seconds from the end of the fault until all invariants hold.

    Raises:
        AssertionError: An invariant does not hold within a minute.
    """
    fault, before = FAULTS[each.fault], observe(stack)
    with ThreadPoolExecutor(len(each.actions)) as pool:
        futures = [pool.submit(crowd.perform, action) for action in each.actions]
        time.sleep(each.after_s)
        try:
            fault.begin(stack)
            time.sleep(each.hold_s)
        finally:
            fault.end(stack)
        for future in futures:
            future.result()
    _resume_drained_node(stack)
    end = time.monotonic()

    def report(violations: Sequence[Violation]) -> None:
        sentences = "; ".join(f"{violation.name}: {violation.sentence}" for violation in violations)
        _print(f"        {time.monotonic() - end:4.1f} s after {each.fault}, not yet: {sentences}")

    assert_invariants(stack, SETTLE_S, before=before, fresh=fresh, on_violations=report)
    return time.monotonic() - end


def _resume_drained_node(stack: Stack) -> None:
    """Resume the node, as an operator would, after Slurm drained it for a duplicate job id.

    A killed controller forgets the jobs of its last seconds. They keep running, and the next job gets the id of one.
    """
    if "Duplicate jobid" in stack.execute("slurm", ("sinfo", "--noheader", "--format=%E")).stdout:
        _print("        Slurm reused the id of a running job and drained the node; resuming the node")
        stack.slurm.resume()


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - standard output is the interface


def parse_arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--minutes", type=float, default=10, help="duration; the last round may end later [%(default)s]")
    add("--seed", type=int, default=None, help="seed of all rounds [random]")
    add("--users", "--people", type=int, default=4, help="number of users who work at the same time [%(default)s]")
    add("--steady", action="store_true", help="leave out the faults that end hub or proxy")
    return parser.parse_args(words)


if __name__ == "__main__":
    arguments = parse_arguments(sys.argv[1:])
    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    sys.exit(main(arguments.minutes, seed, arguments.users, steady=arguments.steady))
