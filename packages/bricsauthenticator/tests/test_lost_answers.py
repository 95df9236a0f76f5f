"""Jobs whose submission was not answered, or whose hub died.

The next query or the next hub finds each by its key, and uses or cancels it.
"""

import asyncio
import os
from typing import Any

import pytest
from jupyterhub.orm import Server  # type: ignore[import-untyped]
from jupyterhub.orm import Spawner as Row

from bricsauthenticator import pending_cancellations
from bricsauthenticator.startup_cleanup import continue_cancellations, run_when_up

pytestmark = pytest.mark.asyncio

CHOICE = {"brics_project": "project1.portal"}
ACCOUNT = "ada.project1"
SBATCH_ONLY = 'case "$*" in *sbatch*) {} ;; esac\n'
CUT_AFTER_SUBMIT = SBATCH_ONLY.format('sh -c "$*" >/dev/null; echo Connection reset by peer >&2; exit 255')
CUT_IN_MID_ANSWER = SBATCH_ONLY.format('sh -c "$*" | head -c 1; exit 255')
SILENT = SBATCH_ONLY.format('sh -c "$*" >/dev/null; exec sleep 60')
LATE = SBATCH_ONLY.format("cat >{0}/late.new; mv {0}/late.new {0}/late; exec sleep 60")
NOT_AT_ALL = SBATCH_ONLY.format("cat >/dev/null; exit 255")
DEAF = "cat >/dev/null; exit 255\n"


async def begin(hub: Any) -> Any:
    """Begin to start a server and return its spawner."""
    hub.app.tornado_application.settings["slow_spawn_timeout"] = 0
    assert (await hub.submit_form(**CHOICE)).code == 302
    return hub.spawner()


async def failure(spawner: Any) -> str:
    """Wait until the spawn has failed and return what the user reads."""
    await asyncio.wait({spawner._spawn_future}, timeout=10)
    return str(spawner._spawn_future.exception().jupyterhub_message)


async def appear(slurm: Any) -> None:
    """Let the disconnected sbatch continue on the Slurm host."""
    with (slurm.directory / "late").open() as script:
        env = {**os.environ, "SUDO_TO": ACCOUNT}
        await (
            await asyncio.create_subprocess_exec(slurm.directory / "sbatch", stdin=script, stdout=-3, env=env)
        ).wait()


def submissions(slurm: Any) -> int:
    """Count the jobs that Slurm has got."""
    return len(slurm.read(f"jobs.{ACCOUNT}").splitlines())


@pytest.mark.parametrize("fault", [CUT_AFTER_SUBMIT, CUT_IN_MID_ANSWER, SILENT], ids=["cut", "half", "silent"])
async def test_a_job_is_found_when_its_answer_is_lost(ada: Any, slurm: Any, until: Any, fault: str) -> None:
    """The one submitted job is found by its key, and the spawn continues with it."""
    ada.spawner().command_timeout = 1.0
    slurm.put("fault", fault)

    spawner = await begin(ada)
    await until(lambda: slurm.read("asked") == "41\n")

    assert spawner.job_id == "41"
    assert spawner.orm_spawner.state["job_id"] == "41"
    assert spawner.job_key in slurm.read("script")
    assert submissions(slurm) == 1
    assert not slurm.read("cancelled")


async def test_a_job_that_appears_late_is_used(ada: Any, slurm: Any, until: Any) -> None:
    """A submit command that times out keeps running, and its job is used when it appears."""
    ada.spawner().command_timeout = 0.5
    slurm.put("fault", LATE.format(slurm.directory))
    spawner = await begin(ada)
    await until(lambda: "looking for it" in str(spawner._job.events._events))

    await appear(slurm)

    await until(lambda: slurm.read("asked").startswith("41\n"))
    assert spawner.job_id == "41"


async def test_a_job_that_appears_after_the_search_is_cancelled(ada: Any, slurm: Any, until: Any) -> None:
    """The spawn fails at its time limit, and a job that appears later is cancelled.

    The database then has no trace of the job.
    """
    ada.spawner().command_timeout = 0.5
    ada.spawner().search_timeout = 0.1
    slurm.put("fault", LATE.format(slurm.directory))
    spawner = await begin(ada)

    assert "Slurm did not answer in time (no answer within 0.5 seconds)" in await failure(spawner)
    assert len(pending_cancellations.from_state(spawner.orm_spawner.state)) == 1
    await appear(slurm)

    await until(lambda: slurm.read("cancelled") == "41\n")
    await until(lambda: not pending_cancellations.from_state(spawner.orm_spawner.state))
    assert slurm.read("account") == f"{ACCOUNT}\n"


async def test_the_next_spawn_does_not_use_the_lost_job(ada: Any, slurm: Any, until: Any) -> None:
    """A second start submits a new job, and the first start's job is cancelled."""
    ada.spawner().search_timeout = 0.1
    slurm.put("fault", LATE.format(slurm.directory))
    usual_s = ada.spawner().command_timeout
    ada.spawner().command_timeout = 0.5
    await failure(await begin(ada))
    slurm.heal()
    ada.spawner().command_timeout = usual_s

    again = await begin(ada)
    await until(lambda: again.job_id == "41")
    await appear(slurm)

    await until(lambda: slurm.read("cancelled") == "42\n")
    assert again.job_id == "41"


async def test_a_stop_during_the_search_cancels_the_job(ada: Any, slurm: Any, until: Any) -> None:
    """A user who gives up while the hub looks for the job leaves none behind."""
    ada.spawner().command_timeout = 0.5
    slurm.put("fault", LATE.format(slurm.directory))
    spawner = await begin(ada)
    await until(lambda: "looking for it" in str(spawner._job.events._events))

    spawner._spawn_future.cancel()
    await spawner.stop()
    spawner.clear_state()
    await appear(slurm)

    await until(lambda: slurm.read("cancelled") == "41\n")


async def test_a_refused_job_is_not_searched_for(ada: Any, slurm: Any) -> None:
    """When sbatch itself says no, the user reads so at once and nothing is kept."""
    slurm.put("refusal", "sbatch: error: Batch job submission failed: Invalid account\n")

    spawner = await begin(ada)

    assert "Invalid account" in await failure(spawner)
    assert "mine" not in slurm.read("argv")
    assert not spawner.orm_spawner.state


async def test_the_key_is_in_the_database_before_the_job_is_submitted(ada: Any, slurm: Any, until: Any) -> None:
    """A hub that dies during a submission leaves the job's key and account in the database."""
    slurm.put("fault", LATE.format(slurm.directory))
    spawner = await begin(ada)
    await until((slurm.directory / "late").exists)

    ada.app.db.expire_all()
    state = ada.app.db.query(Row).filter_by(id=spawner.orm_spawner.id).one().state

    assert state["job_key"] in slurm.read("late")
    assert state["username"] == ACCOUNT
    assert "job_id" not in state


def restore_spawner(hub: Any, state: dict[str, Any]) -> Any:
    """Return the spawner that a restarted hub makes of what is in the database."""
    user = next(user for user in hub.app.users.values() if user.name == "ada")
    user.spawner.orm_spawner.state = state
    return user._new_spawner("")


KILLED = {"job_key": "jupyterhub-1-2", "username": ACCOUNT}


async def test_a_restarted_hub_finds_the_job_by_its_key(ada: Any, slurm: Any) -> None:
    """After a crash between submission and answer, the next hub finds and queries the job."""
    slurm.put(f"jobs.{ACCOUNT}", "7 project1\n8 project1 jupyterhub-1-2\n9 jupyterhub-1-3\n")
    slurm.says("RUNNING None n1")
    ada.spawner().orm_spawner.server = server_row(ada)

    spawner = restore_spawner(ada, KILLED)

    assert await spawner.poll() is None
    assert spawner.job_id == "8"
    assert spawner.orm_spawner.state["job_id"] == "8"
    assert slurm.read("asked") == "8\n"
    assert slurm.read("account") == f"{ACCOUNT}\n"


async def test_a_restarted_hub_keeps_a_server_until_slurm_answers(ada: Any, slurm: Any) -> None:
    """A server is given up when Slurm reports no job, and not while Slurm is silent."""
    ada.spawner().orm_spawner.server = server_row(ada)
    spawner = restore_spawner(ada, KILLED)

    slurm.put("fault", DEAF)
    assert await spawner.poll() is None
    slurm.heal()
    assert await spawner.poll() == 1


@pytest.mark.parametrize("port", [0, 40000])
async def test_a_restarted_hub_gives_up_an_unfinished_start(ada: Any, slurm: Any, port: int) -> None:
    """The next hub ends a server that had not reported its port, without a wait."""
    slurm.says("RUNNING None localhost")
    ada.spawner().orm_spawner.server = server_row(ada, port)
    spawner = restore_spawner(ada, {**KILLED, "job_id": "8"})
    spawner._check_pending = True

    assert await spawner.poll() == (None if port else 1)
    assert ("restarted" in spawner.ended) is (port == 0)

    spawner._check_pending = False
    assert await spawner.poll() is None
    await spawner.stop()
    assert slurm.read("cancelled") == "8\n"


@pytest.mark.parametrize("stopped", [True, False])
async def test_a_restarted_hub_continues_a_stop(ada: Any, slurm: Any, *, stopped: bool) -> None:
    """The next hub does not wait for a server that was being stopped.

    Its user may start another one at once.
    """
    slurm.put("fault", DEAF)
    ada.spawner().orm_spawner.server = server_row(ada)
    left = {"key": "jupyterhub-1-2" if stopped else "jupyterhub-1-1", "job_id": "8", "username": ACCOUNT}
    spawner = restore_spawner(ada, {**KILLED, "job_id": "8", "leftovers": [left]})
    spawner._check_pending = True

    assert await spawner.poll() == (1 if stopped else None)

    assert not spawner.ended
    slurm.heal()
    await spawner.stop()
    assert "8" in slurm.read("cancelled").split()


async def test_a_job_that_appears_after_a_restart_is_cancelled(ada: Any, slurm: Any, until: Any) -> None:
    """The job of a killed hub's sbatch is cancelled when it appears.

    The command may still be running on the Slurm host.
    """
    ada.spawner().orm_spawner.server = server_row(ada)
    spawner = restore_spawner(ada, KILLED)
    assert await spawner.poll() == 1

    spawner.clear_state()
    slurm.put(f"jobs.{ACCOUNT}", "8 jupyterhub-1-2\n")

    await until(lambda: slurm.read("cancelled") == "8\n")


@pytest.mark.parametrize(
    "state",
    [
        {"job_id": "8", "job_key": "jupyterhub-1-2", "username": "ada.project2"},
        {"job_id": "8", "username": "ada.project2"},
        {"leftovers": [{"key": "jupyterhub-1-2", "job_id": "8", "username": "ada.project2"}]},
        {"leftovers": [{"key": "jupyterhub-1-2", "job_id": "", "username": "ada.project2"}]},
    ],
    ids=["stopping", "stopping, older", "left", "left without id"],
)
async def test_a_restarted_hub_continues_cancellations(ada: Any, slurm: Any, until: Any, state: dict[str, Any]) -> None:
    """A job that was to end when the hub died is cancelled as its account, and then forgotten."""
    slurm.put("jobs.ada.project2", "8 jupyterhub-1-2\n")

    spawner = restore_spawner(ada, state)

    await until(lambda: slurm.read("cancelled") == "8\n")
    assert slurm.read("account") == "ada.project2\n"
    await until(lambda: not spawner.orm_spawner.state.get("leftovers"))
    assert not spawner.job_id


async def test_a_job_that_never_appears_is_forgotten(
    ada: Any, slurm: Any, until: Any, monkeypatch: pytest.MonkeyPatch, all_logs: Any
) -> None:
    """A pending cancellation is deleted after Slurm has long reported no such job.

    Time without an answer does not count.
    """
    monkeypatch.setattr(pending_cancellations, "FREQUENT_RETRIES_S", 0.0)
    monkeypatch.setattr(pending_cancellations, "LATE_PAUSE_S", 0.05)
    slurm.put("fault", DEAF)
    spawner = restore_spawner(ada, {"leftovers": [{"key": "jupyterhub-1-2", "job_id": "", "username": ACCOUNT}]})
    await until(lambda: "is not cancelled yet" in all_logs.text)
    assert pending_cancellations.from_state(spawner.orm_spawner.state)

    slurm.heal()

    await until(lambda: not pending_cancellations.from_state(spawner.orm_spawner.state))
    assert not slurm.read("cancelled")


async def test_a_started_hub_cancels_jobs_of_absent_users(ada: Any, slurm: Any, until: Any) -> None:
    """A started hub cancels the jobs without a server, and the jobs of servers stay."""
    row = ada.spawner().orm_spawner
    row.state = {"leftovers": [{"key": "jupyterhub-1-2", "job_id": "8", "username": "ada.project2"}]}
    ada.app.db.commit()
    ada.app.users[row.user].spawners.pop("")

    run_when_up()
    await asyncio.sleep(0)
    assert not slurm.read("cancelled")
    ada.app.http_server = object()

    await until(lambda: slurm.read("cancelled") == "8\n")
    await until(lambda: not row.state)


async def test_a_started_hub_leaves_servers_alone(ada: Any, slurm: Any) -> None:
    """The job of a server that JupyterHub has is not cancelled."""
    row = ada.spawner().orm_spawner
    row.server = server_row(ada)
    row.state = {"job_id": "8", "job_key": "jupyterhub-1-2", "username": "ada.project2"}
    ada.app.db.commit()
    ada.app.users[row.user].spawners.pop("")

    continue_cancellations(ada.app.db, ada.app.users)
    await ada.app.users[row.user].spawners[""].poll()

    assert slurm.read("asked") == "8\n"
    assert not slurm.read("cancelled")


async def test_a_pending_cancellation_survives_the_next_spawn(ada: Any, slurm: Any, until: Any) -> None:
    """While Slurm cannot be reached, the server's state keeps the pending cancellation."""
    slurm.put("fault", DEAF)
    spawner = restore_spawner(ada, {"job_id": "8", "job_key": "jupyterhub-1-2", "username": ACCOUNT})
    spawner.clear_state()
    spawner.job_id = "9"

    state = spawner.get_state()

    assert state["job_id"] == "9"
    assert [entry.job_id for entry in pending_cancellations.from_state(state)] == ["8"]
    slurm.heal()
    await until(lambda: slurm.read("cancelled") == "8\n")


async def test_a_site_without_a_list_of_jobs_fails_at_once(ada: Any, slurm: Any) -> None:
    """With wrappers that cannot list jobs, a lost answer ends the spawn without a search."""
    ada.spawner().batch_list_cmd = ""
    slurm.put("fault", NOT_AT_ALL)

    assert "could not be submitted" in await failure(await begin(ada))


async def test_a_site_without_a_list_of_jobs_does_not_search_after_a_restart(ada: Any, slurm: Any) -> None:
    """Without a list of jobs, an unanswered submission of a dead hub is not searched for."""
    ada.spawner().orm_spawner.server = server_row(ada)
    spawner = restore_spawner(ada, KILLED)
    spawner.batch_list_cmd = ""

    assert await spawner.poll() == 1
    spawner.clear_state()

    assert not pending_cancellations.from_state(spawner.get_state())
    assert not slurm.read("argv")


async def test_a_failed_script_leaves_nothing_to_search_for(ada: Any, slurm: Any) -> None:
    """A spawn that fails before its submission leaves no job to search for."""
    spawner = await begin_broken(ada)

    assert spawner._spawn_future.exception() is not None
    assert not pending_cancellations.from_state(spawner.orm_spawner.state)
    assert not slurm.read("argv")


async def begin_broken(hub: Any) -> Any:
    """Start a server whose environment no shell can have, and wait for the failure."""
    hub.spawner().environment = {"A": "a\0b"}
    spawner = await begin(hub)
    await asyncio.wait({spawner._spawn_future}, timeout=10)
    return spawner


def server_row(hub: Any, port: int = 40000) -> Any:
    """Return a row for a server that JupyterHub has not given up."""
    row = Server(base_url="/user/ada/", port=port)
    hub.app.db.add(row)
    hub.app.db.flush()
    return row
