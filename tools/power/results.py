"""Results of the measurement: a JSON file for resuming, and the final table."""

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
        path: The JSON file; results are not stored when None.
    """

    path: Path | None = None
    _caught: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)

    def load(self) -> None:
        """Read the results of an earlier run, if any.

        Raises:
            FaultError: The file does not contain results.
        """
        if self.path is None or not self.path.is_file():
            return
        try:
            for name, entry in json.loads(self.path.read_text())["faults"].items():
                self._digests[name] = entry["digest"]
                self._caught[name] = {which.value: entry[which.value] for which in Pass if which.value in entry}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise FaultError(f"{self.path} does not contain results", remedy="name another file") from None

    def add(self, fault: Fault, which: Pass, caught_by: Sequence[str]) -> None:
        """Record the outcome of a pass, and save."""
        if self._digests.get(fault.name) != digest(fault):
            self._caught[fault.name] = {}
        self._digests[fault.name] = digest(fault)
        self._caught[fault.name][which.value] = list(caught_by)
        self._save()

    def caught_by(self, fault: Fault, which: Pass) -> tuple[str, ...] | None:
        """Return the tests that caught the unchanged fault, or None if the pass has not run."""
        if self._digests.get(fault.name) != digest(fault):
            return None
        found = self._caught[fault.name].get(which.value)
        return None if found is None else tuple(found)

    def is_caught(self, fault: Fault) -> bool:
        """Return whether any pass caught the fault."""
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
    """Return a digest that changes when the fault changes."""
    return hashlib.sha256(f"{fault.file}\0{fault.old}\0{fault.new}".encode()).hexdigest()[:16]


def table(faults: Collection[Fault], results: Results) -> str:
    """Format a line per fault and pass, with the first test that caught it."""
    width = max((len(fault.name) for fault in faults), default=0)
    lines = [f"{'fault':{width}}  caught by"]
    for fault in faults:
        lines += [f"{name:{width}}  {words}" for name, words in _lines(fault, results)]
    caught = sum(results.is_caught(fault) for fault in faults)
    return "\n".join([*lines, "", f"{caught} of {len(faults)} faults are caught."])


def _lines(fault: Fault, results: Results) -> list[tuple[str, str]]:
    found = [(which, results.caught_by(fault, which)) for which in Pass]
    words = [f"{which.value}: {_abbreviate(tests)}" for which, tests in found if tests]
    name = fault.name
    return (
        [(name, words[0]), *(("", more) for more in words[1:])] if words else [(name, f"{NOT_CAUGHT}: {fault.breaks}")]
    )


def _abbreviate(tests: Sequence[str]) -> str:
    first = tests[0].rpartition("::")[2]
    return first if len(tests) == 1 else f"{first} and {len(tests) - 1} more"
