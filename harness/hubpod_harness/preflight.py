"""What has to be there before the first test: seen once, and told as one sentence when it is not."""

import shutil
from dataclasses import dataclass, replace

from rich.console import Console

from hubpod.context import Context, prepare
from hubpod.environments import DEFAULT_INSTANCE, Instance, Stage
from hubpod.errors import MachineError
from hubpod.images.ensure import ImageSet, ensure_images
from hubpod.labels import LABEL_KEPT
from hubpod.podman.by_label import remove_by_label
from hubpod.podman.machine import version_text
from hubpod.request import UpRequest
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace
from hubpod_harness.external_services import IMAGE
from hubpod_harness.options import PROJECT, Options
from hubpod_harness.reuse import FOLDER

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine on which stacks can be started.

    Attributes:
        context: The checkout, and a podman that works.
        built: The images, and the code of the sources under test.
    """

    context: Context
    built: ImageSet


def prepare_machine(options: Options) -> Machine:
    """See that podman works here, and have the images.

    Raises:
        HubpodError: By what stands in the way.
    """
    if not (PROJECT / "containers").is_dir():
        raise MachineError(
            f"the harness runs from a checkout of hubpod, and {PROJECT} has no folder containers/",
            remedy="clone hubpod, and install it with `pip install --editable`",
        )
    context = prepare(Workspace(project=PROJECT), ConsoleReporter(console=Console(stderr=True, highlight=False)))
    _require_version(context, options.podman_version)
    # Of production, too, the arrangement is tested with the sources as they lie here, which are no releases.
    instance = Instance(environment=replace(options.environment, stage=Stage.DEV), name=DEFAULT_INSTANCE)
    request = UpRequest(instance=instance, origins=options.origins, jupyterhub=options.jupyterhub)
    return Machine(context=context, built=ensure_images(context, request, names=("slurm", IMAGE)))


def _require_version(context: Context, wanted: str) -> None:
    has = version_text(context.podman.version)
    if wanted and not f"{has}.".startswith(f"{wanted}."):
        raise MachineError(
            f"podman {wanted} was asked for, and the podman on PATH is {has}",
            remedy="give the path of the other one with --hubpod-podman",
        )


def remove_kept() -> int:
    """Remove the stacks that runs of this checkout have left; return how many things that were.

    Raises:
        MachineError: podman does not work here.
    """
    context = prepare(Workspace(project=PROJECT), ConsoleReporter(console=Console(quiet=True)))
    count = remove_by_label(context.podman, f"{LABEL_KEPT}={PROJECT}")
    shutil.rmtree(context.workspace.state / FOLDER, ignore_errors=True)
    return count


def find_browser() -> str:
    """The path of the machine's own browser.

    Raises:
        MachineError: There is none.
    """
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if not found:
        raise MachineError(
            "there is no chromium for the tests with a browser",
            remedy="`./run --prepare chromium` installs it, or leave those tests out with -m 'not browser'",
        )
    return found
