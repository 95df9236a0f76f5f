"""The tables of the README and the examples, made from the tables of the code: `./run nox -s generated` writes them."""

from pathlib import Path

from hubpod.environments import ENVIRONMENTS, Environment
from hubpod.settings import deploy_configmap, zenith_config
from hubpod.settings.key_files import FILES, SuppliedFile
from hubpod.settings.table import SETTINGS, Setting

PROJECT = Path(__file__).parents[2]


def environments_table() -> str:
    """One row per environment, one column per axis."""
    rows = [f"| `{row.name}` | {' | '.join(value.value for value in row.axes)} |" for row in ENVIRONMENTS]
    return "\n".join(["| environment | stage | login | Slurm | ingress |", "|---|---|---|---|---|", *rows])


def settings_table() -> str:
    """One row per key of the deploy ConfigMap."""
    rows = [f"| `{setting.key}` | {setting.meaning} | {_needed(setting)} |" for setting in SETTINGS]
    return "\n".join(["| key | what it is | you write it |", "|---|---|---|", *rows])


def files_table() -> str:
    """One row per file that has to lie beside the deploy ConfigMap somewhere."""
    rows = [f"| `{row.name}` | {row.meaning} | {_used(row)} |" for row in FILES if not row.optional]
    return "\n".join(["| file | what it is | needed |", "|---|---|---|", *rows])


def updated(readme: str) -> str:
    """The README with its tables as the code has them.

    Raises:
        ValueError: A table's place is not marked just once.
    """
    tables = {"environments": environments_table(), "settings": settings_table(), "files": files_table()}
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, rest = readme.split(begin)
        _, after = rest.split(end)
        readme = f"{before}{begin}{table}\n{end}{after}"
    return readme


def examples() -> dict[str, str]:
    """The files to start from, by their path below ``examples/``."""
    files = {f"{row.name}/{deploy_configmap.FILE_NAME}": deploy_configmap.example(row) for row in ENVIRONMENTS}
    tunnels = [row for row in ENVIRONMENTS if row.ingress.uses_zenith]
    return files | {f"{row.name}/{zenith_config.FILE_NAME}": zenith_config.example() for row in tunnels}


def write(project: Path) -> None:
    """Write README and examples as the code has them."""
    readme = project / "README.md"
    readme.write_text(updated(readme.read_text()))
    for name, text in examples().items():
        path = project / "examples" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _needed(setting: Setting) -> str:
    users = [row for row in ENVIRONMENTS if setting.used(row)]
    writers = [row for row in users if setting.fixed(row) is None]
    where = "everywhere" if len(writers) == len(ENVIRONMENTS) else _where(writers)
    if setting.default is not None:
        return f"if it is not `{setting.default}`" if setting.default else "if you want any"
    return where


def _used(row: SuppliedFile) -> str:
    return _where([environment for environment in ENVIRONMENTS if row.needed(environment)])


def _where(rows: list[Environment]) -> str:
    return "in " + ", ".join(f"`{row.name}`" for row in rows)


if __name__ == "__main__":
    write(PROJECT)
