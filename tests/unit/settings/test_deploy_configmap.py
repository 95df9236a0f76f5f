"""Reading and validating a deploy ConfigMap."""

import os
import stat
from pathlib import Path

import pytest
import yaml

import reference
from hubpod.environments import ENVIRONMENTS, Environment, find_environment
from hubpod.errors import SettingsError
from hubpod.settings import checks, deploy_configmap

DUMMY = find_environment("dev_dummyauth")

SITE_FILE = """\
apiVersion: core/v1
kind: ConfigMap
metadata:
  name: deploy-config
data:
  logLevel: "DEBUG"
  baseUrl: "/jupyter"
  devUsers: "testuser.project1 testuser.project2 otheruser.project1"
  devAdmins: "test1-admin test2-admin"
  dummyAuthPassword: "a-password-of-this-site"
  # Do not change: fixed value for environment
  sshHostname: "localhost"
  slurmSpawnerWrappersBin: "/opt/jupyter/slurmspawner_wrappers/bin"
  condaPrefixDir: "/opt/jupyter/miniforge3"
  jupyterDataDir: "/opt/jupyter/jupyter_data"
  hubConnectUrl: "http://127.0.0.1:8081"
  oidcServer: "https://keycloak.example/realms/site"
  bricsPlatform: "portal.dummy.platform.shared"
  jwtAudience: "dummy-audience"
immutable: true
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the deploy ConfigMap of a test lies."""
    return tmp_path / "deploy-configmap.yaml"


def write(path: Path, **data: str) -> Path:
    """A deploy ConfigMap with valid settings, but for what the test says."""
    whole = {"devUsers": "testuser.project1", "dummyAuthPassword": "long enough", **data}
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "data": whole}))
    return path


def refusal(path: Path) -> SettingsError:
    """The error that a file is refused with."""
    with pytest.raises(SettingsError) as caught:
        deploy_configmap.load(path, DUMMY)
    return caught.value


def test_an_existing_sites_file_works_unchanged(path: Path) -> None:
    """A file with every key, as sites have it, is taken as it is."""
    path.write_text(SITE_FILE)

    loaded = deploy_configmap.load(path, DUMMY)

    assert list(map(str, loaded.dev_users)) == ["testuser.project1", "testuser.project2", "otheruser.project1"]
    assert loaded.variables(secret=False)["DEPLOY_CONFIG_CONDA_PREFIX_DIR"] == "/opt/jupyter/miniforge3"


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_a_sites_file_works_in_every_environment(path: Path, environment: Environment) -> None:
    """core/v1, immutable, keys of other environments and fixed values written out are no mistakes."""
    path.write_text(SITE_FILE)

    loaded = deploy_configmap.load(path, environment)

    assert loaded.ssh_hostname == "localhost"
    assert ("DEPLOY_CONFIG_OIDC_SERVER" in loaded.variables(secret=False)) is (environment.login.value == "JWT")


def test_what_the_environment_fixes_need_not_be_written(path: Path) -> None:
    """Users and password are enough for dev_dummyauth."""
    loaded = deploy_configmap.load(write(path), DUMMY)

    assert loaded.ssh_hostname == "localhost"
    assert loaded.base_url == "/jupyter"


def test_everything_wrong_is_reported_at_once_with_file_line_and_key(path: Path) -> None:
    """Four mistakes give one error that names each with file, line and key; the missing one has no line."""
    path.write_text('kind: ConfigMap\ndata:\n  logLevel: "LOUD"\n  devUsers: "testuser"\n  baseURL: "/jupyter"\n')

    error = refusal(path)

    assert "4 settings" in error.message
    assert error.detail[0].startswith(f"{path}:3: logLevel: must be one of DEBUG")
    assert error.detail[1].startswith(f"{path}:4: devUsers: has 'testuser'")
    assert error.detail[2] == f"{path}:5: baseURL: is not a known key; did you mean 'baseUrl'?"
    assert error.detail[3].startswith(f"{path}: dummyAuthPassword: is missing")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("devUsers", "", "is empty"),
        ("devUsers", "a.b a.b", "twice"),
        ("devUsers", "Root.p", "'Root.p'"),
        ("devUsers", "a.b; id", "is not <USER>.<PROJECT>"),
        ("devUsers", "../x.p", "is not <USER>.<PROJECT>"),
        ("dummyAuthPassword", "MyVerySecurePassword", "documented example"),
        ("dummyAuthPassword", "short", "at least 8"),
        ("dummyAuthPassword", "two\nlines here", "one line"),
        ("dummyAuthPassword", "pässword-pässword", "ASCII"),
        ("devUsers", "root.project1", "is not <USER>.<PROJECT>"),
        ("devUsers", "_x.project1", "is not <USER>.<PROJECT>"),
        ("baseUrl", "jupyter", "must be a path"),
        ("baseUrl", "/jupyter/", "without a slash"),
        ("baseUrl", "/a\nb", "must be a path"),
        ("hubConnectUrl", "http://10.0.0.1:8081", "fixed to http://127.0.0.1:8081"),
        ("devAdmins", "$(id)", "is not a user name"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(path: Path, key: str, value: str, told: str) -> None:
    """Each kind of wrong value is told in a sentence that names the key."""
    error = refusal(write(path, **{key: value}))

    assert f" {key}: " in error.message
    assert told in error.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "is not YAML"),
        ("", "0 YAML documents"),
        ("kind: ConfigMap\ndata: {}\n---\nkind: ConfigMap\n", "2 YAML documents"),
        ("kind: Secret\ndata: {}\n", "must be ConfigMap"),
        ("kind: ConfigMap\n", "data: is missing"),
        ("kind: ConfigMap\ndata: hello\n", "must be a mapping"),
        ("- a\n", "must be a mapping"),
        ("kind: ConfigMap\ndata:\n  ? [a]\n  : b\n", "key must be a string"),
    ],
)
def test_a_file_that_is_no_configmap_is_refused(path: Path, text: str, told: str) -> None:
    """What is not the YAML of one ConfigMap is told in one sentence that names the file."""
    path.write_text(text)

    error = refusal(path)

    assert told in error.message
    assert str(path) in error.message


def test_a_python_object_in_the_file_stays_a_string(path: Path) -> None:
    """A tag that would construct an object in other loaders has no effect."""
    path.write_text('kind: ConfigMap\ndata:\n  devUsers: !!python/object/apply:os.system ["touch x"]\n')

    assert "devUsers: must be a string" in "\n".join(refusal(path).detail)


def test_blanks_only_separate_users(path: Path) -> None:
    """Blanks before, after and between accounts change nothing for those who read the variable."""
    loaded = deploy_configmap.load(write(path, devUsers="  a.b \n c.d "), DUMMY)

    assert loaded.variables(secret=False)["DEPLOY_CONFIG_DEV_USERS"] == "a.b c.d"


def test_a_missing_file_is_named(path: Path) -> None:
    """There is no file: the error has its path and the way out."""
    error = refusal(path)

    assert str(path) in error.message
    assert "--deploy-dir" in error.remedy


def test_a_duplicate_key_is_refused(path: Path) -> None:
    """A key that stands twice is not silently decided for one of the two."""
    path.write_text(
        'kind: ConfigMap\ndata:\n  devUsers: "a.b"\n  devUsers: "c.d"\n  dummyAuthPassword: "long enough"\n'
    )

    assert "devUsers: stands in the file twice" in refusal(path).message


def test_the_file_that_is_made_is_valid_private_and_has_a_password_of_its_own(path: Path) -> None:
    """The example that dev.up writes loads, nobody else can read it, and no two have the same password."""
    os.umask(0)
    try:
        deploy_configmap.write_example(path, DUMMY)
        other = path.with_name("other") / "deploy-configmap.yaml"
        deploy_configmap.write_example(other, DUMMY)
    finally:
        os.umask(0o022)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    passwords = {deploy_configmap.load(file, DUMMY).dummy_auth_password for file in (path, other)}
    assert len(passwords) == 2


def test_the_examples_are_current() -> None:
    """examples/ has just the files that the tables give; `./run nox -s generated` makes it so."""
    folder = reference.PROJECT / "examples"

    assert {
        str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*.yaml")
    } == reference.render_examples()


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_an_example_needs_only_a_password(path: Path, environment: Environment) -> None:
    """Each example loads once its password is the site's own, and has nothing that the environment fixes."""
    text = deploy_configmap.example(environment)
    path.write_text(text.replace("change-this-password", "a-password-of-this-site"))

    assert deploy_configmap.load(path, environment)
    assert ("sshHostname" in text) is (environment.slurm.value == "external")


def test_an_example_is_refused_as_it_is(path: Path) -> None:
    """Nobody deploys a hub with the password that stands in the public examples."""
    path.write_text(deploy_configmap.example(DUMMY))

    assert "dummyAuthPassword: is the documented example" in refusal(path).message
    assert "change-this-password" in checks.EXAMPLE_PASSWORDS


def test_an_example_has_what_the_site_must_write_first() -> None:
    """Optional keys follow the required ones, commented out, with their default."""
    lines = deploy_configmap.example(DUMMY).splitlines()

    assert lines.index('  # baseUrl: "/jupyter"') > max(
        i for i, line in enumerate(lines) if "dummyAuthPassword:" in line
    )


def test_a_password_is_not_shown_when_its_blank_is_missing(path: Path) -> None:
    """`{key:value}` is one key for YAML, and may be a secret as a whole."""
    path.write_text("kind: ConfigMap\ndata: {dummyAuthPassword:hunter22}\n")

    error = refusal(path)

    assert "is there a blank after its colon?" in "\n".join(error.detail)
    assert "hunter22" not in "\n".join((error.message, *error.detail))


def test_the_password_is_in_no_repr(path: Path) -> None:
    """Settings that end up in a log or a traceback do not show the password."""
    assert "long enough" not in repr(deploy_configmap.load(write(path), DUMMY))


def test_the_password_is_no_ordinary_variable(path: Path) -> None:
    """What is shown in a manifest does not have the password; what goes into a credential volume does."""
    loaded = deploy_configmap.load(write(path), DUMMY)

    assert "DEPLOY_CONFIG_DUMMYAUTH_PASSWORD" not in loaded.variables(secret=False)
    assert loaded.variables(secret=True) == {"DEPLOY_CONFIG_DUMMYAUTH_PASSWORD": "long enough"}
