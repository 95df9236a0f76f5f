"""Choose and pull the image of the Zenith client.

It is the registry's image, another one, or a stand-in that is built here.
"""

from collections.abc import Callable

from hubpod.components.zenith import IMAGE, REGISTRY_IMAGE
from hubpod.environments import Stage
from hubpod.errors import BuildError
from hubpod.images.base import PULL_TIMEOUT_S
from hubpod.images.references import reference_prefix
from hubpod.podman import images as podman_images
from hubpod.podman.cli import Podman
from hubpod.system.process import CommandError

STAND_IN = "stand-in"
"""Value of --zenith-image for a client that is built here and speaks the same protocol."""


def find_image(podman: Podman, wanted: str, stage: Stage) -> str:
    """Return the reference of the image to use without pulling it, or an empty text for the stand-in."""
    if wanted:
        return "" if wanted == STAND_IN else wanted
    built = reference_prefix(IMAGE, stage.value)
    stand_in = stage.falls_back_to_stand_in and bool(podman_images.list_managed(podman, built))
    return "" if stand_in and not podman.image_id(REGISTRY_IMAGE) else REGISTRY_IMAGE


def ensure_image(podman: Podman, wanted: str, stage: Stage, on_line: Callable[[str], None]) -> str:
    """Pull the image if it is missing, and return its reference, or an empty text for the stand-in.

    Development falls back to the stand-in if the registry does not answer. Production needs `--zenith-image stand-in`.

    Raises:
        BuildError: The image cannot be pulled.
    """
    reference = find_image(podman, wanted, stage)
    if not reference or podman.image_id(reference):
        return reference
    on_line(f"pulling {reference}")
    fallback = not wanted and stage.falls_back_to_stand_in
    try:
        podman.run("pull", "--quiet", reference, timeout_s=PULL_TIMEOUT_S if fallback else None)
    except CommandError as error:
        if fallback:
            on_line(f"{reference} cannot be pulled")
            return ""
        raise BuildError(
            f"cannot pull {reference}",
            detail=error.detail,
            remedy=f"name another image with --zenith-image, or `--zenith-image {STAND_IN}` to build a client here",
        ) from error
    return reference
