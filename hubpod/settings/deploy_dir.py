"""Read a deploy directory, and report the problems of all its files at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hubpod.environments import Environment
from hubpod.settings import deploy_configmap, key_files, zenith_config
from hubpod.settings.deploy_configmap import Reading, Settings
from hubpod.settings.key_files import KeyFiles
from hubpod.settings.problems import report
from hubpod.settings.ssh_address import SshAddress
from hubpod.settings.table import Setting


@dataclass(frozen=True, kw_only=True)
class DeployDir:
    """The validated configuration of one instance by its site.

    Attributes:
        settings: The deploy ConfigMap.
        key_files: The files beside it.
        warnings: Sentences about valid but possibly unintended content; each names the file.
    """

    settings: Settings
    key_files: KeyFiles
    warnings: tuple[str, ...] = ()


def load(directory: Path, environment: Environment, rows: Sequence[Setting]) -> DeployDir:
    """Read and validate a deploy directory, and report the problems of all of its files at once.

    Raises:
        SettingsError: A file is missing, unreadable or wrong.
    """
    path = directory / deploy_configmap.FILE_NAME
    reading = deploy_configmap.read(path, environment, rows)
    files, more = key_files.read(directory, environment, _find_ssh_address(reading))
    report(path, [*reading.problems, *more])
    settings = Settings(source=path, values=reading.values)
    warnings = (*(each.message for each in reading.warnings), *_warnings(settings, files, environment))
    if files.zenith_client_config:
        files = replace(files, zenith_client_config=zenith_config.render(files.zenith_client_config))
    return DeployDir(settings=settings, key_files=files, warnings=warnings)


def _find_ssh_address(reading: Reading) -> SshAddress | None:
    """Return the address in sshHostname, if it is valid."""
    wrong = any(problem.key == "sshHostname" for problem in reading.problems)
    text = reading.values.get("sshHostname", "")
    return None if wrong or not text else SshAddress.parse(text)


def _warnings(settings: Settings, files: KeyFiles, environment: Environment) -> Iterator[str]:
    directory = settings.source.parent
    for name in files.unused:
        yield f"{environment.name} does not use {directory / name}"
    if files.zenith_client_config:
        path = directory / zenith_config.FILE_NAME
        yield from zenith_config.find_warnings(path, files.zenith_client_config)
        issuer = zenith_config.issuer_of(files.zenith_client_config)
        if issuer and settings.oidc_server and issuer != settings.oidc_server:
            yield f"{path}: authOidcIssuer differs from oidcServer, so the hub would refuse the front door's tokens"
