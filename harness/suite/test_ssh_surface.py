"""The SSH surface of the Slurm host: the hub's key runs three commands as an account.

paramiko connects from the test process. The relay in the hub's network makes sshd see the hub's address.
"""

from collections.abc import Callable
from functools import partial

import paramiko
import pytest
from paramiko import AuthenticationException, BadAuthenticationType, Channel, ChannelException, ECDSAKey

from hubpod.system.process import Result
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.ssh_surface import USER, request_agent_forwarding
from hubpod_harness.stack import Stack
from hubpod_harness.steps import COMMAND_TIMEOUT_S, PROJECT, SUBMIT_JOB, run_as_account, undo_after
from hubpod_harness.users import User

pytestmark = pytest.mark.security

SSH_CONFIG = "/etc/jupyterhub/ssh_config"
HOST = "slurm"
SHARED_HOST = "slurm-shared"
AUTHORIZED_KEYS = "/etc/hubpod/credentials/authorized_keys"
SSH_CLIENTS = "/etc/slurm/ssh_clients"
WRAPPERS = "/opt/jupyter/slurmspawner_wrappers/bin"
SBATCH, SQUEUE, SCANCEL = (f"{WRAPPERS}/slurmspawner_{name}" for name in ("sbatch", "squeue", "scancel"))
UNKNOWN_JOB = "SLURMSPAWNER_JOB_ID=99999999"
ANSWERS = (
    ((SBATCH,), "sbatch: error: "),  # standard input has no script
    ((UNKNOWN_JOB, SQUEUE), "Invalid job id"),
    ((UNKNOWN_JOB, SCANCEL), ""),  # scancel is content with a job that does not exist
)
SSH_FAILED = 255
NOT_RUN = 126
REFUSAL = "This account runs the Slurm commands of the hub and nothing else.\n"
OPEN_ADMINISTRATIVELY_PROHIBITED = 1  # RFC 4254, section 5.1
SLURMCTLD_PORT = 6817
LATER_STEPS = ("Offering public key", "Authenticated to", "Sending command")
"""Steps that ``ssh -v`` logs once it trusts the host."""

# Replaces the pinned host key by another key of the same name, which is how a swapped host looks to ssh. Standard input
# holds what a spawn would send.
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


def run(stack: Stack, *words: str) -> Result:
    """Log in as the hub does and run a command, or a shell if no command is given."""
    with stack.ssh.login() as login:
        return login.run(" ".join(words)) if words else login.shell()


# -- key login and forced command ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "answer"), ANSWERS, ids=["sbatch", "squeue", "scancel"])
def test_the_hub_runs_each_wrapper_as_an_account(stack: Stack, user: User, words: tuple[str, ...], answer: str) -> None:
    """The hub's key runs each of the three wrappers as a user's account, and Slurm answers."""
    result = run(stack, "sudo", "-n", "-u", user.account(PROJECT), *words)

    assert answer in result.stderr
    assert bool(answer) != result.ok


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
        ("sudo", "-n", "-u", "root", UNKNOWN_JOB, SQUEUE),
        ("sudo", "-n", "-u", "slurm", UNKNOWN_JOB, SQUEUE),
        ("sudo", "-n", "-l"),
        ("sudo", "-n", "-k"),
        *(("sudo", "-n", option, "-u", "{account}", UNKNOWN_JOB, SQUEUE) for option in ("-b", "-l", "-v", "-H", "--")),
        ("sudo", "-n", "-u", "{account}", SQUEUE, ";", "id"),
    ],
    ids=" ".join,
)
def test_every_other_command_is_refused(stack: Stack, user: User, words: tuple[str, ...]) -> None:
    """The server runs no shell and no other command.

    It accepts no argument, variable or account outside the notebook group.
    """
    account = user.account(PROJECT)

    result = run(stack, *(word.format(account=account) for word in words))

    assert not result.ok
    assert not result.stdout
    assert "Invalid job id" not in result.stderr  # of Slurm
    if words[3:4] not in {("root",), ("slurm",)}:  # sudo refuses the accounts, the forced command all else
        assert (result.returncode, result.stderr) == (NOT_RUN, REFUSAL)


@pytest.mark.hubpod
@pytest.mark.parametrize("job_id", ["--state=RUNNING", "1,2", "", "0x1", "0", "12345678901", "1.0", "1_1"])
def test_a_job_id_is_one_plain_number(stack: Stack, user: User, job_id: str) -> None:
    """A wrapper refuses an id that Slurm would read as several jobs or as an option."""
    variable = f"SLURMSPAWNER_JOB_ID={job_id}"

    result = run(stack, "sudo", "-n", "-u", user.account(PROJECT), variable, SCANCEL)

    assert not result.ok
    assert "scancel: error" not in result.stderr  # the wrapper did not run Slurm's own command


def test_a_job_of_another_account_cannot_be_cancelled(
    stack: Stack, slurm: SlurmProbe, users: Callable[..., list[User]]
) -> None:
    """One account cannot cancel a job of another account."""
    owner, other = users(2)
    job_id = run_as_account(stack, owner.account(PROJECT), *SUBMIT_JOB).stdout.strip()

    with undo_after(lambda: slurm.cancel(job_id)):
        slurm.wait_for(job_id, "RUNNING")
        result = run(stack, "sudo", "-n", "-u", other.account(PROJECT), f"SLURMSPAWNER_JOB_ID={job_id}", SCANCEL)

        assert not result.ok
        assert slurm.job(job_id).state == "RUNNING"


# -- requests that the server rejects -----------------------------------------------------------------------------


@pytest.mark.hubpod
@pytest.mark.parametrize(
    "request_",
    [
        Channel.get_pty,
        Channel.request_x11,
        request_agent_forwarding,
        *(partial(Channel.invoke_subsystem, subsystem=name) for name in ("sftp", "netconf")),
    ],
    ids=["terminal", "X11", "agent", "sftp", "other subsystem"],
)
def test_terminals_agents_and_subsystems_are_rejected(
    stack: Stack, user: User, request_: Callable[[Channel], object]
) -> None:
    """The server rejects terminals, X11, agents and subsystems such as sftp.

    Commands still run afterwards.
    """
    with stack.ssh.login() as login:
        assert login.rejects(request_)
        assert login.run(f"sudo -n -u {user.account(PROJECT)} SLURMSPAWNER_JOB_ID=mine {SQUEUE}").ok


def test_no_file_is_transferred(stack: Stack) -> None:
    """The server has no sftp."""
    with stack.ssh.login() as login, pytest.raises(paramiko.SSHException):
        login.open_sftp()


@pytest.mark.parametrize("port", [SLURMCTLD_PORT, 22])
def test_no_port_is_forwarded(stack: Stack, port: int) -> None:
    """The server forwards no connection to Slurm's ports or to another port of its network."""
    with stack.ssh.login() as login, pytest.raises(ChannelException) as refusal:
        login.open_forwarding("127.0.0.1", port)

    assert refusal.value.code == OPEN_ADMINISTRATIVELY_PROHIBITED


def test_no_port_is_forwarded_in_reverse(stack: Stack) -> None:
    """The server listens on no port for its client."""
    with stack.ssh.login() as login, pytest.raises(paramiko.SSHException, match="request denied"):
        login.request_reverse_forwarding("127.0.0.1", 9999)


# -- logins that the server refuses -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["root", "slurm", "nobody", "no-such-user", "{account}"])
def test_another_user_cannot_log_in(stack: Stack, user: User, name: str) -> None:
    """The hub's key is refused for every other account, including those of users."""
    with pytest.raises(AuthenticationException), stack.ssh.login(user=name.format(account=user.account(PROJECT))):
        pass


def test_another_key_cannot_log_in(stack: Stack) -> None:
    """A key outside authorized_keys is refused."""
    with pytest.raises(AuthenticationException), stack.ssh.login(key=ECDSAKey.generate()):
        pass


@pytest.mark.parametrize(
    "authenticate",
    [
        lambda transport: transport.auth_none(USER),
        lambda transport: transport.auth_password(USER, "password", fallback=False),
        lambda transport: transport.auth_interactive(USER, lambda *_: []),
    ],
    ids=["none", "password", "keyboard-interactive"],
)
def test_the_server_offers_keys_only(stack: Stack, authenticate: Callable[[paramiko.Transport], object]) -> None:
    """The server offers neither a password nor a dialogue, and no login without a key."""
    with stack.ssh.connect() as transport, pytest.raises(BadAuthenticationType) as refusal:
        authenticate(transport)

    assert refusal.value.allowed_types == ["publickey"]


def test_the_key_is_refused_from_another_address(stack: Stack) -> None:
    """Connections from another address than the hub's end before a login, and the account cannot change that."""
    keys = stack.execute("slurm", ("cat", AUTHORIZED_KEYS)).stdout
    owners = stack.execute("slurm", ("stat", "--format=%U %a", AUTHORIZED_KEYS, SSH_CLIENTS, "/etc/hosts.allow"))

    assert all(line.startswith("restrict ") for line in keys.splitlines())
    assert owners.stdout == 3 * "root 644\n"
    if not stack.site.instance.environment.slurm.in_pod:
        pytest.skip("an external Slurm host accepts connections from every address in these tests")
    with pytest.raises(paramiko.SSHException), stack.ssh.login(from_hub=False):
        pass


def test_sshd_reports_a_restrictive_configuration(stack: Stack) -> None:
    """Sshd reports one account, one key file and one command.

    It reports no agent, no tunnel and no user script.
    """
    report = stack.execute("slurm", ("/usr/sbin/sshd", "-T", "-C", "user=jupyterspawner,host=hub,addr=127.0.0.1"))

    assert report.ok, report.stderr
    assert {
        "allowusers jupyterspawner",
        "authenticationmethods publickey",
        f"authorizedkeysfile {AUTHORIZED_KEYS}",
        "forcecommand /usr/local/bin/hubpod-ssh-command /opt/jupyter/slurmspawner_wrappers/bin",
        *("disableforwarding yes", "permittty no", "permittunnel no", "permituserrc no", "permituserenvironment no"),
        *("passwordauthentication no", "kbdinteractiveauthentication no", "strictmodes yes"),
    } <= set(report.stdout.splitlines())


# -- host key -----------------------------------------------------------------------------------------------------


def test_the_server_has_no_other_host_key(stack: Stack) -> None:
    """The server proves to own the pinned key, and offers no key of another type."""
    with stack.ssh.connect() as transport:
        assert transport.get_remote_server_key() == stack.ssh.host_key
    with pytest.raises(paramiko.SSHException), stack.ssh.connect(host_key=ECDSAKey.generate()):
        pass


@pytest.mark.parametrize("host", [HOST, SHARED_HOST])
def test_the_hub_does_not_talk_to_a_swapped_host(stack: Stack, user: User, host: str) -> None:
    """The hub's ssh sends no key, command or script to a host with another host key."""
    submission = ("sudo", "-n", "-u", user.account(PROJECT), SBATCH)
    command = ("sh", "-c", SWAPPED, "swapped", host, *submission)

    result = stack.execute("jupyterhub", command, timeout_s=COMMAND_TIMEOUT_S)

    assert result.returncode == SSH_FAILED
    assert "host key verification failed" in result.stderr.lower()
    assert not [step for step in LATER_STEPS if step in result.stderr]


def test_a_client_that_pins_another_key_sends_no_login(stack: Stack) -> None:
    """A client that pins another key of the same type ends the connection before the login."""
    before = stack.slurm.ssh_logins()

    with pytest.raises(paramiko.SSHException, match="Bad host key"), stack.ssh.connect(host_key=stack.ssh.client_key):
        pass

    assert stack.slurm.ssh_logins() == before
