"""Print status, logs and manifest, alike for development and production."""

import sys

from hubpod.cli.arguments import parse_tail, parse_target
from hubpod.cli.console import quiet_context
from hubpod.cli.output import show_json, show_status
from hubpod.commands import inspect, manifest
from hubpod.deployment.status import read_status
from hubpod.environments import Instance
from hubpod.request import UpRequest


def print_status(instance: Instance, *, json: bool) -> None:
    """Print whether an instance is ready, starting, degraded or down."""
    now = read_status(quiet_context().podman, instance)
    if json:
        show_json(now.as_dict())
    else:
        show_status(now)


def print_logs(instance: Instance, *, container: str | None, tail: str | None, follow: bool) -> int:
    """Print the logs of one container or all, and return podman's exit code."""
    lines = parse_tail(tail)
    return inspect.logs(quiet_context(), instance, container, lines, follow=follow)


def print_manifest(request: UpRequest, *, target: str | None, with_secrets: bool) -> None:
    """Print the manifest for podman or for a cluster."""
    parsed = parse_target(target)
    sys.stdout.write(manifest.render(quiet_context(), request, parsed, secrets=with_secrets))
