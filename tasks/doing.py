"""The modules in which the work is done, each imported when a command first asks for it.

All of them together take longer to import than most commands take, and none is needed for `invoke --list`, for a help
text or to see that a command is mistyped. So the tasks say `doing.lifecycle.up(…)`, below `told()`: an interrupt and
an error of an import are told like any other.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = [
    "build_times",
    "building",
    "console",
    "doctor",
    "editing",
    "given",
    "lifecycle",
    "process",
    "production",
    "proofs",
    "reload",
    "request",
    "running",
    "shown",
    "shown_proofs",
    "status",
    "volumes",
]

_OF_TASKS = {"console", "editing", "given", "shown", "shown_proofs"}

if TYPE_CHECKING:
    from hubpod import (
        build_times,
        building,
        doctor,
        lifecycle,
        process,
        production,
        proofs,
        reload,
        request,
        running,
        status,
        volumes,
    )
    from tasks import console, editing, given, shown, shown_proofs
else:

    def __getattr__(name: str) -> ModuleType:
        """Import a module of that name (PEP 562)."""
        if name not in __all__:
            raise AttributeError(name)
        return import_module(f"{'tasks' if name in _OF_TASKS else 'hubpod'}.{name}")
