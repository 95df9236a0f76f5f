"""Execution of code from the messages of a kernel."""

import json
from typing import cast

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection

from hubpod.client import HubError, HubTimeoutError, Kernel, KernelError
from hubpod.client.kernel import Execution, Message, execute_request


def message(kind: str, content: object, parent: str = "m1") -> Message:
    """Return a message of a kernel."""
    return {"header": {"msg_type": kind}, "parent_header": {"msg_id": parent}, "content": content}


IDLE = message("status", {"execution_state": "idle"})
REPLY = message("execute_reply", {"status": "ok"})


@pytest.mark.parametrize("ends", [(IDLE, REPLY), (REPLY, IDLE)])
def test_execution_ends_with_reply_and_idle(ends: tuple[Message, Message]) -> None:
    """Output is complete when the kernel has replied and is idle, in either order."""
    execution = Execution(msg_id="m1")
    execution.take(message("stream", {"name": "stdout", "text": "a\n"}))
    execution.take(ends[0])
    assert not execution.done

    execution.take(message("stream", {"name": "stderr", "text": "not this"}))
    execution.take(message("stream", {"name": "stdout", "text": "b\n"}))
    execution.take(ends[1])

    assert (execution.done, execution.text) == (True, "a\nb\n")


def test_execution_prefers_the_result_and_ignores_others() -> None:
    """The value of the last expression is the result, and messages for other requests are ignored."""
    execution = Execution(msg_id="m1")
    execution.take(message("stream", {"name": "stdout", "text": "printed"}))
    execution.take(message("execute_result", {"data": {"text/plain": "20"}}))
    execution.take(message("execute_result", {"data": {"text/plain": "theirs"}}, parent="m2"))

    assert execution.text == "20"


def test_execution_has_the_last_line_of_a_traceback() -> None:
    """The error is the last line of the traceback without colours."""
    execution = Execution(msg_id="m1")
    execution.take(
        message("error", {"traceback": ["\x1b[0;31mZero\x1b[0m", "\x1b[31mZeroDivisionError\x1b[0m: by 0\n"]})
    )

    assert execution.error == "ZeroDivisionError: by 0"


def test_execution_without_a_traceback_has_the_name() -> None:
    """Without a traceback, the error is the exception's name and value.

    They may be in the reply only.
    """
    execution = Execution(msg_id="m1")
    execution.take(message("execute_reply", {"status": "error", "ename": "E", "evalue": "v"}))

    assert execution.error == "E: v"


@pytest.mark.parametrize("state", ["dead", "restarting"])
def test_dead_kernel_ends_the_execution(state: str) -> None:
    """The message of a dying kernel has no request and ends all of them."""
    with pytest.raises(KernelError, match="the kernel died"):
        Execution(msg_id="m1").take(message("status", {"execution_state": state}, parent=""))


def test_request_names_channel_and_session() -> None:
    """A request is for the shell channel and has the client's session."""
    request = json.loads(json.dumps(execute_request("1+1", session="s", username="alice")))

    assert (request["channel"], request["header"]["session"], request["content"]["code"]) == ("shell", "s", "1+1")


class FakeSocket:
    """A WebSocket that responds to each request with prepared messages, then with an exception."""

    def __init__(self, replies: list[Message], end: Exception) -> None:
        self.replies = replies
        self.end = end
        self.msg_id = ""

    def send(self, text: str) -> None:
        """Take the request's id."""
        self.msg_id = json.loads(text)["header"]["msg_id"]

    def recv(self, timeout: float) -> str:
        """Give the next message."""
        assert timeout > 0
        if not self.replies:
            raise self.end
        return json.dumps({**self.replies.pop(0), "parent_header": {"msg_id": self.msg_id}})


def kernel(*replies: Message, end: Exception | None = None) -> Kernel:
    """Return a kernel with a fake socket."""
    socket = FakeSocket(list(replies), end or TimeoutError())
    return Kernel("k", cast("ClientConnection", socket), user="alice")


def test_kernel_returns_the_result() -> None:
    """Executing code returns its result as text."""
    result = message("execute_result", {"data": {"text/plain": "20"}})

    assert kernel(result, REPLY, IDLE).execute("5 * 4") == "20"


def test_kernel_error_has_the_sentence() -> None:
    """Code that raises is a KernelError with the last line of the traceback."""
    with pytest.raises(KernelError, match="the code failed in the kernel: E: v") as caught:
        kernel(message("error", {"ename": "E", "evalue": "v"}), REPLY, IDLE).execute("boom")

    assert caught.value.sentence == "E: v"


def test_kernel_has_a_deadline() -> None:
    """A silent kernel is a timeout, and the error names what did not happen."""
    with pytest.raises(HubTimeoutError, match="the end of the code in the kernel did not happen within 3 s"):
        kernel(IDLE).execute("while True: pass", timeout=3)


def test_closed_connection_is_a_hub_error() -> None:
    """A WebSocket that closes, as when the server dies, is a HubError."""
    with pytest.raises(HubError, match="the connection to the kernel was closed"):
        kernel(end=ConnectionClosedError(None, None)).execute("1")
