"""`doctor`: check the machine, with a remedy for each finding."""

import getpass
import os
import shutil
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hubpod.errors import HubpodError
from hubpod.podman import port_forwards
from hubpod.podman.cli import Podman
from hubpod.podman.findings import Finding, Verdict, check_disk_space, check_storage, good
from hubpod.podman.machine import require_version, smoke_test, version_text
from hubpod.podman.remote import require_local
from hubpod.system.certificates import ca_bundle
from hubpod.system.ports import FIRST_PORT, LAST_PORT, port_is_free
from hubpod.workspace import Workspace

SUBORDINATE_IDS_NEEDED = 65536
TUN = Path("/dev/net/tun")
REMOTE = "remote podman"


def examine(workspace: Workspace, executable: str = "podman") -> tuple[Finding, ...]:
    """Run every check, even after a failure."""
    findings: list[Finding] = [_git(), *_podman(workspace, executable)]
    if os.getuid():
        findings += _rootless()
    if not any(finding.check == REMOTE for finding in findings):  # what a remote podman reports is not of this machine
        findings += _info(executable)
    return (*findings, _ports(), _certificates(), _clock(), _bootstrap())


def _info(executable: str) -> Iterator[Finding]:
    try:
        info = Podman(executable=executable).info()
    except HubpodError as error:
        text, remedy = f"`podman info` fails: {error.detail[-1] if error.detail else error.message}", "install it again"
        yield Finding(check="podman info", verdict=Verdict.BAD, text=text, remedy=remedy)
        return
    yield from (_network(info), *_forwards(executable), _runtime(info), _selinux(info))
    yield from (check_storage(info), check_disk_space(Path(info["store"]["graphRoot"])))


def _podman(workspace: Workspace, executable: str) -> Iterator[Finding]:
    podman = Podman(executable=executable)
    try:
        require_version(podman)
    except HubpodError as error:
        yield Finding(check="podman", verdict=Verdict.BAD, text=error.message, remedy=error.remedy)
        return
    yield good("podman", version_text(podman.version))
    try:
        require_local(podman)
    except HubpodError as error:
        yield Finding(check=REMOTE, verdict=Verdict.BAD, text=error.message, remedy=error.remedy)
        return
    outcome = smoke_test(podman, workspace)
    if not outcome.works:
        text = "cannot start a container: " + (outcome.lines[-1] if outcome.lines else "podman gives no reason")
        remedy = f"make `{executable} run` work for this user; look at cgroups, user namespaces and the OCI runtime"
        yield Finding(check="containers", verdict=Verdict.BAD, text=text, remedy=remedy)
    elif outcome.with_conf:
        yield good("containers", f"start, with {workspace.containers_conf} (used by hubpod alone)")
    else:
        yield good("containers", "start")


def _network(info: dict[str, Any]) -> Finding:
    backend = info["host"].get("networkBackend", "unknown")
    if backend == "netavark":
        return good("network", backend)
    return Finding(
        check="network",
        verdict=Verdict.WARNING,
        text=f"the network backend is {backend}",
        remedy="install netavark and aardvark-dns, then run `podman system reset` once",
    )


def _forwards(executable: str) -> Iterator[Finding]:
    left = port_forwards.find_stale(Podman(executable=executable))
    if left:
        ports = ", ".join(f"{each.port} to {each.address}" for each in left)
        text = f"ports are forwarded to containers that are gone: {ports}"
        yield Finding(check="forwards", verdict=Verdict.WARNING, text=text, remedy=port_forwards.remedy(left))


def _runtime(info: dict[str, Any]) -> Finding:
    host = info["host"]
    return good("runtime", f"{host['ociRuntime']['name']}, cgroups {host['cgroupVersion']}")


def _selinux(info: dict[str, Any]) -> Finding:
    if info["host"].get("security", {}).get("selinuxEnabled"):
        return good("SELinux", "is enabled; the files that a build mounts get a label that containers may read")
    return good("SELinux", "is not enabled for containers")


def _rootless() -> Iterator[Finding]:
    if os.access(TUN, os.R_OK | os.W_OK):
        yield good("tun", f"{TUN} can be used")
    else:
        remedy = f"as root: `chmod 0666 {TUN}`, or load the module tun"
        yield Finding(check="tun", verdict=Verdict.BAD, text=f"{TUN} is not readable and writable", remedy=remedy)
    for name in ("subuid", "subgid"):
        yield _subordinate_ids(Path("/etc") / name)
    if os.environ.get("XDG_RUNTIME_DIR"):
        yield good("session", os.environ["XDG_RUNTIME_DIR"])
    else:
        text, remedy = "XDG_RUNTIME_DIR is not set", "log in with a session, or run `loginctl enable-linger`"
        yield Finding(check="session", verdict=Verdict.WARNING, text=text, remedy=remedy)


def _subordinate_ids(path: Path) -> Finding:
    user = getpass.getuser()
    lines = path.read_text().splitlines() if path.exists() else []
    owners = (user, str(os.getuid()))
    count = sum(int(fields[2]) for line in lines if len(fields := line.split(":")) == 3 and fields[0] in owners)  # noqa: PLR2004 - user:first:count
    if count >= SUBORDINATE_IDS_NEEDED:
        return good(path.name, f"{count} for {user}")
    return Finding(
        check=path.name,
        verdict=Verdict.BAD,
        text=f"{user} has {count} subordinate ids in {path}, and {SUBORDINATE_IDS_NEEDED} are needed",
        remedy=f"as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}`",
    )


def _ports() -> Finding:
    free = sum(map(port_is_free, range(FIRST_PORT, FIRST_PORT + 20)))
    if free:
        return good("ports", f"{free} of the first 20 from {FIRST_PORT} are free")
    remedy = f"the next up to {LAST_PORT} are tried; choose another with --port"
    return Finding(
        check="ports", verdict=Verdict.WARNING, text=f"{FIRST_PORT} and the next 19 are taken", remedy=remedy
    )


def _certificates() -> Finding:
    bundle = ca_bundle()
    remedy = "install ca-certificates, or set SSL_CERT_FILE to the bundle that your proxy needs"
    if bundle is None:
        return Finding(check="CA bundle", verdict=Verdict.WARNING, text="no bundle was found", remedy=remedy)
    try:
        count = len(ssl.create_default_context(cafile=str(bundle)).get_ca_certs())
    except (ssl.SSLError, OSError) as error:
        return Finding(check="CA bundle", verdict=Verdict.BAD, text=f"{bundle} cannot be used: {error}", remedy=remedy)
    return good("CA bundle", f"{bundle} with {count} authorities")


def _clock() -> Finding:
    # A clock that is behind refuses valid tokens and certificates. hubpod's own files cannot come from the future.
    newest = max(path.stat().st_mtime for path in Path(__file__).parents[1].rglob("*.py"))
    if time.time() >= newest - 60:
        return good("clock", time.strftime("%Y-%m-%d %H:%M:%S %Z"))
    text = f"the clock says {time.strftime('%Y-%m-%d %H:%M')}, which is before hubpod's own files were written"
    return Finding(check="clock", verdict=Verdict.BAD, text=text, remedy="set it, e.g. with `timedatectl set-ntp true`")


def _git() -> Finding:
    if shutil.which("git"):
        return good("git", "is installed")
    return Finding(check="git", verdict=Verdict.BAD, text="git is not installed", remedy="`./run` installs it")


def _bootstrap() -> Finding:
    if shutil.which("mmdebstrap"):
        return good("bootstrap", "mmdebstrap is installed, for machines that no registry answers")
    text, remedy = "mmdebstrap is not installed", "install it if no registry answers this machine"
    return Finding(check="bootstrap", verdict=Verdict.WARNING, text=text, remedy=remedy)
