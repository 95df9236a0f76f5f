"""Plan and build one image, and remove the images that it replaces."""

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
from hubpod.images.references import image_digest, reference, reference_prefix
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
"""Start of the line that podman (buildah) prints for each step of a Containerfile, with one stage or several."""

STEP_CHARACTERS = 160

KEPT_IMAGES = 3
"""Images of one name and stage to keep after a build: the new one, and older ones to return to."""

KEPT_S = 24 * 3600
"""Seconds for which all others are kept too, because another checkout or branch may use them."""

INDEX_VARIABLES = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "npm_config_registry",
)
VERSION_VARIABLES = (
    "SETUPTOOLS_SCM_PRETEND_VERSION",  # also hatch-vcs and flit-scm
    "PDM_BUILD_SCM_VERSION",
    "PBR_VERSION",
    "POETRY_DYNAMIC_VERSIONING_BYPASS",
    "UV_DYNAMIC_VERSIONING_BYPASS",
)
"""Variables that give a build backend the version that it otherwise takes from git."""

BUILD_ENVIRONMENT = "/run/hubpod-build"
"""Mounted directory in a build with the host's CA bundle and package indexes, so that no layer contains them."""

DOWNLOAD_TRIES = 7
"""How often a package manager retries a download: about half a minute in all. The five of pip take some seconds."""

PATIENCE = {
    "PIP_RETRIES": DOWNLOAD_TRIES,
    "PIP_TIMEOUT": 30,
    "UV_HTTP_RETRIES": DOWNLOAD_TRIES,
    "UV_HTTP_TIMEOUT": 60,
    "npm_config_fetch_retries": DOWNLOAD_TRIES,
}
"""Variables of pip, uv and npm; times are in seconds. The host's own values win."""

RETRY = re.compile(r"WARNING: Retrying \(Retry\(total=(\d+).*\)\) after connection broken by .*: (\S+)")
"""Line that pip prints for a download that it retries, with the number of tries that are left and the path."""


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """One image to build.

    Attributes:
        name: Directory below containers/, and last part of the image's name.
        reference: Full name with the tag that identifies the content.
        stage: Build stage.
        base: Id of the base image.
        sources: Checkouts to install, each as a build context of its name.
        arguments: Further build arguments, each as NAME=VALUE.
    """

    name: str
    reference: str
    stage: Stage
    base: str
    sources: tuple[Checkout, ...]
    arguments: tuple[str, ...] = ()


def plan_build(  # noqa: PLR0913 - all that goes into an image
    project: Path, name: str, stage: Stage, base: str, checkouts: tuple[Checkout, ...], *, jupyterhub: str = ""
) -> BuildPlan:
    """Plan the image of one directory below containers/.

    Raises:
        UsageError: The line of JupyterHub is unknown.
    """
    lock = jupyterhub_lock(jupyterhub)
    sources = tuple(checkout for checkout in checkouts if checkout.source.image == name)
    arguments = (
        *((f"REQUIREMENTS={lock}",) if name == "jupyterhub" and lock != CURRENT_LOCK else ()),
        *(f"SOURCE_VERSION={checkout.version}" for checkout in sources),
    )
    digest = image_digest(project / "containers" / name, stage, base, arguments, sources)
    return BuildPlan(
        name=name,
        reference=reference(name, stage.value, digest),
        stage=stage,
        base=base,
        sources=sources,
        arguments=arguments,
    )


def build_image(podman: Podman, project: Path, scratch: Path, plan: BuildPlan, on_line: Callable[[str], None]) -> None:
    """Build one image, with its temporary files in a new directory below ``scratch``.

    Raises:
        BuildError: A step of the Containerfile failed; carries the step and its last lines.
    """
    directory = project / "containers" / plan.name
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
                f"--volume={environment}:{BUILD_ENVIRONMENT}:ro,z",  # z: a label that containers may read (SELinux)
                "--pull=never",
                *contexts,
                f"--file={directory / 'Containerfile'}",
                str(directory),
                on_line=lambda line: on_line(explain_retry(line)),
            )
        finally:
            # A terminated podman leaves its current step running. The mount identifies the step.
            stray_processes.kill_processes_with_mount(environment)
    # A terminated rootless podman exits with status 0.
    if not result.ok or not podman.image_id(plan.reference):
        raise build_error(plan, result)


def explain_retry(line: str) -> str:
    """Return a build's line, or a sentence in place of pip's dump of a retried download."""
    found = RETRY.search(line)
    return f"no answer to the download of {found[2]}; pip retries it up to {found[1]} times more" if found else line


def build_error(plan: BuildPlan, result: Result) -> BuildError:
    """Return the error for a failed build, with the failed step and its last lines."""
    lines = result.stdout.splitlines()
    steps = [number for number, line in enumerate(lines) if STEP.match(line)]
    step = textwrap.shorten(lines[steps[-1]], STEP_CHARACTERS, placeholder=" …") if steps else "its first step"
    return BuildError(
        f"building the {plan.name} image failed at {step}",
        detail=lines[(steps[-1] + 1 if steps else 0) :][-process.LAST_LINES :],
        remedy=f"correct containers/{plan.name}, or the source that it installs, and run the command again",
    )


def write_build_environment(directory: Path) -> Path:
    """Create a directory with the host's CA bundle and environment for a build.

    The file ``env`` in it points package managers at the bundle and at the host's package indexes. It gives build
    backends the version in the build argument SOURCE_VERSION.
    """
    directory.mkdir(mode=0o755)  # apt reads the directory as another user
    lines = [f"export {name}={shlex.quote(os.environ.get(name, str(value)))}" for name, value in PATIENCE.items()]
    lines.append(f"export APT_CONFIG={BUILD_ENVIRONMENT}/apt.conf")
    apt = [f'Acquire::Retries "{DOWNLOAD_TRIES}";']
    bundle = ca_bundle()
    if bundle:
        (directory / "ca-certificates.crt").write_bytes(bundle.read_bytes())
        inside = f"{BUILD_ENVIRONMENT}/ca-certificates.crt"
        apt.append(f'Acquire::https::CAInfo "{inside}";')
        lines += [f"export {variable}={inside}" for variable in CA_VARIABLES]
        lines.append("export UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1")
    (directory / "apt.conf").write_text("\n".join(apt) + "\n")
    for path in (directory, *directory.iterdir()):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))  # whatever the umask
    lines += [
        f"export {variable}={shlex.quote(os.environ[variable])}"
        for variable in INDEX_VARIABLES
        if os.environ.get(variable)
    ]
    # The version is a build argument, so that another version is another layer.
    lines += [f'export {variable}="${{SOURCE_VERSION-}}"' for variable in VERSION_VARIABLES]
    write_private(directory / "env", ("\n".join(lines) + "\n").encode())
    return directory


def prune_images(podman: Podman, plan: BuildPlan) -> None:
    """Remove old images of this name and stage, except those in use."""
    images = podman_images.list_managed(podman, reference_prefix(plan.name, plan.stage.value))
    kept = {plan.reference, *list(images)[:KEPT_IMAGES]}
    limit = time.time() - KEPT_S
    podman_images.remove(podman, [name for name, created in images.items() if created < limit and name not in kept])
