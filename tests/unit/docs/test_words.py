"""The words that CONTRIBUTING.md replaces, searched for in the repository.

``python tests/unit/docs/test_words.py [PATH ...]`` prints each occurrence with its file and line.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[3]

ALL = [path for path in PROJECT.iterdir() if not path.name.startswith(".")]
"""The files and directories of the repository, without environments and caches."""

SKIPPED = {"build", "node_modules", "__pycache__"}

INSTEAD = {
    r"tell|tells|telling|told": "report, print, log, return, state; distinguish",
    r"ask|asks|asking|asked": "query, request, check, fetch, probe; prompt",
    r"somebody|nobody|anybody|whoever": "developer, operator, user, client; no user",
    r"person|persons|people": "user, developer, operator",
    r"strangers?": "unauthenticated client",
    r"neighbou?rs?": "external service",
    r"(?-i:is none|are none)": "does not exist, is missing, is empty",
    r"(?<!there\s)is no(?! longer| more than)": "is not, does not exist, is missing",
    r"anew": "again, from scratch; restart, rebuild, re-seed",
    r"put back|puts back|taken back|takes back": "restore, roll back",
    r"filled again|fills again|fill again": "re-seed",
    r"in good order": "gracefully",
    r"go on|goes on|going on": "continue, keep running; redirect",
    r"let alone|lets alone": "left unchanged, skipped",
    r"seen to be": "validated, known to be",
    r"shall": "must, or the plain present",
    r"doubts?": "warning",
    r"folders?(?!:)": "directory",
    r"figures": "metrics, measurements",
    r"blanks": "whitespace, spaces",
    r"small file systems?": "tmpfs",
}
"""Each phrase, as a regular expression, and what to write in its place."""

_GROUPS = (rf"(?P<p{number}>\b(?:{phrase})\b)".replace(" ", r"\s+") for number, phrase in enumerate(INSTEAD))
WRONG = re.compile("|".join(_GROUPS), re.IGNORECASE)
CODE = re.compile(r"^ *```.*?^ *```|``.+?``|`[^`]+`|\]\([^)]*\)|<!--.*?-->", re.DOTALL | re.MULTILINE)


def find_wrong_words(paths: list[Path]) -> list[str]:
    """Find each wrong phrase below some paths, as ``FILE:LINE: PHRASE: what to write``."""
    return [
        f"{file.relative_to(PROJECT)}:{line + _line_breaks(prose, match)}: {match[0]!r}: write {_instead(match)}"
        for file in _files(paths)
        for line, prose in _prose(file)
        for match in WRONG.finditer(_without_code(prose))
    ]


def _files(paths: list[Path]) -> list[Path]:
    """List the Python and Markdown files below some paths, without caches and environments."""
    found = {file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))}
    return sorted(file for file in found if file.suffix in {".py", ".md"} and not _skipped(file.relative_to(PROJECT)))


def _skipped(path: Path) -> bool:
    return any(part in SKIPPED or part.startswith((".", "_dev_build")) for part in path.parts)


def _prose(file: Path) -> Iterator[tuple[int, str]]:
    """Yield each piece of prose in a file with the number of its first line."""
    text = file.read_text()
    if file.suffix == ".md":
        yield 1, text
        return
    for node in ast.walk(ast.parse(text)):
        yield from _prose_of_node(node)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _prose_of_node(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield docstrings, attribute docstrings, names of tests, texts of raised errors and effects of faults."""
    match node:
        case ast.Expr(value=ast.Constant(value=str(docstring))):
            yield node.lineno, docstring
        case ast.FunctionDef(name=name) if name.startswith("test_"):
            yield node.lineno, name.replace("_", " ")
        case ast.keyword(arg="breaks", value=ast.Constant(value=str(effect))):
            yield node.value.lineno, effect
        case ast.Raise(exc=ast.Call(args=arguments)):
            inner = [part for argument in arguments for part in ast.walk(argument)]
            texts = [part for part in inner if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            yield from ((part.lineno, str(part.value)) for part in texts)


def _without_code(prose: str) -> str:
    """Blank out code, link targets and comments of Markdown, and keep the line breaks."""
    return CODE.sub(lambda code: re.sub(r"[^\n]", "·", code[0]), prose)


def _line_breaks(prose: str, match: re.Match[str]) -> int:
    return prose.count("\n", 0, match.start())


def _instead(match: re.Match[str]) -> str:
    return list(INSTEAD.values())[int(str(match.lastgroup)[1:])]


def test_wrong_words_are_found_with_their_lines() -> None:
    """Each phrase is found on its line, except in code, link targets and longer words."""
    prose = "The task is to ask.\n`told` [page](somebody.md)\n\nIt is no longer there; it is\nno file."

    found = [(match[0], _line_breaks(prose, match)) for match in WRONG.finditer(_without_code(prose))]

    assert found == [("ask", 0), ("is\nno", 3)]


def test_prose_uses_the_words_of_the_glossary() -> None:
    """Code, comments, test names, messages and pages use the words of CONTRIBUTING.md."""
    assert not find_wrong_words(ALL)


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in find_wrong_words([Path(a).resolve() for a in sys.argv[1:]] or ALL))
