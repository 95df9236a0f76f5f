"""The site's Slurm commands, formatted for an account and run.

No command runs for a name that is not an account, such as a user's name at the hub.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from batchspawner import format_template  # type: ignore[import-untyped]

from bricsauthenticator import addresses, commands, slurm
from bricsauthenticator.commands import Outcome
from bricsauthenticator.projects import is_account

NO_ACCOUNT = "{username!r} is not an account USER.PROJECT, so no command is run for it."
REFUSED_STATUS = 1  # a status of the command itself: nothing was sent, and nothing is retried

LOG_TIMEOUT_S = 3.0
LONGEST_LOG_LINE = 300


@dataclass(frozen=True, kw_only=True)
class SlurmCommands:
    """The command templates of a site and the values to format them with.

    Attributes:
        prefix: Template that precedes each command, such as `ssh HOST sudo -u {username}`.
        submit: Template of the command that submits the job script on its standard input.
        query: Template of the command that prints one job's state.
        list_own: Template of the command that lists an account's jobs; empty when the site has none.
        cancel: Template of the command that cancels a job.
        read_log: Template of the command that prints the last line of a job's log; empty when the site has none.
        find_home: Template of the command that prints the account's home directory; empty when the site has none.
        variables: Values of the templates' variables.
        timeout_s: Time limit of each command, in seconds.
        log: Logger for commands that change something and for failed lists.
    """

    prefix: str
    submit: str
    query: str
    list_own: str
    cancel: str
    read_log: str
    find_home: str
    variables: Mapping[str, Any]
    timeout_s: float
    log: logging.Logger | logging.LoggerAdapter[Any]

    @property
    def submit_line(self) -> str:
        """The formatted submit command."""
        return self._line(self.submit)

    async def submit_script(self, script: str) -> Outcome:
        """Submit a job script."""
        return await self._run(self.submit, stdin=script)

    async def query_job(self, job_id: str) -> Outcome:
        """Query the state of one job."""
        return await self._run(self.query, job_id=job_id)

    async def last_log_line(self, job_id: str) -> str:
        """Return the last line of a job's log; empty if the site's wrapper does not print it, or in time."""
        if not self.read_log:
            return ""
        line = self._line(self.read_log, job_id=job_id)
        outcome = await commands.run(line, timeout_s=min(LOG_TIMEOUT_S, self.timeout_s))
        lines = outcome.stdout.strip().splitlines() if outcome.ok else []
        last = lines[-1].strip() if lines else ""
        return "".join(char for char in last if char.isprintable())[:LONGEST_LOG_LINE]

    async def print_home(self) -> Outcome:
        """Print the account's home directory on the Slurm host."""
        return await self._run(self.find_home)

    async def find_address(self, node: str, slurm_host: str) -> str:
        """Return the address at which the hub reaches a node; empty while Slurm does not answer.

        Args:
            node: Name of the node. It is the result only if the site's wrappers do not print addresses.
            slurm_host: Address of a node to which Slurm gives a loopback address, see SpawnerSettings.slurm_host.
        """
        outcome = await self._run(self.query, job_id="check", stdin=json.dumps({"node": node}))
        address = addresses.read_address(outcome.stdout)
        if address is None:
            return "" if slurm.is_transient(outcome.status, outcome.stderr) else node
        host = addresses.host_of(slurm_host)
        return host if host not in {"", "localhost"} and addresses.is_loopback(address) else address

    async def list_jobs(self, username: str, timeout_s: float = inf) -> Outcome:
        """List the ids and comments of an account's jobs.

        The smaller of `timeout_s` and the general time limit applies.
        """
        return await self._run(self.list_own, limit_s=timeout_s, username=username)

    async def find_job(self, key: str, username: str, timeout_s: float = inf) -> str | None:
        """Return the id of the account's job with this key.

        The result is empty without such a job, and None when Slurm does not answer.
        """
        outcome = await self.list_jobs(username, timeout_s)
        if outcome.ok:
            return slurm.find_key(outcome.stdout, key)
        self.log.warning("The jobs of %s cannot be listed: %s", username, outcome.complaint)
        return None

    async def cancel_job(self, job_id: str, username: str) -> str:
        """Cancel a job and return the reason of a failure.

        The result is empty when Slurm accepts the cancellation, or when the job is over.
        """
        self.log.info("Cancelling job %s: %s", job_id, self._line(self.cancel, job_id=job_id, username=username))
        outcome = await self._run(self.cancel, job_id=job_id, username=username)
        return "" if outcome.ok or slurm.already_over(outcome.stderr) else outcome.complaint

    async def _run(self, template: str, *, stdin: str = "", limit_s: float = inf, **changes: str) -> Outcome:
        username = {**self.variables, **changes}["username"]
        if not is_account(username):
            return Outcome(status=REFUSED_STATUS, stderr=NO_ACCOUNT.format(username=username))
        return await commands.run(self._line(template, **changes), stdin=stdin, timeout_s=min(limit_s, self.timeout_s))

    def _line(self, template: str, **changes: str) -> str:
        variables = {**self.variables, **changes}
        return f"{format_template(self.prefix, **variables)} {format_template(template, **variables)}"
