"""Add a project-local containers.conf if a smoke test shows that podman needs it."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from hubpod.errors import MachineError
from hubpod.podman.cli import MINIMUM_VERSION, Podman
from hubpod.podman.remote import environment_facts, require_local
from hubpod.system.private_files import private_directory, read_record, write_private
from hubpod.system.started_as import command_line
from hubpod.workspace import Workspace

CONTAINERS_CONF = """\
# Written by hubpod, because podman cannot start a container here with its defaults: there is no systemd, and limits may
# not be raised. Only hubpod uses it. Remove this file and machine.json to test the machine again.
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
# A notebook's job has 43 processes and threads, most of them Slurm's. podman's default of 2048 allows 47 jobs.
pids_limit = 16384
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class SmokeTest:
    """Result of starting a container on this machine.

    Attributes:
        works: Whether podman could start it.
        with_conf: Whether that took the project-local containers.conf.
        lines: podman's output if it failed.
    """

    works: bool
    with_conf: bool = False
    lines: tuple[str, ...] = ()


def version_text(version: tuple[int, ...]) -> str:
    """Format a version, such as ``4.3.1``."""
    return ".".join(str(part) for part in version)


def require_version(podman: Podman) -> None:
    """Refuse a podman that is too old.

    Raises:
        MachineError: podman is missing or too old.
    """
    if podman.version < MINIMUM_VERSION:
        raise MachineError(
            f"podman {version_text(podman.version)} is too old: hubpod needs {version_text(MINIMUM_VERSION)} or later",
            remedy="install a newer podman; Debian 12, Ubuntu 24.04, Fedora and RHEL 9 have one",
        )


def usable_podman(workspace: Workspace, executable: str = "podman") -> Podman:
    """Return a podman that can start containers here, checked once per boot.

    Raises:
        MachineError: podman is too old, uses a remote service, or cannot start a container; carries podman's output.
    """
    podman = Podman(executable=executable)
    require_version(podman)
    facts = _facts(podman)
    known = read_record(workspace.machine_record)
    if {name: known.get(name) for name in facts} == facts:
        if not known.get("with_conf"):
            return podman
        if workspace.containers_conf.exists():
            return _with_conf(podman, workspace)
    require_local(podman)
    outcome = smoke_test(podman, workspace)
    if not outcome.works:
        raise MachineError(
            "podman cannot start a container on this machine",
            detail=outcome.lines,
            remedy=f"run `{command_line('dev.doctor')}` to find the reason",
        )
    record = {**facts, "with_conf": outcome.with_conf}
    write_private(workspace.machine_record, json.dumps(record, indent=2).encode())
    return _with_conf(podman, workspace) if outcome.with_conf else podman


def smoke_test(podman: Podman, workspace: Workspace) -> SmokeTest:
    """Start an empty pod with the machine's configuration, else with the project-local one."""
    private_directory(workspace.state)
    plain = podman.smoke_test()
    if plain.ok:
        return SmokeTest(works=True)
    if "CONTAINERS_CONF" in os.environ:
        return SmokeTest(works=False, lines=plain.last_lines)
    conf = workspace.containers_conf
    was_there = conf.exists()
    write_private(conf, CONTAINERS_CONF.encode())
    helped = _with_conf(podman, workspace).smoke_test()
    if helped.ok:
        return SmokeTest(works=True, with_conf=True)
    if not was_there:
        conf.unlink()
    return SmokeTest(works=False, lines=(*plain.last_lines, *helped.last_lines))


def _with_conf(podman: Podman, workspace: Workspace) -> Podman:
    return replace(podman, containers_conf=workspace.containers_conf)  # the copy keeps the version already queried


def _facts(podman: Podman) -> dict[str, object]:
    """Return the facts whose change repeats the checks."""
    return {
        "podman": version_text(podman.version),
        "user": os.getuid(),
        "boot": BOOT_ID.read_text().strip() if BOOT_ID.exists() else "",
        "containers_conf": os.environ.get("CONTAINERS_CONF", ""),
        "ours": CONTAINERS_CONF,
        **environment_facts(),
    }
