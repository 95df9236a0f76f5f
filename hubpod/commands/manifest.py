"""`manifest`: print the manifest of an instance, for podman or for a cluster."""

from typing import assert_never

from hubpod.components.assembly import instance_spec
from hubpod.context import Context, Unknown
from hubpod.deployment.plan import derive_site, validate
from hubpod.deployment.seeding import find_stale, recreate_volumes
from hubpod.errors import UsageError
from hubpod.images.ensure import ensure_images, plan_images
from hubpod.manifests import cluster
from hubpod.manifests import podman as podman_manifest
from hubpod.request import Target, UpRequest
from hubpod.system.certificates import trusting


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


def render_and_fill(context: Context, request: UpRequest) -> str:
    """Render podman's manifest, build its images, and fill its volumes, so that podman alone can play it.

    Existing data stays.

    Raises:
        UsageError: The instance has a pod, which uses the volumes.
    """
    with context.locked(request.instance) as found:
        if found.containers:
            raise UsageError(
                f"{request.instance.resource} exists, and uses the volumes",
                remedy="take it down first, or change it with `up` or `reload`",
            )
        plan = validate(context, request, found)
        with trusting(plan.deploy.key_files.ca_bundle):
            built = ensure_images(context, request)
        site = derive_site(context, plan, built, found)
        spec = instance_spec(site)
        stale = find_stale(context.workspace, site, spec, found)
        with context.reporter.phase("volumes") as phase:
            recreate_volumes(context, site, stale)
            phase.result(f"{len(stale.all)} filled")
        return podman_manifest.manifest(spec)
