"""The tasks that look at what runs, which are the same for development and for production."""

from collections.abc import Mapping
from typing import Any

from invoke.context import Context as InvokeContext
from invoke.exceptions import Exit
from invoke.tasks import task

from hubpod.environments import Stage
from hubpod.errors import UsageError
from tasks import doing
from tasks.options import INSTANCE
from tasks.shell import told


def status_task(stage: Stage, default: str, shared: Mapping[str, str], meaning: str) -> Any:  # noqa: ANN401 - invoke's
    """The task that tells how an instance is.

    Args:
        stage: Whose environments it takes.
        default: The environment that is meant when none is named.
        shared: The help for its options ``environment`` and ``instance``.
        meaning: What it does, in a sentence.
    """

    def status(
        _: InvokeContext,
        environment: str = default,
        instance: str = INSTANCE,
        json: bool = False,  # noqa: FBT001, FBT002 - a flag
    ) -> None:
        with told():
            found = doing.given.instance_of(environment, instance, stage)
            now = doing.status.read_status(doing.console.quiet().podman, found)
            if json:
                doing.shown.show_json(now.as_dict())
            else:
                doing.shown.show_status(now)

    status.__doc__ = meaning
    return task(status, help={**shared, "json": "print it as JSON"})


def logs_task(stage: Stage, default: str, shared: Mapping[str, str], containers: str) -> Any:  # noqa: ANN401 - invoke's
    """The task that shows logs.

    Args:
        stage: Whose environments it takes.
        default: The environment that is meant when none is named.
        shared: The help for its options ``environment`` and ``instance``.
        containers: Those that there may be, for a person.
    """

    def logs(
        _: InvokeContext,
        environment: str = default,
        instance: str = INSTANCE,
        container: str | None = None,
        follow: bool = False,  # noqa: FBT001, FBT002 - a flag
        tail: str | None = None,
    ) -> None:
        """Show what the containers wrote."""
        with told():
            if tail is not None and not tail.isdecimal():
                raise UsageError(f"--tail {tail}: must be a number of lines")
            found = doing.given.instance_of(environment, instance, stage)
            code = doing.running.logs(doing.console.quiet(), found, container, tail, follow=follow)
        raise Exit(code=code)

    return task(
        logs,
        help={
            **shared,
            "container": f"only this one: {containers}",
            "follow": "go on until interrupted",
            "tail": "only this many lines from the end of each",
        },
    )
