"""Reading and validating a deploy ConfigMap."""

import os
import stat
from pathlib import Path

import pytest
import yaml

from hubpod.environments import ENVIRONMENTS, Environment, find_environment
from hubpod.errors import SettingsError
from hubpod.settings import checks, deploy_configmap
from hubpod.settings.table import SETTINGS
from hubpod.settings.yaml_files import read_configmap

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
        deploy_configmap.load(path, DUMMY, SETTINGS)
    return caught.value


def test_an_existing_sites_file_works_unchanged(path: Path) -> None:
    """An existing file with every key is valid."""
    path.write_text(SITE_FILE)

    loaded = deploy_configmap.load(path, DUMMY, SETTINGS)

    assert list(map(str, loaded.dev_users)) == ["testuser.project1", "testuser.project2", "otheruser.project1"]
    assert loaded.variables(secret=False)["DEPLOY_CONFIG_CONDA_PREFIX_DIR"] == "/opt/jupyter/miniforge3"


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_a_sites_file_works_in_every_environment(path: Path, environment: Environment) -> None:
    """The file may have core/v1, immutable, keys of other environments, and fixed values."""
    host, hub = ("localhost", "127.0.0.1") if environment.slurm.in_pod else ("ssh.example.org", "hub.example.org")
    path.write_text(SITE_FILE.replace('"localhost"', host).replace("127.0.0.1", hub))

    loaded = deploy_configmap.load(path, environment, SETTINGS)

    assert loaded.ssh_hostname == host
    assert ("DEPLOY_CONFIG_OIDC_SERVER" in loaded.variables(secret=False)) is (environment.login.value == "JWT")


def test_fixed_settings_may_be_omitted(path: Path) -> None:
    """For dev_dummyauth, users and password are sufficient."""
    loaded = deploy_configmap.load(write(path), DUMMY, SETTINGS)

    assert loaded.ssh_hostname == "localhost"
    assert loaded.base_url == "/jupyter"


def test_all_problems_are_reported_at_once_with_file_line_and_key(path: Path) -> None:
    """Three problems give one error with file, line and key of each; a missing key has no line."""
    path.write_text(
        'kind: ConfigMap\ndata:\n  logLevel: "LOUD"\n  devUsers: "testuser"\n  dummyauthPassword: "long enough"\n'
    )

    error = refusal(path)

    assert "3 settings" in error.message
    assert error.detail[0].startswith(f"{path}:3: logLevel: must be one of DEBUG")
    assert error.detail[1].startswith(f"{path}:4: devUsers: has 'testuser'")
    assert error.detail[2].startswith(f"{path}: dummyAuthPassword: is missing: password of the login form; line 5 has")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("devUsers", "", "is missing"),
        ("devUsers", " \n", "is missing"),
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
        ("logLevel", "WARNNG", "did you mean 'WARN'?"),
        ("logLevel", "5", "must be one of DEBUG, INFO, WARN, ERROR, CRITICAL"),
        ("baseUrl", "jupyter", "must be a path that starts with a slash"),
        ("baseUrl", "//jupyter", "must be a path"),
        ("baseUrl", "/jupyter/../x", "must be a path"),
        ("baseUrl", "/./", "must be a path"),
        ("baseUrl", "/jupyter?x=1", "must be a path"),
        ("baseUrl", "https://example.org/jupyter", "must be a path"),
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
        ("kind: ConfigMap\ndata:\n", "data: is empty"),
        ("kind: ConfigMap\ndata: ~\n", "data: is empty"),
        ("kind: ConfigMap\ndata: {}\ndata: {}\n", ":3: data: is in the file twice"),
        ("kind: ConfigMap\nbinaryData:\n  devUsers: YS5i\n", ":2: binaryData: is not read"),
        ("kind: ConfigMap\ndata: {}\nstringData:\n  devUsers: a.b\n", ":3: stringData: is not read"),
        ("kind: ConfigMap\nx: &x {a: b}\n<<: *x\ndata: {}\n", ":3: <<: is a merge key"),
        ("kind: ConfigMap\nx: &x {a: b}\ndata:\n  <<: *x\n", ":4: <<: is a merge key"),
        ("kind: ConfigMap\ndata: !include other.yaml\n", "data must be a mapping"),
        ("kind: ConfigMap\ndata:\n\tdevUsers: a.b\n", ":3: is not YAML: a tab"),
        ("kind: ConfigMap\ndata:\n  dummyAuthPassword: @secret\n", ":3: is not YAML: a value starts with @"),
        ("kind: ConfigMap\ndata:\n  devUsers: a: b\n", ":3: is not YAML: a value with a colon"),
        ("kind: ConfigMap\ndata:\n  devUsers: a\x01b\n", ":3: is not YAML: it has a control character"),
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


def test_bytes_that_are_not_utf8_are_named(path: Path) -> None:
    """A file in another encoding is refused with its line."""
    path.write_bytes("kind: ConfigMap\ndata:\n  devUsers: ä.b\n".encode("latin-1"))

    assert refusal(path).message == f"{path}:3: is not YAML: it has bytes that are not UTF-8"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("!!python/object/apply:os.system [touch x]", "must be a string, not a list"),
        ("!!python/name:os.system x", "has a YAML tag"),
        ("!hunter2 x", "has a YAML tag"),
        ("!!binary YS5i", "has a YAML tag"),
        ("!include users.yaml", "reads another file by `!include`"),
        ("[a.b, c.d]", "must be a string, not a list; write the words into one string"),
        ("\n  - a.b\n  - c.d", "must be a string, not a list"),
        ("{a: b}", "must be a string, not a mapping"),
        *((word, "is true or false for YAML; put the value in quotes") for word in ("on", "off", "yes", "No", "TRUE")),
    ],
)
def test_a_value_that_is_not_one_text_is_refused(path: Path, value: str, expected: str) -> None:
    """A list, a mapping, a boolean or a tag is refused with the reason, and nothing is executed."""
    path.write_text(f"kind: ConfigMap\ndata:\n  dummyAuthPassword: long enough\n  devUsers: {value}\n")

    error = refusal(path)

    assert error.message.startswith(f"{path}:4: devUsers: {expected}")
    assert "hunter2" not in error.message


@pytest.mark.parametrize("null", ["", "~", "null", "Null", "NULL", "# a comment", "!!null x", "&anchor"])
@pytest.mark.parametrize("key", [setting.key for setting in SETTINGS])
def test_null_means_that_a_key_is_not_set(path: Path, key: str, null: str) -> None:
    """A key without a value has its default or fixed value, or is missing if the environment requires it."""
    data = {"devUsers": "testuser.project1", "dummyAuthPassword": "long enough", key: null}
    lines = "".join(f"  {name}: {value}\n" for name, value in data.items())
    path.write_text(f"kind: ConfigMap\ndata:\n{lines}")
    required = key in {"devUsers", "dummyAuthPassword"}

    reading = deploy_configmap.read(path, DUMMY, SETTINGS)

    assert [(each.key, each.text.split(":")[0]) for each in reading.problems] == ([(key, "is missing")] * required)
    if not required:
        del data[key]
        path.write_text(f"kind: ConfigMap\ndata: {data}\n")
        assert reading.values == deploy_configmap.load(path, DUMMY, SETTINGS).values


def test_an_empty_text_is_the_root_for_the_base_url_and_not_set_for_other_keys(path: Path) -> None:
    """The hub is at / if the prefix is an empty text; other empty texts mean the default."""
    loaded = deploy_configmap.load(write(path, baseUrl="", logLevel="", devAdmins="", sshHostname=" "), DUMMY, SETTINGS)

    assert loaded.base_url == "/"
    assert loaded.values["logLevel"] == "INFO"
    assert loaded.values["devAdmins"] == ""
    assert loaded.ssh_hostname == "localhost"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("22:22", "22:22"),
        ("0123456789", "0123456789"),
        ("1_000_000_0", "1_000_000_0"),
        ("12345678.90", "12345678.90"),
        ("0x0123456789", "0x0123456789"),
        ("2026-11-28", "2026-11-28"),
        ("2026-11-28T12:00:00Z", "2026-11-28T12:00:00Z"),
        ("'null' ", "null"),
        ('"yes"', "yes"),
        ("!!str yes", "yes"),
        ("!!int '12'", "12"),
        ("=", "="),
        ('"a\\tb"', "a\tb"),
    ],
)
def test_a_value_has_the_text_that_is_written(path: Path, written: str, expected: str) -> None:
    """Numbers, times and dates stay as they are written, and quotes make any word a text."""
    path.write_text(f"kind: ConfigMap\ndata:\n  dummyAuthPassword: {written}\n")

    assert read_configmap(path).entries["dummyAuthPassword"].value == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_byte_order_marks_and_line_ends_of_other_systems_are_read(path: Path, encoding: str, end: str) -> None:
    """A file that an editor on another system wrote has the same settings."""
    path.write_bytes(SITE_FILE.replace("\n", end).encode(encoding))

    assert deploy_configmap.load(path, DUMMY, SETTINGS).values["baseUrl"] == "/jupyter"


def test_an_alias_has_the_value_of_its_anchor(path: Path) -> None:
    """Aliases within the file work."""
    path.write_text(
        "kind: ConfigMap\ndata:\n  devUsers: &users >-\n    a.b\n    c.d\n  x: *users\n"
        "  dummyAuthPassword: long enough\n---\n"
    )

    assert list(map(str, deploy_configmap.load(path, DUMMY, SETTINGS).dev_users)) == ["a.b", "c.d"]


def test_an_unknown_key_is_a_warning_with_the_nearest_known_key(path: Path) -> None:
    """A key that hubpod does not know has no effect, whatever its value; the warning names the nearest one."""
    path.write_text(
        "kind: ConfigMap\ndata:\n  devUsers: a.b\n  dummyAuthPassword: long enough\n  baseURL: /hub\n"
        "  aKeyOfTheSite: [1]\n  x: null\n"
    )

    reading = deploy_configmap.read(path, DUMMY, SETTINGS)

    assert not reading.problems
    assert reading.values["baseUrl"] == "/jupyter"
    text = "is not a known key, and has no effect"
    assert [each.message for each in reading.warnings] == [
        f"{path}:5: baseURL: {text}; did you mean 'baseUrl'?",
        f"{path}:6: aKeyOfTheSite: {text}",
        f"{path}:7: x: {text}",
    ]


def test_a_setting_beside_data_is_refused(path: Path) -> None:
    """A setting that is not indented would have no effect; other keys are not hubpod's business."""
    path.write_text(
        "kind: ConfigMap\nextra: 1\ndata:\n  devUsers: a.b\n  dummyAuthPassword: long enough\nbaseUrl: /hub\n"
    )

    assert refusal(path).message == f"{path}:6: baseUrl: must be below `data:`; indent the line"


def test_whitespace_only_separates_users(path: Path) -> None:
    """Whitespace around accounts does not reach the containers' variable."""
    loaded = deploy_configmap.load(write(path, devUsers="  a.b \n c.d "), DUMMY, SETTINGS)

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
        deploy_configmap.generate(path, DUMMY, SETTINGS)
        other = path.with_name("other") / "deploy-configmap.yaml"
        deploy_configmap.generate(other, DUMMY, SETTINGS)
    finally:
        os.umask(0o022)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    passwords = {deploy_configmap.load(file, DUMMY, SETTINGS).dummy_auth_password for file in (path, other)}
    assert len(passwords) == 2


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_an_example_needs_only_a_password(path: Path, environment: Environment) -> None:
    """Each example loads with a password of the site's own, and has no fixed setting."""
    text = deploy_configmap.example(environment, SETTINGS)
    path.write_text(text.replace("change-this-password", "a-password-of-this-site"))

    assert deploy_configmap.load(path, environment, SETTINGS)
    assert ("sshHostname" in text) is (environment.slurm.value == "external")


def test_an_unedited_example_is_refused(path: Path) -> None:
    """A hub with the password of the public examples cannot be deployed."""
    path.write_text(deploy_configmap.example(DUMMY, SETTINGS))

    assert "dummyAuthPassword: is the documented example" in refusal(path).message
    assert "change-this-password" in checks.EXAMPLE_PASSWORDS


def test_an_example_has_the_required_keys_first() -> None:
    """Optional keys follow the required ones, commented out, with their default."""
    lines = deploy_configmap.example(DUMMY, SETTINGS).splitlines()

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
    assert "long enough" not in repr(deploy_configmap.load(write(path), DUMMY, SETTINGS))


def test_the_password_is_only_among_the_secret_variables(path: Path) -> None:
    """The credential volume has the password, and manifests do not."""
    loaded = deploy_configmap.load(write(path), DUMMY, SETTINGS)

    assert "DEPLOY_CONFIG_DUMMYAUTH_PASSWORD" not in loaded.variables(secret=False)
    assert loaded.variables(secret=True) == {"DEPLOY_CONFIG_DUMMYAUTH_PASSWORD": "long enough"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("https://hub.example.org", "https://hub.example.org"),
        (" https://hub.example.org:8443/ ", "https://hub.example.org:8443"),
        ("http://hub.localhost", "http://hub.localhost"),
        ("http://hub.localhost:8402", "http://hub.localhost:8402"),
        ("", ""),
    ],
)
def test_a_host_for_subdomains_is_a_url_with_a_name(path: Path, written: str, expected: str) -> None:
    """A host of the site, or a name below localhost for development; an empty text means one host for all."""
    assert deploy_configmap.load(write(path, subdomainHost=written), DUMMY, SETTINGS).subdomain_host == expected


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("hub.example.org", "must be a URL such as"),
        ("https://hub.example.org/jupyter", "must be a URL without a path"),
        ("https://user@hub.example.org", "must be a URL without user"),
        ("https://192.0.2.1", "must have a host name with a dot"),
        ("https://[::1]", "must have a host name with a dot"),
        ("http://localhost:8000", "must have a host name with a dot"),
        ("https://hub", "must have a host name with a dot"),
        ("https://hub_.example.org", "must have a host name with a dot"),
        ("https://*.example.org", "must have a host name with a dot"),
        ("https://" + ".".join(["a" * 60] * 4), "must have a host name of at most 180 characters"),
        ("http://hub.example.org", "must start with https://"),
        ("ftp://hub.example.org", "must be a URL such as"),
    ],
)
def test_a_host_that_cannot_have_subdomains_is_refused(path: Path, written: str, sentence: str) -> None:
    """Addresses, single labels, paths, and plain HTTP of another machine are refused with the reason."""
    assert f"subdomainHost: {sentence}" in refusal(write(path, subdomainHost=written)).message


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_subdomains_are_refused_behind_a_tunnel(path: Path, environment: Environment) -> None:
    """A tunnel's front door serves one name."""
    path.write_text('kind: ConfigMap\ndata:\n  subdomainHost: "https://hub.example.org"\n')

    problems = {each.key: each.text for each in deploy_configmap.read(path, environment, SETTINGS).problems}

    refused = f"cannot be set in {environment.name}; remove the line"
    assert problems.get("subdomainHost", "") == ("" if environment.ingress.publishes_port else refused)
