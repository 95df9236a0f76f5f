"""Excerpts of tracebacks in a log: frames in the developer's code, with the paths of the developer's files. Pure."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from hubpod.components.jupyterhub import CONFIG
from hubpod.components.site import SOURCE_FOLDER, Site
from hubpod.system.tracebacks import find_tracebacks, is_mark, parse_parts


def own_path(site: Site, inside: str) -> Path | None:
    """Return the developer's file at a path in a container; None for other files."""
    path = PurePosixPath(inside)
    for name, code in site.sources.items():
        if path.is_relative_to(f"{SOURCE_FOLDER}/{name}"):
            return code.folder / path.relative_to(f"{SOURCE_FOLDER}/{name}")
    hub = site.volumes / "jupyterhub"
    if path.is_relative_to(f"{CONFIG}/fragments"):
        return hub / "axes" / path.name
    return hub / "core" / path.relative_to(CONFIG) if path.is_relative_to(CONFIG) else None


def excerpt_own_code(site: Site, log: str) -> tuple[str, ...]:
    """Return the last traceback through the developer's code: its frames there and the exception; empty without one."""
    tracebacks = reversed(list(find_tracebacks(log.splitlines())))
    return next((excerpt for each in tracebacks if (excerpt := _excerpt(site, each))), ())


def _excerpt(site: Site, traceback: Sequence[str]) -> tuple[str, ...]:
    """Return the frames in the developer's code with their source lines, and the exception; empty without a frame."""
    excerpt: list[str] = []
    is_own = has_own = False
    for part in parse_parts(traceback):
        path = own_path(site, part.path) if part.path else None
        if part.path:
            is_own = path is not None
        has_own = has_own or is_own
        if is_own or not part.lines[0].startswith(" "):
            lines = (part.lines[0].replace(part.path, str(path)) if path else part.lines[0], *part.lines[1:])
            excerpt += [line.rstrip() for line in lines if not is_mark(line)]
    return tuple(excerpt) if has_own else ()
