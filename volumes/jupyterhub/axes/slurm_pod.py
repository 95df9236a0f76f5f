"""Slurm in the pod is there for one developer: it may be asked often."""

c = get_config()

c.BatchSpawnerBase.poll_interval = 10
c.BatchSpawnerBase.startup_poll_interval = 0.5
