"""pytest plugin: fixtures that start stacks, and artifacts of failed tests.

Every pytest run loads it where hubpod is installed, so slow imports happen on first use.
"""

import sys
from collections.abc import Generator
from typing import Any

import pytest

from hubpod.environments import Login
from hubpod_harness import options
from hubpod_harness.plugin_state import REMAINING, STACKS, prepare, reporting_errors

LOGIN_MARK = "hubpod_login"
BROWSER_MARK = "browser"
SECURITY_MARK = "security"
FAULTS_MARK = "faults"
CONTRACT_MARK = "contract"
OURS_MARK = "hubpod"
ISSUER = "issuer"
"""Fixture that is available only with token login."""

FIXTURES = "hubpod_harness.fixtures"
pytest_plugins = (FIXTURES,)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and validate the options before anything else."""
    config.addinivalue_line("markers", f"{LOGIN_MARK}(name): runs only with this login, JWT or dummy")
    config.addinivalue_line("markers", f"{BROWSER_MARK}: uses a browser")
    config.addinivalue_line("markers", f"{SECURITY_MARK}: checks that something forbidden is refused")
    config.addinivalue_line("markers", f"{FAULTS_MARK}: injects faults or waits for time limits; slow")
    config.addinivalue_line("markers", f"{CONTRACT_MARK}: any authenticator, spawner and wrappers must pass it")
    config.addinivalue_line("markers", f"{OURS_MARK}: checks what only the packages of hubpod promise")
    with reporting_errors():
        options.use_podman(config)
        options.login_of(config)
        if options.has_hubpod_options(config):
            options.read(config)


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """With --hubpod-clean, remove old stacks instead of running tests."""
    if not config.getoption("hubpod_clean"):
        return None
    with reporting_errors():
        from hubpod_harness.preflight import remove_kept  # noqa: PLC0415 - heavy

        count = remove_kept()
    sys.stdout.write(f"{count} containers, volumes and networks removed\n")
    return 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests of other login methods, and mark tests that use a browser."""
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
    """Return whether a test uses the plugin's own fixture of that name."""
    known = getattr(item, "_fixtureinfo", None)
    definitions = known.name2fixturedefs.get(fixture, ()) if known else ()
    return any(each.func.__module__ == FIXTURES for each in definitions[-1:])


def pytest_sessionstart(session: pytest.Session) -> None:
    """Build the images before xdist's workers start, and report obstacles once."""
    config = session.config
    if (
        getattr(config.option, "dist", "no") != "no"
        and not hasattr(config, "workerinput")
        and options.has_hubpod_options(config)
    ):
        prepare(config)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Check the prerequisites once, before the first test instead of in each test."""
    config = session.config
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    if any(_uses(item, "page") for item in session.items):
        with reporting_errors():
            from hubpod_harness.preflight import find_browser  # noqa: PLC0415 - heavy

            find_browser()
    if any(_uses(item, "hubpod_kit") for item in session.items):
        prepare(config)


# -- artifacts of failures ---------------------------------------------------------------------------------------


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start to record which stacks the test uses."""
    manager = item.config.stash.get(STACKS, None)
    if manager:
        manager.begin()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Restore links and containers before the test's users are released."""
    manager = item.config.stash.get(STACKS, None)
    if manager:
        manager.heal()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Explain a failure, and write its artifacts."""
    manager = item.config.stash.get(STACKS, None)
    if manager and call.excinfo:
        from hubpod_harness.failures import explain  # noqa: PLC0415 - heavy

        explain(manager, call.excinfo.value)
    report = yield
    if manager and report.failed:
        from hubpod_harness.failures import write_artifacts  # noqa: PLC0415 - heavy

        directory = write_artifacts(manager, item, report)
        report.sections.append(("hubpod", f"artifacts of this failure: {directory}"))
        report.user_properties.append(("hubpod_failure", str(directory)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the stacks that keep running, and how to remove them."""
    if config.getoption("hubpod_keep") or config.getoption("hubpod_reuse"):
        terminalreporter.write_line("the stacks of this run keep running; `pytest --hubpod-clean` removes them")
        for stack in config.stash.get(REMAINING, ()):
            terminalreporter.write_line(f"  {stack}")
