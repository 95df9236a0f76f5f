"""Checks of the values in the Zenith client's configuration, by key.

The rules are those of the client 0.16.1 (client/zenith/client/config.py) and of the server's validation.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping

from hubpod.settings import checks
from hubpod.settings.ssh_address import MAX_PORT, SSH_PORT, SshAddress
from hubpod.system.addresses import is_own_only

EXAMPLE_SECRET = "change-this-secret"  # noqa: S105 - the value in the example file, which is refused
EXAMPLE_SECRETS = frozenset({EXAMPLE_SECRET, "exampleoidcsecret", "Secret"})
"""Secrets of public example files."""

Check = Callable[[object], str]
"""Maps a value of the YAML to its fault, if any, as the end of a sentence without the value itself."""

OWN_ADDRESS = "is the client's own container there; name the Zenith server as containers reach it"

CLIENT_UID = 1001
"""The user that the client's image runs as."""

_TRUE = {"true", "yes", "on", "y", "t", "1"}
_FALSE = {"false", "no", "off", "n", "f", "0"}
_MAX_KEY_CHARACTERS = 50
_MAX_VALUE_CHARACTERS = 1024


def is_true(value: object) -> bool:
    """Whether the client takes a value for true."""
    return str(value).lower() in _TRUE


def _text(what: str, pattern: str) -> Check:
    return lambda value: "" if isinstance(value, str) and re.fullmatch(pattern, value) else f"must be {what}"


def _number(highest: int) -> Check:
    def check(value: object) -> str:
        fits = (
            not isinstance(value, bool) and re.fullmatch(r"[0-9]{1,9}", str(value)) and 1 <= int(str(value)) <= highest
        )
        return "" if fits else f"must be a number from 1 to {highest}"

    return check


def _host(value: object) -> str:
    try:
        address = SshAddress.parse(value) if isinstance(value, str) else None
    except ValueError as error:
        return str(error)
    if address is None or str(value).startswith("[") or address.port != SSH_PORT or str(value).endswith(":22"):
        return "must be a host name or address alone; its port belongs into serverPort"
    return OWN_ADDRESS if is_own_only(address.host) else ""


def _flag(value: object) -> str:
    return "" if str(value).lower() in _TRUE | _FALSE else "must be true or false"


def _never(value: object) -> str:
    return "would give the hub neither an address nor a login; remove the line" if is_true(value) else _flag(value)


_url_elsewhere = checks.url_elsewhere(
    "leads the Zenith server to itself; name the issuer as that server and browsers reach it"
)


def _url(value: object) -> str:
    return _url_elsewhere(value) if isinstance(value, str) else "must be a URL such as https://host/path"


def _secret(value: object) -> str:
    if value in EXAMPLE_SECRETS:
        return "is the documented example; replace it with the client's own secret"
    return _LINE(value)


def _accept_only(*same: object) -> Check:
    """Accept only values that agree with hubpod's own."""
    return lambda value: "" if value in same else "is decided by hubpod; remove the line"


def _refuse_file(_: object) -> str:
    return "names a file, and hubpod does not mount such files into the container; remove the line"


def _base64(value: object) -> str:
    try:
        decoded = base64.b64decode("".join(value.split()), validate=True) if isinstance(value, str) else b""
    except binascii.Error:
        decoded = b""
    return "" if decoded else "must be the file in base64"


def _groups(value: object) -> str:
    """Check names of groups: a list, or a text with commas between them."""
    names = value.split(",") if isinstance(value, str) else value
    fits = isinstance(names, list) and all(
        isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_/-]+", name) for name in names
    )
    return "" if fits else "must be a list of names of letters, digits and _ / -"


def _external_params(value: object) -> str:
    """Check the parameters of an external login service; the client writes - for _ in their names."""
    if not isinstance(value, Mapping):
        return "must be a mapping of names to texts"
    for name, text in value.items():
        written = str(name).replace("_", "-")
        if not re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", written) or len(written) > _MAX_KEY_CHARACTERS:
            return "has a name that is not at least two lower-case letters, digits and -, beginning with a letter"
        if not isinstance(text, str) or len(text) > _MAX_VALUE_CHARACTERS:
            return f"must have texts of at most {_MAX_VALUE_CHARACTERS} characters, in quotes if they look like numbers"
    return ""


def _logging(value: object) -> str:
    """Check for sections as logging.config.dictConfig takes them."""
    sections = ("formatters", "filters", "handlers", "loggers")
    fits = isinstance(value, Mapping) and all(isinstance(value.get(each, {}), Mapping) for each in sections)
    if fits and isinstance(value, Mapping):
        fits = all(isinstance(each, Mapping) for each in value.get("loggers", {}).values())
    return "" if fits else "must be a mapping as Python's logging.config.dictConfig takes it"


_LINE = _text("one line of text, in quotes if YAML could read it as a number", r"\S(.*\S)?")
_PATH = _text("a path such as /jupyter/hub/health", r"/[a-zA-Z0-9._~!$&'()*+,;=:@%/-]*")
_COUNT = _number(999_999_999)

CHECKS: dict[str, Check] = {
    "serverAddress": _host,
    "serverPort": _number(MAX_PORT),
    "authOidcIssuer": _url,
    "authOidcClientId": _LINE,
    "authOidcClientSecret": _secret,
    "authOidcAllowedGroups": _groups,
    "authExternalParams": _external_params,
    "debug": _flag,
    "skipAuth": _flag,
    "internal": _never,
    "logging": _logging,
    "livenessPath": _PATH,
    "backendProtocol": _accept_only("http"),  # what the hub's proxy speaks
    "forwardToHost": _accept_only("127.0.0.1", "localhost"),
    "forwardToPort": _accept_only(8000, "8000"),
    "runAsUser": _accept_only(CLIENT_UID, str(CLIENT_UID)),
    **dict.fromkeys(("sshIdentityPath", "sshPrivateKeyData", "sshExecutable"), _accept_only()),
    **dict.fromkeys(("tlsCertFile", "tlsKeyFile", "tlsClientCaFile"), _refuse_file),
    **dict.fromkeys(("tlsCertData", "tlsKeyData", "tlsClientCaData"), _base64),
    **dict.fromkeys(("readTimeout", "configureTimeout", "livenessPeriod", "livenessFailures"), _COUNT),
    **dict.fromkeys(("serverAlivePeriod", "serverAliveFailures"), _COUNT),
}
OF_OTHER_COMMANDS = frozenset({"registrarUrl", "token", "verifySsl", "sshKeygenExecutable"})
"""Keys of `zenith-client init`, which may be in the same file."""
