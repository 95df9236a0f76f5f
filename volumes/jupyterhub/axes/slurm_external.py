"""Slurm elsewhere serves many people besides the hub, and its nodes reach the hub's API at a published address."""

c = get_config()

# On all addresses of the pod, of which the host publishes one; proxy and hub speak to each other inside.
c.JupyterHub.hub_bind_url = "http://0.0.0.0:8081"
c.JupyterHub.hub_connect_url = "http://127.0.0.1:8081"

# Every look costs Slurm's controller an RPC and the host a login.
c.BatchSpawnerBase.poll_interval = 60
c.BatchSpawnerBase.startup_poll_interval = 15
