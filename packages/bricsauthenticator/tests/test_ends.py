"""The table of ends: each row has an input and a sentence."""

import re

import pytest

from bricsauthenticator import messages
from bricsauthenticator.ends import ENDS, End, Source, find_end
from bricsauthenticator.job_launcher import HUB_REFUSED, HUB_UNREACHABLE, NOT_FOUND
from bricsauthenticator.job_states import WORDS, Job, Life, life_of

FAILED = "sbatch: error: Batch job submission failed: "

# Words of each source, and the beginning of the pattern of the row that applies to them.
INPUTS: dict[Source, dict[str, str]] = {
    Source.WAIT: {
        "Priority": "^Priority",
        "Resources": "^Resources",
        "ReqNodeNotAvail, UnavailableNodes:n1": "^ReqNodeNotAvail",
        "ReservationDeleted": "^ReservationDeleted",
        "ReservationInvalid": "^ReservationInvalid",
        "Reservation": "^Reservation",
        "InvalidAccount": "^InvalidAccount",
        "AccountNotAllowed": "^AccountNotAllowed",
        "InvalidQOS": "^InvalidQOS",
        "QOSNotAllowed": "^QOSNotAllowed",
        "QOSMaxJobsPerUserLimit": "^QOSMax(Jobs",
        "QOSMaxSubmitJobPerUserLimit": "^QOSMax(Jobs",
        "AssocMaxJobsLimit": "^QOSMax(Jobs",
        "QOSJobLimit": "^QOSMax(Jobs",
        "QOSMaxWallDurationPerJobLimit": "^QOSMaxWall",
        "AssociationTimeLimit": "^QOSMaxWall",
        "QOSMinGRES": "^QOSMin",
        "QOSUsageThreshold": "^QOSUsage",
        "QOSGrpBillingMinutes": "^QOS(Grp",
        "QOSMaxGRESMinutesPerJob": "^QOS(Grp",
        "QOSGrpCpuLimit": "^QOS",
        "QOSMaxGRESPerUser": "^QOS",
        "MaxGRESPerAccount": "^MaxGRES",
        "AssocGrpGRES": "^MaxGRES",
        "AssocGrpBillingMinutes": "^Assoc\\w*(",
        "AssocGrpCPURunMinutesLimit": "^Assoc\\w*(",
        "AssocGrpMemLimit": "^AssocGrp",
        "AssocMaxNodePerJobLimit": "^Assoc|",
        "AccountingPolicy": "^Assoc|",
        "MaxBBPerAccount": "^Assoc|",
        "PartitionTimeLimit": "^PartitionTimeLimit",
        "PartitionNodeLimit": "^PartitionNodeLimit",
        "PartitionConfig": "^PartitionNodeLimit",
        "PartitionDown": "^PartitionDown",
        "PartitionInactive": "^PartitionInactive",
        "BadConstraints": "^BadConstraints",
        "NodeDown": "^NodeDown",
        "FrontEndDown": "^NodeDown",
        "JobHeldAdmin": "^JobHeldAdmin",
        "JobHeldUser": "^JobHeldUser",
        "JobHoldMaxRequeue": "^JobHoldMaxRequeue",
        "launch failed requeued held": "^JobHoldMaxRequeue",
        "JobArrayTaskLimit": "^JobArrayTaskLimit",
        "Licenses": "^Licenses",
        "DependencyNeverSatisfied": "^DependencyNever",
        "Dependency": "^Dependency",
        "BeginTime": "^BeginTime",
        "Cleaning": "^Cleaning",
        "Prolog": "^Prolog",
        "BurstBufferStageIn": "^Prolog",
        "DeadLine": "^DeadLine",
        "SystemFailure": "^SystemFailure",
        "SchedDefer": "^Sched",
        "Federation": "^Federation",
    },
    Source.STATE: {
        "": "^$",
        "REQUEUED": "REQUEUE|",
        "FAILED,REQUEUED": "REQUEUE|",
        "REQUEUE_HOLD": "REQUEUE|",
        "EXPEDITING": "REQUEUE|",
        "SPECIAL_EXIT": "SPECIAL_EXIT|",
        "RESV_DEL_HOLD": "SPECIAL_EXIT|",
        "REVOKED": "REVOKED",
        "LAUNCH_FAILED": "LAUNCH_FAILED",
        "RECONFIG_FAIL": "RECONFIG_FAIL",
        "CANCELLED": "CANCELLED",
        "COMPLETED": "COMPLETED",
        "TIMEOUT": "TIMEOUT",
        "NODE_FAIL": "NODE_FAIL",
        "OUT_OF_MEMORY": "OUT_OF_MEMORY",
        "BOOT_FAIL": "BOOT_FAIL",
        "DEADLINE": "DEADLINE",
        "PREEMPTED": "PREEMPTED",
        "FAILED": "FAILED",
        "PENDING": "PENDING|",
        "COMPLETING": "COMPLETING|",
        "RUNNING": "RUNNING|",
        "UPDATE_DB": "",
    },
    Source.REASON: {
        "TimeLimit": "^TimeLimit",
        "OutOfMemory": "^OutOfMemory",
        "NodeDown": "^NodeDown",
        "JobLaunchFailure": "^JobLaunchFailure",
        "InactiveLimit": "^InactiveLimit",
        "SystemFailure": "^SystemFailure",
        "DeadLine": "^DeadLine",
        "Preempted": "^Preempt",
        "RaisedSignal:9(Killed)": "^RaisedSignal",
        "NonZeroExitCode": "^NonZeroExitCode",
    },
    Source.EXIT: {
        "0:0": "^0:0$",
        f"{HUB_UNREACHABLE}:0": "^69:",
        f"{HUB_REFUSED}:0": "^77:",
        "126:0": "^126:",
        f"{NOT_FOUND}:0": "^127:",
        "137:0": "^(137:",
        "0:9": "^(137:",
        "0:15": "^(143:",
        "0:7": "^(135:",
        "139:0": "^(139:",
        "0:6": "^(134:",
        "152:0": "^(152:",
        "0:25": "^(153:",
        "0:53": "^0:[0-9]",
        "1:0": "^[0-9]+:",
    },
    Source.SUBMIT: {
        "Host key verification failed.": "did not prove",
        "hub@slurm: Permission denied (publickey).": "^\\S+: Permission",
        "ssh: Could not resolve hostname slurm: Name or service not known": "Could not resolve",
        "ssh: connect to host slurm port 22: Connection refused": "connect to host",
        "ssh: connect to host slurm port 22: Connection timed out": "connect to host",
        "ssh: connect to host slurm port 22: No route to host": "connect to host",
        "kex_exchange_identification: Connection closed by remote host": "kex_exchange",
        "Connection to slurm closed by remote host.\nclient_loop: send disconnect: Broken pipe": "kex_exchange",
        "This account runs the Slurm commands of the hub and nothing else.": "runs the Slurm",
        "no answer within 30 seconds": "no answer",
        "sudo: a password is required": "sudo(?:-rs)?: .*(password",
        "sudo: I'm sorry hub. I'm afraid I can't do that": "sudo(?:-rs)?: .*(password",
        "sudo: unknown user ada.project1": "sudo(?:-rs)?: .*unknown user",
        "slurmspawner_sbatch: user id 1001 has no account on this machine.": "sudo(?:-rs)?: .*unknown user",
        "sudo: sorry, you must have a tty to run sudo": "sudo(?:-rs)?: .*must",
        "sudo: /opt/bin/slurmspawner_sbatch: command not found": "(slurmspawner",
        "sudo: unable to initialize policy plugin": "^sudo(?:-rs)?: ",
        "slurmspawner_sbatch: cannot run sbatch: No such file or directory.": "cannot run sbatch",
        "slurmspawner_sbatch: cannot enter the home directory /home/p/a: Permission denied.": "cannot enter",
        "slurmspawner_sbatch: the home directory /home/p/a is not writable.": "is not writable",
        f"{FAILED}Protocol authentication error": "munge|",
        "sbatch: error: If munged is up, restart with --num-threads=10\n" + FAILED + "Socket error": "munge|",
        f"{FAILED}Unable to contact slurmdbd": "slurmdbd|",
        f"{FAILED}I/O error writing script/environment to file": "I/O error",
        f"{FAILED}Unable to contact slurm controller (connect failure)": "Unable to contact",
        f"{FAILED}Socket timed out on send/recv operation": "Unable to contact",
        "sbatch: fatal: Could not establish a configuration source": "configuration source",
        f"{FAILED}Slurm temporarily unable to accept job, sleeping and retrying": "temporarily",
        f"{FAILED}Required partition not available (inactive or drain)": "partition.*(",
        f"{FAILED}User's group not permitted to use this partition": "not permitted",
        f"{FAILED}Invalid account or account/partition combination specified": "account/partition",
        f"sbatch: error: invalid partition specified: x\n{FAILED}Invalid partition name specified": "invalid partition",
        f"{FAILED}Requested reservation is invalid": "reservation",
        f"{FAILED}Invalid qos specification": "Invalid qos",
        f"{FAILED}Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)": "violates",
        f"{FAILED}Requested time limit is invalid (missing or exceeds some limit)": "time limit",
        f"{FAILED}Invalid generic resource (gres) specification": "generic",
        f"sbatch: error: Memory specification can not be satisfied\n{FAILED}Unspecified error": "memory",
        f"{FAILED}Requested node configuration is not available": "node configuration",
        f"{FAILED}Invalid license specification": "licen[sc]e",
        f"{FAILED}Access/permission denied": "Access",
        f"sbatch: error: Jobs need a wckey at this site\n{FAILED}Unspecified error": "",
    },
    Source.HUB: {},
}
CASES = [
    (source, words, start) for source, inputs in INPUTS.items() for words, start in inputs.items() if words or start
]


def test_every_row_has_an_input() -> None:
    """A new row without a test fails here."""
    found = {find_end(source, words) for source, words, _ in CASES}

    assert not [row.name for row in ENDS if row.source is not Source.HUB and row not in found]
    assert len({row.name for row in ENDS}) == len(ENDS)


def test_every_state_of_slurm_has_a_row() -> None:
    """No state of Slurm ends a server without a sentence."""
    assert not [word for word in WORDS if life_of(word) is not Life.UNKNOWN and find_end(Source.STATE, word) is None]


@pytest.mark.parametrize(("source", "words", "start"), CASES, ids=[f"{s.name}:{w[-40:]}" for s, w, _ in CASES])
def test_each_input_finds_its_row(source: Source, words: str, start: str) -> None:
    """The sentence has the words of the row once, names what Slurm said, and is not empty."""
    row = find_end(source, words)
    if row is None:
        assert (source, start) == (Source.STATE, "")
        return
    assert row.pattern.startswith(start)
    check(sentence_of(row, words), row)


def sentence_of(row: End, words: str) -> str:
    """Return what the user reads."""
    match row.source:
        case Source.WAIT:
            return messages.situation("7", Job(life=Life.PENDING, state="PENDING", reason=words))
        case Source.STATE:
            return messages.end_message("7", Job(life=Life.GONE, state=words))
        case Source.REASON:
            return messages.end_message("7", Job(life=Life.ENDING, state="COMPLETING", reason=words))
        case Source.EXIT:
            return messages.end_message("7", Job(life=Life.GONE, state="FAILED", exit_code=words))
        case _:
            return messages.refused_submission(words)


def check(sentence: str, row: End) -> None:
    """A sentence has a subject, ends with a full stop or an ellipsis, and repeats nothing."""
    assert row.user in sentence
    assert re.search(r"[.…]$", sentence), sentence
    assert not re.search(r"\{|\}|None|\(\)|  |\.\.|: \.", sentence), sentence
    parts = [part for part in re.split(r"[:;(),.] ?", sentence) if len(part.split()) > 3]
    assert len(parts) == len(set(parts)), sentence


@pytest.mark.parametrize("row", [row for row in ENDS if row.source is Source.HUB], ids=lambda row: row.pattern)
def test_each_decision_of_the_hub_has_a_sentence(row: End) -> None:
    """The sentence names the job, the wait and the reason as far as there are any."""
    job = Job(life=Life.PENDING, state="PENDING", reason="Priority")

    why = "It is not a port." if row.pattern == "report_refused" else ""

    sentence = messages.hub_message(row, "7", job, 7200, why)

    assert sentence.endswith(".")
    assert not re.search(r"\{|\}|None|\(\)|  |\.\.", sentence), sentence


def test_the_wait_in_the_queue_has_its_length_and_reason() -> None:
    """The user reads how long the job has waited, and for what."""
    row = next(row for row in ENDS if row.pattern == "queue_timeout")
    job = Job(life=Life.PENDING, state="PENDING", reason="QOSMaxJobsPerUserLimit")

    assert messages.hub_message(row, "12", job, 7200) == (
        "Job 12 waited 2 h in the queue (QOSMaxJobsPerUserLimit): you already run as many jobs as you may."
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (90, "1 min 30 s"), (420, "7 min"), (7200, "2 h"), (7500, "2 h 5 min")],
)
def test_durations_are_in_their_largest_units(seconds: float, text: str) -> None:
    """Hours, minutes and seconds, without zeros."""
    assert messages.duration(seconds) == text


def test_sbatchs_error_appears_once() -> None:
    """The general form of an error that sbatch has printed in detail is left out."""
    complaint = f"sbatch: error: invalid partition specified: nosuch\n{FAILED}Invalid partition name specified"

    assert messages.refused_submission(complaint) == (
        "The job could not be submitted to Slurm: the partition does not exist (invalid partition specified: nosuch)."
    )


def test_the_log_and_its_last_line_are_part_of_the_sentence() -> None:
    """The sentence names the file, and the line if there is one."""
    with_both = messages.with_log("Job 7 ended: it ended by itself.", "/home/a/7.log", "srun: command not found")

    assert with_both == (
        "Job 7 ended: it ended by itself. The job's log is /home/a/7.log; it ends with: srun: command not found"
    )
    assert messages.with_log("It ended.", "/home/a/7.log", "") == "It ended. The job's log is /home/a/7.log"
    assert messages.with_log("It ended.", "", "") == "It ended."
