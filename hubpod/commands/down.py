"""`down`: remove an instance."""

import shutil

from hubpod.context import Context
from hubpod.deployment import seeding
from hubpod.deployment.remove import remove_pod
from hubpod.instances import Instance


def down(context: Context, instance: Instance, *, volumes: bool) -> None:
    """Remove an instance's pod and, with ``volumes``, its volumes, generated credentials and backup.

    The instance is found by names and labels alone. A missing object is not an error.
    """
    with context.locked(instance) as found:
        with context.reporter.phase("pod removed"):
            remove_pod(context.podman, instance.resource)
        if volumes:
            with context.reporter.phase("volumes removed") as phase:
                context.podman.remove_volumes(list(found.volumes))
                seeding.forget_volumes(context.workspace, instance)
                files = context.workspace.files(instance)
                shutil.rmtree(files.credentials, ignore_errors=True)
                files.remove_backup()
                phase.result(str(len(found.volumes)))
