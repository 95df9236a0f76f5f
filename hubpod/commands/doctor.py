"""Checks of the machine, each with its remedy."""

import getpass
import os
import shutil
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from hubpod.errors import HubpodError, MachineError
from hubpod.images.build import ca_bundle
from hubpod.podman import port_forwards
from hubpod.podman.cli import Podman
from hubpod.podman.machine import CONF_NAME, require_version, smoke_test, version_text
from hubpod.workspace import FIRST_PORT, LAST_PORT, port_is_free

DISK_NEEDED_GIB = 4.0
"""Base, two images and their build layers took 2.6 GiB when measured; the rest is room for edits."""

DISK_LEAST_GIB = 0.5
SUBORDINATE_IDS_NEEDED = 65536
TUN = Path("/dev/net/tun")


class Verdict(Enum):
    """How a check ended."""

    GOOD = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        check: Its name.
        verdict: Whether it stands in the way.
        text: What is there.
        remedy: What to do about it; empty when all is well.
    """

    check: str
    verdict: Verdict
    text: str
    remedy: str = ""


def examine(state: Path, executable: str = "podman") -> tuple[Finding, ...]:
    """Run every check; none of them stops another."""
    findings: list[Finding] = [_git(), *_podman(state, executable)]
    if os.getuid():
        findings += _rootless()
    try:
        info = Podman(executable=executable).info()
    except HubpodError as error:
        text, remedy = f"`podman info` fails: {error.detail[-1] if error.detail else error.message}", "install it again"
        findings.append(Finding(check="podman info", verdict=Verdict.BAD, text=text, remedy=remedy))
    else:
        findings += [_network(info), *_forwards(executable)]
        findings += [_runtime(info), _storage(info), _disk(Path(info["store"]["graphRoot"]))]
    return (*findings, _ports(), _certificates(), _clock(), _bootstrap())


def before_build(podman: Podman) -> tuple[Finding, ...]:
    """The quick checks of what a build needs; those that found something to tell.

    Raises:
        MachineError: A build cannot end well: there is next to no space where podman keeps its images.
    """
    info = podman.info()
    findings = (_disk(Path(info["store"]["graphRoot"])), _storage(info))
    for finding in findings:
        if finding.verdict is Verdict.BAD:
            raise MachineError(finding.text, remedy=finding.remedy)
    return tuple(finding for finding in findings if finding.verdict is Verdict.WARNING)


def _good(check: str, text: str) -> Finding:
    return Finding(check=check, verdict=Verdict.GOOD, text=text)


def _podman(state: Path, executable: str) -> Iterator[Finding]:
    podman = Podman(executable=executable)
    try:
        require_version(podman)
    except HubpodError as error:
        yield Finding(check="podman", verdict=Verdict.BAD, text=error.message, remedy=error.remedy)
        return
    yield _good("podman", version_text(podman.version))
    outcome = smoke_test(podman, state)
    if not outcome.works:
        text = "cannot start a container: " + (outcome.lines[-1] if outcome.lines else "it gives no reason")
        remedy = (
            f"see that `{executable} run` works for you; cgroups, user namespaces or the OCI runtime are in the way"
        )
        yield Finding(check="containers", verdict=Verdict.BAD, text=text, remedy=remedy)
    elif outcome.with_conf:
        yield _good("containers", f"start, with {state / CONF_NAME} (used by hubpod alone)")
    else:
        yield _good("containers", "start")


def _network(info: dict[str, Any]) -> Finding:
    backend = info["host"].get("networkBackend", "unknown")
    if backend == "netavark":
        return _good("network", backend)
    return Finding(
        check="network",
        verdict=Verdict.WARNING,
        text=f"the network backend is {backend}",
        remedy="install netavark and aardvark-dns, then run `podman system reset` once",
    )


def _forwards(executable: str) -> Iterator[Finding]:
    left = port_forwards.left_behind(Podman(executable=executable))
    if left:
        ports = ", ".join(f"{each.port} to {each.address}" for each in left)
        text = f"ports are forwarded to containers that are gone: {ports}"
        yield Finding(check="forwards", verdict=Verdict.WARNING, text=text, remedy=port_forwards.remedy(left))


def _runtime(info: dict[str, Any]) -> Finding:
    host = info["host"]
    return _good("runtime", f"{host['ociRuntime']['name']}, cgroups {host['cgroupVersion']}")


def _storage(info: dict[str, Any]) -> Finding:
    driver = info["store"]["graphDriverName"]
    if driver != "vfs":
        return _good("storage", driver)
    return Finding(
        check="storage",
        verdict=Verdict.WARNING,
        text="the storage driver vfs copies every layer: slow, and large",
        remedy='put `[storage]` and `driver = "overlay"` into storage.conf, then run `podman system reset` once',
    )


def _rootless() -> Iterator[Finding]:
    if os.access(TUN, os.R_OK | os.W_OK):
        yield _good("tun", f"{TUN} can be used")
    else:
        remedy = f"as root: `chmod 0666 {TUN}`, or load the module tun"
        yield Finding(check="tun", verdict=Verdict.BAD, text=f"{TUN} is not readable and writable", remedy=remedy)
    for name in ("subuid", "subgid"):
        yield _subordinate_ids(Path("/etc") / name)
    if os.environ.get("XDG_RUNTIME_DIR"):
        yield _good("session", os.environ["XDG_RUNTIME_DIR"])
    else:
        text, remedy = "XDG_RUNTIME_DIR is not set", "log in with a session, or run `loginctl enable-linger`"
        yield Finding(check="session", verdict=Verdict.WARNING, text=text, remedy=remedy)


def _subordinate_ids(path: Path) -> Finding:
    user = getpass.getuser()
    lines = path.read_text().splitlines() if path.exists() else []
    owners = (user, str(os.getuid()))
    count = sum(int(fields[2]) for line in lines if len(fields := line.split(":")) == 3 and fields[0] in owners)  # noqa: PLR2004 - user:first:count
    if count >= SUBORDINATE_IDS_NEEDED:
        return _good(path.name, f"{count} for {user}")
    return Finding(
        check=path.name,
        verdict=Verdict.BAD,
        text=f"{user} has {count} subordinate ids in {path}, and {SUBORDINATE_IDS_NEEDED} are needed",
        remedy=f"as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}`",
    )


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free / 2**30
    text = f"{free:.1f} GiB free below {folder}"
    if free >= DISK_NEEDED_GIB:
        return _good("disk", text)
    verdict = Verdict.BAD if free < DISK_LEAST_GIB else Verdict.WARNING
    remedy = f"free some space, e.g. with `podman image prune`; {DISK_NEEDED_GIB:.0f} GiB are needed for a first build"
    return Finding(check="disk", verdict=verdict, text=f"only {text}", remedy=remedy)


def _ports() -> Finding:
    free = sum(map(port_is_free, range(FIRST_PORT, FIRST_PORT + 20)))
    if free:
        return _good("ports", f"{free} of the first 20 from {FIRST_PORT} are free")
    remedy = f"the next up to {LAST_PORT} are tried; choose another with --port"
    return Finding(
        check="ports", verdict=Verdict.WARNING, text=f"{FIRST_PORT} and the next 19 are taken", remedy=remedy
    )


def _certificates() -> Finding:
    bundle = ca_bundle()
    remedy = "install ca-certificates, or set SSL_CERT_FILE to the bundle that your proxy needs"
    if bundle is None:
        return Finding(check="CA bundle", verdict=Verdict.WARNING, text="there is none", remedy=remedy)
    try:
        count = len(ssl.create_default_context(cafile=str(bundle)).get_ca_certs())
    except (ssl.SSLError, OSError) as error:
        return Finding(check="CA bundle", verdict=Verdict.BAD, text=f"{bundle} cannot be used: {error}", remedy=remedy)
    return _good("CA bundle", f"{bundle} with {count} authorities")


def _clock() -> Finding:
    # Tokens and certificates are refused by a clock that is behind; the project's own files cannot be from the future.
    newest = max(path.stat().st_mtime for path in Path(__file__).parents[1].rglob("*.py"))
    if time.time() >= newest - 60:
        return _good("clock", time.strftime("%Y-%m-%d %H:%M:%S %Z"))
    text = f"the clock says {time.strftime('%Y-%m-%d %H:%M')}, which is before hubpod's own files were written"
    return Finding(check="clock", verdict=Verdict.BAD, text=text, remedy="set it, e.g. with `timedatectl set-ntp true`")


def _git() -> Finding:
    if shutil.which("git"):
        return _good("git", "is installed")
    return Finding(check="git", verdict=Verdict.BAD, text="git is not installed", remedy="`./run` installs it")


def _bootstrap() -> Finding:
    if shutil.which("mmdebstrap"):
        return _good("bootstrap", "mmdebstrap is there, where no registry answers")
    text, remedy = "mmdebstrap is not installed", "install it if no registry answers here"
    return Finding(check="bootstrap", verdict=Verdict.WARNING, text=text, remedy=remedy)
