"""The table of environments. Open this file first.

An environment is a choice on a few axes. All other code queries the traits of these axis values, never their names.
"""

from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from hubpod.errors import UsageError, nearest


class Stage(Enum):
    """The build stage of the images."""

    DEV = "dev"
    PROD = "prod"

    @property
    def commands(self) -> str:
        """The namespace of the stage's commands, e.g. ``dev`` in ``dev.up``."""
        return self.value

    @property
    def uses_clones(self) -> bool:
        """Whether containers run the sources from the developer's clones, mounted as volumes.

        Otherwise the images contain releases of the sources.
        """
        match self:
            case Stage.DEV:
                return True
            case Stage.PROD:
                return False
            case _:
                assert_never(self)

    @property
    def falls_back_to_stand_in(self) -> bool:
        """Whether a stand-in replaces a foreign image that cannot be pulled, without an option."""
        match self:
            case Stage.DEV:
                return True
            case Stage.PROD:
                return False
            case _:
                assert_never(self)

    @property
    def may_be_pruned(self) -> bool:
        """Whether ``dev.prune`` removes stopped instances."""
        match self:
            case Stage.DEV:
                return True
            case Stage.PROD:
                return False
            case _:
                assert_never(self)

    @property
    def can_keep_failed_pod(self) -> bool:
        """Whether ``up`` has the option ``--keep``."""
        match self:
            case Stage.DEV:
                return True
            case Stage.PROD:
                return False
            case _:
                assert_never(self)


class Login(Enum):
    """How a user logs in to the hub."""

    DUMMY = "dummy"
    JWT = "JWT"

    @property
    def uses_token(self) -> bool:
        """Whether each login brings a token of an issuer, in a header."""
        match self:
            case Login.DUMMY:
                return False
            case Login.JWT:
                return True
            case _:
                assert_never(self)

    @property
    def uses_password(self) -> bool:
        """Whether users log in by a form, with the password in the deploy ConfigMap."""
        match self:
            case Login.DUMMY:
                return True
            case Login.JWT:
                return False
            case _:
                assert_never(self)


class Slurm(Enum):
    """Where the notebooks run."""

    POD = "in the pod"
    EXTERNAL = "external"

    @property
    def in_pod(self) -> bool:
        """Whether Slurm and the notebooks run in a pod of the instance, not at the site."""
        match self:
            case Slurm.POD:
                return True
            case Slurm.EXTERNAL:
                return False
            case _:
                assert_never(self)


class Ingress(Enum):
    """How a browser reaches the hub."""

    HOST_PORT = "host port"
    ZENITH = "Zenith tunnel"

    @property
    def publishes_port(self) -> bool:
        """Whether browsers reach the proxy by a port of the host.

        Otherwise only the pod's containers reach the proxy.
        """
        match self:
            case Ingress.HOST_PORT:
                return True
            case Ingress.ZENITH:
                return False
            case _:
                assert_never(self)

    @property
    def uses_zenith(self) -> bool:
        """Whether a Zenith client in the pod connects the proxy to a Zenith server."""
        match self:
            case Ingress.HOST_PORT:
                return False
            case Ingress.ZENITH:
                return True
            case _:
                assert_never(self)


AxisValue = Stage | Login | Slurm | Ingress


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One row of the table: a value for each axis."""

    name: str
    stage: Stage
    login: Login
    slurm: Slurm
    ingress: Ingress

    def __post_init__(self) -> None:
        if self.stage is Stage.PROD and self.login is Login.DUMMY:
            raise ValueError(f"environment {self.name}: stage prod does not allow the dummy login")

    @property
    def axes(self) -> tuple[AxisValue, ...]:
        """The environment's values, one for each axis."""
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
PRODUCTION_ENVIRONMENT = next(row.name for row in ENVIRONMENTS if row.stage is Stage.PROD)


def find_environment(name: str) -> Environment:
    """Find an environment by its name.

    Raises:
        UsageError: The environment does not exist.
    """
    by_name = {environment.name: environment for environment in ENVIRONMENTS}
    if name in by_name:
        return by_name[name]
    raise UsageError(
        f"environment {name!r} does not exist{nearest(name, by_name)}",
        remedy="choose one of " + ", ".join(by_name),
    )
