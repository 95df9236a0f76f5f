"""Where the Zenith client's image comes from, with a podman that answers as told."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from hubpod.components.zenith import IMAGE, REGISTRY_IMAGE
from hubpod.environments import Stage
from hubpod.errors import BuildError
from hubpod.images import zenith as zenith_image
from hubpod.images.base import REPOSITORY
from hubpod.podman.cli import Podman

ANOTHER = "registry.example.org/zenith-client:1.0"
PODMAN = """\
#!/bin/sh
here=${0%/*}
echo "$*" >>"$here/calls"
for last; do :; done
case "$1 $2" in
"image inspect") grep -qxF "$last" "$here/there" && echo 0123456789ab ;;
"images --filter"*) cat "$here/built" ;;
"pull --quiet")
    if grep -qxF "$last" "$here/registry"; then echo "$last" >>"$here/there"; else
        echo "Error: initializing source docker://$last: no such host" >&2
        exit 125
    fi ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What podman has, and what a registry would give."""

    folder: Path

    def has(self, *references: str) -> None:
        """These images are there."""
        (self.folder / "there").write_text("".join(f"{reference}\n" for reference in references))

    def can_pull(self, *references: str) -> None:
        """These images can be pulled."""
        (self.folder / "registry").write_text("".join(f"{reference}\n" for reference in references))

    def has_built(self, *references: str) -> None:
        """These images were built by hubpod."""
        rows = [{"Id": name, "Names": [name], "Created": number} for number, name in enumerate(references)]
        (self.folder / "built").write_text(json.dumps(rows))

    @property
    def pulls(self) -> list[str]:
        """What was asked of registries."""
        calls = (self.folder / "calls").read_text().splitlines() if (self.folder / "calls").exists() else []
        return [call.split()[-1] for call in calls if call.startswith("pull ")]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with a podman that has nothing, behind a registry that has nothing."""
    (tmp_path / "podman").write_text(PODMAN)
    (tmp_path / "podman").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = Machine(folder=tmp_path)
    found.has()
    found.can_pull()
    found.has_built()
    return found


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is asked for, what there is, and what comes of it.

    Attributes:
        wanted: What --zenith-image says.
        stage: Of the environment.
        there: Images that podman has.
        built: Those of them that hubpod has built.
        registry: Images that can be pulled.
        gives: The image that is used; empty for the stand-in, None where it is an error.
        pulls: What is asked of a registry.
        told: What the person is told meanwhile.
    """

    wanted: str = ""
    stage: Stage = Stage.DEV
    there: tuple[str, ...] = ()
    built: tuple[str, ...] = ()
    registry: tuple[str, ...] = ()
    gives: str | None
    pulls: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def built(stage: Stage) -> str:
    """The name of a stand-in that was built for a stage."""
    return f"{REPOSITORY}/{IMAGE}:{stage.value}-0123456789ab"


CASES = {
    "the registry's is there": Case(there=(REGISTRY_IMAGE,), gives=REGISTRY_IMAGE),
    "the registry's is there in production": Case(stage=Stage.PROD, there=(REGISTRY_IMAGE,), gives=REGISTRY_IMAGE),
    "the registry's is preferred to a stand-in": Case(
        there=(REGISTRY_IMAGE,), built=(built(Stage.DEV),), gives=REGISTRY_IMAGE
    ),
    "the registry's is pulled": Case(
        registry=(REGISTRY_IMAGE,),
        gives=REGISTRY_IMAGE,
        pulls=(REGISTRY_IMAGE,),
        told=(f"pulling {REGISTRY_IMAGE}",),
    ),
    "the registry's is pulled in production": Case(
        stage=Stage.PROD,
        registry=(REGISTRY_IMAGE,),
        gives=REGISTRY_IMAGE,
        pulls=(REGISTRY_IMAGE,),
        told=(f"pulling {REGISTRY_IMAGE}",),
    ),
    "no registry answers": Case(
        gives="",
        pulls=(REGISTRY_IMAGE,),
        told=(f"pulling {REGISTRY_IMAGE}", f"{REGISTRY_IMAGE} cannot be had"),
    ),
    "no registry answers, and a stand-in is built": Case(built=(built(Stage.DEV),), gives=""),
    "only production's stand-in is built": Case(
        built=(built(Stage.PROD),),
        registry=(REGISTRY_IMAGE,),
        gives=REGISTRY_IMAGE,
        pulls=(REGISTRY_IMAGE,),
        told=(f"pulling {REGISTRY_IMAGE}",),
    ),
    "no registry answers in production": Case(
        stage=Stage.PROD, gives=None, pulls=(REGISTRY_IMAGE,), told=(f"pulling {REGISTRY_IMAGE}",)
    ),
    "production takes no stand-in by itself": Case(
        stage=Stage.PROD,
        built=(built(Stage.PROD), built(Stage.DEV)),
        gives=None,
        pulls=(REGISTRY_IMAGE,),
        told=(f"pulling {REGISTRY_IMAGE}",),
    ),
    "a stand-in is asked for": Case(wanted="stand-in", there=(REGISTRY_IMAGE,), gives=""),
    "a stand-in is asked for in production": Case(wanted="stand-in", stage=Stage.PROD, gives=""),
    "another one is there": Case(wanted=ANOTHER, there=(ANOTHER, REGISTRY_IMAGE), gives=ANOTHER),
    "another one is pulled": Case(
        wanted=ANOTHER,
        there=(REGISTRY_IMAGE,),
        built=(built(Stage.DEV),),
        registry=(ANOTHER,),
        gives=ANOTHER,
        pulls=(ANOTHER,),
        told=(f"pulling {ANOTHER}",),
    ),
    "another one cannot be had": Case(
        wanted=ANOTHER,
        there=(REGISTRY_IMAGE,),
        built=(built(Stage.DEV),),
        gives=None,
        pulls=(ANOTHER,),
        told=(f"pulling {ANOTHER}",),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_which_image_is_had(machine: Machine, case: Case) -> None:
    """What is there is used, what is not is pulled once, and only development falls back to a stand-in by itself."""
    machine.has(*case.there)
    machine.has_built(*case.built)
    machine.can_pull(*case.registry)
    told: list[str] = []

    if case.gives is None:
        with pytest.raises(BuildError) as caught:
            zenith_image.ensure_image(Podman(), case.wanted, case.stage, told.append)
        assert caught.value.message == f"cannot pull {case.pulls[0]}"
        assert "no such host" in caught.value.detail[-1]
        assert "`--zenith-image stand-in`" in caught.value.remedy
    else:
        assert zenith_image.ensure_image(Podman(), case.wanted, case.stage, told.append) == case.gives

    assert machine.pulls == list(case.pulls)
    assert told == list(case.told)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_look_pulls_nothing(machine: Machine, case: Case) -> None:
    """A manifest names the image that would be used, without asking a registry for it."""
    machine.has(*case.there)
    machine.has_built(*case.built)
    machine.can_pull(*case.registry)

    found = zenith_image.find_image(Podman(), case.wanted, case.stage)

    assert machine.pulls == []
    assert found == (case.pulls[0] if case.pulls else case.gives)


def test_a_registry_is_asked_once_for_a_stand_in(machine: Machine) -> None:
    """Where no registry answers, the stand-in that was built serves from then on, and nobody waits again."""
    first = zenith_image.ensure_image(Podman(), "", Stage.DEV, lambda _: None)
    machine.has_built(built(Stage.DEV))

    second = zenith_image.ensure_image(Podman(), "", Stage.DEV, lambda _: None)

    assert (first, second) == ("", "")
    assert machine.pulls == [REGISTRY_IMAGE]


def test_an_image_is_pulled_once(machine: Machine) -> None:
    """What was pulled is there the next time."""
    machine.can_pull(REGISTRY_IMAGE)

    found = [zenith_image.ensure_image(Podman(), "", Stage.PROD, lambda _: None) for _ in range(2)]

    assert found == [REGISTRY_IMAGE] * 2
    assert machine.pulls == [REGISTRY_IMAGE]
