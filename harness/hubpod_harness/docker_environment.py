"""Shield docker-py and testcontainers from the developer's own configuration of them.

Both read variables and files of the home directory: another daemon, a prefix of image names, proxies that would become
variables of every container.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Final

_FOREIGN: Final = ("DOCKER_", "TESTCONTAINERS_", "TC_", "RYUK_")
_LOCK: Final = Lock()


@contextmanager
def default_environment(*, without_home: bool = False) -> Iterator[None]:
    """Run the block without the variables and files that docker-py and testcontainers read.

    Args:
        without_home: Replace the home directory, too. Other threads must not start podman meanwhile.
    """
    with _LOCK, TemporaryDirectory() as directory:
        # docker-py reads the home directory if this one has no file.
        (Path(directory) / "config.json").write_text("{}")
        changes = {"DOCKER_CONFIG": directory} | ({"HOME": directory} if without_home else {})
        before = {name: value for name, value in os.environ.items() if _is_changed(name, changes)}
        for name in before:
            del os.environ[name]
        os.environ.update(changes)
        try:
            yield
        finally:
            for name in [name for name in os.environ if _is_changed(name, changes)]:
                del os.environ[name]
            os.environ.update(before)


def _is_changed(name: str, changes: dict[str, str]) -> bool:
    return name in changes or name.startswith(_FOREIGN)
