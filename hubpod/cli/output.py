"""Print the results of commands."""

import sys
from collections.abc import Sequence
from json import dumps

from rich.table import Table
from rich.text import Text

from hubpod.cli.console import err, out
from hubpod.components.site import Site
from hubpod.context import Context
from hubpod.deployment import damage
from hubpod.deployment.status import ContainerStatus, State, Status, browser_url
from hubpod.instances import Instance
from hubpod.podman.findings import Finding, Verdict
from hubpod.system.progress import marks


def show_welcome(site: Site, *, json: bool) -> None:
    """Print the address of the hub and how to log in; the password only as its place."""
    if json:
        show_json(_describe(site))
        return
    environment, file = site.instance.environment, site.settings.source.resolve()
    where = _url(site) or f"through the {environment.ingress.value}"
    out.print(Text.assemble("\n  ", (where, "bold")), soft_wrap=True)
    users = dict.fromkeys(account.user for account in site.settings.dev_users)
    if users:
        out.print(Text(f"  users     {', '.join(users)}"), soft_wrap=True)
    way = f"password  dummyAuthPassword in {file}"
    if environment.login.uses_token:
        way = "login     a token of the issuer, in the header X-Auth-Id-Token"
    out.print(Text(f"  {way}\n"), soft_wrap=True)


def _url(site: Site) -> str:
    return browser_url(site.port, site.settings.base_url, site.settings.subdomain_host)


def _describe(site: Site) -> dict[str, object]:
    """Return the value that ``up --json`` prints."""
    return {
        "environment": site.instance.environment.name,
        "instance": site.instance.name,
        "url": _url(site),
        "settings": str(site.settings.source.resolve()),
        "users": list(dict.fromkeys(account.user for account in site.settings.dev_users)),
        "images": dict(site.images),
    }


def show_json(value: object) -> None:
    """Print a value as JSON."""
    sys.stdout.write(dumps(value, indent=2) + "\n")


def show_damage(context: Context, instance: Instance) -> None:
    """Print a warning about each damaged file of an instance, beside its status."""
    for each in damage.find(context.workspace, instance, context.snapshot(instance)):
        err.print(damage.warning(each), soft_wrap=True, markup=False)


def show_status(now: Status, *, json: bool) -> None:
    """Print the status of an instance."""
    if json:
        show_json(now.as_dict())
        return
    colour = {State.READY: "green", State.STARTING: "yellow", State.DEGRADED: "red", State.DOWN: "dim"}[now.state]
    url = f"  {now.url}" if now.url else ""
    name = f"{now.environment}, instance {now.instance}: "
    out.print(Text.assemble(name, (now.state.value, colour), url), soft_wrap=True)
    if now.containers:
        show_table(("container", "state", "ready", "since", "image"), [_row(each) for each in now.containers])
    if now.answers:
        rows = [(each.need.name, each.state.value, each.need.title, each.text) for each in now.answers]
        show_table(("need", "state", "", "reason"), rows)
    if now.volumes:
        settings = f", settings: {now.deploy_dir}" if now.deploy_dir else ""
        out.print(Text(f"volumes: {len(now.volumes)}{settings}"), soft_wrap=True)


def _row(container: ContainerStatus) -> tuple[str, ...]:
    since = container.started.astimezone().strftime("%F %T") if container.started else ""
    no = f"no: {' '.join(container.reason.split())}" if container.reason else "no"
    return container.name, container.state, "yes" if container.ready else no, since, container.image


def show_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on a terminal, and aligned columns elsewhere, one line per row."""
    if out.is_terminal:
        table = Table(box=None)
        for title in titles:
            table.add_column(title, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        out.print(table)
        return
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        out.print(Text(line.rstrip()), soft_wrap=True)


def show_findings(findings: Sequence[Finding], *, json: bool = False) -> None:
    """Print findings about the machine, each with its remedy."""
    if json:
        rows = [(each.check, each.verdict.name.lower(), each.text, each.remedy) for each in findings]
        show_json([dict(zip(("check", "verdict", "text", "remedy"), row, strict=True)) for row in rows])
        return
    signs = marks(out)
    styled = {
        Verdict.GOOD: (signs.good, "green"),
        Verdict.WARNING: (signs.warning, "yellow"),
        Verdict.BAD: (signs.bad, "red"),
    }
    for finding in findings:
        out.print(Text.assemble(styled[finding.verdict], f" {finding.check:<11} {finding.text}"), soft_wrap=True)
        if finding.remedy:
            out.print(Text(f"  {signs.remedy} {finding.remedy}"), soft_wrap=True)
