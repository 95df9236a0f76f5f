"""What administrators and users do to a login host."""

from support.plain_host import ACCOUNTS, RELOAD_SSHD

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
