"""Read regular files of limited size, and YAML with the line of every key."""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import yaml

from hubpod.settings.problems import Problem, UnreadableError

MAX_BYTES = 1024 * 1024
"""The limit of Kubernetes for the data of a ConfigMap, and of hubpod for each file beside it."""

WORD = re.compile(r"[A-Za-z0-9._-]{1,253}")
NO_WORD = "has a key that is not a word; add a space after its colon if it has none"
"""Without that space the whole of `{password:value}` is the key, so that the key must not be printed."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The value of a key, and the line of the key, counted from 1."""

    value: str
    line: int


def read_configmap(path: Path) -> tuple[dict[str, Entry] | None, list[Problem]]:
    """Read the entries below ``data`` of a ConfigMap, and find all problems of the YAML.

    No value is constructed as an object: tags, anchors and aliases have no effect.

    Returns:
        The entries, or None if the file is not a ConfigMap; and the problems.
    """
    try:
        return _entries(path, _data(path))
    except UnreadableError as error:
        return None, [error.problem]


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
        documents = [node for node in yaml.compose_all(content, Loader=yaml.SafeLoader) if node is not None]
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        raise _unreadable(path, f"is not YAML: {_reason(error)}", line=line) from error
    if len(documents) != 1:
        raise _unreadable(path, f"has {len(documents)} YAML documents", remedy="keep exactly one document")
    return documents[0]


def pairs(path: Path, node: yaml.Node, what: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    """Return the keys and values of a mapping; ``what`` is the node's name in an error.

    Raises:
        UnreadableError: The node is not a mapping, or a key is not a string.
    """
    if not isinstance(node, yaml.MappingNode):
        line = node.start_mark.line + 1
        raise _unreadable(path, f"{what} must be a mapping of keys to values", line=line)
    found = []
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _unreadable(path, "a key must be a string", line=key.start_mark.line + 1)
        found.append((key, value))
    return found


def _data(path: Path) -> yaml.Node:
    content = read_file(path, "write a deploy ConfigMap, or omit --deploy-dir to have one generated")
    top = {str(key.value): value for key, value in pairs(path, compose(path, content), "the document")}
    kind = top.get("kind")
    if not isinstance(kind, yaml.ScalarNode) or kind.value != "ConfigMap":
        raise _unreadable(path, "must be ConfigMap", key="kind", remedy="write `kind: ConfigMap`")
    if "data" not in top:
        raise _unreadable(path, "is missing", key="data", remedy="put the settings below `data:`")
    return top["data"]


def _entries(path: Path, data: yaml.Node) -> tuple[dict[str, Entry], list[Problem]]:
    entries: dict[str, Entry] = {}
    problems: list[Problem] = []
    for key_node, value_node in pairs(path, data, "data"):
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if not WORD.fullmatch(key):
            problems.append(Problem(path=path, line=line, text=NO_WORD))
        elif key in entries:
            problems.append(Problem(path=path, key=key, line=line, text="is in the file twice"))
        elif not isinstance(value_node, yaml.ScalarNode):
            problems.append(Problem(path=path, key=key, line=line, text="must be a string"))
            entries[key] = Entry(value="", line=line)
        else:
            entries[key] = Entry(value=value_node.value, line=line)
    return entries, problems


def _reason(error: Exception) -> str:
    """Return the parser's message without the name of an alias or tag.

    The name may be an unquoted secret.
    """
    reason = str(getattr(error, "problem", None) or "it cannot be read")
    return reason.partition(" '")[0] if reason.startswith("found undefined") else reason


def _unreadable(
    path: Path, text: str, *, key: str = "", line: int | None = None, remedy: str = "correct the file"
) -> UnreadableError:
    return UnreadableError(Problem(path=path, text=text, key=key, line=line, remedy=remedy))
