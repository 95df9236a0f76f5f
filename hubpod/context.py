"""The context of every command, and the translation of errors that any command may meet."""

import errno
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from hubpod.errors import HubpodError, MachineError, NotReadyError, UsageError, nearest
from hubpod.instances import DEFAULT_INSTANCE, Instance
from hubpod.labels import LABEL_PROJECT
from hubpod.podman.cli import Podman
from hubpod.podman.inventory import find_instances
from hubpod.podman.machine import usable_podman, version_text
from hubpod.podman.snapshot import Snapshot, take_snapshot
from hubpod.system import process
from hubpod.system.locks import hold, user_lock
from hubpod.system.progress import Reporter
from hubpod.system.started_as import command_line
from hubpod.workspace import Workspace

SIMILAR_INSTANCE = 0.75
"""Similarity of the names ``nwe1`` and ``new1``; that of random names is below."""

FULL_BYTES = 16 * 2**20
"""With less free space a disk counts as full. The clean-up after a failure frees a few MiB."""


class Unknown(Enum):
    """What to do with the name of an instance that has never been up."""

    REFUSE_SIMILAR = "refuse it if it resembles the name of another instance"
    REFUSE = "refuse it"


@dataclass(frozen=True, kw_only=True)
class Context:
    """The context of a command: checkout, podman and reporter.

    Attributes:
        workspace: The checkout.
        podman: A podman that works on this machine.
        reporter: Prints the command's progress.
    """

    workspace: Workspace
    podman: Podman
    reporter: Reporter

    @contextmanager
    def locked(self, instance: Instance, unknown: Unknown | None = None) -> Iterator[Snapshot]:
        """Hold the lock of an instance, and turn errors of a full disk into one sentence.

        Args:
            instance: The instance.
            unknown: What to do with an instance that has never been up; by default the command may create it.

        Yields:
            The instance's containers and volumes at the start of the block.

        Raises:
            UsageError: The instance belongs to another checkout, or is unknown.
        """
        # Checkouts share podman, so that two of them may bring up the same instance at the same time.
        lock = user_lock(f"{instance.environment.name}.{instance.name}")
        with hold(lock, self.reporter.say), explaining_full_disk(self.workspace, self.podman):
            yield self.find(instance, unknown)

    def find(self, instance: Instance, unknown: Unknown | None = None) -> Snapshot:
        """Query podman for the containers and volumes of an instance of this checkout.

        The arguments and errors are those of ``locked``.
        """
        found = self.snapshot(instance)
        self._require_own(instance, found)
        if unknown and not (found.containers or found.volumes):
            self._require_known(instance, unknown)
        return found

    def snapshot(self, instance: Instance) -> Snapshot:
        """Query podman for the containers and volumes of an instance."""
        return take_snapshot(self.podman, instance.labels)

    def _require_own(self, instance: Instance, found: Snapshot) -> None:
        """Refuse an instance of another checkout, as long as that checkout exists."""
        owners = {volume.labels.get(LABEL_PROJECT, "") for volume in found.volumes.values()}
        for owner in owners - {"", str(self.workspace.project)}:
            if Path(owner).exists():
                raise UsageError(
                    f"{instance}, belongs to the checkout {owner}",
                    remedy="give yours another name with --instance, or work on this one from there",
                )

    def _require_known(self, instance: Instance, unknown: Unknown) -> None:
        """Refuse an instance that has never been up. The default one need not have been."""
        if instance.name == DEFAULT_INSTANCE or self.workspace.files(instance).directory.exists():
            return
        found = find_instances(self.podman)
        names = [each.name for each in found if each.environment == instance.environment.name]
        elsewhere = [each.environment for each in found if each.name == instance.name]
        mistyped = [name for name in names if _digits(name) == _digits(instance.name)]
        if unknown is Unknown.REFUSE_SIMILAR and not nearest(instance.name, mistyped, similarity=SIMILAR_INSTANCE):
            return
        similar = nearest(instance.name, names)
        hint = f"; {elsewhere[0]} has one" if elsewhere and not similar else similar
        raise UsageError(
            f"{instance.environment.name} has no instance {instance.name!r}{hint}",
            remedy=f"`{command_line('dev.list')}` lists the instances, and "
            f"`{instance.command('up')}` brings this one up",
        )


def _digits(name: str) -> str:
    """Return the digits of a name: names that differ in them, such as ``pr-17`` and ``pr-18``, are two names."""
    return "".join(filter(str.isdigit, name))


def prepare(workspace: Workspace, reporter: Reporter) -> Context:
    """Check that podman works on this machine, and return the context of a command.

    Raises:
        MachineError: podman does not work.
    """
    with reporter.phase("preflight") as phase, explaining_full_disk(workspace):
        podman = usable_podman(workspace)
        phase.result(f"podman {version_text(podman.version)}")
    return Context(workspace=workspace, podman=podman, reporter=reporter)


def side_by_side(jobs: list[Callable[[], None]]) -> None:
    """Run jobs in threads, and end the commands of the others if one fails or on an interrupt.

    Raises:
        HubpodError: The error of the job that failed first.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(jobs))) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            for future in sorted(futures, key=lambda each: not each.done()):
                future.result()
        except BaseException:
            process.terminate_all()
            raise


@contextmanager
def explaining_full_disk(workspace: Workspace, podman: Podman | None = None) -> Iterator[None]:
    """Turn every error that a full disk caused into a MachineError about the disk.

    Args:
        workspace: The checkout.
        podman: The podman whose containers the block waits for, if any.
    """
    try:
        yield
    except HubpodError as error:
        if _is_out_of_space(error) or (podman and isinstance(error, NotReadyError) and _has_no_room(podman)):
            raise _disk_full(workspace, error.detail) from error
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _disk_full(workspace, (str(error),)) from error
        raise


def _is_out_of_space(error: HubpodError) -> bool:
    """Return whether an error quotes the kernel's message for a full disk."""
    text = "\n".join((error.message, *error.detail)).lower()
    return "no space left on device" in text or "disk quota exceeded" in text


def _has_no_room(podman: Podman) -> bool:
    """Return whether the disk with the volumes is full; a container that ended could then not write why."""
    try:
        return shutil.disk_usage(podman.info()["store"]["graphRoot"]).free < FULL_BYTES
    except (HubpodError, OSError):
        return False


def _disk_full(workspace: Workspace, detail: tuple[str, ...]) -> MachineError:
    return MachineError(
        "the disk is full",
        detail=detail,
        remedy=f"free space where podman keeps its images and below {workspace.project}, then run the command again",
    )
