"""Paths below ``.hubpod``, records of instances, and locks of a checkout."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from hubpod.instances import Instance
from hubpod.system.locks import hold
from hubpod.system.private_files import private_directory, read_record, write_private

STATE = ".hubpod"
NOT_COPIED = ("run", "scratch", "releases", "locks", "harness", "logs", "ready", "before", "before.removed")
"""Parts of the private directory from which no plan derives."""


@dataclass(frozen=True, kw_only=True)
class InstanceRecord:
    """The record of an instance that commands pass on to later commands.

    Attributes:
        manifest: The podman manifest of the pod that became ready last; empty before the first.
        written: Digest of the content that was written into a volume after its creation, by the volume's name.
        sources: Directory of each source whose code comes in a volume, by the source's name.
    """

    manifest: str = ""
    written: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class InstanceFiles:
    """The private directory of an instance, and by default its deploy directory."""

    directory: Path

    @property
    def credentials(self) -> Path:
        """Directory of the key material that hubpod generated for the instance."""
        return self.directory / "credentials"

    @property
    def seeds(self) -> Path:
        """Directory of the configuration and code with which the pod became ready last.

        Each volume has an archive.
        """
        return self.directory / "ready"

    @property
    def logs(self) -> Path:
        """Directory of the logs of the containers that were removed last."""
        return self.directory / "logs"

    @property
    def backup(self) -> Path:
        """Directory of the backup that a failed upgrade restores."""
        return self.directory / "before"

    def remove_backup(self) -> None:
        """Remove the backup, if any; a killed command leaves all of it or nothing that counts as a backup."""
        removed = self.backup.with_name("before.removed")
        shutil.rmtree(removed, ignore_errors=True)
        if self.backup.exists():
            self.backup.rename(removed)
        shutil.rmtree(removed, ignore_errors=True)

    @property
    def record(self) -> Path:
        """File of the record."""
        return self.directory / "record.json"

    def remove_record(self) -> None:
        """Remove the record, whatever is in its place."""
        if self.record.is_dir() and not self.record.is_symlink():
            shutil.rmtree(self.record)
        else:
            self.record.unlink(missing_ok=True)

    def load_record(self) -> InstanceRecord:
        """Return the record of the instance, which is empty if the file is missing or damaged."""
        known = read_record(self.record) if self.record.exists() else self._read_separate_files()
        names = InstanceRecord.__dataclass_fields__
        return InstanceRecord(**{name: value for name, value in known.items() if name in names})  # type: ignore[arg-type]

    def update_record(self, **changes: Any) -> None:  # noqa: ANN401 - attributes of InstanceRecord
        """Change attributes of the instance's record, and write the file only if they differ."""
        before = self.load_record()
        record = replace(before, **changes)
        if record == before and self.record.exists():
            return
        private_directory(self.directory)
        write_private(self.record, json.dumps(asdict(record), indent=2).encode())

    def _read_separate_files(self) -> dict[str, object]:
        """Read the files that hubpod wrote before there was one record."""
        manifest = self.directory / "manifest.yaml"
        return {
            "manifest": manifest.read_text() if manifest.exists() else "",
            "written": read_record(self.directory / "written.json"),
            "sources": read_record(self.directory / "sources.json"),
        }


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A checkout of the project and its private directory ``.hubpod``.

    Attributes:
        project: The checkout.
        copy: A copy of the private directory, which a command that must not change anything uses instead.
    """

    project: Path
    copy: Path | None = None

    @property
    def kept(self) -> Path:
        """The private directory of this checkout."""
        return self.project / STATE

    @property
    def state(self) -> Path:
        """The private directory to use: that of this checkout, or its copy."""
        return self.copy or self.kept

    @contextmanager
    def copied(self) -> Iterator["Workspace"]:
        """Yield this workspace with a temporary copy of its private directory, without what is large."""
        with tempfile.TemporaryDirectory(prefix="hubpod-dry-") as directory:
            copy = Path(directory) / STATE
            if self.kept.exists():
                shutil.copytree(self.kept, copy, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
            yield replace(self, copy=copy)

    @property
    def scratch(self) -> Path:
        """Directory of the temporary files of a build.

        Only the holder of the lock "build" may touch it.
        """
        return self.state / "scratch"

    @property
    def installed(self) -> Path:
        """Directory of the files that the installation of a source has generated in an image."""
        return self.state / "installed"

    @property
    def containers_conf(self) -> Path:
        """Podman's configuration for this checkout, which is missing where the machine's own works."""
        return self.state / "containers.conf"

    @property
    def machine_record(self) -> Path:
        """File of the facts with which a smoke test of podman succeeded last."""
        return self.state / "machine.json"

    @property
    def base_image_record(self) -> Path:
        """File of the digest of each base image that was pulled, by its reference."""
        return self.state / "base-image.json"

    @property
    def releases(self) -> Path:
        """Directory of the clones from which production is built."""
        return self.state / "releases"

    def files(self, instance: Instance) -> InstanceFiles:
        """Return the paths of one instance."""
        return InstanceFiles(directory=self.state / instance.environment.name / instance.name)

    @contextmanager
    def lock(self, name: str, on_wait: Callable[[str], None]) -> Iterator[None]:
        """Hold a lock of this checkout until the block ends.

        Args:
            name: Name of the lock, such as "build".
            on_wait: Called with a sentence if another command holds the lock.

        Raises:
            MachineError: Another command holds the lock for LOCK_TIMEOUT_S seconds.
        """
        private_directory(self.state)
        with hold(private_directory(self.state / "locks") / name, on_wait):
            yield
