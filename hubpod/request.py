"""What a person asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hubpod.base_image import BaseFrom
from hubpod.environments import Instance
from hubpod.origins import Origin


@dataclass(frozen=True, kw_only=True)
class UpRequest:
    """What a person asks of ``up``.

    Attributes:
        instance: Which instance.
        deploy_dir: Folder with the deploy ConfigMap; the instance's own when None.
        port: Published port; chosen when None.
        base: Where the base image comes from.
        origins: Sources that come from elsewhere, by name.
        keep: Leave what was started when it does not become ready.
    """

    instance: Instance
    deploy_dir: Path | None = None
    port: int | None = None
    base: BaseFrom = BaseFrom.AUTO
    origins: Mapping[str, Origin] = field(default_factory=dict)
    keep: bool = False
