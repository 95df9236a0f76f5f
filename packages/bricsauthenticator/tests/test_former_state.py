"""A hub that changes its spawner keeps the jobs of the former one, and ours can be taken over by another."""

import json
from typing import Any

import pytest
from batchspawner import SlurmSpawner  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from jupyterhub import orm  # type: ignore[import-untyped]

from bricsauthenticator.former_state import find_account
from bricsauthenticator.hub_guard.http_errors import ShownError
from bricsauthenticator.projects import is_account

ACCOUNT = "ada.project1"
JOB = {"job_id": "41", "job_status": "RUNNING node1"}
PROJECTS = {"project1.portal": {"name": "Project 1", "username": ACCOUNT}}
CHOICE = {"brics_project": "project1.portal", "runtime": "01:00:00", "partition": None}


def restore(hub: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
    """Return the spawner that a hub makes of a server in its database."""
    user = next(user for user in hub.app.users.values() if user.name == "ada")
    row = user.spawner.orm_spawner
    row.state, row.user_options = state, options
    row.server = orm.Server(ip="127.0.0.1", port=40000)
    hub.app.db.commit()
    return user._new_spawner("")


@pytest.mark.parametrize(
    ("state", "options"),
    [
        (JOB | {"brics_projects": PROJECTS}, CHOICE),
        (JOB, CHOICE),
        (JOB, {"brics_project": "project1"}),
        (JOB | {"brics_projects": {}}, CHOICE),
        (JOB | {"brics_projects": {"project1.portal": "a name"}}, CHOICE),
        ({"job_id": "41", "username": ACCOUNT}, {}),
    ],
    ids=["original", "batchspawner", "project without portal", "no projects", "odd projects", "ours"],
)
@pytest.mark.asyncio
async def test_a_job_of_another_spawner_lives_on_and_stops(
    ada: Any, slurm: Any, state: dict[str, Any], options: dict[str, Any]
) -> None:
    """The job is queried and cancelled as its own account."""
    slurm.says("RUNNING None localhost")
    spawner = restore(ada, state, options)

    assert await spawner.poll() is None
    await spawner.stop()

    assert slurm.read("account") == f"{ACCOUNT}\n"
    assert slurm.read("cancelled") == "41\n"
    assert await spawner.poll() == 1


@pytest.mark.parametrize(
    ("state", "options"),
    [
        (JOB, {}),
        (JOB, {"brics_project": "-u root"}),
        (JOB, {"brics_project": ["project1"]}),
        (JOB | {"username": "root"}, {}),
        (JOB | {"brics_projects": {"p": {"name": "p", "username": "root"}}}, {"brics_project": "P"}),
    ],
    ids=["no project", "an option", "a list", "root", "a foreign account"],
)
@pytest.mark.asyncio
async def test_no_command_runs_for_a_name_that_is_not_an_account(
    ada: Any, slurm: Any, state: dict[str, Any], options: dict[str, Any]
) -> None:
    """The server stays until its job can be looked up, and a stop says what it cannot do."""
    slurm.says("RUNNING None localhost")
    spawner = restore(ada, state, options)

    assert await spawner.poll() is None
    with pytest.raises(ShownError, match="scancel 41"):
        await spawner.stop()
    spawner.clear_state()

    assert slurm.read("argv") == ""


@pytest.mark.asyncio
async def test_batchspawner_reads_our_state(ada: Any, slurm: Any, until: Any) -> None:
    """State and options hold what other spawners need: the job, its state, and the account of the chosen project."""
    ada.app.tornado_application.settings["slow_spawn_timeout"] = 0
    await ada.api("/users/ada/server", token=ada.user_token(), body={"brics_project": "project2.portal"})
    await until(lambda: ada.spawner().job_id)
    slurm.says("RUNNING None node1")
    await ada.spawner().query_job_status()
    row = ada.spawner().orm_spawner

    state, options = json.loads(json.dumps(ada.spawner().get_state())), json.loads(json.dumps(row.user_options))
    other = SlurmSpawner(config=ada.app.config)
    other.load_state(state)

    assert other.job_id == ada.spawner().job_id
    assert other.state_isrunning()
    assert other.state_gethost() == "node1"
    assert state["brics_projects"] == {"project2.portal": {"name": "Project 2", "username": "ada.project2"}}
    assert options["brics_project"] == "project2.portal"
    assert options["runtime"] == "01:00:00"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)


@given(
    state=st.fixed_dictionaries({}, optional={"username": JSON, "brics_projects": JSON}),
    options=st.fixed_dictionaries({}, optional={"brics_project": JSON}),
)
def test_any_saved_state_gives_an_account_or_nothing(state: dict[str, object], options: dict[str, object]) -> None:
    """No state, however odd, raises an error or gives another name than an account."""
    account = find_account(state, options, "ada")

    assert not account or is_account(account)
