"""The hub's commands share one SSH login, which is made anew when it is lost."""

from harness.stack import Stack
from harness.suite.common import PROJECT, until
from hubpod.client import Session

QUESTIONS = ("REQUEST_JOB_INFO", "REQUEST_JOB_INFO_SINGLE")
ENOUGH = 5
ASKED_S = 60.0
END_SHARED = r"""
for process in /proc/[0-9]*; do
  case $(tr '\0' ' ' <"$process/cmdline") in
    'ssh: /tmp/'*) kill -KILL "${process#/proc/}" ;;
  esac
done
"""


def questions(stack: Stack) -> int:
    """How often Slurm was asked about jobs."""
    counts = stack.slurm.rpc_counts()
    return sum(counts.get(message, 0) for message in QUESTIONS)


def wait_for_questions(stack: Stack) -> None:
    """Wait until the hub has asked about jobs some more times."""
    before = questions(stack)
    until("more questions about jobs", lambda: questions(stack) >= before + ENOUGH, ASKED_S)


def test_a_question_costs_no_login(quick: Stack, quick_session: Session) -> None:
    """While a server runs, the hub asks about its job again and again through the connection that it has."""
    server = quick_session.spawn(project=PROJECT)
    before = quick.slurm.ssh_logins()

    wait_for_questions(quick)

    assert quick.slurm.ssh_logins() == before
    assert server.is_active()


def test_a_lost_connection_is_made_anew(quick: Stack, quick_session: Session) -> None:
    """When the process that holds the connection dies, the next command makes another, and no server is lost."""
    server = quick_session.spawn(project=PROJECT)
    before = quick.slurm.ssh_logins()

    assert quick.execute("jupyterhub", ("sh", "-c", END_SHARED)).ok
    wait_for_questions(quick)

    assert quick.slurm.ssh_logins() > before
    assert server.is_active()
    server.stop()
