"""Names and tags of hubpod's images. A tag identifies everything that goes into its image."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from hubpod.environments import Stage
from hubpod.sources.clones import Checkout

REPOSITORY = "localhost/hubpod"
DIGEST_CHARACTERS = 12


def reference_prefix(name: str, variant: str) -> str:
    """Return the common prefix of all references to an image in one variant.

    The variant is a stage or an origin.
    """
    return f"{REPOSITORY}/{name}:{variant}-"


def reference(name: str, variant: str, digest: str) -> str:
    """Return the reference of an image with some content."""
    return f"{reference_prefix(name, variant)}{digest[:DIGEST_CHARACTERS]}"


def unbuilt_reference(name: str) -> str:
    """Return a reference for an image whose content is not known yet."""
    return f"{REPOSITORY}/{name}:unbuilt"


def base_digest(content: str) -> str:
    """Return the digest of a base image's definition."""
    return hashlib.sha256(content.encode()).hexdigest()


def image_digest(
    directory: Path, stage: Stage, base: str, arguments: Iterable[str], checkouts: Iterable[Checkout]
) -> str:
    """Return the digest of all that goes into an image.

    Args:
        directory: The image's directory below containers/.
        stage: Build stage.
        base: Id of the base image.
        arguments: Build arguments, each as NAME=VALUE.
        checkouts: Sources installed in the image. An image for development has no code, only the installation.
    """
    digest = hashlib.sha256(" ".join((stage.value, base, *arguments)).encode())
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        # Clones below _dev_build_data count as sources.
        if path.is_file() and relative.parts[0] != "_dev_build_data" and "__pycache__" not in relative.parts:
            executable = os.access(path, os.X_OK)
            digest.update(f"{relative} {executable} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for checkout in checkouts:
        identity = checkout.installation_digest() if stage.uses_clones else checkout.digest()
        digest.update(f"{checkout.source.name} {identity}\n".encode())
    return digest.hexdigest()
