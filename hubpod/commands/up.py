"""What the commands do, as a table of contents: with proofs.py the only place that plans and acts."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import assert_never

from hubpod.components import proxy
from hubpod.components.assembly import modules, pod_spec
from hubpod.context import Context
from hubpod.deployment import seeding
from hubpod.deployment.apply import Difference, PortTakenError, bring_up
from hubpod.deployment.plan import check, site
from hubpod.deployment.readiness import ask_container
from hubpod.deployment.remove import remove_pod
from hubpod.deployment.status import Status, status
from hubpod.environments import Instance
from hubpod.images.base import base_references
from hubpod.images.ensure import ensure_images, plan_images
from hubpod.manifests import cluster
from hubpod.manifests import podman as podman_manifest
from hubpod.podman.remembering import RememberingPodman, remembering
from hubpod.request import Target, UpRequest

PORT_ATTEMPTS = 5
"""Instances that come up at the same time may choose the same port; all but one of them choose again."""


def up(context: Context, request: UpRequest) -> Status:
    """Go from whatever there is to an instance in which a notebook can be spawned.

    Args:
        context: What commands work with.
        request: What a person asks for.

    Raises:
        HubpodError: One of its children, by what stands in the way; nothing half-made is left then.
    """
    podman = remembering(context.podman)
    looking = replace(context, podman=podman)
    ahead = partial(_ask_ahead, context.workspace.project, podman, request)
    with looking.alone(request.instance, begin=partial(podman.ask_ahead, ahead)):
        plan = check(looking, request)
        built = ensure_images(context, request, looking=looking)
        for attempts_left in reversed(range(PORT_ATTEMPTS)):
            wanted = site(looking, plan, built)
            try:
                done = bring_up(context, wanted, pod_spec(wanted), keep=request.keep, looking=looking)
                break
            except PortTakenError:
                if request.port or not attempts_left:
                    raise
                looking = _looking(context)
        seen = looking if done.difference is Difference.NONE else context
        return status(seen.podman, request.instance, waited=True)


def _ask_ahead(project: Path, podman: RememberingPodman, request: UpRequest) -> None:
    """Where something runs, begin to ask what takes longest if it is as it should be, while that is worked out."""
    running = {name: state for name, state in podman.containers(request.instance.labels).items() if state.started}
    name, asked = request.instance.resource, modules(request.instance.environment)
    ready = {f"{name}-{each.NAME}": each.READY for each in asked if each.READY and each is not proxy}
    podman.ask_ahead(*(partial(ask_container, podman, each, argv) for each, argv in ready.items() if each in running))
    if running:
        podman.image_ids([*base_references(project, request.base), *{state.image for state in running.values()}])


def _looking(context: Context) -> Context:
    """The same, for as long as nothing is done: its podman is asked each question once."""
    return replace(context, podman=remembering(context.podman))


def manifest(context: Context, request: UpRequest, target: Target, *, secrets: bool = False) -> str:
    """The manifest that ``up`` would play now, or one for a cluster, without building or starting anything.

    What has not been cloned or built yet cannot be named by its content: its image has the tag ``unbuilt``.
    """
    looking = _looking(context)
    with looking.alone(request.instance):
        plan = check(looking, request, here=target is Target.PODMAN)
        wanted = site(looking, plan, plan_images(looking, request))
        match target:
            case Target.PODMAN:
                return podman_manifest.manifest(pod_spec(wanted))
            case Target.KUBERNETES:
                digest_key = wanted.credentials.digest_key
                return cluster.manifest(pod_spec(wanted), digest_key=digest_key, secrets=secrets)
            case _:
                assert_never(target)


def down(context: Context, instance: Instance, *, volumes: bool) -> None:
    """Remove the instance's pod, and with ``volumes`` its volumes and generated credentials, too.

    Works from names and labels alone; what is not there is no error.
    """
    with context.alone(instance):
        with context.reporter.phase("pod removed"):
            remove_pod(context.podman, instance.resource)
        if volumes:
            with context.reporter.phase("volumes removed") as phase:
                names = list(context.podman.volumes(instance.labels))
                context.podman.remove_volumes(names)
                seeding.forget(context.workspace, instance)
                shutil.rmtree(context.workspace.credentials(instance), ignore_errors=True)
                phase.result(str(len(names)))
