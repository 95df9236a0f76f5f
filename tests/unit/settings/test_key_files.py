"""The files beside the deploy ConfigMap, with real keys."""

import base64
import hashlib
import hmac
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

import reference
from hubpod.components import slurm
from hubpod.environments import ENVIRONMENTS, Environment, find_environment
from hubpod.errors import SettingsError
from hubpod.settings import credentials, deploy_configmap, deploy_dir, key_files, zenith_config

PROD = find_environment("prod")
EXTERNAL = find_environment("dev_dummyauth_extslurm")
TUNNEL = find_environment("dev_realauth_zenithclient")
DUMMY = find_environment("dev_dummyauth")
HOST = "ssh.example.org"
SECRET = "hunter2-of-the-client"

OPENSSH = serialization.PrivateFormat.OpenSSH
PKCS8 = serialization.PrivateFormat.PKCS8
PEM = serialization.PrivateFormat.TraditionalOpenSSL
PLAIN = serialization.NoEncryption()
LOCKED = serialization.BestAvailableEncryption(b"passphrase")

Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))  # part of test ids, so the same in each run
P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)


def private(
    key: Key,
    form: serialization.PrivateFormat = OPENSSH,
    encryption: serialization.KeySerializationEncryption = PLAIN,
) -> bytes:
    """A private key's file."""
    return key.private_bytes(serialization.Encoding.PEM, form, encryption)


def public(key: Key) -> bytes:
    """Type and base64 of a public key."""
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)


def hashed(host: str) -> str:
    """A host's name as ssh-keygen -H writes it."""
    salt = bytes(range(20))
    digest = hmac.digest(salt, host.encode(), hashlib.sha1)
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


PINNED = public(ED25519).decode()
FILES = {
    "ssh_client_key": private(ED25519),
    "ssh_client_key.pub": public(ED25519) + b" hub@site\n",
    "ssh_known_hosts": f"{HOST} {PINNED} root@{HOST}\n".encode(),
    "ssh_zenith_client_key": private(P256),
    "ssh_zenith_client_key.pub": public(P256),
    "zenith_client_config.yaml": (
        "# Zenith SSHD server address\nserverAddress: ssh.example\n\n"
        "authOidcIssuer: https://keycloak.example/realms/name\nauthOidcClientId: example-client-name\n"
        f"authOidcClientSecret: {SECRET}\n\ndebug: true\n"
    ).encode(),
}
ZENITH = FILES["zenith_client_config.yaml"].decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A deploy directory in which all is right, for every environment."""
    text = deploy_configmap.example(PROD).replace("change-this-password", "a-password-of-this-site")
    (tmp_path / deploy_configmap.FILE_NAME).write_text(text)
    for name, content in FILES.items():
        put(tmp_path, name, content)
    return tmp_path


def put(folder: Path, name: str, content: bytes | str) -> Path:
    """Write one file, of mode 0600."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)
    return path


def told(folder: Path) -> list[str]:
    """All that is wrong with the files, for production, which needs them all."""
    return [f"{each.message}; {each.remedy}" for each in key_files.read(folder, PROD, HOST)[1]]


def told_of(folder: Path, name: str, content: bytes | str) -> str:
    """The one problem that there is when a file has this content; empty when there is none."""
    lines = told_of_each(folder, name, content)
    assert len(lines) < 2
    return "".join(lines)


def told_of_each(folder: Path, name: str, content: bytes | str) -> list[str]:
    """All problems that there are when a file, which then has no .pub beside it, has this content."""
    (folder / f"{name}.pub").unlink(missing_ok=True)
    return told(put(folder, name, content).parent)


def test_a_deploy_directory_with_all_files_is_read(folder: Path) -> None:
    """Production gets keys, known hosts and configuration as they lie there."""
    read = deploy_dir.load(folder, PROD).supplied

    assert read.ssh_client_key == FILES["ssh_client_key"]
    assert read.ssh_known_hosts == FILES["ssh_known_hosts"]
    assert read.zenith_client_key == FILES["ssh_zenith_client_key"]
    assert read.zenith_client_config == FILES["zenith_client_config.yaml"]
    assert read.unused == ()


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_each_environment_asks_for_its_own_files(tmp_path: Path, environment: Environment) -> None:
    """Of an empty folder an environment misses what its Slurm and its ingress need, and nothing else."""
    needed = {
        "dev_dummyauth_extslurm": ["ssh_client_key", "ssh_known_hosts"],
        "dev_realauth_zenithclient": ["ssh_zenith_client_key", "zenith_client_config.yaml"],
        "prod": ["ssh_client_key", "ssh_known_hosts", "ssh_zenith_client_key", "zenith_client_config.yaml"],
    }

    _, problems = key_files.read(tmp_path, environment, HOST)

    assert [each.path.name for each in problems] == needed.get(environment.name, [])
    assert all(each.text == "is missing" and each.remedy for each in problems)


def test_what_an_environment_does_not_need_is_told_and_not_checked(folder: Path) -> None:
    """Files of another environment are named as unused, whatever is in them."""
    put(folder, "ssh_zenith_client_key", "garbage")

    read, problems = key_files.read(folder, EXTERNAL, HOST)

    assert not problems
    assert read.unused == ("ssh_zenith_client_key", "ssh_zenith_client_key.pub", "zenith_client_config.yaml")
    assert read.zenith_client_key is None


def test_no_secret_is_in_a_repr(folder: Path) -> None:
    """What was read can end up in a traceback without showing a key or a client secret."""
    assert repr(deploy_dir.load(folder, PROD).supplied) == "Supplied(unused=())"


@pytest.mark.parametrize("name", [row.name for row in key_files.FILES])
def test_a_file_that_cannot_be_read_is_named(folder: Path, name: str) -> None:
    """Empty, a folder, a named pipe, a dangling link, too large: each is one sentence about that file."""
    path = folder / name
    makers: dict[str, Callable[[], object]] = {
        "is empty": lambda: path.write_bytes(b" \n"),
        "is a folder": path.mkdir,
        "is not a regular file": lambda: os.mkfifo(path),
        "is a link to nowhere, which is not there": lambda: path.symlink_to("nowhere"),
        "is larger than 1048576 bytes": lambda: path.write_bytes(b"#" * (1024 * 1024 + 1)),
    }
    for text, make in makers.items():
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        make()
        lines = told(folder)
        assert len(lines) == 1, lines
        assert lines[0].startswith(f"{path}: {text}; ")


def test_a_file_without_permission_is_named(folder: Path) -> None:
    """What another user has locked is told with the reason that the system gives."""
    folder.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # for root there are no locked files
    try:
        lines = told(folder)
    finally:
        os.seteuid(user)
        folder.chmod(0o700)

    assert [line.partition(": ")[2].partition(";")[0] for line in lines] == ["cannot be read: Permission denied"] * 4


@pytest.mark.parametrize(
    "content",
    [
        private(P256),
        private(P256, PKCS8),
        private(P256, PEM),
        private(ec.generate_private_key(ec.SECP384R1())),
        private(ec.generate_private_key(ec.SECP521R1())),
        private(RSA),
        private(RSA, PKCS8),
        private(RSA, PEM),
    ],
)
def test_keys_that_ssh_reads_are_accepted(folder: Path, content: bytes) -> None:
    """Ed25519, ECDSA and RSA are accepted in the formats in which OpenSSH 9.2 reads them."""
    assert not told_of(folder, "ssh_client_key", content)


def test_line_ends_that_ssh_refuses_are_mended(folder: Path) -> None:
    """A key with Windows line ends, or without the last one, reaches the hub as ssh wants it."""
    for content in (FILES["ssh_client_key"].replace(b"\n", b"\r\n"), FILES["ssh_client_key"].rstrip()):
        put(folder, "ssh_client_key", content)
        assert deploy_dir.load(folder, PROD).supplied.ssh_client_key == FILES["ssh_client_key"]


@pytest.mark.parametrize("key", [ED25519, P256, RSA], ids=["Ed25519", "ECDSA", "RSA"])
def test_an_instances_own_key_may_be_of_each_accepted_type(tmp_path: Path, key: Key) -> None:
    """A key that lies among an instance's credentials is used, and its public line derived."""
    tmp_path.joinpath("ssh_client_key").write_bytes(private(key))

    made = credentials.load_or_create(tmp_path, (slurm.CLIENT_KEY, slurm.HOST_KEY))

    assert credentials.ssh_public_line(made[slurm.CLIENT_KEY]) == public(key)


def sk_key() -> bytes:
    """The head of a private key that stays on a token."""

    def string(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    blob = b"openssh-key-v1\0" + string(b"none") * 2 + string(b"") + (1).to_bytes(4, "big")
    body = base64.b64encode(blob + string(string(b"sk-ssh-ed25519@openssh.com")))
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + body + b"\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (private(ED25519, encryption=LOCKED), "is encrypted with a passphrase"),
        (private(P256, PKCS8, LOCKED), "ssh-keygen -p -N '' -f "),
        (private(RSA, PEM, LOCKED), "is encrypted with a passphrase"),
        (public(ED25519), "is a public key"),
        pytest.param(
            RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1),
            "a public key",
            id="public PKCS#1",
        ),
        (b"ssh-ed25519-cert-v01@openssh.com AAAAIHNz", "is a certificate"),
        (b"-----BEGIN CERTIFICATE-----\n", "is a certificate"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519\n", "puttygen"),
        (b"garbage \xff\x00", "is not a private key in OpenSSH or PEM format"),
        (private(ED25519)[:200] + b"\n-----END OPENSSH PRIVATE KEY-----\n", "is a damaged private key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n!\n-----END OPENSSH PRIVATE KEY-----\n", "is a damaged private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is a damaged private key"),
        (private(ED25519, PKCS8), "PKCS#8"),
        (private(dsa.generate_private_key(1024), PEM), "the type DSA, which is not accepted"),  # noqa: S505
        (private(rsa.generate_private_key(65537, 1024)), "RSA of 1024 bits"),  # noqa: S505
        (private(ec.generate_private_key(ec.SECP256K1()), PEM), "ECDSA with secp256k1"),
        (sk_key(), "is not accepted: sk-ssh-ed25519 private keys cannot be loaded"),
    ],
)
def test_a_private_key_that_the_hub_cannot_use_is_refused(folder: Path, content: bytes, text: str) -> None:
    """Each kind of unfit key is told in a sentence with what to do."""
    line = told_of(folder, "ssh_client_key", content)

    assert line.startswith(f"{folder / 'ssh_client_key'}: ")
    assert text in line
    assert "FILE" not in line
    assert not line.endswith("; ")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_private_key_that_others_can_read_is_refused(folder: Path, mode: int) -> None:
    """A key that ssh itself refuses is no surprise later: the way out is told before anything starts."""
    path = folder / "ssh_zenith_client_key"
    path.chmod(mode)

    assert told(folder) == [f"{path}: can be read by others, and ssh refuses such a key; chmod 600 {path}"]


@pytest.mark.parametrize(
    ("content", "text"),
    [(public(RSA), "does not belong to the private key ssh_client_key"), (b"garbage", "is not a public key")],
)
def test_a_public_key_must_be_that_of_its_private_key(folder: Path, content: bytes, text: str) -> None:
    """The .pub that a site authorizes on its Slurm host is checked against the key that the hub uses."""
    (line,) = told(put(folder, "ssh_client_key.pub", content).parent)

    assert line.startswith(f"{folder / 'ssh_client_key.pub'}: {text}")


def test_an_unfit_private_key_is_told_once(folder: Path) -> None:
    """The .pub beside an unfit private key adds no second problem."""
    lines = told(put(folder, "ssh_client_key", "garbage").parent)

    assert len(lines) == 1


@pytest.mark.parametrize(
    "names",
    [
        HOST,
        HOST.upper(),
        f"other,{HOST},192.0.2.1",
        "*.example.org",
        "ssh.exampl?.org",
        "*.example.org,!login.example.org",
        hashed(HOST),
        f"@cert-authority *.example.org,{HOST}",
        f"  {HOST}",
        f"\r\n{HOST}",
        f"other.example.org {PINNED} a comment of words\r\n{HOST}",
    ],
)
def test_a_host_is_found_in_known_hosts_as_ssh_finds_it(folder: Path, names: str) -> None:
    """Lists, wildcards, exceptions, hashed names and certificate authorities count as entries."""
    assert not told_of(folder, "ssh_known_hosts", f"# comment\n\n{names} {PINNED} comment\r\n")
    assert not told_of(folder, "ssh_known_hosts", f"# comment\n\n{names}\t{PINNED} comment\n")


@pytest.mark.parametrize(
    "text",
    [
        "# nothing",
        f"other.example.org {PINNED}",
        f"#{HOST} {PINNED}",
        f"*.example.org,!{HOST} {PINNED}",
        f"!login.example.org {PINNED}",
        f"{hashed('other.example.org')} {PINNED}",
        f"@revoked {HOST} {PINNED}",
        f"{HOST} {PINNED}\n@revoked * {PINNED}",
        f"[{HOST}]:2222 {PINNED}",
    ],
)
def test_known_hosts_without_the_host_are_refused(folder: Path, text: str) -> None:
    """What ssh would not accept as a key of sshHostname does not count as an entry."""
    line = told_of(folder, "ssh_known_hosts", text)

    assert f"has no key that ssh would accept for sshHostname {HOST}" in line
    assert (f"only for [{HOST}]:2222" in line) is ("2222" in text)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (HOST, "must have host names, key type and key"),
        (f"@trusted {HOST} {PINNED}", "neither @cert-authority nor @revoked"),
        (f"{HOST} ssh-rsa {PINNED.split()[1]}", "cannot be read as one of its type"),
        (f"{HOST} ssh-ed25519 AAAA", "cannot be read"),
        (f"{HOST} ssh-ed25519 {PINNED.split()[1][:40]}", "cannot be read"),
        (f"{HOST} ssh-ed25519 nobase64!", "cannot be read"),
        (f"|1|short|short {PINNED}", "has a hashed host name that cannot be read"),
        (f"|2|a|b|c {PINNED}", "has a hashed host name that cannot be read"),
        (f"{HOST} 1024 35 1234567", "cannot be read"),
    ],
)
def test_a_malformed_line_of_known_hosts_is_named_by_its_number(folder: Path, line: str, text: str) -> None:
    """A line that ssh would silently pass over is told, also when another one has the host."""
    told_line = told_of(folder, "ssh_known_hosts", f"{HOST} {PINNED}\n{line}\n")

    assert told_line.startswith(f"{folder / 'ssh_known_hosts'}:2: ")
    assert text in told_line


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
        (f"serverAddress: x\nauthOidcClientSecret: *{SECRET}", ":2: is not YAML: found undefined alias"),
        (f"serverAddress: x\nauthOidcClientSecret: !{SECRET} x", ":2: authOidcClientSecret: must be one line"),
    ],
)
def test_a_wrong_zenith_configuration_is_told_by_line_and_key(folder: Path, text: str, line: str) -> None:
    """Each mistake is told with its place, and no secret value with it."""
    lines = told_of_each(folder, "zenith_client_config.yaml", text)

    assert lines[0].startswith(f"{folder / 'zenith_client_config.yaml'}{line}")
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
def test_what_the_zenith_client_takes_is_accepted(folder: Path, more: str) -> None:
    """Keys of the client that do not contradict hubpod may be written, in either case."""
    assert not told_of(folder, "zenith_client_config.yaml", ZENITH + more)


def test_keys_that_the_zenith_client_does_not_know_are_warned_about(folder: Path) -> None:
    """A misspelt key is a warning that names file, line and key and suggests a known one; known keys are not."""
    path = put(folder, "zenith_client_config.yaml", ZENITH + "serverAdress: other\nserver_prt: 22\ninternal: no\n")

    warnings = deploy_dir.load(folder, PROD).warnings

    text = "is not a known key of the Zenith client; did you mean"
    assert warnings == (
        f"{path}:9: serverAdress: {text} 'serverAddress'?",
        f"{path}:10: server_prt: {text} 'serverPort'?",
    )


def test_a_hub_with_its_own_login_may_skip_the_front_doors(folder: Path) -> None:
    """The key skipAuth is refused only where the hub relies on the front door's token."""
    environment = Environment(name="x", stage=DUMMY.stage, login=DUMMY.login, slurm=DUMMY.slurm, ingress=TUNNEL.ingress)
    put(folder, "zenith_client_config.yaml", ZENITH + "skipAuth: true\n")

    assert not key_files.read(folder, environment, "")[1]


def test_all_problems_of_a_deploy_directory_are_told_at_once(folder: Path) -> None:
    """ConfigMap, keys, known hosts and Zenith configuration: one error lists every problem, each with its file."""
    path = folder / deploy_configmap.FILE_NAME
    path.write_text(path.read_text().replace("http://hub", "hub"))
    (folder / "ssh_client_key").unlink()
    put(folder, "ssh_known_hosts", f"{HOST}\n")
    put(folder, "zenith_client_config.yaml", ZENITH + "runAsUser: 0\n")

    with pytest.raises(SettingsError) as caught:
        deploy_dir.load(folder, PROD)

    error = caught.value
    assert error.message == f"5 problems in {folder}"
    assert [line.partition(" ")[0] for line in error.detail] == [
        f"{path}:15:",
        f"{folder / 'ssh_client_key'}:",
        f"{folder / 'ssh_known_hosts'}:1:",
        f"{folder / 'ssh_known_hosts'}:",
        f"{folder / 'zenith_client_config.yaml'}:9:",
    ]


def test_a_missing_configmap_does_not_hide_the_other_problems(folder: Path) -> None:
    """Without a ConfigMap the files are checked all the same, but for the host that nobody has named."""
    (folder / deploy_configmap.FILE_NAME).unlink()
    (folder / "ssh_client_key").chmod(0o644)

    with pytest.raises(SettingsError) as caught:
        deploy_dir.load(folder, PROD)

    assert [Path(line.partition(": ")[0]).name for line in caught.value.detail] == [
        deploy_configmap.FILE_NAME,
        "ssh_client_key",
    ]


def test_one_problem_is_the_message_itself(folder: Path) -> None:
    """A single problem is one sentence, with what to do as its remedy."""
    path = folder / "ssh_client_key"
    path.chmod(0o644)

    with pytest.raises(SettingsError) as caught:
        deploy_dir.load(folder, PROD)

    assert caught.value.message.startswith(f"{path}: can be read by others")
    assert caught.value.remedy == f"chmod 600 {path}"


def test_problems_of_the_configmap_alone_are_told_as_ever(tmp_path: Path) -> None:
    """Where only the ConfigMap is wrong, the error is the one of settings.load."""
    (tmp_path / deploy_configmap.FILE_NAME).write_text("kind: ConfigMap\ndata: {}\n")

    with pytest.raises(SettingsError) as caught:
        deploy_dir.load(tmp_path, DUMMY)

    assert caught.value.message == f"2 settings are wrong in {tmp_path / deploy_configmap.FILE_NAME}"


def test_the_example_configuration_needs_only_a_secret(folder: Path) -> None:
    """The example of the Zenith configuration is right once its secret is the site's own."""
    assert "documented example" in told_of(folder, "zenith_client_config.yaml", zenith_config.EXAMPLE)
    text = zenith_config.EXAMPLE.replace(zenith_config.EXAMPLE_SECRET, SECRET)
    assert not told_of(folder, "zenith_client_config.yaml", text)


def test_the_table_of_files_appears_where_the_readme_has_its_marker() -> None:
    """A README gets one row for each file that has to be there somewhere."""
    marks = "".join(
        f"<!-- {name} -->\n<!-- /{name} -->\n" for name in ("environments", "containers", "settings", "files")
    )

    text = reference.replace_tables(marks)

    assert all(f"| `{row.name}` | {row.meaning} |" in text for row in key_files.FILES if not row.optional)
    assert reference.replace_tables(text) == text


def test_a_front_doors_issuer_can_be_told_apart() -> None:
    """Whose tokens the tunnel brings is read in either spelling of the key; without it the server decides."""
    assert zenith_config.issuer_of(b"serverAddress: z\nauthOidcIssuer: https://a.example/r\n") == "https://a.example/r"
    assert zenith_config.issuer_of(b"server_address: z\nauth_oidc_issuer: https://b.example\n") == "https://b.example"
    assert not zenith_config.issuer_of(b"serverAddress: z\n")
