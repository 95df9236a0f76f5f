"""Requests: validated command-line options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from hubpod.errors import UsageError, nearest
from hubpod.instances import Instance
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
    """Platform of a manifest."""

    PODMAN = "podman"
    KUBERNETES = "kubernetes"


def jupyterhub_lock(line: str) -> str:
    """Return the lock file of a line of JupyterHub, or of the current line for an empty text.

    The path is relative to containers/jupyterhub.

    Raises:
        UsageError: The line is not supported.
    """
    known = [name for name in JUPYTERHUB_LOCKS if name]
    if line not in JUPYTERHUB_LOCKS:
        problem = f"JupyterHub {line}: must be one of {', '.join(known)}{nearest(line, known)}"
        raise UsageError(problem, remedy="leave it out for the current line")
    return JUPYTERHUB_LOCKS[line]


@dataclass(frozen=True, kw_only=True)
class UpRequest:
    """A request to bring an instance up.

    Attributes:
        instance: The instance.
        deploy_dir: Directory of the deploy ConfigMap; None is the one in use, or the instance's own.
        port: Port to publish for browsers; None chooses one.
        hub_api: Address at which users' servers reach the hub's API, if Slurm is not in the pod.
        base: Where the base image comes from.
        origins: Origins of sources that do not come from this repository, by the source's name.
        zenith_image: Image of the Zenith client; empty is the registry's, or a stand-in.
        keep: Leave the new pod and volumes even if a notebook cannot be spawned.
        jupyterhub: Line of JupyterHub in the hub image, such as "5.5"; empty for the current one.

    Raises:
        UsageError: The line of JupyterHub is not supported.
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
class SpawnRequest:
    """A request to spawn a notebook as a user.

    Attributes:
        instance: The instance.
        user: Name for the login form; None is the first of devUsers.
        token: Login token, where the hub requires one; empty where it has a form.
        url: Address of the hub, where it is not published on this machine.
    """

    instance: Instance
    user: str | None = None
    token: str = field(default="", repr=False)
    url: str = ""
