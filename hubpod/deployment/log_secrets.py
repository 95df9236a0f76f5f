"""The secrets of an instance that can occur in its logs, from its files on this machine."""

from collections.abc import Iterator
from pathlib import Path

from hubpod.components import assembly
from hubpod.deployment.log_lines import SHORTEST_SECRET, secret_values
from hubpod.instances import Instance
from hubpod.settings import FILE_NAME, deploy_configmap, zenith_config
from hubpod.workspace import InstanceFiles


def find_stored_secrets(instance: Instance, files: InstanceFiles, deploy_dir: Path) -> frozenset[str]:
    """Return the generated credentials, the secret settings, and those of the tunnel's client.

    Keys are recognized by their shape. Files that are missing or wrong have no secrets.
    """
    found = {*_credentials(files.credentials), *_settings(instance, deploy_dir / FILE_NAME)}
    found |= set(secret_values(_read(deploy_dir / zenith_config.FILE_NAME)))
    return frozenset(secret for secret in found if len(secret) >= SHORTEST_SECRET)


def _credentials(directory: Path) -> Iterator[str]:
    if directory.is_dir():
        yield from (_read(path).strip() for path in directory.iterdir() if path.is_file())


def _settings(instance: Instance, path: Path) -> Iterator[str]:
    rows = assembly.settings()
    values = deploy_configmap.read(path, instance.environment, rows).values if path.is_file() else {}
    yield from (values[row.key] for row in rows if row.secret and row.key in values)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="surrogateescape")
    except OSError:
        return ""
