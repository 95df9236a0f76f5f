"""Instances: running copies of an environment, and the names and labels of their resources."""

import re
from dataclasses import dataclass

from hubpod.environments import Environment, find_environment
from hubpod.errors import UsageError
from hubpod.labels import LABEL_ENVIRONMENT, LABEL_INSTANCE, MANAGED_BY
from hubpod.system.started_as import command_line

DEFAULT_INSTANCE = "default"
_INSTANCE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One copy of an environment, from which the names and labels of its podman resources derive."""

    environment: Environment
    name: str

    def __str__(self) -> str:
        """The instance in messages."""
        return f"{self.environment.name}, instance {self.name}"

    @property
    def resource(self) -> str:
        """The name of the hub's pod and the prefix of other names, e.g. ``hubpod-dev-dummyauth--default``.

        The first double hyphen ends the environment's name, so that resource names are unique.
        """
        return f"hubpod-{self.environment.name.replace('_', '-')}--{self.name}"

    def command(self, name: str, *words: str) -> str:
        """Return a command for this instance as the user would type it, such as ``./run invoke dev.up -e … -i …``."""
        task = f"{self.environment.stage.commands}.{name}"
        return command_line(task, "-e", self.environment.name, "-i", self.name, *words)

    def pod(self, part: str) -> str:
        """The name of one of the instance's pods; the hub's is the part "".

        podman's name service and a cluster's resolve it in the other pods.
        """
        return f"{self.resource}-{part}" if part else self.resource

    def volume(self, part: str) -> str:
        """The full name of one of the instance's volumes."""
        return f"{self.resource}-{part}"

    @property
    def labels(self) -> dict[str, str]:
        """The labels of each of the instance's resources."""
        return {MANAGED_BY: "hubpod", LABEL_ENVIRONMENT: self.environment.name, LABEL_INSTANCE: self.name}


def find_instance(environment: str, instance: str) -> Instance:
    """Find an instance by its names, as typed by the developer or operator.

    Raises:
        UsageError: The environment does not exist, or the instance name is invalid.
    """
    return Instance(environment=find_environment(environment), name=_checked_instance_name(instance))


def _checked_instance_name(name: str) -> str:
    if _INSTANCE_NAME.fullmatch(name):
        return name
    suggestion = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:20].strip("-")
    hint = f"; did you mean {suggestion!r}?" if suggestion else ""
    raise UsageError(
        f"{name!r} is not an instance name{hint}",
        remedy="use 1 to 20 lower-case letters, digits and inner hyphens",
    )
