"""Known vulnerabilities of what the lock files pin: `./run nox -s audit`, or `python tools/audit/locks.py [LOCK ...]`.

pip-audit asks the advisory database of the Python Package Index about each package. A package that the database says
nothing of is not a package without vulnerabilities, and counts as not audited: behind a mirror, which has packages and
no advisories, that is every one.

Ends with 0 when all were audited and nothing is known, 1 when a vulnerability is known, 3 when not all were audited.
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
    """What is known of the packages of one lock file.

    Attributes:
        audited: How many packages the database knows.
        unknown: Those of which it says nothing.
        vulnerable: A sentence for each known vulnerability.
        reason: Why nothing at all could be asked; empty when it could.
    """

    audited: int = 0
    unknown: tuple[str, ...] = ()
    vulnerable: tuple[str, ...] = ()
    reason: str = ""


def lock_files(project: Path) -> list[Path]:
    """Every lock file of Python packages."""
    return sorted([*project.glob("requirements/*.lock"), *project.glob("containers/*/*.lock")])


def read_report(text: str) -> Findings:
    """Read pip-audit's JSON.

    Raises:
        ValueError: It is something else.
    """
    packages: list[dict[str, Any]] = json.loads(text)["dependencies"]
    known = [package for package in packages if "vulns" in package]
    return Findings(
        audited=len(known),
        unknown=tuple(package["name"] for package in packages if "vulns" not in package),
        vulnerable=tuple(_sentence(package, found) for package in known for found in package["vulns"]),
    )


def _sentence(package: dict[str, Any], found: dict[str, Any]) -> str:
    fixed = ", ".join(found["fix_versions"]) or "no release yet"
    return f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}"


def audit(lock: Path) -> Findings:
    """Ask for all packages of a lock file."""
    options = ("--disable-pip", "--require-hashes", "--format=json", "--progress-spinner=off", f"--timeout={TIMEOUT_S}")
    argv = [sys.executable, "-m", "pip_audit", *options, f"--requirement={lock}"]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
    try:
        return read_report(result.stdout)
    except (ValueError, LookupError):
        last = result.stderr.strip().splitlines()[-1:] or ["no reason given"]
        return Findings(reason=last[0])


def status(findings: Sequence[Findings]) -> int:
    """What to end with."""
    if any(each.vulnerable for each in findings):
        return VULNERABLE
    incomplete = not findings or any(each.unknown or each.reason or not each.audited for each in findings)
    return NOT_AUDITED if incomplete else CLEAN


def main(locks: Sequence[Path]) -> int:
    """Audit them, and tell what is known."""
    found: list[Findings] = []
    for lock in locks:
        found.append(audit(lock))
        print(f"{lock}: {_summary(found[-1])}", flush=True)  # noqa: T201 - what it is for
        for sentence in found[-1].vulnerable:
            print(f"  {sentence}")  # noqa: T201
    code = status(found)
    audited, unknown = sum(each.audited for each in found), sum(len(each.unknown) for each in found)
    if code == NOT_AUDITED:
        none = "no advisory database answers here, so nothing was audited"
        some = f"{unknown} packages were not audited, {audited} were"
        print(f"{some if audited else none}: this is no pass, status {NOT_AUDITED}")  # noqa: T201
    return code


def _summary(found: Findings) -> str:
    if found.reason:
        return f"not audited ({found.reason})"
    return f"{found.audited} audited, {len(found.unknown)} not audited, {len(found.vulnerable)} known vulnerabilities"


if __name__ == "__main__":
    sys.exit(main([Path(word) for word in sys.argv[1:]] or [path.relative_to(PROJECT) for path in lock_files(PROJECT)]))
