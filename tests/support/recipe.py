"""The recipe in docs/external-slurm.md, which prepares a Slurm host for a hub."""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from hubpod.components import assembly, slurm
from hubpod.settings.credentials import load_or_create, ssh_public_line
from hubpod.system.private_files import private_directory, write_private
from support.instances import PROJECT, RunningInstance, run_command
from support.plain_host import PlainHost

PARCEL = "/root/hubpod-parcel"
"""Directory on the host where root unpacks the parcel."""

SETTINGS = "both machines"
ON_HOST = "on the Slurm host"
ON_HUB = "on the hub's machine"
CHECK = "check on the Slurm host"
UP = "up"
SPAWN = "spawn"
REMOVE = "remove from the Slurm host"
# Our image has the packages of the notebooks' environment from the same lock file. Installing them again would need a
# package index and a minute.
SKIPPED = "on the Slurm host, with a package index"
MARKS = {SETTINGS, ON_HOST, ON_HUB, CHECK, UP, SPAWN, REMOVE, SKIPPED}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The document's marked blocks, in order.

    Attributes:
        choices: The site's values, in place of the document's examples.
        blocks: Pairs of mark and content.
    """

    choices: dict[str, str]
    blocks: tuple[tuple[str, str], ...] = field(
        default_factory=lambda: blocks_of((PROJECT / "docs" / "external-slurm.md").read_text())
    )

    def only(self, mark: str) -> str:
        """Return the only block with a mark."""
        (block,) = [text for each, text in self.blocks if each == mark]
        return block

    @property
    def settings(self) -> str:
        """The first block, with the site's choices."""
        lines = self.only(SETTINGS).splitlines()
        names = [line.partition("=")[0] for line in lines]
        for name, value in self.choices.items():
            lines[names.index(name)] = f"{name}='{value}'"
        return "\n".join([*lines, ""])


def blocks_of(text: str) -> tuple[tuple[str, str], ...]:
    """Return the marked blocks of a Markdown document."""
    return tuple(re.findall(r"^<!-- ([^\n]+) -->\n```\w+\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))


def checks_of(block: str) -> dict[str, str]:
    """Return the commands of a console block, each with its documented output."""
    parts = re.split(r"^\$ (.+)\n", block, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def follow(host: PlainHost, choices: dict[str, str], running: RunningInstance, directory: Path) -> None:
    """Follow the document up to `up`, and carry the files between the machines."""
    parcel = directory / "parcel"
    on_host = Recipe(choices={**choices, "PARCEL": PARCEL})
    on_hub = Recipe(choices={**choices, "PARCEL": str(parcel), "DEPLOY_DIR": str(directory / "deploy")})
    # The document keeps an existing key. A bare machine lacks ssh-keygen to create one.
    key = load_or_create(directory / "made", assembly.credentials())
    private_directory(directory / "deploy")
    write_private(directory / "deploy" / "ssh_client_key", key[slurm.CLIENT_KEY])
    write_private(directory / "deploy" / "ssh_client_key.pub", ssh_public_line(key[slurm.CLIENT_KEY]) + b"\n")
    assert {mark for mark, _ in on_hub.blocks} == MARKS
    first, _ = (block for mark, block in on_hub.blocks if mark == ON_HUB)
    for mark, block in on_hub.blocks:
        if mark == ON_HUB:
            if block is not first:
                host.podman.run("cp", f"{host.name}:{PARCEL}/ssh_known_hosts", str(parcel))
            run_here(on_hub.settings + block)
            if block is first:
                host.podman.run("cp", str(parcel), f"{host.name}:{PARCEL}")
        elif mark == ON_HOST:
            host.run_checked(on_host.settings + block)
        elif mark == CHECK:
            for command, answer in checks_of(block).items():
                # The output on the terminal, regardless of the exit code.
                assert host.run(f"exec 2>&1; {on_host.settings}{command}").stdout == answer, command
        elif mark == UP:
            words = run_here(on_hub.settings + block.replace("./run invoke dev.up", r"printf '%s\n'")).split()
            assert words[:2] == ["-e", running.environment]
            up = running.up(*words[2:])
            assert up.code == 0, up.text


def run_here(script: str) -> str:
    """Run a script here, with the virtual environment of the test, and return its output."""
    result = run_command(("sh", "-euc", script), env={"VIRTUAL_ENV": sys.prefix})
    assert result.code == 0, result.text
    return result.stdout
