"""Benchmark cases: data in a TOML file per tool. Any tool with a command line can have one."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from hubpod.errors import UsageError, nearest

PROJECT = Path(__file__).parents[2]
READS = ("time", "probe", "metrics")
READS_ALIASES = {"figures": "metrics"}
"""Names that the case files of earlier commits use."""

COMMANDS = ("setup", "command", "reset", "teardown")
MAX_EXPANSIONS = 5


@dataclass(frozen=True, kw_only=True)
class Case:
    """One benchmark.

    Commands are split as by a shell, and run without a shell in the project's directory.
    Placeholders in commands: the file's own `[words]`, and

    - `{python}`: the interpreter of the benchmark
    - `{bench}`: the directory of the measuring scripts
    - `{project}`: the measured checkout
    - `{folder}`: a temporary directory of this case
    - `{instance}`: a unique instance name
    - `{round}`: the number of the round

    A case with a table `each` is expanded into one case per entry: `{each}` in its commands becomes the entry's value,
    `{kind}` in its title becomes the entry's key, and its name ends with the key.

    Attributes:
        name: Selects the case, and pairs it with another tool's case of the same name.
        title: Label in tables and charts; defaults to the name.
        setup: Commands before the first round.
        command: The measured commands of a round.
        reset: Commands after each round.
        teardown: Commands at the end, also after a failure. Their exit codes are ignored.
        reads: Source of a round's metrics: `time`, the duration of the commands; `probe`, the output of
            `dev.spawn --json`; `metrics`, a JSON object of numbers in the last line of the output.
        opt_in: Run only when named explicitly.
        rounds: Upper limit of rounds, for cases that take minutes; 0 for no limit.
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
    """A command-line tool under measurement.

    Attributes:
        name: Stem of the case file, or `hubpod` with the commit of a checkout.
        project: Working directory of the commands.
        scripts: Directory of the measuring scripts.
        words: Placeholders that the case file defines.
        cases: In the order of the file.
    """

    name: str
    project: Path
    scripts: Path
    words: Mapping[str, str]
    cases: tuple[Case, ...]


def load(path: Path, name: str = "", project: Path = PROJECT, scripts: Path = Path(__file__).parent) -> Tool:
    """Load the cases of a tool.

    Raises:
        UsageError: The file is unreadable or invalid.
    """
    try:
        document = tomllib.loads(path.read_text())
        words = {str(word): str(text) for word, text in document.get("words", {}).items()}
        cases = tuple(case for table in document["case"] for case in _expand_each(table))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", remedy="name a case file") from None
    except KeyError:
        raise UsageError(f"{path}: contains no case", remedy="start each case with [[case]]") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: {error}", remedy="see tools/bench/cases.toml") from None
    return Tool(name=name or path.stem, project=project, scripts=scripts, words=words, cases=cases)


def _expand_each(table: Mapping[str, Any]) -> Iterator[Case]:
    """Yield the case in a table, or one case per entry of its `each`."""
    plain = {key: value for key, value in table.items() if key != "each"}
    if "each" not in table:
        yield _parse_case(plain)
    for kind, text in table.get("each", {}).items():
        title = str(plain.get("title", "")).replace("{kind}", kind.replace("-", " "))
        commands = {key: [line.replace("{each}", text) for line in plain[key]] for key in plain if key in COMMANDS}
        yield _parse_case({**plain, "name": f"{plain.get('name')}-{kind}", "title": title, **commands})


def _parse_case(table: Mapping[str, Any]) -> Case:
    known = [field.name for field in fields(Case)]
    name = table.get("name", "without a name")
    for key, value in table.items():
        if key not in known:
            raise ValueError(f"case {name}: unknown key {key!r}{nearest(key, known)}")
        if not _is_valid(key, value):
            raise ValueError(f"case {name}: invalid value {value!r} of {key}")
    if not table.get("name") or not table.get("command"):
        raise ValueError(f"case {name}: name and command are required")
    values: dict[str, Any] = {key: tuple(value) if key in COMMANDS else value for key, value in table.items()}
    reads = values.get("reads", "time")
    return Case(**values | {"reads": READS_ALIASES.get(reads, reads)})


def _is_valid(key: str, value: object) -> bool:
    if key in COMMANDS:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if key == "reads":
        return value in (*READS, *READS_ALIASES)
    types: dict[str, type] = {"opt_in": bool, "rounds": int}
    return type(value) is types.get(key, str)  # isinstance would accept True as an int


def select(tools: Sequence[Tool], names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the requested cases, by default the first tool's without opt-ins.

    Raises:
        UsageError: A requested case does not exist.
    """
    known = {case.name: case for tool in reversed(tools) for case in tool.cases}
    for name in names:
        if name not in known:
            raise UsageError(f"--case {name}: no such case{nearest(name, known)}", remedy="--list prints all cases")
    return tuple(names) or tuple(case.name for case in tools[0].cases if not case.opt_in)


def expand(command: str, words: Mapping[str, str]) -> str:
    """Replace the placeholders of a command, including placeholders in their values.

    Raises:
        UsageError: A placeholder is undefined.
    """
    try:
        for _ in range(MAX_EXPANSIONS):
            if "{" not in command:
                break
            command = command.format_map(words)
    except (KeyError, ValueError, IndexError) as error:
        raise UsageError(f"{command}: undefined placeholder {error}", remedy="define it in [words]") from None
    return command
