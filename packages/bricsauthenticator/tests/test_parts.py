"""The parts of a spawner alone, without a hub."""

import asyncio
import logging
from dataclasses import dataclass, field
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest
from batchspawner import JobStatus  # type: ignore[import-untyped]

from bricsauthenticator.job_ledger import JobLedger
from bricsauthenticator.job_states import Job, Life
from bricsauthenticator.pending_cancellations import PendingCancellation
from bricsauthenticator.slurm_commands import SlurmCommands
from bricsauthenticator.startup import JobEndedError, StartupWatch

LOG = logging.getLogger("parts")
ACCOUNT = "ada.project1"


@dataclass
class Current:
    """The identity of a job."""

    job_id: str = ""
    job_key: str = ""
    req_username: str = ACCOUNT


@dataclass
class Saved:
    """A ledger with a row of the database, and the site's commands as shell scripts."""

    list_own: str = "echo 7 key"
    cancel: str = "true"
    current: Current = field(default_factory=Current)
    row: Any = field(default_factory=lambda: SimpleNamespace(state=None))

    def commands(self) -> SlurmCommands:
        """Return the commands, of which the test needs two."""
        return SlurmCommands(
            prefix="",
            submit="false",
            query="false",
            list_own=self.list_own,
            cancel=self.cancel,
            find_home="",
            read_log="",
            variables={"job_id": self.current.job_id},
            timeout_s=5,
            log=LOG,
        )

    def ledger(self) -> JobLedger:
        """Return a ledger of the current job."""
        return JobLedger(
            current=self.current,
            row=lambda: self.row,
            state=lambda: {"job_id": self.current.job_id},
            commands=self.commands,
            owner=lambda: "ada",
            log=LOG,
        )


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("list_own", "key", "is_found", "job_id"),
    [("echo 7 key", "key", True, "7"), ("true", "key", False, ""), ("false", "key", None, ""), ("", "key", False, "")],
    ids=["found", "no such job", "no answer", "no list"],
)
async def test_a_ledger_finds_an_unknown_id_by_the_key(
    monkeypatch: pytest.MonkeyPatch, list_own: str, key: str, *, is_found: bool | None, job_id: str
) -> None:
    """The id is recorded when Slurm has the job, and no answer is not a refusal."""
    saved = Saved(list_own=list_own, current=Current(job_key=key))
    monkeypatch.setattr("bricsauthenticator.job_ledger.object_session", lambda _: None)

    assert await saved.ledger().recover_id() is is_found
    assert saved.current.job_id == job_id
    assert saved.row.state == ({"job_id": job_id} if job_id else None)


def test_a_ledger_names_the_job_that_would_be_lost() -> None:
    """A job with an id, or a key to find it by, needs cancellation until it is given up."""
    saved = Saved(current=Current(job_key="key"))
    ledger = saved.ledger()

    assert ledger.job_to_cancel() == PendingCancellation(key="key", job_id="", username=ACCOUNT)
    saved.list_own = ""
    assert ledger.job_to_cancel() is None
    saved.current.job_id = "7"
    assert ledger.job_to_cancel() == PendingCancellation(key="key", job_id="7", username=ACCOUNT)
    ledger.is_given_up = True
    assert ledger.job_to_cancel() is None


@pytest.mark.asyncio
async def test_a_startup_watch_reports_the_end_of_the_job() -> None:
    """A job that ends before its server listens fails the wait."""
    job = Job(life=Life.GONE, state="FAILED", reason="NonZeroExitCode")

    async def query(_max_age_s: float) -> JobStatus:
        return JobStatus.NOTFOUND

    async def no_address(_node: str) -> str:
        raise AssertionError("the job has no node")

    limits = SimpleNamespace(startup_poll_interval=60.0, queue_timeout=60.0, launch_timeout=60.0, answer_timeout=60.0)
    watch = StartupWatch(query=query, job=lambda: job, port=lambda: 0, find_address=no_address, settings=limits)

    with pytest.raises(JobEndedError):
        await asyncio.wait_for(watch.until_listening(), timeout=5)


def test_the_package_has_its_version() -> None:
    """The version is that of the installation, and other names are missing as in any module."""
    import bricsauthenticator  # noqa: PLC0415

    assert bricsauthenticator.__version__ == version("bricsauthenticator")
    assert not hasattr(bricsauthenticator, "__versions__")
