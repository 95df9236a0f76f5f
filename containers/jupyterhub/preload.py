#!/opt/jupyterhub/bin/python
"""Run the hub as a child of a process that has imported all that nobody edits: an edit restarts the child alone.

Most of a hub's start is the import of JupyterHub and of what it needs. This process does it once; each hub is a fork of
it, which imports what is edited (below EDITED) and is in all else what `jupyterhub` would be. For development only:
production starts `jupyterhub` itself.

    hubpod-preload ARGUMENTS    the hub with these arguments; ends when the hub ends, with its status
    hubpod-preload --again      have a running one end its hub and start another; returns when that has begun
"""

import atexit
import gc
import importlib
import os
import select
import signal
import socket
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path

SOCKET = Path(tempfile.gettempdir()) / "hubpod-preload"
"""Of this container alone, and of its one user; an abstract one would be the whole pod's, with its notebooks."""
EDITED = ("/usr/src/", "/etc/jupyterhub/")
GRACE_S = 5.0
ASK_TIMEOUT_S = 30.0
KILLED = 128

PRELOADED = (
    "jupyterhub.app",
    # What the hub, or nearly every authenticator and spawner, imports later than that.
    "alembic.command",
    "batchspawner",
    "cryptography.hazmat.primitives.serialization",
    "cryptography.x509",
    "jwt",
    "sqlalchemy.dialects.sqlite",
    "tornado.simple_httpclient",
)


class Told(BaseException):
    """This process is told to end."""


class Hub:
    """A fork that is the hub."""

    def __init__(self, argv: list[str]) -> None:
        self.pid = os.fork()
        if not self.pid:
            _be_hub(argv)
        self.ended = os.pidfd_open(self.pid)  # can be read from when it has ended

    def stop(self) -> int:
        """End it in good order, or else at once, and tell its exit status."""
        os.kill(self.pid, signal.SIGTERM)
        if not select.select([self.ended], [], [], GRACE_S)[0]:
            os.kill(self.pid, signal.SIGKILL)
        return self.status()

    def status(self) -> int:
        """Wait for its end, and tell its exit status as a shell would."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.ended)
        code = os.waitstatus_to_exitcode(status)
        return KILLED - code if code < 0 else code


def _be_hub(argv: list[str]) -> None:
    """Be what `jupyterhub` would be; never returns."""
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        gc.enable()
        importlib.invalidate_caches()
        sys.argv = ["jupyterhub", *argv]
        Path("/proc/self/comm").write_text("jupyterhub")  # its name, where processes are listed
        from jupyterhub.app import main  # noqa: PLC0415 - has been imported by now

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it is, it is the hub's end and not this code's
        traceback.print_exc()
    finally:
        # Tearing down all that was imported takes as long as a second, and serves nobody.
        with suppress(Exception):
            atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter itself would do before that
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _preload() -> None:
    """Import what is there of it; a site's own image need not have all."""
    gc.disable()
    for name in PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)
    files = (getattr(module, "__file__", None) or "" for module in tuple(sys.modules.values()))
    if edited := [file for file in files if file.startswith(EDITED)]:
        sys.exit(f"imported before the hub, so that an edit would not be seen: {', '.join(edited)}")
    gc.freeze()  # a later collection would touch, and so copy, every page that is shared with the hub


def _run(argv: list[str]) -> int:
    """Run hubs, one after the other, until one ends by itself or this process is told to end."""
    signal.signal(signal.SIGTERM, _raise_told)
    _preload()
    SOCKET.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(SOCKET))
        SOCKET.chmod(0o600)
        listener.listen()
        hub = Hub(argv)
        try:
            while True:
                ready, _, _ = select.select([hub.ended, listener], [], [])
                if hub.ended in ready:
                    return hub.status()
                asking, _ = listener.accept()
                with asking:
                    hub.stop()
                    hub = Hub(argv)
                    asking.sendall(b"another one has begun\n")
        except Told:
            return hub.stop()


def _raise_told(_number: int, _frame: object) -> None:
    raise Told


def _ask() -> int:
    """Ask the running one for another hub."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(ASK_TIMEOUT_S)
        try:
            asking.connect(str(SOCKET))
            return 0 if asking.recv(64) else 1
        except OSError as error:
            sys.stderr.write(f"no preloaded hub to restart: {error}\n")
            return 1


if __name__ == "__main__":
    sys.exit(_ask() if sys.argv[1:] == ["--again"] else _run(sys.argv[1:]))
