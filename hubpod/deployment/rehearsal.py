"""Check what a spawn needs before the pod exists: in a container of the hub's image that is removed afterwards.

The container has the hub's network, configuration, credentials and variables, so that names, certificates and proxies
are those of the hub. Files reach it as an archive on standard input, and stay in its memory.
"""

import io
import secrets
import tarfile
from collections.abc import Iterator

from hubpod.components import jupyterhub
from hubpod.components.site import CREDENTIALS, Site
from hubpod.deployment.answers import Answer, NeedState, read_answers
from hubpod.labels import MANAGED_BY
from hubpod.pod import Container, Seed
from hubpod.podman.cli import Podman
from hubpod.settings import zenith_config
from hubpod.system.process import CommandError

NETWORK = "podman-default-kube-network"
"""The network of all pods of `podman kube play`; it exists from the first one on."""

LIMIT_S = 60.0
ZENITH_KEY = "ssh_zenith_client_key"
UNPACK = 'umask 077 && tar -x -f - -C / && exec hubpod-ready --alone --patience 0 "$@"'


def rehearse(podman: Podman, site: Site) -> tuple[Answer, ...]:
    """Run the checks, and return the answer about each need of the environment.

    Raises:
        CommandError: podman could not run the container, or the hub's configuration cannot be loaded.
    """
    spec = jupyterhub.spec(site)
    network = [f"--network={NETWORK}"] if podman.run("network", "exists", NETWORK, check=False).ok else []
    result = podman.run(
        *("run", "--rm", "--interactive", "--pull=never", f"--name=hubpod-check-{secrets.token_hex(4)}"),
        *(f"--label={MANAGED_BY}=hubpod", "--cap-drop=all", "--read-only", f"--user={jupyterhub.UID}", *network),
        *(f"--mount=type=tmpfs,destination={path},tmpfs-mode=1777" for path in _writable(spec.container)),
        *(f"--env={name}={value}" for name, value in spec.container.env.items()),
        *("--entrypoint=/bin/sh", spec.container.image, "-c", UNPACK, "sh", *_tunnel(site)),
        stdin=_archive(spec.container, spec.seeds, site),
        check=False,
        timeout_s=LIMIT_S,
    )
    lines = result.stdout.splitlines()
    answers = read_answers(site.instance.environment, lines, "the check printed no answer")
    if all(answer.state is NeedState.UNCHECKED for answer in answers) and not result.ok:
        raise CommandError(result)
    return answers


def _writable(container: Container) -> Iterator[str]:
    yield from (mount.path for mount in container.mounts)
    yield from container.tmpfs


def _tunnel(site: Site) -> tuple[str, ...]:
    """Return the options that make the checks log in to the Zenith server, as its client will."""
    if not site.key_files.zenith_client_config:
        return ()
    host, port = zenith_config.server_of(site.key_files.zenith_client_config)
    return ("--zenith", host, str(port), f"{CREDENTIALS}/{ZENITH_KEY}")


def _archive(container: Container, seeds: tuple[Seed, ...], site: Site) -> bytes:
    """Pack the hub's files at their paths in the container, without owners: the container has one user."""
    paths = {mount.volume: mount.path for mount in container.mounts}
    files = {f"{paths[seed.volume]}/{file.path}": file.content for seed in seeds for file in seed.files}
    if site.key_files.zenith_client_key:
        files[f"{CREDENTIALS}/{ZENITH_KEY}"] = site.key_files.zenith_client_key
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
