"""Host keys in known_hosts, which must be read as ssh reads them."""

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from support.deploy_dirs import HOST, PINNED, find_problem_of


def hashed(host: str) -> str:
    """Hash a host name as ``ssh-keygen -H`` does."""
    salt = bytes(range(20))
    digest = hmac.digest(salt, host.encode(), hashlib.sha1)
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


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
    """A host is found in every form of known_hosts that ssh reads.

    The forms are lists, wildcards, negation, hashed names, certificate authorities, tabs and CRLF.
    """
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
