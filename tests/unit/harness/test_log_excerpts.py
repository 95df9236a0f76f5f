"""Excerpts of the hub's log that explain a failure."""

import pytest

from hubpod.client import SpawnFailed
from hubpod_harness.log_excerpts import excerpt

LOGIN = "[I 2026-11-21 08:16:50.140 JupyterHub base:1033] User logged in: testuser"
ACCESS = "[W 2026-11-21 08:16:51.000 JupyterHub log:192] 403 GET /jupyter/hub/login (@10.89.0.1) 3.71ms"
NOT_SUBMITTED = "[E 2026-11-21 08:16:52.100 JupyterHub job:97] The job of user01 was not submitted: no such partition"
SITE = "/opt/jupyterhub/lib/python3.13/site-packages"
UNHANDLED = f"""\
[E 2026-11-21 08:17:01.004 JupyterHub user:884] Unhandled error starting testuser's server: 'gpus'
    Traceback (most recent call last):
      File "{SITE}/jupyterhub/user.py", line 798, in spawn
        url = await gen.with_timeout(timedelta(seconds=spawner.start_timeout), f)
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      File "{SITE}/tornado/gen.py", line 610, in error_callback
        future.result()
      File "{SITE}/bricsauthenticator/spawner.py", line 61, in start
        script = self._script(self.user_options)
      File "{SITE}/bricsauthenticator/jobscript.py", line 22, in _script
        return template.format(gpus=options["gpus"])
                                    ~~~~~~~^^^^^^^^
    KeyError: 'gpus'

[I 2026-11-21 08:17:01.010 JupyterHub log:192] 200 GET /jupyter/hub/home (testuser@10.89.0.1) 5.98ms
""".splitlines()
OTHERS = f"""\
[E 2026-11-21 08:18:00.000 JupyterHub ioloop:770] Exception in callback
    Traceback (most recent call last):
      File "{SITE}/tornado/ioloop.py", line 750, in _run_callback
        ret = callback()
      File "{SITE}/jupyterhub/app.py", line 3700, in check
        await self.proxy.check_routes()
      File "{SITE}/jupyterhub/proxy.py", line 432, in check_routes
        routes = await self.get_all_routes()
    ConnectionRefusedError: [Errno 111] Connection refused
""".splitlines()


def test_a_traceback_is_shown_by_the_code_under_test() -> None:
    """Frames of the code under test and the exception stay. Library frames become a count."""
    assert excerpt(None, [LOGIN, *UNHANDLED, ACCESS]) == (
        "[E 2026-11-21 08:17:01.004 JupyterHub user:884] Unhandled error starting testuser's server: 'gpus'",
        "    Traceback (most recent call last):",
        "      … 2 frames in jupyterhub, tornado",
        f'      File "{SITE}/bricsauthenticator/spawner.py", line 61, in start',
        "        script = self._script(self.user_options)",
        f'      File "{SITE}/bricsauthenticator/jobscript.py", line 22, in _script',
        '        return template.format(gpus=options["gpus"])',
        "    KeyError: 'gpus'",
    )


def test_the_last_traceback_of_the_code_under_test_counts() -> None:
    """A later traceback of other code does not hide the one through the code under test."""
    earlier = [line.replace("gpus", "early") for line in UNHANDLED]

    found = excerpt(None, [*earlier, *UNHANDLED, *OTHERS])

    assert "    KeyError: 'gpus'" in found
    assert not any("early" in line or "Connection" in line for line in found)


def test_where_a_library_raised_is_shown() -> None:
    """The raising frame stays, also in a library that the code under test has called."""
    raising = [f'      File "{SITE}/jinja2/environment.py", line 936, in handle', "        raise error"]
    at = UNHANDLED.index("    KeyError: 'gpus'")

    assert "\n".join(raising) in "\n".join(excerpt(None, [*UNHANDLED[:at], *raising, *UNHANDLED[at:]]))


def test_a_configuration_that_does_not_load_is_shown() -> None:
    """A traceback that Python printed without a log record is shown without the preceding line."""
    printed = [
        "Traceback (most recent call last):",
        f'  File "{SITE}/traitlets/config/application.py", line 909, in _load_config_files',
        "    config = loader.load_config()",
        '  File "/etc/jupyterhub/fragments/login_jwt.py", line 3, in <module>',
        '    c.BricsAuthenticator.oidc_server = os.environ["DEPLOY_CONFIG_OIDC_SERVER"]',
        "KeyError: 'DEPLOY_CONFIG_OIDC_SERVER'",
    ]

    found = excerpt(None, [LOGIN, *printed])

    assert found[0] == "Traceback (most recent call last):"
    assert found[-1] == "KeyError: 'DEPLOY_CONFIG_OIDC_SERVER'"
    assert LOGIN not in found


def test_a_chain_of_exceptions_stays_a_chain() -> None:
    """Chained exceptions stay together with the sentence between them."""
    chain = [
        *UNHANDLED[:-2],
        "",
        "    The above exception was the direct cause of the following exception:",
        "",
        *[line.replace("KeyError: 'gpus'", "RuntimeError: no options") for line in UNHANDLED[1:-2]],
    ]

    found = excerpt(None, chain)

    assert "    KeyError: 'gpus'" in found
    assert "    The above exception was the direct cause of the following exception:" in found
    assert found[-1] == "    RuntimeError: no options"


def test_the_last_warnings_are_shown_without_a_traceback() -> None:
    """Without a traceback of the code under test, the last warnings and errors are shown.

    Long entries are shortened to their end.
    """
    found = excerpt(None, [LOGIN, ACCESS, NOT_SUBMITTED, LOGIN, *OTHERS])

    assert found[:2] == (ACCESS, NOT_SUBMITTED)
    assert found[2] == OTHERS[0]
    assert found[-1] == "    ConnectionRefusedError: [Errno 111] Connection refused"
    assert LOGIN not in found


def test_only_the_message_shown_to_the_user_remains() -> None:
    """If the log has the message of the page, other warnings are omitted."""
    error = SpawnFailed("the server of user01 failed to start: no such partition", sentence="no such partition")

    assert excerpt(error, [ACCESS, NOT_SUBMITTED, ACCESS]) == (NOT_SUBMITTED,)


def test_the_log_of_the_failure_comes_before_the_whole_log() -> None:
    """The log during the failure is searched first."""
    error = SpawnFailed("the server of user01 failed to start")
    error.hub_log = (NOT_SUBMITTED,)

    assert excerpt(error, [ACCESS]) == (NOT_SUBMITTED,)


@pytest.mark.parametrize("log", [[], ["", "   "], [LOGIN], ["plain text", "Traceback (most recent call last):"]])
def test_a_log_without_warnings_gives_nothing(log: list[str]) -> None:
    """A log without warnings gives no lines, and neither does a truncated traceback."""
    assert excerpt(ValueError("x"), log) == ()


def test_an_excerpt_has_at_most_40_lines() -> None:
    """The excerpt has at most 40 lines."""
    assert len(excerpt(None, [NOT_SUBMITTED, *["    detail"] * 7] * 100)) == 40
