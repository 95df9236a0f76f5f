"""JSON without the freedoms that let two readers of the same text disagree: pure."""

import json
from typing import Any, NoReturn, TypeGuard


def parse(text: str | bytes) -> object:
    """Parse JSON in which the names of each object are unique (RFC 7519, section 4).

    Raises:
        ValueError: The text is not UTF-8, not JSON, nested too deeply, or an object repeats a name.
    """
    return _parse(text, _unique)


def parse_without_ambiguous(text: str | bytes) -> object:
    """Parse JSON, with None in the place of each object that repeats a name.

    Raises:
        ValueError: The text is not UTF-8, not JSON, or nested too deeply.
    """
    return _parse(text, _unique_or_none)


def is_text(value: object) -> TypeGuard[str]:
    r"""Whether a value is a string that UTF-8 can encode; JSON's `"\ud800"` is not."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_plain(document: object) -> bool:
    """Whether all strings of a parsed document are text without null characters."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and ("\0" in value or not is_text(value)):
            return False
    return True


def _parse(text: str | bytes, to_object: Any) -> object:  # noqa: ANN401 - json's object_pairs_hook
    try:
        # json would detect UTF-16 and UTF-32 in bytes.
        decoded = text.decode() if isinstance(text, bytes) else text
        return json.loads(decoded, object_pairs_hook=to_object, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object repeats a name")
    return found


def _unique_or_none(pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
    found = dict(pairs)
    return found if len(found) == len(pairs) else None


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and infinity are not JSON")
