"""Reading a Kubernetes ConfigMap from a file, with the line of every key, and reporting all its problems at once."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from hubpod.errors import SettingsError

MAX_BYTES = 1024 * 1024
"""Kubernetes' own limit for the data of a ConfigMap."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One key of the file: its value, and the line it stands on, counted from 1."""

    value: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong with one key; the line is None when the key is not in the file."""

    key: str
    line: int | None
    text: str


def read_configmap(path: Path) -> tuple[dict[str, Entry], list[Problem]]:
    """The entries below ``data`` of a ConfigMap, and what is wrong with their form.

    Nothing of the file is constructed as an object: tags, anchors and aliases have no effect.

    Raises:
        SettingsError: There is no such file, or it is not the YAML of one ConfigMap.
    """
    root = _root(path)
    top = _mapping(path, root, "the document")
    kind = top.get("kind")
    if not isinstance(kind, yaml.ScalarNode) or kind.value != "ConfigMap":
        raise SettingsError(f"{path}: kind: must be ConfigMap", remedy="write `kind: ConfigMap`")
    if "data" not in top:
        raise SettingsError(f"{path}: data: is missing", remedy="put the settings below `data:`")
    entries: dict[str, Entry] = {}
    problems: list[Problem] = []
    for key_node, value_node in _pairs(path, top["data"], "data"):
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in entries:
            problems.append(Problem(key=key, line=line, text="stands in the file twice"))
        elif not isinstance(value_node, yaml.ScalarNode):
            problems.append(Problem(key=key, line=line, text="must be a string"))
            entries[key] = Entry(value="", line=line)
        else:
            entries[key] = Entry(value=value_node.value, line=line)
    return entries, problems


def report(path: Path, problems: list[Problem]) -> None:
    """Raise one error that lists every problem; each key is named once, with its line where it has one.

    Raises:
        SettingsError: There is at least one problem.
    """
    first = {problem.key: problem for problem in reversed(problems)}
    if not first:
        return
    ordered = sorted(first.values(), key=lambda problem: (problem.line is None, problem.line or 0))
    lines = [f"{path}{f':{each.line}' if each.line else ''}: {each.key}: {each.text}" for each in ordered]
    if len(lines) == 1:
        raise SettingsError(lines[0], remedy="correct the file and run the command again")
    raise SettingsError(
        f"{len(lines)} settings are wrong in {path}",
        detail=lines,
        remedy="correct the file and run the command again",
    )


def _root(path: Path) -> yaml.Node | None:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise SettingsError(
            f"there is no deploy ConfigMap {path}", remedy="write one, or leave out --deploy-dir to have one made"
        ) from None
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}", remedy="make it a readable file") from error
    if len(text) > MAX_BYTES:
        raise SettingsError(f"{path} is larger than {MAX_BYTES} bytes", remedy="a ConfigMap may not be that large")
    try:
        documents = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise SettingsError(f"{where}: is not YAML: {problem}", remedy="correct the file") from error
    if len(documents) != 1:
        raise SettingsError(f"{path} has {len(documents)} YAML documents", remedy="leave one ConfigMap in it")
    return documents[0]


def _mapping(path: Path, node: yaml.Node | None, what: str) -> dict[str, yaml.Node]:
    return {str(key.value): value for key, value in _pairs(path, node, what)}


def _pairs(path: Path, node: yaml.Node | None, what: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        line = f":{node.start_mark.line + 1}" if node else ""
        raise SettingsError(f"{path}{line}: {what} must be a mapping of keys to values", remedy="correct the file")
    pairs = []
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise SettingsError(f"{path}:{key.start_mark.line + 1}: a key must be a string", remedy="correct the file")
        pairs.append((key, value))
    return pairs
