"""The manifests in tests/golden are current."""

import shutil
import sys
from pathlib import Path

from hubpod.components import jupyterhub, proxy
from support.golden import COMMAND, DIRECTORY, manifests
from support.instances import PROJECT, run_command
from support.sites import PASSWORD, fake_credentials, ssh_key


def test_the_golden_manifests_are_current() -> None:
    """tests/golden has the manifests that the code renders.

    The command in the error updates them.
    """
    kept = {path.name: path.read_text() for path in DIRECTORY.glob("*.yaml")}
    wanted = manifests()

    outdated = sorted(name for name in kept | wanted if kept.get(name) != wanted.get(name))

    assert not outdated, f"read what changed with `git diff` after `{COMMAND}`"


def test_the_golden_manifests_are_the_same_everywhere(tmp_path: Path) -> None:
    """Another checkout with other modes, home, time zone and hash seed renders the same bytes."""
    checkout = tmp_path / "another" / "checkout"
    for folder in ("hubpod", "volumes", "examples", "tests/support", jupyterhub.GUARD):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / folder, checkout / folder, ignore=ignored, copy_function=shutil.copy)
    for path in checkout.rglob("*"):
        path.chmod(0o700)
    env = {"PYTHONPATH": str(checkout), "PYTHONHASHSEED": "7", "HOME": str(tmp_path), "TZ": "Pacific/Chatham"}

    ended = run_command([sys.executable, "tests/support/golden.py"], env=env, cwd=checkout)

    assert (ended.code, ended.text) == (0, "")
    written = {path.name: path.read_text() for path in (checkout / "tests" / "golden").glob("*.yaml")}
    assert written == manifests()


def test_the_golden_manifests_have_no_secret_and_no_place() -> None:
    """Manifests contain no password, key or path of this machine."""
    keys = fake_credentials("hubpod")
    secrets = [
        PASSWORD,
        keys[proxy.TOKEN].decode(),
        keys[jupyterhub.CRYPT_KEY].decode(),
        *ssh_key("x").decode().splitlines()[:1],
    ]

    for name, text in manifests().items():
        assert not [secret for secret in secrets if secret in text], name
        assert str(PROJECT) not in text, name
        assert str(Path.home()) not in text.replace("/root/", ""), name
