"""The table of environments."""

import pytest

from hubpod.environments import ENVIRONMENTS, Environment, Ingress, Login, Slurm, Stage, find_environment
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
