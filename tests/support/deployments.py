"""An instance on a podman in memory: versions that differ, and the data of its users."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from hubpod.commands import production
from hubpod.components import jupyterhub
from hubpod.components.assembly import instance_spec
from hubpod.components.site import Site
from hubpod.context import Context
from hubpod.deployment.apply import Difference, bring_up, find_difference
from hubpod.deployment.rollback import finish_restoring
from hubpod.environments import Stage, find_environment
from hubpod.podman.snapshot import Snapshot
from hubpod.pods import InstanceSpec
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace
from support.podman_model import PodmanModel, RefusedError
from support.sites import PROJECT, site
from support.volume_trees import Entry, Tree, unpack

FRAGMENT = "fragments/site.py"
"""The fragment that a site has removed in the version CONTENT."""

OLD, CONTENT, POD, BROKEN = "old", "content", "pod", "broken"
"""Versions: the first, one with other content of volumes, one with another pod, and one whose pod does not start."""

DATABASE = "jupyterhub.sqlite"
USERS = {
    "homes": {
        "project1": Entry(mode=0o755, mtime=900.5),
        "project1/ada.project1": Entry(mode=0o700, uid=20001, gid=9000, mtime=1000.25),
        "project1/ada.project1/notes": Entry(content=b"\0\xff mine", mode=0o640, uid=20001, gid=9000, mtime=1001.125),
    },
    "slurm-state": {"job_state": Entry(content=b"7", mode=0o600, uid=991, gid=991, mtime=1002.5)},
    jupyterhub.DATA_VOLUME: {DATABASE: Entry(content=b"SQLite", mode=0o600, uid=1000, gid=1000, mtime=1003.75)},
}
"""What users and daemons have written, by the volume's part and path."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One instance.

    Attributes:
        directory: The checkout, with a directory of seeds for each version.
        podman: Everything that podman has.
        base: What all versions derive from.
    """

    directory: Path
    podman: PodmanModel
    base: Site

    @property
    def context(self) -> Context:
        """The context of a new command."""
        return Context(
            workspace=Workspace(project=self.directory),
            podman=self.podman,
            reporter=ConsoleReporter(console=Console(quiet=True)),
        )

    @property
    def found(self) -> Snapshot:
        """The instance's containers and volumes."""
        return self.context.snapshot(self.base.instance)

    def instance(self, name: str) -> "Deployment":
        """Return another instance of the same environment and podman."""
        return replace(self, base=replace(self.base, instance=replace(self.base.instance, name=name)))

    def site(self, version: str) -> Site:
        """Return the site of a version."""
        volumes = self.directory / f"volumes-{CONTENT if version == CONTENT else OLD}"
        images = {name: f"{image}-{version}" for name, image in self.base.images.items()}
        return replace(self.base, volumes=volumes, images=self.base.images if version in {OLD, CONTENT} else images)

    def spec(self, version: str) -> InstanceSpec:
        """Return the pods of a version."""
        return instance_spec(self.site(version))

    def up(self, version: str, *, keep: bool = False) -> None:
        """Run `dev.up` or `prod.up` of a version."""
        production_stage = self.base.instance.environment.stage is Stage.PROD
        with self.context.locked(self.base.instance) as found:
            if production_stage:
                finish_restoring(self.context, self.base.instance)
                production.start(self.context, self.site(version), self.found, keep=keep)
            else:
                bring_up(self.context, self.site(version), self.spec(version), found, keep=keep)

    def upgrade(self, version: str) -> None:
        """Run `prod.upgrade` to a version."""
        with self.context.locked(self.base.instance):
            finish_restoring(self.context, self.base.instance)
            production.replace(self.context, self.site(version), self.found)

    def is_running(self, version: str) -> bool:
        """Whether hubpod takes what runs for a version."""
        difference = find_difference(self.context.workspace, self.site(version), self.spec(version), self.found)
        return difference is Difference.NONE

    def runs(self, version: str) -> bool:
        """Whether all containers of a version run, with exactly the content of its seeds."""
        spec = self.spec(version)
        pods = [self.podman.pods[pod.name] for pod in spec.pods if pod.name in self.podman.pods]
        return (
            {name: image for pod in pods for name, image in pod.images.items()}
            == {spec.podman_names[each.name]: each.image for each in spec.containers}
            and {state for pod in pods for state in pod.states.values()} == {"running"}
            and self.configuration() == seeded(spec)
        )

    def configuration(self) -> dict[str, Tree]:
        """Return the content of the volumes with configuration and credentials."""
        followed = {seed.volume for seed in self.spec(OLD).seeds if seed.kind.follows_seed}
        return {name: dict(volume.tree) for name, volume in self.podman.stored.items() if name in followed}

    def write_data(self) -> dict[str, Tree]:
        """Write what users write, and return all data."""
        for part, entries in USERS.items():
            if (volume := self.base.instance.volume(part)) in self.podman.stored:
                self.podman.stored[volume].tree.update(entries)
        return self.podman.data()

    def save(self) -> Callable[[], None]:
        """Return a function that brings back the present state of podman and of the checkout."""
        state, saved = self.context.workspace.state, self.directory / "saved"
        shutil.copytree(state, saved)
        stored, pods = deepcopy(self.podman.stored), deepcopy(self.podman.pods)

        def restore() -> None:
            shutil.rmtree(state)
            shutil.copytree(saved, state)
            self.podman.stored.clear()
            self.podman.stored.update(deepcopy(stored))
            self.podman.pods.clear()
            self.podman.pods.update(deepcopy(pods))

        return restore

    @contextmanager
    def disturbed(self, hook: Callable[[str], None]) -> Iterator[None]:
        """Call a function before each command of podman in the block."""
        self.podman.hooks.append(hook)
        try:
            yield
        finally:
            self.podman.hooks.remove(hook)


def seeded(spec: InstanceSpec) -> dict[str, Tree]:
    """Return the content that the seeds of configuration and credentials give their volumes."""
    return {seed.volume: unpack(seed.tar()) for seed in spec.seeds if seed.kind.follows_seed}


def deployment(environment: str, directory: Path) -> Deployment:
    """Return an instance of an environment that does not exist yet."""
    for version in (OLD, CONTENT):
        core = directory / f"volumes-{version}" / "jupyterhub" / "core"
        shutil.copytree(PROJECT / "volumes", core.parents[1])
        (core / "jupyterhub_config.py").open("a").write(f"# {version}\n")
    fragment = directory / f"volumes-{OLD}" / "jupyterhub" / "core" / FRAGMENT
    fragment.parent.mkdir()
    fragment.write_text("c = get_config()\n")
    base = replace(site(find_environment(environment)), port=0)
    podman = PodmanModel(_versions=[(4, 9, 3)])
    podman.broken.update(f"{image}-{BROKEN}" for image in base.images.values())
    return Deployment(directory=directory, podman=podman, base=base)


@dataclass
class Disturbance:
    """A hook that disturbs one command of podman, and perhaps all that follow.

    Attributes:
        error: The outcome of a disturbed command.
        at: The number of the first disturbed command, from 1; 0 disturbs none.
        lasting: Whether all later commands are disturbed, too.
        only: Beginnings of the commands that can be disturbed.
        seen: Number of commands that could be disturbed so far.
    """

    error: BaseException
    at: int = 0
    lasting: bool = False
    only: tuple[str, ...] = ("",)
    seen: int = 0

    def __call__(self, line: str) -> None:
        """Count a command, and raise the error if it is disturbed."""
        if isinstance(self.error, Killed) and self.at and self.seen >= self.at:
            raise self.error  # whatever the command: the process has ended
        if not line.startswith(self.only):
            return
        self.seen += 1
        if self.at and (self.seen >= self.at if self.lasting else self.seen == self.at):
            raise self.error


class Killed(BaseException):
    """The process is killed: no further command of it runs."""


WRITES = ("volume create", "volume import", "kube play", "run ")
CHANGES = (*WRITES, "volume rm", "volume export", "pod ", "stop ", "start ", "restart ", "exec ")


def disturbances() -> dict[str, Callable[[int], Disturbance]]:
    """Return the kinds of disturbances, each as a function of the number of the first disturbed command."""
    full = "Error: writing blob: no space left on device"
    return {
        "a command fails": lambda at: Disturbance(RefusedError("a failure of the test"), at, only=CHANGES),
        "the disk is full": lambda at: Disturbance(RefusedError(full), at, lasting=True, only=WRITES),
        "Ctrl-C": lambda at: Disturbance(KeyboardInterrupt(), at, only=CHANGES),
        "SIGKILL": lambda at: Disturbance(Killed(), at, lasting=True, only=CHANGES),
    }
