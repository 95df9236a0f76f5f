"""The code of sources that development containers mount.

It consists of the clone's files and of files that the installation generates.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from hubpod.components.site import SOURCE_DIRECTORY, MountedSource
from hubpod.images.build import BuildPlan
from hubpod.instances import Instance
from hubpod.pod import File, contents
from hubpod.podman.cli import Podman
from hubpod.podman.images import export_directory
from hubpod.sources.clones import SOURCES, Checkout
from hubpod.sources.origins import Origin
from hubpod.system.private_files import private_directory, read_record, write_private
from hubpod.workspace import Workspace


def load_code(workspace: Workspace, podman: Podman, plans: Iterable[BuildPlan]) -> dict[str, MountedSource]:
    """Return the code for the volume of each source, by the source's name, or nothing for production."""
    return {
        checkout.source.name: _code(checkout, _installed_files(workspace, podman, plan, checkout.source.name))
        for plan in plans
        for checkout in _mounted_checkouts([plan])
    }


def _code(checkout: Checkout, installed: tuple[File, ...]) -> MountedSource:
    files = checkout.files()
    known = {file.path for file in files}
    return MountedSource(
        directory=checkout.directory, files=(*files, *(file for file in installed if file.path not in known))
    )


def _installed_files(workspace: Workspace, podman: Podman, plan: BuildPlan, name: str) -> tuple[File, ...]:
    """Return the files of a source in its image.

    Among them are files that the installation wrote, such as a version module.

    They are read from the image once and cached: a tag identifies one installation. Empty while the image is missing.
    """
    cache = _directory(workspace) / f"{plan.reference.rpartition('/')[2].replace(':', '-')}.tar"
    if not cache.exists():
        if not podman.image_id(plan.reference):
            return ()
        write_private(cache, export_directory(podman, plan.reference, f"{SOURCE_DIRECTORY}/{name}"))
    return tuple(contents(cache.read_bytes()).values())


def find_reinstalled(workspace: Workspace, plans: Iterable[BuildPlan]) -> tuple[Checkout, ...]:
    """Return the sources whose installation has changed since this checkout's last build."""
    known = read_record(_record(workspace))
    return tuple(
        each
        for each in _mounted_checkouts(plans)
        if known.get(each.source.name, each.installation_digest()) != each.installation_digest()
    )


def record_installations(workspace: Workspace, plans: Iterable[BuildPlan]) -> None:
    """Record the installation of each source in the images that were built."""
    new = {each.source.name: each.installation_digest() for each in _mounted_checkouts(plans)}
    write_private(_record(workspace), json.dumps({**read_record(_record(workspace)), **new}, indent=2).encode())


def record_directories(workspace: Workspace, instance: Instance, sources: Mapping[str, MountedSource]) -> None:
    """Record the source directories of an instance for the next `dev.reload`."""
    workspace.files(instance).update_record(sources={name: str(code.directory) for name, code in sources.items()})


def recorded_origins(workspace: Workspace, instance: Instance) -> dict[str, Origin]:
    """Return the directories of an instance's code, without the clones of this checkout."""
    known = workspace.files(instance).load_record().sources
    clones = {source.name: str(source.clone(workspace.project)) for source in SOURCES}
    edited = {name: known[name] for name, clone in clones.items() if known.get(name, clone) != clone}
    return {name: Origin(directory=Path(directory)) for name, directory in edited.items()}


def _mounted_checkouts(plans: Iterable[BuildPlan]) -> list[Checkout]:
    return [checkout for plan in plans if plan.stage.uses_clones for checkout in plan.sources]


def _record(workspace: Workspace) -> Path:
    return _directory(workspace) / "sources.json"


def _directory(workspace: Workspace) -> Path:
    return private_directory(workspace.installed)
