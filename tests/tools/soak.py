"""
Everything at once, for as many minutes as one likes: a script, for Linux.

Threads take jobs at random: reductions of arrays of every type and layout, along axes, masked, with workers, into
`out`; groups, and states of columns; ranges and batches; accumulators of their own, and some that all share; dask; calls that must fail; forks. Meanwhile
another thread changes the SIMD levels, signals throw exceptions into what the main thread computes, and other
interpreters are spawned. Every answer is compared, bit by bit, with what Python's ints and Fractions gave beforehand; a call that
was struck must be wholly done or not at all. It goes in rounds: after each the threads are joined, the shared
accumulators compared with what was added to them, and the memory is measured.

At the end memory must be flat (see `is_flat`), and there must be no more threads or open files than at the start.
"""

import argparse
import copy
import ctypes
import faulthandler
import gc
import multiprocessing
import os
import pickle
import random
import signal
import statistics
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import dask.array as da
import dask.utils
import numpy as np
from hard_arrays import (
    DTYPES,
    EXACT,
    FUNCTIONS,
    RANGE,
    assert_same,
    dtypes_of,
    exactly,
    floats,
    layouts,
    state_of,
)

import pycrust
import pycrust.dask
from pycrust import _core, reference

ROUND, ROUNDS = 20.0, 6  # seconds, or less in a short run, which has that many all the same
SPREADS = ("var", "std")
BESIDE = ("changes of level", "interrupts", "spawned")  # counted, and no jobs

# ---- what is asked, and the answers -------------------------------------------


def numbers(rng, dtype, n):
    """Any bits of integers; floats of any exponents, some with a small spread, Inf or NaN."""
    dtype = np.dtype(dtype)
    if dtype == bool:
        return rng.random(n) < 0.5
    if dtype.kind in "iu":
        return np.frombuffer(rng.bytes(n * dtype.itemsize), dtype).copy()
    part = {"c8": "f4", "c16": "f8"}.get(dtype.str[1:], dtype.str[1:])
    lowest, highest = RANGE[part]
    n *= 2 if dtype.kind == "c" else 1
    spread = int(rng.choice([0, 8, 52, 700]))
    a = floats(rng, n, highest=rng.integers(lowest // 2, highest, endpoint=True), spread=spread)
    if rng.random() < 0.3:
        a = 1.7e9 + rng.random(n) if part == "f8" else 7 + rng.random(n) / 64
    if rng.random() < 0.2:
        a[rng.integers(n, size=2)] = rng.choice([np.inf, -np.inf, np.nan], 2)
    with np.errstate(over="ignore"):
        return a.astype(part).view(dtype)


class Data:
    """A table of numbers, repeated sideways 2**doublings times, and what each function must give."""

    def __init__(self, rng, dtype, masked, doublings=0):
        rows, columns = 12, 50
        times = 2**doublings
        a = numbers(rng, dtype, rows * columns).reshape(rows, columns)
        where = rng.random(a.shape) < rng.choice([0.2, 0.9]) if masked else np.ones(a.shape, bool)
        views = [view for _, view in layouts(np.tile(a, times))]
        self.a = views[rng.integers(len(views))]
        self.where = np.tile(where, times) if masked else True
        by_axis = {
            None: [reference.Accumulator(a, where)],
            0: [reference.Accumulator(a[:, k], where[:, k]) for k in range(columns)],
            1: [reference.Accumulator(a[k], where[k]) for k in range(rows)],
        }
        for total in by_axis[None] + by_axis[1]:
            for _ in range(doublings):
                total.merge(total)
        self.total = by_axis[None][0]
        self.questions = []
        for axis, totals in by_axis.items():
            for name in FUNCTIONS:
                for dtype in map(np.dtype, dtypes_of(name, a)):
                    for spread in [{"ddof": 0}, {"ddof": 1}, {"ddof": 0.1}] if name in SPREADS else [{}]:
                        answers = [getattr(total, name)(dtype=dtype, **spread) for total in totals]
                        expected = np.tile(np.array(answers, dtype), times if axis == 0 else 1)
                        self.questions.append((name, axis, spread, expected.reshape(() if axis is None else -1)))
        # By labels of the columns, along both axes; label 3 is that of none. And a state for each column.
        labels = rng.integers(-1, 3, columns)
        self.labels = np.broadcast_to(np.tile(labels, times), self.a.shape)
        self.groups = [reference.Accumulator(a[:, labels == k], where[:, labels == k]) for k in range(4)]
        for group in self.groups:
            for _ in range(doublings):
                group.merge(group)
        self.columns = by_axis[0] * times

    def question(self, rng):
        """(name, arguments, what it must give), the array apart."""
        name, axis, spread, expected = rng.choice(self.questions)
        arguments = {"axis": axis, "where": self.where, "dtype": expected.dtype, **spread}
        ints = name in EXACT and exactly(self.a)
        usual = ("O" if axis is None else "") if ints else dtypes_of(name, self.a)[0]
        if usual and expected.dtype == usual and rng.random() < 0.5:
            del arguments["dtype"]
        return name, arguments, expected


class Windows:
    """A table whose rows overlap: work for milliseconds, in little memory."""

    def __init__(self, rng, dtype, rows=300, row=1 << 16):
        few = rng.integers(-1000, 1000, rows + row - 1).astype(dtype)
        self.a = np.lib.stride_tricks.sliding_window_view(few, row)
        sums, squares = [0], [0]
        for x in map(int, few):
            sums.append(sums[-1] + x)
            squares.append(squares[-1] + x * x)
        totals = []
        for k in range(rows):
            total = reference.Accumulator(np.empty(0, dtype))
            total.count = row
            total._sumsq, total._sums[0] = (Fraction(x[k + row] - x[k]) for x in (squares, sums))
            totals.append(total)
        self.total = sum(totals, reference.Accumulator())
        self.whole = {name: getattr(self.total, name)() for name in FUNCTIONS}
        self.rows = {name: np.array([getattr(total, name)() for total in totals]) for name in FUNCTIONS}


def squares_up_to(n):
    return n * (n + 1) * (2 * n + 1) // 6 if n > 0 else 0


# ---- what the threads do ------------------------------------------------------


class Shared:
    """Accumulators that all threads add to, and how often each has added what; one of them is always of one mean."""

    def __init__(self):
        self.totals = [pycrust.Accumulator() for _ in range(3)]
        self.even = pycrust.Accumulator(EVEN)


EVEN = np.array([0.3, 1e-200, 7e150] * 3)
EVEN_MEAN, EVEN_RMS = reference.mean(EVEN), reference.rms(EVEN)


class Worker:
    """One thread's jobs; what it did, and what it added to the shared accumulators."""

    def __init__(self, seed, pool, shared, dask_pool):
        self.rng = random.Random(seed)
        self.pool = pool
        self.shared = shared
        self.dask_pool = dask_pool
        self.did = Counter()
        self.added = Counter()  # (which shared one, which of the pool)
        self.jobs = {
            self.reduction: 50,
            self.range: 6,
            self.batch: 8,
            self.accumulator: 10,
            self.groups: 10,
            self.states: 5,
            self.add_to_shared: 20,
            self.read_shared: 15,
            self.mistake: 6,
            self.dask: 4,
            self.fork: 0.5,
        }

    def run(self, until, faults):
        names, weights = list(self.jobs), list(self.jobs.values())
        try:
            while time.monotonic() < until and not faults:
                job = self.rng.choices(names, weights)[0]
                job()
                self.did[job.__name__] += 1
                time.sleep(self.rng.uniform(0, 0.02))
        except BaseException:
            faults.append(traceback.format_exc())

    def reduction(self):
        data = self.rng.choice(self.pool)
        name, arguments, expected = data.question(self.rng)
        call = getattr(pycrust, name)
        workers = self.rng.choice([1, 1, 2, 3, 4])
        way = self.rng.choice(["plain", "plain", "keepdims", "out"])
        if way == "plain":
            result = call(data.a, workers=workers, **arguments)
            assert_same(result, expected if expected.ndim else expected.item())
            return
        arguments["dtype"] = expected.dtype
        kept = expected
        if way == "keepdims":
            axis = arguments["axis"]
            kept = expected.reshape([1 if axis in (None, k) else n for k, n in enumerate(data.a.shape)])
            assert_same(call(data.a, workers=workers, keepdims=True, **arguments), kept)
            return
        out = np.full(expected.shape, 9, expected.dtype)
        assert call(data.a, workers=workers, out=out, **arguments) is out
        assert_same(out, expected)

    def range(self):
        n = self.rng.randrange(10 ** self.rng.randrange(8))
        assert_same(pycrust.threadable_sum_of_squares(n), squares_up_to(n))
        assert_same(pycrust.sum_of_squares(n // 10), squares_up_to(n // 10))
        n **= 4
        assert_same(pycrust.threadable_sum_of_squares(n, method="formula"), squares_up_to(n))
        assert pycrust.simd() in LEVELS

    def batch(self):
        ns = [self.rng.randrange(-5, 10 ** self.rng.randrange(1, 6)) for _ in range(self.rng.randrange(60))]
        method, dtype = self.rng.choice(["loop", "formula"]), self.rng.choice(["i8", "u8", "f8", "O"])
        expected = np.array(list(map(squares_up_to, ns)), dtype)
        out = self.rng.choice([None, np.full(len(ns), 9, dtype)])
        assert_same(pycrust.sum_of_squares_batch(np.array(ns, "i8"), dtype=dtype, out=out, method=method), expected)

    def accumulator(self):
        total, expected = pycrust.Accumulator(), reference.Accumulator()
        for data in self.rng.sample(self.pool, 4):
            part = pycrust.Accumulator(data.a, where=data.where, workers=self.rng.choice([1, 2]))
            way = self.rng.randrange(4)
            if way == 0:
                total.merge(part)
            elif way == 1:
                total = part + total
            elif way == 2:
                total += pickle.loads(pickle.dumps(part))
            else:
                total = copy.copy(total)
                total.update(data.a, where=data.where)
            expected.merge(data.total)
        assert total.__reduce__()[2] == state_of(expected)
        for name in FUNCTIONS:
            assert_same(getattr(total, name)(), getattr(expected, name)())

    def groups(self):
        """By labels, in any of the ways that they may lie."""
        data, name = self.rng.choice(self.pool), self.rng.choice(["sum", "mean", "var", "std", "sumsq"])
        a, labels, where = data.a, data.labels, data.where
        way = self.rng.randrange(3)
        if way:  # in an order of their own, or sorted
            order = np.random.default_rng(self.rng.randrange(2**32)).permutation(a.size)
            order = order if way == 1 else order[np.argsort(labels.reshape(-1)[order], kind="stable")]
            a, labels = a.reshape(-1)[order], labels.reshape(-1)[order]
            where = where if where is True else where.reshape(-1)[order]
        dtype = "O" if name in EXACT and exactly(a) else dtypes_of(name, a)[0]
        expected = np.array([getattr(group, name)() for group in data.groups], dtype)
        workers = self.rng.choice([1, 2, 3])
        call = getattr(pycrust, f"group_{name}")
        assert_same(call(a, labels, axis=None, num_labels=4, where=where, dtype=dtype, workers=workers), expected)

    def states(self):
        """A state for each column or group, in parts."""
        data, name = self.rng.choice(self.pool), self.rng.choice(FUNCTIONS)
        total = pycrust.Accumulator(shape=data.a.shape[1])
        cut = self.rng.randrange(len(data.a) + 1)
        for rows in (slice(cut), slice(cut, None)):
            where = data.where if data.where is True else data.where[rows]
            part = pycrust.Accumulator(shape=total.shape)
            part.update(data.a[rows], axis=0, where=where, workers=self.rng.choice([1, 2]))
            total = total + pickle.loads(pickle.dumps(part)) if self.rng.random() < 0.5 else part + total
        each = pycrust.Accumulator(shape=4)
        each.update(data.a, labels=data.labels, where=data.where, axis=None)
        for got, expected in ((total, data.columns), (each, data.groups)):
            assert got.count.tolist() == [one.count for one in expected]
            k, results = self.rng.randrange(len(expected)), getattr(got, name)()
            assert got[k].__reduce__()[2] == state_of(expected[k])
            assert_same(results, np.array([getattr(one, name)() for one in expected], results.dtype))

    def add_to_shared(self):
        which, k = self.rng.randrange(len(self.shared.totals)), self.rng.randrange(len(self.pool))
        total, data = self.shared.totals[which], self.pool[k]
        way = self.rng.randrange(3)
        if way == 0:
            total.update(data.a, where=data.where, workers=self.rng.choice([1, 2]))
        elif way == 1:
            total.merge(pycrust.Accumulator(data.a, where=data.where))
        else:
            total += pickle.loads(pickle.dumps(pycrust.Accumulator(data.a, where=data.where)))
        self.added[which, k] += 1
        self.shared.even.update(EVEN)
        self.added["even"] += 1

    def read_shared(self):
        """Whatever is read is of one moment."""
        even = self.shared.even
        for again in (even, copy.copy(even), even + even, pickle.loads(pickle.dumps(even))):
            assert_same(again.mean(), EVEN_MEAN)
            assert_same(again.rms(), EVEN_RMS)
            assert again.count % EVEN.size == 0
        repr(self.rng.choice(self.shared.totals).__reduce__())

    def mistake(self):
        """Errors that leave all as it was."""
        out = np.full(2, 9)
        total = pycrust.Accumulator([3])
        for error, call in (
            (OverflowError, lambda: pycrust.sumsq(np.full((2, 3), 2**40), axis=1, out=out, workers=2)),
            (OverflowError, lambda: pycrust.sum_of_squares_batch([1, 10**9], out=out, method="formula")),
            (TypeError, lambda: pycrust.std("text")),
            (ValueError, lambda: total.update(np.ones(2), where=[True] * 3)),
            (ValueError, lambda: total.__setstate__({"version": 1, "count": 2})),
        ):
            try:
                call()
            except error:
                pass
            else:
                raise AssertionError(f"no {error}")
        assert out.tolist() == [9, 9] and total == pycrust.Accumulator([3])

    def dask(self):
        data = self.rng.choice(self.pool)
        name, arguments, expected = data.question(self.rng)
        chunks = tuple(self.rng.randrange(1 + n // 4, n + 1) for n in data.a.shape)
        lazy = getattr(pycrust.dask, name)(da.from_array(data.a, chunks=chunks), **arguments)
        assert lazy.dtype == expected.dtype
        result = np.asarray(lazy.compute(scheduler="threads", pool=self.dask_pool), expected.dtype)
        assert_same(result, expected)

    def fork(self):
        """The child asks, too, and so does a thread of its."""
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for _ in range(10):
                    self.reduction()
                self.accumulator()
                thread = threading.Thread(target=self.read_shared)
                thread.start()
                thread.join()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        end = time.monotonic() + 120
        while (done := os.waitpid(child, os.WNOHANG)) == (0, 0):
            if time.monotonic() > end:
                os.kill(child, signal.SIGABRT)
                os.waitpid(child, 0)
                raise AssertionError("a forked child did not come to its end")
            time.sleep(0.002)
        assert done == (child, 0), f"a forked child ended with {done}"


class Struck(Exception):
    """What the handler raises, in turn with KeyboardInterrupt."""


class Main(Worker):
    """The main thread's jobs, into which exceptions come."""

    def __init__(self, seed, pool, shared, dask_pool, windows):
        super().__init__(seed, pool, shared, dask_pool)
        self.windows = windows
        self.perhaps = Counter()  # struck: added, or not
        self.armed = False
        signal.signal(signal.SIGALRM, self.strike)
        self.jobs = {
            self.whole: 10,
            self.rows_into_out: 10,
            self.own_update: 8,
            self.shared_update: 8,
            self.range_struck: 5,
            self.batch_struck: 5,
            self.reduction: 10,
            self.fork: 0.5,
        }

    def strike(self, number, frame):
        """A signal may reach a helper just as that ends, and be handled here so much later: then it strikes nothing."""
        if self.armed:
            raise random.choice([KeyboardInterrupt, Struck])

    def struck(self, call):
        """What it gives, or None if an exception came meanwhile."""
        try:
            try:
                self.armed = True
                signal.setitimer(signal.ITIMER_REAL, self.rng.uniform(1e-6, 0.008))
                return call()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                self.armed = False
        except (KeyboardInterrupt, Struck):
            self.did["interrupts"] += 1
            return None

    def whole(self):
        table, name = self.rng.choice(self.windows), self.rng.choice(FUNCTIONS)
        workers = self.rng.choice([1, 2, 3])
        result = self.struck(lambda: getattr(pycrust, name)(table.a, workers=workers))
        if result is not None:
            assert_same(result, table.whole[name])

    def rows_into_out(self):
        table, name = self.rng.choice(self.windows), self.rng.choice(FUNCTIONS)
        expected = table.rows[name]
        out = np.full_like(expected, 9)
        workers = self.rng.choice([1, 2, 3])
        self.struck(lambda: getattr(pycrust, name)(table.a, axis=1, out=out, workers=workers))
        if (out == 9).any():
            expected = np.full_like(expected, 9)
        assert_same(out, expected)

    def own_update(self):
        table = self.rng.choice(self.windows)
        total, expected = pycrust.Accumulator([3]), reference.Accumulator([3])
        self.struck(lambda: total.update(table.a, workers=self.rng.choice([1, 2])))
        if total.count > 1:
            expected.merge(table.total)
        assert total.__reduce__()[2] == state_of(expected)

    def shared_update(self):
        """What takes long, and no other thread adds."""
        total, table = self.shared.totals[0], self.windows[0]

        def update():
            total.update(table.a, workers=2)
            return True

        (self.added if self.struck(update) else self.perhaps)["windows"] += 1

    def range_struck(self):
        n = self.rng.randrange(10**8)
        result = self.struck(lambda: pycrust.threadable_sum_of_squares(n))
        assert result is None or result == squares_up_to(n)
        n //= 4
        result = self.struck(lambda: pycrust.sum_of_squares(n))
        assert result is None or result == squares_up_to(n)

    def batch_struck(self):
        out = np.full(BATCH.shape, 9)
        method = self.rng.choice(["loop", "formula"])
        self.struck(lambda: pycrust.sum_of_squares_batch(BATCH, out=out, method=method))
        assert_same(out, np.full_like(out, 9) if (out == 9).any() else BATCH_SUMS)


BATCH = np.arange(-1000, 300_000)[::-1]
BATCH_SUMS = np.array([squares_up_to(int(n)) for n in BATCH])


def elsewhere(a, where, part):
    """In another interpreter: an accumulator comes, and goes with more in it."""
    part.update(a, where=where, workers=2)
    return part


def spawn(rng, pool):
    one, other = rng.sample(pool, 2)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        part = pycrust.Accumulator(one.a, where=one.where)
        total = processes.submit(elsewhere, np.ascontiguousarray(other.a), other.where, part).result(120)
    assert total.__reduce__()[2] == state_of(one.total + other.total)


def change_levels(rng, until, faults, did):
    """Other kernels under the feet of all, every few milliseconds."""
    try:
        while time.monotonic() < until and not faults:
            _core._use_simd(rng.choice(LEVELS))
            did["changes of level"] += 1
            time.sleep(rng.uniform(0, 0.01))
    except BaseException:
        faults.append(traceback.format_exc())


def usable_levels():
    usable = []
    for level in ("portable", "avx2", "avx512", "avx512ifma"):
        try:
            _core._use_simd(_core._use_simd(level))
            usable.append(level)
        except RuntimeError:
            pass
    return usable


LEVELS = usable_levels()

# ---- rounds -------------------------------------------------------------------


def check_shared(shared, workers, pool, windows):
    """What the shared accumulators hold is what was added to them, each time once."""
    main = workers[0]
    added = sum((worker.added for worker in workers), Counter())
    for which, total in enumerate(shared.totals):
        expected = reference.Accumulator()
        for k, data in enumerate(pool):
            for _ in range(added[which, k]):
                expected.merge(data.total)
        for _ in range(added["windows"] if which == 0 else 0):
            expected.merge(windows[0].total)
        for _ in range(main.perhaps["windows"] if which == 0 else 0):  # struck: each was added, or not
            if total.count == expected.count:
                break
            expected.merge(windows[0].total)
        assert total.__reduce__()[2] == state_of(expected), (which, total, expected)
    assert shared.even.count == (1 + added["even"]) * EVEN.size
    assert shared.even.sum() == reference.sum(np.tile(EVEN, 1 + added["even"]))


def one_round(seed, seconds, pool, windows, spawning):
    """What was done in it."""
    rng = random.Random(seed)
    faults, did, shared = [], Counter(), Shared()
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(2) as dask_pool:
        main = Main(rng.random(), pool, shared, dask_pool, windows)
        workers = [main, *(Worker(rng.random(), pool, shared, dask_pool) for _ in range(3))]
        threads = [threading.Thread(target=worker.run, args=(until, faults)) for worker in workers[1:]]
        threads.append(threading.Thread(target=change_levels, args=(rng, until, faults, did)))
        for thread in threads:
            thread.start()
        try:
            if spawning:
                spawn(main.rng, pool)
                did["spawned"] += 1
            main.run(until, faults)
        except BaseException:
            faults.append(traceback.format_exc())
        for thread in threads:
            thread.join()
    if faults:
        raise AssertionError("\n".join(faults))
    check_shared(shared, workers, pool, windows)
    return sum((worker.did for worker in workers), did)


class Mallinfo(ctypes.Structure):
    """What malloc says of itself, in glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    ]


def memory_in_use():
    """MiB that the process has, once malloc has given back what it can; MiB that are allocated; Python's blocks."""
    dask.utils.key_split.cache_clear()  # which holds 100 000 names
    gc.collect()
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = Mallinfo
    info = libc.mallinfo2()
    libc.malloc_trim(0)
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resident / 2**20, (info.uordblks + info.hblkhd) / 2**20, sys.getallocatedblocks()


def is_flat(samples, more):
    """Whether the median of the last third is no more than so much above that of the middle third; the first warms up."""
    third = len(samples) // 3
    return statistics.median(samples[-third:]) <= statistics.median(samples[third:-third]) + more


def threads(most):
    """How many threads the system counts, once those that are ending are gone."""
    end = time.monotonic() + 10
    while (count := len(os.listdir("/proc/self/task"))) > most and time.monotonic() < end:
        time.sleep(0.01)
    return count


def files():
    return len(os.listdir("/proc/self/fd"))


def soak(minutes):
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}, levels {', '.join(LEVELS)}, {minutes} minutes", flush=True)
    warnings.simplefilter("ignore")  # of NaN results; of forks beside threads
    rng = np.random.default_rng(seed)
    pool = [Data(rng, dtype, masked) for dtype in DTYPES for masked in (False, True)]
    pool += [Data(rng, dtype, masked=False, doublings=8) for dtype in ("f8", "i4", "c8")]
    windows = [Windows(rng, dtype) for dtype in ("f8", "i4")]
    did, memory, threads_before = Counter(), [], threads(1)
    start = time.monotonic()
    seconds = min(ROUND, minutes * 60 / ROUNDS)
    while time.monotonic() - start < 60 * minutes or len(memory) < ROUNDS:
        faulthandler.dump_traceback_later(seconds + 600, exit=True)
        did += one_round(seed + len(memory), seconds, pool, windows, spawning=len(memory) % 3 == 0)
        faulthandler.cancel_dump_traceback_later()
        memory.append(memory_in_use())
        if len(memory) == 1:
            files_before = files()  # with those of multiprocessing
        print(
            "{:6.2f} min: {:.1f} MiB, {:.2f} allocated, {} blocks,".format(
                (time.monotonic() - start) / 60, *memory[-1]
            ),
            f"{sum(times for name, times in did.items() if name not in BESIDE)} jobs",
            flush=True,
        )
    print(", ".join(f"{name} {times}" for name, times in did.most_common()))
    assert threads(threads_before) <= threads_before  # a fork ends those of OpenBLAS
    assert files() == files_before
    for samples, more in zip(zip(*memory), (4, 0.5, 3000) if minutes >= 10 else (32, 4, 3000)):  # or still warming up
        assert is_flat(samples, more), samples
    assert all(did[name] for name in (*BESIDE, "fork", "dask"))
    print("right")


if __name__ == "__main__":
    faulthandler.enable()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", nargs="?", type=float, default=60)
    soak(parser.parse_args().minutes)
