"""A configuration in the manner of brics_jupyterhub_envs, in a site's own settings, as docs/moving.md describes."""

import re
from pathlib import Path

import pytest
from traitlets.config import Config

from hubpod.components.assembly import instance_spec
from hubpod.environments import ENVIRONMENTS, Environment
from support.sites import PROJECT, load_hub_configuration, site

KEPT = """
import urllib
from pathlib import Path

import batchspawner


def value_of(name):
    from os import environ
    try:
        return environ[name]
    except KeyError as error:
        raise RuntimeError(f"{name} must be set") from error


BASE_URL = value_of("DEPLOY_CONFIG_BASE_URL")
c.Application.log_level = value_of("DEPLOY_CONFIG_LOG_LEVEL")
c.JupyterHub.bind_url = f"http://:8000{BASE_URL}"
c.JupyterHub.spawner_class = "brics"
c.JupyterHub.cleanup_servers = False
c.Spawner.hub_connect_url = value_of("DEPLOY_CONFIG_HUB_CONNECT_URL")
c.Spawner.env_keep = []
c.Spawner.environment = {"JUPYTERHUB_BRICS_CONDA_PREFIX_DIR": value_of("DEPLOY_CONFIG_CONDA_PREFIX_DIR")}
c.BricsSlurmSpawner.poll_interval = 60
c.BricsSlurmSpawner.startup_poll_interval = 15
c.BricsSlurmSpawner.req_srun = "srun --export=ALL"
c.Authenticator.enable_auth_state = True
c.Authenticator.manage_groups = True
c.BricsAuthenticator.oidc_server = value_of("DEPLOY_CONFIG_OIDC_SERVER")
c.BricsAuthenticator.brics_platform = value_of("DEPLOY_CONFIG_BRICS_PLATFORM")
c.BricsAuthenticator.jwt_audience = value_of("DEPLOY_CONFIG_JWT_AUDIENCE")
c.BricsAuthenticator.jwt_leeway = 5
c.BricsAuthenticator.logout_redirect_url = f"{BASE_URL}/_oidc/sign_out?rd={urllib.parse.quote(BASE_URL, safe='')}"
c.BricsAuthenticator.invalid_jwt_logout = True
c.JupyterHub.cookie_max_age_days = 0.5
c.JupyterHub.load_roles = [{"name": "site-admin", "scopes": ["admin-ui", "list:users"], "groups": ["site-admins"]}]
"""
REPLACED = """
KEY = Path(value_of("JUPYTERHUB_SRV_DIR")) / "ssh_key"
HOST = value_of("DEPLOY_CONFIG_SSH_HOSTNAME")
c.BricsSlurmSpawner.exec_prefix = f"ssh -i {KEY} jupyterspawner@{HOST} sudo -u {{username}}"
c.BricsSlurmSpawner.batch_submit_cmd = "TOKEN=$TOKEN slurmspawner_sbatch"
c.BricsSlurmSpawner.batch_query_cmd = "SLURMSPAWNER_JOB_ID={{job_id}} slurmspawner_squeue"
c.BricsSlurmSpawner.batch_cancel_cmd = "SLURMSPAWNER_JOB_ID={{job_id}} slurmspawner_scancel"
c.BricsSlurmSpawner.batch_script = "#!/bin/bash\\n#SBATCH --get-user-env=L\\n{{cmd}}\\n"
"""
MOVING = (PROJECT / "docs" / "moving.md").read_text()
(RESTORING,) = re.findall(r"```python\n(.*?)```", MOVING, flags=re.DOTALL)
COMMANDS = ("exec_prefix", "batch_submit_cmd", "batch_query_cmd", "batch_cancel_cmd", "batch_script")


def load(environment: Environment, directory: Path, text: str = "") -> Config:
    """Load the hub's configuration with a file of the site."""
    files = {"50-site.py": text.encode()} if text else {}
    return load_hub_configuration(instance_spec(site(environment, hub_config=files)), directory)


def effective(config: Config, name: str) -> object:
    """Return an option of the spawner, as set for its class or for a base class."""
    return config.BricsSlurmSpawner.get(name) or config.BatchSpawnerBase[name]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
@pytest.mark.parametrize("text", [KEPT, KEPT + REPLACED + RESTORING], ids=["lines deleted", "options restored"])
def test_hubpods_commands_stay_in_effect(tmp_path: Path, environment: Environment, text: str) -> None:
    """The file loads in every environment, its own options are in effect, and so are hubpod's commands and proxy."""
    own, both = load(environment, tmp_path / "own"), load(environment, tmp_path / "both", text)

    for name in COMMANDS:
        there = str(effective(both, name)).replace(str(tmp_path / "both"), "")
        assert there == str(effective(own, name)).replace(str(tmp_path / "own"), ""), name
    assert both.ConfigurableHTTPProxy == own.ConfigurableHTTPProxy
    assert both.BricsSlurmSpawner.poll_interval == 60
    assert both.JupyterHub.load_roles[0]["name"] == "site-admin"
    assert both.JupyterHub.template_paths == own.JupyterHub.template_paths


@pytest.mark.parametrize("name", [*COMMANDS, "template_paths", "authenticator_class", "start_timeout"])
def test_the_page_names_each_option_that_would_break_something(name: str) -> None:
    """The table of docs/moving.md is complete."""
    table = MOVING.partition("brics_jupyterhub_envs\n")[2].partition("can stay")[0]
    assert f"`{name}`" in table
