"""Slurm in the pod: it serves one developer, so that it can be polled often and only the pod needs the hub's API."""

c = get_config()

c.JupyterHub.hub_bind_url = "http://127.0.0.1:8081"

c.BatchSpawnerBase.poll_interval = 2
c.BatchSpawnerBase.startup_poll_interval = 0.5
