"""Remove a pod with everything that podman created for it."""

from hubpod.manifests import podman as podman_manifest
from hubpod.podman import volumes as podman_volumes
from hubpod.podman.cli import Podman


def remove_pod(podman: Podman, name: str) -> None:
    """Stop and remove a pod, its containers and the volumes of its tmpfs.

    A pod that does not exist is not an error.

    Raises:
        CommandError: podman cannot remove it.
    """
    podman.remove_pod(name)
    # A start that was killed leaves volumes that no container has yet, so podman does not remove them with the pod.
    podman_volumes.remove_by_prefix(podman, podman_manifest.tmpfs_prefix(name))
