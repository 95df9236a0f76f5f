"""The files beside the deploy ConfigMap, tested with real keys."""

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
ISSUER = "https://keycloak.example/realms/name"
SECRET = "hunter2-of-the-client"

OPENSSH = serialization.PrivateFormat.OpenSSH
PKCS8 = serialization.PrivateFormat.PKCS8
PEM = serialization.PrivateFormat.TraditionalOpenSSL
PLAIN = serialization.NoEncryption()
LOCKED = serialization.BestAvailableEncryption(b"passphrase")

Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))  # test ids have it, so that it must not change
P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)


def private(
    key: Key,
    form: serialization.PrivateFormat = OPENSSH,
    encryption: serialization.KeySerializationEncryption = PLAIN,
) -> bytes:
    """Serialize a private key."""
    return key.private_bytes(serialization.Encoding.PEM, form, encryption)


def public(key: Key) -> bytes:
    """Serialize the public key of a private key, as type and base64."""
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)


def hashed(host: str) -> str:
    """Hash a host name as ``ssh-keygen -H`` does."""
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
        f"authOidcIssuer: {ISSUER}\nauthOidcClientId: example-client-name\n"
        f"authOidcClientSecret: {SECRET}\n\ndebug: true\n"
    ).encode(),
}
ZENITH = FILES["zenith_client_config.yaml"].decode()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A deploy directory that is valid for every environment."""
    text = deploy_configmap.example(PROD).replace("change-this-password", "a-password-of-this-site")
    (tmp_path / deploy_configmap.FILE_NAME).write_text(text)
    for name, content in FILES.items():
        put(tmp_path, name, content)
    return tmp_path


def put(directory: Path, name: str, content: bytes | str) -> Path:
    """Write one file of mode 0600."""
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)
    return path


def find_problems(directory: Path) -> list[str]:
    """Find the problems of the files for production, which uses all of them."""
    return [f"{each.message}; {each.remedy}" for each in key_files.read(directory, PROD, HOST)[1]]


def find_problem_of(directory: Path, name: str, content: bytes | str) -> str:
    """Find the only problem of a file with some content; empty if it has none."""
    lines = find_problems_of(directory, name, content)
    assert len(lines) < 2
    return "".join(lines)


def find_problems_of(directory: Path, name: str, content: bytes | str) -> list[str]:
    """Find all problems of a file with some content, without a .pub file beside it."""
    (directory / f"{name}.pub").unlink(missing_ok=True)
    return find_problems(put(directory, name, content).parent)


def test_a_deploy_directory_with_all_files_is_read(directory: Path) -> None:
    """Production gets keys, known hosts and configuration with unchanged content."""
    read = deploy_dir.load(directory, PROD).key_files

    assert read.ssh_client_key == FILES["ssh_client_key"]
    assert read.ssh_known_hosts == FILES["ssh_known_hosts"]
    assert read.zenith_client_key == FILES["ssh_zenith_client_key"]
    assert read.zenith_client_config == FILES["zenith_client_config.yaml"]
    assert read.unused == ()


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_each_environment_requires_its_own_files(tmp_path: Path, environment: Environment) -> None:
    """In an empty directory, exactly the files for the environment's Slurm and ingress are missing."""
    needed = {
        "dev_dummyauth_extslurm": ["ssh_client_key", "ssh_known_hosts"],
        "dev_realauth_zenithclient": ["ssh_zenith_client_key", "zenith_client_config.yaml"],
        "prod": ["ssh_client_key", "ssh_known_hosts", "ssh_zenith_client_key", "zenith_client_config.yaml"],
    }

    _, problems = key_files.read(tmp_path, environment, HOST)

    assert [each.path.name for each in problems] == needed.get(environment.name, [])
    assert all(each.text == "is missing" and each.remedy for each in problems)


def test_unused_files_are_warned_about_and_not_checked(directory: Path) -> None:
    """Files that only other environments use are warnings, whatever their content."""
    put(directory, "ssh_zenith_client_key", "garbage")

    read, problems = key_files.read(directory, EXTERNAL, HOST)

    assert not problems
    assert read.unused == ("ssh_zenith_client_key", "ssh_zenith_client_key.pub", "zenith_client_config.yaml")
    assert read.zenith_client_key is None


def test_no_secret_is_in_a_repr(directory: Path) -> None:
    """The repr of the files, which a traceback may print, has no key and no client secret."""
    assert repr(deploy_dir.load(directory, PROD).key_files) == "KeyFiles(unused=())"


@pytest.mark.parametrize("name", [row.name for row in key_files.FILES])
def test_a_file_that_cannot_be_read_is_named(directory: Path, name: str) -> None:
    """Empty, a directory, a named pipe, a dangling link, too large: each is one problem of that file."""
    path = directory / name
    makers: dict[str, Callable[[], object]] = {
        "is empty": lambda: path.write_bytes(b" \n"),
        "is a directory": path.mkdir,
        "is not a regular file": lambda: os.mkfifo(path),
        "is a symbolic link to nowhere, which does not exist": lambda: path.symlink_to("nowhere"),
        "is larger than 1048576 bytes": lambda: path.write_bytes(b"#" * (1024 * 1024 + 1)),
    }
    for text, make in makers.items():
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        make()
        lines = find_problems(directory)
        assert len(lines) == 1, lines
        assert lines[0].startswith(f"{path}: {text}; ")


def test_a_file_without_permission_is_named(directory: Path) -> None:
    """The problem of an unreadable file has the system's reason."""
    directory.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read every file
    try:
        lines = find_problems(directory)
    finally:
        os.seteuid(user)
        directory.chmod(0o700)

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
def test_keys_that_ssh_reads_are_accepted(directory: Path, content: bytes) -> None:
    """Ed25519, ECDSA and RSA are accepted in the formats that OpenSSH 9.2 reads."""
    assert not find_problem_of(directory, "ssh_client_key", content)


def test_line_ends_that_ssh_refuses_are_normalized(directory: Path) -> None:
    """A key with Windows line ends, or without the last one, reaches the hub with the line ends that ssh requires."""
    for content in (FILES["ssh_client_key"].replace(b"\n", b"\r\n"), FILES["ssh_client_key"].rstrip()):
        put(directory, "ssh_client_key", content)
        assert deploy_dir.load(directory, PROD).key_files.ssh_client_key == FILES["ssh_client_key"]


@pytest.mark.parametrize("key", [ED25519, P256, RSA], ids=["Ed25519", "ECDSA", "RSA"])
def test_an_instances_own_key_may_be_of_each_accepted_type(tmp_path: Path, key: Key) -> None:
    """An existing key among an instance's credentials is used, and its public key derived."""
    tmp_path.joinpath("ssh_client_key").write_bytes(private(key))

    made = credentials.load_or_create(tmp_path, (slurm.CLIENT_KEY, slurm.HOST_KEY))

    assert credentials.ssh_public_line(made[slurm.CLIENT_KEY]) == public(key)


def sk_key() -> bytes:
    """Return the header of a private key on a hardware token."""

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
def test_a_private_key_that_the_hub_cannot_use_is_refused(directory: Path, content: bytes, text: str) -> None:
    """Each kind of unusable key is one problem with its remedy."""
    line = find_problem_of(directory, "ssh_client_key", content)

    assert line.startswith(f"{directory / 'ssh_client_key'}: ")
    assert text in line
    assert "FILE" not in line
    assert not line.endswith("; ")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_private_key_that_other_users_can_access_is_refused(directory: Path, mode: int) -> None:
    """A key that ssh would refuse because of its mode is refused before anything starts."""
    path = directory / "ssh_zenith_client_key"
    path.chmod(mode)

    assert find_problems(directory) == [
        f"{path}: is accessible to other users of this machine, and ssh refuses such a key; chmod 600 {path}"
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [(public(RSA), "does not belong to the private key ssh_client_key"), (b"garbage", "is not a public key")],
)
def test_a_public_key_must_belong_to_its_private_key(directory: Path, content: bytes, text: str) -> None:
    """The .pub file, which the site authorizes on its Slurm host, must match the key that the hub uses."""
    (line,) = find_problems(put(directory, "ssh_client_key.pub", content).parent)

    assert line.startswith(f"{directory / 'ssh_client_key.pub'}: {text}")


def test_an_unusable_private_key_is_one_problem(directory: Path) -> None:
    """The .pub file of an unusable private key adds no second problem."""
    lines = find_problems(put(directory, "ssh_client_key", "garbage").parent)

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
def test_a_host_is_found_in_known_hosts_as_ssh_finds_it(directory: Path, names: str) -> None:
    """Lists, wildcards, negation, hashed names, certificate authorities, tabs and CRLF are read as ssh reads them."""
    assert not find_problem_of(directory, "ssh_known_hosts", f"# comment\n\n{names} {PINNED} comment\r\n")
    assert not find_problem_of(directory, "ssh_known_hosts", f"# comment\n\n{names}\t{PINNED} comment\n")


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
def test_known_hosts_without_the_host_is_refused(directory: Path, text: str) -> None:
    """A file without a key that ssh would accept for sshHostname is refused."""
    line = find_problem_of(directory, "ssh_known_hosts", text)

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
def test_a_malformed_line_of_known_hosts_is_named_by_its_number(directory: Path, line: str, text: str) -> None:
    """A line that ssh would silently ignore is a problem, even if another line has the host."""
    problem = find_problem_of(directory, "ssh_known_hosts", f"{HOST} {PINNED}\n{line}\n")

    assert problem.startswith(f"{directory / 'ssh_known_hosts'}:2: ")
    assert text in problem


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
    """Keys that do not contradict hubpod are accepted in camel case and in snake case, and are no warning."""
    assert not find_problem_of(directory, "zenith_client_config.yaml", ZENITH + more)


def test_keys_that_the_zenith_client_does_not_know_are_warned_about(directory: Path) -> None:
    """A misspelt key is a warning that names file, line and key and suggests a known one; known keys are not."""
    path = put(directory, "zenith_client_config.yaml", ZENITH + "serverAdress: other\nserver_prt: 22\ninternal: no\n")

    warnings = deploy_dir.load(directory, PROD).warnings

    text = "is not a known key of the Zenith client; did you mean"
    assert warnings[:2] == (
        f"{path}:9: serverAdress: {text} 'serverAddress'?",
        f"{path}:10: server_prt: {text} 'serverPort'?",
    )
    assert len(warnings) == 3


def test_a_front_door_with_another_issuer_is_warned_about(directory: Path) -> None:
    """If the Zenith server logs users in at another issuer than oidcServer, the hub would refuse their tokens."""
    text = deploy_configmap.example(PROD)
    path = directory / zenith_config.FILE_NAME
    assert deploy_dir.load(directory, PROD).warnings == (
        f"{path}: authOidcIssuer differs from oidcServer, so the hub would refuse the front door's tokens",
    )

    put(directory, deploy_configmap.FILE_NAME, text.replace("https://keycloak.example.org/realms/site", ISSUER))

    assert deploy_dir.load(directory, PROD).warnings == ()


def test_a_hub_with_its_own_login_may_skip_the_front_doors(directory: Path) -> None:
    """The key skipAuth is refused only if the hub relies on the front door's token."""
    environment = Environment(name="x", stage=DUMMY.stage, login=DUMMY.login, slurm=DUMMY.slurm, ingress=TUNNEL.ingress)
    put(directory, "zenith_client_config.yaml", ZENITH + "skipAuth: true\n")

    assert not key_files.read(directory, environment, "")[1]


def test_all_problems_of_a_deploy_directory_are_reported_at_once(directory: Path) -> None:
    """One error lists the problems of ConfigMap, keys, known hosts and Zenith configuration, each with its file."""
    path = directory / deploy_configmap.FILE_NAME
    path.write_text(path.read_text().replace("http://hub", "hub"))
    (directory / "ssh_client_key").unlink()
    put(directory, "ssh_known_hosts", f"{HOST}\n")
    put(directory, "zenith_client_config.yaml", ZENITH + "runAsUser: 0\n")

    with pytest.raises(SettingsError) as caught:
        deploy_dir.load(directory, PROD)

    error = caught.value
    assert error.message == f"5 problems in {directory}"
    assert [line.partition(" ")[0] for line in error.detail] == [
        f"{path}:15:",
        f"{directory / 'ssh_client_key'}:",
        f"{directory / 'ssh_known_hosts'}:1:",
        f"{directory / 'ssh_known_hosts'}:",
        f"{directory / 'zenith_client_config.yaml'}:9:",
    ]


def test_a_missing_configmap_does_not_hide_the_other_problems(directory: Path) -> None:
    """Without a ConfigMap the files are still checked, except for the host, which is unknown then."""
    (directory / deploy_configmap.FILE_NAME).unlink()
    (directory / "ssh_client_key").chmod(0o644)

    with pytest.raises(SettingsError) as caught:
        deploy_dir.load(directory, PROD)

    assert [Path(line.partition(": ")[0]).name for line in caught.value.detail] == [
        deploy_configmap.FILE_NAME,
        "ssh_client_key",
    ]


def test_a_single_problem_is_the_message_itself(directory: Path) -> None:
    """The error of a single problem has the problem as its message, and what to do as its remedy."""
    path = directory / "ssh_client_key"
    path.chmod(0o644)

    with pytest.raises(SettingsError) as caught:
        deploy_dir.load(directory, PROD)

    assert caught.value.message.startswith(f"{path}: is accessible to other users of this machine")
    assert caught.value.remedy == f"chmod 600 {path}"


def test_problems_of_the_configmap_alone_name_the_configmap(tmp_path: Path) -> None:
    """If only the ConfigMap is wrong, the error names it instead of the directory."""
    (tmp_path / deploy_configmap.FILE_NAME).write_text("kind: ConfigMap\ndata: {}\n")

    with pytest.raises(SettingsError) as caught:
        deploy_dir.load(tmp_path, DUMMY)

    assert caught.value.message == f"2 settings are wrong in {tmp_path / deploy_configmap.FILE_NAME}"


def test_the_example_configuration_needs_only_a_secret(directory: Path) -> None:
    """The example of the Zenith configuration is valid with a secret of the site's own."""
    assert "documented example" in find_problem_of(directory, "zenith_client_config.yaml", zenith_config.EXAMPLE)
    text = zenith_config.EXAMPLE.replace(zenith_config.EXAMPLE_SECRET, SECRET)
    assert not find_problem_of(directory, "zenith_client_config.yaml", text)


def test_the_readme_gets_the_table_of_files_at_its_marker() -> None:
    """The README gets one row for each file that some environment requires."""
    names = ("environments", "containers", "settings", "files")
    marks = "".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for name in names)

    text = reference.replace_tables(marks)

    assert all(f"| `{row.name}` | {row.meaning} |" in text for row in key_files.FILES if not row.optional)
    assert reference.replace_tables(text) == text


def test_the_issuer_of_the_front_door_is_read_in_either_spelling() -> None:
    """The issuer is read in camel case and in snake case; it is empty if the Zenith server decides."""
    assert zenith_config.issuer_of(b"serverAddress: z\nauthOidcIssuer: https://a.example/r\n") == "https://a.example/r"
    assert zenith_config.issuer_of(b"server_address: z\nauth_oidc_issuer: https://b.example\n") == "https://b.example"
    assert not zenith_config.issuer_of(b"serverAddress: z\n")
