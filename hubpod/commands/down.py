"""`down`: remove an instance."""

import shutil

from hubpod.context import Context, Unknown
from hubpod.deployment import seeding
from hubpod.deployment.kept_logs import keep_logs
from hubpod.deployment.remove import remove_pods
from hubpod.instances import Instance


def down(context: Context, instance: Instance, *, volumes: bool) -> None:
    """Remove an instance's pods and, with ``volumes``, its volumes, generated credentials and backup.

    The ends of the containers' logs stay in the instance's private directory.

    The instance is found by names and labels alone. A missing object is not an error.
    """
    with context.locked(instance, Unknown.REFUSE_SIMILAR) as found:
        with context.reporter.phase("pod removed") as phase:
            logs = keep_logs(context, instance, found.containers)
            remove_pods(context.podman, instance)
            phase.result(f"the ends of its logs are in {logs}" if logs else "")
        if volumes:
            with context.reporter.phase("volumes removed") as phase:
                context.podman.remove_volumes(list(found.volumes))
                seeding.forget_volumes(context.workspace, instance)
                files = context.workspace.files(instance)
                shutil.rmtree(files.credentials, ignore_errors=True)
                files.remove_backup()
                phase.result(str(len(found.volumes)))
