"""An edit made live in the pod that runs, by changing as little as it takes."""

from hubpod.building import Built, build, planned
from hubpod.components.assembly import pod_spec
from hubpod.context import Context
from hubpod.deployment import bring_up
from hubpod.planning import check, site
from hubpod.request import UpRequest
from hubpod.running import require_up


def reload(context: Context, request: UpRequest) -> None:
    """Have what runs take what was edited.

    Code of wrappers is in use at once; for all other code and for configuration the containers that read it restart, and
    notebooks go on. Where what a source needs, or what it offers, has changed, the image is built again, and the pod is
    replaced.

    Raises:
        NotRunningError: The instance is down.
        SourceError: A module cannot be compiled; nothing was touched.
        NotReadyError: The hub does not come back with it; what ran before runs again then.
        HubpodError: Another one of its children, by what stands in the way.
    """
    with context.alone(request.instance):
        require_up(context, request.instance)
        plan = check(context, request)
        wanted = site(context, plan, _built(context, request))
        bring_up(context, wanted, pod_spec(wanted), keep=request.keep)


def _built(context: Context, request: UpRequest) -> Built:
    """What there is, if it is all there; else it is built."""
    known = planned(context, request)
    there = all(context.podman.image_id(reference) for reference in known.images.values())
    return known if there else build(context, request)
