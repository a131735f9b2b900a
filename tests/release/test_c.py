"""The C core alone, built without Python in many ways: tests/c/run says which."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = [sys.executable, str(Path(__file__).parents[1] / "c" / "run")]

pytestmark = [pytest.mark.slow, pytest.mark.thread_unsafe(reason="compiles and runs C alone")]

if not sys.platform.startswith("linux"):
    pytest.skip("the tests in C use Linux: barriers, ptrace, ld --wrap", allow_module_level=True)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("builds", subprocess.run([*RUN, "--list"], capture_output=True, text=True).stdout.splitlines())
def test_core(builds, at_length):
    """Those of one compiler in one process, which compiles what several of them share but once."""
    length = ["--full"] if at_length else []
    done = subprocess.run([*RUN, *builds.split(), *length], capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip(done.stdout.splitlines()[0])
    assert done.returncode == 0, done.stdout + done.stderr
