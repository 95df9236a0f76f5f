"""The configuration of the Zenith client: what is refused, warned about and accepted."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubpod.environments import Environment, find_environment
from hubpod.settings import deploy_dir, key_files, zenith_config
from hubpod.settings.table import SETTINGS
from hubpod.settings.zenith_checks import EXAMPLE_SECRET
from support.deploy_dirs import SECRET, ZENITH, find_problem_of, find_problems_of, put

PROD = find_environment("prod")

TUNNEL = find_environment("dev_realauth_zenithclient")

DUMMY = find_environment("dev_dummyauth")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [", ":1: is not YAML"),
        ("- a", ":1: the document must be a mapping"),
        (ZENITH + "serverAddress: other\n", ":9: serverAddress: is in the file twice"),
        (ZENITH + "server_address: other\n", ":9: serverAddress: is in the file twice"),
        (ZENITH.replace("serverAddress", "# "), ": serverAddress: is missing"),
        (ZENITH.replace("ssh.example", "ssh.example:22"), ":2: serverAddress: must be a host name or address alone"),
        (ZENITH.replace("ssh.example", "ssh.example:2222"), ":2: serverAddress: must be a host name or address alone"),
        (ZENITH.replace("ssh.example", "'[2001:db8::1]'"), ":2: serverAddress: must be a host name or address alone"),
        (ZENITH.replace("ssh.example", "zenith@ssh.example"), ":2: serverAddress: must have no user"),
        (ZENITH.replace("ssh.example", "https://ssh.example"), ":2: serverAddress: must be a host name or address, "),
        (ZENITH.replace("ssh.example", "localhost"), ":2: serverAddress: is the client's own container"),
        (ZENITH.replace("ssh.example", "127.0.0.1"), ":2: serverAddress: is the client's own container"),
        (ZENITH.replace("ssh.example", "~"), ": serverAddress: is missing"),
        (ZENITH.replace("ssh.example", ""), ": serverAddress: is missing"),
        (ZENITH + "serverPort: 0\n", ":9: serverPort: must be a number from 1 to 65535"),
        (ZENITH + "serverPort: 65536\n", ":9: serverPort: must be a number"),
        (ZENITH + "serverPort: ssh\n", ":9: serverPort: must be a number"),
        (ZENITH.replace("https://", ""), ":4: authOidcIssuer: must be a URL"),
        (ZENITH.replace("authOidcClientId", "# "), ":4: authOidcIssuer: needs authOidcClientId beside it"),
        (ZENITH.replace("authOidcClientSecret", "# "), ":4: authOidcIssuer: needs authOidcClientSecret beside it"),
        (ZENITH.replace("authOidcClient", "# "), ":4: authOidcIssuer: needs authOidcClientId and authOidcClientSecret"),
        (ZENITH.replace(SECRET, "~"), ":4: authOidcIssuer: needs authOidcClientSecret beside it"),
        (ZENITH.replace("authOidcIssuer", "# "), ":5: authOidcClientId: needs authOidcIssuer"),
        (ZENITH.replace(SECRET, "''"), ":6: authOidcClientSecret: must be one line of text"),
        (ZENITH.replace(SECRET, "12345678"), ":6: authOidcClientSecret: must be one line of text, in quotes"),
        (ZENITH.replace(SECRET, EXAMPLE_SECRET), ":6: authOidcClientSecret: is the documented example"),
        (ZENITH + "skipAuth: true\n", ":9: skipAuth: would let unauthenticated clients through"),
        (ZENITH + "skip_auth: 'yes'\n", ":9: skipAuth: would let unauthenticated clients through"),
        (ZENITH.replace(SECRET, "exampleoidcsecret"), ":6: authOidcClientSecret: is the documented example"),
        (ZENITH + "skipAuth: !include other.yaml\n", ":9: skipAuth: reads another file by `!include`"),
        (ZENITH + "logging: {loggers: !include other.yaml}\n", ":9: logging: reads another file by `!include`"),
        (ZENITH + "unknown: [!include other.yaml]\n", ":9: unknown: reads another file by `!include`"),
        ("!include other.yaml", ":1: the document must be a mapping"),
        (ZENITH + "x: &x {a: b}\n<<: *x\n", ":10: <<: is a merge key"),
        (ZENITH + "livenessPath: 2026-99-99\n", ":9: livenessPath: has a value that YAML cannot read"),
        (ZENITH + "internal: true\n", ":9: internal: would give the hub neither an address nor a login"),
        (ZENITH + "internal: 'on'\n", ":9: internal: would give the hub neither an address nor a login"),
        (ZENITH + "internal: perhaps\n", ":9: internal: must be true or false"),
        (ZENITH + "tlsCertData: QUJD\n", ":9: tlsCertData: needs tlsKeyData beside it"),
        (ZENITH + "tls_key_data: QUJD\n", ":9: tlsKeyData: needs tlsCertData beside it"),
        (ZENITH + "tlsClientCaData: '***'\n", ":9: tlsClientCaData: must be the file in base64"),
        (ZENITH + "tlsClientCaData: -----BEGIN CERTIFICATE-----\n", ":9: tlsClientCaData: must be the file in base64"),
        (ZENITH + "authExternalParams: [a]\n", ":9: authExternalParams: must be a mapping"),
        (ZENITH + "authExternalParams: {a: b}\n", ":9: authExternalParams: has a name that is not"),
        (ZENITH + "authExternalParams: {Tenancy: b}\n", ":9: authExternalParams: has a name that is not"),
        (ZENITH + "authExternalParams: {tenancy-: b}\n", ":9: authExternalParams: has a name that is not"),
        (ZENITH + "authExternalParams: {9lives: b}\n", ":9: authExternalParams: has a name that is not"),
        (ZENITH + "authExternalParams: {1: b}\n", ":9: authExternalParams: has a name that is not"),
        (ZENITH + f"authExternalParams: {{{'a' * 51}: b}}\n", ":9: authExternalParams: has a name that is not"),
        (ZENITH + "authExternalParams: {tenancy: 5}\n", ":9: authExternalParams: must have texts"),
        (ZENITH + "authExternalParams: {tenancy: yes}\n", ":9: authExternalParams: must have texts"),
        (ZENITH + "authOidcAllowedGroups: [a b]\n", ":9: authOidcAllowedGroups: must be a list of names"),
        (ZENITH + "authOidcAllowedGroups: {a: b}\n", ":9: authOidcAllowedGroups: must be a list of names"),
        (ZENITH + "readTimeout: 0\n", ":9: readTimeout: must be a number from 1"),
        (ZENITH + "serverAlivePeriod: 10s\n", ":9: serverAlivePeriod: must be a number from 1"),
        (ZENITH + "configureTimeout: true\n", ":9: configureTimeout: must be a number from 1"),
        (ZENITH + "livenessPath: jupyter\n", ":9: livenessPath: must be a path"),
        (ZENITH + "logging: WARNING\n", ":9: logging: must be a mapping as Python's"),
        (ZENITH + "logging: {loggers: {zenith: WARNING}}\n", ":9: logging: must be a mapping as Python's"),
        (ZENITH + "sshIdentityPath: /key\n", ":9: sshIdentityPath: is decided by hubpod"),
        (ZENITH + f"ssh_private_key_data: {SECRET}\n", ":9: sshPrivateKeyData: is decided by hubpod"),
        (ZENITH + "runAsUser: 1000\n", ":9: runAsUser: is decided by hubpod"),
        (ZENITH + "sshExecutable: /bin/ssh\n", ":9: sshExecutable: is decided by hubpod"),
        (ZENITH + "forwardToHost: 192.0.2.1\n", ":9: forwardToHost: is decided by hubpod"),
        (ZENITH + "forwardToPort: 8081\n", ":9: forwardToPort: is decided by hubpod"),
        (ZENITH + "tlsCertFile: /cert\n", ":9: tlsCertFile: names a file, and hubpod does not mount such files"),
        (ZENITH + "backendProtocol: https\n", ":9: backendProtocol: is decided by hubpod"),
        ("{serverAddress: x, authOidcClientSecret:" + SECRET + "}", ":1: has a key that is not a word"),
        (f"serverAddress: x\nauthOidcClientSecret: *{SECRET}", ":2: is not YAML: a value starts with *"),
        (f"serverAddress: x\nauthOidcClientSecret: !{SECRET} x", ":2: authOidcClientSecret: has a YAML tag"),
    ],
)
def test_a_wrong_zenith_configuration_is_reported_by_line_and_key(directory: Path, text: str, line: str) -> None:
    """Each problem names line and key, and never a secret value."""
    lines = find_problems_of(directory, "zenith_client_config.yaml", text)

    assert lines[0].startswith(f"{directory / 'zenith_client_config.yaml'}{line}")
    assert SECRET not in "\n".join(lines)


@pytest.mark.parametrize(
    "more",
    [
        "forwardToHost: localhost\nforward_to_port: 8000\n",
        "serverPort: '2222'\nskipAuth: false\ninternal: no\nbackendProtocol: http\n",
        "authOidcAllowedGroups: [/staff, users]\nauthExternalParams: {tenancy_id: b}\nlogging: {version: 1}\n",
        "auth_oidc_allowed_groups: /staff,users\nrunAsUser: 1001\nregistrarUrl: https://registrar.example\ntoken: x\n",
        "serverPort: ~\nskipAuth:\nlogging: null\n",
        "livenessPath: /jupyter/hub/health\nlivenessPeriod: 5\nserverAliveFailures: 3\n",
        "tlsCertData: |\n  QUJD\n  QUJD\ntlsKeyData: QUJD\n",
    ],
)
def test_other_keys_of_the_zenith_client_are_accepted(directory: Path, more: str) -> None:
    """Keys that do not contradict hubpod are accepted in both spellings.

    The spellings are camel case and snake case. Such keys cause no warning.
    """
    assert not find_problem_of(directory, "zenith_client_config.yaml", ZENITH + more)


def test_keys_that_the_zenith_client_does_not_know_are_warned_about(directory: Path) -> None:
    """A misspelt key causes a warning with file, line, key and a suggestion.

    Known keys cause none.
    """
    path = put(directory, "zenith_client_config.yaml", ZENITH + "serverAdress: other\nserver_prt: 22\ninternal: no\n")

    warnings = deploy_dir.load(directory, PROD, SETTINGS).warnings

    text = "is not a known key of the Zenith client; did you mean"
    assert warnings[:2] == (
        f"{path}:9: serverAdress: {text} 'serverAddress'?",
        f"{path}:10: server_prt: {text} 'serverPort'?",
    )
    assert len(warnings) == 3


def test_a_hub_with_its_own_login_may_skip_the_front_doors(directory: Path) -> None:
    """The key skipAuth is refused only if the hub relies on the front door's token."""
    environment = Environment(name="x", stage=DUMMY.stage, login=DUMMY.login, slurm=DUMMY.slurm, ingress=TUNNEL.ingress)
    put(directory, "zenith_client_config.yaml", ZENITH + "skipAuth: true\n")

    assert not key_files.read(directory, environment, None)[1]


def test_the_example_configuration_needs_only_a_secret(directory: Path) -> None:
    """The example of the Zenith configuration is valid with a secret of the site's own."""
    assert "documented example" in find_problem_of(directory, "zenith_client_config.yaml", zenith_config.EXAMPLE)
    text = zenith_config.EXAMPLE.replace(EXAMPLE_SECRET, SECRET)
    assert not find_problem_of(directory, "zenith_client_config.yaml", text)


def test_the_issuer_of_the_front_door_is_read_in_either_spelling() -> None:
    """The issuer is read in camel case and in snake case.

    It is empty if the Zenith server decides.
    """
    assert zenith_config.issuer_of(b"serverAddress: z\nauthOidcIssuer: https://a.example/r\n") == "https://a.example/r"
    assert zenith_config.issuer_of(b"server_address: z\nauth_oidc_issuer: https://b.example\n") == "https://b.example"
    assert not zenith_config.issuer_of(b"serverAddress: z\n")


LOGGED = """\
logging:
  disable_existing_loggers: true
  handlers: {file: {class: logging.NullHandler}}
  loggers:
    "": {level: WARNING, handlers: [file]}
    zenith.client: {level: ERROR, propagate: false}
"""


@pytest.mark.parametrize(
    "more",
    [
        "",
        "logging: {version: 1}\n",
        LOGGED,
        "logging: {loggers: {zenith.client.tunnel: {level: CRITICAL}}}\n",
        "logging: {loggers: {'': {level: 30}}, handlers: {stdout: {level: WARNING}}}\n",
    ],
)
def test_the_line_of_the_tunnel_is_logged_whatever_the_site_logs(directory: Path, more: str) -> None:
    """The client's own defaults and the delivered configuration print the tunnel's message at level INFO."""
    put(directory, "zenith_client_config.yaml", ZENITH + more)
    content = deploy_dir.load(directory, PROD, SETTINGS).key_files.zenith_client_config or b""
    delivered = yaml.safe_load(content)
    program = f"import json, logging.config, sys; logger = logging.getLogger({zenith_config.TUNNEL_LOGGER!r}); "
    program += "logging.config.dictConfig(json.load(sys.stdin)); logger.info('the tunnel stands')"
    config = with_defaults_of_the_client(delivered.get("logging", {}))

    answer = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(config), capture_output=True, text=True, check=True
    )

    assert "the tunnel stands" in answer.stdout
    assert delivered["authOidcClientSecret"] == SECRET


def with_defaults_of_the_client(given: dict[str, Any]) -> dict[str, Any]:
    """Complete a configuration of logging as the client does (configomatic 0.4.0, logging.py)."""
    streams = {name: {"class": "logging.StreamHandler", "stream": f"ext://sys.{name}"} for name in ("stdout", "stderr")}
    streams["stderr"]["level"] = "WARNING"
    root = {"handlers": ["stdout", "stderr"], "level": "INFO"}
    handlers, loggers = given.get("handlers", {}), given.get("loggers", {})
    return {
        "version": 1,
        "disable_existing_loggers": given.get("disable_existing_loggers", False),
        "formatters": {"default": {"format": "%(message)s"}},
        "handlers": {name: {**streams.get(name, {}), **handlers.get(name, {})} for name in {**streams, **handlers}},
        "loggers": {**loggers, "": {**root, **loggers.get("", {})}},
    }


def test_a_more_talkative_level_is_kept(directory: Path) -> None:
    """The delivered configuration adds a level only where the site's own would hide the message."""
    put(directory, "zenith_client_config.yaml", ZENITH + "logging: {loggers: {zenith: {level: DEBUG}}}\n")

    content = deploy_dir.load(directory, PROD, SETTINGS).key_files.zenith_client_config or b""

    assert "level" not in yaml.safe_load(content)["logging"]["loggers"][zenith_config.TUNNEL_LOGGER]


def test_the_client_gets_the_file_as_it_is_without_null_and_logging(directory: Path) -> None:
    """The client refuses null for most keys, so that such keys are left out of the file; comments stay otherwise."""
    put(directory, "zenith_client_config.yaml", ZENITH)
    assert deploy_dir.load(directory, PROD, SETTINGS).key_files.zenith_client_config == ZENITH.encode()

    put(directory, "zenith_client_config.yaml", ZENITH + "server_port:\nauthOidcAllowedGroups: ~\nread_timeout: 5\n")

    delivered = yaml.safe_load(deploy_dir.load(directory, PROD, SETTINGS).key_files.zenith_client_config or b"")
    assert delivered == yaml.safe_load(ZENITH) | {"read_timeout": 5}
