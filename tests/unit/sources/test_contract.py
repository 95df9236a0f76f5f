"""What a source must contain, in the layouts that projects have."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from hubpod.errors import SourceError
from hubpod.sources.clones import SOURCES, require_project
from support.sources import DECLARATIONS

HUB, WRAPPERS = SOURCES
PROJECT = Path(__file__).parents[3]
OTHER = "[project]\nname = 'other'\nversion = '1'\n"
HUB_GROUPS = """\
entry_points={"jupyterhub.authenticators": ["brics = x:A"], "jupyterhub.spawners": ["brics = x:S"]}
"""
INIT = "bricsauthenticator/__init__.py"


def write(directory: Path, files: Mapping[str, str]) -> Path:
    """Write files below a directory."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": DECLARATIONS, INIT: ""},
        {"pyproject.toml": DECLARATIONS, f"src/{INIT}": ""},
        {"pyproject.toml": DECLARATIONS, f"python/src/{INIT}": ""},
        {"pyproject.toml": DECLARATIONS, "bricsauthenticator.py": ""},
        {"pyproject.toml": OTHER + DECLARATIONS, f"lib/{INIT}": ""},
        {"setup.py": f"setup({HUB_GROUPS})", INIT: ""},
        {"setup.py": "setup()", "setup.cfg": "jupyterhub.authenticators\njupyterhub.spawners\n", f"src/{INIT}": ""},
        {"pyproject.toml": "[build-system]\n", "setup.cfg": "jupyterhub.authenticators jupyterhub.spawners", INIT: ""},
        {
            "pyproject.toml": '[tool.poetry.plugins."jupyterhub.authenticators"]\n'
            '[tool.poetry.plugins."jupyterhub.spawners"]\n',
            INIT: "",
        },
    ],
    ids=" ".join,
)
def test_every_layout_of_the_package_is_accepted(tmp_path: Path, files: Mapping[str, str]) -> None:
    """The package is found whatever builds it, and wherever its module is."""
    require_project(HUB, write(tmp_path, files))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "is not a Python project"),
        ({"README.md": ""}, "is not a Python project"),
        ({"setup.cfg": "[metadata]"}, "is not a Python project"),
        ({"pyproject.toml": "[project"}, "has a pyproject.toml that is not TOML: "),
        ({"pyproject.toml": "\n\nname = x\n"}, "(at line 3, column"),
        (
            {"pyproject.toml": OTHER, "other/__init__.py": ""},
            "contain bricsauthenticator but the project other",
        ),
        (
            {"pyproject.toml": "project = 5\n"},
            "contain bricsauthenticator: pyproject.toml without jupyterhub.",
        ),
        ({"pyproject.toml": "", INIT: ""}, "contain bricsauthenticator: pyproject.toml without jupyterhub."),
        ({"setup.py": "setup()", INIT: ""}, "setup.py without jupyterhub.authenticators, jupyterhub.spawners"),
        ({"pyproject.toml": DECLARATIONS}, "it has no module bricsauthenticator"),
        ({"pyproject.toml": DECLARATIONS, "bricsauthenticator/x.py": ""}, "it has no module bricsauthenticator"),
        ({"pyproject.toml": DECLARATIONS, f".venv/{INIT}": ""}, "it has no module bricsauthenticator"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_a_directory_without_the_package_is_refused(tmp_path: Path, files: Mapping[str, str], expected: str) -> None:
    """The error names the directory and what it lacks."""
    with pytest.raises(SourceError) as caught:
        require_project(HUB, write(tmp_path, files))

    assert caught.value.message.startswith(f"{tmp_path} ")
    assert expected in caught.value.message
    assert "--source bricsauthenticator" in caught.value.remedy
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("inner", ["python", "packages/auth"])
def test_a_subdirectory_with_the_package_is_proposed(tmp_path: Path, inner: str) -> None:
    """A repository with the package below its root is refused with the directory to give."""
    write(tmp_path, {"pyproject.toml": OTHER, f"{inner}/pyproject.toml": DECLARATIONS, f"{inner}/src/{INIT}": ""})

    with pytest.raises(SourceError) as caught:
        require_project(HUB, tmp_path)

    assert caught.value.remedy == f"give {tmp_path / inner}, which has it"


def test_wrappers_are_known_by_their_scripts(tmp_path: Path) -> None:
    """Wrappers need three scripts, and may have a module of any name."""
    write(tmp_path, {"pyproject.toml": DECLARATIONS})
    require_project(WRAPPERS, tmp_path)

    write(tmp_path, {"pyproject.toml": DECLARATIONS.replace("slurmspawner_scancel", "scancel")})
    with pytest.raises(SourceError, match=r"does not contain slurmspawner_wrappers: .* without slurmspawner_scancel"):
        require_project(WRAPPERS, tmp_path)


def test_hubpods_own_sources_are_accepted_and_its_directory_is_not() -> None:
    """`--source bricsauthenticator=.` in hubpod's clone is refused with the directory of the package."""
    for source in SOURCES:
        require_project(source, PROJECT / "packages" / source.name)

        with pytest.raises(SourceError) as caught:
            require_project(source, PROJECT)

        assert caught.value.remedy == f"give {PROJECT / 'packages' / source.name}, which has it"


def test_the_originals_sources_are_accepted(tmp_path: Path) -> None:
    """The original's wrappers have no __init__.py, and its version file exists only after a build."""
    names = ("auth.py", "spawner.py", "__init__.py")
    hub = write(tmp_path / "hub", {f"src/bricsauthenticator/{name}": "" for name in names})
    wrappers = write(tmp_path / "wrappers", {"src/slurmspawner_wrappers/scripts.py": ""})
    for directory, source in ((hub, HUB), (wrappers, WRAPPERS)):
        write(directory, {"pyproject.toml": DECLARATIONS.replace('"jupyterhub', "'jupyterhub").replace('"]', "']")})

        require_project(source, directory)
