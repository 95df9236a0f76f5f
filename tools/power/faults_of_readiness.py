"""Faults that call an environment ready in which no notebook can be spawned."""

from power.fault import BRICS, Fault

WRAPPERS = "packages/slurmspawner_wrappers/src/slurmspawner_wrappers"

READINESS = (
    Fault(
        name="silent-node-is-usable",
        file=f"{WRAPPERS}/nodes.py",
        old='HARMLESS_FLAGS = "~#%!-"',
        new='HARMLESS_FLAGS = "~#%!-*"',
        breaks="The status is ready although no node responds.",
    ),
    Fault(
        name="wrapper-without-mode-is-ready",
        file=f"{WRAPPERS}/checks.py",
        old="if not os.access(path, os.X_OK):",
        new="if False:",
        breaks="The status is ready although no account can run a wrapper.",
    ),
    Fault(
        name="full-home-is-ready",
        file=f"{WRAPPERS}/room.py",
        old="left -= os.write(file, bytes(left))",
        new="left = 0",
        breaks="The status is ready although a home directory is full.",
    ),
    Fault(
        name="proxy-is-ignored",
        file=f"{BRICS}/documents.py",
        old="if proxy := find_proxy(url):",
        new='if proxy := "":',
        breaks="No user can log in where the issuer is reached through a proxy.",
    ),
    Fault(
        name="silent-issuer-is-ready",
        file=f"{BRICS}/issuer_check.py",
        old='return f"{type(error).__name__}: {error}".strip().strip(":")',
        new='return ""',
        breaks="The status is ready although every login is refused.",
    ),
    Fault(
        name="node-on-the-slurm-host",
        file=f"{BRICS}/addresses.py",
        old="return bool(address) and ipaddress.ip_address(address).is_loopback",
        new="return False",
        breaks="The hub searches a server of the Slurm host itself on its own machine.",
    ),
)
