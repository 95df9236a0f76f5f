"""Write the generated tables of the README, and the examples: `./run nox -s generated`."""

from collections.abc import Iterable
from pathlib import Path

from hubpod.components import assembly
from hubpod.components.component import Component, Image
from hubpod.environments import ENVIRONMENTS, Environment
from hubpod.settings import deploy_configmap, zenith_config
from hubpod.settings.key_files import FILES, KeyFile
from hubpod.settings.table import Setting

PROJECT = Path(__file__).parents[1]


def environments_table() -> str:
    """Render one row per environment and one column per axis."""
    rows = [f"| `{row.name}` | {' | '.join(value.value for value in row.axes)} |" for row in ENVIRONMENTS]
    return "\n".join(["| environment | stage | login | Slurm | ingress |", "|---|---|---|---|---|", *rows])


def containers_table() -> str:
    """Render one row per component."""
    rows = [
        f"| `{each.name}` | {each.purpose} | `{_origin(each.image)}` | {_where(_users(each))} |"
        for each in assembly.COMPONENTS
    ]
    return "\n".join(["| container | what it does | image | where |", "|---|---|---|---|", *rows])


def settings_table() -> str:
    """Render one row per key of the deploy ConfigMap."""
    rows = [f"| `{setting.key}` | {setting.meaning} | {_requirement(setting)} |" for setting in assembly.settings()]
    return "\n".join(["| key | what it is | required |", "|---|---|---|", *rows])


def files_table() -> str:
    """Render one row per file that an environment requires beside the deploy ConfigMap."""
    rows = [f"| `{row.name}` | {row.meaning} | {_file_environments(row)} |" for row in FILES if not row.optional]
    return "\n".join(["| file | what it is | required |", "|---|---|---|", *rows])


def replace_tables(readme: str) -> str:
    """Replace the tables of the README.

    Raises:
        ValueError: The markers of a table are missing or repeated.
    """
    tables = {
        "environments": environments_table(),
        "containers": containers_table(),
        "settings": settings_table(),
        "files": files_table(),
    }
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, rest = readme.split(begin)
        _, after = rest.split(end)
        readme = f"{before}{begin}{table}\n{end}{after}"
    return readme


def render_examples() -> dict[str, str]:
    """Render the files to start from, by their path below ``examples/``."""
    rows = assembly.settings()
    files = {f"{row.name}/{deploy_configmap.FILE_NAME}": deploy_configmap.example(row, rows) for row in ENVIRONMENTS}
    tunnels = [row for row in ENVIRONMENTS if row.ingress.uses_zenith]
    return files | {f"{row.name}/{zenith_config.FILE_NAME}": zenith_config.EXAMPLE for row in tunnels}


def write_files(project: Path) -> None:
    """Write the README and the examples."""
    readme = project / "README.md"
    readme.write_text(replace_tables(readme.read_text()))
    for name, text in render_examples().items():
        path = project / "examples" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _origin(image: Image) -> str:
    return image.reference or f"containers/{image.name}"


def _users(component: Component) -> list[Environment]:
    return [environment for environment in ENVIRONMENTS if component.is_in(environment)]


def _requirement(setting: Setting) -> str:
    if setting.default is not None:
        return f"no, default `{setting.default}`" if setting.default else "no"
    return _where(row for row in ENVIRONMENTS if setting.applies_to(row) and setting.fixed_value(row) is None)


def _file_environments(row: KeyFile) -> str:
    return _where(environment for environment in ENVIRONMENTS if row.applies_to(environment))


def _where(rows: Iterable[Environment]) -> str:
    names = [row.name for row in rows]
    return "everywhere" if len(names) == len(ENVIRONMENTS) else "in " + ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    write_files(PROJECT)
