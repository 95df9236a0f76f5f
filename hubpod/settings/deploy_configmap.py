"""Read, validate and generate the deploy ConfigMap, and render an example of it."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hubpod.accounts import Account
from hubpod.environments import Environment
from hubpod.errors import nearest
from hubpod.settings import FILE_NAME
from hubpod.settings.problems import Problem, report
from hubpod.settings.table import SETTINGS, Setting
from hubpod.settings.yaml_files import Entry, read_configmap
from hubpod.system.private_files import private_directory, write_private

__all__ = ["FILE_NAME", "SETTINGS", "Setting", "Settings", "can_generate", "example", "generate", "load", "read"]

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

    @property
    def dev_users(self) -> tuple[Account, ...]:
        """The accounts, in the file's order."""
        return tuple(map(Account.parse, self.values.get("devUsers", "").split()))

    def variables(self, *, secret: bool) -> dict[str, str]:
        """Return the DEPLOY_CONFIG_* variables: either the secret ones or the others."""
        return {
            setting.variable: self.values[setting.key]
            for setting in SETTINGS
            if setting.key in self.values and setting.secret is secret
        }


def load(path: Path, environment: Environment, rows: Sequence[Setting] = SETTINGS) -> Settings:
    """Read and validate a deploy ConfigMap, and report all of its problems at once.

    Raises:
        SettingsError: The file is missing or unreadable, or a key is missing, unknown or wrong.
    """
    values, problems = read(path, environment, rows)
    report(path, problems)
    return Settings(source=path, values=values)


def read(
    path: Path, environment: Environment, rows: Sequence[Setting] = SETTINGS
) -> tuple[dict[str, str], list[Problem]]:
    """Read the values of a deploy ConfigMap, and find all of its problems."""
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
        if setting.applies_to(environment):
            values[setting.key], text = _resolve(setting, entries.get(setting.key), environment)
            if text:
                line = entries[setting.key].line if setting.key in entries else None
                problems.append(Problem(path=path, key=setting.key, line=line, text=text))
    return values, problems


def _resolve(setting: Setting, entry: Entry | None, environment: Environment) -> tuple[str, str]:
    """Return a setting's value, and its problem."""
    fixed = setting.fixed_value(environment)
    if entry is None:
        value = setting.default if fixed is None else fixed
        return ("", f"is missing: {setting.meaning}") if value is None else (value, "")
    if fixed is not None and entry.value != fixed:
        return entry.value, f"is fixed to {fixed} in {environment.name}; remove the line"
    return " ".join(entry.value.split()) if setting.is_list else entry.value, setting.check(entry.value)


def can_generate(environment: Environment, rows: Sequence[Setting] = SETTINGS) -> bool:
    """Check whether a generated file works.

    It does unless one of its values names an object at the site, such as a host.
    """
    return all(setting.can_generate or setting.default is not None for setting in _chosen_by_site(environment, rows))


def generate(path: Path, environment: Environment, rows: Sequence[Setting] = SETTINGS) -> None:
    """Write a file that works as it is, with example accounts and a random password."""
    passwords = {setting.key: secrets.token_urlsafe(18) for setting in rows if setting.secret}
    private_directory(path.parent)
    write_private(path, "\n".join([*HEAD, *_lines(_chosen_by_site(environment, rows), passwords), ""]).encode())


def example(environment: Environment, rows: Sequence[Setting] = SETTINGS) -> str:
    """Render an example file: first the required keys, then the optional ones, commented out."""
    settings = _chosen_by_site(environment, rows)
    required = [setting for setting in settings if setting.default is None]
    optional = [setting for setting in settings if setting.default is not None]
    remark = ["", "  # Defaults of the optional keys:"]
    return "\n".join([*HEAD, *_lines(required, {}), *remark, *_lines(optional, {}, mark="# "), ""])


def _chosen_by_site(environment: Environment, rows: Sequence[Setting]) -> list[Setting]:
    """Return the settings that apply to the environment and are not fixed by it."""
    return [each for each in rows if each.applies_to(environment) and each.fixed_value(environment) is None]


def _lines(settings: Iterable[Setting], values: Mapping[str, str], *, mark: str = "") -> list[str]:
    """Render settings with their meanings.

    A value is the given one, else the default, else the example.
    """
    lines = []
    for setting in settings:
        value = setting.example if setting.default is None else setting.default
        lines += [f"  # {setting.meaning}", f'  {mark}{setting.key}: "{values.get(setting.key, value)}"']
    return lines
