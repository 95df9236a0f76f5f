"""Parse and validate command-line options."""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from hubpod.cli.checkout import WORKSPACE
from hubpod.cli.options import ENVIRONMENT_VARIABLE, INSTANCE_VARIABLE
from hubpod.deployment.publish import parse_publish
from hubpod.environments import Stage, find_environment
from hubpod.errors import UsageError, nearest
from hubpod.images.zenith import STAND_IN
from hubpod.instances import Instance, find_instance
from hubpod.request import BaseFrom, Target, UpRequest
from hubpod.settings import authorities
from hubpod.sources.clones import SOURCE_NAMES
from hubpod.sources.origins import Origin, parse_origins
from hubpod.system.certificates import trusting
from hubpod.system.started_as import command_line

PICTURE_SUFFIXES = (".svg", ".html")
MAX_PORT = 65535


def parse_instance(environment: str, instance: str, stage: Stage = Stage.DEV) -> Instance:
    """Find an instance by the name of its environment and its own name.

    Raises:
        UsageError: The environment does not exist or belongs to the other stage, or the instance name is invalid.
    """
    with _naming_variable(ENVIRONMENT_VARIABLE, environment):
        found = find_environment(environment)
        if found.stage is not stage:
            raise UsageError(
                f"{environment} does not work with {stage.commands}.* commands",
                remedy=f"use {found.stage.commands}.* for it",
            )
    with _naming_variable(INSTANCE_VARIABLE, instance):
        return find_instance(environment, instance)


@contextmanager
def _naming_variable(variable: str, value: str) -> Iterator[None]:
    """Name the variable in the remedy if the wrong value comes from the variable."""
    try:
        yield
    except UsageError as error:
        if value != os.environ.get(variable):
            raise
        remedy = f"it comes from the variable {variable}; {error.remedy}"
        raise UsageError(error.message, remedy=remedy, detail=error.detail) from error


def parse_request(
    instance: Instance,
    *,
    port: str | None = None,
    publish: str | None = None,
    deploy_dir: str | None = None,
    base: str | None = None,
    source: Sequence[str] | None = None,
    zenith_image: str | None = None,
    keep: bool = False,
) -> UpRequest:
    """Build an UpRequest from command-line options.

    Raises:
        UsageError: A value is invalid.
    """
    return UpRequest(
        instance=instance,
        port=_parse_port(port),
        hub_api=parse_publish(publish) if publish else None,
        deploy_dir=parse_path("--deploy-dir", deploy_dir) if deploy_dir else None,
        base=BaseFrom.AUTO if base is None else BaseFrom(parse_choice("--base", base, values_of(BaseFrom))),
        origins=parse_sources(source),
        zenith_image=_parse_zenith_image(zenith_image),
        keep=keep,
    )


@contextmanager
def trusting_site(instance: Instance, deploy_dir: str | None) -> Iterator[None]:
    """Let downloads trust the authorities beside the settings of an instance that need not exist.

    Raises:
        UsageError: The directory does not exist.
        SettingsError: The file is unreadable or wrong.
    """
    directory = parse_path("--deploy-dir", deploy_dir) if deploy_dir else WORKSPACE.files(instance).directory
    with trusting(authorities.read(directory)):
        yield


def parse_sources(source: Sequence[str] | None) -> Mapping[str, Origin]:
    """Parse the values of --source into origins by source name.

    Raises:
        UsageError: A value is invalid.
    """
    return parse_origins(tuple(source or ()), SOURCE_NAMES)


def parse_target(text: str | None) -> Target:
    """Parse --target, which is podman by default.

    Raises:
        UsageError: The target does not exist.
    """
    return Target.PODMAN if text is None else Target(parse_choice("--target", text, values_of(Target)))


def require_podman(target: Target, *, fill_volumes: bool, with_secrets: bool) -> bool:
    """Return whether to fill volumes, which only podman's manifest names.

    Raises:
        UsageError: The manifest is for a cluster, or includes Secrets.
    """
    if fill_volumes and (target is not Target.PODMAN or with_secrets):
        remedy = "a cluster fills the volumes itself: leave out --fill-volumes"
        raise UsageError("--fill-volumes is for podman, whose manifest has no Secrets", remedy=remedy)
    return fill_volumes


def parse_choice(option: str, text: str, choices: Sequence[str]) -> str:
    """Return the text if it is one of the choices.

    Raises:
        UsageError: It is not; names the choices and the nearest one.
    """
    if text not in choices:
        raise UsageError(f"{option} {text}: must be one of {', '.join(choices)}{nearest(text, choices)}")
    return text


def values_of(choices: type[Enum]) -> list[str]:
    """List the values of an enumeration as users type them."""
    return [str(choice.value) for choice in choices]


def parse_path(option: str, text: str) -> Path:
    """Resolve the path that an option names, with ``~`` expanded.

    Raises:
        UsageError: The path cannot be resolved.
    """
    try:
        return Path(text).expanduser().resolve()
    except (RuntimeError, ValueError) as error:  # unknown user, or a loop of links
        raise UsageError(f"{option} {text}: {error}", remedy="give the path of a file or directory") from error


def parse_picture_path(option: str, text: str) -> Path:
    """Resolve the path of a drawing to write.

    Raises:
        UsageError: The suffix is unknown, or the file cannot be written.
    """
    path = parse_path(option, text)
    if path.suffix not in PICTURE_SUFFIXES:
        known = " or ".join(PICTURE_SUFFIXES)
        raise UsageError(f"{option} {text}: must end with {known}{nearest(path.suffix, PICTURE_SUFFIXES)}")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{option} {text}: cannot be written", remedy="give a file in a directory that you can write")
    return path


def read_token(file: str | None) -> str:
    """Read a token from a file, because other users of the machine could see an argument.

    Args:
        file: Path; ``-`` is standard input, and None means no token.

    Raises:
        UsageError: The file cannot be read, or does not hold exactly one token.
    """
    if file is None:
        return ""
    remedy = "give a file with one token"
    try:
        text = sys.stdin.read() if file == "-" else parse_path("--token-file", file).read_text()
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--token-file {file}: cannot be read ({error})", remedy=remedy) from None
    if len(text.split()) != 1:
        raise UsageError(f"--token-file {file}: holds {len(text.split())} words", remedy=remedy)
    return text.strip()


def refuse_option(command: str, word: str) -> None:
    """Refuse an option in place of a command's first word, which invoke would accept.

    Raises:
        UsageError: The word begins with a hyphen.
    """
    if word.startswith("-"):
        problem = f"{command}: expected a word, not the option {word}"
        raise UsageError(problem, remedy=f"`{command_line('--help', command)}` describes it")


def _parse_port(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PORT:
        raise UsageError(f"--port {text}: must be a number from 1 to {MAX_PORT}")
    return int(text)


def _parse_zenith_image(text: str | None) -> str:
    if text and text != STAND_IN and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]*/[A-Za-z0-9._:/@-]+", text):
        problem = f"--zenith-image {text}: must name an image with its registry{nearest(text, (STAND_IN,))}"
        raise UsageError(problem, remedy=f"write it as registry/name:tag, or {STAND_IN}")
    return text or ""
