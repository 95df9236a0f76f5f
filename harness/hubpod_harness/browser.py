"""A real browser, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect, sync_playwright

from hubpod_harness.preflight import find_browser

# Without these flags, a browser in a closed network searches for updates all the time. A container has no sandbox.
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
TIMEOUT_MS = 30_000


@contextmanager
def new_page() -> Iterator[Page]:
    """Open an empty page in the machine's browser, and close the browser after the block.

    Raises:
        MachineError: No browser is installed.
    """
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(TIMEOUT_MS)
        yield page
        browser.close()
