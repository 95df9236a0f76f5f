"""Ends of starts and servers in a real hub, each with its sentence, and no job left behind."""

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from jupyterhub import orm, roles  # type: ignore[import-untyped]
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from bricsauthenticator import job_launcher, joblist

pytestmark = pytest.mark.asyncio

CHOICE = {"brics_project": "project1.portal"}
HOUR_S = 3600


@pytest_asyncio.fixture
async def server_port() -> AsyncIterator[int]:
    """The port of a web server that answers as a user's server does."""

    class Api(web.RequestHandler):
        def get(self) -> None:
            self.set_header("X-JupyterHub-Version", "6.1.1")

    bound, port = bind_unused_port()
    server = HTTPServer(web.Application([(r".*", Api)], log_function=lambda _: None))
    server.add_socket(bound)
    yield port
    server.stop()


async def begin(hub: Any, slurm: Any, until: Any) -> Any:
    """Begin to start a server, wait until Slurm was queried, and return its spawner."""
    hub.app.tornado_application.settings["slow_spawn_timeout"] = 0
    assert (await hub.submit_form(**CHOICE)).code == 302
    await until(lambda: slurm.read("asked"))
    return hub.spawner()


async def failure(spawner: Any) -> str:
    """Wait until the spawn has failed and return what the user reads."""
    await asyncio.wait({spawner._spawn_future}, timeout=10)
    return str(spawner._spawn_future.exception().jupyterhub_message)


async def report(hub: Any, slurm: Any, body: object) -> int:
    """Report a port as the job does."""
    match = re.search(r"^export JUPYTERHUB_API_TOKEN=(\w+)$", slurm.read("script"), re.MULTILINE)
    assert match
    return int((await hub.api("/batchspawner", token=match[1], body=body)).code)


async def run(
    hub: Any, slurm: Any, until: Any, port: int, answer: str = "RUNNING | None | 0 | 0:0 | 41 | localhost"
) -> Any:
    """Have a ready server, and return its spawner."""
    slurm.says(answer)
    spawner = await begin(hub, slurm, until)
    assert await report(hub, slurm, {"port": port}) == 201
    await asyncio.wait({spawner._spawn_future}, timeout=10)
    assert spawner.ready
    return spawner


@pytest.mark.parametrize(
    "case",
    [
        ("PENDING | BeginTime | 1 | 0:0 | 41 | n/a", "it waits in the queue again"),
        ("REQUEUE_HOLD | JobHeldAdmin | 1 | 0:0 | 41 | n/a", "Slurm put it back into the queue"),
        ("SPECIAL_EXIT | JobHeldAdmin | 1 | 1:0 | 41 | n/a", "Slurm holds it back"),
        ("RUNNING | None | 1 | 0:0 | 41 | localhost", "Slurm started it again"),
        ("RUNNING | None | 0 | 0:0 | 41 | other", "Slurm started it again"),
        ("COMPLETING | BeginTime | 1 | 0:15 | 41 | localhost", "Slurm put it back into the queue"),
        ("COMPLETING | TimeLimit | 1 | 0:15 | 41 | localhost", "Slurm put it back into the queue"),
        ("COMPLETING | JobHeldUser | 1 | 0:15 | 41 | n/a", "Slurm put it back into the queue"),
        ("PENDING BeginTime n/a", "it waits in the queue again"),
        ("RUNNING None other", "Slurm started it again"),
    ],
    ids=str,
)
async def test_another_run_of_the_job_ends_the_server(
    ada: Any, slurm: Any, until: Any, server_port: int, case: tuple[str, str]
) -> None:
    """A ready server whose job waits again, is held, or runs again has ended, and its job is cancelled."""
    answer, words = case
    spawner = await run(ada, slurm, until, server_port)

    slurm.says(answer)
    await spawner.poll_and_notify()
    await until(lambda: not spawner.active)

    assert words in spawner.ended
    assert words in (await ada.request("/hub/user/ada/lab")).body.decode()
    await until(lambda: slurm.read("cancelled") == "41\n")


@pytest.mark.parametrize(
    "answer", ["FAILED | NonZeroExitCode | 1 | 77:0 | 41 | localhost", "CANCELLED | None | 2 | 0:15 | 41 | n/a"]
)
async def test_a_later_run_that_has_ended_is_not_the_reason(
    ada: Any, slurm: Any, until: Any, server_port: int, answer: str
) -> None:
    """The requeue has ended the server, although the hub first queries after the end of the job's next run."""
    spawner = await run(ada, slurm, until, server_port)

    slurm.says(answer)

    assert await spawner.poll() == 1
    assert spawner.ended.startswith("Job 41 ended: Slurm put it back into the queue, and its server is gone (")
    assert "exit status" not in spawner.ended


async def test_a_restarted_hub_knows_the_run(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """The run of the job is in the database, so that another one is noticed after a restart of the hub."""
    spawner = await run(ada, slurm, until, server_port)
    state = spawner.orm_spawner.state
    assert state["job_run"] == {"node": "localhost", "restarts": 0}

    again = spawner.user._new_spawner("")
    again.load_state(state)
    again.port = server_port
    slurm.says("RUNNING | None | 2 | 0:0 | 41 | localhost")

    assert await again.poll() == 1


async def test_a_start_survives_a_requeue(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """A job that Slurm requeues before its server is ready starts the server with its next run."""
    slurm.says("RUNNING | None | 0 | 0:0 | 41 | localhost")
    spawner = await begin(ada, slurm, until)
    await until(lambda: spawner._job.status.job.node)
    for answer in ("COMPLETING | None | 1 | 0:15 | 41 | localhost", "PENDING | BeginTime | 1 | 0:0 | 41 | n/a"):
        slurm.says(answer)
        asked = len(slurm.read("asked"))
        await until(lambda asked=asked: len(slurm.read("asked")) > asked + 3 * 3)

    slurm.says("RUNNING | None | 1 | 0:0 | 41 | localhost")
    await until(lambda: spawner._job.status.job.node)
    assert await report(ada, slurm, {"port": server_port}) == 201
    await asyncio.wait({spawner._spawn_future}, timeout=10)

    assert spawner.ready
    assert spawner.get_state()["job_run"] == {"node": "localhost", "restarts": 1}


async def test_the_end_of_a_starts_second_run_has_its_own_reason(ada: Any, slurm: Any, until: Any) -> None:
    """A start that ends after a requeue has the reason of the job's last run."""
    slurm.says("PENDING | BeginTime | 1 | 0:0 | 41 | n/a")
    spawner = await begin(ada, slurm, until)

    slurm.says("FAILED | NonZeroExitCode | 1 | 3:0 | 41 | localhost")

    assert "ended before the server was ready: its command failed" in await failure(spawner)


@pytest.mark.parametrize("state", ["SUSPENDED", "STOPPED", "SIGNALING", "RESIZING", "NOVELTY"])
async def test_a_server_survives_what_leaves_its_run_alone(
    ada: Any, slurm: Any, until: Any, server_port: int, state: str
) -> None:
    """Suspension, signals and unknown states end no server."""
    spawner = await run(ada, slurm, until, server_port)

    slurm.says(f"{state} | None | 0 | 0:0 | 41 | localhost")

    assert await spawner.poll() is None


async def test_a_long_epilog_neither_hides_an_end_nor_delays_a_stop(
    ada: Any, slurm: Any, until: Any, server_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A completing job has ended, with the reason that Slurm knows already."""
    monkeypatch.setattr("bricsauthenticator.end_report.FINAL_STATE_TIMEOUT_S", 0.1)
    spawner = await run(ada, slurm, until, server_port)

    slurm.says("COMPLETING | TimeLimit | 0 | 0:15 | 41 | localhost")

    assert await spawner.poll() == 1
    assert spawner.ended.startswith("Job 41 ended: its time was over (COMPLETING, TimeLimit); it was terminated")


async def test_the_final_state_has_the_better_reason(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """The hub waits a moment for the state that a completing job will have."""
    spawner = await run(ada, slurm, until, server_port)
    slurm.says("COMPLETING | None | 0 | 0:0 | 41 | localhost")

    polling = asyncio.ensure_future(spawner.poll())
    asked = len(slurm.read("asked"))
    await until(lambda: len(slurm.read("asked")) > asked + 3)
    slurm.says("OUT_OF_MEMORY | OutOfMemory | 0 | 0:9 | 41 | localhost")

    assert await polling == 1
    assert "it ran out of memory (OUT_OF_MEMORY, OutOfMemory)" in spawner.ended


async def test_a_long_wait_in_the_queue_has_a_sentence(ada: Any, slurm: Any, until: Any, all_logs: Any) -> None:
    """The user reads how long the job has waited and why, and its job is cancelled."""
    ada.spawner().queue_timeout = 1.0
    slurm.says("PENDING | QOSMaxJobsPerUserLimit | 0 | 0:0 | 41 | n/a")

    spawner = await begin(ada, slurm, until)

    assert await failure(spawner) == (
        "Job 41 waited 1 s in the queue (QOSMaxJobsPerUserLimit): you already run as many jobs as you may."
    )
    await until(lambda: slurm.read("cancelled") == "41\n")
    assert "The server of ada has ended [hub:queue_timeout]" in all_logs.text


async def test_the_queue_takes_nothing_from_the_launch(ada: Any, slurm: Any, until: Any, server_port: int) -> None:
    """A job that has waited for longer than the launch may take still gets the whole time for it."""
    ada.spawner().launch_timeout = 0.5
    slurm.says("PENDING | Priority | 0 | 0:0 | 41 | n/a")
    spawner = await begin(ada, slurm, until)
    asked = len(slurm.read("asked"))
    await until(lambda: len(slurm.read("asked")) > asked + 3 * 12)  # at 0.05 s a query, longer than the limit

    slurm.says("RUNNING | None | 0 | 0:0 | 41 | localhost")
    await until(lambda: spawner._job.status.job.node)
    assert await report(ada, slurm, {"port": server_port}) == 201

    await asyncio.wait({spawner._spawn_future}, timeout=10)
    assert spawner.ready


async def test_a_job_without_a_report_has_a_sentence(ada: Any, slurm: Any, until: Any) -> None:
    """A running job that reports no port ends the start, with the last line of its log."""
    ada.spawner().launch_timeout = 0.3
    ada.spawner().batch_log_cmd = "echo a line of {job_id}"
    ada.spawner().batch_script = "#!/bin/bash\n#SBATCH --output=/home/p/%j.log\n{{cmd}}\n"
    slurm.says("RUNNING | None | 0 | 0:0 | 41 | localhost")

    spawner = await begin(ada, slurm, until)

    text = await failure(spawner)
    assert text.startswith("Job 41 runs on node localhost, but its server did not report a port within 0 s.")
    assert text.endswith("The job's log is /home/p/41.log; it ends with: a line of 41")


async def test_jupyterhubs_own_limit_has_a_sentence(ada: Any, slurm: Any, until: Any) -> None:
    """A start_timeout that is shorter than ours ends with a sentence, too."""
    ada.spawner().start_timeout = 1
    slurm.says("PENDING | Resources | 0 | 0:0 | 41 | n/a")

    spawner = await begin(ada, slurm, until)

    assert re.fullmatch(
        r"Job 41 waited \d s in the queue \(Resources\): waiting for a node to become free\.", await failure(spawner)
    )


async def test_jupyterhubs_own_limit_comes_last(hub_maker: Any, hub_config: Any, issuer: Any) -> None:
    """The limit of the whole start follows the site's other limits, so that a start ends with its sentence."""
    hub_config.BricsSlurmSpawner.update({"queue_timeout": 100.0, "launch_timeout": 5000.0, "answer_timeout": 30.0})
    hub = await hub_maker(hub_config)
    await hub.login(issuer.mint())

    assert hub.spawner().start_timeout > 5130


async def test_a_refused_report_ends_the_start(
    ada: Any, slurm: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that the hub refuses ends the start within seconds, unless a valid one follows."""
    monkeypatch.setattr("bricsauthenticator.startup.REFUSAL_GRACE_S", 0.2)
    slurm.says("RUNNING | None | 0 | 0:0 | 41 | localhost")
    spawner = await begin(ada, slurm, until)

    assert await report(ada, slurm, {"port": 80}) == 400

    assert "JupyterHub refused the report of job 41: The report must be" in await failure(spawner)
    await until(lambda: slurm.read("cancelled") == "41\n")


async def test_the_event_stream_has_the_reason_once(ada: Any, slurm: Any, until: Any) -> None:
    """The last event is the failure, and no event before has the same sentence."""
    spawner = await begin(ada, slurm, until)
    token, received = ada.user_token(), bytearray()
    stream = asyncio.create_task(
        ada.api("/users/ada/server/progress", method="GET", token=token, reader=received.extend)
    )
    await until(lambda: b"data: " in received)

    slurm.says("FAILED | NonZeroExitCode | 0 | 127:0 | 41 | n1")
    await stream

    events = [json.loads(line[6:]) for line in received.decode().split("\n") if line.startswith("data: ")]
    assert events[-1]["message"].count("its command failed") == 1
    assert "a command was not found (exit status 127)" in events[-1]["message"]
    assert not [event for event in events[:-1] if "ended" in event["message"]]
    assert spawner.ended in events[-1]["message"]


async def test_the_page_of_a_failed_start_is_not_that_of_a_start(ada: Any, slurm: Any, until: Any) -> None:
    """The page of a start reloads itself after a failure, and then has the reason and a button to start again."""
    await begin(ada, slurm, until)
    pending = (await ada.request("/hub/spawn-pending/ada")).body.decode()
    assert "window.location.reload()" in pending.partition("MutationObserver")[2]
    slurm.says("TIMEOUT | TimeLimit | 0 | 0:0 | 41 | n1")
    await failure(ada.spawner())

    page = (await ada.request("/hub/spawn-pending/ada")).body.decode()

    assert page.count("its time was over (TIMEOUT, TimeLimit)") == 1
    assert "Spawn failed" in page
    assert "Relaunch" in page
    assert "starting up" not in page


@pytest.mark.parametrize("phase", ["queued", "ready", "none"])
async def test_a_user_can_be_deleted(ada: Any, slurm: Any, until: Any, server_port: int, phase: str) -> None:
    """Deleting a user ends a server that starts or is ready, and cancels its job."""
    if phase == "queued":
        await begin(ada, slurm, until)
    elif phase == "ready":
        await run(ada, slurm, until, server_port)
    ada.app.db.add(orm.User(name="root", admin=True))
    ada.app.db.commit()
    admin = ada.app.users["root"]
    roles.assign_default_roles(ada.app.db, entity=admin.orm_user)

    answer = await ada.api("/users/ada", method="DELETE", token=str(admin.new_api_token(scopes=["admin:users"])))

    assert answer.code == 204, answer.body
    assert [user.name for user in ada.app.users.values()] == ["root"]
    if phase != "none":
        await until(lambda: slurm.read("cancelled") == "41\n")


async def test_running_servers_cost_one_query_in_the_interval(
    ada: Any, slurm: Any, until: Any, server_port: int
) -> None:
    """Where jobs cannot be listed together, an answer about a running server is used again."""
    joblist.shared_list.cache_clear()
    slurm.put("fault", 'case "$*" in *JOB_ID=all*) echo "must hold one job id" >&2; exit 2 ;; esac\n')
    spawner = await run(ada, slurm, until, server_port)
    spawner.idle_query_interval = HOUR_S
    asked = slurm.read("asked")

    assert [await spawner.poll() for _ in range(5)] == [None] * 5
    assert slurm.read("asked") == asked

    spawner.idle_query_interval = 0
    await spawner.poll()
    assert len(slurm.read("asked")) > len(asked)


class Hub:
    """A hub's API that answers a report with one status."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.reports: list[tuple[str, str]] = []

    def start(self) -> str:
        """Begin to serve and return the URL of the API."""
        hub = self

        class Report(web.RequestHandler):
            def post(self) -> None:
                hub.reports.append((self.request.headers["Authorization"], self.request.body.decode()))
                self.set_status(hub.status)
                self.finish("The server is not waiting for its port.")

        bound, port = bind_unused_port()
        HTTPServer(web.Application([(r"/hub/api/batchspawner", Report)], log_function=lambda _: None)).add_socket(bound)
        return f"http://127.0.0.1:{port}/hub/api"


async def launch(home: Path, url: str, *command: str) -> tuple[int | None, str, str]:
    """Run the launcher as a job does, in the home of a user with hostile files and variables."""
    (home / ".netrc").write_text("default login kim password x\n")
    for name in ("sitecustomize.py", "usercustomize.py", "json.py", "ssl.py"):
        (home / name).write_text("raise SystemExit('not for the report')\n")
    variables = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"), "http://127.0.0.1:9")
    bundles = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"), "/nowhere")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(home),
        "PYTHONPATH": str(home),
        "JUPYTERHUB_API_URL": url,
        "JUPYTERHUB_API_TOKEN": "secret",
        "JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:0/user/ada/",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        job_launcher.__file__,
        *command,
        cwd=home,
        env=environment | variables | bundles,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_the_launcher_reports_a_port_and_becomes_the_server(tmp_path: Path) -> None:
    """The user's files and proxies do not reach the report, and the server gets them unchanged."""
    hub = Hub(201)

    status, out, err = await launch(
        tmp_path, hub.start(), "sh", "-c", 'echo "$JUPYTERHUB_SERVICE_URL $http_proxy $PYTHONPATH $0"', "argument"
    )

    assert (status, err) == (0, "")
    [(authorization, body)] = hub.reports
    port = json.loads(body)["port"]
    assert authorization == "token secret"
    assert out == f"http://0.0.0.0:{port}/user/ada/ http://127.0.0.1:9 {tmp_path} argument\n"


@pytest.mark.parametrize("refusal", [400, 403, 409])
async def test_the_launcher_ends_the_job_of_a_refused_report(tmp_path: Path, refusal: int) -> None:
    """A refusal is printed into the job's log, and has an exit status of its own."""
    status, _, err = await launch(tmp_path, Hub(refusal).start(), "true")

    assert status == job_launcher.HUB_REFUSED
    assert err == (
        f"jupyterhub: the hub refused the report of the port with HTTP {refusal}: "
        "The server is not waiting for its port.\n"
    )


async def test_the_launcher_ends_the_job_without_a_hub(tmp_path: Path) -> None:
    """A hub that cannot be reached is named with its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/hub/api"

    status, _, err = await launch(tmp_path, url, "true")

    assert status == job_launcher.HUB_UNREACHABLE
    assert err.startswith(f"jupyterhub: the hub cannot be reached at {url}: ")


async def test_the_launcher_names_a_missing_server(tmp_path: Path) -> None:
    """A server that the environment lacks is named, and nothing is reported."""
    hub = Hub(201)

    status, _, err = await launch(tmp_path, hub.start(), "no-such-server")

    assert status == job_launcher.NOT_FOUND
    assert err.startswith("jupyterhub: no-such-server is not in PATH: ")
    assert not hub.reports
