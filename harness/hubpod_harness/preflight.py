"""Prerequisites of a test run: podman, the images, a browser."""

import shutil
from dataclasses import dataclass, replace

from rich.console import Console

from hubpod.context import Context, prepare
from hubpod.environments import Stage
from hubpod.errors import MachineError
from hubpod.images.ensure import ImageSet, ensure_images
from hubpod.instances import DEFAULT_INSTANCE, Instance
from hubpod.labels import LABEL_KEPT
from hubpod.podman.by_label import remove_by_label
from hubpod.podman.machine import version_text
from hubpod.request import UpRequest
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace
from hubpod_harness.external_services import IMAGE
from hubpod_harness.options import PROJECT, Options
from hubpod_harness.reuse import DIRECTORY

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine that can start stacks.

    Attributes:
        context: The checkout and a working podman.
        built: The images, and the code of the sources under test.
    """

    context: Context
    built: ImageSet


def prepare_machine(options: Options) -> Machine:
    """Check podman, and build the images.

    Raises:
        HubpodError: A prerequisite is missing.
    """
    if not (PROJECT / "containers").is_dir():
        raise MachineError(
            f"the harness needs a checkout of hubpod, but {PROJECT} has no directory containers/",
            remedy="clone hubpod, and install it with `pip install --editable`",
        )
    context = prepare(Workspace(project=PROJECT), ConsoleReporter(console=Console(stderr=True, highlight=False)))
    _require_version(context, options.podman_version)
    # Production is tested with the sources of this checkout, too, which are not releases.
    instance = Instance(environment=replace(options.environment, stage=Stage.DEV), name=DEFAULT_INSTANCE)
    request = UpRequest(instance=instance, origins=options.origins, jupyterhub=options.jupyterhub)
    return Machine(context=context, built=ensure_images(context, request, names=("slurm", IMAGE)))


def _require_version(context: Context, wanted: str) -> None:
    has = version_text(context.podman.version)
    if wanted and not f"{has}.".startswith(f"{wanted}."):
        raise MachineError(
            f"podman {wanted} is required, but the podman on PATH is {has}",
            remedy="pass the path of the required podman with --hubpod-podman",
        )


def remove_kept() -> int:
    """Remove the stacks left by runs of this checkout, and return the number of resources.

    Raises:
        MachineError: podman does not work.
    """
    context = prepare(Workspace(project=PROJECT), ConsoleReporter(console=Console(quiet=True)))
    count = remove_by_label(context.podman, f"{LABEL_KEPT}={PROJECT}")
    shutil.rmtree(context.workspace.state / DIRECTORY, ignore_errors=True)
    return count


def find_browser() -> str:
    """Return the path of the machine's browser.

    Raises:
        MachineError: No browser is installed.
    """
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if not found:
        raise MachineError(
            "chromium, which the browser tests need, is not installed",
            remedy="run `./run --prepare chromium`, or skip these tests with -m 'not browser'",
        )
    return found
