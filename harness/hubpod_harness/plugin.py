"""The pytest plugin: fixtures that start stacks, and what is kept of a test that fails.

It is loaded by every pytest that runs where hubpod is installed, so it imports what is heavy only when a test asks.
"""

import sys
from collections.abc import Generator
from typing import Any

import pytest

from hubpod.environments import Login
from hubpod_harness import options
from hubpod_harness.plugin_state import KIT, LEFT, prepare, told

LOGIN_MARK = "hubpod_login"
BROWSER_MARK = "browser"
SECURITY_MARK = "security"
FAULTS_MARK = "faults"
ISSUER = "issuer"
"""The fixture that exists only with a login that uses tokens."""

FIXTURES = "hubpod_harness.fixtures"
pytest_plugins = (FIXTURES,)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers; look at what was asked for before anything else happens."""
    config.addinivalue_line("markers", f"{LOGIN_MARK}(name): for hubs with this login only, JWT or dummy")
    config.addinivalue_line("markers", f"{BROWSER_MARK}: uses a browser")
    config.addinivalue_line("markers", f"{SECURITY_MARK}: shows that something is refused that must be")
    config.addinivalue_line("markers", f"{FAULTS_MARK}: shows what servers survive, or how they end; takes its time")
    with told():
        options.use_podman(config)
        options.login_of(config)
        if options.given(config):
            options.read(config)


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Do what is asked for instead of running tests."""
    if not config.getoption("hubpod_clean"):
        return None
    with told():
        from hubpod_harness.preflight import remove_kept  # noqa: PLC0415 - heavy

        count = remove_kept()
    sys.stdout.write(f"{count} containers, volumes and networks removed\n")
    return 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of another kind of login; mark those that use a browser."""
    login = options.login_of(config)
    kept: list[pytest.Item] = []
    other: list[pytest.Item] = []
    for item in items:
        if _uses(item, "page"):
            item.add_marker(BROWSER_MARK)
        (kept if _fits(item, login) else other).append(item)
    if other:
        config.hook.pytest_deselected(items=other)
        items[:] = kept


def _fits(item: pytest.Item, login: Login) -> bool:
    mark = item.get_closest_marker(LOGIN_MARK)
    if mark:
        return Login(mark.args[0]) is login
    return login.uses_token or not _uses(item, ISSUER)


def _uses(item: pytest.Item, fixture: str) -> bool:
    """Whether a test uses the plugin's fixture of that name, and not somebody else's."""
    known = getattr(item, "_fixtureinfo", None)
    definitions = known.name2fixturedefs.get(fixture, ()) if known else ()
    return any(each.func.__module__ == FIXTURES for each in definitions[-1:])


def pytest_sessionstart(session: pytest.Session) -> None:
    """Where workers run the tests, have the images before they start, and say here what stands in the way."""
    config = session.config
    if getattr(config.option, "dist", "no") != "no" and not hasattr(config, "workerinput") and options.given(config):
        prepare(config)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where this process runs the tests itself, see that they can run: one sentence, not one for each test."""
    config = session.config
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    if any(_uses(item, "page") for item in session.items):
        with told():
            from hubpod_harness.preflight import find_browser  # noqa: PLC0415 - heavy

            find_browser()
    if any(_uses(item, "hubpod_kit") for item in session.items):
        prepare(config)


# -- what is kept of a failure -----------------------------------------------------------------------------------


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tell from now on which stacks the test uses."""
    kit = item.config.stash.get(KIT, None)
    if kit:
        kit.begin()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Undo what the test did to links and containers, before its users are given back."""
    kit = item.config.stash.get(KIT, None)
    if kit:
        kit.heal()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Keep a folder of everything that may tell why a test failed, and say what broke."""
    kit = item.config.stash.get(KIT, None)
    if kit and call.excinfo:
        from hubpod_harness.failures import explain  # noqa: PLC0415 - heavy

        explain(kit, call.excinfo.value)
    report = yield
    if kit and report.failed:
        from hubpod_harness.failures import keep  # noqa: PLC0415 - heavy

        folder = keep(kit, item, report)
        report.sections.append(("hubpod", f"what is known of this failure: {folder}"))
        report.user_properties.append(("hubpod_failure", str(folder)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which stacks stay, and how they go."""
    if config.getoption("hubpod_keep") or config.getoption("hubpod_reuse"):
        terminalreporter.write_line("the stacks of this run are left; `pytest --hubpod-clean` removes them")
        for stack in config.stash.get(LEFT, ()):
            terminalreporter.write_line(f"  {stack}")
