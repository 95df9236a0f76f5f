"""The checks: `./run nox` runs the quick ones, `./run nox -t all` all of them, `./run nox -l` lists them.

Each session has a virtual environment below .nox, made from requirements/checks.lock, with hubpod and packages/*
installed as editable. It is reused, and updated when the lock file or one of the pyproject.toml files changes.
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
    """Install what the checks need, unless the same files were installed before."""
    sources = [LOCK, *(directory / "pyproject.toml" for directory in (Path(), *PACKAGES))]
    digest = hashlib.sha256(b"\0".join(bytes(path) + b"\0" + path.read_bytes() for path in sources)).hexdigest()
    stamp = Path(session.virtualenv.location) / "prepared"
    if stamp.is_file() and stamp.read_text() == digest:
        return
    stamp.unlink(missing_ok=True)
    session.run_install("uv", "pip", "sync", "--quiet", "--require-hashes", str(LOCK))
    editables = [argument for directory in (".", *map(str, PACKAGES)) for argument in ("--editable", directory)]
    session.install("--quiet", "--no-deps", "--no-build-isolation", *editables)
    stamp.write_text(digest)


def _shell_scripts() -> list[str]:
    """List the files whose first line names a shell."""
    files = (PROJECT / "run", *PROJECT.glob(".ci/*"), *PROJECT.glob("containers/**/*"))
    return sorted(str(path.relative_to(PROJECT)) for path in files if _is_shell_script(path))


def _is_shell_script(path: Path) -> bool:
    if "_dev_build_data" in path.parts or not path.is_file():
        return False
    first, _, _ = path.read_bytes().partition(b"\n")
    return first.startswith(b"#!") and not SHELLS.isdisjoint(first.decode().replace("/", " ").split())


def _integration(session: nox.Session, *options: str) -> None:
    """Run the tests that need podman and a browser, with options of pytest."""
    _prepare(session)
    session.run("./run", "--prepare", "podman", "chromium", external=True)
    # One process tests whole environments and the other one stacks, because neither fills two cores. With an option of
    # the harness its plugin checks the machine before the processes start, and reports a problem only once.
    side_by_side = ("-n", "2", "--dist", "loadgroup", "--hubpod-environment=dev_realauth")
    chosen = [argument for argument in session.posargs if not argument.startswith("--junit-xml=")]
    _pytest(session, "tests/integration harness/suite", *options, *(() if chosen else side_by_side), *session.posargs)


def _pytest(session: nox.Session, directories: str, *arguments: str) -> None:
    """Run pytest on these directories, or on the paths that the arguments name."""
    options = ("-o", f"testpaths={directories}", "-o", "asyncio_default_fixture_loop_scope=function")
    slowest = ("--durations=15", "--durations-min=1")
    session.run("python", "-m", "pytest", *options, *slowest, *arguments)


@check
def lint(session: nox.Session) -> None:
    """Check style and likely mistakes: ruff for Python, shellcheck for shell scripts."""
    _prepare(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("shellcheck", *_shell_scripts())


@check
def types(session: nox.Session) -> None:
    """Check types strictly: hubpod, its tests, and each package with its tests."""
    _prepare(session)
    session.run("mypy")
    for package in PACKAGES:
        session.run("mypy", "--no-explicit-package-bases", f"{package}/src", f"{package}/tests")


@check
def unit(session: nox.Session) -> None:
    """Run the tests that need neither podman nor network (-- PYTEST ARGUMENTS select some)."""
    _prepare(session)
    chosen = session.posargs or ("-n", "auto")  # starting processes is slower than a few selected tests
    _pytest(session, "tests/unit packages/*/tests", *chosen)


@check
def integration(session: nox.Session) -> None:
    """Run the tests with environments in podman and a browser (-- PYTEST ARGUMENTS select some)."""
    _integration(session)


# Separate sessions, not parameters of the one above, because "all" includes only that one.
@nox.session(name="integration(podman='5.4')")
def integration_podman(session: nox.Session) -> None:
    """Run the integration tests with podman 5.4 instead of the machine's podman."""
    _integration(session, "--hubpod-podman-version=5.4")


@nox.session(name="integration(jupyterhub='5.5')")
def integration_jupyterhub(session: nox.Session) -> None:
    """Run the integration tests with the oldest supported JupyterHub."""
    _integration(session, "--hubpod-jupyterhub=5.5")


@nox.session
def security(session: nox.Session) -> None:
    """Attack hubs of the harness with what they must refuse (-- PYTEST ARGUMENTS select some)."""
    _prepare(session)
    session.run("./run", "--prepare", "podman", external=True)
    _pytest(session, "harness/suite", "-m", "security", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Run the fault tests, then random users with random faults (-- --minutes M --seed S --users N)."""
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
    """Measure how long the commands take on this machine (-- --list, --case NAME, --rounds N, --help)."""
    _prepare(session)
    session.run("./run", "--prepare", "podman", external=True)
    session.run("python", "tools/bench/run.py", *session.posargs)


@nox.session
def recorded(session: nox.Session) -> None:
    """Record docs/edit-loop.md again, unless a step fails."""
    _prepare(session)
    session.run("./run", "--prepare", "podman", external=True)
    session.run("python", "tools/bench/edit_loop.py", "--write", "docs/edit-loop.md")


@nox.session
def kills(session: nox.Session) -> None:
    """Kill runs of the harness at random moments and check that nothing is left behind (-- RUNS SEED)."""
    _prepare(session)
    session.run("./run", "--prepare", "podman", external=True)
    session.run("python", "tools/soak/killed_runs.py", *session.posargs)


@nox.session
def power(session: nox.Session) -> None:
    """Seed many small faults and report which tests catch each (-- --unit or --integration, --list, --only NAME)."""
    _prepare(session)
    if "--integration" in session.posargs:
        session.run("./run", "--prepare", "podman", "chromium", external=True)
    session.run("python", "tools/power/run.py", *session.posargs)


@nox.session
def generated(session: nox.Session) -> None:
    """Regenerate the tables of the README, the examples and the golden manifests."""
    _prepare(session)
    session.run("python", "tools/reference.py")
    session.run("python", "tests/support/golden.py")


@nox.session(venv_backend="none")
def lock(session: nox.Session) -> None:
    """Regenerate requirements/*.lock (-- --upgrade also updates pinned versions, -- -P NAME only that one)."""
    compile_ = ("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes")
    header = ("--no-header", *session.posargs)
    run, checks = "requirements/run", "requirements/checks"
    hubpod = ("pyproject.toml", "--extra", "checks", "--override", "containers/jupyterhub/overrides.txt")
    session.run(*compile_, *header, *hubpod, f"{run}.in", "-o", f"{run}.lock", external=True)
    same = ("-c", f"{run}.lock")  # checks use the versions that users run
    session.run(*compile_, *header, *hubpod, f"{checks}.in", *same, "-o", f"{checks}.lock", external=True)
