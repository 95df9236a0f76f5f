"""The deploy ConfigMap: one row per key drives its variable, its validation and its line in the example file.

The keys and their meanings are those of existing sites' files, which work unchanged.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hubpod import checks
from hubpod.checks import Check
from hubpod.configmap import Entry, Problem, read_configmap, report
from hubpod.credentials import private_folder, write_private
from hubpod.environments import Environment, Login, Slurm, nearest

FILE_NAME = "deploy-configmap.yaml"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One key of the deploy ConfigMap.

    Attributes:
        key: Its name in the file.
        variable: The variable that carries it in the containers, ``DEPLOY_CONFIG_…``.
        meaning: What it does, in one line.
        check: What makes a value wrong.
        used: Whether an environment reads it; it may stand in the file of one that does not.
        fixed: The only value that an environment admits, or None where the site chooses.
        default: What holds when the file does not have the key; None makes it required.
        words: Whether it is a list of words, in which blanks only separate.
        secret: Whether it must not be shown.
    """

    key: str
    variable: str
    meaning: str
    check: Check
    used: Callable[[Environment], bool] = lambda _: True
    fixed: Callable[[Environment], str | None] = lambda _: None
    default: str | None = None
    words: bool = False
    secret: bool = False


def _when(slurm: Slurm, value: str) -> Callable[[Environment], str | None]:
    return lambda environment: value if environment.slurm is slurm else None


_PATH = checks.matching(r"(/[A-Za-z0-9._+-]+)+", "an absolute path of letters, digits and . _ + -")
_HOST = checks.matching(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", "a host name or address")
_NAME = checks.matching(r"[A-Za-z0-9][A-Za-z0-9._:/-]*", "a name of letters, digits and . _ : / -")


def _is_dummy(environment: Environment) -> bool:
    return environment.login is Login.DUMMY


def _is_jwt(environment: Environment) -> bool:
    return environment.login is Login.JWT


def _has_accounts(environment: Environment) -> bool:
    return _is_dummy(environment) or environment.slurm is Slurm.POD


SETTINGS = (
    Setting(
        key="logLevel",
        variable="DEPLOY_CONFIG_LOG_LEVEL",
        meaning="how much JupyterHub logs",
        check=checks.one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
        default="INFO",
    ),
    Setting(
        key="baseUrl",
        variable="DEPLOY_CONFIG_BASE_URL",
        meaning="path at the beginning of every URL of the hub",
        check=checks.matching(r"/|(/[A-Za-z0-9._~-]+)+", "a path such as /jupyter, without a slash at its end"),
        default="/jupyter",
    ),
    Setting(
        key="devUsers",
        variable="DEPLOY_CONFIG_DEV_USERS",
        meaning="space-separated accounts `<USER>.<PROJECT>`",
        check=checks.dev_users,
        words=True,
        used=_has_accounts,
    ),
    Setting(
        key="devAdmins",
        variable="DEPLOY_CONFIG_DEV_ADMINS",
        meaning="space-separated users who administer the hub",
        check=checks.admins,
        words=True,
        used=_is_dummy,
        default="",
    ),
    Setting(
        key="dummyAuthPassword",
        variable="DEPLOY_CONFIG_DUMMYAUTH_PASSWORD",
        meaning="password of the login form",
        check=checks.password,
        used=_is_dummy,
        secret=True,
    ),
    Setting(
        key="sshHostname",
        variable="DEPLOY_CONFIG_SSH_HOSTNAME",
        meaning="host where the Slurm wrappers run, reached over SSH",
        check=_HOST,
        fixed=_when(Slurm.POD, "localhost"),
    ),
    Setting(
        key="slurmSpawnerWrappersBin",
        variable="DEPLOY_CONFIG_SLURMSPAWNER_WRAPPERS_BIN",
        meaning="folder of the Slurm wrappers on that host",
        check=_PATH,
        fixed=_when(Slurm.POD, "/opt/jupyter/slurmspawner_wrappers/bin"),
    ),
    Setting(
        key="condaPrefixDir",
        variable="DEPLOY_CONFIG_CONDA_PREFIX_DIR",
        meaning="prefix whose bin/activate knows jupyter-user-env",
        check=_PATH,
        fixed=_when(Slurm.POD, "/opt/jupyter/miniforge3"),
    ),
    Setting(
        key="jupyterDataDir",
        variable="DEPLOY_CONFIG_JUPYTER_DATA_DIR",
        meaning="Jupyter data folder of the users' servers",
        check=_PATH,
        fixed=_when(Slurm.POD, "/opt/jupyter/jupyter_data"),
    ),
    Setting(
        key="hubConnectUrl",
        variable="DEPLOY_CONFIG_HUB_CONNECT_URL",
        meaning="URL at which the users' servers reach the hub's API",
        check=checks.url,
        fixed=_when(Slurm.POD, "http://127.0.0.1:8081"),
    ),
    Setting(
        key="oidcServer",
        variable="DEPLOY_CONFIG_OIDC_SERVER",
        meaning="issuer of the JWT (iss)",
        check=checks.url,
        used=_is_jwt,
    ),
    Setting(
        key="bricsPlatform",
        variable="DEPLOY_CONFIG_BRICS_PLATFORM",
        meaning="platform whose projects may log in",
        check=_NAME,
        used=_is_jwt,
    ),
    Setting(
        key="jwtAudience",
        variable="DEPLOY_CONFIG_JWT_AUDIENCE",
        meaning="audience of the JWT (aud)",
        check=_NAME,
        used=_is_jwt,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The valid settings of one instance.

    Attributes:
        source: The file they come from.
        values: By key; every setting that the environment uses.
    """

    source: Path
    values: Mapping[str, str] = field(repr=False)

    def __getitem__(self, key: str) -> str:
        return self.values[key]

    def variables(self, *, secret: bool) -> dict[str, str]:
        """The DEPLOY_CONFIG_* variables, either those that may be shown or those that may not."""
        return {
            setting.variable: self.values[setting.key]
            for setting in SETTINGS
            if setting.key in self.values and setting.secret is secret
        }

    @property
    def dev_users(self) -> tuple[str, ...]:
        """The accounts, ``<USER>.<PROJECT>``, in the file's order."""
        return tuple(self.values.get("devUsers", "").split())


def load(path: Path, environment: Environment) -> Settings:
    """Read and validate a deploy ConfigMap; report everything that is wrong with it at once.

    Raises:
        SettingsError: The file is missing or unreadable, or at least one key is missing, unknown or wrong.
    """
    entries, problems = read_configmap(path)
    known = {setting.key: setting for setting in SETTINGS}
    for key, entry in entries.items():
        if key not in known:
            problems.append(Problem(key=key, line=entry.line, text=f"is not a known key{nearest(key, known)}"))
    values: dict[str, str] = {}
    for setting in SETTINGS:
        if setting.used(environment):
            value, text = _settle(setting, entries.get(setting.key), environment)
            values[setting.key] = value
            if text:
                line = entries[setting.key].line if setting.key in entries else None
                problems.append(Problem(key=setting.key, line=line, text=text))
    report(path, problems)
    return Settings(source=path, values=values)


def _settle(setting: Setting, entry: Entry | None, environment: Environment) -> tuple[str, str]:
    """The value that holds, and what is wrong with it."""
    fixed = setting.fixed(environment)
    if entry is None:
        value = fixed if fixed is not None else setting.default
        return (value, "") if value is not None else ("", f"is missing: {setting.meaning}")
    if fixed is not None and entry.value != fixed:
        return entry.value, f"is fixed to {fixed} in {environment.name}; remove the line"
    return " ".join(entry.value.split()) if setting.words else entry.value, setting.check(entry.value)


def write_example(path: Path, environment: Environment) -> None:
    """Write a file that works as it is: example accounts, and a random password where the login needs one."""
    lines = ["apiVersion: v1", "kind: ConfigMap", "metadata:", "  name: deploy-config", "data:"]
    examples = {"devUsers": "testuser.project1 testuser.project2 otheruser.project1"}
    for setting in SETTINGS:
        if not setting.used(environment) or setting.fixed(environment) is not None:
            continue
        value = secrets.token_urlsafe(18) if setting.secret else examples.get(setting.key, setting.default or "")
        lines += [f"  # {setting.meaning}", f'  {setting.key}: "{value}"']
    private_folder(path.parent)
    write_private(path, ("\n".join(lines) + "\n").encode())
