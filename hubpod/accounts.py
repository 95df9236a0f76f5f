"""Accounts on the Slurm host: their names and home directories."""

import re
from dataclasses import dataclass

FORM = "<USER>.<PROJECT> in lower case, as in testuser.project1"

_NAME = re.compile(r"(?!root\.)([a-z][a-z0-9_-]{0,31})\.([a-z0-9][a-z0-9_-]{0,31})")
"""BricsAuthenticator accepts the same names. The hub passes an account's name to sudo, as the user to switch to."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """One user's account in one project, as which the jobs of that user and project run.

    Attributes:
        user: The user's name at the hub.
        project: The project's name, without its portal.
    """

    user: str
    project: str

    @classmethod
    def parse(cls, name: str) -> "Account":
        """Parse an account name.

        Args:
            name: The name, ``<USER>.<PROJECT>``.

        Raises:
            ValueError: The name is not of that form, or the user is root.
        """
        match = _NAME.fullmatch(name)
        if not match:
            raise ValueError(f"{name!r} is not {FORM}")
        return cls(user=match[1], project=match[2])

    def __str__(self) -> str:
        return f"{self.user}.{self.project}"

    @property
    def home(self) -> str:
        """The home directory on the Slurm host."""
        return f"/home/{self.project}/{self}"
