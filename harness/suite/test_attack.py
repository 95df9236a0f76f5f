"""Attacks of an unauthenticated client over HTTP, at a hub with each login method."""

import time
from collections.abc import Iterable

import pytest

from hubpod.client.session import TOKEN_HEADER
from hubpod.environments import Login
from hubpod_harness.attack.addresses import AMBIGUOUS_ADDRESSES, FOREIGN_ADDRESSES, next_query
from hubpod_harness.attack.cases import SCRIPT, Case, Target, cases
from hubpod_harness.attack.transport import Request
from hubpod_harness.attack.verdicts import Verdict, attempt
from hubpod_harness.hub import Hub
from hubpod_harness.issuer import Issuer
from hubpod_harness.stack import Stack
from hubpod_harness.users import User

pytestmark = pytest.mark.security

KNOWN_PASSWORD = "change-this-password"  # of examples/dev_dummyauth
SHORTEST = 20  # characters of a secret
SOON_S = 1.0  # average per response, because a busy machine may delay a single one


def attack(target: Target) -> list[Verdict]:
    """Run all cases, and check that refusals are as fast as other responses."""
    start = time.monotonic()
    verdicts = [attempt(target, case) for case in cases(target)]
    assert time.monotonic() - start < SOON_S * len(verdicts)
    return verdicts


def failures(verdicts: Iterable[Verdict]) -> list[str]:
    """Return the cases that the hub does not refuse."""
    return [f"{verdict.case.id}: {problem}" for verdict in verdicts for problem in verdict.problems]


def find_logged_secrets(hub: Hub, verdicts: Iterable[Verdict]) -> list[str]:
    """Return the cases with a token or password in the hub's log.

    tornado logs complete addresses, including their queries.
    """
    sent = [(verdict.case, secret) for verdict in verdicts for secret in verdict.case.unseen]
    in_addresses = {secret for case, secret in sent if secret in case.request.path}
    hidden = [(case, secret) for case, secret in sent if len(secret) >= SHORTEST and secret not in in_addresses]
    log = hub.log()
    return [case.id for case, secret in hidden if secret != SCRIPT and secret in log]


@pytest.mark.hubpod
def test_a_hub_with_token_login_refuses_attacks(hub: Hub, issuer: Issuer, user: User) -> None:
    """A hub with token login refuses every request without a valid token, and creates no user."""
    claims = {"iss": issuer.url, "aud": issuer.audience, "short_name": "attacker", "projects": {}}

    verdicts = attack(Target(url=hub.url, login=Login.JWT, claims=claims))

    assert not failures(verdicts)
    assert not find_logged_secrets(hub, verdicts)
    assert hub.admin("GET", "users/attacker").status_code == 404
    assert hub.login(issuer.mint(user)).user == user.name


def test_a_hub_with_a_form_refuses_attacks(developer_stack: Stack) -> None:
    """A hub with a login form accepts only the password, and redirects to no other site."""
    password = developer_stack.hub.password
    target = Target(url=developer_stack.url, login=Login.DUMMY, password=password, known_passwords=(KNOWN_PASSWORD,))

    verdicts = attack(target)

    assert not failures(verdicts)
    assert not find_logged_secrets(developer_stack.hub, verdicts)


@pytest.mark.hubpod
def test_a_token_login_redirects_to_no_other_site(hub: Hub, issuer: Issuer, user: User) -> None:
    """A token login through a link that names another site stays at the hub."""
    target, token = Target(url=hub.url, login=Login.JWT), issuer.mint(user)
    links = {
        name: Request(path=f"/hub/login?{next_query(address)}", headers=((TOKEN_HEADER, token),))
        for name, address in {**FOREIGN_ADDRESSES, **AMBIGUOUS_ADDRESSES}.items()
    }
    expected = frozenset({302, 400})

    verdicts = [
        attempt(target, Case(id=name, title="", request=link, expected=expected, unseen=(token,), lets_in=True))
        for name, link in links.items()
    ]

    assert not failures(verdicts)
