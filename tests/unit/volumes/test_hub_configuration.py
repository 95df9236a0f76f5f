"""The hub's configuration, executed as JupyterHub executes it, in every arrangement of the axes."""

import ast
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jinja2
import pytest
from batchspawner import format_template  # type: ignore[import-untyped]
from jinja2 import meta
from jupyterhub.app import JupyterHub  # type: ignore[import-untyped]
from jupyterhub.authenticators.shared import SharedPasswordAuthenticator  # type: ignore[import-untyped]
from traitlets import HasTraits
from traitlets.config import Config

from bricsauthenticator import BricsAuthenticator, BricsSlurmSpawner
from bricsauthenticator.options import Options
from hubpod.components import jupyterhub, proxy
from hubpod.components.assembly import pod_spec
from hubpod.environments import ENVIRONMENTS, AxisValue, Environment, Ingress, Login, Slurm
from hubpod.pod import PodSpec
from support.instances import run_command
from support.sites import PASSWORD, arrangements, hub_files, load_hub_configuration, site, variables

ARRANGEMENTS = tuple(arrangements())
NAMED = {each.axes for each in ENVIRONMENTS}
ACCOUNT = "testuser.project1"
WITHOUT_EFFECT: dict[tuple[AxisValue, AxisValue], set[str]] = {
    # The dummy login knows no page to go to after logout, and no environment has it behind a tunnel.
    (Login.DUMMY, Ingress.ZENITH): {"BricsAuthenticator"},
}


@dataclass(frozen=True, kw_only=True)
class Hub:
    """The hub of an arrangement: its configuration, and JupyterHub's own objects made with that.

    Attributes:
        environment: The arrangement.
        pod: The pod.
        folder: What is in place of the configuration's mount point.
        config: All that the configuration sets.
        app: The hub.
        spawner: A spawner, of nobody.
        authenticator: Its authenticator.
        proxy: What it knows of the proxy.
    """

    environment: Environment
    pod: PodSpec
    folder: Path
    config: Config
    app: Any
    spawner: Any
    authenticator: Any
    proxy: Any

    def classes(self, section: str) -> list[type[HasTraits]]:
        """The classes in use that take the options of a section of the configuration: its own and those below it."""
        used = [type(each) for each in (self.app, self.spawner, self.authenticator, self.proxy)]
        return [each for each in used if section in {parent.__name__ for parent in each.__mro__}]

    def in_container(self, text: str) -> str:
        """A text with the folder's path as it is in the container."""
        return text.replace(str(self.folder), jupyterhub.CONFIG)


def hub_of(environment: Environment, folder: Path, **changes: str) -> Hub:
    """The hub of an arrangement, with these settings changed."""
    pod = pod_spec(site(environment, changes=changes))
    config = load_hub_configuration(pod, folder)
    app = JupyterHub(config=config)
    with patch.dict(os.environ, variables(pod, jupyterhub.NAME)):
        return Hub(
            environment=environment,
            pod=pod,
            folder=folder,
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
    """The hub of one arrangement, where all are the same."""
    return hub_of(ENVIRONMENTS[0], tmp_path_factory.mktemp("one"))


# Traits


def test_every_option_is_one_of_a_class_in_use(hub: Hub) -> None:
    """No option is mistyped, belongs to a class that the hub does not use, or is none that can be configured."""
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
    """Where an option has no effect, no row of the table has that arrangement."""
    assert not [axes for axes in NAMED for pair in WITHOUT_EFFECT if set(pair) <= set(axes)]


def test_every_option_reaches_the_hub(hub: Hub) -> None:
    """JupyterHub's own objects hold the values that the configuration sets: none is refused, hidden or changed."""
    held = {"log_level": 20, "authenticator_class": type(hub.authenticator), "spawner_class": BricsSlurmSpawner}

    for of in (hub.app, hub.spawner, hub.authenticator, hub.proxy):
        for each in type(of).__mro__:
            for name, value in hub.config.get(each.__name__, {}).items():
                assert getattr(of, name) == held.get(name, value), f"c.{each.__name__}.{name}"


# Where hub and proxy are


def test_the_hub_listens_where_its_servers_are(hub: Hub) -> None:
    """With Slurm in the pod the hub's API is on loopback only, with another Slurm on all addresses of the pod."""
    match hub.environment.slurm:
        case Slurm.POD:
            assert hub.app.hub_bind_url == "http://127.0.0.1:8081"
            assert hub.spawner.hub_connect_url == "http://127.0.0.1:8081"
        case Slurm.EXTERNAL:
            assert hub.app.hub_bind_url == "http://0.0.0.0:8081"
            assert hub.app.hub_connect_url == "http://127.0.0.1:8081"
            assert hub.spawner.hub_connect_url == "http://hub.example.org:8081"


def test_the_hub_finds_the_proxy_that_is_a_container_of_its_own(hub: Hub) -> None:
    """It starts and stops none, and speaks to the API and the token that the proxy's container has."""
    front = next(each for each in hub.pod.containers if each.name == proxy.NAME)

    assert hub.proxy.should_start is False
    assert hub.app.cleanup_proxy is False
    assert hub.proxy.api_url == f"http://127.0.0.1:{proxy.API_PORT}"
    assert f"--api-port={proxy.API_PORT}" in front.args
    assert hub.proxy.auth_token == variables(hub.pod, proxy.NAME)["CONFIGPROXY_AUTH_TOKEN"]
    assert f"--port={hub.app.port}" in front.args


def test_the_proxy_knows_the_hub_by_the_address_that_the_hub_gives_it(hub: Hub) -> None:
    """The proxy passes the sign-in token on to its default target alone, which is where the hub's own route leads."""
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
    """Hub, proxy, readiness and the front door's logout agree about it, and no URL has two slashes in a row."""
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
    """The hub's cookie is valid for half a day, and projects are kept encrypted with the key that the hub has."""
    assert hub.app.cookie_max_age_days == 0.5
    assert hub.authenticator.enable_auth_state is True
    assert re.fullmatch("[0-9a-f]{64}", variables(hub.pod, jupyterhub.NAME)["JUPYTERHUB_CRYPT_KEY"])


def test_a_server_has_time_to_start(hub: Hub) -> None:
    """Minutes to wait in the queue, and minutes of them to start where many do or the file system is slow.

    A restarted hub waits for half of one only, before it says that a server is gone.
    """
    assert 120 <= hub.spawner.answer_timeout < hub.spawner.start_timeout
    assert hub.spawner.start_timeout >= 300
    assert hub.spawner.http_timeout <= 30


def test_a_notebook_survives_the_hub(hub: Hub) -> None:
    """A hub that ends leaves servers alone, and what it must find again is in the volume that keeps data."""
    container = next(each for each in hub.pod.containers if each.name == jupyterhub.NAME)

    assert hub.app.cleanup_servers is False
    assert hub.app.db_url == f"sqlite:///{jupyterhub.DATA}/jupyterhub.sqlite"
    assert hub.app.cookie_secret_file == f"{jupyterhub.DATA}/jupyterhub_cookie_secret"
    assert [mount.read_only for mount in container.mounts if mount.path == jupyterhub.DATA] == [False]


def test_the_log_level_is_the_sites(tmp_path: Path) -> None:
    """What the site asks for is what the hub logs."""
    assert hub_of(ENVIRONMENTS[0], tmp_path, logLevel="ERROR").app.log_level == 40


# Login


def test_people_log_in_as_the_axis_says(hub: Hub) -> None:
    """A form with the site's password, or a token of the site's issuer for its platform and audience."""
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


def test_the_front_door_is_left_only_behind_a_tunnel(hub: Hub) -> None:
    """Where there is no front door with a session of its own, logging out leads to no page of one."""
    tunnel = hub.environment.ingress is Ingress.ZENITH
    has_page = hub.environment.login is Login.JWT

    assert ("logout_redirect_url" in hub.config.BricsAuthenticator) is tunnel
    assert bool(getattr(hub.authenticator, "logout_redirect_url", "")) is (tunnel and has_page)


# Spawning


def test_slurm_is_asked_as_often_as_it_can_bear(hub: Hub) -> None:
    """Slurm is asked every two seconds, and one's own twice a second while a server starts.

    A list of jobs may be as old as that, too, so a person knows within five seconds of Slurm what became of a server.
    """
    wanted = {Slurm.POD: (2, 0.5), Slurm.EXTERNAL: (2, 2)}

    assert (hub.spawner.poll_interval, hub.spawner.startup_poll_interval) == wanted[hub.environment.slurm]


def test_the_hub_reaches_slurm_through_ssh_and_sudo_alone(hub: Hub) -> None:
    """Each command goes over SSH with the hub's own configuration, and there through sudo to one wrapper."""
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


def test_only_the_hubs_own_commands_share_a_login(hub: Hub) -> None:
    """Both hosts of ssh's configuration are the same but for the sharing, which has its limits in time."""
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


def test_nothing_of_the_hubs_environment_reaches_a_notebook(hub: Hub) -> None:
    """No variable of the hub is kept, and of those that are set none is a secret."""
    assert hub.spawner.env_keep == []
    assert hub.spawner.environment == {
        "JUPYTERHUB_BRICS_CONDA_PREFIX_DIR": "/opt/jupyter/miniforge3",
        "JUPYTERHUB_BRICS_JUPYTER_DATA_DIR": "/opt/jupyter/jupyter_data",
    }


def test_people_get_jupyterlab_in_their_home(hub: Hub) -> None:
    """Whoever opens their server sees JupyterLab, and in it the files of their home folder."""
    assert hub.spawner.default_url == "/lab"
    assert hub.spawner.notebook_dir == "~/"


def test_variables_travel_in_the_script_of_a_foreign_spawner_too(tmp_path: Path) -> None:
    """A spawner that does not export variables in the job script gets a hook that does, quoted for the shell."""
    secret = "it's $HOME"

    class Foreign:
        """As much of a spawner as the hook asks."""

        req_prologue = ""

        def get_env(self) -> dict[str, str]:
            """The server's variables."""
            return {"TOKEN": secret}

        def user_env(self, env: dict[str, str]) -> dict[str, str]:
            """The person's own."""
            return {**env, "USER": ACCOUNT}

    pod = pod_spec(site(ENVIRONMENTS[0]))
    assert "pre_spawn_hook" not in load_hub_configuration(pod, tmp_path / "ours").Spawner

    with patch.object(BricsSlurmSpawner, "exports_in_script", new=False):
        hook = load_hub_configuration(pod, tmp_path / "foreign").Spawner.pre_spawn_hook
    spawner = Foreign()
    hook(spawner)

    assert spawner.req_prologue.splitlines() == [f"export TOKEN={shlex.quote(secret)}", f"export USER={ACCOUNT}"]


# The job script


def subvars(hub: Hub, **chosen: str) -> dict[str, str]:
    """What the template is rendered with: batchspawner's variables, as the configuration and a person set them."""
    names = [name for name in BricsSlurmSpawner.class_trait_names() if name.startswith("req_")]
    own = {"req_username": ACCOUNT, "req_homedir": "/home/project1/testuser.project1", "req_keepvars": ""}
    values = {name.removeprefix("req_"): own[name] if name in own else getattr(hub.spawner, name) for name in names}
    return {**values, "cmd": "batchspawner-singleuser jupyterhub-singleuser", "project": "project1", **chosen}


def options(**chosen: str) -> dict[str, str]:
    """What a person may choose, as the spawner hands it to the template: what is empty stays as configured."""
    nothing = {"brics_project": "project1.portal", "runtime": "", "ngpus": "", "partition": "", "reservation": ""}
    return {name: value for name, value in Options(**{**nothing, **chosen}).as_dict().items() if value}


def rendered(hub: Hub, **chosen: str) -> str:
    """The job script."""
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
def test_the_job_asks_for_what_was_chosen(one: Hub, chosen: dict[str, str], directives: list[str]) -> None:
    """There is one directive for each choice, none for what was left empty, and none after the first command."""
    lines = rendered(one, **options(**chosen)).splitlines()

    assert lines[0] == "#!/bin/bash"
    found = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")]
    assert found == [*COMMON, *directives, "--nodes=1"]
    assert all(line.startswith("#SBATCH ") for line in lines[1 : len(found) + 1])


def test_the_job_runs_the_server_in_its_conda_environment(one: Hub, tmp_path: Path) -> None:
    """The script is one that bash reads to its end: prologue, environment, server as a step, and epilogue."""
    script = rendered(one, **options(runtime="01:00:00"), prologue="export TOKEN=x", epilogue="echo over")
    path = tmp_path / "script"
    path.write_text(script)

    assert run_command(["bash", "-n", str(path)]).text == ""
    assert not re.search(r"\{\{|\{%|None|Undefined", script)
    parts = [
        "\nset -euo pipefail\n",
        "\nexport TOKEN=x\n",
        '\nsource "${JUPYTERHUB_BRICS_CONDA_PREFIX_DIR}/bin/activate" jupyter-user-env\n',
        "\nsrun --export=ALL batchspawner-singleuser jupyterhub-singleuser\n",
        "\necho over",
    ]
    assert sorted(parts, key=script.find) == parts
    assert all(part in script for part in parts)


def test_the_template_knows_its_variables(one: Hub) -> None:
    """Every name in the job script's template is one that the spawner gives; a mistyped one would be empty."""
    parsed = jinja2.Environment(autoescape=False).parse(one.spawner.batch_script)  # noqa: S701 - a shell script

    assert meta.find_undeclared_variables(parsed) <= set(subvars(one, **options(runtime="01:00:00")))


# What is missing


def configuration_reads(pod: PodSpec) -> Iterator[str]:
    """The variables that the hub's configuration cannot do without."""
    for path, content in hub_files(pod).items():
        for node in ast.walk(ast.parse(content)) if path.endswith(".py") else ():
            match node:
                case ast.Subscript(value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(name))):
                    yield name


def what_is_missed(pod: PodSpec, folder: Path, *, without: str) -> str:
    """The variable that the hub ends for want of; empty when it does not."""
    try:
        load_hub_configuration(pod, folder, without=without)
    except KeyError as error:
        return str(error.args[0])
    return ""


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=[each.name for each in ENVIRONMENTS])
def test_a_missing_variable_ends_the_hub_with_its_name(environment: Environment, tmp_path: Path) -> None:
    """Each variable that the configuration reads is missed at once, and not when the first person logs in."""
    pod = pod_spec(site(environment))
    names = sorted(set(configuration_reads(pod)))

    missed = {name: what_is_missed(pod, tmp_path / name, without=name) for name in names}

    assert len(names) > 5
    assert missed == {name: name for name in names}
