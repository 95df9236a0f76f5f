"""docs/external-slurm.md, followed on a plain Debian host: notebooks, and nothing else."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from rich.console import Console

from hubpod.context import prepare
from hubpod.images.ensure import ensure_images
from hubpod.instances import find_instance
from hubpod.podman.cli import Podman
from hubpod.request import UpRequest
from hubpod.sources.clones import SOURCE_NAMES
from hubpod.sources.origins import Origin
from hubpod.system.process import Result
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace
from hubpod_harness.attack.transport import Request, send
from hubpod_harness.session_run import open_run
from support import plain_host
from support.external_services import free_port, own_address
from support.instances import PROJECT, RunningInstance, temporary_instance
from support.plain_host import ACCOUNTS, ENVIRONMENT, RELOAD_SSHD, PlainHost
from support.recipe import CHECK, ON_HOST, PARCEL, REMOVE, SPAWN, Recipe, checks_of, follow
from support.unfriendly_host import (
    CONTROL,
    FRIENDLY,
    HARDENED,
    OF_COMMANDS,
    UNFRIENDLY,
    files_with,
    settings_known_to,
    site_settings_of_sudo,
)

WRAPPERS = "/opt/jupyter/slurmspawner_wrappers/bin"
SBATCH, SQUEUE, SCANCEL = (f"{WRAPPERS}/slurmspawner_{name}" for name in ("sbatch", "squeue", "scancel"))
UNKNOWN_JOB = "SLURMSPAWNER_JOB_ID=99999999"
LIST = ("sudo", "-n", "-u", "jupyterspawner", "SLURMSPAWNER_JOB_ID=all", SQUEUE)
SSH = ("ssh", "-F", "/etc/jupyterhub/ssh_config")
SSH_FAILED = 255
OWN_TOKEN = "import os; print(os.environ['JUPYTERHUB_API_TOKEN'])"
ASK = r"""
import json, sys, urllib.error, urllib.request


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


browser = urllib.request.build_opener(Stay)
for method, url, headers in json.load(sys.stdin):
    body = b"{}" if method == "POST" else None
    try:
        print(browser.open(urllib.request.Request(url, body, headers, method=method)).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""
TAKEN = "/tmp/hostname"  # noqa: S108 - a path in the hub's container
FOREIGN = (
    "-F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
)
# The job's script, and what the server itself writes for its user while it runs.
OWN_FILES = r"/var/spool/slurm.*/(script|slurm_script)|/tmp/jupyter\.\w+/jpserver-\d+(\.json|-open\.html)"
INHERITED = """
import os
mask = os.umask(0)
os.umask(mask)
print(oct(mask), set(os.getgroups()) == set(os.getgrouplist(os.environ["USER"], os.getgid())))
"""
SUDO_RS = "/usr/lib/cargo/bin"
AS_ACCOUNT = ("sudo", "-n", "-u", ACCOUNTS[0])
LOGIN = r"""
import http.cookiejar, re, sys, urllib.error, urllib.parse, urllib.request
_, url, name, password = sys.argv
jar = http.cookiejar.CookieJar()
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
token = re.search(r'name="_xsrf" value="([^"]*)"', browser.open(url).read().decode())[1]
form = urllib.parse.urlencode({"username": name, "password": password, "_xsrf": token}).encode()
try:
    status = browser.open(url, form).status
except urllib.error.HTTPError as error:
    status = error.code
print(status, *sorted(cookie.name for cookie in jar))
"""


@dataclass(frozen=True, kw_only=True)
class Site:
    """A site after the steps of the document up to `up`."""

    host: PlainHost
    running: RunningInstance
    hub_api: str  # where the hub's API is published

    def ssh(self, *words: str, options: tuple[str, ...] = ()) -> Result:
        """Run ssh like the hub, with additional options."""
        return self.from_hub(*SSH, *options, "slurm", *words)

    def from_hub(self, *words: str) -> Result:
        """Run a command in the hub's container."""
        return self.running.podman.execute(self.running.podman_name("jupyterhub"), words, timeout_s=30)


@pytest.fixture(scope="module")
def host() -> Iterator[PlainHost]:
    """Start a host with Slurm as installed by Debian's packages."""
    context = prepare(Workspace(project=PROJECT), ConsoleReporter(console=Console(quiet=True)))
    origins = {name: Origin(directory=PROJECT / "packages" / name) for name in SOURCE_NAMES}
    request = UpRequest(instance=find_instance("dev_dummyauth", "images"), origins=origins)
    built = ensure_images(context, request, names=("slurm",))
    with (
        open_run(context.workspace, context.podman) as run,
        plain_host.open_plain_host(run, built, packages=("sudo-rs",)) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def site(podman: Podman, host: PlainHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Follow the document on the host, and bring up the hub."""
    choices = {
        "SSH_HOSTNAME": host.address,
        "HUB_ADDRESS": host.network.subnet,
        "HUB_API_ADDRESS": own_address(),
        "HUB_API_PORT": str(free_port()),
        "DEV_USERS": " ".join(ACCOUNTS),
        "RELOAD_SSHD": RELOAD_SSHD,
    }
    with temporary_instance(podman, environment=ENVIRONMENT) as running:
        follow(host, choices, running, tmp_path_factory.mktemp("site"))
        hub_api = f"{choices['HUB_API_ADDRESS']}:{choices['HUB_API_PORT']}"
        yield Site(host=host, running=running, hub_api=hub_api)


def test_a_user_gets_a_notebook(site: Site) -> None:
    """The document's own test succeeds, and the job runs as the user's account."""
    assert Recipe(choices={}).only(SPAWN) == f"./run invoke dev.spawn -e {ENVIRONMENT}\n"
    spawn = site.running.invoke("dev.spawn")
    assert spawn.code == 0, spawn.text
    found = re.search(r"ada got a notebook .*: job (\d+) on \S+, .*= 20", spawn.stdout)
    assert found, spawn.text

    assert " UserId=ada.physics(" in site.host.run_checked(f"scontrol show job {found[1]} --oneliner")


def test_the_published_api_accepts_no_login(site: Site) -> None:
    """The Slurm host gets no login cookie from the hub API, even with the right password."""
    url = f"http://{site.hub_api}/jupyter/hub/login"
    words = ("python3", "-c", LOGIN, url, "ada", site.running.password)

    result = site.host.podman.execute(site.host.name, words, timeout_s=30)

    assert (result.stdout, result.stderr) == ("403 _xsrf\n", "")


def statuses(site: Site, *requests: tuple[str, str], **headers: str) -> list[int]:
    """Send requests (method, path below /jupyter/hub) from a compute node, and return the statuses."""
    document = json.dumps([(method, f"http://{site.hub_api}/jupyter/hub{path}", headers) for method, path in requests])
    answer = site.host.run('printf "%s" "$1" | python3 -c "$2"', document, ASK)
    assert answer.ok, answer.stderr
    return [int(line) for line in answer.stdout.split()]


def test_the_published_api_ignores_login_cookies(site: Site) -> None:
    """Cookies that are valid at the public address authenticate no user on a compute node."""
    url = site.running.status["url"]
    form = (("username", "ada"), ("password", site.running.password))
    login = send(url, Request(method="POST", path="/hub/login", form=form))
    cookies = dict(value.partition(";")[0].split("=", 1) for value in login.all_of("Set-Cookie"))
    taken = {"Cookie": "; ".join(map("=".join, cookies.items())), "X-XSRFToken": cookies["_xsrf"].strip('"')}
    for path in ("/hub/home", "/hub/api/user"):
        assert send(url, Request(path=path, headers=tuple(taken.items()))).status == 200

    page, *api = statuses(
        site,
        ("GET", "/home"),
        ("GET", "/api/user"),
        ("GET", "/api/users/ada"),
        ("POST", "/api/users/ada/tokens"),
        ("POST", "/api/users/ada/server"),
        **taken,
    )

    assert page == 302  # to the login
    assert api == [403] * len(api)


def test_a_servers_token_grants_nothing_but_identity(site: Site) -> None:
    """A server's token identifies its user, and cannot start, stop, mint or list anything."""
    server = site.running.login("ada").spawn(project="physics")
    token = server.execute(OWN_TOKEN).strip()

    known, *refused = statuses(
        site,
        ("GET", "/api/user"),
        ("POST", "/api/batchspawner"),
        ("POST", "/api/users/ada/tokens"),
        ("GET", "/api/users/ada/tokens"),
        ("POST", "/api/users/ada/server"),
        ("DELETE", "/api/users/ada/server"),
        ("POST", "/api/users/bob/server"),
        ("POST", "/api/users/bob/activity"),
        ("GET", "/api/users/bob"),
        ("POST", "/api/users/mallory"),
        ("PATCH", "/api/users/ada"),
        ("GET", "/api/users"),
        ("GET", "/api/groups"),
        ("GET", "/api/services"),
        ("GET", "/api/proxy"),
        ("GET", "/api/info"),
        ("GET", "/metrics"),
        ("POST", "/api/shutdown"),
        ("GET", "/home"),
        ("GET", "/token"),
        ("GET", "/admin"),
        Authorization=f"token {token}",
    )

    assert known == 200
    assert not [status for status in refused if status not in {302, 400, 403, 404}]
    assert server.is_active()
    server.stop()


MOVE_HOME = r"""
old=$(getent passwd "$1" | cut -d : -f 6)
line=$(getent passwd "$1" | cut -d : -f 1-5):$2:/bin/bash
sed -i "/^$1:/d" /etc/passwd
echo "$line" >> /etc/passwd
[ "$2" = "$old" ] || { mkdir -p "$(dirname "$2")"; cp -a "$old" "$2"; rm -r "$old"; }
"""


@pytest.mark.parametrize("home", ["/lustre/home/ada.physics", "/home/p1/ada", "/gpfs/u/a/ada", "/home/EXAMPLE.ORG/ada"])
def test_a_home_directory_may_be_anywhere(site: Site, home: str) -> None:
    """Job, log, HOME and the check of the room use the home that the Slurm host names, and no other is needed."""
    account = ACCOUNTS[0]
    usual = site.host.run_checked(f"getent passwd {account} | cut -d : -f 6").strip()
    site.host.run_checked(f"set -- {account} {home}\n{MOVE_HOME}")
    try:
        assert not site.host.run(f"test -e {usual}").ok
        status = site.running.invoke("dev.status")
        server = site.running.login("ada").spawn(project="physics")
        seen = server.execute("import os; print(os.getcwd(), os.environ['HOME'])").split()
        job = site.host.run_checked(f"scontrol show job $(squeue --noheader --user {account} --format %A) --oneliner")
        server.stop()
    finally:
        site.host.run_checked(f"set -- {account} {usual}\n{MOVE_HOME}")

    assert status.code == 0, status.text
    assert seen == [home, home]
    assert f" WorkDir={home} " in job
    assert f" StdOut={home}/jupyterhub_slurmspawner_" in job


def test_a_home_directory_that_does_not_exist_is_reported(site: Site) -> None:
    """`status` and the failed spawn name the home directory of the account, and not the usual one."""
    account, home = ACCOUNTS[0], "/lustre/nowhere/ada"
    usual = site.host.run_checked(f"getent passwd {account} | cut -d : -f 6").strip()
    site.host.run_checked(f"set -- {account} {home}\n{MOVE_HOME}mv {home} {home}.away")
    try:
        spawn = site.running.invoke("dev.spawn", "--user", account.partition(".")[0])
    finally:
        site.host.run_checked(f"mv {home}.away {home}; set -- {account} {usual}\n{MOVE_HOME}")

    assert spawn.code != 0
    assert f"cannot enter the home directory {home}" in spawn.text


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ((SBATCH,), "sbatch: error: "),  # standard input has no script
        ((UNKNOWN_JOB, SQUEUE), "Invalid job id"),
        ((UNKNOWN_JOB, SCANCEL), ""),  # scancel is content with a job that does not exist
    ],
    ids=["sbatch", "squeue", "scancel"],
)
def test_the_hub_runs_each_wrapper_as_an_account(site: Site, words: tuple[str, ...], answer: str) -> None:
    """The hub runs each of the three wrappers as a user's account, and Slurm answers."""
    result = site.ssh(*AS_ACCOUNT, *words)

    assert answer in result.stderr
    assert bool(answer) != result.ok


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("id",),
        ("/bin/sh", "-c", "id"),
        ("scp", "-f", "/etc/passwd"),
        ("/usr/lib/openssh/sftp-server",),
        ("sudo", "-n", "id"),
        ("sudo", "-s"),
        ("sudo", "-n", "-l"),
        ("sudo", "-n", "-u", "root", UNKNOWN_JOB, SQUEUE),
        ("sudo", "-n", "-u", "slurm", UNKNOWN_JOB, SQUEUE),
        ("sudo", "-n", "-u", "jupyterspawner", SBATCH),
        ("sudo", "-n", "-u", "jupyterspawner", SCANCEL),
        ("sudo", "-n", "-u", "jupyterspawner", SQUEUE, "--all"),
        ("sudo", "-n", "-u", ACCOUNTS[0], "-g", "root", SQUEUE),
        (*AS_ACCOUNT, "id"),
        (*AS_ACCOUNT, "/bin/sh", "-c", "id"),
        (*AS_ACCOUNT, SQUEUE, "--all"),
        (*AS_ACCOUNT, SBATCH, "--wrap=id"),
        (*AS_ACCOUNT, SQUEUE, ";", "id"),
        (*AS_ACCOUNT, "LD_PRELOAD=/tmp/own.so", SQUEUE),
        (*AS_ACCOUNT, "PYTHONPATH=/tmp", SQUEUE),
        (*AS_ACCOUNT, "SLURM_CONF=/tmp/own.conf", SQUEUE),
        (*AS_ACCOUNT, "TZ=UTC", SQUEUE),
        (*AS_ACCOUNT, "-E", SQUEUE),
    ],
    ids=" ".join,
)
def test_every_other_command_is_refused(site: Site, words: tuple[str, ...]) -> None:
    """Shells, other commands, arguments, variables and other accounts are refused."""
    result = site.ssh(*words)

    assert not result.ok
    assert not result.stdout
    assert "Invalid job id" not in result.stderr  # of Slurm
    assert not re.search("^slurmspawner_", result.stderr, flags=re.MULTILINE)  # of the wrapper


def test_login_variables_do_not_reach_slurm(site: Site) -> None:
    """Sudo passes only the job id, and no variable that Debian's sshd accepts."""
    script = "#!/bin/sh\n#SBATCH --export=ALL --output=/tmp/variables\nenv\n"
    sent = f"LC_HUBPOD=seen {shlex.join(SSH)} -o SendEnv=LC_HUBPOD slurm {shlex.join((*AS_ACCOUNT, SBATCH))}"
    job = site.from_hub("sh", "-c", f"printf {shlex.quote(script)} | {sent}").stdout.strip()

    variables = site.host.run_checked(f"srun --dependency=afterany:{job} true; cat /tmp/variables")

    assert f"SLURM_JOB_ID={job}\n" in variables
    assert "LC_HUBPOD" not in variables


@pytest.mark.parametrize("forward", [("-W", "127.0.0.1:6817"), ("-N", "-R", "127.0.0.1:9999:127.0.0.1:22")])
def test_no_port_is_forwarded(site: Site, forward: tuple[str, ...]) -> None:
    """Neither local nor remote forwarding works."""
    options = ("-o", "ClearAllForwardings=no", "-o", "ExitOnForwardFailure=yes", *forward)

    result = site.ssh(options=options)

    assert result.returncode == SSH_FAILED
    assert not result.stdout


@pytest.mark.parametrize("words", [("sftp",), ("scp", "-O"), ("scp", "-s")], ids=" ".join)
def test_no_file_is_transferred(site: Site, words: tuple[str, ...]) -> None:
    """Sftp and both protocols of scp are refused."""
    result = site.from_hub(*words, "-F", SSH[-1], "slurm:/etc/hostname", TAKEN)

    assert not result.ok
    assert not site.from_hub("test", "-e", TAKEN).ok


def test_the_key_is_refused_from_another_address(site: Site) -> None:
    """The hub's key works only from the hub's address."""
    site.host.podman.run("cp", f"{site.running.status['deploy_dir']}/ssh_client_key", f"{site.host.name}:/root/hub_key")

    result = site.host.run(f"ssh {FOREIGN} -i /root/hub_key jupyterspawner@127.0.0.1 {shlex.join(LIST)}")

    assert result.returncode == SSH_FAILED
    assert "Permission denied (publickey)" in result.stderr
    assert "correct key but not from a permitted host (host=127.0.0.1" in site.host.podman.log(site.host.name)


def test_another_key_is_refused(site: Site) -> None:
    """The hub's address accepts only the hub's key."""
    make = "cd $(mktemp -d) && ssh-keygen -q -t ed25519 -N '' -f key"

    login = f"ssh {FOREIGN} -i key jupyterspawner@{site.host.address} {shlex.join(LIST)}"
    result = site.from_hub("sh", "-c", f"{make} && {login}")

    assert result.returncode == SSH_FAILED
    assert "Permission denied (publickey)" in result.stderr


@pytest.mark.parametrize(
    "path", ["/var/lib/jupyterspawner", "/etc/ssh/jupyterspawner_authorized_keys", "/etc/sudoers.d", WRAPPERS, SQUEUE]
)
def test_the_account_cannot_change_its_own_access(site: Site, path: str) -> None:
    """The account cannot write its home, its keys, its sudo rules or its commands."""
    assert site.host.run(f"test -e {path}").ok
    assert not site.host.run(f"runuser -u jupyterspawner -- test -w {path}").ok


def test_a_hardened_host_runs_and_records_no_notebook(site: Site) -> None:
    """With every hostile setting of sudo a user gets a notebook, whose token only the job and its server write."""
    record = f"printf '{CONTROL}\\n' | setpriv --reuid=0 sudo -n -u {ACCOUNTS[0]} cat"
    with site_settings_of_sudo(site.host, "Defaults log_input, log_output\n"):
        site.host.run_checked(record)
    assert any("/sudo-io/" in file for file in files_with(site.host, CONTROL))  # sudo would record a token

    with site_settings_of_sudo(site.host, HARDENED, OF_COMMANDS):
        server = site.running.login("ada").spawn(project="physics")
        token = server.execute(OWN_TOKEN).strip()
        inherited = server.execute(INHERITED)
        found = files_with(site.host, token)
        readable_by_others = site.host.run_checked("find /tmp -maxdepth 1 -name 'jupyter.*' -perm /077")
        server.stop()

    assert inherited.split() == ["0o22", "True"]
    assert found
    assert not [file for file in found if not re.fullmatch(OWN_FILES, file)]
    assert not readable_by_others


@pytest.mark.parametrize("name", ["sudo", "sudo-rs"])
def test_a_host_with_sudo_rs_runs_notebooks(site: Site, name: str) -> None:
    """The same block prepares a hardened host whose sudo is sudo-rs, under either name, and a user gets a notebook."""
    recipe = Recipe(
        choices={"PARCEL": PARCEL, "RELOAD_SSHD": RELOAD_SSHD, "SUDO": name, "DEV_USERS": " ".join(ACCOUNTS)}
    )
    block = next(text for mark, text in recipe.blocks if mark == ON_HOST and "zz-jupyterspawner" in text)
    checks = next(
        checks_of(text) for mark, text in recipe.blocks if mark == CHECK and "visudo" not in text and "vi$SUDO" in text
    )
    programs = (("/usr/bin/sudo", "sudo"), ("/usr/sbin/visudo", "visudo"))
    for path, _ in programs:
        site.host.run_checked(f"mv {path} {path}.before")
    try:
        for path, program in programs if name == "sudo" else ():
            site.host.run_checked(f"ln -s {SUDO_RS}/{program} {path}")
        site.host.run_checked(recipe.settings + block)
        assert "sudo-rs" in site.host.run(f"exec 2>&1; {name} --version").stdout
        for command, answer in list(checks.items())[:3]:
            assert site.host.run(f"exec 2>&1; {recipe.settings}{command}").stdout == answer, command

        hardened = settings_known_to(site.host, name, HARDENED)
        assert "secure_path" in hardened
        with site_settings_of_sudo(site.host, hardened, sudo=name):
            spawn = site.running.invoke("dev.spawn")

        assert spawn.code == 0, spawn.text
        refused = site.ssh("sudo", "-n", "-u", "root", UNKNOWN_JOB, SQUEUE)
        assert not refused.ok
        assert "Invalid job id" not in refused.stderr
    finally:
        for path, _ in programs:
            site.host.run_checked(f"rm -f {path}; mv {path}.before {path}")
        site.host.run_checked(recipe.settings.replace(f"SUDO='{name}'", "SUDO=sudo") + block)


def test_an_unfriendly_login_host_runs_notebooks(site: Site) -> None:
    """Login scripts that print and fail, banners and other settings of sshd do not disturb the hub."""
    site.host.run_checked(UNFRIENDLY)
    try:
        listing = site.ssh(*LIST, options=("-o", "SetEnv=LD_PRELOAD=/nonexistent/own.so"))
        spawn = site.running.invoke("dev.spawn")
    finally:
        site.host.run_checked(FRIENDLY)

    assert listing.ok, listing.stderr
    assert listing.stderr == ""  # neither a banner nor a message of the loader
    assert spawn.code == 0, spawn.text


def test_a_host_that_refuses_logins_is_used_again_later(site: Site) -> None:
    """While /etc/nologin exists the hub runs no command, and afterwards a user gets a notebook."""
    site.host.run_checked("echo 'down for maintenance' > /etc/nologin")
    try:
        refused = site.ssh(*LIST)
    finally:
        site.host.run_checked("rm /etc/nologin")

    assert refused.returncode == SSH_FAILED
    assert site.running.invoke("dev.spawn").code == 0


def test_the_recipe_can_be_undone(site: Site) -> None:
    """The last block removes the access and every file. sshd and sudo still work."""
    recipe = Recipe(choices={"PARCEL": PARCEL, "RELOAD_SSHD": RELOAD_SSHD})
    assert site.ssh(*LIST).ok

    site.host.run_checked(recipe.settings + recipe.only(REMOVE))

    assert site.ssh(*LIST).returncode == SSH_FAILED
    assert not site.host.run("getent passwd jupyterspawner").ok
    site.host.run_checked("visudo -cq && sshd -t")
    names = "-name '*jupyterspawner*' -o -name 'hubpod-ssh-command' -o -name slurmspawner_wrappers"
    assert not site.host.run_checked(f"find /etc /opt /root /usr/local /var/lib {names}")
