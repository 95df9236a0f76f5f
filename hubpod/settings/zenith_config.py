"""Validate the Zenith client's configuration, and warn about its unknown keys.

The client takes each key in camel case and in snake case, and ignores keys that it does not know. A key of the file
overrides the variables that hubpod sets.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hubpod.environments import Environment
from hubpod.errors import nearest
from hubpod.settings.problems import Problem, UnreadableError
from hubpod.settings.ssh_address import SSH_PORT
from hubpod.settings.yaml_files import NO_WORD, WORD, compose, find_tag_problem, is_null, pairs
from hubpod.settings.zenith_checks import CHECKS, EXAMPLE_SECRET, OF_OTHER_COMMANDS, is_true

FILE_NAME = "zenith_client_config.yaml"

EXAMPLE = f"""\
# host of the Zenith server's SSH service
serverAddress: zenith.example.org
# its port
# serverPort: 22
# issuer of the tokens with which users log in, the same as oidcServer
authOidcIssuer: https://keycloak.example.org/realms/site
# client at that issuer
authOidcClientId: jupyter
# the client's secret
authOidcClientSecret: {EXAMPLE_SECRET}
# whether the Zenith client logs more
# debug: false
"""

TUNNEL_LOGGER = "zenith.client.tunnel"
BELONG_TOGETHER = (
    ("authOidcIssuer", "authOidcClientId", "authOidcClientSecret"),
    ("tlsCertData", "tlsKeyData"),
)
"""Keys that the server or the client refuses without each other."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A key of the file as written, its line and its value."""

    written: str
    value: object
    line: int


def find_problems(path: Path, content: bytes, environment: Environment) -> Iterator[Problem]:
    """Find all problems of a configuration, as messages without values."""
    try:
        entries, problems = _read(path, content)
    except UnreadableError as error:
        yield error.problem
        return
    yield from problems
    for name, check in CHECKS.items():
        if name in entries and (text := check(entries[name].value)):
            yield Problem(path=path, key=name, line=entries[name].line, text=text)
    if "serverAddress" not in entries and not any(problem.key == "serverAddress" for problem in problems):
        yield Problem(path=path, key="serverAddress", text="is missing: host of the Zenith server's SSH service")
    for name, text in _contradictions(entries, environment):
        yield Problem(path=path, key=name, line=entries[name].line, text=text)


def find_warnings(path: Path, content: bytes) -> Iterator[str]:
    """Find the keys of a valid configuration that the Zenith client does not know."""
    known = CHECKS.keys() | OF_OTHER_COMMANDS
    for name, entry in _read(path, content)[0].items():
        if name not in known:
            text = f"is not a known key of the Zenith client{nearest(name, known)}"
            yield Problem(path=path, key=entry.written, line=entry.line, text=text).message


def issuer_of(content: bytes) -> str:
    """Return the token issuer in a valid configuration, or an empty text if the Zenith server decides."""
    entry = _read(Path(FILE_NAME), content)[0].get("authOidcIssuer")
    return str(entry.value) if entry else ""


def server_of(content: bytes) -> tuple[str, int]:
    """Return host and port of the Zenith server in a valid configuration."""
    entries = _read(Path(FILE_NAME), content)[0]
    port = entries["serverPort"].value if "serverPort" in entries else SSH_PORT  # the client's default
    return str(entries["serverAddress"].value), int(str(port))


def render(content: bytes) -> bytes:
    """Return a valid configuration as the client gets it.

    The client refuses most keys that are null, so that they are left out. Its logger of the tunnel always writes to the
    container's log, because a line of it shows that the tunnel stands.
    """
    entries = _read(Path(FILE_NAME), content)[0]
    written = pairs(Path(FILE_NAME), compose(Path(FILE_NAME), content), "the document")
    if len(entries) == len(written) and "logging" not in entries:
        return content
    values = {entry.written: entry.value for entry in entries.values()}
    if "logging" in entries and isinstance(values["logging"], Mapping):
        values["logging"] = _with_tunnel(values["logging"])
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True).encode()


def _with_tunnel(config: Mapping[str, Any]) -> dict[str, Any]:
    """Add a handler and a level for the tunnel's messages to a configuration of Python's logging."""
    loggers = config.get("loggers", {})
    lineage = (TUNNEL_LOGGER, "zenith.client", "zenith", "")
    level = next((loggers[name]["level"] for name in lineage if "level" in loggers.get(name, {})), logging.INFO)
    number = level if isinstance(level, int) else logging.getLevelNamesMapping().get(str(level), logging.NOTSET)
    tunnel = dict(loggers.get(TUNNEL_LOGGER, {}))
    tunnel["handlers"] = [*tunnel.get("handlers", ()), "hubpod"]
    if number > logging.INFO:
        tunnel["level"] = "INFO"
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "default"}
    return {
        **config,
        "disable_existing_loggers": False,
        "handlers": {**config.get("handlers", {}), "hubpod": handler},
        "loggers": {**loggers, TUNNEL_LOGGER: tunnel},
    }


def _contradictions(entries: Mapping[str, _Entry], environment: Environment) -> Iterator[tuple[str, str]]:
    """Find keys that are valid by themselves, but not together or in this environment."""
    if "skipAuth" in entries and is_true(entries["skipAuth"].value) and environment.login.uses_token:
        text = f"would let unauthenticated clients through the Zenith server, whose login {environment.name} relies on"
        yield "skipAuth", f"{text}; remove the line"
    for keys in BELONG_TOGETHER:
        given = [name for name in keys if name in entries]
        missing = [name for name in keys if name not in entries]
        if given and missing:
            yield given[0], f"needs {' and '.join(missing)} beside it"


def _read(path: Path, content: bytes) -> tuple[dict[str, _Entry], list[Problem]]:
    """Read the keys that are set: those without null."""
    entries: dict[str, _Entry] = {}
    problems: list[Problem] = []
    names: set[str] = set()
    for key_node, value_node in pairs(path, compose(path, content), "the document"):
        written, line = str(key_node.value), key_node.start_mark.line + 1
        name = _camel_case(written)
        if not WORD.fullmatch(written):
            problems.append(Problem(path=path, line=line, text=NO_WORD))
            continue
        value, text = _construct(value_node)
        text = "is in the file twice" if name in names else text
        if text:
            problems.append(Problem(path=path, key=name, line=line, text=text))
        elif not is_null(value_node):
            entries[name] = _Entry(written=written, value=value, line=line)
        names.add(name)
    return entries, problems


def _construct(node: yaml.Node) -> tuple[object, str]:
    """Construct a value as the client's loader does; return it, or the problem for which the client would fail."""
    if text := find_tag_problem(node):
        return None, text
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node), ""
    except (yaml.YAMLError, ValueError, RecursionError):  # for example a date that does not exist
        return None, "has a value that YAML cannot read; put it in quotes"
    finally:
        loader.dispose()


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
