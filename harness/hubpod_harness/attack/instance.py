"""Attack the hub of a running instance."""

from hubpod.commands.inspect import read_settings, require_running
from hubpod.commands.prove import hub_address
from hubpod.components import assembly
from hubpod.context import Context
from hubpod.instances import Instance
from hubpod.settings.deploy_configmap import Settings
from hubpod_harness.attack.cases import Target, cases
from hubpod_harness.attack.verdicts import Verdict, attempt


def attack_instance(context: Context, instance: Instance, *, url: str) -> tuple[Verdict, ...]:
    """Send all attack cases to the hub of an instance.

    Raises:
        UsageError: The address of the hub is unknown.
        NotRunningError: The instance is down.
        HubError: The hub does not answer.
    """
    status = require_running(context, instance)
    target = _make_target(instance, hub_address(instance, status, url), read_settings(instance, status))
    return tuple(attempt(target, case) for case in cases(target))


def _make_target(instance: Instance, url: str, values: Settings) -> Target:
    """Describe the hub by its settings: the claims of a token, and the passwords to try."""
    return Target(
        url=url,
        login=instance.environment.login,
        claims={"iss": values.oidc_server, "aud": values.jwt_audience, "short_name": "testuser"},
        password=values.dummy_auth_password,
        known_passwords=tuple(setting.example for setting in assembly.settings() if setting.secret and setting.example),
    )
