"""Stacks that outlive their run: the names by which a later run finds them."""

from dataclasses import replace
from pathlib import Path

from hubpod.environments import find_environment
from hubpod_harness.reuse import stack_name
from hubpod_harness.stack_launcher import StackRequest

REQUEST = StackRequest(environment=find_environment("dev_realauth"), images=(), volumes=Path("volumes"))


def test_a_stack_belongs_to_one_checkout_request_and_worker(tmp_path: Path) -> None:
    """Checkouts share podman, so that a run would otherwise remove the stack of another one."""
    one, two = tmp_path / "one" / ".hubpod", tmp_path / "two" / ".hubpod"
    other = replace(REQUEST, config="c.Spawner.debug = True")

    names = [
        stack_name(request, state, worker)
        for request in (REQUEST, other)
        for state in (one, two)
        for worker in ("", "gw0")
    ]

    assert len(set(names)) == len(names)
    assert stack_name(REQUEST, one, "") == names[0]


def test_a_link_to_a_checkout_is_the_same_checkout(tmp_path: Path) -> None:
    """The second path finds the stack of the first."""
    (tmp_path / "checkout").mkdir()
    (tmp_path / "link").symlink_to("checkout")

    assert stack_name(REQUEST, tmp_path / "link", "") == stack_name(REQUEST, tmp_path / "checkout", "")
