"""What the Slurm host answers: SSH, sudo, wrappers, Slurm, and what a job of an account finds.

Exit statuses and the form of answers decide. sudo's and ssh's own messages are quoted, but never interpreted, because
they differ by version and language.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from hubpod_checks.answers import NOT_READY, Answer, Outcome, judge, run, unchecked
from hubpod_checks.hub_settings import SHARED, HubSettings
from hubpod_checks.web import check_node

SSH_FAILED = 255  # ssh(1)
MARK = "slurmspawner_checks"
LISTING_ACCOUNT = "jupyterspawner"
# MAX_JOB_ID in slurm.h is lower, so that Slurm answers that the job does not exist.
NO_JOB = "99999999"
SPOKE_RE = re.compile(r"^(slurmspawner_\w+: |s(queue|batch|cancel)\w*: |slurm_\w+(: | error: ))", re.MULTILINE)
"""A line of a wrapper or of one of Slurm's commands. sudo starts its lines with its own name."""
NO_JOB_RE = re.compile(r"^\w+:? error: .*Invalid job id specified\s*$", re.MULTILINE)
FAILED_RE = re.compile(r"^(slurm_\w+ error: |\w+: fatal: )", re.MULTILINE)
"""A line of one of Slurm's commands that got no answer, as opposed to wrappers or commands that refuse their call."""

NO_FACTS = "the site's Slurm wrappers do not report it"


@dataclass(frozen=True, kw_only=True)
class Replies:
    """The outcomes of the commands on the Slurm host.

    Attributes:
        account: The account that the check ran as.
        check: The wrapper's check.
        jobs: The list of all jobs; None if the hub has no such command.
        query: The query of a job that does not exist; None if the check answered.
        rules: What sudo permits; None if it was not needed.
    """

    account: str
    check: Outcome
    jobs: Outcome | None
    query: Outcome | None = None
    rules: Outcome | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """The answer of the wrapper's check; empty without one."""
        for line in reversed(self.check.stdout.splitlines()):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict) and MARK in found:
                return found
        return {}

    @property
    def all(self) -> tuple[Outcome, ...]:
        """All outcomes."""
        return tuple(each for each in (self.check, self.jobs, self.query, self.rules) if each is not None)


def spoke(outcome: Outcome | None) -> bool:
    """Whether a wrapper or Slurm wrote the answer, so that sudo ran the wrapper."""
    return outcome is not None and (outcome.status == 0 or bool(SPOKE_RE.search(outcome.stderr)))


def request_replies(hub: HubSettings) -> Replies:
    """Run the commands on the Slurm host, side by side."""
    environment, account = hub.commands_environment, (hub.accounts or (LISTING_ACCOUNT,))[0]
    prefix = hub.exec_prefix.replace("{username}", account)
    check = f"{prefix} {hub.query.replace('{job_id}', 'check')}"
    with ThreadPoolExecutor() as pool:
        first = pool.submit(run, check, environment, stdin=json.dumps(_request(hub)))
        jobs = pool.submit(run, hub.list_all, environment) if hub.list_all else None
        replies = Replies(account=account, check=first.result(), jobs=jobs.result() if jobs else None)
    if replies.facts or replies.check.status in {SSH_FAILED, None}:
        return replies
    query = rules = None
    if hub.accounts:
        query = run(f"{prefix} {hub.query.replace('{job_id}', NO_JOB)}", environment)
    elif not spoke(replies.check) and not spoke(replies.jobs) and f"-u {account}" in prefix:
        # sudo may permit users' accounts only, of which none is known here.
        rules = run(prefix.replace(f"-u {account}", "-l"), environment)
    return Replies(account=account, check=replies.check, jobs=replies.jobs, query=query, rules=rules)


def _request(hub: HubSettings) -> dict[str, Any]:
    return {
        "prefix": hub.conda_prefix,
        "command": hub.command,
        "data": hub.jupyter_data,
        "partition": hub.partition,
        "accounts": hub.accounts,
        "home": bool(hub.accounts),
        "spool": hub.slurm_in_pod,
        "hub": hub.hub_api,
    }


def find_answers(hub: HubSettings) -> list[Answer]:
    """Check everything that the Slurm host knows."""
    return judge_replies(hub, request_replies(hub))


def judge_replies(hub: HubSettings, replies: Replies) -> list[Answer]:
    """Return the answers that follow from the outcomes."""
    if _is_ssh_down(hub, replies):
        text = f"sshHostname {hub.ssh_hostname}: {replies.check.complaint}"
        return [judge("ssh", text), *_without("SSH to the Slurm host does not work")]
    sudo = _judge_sudo(hub, replies)
    answers = [judge("ssh", ""), sudo]
    if sudo.state == NOT_READY:
        return [*answers, *_without("the Slurm host does not run the wrappers")[1:]]
    return [*answers, _judge_wrappers(hub, replies), _judge_jobs(replies), *_judge_facts(hub, replies)]


def _is_ssh_down(hub: HubSettings, replies: Replies) -> bool:
    """Whether no command could log in. The list may come through a connection opened while logins still worked."""
    if replies.check.status == SSH_FAILED and SHARED in hub.list_all:
        return True
    return all(each.status in {SSH_FAILED, None} for each in replies.all)


def _without(why: str) -> list[Answer]:
    names = ("sudo", "wrappers", "jobs", "accounts", "prefix", "data", "partition", "node", "home", "spool")
    return [unchecked(name, why) for name in names]


def _judge_sudo(hub: HubSettings, replies: Replies) -> Answer:
    wrappers = hub.wrappers
    if replies.facts or spoke(replies.check) or spoke(replies.query):
        return judge("sudo", "")
    if not hub.accounts and spoke(replies.jobs):
        return judge("sudo", "")
    if replies.rules and replies.rules.status == 0 and _permits(replies.rules.stdout, wrappers):
        return judge("sudo", "")
    why = (replies.query or replies.check).complaint
    command = f"{wrappers}/slurmspawner_squeue"
    account = f"{replies.account} (devUsers)" if hub.accounts else replies.account
    text = f"slurmSpawnerWrappersBin {wrappers}: the Slurm host does not run {command} as {account}: {why}"
    return judge("sudo", text)


def _permits(rules: str, wrappers: str) -> bool:
    """Whether sudo's list of rules has the wrappers, or every command."""
    return f"{wrappers}/slurmspawner_sbatch" in rules or bool(re.search(r"NOPASSWD: ?(\S+: ?)*ALL\b", rules))


def _judge_wrappers(hub: HubSettings, replies: Replies) -> Answer:
    if not replies.facts:
        return unchecked("wrappers", "the site's own Slurm wrappers do not check each other")
    problems = [f"{name} {text}" for name, text in replies.facts.get("wrappers", {}).items() if text]
    where = hub.wrappers
    return judge("wrappers", f"slurmSpawnerWrappersBin {where}: {'; '.join(problems)}" if problems else "")


def _judge_jobs(replies: Replies) -> Answer:
    """Judge the list of jobs, or the query of one job where a site does not have the list."""
    if replies.query and replies.query.status != 0 and not NO_JOB_RE.search(replies.query.stderr):
        return judge("jobs", f"Slurm does not answer a query: {replies.query.complaint}")
    if replies.jobs and replies.jobs.status == 0:
        return judge("jobs", "")
    if replies.jobs and (replies.jobs.status is None or FAILED_RE.search(replies.jobs.stderr)):
        return judge("jobs", f"Slurm does not list the jobs: {replies.jobs.complaint}")
    return unchecked("jobs", "the site has no list of all jobs, so each server's job is queried alone")


def _judge_facts(hub: HubSettings, replies: Replies) -> list[Answer]:
    facts = replies.facts
    conda, data = hub.conda_prefix, hub.jupyter_data
    ghosts = facts.get("unknown_accounts")
    answers = [
        _of_fact("prefix", facts.get("prefix"), f"condaPrefixDir {conda}"),
        _of_fact("data", facts.get("data"), f"jupyterDataDir {data}"),
        _judge_partition(hub.partition, facts),
        check_node(facts["nodes"], hub.ssh_host) if "nodes" in facts else unchecked("node", NO_FACTS),
    ]
    if hub.accounts:
        text = f"has no account {', '.join(ghosts)}" if ghosts else ghosts and ""
        answers.append(_of_fact("accounts", "" if ghosts == [] else text, "devUsers: the Slurm host"))
        answers.append(_of_fact("home", facts.get("home"), f"the home directory of {replies.account}"))
    else:
        answers.append(unchecked("home", "no account is known before a login"))
    if hub.slurm_in_pod:
        answers.append(_of_fact("spool", facts.get("spool"), "Slurm's spool"))
        if facts.get("hub"):  # jobs have the same network; without an answer, the hub's own request decides
            answers.append(judge("api", f"{hub.hub_api} {facts['hub']} from Slurm's pod"))
    else:
        answers.append(
            unchecked("spool", "it is on the compute nodes; the partition shows nodes that Slurm has drained")
        )
        answers.append(_judge_api(hub, facts))
    return answers


def _of_fact(need: str, problem: str | None, subject: str) -> Answer:
    if problem is None:
        return unchecked(need, NO_FACTS)
    return judge(need, f"{subject} {problem}" if problem else "")


def _judge_api(hub: HubSettings, facts: dict[str, Any]) -> Answer:
    """Judge the hub's API as seen from the Slurm host, which a firewall may treat differently from compute nodes."""
    if facts.get("hub") is None:
        return unchecked("api", NO_FACTS)
    if facts["hub"]:
        return unchecked(
            "api", f"hubConnectUrl: {hub.hub_api} {facts['hub']} from the Slurm host; compute nodes may differ"
        )
    return judge("api", "")


def _judge_partition(partition: str, facts: dict[str, Any]) -> Answer:
    if "slurm" in facts:
        return judge("partition", f"Slurm does not answer: {facts['slurm']}")
    if "partition" not in facts:
        return unchecked("partition", NO_FACTS)
    found, names = facts["partition"], ", ".join(facts.get("partitions", ())) or "none"
    if not found["states"]:
        if partition:
            return judge("partition", f"partition {partition} does not exist or has no node; Slurm has {names}")
        return unchecked("partition", f"Slurm has no default partition, so that users have to name one of {names}")
    name = f"partition {partition}" if partition else "the default partition"
    if found["up"] != "up":
        return judge("partition", f"{name} is {found['up']}")
    states = ", ".join(f"{count} {state}" for state, count in found["states"].items())
    return judge("partition", "" if found["usable"] else f"no node of {name} runs jobs: {states}")
