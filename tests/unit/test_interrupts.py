"""Exceptions from signal handlers, at random moments of every kind of call: that exception, and nothing half done."""

import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix"),
    pytest.mark.measures,
]

# Each call is tried until it has been struck so often, at moments spread over the time that it takes.
SCRIPT = """
import os, random, signal, sys, time
import numpy as np
import pycrust

def threads():
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 0

threads_before = threads()      # NumPy may have its own
struck, workers = int(sys.argv[1]), int(sys.argv[2])
random.seed(struck + workers)
armed = False       # a signal may reach a helper just as that ends, and be handled here so much later

def strike(*_):
    if armed:
        raise KeyboardInterrupt

signal.signal(signal.SIGALRM, strike)
x = np.random.default_rng(0).normal(size=600_000)
ints = np.arange(-300_000, 300_000)
mask = x > 0
wild = np.append(x, 1e300)
square = x[:562_500].reshape(750, 750)
windows = np.lib.stride_tricks.sliding_window_view(np.ones((30,) * 3, "f4"), (12,) * 3)
some = np.broadcast_to(np.random.default_rng(1).random((12,) * 3) < 0.9, windows.shape)
total = pycrust.Accumulator()
out = np.full(750, 9.0)
words = np.full(600, 9)
sums = np.full(500_000, 9)

def update(*args, **kwargs):
    before = total.count
    try:
        total.update(*args, workers=workers, **kwargs)
    finally:
        assert total.count - before in (0, x.size, int(mask.sum())), total

CALLS = {
    "whole": lambda: pycrust.sumsq(x, workers=workers),
    "norm of every second": lambda: pycrust.norm(x[::2], workers=workers),
    "rows": lambda: pycrust.norm(square, axis=1, out=out, workers=workers),
    "columns": lambda: pycrust.rms(square, axis=0, out=out, workers=workers),
    "few long rows": lambda: pycrust.sumsq(x.reshape(3, -1), axis=1, workers=workers),
    "whole ints": lambda: pycrust.sumsq(ints, workers=workers),
    "ints": lambda: pycrust.sumsq(ints.reshape(600, -1), axis=1, out=words, workers=workers),
    "objects": lambda: pycrust.sumsq(ints.reshape(600, -1), axis=1, dtype=object, workers=workers),
    "list": lambda: pycrust.sumsq(list(range(10**30, 10**30 + 300)), workers=workers),
    "mask": lambda: pycrust.sumsq(x, where=mask, workers=workers),
    "windows": lambda: pycrust.sumsq(windows, where=some, workers=workers),
    "update": lambda: update(x),
    "update, mask": lambda: update(ints, where=mask),
    "sum": lambda: pycrust.sum(x, workers=workers),
    "dot": lambda: pycrust.dot(x, x[::-1], workers=workers),
    "dot of ints": lambda: pycrust.dot(ints, ints, workers=workers),
    "vecdot of columns": lambda: pycrust.vecdot(square, square, axis=0, out=out, workers=workers),
    "average, the exact way": lambda: pycrust.average(x, weights=wild[1:], workers=workers),
    "cov": lambda: pycrust.cov(square[:4], workers=workers),
    "corrcoef of long vectors": lambda: pycrust.corrcoef(x, wild[1:], workers=workers),
    "mse": lambda: pycrust.mse(x, x[::-1], workers=workers),
    "std": lambda: pycrust.std(x, workers=workers),
    "std, the exact way": lambda: pycrust.std(wild, workers=workers),
    "sums of ints": lambda: pycrust.sum(ints.reshape(600, -1), axis=1, out=words, workers=workers),
    "var of rows": lambda: pycrust.var(square, axis=1, out=out, workers=workers),
    "var of columns": lambda: pycrust.var(square, axis=0, out=out, ddof=0.5, workers=workers),
    "range": lambda: pycrust.threadable_sum_of_squares(20_000_000),
    "holding the GIL": lambda: pycrust.sum_of_squares(20_000_000),
    "batch": lambda: pycrust.sum_of_squares_batch(ints, out=ints_out),
    "batch by formula": lambda: pycrust.sum_of_squares_batch(ints, method="formula", dtype=float),
}
ints_out = np.full(ints.shape, 9)

OUTS = {"rows": out, "columns": out, "ints": words, "batch": ints_out}
OUTS |= {"sums of ints": words, "var of rows": out, "var of columns": out, "vecdot of columns": out}

def untouched_or_right(name, right):
    for array in (out, words, ints_out):
        whole = name in OUTS and array is OUTS[name] and right is not None and np.array_equal(array, right)
        assert whole or (array == 9).all(), (name, array)
        array[:] = 9

strikes = 0
for name, call in CALLS.items():
    took = 1.0
    for _ in range(3):      # the first is slower than those to come
        start = time.perf_counter()
        call()
        took = min(took, time.perf_counter() - start)
    right = OUTS[name].copy() if name in OUTS else None
    untouched_or_right(name, right)
    seen = done = 0
    while seen < struck and done < 100 * struck:
        done += 1
        try:
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, max(random.uniform(0, 1.1 * took), 1e-6))
                call()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                armed = False
        except KeyboardInterrupt:
            seen += 1
        except BaseException as error:
            raise AssertionError(f"{name} raised {error!r}") from error
        untouched_or_right(name, right)
    strikes += seen
    assert seen >= struck / 2, (name, seen, done)
    end = time.monotonic() + 5
    while threads() > threads_before:       # the last of them are ending
        assert time.monotonic() < end, (threads(), threads_before)
assert pycrust.sumsq(x, workers=workers) == pycrust.sumsq(x)
print("right", strikes)
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_interrupts_at_random_moments(workers, at_length):
    struck = 1000 if at_length else 12
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(struck), str(workers)],
        capture_output=True,
        text=True,
        timeout=3000 if at_length else 120,
    )
    assert done.stdout.startswith("right"), done.stderr
    assert done.returncode == 0


def test_a_handler_that_forks():
    """The child has no helpers to wait for: an error there, and the right answer here."""
    script = """
import os, signal
import numpy as np
import pycrust

a = np.random.default_rng(0).normal(size=1000)
rows = np.lib.stride_tricks.sliding_window_view(np.random.default_rng(1).normal(size=1 << 20), 1 << 18)[:20000]
children = []

def fork(*_):
    child = os.fork()
    if child:
        children.append(child)

signal.signal(signal.SIGALRM, fork)
here = os.getpid()
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    pycrust.sumsq(rows[:, ::2], workers=2)
except RuntimeError as error:
    os._exit(7 if os.getpid() != here and "forked" in str(error) else 1)
if os.getpid() != here:
    os._exit(2)
assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [7], children
print("right")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "right\n", done.stderr
