"""Requests that a hub cannot read, because some part is not UTF-8, is half a character, or is JSON of another shape."""

from collections.abc import Mapping

from hubpod_harness.attack.transport import Headers, Request

BYTES: Mapping[str, str] = {
    "byte": "%ff",
    "surrogate": "%ed%a0%80",
    "overlong": "%c0%af",
    "cut": "%c3",
    "null": "a%00b",
}
"""Escaped bytes that are not text."""

BAD_ESCAPE = "%zz"
"""The proxy refuses it in a path. In a query or a form it stands for itself."""

_PAGES = ("/hub/home", "/hub/login", "/hub/spawn", "/hub/spawn/testuser", "/hub/logout", "/hub/token", "/hub/admin",
          "/hub/user-redirect/lab", "/hub/api/user", "/hub/api/users", "/hub/api/oauth2/authorize",
          "/hub/static/css/style.min.css", "/hub/error/404", "/hub/health")  # fmt: skip
_BELOW = ("/hub/", "/hub/static/", "/hub/logo/", "/hub/api/", "/hub/api/users/", "/hub/api/groups/", "/hub/spawn/",
          "/hub/user/", "/hub/user-redirect/", "/hub/spawn-pending/", "/hub/accept-share/", "/user/")  # fmt: skip
_FORMS = ("/hub/spawn", "/hub/api/oauth2/authorize", "/hub/api/oauth2/token")
_APIS = ("/hub/api/users", "/hub/api/users/testuser/server", "/hub/api/users/testuser/tokens",
         "/hub/api/users/testuser/activity", "/hub/api/batchspawner", "/hub/api/groups/g")  # fmt: skip

BODIES: Mapping[str, bytes] = {
    "bytes": b'{"a": "\xff"}',
    "utf-16": b"\xff\xfe{\0}\0",
    "deep": b"[" * 100_000,
    "deep-objects": b'{"a":' * 5_000,
    "digits": b"9" * 5_000,
    "surrogate": b'{"name": "\\ud800"}',
    "surrogate-name": b'{"\\ud800": 1}',
    "null-character": b'{"name": "a\\u0000"}',
    "repeated": b'{"a": 1, "a": 2}',
    "cut": b"{",
    "text": b'"x"',
    "list": b"[]",
    "nan": b"NaN",
}
_HEADERS: Mapping[str, Headers] = {
    name: ((name, "\xff\xfe"),) for name in ("Cookie", "Referer", "Accept", "User-Agent", "X-Other", "Accept-Language")
}
_FORM: Headers = (("Content-Type", "application/x-www-form-urlencoded"),)
_JSON: Headers = (("Content-Type", "application/json"),)


def requests() -> Mapping[str, Request]:
    """Return the requests by name. A hub answers each with 400."""
    escapes = {**BYTES, "escape": BAD_ESCAPE}
    return {
        **{f"{place}{name}": Request(path=place + text) for place in _BELOW for name, text in escapes.items()},
        **{f"{page}?{name}": Request(path=f"{page}?x={text}") for page in _PAGES for name, text in BYTES.items()},
        **{f"{page}?name-{name}": Request(path=f"{page}?{text}=1") for page in _PAGES for name, text in BYTES.items()},
        **{
            f"{form}-form-{name}": Request(method="POST", path=form, headers=_FORM, body=f"a={text}".encode())
            for form in _FORMS
            for name, text in BYTES.items()
        },
        **{
            f"{api}-{name}": Request(method="POST", path=api, headers=_JSON, body=body)
            for api in _APIS
            for name, body in BODIES.items()
        },
        **{f"{page}-{name}": Request(path=page, headers=value) for page in _PAGES for name, value in _HEADERS.items()},
    }
