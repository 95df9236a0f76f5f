"""Support for the spawner of a site's own package: its variables reach the job, and its tokens stay out of the log.

batchspawner logs all variables of the job script at level INFO, and the script and its environment at level DEBUG.
"""

import logging
import re
import shlex
from typing import Any

c = get_config()

SECRET_NAME_RE = re.compile(r"TOKEN|SECRET|PASSWORD|KEY|CREDENTIAL")
SHORTEST_SECRET = 8  # characters; shorter values would also hide other text
SIGNED_TOKEN_RE = re.compile(r"eyJ[\w-]{10,}\.[\w-]+\.[\w-]*")
HIDDEN = "[secret]"

secrets_of: dict[str, list[str]] = {}
"""Secret values of the current variables of each server, by the server's name."""


def hide_secrets(text: str) -> str:
    """Replace the secrets of all servers, and signed tokens of logins."""
    for secret in {secret for secrets in secrets_of.values() for secret in secrets}:
        text = text.replace(secret, HIDDEN)
    return SIGNED_TOKEN_RE.sub(HIDDEN, text)


class WithoutSecrets(logging.Filter):
    """A filter that removes secrets from messages and tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Remove secrets from the record, which is always logged."""
        record.msg, record.args = hide_secrets(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = hide_secrets(logging.Formatter().formatException(record.exc_info))
        return True


def export_variables(spawner: Any) -> None:  # noqa: ANN401 - a spawner of the site
    """Export the server's variables in the job script, which goes to standard input, not into arguments."""
    environment = spawner.user_env(spawner.get_env())
    secrets_of[f"{spawner.user.name}/{spawner.name}"] = [
        value for name, value in environment.items() if SECRET_NAME_RE.search(name) and len(value) >= SHORTEST_SECRET
    ]
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    if not hasattr(spawner, "site_prologue"):  # a spawner may start several servers in turn
        spawner.site_prologue = spawner.req_prologue
    spawner.req_prologue = "\n".join([*exports, spawner.site_prologue])


c.Spawner.pre_spawn_hook = export_variables
c.Application.logging_config = {
    "filters": {"secrets": {"()": WithoutSecrets}},
    "handlers": {"console": {"filters": ["secrets"]}},
}
