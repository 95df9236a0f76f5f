"""What went wrong in the code that a person edits: found in a log, named by the person's own files. Pure."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from hubpod.components.jupyterhub import CONFIG
from hubpod.components.site import SOURCE_FOLDER, Site

_BEGIN = "Traceback (most recent call last):"
_FRAME = re.compile(r'File "(?P<path>[^"]+)", line (?P<line>\d+)')
_RECORD = re.compile(r"\[[DIWEC] \d{4}-\d\d-\d\d ")
_MARKS = set("^~ ")


def own_path(site: Site, inside: str) -> Path | None:
    """The person's file that a container has at a path; None where it is somebody else's."""
    path = PurePosixPath(inside)
    for name, code in site.sources.items():
        if path.is_relative_to(f"{SOURCE_FOLDER}/{name}"):
            return code.folder / path.relative_to(f"{SOURCE_FOLDER}/{name}")
    hub = site.volumes / "jupyterhub"
    if path.is_relative_to(f"{CONFIG}/fragments"):
        return hub / "axes" / path.name
    return hub / "core" / path.relative_to(CONFIG) if path.is_relative_to(CONFIG) else None


def blamed(site: Site, log: str) -> tuple[str, ...]:
    """The last traceback of a log that goes through the person's code, by its frames there; empty without one."""
    return next((found for each in reversed(list(_tracebacks(log.splitlines()))) if (found := _own(site, each))), ())


def _tracebacks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Each from its begin to the exception, without the indentation that a log adds."""
    for start, line in enumerate(lines):
        if line.strip() != _BEGIN:
            continue
        margin = line.index(_BEGIN)
        found: list[str] = []
        for each in lines[start + 1 :]:
            if _RECORD.match(each) or each.strip() == _BEGIN or (found and not found[-1].startswith(" ")):
                break
            found.append(each[margin:])
        yield found


def _own(site: Site, traceback: Sequence[str]) -> tuple[str, ...]:
    """Its frames in the person's code, each with its line of code, and the exception."""
    shown: list[str] = []
    mine = any_mine = False
    for line in traceback:
        frame = _FRAME.match(line.strip())
        if frame:
            path = own_path(site, frame["path"])
            mine = path is not None
            any_mine = any_mine or mine
            line = line.replace(frame["path"], str(path))  # noqa: PLW2901 - the same line, by the person's name
        if (mine or not line.startswith(" ")) and set(line) - _MARKS:
            shown.append(line.rstrip())
    return tuple(shown) if any_mine else ()
