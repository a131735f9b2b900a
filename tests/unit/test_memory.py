"""Memory: nothing leaks, and where there is none to be had a call ends in MemoryError."""

import gc
import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import pycrust
from pycrust.bench.machine import free_threaded_build

HAS_TESTCAPI = True
try:
    import _testcapi  # noqa: F401
except ImportError:
    HAS_TESTCAPI = False

pytestmark = pytest.mark.thread_unsafe(reason="counts the blocks of the whole interpreter")

A = np.arange(6000.0).reshape(2, 3000)
INTEGERS = np.arange(6000, dtype=np.int16).reshape(2, 3000)
OUT = np.zeros(2)
ACCUMULATOR = pycrust.Accumulator()


class Unready:
    def __index__(self):
        raise LookupError


UNREADY = Unready()
SPARSE, TOO_LARGE, TWO = (np.array(ns) for ns in ([10**6, 5], [1, 10**9], [1, 2]))
NOT_AN_INTEGER = np.array([1, UNREADY])
WHERE = A > 5
MASKED = np.ma.array([1.0], mask=[1])
HIGH = np.full((1, 2), 2**40)
LIMITS = np.full((1, 2), 2**62)
COMPLEX = A + 1j
FAR = np.array([[1e300, 1e-300] * 300])
NUMBERS, ROWS = FAR[0, :240], FAR[0, :240].reshape(-1, 3)
LABELS, ORDERED = np.arange(240) % 3, np.arange(240) // 80
LONG = np.tile(FAR[0], 100)
ZEROS = np.zeros(1 << 21)  # four pieces
LABELS_OF_LONG = np.arange(LONG.size) % 7
WINDOWS = np.arange(2990), np.arange(2990) + 10
MANY = pycrust.Accumulator(shape=3)
MANY.update(ROWS)
STATE = MANY.__reduce__()[2]

# Arrays all, made beforehand: what NumPy does where there is no memory to convert a list is not ours to test.
CALLS = {
    "sum_of_squares": lambda: pycrust.sum_of_squares(100_000),
    "sum_of_squares, formula": lambda: pycrust.sum_of_squares(10**30, method="formula"),
    "sum_of_squares, error": lambda: pycrust.sum_of_squares(10**30),
    "sum_of_squares, index": lambda: pycrust.sum_of_squares(UNREADY),
    "threadable": lambda: pycrust.threadable_sum_of_squares(100_000),
    "batch": lambda: pycrust.sum_of_squares_batch(INTEGERS),
    "batch, sparse": lambda: pycrust.sum_of_squares_batch(SPARSE, dtype=object),
    "batch, float": lambda: pycrust.sum_of_squares_batch(INTEGERS, dtype=np.float64, method="formula"),
    "batch, too large": lambda: pycrust.sum_of_squares_batch(TOO_LARGE),
    "batch, not an integer": lambda: pycrust.sum_of_squares_batch(NOT_AN_INTEGER),
    "batch, out": lambda: pycrust.sum_of_squares_batch(TWO, out=A),
    "sumsq": lambda: pycrust.sumsq(A),
    "sumsq, integers": lambda: pycrust.sumsq(INTEGERS),
    "sumsq, axis": lambda: pycrust.sumsq(INTEGERS, axis=1, dtype=object),
    "sumsq, where": lambda: pycrust.sumsq(A, where=WHERE),
    "sumsq, strides": lambda: pycrust.sumsq(A[:, ::-3]),
    "sumsq, str": lambda: pycrust.sumsq("x"),
    "sumsq, axis error": lambda: pycrust.sumsq(A, axis=5),
    "sumsq, masked": lambda: pycrust.sumsq(MASKED),
    "sumsq, uint64": lambda: pycrust.sumsq(HIGH, axis=1),
    "sum": lambda: pycrust.sum(A),
    "sum, integers": lambda: pycrust.sum(INTEGERS, axis=1, dtype=object),
    "sum, does not fit": lambda: pycrust.sum(LIMITS, axis=1),
    "mean, complex": lambda: pycrust.mean(COMPLEX, axis=0),
    "var": lambda: pycrust.var(A, axis=1, ddof=1.5),
    "std": lambda: pycrust.std(A),
    "std, exact way": lambda: pycrust.std(FAR),
    "std, error": lambda: pycrust.std(A, ddof=-1),
    "norm, out": lambda: pycrust.norm(A, axis=1, out=OUT),
    "rms, error": lambda: pycrust.rms(A, out=3),
    "Accumulator": lambda: pycrust.Accumulator().update(A),
    "Accumulator, sum": lambda: (ACCUMULATOR + ACCUMULATOR).sumsq(),
    "Accumulator, moments": lambda: (pycrust.Accumulator(A).sum(), pycrust.Accumulator(INTEGERS).std(1)),
    "Accumulator, pickle": lambda: ACCUMULATOR.__reduce__()[0](*ACCUMULATOR.__reduce__()[1]),
    "Accumulator, error": lambda: ACCUMULATOR.merge(3),
    "Accumulator, shape": lambda: pycrust.Accumulator(shape=4).update(NUMBERS, labels=LABELS),
    "Accumulator, shape, moments": lambda: (MANY[1:] + MANY[:2]).std(),
    "group_sum": lambda: pycrust.group_sum(NUMBERS, LABELS),
    "group_var, workers": lambda: pycrust.group_var(LONG, LABELS_OF_LONG, workers=2),
    "group_std, in order": lambda: pycrust.group_std(NUMBERS, ORDERED),
    "group_mean, in order, axis": lambda: pycrust.group_mean(ROWS, ORDERED[::3], axis=0),
    "group_sumsq, error": lambda: pycrust.group_sumsq(NUMBERS, LABELS, num_labels=2),
    "move_sum": lambda: pycrust.move_sum(A, 5, 1, axis=1),
    "move_std, bounds": lambda: pycrust.move_std(A, WINDOWS),
    "move_var, one by one": lambda: pycrust.move_var(FAR[:, :30], 3, 1, ddof=0.1),
    "cumsum": lambda: pycrust.cumsum(A, axis=0),
    "cumsum, workers": lambda: pycrust.cumsum(LONG, workers=2),
    "cumsum, integers": lambda: pycrust.cumsum(INTEGERS, axis=1, workers=2),
    "cumsum, does not fit": lambda: pycrust.cumsum(LIMITS, axis=1),
}

# What changes an Accumulator with a shape.
CHANGES = {
    "update": lambda acc: acc.update(ROWS),
    "update, few": lambda acc: acc.update(ROWS[:2]),
    "update, complex": lambda acc: acc.update(COMPLEX[:1, :240].reshape(-1, 3)),
    "update, labels": lambda acc: acc.update(NUMBERS, labels=LABELS),
    "update, workers": lambda acc: acc.update(LONG, labels=LABELS_OF_LONG % 3, workers=2),
    "merge": lambda acc: acc.merge(MANY),
    "setstate": lambda acc: acc.__setstate__(STATE),
}


# What these come by crashes in NumPy 2.4 without a GIL, pycrust or not, where there is no memory.
CRASHING = {"sumsq, where": "np.broadcast_to", "sumsq, uint64": "np.argwhere"}
# Where a list comprehension finds no memory, Cython 3.3.0 and 3.3.1 drop its new item twice;
# which matters unless that is a small int.
if {"_cython_3_3_0", "_cython_3_3_1"} & set(sys.modules):
    DROPPED_TWICE = ("group_var, workers", "group_sumsq, error", "update, workers", "setstate")
    CALLS, CHANGES = ({name: each[name] for name in each if name not in DROPPED_TWICE} for each in (CALLS, CHANGES))


def call(function):
    try:
        function()
    except Exception:
        pass


@pytest.fixture
def nothing_older():
    """Leave what there is alone in collections, most of whose time goes to what pytest keeps of thousands of tests."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_nothing_leaks(name, at_length, nothing_older):
    """Blocks in use stay as many, over ten times and over many thousand calls, errors included."""
    function = CALLS[name]
    few, many = 10, 100_000 if at_length else 300
    for _ in range(few):
        call(function)

    def growth(times):
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(times):
            call(function)
        gc.collect()
        return sys.getallocatedblocks() - before

    # Caches fill up, and without a GIL some memory is freed later: a leak grows every time.
    assert any(growth(many) < many // 10 for _ in range(10))
    for thing in (A, INTEGERS, OUT, UNREADY):
        before = sys.getrefcount(thing)
        call(function)
        gc.collect()
        assert sys.getrefcount(thing) == before


@pytest.mark.parametrize(
    "function",
    [
        lambda: pycrust.sumsq(ZEROS, workers=4),
        lambda: pycrust.move_std(ZEROS[: 1 << 16], 5, workers=4),
        lambda: pycrust.cumsum(ZEROS[: 1 << 16], workers=4),
        lambda: pycrust.cumsum(np.full(1 << 16, 1e305), workers=4),  # beyond the range of floats: from row to row
        lambda: pycrust.cumsum(ZEROS[: 1 << 16].view(int), workers=4),
        lambda: pycrust.cumsum(np.full(1 << 16, 2**60), workers=4),
    ],
)
def test_helpers_leave_nothing(function):
    """Nor do their locks, and what is large, which are not among the blocks that the interpreter counts."""

    def growth(times):
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(times):
            call(function)
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    try:
        assert any(growth(100) < 1000 for _ in range(10))
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.skipif(not HAS_TESTCAPI, reason="this Python comes without _testcapi")
@pytest.mark.parametrize("first", range(4))
def test_every_allocation_failing_in_turn(first, python):
    """MemoryError, or the right answer where the failure was overcome: never a crash, never a wrong number."""
    names = [name for name in CALLS if not (name in CRASHING and free_threaded_build())]
    script = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[1])]!r}
import _testcapi
import numpy as np
from test_memory import CALLS

def outcome(function):
    try:
        value = function()
    except Exception as error:
        return type(error)
    return value.tolist() if isinstance(value, np.ndarray) else value if isinstance(value, (int, float)) else type(value)

def attempt(function, k):
    _testcapi.set_nomemory(k, k + 1)
    try:
        return function()
    finally:
        _testcapi.remove_mem_hooks()

for name in {names[first::4]!r}:
    print(name, flush=True)
    function = CALLS[name]
    for _ in range(3):
        expected = outcome(function)
    for k in range(500):
        error = value = None
        try:
            value = attempt(function, k)
        except BaseException as raised:
            error = raised
        found = type(error) if error is not None else value.tolist() if isinstance(value, np.ndarray) else value
        if found is MemoryError:
            continue
        assert outcome(function) == expected
        if error is None and isinstance(found, (int, float, list)):
            assert found == expected, (k, found)
"""
    process = python(script)
    assert process.returncode == 0, process.stdout + process.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.skipif(not HAS_TESTCAPI, reason="this Python comes without _testcapi")
@pytest.mark.parametrize("name", CHANGES)
def test_nothing_is_half_done(name, python):
    """Where one allocation fails, or all from some on: MemoryError and the states as they were, or all of it."""
    script = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[1])]!r}
import copy
import _testcapi
import pycrust
from test_memory import CHANGES, LONG

change = CHANGES[{name!r}]
start, end = (pycrust.Accumulator(shape=3) for _ in range(2))
for acc in (start, end):
    acc.update(LONG[:3])
change(end)
failures = 0
for k in range(300):
    for stop in (k + 1, 0):
        acc, failed = copy.copy(start), False
        _testcapi.set_nomemory(k, stop)
        try:
            change(acc)
        except (MemoryError, SystemError):  # the second comes from np.nditer
            failed = True
        finally:
            _testcapi.remove_mem_hooks()
        failures += failed
        assert acc == (start if failed else end), (k, stop, failed)
assert failures > 5, failures
"""
    process = python(script)
    assert process.returncode == 0, process.stdout + process.stderr[-3000:]


SUBINTERPRETER = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import pycrust
interpreter = interpreters.create()
script = '''
try:
    import pycrust
    assert pycrust.sum_of_squares(4) == 30
    print("works")
except ImportError as error:
    print("refused:", error)
'''
try:
    done = interpreters.run_string(interpreter, script)
    if done is not None:
        print(done)
except Exception as error:
    print("refused", error)
interpreters.destroy(interpreter)
assert pycrust.sum_of_squares(4) == 30
print("and here")
"""


def test_a_subinterpreter(python):
    """It works there, or the import is refused; nothing breaks here."""
    process = python(SUBINTERPRETER)
    if "No module named '_xxsubinterpreters'" in process.stderr:
        pytest.skip("this Python has no subinterpreters")
    assert process.returncode == 0, process.stderr
    assert process.stdout.split()[0].strip(":") in ("works", "refused")
    assert process.stdout.endswith("and here\n")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_little_address_space(python):
    """Results, states, or the batch's table, that do not fit: MemoryError, and the next call is right."""
    script = """
import resource
import numpy as np
import pycrust

ns = np.arange(3 * 10**6)
last = pycrust.sum_of_squares(int(ns[-1]))
labels, many = np.array([2**21, 0, 5]), pycrust.Accumulator(shape=2**20)
many.update([2.5], labels=[7])

def update():  # the states stay as they are, or have one more number
    count = many[7].count
    try:
        many.update([2.5], labels=[7])
        count += 1
    finally:
        assert many[7].count == count
    return many[7].sum() / count

used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
failures = 0
for room in range(0, 80, 16):
    resource.setrlimit(resource.RLIMIT_AS, (used + room * 2**20, -1))
    for call, right in (
        (lambda: pycrust.sum_of_squares_batch(ns)[-1], last),
        (lambda: pycrust.sum_of_squares_batch(ns[::-1], dtype=np.uint64, method="formula")[0], last),
        (lambda: pycrust.sumsq(np.broadcast_to(np.int8(3), (2**21, 2)), axis=1)[-1], 18),
        (lambda: pycrust.norm(np.broadcast_to(3.0, (2**21, 4)), axis=1, workers=2)[-1], 6.0),
        (lambda: pycrust.group_sum(labels, labels)[-1], 2**21),
        (lambda: pycrust.group_var(labels, labels)[0], 0),
        (update, 2.5),
    ):
        try:
            assert call() == right
        except MemoryError:
            failures += 1
    assert pycrust.sumsq(ns) == last
assert 5 <= failures <= 30, failures
"""
    process = python(script)
    assert process.returncode == 0, process.stderr


# Calls with an argument whose conversion changes the arrays of the call. These hold ones alone, or as many 0 as 2: so all
# means are 1, and so is what is made of the other results here.
CHANGED_AMID_A_CALL = """
mean(a, axis=1, dtype=Striking('f8'))
mean(a, axis=Striking(1))
mean(a, axis=(Striking(0), Striking(1)))
mean(a, axis=1, where=Striking(mask))
mean(a, axis=Striking(1), where=mask)
mean(a, axis=1, out=out_of_means)
mean(a, axis=1, keepdims=Striking(True))
mean(a, axis=1, workers=Striking(2))
var(row, ddof=Striking(0))
var(row, correction=Striking(0))
var(a, axis=1, ddof=Striking(0)) + 1
group_mean(a, labels, num_labels=Striking(2))
group_mean(a, labels[::-1], num_labels=Striking(2))
group_mean(a, labels, axis=Striking(-1))
group_mean(a, labels, dtype=Striking('f8'))
group_mean(a, Striking(labels))
group_mean(a, Striking(labels[::-1]), where=mask)
group_var(a, labels, ddof=Striking(0)) + 1
total.update(a, where=Striking(mask)) or total.mean()
total.update(a, axis=Striking(1), where=mask) or total.mean()
total.update(a, axis=Striking(1)) or total.mean()
total.update(a) or total.mean()
total.update(a, labels=Striking(rows), axis=0, where=mask) or total.mean()
total.update(a, labels=rows, axis=Striking(0), where=mask) or total.mean()
average(a, 1, weights=Striking(weights))
average(a, Striking(1), weights=weights, where=mask)
vecdot(a, Striking(weights)) * 0 + 1
vecdot(a, weights, Striking(1), where=mask) * 0 + 1
vecdot(a, weights, dtype=Striking('f8')) * 0 + 1
vecdot(a, weights, out=out_of_means) * 0 + 1
sse(a, Striking(weights), where=mask) + 1
cov(few, Striking(few.copy())) + 1
cov(few, rowvar=Striking(False)) + 1
cov(few, dtype=Striking('f8')) + 1
move_mean(a, Striking(1))
move_mean(a, (labels[:9], Striking(labels[:9] + 1)))
move_mean(a, (starts, starts + 1))
move_mean(a, 1, Striking(1))
move_mean(a, 1, axis=Striking(1))
move_var(a, 1, ddof=Striking(0)) * 0 + 1
cumsum(a, Striking(1))[:, 0]
cumsum(a, 1, Striking('f8'))[:, 0]
cumsum(a, 1, out=out)[:, 0]
"""


@pytest.mark.parametrize("anywhere", [False, True], ids=["arguments", "anywhere"])
@pytest.mark.parametrize(
    "strike",
    [
        "each.shape = each.shape[::-1]",
        "each.dtype = np.longdouble",
        "each.__setstate__(each[..., :8].copy().__reduce__()[2])",
        "mask.shape = -1",
        "mask.__setstate__(np.ones((2, 8), bool).__reduce__()[2])",
    ],
)
def test_arrays_that_are_changed_amid_a_call(strike, anywhere, python):
    """
    The result for the numbers that there are then, or an error: memory that is not the arrays' is never touched.

    By arguments, and by a function of NumPy's, as another thread may when Python switches to it there.
    """
    script = f"""
import numpy as np
from pycrust import *

def strike():
    for each in (a, row, few):
        {strike}

class Striking:
    def __init__(self, value):
        self.value = value

    def __index__(self):
        strike()
        return self.value

    __bool__ = __index__

    def __eq__(self, other):
        strike()
        return self.value == other

    @property
    def dtype(self):
        strike()
        return np.dtype(self.value)

    def __array__(self, dtype=None, copy=None):
        strike()
        return self.value

class Out(np.ndarray):
    @property
    def shape(self):
        strike()
        return np.ndarray.shape.__get__(self)

def striking(function):
    return lambda *args, **kwargs: strike() or function(*args, **kwargs)

n = 100_000
weights, starts, labels, rows = np.ones((4, n)), np.arange(n), np.arange(n), np.zeros(4, int)
labels[2:] = 1
empty, broadcast_to = np.empty, np.broadcast_to
for call in {CHANGED_AMID_A_CALL!r}.splitlines()[1:]:
    print(call, flush=True)
    a, few, mask = np.ones((4, n)), np.ones((4, 40)), np.ones((4, n), bool)
    row = np.arange(n) % 2 * 2.0
    total = Accumulator(shape=n if "rows" not in call else (1, n))
    out, out_of_means = np.zeros((4, n)).view(Out), np.zeros(4).view(Out)
    if {anywhere}:
        np.empty, np.broadcast_to = striking(empty), striking(broadcast_to)
    try:
        made = eval(call)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        print("   ", repr(error)[:160])
        continue
    finally:
        np.empty, np.broadcast_to = empty, broadcast_to
    assert np.all(np.asarray(made) == 1), made
"""
    process = python(script, env={**os.environ, "MALLOC_PERTURB_": "165"})  # glibc: what is freed is no longer ones
    assert process.returncode == 0, process.stdout[-1000:] + process.stderr[-3000:]
