"""An edit made live in the pod that runs, by changing as little as it takes."""

from collections.abc import Mapping
from dataclasses import replace

from hubpod.commands.inspect import require_up
from hubpod.components import zenith
from hubpod.components.assembly import pod_spec
from hubpod.context import Context
from hubpod.deployment.apply import Done, bring_up
from hubpod.deployment.plan import check, site
from hubpod.images import source_volumes
from hubpod.images.ensure import ensure_images, plan_images
from hubpod.podman.answers import ContainerState
from hubpod.podman.remembering import remembering
from hubpod.request import UpRequest


def reload(context: Context, request: UpRequest) -> Done:
    """Have what runs take what was edited.

    Wrappers are in use at once; for all else the containers that read it restart, and notebooks go on. Where a source
    needs or offers something else than before, its image is built again, and the pod replaced. Sources are those that
    the instance was brought up with, unless others are named.

    Raises:
        NotRunningError: The instance is down.
        SourceError: A module cannot be compiled; nothing was touched.
        NotReadyError: The hub does not come back with it; what ran before runs again then.
        HubpodError: Another one of its children, by what stands in the way.
    """
    looking = replace(context, podman=remembering(context.podman))
    with looking.alone(request.instance):
        running = require_up(looking, request.instance)
        request = with_its_sources(context, _with_running_tunnel(request, running))
        plan = check(looking, request)
        known = plan_images(looking, request)
        in_use = {state.image for state in running.values()}
        built = known if set(known.images.values()) <= in_use else ensure_images(context, request)
        wanted = site(looking, plan, built)
        return bring_up(context, wanted, pod_spec(wanted))


def with_its_sources(context: Context, request: UpRequest) -> UpRequest:
    """The request with the folders in place that the instance was brought up with, unless it names others."""
    noted = source_volumes.noted_origins(context.workspace, request.instance)
    for name in sorted(noted.keys() - request.origins.keys()):
        context.reporter.say(f"  source: {name} from {noted[name]}, as it was brought up")
    return replace(request, origins={**noted, **request.origins})


def _with_running_tunnel(request: UpRequest, running: Mapping[str, ContainerState]) -> UpRequest:
    """The tunnel's client is nobody's edit, so that it stays whatever it is."""
    client = running.get(f"{request.instance.resource}-{zenith.NAME}")
    return replace(request, zenith_image=client.image) if client else request
