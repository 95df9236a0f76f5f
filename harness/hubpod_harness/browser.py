"""A real browser, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect, sync_playwright

from hubpod_harness.preflight import find_browser

# Without these a browser in a closed network looks for updates all the time; a container has no sandbox of its own.
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
TIMEOUT_MS = 30_000


@contextmanager
def new_page() -> Iterator[Page]:
    """An empty page of the machine's own browser, which ends with the block.

    Raises:
        MachineError: There is no browser.
    """
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(TIMEOUT_MS)
        yield page
        browser.close()
