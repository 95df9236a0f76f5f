"""Configuration of the hub: the settings of every environment, then one fragment per axis value.

Values come from the DEPLOY_CONFIG_* variables. The hub exits at once if one is missing, and names it.
"""

import json
import os
import sys
from importlib.resources import files
from pathlib import Path

from bricsauthenticator import BricsAuthenticator, BricsSlurmSpawner

sys.path.append("/usr/local/lib/hubpod")
from hubpod_checks.site_sources import execute_settings, guard_foreign_hub
from hubpod_checks.status_page import StatusPage

c = get_config()

HERE = Path("/etc/jupyterhub")
SITE = Path("/etc/hubpod/hub_config.d")
DATA = Path("/srv/jupyterhub")
EFFECTIVE = Path("/tmp/hubpod-effective-settings.json")  # noqa: S108 - in the container

BASE_URL = os.environ["DEPLOY_CONFIG_BASE_URL"].rstrip("/")
WRAPPERS = os.environ["DEPLOY_CONFIG_SLURMSPAWNER_WRAPPERS_BIN"]
CONDA_PREFIX = os.environ["DEPLOY_CONFIG_CONDA_PREFIX_DIR"]
JUPYTER_DATA = os.environ["DEPLOY_CONFIG_JUPYTER_DATA_DIR"]

c.Application.log_level = os.environ["DEPLOY_CONFIG_LOG_LEVEL"]

# The proxy runs in its own container, so that hub and proxy can restart independently.
c.JupyterHub.bind_url = f"http://:8000{BASE_URL}/"
c.JupyterHub.subdomain_host = os.environ.get("DEPLOY_CONFIG_SUBDOMAIN_HOST", "")
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:8001"
c.JupyterHub.cleanup_proxy = False
# A restarted proxy has no routes. The hub restores them at this interval in seconds, by default every five minutes.
c.JupyterHub.last_activity_interval = 5

# Running notebooks outlive a hub restart.
c.JupyterHub.cleanup_servers = False
c.JupyterHub.upgrade_db = True  # after an upgrade of JupyterHub, which backs the database up first
c.JupyterHub.db_url = f"sqlite:///{DATA}/jupyterhub.sqlite"
# The hub uses the database on its event loop. While another program locks the file, requests that need it fail after
# this time. By default each would stop the whole hub for five seconds.
c.JupyterHub.db_kwargs = {"connect_args": {"check_same_thread": False, "timeout": 0.25}}
c.JupyterHub.cookie_secret_file = str(DATA / "jupyterhub_cookie_secret")

c.JupyterHub.extra_handlers = [("/status", StatusPage)]

# Half a day: the expiry is signed into the cookie, so that a login does not outlive a working day.
c.JupyterHub.cookie_max_age_days = 0.5

# auth_state holds the user's projects, encrypted with JUPYTERHUB_CRYPT_KEY.
c.Authenticator.enable_auth_state = True

c.JupyterHub.spawner_class = "brics"
# The page of a stopped server states why it ended. A site's own package may contain no templates.
c.JupyterHub.template_paths = [str(files("bricsauthenticator") / "templates")]
c.Spawner.hub_connect_url = os.environ["DEPLOY_CONFIG_HUB_CONNECT_URL"]
c.Spawner.notebook_dir = "~/"
c.Spawner.default_url = "/lab"
# Seconds. The limit of the whole start is longer. A site's own spawner may have only that one.
QUEUE_TIMEOUT = int(os.environ["DEPLOY_CONFIG_QUEUE_TIMEOUT"])
if not hasattr(BricsSlurmSpawner, "default_start_timeout"):
    c.Spawner.start_timeout = QUEUE_TIMEOUT + 420
if hasattr(BricsSlurmSpawner, "queue_timeout"):  # a site's own spawner may lack this
    c.BricsSlurmSpawner.queue_timeout = QUEUE_TIMEOUT
    c.BricsSlurmSpawner.gpus = os.environ["DEPLOY_CONFIG_GPUS"].split()
    c.BricsSlurmSpawner.slurm_host = os.environ["DEPLOY_CONFIG_SSH_HOSTNAME"]

# Answer soon with the page that shows the progress; by default the answer waits ten seconds for the spawn. Invalid
# options are refused before this time, with their own status.
# Requests from pages of other sites do not carry the login cookie, except when a user follows a link.
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0.25, "cookie_options": {"samesite": "Lax"}}

# Notebooks inherit none of the hub's own environment variables.
c.Spawner.env_keep = []
c.Spawner.environment = {
    "JUPYTERHUB_BRICS_CONDA_PREFIX_DIR": CONDA_PREFIX,
    "JUPYTERHUB_BRICS_JUPYTER_DATA_DIR": JUPYTER_DATA,
}

# All commands share one SSH connection. In ssh_config, the host "slurm" is the same without sharing.
SUDO = f"ssh -F {HERE}/ssh_config slurm-shared sudo -n"
c.BatchSpawnerBase.exec_prefix = f"{SUDO} -u {{username}}"
c.BatchSpawnerBase.batch_submit_cmd = f"{WRAPPERS}/slurmspawner_sbatch"
c.BatchSpawnerBase.batch_query_cmd = f"SLURMSPAWNER_JOB_ID={{job_id}} {WRAPPERS}/slurmspawner_squeue"
c.BatchSpawnerBase.batch_cancel_cmd = f"SLURMSPAWNER_JOB_ID={{job_id}} {WRAPPERS}/slurmspawner_scancel"
# Lists the hub's jobs: to find a job whose submission was not confirmed, and to cancel the jobs that a hub left behind
# when it crashed. A site's own spawner may lack this.
if hasattr(BricsSlurmSpawner, "batch_list_cmd"):
    c.BricsSlurmSpawner.batch_list_cmd = f"SLURMSPAWNER_JOB_ID=mine {WRAPPERS}/slurmspawner_squeue"
    BricsSlurmSpawner.end_leftovers_when_up()

# One query covers all servers. If the site's wrappers do not support it, each server queries its own job.
if hasattr(BricsSlurmSpawner, "query_all_cmd"):
    c.BricsSlurmSpawner.query_all_cmd = (
        f"{SUDO} -u jupyterspawner SLURMSPAWNER_JOB_ID=all {WRAPPERS}/slurmspawner_squeue"
    )
# The last line of a job's log is a part of the reason of its end.
if hasattr(BricsSlurmSpawner, "batch_log_cmd"):
    c.BricsSlurmSpawner.batch_log_cmd = f"SLURMSPAWNER_JOB_ID=log.{{job_id}} {WRAPPERS}/slurmspawner_squeue"
c.BatchSpawnerBase.batch_script = (HERE / "batch_script.sh.j2").read_text()

# A single node, so that a job's GPUs are never spread over several.
c.BatchSpawnerBase.req_options = "--nodes=1"
# The step inherits the job's environment, because the script itself exports the server's variables.
c.BatchSpawnerBase.req_srun = "srun --export=ALL"

# hubpod's spawner puts the server's variables into the job script itself. A site's own spawner may not.
if not getattr(BricsSlurmSpawner, "exports_in_script", False):
    load_subconfig(str(HERE / "foreign_spawner.py"))

guard_foreign_hub(HERE)
for fragment in (HERE / "api_for_servers.py", *sorted((HERE / "fragments").glob("*.py"))):
    load_subconfig(str(fragment))

# The site's own settings come last. They see the options above, so that `c.Spawner.environment["X"] = "1"` works.
execute_settings(SITE, {"c": c, "get_config": get_config, "load_subconfig": load_subconfig}, BricsAuthenticator)

# hubpod-ready checks with the commands and addresses that are in effect after all settings.
SECTIONS = [each.__name__ for each in BricsSlurmSpawner.__mro__] + ["BricsAuthenticator"]
NAMES = (
    "exec_prefix batch_query_cmd query_all_cmd req_partition batchspawner_singleuser_cmd hub_connect_url oidc_server "
    "jwks_origins"
)
found = {name: [c[each][name] for each in SECTIONS if each in c and name in c[each]] for name in NAMES.split()}
if hasattr(BricsSlurmSpawner, "runs_launcher") and not found["batchspawner_singleuser_cmd"]:
    found["batchspawner_singleuser_cmd"] = ["jupyterhub-singleuser"]  # a job needs no command of batchspawner
draft = EFFECTIVE.with_suffix(f".{os.getpid()}")
draft.write_text(json.dumps({name: values[0] for name, values in found.items() if values}, default=str))
draft.replace(EFFECTIVE)
