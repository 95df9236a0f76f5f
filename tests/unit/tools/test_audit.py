"""The audits: pip-audit reports, lock files, and the search of image layers."""

import io
import json
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from audit import layers, locks

PROJECT = Path(__file__).parents[3]
KNOWN = {"name": "good", "version": "1.0", "vulns": []}
UNKNOWN = {"name": "private", "skip_reason": "Dependency not found on PyPI and could not be audited: private (1.0)"}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": []}]}


def findings(*packages: object) -> locks.Findings:
    """Parse a report about these packages."""
    return locks.read_report(json.dumps({"dependencies": packages, "fixes": []}))


def test_every_lock_file_is_audited() -> None:
    """The locks of hubpod, its checks and every image are audited."""
    found = {str(path.relative_to(PROJECT)) for path in locks.lock_files(PROJECT)}

    assert {"requirements/run.lock", "requirements/checks.lock", "containers/jupyterhub/requirements.lock"} <= found
    assert {"containers/slurm/jupyter-user-env.lock", "containers/slurm/release.lock"} <= found


@pytest.mark.parametrize("lock", locks.lock_files(PROJECT), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_package_is_locked_by_its_hash(lock: Path) -> None:
    """Each package has an exact version and a hash, and the file names no package index."""
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", lock.read_text(), flags=re.MULTILINE))

    assert not [
        entry for entry in entries if not re.match(r"[\w.\[\],-]+==\S+", entry) or "--hash=sha256:" not in entry
    ]
    assert "--index-url" not in lock.read_text()


def test_a_known_vulnerability_fails_the_audit() -> None:
    """The finding names the package, the advisory and the fixed release."""
    found = findings(KNOWN, BAD)

    assert found.vulnerable == ("bad 2.0: PYSEC-1, fixed in 2.1",)
    assert locks.exit_code([found]) == locks.VULNERABLE


@pytest.mark.parametrize(
    "found",
    [
        [],
        [findings(KNOWN, UNKNOWN)],
        [findings(UNKNOWN)],
        [findings()],
        [findings(KNOWN), locks.Findings(reason="no such host")],
    ],
    ids=["no lock", "some unknown", "all unknown", "empty", "no answer"],
)
def test_an_incomplete_audit_does_not_pass(found: list[locks.Findings]) -> None:
    """An unknown package, an unreachable database and an empty audit each give status 3."""
    assert locks.exit_code(found) == locks.NOT_AUDITED


def test_an_audit_of_known_packages_without_vulnerabilities_passes() -> None:
    """The exit code is 0."""
    assert locks.exit_code([findings(KNOWN), findings(KNOWN)]) == locks.CLEAN


def test_an_unreadable_report_prints_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure of pip-audit as a whole is printed with its reason and gives status 3."""
    missing = tmp_path / "no.lock"

    assert locks.main([missing]) == locks.NOT_AUDITED

    output = capsys.readouterr().out
    assert f"{missing}: not audited (" in output
    assert "the advisory database is unreachable" in output


def archive(files: Mapping[str, bytes]) -> bytes:
    """Pack files into a tar archive."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


def find_problems(*image_layers: Mapping[str, bytes], configuration: bytes = b"{}") -> list[str]:
    """Search an image with these layers and this configuration for an index address."""
    members = {f"{number}.tar": archive(files) for number, files in enumerate(image_layers)}
    image = archive({**members, "config.json": configuration})
    return list(layers.find_problems(io.BytesIO(image), {"UV_INDEX_URL": b"https://user:word@index.example/"}))


def test_every_layer_is_searched() -> None:
    """A file that a later layer deletes is still found, and a clean image gives no finding."""
    leak = {"etc/uv.conf": b"from https://user:word@index.example/simple"}

    assert find_problems({"etc/hostname": b"image"}, {"usr/bin/x": b"\0"}) == []
    assert find_problems(leak, {"etc/.wh.uv.conf": b""}) == ["etc/uv.conf contains UV_INDEX_URL"]


def test_variables_and_history_are_searched() -> None:
    """The image configuration must not contain addresses of the build machine."""
    configuration = json.dumps({"history": [{"created_by": "ARG INDEX=https://user:word@index.example/"}]}).encode()

    assert find_problems({}, configuration=configuration) == ["image configuration contains UV_INDEX_URL"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("etc/ssh/ssh_host_ed25519_key", b"x"),
        ("etc/munge/munge.key", b"x"),
        ("run/hubpod-build/ca-certificates.crt", b"x"),
        ("root/.ssh/known_hosts", b"x"),
        ("./root/.cache/pip/x", b"x"),
        ("srv/app/.git/config", b"x"),
        ("opt/app/server.pem", b"-----BEGIN EC PRIVATE KEY-----\nAAAA"),
    ],
)
def test_files_of_one_machine_are_found(name: str, content: bytes) -> None:
    """Host keys, caches and files mounted during a build are findings unless they are empty."""
    assert len(find_problems({name: content})) == 1
    assert not find_problems({name: b""})


def test_the_search_covers_secrets_of_this_machine(tmp_path: Path) -> None:
    """It covers credentials, addresses of indexes and proxies, and additional authorities."""
    folder = tmp_path / "state" / "dev_dummyauth" / "default" / "credentials"
    folder.mkdir(parents=True)
    (folder / "proxy_token").write_bytes(b"0123456789abcdef\n")
    public, own = (
        f"-----BEGIN CERTIFICATE-----\n{each}1\n{each}2\n{each}3\n-----END CERTIFICATE-----\n" for each in "PO"
    )
    (tmp_path / "public.crt").write_text(public)
    (tmp_path / "bundle").write_text(public + own)

    assert dict(layers.find_credentials(tmp_path / "state")) == {
        "proxy_token of dev_dummyauth/default": b"0123456789abcdef"
    }
    assert dict(layers.find_addresses({"https_proxy": "http://p.example", "HOME": "/root"})) == {
        "https_proxy": b"http://p.example"
    }
    assert dict(layers.find_authorities(tmp_path / "bundle", tmp_path)) == {"authority 1 of this machine's own": b"O2"}


def test_the_newest_image_of_each_name_and_stage_is_searched() -> None:
    """Older images of the same name and stage are skipped."""
    assert layers.newest(["h/hub:dev-2", "h/hub:prod-1", "h/hub:dev-1"]) == ["h/hub:dev-2", "h/hub:prod-1"]
