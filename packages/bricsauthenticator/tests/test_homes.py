"""Home directories that are not at the default place."""

import asyncio
import shlex
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio

DEFAULT = "/home/project1/ada.project1"


async def start(hub: Any, slurm: Any) -> str:
    """Start a server where the site has the command, and return what the user reads if the start fails."""
    spawner = hub.spawner()
    spawner.batch_home_cmd = f"SLURMSPAWNER_JOB_ID=home {slurm.directory}/squeue"
    hub.app.tornado_application.settings["slow_spawn_timeout"] = 0
    slurm.says("FAILED NonZeroExitCode node1")
    assert (await hub.submit_form(brics_project="project1.portal")).code == 302
    await asyncio.wait({spawner._spawn_future}, timeout=10)
    return str(spawner._spawn_future.exception().jupyterhub_message)


@pytest.mark.parametrize(
    ("answer", "home"),
    [
        ("/lustre/home/ada.project1\n", "/lustre/home/ada.project1"),
        ("/home/p1/ada-p1\n", "/home/p1/ada-p1"),
        ("/\n", "/"),
        ("welcome to the host\n/gpfs/u/a/ada\n", "/gpfs/u/a/ada"),
        ("/home/EXAMPLE.ORG/ada@x+y,z~1\n", "/home/EXAMPLE.ORG/ada@x+y,z~1"),
        ("", DEFAULT),
        ("RUNNING None node1\n", DEFAULT),
    ],
)
async def test_the_slurm_host_says_where_a_home_is(ada: Any, slurm: Any, answer: str, home: str) -> None:
    """The job's directory and HOME are those that the Slurm host names, for templates of the site, too."""
    slurm.put("home", answer)

    await start(ada, slurm)

    script = slurm.read("script")
    assert f"#SBATCH --chdir={home}\n" in script
    assert f"export HOME={shlex.quote(home)}\n" in script


async def test_a_wrapper_that_does_not_know_homes_is_no_failure(ada: Any, slurm: Any) -> None:
    """Older wrappers refuse the request, and the home directory is at the site's usual place."""
    ada.spawner().home_template = "/lustre/{project}/users/{username}"

    await start(ada, slurm)  # the file is missing, so the command fails

    assert "#SBATCH --chdir=/lustre/project1/users/ada.project1\n" in slurm.read("script")


async def test_an_unusable_home_is_reported(ada: Any, slurm: Any) -> None:
    """A path that would change the job script ends the spawn with one sentence."""
    slurm.put("home", "/home/ada $(id)\n")

    shown = await start(ada, slurm)

    assert shown == (
        "The home directory '/home/ada $(id)' cannot be written into a job script: "
        "it has whitespace, quotes, $, % or a backslash."
    )
    assert not slurm.read("script")


async def test_a_silent_host_gets_no_job(ada: Any, slurm: Any) -> None:
    """Without an answer about the home directory no job is submitted to a directory that may be wrong."""
    slurm.put("fault", 'case "$*" in *=home*) echo "Connection reset by peer" >&2; exit 255 ;; esac\n')

    shown = await start(ada, slurm)

    assert shown.startswith("The job could not be submitted to Slurm: ")
    assert "Connection reset by peer" in shown
    assert not slurm.read("script")


async def test_a_restarted_hub_knows_the_home(ada: Any) -> None:
    """The saved state has the home directory of a job, and a state without it gets the usual one."""
    spawner = ada.spawner()

    spawner.load_state({"job_id": "7", "username": "ada.project1", "homedir": "/lustre/ada"})
    assert spawner.req_homedir == "/lustre/ada"

    spawner.load_state({"job_id": "7", "username": "ada.project1"})
    assert spawner.req_homedir == DEFAULT
