"""hubpod's own program for the tasks of `invoke`: without the options that would have no effect, and with remedies."""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

from invoke.collection import Collection
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.program import Program
from invoke.util import enable_logging

from hubpod.cli.reporting import reporting_errors
from hubpod.errors import UsageError, nearest
from hubpod.system.started_as import command_line
from hubpod_tasks.completion import complete, read_script
from hubpod_tasks.line import explain, nearest_task, require_plans, share_options

KEPT = ("complete", "debug", "help", "list", "list-depth", "list-format", "print-completion-script", "version")
"""invoke's own options that have their effect here. Every other one is refused."""

EXEC = "dev.exec"
LIST_FORMATS = ("flat", "nested", "json")
INVOKE = ("invoke", "inv")


class HubpodProgram(Program):
    """invoke's program for one collection, whose errors are hubpod's, with exit code 2 for a wrong command line."""

    def core_args(self) -> list[Argument]:
        """Return the options before the first task."""
        kept = [argument for argument in super().core_args() if argument.name in KEPT]
        for argument in kept:
            if argument.name == "debug":
                argument.names = ("debug",)  # -d is --deploy-dir
        return [
            *kept,
            Argument(names=("dry", "R"), kind=bool, default=False, help="print the plan, and change nothing"),
            Argument(names=("environment", "e"), help="environment of every command of the line"),
            Argument(names=("instance", "i"), help="instance of every command of the line"),
            Argument(names=("search-root", "r"), help="directory with the tasks.py to use, or a directory below it"),
        ]

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:  # noqa: A002, FBT001, FBT002 - invoke's name
        """Parse a command line and run its tasks.

        Raises:
            SystemExit: A command failed, or ``exit`` is set and nothing remains to be run.
        """
        with reporting_errors():
            try:
                self._run(argv)
            except ParseError as error:
                raise self._explain(error) from None
            except ValueError as error:  # the value of an option that takes a number
                raise UsageError(str(error), remedy=f"`{command_line('--help')}` lists the options") from None
            except Exit as done:
                if exit:
                    raise SystemExit(done.code) from None

    def _run(self, argv: list[str] | None) -> None:
        self.create_config()
        self.parse_core(argv)
        self.parse_collection()
        self.parse_tasks()
        self.parse_cleanup()
        first = self.core[0]
        if self.core.remainder and not any(task.name == EXEC for task in self.tasks):
            raise UsageError(
                f"the words after the two hyphens have no meaning: {self.core.remainder}",
                remedy=f"only {EXEC} takes a command there",
            )
        share_options(self.tasks, first)
        require_plans(self.tasks, first)
        self.execute()

    def parse_core(self, argv: list[str] | None) -> None:
        """Parse the options before the first task."""
        self.normalize_argv(argv)
        self.parse_core_args()
        if self.args.debug.value:
            enable_logging()
        if self.args.version.value:
            self.print_version()
            raise Exit
        if shell := self.args["print-completion-script"].value:
            sys.stdout.write(read_script(shell))
            raise Exit

    def parse_cleanup(self) -> None:
        """Serve --help, --list and --complete, which run no task.

        Raises:
            UsageError: They name an unknown command, collection or format.
        """
        wanted, group, how = self.args.help.value, self.args.list.value, self.args["list-format"].value
        names = [str(name) for name in self.collection.task_names]
        if isinstance(wanted, str) and wanted not in self.parser.contexts:
            remedy = f"`{command_line('--list')}` lists the commands"
            raise UsageError(f"there is no command {wanted!r}{nearest_task(wanted, names)}", remedy=remedy)
        if isinstance(group, str) and group not in self.collection.collections:
            groups = [str(name) for name in self.collection.collections]
            remedy = f"groups: {', '.join(groups)}"
            raise UsageError(f"there is no group of commands {group!r}{nearest(group, groups)}", remedy=remedy)
        if how not in LIST_FORMATS:
            problem = f"--list-format {how}: must be one of {', '.join(LIST_FORMATS)}{nearest(how, LIST_FORMATS)}"
            raise UsageError(problem)
        if self.args.complete.value:
            words = self.argv[self.argv.index("--") + 1 :] if "--" in self.argv else []
            contexts = {name: self.parser.contexts[name] for name in names}
            sys.stdout.writelines(f"{word}\n" for word in complete(words, self.initial_context, contexts))
            raise Exit
        super().parse_cleanup()

    def print_version(self) -> None:
        """Print hubpod's version."""
        try:
            number = version("hubpod")
        except PackageNotFoundError:
            number = "(not installed)"
        sys.stdout.write(f"hubpod {number}\n")

    def task_list_opener(self, extra: str = "") -> str:
        """Return the title of a list of commands."""
        return super().task_list_opener(extra).replace("Subcommands", "Available tasks")

    def _explain(self, error: ParseError) -> UsageError:
        own = {name for argument in self.core_args() for name in argument.names}
        foreign = {name for each in (*super().core_args(), *self.task_args()) for name in each.names} - own
        context = error.context or ParserContext()
        flags = [*context.flag_names(), *self.initial_context.flag_names()]
        return explain(
            str(error),
            context.name or "",
            flags,
            map(str, self.collection.task_names) if hasattr(self, "collection") else (),
            {f"-{name}" if len(name) == 1 else f"--{name}" for name in foreign},
        )


def make_program(namespace: Collection) -> HubpodProgram:
    """Return the program for a collection, named as the user started it."""
    return HubpodProgram(namespace=namespace, name="hubpod", binary=command_line(), binary_names=list(INVOKE))


def take_over(namespace: Collection) -> None:
    """Run the command line with hubpod's program, if invoke's own program loads the collection.

    invoke's program offers options that would have no effect, and reports mistakes without a remedy.

    Raises:
        SystemExit: hubpod's program has run.
    """
    program = Path(sys.argv[0])
    if program.name in INVOKE or program.parts[-2:] == ("invoke", "__main__.py"):
        _run_and_exit(namespace)


def _run_and_exit(namespace: Collection) -> NoReturn:
    make_program(namespace).run()
    raise SystemExit(0)
