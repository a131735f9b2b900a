"""What the tests share: SIMD levels, fresh interpreters, and what runs with --full alone."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest
from hypothesis import HealthCheck, settings

import pycrust
from pycrust import _core

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LONGEST = ("test_threadable", "test_stalls", "test_c", "test_tutorial", "test_notebooks", "test_typing")


def levels():
    """The SIMD levels that this machine has."""
    for name in ("portable", "avx2", "avx512", "avx512ifma"):
        try:
            _core._use_simd(name)
        except RuntimeError:
            continue
        yield name


BEST = pycrust.simd()
LEVELS = tuple(levels())
_core._use_simd(BEST)


def pytest_addoption(parser):
    parser.addoption(
        "--full",
        action="count",
        default=0,
        help="run every test, at every SIMD level, with random examples; twice: with thousands of examples, for hours",
    )


def pytest_xdist_auto_num_workers(config):
    """Two processes for a whole folder, where those that measure can be left alone; one for what is named."""
    return min(2, os.cpu_count() or 1) if fcntl and any(map(os.path.isdir, config.args)) else 0


if fcntl and "PYTEST_XDIST_WORKER" in os.environ:
    TURN, FLOOR = (os.open(path, os.O_RDONLY) for path in (os.path.dirname(__file__), __file__))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(item):
        """A test that measures runs alone: while it waits for the other process, no test begins there."""
        fcntl.flock(TURN, fcntl.LOCK_EX)
        fcntl.flock(FLOOR, fcntl.LOCK_EX if measures(item) else fcntl.LOCK_SH)
        fcntl.flock(TURN, fcntl.LOCK_UN)
        try:
            return (yield)
        finally:
            fcntl.flock(FLOOR, fcntl.LOCK_UN)


def pytest_configure(config):
    # A job in the background ignores the signals of the keyboard, and so would the processes that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGQUIT"):  # Windows has none
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    full = config.getoption("full")
    # No deadline: the machine may be busy. The fixture below stays as it is between examples.
    settings.register_profile(
        "pycrust",
        deadline=None,
        derandomize=not full,
        max_examples=(15, 60, 5000)[min(full, 2)],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    settings.load_profile("pycrust")


def measures(item):
    """Whether a test measures: measures(False) takes one out of a file that does."""
    marker = item.get_closest_marker("measures")
    return marker is not None and marker.args != (False,)


def order(items):
    """
    The files in which tests measure come first, in both processes at once, where each waits for the other but for no
    build; then what takes long, so that no process is left with it at the end.
    """
    measure = {item.path for item in items if measures(item)}
    items.sort(key=lambda item: (item.path not in measure, *(item.path.stem != name for name in LONGEST)))


def needs_full(item):
    """
    How often --full must be given for a test; twice if it is slow for two reasons.

    A slow test so runs at the best level alone: that kernels give the same bits at the others is for tests/c, which
    tries each with an oracle of its own, for test_simd, and for what is not slow.
    """
    return 2 if item.get_closest_marker("long") else min(2, len(list(item.iter_markers("slow"))))


def pytest_collection_modifyitems(config, items):
    full = config.getoption("full")
    config.hook.pytest_deselected(items=[item for item in items if needs_full(item) > full])
    items[:] = [item for item in items if needs_full(item) <= full]
    order(items)
    for item in items:
        if measures(item):
            item.add_marker(pytest.mark.thread_unsafe(reason="measures"))
        if "python" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.thread_unsafe(reason="runs in an interpreter of its own"))


@pytest.fixture
def script(tmp_path):
    """Write a script; gives its path."""

    def write(text, name="program.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return str(path)

    return write


@pytest.fixture
def at_length(request):
    """Whether to run for as long as it takes to see what is rare: ``--full --full``."""
    return request.config.getoption("full") > 1


@pytest.fixture(params=[level if level == BEST else pytest.param(level, marks=pytest.mark.slow) for level in LEVELS])
def level(request):
    """The best SIMD level of this machine; in the full run each that it has, in turn, where the test is not slow."""
    _core._use_simd(request.param)
    yield request.param
    _core._use_simd(BEST)


@pytest.fixture
def each_level():
    """Call it for an iterator over the SIMD levels of this machine: each is used until the next is asked for."""
    yield levels
    _core._use_simd(BEST)


@pytest.fixture(params=["sum_of_squares", "threadable_sum_of_squares"])
def single(request):
    """Both functions of a single n."""
    return getattr(pycrust, request.param)


@pytest.fixture
def until():
    """
    Look again and again until it is seen, and give that; what a look asserts itself must hold each time.

    For what takes processor time to see: on a busy machine a watch may miss any single hold of the GIL.
    """

    def until(seen, look, tries=10):
        for _ in range(tries):
            found = look()
            if seen(found):
                return found
        raise AssertionError(f"not seen in {tries} looks, the last of which found {found}")

    return until


@pytest.fixture
def python():
    """Run a script in a fresh interpreter, under some command if need be, which must end in time; its process."""

    def run(script, under=(), **kwargs):
        command = [*under, sys.executable, "-c", script]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, **kwargs)

    return run
