"""The program hubpod-ready: check every need, and print a line of JSON about each."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from hubpod_checks import hub_settings, slurm_host, web
from hubpod_checks.answers import NOT_READY, Answer, unchecked
from hubpod_checks.hub_settings import EFFECTIVE, HubSettings

PATIENCE_S = 4.0
"""Seconds to wait for a hub that is starting."""
CONFIG = ("jupyterhub_config.py", "/etc/jupyterhub")
LOAD_CONFIG = f"from traitlets.config.loader import PyFileConfigLoader as L; L{CONFIG!r}.load_config()"
ALONE = "nothing runs yet"


def main(argv: Sequence[str]) -> int:
    """Run the command line; return 1 if a need is not met."""
    parser = argparse.ArgumentParser(prog="hubpod-ready", description="check what a spawn needs, as the hub")
    parser.add_argument("--alone", action="store_true", help="the hub does not run; load its configuration")
    parser.add_argument("--patience", type=float, default=PATIENCE_S, help="seconds to wait for a starting hub")
    parser.add_argument("--zenith", nargs=3, default=(), metavar=("HOST", "PORT", "KEY"), help="log in to this server")
    given = parser.parse_args(argv)
    if given.alone and (problem := _load_config()):
        sys.stderr.write(f"the hub's configuration cannot be loaded: {problem}\n")
        return 1
    hub = hub_settings.load(given.patience)
    answers = find_answers(hub, given.patience, alone=given.alone, zenith=given.zenith)
    for answer in answers:
        sys.stdout.write(json.dumps(answer.as_dict()) + "\n")
    return int(any(answer.state == NOT_READY for answer in answers))


def find_answers(hub: HubSettings, patience_s: float, *, alone: bool, zenith: Sequence[str] = ()) -> list[Answer]:
    """Check every need side by side, and return the answers in the order of hubpod's list.

    Args:
        hub: The hub's settings.
        patience_s: Seconds to wait for a hub that is starting.
        alone: Whether the hub does not run.
        zenith: Host, port and key file of the Zenith server to log in to, if any.
    """
    checks: list[Callable[[], list[Answer]]] = [lambda: slurm_host.find_answers(hub)]
    if "issuer" in hub.needs:
        checks.append(lambda: [web.check_issuer(hub)])
    if zenith:
        checks.append(lambda: [web.check_zenith(*zenith)])
    if not alone:
        checks.append(lambda: [web.check_login(hub, patience_s)])
        if hub.slurm_in_pod:
            checks.append(lambda: [web.check_api(hub, patience_s)])
    with ThreadPoolExecutor() as pool:
        given = [answer for answers in pool.map(lambda check: check(), checks) for answer in answers]
    # Two may look at one need from different places; the worse answer counts.
    found = {answer.need: answer for answer in sorted(given, key=lambda answer: answer.state == NOT_READY)}
    if alone:
        found["api"] = unchecked("api", ALONE)
    others = {name: unchecked(name, ALONE if alone else why) for name, why in hub.outside.items() if name not in found}
    missing = {name: unchecked(name, ALONE if alone else "not answered") for name in hub.needs}
    answers = {**missing, **found, **others}
    return [answers[name] for name in hub.needs]


def _load_config() -> str:
    """Execute the hub's configuration, which writes the effective settings; return the reason of a failure."""
    EFFECTIVE.unlink(missing_ok=True)
    done = subprocess.run([web.PYTHON, "-c", LOAD_CONFIG], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no reason"])[-1]
