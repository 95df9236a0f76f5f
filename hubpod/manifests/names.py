"""Names, texts and YAML in the form that a Kubernetes cluster accepts."""

import base64
import hashlib
import re

from hubpod.manifests.podman import Document, as_yaml


def name(text: str, longest: int = 63) -> str:
    """Return the text if it is a valid name (RFC 1035), or else a similar, unique one."""
    if len(text) <= longest and re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", text):
        return text
    like = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    like = like if like[:1].isalpha() else f"n-{like}"
    return f"{like[: longest - 9].strip('-')}-{_short_digest(text)}"


def key(path: str) -> str:
    """Return a file's unique key in a ConfigMap or Secret.

    An example is ``fragments--login_dummy.py``.
    """
    flat = path.replace("/", "--")
    if flat.replace("--", "/") == path and re.fullmatch(r"(?!\.\.)[-._a-zA-Z0-9]{1,253}", flat):
        return flat
    like = re.sub(r"[^a-zA-Z0-9]+", "-", path).strip("-")
    return f"{like[-200:]}-{_short_digest(path)}"


def literal(text: str) -> str:
    """Escape a text: a cluster expands ``$(NAME)``, and reads ``$$`` as one dollar sign."""
    return re.sub(r"\$(?=[$(])", "$$", text)


def encode(content: bytes) -> str:
    """Encode bytes for a ConfigMap or Secret."""
    return base64.b64encode(content).decode()


def document(content: Document) -> str:
    """Render one document of a manifest."""
    return "---\n" + as_yaml(content)


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
