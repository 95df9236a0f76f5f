"""What the checks know of the hub: its final configuration, hubpod's list of needs, and its environment."""

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NEEDS = Path("/etc/jupyterhub/needs.json")
EFFECTIVE = Path("/tmp/hubpod-effective-settings.json")  # noqa: S108 - in the container
"""Written by the hub's configuration, whenever the hub loads it."""
VARIABLES = Path("/etc/hubpod/credentials/env")
SITE_AUTHORITIES = Path("/etc/hubpod/credentials/ca-bundle.pem")
SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
ALL_AUTHORITIES = Path("/tmp/hubpod-ca-bundle.pem")  # noqa: S108 - in the container
KEPT = ("PATH", "HOME", "LANG")  # as bricsauthenticator.commands.run has it
SHARED, OWN = " slurm-shared ", " slurm "
"""Hosts of ssh_config. An open shared connection would hide that logins fail, so that one command has its own."""


@dataclass(frozen=True, kw_only=True)
class HubSettings:
    """The hub's settings.

    Attributes:
        environ: The container's environment, with the files of its credentials as the entry point exports them.
        needs: Names of the needs that hubpod expects an answer to.
        outside: Why some needs cannot be checked in this container, by their name.
        slurm_in_pod: Whether Slurm runs in a pod of the instance.
        login_page: URL of the login page behind the proxy.
        exec_prefix: Template that precedes each command.
        query: Template of the command that queries one job.
        list_all: The whole command that lists all jobs; empty if the hub has none.
        partition: The partition of jobs; empty for the site's default one.
        command: The command that jobs start.
        issuer: URL of the issuer; empty without one.
        key_origins: Other origins that may serve the issuer's keys.
        hub_api: URL of the hub's API as servers reach it.
    """

    environ: dict[str, str] = field(repr=False)
    needs: tuple[str, ...]
    outside: dict[str, str]
    slurm_in_pod: bool
    login_page: str
    exec_prefix: str
    query: str
    list_all: str
    partition: str
    command: str
    issuer: str
    hub_api: str
    key_origins: tuple[str, ...] = ()

    @property
    def commands_environment(self) -> dict[str, str]:
        """The environment of the hub's commands."""
        return {name: self.environ[name] for name in KEPT if name in self.environ}

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts of the deploy ConfigMap, if any."""
        return tuple(self.environ.get("DEPLOY_CONFIG_DEV_USERS", "").split())

    @property
    def ssh_hostname(self) -> str:
        """The Slurm host."""
        return self.environ["DEPLOY_CONFIG_SSH_HOSTNAME"]

    @property
    def ssh_host(self) -> str:
        """The Slurm host without a port."""
        text = self.ssh_hostname
        if text.startswith("["):
            return text[1:].partition("]")[0]
        return text.partition(":")[0] if text.count(":") == 1 else text

    @property
    def wrappers(self) -> str:
        """The directory of the Slurm wrappers on that host."""
        return self.environ["DEPLOY_CONFIG_SLURMSPAWNER_WRAPPERS_BIN"]

    @property
    def conda_prefix(self) -> str:
        """The prefix of the notebooks' environment there."""
        return self.environ["DEPLOY_CONFIG_CONDA_PREFIX_DIR"]

    @property
    def jupyter_data(self) -> str:
        """The data directory of users' servers there."""
        return self.environ["DEPLOY_CONFIG_JUPYTER_DATA_DIR"]


def read_environment() -> dict[str, str]:
    """Return the environment that the entry point gives the hub."""
    environ = {**os.environ, **{path.name: path.read_text() for path in VARIABLES.glob("*") if path.is_file()}}
    if SITE_AUTHORITIES.exists():
        if not ALL_AUTHORITIES.exists():  # without the entry point
            ALL_AUTHORITIES.write_bytes(SYSTEM_AUTHORITIES.read_bytes() + SITE_AUTHORITIES.read_bytes())
        environ |= dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), str(ALL_AUTHORITIES))
    return environ


def load(patience_s: float) -> HubSettings:
    """Load the settings, and wait for the hub to load its configuration if it has just started."""
    needs = json.loads(NEEDS.read_text())
    environ = read_environment()
    deadline = time.monotonic() + patience_s
    while not EFFECTIVE.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    # A site's own configuration may not write the file: then the commands are those of ours.
    found: dict[str, Any] = json.loads(EFFECTIVE.read_text()) if EFFECTIVE.exists() else {}
    wrappers = environ.get("DEPLOY_CONFIG_SLURMSPAWNER_WRAPPERS_BIN", "")
    prefix = found.get("exec_prefix") or "ssh -F /etc/jupyterhub/ssh_config slurm sudo -n -u {username}"
    query = found.get("batch_query_cmd") or f"SLURMSPAWNER_JOB_ID={{job_id}} {wrappers}/slurmspawner_squeue"
    return HubSettings(
        environ=environ,
        needs=tuple(each["name"] for each in needs["needs"]),
        outside={each["name"]: each["outside"] for each in needs["needs"] if each["outside"]},
        slurm_in_pod=needs["slurm_in_pod"],
        login_page=needs["login_page"],
        exec_prefix=prefix.replace(SHARED, OWN),
        query=query,
        list_all=found.get("query_all_cmd") or "",
        partition=found.get("req_partition") or "",
        command=(found.get("batchspawner_singleuser_cmd") or "batchspawner-singleuser").split()[0],
        key_origins=tuple(found.get("jwks_origins", ())),
        issuer=found.get("oidc_server") or environ.get("DEPLOY_CONFIG_OIDC_SERVER", ""),
        hub_api=(found.get("hub_connect_url") or "").rstrip("/") + needs["api_path"],
    )
