"""One question to Slurm for many servers."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bricsauthenticator.commands import Outcome
from bricsauthenticator.joblist import JobList

pytestmark = pytest.mark.asyncio

LINES = """\
41 RUNNING None node1
42 PENDING Nodes required for job are DOWN n/a
43 COMPLETED None node1
x RUNNING None n
"""
OLD_ENOUGH_S = 3600.0


class Squeue:
    """A command that answers from a file and counts its runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.answers(LINES)
        self.jobs = JobList(f"echo >>{directory}/runs; . {directory}/answer")

    def answers(self, text: str = "", *, script: str = "") -> None:
        """Answer with these lines, or do what the script says."""
        (self.directory / "lines").write_text(text)
        (self.directory / "answer").write_text(script or f"cat {self.directory}/lines")

    @property
    def runs(self) -> int:
        """The number of runs."""
        file = self.directory / "runs"
        return len(file.read_text()) if file.exists() else 0

    async def find(self, job_id: str, max_age_s: float = 0.0) -> Outcome | None:
        """Look for a job."""
        return await self.jobs.find(job_id, max_age_s=max_age_s, timeout_s=5)


@pytest.fixture
def squeue(tmp_path: Path) -> Squeue:
    """A squeue that knows two jobs which have not ended."""
    return Squeue(tmp_path)


def said(line: str) -> Outcome:
    """Return the answer to a query for the job alone."""
    return Outcome(status=0, stdout=line)


async def test_simultaneous_queries_share_one_list(squeue: Squeue) -> None:
    """A hundred looks at the same moment are one squeue, and each gets its own job's line."""
    await squeue.find("41")
    await squeue.find("42")

    answers = await asyncio.gather(*(squeue.find(("41", "42")[number % 2]) for number in range(100)))

    assert answers[:2] == [said("RUNNING None node1"), said("PENDING Nodes required for job are DOWN n/a")]
    assert len({answer.stdout for answer in answers if answer}) == 2
    assert squeue.runs <= 3  # one before, and a second one now for those who came when the first one had begun


async def test_a_recent_list_is_reused(squeue: Squeue) -> None:
    """A recent list is reused within the maximum age, and otherwise replaced."""
    await squeue.find("41")
    await squeue.find("42")
    squeue.answers("41 PENDING Priority n/a\n42 RUNNING None node1\n")

    assert await squeue.find("41", OLD_ENOUGH_S) == said("RUNNING None node1")
    assert squeue.runs == 1
    assert await squeue.find("41") == said("PENDING Priority n/a")
    assert squeue.runs == 2


async def test_a_list_that_started_before_the_query_is_not_used(squeue: Squeue, until: Any) -> None:
    """A query waits for the next list if the current one started earlier.

    The current list may lack changes since its start.
    """
    await squeue.find("41")
    go = squeue.directory / "go"
    squeue.answers(
        LINES, script=f"cat {squeue.directory}/lines; touch {go}.soon; until [ -e {go} ]; do sleep 0.01; done"
    )
    first = asyncio.create_task(squeue.find("42"))
    await until(Path(f"{go}.soon").exists)
    second = asyncio.create_task(squeue.find("41"))
    await asyncio.sleep(0)

    squeue.answers("41 PENDING Priority n/a\n42 RUNNING None node1\n")
    go.touch()

    assert await first == said("PENDING Nodes required for job are DOWN n/a")
    assert await second == said("PENDING Priority n/a")


@pytest.mark.parametrize("job_id", ["43", "44"])
async def test_an_unlisted_job_is_queried_alone(squeue: Squeue, job_id: str) -> None:
    """That the list does not have a job says nothing: it may be newer, or hidden, or have ended."""
    await squeue.find("41")

    assert await squeue.find(job_id) is None
    assert await squeue.find("41") == said("RUNNING None node1")


async def test_a_single_server_queries_alone(squeue: Squeue) -> None:
    """For a single job the list of all jobs is not worth its while."""
    assert await squeue.find("41") is None
    assert await squeue.find("41") is None
    assert squeue.runs == 0


SILENT = [
    "echo '41 RUNN'; exit 255",
    "kill -9 $$",
    "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1",
    "exec sleep 60",
    "echo 'squeue: error: Munge encode failed: No such file or directory (Did you start munged?)' >&2; exit 1",
    "echo 'slurm_load_jobs error: Protocol authentication error' >&2; exit 1",
]


@pytest.mark.parametrize("script", SILENT, ids=["cut", "killed", "controller", "black hole", "munge", "another key"])
async def test_a_failed_list_leaves_all_jobs_unknown(squeue: Squeue, script: str) -> None:
    """After a failed or truncated list, no job is queried alone, and the next list is used."""
    await squeue.find("41")
    squeue.answers(script=script)

    answer = await squeue.jobs.find("42", max_age_s=0.0, timeout_s=0.3 if "sleep" in script else 5)

    assert answer is not None
    assert not answer.ok
    squeue.answers(LINES)
    assert await squeue.find("41") == said("RUNNING None node1")


UNKNOWN_THERE = [
    "echo 'sudo: a password is required' >&2; exit 1",
    "echo 'slurmspawner_squeue: SLURMSPAWNER_JOB_ID must hold one Slurm job id, digits only.' >&2; exit 2",
    "echo 'This account runs the Slurm commands of the hub and nothing else.' >&2; exit 126",
]


@pytest.mark.parametrize("script", UNKNOWN_THERE, ids=["sudo", "older wrappers", "forced command"])
async def test_a_site_without_the_list_is_queried_job_by_job(squeue: Squeue, script: str) -> None:
    """When the site refuses the list, each job is queried alone.

    The list is retried after a long pause only.
    """
    await squeue.find("41")
    squeue.answers(script=script)

    assert await squeue.find("42") is None
    assert await squeue.find("41") is None
    assert squeue.runs == 1


@pytest.mark.parametrize("script", ["echo '99 RUNNING None node1'", ":"], ids=["others", "none"])
async def test_a_list_without_our_jobs_is_queried_again(squeue: Squeue, script: str) -> None:
    """All jobs may have ended at once, which says nothing of the next ones."""
    await squeue.find("41")
    squeue.answers(script=script)
    assert await squeue.find("42") is None

    squeue.answers(LINES)

    assert await squeue.find("41") == said("RUNNING None node1")


async def test_a_cancelled_caller_does_not_cancel_the_query(squeue: Squeue, until: Any) -> None:
    """A server that is stopped while it waits for the list does not cancel the list for others."""
    await squeue.find("41")
    go = squeue.directory / "go"
    squeue.answers(LINES, script=f"until [ -e {go} ]; do sleep 0.01; done; cat {squeue.directory}/lines")
    first = asyncio.create_task(squeue.find("42"))
    await until(lambda: squeue.runs == 1)
    second = asyncio.create_task(squeue.find("41", OLD_ENOUGH_S))
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.wait({first})
    go.touch()

    assert await second == said("RUNNING None node1")
    assert squeue.runs == 1
