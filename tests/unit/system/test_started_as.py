"""The command by which the user started hubpod."""

import ast
import re
from pathlib import Path

import pytest

from hubpod.system.started_as import LAUNCHER_VARIABLE, find_program

PROJECT = Path(__file__).parents[3]
TOPS = ("hubpod", "hubpod_tasks", "harness/hubpod_harness")
MODULES = [path for top in TOPS for path in (PROJECT / top).rglob("*.py")]
COMMAND = re.compile(r"\binvoke (dev\.|prod\.|-)|`(dev|prod)\.[a-z]")


@pytest.mark.parametrize(
    ("argv", "variables", "words"),
    [
        (["/x/.venv/bin/hubpod", "dev.up"], {LAUNCHER_VARIABLE: "./run"}, ["./run", "invoke"]),
        (["/x/.venv/bin/hubpod", "dev.up"], {LAUNCHER_VARIABLE: "/x/run"}, ["/x/run", "invoke"]),
        (["/x/bin/invoke", "dev.up"], {}, ["/x/bin/invoke"]),
        ([".venv/bin/inv", "dev.up"], {}, [".venv/bin/inv"]),
        (["/l/invoke/__main__.py", "dev.up"], {}, ["python", "-m", "invoke"]),
        (["/x/bin/invoke", "-r", "/y", "dev.up"], {}, ["/x/bin/invoke", "-r", "/y"]),
        (["/x/bin/invoke", "dev.exec", "slurm", "--", "ls", "-r", "x"], {}, ["/x/bin/invoke"]),
        (["/x/bin/pytest"], {}, ["invoke"]),
        ([], {}, ["invoke"]),
    ],
)
def test_the_program_is_named_as_it_was_typed(argv: list[str], variables: dict[str, str], words: list[str]) -> None:
    """The launcher, a path and a search root are part of the command."""
    assert find_program(argv, variables) == words


@pytest.mark.parametrize("name", ["invoke", "inv", "hubpod"])
def test_a_program_on_the_path_is_named_without_its_directory(tmp_path: Path, name: str) -> None:
    """The shell finds it by its name."""
    (tmp_path / name).touch(mode=0o755)

    assert find_program([str(tmp_path / name)], {"PATH": str(tmp_path)}) == [name]


def messages(path: Path) -> list[str]:
    """Return the texts of a module that are not docstrings."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_message_names_a_command_by_itself(path: Path) -> None:
    """Messages get their commands from started_as.command_line, so that a user of ./run can type them."""
    assert not [text for text in messages(path) if COMMAND.search(text)]
