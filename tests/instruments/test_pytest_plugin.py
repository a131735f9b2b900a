"""The plugin for pytest, in a pytest of its own."""

import subprocess
import sys

import pytest

from pycrust import _probe

pytestmark = pytest.mark.measures
beside_others = pytest.mark.measures(False)


@pytest.fixture
def inner(tmp_path):
    """Run pytest on a test file; its process."""

    def run(text, *options):
        (tmp_path / "test_inner.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--strict-markers", *options]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return run


@beside_others
def test_nothing_is_imported_unless_used(inner):
    text = "import sys\ndef test(): assert not {'pycrust', 'numpy', 'pycrust._probe'} & set(sys.modules)\n"
    done = inner(text, "-p", "no:run-parallel")  # which imports NumPy itself
    assert done.returncode == 0, done.stdout


def test_the_fixture_and_the_marker(inner):
    done = inner(
        """
import time, pytest

def test_fixture(assert_releases_gil):
    assert_releases_gil(time.sleep, 0.01, rounds=1)

@pytest.fixture
def seconds(): return 0.01

@pytest.mark.releases_gil
def test_marker(seconds): time.sleep(seconds)

@pytest.mark.releases_gil(rounds=1)
def test_holds(): sum(range(1_000_000))

@pytest.mark.releases_gil
def test_fails(): 1 / 0
"""
    )
    assert "2 failed, 2 passed" in done.stdout
    assert "holds the GIL" in done.stdout or "stays attached" in done.stdout
    assert "ZeroDivisionError" in done.stdout


@pytest.mark.skipif(bool(_probe.why_not()), reason="the GIL cannot be watched")
@pytest.mark.slow
def test_gil_stalls(inner, until):
    text = """
import pycrust

def test_quick(): pass

def test_slow():
    for _ in range(3):
        pycrust.sum_of_squares(3 * 10**9)

def test_wrong(): assert False
"""
    plain = inner(text)
    assert plain.returncode == 1 and "1 failed, 2 passed" in plain.stdout
    assert "stalls" not in plain.stdout

    def watched():
        done = inner(text, "--gil-stalls=30")
        assert done.returncode == 1 and "1 failed, 2 passed" in done.stdout
        assert "of the time covered" in done.stdout
        return done

    done = until(lambda done: "test_inner.py:8 test_slow" in done.stdout, watched)
    assert "during test_inner.py::test_slow" in done.stdout, done.stdout


@beside_others
@pytest.mark.skipif(bool(_probe.why_not()), reason="the GIL cannot be watched")
def test_bad_thresholds_get_a_sentence(inner):
    done = inner("def test(): pass", "--gil-stalls=1")
    assert done.returncode == 4
    assert "twice the switch interval" in done.stderr and "Traceback" not in done.stderr


def test_a_file_is_no_threshold(inner):
    done = inner("def test(): pass", "--gil-stalls", "test_inner.py")
    assert done.returncode == 4
    assert "'test_inner.py' is not a time in milliseconds: write --gil-stalls=20" in done.stderr


@pytest.mark.skipif(not _probe.why_not(), reason="here it can be watched")
def test_elsewhere_it_is_refused(inner):
    done = inner("def test(): pass", "--gil-stalls")
    assert done.returncode == 4 and "cannot be watched here" in done.stderr
