"""Users that tests lease, each for one test at a time."""

from dataclasses import dataclass

from hubpod.errors import HubpodError


class NotAMemberError(HubpodError):
    """A test requested an account in a project that the user does not belong to."""


@dataclass(frozen=True, kw_only=True)
class User:
    """A leased user, whom no other test of this stack uses at the same time.

    Attributes:
        name: The user's name at the hub: `user01`.
        projects: Names without portal of the projects with an account: `project1`.
    """

    name: str
    projects: tuple[str, ...]

    def account(self, project: str) -> str:
        """Return the account that runs jobs of this project on the Slurm host: `user01.project1`.

        Raises:
            NotAMemberError: The account does not exist, so its jobs would never be found.
        """
        if project not in self.projects:
            has = ", ".join(self.projects) or "none"
            raise NotAMemberError(
                f"{self.name} has no account in {project}", remedy=f"choose among its projects: {has}"
            )
        return f"{self.name}.{project}"
