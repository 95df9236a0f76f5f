"""Sources that fulfil the contract of both development repositories, with next to no content."""

from pathlib import Path

MODULE = "bricsauthenticator.py"
DECLARATIONS = """\
[project.entry-points."jupyterhub.authenticators"]
brics = "bricsauthenticator:BricsAuthenticator"
[project.entry-points."jupyterhub.spawners"]
brics = "bricsauthenticator:BricsSlurmSpawner"
[project.scripts]
slurmspawner_sbatch = "slurmspawner_wrappers:sbatch"
slurmspawner_squeue = "slurmspawner_wrappers:squeue"
slurmspawner_scancel = "slurmspawner_wrappers:scancel"
"""


def write_project(directory: Path, head: str = "") -> Path:
    """Write a project into a directory.

    Args:
        directory: The directory.
        head: First lines of pyproject.toml.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pyproject.toml").write_text(head + DECLARATIONS)
    (directory / MODULE).write_text("")
    return directory
