"""What a person asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from hubpod.environments import Instance, nearest
from hubpod.errors import UsageError
from hubpod.pod import Port
from hubpod.sources.origins import Origin

CURRENT_LOCK = "requirements.lock"
JUPYTERHUB_LOCKS = {"": CURRENT_LOCK, "5.5": "requirements-jupyterhub5.lock"}
"""Lock file of the hub image for each line of JupyterHub: the current one, and the oldest that is supported."""


class BaseFrom(Enum):
    """Where the base image comes from."""

    AUTO = "auto"
    REGISTRY = "registry"
    BOOTSTRAP = "bootstrap"


class Target(Enum):
    """What a manifest is for."""

    PODMAN = "podman"
    KUBERNETES = "kubernetes"


def jupyterhub_lock(line: str) -> str:
    """The lock file, below containers/jupyterhub, of a line of JupyterHub; of the current one when empty.

    Raises:
        UsageError: There is none.
    """
    known = [name for name in JUPYTERHUB_LOCKS if name]
    if line not in JUPYTERHUB_LOCKS:
        problem = f"JupyterHub {line}: must be one of {', '.join(known)}{nearest(line, known)}"
        raise UsageError(problem, remedy="leave it out for the current line")
    return JUPYTERHUB_LOCKS[line]


@dataclass(frozen=True, kw_only=True)
class UpRequest:
    """What a person asks of ``up``.

    Attributes:
        instance: Which instance.
        deploy_dir: Folder with the deploy ConfigMap; the instance's own when None.
        port: Published port; chosen when None.
        hub_api: Where the users' servers reach the hub's API, when Slurm is not in the pod.
        base: Where the base image comes from.
        origins: Sources that come from elsewhere, by name.
        zenith_image: Image of the Zenith client; the registry's, or a stand-in, when empty.
        keep: Leave what was started when it does not become ready.
        jupyterhub: Line of JupyterHub in the hub image, such as "5.5"; empty for the current one.

    Raises:
        UsageError: There is no such line of JupyterHub.
    """

    instance: Instance
    deploy_dir: Path | None = None
    port: int | None = None
    hub_api: Port | None = None
    base: BaseFrom = BaseFrom.AUTO
    origins: Mapping[str, Origin] = field(default_factory=dict)
    zenith_image: str = ""
    keep: bool = False
    jupyterhub: str = ""

    def __post_init__(self) -> None:
        jupyterhub_lock(self.jupyterhub)  # refused before anything is cloned or built


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who shall get a notebook in ``spawn``.

    Attributes:
        instance: Where.
        user: Name to type at the login form; the first of the instance's when None.
        token: Token to log in with where the front door brings one; empty where there is a form.
        url: The hub's address, where this machine does not know it.
    """

    instance: Instance
    user: str | None = None
    token: str = field(default="", repr=False)
    url: str = ""
