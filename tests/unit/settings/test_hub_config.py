"""A site's own settings of JupyterHub: what is read, refused and warned about, and how the hub gets it."""

from pathlib import Path

import pytest
import yaml
from traitlets.config import Config

from hubpod.commands.watch import find_directories
from hubpod.components import jupyterhub
from hubpod.components.assembly import instance_spec
from hubpod.deployment import refresh, tracebacks
from hubpod.environments import ENVIRONMENTS, Environment, find_environment
from hubpod.errors import SettingsError
from hubpod.instances import Instance
from hubpod.labels import LABEL_DEPLOY_DIR
from hubpod.manifests import cluster, podman
from hubpod.podman.answers import Volume
from hubpod.request import UpRequest
from hubpod.settings import deploy_dir, hub_config
from hubpod.settings.table import SETTINGS
from hubpod.sources.clones import SOURCES
from hubpod.sources.origins import Origin
from support.deploy_dirs import put
from support.sites import PROJECT, load_hub_configuration, site
from support.stand_ins import context_at, find_seed, podman_returning

PROD = find_environment("prod")
DUMMY = find_environment("dev_dummyauth")
SECRET = "a-secret-of-the-site"
EXAMPLE = PROJECT / "examples" / "hub_config.d"


@pytest.fixture
def own(directory: Path) -> Path:
    """The empty directory of the site's own settings, in a valid deploy directory."""
    path = directory / hub_config.DIRECTORY
    path.mkdir()
    return path


def refusal(directory: Path) -> SettingsError:
    """Return the error by which a deploy directory is refused."""
    with pytest.raises(SettingsError) as caught:
        deploy_dir.load(directory, PROD, SETTINGS)
    return caught.value


def load(environment: Environment, directory: Path, **files: str) -> Config:
    """Load the hub's configuration with a site's own settings."""
    contents = {f"{name}.py": text.encode() for name, text in files.items()}
    return load_hub_configuration(instance_spec(site(environment, hub_config=contents)), directory)


def test_a_deploy_directory_needs_no_settings_of_jupyterhub(directory: Path) -> None:
    """Without the directory, or with an empty one, the hub executes nothing more."""
    assert not deploy_dir.load(directory, PROD, SETTINGS).hub_config
    (directory / hub_config.DIRECTORY).mkdir()
    assert not deploy_dir.load(directory, PROD, SETTINGS).hub_config


def test_python_files_are_read_in_the_order_of_their_names(directory: Path, own: Path) -> None:
    """Other files are warnings, and those of editors and of Python are nothing."""
    for name in ("90-last.py", "10-first.py", ".20-x.py.swp", "20-x.py~", "README.md", "30-x.py.off"):
        put(own, name, f"# {name}")
    for name in ("__pycache__", "more"):
        (own / name).mkdir()

    loaded = deploy_dir.load(directory, PROD, SETTINGS)

    assert list(loaded.hub_config) == ["10-first.py", "90-last.py"]
    assert loaded.hub_config["10-first.py"] == b"# 10-first.py"
    unread = [each for each in loaded.warnings if "is not read: hub_config.d has files *.py only" in each]
    assert [Path(each.partition(":")[0]).name for each in unread] == ["30-x.py.off", "README.md", "more"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("c.A.b = 1\nc.A.c = (\n", ":2: is not Python 3."),
        ("if True:\nx = 1\n", ":2: is not Python 3."),
        ("x = 1\x00", ": is not Python 3."),
        (b"x = '\xe9'\n", ":1: is not Python 3."),
        (b"#" * (1024 * 1024 + 1), ": is larger than 1048576 bytes"),
    ],
)
def test_a_file_that_is_not_python_is_refused_with_its_line(
    directory: Path, own: Path, content: str | bytes, expected: str
) -> None:
    """The error names file and line, before anything starts or restarts."""
    path = put(own, "50-x.py", content)

    error = refusal(directory)

    assert error.message.startswith(f"{path}{expected}")
    assert error.exit_code == 3


def test_files_that_cannot_be_delivered_are_refused(directory: Path, own: Path) -> None:
    """All problems are reported at once, each with its file."""
    put(own, "my settings.py", "")
    put(own, "50-x.py", "").chmod(0o666)
    (own / "60-x.py").mkdir()
    (own / "70-x.py").symlink_to("nowhere")

    lines = "\n".join(refusal(directory).detail)

    assert f"{own}/my settings.py: has a name with other characters" in lines
    assert f"{own}/50-x.py: can be changed by other users of this machine; chmod o-w {own}/50-x.py" in lines
    assert f"{own}/60-x.py: is a directory" in lines
    assert f"{own}/70-x.py: is a symbolic link to nowhere, which does not exist" in lines


def test_a_directory_that_others_may_write_to_is_refused(directory: Path, own: Path) -> None:
    """The hub executes every file of the directory with all of its keys."""
    own.chmod(0o777)

    assert refusal(directory).message == f"{own}: can be changed by other users of this machine"


def test_a_file_in_place_of_the_directory_is_refused(directory: Path) -> None:
    """Settings need a directory."""
    put(directory, hub_config.DIRECTORY, "")

    assert refusal(directory).message == f"{directory / hub_config.DIRECTORY}: is not a directory"


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_the_sites_own_settings_are_executed_last(environment: Environment, tmp_path: Path) -> None:
    """They override hubpod's options and change them in place, in the order of their names."""
    config = load(
        environment,
        tmp_path,
        a="c.JupyterHub.cookie_max_age_days = 7\nc.Spawner.environment['X'] = '1'\n",
        b="c = get_config()\nassert c.JupyterHub.cookie_max_age_days == 7\nc.JupyterHub.hub_bind_url += '/x'\n",
        c="import os\nc.JupyterHub.template_vars = {'platform': os.environ['DEPLOY_CONFIG_BASE_URL']}\n",
    )

    assert config.JupyterHub.cookie_max_age_days == 7
    assert config.Spawner.environment["X"] == "1"
    assert "JUPYTERHUB_BRICS_CONDA_PREFIX_DIR" in config.Spawner.environment
    assert config.JupyterHub.hub_bind_url.endswith(":8081/x")
    assert config.JupyterHub.template_vars == {"platform": "/jupyter"}


def test_the_example_changes_the_hub(tmp_path: Path) -> None:
    """The documented example is valid, and sets an announcement and the resolution of activity."""
    config = load(PROD, tmp_path, **{path.stem: path.read_text() for path in EXAMPLE.glob("*.py")})

    assert "Friday" in config.JupyterHub.template_vars["announcement"]
    assert config.JupyterHub.activity_resolution == 120


def test_a_failing_file_is_named_with_its_line(tmp_path: Path) -> None:
    """The hub's traceback has file and line, and becomes the site's own path in errors of hubpod."""
    contents = {"50-x.py": b"a = 1\nb = a / 0\n"}
    dummy = site(DUMMY, hub_config=contents)
    with pytest.raises(ZeroDivisionError) as caught:
        load_hub_configuration(instance_spec(dummy), tmp_path)
    assert (str(caught.traceback[-1].path), caught.traceback[-1].lineno + 1) == (f"{tmp_path}/hub_config.d/50-x.py", 2)
    log = (
        "Traceback (most recent call last):\n"
        f'  File "{jupyterhub.SETTINGS}/50-x.py", line 2, in <module>\n    b = a / 0\n'
        "ZeroDivisionError: division by zero\n"
    )

    excerpt = tracebacks.excerpt_own_code(dummy, log)

    own = dummy.settings.source.parent / hub_config.DIRECTORY
    assert excerpt[0].strip() == f'File "{own}/50-x.py", line 2, in <module>'
    assert excerpt[-1] == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_only_the_hub_can_read_the_settings(environment: Environment) -> None:
    """They may contain secrets: files of mode 0400 of the hub's user, in a volume of the hub alone, and in a Secret."""
    made = site(environment, hub_config={"50-x.py": f"c.X.secret = '{SECRET}'\n".encode()})
    seed, pod = find_seed(made, jupyterhub.SETTINGS_VOLUME), instance_spec(made)

    assert [(file.path, file.mode, file.uid) for file in seed.files] == [("50-x.py", 0o400, jupyterhub.UID)]
    assert (seed.mode, seed.uid) == (0o500, jupyterhub.UID)
    readers = [each.name for each in pod.containers if any(mount.volume == seed.volume for mount in each.mounts)]
    assert readers == [jupyterhub.NAME]
    assert SECRET not in podman.manifest(pod)
    assert SECRET not in cluster.manifest(pod, digest_key=b"key")
    secrets = yaml.safe_load_all(cluster.manifest(pod, digest_key=b"key", secrets=True))
    (secret,) = (each for each in secrets if each["metadata"]["name"] == seed.volume)
    assert secret["kind"] == "Secret"
    assert SECRET not in repr(made)


def test_an_edit_of_the_settings_restarts_the_hub_alone() -> None:
    """No other container reads them, and a notebook keeps running."""
    made = site(DUMMY, hub_config={"50-x.py": b""})

    seeds = (find_seed(made, jupyterhub.SETTINGS_VOLUME),)

    assert refresh.find_readers(instance_spec(made), seeds) == (jupyterhub.NAME,)


def test_a_site_may_add_settings_without_another_pod() -> None:
    """The manifest is the same with and without settings, so that the first file replaces no pod."""
    with_settings = site(DUMMY, hub_config={"50-x.py": b""})

    assert podman.manifest(instance_spec(site(DUMMY))) == podman.manifest(instance_spec(with_settings))


@pytest.mark.parametrize("exists", [True, False])
def test_the_settings_are_watched_where_they_exist(tmp_path: Path, exists: bool) -> None:  # noqa: FBT001 - a parameter
    """`dev.watch` reloads after a save of a site's own settings."""
    own = tmp_path / "site" / hub_config.DIRECTORY
    if exists:
        own.mkdir(parents=True)
    instance = Instance(environment=DUMMY, name="default")
    volume = Volume(name="v", labels={LABEL_DEPLOY_DIR: str(own.parent)})
    found = podman_returning({"volumes": {"v": volume}, "containers": {}})
    origins = {each.name: Origin(directory=PROJECT / "packages" / each.name) for each in SOURCES}

    watched = find_directories(context_at(tmp_path, found), UpRequest(instance=instance, origins=origins))

    assert (own in watched) is exists
    assert tmp_path / "volumes" in watched
