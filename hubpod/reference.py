"""The tables of the README, made from the tables of the code: `./run nox -s generated` writes them."""

from pathlib import Path

from hubpod.environments import ENVIRONMENTS, Environment
from hubpod.settings import SETTINGS, Setting


def environments_table() -> str:
    """One row per environment, one column per axis."""
    rows = [
        f"| `{row.name}` | {' | '.join(value.value for value in row.axes)} | {'to come' if row.missing else 'works'} |"
        for row in ENVIRONMENTS
    ]
    return "\n".join(["| environment | stage | login | Slurm | ingress | |", "|---|---|---|---|---|---|", *rows])


def settings_table() -> str:
    """One row per key of the deploy ConfigMap."""
    rows = [f"| `{setting.key}` | {setting.meaning} | {_needed(setting)} |" for setting in SETTINGS]
    return "\n".join(["| key | what it is | you write it |", "|---|---|---|", *rows])


def updated(readme: str) -> str:
    """The README with its tables as the code has them."""
    for name, table in (("environments", environments_table()), ("settings", settings_table())):
        begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        before, _, rest = readme.partition(begin)
        readme = before + begin + table + end + rest.partition(end)[2]
    return readme


def _needed(setting: Setting) -> str:
    users = [row for row in ENVIRONMENTS if setting.used(row)]
    writers = [row for row in users if setting.fixed(row) is None]
    where = "everywhere" if len(writers) == len(ENVIRONMENTS) else _where(writers)
    if setting.default is not None:
        return f"if it is not `{setting.default}`" if setting.default else "if you want any"
    return where


def _where(rows: list[Environment]) -> str:
    return "in " + ", ".join(f"`{row.name}`" for row in rows)


if __name__ == "__main__":
    path = Path(__file__).parents[1] / "README.md"
    path.write_text(updated(path.read_text()))
