"""Orphan jobs, and jobs that only look like them.

An orphan job has this hub's mark and is not in the hub's database.
"""

import asyncio
from typing import Any

import pytest

from bricsauthenticator import slurm as words
from bricsauthenticator.orphans import OrphanSearch
from bricsauthenticator.startup_cleanup import run_when_up

pytestmark = pytest.mark.asyncio

CONNECT_URL = "http://hub.example:8081"
MARK = words.hub_mark(b"x" * 32, CONNECT_URL)
ALL = "8 ada.project2 RUNNING None node1\n"


@pytest.fixture
def hub_config(hub_config: Any) -> Any:
    """A hub that says where its servers reach it, as deployed ones do."""
    hub_config.Spawner.hub_connect_url = CONNECT_URL
    return hub_config


async def test_an_orphan_is_cancelled_as_its_owner(hub: Any, slurm: Any) -> None:
    """A job with this hub's mark and an unknown key is cancelled, even of an unknown user."""
    slurm.put("all", ALL)
    slurm.put("jobs", f"8 project2 {MARK}1\n")

    await OrphanSearch(hub.app).run_once()

    assert slurm.read("cancelled") == "8\n"
    assert slurm.read("account") == "ada.project2\n"
    assert not hub.app.users


@pytest.mark.parametrize(
    "jobs",
    [
        f"8 {words.hub_mark(b'y' * 32, CONNECT_URL)}1\n",
        f"8 {words.hub_mark(b'x' * 32, 'http://copy')}1\n",
        "8 mine\n",
        "8\n",
        "",
        f"9 {MARK}1\n",
        f"8 {MARK}1 more\n",
    ],
    ids=["another hub", "a copy of this hub", "a user's", "no comment", "not listed", "other job", "mark in midst"],
)
async def test_jobs_without_this_hubs_mark_are_left_alone(hub: Any, slurm: Any, jobs: str) -> None:
    """A job without this hub's mark stays, and is not checked again."""
    slurm.put("all", ALL)
    slurm.put("jobs", jobs)
    search = OrphanSearch(hub.app)

    await search.run_once()
    await search.run_once()

    assert not slurm.read("cancelled")
    assert slurm.read("argv").count("SLURMSPAWNER_JOB_ID=mine") == 1


@pytest.mark.parametrize(
    "listed", ["8 root RUNNING None n", "8 ada RUNNING None n", "8 ada.project2 COMPLETING None n"]
)
async def test_accounts_that_cannot_have_a_server_are_not_queried(hub: Any, slurm: Any, listed: str) -> None:
    """Accounts that are not of users with projects, and jobs that end already, cost no question."""
    slurm.put("all", listed + "\n")

    await OrphanSearch(hub.app).run_once()

    assert "mine" not in slurm.read("argv")


@pytest.mark.parametrize(
    "state",
    [
        {"job_id": "8", "username": "ada.project2"},
        {"job_key": f"{MARK}1", "username": "ada.project2"},
        {"leftovers": [{"key": f"{MARK}1", "job_id": "", "username": "ada.project2"}]},
    ],
    ids=["older", "answer lost", "left"],
)
async def test_a_job_in_the_database_is_left_alone(ada: Any, slurm: Any, state: dict[str, Any]) -> None:
    """The job of a server, known by its id or its key, is not an orphan."""
    slurm.put("all", ALL)
    slurm.put("jobs", f"8 {MARK}1\n")
    ada.spawner().orm_spawner.state = state
    ada.app.db.commit()

    await OrphanSearch(ada.app).run_once()

    assert not slurm.read("cancelled")


async def test_a_job_submitted_during_the_search_is_left_alone(ada: Any, slurm: Any, until: Any) -> None:
    """A server that starts while the search runs keeps its job."""
    slurm.put("all", ALL)
    slurm.put("jobs", f"8 {MARK}1\n")
    go = slurm.directory / "go"
    slurm.put("fault", f'case "$*" in *=mine*) touch {go}.soon; until [ -e {go} ]; do sleep 0.01; done ;; esac\n')
    search = asyncio.create_task(OrphanSearch(ada.app).run_once())
    await until((slurm.directory / "go.soon").exists)

    ada.spawner().orm_spawner.state = {"job_key": f"{MARK}1"}
    ada.app.db.commit()
    go.touch()
    await search

    assert not slurm.read("cancelled")


SILENT = "cat >/dev/null; exit 255\n"
SUDO_REFUSALS = ("sudo: a password is required", "sudo-rs: I'm sorry jupyterspawner. I'm afraid I can't do that")


async def test_an_unreachable_slurm_is_queried_again(hub: Any, slurm: Any) -> None:
    """While Slurm cannot be reached, no job is cancelled, and the next search retries."""
    slurm.put("all", ALL)
    slurm.put("jobs", f"8 {MARK}1\n")
    search = OrphanSearch(hub.app)
    munge = "echo 'slurm_load_jobs error: Protocol authentication error' >&2; exit 1"
    for fault in (SILENT, *(f'case "$*" in *=mine*) {said} ;; esac\n' for said in (SILENT.strip(), munge))):
        slurm.put("fault", fault)
        await search.run_once()
        assert not slurm.read("cancelled")

    slurm.heal()
    await search.run_once()

    assert slurm.read("cancelled") == "8\n"


@pytest.mark.parametrize("refusal", SUDO_REFUSALS)
async def test_accounts_that_sudo_refuses_are_queried_once(hub: Any, slurm: Any, all_logs: Any, refusal: str) -> None:
    """An account that sudo does not allow is skipped, with one line in the log."""
    slurm.put("all", ALL)
    slurm.put("fault", f'case "$*" in *=mine*) echo "{refusal}" >&2; exit 1 ;; esac\n')
    search = OrphanSearch(hub.app)

    await search.run_once()
    slurm.put("all", ALL + ALL.replace("8", "9"))
    await search.run_once()

    assert all_logs.text.count(f"Jobs of ada.project2 are left alone: {refusal}") == 1
    assert slurm.read("argv").count("SLURMSPAWNER_JOB_ID=mine") == 0


@pytest.mark.parametrize(
    ("fault", "listed"),
    [('case "$*" in *=all*) echo "no such word" >&2; exit 2 ;; esac\n', ""), ("", "8 RUNNING None node1\n")],
    ids=["no list", "no accounts"],
)
async def test_a_missing_list_of_jobs_is_logged_once(
    hub: Any, slurm: Any, all_logs: Any, fault: str, listed: str
) -> None:
    """Without a list that names the accounts, nothing is searched for, and the log says so."""
    slurm.put("all", listed)
    slurm.put("fault", fault)
    search = OrphanSearch(hub.app)

    await search.run_once()
    await search.run_once()

    assert all_logs.text.count("Jobs without a server are not looked for") == 1
    assert "mine" not in slurm.read("argv")


async def test_a_started_hub_searches_at_intervals(ada: Any, slurm: Any, until: Any) -> None:
    """As soon as the hub is up, and at intervals after that."""
    slurm.put("all", ALL)
    slurm.put("jobs", f"8 {MARK}1\n")
    ada.app.config.BricsSlurmSpawner.orphans_interval = 0.05
    run_when_up()
    ada.app.http_server = object()

    await until(lambda: slurm.read("cancelled").count("8\n") >= 2)


@pytest.mark.parametrize("missing", [{"orphans_interval": 0.0}, {"batch_list_cmd": ""}, {"query_all_cmd": ""}])
async def test_a_site_can_switch_the_search_off(ada: Any, slurm: Any, missing: dict[str, Any]) -> None:
    """There is no search when it is switched off or a command for it is missing."""
    ada.app.config.BricsSlurmSpawner.update(missing)

    assert OrphanSearch(ada.app).interval_s == 0
    assert not slurm.read("argv")
