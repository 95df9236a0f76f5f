"""Create and write volumes, and compare their content with the seeds.

A volume's labels state the content at its creation, and podman cannot change labels. The instance's record therefore
states the content that is written into a volume later. It is updated before and after each write.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from hubpod.components.site import Site
from hubpod.context import Context, side_by_side
from hubpod.instances import Instance
from hubpod.labels import (
    LABEL_BASE_URL,
    LABEL_DEPLOY_DIR,
    LABEL_DIGEST,
    LABEL_KIND,
    LABEL_PROJECT,
    LABEL_ROOT,
    LABEL_SUBDOMAIN_HOST,
)
from hubpod.pod import Seed, SeedKind, contents, digest_of
from hubpod.podman.answers import Volume
from hubpod.podman.snapshot import Snapshot
from hubpod.podman.volumes import add_files, create_seeded, replace_content
from hubpod.pods import InstanceSpec
from hubpod.system.private_files import private_directory, write_private
from hubpod.workspace import Workspace

UNFINISHED = "unfinished"
"""Stands for the digest of a volume while it is written, so that a killed command leaves a trace."""


@dataclass(frozen=True, kw_only=True)
class StaleVolumes:
    """The seeds whose volumes differ from them.

    Attributes:
        missing: Seeds whose volume is missing or labelled for another deployment, and must be recreated.
        changed: Seeds whose volume has other content, and can be re-seeded in place.
        digests: Digest of the content of each existing volume, by name; UNFINISHED for a half-written volume.
    """

    missing: tuple[Seed, ...]
    changed: tuple[Seed, ...]
    digests: Mapping[str, str]

    @property
    def all(self) -> tuple[Seed, ...]:
        """The seeds of both kinds."""
        return self.missing + self.changed


def find_stale(workspace: Workspace, site: Site, spec: InstanceSpec, found: Snapshot) -> StaleVolumes:
    """Compare the volumes with their seeds."""
    written = workspace.files(site.instance).load_record().written
    digests = {name: written.get(name, volume.labels.get(LABEL_DIGEST, "")) for name, volume in found.volumes.items()}
    missing, changed = [], []
    for seed in spec.seeds:
        volume = found.volumes.get(seed.volume)
        if volume is None or _purpose(volume) != _wanted_purpose(site, seed) or _is_half_created(seed, written):
            missing.append(seed)
        elif seed.kind.follows_seed and digests[seed.volume] != _digest(site, seed):
            changed.append(seed)
    return StaleVolumes(missing=tuple(missing), changed=tuple(changed), digests=digests)


def recreate_volumes(context: Context, site: Site, stale: StaleVolumes) -> None:
    """Create and seed the stale volumes, and replace the content of existing ones."""
    seeds = stale.all
    note_written(context.workspace, site.instance, {seed.volume: UNFINISHED for seed in seeds})
    context.podman.remove_volumes([seed.volume for seed in seeds if seed.volume in stale.digests])
    side_by_side([partial(create_seeded, context.podman, seed, _labels(site, seed)) for seed in seeds])
    note_written(context.workspace, site.instance, {seed.volume: None for seed in seeds})


@contextmanager
def rewriting_volumes(
    context: Context, site: Site, spec: InstanceSpec, archives: Mapping[str, bytes], current: Mapping[str, bytes]
) -> Iterator[None]:
    """Replace the content of mounted volumes, and run the block in which containers read it.

    The content counts as written when the block ends. A command that is killed earlier repeats all of it.

    Args:
        context: Context of the command.
        site: Everything that the pod derives from.
        spec: The pod.
        archives: The new content, by the volume's name.
        current: The present content of these volumes, as far as it is known.
    """
    note_written(context.workspace, site.instance, dict.fromkeys(archives, UNFINISHED))
    side_by_side([_writer(context, spec, volume, archive, current.get(volume)) for volume, archive in archives.items()])
    yield
    key = site.credentials.digest_key
    digests = {volume: digest_of(archive, key) for volume, archive in archives.items()}
    note_written(context.workspace, site.instance, digests)


def save_seeds(workspace: Workspace, site: Site, spec: InstanceSpec) -> None:
    """Save the seeds of configuration, settings and code, because the pod is ready with them."""
    directory = private_directory(workspace.files(site.instance).seeds)
    for seed in spec.seeds:
        path, archive = directory / f"{seed.volume}.tar", seed.tar()
        if seed.kind.can_be_restored and not (path.exists() and path.read_bytes() == archive):
            write_private(path, archive)


def load_saved_seeds(workspace: Workspace, site: Site, stale: StaleVolumes) -> dict[str, bytes]:
    """Return the saved seeds of changed volumes that still are the content of their volumes."""
    directory, key = workspace.files(site.instance).seeds, site.credentials.digest_key
    paths = {seed.volume: directory / f"{seed.volume}.tar" for seed in stale.changed}
    archives = {volume: path.read_bytes() for volume, path in paths.items() if path.exists()}
    return {volume: archive for volume, archive in archives.items() if digest_of(archive, key) == stale.digests[volume]}


def note_written(workspace: Workspace, instance: Instance, digests: Mapping[str, str | None]) -> None:
    """Record the content of some volumes, or None where the volume's own labels state it."""
    files = workspace.files(instance)
    known = {**files.load_record().written, **digests}
    files.update_record(written={name: digest for name, digest in known.items() if digest is not None})


def forget_volumes(workspace: Workspace, instance: Instance) -> None:
    """Drop the records of an instance's volumes, because they were removed."""
    workspace.files(instance).update_record(written={})
    shutil.rmtree(workspace.files(instance).seeds, ignore_errors=True)


def _labels(site: Site, seed: Seed) -> dict[str, str]:
    labels = {**site.instance.labels, LABEL_KIND: seed.kind.value, LABEL_PROJECT: str(site.volumes.parent)}
    if seed.kind.follows_seed:
        labels[LABEL_DIGEST] = _digest(site, seed)
        labels[LABEL_DEPLOY_DIR] = str(site.settings.source.parent.resolve())
        labels[LABEL_BASE_URL] = site.settings.base_url
        if site.settings.subdomain_host:
            labels[LABEL_SUBDOMAIN_HOST] = site.settings.subdomain_host
    return labels


def _purpose(volume: Volume) -> dict[str, str]:
    """Return the labels that state a volume's purpose apart from its content, or none for data."""
    if volume.labels.get(LABEL_KIND) == SeedKind.DATA.value:
        return {}
    return {name: value for name, value in volume.labels.items() if name not in {LABEL_DIGEST, LABEL_ROOT}}


def _wanted_purpose(site: Site, seed: Seed) -> dict[str, str]:
    return _purpose(Volume(name=seed.volume, labels=_labels(site, seed)))


def _is_half_created(seed: Seed, written: Mapping[str, str]) -> bool:
    return seed.kind is SeedKind.DATA and written.get(seed.volume) == UNFINISHED


def _digest(site: Site, seed: Seed) -> str:
    return seed.digest(site.credentials.digest_key)


def _writer(
    context: Context, spec: InstanceSpec, volume: str, archive: bytes, current: bytes | None
) -> Callable[[], None]:
    # An import is six times as fast as a container that empties the volume first, but it does not remove files.
    if current and contents(current).keys() <= contents(archive).keys():
        return lambda: add_files(context.podman, volume, archive)
    image = next(each.image for each in spec.containers if any(mount.volume == volume for mount in each.mounts))
    return lambda: replace_content(context.podman, volume, image, archive)
