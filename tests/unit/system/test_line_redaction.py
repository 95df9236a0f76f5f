"""Redaction of the lines of a log, one by one."""

import base64
import textwrap

import pytest

from hubpod.system.line_redaction import LineRedactor
from hubpod.system.redaction import MARK, Redactor

SECRET = "the secret of this site"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl"


def redact(*lines: str) -> list[str]:
    """Redact lines with a redactor that knows the secret."""
    redactor = LineRedactor(Redactor([SECRET]))
    return [redactor.line(line) for line in lines]


def test_secrets_and_tokens_within_a_line_are_redacted() -> None:
    """Known secrets and shapes of secrets are redacted, and the rest of a line stays."""
    assert redact(f"200 GET /hub/home {SECRET} (ada@192.0.2.1)", f"X-Auth-Id-Token: {TOKEN}", "plain") == [
        f"200 GET /hub/home {MARK} (ada@192.0.2.1)",
        f"X-Auth-Id-Token: {MARK}",
        "plain",
    ]


@pytest.mark.parametrize("width", [60, 64, 70, 76])
def test_wrapped_base64_is_redacted_whole(width: int) -> None:
    """The lines of a configuration that a terminal echoes in base64 are redacted, its short last line included."""
    wrapped = textwrap.wrap(
        base64.b64encode(f'{{"padding": "{"x" * 90}", "secret": "{SECRET}"}}'.encode()).decode(), width
    )

    assert redact("SEND_CONFIGURATION", *wrapped, "END_CONFIGURATION") == [
        "SEND_CONFIGURATION",
        *[MARK] * len(wrapped),
        "END_CONFIGURATION",
    ]


def test_a_private_key_is_redacted_to_its_end() -> None:
    """All lines of a private key are redacted, whatever precedes them in a line."""
    kind = "OPENSSH " + "PRIVATE KEY"

    lines = redact(f"key: -----BEGIN {kind}-----", "  b3Blbn", "", f"-----END {kind}-----", "after")

    assert lines == [MARK] * 4 + ["after"]


def test_a_single_word_stays() -> None:
    """A short word is not a part of wrapped base64."""
    assert redact("READY", "starting", "") == ["READY", "starting", ""]
