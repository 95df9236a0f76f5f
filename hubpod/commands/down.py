"""`down`: remove an instance."""

import shutil
from pathlib import Path

from hubpod.context import Context, Unknown
from hubpod.deployment import damage, seeding
from hubpod.deployment.kept_logs import keep_logs
from hubpod.deployment.remove import remove_pods
from hubpod.instances import Instance
from hubpod.manifests.podman import tmpfs_prefix
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
            unlabelled = _volumes_by_hand(context, instance, found) if volumes else set()
            remove_pods(context.podman, instance)
            phase.result(f"the ends of its logs are in {logs}" if logs else "")
        if volumes:
            with context.reporter.phase("volumes removed") as phase:
                removed = sorted({*found.volumes, *unlabelled})
                context.podman.remove_volumes(removed)
                if any(each.path == context.workspace.files(instance).record for each in problems):
                    context.workspace.files(instance).remove_record()
                seeding.forget_volumes(context.workspace, instance)
                files = context.workspace.files(instance)
                shutil.rmtree(files.credentials, ignore_errors=True)
                files.remove_backup()
                phase.result(str(len(removed)))


def _keep_logs(context: Context, instance: Instance, found: Snapshot) -> Path | None:
    """Keep the logs; a directory that cannot be written must not keep the pod running."""
    try:
        return keep_logs(context, instance, found.containers)
    except OSError as error:
        place = error.filename or context.workspace.files(instance).logs
        context.reporter.say(f"! the logs are not kept: {place}: {error.strerror}")
        return None


def _volumes_by_hand(context: Context, instance: Instance, found: Snapshot) -> set[str]:
    """Return the volumes of a pod that an operator has played from its manifest: podman gives them no labels."""
    if not found.containers:
        return set()
    form = "{{range .Mounts}}{{.Name}} {{end}}"
    names = context.podman.listing("inspect", "--type=container", f"--format={form}", *found.containers)
    # podman removes those of a tmpfs with the pod.
    temporary = tmpfs_prefix(instance.resource)
    return {name for name in names if not name.startswith(temporary)} - set(found.volumes)
