"""Redaction of secrets in lines that come one by one, such as those of a log that is followed. Pure."""

import re

from hubpod.system.redaction import MARK, Redactor

WRAPPED_CHARACTERS = 60
"""Programs wrap base64 in lines of 64 (PEM), 70 (OpenSSH) or 76 characters (MIME)."""

BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY-----")


class LineRedactor:
    """Redacts the lines of one log, in order.

    A secret that is wrapped in several lines is recognized in none of them. The lines of a private key, and those of a
    block of base64, are therefore redacted whole.

    Args:
        redactor: Redacts what is in one line.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._is_in_key = False
        self._width = 0  # of the block of base64 before the next line

    def line(self, text: str) -> str:
        """Redact the next line."""
        if self._is_in_key or KEY_BEGINS.search(text):
            self._is_in_key = not KEY_ENDS.search(text)
            return MARK
        word = text.strip()
        in_block = len(word) >= (WRAPPED_CHARACTERS if not self._width else 1) and BASE64.fullmatch(word)
        # A shorter line is the last one of its block.
        self._width = len(word) if in_block and len(word) >= self._width else 0
        return MARK if in_block else self._redactor.text(text)
