"""`prod.*`: the commands that production does not share with development."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from hubpod.components import jupyterhub
from hubpod.components.assembly import instance_spec, pod_names
from hubpod.components.site import Site
from hubpod.context import Context
from hubpod.deployment import external_probes
from hubpod.deployment.answers import Answer, NeedState
from hubpod.deployment.apply import Difference, bring_up, find_difference
from hubpod.deployment.plan import Plan, derive_site, validate
from hubpod.deployment.rehearsal import rehearse
from hubpod.deployment.rollback import finish_restoring, is_interrupted, restoring_on_failure
from hubpod.errors import NotReadyError, NotRunningError, UsageError
from hubpod.images.ensure import ensure_images, plan_images
from hubpod.instances import Instance
from hubpod.pod import STOP_GRACE_S
from hubpod.podman.findings import Finding, Verdict, good
from hubpod.podman.snapshot import Snapshot
from hubpod.request import UpRequest
from hubpod.sources import releases
from hubpod.system.certificates import trusting
from hubpod.system.process import CommandError


def check(context: Context, request: UpRequest) -> tuple[Finding, ...]:
    """Validate a deployment and check what a spawn needs, without leaving anything behind.

    Raises:
        HubpodError: `up` would fail; carries all problems of the deploy directory at once.
    """
    with context.locked(request.instance) as found:
        plan = validate(context, request, found)
        findings = [good("settings", str(plan.deploy.settings.source))]
        findings += [Finding(check="settings", verdict=Verdict.WARNING, text=warning) for warning in plan.warnings]
        if plan.hub_api:
            where = f"hub API at {plan.hub_api.host_ip}:{plan.hub_api.host}, for users' servers as hubConnectUrl"
            findings.append(good("publish", where))
        with trusting(plan.deploy.key_files.ca_bundle), context.workspace.lock("build", context.reporter.say):
            checkouts = releases.ensure_releases(context.workspace, request.origins)
            planned = plan_images(context, request)
        findings += [good("source", f"{checkout.source.name} {checkout.status}") for checkout in checkouts]
        site = derive_site(context, plan, planned, found)
        with trusting(plan.deploy.key_files.ca_bundle):
            return (*findings, *_check_needs(context, site))


def _check_needs(context: Context, site: Site) -> Iterator[Finding]:
    """Check every need of a spawn in the hub's image or, before it is built, what this machine reaches."""
    try:
        if context.podman.image_id(site.images[jupyterhub.IMAGE]):
            answers = rehearse(context.podman, site)
        else:
            answers = external_probes.probe(site)
    except CommandError as error:
        text = f"the checks cannot run: {error.detail[-1] if error.detail else error.message}"
        yield Finding(
            check="hub", verdict=Verdict.BAD, text=text, remedy=f"`{site.instance.command('up')}` prints the whole log"
        )
        return
    yield from map(as_finding, answers)


def as_finding(answer: Answer) -> Finding:
    """Return the finding of an answer; an unmet need is bad, and one that cannot be checked here is a warning."""
    verdicts = {
        NeedState.READY: Verdict.GOOD,
        NeedState.UNCHECKED: Verdict.WARNING,
        NeedState.NOT_READY: Verdict.BAD,
    }
    return Finding(check=answer.need.name, verdict=verdicts[answer.state], text=answer.sentence)


def require_good(findings: Sequence[Finding]) -> None:
    """Check that no finding prevents a spawn.

    Raises:
        NotReadyError: At least one does.
    """
    bad = [finding.check for finding in findings if finding.verdict is Verdict.BAD]
    if bad:
        raise NotReadyError(f"not ready: {', '.join(bad)}", remedy="correct the causes above and run the command again")


def up(context: Context, request: UpRequest) -> Site:
    """Bring production up, and refuse to change a running pod.

    Returns:
        Everything that the running pod derives from.

    Raises:
        UsageError: The running pod differs from the requested deployment.
        HubpodError: Another one of its children; nothing half-made is left then.
    """
    with context.locked(request.instance) as before:
        plan = validate(context, request, before)
        finish_restoring(context, request.instance)
        site, found = _build_site(context, plan)
        start(context, site, found, keep=request.keep)
        return site


def start(context: Context, site: Site, found: Snapshot, *, keep: bool = False) -> None:
    """Bring a site's pod up, and refuse to change a running one."""
    spec = instance_spec(site)
    if found.running and find_difference(context.workspace, site, spec, found) is not Difference.NONE:
        raise differs(site.instance)
    bring_up(context, site, spec, found, keep=keep)


def differs(instance: Instance) -> UsageError:
    """Return the error for a running pod that `prod.up` would have to change."""
    return UsageError(
        f"{instance.resource} is running but differs from the requested deployment",
        remedy=f"`{instance.command('upgrade')}` replaces it, keeps notebooks running, and restores what ran before "
        "if it fails",
    )


def upgrade(context: Context, request: UpRequest) -> Site:
    """Replace the running deployment by the requested one.

    If the requested deployment does not become ready, the previous one is restored.

    Notebooks on a Slurm outside the pod keep running, and the hub finds them again.

    Raises:
        HubpodError: The upgrade failed. The class states the kind of failure.
    """
    with context.locked(request.instance) as before:
        name, interrupted = request.instance.resource, is_interrupted(context.workspace, request.instance)
        if not interrupted and not context.podman.pod_exists(name):
            raise NotRunningError(
                f"{request.instance}, is down: there is nothing to upgrade",
                remedy=f"bring it up with `{request.instance.command('up')}`",
            )
        plan = validate(context, request, before)
        finish_restoring(context, request.instance)
        site, found = _build_site(context, plan)
        replace(context, site, found)
        return site


def replace(context: Context, site: Site, found: Snapshot) -> None:
    """Replace what runs by a site's pod, and restore it if the pod does not become ready."""
    spec = instance_spec(site)
    difference = find_difference(context.workspace, site, spec, found)
    if difference is Difference.NONE:
        bring_up(context, site, spec, found)  # reports that, and waits
        return
    database = difference is Difference.POD
    with restoring_on_failure(context, site.instance, found, database=database) as can_restore:
        bring_up(context, site, spec, found, keep=can_restore)


def _build_site(context: Context, plan: Plan) -> tuple[Site, Snapshot]:
    """Build the images, and return the pod's site and a new snapshot of the instance.

    The instance may change during the minutes of a build.
    """
    with trusting(plan.deploy.key_files.ca_bundle):
        built = ensure_images(context, plan.request)
    found = context.snapshot(plan.request.instance)
    return derive_site(context, plan, built, found), found


def unit(context: Context, instance: Instance) -> str:
    """Render a systemd unit that starts the pod at boot and stops it at shutdown.

    The format is described in systemd.service(5).

    The pod and its volumes outlive a reboot in podman's storage, so the unit needs no manifest.
    """
    podman, name = context.podman, instance.resource
    pods = " ".join(pod_names(instance))
    rootless = podman.info()["host"]["security"]["rootless"]
    directory = "~/.config/systemd/user" if rootless else "/etc/systemd/system"
    user = " --user" if rootless else ""
    variables = "".join(f"Environment={_quote(f'{key}={value}')}\n" for key, value in podman.conf_variables.items())
    linger = "# `loginctl enable-linger` lets the pod run while its user is logged out.\n" if rootless else ""
    program = _quote(str(Path(shutil.which(podman.executable) or podman.executable).absolute()))
    return f"""\
# Write this to {directory}/{name}.service, then: systemctl{user} enable --now {name}
{linger}[Unit]
Description=JupyterHub: {instance}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
{variables}ExecStart={program} pod start {pods}
ExecStop={program} pod stop --ignore --time={STOP_GRACE_S} {pods}
TimeoutStartSec=300
# An address to publish at may come later than the network.
Restart=on-failure
RestartSec=10

[Install]
WantedBy={"default.target" if rootless else "multi-user.target"}
"""


def _quote(text: str) -> str:
    """Quote a word of a systemd unit.

    Whitespace, backslashes, quotes and specifiers then stand for themselves.
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if escaped != text or " " in text else text
