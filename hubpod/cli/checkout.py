"""The checkout of hubpod that the commands work on."""

from pathlib import Path

from hubpod.workspace import Workspace

WORKSPACE = Workspace(project=Path(__file__).resolve().parents[2])
