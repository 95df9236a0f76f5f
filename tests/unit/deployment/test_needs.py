"""What a spawn needs: each item of the one list is checked, and is in every output whatever its answer."""

import json
from collections.abc import Callable, Mapping

import pytest
from hubpod_checks import answers as hub_answers
from hubpod_checks import program, slurm_host, web
from hubpod_checks.slurm_host import Replies
from hubpod_checks.status_page import describe

from hubpod.cli import output
from hubpod.commands.production import as_finding, require_good
from hubpod.components.needs import NEEDS, Need, needs_of, render
from hubpod.deployment.answers import (
    NeedState,
    describe_met,
    describe_missing,
    find_unchecked,
    read_answers,
    with_ingress,
)
from hubpod.deployment.status import State, Status
from hubpod.environments import ENVIRONMENTS, Environment
from hubpod.errors import NotReadyError
from hubpod.system.polling import CheckResult
from support.hub_checks import settings

Capture = pytest.CaptureFixture[str]
CASES = [(environment, need) for environment in ENVIRONMENTS for need in needs_of(environment)]
FACTS = {
    "slurmspawner_checks": 1,
    "wrappers": {},
    "prefix": "",
    "data": "",
    "unknown_accounts": [],
    "home": "",
    "spool": "",
    "hub": "",
    "partitions": ["workq"],
    "partition": {"up": "up", "states": {"idle": 1}, "usable": 1},
    "nodes": {},
}


def lines_of(environment: Environment, need: Need, state: NeedState) -> list[str]:
    """Return what `hubpod-ready` prints if one need has a state and all others are met."""
    return [
        json.dumps(
            {
                "need": each.name,
                "state": (state if each == need else NeedState.READY).value,
                "text": f"reason of {each.name}" if each == need and state is not NeedState.READY else "",
            }
        )
        for each in needs_of(environment)
    ]


def up(environment: Environment, lines: list[str], _capture: Capture) -> str:
    """Return what `up` prints about the answers."""
    found = read_answers(environment, lines, "")
    return "\n".join([describe_met(found), *(each.sentence for each in find_unchecked(found)), describe_missing(lines)])


def status(environment: Environment, lines: list[str], capture: Capture) -> str:
    """Return what `status` prints."""
    output.show_status(status_of(environment, lines), json=False)
    return capture.readouterr().out


def prod_check(environment: Environment, lines: list[str], capture: Capture) -> str:
    """Return what `prod.check` prints."""
    output.show_findings([as_finding(each) for each in read_answers(environment, lines, "")])
    return capture.readouterr().out


def page(environment: Environment, lines: list[str], _capture: Capture) -> str:
    """Return the content of the status page, as the hub's image reads hubpod's list."""
    titles = {
        each["name"]: each["title"] for each in json.loads(render(environment, login_page="", api_path=""))["needs"]
    }
    return "\n".join(
        f"{each['need']} {each['state']} {each['text']}" for each in describe(lines, titles, reasons=True)["needs"]
    )


def status_of(environment: Environment, lines: list[str]) -> Status:
    """Return the status of an instance with these answers."""
    return Status(
        environment=environment.name,
        instance="default",
        state=State.READY,
        url="",
        ports={},
        containers=(),
        answers=read_answers(environment, lines, ""),
        volumes=(),
        deploy_dir="",
        podman="5",
    )


@pytest.mark.parametrize("render_output", [up, status, prod_check, page])
@pytest.mark.parametrize("state", NeedState)
@pytest.mark.parametrize(("environment", "need"), CASES, ids=lambda each: each.name)
def test_each_need_is_in_every_output(
    environment: Environment,
    need: Need,
    state: NeedState,
    render_output: Callable[[Environment, list[str], Capture], str],
    capsys: Capture,
) -> None:
    """A need that is met is named, and one that is not or was not checked has its reason."""
    text = render_output(environment, lines_of(environment, need, state), capsys)

    assert (need.name if state is NeedState.READY else f"reason of {need.name}") in text


@pytest.mark.parametrize(("environment", "need"), CASES, ids=lambda each: each.name)
def test_a_need_without_an_answer_is_named(environment: Environment, need: Need, capsys: Capture) -> None:
    """A program that says nothing about a need does not make it pass silently."""
    lines = [line for line in lines_of(environment, need, NeedState.READY) if json.loads(line)["need"] != need.name]

    (missing,) = find_unchecked(read_answers(environment, lines, "the hub was not checked"))

    assert missing.need == need
    assert "the hub was not checked" in missing.sentence
    assert f"{need.name} not checked" in page(environment, lines, capsys)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda each: each.name)
def test_the_hubs_program_answers_each_need(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each need of an environment has a check in the hub's image, or a reason why it is made elsewhere."""
    accounts = "ada.p1" if environment.slurm.in_pod or environment.login.uses_password else ""
    needs = needs_of(environment)
    outside: Mapping[str, str] = {each.name: each.outside for each in needs if each.outside}
    hub = settings(
        accounts=accounts,
        slurm_in_pod=environment.slurm.in_pod,
        needs=tuple(each.name for each in needs),
        outside=outside,
    )
    done = hub_answers.Outcome(status=0, stdout=json.dumps(FACTS))
    monkeypatch.setattr(slurm_host, "request_replies", lambda _: Replies(account="ada.p1", check=done, jobs=done))
    for name in ("login", "api", "issuer"):
        monkeypatch.setattr(web, f"check_{name}", lambda *_, name=name: hub_answers.judge(name, ""))

    found = {each.need: each for each in program.find_answers(hub, 0, alone=False)}

    assert list(found) == [each.name for each in needs]
    assert not [each.need for each in found.values() if each.text == "not answered"]
    assert not [each.need for each in found.values() if each.state == "not ready"]


def test_names_are_unique() -> None:
    """Programs and pages know a need by its name."""
    assert len({need.name for need in NEEDS}) == len(NEEDS)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda each: each.name)
def test_status_as_json_has_every_need(environment: Environment) -> None:
    """Monitoring reads name, title, state and reason."""
    lines = lines_of(environment, needs_of(environment)[0], NeedState.NOT_READY)

    rows = status_of(environment, lines).as_dict()["needs"]

    assert [row["need"] for row in rows] == [each.name for each in needs_of(environment)]
    assert rows[0] == {
        "need": "ingress",
        "title": needs_of(environment)[0].title,
        "state": "not ready",
        "text": "reason of ingress",
    }


def test_an_unmet_need_fails_a_check_of_production() -> None:
    """prod.check exits with 7 if a need is not met, and with 0 if one cannot be checked."""
    environment = next(each for each in ENVIRONMENTS if each.name == "prod")
    need = needs_of(environment)[2]

    require_good([as_finding(each) for each in read_answers(environment, [], "no image yet")])
    lines = lines_of(environment, need, NeedState.NOT_READY)
    with pytest.raises(NotReadyError, match=f"not ready: {need.name}$") as caught:
        require_good([as_finding(each) for each in read_answers(environment, lines, "")])
    assert caught.value.exit_code == 7


def test_the_ingress_is_checked_from_outside() -> None:
    """The request from this machine, or the tunnel's log, answers for the hub's container."""
    found = read_answers(ENVIRONMENTS[0], [], "")

    assert with_ingress(found, None)[0].state is NeedState.UNCHECKED
    assert with_ingress(found, CheckResult(ready=True))[0].state is NeedState.READY
    refused = with_ingress(found, CheckResult(ready=False, reason="Connection refused"))[0]
    assert (refused.state, refused.text) == (NeedState.NOT_READY, "Connection refused")


def test_users_see_states_and_no_reasons() -> None:
    """Reasons name hosts and settings, which are for administrators."""
    lines = [json.dumps({"need": "ssh", "state": "not ready", "text": "sshHostname secret.example.org: refused"})]

    shown = describe(lines, {"ssh": "SSH"}, reasons=False)

    assert shown["state"] == "not ready"
    assert "secret.example.org" not in json.dumps(shown)
