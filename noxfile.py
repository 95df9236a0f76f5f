"""The checks: `./run nox` for the quick ones, `./run nox -t all` for everything, `./run nox -l` for the list.

Each session has a virtual environment below .nox, made from requirements/checks.lock with hubpod and packages/* as they
lie here, kept for the next time, and brought up to date when the lock file or one of the pyproject.toml files changes.
"""

import hashlib
from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "unit"]

PROJECT = Path(__file__).parent
LOCK = Path("requirements/checks.lock")
PACKAGES = sorted(path.parent.relative_to(PROJECT) for path in PROJECT.glob("packages/*/pyproject.toml"))
SHELLS = {"sh", "bash", "dash"}

check = nox.session(tags=["all"])


def _prepare(session: nox.Session) -> None:
    """Install what the checks need, unless that has been done from the same files."""
    sources = [LOCK, *(folder / "pyproject.toml" for folder in (Path(), *PACKAGES))]
    digest = hashlib.sha256(b"\0".join(bytes(path) + b"\0" + path.read_bytes() for path in sources)).hexdigest()
    stamp = Path(session.virtualenv.location) / "prepared"
    if stamp.is_file() and stamp.read_text() == digest:
        return
    stamp.unlink(missing_ok=True)
    session.run_install("uv", "pip", "sync", "--quiet", "--require-hashes", str(LOCK))
    editables = [argument for folder in (".", *map(str, PACKAGES)) for argument in ("--editable", folder)]
    session.install("--quiet", "--no-deps", "--no-build-isolation", *editables)
    stamp.write_text(digest)


def _shell_scripts() -> list[str]:
    """Every file of the project that says in its first line that a shell runs it."""
    files = (PROJECT / "run", *PROJECT.glob(".ci/*"), *PROJECT.glob("containers/**/*"))
    return sorted(str(path.relative_to(PROJECT)) for path in files if _is_shell_script(path))


def _is_shell_script(path: Path) -> bool:
    if "_dev_build_data" in path.parts or not path.is_file():
        return False
    first, _, _ = path.read_bytes().partition(b"\n")
    return first.startswith(b"#!") and not SHELLS.isdisjoint(first.decode().replace("/", " ").split())


def _integration(session: nox.Session, *options: str) -> None:
    """Run the tests that need podman and a browser, with these options of pytest."""
    _prepare(session)
    session.run("./run", "--prepare", "podman", "chromium", external=True)
    # Whole environments in one process, stacks in the other, as neither fills two cores. With an option of the harness
    # its plugin looks at the machine before there are processes, and says once what is wrong with it.
    side_by_side = ("-n", "2", "--dist", "loadgroup", "--hubpod-environment=dev_realauth")
    chosen = [argument for argument in session.posargs if not argument.startswith("--junit-xml=")]
    _pytest(session, "tests/integration harness/suite", *options, *(() if chosen else side_by_side), *session.posargs)


def _pytest(session: nox.Session, folders: str, *arguments: str) -> None:
    """Run pytest on these folders, or on what the arguments name instead of them."""
    options = ("-o", f"testpaths={folders}", "-o", "asyncio_default_fixture_loop_scope=function")
    slowest = ("--durations=15", "--durations-min=1")
    session.run("python", "-m", "pytest", *options, *slowest, *arguments)


@check
def lint(session: nox.Session) -> None:
    """Style and likely mistakes: ruff for Python, shellcheck for shell scripts."""
    _prepare(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("shellcheck", *_shell_scripts())


@check
def types(session: nox.Session) -> None:
    """Types, strictly: hubpod, its tests, and each package with its own tests."""
    _prepare(session)
    session.run("mypy")
    for package in PACKAGES:
        session.run("mypy", "--no-explicit-package-bases", f"{package}/src", f"{package}/tests")


@check
def unit(session: nox.Session) -> None:
    """Tests without podman and network; -- PYTEST ARGUMENTS choose among them."""
    _prepare(session)
    chosen = session.posargs or ("-n", "auto")  # side by side, which a few chosen tests would wait for
    _pytest(session, "tests/unit packages/*/tests", *chosen)


@check
def integration(session: nox.Session) -> None:
    """Tests with whole environments in podman and a browser; -- PYTEST ARGUMENTS choose among them."""
    _integration(session)


# Sessions of their own rather than parameters of the one above, which alone is part of "all".
@nox.session(name="integration(podman='5.4')")
def integration_podman(session: nox.Session) -> None:
    """The same with another podman than the machine's."""
    _integration(session, "--hubpod-podman-version=5.4")


@nox.session(name="integration(jupyterhub='5.5')")
def integration_jupyterhub(session: nox.Session) -> None:
    """The same with the oldest line of JupyterHub that is supported."""
    _integration(session, "--hubpod-jupyterhub=5.5")


@nox.session
def security(session: nox.Session) -> None:
    """What a hub must refuse, tried at stacks of the harness; -- PYTEST ARGUMENTS choose among it."""
    _prepare(session)
    session.run("./run", "--prepare", "podman", external=True)
    _pytest(session, "harness/suite", "-m", "security", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """The tests of faults, then people and faults at random; -- --minutes M --seed S --people N."""
    _prepare(session)
    session.run("./run", "--prepare", "podman", external=True)
    _pytest(session, "harness/suite", "-m", "faults")
    session.run("python", "tools/soak/run.py", *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Search image layers for secrets, and query known vulnerabilities of locked packages."""
    _prepare(session)
    session.run("./run", "--prepare", "podman", external=True)
    session.run("python", "tools/audit/layers.py")
    session.run("python", "tools/audit/locks.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """How long what people wait for takes here; -- --list, --case NAME, --rounds N, --help for the rest."""
    _prepare(session)
    session.run("./run", "--prepare", "podman", external=True)
    session.run("python", "tools/bench/run.py", *session.posargs)


@nox.session
def recorded(session: nox.Session) -> None:
    """Record the loop of docs/edit-loop.md anew; it stays as it is when a step does not go as it should."""
    _prepare(session)
    session.run("./run", "--prepare", "podman", external=True)
    session.run("python", "tools/bench/edit_loop.py", "--write", "docs/edit-loop.md")


@nox.session
def kills(session: nox.Session) -> None:
    """Kill runs of the harness at random moments and look for what they leave; -- RUNS SEED."""
    _prepare(session)
    session.run("./run", "--prepare", "podman", external=True)
    session.run("python", "tools/soak/killed_runs.py", *session.posargs)


@nox.session
def power(session: nox.Session) -> None:
    """Seed many small faults and see which tests catch each; -- --unit or --integration, --list, --only NAME."""
    _prepare(session)
    if "--integration" in session.posargs:
        session.run("./run", "--prepare", "podman", "chromium", external=True)
    session.run("python", "tools/power/run.py", *session.posargs)


@nox.session
def generated(session: nox.Session) -> None:
    """Write the tables of the README, the examples and the golden manifests anew."""
    _prepare(session)
    session.run("python", "tools/reference.py")
    session.run("python", "tests/support/golden.py")


@nox.session(venv_backend="none")
def lock(session: nox.Session) -> None:
    """Write requirements/*.lock anew; -- --upgrade also moves what is pinned already, -- -P NAME only that."""
    compile_ = ("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes")
    header = ("--no-header", *session.posargs)
    run, checks = "requirements/run", "requirements/checks"
    hubpod = ("pyproject.toml", "--extra", "checks", "--override", "containers/jupyterhub/overrides.txt")
    session.run(*compile_, *header, *hubpod, f"{run}.in", "-o", f"{run}.lock", external=True)
    same = ("-c", f"{run}.lock")  # what is checked is what people run
    session.run(*compile_, *header, *hubpod, f"{checks}.in", *same, "-o", f"{checks}.lock", external=True)
