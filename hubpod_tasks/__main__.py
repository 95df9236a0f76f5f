"""The program `hubpod`: the same commands as `invoke`, from any directory."""

import signal

if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
    # Ctrl-C before a command has begun ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """Run the command line."""
    from hubpod_tasks.program import make_program  # noqa: PLC0415 - slow imports, during which Ctrl-C has to work
    from hubpod_tasks.table import namespace  # noqa: PLC0415

    make_program(namespace).run()


if __name__ == "__main__":
    main()
