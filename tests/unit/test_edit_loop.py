"""An edit of a source or of the configuration: what it changes, who restarts, and how it is told when it is wrong."""

from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console
from support.sites import PROJECT, site

from hubpod import content, deployment, kube, mounted, own_code, seeding, syntax
from hubpod.components.assembly import pod_spec
from hubpod.components.parts import Site, files_below
from hubpod.context import Context
from hubpod.deployment import Difference, Done
from hubpod.environments import Stage, find_environment
from hubpod.errors import SourceError
from hubpod.images import Build
from hubpod.origins import Origin
from hubpod.pod import File, Seed, SeedKind
from hubpod.podman import Podman
from hubpod.process import Result
from hubpod.progress import ConsoleReporter
from hubpod.refresh import readers
from hubpod.request import UpRequest
from hubpod.sources import SOURCES, Checkout
from hubpod.watch import Turn
from hubpod.workspace import Workspace
from tasks.editing import pytest_command

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
    assert readers(pod_spec(dummy), tuple(seed(dummy, part) for part in parts)) == restarted


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
    dummy: Site, tmp_path: Path, stopped: tuple[str, ...], changed: tuple[str, ...], expected: Difference
) -> None:
    """A container that does not run may be one that has to restart anyway; any other one means a new pod."""
    spec = pod_spec(dummy)
    labels = {kube.LABEL_MANIFEST: kube.digest(spec)}
    states = {
        f"{spec.name}-{each.name}": SimpleNamespace(
            state="exited" if each.name in stopped else "running", labels=labels
        )
        for each in spec.containers
    }
    podman = podman_that({"containers": states, "volumes": {}})
    stale = seeding.Stale(missing=(), changed=tuple(seed(dummy, part) for part in changed), found={})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeding, "stale", lambda *_: stale)
        found = deployment.difference(context_at(tmp_path, podman), dummy, spec)

    assert found is expected


def test_images_that_have_the_code_get_no_volume_for_it() -> None:
    """Production mounts no source, and neither does a container whose image has its own."""
    found = site(find_environment("prod"))

    assert not [each.volume for each in pod_spec(found).seeds if "source" in each.volume]


def test_a_traceback_is_told_by_the_persons_own_files(dummy: Site) -> None:
    """Frames of the clone and of volumes/ have their paths there; those of others and marks are left out."""
    clone = dummy.sources["bricsauthenticator"].folder

    assert own_code.blamed(dummy, HUB_LOG) == (
        f'  File "{PROJECT}/volumes/jupyterhub/axes/login_dummy.py", line 12, in <module>',
        "    c.Authenticator.allow_all = allowed(",
        f'  File "{clone}/src/bricsauthenticator/__init__.py", line 7, in <module>',
        "    raise RuntimeError('mine')",
        "RuntimeError: mine",
    )


def test_a_traceback_of_others_is_nobodys(dummy: Site) -> None:
    """Where the person's code has no part in it, nothing is blamed."""
    others = HUB_LOG.replace("/etc/jupyterhub/", "/etc/other/").replace("/usr/src/", "/usr/lib/")

    assert own_code.blamed(dummy, others) == ()


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
    assert syntax.changed_files(wrong, seed(dummy, "hub-source").tar()) == wrong.files


def context_at(folder: Path, podman: Podman) -> Context:
    """A context whose checkout is a folder."""
    reporter = ConsoleReporter(console=Console(file=StringIO()))
    return Context(workspace=Workspace(project=folder), podman=podman, reporter=reporter)


def test_what_is_kept_counts_only_while_it_is_what_runs(dummy: Site, tmp_path: Path) -> None:
    """The way back is to what was ready last, if that is still in the volume; credentials are not kept."""
    context, spec = context_at(tmp_path, podman_that({})), pod_spec(dummy)
    seeding.keep(context, dummy, spec)
    source, key = seed(dummy, "hub-source"), dummy.credentials.digest_key
    changed = edited(dummy, b"new = 1\n")
    in_volume = {source.volume: source.digest(key)}
    elsewhere = {source.volume: seeding.UNFINISHED}

    assert seeding.held(context, dummy, seeding.Stale(missing=(), changed=(changed,), found=in_volume)) == {
        source.volume: source.tar()
    }
    assert seeding.held(context, dummy, seeding.Stale(missing=(), changed=(changed,), found=elsewhere)) == {}
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
    checkout = Checkout(source=SOURCES[0], folder=tmp_path / "source", status="")
    plan = Build(name="jupyterhub", reference="x/jupyterhub:dev-1", stage=Stage.DEV, base="b", sources=(checkout,))
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
        patch.setattr(mounted, "archive_of", read_from_image)
        found = [mounted.code(Workspace(project=tmp_path), podman, [plan])["bricsauthenticator"] for _ in range(2)]

    assert {file.path: file.content for file in found[1].files} == {"code.py": b"edited", "_version.py": b"1"}
    assert asked == ["/usr/src/bricsauthenticator"]
    assert mounted.code(Workspace(project=tmp_path), podman, [replace(plan, stage=Stage.PROD)]) == {}


def test_a_build_is_explained_by_what_was_built_before(tmp_path: Path) -> None:
    """A source is named when its installation is another one than at this checkout's last build."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "pyproject.toml").write_text("1")
    checkout = Checkout(source=SOURCES[0], folder=tmp_path / "source", status="")
    plan = Build(name="jupyterhub", reference="r", stage=Stage.DEV, base="b", sources=(checkout,))
    workspace = Workspace(project=tmp_path)

    assert mounted.reinstalled(workspace, [plan]) == ()
    mounted.note_installed(workspace, [plan])
    assert mounted.reinstalled(workspace, [plan]) == ()
    (tmp_path / "source" / "pyproject.toml").write_text("2")
    assert mounted.reinstalled(workspace, [plan]) == (checkout,)


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (Done(difference=Difference.NONE), "nothing changed"),
        (Done(difference=Difference.CONTENT), "restarted nothing"),
        (Done(difference=Difference.CONTENT, restarted=("slurm", "jupyterhub")), "restarted slurm, jupyterhub"),
        (Done(difference=Difference.POD), "the pod was replaced"),
    ],
)
def test_a_turn_says_what_it_took(done: Done, words: str) -> None:
    """What has restarted is what a person wants to know of a reload."""
    assert Turn(files=(), took_s=1.0, done=done).outcome == words


def test_tests_run_with_the_sources_that_are_watched(dummy: Site, tmp_path: Path) -> None:
    """The harness is given a folder in place where one is watched, else the clone, and the environment."""
    request = UpRequest(instance=dummy.instance, origins={"bricsauthenticator": Origin(folder=tmp_path)})

    words = pytest_command(request, "login or spawn")

    assert f"--hubpod-source=bricsauthenticator={tmp_path}" in words
    assert any(word.startswith("--hubpod-source=slurmspawner_wrappers=") for word in words)
    assert words[words.index("-k") + 1] == "login or spawn"
    assert "--hubpod-environment=dev_dummyauth" in words


def test_the_printed_loop_shows_each_way_that_an_edit_may_go() -> None:
    """What restarts, what does not, what is refused, what is taken back, and what is no edit."""
    loop = (PROJECT / "docs" / "edit-loop.md").read_text().partition("<!-- loop -->")[2].partition("<!-- /loop -->")[0]
    told = ("restarted: jupyterhub", "restarted: nothing", "was never closed", "is put back", "nothing changed")

    assert [words for words in told if words not in loop] == []
    assert str(PROJECT) not in loop
