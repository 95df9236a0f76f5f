"""What no layer of an image may hold: `./run nox -s audit`, or `python tools/audit/layers.py [IMAGE ...]`.

Without arguments, the newest image of each name and stage that hubpod has built here. Looked at is what `podman save`
hands out: every file of every layer, those included that a later layer deletes, and what podman tells of the image,
which is its variables, labels and history.

Ends with 0 when there is nothing, 1 when there is something.
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

from rich.console import Console  # noqa: E402 - found by the line above

from hubpod.context import Context, prepare  # noqa: E402
from hubpod.images.base import REPOSITORY  # noqa: E402
from hubpod.images.build import INDEX_VARIABLES  # noqa: E402
from hubpod.podman import images as podman_images  # noqa: E402
from hubpod.system.certificates import ca_bundle  # noqa: E402
from hubpod.system.progress import ConsoleReporter  # noqa: E402
from hubpod.workspace import Workspace  # noqa: E402

CLEAN, FOUND = 0, 1
PROXY_VARIABLES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")
OF_THE_DISTRIBUTION = "usr/share/ca-certificates"
SHORTEST = 12
"""Characters of a secret; what is shorter is in many files by chance."""

PRIVATE_NAMES = (
    *("etc/ssh/ssh_host_*_key", "etc/munge/munge.key", "etc/hubpod/*", "run/hubpod-build/*"),
    *("root/.ssh/*", "home/*/.ssh/*", "root/.cache/*", "*/.netrc", "*/.git-credentials", "*/.pypirc", "*_history"),
    *("etc/pip.conf", "root/.config/*", "etc/npmrc", "root/.npmrc", "*/.git/config"),
)
"""Files that belong to one machine, or to the one that built the image."""

KEY_MARK = b"PRIVATE KEY-----"
KEY_OWNERS = ("*/site-packages/*", "*/node_modules/*", "*/bin/*", "*/sbin/*", "*/lib/*")
"""Where packages and programs bring keys for their own tests, or just the words."""


def secrets_of(state: Path) -> Iterator[tuple[str, bytes]]:
    """The keys and tokens of all instances of this checkout, with what each is."""
    for path in sorted(state.glob("*/*/credentials/*")):
        lines = [line.strip() for line in path.read_bytes().splitlines() if not line.startswith(b"-----")]
        if path.suffix != ".pub" and lines:
            yield f"{path.name} of {path.parts[-4]}/{path.parts[-3]}", max(lines, key=len)


def addresses_of(environment: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """The package indexes and proxies that this machine is told to use, with the variable of each."""
    for name in (*INDEX_VARIABLES, *PROXY_VARIABLES, *(each.upper() for each in PROXY_VARIABLES)):
        if value := environment.get(name):
            yield name, value.encode()


def authorities_of(bundle: Path | None, distribution: Path) -> Iterator[tuple[str, bytes]]:
    """The authorities that this machine trusts beyond those of its distribution, as a line of each certificate."""
    known = {body for path in distribution.rglob("*.crt") for body in _bodies(path.read_text())}
    own = [body.splitlines() for body in _bodies(bundle.read_text() if bundle else "") if body not in known]
    for number, lines in enumerate(own, start=1):
        yield f"authority {number} of this machine's own", lines[len(lines) // 2].encode()


def _bodies(pem: str) -> list[str]:
    begin, end = ssl.PEM_HEADER, ssl.PEM_FOOTER
    return [part.partition(end)[0].strip() for part in pem.split(begin)[1:]]


def problems(archive: IO[bytes], unwanted: Mapping[str, bytes]) -> Iterator[str]:
    """What an archive of `podman save --format=docker-archive` has that no image may have, a sentence each.

    Args:
        archive: Read once, from its beginning to its end.
        unwanted: What each is, and the bytes that may be nowhere.
    """
    with tarfile.open(fileobj=archive, mode="r|") as outer:
        for member in outer:
            content = outer.extractfile(member) if member.isreg() else None
            if content and member.name.endswith(".json"):
                yield from _of_content("what podman tells", content.read(), unwanted)
            elif content and member.name.endswith(".tar"):
                yield from _of_layer(content, unwanted)


def _of_layer(layer: IO[bytes], unwanted: Mapping[str, bytes]) -> Iterator[str]:
    with tarfile.open(fileobj=layer, mode="r|") as files:
        for file in files:
            content = files.extractfile(file) if file.isreg() else None
            if not content or not file.size:
                continue
            name = file.name.removeprefix("./")
            if any(fnmatch(name, pattern) for pattern in PRIVATE_NAMES):
                yield f"{name} is in a layer"
            yield from _of_content(name, content.read(), unwanted)


def _of_content(name: str, content: bytes, unwanted: Mapping[str, bytes]) -> Iterator[str]:
    yield from (f"{name} has {what}" for what, text in unwanted.items() if text in content)
    if KEY_MARK in content and not any(fnmatch(f"/{name}", pattern) for pattern in KEY_OWNERS):
        yield f"{name} has a private key"


def newest(references: Sequence[str]) -> list[str]:
    """The first image of each name and stage, of a list that begins with the newest."""
    firsts = {reference.rpartition("-")[0]: reference for reference in reversed(references)}
    return sorted(firsts.values())


def audit(context: Context, image: str, unwanted: Mapping[str, bytes]) -> list[str]:
    """Look at an image.

    Raises:
        CalledProcessError: There is no such image.
    """
    argv = [context.podman.executable, "save", "--quiet", "--format=docker-archive", image]
    with subprocess.Popen(argv, env=context.podman.env, stdout=subprocess.PIPE) as save:
        assert save.stdout is not None  # a pipe
        found = list(problems(save.stdout, unwanted))
    if save.returncode:
        raise subprocess.CalledProcessError(save.returncode, argv)
    return found


def main(images: Sequence[str]) -> int:
    """Look at them, and tell what is there."""
    context = prepare(Workspace(project=PROJECT), ConsoleReporter(console=Console(stderr=True, highlight=False)))
    unwanted = dict(
        (
            *secrets_of(context.workspace.state),
            *addresses_of(os.environ),
            *authorities_of(ca_bundle(), Path("/") / OF_THE_DISTRIBUTION),
        )
    )
    unwanted = {what: text for what, text in unwanted.items() if len(text) >= SHORTEST}
    code = CLEAN
    for image in images or newest(list(podman_images.ours(context.podman, REPOSITORY))):
        found = audit(context, image, unwanted)
        code = FOUND if found else code
        print(f"{image}: {len(found) or 'nothing'} found of what no layer may hold")  # noqa: T201
        for sentence in found:
            print(f"  {sentence}", flush=True)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
