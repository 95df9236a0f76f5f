"""The volumes of a pod in a Kubernetes cluster, and the init container that prepares them.

A cluster mounts all files as root's, but readers of credentials check the owner. The init container copies credentials
to memory with the owners and modes of their seeds, and sets those of the claims' root directories.
"""

import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import assert_never

from hubpod.manifests.names import key, literal, name
from hubpod.manifests.podman import Document, security_context
from hubpod.pod import Container, File, PodSpec, Seed, SeedKind

WORKING_DIR = "/volumes"
"""Directory of the init container with each volume that it prepares, by the volume's name."""

# The script runs as root without the capability to override permissions, so that root owns a directory until it is
# complete. It is idempotent: a node that loses the pod's network restarts all containers of the pod.
_SCRIPT = """\
set -eu
umask 077
own() { chown "$2" "$1"; chmod "$3" "$1"; } # PATH OWNER MODE
take() { mkdir -p "$1"; own "$1" 0:0 0700; } # FOLDER
copy() { rm -f "$2"; cp "$1" "$2"; own "$2" "$3" "$4"; } # FROM TO OWNER MODE
"""

_MEMORY = {"emptyDir": {"medium": "Memory"}}


def resource_name(seed: Seed) -> str:
    """Return the name of the ConfigMap, Secret or claim of a seed."""
    return name(seed.volume, longest=253)


def volume_name(pod: PodSpec, volume: str) -> str:
    """Return the name within the pod of a volume that containers mount."""
    return name(volume.removeprefix(f"{pod.instance}-"))


def volumes(pod: PodSpec) -> list[Document]:
    """Render the pod's volumes, two for a copied one: the original and the copy."""
    found: list[Document] = []
    for seed in pod.seeds:
        if _is_copied(seed):
            found.append({"name": _source_name(pod, seed), **_source(seed)})
            found.append({"name": volume_name(pod, seed.volume), **_MEMORY})
        else:
            found.append({"name": volume_name(pod, seed.volume), **_source(seed)})
    return [*found, *({"name": tmpfs, **_MEMORY} for tmpfs in _tmpfs_names(pod))]


def mounts(pod: PodSpec, container: Container) -> list[Document]:
    """Render the mounts of a container."""
    return [
        *(
            {"name": volume_name(pod, mount.volume), "mountPath": mount.path, "readOnly": mount.read_only}
            for mount in container.mounts
        ),
        *({"name": _tmpfs_name(container, path), "mountPath": path} for path in container.tmpfs),
    ]


def init_containers(pod: PodSpec) -> list[Document]:
    """Render the container that prepares volumes, if any need it."""
    steps = _steps(pod)
    if not steps:
        return []
    sources = [_source_name(pod, seed) for seed in pod.seeds if _is_copied(seed)]
    prepared = [volume_name(pod, seed.volume) for seed in pod.seeds if _is_prepared(seed)]
    return [
        {
            "name": "volumes",
            "image": pod.containers[0].image,  # any image with a shell
            "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", literal(_SCRIPT + "".join(shlex.join(step) + "\n" for step in steps))],
            "workingDir": WORKING_DIR,
            "securityContext": {
                "runAsUser": 0,
                "runAsGroup": 0,
                # A set-group-ID bit would need FSETID, too, but no seed has one.
                **security_context(["CHOWN", "FOWNER"]),
            },
            "volumeMounts": [
                *_working_mounts(sources, read_only=True),
                *_working_mounts([*prepared, *_tmpfs_names(pod)], read_only=False),
            ],
        }
    ]


def _working_mounts(names: Iterable[str], *, read_only: bool) -> list[Document]:
    return [{"name": each, "mountPath": f"{WORKING_DIR}/{each}", "readOnly": read_only} for each in names]


def _steps(pod: PodSpec) -> list[list[str]]:
    """List the calls of the script's functions that prepare the volumes."""
    steps: list[list[str]] = []
    for seed in filter(_is_prepared, pod.seeds):
        directory = volume_name(pod, seed.volume)
        if _is_copied(seed):
            steps += _copy_steps(seed, _source_name(pod, seed), directory)
        steps.append(["own", directory, *_owner_and_mode(seed)])
    # The usual mode of a tmpfs. A cluster omits the sticky bit: users could remove each other's files, and munged
    # refuses a socket below such a directory.
    return [*steps, *(["own", tmpfs, "0:0", "1777"] for tmpfs in _tmpfs_names(pod))]


def _copy_steps(seed: Seed, source: str, directory: str) -> list[list[str]]:
    parents = {parent for file in seed.files for parent in PurePosixPath(file.path).parents if parent.parts}
    inner = [f"{directory}/{path}" for path in sorted(str(parent) for parent in parents)]
    return [
        *(["take", path] for path in (directory, *inner)),
        *(["copy", f"{source}/{file.path}", f"{directory}/{file.path}", *_owner_and_mode(file)] for file in seed.files),
        *(["own", path, *_owner_and_mode(seed)] for path in reversed(inner)),
    ]


def _owner_and_mode(of: File | Seed) -> tuple[str, str]:
    return f"{of.uid}:{of.gid}", f"{of.mode:04o}"


def _source(seed: Seed) -> Document:
    items = [{"key": key(file.path), "path": file.path, "mode": file.mode} for file in seed.files]
    match seed.kind:
        case SeedKind.CONFIG:
            return {"configMap": {"name": resource_name(seed), "items": items}}
        case SeedKind.SETTINGS | SeedKind.CREDENTIAL:
            # Without files the Secret may be missing in the cluster: nothing is taken from it.
            optional = {} if seed.files else {"optional": True}
            return {"secret": {"secretName": resource_name(seed), "items": items, **optional}}
        case SeedKind.DATA:
            return {"persistentVolumeClaim": {"claimName": resource_name(seed)}}
        case _:
            assert_never(seed.kind)


def _is_copied(seed: Seed) -> bool:
    """Whether containers mount a copy of a seed's files.

    Credentials, and configuration with owners other than root, need a copy.
    """
    foreign = any((file.uid, file.gid) != (0, 0) for file in seed.files)
    return seed.kind.is_private or (seed.kind is SeedKind.CONFIG and foreign)


def _is_prepared(seed: Seed) -> bool:
    return _is_copied(seed) or seed.kind is SeedKind.DATA


def _source_name(pod: PodSpec, seed: Seed) -> str:
    return name(f"{volume_name(pod, seed.volume)}-source")


def _tmpfs_names(pod: PodSpec) -> list[str]:
    return [_tmpfs_name(container, path) for container in pod.containers for path in container.tmpfs]


def _tmpfs_name(container: Container, path: str) -> str:
    return name(f"{container.name}-tmpfs-{path}")
