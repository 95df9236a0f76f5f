"""The front door adds a person's token to every request; only the login may see it."""

import pytest

from hubpod.client import Session
from hubpod.client.session import TOKEN_HEADER
from hubpod_harness.attack.transport import Request, send
from hubpod_harness.issuer import Issuer
from hubpod_harness.stack import Stack
from hubpod_harness.steps import PROJECT, home_directory, run_as_account, undo_after, wait_until
from hubpod_harness.users import User

pytestmark = [pytest.mark.security, pytest.mark.hubpod_login("JWT")]

# What a person may configure, and so may somebody who collects what others send.
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


def test_a_visitors_token_does_not_reach_somebody_elses_server(
    stack: Stack, issuer: Issuer, session: Session, user: User
) -> None:
    """Whoever opens a link to another person's server keeps the token to themselves, whatever the link looks like."""
    account = user.account(PROJECT)
    folder, seen = f"{home_directory(account)}/.jupyter", f"{home_directory(account)}/seen"
    config = f"{folder}/jupyter_server_config.py"
    token = issuer.mint("visitor")

    with undo_after(lambda: run_as_account(stack, account, "rm", "-f", config, seen)):
        run_as_account(stack, account, "mkdir", "-p", folder)
        run_as_account(stack, account, "sh", "-c", f'printf "%s" "$1" > {config}', "-", CURIOUS.format(file=seen))
        session.spawn(project=PROJECT)
        for name, way in WAYS.items():
            headers = ((TOKEN_HEADER, token), ("X-Marker", name), *way.headers)
            send(stack.url, Request(path=way.path.format(user=user.name), headers=headers))
        told = wait_until("the requests", lambda: _told(stack, account, seen))

    assert TOKEN_HEADER not in told.replace(token, "[token]")


def _told(stack: Stack, account: str, seen: str) -> str:
    """What the server has kept, once it has seen the last request."""
    text = run_as_account(stack, account, "cat", seen).stdout
    return text if "'X-Marker': 'kernel'" in text else ""


def test_a_failing_page_does_not_log_the_token(stack: Stack, issuer: Issuer) -> None:
    """JupyterHub logs all headers of a request that ends with an error of the server; the token is not among them."""
    token = issuer.mint("visitor")

    answer = send(stack.url, Request(path="/hub/static/%00", headers=((TOKEN_HEADER, token),)))

    assert answer.status == 500
    log = stack.hub.log()
    assert "/hub/static/%00" in log
    assert not [number for number, line in enumerate(log.splitlines()) if token in line]
