"""The check whether the keys of an issuer can be fetched."""

import asyncio
from typing import Any

import pytest

from bricsauthenticator.issuer_check import find_problem

pytestmark = pytest.mark.asyncio


async def test_an_issuer_with_keys_has_no_problem(issuer: Any) -> None:
    """Discovery document and keys are fetched as for a login."""
    assert not await asyncio.to_thread(find_problem, issuer.url)
    assert issuer.requests == [".well-known/openid-configuration", "jwks"]


async def test_an_issuer_that_does_not_answer_is_a_problem() -> None:
    """The reason is one line."""
    problem = await asyncio.to_thread(find_problem, "http://127.0.0.1:9")

    assert "refused" in problem
    assert "\n" not in problem
