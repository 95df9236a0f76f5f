"""Decide whether a response is a complete refusal without side effects."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urljoin, urlsplit

from hubpod_harness.attack.cases import Case, Target
from hubpod_harness.attack.transport import Response, send

HINTS = {500: ": the hub has failed", 503: ": it could not decide, for example without the issuer"}
ANONYMOUS_COOKIE = "_xsrf"
"""JupyterHub sets this cookie for every visitor, and it identifies no user."""

CONTROLS_AND_SPACE = "".join(map(chr, range(0x21)))
"""Characters that browsers strip from both ends of an address."""

TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of a case.

    Attributes:
        case: The case.
        status: HTTP status of the response; None if the connection was closed.
        problems: Differences from a proper refusal, one phrase each.
    """

    case: Case
    status: int | None
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the hub refused properly."""
        return not self.problems

    def as_dict(self) -> dict[str, object]:
        """Return the verdict for JSON, with only the request's path and header names."""
        case = self.case
        shown = {"id": case.id, "title": case.title, "how": case.request.how, "expected": case.expectation}
        return {**shown, "status": self.status, "passed": self.passed, "problems": list(self.problems)}


def attempt(target: Target, case: Case) -> Verdict:
    """Send the request of a case and check the response.

    Raises:
        HubError: The hub cannot be reached, or does not respond in time.
    """
    response = send(target.url, case.request)
    return Verdict(case=case, status=response.status, problems=find_problems(target, case, response))


def find_problems(target: Target, case: Case, response: Response) -> tuple[str, ...]:
    """List the problems of a response, without repeating texts that must stay unseen."""
    return tuple(_problems(target, case, response))


def _problems(target: Target, case: Case, response: Response) -> Iterator[str]:
    if response.status not in case.expected:
        yield f"answered with {status_text(response.status)} instead of {case.expectation}{_hint(response.status)}"
    if not case.lets_in and (names := _cookies(response)):
        yield f"sets the cookie {', '.join(names)}"
    text = "\n".join((response.body, *(value for _, value in response.headers)))
    if any(unseen in text for unseen in case.unseen):
        yield "shows what it must not show"
    if TRACEBACK in response.body:
        yield "shows a traceback"
    for place in response.all_of("Location"):
        if not _is_here(target, place):
            yield f"leads to {urlsplit(_as_browser(target, place)).netloc or 'no host at all'}"


def status_text(status: int | None) -> str:
    """Return a status as text."""
    return "a closed connection" if status is None else str(status)


def _hint(status: int | None) -> str:
    return HINTS.get(status or 0, "")


def _cookies(response: Response) -> list[str]:
    """Return the names of the cookies that are set to a value."""
    found: list[str] = []
    for value in response.all_of("Set-Cookie"):
        try:
            jar = SimpleCookie(value)
        except CookieError:
            jar = SimpleCookie()
        morsels = {name: morsel.value for name, morsel in jar.items()} or {value.partition("=")[0]: "?"}
        found += [name for name, content in morsels.items() if content and name != ANONYMOUS_COOKIE]
    return found


def _is_here(target: Target, place: str) -> bool:
    there, here = urlsplit(_as_browser(target, place)), urlsplit(target.url)
    return (there.scheme, there.netloc) == (here.scheme, here.netloc)


def _as_browser(target: Target, place: str) -> str:
    """Resolve an address as browsers do (WHATWG URL, 4.4).

    Backslashes count as slashes, and extra slashes are ignored.
    """
    plain = re.sub(r"[\t\r\n]", "", place.strip(CONTROLS_AND_SPACE)).replace("\\", "/")
    return urljoin(f"{target.url}/", re.sub(r"^(https?:)?/{2,}", r"\1//", plain, flags=re.IGNORECASE))
