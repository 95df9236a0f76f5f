"""Slurm with operator rights, through its own commands in the slurm container.

The commands are scontrol, scancel and sdiag of Slurm 24.11: https://slurm.schedmd.com/archive/slurm-24.11-latest/.
`scontrol show job --oneliner` also lists jobs that ended recently, the full value of every field, and paths with `%j`
expanded.
"""

import shlex
from collections.abc import Callable, Mapping

from hubpod.errors import HubpodError
from hubpod.system.process import Result
from hubpod_harness.daemons import Daemon, Execute, daemon, run_command, wait_for_condition
from hubpod_harness.slurm_jobs import Job, parse_jobs, parse_rpc_counts

WAIT_S = 30.0


class SlurmError(HubpodError):
    """An operation in Slurm did not succeed."""


class SlurmUnavailableError(SlurmError):
    """Slurm did not respond, or refused the command."""


class NoSuchJobError(SlurmError):
    """Slurm does not know the job: it never existed, or ended more than 300 seconds ago."""


class SlurmProbe:
    """Queries and operates the Slurm of a stack.

    Args:
        execute: Runs a command as root in the slurm container, without checking its result.
        log: Returns the slurm container's log so far.
        node: Name of the compute node.
    """

    def __init__(self, execute: Execute, log: Callable[[], str], node: str) -> None:
        self._execute = execute
        self._log = log
        self.node = node

    def jobs(self, account: str | None = None) -> tuple[Job, ...]:
        """Return the pending and running jobs of one account `user01.project1`, or of all.

        Raises:
            SlurmUnavailableError: Slurm does not answer.
        """
        found = parse_jobs(self._command("scontrol", "show", "job", "--oneliner").stdout)
        return tuple(job for job in found if not job.ended and account in {None, job.user})

    def job(self, job_id: str) -> Job:
        """Return a job by id, also when it ended within the last 300 seconds.

        Raises:
            NoSuchJobError: Slurm knows no job of that number.
            SlurmUnavailableError: Slurm does not answer.
        """
        if not (job_id.isascii() and job_id.isdecimal()):
            raise NoSuchJobError(f"{job_id!r} is not a job id", remedy="check that the server's job was submitted")
        result = run_command(self._execute, "scontrol", "show", "job", job_id, "--oneliner")
        if result.ok and (found := parse_jobs(result.stdout)):
            return found[0]
        if result.ok or "Invalid job id specified" in result.stderr:
            remedy = "query the job within 300 s of its end, after which Slurm forgets it"
            raise NoSuchJobError(f"Slurm knows no job {job_id}", remedy=remedy)
        raise _command_error(result)

    def cancel(self, job_id: str) -> None:
        """Cancel a job as the operator, unless it has ended.

        Raises:
            NoSuchJobError: Slurm does not know the job; scancel itself would not report that.
            SlurmUnavailableError: Slurm does not answer.
        """
        if not self.job(job_id).ended:
            self._command("scancel", job_id)

    def wait_for(self, job_id: str, *states: str, deadline_s: float = WAIT_S) -> Job:
        """Wait until the job is in one of these states.

        While Slurm is unavailable, the query is repeated.

        Raises:
            NoSuchJobError: Slurm knows no job of that number.
            SlurmError: The job ended in another state.
            HubTimeoutError: It did not reach the states in time; the message contains its state.
        """
        wanted = " or ".join(states)

        def check() -> tuple[Job, str]:
            job = self.job(job_id)
            if job.ended and job.state not in states:
                raise SlurmError(f"{job} and will not become {wanted}")
            return job, "" if job.state in states else str(job)

        return wait_for_condition(
            check, f"job {job_id} did not become {wanted}", deadline_s, retry_on=SlurmUnavailableError
        )

    def wait_until_no_jobs(self, account: str, deadline_s: float = WAIT_S) -> None:
        """Wait until the account `user01.project1` has no pending or running job.

        Raises:
            HubTimeoutError: Jobs remain; the message lists them.
        """

        def check() -> tuple[None, str]:
            return None, ", ".join(map(str, self.jobs(account)))

        wait_for_condition(check, f"the jobs of {account} did not all end", deadline_s, retry_on=SlurmUnavailableError)

    def drain(self, reason: str = "test") -> None:
        """Drain the node: no further job starts, and running jobs continue."""
        self._command("scontrol", "update", f"NodeName={self.node}", "State=DRAIN", f"Reason={reason}")

    def resume(self) -> None:
        """Resume the node, so that jobs start again. A node in service stays unchanged."""
        result = run_command(self._execute, "scontrol", "update", f"NodeName={self.node}", "State=RESUME")
        if not result.ok and "Invalid node state specified" not in result.stderr:
            raise _command_error(result)

    def daemon(self, name: str) -> Daemon:
        """Return the daemon `slurmctld`, `slurmd`, `munge` or `sshd`."""
        return daemon(name, self._execute)

    def rpc_counts(self) -> Mapping[str, int]:
        """Count the messages received by slurmctld since its start, by type.

        A type is a name such as `REQUEST_JOB_INFO_SINGLE`.
        """
        return parse_rpc_counts(self._command("sdiag").stdout)

    def ssh_logins(self) -> int:
        """Count the SSH logins that sshd has accepted since the container started."""
        return self._log().count("sshd: Accepted ")

    def _command(self, *argv: str) -> Result:
        result = run_command(self._execute, *argv)
        if not result.ok:
            raise _command_error(result)
        return result


def _command_error(result: Result) -> SlurmUnavailableError:
    said = " ".join(result.last_lines) or f"status {result.returncode}"
    return SlurmUnavailableError(
        f"{shlex.join(result.argv)} failed: {said}", remedy="check that slurmctld and munge are up"
    )
