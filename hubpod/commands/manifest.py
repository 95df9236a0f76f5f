"""`manifest`: print the manifest of an instance, for podman or for a cluster."""

from typing import assert_never

from hubpod.components.assembly import instance_spec
from hubpod.context import Context, Unknown
from hubpod.deployment.plan import derive_site, validate
from hubpod.images.ensure import plan_images
from hubpod.manifests import cluster
from hubpod.manifests import podman as podman_manifest
from hubpod.request import Target, UpRequest


def render(context: Context, request: UpRequest, target: Target, *, secrets: bool = False) -> str:
    """Render the manifest that ``up`` would play now, or one for a cluster.

    Nothing is built or started.

    The tag of an image whose content is not known yet, because it is not cloned or built, is ``unbuilt``.
    """
    with context.locked(request.instance, None if request.deploy_dir else Unknown.REFUSE) as found:
        plan = validate(context, request, found, here=target is Target.PODMAN)
        site = derive_site(context, plan, plan_images(context, request), found)
        match target:
            case Target.PODMAN:
                return podman_manifest.manifest(instance_spec(site))
            case Target.KUBERNETES:
                return cluster.manifest(instance_spec(site), digest_key=site.credentials.digest_key, secrets=secrets)
            case _:
                assert_never(target)
