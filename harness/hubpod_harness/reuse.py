"""A stack that outlives its run, so that the next run can reuse it."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from hubpod.components.site import Site
from hubpod.instances import Instance
from hubpod.labels import LABEL_INSTANCE, LABEL_STACK
from hubpod.podman.by_label import remove_by_label, subnet_of
from hubpod.podman.cli import Podman
from hubpod.system.locks import try_to_lock, user_lock
from hubpod.system.private_files import private_directory, read_record, write_private
from hubpod_harness.blueprint import Blueprint, HarnessSecrets, blueprint
from hubpod_harness.containers import Network
from hubpod_harness.issuer import SigningKeys
from hubpod_harness.keys import ALGORITHMS, new_key, read_keys, write_keys
from hubpod_harness.session_run import Run
from hubpod_harness.stack import Stack, connect_stack
from hubpod_harness.stack_launcher import StackLauncher, StackRequest, create_site, kept_labels, launch_stack

DIRECTORY = "reuse"


@contextmanager
def reuse_stack(run: Run, request: StackRequest, state: Path, worker: str) -> Iterator[Stack]:
    """Reuse the stack of an earlier run, or start a new one that outlives this run.

    A stack is reused if its images and configuration are unchanged.

    Two runs never share a stack. While another run uses it, this starts an ordinary stack that ends with the block.

    Args:
        run: The run that needs the stack.
        request: The requested stack.
        state: The directory .hubpod of the checkout.
        worker: Name of the worker of pytest-xdist; empty without it.
    """
    name = stack_name(request, state, worker)
    directory = private_directory(private_directory(state / DIRECTORY) / name)
    with user_lock(name).open("wb") as lock:
        if not try_to_lock(lock.fileno()):
            with launch_stack(run, request) as stack:
                yield stack
            return
        yield _connect_or_launch(run, request, Instance(environment=request.environment, name=name), directory)


def stack_name(request: StackRequest, state: Path, worker: str) -> str:
    """Return the name of a reusable stack's instance, which no other checkout or worker uses.

    Checkouts share podman, so that equal names would be one stack with the keys of two directories.
    """
    key = f"{state.resolve()} {request.environment.name} {request.config} {request.changes} {worker}"
    return f"reuse-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _connect_or_launch(run: Run, request: StackRequest, instance: Instance, directory: Path) -> Stack:
    keys, signing = _keys(directory / "keys.json"), _signing(directory / "signing.json")
    site = create_site(request, instance, directory, keys)
    plan = blueprint(site, keys, config=request.config)
    labels = {**kept_labels(site), LABEL_STACK: _digest(site, plan)}
    if _is_running(run.podman, site, plan, labels):
        network = Network(name=instance.resource, subnet=subnet_of(run.podman, instance.resource))
        stack = connect_stack(site=site, blueprint=plan, podman=run.podman, network=network, keys=keys, signing=signing)
        if stack.issuer:
            stack.issuer.reset()
        stack.wait_until_ready()
        return stack
    remove_by_label(run.podman, f"{LABEL_INSTANCE}={instance.name}")
    with ExitStack() as cleanup:
        launch = StackLauncher(
            run=run, site=site, plan=plan, keys=keys, labels=labels, cleanup=cleanup, signing=signing
        )
        stack = launch.start()
        cleanup.pop_all()
    return stack


def _is_running(podman: Podman, site: Site, plan: Blueprint, labels: dict[str, str]) -> bool:
    states = podman.containers({**site.instance.labels, **labels}).values()
    return len(states) == len(plan.containers) and all(state.state == "running" for state in states)


def _digest(site: Site, plan: Blueprint) -> str:
    """Return a digest of everything that a stack is made of."""
    seeds = [(seed.volume, seed.digest(site.credentials.digest_key)) for seed in plan.seeds]
    return hashlib.sha256(repr((plan.containers, seeds)).encode()).hexdigest()[:16]


def _keys(path: Path) -> HarnessSecrets:
    """Return the secrets of the stack, which stay the same in each run."""
    known = read_record(path)
    keys = HarnessSecrets(**{name: str(value) for name, value in known.items()}) if known else HarnessSecrets()
    write_private(path, json.dumps(asdict(keys)).encode())
    return keys


def _signing(path: Path) -> SigningKeys:
    """Return the issuer's signing keys, which stay the same because the hub caches them."""
    if not path.exists():
        keys = {
            name: new_key(name, f"{name.lower()}-{hashlib.sha256(str(path).encode()).hexdigest()[:4]}")
            for name in ALGORITHMS
        }
        write_private(path, write_keys(keys))
    return read_keys(path.read_bytes())
