"""Pull the base image from a registry, or bootstrap it from Debian packages."""

import json
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from hubpod.errors import BuildError, MachineError
from hubpod.images.references import base_digest, reference
from hubpod.labels import MANAGED_BY
from hubpod.podman import images as podman_images
from hubpod.podman.cli import Podman
from hubpod.request import BaseFrom
from hubpod.system import process
from hubpod.system.certificates import ca_bundle
from hubpod.system.private_files import private_directory, read_record, write_private
from hubpod.system.process import CommandError
from hubpod.workspace import Workspace

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ImageIds = Callable[[Sequence[str]], dict[str, str]]
"""Returns the ids of those images that exist, by reference."""

PULL_TIMEOUT_S = 90
"""With `--base auto`, a registry counts as unreachable after this time, as behind a firewall that drops packets."""

APT_RETRIES = 7
"""How often apt retries a download; its own default is three times."""

EXCLUDED = ("doc", "info", "lintian", "locale", "man")
"""Directories below /usr/share without use in a container, of 40 MB."""


@dataclass(frozen=True, kw_only=True)
class BaseSpec:
    """The settings in containers/base.toml.

    Attributes:
        suite: Debian suite to bootstrap.
        registry: Reference to pull.
        packages: Debian packages to bootstrap.
    """

    suite: str
    registry: str
    packages: tuple[str, ...]

    @property
    def repository(self) -> str:
        """The reference to pull without its tag, but with the port of its registry."""
        path, separator, name = self.registry.rpartition("/")
        return path + separator + name.partition(":")[0]

    def reference(self, origin: BaseFrom) -> str:
        """Return the local reference of the base image from a registry or from a bootstrap."""
        content = self.registry if origin is BaseFrom.REGISTRY else f"{self.suite} {' '.join(self.packages)}"
        return reference("base", origin.value, base_digest(content))


@dataclass(frozen=True, kw_only=True)
class BaseImage:
    """An existing base image: its reference, and the id of its content."""

    reference: str
    id: str


def read_base(project: Path) -> BaseSpec:
    """Read containers/base.toml."""
    data = tomllib.loads((project / "containers" / "base.toml").read_text())
    return BaseSpec(suite=data["suite"], registry=data["registry"], packages=tuple(data["packages"]))


def base_references(project: Path, wanted: BaseFrom) -> list[str]:
    """Return the references that the base image may have, the preferred one first."""
    base = read_base(project)
    origins = (BaseFrom.REGISTRY, BaseFrom.BOOTSTRAP) if wanted is BaseFrom.AUTO else (wanted,)
    return [base.reference(origin) for origin in origins]


def find_base(image_ids: ImageIds, project: Path, wanted: BaseFrom) -> BaseImage | None:
    """Return the base image, if it exists."""
    found = image_ids(base_references(project, wanted))
    return next((BaseImage(reference=name, id=image) for name, image in found.items()), None)


def make_base(podman: Podman, workspace: Workspace, wanted: BaseFrom, on_line: Callable[[str], None]) -> BaseImage:
    """Pull or bootstrap the base image.

    Raises:
        BuildError: The image can neither be pulled nor bootstrapped.
    """
    name = _pull_or_bootstrap(podman, read_base(workspace.project), workspace.base_image_record, wanted, on_line)
    return BaseImage(reference=name, id=podman.image_id(name) or name)


def _pull_or_bootstrap(
    podman: Podman, base: BaseSpec, record: Path, wanted: BaseFrom, on_line: Callable[[str], None]
) -> str:
    """Create the base image and return its reference."""
    match wanted:
        case BaseFrom.REGISTRY:
            _pull(podman, base, record, on_line)
        case BaseFrom.BOOTSTRAP:
            _bootstrap(podman, base, on_line)
        case BaseFrom.AUTO:
            try:
                _pull(podman, base, record, on_line, timeout_s=PULL_TIMEOUT_S)
            except BuildError:
                on_line("no registry answers; bootstrapping with mmdebstrap")
                _bootstrap(podman, base, on_line)
                return base.reference(BaseFrom.BOOTSTRAP)
            return base.reference(BaseFrom.REGISTRY)
        case _:
            assert_never(wanted)
    return base.reference(wanted)


def _pull(
    podman: Podman, base: BaseSpec, record: Path, on_line: Callable[[str], None], *, timeout_s: float | None = None
) -> None:
    """Pull the recorded digest or, without one, the tag, and record the digest of the image."""
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
    # If podman had the same content from elsewhere, it reports the digest of that manifest, which the registry may not
    # know. So the digest is recorded only if it can be pulled.
    if resolved and podman.run("pull", "--quiet", f"{base.repository}@{resolved}", check=False).ok:
        private_directory(record.parent)
        write_private(record, json.dumps({**recorded, base.registry: resolved}, indent=2).encode())
    else:
        on_line(f"no digest of {base.registry} is recorded: the registry does not have {resolved or 'one'}")


def _bootstrap(podman: Podman, base: BaseSpec, on_line: Callable[[str], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="hubpod-base-") as scratch:
        archive = Path(scratch) / "base.tar"
        on_line(f"bootstrapping Debian {base.suite} with mmdebstrap")
        exclude = [f"--dpkgopt=path-exclude=/usr/share/{directory}/*" for directory in EXCLUDED]
        include = f"--include={','.join(base.packages)}"
        patience = f'--aptopt=Acquire::Retries "{APT_RETRIES}"'
        bundle = ca_bundle()
        trust = [f'--aptopt=Acquire::https::CAInfo "{bundle}"'] if bundle else []
        argv = ["mmdebstrap", "--variant=minbase", patience, *trust, include, *exclude, base.suite, str(archive)]
        try:
            result = process.stream(argv, on_line=on_line)
        except MachineError as error:
            raise BuildError(
                "cannot bootstrap the base image from Debian packages: mmdebstrap is not installed",
                remedy="run `./run --prepare mmdebstrap`, or name a reachable registry in containers/base.toml",
            ) from error
        if not result.ok:
            raise BuildError(
                f"mmdebstrap failed to bootstrap the Debian {base.suite} base image",
                detail=result.last_lines,
                remedy="check that Debian's package mirror can be reached",
            )
        podman_images.import_archive(
            podman, archive, base.reference(BaseFrom.BOOTSTRAP), env={"PATH": PATH}, labels={MANAGED_BY: "hubpod"}
        )
