"""What a person may add to a command: the options' texts. given.py sees that their values are valid ones."""

import os

from hubpod.environments import DEFAULT_ENVIRONMENT, DEFAULT_INSTANCE, PRODUCTION_ENVIRONMENT
from hubpod.settings.deploy_configmap import FILE_NAME

ENVIRONMENT_VARIABLE = "HUBPOD_ENVIRONMENT"
INSTANCE_VARIABLE = "HUBPOD_INSTANCE"
ENVIRONMENT = os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT_ENVIRONMENT
INSTANCE = os.environ.get(INSTANCE_VARIABLE) or DEFAULT_INSTANCE
PRODUCTION = PRODUCTION_ENVIRONMENT

INSTANCE_HELP = {"instance": f"instance of it; several run side by side (default {INSTANCE}, or $HUBPOD_INSTANCE)"}
ENVIRONMENT_HELP = {
    "environment": f"environment to work on (default {ENVIRONMENT}, or $HUBPOD_ENVIRONMENT)",
    **INSTANCE_HELP,
}
PLAN_HELP = {
    "port": "port on 127.0.0.1 to publish the hub on; a free one is chosen when left out",
    "publish": "IP:PORT:8081, where users' servers on another cluster reach the hub's API",
    "deploy_dir": f"folder with {FILE_NAME}; by default one of the instance's own, made when there is none",
    "zenith_image": "image of the Zenith client, or stand-in to build one here (default: the registry's)",
}
BUILD_HELP = {
    "base": "where the base image comes from: auto, registry or bootstrap",
    "source": "NAME=URL[@REF] to clone a source from, or NAME=PATH to use a folder in place; may be repeated",
}
UP_HELP = {
    **ENVIRONMENT_HELP,
    **PLAN_HELP,
    **BUILD_HELP,
    "keep": "leave what was started when it does not become ready",
}
