"""The commands dev.list, dev.open and dev.prune, which are about the machine or a browser."""

import os
import sys
import webbrowser
from datetime import UTC, datetime
from typing import Annotated

from hubpod.cli.options import ENVIRONMENT, INSTANCE, Dry, EnvironmentName, HubUrl, InstanceName, Json
from hubpod.cli.reporting import reporting_errors

ALL = "all instances of all checkouts"
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def list_all(*, json: Json = False) -> None:
    """List all instances of all checkouts: state, address, age and size."""
    with reporting_errors():
        from hubpod.cli import console, output
        from hubpod.commands.instances import list_instances
        from hubpod.podman.disk_usage import readable

        listed = list_instances(console.machine_context(ALL))
        if json:
            output.show_json([each.as_dict() for each in listed])
            return
        titles = ("environment", "instance", "state", "address", "age", "disk", "checkout")
        rows = []
        for each in listed:
            age, size = _age(each.started), readable(each.disk_bytes)
            rows.append((each.environment, each.instance, each.state, each.url, age, size, each.checkout))
        output.show_table(titles, rows)


def _age(started: datetime | None) -> str:
    """Return how long ago a time was, in its largest unit."""
    if started is None:
        return ""
    seconds = int((datetime.now(tz=UTC) - started).total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(0, seconds)} s"


def open_hub(
    *, environment: EnvironmentName = ENVIRONMENT, instance: InstanceName = INSTANCE, url: HubUrl = ""
) -> None:
    """Open the hub in a browser, or print its address where there is no display."""
    with reporting_errors():
        from hubpod.cli import arguments, console
        from hubpod.commands.inspect import require_running
        from hubpod.commands.prove import hub_address

        found = arguments.parse_instance(environment, instance)
        address = hub_address(found, require_running(console.quiet_context(found), found), url)
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        # Without a display, Python would start a browser for terminals.
        if sys.platform == "darwin" or any(os.environ.get(name) for name in DISPLAYS):
            webbrowser.open(address)


def prune(
    *,
    volumes: Annotated[bool, "also remove stopped instances with their volumes: home directories, databases"] = False,
    yes: Annotated[bool, "remove without confirmation"] = False,
    dry: Dry = False,
) -> None:
    """Remove old images and stopped containers of development, after a confirmation.

    Running instances, production, and the instances of other checkouts that exist are never touched.
    """
    with reporting_errors():
        from hubpod.cli import console
        from hubpod.cli.confirmation import confirm
        from hubpod.commands.prune import find_leftovers, remove_leftovers
        from hubpod.podman.disk_usage import readable

        context = console.machine_context("old images, and stopped instances of this checkout or of removed ones")
        leftovers = find_leftovers(context, volumes=volumes)
        for each in leftovers:
            console.out.print(f"would remove {each.what}, {readable(each.size)}", markup=False, soft_wrap=True)
        total = readable(sum(each.size for each in leftovers))
        if not leftovers:
            console.out.print("nothing is left over")
        elif not dry and (yes or confirm(f"Remove these {len(leftovers)}, up to {total}?")):
            remove_leftovers(context, leftovers)
