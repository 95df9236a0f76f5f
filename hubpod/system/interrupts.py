"""Signals that end this process: as an exception, and deferred during critical sections."""

import signal
import threading
from types import FrameType
from typing import Any

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class TerminationSignal(KeyboardInterrupt):
    """A signal to this process alone.

    Unlike Ctrl-C in a terminal, it does not reach the child processes.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


class DeferredSignals:
    """Defer signals from defer() until release().

    release() calls the handlers of the signals, and may raise.

    Only signals with a Python handler are deferred. An ignored signal stays ignored, also in processes started
    meanwhile. Handlers run in the main thread only, so there is nothing to do in other threads.
    """

    def __init__(self) -> None:
        self._received: list[int] = []
        self._handlers: dict[signal.Signals, Any] = {}

    def defer(self) -> None:
        """Start to defer signals."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in INTERRUPTS:
            handler = signal.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, self._record)

    def release(self) -> None:
        """Restore the handlers, and raise the signals received meanwhile."""
        try:
            self._restore()
        except BaseException:
            self._restore()  # a signal arrived between two restored handlers; restore the others too
            raise
        for number in self._received:
            signal.raise_signal(number)

    def _record(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(number)

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._record:  # a handler that ran meanwhile may have set another one
                signal.signal(number, handler)
