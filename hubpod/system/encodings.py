"""Secrets inside base64 and hexadecimal, at any offset and with any line breaks. Pure."""

import base64
import json
import re
import string
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final
from urllib.parse import unquote

SHORTEST_BASE64: Final = 6
SHORTEST_HEX: Final = 8
"""Characters. A shorter piece would match ordinary words."""

_BREAK = r"(?:[\r\n]|\\[rn]|%0[AaDd])+"
_WORD = r"[^\s\\]{1,80}[ \t]+"  # a time or a name that a log puts before each line
_BREAKS = tuple(re.compile(rf"{_BREAK}[ \t]*{_WORD * count}|\\(?=/)|%2[BbFf]") for count in range(3))
_PAIRS = re.compile(rf"[: ,]|0x|\\x|{_BREAK}[ \t]*")
_URL_ALPHABET = str.maketrans("-_", "+/")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)  # str.lower changes the length of some texts

Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Needles:
    """The encoded forms of secrets.

    Attributes:
        base64: In the standard alphabet, without padding and without characters that depend on adjacent data.
        hexadecimal: In lower case, without separators.
    """

    base64: frozenset[str] = frozenset()
    hexadecimal: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return "Needles()"  # they are secrets


def needles(secrets: Collection[str]) -> Needles:
    """Encode secrets, as they are and as JSON escapes them."""
    forms = {form for secret in secrets if secret.strip() for form in _json_forms(secret)}
    raw = [form.encode(errors="surrogateescape") for form in forms]
    encoded = {core for each in raw for core in _base64(each)}
    hexadecimal = {each.hex() for each in raw if len(each.hex()) >= SHORTEST_HEX}
    return Needles(base64=frozenset(encoded), hexadecimal=frozenset(hexadecimal))


def find(text: str, wanted: Needles) -> Iterator[Span]:
    """Yield the start and the end of each encoded secret."""
    if wanted.base64:
        for breaks in _BREAKS:
            yield from _find_without(text.translate(_URL_ALPHABET), breaks, wanted.base64)
    if wanted.hexadecimal:
        yield from _find_without(text.translate(_LOWER), _PAIRS, wanted.hexadecimal)


def replace(text: str, wanted: Needles, mark: str) -> str:
    """Replace each encoded secret by a mark."""
    spans: list[Span] = []
    for start, end in sorted(find(text, wanted)):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    kept = [text[start:end] for start, end in list(pairwise(edges))[::2]]
    return mark.join(kept)


def _json_forms(secret: str) -> set[str]:
    return {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}


def _base64(secret: bytes) -> Iterator[str]:
    """Yield the base64 characters of a secret, for any alignment inside a longer encoded text."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret).decode()
        # A character encodes 6 bits. Those that share a byte with adjacent data vary and are cut off.
        core = encoded[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]
        if len(core) >= SHORTEST_BASE64:
            yield core
    whole = base64.b64encode(secret).decode().rstrip("=")
    if len(whole) >= SHORTEST_BASE64:
        yield whole


def _find_without(text: str, dropped: re.Pattern[str], wanted: Collection[str]) -> Iterator[Span]:
    """Find strings in a text without some of its parts; yield their places in the whole text."""
    pieces, origins, at = [], [], 0
    for gap in dropped.finditer(text):
        pieces.append(text[at : gap.start()])
        origins.append(at)
        if gap[0].startswith("%2"):  # one character in a URL's notation
            pieces.append(unquote(gap[0]))
            origins.append(gap.start())
        at = gap.end()
    pieces.append(text[at:])
    origins.append(at)
    starts = [0, *accumulate(map(len, pieces))]
    squeezed = "".join(pieces)

    def origin(position: int) -> int:
        piece = bisect_right(starts, position, hi=len(pieces)) - 1
        return origins[piece] + position - starts[piece]

    for each in wanted:
        position = squeezed.find(each)
        while position >= 0:
            yield origin(position), origin(position + len(each) - 1) + 1
            position = squeezed.find(each, position + 1)
