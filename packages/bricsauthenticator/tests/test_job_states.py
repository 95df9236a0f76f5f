"""What each of Slurm's states means for a server that starts, is ready or stops."""

import pytest

from bricsauthenticator.job_states import Fate, Job, Life, Phase, Run, fate, life_of, with_requeue
from bricsauthenticator.slurm import read_answer, read_job_id

LIVES, ENDED, UNKNOWN = Fate.LIVES, Fate.ENDED, Fate.UNKNOWN
WAITS = (LIVES, ENDED, LIVES)
RUNS = (LIVES, LIVES, LIVES)
IS_OVER = (ENDED, ENDED, ENDED)
SAYS_NOTHING = (UNKNOWN, UNKNOWN, UNKNOWN)

# For each state: whether a server that starts, is ready, or stops lives.
FATES = {
    **dict.fromkeys(("PENDING", "CONFIGURING", "POWER_UP_NODE"), WAITS),
    **dict.fromkeys(("REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD", "EXPEDITING"), WAITS),
    **dict.fromkeys(("RUNNING", "RESIZING", "SIGNALING", "SUSPENDED", "STOPPED"), RUNS),
    **dict.fromkeys(("COMPLETING", "STAGE_OUT"), IS_OVER),
    **dict.fromkeys(("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"), IS_OVER),
    **dict.fromkeys(("BOOT_FAIL", "DEADLINE", "PREEMPTED", "REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL"), IS_OVER),
    **dict.fromkeys(("UPDATE_DB", "NEWSTATE", "", "running", "R"), SAYS_NOTHING),
    # several words at once
    **dict.fromkeys(("RUNNING+COMPLETING", "CANCELLED,COMPLETING", "FAILED+", "PENDING,REVOKED"), IS_OVER),
    **dict.fromkeys(("FAILED,REQUEUED", "PREEMPTED+REQUEUED", "NODE_FAIL+COMPLETING+REQUEUED"), WAITS),
    **dict.fromkeys(("FAILED+SPECIAL_EXIT", "PENDING+POWER_UP_NODE", "RUNNING+CONFIGURING"), WAITS),
    **dict.fromkeys(("RUNNING+SIGNALING", "RUNNING,RESIZING", "RUNNING+UPDATE_DB", "SUSPENDED+SIGNALING"), RUNS),
    "RUNNING+NEWFLAG": SAYS_NOTHING,
}


@pytest.mark.parametrize(("state", "fates"), FATES.items(), ids=[state or "none" for state in FATES])
def test_each_state_decides_whether_a_server_lives(state: str, fates: tuple[Fate, ...]) -> None:
    """Only a run of its script keeps a ready server, and an unknown word ends none."""
    job = Job(life=life_of(state), state=state, node="n1")

    assert tuple(fate(job, phase) for phase in (Phase.STARTING, Phase.READY, Phase.STOPPING)) == fates


@pytest.mark.parametrize(
    ("node", "restarts", "expected"),
    [("n1", 0, LIVES), ("n2", 0, ENDED), ("n1", 1, ENDED), ("", None, LIVES), ("n1", None, LIVES), ("n2", None, ENDED)],
)
@pytest.mark.parametrize("life", [Life.RUNNING, Life.PAUSED])
def test_a_ready_server_is_one_run_of_its_job(life: Life, node: str, restarts: int | None, expected: Fate) -> None:
    """A job that runs on another node, or again, is not the server any more."""
    job = Job(life=life, state="RUNNING", node=node, restarts=restarts)
    run = Run(node="n1", restarts=0)

    assert fate(job, Phase.READY, run) is expected
    assert fate(job, Phase.STARTING, run) is fate(job, Phase.STOPPING, run) is LIVES


@pytest.mark.parametrize(
    ("state", "restarts", "expected"),
    [
        ("COMPLETING", 1, (LIVES, ENDED)),
        ("RUNNING+COMPLETING", 2, (LIVES, ENDED)),
        ("STAGE_OUT", 1, (LIVES, ENDED)),
        ("COMPLETING", 0, (ENDED, ENDED)),
        ("COMPLETING", None, (ENDED, ENDED)),
        ("FAILED", 1, (ENDED, ENDED)),
        ("CANCELLED", 1, (ENDED, ENDED)),
        ("PENDING", 1, (LIVES, ENDED)),
    ],
)
def test_a_job_that_completes_after_a_requeue_waits_again(
    state: str, restarts: int | None, expected: tuple[Fate, Fate]
) -> None:
    """A start waits for the job's next run, and a ready server has ended."""
    job = with_requeue(Job(life=life_of(state), state=state, restarts=restarts), Run(node="n1", restarts=0))

    assert (fate(job, Phase.STARTING), fate(job, Phase.READY)) == expected


@pytest.mark.parametrize("run", [None, Run(), Run(restarts=1)])
def test_an_unknown_or_the_same_run_is_not_a_requeue(run: Run | None) -> None:
    """Without two different numbers of restarts, the state stays as Slurm printed it."""
    job = Job(life=Life.ENDING, state="COMPLETING", restarts=1, exit_code="0:15")

    assert with_requeue(job, run) == job


OURS = "RUNNING | None | 0 | 0:0 | 41 | n1"
OURS_READ = Job(life=Life.RUNNING, state="RUNNING", node="n1", restarts=0, exit_code="0:0")
NOISE = (
    "*** closed on Friday ***",
    "Welcome to node1",
    "41 users logged in",
    "Warning: Permanently added 'x' (ED25519) to the list of known hosts.",
    "RUNNING maintenance tonight",
    "CANCELLED | None | 0 | 0:15 | 42 | n1",
    "a | b | c | d | e | f",
    "\x1b[1mMOTD\x1b[0m",
)


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize(
    "template", ["{noise}\n{answer}\n", "{answer}\n{noise}\n", "\n{noise}\n\n{answer} \n{noise}\n"]
)
def test_our_answer_is_found_among_other_lines(noise: str, template: str) -> None:
    """Banners, footers and warnings before and after the answer change nothing."""
    assert read_answer(template.format(noise=noise, answer=OURS), "41") == OURS_READ


@pytest.mark.parametrize("noise", [*NOISE[:4], *NOISE[6:]])
@pytest.mark.parametrize("template", ["{noise}\n{answer}\n", "{answer}\n{noise}\n"])
def test_the_answer_of_other_wrappers_is_found_among_other_lines(noise: str, template: str) -> None:
    """A line that begins with a state is the answer."""
    read = read_answer(template.format(noise=noise, answer="RUNNING None n1"), "41")

    assert read == Job(life=Life.RUNNING, state="RUNNING", node="n1")


@pytest.mark.parametrize(
    "answer",
    [*NOISE[:4], "RUNNING None n1\nFAILED None n1", "RUNNING | None | 0 | 0:0 | 42 | n1", "RUNNING | None | 0"],
)
def test_other_lines_say_nothing(answer: str) -> None:
    """Lines of another form, about another job, or that contradict each other leave the job unknown."""
    assert read_answer(answer, "41").life is Life.UNKNOWN


@pytest.mark.parametrize(
    "answer", ["Welcome!\n12\n*** closed ***\n", "12;cluster\nbye", " 12 \n", "12\n12\n", "2 jobs\n12\nsee 13"]
)
def test_the_id_of_a_submitted_job_is_found_among_other_lines(answer: str) -> None:
    """The one line that is an id counts."""
    assert read_job_id(answer) == "12"


def test_two_ids_are_ambiguous() -> None:
    """A submission with two possible ids is found by its key instead."""
    assert read_job_id("2026\n12\n") == ""
