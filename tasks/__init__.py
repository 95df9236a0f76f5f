"""What people type: each task is a docstring and one call into hubpod. `invoke --list` shows them."""

import sys
from typing import Any

from invoke.collection import Collection

# invoke keeps no bytecode of what it loads unless it is told --write-pyc, so each command compiled all of hubpod again.
sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)

from tasks import dev, prod  # noqa: E402 - they are what is kept


def _collection(*tasks: Any) -> Collection:  # noqa: ANN401 - invoke's Task is generic over its body
    collection = Collection()
    for each in tasks:
        collection.add_task(each)
    return collection


namespace = Collection()
namespace.add_collection(
    _collection(
        dev.up,
        dev.reload,
        dev.watch,
        dev.down,
        dev.status,
        dev.logs,
        dev.exec_,
        dev.spawn,
        dev.attack,
        dev.doctor,
        dev.manifest,
        dev.clone,
        dev.build,
        dev.volumes_,
    ),
    name="dev",
)
namespace.add_collection(
    _collection(
        prod.check,
        prod.manifest,
        prod.up,
        prod.status,
        prod.logs,
        prod.down,
        prod.upgrade,
        prod.systemd,
    ),
    name="prod",
)
