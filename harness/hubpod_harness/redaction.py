"""Redaction of secrets in artifacts, for tests of a site's own."""

from hubpod.system.redaction import MARK, Redactor

__all__ = ["MARK", "Redactor"]
