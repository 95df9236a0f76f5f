"""Names, texts and YAML as a Kubernetes cluster takes them."""

import base64
import hashlib
import re

from hubpod.manifests.podman import Document, as_yaml


def name(text: str, longest: int = 63) -> str:
    """The text where it is a valid name (RFC 1035), or else one that is like it and no other text's."""
    if len(text) <= longest and re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", text):
        return text
    like = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    like = like if like[:1].isalpha() else f"n-{like}"
    return f"{like[: longest - 9].strip('-')}-{_short_digest(text)}"


def key(path: str) -> str:
    """A file's key in a ConfigMap or Secret, such as ``fragments--login_dummy.py``; no other path has the same."""
    flat = path.replace("/", "--")
    if flat.replace("--", "/") == path and re.fullmatch(r"(?!\.\.)[-._a-zA-Z0-9]{1,253}", flat):
        return flat
    like = re.sub(r"[^a-zA-Z0-9]+", "-", path).strip("-")
    return f"{like[-200:]}-{_short_digest(path)}"


def literal(text: str) -> str:
    """Text in which a cluster finds no reference to a variable: to it ``$(NAME)`` is one, and ``$$`` one dollar."""
    return re.sub(r"\$(?=[$(])", "$$", text)


def encoded(content: bytes) -> str:
    """Bytes as a ConfigMap or Secret has them."""
    return base64.b64encode(content).decode()


def document(content: Document) -> str:
    """One document of a manifest."""
    return "---\n" + as_yaml(content)


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
