"""What a person has added to a command: the options' values, seen to be valid ones."""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from hubpod.deployment.publish import parse_publish
from hubpod.environments import Instance, Stage, find_environment, find_instance, nearest
from hubpod.errors import UsageError
from hubpod.images.zenith import STAND_IN
from hubpod.request import BaseFrom, Target, UpRequest
from hubpod.sources.clones import SOURCE_NAMES
from hubpod.sources.origins import Origin, parse_origins
from tasks.options import ENVIRONMENT_VARIABLE, INSTANCE_VARIABLE

PICTURES = (".svg", ".html")


def instance_of(environment: str, instance: str, stage: Stage = Stage.DEV) -> Instance:
    """The instance that is meant.

    Raises:
        UsageError: There is no such environment, it belongs to the other commands, or the name is not a valid one.
    """
    with _variable_told(ENVIRONMENT_VARIABLE, environment):
        found = find_environment(environment)
        if found.stage is not stage:
            raise UsageError(
                f"{environment} is not for {stage.commands}.* commands", remedy=f"use {found.stage.commands}.* for it"
            )
    with _variable_told(INSTANCE_VARIABLE, instance):
        return find_instance(environment, instance)


@contextmanager
def _variable_told(variable: str, value: str) -> Iterator[None]:
    """Name the variable that a wrong value comes from: nobody has typed it."""
    try:
        yield
    except UsageError as error:
        if value != os.environ.get(variable):
            raise
        remedy = f"it comes from the variable {variable}; {error.remedy}"
        raise UsageError(error.message, remedy=remedy, detail=error.detail) from error


def request_of(  # noqa: PLR0913 - the options of dev.up
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
    """What a person asks for, with values that can be meant.

    Raises:
        UsageError: One cannot.
    """
    return UpRequest(
        instance=instance,
        port=_port(port),
        hub_api=parse_publish(publish) if publish else None,
        deploy_dir=folder_of("--deploy-dir", deploy_dir) if deploy_dir else None,
        base=BaseFrom.AUTO if base is None else BaseFrom(_one_of("--base", base, BaseFrom)),
        origins=origins_of(source),
        zenith_image=_image(zenith_image),
        keep=keep,
    )


def origins_of(source: Sequence[str] | None) -> Mapping[str, Origin]:
    """The sources that come from elsewhere, by name.

    Raises:
        UsageError: One of them cannot be meant.
    """
    return parse_origins(tuple(source or ()), SOURCE_NAMES)


def target_of(text: str | None) -> Target:
    """What a manifest is for: podman, unless another target is named.

    Raises:
        UsageError: There is no such target.
    """
    return Target.PODMAN if text is None else Target(_one_of("--target", text, Target))


def folder_of(option: str, text: str) -> Path:
    """The path that an option names.

    Raises:
        UsageError: It names none.
    """
    try:
        return Path(text).expanduser().resolve()
    except (RuntimeError, ValueError) as error:  # no such user; links in a circle
        raise UsageError(f"{option} {text}: {error}", remedy="give the path of a file or folder") from error


def picture_of(option: str, text: str) -> Path:
    """The file that an option names for a drawing to be written to.

    Raises:
        UsageError: It can be no drawing, or cannot be written.
    """
    path = folder_of(option, text)
    if path.suffix not in PICTURES:
        raise UsageError(f"{option} {text}: must end with {' or '.join(PICTURES)}{nearest(path.suffix, PICTURES)}")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{option} {text}: cannot be written", remedy="give a file in a folder that you may write to")
    return path


def token_in(file: str | None) -> str:
    """The token in a file: never an argument, which other users of the machine can see.

    Raises:
        UsageError: The file cannot be read, or holds something else than one token.
    """
    if file is None:
        return ""
    try:
        text = sys.stdin.read() if file == "-" else folder_of("--token-file", file).read_text()
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"--token-file {file}: cannot be read ({error})", remedy="give a file with one token"
        ) from None
    if len(text.split()) != 1:
        raise UsageError(f"--token-file {file}: holds {len(text.split())} words", remedy="give a file with one token")
    return text.strip()


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 65535:  # noqa: PLR2004 - the range of TCP ports
        raise UsageError(f"--port {text}: must be a number from 1 to 65535")
    return int(text)


def _image(text: str | None) -> str:
    if text and text != STAND_IN and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]*/[A-Za-z0-9._:/@-]+", text):
        problem = f"--zenith-image {text}: is not an image with its registry{nearest(text, (STAND_IN,))}"
        raise UsageError(problem, remedy=f"give it as in registry/name:tag, or {STAND_IN}")
    return text or ""


def _one_of(option: str, text: str, choices: type[Enum]) -> str:
    known = [str(choice.value) for choice in choices]
    if text not in known:
        raise UsageError(f"{option} {text}: must be one of {', '.join(known)}{nearest(text, known)}")
    return text
