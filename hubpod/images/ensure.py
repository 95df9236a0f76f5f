"""From sources to images: clones, base image, and the images of an environment, built side by side."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from hubpod.components.assembly import image_names
from hubpod.components.site import Code
from hubpod.components.zenith import IMAGE
from hubpod.context import Context, explaining_full_disk, side_by_side
from hubpod.environments import Environment
from hubpod.images import base as base_image
from hubpod.images import build as images
from hubpod.images import source_volumes
from hubpod.images import zenith as zenith_image
from hubpod.images.base import BaseImage, ImageIds
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
    """What an environment's containers are made from.

    Attributes:
        images: References of the images, by name.
        sources: The code of each source that comes in a volume, by its name.
    """

    images: Mapping[str, str]
    sources: Mapping[str, Code] = field(default_factory=dict)


def ensure_images(
    context: Context,
    request: UpRequest,
    names: Sequence[str] = (),
    *,
    image_ids: ImageIds | None = None,
) -> ImageSet:
    """Have the sources, the base image and the images of an environment.

    Args:
        context: What commands work with.
        request: What a person asks for.
        names: Further images: folders below containers/, each with a target of its Containerfile for the stage.
        image_ids: Returns which images exist, where that was queried ahead; podman is queried if not given.

    Raises:
        SourceError: A clone cannot be made.
        BuildError: An image cannot be made.
        MachineError: The disk is full.
    """
    workspace, podman, environment = context.workspace, context.podman, request.instance.environment
    image_ids = image_ids or podman.image_ids
    with workspace.lock("build", context.reporter.say), explaining_full_disk(workspace):
        checkouts = _checkouts(context.reporter, partial(_ensured, workspace, request))
        own, pulled = _images(environment, partial(_zenith_client, context, request))
        found = base_image.find_base(image_ids, workspace.project, request.base)
        if not found:
            _tell_before_build(context)
        with context.reporter.phase("base image") as phase:
            base = found or base_image.make_base(podman, workspace.project, workspace.state, request.base, phase.detail)
            phase.result(base.reference)
        plans = _plans(context, request, base, checkouts, sorted({*own, *names}))
        there = image_ids([plan.reference for plan in plans])
        missing = [plan for plan in plans if plan.reference not in there]
        if missing:
            if found:
                _tell_before_build(context)
            _tell_what_changed(context, missing)
            _build_all(context, missing)
        else:
            context.reporter.say("  images: nothing changed")
        return _built(context, plans, pulled)


def _built(context: Context, plans: Sequence[images.BuildPlan], pulled: Mapping[str, str]) -> ImageSet:
    references = {plan.name: plan.reference for plan in plans}
    return ImageSet(
        images={**references, **pulled}, sources=source_volumes.load_code(context.workspace, context.podman, plans)
    )


def _images(environment: Environment, zenith_client: Callable[[], str]) -> tuple[set[str], dict[str, str]]:
    """The names of the images to build, and the references by name of those that are not."""
    own = set(image_names(environment))
    if not environment.ingress.uses_zenith:
        return own, {}
    reference = zenith_client()
    return (own, {IMAGE: reference}) if reference else ({*own, IMAGE}, {})


def _zenith_client(context: Context, request: UpRequest) -> str:
    with context.reporter.phase("zenith image") as phase:
        stage = request.instance.environment.stage
        reference = zenith_image.ensure_image(context.podman, request.zenith_image, stage, phase.detail)
        phase.result(reference or "a stand-in, built here")
        return reference


def clone_sources(workspace: Workspace, reporter: Reporter, origins: Mapping[str, Origin]) -> tuple[Checkout, ...]:
    """Have a checkout of every source, and tell in which state each is.

    Raises:
        SourceError: A clone cannot be made, or what stands in its place is not one.
    """
    with workspace.lock("build", reporter.say), explaining_full_disk(workspace):
        return _checkouts(reporter, partial(sources.ensure_clones, workspace.project, origins))


def plan_images(context: Context, request: UpRequest) -> ImageSet:
    """What ``ensure_images`` would give, without building anything.

    What has not been cloned or bootstrapped yet cannot be named by its content: its image has the tag ``unbuilt``.
    """
    project, environment = context.workspace.project, request.instance.environment
    find = partial(zenith_image.find_image, context.podman, request.zenith_image, environment.stage)
    names, pulled = _images(environment, find)
    base = base_image.find_base(context.podman.image_ids, project, request.base)
    cloned = not environment.stage.uses_clones or all(source.clone(project).exists() for source in sources.SOURCES)
    if not base or not cloned:
        unbuilt = {name: f"{base_image.REPOSITORY}/{name}:unbuilt" for name in names}
        mounts = [each for each in sources.SOURCES if each.image in names and environment.stage.uses_clones]
        return ImageSet(
            images=unbuilt | pulled, sources={each.name: Code(folder=each.clone(project)) for each in mounts}
        )
    plans = _plans(context, request, base, _ensured(context.workspace, request), sorted(names))
    return _built(context, plans, pulled)


def _checkouts(reporter: Reporter, ensure: Callable[[], tuple[Checkout, ...]]) -> tuple[Checkout, ...]:
    """Have the sources, and tell in which state each is."""
    with reporter.phase("sources") as phase:
        checkouts = ensure()
        phase.result(", ".join(f"{checkout.source.name} {checkout.status}" for checkout in checkouts))
        return checkouts


def _ensured(workspace: Workspace, request: UpRequest) -> tuple[Checkout, ...]:
    """Development takes the clones as they lie there; production takes releases."""
    if request.instance.environment.stage.uses_clones:
        return sources.ensure_clones(workspace.project, request.origins)
    return releases.ensure_releases(workspace.project, workspace.state, request.origins)


def _tell_before_build(context: Context) -> None:
    for finding in check_build_prerequisites(context.podman):
        context.reporter.say(f"! {finding.text}; {finding.remedy}")


def _plans(
    context: Context, request: UpRequest, base: BaseImage, checkouts: tuple[Checkout, ...], names: Sequence[str]
) -> tuple[images.BuildPlan, ...]:
    stage = request.instance.environment.stage
    return tuple(
        images.plan_build(context.workspace.project, name, stage, base.id, checkouts, jupyterhub=request.jupyterhub)
        for name in names
    )


def _tell_what_changed(context: Context, plans: list[images.BuildPlan]) -> None:
    """Name the sources that are to blame for a build in development, where their code alone would need none."""
    for checkout in source_volumes.find_reinstalled(context.workspace, plans):
        name = checkout.source.name
        context.reporter.say(f"  dependencies, entry points or modules of {name} changed: its image is built again")


def _build_all(context: Context, plans: list[images.BuildPlan]) -> None:
    """Build images side by side; what a killed build left in the scratch folder goes first."""
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
    # Not beside a build: what is removed may be what the other one takes from its cache.
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
