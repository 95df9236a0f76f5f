"""The deploy ConfigMap: what its rows in settings_table.py make of a file, and of an example of one."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hubpod.accounts import Account
from hubpod.environments import Environment, nearest
from hubpod.settings.table import SETTINGS, Setting
from hubpod.settings.yaml_files import Entry, Problem, read_configmap, report
from hubpod.system.private_files import private_directory, write_private

__all__ = ["FILE_NAME", "SETTINGS", "Setting", "Settings", "examine", "example", "load", "write_example"]

FILE_NAME = "deploy-configmap.yaml"
HEAD = ("apiVersion: v1", "kind: ConfigMap", "metadata:", "  name: deploy-config", "data:")


class _Text:
    """A typed attribute that reads the setting of one key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __get__(self, settings: "Settings", _: type | None = None) -> str:
        return settings.values.get(self._key, "")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The validated settings of one instance.

    A setting that the environment does not use is empty.

    Attributes:
        source: The file that the settings were read from.
        values: The text of every setting that the environment uses, by key.
    """

    source: Path
    values: Mapping[str, str] = field(repr=False)

    base_url = _Text("baseUrl")
    dummy_auth_password = _Text("dummyAuthPassword")
    hub_connect_url = _Text("hubConnectUrl")
    jwt_audience = _Text("jwtAudience")
    oidc_server = _Text("oidcServer")
    ssh_hostname = _Text("sshHostname")

    def variables(self, *, secret: bool) -> dict[str, str]:
        """The DEPLOY_CONFIG_* variables, either those that may be shown or those that may not."""
        return {
            setting.variable: self.values[setting.key]
            for setting in SETTINGS
            if setting.key in self.values and setting.secret is secret
        }

    @property
    def dev_users(self) -> tuple[Account, ...]:
        """The accounts, in the file's order."""
        return tuple(map(Account.parse, self.values.get("devUsers", "").split()))


def load(path: Path, environment: Environment, rows: Sequence[Setting] = SETTINGS) -> Settings:
    """Read and validate a deploy ConfigMap; report everything that is wrong with it at once.

    Raises:
        SettingsError: The file is missing or unreadable, or at least one key is missing, unknown or wrong.
    """
    values, problems = examine(path, environment, rows)
    report(path, problems)
    return Settings(source=path, values=values)


def examine(
    path: Path, environment: Environment, rows: Sequence[Setting] = SETTINGS
) -> tuple[dict[str, str], list[Problem]]:
    """The values of a deploy ConfigMap, and everything that is wrong with it."""
    entries, problems = read_configmap(path)
    if entries is None:
        return {}, problems
    known = {setting.key: setting for setting in rows}
    for key, entry in entries.items():
        if key not in known:
            text = f"is not a known key{nearest(key, known)}"
            problems.append(Problem(path=path, key=key, line=entry.line, text=text))
    values: dict[str, str] = {}
    for setting in rows:
        if setting.used(environment):
            value, text = _settle(setting, entries.get(setting.key), environment)
            values[setting.key] = value
            if text:
                line = entries[setting.key].line if setting.key in entries else None
                problems.append(Problem(path=path, key=setting.key, line=line, text=text))
    return values, problems


def _settle(setting: Setting, entry: Entry | None, environment: Environment) -> tuple[str, str]:
    """The value that holds, and what is wrong with it."""
    fixed = setting.fixed(environment)
    if entry is None:
        value = fixed if fixed is not None else setting.default
        return (value, "") if value is not None else ("", f"is missing: {setting.meaning}")
    if fixed is not None and entry.value != fixed:
        return entry.value, f"is fixed to {fixed} in {environment.name}; remove the line"
    return " ".join(entry.value.split()) if setting.words else entry.value, setting.check(entry.value)


def can_be_invented(environment: Environment, rows: Sequence[Setting] = SETTINGS) -> bool:
    """Whether a file with example values works as it is: it does where nothing in it names something real."""
    return all(setting.invented or setting.default is not None for setting in _chosen(environment, rows))


def write_example(path: Path, environment: Environment, rows: Sequence[Setting] = SETTINGS) -> None:
    """Write a file that works as it is: example accounts, and a random password where the login needs one."""
    passwords = {setting.key: secrets.token_urlsafe(18) for setting in rows if setting.secret}
    private_directory(path.parent)
    write_private(path, "\n".join([*HEAD, *_lines(_chosen(environment, rows), passwords), ""]).encode())


def example(environment: Environment, rows: Sequence[Setting] = SETTINGS) -> str:
    """A file to start from: first what the site must write, then what it may, commented out."""
    chosen = _chosen(environment, rows)
    required = [setting for setting in chosen if setting.default is None]
    optional = [setting for setting in chosen if setting.default is not None]
    may = ["", "  # What follows holds when it is left out:", *_lines(optional, {}, mark="# ")]
    return "\n".join([*HEAD, *_lines(required, {}), *may, ""])


def _chosen(environment: Environment, rows: Sequence[Setting]) -> list[Setting]:
    """The settings that the environment uses and leaves to the site."""
    return [setting for setting in rows if setting.used(environment) and setting.fixed(environment) is None]


def _lines(chosen: Iterable[Setting], values: Mapping[str, str], *, mark: str = "") -> list[str]:
    """Each setting with its meaning; the value is the one given here, else the default, else the example."""
    lines = []
    for setting in chosen:
        value = setting.example if setting.default is None else setting.default
        lines += [f"  # {setting.meaning}", f'  {mark}{setting.key}: "{values.get(setting.key, value)}"']
    return lines
