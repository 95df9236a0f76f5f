"""What the audit makes of pip-audit's answers, and what an image's bill of materials says."""

import json
import re
from pathlib import Path

import pytest
from audit import locks, sbom

PROJECT = Path(__file__).parents[2]
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
