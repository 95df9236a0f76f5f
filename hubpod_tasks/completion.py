"""Completion of command lines in a shell: commands, options, environments, instances and containers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext

from hubpod.cli.checkout import WORKSPACE
from hubpod.components.assembly import components
from hubpod.environments import ENVIRONMENTS
from hubpod.errors import UsageError, nearest

SHELLS = ("bash", "zsh", "fish")
SCRIPTS = Path(__file__).parent / "shells"


def read_script(shell: str) -> str:
    """Return the script that turns completion on in a shell.

    Raises:
        UsageError: The shell is not supported.
    """
    if shell not in SHELLS:
        raise UsageError(f"completion for {shell}: must be one of {', '.join(SHELLS)}{nearest(shell, SHELLS)}")
    return (SCRIPTS / f"hubpod.{shell}").read_text()


def complete(words: Sequence[str], first: ParserContext, tasks: Mapping[str, ParserContext]) -> list[str]:
    """Return what the last word may become.

    Args:
        words: The words after the program, of which the last is incomplete and may be empty. bash makes three words of
            ``--option=value``.
        first: The options before the first command.
        tasks: The commands with their options, by name.
    """
    *before, last = _join_values(words) or [""]
    task, option = _find_place(before, first, tasks)
    name, separator, value = last.partition("=")
    if separator and name.startswith("--"):
        known = _find_option(task, first, name)
        return _starting(value, _values(str(known.name), tasks)) if known else []
    if option:
        return _starting(last, _values(option, tasks))
    if last.startswith("-"):
        return _starting(last, [*task.flag_names(), *(() if task.name else first.flag_names())])
    missing = [each.name for each in task.positional_args if before and before[-1] == task.name]
    return _starting(last, _values(str(missing[0]), tasks) if missing else tasks)


def _join_values(words: Sequence[str]) -> list[str]:
    joined: list[str] = []
    for word in words:
        if joined and joined[-1].startswith("--") and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _find_place(
    before: Sequence[str], first: ParserContext, tasks: Mapping[str, ParserContext]
) -> tuple[ParserContext, str]:
    """Return the command that the next word belongs to, and the option whose value it is, if any."""
    task, option = first, ""
    for word in before:
        if option:
            option = ""
        elif word in tasks:
            task = tasks[word]
        elif word.startswith("-") and "=" not in word:
            flag = _find_option(task, first, word)
            option = str(flag.name) if flag is not None and flag.takes_value else ""
    return task, option


def _find_option(task: ParserContext, first: ParserContext, flag: str) -> Argument | None:
    """Return the option that a word stands for, if any."""
    # The `get` of these mappings does not know one-letter names.
    found: Argument | None = next((each.flags[flag] for each in (task, first) if flag in each.flags), None)
    return found


def _values(option: str, tasks: Mapping[str, ParserContext]) -> Iterable[str]:
    """Return the values of an option or of a command's first word; nothing where the shell offers files."""
    offers: dict[str, Callable[[], Iterable[str]]] = {
        "environment": lambda: [environment.name for environment in ENVIRONMENTS],
        "instance": _instances,
        "container": lambda: {each.name for environment in ENVIRONMENTS for each in components(environment)},
        "action": lambda: ("list", "export", "import", "reset"),
        "base": lambda: ("auto", "registry", "bootstrap"),
        "target": lambda: ("podman", "kubernetes"),
        "source": lambda: [f"{path.name}=" for path in (WORKSPACE.project / "packages").glob("*")],
        "help": lambda: tasks,
        "list": lambda: {name.partition(".")[0] for name in tasks},
        "print-completion-script": lambda: SHELLS,
    }
    return sorted(set(offers.get(option, lambda: ())()))


def _instances() -> Iterable[str]:
    """Return the instances that this checkout has ever had, without a slow query of podman."""
    names = (WORKSPACE.state / environment.name for environment in ENVIRONMENTS)
    return {path.name for directory in names if directory.is_dir() for path in directory.iterdir() if path.is_dir()}


def _starting(prefix: str, words: Iterable[str]) -> list[str]:
    return sorted({word for word in words if word.startswith(prefix)})
