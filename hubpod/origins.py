"""Where a source comes from when it is not ours: a repository to clone, or a folder to use in place."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hubpod.environments import nearest
from hubpod.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where another repository than ours comes from: a URL with an optional ref, or a local folder."""

    url: str = ""
    ref: str = ""
    folder: Path | None = None


def parse_origins(values: tuple[str, ...], names: tuple[str, ...]) -> dict[str, Origin]:
    """What ``--source NAME=URL[@REF]`` and ``--source NAME=PATH`` ask for, by name.

    Raises:
        UsageError: There is no such source, it is given twice, or its URL is not one to clone from.
    """
    origins: dict[str, Origin] = {}
    for value in values:
        name, separator, where = value.partition("=")
        if not separator or not where:
            raise UsageError(f"--source {value}: expected NAME=URL[@REF] or NAME=PATH")
        if name not in names:
            remedy = "sources: " + ", ".join(names)
            raise UsageError(f"--source {value}: there is no source {name!r}{nearest(name, names)}", remedy=remedy)
        if name in origins:
            raise UsageError(f"--source {name} is given twice")
        origins[name] = _origin(value, where)
    return origins


def _origin(value: str, where: str) -> Origin:
    folder = Path(where).expanduser()
    if folder.is_dir():
        return Origin(folder=folder.resolve())
    url, ref = _split_ref(where)
    scheme = urlsplit(url).scheme
    scp_like = re.fullmatch(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^:].*", url)
    if "::" in url or url.startswith("-") or ref.startswith("-") or not (scheme or scp_like):
        raise UsageError(
            f"--source {value}: there is no folder {where!r}, and it is not a repository's URL",
            remedy="give an existing folder, or a URL such as https://host/group/repository.git@main",
        )
    if scheme and scheme not in {"https", "http", "ssh", "git", "file"}:
        raise UsageError(f"--source {value}: {scheme} is not a protocol to clone with", remedy="use https or ssh")
    return Origin(url=url, ref=ref)


def _split_ref(where: str) -> tuple[str, str]:
    """Separate ``URL@REF``; the ``@`` of ``user@host`` belongs to the URL."""
    authority = re.match(r"[a-z+.-]+://[^/]*/|[^/:]+@[^/:]+:", where)
    start = authority.end() if authority else 0
    path, _, ref = where[start:].partition("@")
    return where[:start] + path, ref
