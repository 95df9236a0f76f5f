"""The configuration of the Zenith client: what is refused, warned about and accepted."""

from pathlib import Path

import pytest

from hubpod.environments import Environment, find_environment
from hubpod.settings import deploy_dir, key_files, zenith_config
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
        (ZENITH.replace("ssh.example", "ssh.example:22"), ":2: serverAddress: must be a host name"),
        (ZENITH + "serverPort: 0\n", ":9: serverPort: must be a number from 1 to 65535"),
        (ZENITH + "serverPort: 65536\n", ":9: serverPort: must be a number"),
        (ZENITH + "serverPort: ssh\n", ":9: serverPort: must be a number"),
        (ZENITH.replace("https://", ""), ":4: authOidcIssuer: must be a URL"),
        (ZENITH.replace("authOidcClientId", "# "), ":6: authOidcClientSecret: needs authOidcClientId"),
        (ZENITH.replace("authOidcClientSecret", "# "), ":5: authOidcClientId: needs authOidcClientSecret"),
        (ZENITH.replace("authOidcIssuer", "# "), ":5: authOidcClientId: needs authOidcIssuer"),
        (ZENITH.replace(SECRET, "12345678"), ":6: authOidcClientSecret: must be one line of text, in quotes"),
        (ZENITH.replace(SECRET, zenith_config.EXAMPLE_SECRET), ":6: authOidcClientSecret: is the documented example"),
        (ZENITH + "skipAuth: true\n", ":9: skipAuth: would let unauthenticated clients through"),
        (ZENITH + "skip_auth: 'yes'\n", ":9: skipAuth: would let unauthenticated clients through"),
        (ZENITH + "skipAuth: !include other.yaml\n", ":9: skipAuth: must be true or false"),
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
        (f"serverAddress: x\nauthOidcClientSecret: !{SECRET} x", ":2: authOidcClientSecret: must be one line"),
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
        "authOidcAllowedGroups: [/staff, users]\nauthExternalParams: {a: b}\nlogging: {version: 1}\n",
        "livenessPath: /jupyter/hub/health\nlivenessPeriod: 5\nserverAliveFailures: 3\n",
        "tlsCertData: |\n  QUJD\n  QUJD\n",
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

    warnings = deploy_dir.load(directory, PROD).warnings

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
    text = zenith_config.EXAMPLE.replace(zenith_config.EXAMPLE_SECRET, SECRET)
    assert not find_problem_of(directory, "zenith_client_config.yaml", text)


def test_the_issuer_of_the_front_door_is_read_in_either_spelling() -> None:
    """The issuer is read in camel case and in snake case.

    It is empty if the Zenith server decides.
    """
    assert zenith_config.issuer_of(b"serverAddress: z\nauthOidcIssuer: https://a.example/r\n") == "https://a.example/r"
    assert zenith_config.issuer_of(b"server_address: z\nauth_oidc_issuer: https://b.example\n") == "https://b.example"
    assert not zenith_config.issuer_of(b"serverAddress: z\n")
