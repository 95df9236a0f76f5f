"""The parsers of Slurm's output, and the messages made from it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bricsauthenticator import addresses, job_states, slurm
from bricsauthenticator.job_states import Job, Life
from bricsauthenticator.messages import situation
from bricsauthenticator.slurm import read_answer, read_job_id, read_refusal


@pytest.mark.parametrize(
    ("answer", "job"),
    [
        ("PENDING Priority n/a", Job(life=Life.PENDING, state="PENDING", reason="Priority")),
        ("PENDING (null)", Job(life=Life.PENDING, state="PENDING")),
        ("PENDING Resources", Job(life=Life.PENDING, state="PENDING", reason="Resources")),
        (
            "PENDING ReqNodeNotAvail, UnavailableNodes:n1 (null)",
            Job(life=Life.PENDING, state="PENDING", reason="ReqNodeNotAvail, UnavailableNodes:n1"),
        ),
        ("CONFIGURING None n1", Job(life=Life.PENDING, state="CONFIGURING", node="n1")),
        ("RUNNING None nid-001.cluster", Job(life=Life.RUNNING, state="RUNNING", node="nid-001.cluster")),
        ("RUNNING n1", Job(life=Life.RUNNING, state="RUNNING", node="n1")),
        ("COMPLETING None n1", Job(life=Life.ENDING, state="COMPLETING", node="n1")),
        ("FAILED NonZeroExitCode n1", Job(life=Life.GONE, state="FAILED", reason="NonZeroExitCode", node="n1")),
        ("CANCELLED None n/a", Job(life=Life.GONE, state="CANCELLED")),
        ("", Job(life=Life.GONE)),
        ("RUNNING None n1;reboot", Job(life=Life.RUNNING, state="RUNNING")),
    ],
)
def test_squeue_output_is_parsed(answer: str, job: Job) -> None:
    """State, reason and node are parsed from both forms of squeue's answer."""
    assert read_answer(answer + "\n") == job


@given(st.text())
def test_only_slurms_own_answer_makes_a_job_gone(text: str) -> None:
    """Any other answer leaves the job unknown without an error."""
    job = read_answer(f"Warning: {text}x")

    assert job.life is Life.UNKNOWN or set(re.split("[+,]", job.state)) <= job_states.WORDS | {""}


@pytest.mark.parametrize(
    ("message", "life"),
    [
        ("slurm_load_jobs error: Invalid job id specified\n", Life.GONE),
        ("Warning: Permanently added 'x'.\nsqueue: error: Invalid job id specified", Life.GONE),
        ("slurm_load_jobs error: Unable to contact slurm controller (connect failure)", Life.UNKNOWN),
        ("slurm_load_jobs error: Socket timed out on send/recv operation", Life.UNKNOWN),
        ("ssh: connect to host localhost port 22: Connection refused", Life.UNKNOWN),
        ("sudo: a password is required", Life.UNKNOWN),
        ("squeue: error: auth/munge: _decode: Munge decode failed: Expired credential", Life.UNKNOWN),
        ("slurmspawner_squeue: SLURMSPAWNER_JOB_ID must hold one Slurm job id, digits only.", Life.UNKNOWN),
        ("", Life.UNKNOWN),
    ],
)
def test_a_failed_query_leaves_the_job_unknown_unless_slurm_knows_no_such_job(message: str, life: Life) -> None:
    """A connection, sudo or munge that fails says nothing about the job."""
    assert read_refusal(message).life is life


@pytest.mark.parametrize(
    ("answer", "job_id"),
    [
        ("12\n", "12"),
        ("12;cluster\n", "12"),
        ("Welcome!\n12\n", "12"),
        ("", ""),
        ("0x1", ""),
        ("12 13", ""),
        ("-1", ""),
    ],
)
def test_the_job_id_is_read_from_the_last_line(answer: str, job_id: str) -> None:
    """Only digits are taken for a job id."""
    assert read_job_id(answer) == job_id


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        (
            Job(life=Life.PENDING, state="PENDING", reason="Priority"),
            "Job 12 is queued (Priority): other jobs are in front of it…",
        ),
        (Job(life=Life.PENDING, state="PENDING", reason="Novelty"), "Job 12 is queued (Novelty)…"),
        (Job(life=Life.PENDING, state="PENDING"), "Job 12 is queued…"),
        (Job(life=Life.RUNNING, state="RUNNING", node="n1"), "Job 12 is starting on node n1…"),
        (
            Job(life=Life.GONE, state="OUT_OF_MEMORY", reason="OutOfMemory"),
            "Job 12 ended before the server was ready: it ran out of memory (OUT_OF_MEMORY, OutOfMemory).",
        ),
        (Job(life=Life.GONE), "Job 12 ended before the server was ready: Slurm no longer knows it."),
        (job_states.UNKNOWN, "Slurm does not answer at the moment; job 12 will be checked again…"),
    ],
)
def test_messages_name_the_reason(job: Job, sentence: str) -> None:
    """The user who waits reads Slurm's word and what it means."""
    assert situation("12", job) == sentence


@pytest.mark.parametrize(
    ("listing", "job_id"),
    [
        ("41 KEY\n", "41"),
        ("40 other\n41 my site KEY\n42 KEY2\n", "41"),
        ("", ""),
        ("41 KEY later\n", ""),
        ("41 xKEY\n", ""),
        ("KEY\n", ""),
        ("1,2 KEY\n", ""),
        ("41 (null)\n", ""),
    ],
)
def test_a_job_is_found_by_its_key(listing: str, job_id: str) -> None:
    """The key has to be the last word of the comment, and the first word a job id."""
    assert slurm.find_key(listing, "KEY") == job_id


def test_each_key_is_random_with_the_mark_of_its_hub() -> None:
    """A key is one plain word that begins with the hub's name."""
    keys = {slurm.new_key("jupyterhub-ab12-") for _ in range(100)}

    assert len(keys) == 100
    assert all(re.fullmatch(r"jupyterhub-ab12-[0-9a-f]{16}", key) for key in keys)


@pytest.mark.parametrize(
    ("status", "message", "answer"),
    [
        (None, "no answer within 30 seconds", True),
        (0, "", True),
        (255, "ssh: connect to host slurm port 22: Connection refused", True),
        (255, "Warning: strange.\nHost key verification failed.\n", False),
        (255, "jupyterspawner@slurm: Permission denied (publickey,password).", False),
        (1, "Host key verification failed, timed out", True),
        (142, "", True),
        (-9, "", True),
        (1, "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", True),
        (1, "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)", True),
        (1, "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received", True),
        (1, "sbatch: error: Batch job submission failed: Invalid partition name specified", False),
        (1, "sudo: a password is required", False),
        (1, "slurmspawner_sbatch: the home directory /home/p/a.p is not writable.", False),
        (126, "This account runs the Slurm commands of the hub and nothing else.", False),
    ],
)
def test_only_a_refusal_means_that_there_is_no_job(status: int | None, message: str, answer: bool) -> None:  # noqa: FBT001
    """After any other failure, the job may have been submitted."""
    assert slurm.may_have_submitted(status, message) is answer


@pytest.mark.parametrize(
    ("answer", "address"),
    [
        ('a banner\n{"slurmspawner_checks": 1, "address": "10.1.2.3"}\n', "10.1.2.3"),
        ('{"address": "2001:db8::1"}', "2001:db8::1"),
        ('{"address": ""}', ""),
        ('{"address": "other-pod"}', ""),
        ("[]\n17\nnull", None),
        ("squeue: error: Invalid job id: check", None),
        ("", None),
    ],
)
def test_the_address_of_a_node_is_an_ip_address(answer: str, address: str | None) -> None:
    """A name is never used, because another program of the hub's network may serve it."""
    assert addresses.read_address(answer) == address


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("slurm.example.org", "slurm.example.org"),
        ("slurm.example.org:2222", "slurm.example.org"),
        ("192.0.2.7:22", "192.0.2.7"),
        ("[2001:db8::1]:2222", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("", ""),
    ],
)
def test_the_host_of_an_ssh_address_has_no_port(address: str, host: str) -> None:
    """A site writes the Slurm host with or without a port."""
    assert addresses.host_of(address) == host
