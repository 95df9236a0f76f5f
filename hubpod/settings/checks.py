"""What makes a value of the deploy ConfigMap wrong; each check gives the end of a sentence, empty when it is right."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from hubpod.accounts import FORM, Account

EXAMPLE_PASSWORDS = frozenset({"MyVerySecurePassword", "change-this-password"})
"""Passwords that stand in public example files; a hub that anyone can enter is refused."""

PASSWORD_MIN_CHARACTERS = 8
"""JupyterHub's SharedPasswordAuthenticator refuses shorter ones."""

Check = Callable[[str], str]
"""From a value to what is wrong with it, as the end of a sentence; empty when it is right."""


def one_of(*choices: str) -> Check:
    """Nothing but one of these words."""
    return lambda value: "" if value in choices else f"must be one of {', '.join(choices)}"


def matching(pattern: str, what: str) -> Check:
    """What matches a regular expression as a whole; ``what`` says so in words."""
    compiled = re.compile(pattern)
    return lambda value: "" if compiled.fullmatch(value) else f"must be {what}"


def url(value: str) -> str:
    """An absolute http or https URL, in the characters that a URL may have (RFC 3986: printable ASCII, no blanks)."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        return f"is not a URL: {error}"
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[^!-~]", value):
        return "must be a URL such as https://host/path"
    return ""


def dev_users(value: str) -> str:
    """Accounts ``<USER>.<PROJECT>``, at least one, none twice."""
    users = value.split()
    if not users:
        return "is empty: give at least one <USER>.<PROJECT>"
    wrong = [user for user in users if not _is_account(user)]
    if wrong:
        return f"has {', '.join(map(repr, wrong))}, which is not {FORM}"
    twice = sorted({user for user in users if users.count(user) > 1})
    return f"names {', '.join(twice)} twice" if twice else ""


def _is_account(name: str) -> bool:
    try:
        Account.parse(name)
    except ValueError:
        return False
    return True


def admins(value: str) -> str:
    """User names; there may be none."""
    wrong = [user for user in value.split() if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,30}", user)]
    return f"has {', '.join(map(repr, wrong))}, which is not a user name" if wrong else ""


def password(value: str) -> str:
    """Long enough, not a documented example, and one line."""
    if value in EXAMPLE_PASSWORDS:
        return "is the documented example; choose your own"
    if len(value) < PASSWORD_MIN_CHARACTERS:
        return f"must have at least {PASSWORD_MIN_CHARACTERS} characters"
    # JupyterHub compares with secrets.compare_digest, which takes no other characters.
    return "" if value.isascii() and value.isprintable() else "must be one line of printable ASCII characters"
