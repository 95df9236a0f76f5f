"""Mistakes in the commands of the Slurm host."""

from power.fault import WRAPPERS, Fault

COMMANDS = (
    Fault(
        name="sbatch-not-parsable",
        file=WRAPPERS,
        old='["sbatch", "--parsable"]',
        new='["sbatch"]',
        breaks="No job id is found in what sbatch prints, and its job has no owner.",
    ),
    Fault(
        name="scancel-by-interrupt",
        file=WRAPPERS,
        old='["scancel", job_id]',
        new='["scancel", "--signal=INT", job_id]',
        breaks="A server that is stopped gets an interrupt and runs on.",
    ),
    Fault(
        name="job-id-not-validated",
        file=WRAPPERS,
        old="if not is_job_id(job_id):",
        new="if not job_id:",
        breaks="A caller can cancel by options and lists instead of one job id.",
    ),
    Fault(
        name="one-argument-accepted",
        file=WRAPPERS,
        old="if len(sys.argv) > 1:",
        new="if len(sys.argv) > 2:",
        breaks="The commands accept an argument.",
    ),
    Fault(
        name="home-not-entered",
        file=WRAPPERS,
        old="    enter_home(command, account.pw_dir)\n",
        new="",
        breaks="A missing home directory is found out by a job that dies, not said at once.",
    ),
    Fault(
        name="home-checked-for-reading",
        file=WRAPPERS,
        old="os.access(home, os.W_OK)",
        new="os.access(home, os.R_OK)",
        breaks="A home directory that cannot be written is found out by a job that dies.",
    ),
    Fault(
        name="sbatch-variables-kept",
        file=WRAPPERS,
        old='KEPT_PREFIXES = ("LC_", ',
        new='KEPT_PREFIXES = ("LC_", "SBATCH_", ',
        breaks="A caller can steer sbatch, for instance to another account.",
    ),
    Fault(
        name="path-of-the-caller",
        file=WRAPPERS,
        old='"PATH": search_path,',
        new='"PATH": caller.get("PATH", search_path),',
        breaks="A caller can have another program run in place of Slurm's.",
    ),
    Fault(
        name="home-of-the-caller",
        file=WRAPPERS,
        old='"HOME": account.pw_dir,',
        new='"HOME": caller.get("HOME", account.pw_dir),',
        breaks="Jobs see the home directory of the service user.",
    ),
    Fault(
        name="ended-jobs-not-asked-about",
        file=WRAPPERS,
        old='"--states=all", "--job", ',
        new='"--job", ',
        breaks="The reason why a job ended is not known, as Slurm lists jobs in the queue only.",
    ),
    Fault(
        name="reason-and-node-swapped",
        file=WRAPPERS,
        old='"%T %r %B"',
        new='"%T %B %r"',
        breaks="The hub tries to reach a host named after the job's reason.",
    ),
    Fault(
        name="short-states",
        file=WRAPPERS,
        old='"%T %r %B"',
        new='"%t %r %B"',
        breaks="Slurm's two-letter states are not understood, and no server gets ready.",
    ),
)
