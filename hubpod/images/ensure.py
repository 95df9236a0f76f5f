"""Ensure that the clones, the base image and all images of an environment exist.

Missing images are built in parallel.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from hubpod.components.assembly import image_names
from hubpod.components.site import MountedSource
from hubpod.components.zenith import IMAGE
from hubpod.context import Context, explaining_full_disk, side_by_side
from hubpod.environments import Environment
from hubpod.images import base as base_image
from hubpod.images import build as images
from hubpod.images import source_volumes
from hubpod.images import zenith as zenith_image
from hubpod.images.base import BaseImage, ImageIds
from hubpod.images.references import unbuilt_reference
from hubpod.podman import images as podman_images
from hubpod.podman.findings import check_build_prerequisites
from hubpod.request import UpRequest
from hubpod.sources import clones as sources
from hubpod.sources import releases
from hubpod.sources.clones import Checkout
from hubpod.sources.origins import Origin
from hubpod.system.private_files import private_directory
from hubpod.system.progress import Reporter
from hubpod.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """The images of an environment, and the code in its source volumes.

    Attributes:
        images: References of the images, by name.
        sources: Code of each source that containers mount, by the source's name.
    """

    images: Mapping[str, str]
    sources: Mapping[str, MountedSource] = field(default_factory=dict)


def ensure_images(
    context: Context,
    request: UpRequest,
    names: Sequence[str] = (),
    *,
    image_ids: ImageIds | None = None,
    checkouts: Callable[[], tuple[Checkout, ...]] | None = None,
) -> ImageSet:
    """Clone missing sources, and build missing images of an environment and their base.

    Args:
        context: Workspace, podman and reporter.
        request: The request of `up`.
        names: Further images to build: directories below containers/.
        image_ids: Returns which images exist, if that was queried ahead; by default podman is queried.
        checkouts: Returns the sources, if not those of the request. The harness tests images of production before there
            is a release.

    Raises:
        SourceError: A source cannot be cloned.
        BuildError: An image cannot be built.
        MachineError: The disk is full.
    """
    workspace, podman, environment = context.workspace, context.podman, request.instance.environment
    image_ids = image_ids or podman.image_ids
    with workspace.lock("build", context.reporter.say), explaining_full_disk(workspace):
        found_sources = _report_checkouts(context.reporter, checkouts or partial(_ensure_checkouts, workspace, request))
        own, pulled = _image_names(environment, partial(_ensure_zenith_client, context, request))
        found = base_image.find_base(image_ids, workspace.project, request.base)
        if not found:
            _report_build_warnings(context)
        with context.reporter.phase("base image") as phase:
            base = found or base_image.make_base(podman, workspace, request.base, phase.detail)
            phase.result(base.reference)
        plans = _plan_builds(context, request, base, found_sources, sorted({*own, *names}))
        existing = image_ids([plan.reference for plan in plans])
        missing = [plan for plan in plans if plan.reference not in existing]
        if missing:
            if found:
                _report_build_warnings(context)
            _report_changed_sources(context, missing)
            _build_all(context, missing)
        else:
            context.reporter.say("  images: nothing changed")
        return _image_set(context, plans, pulled)


def _image_set(context: Context, plans: Sequence[images.BuildPlan], pulled: Mapping[str, str]) -> ImageSet:
    references = {plan.name: plan.reference for plan in plans}
    return ImageSet(
        images={**references, **pulled}, sources=source_volumes.load_code(context.workspace, context.podman, plans)
    )


def _image_names(environment: Environment, zenith_client: Callable[[], str]) -> tuple[set[str], dict[str, str]]:
    """Return the names of the images to build, and the references of images from a registry.

    The references are by the image's name.
    """
    own = set(image_names(environment))
    if not environment.ingress.uses_zenith:
        return own, {}
    reference = zenith_client()
    return (own, {IMAGE: reference}) if reference else ({*own, IMAGE}, {})


def _ensure_zenith_client(context: Context, request: UpRequest) -> str:
    with context.reporter.phase("zenith image") as phase:
        stage = request.instance.environment.stage
        reference = zenith_image.ensure_image(context.podman, request.zenith_image, stage, phase.detail)
        phase.result(reference or "a stand-in, built here")
        return reference


def clone_sources(workspace: Workspace, reporter: Reporter, origins: Mapping[str, Origin]) -> tuple[Checkout, ...]:
    """Ensure a checkout of every source, and report its status.

    Raises:
        SourceError: A source cannot be cloned, or something else occupies the place of its clone.
    """
    with workspace.lock("build", reporter.say), explaining_full_disk(workspace):
        return _report_checkouts(reporter, partial(sources.ensure_clones, workspace.project, origins))


def plan_images(context: Context, request: UpRequest) -> ImageSet:
    """Return the result of ``ensure_images`` without building anything.

    If a clone or the base image is missing, tags are unknown, and images have the tag ``unbuilt``.
    """
    project, environment = context.workspace.project, request.instance.environment
    find = partial(zenith_image.find_image, context.podman, request.zenith_image, environment.stage)
    names, pulled = _image_names(environment, find)
    base = base_image.find_base(context.podman.image_ids, project, request.base)
    in_place = {name for name, origin in request.origins.items() if origin.directory}
    needed = (source for source in sources.SOURCES if source.name not in in_place)
    cloned = not environment.stage.uses_clones or all(source.clone(project).exists() for source in needed)
    if not base or not cloned:
        unbuilt = {name: unbuilt_reference(name) for name in names}
        mounts = [each for each in sources.SOURCES if each.image in names and environment.stage.uses_clones]
        return ImageSet(
            images=unbuilt | pulled,
            sources={each.name: MountedSource(directory=each.clone(project)) for each in mounts},
        )
    plans = _plan_builds(context, request, base, _ensure_checkouts(context.workspace, request), sorted(names))
    return _image_set(context, plans, pulled)


def _report_checkouts(reporter: Reporter, ensure: Callable[[], tuple[Checkout, ...]]) -> tuple[Checkout, ...]:
    """Ensure the checkouts in a phase that reports their status."""
    with reporter.phase("sources") as phase:
        checkouts = ensure()
        phase.result(", ".join(f"{checkout.source.name} {checkout.status}" for checkout in checkouts))
        return checkouts


def _ensure_checkouts(workspace: Workspace, request: UpRequest) -> tuple[Checkout, ...]:
    """Return the clones with their edits for development, releases for production."""
    if request.instance.environment.stage.uses_clones:
        return sources.ensure_clones(workspace.project, request.origins)
    return releases.ensure_releases(workspace, request.origins)


def _report_build_warnings(context: Context) -> None:
    for finding in check_build_prerequisites(context.podman):
        context.reporter.say(f"! {finding.text}; {finding.remedy}")


def _plan_builds(
    context: Context, request: UpRequest, base: BaseImage, checkouts: tuple[Checkout, ...], names: Sequence[str]
) -> tuple[images.BuildPlan, ...]:
    stage = request.instance.environment.stage
    return tuple(
        images.plan_build(context.workspace.project, name, stage, base.id, checkouts, jupyterhub=request.jupyterhub)
        for name in names
    )


def _report_changed_sources(context: Context, plans: list[images.BuildPlan]) -> None:
    """Name the sources that cause a build in development, where edits of code alone need none."""
    for checkout in source_volumes.find_reinstalled(context.workspace, plans):
        name = checkout.source.name
        context.reporter.say(f"  dependencies, entry points or modules of {name} changed: rebuilding its image")


def _build_all(context: Context, plans: list[images.BuildPlan]) -> None:
    """Clear the scratch directory, and build images in parallel.

    A killed build leaves files in the scratch directory.
    """
    scratch = context.workspace.scratch
    shutil.rmtree(scratch, ignore_errors=True)
    private_directory(scratch)
    base = plans[0].base
    before = podman_images.build_containers(context.podman, base)
    try:
        side_by_side([_builder(context, plan) for plan in plans])
    except BaseException:
        podman_images.remove_build_containers(
            context.podman, podman_images.build_containers(context.podman, base) - before
        )
        raise
    # After all builds, because another build may use the removed image as its cache.
    for plan in plans:
        images.prune_images(context.podman, plan)
    source_volumes.record_installations(context.workspace, plans)


def _builder(context: Context, plan: images.BuildPlan) -> Callable[[], None]:
    workspace = context.workspace

    def build_one() -> None:
        with context.reporter.phase(f"{plan.name} image") as phase:
            images.build_image(context.podman, workspace.project, workspace.scratch, plan, phase.detail)
            phase.result(plan.reference)

    return build_one
