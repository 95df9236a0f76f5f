"""Scripts and files of sites and users that a job meets."""

from collections.abc import Callable, Iterator

import pytest

from hubpod.client import Session, SpawnFailed, SpawnRefused
from hubpod_harness.stack import Stack
from hubpod_harness.steps import PROJECT, home_directory, run_as_account, undo_after, wait_until
from hubpod_harness.users import User

pytestmark = pytest.mark.faults

READY_S = 120.0
REAL = "source /opt/jupyter/miniforge3/bin/activate jupyter-user-env"
HARMLESS = {
    "unset variable": f"{REAL}; x=$UNSET_VARIABLE",
    "failing command": f"false; {REAL}; false | true; return 1",
    "strict shell left behind": f"{REAL}; set -euo pipefail; cd /; trap 'exit 9' ERR; alias srun=false; IFS=:",
    "another directory": f"{REAL}; cd /tmp",
    "Slurm not on PATH": f"{REAL}; PATH=$CONDA_PREFIX/bin",
}
FATAL = {
    "exit": ("echo 'licence server is away' >&2; exit 3", "exit status 3", "licence server is away"),
    "exec": ("exec sh -c 'echo replaced; exit 0'", "ended by itself", "replaced"),
    "no server": (
        f"{REAL}; ln -s $(command -v python3) ~/prefix/bin; PATH=~/prefix/bin:/usr/bin:/bin",
        "a command was not found (exit status 127)",
        "jupyterhub-singleuser is not in PATH",
    ),
    "no Python": (
        "ln -s $(command -v srun) ~/prefix/bin; PATH=~/prefix/bin",
        "exit status 2",
        "execve(): python3: No such file or directory",
    ),
    "signal": ("echo dying; kill -9 $$", "SIGKILL", "dying"),
}
HOSTILE_FILES = {
    ".netrc": "default login kim password x",
    ".curlrc": "proxy = http://127.0.0.1:9",
    ".config/pip/pip.conf": "[global]\nindex-url = http://127.0.0.1:9/",
}
HOSTILE_VARIABLES = """
export http_proxy=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9 ALL_PROXY=http://127.0.0.1:9
export REQUESTS_CA_BUNDLE=/nowhere CURL_CA_BUNDLE=/nowhere
"""


def write(stack: Stack, account: str, path: str, text: str) -> None:
    """Write a file in the home of an account."""
    command = f'mkdir -p "$(dirname "$HOME/{path}")" && printf "%s\\n" "$0" > "$HOME/{path}"'
    run_as_account(stack, account, "env", f"HOME={home_directory(account)}", "sh", "-c", command, text)


@pytest.fixture
def activate(quick: Stack, quick_user: User) -> Iterator[Callable[[str], None]]:
    """Replace the script that activates the environment, for one user."""
    account = quick_user.account(PROJECT)
    remove = ("rm", "-rf", f"{home_directory(account)}/prefix")
    with undo_after(lambda: run_as_account(quick, account, *remove)):
        yield lambda text: write(quick, account, "prefix/bin/activate", text)


@pytest.mark.parametrize("script", HARMLESS.values(), ids=HARMLESS.keys())
def test_a_sloppy_script_does_no_harm(quick_session: Session, activate: Callable[[str], None], script: str) -> None:
    """An environment whose script works in an ordinary shell only gives a server."""
    activate(script)

    assert quick_session.spawn(project=PROJECT, deadline_s=READY_S).execute("5 * 4") == "20"


@pytest.mark.parametrize("case", FATAL.values(), ids=FATAL.keys())
def test_a_script_that_ends_the_job_is_named(
    quick: Stack, quick_session: Session, quick_user: User, activate: Callable[[str], None], case: tuple[str, str, str]
) -> None:
    """The user reads how the script ended, the job's log file, and its last line.

    The hub's log has the same.
    """
    script, cause, line = case
    activate(script)
    before = len(quick.hub.log())

    with pytest.raises(SpawnFailed) as failure:
        quick_session.spawn(project=PROJECT, deadline_s=READY_S)

    assert cause in failure.value.sentence
    assert f"{home_directory(quick_user.account(PROJECT))}/jupyterhub_slurmspawner_" in failure.value.sentence
    assert line in failure.value.sentence
    assert line in quick.hub.log()[before:]


def test_a_start_that_hangs_can_be_stopped(
    quick: Stack, quick_session: Session, quick_user: User, activate: Callable[[str], None]
) -> None:
    """A stop ends a start whose job runs and reports nothing."""
    account = quick_user.account(PROJECT)
    activate("sleep 600")
    server = quick_session.submit(project=PROJECT)
    job = wait_until("the job", lambda: quick.slurm.jobs(account))[0]
    quick.slurm.wait_for(job.id, "RUNNING")

    server.stop()

    quick.slurm.wait_until_no_jobs(account, deadline_s=10)
    assert not server.is_active()


def test_files_and_proxies_of_the_user_do_not_reach_the_report(
    quick: Stack, quick_session: Session, quick_user: User, activate: Callable[[str], None]
) -> None:
    """A .netrc, proxies, bundles and Python's start files of the user change nothing about the report of the port."""
    account = quick_user.account(PROJECT)
    names = " ".join(f"$HOME/{name}" for name in HOSTILE_FILES)
    clean = ("env", f"HOME={home_directory(account)}", "sh", "-c", f"rm -f {names}")

    with undo_after(lambda: run_as_account(quick, account, *clean)):
        for name, text in HOSTILE_FILES.items():
            write(quick, account, name, text)
        activate(REAL + HOSTILE_VARIABLES)
        server = quick_session.spawn(project=PROJECT, deadline_s=READY_S)
        assert server.execute("5 * 4") == "20"


def test_an_unknown_partition_is_explained_once(quick_session: Session) -> None:
    """The sentence has sbatch's error once."""
    with pytest.raises((SpawnRefused, SpawnFailed)) as failure:
        quick_session.spawn({"partition": "nosuch"}, project=PROJECT)

    assert failure.value.sentence.lower().count("invalid partition") == 1
    assert "the partition does not exist" in failure.value.sentence
