"""The certificates of a site's authorities, in a file beside its deploy ConfigMap."""

import os
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from hubpod.settings.problems import Problem, UnreadableError, report
from hubpod.settings.yaml_files import read_file

FILE_NAME = "ca-bundle.pem"


def find_problems(path: Path, content: bytes) -> Iterator[Problem]:
    """Find what is wrong with a file of certificates."""
    if b"PRIVATE KEY" in content:
        yield Problem(path=path, text="contains a private key", remedy="leave certificates of authorities in it only")
    try:
        x509.load_pem_x509_certificates(content)
    except ValueError:
        text = "contains no certificates in PEM format, or one that is damaged"
        yield Problem(path=path, text=text, remedy="write the certificates of the site's authorities into it")


def read(directory: Path) -> bytes | None:
    """Return the certificates beside a deploy ConfigMap that need not exist; None without the file.

    Raises:
        SettingsError: The file is unreadable or wrong.
    """
    path = directory / FILE_NAME
    if not os.path.lexists(path):
        return None
    try:
        content = read_file(path, "")
        problems = [*find_problems(path, content)]
    except UnreadableError as error:
        problems = [error.problem]
    report(path, problems)
    return content
