"""Checks of the values in the deploy ConfigMap.

A check returns the problem of a value as the end of a sentence, and an empty string for a valid value. It gets the
value in its usual form, which a normalizer returns for every spelling of it.
"""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from hubpod.accounts import FORM, Account
from hubpod.errors import nearest
from hubpod.system.addresses import is_own_only

EXAMPLE_PASSWORDS = frozenset({"MyVerySecurePassword", "change-this-password"})
"""Passwords of public example files, with which any client could log in to the hub."""

PASSWORD_MIN_CHARACTERS = 8
"""JupyterHub's SharedPasswordAuthenticator refuses shorter passwords."""

LOG_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "CRITICAL")
"""The levels that JupyterHub accepts (traitlets.config.Application.log_level)."""

_OTHER_LEVELS = {"WARNING": "WARN", "FATAL": "CRITICAL", "10": "DEBUG", "20": "INFO", "30": "WARN", "40": "ERROR"}
_OTHER_LEVELS |= {"50": "CRITICAL"}
"""Names and numbers of the same levels in Python's logging."""

PATH_CHARACTERS = "A-Za-z0-9._+@-"
"""Characters of a path's parts, as in a regular expression.

The SSH gate containers/slurm/bin/hubpod-ssh-command admits them, and no shell gives any of them a meaning.
"""

EXAMPLE_PATHS = "/path/to/"
"""Start of the paths in public example files."""

MAX_TEXT_CHARACTERS = 1024
HUB_API_PORT = 8081

Check = Callable[[str], str]
Normalizer = Callable[[str], str]


def normalize_level(value: str) -> str:
    """Write a log level as JupyterHub does; other text is only in upper case."""
    level = value.strip().upper()
    return _OTHER_LEVELS.get(level, level)


def one_of(*choices: str) -> Check:
    """Require one of these words."""
    return lambda value: "" if value in choices else f"must be one of {', '.join(choices)}{nearest(value, choices)}"


def normalize_path(value: str) -> str:
    """Leave out doubled slashes, a slash at the end, and parts that are a single dot, of an absolute path."""
    text = value.strip()
    if not text.startswith("/"):
        return text
    return "/" + "/".join(part for part in text.split("/") if part not in {"", "."})


def path(value: str) -> str:
    """Require an absolute path that has the same meaning in ssh, sudo, a shell and a job script."""
    if value.startswith("~"):
        return "must be an absolute path, because ~ is another directory for each account"
    if not value.startswith("/") or value == "/":
        return "must be an absolute path such as /opt/jupyter"
    if f"{value}/".startswith(EXAMPLE_PATHS):
        return "is the documented example; write the path on the Slurm host"
    if ".." in value.split("/"):
        return "must be a path without .."
    wrong = re.sub(f"[/{PATH_CHARACTERS}]", "", value)
    if wrong:
        return f"has {_characters(wrong)}, and a path has only letters, digits and . _ + @ -"
    return ""


def normalize_base_url(value: str) -> str:
    """Write a path prefix without a slash at its end; nothing is the prefix /."""
    return value.strip().rstrip("/") or "/"


def base_url(value: str) -> str:
    """Require a path prefix that browsers, proxy and hub leave as it is."""
    if not value.startswith("/"):
        return "must be a path that starts with a slash, such as /jupyter"
    parts = value[1:].split("/")
    # Browsers leave out the parts . and .. of a path.
    fits = all(re.fullmatch(r"[A-Za-z0-9._~-]+", part) and part not in {".", ".."} for part in parts)
    return "" if fits or value == "/" else "must be a path such as /jupyter, of letters, digits and . _ ~ -"


def _characters(text: str) -> str:
    """List the different characters of a text for a message, in ASCII."""
    return ", ".join("a space" if each == " " else ascii(each) for each in dict.fromkeys(text))


def url(value: str) -> str:
    """Require an absolute http or https URL of printable ASCII without spaces (RFC 3986).

    The hub appends paths to it, so that it ends before a query and a fragment. Credentials would be in manifests.
    """
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        return f"is not a URL: {error}"
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[^!-~]", value):
        return "must be a URL such as https://host/path"
    if parts.query or parts.fragment or "@" in parts.netloc:
        return "must be a URL without user, query and fragment, such as https://host/path"
    return ""


def url_elsewhere(consequence: str) -> Check:
    """Require a URL of another machine than the one that connects to it.

    Args:
        consequence: Where a URL of this machine leads, and what to write instead.
    """

    def check(value: str) -> str:
        return url(value) or (f"is {value}, which {consequence}" if is_own_only(urlsplit(value).hostname or "") else "")

    return check


def normalize_url(value: str) -> str:
    """Leave out whitespace around a URL and slashes at its end."""
    return value.strip().rstrip("/")


def is_hub_in_pod(value: str) -> bool:
    """Whether a URL is the hub's API as the containers of its pod reach it."""
    try:
        parts = urlsplit(value)
        at_api = parts.scheme == "http" and parts.port == HUB_API_PORT and not parts.path
    except ValueError:
        return False
    return at_api and is_own_only(parts.hostname or "")


def text(value: str) -> str:
    """Require one line of printable ASCII characters."""
    if not value.isascii() or not value.isprintable() or len(value) > MAX_TEXT_CHARACTERS:
        return f"must be one line of at most {MAX_TEXT_CHARACTERS} printable ASCII characters"
    return ""


def dev_users(value: str) -> str:
    """Require at least one account, without repetitions."""
    names = value.split()
    if not names:
        return "is empty; give at least one <USER>.<PROJECT>"
    wrong = [name for name in names if not _is_account(name)]
    if wrong:
        return f"has {', '.join(map(repr, wrong))}, which is not {FORM}"
    twice = sorted({name for name in names if names.count(name) > 1})
    return f"has {', '.join(twice)} twice" if twice else ""


def _is_account(name: str) -> bool:
    try:
        Account.parse(name)
    except ValueError:
        return False
    return True


def admins(value: str) -> str:
    """Require user names, or an empty value."""
    wrong = [name for name in value.split() if not re.fullmatch(r"[a-z0-9_][a-z0-9._@-]{0,63}", name)]
    return f"has {', '.join(map(repr, wrong))}, which is not a user name" if wrong else ""


def password(value: str) -> str:
    """Require a password that is long enough, on one line, and not in a public example."""
    if value in EXAMPLE_PASSWORDS:
        return "is the documented example; choose your own password"
    if len(value) < PASSWORD_MIN_CHARACTERS:
        return f"must have at least {PASSWORD_MIN_CHARACTERS} characters"
    # JupyterHub compares passwords with secrets.compare_digest, which accepts only ASCII.
    return "" if value.isascii() and value.isprintable() else "must be one line of printable ASCII characters"


def seconds(least: int, most: int) -> Check:
    """Require a whole number of seconds within limits."""
    sentence = f"must be a whole number of seconds from {least} to {most}"
    return lambda value: "" if value.isascii() and value.isdecimal() and least <= int(value) <= most else sentence


def gpu_numbers(value: str) -> str:
    """Require numbers of GPUs without repetitions, such as `1 2 4 0`."""
    numbers = value.split()
    if not numbers:
        return "is empty. For a site without GPUs it must be 0"
    wrong = [number for number in numbers if not re.fullmatch(r"0|[1-9][0-9]{0,2}", number)]
    if wrong:
        return f"has {', '.join(map(repr, wrong))}, which is not a number of GPUs from 0 to 999"
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    return f"has {', '.join(twice)} twice" if twice else ""
