"""Which image the Zenith client comes from: the registry's, another one, or the stand-in that is built here."""

from collections.abc import Callable

from hubpod.components.zenith import IMAGE, REGISTRY_IMAGE
from hubpod.environments import Stage
from hubpod.errors import BuildError
from hubpod.images.base import PULL_TIMEOUT_S, REPOSITORY
from hubpod.podman import images as podman_images
from hubpod.podman.cli import Podman
from hubpod.system.process import CommandError

STAND_IN = "stand-in"
"""What a person types to have the client that is built here, which speaks the same protocol."""


def find_image(podman: Podman, wanted: str, stage: Stage) -> str:
    """The image that would be used without pulling any; empty for the stand-in."""
    if wanted:
        return "" if wanted == STAND_IN else wanted
    built = f"{REPOSITORY}/{IMAGE}:{stage.value}-"
    stand_in = stage.falls_back_to_stand_in and bool(podman_images.list_managed(podman, built))
    return "" if stand_in and not podman.image_id(REGISTRY_IMAGE) else REGISTRY_IMAGE


def ensure_image(podman: Podman, wanted: str, stage: Stage, on_line: Callable[[str], None]) -> str:
    """Have the image; empty when the stand-in is to be built.

    In development the stand-in is good enough where no registry answers; in production somebody has to ask for it.

    Raises:
        BuildError: It cannot be pulled.
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
            on_line(f"{reference} cannot be had")
            return ""
        raise BuildError(
            f"cannot pull {reference}",
            detail=error.detail,
            remedy=f"name another image with --zenith-image, or `--zenith-image {STAND_IN}` to build a client here",
        ) from error
    return reference
