"""Search image layers for secrets.

`./run nox -s audit`, or `python tools/audit/layers.py [IMAGE ...]`.

Without arguments, the development images are built if necessary, and the newest image of each name and stage is
searched. The search covers the output of `podman save`: every file of every layer, including files that a later layer
deletes, and the image configuration with its variables, labels and history.

Exit codes: 0 without findings, 1 with findings.
"""

import os
import ssl
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).parents[2]
sys.path[:0] = [str(PROJECT)]

from rich.console import Console  # noqa: E402 - needs the path above

from hubpod.context import Context, prepare  # noqa: E402
from hubpod.images.build import INDEX_VARIABLES  # noqa: E402
from hubpod.images.ensure import ensure_images  # noqa: E402
from hubpod.images.references import REPOSITORY  # noqa: E402
from hubpod.images.zenith import STAND_IN  # noqa: E402
from hubpod.instances import find_instance  # noqa: E402
from hubpod.podman import images as podman_images  # noqa: E402
from hubpod.request import UpRequest  # noqa: E402
from hubpod.system.certificates import ca_bundle  # noqa: E402
from hubpod.system.progress import ConsoleReporter  # noqa: E402
from hubpod.workspace import Workspace  # noqa: E402

CLEAN, FOUND = 0, 1
WIDEST = "dev_realauth_zenithclient"
"""The environment that uses every image."""

PROXY_VARIABLES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")
DISTRIBUTION_CERTIFICATES = Path("/usr/share/ca-certificates")
MIN_SECRET_LENGTH = 12
"""In bytes. Shorter values occur in many files by chance."""

PRIVATE_NAMES = (
    *("etc/ssh/ssh_host_*_key", "etc/munge/munge.key", "etc/hubpod/*", "run/hubpod-build/*"),
    *("root/.ssh/*", "home/*/.ssh/*", "root/.cache/*", "*/.netrc", "*/.git-credentials", "*/.pypirc", "*_history"),
    *("etc/pip.conf", "root/.config/*", "etc/npmrc", "root/.npmrc", "*/.git/config"),
)
"""Patterns of files that belong to one machine or to one build."""

KEY_MARKER = b"PRIVATE KEY-----"
KEY_OWNERS = ("*/site-packages/*", "*/node_modules/*", "*/bin/*", "*/sbin/*", "*/lib/*")
"""Directories of packages and programs that contain test keys or the bare marker text."""


def find_credentials(state: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the keys and tokens of every instance of this checkout, each after its description."""
    for path in sorted(state.glob("*/*/credentials/*")):
        lines = [line.strip() for line in path.read_bytes().splitlines() if not line.startswith(b"-----")]
        if path.suffix != ".pub" and lines:
            yield f"{path.name} of {path.parts[-4]}/{path.parts[-3]}", max(lines, key=len)


def find_addresses(environment: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Yield package indexes and proxies in the environment, each after its variable."""
    for name in (*INDEX_VARIABLES, *PROXY_VARIABLES, *(each.upper() for each in PROXY_VARIABLES)):
        if value := environment.get(name):
            yield name, value.encode()


def find_authorities(bundle: Path | None, distribution: Path) -> Iterator[tuple[str, bytes]]:
    """Yield a line of each certificate trusted in addition to the distribution's."""
    known = {body for path in distribution.rglob("*.crt") for body in _pem_bodies(path.read_text())}
    own = [body.splitlines() for body in _pem_bodies(bundle.read_text() if bundle else "") if body not in known]
    for number, lines in enumerate(own, start=1):
        yield f"authority {number} of this machine's own", lines[len(lines) // 2].encode()


def _pem_bodies(pem: str) -> list[str]:
    begin, end = ssl.PEM_HEADER, ssl.PEM_FOOTER
    return [part.partition(end)[0].strip() for part in pem.split(begin)[1:]]


def find_problems(archive: IO[bytes], unwanted: Mapping[str, bytes]) -> Iterator[str]:
    """Search an image archive and yield one sentence per finding.

    Args:
        archive: Output of `podman save --format=docker-archive`, read once and sequentially.
        unwanted: Byte strings that no image may contain, by description.
    """
    with tarfile.open(fileobj=archive, mode="r|") as outer:
        for member in outer:
            content = outer.extractfile(member) if member.isreg() else None
            if content and member.name.endswith(".json"):
                yield from _search_content("image configuration", content.read(), unwanted)
            elif content and member.name.endswith(".tar"):
                yield from _search_layer(content, unwanted)


def _search_layer(layer: IO[bytes], unwanted: Mapping[str, bytes]) -> Iterator[str]:
    with tarfile.open(fileobj=layer, mode="r|") as files:
        for file in files:
            content = files.extractfile(file) if file.isreg() else None
            if not content or not file.size:
                continue
            name = file.name.removeprefix("./")
            if any(fnmatch(name, pattern) for pattern in PRIVATE_NAMES):
                yield f"{name} is in a layer"
            yield from _search_content(name, content.read(), unwanted)


def _search_content(name: str, content: bytes, unwanted: Mapping[str, bytes]) -> Iterator[str]:
    yield from (f"{name} contains {what}" for what, text in unwanted.items() if text in content)
    if KEY_MARKER in content and not any(fnmatch(f"/{name}", pattern) for pattern in KEY_OWNERS):
        yield f"{name} contains a private key"


def newest(references: Sequence[str]) -> list[str]:
    """Select the first image of each name and stage from a list sorted newest first."""
    firsts = {reference.rpartition("-")[0]: reference for reference in reversed(references)}
    return sorted(firsts.values())


def audit(context: Context, image: str, unwanted: Mapping[str, bytes]) -> list[str]:
    """Search one image.

    Raises:
        CalledProcessError: The image does not exist.
    """
    argv = [context.podman.executable, "save", "--quiet", "--format=docker-archive", image]
    with subprocess.Popen(argv, env=context.podman.env, stdout=subprocess.PIPE) as save:
        assert save.stdout is not None  # a pipe
        problems = list(find_problems(save.stdout, unwanted))
    if save.returncode:
        raise subprocess.CalledProcessError(save.returncode, argv)
    return problems


def development_images(context: Context) -> list[str]:
    """Build missing development images, and list the newest image of each name and stage."""
    ensure_images(context, UpRequest(instance=find_instance(WIDEST, "default"), zenith_image=STAND_IN))
    return newest(list(podman_images.list_managed(context.podman, REPOSITORY)))


def main(images: Sequence[str]) -> int:
    """Search images and print the findings."""
    context = prepare(Workspace(project=PROJECT), ConsoleReporter(console=Console(stderr=True, highlight=False)))
    candidates = (
        *find_credentials(context.workspace.state),
        *find_addresses(os.environ),
        *find_authorities(ca_bundle(), DISTRIBUTION_CERTIFICATES),
    )
    unwanted = {what: text for what, text in candidates if len(text) >= MIN_SECRET_LENGTH}
    code = CLEAN
    for image in images or development_images(context):
        problems = audit(context, image, unwanted)
        code = FOUND if problems else code
        print(f"{image}: {len(problems) or 'no'} findings")  # noqa: T201 - standard output is the interface
        for sentence in problems:
            print(f"  {sentence}", flush=True)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
