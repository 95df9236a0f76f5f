"""The program `hubpod`: the same commands as `invoke`, from any directory.

In the environment that ./run makes, it is called `invoke` and `inv` as well.
"""

import os
import signal
import sys

if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
    # Ctrl-C before a command has begun ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

ELSEWHERE = ("-r", "--search-root", "-c", "--collection")
"""invoke's options that choose other tasks."""


def main() -> None:
    """Run the command line."""
    if os.path.basename(sys.argv[0]) in {"invoke", "inv"} and _has_other_tasks():  # noqa: PTH119 - pathlib is slow to import
        from invoke.main import program  # noqa: PLC0415

        program.run()
        return
    from hubpod_tasks.program import make_program  # noqa: PLC0415 - slow imports, during which Ctrl-C has to work
    from hubpod_tasks.table import namespace  # noqa: PLC0415

    make_program(namespace).run()


def _has_other_tasks() -> bool:
    """Return whether `invoke` means the tasks of another project, in this directory or above."""
    if any(word.startswith(ELSEWHERE) for word in sys.argv[1:]):
        return True
    from pathlib import Path  # noqa: PLC0415

    own, here = Path(__file__).resolve().parents[1], Path.cwd()
    found = (each for each in (here, *here.parents) if (each / "tasks.py").exists() or (each / "tasks").is_dir())
    nearest = next(found, own)
    return nearest.resolve() != own


if __name__ == "__main__":
    main()
