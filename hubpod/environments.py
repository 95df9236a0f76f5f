"""The environments, as choices on a few axes. Open this file first.

Everything else derives from an Environment's axis values; no code asks for an environment by name.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from hubpod.errors import UsageError
from hubpod.labels import LABEL_ENVIRONMENT, LABEL_INSTANCE, MANAGED_BY


class Stage(Enum):
    """Which build stage the images are taken from."""

    DEV = "dev"
    PROD = "prod"

    @property
    def commands(self) -> str:
        """The first part of the commands for it, as in ``dev.up``."""
        return self.value


class Login(Enum):
    """How a person becomes a user of the hub."""

    DUMMY = "dummy"
    JWT = "JWT"


class Slurm(Enum):
    """Where the notebooks run."""

    POD = "in the pod"
    EXTERNAL = "external"


class Ingress(Enum):
    """How a browser reaches the hub."""

    HOST_PORT = "host port"
    ZENITH = "Zenith tunnel"


AxisValue = Stage | Login | Slurm | Ingress


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One row of the table: how stage, login, Slurm and ingress are arranged."""

    name: str
    stage: Stage
    login: Login
    slurm: Slurm
    ingress: Ingress

    def __post_init__(self) -> None:
        if self.stage is Stage.PROD and self.login is Login.DUMMY:
            raise ValueError(f"{self.name}: production never has the dummy login")

    @property
    def axes(self) -> tuple[AxisValue, ...]:
        """The environment's choice on each axis."""
        return (self.stage, self.login, self.slurm, self.ingress)


ENVIRONMENTS = (
    Environment(name="dev_dummyauth", stage=Stage.DEV, login=Login.DUMMY, slurm=Slurm.POD, ingress=Ingress.HOST_PORT),
    Environment(
        name="dev_dummyauth_extslurm",
        stage=Stage.DEV,
        login=Login.DUMMY,
        slurm=Slurm.EXTERNAL,
        ingress=Ingress.HOST_PORT,
    ),
    Environment(name="dev_realauth", stage=Stage.DEV, login=Login.JWT, slurm=Slurm.POD, ingress=Ingress.HOST_PORT),
    Environment(
        name="dev_realauth_zenithclient", stage=Stage.DEV, login=Login.JWT, slurm=Slurm.POD, ingress=Ingress.ZENITH
    ),
    Environment(name="prod", stage=Stage.PROD, login=Login.JWT, slurm=Slurm.EXTERNAL, ingress=Ingress.ZENITH),
)

DEFAULT_ENVIRONMENT = "dev_dummyauth"
DEFAULT_INSTANCE = "default"


_INSTANCE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One running copy of an environment; the names and labels of all its resources derive from it."""

    environment: Environment
    name: str

    @property
    def resource(self) -> str:
        """The pod's name, and the prefix of all others, e.g. ``hubpod-dev-dummyauth--default``.

        The double hyphen keeps two pairs of environment and instance from ever sharing a name.
        """
        return f"hubpod-{self.environment.name.replace('_', '-')}--{self.name}"

    def volume(self, part: str) -> str:
        """The name of one of the instance's volumes."""
        return f"{self.resource}-{part}"

    @property
    def labels(self) -> dict[str, str]:
        """The labels that every resource of the instance carries."""
        return {MANAGED_BY: "hubpod", LABEL_ENVIRONMENT: self.environment.name, LABEL_INSTANCE: self.name}


def find_instance(environment: str, instance: str) -> Instance:
    """Look both names up, as typed by a person.

    Raises:
        UsageError: There is no such environment, or the instance's name is not a valid one.
    """
    return Instance(environment=find_environment(environment), name=_checked_instance_name(instance))


def find_environment(name: str) -> Environment:
    """The environment of that name.

    Raises:
        UsageError: There is none.
    """
    by_name = {environment.name: environment for environment in ENVIRONMENTS}
    if name in by_name:
        return by_name[name]
    raise UsageError(
        f"there is no environment {name!r}{nearest(name, by_name)}",
        remedy="environments: " + ", ".join(by_name),
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """A suggestion to append to an error about an unknown name, empty when nothing is near."""
    matches = difflib.get_close_matches(name, tuple(known), n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def _checked_instance_name(name: str) -> str:
    if _INSTANCE_NAME.fullmatch(name):
        return name
    suggestion = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:20].strip("-")
    hint = f"; did you mean {suggestion!r}?" if suggestion else ""
    raise UsageError(
        f"{name!r} is not an instance name{hint}",
        remedy="use 1 to 20 lower-case letters, digits and inner hyphens",
    )
