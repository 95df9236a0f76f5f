"""`down`: remove an instance."""

import shutil
from pathlib import Path

from hubpod.context import Context, Unknown
from hubpod.deployment import damage, seeding
from hubpod.deployment.kept_logs import keep_logs
from hubpod.deployment.remove import remove_pods
from hubpod.instances import Instance
from hubpod.podman.snapshot import Snapshot


def down(context: Context, instance: Instance, *, volumes: bool) -> None:
    """Remove an instance's pods and, with ``volumes``, its volumes, generated credentials and backup.

    The ends of the containers' logs stay in the instance's private directory.

    The instance is found by names and labels alone. A missing object is not an error.
    """
    with context.locked(instance, Unknown.REFUSE_SIMILAR) as found:
        problems = damage.find(context.workspace, instance, found)
        for each in problems:
            context.reporter.say(damage.warning(each))
        with context.reporter.phase("pod removed") as phase:
            logs = _keep_logs(context, instance, found)
            remove_pods(context.podman, instance)
            phase.result(f"the ends of its logs are in {logs}" if logs else "")
        if volumes:
            with context.reporter.phase("volumes removed") as phase:
                context.podman.remove_volumes(list(found.volumes))
                if any(each.path == context.workspace.files(instance).record for each in problems):
                    context.workspace.files(instance).remove_record()
                seeding.forget_volumes(context.workspace, instance)
                files = context.workspace.files(instance)
                shutil.rmtree(files.credentials, ignore_errors=True)
                files.remove_backup()
                phase.result(str(len(found.volumes)))


def _keep_logs(context: Context, instance: Instance, found: Snapshot) -> Path | None:
    """Keep the logs; a directory that cannot be written must not keep the pod running."""
    try:
        return keep_logs(context, instance, found.containers)
    except OSError as error:
        place = error.filename or context.workspace.files(instance).logs
        context.reporter.say(f"! the logs are not kept: {place}: {error.strerror}")
        return None
