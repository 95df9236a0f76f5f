"""Run code in a kernel with the Jupyter messaging protocol over a WebSocket.

https://jupyter-client.readthedocs.io/en/stable/messaging.html
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from hubpod.client.deadline import Deadline
from hubpod.client.errors import HubError, KernelError

PROTOCOL_VERSION = "5.3"
ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Message = Mapping[str, object]


def execute_request(code: str, *, session: str, username: str = "") -> Message:
    """Return the message that requests a kernel to run code."""
    return {
        "channel": "shell",
        "header": {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "session": session,
            "username": username,
            "date": datetime.now(UTC).isoformat(),
            "version": PROTOCOL_VERSION,
        },
        "parent_header": {},
        "metadata": {},
        "content": {
            "code": code,
            "silent": False,
            "store_history": False,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        },
        "buffers": [],
    }


@dataclass(kw_only=True)
class Execution:
    """Collects the messages of a kernel for one request.

    Attributes:
        msg_id: Id of the request; messages for other requests are ignored.
        stdout: Standard output of the code.
        result: Value of the last expression, as text; None without one.
        error: Last line of the traceback; empty if the code did not raise.
    """

    msg_id: str
    stdout: str = ""
    result: str | None = None
    error: str = ""
    _ends: set[str] = field(default_factory=set)

    @property
    def done(self) -> bool:
        """Whether the kernel has replied and is idle.

        Reply and status come on channels without a common order.
        """
        return {"reply", "idle"} <= self._ends

    @property
    def text(self) -> str:
        """The result or, without one, the standard output."""
        return self.result if self.result is not None else self.stdout

    def take(self, message: Message) -> None:
        """Process one message of the kernel.

        Raises:
            KernelError: The kernel died.
        """
        content = _mapping(message.get("content"))
        kind = message.get("msg_type") or _mapping(message.get("header")).get("msg_type")
        if kind == "status" and content.get("execution_state") in {"dead", "restarting"}:
            raise KernelError("the kernel died while it ran the code", sentence="the kernel died")
        if _mapping(message.get("parent_header")).get("msg_id") != self.msg_id:
            return
        match kind:
            case "stream" if content.get("name") == "stdout":
                self.stdout += str(content.get("text", ""))
            case "execute_result":
                self.result = str(_mapping(content.get("data")).get("text/plain", ""))
            case "error":
                self.error = last_line(content)
            case "execute_reply":
                self._ends.add("reply")
                if content.get("status") != "ok":
                    self.error = self.error or last_line(content)
            case "status" if content.get("execution_state") == "idle":
                self._ends.add("idle")


def last_line(content: Mapping[str, object]) -> str:
    """Return the last line of a traceback, without colours."""
    traceback = content.get("traceback")
    text = "\n".join(str(part) for part in traceback) if isinstance(traceback, list) else ""
    lines = ANSI_COLOUR.sub("", text).strip().splitlines()
    return lines[-1] if lines else f"{content.get('ename', 'error')}: {content.get('evalue', '')}"


class Kernel:
    """A kernel of a server, with an open WebSocket."""

    def __init__(self, kernel_id: str, socket: ClientConnection, *, user: str) -> None:
        self.kernel_id = kernel_id
        self.user = user
        self._socket = socket
        self._session = uuid.uuid4().hex

    def __repr__(self) -> str:
        return f"Kernel({self.kernel_id!r})"

    def execute(self, code: str, timeout: float = 30.0) -> str:
        """Run code and return its result as text or, without a result, its standard output.

        Raises:
            KernelError: The code raised, or the kernel died.
            HubTimeoutError: The code did not end within `timeout` seconds.
        """
        deadline = Deadline(timeout, "the end of the code in the kernel")
        request = execute_request(code, session=self._session, username=self.user)
        execution = Execution(msg_id=str(_mapping(request["header"])["msg_id"]))
        try:
            self._socket.send(json.dumps(request))
            while not execution.done:
                self._take_one(execution, deadline)
        except ConnectionClosed:
            raise HubError("the connection to the kernel was closed while it ran the code") from None
        if execution.error:
            raise KernelError(f"the code failed in the kernel: {execution.error}", sentence=execution.error)
        return execution.text

    def _take_one(self, execution: Execution, deadline: Deadline) -> None:
        try:
            data = self._socket.recv(timeout=deadline.remaining())
        except TimeoutError:
            raise deadline.timeout_error() from None
        message = json.loads(data) if isinstance(data, str) else None  # binary messages carry buffers of widgets
        if isinstance(message, dict):
            execution.take(message)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
