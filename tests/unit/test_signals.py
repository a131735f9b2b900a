"""Ctrl-C ends every long call on the main thread, and leaves nothing behind."""

import signal
import subprocess
import sys
import time

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals"),
    pytest.mark.measures,
]

# Each would run for minutes at the fastest level.
LONG = {
    "sum_of_squares": "pycrust.sum_of_squares(pycrust_max)",
    "threadable_sum_of_squares": "pycrust.threadable_sum_of_squares(pycrust_max)",
    "batch": "pycrust.sum_of_squares_batch([5, pycrust_max], dtype=object)",
}

ended_by_sigint = pytest.mark.parametrize("call", LONG.values(), ids=LONG)


@ended_by_sigint
def test_ctrl_c(call):
    """Prints how long it took to see it (pytest -rP)."""
    script = f"""
import time
import pycrust
pycrust_max = 7_991_780_883_560
print("ready", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
    assert pycrust.sum_of_squares(4) == 30
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    print(f"{1000 * (float(out) - sent):.0f} ms")


@pytest.mark.slow
@ended_by_sigint
def test_python_signal_handlers_run_within_100_ms_of_work(python, call):
    """Alarms every 50 ms of processor time, of which other programs take none: a handler sees each soon after."""
    script = f"""
import signal, statistics, sys, time
import pycrust

pycrust_max = 7_991_780_883_560
due = 0.0
delays = []

class Enough(Exception):
    pass

def arm():
    global due
    due = time.process_time() + 0.05
    signal.setitimer(signal.ITIMER_PROF, 0.05)

def handler(*_):
    delays.append(time.process_time() - due)
    if len(delays) == 11:
        raise Enough
    arm()

signal.signal(signal.SIGPROF, handler)
arm()
try:
    {call}
except Enough:
    print(statistics.median(delays))
"""
    process = python(script)
    assert float(process.stdout) < 0.1, process.stderr


def test_a_handler_that_returns_changes_nothing(python):
    script = """
import signal
import pycrust
seen = []
signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
n = 10**9
for function in (pycrust.sum_of_squares, pycrust.threadable_sum_of_squares):
    assert function(n) == n * (n + 1) * (2 * n + 1) // 6
assert pycrust.sum_of_squares_batch([3, n], dtype=object).tolist() == [14, n * (n + 1) * (2 * n + 1) // 6]
signal.setitimer(signal.ITIMER_REAL, 0)
assert seen
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    process = python(script)
    assert process.returncode == 0, process.stderr


def test_out_stays_as_it_was(python):
    script = """
import signal
import numpy as np
import pycrust
out = np.full(2, 9.0)
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 0.1)
try:
    pycrust.sum_of_squares_batch([5, 7_991_780_883_560], dtype=np.float64, out=out)
except KeyboardInterrupt:
    print(out.tolist())
"""
    assert python(script).stdout == "[9.0, 9.0]\n"


# Handlers that return, in calls of several slices, and what is allocated when they run.
HANDLE = """
import signal, tracemalloc
import numpy as np
import pycrust
from pycrust.reference import sum_of_squares_batch

seen = set()

def handler(number, frame):
    if frame.f_code.co_name == "<module>":  # not in a Python function of NumPy's
        seen.add(look(tracemalloc.get_traced_memory()[0]))

def start():
    signal.signal(signal.SIGALRM, handler)
    tracemalloc.start()
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
"""


@pytest.mark.parametrize("method, dtype", [("loop", "int64"), ("formula", "int64"), ("formula", "float64")])
def test_handlers_run_while_many_small_n_are_looked_up(python, method, dtype):
    """That is, after the sums were allocated, and before `out` is written."""
    script = f"""{HANDLE}
def look(allocated):
    return allocated >= out.nbytes and out[-1] == 9

some = [3, 1, 0, 2]
ns = np.array(some).repeat(1_250_000)
out = np.full(ns.shape, 9, dtype={dtype!r})
start()
pycrust.sum_of_squares_batch(ns, out=out, method={method!r}, dtype={dtype!r})
signal.setitimer(signal.ITIMER_REAL, 0)
assert True in seen, seen
assert (out.reshape(4, -1).T == [14, 1, 0, 5]).all()
"""
    process = python(script)
    assert process.returncode == 0, process.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "some, dtype, sizes",
    [
        ([5_000_000, 4_194_305, 4_194_304, 4_194_303, 7], "float64", {16, 24}),
        ([500_000, 7], "object", {24}),  # and the ints: there are looks at each size above
    ],
)
def test_handlers_run_while_sums_are_made_and_while_they_are_converted(python, some, dtype, sizes):
    """The results come on top of two words for each sum."""
    script = f"""{HANDLE}
def look(allocated):
    return min(24, allocated // {some[0]})

some = {some}
ns = np.array(some).repeat({2 * some[0] // len(some) // 4})
start()
result = pycrust.sum_of_squares_batch(ns, dtype={dtype!r})
signal.setitimer(signal.ITIMER_REAL, 0)
assert {sizes} <= seen, seen
expected = np.array(sum_of_squares_batch(some, method="formula"), dtype={dtype!r})
assert (result.reshape({len(some)}, -1).T == expected).all()
"""
    process = python(script)
    assert process.returncode == 0, process.stderr
