"""A site's own HTTPS server with a certificate of the site's own authority: issuer, package index and repositories."""

import datetime as dt
import functools
import ipaddress
import json
import ssl
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from hubpod_harness.blueprint import AUDIENCE, PLATFORM
from support.external_services import own_address
from support.foreign_sources import GIT

PACKAGE = "hubpod_private"
"""A package that no public index has."""

KID = "site-1"
_USAGE = x509.KeyUsage(
    **dict.fromkeys(("digital_signature", "key_cert_sign", "crl_sign"), True),
    **dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False),
    **dict.fromkeys(("encipher_only", "decipher_only"), False),
)
"""What the authority's key may do; OpenSSL refuses an authority that does not say so."""

LIFETIME = dt.timedelta(days=1)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Print nothing."""


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that refuse the certificate, which is what a test is about."""


@dataclass(frozen=True, kw_only=True)
class PrivateSite:
    """A running server.

    Attributes:
        url: Its address, `https://IP:PORT`.
        directory: The directory that it serves.
        authority: The certificate of its authority, in PEM format.
        key: The issuer's signing key.
    """

    url: str
    directory: Path
    authority: bytes
    key: rsa.RSAPrivateKey

    @property
    def issuer(self) -> str:
        """The issuer's URL."""
        return f"{self.url}/realms/site"

    @property
    def index(self) -> str:
        """The package index."""
        return f"{self.url}/simple/"

    def mint(self, user: str, project: str) -> str:
        """Return a login token of a user with one project."""
        now = int(time.time())
        resources = [{"name": PLATFORM, "username": f"{user}.{project}"}]
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 600,
            "short_name": user,
            "projects": {f"{project}.portal": {"name": project, "resources": resources}},
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": KID})

    def publish(self, repository: Path) -> str:
        """Serve a repository for clones, and return its URL."""
        bare = self.directory / "sources" / f"{repository.name}.git"
        subprocess.run([*GIT, "clone", "--quiet", "--bare", str(repository), str(bare)], check=True)
        subprocess.run([*GIT, "update-server-info"], cwd=bare, check=True)
        return f"{self.url}/sources/{bare.name}"


@contextmanager
def open_private_site(directory: Path) -> Iterator[PrivateSite]:
    """Start a server on this machine's address, and stop it after the block."""
    root, secret = directory / "served", directory / "server.pem"
    root.mkdir()
    authority, server = _certificates(own_address())
    secret.write_bytes(server)
    httpd = _QuietServer((own_address(), 0), functools.partial(_Quiet, directory=str(root)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(secret)
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True, do_handshake_on_connect=False)
    site = PrivateSite(
        url=f"https://{own_address()}:{httpd.server_port}",
        directory=root,
        authority=authority,
        key=rsa.generate_private_key(public_exponent=65537, key_size=2048),
    )
    _write_issuer(site)
    _write_package(site)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def _write_issuer(site: PrivateSite) -> None:
    realm = site.directory / "realms" / "site"
    (realm / ".well-known").mkdir(parents=True)
    public: dict[str, Any] = jwt.get_algorithm_by_name("RS256").to_jwk(site.key.public_key(), as_dict=True)
    discovery = {"issuer": site.issuer, "jwks_uri": f"{site.issuer}/keys"}
    (realm / ".well-known" / "openid-configuration").write_text(json.dumps(discovery))
    (realm / "keys").write_text(json.dumps({"keys": [{**public, "kid": KID, "use": "sig"}]}))


def _write_package(site: PrivateSite) -> None:
    """Write a wheel and the page of the index that names it (PEP 427, PEP 503)."""
    page = site.directory / "simple" / PACKAGE.replace("_", "-")
    page.mkdir(parents=True)
    wheel = f"{PACKAGE}-1.0-py3-none-any.whl"
    (page / "index.html").write_text(f'<!DOCTYPE html><html><body><a href="{wheel}">{wheel}</a></body></html>')
    info = f"{PACKAGE}-1.0.dist-info"
    files = {
        f"{PACKAGE}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(page / wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD")))


def _certificates(address: str) -> tuple[bytes, bytes]:
    """Return an authority's certificate, and a server's certificate with its key, in PEM format."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = (
        _certificate("the site's own authority", "the site's own authority", authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    server = (
        _certificate(address, "the site's own authority", key)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = serialization.Encoding.PEM
    return authority.public_bytes(pem), server.public_bytes(pem) + secret


def _certificate(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    subject_name, issuer_name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (subject, issuer)
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject_name)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LIFETIME)
        .not_valid_after(now + LIFETIME)
    )
