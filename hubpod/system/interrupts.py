"""Signals that end this process: as an exception, and held back while an exception would lose something."""

import signal
import threading
from types import FrameType
from typing import Any

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class TerminationSignal(KeyboardInterrupt):
    """This process was told to end by a signal that, unlike a terminal's Ctrl-C, the commands it runs did not get."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


class DeferredSignals:
    """Notes the signals that come between defer() and release(), whose handlers are then called, and may raise.

    Only signals that Python handles are held back. One that is ignored stays so, also for what is started meanwhile.
    In any thread but the main one there is nothing to do: handlers never run there.
    """

    def __init__(self) -> None:
        self._came: list[int] = []
        self._before: dict[signal.Signals, Any] = {}

    def defer(self) -> None:
        """Hold the signals back."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in INTERRUPTS:
            before = signal.getsignal(number)
            if callable(before):
                self._before[number] = before
                signal.signal(number, self._note)

    def release(self) -> None:
        """Give the signals their handlers back, and raise the first one that came meanwhile."""
        try:
            self._restore()
        except BaseException:
            self._restore()  # one came in between; none may stay held back for that
            raise
        for number in self._came:
            signal.raise_signal(number)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(number)

    def _restore(self) -> None:
        for number, before in self._before.items():
            if signal.getsignal(number) == self._note:  # a handler that ran meanwhile may have had its own wish
                signal.signal(number, before)
