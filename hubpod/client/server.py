"""A user's server, from its first progress event to its stop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote, urlsplit, urlunsplit

from hubpod.client.browser import OK_BELOW, Browser, refusal
from hubpod.client.deadline import Deadline
from hubpod.client.errors import HubError, SpawnFailed
from hubpod.client.kernel import Kernel
from hubpod.client.progress import ProgressEvent, SlurmState, parse_events, progress_event

POLL_INTERVAL_S = 0.2
STOP_TIMEOUT_S = 60.0
KERNEL_TIMEOUT_S = 60.0
FAILED_PREFIX = "Spawn failed: "

FindJob = Callable[[str, str], str]
"""Returns the id of the job of a user's server of this name; empty when the hub has none."""


class Server:
    """One server of one user.

    Args:
        browser: The user's browser.
        base_url: The hub's public address.
        user: The user's name at the hub.
        name: The server's name; empty for the default server.
        find_job: Returns the id of its job as the hub has it. A user may not read it, an administrator may.

    Attributes:
        user: The user's name at the hub.
        name: The server's name; empty for the default server.
        events: The progress events received so far.
    """

    def __init__(
        self, browser: Browser, base_url: str, *, user: str, name: str = "", find_job: FindJob | None = None
    ) -> None:
        self.user = user
        self.name = name
        self.events: tuple[ProgressEvent, ...] = ()
        self._browser = browser
        self._find_job = find_job
        self._known_job = ""
        self._url = f"{base_url}/user/{quote(user)}" + (f"/{quote(name)}" if name else "")
        self._user_api = f"{base_url}/hub/api/users/{quote(user)}"
        self._api = f"{self._user_api}/servers/{quote(name)}" if name else f"{self._user_api}/server"

    def __repr__(self) -> str:
        return f"Server({self._name!r})"

    @property
    def job(self) -> SlurmState | None:
        """The latest state of the Slurm job in the progress events, or None."""
        return next((event.slurm for event in reversed(self.events) if event.slurm), None)

    @property
    def job_id(self) -> str:
        """Id of the Slurm job: of the hub's record, else of the progress events, else empty.

        Once the server is ready, the id stays until the next start.
        """
        return self._known_job or self._recorded_job() or (self.job.job_id if self.job else "")

    def forget_start(self) -> None:
        """Forget the progress events and the job of an earlier start."""
        self.events, self._known_job = (), ""

    def _recorded_job(self) -> str:
        return self._find_job(self.user, self.name) if self._find_job else ""

    def progress(self, deadline_s: float) -> Iterator[ProgressEvent]:
        """Yield the progress events of the start, until the server is ready.

        Raises:
            SpawnFailed: The hub reports that the server will not start.
            HubTimeoutError: The server was not ready in time.
        """
        deadline = Deadline(deadline_s, f"the start of the server of {self._name}")
        while True:
            for model in parse_events(self._browser.stream_lines(f"{self._api}/progress", deadline)):
                event = progress_event(model)
                self.events += (event,)
                if event.ready:
                    self._known_job = self._recorded_job()
                yield event
                if event.ready:
                    return
                if event.failed:
                    raise self._spawn_error(event)
            deadline.pause(POLL_INTERVAL_S)  # the connection was lost; an EventSource reconnects too

    def open(self) -> str:
        """Open JupyterLab through the server's OAuth redirects, and return the page."""
        url = f"{self._url}/lab"
        response = self._browser.page(url)
        if response.status_code >= OK_BELOW:
            raise refusal(f"opening the server of {self._name}", response)
        opened, own = urlsplit(response.url), urlsplit(self._url)
        if not opened.path.startswith(own.path + "/"):
            raise HubError(f"opening the server of {self._name} ended at {opened.path}", response=response)
        self._url = urlunsplit(opened._replace(path=own.path, query="", fragment=""))  # it may have its own host
        return response.text

    @contextmanager
    def kernel(self, *, timeout_s: float = KERNEL_TIMEOUT_S) -> Iterator[Kernel]:
        """Start a kernel, connect to it, and shut it down when the block ends."""
        self.open()
        kernels = f"{self._url}/api/kernels"
        model = self._browser.api_object("POST", kernels, json={}, timeout_s=timeout_s)
        kernel_id = str(model.get("id", ""))
        kernel_url = f"{kernels}/{quote(kernel_id)}"
        try:
            with self._browser.websocket(f"{kernel_url}/channels", timeout_s=timeout_s) as socket:
                yield Kernel(kernel_id, socket, user=self.user)
        finally:
            with suppress(HubError):  # the kernel may have died, and it ends with the server anyway
                self._browser.api("DELETE", kernel_url)

    def execute(self, code: str) -> str:
        """Run code in a new kernel, and return the result as text, else the standard output.

        Raises:
            KernelError: The code raised, or the kernel died.
            HubTimeoutError: The code did not end in time.
        """
        with self.kernel() as kernel:
            return kernel.execute(code)

    def stop(self, *, deadline_s: float = STOP_TIMEOUT_S) -> None:
        """Stop the server, and wait until the hub no longer has it."""
        deadline = Deadline(deadline_s, f"the stop of the server of {self._name}")
        self._browser.api("DELETE", self._api, timeout_s=deadline.remaining())
        while self.is_active():
            deadline.pause(POLL_INTERVAL_S)

    def is_active(self) -> bool:
        """Whether the hub has the server: starting, running or stopping."""
        servers = self._browser.api_object("GET", self._user_api).get("servers")
        return isinstance(servers, dict) and self.name in servers

    @property
    def _name(self) -> str:
        return f"{self.user}/{self.name}" if self.name else self.user

    def _spawn_error(self, event: ProgressEvent) -> SpawnFailed:
        sentence = event.message.removeprefix(FAILED_PREFIX)
        return SpawnFailed(f"the server of {self._name} failed to start: {sentence}", sentence=sentence)
