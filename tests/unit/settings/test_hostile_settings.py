"""Hostile values of the deploy ConfigMap.

Each is refused, or is one text in every document and file that contains it.
"""

import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubpod.components import jupyterhub
from hubpod.components.assembly import instance_spec
from hubpod.environments import Environment, find_environment
from hubpod.errors import SettingsError
from hubpod.manifests import cluster as kubernetes
from hubpod.manifests import podman as podman_manifest
from hubpod.settings import deploy_configmap
from hubpod.settings.table import SETTINGS, Setting
from support.sites import load_hub_configuration, settings_of, site, variables

ENVIRONMENTS = [find_environment(name) for name in ("prod", "dev_dummyauth_extslurm")]
FREE = {
    each.key: environment
    for environment in ENVIRONMENTS
    for each in SETTINGS
    if each.applies_to(environment) and each.fixed_value(environment) is None
}
"""For each setting, an environment in which the site chooses it."""
HOSTILE = (
    *("\n", "\r", "\t", "\0", "\x1b[2J", "\x7f", "\x85", "\u2028", "\ufeff", "\u202e", "ä"),
    *(
        "a\nb",
        "\n---\nkind: Secret\n",
        "---",
        "...",
        "'",
        '"',
        "''",
        '"""',
        "\\",
        "`id`",
        "$(id)",
        "${HOME}",
        "$$",
        "%s",
    ),
    *("; id", "| id", "&a", "*a", "{a: b}", "[a]", "# a", ": a", "- a", "? a", "<<: a", "{{ 7 * 7 }}", "{% raw %}"),
    *("!!python/object/apply:os.system [id]", "!!binary aGk=", "null", "~", "yes", "on", "0x10", "1e3", "1_0", ".5"),
    *("2001-01-01", "12:30:45", "<script>", "../../x", "--option", "-o", "x" * 5000),
)


def accepted(environment: Environment, setting: Setting) -> Iterator[str]:
    """Yield hostile values that a setting accepts, alone or after its example.

    The remaining values must be refused.
    """
    text, key, usual = (
        deploy_configmap.example(environment, SETTINGS),
        setting.key,
        setting.example or setting.default or "a",
    )
    for value in (*HOSTILE, *(usual + hostile for hostile in HOSTILE)):
        try:
            loaded = settings_of(environment, text, {key: value})
        except SettingsError as error:
            text_of_error = "\n".join((error.message, *error.detail))
            assert f" {key}: " in text_of_error, repr(value)
            assert "Traceback" not in text_of_error
        else:
            assert loaded.values[key] == _usual(setting, value)
            yield loaded.values[key]


def _usual(setting: Setting, value: str) -> str | None:
    """Return the usual form of a value."""
    if value.strip():
        return setting.normalize(value)
    return setting.default if setting.empty is None else setting.empty


def parsed(text: str) -> list[dict[str, Any]]:
    """Parse the documents of a manifest."""
    return list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def hub_variables(spec: dict[str, Any]) -> dict[str, str]:
    """Return the environment variables of the hub's container."""
    (hub,) = (each for each in spec["containers"] if each["name"] == jupyterhub.NAME)
    return {each["name"]: each["value"] for each in hub["env"]}


def expand_in_cluster(value: str) -> str:
    """Expand a variable's text as a cluster does.

    A reference is replaced, and a doubled dollar sign becomes one.
    """
    return re.sub(r"\$(\$|\([^)]*\))", lambda match: "$" if match[1] == "$" else "<a variable>", value)


def test_every_setting_is_tried() -> None:
    """The site chooses each setting in at least one of these environments."""
    assert set(FREE) == {each.key for each in SETTINGS}


@pytest.mark.parametrize("setting", SETTINGS, ids=[each.key for each in SETTINGS])
def test_a_value_stays_one_text(setting: Setting) -> None:
    """An accepted value is one printable line, and reaches the hub unchanged by both manifests."""
    environment, key, variable = FREE[setting.key], setting.key, setting.variable
    usual = site(environment)
    for value in accepted(environment, setting):
        assert value.isascii()
        assert value.isprintable()
        pod = instance_spec(
            replace(usual, settings=replace(usual.settings, values={**usual.settings.values, key: value}))
        )

        assert variables(pod, jupyterhub.NAME)[variable] == value
        (document,) = parsed(podman_manifest.manifest(pod))
        cluster = parsed(kubernetes.manifest(pod, digest_key=b"key", secrets=True))
        (deployment,) = (each for each in cluster if each["kind"] == "Deployment")
        if not setting.secret:
            assert hub_variables(document["spec"])[variable] == value
            assert expand_in_cluster(hub_variables(deployment["spec"]["template"]["spec"])[variable]) == value
        with tempfile.TemporaryDirectory() as directory:
            assert load_hub_configuration(pod, Path(directory))
