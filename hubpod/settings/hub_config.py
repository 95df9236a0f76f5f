"""A site's own settings of JupyterHub: Python files in a directory of the deploy directory."""

import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hubpod.settings.problems import Problem, UnreadableError
from hubpod.settings.yaml_files import WORD, read_file
from hubpod.system.scratch_files import is_scratch

DIRECTORY = "hub_config.d"
REMEDY = "write Python files there, or remove it"


@dataclass(frozen=True, kw_only=True)
class HubConfig:
    """The files that the hub executes last, in the order of their names.

    Attributes:
        files: The content of each file, by name. It may be a secret.
        problems: Everything that must be corrected.
        warnings: Entries of the directory that are not read.
    """

    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def read(deploy_dir: Path) -> HubConfig:
    """Read a site's own settings of JupyterHub, if it has any, and find all of their problems."""
    directory = deploy_dir / DIRECTORY
    try:
        paths = sorted(directory.iterdir())
    except FileNotFoundError:
        return HubConfig()
    except OSError as error:
        text = "is not a directory" if isinstance(error, NotADirectoryError) else f"cannot be read: {error.strerror}"
        return HubConfig(problems=(Problem(path=directory, text=text, remedy=REMEDY),))
    paths = [path for path in paths if not is_scratch(path.name) and path.name != "__pycache__"]
    files: dict[str, bytes] = {}
    problems = list(_find_writable(directory))
    for path in (each for each in paths if each.suffix == ".py"):
        try:
            files[path.name] = read_file(path, REMEDY)
        except UnreadableError as error:
            problems.append(error.problem)
        else:
            problems += _find_problems(path, files[path.name])
    text = f"is not read: {DIRECTORY} has files *.py only"
    warnings = tuple(Problem(path=path, text=text) for path in paths if path.suffix != ".py")
    return HubConfig(files=files, problems=tuple(problems), warnings=warnings)


def _find_problems(path: Path, content: bytes) -> Iterator[Problem]:
    yield from _find_writable(path)
    if not WORD.fullmatch(path.name):
        yield Problem(
            path=path, text="has a name with other characters than letters, digits and . _ -", remedy="rename it"
        )
    try:
        compile(content, str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes
        python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        text = f"is not {python}: {getattr(error, 'msg', None) or error}"
        yield Problem(path=path, line=getattr(error, "lineno", None), text=text)


def _find_writable(path: Path) -> Iterator[Problem]:
    """Refuse code that others may change, because the hub executes it with all of its keys."""
    if path.stat().st_mode & stat.S_IWOTH:
        yield Problem(path=path, text="can be changed by other users of this machine", remedy=f"chmod o-w {path}")
