"""A podman whose volumes, pods and containers are in memory, for tests of what happens to data.

It interprets the arguments of the commands that hubpod uses, filters among them, as podman 4.3 does.
tests/integration/test_podman_model.py compares it with the podman of this machine.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any

import yaml

from hubpod.components import zenith
from hubpod.labels import LABEL_KIND
from hubpod.pod import SeedKind
from hubpod.podman.cli import Podman
from hubpod.system.process import CommandError, Result
from support.volume_trees import ROOT, Entry, Tree, pack, unpack


class RefusedError(Exception):
    """A command fails.

    Attributes:
        code: podman's exit status.
    """

    def __init__(self, message: str, code: int = 125) -> None:
        super().__init__(message)
        self.code = code


@dataclass(kw_only=True)
class ModelVolume:
    """A volume: its labels and entries."""

    labels: Mapping[str, str] = field(default_factory=dict)
    tree: Tree = field(default_factory=lambda: {ROOT: Entry()})


@dataclass(kw_only=True)
class ModelPod:
    """A pod.

    Attributes:
        labels: Its labels, which its containers have, too.
        images: Image of each container, by the container's name.
        mounts: Names of the volumes that each container mounts.
        states: State of each container, by its name.
        temporary: Names of the volumes that podman has created for the pod's tmpfs.
    """

    labels: Mapping[str, str]
    images: Mapping[str, str]
    mounts: Mapping[str, frozenset[str]]
    states: dict[str, str]
    temporary: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class PodmanModel(Podman):
    """A podman with its state in memory.

    Attributes:
        stored: Volumes by name.
        pods: Pods by name.
        calls: All commands, one line each.
        hooks: Called with each command's line before it runs; an exception of theirs is the outcome.
        failing: Prefixes of commands that fail.
        broken: Images whose containers end with an error when they start.
        graph_root: Directory of the images and volumes of a real podman.
    """

    stored: dict[str, ModelVolume] = field(default_factory=dict)
    pods: dict[str, ModelPod] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    hooks: list[Callable[[str], None]] = field(default_factory=list)
    failing: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    graph_root: str = "/"
    _lock: Any = field(default_factory=RLock, repr=False, compare=False)

    def run(
        self,
        *args: str,
        stdin: bytes | None = None,
        check: bool = True,
        timeout_s: float | None = None,  # noqa: ARG002 - nothing takes long here
    ) -> Result:
        """Do what a command does; a failing import has written half of its files."""
        with self._lock:
            self.calls.append(" ".join(args))
            result = self._result(args, stdin or b"")
        if check and not result.ok:
            raise CommandError(result)
        return result

    def log(self, container: str, *, since: float = 0, timestamps: bool = False, tail: int = 0) -> str:
        """Return the line of a tunnel that has stood for long."""
        options = [*(["--timestamps"] if timestamps else []), *([f"--tail={tail}"] if tail else [])]
        return self.run("logs", *options, f"--since={since:.0f}", container, check=False).stdout

    def _result(self, args: tuple[str, ...], stdin: bytes) -> Result:
        try:
            try:
                self._disturb(self.calls[-1])
            except BaseException:
                self._write_half(args, stdin)
                raise
            return Result(argv=args, returncode=0, stdout=self._answer(args, stdin))
        except RefusedError as error:
            return Result(argv=args, returncode=error.code, stderr=str(error))

    def _disturb(self, line: str) -> None:
        for hook in self.hooks:
            hook(line)
        if line.startswith(tuple(self.failing)):
            raise RefusedError("a failure of the test")

    @property
    def states(self) -> dict[str, str]:
        """The state of each container."""
        return {name: state for pod in self.pods.values() for name, state in pod.states.items()}

    def data(self) -> dict[str, Tree]:
        """Return the entries of all volumes with data, by the volume's name."""
        return {
            name: dict(volume.tree)
            for name, volume in self.stored.items()
            if volume.labels.get(LABEL_KIND) == SeedKind.DATA.value
        }

    # Volumes

    def _answer(self, args: tuple[str, ...], stdin: bytes) -> str:
        match args:
            case ["volume", "ls", "--quiet", *options]:
                return "\n".join(self._listed(options))
            case ["volume", "ls", *options, "--format=json"]:
                listed = self._listed(options)
                return json.dumps([{"Name": name, "Labels": dict(self.stored[name].labels)} for name in listed])
            case ["volume", "create", *options, name]:
                labels = [_pair(each.removeprefix("--label=")) for each in options if each.startswith("--label=")]
                self._create(name, dict(labels))
            case ["volume", "import", name, archive]:
                self._volume(name).tree.update(unpack(_read(archive, stdin)))
            case ["volume", "export", output, name]:
                tree = {path: entry for path, entry in self._volume(name).tree.items() if path != ROOT}
                Path(output.removeprefix("--output=")).write_bytes(pack(tree))
            case ["volume", "rm", "--force", *names]:
                self._remove_volumes(names)
            case ["run", *options]:
                self._volume(_mounted(options)).tree = {**self._kept(options), **unpack(stdin)}
            case _:
                return self._answer_for_pods(args, stdin)
        return ""

    def _write_half(self, args: tuple[str, ...], stdin: bytes) -> None:
        match args:
            case ["volume", "import", name, archive] if name in self.stored:
                entries = unpack(_read(archive, stdin))
                self.stored[name].tree.update(dict(list(entries.items())[: len(entries) // 2]))
            case ["run", *options]:
                half = list(unpack(stdin).items())[: len(unpack(stdin)) // 2]
                self._volume(_mounted(options)).tree = {**self._kept(options), **dict(half)}

    def _kept(self, options: Sequence[str]) -> Tree:
        """Return the entries that a script in a container keeps before it unpacks an archive."""
        tree = self._volume(_mounted(options)).tree
        return {ROOT: tree[ROOT]} if "-delete" in options[-1] else tree

    def _create(self, name: str, labels: Mapping[str, str]) -> None:
        if name in self.stored:
            raise RefusedError(f"Error: volume with name {name} already exists: volume already exists")
        self.stored[name] = ModelVolume(labels=labels)

    def _volume(self, name: str) -> ModelVolume:
        if name not in self.stored:
            raise RefusedError(f"Error: no such volume {name}")
        return self.stored[name]

    def _listed(self, options: Sequence[str]) -> list[str]:
        """Return the names of the volumes that match any filter: podman 4.3 combines all of them by "or"."""
        filters = [option.removeprefix("--filter=").partition("=")[::2] for option in options]
        labels = [_pair(value) for kind, value in filters if kind == "label"]
        patterns = [value for kind, value in filters if kind == "name"]
        assert len(labels) + len(patterns) == len(options), f"the model does not know {options}"
        return [
            name
            for name, volume in self.stored.items()
            if not filters
            or any(label in volume.labels.items() for label in labels)
            or any(re.search(pattern, name) for pattern in patterns)
        ]

    def _remove_volumes(self, names: Iterable[str]) -> None:
        for name in names:
            self.stored.pop(name, None)
            for pod in self.pods.values():  # --force removes the containers that use it
                for container in [each for each, mounted in pod.mounts.items() if name in mounted]:
                    pod.states.pop(container, None)

    # Pods

    def _answer_for_pods(self, args: tuple[str, ...], stdin: bytes) -> str:
        match args:
            case ["kube", "play", "-"]:
                for document in yaml.load_all(stdin, Loader=yaml.CSafeLoader):
                    self._play(document["kind"], document["metadata"], document["spec"])
            case ["pod", "rm", "--force", "--ignore", name]:
                for temporary in self.pods.pop(name).temporary if name in self.pods else ():
                    self.stored.pop(temporary, None)
            case ["pod", "stop", "--ignore", *_, name]:
                self._set_states(list(self.pods[name].states) if name in self.pods else (), "exited")
            case ["pod", "ps", "--format=json"]:
                return json.dumps([{"Name": name, "Labels": dict(pod.labels)} for name, pod in self.pods.items()])
            case ["pod", "exists", name]:
                if name not in self.pods:
                    raise RefusedError("", code=1)
            case _:
                return self._answer_for_containers(args)
        return ""

    def _answer_for_containers(self, args: tuple[str, ...]) -> str:
        match args:
            case ["stop" | "start" | "restart" as verb, *options]:
                names = [each for each in options if not each.startswith("--")]
                self._set_states(names, "exited" if verb == "stop" else "running")
            case ["ps", "--all", *options, "--format=json"]:
                return json.dumps(list(self._rows(options)))
            case ["inspect", "--type=container", wanted, *names] if "HostsPath" in wanted:
                return "\n" * len(names)  # no container has a network
            case ["inspect", "--type=container", _, *names]:
                mounts = (pod.mounts.get(name, ()) for pod in self.pods.values() for name in names)
                return " ".join(volume for mounted in mounts for volume in mounted)
            case ["info", *_]:
                return json.dumps({"store": {"graphRoot": self.graph_root}})
            case ["logs", *options]:
                return f"{'2026-01-01T00:00:00+00:00 ' if '--timestamps' in options else ''}{zenith.READY_LINE}"
            case ["exec", *_]:
                if any(state != "running" for name, state in self.states.items() if name in args):
                    raise RefusedError("the container does not run")
            case _:
                raise AssertionError(f"the model does not know `podman {' '.join(args)}`")
        return ""

    def _set_states(self, names: Iterable[str], state: str) -> None:
        for name in names:
            pod = next((each for each in self.pods.values() if name in each.states), None)
            if not pod:
                raise RefusedError(f"Error: no container with name or ID {name} found: no such container")
            pod.states[name] = "exited" if pod.images[name] in self.broken else state

    def _rows(self, options: Sequence[str]) -> Iterable[dict[str, Any]]:
        labels = [_pair(each.removeprefix("--filter=label=")) for each in options]
        for pod in self.pods.values():
            if not labels or any(label in pod.labels.items() for label in labels):
                for name, state in pod.states.items():
                    row = {"Names": [name], "Image": pod.images[name], "StartedAt": 1}
                    ended = {"State": state, "ExitCode": int(state != "running")}
                    yield {**row, **ended, "Labels": dict(pod.labels)}

    def _play(self, kind: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
        name = metadata["name"]
        if kind == "PersistentVolumeClaim":
            self._create(name, metadata["labels"])
            return
        containers = {f"{name}-{each['name']}": each for each in spec["containers"]}
        if taken := {name, *containers} & {*self.pods, *self.states}:
            raise RefusedError(f"Error: the name {min(taken)} is already in use")
        claims = {
            each["name"]: each["persistentVolumeClaim"]["claimName"]
            if "persistentVolumeClaim" in each
            else each["name"]
            for each in spec["volumes"]
        }
        mounts = {
            container: frozenset(claims[mount["name"]] for mount in each["volumeMounts"])
            for container, each in containers.items()
        }
        temporary = frozenset(each["name"] for each in spec["volumes"] if "emptyDir" in each)
        for volume in frozenset().union(*mounts.values()) | temporary:
            self.stored.setdefault(volume, ModelVolume())
        self.pods[name] = ModelPod(
            labels=metadata["labels"],
            images={container: each["image"] for container, each in containers.items()},
            mounts=mounts,
            states=dict.fromkeys(containers, "created"),
            temporary=temporary,
        )
        self._set_states(containers, "running")


def _read(archive: str, stdin: bytes) -> bytes:
    return stdin if archive == "-" else Path(archive).read_bytes()


def _mounted(options: Sequence[str]) -> str:
    """Return the name of the volume that `podman run` mounts."""
    (name,) = (each.split("=")[1].split(":")[0] for each in options if each.startswith("--volume="))
    return name


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value
