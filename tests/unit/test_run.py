"""The launcher `./run`, called as users call it.

Every test has its own directory with a copy of `run`, and a PATH with stand-ins for Python, uv, podman and the package
manager. The stand-ins write their calls to a journal.
"""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "run"
TOOLS = (
    "awk",
    "cat",
    "chmod",
    "cksum",
    "cp",
    "env",
    "find",
    "flock",
    "ln",
    "ls",
    "mkdir",
    "mv",
    "readlink",
    "rm",
    "sed",
)
SHELLS = tuple(name for name in ("dash", "bash", "busybox") if shutil.which(name))
every_shell = pytest.mark.parametrize("machine", SHELLS, indirect=True)
OS_RELEASES = {
    "debian": "ID=debian\n",
    "mint": 'ID=linuxmint\nID_LIKE="ubuntu debian"\n',
    "fedora": "ID=fedora\n",
    "rocky": 'ID="rocky"\nID_LIKE="rhel centos fedora"\n',
    "opensuse": 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n',
    "arch": "ID=arch\n",
    "alpine": "ID=alpine\n",
    "unheard-of": "ID=unheard-of\n",
}
PODMAN = ("git", "podman", "runc", "netavark", "aardvark-dns", "catatonit", "iptables", "mmdebstrap")
ROOTLESS = ("newuidmap", "slirp4netns")
MOST = "git podman netavark aardvark-dns catatonit slirp4netns"

PYTHON = """\
echo "python $1" >>"$JOURNAL"
case $1$2 in
  -c*) [ ! -e "$MACHINE/no-ensurepip" ] && echo "$MACHINE/bin/python3" ;;
  -V) echo 'Python 3.12.1' ;;
  -mvenv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  -mpip) cp "$MACHINE/uv" "${0%/*}/uv" ;;
esac
"""
UV = """\
echo "uv $2 index=${UV_DEFAULT_INDEX-} certificates=${SSL_CERT_FILE-},${UV_SYSTEM_CERTS-}" >>"$JOURNAL"
if [ $2 = sync ] && [ -e "$MACHINE/slow" ]; then sleep 0.5; fi
if [ -e "$MACHINE/offline" ]; then echo 'no answer from the index' >&2; exit 1; fi
[ "$2" != install ] || for name in hubpod nox; do
  printf '#!%s\\necho "%s $* in $PWD"\\n[ "$1" != fail ] || exit 3\\n' "$MACHINE/bin/sh" $name >"${0%/*}/$name"
  chmod +x "${0%/*}/$name"
done
"""
APT_GET = """\
for last; do :; done
case " $* " in
  *' update '*) echo 'apt-get update' >>"$JOURNAL" ;;
  *)
    echo "apt-get install ${*#*recommends }" >>"$JOURNAL"
    if [ -e "$MACHINE/offline" ]; then echo "E: Unable to fetch $last" >&2; exit 100; fi
    for package in ${*#*recommends }; do
      case $package in
        python3*) rm -f "$MACHINE/no-ensurepip"; package=python3 ;;
        uidmap) package=newuidmap ;;
        libatomic1)
          mkdir -p "$MACHINE/usr/lib/any"
          : >"$MACHINE/usr/lib/any/libatomic.so.1"
          continue
          ;;
      esac
      cp "$MACHINE/shelf/$package" "$MACHINE/bin/$package"
    done ;;
esac
"""


@dataclass(kw_only=True)
class Machine:
    """A machine as `./run` sees it: a project, programs, and a journal of calls."""

    directory: Path
    shell: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        """The directory that contains ./run."""
        return self.directory / "project"

    @property
    def journal(self) -> list[str]:
        """Calls of the stand-ins, in order."""
        path = self.directory / "journal"
        return path.read_text().splitlines() if path.exists() else []

    def forget(self) -> None:
        """Empty the journal."""
        (self.directory / "journal").unlink(missing_ok=True)

    def program(self, name: str, script: str = "", *, shelf: bool = False) -> None:
        """Install a stand-in, or only make it available to apt-get."""
        path = self.directory / ("shelf" if shelf else "bin") / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!{self.directory}/bin/sh\n{script}")
        path.chmod(0o755)

    def remove(self, *names: str) -> None:
        """Remove programs from the PATH."""
        for name in names:
            (self.directory / "bin" / name).unlink()

    def system(self, name: str) -> None:
        """Set the operating system."""
        (self.directory / "etc/os-release").write_text(OS_RELEASES[name])

    def user(self, uid: int) -> None:
        """Set the user who runs the commands."""
        self.program("id", f"echo {uid}\n")

    def start(self, *arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.Popen[str]:
        """Start ./run with these arguments and variables."""
        shell = [self.shell, "sh"] if self.shell.endswith("busybox") else [self.shell]
        return subprocess.Popen(
            [*shell, str(self.project / "run"), *arguments],
            cwd=cwd or self.project,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ./run and wait for it."""
        process = self.start(*arguments, cwd=cwd, **variables)
        out, err = process.communicate(timeout=30)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    """Make a Debian machine with all programs, used as root."""
    shell = shutil.which(getattr(request, "param", "sh"))
    assert shell
    machine = Machine(directory=tmp_path, shell=shell)
    for directory in ("bin", "shelf", "etc", "project/requirements"):
        (tmp_path / directory).mkdir(parents=True)
    for name in (*TOOLS, "sh", "sleep", "tail", "uname"):
        if found := shutil.which(name):
            (tmp_path / "bin" / name).symlink_to(found)
    shutil.copy(RUN, machine.project / "run")
    (machine.project / "pyproject.toml").write_text("[project]\n")
    (machine.project / "requirements/run.lock").write_text(
        "uv==1 \\\n    --hash=sha256:0\nnox==1 \\\n    --hash=sha256:0\n"
    )
    machine.environment = {
        "PATH": str(tmp_path / "bin"),
        "MACHINE": str(tmp_path),
        "JOURNAL": str(tmp_path / "journal"),
        "HUBPOD_SYSTEM_ROOT": str(tmp_path),
    }
    machine.system("debian")
    machine.user(0)
    (tmp_path / "uv").write_text(f"#!{tmp_path}/bin/sh\n{UV}")
    (tmp_path / "uv").chmod(0o755)
    scripts = {"podman": 'echo "podman" >>"$JOURNAL"; echo "podman version 4.3.1"\n', "python3": PYTHON}
    for name in (*PODMAN, *ROOTLESS, "nftables", "passt", "python3", "chromium"):
        for shelf in (True, False):
            machine.program(name, scripts.get(name, ""), shelf=shelf)
    machine.remove("nftables", "passt")
    machine.program("apt-get", APT_GET)
    return machine


@every_shell
def test_help_changes_nothing(machine: Machine) -> None:
    """`./run` and `./run --help` print the usage and leave the project unchanged."""
    before = sorted(machine.project.iterdir())

    alone, asked = machine.run(), machine.run("--help")

    assert alone.returncode == asked.returncode == 0
    assert alone.stdout == asked.stdout
    assert alone.stdout.startswith("Usage: ./run COMMAND")
    assert sorted(machine.project.iterdir()) == before
    assert machine.journal == []


@every_shell
def test_first_call_makes_the_environment_and_runs_the_command(machine: Machine) -> None:
    """The first call reports the new environment in one line and runs the command.

    It returns the command's output and exit code.
    """
    result = machine.run("nox", "fail", "two words")

    assert result.returncode == 3
    assert result.stdout == f"nox fail two words in {machine.project}\n"
    assert result.stderr == "hubpod: making the virtual environment .venv (Python 3.12.1)\n"


@every_shell
def test_second_call_starts_nothing_but_the_command(machine: Machine) -> None:
    """With nothing to install, only the command runs, and nothing else is printed.

    Neither Python nor uv nor podman is started before it.
    """
    machine.run("invoke", "dev.up")
    machine.forget()

    result = machine.run("invoke", "dev.up")

    assert (result.returncode, result.stderr) == (0, "")
    assert machine.journal == []


@pytest.mark.parametrize(
    ("variables", "seen"),
    [
        ({}, " "),
        ({"PYTHONDONTWRITEBYTECODE": "1"}, "{state}/bytecode "),
        ({"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/elsewhere"}, "/elsewhere 1"),
    ],
)
def test_bytecode_goes_to_the_state_directory(machine: Machine, variables: dict[str, str], seen: str) -> None:
    """If byte code must not be beside the sources, it is below .hubpod.

    Commands then still start fast.
    """
    machine.environment |= variables

    result = machine.run("sh", "-c", 'echo "${PYTHONPYCACHEPREFIX-} ${PYTHONDONTWRITEBYTECODE-}"')

    assert result.stdout == seen.format(state=machine.project / ".hubpod/run") + "\n"


@pytest.mark.parametrize("changed", ["pyproject.toml", "requirements/run.lock"])
def test_changed_dependencies_are_installed(machine: Machine, changed: str) -> None:
    """A changed pyproject.toml or lock file updates the environment.

    The update is one line of output.
    """
    machine.run("nox")
    machine.forget()
    with (machine.project / changed).open("a") as file:
        file.write("# changed\n")

    result = machine.run("nox")

    assert result.stderr == "hubpod: updating the virtual environment .venv\n"
    assert [line.split()[:2] for line in machine.journal] == [["python", "-c"], ["uv", "sync"], ["uv", "install"]]
    assert machine.run("nox").stderr == ""


def test_moved_project_gets_a_new_environment(machine: Machine, tmp_path: Path) -> None:
    """A moved or copied environment is rebuilt, because its programs contain its path."""
    machine.run("nox")
    shutil.copytree(machine.project, tmp_path / "copy")

    result = machine.run("nox", cwd=tmp_path / "copy")
    assert result.stderr == ""
    shutil.rmtree(machine.project)
    (tmp_path / "copy").rename(machine.project.with_name("moved"))
    machine.project.symlink_to("moved")

    assert "making the virtual environment" in machine.run("nox").stderr


def test_other_python_gets_a_new_environment(machine: Machine) -> None:
    """Another HUBPOD_PYTHON makes a new environment. Later calls without the variable keep it."""
    machine.run("nox")

    assert "making the virtual environment" in machine.run("nox", HUBPOD_PYTHON="python3").stderr
    assert machine.run("nox").stderr == ""


def test_environment_whose_python_was_removed_is_made_again(machine: Machine) -> None:
    """An environment is rebuilt after the Python it was made with is removed, as by an upgrade of the system."""
    machine.run("nox")
    (machine.project / ".venv/bin/python").unlink()
    (machine.project / ".venv/bin/python").symlink_to("/usr/bin/python3.0")

    assert "making the virtual environment" in machine.run("nox").stderr


def test_failed_installation_is_repaired(machine: Machine) -> None:
    """A failed installation exits with 4, prints the last lines and a remedy.

    The next call starts from scratch.
    """
    (machine.directory / "offline").touch()
    failed = machine.run("nox")
    (machine.directory / "offline").unlink()

    assert failed.returncode == 4
    assert "  | no answer from the index\n" in failed.stderr
    assert "PIP_INDEX_URL" in failed.stderr
    assert "making the virtual environment" in machine.run("nox").stderr
    assert machine.run("nox").stderr == ""


@pytest.mark.parametrize("flock", [True, False])
def test_killed_installation_is_repaired(machine: Machine, *, flock: bool) -> None:
    """A killed installation leaves neither a lock nor an incomplete environment."""
    if not flock:
        machine.remove("flock")
    (machine.directory / "slow").touch()
    killed = machine.start("nox")
    deadline = time.monotonic() + 10
    while not any(line.startswith("uv") for line in machine.journal):
        assert time.monotonic() < deadline, "it did not start to install"
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    (machine.directory / "slow").unlink()

    result = machine.run("nox")

    assert result.returncode == 0
    assert "making the virtual environment" in result.stderr


def test_two_calls_at_once_install_once(machine: Machine) -> None:
    """Of two simultaneous first calls one installs, and both run their command.

    The second waits for the first.
    """
    (machine.directory / "slow").touch()
    calls = [machine.start("nox", "a"), machine.start("nox", "b")]

    outputs = [call.communicate(timeout=30) for call in calls]

    assert [call.returncode for call in calls] == [0, 0]
    assert sorted(out.split()[1] for out, _ in outputs) == ["a", "b"]
    assert "waiting for another ./run" in outputs[0][1] + outputs[1][1]
    assert sum(line.startswith("uv sync") for line in machine.journal) == 1


def test_foreign_directory_is_left_unchanged(machine: Machine) -> None:
    """A directory at the environment's path that ./run did not make is refused, not emptied."""
    (machine.project / ".venv").mkdir()
    (machine.project / ".venv/thesis.tex").touch()

    result = machine.run("nox")

    assert result.returncode == 4
    assert "HUBPOD_VENV" in result.stderr
    assert (machine.project / ".venv/thesis.tex").exists()


@pytest.mark.parametrize("own", [True, False])
def test_activated_environment_is_used_when_it_has_this_hubpod(machine: Machine, *, own: bool) -> None:
    """An activated environment is used only if this project is installed in it.

    It is used unchanged.
    """
    active = machine.directory / "active"
    record = active / "lib/python3.12/site-packages/hubpod-0.1.0.dist-info/direct_url.json"
    record.parent.mkdir(parents=True)
    where = machine.project if own else machine.directory / "elsewhere"
    record.write_text(f'{{"url":"file://{where}","dir_info":{{"editable":true}}}}')
    (active / "bin").mkdir()
    shutil.copy(machine.directory / "bin/git", active / "bin/nox")

    result = machine.run("nox", VIRTUAL_ENV=str(active))

    assert result.returncode == 0
    assert (machine.journal == []) is own
    assert (machine.project / ".venv").exists() is not own


def test_unknown_program_exits_with_127(machine: Machine) -> None:
    """A command that is not in the environment or on the PATH exits with 127.

    127 is the shell's exit code.
    """
    result = machine.run("frobnicate")

    assert result.returncode == 127
    assert "there is no program frobnicate" in result.stderr


def test_settings_of_pip_reach_uv(machine: Machine) -> None:
    """Uv uses the package index and the certificates that are set for pip."""
    bundle = machine.directory / "bundle.pem"
    bundle.touch()

    machine.run("nox", PIP_INDEX_URL="file:///wheels", PIP_CERT=str(bundle))

    assert f"uv sync index=file:///wheels certificates={bundle},1" in machine.journal


@pytest.mark.parametrize(
    ("command", "printed"), [("nox", "nox note in {project}\n"), ("invoke", "hubpod note in {here}\n"), ("cat", "here")]
)
def test_working_directory_of_a_command(machine: Machine, command: str, printed: str) -> None:
    """Checks run in the project's directory; tasks and other programs in the current one, where paths count from."""
    here = machine.directory / "etc"
    (here / "note").write_text("here")

    result = machine.run(command, "note", cwd=here)

    assert result.stdout == printed.format(project=machine.project, here=here)


def test_an_environment_without_hubpods_program_gets_the_search_root(machine: Machine) -> None:
    """In an activated environment from before there was a program `hubpod`, invoke is given the project's directory."""
    active = machine.directory / "active"
    record = active / "lib/python3.12/site-packages/hubpod-0.1.0.dist-info/direct_url.json"
    record.parent.mkdir(parents=True)
    record.write_text(f'{{"url":"file://{machine.project}","dir_info":{{"editable":true}}}}')
    (active / "bin").mkdir()
    (active / "bin/invoke").write_text(f'#!{machine.directory}/bin/sh\necho "$HUBPOD_LAUNCHER invoke $*"\n')
    (active / "bin/invoke").chmod(0o755)

    result = machine.run("invoke", "dev.up", VIRTUAL_ENV=str(active))

    project = machine.project
    assert result.stdout == f"{project}/run invoke --search-root {project} dev.up\n"


@pytest.mark.parametrize("missing", [("python3",), ()], ids=["python", "ensurepip"])
def test_python_packages_are_installed_on_debian(machine: Machine, missing: tuple[str, ...]) -> None:
    """If Python or its venv module is missing, root gets it from apt-get."""
    machine.remove(*missing)
    (machine.directory / "no-ensurepip").touch()

    result = machine.run("nox")

    assert result.returncode == 0
    assert result.stderr.startswith("hubpod: installing python3-venv … (apt-get)\n")
    assert [line for line in machine.journal if "apt" in line] == ["apt-get update", "apt-get install python3-venv"]


def test_unusable_python_is_refused(machine: Machine) -> None:
    """If HUBPOD_PYTHON is unusable, no other Python is used instead."""
    machine.program("python2", "exit 1\n")

    result = machine.run("nox", HUBPOD_PYTHON="python2")

    assert result.returncode == 4
    assert result.stderr == "hubpod: HUBPOD_PYTHON=python2 is not a Python 3.11 or newer with ensurepip\n"


@every_shell
def test_podman_is_installed_for_a_task(machine: Machine) -> None:
    """On a bare Debian, a task installs podman with its helpers.

    It prints one line and updates the package lists once.
    """
    machine.remove(*PODMAN)

    result = machine.run("invoke", "dev.up")

    wanted = "git podman runc netavark aardvark-dns catatonit iptables nftables mmdebstrap"
    assert result.returncode == 0
    assert result.stderr.startswith(f"hubpod: installing {wanted} … (apt-get)\n")
    assert [line for line in machine.journal if "apt" in line] == ["apt-get update", f"apt-get install {wanted}"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("invoke",),
        ("invoke", "--list"),
        ("invoke", "-l"),
        ("invoke", "dev.up", "--help"),
        ("invoke", "dev.doctor"),
        ("nox",),
    ],
    ids=" ".join,
)
def test_podman_is_not_needed_for_lists_and_help(machine: Machine, arguments: tuple[str, ...]) -> None:
    """Lists, help, the doctor and the quick checks work without podman."""
    machine.remove(*PODMAN)

    result = machine.run(*arguments)

    assert result.returncode == 0
    assert not any("apt" in line for line in machine.journal)


def test_prepare_installs_groups_of_packages(machine: Machine) -> None:
    """`./run --prepare` installs groups of system packages and refuses unknown groups."""
    machine.remove("podman", "chromium")

    result, unknown = machine.run("--prepare", "podman", "chromium"), machine.run("--prepare", "emacs")

    assert result.returncode == 0
    assert "apt-get install podman chromium libatomic1" in machine.journal
    assert unknown.returncode == 2
    assert "not emacs" in unknown.stderr


@every_shell
@pytest.mark.parametrize(
    ("system", "command"),
    [
        ("debian", "sudo apt-get install --no-install-recommends podman uidmap slirp4netns passt"),
        ("mint", "sudo apt-get install --no-install-recommends podman uidmap slirp4netns passt"),
        ("fedora", f"sudo dnf install python3 {MOST} crun iptables-nft shadow-utils"),
        ("rocky", f"sudo dnf install python3 {MOST} crun iptables-nft shadow-utils"),
        ("opensuse", f"sudo zypper install python313 {MOST} runc iptables shadow"),
        ("arch", f"sudo pacman -S --needed python {MOST} crun iptables shadow"),
        ("alpine", f"sudo apk add python3 {MOST} runc iptables shadow-uidmap"),
        (
            "unheard-of",
            "not installed: podman uidmap slirp4netns passt; install them with this system's package manager",
        ),
    ],
)
def test_install_command_is_printed_without_root(machine: Machine, system: str, command: str) -> None:
    """Without root ./run installs nothing, prints the command for this system and exits with 4."""
    machine.system(system)
    machine.user(1000)
    machine.remove("podman", *ROOTLESS)

    result = machine.run("invoke", "dev.up")

    assert result.returncode == 4
    assert command in result.stderr
    assert not any("apt" in line for line in machine.journal)


def test_sudo_without_password_is_used(machine: Machine) -> None:
    """With sudo that needs no password, packages are installed as for root."""
    machine.user(1000)
    machine.program("sudo", '[ "$1" = -n ] && shift && echo "sudo $1" >>"$JOURNAL" && exec "$@"\n')
    machine.program("true")
    machine.remove("slirp4netns")

    result = machine.run("invoke", "dev.up")

    assert result.returncode == 0
    assert "apt-get install slirp4netns passt" in machine.journal
    assert "sudo env" in machine.journal


@pytest.mark.parametrize(("absent", "installed"), [("slirp4netns", "pasta"), ("iptables", "nft")])
def test_one_of_two_helpers_is_enough(machine: Machine, absent: str, installed: str) -> None:
    """Of the alternative helpers of podman 4 and podman 5, either one is enough.

    The two versions use other programs for a user's network and the firewall.
    """
    machine.user(1000)
    machine.remove(absent)
    machine.program(installed)

    assert machine.run("invoke", "dev.up").returncode == 0


def test_homebrew_on_macos(machine: Machine) -> None:
    """On macOS, only podman itself is required.

    Its helpers are in its virtual machine, which must be started.
    """
    machine.program("uname", "echo Darwin\n")
    machine.user(501)
    machine.remove("podman", "netavark", "apt-get")

    result = machine.run("invoke", "dev.up")

    assert result.returncode == 4
    assert "run `brew install git podman python@3.13 && podman machine init && podman machine start`" in result.stderr


def test_failed_package_installation_is_reported(machine: Machine) -> None:
    """If apt-get fails, its last lines are printed and the exit code is 4."""
    machine.remove("podman")
    (machine.directory / "offline").touch()

    result = machine.run("invoke", "dev.up")

    assert result.returncode == 4
    assert "  | E: Unable to fetch podman\n" in result.stderr


def test_mmdebstrap_alone_is_not_installed(machine: Machine) -> None:
    """A missing mmdebstrap alone installs nothing.

    It is needed only where no registry answers.
    """
    machine.remove("mmdebstrap")

    assert machine.run("invoke", "dev.up").returncode == 0
    assert not any("apt" in line for line in machine.journal)
