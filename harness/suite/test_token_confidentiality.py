"""Confidentiality of the front door's token: only the login may read it.

The front door adds the token to every request.
"""

import pytest

from hubpod.client import Session
from hubpod.client.session import TOKEN_HEADER
from hubpod_harness.attack.transport import Request, send
from hubpod_harness.issuer import Issuer
from hubpod_harness.stack import Stack
from hubpod_harness.steps import PROJECT, home_directory, run_as_account, undo_after, wait_until
from hubpod_harness.users import User

pytestmark = [pytest.mark.security, pytest.mark.hubpod_login("JWT")]

# A user may configure this, and so may an attacker who collects other users' headers.
CURIOUS = """
def keep(handler):
    with open({file!r}, "a") as seen:
        print(dict(handler.request.headers.get_all()), file=seen)
c.ServerApp.tornado_settings = {{"log_function": keep}}
"""
UPGRADE = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
)
WAYS = {
    "page": Request(path="/user/{user}/api"),
    "dots": Request(path="/hub/login/../../user/{user}/api"),
    "encoded dots": Request(path="/hub/login/%2e%2e/%2e%2e/user/{user}/api"),
    "query": Request(path="/user/{user}/api?next=/jupyter/hub/login"),
    "kernel": Request(path="/user/{user}/api/kernels/x/channels", headers=UPGRADE),
}


def test_a_visitors_token_does_not_reach_another_users_server(
    stack: Stack, issuer: Issuer, session: Session, user: User
) -> None:
    """A server of another user never receives a visitor's token, for any form of the link."""
    account = user.account(PROJECT)
    directory, seen = f"{home_directory(account)}/.jupyter", f"{home_directory(account)}/seen"
    config = f"{directory}/jupyter_server_config.py"
    token = issuer.mint("visitor")

    with undo_after(lambda: run_as_account(stack, account, "rm", "-f", config, seen)):
        run_as_account(stack, account, "mkdir", "-p", directory)
        run_as_account(stack, account, "sh", "-c", f'printf "%s" "$1" > {config}', "-", CURIOUS.format(file=seen))
        session.spawn(project=PROJECT)
        for name, way in WAYS.items():
            headers = ((TOKEN_HEADER, token), ("User-Agent", name), *way.headers)
            send(stack.url, Request(path=way.path.format(user=user.name), headers=headers))
        headers_seen = wait_until("the requests", lambda: _read_record(stack, account, seen))

    assert TOKEN_HEADER not in headers_seen.replace(token, "[token]")


def _read_record(stack: Stack, account: str, seen: str) -> str:
    """Return the server's record of headers, once it has the last request."""
    text = run_as_account(stack, account, "cat", seen).stdout
    return text if "'User-Agent': 'kernel'" in text else ""
