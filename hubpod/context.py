"""What every command works with, and the errors that have one cause wherever they come up."""

import errno
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hubpod.environments import Instance
from hubpod.errors import HubpodError, MachineError, UsageError
from hubpod.labels import LABEL_PROJECT
from hubpod.podman.cli import Podman
from hubpod.podman.machine import usable_podman, version_text
from hubpod.system import process
from hubpod.system.progress import Reporter
from hubpod.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Context:
    """What commands work with: the checkout, a podman that works, and where to tell what they do."""

    workspace: Workspace
    podman: Podman
    reporter: Reporter

    @contextmanager
    def alone(self, instance: Instance, begin: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Be the only command that works on an instance; a full disk is told as such.

        Args:
            instance: Which one.
            begin: Called as soon as no other command does, for what need not wait for the look at whose it is.

        Raises:
            UsageError: The instance is another checkout's.
        """
        name = f"{instance.environment.name}.{instance.name}"
        with self.workspace.lock(name, self.reporter.say), full_disk_told(self.workspace):
            begin()
            self._require_own(instance)
            yield

    def _require_own(self, instance: Instance) -> None:
        """Refuse to touch what belongs to another checkout of the project, as long as that is there."""
        owners = {volume.labels.get(LABEL_PROJECT, "") for volume in self.podman.volumes(instance.labels).values()}
        for owner in owners - {"", str(self.workspace.project)}:
            if Path(owner).exists():
                raise UsageError(
                    f"{instance.environment.name}, instance {instance.name}, belongs to the checkout {owner}",
                    remedy="give yours another name with --instance, or work on this one from there",
                )


def prepare(workspace: Workspace, reporter: Reporter) -> Context:
    """See that podman works here.

    Raises:
        MachineError: It does not.
    """
    with reporter.phase("preflight") as phase, full_disk_told(workspace):
        podman = usable_podman(workspace.state)
        phase.result(f"podman {version_text(podman.version)}")
    return Context(workspace=workspace, podman=podman, reporter=reporter)


def side_by_side(jobs: list[Callable[[], None]]) -> None:
    """Run jobs in threads; when one fails or the person interrupts, end what the others run.

    Raises:
        HubpodError: That of the job that failed first.
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
def full_disk_told(workspace: Workspace) -> Iterator[None]:
    """Turn whatever a full disk caused into a sentence about the disk."""
    try:
        yield
    except HubpodError as error:
        if _out_of_space(error):
            raise _disk_full(workspace, error.detail) from error
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _disk_full(workspace, (str(error),)) from error
        raise


def _out_of_space(error: HubpodError) -> bool:
    """Whether an error's own words say that the disk is full."""
    text = "\n".join((error.message, *error.detail)).lower()
    return "no space left on device" in text or "disk quota exceeded" in text


def _disk_full(workspace: Workspace, detail: tuple[str, ...]) -> MachineError:
    return MachineError(
        "the disk is full",
        detail=detail,
        remedy=f"free space where podman keeps its images and below {workspace.project}, then run the command again",
    )
