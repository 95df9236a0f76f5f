"""Reading and validating a deploy ConfigMap."""

import os
import stat
from pathlib import Path

import pytest
import yaml

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
    """The path of the test's deploy ConfigMap."""
    return tmp_path / "deploy-configmap.yaml"


def write(path: Path, **data: str) -> Path:
    """Write a deploy ConfigMap with valid settings, except for those of the test."""
    whole = {"devUsers": "testuser.project1", "dummyAuthPassword": "long enough", **data}
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "data": whole}))
    return path


def refusal(path: Path) -> SettingsError:
    """Return the error by which a file is refused."""
    with pytest.raises(SettingsError) as caught:
        deploy_configmap.load(path, DUMMY)
    return caught.value


def test_an_existing_sites_file_works_unchanged(path: Path) -> None:
    """An existing file with every key is valid."""
    path.write_text(SITE_FILE)

    loaded = deploy_configmap.load(path, DUMMY)

    assert list(map(str, loaded.dev_users)) == ["testuser.project1", "testuser.project2", "otheruser.project1"]
    assert loaded.variables(secret=False)["DEPLOY_CONFIG_CONDA_PREFIX_DIR"] == "/opt/jupyter/miniforge3"


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_a_sites_file_works_in_every_environment(path: Path, environment: Environment) -> None:
    """The file may have core/v1, immutable, keys of other environments, and fixed values."""
    path.write_text(SITE_FILE)

    loaded = deploy_configmap.load(path, environment)

    assert loaded.ssh_hostname == "localhost"
    assert ("DEPLOY_CONFIG_OIDC_SERVER" in loaded.variables(secret=False)) is (environment.login.value == "JWT")


def test_fixed_settings_may_be_omitted(path: Path) -> None:
    """For dev_dummyauth, users and password are sufficient."""
    loaded = deploy_configmap.load(write(path), DUMMY)

    assert loaded.ssh_hostname == "localhost"
    assert loaded.base_url == "/jupyter"


def test_all_problems_are_reported_at_once_with_file_line_and_key(path: Path) -> None:
    """Four problems give one error with file, line and key of each; a missing key has no line."""
    path.write_text('kind: ConfigMap\ndata:\n  logLevel: "LOUD"\n  devUsers: "testuser"\n  baseURL: "/jupyter"\n')

    error = refusal(path)

    assert "4 settings" in error.message
    assert error.detail[0].startswith(f"{path}:3: logLevel: must be one of DEBUG")
    assert error.detail[1].startswith(f"{path}:4: devUsers: has 'testuser'")
    assert error.detail[2] == f"{path}:5: baseURL: is not a known key; did you mean 'baseUrl'?"
    assert error.detail[3].startswith(f"{path}: dummyAuthPassword: is missing")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
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
def test_a_wrong_value_is_named_with_its_key(path: Path, key: str, value: str, expected: str) -> None:
    """The error of a wrong value names the key."""
    error = refusal(write(path, **{key: value}))

    assert f" {key}: " in error.message
    assert expected in error.message


@pytest.mark.parametrize(
    ("text", "expected"),
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
def test_a_file_that_is_not_a_configmap_is_refused(path: Path, text: str, expected: str) -> None:
    """A file that is not the YAML of one ConfigMap is refused with its path."""
    path.write_text(text)

    error = refusal(path)

    assert expected in error.message
    assert str(path) in error.message


def test_a_python_object_in_the_file_stays_a_string(path: Path) -> None:
    """A tag that constructs an object in other loaders has no effect."""
    path.write_text('kind: ConfigMap\ndata:\n  devUsers: !!python/object/apply:os.system ["touch x"]\n')

    assert "devUsers: must be a string" in "\n".join(refusal(path).detail)


def test_whitespace_only_separates_users(path: Path) -> None:
    """Whitespace around accounts does not reach the containers' variable."""
    loaded = deploy_configmap.load(write(path, devUsers="  a.b \n c.d "), DUMMY)

    assert loaded.variables(secret=False)["DEPLOY_CONFIG_DEV_USERS"] == "a.b c.d"


def test_a_missing_file_is_named(path: Path) -> None:
    """The error of a missing file has its path and the remedy."""
    error = refusal(path)

    assert str(path) in error.message
    assert "--deploy-dir" in error.remedy


def test_a_duplicate_key_is_refused(path: Path) -> None:
    """Of a key that is in the file twice, neither value is silently preferred."""
    path.write_text(
        'kind: ConfigMap\ndata:\n  devUsers: "a.b"\n  devUsers: "c.d"\n  dummyAuthPassword: "long enough"\n'
    )

    assert "devUsers: is in the file twice" in refusal(path).message


def test_a_generated_file_is_valid_and_private_with_a_unique_password(path: Path) -> None:
    """The file that dev.up generates loads, has mode 0600, and has a password of its own."""
    os.umask(0)
    try:
        deploy_configmap.generate(path, DUMMY)
        other = path.with_name("other") / "deploy-configmap.yaml"
        deploy_configmap.generate(other, DUMMY)
    finally:
        os.umask(0o022)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    passwords = {deploy_configmap.load(file, DUMMY).dummy_auth_password for file in (path, other)}
    assert len(passwords) == 2


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_an_example_needs_only_a_password(path: Path, environment: Environment) -> None:
    """Each example loads with a password of the site's own, and has no fixed setting."""
    text = deploy_configmap.example(environment)
    path.write_text(text.replace("change-this-password", "a-password-of-this-site"))

    assert deploy_configmap.load(path, environment)
    assert ("sshHostname" in text) is (environment.slurm.value == "external")


def test_an_unedited_example_is_refused(path: Path) -> None:
    """A hub with the password of the public examples cannot be deployed."""
    path.write_text(deploy_configmap.example(DUMMY))

    assert "dummyAuthPassword: is the documented example" in refusal(path).message
    assert "change-this-password" in checks.EXAMPLE_PASSWORDS


def test_an_example_has_the_required_keys_first() -> None:
    """Optional keys follow the required ones, commented out, with their default."""
    lines = deploy_configmap.example(DUMMY).splitlines()

    assert lines.index('  # baseUrl: "/jupyter"') > max(
        i for i, line in enumerate(lines) if "dummyAuthPassword:" in line
    )


def test_a_password_without_the_space_before_it_is_not_printed(path: Path) -> None:
    """YAML reads `{key:value}` as one key, which may have a secret in it."""
    path.write_text("kind: ConfigMap\ndata: {dummyAuthPassword:hunter22}\n")

    error = refusal(path)

    assert "add a space after its colon" in "\n".join(error.detail)
    assert "hunter22" not in "\n".join((error.message, *error.detail))


def test_the_password_is_in_no_repr(path: Path) -> None:
    """The repr of settings, which a traceback may print, has no password."""
    assert "long enough" not in repr(deploy_configmap.load(write(path), DUMMY))


def test_the_password_is_only_among_the_secret_variables(path: Path) -> None:
    """Manifests do not have the password; the credential volume does."""
    loaded = deploy_configmap.load(write(path), DUMMY)

    assert "DEPLOY_CONFIG_DUMMYAUTH_PASSWORD" not in loaded.variables(secret=False)
    assert loaded.variables(secret=True) == {"DEPLOY_CONFIG_DUMMYAUTH_PASSWORD": "long enough"}
