"""The logs of an instance's containers, kept when podman removes them with the pod."""

import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from hubpod.components.assembly import short_name
from hubpod.context import Context, side_by_side
from hubpod.instances import Instance
from hubpod.system.private_files import private_directory, write_private

MAX_LINES = 5_000
MAX_BYTES = 1 << 20
"""How much of each log is kept: its end, of at most this many lines and bytes."""


def keep_logs(context: Context, instance: Instance, containers: Iterable[str]) -> Path | None:
    """Write the ends of the containers' logs to the instance's private directory, in place of earlier ones.

    Args:
        context: Context of the command.
        instance: The instance.
        containers: podman's names of its containers.

    Returns:
        The directory; None if there is no container.
    """
    directory, names = context.workspace.files(instance).logs, list(containers)
    if not names:
        return None
    shutil.rmtree(directory, ignore_errors=True)
    private_directory(directory)

    def write(name: str) -> None:
        text = context.podman.log(name, tail=MAX_LINES).encode(errors="replace")[-MAX_BYTES:]
        write_private(directory / f"{short_name(instance, name)}.log", text)

    side_by_side([partial(write, name) for name in names])
    return directory
