"""Options of the commands: type, help text, and defaults from the environment.

A command annotates its parameters with these types. tasks.py reads the help text from the annotation.
"""

import os
from collections.abc import Sequence
from typing import Annotated

from hubpod.environments import DEFAULT_ENVIRONMENT, PRODUCTION_ENVIRONMENT
from hubpod.instances import DEFAULT_INSTANCE
from hubpod.settings import FILE_NAME

SHORT_NAMES = {
    "base": "b",
    "container": "c",
    "deploy_dir": "d",
    "environment": "e",
    "follow": "f",
    "instance": "i",
    "json": "j",
    "keep": "k",
    "name": "n",
    "port": "p",
    "source": "s",
    "tail": "t",
    "user": "u",
    "volumes": "v",
    "yes": "y",
    "zenith_image": "z",
}
"""The letter of each option that has one; -r, -h, -l and -V are before the first command."""

LINE_OPTIONS = (
    "environment",
    "instance",
    "port",
    "publish",
    "deploy_dir",
    "base",
    "source",
    "zenith_image",
    "url",
    "token_file",
)
"""Options that describe a deployment: given once, they reach every command of the line that works on the instance."""

ENVIRONMENT_VARIABLE = "HUBPOD_ENVIRONMENT"
INSTANCE_VARIABLE = "HUBPOD_INSTANCE"
ENVIRONMENT = os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT_ENVIRONMENT
INSTANCE = os.environ.get(INSTANCE_VARIABLE) or DEFAULT_INSTANCE

EnvironmentName = Annotated[str, f"environment to work on (default {ENVIRONMENT}, or $HUBPOD_ENVIRONMENT)"]
ProductionName = Annotated[str, f"environment to work on (default {PRODUCTION_ENVIRONMENT})"]
InstanceName = Annotated[
    str, f"instance of the environment; several run side by side (default {INSTANCE}, or $HUBPOD_INSTANCE)"
]

Port = Annotated[str | None, "port on 127.0.0.1 to publish the hub on (default: a free one)"]
Publish = Annotated[str | None, "IP:PORT:8081, address of the hub's API for users' servers on another cluster"]
DeployDir = Annotated[
    str | None, f"directory with {FILE_NAME} (default: one for the instance, created if it is missing)"
]
SiteDeployDir = Annotated[str | None, "directory with your settings and keys; required the first time"]
BaseImage = Annotated[str | None, "origin of the base image: auto, registry or bootstrap"]
Source = Annotated[
    Sequence[str] | None, "NAME=URL[@REF] to clone a source from, or NAME=PATH to use a directory; may be repeated"
]
ReleaseSource = Annotated[
    Sequence[str] | None, "NAME=URL@REF, another origin of a source's release: a tag or a full commit; may be repeated"
]
ZenithImage = Annotated[
    str | None, "image of the Zenith client, or stand-in to build one here (default: the registry's)"
]
Keep = Annotated[bool, "keep the pod when it does not become ready"]
Target = Annotated[str | None, "podman, the manifest that `up` plays, or kubernetes, for a cluster (default podman)"]
FillVolumes = Annotated[bool, "for podman, build the images and fill the volumes, so that the manifest can be played"]
WithSecrets = Annotated[bool, "for a cluster, include the values of Secrets"]

HubUrl = Annotated[str, "address of the hub where users reach it through a tunnel"]
Dry = Annotated[bool, "print what would be cloned, built, removed, seeded and restarted, and change nothing"]
Json = Annotated[bool, "print as JSON"]
Follow = Annotated[bool, "keep printing until interrupted"]
Tail = Annotated[str | None, "number of lines from the end of each container's log"]
Since = Annotated[str | None, "only lines since a time or for a duration, such as 10m or 2026-01-31T08:00:00"]
Grep = Annotated[str | None, "only lines in which this regular expression occurs"]
