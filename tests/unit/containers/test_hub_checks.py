"""hubpod-ready: what follows from the outcomes of commands, by exit status and form."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from hubpod_checks import answers, hub_settings, program, slurm_host, web
from hubpod_checks.answers import Outcome
from hubpod_checks.hub_settings import HubSettings

from support.hub_checks import settings

FACTS: dict[str, Any] = {
    "slurmspawner_checks": 1,
    "account": "ada.p1",
    "wrappers": {"slurmspawner_sbatch": "", "slurmspawner_squeue": "", "slurmspawner_scancel": ""},
    "prefix": "",
    "data": "",
    "unknown_accounts": [],
    "home": "",
    "spool": "",
    "hub": "",
    "partitions": ["workq"],
    "partition": {"up": "up", "states": {"idle": 2}, "usable": 1},
    "nodes": {},
}
NO_JOB = "slurm_load_jobs error: Invalid job id specified\n"
SUDO_REFUSALS = (
    "sudo: a password is required\n",
    "Sorry, user jupyterspawner is not allowed to execute '/opt/w/bin/slurmspawner_squeue' as ada.p1 on slurm.\n",
    "sudo: Ein Passwort ist notwendig\n",
    "sudo: interactive authentication is required\n",
    "I'm sorry jupyterspawner. I'm afraid I can't do that\n",
    "sudo: /opt/w/bin/slurmspawner_squeue: command not found\n",
    "sudo: unknown user ada.p1\n",
    "",
)


def outcome(status: int | None = 0, stdout: str = "", stderr: str = "") -> Outcome:
    """Return the result of a command."""
    return Outcome(status=status, stdout=stdout, stderr=stderr)


def facts(**changes: object) -> Outcome:
    """Return the result of a check whose facts have some changes."""
    return outcome(stdout="a banner of the host\n" + json.dumps({**FACTS, **changes}) + "\n")


LIST = outcome(stdout="12 ada.p1 RUNNING None node1\n*** closed on Friday ***\n")


def judge(
    check: Outcome, jobs: Outcome | None = LIST, hub: HubSettings | None = None, **others: Outcome
) -> dict[str, tuple[str, str]]:
    """Return state and text of each answer, by the name of the need."""
    hub = hub or settings()
    account = (hub.accounts or ("jupyterspawner",))[0]
    replies = slurm_host.Replies(account=account, check=check, jobs=jobs, **others)
    return {each.need: (each.state, each.text) for each in slurm_host.judge_replies(hub, replies)}


def test_everything_ready_is_ready() -> None:
    """A line of the host before the answer and a footer behind the list do not matter."""
    found = judge(facts())

    assert {name for name, (state, _) in found.items() if state != "ready"} == {"spool", "node"}
    assert not [text for state, text in found.values() if state == "not ready"]


@pytest.mark.parametrize("refusal", SUDO_REFUSALS)
@pytest.mark.parametrize("status", [1, 2, 126, 127])
def test_any_refusal_of_sudo_names_the_setting(refusal: str, status: int) -> None:
    """Neither words nor language decide, but that no wrapper wrote the answer."""
    refused = outcome(status, stderr=refusal)

    state, text = judge(refused, query=refused)["sudo"]

    assert state == "not ready"
    assert text.startswith(
        "slurmSpawnerWrappersBin /opt/w/bin: the Slurm host does not run /opt/w/bin/slurmspawner_squ"
    )
    assert " as ada.p1 (devUsers): " in text


def test_without_an_account_the_list_proves_sudo() -> None:
    """Production knows no account before a login. Wrappers that know no check can still list jobs."""
    hub = settings(accounts="")
    usage = outcome(2, stderr="slurmspawner_squeue: SLURMSPAWNER_JOB_ID must hold one Slurm job id, digits only.\n")

    assert judge(usage, hub=hub)["sudo"] == ("ready", "")
    refused = outcome(1, stderr="sudo: a password is required\n")
    state, text = judge(refused, refused, hub=hub)["sudo"]
    assert (state, "as jupyterspawner: " in text) == ("not ready", True)


@pytest.mark.parametrize(
    ("rules", "state"),
    [
        ('    (%jupyterusers) NOPASSWD: /opt/w/bin/slurmspawner_sbatch "", /opt/w/bin/x\n', "ready"),
        ("    (ALL : ALL) NOPASSWD: ALL\n", "ready"),
        ("    (%jupyterusers) NOPASSWD: /opt/other/bin/slurmspawner_sbatch\n", "not ready"),
        ("", "not ready"),
    ],
)
def test_without_list_and_account_the_rules_of_sudo_decide(rules: str, state: str) -> None:
    """Sites of older recipes permit users' accounts only, of which production knows none."""
    refused = outcome(1, stderr="sudo: a password is required\n")
    found = judge(refused, refused, settings(accounts=""), rules=outcome(stdout=rules))

    assert found["sudo"][0] == state
    assert found["prefix"][0] == "not checked"


@pytest.mark.parametrize("status", [255, None])
def test_ssh_is_judged_by_its_status(status: int | None) -> None:
    """What lies behind SSH is then named as not checked."""
    failed = outcome(status, stderr="jupyterspawner@slurm: Permission denied (publickey).\n")

    found = judge(failed, failed)

    assert found["ssh"] == (
        "not ready",
        "sshHostname slurm.example.org: jupyterspawner@slurm: Permission denied (publickey).",
    )
    assert {state for name, (state, _) in found.items() if name != "ssh"} == {"not checked"}


@pytest.mark.parametrize(
    ("problem", "state"), [("does not answer: timed out", "not ready"), ("", "ready"), (None, "ready")]
)
def test_jobs_of_the_instance_must_reach_the_hub(
    monkeypatch: pytest.MonkeyPatch, problem: str | None, state: str
) -> None:
    """Both the hub's own request and that of Slurm's pod count; other wrappers report nothing."""
    hub = settings(needs=("api",), slurm_in_pod=True)
    replies = slurm_host.Replies(account="ada.p1", check=facts(hub=problem), jobs=LIST)
    monkeypatch.setattr(slurm_host, "request_replies", lambda _: replies)
    monkeypatch.setattr(web, "check_login", lambda *_: answers.judge("login", ""))
    monkeypatch.setattr(web, "check_api", lambda *_: answers.judge("api", ""))

    assert [each.state for each in program.find_answers(hub, 0, alone=False)] == [state]
    assert [each.state for each in program.find_answers(hub, 0, alone=True)] == ["not checked"]


def test_an_open_shared_connection_does_not_hide_that_logins_fail() -> None:
    """The list of jobs comes through a connection of its own kind, which outlives the SSH server's listener."""
    refused = outcome(255, stderr="ssh: connect to host localhost port 22: Connection refused\n")
    shared = settings(list_all="ssh -F /etc/jupyterhub/ssh_config slurm-shared slurmspawner_squeue")
    own = settings(list_all="ssh slurm.example.org slurmspawner_squeue")

    assert judge(refused, LIST, shared)["ssh"][0] == "not ready"
    assert judge(refused, LIST, own)["ssh"][0] == "ready"


@pytest.mark.parametrize(
    ("need", "changes", "text"),
    [
        (
            "wrappers",
            {"wrappers": {"slurmspawner_sbatch": "is not executable"}},
            "slurmSpawnerWrappersBin /opt/w/bin: ",
        ),
        ("prefix", {"prefix": "does not exist"}, "condaPrefixDir /opt/conda does not exist"),
        ("data", {"data": "does not exist"}, "jupyterDataDir /opt/data does not exist"),
        ("accounts", {"unknown_accounts": ["bob.p1"]}, "devUsers: the Slurm host has no account bob.p1"),
        ("home", {"home": "is full (quota)"}, "the home directory of ada.p1 is full (quota)"),
        ("partition", {"slurm": "sinfo does not answer"}, "Slurm does not answer: "),
        (
            "partition",
            {"partition": {"up": "up", "states": {"idle*": 1, "drained": 2}, "usable": 0}},
            "no node of the default partition runs jobs: 1 idle*, 2 drained",
        ),
        (
            "partition",
            {"partition": {"up": "inact", "states": {"idle": 1}, "usable": 1}},
            "the default partition is inact",
        ),
    ],
)
def test_a_fact_of_the_wrappers_names_its_setting(need: str, changes: dict[str, object], text: str) -> None:
    """Each problem on the Slurm host is a sentence of its own."""
    state, found = judge(facts(**changes))[need]

    assert state == "not ready"
    assert found.startswith(text)


def test_an_unknown_partition_names_the_known_ones() -> None:
    """A partition of the site's configuration that Slurm lacks prevents every spawn."""
    gone = facts(partition={"up": "", "states": {}, "usable": 0})

    assert judge(gone, hub=settings(partition="nope"))["partition"] == (
        "not ready",
        "partition nope does not exist or has no node; Slurm has workq",
    )
    assert judge(gone)["partition"][0] == "not checked"


def test_a_full_spool_in_the_pod_is_not_ready() -> None:
    """Slurm in the pod has its spool beside the SSH server; elsewhere it is named as not checked."""
    assert judge(facts(spool="/x (SlurmdSpoolDir) has less than 16 MiB left"), hub=settings(slurm_in_pod=True))[
        "spool"
    ] == ("not ready", "Slurm's spool /x (SlurmdSpoolDir) has less than 16 MiB left")
    assert judge(facts())["spool"][0] == "not checked"


def test_older_wrappers_leave_needs_unchecked_but_named() -> None:
    """Wrappers of a site that know neither check nor list still answer a query."""
    found = judge(
        outcome(1, stderr="squeue: error: Invalid job id: check\n"),
        outcome(1, stderr="squeue: error: Invalid job id: all\n"),
        query=outcome(1, stderr=NO_JOB),
    )

    assert found["sudo"] == found["ssh"] == ("ready", "")
    assert {name for name, (state, _) in found.items() if state == "not checked"} >= {
        "prefix",
        "data",
        "partition",
        "home",
    }
    assert not [text for state, text in found.values() if state == "not ready"]


def test_slurm_that_does_not_answer_is_not_ready() -> None:
    """A failed list and a failed query are reported with Slurm's own words."""
    down = outcome(1, stderr="slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n")

    assert judge(facts(), down)["jobs"][0] == "not ready"
    assert judge(outcome(1, stderr="squeue: error: Invalid job id: check"), None, query=down)["jobs"][0] == "not ready"


def test_the_hubs_api_is_judged_from_the_slurm_host() -> None:
    """A firewall may treat the host differently from compute nodes, so that a failure is named but not believed."""
    assert judge(facts())["api"] == ("ready", "")
    state, text = judge(facts(hub="refuses connections"))["api"]
    assert state == "not checked"
    assert text.startswith("hubConnectUrl: http://hub.example.org:8081/")


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A directory with a fake ssh on the path of the hub's commands."""
    (tmp_path / "ssh").write_text(
        '#!/bin/sh\necho "$*" >>"$0.calls"\ncat >>"$0.stdin"\necho ssh: refused >&2\nexit 255\n'
    )
    (tmp_path / "ssh").chmod(0o755)
    return tmp_path


def test_the_hubs_own_prefix_is_used(commands: Path) -> None:
    """The commands are those of the hub, for the first account and for the list."""
    hub = settings(environ={**settings().environ, "PATH": f"{commands}:/usr/bin:/bin"})

    found = slurm_host.find_answers(hub)

    calls = (commands / "ssh.calls").read_text().splitlines()
    assert sorted(calls) == [
        "slurm sudo -n -u ada.p1 SLURMSPAWNER_JOB_ID=check /opt/w/bin/slurmspawner_squeue",
        "slurm sudo -n -u jupyterspawner SLURMSPAWNER_JOB_ID=all /opt/w/bin/slurmspawner_squeue",
    ]
    request = json.loads((commands / "ssh.stdin").read_text())
    assert request["prefix"] == "/opt/conda"
    assert request["accounts"] == ["ada.p1", "bob.p1"]
    assert found[0].text == "sshHostname slurm.example.org: ssh: refused"


def test_a_node_is_probed_at_slurms_address() -> None:
    """A refused connection proves that the address is reached; an unknown name is a problem."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        assert web.check_node({"node1": "127.0.0.1"}, "127.0.0.1").state == "ready"
    missing = web.check_node({"node1": "no-such-host.invalid"}, "x")
    assert missing.state == "not ready"
    assert "no-such-host.invalid, the NodeAddr of node node1" in missing.text
    assert web.check_node({}, "x").state == "not checked"


def test_settings_are_those_in_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of the hub's configuration decides. Checks do not share the hub's open connection."""
    (tmp_path / "needs.json").write_text(
        json.dumps({"needs": [], "slurm_in_pod": True, "login_page": "x", "api_path": "/hub/api/"})
    )
    effective = {"exec_prefix": "ssh -F f slurm-shared sudo -n -u {username}", "req_partition": "gpu"}
    (tmp_path / "effective.json").write_text(json.dumps({**effective, "hub_connect_url": "http://127.0.0.1:8081"}))
    monkeypatch.setattr(hub_settings, "NEEDS", tmp_path / "needs.json")
    monkeypatch.setattr(hub_settings, "EFFECTIVE", tmp_path / "effective.json")

    hub = hub_settings.load(0)

    assert hub.exec_prefix == "ssh -F f slurm sudo -n -u {username}"
    assert (hub.partition, hub.hub_api) == ("gpu", "http://127.0.0.1:8081/hub/api/")


def test_a_need_without_an_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program answers each need of hubpod's list, in its order."""
    monkeypatch.setattr(slurm_host, "find_answers", lambda _: [answers.judge("ssh", "")])
    monkeypatch.setattr(web, "check_login", lambda *_: answers.judge("login", ""))
    hub = settings(needs=("ingress", "login", "ssh", "made-up"), outside={"ingress": "from outside"})

    found = program.find_answers(hub, 0, alone=False)

    assert [(each.need, each.state, each.text) for each in found] == [
        ("ingress", "not checked", "from outside"),
        ("login", "ready", ""),
        ("ssh", "ready", ""),
        ("made-up", "not checked", "not answered"),
    ]
