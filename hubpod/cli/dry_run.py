"""Print the plan of a command that is called with --dry."""

from collections.abc import Callable, Sequence

from rich.text import Text

from hubpod.cli.checkout import WORKSPACE
from hubpod.cli.console import dry_context, out
from hubpod.commands.dry_run import Action
from hubpod.context import Context
from hubpod.instances import Instance


def show_plan(instance: Instance, plan: Callable[[Context], Sequence[Action]]) -> None:
    """Print what a command would change.

    Args:
        instance: The instance that the command works on.
        plan: Returns the actions of the command.

    Raises:
        HubpodError: The command would refuse to run.
    """
    with dry_context(instance) as context:
        lines = [str(action).replace(str(context.workspace.state), str(WORKSPACE.kept)) for action in plan(context)]
    for line in lines or ["nothing would change"]:
        out.print(Text(line), soft_wrap=True)
