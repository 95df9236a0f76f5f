"""Problems of the files in a deploy directory, which are all reported at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hubpod.errors import SettingsError

REMEDY = "correct the file and run the command again"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A problem of one file of the deploy directory.

    Attributes:
        path: The file.
        text: The end of a sentence about the key, or about the file if the key is empty.
        key: The key; empty for a problem of the whole file or of a line.
        line: The line number, counted from 1; None if the key is not in the file.
        remedy: What to do, if the text does not state it.
    """

    path: Path
    text: str
    key: str = ""
    line: int | None = None
    remedy: str = ""

    @property
    def message(self) -> str:
        """File, line, key and text, as far as they are known."""
        line = f":{self.line}" if self.line else ""
        key = f" {self.key}:" if self.key else ""
        return f"{self.path}{line}:{key} {self.text}"


class UnreadableError(Exception):
    """A file is unusable as a whole."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def report(path: Path, problems: Sequence[Problem]) -> None:
    """Raise one error that lists all problems in the order of files and lines, each key once.

    Args:
        path: The deploy ConfigMap.
        problems: The problems of the deploy ConfigMap and of the files beside it.

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
