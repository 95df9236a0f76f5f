"""Watching for saves, with a stand-in for the reload."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hubpod.commands import watch as watching
from hubpod.commands.watch import ReloadResult
from hubpod.deployment.apply import Difference, Outcome
from hubpod.environments import find_environment
from hubpod.errors import NotRunningError, SourceError
from hubpod.instances import Instance
from hubpod.request import UpRequest
from support.stand_ins import context_at

REQUEST = UpRequest(instance=Instance(environment=find_environment("dev_dummyauth"), name="default"))


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(difference=Difference.NONE), "nothing changed"),
        (Outcome(difference=Difference.CONTENT), "restarted nothing"),
        (Outcome(difference=Difference.CONTENT, restarted=("slurm", "jupyterhub")), "restarted slurm, jupyterhub"),
        (Outcome(difference=Difference.POD), "the pod was replaced"),
    ],
)
def test_a_summary_reports_the_restart(outcome: Outcome, words: str) -> None:
    """A developer sees at a glance what a save cost."""
    assert ReloadResult(files=(), took_s=1.0, outcome=outcome).summary == words


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "present files"),
        (["one/__init__.py", "two/__init__.py"], "one/__init__.py, two/__init__.py"),
        (["a/b/1.py", "a/b/2.py", "a/b/3.py", "a/b/4.py", "a/b/5.py"], "b/1.py, b/2.py, b/3.py and 2 more"),
    ],
)
def test_a_summary_names_the_saved_files(names: list[str], words: str) -> None:
    """Saved files are named on one line, and equal names with their directories.

    A checkout of a branch also stays one line.
    """
    assert ReloadResult(files=tuple(map(Path, names)), took_s=1.0).saved == words


class Watcher:
    """Watches a clone, takes a step after each reload, and ends after the last one."""

    def __init__(self, patch: pytest.MonkeyPatch, clone: Path) -> None:
        patch.setattr(watching, "reload", lambda *_: self.reload())
        self.clone = clone
        self.results: list[ReloadResult] = []

    def reload(self) -> Outcome:
        """Stand in for a reload."""
        return Outcome(difference=Difference.NONE)

    def run(self, *steps: Callable[[], object]) -> list[ReloadResult]:
        """Watch, and return the result of each reload."""
        left = list(steps)

        def report(result: ReloadResult) -> None:
            self.results.append(result)
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

        directories = [self.clone, self.clone.parent / "volumes"]
        with pytest.raises(KeyboardInterrupt):
            watching.watch(context_at(self.clone.parent), REQUEST, directories, report)
        return self.results


@pytest.fixture
def watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watcher:
    """Return a watcher of a clone and volumes/."""
    for name in ("clone", "volumes"):
        (tmp_path / name).mkdir()
    return Watcher(monkeypatch, tmp_path / "clone")


def test_a_save_by_renaming_is_noticed(watcher: Watcher) -> None:
    """Editors write a scratch file and rename it, and only the rename is a save."""
    code, scratch = watcher.clone / "code.py", watcher.clone / ".code.py.swp"

    def save() -> None:
        scratch.write_text("new")
        scratch.rename(code)

    assert [result.files for result in watcher.run(save)] == [(), (code,)]


def test_a_clone_that_is_moved_away_and_back_is_watched_again(watcher: Watcher) -> None:
    """A clone that is moved away is not replaced, and its saves are noticed when it is back."""
    aside, code = watcher.clone.with_name("aside"), watcher.clone / "code.py"

    results = watcher.run(lambda: watcher.clone.rename(aside), watcher.clone.mkdir, lambda: code.write_text("new"))

    assert isinstance(results[1].error, SourceError)
    assert f"{watcher.clone} is gone" in results[1].error.message
    assert [result.error for result in results[2:]] == [None, None]
    assert results[-1].files == (code,)


def test_a_failed_reload_does_not_end_watching(watcher: Watcher) -> None:
    """Only an instance that is down at the first reload is an error.

    A pod that goes down later may come back.
    """
    down = NotRunningError("it is down")

    def fail() -> Outcome:
        raise down

    def save_while_down() -> None:
        watcher.reload = fail  # type: ignore[method-assign]
        (watcher.clone / "code.py").write_text("new")

    assert [result.error for result in watcher.run(save_while_down)] == [None, down]
    with pytest.raises(NotRunningError):
        watching.watch(context_at(watcher.clone), REQUEST, [watcher.clone], lambda _: None)
