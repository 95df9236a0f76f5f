"""List, export, import or reset the volumes of an instance."""

from dataclasses import asdict
from functools import partial

from hubpod.cli.arguments import parse_choice, parse_path, refuse_option
from hubpod.cli.confirmation import confirm
from hubpod.cli.console import out, quiet_context, verbose_context
from hubpod.cli.dry_run import show_plan
from hubpod.cli.output import show_json, show_table
from hubpod.commands import volumes
from hubpod.commands.dry_run import Action
from hubpod.context import Context, Unknown
from hubpod.errors import UsageError
from hubpod.instances import Instance

ACTIONS = ("list", "export", "import", "reset")
CHANGES = ("import", "reset")
"""Actions that remove the present content of a volume."""


def manage_volumes(
    instance: Instance, action: str, *, name: str, file: str, json: bool, dry: bool, yes: bool = True
) -> None:
    """Run one of the actions, of which export and import require a file, and two prompt without ``yes``.

    Raises:
        UsageError: The action is unknown, or the file is missing.
    """
    task = f"{instance.environment.stage.commands}.volumes"
    refuse_option(task, action)
    parse_choice(task, action, ACTIONS)
    if dry and action not in CHANGES:
        raise UsageError(f"{task} {action} changes no volume, so that --dry has no meaning for it")
    if json and action != "list":
        raise UsageError(f"{task} {action} prints no facts, so that --json has no meaning for it")
    if action in {"export", "import"} and not file:
        raise UsageError("--file is missing", remedy="add --file FILE.tar")
    if dry:
        show_plan(instance, partial(_plan, instance=instance, action=action, name=name, file=file))
        return
    if action in CHANGES and not (yes or confirm(f"Remove the present content of {name} of {instance.resource}?")):
        out.print("nothing was removed")
        return
    match action:
        case "export":
            volumes.export(verbose_context(instance), instance, name, parse_path("--file", file))
        case "import":
            volumes.replace(verbose_context(instance), instance, name, parse_path("--file", file))
        case "reset":
            volumes.reset(verbose_context(instance), instance, name)
        case _:
            listed = volumes.list_volumes(quiet_context(instance), instance)
            if json:
                show_json([asdict(each) for each in listed])
            else:
                rows = [(each.part, each.kind, each.name) for each in listed]
                show_table(("volume", "holds", "name in podman"), rows)


def _plan(context: Context, *, instance: Instance, action: str, name: str, file: str) -> list[Action]:
    """Return what an import or a reset would change."""
    chosen = volumes.choose_volumes(instance, context.find(instance, Unknown.REFUSE), name, every=action == "reset")
    by = f"by the content of {parse_path('--file', file)}" if action == "import" else "for the next up to recreate"
    verb = "replace" if action == "import" else "remove"
    return [Action(verb=verb, what=f"volume {each.name} {by}") for each in chosen]
