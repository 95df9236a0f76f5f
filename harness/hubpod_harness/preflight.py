"""Prerequisites of a test run: podman, the images, a browser."""

import shutil
from dataclasses import dataclass, field, replace

from rich.console import Console

from hubpod.context import Context, prepare
from hubpod.environments import Environment, Stage
from hubpod.errors import MachineError
from hubpod.images.ensure import ImageSet, ensure_images
from hubpod.images.zenith import STAND_IN
from hubpod.instances import DEFAULT_INSTANCE, Instance
from hubpod.labels import LABEL_KEPT
from hubpod.podman.by_label import remove_by_label
from hubpod.podman.machine import version_text
from hubpod.request import UpRequest
from hubpod.sources.clones import SOURCES, ensure_clones
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
        options: The options of the run.
    """

    context: Context
    options: Options
    _built: dict[Stage, ImageSet] = field(default_factory=dict, repr=False)

    @property
    def built(self) -> ImageSet:
        """The images of the environment under test, and the code of the sources that its containers mount."""
        return self.images_of(self.options.environment)

    def images_of(self, environment: Environment) -> ImageSet:
        """Return the images of a stack, and build them if necessary.

        The pod has the images of the environment's stage, and the services outside of it those for development.

        Raises:
            HubpodError: An image cannot be built.
        """
        stage = environment.stage
        if stage not in self._built:
            self._built[stage] = self._build_development() if stage.uses_clones else self._build_production(environment)
        return self._built[stage]

    def _build_development(self) -> ImageSet:
        environment = replace(self.options.environment, stage=Stage.DEV)
        return ensure_images(self.context, self._request(environment), names=("slurm", IMAGE))

    def _build_production(self, environment: Environment) -> ImageSet:
        """Build the images of production from the sources under test, which need not be releases."""
        others = self.images_of(replace(environment, stage=Stage.DEV))
        project, origins = self.context.workspace.project, self.options.origins
        request = replace(self._request(environment), zenith_image=STAND_IN)
        own = ensure_images(self.context, request, checkouts=lambda: ensure_clones(project, origins))
        mounted = {source.name for source in SOURCES if source.image not in own.images}
        return ImageSet(
            images={**others.images, **own.images},
            sources={name: code for name, code in others.sources.items() if name in mounted},
        )

    def _request(self, environment: Environment) -> UpRequest:
        instance = Instance(environment=environment, name=DEFAULT_INSTANCE)
        return UpRequest(instance=instance, origins=self.options.origins, jupyterhub=self.options.jupyterhub)


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
    machine = Machine(context=context, options=options)
    machine.images_of(options.environment)
    return machine


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
