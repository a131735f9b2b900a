"""Who runs while the kernel runs: seen by a heartbeat, never by a speedup.

A thread ticks while the kernel runs in another. Its longest stall is about the whole call when the GIL is
held, and a small part of it when not. A busy machine only ever lengthens a stall, so the shortest of a few
attempts counts where a short one is expected.
"""

import os
import threading
import time
import tracemalloc

import numpy as np
import pytest

from pycrust import (
    Accumulator,
    cumsum,
    mean,
    move_std,
    simd,
    std,
    sum_of_squares,
    sum_of_squares_batch,
    threadable_sum_of_squares,
    var,
)
from pycrust.bench.machine import free_threaded_build, gil_enabled

# About half a second each.
N = {"portable": 1_500_000_000, "avx2": 2_500_000_000, "avx512": 5_000_000_000, "avx512ifma": 10_000_000_000}[simd()]

gil_only = pytest.mark.skipif(not gil_enabled(), reason="without a GIL nobody can hold it")


def stall(function):
    """The heartbeat's longest stall while the function runs in another thread, as a part of its time."""
    span = []
    started, done = threading.Event(), threading.Event()

    def work():
        started.wait()
        start = time.perf_counter()
        function()
        span.extend([start, time.perf_counter()])
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    ticks = [time.perf_counter()]
    started.set()
    while not done.is_set():
        time.sleep(0.001)
        ticks.append(time.perf_counter())
    worker.join()
    start, end = span
    longest = max(min(b, end) - max(a, start) for a, b in zip(ticks, ticks[1:]))
    return longest / (end - start)


def shortest_stall(function, limit=0.5, attempts=5):
    best = 1.0
    for _ in range(attempts):
        best = min(best, stall(function))
        if best < limit:
            break
    return best


@pytest.mark.measures
@gil_only
@pytest.mark.parametrize(
    "call",
    [lambda a: move_std(a, 1000), cumsum, lambda a: cumsum(a.view(np.int32))],
    ids=["move_std", "cumsum", "integers"],
)
def test_windows_run_without_the_gil(call):
    a = np.random.default_rng(0).normal(size=2**23)
    assert shortest_stall(lambda: call(a)) < 0.5


@pytest.mark.measures
@gil_only
def test_states_are_pickled_without_the_gil():
    many = Accumulator(shape=2**18)
    many.update(WINDOWS[: 2**6].reshape(-1), labels=np.arange(2**18))
    assert shortest_stall(many.__reduce__, 0.3) < 0.3  # it is not when they are copied


@pytest.mark.measures
@gil_only
def test_numbers_are_added_to_states_without_the_gil():
    labels = np.arange(2**12) % 10
    assert shortest_stall(lambda: Accumulator(shape=(2**12, 10)).update(WINDOWS[: 2**12], labels=labels)) < 0.5


@pytest.mark.measures
@gil_only
def test_results_of_states_are_rounded_without_the_gil():
    many = Accumulator(shape=2**20)
    many.update(WINDOWS[:4].reshape(4, -1).repeat(2**8, axis=1), axis=0)
    assert shortest_stall(many.std) < 0.5


@pytest.mark.measures
@gil_only
def test_sum_of_squares_holds_the_gil():
    assert stall(lambda: sum_of_squares(N)) > 0.8


@pytest.mark.skipif(not free_threaded_build(), reason="this build has a GIL at all times")
def test_importing_leaves_the_gil_off(python):
    env = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    process = python("import sys, pycrust, pycrust.bench; print(sys._is_gil_enabled())", env=env)
    assert (process.stdout, process.stderr) == ("False\n", "")


# Two thousand million numbers in eight megabytes.
WINDOWS = np.lib.stride_tricks.sliding_window_view(np.random.default_rng(0).normal(size=2**20), 2**12)[: 2**19]

RELEASING = {
    "single": lambda: threadable_sum_of_squares(N),
    "batch, sparse stops": lambda: sum_of_squares_batch([N // 2, N], dtype=object),
    "batch, a stop at every integer": lambda: sum_of_squares_batch(np.arange(3_000_000).repeat(10)),
    "moments, whole": lambda: var(WINDOWS),
    "moments, rows": lambda: std(WINDOWS, axis=1),
    "moments, columns": lambda: mean(WINDOWS, axis=0),
    "batch, formula": lambda: sum_of_squares_batch(np.full(10**7, 10**6), method="formula"),
}


@pytest.mark.slow
@pytest.mark.measures
@pytest.mark.parametrize("function", RELEASING.values(), ids=RELEASING)
def test_the_others_release_it(function):
    assert shortest_stall(function) < 0.5


@pytest.mark.measures
@pytest.mark.parametrize(
    "ns, dtype, phases",
    [
        (np.full(2_000_000, 5_000_000), np.float64, {16, 24}),  # two words for each n up to 5 000 000; they rounded
        (np.full(5_000_000, 3_000_000), np.int64, {2, 10}),  # every other sum up to 3 000 000; one for each of ns
    ],
    ids=["rounded", "gathered"],
)
def test_the_others_run_in_each_part_of_it(ns, dtype, phases):
    """What is allocated, in fives of megabytes, tells the parts apart."""
    seen = set()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            worker = threading.Thread(target=sum_of_squares_batch, args=(ns,), kwargs={"dtype": dtype})
            worker.start()
            while worker.is_alive():
                time.sleep(0.0002)
                seen.add((tracemalloc.get_traced_memory()[0] - before) // 5_000_000)
            if phases <= seen:
                break
    finally:
        tracemalloc.stop()
    assert phases <= seen


def test_a_worker_never_takes_the_gil_back_midway(monkeypatch):
    """Only a look for signals would, and each look reads the clock."""
    looks = []
    clock = time.perf_counter
    monkeypatch.setattr("time.perf_counter", lambda: looks.append(threading.current_thread()) or clock())

    def work():
        threadable_sum_of_squares(10**8)
        sum_of_squares(10**8)
        sum_of_squares_batch([10**8, 10**6], dtype=np.float64)
        sum_of_squares_batch(np.arange(5_000_000) // 2)
        sum_of_squares_batch(np.full(5_000_000, 10**6), method="formula")

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    assert worker not in looks
    work()
    assert looks


def test_threads_get_the_right_numbers():
    """Eight threads over one shared array and own numbers."""
    shared = np.arange(200_000)
    expected = sum_of_squares_batch(shared)
    results = []

    def work(k):
        mine = threadable_sum_of_squares(10**6 + k)
        batch = sum_of_squares_batch(shared)
        results.append(mine == sum_of_squares(10**6 + k, method="formula") and (batch == expected).all())

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


@pytest.mark.slow
def test_a_writer_cannot_crash_a_reader():
    """To write to ns meanwhile is the caller's error: the sums may be of either time, but nothing breaks."""
    dense, sparse = np.full(300_000, 10**6), np.full(3, 10**6)
    done = threading.Event()

    def write():
        while not done.is_set():
            dense[-1] = sparse[-1] = 2**50
            dense[-1] = sparse[-1] = 10**6

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(50):
            for ns in (dense, sparse):
                for kwargs in ({"dtype": np.uint64}, {"dtype": object}, {"dtype": np.uint64, "method": "formula"}):
                    try:
                        sum_of_squares_batch(ns, **kwargs)
                    except OverflowError:
                        pass
    finally:
        done.set()
        writer.join()


WRITER = """
import threading, time, warnings
import numpy as np
import pycrust

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
easy = rng.normal(size=100_000)
hard = np.ldexp(rng.choice([-1.0, 1.0], 100_000), rng.integers(-1074, 1023, 100_000))
hard[::1000] = rng.choice([np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7e308], 100)
a, mask = easy.copy(), easy > 0
done = threading.Event()

def write():
    while not done.is_set():
        a[:], mask[:] = hard, True
        a[:], mask[:] = easy, False

writer = threading.Thread(target=write)
writer.start()
end = time.monotonic() + 2
rounds = 0
while time.monotonic() < end or rounds < 2:
    rounds += 1
    for f in pycrust.sumsq, pycrust.norm, pycrust.rms, pycrust.sum, pycrust.mean, pycrust.var, pycrust.std:
        for b in a, a[::3], a.view("f4"), a.view("f2"), a.view("c16"), a.view("i4"):
            f(b)
            f(b, workers=2, where=mask[: b.size] if b.size <= mask.size else True)
        f(a.reshape(200, -1), axis=0, workers=2)
        f(a.reshape(20, -1), axis=1, where=mask.reshape(20, -1))
    for b in a, a.view("f4"), a.view("i4"):
        pycrust.dot(b, b[::-1], where=mask if b.size == mask.size else True)
        pycrust.vecdot(b.reshape(-1, 5), b[:5], dtype=object if b.dtype.kind == "i" else None)
        pycrust.cov(b, b[::-1])
        pycrust.corrcoef(b, b, workers=2)
        pycrust.mse(b, b)
    assert not pycrust.var(a) < 0
    pycrust.Accumulator(a).merge(pycrust.Accumulator(a, where=mask))
done.set()
writer.join()
assert pycrust.sumsq(easy) == pycrust.sumsq(easy.copy(), workers=2)
"""


@pytest.mark.slow
def test_a_writer_cannot_crash_a_reader_of_data(python, level):
    """Numbers of every size come and go under the kernels, and masks: sums of neither state, but nothing breaks."""
    process = python(WRITER, env={**os.environ, "PYCRUST_SIMD": level})
    assert process.returncode == 0, process.stderr
