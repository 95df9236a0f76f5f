"""State of the plugin in pytest's configuration, created once per process.

Slow imports happen on first use, because every pytest run loads the plugin where hubpod is installed.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from hubpod.errors import HubpodError
from hubpod_harness import options

if TYPE_CHECKING:
    from hubpod_harness.preflight import Machine
    from hubpod_harness.stacks import StackManager

MACHINE: "pytest.StashKey[Machine]" = pytest.StashKey()
STACKS: "pytest.StashKey[StackManager]" = pytest.StashKey()
REMAINING: pytest.StashKey[tuple[str, ...]] = pytest.StashKey()
"""Descriptions of the stacks that keep running."""


@contextmanager
def reporting_errors() -> Iterator[None]:
    """Convert hubpod's errors to pytest's usage error.

    pytest prints the message of a usage error without a traceback.
    """
    try:
        yield
    except HubpodError as error:
        raise pytest.UsageError(format_error(error)) from None


def format_error(error: HubpodError) -> str:
    """Format an error for pytest: message, details, remedy."""
    return "\n".join(
        (error.message, *(f"  {line}" for line in error.detail), *([error.remedy] if error.remedy else []))
    )


def prepare(config: pytest.Config) -> "Machine":
    """Return the machine with its images, which the first call prepares."""
    if MACHINE not in config.stash:
        from hubpod_harness.preflight import prepare_machine  # noqa: PLC0415 - heavy

        capture = config.pluginmanager.getplugin("capturemanager")
        with ExitStack() as shown:
            if capture:
                shown.enter_context(capture.global_and_fixture_disabled())
            with reporting_errors():
                config.stash[MACHINE] = prepare_machine(options.read(config))
    return config.stash[MACHINE]
