"""move_sum, move_mean, move_var, move_std, cumsum: each result is that of its window alone, to the last bit."""

import math
import signal
import subprocess
import sys
import time
import tracemalloc
import warnings
from fractions import Fraction

import numpy as np
import pytest
from cases import slow
from hard_arrays import assert_same, layouts

import pycrust
from pycrust import reference
from pycrust._core import _rounding_test_failures
from pycrust._moving import _chunks

NAMES = ("move_sum", "move_mean", "move_var", "move_std")
ALONE = {"move_sum": "nansum", "move_mean": "nanmean", "move_var": "var", "move_std": "std"}
FLOATS = ("f2", "f4", "f8")
INTEGERS = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
NAN, INF = math.nan, math.inf


def alone(name, part, ddof=0):
    """What the function for a single window gives for its numbers."""
    part = np.asarray(part)
    if part.dtype.kind == "f":
        part = part[~np.isnan(part)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        if name in ("move_var", "move_std"):
            return getattr(pycrust, ALONE[name])(part, ddof=ddof)
        return float(getattr(pycrust, ALONE[name])(part))


def check(name, a, window, min_count=None, axis=-1, **given):
    expected = getattr(reference, name)(a, window, min_count, axis, **given)
    for workers in (1, 3):
        assert_same(getattr(pycrust, name)(a, window, min_count, axis, **given, workers=workers), expected)
    return expected


def numbers(dtype, shape, missing=0.05, seed=0):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    a = (100 * rng.normal(size=shape)).astype(dtype)
    a[rng.random(shape) < missing] = NAN
    return a


# ---- against the oracle -----------------------------------------------------------


def test_the_oracle_by_hand():
    a = [1.0, NAN, 2.0, INF, 4.0, 6.0]
    assert_same(reference.move_sum(a, 2), np.array([NAN, NAN, NAN, INF, INF, 10.0]))
    assert_same(reference.move_mean(a, 2, 1), np.array([1.0, 1.0, 2.0, INF, INF, 5.0]))
    assert_same(reference.move_var(a, 2, 1, ddof=1), np.array([NAN, NAN, NAN, NAN, NAN, 2.0]))
    assert_same(reference.move_std(a, 2), np.array([NAN, NAN, NAN, NAN, NAN, 1.0]))
    assert_same(reference.cumsum(a[2:]), np.array([2.0, INF, INF, INF]))


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        pytest.param(name, dtype, marks=() if name == "move_std" or dtype in ("f8", "i8") else pytest.mark.slow)
        for name in NAMES
        for dtype in FLOATS + INTEGERS
    ],
)
def test_every_dtype_along_every_axis(name, dtype):
    a = numbers(dtype, (5, 17, 9))
    for axis, window, min_count in ((0, 2, None), (1, 16, 3), (2, 9, 1), (-1, 4, 2), (1, 17, None), (-3, 1, None)):
        check(name, a, window, min_count, axis)
    long = numbers(dtype, 200)
    for window, min_count in ((7, None), (64, 5), (65, 60)):
        check(name, long, window, min_count)


@pytest.mark.parametrize("name", NAMES)
def test_layouts(name, tmp_path):
    for dtype in ("f8", "f4", "i8", "u2"):
        a = numbers(dtype, (70, 11), seed=1)
        for axis in (0, 1):
            expected = getattr(reference, name)(a, 5, 3, axis)
            for layout, b in layouts(a, tmp_path):
                result = getattr(pycrust, name)(b, 5, 3, axis)
                assert result.flags.c_contiguous, layout
                assert_same(result, expected)
    row = np.broadcast_to(np.arange(20.0), (3, 20))
    check(name, row, 4)
    check(name, row, 2, axis=0)


@pytest.mark.parametrize("ddof", [0, 1, 2, 5, 2**45, 2**70, 0.5, 1.25, 2.0**-16, 0.1, 1e300])
@pytest.mark.parametrize("name", ["move_var", "move_std"])
def test_ddof(name, ddof):
    check(name, numbers("f8", 150), 5, 1, ddof=ddof)
    check(name, np.full(150, 0.1), 5, ddof=ddof)
    check(name, numbers("f8", 150, missing=0), 70, ddof=ddof)
    check(name, numbers("i4", 40), 5, 1, ddof=ddof)
    some = np.ma.array(numbers("i4", 40), mask=np.arange(40) % 7 == 0)
    check(name, some.astype(float).filled(NAN), 5, 1, ddof=ddof)
    assert_same(
        getattr(pycrust, name)(some, 5, 1, ddof=ddof),
        getattr(pycrust, name)(some.astype(float).filled(NAN), 5, 1, ddof=ddof),
    )


def test_every_window_around_the_blocks():
    a = numbers("f8", 200, missing=0)
    for window in (*range(1, 10), *range(60, 70), *range(126, 131), 191, 192, 193, 199, 200):
        for name in NAMES:
            check(name, a, window)
    b = a.copy()
    b[[3, 64, 130]] = NAN
    for window in (1, 2, 63, 64, 65, 128, 200):
        for name in NAMES:
            check(name, b, window, max(1, window - 2))


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 127, 128, 129, 192])
def test_every_length_around_the_blocks(n):
    a = numbers("f8", n, missing=0, seed=n)
    for name in NAMES:
        for window in {1, (n + 1) // 2, n}:
            check(name, a, window)
    assert_same(pycrust.cumsum(a), reference.cumsum(a))


HARD = {
    "spikes": lambda rng, n: np.where(rng.random(n) < 0.02, 1e17, rng.normal(size=n)),
    "spikes of 1e300": lambda rng, n: np.where(rng.random(n) < 0.01, -1e300, rng.normal(size=n)),
    "tiny": lambda rng, n: rng.normal(size=n) * 1e-300,
    "subnormal": lambda rng, n: rng.integers(-5, 6, n) * 5e-324,
    "huge": lambda rng, n: rng.choice([1.7e308, -1.7e308, 1e308], n),
    "drift": lambda rng, n: 1e6 * np.arange(n) + rng.normal(size=n),
    "far from 0": lambda rng, n: 1e9 + rng.normal(size=n),
    "next to each other": lambda rng, n: 1e8 + np.spacing(1e8) * rng.integers(-3, 4, n),
    "walk": lambda rng, n: np.cumsum(rng.normal(size=n)),
    "steps": lambda rng, n: np.repeat(rng.normal(size=n // 20 + 1), 20)[:n],
    "constant": lambda rng, n: np.full(n, 0.1),
    "zeros": lambda rng, n: rng.choice([0.0, -0.0], n),
    "small integers": lambda rng, n: rng.integers(0, 4, n).astype(float),
    "cents": lambda rng, n: rng.integers(0, 10**6, n) / 100,
    "ties": lambda rng, n: rng.choice([1.0, 2.0**-53, 2.0**-52, 1 + 2.0**-52], n),
    "any exponent": lambda rng, n: np.ldexp(rng.normal(size=n), rng.integers(-1000, 1000, n)),
    "wide": lambda rng, n: np.ldexp(rng.normal(size=n), rng.integers(-40, 40, n)),
    "growing": lambda rng, n: 1.1 ** np.arange(n) * rng.normal(size=n),
    "shrinking": lambda rng, n: 0.9 ** np.arange(n) * rng.normal(size=n),
    "infinities": lambda rng, n: np.where(rng.random(n) < 0.03, rng.choice([INF, -INF], n), rng.normal(size=n)),
    "NaN": lambda rng, n: np.where(rng.random(n) < 0.1, NAN, rng.normal(size=n)),
    "NaN and infinities": lambda rng, n: np.where(
        rng.random(n) < 0.1, rng.choice([NAN, INF, -INF], n), rng.normal(size=n)
    ),
    "NaN at the start": lambda rng, n: np.where(np.arange(n) < 100, NAN, rng.normal(size=n)),
    "nothing but NaN": lambda rng, n: np.full(n, NAN),
    "spike and then near": lambda rng, n: np.where(np.arange(n) == 70, 1e17, 1e6 + rng.normal(size=n)),
}


@pytest.mark.parametrize("kind", HARD)
def test_hard_data_at_every_level(level, kind):
    a = HARD[kind](np.random.default_rng(7), 300)
    cases = [(name, window, min_count) for name in NAMES for window, min_count in ((3, None), (10, 2), (100, 30))]
    expected = [getattr(reference, name)(a, window, min_count) for name, window, min_count in cases]
    sums = reference.cumsum(a)
    for (name, window, min_count), values in zip(cases, expected):
        assert_same(getattr(pycrust, name)(a, window, min_count), values)
    assert_same(pycrust.cumsum(a), sums)


@pytest.mark.parametrize("kind", ["spikes", "wide", "NaN", "far from 0", "spikes of 1e300", "steps"])
@pytest.mark.parametrize("window", [10, pytest.param(1000, marks=pytest.mark.slow), 20_000])
def test_long_rows(kind, window):
    """More than one piece, and three parts of each number; results here and there are those of their windows."""
    rng = np.random.default_rng(window)
    a = HARD[kind](rng, 150_000)
    for name in NAMES:
        values = getattr(pycrust, name)(a, window, 1)
        for workers in (2, 5):
            assert_same(getattr(pycrust, name)(a, window, 1, workers=workers), values)
        for k in (*rng.integers(0, a.size, 40), window - 1, window, 131_071, 131_072, a.size - 1):
            assert_same(np.array(values[k]), np.array(alone(name, a[max(k + 1 - window, 0) : k + 1])))
    sums = pycrust.cumsum(a)
    for k in rng.integers(0, a.size, 20):
        assert_same(np.array(sums[k]), np.array(float(pycrust.sum(a[: k + 1]))))


def test_windows_that_take_many_steps():
    """Signals are looked for amid the sum of one: it goes on where it was."""
    a = np.random.default_rng(0).normal(size=2_300_000)
    a[1000] = NAN
    size = 2_200_000
    window = np.array([0, 100_000]), np.array([size, a.size])
    for name in NAMES:
        values = getattr(pycrust, name)(a, size, size - 1)
        for k in (size, a.size - 1):
            assert_same(np.array(values[k]), np.array(alone(name, a[k + 1 - size : k + 1])))
        assert_same(getattr(pycrust, name)(a, size, size - 1, workers=2), values)
        for k, value in enumerate(getattr(pycrust, name)(a, window)):
            assert_same(np.array(value), np.array(alone(name, a[window[0][k] : window[1][k]])))


@pytest.mark.parametrize("size", [10**7, 3 * 10**7, slow(3 * 10**8)])
def test_a_window_for_each_worker(size):
    """Each goes on with the sum of its own where it was, also when the other is done."""
    for first in (2, size // 3, size):
        sums = pycrust.move_sum(np.broadcast_to(0.1, size), ([0, 0], [first, size]), workers=2)
        assert_same(sums, np.array([float(n * Fraction(0.1)) for n in (first, size)]))


# ---- windows with bounds ------------------------------------------------------------


def bounds_at_random(rng, count, length, longest):
    """Windows that grow and shrink, jump, stay, or are empty."""
    start = np.sort(rng.integers(0, length + 1, count))
    end = np.minimum(start + rng.integers(0, longest + 1, count), length)
    return start, np.maximum.accumulate(end)


@pytest.mark.parametrize("kind", HARD)
def test_bounds_of_hard_data_at_every_level(level, kind):
    rng = np.random.default_rng(5)
    a = HARD[kind](rng, 140)
    for count, longest in ((140, 12), (140, 60), (250, 3)):
        windows = bounds_at_random(rng, count, a.size, longest)
        for name in NAMES:
            check(name, a, windows)
            check(name, a, windows, 3)


def test_bounds_are_those_of_windows():
    a = numbers("f8", 1000)
    end = np.arange(1, 1001)
    for window in (1, 7, 64, 500):
        for name in NAMES:
            expected = getattr(pycrust, name)(a, window, 1)
            assert_same(getattr(pycrust, name)(a, (np.maximum(end - window, 0), end)), expected)
    centred = np.maximum(end - 4, 0), np.minimum(end + 3, 1000)
    assert_same(pycrust.move_mean(a, centred)[3:-3], pycrust.move_mean(a, 7, 1)[6:])
    whole = np.zeros(3, int), np.full(3, 1000)
    assert_same(pycrust.move_sum(a, whole), np.full(3, pycrust.nansum(a)))
    assert_same(pycrust.move_sum(a, ([], np.array([], int))[1:] * 2), np.empty(0))


@pytest.mark.parametrize("dtype", ["f8", "i8", *map(slow, ["f4", "f2", "i4", "u8"])])
def test_bounds_of_every_dtype_along_every_axis(dtype):
    rng = np.random.default_rng(2)
    a = numbers(dtype, (5, 40, 9))
    for axis in (0, 1, -1):
        length = a.shape[axis]
        for count in (length, 3, 2 * length) if axis == 1 else (length,):
            windows = bounds_at_random(rng, count, length, 8)
            for name in ("move_mean", "move_std"):
                expected = check(name, a, windows, 2, axis)
                assert expected.shape[axis] == count
                for _, b in layouts(a):
                    assert_same(getattr(pycrust, name)(b, windows, 2, axis), expected)
    check("move_var", a, bounds_at_random(rng, 9, 40, 8), 1, 1, ddof=0.1)
    ints = [10**30 + int(x) for x in rng.integers(0, 100, 40)]
    check("move_var", ints, bounds_at_random(rng, 50, 40, 8))
    some = np.ma.array(numbers("i8", 300), mask=np.arange(300) % 7 == 0)
    start, end = windows = bounds_at_random(rng, 300, 300, 30)
    for first, last, value in zip(start, end, pycrust.move_sum(some, windows), strict=True):
        part = some[first:last].compressed()
        assert_same(np.array(value), np.array(float(pycrust.sum(part, dtype=float)) if part.size else NAN))


@pytest.mark.parametrize("kind", ["spikes", "wide", "NaN", "infinities"])
def test_bounds_of_long_rows(kind):
    rng = np.random.default_rng(1)
    a = HARD[kind](rng, 60_000)
    times = np.cumsum(rng.exponential(size=a.size))
    for span in (10, 3000):
        windows = times.searchsorted(times - span), np.arange(1, a.size + 1)
        for name in NAMES:
            values = getattr(pycrust, name)(a, windows)
            assert_same(getattr(pycrust, name)(a, windows, workers=3), values)
            for k in rng.integers(0, a.size, 20):
                assert_same(np.array(values[k]), np.array(alone(name, a[windows[0][k] : windows[1][k]])))


def test_time_offsets_of_pandas():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    times = pandas.Timestamp("2026-01-01") + pandas.to_timedelta(np.sort(rng.integers(0, 90 * 86400, 500)), unit="s")
    s = pandas.Series(rng.integers(0, 100, 500).astype(float), times)
    s.iloc[rng.integers(0, 500, 20)] = NAN
    end = np.arange(1, len(s) + 1)
    for offset in ("7D", "36h", "1s"):
        windows = times.searchsorted(times - pandas.Timedelta(offset), side="right"), end
        rolling = s.rolling(offset)
        assert_same(pycrust.move_sum(s, windows), rolling.sum().to_numpy())
        assert_same(pycrust.move_mean(s, windows), rolling.mean().to_numpy())
        assert_same(pycrust.move_mean(s, windows, 3), s.rolling(offset, 3).mean().to_numpy())
    for indexer in (
        pandas.api.indexers.FixedForwardWindowIndexer(window_size=5),
        pandas.api.indexers.VariableOffsetWindowIndexer(index=times, offset=pandas.offsets.BDay(2)),
    ):
        windows = indexer.get_window_bounds(len(s))
        assert_same(pycrust.move_sum(s, windows), s.rolling(indexer, min_periods=1).sum().to_numpy())


BAD_BOUNDS = [
    (([0, 1],), TypeError, "not a tuple of 1 elements"),
    (([0, 1], [1, 2], [3]), TypeError, "not a tuple of 3 elements"),
    (([0.0], [1]), TypeError, "start must be an array of integers with one axis, not of float64 with 1"),
    (([0], [True]), TypeError, "end must be an array of integers with one axis, not of bool with 1"),
    ((0, 3), TypeError, "start must be an array of integers with one axis, not of int64 with 0"),
    (([0, 1], [3]), ValueError, "start has 2 elements and end 1"),
    (([0, -1], [3, 3]), ValueError, "window 1 is from -1 to 3, but must lie between 0 and 5, the length"),
    (([0, 1], [3, 6]), ValueError, "window 1 is from 1 to 6"),
    ((np.ma.array([0, 1], mask=[0, 1]), [1, 3]), TypeError, "start has missing bounds: fill them"),
    (
        ([0, 1], np.array([3, 2**64 - 1], np.uint64)),
        ValueError,
        "end has a bound of 18446744073709551615, beyond the end",
    ),
    (([2, 3], [1, 3]), ValueError, "window 0 is from 2 to 1"),
    (([1, 2, 1], [3, 3, 3]), ValueError, "window 2 is from 1 to 3, after one from 2 to 3: neither bound may decrease"),
    (([1, 1], [3, 2]), ValueError, "window 1 is from 1 to 2, after one from 1 to 3"),
]


def test_no_windows():
    assert_same(pycrust.move_sum([1.0, 2.0], ([], [])), np.zeros(0))


@pytest.mark.parametrize(("window", "error", "message"), BAD_BOUNDS)
def test_bad_bounds(window, error, message):
    with pytest.raises(error, match=message):
        pycrust.move_mean(np.arange(5.0), window)


def test_min_count_of_bounds():
    with pytest.raises(ValueError, match="min_count is 0, but must be 1 or more"):
        pycrust.move_mean([1.0], ([0], [1]), 0)
    assert_same(pycrust.move_mean([1.0, 2.0], ([0, 0], [1, 2]), 10**30), np.array([NAN, NAN]))
    assert_same(pycrust.move_mean([1.0, 2.0], ([0, 0, 2], [1, 2, 2])), np.array([1.0, 1.5, NAN]))
    assert_same(pycrust.move_mean(np.empty((2, 0)), ([0], [0])), np.full((2, 1), NAN))


# ---- laws ---------------------------------------------------------------------------


def test_laws():
    a = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.random.default_rng(1).integers(-9, 9, 1000)
    assert pycrust.move_sum(a, 1000)[-1] == pycrust.sum(a) == pycrust.cumsum(a)[-1]
    assert pycrust.move_std(a, 1000, ddof=1)[-1] == pycrust.std(a, ddof=1)
    assert_same(pycrust.move_sum(a, 1), a)
    assert_same(pycrust.move_var(a, 1), np.zeros(1000))
    assert_same(pycrust.move_sum(a, 1000, 1), pycrust.cumsum(a))
    assert_same(pycrust.move_mean(a[::-1], 20)[19:], pycrust.move_mean(a, 20)[19:][::-1])
    assert_same(pycrust.move_mean(4 * a, 20), 4 * pycrust.move_mean(a, 20))


@pytest.mark.parametrize("window", [2, 3, 4, 6, 8, 10, 64, 255, 256, 257, 512])
def test_means_at_and_beside_ties(level, window):
    rng = np.random.default_rng(window)
    a = rng.integers(2**52, 2**53, 700).astype(float)
    check("move_mean", a, window)
    b = np.where(rng.random(700) < 0.1, rng.choice([2.0**-30, -(2.0**-30)], 700), a)
    check("move_mean", b, window)
    check("move_mean", np.where(rng.random(700) < 0.02, NAN, a), window, 1)


@pytest.mark.parametrize("tiny", [2.0**-35, -(2.0**-35), 2.0**-33])
@pytest.mark.parametrize("high", [2**52 + 1024, 2**52 + 2048, 2**53 - 1024])
def test_means_nearest_to_ties(level, high, tiny):
    """127 numbers whose sum is a tie, and one of the last units: the second pieces all have one sign."""
    a = np.full(400, high + 448.0)
    a[60::128] = tiny
    check("move_mean", a, 128)


@pytest.mark.parametrize("window", [2, 5, 10, 100])
def test_small_results_in_coarse_units(level, window):
    """A large number gives the units, and is gone; what is left are sums near 0, or 0."""
    rng = np.random.default_rng(window)
    for digits in (1, 9, 1000, 2**20):
        a = rng.integers(-digits, digits + 1, 500) * 2.0**-44
        a[[3, 120, 121]] = 2.0**40, -(2.0**40), 2.0**40
        for name in ("move_sum", "move_mean", "move_std"):
            check(name, a, window)


def test_windows_of_squares_that_nearly_cancel(level):
    """Two variances of 53 bits and more that differ in the last: beside ties, and powers of two."""
    rng = np.random.default_rng(0)
    for window in (2, 3, 7, 64):
        for size in (2**20, 2**26, 2**31):
            a = rng.integers(-size, size, 400).astype(float)
            for name in ("move_var", "move_std"):
                check(name, a, window)
                check(name, a + 2.0**40, window, ddof=1)
    # The root is within 2**-60 of half-way, on either side: exact squares, plus or minus 1.
    for root in (2**53 - 1, 2**52 + 1, 2**53 - 3):
        a = np.tile([0.0, float(root)], 80)
        check("move_std", a, 2)
        check("move_std", np.nextafter(a, np.inf), 2)


def test_divisors_that_are_no_doubles(level):
    """n (n - ddof) of long windows, in the blocks that end in lanes: an infinity has just left them."""
    window, ddof = 370_729, Fraction(2**16 + 1, 2**16)
    x = np.random.default_rng(1).integers(-1000, 1000, window + 60).astype(float)
    x[0] = INF
    total, square, expected = int(x[1:window].sum()), int((x[1:window] ** 2).sum()), []
    for k in range(window, x.size):
        total, square = total + int(x[k]), square + int(x[k]) ** 2
        expected.append(float((window * square - total**2) / (window * (window - ddof))))
        total, square = total - int(x[k + 1 - window]), square - int(x[k + 1 - window]) ** 2
    assert_same(pycrust.move_var(x, window, ddof=float(ddof))[window:], np.array(expected))


@pytest.mark.parametrize("window", [64, 127, 128, 256, 1024])
def test_squares_at_the_end_of_their_range(level, window):
    """Numbers as near to -2 as the units of the window tell from it: the first pieces of their squares add up to 2**51."""
    unit = 2.0 ** ((window - 1).bit_length() - 50)
    random = np.random.default_rng(window)
    mild, numbers = random.uniform(-0.74, 0.74, window + 63), 3 * window + 300
    wild = np.where(random.random(numbers) < 0.25, 2 - 0.51 * unit, -2 - 0.48 * unit * random.uniform(0.96, 1, numbers))
    a = np.concatenate([mild, wild])
    for name in ("var", "std"):
        moved = getattr(pycrust, f"move_{name}")(a, window)
        for end in range(len(a) - 100, len(a), 7):
            assert moved[end] == getattr(reference, name)(a[end - window + 1 : end + 1])


@pytest.mark.parametrize("window", [2, 3, 5])
def test_numbers_half_as_large_as_what_is_subtracted(level, window):
    """Less a number in the middle of the window, they would be rounded."""
    below_half = 0.5 - 2.0**-54 * np.arange(8)
    for k, low in enumerate(below_half):
        a = np.concatenate([[0.875, 1.125] * 64, [1.125] * k, [low, 1.125, *below_half, 1.125]])
        for name in ("move_var", "move_std"):
            check(name, a, window)


def test_nothing_is_left_of_a_spike():
    quiet = np.random.default_rng(0).random(500)
    for spike in (1e17, 1e300, -1e300, INF, NAN):
        loud = quiet.copy()
        loud[100] = spike
        for name in NAMES:
            before, after = (getattr(pycrust, name)(x, 20) for x in (quiet, loud))
            assert_same(after[120:], before[120:])
            assert_same(after[:100], before[:100])
    assert (pycrust.move_mean(loud, 20)[120:] >= 0).all()


@pytest.mark.parametrize("window", [70, 100, 130])
@pytest.mark.parametrize("infinity", [None, 140, 160])
def test_fine_numbers_after_large_ones(level, window, infinity):
    """The units are those of numbers that cancel and leave: of the fine ones much is left, of what follows nothing."""
    a = np.zeros(300)
    a[:2] = 2.0**70, -(2.0**70)
    if infinity:
        a[infinity] = INF
    rng = np.random.default_rng(window)
    for fine in rng.normal(size=64), rng.integers(-(2**49), 2**49, 64):  # of these only the squares
        a[2:66] = fine
        for name in NAMES:
            check(name, a, window)


def test_few_windows_go_the_exact_way():
    a = np.random.default_rng(0).normal(size=65_536)
    for name in NAMES:
        for window in (10, 100, 1000, 10_000):
            for shift in (0, 1e6):
                before = _rounding_test_failures()
                getattr(pycrust, name)(a + shift, window)
                if pycrust.simd() != "portable":
                    assert _rounding_test_failures() - before < 10
    before = _rounding_test_failures()
    pycrust.move_sum(np.full(100, 2**53 + 1), 2)  # no doubles
    assert _rounding_test_failures() - before == 99


# ---- containers, integers of any size --------------------------------------------------


def test_lists_and_containers():
    pandas = pytest.importorskip("pandas")
    expected = np.array([NAN, 3.0, 5.0])
    assert_same(pycrust.move_sum([1, 2, 3], 2), expected)
    assert_same(pycrust.move_sum((1.0, 2.0, 3.0), 2), expected)
    assert_same(pycrust.move_sum(pandas.Series([1.0, 2.0, 3.0]), 2), expected)
    missing = np.array([1.0, 1.0, 3.0])
    assert_same(pycrust.move_sum(np.ma.array([1, 2, 3], mask=[0, 1, 0]), 2, 1), np.array([1.0, 1.0, 3.0]))
    assert_same(pycrust.move_sum(pandas.Series([1, None, 3], dtype="Int64"), 2, 1), missing)
    wide = np.ma.array([2**62, 2**62 + 1, 1, 2**62 + 3] * 30, mask=[0, 1, 0, 0] * 30)
    for name in NAMES:
        exact = [int(x) if x is not np.ma.masked else None for x in wide]
        values = getattr(pycrust, name)(wide, 5, 2)
        for k, value in enumerate(values[1:], 1):
            part = [x for x in exact[max(0, k - 4) : k + 1] if x is not None]
            if len(part) > 1:
                assert_same(np.array(value), np.array(alone(name, np.array(part))))


@pytest.mark.parametrize("name", NAMES)
def test_integers_take_part_exactly(name):
    rng = np.random.default_rng(3)
    for a in (2**53 + rng.integers(0, 3, 150), rng.integers(-(2**63), 2**63 - 1, 150), np.full(150, 2**64 - 1, "u8")):
        check(name, a, 7, 2)
        check(name, a, 130)
        check(name, a.astype(a.dtype.newbyteorder()), 7, 2)
    a = [10**30 + int(x) for x in rng.integers(0, 100, 40)]
    check(name, a, 3, 2)
    rows = np.array(a, dtype=object).reshape(4, 10)
    assert_same(getattr(pycrust, name)(rows, 3, axis=0), getattr(reference, name)(rows.tolist(), 3, axis=0))
    # 64 bits that float64 does not hold come and go.
    a = np.where(np.arange(400) // 90 % 2, 2**53 + rng.integers(0, 99, 400), rng.integers(0, 99, 400))
    check(name, a, 10)
    check(name, a, 150, 3)
    check(name, np.roll(a, 90), 10)


# ---- prefix sums ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS + ("c8", "c16"))
def test_cumsum(dtype):
    a = numbers(dtype, (6, 90), 0) if dtype[0] != "c" else numbers("f8", (6, 180), 0).view("c16").astype(dtype)
    if dtype in ("i8", "u8"):
        a //= 1000
    for axis in (None, 0, 1, -1):
        expected = reference.cumsum(a, axis)
        for workers in (1, 3):
            assert_same(pycrust.cumsum(a, axis, workers=workers), expected)
    for b in (
        a[:, ::-1],
        a.reshape(6, 9, 10)[:, ::2, ::-3],
        a.reshape(6, 9, 10).transpose(1, 0, 2),
        a.T[::2],
        a[:, :1],
    ):
        assert_same(pycrust.cumsum(b), reference.cumsum(b.copy()))
    for _, b in layouts(a):
        assert_same(pycrust.cumsum(b, axis), expected)
    out = np.zeros(a.shape, reference.cumsum(a, 0).dtype)
    assert pycrust.cumsum(a, 0, out=out) is out
    assert_same(pycrust.cumsum(a, 0, out.dtype, out), np.array(out))
    assert_same(out, reference.cumsum(a, 0))
    if dtype[0] != "c":
        for other in ("f8", "f4", "f2"):
            assert_same(pycrust.cumsum(a, 1, dtype=other), reference.cumsum(a, 1, dtype=other))


@pytest.mark.parametrize("kind", ["spikes", "wide", "any exponent", "NaN and infinities", "huge", "ties"])
def test_cumsum_of_long_rows_in_parts(kind):
    a = HARD[kind](np.random.default_rng(0), 60_000)
    if kind == "NaN and infinities":
        a[:40_000] = 1e300
        a[10_000:40_000:2] = -1e300
    for b in (a, a[::-1], a.astype(">f8"), np.stack([a, -a]), np.clip(a, -1e38, 1e38).astype("f4")):
        expected = pycrust.cumsum(b, -1)
        for workers in (2, 5):
            assert_same(pycrust.cumsum(b, -1, workers=workers), expected)
    for k in (8191, 8192, 8193, 30_000, 59_999):
        assert_same(np.array(pycrust.cumsum(a, workers=4)[k]), np.array(float(pycrust.sum(a[: k + 1]))))
    long = np.random.default_rng(1).integers(-(2**63), 2**63 - 1, 40_000)
    assert_same(pycrust.cumsum(long, dtype=float, workers=3), pycrust.cumsum(long, dtype=float))


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i1", "i8", "u8", "?"])
def test_cumsum_in_order_of_all_axes(dtype):
    """Elements that no stride connects are counted in C order, in parts too."""
    a = numbers(dtype, (64, 40, 30), 0, seed=3)
    if dtype in ("i8", "u8"):
        a //= 2**18
    for b in (a.transpose(2, 0, 1), a[::-1, ::2], a[:, :, :1], a[:, 3:], a.transpose(1, 0, 2)[:, :, ::-7], a.T):
        expected = pycrust.cumsum(np.ascontiguousarray(b))
        for workers in (1, 3):
            assert_same(pycrust.cumsum(b, workers=workers), expected)
            assert_same(pycrust.cumsum(b.astype(b.dtype.newbyteorder(), order="K"), workers=workers), expected)
    assert_same(pycrust.cumsum(np.broadcast_to(a[:, :1, :1], (64, 7, 5))), pycrust.cumsum(np.repeat(a[:, 0, 0], 35)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_cumsum_of_nan_in_every_dtype(dtype):
    for a in ([1.0, NAN, 2.0], [INF, 1.0, -INF, 2.0], np.full(200, NAN)):
        assert_same(pycrust.cumsum(a, dtype=dtype), reference.cumsum(a, dtype=dtype))


@pytest.mark.parametrize("workers", [1, 2])
def test_memory_beside_the_result(workers):
    a = np.ones(2**20)
    tracemalloc.start()
    try:
        for call in (
            lambda: pycrust.move_std(a, 10_000, workers=workers),
            lambda: pycrust.move_sum(a[::-1].reshape(2, -1), 2, axis=0, workers=workers),
            lambda: pycrust.cumsum(a, workers=workers),
            lambda: pycrust.cumsum(a.view(np.int32), workers=workers),
        ):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            result = call()
            assert tracemalloc.get_traced_memory()[1] - before - result.nbytes < 2**20
    finally:
        tracemalloc.stop()


def test_cumsum_does_not_copy_what_is_not_contiguous():
    tracemalloc.start()
    try:
        for dtype in ("f8", "i8", "c16"):
            a = np.ones((600, 500), dtype).T
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            result = pycrust.cumsum(a)
            assert tracemalloc.get_traced_memory()[1] - before - result.nbytes < a.nbytes / 10
    finally:
        tracemalloc.stop()


def test_cumsum_of_long_integers_in_parts():
    rng = np.random.default_rng(0)
    for dtype in INTEGERS:
        a = numbers(dtype, (3, 50_000), seed=1)
        if dtype in ("i8", "u8"):
            a //= 2**17
        for b in (a, a[:, ::-1], a.T, a.astype(a.dtype.newbyteorder())):
            for axis in (0, 1, None):
                expected = np.cumsum(b, axis, np.uint64 if a.dtype.kind == "u" else np.int64)
                for workers in (1, 2, 5):
                    assert_same(pycrust.cumsum(b, axis, workers=workers), expected)
    # What comes before a part, and the sum of one, may need more than 64 bits in between.
    a = np.repeat([2**62, -(2**62)], 30_000)
    a[1::2] = -(2**62)
    a[::2] = 2**62
    assert_same(pycrust.cumsum(a, workers=3), np.cumsum(a))
    for where in (0, 8191, 8192, 20_001, 39_999):
        a = rng.integers(-5, 6, 40_000)
        a[where:] = 2**62
        total = sum(a[:where].tolist())
        steps = (2**63 - 1 - total) // 2**62 + 1
        if where + steps <= a.size:
            at = where + steps - 1
            for workers in (1, 4):
                with pytest.raises(OverflowError, match=f"up to {at} is {total + steps * 2**62},"):
                    pycrust.cumsum(a, workers=workers)
                with pytest.raises(OverflowError, match=rf"up to \(1, {at}\) is"):
                    pycrust.cumsum(np.stack([0 * a, a, a]), 1, workers=workers)
    a = np.zeros(40_000, int)
    a[[100, 30_000]] = 5, -6
    for workers in (1, 4):
        with pytest.raises(OverflowError, match="up to 30000 is -1,"):
            pycrust.cumsum(a, dtype=np.uint64, workers=workers)
    rows = np.ones((40_000, 2), np.int8)
    assert_same(pycrust.cumsum(rows, 1, workers=3), np.cumsum(rows, 1, np.int64))
    rows = np.full((40_000, 2), 2**62)
    rows[:33_333, 1] = 0
    for workers in (1, 3):
        with pytest.raises(OverflowError, match=r"up to \(33333, 1\) is"):
            pycrust.cumsum(rows, 1, workers=workers)


def test_cumsum_of_integers():
    assert_same(pycrust.cumsum([1, 2, 3]), np.array([1, 3, 6]))
    assert pycrust.cumsum([10**30, 1], dtype=object).tolist() == [10**30, 10**30 + 1]
    many = np.arange(10_000).astype(object).reshape(100, 100) + 10**25
    for b in (many, many.T, many[:, ::3]):
        assert pycrust.cumsum(b, dtype=object).tolist() == np.cumsum(b).tolist()
        assert pycrust.cumsum(b, 0, dtype=object).tolist() == np.cumsum(b, 0).tolist()
    rows = np.array([[1, 2], [3, 2**62], [5, 2**62]], dtype=object)
    assert_same(pycrust.cumsum(rows[:2], 1), np.cumsum(rows[:2].astype(int), 1))
    assert_same(pycrust.cumsum(rows, 0, dtype=float), reference.cumsum(rows.tolist(), 0, dtype=float))
    for b, axis, where in ((rows, 0, r"\(2, 1\)"), (rows.T, 1, r"\(1, 2\)"), (rows, None, "5")):
        with pytest.raises(OverflowError, match=f"up to {where} is 92233720368547758"):
            pycrust.cumsum(b, axis)
    assert pycrust.cumsum(np.full(5, 2**62), dtype=object).tolist() == [2**62 * k for k in range(1, 6)]
    a = np.array([[0, 2**62, 2**62 - 1], [2**62, 2**62, 1]])
    with pytest.raises(OverflowError, match=r"up to \(1, 1\) is 9223372036854775808, .* dtype=np.uint64"):
        pycrust.cumsum(a, 1)
    with pytest.raises(OverflowError, match=r"up to \(1, 1\)"):
        pycrust.cumsum(np.asfortranarray(a), 0)
    with pytest.raises(OverflowError, match="up to 1 is -1,"):
        pycrust.cumsum([1, -2], dtype=np.uint64)
    with pytest.raises(OverflowError, match="up to 2 is 18446744073709551616,"):
        pycrust.cumsum(np.array([2**63, 2**62, 2**62], np.uint64))
    assert_same(pycrust.cumsum(a, 1, dtype=float), reference.cumsum(a, 1, dtype=float))
    long = np.random.default_rng(0).integers(-100, 100, 300_000)
    assert_same(pycrust.cumsum(long, workers=3), np.cumsum(long))


# ---- bad input --------------------------------------------------------------------------

BAD = [
    ({"window": 0}, ValueError, "window is 0, but must be 1 or more"),
    ({"window": -3}, ValueError, "window is -3, but must be 1 or more"),
    ({"window": 6}, ValueError, "window is 6, but must be .* no longer than the axis, which has 5 elements"),
    ({"window": 10**5000}, ValueError, "an integer of 16610 bits"),
    ({"window": 2.0}, TypeError, r"window must be an integer, or a tuple \(start, end\) .*, not 2.0"),
    ({"window": True}, TypeError, r"window must be an integer, .*, not True"),
    ({"window": "2D"}, TypeError, r"window must be an integer, .*, not '2D'"),
    ({"window": [[0, 1], [1, 2]]}, TypeError, r"a tuple \(start, end\) of two arrays of integers, not \[\[0"),
    ({"window": 3, "min_count": 4}, ValueError, "min_count is 4, but must be from 1 to 3"),
    ({"window": 3, "min_count": 0}, ValueError, "min_count is 0, but must be from 1 to 3"),
    ({"window": 3, "min_count": 1.0}, TypeError, "min_count must be an integer"),
    ({"window": 3, "axis": 1}, np.exceptions.AxisError, "axis 1 is out of bounds"),
    ({"window": 3, "axis": None}, TypeError, "axis must be an integer"),
    ({"window": 3, "axis": (0,)}, TypeError, "axis must be an integer"),
    ({"window": 3, "workers": 0}, ValueError, "workers = 0"),
    ({"a": np.float64(1), "window": 1}, ValueError, "no axis"),
    (
        {"a": np.empty(0), "window": 1},
        ValueError,
        "window is 1, but must be .* no longer than the axis, which has 0 elements",
    ),
    ({"a": [1j, 2], "window": 1}, TypeError, "complex128 are not taken"),
    ({"a": ["x"], "window": 1}, TypeError, "convert the text"),
]


@pytest.mark.parametrize(("given", "error", "message"), BAD)
@pytest.mark.parametrize("name", NAMES)
def test_bad_input(name, given, error, message):
    given = {"a": np.arange(5.0), **given}
    with pytest.raises(error, match=message):
        getattr(pycrust, name)(**given)


def test_bad_ddof():
    with pytest.raises(ValueError, match="ddof must not be negative"):
        pycrust.move_var([1.0], 1, ddof=-1)
    with pytest.raises(TypeError, match="ddof"):
        pycrust.move_std([1.0], 1, ddof="1")


def test_bad_input_of_cumsum():
    for given, error in (
        ({"a": np.arange(3.0), "axis": 1}, np.exceptions.AxisError),
        ({"a": np.arange(3.0), "out": np.empty(2)}, ValueError),
        ({"a": np.arange(3.0), "out": [0.0] * 3}, TypeError),
        ({"a": np.arange(3.0), "dtype": int}, TypeError),
        ({"a": np.ma.array([1, 2], mask=[0, 1])}, TypeError),
        ({"a": np.float64(1), "axis": 0}, np.exceptions.AxisError),
        ({"a": np.arange(3.0), "axis": (0,)}, TypeError),
    ):
        with pytest.raises(error):
            pycrust.cumsum(**given)
    assert_same(pycrust.cumsum(np.float64(2)), np.array([2.0]))


def test_empty():
    for name in NAMES:
        assert_same(getattr(pycrust, name)(np.empty((0, 3)), 2), np.empty((0, 3)))
        assert_same(getattr(pycrust, name)(np.empty((3, 0), int), 2, axis=0), np.empty((3, 0)))
    assert_same(pycrust.cumsum([]), np.empty(0))
    assert_same(pycrust.cumsum(np.empty((0, 2), int), 1), np.empty((0, 2), int))


# ---- interrupts -----------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 16])
def test_a_chunk_is_short(workers):
    """The main thread looks for signals between two chunks: what each computes is bounded."""
    most = 2**17
    for length in (1, 5, 64, 1000, most - 1, most, most + 1, 3 * most, 10**9):
        for rows in (1, 3, 8, 9, 10**6):
            for together in (1, min(8, rows)):
                chunks, of_rows, of_length = _chunks(length, rows, workers, together=together)
                assert of_rows % together == 0
                assert min(of_rows, rows) * of_length <= most or (of_rows, of_length) == (together, 1)
                assert chunks == -(-rows // of_rows) * -(-length // of_length)
                assert workers > 1 or 2 * of_rows * of_length > most
    # Each begins with the sum of a window, unless it goes on where its worker stood: so it has as many results.
    for window in (10**4, 10**7):
        assert _chunks(10**9, 1, workers, window=window)[2] == max(most, window // 8 if workers > 1 else 0)
    # From one window to the next it is many steps: elements enter and leave.
    for windows, elements in ((10**6, 10**6), (10**6, 10**8), (12, 10**8), (1, 10**8)):
        edges = 10**6 + np.arange(windows + 1) * (elements // windows)
        steps = 1 + 2 * (edges[-1] - edges[0]) // windows
        longest = max(1, min(windows, most // steps))
        _, _, length = _chunks(windows, 1, workers, (edges[:-1], edges[1:]))
        assert length == longest if workers == 1 else 1 <= length <= longest


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.thread_unsafe(reason="signal handlers are of the main thread")
@pytest.mark.parametrize("function", [lambda a: pycrust.move_sum(a, 5), lambda a: pycrust.cumsum(a, dtype=object)])
def test_signals_amid_a_row_of_python_ints(function):
    """They are looked for after 4096 results each: while these are computed, the next signal comes."""
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
    try:
        function(np.arange(200_000).astype(object))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(seen) > 200_000 // 4096 // 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.thread_unsafe(reason="signal handlers are of the main thread")
def test_signals_while_the_caller_waits_for_a_helper():
    """It goes on with that, if their handlers raise nothing."""
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
    try:
        for size in range(10**7, 2 * 10**7, 10**6):
            sums = pycrust.move_sum(np.broadcast_to(0.1, size), ([0, 0], [2 * 10**6, size]), workers=2)
            assert_same(sums, np.array([float(n * Fraction(0.1)) for n in (2 * 10**6, size)]))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.measures
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(
    "call",
    [
        "pycrust.move_std(a, 1000)",
        slow("pycrust.move_std(a, 8_000_000, workers=2)"),
        "pycrust.cumsum(a)",
        "pycrust.move_sum(a.reshape(-1, 64), 3)",
        slow("pycrust.move_std(a, 1_000_000, ddof=0.1)"),
        slow("pycrust.move_std(a, windows, workers=2)"),
        slow("pycrust.cumsum(a.reshape(-1, 64).T)"),
        "pycrust.cumsum(ints.reshape(-1, 64).T, workers=2)",
        # sums that take an hour: the helper's, too, ends; and the caller's thread looks for signals while it waits for that
        "pycrust.move_sum(np.broadcast_to(1.0, 10**12), ([0, 0], [10**12, 10**12]), workers=2)",
        "pycrust.move_sum(np.broadcast_to(1.0, 10**12), ([0, 0], [10**7, 10**12]), workers=2)",
    ],
)
def test_ctrl_c(call):
    """No helper goes on after it. Prints how long it took to see it (pytest -rP)."""
    script = f"""
import os
import time
import numpy as np
import pycrust
a = np.tile(np.random.default_rng(0).normal(size=2**16), 2**7)
ints, windows = a.astype(int), (np.maximum(np.arange(a.size) - 99, 0), np.arange(1, a.size + 1))

def threads():
    return len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 1

before = threads()
print("ready", flush=True)
try:
    while True:
        {call}
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
    assert pycrust.move_sum([1.0, 2.0], 2)[1] == 3
    while threads() > before:
        time.sleep(0.01)
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


@pytest.mark.parametrize("last", [0.1, 3.3])
@pytest.mark.parametrize("exponent", range(80, 135, 7))
def test_what_left_before_a_block_in_three_pieces(last, exponent):
    x = np.zeros(143)
    x[59], x[65], x[141] = 1, 2.0**exponent, last
    assert pycrust.move_sum(x, 14)[141] == last
    assert pycrust.move_mean(x, 14)[141] == pycrust.mean(x[128:142])
