"""The saved seeds, to which a reload goes back."""

from dataclasses import replace
from pathlib import Path

from hubpod.components.assembly import instance_spec
from hubpod.deployment import seeding
from hubpod.environments import find_environment
from hubpod.pod import File, SeedKind
from hubpod.workspace import Workspace
from support.sites import site
from support.stand_ins import find_seed


def test_a_saved_seed_counts_while_it_is_the_content_of_its_volume(tmp_path: Path) -> None:
    """A half-written volume has no known content, and credentials are not saved."""
    dummy = site(find_environment("dev_dummyauth"))
    workspace, spec = Workspace(project=tmp_path), instance_spec(dummy)
    seeding.save_seeds(workspace, dummy, spec)
    source = find_seed(dummy, "hub-source")
    edited = replace(source, files=(File(path="src/bricsauthenticator/__init__.py", content=b"new = 1\n"),))

    def stale(digest: str) -> seeding.StaleVolumes:
        return seeding.StaleVolumes(missing=(), changed=(edited,), digests={source.volume: digest})

    unchanged, half_written = stale(source.digest(dummy.credentials.digest_key)), stale(seeding.UNFINISHED)
    assert seeding.load_saved_seeds(workspace, dummy, unchanged) == {source.volume: source.tar()}
    assert seeding.load_saved_seeds(workspace, dummy, half_written) == {}
    saved = {path.stem for path in tmp_path.rglob("*.tar")}
    assert saved == {each.volume for each in spec.seeds if each.kind in {SeedKind.CONFIG, SeedKind.SETTINGS}}
