"""A site's own repositories, which keep the contract and know nothing of ours, give a working environment."""

from collections.abc import Callable
from pathlib import Path

from support.instances import RunningInstance

AUTHENTICATOR = '''
import html
import batchspawner
from bricsauthenticator._version import version  # made by the build, and in no repository
from jupyterhub.auth import Authenticator
from traitlets import Dict, Unicode, default

class BricsAuthenticator(Authenticator):
    oidc_server = Unicode().tag(config=True)
    brics_platform = Unicode().tag(config=True)
    jwt_audience = Unicode().tag(config=True)

class BricsSlurmSpawner(batchspawner.SlurmSpawner):
    """Plain batchspawner: hands its variables to the submit command, and knows nothing of job scripts."""

    brics_projects = Dict()

    @default("auth_state_hook")
    def _hook(self):
        def hook(spawner, auth_state):
            spawner.brics_projects = auth_state or {}
        return hook

    @default("options_form")
    def _form(self):
        def form(spawner):
            choices = "".join(f"<option>{html.escape(name)}</option>" for name in spawner.brics_projects)
            return f'<select name="brics_project">{choices}</select><input name="runtime" value="00:30:00">'
        return form

    @default("options_from_form")
    def _from_form(self):
        return lambda data: {name: values[0] for name, values in data.items()}

    def _req_username_default(self):
        return self.brics_projects[self.user_options["brics_project"]]["username"]

    def _req_homedir_default(self):
        return f"/home/{self.req_username.split('.')[1]}/{self.req_username}"

    def user_env(self, env):
        return {**env, "USER": self.req_username, "HOME": self.req_homedir, "SHELL": "/bin/bash"}
'''
WRAPPERS = """
import os, subprocess, sys

def sbatch():
    return subprocess.run(["sbatch", "--parsable"]).returncode

def squeue():
    job = os.environ["SLURMSPAWNER_JOB_ID"]
    return subprocess.run(["squeue", "-h", "-j", job, "-o", "%T %B"]).returncode

def scancel():
    return subprocess.run(["scancel", os.environ["SLURMSPAWNER_JOB_ID"]]).returncode
"""
# Its version comes from git, which a build in an image does not have, and is written into the source.
PYPROJECT = """
[build-system]
requires = ["setuptools", "setuptools-scm"]
build-backend = "setuptools.build_meta"
[project]
name = "{name}"
dynamic = ["version"]
[tool.setuptools_scm]
"""
PACKAGE = """
version_file = "src/bricsauthenticator/_version.py"
[tool.setuptools.packages.find]
where = ["src"]
"""
MODULE = """
[tool.setuptools]
py-modules = ["slurmspawner_wrappers"]
"""
HUB_ENTRY_POINTS = """
[project.entry-points.'jupyterhub.authenticators']
brics = "bricsauthenticator:BricsAuthenticator"
[project.entry-points.'jupyterhub.spawners']
brics = "bricsauthenticator:BricsSlurmSpawner"
"""
SCRIPTS = """
[project.scripts]
slurmspawner_sbatch = "slurmspawner_wrappers:sbatch"
slurmspawner_squeue = "slurmspawner_wrappers:squeue"
slurmspawner_scancel = "slurmspawner_wrappers:scancel"
"""


def source(folder: Path, name: str, *, module: str, code: str, build: str) -> str:
    """Write a repository, and return the option that uses it in place."""
    project = folder / name
    (project / module).parent.mkdir(parents=True)
    (project / "pyproject.toml").write_text(PYPROJECT.format(name=name) + build)
    (project / module).write_text(code)
    return f"--source={name}={project}"


def test_other_sources_with_the_same_contract_work(instances: Callable[[], RunningInstance], tmp_path: Path) -> None:
    """A package and a module of a site's own bring a person to a notebook, and an edit of the package is live."""
    running = instances()
    options = (
        source(
            tmp_path,
            "bricsauthenticator",
            module="src/bricsauthenticator/__init__.py",
            code=AUTHENTICATOR,
            build=PACKAGE + HUB_ENTRY_POINTS,
        ),
        source(
            tmp_path,
            "slurmspawner_wrappers",
            module="slurmspawner_wrappers.py",
            code=WRAPPERS,
            build=MODULE + SCRIPTS,
        ),
    )

    up = running.invoke("dev.up", *options)
    assert up.code == 0, up.text
    spawn = running.invoke("dev.spawn", "--project=project2")

    assert spawn.code == 0, spawn.text + running.invoke("dev.logs", "--container=jupyterhub", "--tail=30").text

    code = tmp_path / "bricsauthenticator" / "src" / "bricsauthenticator" / "__init__.py"
    code.write_text(AUTHENTICATOR + "print('an edit of my own', flush=True)\n")
    reload = running.invoke("dev.reload", *options)
    assert reload.code == 0, reload.text
    assert "restarted: jupyterhub" in reload.text
    assert "an edit of my own" in running.invoke("dev.logs", "--container=jupyterhub", "--tail=100").text
