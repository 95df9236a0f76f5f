"""People who work and faults that come and go, at random: `./run nox -s faults`.

python tools/soak/run.py [--minutes M] [--seed S] [--people N] [--steady]

The seed decides every round: which fault, when and for how long, and what each person does meanwhile. The first line
tells it, and the same seed gives the same rounds; how the threads interleave is the machine's. After each fault all of
the invariants I1 to I8 have to hold within a minute (harness/invariants.py). Ends with 1 when they do not, and keeps
what is known of the stack below .hubpod/soak.

Every minute memory and open files of hub and proxy are written to .hubpod/soak/SEED.csv, when no fault disturbs. At
the end each is flat or grows: the straight line through the second half of its longest-lived process is held against a
limit an hour (samples.py), after twenty minutes at least; whatever grows ends the run with 1 as well. --steady leaves
out the faults that end hub or proxy, so that one process of each lives through it all.
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

from hubpod_harness import diagnosis  # noqa: E402
from hubpod_harness.invariants import Violation, assert_invariants  # noqa: E402
from hubpod_harness.observation import observe  # noqa: E402
from hubpod_harness.options import Options  # noqa: E402
from hubpod_harness.preflight import prepare_machine  # noqa: E402
from hubpod_harness.stack import Stack  # noqa: E402
from hubpod_harness.stacks import open_stacks  # noqa: E402
from hubpod_harness.users import User  # noqa: E402
from soak.faults import FAULTS  # noqa: E402 - found by the line above
from soak.people import People  # noqa: E402
from soak.plan import Round, rounds  # noqa: E402
from soak.samples import EVERY_S, Sample, Verdict, growth, sample, table  # noqa: E402

CONFIG = """
c.BatchSpawnerBase.poll_interval = 2
c.BricsSlurmSpawner.command_timeout = 5
c.BricsAuthenticator.keys_refresh_interval = 1
c.BricsAuthenticator.keys_max_age = 1
"""
"""A fault lasts seconds here, so the hub has to look again after seconds."""

FOLDER = PROJECT / ".hubpod" / "soak"
SETTLED_S = 60.0


def main(minutes: float, seed: int, people: int, *, steady: bool) -> int:
    """Run a soak; 1 when an invariant did not hold, or something grew."""
    options = Options(artifacts=FOLDER)
    again = f"--seed {seed} --people {people}{' --steady' if steady else ''}"
    _say(f"seed {seed}, {minutes:g} minutes, {people} people; again with {again}")
    faults = tuple(name for name, fault in FAULTS.items() if not (steady and fault.replaces))
    with open_stacks(options, lambda: prepare_machine(options)) as kit:
        return soak(kit.stack(config=CONFIG), minutes, seed, people, faults)


def soak(stack: Stack, minutes: float, seed: int, people: int, faults: Sequence[str]) -> int:
    """Go through rounds until the time is over, or an invariant does not hold."""
    users = stack.pool.lease(people + 1)
    crowd, begun, samples = People(stack, users[1:]), time.monotonic(), list[Sample]()
    plan = rounds(seed, faults, people, len(users[0].projects))
    try:
        for number, each in enumerate(plan, 1):
            if time.monotonic() - begun > minutes * 60:
                break
            took_s = _round(stack, crowd, users[0], each)
            at_s = time.monotonic() - begun
            _say(f"{at_s:6.0f} s, round {number:3}: {each.fault:17}, all well after {took_s:4.1f} s")
            _look(stack, at_s, samples, FOLDER / f"{seed}.csv")
    except AssertionError as error:
        _say(f"seed {seed}, round {number}, {each}:\n{error}")
        diagnosis.write(FOLDER / str(seed), stack, sessions=stack.hub.client.sessions, page=None, error=str(error))
        _say(f"what is known of it: {FOLDER / str(seed)}")
        return 1
    finally:
        _say("; ".join(f"{outcome} {count}" for outcome, count in sorted(crowd.outcomes.items())))
        stack.heal()
        stack.pool.release(users, of=f"the soak with the seed {seed}")
    return _judged(samples, FOLDER / f"{seed}.csv")


def _look(stack: Stack, at_s: float, samples: list[Sample], path: Path) -> None:
    """Once in each minute, between two rounds, see what hub and proxy hold, and write it down at once."""
    if samples and at_s // EVERY_S == samples[-1].at_s // EVERY_S:
        return
    samples += (seen := sample(stack, at_s))
    _say("        " + ", ".join(f"{each.process} {each.memory_mib:.1f} MiB, {each.files} files" for each in seen))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(table(samples))


def _judged(samples: Sequence[Sample], path: Path) -> int:
    """Say whether hub and proxy are flat; 1 when one is not."""
    grown = growth(samples)
    _say("\n".join((*map(str, grown), f"minute by minute: {path}")))
    return int(any(each.verdict is Verdict.GROWS for each in grown))


def _round(stack: Stack, crowd: People, fresh: User, each: Round) -> float:
    """Let people work and the fault come and go, and see that all is well; seconds that it took after the fault.

    Raises:
        AssertionError: An invariant does not hold.
    """
    fault, before = FAULTS[each.fault], observe(stack)
    with ThreadPoolExecutor(len(each.actions)) as pool:
        doing = [pool.submit(crowd.do, action) for action in each.actions]
        time.sleep(each.after_s)
        try:
            fault.begin(stack)
            time.sleep(each.hold_s)
        finally:
            fault.end(stack)
        for one in doing:
            one.result()
    _operate(stack)
    over = time.monotonic()

    def tell(found: Sequence[Violation]) -> None:
        said = "; ".join(f"{violation.name}: {violation.sentence}" for violation in found)
        _say(f"        {time.monotonic() - over:4.1f} s after {each.fault}, not yet: {said}")

    assert_invariants(stack, SETTLED_S, before=before, fresh=fresh, on_violations=tell)
    return time.monotonic() - over


def _operate(stack: Stack) -> None:
    """Do an operator's part: take the node back that Slurm drains when its killed controller gives a number away twice.

    A controller that is killed forgets the jobs of its last seconds, which go on; the next job gets the number of one.
    """
    if "Duplicate jobid" in stack.execute("slurm", ("sinfo", "--noheader", "--format=%E")).stdout:
        _say("        Slurm gave the number of a job that runs to another and drained its node; the node is taken back")
        stack.slurm.resume()


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what it is for


def parsed(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="how long; the last round ends later [%(default)s]")
    parser.add_argument("--seed", type=int, default=None, help="what decides all rounds; a random one when left out")
    parser.add_argument("--people", type=int, default=4, help="how many work at the same time [%(default)s]")
    parser.add_argument("--steady", action="store_true", help="without the faults that end hub or proxy")
    return parser.parse_args(words)


if __name__ == "__main__":
    chosen = parsed(sys.argv[1:])
    number = secrets.randbelow(2**31) if chosen.seed is None else chosen.seed
    sys.exit(main(chosen.minutes, number, chosen.people, steady=chosen.steady))
