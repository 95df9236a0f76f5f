#!/opt/jupyterhub/bin/python
"""Fork the hub from a process that has imported its modules, for fast restarts.

The process imports all modules except the edited ones.

Imports of JupyterHub and its requirements take most of a hub's start. This process imports them once. Each hub is a
fork that imports the edited modules (below EDITED) and otherwise behaves like `jupyterhub`. For development only:
production runs `jupyterhub` itself.

    hubpod-preload ARGUMENTS    run the hub with these arguments, and exit with its status when it exits
    hubpod-preload --again      restart the hub of the running process; return once the new hub has started
"""

import atexit
import ctypes
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
"""In the file system of this container; an abstract socket would be visible to the whole pod with its notebooks."""
EDITED = ("/usr/src/", "/etc/jupyterhub/")
EFFECTIVE = Path(tempfile.gettempdir()) / "hubpod-effective-settings.json"
"""Written by each hub from its configuration; the readiness check waits for the one of the new hub."""
GRACE_S = 5.0
RESTART_TIMEOUT_S = 30.0
SIGNAL_STATUS = 128
PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>; see prctl(2)."""

PRELOADED = (
    "jupyterhub.app",
    # Modules that the hub, or nearly every authenticator and spawner, imports only later.
    "alembic.command",
    "batchspawner",
    "cryptography.hazmat.primitives.serialization",
    "cryptography.x509",
    "jwt",
    "sqlalchemy.dialects.sqlite",
    "tornado.simple_httpclient",
)


class Terminated(BaseException):
    """This process received SIGTERM."""


class Hub:
    """A fork of this process that runs the hub."""

    def __init__(self, argv: list[str]) -> None:
        EFFECTIVE.unlink(missing_ok=True)
        parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            _exec_hub(argv, parent)
        self.exit_fd = os.pidfd_open(self.pid)  # readable once the process has exited

    def stop(self) -> int:
        """Stop the hub gracefully or, after a grace period, at once, and return its exit status."""
        os.kill(self.pid, signal.SIGTERM)
        if not select.select([self.exit_fd], [], [], GRACE_S)[0]:
            os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def wait(self) -> int:
        """Wait for the exit of the hub, and return its status as a shell would."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.exit_fd)
        code = os.waitstatus_to_exitcode(status)
        return SIGNAL_STATUS - code if code < 0 else code


def _exec_hub(argv: list[str], parent: int) -> None:
    """Do what `jupyterhub` does, and exit without returning."""
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _stop_with(parent)
        gc.enable()
        importlib.invalidate_caches()
        sys.argv = ["jupyterhub", *argv]
        Path("/proc/self/comm").write_text("jupyterhub")  # the name in process lists
        from jupyterhub.app import main  # noqa: PLC0415 - already imported

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - any error ends only the hub
        traceback.print_exc()
    finally:
        # Finalising the imported modules would take up to a second without a benefit.
        with suppress(Exception):
            atexit._run_exitfuncs()  # noqa: SLF001 - the interpreter runs them before it finalises modules
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _stop_with(parent: int) -> None:
    """Have the kernel send SIGTERM to this process when its parent ends, even by SIGKILL or an error."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the call
        sys.exit(1)


def _preload() -> None:
    """Import the modules that exist; a site's own image may lack some."""
    gc.disable()
    for name in PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)
    files = (getattr(module, "__file__", None) or "" for module in tuple(sys.modules.values()))
    if edited := [file for file in files if file.startswith(EDITED)]:
        sys.exit(f"preloaded modules include edited ones, so that the hub would not see an edit: {', '.join(edited)}")
    gc.freeze()  # a collection would write to, and so copy, every page shared with the hub


def _run(argv: list[str]) -> int:
    """Run one hub after the other until one exits by itself or this process receives SIGTERM."""
    signal.signal(signal.SIGTERM, _raise_terminated)
    _preload()
    SOCKET.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(SOCKET))
        SOCKET.chmod(0o600)
        listener.listen()
        hub = Hub(argv)
        try:
            while True:
                ready, _, _ = select.select([hub.exit_fd, listener], [], [])
                if hub.exit_fd in ready:
                    return hub.wait()
                connection, _ = listener.accept()
                with connection:
                    hub.stop()
                    hub = Hub(argv)
                    with suppress(OSError):  # the requester may have been interrupted
                        connection.sendall(b"restarted\n")
        except Terminated:
            return hub.stop()


def _raise_terminated(_number: int, _frame: object) -> None:
    raise Terminated


def _request_restart() -> int:
    """Have the running process restart its hub."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(RESTART_TIMEOUT_S)
        try:
            connection.connect(str(SOCKET))
            return 0 if connection.recv(64) else 1
        except OSError as error:
            sys.stderr.write(f"no preloaded hub to restart: {error}\n")
            return 1


if __name__ == "__main__":
    sys.exit(_request_restart() if sys.argv[1:] == ["--again"] else _run(sys.argv[1:]))
