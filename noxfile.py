"""The tests on each Python that the machine has, and the checks that need no other: `nox`, or `nox -s tests-3.13`."""

from pathlib import Path

import nox

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
THROW = "the (type, exc, tb) signature of throw() is deprecated"  # mypyc uses it, and Python 3.12 says so
COMPILED = [f"tests/{folder}" for folder in ("asgi", "golden", "prefix", "reply", "request", "wire")]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests; arguments go to pytest: `nox -s tests -- tests/asgi -x`."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS)
def compiled(session: nox.Session) -> None:
    """Run the tests of what can be compiled, compiled. Needs a C compiler."""
    folder = session.create_tmp()
    session.install("build")
    session.run("python", "-m", "build", "--sdist", "--outdir", folder)
    session.run("tar", "-xzf", *map(str, Path(folder).glob("*.tar.gz")), "--strip-components", "1", "-C", folder)
    session.install("-e", f"{folder}[test]", env={"HATCH_BUILD_HOOKS_ENABLE": "1"})
    session.chdir(folder)
    session.run("pytest", "-W", f"ignore:{THROW}:DeprecationWarning", *(session.posargs or COMPILED))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install("--group", "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; every link and anchor must be there."""
    session.install("--group", "docs")
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def types(session: nox.Session) -> None:
    """Check all types, and that every public name has one."""
    session.install("--group", "lint", "-e", ".[test]")
    session.run("mypy")
    session.run(
        *("pyright", "--verifytypes", "chatcompat", "--ignoreexternal"), env={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    )


@nox.session
def package(session: nox.Session) -> None:
    """Build the package, and check what an index shows of it."""
    session.install("--group", "package")
    folder = session.create_tmp()
    session.run("python", "-m", "build", "--outdir", folder)
    session.run("twine", "check", "--strict", *map(str, Path(folder).iterdir()))
