"""A host with Slurm and without anything of hubpod."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hubpod.accounts import Account
from hubpod.components import slurm
from hubpod.environments import find_environment
from hubpod.images.build import BUILD_ENVIRONMENT, write_build_environment
from hubpod.images.ensure import ImageSet
from hubpod.instances import Instance
from hubpod.pod import Container, Seed
from hubpod.podman.cli import Podman
from hubpod.system.process import Result
from hubpod_harness.blueprint import HarnessSecrets
from hubpod_harness.containers import Network
from hubpod_harness.daemons import daemon
from hubpod_harness.external_services import ExternalService
from hubpod_harness.session_run import Run
from hubpod_harness.stack_launcher import StackRequest, create_site
from support.external_services import kube_network, open_service
from support.instances import PROJECT

ENVIRONMENT = "dev_dummyauth_extslurm"
ACCOUNTS = ("ada.physics", "bob.physics")
COMMAND_TIMEOUT_S = 120
RELOAD_SSHD = "s6-svc -h /run/service/sshd"  # the container has s6 where a machine has systemd

# podman's default capabilities: as close to a machine as a container gets.
CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)

# Turns our image into a machine as Debian's packages leave it. openssh-server keeps a copy of its sshd_config, and
# sudo's sudoers is as follows. Slurm, accounts, home directories and the packages of the notebooks' environment stay: a
# site has them, and the recipe names the same lock file.
PLAIN = r"""
userdel jupyterspawner
rm -r /var/lib/jupyterspawner
rm /usr/local/bin/hubpod-ssh-command /usr/local/bin/hubpod-admit /etc/hosts.allow /etc/hosts.deny
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
s6-svc -r /run/service/sshd
"""


PACKAGES = f"""
FROM {{image}}
RUN set -e; . {BUILD_ENVIRONMENT}/env; export DEBIAN_FRONTEND=noninteractive; \\
    apt-get -qq update; apt-get -qq install --yes --no-install-recommends {{packages}}; rm -rf /var/lib/apt/lists/*
"""


@dataclass(frozen=True, kw_only=True)
class PlainHost:
    """A running host.

    Attributes:
        podman: The podman that the host runs on.
        name: Name of its container.
        address: Its address for pods.
        network: The network that it shares with pods.
    """

    podman: Podman
    name: str
    address: str
    network: Network

    def run(self, script: str, *arguments: str) -> Result:
        """Run a shell script as root, without a check of its exit code."""
        return self.podman.execute(self.name, ("sh", "-euc", script, "sh", *arguments), timeout_s=COMMAND_TIMEOUT_S)

    def run_checked(self, script: str) -> str:
        """Run a shell script that must succeed, and return its standard output."""
        result = self.run(script)
        assert result.ok, f"{script}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def wait_until_up(self) -> None:
        """Wait until slurmd and sshd are up."""
        for name in ("slurmd", "sshd"):
            daemon(name, lambda argv: self.podman.execute(self.name, argv)).wait_until_up()


@contextmanager
def open_plain_host(run: Run, built: ImageSet, *, packages: tuple[str, ...] = ()) -> Iterator[PlainHost]:
    """Start a host in the network of deployed pods, and remove it after the block.

    Args:
        run: The test run.
        built: The images.
        packages: Debian packages to install in addition to those of the image.
    """
    if packages:
        built = _install_packages(run.podman, built, packages)
    token = secrets.token_hex(2)
    instance = Instance(environment=find_environment(ENVIRONMENT), name=f"t-{run.name}-{token}")
    request = StackRequest(
        environment=instance.environment,
        images=tuple(built.images.items()),
        sources=tuple(built.sources.items()),
        volumes=PROJECT / "volumes",
    )
    site = create_site(request, instance, run.directory / instance.name, HarnessSecrets())
    component = slurm.host(site, accounts=tuple(map(Account.parse, ACCOUNTS)), clients=())
    service = ExternalService(
        container=_to_plain_container(component.container),
        seeds=tuple(map(_to_plain_seed, component.seeds)),
    )
    network = kube_network(run.podman)
    with open_service(run, site, network, service, writable=True) as address:
        name = f"{instance.resource}-{service.container.name}"
        host = PlainHost(podman=run.podman, name=name, address=address, network=network)
        host.run_checked(PLAIN)
        host.wait_until_up()
        yield host


def _install_packages(podman: Podman, built: ImageSet, packages: tuple[str, ...]) -> ImageSet:
    """Build an image with further packages on top of the Slurm image."""
    reference = f"localhost/hubpod/plain-host:{'-'.join(packages)}"
    with tempfile.TemporaryDirectory() as scratch:
        environment = write_build_environment(Path(scratch) / "environment")
        containerfile = Path(scratch) / "Containerfile"
        containerfile.write_text(PACKAGES.format(image=built.images["slurm"], packages=" ".join(packages)))
        mount = f"--volume={environment}:{BUILD_ENVIRONMENT}:ro,z"
        podman.run("build", "--pull=never", mount, f"--tag={reference}", f"--file={containerfile}", scratch)
    return replace(built, images={**built.images, "slurm": reference})


def _to_plain_container(container: Container) -> Container:
    return replace(container, capabilities=CAPABILITIES)


def _to_plain_seed(seed: Seed) -> Seed:
    """Remove the SSH credentials of our own Slurm."""
    files = (file for file in seed.files if "ssh" not in file.path and file.path != "authorized_keys")
    return replace(seed, files=tuple(files))
