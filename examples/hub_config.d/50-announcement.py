"""An announcement on every page of the hub, and rarer records of activity."""

c = get_config()

c.JupyterHub.template_vars = {"announcement": "Maintenance on Friday from 10:00"}
c.JupyterHub.activity_resolution = 120  # seconds
