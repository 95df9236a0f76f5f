"""What administrators do to a login host, and its search for a text."""

from collections.abc import Iterator
from contextlib import contextmanager

from support.plain_host import ACCOUNTS, RELOAD_SSHD, PlainHost

HARDENED = r"""
Defaults noexec, intercept, requiretty, use_pty, stay_setuid, preserve_groups, runas_check_shell, fqdn
Defaults log_input, log_output, log_stdin, log_stdout, log_stderr, log_subcmds, log_exit_status, !compress_io
Defaults log_format=json, logfile=/var/log/sudo.json, mail_always, always_set_home, set_home
Defaults secure_path="/nonexistent", env_file=/etc/site.env, restricted_env_file=/etc/site.env, setenv
Defaults env_keep += "LD_PRELOAD PYTHONPATH SLURM_CONF", command_timeout=1, user_command_timeouts
Defaults umask=0077, umask_override, closefrom=3, runcwd=/nonexistent, ignore_dot
Defaults rlimit_nofile=16, rlimit_fsize=0, rlimit_as=1000000, rlimit_nproc=1, rlimit_stack=10000, rlimit_data=10000
Defaults timestamp_type=tty, timestamp_timeout=0, lecture=always, passwd_tries=1, rootpw, listpw=always, verifypw=always
Defaults !set_logname, targetpw, intercept_type=trace, log_passwords, iolog_flush, !root_sudo, rlimit_core=0, !visiblepw
Defaults env_delete += "SLURMSPAWNER_JOB_ID", env_check -= "SLURMSPAWNER_JOB_ID", !fast_glob, exec_background, log_year
Defaults@ALL noexec, log_input, umask=0777
Defaults:jupyterspawner noexec, log_input, requiretty
Defaults>ALL noexec, log_output, log_subcmds, umask=0700
"""
"""What administrators set for every account."""
OF_COMMANDS = """
Defaults!ALL noexec, intercept, log_input, log_subcmds, requiretty, stay_setuid, env_keep += "LD_PRELOAD"
Defaults runchroot=/nonexistent
"""
"""What they set for every command, and sudo must know before it looks for a command."""
CONTROL = "control-of-the-recording"
# Without arguments, so that the token is in no list of processes. gzip's -f passes other files on unchanged.
SEARCH = r"""
read -r token
grep -rlaFs --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev -f - / <<END || true
$token
END
find /var/log /var/lib /run /tmp -type f | while read -r file; do
  gzip -cdfq "$file" 2>/dev/null | grep -qaFf /dev/fd/3 3<<END && echo "$file" || true
$token
END
done
"""
UNFRIENDLY = rf"""
noise='echo welcome; echo beware >&2; set -u; : "$UNSET_VARIABLE"; exit 1'
cp -p /etc/bash.bashrc /etc/bash.bashrc.before; cp -p /etc/login.defs /etc/login.defs.before
for file in /etc/profile.d/00-noise.sh /etc/bash.bashrc /etc/profile.d/zz-noise.sh; do echo "$noise" >> "$file"; done
for account in {" ".join(ACCOUNTS)}; do
  home=$(getent passwd "$account" | cut -d : -f 6)
  for file in .bashrc .profile .bash_profile .bash_login; do
    runuser -u "$account" -- cp -p "$home/$file" "$home/$file.before" 2>/dev/null || true
    runuser -u "$account" -- sh -c 'echo "$1" >> "$2"' sh "$noise" "$home/$file"
  done
done
sed -i 's/^UMASK.*/UMASK 077/' /etc/login.defs
echo 'authorised use only' | tee /etc/issue.net > /etc/motd
echo 'echo welcome to the host' > /etc/ssh/sshrc
cat > /etc/ssh/sshd_config.d/20-site.conf <<'END'
Banner /etc/issue.net
PrintMotd yes
PrintLastLog yes
AcceptEnv *
PermitUserEnvironment yes
MaxStartups 2:50:5
MaxSessions 1
MaxAuthTries 2
LoginGraceTime 20
LogLevel VERBOSE
ClientAliveInterval 5
ClientAliveCountMax 2
UseDNS yes
AllowTcpForwarding no
Match Address 192.0.2.0/24
    MaxSessions 0
Match Group nonexistent
    ForceCommand /bin/false
END
sshd -t
{RELOAD_SSHD}
"""
FRIENDLY = rf"""
rm -f /etc/profile.d/00-noise.sh /etc/profile.d/zz-noise.sh /etc/motd /etc/issue.net /etc/ssh/sshrc
rm /etc/ssh/sshd_config.d/20-site.conf
mv /etc/bash.bashrc.before /etc/bash.bashrc; mv /etc/login.defs.before /etc/login.defs
for account in {" ".join(ACCOUNTS)}; do
  home=$(getent passwd "$account" | cut -d : -f 6)
  for file in .bashrc .profile .bash_profile .bash_login; do
    runuser -u "$account" -- sh -c 'rm "$1"; [ ! -e "$1.before" ] || mv "$1.before" "$1"' sh "$home/$file"
  done
done
{RELOAD_SSHD}
"""


def settings_known_to(host: PlainHost, sudo: str, settings: str) -> str:
    """Return the lines of settings that a sudo does not refuse, each with one setting."""
    lines = [
        f"{scope} {setting}"
        for scope, _, listed in (line.partition(" ") for line in settings.strip().splitlines())
        for setting in listed.split(", ")
    ]
    known = f'echo "$line" > /tmp/one; vi{sudo} -c -q -f /tmp/one >&2'
    check = f'while read -r line; do if {known}; then echo "$line"; fi; done'
    found = host.podman.execute(host.name, ("sh", "-c", check), stdin="\n".join(lines).encode() + b"\n", timeout_s=60)
    assert found.ok, found.stderr
    return found.stdout


def files_with(host: PlainHost, text: str) -> set[str]:
    """Return the files of the host that contain a text, also in compressed logs."""
    command = ("sh", "-euc", SEARCH)
    found = host.podman.execute(host.name, command, stdin=f"{text}\n".encode(), timeout_s=300)
    assert found.ok, found.stderr
    return set(found.stdout.splitlines())


@contextmanager
def site_settings_of_sudo(host: PlainHost, settings: str, of_commands: str = "", sudo: str = "sudo") -> Iterator[None]:
    """Add a site's own settings, before the recipe's file and after the directory of files.

    Settings of commands come before only.

    Args:
        host: The host.
        settings: Settings of accounts and hosts.
        of_commands: Settings of commands.
        sudo: The name of sudo on the host.
    """
    host.run_checked("cp -p /etc/sudoers /etc/sudoers.before; printf 'TZ=UTC\\n' > /etc/site.env")
    for file, text in (("/etc/sudoers.d/00-site", settings + of_commands), ("/etc/sudoers", settings)):
        result = host.podman.execute(host.name, ("sh", "-c", f"cat >> {file}"), stdin=text.encode())
        assert result.ok, result.stderr
    host.run_checked(f"chmod 0440 /etc/sudoers.d/00-site; vi{sudo} -c")
    try:
        yield
    finally:
        host.run_checked(f"rm /etc/sudoers.d/00-site; mv /etc/sudoers.before /etc/sudoers; vi{sudo} -c")
