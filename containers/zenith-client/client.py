#!/usr/bin/python3
"""zenith-client connect: keep a tunnel from a Zenith server to one port open.

The tunnel stays open as long as ssh runs.

The configuration is that of ghcr.io/azimuth-cloud/zenith-client: the YAML file named by ZENITH_CLIENT_CONFIG, with
keys such as `serverAddress`, and variables such as ZENITH_CLIENT__SERVER_ADDRESS. The file takes precedence. The exit
code is 1 if no tunnel was established, otherwise that of ssh. The container's restart policy reconnects.
"""

import errno
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
from base64 import b64decode, b64encode, encodebytes
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml

LOG = logging.getLogger("zenith-client")
PREFIX = "ZENITH_CLIENT__"
FILE_VARIABLE = "ZENITH_CLIENT_CONFIG"
READY_LINE = "Tunnel configured successfully"
"""Logged once the tunnel is established; hubpod waits for this line."""
WINDOW = 8  # a line that contains this many characters of the sent text is an echo
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)


class TunnelError(Exception):
    """The tunnel cannot be established; each argument is a sentence with a reason."""


class Kind(NamedTuple):
    """The syntax of a value, and the complaint about a value that violates it."""

    complaint: str
    pattern: str
    types: tuple[type, ...] = ()  # of YAML, in addition to text
    convert: Callable[[str], Any] = str

    def value(self, given: object) -> Any:  # noqa: ANN401 - the kind decides
        """Convert a value; the ValueError for an invalid one omits the value, which may be a secret."""
        written = json.dumps(given) if isinstance(given, dict | list) else str(given)
        if not isinstance(given, (str, *self.types)) or not re.fullmatch(self.pattern, written):
            raise ValueError(self.complaint)
        try:
            return self.convert(written)
        except (OSError, ValueError) as error:
            reason = f": {error.strerror}" if isinstance(error, OSError) else ""
            raise ValueError(self.complaint + reason) from None


# A host's first character prevents ssh from parsing an option, the other characters from parsing two fields.
HOST = Kind(
    "is not a host name or address", r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}|\[?[0-9A-Fa-f]*(:[0-9A-Fa-f.]*){2,8}\]?"
)
TEXT = Kind("is not a line of text", r"[^\x00-\x1f\x7f]+")
NUMBER = Kind("is not a number above 0", "0*[1-9][0-9]{0,8}", (int,), int)
PORT = Kind("is not a port number", "0*[1-9][0-9]{0,4}", (int,), lambda digits: range(65536).index(int(digits)))
YES, NO = "(?i:true|yes|on|y|t|1)", "(?i:false|no|off|n|f|0)"
FLAG = Kind("is neither true nor false", f"{YES}|{NO}", (bool, int), lambda word: bool(re.fullmatch(YES, word)))
BASE64 = Kind("is not base64", r"[A-Za-z0-9+/=\s]+", (), lambda written: b64encode(b64decode(written)).decode())
FILE = Kind("is not a readable file", TEXT.pattern, (), lambda path: b64encode(Path(path).read_bytes()).decode())
NAMES = Kind("is not a list of names", r'[\w/",\s\[\]-]*', (list,), lambda written: re.findall(r"[\w/-]+", written))
MAPPING = Kind("is not a mapping of names to values", r"\{.*\}", (dict,), json.loads)

KEYS: Mapping[str, Kind] = {
    name: kind
    for kind, names in (
        (TEXT, "ssh_executable backend_protocol liveness_path"),
        (TEXT, "auth_oidc_issuer auth_oidc_client_id auth_oidc_client_secret"),
        (HOST, "server_address forward_to_host"),
        (PORT, "server_port forward_to_port"),
        (NUMBER, "run_as_user configure_timeout read_timeout liveness_period liveness_failures"),
        (NUMBER, "server_alive_period server_alive_failures"),
        (FLAG, "debug skip_auth internal"),
        (FILE, "ssh_identity_path tls_cert_file tls_key_file tls_client_ca_file"),
        (BASE64, "ssh_private_key_data tls_cert_data tls_key_data tls_client_ca_data"),
        (NAMES, "auth_oidc_allowed_groups"),
        (MAPPING, "auth_external_params logging"),  # the latter for compatibility with upstream files
    )
    for name in names.split()
}
DEFAULTS = dict.fromkeys([*KEYS, "tls_cert", "tls_key", "tls_client_ca"]) | {"auth_external_params": {}}
DEFAULTS |= {"ssh_executable": "ssh", "forward_to_host": "localhost", "backend_protocol": "http"}
DEFAULTS |= {"server_port": 22, "forward_to_port": 8000, "configure_timeout": 10, "server_alive_period": 10}
DEFAULTS |= {"server_alive_failures": 3, "liveness_period": 10, "liveness_failures": 3}
CAMEL = {re.sub("_(.)", lambda found: found[1].upper(), name): name for name in KEYS}


def from_file(environ: Mapping[str, str]) -> dict[str, object]:
    """Read the file's keys and values; a missing file is an error only if a variable names it."""
    path = environ.get(FILE_VARIABLE, "/etc/zenith/client.yaml")
    try:
        read = dict(yaml.safe_load(Path(path).read_text()) or {})
    except OSError as error:
        if error.errno == errno.ENOENT and FILE_VARIABLE not in environ:
            return {}
        raise TunnelError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, TypeError, yaml.YAMLError) as error:  # its message would quote the file, including secrets
        mark = getattr(error, "problem_mark", None)
        where = f", see line {mark.line + 1}" if mark else ""
        raise TunnelError(f"{path} is not YAML with keys and values{where}") from None
    return {str(key): value for key, value in read.items() if value is not None}


def configuration(environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the value of every known key; TunnelError names all invalid ones."""
    entries: list[tuple[str, str, object]] = []
    entries += [(each, each.removeprefix(PREFIX).lower(), environ[each]) for each in environ if each.startswith(PREFIX)]
    entries += [(key, CAMEL.get(key, key), value) for key, value in from_file(environ).items()]
    problems: list[str] = []
    for written in (written for written, name, _ in entries if name not in KEYS):
        LOG.warning("unknown key %s is ignored", written)  # another version of the client may know it
    settings: dict[str, Any] = dict(DEFAULTS)
    for name, (written, value) in {name: (written, value) for written, name, value in entries if name in KEYS}.items():
        try:
            settings[re.sub("^(tls_.*)_(file|data)$", r"\1", name)] = KEYS[name].value(value)
        except ValueError as error:
            problems.append(f"{written} {error}")
    settings["key"] = settings["ssh_private_key_data"] or settings["ssh_identity_path"]
    names = {name for _, name, _ in entries}
    problems += [] if "server_address" in names else ["serverAddress is missing"]
    if not names & {"ssh_private_key_data", "ssh_identity_path"}:
        problems.append("sshIdentityPath is missing: the path of the private key")
    if problems:
        raise TunnelError(*problems)
    return settings


def announcement(settings: Mapping[str, Any], port: int) -> dict[str, object]:
    """Describe the tunnel to the server: mandatory keys, and others that have a value."""
    names = ["read_timeout", "skip_auth", "tls_cert", "tls_key", "tls_client_ca", "liveness_path", "internal"]
    if not settings["skip_auth"]:
        names += [name for name in KEYS if name.startswith("auth_")]
    if settings["liveness_path"]:
        names += ["liveness_period", "liveness_failures"]
    always = {"allocated_port": port, "backend_protocol": settings["backend_protocol"]}
    return always | {name: settings[name] for name in names if settings[name]}


def secrets(settings: Mapping[str, Any]) -> set[str]:
    """List the secrets for the server, verbatim and as JSON escapes them."""
    values = [settings["auth_oidc_client_secret"], settings["tls_key"], *settings["auth_external_params"].values()]
    return {form for value in values if value for form in (str(value), json.dumps(value).strip('"'))}


def show(line: str, hidden: set[str]) -> None:
    """Log a line of ssh unless it contains hidden text.

    The terminal echoes everything that is sent.
    """
    if line and not any(each in line for each in hidden):
        LOG.info("%s", line)


def negotiate(ssh: subprocess.Popen[str], settings: Mapping[str, Any], hidden: set[str]) -> None:
    """Send the tunnel's configuration on request; TunnelError unless the server confirms it."""
    port, asked, sent = 0, False, ""
    for line in map(str.rstrip, ssh.stdout or ()):
        if not port and (found := re.match(r"Allocated port (\d{1,5}) for remote forward\b", line)):
            port = int(found[1])
        elif not asked and line == "SEND_CONFIGURATION":
            asked = True
        elif sent and line == "RECEIVED_CONFIGURATION":
            return
        else:
            show(line, hidden)
        if port and asked and not sent:
            sent = encodebytes(json.dumps(announcement(settings, port)).encode()).decode()
            text = sent.replace("\n", "")
            parts = {text[at : at + WINDOW] for at in range(len(text) - WINDOW + 1)}
            hidden |= {"END_CONFIGURATION", *sent.split(), *parts}
            with suppress(BrokenPipeError):
                print(sent, "END_CONFIGURATION", sep="\n", file=ssh.stdin, flush=True)
    missing = "confirmed the configuration" if sent else "requested the configuration" if port else "allocated a port"
    raise TunnelError(f"ssh exited before the server {missing}")


def interrupt(number: int, _frame: object) -> None:
    """Interrupt the current step because of a signal or the timeout."""
    raise TimeoutError if number == signal.SIGALRM else SystemExit(128 + number)


def run_tunnel(argv: list[str], settings: Mapping[str, Any]) -> int:
    """Run ssh, and return its exit code; TunnelError if no tunnel was established."""
    pipe, same = subprocess.PIPE, subprocess.STDOUT
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the process exists and can be killed
    # A new session has no terminal, so that ssh cannot prompt for a password.
    ssh = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=same, errors="replace", start_new_session=True)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        signal.alarm(settings["configure_timeout"])
        hidden = secrets(settings)
        negotiate(ssh, settings, hidden)
        signal.alarm(0)
        LOG.info(READY_LINE)
        for line in map(str.rstrip, ssh.stdout or ()):
            show(line, hidden)
        return ssh.wait()
    except TimeoutError:
        raise TunnelError(f"the server took more than {settings['configure_timeout']} s to agree on a tunnel") from None
    finally:
        ssh.kill()  # ssh has nothing to clean up, and ignores other signals because it inherited them blocked
        ssh.wait()


def connect(settings: Mapping[str, Any]) -> int:
    """Change to the configured user, run the tunnel, and return the exit code."""
    if (user := settings["run_as_user"]) and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    with tempfile.TemporaryDirectory(prefix="zenith-", dir="/tmp") as folder:
        key = Path(folder) / "key"
        key.touch(mode=0o600)
        key.write_bytes(b64decode(settings["key"]).rstrip() + b"\n")
        options = ["ExitOnForwardFailure=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        options += ["IdentitiesOnly=yes", f"ServerAliveInterval={settings['server_alive_period']}"]
        options += [f"ServerAliveCountMax={settings['server_alive_failures']}"]
        argv = [settings["ssh_executable"], "-tt", "-i", str(key), *(f"-o{option}" for option in options)]
        argv += [
            "-R",
            f"0:{settings['forward_to_host']}:{settings['forward_to_port']}",
            "-p",
            str(settings["server_port"]),
        ]
        argv += ["--", f"zenith@{settings['server_address']}"]
        LOG.debug("%s", argv)
        return run_tunnel(argv, settings)


def main() -> int:
    """Run the command line."""
    if sys.argv[1:] != ["connect"]:
        sys.exit("usage: zenith-client connect")
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    for number in SIGNALS:
        signal.signal(number, interrupt)
    try:
        settings = configuration(os.environ)
        LOG.setLevel(logging.DEBUG if settings["debug"] else logging.INFO)
        return connect(settings)
    except TunnelError as error:
        LOG.error("%s", "\n".join(f"zenith-client: {sentence}" for sentence in error.args))  # noqa: TRY400 - sentences
    except OSError as error:
        LOG.error("zenith-client: cannot start the tunnel: %s", error.strerror)  # noqa: TRY400
    return 1


if __name__ == "__main__":
    sys.exit(main())
