"""Addresses of the Slurm host as sites write them."""

import pytest

from hubpod.settings import ssh_address
from hubpod.settings.ssh_address import SshAddress


@pytest.mark.parametrize(
    ("text", "host", "port", "usual"),
    [
        ("ssh.example.org", "ssh.example.org", 22, "ssh.example.org"),
        ("ssh.example.org:2222", "ssh.example.org", 2222, "ssh.example.org:2222"),
        ("ssh.example.org:22", "ssh.example.org", 22, "ssh.example.org"),
        ("SSH.Example.ORG", "ssh.example.org", 22, "ssh.example.org"),
        ("ssh.example.org.", "ssh.example.org", 22, "ssh.example.org"),
        ("ssh.example.org.:2222", "ssh.example.org", 2222, "ssh.example.org:2222"),
        ("slurm_login1", "slurm_login1", 22, "slurm_login1"),
        ("_x.example.org", "_x.example.org", 22, "_x.example.org"),
        ("login-1", "login-1", 22, "login-1"),
        ("1st.example.org", "1st.example.org", 22, "1st.example.org"),
        ("192.0.2.7", "192.0.2.7", 22, "192.0.2.7"),
        ("192.0.2.7:2222", "192.0.2.7", 2222, "192.0.2.7:2222"),
        ("2001:db8::1", "2001:db8::1", 22, "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1", 22, "2001:db8::1"),
        ("[2001:DB8:0::1]:2222", "2001:db8::1", 2222, "[2001:db8::1]:2222"),
        ("2001:db8::1:2222", "2001:db8::1:2222", 22, "2001:db8::1:2222"),
        ("a" * 63 + ".example.org", "a" * 63 + ".example.org", 22, "a" * 63 + ".example.org"),
    ],
)
def test_a_host_is_accepted_with_and_without_a_port(text: str, host: str, port: int, usual: str) -> None:
    """Each spelling gives host and port, and one usual form that means the same."""
    address = SshAddress.parse(text)

    assert address == SshAddress(host=host, port=port)
    assert ssh_address.normalize(f" {text}\n") == str(address) == usual
    assert SshAddress.parse(usual) == address
    assert not ssh_address.find_problem(usual)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kim@ssh.example.org", "must have no user before the host"),
        ("jupyterspawner@ssh.example.org:2222", "must have no user before the host"),
        ("ssh://ssh.example.org:2222", "and not a URL"),
        ("ssh.example.org/", "and not a URL"),
        ("ssh.example.org:", "must have a port from 1 to 65535"),
        ("ssh.example.org:0", "must have a port from 1 to 65535"),
        ("ssh.example.org:65536", "must have a port from 1 to 65535"),
        ("ssh.example.org:ssh", "must have a port from 1 to 65535"),
        ("ssh.example.org:-1", "must have a port from 1 to 65535"),
        ("22:22", "is the address 0.0.0.22"),
        ("slurm.münchen.example", "must be in ASCII"),
        ("fe80::1%eth0", "must be without a zone"),
        ("300.1.1.1", "is not an IP address"),
        ("1.2.3.4.5", "is not an IP address"),
        ("10.1", "is the address 10.0.0.1"),
        ("0x0a000001", "is the address 10.0.0.1"),
        ("2001:db8::g", "is not an IP address"),
        ("[2001:db8::1", "must be a host name or address"),
        ("2001:db8::1]", "is not an IP address"),
        ("[]:22", "must be a host name or address"),
        (":22", "must be a host name or address"),
        (".", "must be a host name or address"),
        ("ssh..example.org", "must be a host name or address"),
        ("ssh.example.org..", "must be a host name or address"),
        ("-oProxyCommand=id", "must be a host name or address"),
        ("ssh-.example.org", "must be a host name or address"),
        ("ssh.example.org -p 2222", "must be a host name or address"),
        ("ssh.example.org,other", "must be a host name or address"),
        ("$(id)", "must be a host name or address"),
        ("a" * 64, "must be a host name or address"),
        (".".join(["a" * 60] * 5), "must be a host name or address"),
    ],
)
def test_other_text_is_refused_with_a_sentence(text: str, expected: str) -> None:
    """The sentence says what is wrong with the address."""
    assert expected in ssh_address.find_problem(ssh_address.normalize(text))


LOOPBACK = (
    *("localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "localhost4", "localhost6", "x.localhost"),
    *("ip6-localhost", "ip6-loopback", "127.0.0.1", "127.0.1.1", "127.9.9.9", "127.1", "2130706433", "0x7f.1"),
    *("0177.1", "::1", "[::1]", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "0", "::", "[::]", "::ffff:0.0.0.0"),
    "0.0.0.0",  # noqa: S104 - a spelling of this machine
)


@pytest.mark.parametrize("text", LOOPBACK)
def test_loopback_is_recognized_in_every_spelling(text: str) -> None:
    """Loopback is the hub's own container: refused for an external Slurm, and the same as localhost in the pod."""
    assert ssh_address.find_problem(ssh_address.normalize(text)).startswith("is ")
    assert ssh_address.is_own(ssh_address.normalize(text))


@pytest.mark.parametrize("text", ["localhost:2222", "127.0.0.1:2222", "[::1]:2222"])
def test_loopback_with_another_port_is_refused(text: str) -> None:
    """No other SSH server is in the pod."""
    assert ssh_address.find_problem(text).startswith("is ")
    assert not ssh_address.is_own(text)


@pytest.mark.parametrize("text", ["127.example.org", "localhost.example.org", "my-localhost", "128.0.0.1", "::2"])
def test_other_hosts_are_not_loopback(text: str) -> None:
    """A name that looks like loopback is another host."""
    assert not ssh_address.find_problem(text)
    assert not ssh_address.is_own(text)
