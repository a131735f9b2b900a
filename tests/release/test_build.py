"""What the compilers say, and whether the two descriptions of the C face agree."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "pycrust").glob("*.pyx"))

pytestmark = pytest.mark.thread_unsafe(reason="runs Cython and reads files")


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_cython_has_nothing_to_complain_about(module, tmp_path):
    """No warning, and no performance hint: each would take the GIL inside a `nogil` block."""
    directives = ["-X", "boundscheck=False", "-X", "wraparound=False"]
    process = subprocess.run(
        [sys.executable, "-m", "cython", "-3", *directives, "-I", ROOT, module, "-o", tmp_path / "out.c"],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout + process.stderr == ""


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


def test_every_extern_is_noexcept_nogil():
    pxd = (ROOT / "pycrust" / "csrc.pxd").read_text(encoding="utf-8")
    blocks = re.findall(r"^cdef extern .*$", pxd, flags=re.M)
    assert blocks
    assert all(block.endswith("nogil:") for block in blocks)
    functions = re.findall(r"\bpc_\w+\([^()]*\)([^\n]*)", pxd)
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
