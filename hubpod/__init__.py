"""hubpod brings up containerised JupyterHub + Slurm environments from one table."""

__version__ = "0.1.0"
