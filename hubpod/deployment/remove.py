"""Remove the pods of an instance with everything that podman created for them."""

from functools import partial

from hubpod.components.assembly import pod_names
from hubpod.context import side_by_side
from hubpod.instances import Instance
from hubpod.labels import LABEL_INSTANCE
from hubpod.manifests import podman as podman_manifest
from hubpod.podman import volumes as podman_volumes
from hubpod.podman.cli import Podman


def find_pods(podman: Podman, instance: Instance) -> tuple[str, ...]:
    """List an instance's pods by their labels, and pods without labels that have the name of one.

    A name does not suffice: the Slurm pod of instance ``x`` has the name of a pod of instance ``x-slurm``.
    """
    names = pod_names(instance)
    return tuple(
        name
        for name, labels in podman.pod_labels().items()
        if instance.labels.items() <= labels.items() or (name in names and LABEL_INSTANCE not in labels)
    )


def remove_pods(podman: Podman, instance: Instance) -> None:
    """Stop and remove an instance's pods, their containers and the volumes of their tmpfs.

    An instance without pods is not an error.

    Raises:
        CommandError: podman cannot remove a pod.
    """
    side_by_side([partial(podman.remove_pod, name) for name in find_pods(podman, instance)])
    # A start that was killed leaves volumes that no container has yet, so podman does not remove them with the pod.
    podman_volumes.remove_by_prefix(podman, podman_manifest.tmpfs_prefix(instance.resource))
