"""What is measured, as data: cases of a tool, read from a TOML file. Any tool has them whose commands stand in one."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from hubpod.environments import nearest
from hubpod.errors import UsageError

PROJECT = Path(__file__).parents[2]
READS = ("time", "probe", "figures")
COMMANDS = ("setup", "command", "reset", "teardown")
EXPANSIONS = 5


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing to measure. Commands are split as a shell would, and are run in the project's folder, without a shell.

    What stands for something, in braces: the file's `[words]`; `python`, the interpreter that measures; `bench`, the
    folder of what measures; `project`, the checkout that is measured; `folder`, an empty one for this case; `instance`,
    a name that nobody else uses; `round`, its number. A table `each` in a case makes one of every entry: `{each}` in
    its commands is the entry's value, `{kind}` in its title the entry's key, which its name ends with.

    Attributes:
        name: By which it is chosen, and compared with another tool's case of the same name.
        title: What it is, for a person; the name when it is left out.
        setup: Commands before the first round.
        command: What is measured, in each round.
        reset: Commands after each round.
        teardown: Commands at the end, whatever happened; that one of them fails is no error.
        reads: Where a round's figures come from: `time` that the command takes; `probe`, which is what
            `dev.spawn --json` prints; `figures`, an object of numbers as JSON in the last line that it prints.
        opt_in: Only measured when it is named.
        rounds: At most so many, where one takes minutes; 0 when as many as are asked for.
    """

    name: str
    title: str = ""
    setup: tuple[str, ...] = ()
    command: tuple[str, ...]
    reset: tuple[str, ...] = ()
    teardown: tuple[str, ...] = ()
    reads: str = "time"
    opt_in: bool = False
    rounds: int = 0


@dataclass(frozen=True, kw_only=True)
class Tool:
    """What is measured is a tool's.

    Attributes:
        name: The file's, without its suffix, or a checkout's commit.
        project: The folder that its commands are run in.
        words: What stands for something in its commands.
        cases: In the file's order.
    """

    name: str
    project: Path
    words: Mapping[str, str]
    cases: tuple[Case, ...]


def load(path: Path, name: str = "", project: Path = PROJECT) -> Tool:
    """Read a tool's cases.

    Raises:
        UsageError: The file cannot be read, or is not as described above; says where.
    """
    try:
        document = tomllib.loads(path.read_text())
        words = {str(word): str(text) for word, text in document.get("words", {}).items()}
        cases = tuple(case for table in document["case"] for case in _cases(table))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", remedy="give a file of cases") from None
    except KeyError:
        raise UsageError(f"{path}: it has no case", remedy="begin each with [[case]]") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: {error}", remedy="see tools/bench/cases.toml") from None
    return Tool(name=name or path.stem, project=project, words=words, cases=cases)


def _cases(table: Mapping[str, Any]) -> Iterator[Case]:
    """The case in a table, or one for each entry of its `each`."""
    plain = {key: value for key, value in table.items() if key != "each"}
    if "each" not in table:
        yield _case(plain)
    for kind, text in table.get("each", {}).items():
        title = str(plain.get("title", "")).replace("{kind}", kind.replace("-", " "))
        lists = {key: [each.replace("{each}", text) for each in plain[key]] for key in plain if key in COMMANDS}
        yield _case({**plain, "name": f"{plain.get('name')}-{kind}", "title": title, **lists})


def _case(table: Mapping[str, Any]) -> Case:
    known = [field.name for field in fields(Case)]
    name = table.get("name", "one without a name")
    for key, value in table.items():
        if key not in known:
            raise ValueError(f"case {name} has the key {key!r}{nearest(key, known)}")
        if not _fits(key, value):
            raise ValueError(f"case {name}: {key} cannot be {value!r}")
    if not table.get("name") or not table.get("command"):
        raise ValueError(f"case {name}: it needs a name and a command")
    values: dict[str, Any] = {key: tuple(value) if key in COMMANDS else value for key, value in table.items()}
    return Case(**values)


def _fits(key: str, value: object) -> bool:
    """Whether a key can have that value."""
    if key in COMMANDS:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if key == "reads":
        return value in READS
    types: dict[str, type] = {"opt_in": bool, "rounds": int}
    return type(value) is types.get(key, str)  # True is an int to isinstance


def chosen(tools: Sequence[Tool], names: Sequence[str]) -> tuple[str, ...]:
    """The names of the cases to measure: those asked for, or all that need not be asked for.

    Raises:
        UsageError: There is no such case.
    """
    every = {case.name: case for tool in reversed(tools) for case in tool.cases}
    for name in names:
        if name not in every:
            raise UsageError(f"--case {name}: there is none{nearest(name, every)}", remedy="--list shows them")
    return tuple(names) or tuple(case.name for case in tools[0].cases if not case.opt_in)


def expanded(command: str, words: Mapping[str, str]) -> str:
    """A command with what stands in braces replaced, also in what it is replaced by.

    Raises:
        UsageError: There is no such word.
    """
    try:
        for _ in range(EXPANSIONS):
            if "{" not in command:
                break
            command = command.format_map(words)
    except (KeyError, ValueError, IndexError) as error:
        raise UsageError(f"{command}: {error} stands for nothing", remedy="give it below [words]") from None
    return command
