"""Tokens of the REST API for requests without a login of the hub."""

import json
from typing import Any

import pytest


@pytest.mark.asyncio
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json", ""])
@pytest.mark.parametrize("body", ["{}", '{"auth": {}}', '{"auth": {"username": "ada", "password": "x"}}', "null"])
async def test_a_script_mints_no_token_behind_a_front_door(ada: Any, issuer: Any, content_type: str, body: str) -> None:
    """The token that a front door adds to a script's request, with or without cookies, does not log in to the API."""
    headers = {"Accept": "application/json", **({"Content-Type": content_type} if content_type else {})}
    for cookies in (True, False):
        response = await ada.request(
            "/hub/api/users/ada/tokens",
            method="POST",
            body=body,
            token=issuer.mint(),
            headers={**headers, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"},
            cookies=cookies,
        )

        assert response.code == 403
        assert "token" not in json.loads(response.body)
