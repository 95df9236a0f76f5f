"""What a fault is, and how it is put into a copy of the project."""

from dataclasses import dataclass
from pathlib import Path

from hubpod.errors import HubpodError

PROJECT = Path(__file__).parents[2]
BRICS = "packages/bricsauthenticator/src/bricsauthenticator"
WRAPPERS = "packages/slurmspawner_wrappers/src/slurmspawner_wrappers/__init__.py"
CORE = "volumes/jupyterhub/core"
AXES = "volumes/jupyterhub/axes"


class FaultError(HubpodError):
    """A fault does not fit the text that it is for."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One realistic mistake.

    Attributes:
        name: What the mistake is, in kebab-case.
        file: Which file it is in, relative to the project.
        old: The text as it should be; occurs exactly once in the file.
        new: What an engineer wrote instead.
        breaks: What a person would notice, in one sentence.
    """

    name: str
    file: str
    old: str
    new: str
    breaks: str

    def text(self, project: Path) -> str:
        """Return the file's text with the mistake in it.

        Raises:
            FaultError: The text that it replaces is not there exactly once.
        """
        before = (project / self.file).read_text()
        found = before.count(self.old)
        if found != 1:
            raise FaultError(
                f"the fault {self.name} does not fit, because its old text occurs {found} times in {self.file}",
                remedy="follow the change of that file in tools/power",
            )
        return before.replace(self.old, self.new)

    def put_into(self, project: Path) -> None:
        """Write the mistake into a copy of the project; raises FaultError as text does."""
        (project / self.file).write_text(self.text(project))
