"""A host with Slurm and nothing of hubpod's."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from hubpod.accounts import Account
from hubpod.components import slurm
from hubpod.environments import Instance, find_environment
from hubpod.images.ensure import ImageSet
from hubpod.pod import Container, Seed
from hubpod.podman.cli import Podman
from hubpod.system.process import Result
from hubpod_harness.blueprint import HarnessSecrets
from hubpod_harness.containers import Network
from hubpod_harness.daemons import daemon
from hubpod_harness.external_services import ExternalService
from hubpod_harness.session_run import Run
from hubpod_harness.stack_launcher import StackRequest, create_site
from support.instances import PROJECT
from support.neighbours import kube_network, one_started

ENVIRONMENT = "dev_dummyauth_extslurm"
ACCOUNTS = ("ada.physics", "bob.physics")
NUMBERS = range(210, 250)  # of addresses that neither podman nor the neighbours use
COMMAND_TIMEOUT_S = 120

# What podman leaves to a container by itself: as near to a machine as a container gets.
CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)

# Our image without what makes it ours: as Debian's packages leave a machine. openssh-server keeps a copy of its
# sshd_config, and sudo's sudoers says the following. Slurm, the accounts and their home folders stay as a site has
# them, and so do the packages of the notebooks' environment: they are those of the lock file that the recipe names.
PLAIN = r"""
userdel jupyterspawner
rm -r /var/lib/jupyterspawner /usr/local/bin/hubpod-ssh-command
cd /opt/jupyter
rm -r slurmspawner_wrappers jupyter_data miniforge3/bin miniforge3/envs/jupyter-user-env/share/jupyter/lab/settings
cp /usr/share/openssh/sshd_config /etc/ssh/sshd_config
cat > /etc/sudoers <<'END'
Defaults	env_reset
Defaults	mail_badpass
Defaults	secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Defaults	use_pty
root	ALL=(ALL:ALL) ALL
%sudo	ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
END
ssh-keygen -q -A
sed -i "s/node1/{node}/" /run/service/slurmd/run
s6-svc -r /run/service/sshd
s6-svc -r /run/service/slurmd
"""


@dataclass(frozen=True, kw_only=True)
class PlainHost:
    """The host.

    Attributes:
        podman: The podman that it runs on.
        name: Its container.
        address: Where pods reach it.
        network: The network that it shares with them.
    """

    podman: Podman
    name: str
    address: str
    network: Network

    def run(self, script: str, *arguments: str) -> Result:
        """Run a shell script as root; its result is not checked."""
        return self.podman.execute(self.name, ("sh", "-euc", script, "sh", *arguments), timeout_s=COMMAND_TIMEOUT_S)

    def told(self, script: str) -> str:
        """What a script writes that has to succeed."""
        result = self.run(script)
        assert result.ok, f"{script}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def wait_until_up(self) -> None:
        """Wait until jobs could run and sshd answers."""
        for name in ("slurmd", "sshd"):
            daemon(name, lambda argv: self.podman.execute(self.name, argv)).wait_until_up()


@contextmanager
def started(run: Run, built: ImageSet) -> Iterator[PlainHost]:
    """Start one in the network of deployed pods; it leaves nothing."""
    token = secrets.token_hex(2)
    instance = Instance(environment=find_environment(ENVIRONMENT), name=f"t-{run.name}-{token}")
    order = StackRequest(
        environment=instance.environment,
        images=tuple(built.images.items()),
        sources=tuple(built.sources.items()),
        volumes=PROJECT / "volumes",
    )
    site = create_site(order, instance, run.folder / instance.name, HarnessSecrets())
    # Pods of other tests are in this network, and their Slurm's node is called node1.
    node, number = f"node-{run.name}-{token}", secrets.choice(NUMBERS)
    component = slurm.host(site, accounts=tuple(map(Account.parse, ACCOUNTS)), clients=())
    neighbour = ExternalService(
        container=_plain(component.container),
        seeds=tuple(_plain_seed(seed, node) for seed in component.seeds),
        hosts={node: "127.0.0.1"},
    )
    network = kube_network(run.podman)
    with one_started(run, site, network, neighbour, number, writable=True):
        name = f"{instance.resource}-{neighbour.container.name}"
        host = PlainHost(podman=run.podman, name=name, address=network.address(number), network=network)
        host.told(PLAIN.replace("{node}", node))
        host.wait_until_up()
        yield host


def _plain(container: Container) -> Container:
    return replace(container, capabilities=CAPABILITIES)


def _plain_seed(seed: Seed, node: str) -> Seed:
    """Without the SSH credentials of the pod's own Slurm, and with another name of the node."""
    files = (file for file in seed.files if "ssh" not in file.path and file.path != "authorized_keys")
    renamed = (replace(file, content=file.content.replace(b"node1", node.encode())) for file in files)
    return replace(seed, files=tuple(renamed))
