"""Edits of the hub configuration, applied by dev.up while notebooks keep running."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hubpod.client.browser import direct_session
from hubpod.podman.cli import Podman
from hubpod.sources import content
from support.instances import PROJECT, RunningInstance, temporary_instance

FRAGMENT = "volumes/jupyterhub/axes/login_dummy.py"
EDIT = "\nc.JupyterHub.template_vars = {'announcement': 'a line of my own'}\n"
BUG = "\nraise RuntimeError('a bug of my own')\n"


@pytest.fixture
def instance_of_copy(podman: Podman, tmp_path: Path) -> Iterator[RunningInstance]:
    """Bring up an instance of a copy of the checkout."""
    project = tmp_path / "checkout"
    content.copy(PROJECT, project)
    with temporary_instance(podman, project=project) as running:
        yield running


def test_an_edited_fragment_reaches_the_running_hub(instance_of_copy: RunningInstance) -> None:
    """The second dev.up applies the edit, and an open kernel still answers."""
    fragment = instance_of_copy.project / FRAGMENT
    first = instance_of_copy.up()
    assert first.code == 0, first.text
    session = instance_of_copy.login()
    server = session.spawn(project="project1")

    with server.kernel() as kernel:
        kernel.execute("before = 41")
        fragment.write_text(fragment.read_text() + EDIT)
        second = instance_of_copy.up()
        assert kernel.execute("before + 1") == "42"

    assert second.code == 0, second.text
    assert "restarted: jupyterhub" in second.text
    with direct_session() as browser:
        assert "a line of my own" in browser.get(f"{instance_of_copy.status['url']}/hub/login", timeout=10).text
    assert session.server().is_active()
    assert "nothing changed" in instance_of_copy.up().text


def test_a_broken_fragment_loses_no_notebook(instance_of_copy: RunningInstance) -> None:
    """A fragment that ends the hub is reported with its line and reverted. A fix is applied."""
    fragment = instance_of_copy.project / FRAGMENT
    good = fragment.read_text()
    first = instance_of_copy.up()
    assert first.code == 0, first.text
    session = instance_of_copy.login()
    session.spawn(project="project1")

    fragment.write_text(good + BUG)
    broken = instance_of_copy.up()
    with direct_session() as browser:
        meanwhile = browser.get(f"{instance_of_copy.status['url']}/hub/login", timeout=10)
    fragment.write_text(good)
    corrected = instance_of_copy.up()

    assert broken.code == 7, broken.text
    assert "a bug of my own" in broken.stderr
    assert f'File "{fragment}"' in broken.stderr
    assert meanwhile.ok
    assert corrected.code == 0, corrected.text
    assert session.server().is_active()
    assert session.server().execute("5 * 4") == "20"
