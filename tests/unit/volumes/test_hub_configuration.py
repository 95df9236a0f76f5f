"""The hub's configuration, executed for every arrangement of the axes.

JupyterHub's own loader executes it.
"""

import ast
import asyncio
import logging
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import jinja2
import pytest
from batchspawner import SlurmSpawner, format_template  # type: ignore[import-untyped]
from jinja2 import meta
from jupyterhub.app import JupyterHub  # type: ignore[import-untyped]
from jupyterhub.authenticators.shared import SharedPasswordAuthenticator  # type: ignore[import-untyped]
from traitlets import HasTraits
from traitlets.config import Application, Config

from bricsauthenticator import BricsAuthenticator, BricsSlurmSpawner
from bricsauthenticator.jobscript import with_exports
from bricsauthenticator.options import Options
from hubpod.components import jupyterhub, proxy
from hubpod.components.assembly import instance_spec
from hubpod.environments import ENVIRONMENTS, AxisValue, Environment, Ingress, Login, Slurm
from hubpod.pods import InstanceSpec
from support.instances import run_command
from support.sites import PASSWORD, arrangements, hub_files, load_hub_configuration, site, variables
from support.ssh_gate import SshGate

ARRANGEMENTS = tuple(arrangements())
NAMED = {each.axes for each in ENVIRONMENTS}
ACCOUNT = "testuser.project1"
WITHOUT_EFFECT: dict[tuple[AxisValue, AxisValue], set[str]] = {
    # The dummy login has no redirect after logout, and no environment uses it behind a tunnel.
    (Login.DUMMY, Ingress.ZENITH): {"BricsAuthenticator"},
}


@dataclass(frozen=True, kw_only=True)
class Hub:
    """The hub of an arrangement: its configuration, and the JupyterHub objects that use it.

    Attributes:
        environment: The arrangement.
        pod: The pod.
        directory: Replaces the configuration's mount point.
        config: All options that the configuration sets.
        app: The hub.
        spawner: A spawner without a user.
        authenticator: The hub's authenticator.
        proxy: The hub's proxy object.
    """

    environment: Environment
    pod: InstanceSpec
    directory: Path
    config: Config
    app: Any
    spawner: Any
    authenticator: Any
    proxy: Any

    def classes(self, section: str) -> list[type[HasTraits]]:
        """The classes in use that take options of one section of the configuration.

        They are the section's own class and its subclasses.
        """
        used = [type(each) for each in (self.app, self.spawner, self.authenticator, self.proxy)]
        return [each for each in used if section in {parent.__name__ for parent in each.__mro__}]

    def in_container(self, text: str) -> str:
        """Replace the directory's path in a text by the one in the container."""
        return text.replace(str(self.directory), jupyterhub.CONFIG)


def hub_of(environment: Environment, directory: Path, **changes: str) -> Hub:
    """Return the hub of an arrangement with changed settings."""
    pod = instance_spec(site(environment, changes=changes))
    config = load_hub_configuration(pod, directory)
    app = JupyterHub(config=config)
    with patch.dict(os.environ, variables(pod, jupyterhub.NAME)):
        return Hub(
            environment=environment,
            pod=pod,
            directory=directory,
            config=config,
            app=app,
            spawner=app.spawner_class(config=config),
            authenticator=app.authenticator_class(config=config),
            proxy=app.proxy_class(config=config),
        )


@pytest.fixture(params=ARRANGEMENTS, ids=[each.name for each in ARRANGEMENTS], scope="module")
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """The hub of each arrangement in turn."""
    return hub_of(request.param, tmp_path_factory.mktemp("hub"))


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """The hub of one arrangement, for what is the same in all."""
    return hub_of(ENVIRONMENTS[0], tmp_path_factory.mktemp("one"))


# Traits


def test_every_option_is_one_of_a_class_in_use(hub: Hub) -> None:
    """Each option is a configurable trait of a class that the hub uses."""
    idle = WITHOUT_EFFECT.get((hub.environment.login, hub.environment.ingress), set())

    options = [(section, name) for section, values in hub.config.items() for name in values]
    unknown = {
        (section, name)
        for section, name in options
        if not any(name in each.class_traits(config=True) for each in hub.classes(section))
    }

    assert len(options) > 20
    assert {section for section, _ in unknown} == idle
    assert all(name in BricsAuthenticator.class_traits(config=True) for _, name in unknown)


def test_options_without_effect_are_in_no_environment() -> None:
    """Arrangements in which an option has no effect are not rows of the table."""
    assert not [axes for axes in NAMED for pair in WITHOUT_EFFECT if set(pair) <= set(axes)]


def test_every_option_reaches_the_hub(hub: Hub) -> None:
    """JupyterHub's objects hold the configured values: each one is accepted and unchanged."""
    held = {"log_level": 20, "authenticator_class": type(hub.authenticator), "spawner_class": BricsSlurmSpawner}

    for of in (hub.app, hub.spawner, hub.authenticator, hub.proxy):
        for each in type(of).__mro__:
            for name, value in hub.config.get(each.__name__, {}).items():
                assert getattr(of, name) == held.get(name, value), f"c.{each.__name__}.{name}"


# Where hub and proxy are


def test_the_hub_listens_where_its_servers_are(hub: Hub) -> None:
    """The hub's API listens on all addresses of its pod, because servers are never in that pod.

    The proxy is.
    """
    assert hub.app.hub_bind_url == "http://0.0.0.0:8081"
    assert hub.app.hub_connect_url == "http://127.0.0.1:8081"
    match hub.environment.slurm:
        case Slurm.POD:
            assert hub.spawner.hub_connect_url == f"http://{hub.pod.name}:8081"
        case Slurm.EXTERNAL:
            assert hub.spawner.hub_connect_url == "http://hub.example.org:8081"


def test_the_hub_uses_the_separate_proxy(hub: Hub) -> None:
    """The hub does not start or stop the proxy, but uses the one in its container.

    Address and token of the proxy's API agree.
    """
    front = next(each for each in hub.pod.containers if each.name == proxy.NAME)

    assert hub.proxy.should_start is False
    assert hub.app.cleanup_proxy is False
    assert hub.proxy.api_url == f"http://127.0.0.1:{proxy.API_PORT}"
    assert f"--api-port={proxy.API_PORT}" in front.args
    assert hub.proxy.auth_token == variables(hub.pod, proxy.NAME)["CONFIGPROXY_AUTH_TOKEN"]
    assert f"--port={hub.app.port}" in front.args


def test_the_default_target_of_the_proxy_is_the_hub(hub: Hub) -> None:
    """The proxy's default target is the target of the hub's route.

    Only the default target gets the sign-in token.
    """
    front = next(each for each in hub.pod.containers if each.name == proxy.NAME)

    hub.app.init_hub()

    assert f"--default-target={hub.app.hub.host}" in front.args


@pytest.mark.parametrize(
    ("base_url", "wanted", "sign_out"),
    [
        ("/", "/", "/_oidc/sign_out?rd=%2F"),
        ("/jupyter", "/jupyter/", "/jupyter/_oidc/sign_out?rd=%2Fjupyter%2F"),
        ("/a/b", "/a/b/", "/a/b/_oidc/sign_out?rd=%2Fa%2Fb%2F"),
    ],
)
@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=[each.name for each in ENVIRONMENTS])
def test_every_url_begins_with_the_base_path(
    environment: Environment, base_url: str, wanted: str, sign_out: str, tmp_path: Path
) -> None:
    """Hub, proxy, readiness and logout use the same base path, without double slashes."""
    hub = hub_of(environment, tmp_path, baseUrl=base_url)
    front = next(each for each in hub.pod.containers if each.name == proxy.NAME)
    tunnel = environment.ingress is Ingress.ZENITH

    assert hub.app.bind_url == f"http://:8000{wanted}"
    assert hub.app.base_url == wanted
    assert f"--error-target=http://127.0.0.1:8081{wanted}hub/error" in front.args
    assert front.env["HUBPOD_LOGIN_PAGE"] == f"http://127.0.0.1:8000{wanted}hub/login"
    assert getattr(hub.authenticator, "logout_redirect_url", "") == (sign_out if tunnel else "")


# Sessions and data


def test_a_login_does_not_outlive_a_working_day(hub: Hub) -> None:
    """The hub's cookie is valid for half a day, and stored projects are encrypted."""
    assert hub.app.cookie_max_age_days == 0.5
    assert hub.authenticator.enable_auth_state is True
    assert re.fullmatch("[0-9a-f]{64}", variables(hub.pod, jupyterhub.NAME)["JUPYTERHUB_CRYPT_KEY"])


def test_a_server_has_time_to_start(hub: Hub) -> None:
    """A server may wait minutes in the queue and take minutes to start.

    A slow file system is one reason.

    A restarted hub waits for a shorter time before it reports that a server is gone.
    """
    limits = (hub.spawner.queue_timeout, hub.spawner.launch_timeout, hub.spawner.answer_timeout)
    assert min(limits) >= 120
    assert hub.spawner.start_timeout > sum(limits)
    assert hub.spawner.http_timeout <= 30


def test_a_notebook_survives_the_hub(hub: Hub) -> None:
    """A stopping hub does not stop servers, and its state is in the data volume."""
    container = next(each for each in hub.pod.containers if each.name == jupyterhub.NAME)

    assert hub.app.cleanup_servers is False
    assert hub.app.db_url == f"sqlite:///{jupyterhub.DATA}/jupyterhub.sqlite"
    assert hub.app.cookie_secret_file == f"{jupyterhub.DATA}/jupyterhub_cookie_secret"
    assert [mount.read_only for mount in container.mounts if mount.path == jupyterhub.DATA] == [False]


@pytest.mark.parametrize("level", range(10, 60, 10))
def test_every_level_of_the_settings_is_one_of_jupyterhub(level: int, tmp_path: Path) -> None:
    """JupyterHub accepts each level that a deploy ConfigMap may have, in any spelling, and logs at that level."""
    names = [name for name, number in logging.getLevelNamesMapping().items() if number == level]

    for number, written in enumerate((*names, str(level), names[0].lower(), names[-1].title())):
        assert hub_of(ENVIRONMENTS[0], tmp_path / str(number), logLevel=written).app.log_level == level


# Login


def test_the_login_is_that_of_the_axis(hub: Hub) -> None:
    """The hub uses the axis value's login: a form with a password, or tokens.

    The site sets the password, or issuer, platform and audience of the tokens.
    """
    match hub.environment.login:
        case Login.DUMMY:
            assert isinstance(hub.authenticator, SharedPasswordAuthenticator)
            assert hub.authenticator.user_password == PASSWORD
            assert hub.authenticator.allow_all is True
        case Login.JWT:
            assert type(hub.authenticator) is BricsAuthenticator
            assert hub.authenticator.oidc_server == "https://keycloak.example.org/realms/site"
            assert hub.authenticator.brics_platform == "portal.dummy.platform.shared"
            assert hub.authenticator.jwt_audience == "jupyter"


def test_logout_redirects_to_the_front_door_behind_a_tunnel(hub: Hub) -> None:
    """Logout redirects to the front door's sign-out only if there is one."""
    tunnel = hub.environment.ingress is Ingress.ZENITH
    has_page = hub.environment.login is Login.JWT

    assert ("logout_redirect_url" in hub.config.BricsAuthenticator) is tunnel
    assert bool(getattr(hub.authenticator, "logout_redirect_url", "")) is (tunnel and has_page)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_a_bad_token_ends_the_browsers_session(
    environment: Environment, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A site's own page after a logout works with each token login; without one the hub's log says so."""
    own = b"c.BricsAuthenticator.logout_redirect_url = 'https://door.example/out'\n"
    pod = instance_spec(site(environment, hub_config={"50-logout.py": own}))
    config = load_hub_configuration(pod, tmp_path)

    no_effect = "hub_config.d: c.BricsAuthenticator.logout_redirect_url has no effect: "
    assert (no_effect in capfd.readouterr().err) is not environment.login.uses_token
    if environment.login.uses_token:
        authenticator = BricsAuthenticator(config=config)
        assert authenticator.invalid_jwt_logout is True
        assert authenticator.logout_redirect_url == "https://door.example/out"


# Spawning


def test_polling_intervals(hub: Hub) -> None:
    """Slurm is polled every two seconds.

    While a server starts, Slurm in the pod is polled twice a second.

    The shared list of jobs may be that old, too, so a user sees within five seconds that a server has ended.
    """
    wanted = {Slurm.POD: (2, 0.5), Slurm.EXTERNAL: (2, 2)}

    assert (hub.spawner.poll_interval, hub.spawner.startup_poll_interval) == wanted[hub.environment.slurm]


def test_the_hub_reaches_slurm_only_through_ssh_and_sudo(hub: Hub) -> None:
    """Each command runs one wrapper through sudo, over SSH with the hub's own configuration."""
    spawner, values = hub.spawner, {"username": ACCOUNT, "job_id": "7"}
    wrappers = "/opt/jupyter/slurmspawner_wrappers/bin"

    prefix = hub.in_container(format_template(spawner.exec_prefix, **values))
    commands = [
        format_template(command, **values)
        for command in (spawner.batch_submit_cmd, spawner.batch_query_cmd, spawner.batch_cancel_cmd)
    ]

    assert type(spawner) is BricsSlurmSpawner
    assert prefix == f"ssh -F /etc/jupyterhub/ssh_config slurm-shared sudo -n -u {ACCOUNT}"
    assert commands == [
        f"{wrappers}/slurmspawner_sbatch",
        f"SLURMSPAWNER_JOB_ID=7 {wrappers}/slurmspawner_squeue",
        f"SLURMSPAWNER_JOB_ID=7 {wrappers}/slurmspawner_scancel",
    ]
    assert f"{prefix.removesuffix(ACCOUNT)}jupyterspawner SLURMSPAWNER_JOB_ID=all {wrappers}/slurmspawner_squeue" == (
        hub.in_container(spawner.query_all_cmd)
    )


def test_the_forced_command_runs_every_command_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    """What ssh sends for each command of the configuration reaches sudo unchanged."""
    spawner, values = hub.spawner, {"username": ACCOUNT, "job_id": "7"}
    own = (spawner.batch_submit_cmd, spawner.batch_query_cmd, spawner.batch_cancel_cmd, spawner.batch_list_cmd)
    lines = [f"{spawner.exec_prefix} {command}" for command in own] + [spawner.query_all_cmd]
    gate = SshGate(directory=tmp_path)

    for line in (format_template(line, **values) for line in lines):
        sent = line.partition(" slurm-shared ")[2]
        assert gate.send(sent) == (0, sent.split()[1:])


def test_only_the_commands_of_the_hub_share_a_connection(hub: Hub) -> None:
    """The two hosts of ssh_config differ only in the sharing, which has timeouts."""
    _, alone, shared = hub_files(hub.pod)["ssh_config"].decode().split("Host ")
    options = shared.removeprefix("slurm-shared\n").removeprefix(alone.removeprefix("slurm\n").rstrip("\n"))

    assert alone.startswith("slurm\n")
    assert "Control" not in alone
    assert {"StrictHostKeyChecking yes", "ServerAliveInterval 5"} <= {line.strip() for line in shared.splitlines()}
    assert [line.split()[0] for line in options.splitlines() if line] == [
        "ControlMaster",
        "ControlPath",
        "ControlPersist",
    ]


def test_notebooks_inherit_no_variable_of_the_hub(hub: Hub) -> None:
    """The hub's variables are not inherited, and the variables that are set contain no secret."""
    assert hub.spawner.env_keep == []
    assert hub.spawner.environment == {
        "JUPYTERHUB_BRICS_CONDA_PREFIX_DIR": "/opt/jupyter/miniforge3",
        "JUPYTERHUB_BRICS_JUPYTER_DATA_DIR": "/opt/jupyter/jupyter_data",
    }


def test_users_get_jupyterlab_in_their_home(hub: Hub) -> None:
    """A server opens JupyterLab with the files of the user's home directory."""
    assert hub.spawner.default_url == "/lab"
    assert hub.spawner.notebook_dir == "~/"


class Foreign(SlurmSpawner):  # type: ignore[misc]
    """A site's own spawner, which is batchspawner's."""

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add the account."""
        return {**env, "USER": ACCOUNT}


@pytest.fixture
def foreign_configuration(tmp_path: Path) -> Config:
    """The configuration of a hub whose spawner does not export variables in the script."""
    with patch.object(BricsSlurmSpawner, "exports_in_script", new=False):
        return load_hub_configuration(instance_spec(site(ENVIRONMENTS[0])), tmp_path / "foreign")


def foreign_spawner(log: logging.Logger, **variables: str) -> Foreign:
    """Return a spawner of ada with these variables."""
    config = Config({"Spawner": {"environment": variables, "env_keep": []}})
    user = SimpleNamespace(name="ada", url="/user/ada/", settings={})
    spawner = Foreign(
        config=config, hub=SimpleNamespace(api_url="", base_url="/"), req_homedir="/", req_username=ACCOUNT
    )
    spawner.user, spawner.log, spawner.api_token = user, log, "0123456789abcdef" * 2
    spawner.get_env = lambda: {"JUPYTERHUB_API_TOKEN": spawner.api_token, **variables}
    return spawner


def test_variables_travel_in_the_script_of_a_foreign_spawner_too(tmp_path: Path, foreign_configuration: Config) -> None:
    """A spawner without exports in its job script gets a hook that adds them, quoted for the shell."""
    assert (
        "pre_spawn_hook" not in load_hub_configuration(instance_spec(site(ENVIRONMENTS[0])), tmp_path / "ours").Spawner
    )
    value = "it's $HOME"
    spawner = foreign_spawner(logging.getLogger(), VALUE=value)

    spawner.req_prologue = "echo of the site"
    for _ in range(2):
        foreign_configuration.Spawner.pre_spawn_hook(spawner)

    assert spawner.req_prologue.splitlines() == [
        f"export JUPYTERHUB_API_TOKEN={spawner.api_token}",
        f"export VALUE={shlex.quote(value)}",
        f"export USER={ACCOUNT}",
        "echo of the site",
    ]


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_a_foreign_spawner_logs_no_secret(
    foreign_configuration: Config, capfd: pytest.CaptureFixture[str], level: str
) -> None:
    """Batchspawner logs variables, script and environment. All of their secrets are hidden, and nothing else."""
    signed = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
    application = Application(config=foreign_configuration, log_level=level)
    spawner = foreign_spawner(application.log, S3_SECRET_KEY="of the site", VALUE="harmless", SHORT_KEY="yes")
    spawner.batch_submit_cmd, spawner.exec_prefix = "cat >&2; false", ""
    spawner.batch_script = "{{prologue}}{{cmd}}"

    foreign_configuration.Spawner.pre_spawn_hook(spawner)
    with pytest.raises(RuntimeError) as refused:
        asyncio.run(spawner.submit_batch_script())
    application.log.error("Headers: %s", {"X-Auth-Id-Token": signed}, exc_info=refused.value)

    log = capfd.readouterr().err
    assert not [secret for secret in (spawner.api_token, "of the site", signed) if secret in log]
    assert log.count("[secret]") > 3
    assert "Spawner script options" in log
    assert "harmless" in log
    assert "RuntimeError" in log


# The job script


def subvars(hub: Hub, **chosen: str) -> dict[str, str]:
    """Return batchspawner's template variables as configuration and user set them."""
    names = [name for name in BricsSlurmSpawner.class_trait_names() if name.startswith("req_")]
    own = {"req_username": ACCOUNT, "req_homedir": "/home/project1/testuser.project1", "req_keepvars": ""}
    values = {name.removeprefix("req_"): own[name] if name in own else getattr(hub.spawner, name) for name in names}
    return {**values, "cmd": "batchspawner-singleuser jupyterhub-singleuser", "project": "project1", **chosen}


def options(**chosen: str) -> dict[str, str]:
    """Return the user's options as template variables, without the empty ones."""
    nothing = {"brics_project": "project1.portal", "runtime": "", "ngpus": "", "partition": "", "reservation": ""}
    return {name: value for name, value in Options(**{**nothing, **chosen}).as_dict().items() if value}


def rendered(hub: Hub, **chosen: str) -> str:
    """Render the job script."""
    return str(format_template(hub.spawner.batch_script, **subvars(hub, **chosen)))


COMMON = [
    "--job-name=spawner-jupyterhub",
    "--output=/home/project1/testuser.project1/jupyterhub_slurmspawner_%j.log",
    "--chdir=/home/project1/testuser.project1",
    "--export=NIL",
]


@pytest.mark.parametrize(
    ("chosen", "directives"),
    [
        ({"runtime": "01:00:00", "ngpus": "1"}, ["--time=01:00:00", "--gpus=1"]),
        ({"runtime": "08:00:00", "ngpus": "0"}, ["--time=08:00:00"]),
        (
            {"runtime": "02:00:00", "ngpus": "4", "partition": "gpu", "reservation": "course"},
            ["--partition=gpu", "--time=02:00:00", "--gpus=4", "--reservation=course"],
        ),
    ],
)
def test_the_job_requests_the_chosen_options(one: Hub, chosen: dict[str, str], directives: list[str]) -> None:
    """Each chosen option gives one directive before the first command, and an empty one gives none."""
    lines = rendered(one, **options(**chosen)).splitlines()

    assert lines[0] == "#!/bin/bash"
    found = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")]
    assert found == [*COMMON, *directives, "--nodes=1"]
    assert all(line.startswith("#SBATCH ") for line in lines[1 : len(found) + 1])


def test_the_job_runs_the_server_in_its_conda_environment(one: Hub, tmp_path: Path) -> None:
    """Bash runs the whole script: prologue, environment, server as a step, and epilogue."""
    script = rendered(one, **options(runtime="01:00:00"), prologue="export TOKEN=x", epilogue="echo over")
    path = tmp_path / "script"
    path.write_text(script)

    assert run_command(["bash", "-n", str(path)]).text == ""
    assert not re.search(r"\{\{|\{%|None|Undefined", script)
    parts = [
        "\nexport TOKEN=x\n",
        '\nactivate="${JUPYTERHUB_BRICS_CONDA_PREFIX_DIR}/bin/activate"\n',
        '\n  source "$activate" jupyter-user-env\n',
        "\n  srun --export=ALL batchspawner-singleuser jupyterhub-singleuser\n",
        "\necho over",
    ]
    assert sorted(parts, key=script.find) == parts
    assert all(part in script for part in parts)


LOGIN_SCRIPT = """
echo noise; echo noise >&2
export LANG=de_DE.UTF-8 FROM_PROFILE=yes TOKEN=of-the-profile
PATH=/opt/site/bin:$PATH
"""


@pytest.mark.parametrize("file", [".profile", ".bash_profile", ".bash_login"])
@pytest.mark.parametrize("place", Slurm, ids=lambda place: place.name)
def test_jobs_outside_the_pod_have_the_login_environment(place: Slurm, file: str, tmp_path: Path) -> None:
    """Outside of the pod, a job has the variables of a terminal, and the server's own take precedence."""
    environment = next(each for each in ENVIRONMENTS if each.slurm is place)
    hub = hub_of(environment, tmp_path / "configuration")
    home = tmp_path / "home"
    activate = home / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text("")
    (home / file).write_text(LOGIN_SCRIPT)
    variables = {"TOKEN": "of-the-server", "HOME": str(home), "JUPYTERHUB_BRICS_JUPYTER_DATA_DIR": "/data"}
    script = with_exports(
        rendered(hub, srun="", cmd="env", **options(runtime="01:00:00")),
        variables | {"JUPYTERHUB_BRICS_CONDA_PREFIX_DIR": str(home)},
    )
    (tmp_path / "slurm_script").write_text(script)

    ran = run_command(["env", "-i", "/bin/bash", str(tmp_path / "slurm_script")])

    assert ran.code == 0, ran.text
    found = dict(line.split("=", 1) for line in ran.stdout.splitlines() if "=" in line)
    assert found["TOKEN"] == "of-the-server"
    assert "." not in found["PATH"].split(":")
    outside = place is Slurm.EXTERNAL
    assert ("FROM_PROFILE" in found, "/opt/site/bin" in found["PATH"], "LANG" in found) == (outside,) * 3


def test_the_template_uses_known_variables(one: Hub) -> None:
    """The spawner sets each variable of the template, where a mistyped one would be empty."""
    parsed = jinja2.Environment(autoescape=False).parse(one.spawner.batch_script)  # noqa: S701 - a shell script

    assert meta.find_undeclared_variables(parsed) <= set(subvars(one, **options(runtime="01:00:00")))


# Missing variables


def configuration_reads(pod: InstanceSpec) -> Iterator[str]:
    """Return the variables that the hub's configuration requires."""
    for path, content in hub_files(pod).items():
        for node in ast.walk(ast.parse(content)) if path.endswith(".py") else ():
            match node:
                case ast.Subscript(value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(name))):
                    yield name


def what_is_missed(pod: InstanceSpec, directory: Path, *, without: str) -> str:
    """Return the missing variable that ends the hub, or an empty text if the hub starts."""
    try:
        load_hub_configuration(pod, directory, without=without)
    except KeyError as error:
        return str(error.args[0])
    return ""


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=[each.name for each in ENVIRONMENTS])
def test_a_missing_variable_ends_the_hub_with_its_name(environment: Environment, tmp_path: Path) -> None:
    """Each variable that is missing ends the hub at start-up instead of at the first login."""
    pod = instance_spec(site(environment))
    names = sorted(set(configuration_reads(pod)))

    missed = {name: what_is_missed(pod, tmp_path / name, without=name) for name in names}

    assert len(names) > 5
    assert missed == {name: name for name in names}
