#!/usr/bin/python3
"""The Zenith server of the test harness: a real sshd, its two commands, and a front door.

    zenith-sshd serve              run sshd on port 2222 and the front door on port 8080, which relays connections byte
                                   by byte to the tunnel of the subdomain `jupyter`, as the real front door does after
                                   a login; without a tunnel it closes them
    zenith-sshd keys TYPE KEY      AuthorizedKeysCommand of sshd: print a line of authorized_keys for a known key
    zenith-sshd tunnel SUBDOMAIN   forced command of a key: request the tunnel's configuration, check it, and record
                                   the tunnel's port for as long as the tunnel exists

Known keys are lines `SUBDOMAIN TYPE KEY` of a file in the credentials.
"""

import argparse
import asyncio
import base64
import json
import logging
import os
import pwd
import random
import re
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

LOG = logging.getLogger("zenith-sshd")
KEYS = Path("/etc/hubpod/credentials/zenith_keys")
RECORDS = Path("/run/zenith")
SSHD = ("/usr/sbin/sshd", "-D", "-e", "-f", "/etc/ssh/zenith_sshd_config")
USER = "zenith"
SUBDOMAIN = "jupyter"
RELAY_PORT = 8080
FIRST_PORT, END_OF_PORTS = 1024, 49152
PATIENCE_S = 5
CHUNK_BYTES = 65536
DISCOVERY = "ZENITH_DISCOVERY"
DELAY = "ZENITH_DELAY"
DELAYS_S = (1.4, 2.5)
"""Seconds in which real servers request the configuration of a tunnel."""
ENDS = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT}


class RefusedError(Exception):
    """The tunnel is refused; the text is a sentence."""


def is_text(value: object) -> bool:
    """Whether the value is a text that is not empty."""
    return isinstance(value, str) and bool(value)


def is_amount(value: object) -> bool:
    """Whether the value is an integer above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


KNOWN: Mapping[str, Callable[[object], bool]] = {
    "allocated_port": is_amount,
    "backend_protocol": lambda value: value in {"http", "https", "ssh"},
    "read_timeout": is_amount,
    "skip_auth": lambda value: isinstance(value, bool),
    "internal": lambda value: isinstance(value, bool),
    "auth_oidc_issuer": is_text,
    "auth_oidc_client_id": is_text,
    "auth_oidc_client_secret": is_text,
    "auth_oidc_allowed_groups": lambda value: isinstance(value, list) and all(map(is_text, value)),
    "auth_external_params": lambda value: isinstance(value, dict) and all(map(is_text, value.values())),
    "tls_cert": is_text,
    "tls_key": is_text,
    "tls_client_ca": is_text,
    "liveness_path": is_text,
    "liveness_period": is_amount,
    "liveness_failures": is_amount,
}


def keys(kind: str, key: str, file: Path) -> None:
    """Print the restrictions of a key and the key, if it is known."""
    for line in file.read_text().splitlines():
        subdomain, *known = line.split()
        if known[:2] == [kind, key]:
            print(f'restrict,port-forwarding,pty,command="zenith-sshd tunnel {subdomain}" {kind} {key}')  # noqa: T201


def request_configuration(*, delay: bool) -> dict[str, object]:
    """Request the configuration from the client, as late as a real server, and confirm it."""

    def give_up(*_: object) -> None:
        raise RefusedError(f"the configuration did not come within {PATIENCE_S} s")

    if delay:
        time.sleep(random.uniform(*DELAYS_S))  # noqa: S311 - not for security
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE_S)
    print("SEND_CONFIGURATION", flush=True)  # noqa: T201 - the protocol
    lines: list[str] = []
    for line in sys.stdin:
        if line.strip() == "END_CONFIGURATION":
            break
        lines.append(line.strip())
    else:
        raise RefusedError("the configuration has no end")
    signal.alarm(0)
    try:
        configuration = json.loads(base64.b64decode("".join(lines), validate=True))
    except ValueError:
        raise RefusedError("the configuration is not JSON in base64") from None
    if not isinstance(configuration, dict):
        raise RefusedError("the configuration is not a mapping")
    print("RECEIVED_CONFIGURATION", flush=True)  # noqa: T201 - the protocol
    return configuration


def check(configuration: Mapping[str, object], *, discovery: bool) -> int:
    """Return the tunnel's port, or raise RefusedError."""
    for name, value in configuration.items():
        if name not in KNOWN:
            raise RefusedError(f"unknown key {name}")
        if not KNOWN[name](value):
            raise RefusedError(f"{name} has an invalid value")
    port = configuration.get("allocated_port", 0)
    if not isinstance(port, int) or not FIRST_PORT <= port < END_OF_PORTS:
        raise RefusedError(f"allocated_port is not from {FIRST_PORT} to {END_OF_PORTS - 1}")
    if not is_listening(port):
        raise RefusedError("no program listens on allocated_port")
    if "tls_cert" in configuration and "tls_key" not in configuration:
        raise RefusedError("tls_cert needs a tls_key")
    issuer = str(configuration.get("auth_oidc_issuer", ""))
    if issuer and not {"auth_oidc_client_id", "auth_oidc_client_secret"} <= configuration.keys():
        raise RefusedError("auth_oidc_issuer needs auth_oidc_client_id and auth_oidc_client_secret")
    if issuer and discovery:
        discover(issuer)
    return port


def is_listening(port: int) -> bool:
    """Whether a program listens on the port: only then does binding with SO_REUSEADDR fail."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def discover(issuer: str) -> None:
    """Raise RefusedError unless the issuer publishes its discovery document."""
    if not re.match("https?://", issuer):
        raise RefusedError("auth_oidc_issuer is not an http or https URL")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{issuer.rstrip('/')}/.well-known/openid-configuration", timeout=PATIENCE_S) as answer:
            document = json.load(answer)
    except (OSError, ValueError) as error:
        raise RefusedError(f"cannot fetch the discovery document of auth_oidc_issuer: {error}") from None
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        raise RefusedError("the discovery document of auth_oidc_issuer names another issuer")


def tunnel(subdomain: str, records: Path, *, discovery: bool, delay: bool) -> int:
    """Run the forced command of a tunnel until the tunnel ends."""
    if not re.fullmatch(r"[a-z0-9-]+", subdomain):
        raise RefusedError("a subdomain consists of lower-case letters, digits and hyphens")
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    port = check(request_configuration(delay=delay), discovery=discovery)
    record, draft = records / subdomain, records / f".{subdomain}.{os.getpid()}"
    draft.write_text(f"{port}\n")
    draft.replace(record)
    signal.sigwait(ENDS)
    with suppress(FileNotFoundError):
        if record.read_text() == f"{port}\n":  # otherwise it belongs to a newer tunnel
            record.unlink()
    return 0


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward bytes in one direction until the end of the stream."""
    with suppress(OSError):
        while content := await reader.read(CHUNK_BYTES):
            writer.write(content)
            await writer.drain()
        writer.write_eof()


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Relay a client to the tunnel until the other end closes the connection."""
    try:
        port = int((RECORDS / SUBDOMAIN).read_text())
        behind_reader, behind = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, ValueError):
        writer.transport.abort()
        return
    question = asyncio.create_task(carry(reader, behind))
    await carry(behind_reader, writer)
    question.cancel()
    for each in (writer, behind):
        each.close()


def prepare() -> pwd.struct_passwd:
    """Create the required directories and return the user of the tunnels."""
    user = pwd.getpwnam(USER)
    Path("/run/sshd").mkdir(exist_ok=True)
    RECORDS.mkdir(mode=0o700, exist_ok=True)
    os.chown(RECORDS, user.pw_uid, user.pw_gid)
    return user


async def serve(user: pwd.struct_passwd, discovery: str, delay: str) -> int:
    """Run sshd and the front door until SIGTERM."""
    variables = f"SetEnv={DISCOVERY}={discovery} {DELAY}={delay}"
    sshd = await asyncio.create_subprocess_exec(*SSHD, "-o", variables)
    os.setegid(user.pw_gid)  # the user owns the records; the real uid stays root, to signal sshd
    os.seteuid(user.pw_uid)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, sshd.terminate)
    async with await asyncio.start_server(relay, "0.0.0.0", RELAY_PORT):  # noqa: S104 - a container of its own
        LOG.info("tunnels on port 2222, front door on port %d", RELAY_PORT)
        return abs(await sshd.wait())


def main() -> int:
    """Run the command line."""
    logging.basicConfig(stream=sys.stderr, format="zenith-sshd: %(message)s", level=logging.INFO)
    parser = argparse.ArgumentParser(prog="zenith-sshd", description="the Zenith server of the test harness")
    parser.add_argument("command", choices=["serve", "keys", "tunnel"])
    parser.add_argument("words", nargs="*", help="TYPE and KEY, or SUBDOMAIN")
    parser.add_argument("--keys", type=Path, default=KEYS, help="file with the known keys")
    parser.add_argument("--records", type=Path, default=RECORDS, help="directory for the ports of tunnels")
    chosen = os.environ.get(DISCOVERY, "check")
    parser.add_argument(
        "--discovery",
        choices=["check", "skip"],
        default=chosen,
        help="whether to fetch the discovery document of the issuer",
    )
    parser.add_argument(
        "--delay",
        choices=["real", "none"],
        default=os.environ.get(DELAY, "real"),
        help="whether to request the configuration as late as a real server",
    )
    given = parser.parse_args()
    try:
        match given.command, given.words:
            case "serve", []:
                return asyncio.run(serve(prepare(), given.discovery, given.delay))
            case "keys", [kind, key]:
                keys(kind, key, given.keys)
                return 0
            case "tunnel", [subdomain]:
                return tunnel(
                    subdomain, given.records, discovery=given.discovery == "check", delay=given.delay == "real"
                )
            case _:
                parser.error("wrong number of words")
    except RefusedError as error:
        LOG.error("%s", error)  # noqa: TRY400 - a sentence, not a traceback
        return 1


if __name__ == "__main__":
    sys.exit(main())
