"""Read regular files of limited size, and YAML with the line of every key."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from hubpod.settings.problems import Problem, UnreadableError

MAX_BYTES = 1024 * 1024
"""The limit of Kubernetes for the data of a ConfigMap, and of hubpod for each file beside it."""

WORD = re.compile(r"[A-Za-z0-9._-]{1,253}")
NO_WORD = "has a key that is not a word; add a space after its colon if it has none"
"""Without that space the whole of `{password:value}` is the key, so that the key must not be printed."""


MERGE_KEY = "is a merge key, which is not supported here; write the keys themselves"
INCLUDE = "reads another file by `!include`, which is not supported here; write the value itself"
TAG = "has a YAML tag (`!…`), which has no meaning here; put the value in quotes"
"""The tag is not printed, because it may be an unquoted secret."""

CONFIGMAP_KEYS = frozenset({"apiVersion", "kind", "metadata", "data", "immutable"})
NO_SETTINGS = frozenset({"binaryData", "stringData"})
"""Keys of a ConfigMap or Secret below which someone may look for settings."""

_PREFIX = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(f"{_PREFIX}{name}" for name in ("str", "int", "float", "timestamp", "null", "value", "merge"))


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The value of a key, and the line of the key, counted from 1.

    A number or date has the text as it is written. The value is None for null, `~` and nothing.
    """

    value: str | None
    line: int


@dataclass(frozen=True, kw_only=True)
class ConfigMap:
    """The content of a ConfigMap.

    Attributes:
        entries: The entries below ``data``, by key.
        outside: Lines of the keys beside ``data`` that no ConfigMap has, by key.
        problems: The problems of single entries.
    """

    entries: Mapping[str, Entry]
    outside: Mapping[str, int]
    problems: tuple[Problem, ...]


def read_configmap(path: Path) -> ConfigMap:
    """Read a ConfigMap.

    No value is constructed as an object. An alias has the value of its anchor.

    Raises:
        UnreadableError: The file is not a ConfigMap.
    """
    top = _read_top(path)
    entries, problems = _entries(path, top["data"][1])
    outside = {key: line for key, (line, _) in top.items() if key not in CONFIGMAP_KEYS}
    return ConfigMap(entries=entries, outside=outside, problems=tuple(problems))


def read_file(path: Path, remedy: str) -> bytes:
    """Read a regular file of limited size.

    Args:
        path: The file, or a symbolic link to it.
        remedy: What to do if the file is missing.

    Raises:
        UnreadableError: The file is missing, unreadable, too large or not a regular file.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe blocks until another process writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _unreadable(path, "is not a regular file", remedy="replace it with a regular file")
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if path.is_symlink():
            text = f"is a symbolic link to {path.readlink()}, which does not exist"
            raise _unreadable(path, text, remedy="replace it with a regular file") from None
        raise _unreadable(path, "is missing", remedy=remedy) from None
    except IsADirectoryError:
        raise _unreadable(path, "is a directory", remedy="replace it with a regular file") from None
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
        raise _unreadable(path, text, remedy="correct its permissions") from error
    if len(content) > MAX_BYTES:
        raise _unreadable(path, f"is larger than {MAX_BYTES} bytes", remedy="replace it with the right file")
    return content


def compose(path: Path, content: bytes) -> yaml.Node:
    """Parse the only document of a YAML file into nodes, which know their lines.

    Raises:
        UnreadableError: The content is not YAML, or not exactly one document.
    """
    try:
        nodes = list(yaml.compose_all(content, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        line = _line(error, content)
        raise _unreadable(path, f"is not YAML: {_reason(error)}", line=line) from error
    documents = [node for node in nodes if not is_null(node)]  # `---` at the end begins an empty one
    if len(documents) != 1:
        raise _unreadable(path, f"has {len(documents)} YAML documents", remedy="keep exactly one document")
    return documents[0]


def pairs(path: Path, node: yaml.Node, what: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    """Return the keys and values of a mapping, which an error names ``what``.

    Raises:
        UnreadableError: The node is not a mapping, or a key is not a string.
    """
    if not isinstance(node, yaml.MappingNode):
        line = node.start_mark.line + 1
        raise _unreadable(path, f"{what} must be a mapping of keys to values", line=line)
    found = []
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise _unreadable(path, "a key must be a string", line=line)
        if key.tag == f"{_PREFIX}merge":
            raise _unreadable(path, MERGE_KEY, key="<<", line=line, remedy="remove the line")
        found.append((key, value))
    return found


def is_null(node: yaml.Node) -> bool:
    """Whether a node is null, `~` or nothing, and not in quotes."""
    return node.tag == f"{_PREFIX}null"


def find_tag_problem(node: yaml.Node) -> str:
    """Find a tag, in a value or below it, by which the value is not what is written; empty if it has none."""
    pending, seen = [node], set[int]()
    while pending:
        each = pending.pop()
        if id(each) in seen:  # an alias may contain itself
            continue
        seen.add(id(each))
        if not str(each.tag).startswith(_PREFIX):
            return INCLUDE if str(each.tag).lower().startswith("!include") else TAG
        if isinstance(each, yaml.MappingNode):
            pending += [part for pair in each.value for part in pair]
        elif isinstance(each, yaml.SequenceNode):
            pending += each.value
    return ""


def _read_top(path: Path) -> dict[str, tuple[int, yaml.Node]]:
    """Read the top of a ConfigMap: lines and values by key, with a ``data`` that is not empty."""
    content = read_file(path, "write a deploy ConfigMap, or omit --deploy-dir to have one generated")
    top: dict[str, tuple[int, yaml.Node]] = {}
    for key_node, value in pairs(path, compose(path, content), "the document"):
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if not WORD.fullmatch(key):
            raise _unreadable(path, NO_WORD, line=line)
        if key in top:
            raise _unreadable(path, "is in the file twice", key=key, line=line)
        if key in NO_SETTINGS and not is_null(value):
            raise _unreadable(path, "is not read", key=key, line=line, remedy="put the settings below `data:`, as text")
        top[key] = line, value
    kind = top["kind"][1] if "kind" in top else None
    if not isinstance(kind, yaml.ScalarNode) or kind.value != "ConfigMap":
        raise _unreadable(path, "must be ConfigMap", key="kind", remedy="write `kind: ConfigMap`")
    if "data" not in top or is_null(top["data"][1]):
        text = "is empty" if "data" in top else "is missing"
        raise _unreadable(path, text, key="data", remedy="put the settings below `data:`, indented")
    return top


def _entries(path: Path, data: yaml.Node) -> tuple[dict[str, Entry], list[Problem]]:
    entries: dict[str, Entry] = {}
    problems: list[Problem] = []
    for key_node, value_node in pairs(path, data, "data"):
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if not WORD.fullmatch(key):
            problems.append(Problem(path=path, line=line, text=NO_WORD))
        elif key in entries:
            problems.append(Problem(path=path, key=key, line=line, text="is in the file twice"))
        else:
            text = _find_value_problem(value_node)
            problems += [Problem(path=path, key=key, line=line, text=text)] if text else []
            empty = bool(text) or is_null(value_node)
            entries[key] = Entry(value=None if empty else value_node.value, line=line)
    return entries, problems


def _find_value_problem(node: yaml.Node) -> str:
    """Find the reason why a value is not one text, as it is for a ConfigMap in a cluster."""
    if isinstance(node, yaml.SequenceNode):
        return "must be a string, not a list; write the words into one string, with spaces between them"
    if isinstance(node, yaml.MappingNode):
        return "must be a string, not a mapping"
    if node.tag == f"{_PREFIX}bool":
        return "is true or false for YAML; put the value in quotes if it is a word"
    return find_tag_problem(node) if node.tag in _PLAIN_TAGS or not node.tag.startswith(_PREFIX) else TAG


def _line(error: Exception, content: bytes) -> int | None:
    mark = getattr(error, "problem_mark", None)
    position = getattr(error, "position", None)
    if mark:
        return int(mark.line) + 1
    return content[:position].count(b"\n") + 1 if position is not None else None


_HINTS = (
    (r"found character '\\t'", "a tab separates or indents; use spaces"),
    (r"found character '([@`%|>])'", r"a value starts with \1; put it in quotes"),
    (r"mapping values are not allowed", "a value with a colon and a space, or a wrong indentation; put it in quotes"),
    (r"found undefined alias", "a value starts with * and is not an alias; put it in quotes"),
    (r"special characters are not allowed", "it has a control character"),
)
"""Patterns of the parser's messages, and sentences in place of them."""


def _reason(error: Exception) -> str:
    """Return what is wrong, without the name of an alias or tag, which may be an unquoted secret."""
    if isinstance(error, UnicodeDecodeError) or getattr(error, "encoding", "") == "utf-8":
        return "it has bytes that are not UTF-8"
    reason = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read")
    for pattern, hint in _HINTS:
        if match := re.match(pattern, reason):
            return match.expand(hint)
    return reason.partition(" '")[0] if reason.startswith("found undefined") else reason


def _unreadable(
    path: Path, text: str, *, key: str = "", line: int | None = None, remedy: str = "correct the file"
) -> UnreadableError:
    return UnreadableError(Problem(path=path, text=text, key=key, line=line, remedy=remedy))
