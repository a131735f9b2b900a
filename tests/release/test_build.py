"""What the compilers say, and whether the two descriptions of the C face agree."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import pycrust

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "pycrust").glob("*.pyx"))

pytestmark = pytest.mark.thread_unsafe(reason="runs Cython and reads files")


@pytest.mark.slow
def test_cython_has_nothing_to_complain_about(wheel):
    """No warning, and no performance hint: each would take the GIL inside a `nogil` block."""
    said = (wheel.parent / "build.log").read_text()
    for module in MODULES:
        assert f"Cythonizing pycrust/{module.name}" in said
    complaints = [line for line in said.splitlines() if re.search(r"hint|\.p(yx|xd):\d+:\d+", line)]
    assert complaints == []


def prototypes(text):
    """{name: prototype} of the functions that a header or a .pxd declares, in one spelling."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*|^\s*#[^\n]*", "", text, flags=re.S | re.M)
    text = re.sub(r"\b(noexcept|nogil|extern)\b|;", "", text)
    found = {}
    for match in re.finditer(r"((?:[\w]+[ *]+)+?)(pc_\w+)\(([^()]*)\)", text):
        result, name, arguments = match.groups()
        arguments = "" if arguments.strip() == "void" else arguments
        found[name] = re.sub(r"\s+", " ", f"{result.strip()} {name}({arguments.strip()})")
    return found


def test_the_two_faces_agree():
    """csrc.pxd says what pycrust.h says, word for word."""
    header = prototypes((ROOT / "csrc" / "pycrust.h").read_text(encoding="utf-8"))
    pxd = prototypes((ROOT / "pycrust" / "csrc.pxd").read_text(encoding="utf-8"))
    assert len(pxd) >= 10
    assert pxd == {name: header.get(name) for name in pxd}


@pytest.mark.parametrize("name", ["csrc.pxd", "capi.pxd"])
def test_every_extern_is_noexcept_nogil(name):
    pxd = (ROOT / "pycrust" / name).read_text(encoding="utf-8")
    pxd = re.sub(r"cdef extern from .*:\n    int import_\w+\(\) except -1\n", "", pxd)
    blocks = re.findall(r"^cdef extern .*$", pxd, flags=re.M)
    assert blocks
    assert all(block.endswith("nogil:") for block in blocks)
    functions = re.findall(r"\b(?:pc|pycrust)_\w+\([^()]*\)([^\n]*)", pxd)
    assert functions
    assert all(tail.strip() == "noexcept" for tail in functions)


@pytest.mark.skipif(not (ROOT / ".github").exists(), reason="not a checkout")
def test_ci_runs_the_pythons_that_are_promised():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    promised = re.findall(r"Programming Language :: Python :: (3\.\d+)", text)
    (matrix,) = re.findall(
        r"python: \[(.*)\]", (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    )
    assert [version for version in re.findall(r'"(.*?)"', matrix) if not version.endswith("t")] == promised


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="flags of gcc and clang")
def test_flags_of_the_environment_spoil_nothing(installed):
    """CFLAGS, with which that wheel is built, come first, ours override them: sums stay exact, subnormals are left alone."""
    script = """
import random
from fractions import Fraction
import numpy as np, pycrust, pycrust.bench

assert pycrust.__file__.startswith({!r})
assert 2.0**-1022 / 2 > 0, "flush-to-zero is on"
numbers = [random.gauss(1, 1) * 2.0 ** random.randrange(-40, 40) for _ in range(2000)]
total, squares = (sum(Fraction(x) ** k for x in numbers) for k in (1, 2))
for level in {!r}:
    pycrust._core._use_simd(level)
    assert pycrust.sum(np.array(numbers)) == float(total)
    assert pycrust.sumsq(np.array(numbers)) == float(squares)
"""
    script = script.format(str(installed), ["portable", pycrust.simd()])
    environment = os.environ | {"PYTHONPATH": str(installed)}
    run = subprocess.run([sys.executable, "-P", "-c", script], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="flags of gcc and clang")
def test_flags_that_get_through_are_refused():
    for flag in ("-ffast-math", "-ffinite-math-only"):
        command = [*shlex.split(os.environ.get("CC", "cc")), flag, "-E", "-x", "c", ROOT / "csrc" / "base" / "fpenv.h"]
        process = subprocess.run(command, capture_output=True, text=True)
        assert "exact only without -ffast-math" in process.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="flags of gcc and clang")
def test_half_precision_of_the_target_leaves_the_vectors():
    """With AVX512-FP16, which -march=native may turn on, __FLT_EVAL_METHOD__ is 16: doubles are still doubles."""
    command = [*shlex.split(os.environ.get("CC", "cc")), "-mavx512fp16", "-dM", "-E", "-x", "c"]
    process = subprocess.run([*command, ROOT / "csrc" / "kernels" / "avx2.c"], capture_output=True, text=True)
    if process.returncode or "__AVX512FP16__ 1" not in process.stdout:
        pytest.skip("not a compiler for x86-64 that knows AVX512-FP16")
    assert "#define FLOATS 1" in process.stdout
