"""A command line of several tasks: options that reach all of them, and mistakes with their remedy."""

import ast
import re
from collections.abc import Iterable, Sequence

from invoke.parser.context import ParserContext

from hubpod.cli.options import LINE_OPTIONS
from hubpod.errors import UsageError, nearest
from hubpod.system.started_as import command_line

UNKNOWN = re.compile(r"No idea what (?P<token>.+) is!")
WITHOUT_VALUE = re.compile(r"Flag <Argument: (?P<name>[\w-]+).*> needed value and was not given one!")
MISSING = re.compile(r"'.*' did not receive required positional arguments: (?P<names>.+)")
TARGET = ("environment", "instance")
DRY = "dry"


def share_options(tasks: Sequence[ParserContext], first: ParserContext) -> None:
    """Give every task of the line the options of LINE_OPTIONS that other tasks have.

    Args:
        tasks: The tasks in their order.
        first: The options before the first task, which hold for all tasks.

    Raises:
        UsageError: Tasks name different environments or instances, and another task names neither.
    """
    for option in TARGET:
        _share_target(tasks, first, option)
    for option in (each.replace("_", "-") for each in LINE_OPTIONS if each not in TARGET):
        for task in tasks:
            _share_option([other for other in tasks if _target_of(other) == _target_of(task)], task, option)


def _share_target(tasks: Sequence[ParserContext], first: ParserContext, option: str) -> None:
    """Give every task the environment or the instance of the line."""
    givers = [first, *tasks]
    given = {str(task.args[option].value) for task in givers if option in task.args and task.args[option].got_value}
    for task in tasks if given else ():
        if option not in task.args:
            if first.args[option].got_value:
                raise UsageError(f"{task.name} works on no single {option}, so that --{option} has no meaning for it")
        elif not task.args[option].got_value:
            if len(given) > 1:
                problem = f"{task.name}: this line names the {option}s {' and '.join(sorted(given))}"
                raise UsageError(problem, remedy=f"add --{option} to {task.name}")
            task.args[option].value = next(iter(given))


def _share_option(givers: Sequence[ParserContext], task: ParserContext, option: str) -> None:
    """Give a task an option that exactly one value on the line has."""
    if option not in task.args or task.args[option].got_value:
        return
    values = [other.args[option].value for other in givers if option in other.args and other.args[option].got_value]
    if len({str(value) for value in values}) > 1:
        raise UsageError(
            f"{task.name}: this line gives --{option} with different values", remedy=f"add --{option} to {task.name}"
        )
    if values and isinstance(values[0], list):
        for each in values[0]:  # a repeatable option collects what it is given
            task.args[option].value = each
    elif values:
        task.args[option].value = values[0]


def _target_of(task: ParserContext) -> tuple[object, ...]:
    return tuple(task.args[option].value if option in task.args else None for option in TARGET)


def require_plans(tasks: Iterable[ParserContext], first: ParserContext) -> None:
    """Pass --dry on to every task of the line.

    Raises:
        UsageError: A task cannot print a plan; nothing has run then.
    """
    tasks = tuple(tasks)
    if not any(DRY in task.args and task.args[DRY].value for task in (first, *tasks)):
        return
    for task in tasks:
        if DRY not in task.args:
            raise UsageError(
                f"{task.name} has no plan to print, so that --dry has no meaning for it",
                remedy="leave out --dry, or the command",
            )
        task.args[DRY].value = True


def explain(message: str, task: str, flags: Iterable[str], tasks: Iterable[str], refused: Iterable[str]) -> UsageError:
    """Return hubpod's error for a command line that invoke cannot parse.

    Args:
        message: invoke's message.
        task: Name of the task at which parsing ended; empty before the first.
        flags: Options at that place.
        tasks: Names of all tasks.
        refused: invoke's options that would have no effect.
    """
    help_of = f"`{command_line('--help', task)}` lists its options" if task else f"`{command_line()}` lists the options"
    if found := UNKNOWN.fullmatch(message):
        token = str(ast.literal_eval(found["token"]))
        if token in refused and not (task and len(token) == 2):  # noqa: PLR2004 - a letter means something else there
            return refuse(token)
        if token.startswith("-"):
            known = [flag for flag in flags if len(flag) > 2]  # noqa: PLR2004 - a letter resembles every other letter
            return UsageError(f"{task or 'invoke'} has no option {token}{nearest(token, known)}", remedy=help_of)
        return _unknown_task(token, task, tuple(tasks))
    if found := WITHOUT_VALUE.fullmatch(message):
        return UsageError(f"{task or 'invoke'}: --{found['name']} needs a value", remedy=help_of)
    if found := MISSING.fullmatch(message):
        return UsageError(f"{task}: {found['names'].replace(chr(39), '')} is missing", remedy=help_of)
    return UsageError(message, remedy=help_of)


def refuse(option: str) -> UsageError:
    """Return the error for an option of invoke that would have no effect."""
    return UsageError(
        f"{option} of invoke has no effect on hubpod's commands and is refused",
        remedy=f"`{command_line('--help')}` lists the options",
    )


def _unknown_task(token: str, before: str, tasks: Sequence[str]) -> UsageError:
    remedy = f"`{command_line('--list')}` lists the commands"
    if before.endswith(".exec"):
        remedy = f"write the command after two hyphens: `{command_line(before, '...', '--', token)}`"
    return UsageError(f"there is no command {token!r}{nearest_task(token, tasks)}", remedy=remedy)


def nearest_task(name: str, tasks: Sequence[str]) -> str:
    """Suggest the most similar task, also for a name without its collection or with another separator."""
    plain = re.sub(r"[^a-z]+", ".", name.lower())
    last = [task for task in tasks if task.rpartition(".")[2] == plain]
    return f"; did you mean {last[0]!r}?" if last else nearest(plain, tasks)
