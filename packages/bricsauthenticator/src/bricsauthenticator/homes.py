"""The home directory of an account, which the Slurm host knows."""

import re
from typing import Any

from bricsauthenticator import slurm
from bricsauthenticator.hub_guard.http_errors import spawn_failure
from bricsauthenticator.messages import refused_submission
from bricsauthenticator.slurm_commands import SlurmCommands

USABLE_RE = re.compile(r"""/[^\s"'`$\\%]*""")
UNUSABLE = (
    "The home directory {home!r} cannot be written into a job script: it has whitespace, quotes, $, % or a backslash."
)


async def find(commands: SlurmCommands) -> str:
    """Return the account's home directory on the Slurm host.

    The result is empty if the site's wrapper does not print it, such as an older one.

    Raises:
        ShownError: 503 with a sentence when the Slurm host does not answer, or with an unusable directory.
    """
    outcome = await commands.print_home()
    if slurm.has_no_answer(outcome.status, outcome.stderr):
        raise spawn_failure(refused_submission(outcome.full_complaint))
    homes = [line for line in outcome.stdout.splitlines() if line.startswith("/")] if outcome.ok else []
    if homes and not USABLE_RE.fullmatch(homes[-1]):
        raise spawn_failure(UNUSABLE.format(home=homes[-1]))
    return homes[-1] if homes else ""


async def locate(spawner: Any) -> None:  # noqa: ANN401 - BricsSlurmSpawner, whose module imports this one
    """Take the home directory of a spawner's account from the Slurm host, if the site has a command for it.

    Raises:
        ShownError: 503 with a sentence when the Slurm host does not answer, or with an unusable directory.
    """
    if spawner.batch_home_cmd:
        spawner.req_homedir = await find(spawner.slurm_commands()) or spawner.usual_home(spawner.req_username)
