"""Ready means that a notebook can be spawned: one fault at a time on a real pod, and in production's settings."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from hubpod.podman.cli import Podman
from hubpod_harness.attack.transport import Request, send
from hubpod_harness.external_services import ISSUER
from support.external_services import ExternalServices
from support.instances import CommandResult, RunningInstance, running_instance

Deploy = Callable[[str], tuple[RunningInstance, tuple[str, ...]]]

BIN = "/opt/jupyter/slurmspawner_wrappers/bin"
HOME = "/home/project1/testuser.project1"
CONDA = "/opt/jupyter/miniforge3"


@pytest.fixture(scope="module")
def pod(podman: Podman) -> Iterator[RunningInstance]:
    """Bring up an instance whose faults no other test shares."""
    with running_instance(podman) as running:
        yield running


def on_slurm_host(pod: RunningInstance, script: str) -> None:
    """Run a script as root with all privileges, on a file system that can be written."""
    name = pod.podman_name("slurm")
    done = pod.podman.run(
        "exec", "--privileged", name, "sh", "-euc", f"mount -o remount,rw,bind /; {script}", check=False
    )
    assert done.ok, done.stderr


def needs(pod: RunningInstance) -> dict[str, tuple[str, str]]:
    """Return state and reason of each need, as `status --json` prints them."""
    return {each["need"]: (each["state"], each["text"]) for each in pod.status["needs"]}


@contextmanager
def fault(pod: RunningInstance, script: str, undo: str) -> Iterator[None]:
    """Cause a fault for the block."""
    on_slurm_host(pod, script)
    try:
        yield
    finally:
        on_slurm_host(pod, undo)


def control(text: str) -> str:
    """Return a script that changes Slurm, and waits for it."""
    return f"scontrol update {text}"


RULES = "sed -i.before '/^jupyterspawner ALL/d' /etc/sudoers", "cat /etc/sudoers.before >/etc/sudoers"
FAULTS = {
    "drained node": (control("nodename=ALL state=drain reason=x"), control("nodename=ALL state=resume")),
    "partition down": (control("partition=workq state=down"), control("partition=workq state=up")),
    "partition drained": (control("partition=workq state=drain"), control("partition=workq state=up")),
    "wrapper not executable": (f"chmod 644 {BIN}/slurmspawner_sbatch", f"chmod 755 {BIN}/slurmspawner_sbatch"),
    "wrapper of another owner": (f"chown 1001 {BIN}/slurmspawner_scancel", f"chown 0 {BIN}/slurmspawner_scancel"),
    "wrapper missing": (f"mv {BIN}/slurmspawner_sbatch {BIN}/x", f"mv {BIN}/x {BIN}/slurmspawner_sbatch"),
    "squeue not executable": (f"chmod 644 {BIN}/slurmspawner_squeue", f"chmod 755 {BIN}/slurmspawner_squeue"),
    "sudo without rules": RULES,
    "prefix missing": (f"mv {CONDA} {CONDA}.away", f"mv {CONDA}.away {CONDA}"),
    "environment missing": (f"mv {CONDA}/envs {CONDA}/away", f"mv {CONDA}/away {CONDA}/envs"),
    "data missing": ("mv /opt/jupyter/jupyter_data /opt/away", "mv /opt/away /opt/jupyter/jupyter_data"),
    "home full": (f"mount -t tmpfs -o size=4k,mode=1777 tmpfs {HOME}", f"umount {HOME}"),
    "home missing": (f"mv {HOME} {HOME}.away", f"mv {HOME}.away {HOME}"),
    "spool full": ("mount -t tmpfs -o size=1m tmpfs /var/spool/slurmd", "umount /var/spool/slurmd"),
    "sshd stopped": ("s6-svc -wd -d /run/service/sshd", "s6-svc -wu -u /run/service/sshd"),
    "slurmctld stopped": ("s6-svc -wd -d /run/service/slurmctld", "s6-svc -wu -u /run/service/slurmctld"),
}
EXPECTED = {
    "drained node": ("partition", "drained"),
    "partition down": ("partition", "the default partition is down"),
    "partition drained": ("partition", "the default partition is drain"),
    "wrapper not executable": ("wrappers", "slurmspawner_sbatch is not executable"),
    "wrapper of another owner": ("wrappers", "slurmspawner_scancel belongs to jupyterspawner instead of root"),
    "wrapper missing": ("wrappers", "slurmspawner_sbatch does not exist"),
    "squeue not executable": ("sudo", f"slurmSpawnerWrappersBin {BIN}: "),
    "sudo without rules": ("sudo", f"slurmSpawnerWrappersBin {BIN}: "),
    "prefix missing": ("prefix", f"condaPrefixDir {CONDA} does not exist"),
    "environment missing": ("prefix", f"condaPrefixDir {CONDA} has no command jupyterhub-singleuser"),
    "data missing": ("data", "jupyterDataDir /opt/jupyter/jupyter_data does not exist"),
    "home full": ("home", "the home directory of testuser.project1 is full"),
    "home missing": ("home", "the home directory of testuser.project1 does not exist"),
    "spool full": ("spool", "/var/spool/slurmd (SlurmdSpoolDir) has less than"),
    "sshd stopped": ("ssh", "sshHostname "),
    "slurmctld stopped": ("partition", "Slurm does not answer"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_on_the_slurm_host_is_named(pod: RunningInstance, name: str) -> None:
    """The status names the need and its reason. Without the fault, everything is ready again."""
    need, text = EXPECTED[name]
    with fault(pod, *FAULTS[name]):
        status = pod.status

    states = {each["need"]: (each["state"], each["text"]) for each in status["needs"]}
    assert states[need][0] == "not ready", states
    assert text in states[need][1]
    assert status["state"] != "ready"


def test_up_ends_with_the_reason(pod: RunningInstance) -> None:
    """`up` of a pod that does not differ fails if a notebook cannot be spawned."""
    with fault(pod, *FAULTS["data missing"]):
        up = pod.up()

    assert up.code == 7, up.text
    assert "jupyterDataDir /opt/jupyter/jupyter_data does not exist" in up.stderr
    again = pod.up()
    assert again.code == 0, again.text
    assert {state for state, _ in needs(pod).values()} == {"ready"}


def test_the_status_page_has_the_same_answers(pod: RunningInstance) -> None:
    """A user who has logged in sees each need, without the reasons."""
    url = str(pod.status["url"])
    form = (("username", "testuser"), ("password", pod.password))
    login = send(url, Request(method="POST", path="/hub/login", form=form))
    cookies = "; ".join(value.partition(";")[0] for value in login.all_of("Set-Cookie"))

    html = send(url, Request(path="/hub/status", headers=(("Cookie", cookies),)))
    shown = send(url, Request(path="/hub/status", headers=(("Cookie", cookies), ("Accept", "application/json"))))

    status = json.loads(shown.body)
    assert status["state"] == "ready"
    assert [each["need"] for each in status["needs"]] == list(needs(pod))
    assert all(f'id="need-{name}"' in html.body for name in needs(pod))
    assert send(url, Request(path="/hub/status")).status == 302


def change(directory: Path, **values: str) -> None:
    """Change values of a deploy ConfigMap."""
    path = directory / "deploy-configmap.yaml"
    document = yaml.safe_load(path.read_text())
    document["data"].update(values)
    path.write_text(yaml.safe_dump(document))


NOWHERE = "/opt/nowhere/bin"
SETTINGS = {
    "wrappers": {"slurmSpawnerWrappersBin": NOWHERE},
    "paths": {"condaPrefixDir": "/opt/nowhere", "jupyterDataDir": "/opt/no-data"},
}


def expect(which: str, result: CommandResult) -> None:
    """Check that a result names the wrong settings."""
    assert result.code == 7, result.text
    for key, value in SETTINGS[which].items():
        assert f"{key} {value}" in result.text


@pytest.mark.parametrize("which", SETTINGS)
def test_production_with_a_path_that_does_not_exist_is_not_ready(deploy: Deploy, which: str) -> None:
    """Without any account, `up` and `prod.check` name the key."""
    running, options = deploy("prod")
    change(Path(options[0].partition("=")[2]), **SETTINGS[which])

    up = running.up(*options)
    check = running.invoke("prod.check", *options)

    expect(which, up)
    expect(which, check)


def test_production_is_checked_as_the_hub_will(deploy: Deploy, external_services: ExternalServices) -> None:
    """With the image, every need is checked or named, and services that do not answer fail the check."""
    running, options = deploy("prod")
    directory = Path(options[0].partition("=")[2])
    up = running.up(*options)
    assert up.code == 0, up.text
    running.down()

    good = running.invoke("prod.check", *options)
    assert good.code == 0, good.text
    for name in ("ingress", "issuer", "ssh", "sudo", "wrappers", "jobs", "prefix", "data", "partition"):
        assert f"✓ {name}" in good.stdout or f"ok {name}" in good.stdout, good.stdout

    closed = external_services.addresses[ISSUER]
    change(directory, oidcServer=f"http://{closed}:9/realms/test")
    (directory / "zenith_client_config.yaml").write_text(json.dumps({"serverAddress": closed, "serverPort": 9}))
    bad = running.invoke("prod.check", *options)

    assert bad.code == 7
    assert f"oidcServer http://{closed}:9/realms/test: " in bad.stdout
    assert f"serverAddress {closed}, port 9: " in bad.stdout
    assert not running.podman.listing("ps", "--all", "--quiet", "--filter=name=hubpod-check-")


def test_an_issuer_that_does_not_answer_the_hub_is_not_ready(
    deploy: Deploy, external_services: ExternalServices
) -> None:
    """Every login would be refused with status 503."""
    running, options = deploy("dev_realauth")
    up = running.up(*options)
    assert up.code == 0, up.text

    external_services.issuer.down()
    try:
        state, text = needs(running)["issuer"]
        again = running.up(*options)
    finally:
        external_services.issuer.up()

    assert (state, external_services.issuer.url in text) == ("not ready", True)
    assert again.code == 7
    assert f"oidcServer {external_services.issuer.url}: " in again.stderr


@pytest.mark.parametrize("port", ["--port=8000", "--api-port=8001"])
def test_a_proxy_that_cannot_listen_ends(pod: RunningInstance, port: str) -> None:
    """The proxy's own log says why, and podman's restart policy starts it again once the port is free."""
    free = ("--port=8123", "--api-port=8124")
    argv = ("timeout", "20", "configurable-http-proxy", *(each for each in free if not each.startswith(port[:6])), port)

    done = pod.podman.execute(pod.podman_name("proxy"), ("env", "CONFIGPROXY_AUTH_TOKEN=x", *argv))

    assert done.returncode == 1, done.stderr
    assert "the proxy cannot listen: listen EADDRINUSE" in done.stderr


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - in the job's own network
def test_a_job_cannot_take_the_proxys_place(pod: RunningInstance, address: str) -> None:
    """A job that listens on the port of the proxy's API while the proxy is away does so in another network."""
    squat = f"import http.server as h; h.HTTPServer(('{address}', 8001), h.SimpleHTTPRequestHandler).serve_forever()"
    name = pod.podman_name("slurm")
    pod.podman.run("stop", pod.podman_name("proxy"))
    pod.podman.run("exec", "--detach", "--user=20001", name, "python3", "-c", squat)
    pod.podman.run("start", pod.podman_name("proxy"))
    try:
        up = pod.up()
    finally:
        on_slurm_host(pod, "kill $(pgrep -u 20001)")

    assert up.code == 0, up.text
