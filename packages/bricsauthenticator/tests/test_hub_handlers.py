"""The handlers of a hub that names only the classes, whichever authenticator it has."""

import subprocess
import sys
from typing import Any

import pytest
from batchspawner.api import BatchSpawnerAPIHandler  # type: ignore[import-untyped]
from jupyterhub.app import JupyterHub  # type: ignore[import-untyped]
from jupyterhub.orm import Server, User  # type: ignore[import-untyped]
from tornado.httputil import HTTPServerRequest, RequestStartLine

from bricsauthenticator.hub_guard import hub_handlers
from bricsauthenticator.hub_guard.port_report import PortReportHandler
from bricsauthenticator.hub_guard.spawn_request import SpawnPageHandler, SpawnRequestHandler

STEERING = {"exec_prefix": "id"}


def find_handler_class(hub: Any, path: str, method: str = "POST") -> type:
    """Return the class of handler that the hub chooses for a request."""
    request = HTTPServerRequest(start_line=RequestStartLine(method, f"/hub{path}", "HTTP/1.0"))
    handler: type = hub.app.tornado_application.find_handler(request).handler_class
    return handler


@pytest.fixture
def dummy_config(hub_config: Any) -> Any:
    """A configuration with an authenticator of another package."""
    hub_config.JupyterHub.authenticator_class = "dummy"
    hub_config.JupyterHub.spawner_class = "brics"
    hub_config.Authenticator.allow_all = True
    return hub_config


def spawner_of(hub: Any, name: str) -> Any:
    """Return the spawner of a new user."""
    row = User(name=name)
    hub.app.db.add(row)
    hub.app.db.commit()
    return hub.app.users[row].spawner


CODE = """
import batchspawner
import jupyterhub.app
from jupyterhub import apihandlers, handlers

before = list(handlers.default_handlers), list(apihandlers.default_handlers)
import bricsauthenticator
assert (handlers.default_handlers, apihandlers.default_handlers) == before
assert not jupyterhub.app.JupyterHub.initialized()
"""


def test_an_import_changes_nothing_in_jupyterhub() -> None:
    """The tables of handlers are the same before and after the package is imported."""
    subprocess.run([sys.executable, "-c", CODE], check=True, timeout=60)


@pytest.mark.asyncio
async def test_the_authenticator_brings_the_handlers(hub: Any) -> None:
    """With both classes the hub has the handlers from the start, before any server."""
    assert issubclass(find_handler_class(hub, "/api/batchspawner"), PortReportHandler)
    assert issubclass(find_handler_class(hub, "/api/users/ada/server"), SpawnRequestHandler)
    assert issubclass(find_handler_class(hub, "/spawn"), SpawnPageHandler)
    assert issubclass(find_handler_class(hub, "/spawn/ada"), SpawnPageHandler)


@pytest.mark.asyncio
async def test_the_spawner_brings_the_handlers(hub_maker: Any, dummy_config: Any) -> None:
    """With another authenticator, no spawner exists before the handlers do."""
    hub = await hub_maker(dummy_config)
    assert issubclass(find_handler_class(hub, "/api/batchspawner"), BatchSpawnerAPIHandler)

    spawner_of(hub, "ada")
    rules = len(hub.app.tornado_application.default_router.rules)
    spawner_of(hub, "bob")

    assert issubclass(find_handler_class(hub, "/api/batchspawner"), PortReportHandler)
    assert issubclass(find_handler_class(hub, "/api/users/ada/server"), SpawnRequestHandler)
    assert issubclass(find_handler_class(hub, "/spawn"), SpawnPageHandler)
    assert len(hub.app.tornado_application.default_router.rules) == rules


@pytest.mark.asyncio
async def test_a_job_sets_nothing_of_its_spawner_in_a_hub_with_another_authenticator(
    hub_maker: Any, dummy_config: Any
) -> None:
    """A report with anything but a port is refused.

    The hub's configuration names only the classes.
    """
    hub = await hub_maker(dummy_config)
    spawner = spawner_of(hub, "ada")
    spawner.orm_spawner.server = Server(base_url="/user/ada/", port=40000)
    spawner.api_token = token = hub.user_token()
    before = spawner.exec_prefix

    answer = await hub.api("/batchspawner", token=token, body=STEERING)

    assert answer.code == 400
    assert spawner.exec_prefix == before


@pytest.mark.asyncio
async def test_a_configuration_brings_the_handlers(
    hub_maker: Any, dummy_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub whose configuration prepares it has the handlers from the start, before any server."""
    made = JupyterHub.initialize

    async def initialize(app: Any, argv: object = None) -> None:
        hub_handlers.install_in_starting_hub()
        hub_handlers.install_in_starting_hub()
        await made(app, argv)

    monkeypatch.setattr(JupyterHub, "initialize", initialize)

    hub = await hub_maker(dummy_config)

    assert issubclass(find_handler_class(hub, "/api/batchspawner"), PortReportHandler)
    assert issubclass(find_handler_class(hub, "/api/users/ada/server"), SpawnRequestHandler)
    assert sum(issubclass(handler, PortReportHandler) for _, handler, *_ in hub.app.handlers) == 1
