"""The wrappers as a spawner runs them: real processes.

Small scripts replace Slurm's commands.
"""

import json
import os
import pwd
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

import slurmspawner_wrappers
from slurmspawner_wrappers import SAFE_PATH, clean_environment, enter_home, is_job_id

SCRIPTS = Path(sysconfig.get_path("scripts"))
COMMANDS = ("slurmspawner_sbatch", "slurmspawner_squeue", "slurmspawner_scancel")
SOURCE = str(Path(slurmspawner_wrappers.__file__).parents[1])
ACCOUNT = pwd.struct_passwd(("ada.p1", "x", 1001, 1001, "", "/home/p1/ada.p1", "/bin/bash"))

Run = Callable[..., subprocess.CompletedProcess[str]]

RECORDER = """#!{python}
import json, os, sys
stdin = sys.stdin.read() if {reads} else ""
open({record!r}, "w").write(json.dumps([sys.argv[1:], dict(os.environ), stdin, os.getcwd()]))
sys.stdout.write({out!r})
sys.stderr.write({err!r})
sys.exit({status})
"""


class FakeSlurm:
    """A directory of commands that record how they were called and answer as configured."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "bin"
        self.bin.mkdir()
        self.record = directory / "record.json"

    def answer(self, name: str, *, out: str = "", err: str = "", status: int = 0) -> None:
        """Make the named command answer like this."""
        path = self.bin / name
        text = RECORDER.format(
            python=sys.executable, reads=name == "sbatch", record=str(self.record), out=out, err=err, status=status
        )
        path.write_text(text)
        path.chmod(0o755)

    @property
    def call(self) -> tuple[list[str], dict[str, str], str, str]:
        """Arguments, environment, standard input and working directory of the last call."""
        arguments, environment, stdin, cwd = json.loads(self.record.read_text())
        return arguments, environment, stdin, cwd


@pytest.fixture
def slurm(tmp_path: Path) -> FakeSlurm:
    """Slurm's commands as small scripts."""
    return FakeSlurm(tmp_path)


@pytest.fixture
def run(slurm: FakeSlurm) -> Run:
    """Run a wrapper's entry point in a new process, with the fake Slurm commands."""

    def run_wrapper(name: str, *, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        code = f"import sys, slurmspawner_wrappers as w; sys.argv = ['x']; w.{name}(search_path={str(slurm.bin)!r})"
        return subprocess.run(
            [sys.executable, "-c", code],
            input=stdin,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": SOURCE, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )

    return run_wrapper


def console(name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the installed console script itself."""
    return subprocess.run(
        [SCRIPTS / name, *arguments], env=variables, capture_output=True, text=True, check=False, timeout=10, input=""
    )


def test_the_script_reaches_sbatch_and_the_job_id_comes_back(slurm: FakeSlurm, run: Run) -> None:
    """The script on standard input reaches `sbatch --parsable`, whose answer is printed."""
    slurm.answer("sbatch", out="4711\n")

    done = run("sbatch", stdin="#!/bin/bash\nexport A='b'\n")

    assert (done.returncode, done.stdout) == (0, "4711\n")
    assert slurm.call[0] == ["--parsable"]
    assert slurm.call[2] == "#!/bin/bash\nexport A='b'\n"
    assert slurm.call[3] == pwd.getpwuid(os.getuid()).pw_dir


def test_squeue_prints_state_reason_and_node_of_that_job(slurm: FakeSlurm, run: Run) -> None:
    """One job is queried in all states, in the order that batchspawner's patterns expect."""
    slurm.answer("squeue", out="RUNNING | None | 0 | 0:0 | 4711 | node1 \n")

    done = run("squeue", SLURMSPAWNER_JOB_ID="4711")

    assert done.stdout == "RUNNING | None | 0 | 0:0 | 4711 | node1 \n"
    fields = "State: | ,Reason: | ,RestartCnt: | ,exit_code: | ,JobID: | ,BatchHost: "
    assert slurm.call[0] == ["--noheader", "--states=all", "--job", "4711", "--Format", fields]


def test_squeue_prints_the_home_directory(run: Run) -> None:
    """With `home` it prints the directory in the password database, whatever the caller's HOME, without Slurm."""
    done = run("squeue", SLURMSPAWNER_JOB_ID="home", HOME="/elsewhere")

    assert (done.returncode, done.stdout) == (0, pwd.getpwuid(os.getuid()).pw_dir + "\n")


def test_squeue_prints_the_last_line_of_a_jobs_log(slurm: FakeSlurm, run: Run, tmp_path: Path) -> None:
    """With `log.ID` it prints the last line with text, without control characters and cut."""
    (tmp_path / "4711.log").write_text("first\n\x1b[31m" + "x" * 400 + "\n\n")
    slurm.answer("squeue", out=f"*** closed on Friday ***\n{tmp_path}/%j.log \n")

    done = run("squeue", SLURMSPAWNER_JOB_ID="log.4711")

    assert done.stdout == "[31m" + "x" * 296 + "\n"
    assert slurm.call[0] == ["--noheader", "--states=all", "--job", "4711", "--Format", "StdOut: "]


@pytest.mark.parametrize("log", ["fifo", "missing", "directory", "unknown"])
def test_squeue_reads_regular_logs_only(slurm: FakeSlurm, run: Run, tmp_path: Path, log: str) -> None:
    """A log that is not a readable regular file is refused at once."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    slurm.answer("squeue", out="" if log == "unknown" else f"{tmp_path}/{log} \n")

    done = run("squeue", SLURMSPAWNER_JOB_ID="log.4711")

    assert done.returncode == 1
    assert done.stderr.startswith("slurmspawner_squeue: cannot read ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("job", ["log.", "log.all", "log.1,2", "log.log.1", "log.-1", "log"])
def test_squeue_refuses_other_logs(slurm: FakeSlurm, run: Run, job: str) -> None:
    """Only the log of one job can be read."""
    slurm.answer("squeue")

    assert run("squeue", SLURMSPAWNER_JOB_ID=job).returncode == 2
    assert not slurm.record.exists()


def test_squeue_lists_the_accounts_own_jobs(slurm: FakeSlurm, run: Run) -> None:
    """With `mine` it prints ids and comments of this account's jobs only."""
    slurm.answer("squeue", out="4711 project1 key\n")

    done = run("squeue", SLURMSPAWNER_JOB_ID="mine")

    assert done.stdout == "4711 project1 key\n"
    assert slurm.call[0] == ["--noheader", "--states=all", f"--user={os.getuid()}", "--format", "%A %k"]


def test_squeue_lists_all_jobs_without_text_of_their_owners(slurm: FakeSlurm, run: Run) -> None:
    """For `all` the wrapper prints neither comments nor names of jobs.

    The owner of a job could forge a line with them.
    """
    slurm.answer("squeue", out="4711 | ada.p1 | RUNNING | None | 0 | node1 \n")

    done = run("squeue", SLURMSPAWNER_JOB_ID="all")

    assert done.stdout == "4711 | ada.p1 | RUNNING | None | 0 | node1 \n"
    fields = "JobID: | ,UserName: | ,State: | ,Reason: | ,RestartCnt: | ,BatchHost: "
    assert slurm.call[0] == ["--noheader", "--Format", fields]


@pytest.mark.parametrize("several", ["mine", "all", "log.1"])
def test_scancel_refuses_the_words_for_lists(slurm: FakeSlurm, run: Run, several: str) -> None:
    """The words that list jobs are not job ids for the command that cancels."""
    slurm.answer("scancel")

    assert run("scancel", SLURMSPAWNER_JOB_ID=several).returncode == 2
    assert not slurm.record.exists()


def test_a_submission_has_a_time_limit(slurm: FakeSlurm) -> None:
    """An sbatch that hangs is ended, because the spawner that has given it up cannot do so."""
    (slurm.bin / "sbatch").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    (slurm.bin / "sbatch").chmod(0o755)
    code = f"import sys, slurmspawner_wrappers as w; sys.argv = ['x']; w.sbatch({str(slurm.bin)!r}, limit_s=1)"

    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=30)

    assert done.returncode == -signal.SIGALRM


def test_scancel_cancels_that_job(slurm: FakeSlurm, run: Run) -> None:
    """The job id is scancel's only argument."""
    slurm.answer("scancel")

    assert run("scancel", SLURMSPAWNER_JOB_ID="4711").returncode == 0
    assert slurm.call[0] == ["4711"]


@pytest.mark.parametrize("name", ["squeue", "scancel"])
def test_slurms_refusal_passes_through(slurm: FakeSlurm, run: Run, name: str) -> None:
    """Slurm's own message and status reach the spawner unchanged."""
    message = "slurm_load_jobs error: Invalid job id specified\n"
    slurm.answer(name, err=message, status=1)

    done = run(name, SLURMSPAWNER_JOB_ID="4711")

    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)


@pytest.mark.parametrize("name", ["squeue", "scancel"])
@pytest.mark.parametrize(
    "job_id",
    [
        *("", "0", "-1", "+1", "0x1", "1e3", "1_000", "1_2", "1+0", "1.batch", "1,2", "1 2", "[1-2]", "*"),
        *(
            "--state=RUNNING",
            "-u root",
            "1;id",
            "$(id)",
            "12 ",
            " 12",
            "12\n",
            "1\n2",
            "1\t",
            "12345678901",
            "9" * 9999,
        ),
        *("\u0663", "\uff11", "\u00b9", "1\u200b"),  # digits of other scripts, a superscript, a space without width
    ],
)
def test_anything_but_a_job_id_is_refused_before_slurm_runs(slurm: FakeSlurm, run: Run, name: str, job_id: str) -> None:
    """A job id that is not plain digits ends with status 2 and nothing has run."""
    slurm.answer(name)

    done = run(name, SLURMSPAWNER_JOB_ID=job_id)

    assert done.returncode == 2
    assert "SLURMSPAWNER_JOB_ID" in done.stderr
    assert not slurm.record.exists()


@pytest.mark.parametrize(("mode", "message"), [(0o500, "is not writable"), (None, "No such file or directory")])
def test_an_unusable_home_directory_is_reported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mode: int | None,
    message: str,
) -> None:
    """A missing or read-only home directory ends the command with one sentence."""
    home = tmp_path / "home"
    if mode:
        home.mkdir(mode)
    monkeypatch.chdir(tmp_path)
    # root may write anywhere.
    monkeypatch.setattr(os, "access", lambda path, how: how != os.W_OK or bool(Path(path).stat().st_mode & 0o200))

    with pytest.raises(SystemExit) as ended:
        enter_home("slurmspawner_sbatch", str(home))

    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(home) in said
    assert message in said


@pytest.mark.parametrize("command", COMMANDS)
def test_arguments_are_refused(command: str) -> None:
    """Any argument ends the console script with status 2 and one sentence."""
    done = console(command, "--help", SLURMSPAWNER_JOB_ID="1")

    assert done.returncode == 2
    assert done.stderr == f"{command}: takes no arguments.\n"


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_a_missing_job_id_is_refused(command: str) -> None:
    """Without SLURMSPAWNER_JOB_ID the console script ends with status 2."""
    assert console(command).returncode == 2


def test_the_callers_path_is_not_searched(slurm: FakeSlurm) -> None:
    """A command of the same name on the caller's PATH is never run."""
    slurm.answer("scancel")

    console("slurmspawner_scancel", SLURMSPAWNER_JOB_ID="1", PATH=f"{slurm.bin}")

    assert not slurm.record.exists()


def test_a_missing_slurm_command_is_reported_in_one_line(run: Run) -> None:
    """If Slurm is not installed, the wrapper prints one line without a traceback."""
    done = run("squeue", SLURMSPAWNER_JOB_ID="1")

    assert done.returncode == 127
    assert done.stderr == "slurmspawner_squeue: cannot run squeue: No such file or directory.\n"


STEERING = (
    *("SLURM_CONF", "SLURM_CONF_SERVER", "SBATCH_ACCOUNT", "SQUEUE_FORMAT", "SCANCEL_STATE", "MUNGE_SOCKET"),
    *("LD_LIBRARY_PATH", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "NLSPATH", "RES_OPTIONS", "HOSTALIASES"),
    *("PYTHONPATH", "VIRTUAL_ENV", "BASH_ENV", "ENV", "IFS", "SHELLOPTS", "PS4", "BASH_FUNC_ls%%", "PERL5OPT"),
    *("SUDO_COMMAND", "OLDPWD", "TMPDIR", "XDG_CONFIG_HOME", "SSH_ORIGINAL_COMMAND", "SLURMSPAWNER_JOB_ID"),
    *("KEPT_BY_NOBODY", "lang", "XLC_ALL", "MY_JUPYTERHUB_USER"),
)
OWN = {"LANG": "C.UTF-8", "LC_TIME": "C", "TZ": "UTC", "JUPYTERHUB_USER": "ada", "JPY_API_TOKEN": "a token"}


def test_the_environment_is_the_accounts_own() -> None:
    """Only language, time zone and a server's own variables pass.

    The identity is the account's.
    """
    caller = {**dict.fromkeys((*STEERING, "HOME", "SHELL", "PATH", "USER", "LOGNAME"), "/evil"), **OWN}

    assert clean_environment(caller, ACCOUNT, SAFE_PATH) == {
        **OWN,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/home/p1/ada.p1",
        "USER": "ada.p1",
        "LOGNAME": "ada.p1",
        "SHELL": "/bin/bash",
    }


@pytest.mark.parametrize("name", ["sbatch", "squeue", "scancel"])
def test_variables_that_steer_slurm_are_removed(slurm: FakeSlurm, run: Run, name: str) -> None:
    """A process of a wrapper that is called with all that could steer Slurm hands none of it on."""
    slurm.answer(name)
    evil = dict.fromkeys((*STEERING, "HOME", "SHELL", "USER", "LOGNAME"), "/evil")

    assert run(name, **{**evil, "SLURMSPAWNER_JOB_ID": "7"}).returncode == 0

    reached = slurm.call[1]
    assert not [variable for variable, value in reached.items() if "/evil" in value]
    assert reached["PATH"] == str(slurm.bin)
    assert reached["HOME"] == pwd.getpwuid(os.getuid()).pw_dir


@pytest.mark.parametrize(("text", "answer"), [("1", True), ("4294967295", True), ("01", False), ("1_2", False)])
def test_job_ids_are_plain_digits(text: str, answer: bool) -> None:  # noqa: FBT001 - a table of cases
    """A job id has one to ten digits and no leading zero."""
    assert is_job_id(text) is answer


def test_the_package_has_its_version() -> None:
    """The version is that of the installation, and other names are missing as in any module."""
    import slurmspawner_wrappers  # noqa: PLC0415

    assert slurmspawner_wrappers.__version__ == version("slurmspawner_wrappers")
    assert not hasattr(slurmspawner_wrappers, "__versions__")
