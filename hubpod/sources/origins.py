"""Origins of sources that replace those in packages/.

An origin is a repository to clone, or a directory to use in place.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from hubpod.errors import UsageError, nearest


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The origin of a source: a URL with an optional ref, or a local directory."""

    url: str = field(default="", repr=False)  # the URL may contain a token
    ref: str = ""
    directory: Path | None = None

    def __str__(self) -> str:
        """The origin without passwords and tokens."""
        return mask_secrets(f"{self.url}@{self.ref}" if self.ref else self.url or str(self.directory))


def mask_secrets(text: str) -> str:
    """Replace passwords and tokens in the URLs of a text.

    Over HTTP the user name may be a token too.
    """
    text = re.sub(r"(\bhttps?://)[^/\s]*@", r"\1***@", text, flags=re.IGNORECASE)
    return re.sub(r"(\b[a-z][a-z0-9+.-]*://[^/\s:@]*):[^/\s]*@", r"\1:***@", text, flags=re.IGNORECASE)


def parse_origins(values: tuple[str, ...], names: tuple[str, ...]) -> dict[str, Origin]:
    """Parse the values of ``--source NAME=URL[@REF]`` and ``--source NAME=PATH``.

    Args:
        values: The values.
        names: Names of all sources.

    Returns:
        The origins, by the source's name.

    Raises:
        UsageError: A source is unknown or given twice, or its URL cannot be cloned from.
    """
    origins: dict[str, Origin] = {}
    for value in values:
        name, separator, where = value.partition("=")
        option = f"--source {mask_secrets(value)}"
        if not separator or not where:
            raise UsageError(f"{option}: expected NAME=URL[@REF] or NAME=PATH")
        if name not in names:
            problem = f"{option}: there is no source {mask_secrets(name)!r}{nearest(name, names)}"
            raise UsageError(problem, remedy="sources: " + ", ".join(names))
        if name in origins:
            raise UsageError(f"--source {name} is given twice")
        origins[name] = _parse_origin(option, where)
    return origins


def _parse_origin(option: str, where: str) -> Origin:
    if directory := _find_directory(where):
        return Origin(directory=directory)
    url, ref = _split_ref(where)
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise UsageError(f"{option}: this is not a URL ({error})", remedy="give it as https://host/path") from None
    scp_like = re.fullmatch(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^:].*", url)
    # git and ssh take a host, path or ref that starts with a hyphen for an option.
    looks_like_option = re.search(r"(^|//|@|:)-", url) or ref.startswith("-")
    if "::" in url or looks_like_option or not (scheme or scp_like):
        raise UsageError(
            f"{option}: {mask_secrets(where)!r} is neither an existing directory nor the URL of a repository",
            remedy="give an existing directory, or a URL such as https://host/group/repository.git@main",
        )
    if scheme and scheme not in {"https", "http", "ssh", "git", "file"}:
        raise UsageError(f"{option}: cannot clone with the protocol {scheme}", remedy="use https or ssh")
    return Origin(url=url, ref=ref)


def _find_directory(where: str) -> Path | None:
    try:
        directory = Path(where).expanduser()
        return directory.resolve() if directory.is_dir() else None
    except (OSError, RuntimeError):  # the name is too long or not accessible; the user in ~user is unknown
        return None


def _split_ref(where: str) -> tuple[str, str]:
    """Separate ``URL@REF``.

    A ref may contain ``/``, a path may contain ``@``, and the ``@`` of ``user@host`` belongs to the URL. So:

    - A ``file:`` URL of an existing directory has no ref. Otherwise the last ``@`` after an existing directory
      separates the ref. If no directory exists, an ``@`` in the last part of the path separates it.
    - In any other URL the ``@`` of ``.git@`` separates the ref, or else the first one after the host that does not
      start a part of the path.
    """
    if where.lower().startswith("file://"):
        return _split_file(where)
    authority = re.match(r"[a-z][a-z0-9+.-]*://[^/]*/|[^/:]+@[^/:]+:", where, flags=re.IGNORECASE)
    start = authority.end() if authority else 0
    at = re.compile(r"(?<=\.git)@").search(where, start) or re.compile(r"(?<=[^/:])@").search(where, start)
    return (where[: at.start()], where[at.end() :]) if at else (where, "")


def _split_file(where: str) -> tuple[str, str]:
    url, ref = where, ""
    while url:
        if _find_directory(unquote(urlsplit(url).path)):
            return url, ref
        url = url.rpartition("@")[0]
        ref = where[len(url) + 1 :]
    head, slash, last = where.rpartition("/")
    name, _, ref = last.partition("@")
    return head + slash + name, ref
