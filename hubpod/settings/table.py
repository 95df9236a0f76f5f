"""The common keys of the deploy ConfigMap, with their variables, validation and examples.

Keys and meanings are those of existing sites' files. A component may add keys of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hubpod.environments import Environment
from hubpod.settings import checks, ssh_address, subdomains
from hubpod.settings.checks import Check, Normalizer


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One key of the deploy ConfigMap.

    Attributes:
        key: Name in the file.
        variable: Environment variable in the containers, ``DEPLOY_CONFIG_…``.
        meaning: Meaning, in one line.
        check: Returns the problem of a normalized value; empty if it is valid.
        normalize: Returns the usual form of a value.
        applies_to: Whether an environment uses the key; the files of others may contain it, too.
        fixed_value: The only value that an environment admits, or None if the site chooses.
        is_fixed: Whether a value that differs from the fixed one means the same.
        empty: Value that an empty text means; None if it means that the key is not set.
        default: Value if the file lacks the key; None makes the key required.
        example: Value in the example files, unless there is a default.
        secret: Whether the value must not be printed.
        can_generate: Whether hubpod can generate a value, because it does not refer to the site.
    """

    key: str
    variable: str
    meaning: str
    check: Check
    normalize: Normalizer = str.strip
    applies_to: Callable[[Environment], bool] = lambda _: True
    fixed_value: Callable[[Environment], str | None] = lambda _: None
    is_fixed: Callable[[str], bool] = lambda _: False
    empty: str | None = None
    default: str | None = None
    example: str = ""
    secret: bool = False
    can_generate: bool = False


def _in_pod(value: str) -> Callable[[Environment], str | None]:
    return lambda environment: value if environment.slurm.in_pod else None


def _words(value: str) -> str:
    """Separate the words of a list by single spaces."""
    return " ".join(value.split())


def _uses_password(environment: Environment) -> bool:
    return environment.login.uses_password


def _uses_token(environment: Environment) -> bool:
    return environment.login.uses_token


def _has_accounts(environment: Environment) -> bool:
    return _uses_password(environment) or environment.slurm.in_pod


SETTINGS = (
    Setting(
        key="logLevel",
        variable="DEPLOY_CONFIG_LOG_LEVEL",
        meaning="log level of JupyterHub",
        check=checks.one_of(*checks.LOG_LEVELS),
        normalize=checks.normalize_level,
        default="INFO",
    ),
    Setting(
        key="baseUrl",
        variable="DEPLOY_CONFIG_BASE_URL",
        meaning="path prefix of every URL of the hub",
        check=checks.base_url,
        normalize=checks.normalize_base_url,
        default="/jupyter",
        empty="/",
    ),
    Setting(
        key="subdomainHost",
        variable="DEPLOY_CONFIG_SUBDOMAIN_HOST",
        meaning="URL of the hub's host if each user's server has a name below it, such as `https://hub.example.org`",
        check=subdomains.find_problem,
        normalize=checks.normalize_url,
        # The front door of a tunnel serves one name.
        fixed_value=lambda environment: None if environment.ingress.publishes_port else "",
        default="",
        empty="",
    ),
    Setting(
        key="devUsers",
        variable="DEPLOY_CONFIG_DEV_USERS",
        meaning="space-separated accounts `<USER>.<PROJECT>`",
        check=checks.dev_users,
        normalize=_words,
        applies_to=_has_accounts,
        example="testuser.project1 testuser.project2 otheruser.project1",
        can_generate=True,
    ),
    Setting(
        key="devAdmins",
        variable="DEPLOY_CONFIG_DEV_ADMINS",
        meaning="space-separated users who administer the hub",
        check=checks.admins,
        normalize=lambda value: _words(value).lower(),  # as JupyterHub writes user names
        applies_to=_uses_password,
        default="",
    ),
    Setting(
        key="dummyAuthPassword",
        variable="DEPLOY_CONFIG_DUMMYAUTH_PASSWORD",
        meaning="password of the login form",
        check=checks.password,
        normalize=lambda value: value,
        applies_to=_uses_password,
        secret=True,
        example="change-this-password",
        can_generate=True,
    ),
    Setting(
        key="sshHostname",
        variable="DEPLOY_CONFIG_SSH_HOSTNAME",
        meaning="host where the Slurm wrappers run, reached over SSH; `HOST:PORT` for a port other than 22",
        check=ssh_address.find_problem,
        normalize=ssh_address.normalize,
        fixed_value=_in_pod("localhost"),
        is_fixed=ssh_address.is_own,
        example="ssh.example.org",
    ),
    Setting(
        key="slurmSpawnerWrappersBin",
        variable="DEPLOY_CONFIG_SLURMSPAWNER_WRAPPERS_BIN",
        meaning="directory of the Slurm wrappers on that host",
        check=checks.path,
        normalize=checks.normalize_path,
        fixed_value=_in_pod("/opt/jupyter/slurmspawner_wrappers/bin"),
        example="/opt/jupyter/slurmspawner_wrappers/bin",
    ),
    Setting(
        key="condaPrefixDir",
        variable="DEPLOY_CONFIG_CONDA_PREFIX_DIR",
        meaning="conda prefix, whose bin/activate knows jupyter-user-env",
        check=checks.path,
        normalize=checks.normalize_path,
        fixed_value=_in_pod("/opt/jupyter/miniforge3"),
        example="/opt/jupyter/miniforge3",
    ),
    Setting(
        key="jupyterDataDir",
        variable="DEPLOY_CONFIG_JUPYTER_DATA_DIR",
        meaning="Jupyter data directory of the users' servers",
        check=checks.path,
        normalize=checks.normalize_path,
        fixed_value=_in_pod("/opt/jupyter/jupyter_data"),
        example="/opt/jupyter/jupyter_data",
    ),
    Setting(
        key="hubConnectUrl",
        variable="DEPLOY_CONFIG_HUB_CONNECT_URL",
        meaning="URL at which the users' servers reach the hub's API",
        check=checks.url_elsewhere(
            "leads users' servers to themselves; name this machine by an address that the compute nodes reach"
        ),
        normalize=checks.normalize_url,
        fixed_value=_in_pod(f"http://127.0.0.1:{checks.HUB_API_PORT}"),
        is_fixed=checks.is_hub_in_pod,
        example="http://hub.example.org:8081",
    ),
    Setting(
        key="gpus",
        variable="DEPLOY_CONFIG_GPUS",
        meaning="space-separated numbers of GPUs that the form offers, the preselected one first; `0` without GPUs",
        check=checks.gpu_numbers,
        normalize=lambda value: _words(value.replace(",", " ")),
        default="1 2 3 4 0",
    ),
    Setting(
        key="queueTimeout",
        variable="DEPLOY_CONFIG_QUEUE_TIMEOUT",
        meaning="seconds that a job may wait in Slurm's queue",
        check=checks.seconds(60, 30 * 24 * 3600),
        default="7200",
    ),
    Setting(
        key="pollInterval",
        variable="DEPLOY_CONFIG_POLL_INTERVAL",
        meaning="seconds between two queries about all running servers",
        check=checks.seconds(1, 600),
        applies_to=lambda environment: not environment.slurm.in_pod,
        default="2",
    ),
    Setting(
        key="oidcServer",
        variable="DEPLOY_CONFIG_OIDC_SERVER",
        meaning="issuer of the JWT (iss)",
        check=checks.url_elsewhere(
            "leads the hub's container to itself; name the issuer as containers and browsers reach it"
        ),
        applies_to=_uses_token,
        example="https://keycloak.example.org/realms/site",
    ),
    Setting(
        key="bricsPlatform",
        variable="DEPLOY_CONFIG_BRICS_PLATFORM",
        meaning="platform whose projects may log in",
        check=checks.text,
        applies_to=_uses_token,
        example="portal.dummy.platform.shared",
    ),
    Setting(
        key="jwtAudience",
        variable="DEPLOY_CONFIG_JWT_AUDIENCE",
        meaning="audience of the JWT (aud)",
        check=checks.text,
        applies_to=_uses_token,
        example="jupyter",
    ),
)
