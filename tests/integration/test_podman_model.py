"""The model of podman in tests/support answers as the podman of this machine, for the commands that hubpod uses."""

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubpod.podman.cli import Podman
from hubpod_harness.steps import wait_until
from support.podman_model import PodmanModel
from support.volume_trees import ROOT, Entry, Tree, pack, unpack

FILES: Tree = {
    "own": Entry(mode=0o750, uid=1000, gid=1000, mtime=900.0),
    "own/notes": Entry(content=b"\0\xff mine", mode=0o640, uid=1000, gid=1001, mtime=1000.0),
}
MORE: Tree = {"more": Entry(content=b"x", mode=0o600, mtime=1001.0)}
WAIT = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]


@dataclass(kw_only=True)
class Recorder:
    """Runs commands and records their outcomes, in words that do not depend on the names of a run.

    Attributes:
        podman: The real podman or the model.
        image: An image with a shell.
        directory: Directory for archives.
        token: Part of all names.
        outcomes: Each command with its outcome.
    """

    podman: Podman
    image: str
    directory: Path
    token: str
    outcomes: list[tuple[str, object]] = field(default_factory=list)

    def name(self, part: str) -> str:
        """Return the name of an object."""
        return f"model-{self.token}-{part}"

    @property
    def labels(self) -> dict[str, str]:
        """The label of all objects of this run."""
        return {"hubpod.test": self.token}

    def run(self, *args: str, stdin: bytes | None = None) -> str:
        """Run a command, record whether it succeeded and with which exit status, and return its output."""
        result = self.podman.run(*args, stdin=stdin, check=False)
        self.record(" ".join(args), result.returncode)
        return result.stdout

    def record(self, what: str, value: object) -> None:
        """Record a value."""
        plain = json.loads(json.dumps([what, value], default=str).replace(self.token, "T"))
        self.outcomes.append((plain[0].replace(str(self.directory), "D"), plain[1]))

    def create(self, part: str, *labels: str) -> None:
        """Create a volume."""
        options = [f"--label={each}" for each in (f"hubpod.test={self.token}", *labels)]
        self.run("volume", "create", *options, self.name(part))

    def listed(self, *filters: str) -> None:
        """Record the volumes that match filters, with and without their labels."""
        options = [f"--filter={each}" for each in filters]
        self.record(f"names {filters}", sorted(self.run("volume", "ls", "--quiet", *options).split()))
        rows = json.loads(self.run("volume", "ls", *options, "--format=json") or "[]")
        self.record(f"rows {filters}", sorted([row["Name"], row["Labels"]] for row in rows))

    def exported(self, part: str) -> None:
        """Record the content of a volume."""
        archive = self.directory / f"{secrets.token_hex(4)}.tar"
        result = self.podman.run("volume", "export", f"--output={archive}", self.name(part), check=False)
        tree = unpack(archive.read_bytes()) if result.ok else {}
        entries = {path: [repr(each.content), each.mode & 0o7777, each.uid, each.gid] for path, each in tree.items()}
        entries.pop(ROOT, None)
        self.record(f"export {part}", [result.ok, entries])

    def play(self, pod: str, volumes: Sequence[str], **commands: Sequence[str]) -> None:
        """Play a pod with a container for each command, which all mount the volumes, and a tmpfs."""
        mounts = [{"name": self.name(each), "mountPath": f"/{each}"} for each in volumes]
        temporary = self.name(f"{pod}-tmpfs")
        containers = [
            {
                "name": name,
                "image": self.image,
                "imagePullPolicy": "Never",
                "command": list(command),
                "volumeMounts": [*mounts, {"name": temporary, "mountPath": "/scratch"}],
            }
            for name, command in commands.items()
        ]
        document = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self.name(pod), "labels": self.labels},
            "spec": {
                "restartPolicy": "Never",
                "containers": containers,
                "volumes": [
                    *(
                        {"name": self.name(each), "persistentVolumeClaim": {"claimName": self.name(each)}}
                        for each in volumes
                    ),
                    {"name": temporary, "emptyDir": {"medium": "Memory"}},
                ],
            },
        }
        self.run("kube", "play", "-", stdin=yaml.safe_dump(document).encode())

    def containers(self) -> dict[str, str]:
        """Return the state of each container of this run."""
        return {row["Names"][0]: row["State"] for row in self.rows()}

    def rows(self) -> list[dict[str, Any]]:
        """Return podman's rows of the containers, without that of the pod's network."""
        options = [f"--filter=label=hubpod.test={self.token}"]
        rows = self.podman.rows("ps", "--all", *options)
        return [row for row in rows if not row.get("IsInfra")]

    def settled(self, **states: str) -> None:
        """Wait for states of containers, and record what hubpod reads of them."""
        wanted = {self.name(name.replace("_", "-")): state for name, state in states.items()}
        wait_until(f"the states {wanted}", lambda: self.containers() == wanted)
        rows = [
            # podman adds the labels of the image.
            [row["Names"], row["Image"], row["State"], self.labels.items() <= row["Labels"].items()]
            for row in sorted(self.rows(), key=lambda row: str(row["Names"]))
        ]
        self.record("containers", rows)


def use_volumes(recorder: Recorder) -> None:
    """Create, list, fill, read and remove volumes."""
    for part, value in (("a", 1), ("b", 2), ("ab", 1)):
        recorder.create(part, f"x={value}-{recorder.token}")
    recorder.create("a")
    for filters in (
        (f"label=x=1-{recorder.token}",),
        (f"label=x=1-{recorder.token}", f"label=x=2-{recorder.token}"),
        (f"label=x=3-{recorder.token}",),
        (f"name=^{recorder.name('a')}",),
        (f"name=^{recorder.name('a')}$",),
    ):
        recorder.listed(*filters)
    archive = recorder.directory / "files.tar"
    archive.write_bytes(pack(FILES))
    recorder.run("volume", "import", recorder.name("a"), str(archive))
    recorder.exported("a")
    recorder.run("volume", "import", recorder.name("a"), "-", stdin=pack(MORE))
    recorder.exported("a")
    recorder.run("volume", "import", recorder.name("missing"), str(archive))
    recorder.exported("missing")
    recorder.run("volume", "rm", "--force", recorder.name("a"), recorder.name("b"))
    recorder.listed(f"name={recorder.token}")


def use_pods(recorder: Recorder) -> None:
    """Play, list, stop, start and remove pods, with the volumes that they use."""
    recorder.create("data")
    recorder.run("pod", "exists", recorder.name("pod"))
    recorder.play("pod", ["data", "new"], first=WAIT, second=WAIT)
    recorder.settled(pod_first="running", pod_second="running")
    recorder.run("pod", "exists", recorder.name("pod"))
    recorder.listed(f"name={recorder.token}")
    recorder.play("pod", ["data"], first=WAIT)
    recorder.run("exec", recorder.name("pod-first"), "true")
    recorder.run("stop", "--time=5", recorder.name("pod-first"))
    recorder.settled(pod_first="exited", pod_second="running")
    recorder.record("exec fails", recorder.podman.run("exec", recorder.name("pod-first"), "true", check=False).ok)
    recorder.run("start", recorder.name("pod-first"))
    recorder.settled(pod_first="running", pod_second="running")
    recorder.run("restart", "--time=5", recorder.name("pod-second"))
    recorder.settled(pod_first="running", pod_second="running")
    recorder.run("stop", "--time=5", recorder.name("missing"))
    recorder.run("pod", "stop", "--ignore", "--time=5", recorder.name("pod"))
    recorder.settled(pod_first="exited", pod_second="exited")
    recorder.run("pod", "rm", "--force", "--ignore", recorder.name("pod"))
    recorder.run("pod", "rm", "--force", "--ignore", recorder.name("pod"))
    recorder.run("pod", "stop", "--ignore", "--time=5", recorder.name("pod"))
    recorder.record("containers", recorder.containers())
    recorder.listed(f"name={recorder.token}")


def remove_volumes_in_use(recorder: Recorder) -> None:
    """Remove a volume that a container uses: the container goes with it."""
    recorder.create("data")
    recorder.play("pod", ["data"], first=WAIT)
    recorder.settled(pod_first="running")
    recorder.run("volume", "rm", "--force", recorder.name("data"))
    recorder.record("containers", recorder.containers())
    recorder.run("pod", "rm", "--force", "--ignore", recorder.name("pod"))


@pytest.fixture
def real(podman: Podman, tmp_path: Path) -> Iterator[Recorder]:
    """A recorder of this machine's podman, whose objects are removed after the test."""
    images = podman.listing("images", "--quiet", "--filter=reference=localhost/hubpod/base")
    assert images, "bring an instance up first"
    image = podman.listing("images", "--format={{.Repository}}:{{.Tag}}", "--filter=reference=localhost/hubpod/base")[0]
    recorder = Recorder(podman=podman, image=image, directory=tmp_path, token=secrets.token_hex(4))
    yield recorder
    podman.run("pod", "rm", "--force", "--ignore", recorder.name("pod"))
    left = podman.listing("volume", "ls", "--quiet", f"--filter=name={recorder.token}")
    podman.remove_volumes(left)


@pytest.mark.parametrize("use", [use_volumes, use_pods, remove_volumes_in_use])
def test_the_model_answers_as_podman(real: Recorder, tmp_path: Path, use: Callable[[Recorder], None]) -> None:
    """Exit status and what hubpod reads of each answer are the same."""
    model = Recorder(podman=PodmanModel(), image=real.image, directory=tmp_path / "model", token=secrets.token_hex(4))
    model.directory.mkdir()

    use(real)
    use(model)

    assert model.outcomes == real.outcomes
