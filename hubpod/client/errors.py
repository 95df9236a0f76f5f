"""What the hub, a server or a kernel can answer instead of what was asked for."""

import requests

from hubpod.errors import ProbeError


class HubError(ProbeError):
    """The hub or a server behind it answered with an error, or not at all.

    Args:
        message: What was attempted and what stood in the way, in one sentence.
        status: The HTTP status of the answer; None when there was no answer.
        sentence: What a person would read on the page; empty when there was no page.
        response: The answer itself, whose request may hold secrets; None when there was none, or none over HTTP.

    Attributes:
        hub_log: What the hub logged meanwhile; empty unless whoever has its log fills it in.
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


class LoginRefused(HubError):  # noqa: N818 - named after what the person sees happen
    """The hub did not let this person in."""


class SpawnRefused(HubError):  # noqa: N818
    """The hub did not accept the options, or the server could not even be submitted."""


class SpawnFailed(HubError):  # noqa: N818
    """The server was submitted but did not become ready."""


class KernelError(HubError):
    """The code raised in the kernel, or the kernel died; the sentence is the last line of the traceback."""


class HubTimeoutError(HubError):
    """Something that was waited for did not happen before its deadline."""
