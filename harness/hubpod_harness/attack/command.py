"""The command `dev.attack`. It is here because hubpod does not import the harness."""

from hubpod.cli.options import ENVIRONMENT, INSTANCE, EnvironmentName, HubUrl, InstanceName, Json
from hubpod.cli.reporting import reporting_errors
from hubpod.errors import HubpodError


def attack(
    *,
    environment: EnvironmentName = ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    url: HubUrl = "",
    json: Json = False,
) -> None:
    """Attack the hub as an unauthenticated client, and exit with 1 if it accepts a request."""
    with reporting_errors():
        from hubpod.cli import arguments, console, output
        from hubpod_harness.attack.instance import attack_instance
        from hubpod_harness.attack.output import show_verdicts

        found = arguments.parse_instance(environment, instance)
        verdicts = attack_instance(console.quiet_context(found), found, url=url)
        if json:
            output.show_json([verdict.as_dict() for verdict in verdicts])
        else:
            show_verdicts(verdicts)
    if not all(verdict.passed for verdict in verdicts):
        raise SystemExit(HubpodError.exit_code)
