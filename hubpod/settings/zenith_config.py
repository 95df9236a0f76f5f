"""The configuration of the Zenith client: which keys a site may write, and what makes their values wrong.

The keys are those of the client 0.16.1, which takes each in camel case and in snake case and passes over what it does
not know. A key of the file wins over the variables that hubpod sets.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from hubpod.environments import Environment, nearest
from hubpod.settings import checks
from hubpod.settings.yaml_files import NO_WORD, WORD, Problem, UnreadableError, compose, pairs

FILE_NAME = "zenith_client_config.yaml"
EXAMPLE_SECRET = "change-this-secret"  # noqa: S105 - what stands in the example file, and is refused

_TRUE = {"true", "yes", "on", "y", "t", "1"}
_FALSE = {"false", "no", "off", "n", "f", "0"}

Value = object
Check = Callable[[Value], str]
"""From a value of the YAML to what is wrong with it, as the end of a sentence; never with the value itself."""


def _text(what: str, pattern: str) -> Check:
    return lambda value: "" if isinstance(value, str) and re.fullmatch(pattern, value) else f"must be {what}"


def _number(low: int, high: int | None = None) -> Check:
    what = f"a number from {low} to {high}" if high else f"a whole number of at least {low}"

    def check(value: Value) -> str:
        text = str(value)
        fits = re.fullmatch(r"[0-9]{1,9}", text) and int(text) >= low and (high is None or int(text) <= high)
        return "" if fits else f"must be {what}"

    return check


def _truth(value: Value) -> bool | None:
    """What the client makes of a value where it wants true or false; None when it refuses it."""
    text = str(value).lower()
    return True if text in _TRUE else False if text in _FALSE else None


def _switch(value: Value) -> str:
    return "must be true or false" if _truth(value) is None else ""


def _url(value: Value) -> str:
    return checks.url(value) if isinstance(value, str) else "must be a URL such as https://host/path"


_LINE = _text("one line of text, in quotes where it could be taken for a number", r"\S(.*\S)?")
_BASE64 = _text("base64", r"[A-Za-z0-9+/=\s]+")


def _secret(value: Value) -> str:
    if value == EXAMPLE_SECRET:
        return "is the documented example; write the client's own"
    return _LINE(value)


def _groups(value: Value) -> str:
    names = value.split(",") if isinstance(value, str) else value
    right = isinstance(names, list) and all(re.fullmatch(r"[a-zA-Z0-9_/-]+", str(name)) for name in names)
    return "" if right else "must be a list of group names of letters, digits and _ / -"


def _mapping(value: Value) -> str:
    return "" if isinstance(value, dict) else "must be a mapping of keys to values"


def _decided(*same: Value) -> Check:
    """A key that hubpod sets; what says just the same does no harm."""
    return lambda value: "" if value in same else "is decided by hubpod; remove the line"


def _refused(text: str) -> Check:
    return lambda _: text


_NOT_MOUNTED = _refused("names a file, and hubpod does not mount such files into the container; remove the line")


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of the file.

    Attributes:
        name: In camel case.
        check: What makes a value wrong.
        meaning: What it does, where the example file has it.
        example: What stands in the example file, as YAML.
        default: What holds without it; the example file has it commented out.
        required: Whether the client does not start without it.
    """

    name: str
    check: Check
    meaning: str = ""
    example: str = ""
    default: str = ""
    required: bool = False


_HOST = _text(
    "a host name or address",
    r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f]*(:[0-9A-Fa-f]*){2,7}",
)
_COUNT = _number(1)

KEYS = (
    Key(
        name="serverAddress",
        check=_HOST,
        meaning="host of the Zenith server's SSH service",
        example="zenith.example.org",
        required=True,
    ),
    Key(name="serverPort", check=_number(1, 65535), meaning="its port", default="22"),
    Key(
        name="authOidcIssuer",
        check=_url,
        meaning="issuer that people log in with; the same as oidcServer",
        example="https://keycloak.example.org/realms/site",
    ),
    Key(name="authOidcClientId", check=_LINE, meaning="client at that issuer", example="jupyter"),
    Key(name="authOidcClientSecret", check=_secret, meaning="the client's secret", example=EXAMPLE_SECRET),
    Key(name="debug", check=_switch, meaning="whether the Zenith client logs more", default="false"),
    Key(name="authOidcAllowedGroups", check=_groups),
    Key(name="authExternalParams", check=_mapping),
    Key(name="logging", check=_mapping),
    Key(name="skipAuth", check=_switch),
    Key(name="readTimeout", check=_COUNT),
    Key(name="internal", check=_switch),
    Key(name="livenessPath", check=_text("a path such as /jupyter/hub/health", r"/\S*")),
    Key(name="livenessPeriod", check=_COUNT),
    Key(name="livenessFailures", check=_COUNT),
    Key(name="serverAlivePeriod", check=_COUNT),
    Key(name="serverAliveFailures", check=_COUNT),
    Key(name="configureTimeout", check=_COUNT),
    Key(name="backendProtocol", check=_text("http, as the hub's proxy speaks", "http")),
    *(Key(name=f"tls{part}Data", check=_BASE64) for part in ("Cert", "Key", "ClientCa")),
    *(Key(name=f"tls{part}File", check=_NOT_MOUNTED) for part in ("Cert", "Key", "ClientCa")),
    *(Key(name=name, check=_decided()) for name in ("sshIdentityPath", "sshPrivateKeyData", "sshExecutable")),
    Key(name="runAsUser", check=_decided()),
    Key(name="forwardToHost", check=_decided("127.0.0.1", "localhost")),
    Key(name="forwardToPort", check=_decided(8000, "8000")),
)


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A value of the file; None stands for one that cannot be constructed."""

    value: Value
    line: int


def problems_of(path: Path, content: bytes, environment: Environment) -> list[Problem]:
    """Everything that is wrong with a configuration; no value is in the messages."""
    try:
        entries, problems = _entries(path, content)
    except UnreadableError as error:
        return [error.problem]
    for key in KEYS:
        entry = entries.get(key.name)
        if entry and (text := key.check(entry.value)):
            problems.append(Problem(path=path, key=key.name, line=entry.line, text=text))
        elif key.required and not entry:
            problems.append(Problem(path=path, key=key.name, text=f"is missing: {key.meaning}"))
    return problems + [
        Problem(path=path, key=name, line=entries[name].line, text=text)
        for name, text in _contradictions(entries, environment)
    ]


def issuer_of(content: bytes) -> str:
    """Whose tokens the front door brings, by a valid configuration; empty when that is the server's own choice."""
    entry = _entries(Path(FILE_NAME), content)[0].get("authOidcIssuer")
    return str(entry.value) if entry else ""


def example() -> str:
    """A file to start from: what a site must write; what holds without is commented out."""
    lines = []
    for key in KEYS:
        if key.meaning:
            line = f"# {key.name}: {key.default}" if key.default else f"{key.name}: {key.example}"
            lines += [f"# {key.meaning}", line]
    return "\n".join([*lines, ""])


def _contradictions(entries: dict[str, _Entry], environment: Environment) -> Iterable[tuple[str, str]]:
    """Keys that are right by themselves, and wrong together or in this environment."""
    skipped = entries.get("skipAuth")
    if skipped and _truth(skipped.value) and environment.login.uses_token:
        where = f"would let anybody in at the Zenith server's front door, and {environment.name} relies on its login"
        yield "skipAuth", f"{where}; remove the line"
    client = ("authOidcClientId", "authOidcClientSecret")
    for here, other in (client, client[::-1]):
        if here in entries and other not in entries:
            yield here, f"needs {other} beside it"
    if set(client) & set(entries) and "authOidcIssuer" not in entries:
        yield next(name for name in client if name in entries), "needs authOidcIssuer beside it"


def _entries(path: Path, content: bytes) -> tuple[dict[str, _Entry], list[Problem]]:
    known = {key.name for key in KEYS}
    entries: dict[str, _Entry] = {}
    problems: list[Problem] = []
    for key_node, value_node in pairs(path, compose(path, content), "the document"):
        line = key_node.start_mark.line + 1
        name = _camel(str(key_node.value))
        if name not in known:
            problems.append(_unknown(path, str(key_node.value), line, known))
        elif name in entries:
            problems.append(Problem(path=path, key=name, line=line, text="stands in the file twice"))
        else:
            entries[name] = _Entry(value=_constructed(value_node), line=line)
    return entries, problems


def _unknown(path: Path, name: str, line: int, known: Iterable[str]) -> Problem:
    if not WORD.fullmatch(name):
        return Problem(path=path, line=line, text=NO_WORD)
    return Problem(path=path, key=name, line=line, text=f"is not a known key{nearest(_camel(name), known)}")


def _constructed(node: yaml.Node) -> Value:
    """The value as the client's loader sees it; None for a tag that names a Python object or a file to include."""
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    finally:
        loader.dispose()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
