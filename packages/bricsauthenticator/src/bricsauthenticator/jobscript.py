"""What the spawner adds to a site's job script: the server's variables and the spawn's key. Pure.

The variables travel inside the script, on standard input, and never in an argument list, where every user of the
machine could read them.
"""

import re
import shlex
from collections.abc import Mapping

COMMENT_RE = re.compile(r"""\s--comment[=\s]\s*(?:"([^"]*)"|'([^']*)'|(\S+))""")
PLAIN_RE = re.compile(r"[^\"'\\#\n]*")
IDENTIFIER_RE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def export_lines(variables: Mapping[str, str]) -> str:
    """Return a line `export NAME=value` for each variable, quoted for any POSIX shell.

    Raises:
        ValueError: A name is not a shell identifier, or a value holds a null character.
    """
    return "".join(f"export {_checked(name)}={quote(value)}\n" for name, value in variables.items())


def with_exports(script: str, variables: Mapping[str, str]) -> str:
    """Return the script with the variables exported right after its leading comments.

    Slurm reads `#SBATCH` lines up to the first command, so the exports come after them, and before any command of
    the script could trace or use them.
    """
    head, body = _split(script)
    exports = export_lines(variables).removesuffix("\n")
    return "\n".join([*head, exports, *body])


def with_key(script: str, key: str) -> str:
    """Return the script with the key as the last word of the job's comment.

    Of several directives Slurm takes the last one, so ours comes after the site's own, whose comment it repeats.
    """
    head, body = _split(script)
    comments = [
        match for line in head if line.startswith("#SBATCH") for match in COMMENT_RE.finditer(line.removesuffix("\r"))
    ]
    comment = next((text for text in comments[-1].groups() if text), "") if comments else ""
    words = f"{comment} {key}" if comment and PLAIN_RE.fullmatch(comment) else key
    return "\n".join([*head, f'#SBATCH --comment="{words}"', *body])


def _split(script: str) -> tuple[list[str], list[str]]:
    """Split a script after its leading comments, which is where Slurm ceases to look for directives."""
    lines = script.split("\n")
    end = 0
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text.startswith("#"):
            end = number
        elif text:
            break
    return lines[:end], lines[end:]


def quote(value: str) -> str:
    """Quote a value for a POSIX shell so that every character survives.

    Raises:
        ValueError: It holds a null character, which no variable can.
    """
    if "\0" in value:
        raise ValueError("a variable's value holds a null character")
    # sbatch refuses scripts with carriage returns before newlines, so they are made when the script runs.
    return shlex.quote(value).replace("\r", "'\"$(printf '\\r')\"'")


def _checked(name: str) -> str:
    if not IDENTIFIER_RE.fullmatch(name):
        raise ValueError(f"{name!r} is not a name that a shell variable can have")
    return name
