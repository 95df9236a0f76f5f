"""JupyterHub login by signed token, and servers as Slurm jobs of the user's project."""

from bricsauthenticator.authenticator import BricsAuthenticator
from bricsauthenticator.spawner import BricsSlurmSpawner

__all__ = ["BricsAuthenticator", "BricsSlurmSpawner"]


def __getattr__(name: str) -> str:
    """Return the version of the installation, which a directory that is only on the path does not have."""
    if name != "__version__":
        raise AttributeError(name)
    from importlib.metadata import version  # noqa: PLC0415

    return version(__name__)
