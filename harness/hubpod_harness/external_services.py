"""Containers outside the instance: a token issuer, a separate Slurm host, a Zenith server."""

from dataclasses import dataclass, replace

from hubpod.accounts import Account
from hubpod.components import slurm
from hubpod.components.site import CREDENTIALS, Site
from hubpod.environments import Environment
from hubpod.pod import Container, File, Mount, Port, Seed, SeedKind
from hubpod.settings.ssh_keys import public_line
from hubpod_harness import zenith
from hubpod_harness.ssh_surface import SSHD_PORT

IMAGE = "testkit"
ISSUER = "issuer"
CONTROL_PORT = 9001
SLURM_HOST = slurm.NAME
ZENITH_SERVER = zenith.NAME

PROJECTS = ("project1", "project2")
USERS = tuple(f"user{number:02}" for number in range(1, 13))
"""More users than any test leases at once. Each has two homes, created when the slurm container starts."""

ACCOUNTS = tuple(Account(user=user, project=project) for user in USERS for project in PROJECTS)


@dataclass(frozen=True, kw_only=True)
class ExternalService:
    """One container outside the instance, with its own address.

    Attributes:
        container: Its description, as for the instance's containers.
        seeds: The initial content of its volumes.
    """

    container: Container
    seeds: tuple[Seed, ...]


def service_names(environment: Environment) -> tuple[str, ...]:
    """Return the names of the services that an environment needs."""
    return (
        *((ISSUER,) if environment.login.uses_token else ()),
        *((SLURM_HOST,) if not environment.slurm.in_pod else ()),
        *((ZENITH_SERVER,) if environment.ingress.uses_zenith else ()),
    )


def external_services(site: Site, *, control_token: str) -> tuple[ExternalService, ...]:
    """Return the services of a site's environment."""
    makers = {
        ISSUER: lambda: _issuer(site, control_token),
        SLURM_HOST: lambda: slurm_host(site),
        ZENITH_SERVER: lambda: _zenith_server(site),
    }
    return tuple(makers[name]() for name in service_names(site.instance.environment))


def slurm_host(site: Site) -> ExternalService:
    """Return a Slurm host with wrappers and accounts.

    The host accepts the hub's key from every address.
    """
    host = slurm.host(site, accounts=ACCOUNTS, clients=("*",))
    container = replace(host.container, ports=(Port(container=SSHD_PORT, host=0),))
    return ExternalService(container=container, seeds=host.seeds)


def _issuer(site: Site, control_token: str) -> ExternalService:
    volume = site.instance.volume("issuer-credentials")
    container = Container(
        name=ISSUER,
        image=site.images[IMAGE],
        args=("python3", "/usr/local/lib/hubpod/issuer.py"),
        mounts=(Mount(volume=volume, path=CREDENTIALS, read_only=True),),
        tmpfs=("/tmp",),  # noqa: S108 - a path inside the container
        ports=(Port(container=CONTROL_PORT, host=0),),
    )
    token = File(path="control_token", content=control_token.encode(), mode=0o400)
    seed = Seed(volume=volume, kind=SeedKind.CREDENTIAL, files=(token,), mode=0o500)
    return ExternalService(container=container, seeds=(seed,))


def _zenith_server(site: Site) -> ExternalService:
    key = site.key_files.zenith_client_key
    assert key  # noqa: S101 - a site with a tunnel has one
    keys = {zenith.SUBDOMAIN: public_line(key).decode()}
    container, seed = zenith.server(
        site.instance, image=site.images[IMAGE], keys=keys, host_key=site.credentials[slurm.HOST_KEY]
    )
    return ExternalService(container=container, seeds=(seed,))
