"""The faults of the power measurement: each is one that fits today's text and that Python or Jinja can read."""

import ast
import dataclasses
import fcntl
import re
from pathlib import Path

import jinja2
import pytest

from hubpod.errors import UsageError
from hubpod_harness import reaper
from power.copies import PACKAGES, copied
from power.fault import AXES, BRICS, CORE, PROJECT, WRAPPERS, Fault, FaultError
from power.faults import FAULTS
from power.measure import chosen
from power.passes import Pass, failing_tests, unit_paths
from power.results import Results, table

FEWEST = 40


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_fits_and_can_be_read(fault: Fault) -> None:
    """Its old text is in its file exactly once, and what comes out is valid Python or Jinja and something else."""
    text = fault.text(PROJECT)

    assert text != (PROJECT / fault.file).read_text()
    if fault.file.endswith(".py"):
        before = ast.dump(ast.parse((PROJECT / fault.file).read_text()))
        assert ast.dump(ast.parse(text)) != before
    else:
        jinja2.Environment(autoescape=True).parse(text)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_says_what_it_breaks(fault: Fault) -> None:
    """Its name is in kebab-case, and what a person would notice is one sentence."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", fault.name)
    assert re.fullmatch(r"[A-Z][^.]*\.", fault.breaks)


def test_names_are_unique() -> None:
    """A name chooses one fault."""
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_every_part_has_faults() -> None:
    """There are enough of them, in both packages, in the hub's configuration, its fragments and the job script."""
    files = [fault.file for fault in FAULTS]

    assert len(files) >= FEWEST
    for part in (BRICS, WRAPPERS, f"{CORE}/jupyterhub_config.py", f"{CORE}/batch_script.sh.j2", AXES):
        assert any(file.startswith(part) for file in files), part


def test_every_module_of_the_packages_has_a_fault() -> None:
    """No module that decides something is left out."""
    tried = {fault.file for fault in FAULTS}
    modules = {f"{BRICS}/{path.name}" for path in (PROJECT / BRICS).glob("*.py") if path.name != "__init__.py"}

    assert modules <= tried


def test_a_fault_whose_text_has_changed_is_named(tmp_path: Path) -> None:
    """When the code has moved on, the fault is named together with its file."""
    fault = Fault(name="a-b", file="module.py", old="x = 1", new="x = 2", breaks="Something.")
    (tmp_path / "module.py").write_text("x = 1; x = 1")

    with pytest.raises(FaultError, match=r"a-b .* 2 times in module\.py"):
        fault.put_into(tmp_path)


def test_a_mistyped_fault_is_answered_with_the_nearest() -> None:
    """A name that no fault has is refused, and the one that was meant is suggested."""
    with pytest.raises(UsageError, match=f"did you mean {FAULTS[0].name!r}"):
        chosen([FAULTS[0].name + "s"])


def test_results_outlive_the_run_but_not_the_fault(tmp_path: Path) -> None:
    """What was measured is there for the next run, unless the fault is another one now."""
    fault, changed = FAULTS[0], dataclasses.replace(FAULTS[0], new="something else")
    first, second = Results(tmp_path / "power.json"), Results(tmp_path / "power.json")
    first.add(fault, Pass.UNIT, ["tests.test_a::test_b"])

    second.load()

    assert second.caught_by(fault, Pass.UNIT) == ("tests.test_a::test_b",)
    assert second.caught_by(fault, Pass.INTEGRATION) is None
    assert second.caught_by(changed, Pass.UNIT) is None


def test_a_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    """A file that is not one of results is named."""
    (tmp_path / "power.json").write_text("[]")

    with pytest.raises(FaultError, match=r"power\.json does not hold results"):
        Results(tmp_path / "power.json").load()


def test_the_table_names_what_nothing_caught() -> None:
    """Each fault has the first test that caught it, or is marked, with what a person would notice."""
    caught, missed = FAULTS[:2]
    results = Results()
    results.add(caught, Pass.UNIT, ["tests.test_a::test_b", "tests.test_a::test_c"])
    results.add(missed, Pass.UNIT, [])

    text = table((caught, missed), results)

    assert "unit: test_b and 1 more" in text
    assert f"NOT CAUGHT: {missed.breaks}" in text
    assert text.endswith("1 of 2 faults are caught.")


def test_failing_tests_are_read_from_a_report(tmp_path: Path) -> None:
    """Failures and errors count, skipped and passed tests do not, and none is told twice."""
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


def test_a_fault_is_looked_for_by_the_tests_of_its_package() -> None:
    """All tests of a fault's package run, the nearest first, and none for a fault in the hub's configuration."""
    by_file = {fault.file: unit_paths(fault, PROJECT) for fault in FAULTS}
    brics = [path for path in unit_paths(None, PROJECT) if "/bricsauthenticator/" in path]

    assert by_file[WRAPPERS] == ["packages/slurmspawner_wrappers/tests/test_wrappers.py"]
    assert by_file[f"{BRICS}/keys.py"][0].endswith("test_keys.py")
    assert by_file[f"{BRICS}/spawner.py"][0].endswith("test_spawn.py")
    assert sorted(by_file[f"{BRICS}/spawner.py"]) == brics
    assert by_file[f"{CORE}/batch_script.sh.j2"][0] == "tests/unit/volumes/test_hub_configuration.py"


def test_a_copy_stays_while_something_is_left_of_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy goes when the reaper of each run in it has let go of the run's record, and not before."""
    for name in PACKAGES:
        package = tmp_path / "pristine" / "packages" / name
        package.mkdir(parents=True)
        (package / "pyproject.toml").write_text("[project]")
    there: list[bool] = []
    lock = fcntl.flock

    with copied(tmp_path / "pristine", "copy") as copy:
        record = copy.project / ".hubpod" / reaper.RECORDS / "run.json"
        record.parent.mkdir(parents=True)
        held = record.open("wb")
        lock(held, fcntl.LOCK_EX)

        def let_go(*arguments: int) -> None:
            """What the reaper does in its own time: here when somebody wants the lock."""
            there.append(record.exists())
            held.close()
            lock(*arguments)

        monkeypatch.setattr(fcntl, "flock", let_go)

    assert there == [True]
    assert not record.exists()
