"""Downloads of repositories from a server that does not answer at once."""

import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from hubpod.errors import SourceError
from hubpod.sources import git
from hubpod.sources.clones import SOURCES, clone_from
from hubpod.sources.origins import Origin

IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")


class Server(ThreadingHTTPServer):
    """A server of a repository's files.

    Attributes:
        failures: Statuses of the next answers, before the files are served.
        requests: Number of requests so far.
    """

    failures: list[int]
    requests: int


class Handler(SimpleHTTPRequestHandler):
    """Serves files, after the server's failures."""

    def do_GET(self) -> None:
        """Answer with the next failure, or with a file."""
        assert isinstance(self.server, Server)
        self.server.requests += 1
        if self.server.failures:
            self.send_error(self.server.failures.pop(0))
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of a repository with one commit."""
    monkeypatch.setattr(git, "RETRY_PAUSES_S", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    repository = tmp_path / "repository"
    for words in (("init", "--quiet"), ("commit", "--quiet", "--allow-empty", "-m", "x"), ("update-server-info",)):
        directory = () if words[0] == "init" else ("-C", str(repository))
        target = (str(repository),) if words[0] == "init" else ()
        subprocess.run(["git", *IDENTITY, *directory, *words, *target], check=True)  # noqa: S607 - any git
    handler = partial(Handler, directory=str(repository / ".git"))
    with Server(("127.0.0.1", 0), handler) as served:
        served.failures, served.requests = [], 0
        Thread(target=served.serve_forever, daemon=True).start()
        yield served
        served.shutdown()


def clone(server: Server, directory: Path) -> Path:
    """Clone the server's repository."""
    origin = Origin(url=f"http://127.0.0.1:{server.server_port}/")
    clone_from(SOURCES[0], origin, directory / "new")
    return directory / "new"


@pytest.mark.parametrize("failures", [[503], [502, 429, 500]])
def test_a_clone_is_retried_until_the_server_answers(server: Server, tmp_path: Path, failures: list[int]) -> None:
    """A server may be overloaded or restart."""
    server.failures = failures

    assert (clone(server, tmp_path) / ".git" / "HEAD").exists()


@pytest.mark.parametrize(("failures", "most"), [([503] * 20, 12), ([404] * 20, 3), ([403] * 20, 3)])
def test_a_clone_is_not_retried_for_ever(server: Server, tmp_path: Path, failures: list[int], most: int) -> None:
    """A missing repository is reported at once, and a server that does not recover after the last retry."""
    server.failures = failures

    with pytest.raises(SourceError, match="cannot clone"):
        clone(server, tmp_path)

    assert server.requests <= most
    assert not (tmp_path / "new").exists()
