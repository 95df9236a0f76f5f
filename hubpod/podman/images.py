"""Tag, import, list and remove podman's images, and the working containers of their builds."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from hubpod.labels import MANAGED_BY
from hubpod.podman.cli import Podman


def repository_digest(podman: Podman, reference: str, repository: str) -> str:
    """Return a pulled image's digest in a repository, ``sha256:…``, or an empty text if it is unknown.

    This is not the image's own digest, because podman records that of the first manifest with the same content.
    """
    digests = json.loads(podman.run("image", "inspect", "--format", "{{json .RepoDigests}}", reference).stdout)
    return next((each.partition("@")[2] for each in digests or () if each.startswith(f"{repository}@")), "")


def tag(podman: Podman, source: str, target: str) -> None:
    """Add a name to an image."""
    podman.run("tag", source, target)


def import_archive(
    podman: Podman, archive: Path, reference: str, *, env: Mapping[str, str], labels: Mapping[str, str]
) -> None:
    """Create an image from a root file system in a tar archive."""
    changes = [f"ENV {name}={value}" for name, value in env.items()]
    changes += [f"LABEL {name}={value}" for name, value in labels.items()]
    podman.run("import", "--quiet", *(f"--change={change}" for change in changes), str(archive), reference)


def export_directory(podman: Podman, reference: str, directory: str) -> bytes:
    """Return a directory of an image as a tar archive.

    Raises:
        CommandError: podman failed, or the image does not have the directory.
    """
    options = ("--rm", "--pull=never", "--network=none", "--read-only", "--cap-drop=all", "--entrypoint=sh")
    # The output of commands is decoded as text, so the archive comes in base64.
    result = podman.run("run", *options, reference, "-c", 'tar --create --directory="$0" . | base64', directory)
    return base64.b64decode(result.stdout)


def list_managed(podman: Podman, prefix: str) -> dict[str, float]:
    """List the images built by hubpod whose reference starts with a prefix, newest first.

    Returns:
        Creation time in seconds since the epoch, by reference.
    """
    rows = podman.rows("images", f"--filter=label={MANAGED_BY}=hubpod")
    rows.sort(key=lambda row: row["Created"], reverse=True)
    names = ((name, row["Created"]) for row in rows for name in row.get("Names") or ())
    return {name: created for name, created in names if name.startswith(prefix)}


def remove(podman: Podman, references: Sequence[str]) -> None:
    """Remove images, except those in use."""
    if references:
        podman.run("image", "rm", *references, check=False)


def build_containers(podman: Podman, base: str) -> set[str]:
    """Return the ids of all working containers of builds on a base image, even abandoned ones."""
    rows = podman.rows("ps", "--all", "--external", f"--filter=ancestor={base}")
    return {row["Id"] for row in rows if row["State"] == "storage"}


def remove_build_containers(podman: Podman, ids: set[str]) -> None:
    """Remove the working containers that a failed or terminated build has left behind."""
    if ids:
        podman.run("rm", "--force", *ids, check=False)
