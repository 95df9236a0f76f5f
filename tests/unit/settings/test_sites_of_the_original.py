"""Deploy directories that have worked with brics_jupyterhub_envs, in their spellings, for each environment."""

from pathlib import Path

import pytest

from hubpod.environments import ENVIRONMENTS, Environment
from hubpod.errors import SettingsError
from hubpod.settings import deploy_dir
from hubpod.settings.deploy_dir import DeployDir
from hubpod.settings.table import SETTINGS
from support.deploy_dirs import ORIGINAL, write_original

EXTERNAL = tuple(each for each in ENVIRONMENTS if not each.slurm.in_pod)
IN_POD = tuple(each for each in ENVIRONMENTS if each.slurm.in_pod)


def load(directory: Path, environment: Environment, **changes: str) -> DeployDir:
    """Load a site's deploy directory, with some values in another spelling."""
    return deploy_dir.load(write_original(directory, environment.name, changes), environment, SETTINGS)


ADDED = {"gpus", "queueTimeout", "pollInterval", "subdomainHost"}
"""Keys that hubpod adds, each with a default."""


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_a_sites_directory_works_unchanged(tmp_path: Path, environment: Environment) -> None:
    """Every value that the environment uses is the site's own."""
    loaded = load(tmp_path, environment)

    values = dict(loaded.settings.values)
    assert values.pop("logLevel") == "DEBUG"
    values = {key: value for key, value in values.items() if key not in ADDED}
    assert all(ORIGINAL[environment.name].get(key) == value for key, value in values.items())
    assert not [each for each in loaded.warnings if "is not a known key" in each]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
@pytest.mark.parametrize(
    ("key", "written", "expected"),
    [
        *(
            ("logLevel", written, "WARN")
            for written in ("WARN", '"WARNING"', "warn", "Warning", "30", '"30"', "' warn '")
        ),
        *(("logLevel", written, "DEBUG") for written in ("debug", "10", "'10'", "Debug")),
        *(("logLevel", written, "INFO") for written in ("info", "20", "INFO")),
        *(("logLevel", written, "ERROR") for written in ("error", "40", "Error")),
        *(("logLevel", written, "CRITICAL") for written in ("Critical", "FATAL", "50")),
        ("baseUrl", "/jupyter/", "/jupyter"),
        ("baseUrl", "/jupyter//", "/jupyter"),
        ("baseUrl", '""', "/"),
        ("baseUrl", "/", "/"),
        ("baseUrl", "//", "/"),
        ("baseUrl", "/a/b_c/~d-e.f/", "/a/b_c/~d-e.f"),
        ("baseUrl", "|\n    /jupyter", "/jupyter"),
    ],
)
def test_a_value_is_accepted_in_its_spellings(
    tmp_path: Path, environment: Environment, key: str, written: str, expected: str
) -> None:
    """Each spelling gives the value that the containers accept."""
    assert load(tmp_path, environment, **{key: written}).settings.values[key] == expected


@pytest.mark.parametrize("environment", IN_POD, ids=lambda row: row.name)
@pytest.mark.parametrize(
    ("key", "written"),
    [
        *(
            ("hubConnectUrl", f"http://{host}:8081{end}")
            for host in ("localhost", "127.0.0.1", "[::1]")
            for end in ["/", ""]
        ),
        ("hubConnectUrl", "HTTP://LOCALHOST:8081"),
        *(
            ("sshHostname", host)
            for host in ("LOCALHOST", "localhost.", "127.0.0.1", "127.1", "'::1'", "ip6-localhost")
        ),
        ("sshHostname", '"localhost:22"'),
        ("slurmSpawnerWrappersBin", "/opt/jupyter/slurmspawner_wrappers/bin/"),
        ("condaPrefixDir", "/opt/jupyter//miniforge3/."),
        ("jupyterDataDir", " /opt/jupyter/jupyter_data/ "),
    ],
)
def test_a_fixed_value_is_accepted_in_its_spellings(
    tmp_path: Path, environment: Environment, key: str, written: str
) -> None:
    """A value that means the fixed one gives the fixed one."""
    assert load(tmp_path, environment, **{key: written}).settings.values[key] == ORIGINAL["dev_dummyauth"][key]


@pytest.mark.parametrize("environment", IN_POD, ids=lambda row: row.name)
@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("hubConnectUrl", "http://localhost:8082"),
        ("hubConnectUrl", "https://localhost:8081"),
        ("hubConnectUrl", "http://localhost:8081/hub"),
        ("hubConnectUrl", "http://localhost:port"),
        ("sshHostname", "ssh.example.org"),
        ("sshHostname", "localhost:2222"),
        ("condaPrefixDir", "/opt/conda"),
    ],
)
def test_another_value_than_the_fixed_one_is_refused(
    tmp_path: Path, environment: Environment, key: str, written: str
) -> None:
    """A value that the pod cannot have is refused with the value that it has."""
    with pytest.raises(SettingsError, match=f" {key}: is fixed to .* in {environment.name}; remove the line"):
        load(tmp_path, environment, **{key: written})


@pytest.mark.parametrize("environment", EXTERNAL, ids=lambda row: row.name)
@pytest.mark.parametrize(
    ("key", "written", "expected"),
    [
        ("slurmSpawnerWrappersBin", "/opt/w+git1/bin", "/opt/w+git1/bin"),
        ("slurmSpawnerWrappersBin", "/opt/w/bin/", "/opt/w/bin"),
        ("slurmSpawnerWrappersBin", "//opt///w/./bin//", "/opt/w/bin"),
        ("slurmSpawnerWrappersBin", "/opt/w@1.2_3-4/bin", "/opt/w@1.2_3-4/bin"),
        ("condaPrefixDir", "/opt/conda/", "/opt/conda"),
        ("jupyterDataDir", "/opt/..data/...", "/opt/..data/..."),
        ("hubConnectUrl", "http://hub.example:8081/", "http://hub.example:8081"),
        ("hubConnectUrl", "https://hub.example/api/", "https://hub.example/api"),
        ("sshHostname", "SSH.example.org.", "ssh.example.org"),
    ],
)
def test_a_sites_own_value_is_accepted_in_its_spellings(
    tmp_path: Path, environment: Environment, key: str, written: str, expected: str
) -> None:
    """Slashes at the end, doubled slashes and capital letters do not matter."""
    assert load(tmp_path, environment, **{key: written}).settings.values[key] == expected


@pytest.mark.parametrize("environment", EXTERNAL, ids=lambda row: row.name)
@pytest.mark.parametrize(
    ("key", "written", "expected"),
    [
        ("condaPrefixDir", '"~/conda"', "because ~ is another directory for each account"),
        ("condaPrefixDir", "~kim/conda", "because ~ is another directory for each account"),
        ("condaPrefixDir", "opt/conda", "must be an absolute path"),
        ("condaPrefixDir", "./conda", "must be an absolute path"),
        ("condaPrefixDir", "$HOME/conda", "must be an absolute path"),
        ("condaPrefixDir", "/", "must be an absolute path"),
        ("condaPrefixDir", "/opt/my conda", "has a space"),
        ("condaPrefixDir", "/opt/${X}/conda", "has '$', '{', '}'"),
        ("condaPrefixDir", "/opt/ü", "has '\\xfc'"),
        ("condaPrefixDir", "/opt/a:/opt/b", "has ':'"),
        ("condaPrefixDir", "/opt/x/../conda", "must be a path without .."),
        ("condaPrefixDir", "/opt/..", "must be a path without .."),
        ("condaPrefixDir", "/path/to/conda", "is the documented example"),
        ("slurmSpawnerWrappersBin", "/opt/w;id/bin", "has ';'"),
        ("slurmSpawnerWrappersBin", r'"/opt/w\nx"', "has '\\n'"),
        ("sshHostname", "127.0.0.1", "is 127.0.0.1, which is the hub's own container there"),
        ("sshHostname", "localhost", "is localhost, which is the hub's own container there"),
        ("sshHostname", "kim@ssh.example.org", "must have no user"),
        ("hubConnectUrl", "http://hub.example:8081/?x=1", "must be a URL without user, query and fragment"),
        ("hubConnectUrl", "http://kim:secret@hub.example:8081", "must be a URL without user, query and fragment"),
        ("hubConnectUrl", "hub.example:8081", "must be a URL such as"),
    ],
)
def test_a_value_that_breaks_later_is_refused_with_a_sentence(
    tmp_path: Path, environment: Environment, key: str, written: str, expected: str
) -> None:
    """The sentence names file, key and reason, before anything starts."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, environment, **{key: written})

    assert "deploy-configmap.yaml:" in caught.value.message
    assert f" {key}: " in caught.value.message
    assert expected in caught.value.message


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_a_key_of_the_sites_own_is_a_warning(tmp_path: Path, environment: Environment) -> None:
    """A directory with a key that hubpod does not know works, with a warning."""
    loaded = load(tmp_path, environment, nadirServer="nadir.example")

    assert any("nadirServer: is not a known key, and has no effect" in each for each in loaded.warnings)


def test_a_host_with_a_port_needs_the_key_of_that_port(tmp_path: Path) -> None:
    """The host's key is found by host and port, or by the host alone as ssh does."""
    environment = EXTERNAL[0]
    loaded = load(tmp_path, environment, sshHostname="ssh.example.org:2222")  # ssh_known_hosts has no port
    assert loaded.settings.ssh_address.port == 2222
    known = (tmp_path / "ssh_known_hosts").read_text()

    def reload(names: str, host: str) -> DeployDir:
        write_original(tmp_path, environment.name, {"sshHostname": f'"{host}"'})
        (tmp_path / "ssh_known_hosts").write_text(f"{names} {known.partition(' ')[2]}")
        return deploy_dir.load(tmp_path, environment, SETTINGS)

    assert reload("[ssh.example.org]:2222", "ssh.example.org:2222")
    assert reload("[2001:db8::1]:2222", "[2001:db8::1]:2222")
    assert reload("2001:db8::1", "2001:DB8::1")
    for names, host in (
        ("[ssh.example.org]:2223", "ssh.example.org:2222"),
        ("[ssh.example.org]:2222", "ssh.example.org"),
        ("@revoked ssh.example.org", "ssh.example.org:2222"),
    ):
        with pytest.raises(SettingsError, match=f"no key that ssh would accept for sshHostname {host}"):
            reload(names, host)
