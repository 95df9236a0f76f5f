"""The images: base image, staged builds, and the tags that say what is in them.

A tag is a digest of everything that goes into the image, so nothing is built when nothing has changed.
"""

import hashlib
import os
import re
import shlex
import tempfile
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hubpod.environments import Stage
from hubpod.errors import BuildError
from hubpod.images.base import REPOSITORY
from hubpod.labels import MANAGED_BY
from hubpod.podman import images as podman_images
from hubpod.podman.cli import Podman
from hubpod.request import CURRENT_LOCK, jupyterhub_lock
from hubpod.sources.clones import Checkout
from hubpod.system import process, stray_processes
from hubpod.system.certificates import CA_VARIABLES, ca_bundle
from hubpod.system.private_files import write_private
from hubpod.system.process import Result

STEP = re.compile(r"(?:\[\d+/\d+\] )?STEP \d+/\d+: ")
"""How podman (buildah) begins the line of a step, in a Containerfile with several stages and with one."""

STEP_CHARACTERS = 160

KEPT_IMAGES = 3
"""Images of one name and stage that stay after a build: the new one and those to go back to."""

KEPT_S = 24 * 3600
"""Seconds for which all others stay, too: another checkout may use them, or a branch that one goes back to."""

INDEX_VARIABLES = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "npm_config_registry",
)
BUILD_ENVIRONMENT = "/run/hubpod-build"
"""Where a build finds the host's CA bundle and package indexes; mounted, so that no layer keeps them."""


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """One image to build.

    Attributes:
        name: Folder below containers/, and last part of the image's name.
        reference: Full name with the tag that identifies the content.
        stage: Build stage.
        base: Id of the base image.
        sources: The checkouts that enter it, each as a build context of its name.
        arguments: Further build arguments, each as NAME=VALUE.
    """

    name: str
    reference: str
    stage: Stage
    base: str
    sources: tuple[Checkout, ...]
    arguments: tuple[str, ...] = ()


def plan_build(  # noqa: PLR0913 - all that goes in
    project: Path, name: str, stage: Stage, base: str, checkouts: tuple[Checkout, ...], *, jupyterhub: str = ""
) -> BuildPlan:
    """What to build for one folder below containers/; its tag is a digest of all that goes in.

    Raises:
        UsageError: There is no such line of JupyterHub.
    """
    lock = jupyterhub_lock(jupyterhub)
    arguments = (f"REQUIREMENTS={lock}",) if name == "jupyterhub" and lock != CURRENT_LOCK else ()
    sources = tuple(checkout for checkout in checkouts if checkout.source.image == name)
    digest = hashlib.sha256(" ".join((stage.value, base, *arguments)).encode())
    folder = project / "containers" / name
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and relative.parts[0] != "_dev_build_data" and "__pycache__" not in relative.parts:
            executable = os.access(path, os.X_OK)
            digest.update(f"{relative} {executable} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for checkout in sources:
        # In development the code is in a volume, and the image has what installing it has made.
        identity = checkout.installation() if stage.uses_clones else checkout.digest()
        digest.update(f"{checkout.source.name} {identity}\n".encode())
    reference = f"{REPOSITORY}/{name}:{stage.value}-{digest.hexdigest()[:12]}"
    return BuildPlan(name=name, reference=reference, stage=stage, base=base, sources=sources, arguments=arguments)


def build_image(podman: Podman, project: Path, scratch: Path, plan: BuildPlan, on_line: Callable[[str], None]) -> None:
    """Build one image, with what it needs meanwhile in a new folder below ``scratch``.

    Raises:
        BuildError: A step of its Containerfile fails; names the step and has its last lines.
    """
    folder = project / "containers" / plan.name
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        environment = write_build_environment(Path(name) / "environment")
        contexts = []
        for checkout in plan.sources:
            export = Path(name) / checkout.source.name
            checkout.export(export)
            contexts.append(f"--build-context={checkout.source.name}={export}")
        try:
            result = podman.stream(
                "build",
                f"--target=stage-{plan.stage.value}",
                f"--tag={plan.reference}",
                *(f"--build-arg={argument}" for argument in (f"BASE_IMAGE={plan.base}", *plan.arguments)),
                f"--label={MANAGED_BY}=hubpod",
                f"--volume={environment}:{BUILD_ENVIRONMENT}:ro",
                "--pull=never",
                *contexts,
                f"--file={folder / 'Containerfile'}",
                str(folder),
                on_line=on_line,
            )
        finally:
            # A podman that is told to end leaves the step that it was at running; the mount tells which is ours.
            stray_processes.kill_processes_with_mount(environment)
    # Rootless podman that is told to end does so with status 0.
    if not result.ok or not podman.image_id(plan.reference):
        raise build_error(plan, result)


def build_error(plan: BuildPlan, result: Result) -> BuildError:
    """What a person needs of a failed build: the step, and its last lines."""
    lines = result.stdout.splitlines()
    steps = [number for number, line in enumerate(lines) if STEP.match(line)]
    step = textwrap.shorten(lines[steps[-1]], STEP_CHARACTERS, placeholder=" …") if steps else "its first step"
    return BuildError(
        f"building the {plan.name} image failed at {step}",
        detail=lines[(steps[-1] + 1 if steps else 0) :][-process.LAST_LINES :],
        remedy=f"correct containers/{plan.name}, or the source that it installs, and run the command again",
    )


def write_build_environment(folder: Path) -> Path:
    """Make a folder with the host's CA bundle, and a file ``env`` of exports that point package managers at it."""
    folder.mkdir(mode=0o755)  # apt reads it as a user of its own
    lines = []
    bundle = ca_bundle()
    if bundle:
        (folder / "ca-certificates.crt").write_bytes(bundle.read_bytes())
        inside = f"{BUILD_ENVIRONMENT}/ca-certificates.crt"
        (folder / "apt.conf").write_text(f'Acquire::https::CAInfo "{inside}";\n')
        lines += [f"export {variable}={inside}" for variable in CA_VARIABLES]
        lines += [f"export APT_CONFIG={BUILD_ENVIRONMENT}/apt.conf", "export UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1"]
        for path in (folder, *folder.iterdir()):
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))  # whatever the umask
    lines += [
        f"export {variable}={shlex.quote(os.environ[variable])}"
        for variable in INDEX_VARIABLES
        if os.environ.get(variable)
    ]
    write_private(folder / "env", ("\n".join(lines) + "\n").encode())
    return folder


def prune_images(podman: Podman, plan: BuildPlan) -> None:
    """Remove images of this name and stage that later builds replaced a while ago; those in use stay."""
    made = podman_images.list_managed(podman, f"{REPOSITORY}/{plan.name}:{plan.stage.value}-")
    kept = {plan.reference, *list(made)[:KEPT_IMAGES]}
    limit = time.time() - KEPT_S
    podman_images.remove(podman, [name for name, created in made.items() if created < limit and name not in kept])
