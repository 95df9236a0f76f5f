"""Read, validate and generate the deploy ConfigMap, and render an example of it."""

import difflib
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hubpod.accounts import Account
from hubpod.environments import Environment
from hubpod.errors import nearest
from hubpod.settings import FILE_NAME
from hubpod.settings.problems import Problem, UnreadableError, report
from hubpod.settings.ssh_address import SshAddress
from hubpod.settings.table import SETTINGS, Setting
from hubpod.settings.yaml_files import Entry, read_configmap
from hubpod.system.private_files import private_directory, write_private

__all__ = ["FILE_NAME", "Setting", "Settings", "can_generate", "example", "generate", "load", "read"]

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
    subdomain_host = _Text("subdomainHost")

    @property
    def ssh_address(self) -> SshAddress:
        """The host where the Slurm wrappers run, and the port of its SSH server."""
        return SshAddress.parse(self.values["sshHostname"])

    @property
    def ssh_hostname(self) -> str:
        """The host where the Slurm wrappers run, without a port."""
        return self.ssh_address.host

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


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a deploy ConfigMap says for an environment.

    Attributes:
        values: The text of every setting that the environment uses, by key.
        problems: Everything that must be corrected.
        warnings: Keys without effect.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def load(path: Path, environment: Environment, rows: Sequence[Setting]) -> Settings:
    """Read and validate a deploy ConfigMap, and report all of its problems at once.

    Raises:
        SettingsError: The file is missing or unreadable, or a key is missing or wrong.
    """
    reading = read(path, environment, rows)
    report(path, reading.problems)
    return Settings(source=path, values=reading.values)


def read(path: Path, environment: Environment, rows: Sequence[Setting]) -> Reading:
    """Read the values of a deploy ConfigMap, and find all of its problems."""
    try:
        content = read_configmap(path)
    except UnreadableError as error:
        return Reading(problems=(error.problem,))
    known = {setting.key for setting in rows}
    unknown = {key: entry.line for key, entry in content.entries.items() if key not in known}
    problems = [each for each in content.problems if each.key not in unknown]
    problems += _find_outside(path, content.outside, known)
    values: dict[str, str] = {}
    for setting in rows:
        if setting.applies_to(environment):
            entry = content.entries.get(setting.key)
            values[setting.key], text = _resolve(setting, entry, environment)
            if text:
                text += _suggest(setting.key, unknown) if entry is None else ""
                line = entry.line if entry else None
                problems.append(Problem(path=path, key=setting.key, line=line, text=text))
    warnings = (
        Problem(path=path, key=key, line=line, text=f"is not a known key, and has no effect{nearest(key, known)}")
        for key, line in unknown.items()
    )
    return Reading(values=values, problems=tuple(problems), warnings=tuple(warnings))


def _find_outside(path: Path, outside: Mapping[str, int], known: Collection[str]) -> Iterator[Problem]:
    """Find settings that are not below ``data``."""
    for key, line in outside.items():
        if key in known:
            yield Problem(path=path, key=key, line=line, text="must be below `data:`; indent the line")


def _suggest(key: str, unknown: Mapping[str, int]) -> str:
    """Name the unknown key that a missing one may be a misspelling of."""
    found = difflib.get_close_matches(key, unknown, n=1)
    return f"; line {unknown[found[0]]} has {found[0]!r}" if found else ""


def _resolve(setting: Setting, entry: Entry | None, environment: Environment) -> tuple[str, str]:
    """Return a setting's value, and its problem."""
    fixed = setting.fixed_value(environment)
    written = entry.value if entry else None
    if written is not None and not written.strip():
        written = setting.empty
    if written is None:
        value = setting.default if fixed is None else fixed
        return ("", f"is missing: {setting.meaning}") if value is None else (value, "")
    value = setting.normalize(written)
    if fixed is None:
        return value, setting.check(value)
    if value == fixed or setting.is_fixed(value):
        return fixed, ""
    rule = f"is fixed to {fixed}" if fixed else "cannot be set"
    return value, f"{rule} in {environment.name}; remove the line"


def can_generate(environment: Environment, rows: Sequence[Setting]) -> bool:
    """Check whether a generated file works.

    It does unless one of its values names an object at the site, such as a host.
    """
    return all(setting.can_generate or setting.default is not None for setting in _chosen_by_site(environment, rows))


def generate(path: Path, environment: Environment, rows: Sequence[Setting]) -> None:
    """Write a file that works as it is, with example accounts and a random password."""
    passwords = {setting.key: secrets.token_urlsafe(18) for setting in rows if setting.secret}
    private_directory(path.parent)
    write_private(path, "\n".join([*HEAD, *_lines(_chosen_by_site(environment, rows), passwords), ""]).encode())


def example(environment: Environment, rows: Sequence[Setting]) -> str:
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
