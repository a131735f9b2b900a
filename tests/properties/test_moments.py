"""sum, mean, var and std: what is theirs alone. What all of the data family share is tested with the others."""

import math
import statistics
import warnings
from fractions import Fraction

import numpy as np
import pytest
from cases import all_pairs
from hard_arrays import (
    COMPLEX,
    DTYPES,
    FLOATS,
    HUGE,
    TINY,
    assert_same,
    dtypes_of,
    exactly,
    hard_arrays,
    offset_arrays,
    reduced,
    roots_of,
    summing_to,
    unchanged,
)
from hypothesis import given
from hypothesis import strategies as st

import pycrust
from pycrust import Accumulator, reference
from pycrust._core import _rounding_test_failures

FUNCTIONS = ["sum", "mean", "var", "std"]
DDOFS = [0, 1, 2, 3.0, 0.1, 1.5, TINY, np.int8(1), np.uint64(2), np.float32(0.1), np.float16(1.5), np.float64(0.3)]

without_warnings = pytest.mark.filterwarnings("ignore:(mean|var|std) :RuntimeWarning")


def compare(a, ddof=0):
    """Like the oracle, in each of the ways that the layer has: whole, backwards, along axes of several kinds."""
    exact = reference.Accumulator(a)
    rows = np.stack([a] * 9)
    for name in FUNCTIONS:
        arguments = {"ddof": ddof} if name in ("var", "std") else {}
        function, expected = getattr(pycrust, name), getattr(exact, name)(**arguments)
        with unchanged(a):
            assert_same(function(a, **arguments), expected)
        assert_same(function(a[::-1], workers=2, **arguments), expected)
        dtype = exactly(a) if name == "sum" else None
        along = np.full(9, expected, dtype or dtypes_of(name, a)[0])
        for array, axis in ((rows, 1), (rows.T.copy(), 0), (rows.T, 0)):
            assert_same(function(array, axis=axis, dtype=dtype, **arguments), along)
        assert_same(getattr(Accumulator(a), name)(**arguments), expected)


# ---- values -------------------------------------------------------------------


@without_warnings
@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_small_spreads_and_numbers_that_cancel(level, dtype, data):
    compare(data.draw(offset_arrays(dtype)), data.draw(st.sampled_from(DDOFS)))


@without_warnings
@pytest.mark.parametrize("dtype", ["?", "i2", "i8", "u8", "f4", "f8", "c16"])
@given(data=st.data())
def test_hard_arrays_with_ddof(level, dtype, data):
    a = data.draw(hard_arrays(dtype, sizes=st.sampled_from([0, 1, 2, 3, 17, 300])))
    compare(a, data.draw(st.sampled_from(DDOFS)))


@given(st.lists(st.floats(-1e150, 1e150) | st.floats(1e9, 1e9 + 1), min_size=2))
def test_as_in_statistics(level, a):
    """Which is exact, and no work of ours."""
    for each in (a, np.array(a)):
        assert_same(pycrust.sum(each), float(sum(map(Fraction, a))))
        assert_same(pycrust.mean(each), statistics.mean(a))
        assert_same(pycrust.var(each), statistics.pvariance(a))
        assert_same(pycrust.std(each), statistics.pstdev(a))
        assert_same(pycrust.var(each, ddof=1), statistics.variance(a))
        assert_same(pycrust.std(each, correction=1), statistics.stdev(a))


def test_what_hurts_elsewhere(level):
    for n in (10, 1000, 100_003):
        assert_same(pycrust.var(np.full(n, 0.1)), 0.0)
        assert_same(pycrust.std(np.full(n, 0.1, np.float32)), 0.0)
    assert_same(pycrust.sum([1e308, 1e308, -1e308]), 1e308)
    assert_same(pycrust.mean([1e308, 1e308, -1e308]), 1e308 / 3)
    assert_same(pycrust.sum([0.1] * 10), 1.0)
    assert_same(pycrust.var([1e9, 1e9 + 1, 1e9 + 2], ddof=1), 1.0)
    stamps = 1.7e9 + np.arange(1001) / 8
    assert_same(pycrust.var(stamps), (1001**2 - 1) / 12 / 64)
    assert_same(pycrust.std(np.array([2**62, 2**62 + 2])), 1.0)
    assert_same(pycrust.var(np.array([-(2**63), 2**63 - 1])), 2.0**126)
    assert_same(pycrust.std([10**30, 10**30 + 2]), 1.0)
    kelvins = np.float32(300) + np.float32(2.0**-15) * np.arange(2, dtype="f4").repeat(500)
    assert_same(pycrust.std(kelvins), 2.0**-16)


# ---- the rounding -------------------------------------------------------------

midpoints = st.integers(2**53, 2**54 - 1).map(lambda whole: whole | 1)  # 54 bits and the last one set


@given(midpoints, st.integers(-1070, 950), st.booleans(), st.integers(0, 2**32), st.sampled_from([1, 9, 300, 2051]))
def test_sums_and_means_halfway_between_floats(level, middle, exponent, negative, seed, n):
    """A tie, and with a little more or less no longer."""
    rng = np.random.default_rng(seed)
    middle = -middle if negative else middle
    some = [int(x) for x in rng.integers(-(2**50), 2**50, n)]
    count = n + 8
    for function, total in ((pycrust.sum, middle), (pycrust.mean, middle * count)):
        rest = summing_to(total - sum(some))
        a = np.ldexp([*map(float, some), *rest, *[0.0] * (8 - len(rest))], exponent)
        assert sum(map(Fraction, a)) == total * Fraction(2) ** exponent
        for little in (0.0, TINY, -TINY, math.ldexp(1.0, max(exponent - 60, -1074))):
            a[-1] = little
            compare_one(function, rng.permutation(a))


def compare_one(function, a, **given):
    """Whole and along axes."""
    expected = getattr(reference, function.__name__)(a, **given)
    assert_same(function(a, **given), expected)
    assert_same(function(np.stack([a] * 9), axis=1, **given)[4:5], np.array([expected]))
    assert_same(function(np.stack([a] * 9, axis=1), axis=0, **given)[4:5], np.array([expected]))


def spread(variance, n, ddof):
    """n integers, as many above 0 as below, with that integer as their variance."""
    assert (n - ddof) % 2 == 0
    roots = roots_of(variance * (n - ddof) // 2)
    return np.array([*roots, *(-root for root in roots), *[0] * (n - 2 * len(roots))], float)


@pytest.mark.parametrize("name", ["var", "std"])
@pytest.mark.parametrize("ddof, n", [(0, 40), (1, 41), (2, 300), (0, 2000)])
def test_spreads_beside_a_midpoint(level, name, ddof, n):
    """On it, above and below; of numbers around 0 and, where no bit is lost by it, around an offset."""
    function = getattr(pycrust, name)
    rng = np.random.default_rng(n)
    for middle in (2**53 + 1, 2**54 - 1, 2**53 + 3):
        a = spread(middle if name == "var" else middle**2, n, ddof)
        rng.shuffle(a)
        even = middle + 1 if middle % 4 == 3 else middle - 1
        for scale in (0, 100, -300):
            assert_same(function(np.ldexp(a, scale), ddof=ddof), math.ldexp(even, scale * (2 if name == "var" else 1)))
        compare_one(function, a, ddof=ddof)
        for offset in (2.0**52, -(2.0**51) - 1) if name == "var" else ():
            assert (a + offset - offset == a).all()
            compare_one(function, a + offset, ddof=ddof)
            assert_same(function(a + offset, ddof=ddof), float(even))
        for k in (1, 10, 25, 40, 60):
            for sign in (1, -1):
                b = a.copy()
                b[np.flatnonzero(b == 0)[:2]] = 2.0**-k, -(2.0**-k)
                if sign < 0:
                    ends = [np.argmax(a), np.argmin(a)]
                    b[ends] = np.nextafter(b[ends], 0)
                compare_one(function, b, ddof=ddof)


@pytest.mark.parametrize("far", [100, 300, 900])
def test_ints_far_below_a_tie(far):
    """The even neighbour is below, and nothing is too far below the tie to tell."""
    for sign in (1, -1):
        tie = sign * (2**53 + 1) << far
        for n in (1, 3):
            zeros = [0] * (n - 1)
            assert_same(pycrust.mean([n * tie, *zeros]), sign * 2.0 ** (53 + far))
            for little in (1, 2, 2**40):
                a = [n * tie + sign * little, *zeros]
                assert_same(pycrust.mean(a), sign * (2.0**53 + 2) * 2.0**far)
                assert_same(pycrust.mean([a], axis=1), np.array([sign * (2.0**53 + 2) * 2.0**far]))


@pytest.mark.parametrize("dtype, bits", [("f4", 24), ("f2", 11)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_narrow_results_are_rounded_once(level, name, dtype, bits):
    """A tie of the narrow type and a little more: a float64 on the way would lose that."""
    tie, n = 2**bits + 1, 4096
    if name in ("var", "std"):
        a = spread(tie if name == "var" else tie**2, n, 0)
        a[np.flatnonzero(a == 0)[:2]] = 2.0**-30, -(2.0**-30)
        scale = 2.0**-3 if name == "var" else 2.0**-6
    else:
        a = np.zeros(n)
        a[[7, 2000]] = tie * (n if name == "mean" else 1), 2.0**-60
        scale = 2.0**-6
    a *= scale
    exact = getattr(reference, name)(a)
    assert getattr(reference, name)(a, dtype=dtype) != np.dtype(dtype).type(exact)  # the other way
    for values in (a[:, None], np.repeat(a[:, None], 30, axis=1)):
        expected = np.full(values.shape[1], getattr(reference, name)(a, dtype=dtype), dtype)
        assert_same(getattr(pycrust, name)(values, axis=0, dtype=dtype), expected)
    assert_same(getattr(pycrust, name)(a, dtype=dtype), float(expected[0]))


def test_the_ends_of_the_range(level):
    for n in (1, 3, 1000):
        assert_same(pycrust.mean([HUGE] * n), HUGE)
        assert_same(pycrust.sum([-HUGE] * (n + 1)), -math.inf)
        assert_same(pycrust.std([HUGE, -HUGE] * n), HUGE)
        assert_same(pycrust.var([HUGE, -HUGE] * n), math.inf)
        assert_same(pycrust.std([TINY, -TINY] * n), TINY)
        assert_same(pycrust.var([TINY, -TINY] * n), 0.0)
        assert_same(pycrust.mean([-TINY] * n), -TINY)
    assert_same(pycrust.sum([HUGE, math.nextafter(2.0**970, 0)]), HUGE)
    assert_same(pycrust.sum([HUGE, 2.0**970]), math.inf)
    assert_same(pycrust.sum([HUGE, 2.0**970, -TINY]), HUGE)
    assert_same(pycrust.sum([-HUGE, -(2.0**970)]), -math.inf)
    for zeros in range(5):
        for a in ([TINY], [-TINY], [3 * TINY], [TINY, TINY]):
            compare(np.array([*a, *[0.0] * zeros]))
    for a in ([-0.0], [-0.0, -0.0], [1.0, -1.0], [-0.0, 0.0]):
        assert_same(pycrust.sum(a), 0.0)
        assert_same(pycrust.mean(a), 0.0)
    assert_same(pycrust.sum(np.array([65504, 65504], "f2"), dtype="f2"), math.inf)
    assert_same(pycrust.mean(np.array([-65504, -65504], "f2"), axis=0, dtype="f2"), np.float16(-65504))
    assert_same(pycrust.sum([-1e-50], dtype="f4"), -0.0)  # nearest to what is negative
    parts = pycrust.sum(np.array([complex(HUGE, -HUGE)] * 2 + [complex(0, HUGE)]))
    assert_same(parts, complex(math.inf, -HUGE))


@all_pairs(function=FUNCTIONS, n=[3, 300, 3000])
def test_nan_and_inf(function, n):
    values = [math.nan, math.inf, -math.inf]
    for first in values:
        for second in (*values, 1.0):
            for dtype in FLOATS:
                a = np.ones(n, dtype)
                a[[0, n - 1]] = first, second
                compare_one(getattr(pycrust, function), a)
                assert_same(getattr(Accumulator(a), function)(), getattr(reference, function)(a))
            for dtype in COMPLEX:
                a = np.ones(n, dtype)
                a[[0, n - 1]] = complex(first, 2), complex(0.5, second)
                compare_one(getattr(pycrust, function), a)
                assert_same(getattr(Accumulator(a), function)(), getattr(reference, function)(a))


# ---- what always holds --------------------------------------------------------


def finite_arrays(**given):
    return st.sampled_from(DTYPES).flatmap(
        lambda dtype: st.one_of(offset_arrays(dtype, **given), hard_arrays(dtype, **given)).map(finite)
    )


def finite(a):
    return np.where(np.isfinite(a), a, np.ones((), a.dtype))


def moments(a):
    """All that a holds."""
    return [getattr(pycrust, name)(a) for name in FUNCTIONS]


SOME = st.sampled_from([1, 2, 3, 8, 65, 255, 257, 1023, 2049, 3000])


@given(finite_arrays(sizes=SOME), st.data())
def test_invariants(level, a, data):
    expected = moments(a)
    _, mean, var, std = expected
    assert var >= 0 and std >= 0 and math.copysign(1, var) == math.copysign(1, std) == 1
    if (a == a[0]).all():
        assert var == std == 0.0
    for part in ("real", "imag") if a.dtype.kind == "c" else ("real",):
        numbers = getattr(a, part)
        assert float(numbers.min()) <= getattr(mean, part) <= float(numbers.max())
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    for other in (
        rng.permutation(a),
        a[::-1],
        np.repeat(a, 2)[::2],
        a.astype(a.dtype.newbyteorder("S")),
        a.reshape(1, -1, 1),
    ):
        assert_all_same(moments(other), expected)
    workers = data.draw(st.sampled_from([2, 3, 7]))
    assert_all_same([getattr(pycrust, name)(a, workers=workers) for name in FUNCTIONS], expected)
    chunks = np.split(a, sorted(rng.integers(0, a.size, 3)))
    merged = sum((Accumulator(chunk) for chunk in chunks), start=Accumulator())
    assert merged == Accumulator(a)
    assert_all_same([getattr(merged, name)() for name in FUNCTIONS], expected)


def assert_all_same(results, expected):
    for result, each in zip(results, expected, strict=True):
        assert_same(result, each)


@given(
    st.integers(-(2**51), 2**51),
    st.integers(0, 40),
    st.integers(-900, 400),
    SOME,
    st.integers(0, 2**32),
    st.sampled_from([0, 0.5]),
)
def test_exact_shifts_and_scales(level, shift, bits, exponent, n, seed, ddof):
    """Whole numbers: a shift loses nothing, and leaves the spread; a power of two scales every result exactly."""
    a = np.random.default_rng(seed).integers(0, 2**bits, n, endpoint=True).astype(float)
    total, mean, var, std = moments(a)
    assert_same(pycrust.var(a + shift), var)
    assert_same(pycrust.std(a + shift), std)
    assert_same(pycrust.var((a + shift).astype(int)), var)
    assert_same(pycrust.var(a + shift, ddof=ddof), pycrust.var(a, ddof=ddof))
    assert_same(pycrust.mean(a + shift), reference.nearest(Fraction(sum(map(int, a)), n) + shift))
    scaled = np.ldexp(a, exponent)
    assert_same(pycrust.sum(scaled), math.ldexp(total, exponent))
    assert_same(pycrust.mean(scaled), math.ldexp(mean, exponent))
    assert_same(pycrust.std(scaled), math.ldexp(std, exponent))
    if exponent > -400:  # its square is normal
        assert_same(pycrust.var(scaled), math.ldexp(var, 2 * exponent))
    assert_same(pycrust.sum(-scaled), -pycrust.sum(scaled) if total else 0.0)
    assert_same(pycrust.var(-scaled), pycrust.var(scaled))


# ---- integers -----------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_a_long_sum_that_does_not_fit(workers):
    a = np.full((3, 40_000), 2**60)
    a[0] = 1
    with pytest.raises(OverflowError, match=rf"at \(1,\) along the axes kept is {40_000 * 2**60}, "):
        pycrust.sum(a, axis=1, workers=workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_sums_of_integers_never_wrap(level, workers):
    rows = np.array([[2**63 - 1, 0], [2**63 - 1, 1], [-(2**63), 0], [-(2**63), -1]])
    assert_same(pycrust.sum(rows[[0, 2]], axis=1, workers=workers), np.array([2**63 - 1, -(2**63)]))
    for last in (1, 3):
        with pytest.raises(
            OverflowError, match=rf"at \(2,\) along the axes kept is {sum(map(int, rows[last]))}, .*object"
        ):
            pycrust.sum(rows[[0, 2, last]], axis=1, workers=workers)
    with pytest.raises(OverflowError, match=r"at \(1,\) .*uint64"):
        pycrust.sum(rows[[0, 3]], axis=1, dtype=np.uint64, workers=workers)
    assert_same(pycrust.sum(rows[:2], axis=1, dtype="u8", workers=workers), np.array([2**63 - 1, 2**63], "u8"))
    unsigned = np.array([[2**64 - 1, 0], [2**64 - 1, 1]], np.uint64)
    assert_same(pycrust.sum(unsigned[:1], axis=1, workers=workers), np.array([2**64 - 1], "u8"))
    out = np.array([7, 8], "u8")
    with pytest.raises(OverflowError, match=rf"at \(1,\) .* {2**64}, .*dtype=object"):
        pycrust.sum(unsigned, axis=1, out=out, workers=workers)
    assert out.tolist() == [7, 8]
    assert pycrust.sum(unsigned, axis=1, dtype=object, workers=workers).tolist() == [2**64 - 1, 2**64]
    assert_same(pycrust.sum(unsigned, axis=1, dtype=float, workers=workers), np.array([2.0**64, 2.0**64]))
    assert_same(pycrust.sum(rows, workers=workers), -2)
    assert_same(pycrust.sum(unsigned, workers=workers), 2**65 - 1)
    with pytest.raises(OverflowError, match="dtype=object"):
        pycrust.sum(unsigned, dtype=np.uint64, workers=workers)
    with pytest.raises(OverflowError, match="uint64"):
        pycrust.sum([-1], dtype=np.uint64, workers=workers)


def test_lists_of_ints_of_either_sign():
    a = [[10**30, -(10**30), 1], [2**64, 5, -3]]
    assert_same(pycrust.sum(a), 2**64 + 3)
    assert_same(pycrust.sum(a, axis=0, dtype=object), np.array([10**30 + 2**64, 5 - 10**30, -2], object))
    for axis in (None, 0, 1):
        for name in ("mean", "var", "std"):
            assert_same(getattr(pycrust, name)(a, axis=axis), getattr(reference, name)(a, axis=axis))
    assert_same(pycrust.sum(a, axis=1, where=[[False] * 3, [False, True, True]]), np.array([0, 2]))
    assert_same(pycrust.mean([2**1100, -(2**1100)]), 0.0)
    with pytest.raises(OverflowError, match="dtype=object"):
        pycrust.sum(a, axis=1)
    assert_same(pycrust.sum([-(2**63)], axis=0), np.int64(-(2**63)))
    assert_same(pycrust.sum([[-(2**64), 2**63], [2**64, -(2**63) - 1]], axis=1), np.array([-(2**63), 2**63 - 1]))


def test_wide_integers_with_small_spreads(level):
    rng = np.random.default_rng(3)
    for base in (2**63 - 2000, -(2**63) + 1000, 2**62, 10**15):
        a = base + rng.integers(-1000, 1000, 5000)
        numbers = [int(x) - base for x in a]
        squares = len(a) * sum(x * x for x in numbers) - sum(numbers) ** 2
        assert_same(pycrust.var(a), reference.nearest(Fraction(squares, len(a) ** 2)))
        assert_same(pycrust.mean(a), reference.nearest(base + Fraction(sum(numbers), len(a))))


# ---- degrees of freedom -------------------------------------------------------


@all_pairs(ddof=DDOFS, dtype=["f8", "f4", "i4", "c16"])
def test_ddof_is_taken_exactly(dtype, ddof):
    a = (np.random.default_rng(8).normal(size=(30, 12)) * 100).astype(dtype)
    where = np.random.default_rng(9).random(a.shape) < 0.7
    for name in ("var", "std"):
        function, oracle = getattr(pycrust, name), getattr(reference, name)
        for axis in (None, 0, 1):
            expected = oracle(a, axis, ddof=ddof, where=where)
            assert_same(function(a, axis, ddof=ddof, where=where), expected)
            assert_same(function(a, axis, correction=ddof, where=where), expected)
            assert_same(function(a, axis=axis, ddof=ddof, dtype="f2"), oracle(a, axis, ddof=ddof, dtype="f2"))
        assert_same(getattr(Accumulator(a), name)(ddof), oracle(a, ddof=ddof))
        assert_same(getattr(Accumulator(a), name)(ddof=ddof), oracle(a, ddof=ddof))


def test_ddof_needs_no_more_than_an_index():
    class One:
        def __index__(self):
            return 1

    a = [1.0, 2.0, 4.0]
    assert_same(pycrust.var(a, ddof=One()), pycrust.var(a, ddof=1))
    assert_same(pycrust.std(np.array(a), correction=One()), pycrust.std(a, ddof=1))
    assert_same(Accumulator(a).var(One()), pycrust.var(a, ddof=1))


@pytest.mark.parametrize("ddof", [0, 0.1])
def test_long_spreads_that_need_exact_sums(level, ddof):
    """Of many numbers around a large one no other sums will do, nor of any with a ddof that C does not take."""
    a = 1.7e9 + np.random.default_rng(6).standard_normal(40_000)
    for name in ("var", "std"):
        expected = getattr(reference, name)(a, ddof=ddof)
        assert_same(getattr(pycrust, name)(a, ddof=ddof), expected)
        assert_same(getattr(pycrust, name)(a, axis=0, ddof=ddof), np.float64(expected))


@without_warnings
@pytest.mark.parametrize("ddof", [0.5, 1 + 2.0**-16, 2.0**-17, 2.0**47 - 0.5, 2**63, math.inf], ids=repr)
def test_ddof_beside_any_count(ddof):
    """Very many numbers, counted in fractions, do not fit a word of C."""
    total, expected = Accumulator([1.5, 4.0, -2.25]), reference.Accumulator([1.5, 4.0, -2.25])
    for _ in range(62):
        total.merge(total)
        expected.merge(expected)
        for name in ("var", "std"):
            assert_same(getattr(total, name)(ddof), getattr(expected, name)(ddof))


@pytest.mark.parametrize("function", ["var", "std"])
@pytest.mark.parametrize(
    "error, given",
    [
        (ValueError, {"ddof": -1}),
        (ValueError, {"ddof": -TINY}),
        (ValueError, {"ddof": math.nan}),
        (ValueError, {"ddof": -math.inf}),
        (ValueError, {"correction": np.float32(-0.5)}),
        (ValueError, {"ddof": -(10**400)}),
        (TypeError, {"ddof": "1"}),
        (TypeError, {"ddof": 1j}),
        (TypeError, {"ddof": [1]}),
        (TypeError, {"ddof": np.complex64(1)}),
        (TypeError, {"correction": "1"}),
        (TypeError, {"ddof": 1, "correction": 1}),
        (TypeError, {"ddof": 1, "correction": 0}),
    ],
    ids=str,
)
def test_bad_ddof(function, error, given):
    """Found before anything is summed, and out is as it was."""
    out = np.full(2, 7.0)
    for a in ([[1.0, 2.0], [3.0, 4.0]], np.empty((2, 0))):
        with pytest.raises(error, match="ddof"):
            getattr(pycrust, function)(a, axis=1, out=out, **given)
        with pytest.raises(error, match="ddof"):
            getattr(pycrust, function)(a, **given)
    assert out.tolist() == [7.0, 7.0]
    if "correction" not in given:
        for total in (Accumulator([1.0, 2.0]), Accumulator()):
            with pytest.raises(error, match="ddof"):
                getattr(total, function)(**given)


@pytest.mark.parametrize("name", ["sum", "mean"])
def test_ddof_is_for_spreads_alone(name):
    with pytest.raises(TypeError, match="ddof"):
        getattr(pycrust, name)([1.0], ddof=1)


# ---- nothing to divide by -----------------------------------------------------

FEW = [
    ([], 0),
    ([3.0], 1),
    ([3.0, 3.0], 2),
    ([3.0, 4.0], 2),
    ([3, 4], 2),
    ([3, 3], 5),
    ([3.0, 4.0], 2.5),
    ([3.0, 4.0], 2.1),
    ([3.0, 3.0], 2.1),
    ([3.0, math.inf], 2.1),
    ([3.0, 4.0], math.inf),
    ([3.0, 4.0], 10**400),
    ([3.0, math.inf], 2),
    ([3.0, math.nan], 7),
    ([1j, 0], 2),
    ([HUGE, -HUGE], 2),
    ([TINY, 0.0], 2),
]


@pytest.mark.parametrize("name", ["var", "std"])
@pytest.mark.parametrize("a, ddof", FEW, ids=str)
def test_no_degrees_of_freedom(level, name, a, ddof):
    """NumPy's values and a RuntimeWarning."""
    function = getattr(pycrust, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = getattr(reference, name)(a, ddof=ddof)
        if ddof != 10**400 and TINY not in a:  # whose square it does not know from 0
            assert repr(float(getattr(np, name)(np.array(a), ddof=ddof))) == repr(expected)
    with pytest.warns(RuntimeWarning, match=name):
        assert_same(function(a, ddof=ddof), expected)
    with pytest.warns(RuntimeWarning, match=name):
        assert_same(function([a, a], axis=1, ddof=ddof), np.full(2, expected))
    with pytest.warns(RuntimeWarning, match=name):
        assert_same(getattr(Accumulator(a), name)(ddof), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_of_nothing(dtype):
    empty = np.empty((2, 0), dtype)
    default = dtypes_of("mean", empty)[0]
    assert_same(pycrust.sum(empty), np.zeros((), exactly(empty) or default).item())
    assert_same(reduced(pycrust, "sum", empty, 1), np.zeros(2, exactly(empty) or default))
    nothing = complex(math.nan, math.nan) if default == "c16" else math.nan
    for name in ("mean", "var", "std"):
        expected = nothing if name == "mean" else math.nan
        function = getattr(pycrust, name)
        with pytest.warns(RuntimeWarning, match=name):
            assert_same(function(empty), expected)
        with pytest.warns(RuntimeWarning, match=name):
            assert_same(function(np.ones(3, dtype), where=False), expected)
        with pytest.warns(RuntimeWarning, match=name):
            assert_same(getattr(Accumulator(empty), name)(), expected)
        with pytest.warns(RuntimeWarning, match=name):
            assert_same(function(empty, axis=1), np.full(2, expected))
        assert function(empty, axis=0).shape == (0,)  # of nothing, there is none
    with pytest.warns(RuntimeWarning, match="var"):
        some = pycrust.var(np.array([[1, 0], [0, 1]], dtype), axis=1, where=[[True], [False]])
    assert some[0] == 0.25 and math.isnan(some[1])


# ---- arguments ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["sum", "mean"])
def test_dtypes_of_complex_results(name):
    a = np.array([[1 + 2j, 3 - 1j]])
    function = getattr(pycrust, name)
    for out in (np.empty(1, "c16"), np.empty(1, "c8"), np.empty(1, ">c8")):
        assert function(a, axis=1, out=out) is out and out[0] == np.sum(a) / (2 if name == "mean" else 1)
    for dtype in ("f8", "f4", "f2", "i8", "O"):
        with pytest.raises(TypeError, match=r"dtype|out"):
            function(a, dtype=dtype)
        with pytest.raises(TypeError, match="out"):
            function(a, axis=1, out=np.empty(1, dtype))
    for dtype in ("c16", "c8"):  # of a spread, and of what is real
        with pytest.raises(TypeError, match=r"dtype|out"):
            pycrust.var(a, dtype=dtype)
        with pytest.raises(TypeError, match=r"dtype|out"):
            function(a.real, dtype=dtype)


def test_parts_of_complex_results_are_rounded_by_themselves(level):
    scales = [2.0**60, 1.0, 2.0**-60]
    a = np.array([complex(x, -y) for x in scales for y in scales] * 40)
    compare(a)
    for dtype in ("c16", "c8"):
        for name in ("sum", "mean"):
            assert_same(getattr(pycrust, name)(a, dtype=dtype), getattr(reference, name)(a, dtype=dtype))
            assert_same(
                getattr(pycrust, name)(a.reshape(-1, 9), axis=0, dtype=dtype),
                getattr(reference, name)(a.reshape(-1, 9), axis=0, dtype=dtype),
            )


def test_what_may_be_given_by_position():
    a = np.arange(6.0).reshape(2, 3)
    for name in FUNCTIONS:
        function = getattr(pycrust, name)
        assert_same(function(a, 1), function(a=a, axis=1))
        with pytest.raises(TypeError):
            function(a, 1, 1)


def test_sum_of_strings_and_others_is_refused():
    for a in (["a"], [None], np.array([1], "M8[s]"), np.ma.masked_array([1.0]), {1, 2}, np.ones(2, np.longdouble)):
        for name in FUNCTIONS:
            with pytest.raises(TypeError) as caught:
                getattr(pycrust, name)(a)
            assert "square" not in str(caught.value) or name in ("var", "std")


@given(st.data())
def test_where_leaves_out(level, data):
    a = data.draw(offset_arrays(data.draw(st.sampled_from(DTYPES)), sizes=st.just(120))).reshape(8, 15)
    where = np.random.default_rng(data.draw(st.integers(0, 99))).random((8, 15)) < 0.6
    where[:, :3] = True  # some of each
    for name in FUNCTIONS:
        assert_same(getattr(pycrust, name)(a, where=where), getattr(pycrust, name)(a[where]))
        for row, mask, result in zip(a, where, reduced(pycrust, name, a, 1, where=where)):
            assert_same(result, reduced(pycrust, name, row[mask], 0))


# ---- certified, or the exact way -------------------------------------------------


@pytest.mark.thread_unsafe(reason="counts the uncertain sums of the whole process")
@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_ordinary_data_need_no_second_way(level, dtype):
    rng = np.random.default_rng(5)
    before = _rounding_test_failures()
    for mean, scale in ((0, 1), (3, 1e-2), (-1000, 5), (20, 1e3)):
        a = (mean + rng.standard_normal((70, 80)) * scale).astype(dtype)
        for name in FUNCTIONS if a.dtype.kind == "f" else ("var", "std"):
            call, oracle = getattr(pycrust, name), getattr(reference, name)
            assert_same(call(a), oracle(a))
            assert_same(call(a.T[::2]), oracle(a.T[::2]))
            if name in ("var", "std"):  # the sums of few numbers of one scale lie halfway now and then
                assert_same(call(a, axis=0), oracle(a, axis=0))
                assert_same(call(np.tile(a, 4), axis=1), oracle(np.tile(a, 4), axis=1))
    assert _rounding_test_failures() == before


@pytest.mark.thread_unsafe(reason="counts the uncertain sums of the whole process")
def test_what_cannot_be_certified_goes_the_exact_way(level):
    """A tie, a mean of some thousand standard deviations, constant data; each is counted."""
    rng = np.random.default_rng(6)
    for name, a in (
        ("sum", np.append([2.0**53, 1.0], np.zeros(1000))),
        ("mean", np.append([2.0**53, 1.0], np.zeros(1022)) * 1024),
        ("var", 1.7e9 + rng.standard_normal(1000)),
        ("std", np.full(1000, 0.1)),
        ("var", spread(2**53 + 1, 1000, 0)),
        ("std", spread((2**53 + 1) ** 2, 1000, 0)),
    ):
        before = _rounding_test_failures()
        assert_same(getattr(pycrust, name)(a), getattr(reference, name)(a))
        assert _rounding_test_failures() == before + 1
