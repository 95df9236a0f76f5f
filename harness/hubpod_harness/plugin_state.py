"""What is made once in a process of tests and kept in pytest's configuration, and how it is told when that fails.

Everything heavy is imported only then: the plugin is loaded by every pytest that runs where hubpod is installed.
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
KIT: "pytest.StashKey[StackManager]" = pytest.StashKey()
LEFT: pytest.StashKey[tuple[str, ...]] = pytest.StashKey()
"""The stacks that stay, in words."""


@contextmanager
def told() -> Iterator[None]:
    """Turn errors that have a sentence into pytest's usage error, which prints it and nothing else."""
    try:
        yield
    except HubpodError as error:
        raise pytest.UsageError(sentence(error)) from None


def sentence(error: HubpodError) -> str:
    """An error as pytest prints it: the sentence, what is worth reading, the remedy."""
    return "\n".join(
        (error.message, *(f"  {line}" for line in error.detail), *([error.remedy] if error.remedy else []))
    )


def prepare(config: pytest.Config) -> "Machine":
    """The machine with its images, made on the first call."""
    if MACHINE not in config.stash:
        from hubpod_harness.preflight import prepare_machine  # noqa: PLC0415 - heavy

        capture = config.pluginmanager.getplugin("capturemanager")
        with ExitStack() as shown:
            if capture:
                shown.enter_context(capture.global_and_fixture_disabled())
            with told():
                config.stash[MACHINE] = prepare_machine(options.read(config))
    return config.stash[MACHINE]
