"""Redaction of secrets in text. Pure.

A redactor knows the secrets of one instance, and the shapes of secrets in general: tokens, keys, cookies, passwords. It
prefers to redact too much.
"""

import html
import json
import re
from collections.abc import Callable, Collection, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from hubpod.system import encodings

MARK: Final = "[redacted]"
SHORTEST_LINE: Final = 24
"""Characters. A line of a key that is at least as long is sensitive even without the other lines."""
COOKIE_ATTRIBUTES: Final = frozenset({"path", "domain", "expires", "max-age", "samesite", "version", "comment"})

# The end of a secret's name. Its beginning is not matched where it could stand anywhere, because a pattern that begins
# with a repetition takes quadratic time on a long line.
END = r"(?:token|password|passwd|crypt_key|secret|xsrf)"
NAME = rf"[\w.-]{{0,80}}{END}"
BASE64URL = r"[A-Za-z0-9_-]"
Replacement = str | Callable[[re.Match[str]], str]


def _cookies(header: re.Match[str]) -> str:
    """Redact the value of every cookie in a header."""
    return header[1] + COOKIE.sub(_cookie, header[2])


def _cookie(cookie: re.Match[str]) -> str:
    return cookie[0] if cookie[1].lower() in COOKIE_ATTRIBUTES else f"{cookie[1]}={MARK}"


# A value is a quoted string, possibly with escaped quotes inside a JSON string, or a string without quotes.
COOKIE = re.compile(r"""([^\s;=,"'\\]{1,200})=(?:\\*"[^"\r\n]*")?[^;\r\n"]*""")
PATTERNS: tuple[tuple[re.Pattern[str], Replacement], ...] = (
    (
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----"
            r"(?:.{0,20000}?-----END [A-Z0-9 ]*PRIVATE KEY-----|[A-Za-z0-9+/=\s\\]*)",
            re.DOTALL,
        ),
        MARK,
    ),
    # JWS (RFC 7515) has three parts, the last one empty when it is unsigned; JWE (RFC 7516) has five.
    # Inside a longer word, only a header of ordinary size is matched.
    (
        re.compile(
            rf"(?:(?<!{BASE64URL})eyJ{BASE64URL}++|eyJ{BASE64URL}{{1,400}})(?:\.{BASE64URL}*){{2}}(?:(?:\.{BASE64URL}*){{2}}(?<!\.))?"
        ),
        MARK,
    ),
    (
        re.compile(
            r"""((?:authorization|x-auth-id-token|x-xsrftoken)["'\\]*[ \t]*[:=][ \t]*["'\\]*)"""
            r"""[^\s"'\\][^\r\n"'\\]*""",
            re.IGNORECASE,
        ),
        rf"\1{MARK}",
    ),
    (re.compile(r"""((?:set-)?cookie["'\\]*[ \t]*:[ \t]*)([^\r\n]*)""", re.IGNORECASE), _cookies),
    (re.compile(r"(<Cookie [^\s=]+=)[^\r\n>]*?(?= for )"), rf"\1{MARK}"),  # a cookie jar's repr
    (re.compile(r"""(xsrf cookie for b?["'])[^"'\r\n]*"""), rf"\1{MARK}"),  # JupyterHub's own log line
    # A list of variables: one line each, or one string each as in `podman inspect`.
    (re.compile(rf"^((?:export |declare -x )?{NAME}=)[^\r\n]+", re.IGNORECASE | re.MULTILINE), rf"\1{MARK}"),
    (re.compile(rf'("{NAME}=)(?:[^"\\\r\n]|\\.)+', re.IGNORECASE), rf"\1{MARK}"),
    # Elsewhere: query parameters, options, forms.
    (re.compile(rf"""({END}=(\\{{0,8}}["']))(?:(?!\2)[^\r\n])+""", re.IGNORECASE), rf"\1{MARK}"),
    (re.compile(rf"""({END}=)(?:[^\s"'&;,<>\\]|\\(?!\\{{0,8}}["']))+""", re.IGNORECASE), rf"\1{MARK}"),
    # JSON, Python's and JavaScript's objects, also inside of a string: the quote that opens is the one that closes.
    (
        re.compile(
            rf"""({END}(?:\\{{0,8}}["'])?[ \t]*:[ \t]*(\\{{0,8}}["']))(?:(?!\2)(?:\\.|[^\\\r\n]))+""",
            re.IGNORECASE,
        ),
        rf"\1{MARK}",
    ),
    (
        re.compile(
            rf"""(<input\b(?=[^>]{{0,500}}\bname=["']?{NAME}\b)[^>]{{0,500}}?\bvalue=["'])[^"'>]+""", re.IGNORECASE
        ),
        rf"\1{MARK}",
    ),
)


class Redactor:
    """Replaces secrets by `[redacted]`.

    Args:
        secrets: The secrets. Each is found as it is, and in its forms in URLs, JSON and HTML, in hexadecimal, and in
            base64 with any offset and any line breaks.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        known = [secret for secret in secrets if secret.strip() and not _has_shape(secret)]
        # The longest first, so that nothing remains of a secret that contains a shorter one.
        found = sorted({form for secret in known for form in _forms(secret)}, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, found))) if found else None
        self._encoded = encodings.needles(known)

    def __repr__(self) -> str:
        return "Redactor()"  # its patterns are the secrets

    def text(self, text: str) -> str:
        """Redact a text. A text without secrets stays the same."""
        text = _between_marks(text, lambda piece: encodings.replace(piece, self._encoded, MARK))
        if self._known:
            pattern = self._known
            text = _between_marks(text, lambda piece: pattern.sub(MARK, piece))
        return _redact_by_shape(text)

    def data(self, data: bytes) -> bytes:
        """Redact bytes. Bytes that are not UTF-8 stay the same."""
        return self.text(data.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def find_lines(text: str, secrets: Collection[str]) -> list[int]:
    """Return the numbers of all lines with a secret, in any of its forms, from 1."""
    given = {secret.strip() for secret in secrets if secret.strip()}
    known = {secret for secret in given if not _has_shape(secret)}
    spans = list(encodings.find(text, encodings.needles(known)))
    forms = given | {form for secret in known for form in _forms(secret)}
    spans += [found.span() for form in forms for found in re.finditer(re.escape(form), text)]
    return sorted({text.count("\n", 0, start) + 1 for start, _ in spans})


def _between_marks(text: str, change: Callable[[str], str]) -> str:
    """Change the pieces of a text between existing marks, so that a mark never becomes part of a secret."""
    return MARK.join(map(change, text.split(MARK)))


def _has_shape(secret: str) -> bool:
    """Return whether a secret is redacted by its shape, as hundreds of tokens are."""
    return _redact_by_shape(secret) == MARK


def _redact_by_shape(text: str) -> str:
    """Redact everything with the shape of a secret."""
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _forms(secret: str) -> Iterator[str]:
    """Yield the textual forms of a secret, and each line of a long one such as a key."""
    code = {"errors": "surrogateescape"}  # a binary secret, decoded
    for quoted in (quote(secret, **code), quote(secret, safe="", **code), quote_plus(secret, **code)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda code: code[0].lower(), quoted)
        yield quoted.replace("%", "%25")
    every = "".join(f"%{byte:02X}" for byte in secret.encode(errors="surrogateescape"))
    yield from (every, every.lower())
    for escaped in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]):
        yield escaped
        yield escaped.replace("/", "\\/")
        yield json.dumps(escaped)[1:-1]
        yield html.escape(escaped)
        yield html.escape(escaped).replace("&#x27;", "&#39;")
    lines = secret.splitlines()
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= SHORTEST_LINE and not line.startswith("-----"))
