"""What the hub's key opens on the Slurm host: three commands, as a person with an account there, and nothing else."""

from collections.abc import Callable, Sequence

import pytest

from hubpod.system.process import Result
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.stack import Stack
from hubpod_harness.steps import COMMAND_TIMEOUT_S, JOB, PROJECT, run_as_account, undo_after
from hubpod_harness.users import User

pytestmark = pytest.mark.security

SSH_CONFIG = "/etc/jupyterhub/ssh_config"
HOST = "slurm"
SHARED_HOST = "slurm-shared"
WRAPPERS = "/opt/jupyter/slurmspawner_wrappers/bin"
SBATCH, SQUEUE, SCANCEL = (f"{WRAPPERS}/slurmspawner_{name}" for name in ("sbatch", "squeue", "scancel"))
SSH_FAILED = 255
LATER_STEPS = ("Offering public key", "Authenticated to", "Sending command")
"""What `ssh -v` tells of when it trusts the host."""

# The pinned host key is replaced by another one of the same name, which is what a swapped host looks like to ssh. What
# a spawn would send waits on standard input.
SWAPPED = f"""
cd "$(mktemp -d)" || exit 1
ssh-keygen -q -t ed25519 -N '' -f key
name=$(head -n 1 /etc/hubpod/credentials/ssh_known_hosts | cut -d ' ' -f 1)
echo "$name $(cut -d ' ' -f 1,2 key.pub)" > known_hosts
echo a-token | ssh -v -F {SSH_CONFIG} -o UserKnownHostsFile="$PWD/known_hosts" -o ControlPath="$PWD/socket" "$@"
status=$?
rm -r "$PWD"
exit $status
"""


def from_hub(stack: Stack, *argv: str) -> Result:
    """Run a command in the hub's container."""
    return stack.execute("jupyterhub", argv, timeout_s=COMMAND_TIMEOUT_S)


def ssh(stack: Stack, *words: str, options: Sequence[str] = ()) -> Result:
    """Run ssh as the hub does."""
    return from_hub(stack, "ssh", "-F", SSH_CONFIG, *options, HOST, *words)


@pytest.mark.parametrize("wrapper", [SBATCH, SQUEUE, SCANCEL])
def test_a_wrapper_may_be_run_as_an_account(stack: Stack, user: User, wrapper: str) -> None:
    """The hub may run each of the three wrappers as a person's account."""
    assert ssh(stack, "sudo", "-n", "-l", "-u", user.account(PROJECT), wrapper).ok


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("id",),
        ("/bin/sh", "-c", "id"),
        ("scp", "-f", "/etc/passwd"),
        ("sudo", "-n", "-u", "{account}", "/bin/sh", "-c", "id"),
        ("sudo", "-n", "-u", "{account}", "id"),
        ("sudo", "-n", "-u", "{account}", SQUEUE, "--all"),
        *(
            ("sudo", "-n", "-u", "{account}", f"{name}=/tmp/own", SQUEUE)
            for name in ("LD_PRELOAD", "PYTHONPATH", "SLURM_CONF", "SBATCH_ACCOUNT", "PATH", "HOME", "SHELL")
        ),
        ("sudo", "-n", "-E", "-u", "{account}", SQUEUE),
        ("sudo", "-n", "-u", "{account}", "-g", "root", SQUEUE),
        ("sudo", "-n", "-u", "{account},", SQUEUE),
        ("sudo", "-n", "-u", "../{account}", SQUEUE),
        ("sudo", "-n", "-u", "#0", SQUEUE),
        ("sudo", "-n", "-u", "root", SQUEUE),
        ("sudo", "-n", "-u", "slurm", SQUEUE),
        ("sudo", "-n", "-u", "{account}", SQUEUE, ";", "id"),
    ],
    ids=" ".join,
)
def test_nothing_else_is_run(stack: Stack, user: User, words: tuple[str, ...]) -> None:
    """No shell, no other command, no argument, no variable and no other account is accepted."""
    account = user.account(PROJECT)

    result = ssh(stack, *(word.format(account=account) for word in words))

    assert not result.ok
    assert not result.stdout
    assert "slurmspawner_squeue: " not in result.stderr  # sudo refused, not the wrapper for want of a job id


@pytest.mark.parametrize("job_id", ["--state=RUNNING", "1,2", "", "0x1", "0", "12345678901", "1.0", "1_1"])
def test_a_job_id_is_one_plain_number(stack: Stack, user: User, job_id: str) -> None:
    """A wrapper refuses whatever Slurm would read as more than one job, or as an option."""
    variable = f"SLURMSPAWNER_JOB_ID={job_id}"

    result = ssh(stack, "sudo", "-n", "-u", user.account(PROJECT), variable, SCANCEL)

    assert not result.ok
    assert "scancel: error" not in result.stderr  # Slurm's own command was never asked


def test_another_persons_job_is_out_of_reach(stack: Stack, slurm: SlurmProbe, users: Callable[..., list[User]]) -> None:
    """One account cannot cancel a job of another one."""
    owner, other = users(2)
    job_id = run_as_account(stack, owner.account(PROJECT), *JOB).stdout.strip()

    with undo_after(lambda: slurm.cancel(job_id)):
        slurm.wait_for(job_id, "RUNNING")
        result = ssh(stack, "sudo", "-n", "-u", other.account(PROJECT), f"SLURMSPAWNER_JOB_ID={job_id}", SCANCEL)

        assert not result.ok
        assert slurm.job(job_id).state == "RUNNING"


@pytest.mark.parametrize("forward", [("-W", "127.0.0.1:6817"), ("-N", "-R", "127.0.0.1:9999:127.0.0.1:22")])
def test_no_port_is_forwarded(stack: Stack, forward: tuple[str, ...]) -> None:
    """The door is no way to Slurm's ports, and none back."""
    allowed_here = ("-o", "ClearAllForwardings=no", "-o", "ExitOnForwardFailure=yes")

    result = ssh(stack, options=(*allowed_here, *forward))

    assert result.returncode == SSH_FAILED
    assert not result.stdout


def test_there_is_no_terminal(stack: Stack, user: User) -> None:
    """Whoever asks for a terminal gets none, and the command only."""
    result = ssh(stack, "sudo", "-n", "-l", "-u", user.account(PROJECT), SQUEUE, options=("-o", "RequestTTY=force"))

    assert "PTY allocation request failed" in result.stderr


def test_the_door_is_shut_to_all_else(stack: Stack) -> None:
    """As sshd itself reads its configuration: one account, one key, one command, and no agent, tunnel or script."""
    told = stack.execute("slurm", ("/usr/sbin/sshd", "-T", "-C", "user=jupyterspawner,host=hub,addr=127.0.0.1"))

    assert told.ok, told.stderr
    assert {
        "allowusers jupyterspawner",
        "authenticationmethods publickey",
        "authorizedkeysfile /etc/hubpod/credentials/authorized_keys",
        "forcecommand /usr/local/bin/hubpod-ssh-command",
        *("disableforwarding yes", "permittty no", "permittunnel no", "permituserrc no", "permituserenvironment no"),
        *("passwordauthentication no", "kbdinteractiveauthentication no", "strictmodes yes"),
    } <= set(told.stdout.splitlines())


def test_the_key_is_good_from_the_hub_only(stack: Stack) -> None:
    """From another address than the hub's the right key opens nothing; the account cannot change that."""
    result = ssh(stack, "sudo", "-n", "-l", options=("-b", "127.0.0.2"))
    keys = stack.execute("slurm", ("cat", "/etc/hubpod/credentials/authorized_keys")).stdout
    owner = stack.execute("slurm", ("stat", "--format=%U %a", "/etc/hubpod/credentials/authorized_keys"))

    assert (result.returncode, result.stdout) == (SSH_FAILED, "")
    assert all(line.startswith('restrict,from="') for line in keys.splitlines())
    assert owner.stdout == "root 644\n"


def test_no_file_is_transferred(stack: Stack) -> None:
    """There is no sftp."""
    result = from_hub(stack, "sftp", "-F", SSH_CONFIG, "-b", "/dev/null", HOST)

    assert not result.ok


@pytest.mark.parametrize("host", [HOST, SHARED_HOST])
def test_a_swapped_host_is_not_talked_to(stack: Stack, user: User, host: str) -> None:
    """When the host's key is not the pinned one, no key is offered to it and no command or script is sent."""
    submission = ("sudo", "-n", "-u", user.account(PROJECT), SBATCH)

    result = from_hub(stack, "sh", "-c", SWAPPED, "swapped", host, *submission)

    assert result.returncode == SSH_FAILED
    assert "host key verification failed" in result.stderr.lower()
    assert not [step for step in LATER_STEPS if step in result.stderr]
