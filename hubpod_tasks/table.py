"""The commands of `invoke`: a table of functions. Their signatures are the options, their docstrings the help."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import Task

from hubpod.cli import dev, machine, prod
from hubpod.cli.options import SHORT_NAMES
from hubpod_harness.attack.command import attack

Command = Callable[..., None]

REPEATABLE = {"source"}
CONTEXT = inspect.Parameter("context", inspect.Parameter.POSITIONAL_ONLY)

DEV: Mapping[str, Command] = {
    "up": dev.up,
    "reload": dev.reload,
    "watch": dev.watch,
    "down": dev.down,
    "status": dev.status,
    "logs": dev.logs,
    "exec": dev.execute,
    "spawn": dev.spawn,
    "attack": attack,
    "doctor": dev.doctor,
    "manifest": dev.manifest,
    "clone": dev.clone,
    "build": dev.build,
    "volumes": dev.volumes,
    "list": machine.list_all,
    "open": machine.open_hub,
    "prune": machine.prune,
}
PROD: Mapping[str, Command] = {
    "check": prod.check,
    "manifest": prod.manifest,
    "up": prod.up,
    "status": prod.status,
    "logs": prod.logs,
    "down": prod.down,
    "upgrade": prod.upgrade,
    "volumes": prod.volumes,
    "systemd": prod.systemd,
}


class CommandTask(Task[Command]):
    """A task whose one-letter options mean the same in every command."""

    def arg_opts(self, name: str, default: str, taken_names: set[str]) -> dict[str, Any]:
        """Return invoke's description of an option, with the letter of SHORT_NAMES instead of a free one."""
        described = super().arg_opts(name, default, taken_names)
        described["names"] += [SHORT_NAMES[name]] if name in SHORT_NAMES else []
        return described


def make_task(name: str, command: Command) -> CommandTask:
    """Make a task whose options and help texts are the annotated parameters of a command."""

    def body(_: Context, **options: object) -> None:
        command(**options)

    signature = inspect.signature(command)
    body.__doc__ = command.__doc__
    body.__dict__["__signature__"] = signature.replace(parameters=[CONTEXT, *signature.parameters.values()])
    texts = {option: parameter.annotation.__metadata__[0] for option, parameter in signature.parameters.items()}
    repeatable = sorted(REPEATABLE & texts.keys())
    return CommandTask(body, name=name, help=texts, iterable=repeatable, auto_shortflags=False)


def make_collection(name: str, commands: Mapping[str, Command]) -> Collection:
    """Make a collection of one task per command."""
    return Collection(name, *(make_task(each, command) for each, command in commands.items()))


namespace = Collection(make_collection("dev", DEV), make_collection("prod", PROD))
