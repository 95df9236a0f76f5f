"""Commands for production: systemd unit and confirmation of a removal."""

import json
import os
import pty
import sys
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest
from rich.console import Console

from hubpod.cli import prod, reporting
from hubpod.commands import production
from hubpod.context import Context
from hubpod.instances import Instance, find_instance
from hubpod.podman.cli import Podman
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace

SILENT = ConsoleReporter(console=Console(quiet=True))
NAME = "hubpod-prod--site-a"
PODMAN = f"""\
#!/bin/sh
here=${{0%/*}}
echo "$*" >>"$here/calls"
case $1 in
--version) echo "podman version $(cat "$here/version")" ;;
info) cat "$here/info" ;;
ps) echo "[]" ;;
volume) echo "[]" ;;
pod) [ "$2" != ps ] || echo '[{{"Name": "{NAME}"}}, {{"Name": "{NAME}b"}}]' ;;
esac
"""

Render = Callable[..., str]
Down = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the PATH with a fake podman."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "podman").write_text(PODMAN)
    (folder / "podman").chmod(0o700)
    (folder / "version").write_text("4.9.3")
    (folder / "info").write_text(json.dumps({"host": {"security": {"rootless": False}}}))
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    for variable in ("HUBPOD_ENVIRONMENT", "HUBPOD_INSTANCE", "CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE"):
        monkeypatch.delenv(variable, raising=False)
    return folder


@pytest.fixture
def instance() -> Instance:
    """One of production."""
    return find_instance("prod", "site-a")


@pytest.fixture
def render(programs: Path, instance: Instance, tmp_path: Path) -> Render:
    """Render the systemd unit for a rootful or rootless podman of some version.

    hubpod's own containers.conf may be in use.
    """

    def rendered(*, rootless: bool = False, version: str = "4.9.3", conf: Path | None = None) -> str:
        (programs / "version").write_text(version)
        (programs / "info").write_text(json.dumps({"host": {"security": {"rootless": rootless}}}))
        context = Context(
            workspace=Workspace(project=tmp_path),
            podman=Podman(containers_conf=conf),
            reporter=SILENT,
        )
        return production.unit(context, instance)

    return rendered


def parsed(text: str) -> ConfigParser:
    """A unit, read as what it is: sections of keys, each of them once."""
    unit = ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#", ";"), strict=True)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # keys of units have capitals
    unit.read_string(text)
    return unit


@pytest.mark.parametrize(
    ("rootless", "folder", "command", "wanted_by"),
    [
        (False, "/etc/systemd/system", "systemctl enable --now", "multi-user.target"),
        (True, "~/.config/systemd/user", "systemctl --user enable --now", "default.target"),
    ],
    ids=["root's", "a user's"],
)
def test_a_unit_starts_and_stops_the_pod(  # noqa: PLR0913 - a row
    render: Render, programs: Path, *, rootless: bool, folder: str, command: str, wanted_by: str
) -> None:
    """It names podman and the pod in full, belongs to the right target, and says where it goes."""
    text = render(rootless=rootless)
    unit = parsed(text)

    assert unit.sections() == ["Unit", "Service", "Install"]
    assert unit["Service"]["ExecStart"] == f"{programs}/podman pod start {NAME}"
    assert unit["Service"]["ExecStop"] == f"{programs}/podman pod stop --ignore --time=5 {NAME}"
    assert (unit["Service"]["Type"], unit["Service"]["RemainAfterExit"]) == ("oneshot", "yes")
    assert unit["Install"]["WantedBy"] == wanted_by
    assert "site-a" in unit["Unit"]["Description"]
    assert text.startswith(f"# Write this to {folder}/{NAME}.service, then: {command} {NAME}\n")
    assert ("enable-linger" in text) is rootless


@pytest.mark.parametrize(
    ("version", "variable"),
    [
        ("4.3.1", "CONTAINERS_CONF"),
        ("4.6.2", "CONTAINERS_CONF"),
        ("4.7.0", "CONTAINERS_CONF_OVERRIDE"),
        ("5.4.2", "CONTAINERS_CONF_OVERRIDE"),
    ],
)
def test_a_unit_has_the_configuration_that_podman_needs_here(render: Render, version: str, variable: str) -> None:
    """A unit passes hubpod's own containers.conf to podman if it is in use.

    The variable depends on podman's version.
    """
    conf = Path("/srv/hub pod/.hubpod/containers.conf")

    service = parsed(render(version=version, conf=conf))["Service"]

    assert service["Environment"] == f'"{variable}={conf}"'


def test_a_unit_sets_no_variables_where_podman_needs_none(render: Render) -> None:
    """A podman that works by its defaults is started as it is."""
    assert "Environment" not in parsed(render())["Service"]


def test_a_path_in_a_unit_means_itself(render: Render) -> None:
    """Percent signs in a path are escaped, so that systemd finds no specifier in them.

    See systemd.unit(5), Specifiers.
    """
    service = parsed(render(conf=Path("/srv/50%hub/containers.conf")))["Service"]

    assert service["Environment"] == '"CONTAINERS_CONF_OVERRIDE=/srv/50%%hub/containers.conf"'


def test_a_unit_names_podman_in_full(render: Render, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory on the PATH may be relative, but the unit has absolute paths, as systemd requires."""
    monkeypatch.chdir(programs.parent)
    monkeypatch.setenv("PATH", f"{programs.name}{os.pathsep}{os.environ['PATH']}")

    service = parsed(render())["Service"]

    for line in (service["ExecStart"], service["ExecStop"]):
        program = Path(line.split()[0])
        assert program.is_absolute()
        assert program.samefile(programs / "podman")


@pytest.fixture
def down(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Down:
    """Run prod.down with a keyboard, and return the exit code and the removed pods."""
    workspace = Workspace(project=tmp_path)
    workspace.files(find_instance("prod", "site-a")).directory.mkdir(parents=True)  # it has been up

    def loud(*_: object, **__: object) -> Context:
        return Context(workspace=workspace, podman=Podman(), reporter=SILENT)

    monkeypatch.setattr("hubpod.cli.console.verbose_context", loud)
    monkeypatch.setattr(reporting, "INTERRUPTS", ())  # pytest's own

    def typed(keyboard: TextIO, *, volumes: bool = False, yes: bool = False) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "stdin", keyboard)
        code = 0
        try:
            prod.down(environment="prod", instance="site-a", volumes=volumes, yes=yes)
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        calls = (programs / "calls").read_text().splitlines() if (programs / "calls").exists() else []
        return code, [call.split()[-1] for call in calls if call.startswith("pod rm ")]

    return typed


@contextmanager
def terminal(keys: bytes) -> Iterator[TextIO]:
    """A real terminal with typed input."""
    master, slave = pty.openpty()
    with os.fdopen(slave) as keyboard:
        os.write(master, keys)
        yield keyboard
    os.close(master)


@pytest.mark.parametrize(
    ("keys", "agreed"),
    [(b"y\n", True), (b" YES \n", True), (b"n\n", False), (b"\n", False), (b"yep\n", False), (b"\x04", False)],
    ids=["y", "yes", "n", "Enter", "something else", "end of input"],
)
@pytest.mark.parametrize("volumes", [False, True], ids=["", "volumes"])
def test_down_prompts_before_it_removes_production(
    down: Down, capsys: pytest.CaptureFixture[str], keys: bytes, *, agreed: bool, volumes: bool
) -> None:
    """The prompt names the removed resources, and any answer but yes ends without an error."""
    with terminal(keys) as keyboard:
        code, removed = down(keyboard, volumes=volumes)

    shown = capsys.readouterr()
    what = f"{NAME} with its volumes: the hub's database and credentials" if volumes else NAME
    assert f"Remove {what}? [y/N] " in shown.out + shown.err
    assert removed == ([NAME] if agreed else [])
    assert ("nothing was removed" in shown.out) is not agreed
    assert code == 0


@pytest.mark.parametrize("volumes", [False, True], ids=["", "volumes"])
def test_without_a_terminal_down_requires_yes(down: Down, capsys: pytest.CaptureFixture[str], *, volumes: bool) -> None:
    """Without --yes, a script removes nothing and gets the exit code of wrong options."""
    with Path(os.devnull).open() as nobody:
        code, removed = down(nobody, volumes=volumes)
        shown = capsys.readouterr()
        assert (code, removed, shown.out) == (2, [], "")
        assert shown.err.startswith(f"prod, instance site-a\n✗ Remove {NAME}")
        assert shown.err.endswith("→ add --yes\n")

        assert down(nobody, volumes=volumes, yes=True) == (0, [NAME])


def test_yes_skips_the_prompt(down: Down, capsys: pytest.CaptureFixture[str]) -> None:
    """With --yes the terminal is not read."""
    with terminal(b"n\n") as keyboard:
        assert down(keyboard, yes=True) == (0, [NAME])

    assert "Remove" not in capsys.readouterr().out
