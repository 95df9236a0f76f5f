"""An edit of a source or of the configuration: what it changes, who restarts, and how it is told when it is wrong."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from hubpod.cli import harness_tests
from hubpod.cli.harness_tests import find_python, pytest_command, require_tests
from hubpod.commands import watch as watching
from hubpod.commands.reload import with_recorded_sources
from hubpod.commands.watch import Turn
from hubpod.components.assembly import pod_spec
from hubpod.components.site import Code, Site, files_below
from hubpod.context import Context
from hubpod.deployment import apply, seeding, syntax, tracebacks
from hubpod.deployment.apply import Difference, Outcome
from hubpod.deployment.refresh import find_readers, renew
from hubpod.environments import Stage, find_environment
from hubpod.errors import MachineError, NotReadyError, NotRunningError, SourceError, UsageError
from hubpod.images import source_volumes
from hubpod.images.build import BuildPlan
from hubpod.labels import LABEL_MANIFEST
from hubpod.manifests import podman as podman_manifest
from hubpod.pod import REFUSED, File, Seed, SeedKind
from hubpod.podman.answers import ContainerState
from hubpod.podman.cli import Podman
from hubpod.podman.snapshot import Snapshot
from hubpod.request import UpRequest
from hubpod.sources import content
from hubpod.sources.clones import SOURCES, Checkout
from hubpod.sources.origins import Origin
from hubpod.system import process
from hubpod.system.process import Result
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace
from support.sites import PROJECT, site

HUB_LOG = """\
[I 2026-01-31 08:16:48.892 JupyterHub app:3493] Running JupyterHub version 6.1.1
[E 2026-01-31 08:16:49.100 JupyterHub app:3957] Failed to load
    Traceback (most recent call last):
      File "/opt/jupyterhub/lib/python3.13/site-packages/traitlets/config/application.py", line 1006, in load
        yield each
      File "/etc/jupyterhub/fragments/login_dummy.py", line 12, in <module>
        c.Authenticator.allow_all = allowed(
                                    ^^^^^^^^
      File "/usr/src/bricsauthenticator/src/bricsauthenticator/__init__.py", line 7, in <module>
        raise RuntimeError('mine')
    RuntimeError: mine
[I 2026-01-31 08:16:49.200 JupyterHub app:3960] The end
"""


@pytest.fixture
def dummy() -> Site:
    """The site of dev_dummyauth."""
    return site(find_environment("dev_dummyauth"))


def seed(of: Site, part: str) -> Seed:
    """One of the seeds of a site's pod."""
    (found,) = (each for each in pod_spec(of).seeds if each.volume == of.instance.volume(part))
    return found


def podman_that(answers: Mapping[str, object]) -> Podman:
    """A podman of which these methods give these answers."""
    return cast("Podman", SimpleNamespace(**{name: lambda *_, a=answer, **__: a for name, answer in answers.items()}))


@pytest.mark.parametrize(
    ("parts", "restarted"),
    [
        (("hub-source",), ("jupyterhub",)),
        (("hub-config",), ("jupyterhub",)),
        (("slurm-source",), ()),
        (("slurm-config",), ("slurm",)),
        (("slurm-source", "hub-source"), ("jupyterhub",)),
        (("slurm-config", "hub-config"), ("slurm", "jupyterhub")),
    ],
)
def test_only_who_reads_a_change_restarts(dummy: Site, parts: tuple[str, ...], restarted: tuple[str, ...]) -> None:
    """The hub restarts for its code and configuration, Slurm for its own, and nobody for wrappers."""
    assert find_readers(pod_spec(dummy), tuple(seed(dummy, part) for part in parts)) == restarted


@pytest.mark.parametrize(
    ("stopped", "changed", "expected"),
    [
        ((), (), Difference.NONE),
        ((), ("hub-source",), Difference.CONTENT),
        (("jupyterhub",), ("hub-source",), Difference.CONTENT),
        (("jupyterhub",), (), Difference.POD),
        (("jupyterhub",), ("slurm-source",), Difference.POD),
        (("slurm", "jupyterhub"), ("hub-source",), Difference.POD),
    ],
)
def test_an_interrupted_restart_costs_no_pod(
    dummy: Site, stopped: tuple[str, ...], changed: tuple[str, ...], expected: Difference
) -> None:
    """A container that does not run may be one that has to restart anyway; any other one means a new pod."""
    spec = pod_spec(dummy)
    labels = {LABEL_MANIFEST: podman_manifest.digest(spec)}
    states = {
        f"{spec.name}-{each.name}": SimpleNamespace(
            state="exited" if each.name in stopped else "running", labels=labels
        )
        for each in spec.containers
    }
    stale = seeding.StaleVolumes(missing=(), changed=tuple(seed(dummy, part) for part in changed), digests={})
    found = Snapshot(containers=cast("dict[str, ContainerState]", states), volumes={})

    assert apply.compare(spec, found, stale) is expected


@pytest.mark.parametrize(
    ("name", "part", "renews", "restarted"),
    [
        ("jupyterhub", "hub-source", True, False),
        ("jupyterhub", "hub-config", True, False),
        ("jupyterhub", "hub-source", False, True),
        ("jupyterhub", "hub-credentials", True, True),
        ("slurm", "slurm-config", True, False),
        ("slurm", "slurm-accounts", True, False),
        ("slurm", "slurm-config", False, True),
        ("slurm", "slurm-credentials", True, True),
    ],
)
def test_hub_and_slurm_begin_anew_in_their_containers(
    dummy: Site, name: str, part: str, *, renews: bool, restarted: bool
) -> None:
    """But for credentials, some of which are variables, and where they refuse, or are not there to be told."""
    spec = pod_spec(dummy)
    (container,) = (each for each in spec.containers if each.name == name)
    restarts: list[str] = []
    answers = {"execute": lambda *_: Result(argv=(), returncode=int(not renews)), "restart": restarts.append}

    renew(cast("Podman", SimpleNamespace(**answers)), spec, container, [dummy.instance.volume(part)])

    assert bool(restarts) is restarted


def test_a_configuration_that_is_refused_restarts_nothing(dummy: Site) -> None:
    """Whoever refuses it would do so again, and jobs go on meanwhile; what it said is told."""
    spec = pod_spec(dummy)
    (slurm,) = (each for each in spec.containers if each.name == "slurm")
    answers = {"execute": lambda *_: Result(argv=(), returncode=REFUSED, stderr="unrecognized key: Nod\n")}

    with pytest.raises(NotReadyError, match="slurm refuses what was changed") as caught:
        renew(cast("Podman", SimpleNamespace(**answers)), spec, slurm, [dummy.instance.volume("slurm-config")])

    assert caught.value.detail == ("unrecognized key: Nod",)


def test_a_release_has_no_such_command(dummy: Site) -> None:
    """Where the image has the code, the hub is no fork."""
    renewed = [each.name for each in pod_spec(replace(dummy, sources={})).containers if each.renew]
    assert "jupyterhub" not in renewed


def test_images_that_have_the_code_get_no_volume_for_it() -> None:
    """Production mounts no source, and neither does a container whose image has its own."""
    found = site(find_environment("prod"))

    assert not [each.volume for each in pod_spec(found).seeds if "source" in each.volume]


def test_a_traceback_is_told_by_the_persons_own_files(dummy: Site) -> None:
    """Frames of the clone and of volumes/ have their paths there; those of others and marks are left out."""
    clone = dummy.sources["bricsauthenticator"].folder

    assert tracebacks.blamed(dummy, HUB_LOG) == (
        f'  File "{PROJECT}/volumes/jupyterhub/axes/login_dummy.py", line 12, in <module>',
        "    c.Authenticator.allow_all = allowed(",
        f'  File "{clone}/src/bricsauthenticator/__init__.py", line 7, in <module>',
        "    raise RuntimeError('mine')",
        "RuntimeError: mine",
    )


def test_a_traceback_of_others_is_nobodys(dummy: Site) -> None:
    """Where the person's code has no part in it, nothing is blamed."""
    others = HUB_LOG.replace("/etc/jupyterhub/", "/etc/other/").replace("/usr/src/", "/usr/lib/")

    assert tracebacks.blamed(dummy, others) == ()


def edited(dummy: Site, code: bytes) -> Seed:
    """The hub's source with another module."""
    before = seed(dummy, "hub-source")
    return replace(before, files=(File(path="src/bricsauthenticator/__init__.py", content=code),))


def test_what_python_cannot_compile_is_refused_with_its_line(dummy: Site) -> None:
    """A module that neither this Python nor that of its container can compile is told as the clone's file and line."""
    podman = podman_that({"execute": Result(argv=(), returncode=1)})

    with pytest.raises(SourceError) as caught:
        syntax.require_valid(podman, dummy, pod_spec(dummy), (edited(dummy, b"a = 1\nb = (\n"),), {})

    clone = dummy.sources["bricsauthenticator"].folder
    assert f"{clone}/src/bricsauthenticator/__init__.py, line 2: " in caught.value.message


def test_the_containers_python_has_the_last_word(dummy: Site) -> None:
    """What is wrong to the Python here may be right to the newer one that will run it."""
    podman = podman_that({"execute": Result(argv=(), returncode=0)})

    syntax.require_valid(podman, dummy, pod_spec(dummy), (edited(dummy, b"type of what = 1\n"),), {})


def test_only_changed_modules_are_compiled(dummy: Site) -> None:
    """What is wrong already, and runs, stands in nobody's way."""
    wrong = edited(dummy, b"b = (\n")

    syntax.require_valid(podman_that({}), dummy, pod_spec(dummy), (wrong,), {wrong.volume: wrong.tar()})
    assert syntax.find_changed_files(wrong, seed(dummy, "hub-source").tar()) == wrong.files


def context_at(folder: Path, podman: Podman) -> Context:
    """A context whose checkout is a folder."""
    reporter = ConsoleReporter(console=Console(file=StringIO()))
    return Context(workspace=Workspace(project=folder), podman=podman, reporter=reporter)


def test_what_is_kept_counts_only_while_it_is_what_runs(dummy: Site, tmp_path: Path) -> None:
    """The way back is to what was ready last, if that is still in the volume; credentials are not kept."""
    workspace, spec = Workspace(project=tmp_path), pod_spec(dummy)
    seeding.save_seeds(workspace, dummy, spec)
    source, key = seed(dummy, "hub-source"), dummy.credentials.digest_key
    changed = edited(dummy, b"new = 1\n")
    in_volume = {source.volume: source.digest(key)}
    elsewhere = {source.volume: seeding.UNFINISHED}

    def stale(digests: dict[str, str]) -> seeding.StaleVolumes:
        return seeding.StaleVolumes(missing=(), changed=(changed,), digests=digests)

    assert seeding.load_saved_seeds(workspace, dummy, stale(in_volume)) == {source.volume: source.tar()}
    assert seeding.load_saved_seeds(workspace, dummy, stale(elsewhere)) == {}
    kept = {path.stem for path in tmp_path.rglob("*.tar")}
    assert kept == {each.volume for each in spec.seeds if each.kind is SeedKind.CONFIG}


def test_links_bring_content_and_nothing_else(tmp_path: Path) -> None:
    """A link within a source becomes what it leads to; one that leads out, or to what is left out, nothing."""
    source = tmp_path / "source"
    (source / "data").mkdir(parents=True)
    (source / ".tox").mkdir()
    for path in (source / "code.py", source / "data" / "x", source / ".tox" / "token", tmp_path / "secret"):
        path.write_text(path.name)
    links = {"file": "code.py", "folder": "data", "out": "../secret", "ignored": ".tox/token", "nothing": "nowhere"}
    for name, target in links.items():
        (source / name).symlink_to(target)

    found = {file.path: file.content for file in content.snapshot(source)}

    assert found == {"code.py": b"code.py", "data/x": b"x", "file": b"code.py", "folder/x": b"x"}


@pytest.mark.parametrize("name", [".code.py.swp", "code.py~", ".#code.py", "#code.py#", "4913", "code.py___jb_tmp___"])
def test_what_editors_write_meanwhile_is_no_edit(tmp_path: Path, name: str) -> None:
    """Files that an editor has while somebody writes are neither code nor configuration."""
    (tmp_path / "code.py").write_text("")
    (tmp_path / name).write_text("")

    assert [file.path for file in content.snapshot(tmp_path)] == ["code.py"]
    assert [file.path for file in files_below(tmp_path)] == ["code.py"]


def test_what_an_installation_has_written_comes_with_the_code(tmp_path: Path) -> None:
    """A module that the build makes is in the volume beside the code, which has the last word; it is read once."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "code.py").write_text("edited")
    checkout = Checkout(source=SOURCES[0], directory=tmp_path / "source", status="")
    plan = BuildPlan(name="jupyterhub", reference="x/jupyterhub:dev-1", stage=Stage.DEV, base="b", sources=(checkout,))
    written = Seed(
        volume="v",
        kind=SeedKind.CONFIG,
        files=(File(path="code.py", content=b"old"), File(path="_version.py", content=b"1")),
    )
    asked: list[str] = []

    def read_from_image(_podman: Podman, _reference: str, folder: str) -> bytes:
        asked.append(folder)
        return written.tar()

    podman = podman_that({"image_id": "id"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_volumes, "export_directory", read_from_image)
        found = [
            source_volumes.load_code(Workspace(project=tmp_path), podman, [plan])["bricsauthenticator"]
            for _ in range(2)
        ]

    assert {file.path: file.content for file in found[1].files} == {"code.py": b"edited", "_version.py": b"1"}
    assert asked == ["/usr/src/bricsauthenticator"]
    assert source_volumes.load_code(Workspace(project=tmp_path), podman, [replace(plan, stage=Stage.PROD)]) == {}


def test_a_build_is_explained_by_what_was_built_before(tmp_path: Path) -> None:
    """A source is named when its installation is another one than at this checkout's last build."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "pyproject.toml").write_text("1")
    checkout = Checkout(source=SOURCES[0], directory=tmp_path / "source", status="")
    plan = BuildPlan(name="jupyterhub", reference="r", stage=Stage.DEV, base="b", sources=(checkout,))
    workspace = Workspace(project=tmp_path)

    assert source_volumes.find_reinstalled(workspace, [plan]) == ()
    source_volumes.record_installations(workspace, [plan])
    assert source_volumes.find_reinstalled(workspace, [plan]) == ()
    (tmp_path / "source" / "pyproject.toml").write_text("2")
    assert source_volumes.find_reinstalled(workspace, [plan]) == (checkout,)


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (Outcome(difference=Difference.NONE), "nothing changed"),
        (Outcome(difference=Difference.CONTENT), "restarted nothing"),
        (Outcome(difference=Difference.CONTENT, restarted=("slurm", "jupyterhub")), "restarted slurm, jupyterhub"),
        (Outcome(difference=Difference.POD), "the pod was replaced"),
    ],
)
def test_a_turn_says_what_it_took(done: Outcome, words: str) -> None:
    """What has restarted is what a person wants to know of a reload."""
    assert Turn(files=(), took_s=1.0, done=done).outcome == words


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "as it lies here"),
        (["one/__init__.py", "two/__init__.py"], "one/__init__.py, two/__init__.py"),
        (["a/b/1.py", "a/b/2.py", "a/b/3.py", "a/b/4.py", "a/b/5.py"], "b/1.py, b/2.py, b/3.py and 2 more"),
    ],
)
def test_a_turn_says_what_was_saved(names: list[str], words: str) -> None:
    """Which `__init__.py` it was can be seen, and a branch that was checked out is one line."""
    assert Turn(files=tuple(map(Path, names)), took_s=1.0).saved == words


class Watched:
    """A folder that is watched, and turns that are each followed by the next of some steps; the last ends it."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path, site_: Site) -> None:
        patch.setattr(watching, "reload", lambda *_: self.reloaded())
        self.folder = folder
        self.turns: list[Turn] = []
        self.instance = site_.instance

    def reloaded(self) -> Outcome:
        """What stands in for a reload."""
        return Outcome(difference=Difference.NONE)

    def through(self, *steps: Callable[[], object]) -> list[Turn]:
        """Watch, taking a step after each turn."""
        left = list(steps)

        def told(turn: Turn) -> None:
            self.turns.append(turn)
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

        context = context_at(self.folder.parent, podman_that({}))
        with pytest.raises(KeyboardInterrupt):
            watching.watch(
                context, UpRequest(instance=self.instance), [self.folder, self.folder.parent / "volumes"], told
            )
        return self.turns


@pytest.fixture
def watched(dummy: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """A clone that is watched."""
    for name in ("clone", "volumes"):
        (tmp_path / name).mkdir()
    return Watched(monkeypatch, tmp_path / "clone", dummy)


def test_a_save_by_renaming_is_noticed(watched: Watched) -> None:
    """Editors write another file and rename it; what they write meanwhile is nobody's save."""
    code, scratch = watched.folder / "code.py", watched.folder / ".code.py.swp"

    def save() -> None:
        scratch.write_text("new")
        scratch.rename(code)

    assert [turn.files for turn in watched.through(save)] == [(), (code,)]


def test_a_clone_that_goes_and_comes_is_told_and_watched_again(watched: Watched) -> None:
    """None is made in its place, which would go live with nobody's edits; when it is back, its saves are noticed."""
    aside, code = watched.folder.with_name("aside"), watched.folder / "code.py"

    def replaced() -> None:
        watched.folder.mkdir()

    turns = watched.through(lambda: watched.folder.rename(aside), replaced, lambda: code.write_text("new"))

    assert isinstance(turns[1].error, SourceError)
    assert f"{watched.folder} is gone" in turns[1].error.message
    assert [turn.error for turn in turns[2:]] == [None, None]
    assert turns[-1].files == (code,)


def test_what_a_reload_raises_is_told_and_the_next_save_taken(watched: Watched) -> None:
    """A pod that goes down meanwhile may come back; only where it is down at once, watching makes no sense."""
    down = NotRunningError("it is down")

    def fail() -> Outcome:
        raise down

    def save_while_down() -> None:
        watched.reloaded = fail  # type: ignore[method-assign]
        (watched.folder / "code.py").write_text("new")

    assert [turn.error for turn in watched.through(save_while_down)] == [None, down]
    with pytest.raises(NotRunningError):
        watching.watch(
            context_at(watched.folder, podman_that({})),
            UpRequest(instance=watched.instance),
            [watched.folder],
            lambda _: None,
        )


def test_sources_are_those_that_it_was_brought_up_with(dummy: Site, tmp_path: Path) -> None:
    """Folders in place are noted for the next reload; a clone of the checkout is what is taken anyway."""
    context = context_at(tmp_path, podman_that({}))
    request, other = UpRequest(instance=dummy.instance), Origin(directory=tmp_path / "other")
    own, in_place = SOURCES[0], SOURCES[1]
    code = {own.name: Code(folder=own.clone(tmp_path)), in_place.name: Code(folder=tmp_path / "mine")}

    assert with_recorded_sources(context, request) == request
    source_volumes.record_directories(context.workspace, dummy.instance, code)

    assert with_recorded_sources(context, request).origins == {in_place.name: Origin(directory=tmp_path / "mine")}
    asked = replace(request, origins={in_place.name: other})
    assert with_recorded_sources(context, asked) == asked


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(5, "--test x: no test of harness/suite for dev_dummyauth matches"), (4, "--test x: Wrong expression passed")],
)
def test_an_expression_that_chooses_nothing_is_a_sentence(dummy: Site, status: int, sentence: str) -> None:
    """What pytest says of it is told once, before anything is reloaded."""
    command = ("sh", "-c", f"echo; echo \"ERROR: Wrong expression passed to '-k': x\" >&2; exit {status}")

    with pytest.raises(UsageError) as caught:
        require_tests(command, "x", dummy.instance.environment)

    assert caught.value.message.startswith(sentence)


def test_tests_run_in_an_environment_that_has_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of `./run` has no pytest: then a session of nox has it, which is asked for each time, and may fail."""
    typed: list[Sequence[str]] = []

    def attach(words: Sequence[str]) -> int:
        typed.append(words)
        return len(typed) - 1

    monkeypatch.setattr(process, "attach", attach)
    assert find_python() == sys.executable
    monkeypatch.setattr(harness_tests, "find_spec", lambda _: None)

    assert find_python() == str(PROJECT / ".nox" / "integration" / "bin" / "python")
    assert typed[0][-3:] == ["-s", "integration", "--install-only"]
    with pytest.raises(MachineError, match="cannot install the virtual environment that --test needs"):
        find_python()


def test_tests_run_with_the_sources_that_are_watched(dummy: Site, tmp_path: Path) -> None:
    """The harness is given a folder in place where one is watched, else the clone, and the environment."""
    request = UpRequest(instance=dummy.instance, origins={"bricsauthenticator": Origin(directory=tmp_path)})

    words = pytest_command(request, "login or spawn")

    assert f"--hubpod-source=bricsauthenticator={tmp_path}" in words
    assert any(word.startswith("--hubpod-source=slurmspawner_wrappers=") for word in words)
    assert words[words.index("-k") + 1] == "login or spawn"
    assert "--hubpod-environment=dev_dummyauth" in words


def test_the_printed_loop_shows_each_way_that_an_edit_may_go() -> None:
    """What restarts, what does not, what is refused, what is taken back, and what is no edit."""
    loop = (PROJECT / "docs" / "edit-loop.md").read_text().partition("<!-- loop -->")[2].partition("<!-- /loop -->")[0]
    told = ("restarted: jupyterhub", "restarted: nothing", "was never closed", "is restored", "nothing changed")

    assert [words for words in told if words not in loop] == []
    assert str(PROJECT) not in loop
