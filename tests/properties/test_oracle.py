"""The oracle of the data family against facts that can be checked by hand."""

import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycrust import reference

TINY = 5e-324  # 2**-1074, the smallest positive float64
HUGE = math.ldexp(2**53 - 1, 971)  # the largest
TIE = 2**1024 - 2**970  # halfway between HUGE and 2**1024


def rationals(lowest, highest):
    return st.builds(
        lambda p, q, e: Fraction(p, q) * Fraction(2) ** e,
        st.integers(0, 2**120),
        st.integers(1, 2**60),
        st.integers(lowest, highest),
    )


def is_nearest(value, compare):
    """Whether `value` is the float64 nearest to a number, ties to even; `compare`
    says on which side of a rational the number lies: -1, 0 or 1."""
    lower = (Fraction(value) + Fraction(math.nextafter(value, -math.inf))) / 2
    upper = Fraction(TIE) if value == HUGE else (Fraction(value) + Fraction(math.nextafter(value, math.inf))) / 2
    even = np.float64(value).view(np.int64) % 2 == 0
    return (compare(lower) > 0 and compare(upper) < 0) or (even and 0 in (compare(lower), compare(upper)))


def sign(x):
    return (x > 0) - (x < 0)


@given(rationals(-1250, 1020))
def test_nearest(x):
    value = reference.nearest(x)
    assert value == math.inf if x >= TIE else is_nearest(value, lambda point: sign(x - point))
    assert repr(reference.nearest(-x)) == repr(-value if x else 0.0)  # a number that is negative rounds to -0.0


@given(rationals(-2300, 1900))
def test_nearest_root(x):
    value = reference.nearest_root(x)
    assert is_nearest(value, lambda point: 1 if point < 0 else sign(x - point * point))


def test_nearest_at_the_ends():
    unit = Fraction(TINY)
    assert reference.nearest(unit / 2) == 0.0
    assert reference.nearest(unit / 2 + Fraction(1, 4**1074)) == TINY
    assert reference.nearest(unit * 3 / 2) == 2 * TINY
    assert reference.nearest(Fraction(TIE)) == math.inf
    assert reference.nearest(TIE - Fraction(1, 4**1074)) == HUGE
    assert reference.nearest(TIE - 1) == HUGE


def test_nearest_root_at_the_ends():
    unit = Fraction(TINY)
    assert reference.nearest_root(unit**2 / 4) == 0.0
    assert reference.nearest_root(unit**2 / 4 + Fraction(1, 2**4000)) == TINY
    assert reference.nearest_root(unit**2 * 9 / 4) == 2 * TINY
    assert reference.nearest_root(Fraction(TIE**2)) == math.inf
    assert reference.nearest_root(TIE**2 - Fraction(1, 2**2148)) == HUGE


@given(st.integers(0, 2**200))
def test_roots_of_squares(n):
    assert reference.nearest_root(n * n) == float(n)


@pytest.mark.parametrize("k, total", [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 1), (6, 2), (7, 2), (10, 2), (11, 3)])
def test_sums_that_underflow(k, total):
    assert reference.sumsq([2.0**-538] * k) == total * TINY


@pytest.mark.parametrize("k, root", [(1, 1), (2, 1), (3, 2), (4, 2), (6, 2), (7, 3), (9, 3)])
def test_norms_of_subnormals(k, root):
    assert reference.norm([TINY] * k) == root * TINY


@pytest.mark.parametrize("zeros, root", [(0, 1), (1, 1), (2, 1), (3, 0), (4, 0)])
def test_rms_below_the_subnormals(zeros, root):
    assert reference.rms([TINY] + [0.0] * zeros) == root * TINY


def test_norms_of_huge_numbers():
    assert reference.norm([1e200, 1e200]) == math.sqrt(2) * 1e200 == 1.414213562373095e200
    assert reference.norm([HUGE]) == HUGE
    assert reference.norm([HUGE, 2.0**997]) == HUGE  # HUGE² + 2**1994 < TIE²
    assert reference.norm([HUGE, 2.0**998]) == math.inf
    assert reference.rms([HUGE] * 5) == HUGE
    assert reference.sumsq([2.0**512]) == math.inf
    assert reference.sumsq([math.nextafter(2.0**512, 0)]) == math.nextafter(HUGE, 0)


@pytest.mark.parametrize(
    "a, total",
    [
        ([1.0, math.inf], math.inf),
        ([-math.inf, math.inf], math.inf),
        ([math.nan, 1.0], math.nan),
        ([math.inf, math.nan], math.nan),
        ([math.nan, -math.inf], math.nan),
        ([complex(math.inf, math.nan)], math.nan),
        ([complex(0, -math.inf)], math.inf),
        ([-0.0], 0.0),
    ],
)
def test_nan_beats_inf(a, total):
    for function in (reference.sumsq, reference.norm):
        assert np.array(function(a)).tobytes() == np.array(total).tobytes()


def test_integers_are_exact():
    assert reference.sumsq(np.full(3, -(2**63))) == 3 * 2**126
    assert reference.sumsq(np.full(3, 2**64 - 1, np.uint64)) == 3 * (2**64 - 1) ** 2
    assert reference.sumsq(np.full(2, -128, np.int8)) == 2**15
    assert reference.sumsq([True, False, True]) == 2
    assert type(reference.sumsq([1, 2])) is int
    assert reference.rms(np.full(5, -(2**15), np.int16)) == 2.0**15
    assert reference.norm([3, 4]) == 5.0


def test_accumulator_of_the_oracle():
    total = reference.Accumulator()
    assert (total.count, total.sumsq(), total.norm()) == (0, 0, 0.0)
    total.update([3, 4])
    assert (total.count, total.sumsq(), total.norm(), total.rms()) == (2, 25, 5.0, math.sqrt(12.5))
    assert type(total.sumsq()) is int
    total.update([0.1, 7.0], where=[True, False])
    assert (total.count, total.sumsq()) == (3, 25.01) and type(total.sumsq()) is float
    assert total + total == total + total != total


# ---- sum, mean, var, std ------------------------------------------------------

MODERATE = st.floats(-1e150, 1e150) | st.floats(-2, 2) | st.integers(-(2**60), 2**60).map(float)


@given(st.lists(MODERATE, min_size=1))
def test_moments_are_those_of_statistics(a):
    """Which is exact, for floats and ints alike."""
    assert reference.mean(a) == statistics.mean(a)
    assert reference.var(a) == statistics.pvariance(a)
    assert reference.std(a) == statistics.pstdev(a)
    if len(a) > 1:
        assert reference.var(a, ddof=1) == statistics.variance(a)
        assert reference.std(a, ddof=1) == statistics.stdev(a)


@given(st.lists(st.integers(-(2**100), 2**100), min_size=2))
def test_moments_of_ints_are_those_of_statistics(a):
    assert reference.sum(a) == sum(a)
    assert reference.mean(a) == sum(a) / len(a)  # which Python rounds once
    assert reference.var(a) == float(statistics.pvariance(map(Fraction, a)))
    assert reference.std(a) == statistics.pstdev(a)
    assert reference.std(a, correction=1) == statistics.stdev(a)


@given(
    st.lists(st.complex_numbers(max_magnitude=1e150), min_size=3),
    st.sampled_from([0, 1, 2, 0.1, 1.5, np.int8(1), np.float32(0.1), np.float16(2.5)]),
)
def test_moments_are_as_defined(a, ddof):
    def exact(f):
        return Fraction(sum(map(Fraction, f)), len(a))

    real, imaginary = exact([z.real for z in a]), exact([z.imag for z in a])
    squares = sum((Fraction(z.real) - real) ** 2 + (Fraction(z.imag) - imaginary) ** 2 for z in a)
    variance = squares / (len(a) - Fraction(float(ddof)))
    assert reference.sum(a) == complex(float(real * len(a)), float(imaginary * len(a)))
    assert reference.mean(a) == complex(float(real), float(imaginary))
    assert reference.var(a, ddof=ddof) == float(variance)
    assert reference.std(a, ddof=ddof) == reference.nearest_root(variance)


def test_sums_by_hand():
    assert reference.sum([1e308, 1e308, -1e308]) == 1e308
    assert reference.sum([HUGE, HUGE]) == math.inf and reference.mean([HUGE, HUGE]) == HUGE
    assert reference.sum([-HUGE, -(2.0**970)]) == -math.inf
    assert reference.sum([HUGE, math.nextafter(2.0**970, 0)]) == HUGE
    assert reference.sum([2.0**53, 1.0]) == 2.0**53 and reference.sum([2.0**53, 1.0, TINY]) == 2.0**53 + 2
    assert reference.sum([-(2.0**53), -1.0]) == -(2.0**53)
    assert repr(reference.sum([-0.0])) == repr(reference.sum(np.empty(0))) == repr(reference.mean([1.0, -1.0])) == "0.0"
    assert repr(reference.mean([TINY, 0.0])) == "0.0" and repr(reference.mean([-TINY, 0.0])) == "-0.0"
    assert reference.mean([TINY] * 3 + [0.0]) == TINY
    assert reference.sum(np.array([1 + 2j, -1 - 1j])) == 1j


def test_spreads_by_hand():
    assert reference.var([0.1] * 10) == reference.std([0.1] * 10) == 0.0
    assert reference.var([1e9, 1e9 + 1]) == 0.25 and reference.std([1e9, 1e9 + 1]) == 0.5
    assert reference.var([1 + 1j, -1 - 1j]) == 2.0
    assert reference.var([HUGE, -HUGE]) == math.inf and reference.std([HUGE, -HUGE]) == HUGE
    assert reference.std([TINY, 0.0]) == 0.0 and reference.std([3 * TINY, 0.0]) == 2 * TINY
    assert reference.var(np.array([-(2**63), 2**63 - 1])) == reference.nearest(Fraction((2**64 - 1) ** 2, 4))


def test_integers_add_up_exactly():
    assert type(reference.sum([1, -2])) is int and reference.sum([1, -2]) == -1
    assert reference.sum([10**30, -1]) == 10**30 - 1
    assert reference.sum(np.full((2, 2), 2**62), axis=0, dtype=object).tolist() == [2**63, 2**63]
    assert reference.sum(np.full((1, 2), 2**63, np.uint64) - 1, axis=0).dtype == np.uint64
    assert reference.sum([[-1], [-2]], axis=1).tolist() == [-1, -2]
    for a, dtype in (([[2**62, 2**62]], None), ([[-(2**63), -1]], None), ([[-1, 0]], np.uint64)):
        with pytest.raises(OverflowError):
            reference.sum(a, axis=1, dtype=dtype)


@pytest.mark.parametrize(
    "a, ddof, var",
    [
        ([], 0, math.nan),
        ([3.0], 1, math.nan),
        ([3.0, 3.0], 2, math.nan),
        ([3.0, 4.0], 2, math.inf),
        ([3.0, 4.0], 2.5, math.inf),
        ([3.0, 4.0], math.inf, math.inf),
        ([3.0, math.inf], 2, math.nan),
    ],
)
def test_no_degrees_of_freedom(a, ddof, var):
    for function in (reference.var, reference.std):
        with pytest.warns(RuntimeWarning):
            assert repr(function(a, ddof=ddof)) == repr(var)


@pytest.mark.parametrize(
    "a, mean",
    [
        ([1.0, math.inf], math.inf),
        ([-math.inf, 1.0], -math.inf),
        ([-math.inf, math.inf], math.nan),
        ([math.nan, math.inf], math.nan),
        ([complex(math.inf, 2), complex(1, -math.inf)], complex(math.inf, -math.inf)),
        ([complex(math.nan, 2), 0], complex(math.nan, 1)),
    ],
)
def test_moments_of_nan_and_inf(a, mean):
    assert repr(reference.mean(a)) == repr(mean)
    assert math.isnan(reference.var(a)) and math.isnan(reference.std(a))


def test_kinds_of_accumulators_of_the_oracle():
    total = reference.Accumulator([3, 4])
    assert type(total.sum()) is int and (total.sum(), total.mean(), total.var(), total.std(1)) == (
        7,
        3.5,
        0.25,
        0.5**0.5,
    )
    total.update([0.5])
    assert type(total.sum()) is float and total.sum() == 7.5
    total.update(np.array([1j]))
    assert total.sum() == 7.5 + 1j and total.mean() == 1.875 + 0.25j and type(total.var()) is float
    infinite = reference.Accumulator([math.inf]) + reference.Accumulator([1.0])
    assert infinite.mean() == math.inf and math.isnan((infinite + reference.Accumulator([-math.inf])).mean())
    with pytest.warns(RuntimeWarning):
        assert math.isnan(reference.Accumulator().mean()) and reference.Accumulator().sum() == 0


@pytest.mark.parametrize(
    "error, given",
    [
        (ValueError, {"ddof": -1}),
        (ValueError, {"ddof": math.nan}),
        (ValueError, {"correction": -0.5}),
        (TypeError, {"ddof": "1"}),
        (TypeError, {"ddof": 1j}),
        (TypeError, {"ddof": 1, "correction": 1}),
    ],
)
def test_degrees_of_freedom_that_are_none(error, given):
    for function in (reference.var, reference.std):
        with pytest.raises(error):
            function([1.0, 2.0], **given)
