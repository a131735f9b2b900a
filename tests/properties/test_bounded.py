"""Bounded sums: results beside, on and far from the points where rounding turns, the same as the exact way's."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
from cases import all_pairs
from hard_arrays import assert_same

import pycrust
from pycrust import reference
from pycrust._core import _rounding_test_failures

counts = pytest.mark.thread_unsafe(reason="counts the uncertain sums of the whole process")

LENGTH = 300  # above that from which sums are certified at every level


def squares_of(number):
    """Whole numbers, each a double, whose squares sum up to a whole number."""
    roots = []
    while number:
        root = isqrt(number)
        roots.append(root >> max(0, root.bit_length() - 53) << max(0, root.bit_length() - 53))
        number -= roots[-1] ** 2
    return roots


def array_of(whole, sign, k):
    """Numbers whose squares sum up to whole, or to sign * 4**-k beside it."""
    if sign > 0:
        roots = [*squares_of(whole), 2.0**-k]
    elif sign < 0:  # 1 - 4**-k = 3/4 + 3/16 + ...
        roots = [*squares_of(whole - 1), *(2.0**-j for j in range(1, k + 1) for _ in range(3))]
    else:
        roots = squares_of(whole)
    a = np.zeros(LENGTH)
    a[: len(roots)] = roots
    np.random.default_rng(k).shuffle(a)
    assert sum(Fraction(x) ** 2 for x in a.tolist()) == whole + sign * Fraction(1, 4**k)
    return a


def check(a, figures=("sumsq", "norm", "rms")):
    """Like the oracle, whole and in every other way that sums are certified; how often they could not be."""
    before = _rounding_test_failures()
    for figure in figures:
        assert_same(getattr(pycrust, figure)(a), getattr(reference, figure)(a))
    uncertain = _rounding_test_failures() - before
    columns = np.stack([a] * 9, axis=1)
    for figure in figures:
        whole = getattr(pycrust, figure)(a)
        assert_same(getattr(pycrust, figure)(a[::-1]), whole)
        assert_same(getattr(pycrust, figure)(columns[:, 1]), whole)
        assert_same(getattr(pycrust, figure)(columns, axis=0), np.full(9, whole))
        assert_same(getattr(pycrust, figure)(columns.T, axis=1), np.full(9, whole))
        assert_same(getattr(pycrust, figure)(a.astype(">f8"), where=np.ones(LENGTH, bool), workers=2), whole)
    return uncertain


MIDPOINT = 2**53 + 1  # between two doubles
DOUBLE = 2**53 + 2


@counts
@all_pairs(k=range(20, 61, 4), sign=[-1, 0, 1], whole=[MIDPOINT, DOUBLE])
def test_sums_beside_a_midpoint_and_beside_a_double(level, whole, sign, k):
    """4**-k beside it, where the doubles are two apart: 2**-(2 k + 1) of that."""
    uncertain = check(array_of(whole, sign, k), ["sumsq"])
    if whole == DOUBLE:
        assert uncertain == 0
    elif sign == 0 or k >= 32:
        assert uncertain == 1


@counts
@all_pairs(k=range(8, 61, 4), sign=[-1, 0, 1])
def test_roots_beside_a_midpoint(level, sign, k):
    """The root of a square of an odd number of 54 bits lies between two doubles, and so do its neighbours'."""
    root = 2**53 + 2 * k + 1
    uncertain = check(array_of(root**2, sign, k), ["norm"])
    assert uncertain == (1 if sign == 0 or k >= 12 else uncertain)


@counts
def test_roots_of_three_and_four(level):
    """(3k, 4k) with 5k an odd number of 54 bits."""
    for k in range((2**53) // 5 + 1, (2**53) // 5 + 40):
        a = np.zeros(LENGTH)
        a[[7, 250]] = 3.0 * k, 4.0 * k
        uncertain = check(a, ["norm"])
        assert uncertain == (5 * k) % 2


@counts
@pytest.mark.parametrize("sign", [-1, 0, 1])
@pytest.mark.parametrize("k", [8, 30, 56])
def test_means_beside_a_midpoint(level, sign, k):
    """A mean whose root lies between two doubles, or not quite."""
    uncertain = check(array_of(LENGTH * (2**53 + 1) ** 2, sign, k), ["rms"])
    assert uncertain == (1 if sign == 0 or k >= 12 else uncertain)


@counts
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16"])
def test_ordinary_data_need_no_second_way(level, dtype):
    rng = np.random.default_rng(5)
    before = _rounding_test_failures()
    for scale in (1e-3, 1, 50):
        a = (rng.standard_normal((70, 80)) * scale).astype(dtype)
        for figure in ("sumsq", "norm", "rms"):
            call = getattr(pycrust, figure)
            for b in (a, a.T, a[::2, ::3], a[::-1], a[:, 5]):
                assert_same(call(b), getattr(reference, figure)(b))
            assert_same(call(a, axis=0), getattr(reference, figure)(a, axis=0))
            assert_same(call(np.tile(a, 4), axis=1), getattr(reference, figure)(np.tile(a, 4), axis=1))
            assert_same(call(a, where=a.real > 0, workers=2), getattr(reference, figure)(a, where=a.real > 0))
    if dtype != "f2":  # whose squares have so few bits that sums of them do lie halfway now and then
        assert _rounding_test_failures() == before


@counts
def test_ties_of_whole_numbers(level):
    """Their sums lie halfway between two doubles often; the exact way takes over as often."""
    rng = np.random.default_rng(6)
    ties = 0
    before = _rounding_test_failures()
    for _ in range(60):
        a = rng.integers(0, 2**24, 257).astype(float)
        total = sum(int(x) ** 2 for x in a.tolist())
        step = 2 ** max(0, total.bit_length() - 53)
        ties += total % step == step // 2
        assert_same(pycrust.sumsq(a), float(total))
    assert ties > 3
    assert ties == _rounding_test_failures() - before


def test_narrow_results_beside_a_midpoint(level):
    """float32 is rounded to once as well; between 2**24 and 2**24 + 2 the former is even."""
    for sign, expected in [(-1, 2**24), (0, 2**24), (1, 2**24 + 2)]:
        for k in (10, 30, 50):
            a = array_of(2**24 + 1, sign, k)
            assert pycrust.sumsq(a, dtype=np.float32) == expected
            columns = pycrust.sumsq(np.stack([a] * 8, 1), 0, dtype=np.float32)
            assert_same(columns, np.full(8, expected, np.float32))


@pytest.mark.parametrize("odd", [np.nan, np.inf, 1e200, 1e300, 5e-324])
def test_what_no_kernel_takes_goes_the_exact_way(level, odd):
    a = np.ones(1000)
    for at in (0, 500, 999):
        b = a.copy()
        b[at] = odd
        for figure in ("sumsq", "norm", "rms"):
            assert_same(getattr(pycrust, figure)(b), getattr(reference, figure)(b))
    for b in (a * 0, a * 1e-200, a * 1e-323):
        for figure in ("sumsq", "norm", "rms"):
            assert_same(getattr(pycrust, figure)(b), getattr(reference, figure)(b))


@counts
def test_four_threads_at_once(level):
    """Each gets its own results, and every uncertain sum is counted."""
    arrays = [array_of(MIDPOINT, sign, 40) for sign in (-1, 0, 1)] + [array_of(DOUBLE, 1, 40)]

    def results(a):
        return {pycrust.sumsq(a) for _ in range(20_000)}

    before = _rounding_test_failures()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(results, arrays)) == [{reference.sumsq(a)} for a in arrays]
    assert _rounding_test_failures() - before == 3 * 20_000  # beside the midpoint, and on it


@counts
def test_accumulators_stay_exact(level):
    """What is merged later cannot be summed again: a tie, made by the last number, is still one."""
    before = _rounding_test_failures()
    for sign in (-1, 0, 1):
        a = array_of(MIDPOINT, sign, 40)
        parts = pycrust.Accumulator()
        for piece in np.array_split(a, 2):
            parts.update(piece)
        whole = pycrust.Accumulator()
        whole.update(a)
        assert parts == whole
        assert parts.sumsq() == reference.sumsq(a)
    assert _rounding_test_failures() == before


def test_a_jump_in_the_last_rows_of_a_chunk():
    """They are summed number by number, those of the next chunk by columns, in one sum."""
    for last in (1, 3, 5):
        a = np.ones((80, 924, 8))[:, :923]  # the first 65536 rows end with three of a[71]
        a[71, :last] = 2.0**40
        exact = last * 2**40 + 80 * 923 - last
        assert (pycrust.sum(a, axis=(0, 1)) == exact).all()
        assert (pycrust.nansum(a, axis=(0, 1)) == exact).all()
        assert (pycrust.mean(a, axis=(0, 1)) == exact / (80 * 923)).all()


def test_numbers_that_leave_their_binade_while_their_squares_stay(each_level):
    """
    Rows are added in blocks, so few at a time that the sum of the numbers of a lane cannot leave its binade unseen: only
    the sum of the squares is looked at.

    Here the largest numbers come first, and choose the binades; and each lane gets so many that a longer block would
    take the numbers' sum out of its binade, though that of the squares would stay.
    """
    rng, n = np.random.default_rng(1), 130_560
    a = 0.990234375 + rng.integers(-(2**20), 2**20, n) * 2.0**-27
    a[:64] = rng.choice([2.875, 2.9375, 3.0], 64)
    scaled = [int(x) for x in (a * 2.0**27).tolist()]
    total, squares = sum(scaled), sum(x * x for x in scaled)
    exact = float(Fraction(n * squares - total * total, n * n) / 4**27)
    for _ in each_level():
        assert pycrust.var(a) == exact
