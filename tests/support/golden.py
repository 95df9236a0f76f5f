"""The manifests of all environments in tests/golden.

`python tests/support/golden.py` writes them.
"""

import sys
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hubpod.components.assembly import instance_spec
from hubpod.environments import ENVIRONMENTS
from hubpod.manifests import cluster as kubernetes
from hubpod.manifests import podman as podman_manifest
from hubpod.request import Target
from hubpod.settings import deploy_configmap
from support.sites import PROJECT, site

DIRECTORY = PROJECT / "tests" / "golden"
COMMAND = "python tests/support/golden.py"
DIGEST_KEY = b"the digest key of the golden manifests, no secret"


@cache
def manifests() -> dict[str, str]:
    """Render the manifest of each environment's example for each target, by file name."""
    found: dict[str, str] = {}
    for environment in ENVIRONMENTS:
        example = PROJECT / "examples" / environment.name / deploy_configmap.FILE_NAME
        pod = instance_spec(site(environment, text=example.read_text()))
        cluster = kubernetes.manifest(pod, digest_key=DIGEST_KEY)
        for target, text in ((Target.PODMAN, podman_manifest.manifest(pod)), (Target.KUBERNETES, cluster)):
            found[f"{environment.name}.{target.value}.yaml"] = text
    return found


def write(directory: Path) -> None:
    """Write the manifests, and remove those of other environments."""
    directory.mkdir(parents=True, exist_ok=True)
    wanted = manifests()
    for path in directory.glob("*.yaml"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else DIRECTORY)
