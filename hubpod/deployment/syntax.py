"""Python that cannot be compiled is found before anything restarts with it."""

from collections.abc import Mapping, Sequence

from hubpod.components.site import Site
from hubpod.deployment.tracebacks import own_path
from hubpod.errors import SourceError
from hubpod.pod import File, PodSpec, Seed, contents
from hubpod.podman.cli import Podman

COMPILE = "import sys; compile(sys.stdin.buffer.read(), sys.argv[1], 'exec')"


def changed_files(seed: Seed, held: bytes | None) -> tuple[File, ...]:
    """The files of a seed that its volume has not, or has otherwise; all of them where that is not known."""
    known = contents(held) if held else {}
    return tuple(file for file in seed.files if file.path not in known or known[file.path].content != file.content)


def require_valid(podman: Podman, site: Site, spec: PodSpec, seeds: Sequence[Seed], held: Mapping[str, bytes]) -> None:
    """Refuse changed modules that the Python of their container could not compile.

    Raises:
        SourceError: There is one; names its file and line.
    """
    for seed in seeds:
        for file in changed_files(seed, held.get(seed.volume)):
            if file.path.endswith(".py"):
                _require_valid(podman, site, spec, seed, file)


def _require_valid(podman: Podman, site: Site, spec: PodSpec, seed: Seed, file: File) -> None:
    container, folder = next(
        (each.name, mount.path) for each in spec.containers for mount in each.mounts if mount.volume == seed.volume
    )
    path = own_path(site, f"{folder}/{file.path}")
    try:
        compile(file.content, str(path), "exec")
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes
        # The Python in the container is another one, and may know more.
        argv = ("python3", "-c", COMPILE, str(path))
        answer = podman.execute(f"{spec.name}-{container}", argv, stdin=file.content)
        if not answer.ok:
            line = getattr(error, "lineno", None) or 1
            raise SourceError(
                f"{path}, line {line}: {getattr(error, 'msg', error)}; nothing was changed in what runs",
                remedy="correct it; the next reload takes it",
            ) from None
