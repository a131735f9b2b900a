"""Accumulator: exact running sums, whatever the order and the tree of merges."""

import contextlib
import copy
import inspect
import math
import pickle
import random
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from hard_arrays import (
    DTYPES,
    FUNCTIONS,
    HUGE,
    TINY,
    assert_same,
    floats,
    hard_arrays,
    layouts,
    offset_arrays,
    roots_of,
    state_of,
    unchanged,
)
from hypothesis import given
from hypothesis import strategies as st

import pycrust
from pycrust import Accumulator, reference
from pycrust._accumulator import _accumulators, _results


def given_all(*arrays):
    total = Accumulator()
    for a in arrays:
        total.update(a)
    return total


def expected_of(*arrays):
    total = reference.Accumulator()
    for a in arrays:
        total.update(a)
    return total


def assert_equals(total, expected):
    """All that one holds, to the last bit, and all that it gives."""
    assert type(total.count) is int and total.count == expected.count
    assert total.__reduce__()[2] == state_of(expected)
    for name in FUNCTIONS if expected.count else ("sumsq", "norm", "sum"):
        assert_same(getattr(total, name)(), getattr(expected, name)())


def test_of_nothing():
    total = Accumulator()
    assert_same(total.count, 0)
    assert_same(total.sumsq(), 0)
    assert_same(total.sum(), 0)
    assert_same(total.norm(), 0.0)
    for name in ("rms", "mean", "var", "std"):
        with pytest.warns(RuntimeWarning, match=name):
            assert_same(getattr(total, name)(), math.nan)
    assert total == Accumulator()


def test_update_gives_nothing_back():
    assert Accumulator().update([1]) is None


def test_made_with_data():
    """As collections.Counter is."""
    for a in ([1, 2], np.ones(5000), np.array([1 + 1j]), 3):
        assert_equals(Accumulator(a), expected_of(a))
    assert Accumulator(None) == Accumulator()
    assert_same(Accumulator([1, 2, 3], where=[True, False, True], workers=2).sumsq(), 10)
    assert str(inspect.signature(Accumulator)) == "(a=None, /, *, shape=(), where=True, workers=1)"
    with pytest.raises(TypeError, match="masked"):
        Accumulator(np.ma.masked_array([1.0]))


def test_an_empty_list_makes_no_sum_a_float():
    total = given_all([], [1, 2], [], [[], []])
    assert_same(total.sumsq(), 5)
    assert_same(total.sum(), 3)
    total.update(np.empty(0))  # whose type is known
    assert_same(total.sumsq(), 5.0)
    assert_same(total.sum(), 3.0)
    total.update(np.empty(0, complex))
    assert_same(total.sumsq(), 5.0)
    assert_same(total.sum(), 3 + 0j)


def test_lists_of_ints_of_any_size():
    for numbers in (
        [-1, 2**63 + 1],
        [10**30],
        [3**700, 1],
        [2**1100],
        [10**400, -7],
        [-(2**1100), 5],
        [-(10**400)] * 2,
    ):
        total = given_all([3], numbers)
        expected = expected_of([3], numbers)
        assert_equals(total, expected)
        assert pickle.loads(pickle.dumps(total)) == total == given_all(numbers[:1], [*numbers[1:], 3])
        assert_equals(total + total, expected + expected)
        total.update([0.5])
        expected.update([0.5])
        assert_equals(total, expected)
        assert pickle.loads(pickle.dumps(total)) == total


def test_ints_until_a_float_comes():
    total = Accumulator()
    total.update([3, 4])
    assert_same(total.sumsq(), 25)
    total.update(np.array([2**63], np.uint64))
    assert_same(total.sumsq(), 25 + 2**126)
    total.update(np.zeros(3))
    assert_same(total.sumsq(), float(25 + 2**126))
    assert total.count == 6
    ints, mixed = given_all([1, -2]), given_all([0.5])
    assert_same(ints.sum(), -1)
    ints.merge(mixed)
    assert_same(ints.sumsq(), 5.25)
    assert_same(ints.sum(), -0.5)


def test_real_until_a_complex_number_comes():
    total = given_all([3, 4], [0.5])
    for other in (np.array([1 - 2j]), np.array([2j], "c8")):
        sums = total + given_all(other)
        assert_same(sums.sum(), 7.5 + other[0].item())
        assert_same(sums.mean(), (7.5 + other[0].item()) / 4)
        assert_equals(sums, expected_of([3, 4], [0.5], other))
        assert_same(given_all(other, [1]).sum(), 1 + other[0].item())
    assert_same(total.sum(), 7.5)
    for name in ("sumsq", "norm", "rms", "var", "std"):
        assert type(getattr(sums, name)()) is float


@given(data=st.data())
def test_small_spreads_and_numbers_that_cancel(level, data):
    arrays = [
        data.draw(offset_arrays(dtype))
        for dtype in data.draw(st.lists(st.sampled_from(DTYPES), min_size=1, max_size=3))
    ]
    assert_equals(given_all(*arrays), expected_of(*arrays))
    negated = [-a.astype(np.result_type(a, "f2")) for a in arrays]
    assert_equals(given_all(*arrays, *negated), expected_of(*arrays, *negated))


def test_a_complex_number_counts_once():
    total = given_all(np.array([3 + 4j, 1j]), np.array([1 + 1j], "c8"))
    assert_same(total.count, 3)
    assert_same(total.sumsq(), 28.0)
    assert_same(total.rms(), math.sqrt(28 / 3))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_any_chunks_in_any_tree(level, dtype, data):
    a = data.draw(hard_arrays(dtype))
    cuts = sorted(data.draw(st.lists(st.integers(0, a.size), max_size=8)))
    chunks = np.split(a, cuts)
    expected = expected_of(a)
    with unchanged(a):
        whole = given_all(a)
        one_by_one = given_all(*chunks)
        parts = [given_all(chunk) for chunk in chunks]
    rng = random.Random(len(cuts))
    while len(parts) > 1:
        rng.shuffle(parts)
        first, second = parts.pop(), parts.pop()
        way = rng.randrange(4)
        if way == 0:
            parts.append(first + second)
        elif way == 1:
            assert first.merge(second) is None
            parts.append(first)
        elif way == 2:
            first += second
            parts.append(first)
        else:
            parts.append(pickle.loads(pickle.dumps(first)) + second)
    for total in (whole, one_by_one, parts[0]):
        assert_equals(total, expected)
    assert whole == one_by_one == parts[0]


@given(data=st.data())
def test_dtypes_mixed(level, data):
    arrays = [
        data.draw(hard_arrays(dtype, sizes=st.integers(0, 70)))
        for dtype in data.draw(st.lists(st.sampled_from(DTYPES), min_size=1))
    ]
    expected = expected_of(*arrays)
    assert_equals(given_all(*arrays), expected)
    assert_equals(sum((given_all(a) for a in arrays), Accumulator()), expected)


def test_numbers_that_a_broadcast_repeats():
    a = np.array([0.1, -2.5, 1e300])
    for times in (1, 2, 3):
        assert_equals(Accumulator(np.broadcast_to(a, (times, 3))), expected_of(*[a] * times))


def test_number_by_number(level):
    rng = np.random.default_rng(1)
    a = floats(rng, 500, highest=1000, spread=2000)
    total = Accumulator()
    for x in a:
        total.update(x)
    assert_equals(total, expected_of(a))
    total = Accumulator()
    for x in a.tolist():
        total.update(x)
        total.update([])
        total.update([x], where=False)
    assert total == given_all(a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_sumsq_accepts(level, dtype, tmp_path):
    a = np.random.default_rng(2).integers(0, 2, (40, 50)).astype(dtype)
    where = np.random.default_rng(3).random((40, 1)) < 0.5
    for name, view in layouts(a, tmp_path):
        for workers in (1, 2, -1):
            total = Accumulator()
            with unchanged(view):
                total.update(view, workers=workers)
                total.update(view, where=where)
            assert_same(total.count, 2000 + 50 * int(where.sum()))
            assert_same(total.sumsq(), pycrust.sumsq(a) + pycrust.sumsq(a, where=where))
            assert_same(total.sum(), pycrust.sum(a) + pycrust.sum(a, where=where))


@pytest.mark.parametrize(
    "arguments",
    [
        {"a": "text"},
        {"a": None},
        {"a": np.ones(2, np.longdouble)},
        {"a": np.ma.masked_array([1.0])},
        {"a": [1.0, 2.0], "where": [1, 0]},
        {"a": [1.0, 2.0], "where": [True, False, True]},
        {"a": [1.0], "workers": 0},
        {"a": [1.0], "workers": "2"},
    ],
    ids=str,
)
def test_errors_leave_it_as_it_was(arguments):
    total = given_all([1, 2])
    arguments = dict(arguments)
    a = arguments.pop("a")
    with pytest.raises((TypeError, ValueError)):
        total.update(a, **arguments)
    assert total == given_all([1, 2])
    assert_same(total.sumsq(), 5)


@pytest.mark.parametrize("name", ["shape less", "longer", "shorter", "turned", "shaped"])
def test_another_shape_in_the_middle_of_an_update(name, python):
    """It is an error: numbers are neither lost nor written beside the states."""
    shape, change = {
        "shape less": (3, "acc.__setstate__(Accumulator([1.0]).__reduce__()[2])"),
        "longer": (3, "acc.__init__(shape=300_000)"),
        "shorter": (300_000, "acc.__setstate__(Accumulator(shape=1).__reduce__()[2])"),
        "turned": ((3, 1), "acc.__init__(shape=(1, 3))"),
        "shaped": ((), "acc.__init__(shape=3)"),
    }[name]
    script = f"""
import numpy as np
from pycrust import Accumulator

def change(acc):
    {change}

class Changing:
    def __array__(self, dtype=None, copy=None):
        change(acc)
        return numbers

numbers = np.ones({shape} or 3)
for empty in True, False:
    acc, expected = Accumulator(shape={shape}), Accumulator(shape={shape})
    before = acc.shape
    if not empty:
        acc.update(numbers)
        expected.update(numbers)
    change(expected)
    try:
        acc.update(Changing())
    except RuntimeError as error:
        assert f"of shape {{before}}, the shape {{acc.shape}} during" in str(error)
        assert acc == expected
        print("refused")
"""
    process = python(script)
    assert process.stdout == "refused\n" * 2, (process.returncode, process.stderr)


def test_another_shape_by_another_thread(python):
    script = """
import threading, time
import numpy as np
from pycrust import Accumulator

acc, a = Accumulator(shape=3), np.ones((300_000, 3))
states = [Accumulator(shape=shape).__reduce__()[2] for shape in ((), 3, 1)]
done = False

def change():
    while not done:
        for state in states:
            acc.__setstate__(state)
            time.sleep(0.001)

thread = threading.Thread(target=change)
thread.start()
for _ in range(100):
    try:
        acc.update(a)
    except (RuntimeError, ValueError):
        pass
done = True
thread.join()
assert acc.shape in ((), (3,), (1,))
"""
    process = python(script)
    assert process.returncode == 0, process.stderr


# ---- adding -------------------------------------------------------------------


def test_plus_leaves_both_as_they_were():
    a, b = given_all([1.5]), given_all([2, 3])
    c = a + b
    assert_equals(c, expected_of([1.5], [2, 3]))
    assert_equals(a, expected_of([1.5]))
    assert_equals(b, expected_of([2, 3]))
    before = a
    a += b
    assert a is before and a == c


def test_plus_zero():
    """Where sum() starts."""
    a = given_all([1.5])
    for total in (a + 0, 0 + a, sum([a])):
        assert total == a and total is not a
    assert sum([a, a]) == a + a


def test_merge_with_itself():
    total = given_all([3, 4])
    total.merge(total)
    assert (total.count, total.sumsq()) == (4, 50)
    total += total
    assert (total.count, total.sumsq()) == (8, 100)
    assert (total + total).sumsq() == 200


@pytest.mark.parametrize(
    "a", [[2**63 - 1], [HUGE], [TINY], [1.5 + 2j], [math.nan], [-(2.0**-1000)], np.array([2**64 - 1], "u8")], ids=str
)
def test_doubled_until_it_breaks(a):
    """2**200 numbers: the right answer, or an OverflowError that leaves the sum alone."""
    total, expected = given_all(a), expected_of(a)
    for _ in range(200):
        try:
            total.merge(total)
        except OverflowError:
            assert total.count >= 2**60
            break
        expected.merge(expected)
    assert_equals(total, expected)


@pytest.mark.parametrize("other", [1, 2.5, None, [1, 2], np.ones(3)], ids=str)
def test_only_accumulators_merge(other):
    total = given_all([1])
    with pytest.raises(TypeError):
        total.merge(other)
    if not isinstance(other, np.ndarray):
        with pytest.raises(TypeError):
            total + other
        with pytest.raises(TypeError):
            other + total
        with pytest.raises(TypeError):
            total += other
        assert total != other
    assert_same(total.sumsq(), 1)


def test_no_subclasses():
    """Sums, copies and pickles would silently be of the base class, without the subclass's own attributes."""
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Mine", (pycrust.Accumulator,), {})


# ---- the end of the range -----------------------------------------------------


def test_rounded_only_once(level):
    """The sum in the accumulator is exact: what one update loses to rounding, the next may need."""
    total = given_all([2.0**60], [1.0], [2.0**-500])
    assert_same(total.sumsq(), 2.0**120)
    for _ in range(3):
        total.merge(total)
    assert_equals(total, expected_of(*([[2.0**60], [1.0], [2.0**-500]] * 8)))
    tie = given_all([float(x) for x in roots_of(2**53 + 1)])
    assert_same(tie.sumsq(), 2.0**53)
    tie.update([TINY])
    assert_same(tie.sumsq(), 2.0**53 + 2)
    for sign in (1, -1):
        tie = given_all([sign * 2.0**53], [sign * 1.0])
        assert_same(tie.sum(), sign * 2.0**53)
        tie.update([sign * TINY])
        assert_same(tie.sum(), sign * (2.0**53 + 2))


def test_sums_beyond_float64():
    total = given_all([HUGE, HUGE])
    assert_same(total.sumsq(), math.inf)
    assert_same(total.rms(), HUGE)
    total.update(np.zeros(6))
    assert_same(total.norm(), math.inf)
    assert_same(total.rms(), HUGE / 2)
    assert total != given_all([math.inf, HUGE], np.zeros(6))
    assert_same(total.sum(), math.inf)
    assert_same(total.mean(), HUGE / 4)
    total.update([-HUGE])
    assert_same(total.sum(), HUGE)
    total.merge(given_all([-HUGE] * 3))
    assert_same(total.sum(), -math.inf)


SPECIALS = [math.nan, math.inf, -math.inf, complex(0, math.nan), complex(1, math.inf), complex(-math.inf, -math.inf)]


def test_nan_and_inf():
    """NaN beats Inf in a square; in a sum, of each part by itself, Inf and -Inf give NaN."""
    for one in SPECIALS:
        for other in (*SPECIALS, 1.0, 2j):
            expected = expected_of([3], [one], [other])
            assert_equals(given_all([3], [one], [other]), expected)
            assert_equals(given_all([3]) + given_all([other]) + given_all([one]), expected)
            assert given_all([3], [one], [other]) == given_all([other], [3], [one])
            assert_equals(given_all([2**1100], [one], [other]), expected_of([2**1100], [one], [other]))
    assert given_all([math.inf], [-math.inf]) != given_all([math.inf], [math.inf])


# ---- equality, repr, copies, pickle -------------------------------------------

SAMPLES = {
    "nothing": [],
    "int": [[1, 2, 3]],
    "big ints": [np.full(1000, 2**64 - 1, np.uint64)],
    "one": [[1.0]],
    "normal": [np.random.default_rng(0).normal(size=1000)],
    "float32": [np.random.default_rng(0).normal(size=1000).astype("f4")],
    "wild": [np.ldexp(1.0, np.arange(-1074, 1024))],
    "ones everywhere": [np.ldexp(2.0**53 - 1, np.arange(-1074, 971))],
    "huge": [np.full(5000, HUGE)],
    "tiny": [[TINY]],
    "inf": [[math.inf, 1.0]],
    "nan": [[math.nan, 1e300, 1e-300]],
    "both": [[math.nan, math.inf, 2.0]],
    "all of them": [
        [complex(x, y) for x in (math.nan, math.inf, -math.inf, 1) for y in (math.nan, -math.inf, math.inf)]
    ],
    "negative": [[-5, -7], np.full(1000, -(2**63))],
    "negative float": [[-1e-300, 1e300, -1e300]],
    "cancelled": [[1e300, -1e300], [2**1100], [-(2**1100)]],
    "mixed": [[2**62], [1e-300], [1e300]],
    "complex": [[1e100 + 1e-100j]],
}


def test_equal_sums_have_one_state():
    """Here one lies in the window and its copy in the limbs, whose words end at other bits."""
    for x in (2.0**32, 1.0, 3.0 * 2.0**-40):
        acc = pycrust.Accumulator()
        acc.update([x])
        numerator, denominator = (x * x).as_integer_ratio()
        integer, exponent = acc.__reduce__()[2]["sumsq"]
        assert exponent == 0 or (exponent < 0 and integer % 2 == 1)
        assert integer * Fraction(2) ** exponent == Fraction(numerator, denominator)
        assert pickle.loads(pickle.dumps(acc)) == acc


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", SAMPLES)
def test_pickle(name, protocol):
    total, expected = given_all(*SAMPLES[name]), expected_of(*SAMPLES[name])
    data = pickle.dumps(total, protocol)
    if protocol >= 3:  # those before have no bytes of their own
        assert len(data) <= 1100
    again = pickle.loads(data)
    assert type(again) is Accumulator and again == total
    for both in (again, total):
        both.update([1, 2])
    expected.update([1, 2])
    assert_equals(again, expected)
    assert again == total


def test_pickles_name_nothing_private():
    """They outlive the modules in which things lie today."""
    make, arguments, state = given_all([1, 2]).__reduce__()
    assert make is Accumulator and arguments == ()
    assert (Accumulator.__module__, Accumulator.__qualname__) == ("pycrust", "Accumulator")
    assert state == {
        "version": 1,
        "count": 2,
        "kind": "int",
        "special": (),
        "sumsq": (5, 0),
        "sum": (3, 0),
        "sumj": (0, 0),
    }
    assert b"_" not in pickle.dumps(given_all([1, 2]))
    sums = given_all([1, -math.inf], np.array([complex(math.nan, 0.5), complex(-2.5, math.inf)])).__reduce__()[2]
    assert sums["kind"] == "complex" and sums["special"] == ("-inf", "nan", "infj")
    assert (sums["sumsq"], sums["sum"], sums["sumj"]) == ((15, -1), (-3, -1), (1, -1))


def changed(**entries):
    return given_all([1, 2]).__reduce__()[2] | entries


@pytest.mark.parametrize(
    "state",
    [
        changed(version=2),
        changed(version=None),
        changed(kind=None),
        changed(kind=1),
        changed(kind="integers"),
        changed(kind=["int"]),
        changed(sumsq=(11, -1)),
        changed(sum=(1, -1)),
        changed(special=("inf",)),
        changed(special=None),
        changed(kind="float", special="inf"),
        changed(kind="float", special=("infinity",)),
        changed(kind="float", special=1),
        changed(kind="float", special=(1,)),
        changed(kind="float", special=("infj",)),
        changed(kind="float", sumj=(1, 0)),
        changed(sumj=(1, 0)),
        changed(count=0),
        changed(count=0, sumsq=(0, 0)),
        changed(count=0, sum=(0, 0)),
        changed(count=0, sumsq=(0, 0), sum=(0, 0), kind="float", special=("nan",)),
        changed(count=2.5),
        changed(count=-1),
        changed(count=2**64),
        changed(count=True, sumsq=(9, 0)),
        changed(sum=(4, 0)),  # the square of which is above count * sumsq, so that no two numbers have these
        changed(sum=(-4, 0)),
        changed(sumsq=(0, 0)),
        changed(kind="float", sumsq=(1, -2000)),
        changed(kind="complex", sumj=(2, 0)),
        changed(sum=(True, 0)),
        changed(sum=(3, False)),
        changed(sumsq={5: None, 0: None}),
        *(
            changed(**{"kind": kind, name: value})
            for kind in ("float", "complex")
            for name in ("sumsq", "sum", "sumj")
            for value in [(5.0, 0), (5, 5000), (5, 1), (5, -5000), (5, -2200), (5, -(10**30)), 5, (5,), (5, 0, 0), None]
        ),
        changed(sumsq=(-5, 0)),
        changed(kind="float", sum=(1, -1075)),
        changed(kind="float", sumsq=(36, 0), sum=(3, 1)),
        changed(kind="float", sumsq=(9 << 2149, -2149)),
        *({key: value for key, value in changed().items() if key != name} for name in changed()),
        {},
        None,
        [],
        "state",
        5,
    ],
    ids=str,
)
def test_pickles_that_are_damaged_or_forged(state):
    total = given_all([3])
    with pytest.raises(ValueError, match="not the state of an Accumulator"):
        total.__setstate__(state)
    assert total == given_all([3])


BOMBS = """
import itertools
import pycrust

deep = ()
for _ in range(10**6):
    deep = (deep,)
sound = pycrust.Accumulator([0.5]).__reduce__()[2]
assert set(sound) == {"version", "count", "kind", "special", "sumsq", "sum", "sumj"}
total = pycrust.Accumulator([3])
for key in sound:
    for bomb in deep, (deep,), [deep], {"a": deep}, (1, deep), itertools.count(), range(10**12), "x" * 10**7, (0,) * 10**7:
        for state in {**sound, key: bomb}, bomb:
            try:
                total.__setstate__(state)
            except ValueError as error:
                assert len(str(error)) < 500, str(error)[:500]
            else:
                raise AssertionError(key)
assert total == pycrust.Accumulator([3])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix")
def test_pickles_that_would_use_up_the_stack_or_the_memory(python):
    """hash() of so deep a tuple ends the process; tuple() of what has no end takes all memory."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, -1))\n"
    process = python(limit + BOMBS)
    assert process.returncode == 0, process.stderr


KINDS, SPECIAL = ["int", "float", "complex"], ["inf", "-inf", "nan", "infj", "-infj", "nanj"]

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from([*KINDS, *SPECIAL, "", b"x"]),
    lambda some: (
        st.lists(some, max_size=3) | st.tuples(some, some) | st.dictionaries(st.text(max_size=3), some, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def sums(draw, most_bits, least_exponent):
    """What may be a sum, or lie just outside of what can be one; of any size."""
    bits = draw(st.integers(0, most_bits) | st.sampled_from([0, 1, most_bits // 2, most_bits]))
    return draw(st.integers(-(2**bits), 2**bits)), draw(st.just(0) | st.integers(least_exponent - 2, 1))


@st.composite
def states(draw):
    """States of an Accumulator, most of them forged, some sound."""
    squares, exponent = draw(sums(4400, -2148))
    state = {
        "version": 1,
        "count": draw(st.integers(0, 9) | st.integers(0, 2**64) | st.just(2**64 - 1)),
        "kind": draw(st.sampled_from(KINDS)),
        "special": tuple(draw(st.just([]) | st.lists(st.sampled_from(SPECIAL), max_size=7))),
        "sumsq": (draw(st.sampled_from([squares, abs(squares)])), exponent),
        "sum": draw(st.just((0, 0)) | sums(2200, -1074)),
        "sumj": draw(st.just((0, 0)) | st.just((0, 0)) | sums(2200, -1074)),
    }
    for key in draw(st.just([]) | st.lists(st.sampled_from(sorted(state)), max_size=2)):
        state[key] = draw(junk)
    return state


def expected_of_state(state):
    expected = reference.Accumulator()
    expected.count, expected._kind = state["count"], KINDS.index(state["kind"])
    exact = [integer * Fraction(2) ** exponent for integer, exponent in map(state.get, ("sumsq", "sum", "sumj"))]
    expected._sumsq, expected._sums = exact[0], exact[1:]
    expected._specials = [
        {x for x in state["special"] if x in SPECIAL[:3]},
        {x[:-1] for x in state["special"] if x[-1] == "j"},
    ]
    return expected


def assert_sound_or_refused(state):
    """A ValueError that leaves it as it was; or exactly these sums, also when they grow to the end of what is counted."""
    total = given_all([3])
    try:
        total.__setstate__(state)
    except ValueError as error:
        assert str(error).startswith("not the state of an Accumulator: ") and total == given_all([3])  # noqa: PT017
        return False
    expected = expected_of_state(state)
    assert_equals(total, expected)
    assert pickle.loads(pickle.dumps(total)) == total
    with pytest.raises(OverflowError) if expected.count else contextlib.nullcontext():
        for _ in range(65):
            total.merge(total)
            expected.merge(expected)
    assert_equals(total, expected)
    return True


@given(state=st.one_of(states(), states(), junk))
def test_any_state_is_sound_or_refused(state):
    assert_sound_or_refused(state)


def test_forged_states_at_the_end_of_the_range():
    """The largest sums that are taken, for every count; one more is refused."""
    taken = 0
    for kind in KINDS:
        for count in (1, 2, 3, 2**32, 2**63, 2**64 - 1):
            for bits in (2046, 2047, 2048, 2049, 2112, 2200, 5000):
                for squares in ((1 << bits) - 1, 1 << bits):
                    for number in (0, math.isqrt(count * squares), math.isqrt(count * squares) + 1):
                        for sign in (1, -1):
                            state = changed(count=count, kind=kind, sumsq=(squares, 0), sum=(sign * number, 0))
                            sound = assert_sound_or_refused(state)
                            assert sound == (number**2 <= count * squares)
                            taken += sound
    assert taken > 500
    assert assert_sound_or_refused(changed(count=2**62, kind="complex", sumsq=(2**2111, 0), sumj=(2**1086, 0)))


@pytest.mark.parametrize(
    "a", [[[1, 2], [3, 4]], [[0.5, 1], [-3, math.inf]], [[1j, 2], [3, 4]]], ids=["int", "float", "complex"]
)
def test_what_a_worker_gives_is_an_accumulator_of_each_row(a):
    made = _accumulators(np.array(a), (1,), True)
    assert [each.__reduce__() for each in made] == [Accumulator(np.array(row)).__reduce__() for row in np.array(a)]


@pytest.mark.parametrize("part", [3, None, "x", np.ones(2), object()], ids=["int", "None", "str", "array", "object"])
def test_what_a_worker_gives_instead_of_an_accumulator(part):
    parts = np.empty(2, object)
    parts[:] = given_all([3]), part
    with pytest.raises(TypeError, match="sums of a chunk came back as"):
        _results(parts, "sum", np.dtype(float), None)


@pytest.mark.parametrize("dtype", ["c8", "c16"])
def test_complex_results_beside_ints_beyond_doubles(dtype):
    parts = np.empty(2, object)
    parts[:] = given_all([2**1100, -(2**1100)], [1 + 2j]), given_all([2**1100], [3 - 4j])
    assert_same(_results(parts, "sum", np.dtype(dtype), None), np.array([1 + 2j, complex(math.inf, -4)], dtype))


def test_a_forged_part_of_a_merge_spoils_its_own_sum_alone():
    """One liar among the chunks: that sum is what it says, within what is counted, and no other is touched."""
    liar = Accumulator()
    liar.__setstate__(changed(count=2**63, kind="float", sumsq=(2**2111, 0), sum=(-(2**1087), 0)))
    honest, other = given_all([1.5, 2.5]), given_all([1e-300])
    total = honest + liar
    assert total.count == 2**63 + 2 and total != honest
    assert_same(total.sum(), -math.inf)
    assert_equals(honest, expected_of([1.5, 2.5]))
    assert_equals(honest + other, expected_of([1.5, 2.5], [1e-300]))
    with pytest.raises(OverflowError, match="this one is left as it was"):
        total.merge(liar)
    values = _results(np.array([honest, total, other], object), "sum", np.dtype(float), None)
    assert values.tolist() == [4.0, -math.inf, 1e-300]


def test_pickle_of_ordinary_data_is_small():
    for name in ("nothing", "int", "one", "normal", "float32", "tiny", "inf"):
        assert len(pickle.dumps(given_all(*SAMPLES[name]))) < 200, name


@pytest.mark.parametrize("name", SAMPLES)
def test_copies_stand_alone(name):
    total = given_all(*SAMPLES[name])
    for again in (copy.copy(total), copy.deepcopy(total)):
        assert again == total and again is not total
        again.update([5])
        assert again != total
        assert_equals(total, expected_of(*SAMPLES[name]))


def test_equality():
    a = given_all([0.1, 1e-300, 7e200], [3])
    assert a == given_all([3], [7e200], [1e-300, 0.1])
    assert a != given_all([3], [7e200], [1e-300, -0.1])  # the same sum of squares
    assert a != given_all([0.1, 7e200], [3])
    assert a != given_all([0.1, 1e-300, 7e200], [3], [0])  # another count
    assert a != given_all([0.1, 2e-300, 7e200], [3])  # the same when rounded
    assert given_all([math.nan]) == given_all([-math.nan])
    assert given_all([math.nan]) != given_all([math.inf]) != given_all([1.0])
    assert given_all([1, 2]) == given_all(np.array([2, 1], "i1"))
    assert a != 5 and a != "a" and a is not None and not a == 5
    with pytest.raises(TypeError):
        hash(a)
    with pytest.raises(TypeError):
        a < a


def test_repr():
    assert "Accumulator" in repr(Accumulator())
    text = repr(given_all([3, 4]))
    assert text == "Accumulator(count=2, mean=3.5, std=0.5)"
    assert repr(Accumulator()) == "Accumulator(count=0)"
    assert repr(Accumulator([10**5000])) == "Accumulator(count=1, mean=inf, std=0.0)"
    for name in SAMPLES:
        assert "Accumulator" in repr(given_all(*SAMPLES[name]))


# ---- threads that share one ---------------------------------------------------


@pytest.fixture
def switching_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
def test_updates_from_many_threads(level, switching_often):
    rng = np.random.default_rng(4)
    chunks = [floats(rng, int(n), highest=600, spread=1200) for n in rng.integers(0, 30_000, 60)]
    total = Accumulator()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(total.update, chunks))
    assert_equals(total, expected_of(*chunks))


def test_merges_from_many_threads(switching_often):
    parts = [given_all([k, 1e-200 * k]) for k in range(200)]
    total = Accumulator()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(total.merge, parts))
    assert_equals(total, expected_of(*([k, 1e-200 * k] for k in range(200))))


def test_count_and_sum_belong_together(switching_often):
    """A reader never sees the sum of an update without its count."""
    total = Accumulator()
    total.update(np.full(3, 0.3))
    chunks = [np.full(n, 0.3) for n in (1, 5, 3000, 100_000)] * 25
    with ThreadPoolExecutor(4) as pool:
        updates = [pool.submit(total.update, chunk) for chunk in chunks]
        done = False
        while not done:
            done = all(update.done() for update in updates)
            assert total.rms() == 0.3
            assert pickle.loads(pickle.dumps(total)).rms() == 0.3
            assert (total + total).rms() == total.mean() == 0.3
            assert total.std() == 0.0
    assert total.count == 3 + sum(map(len, chunks))


@pytest.mark.slow
def test_everything_at_once(switching_often):
    """Four threads write and four read: whatever is read is of one moment, and nothing is lost."""
    chunk, writers, times = np.array([0.3, 1e-200, 7e150]), 4, 200_000
    together = threading.Barrier(2 * writers)
    exact, mean = sum(Fraction(x) ** 2 for x in chunk) / 3, sum(map(Fraction, chunk)) / 3
    total, part = given_all(chunk), given_all(chunk, chunk)

    def write():
        together.wait()
        for _ in range(times):
            total.update(chunk)
            total.merge(part)

    def read(writes):
        together.wait()
        while not all(each.done() for each in writes):
            for again in (total, copy.copy(total), total + part, part + total, pickle.loads(pickle.dumps(total))):
                state = again.__reduce__()[2]
                for name, one in (("sumsq", exact), ("sum", mean)):
                    integer, exponent = state[name]
                    assert integer * Fraction(2) ** exponent == state["count"] * one
            figures = r"Accumulator\(count=(\d+), mean=(.+), std=(.+)\)"
            count, *moments = re.fullmatch(figures, repr(total)).groups()
            assert [*map(float, moments)] == [pycrust.mean(chunk), pycrust.std(chunk)]
            assert total.count >= int(count)

    with ThreadPoolExecutor(2 * writers) as pool:
        writes = [pool.submit(write) for _ in range(writers)]
        reads = [pool.submit(read, writes) for _ in range(writers)]
    for each in writes + reads:
        each.result()
    assert total == given_all(np.tile(chunk, 1 + 3 * times * writers))


def test_merging_each_into_the_other_ends(switching_often):
    a, b = given_all([1.0]), given_all([0.0])

    def merge(pair):
        for _ in range(20):
            pair[0].merge(pair[1])
            pair[0] == pair[1]
            pair[0] + pair[1]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(merge, [(a, b), (b, a)]))
    assert a.count > 20 and b.count > 20
