"""What a stack consists of, as values: the deployed pod's own, and the two containers of the test kit beside it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hubpod.components import jupyterhub, proxy
from hubpod.components.assembly import pod_spec
from hubpod.components.parts import CREDENTIALS, Site
from hubpod.environments import Environment, Login
from hubpod.pod import Container, File, Mount, PodSpec, Port, Seed, SeedKind
from hubpod.settings import SETTINGS

IMAGE = "testkit"
LINK = "link"
ISSUER = "issuer"
CONTROL_PORT = 9001
ISSUER_URL = f"http://{ISSUER}:9000/realms/test"
PLATFORM = "test.platform"
AUDIENCE = "hubpod-test"

PROJECTS = ("project1", "project2")
USERS = tuple(f"user{number:02}" for number in range(1, 13))
"""More than a test ever needs at once; each costs two home folders, made when Slurm's container starts."""

OBSERVER = Path(__file__).parent / "configuration" / "observer.py"
OBSERVER_TOKEN = "HUBPOD_OBSERVER_TOKEN"  # noqa: S105 - the name of a variable
EXTRA_FRAGMENT = "fragments/zz_test.py"  # the last one, so that it has the last word


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The secrets of a stack that the deployed pod does not have.

    Attributes:
        observer: Token with which the harness asks the hub's API.
        control: Token with which it tells the issuer what to do.
        password: The password of the login form.
    """

    observer: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    control: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """A whole stack.

    Attributes:
        pod: The pod as it is deployed, with the harness's look into the hub; its name is the stack's.
        link: Owns the network that the pod's containers share, and disturbs connections in it.
        issuer: Signs nobody in, but publishes the keys of tokens; None where the login needs none.
        seeds: The initial content of every volume.
    """

    pod: PodSpec
    link: Container
    issuer: Container | None
    seeds: tuple[Seed, ...]

    @property
    def containers(self) -> tuple[Container, ...]:
        """All containers, the owner of the network first."""
        return (self.link, *((self.issuer,) if self.issuer else ()), *self.pod.containers)


def deploy_configmap(environment: Environment, keys: Keys, changes: Mapping[str, str]) -> dict[str, str]:
    """The deploy ConfigMap's data for a stack: what the environment reads and does not fix, and a test's changes."""
    values = {
        "devUsers": " ".join(f"{user}.{project}" for user in USERS for project in PROJECTS),
        "dummyAuthPassword": keys.password,
        "oidcServer": ISSUER_URL,
        "bricsPlatform": PLATFORM,
        "jwtAudience": AUDIENCE,
    }
    wanted = {setting.key for setting in SETTINGS if setting.used(environment) and setting.fixed(environment) is None}
    return {key: value for key, value in values.items() if key in wanted} | dict(changes)


def blueprint(site: Site, keys: Keys, *, config: str = "") -> Blueprint:
    """The stack for one site.

    Args:
        site: What the pod derives from.
        keys: The harness's own secrets.
        config: JupyterHub configuration that is loaded after all other.
    """
    pod = pod_spec(site)
    files = (
        File(path="fragments/observer.py", content=OBSERVER.read_bytes()),
        *((File(path=EXTRA_FRAGMENT, content=f"c = get_config()\n{config}\n".encode()),) if config else ()),
    )
    token = File(
        path=f"env/{OBSERVER_TOKEN}",
        content=keys.observer.encode(),
        mode=0o400,
        uid=jupyterhub.UID,
        gid=jupyterhub.UID,
    )
    additions = {site.instance.volume("hub-config"): files, site.instance.volume("hub-credentials"): (token,)}
    pod = replace(
        pod,
        seeds=tuple(replace(seed, files=seed.files + additions.get(seed.volume, ())) for seed in pod.seeds),
        containers=tuple(replace(container, ports=()) for container in pod.containers),
    )
    issuer, issuer_seeds = _issuer(site, keys)
    return Blueprint(pod=pod, link=_link(site), issuer=issuer, seeds=(*pod.seeds, *issuer_seeds))


def _link(site: Site) -> Container:
    return Container(
        name=LINK,
        image=site.images[IMAGE],
        args=("sleep", "infinity"),
        ports=(Port(container=proxy.PORT, host=site.port),),
        tmpfs=("/run",),
        capabilities=("KILL", "NET_ADMIN", "NET_RAW", "SETGID", "SETUID"),
    )


def _issuer(site: Site, keys: Keys) -> tuple[Container | None, tuple[Seed, ...]]:
    if site.instance.environment.login is not Login.JWT:
        return None, ()
    volume = site.instance.volume("issuer-credentials")
    container = Container(
        name=ISSUER,
        image=site.images[IMAGE],
        args=("python3", "/usr/local/lib/hubpod/issuer.py"),
        mounts=(Mount(volume=volume, path=CREDENTIALS, read_only=True),),
        tmpfs=("/tmp",),  # noqa: S108 - a path inside the container
        ports=(Port(container=CONTROL_PORT, host=0),),
    )
    token = File(path="control_token", content=keys.control.encode(), mode=0o400)
    return container, (Seed(volume=volume, kind=SeedKind.CREDENTIAL, files=(token,), mode=0o500),)
