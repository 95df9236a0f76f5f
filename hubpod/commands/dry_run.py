"""`--dry`: what a command would change, found out without changing anything."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hubpod.commands import production
from hubpod.commands.inspect import require_up
from hubpod.commands.reload import complete_request
from hubpod.components.assembly import instance_spec, short_name
from hubpod.components.site import Site
from hubpod.context import Context, Unknown
from hubpod.deployment import seeding
from hubpod.deployment.apply import Difference, compare
from hubpod.deployment.plan import Plan, derive_site, validate
from hubpod.deployment.refresh import find_readers
from hubpod.errors import NotRunningError
from hubpod.images.base import find_base
from hubpod.images.ensure import ImageSet, plan_images
from hubpod.instances import Instance
from hubpod.labels import LABEL_KIND
from hubpod.pod import Seed
from hubpod.podman.snapshot import Snapshot
from hubpod.request import UpRequest
from hubpod.sources.clones import SOURCES
from hubpod.sources.origins import Origin
from hubpod.system.certificates import trusting
from hubpod.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Action:
    """One change that a command would make.

    Attributes:
        verb: What it does: clone, write, build, remove, seed, restart …
        what: To what.
    """

    verb: str
    what: str

    def __str__(self) -> str:
        """The action in a plan."""
        return f"would {self.verb} {self.what}"


def plan_up(context: Context, request: UpRequest) -> list[Action]:
    """Return what `dev.up` would change.

    Raises:
        HubpodError: The command would refuse the request.
    """
    with context.locked(request.instance) as found:
        return list(_plan_deployment(context, request, found))


def plan_production(context: Context, request: UpRequest) -> list[Action]:
    """Return what `prod.up` would change.

    Raises:
        UsageError: A running pod would have to be replaced, which `prod.up` refuses.
    """
    with context.locked(request.instance) as found:
        actions = list(_plan_deployment(context, request, found))
        if found.running and actions:
            raise production.differs(request.instance)
        return actions


def plan_upgrade(context: Context, request: UpRequest) -> list[Action]:
    """Return what `prod.upgrade` would change.

    Raises:
        NotRunningError: There is nothing to upgrade.
    """
    with context.locked(request.instance) as found:
        if not found.containers:
            raise NotRunningError(f"{request.instance}, is down: there is nothing to upgrade")
        return list(_plan_deployment(context, request, found))


def plan_reload(context: Context, request: UpRequest) -> list[Action]:
    """Return what `reload` would change.

    Raises:
        NotRunningError: The instance is down.
    """
    with context.locked(request.instance, Unknown.REFUSE_SIMILAR) as found:
        require_up(request.instance, found)
        return list(_plan_deployment(context, complete_request(context, request, found), found))


def plan_build(context: Context, request: UpRequest) -> list[Action]:
    """Return the clones and images that `build` would make."""
    planned = plan_images(context, request)
    return [*plan_clones(context.workspace, request), *_plan_images(context, request, planned)]


def plan_clones(workspace: Workspace, request: UpRequest) -> list[Action]:
    """Return the repositories that would be cloned."""
    if not request.instance.environment.stage.uses_clones:
        return []
    origins = {source: request.origins.get(source.name, Origin()) for source in SOURCES}
    clones = {source: source.clone(workspace.project) for source in SOURCES}
    return [
        Action(verb="clone", what=f"{source.name} to {clones[source]}")
        for source, origin in origins.items()
        if not origin.directory and not clones[source].exists()
    ]


def plan_down(context: Context, instance: Instance, *, volumes: bool) -> list[Action]:
    """Return what `down` would remove."""
    found = context.find(instance, Unknown.REFUSE_SIMILAR)
    actions = _remove_pods(instance, found)
    if volumes:
        held = {name: volume.labels.get(LABEL_KIND, "") for name, volume in sorted(found.volumes.items())}
        actions += [Action(verb="remove", what=f"volume {name} ({kind})") for name, kind in held.items()]
        credentials = context.workspace.files(instance).credentials
        if credentials.exists():
            actions.append(Action(verb="remove", what=f"credentials in {credentials}"))
    return actions


def _plan_deployment(context: Context, request: UpRequest, found: Snapshot) -> Iterator[Action]:
    plan = validate(context, request, found)
    yield from plan_clones(context.workspace, request)
    yield from _plan_settings(context.workspace, plan)
    with trusting(plan.deploy.key_files.ca_bundle):
        planned = plan_images(context, request)
    yield from _plan_images(context, request, planned)
    yield from plan_pods(context, derive_site(context, plan, planned, found), found)


def _plan_settings(workspace: Workspace, plan: Plan) -> Iterator[Action]:
    """Yield the deploy ConfigMap, if it was generated for this plan."""
    source = plan.deploy.settings.source
    if source.is_relative_to(workspace.state) and not (workspace.kept / source.relative_to(workspace.state)).exists():
        yield Action(verb="write", what=f"settings with a new password to {source}")


def _plan_images(context: Context, request: UpRequest, planned: ImageSet) -> Iterator[Action]:
    base = find_base(context.podman.image_ids, context.workspace.project, request.base)
    if not base:
        yield Action(verb="pull or bootstrap", what="the base image")
    existing = context.podman.image_ids(list(planned.images.values()))
    for name, reference in planned.images.items():
        if reference not in existing:
            yield Action(verb="build", what=f"the {name} image: {reference}")


def plan_pods(context: Context, site: Site, found: Snapshot) -> Iterator[Action]:
    """Yield what bringing a site's pods up would change of volumes, pods and containers."""
    spec = instance_spec(site)
    stale = seeding.find_stale(context.workspace, site, spec, found)
    match compare(spec, found, stale):
        case Difference.POD:
            yield from _remove_pods(site.instance, found)
            yield from _seed("seed", stale.missing)
            yield from _seed("re-seed", stale.changed)
            for pod in spec.pods:
                yield Action(
                    verb="start", what=f"pod {pod.name} with {', '.join(each.name for each in pod.containers)}"
                )
        case Difference.CONTENT:
            yield from _seed("re-seed", stale.changed)
            for reader in find_readers(spec, stale.changed):
                yield Action(verb="restart", what=f"container {reader}")
        case Difference.NONE:
            pass


def _seed(verb: str, seeds: Sequence[Seed]) -> Iterator[Action]:
    for seed in seeds:
        yield Action(verb=verb, what=f"volume {seed.volume} ({seed.kind.value})")


def _remove_pods(instance: Instance, found: Snapshot) -> list[Action]:
    pods: dict[str, list[str]] = {}
    for name in found.containers:
        container = short_name(instance, name)
        pods.setdefault(name.removesuffix(f"-{container}"), []).append(container)
    return [Action(verb="remove", what=f"pod {pod} with {', '.join(names)}") for pod, names in pods.items()]
