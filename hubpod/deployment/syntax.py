"""Find Python modules that cannot be compiled, before a container restarts with them."""

from collections.abc import Mapping, Sequence

from hubpod.components.site import Site
from hubpod.deployment.tracebacks import own_path
from hubpod.errors import SourceError
from hubpod.pod import File, Seed, contents
from hubpod.podman.cli import Podman
from hubpod.pods import InstanceSpec

COMPILE = "import sys; compile(sys.stdin.buffer.read(), sys.argv[1], 'exec')"


def find_changed_files(seed: Seed, current: bytes | None) -> tuple[File, ...]:
    """Return the files of the seed that are new or differ in the volume.

    All files are returned if the volume's content is not known.
    """
    known = contents(current) if current else {}
    return tuple(file for file in seed.files if file.path not in known or known[file.path].content != file.content)


def require_valid(
    podman: Podman, site: Site, spec: InstanceSpec, seeds: Sequence[Seed], current: Mapping[str, bytes]
) -> None:
    """Refuse changed modules that the Python of their container cannot compile.

    Raises:
        SourceError: A module cannot be compiled; names its file and line.
    """
    for seed in seeds:
        for file in find_changed_files(seed, current.get(seed.volume)):
            if file.path.endswith(".py"):
                _require_valid(podman, site, spec, seed, file)


def _require_valid(podman: Podman, site: Site, spec: InstanceSpec, seed: Seed, file: File) -> None:
    container, directory = next(
        (each.name, mount.path) for each in spec.containers for mount in each.mounts if mount.volume == seed.volume
    )
    path = own_path(site, f"{directory}/{file.path}")
    try:
        compile(file.content, str(path), "exec")
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes
        # The container's Python may be newer, and know more syntax.
        argv = ("python3", "-c", COMPILE, str(path))
        answer = podman.execute(spec.podman_names[container], argv, stdin=file.content)
        if not answer.ok:
            line = getattr(error, "lineno", None) or 1
            raise SourceError(
                f"{path}, line {line}: {getattr(error, 'msg', error)}; nothing that runs was changed",
                remedy="correct it and reload again",
            ) from None
