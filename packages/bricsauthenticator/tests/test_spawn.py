"""Servers of a real hub as jobs of a Slurm that is made of small scripts."""

import asyncio
import copy
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from batchspawner import JobStatus  # type: ignore[import-untyped]
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from bricsauthenticator import pending_cancellations
from bricsauthenticator.jobscript import LAUNCH

pytestmark = pytest.mark.asyncio

CHOICE = {"brics_project": "project1.portal"}


@pytest_asyncio.fixture
async def server_port() -> AsyncIterator[int]:
    """The port of a web server that answers as a user's server does."""

    class Api(web.RequestHandler):
        def get(self) -> None:
            self.set_header("X-JupyterHub-Version", "6.1.1")
            self.write("{}")

    socket, port = bind_unused_port()
    server = HTTPServer(web.Application([(r".*", Api)], log_function=lambda _: None))
    server.add_socket(socket)
    yield port
    server.stop()


def token_in(slurm: Any) -> str:
    """Return the token that the job gets."""
    match = re.search(r"^export JUPYTERHUB_API_TOKEN=(\w+)$", slurm.read("script"), re.MULTILINE)
    assert match
    return match[1]


async def start(hub: Any, slurm: Any, until: Any, **options: str) -> None:
    """Begin to start a server through the form and wait until its job is submitted."""
    hub.app.tornado_application.settings["slow_spawn_timeout"] = 0
    answer = await hub.submit_form(**(CHOICE | options))
    assert answer.code == 302, answer.body.decode()
    await until(lambda: hub.spawner().job_id and slurm.read("asked"))


async def report(hub: Any, slurm: Any, body: object) -> int:
    """Report a port as the job does."""
    return int((await hub.api("/batchspawner", token=token_in(slurm), body=body)).code)


async def outcome(hub: Any) -> BaseException | None:
    """Wait until the spawn is over and return how it failed, if it did."""
    future = hub.spawner()._spawn_future
    if future is None:
        return None
    await asyncio.wait({future}, timeout=5)
    error: BaseException | None = future.exception()
    return error


async def run(hub: Any, slurm: Any, until: Any, server_port: int) -> None:
    """Have a server whose job runs and has reported its port."""
    slurm.says("RUNNING None localhost")
    await start(hub, slurm, until)
    await report(hub, slurm, {"port": server_port})
    await outcome(hub)


async def test_a_server_starts_as_a_job_of_the_chosen_project(
    ada: Any, slurm: Any, until: Any, server_port: int
) -> None:
    """The job runs as the project's account with the chosen options.

    Its node and port become the server's.
    """
    await start(ada, slurm, until, runtime="02:00:00", ngpus="2", partition="gpu")
    slurm.says("RUNNING None localhost")
    assert await report(ada, slurm, {"port": server_port}) == 201
    assert await outcome(ada) is None

    script = slurm.read("script")
    assert script.startswith(
        "#!/bin/bash\n#SBATCH --chdir=/home/project1/ada.project1\n#SBATCH --time=02:00:00\n#SBATCH --gpus=2\n"
        "#SBATCH --partition=gpu\n#SBATCH --comment=project1\n#SBATCH --no-requeue\n"
        '#SBATCH --comment="project1 jupyterhub-'
    )
    account = ("USER=ada.project1", "LOGNAME=ada.project1", "HOME=/home/project1/ada.project1", "SHELL=/bin/bash")
    assert "".join(f"export {variable}\n" for variable in account) in script
    assert f"{LAUNCH} jupyterhub-singleuser" in script
    assert slurm.read("account") == "ada.project1\n"
    assert ada.spawner().server.ip == "localhost"
    assert ada.spawner().server.port == server_port


@pytest.mark.parametrize(
    ("listed", "slurm_host"), [("127.0.0.1", ""), ("127.0.0.1", "localhost"), ("127.0.0.3", "127.0.0.1:22")]
)
async def test_the_address_of_the_node_comes_from_slurm(  # noqa: PLR0913, PLR0917 - fixtures
    ada: Any, slurm: Any, until: Any, server_port: int, listed: str, slurm_host: str
) -> None:
    """A node's name is not resolved, because another program may serve it; loopback means the Slurm host."""
    ada.spawner().slurm_host = slurm_host
    slurm.put("check", json.dumps({"slurmspawner_checks": 1, "address": listed}) + "\n")
    await start(ada, slurm, until)
    slurm.says("RUNNING None node-of-others.invalid")
    assert await report(ada, slurm, {"port": server_port}) == 201
    assert await outcome(ada) is None

    assert ada.spawner().server.ip == "127.0.0.1"


async def test_the_address_of_the_node_is_awaited(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """While Slurm does not answer, the node's name is not resolved either."""
    slurm.put("check", json.dumps({"slurmspawner_checks": 1, "address": ""}) + "\n")
    await start(ada, slurm, until)
    slurm.says("RUNNING None localhost")
    assert await report(ada, slurm, {"port": server_port}) == 201
    await until(lambda: slurm.read("checked").count("localhost") > 1)
    assert not ada.spawner()._job.startup.address

    slurm.put("check", json.dumps({"slurmspawner_checks": 1, "address": "127.0.0.1"}) + "\n")

    assert await outcome(ada) is None
    assert ada.spawner().server.ip == "127.0.0.1"


async def test_an_empty_option_keeps_the_sites_value(ada: Any, slurm: Any, until: Any) -> None:
    """An empty field of the form does not override the site's configuration."""
    ada.spawner().req_partition = "notebooks"

    await start(ada, slurm, until, partition="")

    assert "#SBATCH --partition=notebooks\n" in slurm.read("script")


async def test_the_token_is_in_the_script_only(
    ada: Any, slurm: Any, until: Any, server_port: int, all_logs: Any
) -> None:
    """No argument list, no process environment and no log at any level holds the server's token."""
    await start(ada, slurm, until)
    slurm.says("RUNNING None localhost")
    await report(ada, slurm, {"port": server_port})
    await outcome(ada)

    token = token_in(slurm)
    assert token not in slurm.read("argv")
    assert token not in slurm.read("ssh_env")
    assert token not in all_logs.text
    assert "JUPYTERHUB" not in slurm.read("ssh_env")


async def test_the_port_report_wakes_the_spawn_at_once(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """A reported port makes the server ready at once, even with an hour between queries."""
    slurm.says("RUNNING None localhost")
    await start(ada, slurm, until)
    await until(lambda: ada.spawner()._job.status.job.node)
    ada.spawner().startup_poll_interval = 3600.0

    await report(ada, slurm, {"port": server_port})

    assert await outcome(ada) is None


async def test_the_port_report_triggers_a_query_for_the_node(
    ada: Any, slurm: Any, until: Any, server_port: int
) -> None:
    """A reported port causes a query of the job at once, even with an hour between queries."""
    ada.spawner().startup_poll_interval = 3600.0
    await start(ada, slurm, until)
    await until(lambda: ada.spawner()._job.status.job.state == "PENDING")
    slurm.says("RUNNING None localhost")

    await report(ada, slurm, {"port": server_port})

    assert await outcome(ada) is None
    assert ada.spawner().server.ip == "localhost"


async def test_progress_events_describe_each_change_once(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """Each change is one event, with a sentence and with Slurm's own words."""
    await start(ada, slurm, until)
    events: list[dict[str, Any]] = []

    async def watch() -> None:
        events.extend([event async for event in ada.spawner().progress()])

    watching = asyncio.create_task(watch())
    await until(lambda: len(ada.spawner()._job.events._events) >= 2)
    slurm.says("RUNNING None localhost")
    await until(lambda: ada.spawner()._job.status.job.node)
    await report(ada, slurm, {"port": server_port})
    await watching

    assert [event["message"] for event in events] == [
        "Job 41 is submitted",
        "Job 41 is queued (Priority): other jobs are in front of it…",
        "Job 41 is starting on node localhost…",
        "Job 41 is ready on node localhost",
    ]
    assert events[1]["slurm"] == {"job_id": "41", "state": "PENDING", "reason": "Priority", "node": ""}
    assert events[2]["slurm"] == {"job_id": "41", "state": "RUNNING", "reason": "", "node": "localhost"}
    assert [event["progress"] for event in events] == sorted(event["progress"] for event in events)


async def test_a_job_that_dies_fails_the_spawn_with_slurms_reason(ada: Any, slurm: Any, until: Any) -> None:
    """The user reads Slurm's state and reason on the page as soon as Slurm knows them."""
    await start(ada, slurm, until)

    slurm.says("FAILED NonZeroExitCode node1")
    await outcome(ada)

    page = await ada.request("/hub/spawn-pending/ada")
    assert page.code == 503
    assert "its command failed (FAILED, NonZeroExitCode)" in page.body.decode()
    assert not slurm.read("cancelled")


async def test_a_job_that_dies_before_its_server_listens_fails_the_spawn(ada: Any, slurm: Any, until: Any) -> None:
    """A job that ends between the report of its port and its server fails the spawn.

    The spawn fails as soon as Slurm reports the end.
    """
    await start(ada, slurm, until)
    socket, unused = bind_unused_port()
    socket.close()
    slurm.says("RUNNING None localhost")
    assert await report(ada, slurm, {"port": unused}) == 201

    slurm.says("FAILED NonZeroExitCode localhost")
    await outcome(ada)

    page = await ada.request("/hub/spawn-pending/ada")
    assert page.code == 503
    assert "its command failed (FAILED, NonZeroExitCode)" in page.body.decode()


async def test_the_progress_stream_ends_with_the_reason(ada: Any, slurm: Any, until: Any) -> None:
    """The REST API's event stream ends with the reason of the failure."""
    await start(ada, slurm, until)
    token, received = ada.user_token(), bytearray()
    stream = asyncio.create_task(
        ada.api("/users/ada/server/progress", method="GET", token=token, reader=received.extend)
    )
    await until(lambda: b"data: " in received)  # a spawn that is over has no stream

    slurm.says("TIMEOUT TimeLimit node1")
    await stream

    lines = received.decode().split("\n")
    last = json.loads([line for line in lines if line.startswith("data: ")][-1].removeprefix("data: "))
    assert last["failed"]
    assert "its time was over (TIMEOUT, TimeLimit)" in last["message"]


async def test_the_user_reads_slurms_refusal(ada: Any, slurm: Any) -> None:
    """The message of a failed submission reaches the user."""
    slurm.put("refusal", "sbatch: error: Batch job submission failed: Invalid partition name specified\n")

    await ada.submit_form(**CHOICE)
    await outcome(ada)

    page = await ada.request("/hub/spawn-pending/ada")
    assert page.code == 503
    assert "Invalid partition name specified" in page.body.decode()


async def test_a_complaint_that_repeats_the_script_shows_no_token(ada: Any, slurm: Any, all_logs: Any) -> None:
    """A token is taken out before a long complaint is cut, so not even its end is left."""
    script, rest = slurm.directory / "script", "x" * 285
    slurm.put("fault", f"cat >{script}; grep JUPYTERHUB_API_TOKEN {script}; echo {rest}; exit 1\n")

    await ada.submit_form(**CHOICE)
    await outcome(ada)

    shown = (await ada.request("/hub/spawn-pending/ada")).body.decode() + all_logs.text
    assert rest in shown
    assert token_in(slurm)[-8:] not in shown


FAULTS = [
    "cat >/dev/null; echo 'ssh: connect to host localhost port 22: Connection refused' >&2; exit 255\n",
    "echo 'sudo: a password is required' >&2; exit 1\n",
    "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1\n",
    "echo FAILED; exit 255\n",
    "exec sleep 60\n",
]


@pytest.mark.parametrize("fault", FAULTS, ids=["refused", "sudo", "controller", "cut", "black hole"])
async def test_a_failed_query_does_not_end_a_server(
    ada: Any, slurm: Any, until: Any, server_port: int, fault: str
) -> None:
    """While Slurm cannot be reached, a server counts as alive, and the next poll queries again."""
    await run(ada, slurm, until, server_port)
    usual_s = ada.spawner().command_timeout
    ada.spawner().command_timeout = 0.3

    slurm.put("fault", fault)
    assert await ada.spawner().poll() is None
    slurm.heal()
    ada.spawner().command_timeout = usual_s
    assert await ada.spawner().poll() is None
    slurm.forgets()
    assert await ada.spawner().poll() == 1


async def test_an_unreachable_slurm_is_logged_once(
    ada: Any, slurm: Any, until: Any, server_port: int, all_logs: Any
) -> None:
    """The log has one warning when Slurm becomes unreachable, and one line for the next answer."""
    await run(ada, slurm, until, server_port)
    for times in (1, 2):
        slurm.put("fault", FAULTS[0])
        await ada.spawner().poll()
        await ada.spawner().poll()
        slurm.heal()
        assert [each.levelname for each in all_logs.records if "does not say" in each.message].count("WARNING") == times
        answers = all_logs.text.count("Job 41 of ada: ")
        await ada.spawner().poll()
        assert all_logs.text.count("Job 41 of ada: ") == answers + 1


async def test_the_list_of_all_jobs_serves_all_servers(ada: Any, slurm: Any) -> None:
    """Several servers share one query, and only a job that is not listed is queried alone."""
    first, second = (ada.app.users["ada"]._new_spawner("") for _ in range(2))
    first.job_id, second.job_id = "41", "42"
    first.req_username = second.req_username = "ada.project1"
    slurm.says("RUNNING None alone")
    slurm.put("all", "41 RUNNING None localhost\n42 PENDING Priority n/a\n")

    assert [await first.poll(), await second.poll(), await first.poll()] == [None, None, None]
    assert (first._job.status.job.node, second._job.status.job.reason) == ("localhost", "Priority")
    assert slurm.read("asked") == "41\n"  # the first one alone, when it was the only one

    slurm.put("all", "42 PENDING Priority n/a\n")
    slurm.says("FAILED NonZeroExitCode node1")
    assert await first.query_job_status() is JobStatus.NOTFOUND
    assert slurm.read("asked") == "41\n41\n"


async def test_the_page_of_an_ended_server_shows_the_reason(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """The page of a server that Slurm ended has Slurm's reason, until there is a server again."""
    await run(ada, slurm, until, server_port)
    slurm.says("TIMEOUT TimeLimit node1")

    await ada.spawner().poll_and_notify()

    page = await ada.request("/hub/user/ada/lab")
    assert page.code == 424
    assert "Job 41 ended: its time was over (TIMEOUT, TimeLimit)." in page.body.decode()
    assert ada.spawner().orm_spawner.state == {"ended": ada.spawner().ended}
    await run(ada, slurm, until, server_port)
    assert ada.spawner().ended == ""


async def test_a_server_that_was_stopped_has_no_reason(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """Who stops a server knows why it ended."""
    await run(ada, slurm, until, server_port)

    await ada.api("/users/ada/server", method="DELETE", token=ada.user_token())
    await until(lambda: not ada.spawner().active)

    page = (await ada.request("/hub/user/ada/lab")).body.decode()
    assert "not running" in page
    assert "Job 41" not in page


async def test_a_spawn_survives_a_transient_fault(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """A controller that is away for a moment does not fail the spawn."""
    await start(ada, slurm, until)
    slurm.put("fault", FAULTS[2])
    await until(lambda: "does not answer" in ada.spawner()._job.events._events[-1]["message"])
    slurm.heal()
    slurm.says("RUNNING None localhost")

    await report(ada, slurm, {"port": server_port})

    assert await outcome(ada) is None


async def test_a_spawn_that_takes_too_long_cancels_its_job(ada: Any, slurm: Any, until: Any) -> None:
    """After start_timeout the job is cancelled, and nothing is left to stop."""
    ada.spawner().start_timeout = 1

    await start(ada, slurm, until)
    await outcome(ada)

    assert slurm.read("cancelled").startswith("41\n")
    assert ada.spawner().job_id == ""


async def test_an_unreachable_server_fails_the_spawn(ada: Any, slurm: Any, until: Any) -> None:
    """After answer_timeout the job is cancelled and the user reads the reason."""
    ada.spawner().answer_timeout = 1
    slurm.says("RUNNING None localhost")
    socket, unused = bind_unused_port()
    socket.close()
    await start(ada, slurm, until)
    await report(ada, slurm, {"port": unused})

    error = await outcome(ada)

    assert isinstance(error, web.HTTPError)
    assert error.log_message == "Job 41 runs on node localhost, but its server did not answer within 1 s."
    assert slurm.read("cancelled").startswith("41\n")


async def test_a_submission_that_outlasts_the_spawn_is_cancelled(ada: Any, slurm: Any, until: Any) -> None:
    """The job is cancelled even if sbatch answers after the spawn was given up."""
    ada.spawner().start_timeout = 1
    slurm.put("fault", f"while [ -e {slurm.directory}/fault ]; do sleep 0.02; done\n")
    await ada.submit_form(**CHOICE)
    spawner = ada.spawner()
    await until(lambda: spawner._job.events._ended)

    slurm.heal()
    await outcome(ada)

    assert slurm.read("cancelled").startswith("41\n")


async def test_a_stop_during_the_start_ends_the_job_of_a_slow_slurm(ada: Any, slurm: Any, until: Any) -> None:
    """A stop during the start ends the server and its job, also when Slurm is slow."""
    await start(ada, slurm, until)
    slurm.put("fault", f"while [ -e {slurm.directory}/fault ]; do sleep 0.02; done\n")
    stop = asyncio.ensure_future(ada.api("/users/ada/server", method="DELETE", token=ada.user_token()))
    await until(lambda: stop.done() or ada.spawner()._stop_pending)

    slurm.heal()
    answer = await stop

    assert answer.code in {202, 204}, answer.body.decode()
    await until(lambda: not ada.spawner().active)
    assert ada.spawner().server is None
    assert slurm.read("cancelled").startswith("41\n")


async def test_stopping_cancels_the_job_once(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """A stop cancels the job and waits until Slurm reports its end.

    A second stop does nothing.
    """
    await run(ada, slurm, until, server_port)
    spawner = ada.spawner()

    await spawner.stop()
    spawner.clear_state()
    await spawner.stop()

    assert slurm.read("cancelled") == "41\n"


async def test_a_stop_waits_until_the_job_is_gone(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """The stop queries a job that ends slowly until it has ended."""
    await run(ada, slurm, until, server_port)
    slurm.put("fault", f'case "$*" in *scancel*) : >{slurm.directory}/cancelling; exit 0 ;; esac\n')

    stop = asyncio.create_task(ada.spawner().stop())
    await until((slurm.directory / "cancelling").exists)
    asked = len(slurm.read("asked"))
    await until(lambda: len(slurm.read("asked")) > asked)
    assert not stop.done()

    slurm.says("CANCELLED None localhost")
    await stop


async def test_cancelling_is_retried_until_slurm_accepts_it(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """A server that is stopped while Slurm cannot be reached leaves no job behind."""
    await run(ada, slurm, until, server_port)
    spawner = ada.spawner()
    spawner.stop_timeout = 0.2
    slurm.put("fault", FAULTS[0])

    await spawner.stop()
    spawner.clear_state()
    assert not slurm.read("cancelled")
    slurm.heal()

    await until(lambda: slurm.read("cancelled") == "41\n")


async def test_a_stop_is_saved_before_slurm_answers(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """A hub that dies while Slurm is silent has in its database what the user wanted to end."""
    await run(ada, slurm, until, server_port)
    spawner = ada.spawner()
    spawner.poll_interval = 0  # no answer is recent enough
    slurm.put("fault", f"while [ ! -e {slurm.directory}/healed ]; do sleep 0.05; done\n")

    stop = asyncio.create_task(spawner.user.stop())
    await until(lambda: pending_cancellations.from_state(spawner.orm_spawner.state))

    assert [leftover.job_id for leftover in pending_cancellations.from_state(spawner.orm_spawner.state)] == ["41"]
    slurm.put("healed", "")
    await stop
    assert slurm.read("cancelled") == "41\n"


async def test_a_restarted_hub_queries_the_job_as_its_account(ada: Any, slurm: Any, until: Any) -> None:
    """The job id and the account are in the database while the job waits.

    A restarted hub needs nothing else to query the job.
    """
    await start(ada, slurm, until)
    state = ada.spawner().orm_spawner.state
    user = next(user for user in ada.app.users.values() if user.name == "ada")

    again = user._new_spawner("")
    again.load_state(state)
    (slurm.directory / "account").unlink()

    assert state["job_id"] == "41"
    assert await again.poll() is None
    await until(lambda: slurm.read("account") == "ada.project1\n")  # the start queries at the same time


async def test_each_spawn_has_the_account_of_its_own_project(ada: Any, slurm: Any, until: Any) -> None:
    """Nothing of the last spawn's project is left in the next one."""
    await start(ada, slurm, until, partition="gpu")
    slurm.says("FAILED None node1")
    await outcome(ada)
    slurm.says("PENDING None n/a")

    await start(ada, slurm, until, brics_project="project2.portal")
    await until(lambda: "project2" in slurm.read("script"))

    assert slurm.read("account") == "ada.project2\n"
    assert "project1" not in slurm.read("script")
    assert "partition" not in slurm.read("script")


@pytest.mark.parametrize(
    "fields",
    [
        {"brics_project": "project3.portal"},
        {"ngpus": "9"},
        {"runtime": "00:00:00"},
        {"partition": "a\n#SBATCH -p b"},
        {"reservation": "a b"},
        {"runtime": "24:00:01"},
        {"ngpus": "-1"},
        *({name: "id"} for name in ("cmd", "prologue", "req_prologue", "homedir", "account", "options", "env")),
    ],
    ids=str,
)
async def test_form_and_rest_api_refuse_the_same(ada: Any, slurm: Any, fields: dict[str, str]) -> None:
    """Form and REST API answer an invalid choice with 400 and submit no job."""
    by_form = await ada.submit_form(**(CHOICE | fields))
    by_api = await ada.api("/users/ada/server", token=ada.user_token(), body=CHOICE | fields)

    assert (by_form.code, by_api.code) == (400, 400)
    sentence = json.loads(by_api.body)["message"]
    assert sentence.endswith(".")
    assert sentence.split("'")[0] in by_form.body.decode()
    assert not slurm.read("argv")


async def test_many_clicks_are_one_spawn(ada: Any, slurm: Any, until: Any) -> None:
    """Simultaneous requests for one server start it once, without a server error."""
    ada.app.tornado_application.settings["slow_spawn_timeout"] = 0
    token = ada.user_token()

    by_api = await asyncio.gather(*(ada.api("/users/ada/server", token=token, body=CHOICE) for _ in range(5)))
    by_form = await asyncio.gather(*(ada.submit_form(**CHOICE) for _ in range(3)))
    await until(lambda: ada.spawner().job_id)

    assert {answer.code for answer in by_api} == {202}
    assert {answer.code for answer in by_form} == {400}  # JupyterHub's own word for what is pending already
    assert slurm.read("last") == "41\n"


async def test_many_clicks_on_the_form_are_one_spawn(ada: Any, slurm: Any, until: Any) -> None:
    """Two clicks redirect to the page of the one starting server, or report that it is starting."""
    ada.app.tornado_application.settings["slow_spawn_timeout"] = 0

    answers = await asyncio.gather(*(ada.submit_form(**CHOICE) for _ in range(3)))
    await until(lambda: ada.spawner().job_id)

    assert {302} <= {answer.code for answer in answers} <= {302, 400}
    assert slurm.read("last") == "41\n"


async def test_a_busy_hub_refuses_the_same(ada: Any, slurm: Any) -> None:
    """A hub too busy to wait for a spawn answers invalid options with 400 and a sentence."""
    ada.app.tornado_application.settings["slow_spawn_timeout"] = 0
    bad = {"brics_project": "project1.portal", "ngpus": "9"}

    given = await ada.api("/users/ada/server", token=ada.user_token(), body=bad)
    ada.spawner().orm_spawner.user_options = bad
    remembered = await ada.api("/users/ada/server", token=ada.user_token())

    assert (given.code, remembered.code) == (400, 400)
    assert json.loads(given.body)["message"] == "The number of GPUs must be from 0 to 4."
    assert json.loads(remembered.body)["message"] == "The number of GPUs must be from 0 to 4."
    assert ada.spawner().pending is None
    assert not slurm.read("argv")


async def test_another_user_learns_nothing_about_options(ada: Any, issuer: Any) -> None:
    """A user without permission to start the server is refused before the options are checked."""
    resource = {"name": "brics.slurm.cluster", "username": "bob.project1"}
    projects = {"project1.portal": {"name": "Project 1", "resources": [resource]}}
    ada.cookies.clear()
    await ada.login(issuer.mint(short_name="bob", projects=projects))
    token = ada.user_token("bob")

    assert (await ada.api("/users/ada/server", token=token, body={"ngpus": "9"})).code == 404
    assert (await ada.api("/users/ada/server", token="nobody", body={"ngpus": "9"})).code == 403


async def test_options_are_optional_in_the_rest_api(ada: Any, slurm: Any, until: Any) -> None:
    """An option missing in a request has the form's default."""
    ada.app.tornado_application.settings["slow_spawn_timeout"] = 0
    answer = await ada.api("/users/ada/server", token=ada.user_token(), body=CHOICE)
    await until(lambda: slurm.read("script"))

    assert answer.code == 202
    assert "#SBATCH --time=01:00:00\n#SBATCH --gpus=1\n" in slurm.read("script")


async def test_the_form_shows_the_users_projects(ada: Any) -> None:
    """The spawn page offers exactly the projects of this platform, with their names escaped."""
    page = (await ada.request("/hub/spawn")).body.decode()

    assert "Project &lt;b&gt;1&lt;/b&gt; (project1.portal)" in page
    assert "project2.portal" in page
    assert "project3.portal" not in page


REPORTS: list[Any] = [
    {"exec_prefix": "id"},
    {"port": 40000, "batch_query_cmd": "id"},
    {"req_username": "root"},
    {"job_id": "1"},
    *({"port": 40000, name: "192.0.2.7"} for name in ("ip", "address", "host", "url", "server", "job_exec_host")),
    {"port": 40000, "cmd": ["id"], "environment": {"PATH": "/own"}, "api_token": "1"},
    {"port": 40000, "Port": 40000},
    *({"port": port} for port in (0, 22, 1023, 8000, 8001, 8081, 65536, 70000, 10**400, -1)),
    *({"port": port} for port in ("80", "40000", " 40000", True, None, 40000.5, 40000.0, [40000], {"port": 40000})),
    [40000],
    [{"port": 40000}],
    {},
    40000,
    "port",
]
REPORTABLE = (
    "exec_prefix",
    "batch_query_cmd",
    "req_username",
    "job_id",
    "ip",
    "port",
    "cmd",
    "environment",
    "api_token",
)


async def test_a_job_can_report_its_port_and_nothing_else(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """Anything but one unprivileged port is answered with 400 and changes nothing."""
    await start(ada, slurm, until)
    spawner = ada.spawner()
    before = {name: copy.copy(getattr(spawner, name)) for name in REPORTABLE}

    assert {await report(ada, slurm, body) for body in REPORTS} == {400}

    assert {name: getattr(spawner, name) for name in REPORTABLE} == before
    assert spawner.port == 0
    other = await ada.api("/batchspawner", token=ada.user_token(), body={"port": server_port})
    assert other.code == 403
    slurm.says("RUNNING None localhost")
    assert await report(ada, slurm, {"port": server_port}) == 201
    await outcome(ada)
    assert await report(ada, slurm, {"port": server_port}) == 409


async def test_the_job_script_is_valid_shell(ada: Any, slurm: Any, until: Any) -> None:
    """A real shell accepts the script that is submitted."""
    await start(ada, slurm, until)

    check = await asyncio.create_subprocess_exec("/bin/bash", "-n", slurm.directory / "script")
    assert await check.wait() == 0
