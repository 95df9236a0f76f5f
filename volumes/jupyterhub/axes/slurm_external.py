"""External Slurm: it has other users besides the hub."""

import os

from bricsauthenticator import BricsSlurmSpawner

c = get_config()

# One query per interval covers all servers, so the load on Slurm's controller is one RPC per interval for any number of
# servers. The short interval applies while a user waits for a server.
c.BatchSpawnerBase.poll_interval = int(os.environ["DEPLOY_CONFIG_POLL_INTERVAL"])
c.BatchSpawnerBase.startup_poll_interval = 2
# Where jobs cannot be listed together, each running server costs one query a minute. Home directories are where the
# Slurm host has them.
if hasattr(BricsSlurmSpawner, "batch_home_cmd"):
    wrappers = os.environ["DEPLOY_CONFIG_SLURMSPAWNER_WRAPPERS_BIN"]
    c.BricsSlurmSpawner.batch_home_cmd = f"SLURMSPAWNER_JOB_ID=home {wrappers}/slurmspawner_squeue"
    c.BricsSlurmSpawner.idle_query_interval = 60
else:
    c.BatchSpawnerBase.poll_interval = 60

# Jobs have the account's login environment, as in a terminal on the cluster: /etc/profile, modules, ~/.profile. Not by
# Slurm's --get-user-env: it needs CAP_SYS_ADMIN in slurmd, and holds the job if a login script takes too long.
c.BatchSpawnerBase.req_prologue = 'shopt -q login_shell || exec bash -l "$0"'
