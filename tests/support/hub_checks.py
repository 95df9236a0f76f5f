"""The settings of a hub, for the checks in its image."""

from dataclasses import replace
from typing import Any

from hubpod_checks.hub_settings import HubSettings

SETTINGS = HubSettings(
    environ={
        "PATH": "/usr/bin:/bin",
        "DEPLOY_CONFIG_DEV_USERS": "ada.p1 bob.p1",
        "DEPLOY_CONFIG_SSH_HOSTNAME": "slurm.example.org",
        "DEPLOY_CONFIG_SLURMSPAWNER_WRAPPERS_BIN": "/opt/w/bin",
        "DEPLOY_CONFIG_CONDA_PREFIX_DIR": "/opt/conda",
        "DEPLOY_CONFIG_JUPYTER_DATA_DIR": "/opt/data",
    },
    needs=(),
    outside={},
    slurm_in_pod=False,
    login_page="http://127.0.0.1:9/hub/login",
    exec_prefix="ssh slurm sudo -n -u {username}",
    query="SLURMSPAWNER_JOB_ID={job_id} /opt/w/bin/slurmspawner_squeue",
    list_all="ssh slurm sudo -n -u jupyterspawner SLURMSPAWNER_JOB_ID=all /opt/w/bin/slurmspawner_squeue",
    partition="",
    command="batchspawner-singleuser",
    issuer="",
    hub_api="http://hub.example.org:8081/jupyter/hub/api/",
)


def settings(*, accounts: str = "ada.p1 bob.p1", **changes: Any) -> HubSettings:
    """Return the settings of a hub with some changes."""
    environ = {**SETTINGS.environ, "DEPLOY_CONFIG_DEV_USERS": accounts}
    changes = {"environ": environ, **changes}
    return replace(SETTINGS, **changes)
