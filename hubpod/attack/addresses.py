"""Addresses of another site, as `next=` may spell them to get past a careless look."""

from collections.abc import Mapping
from urllib.parse import quote

FOREIGN_ADDRESSES: Mapping[str, str] = {
    "https": "https://x.example/",
    "capitals": "HTTPS://X.EXAMPLE/",
    "no-scheme": "//x.example/",
    "three-slashes": "///x.example/",
    "scheme-three-slashes": "https:///x.example/",
    "scheme-one-slash": "https:/x.example/",
    "scheme-no-slash": "https:x.example/",
    "backslash": "/\\x.example/",
    "backslashes": "\\\\x.example/",
    "tab": "/\t/x.example/",
    "newline": "/\n/x.example/",
    "space": " //x.example/",
    "user": "https://127.0.0.1@x.example/",
    "script": "javascript:attack()",
    "data": "data:text/html,attack",
    "encoded": "%2f%2fx.example/",
    "dots": "/../..//x.example/",
}


def next_query(address: str) -> str:
    """The query that asks a login to lead there."""
    return f"next={quote(address, safe='')}"
