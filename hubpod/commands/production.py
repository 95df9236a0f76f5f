"""What `prod.*` does beyond the lifecycle that it shares with development."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import requests

from hubpod.client.browser import direct_session
from hubpod.components.assembly import pod_spec
from hubpod.components.site import Site
from hubpod.context import Context
from hubpod.deployment import rollback
from hubpod.deployment.apply import Difference, bring_up, difference
from hubpod.deployment.plan import Plan, site
from hubpod.deployment.plan import check as check_plan
from hubpod.deployment.status import State, Status, status
from hubpod.environments import Instance
from hubpod.errors import UsageError
from hubpod.images.ensure import ensure_images
from hubpod.pod import STOP_GRACE_S, PodSpec
from hubpod.podman.findings import Finding, Verdict
from hubpod.request import UpRequest
from hubpod.sources import releases

SSH_PORT = 22
SSH_GREETING = b"SSH-"
NEIGHBOUR_TIMEOUT_S = 5.0
DISCOVERY = "/.well-known/openid-configuration"


def check(context: Context, request: UpRequest) -> tuple[Finding, ...]:
    """Validate everything, and look whether the neighbours answer from here; nothing is started.

    Raises:
        HubpodError: Something would stop `up`; all that is wrong with the deploy directory at once.
    """
    with context.alone(request.instance):
        plan = check_plan(context, request)
        findings = [Finding(check="settings", verdict=Verdict.GOOD, text=str(plan.deploy.settings.source))]
        findings += [Finding(check="settings", verdict=Verdict.WARNING, text=doubt) for doubt in plan.doubts]
        if plan.hub_api:
            where = f"hub API at {plan.hub_api.host_ip}:{plan.hub_api.host}, for users' servers as hubConnectUrl"
            findings.append(Finding(check="publish", verdict=Verdict.GOOD, text=where))
        with context.workspace.lock("build", context.reporter.say):
            checkouts = releases.ensure_releases(context.workspace.project, context.workspace.state, request.origins)
        for checkout in checkouts:
            text = f"{checkout.source.name} {checkout.status}"
            findings.append(Finding(check="source", verdict=Verdict.GOOD, text=text))
        return (*findings, *_neighbours(plan))


def _neighbours(plan: Plan) -> Iterator[Finding]:
    """Whether those answer on whom the hub depends; a warning only, as containers may have another way there."""
    environment, values = plan.request.instance.environment, plan.deploy.settings
    if not environment.slurm.in_pod:
        host = values.ssh_hostname
        yield _finding(
            "Slurm host", f"{host} takes SSH connections", _ssh_doubt(host), "see whether sshHostname is right"
        )
    if environment.login.uses_token:
        issuer = values.oidc_server
        yield _finding("issuer", f"{issuer} answers", _issuer_doubt(issuer), "see whether oidcServer is right")


def _finding(check: str, good: str, doubt: str, remedy: str) -> Finding:
    if doubt:
        return Finding(check=check, verdict=Verdict.WARNING, text=doubt, remedy=f"{remedy}, and reachable from here")
    return Finding(check=check, verdict=Verdict.GOOD, text=good)


def _ssh_doubt(host: str) -> str:
    try:
        with socket.create_connection((host, SSH_PORT), NEIGHBOUR_TIMEOUT_S) as connection:
            greeting = connection.recv(len(SSH_GREETING))
    except (OSError, UnicodeError) as error:
        return f"{host} does not take SSH connections: {getattr(error, 'strerror', None) or error}"
    return "" if greeting == SSH_GREETING else f"what listens on port {SSH_PORT} of {host} is no SSH server"


def _issuer_doubt(issuer: str) -> str:
    url = issuer.rstrip("/") + DISCOVERY
    try:
        with direct_session(url) as session:
            response = session.get(url, timeout=NEIGHBOUR_TIMEOUT_S)
        if not response.ok:
            return f"{url} answers with status {response.status_code}"
        named = response.json().get("issuer")
    except (requests.RequestException, ValueError, AttributeError) as error:
        return f"{url} does not answer: {type(error).__name__}"
    return "" if named == issuer else f"{url} names the issuer {named}, which its tokens will have, not {issuer}"


def up(context: Context, request: UpRequest) -> Status:
    """Bring production up; one that runs and would change is left as it is.

    Raises:
        UsageError: It runs, and is another one than the one asked for.
        HubpodError: One of its children, by what stands in the way; nothing half-made is left then.
    """
    with context.alone(request.instance):
        plan = check_plan(context, request)
        spec, wanted = _built(context, plan)
        runs = status(context.podman, request.instance).state is not State.DOWN
        if runs and difference(context, wanted, spec) is not Difference.NONE:
            raise UsageError(
                f"{request.instance.resource} runs, and would change or is not whole",
                remedy="`prod.upgrade` does that, keeps notebooks, and goes back when it fails",
            )
        bring_up(context, wanted, spec, keep=request.keep)
        return status(context.podman, request.instance, waited=True)


def upgrade(context: Context, request: UpRequest) -> Status:
    """Replace what runs by what is asked for; when that does not become ready, what ran before runs again.

    Notebooks on a Slurm outside the pod go on meanwhile, and the hub finds them again.

    Raises:
        HubpodError: One of its children, by what stands in the way.
    """
    with context.alone(request.instance):
        if not context.podman.pod_exists(request.instance.resource):
            raise UsageError(f"there is no {request.instance.resource} to upgrade", remedy="bring it up with `prod.up`")
        plan = check_plan(context, request)
        spec, wanted = _built(context, plan)
        differs = difference(context, wanted, spec)
        if differs is Difference.NONE:
            bring_up(context, wanted, spec)  # tells so, and waits
            return status(context.podman, request.instance, waited=True)
        pod = differs is Difference.POD
        with rollback.on_failure(context, request.instance, database=pod) as way_back:
            bring_up(context, wanted, spec, keep=way_back)
        return status(context.podman, request.instance, waited=True)


def _built(context: Context, plan: Plan) -> tuple[PodSpec, Site]:
    wanted = site(context, plan, ensure_images(context, plan.request))
    return pod_spec(wanted), wanted


def unit(context: Context, instance: Instance) -> str:
    """A systemd unit that starts the pod at boot and stops it at shutdown (systemd.service(5)).

    The pod and its volumes are podman's own and outlive a boot, so that it needs no manifest.
    """
    podman, name = context.podman, instance.resource
    rootless = podman.info()["host"]["security"]["rootless"]
    folder = "~/.config/systemd/user" if rootless else "/etc/systemd/system"
    user = " --user" if rootless else ""
    variables = "".join(f"Environment={_quoted(f'{key}={value}')}\n" for key, value in podman.conf_variables.items())
    linger = "# `loginctl enable-linger` lets it run while nobody is logged in.\n" if rootless else ""
    program = _quoted(str(Path(shutil.which(podman.executable) or podman.executable).absolute()))
    return f"""\
# Write this to {folder}/{name}.service, then: systemctl{user} enable --now {name}
{linger}[Unit]
Description=JupyterHub: {instance.environment.name}, instance {instance.name}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
{variables}ExecStart={program} pod start {name}
ExecStop={program} pod stop --ignore --time={STOP_GRACE_S} {name}
TimeoutStartSec=300
# An address to publish at may come later than the network.
Restart=on-failure
RestartSec=10

[Install]
WantedBy={"default.target" if rootless else "multi-user.target"}
"""


def _quoted(text: str) -> str:
    """A word of a systemd unit, in which blanks, backslashes, quotes and specifiers are themselves."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if escaped != text or " " in text else text
