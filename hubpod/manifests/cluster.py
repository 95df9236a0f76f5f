"""Render an instance for a Kubernetes cluster, from the same values as the manifest for podman.

A cluster cannot seed volumes from archives: configuration becomes ConfigMaps, credentials Secrets, and data claims.
"""

from collections.abc import Iterable, Sequence
from typing import Any, assert_never

from hubpod.manifests.cluster_volumes import init_containers, mounts, resource_name, volume_name, volumes
from hubpod.manifests.names import document, encode, key, literal, name
from hubpod.manifests.podman import Document, security_context
from hubpod.pod import STOP_GRACE_S, Container, File, PodSpec, Seed, SeedKind
from hubpod.pods import InstanceSpec

CLAIM_SIZE = "10Gi"
"""Size of each claim: enough for some home directories, and ample for the state of the hub and Slurm."""


def manifest(spec: InstanceSpec, *, digest_key: bytes, secrets: bool = False) -> str:
    """Render an instance as YAML for ``kubectl apply``.

    Args:
        spec: The instance.
        digest_key: Key of the seeds' digests, whose change replaces a pod.
        secrets: Whether to include Secrets with their values instead of a comment that names them.

    Raises:
        ValueError: The seed of a data volume has files, but a claim starts empty.
    """
    several = len(spec.pods) > 1
    return "".join(
        text
        for pod in spec.pods
        for text in (
            *(_stored(pod, seed, secrets=secrets) for seed in pod.seeds),
            *(document(_service(pod, container)) for container in pod.containers if container.ports),
            *([document(_peer_service(pod))] if several else []),
            document(_policy(pod, [other for other in spec.pods if other is not pod])),
            document(_deployment(pod, digest_key)),
        )
    )


def _stored(pod: PodSpec, seed: Seed, *, secrets: bool) -> str:
    if seed.kind.is_private and not secrets:
        return _comment_on_secret(seed)
    return document(_resource_of(pod, seed))


def _comment_on_secret(seed: Seed) -> str:
    keys = ", ".join(key(file.path) for file in seed.files) or "none"
    return f"# Secret {resource_name(seed)} is left out; --with-secrets prints it. Its keys: {keys}\n"


def _resource_of(pod: PodSpec, seed: Seed) -> Document:
    """Render the resource of a seed's files, or the claim of a data volume."""
    named = resource_name(seed)
    match seed.kind:
        case SeedKind.CONFIG:
            return _resource(pod, "ConfigMap", named, **_texts_and_bytes(seed.files))
        case SeedKind.SETTINGS | SeedKind.CREDENTIAL:
            data = {key(file.path): encode(file.content) for file in seed.files}
            return _resource(pod, "Secret", named, type="Opaque", data=data)
        case SeedKind.DATA:
            if seed.files:
                raise ValueError(f"a claim starts empty, so the seed of {seed.volume} must not have files")
            claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": CLAIM_SIZE}}}
            return _resource(pod, "PersistentVolumeClaim", named, spec=claim)
        case _:
            assert_never(seed.kind)


def _texts_and_bytes(files: tuple[File, ...]) -> Document:
    texts: Document = {}
    others: Document = {}
    for file in files:
        try:
            texts[key(file.path)] = file.content.decode()
        except UnicodeDecodeError:
            others[key(file.path)] = encode(file.content)
    return {"data": texts, "binaryData": others} if others else {"data": texts}


def _service(pod: PodSpec, container: Container) -> Document:
    ports = [{**_port(port), "port": port, "targetPort": port} for port in _ports(container)]
    spec = {
        "type": "ClusterIP",
        "selector": dict(pod.labels),
        # The pod is not ready while the hub cannot reach Slurm, but users must still reach their notebooks, and
        # notebooks the hub.
        "publishNotReadyAddresses": True,
        "ports": ports,
    }
    return _resource(pod, "Service", name(f"{pod.name}-{container.name}"), spec=spec)


def _peer_service(pod: PodSpec) -> Document:
    """Render the name by which the instance's other pods reach this one.

    The name leads to the pod's own address and so to all of its ports, as with podman.
    """
    spec = {"clusterIP": "None", "selector": dict(pod.labels), "publishNotReadyAddresses": True}
    return _resource(pod, "Service", name(pod.name), spec=spec)


def _policy(pod: PodSpec, others: Sequence[PodSpec]) -> Document:
    """Render a policy that admits all clients to published ports, and other pods of the instance to peers' ports.

    Each container has its own rule, so that a site can restrict the clients of each.
    """
    rules = [{"ports": _policy_ports(_ports(container))} for container in pod.containers if container.ports]
    if others and pod.peer_ports != ():
        peers = [{"podSelector": {"matchLabels": dict(other.labels)}} for other in others]
        rules.append({"from": peers, **({"ports": _policy_ports(pod.peer_ports)} if pod.peer_ports else {})})
    spec = {"podSelector": {"matchLabels": dict(pod.labels)}, "policyTypes": ["Ingress"], "ingress": rules}
    return _resource(pod, "NetworkPolicy", name(pod.name), version="networking.k8s.io/v1", spec=spec)


def _policy_ports(ports: Iterable[int]) -> list[Document]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def _deployment(pod: PodSpec, digest_key: bytes) -> Document:
    digests = {
        f"checksum/{volume_name(pod, seed.volume)}": seed.digest(digest_key)
        for seed in pod.seeds
        if seed.kind.follows_seed
    }
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},  # two pods must not write the same data
        "selector": {"matchLabels": dict(pod.labels)},
        "template": {"metadata": {"labels": dict(pod.labels), "annotations": digests}, "spec": _pod(pod)},
    }
    return _resource(pod, "Deployment", name(pod.name), version="apps/v1", spec=spec)


def _pod(pod: PodSpec) -> Document:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": STOP_GRACE_S,
        "hostname": name(pod.name),
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": init_containers(pod),
        "containers": [_container(pod, container) for container in pod.containers],
        "volumes": volumes(pod),
    }


def _container(pod: PodSpec, container: Container) -> Document:
    return {
        "name": name(container.name),
        "image": container.image,
        "imagePullPolicy": "IfNotPresent",
        **({"args": [literal(word) for word in container.args]} if container.args else {}),
        "env": [{"name": variable, "value": literal(value)} for variable, value in container.env.items()],
        "securityContext": {
            **security_context(container.capabilities, may_gain=container.may_gain_privileges),
            **_user(container),
        },
        "ports": [{**_port(port), "containerPort": port} for port in _ports(container)],
        **_probes(container),
        "volumeMounts": mounts(pod, container),
    }


def _user(container: Container) -> Document:
    """Render a user other than root as a number.

    A cluster does not resolve user names of the image.
    """
    return {"runAsNonRoot": True, "runAsUser": container.uid, "runAsGroup": container.uid} if container.uid else {}


def _probes(container: Container) -> Document:
    probes: Document = {}
    if container.ready:
        # Rarely, because the hub's check goes all the way to Slurm and adds a line to the log there.
        command = [literal(word) for word in container.ready]
        probes["readinessProbe"] = {"exec": {"command": command}, "periodSeconds": 30, "timeoutSeconds": 25}
    if container.ports:
        connect = {"tcpSocket": {"port": container.ports[0].container}}
        probes["startupProbe"] = {**connect, "periodSeconds": 2, "failureThreshold": 150}
        probes["livenessProbe"] = {**connect, "periodSeconds": 10, "failureThreshold": 6}
    return probes


def _ports(container: Container) -> list[int]:
    """List the published ports without those of the host, which are meaningless in a cluster."""
    return list(dict.fromkeys(port.container for port in container.ports))


def _port(port: int) -> Document:
    return {"name": f"tcp-{port}", "protocol": "TCP"}


def _resource(pod: PodSpec, kind: str, named: str, *, version: str = "v1", **content: Any) -> Document:  # noqa: ANN401
    return {"apiVersion": version, "kind": kind, "metadata": {"name": named, "labels": dict(pod.labels)}, **content}
