"""Checks of the values in the deploy ConfigMap.

A check returns the problem of a value as the end of a sentence, and an empty string for a valid value.
"""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from hubpod.accounts import FORM, Account

EXAMPLE_PASSWORDS = frozenset({"MyVerySecurePassword", "change-this-password"})
"""Passwords of public example files; with one of them, anyone could log in to the hub."""

PASSWORD_MIN_CHARACTERS = 8
"""JupyterHub's SharedPasswordAuthenticator refuses shorter passwords."""

Check = Callable[[str], str]


def one_of(*choices: str) -> Check:
    """Require one of these words."""
    return lambda value: "" if value in choices else f"must be one of {', '.join(choices)}"


def matching(pattern: str, what: str) -> Check:
    """Require a full match of a regular expression, which ``what`` describes."""
    compiled = re.compile(pattern)
    return lambda value: "" if compiled.fullmatch(value) else f"must be {what}"


def url(value: str) -> str:
    """Require an absolute http or https URL of printable ASCII without spaces (RFC 3986)."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        return f"is not a URL: {error}"
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[^!-~]", value):
        return "must be a URL such as https://host/path"
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
    """Require user names; an empty value is valid."""
    wrong = [name for name in value.split() if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,30}", name)]
    return f"has {', '.join(map(repr, wrong))}, which is not a user name" if wrong else ""


def password(value: str) -> str:
    """Require a password that is long enough, on one line, and not in a public example."""
    if value in EXAMPLE_PASSWORDS:
        return "is the documented example; choose your own password"
    if len(value) < PASSWORD_MIN_CHARACTERS:
        return f"must have at least {PASSWORD_MIN_CHARACTERS} characters"
    # JupyterHub compares passwords with secrets.compare_digest, which accepts only ASCII.
    return "" if value.isascii() and value.isprintable() else "must be one line of printable ASCII characters"
