"""Read a deploy directory, and report the problems of all its files at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hubpod.environments import Environment
from hubpod.settings import deploy_configmap, hub_config, key_files, zenith_config
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
        hub_config: The site's own settings of JupyterHub, by name of the file.
        warnings: Sentences about valid but possibly unintended content; each names the file.
    """

    settings: Settings
    key_files: KeyFiles
    hub_config: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()


def load(directory: Path, environment: Environment, rows: Sequence[Setting]) -> DeployDir:
    """Read and validate a deploy directory, and report the problems of all of its files at once.

    Raises:
        SettingsError: A file is missing, unreadable or wrong.
    """
    path = directory / deploy_configmap.FILE_NAME
    reading = deploy_configmap.read(path, environment, rows)
    files, more = key_files.read(directory, environment, _find_ssh_address(reading))
    hub = hub_config.read(directory)
    report(path, [*reading.problems, *more, *hub.problems])
    settings = Settings(source=path, values=reading.values)
    unread = (each.message for each in (*reading.warnings, *hub.warnings))
    warnings = (*unread, *_warnings(settings, files, environment))
    if files.zenith_client_config:
        files = replace(files, zenith_client_config=zenith_config.render(files.zenith_client_config))
    return DeployDir(settings=settings, key_files=files, hub_config=hub.files, warnings=warnings)


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
