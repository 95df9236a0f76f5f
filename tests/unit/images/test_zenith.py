"""Choice of the Zenith client's image, with a stand-in for podman."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from hubpod.components.zenith import IMAGE, REGISTRY_IMAGE
from hubpod.environments import Stage
from hubpod.errors import BuildError
from hubpod.images import zenith as zenith_image
from hubpod.images.references import REPOSITORY
from hubpod.podman.cli import Podman

ANOTHER = "registry.example.org/zenith-client:1.0"
PODMAN = """\
#!/bin/sh
here=${0%/*}
echo "$*" >>"$here/calls"
for last; do :; done
case "$1 $2" in
"image inspect") grep -qxF "$last" "$here/local" && echo 0123456789ab ;;
"images --filter"*) cat "$here/built" ;;
"pull --quiet")
    if grep -qxF "$last" "$here/registry"; then echo "$last" >>"$here/local"; else
        echo "Error: initializing source docker://$last: no such host" >&2
        exit 125
    fi ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The images of podman and of a registry."""

    directory: Path

    def set_local(self, *references: str) -> None:
        """Set the images that podman has."""
        (self.directory / "local").write_text("".join(f"{reference}\n" for reference in references))

    def set_registry(self, *references: str) -> None:
        """Set the images that can be pulled."""
        (self.directory / "registry").write_text("".join(f"{reference}\n" for reference in references))

    def set_built(self, *references: str) -> None:
        """Set the images that hubpod has built."""
        rows = [{"Id": name, "Names": [name], "Created": number} for number, name in enumerate(references)]
        (self.directory / "built").write_text(json.dumps(rows))

    @property
    def pulls(self) -> list[str]:
        """The references that were requested from registries."""
        calls = (self.directory / "calls").read_text().splitlines() if (self.directory / "calls").exists() else []
        return [call.split()[-1] for call in calls if call.startswith("pull ")]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without images, and a registry without images."""
    (tmp_path / "podman").write_text(PODMAN)
    (tmp_path / "podman").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = Machine(directory=tmp_path)
    found.set_local()
    found.set_registry()
    found.set_built()
    return found


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request, the available images, and the result.

    Attributes:
        wanted: Value of --zenith-image.
        stage: Stage of the environment.
        local: Images that podman has.
        built: Those of them that hubpod has built.
        registry: Images that can be pulled.
        used: The image that is used; empty for the stand-in, None for an error.
        pulls: References requested from a registry.
        lines: Reported progress.
    """

    wanted: str = ""
    stage: Stage = Stage.DEV
    local: tuple[str, ...] = ()
    built: tuple[str, ...] = ()
    registry: tuple[str, ...] = ()
    used: str | None
    pulls: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


def built(stage: Stage) -> str:
    """Return the reference of a stand-in for a stage."""
    return f"{REPOSITORY}/{IMAGE}:{stage.value}-0123456789ab"


CASES = {
    "the registry image exists": Case(local=(REGISTRY_IMAGE,), used=REGISTRY_IMAGE),
    "the registry image exists in production": Case(stage=Stage.PROD, local=(REGISTRY_IMAGE,), used=REGISTRY_IMAGE),
    "the registry image is preferred to a stand-in": Case(
        local=(REGISTRY_IMAGE,), built=(built(Stage.DEV),), used=REGISTRY_IMAGE
    ),
    "the registry image is pulled": Case(
        registry=(REGISTRY_IMAGE,),
        used=REGISTRY_IMAGE,
        pulls=(REGISTRY_IMAGE,),
        lines=(f"pulling {REGISTRY_IMAGE}",),
    ),
    "the registry image is pulled in production": Case(
        stage=Stage.PROD,
        registry=(REGISTRY_IMAGE,),
        used=REGISTRY_IMAGE,
        pulls=(REGISTRY_IMAGE,),
        lines=(f"pulling {REGISTRY_IMAGE}",),
    ),
    "no registry answers": Case(
        used="",
        pulls=(REGISTRY_IMAGE,),
        lines=(f"pulling {REGISTRY_IMAGE}", f"{REGISTRY_IMAGE} cannot be pulled"),
    ),
    "no registry answers, and a stand-in is built": Case(built=(built(Stage.DEV),), used=""),
    "only a stand-in for production is built": Case(
        built=(built(Stage.PROD),),
        registry=(REGISTRY_IMAGE,),
        used=REGISTRY_IMAGE,
        pulls=(REGISTRY_IMAGE,),
        lines=(f"pulling {REGISTRY_IMAGE}",),
    ),
    "no registry answers in production": Case(
        stage=Stage.PROD, used=None, pulls=(REGISTRY_IMAGE,), lines=(f"pulling {REGISTRY_IMAGE}",)
    ),
    "production does not fall back to a stand-in": Case(
        stage=Stage.PROD,
        built=(built(Stage.PROD), built(Stage.DEV)),
        used=None,
        pulls=(REGISTRY_IMAGE,),
        lines=(f"pulling {REGISTRY_IMAGE}",),
    ),
    "a stand-in is requested": Case(wanted="stand-in", local=(REGISTRY_IMAGE,), used=""),
    "a stand-in is requested in production": Case(wanted="stand-in", stage=Stage.PROD, used=""),
    "another image exists": Case(wanted=ANOTHER, local=(ANOTHER, REGISTRY_IMAGE), used=ANOTHER),
    "another image is pulled": Case(
        wanted=ANOTHER,
        local=(REGISTRY_IMAGE,),
        built=(built(Stage.DEV),),
        registry=(ANOTHER,),
        used=ANOTHER,
        pulls=(ANOTHER,),
        lines=(f"pulling {ANOTHER}",),
    ),
    "another one cannot be pulled": Case(
        wanted=ANOTHER,
        local=(REGISTRY_IMAGE,),
        built=(built(Stage.DEV),),
        used=None,
        pulls=(ANOTHER,),
        lines=(f"pulling {ANOTHER}",),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_choice_of_the_image(machine: Machine, case: Case) -> None:
    """An existing image is used, and a missing one is pulled.

    Only development falls back to the stand-in.
    """
    machine.set_local(*case.local)
    machine.set_built(*case.built)
    machine.set_registry(*case.registry)
    lines: list[str] = []

    if case.used is None:
        with pytest.raises(BuildError) as caught:
            zenith_image.ensure_image(Podman(), case.wanted, case.stage, lines.append)
        assert caught.value.message == f"cannot pull {case.pulls[0]}"
        assert "no such host" in caught.value.detail[-1]
        assert "`--zenith-image stand-in`" in caught.value.remedy
    else:
        assert zenith_image.ensure_image(Podman(), case.wanted, case.stage, lines.append) == case.used

    assert machine.pulls == list(case.pulls)
    assert lines == list(case.lines)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_finding_the_image_pulls_nothing(machine: Machine, case: Case) -> None:
    """A manifest names the image to use, without requests to a registry."""
    machine.set_local(*case.local)
    machine.set_built(*case.built)
    machine.set_registry(*case.registry)

    found = zenith_image.find_image(Podman(), case.wanted, case.stage)

    assert machine.pulls == []
    assert found == (case.pulls[0] if case.pulls else case.used)


def test_stand_in_is_reused_without_a_registry_query(machine: Machine) -> None:
    """If no registry answers, the built stand-in is reused without another wait."""
    first = zenith_image.ensure_image(Podman(), "", Stage.DEV, lambda _: None)
    machine.set_built(built(Stage.DEV))

    second = zenith_image.ensure_image(Podman(), "", Stage.DEV, lambda _: None)

    assert (first, second) == ("", "")
    assert machine.pulls == [REGISTRY_IMAGE]


def test_image_is_pulled_once(machine: Machine) -> None:
    """A pulled image is used without another pull."""
    machine.set_registry(REGISTRY_IMAGE)

    found = [zenith_image.ensure_image(Podman(), "", Stage.PROD, lambda _: None) for _ in range(2)]

    assert found == [REGISTRY_IMAGE] * 2
    assert machine.pulls == [REGISTRY_IMAGE]
