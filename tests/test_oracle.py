"""The oracle of the data family against facts that can be checked by hand."""

import math
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
