"""Where a source comes from when it is not ours: a repository to clone, or a folder to use in place."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from hubpod.environments import nearest
from hubpod.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where another repository than ours comes from: a URL with an optional ref, or a local folder."""

    url: str = field(default="", repr=False)  # it may have a token in it
    ref: str = ""
    folder: Path | None = None

    def __str__(self) -> str:
        """What a person may see of it."""
        return mask_secrets(f"{self.url}@{self.ref}" if self.ref else self.url or str(self.folder))


def mask_secrets(text: str) -> str:
    """The text with passwords and tokens in its URLs replaced; over HTTP a user may be a token as well."""
    text = re.sub(r"(\bhttps?://)[^/\s]*@", r"\1***@", text, flags=re.IGNORECASE)
    return re.sub(r"(\b[a-z][a-z0-9+.-]*://[^/\s:@]*):[^/\s]*@", r"\1:***@", text, flags=re.IGNORECASE)


def parse_origins(values: tuple[str, ...], names: tuple[str, ...]) -> dict[str, Origin]:
    """What ``--source NAME=URL[@REF]`` and ``--source NAME=PATH`` ask for, by name.

    Raises:
        UsageError: There is no such source, it is given twice, or its URL is not one to clone from.
    """
    origins: dict[str, Origin] = {}
    for value in values:
        name, separator, where = value.partition("=")
        told = f"--source {mask_secrets(value)}"
        if not separator or not where:
            raise UsageError(f"{told}: expected NAME=URL[@REF] or NAME=PATH")
        if name not in names:
            remedy = "sources: " + ", ".join(names)
            raise UsageError(f"{told}: there is no source {mask_secrets(name)!r}{nearest(name, names)}", remedy=remedy)
        if name in origins:
            raise UsageError(f"--source {name} is given twice")
        origins[name] = _origin(told, where)
    return origins


def _origin(told: str, where: str) -> Origin:
    if folder := _folder(where):
        return Origin(folder=folder)
    url, ref = _split_ref(where)
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise UsageError(f"{told}: this is not a URL ({error})", remedy="give it as https://host/path") from None
    scp_like = re.fullmatch(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^:].*", url)
    # To git and ssh a host, path or ref that begins with a hyphen could be an option.
    optional = re.search(r"(^|//|@|:)-", url) or ref.startswith("-")
    if "::" in url or optional or not (scheme or scp_like):
        raise UsageError(
            f"{told}: there is no folder {mask_secrets(where)!r}, and it is not a repository's URL",
            remedy="give an existing folder, or a URL such as https://host/group/repository.git@main",
        )
    if scheme and scheme not in {"https", "http", "ssh", "git", "file"}:
        raise UsageError(f"{told}: {scheme} is not a protocol to clone with", remedy="use https or ssh")
    return Origin(url=url, ref=ref)


def _folder(where: str) -> Path | None:
    try:
        folder = Path(where).expanduser()
        return folder.resolve() if folder.is_dir() else None
    except (OSError, RuntimeError):  # a name that is too long or may not be looked at; no such user
        return None


def _split_ref(where: str) -> tuple[str, str]:
    """Separate ``URL@REF``.

    A ref may contain ``/``, a path may contain ``@``, and the ``@`` of ``user@host`` belongs to the URL. So:

    - A ``file:`` URL has a ref behind the last ``@`` that follows an existing folder; where it names an existing
      folder as it stands, it has none. Where nothing exists, an ``@`` in the last part of the path separates.
    - In any other URL the ``@`` of ``.git@`` separates, or else the first one behind the host that does not begin a
      part of the path.
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
        if _folder(unquote(urlsplit(url).path)):
            return url, ref
        url = url.rpartition("@")[0]
        ref = where[len(url) + 1 :]
    head, slash, last = where.rpartition("/")
    name, _, ref = last.partition("@")
    return head + slash + name, ref
