"""A site's own settings of JupyterHub on a running instance: added, edited, broken and removed."""

from collections.abc import Callable
from pathlib import Path

from hubpod.client.browser import direct_session
from support.instances import PROJECT, RunningInstance

EXAMPLE = PROJECT / "examples" / "hub_config.d" / "50-announcement.py"


def login_page(running: RunningInstance) -> str:
    """Return the login page."""
    url = f"{running.status['url']}/hub/login"
    with direct_session(url) as session:
        return session.get(url, timeout=10).text


def test_settings_of_a_site_follow_its_edits(instances: Callable[[], RunningInstance]) -> None:
    """A first file and an edit restart the hub alone; a broken one is named with its line and changes nothing."""
    running = instances()
    assert running.up().code == 0
    own = Path(running.status["deploy_dir"]) / "hub_config.d"
    own.mkdir()
    path = own / "50-announcement.py"
    path.write_text(EXAMPLE.read_text())
    path.chmod(0o600)
    slurm = running.podman.containers(running.instance.labels)[running.podman_name("slurm")]

    result = running.invoke("dev.reload")

    assert result.code == 0, result.text
    assert "Maintenance on Friday" in login_page(running)
    assert running.podman.containers(running.instance.labels)[running.podman_name("slurm")] == slurm

    path.write_text(EXAMPLE.read_text().replace("Friday", "Monday") + "c.Spawner.environment['SITE'] = 'Bristol'\n")
    assert running.invoke("dev.reload").code == 0
    assert "Maintenance on Monday" in login_page(running)

    path.write_text("c.JupyterHub.template_vars = {\n")
    refused = running.invoke("dev.reload")
    assert refused.code == 3
    assert f"{path}:1: is not Python" in refused.stderr

    path.write_text("x = 1\nc.JupyterHub.template_vars = y\n")
    failed = running.invoke("dev.reload")
    assert failed.code == 7
    assert f'File "{path}", line 2' in failed.stderr
    assert "NameError: name 'y' is not defined" in failed.stderr
    assert "Maintenance on Monday" in login_page(running)

    path.unlink()
    assert running.invoke("dev.reload").code == 0
    assert "Maintenance" not in login_page(running)


def test_failing_settings_of_a_new_pod_are_named(instances: Callable[[], RunningInstance]) -> None:
    """The first `up` with settings that fail names their file and line, and leaves nothing behind."""
    running = instances()
    path = running.settings_directory / "hub_config.d" / "50-broken.py"
    path.parent.mkdir(parents=True)
    path.write_text("c.JupyterHub.template_vars = undefined\n")

    result = running.up()

    assert result.code == 7
    assert f'File "{path}", line 1' in result.stderr
    assert "NameError: name 'undefined' is not defined" in result.stderr
    assert not running.remaining_resources()
