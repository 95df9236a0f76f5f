"""The sentence that a page tells a person."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

import requests

MAX_SENTENCE = 500

ERROR_CLASSES = frozenset({"login_error", "spawn-error-msg"})  # of JupyterHub's login.html and spawn.html
VOID_TAGS = frozenset({"br", "hr", "img", "input", "link", "meta"})
INLINE_TAGS = frozenset({"a", "b", "code", "em", "i", "span", "strong", "tt"})
UNSEEN_TAGS = frozenset({"script", "style", "noscript", "title", "nav", "button", "select", "template"})


@dataclass(frozen=True, kw_only=True)
class _Block:
    """A run of visible text and what it is inside of."""

    text: str
    tags: frozenset[str]
    classes: frozenset[str]


def sentence_of_response(response: requests.Response) -> str:
    """What a person would read in this response: the API's message, or the sentence on the page."""
    if "json" not in response.headers.get("Content-Type", ""):
        return sentence_of_page(response.text) or response.reason
    try:
        model = json.loads(response.text)
    except ValueError:
        model = None
    message = model.get("message") if isinstance(model, dict) else None
    return str(message or response.reason)


def refusal_of_page(page: str) -> str:
    """The sentence in the place where JupyterHub's login and spawn pages say what was wrong; empty if they do not."""
    blocks = _blocks_of(page)
    return _joined([block.text for block in blocks if block.classes & ERROR_CLASSES]).removeprefix("Error: ")


def sentence_of_page(page: str) -> str:
    """The sentence that explains an error page: its own place for one, else paragraphs, else headings."""
    blocks = _blocks_of(page)
    error_page = [block for block in blocks if "error" in block.classes]
    paragraphs = [block.text for block in error_page or blocks if "p" in block.tags]
    headings = [block.text for block in error_page or blocks if block.tags & {"h1", "h2"}]
    return refusal_of_page(page) or _joined(paragraphs) or _joined(headings)


def _joined(texts: Sequence[str]) -> str:
    return " ".join(texts)[:MAX_SENTENCE]


def _blocks_of(page: str) -> list[_Block]:
    parser = _BlockParser()
    parser.feed(page)
    parser.close()
    parser.flush()
    return parser.blocks


class _BlockParser(HTMLParser):
    """Cuts a page into blocks, forgiving end tags that are missing or superfluous."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[_Block] = []
        self._open: list[tuple[str, frozenset[str]]] = []
        self._text = ""

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag in INLINE_TAGS:
            return
        self.flush()
        if tag not in VOID_TAGS:
            classes = frozenset((dict(attrs).get("class") or "").split())
            self._open.append((tag, classes))

    def handle_endtag(self, tag: str) -> None:
        names = [name for name, _ in self._open]
        if tag in INLINE_TAGS or tag not in names:
            return
        self.flush()
        del self._open[len(names) - 1 - names[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        self._text += data

    def flush(self) -> None:
        """End the run of text, and keep it if a person would see it."""
        text, self._text = " ".join(self._text.split()), ""
        tags = frozenset(name for name, _ in self._open)
        classes = frozenset[str]().union(*(classes for _, classes in self._open))
        if text and not tags & UNSEEN_TAGS and "hidden" not in classes:
            self.blocks.append(_Block(text=text, tags=tags, classes=classes))
