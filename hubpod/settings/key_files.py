"""The files that a site puts beside its deploy ConfigMap.

They are keys, known_hosts, the Zenith client's configuration and certificate authorities.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hubpod.environments import Environment
from hubpod.settings import authorities, known_hosts, ssh_keys, zenith_config
from hubpod.settings.problems import Problem, UnreadableError
from hubpod.settings.ssh_address import SshAddress
from hubpod.settings.ssh_keys import UnusableKeyError
from hubpod.settings.yaml_files import read_file


@dataclass(frozen=True, kw_only=True)
class CheckContext:
    """What a check knows besides the file itself.

    Attributes:
        environment: The environment that uses the files.
        ssh_address: The valid sshHostname of the deploy ConfigMap, if any.
        contents: The files of earlier rows, by name.
    """

    environment: Environment
    ssh_address: SshAddress | None
    contents: Mapping[str, bytes]


Check = Callable[[Path, bytes, CheckContext], Iterator[Problem]]
"""Finds everything that is wrong with a file."""


@dataclass(frozen=True, kw_only=True)
class KeyFile:
    """One row of the table of files.

    Attributes:
        name: The file's name in the deploy directory.
        meaning: What the file is, in one line.
        applies_to: Whether an environment uses the file.
        check: Finds the problems of the content.
        remedy: How to get such a file; FILE stands for its path, ENVIRONMENT for the environment's name.
        optional: Whether an environment that uses the file works without it.
    """

    name: str
    meaning: str
    applies_to: Callable[[Environment], bool]
    check: Check
    remedy: str = ""
    optional: bool = False


def _external_slurm(environment: Environment) -> bool:
    return not environment.slurm.in_pod


def _tunnel(environment: Environment) -> bool:
    return environment.ingress.uses_zenith


def _check_private_key(path: Path, content: bytes, _: CheckContext) -> Iterator[Problem]:
    if path.stat().st_mode & 0o077:
        text = "is accessible to other users of this machine, and ssh refuses such a key"
        yield Problem(path=path, text=text, remedy=f"chmod 600 {path}")
    try:
        ssh_keys.load_private_key(content)
    except UnusableKeyError as error:
        yield Problem(path=path, text=error.text, remedy=error.remedy.replace("FILE", str(path)))


def _check_public_key(path: Path, content: bytes, context: CheckContext) -> Iterator[Problem]:
    private = context.contents.get(path.stem)
    try:
        same = ssh_keys.is_pair(private, content) if private else True
    except UnusableKeyError:
        return  # reported with the private key
    remedy = f"rewrite it with `ssh-keygen -y -f {path.with_suffix('')} > {path}`, or remove it"
    if same is None:
        yield Problem(path=path, text="is not a public key in OpenSSH format", remedy=remedy)
    elif not same:
        yield Problem(path=path, text=f"does not belong to the private key {path.stem}", remedy=remedy)


def _check_known_hosts(path: Path, content: bytes, context: CheckContext) -> Iterator[Problem]:
    names = context.ssh_address.known_hosts_names if context.ssh_address else ()
    found = known_hosts.look_up(content, names)
    for number, text in found.malformed.items():
        yield Problem(path=path, line=number, text=text, remedy="correct or remove the line")
    if names and not found.trusted:
        other = f", only for {', '.join(found.with_port)}" if found.with_port else ""
        remedy = f"add `{names[0]} TYPE KEY` from /etc/ssh/ssh_host_ed25519_key.pub of that host"
        text = f"has no key that ssh would accept for sshHostname {context.ssh_address}{other}"
        yield Problem(path=path, text=text, remedy=remedy)


def _check_zenith_config(path: Path, content: bytes, context: CheckContext) -> Iterator[Problem]:
    yield from zenith_config.find_problems(path, content, context.environment)


def _check_authorities(path: Path, content: bytes, _: CheckContext) -> Iterator[Problem]:
    yield from authorities.find_problems(path, content)


FILES = (
    KeyFile(
        name="ssh_client_key",
        meaning="private key of `jupyterspawner` on `sshHostname`, without a passphrase",
        applies_to=_external_slurm,
        check=_check_private_key,
        remedy="create it with `ssh-keygen -t ed25519 -N '' -f FILE`, and authorize its public key on the Slurm host",
    ),
    KeyFile(
        name="ssh_client_key.pub",
        meaning="its public key",
        applies_to=_external_slurm,
        check=_check_public_key,
        optional=True,
    ),
    KeyFile(
        name="ssh_known_hosts",
        meaning="host keys of `sshHostname`, in the format of known_hosts",
        applies_to=_external_slurm,
        check=_check_known_hosts,
        remedy="write the host's name and its public host key into it, on one line",
    ),
    KeyFile(
        name="ssh_zenith_client_key",
        meaning="private key by which the Zenith server knows the subdomain, without a passphrase",
        applies_to=_tunnel,
        check=_check_private_key,
        remedy="create it with `ssh-keygen -t ed25519 -N '' -f FILE`, and register its public key at the Zenith server",
    ),
    KeyFile(
        name="ssh_zenith_client_key.pub",
        meaning="its public key",
        applies_to=_tunnel,
        check=_check_public_key,
        optional=True,
    ),
    KeyFile(
        name=zenith_config.FILE_NAME,
        meaning="configuration of the Zenith client, as in `examples`",
        applies_to=_tunnel,
        check=_check_zenith_config,
        remedy="copy and edit the one in examples/ENVIRONMENT",
    ),
    KeyFile(
        name=authorities.FILE_NAME,
        meaning="certificates of authorities that the hub and builds trust besides the usual ones, in PEM format",
        applies_to=lambda _: True,
        check=_check_authorities,
        optional=True,
    ),
)

_PRIVATE_KEYS = tuple(row.name for row in FILES if row.check is _check_private_key)


@dataclass(frozen=True, kw_only=True)
class KeyFiles:
    """The contents of the files that the environment uses.

    Attributes:
        ssh_client_key: The hub's private key for the Slurm host, with normalized line ends.
        ssh_known_hosts: The host keys of the Slurm host.
        zenith_client_key: The Zenith client's private key, with normalized line ends.
        zenith_client_config: The Zenith client's configuration.
        ca_bundle: Certificates of the site's authorities.
        unused: Names of files in the deploy directory that the environment does not use.
    """

    ssh_client_key: bytes | None = field(default=None, repr=False)
    ssh_known_hosts: bytes | None = field(default=None, repr=False)
    zenith_client_key: bytes | None = field(default=None, repr=False)
    zenith_client_config: bytes | None = field(default=None, repr=False)
    ca_bundle: bytes | None = field(default=None, repr=False)
    unused: tuple[str, ...] = ()


def read(directory: Path, environment: Environment, ssh_address: SshAddress | None) -> tuple[KeyFiles, list[Problem]]:
    """Read the files that the environment uses, and find all of their problems.

    Args:
        directory: The deploy directory.
        environment: The environment that uses the files.
        ssh_address: The valid sshHostname of the deploy ConfigMap, if any.
    """
    contents: dict[str, bytes] = {}
    problems: list[Problem] = []
    context = CheckContext(environment=environment, ssh_address=ssh_address, contents=contents)
    present = {row.name for row in FILES if os.path.lexists(directory / row.name)}
    for row in FILES:
        if row.applies_to(environment) and (row.name in present or not row.optional):
            try:
                contents[row.name] = _read_content(directory / row.name, row, environment)
                problems += row.check(directory / row.name, contents[row.name], context)
            except UnreadableError as error:
                problems.append(error.problem)
    keys = {name: ssh_keys.normalize(contents[name]) for name in _PRIVATE_KEYS if name in contents}
    files = KeyFiles(
        ssh_client_key=keys.get("ssh_client_key"),
        ssh_known_hosts=contents.get("ssh_known_hosts"),
        zenith_client_key=keys.get("ssh_zenith_client_key"),
        zenith_client_config=contents.get(zenith_config.FILE_NAME),
        ca_bundle=contents.get(authorities.FILE_NAME),
        unused=tuple(row.name for row in FILES if row.name in present and not row.applies_to(environment)),
    )
    return files, problems


def _read_content(path: Path, row: KeyFile, environment: Environment) -> bytes:
    remedy = row.remedy.replace("FILE", str(path)).replace("ENVIRONMENT", environment.name)
    content = read_file(path, remedy)
    if not content.strip():
        raise UnreadableError(Problem(path=path, text="is empty", remedy=remedy))
    return content
