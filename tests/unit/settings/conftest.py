"""A valid deploy directory for the tests of settings."""

from pathlib import Path

import pytest

from hubpod.environments import find_environment
from hubpod.settings import deploy_configmap
from hubpod.settings.table import SETTINGS
from support.deploy_dirs import FILES, put

PROD = find_environment("prod")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A deploy directory that is valid for every environment."""
    text = deploy_configmap.example(PROD, SETTINGS).replace("change-this-password", "a-password-of-this-site")
    (tmp_path / deploy_configmap.FILE_NAME).write_text(text)
    for name, content in FILES.items():
        put(tmp_path, name, content)
    return tmp_path
