"""What has been measured so far: a JSON file that an interrupted run can go on from, and the table at the end."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from power.fault import Fault, FaultError
from power.passes import Pass

NOT_CAUGHT = "NOT CAUGHT"


@dataclass
class Results:
    """The tests that caught each fault, by fault and pass.

    Attributes:
        path: Where they are kept; nowhere when None.
    """

    path: Path | None = None
    _caught: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)

    def load(self) -> None:
        """Read what an earlier run has kept.

        Raises:
            FaultError: The file does not hold results.
        """
        if self.path is None or not self.path.is_file():
            return
        try:
            for name, entry in json.loads(self.path.read_text())["faults"].items():
                self._digests[name] = entry["digest"]
                self._caught[name] = {which.value: entry[which.value] for which in Pass if which.value in entry}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise FaultError(f"{self.path} does not hold results", remedy="name another file") from None

    def add(self, fault: Fault, which: Pass, caught_by: Sequence[str]) -> None:
        """Note the outcome of a pass, at once in the file."""
        if self._digests.get(fault.name) != digest(fault):
            self._caught[fault.name] = {}
        self._digests[fault.name] = digest(fault)
        self._caught[fault.name][which.value] = list(caught_by)
        self._save()

    def caught_by(self, fault: Fault, which: Pass) -> tuple[str, ...] | None:
        """The tests that caught the fault as it is now; None when that pass has not been run."""
        if self._digests.get(fault.name) != digest(fault):
            return None
        found = self._caught[fault.name].get(which.value)
        return None if found is None else tuple(found)

    def is_caught(self, fault: Fault) -> bool:
        """Whether any pass caught it."""
        return any(self.caught_by(fault, which) for which in Pass)

    def _save(self) -> None:
        if self.path is None:
            return
        entries = {name: {"digest": self._digests[name], **self._caught[name]} for name in self._caught}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f"{self.path.name}.new")
        new.write_text(json.dumps({"faults": entries}, indent=1) + "\n")
        new.replace(self.path)


def digest(fault: Fault) -> str:
    """What tells whether a fault is still the one that was measured."""
    return hashlib.sha256(f"{fault.file}\0{fault.old}\0{fault.new}".encode()).hexdigest()[:16]


def table(faults: Collection[Fault], results: Results) -> str:
    """One line for each fault and pass: what caught it, or that nothing did."""
    width = max((len(fault.name) for fault in faults), default=0)
    lines = [f"{'fault':{width}}  caught by"]
    for fault in faults:
        lines += [f"{name:{width}}  {words}" for name, words in _lines(fault, results)]
    caught = sum(results.is_caught(fault) for fault in faults)
    return "\n".join([*lines, "", f"{caught} of {len(faults)} faults are caught."])


def _lines(fault: Fault, results: Results) -> list[tuple[str, str]]:
    found = [(which, results.caught_by(fault, which)) for which in Pass]
    words = [f"{which.value}: {_short(tests)}" for which, tests in found if tests]
    name = fault.name
    return (
        [(name, words[0]), *(("", more) for more in words[1:])] if words else [(name, f"{NOT_CAUGHT}: {fault.breaks}")]
    )


def _short(tests: Sequence[str]) -> str:
    first = tests[0].rpartition("::")[2]
    return first if len(tests) == 1 else f"{first} and {len(tests) - 1} more"
