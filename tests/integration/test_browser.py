"""The user's path through the pages in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.instances import RunningInstance

SPAWN_MS = 60_000
USER = "otheruser"


@pytest.fixture
def notebook_ends(running: RunningInstance) -> Iterator[None]:
    """Stop the user's server after the test, also after a failure."""
    yield
    running.login(USER).server().stop(deadline_s=60)


@pytest.mark.usefixtures("notebook_ends")
def test_a_user_runs_a_cell(running: RunningInstance, page: Page, tmp_path: Path) -> None:
    """Login page, spawn form and progress page lead to JupyterLab, which evaluates a cell."""
    page.goto(running.status["url"])
    page.fill("#username_input", USER)
    page.fill("#password_input", running.password)
    page.click("#login_submit")

    expect(page.get_by_label("Project")).to_have_value("project1.brics")
    page.screenshot(path=tmp_path / "spawn-form.png")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Job").first).to_be_visible()

    page.wait_for_url("**/lab**", timeout=SPAWN_MS)
    page.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
    # Input before the kernel and its notebook are ready is lost.
    expect(page.get_by_text("| Idle")).to_be_visible()
    cell = page.locator(".jp-Notebook .cm-content").first
    cell.press_sequentially("5 * 4")
    expect(cell).to_have_text("5 * 4")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea-output").first).to_have_text("20")
    page.screenshot(path=tmp_path / "lab.png")
    assert not page.get_by_text("Jupyter news").is_visible()


def test_a_wrong_password_is_reported_on_the_page(running: RunningInstance, page: Page) -> None:
    """The login page shows the error and accepts another try."""
    page.goto(running.status["url"])
    page.fill("#username_input", "testuser")
    page.fill("#password_input", "not the password")
    page.click("#login_submit")

    expect(page.locator(".login_error")).to_contain_text("Invalid username or password")
    expect(page.locator("#password_input")).to_be_visible()
