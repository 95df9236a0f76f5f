"""Tags of images, and the environment of a build."""

import json
import re
import stat
import time
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from hubpod.context import Context
from hubpod.environments import Stage
from hubpod.errors import UsageError
from hubpod.images import build, ensure
from hubpod.images.base import BaseImage, BaseSpec, read_base
from hubpod.instances import find_instance
from hubpod.podman.cli import Podman
from hubpod.request import BaseFrom, UpRequest, jupyterhub_lock
from hubpod.sources.clones import SOURCES, Checkout
from hubpod.system.certificates import CA_VARIABLES
from hubpod.system.process import Result
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one image and one source."""
    (tmp_path / "containers" / "slurm" / "_dev_build_data").mkdir(parents=True)
    (tmp_path / "containers" / "slurm" / "Containerfile").write_text("FROM x\n")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "code.py").write_text("1\n")
    return tmp_path


def tag(project: Path, *, base: str = "b", stage: Stage = Stage.DEV) -> str:
    """Return the reference of the project's image."""
    checkout = Checkout(source=SOURCES[1], directory=project / "source", status="")
    return build.plan_build(project, "slurm", stage, base, (checkout,)).reference


def test_same_content_has_the_same_tag(project: Path) -> None:
    """The tag depends on the image's content only.

    Clones below _dev_build_data belong to the sources.
    """
    before = tag(project)
    (project / "containers" / "slurm" / "_dev_build_data" / "x").write_text("noise")

    assert tag(project) == before


def test_any_change_changes_the_tag(project: Path) -> None:
    """Containerfile, file modes, requirements of a source, base and stage change the tag."""
    tags = {tag(project), tag(project, base="c"), tag(project, stage=Stage.PROD)}
    (project / "source" / "pyproject.toml").write_text("[project]\n")
    tags.add(tag(project))
    (project / "containers" / "slurm" / "Containerfile").write_text("FROM y\n")
    tags.add(tag(project))
    (project / "containers" / "slurm" / "Containerfile").chmod(0o755)
    tags.add(tag(project))

    assert len(tags) == 6


def test_code_is_not_in_development_images(project: Path) -> None:
    """An edited module changes the tag for production only.

    In development, the code comes in a volume.
    """
    before = {stage: tag(project, stage=stage) for stage in Stage}
    (project / "source" / "code.py").write_text("2\n")
    after = {stage: tag(project, stage=stage) for stage in Stage}

    assert before[Stage.DEV] == after[Stage.DEV]
    assert before[Stage.PROD] != after[Stage.PROD]


@pytest.mark.parametrize(
    "path", ["pyproject.toml", "setup.cfg", "requirements/run.txt", "new.py", "src/new/__init__.py", "code/fast.pyx"]
)
def test_installation_inputs_change_the_tag(project: Path, path: str) -> None:
    """A change of a source's build configuration or requirements changes the tag.

    So does compiled code or a new top-level module.
    """
    before = tag(project)
    new = project / "source" / path
    new.parent.mkdir(parents=True, exist_ok=True)
    new.write_text("")

    assert tag(project) != before


@pytest.mark.parametrize("path", ["README.md", "src/package/more.py", "src/package/page.html", "tests/test_more.py"])
def test_files_found_at_runtime_keep_the_tag(project: Path, path: str) -> None:
    """A further module of a package, its data, tests and documentation need no new image."""
    for name in ("src/package/__init__.py", "tests/test_it.py"):
        (project / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (project / "source" / name).write_text("")
    before = tag(project)
    (project / "source" / path).write_text("")

    assert tag(project) == before


def plan_hub(jupyterhub: str) -> build.BuildPlan:
    """Plan this project's own hub image for a line of JupyterHub."""
    return build.plan_build(PROJECT, "jupyterhub", Stage.DEV, "b", (), jupyterhub=jupyterhub)


def test_each_line_of_jupyterhub_has_its_own_lock_and_tag() -> None:
    """An older line selects its lock file by a build argument, which changes the tag."""
    current, older = plan_hub(""), plan_hub("5.5")

    assert (current.arguments, older.arguments) == ((), ("REQUIREMENTS=requirements-jupyterhub5.lock",))
    assert current.reference != older.reference
    versions = {"": "6.", "5.5": "5.5."}
    for line, version in versions.items():
        lock = PROJECT / "containers" / "jupyterhub" / jupyterhub_lock(line)
        assert re.search(rf"^jupyterhub=={re.escape(version)}", lock.read_text(), re.MULTILINE)


def test_line_of_jupyterhub_changes_only_the_hub_image(project: Path) -> None:
    """The Slurm image is the same for all lines of JupyterHub."""
    plans = [build.plan_build(project, "slurm", Stage.DEV, "b", (), jupyterhub=line) for line in ("", "5.5")]

    assert plans[0] == plans[1]


def test_unknown_line_of_jupyterhub_is_refused() -> None:
    """A request for a line without a lock file is refused, and the error lists the known lines."""
    instance = find_instance("dev_dummyauth", "default")
    with pytest.raises(UsageError, match=r"JupyterHub 5\.4: must be one of 5\.5; did you mean '5\.5'") as caught:
        UpRequest(instance=instance, jupyterhub="5.4")

    assert caught.value.remedy == "leave it out for the current line"


def test_further_images_can_be_requested(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A caller may name directories below containers/ in addition to the environment's images."""
    monkeypatch.setattr("hubpod.sources.clones.ensure_clones", lambda *_: ())
    monkeypatch.setattr("hubpod.images.base.find_base", lambda *_: BaseImage(reference="base", id="base"))
    podman = cast("Podman", SimpleNamespace(image_ids=lambda these: {each: each for each in these}))
    reporter = ConsoleReporter(console=Console(file=StringIO()))
    context = Context(workspace=Workspace(project=tmp_path), podman=podman, reporter=reporter)
    request = UpRequest(instance=find_instance("dev_dummyauth", "default"))

    assert list(ensure.ensure_images(context, request).images) == ["jupyterhub", "slurm"]
    assert list(ensure.ensure_images(context, request, ("slurm", "testkit")).images) == [
        "jupyterhub",
        "slurm",
        "testkit",
    ]


def test_build_error_has_the_step_and_its_last_lines() -> None:
    """The error of a failed build names the failed step and has its output."""
    plan = build.BuildPlan(name="slurm", reference="r", stage=Stage.DEV, base="b", sources=())
    output = "STEP 1/2: FROM x\nok\nSTEP 2/2: RUN false\nwent wrong"

    error = build.build_error(plan, Result(argv=("podman",), returncode=1, stdout=output))

    assert "STEP 2/2: RUN false" in error.message
    assert error.detail == ("went wrong",)


def test_build_gets_certificates_and_indexes_of_the_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A build has the CA bundle and the package indexes that the host's environment names."""
    bundle = tmp_path / "corporate.pem"
    bundle.write_text("certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:it's@index.example/simple")

    folder = build.write_build_environment(tmp_path / "environment")
    exports = (folder / "env").read_text()

    assert stat.S_IMODE((folder / "env").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert (folder / "ca-certificates.crt").read_text() == "certificate"
    assert "export SSL_CERT_FILE=/run/hubpod-build/ca-certificates.crt\n" in exports
    assert """export PIP_INDEX_URL='https://user:it'"'"'s@index.example/simple'\n""" in exports


def test_build_retries_downloads_while_a_network_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The package managers of a build are more patient than by default; the host's own values win."""
    for variable in CA_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("UV_HTTP_RETRIES", "3")

    folder = build.write_build_environment(tmp_path / "environment")
    exports = (folder / "env").read_text().splitlines()

    assert {"export PIP_RETRIES=7", "export UV_HTTP_RETRIES=3", "export npm_config_fetch_retries=7"} <= set(exports)
    assert "export APT_CONFIG=/run/hubpod-build/apt.conf" in exports
    assert 'Acquire::Retries "7";\n' in (folder / "apt.conf").read_text()


def test_retry_of_pip_is_one_sentence() -> None:
    """It names the download in place of pip's dump; other lines stay."""
    line = (
        "WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after connection "
        "broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: Failed to "
        "establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/uv/"
    )

    assert build.explain_retry(line) == "no answer to the download of /simple/uv/; pip retries it up to 4 times more"
    assert build.explain_retry("STEP 1/2: FROM x") == "STEP 1/2: FROM x"


def test_base_has_a_reference_for_each_origin() -> None:
    """A base image from a registry and a bootstrapped one have different references."""
    base = read_base(PROJECT)

    assert base.reference(BaseFrom.REGISTRY) != base.reference(BaseFrom.BOOTSTRAP)


@pytest.mark.parametrize("reference", ["host:5000/library/debian:trixie-slim", "host:5000/library/debian"])
def test_repository_keeps_the_port_of_its_registry(reference: str) -> None:
    """The repository of a reference has no tag, but the port of its registry."""
    assert BaseSpec(suite="trixie", registry=reference, packages=()).repository == "host:5000/library/debian"


def test_only_old_images_are_pruned(project: Path, tmp_path: Path) -> None:
    """A build removes only images that are old and not among the last three.

    Other checkouts may use the remaining images.
    """
    now = time.time()
    ages = {
        "new": 0,
        "second": 60,
        "third": build.KEPT_S + 60,
        "old": build.KEPT_S + 120,
        "older": build.KEPT_S + 180,
    }
    rows = [{"Names": [f"localhost/hubpod/slurm:dev-{tag}"], "Created": now - age} for tag, age in ages.items()]
    calls = tmp_path / "calls"
    script = tmp_path / "podman"
    script.write_text(f"#!/bin/sh\necho $* >>{calls}\n[ $1 != images ] || echo '{json.dumps(rows)}'\n")
    script.chmod(0o755)
    checkout = Checkout(source=SOURCES[1], directory=project / "source", status="")

    build.prune_images(Podman(executable=str(script)), build.plan_build(project, "slurm", Stage.DEV, "b", (checkout,)))

    (removed,) = (line for line in calls.read_text().splitlines() if line.startswith("image rm"))
    assert removed == "image rm localhost/hubpod/slurm:dev-old localhost/hubpod/slurm:dev-older"


def test_the_mount_of_a_build_has_a_label_for_containers(project: Path, tmp_path: Path) -> None:
    """The environment is mounted with `z`, without which SELinux hides it from the build."""
    program = tmp_path / "podman"
    program.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\necho id\n')
    program.chmod(0o755)
    checkout = Checkout(source=SOURCES[1], directory=project / "source", status="")
    plan = build.plan_build(project, "slurm", Stage.DEV, "base", (checkout,))
    (tmp_path / "scratch").mkdir()

    build.build_image(Podman(executable=str(program)), project, tmp_path / "scratch", plan, lambda _: None)

    mounts = re.findall(r"--volume=(\S+)", (tmp_path / "calls").read_text())
    assert [each.rpartition(":")[2] for each in mounts] == ["ro,z"]
