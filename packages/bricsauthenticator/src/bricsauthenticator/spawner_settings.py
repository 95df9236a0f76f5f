"""The settings that BricsSlurmSpawner adds to those of batchspawner."""

from collections.abc import Callable

from batchspawner import format_template  # type: ignore[import-untyped]
from traitlets import Float, HasTraits, List, Unicode, default

from bricsauthenticator import options
from bricsauthenticator.jobscript import LAUNCH
from bricsauthenticator.projects import project_of

START_MARGIN_S = 60
"""Seconds for what a start does besides its three waits: two commands of at most command_timeout."""


class SpawnerSettings(HasTraits):
    """Mixin with the configurable traits, and what follows from them alone."""

    # Of the class that this is mixed into:
    batchspawner_singleuser_cmd: str
    cmd: list[str]
    get_args: Callable[[], list[str]]

    runtimes = List(
        Unicode(),
        list(options.RUNTIMES),
        minlen=1,
        help="Time limits in the form; the first is the default, and the longest is the maximum.",
    ).tag(config=True)

    shell = Unicode("/bin/bash", help="SHELL of the server.").tag(config=True)

    command_timeout = Float(
        30.0, min=0.1, help="Time limit of a submit, query or cancel command, ssh included, in seconds."
    ).tag(config=True)

    batch_list_cmd = Unicode(
        "",
        help="""Command that prints a line `ID COMMENT` for each of the account's jobs, ended ones included.

        With it, a job is found again when the answer to its submission was lost. Empty where there is no such command.
        """,
    ).tag(config=True)

    slurm_host = Unicode(
        "",
        help="""Name or address of the Slurm host, with or without `:PORT`.

        It is the address of a node to which Slurm gives a loopback address, because that node is the Slurm host itself.
        Empty or localhost if the hub runs on the same host.
        """,
    ).tag(config=True)

    query_all_cmd = Unicode(
        "",
        help="""Whole command, prefix included, that prints a line for each job that has not ended.

        The line is `ID | ACCOUNT | STATE | REASON | RESTARTS | NODE`, or `ID ACCOUNT STATE REASON NODE`.

        With it, all servers share one query. Empty where there is no such command.
        """,
    ).tag(config=True)

    orphans_interval = Float(
        30.0,
        min=0,
        help="""Seconds between searches for orphan jobs: jobs with this hub's mark that its database does not know.

        They are cancelled. 0 means never. Needs `query_all_cmd` with accounts, and `batch_list_cmd`.
        """,
    ).tag(config=True)

    search_timeout = Float(
        10.0, min=0, help="Seconds to search for a job by its key when the answer to its submission was lost."
    ).tag(config=True)

    queue_timeout = Float(
        7200.0,
        min=0,
        help="""Seconds that a job may wait in Slurm's queue, however often.

        JupyterHub's start_timeout limits the whole start. By default it is longer than this, launch_timeout and
        answer_timeout together, because JupyterHub's own error has no sentence for the user.
        """,
    ).tag(config=True)

    launch_timeout = Float(
        420.0,
        min=0,
        help="""Seconds that a running job may take to report its port, without its time in the queue.

        Seconds suffice, except where an environment on a busy shared file system is activated for the first time. The
        default is the limit that whole starts had before queue_timeout existed.
        """,
    ).tag(config=True)

    idle_query_interval = Float(
        0.0,
        min=0,
        help="""Seconds for which an answer about a running server is used again where jobs cannot be listed together.

        Each server then costs one query in this time. 0 means a query with each poll.
        """,
    ).tag(config=True)

    batch_log_cmd = Unicode(
        "", help="Command that prints the last line of a job's log. Empty where there is no such command."
    ).tag(config=True)

    batch_home_cmd = Unicode(
        "",
        help="""Command that prints the account's home directory on the Slurm host, on a line of its own.

        Empty, or without an answer of that form, the home directory is `home_template`.
        """,
    ).tag(config=True)

    home_template = Unicode(
        "/home/{project}/{username}",
        help="Home directory of an account where `batch_home_cmd` does not say it.",
    ).tag(config=True)

    gpus = List(
        Unicode(),
        list(options.GPUS),
        minlen=1,
        help="Numbers of GPUs in the form; the first is the default, and the largest is the maximum.",
    ).tag(config=True)

    answer_timeout = Float(
        300,
        config=True,
        help="""Seconds that a server may take to listen after its job has reported the port.

        Minutes, where many servers start at once or the file system is slow. Not http_timeout, for which a restarted
        hub waits for a server that is gone.
        """,
    )

    stop_timeout = Float(10.0, min=0, help="Seconds to wait until Slurm reports that a cancelled job is gone.").tag(
        config=True
    )

    @default("start_timeout")
    def default_start_timeout(self) -> int:
        """Return JupyterHub's limit of a start, which comes after ours."""
        return round(self.queue_timeout + self.launch_timeout + self.answer_timeout) + START_MARGIN_S

    def usual_home(self, username: str) -> str:
        """Return the home directory of `USER.PROJECT` where the Slurm host does not say it."""
        return str(format_template(self.home_template, project=project_of(username), username=username))

    @property
    def runs_launcher(self) -> bool:
        """Whether the job runs this package's launcher, and not a command of the site's."""
        return bool(self.batchspawner_singleuser_cmd == self.traits()["batchspawner_singleuser_cmd"].default_value)

    def cmd_formatted_for_batch(self) -> str:
        """Return the command of the job: the launcher and the server's own command."""
        if not self.runs_launcher:
            return str(super().cmd_formatted_for_batch())  # type: ignore[misc]
        return " ".join([LAUNCH, *self.cmd, *self.get_args()])
