"""Additions to a site's job script: the server's variables and the spawn's key.

The functions are pure. The script reaches the submit command on standard input. In an argument list, every user of the
machine could read the variables.
"""

import re
import shlex
from collections.abc import Mapping
from importlib.resources import files

COMMENT_RE = re.compile(r"""\s--comment[=\s]\s*(?:"([^"]*)"|'([^']*)'|(\S+))""")
OUTPUT_RE = re.compile(r"#SBATCH\s+(?:--output[=\s]\s*|-o\s*)[\"']?(/[^\s\"']+)")
PLAIN_RE = re.compile(r"[^\"'\\#\n]*")
IDENTIFIER_RE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


LAUNCHER_VARIABLE = "JUPYTERHUB_LAUNCHER"
LAUNCHER = files("bricsauthenticator").joinpath("job_launcher.py").read_text(encoding="utf-8")
LAUNCH = f"""python3 -I -c 'import os; exec(os.environ.pop("{LAUNCHER_VARIABLE}"))'"""
"""The command that runs job_launcher.py from the variable, before the server's own command."""


def export_lines(variables: Mapping[str, str]) -> str:
    """Return a line `export NAME=value` for each variable, quoted for any POSIX shell.

    Raises:
        ValueError: A name is not a shell identifier, or a value contains a null character.
    """
    return "".join(f"export {_check_name(name)}={quote(value)}\n" for name, value in variables.items())


def with_exports(script: str, variables: Mapping[str, str]) -> str:
    """Return the script with exported variables after its leading comments.

    Slurm reads `#SBATCH` lines up to the first command, so the exports follow those lines and precede every command.
    """
    head, body = _split(script)
    exports = export_lines(variables).removesuffix("\n")
    return "\n".join([*head, exports, *body])


def with_key(script: str, key: str) -> str:
    """Return the script with the key as the last word of the job's comment.

    Slurm takes the last of several directives, so this one follows the site's own and repeats its comment.
    """
    head, body = _split(script)
    comments = [
        match for line in head if line.startswith("#SBATCH") for match in COMMENT_RE.finditer(line.removesuffix("\r"))
    ]
    comment = next((text for text in comments[-1].groups() if text), "") if comments else ""
    words = f"{comment} {key}" if comment and PLAIN_RE.fullmatch(comment) else key
    return "\n".join([*head, f'#SBATCH --comment="{words}"', *body])


def without_requeue(script: str) -> str:
    """Return the script of a job that Slurm never requeues, not even with JobRequeue=1.

    A second run of a server would report another port with a token that is in use.
    """
    head, body = _split(script)
    return "\n".join([*head, "#SBATCH --no-requeue", *body])


def log_path(script: str) -> str:
    """Return the absolute path of the job's output, in which `%j` is the job id; empty if the script names none."""
    head, _ = _split(script)
    paths = [match[1] for line in head if (match := OUTPUT_RE.match(line))]
    return paths[-1] if paths else ""


def _split(script: str) -> tuple[list[str], list[str]]:
    """Split a script after its leading comments, where Slurm stops reading directives."""
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
        ValueError: The value contains a null character, which no variable can.
    """
    if "\0" in value:
        raise ValueError("the value of a variable contains a null character")
    # sbatch refuses scripts with carriage returns before newlines, so printf makes them when the script runs.
    return shlex.quote(value).replace("\r", "'\"$(printf '\\r')\"'")


def _check_name(name: str) -> str:
    if not IDENTIFIER_RE.fullmatch(name):
        raise ValueError(f"{name!r} is not a valid name of a shell variable")
    return name
