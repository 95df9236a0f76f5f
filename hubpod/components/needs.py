"""What a spawn needs: the one list behind `up`, `status`, `prod.check` and the hub's status page.

The checks of the hub's container are in containers/jupyterhub/hubpod_checks. A test holds that they answer each need.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from hubpod.environments import Environment


@dataclass(frozen=True, kw_only=True)
class Need:
    """One condition without which a user gets no notebook.

    Attributes:
        name: Short name, as in `status --json`.
        title: The condition in a few words, with the setting that it depends on.
        applies_to: Whether an environment has the need.
        outside: Why the hub's container cannot check it; empty if it can.
    """

    name: str
    title: str
    applies_to: Callable[[Environment], bool] = lambda _: True
    outside: str = ""


def _has_accounts(environment: Environment) -> bool:
    return environment.login.uses_password or environment.slurm.in_pod


NEEDS = (
    Need(
        name="ingress",
        title="way of browsers to the proxy",
        outside="it is checked from outside the pod, by the commands `status` and `up`",
    ),
    Need(name="login", title="login page behind the proxy"),
    Need(name="issuer", title="keys of the issuer (oidcServer)", applies_to=lambda each: each.login.uses_token),
    Need(name="ssh", title="SSH to the Slurm host (sshHostname)"),
    Need(name="sudo", title="sudo on the Slurm host"),
    Need(name="wrappers", title="Slurm wrappers (slurmSpawnerWrappersBin)"),
    Need(name="jobs", title="list of jobs"),
    Need(name="accounts", title="accounts (devUsers)", applies_to=_has_accounts),
    Need(name="prefix", title="notebooks' environment (condaPrefixDir)"),
    Need(name="data", title="data directory (jupyterDataDir)"),
    Need(name="partition", title="partition with a usable node"),
    Need(name="node", title="address of a compute node"),
    Need(name="api", title="hub's API for users' servers (hubConnectUrl)"),
    Need(name="home", title="room in a home directory"),
    Need(name="spool", title="room in Slurm's spool"),
)


def needs_of(environment: Environment) -> tuple[Need, ...]:
    """List the needs of an environment."""
    return tuple(need for need in NEEDS if need.applies_to(environment))


def render(environment: Environment, *, login_page: str, api_path: str) -> bytes:
    """Render the list for the checks in the hub's container.

    Args:
        environment: The environment.
        login_page: URL of the login page behind the proxy, inside the pod.
        api_path: Path of the hub's API below hubConnectUrl.
    """
    needs = [{"name": need.name, "title": need.title, "outside": need.outside} for need in needs_of(environment)]
    values = {
        "needs": needs,
        "slurm_in_pod": environment.slurm.in_pod,
        "login_page": login_page,
        "api_path": api_path,
    }
    return json.dumps(values, indent=1).encode() + b"\n"
