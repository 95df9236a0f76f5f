"""podman's images: named, imported, found by a label, removed; and the containers that their builds work in."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from hubpod.labels import MANAGED_BY
from hubpod.podman.cli import Podman


def repository_digest(podman: Podman, reference: str, repository: str) -> str:
    """The digest under which a registry has a pulled image, ``sha256:…``; empty when podman does not tell.

    Not the image's own digest: podman keeps that of the first manifest that it saw for the same content.
    """
    digests = json.loads(podman.run("image", "inspect", "--format", "{{json .RepoDigests}}", reference).stdout)
    return next((each.partition("@")[2] for each in digests or () if each.startswith(f"{repository}@")), "")


def tag(podman: Podman, source: str, target: str) -> None:
    """Give an image a further name."""
    podman.run("tag", source, target)


def import_archive(
    podman: Podman, archive: Path, reference: str, *, env: Mapping[str, str], labels: Mapping[str, str]
) -> None:
    """Make an image of a root file system in a tar archive."""
    changes = [f"ENV {name}={value}" for name, value in env.items()]
    changes += [f"LABEL {name}={value}" for name, value in labels.items()]
    podman.run("import", "--quiet", *(f"--change={change}" for change in changes), str(archive), reference)


def export_directory(podman: Podman, reference: str, folder: str) -> bytes:
    """A folder of an image as a tar archive.

    Raises:
        CommandError: podman refused it, or there is no such folder.
    """
    options = ("--rm", "--pull=never", "--network=none", "--read-only", "--cap-drop=all", "--entrypoint=sh")
    # Results are text.
    packed = podman.run("run", *options, reference, "-c", 'tar --create --directory="$0" . | base64', folder)
    return base64.b64decode(packed.stdout)


def list_managed(podman: Podman, prefix: str) -> dict[str, float]:
    """Images that hubpod has made, newest first: references beginning so, and when they were made, in epoch seconds."""
    rows = podman.rows("images", f"--filter=label={MANAGED_BY}=hubpod")
    rows.sort(key=lambda row: row["Created"], reverse=True)
    named = ((name, row["Created"]) for row in rows for name in row.get("Names") or ())
    return {name: created for name, created in named if name.startswith(prefix)}


def remove(podman: Podman, references: Sequence[str]) -> None:
    """Remove images; those still in use stay."""
    if references:
        podman.run("image", "rm", *references, check=False)


def build_containers(podman: Podman, base: str) -> set[str]:
    """The ids of what builds on a base image are working on, or have left behind."""
    rows = podman.rows("ps", "--all", "--external", f"--filter=ancestor={base}")
    return {row["Id"] for row in rows if row["State"] == "storage"}


def remove_build_containers(podman: Podman, ids: set[str]) -> None:
    """Remove what a build that failed or was ended has left behind."""
    if ids:
        podman.run("rm", "--force", *ids, check=False)
