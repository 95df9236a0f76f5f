"""The base image of all others: pulled from a registry, or bootstrapped from Debian's packages where none answers."""

import hashlib
import json
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from hubpod.errors import BuildError, MachineError
from hubpod.labels import MANAGED_BY
from hubpod.podman import images as podman_images
from hubpod.podman.cli import Podman
from hubpod.request import BaseFrom
from hubpod.system import process
from hubpod.system.private_files import private_directory, read_record, write_private
from hubpod.system.process import CommandError

REPOSITORY = "localhost/hubpod"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ImageIds = Callable[[Sequence[str]], dict[str, str]]
"""Returns the ids of those images that exist, by reference."""

PULL_TIMEOUT_S = 90
"""After this `auto` takes a registry for one that does not answer, as behind a firewall that drops packets."""


UNREAD = ("doc", "info", "lintian", "locale", "man")
"""Folders below /usr/share that nobody reads in a container; 40 MB."""


@dataclass(frozen=True, kw_only=True)
class BaseSpec:
    """What containers/base.toml says."""

    suite: str
    registry: str
    packages: tuple[str, ...]

    @property
    def repository(self) -> str:
        """The name in the registry without its tag; a port's colon is none of a tag."""
        folder, separator, name = self.registry.rpartition("/")
        return folder + separator + name.partition(":")[0]

    def reference(self, origin: BaseFrom) -> str:
        """The name under which the base image from a registry or from a bootstrap is kept."""
        content = f"{self.registry}" if origin is BaseFrom.REGISTRY else f"{self.suite} {' '.join(self.packages)}"
        return f"{REPOSITORY}/base:{origin.value}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, kw_only=True)
class BaseImage:
    """A base image that is there, by its name and by the id that stands for its content."""

    reference: str
    id: str


def read_base(project: Path) -> BaseSpec:
    """Read containers/base.toml."""
    data = tomllib.loads((project / "containers" / "base.toml").read_text())
    return BaseSpec(suite=data["suite"], registry=data["registry"], packages=tuple(data["packages"]))


def base_references(project: Path, wanted: BaseFrom) -> list[str]:
    """The names under which the base image may be there, the better one first."""
    base = read_base(project)
    origins = (BaseFrom.REGISTRY, BaseFrom.BOOTSTRAP) if wanted is BaseFrom.AUTO else (wanted,)
    return [base.reference(origin) for origin in origins]


def find_base(image_ids: ImageIds, project: Path, wanted: BaseFrom) -> BaseImage | None:
    """Return the base image, if it exists."""
    found = image_ids(base_references(project, wanted))
    return next((BaseImage(reference=reference, id=image) for reference, image in found.items()), None)


def make_base(
    podman: Podman, project: Path, state: Path, wanted: BaseFrom, on_line: Callable[[str], None]
) -> BaseImage:
    """Pull or bootstrap the base image.

    Raises:
        BuildError: Neither a registry nor a bootstrap gives it.
    """
    reference = _made(podman, read_base(project), state, wanted, on_line)
    return BaseImage(reference=reference, id=podman.image_id(reference) or reference)


def _made(podman: Podman, base: BaseSpec, state: Path, wanted: BaseFrom, on_line: Callable[[str], None]) -> str:
    match wanted:
        case BaseFrom.REGISTRY:
            _pull(podman, base, state, on_line)
        case BaseFrom.BOOTSTRAP:
            _bootstrap(podman, base, on_line)
        case BaseFrom.AUTO:
            try:
                _pull(podman, base, state, on_line, timeout_s=PULL_TIMEOUT_S)
            except BuildError:
                on_line("no registry answers; bootstrapping with mmdebstrap")
                _bootstrap(podman, base, on_line)
                return base.reference(BaseFrom.BOOTSTRAP)
            return base.reference(BaseFrom.REGISTRY)
        case _:
            assert_never(wanted)
    return base.reference(wanted)


def _pull(
    podman: Podman, base: BaseSpec, state: Path, on_line: Callable[[str], None], *, timeout_s: float | None = None
) -> None:
    """Pull the recorded digest, or the tag where none is recorded yet, and record what it resolved to."""
    record = private_directory(state) / "base-image.json"
    recorded = read_record(record)
    digest = str(recorded.get(base.registry, ""))
    wanted = f"{base.repository}@{digest}" if digest else base.registry
    on_line(f"pulling {wanted}")
    try:
        podman.run("pull", "--quiet", wanted, timeout_s=timeout_s)
    except CommandError as error:
        raise BuildError(
            f"cannot pull {wanted}",
            detail=error.detail,
            remedy="use `--base bootstrap`, or correct the reference in containers/base.toml",
        ) from error
    podman_images.tag(podman, wanted, base.reference(BaseFrom.REGISTRY))
    resolved = podman_images.repository_digest(podman, wanted, base.repository)
    # podman tells another manifest's digest when it had the same content from elsewhere; the registry knows its own.
    if resolved and podman.run("pull", "--quiet", f"{base.repository}@{resolved}", check=False).ok:
        write_private(record, json.dumps({**recorded, base.registry: resolved}, indent=2).encode())
    else:
        on_line(f"the registry does not know {resolved or 'a digest'} for {base.registry}, so none is recorded")


def _bootstrap(podman: Podman, base: BaseSpec, on_line: Callable[[str], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="hubpod-base-") as scratch:
        archive = Path(scratch) / "base.tar"
        on_line(f"bootstrapping Debian {base.suite} with mmdebstrap")
        left_out = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in UNREAD]
        include = f"--include={','.join(base.packages)}"
        argv = ["mmdebstrap", "--variant=minbase", include, *left_out, base.suite, str(archive)]
        try:
            result = process.stream(argv, on_line=on_line)
        except MachineError as error:
            raise BuildError(
                "mmdebstrap, which makes the base image from Debian's packages where no registry answers, is missing",
                remedy="`./run --prepare mmdebstrap` installs it, or point containers/base.toml at another registry",
            ) from error
        if not result.ok:
            raise BuildError(
                f"mmdebstrap cannot make the Debian {base.suite} base image",
                detail=result.last_lines,
                remedy="check that Debian's package mirror can be reached",
            )
        podman_images.import_archive(
            podman, archive, base.reference(BaseFrom.BOOTSTRAP), env={"PATH": PATH}, labels={MANAGED_BY: "hubpod"}
        )
