"""Reading a Kubernetes ConfigMap from a file, with the line of every key, and reporting all its problems at once."""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import yaml

from hubpod.errors import SettingsError

MAX_BYTES = 1024 * 1024
"""Kubernetes' own limit for the data of a ConfigMap, and ours for each file beside it."""

WORD = re.compile(r"[A-Za-z0-9._-]{1,253}")
NO_WORD = "has a key that is not a word; is there a blank after its colon?"
"""Of `{password:value}` without a blank all is the key, which must not be shown then."""

REMEDY = "correct the file and run the command again"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One key of the file: its value, and the line it stands on, counted from 1."""

    value: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong with one file of the deploy directory.

    Attributes:
        path: The file.
        text: The end of a sentence about the key, or about the file where there is no key.
        key: The key that is meant, empty when it is the whole file or a line of it.
        line: Where it stands, counted from 1; None when it is not in the file.
        remedy: What to do, where the text does not say it.
    """

    path: Path
    text: str
    key: str = ""
    line: int | None = None
    remedy: str = ""

    @property
    def message(self) -> str:
        """File, line and key as far as there are any, and what is wrong."""
        line = f":{self.line}" if self.line else ""
        key = f" {self.key}:" if self.key else ""
        return f"{self.path}{line}:{key} {self.text}"


class UnreadableError(Exception):
    """A file cannot be used as a whole, for the reason that the problem gives."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read_configmap(path: Path) -> tuple[dict[str, Entry] | None, list[Problem]]:
    """The entries below ``data`` of a ConfigMap, None when it is not one, and what is wrong with their form.

    Nothing of the file is constructed as an object: tags, anchors and aliases have no effect.
    """
    try:
        return _entries(path, _data(path))
    except UnreadableError as error:
        return None, [error.problem]


def report(path: Path, problems: list[Problem]) -> None:
    """Raise one error that lists every problem; each key is named once, with its line where it has one.

    Args:
        path: The deploy ConfigMap.
        problems: What is wrong with it, and with the files beside it.

    Raises:
        SettingsError: There is at least one problem.
    """
    first = {(each.path, each.key or each.message): each for each in reversed(problems)}
    if not first:
        return
    files = list(dict.fromkeys((path, *(each.path for each in problems))))
    ordered = sorted(first.values(), key=lambda each: (files.index(each.path), each.line is None, each.line or 0))
    if len(ordered) == 1:
        raise SettingsError(ordered[0].message, remedy=ordered[0].remedy or REMEDY)
    all_in_configmap = {each.path for each in ordered} == {path}
    raise SettingsError(
        f"{len(ordered)} settings are wrong in {path}"
        if all_in_configmap
        else f"{len(ordered)} problems in {path.parent}",
        detail=[f"{each.message}; {each.remedy}" if each.remedy else each.message for each in ordered],
        remedy=REMEDY if all_in_configmap else "correct the files and run the command again",
    )


def read_file(path: Path, remedy: str) -> bytes:
    """The content of a regular file that is not too large.

    Args:
        path: The file, or a link to it.
        remedy: What to do when there is none.

    Raises:
        UnreadableError: There is no such file, or it cannot be read.
    """
    try:
        # Without O_NONBLOCK a named pipe would keep us waiting for somebody who writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _unreadable(path, "is not a regular file", remedy="put the file itself there")
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if path.is_symlink():
            text = f"is a link to {path.readlink()}, which is not there"
            raise _unreadable(path, text, remedy="put the file itself there") from None
        raise _unreadable(path, "is missing", remedy=remedy) from None
    except IsADirectoryError:
        raise _unreadable(path, "is a folder", remedy="put the file itself there") from None
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
        raise _unreadable(path, text, remedy="make it a file that you can read") from error
    if len(content) > MAX_BYTES:
        raise _unreadable(path, f"is larger than {MAX_BYTES} bytes", remedy="put the right file there")
    return content


def compose(path: Path, content: bytes) -> yaml.Node:
    """The one document of a YAML file, as nodes that know their lines.

    Raises:
        UnreadableError: It is not the YAML of one document.
    """
    try:
        documents = [node for node in yaml.compose_all(content, Loader=yaml.SafeLoader) if node is not None]
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        raise _unreadable(path, f"is not YAML: {_reason(error)}", line=line) from error
    if len(documents) != 1:
        raise _unreadable(path, f"has {len(documents)} YAML documents", remedy="leave one in it")
    return documents[0]


def pairs(path: Path, node: yaml.Node, what: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    """The keys and values of a mapping.

    Raises:
        UnreadableError: It is no mapping, or a key is no string.
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
    content = read_file(path, "write a deploy ConfigMap, or leave out --deploy-dir to have one made")
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
            problems.append(Problem(path=path, key=key, line=line, text="stands in the file twice"))
        elif not isinstance(value_node, yaml.ScalarNode):
            problems.append(Problem(path=path, key=key, line=line, text="must be a string"))
            entries[key] = Entry(value="", line=line)
        else:
            entries[key] = Entry(value=value_node.value, line=line)
    return entries, problems


def _reason(error: Exception) -> str:
    """What the parser says; without the name of an alias or tag, which may be an unquoted secret that begins so."""
    reason = str(getattr(error, "problem", None) or "it cannot be read")
    return reason.partition(" '")[0] if reason.startswith("found undefined") else reason


def _unreadable(
    path: Path, text: str, *, key: str = "", line: int | None = None, remedy: str = "correct the file"
) -> UnreadableError:
    return UnreadableError(Problem(path=path, text=text, key=key, line=line, remedy=remedy))
