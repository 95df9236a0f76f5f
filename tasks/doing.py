"""The modules in which the work is done, each imported when a command first asks for it.

All of them together take longer to import than most commands take, and none is needed for `invoke --list`, for a help
text or to see that a command is mistyped. So the tasks say `doing.lifecycle.up(…)`, below `told()`: an interrupt and
an error of an import are told like any other.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = [
    "attack",
    "building",
    "console",
    "doctor",
    "down",
    "editing",
    "findings",
    "given",
    "manifest",
    "process",
    "production",
    "proofs",
    "reload",
    "request",
    "running",
    "shown",
    "shown_proofs",
    "status",
    "up",
    "volumes",
]

_HOME = {
    "attack": "hubpod_harness.attack.command",
    "building": "hubpod.images.ensure",
    "doctor": "hubpod.commands.doctor",
    "findings": "hubpod.podman.findings",
    "down": "hubpod.commands.down",
    "manifest": "hubpod.commands.manifest",
    "up": "hubpod.commands.up",
    "process": "hubpod.system.process",
    "production": "hubpod.commands.production",
    "proofs": "hubpod.commands.prove",
    "reload": "hubpod.commands.reload",
    "request": "hubpod.request",
    "running": "hubpod.commands.inspect",
    "status": "hubpod.deployment.status",
    "volumes": "hubpod.commands.volumes",
}

if TYPE_CHECKING:
    from hubpod import request
    from hubpod.commands import doctor, down, manifest, production, reload, up, volumes
    from hubpod.commands import inspect as running
    from hubpod.commands import prove as proofs
    from hubpod.deployment import status
    from hubpod.images import ensure as building
    from hubpod.podman import findings
    from hubpod.system import process
    from hubpod_harness.attack import command as attack
    from tasks import console, editing, given, shown, shown_proofs
else:

    def __getattr__(name: str) -> ModuleType:
        """Import a module of that name (PEP 562)."""
        if name not in __all__:
            raise AttributeError(name)
        return import_module(_HOME.get(name, f"tasks.{name}"))
