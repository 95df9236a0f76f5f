"""The content of volumes: what each was filled with, which no longer has what it should, and filling them.

A volume's labels say what it was made with. They cannot be changed, so what was written into a volume later is noted in
the instance's folder, before it is written and after.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hubpod.components.site import Site
from hubpod.context import Context, side_by_side
from hubpod.environments import Instance
from hubpod.labels import LABEL_BASE_URL, LABEL_DEPLOY_DIR, LABEL_DIGEST, LABEL_KIND, LABEL_PROJECT
from hubpod.pod import PodSpec, Seed, SeedKind, contents, digest_of
from hubpod.podman.answers import Volume
from hubpod.podman.volumes import add_files, create, replace_content
from hubpod.system.private_files import private_directory, read_record, write_private
from hubpod.workspace import Workspace

UNFINISHED = "unfinished"
"""In the place of a digest while a volume is being written: a command that is killed leaves it there."""


@dataclass(frozen=True, kw_only=True)
class Stale:
    """The seeds whose volumes are not what they should be.

    Attributes:
        missing: There is no such volume, or it was made for something else: it has to be made anew.
        changed: It has another content, and can be filled again where it is.
        found: Digests of what is in the volumes, by name; that of no seed where one is half-written.
    """

    missing: tuple[Seed, ...]
    changed: tuple[Seed, ...]
    found: Mapping[str, str]

    @property
    def all(self) -> tuple[Seed, ...]:
        """Both."""
        return self.missing + self.changed


def stale(context: Context, site: Site, spec: PodSpec) -> Stale:
    """Compare the volumes with their seeds."""
    existing = context.podman.volumes(site.instance.labels)
    noted = written(context.workspace, site.instance)
    found = {name: noted.get(name, volume.labels.get(LABEL_DIGEST, "")) for name, volume in existing.items()}
    missing, changed = [], []
    for seed in spec.seeds:
        volume = existing.get(seed.volume)
        if volume is None or _made_for(volume) != _made_for_now(site, seed) or _is_half_made(seed, noted):
            missing.append(seed)
        elif seed.kind.follows_seed and found[seed.volume] != _digest(site, seed):
            changed.append(seed)
    return Stale(missing=tuple(missing), changed=tuple(changed), found=found)


def make(context: Context, site: Site, stale: Stale) -> None:
    """Make volumes anew; what was in them is gone."""
    seeds = stale.all
    note_written(context.workspace, site.instance, {seed.volume: UNFINISHED for seed in seeds})
    context.podman.remove_volumes([seed.volume for seed in seeds if seed.volume in stale.found])
    create(context.podman, {seed.volume: _labels(site, seed) for seed in seeds})
    side_by_side([partial(add_files, context.podman, seed.volume, seed.tar()) for seed in seeds])
    note_written(context.workspace, site.instance, {seed.volume: None for seed in seeds})


@contextmanager
def filled_again(
    context: Context, site: Site, spec: PodSpec, archives: Mapping[str, bytes], held: Mapping[str, bytes]
) -> Iterator[None]:
    """Replace the content of volumes that containers have mounted, and then have these containers read it.

    It counts as done when the block ends, so that a command that is killed before does all of it again.

    Args:
        context: What commands work with.
        site: What the pod derives from.
        spec: The pod.
        archives: The new content, by the volume's name.
        held: What is in them now, as far as that is known.
    """
    note_written(context.workspace, site.instance, dict.fromkeys(archives, UNFINISHED))
    side_by_side([_filler(context, spec, volume, archive, held.get(volume)) for volume, archive in archives.items()])
    yield
    key = site.credentials.digest_key
    digests = {volume: digest_of(archive, key) for volume, archive in archives.items()}
    note_written(context.workspace, site.instance, digests)


def keep(context: Context, site: Site, spec: PodSpec) -> None:
    """Keep what the volumes with configuration and code hold, because the pod is ready with it."""
    folder = private_directory(_kept(context.workspace, site.instance))
    for seed in spec.seeds:
        path, archive = folder / f"{seed.volume}.tar", seed.tar()
        if seed.kind is SeedKind.CONFIG and not (path.exists() and path.read_bytes() == archive):
            write_private(path, archive)


def held(context: Context, site: Site, stale: Stale) -> dict[str, bytes]:
    """What is in changed volumes, as far as that was kept."""
    folder = _kept(context.workspace, site.instance)
    paths = {seed.volume: folder / f"{seed.volume}.tar" for seed in stale.changed}
    archives = {volume: path.read_bytes() for volume, path in paths.items() if path.exists()}
    key = site.credentials.digest_key
    return {volume: archive for volume, archive in archives.items() if digest_of(archive, key) == stale.found[volume]}


def written(workspace: Workspace, instance: Instance) -> dict[str, str]:
    """What was written into volumes after they were made, or is being written: a digest by the volume's name."""
    return {name: str(digest) for name, digest in read_record(_record(workspace, instance)).items()}


def note_written(workspace: Workspace, instance: Instance, digests: Mapping[str, str | None]) -> None:
    """Note what is in some volumes; None where their labels tell."""
    known: dict[str, str | None] = {**written(workspace, instance), **digests}
    content = {name: digest for name, digest in known.items() if digest is not None}
    write_private(_record(workspace, instance), json.dumps(content, indent=2).encode())


def forget(workspace: Workspace, instance: Instance) -> None:
    """Forget what was written into volumes, because they are gone."""
    _record(workspace, instance).unlink(missing_ok=True)
    shutil.rmtree(_kept(workspace, instance), ignore_errors=True)


def _labels(site: Site, seed: Seed) -> dict[str, str]:
    labels = {**site.instance.labels, LABEL_KIND: seed.kind.value, LABEL_PROJECT: str(site.volumes.parent)}
    if seed.kind.follows_seed:
        labels[LABEL_DIGEST] = _digest(site, seed)
        labels[LABEL_DEPLOY_DIR] = str(site.settings.source.parent.resolve())
        labels[LABEL_BASE_URL] = site.settings.base_url
    return labels


def _made_for(volume: Volume) -> dict[str, str]:
    """What a volume was made for, apart from its content; data outlives all of that."""
    if volume.labels.get(LABEL_KIND) == SeedKind.DATA.value:
        return {}
    return {name: value for name, value in volume.labels.items() if name != LABEL_DIGEST}


def _made_for_now(site: Site, seed: Seed) -> dict[str, str]:
    return _made_for(Volume(name=seed.volume, labels=_labels(site, seed)))


def _is_half_made(seed: Seed, noted: Mapping[str, str]) -> bool:
    return seed.kind is SeedKind.DATA and noted.get(seed.volume) == UNFINISHED


def _digest(site: Site, seed: Seed) -> str:
    return seed.digest(site.credentials.digest_key)


def _filler(context: Context, spec: PodSpec, volume: str, archive: bytes, before: bytes | None) -> Callable[[], None]:
    # Six times as fast as a container that empties the volume first; files that have gone would stay.
    if before and contents(before).keys() <= contents(archive).keys():
        return lambda: add_files(context.podman, volume, archive)
    image = next(each.image for each in spec.containers if any(mount.volume == volume for mount in each.mounts))
    return lambda: replace_content(context.podman, volume, image, archive)


def _record(workspace: Workspace, instance: Instance) -> Path:
    return workspace.folder(instance) / "written.json"


def _kept(workspace: Workspace, instance: Instance) -> Path:
    return workspace.folder(instance) / "ready"
