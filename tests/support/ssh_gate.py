"""The forced command of SSH logins, with another program in place of sudo."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.sites import PROJECT

SCRIPT = PROJECT / "containers" / "slurm" / "bin" / "hubpod-ssh-command"
NOT_RUN = 126


@dataclass(frozen=True, kw_only=True)
class SshGate:
    """A copy of the forced command.

    Attributes:
        directory: Directory of the copy and of the program in place of sudo.
        shell: The shell that runs it.
    """

    directory: Path
    shell: str = "sh"

    def __post_init__(self) -> None:
        sudo = self.directory / "sudo"
        sudo.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
        sudo.chmod(0o755)
        (self.directory / "gate").write_text(SCRIPT.read_text().replace("/usr/bin/sudo", str(sudo)))

    def send(self, line: str | None, *arguments: str, locale: str = "C") -> tuple[int, list[str]]:
        """Send a command line, or none; return the exit status and the arguments that sudo received."""
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": locale} | ({} if line is None else {"SSH_ORIGINAL_COMMAND": line})
        argv = [self.shell, str(self.directory / "gate"), *arguments]
        result = subprocess.run(argv, env=env, cwd=self.directory, capture_output=True, check=False)
        return result.returncode, result.stdout.decode().split("\0")[:-1]
