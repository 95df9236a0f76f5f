"""The forced command of SSH logins, with another program in place of sudo."""

import shlex
import shutil
import string
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hubpod.settings import checks
from support.ssh_gate import NOT_RUN, SCRIPT, SshGate

WRAPPERS = "/opt/jupyter/slurmspawner_wrappers/bin"
ACCOUNT = "testuser.project1"
SQUEUE = f"{WRAPPERS}/slurmspawner_squeue"
SUDO = f"sudo -n -u {ACCOUNT}"
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
SHELLS = tuple(shell for shell in ("dash", "bash") if shutil.which(shell))


@pytest.fixture(scope="module", params=SHELLS)
def gate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SshGate:
    """The forced command, run by each shell that may be /bin/sh."""
    return SshGate(directory=tmp_path_factory.mktemp("gate"), shell=request.param)


OTHER_PATHS = {f"{SUDO} SLURMSPAWNER_JOB_ID=7 /opt/other/bin/slurmspawner_squeue"}
"""Lines that depend on the argument."""


def hub_lines(account: str, job_id: str, wrappers: str = WRAPPERS) -> list[str]:
    """Return every command line that a hub sends."""
    sudo = f"sudo -n -u {account}"
    return [
        f"{sudo} {wrappers}/slurmspawner_sbatch",
        f"{sudo} SLURMSPAWNER_JOB_ID={job_id} {wrappers}/slurmspawner_squeue",
        f"{sudo} SLURMSPAWNER_JOB_ID=mine {wrappers}/slurmspawner_squeue",
        f"{sudo} SLURMSPAWNER_JOB_ID=home {wrappers}/slurmspawner_squeue",
        f"{sudo} SLURMSPAWNER_JOB_ID=check {wrappers}/slurmspawner_squeue",
        f"{sudo} SLURMSPAWNER_JOB_ID=log.{job_id} {wrappers}/slurmspawner_squeue",
        f"{sudo} SLURMSPAWNER_JOB_ID={job_id} {wrappers}/slurmspawner_scancel",
        f"sudo -n -u jupyterspawner SLURMSPAWNER_JOB_ID=all {wrappers}/slurmspawner_squeue",
        f"sudo -n -u jupyterspawner SLURMSPAWNER_JOB_ID=check {wrappers}/slurmspawner_squeue",
    ]


@pytest.mark.parametrize("account", [ACCOUNT, "a-b_c.0d-e_f", "ada"])
@pytest.mark.parametrize("job_id", ["7", "99999999"])
def test_the_commands_of_the_hub_run(gate: SshGate, account: str, job_id: str) -> None:
    """Each command line of the hub reaches sudo as the same words."""
    for line in hub_lines(account, job_id):
        assert gate.send(line, WRAPPERS) == gate.send(line) == (0, line.split()[1:])


@pytest.mark.parametrize("directory", ["/opt/w+git1/bin", "/opt/a,b/bin", "/srv/my jupyter/bin", "/opt/[x]*/bin"])
def test_the_directory_of_the_wrappers_is_an_argument(gate: SshGate, directory: str) -> None:
    """The wrappers of the given directory run, and those of no other directory."""
    for line in hub_lines(ACCOUNT, "7", directory):
        assert gate.send(line, directory)[0] == 0
        assert gate.send(line, WRAPPERS) == (NOT_RUN, [])
    assert gate.send(hub_lines(ACCOUNT, "7")[0], directory) == (NOT_RUN, [])


def test_without_an_argument_every_path_of_the_settings_is_admitted(gate: SshGate) -> None:
    """A character that the settings accept in a path passes, so that sudo decides."""
    accepted = "".join(each for each in string.printable if not checks.path(f"/opt/{each}x"))
    assert set(string.ascii_letters + string.digits + "._+@-") <= set(accepted)

    assert gate.send(f"{SUDO} /opt/{accepted.replace('/', '')}/bin/slurmspawner_sbatch")[0] == 0


@pytest.mark.parametrize(
    "path", ["/opt/$(id)", "/opt/`id`", "/opt/a;id", "/opt/a|id", "/opt/a&", "/opt/'a", "/opt/a\nb", "/opt/a b"]
)
def test_what_a_shell_would_interpret_is_refused(gate: SshGate, path: str) -> None:
    """Neither the settings nor the forced command accept such a path."""
    assert checks.path(path)
    assert gate.send(f"{SUDO} {path}/slurmspawner_sbatch") == (NOT_RUN, [])


OPTIONS = (
    *["A", "B", "b", "E", "e", "H", "h", "i", "K", "k", "l", "N", "n", "P", "S", "s", "V", "v"],
    *("C 4", "D /", "g root", "h host", "p x", "R /", "r role", "T 1", "t type", "U root", "u root"),
)
LONG = (
    *("askpass", "background", "bell", "close-from=4", "chdir=/", "edit", "group=root", "help", "host=h", "list"),
    *(
        "login",
        "no-update",
        "non-interactive",
        "other-user=root",
        "preserve-env",
        "preserve-env=PATH",
        "preserve-groups",
    ),
    *("prompt=x", "remove-timestamp", "reset-timestamp", "role=r", "set-home", "shell", "stdin", "type=t"),
    *("command-timeout=1", "user=root", "validate", "version", "chroot=/"),
)


@pytest.mark.parametrize("option", [*(f"-{option}" for option in OPTIONS), *(f"--{name}" for name in LONG), "--"])
def test_every_other_option_of_sudo_is_refused(gate: SshGate, option: str) -> None:
    """No option of sudo is accepted in addition to the hub's two, at any position."""
    submission, query, *_ = hub_lines(ACCOUNT, "7")
    for words, positions in ((submission.split(), (1, 5)), (query.split(), (2, 4, 5, 6))):
        for position in positions:
            sent = " ".join([*words[:position], option, *words[position:]])
            assert gate.send(sent, WRAPPERS) == (NOT_RUN, []), sent


@pytest.mark.parametrize(
    "line",
    [
        *OTHER_PATHS,
        None,
        "",
        " ",
        "id",
        "sudo",
        "sudo ",
        "sudo -n -u ",
        f"{SUDO}",
        f"{SUDO} ",
        f"/usr/bin/sudo -n -u {ACCOUNT} {SQUEUE}",
        f"sudo -u {ACCOUNT} SLURMSPAWNER_JOB_ID=7 {SQUEUE}",
        f"sudo -nu {ACCOUNT} SLURMSPAWNER_JOB_ID=7 {SQUEUE}",
        f"sudo -n -u{ACCOUNT} SLURMSPAWNER_JOB_ID=7 {SQUEUE}",
        f"sudo -n --user={ACCOUNT} SLURMSPAWNER_JOB_ID=7 {SQUEUE}",
        f"sudo -u {ACCOUNT} -n SLURMSPAWNER_JOB_ID=7 {SQUEUE}",
        *(
            f"sudo -n -u {account} SLURMSPAWNER_JOB_ID=7 {SQUEUE}"
            for account in ("#0", "''", '""', "", "-u", "../a", "%group", "+1", "0", "a\\b", "a,b", "$USER", "a;b", "ä")
        ),
        *(
            f"{SUDO} SLURMSPAWNER_JOB_ID={job_id} {SQUEUE}"
            for job_id in ("", "0", "07", "-7", "+7", "7,8", "7-9", "0x1", "7_1", "7.0", "all", "ALL", "none", "number")
        ),
        f"{SUDO} {SQUEUE}",
        f"{SUDO} SLURMSPAWNER_JOB_ID=7 {WRAPPERS}/slurmspawner_sbatch",
        f"{SUDO} SLURMSPAWNER_JOB_ID=none {WRAPPERS}/slurmspawner_sbatch",
        f"{SUDO} SLURMSPAWNER_JOB_ID= {WRAPPERS}/slurmspawner_sbatch",
        f"{SUDO} SLURMSPAWNER_JOB_ID=mine {WRAPPERS}/slurmspawner_scancel",
        f"{SUDO} SLURMSPAWNER_JOB_ID=log.7 {WRAPPERS}/slurmspawner_scancel",
        *(
            f"{SUDO} SLURMSPAWNER_JOB_ID={log} {SQUEUE}"
            for log in ("log", "log.", "log.0", "log.7,8", "log.log.7", "log.all")
        ),
        f"{SUDO} {WRAPPERS}/slurmspawner_scancel",
        f"sudo -n -u jupyterspawner {WRAPPERS}/slurmspawner_sbatch",
        f"sudo -n -u jupyterspawner SLURMSPAWNER_JOB_ID=7 {SQUEUE}",
        f"sudo -n -u jupyterspawner SLURMSPAWNER_JOB_ID=mine {SQUEUE}",
        f"sudo -n -u jupyterspawner SLURMSPAWNER_JOB_ID=log.7 {SQUEUE}",
        f"sudo -n -u jupyterspawner SLURMSPAWNER_JOB_ID=all {WRAPPERS}/slurmspawner_scancel",
        f"{SUDO} LD_PRELOAD=/tmp/x SLURMSPAWNER_JOB_ID=7 {SQUEUE}",
        f"{SUDO} SLURMSPAWNER_JOB_ID=7 LD_PRELOAD=/tmp/x {SQUEUE}",
        f"{SUDO} SLURMSPAWNER_JOB_ID=7 SLURMSPAWNER_JOB_ID=8 {SQUEUE}",
        f"{SUDO} slurmspawner_job_id=7 {SQUEUE}",
        *(
            f"{SUDO} SLURMSPAWNER_JOB_ID=7 {command}"
            for command in (
                "slurmspawner_squeue",
                "./slurmspawner_squeue",
                f"{WRAPPERS}/../bin/slurmspawner_squeue",
                f"{WRAPPERS}/./slurmspawner_squeue",
                f"{WRAPPERS}//slurmspawner_squeue",
                f"/{SQUEUE}",
                f"{SQUEUE}/",
                f"{SQUEUE} --all",
                f"{SQUEUE} ''",
                f"{SQUEUE};id",
                f"{SQUEUE}&",
                f"'{SQUEUE}'",
                f'"{SQUEUE}"',
                f"\\{SQUEUE}",
                f"{WRAPPERS}/slurmspawner_*",
                f"{WRAPPERS}/slurmspawner_squeu?",
                f"{WRAPPERS}/python3",
                "/usr/bin/squeue",
                "$(id)",
                "`id`",
                "sudoedit",
            )
        ),
        *(line.replace(" ", "  ", 1) for line in hub_lines(ACCOUNT, "7")),
        *(line.replace(" ", "\t", 1) for line in hub_lines(ACCOUNT, "7")),
        *(line.replace(" ", "\n", 1) for line in hub_lines(ACCOUNT, "7")),
        *(line.replace("sudo", "sudo.ws") for line in hub_lines(ACCOUNT, "7")),
        *(
            f"{before}{line}{after}"
            for line in hub_lines(ACCOUNT, "7")
            for before, after in ((" ", ""), ("", " "), ("", "\n"), ("\n", ""), ("", "\nid"), ("id;", ""), ("", "\r"))
        ),
    ],
)
def test_every_other_line_is_refused(gate: SshGate, line: str | None) -> None:
    """A line that differs from the hub's commands in any character runs nothing."""
    assert gate.send(line, WRAPPERS) == (NOT_RUN, [])
    if line not in OTHER_PATHS:
        assert gate.send(line) == (NOT_RUN, [])


@given(line=st.sampled_from(hub_lines(ACCOUNT, "7")), data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_inserted_character_adds_no_word(gate: SshGate, line: str, data: st.DataObject) -> None:
    """With one more character the line is refused, or it names another account or job in the same words."""
    position = data.draw(st.integers(0, len(line)))
    character = data.draw(
        st.one_of(st.sampled_from(" -=/.\n\t'\"$;&|*?[]#%\\"), st.characters(codec="utf-8", exclude_characters="\0"))
    )
    sent = line[:position] + character + line[position:]

    status, words = gate.send(sent, WRAPPERS)

    assert status in {0, NOT_RUN}
    if status == 0:
        assert words[:2] == ["-n", "-u"]
        assert words[-1] == line.rsplit(maxsplit=1)[-1]
        assert sent == shlex.join(["sudo", *words])


@given(st.text(CHARACTERS, max_size=80))
@example("sudo -n -u a b")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_other_text_is_refused(gate: SshGate, line: str) -> None:
    """Text that the hub does not send is refused."""
    assert gate.send(line) == (NOT_RUN, [])


def test_the_clients_locale_does_not_widen_the_names(gate: SshGate) -> None:
    """A letter with an accent is refused in a locale that sorts it between a and z."""
    line = f"sudo -n -u testusér.project1 {WRAPPERS}/slurmspawner_sbatch"

    assert gate.send(line, locale="en_US.UTF-8") == (NOT_RUN, [])


def test_sudo_rs_replaces_a_missing_sudo(tmp_path: Path) -> None:
    """On a host whose only sudo is called sudo-rs, that program runs the command."""
    program = tmp_path / "sudo-rs"
    program.write_text('#!/bin/sh\necho "$0"\n')
    program.chmod(0o755)
    script = tmp_path / "gate"
    script.write_text(SCRIPT.read_text().replace("/usr/bin/sudo", str(tmp_path / "sudo")))
    env = {"SSH_ORIGINAL_COMMAND": hub_lines(ACCOUNT, "7")[0]}

    result = subprocess.run(["/bin/sh", script], env=env, capture_output=True, text=True, check=True)

    assert result.stdout == f"{program}\n"
