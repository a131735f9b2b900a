"""
The plugin for pytest: a fixture and a marker around `assert_releases_gil`, and ``--gil-stalls``.

It stands beside the package, so that pytest does not import NumPy with it: pycrust is imported when it is used.
"""

import argparse
import time
from functools import partial

import pytest


def milliseconds(text):
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time in milliseconds: write --gil-stalls=20, or --gil-stalls after the files"
        ) from None


def pytest_addoption(parser):
    parser.getgroup("pycrust").addoption(
        "--gil-stalls", nargs="?", const=20.0, type=milliseconds, metavar="MS",
        help="say which lines held the GIL while others waited for MS milliseconds or more (default 20)",
    )  # fmt: skip


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "releases_gil(rounds=5, seconds=2.0): run the test again and again in a thread, and fail it if it holds the GIL",
    )
    if config.getoption("gil_stalls") is not None:
        config.pluginmanager.register(GilStalls(config), "pycrust-stalls")


@pytest.fixture
def assert_releases_gil():
    """`pycrust.bench.assert_releases_gil`: fail unless a function lets other threads run."""
    from pycrust.bench import assert_releases_gil

    return assert_releases_gil


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    marker = pyfuncitem.get_closest_marker("releases_gil")
    if marker is None:
        return None
    from pycrust.bench import assert_releases_gil

    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    assert_releases_gil(partial(pyfuncitem.obj, **arguments), *marker.args, **marker.kwargs)
    return True


class GilStalls:
    """Watches while the tests run, and shows what it saw."""

    def __init__(self, config):
        from contextlib import ExitStack

        from pycrust.bench import stalls

        if hasattr(config, "workerinput") or config.getoption("numprocesses", None):
            raise pytest.UsageError("--gil-stalls watches one process: not with -n")
        self.tests = []
        self.stack = ExitStack()
        try:
            self.watch = self.stack.enter_context(stalls(config.getoption("gil_stalls") / 1e3))
        except (RuntimeError, ValueError) as error:
            raise pytest.UsageError(f"--gil-stalls: {error}") from None
        self.start = time.perf_counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid):
        self.tests.append((time.perf_counter() - self.start, nodeid))

    def pytest_terminal_summary(self, terminalreporter):
        self.stack.close()
        self.watch.program, self.watch.tests = "pytest", self.tests
        terminalreporter.section("stalls")
        for table in self.watch.tables():
            terminalreporter.write_line(table.plain())
            terminalreporter.write_line("")

    def pytest_unconfigure(self):
        self.stack.close()
