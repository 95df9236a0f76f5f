"""A deploy directory: the deploy ConfigMap and the files beside it, with the problems of all of them told at once."""

from dataclasses import dataclass
from pathlib import Path

from hubpod import settings, supplied
from hubpod.configmap import report
from hubpod.environments import Environment
from hubpod.settings import Settings
from hubpod.supplied import Supplied


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """What a site has decided and supplied for one instance.

    Attributes:
        settings: The valid deploy ConfigMap.
        supplied: The valid files beside it.
    """

    settings: Settings
    supplied: Supplied


def load(folder: Path, environment: Environment) -> Deploy:
    """Read and validate a deploy directory; report everything that is wrong with any of its files at once.

    Raises:
        SettingsError: A file is missing, unreadable or wrong.
    """
    path = folder / settings.FILE_NAME
    values, problems = settings.examine(path, environment)
    doubtful = {problem.key for problem in problems}
    ssh_hostname = "" if "sshHostname" in doubtful else values.get("sshHostname", "")
    files, more = supplied.read(folder, environment, ssh_hostname)
    report(path, [*problems, *more])
    return Deploy(settings=Settings(source=path, values=values), supplied=files)
