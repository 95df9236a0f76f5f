"""The seeded faults apply to the current files, and the measurement reports results."""

import ast
import dataclasses
import fcntl
import re
from pathlib import Path

import jinja2
import pytest

from hubpod.errors import UsageError
from hubpod_harness import reaper
from power.copies import PACKAGES, copy_snapshot
from power.fault import AXES, BRICS, CORE, PROJECT, WRAPPERS, Fault, FaultError
from power.faults import FAULTS
from power.measure import select_faults
from power.passes import Pass, failing_tests, unit_paths
from power.results import Results, table

MIN_FAULTS = 40


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_applies(fault: Fault) -> None:
    """The result is valid Python or Jinja and differs from the original."""
    text = fault.apply(PROJECT)

    assert text != (PROJECT / fault.file).read_text()
    if fault.file.endswith(".py"):
        before = ast.dump(ast.parse((PROJECT / fault.file).read_text()))
        assert ast.dump(ast.parse(text)) != before
    else:
        jinja2.Environment(autoescape=True).parse(text)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_describes_its_effect(fault: Fault) -> None:
    """The name is in kebab-case, and the effect is one sentence."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", fault.name)
    assert re.fullmatch(r"[A-Z][^.]*\.", fault.breaks)


def test_names_are_unique() -> None:
    """A name selects one fault."""
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_every_part_has_faults() -> None:
    """Both packages, the hub configuration, its fragments and the job script have faults."""
    files = [fault.file for fault in FAULTS]

    assert len(files) >= MIN_FAULTS
    for part in (BRICS, WRAPPERS, f"{CORE}/jupyterhub_config.py", f"{CORE}/batch_script.sh.j2", AXES):
        assert any(file.startswith(part) for file in files), part


def test_every_module_of_the_packages_has_a_fault() -> None:
    """No module is left out."""
    faulty = {fault.file for fault in FAULTS}
    modules = {f"{BRICS}/{path.name}" for path in (PROJECT / BRICS).glob("*.py") if path.name != "__init__.py"}

    assert modules <= faulty


def test_a_fault_that_does_not_apply_is_named(tmp_path: Path) -> None:
    """The error names the fault and its file."""
    fault = Fault(name="a-b", file="module.py", old="x = 1", new="x = 2", breaks="Something.")
    (tmp_path / "module.py").write_text("x = 1; x = 1")

    with pytest.raises(FaultError, match=r"a-b .* 2 times in module\.py"):
        fault.inject(tmp_path)


def test_an_unknown_fault_suggests_the_nearest() -> None:
    """The error contains the most similar name."""
    with pytest.raises(UsageError, match=f"did you mean {FAULTS[0].name!r}"):
        select_faults([FAULTS[0].name + "s"])


def test_results_are_stored_until_the_fault_changes(tmp_path: Path) -> None:
    """The next run reads the results of unchanged faults."""
    fault, changed = FAULTS[0], dataclasses.replace(FAULTS[0], new="something else")
    first, second = Results(tmp_path / "power.json"), Results(tmp_path / "power.json")
    first.add(fault, Pass.UNIT, ["tests.test_a::test_b"])

    second.load()

    assert second.caught_by(fault, Pass.UNIT) == ("tests.test_a::test_b",)
    assert second.caught_by(fault, Pass.INTEGRATION) is None
    assert second.caught_by(changed, Pass.UNIT) is None


def test_a_file_without_results_is_refused(tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "power.json").write_text("[]")

    with pytest.raises(FaultError, match=r"power\.json does not contain results"):
        Results(tmp_path / "power.json").load()


def test_the_table_marks_faults_that_no_test_caught() -> None:
    """A caught fault shows the first test, and a missed one shows its effect."""
    caught, missed = FAULTS[:2]
    results = Results()
    results.add(caught, Pass.UNIT, ["tests.test_a::test_b", "tests.test_a::test_c"])
    results.add(missed, Pass.UNIT, [])

    text = table((caught, missed), results)

    assert "unit: test_b and 1 more" in text
    assert f"NOT CAUGHT: {missed.breaks}" in text
    assert text.endswith("1 of 2 faults are caught.")


def test_failing_tests_are_read_from_a_report(tmp_path: Path) -> None:
    """Failures and errors count once each, and skipped and passed tests do not count."""
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuites><testsuite>"
        '<testcase classname="m" name="fails"><failure/></testcase>'
        '<testcase classname="m" name="passes"/>'
        '<testcase classname="m" name="is_skipped"><skipped/></testcase>'
        '<testcase classname="" name="tests.broken"><error/></testcase>'
        '<testcase classname="m" name="fails"><error/></testcase>'
        "</testsuite></testsuites>"
    )

    assert failing_tests(report) == ("m::fails", "tests.broken")


def test_a_fault_selects_the_tests_of_its_package() -> None:
    """The most likely module comes first. The hub configuration has tests of its own."""
    by_file = {fault.file: unit_paths(fault, PROJECT) for fault in FAULTS}
    brics = [path for path in unit_paths(None, PROJECT) if "/bricsauthenticator/" in path]

    assert by_file[WRAPPERS][0] == "packages/slurmspawner_wrappers/tests/test_wrappers.py"
    assert by_file[f"{BRICS}/keys.py"][0].endswith("test_keys.py")
    assert by_file[f"{BRICS}/spawner.py"][0].endswith("test_spawn.py")
    assert sorted(by_file[f"{BRICS}/spawner.py"]) == brics
    assert by_file[f"{CORE}/batch_script.sh.j2"][0] == "tests/unit/volumes/test_hub_configuration.py"


def test_a_copy_is_removed_after_the_reapers_of_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy exists until each reaper has released the lock on its record."""
    for name in PACKAGES:
        package = tmp_path / "snapshot" / "packages" / name
        package.mkdir(parents=True)
        (package / "pyproject.toml").write_text("[project]")
    existed: list[bool] = []
    lock = fcntl.flock

    with copy_snapshot(tmp_path / "snapshot", "copy") as copy:
        record = copy.project / ".hubpod" / reaper.RECORDS / "run.json"
        record.parent.mkdir(parents=True)
        file = record.open("wb")
        lock(file, fcntl.LOCK_EX)

        def release_and_lock(*arguments: int) -> None:
            """Release the reaper's lock when the copy's removal requests it."""
            existed.append(record.exists())
            file.close()
            lock(*arguments)

        monkeypatch.setattr(fcntl, "flock", release_and_lock)

    assert existed == [True]
    assert not record.exists()
