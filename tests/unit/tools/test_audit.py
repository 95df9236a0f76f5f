"""What the audit makes of pip-audit's answers, what an image's bill of materials says, and what is seen in layers."""

import io
import json
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from audit import layers, locks, sbom

PROJECT = Path(__file__).parents[3]
KNOWN = {"name": "good", "version": "1.0", "vulns": []}
UNKNOWN = {"name": "private", "skip_reason": "Dependency not found on PyPI and could not be audited: private (1.0)"}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": []}]}


def findings(*packages: object) -> locks.Findings:
    """What a report with these packages says."""
    return locks.read_report(json.dumps({"dependencies": packages, "fixes": []}))


def test_every_lock_file_is_audited() -> None:
    """The locks of the tool, its checks and every image are looked at."""
    found = {str(path.relative_to(PROJECT)) for path in locks.lock_files(PROJECT)}

    assert {"requirements/run.lock", "requirements/checks.lock", "containers/jupyterhub/requirements.lock"} <= found
    assert {"containers/slurm/jupyter-user-env.lock", "containers/slurm/release.lock"} <= found


@pytest.mark.parametrize("lock", locks.lock_files(PROJECT), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_package_is_locked_by_its_hash(lock: Path) -> None:
    """A lock file names an exact version and at least one hash for each package, and no place to get it from."""
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", lock.read_text(), flags=re.MULTILINE))

    assert not [
        entry for entry in entries if not re.match(r"[\w.\[\],-]+==\S+", entry) or "--hash=sha256:" not in entry
    ]
    assert "--index-url" not in lock.read_text()


def test_a_known_vulnerability_is_told() -> None:
    """A vulnerability is named with its package and with the release that ends it, and fails the audit."""
    found = findings(KNOWN, BAD)

    assert found.vulnerable == ("bad 2.0: PYSEC-1, fixed in 2.1",)
    assert locks.status([found]) == locks.VULNERABLE


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
def test_what_was_not_audited_is_no_pass(found: list[locks.Findings]) -> None:
    """Where the database says nothing of a package, or does not answer, the audit does not pass."""
    assert locks.status(found) == locks.NOT_AUDITED


def test_an_audit_passes_when_all_are_known_and_good() -> None:
    """Every package known, and nothing known against any: that is a pass."""
    assert locks.status([findings(KNOWN), findings(KNOWN)]) == locks.CLEAN


def test_a_silent_database_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What pip-audit cannot even read is told with its reason, and with the status that is no pass."""
    missing = tmp_path / "no.lock"

    assert locks.main([missing]) == locks.NOT_AUDITED

    shown = capsys.readouterr().out
    assert f"{missing}: not audited (" in shown
    assert "no advisory database answers here" in shown


def test_a_bill_of_materials_names_each_package_once() -> None:
    """Packages of all three kinds are there under the names by which other tools know them."""
    found = [
        ["debian", "openssl", "3.5.1-1"],
        ["python", "Jinja2", "3.1.6"],
        ["python", "Jinja2", "3.1.6"],
        ["npm", "@colors/colors", "1.6.0"],
    ]

    document = json.loads(sbom.bom_of("localhost/hubpod/jupyterhub:dev-1234", found))

    purls = [component["purl"] for component in document["components"]]
    assert sorted(purls) == [
        "pkg:deb/debian/openssl@3.5.1-1",
        "pkg:npm/%40colors/colors@1.6.0",
        "pkg:pypi/jinja2@3.1.6",
    ]
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["component"]["name"] == "localhost/hubpod/jupyterhub"


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar archive."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


def seen(*image_layers: Mapping[str, bytes], told: bytes = b"{}") -> list[str]:
    """What is seen in an image of these layers, of which podman tells this; the index's address is unwanted."""
    members = {f"{number}.tar": archive(files) for number, files in enumerate(image_layers)}
    image = archive({**members, "config.json": told})
    return list(layers.problems(io.BytesIO(image), {"UV_INDEX_URL": b"https://user:word@index.example/"}))


def test_what_a_layer_may_not_hold_is_seen_in_every_layer() -> None:
    """A file that a later layer deletes is looked at, too; a plain image is nothing to tell of."""
    leak = {"etc/uv.conf": b"from https://user:word@index.example/simple"}

    assert seen({"etc/hostname": b"image"}, {"usr/bin/x": b"\0"}) == []
    assert seen(leak, {"etc/.wh.uv.conf": b""}) == ["etc/uv.conf has UV_INDEX_URL"]


def test_variables_and_history_are_looked_at() -> None:
    """What podman tells of an image holds nothing of the machine that built it."""
    told = json.dumps({"history": [{"created_by": "ARG INDEX=https://user:word@index.example/"}]}).encode()

    assert seen({}, told=told) == ["what podman tells has UV_INDEX_URL"]


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
def test_files_of_one_machine_are_in_no_image(name: str, content: bytes) -> None:
    """Keys that a package has made while it was installed, caches, and what a build is lent are seen."""
    assert len(seen({name: content})) == 1
    assert not seen({name: b""})


def test_what_is_looked_for_is_of_this_machine(tmp_path: Path) -> None:
    """Keys of all instances, addresses of indexes and proxies, and authorities beyond those of the distribution."""
    folder = tmp_path / "state" / "dev_dummyauth" / "default" / "credentials"
    folder.mkdir(parents=True)
    (folder / "proxy_token").write_bytes(b"0123456789abcdef\n")
    public, own = (
        f"-----BEGIN CERTIFICATE-----\n{each}1\n{each}2\n{each}3\n-----END CERTIFICATE-----\n" for each in "PO"
    )
    (tmp_path / "public.crt").write_text(public)
    (tmp_path / "bundle").write_text(public + own)

    assert dict(layers.secrets_of(tmp_path / "state")) == {"proxy_token of dev_dummyauth/default": b"0123456789abcdef"}
    assert dict(layers.addresses_of({"https_proxy": "http://p.example", "HOME": "/root"})) == {
        "https_proxy": b"http://p.example"
    }
    assert dict(layers.authorities_of(tmp_path / "bundle", tmp_path)) == {"authority 1 of this machine's own": b"O2"}


def test_the_newest_image_of_each_kind_is_looked_at() -> None:
    """One image of each name and stage, of a list that begins with the newest."""
    assert layers.newest(["h/hub:dev-2", "h/hub:prod-1", "h/hub:dev-1"]) == ["h/hub:dev-2", "h/hub:prod-1"]
