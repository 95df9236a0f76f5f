"""The files that a site puts beside its deploy ConfigMap: one row each, with who needs it and what makes it wrong."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hubpod.environments import Environment
from hubpod.settings import known_hosts, ssh_keys, zenith_config
from hubpod.settings.ssh_keys import UnusableKeyError
from hubpod.settings.yaml_files import Problem, UnreadableError, read_file


@dataclass(frozen=True, kw_only=True)
class Around:
    """What a check needs to know beside the file itself.

    Attributes:
        environment: The one that the files are for.
        ssh_hostname: The valid sshHostname of the deploy ConfigMap; empty when there is none.
        contents: The files of the rows above.
    """

    environment: Environment
    ssh_hostname: str
    contents: Mapping[str, bytes]


Check = Callable[[Path, bytes, Around], Iterator[Problem]]
"""From a file's content to everything that is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class SuppliedFile:
    """One file that may lie in a deploy directory.

    Attributes:
        name: Its name there.
        meaning: What it is, in one line.
        needed: Whether an environment uses it.
        check: What makes it wrong.
        remedy: How to come by one.
        optional: Whether it may be left out where it is used.
    """

    name: str
    meaning: str
    needed: Callable[[Environment], bool]
    check: Check
    remedy: str = ""
    optional: bool = False


def _external_slurm(environment: Environment) -> bool:
    return not environment.slurm.in_pod


def _tunnel(environment: Environment) -> bool:
    return environment.ingress.uses_zenith


def _private_key(path: Path, content: bytes, _: Around) -> Iterator[Problem]:
    if path.stat().st_mode & 0o077:
        yield Problem(path=path, text="can be read by others, and ssh refuses such a key", remedy=f"chmod 600 {path}")
    try:
        ssh_keys.load_private_key(content)
    except UnusableKeyError as error:
        yield Problem(path=path, text=error.text, remedy=error.remedy.replace("FILE", str(path)))


def _public_key(path: Path, content: bytes, around: Around) -> Iterator[Problem]:
    private = around.contents.get(path.stem)
    try:
        same = ssh_keys.is_pair(private, content) if private else True
    except UnusableKeyError:
        return  # the private key's own row says so
    make = f"write it anew with `ssh-keygen -y -f {path.with_suffix('')} > {path}`, or remove it"
    if same is None:
        yield Problem(path=path, text="is not a public key in OpenSSH format", remedy=make)
    elif not same:
        yield Problem(path=path, text=f"does not belong to the private key {path.stem}", remedy=make)


def _known_hosts(path: Path, content: bytes, around: Around) -> Iterator[Problem]:
    host = around.ssh_hostname
    found = known_hosts.look_up(content, host)
    for number, text in found.malformed.items():
        yield Problem(path=path, line=number, text=text, remedy="correct or remove the line")
    if host and not found.trusted:
        other = f", only for {', '.join(found.with_port)}" if found.with_port else ""
        remedy = f"add `{host} TYPE KEY` from the host's own /etc/ssh/ssh_host_ed25519_key.pub"
        yield Problem(path=path, text=f"has no key that ssh would accept for sshHostname {host}{other}", remedy=remedy)


def _zenith(path: Path, content: bytes, around: Around) -> Iterator[Problem]:
    yield from zenith_config.find_problems(path, content, around.environment)


FILES = (
    SuppliedFile(
        name="ssh_client_key",
        meaning="private key of `jupyterspawner` on `sshHostname`, without a passphrase",
        needed=_external_slurm,
        check=_private_key,
        remedy="`ssh-keygen -t ed25519 -N '' -f FILE` makes one, whose public key the Slurm host must accept",
    ),
    SuppliedFile(
        name="ssh_client_key.pub",
        meaning="its public key, if you keep it there",
        needed=_external_slurm,
        check=_public_key,
        optional=True,
    ),
    SuppliedFile(
        name="ssh_known_hosts",
        meaning="host keys of `sshHostname`, as ssh pins them",
        needed=_external_slurm,
        check=_known_hosts,
        remedy="write the host's name and its public host key into it, in one line",
    ),
    SuppliedFile(
        name="ssh_zenith_client_key",
        meaning="private key that the Zenith server knows the subdomain by, without a passphrase",
        needed=_tunnel,
        check=_private_key,
        remedy="`ssh-keygen -t ed25519 -N '' -f FILE` makes one, whose public key the Zenith server must know",
    ),
    SuppliedFile(
        name="ssh_zenith_client_key.pub",
        meaning="its public key, if you keep it there",
        needed=_tunnel,
        check=_public_key,
        optional=True,
    ),
    SuppliedFile(
        name=zenith_config.FILE_NAME,
        meaning="configuration of the Zenith client, as in `examples`",
        needed=_tunnel,
        check=_zenith,
        remedy="examples/ENVIRONMENT has one to start from",
    ),
)

_KEYS = tuple(row.name for row in FILES if row.check is _private_key)


@dataclass(frozen=True, kw_only=True)
class Supplied:
    """What a site has put beside its deploy ConfigMap and its environment needs.

    Attributes:
        ssh_client_key: The hub's private key for the Slurm host, with the line ends that ssh wants.
        ssh_known_hosts: The pinned host keys of the Slurm host.
        zenith_client_key: The Zenith client's private key, with the line ends that ssh wants.
        zenith_client_config: The Zenith client's configuration.
        unused: Names of files that are there and that the environment does not need.
    """

    ssh_client_key: bytes | None = field(default=None, repr=False)
    ssh_known_hosts: bytes | None = field(default=None, repr=False)
    zenith_client_key: bytes | None = field(default=None, repr=False)
    zenith_client_config: bytes | None = field(default=None, repr=False)
    unused: tuple[str, ...] = ()


def read(folder: Path, environment: Environment, ssh_hostname: str) -> tuple[Supplied, list[Problem]]:
    """Read what the environment needs of a deploy directory, and tell everything that is wrong with it.

    Args:
        folder: The deploy directory.
        environment: The one that the files are for.
        ssh_hostname: The valid sshHostname of the deploy ConfigMap; empty when there is none.
    """
    contents: dict[str, bytes] = {}
    problems: list[Problem] = []
    around = Around(environment=environment, ssh_hostname=ssh_hostname, contents=contents)
    there = {row.name for row in FILES if os.path.lexists(folder / row.name)}
    for row in FILES:
        if row.needed(environment) and (row.name in there or not row.optional):
            try:
                contents[row.name] = _content(folder / row.name, row, environment)
                problems += row.check(folder / row.name, contents[row.name], around)
            except UnreadableError as error:
                problems.append(error.problem)
    keys = {name: ssh_keys.normalize(contents[name]) for name in _KEYS if name in contents}
    supplied = Supplied(
        ssh_client_key=keys.get("ssh_client_key"),
        ssh_known_hosts=contents.get("ssh_known_hosts"),
        zenith_client_key=keys.get("ssh_zenith_client_key"),
        zenith_client_config=contents.get(zenith_config.FILE_NAME),
        unused=tuple(row.name for row in FILES if row.name in there and not row.needed(environment)),
    )
    return supplied, problems


def _content(path: Path, row: SuppliedFile, environment: Environment) -> bytes:
    remedy = row.remedy.replace("FILE", str(path)).replace("ENVIRONMENT", environment.name)
    content = read_file(path, remedy)
    if not content.strip():
        raise UnreadableError(Problem(path=path, text="is empty", remedy=remedy))
    return content
