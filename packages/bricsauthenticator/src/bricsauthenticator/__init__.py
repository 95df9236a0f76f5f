"""JupyterHub login by signed token, and servers as Slurm jobs of the user's project."""

from bricsauthenticator.authenticator import BricsAuthenticator
from bricsauthenticator.spawner import BricsSlurmSpawner

__all__ = ["BricsAuthenticator", "BricsSlurmSpawner"]
