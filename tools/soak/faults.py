"""The faults of a soak."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hubpod_harness.link import Link
from hubpod_harness.stack import Stack
from hubpod_harness.steps import require_issuer

Act = Callable[[Stack], object]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault injected while users work.

    Attributes:
        begin: Injects the fault.
        end: Removes the fault. The stack may need some time to recover.
        replaces: Whether the fault ends the process of the hub or the proxy.
    """

    begin: Act
    end: Act = lambda _: None
    replaces: bool = False


def _disturb_link(name: str, disturb: Callable[[Link], None]) -> Fault:
    return Fault(begin=lambda stack: disturb(stack.link(name)), end=lambda stack: stack.link(name).restore())


def _stop_daemon(daemon: str) -> Fault:
    return Fault(
        begin=lambda stack: stack.slurm.daemon(daemon).stop(), end=lambda stack: stack.slurm.daemon(daemon).start()
    )


def _pause_daemon(daemon: str) -> Fault:
    return Fault(
        begin=lambda stack: stack.slurm.daemon(daemon).pause(), end=lambda stack: stack.slurm.daemon(daemon).unpause()
    )


def _kill_daemon(daemon: str) -> Fault:
    return Fault(
        begin=lambda stack: stack.slurm.daemon(daemon).kill(),
        end=lambda stack: stack.slurm.daemon(daemon).wait_until_up(),
    )


def _kill_container(container: str) -> Fault:
    return Fault(begin=lambda stack: stack.kill(container), end=lambda stack: stack.start(container), replaces=True)


def _lose_node(stack: Stack) -> None:
    stack.slurm.daemon("slurmd").stop()
    stack.execute("slurm", ("scontrol", "update", f"NodeName={stack.slurm.node}", "State=DOWN", "Reason=lost"))


def _restore_node(stack: Stack) -> None:
    stack.slurm.daemon("slurmd").start()
    stack.slurm.resume()
    stack.slurm.daemon("slurmd").wait_until_up()


def _signal_hub(stack: Stack, signal: str) -> None:
    """Send a signal to the hub's process, because `podman pause` does not work rootless everywhere."""
    each = '[ "$(cat $process/comm 2>/dev/null)" != jupyterhub ] || kill -$1 "${process#/proc/}"'
    stack.execute("jupyterhub", ("sh", "-c", f"for process in /proc/[0-9]*; do {each}; done", "signal", signal))


def _break_issuer(begin: Act) -> Fault:
    return Fault(begin=begin, end=lambda stack: require_issuer(stack).up())


FAULTS: Mapping[str, Fault] = {
    "nothing": Fault(begin=lambda _: None),
    "ssh cut": _disturb_link("ssh", Link.cut),
    "ssh reset": _disturb_link("ssh", Link.reset),
    "ssh late": _disturb_link("ssh", lambda link: link.delay(2)),
    "ssh very late": _disturb_link("ssh", lambda link: link.delay(5)),
    "ssh truncated": _disturb_link("ssh", lambda link: link.truncate(100)),
    "hub api reset": _disturb_link("hub api", Link.reset),
    "hub api cut": _disturb_link("hub api", Link.cut),
    "issuer cut": _disturb_link("issuer", Link.cut),
    "issuer down": _break_issuer(lambda stack: require_issuer(stack).down()),
    "issuer hangs": _break_issuer(lambda stack: require_issuer(stack).hang()),
    "issuer's garbage": _break_issuer(lambda stack: require_issuer(stack).garbage()),
    "keys rotated": Fault(begin=lambda stack: require_issuer(stack).rotate(overlap=True)),
    "slurmctld stopped": _stop_daemon("slurmctld"),
    "slurmctld paused": _pause_daemon("slurmctld"),
    "slurmctld killed": _kill_daemon("slurmctld"),
    "slurmd killed": _kill_daemon("slurmd"),
    "slurmd paused": _pause_daemon("slurmd"),
    "munge stopped": _stop_daemon("munge"),
    "sshd stopped": _stop_daemon("sshd"),
    "node down": Fault(begin=_lose_node, end=_restore_node),
    "node drained": Fault(begin=lambda stack: stack.slurm.drain(), end=lambda stack: stack.slurm.resume()),
    "hub killed": _kill_container("jupyterhub"),
    "hub restarted": Fault(begin=lambda stack: stack.restart("jupyterhub"), replaces=True),
    "hub paused": Fault(begin=lambda stack: _signal_hub(stack, "STOP"), end=lambda stack: _signal_hub(stack, "CONT")),
    "proxy killed": _kill_container("proxy"),
}
