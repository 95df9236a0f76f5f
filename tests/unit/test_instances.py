"""The names of instances and of their resources."""

import itertools

import pytest

from hubpod.environments import ENVIRONMENTS
from hubpod.errors import UsageError
from hubpod.instances import Instance, find_instance


@pytest.mark.parametrize("name", ["../../x", "a b", "", "-a", "a-", "Ä", "a" * 21, "a/b", "a\nb"])
def test_an_instance_name_that_could_not_be_a_resource_is_refused(name: str) -> None:
    """Instance names that directories, podman or Kubernetes could not have are refused."""
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
