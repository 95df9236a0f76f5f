"""Audit the lock files for known vulnerabilities.

`./run nox -s audit`, or `python tools/audit/locks.py [LOCK ...]`.

pip-audit queries the advisory database of the Python Package Index for each package. A package that the database does
not know counts as not audited. Behind a mirror that serves packages without advisories, this is every package.

Exit codes: 0 when every package was audited without a finding, 1 for a known vulnerability, 3 when the audit is
incomplete.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
CLEAN, VULNERABLE, NOT_AUDITED = 0, 1, 3
TIMEOUT_S = 20
RUN_TIMEOUT_S = 900


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Result of auditing one lock file.

    Attributes:
        audited: Number of packages that the database knows.
        unknown: Names of the packages that the database does not know.
        vulnerable: One sentence per known vulnerability.
        reason: Why the query failed as a whole; empty when it succeeded.
    """

    audited: int = 0
    unknown: tuple[str, ...] = ()
    vulnerable: tuple[str, ...] = ()
    reason: str = ""


def lock_files(project: Path) -> list[Path]:
    """List every lock file of Python packages."""
    return sorted([*project.glob("requirements/*.lock"), *project.glob("containers/*/*.lock")])


def read_report(text: str) -> Findings:
    """Parse the JSON report of pip-audit.

    Raises:
        ValueError: The text is not JSON.
        LookupError: A key is missing.
    """
    packages: list[dict[str, Any]] = json.loads(text)["dependencies"]
    known = [package for package in packages if "vulns" in package]
    return Findings(
        audited=len(known),
        unknown=tuple(package["name"] for package in packages if "vulns" not in package),
        vulnerable=tuple(_describe(package, found) for package in known for found in package["vulns"]),
    )


def _describe(package: dict[str, Any], found: dict[str, Any]) -> str:
    fixed = ", ".join(found["fix_versions"]) or "no release yet"
    return f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}"


def audit(lock: Path) -> Findings:
    """Run pip-audit on one lock file."""
    options = ("--disable-pip", "--require-hashes", "--format=json", "--progress-spinner=off", f"--timeout={TIMEOUT_S}")
    argv = [sys.executable, "-m", "pip_audit", *options, f"--requirement={lock}"]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
    try:
        return read_report(result.stdout)
    except (ValueError, LookupError):
        last = result.stderr.strip().splitlines()[-1:] or ["no reason given"]
        return Findings(reason=last[0])


def exit_code(findings: Sequence[Findings]) -> int:
    """Map the findings of all lock files to an exit code."""
    if any(each.vulnerable for each in findings):
        return VULNERABLE
    incomplete = not findings or any(each.unknown or each.reason or not each.audited for each in findings)
    return NOT_AUDITED if incomplete else CLEAN


def main(locks: Sequence[Path]) -> int:
    """Audit lock files and print the findings."""
    findings: list[Findings] = []
    for lock in locks:
        findings.append(audit(lock))
        print(f"{lock}: {_summary(findings[-1])}", flush=True)  # noqa: T201 - standard output is the interface
        for sentence in findings[-1].vulnerable:
            print(f"  {sentence}")  # noqa: T201
    code = exit_code(findings)
    audited, unknown = sum(each.audited for each in findings), sum(len(each.unknown) for each in findings)
    if code == NOT_AUDITED:
        none = "the advisory database is unreachable, so nothing was audited"
        some = f"{unknown} packages were not audited, {audited} were"
        print(f"{some if audited else none}: the audit did not pass, exit code {NOT_AUDITED}")  # noqa: T201
    return code


def _summary(found: Findings) -> str:
    if found.reason:
        return f"not audited ({found.reason})"
    return f"{found.audited} audited, {len(found.unknown)} not audited, {len(found.vulnerable)} known vulnerabilities"


if __name__ == "__main__":
    sys.exit(main([Path(word) for word in sys.argv[1:]] or [path.relative_to(PROJECT) for path in lock_files(PROJECT)]))
