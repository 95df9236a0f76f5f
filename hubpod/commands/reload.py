"""`reload`: make an edit live in the running pod with as few changes as possible."""

from collections.abc import Mapping
from dataclasses import replace

from hubpod.commands.inspect import require_up
from hubpod.components import zenith
from hubpod.components.assembly import instance_spec, podman_name
from hubpod.context import Context, Unknown
from hubpod.deployment.apply import Outcome, bring_up
from hubpod.deployment.plan import derive_site, validate
from hubpod.images import source_volumes
from hubpod.images.ensure import ensure_images, plan_images
from hubpod.podman.answers import ContainerState
from hubpod.podman.snapshot import Snapshot
from hubpod.request import UpRequest
from hubpod.system.certificates import trusting


def reload(context: Context, request: UpRequest) -> Outcome:
    """Make edits of sources, configuration and settings live.

    Wrappers need no restart. For everything else the containers that read it restart, and notebooks keep running. Where
    a source has other dependencies or entry points than before, its image is rebuilt and the pod replaced. Unless the
    request names other sources, the instance keeps its own.

    Raises:
        NotRunningError: The instance is down.
        SourceError: A module cannot be compiled; nothing was touched.
        NotReadyError: The hub does not start with the edit. The previous content is restored.
        HubpodError: Another one of its children.
    """
    with context.locked(request.instance, Unknown.REFUSE_SIMILAR) as before:
        require_up(request.instance, before)
        request = complete_request(context, request, before)
        plan = validate(context, request, before)
        built, found = plan_images(context, request), before
        if not set(built.images.values()) <= {state.image for state in before.containers.values()}:
            with trusting(plan.deploy.key_files.ca_bundle):
                built = ensure_images(context, request)
            found = context.snapshot(request.instance)  # a build takes minutes
        site = derive_site(context, plan, built, found)
        return bring_up(context, site, instance_spec(site), found)


def complete_request(context: Context, request: UpRequest, before: Snapshot) -> UpRequest:
    """Return the request with what the running instance has: its sources and its tunnel's client."""
    return with_recorded_sources(context, _with_running_tunnel(request, before.containers))


def with_recorded_sources(context: Context, request: UpRequest) -> UpRequest:
    """Complete a request with the source directories that the instance was brought up with.

    Directories that the request names take precedence.
    """
    recorded = source_volumes.recorded_origins(context.workspace, request.instance)
    for name in sorted(recorded.keys() - request.origins.keys()):
        context.reporter.say(f"  source: {name} from {recorded[name]}, as it was brought up")
    return replace(request, origins={**recorded, **request.origins})


def _with_running_tunnel(request: UpRequest, running: Mapping[str, ContainerState]) -> UpRequest:
    """Return the request with the running tunnel's client, which no edit concerns."""
    client = running.get(podman_name(request.instance, zenith.NAME))
    return replace(request, zenith_image=client.image) if client else request
