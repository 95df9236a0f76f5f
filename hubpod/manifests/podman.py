"""Render an instance as the Kubernetes manifest that podman plays."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from hubpod.labels import LABEL_MANIFEST
from hubpod.pod import STOP_GRACE_S, Container, PodSpec
from hubpod.pods import InstanceSpec

Document = dict[str, Any]


def manifest(spec: InstanceSpec) -> str:
    """Render an instance as YAML for ``podman kube play``, with the digest of the rest as a label of each pod."""
    documents = [_pod(pod) for pod in spec.pods]
    identity = _digest(documents)
    for document in documents:
        document["metadata"]["labels"][LABEL_MANIFEST] = identity
    return "---\n".join(map(as_yaml, documents))


def digest(spec: InstanceSpec) -> str:
    """Return the digest that identifies an instance's manifest, as 16 hexadecimal digits."""
    return _digest([_pod(pod) for pod in spec.pods])


def _digest(documents: Sequence[Document]) -> str:
    return hashlib.sha256(json.dumps(documents).encode()).hexdigest()[:16]


def as_yaml(document: Document) -> str:
    """Render a document with literal blocks, and with strings that no YAML version misreads."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, _data: object) -> bool:
        return True

    def text(self, text: str) -> yaml.ScalarNode:
        style = None
        # podman and clusters read another YAML version than PyYAML, with other numbers, dates, booleans and line
        # breaks: an unquoted instance name 12e4 would become 120000.
        if re.fullmatch(r"[-+]?\.?[0-9].*|[yYnN]", text) or re.search("[\x85\u2028\u2029]", text):
            style = '"'
        elif "\n" in text:
            style = "|"
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _Dumper.text)


def _pod(pod: PodSpec) -> Document:
    volumes = {mount.volume for container in pod.containers for mount in container.mounts}
    spec: Document = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": STOP_GRACE_S,
        "hostname": pod.name,
        "containers": [_container(pod, container) for container in pod.containers],
        "volumes": [
            *(
                {"name": _volume_name(pod, volume), "persistentVolumeClaim": {"claimName": volume}}
                for volume in sorted(volumes)
            ),
            *(
                {"name": _tmpfs_name(pod, container, path), "emptyDir": {"medium": "Memory"}}
                for container in pod.containers
                for path in container.tmpfs
            ),
        ],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod.name, "labels": dict(pod.labels)},
        "spec": spec,
    }


def _container(pod: PodSpec, container: Container) -> Document:
    document: Document = {
        "name": container.name,
        "image": container.image,
        "imagePullPolicy": "Never",
        "env": [{"name": name, "value": value} for name, value in container.env.items()],
        "securityContext": security_context(container.capabilities, may_gain=container.may_gain_privileges),
        "volumeMounts": [
            *(
                {"name": _volume_name(pod, mount.volume), "mountPath": mount.path, "readOnly": mount.read_only}
                for mount in container.mounts
            ),
            *({"name": _tmpfs_name(pod, container, path), "mountPath": path} for path in container.tmpfs),
        ],
    }
    if container.args:
        document["args"] = list(container.args)
    if container.ports:
        document["ports"] = [
            {"containerPort": port.container, "hostIP": port.host_ip, "hostPort": port.host, "protocol": "TCP"}
            for port in container.ports
        ]
    return document


def security_context(capabilities: Iterable[str], *, may_gain: bool = False) -> Document:
    """Restrict a container to writes to its volumes and to some capabilities (capabilities(7)).

    Args:
        capabilities: The capabilities that it has, without ``CAP_``.
        may_gain: Whether set-uid programs such as sudo work.
    """
    return {
        "allowPrivilegeEscalation": may_gain,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": list(capabilities)},
    }


def tmpfs_prefix(instance: str) -> str:
    """Return the prefix of the names of an instance's tmpfs volumes.

    podman 4.3 creates a named volume for each, so that the names must be unique among instances. It leaves the volume
    behind if it is killed before the container exists.
    """
    return f"tmpfs-{hashlib.sha256(instance.encode()).hexdigest()[:12]}-"


def _tmpfs_name(pod: PodSpec, container: Container, path: str) -> str:
    # A digest, because a volume name has at most 63 characters (RFC 1123).
    return f"{tmpfs_prefix(pod.instance)}{container.name}-{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def _volume_name(pod: PodSpec, volume: str) -> str:
    return volume.removeprefix(f"{pod.instance}-")
