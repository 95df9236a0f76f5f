"""Validate the Zenith client's configuration, and warn about its unknown keys.

The client takes each key in camel case and in snake case, and ignores keys that it does not know. A key of the file
overrides the variables that hubpod sets. Values that concern only the client are left to the client to validate.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from hubpod.environments import Environment
from hubpod.errors import nearest
from hubpod.settings import checks
from hubpod.settings.problems import Problem, UnreadableError
from hubpod.settings.yaml_files import NO_WORD, WORD, compose, pairs

FILE_NAME = "zenith_client_config.yaml"
EXAMPLE_SECRET = "change-this-secret"  # noqa: S105 - the value in the example file, which is refused

EXAMPLE = f"""\
# host of the Zenith server's SSH service
serverAddress: zenith.example.org
# its port
# serverPort: 22
# issuer that people log in with; the same as oidcServer
authOidcIssuer: https://keycloak.example.org/realms/site
# client at that issuer
authOidcClientId: jupyter
# the client's secret
authOidcClientSecret: {EXAMPLE_SECRET}
# whether the Zenith client logs more
# debug: false
"""

Check = Callable[[object], str]
"""Maps a value of the YAML to its fault, as the end of a sentence without the value itself; empty if it is valid."""

_TRUE = {"true", "yes", "on", "y", "t", "1"}
_FALSE = {"false", "no", "off", "n", "f", "0"}


def _text(what: str, pattern: str) -> Check:
    return lambda value: "" if isinstance(value, str) and re.fullmatch(pattern, value) else f"must be {what}"


def _port(value: object) -> str:
    fits = re.fullmatch(r"[0-9]{1,5}", str(value)) and 1 <= int(str(value)) <= 65535  # noqa: PLR2004 - the highest port
    return "" if fits else "must be a number from 1 to 65535"


def _flag(value: object) -> str:
    return "" if str(value).lower() in _TRUE | _FALSE else "must be true or false"


def _url(value: object) -> str:
    return checks.url(value) if isinstance(value, str) else "must be a URL such as https://host/path"


def _secret(value: object) -> str:
    if value == EXAMPLE_SECRET:
        return "is the documented example; replace it with the client's own secret"
    return _LINE(value)


def _accept_only(*same: object) -> Check:
    """Accept only values that agree with hubpod's own."""
    return lambda value: "" if value in same else "is decided by hubpod; remove the line"


def _refuse_file(_: object) -> str:
    return "names a file, and hubpod does not mount such files into the container; remove the line"


_LINE = _text("one line of text, in quotes if YAML could read it as a number", r"\S(.*\S)?")
_HOST = _text(
    "a host name or address",
    r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f]*(:[0-9A-Fa-f]*){2,7}",
)

CHECKS: dict[str, Check] = {
    "serverAddress": _HOST,
    "serverPort": _port,
    "authOidcIssuer": _url,
    "authOidcClientId": _LINE,
    "authOidcClientSecret": _secret,
    "debug": _flag,
    "skipAuth": _flag,
    "backendProtocol": _accept_only("http"),  # what the hub's proxy speaks
    "forwardToHost": _accept_only("127.0.0.1", "localhost"),
    "forwardToPort": _accept_only(8000, "8000"),
    **dict.fromkeys(("sshIdentityPath", "sshPrivateKeyData", "sshExecutable", "runAsUser"), _accept_only()),
    **dict.fromkeys(("tlsCertFile", "tlsKeyFile", "tlsClientCaFile"), _refuse_file),
}
CLIENT_ONLY = {
    *("authOidcAllowedGroups", "authExternalParams", "internal", "logging", "readTimeout", "configureTimeout"),
    *("livenessPath", "livenessPeriod", "livenessFailures", "serverAlivePeriod", "serverAliveFailures"),
    *("tlsCertData", "tlsKeyData", "tlsClientCaData"),
}
"""Further keys of the client 0.16.1, so that a misspelt key is reported and a known one is not."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A key of the file as written, its line and its value; None if it cannot be constructed."""

    written: str
    value: object
    line: int


def find_problems(path: Path, content: bytes, environment: Environment) -> Iterator[Problem]:
    """Find all problems of a configuration; the messages contain no values."""
    try:
        entries, problems = _read(path, content)
    except UnreadableError as error:
        yield error.problem
        return
    yield from problems
    for name, check in CHECKS.items():
        if name in entries and (text := check(entries[name].value)):
            yield Problem(path=path, key=name, line=entries[name].line, text=text)
    if "serverAddress" not in entries:
        yield Problem(path=path, key="serverAddress", text="is missing: host of the Zenith server's SSH service")
    for name, text in _contradictions(entries, environment):
        yield Problem(path=path, key=name, line=entries[name].line, text=text)


def find_warnings(path: Path, content: bytes) -> Iterator[str]:
    """Find the keys of a valid configuration that the Zenith client does not know."""
    known = CHECKS.keys() | CLIENT_ONLY
    for name, entry in _read(path, content)[0].items():
        if name not in known:
            text = f"is not a known key of the Zenith client{nearest(name, known)}"
            yield Problem(path=path, key=entry.written, line=entry.line, text=text).message


def issuer_of(content: bytes) -> str:
    """Return the token issuer in a valid configuration; empty if the Zenith server decides."""
    entry = _read(Path(FILE_NAME), content)[0].get("authOidcIssuer")
    return str(entry.value) if entry else ""


def _contradictions(entries: dict[str, _Entry], environment: Environment) -> Iterator[tuple[str, str]]:
    """Find keys that are valid by themselves, but not together or in this environment."""
    skips = "skipAuth" in entries and str(entries["skipAuth"].value).lower() in _TRUE
    if skips and environment.login.uses_token:
        text = f"would let unauthenticated clients through the Zenith server, whose login {environment.name} relies on"
        yield "skipAuth", f"{text}; remove the line"
    client = ("authOidcClientId", "authOidcClientSecret")
    for name, other in (client, client[::-1]):
        if name in entries and other not in entries:
            yield name, f"needs {other} beside it"
    given = [name for name in client if name in entries]
    if given and "authOidcIssuer" not in entries:
        yield given[0], "needs authOidcIssuer beside it"


def _read(path: Path, content: bytes) -> tuple[dict[str, _Entry], list[Problem]]:
    entries: dict[str, _Entry] = {}
    problems: list[Problem] = []
    for key_node, value_node in pairs(path, compose(path, content), "the document"):
        written, line = str(key_node.value), key_node.start_mark.line + 1
        name = _camel_case(written)
        if not WORD.fullmatch(written):
            problems.append(Problem(path=path, line=line, text=NO_WORD))
        elif name in entries:
            problems.append(Problem(path=path, key=name, line=line, text="is in the file twice"))
        else:
            entries[name] = _Entry(written=written, value=_construct(value_node), line=line)
    return entries, problems


def _construct(node: yaml.Node) -> object:
    """Construct a value as the client's loader does.

    The result is None for a tag of a Python object or of a file to include.
    """
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    finally:
        loader.dispose()


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
