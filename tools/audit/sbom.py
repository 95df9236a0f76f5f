"""What each image consists of, as CycloneDX: `./run nox -s audit`, or `python tools/audit/sbom.py [IMAGE ...]`.

Without arguments, the images of the development environments as they are built now. Each image is asked itself, in a
container without network, for its packages of Debian, Python and npm; what was copied into it beside them, such as our
own scripts, is no package and is not listed. The files are .hubpod/sbom/NAME.cdx.json.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[2]
sys.path[:0] = [str(PROJECT)]

from cyclonedx.model.bom import Bom  # noqa: E402 - found by the line above
from cyclonedx.model.component import Component, ComponentType  # noqa: E402
from cyclonedx.output import make_outputter  # noqa: E402
from cyclonedx.schema import OutputFormat, SchemaVersion  # noqa: E402
from packageurl import PackageURL  # noqa: E402
from rich.console import Console  # noqa: E402

from hubpod.context import Context, prepare  # noqa: E402
from hubpod.environments import find_instance  # noqa: E402
from hubpod.images.ensure import build  # noqa: E402
from hubpod.images.zenith import STAND_IN  # noqa: E402
from hubpod.request import UpRequest  # noqa: E402
from hubpod.system.progress import ConsoleReporter  # noqa: E402
from hubpod.workspace import Workspace  # noqa: E402

WIDEST = "dev_realauth_zenithclient"
"""The environment whose images are all that there are."""

FOLDER = "sbom"
PURL_TYPES = {"debian": ("deb", "debian"), "python": ("pypi", None), "npm": ("npm", None)}

# Runs in the image, whose Python may be any.
LISTED = r"""
import email.parser, glob, json
found = []
for block in open("/var/lib/dpkg/status", encoding="utf-8").read().split("\n\n"):
    fields = email.parser.Parser().parsestr(block)
    if "installed" in (fields["Status"] or "").split():
        found.append(["debian", fields["Package"], fields["Version"]])
for pattern in ("/opt/**/*.dist-info/METADATA", "/usr/local/lib/**/*.dist-info/METADATA"):
    for path in glob.glob(pattern, recursive=True):
        fields = email.parser.Parser().parse(open(path, encoding="utf-8"), headersonly=True)
        found.append(["python", fields["Name"], fields["Version"]])
for path in glob.glob("/opt/proxy/**/package.json", recursive=True):
    fields = json.load(open(path, encoding="utf-8"))
    if "node_modules/" in path and fields.get("name") and fields.get("version"):
        found.append(["npm", fields["name"], fields["version"]])
print(json.dumps(found))
"""


def purl_of(kind: str, name: str, version: str) -> PackageURL:
    """How the package is named across tools (https://github.com/package-url/purl-spec)."""
    type_, namespace = PURL_TYPES[kind]
    if kind == "npm" and name.startswith("@"):
        namespace, _, name = name.partition("/")
    return PackageURL(type=type_, namespace=namespace, name=name, version=version)


def bom_of(image: str, packages: Iterable[Sequence[str]]) -> str:
    """The document for an image, as JSON of CycloneDX 1.6."""
    bom = Bom()
    name, _, tag = image.rpartition(":")
    bom.metadata.component = Component(type=ComponentType.CONTAINER, name=name, version=tag)
    for kind, package, version in sorted({(kind, package, version) for kind, package, version in packages}):
        purl = purl_of(kind, package, version)
        bom.components.add(Component(name=package, version=version, purl=purl, bom_ref=str(purl)))
    bom.register_dependency(bom.metadata.component, bom.components)
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)


def packages_of(context: Context, image: str) -> list[list[str]]:
    """Ask an image for its packages.

    Raises:
        CommandError: It has no Python, or cannot be started.
    """
    options = ("--rm", "--network=none", "--user=0", "--entrypoint=python3")
    found: list[list[str]] = json.loads(context.podman.run("run", *options, image, "-c", LISTED).stdout)
    return found


def main(images: Sequence[str]) -> None:
    """Write a file for each image."""
    context = prepare(Workspace(project=PROJECT), ConsoleReporter(console=Console(stderr=True, highlight=False)))
    references: Mapping[str, str] = {image.rpartition("/")[2].partition(":")[0]: image for image in images}
    if not references:
        request = UpRequest(instance=find_instance(WIDEST, "default"), zenith_image=STAND_IN)
        references = build(context, request).images
    folder = context.workspace.state / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, image in references.items():
        packages = packages_of(context, image)
        file = folder / f"{name}.cdx.json"
        file.write_text(bom_of(image, packages) + "\n")
        counts = ", ".join(f"{sum(kind == each[0] for each in packages)} {kind}" for kind in PURL_TYPES)
        print(f"{file.relative_to(PROJECT)}: {image}, packages: {counts}", flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    main(sys.argv[1:])
