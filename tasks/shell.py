"""What every command has around it: a sentence for each error, an exit code, and a clean end when interrupted."""

import errno
import io
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from invoke.exceptions import Exit

from hubpod.errors import HubpodError, MachineError
from hubpod.system.interrupts import INTERRUPTS, TerminationSignal
from hubpod.system.process import SIGNAL_EXIT_BASE
from hubpod.workspace import Workspace
from tasks import doing

WORKSPACE = Workspace(project=Path(__file__).resolve().parents[1])
INTERRUPTED = "interrupted"
INTERRUPTED_CLEAN = "interrupted; nothing half-made is left, and the command can be run again"
INTERRUPTED_WATCH = "no longer watching; the pod runs on, and `dev.reload` takes what is not live yet"
INTERRUPTED_KEPT = "interrupted; what was started is kept"


@contextmanager
def told(interrupted: str = INTERRUPTED) -> Iterator[None]:
    """Tell an error once, as a sentence with its remedy, and end with its exit code; a traceback only with --debug."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name that cannot be shown is no reason to fail
    for number in INTERRUPTS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup's wish, and that of a shell's background jobs
            signal.signal(number, _interrupt)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        with suppress(OSError):  # after SIGHUP, the terminal has gone
            doing.console.print_error(HubpodError(interrupted))
        raise Exit(
            code=SIGNAL_EXIT_BASE + (interrupt.number if isinstance(interrupt, TerminationSignal) else signal.SIGINT)
        ) from None
    except BrokenPipeError:
        # Whoever read our output has gone, as in `… | head`.
        sys.stderr.close()
        raise Exit(code=SIGNAL_EXIT_BASE + signal.SIGINT) from None
    except Exception as error:
        if logging.getLogger("invoke").isEnabledFor(logging.DEBUG):
            raise
        sentence = _sentence(error)
        doing.console.print_error(sentence)
        raise Exit(code=sentence.exit_code) from error


def _interrupt(number: int, _frame: object) -> NoReturn:
    # Whoever is impatient and asks twice does not stop the cleaning up that the first time has begun.
    for each in INTERRUPTS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt if number == signal.SIGINT else TerminationSignal(number)


def _sentence(error: Exception) -> HubpodError:
    if isinstance(error, HubpodError):
        return error
    if isinstance(error, OSError) and error.strerror:
        what = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else "the system says: "
        refused = error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
        return MachineError(
            what + error.strerror, remedy="see whose it is, and that you may read and write there" if refused else ""
        )
    text = " ".join(str(error).split())
    return HubpodError(
        f"unforeseen error: {type(error).__name__}{': ' if text else ''}{text}", remedy="run again with --debug"
    )
