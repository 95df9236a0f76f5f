"""The table of environments, and the names that derive from it."""

import itertools

import pytest

from hubpod.environments import (
    ENVIRONMENTS,
    Environment,
    Ingress,
    Instance,
    Login,
    Slurm,
    Stage,
    find_environment,
    find_instance,
)
from hubpod.errors import UsageError


def test_production_never_has_the_dummy_login() -> None:
    """Production with the dummy login is refused."""
    with pytest.raises(ValueError, match="dummy"):
        Environment(name="x", stage=Stage.PROD, login=Login.DUMMY, slurm=Slurm.POD, ingress=Ingress.HOST_PORT)


def test_environments_differ_in_their_axes() -> None:
    """No two rows of the table have the same axis values."""
    assert len({environment.axes for environment in ENVIRONMENTS}) == len(ENVIRONMENTS) == 5


@pytest.mark.parametrize(("typed", "meant"), [("dev_dummyauht", "dev_dummyauth"), ("dev-realauth", "dev_realauth")])
def test_a_mistyped_environment_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    """The error about an unknown environment suggests a similar one and lists all."""
    with pytest.raises(UsageError, match=f"did you mean '{meant}'") as caught:
        find_environment(typed)

    assert "prod" in caught.value.remedy


@pytest.mark.parametrize("name", ["../../x", "a b", "", "-a", "a-", "Ä", "a" * 21, "a/b", "a\nb"])
def test_an_instance_name_that_could_not_be_a_resource_is_refused(name: str) -> None:
    """Names that would leave a directory, or that podman or Kubernetes would refuse, are refused."""
    with pytest.raises(UsageError, match="instance name"):
        find_instance("dev_dummyauth", name)


def test_a_capital_letter_gets_a_suggestion() -> None:
    """An invalid capital letter leads to a suggestion in lower case."""
    with pytest.raises(UsageError, match="did you mean 'mine-2'"):
        find_instance("dev_dummyauth", "Mine 2")


def test_no_two_instances_share_a_resource_name() -> None:
    """Resource names are unique, even for instance names with hyphens."""
    names = ["default", "a", "extslurm", "extslurm-a", "zenithclient"]
    pairs = itertools.product(ENVIRONMENTS, names)

    resources = [Instance(environment=environment, name=name).resource for environment, name in pairs]

    assert len(set(resources)) == len(resources)
