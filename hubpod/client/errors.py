"""Errors of the hub, a server or a kernel."""

import requests

from hubpod.errors import ProbeError


class HubError(ProbeError):
    """The hub, or a server behind the hub, responded with an error or not at all.

    Args:
        message: What was attempted and what is wrong, in one sentence.
        status: HTTP status of the response; None without a response.
        sentence: The sentence on the page; empty without a page.
        response: The response, whose request may contain secrets; None without one over HTTP.

    Attributes:
        hub_log: The hub's log of that time; empty unless a caller with access to the log sets it.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        sentence: str = "",
        response: requests.Response | None = None,
    ) -> None:
        super().__init__(message)
        self.status = response.status_code if status is None and response is not None else status
        self.sentence = sentence
        self.response = response
        self.hub_log: tuple[str, ...] = ()


class LoginRefused(HubError):  # noqa: N818 - public name
    """The hub refused a login."""


class SpawnRefused(HubError):  # noqa: N818 - public name
    """The hub refused the options, or the server could not be submitted."""


class SpawnFailed(HubError):  # noqa: N818 - public name
    """The server was submitted but did not become ready."""


class KernelError(HubError):
    """The code raised an exception, or the kernel died.

    The sentence is the last line of the traceback.
    """


class HubTimeoutError(HubError):
    """An expected event did not happen before its deadline."""
