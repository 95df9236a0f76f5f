"""The recipe in docs/external-slurm.md, which makes a host with Slurm fit for a hub: read, and followed."""

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
"""Where root unpacks on the host."""

SETTINGS = "both machines"
ON_HOST = "on the Slurm host"
ON_HUB = "on the hub's machine"
CHECK = "check on the Slurm host"
UP = "up"
SPAWN = "spawn"
REMOVE = "remove from the Slurm host"
# The packages of the notebooks' environment are those of our image, which has them from the same lock file; to install
# them again would take a package index and a minute.
SKIPPED = "on the Slurm host, with a package index"
MARKS = {SETTINGS, ON_HOST, ON_HUB, CHECK, UP, SPAWN, REMOVE, SKIPPED}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The document's marked blocks, in order.

    Attributes:
        choices: What the site chooses instead of the document's examples.
        blocks: Pairs of mark and content.
    """

    choices: dict[str, str]
    blocks: tuple[tuple[str, str], ...] = field(
        default_factory=lambda: blocks_of((PROJECT / "docs" / "external-slurm.md").read_text())
    )

    def only(self, mark: str) -> str:
        """The one block with a mark."""
        (block,) = [text for each, text in self.blocks if each == mark]
        return block

    @property
    def settings(self) -> str:
        """The first block with the site's choices."""
        lines = self.only(SETTINGS).splitlines()
        names = [line.partition("=")[0] for line in lines]
        for name, value in self.choices.items():
            lines[names.index(name)] = f"{name}='{value}'"
        return "\n".join([*lines, ""])


def blocks_of(text: str) -> tuple[tuple[str, str], ...]:
    """The marked blocks of a Markdown document."""
    return tuple(re.findall(r"^<!-- ([^\n]+) -->\n```\w+\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))


def checks_of(block: str) -> dict[str, str]:
    """The commands of a console block, each with the answer that it promises."""
    parts = re.split(r"^\$ (.+)\n", block, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def follow(host: PlainHost, choices: dict[str, str], running: RunningInstance, folder: Path) -> None:
    """Do what the document says up to `up`, in its order, and carry files as the person does who reads it."""
    parcel = folder / "parcel"
    there = Recipe(choices={**choices, "PARCEL": PARCEL})
    here = Recipe(choices={**choices, "PARCEL": str(parcel), "DEPLOY_DIR": str(folder / "deploy")})
    # The document keeps a key that is there; a bare machine has no ssh-keygen to make one.
    key = load_or_create(folder / "made", assembly.credentials())
    private_directory(folder / "deploy")
    write_private(folder / "deploy" / "ssh_client_key", key[slurm.CLIENT_KEY])
    write_private(folder / "deploy" / "ssh_client_key.pub", ssh_public_line(key[slurm.CLIENT_KEY]) + b"\n")
    assert {mark for mark, _ in here.blocks} == MARKS
    first, _ = (block for mark, block in here.blocks if mark == ON_HUB)
    for mark, block in here.blocks:
        if mark == ON_HUB:
            if block is not first:
                host.podman.run("cp", f"{host.name}:{PARCEL}/ssh_known_hosts", str(parcel))
            on_this_machine(here.settings + block)
            if block is first:
                host.podman.run("cp", str(parcel), f"{host.name}:{PARCEL}")
        elif mark == ON_HOST:
            host.told(there.settings + block)
        elif mark == CHECK:
            for command, answer in checks_of(block).items():
                # What a person sees, whatever the status.
                assert host.run(f"exec 2>&1; {there.settings}{command}").stdout == answer, command
        elif mark == UP:
            words = on_this_machine(here.settings + block.replace("./run invoke dev.up", r"printf '%s\n'")).split()
            assert words[:2] == ["-e", running.environment]
            up = running.up(*words[2:])
            assert up.code == 0, up.text


def on_this_machine(script: str) -> str:
    """What a script writes here, where `./run` uses the virtual environment of the test."""
    typed = run_command(("sh", "-euc", script), env={"VIRTUAL_ENV": sys.prefix})
    assert typed.code == 0, typed.text
    return typed.stdout
