"""What people type: each task is a docstring and one call into hubpod. `invoke --list` shows them."""

from typing import Any

from invoke.collection import Collection

from tasks import bench, dev, prod


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
namespace.add_collection(_collection(bench.run, bench.cases), name="bench")
