"""Spellings of another site's address in `next=` that a naive check accepts."""

from collections.abc import Mapping
from urllib.parse import quote

FOREIGN_ADDRESSES: Mapping[str, str] = {
    "https": "https://x.example/",
    "capitals": "HTTPS://X.EXAMPLE/",
    "base-path": "https://x.example/jupyter/hub/home",
    "no-scheme": "//x.example/",
    "no-scheme-base-path": "//x.example/jupyter/",
    "three-slashes": "///x.example/",
    "four-slashes": "////x.example/",
    "scheme-three-slashes": "https:///x.example/",
    "scheme-one-slash": "https:/x.example/",
    "scheme-no-slash": "https:x.example/",
    "backslash": "/\\x.example/",
    "backslashes": "\\\\x.example/",
    "slash-between-backslashes": "\\/\\x.example/",
    "backslash-between-slashes": "/\\/x.example/",
    "scheme-backslashes": "https:\\\\x.example/",
    "tab": "/\t/x.example/",
    "tab-first": "\t//x.example/",
    "tab-in-scheme": "ht\ttps://x.example/",
    "newline": "/\n/x.example/",
    "carriage-return": "/\r/x.example/",
    "space": " //x.example/",
    "control": "\x01//x.example/",
    "null": "\x00//x.example/",
    "user": "https://127.0.0.1@x.example/",
    "user-base-path": "//jupyter@x.example/",
    "user-after-backslash": "https://x.example\\@127.0.0.1/",
    "longer-host": "https://127.0.0.1.x.example/",
    "other-port": "http://127.0.0.1:1/jupyter/hub/home",
    "wide-dot": "https://x\u3002example/",
    "script": "javascript:attack()",
    "data": "data:text/html,attack",
    "ftp": "ftp://x.example/",
    "file": "file:///etc/passwd",
}
"""A browser that is redirected there leaves the hub's site."""

AMBIGUOUS_ADDRESSES: Mapping[str, str] = {
    "bare": "x.example/",
    "end-of-host": ".x.example/",
    "end-of-user": "@x.example/",
    "end-of-password": ":80@x.example/",
    "dots": "/../..//x.example/",
    "base-path-dots": "/jupyter/../..//x.example/",
    "header": "/jupyter/hub/home\r\nLocation: https://x.example/",
    "encoded": "%2f%2fx.example/",
    "encoded-slash": "/%2fx.example/",
    "encoded-backslash": "/%5cx.example/",
    "encoded-tab": "/%09/x.example/",
    "encoded-scheme": "%68ttps://x.example/",
}
"""They leave the site if the hub prepends its own address, resolves dots, decodes them, or copies them to a header."""


def next_query(address: str) -> str:
    """Return the query that makes a login redirect to an address."""
    return f"next={quote(address, safe='')}"
