"""Excerpt the frames in the developer's code from tracebacks in a log.

Paths inside the container are replaced by the paths of the developer's files.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from hubpod.components.jupyterhub import CONFIG, SETTINGS
from hubpod.components.site import SOURCE_DIRECTORY, Site
from hubpod.settings.hub_config import DIRECTORY
from hubpod.system.tracebacks import find_tracebacks, is_mark, parse_parts


def own_path(site: Site, inside: str) -> Path | None:
    """Return the developer's file at a path in a container, or None for other files."""
    path = PurePosixPath(inside)
    for name, code in site.sources.items():
        if path.is_relative_to(f"{SOURCE_DIRECTORY}/{name}"):
            return code.directory / path.relative_to(f"{SOURCE_DIRECTORY}/{name}")
    if path.is_relative_to(SETTINGS):
        return site.settings.source.parent / DIRECTORY / path.relative_to(SETTINGS)
    hub = site.volumes / "jupyterhub"
    if path.is_relative_to(f"{CONFIG}/fragments"):
        return hub / "axes" / path.name
    return hub / "core" / path.relative_to(CONFIG) if path.is_relative_to(CONFIG) else None


def excerpt_own_code(site: Site, log: str) -> tuple[str, ...]:
    """Excerpt the last traceback through the developer's code, if any."""
    tracebacks = reversed(list(find_tracebacks(log.splitlines())))
    return next((excerpt for each in tracebacks if (excerpt := _excerpt(site, each))), ())


def _excerpt(site: Site, traceback: Sequence[str]) -> tuple[str, ...]:
    """Return the frames in the developer's code and the exception, or nothing without a frame.

    Each frame has its source line.
    """
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
