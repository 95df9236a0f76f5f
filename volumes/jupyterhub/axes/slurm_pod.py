"""Slurm of the instance: it serves one developer, so that it can be polled often."""

c = get_config()

c.BatchSpawnerBase.poll_interval = 2
c.BatchSpawnerBase.startup_poll_interval = 0.5
