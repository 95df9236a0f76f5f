"""Report errors and interrupts of a command, and choose its exit code."""

import errno
import io
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from hubpod.errors import HubpodError, MachineError
from hubpod.system.interrupts import INTERRUPTS, TerminationSignal
from hubpod.system.process import SIGNAL_EXIT_BASE

INTERRUPTED = "interrupted"
INTERRUPTED_CLEAN = "interrupted; nothing incomplete is left, and the command can be run again"
INTERRUPTED_KEPT = "interrupted; what was started is kept"
INTERRUPTED_WATCH = "no longer watching; the pod keeps running"
INTERRUPTED_UPGRADE = "interrupted; the previous pod runs again"


@contextmanager
def reporting_errors(interrupted: str = INTERRUPTED, *, is_end: bool = False) -> Iterator[None]:
    """Print an error once, with its remedy, and exit with its code.

    With --debug, Python prints the traceback.

    Args:
        interrupted: Message for a command that is interrupted.
        is_end: Whether Ctrl-C is how the command ends, so that this is not an error.

    Raises:
        SystemExit: The command failed or was interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an unprintable name must not fail the command
    for number in INTERRUPTS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup and background jobs of a shell ignore some
            signal.signal(number, _interrupt)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        sent = interrupt.number if isinstance(interrupt, TerminationSignal) else signal.SIGINT
        with suppress(OSError):  # after SIGHUP, the terminal is gone
            _print(HubpodError(interrupted), as_error=not (is_end and sent == signal.SIGINT))
        raise SystemExit(SIGNAL_EXIT_BASE + sent) from None
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output is gone, as in `… | head`
        raise SystemExit(SIGNAL_EXIT_BASE + signal.SIGINT) from None
    except Exception as error:
        if logging.getLogger("invoke").isEnabledFor(logging.DEBUG):  # `invoke --debug`
            raise
        reported = _as_hubpod_error(error)
        _print(reported)
        raise SystemExit(reported.exit_code) from error


def _interrupt(number: int, _frame: object) -> NoReturn:
    # A second signal must not stop the cleanup that the first one started.
    for each in INTERRUPTS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt if number == signal.SIGINT else TerminationSignal(number)


def _print(error: HubpodError, *, as_error: bool = True) -> None:
    from hubpod.cli.console import err, print_error  # rich would slow down `--list` and `--help`

    if as_error:
        print_error(error)
    else:
        err.print(error.message, markup=False, soft_wrap=True)


def _as_hubpod_error(error: Exception) -> HubpodError:
    if isinstance(error, HubpodError):
        return error
    if isinstance(error, OSError) and error.strerror:
        place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "system error"
        denied = error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
        remedy = "check who owns it and that you may read and write there" if denied else ""
        return MachineError(f"{place}: {error.strerror}", remedy=remedy)
    text = " ".join(str(error).split())
    return HubpodError(
        f"unexpected error: {type(error).__name__}{': ' if text else ''}{text}", remedy="run again with --debug"
    )
