"""The three commands through which a spawner reaches Slurm as another user.

Each command checks its call, cleans its environment and then replaces itself by Slurm's own command, so that Slurm's
output and exit status reach the spawner unchanged. There are few imports, because a command runs every few seconds for
every server.
"""

from __future__ import annotations

import os
import pwd
import sys

TYPE_CHECKING = False  # type checkers know this name; importing it would double the run time of a command
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Never

SAFE_PATH = "/usr/local/bin:/usr/bin:/bin"
JOB_ID_VARIABLE = "SLURMSPAWNER_JOB_ID"
JOB_ID_MAX_DIGITS = 10
SUBMIT_LIMIT_S = 300
LOG_PREFIX = "log."
LOG_END_BYTES = 8192
LOG_LINE_MAX_CHARS = 300

# The caller's variables that reach Slurm's command. A list of variables to drop would be outdated by the next Slurm,
# loader or shell that reads another one. Kept are the language of messages, the time zone of times, and a server's own
# variables, for spawners that pass them in the environment and not in the script.
KEPT_NAMES = frozenset({"LANG", "LANGUAGE", "TZ", "JPY_API_TOKEN"})
KEPT_PREFIXES = ("LC_", "JUPYTERHUB_")

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_FOUND = 127


def __getattr__(name: str) -> str:
    """Return the version, which takes an import that the commands do not need."""
    if name != "__version__":
        raise AttributeError(name)
    from importlib.metadata import version  # noqa: PLC0415

    return version(__name__)


def sbatch(search_path: str = SAFE_PATH, limit_s: int = SUBMIT_LIMIT_S) -> None:
    """Submit the script on standard input and print the job id, within `limit_s` seconds."""
    command = "slurmspawner_sbatch"
    refuse_arguments(command)
    account = own_account(command)
    enter_home(command, account.pw_dir)
    import signal  # noqa: PLC0415 - the other commands, which run much more often, do not need it

    # The spawner gives up long before, and cannot end a process on this machine. The alarm stays set in sbatch.
    signal.alarm(limit_s)
    become(command, ["sbatch", "--parsable"], clean_environment(os.environ, account, search_path))


def squeue(search_path: str = SAFE_PATH) -> None:
    """Print the state of one job, a list of jobs, the end of a job's log, the home directory, or what a job would find.

    For one job: `STATE | REASON | RESTARTS | EXIT | ID | NODE`. For the account's own jobs: lines `ID COMMENT`. For all
    jobs that have not ended: lines `ID | ACCOUNT | STATE | REASON | RESTARTS | NODE`, no part of which the owner of a
    job can choose. For the log: its last line. For the home: its path. For a check: see checks.
    """
    command = "slurmspawner_squeue"
    refuse_arguments(command)
    account = own_account(command)
    job_id = os.environ.get(JOB_ID_VARIABLE, "")
    environment = clean_environment(os.environ, account, search_path)
    if job_id == "check":
        from slurmspawner_wrappers import checks  # noqa: PLC0415 - the others, which run more often, do not need it

        checks.answer(account, environment)
        raise SystemExit(0)
    if job_id == "home":
        sys.stdout.write(account.pw_dir + "\n")
        raise SystemExit(0)
    os.chdir("/")
    match job_id:
        case "mine":
            selection = ["--states=all", f"--user={account.pw_uid}", "--format", "%A %k"]
        case "all":
            selection = ["--Format", delimited("JobID", "UserName", "State", "Reason", "RestartCnt", "BatchHost")]
        case _ if job_id.startswith(LOG_PREFIX):
            print_log_end(command, job_id.removeprefix(LOG_PREFIX), account, environment)
            return
        case _:
            # The state is the first word and the node the last, as batchspawner's own patterns expect.
            fields = delimited("State", "Reason", "RestartCnt", "exit_code", "JobID", "BatchHost")
            selection = ["--states=all", "--job", requested_job(command), "--Format", fields]
    become(command, ["squeue", "--noheader", *selection], environment)


def delimited(*fields: str) -> str:
    """Return squeue's format for these fields in full length, with a bar between them that no value contains."""
    return ",".join(f"{field}: | " for field in fields[:-1]) + f",{fields[-1]}: "


def print_log_end(command: str, job_id: str, account: pwd.struct_passwd, environment: Mapping[str, str]) -> None:
    """Print the last line of a job's log, or exit with status 1 if the account cannot read it."""
    import subprocess  # noqa: PLC0415 - the frequent commands do not need it

    if not is_job_id(job_id):
        refuse(command, f"{JOB_ID_VARIABLE} must hold one Slurm job id, digits only.", EXIT_USAGE)
    query = ["squeue", "--noheader", "--states=all", "--job", job_id, "--Format", "StdOut: "]
    path = "the log"
    try:
        answer = subprocess.run(query, env=environment, capture_output=True, text=True, check=False)
        lines = [line.strip() for line in answer.stdout.splitlines() if line.strip().startswith("/")]
        # Without a path, reading the empty one fails.
        path = "".join(lines[-1:]).replace("%j", job_id).replace("%A", job_id).replace("%u", account.pw_name)
        text = read_end(path)
    except OSError as error:
        refuse(command, f"cannot read {path}: {error.strerror}.", EXIT_FAILED)
    lines = [line for line in text.splitlines() if line.strip()]
    # srun adds that a task has failed, after the task's own words.
    last = ([line for line in lines if not line.startswith("srun: error: ")] or lines or [""])[-1]
    sys.stdout.write("".join(char for char in last.strip() if char.isprintable())[:LOG_LINE_MAX_CHARS] + "\n")


def read_end(path: str) -> str:
    """Return the last few kilobytes of a regular file.

    Raises:
        OSError: The file is not regular or not readable. A FIFO would block.
    """
    import stat  # noqa: PLC0415 - the frequent commands do not need it

    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise OSError(0, "not a regular file")
        file.seek(max(0, state.st_size - LOG_END_BYTES))
        return file.read(LOG_END_BYTES).decode("utf-8", "replace")


def scancel(search_path: str = SAFE_PATH) -> None:
    """Cancel the job."""
    command = "slurmspawner_scancel"
    refuse_arguments(command)
    job_id = requested_job(command)
    os.chdir("/")
    become(command, ["scancel", job_id], clean_environment(os.environ, own_account(command), search_path))


def clean_environment(caller: Mapping[str, str], account: pwd.struct_passwd, search_path: str) -> dict[str, str]:
    """Return the environment of Slurm's command.

    It has the caller's harmless variables and the account's own.
    """
    kept = {name: value for name, value in caller.items() if name in KEPT_NAMES or name.startswith(KEPT_PREFIXES)}
    return kept | {
        "PATH": search_path,
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "SHELL": account.pw_shell or "/bin/sh",
    }


def is_job_id(text: str) -> bool:
    """Whether a text is a plain Slurm job id: digits only, no sign, list, range or option."""
    return text.isascii() and text.isdecimal() and not text.startswith("0") and len(text) <= JOB_ID_MAX_DIGITS


def requested_job(command: str) -> str:
    """Return the job id in the caller's environment, or exit with status 2."""
    job_id = os.environ.get(JOB_ID_VARIABLE, "")
    if not is_job_id(job_id):
        refuse(command, f"{JOB_ID_VARIABLE} must hold one Slurm job id, digits only.", EXIT_USAGE)
    return job_id


def refuse_arguments(command: str) -> None:
    """Exit with status 2 if the command has any argument.

    sudo allows these commands without arguments only.
    """
    if len(sys.argv) > 1:
        refuse(command, "takes no arguments.", EXIT_USAGE)


def own_account(command: str) -> pwd.struct_passwd:
    """Return the password entry of the account that runs this command."""
    try:
        return pwd.getpwuid(os.getuid())
    except KeyError:
        refuse(command, f"user id {os.getuid()} has no account on this machine.", EXIT_FAILED)


def enter_home(command: str, home: str) -> None:
    """Change to the home directory, or exit if a job could not use it."""
    try:
        os.chdir(home)
    except OSError as error:
        refuse(command, f"cannot enter the home directory {home}: {error.strerror}.", EXIT_FAILED)
    if not os.access(home, os.W_OK):
        refuse(command, f"the home directory {home} is not writable.", EXIT_FAILED)


def become(command: str, arguments: list[str], environment: dict[str, str]) -> None:
    """Replace this process by Slurm's command from the PATH of the given environment."""
    try:
        os.execvpe(arguments[0], arguments, environment)  # noqa: S606 - no shell is the point
    except OSError as error:
        refuse(command, f"cannot run {arguments[0]}: {error.strerror}.", EXIT_NOT_FOUND)


def refuse(command: str, sentence: str, status: int) -> Never:
    """Print one sentence and exit."""
    sys.stderr.write(f"{command}: {sentence}\n")
    raise SystemExit(status)
