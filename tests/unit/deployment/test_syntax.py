"""Modules that cannot be compiled."""

from dataclasses import replace

import pytest

from hubpod.components.assembly import instance_spec
from hubpod.components.site import Site
from hubpod.deployment import syntax
from hubpod.environments import find_environment
from hubpod.errors import SourceError
from hubpod.pod import File, Seed
from hubpod.system.process import Result
from support.sites import site
from support.stand_ins import find_seed, podman_returning

MODULE = "src/bricsauthenticator/__init__.py"


@pytest.fixture
def dummy() -> Site:
    """Return the site of dev_dummyauth."""
    return site(find_environment("dev_dummyauth"))


def edit(dummy: Site, code: bytes) -> Seed:
    """Return the seed of the hub's source with another module."""
    return replace(find_seed(dummy, "hub-source"), files=(File(path=MODULE, content=code),))


def test_a_module_that_cannot_be_compiled_is_refused(dummy: Site) -> None:
    """The error names the file in the clone and the line.

    The container's Python must refuse the module as well.
    """
    podman = podman_returning({"execute": Result(argv=(), returncode=1)})

    with pytest.raises(SourceError) as caught:
        syntax.require_valid(podman, dummy, instance_spec(dummy), (edit(dummy, b"a = 1\nb = (\n"),), {})

    clone = dummy.sources["bricsauthenticator"].directory
    assert f"{clone}/{MODULE}, line 2: " in caught.value.message


def test_the_containers_python_decides(dummy: Site) -> None:
    """Syntax that this Python does not know may be valid for the newer one in the container."""
    podman = podman_returning({"execute": Result(argv=(), returncode=0)})

    syntax.require_valid(podman, dummy, instance_spec(dummy), (edit(dummy, b"type of what = 1\n"),), {})


def test_only_changed_modules_are_compiled(dummy: Site) -> None:
    """A broken module that runs already does not stop the edit of another one."""
    broken = edit(dummy, b"b = (\n")

    syntax.require_valid(podman_returning({}), dummy, instance_spec(dummy), (broken,), {broken.volume: broken.tar()})
    assert syntax.find_changed_files(broken, find_seed(dummy, "hub-source").tar()) == broken.files
