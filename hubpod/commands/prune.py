"""`prune`: remove old images, and what stopped instances have left."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hubpod.commands.down import down
from hubpod.context import Context
from hubpod.environments import ENVIRONMENTS
from hubpod.instances import Instance, find_instance
from hubpod.podman import images as podman_images
from hubpod.podman.disk_usage import StoredImage, list_images, volume_sizes
from hubpod.podman.inventory import FoundInstance, find_instances
from hubpod.system.background import start


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A resource that can be removed.

    Attributes:
        what: What it is, in a plan.
        size: Bytes; layers that images share are counted for each of them.
        image: Reference or id of an image; empty for an instance.
        instance: The stopped instance; None for an image.
        volumes: Whether the instance's volumes are removed, too.
    """

    what: str
    size: int
    image: str = ""
    instance: Instance | None = None
    volumes: bool = False


def find_leftovers(context: Context, *, volumes: bool) -> list[Leftover]:
    """Return old images and stopped development instances of this checkout or of removed ones.

    Args:
        context: Context of the command.
        volumes: Whether stopped instances are removed with their volumes, and not only their stopped containers.
    """
    sizes = start(partial(volume_sizes, context.podman))
    found = find_instances(context.podman)
    old = [
        Leftover(what=f"image {image.name or image.id[:12]}", size=image.size, image=image.name or image.id)
        for image in find_old_images(list_images(context.podman))
    ]
    return [*old, *_find_stopped(context, found, sizes(), volumes=volumes)]


def find_old_images(images: Sequence[StoredImage]) -> list[StoredImage]:
    """Return the images that no container uses, except the newest of each name and stage.

    Args:
        images: The images, newest first.
    """
    old, seen = [], set()
    for image in images:
        variant = image.name.rpartition("-")[0]  # NAME:STAGE-DIGEST
        if not image.used and (not image.name or variant in seen):
            old.append(image)
        seen.add(variant)
    return old


def _find_stopped(
    context: Context, found: Iterable[FoundInstance], sizes: dict[str, int], *, volumes: bool
) -> Iterable[Leftover]:
    own = str(context.workspace.project)
    prunable = {environment.name for environment in ENVIRONMENTS if environment.stage.may_be_pruned}
    for each in found:
        running = any(state.state == "running" for state in each.containers.values())
        foreign = each.project not in {"", own} and Path(each.project).exists()
        if running or foreign or each.environment not in prunable:
            continue
        instance = find_instance(each.environment, each.name)
        if volumes:
            size = sum(sizes.get(name, 0) for name in each.volumes)
            what = f"{instance}, with {len(each.volumes)} volumes: home directories, databases, credentials"
            yield Leftover(what=what, size=size, instance=instance, volumes=True)
        elif each.containers:
            yield Leftover(what=f"stopped containers of {instance}", size=0, instance=instance)


def remove_leftovers(context: Context, leftovers: Iterable[Leftover]) -> None:
    """Remove what find_leftovers has found; an image that is used meanwhile is kept."""
    leftovers = tuple(leftovers)
    images = [each.image for each in leftovers if each.image]
    if images:
        with context.reporter.phase("old images removed") as phase:
            podman_images.remove(context.podman, images)
            phase.result(str(len(images)))
    for each in leftovers:
        if each.instance:
            down(context, each.instance, volumes=each.volumes)
