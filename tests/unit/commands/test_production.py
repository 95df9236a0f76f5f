"""Commands for production: systemd unit, confirmation of a removal, and rollback."""

import json
import os
import pty
import re
import sys
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import pytest
import yaml
from rich.console import Console

from hubpod.cli import prod, reporting
from hubpod.commands import production
from hubpod.components import jupyterhub, zenith
from hubpod.components.assembly import pod_spec
from hubpod.components.site import Site as PodSite
from hubpod.context import Context
from hubpod.deployment import rollback
from hubpod.deployment.apply import Difference, bring_up, find_difference
from hubpod.deployment.rollback import restoring_on_failure
from hubpod.environments import find_environment
from hubpod.errors import HubpodError
from hubpod.instances import Instance, find_instance
from hubpod.podman.cli import Podman
from hubpod.podman.snapshot import Snapshot
from hubpod.system.process import CommandError, Result
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace
from support.sites import site

SILENT = ConsoleReporter(console=Console(quiet=True))
NAME = "hubpod-prod--site-a"
PODMAN = """\
#!/bin/sh
here=${0%/*}
echo "$*" >>"$here/calls"
case $1 in
--version) echo "podman version $(cat "$here/version")" ;;
info) cat "$here/info" ;;
ps) echo "[]" ;;
volume) echo "[]" ;;
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

    def loud() -> Context:
        return Context(workspace=Workspace(project=tmp_path), podman=Podman(), reporter=SILENT)

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
        assert shown.err.startswith(f"✗ Remove {NAME}")
        assert shown.err.endswith("→ add --yes\n")

        assert down(nobody, volumes=volumes, yes=True) == (0, [NAME])


def test_yes_skips_the_prompt(down: Down, capsys: pytest.CaptureFixture[str]) -> None:
    """With --yes the terminal is not read."""
    with terminal(b"n\n") as keyboard:
        assert down(keyboard, yes=True) == (0, [NAME])

    assert "Remove" not in capsys.readouterr().out


class UnfitError(HubpodError):
    """The reason for the failure of an upgrade."""


@dataclass(frozen=True, kw_only=True)
class RememberedPodman(Podman):
    """A podman with its state in memory, which fails on request.

    Attributes:
        volumes_: Labels and content, by name.
        states: State of each container, by name.
        pod: The labels of the pod; empty without a pod.
        failing: Prefixes of commands that fail.
        calls: All commands.
    """

    volumes_: dict[str, tuple[dict[str, str], bytes]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    pod: dict[str, str] = field(default_factory=dict)
    failing: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def run(
        self,
        *args: str,
        stdin: bytes | None = None,
        check: bool = True,
        timeout_s: float | None = None,  # noqa: ARG002 - nothing takes long here
    ) -> Result:
        """Do what a few commands do."""
        line = " ".join(args)
        self.calls.append(line)
        if any(line.startswith(start) for start in self.failing):
            refused = Result(argv=args, returncode=125, stderr="told to fail")
            if check:
                raise CommandError(refused)
            return refused
        answer = self._answer(args, stdin or b"")
        return Result(argv=args, returncode=int(answer is None), stdout=answer or "")

    def _answer(self, args: tuple[str, ...], stdin: bytes) -> str | None:
        """Return podman's output, or None on failure."""
        match args:
            case ["volume", "ls", "--quiet", *_]:
                return "\n".join(self.volumes_)
            case ["volume", "ls", *_]:
                return json.dumps([{"Name": name, "Labels": labels} for name, (labels, _) in self.volumes_.items()])
            case ["volume", "import", name, archive]:
                content = stdin if archive == "-" else Path(archive).read_bytes()
                self.volumes_[name] = (self.volumes_[name][0], content)
            case ["volume", "export", output, name]:
                Path(output.removeprefix("--output=")).write_bytes(self.volumes_[name][1])
            case ["volume", "rm", "--force", *names]:
                for name in names:
                    self.volumes_.pop(name, None)
            case ["run", *options]:
                name = next(each for each in options if each.startswith("--volume=")).split("=")[1].split(":")[0]
                self.volumes_[name] = (self.volumes_[name][0], stdin)
            case _:
                return self._answer_for_pods(args, stdin)
        return ""

    def _answer_for_pods(self, args: tuple[str, ...], stdin: bytes) -> str | None:
        match args:
            case ["kube", "play", "-"]:
                for document in yaml.safe_load_all(stdin):
                    self._play(document["kind"], document["metadata"], document["spec"])
            case ["pod", "rm", *_]:
                self.pod.clear()
                self.states.clear()
            case ["pod", "exists", _]:
                return "" if self.pod else None
            case ["stop", _, name]:
                self.states[name] = "exited"
            case ["start" | "restart", *_, name]:
                self.states[name] = "running"
            case ["ps", *_]:
                rows = [
                    {"Names": [name], "Image": "image", "State": state, "Labels": self.pod, "StartedAt": 1}
                    for name, state in self.states.items()
                ]
                return json.dumps(rows)
            case ["logs", *_]:
                return zenith.READY_LINE
        return ""

    def _play(self, kind: str, metadata: dict[str, Any], spec: dict[str, Any]) -> None:
        if kind == "PersistentVolumeClaim":
            self.volumes_[metadata["name"]] = (metadata["labels"], b"")
            return
        self.pod.update(metadata["labels"])
        self.states.update({f"{metadata['name']}-{each['name']}": "running" for each in spec["containers"]})


@dataclass(frozen=True, kw_only=True)
class Site:
    """A production with versions that differ in a credential only.

    Attributes:
        context: What commands work with.
        podman: All that it has.
        base: What every version derives from.
    """

    context: Context
    podman: RememberedPodman
    base: PodSite

    @property
    def found(self) -> Snapshot:
        """Podman's snapshot of the instance."""
        return self.context.snapshot(self.base.instance)

    def at(self, version: int) -> PodSite:
        """Return the site of a version."""
        key_files = replace(self.base.key_files, ssh_known_hosts=b"host ssh-ed25519 KEY-%d\n" % version)
        return replace(self.base, key_files=key_files)

    def up(self, version: int, *, keep: bool = False) -> None:
        """Bring a version up."""
        bring_up(self.context, self.at(version), pod_spec(self.at(version)), self.found, keep=keep)

    def is_running(self, version: int) -> bool:
        """Whether hubpod takes what runs for that version."""
        return (
            find_difference(self.context.workspace, self.at(version), pod_spec(self.at(version)), self.found)
            is Difference.NONE
        )

    def upgrade_and_fail(self, version: int) -> HubpodError:
        """Upgrade to a version that changes the database and fails, and return the error."""
        with pytest.raises(HubpodError) as caught:
            self._upgrade(version)
        return caught.value

    def _upgrade(self, version: int) -> None:
        with restoring_on_failure(self.context, self.base.instance, self.found, database=True):
            self.up(version, keep=True)
            self.write(b"changed by the new version")
            raise UnfitError("not ready")

    @property
    def database(self) -> str:
        """Name of the volume."""
        return self.base.instance.volume(jupyterhub.DATA_VOLUME)

    def write(self, content: bytes) -> None:
        """Be the hub that writes its database."""
        self.podman.volumes_[self.database] = (self.podman.volumes_[self.database][0], content)

    @property
    def running(self) -> int:
        """The version whose credential the hub would read, or 0 without one."""
        content = self.podman.volumes_[self.base.instance.volume("hub-credentials")][1]
        found = re.search(rb"KEY-(\d)", content)
        return int(found[1]) if found else 0

    @property
    def copies(self) -> Path:
        """The directory of an upgrade's backup."""
        return self.context.workspace.files(self.base.instance).backup


@pytest.fixture
def production_site(tmp_path: Path) -> Site:
    """Production, version 1, with something in its database."""
    podman = RememberedPodman(_versions=[(4, 9, 3)])
    base = site(find_environment("prod"))
    workspace = Workspace(project=tmp_path)
    workspace.files(base.instance).directory.mkdir(parents=True)
    found = Site(context=Context(workspace=workspace, podman=podman, reporter=SILENT), podman=podman, base=base)
    found.up(1)
    found.write(b"precious")
    return found


def test_a_failed_upgrade_puts_everything_back(production_site: Site) -> None:
    """A failed upgrade restores database, credentials and pod, and says so.

    No copy of a secret is left.
    """
    error = production_site.upgrade_and_fail(2)

    assert error.message == "not ready"
    assert error.remedy.startswith("what ran before runs again; ")
    assert production_site.podman.volumes_[production_site.database][1] == b"precious"
    assert production_site.running == 1
    assert set(production_site.podman.states.values()) == {"running"}
    assert not production_site.copies.exists()


def test_a_restored_volume_is_known_by_its_content(production_site: Site) -> None:
    """A volume that was re-seeded since its creation is not identified by its first content."""
    production_site.up(2)  # re-seeds the volume; its label is still that of version 1
    production_site.upgrade_and_fail(3)

    assert production_site.running == 2
    assert not production_site.is_running(1)
    production_site.up(1)
    assert production_site.running == 1


def test_a_failed_rollback_keeps_the_copies(production_site: Site) -> None:
    """If the database cannot be restored, its copy is kept and named.

    Both errors are reported.
    """
    production_site.podman.failing.append(f"volume import {production_site.database}")

    error = production_site.upgrade_and_fail(2)

    archive = production_site.copies / f"{production_site.database}.tar"
    assert archive.read_bytes() == b"precious"
    assert str(production_site.copies) in f"{error.message} {error.remedy}"
    assert "not ready" in "\n".join((error.message, *error.detail))


def test_a_hub_that_cannot_be_copied_keeps_running(production_site: Site) -> None:
    """An upgrade that fails before its first change leaves the hub running and no copy."""
    production_site.podman.failing.append("volume export")

    upgrade = restoring_on_failure(
        production_site.context, production_site.base.instance, production_site.found, database=True
    )
    with pytest.raises(CommandError), upgrade:
        pytest.fail("it went on without a copy")

    assert set(production_site.podman.states.values()) == {"running"}
    assert not production_site.copies.exists()


def test_copies_of_an_upgrade_that_was_killed_are_not_overwritten(
    production_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first copy is kept, because the current state is half upgraded."""
    upgrade = restoring_on_failure(
        production_site.context, production_site.base.instance, production_site.found, database=True
    )
    upgrade.__enter__()  # and the process is killed, and never leaves it
    production_site.up(2, keep=True)
    production_site.write(b"half upgraded")

    production_site.upgrade_and_fail(3)

    assert production_site.podman.volumes_[production_site.database][1] == b"precious"
    # A generator that is collected leaves its block, which a process that is killed never does.
    monkeypatch.setattr(rollback, "_restore", lambda *_: None)
    del upgrade


def test_containers_are_restarted_after_a_refill_that_was_interrupted(production_site: Site) -> None:
    """The credential is new, but the hub has read the old one: the next command restarts it."""
    production_site.podman.failing.append("restart")
    with pytest.raises(CommandError):
        production_site.up(2)
    production_site.podman.failing.clear()
    production_site.podman.calls.clear()

    production_site.up(2)

    assert any(call.startswith(("restart", "kube play")) for call in production_site.podman.calls)
