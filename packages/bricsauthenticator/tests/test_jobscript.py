"""The server's variables in the job script."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bricsauthenticator.jobscript import export_lines, with_exports, with_key

SHELL = shutil.which("bash") or "bash"
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)


def values_in_bash(script: str, names: list[str]) -> list[str]:
    """Run a script in a real bash and return what its child processes see."""
    show = "".join(f'sh -c \'printf "%s\\0" "${name}"\'\n' for name in names)
    done = subprocess.run([SHELL], input=(script + show).encode(), capture_output=True, check=True, timeout=10)
    assert not done.stderr
    return done.stdout.decode().split("\0")[:-1]


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_every_value_survives_a_real_shell(values: list[str]) -> None:
    """Every character survives, including quotes, newlines and carriage returns."""
    names = [f"V{number}" for number in range(len(values))]

    script = export_lines(dict(zip(names, values, strict=True)))

    assert values_in_bash(script, names) == values
    assert "\r" not in script


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A;id", "$(id)", "A\n", "é", "BASH_FUNC_x%%"])
def test_invalid_names_of_variables_are_refused(name: str) -> None:
    """A name that is not an identifier is refused by name."""
    with pytest.raises(ValueError, match="is not a valid name"):
        export_lines({name: "x"})


def test_null_characters_are_refused() -> None:
    """A value that cannot be a variable's is refused."""
    with pytest.raises(ValueError, match="null"):
        export_lines({"A": "a\0b"})


def test_exports_follow_the_directives_and_precede_all_commands() -> None:
    """Slurm still reads every #SBATCH line, and no command runs before the variables are set."""
    script = "#!/bin/bash\n#SBATCH --time=1\n\n# Why\n#SBATCH --gpus=1\n\nset -x\n# later\nrun\n"

    assert with_exports(script, {"A": "a b", "B": ""}) == (
        "#!/bin/bash\n#SBATCH --time=1\n\n# Why\n#SBATCH --gpus=1\n"
        "export A='a b'\nexport B=''\n"
        "\nset -x\n# later\nrun\n"
    )


@pytest.mark.parametrize("script", ["#!/bin/bash", "#!/bin/bash\n", "run", "# a\x0cb \u2028 c\nrun\n", ""])
def test_the_whole_script_is_kept(script: str) -> None:
    """The script around the exports is unchanged, with any line ends."""
    result = with_exports(script, {"A": "1"})

    assert result.replace("export A=1", "", 1).replace("\n", "") == script.replace("\n", "")
    assert "export A=1" in result.split("\n")


@pytest.mark.parametrize(
    ("directives", "comment"),
    [
        ("", "KEY"),
        ("#SBATCH --time=1\n", "KEY"),
        ("#SBATCH --comment=site\n", "site KEY"),
        ("#SBATCH --comment site\n", "site KEY"),
        ("#SBATCH --time=1 --comment=site --mem=1\n", "site KEY"),
        ("#SBATCH --comment='the site'\n#SBATCH --time=1\n", "the site KEY"),
        ('#SBATCH --comment="first"\n#SBATCH --comment="the site"\n', "the site KEY"),
        ('#SBATCH --comment="it\'s"\n', "KEY"),
        ("# SBATCH --comment=none\n##SBATCH --comment=none\n", "KEY"),
        ("#SBATCH --comment=\n", "KEY"),
    ],
)
def test_the_key_is_the_last_word_of_the_sites_comment(directives: str, comment: str) -> None:
    """The added directive is the last one and repeats a plain comment of the site.

    Slurm takes the last of several directives.
    """
    script = f"#!/bin/bash\n{directives}\n\nrun # --comment=late\n"

    assert with_key(script, "KEY") == (
        f'#!/bin/bash\n{directives}#SBATCH --comment="{comment}"\n\n\nrun # --comment=late\n'
    )


def test_the_key_comes_before_the_exports() -> None:
    """A script that is cut off in its exports has its key already."""
    script = with_exports(with_key("#!/bin/bash\nrun\n", "KEY"), {"A": "1"})

    assert script == '#!/bin/bash\n#SBATCH --comment="KEY"\nexport A=1\nrun\n'
