"""Values that JupyterHub's REST API uses without a check."""

import json
import logging
from typing import Any

import pytest

from bricsauthenticator.hub_guard.bad_input import UNUSABLE

CASES = [
    ("GET", "/authorizations/token", None),
    ("POST", "/authorizations/token/ada", None),
    ("PATCH", "/users/ada/server", {"unknown": 1}),
    ("PATCH", "/users/ada/servers/ada", {"unknown": 1}),
    ("POST", "/users/ada/tokens", {"note": {"a": None}}),
    ("POST", "/users/ada/tokens", {"note": ["x"]}),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("method", "path", "body"), CASES, ids=lambda value: str(value)[:40])
async def test_an_unusable_value_is_the_clients_error(
    ada: Any, method: str, path: str, body: object, all_logs: pytest.LogCaptureFixture
) -> None:
    """The answer is 400 with a sentence, the log has one line without a traceback, and the hub works on."""
    token = ada.user_token()
    all_logs.clear()

    response = await ada.api(path, method=method, token=token, body=body)

    assert response.code == 400
    assert json.loads(response.body)["message"] == UNUSABLE
    assert not [record for record in all_logs.records if record.exc_info or record.levelno >= logging.ERROR]
    assert (await ada.api("/user", method="GET", token=token)).code == 200


@pytest.mark.asyncio
@pytest.mark.parametrize("error", [TypeError, ValueError, KeyError])
async def test_an_error_of_what_a_request_starts_stays_one_of_the_server(
    ada: Any, monkeypatch: pytest.MonkeyPatch, error: type[Exception], all_logs: pytest.LogCaptureFixture
) -> None:
    """An error of the spawner is not the client's, and keeps its traceback in the log."""

    def fail(*_: Any) -> None:
        raise error("of the spawner")

    await ada.request("/hub/spawn")  # which makes the spawner
    monkeypatch.setattr(type(ada.spawner()), "check_options", fail)

    response = await ada.api("/users/ada/server", token=ada.user_token(), body={})

    assert response.code >= 500
    assert [record for record in all_logs.records if record.exc_info]
