"""The hub's configuration: what every environment shares, then the fragments that its axes name.

Values come from the DEPLOY_CONFIG_* variables. A missing one ends the hub at once, with its name.
"""

import os
import shlex
from importlib.resources import files
from pathlib import Path

from bricsauthenticator import BricsSlurmSpawner

c = get_config()

HERE = Path("/etc/jupyterhub")
CREDENTIALS = Path("/etc/hubpod/credentials")
DATA = Path("/srv/jupyterhub")

BASE_URL = os.environ["DEPLOY_CONFIG_BASE_URL"].rstrip("/")
WRAPPERS = os.environ["DEPLOY_CONFIG_SLURMSPAWNER_WRAPPERS_BIN"]
CONDA_PREFIX = os.environ["DEPLOY_CONFIG_CONDA_PREFIX_DIR"]
JUPYTER_DATA = os.environ["DEPLOY_CONFIG_JUPYTER_DATA_DIR"]

c.Application.log_level = os.environ["DEPLOY_CONFIG_LOG_LEVEL"]

# The proxy is a container of its own; hub and proxy may each restart while the other one serves.
c.JupyterHub.bind_url = f"http://:8000{BASE_URL}/"
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:8001"
c.JupyterHub.cleanup_proxy = False
# A proxy that was restarted knows nothing. The hub looks at its routes only this often, by default every five minutes.
c.JupyterHub.last_activity_interval = 5

# Running notebooks survive the hub.
c.JupyterHub.cleanup_servers = False
c.JupyterHub.upgrade_db = True  # when a newer JupyterHub comes up; it copies the database first
c.JupyterHub.db_url = f"sqlite:///{DATA}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = str(DATA / "jupyterhub_cookie_secret")

# Half a day: the value signed into the cookie expires, so a login does not outlive a working day.
c.JupyterHub.cookie_max_age_days = 0.5

# A person's projects are kept encrypted, with JUPYTERHUB_CRYPT_KEY.
c.Authenticator.enable_auth_state = True

c.JupyterHub.spawner_class = "brics"
# Our own spawner's page of a server that does not run says why it ended; a site's package may have no pages.
c.JupyterHub.template_paths = [str(files("bricsauthenticator") / "templates")]
c.Spawner.hub_connect_url = os.environ["DEPLOY_CONFIG_HUB_CONNECT_URL"]
c.Spawner.notebook_dir = "~/"
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = 420  # seconds that a job may wait in the queue and start

# The page that shows how far a spawn is comes soon; by default the answer waits ten seconds for the spawn. Options that
# are refused are refused long before, and their status is the answer.
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0.25}

# Nothing of the hub's own environment reaches a notebook.
c.Spawner.env_keep = []
c.Spawner.environment = {
    "JUPYTERHUB_BRICS_CONDA_PREFIX_DIR": CONDA_PREFIX,
    "JUPYTERHUB_BRICS_JUPYTER_DATA_DIR": JUPYTER_DATA,
}

# All commands share one login to the Slurm host; ssh_config has the same host without sharing, as "slurm".
SUDO = f"ssh -F {HERE}/ssh_config slurm-shared sudo -n"
c.BatchSpawnerBase.exec_prefix = f"{SUDO} -u {{username}}"
c.BatchSpawnerBase.batch_submit_cmd = f"{WRAPPERS}/slurmspawner_sbatch"
c.BatchSpawnerBase.batch_query_cmd = f"SLURMSPAWNER_JOB_ID={{job_id}} {WRAPPERS}/slurmspawner_squeue"
c.BatchSpawnerBase.batch_cancel_cmd = f"SLURMSPAWNER_JOB_ID={{job_id}} {WRAPPERS}/slurmspawner_scancel"
# Finds a job again when the answer to its submission was lost, and ends what a hub that died had to end. A site's
# spawner may not know how.
if hasattr(BricsSlurmSpawner, "batch_list_cmd"):
    c.BricsSlurmSpawner.batch_list_cmd = f"SLURMSPAWNER_JOB_ID=mine {WRAPPERS}/slurmspawner_squeue"
    BricsSlurmSpawner.end_leftovers_when_up()

# One question to Slurm for all servers. Where the site's wrappers do not have it, each server asks about its own job.
if hasattr(BricsSlurmSpawner, "query_all_cmd"):
    c.BricsSlurmSpawner.query_all_cmd = (
        f"{SUDO} -u jupyterspawner SLURMSPAWNER_JOB_ID=all {WRAPPERS}/slurmspawner_squeue"
    )
c.BatchSpawnerBase.batch_script = (HERE / "batch_script.sh.j2").read_text()

# One node, so that several GPUs are never spread over nodes.
c.BatchSpawnerBase.req_options = "--nodes=1"
# The job's own environment reaches the step: the server's variables are set inside the script.
c.BatchSpawnerBase.req_srun = "srun --export=ALL"


def export_variables(spawner: BricsSlurmSpawner) -> None:
    """Put the server's variables into the job script, which travels on standard input, and into no argument list."""
    environment = spawner.user_env(spawner.get_env())
    spawner.req_prologue = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items())


# Our own spawner does this itself; a site's spawner may not.
if not getattr(BricsSlurmSpawner, "exports_in_script", False):
    c.Spawner.pre_spawn_hook = export_variables

for fragment in sorted((HERE / "fragments").glob("*.py")):
    load_subconfig(str(fragment))
