"""The copy of the guard beside the hub's configuration, for hubs with a site's own authenticator."""

import subprocess
import sys
from pathlib import Path

from hubpod.components.assembly import instance_spec
from hubpod.environments import find_environment
from support.sites import hub_files, site

LOAD = """
import sys
sys.path[:0] = [sys.argv[1]]
import hub_guard.hub_handlers
print([name for name in sys.modules if name.startswith("bricsauthenticator")])
"""


def test_the_copy_works_without_the_package(tmp_path: Path) -> None:
    """A hub whose sources are a site's own loads the guard from the volume with its configuration."""
    for path, content in hub_files(instance_spec(site(find_environment("dev_dummyauth")))).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)

    result = subprocess.run(
        [sys.executable, "-I", "-c", LOAD, str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, "[]\n", "")
