"""The last lines of containers for error messages, without the secrets of the instance."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from hubpod.pod import SeedKind
from hubpod.podman.cli import Podman
from hubpod.pods import InstanceSpec
from hubpod.system.redaction import Redactor

LOG_LINES = 15
SHORTEST_SECRET = 4
"""Characters. Without a shorter word the message would be unreadable."""

_PUBLIC = re.compile(r"(ssh_known_hosts|authorized_keys|.*\.pub)")
_SECRET_KEY = re.compile(r"secret|password|token|key|data|params", re.IGNORECASE)


def read_log(podman: Podman, spec: InstanceSpec, container: str, *, since: float) -> str:
    """Return the log of a container by podman's name, in the order of time and without secrets.

    It starts at a time in seconds since the epoch.
    """
    return _redact(spec, podman.log(container, since=since))


def last_lines(podman: Podman, spec: InstanceSpec, container: str) -> tuple[str, ...]:
    """Return the last lines of a container's log, in the order of time and without secrets."""
    # The whole log is redacted, because a line may have only a part of a secret.
    return tuple(_redact(spec, podman.log(container)).splitlines()[-LOG_LINES:])


def _redact(spec: InstanceSpec, log: str) -> str:
    return Redactor(frozenset(find_secrets(spec))).text(log)


def find_secrets(spec: InstanceSpec) -> Iterator[str]:
    """Yield the content of all credentials, and the secret values in those that are YAML."""
    for seed in spec.seeds:
        for file in seed.files if seed.kind is SeedKind.CREDENTIAL else ():
            text = file.content.decode(errors="surrogateescape").strip()
            if file.path.endswith((".yaml", ".yml")):
                yield from secret_values(text)
            elif len(text) >= SHORTEST_SECRET and not _PUBLIC.fullmatch(file.path.rpartition("/")[2]):
                yield text


def secret_values(text: str) -> Iterator[str]:
    """Yield the values of a YAML document whose keys promise a secret."""
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    yield from (value for value in _values(document, is_secret=False) if len(value) >= SHORTEST_SECRET)


def _values(node: Any, *, is_secret: bool) -> Iterator[str]:  # noqa: ANN401 - any YAML
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _values(value, is_secret=is_secret or bool(_SECRET_KEY.search(str(key))))
    elif isinstance(node, list):
        for value in node:
            yield from _values(value, is_secret=is_secret)
    elif is_secret and node is not None:
        yield str(node)
