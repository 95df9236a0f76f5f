"""The people that tests are: each is leased to one test at a time."""

from dataclasses import dataclass

from hubpod.errors import HubpodError


class NotAMemberError(HubpodError):
    """A test asked for the account of a user in a project that the user has no account for."""


@dataclass(frozen=True, kw_only=True)
class User:
    """A leased user; nobody else in this stack is this user meanwhile.

    Attributes:
        name: The user's name at the hub: `user01`.
        projects: Names of the projects that the user has an account for, without portal: `project1`.
    """

    name: str
    projects: tuple[str, ...]

    def account(self, project: str) -> str:
        """The account on the Slurm host that jobs of this project run as: `user01.project1`.

        Raises:
            NotAMemberError: There is no such account; a job of it would never be found.
        """
        if project not in self.projects:
            has = ", ".join(self.projects) or "none"
            raise NotAMemberError(
                f"{self.name} has no account in {project}", remedy=f"choose among its projects: {has}"
            )
        return f"{self.name}.{project}"
