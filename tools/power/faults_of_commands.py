"""Mistakes in the commands of the Slurm host."""

from power.fault import WRAPPERS, Fault

COMMANDS = (
    Fault(
        name="sbatch-not-parsable",
        file=WRAPPERS,
        old='["sbatch", "--parsable"]',
        new='["sbatch"]',
        breaks="The hub finds no job id in the output of sbatch, so nothing owns the job.",
    ),
    Fault(
        name="scancel-by-interrupt",
        file=WRAPPERS,
        old='["scancel", job_id]',
        new='["scancel", "--signal=INT", job_id]',
        breaks="A server that its user stops receives an interrupt and keeps running.",
    ),
    Fault(
        name="job-id-not-validated",
        file=WRAPPERS,
        old='    job_id = os.environ.get(JOB_ID_VARIABLE, "")\n    if not is_job_id(job_id):',
        new='    job_id = os.environ.get(JOB_ID_VARIABLE, "")\n    if not job_id:',
        breaks="A caller can pass options and lists to scancel instead of one job id.",
    ),
    Fault(
        name="one-argument-accepted",
        file=WRAPPERS,
        old="if len(sys.argv) > 1:",
        new="if len(sys.argv) > 2:",
        breaks="A caller can pass an argument to the commands.",
    ),
    Fault(
        name="home-not-entered",
        file=WRAPPERS,
        old="    enter_home(command, account.pw_dir)\n",
        new="",
        breaks="A missing home directory ends the job, instead of being reported before the submission.",
    ),
    Fault(
        name="home-checked-for-reading",
        file=WRAPPERS,
        old="os.access(home, os.W_OK)",
        new="os.access(home, os.R_OK)",
        breaks="A home directory without write permission ends the job, instead of being reported earlier.",
    ),
    Fault(
        name="sbatch-variables-kept",
        file=WRAPPERS,
        old='KEPT_PREFIXES = ("LC_", ',
        new='KEPT_PREFIXES = ("LC_", "SBATCH_", ',
        breaks="A caller can set options of sbatch, such as another account.",
    ),
    Fault(
        name="path-of-the-caller",
        file=WRAPPERS,
        old='"PATH": search_path,',
        new='"PATH": caller.get("PATH", search_path),',
        breaks="A caller can run another program in place of Slurm's.",
    ),
    Fault(
        name="home-of-the-caller",
        file=WRAPPERS,
        old='"HOME": account.pw_dir,',
        new='"HOME": caller.get("HOME", account.pw_dir),',
        breaks="Jobs get the home directory of the service user.",
    ),
    Fault(
        name="ended-jobs-not-queried",
        file=WRAPPERS,
        old='selection = ["--states=all", "--job", ',
        new='selection = ["--job", ',
        breaks="The hub does not learn why a job ended, because squeue lists only queued and running jobs.",
    ),
    Fault(
        name="reason-and-node-swapped",
        file=WRAPPERS,
        old='"State", "Reason", "RestartCnt", "exit_code", "JobID", "BatchHost"',
        new='"State", "BatchHost", "RestartCnt", "exit_code", "JobID", "Reason"',
        breaks="The hub tries to reach a host named after the job's reason.",
    ),
    Fault(
        name="short-states",
        file=WRAPPERS,
        old='"State", "Reason", "RestartCnt", "exit_code", "JobID", "BatchHost"',
        new='"StateCompact", "Reason", "RestartCnt", "exit_code", "JobID", "BatchHost"',
        breaks="The hub does not understand Slurm's two-letter states, and no server becomes ready.",
    ),
)
