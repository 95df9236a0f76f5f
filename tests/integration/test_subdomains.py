"""A name of its own for each user's server, on a running instance and in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page

from hubpod_harness.page_scripts import REGISTER_WORKER
from support.instances import RunningInstance

UNREADABLE = (["opaque", ""], ["refused", "TypeError"])
NOT_REGISTERED = ("SecurityError", "TypeError")
OWNER, VISITOR = "otheruser", "testuser"
FETCH = """async ([url, options]) => {
    try {
        const response = await fetch(url, { credentials: "include", ...options });
        return [response.type, await response.text()];
    } catch (error) {
        return ["refused", error.name];
    }
}"""
READ_WINDOW = """() => {
    try {
        return opened.document.title;
    } catch (error) {
        return error.name;
    }
}"""
LIST_TOKENS = """async (url) => {
    const response = await fetch(url, { headers: { "X-XSRFToken": window.jhdata.xsrf_token } });
    return (await response.json()).api_tokens.length;
}"""


def test_each_server_has_an_origin_of_its_own(instances: Callable[[], RunningInstance], page: Page) -> None:
    """With `subdomainHost`, a page of one user's server reaches neither the hub nor another server as its visitor."""
    running = instances()
    assert (up := running.up()).code == 0, up.text
    file = Path(running.status["deploy_dir"]) / "deploy-configmap.yaml"
    file.write_text(file.read_text().replace('subdomainHost: ""', 'subdomainHost: "http://hub.localhost"'))

    assert (up := running.up()).code == 0, up.text

    hub = running.status["url"]
    port = urlsplit(hub).port
    base = urlsplit(hub).path
    assert hub == f"http://hub.localhost:{port}{base}"
    assert hub in up.text
    assert (spawn := running.invoke("dev.spawn")).code == 0, spawn.text
    server = running.login(OWNER).spawn(project="project1")
    assert server.execute("5 * 4") == "20"
    log_in(page, hub, running.password)
    tokens = f"{base}/hub/api/users/{VISITOR}/tokens"
    before = page.evaluate(LIST_TOKENS, tokens)

    page.route(
        f"**/user/{OWNER}/page", lambda route: route.fulfill(body="<title>a page</title>", content_type="text/html")
    )
    owners = f"http://{OWNER}.hub.localhost:{port}{base}/user/{OWNER}"
    page.goto(f"{owners}/page")
    origin = hub.removesuffix(base)
    for path in ("/hub/home", "/hub/token", "/hub/api/user"):
        for url in (hub + path, base + path):  # with the hub's name, and with the server's
            assert fetch(page, url) in UNREADABLE, url
            assert fetch(page, url, mode="no-cors") in UNREADABLE, url
    minted = {"method": "POST", "mode": "no-cors", "body": "{}"}
    assert fetch(page, origin + tokens, **minted) in UNREADABLE
    assert fetch(page, tokens, **minted) == ["basic", "The hub has another address.\n"]
    assert page.evaluate(REGISTER_WORKER, [f"{hub}/hub/static/js/home.js", {}]) in NOT_REGISTERED
    assert page.evaluate(REGISTER_WORKER, ["worker.js", {"scope": f"{base}/hub/"}]) in NOT_REGISTERED
    with page.context.expect_page() as opening:
        page.evaluate("(url) => { window.opened = window.open(url); }", f"{hub}/hub/home")
    opening.value.wait_for_load_state()
    assert page.evaluate(READ_WINDOW) in {"SecurityError", "TypeError"}
    page.goto(owners.replace(f"/user/{OWNER}", "/hub/home"))
    assert page.url == f"{hub}/hub/home"
    assert page.evaluate(LIST_TOKENS, tokens) == before
    server.stop()


def log_in(page: Page, hub: str, password: str) -> None:
    """Log the visitor in, and open the hub's page about the tokens."""
    page.goto(f"{hub}/hub/login?next={urlsplit(hub).path}/hub/token")
    page.fill("#username_input", VISITOR)
    page.fill("#password_input", password)
    page.click("#login_submit")
    page.wait_for_url("**/hub/token")


def fetch(page: Page, url: str, **options: str) -> Any:
    """Fetch a URL by a script of the page; return the kind of the response and its text."""
    return page.evaluate(FETCH, [url, options])
