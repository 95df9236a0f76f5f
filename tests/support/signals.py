"""The signals of the commands that tests start."""

import signal


def take_interrupts() -> None:
    """Let this process and the commands that it starts take SIGHUP and SIGINT, however pytest was started.

    Children of nohup ignore the former, and those of a shell's background job the latter.
    """
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
