"""What type checkers see: the stubs agree with the modules, and typical code checks."""

import ast
import inspect
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import pycrust

TYPING = Path(__file__).parent / "typing"
CONFIG = Path(__file__).parents[2] / "pyproject.toml"
HOME = Path(pycrust.__file__).parent.parent
MODULES = [f"pycrust.{name}" for name in ("_accumulator", "_groups", "_moving", "_pairs", "_range", "_reductions")]

pytest.importorskip("mypy")

pytestmark = [pytest.mark.slow, pytest.mark.thread_unsafe(reason="runs mypy")]


def check(tmp_path, *command):
    # From elsewhere, so that the package under test is the imported one. mypy
    # finds an installed package by its py.typed; an editable one must be shown.
    path = {} if HOME.name == "site-packages" else {"MYPYPATH": str(HOME)}
    command = [sys.executable, "-m", *map(str, command)]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_typical_code_checks_under_strict(tmp_path):
    check(tmp_path, "mypy", "--config-file", CONFIG, *sorted(TYPING.glob("*.py")))


def test_stubs_agree_with_the_modules(tmp_path):
    allowed = TYPING / "stubtest-allowlist.txt"
    check(tmp_path, "mypy.stubtest", *MODULES, "--allowlist", allowed, "--mypy-config-file", CONFIG)


def test_overloads_have_the_parameters_of_the_functions():
    """Which stubtest sees only of what a stub defines as a function."""
    stub = Path(pycrust.__file__).parent / "_reductions.pyi"
    body = ast.parse(stub.read_text(encoding="utf-8")).body
    classes = {each.name: each.body for each in body if isinstance(each, ast.ClassDef)}
    functions = {each.target.id: each.annotation for each in body if isinstance(each, ast.AnnAssign) and not each.value}
    assert {"sumsq", "norm", "rms", "sum", "mean", "var", "std"} <= set(functions)
    for name, annotation in functions.items():
        overloads = classes[ast.unparse(getattr(annotation, "value", annotation))]
        expected = [(each.name, each.kind) for each in inspect.signature(getattr(pycrust, name)).parameters.values()]
        for overload in overloads:
            args = overload.args
            found = [(each.arg, inspect.Parameter.POSITIONAL_OR_KEYWORD) for each in args.args[1:]]
            found += [(each.arg, inspect.Parameter.KEYWORD_ONLY) for each in args.kwonlyargs]
            assert found == expected, f"{name}: {ast.unparse(overload)}"


def test_stubs_say_what_the_functions_are():
    """For editors, which find no docstring in a compiled module: its first line, below each name."""
    stub = Path(pycrust.__file__).parent / "_reductions.pyi"
    body = ast.parse(stub.read_text(encoding="utf-8")).body
    said = {
        each.target.id: after.value.value
        for each, after in pairwise(body)
        if isinstance(each, ast.AnnAssign) and isinstance(after, ast.Expr)
    }
    assert said == {name: inspect.getdoc(getattr(pycrust, name)).partition("\n")[0] for name in said}
    assert {"sumsq", "norm", "rms", "sum", "mean", "var", "std"} <= set(said)
