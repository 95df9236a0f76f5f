"""A pod as documents for a Kubernetes cluster, from the same values that kube.py renders for podman.

A cluster fills no volume from an archive: configuration becomes ConfigMaps, credentials Secrets, data claims.
"""

from typing import Any, assert_never

from hubpod.manifests.cluster_volumes import init_containers, mounts, resource_name, volume_name, volumes
from hubpod.manifests.names import document, encoded, key, literal, name
from hubpod.manifests.podman import Document, security_context
from hubpod.pod import STOP_GRACE_S, Container, File, PodSpec, Seed, SeedKind

CLAIM_SIZE = "10Gi"
"""What each claim asks for: room for the home folders of some, and far more than the hub's and Slurm's state."""


def manifest(pod: PodSpec, *, digest_key: bytes, secrets: bool = False) -> str:
    """The pod as YAML that ``kubectl apply`` takes.

    Args:
        pod: What to render.
        digest_key: Key of the digests by which a changed seed replaces the pod.
        secrets: Whether Secrets are written with their values, rather than named in a comment.

    Raises:
        ValueError: A data volume's seed has files, which a claim cannot begin with.
    """
    stored = [
        _left_out(seed) if seed.kind is SeedKind.CREDENTIAL and not secrets else document(_stored(pod, seed))
        for seed in pod.seeds
    ]
    services = [document(_service(pod, container)) for container in pod.containers if container.ports]
    return "".join([*stored, *services, document(_policy(pod)), document(_deployment(pod, digest_key))])


def _left_out(seed: Seed) -> str:
    keys = ", ".join(key(file.path) for file in seed.files) or "none"
    return f"# Secret {resource_name(seed)} is left out; --with-secrets prints it. Its keys: {keys}\n"


def _stored(pod: PodSpec, seed: Seed) -> Document:
    """What holds a seed's files, or the place for data."""
    named = resource_name(seed)
    match seed.kind:
        case SeedKind.CONFIG:
            return _resource(pod, "ConfigMap", named, **_texts_and_bytes(seed.files))
        case SeedKind.CREDENTIAL:
            data = {key(file.path): encoded(file.content) for file in seed.files}
            return _resource(pod, "Secret", named, type="Opaque", data=data)
        case SeedKind.DATA:
            if seed.files:
                raise ValueError(f"a claim begins empty, so the seed of {seed.volume} may not have files")
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
            others[key(file.path)] = encoded(file.content)
    return {"data": texts, "binaryData": others} if others else {"data": texts}


def _service(pod: PodSpec, container: Container) -> Document:
    ports = [{**_port(port), "port": port, "targetPort": port} for port in _ports(container)]
    spec = {
        "type": "ClusterIP",
        "selector": dict(pod.labels),
        # Where the hub does not reach Slurm the pod is not ready; that must not part people from their notebooks, nor
        # notebooks from the hub.
        "publishNotReadyAddresses": True,
        "ports": ports,
    }
    return _resource(pod, "Service", name(f"{pod.name}-{container.name}"), spec=spec)


def _policy(pod: PodSpec) -> Document:
    """Who may connect to the pod: anybody to what is published, nobody to anything else.

    There is a rule for each container, so that a site can say from where.
    """
    rules = [
        {"ports": [{"protocol": "TCP", "port": port} for port in _ports(container)]}
        for container in pod.containers
        if container.ports
    ]
    spec = {"podSelector": {"matchLabels": dict(pod.labels)}, "policyTypes": ["Ingress"], "ingress": rules}
    return _resource(pod, "NetworkPolicy", name(pod.name), version="networking.k8s.io/v1", spec=spec)


def _deployment(pod: PodSpec, digest_key: bytes) -> Document:
    digests = {
        f"checksum/{volume_name(pod, seed.volume)}": seed.digest(digest_key)
        for seed in pod.seeds
        if seed.kind.follows_seed
    }
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},  # two pods would write the same data
        "selector": {"matchLabels": dict(pod.labels)},
        "template": {"metadata": {"labels": dict(pod.labels), "annotations": digests}, "spec": _pod(pod)},
    }
    return _resource(pod, "Deployment", name(pod.name), version="apps/v1", spec=spec)


def _pod(pod: PodSpec) -> Document:
    names: dict[str, list[str]] = {}  # by address, because a cluster takes one entry for each
    for host, ip in pod.host_aliases.items():
        names.setdefault(ip, []).append(host)
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": STOP_GRACE_S,
        "hostname": name(pod.name),
        "hostAliases": [{"ip": ip, "hostnames": hosts} for ip, hosts in names.items()],
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
    """Who it runs as where that is not root: as a number, because a cluster does not look up the image's name."""
    return {"runAsNonRoot": True, "runAsUser": container.uid, "runAsGroup": container.uid} if container.uid else {}


def _probes(container: Container) -> Document:
    probes: Document = {}
    if container.ready:
        # Not more often, as the hub's goes all the way to Slurm and leaves a line in the log there.
        command = [literal(word) for word in container.ready]
        probes["readinessProbe"] = {"exec": {"command": command}, "periodSeconds": 10, "timeoutSeconds": 10}
    if container.ports:
        connect = {"tcpSocket": {"port": container.ports[0].container}}
        probes["startupProbe"] = {**connect, "periodSeconds": 2, "failureThreshold": 150}
        probes["livenessProbe"] = {**connect, "periodSeconds": 10, "failureThreshold": 6}
    return probes


def _ports(container: Container) -> list[int]:
    """The ports that others may use; which of a host's they are elsewhere means nothing in a cluster."""
    return list(dict.fromkeys(port.container for port in container.ports))


def _port(port: int) -> Document:
    return {"name": f"tcp-{port}", "protocol": "TCP"}


def _resource(pod: PodSpec, kind: str, named: str, *, version: str = "v1", **content: Any) -> Document:  # noqa: ANN401
    return {"apiVersion": version, "kind": kind, "metadata": {"name": named, "labels": dict(pod.labels)}, **content}
