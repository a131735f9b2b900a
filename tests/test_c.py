"""The C core alone: built without Python, under sanitizers that end the run at the first fault."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLAGS = ["-std=gnu11", "-g", "-Wall", "-Wextra", "-Wconversion", "-ffp-contract=off"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the tests in C use POSIX")


@pytest.mark.parametrize("topic", ["range", "squares"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("macro", ["PC_INT128", "PC_NO_INT128"], ids=["int128", "two-limbs"])
def test_core(compiler, topic, macro, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} here")
    sources = [ROOT / f"tests/c/test_{topic}.c", *sorted((ROOT / "csrc").glob("*.c"))]
    program = tmp_path / topic
    define = ["-DPC_NO_INT128"] if macro == "PC_NO_INT128" else []
    subprocess.run(
        [compiler, *FLAGS, *SANITIZE, "-O1", *define, f"-I{ROOT / 'csrc'}", *sources, "-o", program, "-lm"], check=True
    )
    done = subprocess.run([program], capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr
