"""A fault as a value, and its injection into a copy of the project."""

from dataclasses import dataclass
from pathlib import Path

from hubpod.errors import HubpodError

PROJECT = Path(__file__).parents[2]
BRICS = "packages/bricsauthenticator/src/bricsauthenticator"
WRAPPERS = "packages/slurmspawner_wrappers/src/slurmspawner_wrappers/__init__.py"
CORE = "volumes/jupyterhub/core"
AXES = "volumes/jupyterhub/axes"


class FaultError(HubpodError):
    """A fault does not match its file, or the tests cannot be measured."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One realistic mistake.

    Attributes:
        name: Short description in kebab-case.
        file: The changed file, relative to the project.
        old: The correct text, which occurs exactly once in the file.
        new: The mistaken text.
        breaks: The effect that a user would notice, as one sentence.
    """

    name: str
    file: str
    old: str
    new: str
    breaks: str

    def apply(self, project: Path) -> str:
        """Return the file's text with the mistake.

        Raises:
            FaultError: The old text does not occur exactly once.
        """
        before = (project / self.file).read_text()
        found = before.count(self.old)
        if found != 1:
            raise FaultError(
                f"the fault {self.name} does not apply: its old text occurs {found} times in {self.file}",
                remedy="update its text in tools/power to the current file",
            )
        return before.replace(self.old, self.new)

    def inject(self, project: Path) -> None:
        """Write the mistake into a copy of the project.

        Raises:
            FaultError: The old text does not occur exactly once.
        """
        (project / self.file).write_text(self.apply(project))
