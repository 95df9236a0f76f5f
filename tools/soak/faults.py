"""The faults of the soak: how each begins, and how it ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hubpod_harness.link import Link
from hubpod_harness.slurm import NODE
from hubpod_harness.stack import Stack
from hubpod_harness.steps import require_issuer

Act = Callable[[Stack], object]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong around people who work.

    Attributes:
        begin: Lets it go wrong.
        end: Puts it right; the stack may need a while then.
        replaces: Whether the process of hub or proxy is another one afterwards.
    """

    begin: Act
    end: Act = lambda _: None
    replaces: bool = False


def _link(name: str, disturb: Callable[[Link], None]) -> Fault:
    return Fault(begin=lambda stack: disturb(stack.link(name)), end=lambda stack: stack.link(name).restore())


def _stopped(daemon: str) -> Fault:
    return Fault(
        begin=lambda stack: stack.slurm.daemon(daemon).stop(), end=lambda stack: stack.slurm.daemon(daemon).start()
    )


def _paused(daemon: str) -> Fault:
    return Fault(
        begin=lambda stack: stack.slurm.daemon(daemon).pause(), end=lambda stack: stack.slurm.daemon(daemon).unpause()
    )


def _killed(daemon: str) -> Fault:
    return Fault(
        begin=lambda stack: stack.slurm.daemon(daemon).kill(),
        end=lambda stack: stack.slurm.daemon(daemon).wait_until_up(),
    )


def _dead(container: str) -> Fault:
    return Fault(begin=lambda stack: stack.kill(container), end=lambda stack: stack.start(container), replaces=True)


def _lose_node(stack: Stack) -> None:
    stack.slurm.daemon("slurmd").stop()
    stack.execute("slurm", ("scontrol", "update", f"NodeName={NODE}", "State=DOWN", "Reason=lost"))


def _find_node(stack: Stack) -> None:
    stack.slurm.daemon("slurmd").start()
    stack.slurm.resume()
    stack.slurm.daemon("slurmd").wait_until_up()


def _signal_hub(stack: Stack, signal: str) -> None:
    """Send the hub's process a signal; podman's own pause needs more than it has as an ordinary user everywhere."""
    each = '[ "$(cat $process/comm 2>/dev/null)" != jupyterhub ] || kill -$1 "${process#/proc/}"'
    stack.execute("jupyterhub", ("sh", "-c", f"for process in /proc/[0-9]*; do {each}; done", "signal", signal))


def _issuer(begin: Act) -> Fault:
    return Fault(begin=begin, end=lambda stack: require_issuer(stack).up())


FAULTS: Mapping[str, Fault] = {
    "nothing": Fault(begin=lambda _: None),
    "ssh cut": _link("ssh", Link.cut),
    "ssh reset": _link("ssh", Link.reset),
    "ssh late": _link("ssh", lambda link: link.delay(2)),
    "ssh very late": _link("ssh", lambda link: link.delay(5)),
    "ssh truncated": _link("ssh", lambda link: link.truncate(100)),
    "hub api reset": _link("hub api", Link.reset),
    "hub api cut": _link("hub api", Link.cut),
    "issuer cut": _link("issuer", Link.cut),
    "issuer down": _issuer(lambda stack: require_issuer(stack).down()),
    "issuer hangs": _issuer(lambda stack: require_issuer(stack).hang()),
    "issuer's garbage": _issuer(lambda stack: require_issuer(stack).garbage()),
    "keys rotated": Fault(begin=lambda stack: require_issuer(stack).rotate(overlap=True)),
    "slurmctld stopped": _stopped("slurmctld"),
    "slurmctld paused": _paused("slurmctld"),
    "slurmctld killed": _killed("slurmctld"),
    "slurmd killed": _killed("slurmd"),
    "slurmd paused": _paused("slurmd"),
    "munge stopped": _stopped("munge"),
    "sshd stopped": _stopped("sshd"),
    "node down": Fault(begin=_lose_node, end=_find_node),
    "node drained": Fault(begin=lambda stack: stack.slurm.drain(), end=lambda stack: stack.slurm.resume()),
    "hub killed": _dead("jupyterhub"),
    "hub restarted": Fault(begin=lambda stack: stack.restart("jupyterhub"), replaces=True),
    "hub paused": Fault(begin=lambda stack: _signal_hub(stack, "STOP"), end=lambda stack: _signal_hub(stack, "CONT")),
    "proxy killed": _dead("proxy"),
}
