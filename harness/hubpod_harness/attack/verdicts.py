"""Whether an answer is a refusal, whole and without side effects."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urljoin, urlsplit

from hubpod_harness.attack.cases import Case, Target
from hubpod_harness.attack.transport import Response, send

HINTS = {500: ": the hub has failed", 503: ": it could not judge, as when it cannot reach the issuer"}
ANONYMOUS_COOKIE = "_xsrf"
"""JupyterHub gives it to everybody who opens a page; it says nothing of who that is."""

CONTROLS_AND_SPACE = "".join(map(chr, range(0x21)))
"""What browsers leave out at both ends of an address."""

TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a case has shown.

    Attributes:
        case: The case.
        status: The HTTP status; None when the connection was closed.
        problems: What was not refused as it must be, a sentence each.
    """

    case: Case
    status: int | None
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether there is nothing wrong."""
        return not self.problems

    def as_dict(self) -> dict[str, object]:
        """The verdict as values that JSON can hold; nothing of what was sent but its path and its headers' names."""
        case = self.case
        shown = {"id": case.id, "title": case.title, "how": case.request.how, "expected": case.expectation}
        return {**shown, "status": self.status, "passed": self.passed, "problems": list(self.problems)}


def attempt(target: Target, case: Case) -> Verdict:
    """Send a case's request, and judge the answer.

    Raises:
        HubError: The hub cannot be reached, or does not answer in time.
    """
    answer = send(target.url, case.request)
    return Verdict(case=case, status=answer.status, problems=find_problems(target, case, answer))


def find_problems(target: Target, case: Case, answer: Response) -> tuple[str, ...]:
    """What of an answer must not be; nothing of what must stay unseen is repeated."""
    return tuple(_problems(target, case, answer))


def _problems(target: Target, case: Case, answer: Response) -> Iterator[str]:
    if answer.status not in case.expected:
        yield f"answered with {status_text(answer.status)} instead of {case.expectation}{_hint(answer.status)}"
    if not case.lets_in and (names := _cookies(answer)):
        yield f"sets the cookie {', '.join(names)}"
    text = "\n".join((answer.body, *(value for _, value in answer.headers)))
    if any(unseen in text for unseen in case.unseen):
        yield "shows what it must not show"
    if TRACEBACK in answer.body:
        yield "shows a traceback"
    for place in answer.all_of("Location"):
        if not _is_here(target, place):
            yield f"leads to {urlsplit(_as_browser(target, place)).netloc or 'no host at all'}"


def status_text(status: int | None) -> str:
    """A status for a person."""
    return "a closed connection" if status is None else str(status)


def _hint(status: int | None) -> str:
    return HINTS.get(status or 0, "")


def _cookies(answer: Response) -> list[str]:
    """The names of the cookies that are set to something."""
    found: list[str] = []
    for value in answer.all_of("Set-Cookie"):
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
    """An address as browsers read it (WHATWG URL, 4.4): a backslash is a slash, further slashes are as two."""
    plain = re.sub(r"[\t\r\n]", "", place.strip(CONTROLS_AND_SPACE)).replace("\\", "/")
    return urljoin(f"{target.url}/", re.sub(r"^(https?:)?/{2,}", r"\1//", plain, flags=re.IGNORECASE))
