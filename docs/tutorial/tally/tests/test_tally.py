import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tally
from pycrust.bench import assert_releases_gil

EDGES = np.linspace(-4, 4, 41)
X = np.random.default_rng(0).normal(size=3_000_000)


@pytest.mark.parametrize("size", [0, 1, 1000, 3_000_000])
def test_counts_as_numpy_does(size):
    assert tally.histogram(X[:size], EDGES).tolist() == np.histogram(X[:size], EDGES)[0].tolist()


def test_edges_nan_and_what_lies_outside():
    assert tally.histogram([-1, 0, 0.5, 1, 1, 2, 9, np.nan], [0, 1, 2]).tolist() == [2, 3]


def test_rows():
    rows = X.reshape(-1, 1000)
    assert tally.histogram_rows(rows, EDGES).tolist() == [tally.histogram(row, EDGES).tolist() for row in rows]


@pytest.mark.parametrize("edges", [[], [1], [1, 1], [2, 1], [0, np.nan], [[0, 1]]])
def test_wrong_edges_are_refused(edges):
    with pytest.raises(ValueError, match="each above the one before"):
        tally.histogram(X, edges)


def test_parts_in_threads_add_up():
    with ThreadPoolExecutor() as pool:
        parts = pool.map(lambda part: tally.histogram(part, EDGES), np.array_split(X, 7))
    assert sum(parts).tolist() == tally.histogram(X, EDGES).tolist()


def test_releases_the_gil():
    assert_releases_gil(tally.histogram, X, EDGES)
    assert_releases_gil(tally.histogram_rows, X.reshape(-1, 1000), EDGES)


def test_ctrl_c_ends_a_long_call():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        tally.histogram(np.zeros(10**8), EDGES)
