"""Removing a pod with all that podman has made for it."""

from hubpod.manifests import podman as podman_manifest
from hubpod.podman import volumes as podman_volumes
from hubpod.podman.cli import Podman


def remove_pod(podman: Podman, name: str) -> None:
    """Stop and remove a pod, its containers and its small file systems; what is not there is no error.

    Raises:
        CommandError: podman cannot remove it.
    """
    podman.remove_pod(name)
    # Those of a start that was killed have no container yet that would take them along.
    podman_volumes.remove_by_prefix(podman, podman_manifest.tmpfs_prefix(name))
