"""Everything at once, for seconds; `python tests/tools/soak.py 60` takes an hour."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("dask")


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.thread_unsafe(reason="runs in an interpreter of its own")
@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="forks, reads /proc, and asks the malloc of glibc",
)
def test_soak(at_length):
    script = Path(__file__).parents[1] / "tools" / "soak.py"
    done = subprocess.run(
        [sys.executable, script, "10" if at_length else "0.1"],
        capture_output=True,
        text=True,
        timeout=900 if at_length else 200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("right\n")
