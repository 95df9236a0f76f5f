"""The settings that BricsSlurmSpawner adds to those of batchspawner."""

from traitlets import Float, HasTraits, List, Unicode

from bricsauthenticator import options


class SpawnerSettings(HasTraits):
    """Mixin with the configurable traits."""

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

    query_all_cmd = Unicode(
        "",
        help="""Whole command, prefix included, that prints `ID ACCOUNT STATE REASON NODE` for each job not ended.

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
