"""The commands of `invoke`: a table of functions. Their signatures are the options, their docstrings the help."""

import inspect
import sys
from collections.abc import Callable, Mapping

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import Task

# invoke turns off the writing of bytecode, and every command would compile all of hubpod again.
sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)

from hubpod.cli import dev, prod  # noqa: E402 - compiled once, see above
from hubpod_harness.attack.command import attack  # noqa: E402

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
}
PROD: Mapping[str, Command] = {
    "check": prod.check,
    "manifest": prod.manifest,
    "up": prod.up,
    "status": prod.status,
    "logs": prod.logs,
    "down": prod.down,
    "upgrade": prod.upgrade,
    "systemd": prod.systemd,
}


def make_task(name: str, command: Command) -> Task[Command]:
    """Make a task whose options and help texts are the annotated parameters of a command."""

    def body(_: Context, **options: object) -> None:
        command(**options)

    signature = inspect.signature(command)
    body.__doc__ = command.__doc__
    body.__dict__["__signature__"] = signature.replace(parameters=[CONTEXT, *signature.parameters.values()])
    texts = {option: parameter.annotation.__metadata__[0] for option, parameter in signature.parameters.items()}
    return Task(body, name=name, help=texts, iterable=sorted(REPEATABLE & texts.keys()))


def make_collection(name: str, commands: Mapping[str, Command]) -> Collection:
    """Make a collection of one task per command."""
    return Collection(name, *(make_task(each, command) for each, command in commands.items()))


namespace = Collection(make_collection("dev", DEV), make_collection("prod", PROD))
