"""Edits of sources and configuration: what restarts, and how a failed edit is reported."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from hubpod.components.assembly import instance_spec
from hubpod.components.site import Site
from hubpod.deployment import apply, seeding, tracebacks
from hubpod.deployment.apply import Difference
from hubpod.deployment.refresh import find_readers, renew
from hubpod.environments import find_environment
from hubpod.errors import NotReadyError
from hubpod.labels import LABEL_MANIFEST
from hubpod.manifests import podman as podman_manifest
from hubpod.pod import REFUSED
from hubpod.podman.answers import ContainerState
from hubpod.podman.cli import Podman
from hubpod.podman.snapshot import Snapshot
from hubpod.system.process import Result
from support.sites import PROJECT, site
from support.stand_ins import find_seed

HUB_LOG = """\
[I 2026-01-31 08:16:48.892 JupyterHub app:3493] Running JupyterHub version 6.1.1
[E 2026-01-31 08:16:49.100 JupyterHub app:3957] Failed to load
    Traceback (most recent call last):
      File "/opt/jupyterhub/lib/python3.13/site-packages/traitlets/config/application.py", line 1006, in load
        yield each
      File "/etc/jupyterhub/fragments/login_dummy.py", line 12, in <module>
        c.Authenticator.allow_all = allowed(
                                    ^^^^^^^^
      File "/usr/src/bricsauthenticator/src/bricsauthenticator/__init__.py", line 7, in <module>
        raise RuntimeError('mine')
    RuntimeError: mine
[I 2026-01-31 08:16:49.200 JupyterHub app:3960] The end
"""


@pytest.fixture
def dummy() -> Site:
    """Return the site of dev_dummyauth."""
    return site(find_environment("dev_dummyauth"))


@pytest.mark.parametrize(
    ("parts", "restarted"),
    [
        (("hub-source",), ("jupyterhub",)),
        (("hub-config",), ("jupyterhub",)),
        (("slurm-source",), ()),
        (("slurm-config",), ("slurm",)),
        (("slurm-source", "hub-source"), ("jupyterhub",)),
        (("slurm-config", "hub-config"), ("slurm", "jupyterhub")),
    ],
)
def test_only_readers_of_a_change_restart(dummy: Site, parts: tuple[str, ...], restarted: tuple[str, ...]) -> None:
    """The hub restarts for code and configuration, and Slurm for configuration.

    Wrappers restart nothing.
    """
    assert find_readers(instance_spec(dummy), tuple(find_seed(dummy, part) for part in parts)) == restarted


@pytest.mark.parametrize(
    ("stopped", "changed", "expected"),
    [
        ((), (), Difference.NONE),
        ((), ("hub-source",), Difference.CONTENT),
        (("jupyterhub",), ("hub-source",), Difference.CONTENT),
        (("jupyterhub",), (), Difference.POD),
        (("jupyterhub",), ("slurm-source",), Difference.POD),
        (("slurm", "jupyterhub"), ("hub-source",), Difference.POD),
        # podman would end Slurm's pod, in which its container is alone, while that container restarts.
        ((), ("slurm-credentials",), Difference.POD),
        ((), ("slurm-config",), Difference.CONTENT),
        ((), ("hub-credentials",), Difference.CONTENT),
    ],
)
def test_an_interrupted_restart_does_not_replace_the_pod(
    dummy: Site, stopped: tuple[str, ...], changed: tuple[str, ...], expected: Difference
) -> None:
    """An ended container requires a new pod, unless it has to restart anyway."""
    spec = instance_spec(dummy)
    labels = {LABEL_MANIFEST: podman_manifest.digest(spec)}
    states = {
        full: SimpleNamespace(state="exited" if name in stopped else "running", labels=labels)
        for name, full in spec.podman_names.items()
    }
    stale = seeding.StaleVolumes(missing=(), changed=tuple(find_seed(dummy, part) for part in changed), digests={})
    found = Snapshot(containers=cast("dict[str, ContainerState]", states), volumes={})

    assert apply.compare(spec, found, stale) is expected


@pytest.mark.parametrize(
    ("name", "part", "renews", "restarted"),
    [
        ("jupyterhub", "hub-source", True, False),
        ("jupyterhub", "hub-config", True, False),
        ("jupyterhub", "hub-source", False, True),
        ("jupyterhub", "hub-credentials", True, True),
        ("slurm", "slurm-config", True, False),
        ("slurm", "slurm-accounts", True, False),
        ("slurm", "slurm-config", False, True),
        ("slurm", "slurm-credentials", True, True),
    ],
)
def test_hub_and_slurm_reload_inside_their_containers(
    dummy: Site, name: str, part: str, *, renews: bool, restarted: bool
) -> None:
    """Containers restart for credentials and when their own command fails.

    Some credentials are environment variables.
    """
    spec = instance_spec(dummy)
    (container,) = (each for each in spec.containers if each.name == name)
    restarts: list[str] = []
    answers = {"execute": lambda *_: Result(argv=(), returncode=int(not renews)), "restart": restarts.append}

    renew(cast("Podman", SimpleNamespace(**answers)), spec, container, [dummy.instance.volume(part)])

    assert bool(restarts) is restarted


def test_a_refused_configuration_restarts_nothing(dummy: Site) -> None:
    """A container whose restart would fail keeps running, and so do its jobs.

    The error carries the container's message.
    """
    spec = instance_spec(dummy)
    (slurm,) = (each for each in spec.containers if each.name == "slurm")
    answers = {"execute": lambda *_: Result(argv=(), returncode=REFUSED, stderr="unrecognized key: Nod\n")}

    with pytest.raises(NotReadyError, match="slurm refuses what was changed") as caught:
        renew(cast("Podman", SimpleNamespace(**answers)), spec, slurm, [dummy.instance.volume("slurm-config")])

    assert caught.value.detail == ("unrecognized key: Nod",)


def test_a_production_hub_has_no_reload_command(dummy: Site) -> None:
    """Its image has the code, so no process keeps the imports of a forked hub."""
    renewed = [each.name for each in instance_spec(replace(dummy, sources={})).containers if each.renew]
    assert "jupyterhub" not in renewed


def test_production_mounts_no_source() -> None:
    """Its images have the code."""
    found = site(find_environment("prod"))

    assert not [each.volume for each in instance_spec(found).seeds if "source" in each.volume]


def test_a_traceback_names_the_developers_files(dummy: Site) -> None:
    """Frames in the clone and in volumes/ get their paths on the host.

    Other frames and markers are left out.
    """
    clone = dummy.sources["bricsauthenticator"].directory

    assert tracebacks.excerpt_own_code(dummy, HUB_LOG) == (
        f'  File "{PROJECT}/volumes/jupyterhub/axes/login_dummy.py", line 12, in <module>',
        "    c.Authenticator.allow_all = allowed(",
        f'  File "{clone}/src/bricsauthenticator/__init__.py", line 7, in <module>',
        "    raise RuntimeError('mine')",
        "RuntimeError: mine",
    )


def test_a_traceback_without_the_developers_code_is_ignored(dummy: Site) -> None:
    """It has no frame in the clones or in volumes/."""
    others = HUB_LOG.replace("/etc/jupyterhub/", "/etc/other/").replace("/usr/src/", "/usr/lib/")

    assert tracebacks.excerpt_own_code(dummy, others) == ()
