"""The Slurm probe, with recorded output of Slurm 24.11 and s6."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pytest

from hubpod.client.errors import HubTimeoutError
from hubpod.system.process import Result
from hubpod_harness.daemons import DaemonError, DaemonState, parse_state
from hubpod_harness.slurm import NoSuchJobError, SlurmError, SlurmProbe, SlurmUnavailableError
from hubpod_harness.slurm_jobs import Job, parse_jobs, parse_rpc_counts
from hubpod_harness.users import NotAMemberError, User

RUNNING = (
    "JobId=2 JobName=spawner-jupyterhub UserId=testuser.project1(20714) GroupId=jupyterusers(9000) MCS_label=N/A "
    "Priority=1 Nice=0 Account=(null) QOS=(null) JobState=RUNNING Reason=None Dependency=(null) Requeue=0 Restarts=0 "
    "BatchFlag=1 Reboot=0 ExitCode=0:0 RunTime=00:00:00 TimeLimit=00:05:00 TimeMin=N/A "
    "SubmitTime=2026-11-21T08:25:05 EligibleTime=2026-11-21T08:25:05 AccrueTime=2026-11-21T08:25:05 "
    "StartTime=2026-11-21T08:25:05 EndTime=2026-11-21T08:30:05 Deadline=N/A SuspendTime=None SecsPreSuspend=0 "
    "LastSchedEval=2026-11-21T08:25:05 Scheduler=Backfill Partition=workq AllocNode:Sid=pod:553 ReqNodeList=(null) "
    "ExcNodeList=(null) NodeList=node1 BatchHost=node1 NumNodes=1 NumCPUs=1 NumTasks=1 CPUs/Task=1 "
    "ReqB:S:C:T=0:0:*:* ReqTRES=cpu=1,mem=1000000M,node=1,billing=1 AllocTRES=cpu=1,node=1,billing=1 Socks/Node=* "
    "NtasksPerN:B:S:C=0:0:*:* CoreSpec=* MinCPUsNode=1 MinMemoryNode=0 MinTmpDiskNode=0 Features=(null) "
    "DelayBoot=00:00:00 Reservation=res1 OverSubscribe=OK Contiguous=0 Licenses=(null) Network=(null) "
    "Command=(null) WorkDir=/tmp StdErr=/tmp/slurm-2.out StdIn=/dev/null StdOut=/tmp/slurm-2.out "
    "TresPerJob=gres/gpu:2 \n"
)
WAITING = (
    "JobId=4 JobName=a b=c UserId=testuser.project1(20714) GroupId=jupyterusers(9000) MCS_label=N/A Priority=1 "
    "Nice=0 Account=(null) QOS=(null) JobState=PENDING "
    "Reason=Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved_for_jobs_in_higher_priority_partitions "
    "Dependency=(null) Requeue=0 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0 RunTime=00:00:00 TimeLimit=1-00:00:00 "
    "TimeMin=N/A SubmitTime=2026-11-21T08:27:54 EligibleTime=2026-11-21T08:27:54 AccrueTime=2026-11-21T08:27:54 "
    "StartTime=Unknown EndTime=Unknown Deadline=N/A SuspendTime=None SecsPreSuspend=0 "
    "LastSchedEval=2026-11-21T08:27:55 Scheduler=Backfill:* Partition=workq AllocNode:Sid=pod:729 ReqNodeList=(null) "
    "ExcNodeList=(null) NodeList= NumNodes=1-1 NumCPUs=1 NumTasks=1 CPUs/Task=1 ReqB:S:C:T=0:0:*:* "
    "ReqTRES=cpu=1,mem=1000000M,node=1,billing=1 AllocTRES=(null) Socks/Node=* NtasksPerN:B:S:C=0:0:*:* CoreSpec=* "
    "MinCPUsNode=1 MinMemoryNode=0 MinTmpDiskNode=0 Features=(null) DelayBoot=00:00:00 OverSubscribe=OK Contiguous=0 "
    "Licenses=(null) Network=(null) Command=(null) WorkDir=/tmp StdErr=/tmp/slurm-4.out StdIn=/dev/null "
    "StdOut=/tmp/slurm-4.out TresPerNode=gres/gpu:gh200:1 \n"
)
CANCELLED = RUNNING.replace("JobId=2 ", "JobId=3 ").replace("JobState=RUNNING", "JobState=CANCELLED")
SDIAG = """\
Remote Procedure Call statistics by message type
\tREQUEST_PARTITION_INFO                  ( 2009) count:15     ave_time:73     total_time:1108
\tREQUEST_JOB_INFO_SINGLE                 ( 2021) count:14     ave_time:83     total_time:1173

Remote Procedure Call statistics by user
\ttestuser.project1(   20714) count:41     ave_time:136    total_time:5595
\troot            (       0) count:18     ave_time:152    total_time:2736

Pending RPC statistics
\tNo pending RPCs
"""
LOG = """\
sshd: Accepted publickey for jupyterspawner from 127.0.0.1 port 55030 ssh2: ED25519 SHA256:Q3HyeZLEzx27DY5c3sbC2SImD
authpriv.notice: Nov 21 08:16:53 sudo: jupyterspawner : PWD=/var/lib/jupyterspawner ; USER=testuser.project1
sshd: Received disconnect from 127.0.0.1 port 55030:11: disconnected by user
"""
DOWN = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"


class Answer(NamedTuple):
    """A recorded result: output, error output and status."""

    out: str = ""
    err: str = ""
    status: int = 0


SHOW = "scontrol show job"
TRANSCRIPT: Mapping[str, Answer] = {
    f"{SHOW} --oneliner": Answer(RUNNING + CANCELLED + WAITING),
    f"{SHOW} 2 --oneliner": Answer(RUNNING),
    f"{SHOW} 3 --oneliner": Answer(CANCELLED),
    f"{SHOW} 99 --oneliner": Answer("", "slurm_load_jobs error: Invalid job id specified\n", 1),
    "scontrol update NodeName=node1 State=RESUME": Answer("", "slurm_update error: Invalid node state specified\n", 1),
    "sdiag": Answer(SDIAG),
    "s6-svstat -o up,paused,pid /run/service/munged": Answer("false false -1\n"),
}


def probe(**other: Answer) -> SlurmProbe:
    """Return a probe that replays the transcript, or one result for every command."""

    def execute(argv: Sequence[str]) -> Result:
        assert argv[0] == "timeout"
        answer = other.get("everything") or TRANSCRIPT[" ".join(argv[2:])]
        return Result(argv=tuple(argv), returncode=answer.status, stdout=answer.out, stderr=answer.err)

    return SlurmProbe(execute, lambda: LOG, "node1")


def test_every_field_of_a_job_is_parsed() -> None:
    """Every field of a job is parsed, the time limit in seconds and the GPUs from the request."""
    assert parse_jobs(RUNNING) == (
        Job(
            id="2",
            state="RUNNING",
            reason="",
            user="testuser.project1",
            name="spawner-jupyterhub",
            partition="workq",
            reservation="res1",
            node="node1",
            work_dir="/tmp",  # noqa: S108 - as it was recorded
            time_limit_s=300,
            cpus=1,
            gpus=2,
            output="/tmp/slurm-2.out",  # noqa: S108 - as it was recorded
        ),
    )


def test_a_waiting_job_has_no_node() -> None:
    """A pending job has a reason and no node, and may have unusual characters in its name."""
    (job,) = parse_jobs(WAITING)

    assert (job.name, job.state, job.node, job.reservation) == ("a b=c", "PENDING", "", "")
    assert job.reason.startswith("Nodes_required_for_job_are_DOWN")
    assert (job.time_limit_s, job.cpus, job.gpus) == (86400, 1, 1)


@pytest.mark.parametrize("limit", ["UNLIMITED", "Partition_Limit"])
def test_a_job_may_have_no_time_limit(limit: str) -> None:
    """A time limit that is a word means no limit."""
    assert parse_jobs(RUNNING.replace("TimeLimit=00:05:00", f"TimeLimit={limit}"))[0].time_limit_s is None


@pytest.mark.parametrize(("tres", "gpus"), [("gres/gpu:gh200:4", 4), ("gres/gpu", 0), ("license/x:1", 0)])
def test_gpus_are_counted(tres: str, gpus: int) -> None:
    """GPUs are counted with and without a type, other resources are not."""
    assert parse_jobs(RUNNING.replace("gres/gpu:2", tres))[0].gpus == gpus


def test_an_empty_queue_has_no_jobs() -> None:
    """Slurm's sentence about an empty queue gives no jobs."""
    assert parse_jobs("No jobs in the system\n") == ()


def test_only_messages_are_counted() -> None:
    """Counts by user are ignored."""
    assert parse_rpc_counts(SDIAG) == {"REQUEST_PARTITION_INFO": 15, "REQUEST_JOB_INFO_SINGLE": 14}
    assert probe().rpc_counts()["REQUEST_JOB_INFO_SINGLE"] == 14


def test_jobs_that_ended_are_not_in_the_queue() -> None:
    """The queue has pending and running jobs, of one account if given."""
    assert [job.id for job in probe().jobs()] == ["2", "4"]
    assert [job.id for job in probe().jobs("testuser.project1")] == ["2", "4"]
    assert probe().jobs("otheruser.project1") == ()


@pytest.mark.parametrize(("job_id", "sentence"), [("99", "Slurm knows no job 99"), ("", "'' is not a job id")])
def test_an_unknown_job_is_reported(job_id: str, sentence: str) -> None:
    """An unknown job, and a server without a job, raise an error with the reason.

    The same holds for a cancellation.
    """
    for query in (probe().job, probe().cancel):
        with pytest.raises(NoSuchJobError) as caught:
            query(job_id)
        assert caught.value.message == sentence


def test_an_unreachable_slurm_is_not_an_unknown_job() -> None:
    """When slurmctld is unreachable, the error is not about the job."""
    with pytest.raises(SlurmUnavailableError, match=r"scontrol show job 2 --oneliner failed: .*Unable to contact"):
        probe(everything=Answer("", DOWN, 1)).job("2")


def test_a_hanging_slurm_is_reported() -> None:
    """A command that was ended by its timeout is reported as such."""
    with pytest.raises(SlurmUnavailableError, match="no answer within 10 s"):
        probe(everything=Answer("", "", 124)).jobs()


def test_an_ended_job_is_not_cancelled() -> None:
    """The cancellation of an ended job runs no command."""
    probe().cancel("3")


def test_waiting_ends_in_any_of_the_states() -> None:
    """The job is returned once it is in one of the states."""
    assert probe().wait_for("2", "PENDING", "RUNNING").state == "RUNNING"


def test_a_timeout_reports_the_state_of_the_job() -> None:
    """A timeout reports the job's state, or that Slurm did not respond."""
    with pytest.raises(HubTimeoutError, match=r"job 2 did not become COMPLETED within 0.1 s: job 2 is RUNNING"):
        probe().wait_for("2", "COMPLETED", deadline_s=0.1)
    with pytest.raises(HubTimeoutError, match="Unable to contact slurm controller"):
        probe(everything=Answer("", DOWN, 1)).wait_for("2", "COMPLETED", deadline_s=0.1)
    with pytest.raises(HubTimeoutError, match=r"testuser.project1 did not all end .* job 2 is RUNNING, job 4 is PEND"):
        probe().wait_until_no_jobs("testuser.project1", deadline_s=0.1)


def test_a_wait_for_an_ended_job_fails_at_once() -> None:
    """A wait for a state that an ended job cannot reach fails at once."""
    with pytest.raises(SlurmError, match="job 3 is CANCELLED and will not become RUNNING or PENDING"):
        probe().wait_for("3", "RUNNING", "PENDING", deadline_s=60)


def test_a_wait_for_no_jobs_returns_at_once() -> None:
    """The wait for an account without jobs returns at once."""
    probe().wait_until_no_jobs("otheruser.project1")


def test_a_node_in_service_can_be_resumed() -> None:
    """Slurm's refusal to resume a node in service is ignored."""
    probe().resume()


def test_logins_are_counted() -> None:
    """A login is an accepted key. Other lines about a connection do not count."""
    assert probe().ssh_logins() == 1


def test_the_state_of_a_daemon_is_parsed() -> None:
    """The states up, paused and down are parsed."""
    assert parse_state("true true 48\n") == DaemonState(up=True, paused=True, pid=48)
    assert parse_state("false false -1\n") == DaemonState(up=False, paused=False, pid=-1)


def test_a_daemon_that_is_down_cannot_be_killed() -> None:
    """Kill and pause fail for a stopped daemon, and unknown daemons are refused."""
    with pytest.raises(DaemonError, match="cannot kill munge: it is not running"):
        probe().daemon("munge").kill()
    with pytest.raises(DaemonError, match="cannot pause munge: it is not running"):
        probe().daemon("munge").pause()
    assert not probe().daemon("munge").works()
    with pytest.raises(DaemonError, match="unknown daemon slurmdbd"):
        probe().daemon("slurmdbd")


def test_an_account_is_a_user_in_a_project() -> None:
    """An account has the names of user and project, and unknown projects are refused."""
    user = User(name="user01", projects=("project1", "project2"))

    assert user.account("project2") == "user01.project2"
    with pytest.raises(NotAMemberError, match="user01 has no account in project9") as caught:
        user.account("project9")
    assert caught.value.remedy == "choose among its projects: project1, project2"


def test_an_ending_job_is_parsed() -> None:
    """Slurm omits the number of tasks while a job ends."""
    (job,) = parse_jobs(RUNNING.replace("NumTasks=1", "NumTasks="))

    assert job.id == "2"
