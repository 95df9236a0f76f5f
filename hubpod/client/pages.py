"""Extract the sentence that a page of the hub shows to its user."""

import json
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

MAX_SENTENCE = 500

ERROR_MESSAGES = ".login_error, .spawn-error-msg"
"""CSS selector of the places for errors in JupyterHub's login.html and spawn.html."""

INVISIBLE = "script, style, noscript, title, nav, button, select, template, .hidden, [hidden]"
INLINE_TAGS = frozenset({"a", "b", "code", "em", "i", "span", "strong", "tt"})


def parse_html(page: str) -> "BeautifulSoup":
    """Parse a page with the first of repeated attributes, as a browser does."""
    from bs4 import BeautifulSoup  # noqa: PLC0415 - slow to import, and most commands parse no page

    return BeautifulSoup(page, "html.parser", on_duplicate_attribute="ignore")


def sentence_of_response(response: requests.Response) -> str:
    """Return the message of an API error or the sentence of an error page, else the HTTP reason."""
    if "json" not in response.headers.get("Content-Type", ""):
        return sentence_of_page(response.text) or response.reason
    try:
        model = json.loads(response.text)
    except ValueError:
        model = None
    message = model.get("message") if isinstance(model, dict) else None
    return str(message or response.reason)


def refusal_of_page(page: str) -> str:
    """Return the error message on JupyterHub's login or spawn page, if any."""
    return _refusal(_parse_visible(page))


def sentence_of_page(page: str) -> str:
    """Return an error page's explanation: error message, else paragraphs, else headings.

    Where the page has a block of class "error", only paragraphs and headings of that block count.
    """
    soup = _parse_visible(page)
    block = _text(soup, ".error")
    scope = ":is(.error, .error *)" if block else ""
    return _refusal(soup) or _text(soup, f"p{scope}") or _text(soup, f"h1{scope}, h2{scope}") or block


def _refusal(soup: "BeautifulSoup") -> str:
    return _text(soup, ERROR_MESSAGES).removeprefix("Error: ")


def _parse_visible(page: str) -> "BeautifulSoup":
    """Parse a page, drop invisible elements, and separate blocks of text by whitespace."""
    soup = parse_html(page)
    for tag in soup.select(INVISIBLE):
        tag.replace_with("\n")
    for tag in soup.find_all(lambda tag: tag.name not in INLINE_TAGS):
        tag.insert(0, "\n")
        tag.append("\n")
    return soup


def _text(soup: "BeautifulSoup", selector: str) -> str:
    """Return the text inside the selected elements, with that of nested ones only once."""
    selected = {id(tag) for tag in soup.select(selector)}
    pieces = [text for text in soup.strings if any(id(parent) in selected for parent in text.parents)]
    return " ".join("".join(pieces).split())[:MAX_SENTENCE]
