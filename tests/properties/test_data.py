"""The data family: the bits of the oracle, for every dtype and magnitude."""

import array
import functools
import hashlib
import itertools
import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from cases import all_pairs
from hard_arrays import (
    COMPLEX,
    DTYPES,
    EXACT,
    FLOATS,
    FUNCTIONS,
    HUGE,
    INTEGERS,
    SIZES,
    SPECIALS,
    TINY,
    assert_same,
    dtypes_of,
    exactly,
    floats,
    hard_arrays,
    reduced,
    roots_of,
    state_of,
    unchanged,
)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pycrust
from pycrust import reference

# By a mark and not by catch_warnings, which would change the filters of other threads, too.
pytestmark = pytest.mark.filterwarnings("ignore:(rms|mean|var|std) :RuntimeWarning")

known = {}


def exact(a):
    """The oracle's Accumulator of a, made once for all levels."""
    a = np.asarray(a)
    key = a.dtype.str, a.shape, hashlib.blake2b(a.tobytes()).digest()
    if key not in known:
        total = reference.Accumulator()
        total.update(a)
        known[key] = total  # whole, for other threads may be about to look
    return known[key]


def compare(a, functions=FUNCTIONS):
    """pycrust and the oracle give the same for the whole of an array."""
    expected = exact(a)
    with unchanged(a):
        for name in functions:
            assert_same(getattr(pycrust, name)(a), getattr(expected, name)())
        # Rounding hides what is lost far below the last place.
        assert pycrust.Accumulator(a).__reduce__()[2] == state_of(expected)


def compare_axes(a, *args, functions=FUNCTIONS, **kwargs):
    """And with arguments."""
    for name in functions:
        with unchanged(a):
            result = getattr(pycrust, name)(a, *args, **kwargs)
            expected = getattr(reference, name)(a, *args, **kwargs)
        assert_same(result, expected)


# ---- values -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_hard_arrays(level, dtype, data):
    compare(data.draw(hard_arrays(dtype)))


@pytest.mark.parametrize("dtype", FLOATS + COMPLEX)
@given(data=st.data())
def test_any_few_numbers(level, dtype, data):
    compare(data.draw(hnp.arrays(dtype, st.integers(0, 12))))


@all_pairs(dtype=DTYPES, n=[65535, 65536, 65537, 200_001])
def test_long_arrays(dtype, n):
    rng = np.random.default_rng(n)
    kind = np.dtype(dtype).kind
    a = rng.normal(size=n) if kind in "fc" else rng.integers(-(2**63), 2**63 - 1, n).astype(dtype)
    if kind == "c":
        a = a + 1j * rng.normal(size=n)
    compare(a.astype(dtype))


@all_pairs(n=SIZES, dtype=FLOATS)
def test_every_size(dtype, n):
    a = np.random.default_rng(n).normal(size=n).astype(dtype)
    compare(a)
    compare(np.full(n, 1 - 2.0**-11, dtype))


@all_pairs(n=SIZES, dtype=[name for name in INTEGERS if name != "?"])
def test_every_size_of_the_largest_integers(dtype, n):
    limits = np.iinfo(dtype)
    for value in {limits.min, limits.max, limits.min + 1}:
        compare(np.full(n, value, dtype))


@all_pairs(
    spread=[0, *range(19, 29), *range(46, 56), 100, 400, 1500, 2097], mantissa=["random", "ones", "power", "ends"]
)
def test_every_spread_of_magnitudes(spread, mantissa):
    rng = np.random.default_rng(spread)
    for highest in (0, 1, -501, 1023, -1074 + spread, *rng.integers(spread - 1074, 1023, 4, endpoint=True)):
        compare(floats(rng, 4100, highest=highest, spread=min(spread, highest + 1074), mantissa=mantissa))


@pytest.mark.slow
@pytest.mark.parametrize("mantissa", ["random", "ones", "power"])
def test_every_exponent(mantissa):
    rng = np.random.default_rng(7)
    for highest in range(-1074, 1024, 3):
        compare(
            floats(rng, 70, highest=highest, spread=1, mantissa=mantissa), functions=["sumsq", "norm", "sum", "std"]
        )


def test_every_exponent_in_one_array(level):
    powers = np.ldexp(1.0, np.arange(-1074, 1024))
    rng = np.random.default_rng(8)
    for a in (powers, powers[::-1].copy(), rng.permutation(powers), rng.permutation(np.repeat(powers, 31))):
        compare(a)
        compare(a[np.abs(a) < 2.0**500])
        compare(a[np.abs(a) < 2.0**-500])


@pytest.mark.slow
def test_every_float16():
    a = np.arange(2**16, dtype=np.uint16).view(np.float16)
    compare(a)
    compare(a[np.isfinite(a)])
    compare_axes(a[:, None], axis=1, functions=["sumsq", "mean"])


@pytest.mark.slow
@pytest.mark.parametrize("special", SPECIALS, ids=repr)
@pytest.mark.parametrize("ordinary", [1.0, 1e-150, 1e150, 2.0**-1074, 0.0])
def test_one_outlier_at_each_place(ordinary, special):
    rng = np.random.default_rng(11)
    a = rng.uniform(1, 2, 3 * 2048 + 9) * ordinary
    for place in [*range(10), *(b + d for b in (64, 512, 1024, 2048, 4096, 6144) for d in (-1, 0, 1)), a.size - 1]:
        kept, a[place] = a[place], special
        compare(a, functions=["sumsq", "norm", "sum", "std"])
        a[place] = kept


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["f2", "f4", "c8", "c16"])
@pytest.mark.parametrize("special", [0.0, TINY, 1e-45, 6e-8, 6e4, 1e38, math.inf, math.nan], ids=repr)
def test_one_outlier_in_other_dtypes(dtype, special):
    rng = np.random.default_rng(12)
    a = rng.uniform(1, 2, 4100).astype(dtype)
    for place in (0, 1, 7, 8, 15, 16, 31, 1023, 1024, 2047, 2048, 4095, 4096, 4099):
        for value in (special, complex(0, special)) if a.dtype.kind == "c" else (special,):
            kept = a[place]
            with np.errstate(over="ignore"):
                a[place] = value
            compare(a)
            a[place] = kept


@pytest.mark.slow
@pytest.mark.parametrize("dtype", FLOATS + COMPLEX)
def test_nan_beats_inf(dtype):
    for values in itertools.permutations([math.nan, math.inf, -math.inf, 1.0, 0.0], 3):
        for gap in (1, 7, 700, 2048):
            a = np.ones(3 * gap, dtype)
            a[::gap] = values
            compare(a)
    compare(np.array([complex(math.inf, math.nan), 1], "c16"))


@all_pairs(dtype=INTEGERS, n=[2**16 + 7, 70_000, 2**18, 2**20 + 1, 2**22 - 1, 2**24 + 3])
def test_integers_too_many_for_any_small_sum(dtype, n):
    if dtype == "?":
        ends = [True]
    else:
        n = min(n, 2**24 // np.dtype(dtype).itemsize)
        ends = [np.iinfo(dtype).min or np.iinfo(dtype).max, np.iinfo(dtype).max]
    for value in ends:
        a = np.full(n, value, dtype)
        total = n * int(value) ** 2
        assert_same(pycrust.sumsq(a), total)
        assert_same(pycrust.sumsq(a[::-1]), total)
        assert_same(pycrust.sumsq(a, axis=0, dtype=object), total)
        assert_same(pycrust.norm(a), reference.nearest_root(total))
        assert_same(pycrust.rms(a), abs(float(value)))
        assert_same(pycrust.sum(a), n * int(value))
        assert_same(pycrust.sum(a, axis=0, dtype=object), n * int(value))
        assert_same(pycrust.mean(a), float(value))
        assert_same(pycrust.var(a), 0.0)


def test_integers_that_carry_into_every_word(level):
    """One or some of nearly 2**128 together, and many that turn over the words below."""
    for large in (np.array([2**64 - 1], "u8"), np.full(4, 1 - 2**63), np.full(4, -(2**63)), np.full(16, 2**62)):
        for small in (2**32 - 1, 2**31, 2**33 - 1, 3):
            for k in (*range(12), 60, 61, 1000, 70_000):
                a = np.append(large, np.full(k, small, large.dtype))
                total = sum(int(x) ** 2 for x in large) + k * small**2
                assert_same(pycrust.sumsq(a), total)
                whole = sum(int(x) for x in large) + k * small
                assert_same(pycrust.sum(a), whole)
                assert_same(pycrust.std(a), reference.nearest_root(Fraction(a.size * total - whole**2, a.size**2)))


@pytest.mark.parametrize("dtype", FLOATS + COMPLEX)
def test_floats_too_many_for_any_small_sum(level, dtype):
    n = 2**22 + 5
    value = np.array(1 - 2.0**-11, dtype)
    total = Fraction(float(value.real)) ** 2 * n
    a = np.full(n, value)
    assert_same(pycrust.sumsq(a), reference.nearest(total))
    assert_same(pycrust.norm(a), reference.nearest_root(total))
    assert_same(pycrust.rms(a), float(value.real))
    assert_same(pycrust.sum(a), value.item() * 0 + reference.nearest(Fraction(float(value.real)) * n))
    assert_same(pycrust.mean(a), value.item())
    assert_same(pycrust.std(a), 0.0)


# ---- the rounding -------------------------------------------------------------


@given(st.integers(2**53, 2**54 - 1), st.integers(-1000, 900), st.sampled_from([0, 3, 2050]), st.integers(0, 2**32))
def test_sums_halfway_between_floats(level, total, exponent, zeros, seed):
    """54 bits and the last one set: a tie, and with a little more or less no longer."""
    half = exponent // 2
    roots = np.ldexp(np.array([*roots_of(total | 1), *[0] * zeros], float), half)
    np.random.default_rng(seed).shuffle(roots)
    compare(roots)
    compare(np.append(roots, TINY))
    compare(np.append(roots, math.ldexp(1.0, max(half - 60, -1074))))
    almost = [*roots_of((total | 1) - 1), 1 - 2**-53]
    compare(np.ldexp(almost, half))


@given(st.integers(2**53, 2**54 - 1), st.integers(-1074, 950), st.integers(0, 2**32))
def test_roots_halfway_between_floats(level, root, exponent, seed):
    root |= 1
    exact = np.ldexp([float(x) for x in roots_of(root**2)], exponent)
    np.random.default_rng(seed).shuffle(exact)
    compare(exact)
    compare(np.append(exact, TINY))
    compare(np.ldexp([float(x) for x in roots_of(root**2 - 1)], exponent))
    n = 4 * 97
    mean = [float(x) for x in roots_of(n * root**2)]
    compare(np.ldexp([*mean, *[0.0] * (n - len(mean))], exponent))


@pytest.mark.parametrize("exponent", [0, -1, 13, 32, -45, 100])
def test_a_bit_far_below_a_tie(exponent):
    """The even neighbour is below; one more bit, however small, makes it the one above."""
    tie = 2**53 + 1
    above = math.ldexp(2**53 + 2, exponent)
    for drop in range(27, 180):
        for bit in ([2.0**-drop], [2.0**-drop] * 2):
            a = np.ldexp([*map(float, roots_of(tie)), *bit], exponent)
            assert_same(pycrust.sumsq(a), math.ldexp(above, exponent))
            a = np.ldexp([*map(float, roots_of(tie**2)), *bit], exponent)
            assert_same(pycrust.norm(a), above)
            for n in (12, 389, 1000):
                roots = [*map(float, roots_of(n * tie**2)), *bit]
                a = np.ldexp([*roots, *[0.0] * (n - len(roots))], exponent)
                assert_same(pycrust.rms(a), above)


@pytest.mark.parametrize("k", [*range(1, 12), 64, 1000, 2049, 5000])
def test_sums_that_underflow(k):
    for exponent in range(-545, -530):
        compare(np.full(k, 2.0**exponent))
        compare(np.full(k, 2.0**exponent * (1 - 2**-53)))
    compare(np.full(k, TINY))
    compare(np.append(np.full(k, TINY), 2.0**-538))


def test_sums_that_underflow_are_as_counted_by_hand(level):
    totals = [pycrust.sumsq(np.full(k, 2.0**-538)) / TINY for k in range(12)]
    assert totals == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 3]
    assert [pycrust.rms([TINY] + [0.0] * zeros) / TINY for zeros in range(5)] == [1, 1, 1, 0, 0]


def test_the_largest_sums(level):
    tie = 2**54 - 1  # times 2**970: halfway between HUGE and 2**1024
    exactly = np.ldexp([float(x) for x in roots_of(tie)], 485)
    below = np.ldexp([*map(float, roots_of(tie - 1)), 1 - 2**-53], 485)
    assert_same(pycrust.sumsq(exactly), math.inf)
    assert_same(pycrust.sumsq(below), HUGE)
    assert_same(pycrust.sumsq(np.append(below, TINY)), HUGE)
    assert_same(pycrust.sumsq(np.full(3, 1e300)), math.inf)
    compare(exactly)
    compare(below)
    compare(np.full(5000, 2.0**512))


def test_the_largest_roots(level):
    tie = 2**54 - 1  # times 2**970
    exactly = np.ldexp([float(x) for x in roots_of(tie**2)], 970)
    below = np.ldexp([*map(float, roots_of(tie**2 - 1)), 1 - 2**-53], 970)
    assert_same(pycrust.norm(exactly), math.inf)
    assert_same(pycrust.norm(below), HUGE)
    assert_same(pycrust.norm([1e200, 1e200]), 1.414213562373095e200)
    for n in (1, 2, 100, 5000):
        compare(np.full(n, HUGE))
    compare(exactly)
    compare(below)


@pytest.mark.parametrize("bits", [*range(50, 56), *range(62, 67), *range(104, 108), 127, 128, 129, 192, 256])
def test_carries_that_run_far(bits):
    """Sums of 2**bits - 1 and about: long runs of ones, which one more turns over."""
    for total in (2**bits - 1, 2**bits, 2**bits + 1):
        roots = [float(x) for x in roots_of(total)]
        for exponent in (0, -31, 200, -400, -537):
            a = np.ldexp(roots, exponent)
            compare(a, functions=["sumsq", "norm", "sum", "std"])
            compare(np.append(a, math.ldexp(1.0, exponent)), functions=["sumsq", "norm", "sum", "std"])


@given(hnp.arrays("i8", st.integers(0, 9)), hnp.arrays("u8", st.integers(0, 9)))
def test_integers_as_rounded_floats(level, signed, unsigned):
    for a in (signed, unsigned):
        compare_axes(a, dtype=np.float64, functions=EXACT)
        assert_same(pycrust.sumsq(a, dtype=float), float(sum(int(x) ** 2 for x in a)))


# ---- result types -------------------------------------------------------------


@pytest.mark.parametrize("dtype", INTEGERS)
def test_types_of_integer_results(dtype):
    a = np.array([[1, 0, 1], [1, 1, 1]], dtype)
    words = np.uint64 if a.dtype.kind == "u" else np.int64
    for function in (pycrust.sumsq, pycrust.sum):
        assert type(function(a)) is int
        assert type(function(a, dtype=object)) is int
        assert isinstance(function(a, dtype=np.float64), float)
        assert function(a, axis=1).dtype == words
        assert function(a, axis=1, dtype="u8").dtype == np.uint64
        assert function(a, axis=1, dtype="i8").dtype == np.int64
        assert function(a, axis=1, dtype=float).dtype == np.float64
        exact = function(a, axis=1, dtype=object)
        assert exact.dtype == object and [type(value) for value in exact] == [int, int]
        assert function(a[0], axis=0).dtype == words
    for name in set(FUNCTIONS) - set(EXACT):
        function = getattr(pycrust, name)
        assert type(function(a)) is float
        assert function(a, axis=1).dtype == np.float64


@pytest.mark.parametrize("dtype", FLOATS + COMPLEX)
def test_types_of_float_results(dtype):
    a = np.ones((2, 3), dtype)
    for name in FUNCTIONS:
        function = getattr(pycrust, name)
        default, *_ = all_of_them = dtypes_of(name, a)
        number = complex if default == "c16" else float
        assert function(a, axis=1).dtype == default
        for wanted in all_of_them:
            assert type(function(a, dtype=wanted)) is number
            assert function(a, axis=1, dtype=wanted).dtype == wanted
        assert type(function(a)) is number
        assert type(function(a, axis=(0, 1))) is np.dtype(default).type


def test_differences_of_results_do_not_wrap():
    a, b = np.array([[1, 2], [3, 4]]), np.array([[5, 6], [7, 8]], "i1")
    assert (pycrust.sumsq(a, axis=0) - pycrust.sumsq(b, axis=0)).tolist() == [-64, -80]


@pytest.mark.parametrize(
    "a, total",
    [
        (3, 9),
        (True, 1),
        (-3.0, 9.0),
        (3 + 4j, 25.0),
        ([3, 4], 25),
        (((1, 2), (3, 4)), 30),
        ([3, 0.5], 9.25),
        (range(4), 14),
        (b"", None),
        (bytearray([3, 4]), 25),
        pytest.param(memoryview(array.array("h", [-300, 400])), 250000, id="memoryview"),
        (array.array("d", [0.5]), 0.25),
        ([2**63], 2**126),
        (np.int8(-128), 16384),
        (np.array(-7), 49),
        (np.array(0.5, ">f4"), 0.25),
    ],
    ids=repr,
)
def test_array_likes(a, total):
    if total is None:  # a bytes object is a string to NumPy
        with pytest.raises(TypeError):
            pycrust.sumsq(a)
        return
    assert_same(pycrust.sumsq(a), total)
    for name in FUNCTIONS:
        assert_same(getattr(pycrust, name)(a), getattr(reference, name)(a))


def test_of_nothing():
    for empty in (np.zeros(0, int), np.zeros((2, 0, 1), "i2")):
        assert_same(pycrust.sumsq(empty), 0)
        assert_same(pycrust.norm(empty), 0.0)
    for empty in ([], np.zeros(0, "f4"), np.zeros((2, 0, 1), "c16")):
        assert_same(pycrust.sumsq(empty), 0.0)
        assert_same(pycrust.norm(empty), 0.0)
    for empty in ([], np.zeros(0, int)):
        with pytest.warns(RuntimeWarning):
            assert math.isnan(pycrust.rms(empty))
    with pytest.warns(RuntimeWarning):
        assert np.isnan(pycrust.rms(np.zeros((2, 0)), axis=1)).tolist() == [True, True]
    with pytest.warns(RuntimeWarning):
        assert_same(
            pycrust.rms([[1, 2], [3, 4]], axis=1, where=[[True], [False]]), np.array([math.sqrt(2.5), math.nan])
        )
    assert pycrust.rms(np.zeros((0, 3)), axis=1).shape == (0,)  # no mean of nothing here: no warning


@pytest.mark.filterwarnings("error")
def test_nothing_else_warns():
    for a in ([1e300, 1e300], [math.inf], [math.nan], [TINY], np.array([65504], "f2"), [-0.0]):
        for name in FUNCTIONS:
            getattr(pycrust, name)(a)
            getattr(pycrust, name)([a], axis=1)


# ---- axis, keepdims, where, out -----------------------------------------------


@st.composite
def reductions(draw):
    """An array, and axis, keepdims and where to reduce it with."""
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    dtype = draw(st.sampled_from(DTYPES))
    size = math.prod(shape)
    a = draw(hard_arrays(dtype, sizes=st.just(size))).reshape(shape)
    if draw(st.booleans()):
        a = a[tuple(slice(None, None, draw(st.sampled_from([1, -1, 2, -2]))) for _ in shape)]
    if draw(st.booleans()):
        a = a.transpose(draw(st.permutations(range(a.ndim))))
    axis = draw(
        st.one_of(st.none(), hnp.valid_tuple_axes(a.ndim), *([st.integers(-a.ndim, a.ndim - 1)] if a.ndim else []))
    )
    where = True
    if draw(st.booleans()):
        mask_shape = tuple(draw(st.sampled_from([1, side])) for side in a.shape)[draw(st.integers(0, a.ndim)) :]
        where = draw(hnp.arrays(bool, mask_shape))
    return a, axis, draw(st.booleans()), where


@given(reductions(), st.data())
def test_reductions(level, reduction, data):
    a, axis, keepdims, where = reduction
    for name in FUNCTIONS:
        dtype = data.draw(st.sampled_from([None, *dtypes_of(name, a)]))
        if name in EXACT:
            dtype = dtype or exactly(a)  # which always fits
        compare_axes(a, axis=axis, keepdims=keepdims, where=where, dtype=dtype, functions=[name])


@given(reductions(), st.data())
def test_out(level, reduction, data):
    a, axis, keepdims, where = reduction
    for name in FUNCTIONS:
        dtype = data.draw(st.sampled_from(dtypes_of(name, a)))
        given = {"axis": axis, "keepdims": keepdims, "where": where}
        expected = np.asarray(getattr(reference, name)(a, dtype=dtype, **given)).astype(dtype)
        for out in (np.empty_like(expected), np.full((*expected.shape, 2), 7, expected.dtype)[..., 0]):
            assert getattr(pycrust, name)(a, out=out, **given) is out
            assert_same(out, expected)


@pytest.mark.parametrize("dtype, bits", [("f4", 24), ("f2", 11)])
@pytest.mark.parametrize("name", ["sumsq", "norm", "rms"])
def test_narrow_results_are_rounded_once(level, dtype, bits, name):
    """A tie of the narrow type and a little more: a float64 on the way would lose that."""
    tie = 2**bits + 1
    count = 4096
    total = {"sumsq": tie, "norm": tie**2, "rms": count * tie**2}[name]
    roots = [*map(float, roots_of(total)), 2.0**-60]
    a = np.array([*roots, *[0.0] * (count - len(roots))])[:, None] * (1 if dtype == "f4" else 2.0**-5)
    for values in (a, np.repeat(a, 30, axis=1)):
        assert_same(
            getattr(pycrust, name)(values, axis=0, dtype=dtype), getattr(reference, name)(values, axis=0, dtype=dtype)
        )


@functools.cache
def expected_along_axes(shape, dtype):
    a = np.random.default_rng(21).normal(size=shape) * 50
    a = a.astype("i8").astype(dtype) if np.dtype(dtype).kind == "u" else a.astype(dtype)
    calls = [("sumsq", 0), ("sumsq", (0, -1)), ("norm", 1), ("rms", 0), ("sum", 0), ("std", 0), ("std", 1)]
    return a, [(name, axis, reduced(reference, name, a, axis)) for name, axis in calls]


@all_pairs(dtype=DTYPES, shape=[(3, 4099), (2100, 3), (2, 1030, 2), (70, 70), (1, 300), (2100, 1)])
def test_long_axes(shape, dtype):
    a, results = expected_along_axes(shape, dtype)
    for name, axis, expected in results:
        for view in (a, np.asfortranarray(a), a[::-1].copy()[::-1], a[:, ::-1].copy()[:, ::-1]):
            assert_same(reduced(pycrust, name, view, axis), expected)


@pytest.mark.parametrize("axis", [0, 1, (0, 1), None])
def test_axes_of_wild_numbers(level, axis):
    rng = np.random.default_rng(22)
    for spread in (0, 25, 60, 600):
        a = floats(rng, 90 * 90, highest=50, spread=spread).reshape(90, 90)
        a[rng.integers(90, size=5), rng.integers(90, size=5)] = [math.nan, math.inf, HUGE, TINY, 0]
        compare_axes(a, axis=axis, functions=["sumsq", "rms", "sum", "std"])


@pytest.mark.parametrize("no, yes", [(False, True), (0, 1), (np.False_, np.True_)])
def test_keepdims_may_be_any_truth_value(no, yes):
    a = np.full(2, 2**62)
    assert_same(pycrust.sumsq(a, keepdims=no), 2**125)
    assert_same(pycrust.sumsq(a // 2**40, keepdims=yes), np.array([2**45]))


def test_out_may_be_a_part_of_the_input():
    a = np.arange(12.0).reshape(3, 4)
    expected = reference.sumsq(a, axis=0)
    result = pycrust.sumsq(a, axis=0, out=a[0])
    assert result.tolist() == expected.tolist() == a[0].tolist()


def test_out_of_another_dtype():
    a = np.array([[1, 2], [3, 4]])
    for dtype in ("u8", "i8", "f8", "f4", "f2", "O", ">u8", ">f4"):
        out = np.zeros(2, dtype)
        assert pycrust.sumsq(a, axis=1, out=out) is out
        assert out.tolist() == [5, 25] and out.dtype == dtype
    out = np.zeros(())
    assert pycrust.norm(a, out=out) is out and out == math.sqrt(30)


def test_results_are_plain_arrays():
    class Labelled(np.ndarray):
        pass

    result = pycrust.sumsq(np.ones((2, 2)).view(Labelled), axis=0)
    assert type(result) is np.ndarray and result.tolist() == [2.0, 2.0]


# ---- errors -------------------------------------------------------------------


@pytest.mark.parametrize(
    "a, named",
    [
        (np.array([1, 2.5], object), "float"),
        (["a"], "U1"),
        (np.array(["2026-01-01"], "M8[D]"), "datetime64"),
        (np.array([1], "m8[s]"), "timedelta64"),
        (np.zeros(2, [("x", "f8")]), "x"),
        (np.zeros(2, "V4"), "V4|void"),
        (np.ones(2, np.longdouble), "longdouble|float128|float96"),
        (
            np.ones(2, np.clongdouble),
            r"dtype (clongdouble|complex256|complex192): .*astype\(np\.complex128\) would round",
        ),
        (None, "NoneType"),
    ],
    ids=lambda x: getattr(x, "dtype", x) and None,
)
@pytest.mark.parametrize("name", [*FUNCTIONS, "Accumulator"])
def test_other_dtypes_are_refused(a, named, name):
    function = pycrust.Accumulator().update if name == "Accumulator" else getattr(pycrust, name)
    with pytest.raises(TypeError, match=named):
        function(a)


@pytest.mark.parametrize("name", [*FUNCTIONS, "Accumulator"])
@pytest.mark.parametrize("mask", [[True, False], False])
def test_masks_are_never_ignored(name, mask):
    function = pycrust.Accumulator().update if name == "Accumulator" else getattr(pycrust, name)
    with pytest.raises(TypeError, match="where="):
        function(np.ma.masked_array([1.0, 2.0], mask=mask))


class Behind:
    def __array__(self, dtype=None, copy=None):
        return np.ma.masked_array([1.0, 2.0], mask=[True, False])


@pytest.mark.parametrize("name", [*FUNCTIONS, "Accumulator"])
def test_masks_in_lists_in_where_and_behind_other_objects(name):
    function = pycrust.Accumulator().update if name == "Accumulator" else getattr(pycrust, name)
    masked = np.ma.masked_array([1.0, 2.0], mask=[True, False])
    for a in ([masked], [[masked], [masked]], (np.ones(2), masked), [Behind()]):
        with pytest.raises(TypeError, match=r"masked arrays are not taken, .*update\(.*, where=~np\.ma\.getmaskarray"):
            function(a)
    with pytest.raises(TypeError, match=r"masked arrays are not taken, .*np\.ma\.getmaskarray"):
        function(Behind())
    with pytest.raises(TypeError, match=r"masked arrays are not taken, .*pass where=where\.filled"):
        function(np.ones(2), where=masked > 0)
    for where in ([masked > 0], [[masked > 0]]):
        with pytest.raises(TypeError, match=r"masked arrays are not taken, .*\.filled\(False\) in the place of where"):
            function(np.ones(2), where=where)


def nested(a, times):
    return functools.reduce(lambda inner, _: [inner], range(times), a)


def test_lists_as_deep_as_numpy_goes():
    """All the way down they are looked through for masks, and for ints that are no floats."""
    deepest = 64 if int(np.__version__.split(".")[0]) > 1 else 32
    for depth in (1, deepest // 2, deepest - 1, deepest):
        assert_same(pycrust.sumsq(nested([2**63 + 1, -1], depth - 1)), (2**63 + 1) ** 2 + 1)
        with pytest.raises(TypeError, match="masked arrays are not taken"):
            pycrust.sumsq(nested(np.ma.masked, depth))
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match="dimension"):
        pycrust.sumsq(endless)


def test_what_converts_is_converted_once():
    class Costly:
        def __array__(self, dtype=None, copy=None):
            made.append(self)
            return np.array([3.0, 4.0])

    made = []
    assert_same(pycrust.sumsq(Costly()), 25.0)
    assert len(made) == 1


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    "arguments, error, named",
    [
        ({"axis": 2}, ValueError, "2"),
        ({"axis": -3}, ValueError, "-3"),
        ({"axis": (0, 5)}, ValueError, "5"),
        ({"axis": (0, 0)}, ValueError, "axis|axes"),
        ({"axis": (1, -1)}, ValueError, "axis|axes"),
        ({"axis": 0.5}, TypeError, None),
        ({"axis": "x"}, TypeError, None),
        ({"axis": 2**70}, (ValueError, OverflowError), None),
        ({"out": np.zeros(3)}, ValueError, r"\(3,\)"),
        ({"axis": 0, "out": np.zeros(2)}, ValueError, r"\(2,\)"),
        ({"axis": 0, "keepdims": True, "out": np.zeros(3)}, ValueError, r"\(1, 3\)"),
        ({"axis": 0, "out": np.zeros(3, "M8[s]")}, TypeError, "datetime64"),
        ({"axis": 0, "out": np.zeros(3, bool)}, TypeError, "bool"),
        ({"axis": 0, "out": [0.0, 0.0, 0.0]}, TypeError, "list"),
        ({"axis": 0, "out": np.broadcast_to(0.0, 3)}, ValueError, "out is read-only"),
        ({"where": [1, 0, 1]}, TypeError, "where"),
        ({"where": [True, False]}, ValueError, "where"),
        ({"where": np.ones((2, 2, 3), bool)}, ValueError, "where"),
        ({"where": np.ma.masked_array([True, True, True])}, TypeError, "where"),
        ({"workers": 0}, ValueError, "workers"),
        ({"workers": -10_000}, ValueError, "workers"),
        ({"where": np.array([True, 1, 0], object)}, TypeError, "not of object"),
        ({"workers": -(2**70)}, ValueError, "workers"),
        ({"workers": 1.0}, TypeError, None),
        ({"workers": "2"}, TypeError, None),
        ({"workers": None}, TypeError, None),
        ({"colour": 1}, TypeError, "colour"),
    ],
    ids=str,
)
def test_bad_arguments(name, arguments, error, named):
    a = np.ones((2, 3))
    with pytest.raises(error, match=named):
        getattr(pycrust, name)(a, **arguments)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_by_position(name):
    """norm(x, 1) is the 1-norm to NumPy, and must not be a norm along axis 1."""
    function = getattr(pycrust, name)
    assert function(a=[2.0]) == function([2.0])
    if name == "norm":
        with pytest.raises(TypeError, match="positional"):
            function(np.ones((2, 2)), 1)
    else:
        assert function(np.ones((2, 2)), 1).shape == (2,)
    with pytest.raises(TypeError):
        function([1.0], 0, None)
    with pytest.raises(TypeError):
        function()


@pytest.mark.parametrize("dtype", ["i8", "u8", "O", "c16", "U3", "longdouble"])
def test_dtypes_that_floats_do_not_give(dtype):
    for name, a in itertools.product(FUNCTIONS, ([1.5], [1])):
        if name not in EXACT or a == [1.5] or dtype not in ("i8", "u8", "O"):
            for axis in (None, 0):
                with pytest.raises(TypeError, match="dtype"):
                    getattr(pycrust, name)(a, axis=axis, dtype=dtype)


@pytest.mark.parametrize("dtype", ["c16", "U3", "longdouble", "M8[s]", "?", "i4"])
def test_dtypes_that_integers_do_not_give(dtype):
    for name, axis in itertools.product(EXACT, (None, 0)):
        with pytest.raises(TypeError, match="dtype"):
            getattr(pycrust, name)([1], axis=axis, dtype=dtype)


def test_out_and_dtype_must_agree():
    with pytest.raises(TypeError, match="out is of float32, which is not dtype=float64"):
        pycrust.sumsq([[1.0]], axis=0, dtype="f8", out=np.zeros(1, "f4"))


# ---- lists of ints ------------------------------------------------------------

BIG = [[-1, 2**63 + 1], [10**30], [2**64, -(2**64)], [[10**30, 1], [2, 3]], [True, 10**20], [3**700, 1], [10**400, 7]]
# Beyond any exponent that fits beside a float's digits: 2**3074 and more, of the squares or of the numbers.
BIG += [[2**1536, 2**1536 + 1], [2**1537, 0], [-(2**3073)], [2**3075, 1], [-(10**1000), 10**700], [2**14_000, 0]]


@pytest.mark.parametrize("a", [*BIG, [np.uint64(2**63), -1], [np.array([2**63], "u8"), np.array([-1])]], ids=str)
def test_lists_of_ints_are_exact(a):
    """NumPy would make floats or objects of them."""
    numbers = [int(x) for x in np.array(a, dtype=object).flat]
    total = sum(x * x for x in numbers)
    for those in (a, tuple(a)):
        assert_same(pycrust.sumsq(those), total)
        assert_same(pycrust.sumsq(those, dtype="f8"), reference.nearest(total))
        assert_same(pycrust.norm(those), reference.nearest_root(total))
        assert_same(pycrust.rms(those), reference.nearest_root(Fraction(total, len(numbers))))
        compare_lists(those, functions=["sum", "mean", "var", "std"])
        assert_same(pycrust.sum(those), sum(numbers))
        accumulator = pycrust.Accumulator([1.5, 0.5][:0])
        accumulator.update(those)
        assert_same(accumulator.sumsq(), total)
        assert accumulator.count == len(numbers)


@pytest.mark.parametrize("axis", [0, 1, (0, 1), None])
def test_axes_of_lists_of_ints(axis):
    a = [[10**30, 1, 2**70], [2, 3, 0]]
    where = [True, True, False]
    for dtype in ("O", "f8", "f4", "f2"):
        compare_lists(a, axis=axis, where=where, dtype=dtype, functions=EXACT if dtype == "O" else FUNCTIONS)
        if axis is not None:
            compare_lists(a, axis=axis, keepdims=True, dtype=dtype, functions=EXACT)
    with pytest.raises(OverflowError, match="dtype=object"):
        pycrust.sumsq(a, axis=axis, dtype="u8")
    assert_same(pycrust.sumsq(a, axis=1, where=[[False], [True]]), np.array([0, 13]))


def compare_lists(a, *, functions, **kwargs):
    for name in functions:
        assert_same(getattr(pycrust, name)(a, **kwargs), getattr(reference, name)(a, **kwargs))


@pytest.mark.parametrize("a", [[10**30, 0.5], [10**30, None], [10**30, Fraction(1, 2)], [10**30, "1"]], ids=str)
def test_lists_of_more_than_ints(a):
    with pytest.raises(TypeError, match=f"cannot sum|a has floats and the integer {10**30}"):
        pycrust.sumsq(a)


@pytest.mark.parametrize("a", [{1, 2}, (x for x in [1]), {1: 2}, None], ids=["set", "generator", "dict", "None"])
def test_what_is_no_array(a):
    with pytest.raises(TypeError, match="a must be an array, nested lists or a number, not"):
        pycrust.sumsq(a)


# ---- the largest sums of integers along an axis -------------------------------


def test_sums_beyond_int64(level):
    a = np.array([roots_of(2**63 - 1), roots_of(2**63 - 1)])
    assert_same(pycrust.sumsq(a, axis=1), np.array([2**63 - 1] * 2))
    a[1] = 0
    a[1, :2] = 2**31
    a[1, 2] = 2**31 + 1
    out = np.array([7, 8])
    for options in ({}, {"out": out}, {"dtype": np.int64}, {"workers": 2}):
        with pytest.raises(OverflowError, match=r"at \(1,\) .* int64; use dtype=np.uint64, dtype=object"):
            pycrust.sumsq(a, axis=1, **options)
    assert out.tolist() == [7, 8]
    assert_same(pycrust.sumsq(a, axis=1, dtype="u8"), np.array([2**63 - 1, 3 * 2**62 + 2**32 + 1], "u8"))
    assert pycrust.sumsq(a.astype("u8"), axis=1).dtype == np.uint64


def test_sums_beyond_uint64(level):
    fits = np.array([2**32 - 1, 2**16, 2**16], np.uint64)  # 2**64 - 2**33 + 1 + 2**33
    a = np.array([fits - np.array([0, 0, 2**16], np.uint64), fits], np.uint64)
    out = np.array([7, 8], np.uint64)
    with pytest.raises(OverflowError, match="dtype=object"):
        pycrust.sumsq(a, axis=1)
    with pytest.raises(OverflowError, match="dtype=object"):
        pycrust.sumsq(a, axis=1, out=out)
    assert out.tolist() == [7, 8]
    with pytest.raises(OverflowError, match="dtype=object"):
        pycrust.sumsq(a, dtype=np.uint64)
    assert pycrust.sumsq(a, axis=1, dtype=object).tolist() == [2**64 - 2**32 + 1, 2**64 + 1]
    assert pycrust.sumsq(a, axis=1, dtype=float).tolist() == [2.0**64 - 2.0**32, 2.0**64]
    assert pycrust.sumsq(a[:1], axis=1).tolist() == [2**64 - 2**32 + 1]
    assert pycrust.sumsq(a) == 2**65 - 2**32 + 2
    largest = np.array(roots_of(2**64 - 1), np.uint64)
    assert_same(pycrust.sumsq(largest, axis=0), np.uint64(2**64 - 1))
    rows = np.zeros((4, largest.size), np.uint64)
    rows[:, 0] = 1, 2**32 - 1, 0, 2**32
    rows[2] = largest
    with pytest.raises(OverflowError, match=rf"at \(3,\) along the axes kept is {2**64}"):
        pycrust.sumsq(rows, axis=1)
    with pytest.raises(OverflowError, match="dtype=object"):
        pycrust.sumsq(np.append(largest, np.uint64(1)), axis=0)


def test_out_never_wraps():
    a = np.array([[1, 1], [20, 20]])
    for dtype in ("i1", "u1"):
        out = np.array([5, 5], dtype)
        with pytest.raises((OverflowError, TypeError)):
            pycrust.sumsq(a, axis=1, out=out)
        assert out.tolist() == [5, 5]
    out = np.array([5], "i8")
    with pytest.raises((OverflowError, TypeError)):
        pycrust.sumsq([[2**31, 2**31, 2**31]], axis=1, out=out)
    assert out.tolist() == [5]


def test_out_untouched_by_errors():
    out = np.full(2, 7.0)
    for bad in ({"where": [1, 0]}, {"workers": 0}, {"axis": 3}):
        with pytest.raises((TypeError, ValueError)):
            pycrust.sumsq(np.ones((2, 2)), **{"axis": 0, "out": out, **bad})
    with pytest.raises(TypeError):
        pycrust.sumsq(np.full((2, 2), "1"), axis=0, out=out)
    assert out.tolist() == [7.0, 7.0]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "dtype, wider", [(np.int64, "use dtype=np.uint64, dtype=object"), (np.uint64, "use dtype=object")]
)
def test_the_first_sum_that_does_not_fit_is_named(dtype, wider, workers):
    a = np.zeros((5000, 300), np.uint64)
    limit = np.iinfo(dtype).max
    a[[4000, 1234], 7] = math.isqrt(limit) + 1
    total = (math.isqrt(limit) + 1) ** 2
    with pytest.raises(OverflowError, match=rf"at \(1234,\) along the axes kept is {total}, .*{wider}"):
        pycrust.sumsq(a, axis=1, dtype=dtype, workers=workers)
    with pytest.raises(OverflowError, match=rf"squares is {total}, .*dtype=object"):
        pycrust.sumsq([math.isqrt(limit) + 1], dtype=dtype)
    a[:] = 0
    for row in range(4950, 0, -50):  # whichever worker comes first
        a[row:, 7] = math.isqrt(limit) + 1
        with pytest.raises(OverflowError, match=rf"at \({row},\) "):
            pycrust.sumsq(a, axis=1, dtype=dtype, workers=workers)


def test_arrays_of_integers_in_a_list():
    """NumPy makes floats of int64 together with uint64."""
    both = [np.array([2**63 + 1], np.uint64), np.array([-1])]
    assert np.asarray(both).dtype == float
    assert_same(pycrust.sumsq(both), (2**63 + 1) ** 2 + 1)


def test_an_empty_array_with_strides_beyond_all_memory():
    a = np.lib.stride_tricks.as_strided(np.empty(0), (4, 0), (2**62, 8))
    assert_same(pycrust.sumsq(a, axis=1), np.zeros(4))


def test_more_workers_than_an_int_holds():
    assert pycrust.sumsq(np.ones(300_000), workers=2**31) == pycrust.sumsq(np.ones(300_000), workers=2**70) == 300_000


@pytest.mark.parametrize("where", [[1, 0], np.array([1.0, 0.0]), "ab", np.array([True, False], object)])
def test_where_that_is_not_bool_says_what_it_is(where):
    with pytest.raises(TypeError, match="where must be an array of bool, not ") as caught:
        pycrust.sumsq([1.0, 2.0], where=where)
    assert "not of bool" not in str(caught.value)


@pytest.mark.thread_unsafe(reason="tracemalloc sees every thread")
def test_what_does_not_fit_is_found_without_summing_all_again():
    """The message comes of the sums at hand: nothing grows with the number of them."""
    a = np.full((300_000, 2), 2**31)
    a[:7] = 1
    tracemalloc.start()
    with pytest.raises(OverflowError, match=rf"at \(7,\) along the axes kept is {2**63}, which does not fit int64"):
        pycrust.sumsq(a, axis=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * a.nbytes // 3  # the results, and no objects beside them
