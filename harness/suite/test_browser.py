"""Pages that a user sees, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from hubpod_harness.hub import Hub
from hubpod_harness.issuer import Issuer
from hubpod_harness.users import User

pytestmark = pytest.mark.hubpod_login("JWT")

HEADER = "X-Auth-Id-Token"
SEEN_MS = 30_000
SPAWN_MS = 60_000


@pytest.mark.hubpod
def test_a_user_runs_a_cell_and_logs_out(hub: Hub, issuer: Issuer, user: User, page: Page) -> None:
    """A user logs in, spawns, sees the progress page, runs a cell in JupyterLab and logs out."""
    page.set_extra_http_headers({HEADER: issuer.mint(user)})
    page.goto(f"{hub.url}/hub/spawn")
    page.set_extra_http_headers({})

    expect(page.get_by_label("Project")).to_have_value(re.compile(rf"^{user.projects[0]}\."), timeout=SEEN_MS)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Job").first).to_be_visible(timeout=SEEN_MS)

    page.wait_for_url("**/lab**", timeout=SPAWN_MS)
    page.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
    # JupyterLab drops input that arrives before the kernel and the notebook are ready.
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=SEEN_MS)
    cell = page.locator(".jp-Notebook .cm-content").first
    cell.press_sequentially("5 * 4")
    expect(cell).to_have_text("5 * 4", timeout=SEEN_MS)
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea-output").first).to_have_text("20", timeout=SEEN_MS)

    page.goto(f"{hub.url}/hub/home")
    page.locator("#logout").click()
    expect(page.locator("#logout")).to_have_count(0, timeout=SEEN_MS)


@pytest.mark.hubpod
def test_a_refused_token_is_explained_on_the_page(hub: Hub, issuer: Issuer, user: User, page: Page) -> None:
    """A user whose sign-in has expired reads on the page what to do."""
    page.set_extra_http_headers({HEADER: issuer.mint(user, expired=True)})

    page.goto(f"{hub.url}/hub/login")

    expect(page.get_by_text("Please sign in again").first).to_be_visible(timeout=SEEN_MS)
