"""Slurm of an instance: controller, one node, munge and an SSH server, in a pod of its own.

The hub submits jobs through the SSH server. Jobs share the pod's network with Slurm, but not with hub and proxy.
"""

import hashlib
import secrets
from collections.abc import Sequence

from hubpod.accounts import Account
from hubpod.components.component import Component, ContainerSpec, Image
from hubpod.components.site import CREDENTIALS, Site, files_below, mount_source
from hubpod.pod import Container, File, Mount, Seed, SeedKind
from hubpod.settings.credentials import Credential, Credentials, check_size, new_ssh_key, ssh_public_line
from hubpod.settings.ssh_address import SshAddress

NAME = "slurm"
IMAGE = "slurm"
SOURCE = "slurmspawner_wrappers"
SOURCE_VOLUME = "slurm-source"
MUNGE_UID = 990
SLURM_UID = 991
JUPYTERUSERS_GID = 9000

FIRST_UID = 20000
UID_RANGE = 40000
"""Accounts get numbers below 60000, which exist in the user namespace of rootless podman, too."""

POD = "slurm"
"""The pod, whose name is also that of its SSH server and of its node."""

READY = ("hubpod-ready",)
RENEW = ("hubpod-renew",)

QUEUED_LINE = r"_slurm_rpc_submit_batch_job: JobId={job} "
STARTED_LINE = r"(?:Started|Allocate) JobId={job} "
LAUNCHED_LINE = r"launch task StepId={job}\.0 "
"""Patterns of the log of Slurm's daemons during a spawn, for one job."""

MUNGE_KEY_BYTES = 128
"""munge accepts 32 to 1024 bytes, and its own mungekey generates 128 (munge 0.5.16, mungekey(8))."""

CLIENT_KEY = Credential(name="ssh_client_key", generate=new_ssh_key, check=ssh_public_line)
"""The private key that the hub logs in with, in OpenSSH format."""

HOST_KEY = Credential(name="ssh_host_key", generate=new_ssh_key, check=ssh_public_line)
"""The private host key of the SSH server, in OpenSSH format."""

MUNGE_KEY = Credential(
    name="munge_key", generate=lambda: secrets.token_bytes(MUNGE_KEY_BYTES), check=check_size(MUNGE_KEY_BYTES)
)
"""The key that authenticates Slurm's daemons to each other."""

# Found by leaving out one at a time: without CHOWN no home directories exist, without KILL a cancelled job never ends,
# without SYS_CHROOT sshd separates no privileges.
CAPABILITIES = (
    "CHOWN",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETUID",
    "SYS_CHROOT",
)


def spec(site: Site) -> ContainerSpec:
    """Describe the Slurm container and its volumes.

    The volumes hold configuration, credentials, accounts, state and home directories.
    """
    return host(site, accounts=site.settings.dev_users, clients=(site.instance.pod(""),))


def ssh_address(site: Site) -> SshAddress:
    """Return where the hub reaches the SSH server of the Slurm host."""
    if site.instance.environment.slurm.in_pod:
        return SshAddress(host=site.instance.pod(POD))
    return site.settings.ssh_address


def host(site: Site, *, accounts: Sequence[Account], clients: Sequence[str]) -> ContainerSpec:
    """Describe a container with Slurm, for the instance or, in tests, for an external host.

    Args:
        site: Everything that the container derives from.
        accounts: The accounts on the host.
        clients: Host names and addresses from which the hub connects to the SSH server; ``*`` is any.
    """
    names = ("config", "credentials", "accounts", "state")
    config, credentials, users, state = (site.instance.volume(f"slurm-{name}") for name in names)
    homes = site.instance.volume("homes")
    # Each call of a wrapper is a new process.
    code, code_seeds = mount_source(site, SOURCE, SOURCE_VOLUME, read_each_time=True)
    container = Container(
        name=NAME,
        image=site.images[IMAGE],
        mounts=(
            Mount(volume=config, path="/etc/slurm", read_only=True),
            Mount(volume=credentials, path=CREDENTIALS, read_only=True),
            Mount(volume=users, path="/var/lib/extrausers", read_only=True),
            Mount(volume=state, path="/var/spool/slurm"),
            Mount(volume=homes, path="/home"),
            *code,
        ),
        tmpfs=("/run", "/tmp", "/var/spool/slurmd"),  # noqa: S108 - paths inside the container
        capabilities=CAPABILITIES,
        may_gain_privileges=True,
        ready=READY,
        waits_for="an idle Slurm node, and the SSH server",
        renew=RENEW,
    )
    clients_file = File(path="ssh_clients", content="".join(f"{client}\n" for client in clients).encode())
    seeds = (
        Seed(
            volume=config,
            kind=SeedKind.CONFIG,
            files=(*files_below(site.volumes / "slurm"), _nodes(site), clients_file),
        ),
        _credential_seed(site, credentials),
        Seed(volume=users, kind=SeedKind.CONFIG, files=account_files(accounts)),
        Seed(volume=state, kind=SeedKind.DATA, uid=SLURM_UID, gid=SLURM_UID, mode=0o700),
        Seed(volume=homes, kind=SeedKind.DATA),
        *code_seeds,
    )
    return ContainerSpec(container=container, seeds=seeds)


def _nodes(site: Site) -> File:
    """Name the node as its pod.

    The hub and the proxy connect to users' servers by the name of the node. Any pod of the machine may have a usual
    name such as node1, and podman's name service would lead them there.
    """
    return File(path="nodes.conf", content=f"NodeName={site.instance.pod(POD)} NodeAddr=127.0.0.1\n".encode())


def _credential_seed(site: Site, volume: str) -> Seed:
    public_key = ssh_public_line(site.credentials[CLIENT_KEY])
    files = (
        File(path="munge.key", content=site.credentials[MUNGE_KEY], mode=0o400, uid=MUNGE_UID, gid=MUNGE_UID),
        File(path="ssh_host_ed25519_key", content=site.credentials[HOST_KEY], mode=0o600),
        File(path="ssh_host_ed25519_key.pub", content=ssh_public_line(site.credentials[HOST_KEY]) + b"\n"),
        File(path="authorized_keys", content=b"restrict " + public_key + b"\n"),
    )
    return Seed(volume=volume, kind=SeedKind.CREDENTIAL, files=files)


def account_files(accounts: Sequence[Account]) -> tuple[File, ...]:
    """Render the accounts for libnss-extrausers: passwd, group and shadow (extrausers(5))."""
    numbers = account_numbers(accounts)
    passwd = "".join(
        f"{account}:x:{uid}:{JUPYTERUSERS_GID}::{account.home}:/bin/bash\n" for account, uid in numbers.items()
    )
    shadow = "".join(f"{account}:*:1::::::\n" for account in accounts)
    group = f"jupyterusers:x:{JUPYTERUSERS_GID}:{','.join(map(str, accounts))}\n"
    return (
        File(path="passwd", content=passwd.encode()),
        File(path="group", content=group.encode()),
        File(path="shadow", content=shadow.encode(), mode=0o600),
    )


def account_numbers(accounts: Sequence[Account]) -> dict[Account, int]:
    """Assign a numeric user id to each account.

    The id derives from the name, not from the position in the list: when the list changes while the home directories
    stay, no account inherits the files of another.
    """
    numbers: dict[Account, int] = {}
    for account in sorted(accounts, key=str):
        offset = int.from_bytes(hashlib.sha256(str(account).encode()).digest()[:4]) % UID_RANGE
        while FIRST_UID + offset in numbers.values():
            offset = (offset + 1) % UID_RANGE
        numbers[account] = FIRST_UID + offset
    return {account: numbers[account] for account in accounts}


def known_hosts(credentials: Credentials, host: str) -> bytes:
    """Render a known_hosts file that pins the SSH server's host key to one host name."""
    return host.encode() + b" " + ssh_public_line(credentials[HOST_KEY]) + b"\n"


COMPONENT = Component(
    name=NAME,
    purpose="Slurm with one node, munge, and the SSH server that the hub submits jobs through",
    image=Image(name=IMAGE),
    spec=spec,
    is_in=lambda environment: environment.slurm.in_pod,
    pod=POD,
    sources=(SOURCE,),
    credentials=(CLIENT_KEY, HOST_KEY, MUNGE_KEY),
    ready=READY,
)
