"""Fixtures: a podman, and instances that leave nothing."""

import secrets
from collections.abc import Callable, Iterator

import pytest
from support.instances import PROJECT, Running

from hubpod.machine import usable_podman
from hubpod.podman import Podman
from hubpod.workspace import Workspace


@pytest.fixture(scope="session")
def podman() -> Podman:
    """The podman that the commands use."""
    return usable_podman(Workspace(project=PROJECT).state)


@pytest.fixture
def instances(podman: Podman) -> Iterator[Callable[[], Running]]:
    """Makes names of instances; whatever runs under them is removed after the test."""
    made: list[Running] = []

    def make() -> Running:
        made.append(Running(name=f"it-{secrets.token_hex(4)}", podman=podman))
        return made[-1]

    yield make
    for running in made:
        running.type("dev.down", "--volumes")
        running.forget()
        assert not running.leftovers()


@pytest.fixture(scope="session")
def running(podman: Podman) -> Iterator[Running]:
    """One instance that the tests of this run share; its end leaves nothing."""
    shared = Running(name=f"it-{secrets.token_hex(4)}", podman=podman)
    try:
        typed = shared.up()
        assert typed.code == 0, typed.text
        yield shared
    finally:
        typed = shared.type("dev.down", "--volumes")
        shared.forget()
    assert typed.code == 0, typed.text
    assert not shared.leftovers()
