"""The table of all ways in which a start or a server ends, or a job waits: data.

A row applies to words of one source that its pattern finds; within a source the first row counts. The user reads `user`
as a part of a sentence, and the hub's log names the row. Each row has a test.
"""

# ruff: noqa: E501 - a row of the table is one line

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto


class Source(Enum):
    """Where the words of an end come from."""

    WAIT = auto()
    """Slurm's reason of a waiting job, see job_reason_codes of Slurm's documentation."""
    STATE = auto()
    """Slurm's state of a job."""
    REASON = auto()
    """Slurm's reason of a job that ends."""
    EXIT = auto()
    """Exit status and signal of the job's script as `STATUS:SIGNAL`."""
    SUBMIT = auto()
    """The error output of the submit command: ssh, sudo, the wrapper and sbatch."""
    HUB = auto()
    """A decision of the hub: the pattern is its name, and `user` a whole sentence with fields in braces."""


@dataclass(frozen=True, kw_only=True)
class End:
    """One row.

    Attributes:
        source: Where the words come from.
        pattern: Regular expression that is searched for in the words, whatever their case.
        user: What the user reads; the name of the row in the hub's log is the source with this pattern.
        operator: What an operator can do about it, for the hub's log; empty if the user's words suffice.
    """

    source: Source
    pattern: str
    user: str
    operator: str = ""

    @property
    def name(self) -> str:
        """Name of the row in the hub's log and in tests."""
        return f"{self.source.name.lower()}:{self.pattern}"


def find_end(source: Source, words: str) -> End | None:
    """Return the first row of a source whose pattern is found in the words."""
    return next((row for row in ENDS if row.source is source and re.search(row.pattern, words, re.IGNORECASE)), None)


def hub_end(name: str) -> End:
    """Return the row of a decision of the hub."""
    return next(row for row in ENDS if row.source is Source.HUB and row.pattern == name)


def _rows(source: Source, *rows: tuple[str, ...]) -> Iterator[End]:
    for pattern, user, *operator in rows:
        yield End(source=source, pattern=pattern, user=user, operator=operator[0] if operator else "")


# fmt: off
ENDS: tuple[End, ...] = (
    *_rows(
        Source.WAIT,
        (r"^Priority", "other jobs are in front of it"),
        (r"^Resources", "waiting for a node to become free"),
        (r"^ReqNodeNotAvail", "the nodes it needs are down, drained or reserved"),
        (r"^ReservationDeleted", "its reservation has been deleted"),
        (r"^ReservationInvalid", "its reservation is not valid"),
        (r"^Reservation", "waiting for its reservation to begin"),
        (r"^InvalidAccount", "its Slurm account is not valid"),
        (r"^AccountNotAllowed", "its Slurm account may not use the partition"),
        (r"^InvalidQOS", "its quality of service is not valid"),
        (r"^QOSNotAllowed", "its quality of service may not be used here"),
        (r"^QOSMax(Jobs|Submit)|^AssocMax(Jobs|Submit)|^(QOS|Association)JobLimit", "you already run as many jobs as you may"),
        (r"^QOSMaxWall|^AssocMaxWall|^(QOS|Association)TimeLimit", "it requests more time than is allowed"),
        (r"^QOSMin", "it requests less than its quality of service requires"),
        (r"^QOSUsageThreshold", "your project has used too much of its share"),
        (r"^QOS(Grp|Max)\w*Minutes|^QOSGrpBilling", "the allocation of its quality of service is used up"),
        (r"^QOS", "a limit on jobs or resources is reached"),
        (r"^MaxGRES|^AssocGrpGRES$|^AssocMaxGRES", "your project uses as many GPUs as it may"),
        (r"^Assoc\w*(Minutes|Billing)", "your project's allocation is used up"),
        (r"^AssocGrp", "your project uses as many resources as it may"),
        (r"^Assoc|^AccountingPolicy|^Max\w+Per", "a limit of your project is reached"),
        (r"^PartitionTimeLimit", "it requests more time than the partition allows"),
        (r"^PartitionNodeLimit|^PartitionConfig", "it requests more than the partition has"),
        (r"^PartitionDown", "the partition is down"),
        (r"^PartitionInactive", "the partition is not active"),
        (r"^BadConstraints", "no node has what it requests"),
        (r"^NodeDown|^FrontEndDown", "a node that it needs is down"),
        (r"^JobHeldAdmin", "an operator holds it back"),
        (r"^JobHeldUser", "it is held back"),
        (r"^JobHoldMaxRequeue|launch.failed", "it could not be launched and is held back", "See the log of slurmctld for the node."),
        (r"^JobArrayTaskLimit", "as many of its kind run as may"),
        (r"^Licenses", "waiting for a licence"),
        (r"^DependencyNeverSatisfied", "the job that it waits for can no longer succeed"),
        (r"^Dependency", "waiting for another job"),
        (r"^BeginTime", "its start time has not come yet"),
        (r"^Cleaning", "an earlier run of it is being cleaned up"),
        (r"^Prolog|^PowerSave|^BurstBuffer", "its node is being prepared"),
        (r"^DeadLine", "it can no longer end before its deadline"),
        (r"^SystemFailure", "a file or a device of Slurm failed", "See the log of slurmctld."),
        (r"^Sched", "Slurm has not considered it yet"),
        (r"^Federation", "another cluster may run it"),
    ),
    *_rows(
        Source.STATE,
        (r"^$", "Slurm no longer knows it"),
        (r"REQUEUE|EXPEDITING", "Slurm put it back into the queue, and its server is gone"),
        (r"SPECIAL_EXIT|RESV_DEL_HOLD", "Slurm holds it back, and its server is gone"),
        (r"REVOKED", "another cluster runs it"),
        (r"LAUNCH_FAILED", "it could not be launched on its node", "See the log of slurmd on the node."),
        (r"RECONFIG_FAIL", "its node could not be configured", "See the log of slurmctld."),
        (r"CANCELLED", "it was cancelled"),
        (r"COMPLETED", "it ended by itself"),
        (r"TIMEOUT", "its time was over"),
        (r"NODE_FAIL", "its node failed"),
        (r"OUT_OF_MEMORY", "it ran out of memory"),
        (r"BOOT_FAIL", "its node could not be started"),
        (r"DEADLINE", "its deadline passed"),
        (r"PREEMPTED", "a more important job took its place"),
        (r"FAILED", "its command failed"),
        (r"PENDING|CONFIGURING|POWER_UP", "it waits in the queue again, and its server is gone"),
        (r"COMPLETING|STAGE_OUT", "it is ending"),
        (r"RUNNING|SUSPENDED|STOPPED|RESIZING|SIGNALING", "Slurm started it again, and its server is gone"),
    ),
    *_rows(
        Source.REASON,
        (r"^TimeLimit", "its time was over"),
        (r"^OutOfMemory", "it ran out of memory"),
        (r"^NodeDown|^NodeFail", "its node failed"),
        (r"^JobLaunchFailure|launch.failed", "it could not be launched on its node"),
        (r"^InactiveLimit", "it was not active for too long"),
        (r"^SystemFailure", "a file or a device of Slurm failed", "See the log of slurmctld."),
        (r"^DeadLine", "its deadline passed"),
        (r"^Preempt", "a more important job took its place"),
        (r"^RaisedSignal", "its command was killed by a signal"),
        (r"^NonZeroExitCode", "its command failed"),
    ),
    *_rows(
        Source.EXIT,
        (r"^0:0$", ""),
        (r"^69:", "the job could not reach JupyterHub", "hubConnectUrl must be reachable from compute nodes."),
        (r"^77:", "JupyterHub refused the job's report of its port", "See the request to /api/batchspawner in this log."),
        (r"^126:", "a command could not be run"),
        (r"^127:", "a command was not found", "Compare PATH in the job with the activated environment."),
        (r"^(137:|0:9$)", "it was killed by SIGKILL, as for too much memory"),
        (r"^(143:|0:15$)", "it was terminated by SIGTERM"),
        (r"^(135:|0:7$)", "it was killed by SIGBUS, as on a full or failing file system"),
        (r"^(139:|0:11$)", "it crashed with SIGSEGV"),
        (r"^(134:|0:6$)", "it aborted with SIGABRT"),
        (r"^(152:|0:24$)", "it used more processor time than it may"),
        (r"^(153:|0:25$)", "it wrote a larger file than it may"),
        (r"^0:[0-9]+$", "it was killed by a signal"),
        (r"^[0-9]+:", ""),
    ),
    *_rows(
        Source.SUBMIT,
        # ssh
        (r"did not prove with its host key|Host key verification failed", "the Slurm host did not prove that it is the right one", "Compare ssh_known_hosts with the host's key."),
        (r"^\S+: Permission denied \(", "the Slurm host refused JupyterHub's key", "See the log of sshd and authorized_keys."),
        (r"Could not resolve hostname", "the name of the Slurm host is unknown", "See sshHostname and the hub's resolver."),
        (r"connect to host .*(refused|timed out|No route|unreachable)", "the Slurm host cannot be reached", "See sshHostname and sshd."),
        (r"kex_exchange|Connection (closed|reset)|Broken pipe|Connection to .* timed out", "the connection to the Slurm host was cut", "See the log of sshd."),
        (r"runs the Slurm commands of the hub and nothing else", "the Slurm host refused JupyterHub's command", "See hubpod-ssh-command and slurmSpawnerWrappersBin."),
        (r"no answer within", "Slurm did not answer in time", "See slurmctld, sshd and the load of the Slurm host."),
        # sudo
        (r"sudo(?:-rs)?: .*(password|terminal) is required|is not allowed to|not in the sudoers|I'm sorry", "sudo does not let JupyterHub act for this account", "The account must be in jupyterusers, and the command in the sudoers file."),
        (r"sudo(?:-rs)?: .*unknown user|has no account on this machine", "this account does not exist on the Slurm host"),
        (r"sudo(?:-rs)?: .*must have a tty", "sudo on the Slurm host requires a terminal", "Add !requiretty to the sudoers file."),
        (r"(slurmspawner_\w+: (command )?not found|slurmspawner_\w+: No such file)", "the hub's commands are missing on the Slurm host", "See slurmSpawnerWrappersBin."),
        (r"^sudo(?:-rs)?: ", "sudo on the Slurm host failed", "See the log of sudo."),
        # the wrapper
        (r"cannot run sbatch|sbatch: (command )?not found", "Slurm's commands are missing on the Slurm host", "Link them into /usr/local/bin."),
        (r"cannot enter the home directory", "the home directory cannot be entered"),
        (r"is not writable", "the home directory is not writable"),
        # Slurm's daemons
        (r"munge|authentication credential|authentication error", "Slurm's authentication fails at the moment", "See munged."),
        (r"slurmdbd|database|accounting_storage", "Slurm's database cannot be reached", "See slurmdbd."),
        (r"I/O error writing script|No space left|Disk quota", "the Slurm host has no room for the job", "See the spool directories of slurmctld and slurmd."),
        (r"Unable to contact|timed out|connection|send failure|receive failure|zero bytes", "Slurm's controller cannot be reached", "See slurmctld."),
        (r"configuration source|Unable to process configuration", "Slurm's commands have no configuration", "See slurm.conf of the Slurm host."),
        (r"temporarily unable to accept|MaxJobCount|Job dependency problem", "Slurm accepts no more jobs at the moment"),
        # Slurm's rules
        (r"partition.*(not available|inactive|down|drain)", "the partition is down"),
        (r"not permitted to use this partition|group not permitted|not in .* allowed", "you may not use the partition"),
        (r"account/partition|Invalid account|account .*not", "the Slurm account is not valid for the partition"),
        (r"invalid partition|No partition specified", "the partition does not exist"),
        (r"reservation", "the reservation does not exist or cannot be used"),
        (r"Invalid qos|quality of service", "the quality of service is not valid"),
        (r"violates accounting/QOS|policy", "a limit of your project or its quality of service is reached"),
        (r"time limit", "it requests more time than is allowed"),
        (r"generic resource|gres|gpu", "the site has no such GPUs"),
        (r"memory", "it requests more memory than a node has"),
        (r"node configuration is not available|Node count|More processors|Requested nodes|Invalid feature", "no node has what it requests"),
        (r"licen[sc]e", "the licence does not exist"),
        (r"Access/permission denied|Invalid user", "Slurm does not let this account submit jobs"),
        (r"", "Slurm or the site refused it"),
    ),
    *_rows(
        Source.HUB,
        ("queue_timeout", "Job {job_id} waited {waited} in the queue{why}.", "The setting queueTimeout limits the wait."),
        ("launch_timeout", "Job {job_id} runs{where}, but its server did not report a port within {waited}.", "hubConnectUrl must be reachable from compute nodes."),
        ("answer_timeout", "Job {job_id} runs{where}, but its server did not answer within {waited}.", "The hub must reach the ports of compute nodes."),
        ("silent_timeout", "Slurm has not said for {waited} how job {job_id} is.", "See slurmctld and sshd."),
        ("submit_timeout", "Slurm has not confirmed the job within {waited}.", "See slurmctld and sshd."),
        ("report_refused", "JupyterHub refused the report of job {job_id}: {why}", "See the request to /api/batchspawner in this log."),
        ("hub_restarted_starting", "JupyterHub was restarted while the server was starting. Please start it again."),
        ("hub_restarted_silent", "JupyterHub was restarted, and the server of job {job_id} did not answer.", "The hub must reach the ports of compute nodes."),
    ),
)
# fmt: on
