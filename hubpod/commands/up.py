"""`up`: from any state to an instance in which a notebook can be spawned."""

from collections.abc import Mapping

from hubpod.components.assembly import instance_spec
from hubpod.components.site import Site
from hubpod.context import Context
from hubpod.deployment.apply import PortTakenError, bring_up
from hubpod.deployment.container_checks import Check
from hubpod.deployment.plan import Plan, derive_site, validate
from hubpod.deployment.prefetch import start_prefetch
from hubpod.images.ensure import ImageSet, ensure_images
from hubpod.podman.snapshot import Snapshot
from hubpod.request import UpRequest
from hubpod.system.certificates import trusting

PORT_ATTEMPTS = 5
"""Instances that start at the same time may choose the same port. All but the first choose again."""


def up(context: Context, request: UpRequest) -> Site:
    """Bring an instance up, changing no more than differs from the request.

    Args:
        context: Context of the command.
        request: The request.

    Returns:
        Everything that the running pod derives from.

    Raises:
        HubpodError: One of its children; nothing half-made is left then.
    """
    with context.locked(request.instance) as before:
        prefetch = start_prefetch(context, request, before)
        plan = validate(context, request, before)
        with trusting(plan.deploy.key_files.ca_bundle):
            built = ensure_images(context, request, image_ids=prefetch.image_ids)
        # A build takes minutes, in which containers may have ended.
        found = before if prefetch.is_fresh else context.snapshot(request.instance)
        return _bring_up(context, plan, built, found, prefetch.fresh_checks)


def _bring_up(context: Context, plan: Plan, built: ImageSet, found: Snapshot, checks: Mapping[str, Check]) -> Site:
    """Bring the pod up at its port.

    If another program takes a port that hubpod chose, hubpod chooses another port.
    """
    request = plan.request
    for attempts_left in reversed(range(PORT_ATTEMPTS)):
        site = derive_site(context, plan, built, found)
        try:
            bring_up(context, site, instance_spec(site), found, keep=request.keep, checks=checks)
        except PortTakenError:
            if request.port or not attempts_left:
                raise
            found = context.snapshot(request.instance)
        else:
            break
    return site
