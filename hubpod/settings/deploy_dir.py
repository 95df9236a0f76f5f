"""A deploy directory: the deploy ConfigMap and the files beside it, with the problems of all of them told at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hubpod.environments import Environment
from hubpod.settings import deploy_configmap as settings
from hubpod.settings import key_files as supplied
from hubpod.settings import zenith_config
from hubpod.settings.deploy_configmap import Settings
from hubpod.settings.key_files import Supplied
from hubpod.settings.table import SETTINGS, Setting
from hubpod.settings.yaml_files import report


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """What a site has decided and supplied for one instance.

    Attributes:
        settings: The valid deploy ConfigMap.
        supplied: The valid files beside it.
        warnings: What is not wrong, but may not be intended; each a sentence that names file and key.
    """

    settings: Settings
    supplied: Supplied
    warnings: tuple[str, ...] = ()


def load(folder: Path, environment: Environment, rows: Sequence[Setting] = SETTINGS) -> Deploy:
    """Read and validate a deploy directory; report everything that is wrong with any of its files at once.

    Raises:
        SettingsError: A file is missing, unreadable or wrong.
    """
    path = folder / settings.FILE_NAME
    values, problems = settings.examine(path, environment, rows)
    doubtful = {problem.key for problem in problems}
    ssh_hostname = "" if "sshHostname" in doubtful else values.get("sshHostname", "")
    files, more = supplied.read(folder, environment, ssh_hostname)
    report(path, [*problems, *more])
    tunnel = files.zenith_client_config
    warnings = zenith_config.find_warnings(folder / zenith_config.FILE_NAME, tunnel) if tunnel else ()
    return Deploy(settings=Settings(source=path, values=values), supplied=files, warnings=tuple(warnings))
