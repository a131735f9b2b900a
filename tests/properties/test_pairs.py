"""Two arrays: dot, vecdot, average, cov and corrcoef, with the bits of the oracle, and their laws."""

import copy
import math
import pickle
import re
import warnings
from fractions import Fraction

import numpy as np
import pytest
from cases import all_pairs
from hard_arrays import assert_same
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pycrust
from pycrust import reference
from pycrust._core import _rounding_test_failures

counts = pytest.mark.thread_unsafe(reason="counts the uncertain sums of the whole process")

TYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16"]
REALS = TYPES[:-2]


def numbers(dtype, shape, seed, wide=False):
    """All of an integer type's range; floats of like size, or of sizes far apart."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)

    def part():
        x = rng.standard_normal(shape)
        return x * 2.0 ** rng.integers(-90, 30, shape) if wide and dtype != "f2" else x

    return (part() + 1j * part() if dtype.kind == "c" else part()).astype(dtype)


def layouts(a, seed):
    """One of several ways to lay out the same numbers."""
    way = seed % 5
    if way == 1:
        return np.repeat(a, 3, axis=-1)[..., ::3]
    if way == 2:
        return a[..., ::-1].copy()[..., ::-1]
    if way == 3:
        return a.astype(a.dtype.newbyteorder())
    if way == 4:
        raw = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
        raw[...] = a
        return raw
    return a


# ---- the oracle --------------------------------------------------------------------


@all_pairs(one=TYPES, other=TYPES, length=[0, 1, 2, 3, 5, 17, 128, 129, 300, 700], seed=range(5))
def test_dot_of_any_two_types(level, one, other, length, seed):
    x, y = numbers(one, length, seed, wide=seed == 2), numbers(other, length, seed + 100)
    for a, b in ((x, y), (layouts(x, seed), layouts(y, seed // 2 + 3)), (x[::-1], y[::-1])):
        assert_same(pycrust.dot(a, b), reference.dot(x, y))
    where = numbers("?", length, seed + 7)
    assert_same(pycrust.dot(x, y, where=where), reference.dot(x, y, where=where))
    assert_same(pycrust.dot(y, x, workers=3), reference.dot(x, y))


@all_pairs(
    one=TYPES, other=TYPES, shapes=[((3, 40), (40,)), ((5, 1, 7), (4, 7)), ((0, 3), (3,)), ((2, 3, 0), (2, 3, 0))]
)
def test_vecdot_broadcasts(level, one, other, shapes):
    x, y = numbers(one, shapes[0], 1), numbers(other, shapes[1], 2)
    assert_same(pycrust.vecdot(x, y, dtype=_wide(x, y)), reference.vecdot(x, y, dtype=_wide(x, y)))
    where = numbers("?", np.broadcast_shapes(*shapes), 3)
    assert_same(
        pycrust.vecdot(x, y, where=where, dtype=_wide(x, y), workers=2),
        reference.vecdot(x, y, where=where, dtype=_wide(x, y)),
    )


def _wide(x, y):
    """The dtype of results that hold any sum."""
    return object if {x.dtype.kind, y.dtype.kind} <= set("biu") else None


@all_pairs(axis=[0, 1, 2, -1, -2], dtype=["f8", "f4", "c16", "i4", "f2"], depth=[1, 4, 70, 300])
def test_vecdot_along_any_axis(level, axis, dtype, depth):
    shape = [3, 5, 9]
    shape[axis] = depth
    x, y = numbers(dtype, shape, 1), numbers(dtype, shape, 2)
    if dtype == "i4":
        x, y = x >> 3, y >> 3
    expected = reference.vecdot(x, y, axis)
    for a, b in (
        (x, y),
        (np.asfortranarray(x), y),
        (np.asfortranarray(x), np.asfortranarray(y)),
        (x[::-1, ::-1], y[::-1, ::-1]),
    ):
        assert_same(pycrust.vecdot(a, b, axis), expected if a.strides[0] > 0 else reference.vecdot(a, b, axis))


@all_pairs(one=TYPES, other=REALS, axis=[None, 0, 1, (0, 1), -1], length=[1, 6, 300], masked=[False, True])
def test_average(level, one, other, axis, length, masked):
    a, weights = numbers(one, (4, length), 1), numbers(other, (4, length), 2)
    if other == "?":
        weights[:, 0] = weights[0] = True
    where = numbers("?", (4, length), 3) if masked and length > 1 else True
    if masked and length > 1:
        where[:, :2] = True
        where[0] = True
    try:
        expected = reference.average(a, axis, weights, where=where, returned=True)
    except ZeroDivisionError:
        with pytest.raises(ZeroDivisionError, match="sum to zero"):
            pycrust.average(a, axis, weights, where=where)
        return
    got = pycrust.average(a, axis, weights, where=where, returned=True, workers=2)
    for one_of_ours, one_of_theirs in zip(got, expected, strict=True):
        assert_same(one_of_ours, one_of_theirs)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_averages_of_long_vectors(level, dtype):
    """Also where numbers, or weights, suddenly need a wider range."""
    x, weights = numbers(dtype, 9001, 1), numbers(dtype, 9001, 2)
    for changed in (x, x, weights):
        assert_same(pycrust.average(x, weights=weights), reference.average(x, None, weights))
        changed[6000:6003] *= 2.0**20


def test_average_with_weights_along_axes(level):
    a = numbers("f8", (3, 4, 5), 1)
    for axis in (0, 1, -1, (0, 2), (2, 0), (1, 2)):
        given = [k % 3 for k in (axis if isinstance(axis, tuple) else (axis,))]
        weights = numbers("u1", [a.shape[k] for k in given], 2)
        for keepdims in (False, True):
            assert_same(
                pycrust.average(a, axis, weights, keepdims=keepdims),
                reference.average(a, axis, weights, keepdims=keepdims),
            )
    assert_same(pycrust.average(a, 1), pycrust.mean(a, 1))
    mean, count = pycrust.average(a, (0, 1), returned=True)
    assert_same(mean, pycrust.mean(a, (0, 1)))
    assert_same(count, np.full(5, 12.0))


@all_pairs(one=TYPES, other=TYPES, length=[2, 3, 10, 300, 1000], ddof=[None, 0, 1, 2], wide=[False, True])
def test_cov_and_corrcoef_of_two(level, one, other, length, ddof, wide):
    x, y = numbers(one, length, 1, wide), numbers(other, length, 2)
    y[: length // 3] = x[: length // 3].astype(y.dtype) if other[0] == one[0] else y[: length // 3]
    with np.errstate(all="ignore"):
        assert_same(quiet(pycrust.cov, x, y, ddof=ddof), reference.cov(x, y, ddof=ddof))
        assert_same(quiet(pycrust.corrcoef, layouts(x, 3), layouts(y, 1)), reference.corrcoef(x, y))


@pytest.mark.parametrize(("workers", "ddof"), [(1, 0), (2, -3)])
def test_covariances_of_many_variables(level, workers, ddof):
    """More pairs than are summed in one pass; and sums with an error bound, some of which do not tell."""
    rng = np.random.default_rng(3)
    eighths = rng.integers(-99, 99, (95, 3))
    sums, products = eighths.sum(axis=1).tolist(), (eighths @ eighths.T).tolist()
    right = [
        [(3 * products[i][j] - sums[i] * sums[j]) / (64 * 3 * (3 - ddof)) for j in range(95)]  # of ints: rounded once
        for i in range(95)
    ]
    assert_same(pycrust.cov(eighths / 8, ddof=ddof, workers=workers), np.array(right))
    many = rng.normal(size=(9, 300))
    many[3:5] += 1e15
    many[5] = 1e8 + many[4]
    many[6] = 1 - many[0]
    many[7] = 0.1
    many[8] = rng.integers(0, 3, 300)
    for dtype in np.float64, np.float32, np.float16:
        assert_same(
            pycrust.cov(many, ddof=ddof, dtype=dtype, workers=workers), reference.cov(many, ddof=ddof, dtype=dtype)
        )
        assert_same(quiet(pycrust.corrcoef, many, dtype=dtype, workers=workers), reference.corrcoef(many, dtype=dtype))
    assert_same(quiet(pycrust.corrcoef, eighths / 8)[::12, ::12], reference.corrcoef(eighths[::12]))
    many[2, 5], many[1, 7] = np.inf, np.nan
    assert_same(pycrust.cov(many, ddof=ddof), reference.cov(many, ddof=ddof))
    assert_same(quiet(pycrust.corrcoef, many), reference.corrcoef(many))


@pytest.mark.parametrize(("odd", "tiny", "nearest"), [(1, 2.0**-70, 2), (3, -(2.0**-70), 2), (1, 0, 0), (3, 0, 4)])
def test_a_covariance_beside_a_tie(level, odd, tiny, nearest):
    """Sums of which an error bound alone says that they may lie on either side."""
    x, y = np.zeros(300), np.zeros(300)
    x[:3] = 1, -1, 2.0**-35
    x[3] = -x[2]
    y[:3] = 2.0**52, -(2.0**52) - odd, tiny * 2.0**35
    for sign in 1, -1:
        assert pycrust.cov(x, sign * y, ddof=299)[0, 1] == sign * (2.0**53 + nearest)


def quiet(function, *args, **kwargs):

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*args, **kwargs)


@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "c16", "u1"])
@pytest.mark.parametrize("rowvar", [True, False])
def test_matrices_of_several_variables(level, dtype, rowvar):
    count = 300 if dtype == "f8" else 40  # bounded sums, or exact ones
    m, y = numbers(dtype, (4, count), 1), numbers("f4", (2, count), 2)
    if not rowvar:
        m, y = np.asfortranarray(m.T), y.T
    for function, oracle in ((pycrust.cov, reference.cov), (pycrust.corrcoef, reference.corrcoef)):
        expected = oracle(m, y, rowvar)
        assert_same(function(m, y, rowvar), expected)
        assert_same(function(m, y, rowvar, workers=3), expected)
        assert (expected == expected.conj().T).all()
        assert_same(function(m, rowvar=rowvar), expected[:4, :4])
    narrow = np.complex64 if dtype == "c16" else np.float32
    assert_same(pycrust.cov(m, rowvar=rowvar, dtype=narrow), reference.cov(m, rowvar=rowvar, dtype=narrow))
    assert_same(pycrust.corrcoef(m, rowvar=rowvar, dtype=narrow), reference.corrcoef(m, rowvar=rowvar, dtype=narrow))


def test_one_row_of_y_is_a_variable():
    """As numpy.cov and numpy.corrcoef have it: rowvar=False turns m alone then."""
    m, y = numbers("f8", (7, 3), 1), numbers("f8", (1, 7), 2)
    for function, numpys, oracle in (
        (pycrust.cov, np.cov, reference.cov),
        (pycrust.corrcoef, np.corrcoef, reference.corrcoef),
    ):
        made = function(m, y, rowvar=False)
        assert_same(made, oracle(m, y, rowvar=False))
        np.testing.assert_allclose(made, numpys(m, y, rowvar=False), rtol=1e-9)
        assert_same(made, function(m.T, y))


def test_more_pairs_than_sums_of_one_pass(level):
    m = numbers("f8", (95, 3), 1)  # 4560 pairs
    made = pycrust.cov(m)
    for i, j in ((0, 0), (0, 94), (50, 70), (94, 94), (90, 93)):
        assert_same(made[i, j], reference.cov(m[[i, j]])[0, 1] if i != j else pycrust.var(m[i], ddof=1))


def test_long_vectors_in_pieces(level):
    n = (1 << 19) + 12345
    x, y = numbers("f8", n, 1), numbers("f4", n, 2)
    scale = 2**1100
    whole = sum(
        int(Fraction(u) * scale) * int(Fraction(v) * scale) for u, v in zip(x[:5].tolist(), y[:5].tolist(), strict=True)
    )
    assert whole  # the numbers are not all zero
    first, rest = pycrust.dot(x[:1000], y[:1000]), pycrust.dot(x[1000:], y[1000:])
    for workers in (1, 2, 3):
        assert pycrust.dot(x, y, workers=workers) == pycrust.dot(x, y)
    assert abs(pycrust.dot(x, y) - (first + rest)) < 1e-9
    i, j = numbers("i4", n, 3), numbers("u2", n, 4)
    exact = int(np.sum(i.astype(object) * j.astype(object)))
    assert pycrust.dot(i, j, workers=2) == pycrust.dot(i, j) == exact


# ---- any floats --------------------------------------------------------------------

any_floats = st.floats(width=64, allow_nan=True, allow_infinity=True)
finite = st.floats(width=64, allow_nan=False, allow_infinity=False)
small_ints = st.integers(-40, 40).map(float)


def vectors(elements, least=0, most=40):
    return st.integers(least, most).flatmap(
        lambda n: st.tuples(*[hnp.arrays(np.float64, n, elements=elements) for _ in range(2)])
    )


@given(vectors(any_floats), st.booleans())
def test_dot_of_any_floats(level, pair, long):
    x, y = pair
    if long and x.size:
        x, y = np.resize(x, 300), np.resize(y, 300)
    with np.errstate(all="ignore"):
        assert_same(pycrust.dot(x, y), reference.dot(x, y))
        z, w = x + 0j, y * 1j
        z.imag[...] = y
        assert_same(pycrust.vecdot(z, w), reference.vecdot(z, w))


@given(vectors(finite, 1), st.booleans())
def test_average_and_matrices_of_any_floats(level, pair, long):
    x, y = pair
    if long:
        x, y = np.resize(x, 260), np.resize(y, 260)
    if any(y):
        try:
            expected = reference.average(x, weights=y)
        except ZeroDivisionError:
            with pytest.raises(ZeroDivisionError):
                pycrust.average(x, weights=y)
        else:
            assert_same(pycrust.average(x, weights=y), expected)
    if x.size > 1:
        assert_same(pycrust.cov(x, y), reference.cov(x, y))
        assert_same(quiet(pycrust.corrcoef, x, y), reference.corrcoef(x, y))


@given(vectors(small_ints, 2), st.booleans())
def test_ties_and_cancellation(level, pair, long):
    """Of small whole numbers: sums of zero, quotients halfway between two floats."""
    x, y = pair
    x = x + 2.0**53
    if long:
        x, y = np.resize(x, 300), np.resize(y, 300)
    assert_same(pycrust.dot(x, y), reference.dot(x, y))
    assert_same(pycrust.cov(x, y, ddof=0), reference.cov(x, y, ddof=0))
    assert_same(quiet(pycrust.corrcoef, x, y), reference.corrcoef(x, y))


# ---- laws --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["i2", "u4", "f2", "f4", "f8"])
@pytest.mark.parametrize("length", [7, 1000])
def test_laws(level, dtype, length):
    x, y = numbers(dtype, length, 1), numbers(dtype, length, 2)
    assert pycrust.dot(x, x) == pycrust.sumsq(x)
    assert pycrust.dot(x, np.ones(length, dtype)) == pycrust.sum(x)
    assert pycrust.average(x, weights=np.full(length, 3)) == pycrust.mean(x)
    covariances = pycrust.cov(x, y)
    assert covariances[0, 0] == pycrust.var(x, ddof=1) == pycrust.cov(x)
    assert covariances[1, 1] == pycrust.var(y, ddof=1)
    assert pycrust.cov(x, x)[0, 1] == pycrust.var(x, ddof=1)
    correlations = pycrust.corrcoef(x, y)
    assert correlations[0, 1] == correlations[1, 0] == pycrust.corrcoef(y, x)[0, 1]
    assert (abs(correlations) <= 1).all()


@given(
    hnp.arrays(np.int32, st.integers(2, 40), elements=st.integers(-1000, 1000)),
    st.integers(-20, 20),
    st.integers(-1000, 1000),
)
def test_collinear_data_correlate_exactly(level, x, slope, shift):
    if x.min() == x.max():
        return
    y = slope * x + shift
    for a, b in ((x, y), (x * 0.125, y * 2.0**40), (np.resize(x, 400) + 2.0**40, np.resize(y, 400) / 4)):
        expected = np.sign(slope) if slope else np.nan
        made = quiet(pycrust.corrcoef, a, b)
        assert_same(made[0, 1], np.float64(expected))


_SHIFTS = st.one_of(st.integers(-(2**k), 2**k) for k in (32, 50))


@given(
    vectors(st.integers(-(2**30), 2**30).map(float), 3),
    st.tuples(*[st.tuples(_SHIFTS, st.integers(-60, 60), st.sampled_from([1, -1]))] * 2),
    st.booleans(),
)
def test_exact_shifts_and_scales_change_no_bit(level, pair, changes, long):
    """What is added, and powers of two, leave every number exact."""
    x, y = (np.resize(each, 400) if long else each for each in pair)
    (a, b), (of_a, of_b) = zip(
        *(
            ((each + shift) * sign * 2.0**k, sign * 2.0**k)
            for each, (shift, k, sign) in zip((x, y), changes, strict=True)
        ),
        strict=True,
    )
    r, covariances = quiet(pycrust.corrcoef, x, y), pycrust.cov(x, y)
    assert (abs(r[np.isfinite(r)]) <= 1).all()
    signs = np.sign([of_a, of_b])
    assert_same(quiet(pycrust.corrcoef, a, b), r * np.outer(signs, signs) + 0.0)  # 0.0: no covariance is -0.0
    assert_same(pycrust.cov(a, b), covariances * np.outer([of_a, of_b], [of_a, of_b]) + 0.0)
    before, after = pycrust.PairAccumulator(x, y), pycrust.PairAccumulator(a, b)
    assert_same(quiet(after.corr), float(r[0, 1] * signs[0] * signs[1] + 0.0))
    assert_same(quiet(after.slope), quiet(before.slope) * of_b / of_a + 0.0)


@given(vectors(small_ints, 3))
def test_correlation_is_one_only_beyond_half_an_ulp(level, pair):
    x, y = pair
    r = quiet(pycrust.corrcoef, x + 1e6, y)[0, 1]
    exact = [[Fraction(v) for v in each.tolist()] for each in pair]
    n = len(x)
    xy, xx, yy = (
        n * sum(u * v for u, v in zip(a, b, strict=True)) - sum(a) * sum(b)
        for a, b in (exact, (exact[0],) * 2, (exact[1],) * 2)
    )
    if xx and yy:
        square = xy * xy / (xx * yy)
        assert (abs(r) == 1) == (square >= (1 - Fraction(1, 2**54)) ** 2)


# ---- NaN, infinities, too few ----------------------------------------------------


def test_nan_and_infinities_as_numpy_has_them(level):
    odd = [np.nan, np.inf, -np.inf, 0.0, -2.0, 1e300]
    for a in odd:
        for b in odd:
            for length in (1, 6, 300):
                x, y = np.full(length, 1.5), np.full(length, -0.5)
                x[0], y[0] = a, b
                with np.errstate(all="ignore"):
                    expected = np.sum(x * y)
                got = pycrust.dot(x, y)
                assert np.isnan(got) == np.isnan(expected)
                if not np.isfinite(expected):
                    assert_same(got, float(expected))
    x = np.array([1.0, np.inf, 3.0])
    assert_same(pycrust.average(x, weights=[1, 1, 1]), np.inf)
    assert_same(pycrust.average(x, weights=[1, 1, -3]), -np.inf)
    assert_same(pycrust.average(x, weights=[1, 0, 1]), np.nan)
    assert_same(pycrust.average([1.0, 2.0, 3.0], weights=x), np.nan)
    made = quiet(pycrust.cov, np.stack([x, np.arange(3.0)]))
    assert np.isnan(made).tolist() == [[True, True], [True, False]]


def test_products_beyond_the_range_of_doubles(level):
    big, tiny = np.full(300, 1e200), np.full(300, 1e-200)
    assert pycrust.dot(big, big) == np.inf
    assert pycrust.dot(tiny, tiny) == 0
    assert_same(pycrust.dot(big, np.where(np.arange(300) % 2, 1e200, -1e200)), 0.0)
    assert pycrust.dot([1e200, 1e-200, -1e200], [1e200, 5.0, 1e200]) == 5e-200
    assert pycrust.dot([2.0**-600, 1.0], [2.0**-474, 2.0**-1074]) == 2.0**-1073
    assert pycrust.average(big, weights=big) == 1e200
    assert pycrust.average([1e300, 1e300], weights=[1e300, 1e300]) == 1e300
    assert pycrust.cov(big * np.arange(300), dtype=np.float64) == np.inf
    for scale in (1e200, 1e-200, 5e-324):
        x = np.arange(300) * scale
        assert_same(pycrust.corrcoef(x, -x), np.array([[1.0, -1.0], [-1.0, 1.0]]))


def test_too_few_observations(level):
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        assert np.isnan(pycrust.cov([1.0]))
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        assert np.isnan(pycrust.cov([[1.0], [2.0]])).all()
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        assert np.isinf(pycrust.cov([1.0, 2.0], ddof=3))
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        assert np.isnan(pycrust.corrcoef([[1.0], [2.0]])).all()
    with pytest.warns(RuntimeWarning, match="variance is zero"):
        made = pycrust.corrcoef([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])
    assert np.isnan(made).tolist() == [[True, True], [True, False]]
    assert pycrust.corrcoef([1.0, 2.0]) == 1
    for function in (pycrust.cov, pycrust.corrcoef):
        assert_same(function(np.empty((0, 3))), np.empty((0, 0)))
        assert_same(function(np.empty((0, 3)), dtype=np.float32), np.empty((0, 0), np.float32))
        assert_same(function(np.empty((0, 3), complex)), np.empty((0, 0), complex))
        with pytest.raises(TypeError, match="dtype int8 does not hold co"):
            function(np.empty((0, 3)), dtype=np.int8)


# ---- the bound ----------------------------------------------------------------------


@counts
def test_ordinary_data_need_no_exact_sums(level):
    x, y = numbers("f8", 3000, 1), numbers("f8", 3000, 2) + 0.5
    before = _rounding_test_failures()
    pycrust.dot(x, y)
    pycrust.average(x, weights=y + 9)
    pycrust.vecdot(np.stack([x, y]), y)
    assert _rounding_test_failures() == before


@counts
@all_pairs(k=range(20, 61, 5), sign=[-1, 0, 1], at=[0, 150, 299])
def test_sums_beside_a_midpoint(level, k, sign, at):
    """Halfway between two floats, or 2**-2k on one side of it; the terms cancel on the way."""
    x, y = np.zeros(300), np.zeros(300)
    x[:6] = [2.0**26, 1, 2.0**40, -(2.0**40), 0, 2.0**53]
    y[:6] = [2.0**26, 0, 2.0**12, 2.0**12, 5, 1]
    x[at - 1], y[at - 1] = sign * 2.0**-k, 2.0**-k
    x[7], y[7] = 1, 1  # 2**52 + 2**53 + 1 lies between two floats
    expected = reference.dot(x, y)
    before = _rounding_test_failures()
    assert_same(pycrust.dot(x, y), expected)
    assert _rounding_test_failures() - before == (sign == 0 or k >= 32 or _rounding_test_failures() > before)


# ---- Python ints --------------------------------------------------------------------


def test_python_ints_of_any_size():
    huge, small = [10**30, -(10**20), 3], [7, 10**15, -(10**30)]
    assert pycrust.dot(huge, small) == 7 * 10**30 - 10**35 - 3 * 10**30
    assert pycrust.vecdot([huge, small], small, dtype=object).tolist() == [
        pycrust.dot(huge, small),
        pycrust.dot(small, small),
    ]
    assert pycrust.vecdot(huge, small, dtype=float) == float(pycrust.dot(huge, small))
    assert pycrust.average(huge, weights=[1, 1, 1]) == reference.average(huge, weights=[1, 1, 1])
    assert pycrust.average([2**70, 0], weights=[-(2**70), 2**69]) == 2.0**71
    assert_same(pycrust.cov(huge, small), reference.cov(huge, small))
    assert_same(pycrust.corrcoef(huge, [2 * each for each in huge]), np.ones((2, 2)))
    pairs = pycrust.PairAccumulator(huge, small)
    pairs.update(np.array([2, -5], object), [1, 2**63])
    assert pairs.dot() == pycrust.dot(huge, small) + 2 - 5 * 2**63
    assert pairs.cov() == pycrust.cov([*huge, 2, -5], [*small, 1, 2**63])[0, 1]
    assert pycrust.sse(2**70, 1) == (2**70 - 1) ** 2  # arrays without axes
    assert pycrust.mse(2**70, 1) == float((2**70 - 1) ** 2)
    assert pycrust.average(2**70, weights=1) == 2.0**70
    assert pycrust.PairAccumulator(2**70, 1).dot() == 2**70
    with pytest.raises(TypeError, match="no dtype of 64 bits holds"):
        pycrust.dot([2**70, 1], [0.5, 1])
    assert pycrust.dot([2**63, 1], [0.5, 1]) == 2.0**62


def test_large_integers_times_floats(level):
    """A float64 does not hold the integers, but the products are those of the integers themselves."""
    x = np.array([2**62 + 1, -(2**53) - 1, 2**63 - 1, 7])
    for y in (np.array([1.0, 3.0, -1.0, 0.5]), np.array([np.inf, 1, 1, 1]), np.array([1, 1, 1, -np.inf])):
        for a, b in ((x, y), (y, x), (np.resize(x, 400), np.resize(y, 400)), (np.resize(y, 400), np.resize(x, 400))):
            assert_same(pycrust.dot(a, b), reference.dot(a, b))
    u = np.array([2**64 - 1, 2**53 + 1], np.uint64)
    assert_same(pycrust.dot(u, [-1.0, 1.0]), reference.dot(u, [-1.0, 1.0]))
    assert_same(pycrust.average([1.0, 2.0], weights=u), reference.average([1.0, 2.0], weights=u))


# ---- squared errors -----------------------------------------------------------------


def squared_error(x, y, mean=False):
    parts = [(x.real, y.real), (x.imag, y.imag)] if "c" in x.dtype.kind + y.dtype.kind else [(x, y)]
    total = Fraction(0)
    for u, v in parts:
        total += sum(
            ((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(u.tolist(), v.tolist(), strict=True)), Fraction(0)
        )
    integers = {x.dtype.kind, y.dtype.kind} <= set("biu")
    return int(total) if integers and not mean else reference.nearest(total / (len(x) if mean else 1))


@all_pairs(one=TYPES, other=TYPES, length=[1, 5, 300, 700], near=[False, True])
def test_squared_errors(level, one, other, length, near):
    x, y = numbers(one, length, 1), numbers(other, length, 2)
    if near and one[0] == other[0] and one[0] not in "?iu":
        y = (x * (1 + 2.0**-9)).astype(other)
    assert_same(pycrust.sse(x, layouts(y, length)), squared_error(x, y))
    assert_same(pycrust.mse(x, y, workers=2), squared_error(x, y, True))
    where = numbers("?", length, 5)
    where[0] = True
    assert_same(pycrust.sse(x, y, where=where), squared_error(x[where], y[where]))
    assert_same(pycrust.sse(x, x), 0 if one[0] in "?iu" else 0.0)


def test_squared_errors_broadcast_and_specials(level):
    image = numbers("u1", (20, 30, 3), 1)
    assert pycrust.sse(image, 255) == int(((image.astype(int) - 255) ** 2).sum())
    assert_same(pycrust.mse([1.0, np.inf], [1.0, 2.0]), np.inf)
    assert_same(pycrust.mse([1.0, np.inf], [1.0, np.inf]), np.nan)
    assert_same(pycrust.sse([1.0, np.nan], [1.0, np.inf]), np.nan)
    for a, b, expected in (
        (np.nan, 1.0, np.nan),
        (np.float32(-np.inf), 1, np.inf),
        (complex(np.inf, np.nan), 0, np.nan),
    ):
        assert_same(pycrust.sse(a, b), expected)
        assert_same(pycrust.mse([a, 1], b), expected)
    assert pycrust.sse([10**30, 1], [0, 1]) == 10**60
    with pytest.warns(RuntimeWarning, match="no elements"):
        assert np.isnan(pycrust.mse([], []))
    with pytest.raises(ValueError, match=r"\(3,\) \(2,\)"):
        pycrust.sse([1, 2, 3], [1, 2])


# ---- pairs in pieces ------------------------------------------------------------------


def fractions(x):
    """Real and imaginary parts."""
    return [(Fraction(each.real), Fraction(each.imag)) for each in x.tolist()]


def multiplied(one, other):
    (a, b), (c, d) = one, other
    return a * c - b * d, a * d + b * c


def added(terms):
    return tuple(map(sum, zip(*terms, strict=True)))


def nearest(number, like):
    made = complex(*map(reference.nearest, number))
    return made if like.dtype.kind == "c" else made.real


def variance(numbers):
    n, (a, b) = len(numbers), added(numbers)
    return sum(p * p + q * q for p, q in numbers) / n - (a * a + b * b) / n**2


@all_pairs(one=TYPES, other=TYPES, length=[2, 40, 400], cuts=[1, 3, 7])
def test_pairs_in_pieces(level, one, other, length, cuts):
    x, y = numbers(one, length, 1), numbers(other, length, 2)
    total = pycrust.PairAccumulator()
    for u, v in zip(np.array_split(x, cuts), np.array_split(y, cuts), strict=True):
        total = total + pickle.loads(pickle.dumps(pycrust.PairAccumulator(u, layouts(v, cuts) if v.size else v)))
    whole = pycrust.PairAccumulator(x, y, workers=2)
    assert total == whole
    assert total.count == length
    assert_same(total.dot(), pycrust.dot(x, y))
    assert_same(total.mean_x(), pycrust.mean(x))
    assert_same(total.mean_y(), pycrust.mean(y))
    assert_same(total.var_x(), pycrust.var(x))
    assert_same(total.var_y(1), pycrust.var(y, ddof=1))
    covariances = pycrust.cov(x, y)
    assert_same(total.cov(), covariances[0, 1].item())
    n, u, v = length, fractions(x), fractions(y)
    (a, b), (c, d) = sum_x, sum_y = added(u), added(v)
    conjugates = [(p, -q) for p, q in u]
    real, imaginary = added(map(multiplied, conjugates, v))
    cross = n * real - (a * c + b * d), n * imaginary - (a * d - b * c)  # of conj(x) and y
    assert_same(total.cov(), nearest((cross[0] / (n * (n - 1)), -cross[1] / (n * (n - 1))), covariances))
    xx, yy = (n * n * variance(each) for each in (u, v))
    if xx and yy:
        assert_same(total.corr(), pycrust.corrcoef(x, y)[0, 1].item())
    if xx:
        slope = cross[0] / xx, cross[1] / xx
        assert_same(total.slope(), nearest(slope, covariances))
        of_x = multiplied(slope, sum_x)
        assert_same(total.intercept(), nearest([(p - q) / n for p, q in zip(sum_y, of_x, strict=True)], covariances))
    if y.dtype.kind == "c":
        with pytest.raises(TypeError, match="weights must be real"):
            total.average()
    elif c:
        assert_same(total.average(), reference.average(x, weights=y))


@pytest.mark.parametrize("ways", ["xy", "x", "y"])
def test_pairs_become_complex(ways):
    """From the first complex number on; also of integers that no double holds, which stay what they are."""
    ints = np.array([2**62 + 1, -5, 2**53 + 1]), np.array([3, 2**61 + 7, -(2**62) - 1])
    floats = numbers("f8", 9, 1), numbers("f4", 9, 2)
    waves = [numbers("c16" if name in ways else "f8", 20, 3 + k) for k, name in enumerate("xy")]
    total = pycrust.PairAccumulator(*waves) + pycrust.PairAccumulator(*floats)
    assert total == pycrust.PairAccumulator(*floats) + pycrust.PairAccumulator(*waves)
    assert total == pycrust.PairAccumulator(*(np.concatenate(each) for each in zip(floats, waves, strict=True)))
    total = pickle.loads(pickle.dumps(total))
    assert isinstance(total.dot(), complex) and isinstance(total.cov(), complex)
    assert [isinstance(mean, complex) for mean in (total.mean_x(), total.mean_y())] == [each in ways for each in "xy"]
    total += pycrust.PairAccumulator(*ints)
    u, v = ([*fractions(a), *fractions(b), *fractions(c)] for a, b, c in zip(ints, floats, waves, strict=True))
    assert_same(total.dot(), complex(*map(reference.nearest, added(map(multiplied, u, v)))))
    assert_same(total.var_x(), reference.nearest(variance(u)))
    assert_same(total.var_y(), reference.nearest(variance(v)))


ODD = [np.nan, np.inf, -np.inf, complex(0, np.inf), complex(np.nan, 1), complex(-np.inf, np.inf), complex(0, -np.inf)]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("at", ["x", "y"])
@pytest.mark.parametrize("other", ["c16", "f8"])
def test_complex_pairs_that_are_not_finite(odd, at, other):
    x, y = numbers("c16", 20, 1), abs(numbers(other, 20, 2)).astype(other)
    if at == "y" and other == "f8":
        odd = odd.real
    (x if at == "x" else y)[7] = odd
    for half in (10, 7, 8):
        total = pycrust.PairAccumulator(x[:half], y[:half]) + pycrust.PairAccumulator(x[half:], y[half:])
        assert pickle.loads(pickle.dumps(total)) == total == pycrust.PairAccumulator(x, y)
        assert_same(total.dot(), pycrust.dot(x, y))
        assert_same(total.mean_x(), pycrust.mean(x))
        assert_same(total.mean_y(), pycrust.mean(y))
        assert_same(total.cov(), pycrust.cov(x, y)[0, 1].item())
        assert_same(total.corr(), quiet(pycrust.corrcoef, x, y)[0, 1].item())
        assert_same(total.var_x(), pycrust.var(x))
        assert_same(total.var_y(), pycrust.var(y))
        assert np.isfinite(odd) or np.isnan([total.slope().real, total.intercept().imag]).all()
        if other == "f8":
            assert_same(total.average(), complex(pycrust.average(x, weights=y)))
            assert_same(pycrust.PairAccumulator(x, -y).average(), complex(pycrust.average(x, weights=-y)))


def test_complex_pairs_of_no_variance_or_too_few():
    none = pycrust.PairAccumulator(np.empty(0, complex), [])
    assert none.dot() == 0 and type(none.dot()) is complex
    with pytest.warns(RuntimeWarning, match="no elements"):
        assert_same(none.mean_x(), complex(np.nan, np.nan))
    with pytest.warns(RuntimeWarning, match="no elements"):
        assert_same(none.mean_y(), np.nan)
    for ddof in (1, 2, 3):
        for n in (1, 2):
            x, y = numbers("c16", n, 1), numbers("c16", n, 2)
            made = quiet(pycrust.cov, x, y, ddof=ddof)
            assert_same(made, reference.cov(x, y, ddof=ddof))
            assert_same(quiet(pycrust.PairAccumulator(x, y).cov, ddof), made[0, 1].item())
            assert_same(quiet(pycrust.PairAccumulator(x, x).cov, ddof), made[0, 0].item())
    flat = pycrust.PairAccumulator([1j, 1j], [1, 2j])
    for statistic in (flat.corr, flat.slope, flat.intercept):
        with pytest.warns(RuntimeWarning, match="variance is zero"):
            assert_same(statistic(), complex(np.nan, np.nan))
    waves = numbers("i1", 9, 1) + 1j * numbers("i1", 9, 2)
    line = pycrust.PairAccumulator(waves, (3 - 2j) * waves + 1j)
    assert line.slope() == 3 - 2j and line.intercept() == 1j


def test_pair_accumulators_hold_together():
    total = sum([pycrust.PairAccumulator([1], [2]), pycrust.PairAccumulator([3], [4])])
    assert total.dot() == 14 and type(total.dot()) is int
    total += pycrust.PairAccumulator([0.5], [2])
    assert_same(total.dot(), 15.0)
    before = copy.copy(total)
    for bad in (
        lambda: total.update([1, 2], [1]),
        lambda: total.update(["x"], [1]),
        lambda: pycrust.PairAccumulator([1]),
        lambda: total.merge([1]),
        lambda: total + 1,
    ):
        with pytest.raises((TypeError, ValueError)):
            bad()
    assert total == before
    with pytest.raises(ValueError, match="not the state"):
        total.__setstate__({"version": 2})
    with pytest.warns(RuntimeWarning):
        assert np.isnan(pycrust.PairAccumulator().mean_x())
    with pytest.warns(RuntimeWarning):
        assert np.isnan(pycrust.PairAccumulator([1, 1], [1, 2]).corr())
    odd = pycrust.PairAccumulator([1.0, np.inf], [1.0, -2.0])
    assert (odd.mean_x(), odd.mean_y(), odd.dot()) == (np.inf, -0.5, -np.inf)
    assert np.isnan([odd.cov(), odd.slope(), odd.var_x()]).all()
    assert odd.var_y() == 2.25


def test_sums_beyond_doubles_have_a_sign():
    """Where the sign alone decides: averages of zero, and covariances of too few pairs."""
    for sign in (1, -1):
        for weights in (np.array([1e300, 1e-300]) * sign, [sign * 10**400, sign * 3]):
            zero = pycrust.average([0, 0], weights=weights)
            assert zero == 0 and math.copysign(1, zero) == sign
        zero = pycrust.PairAccumulator([0.0, 0.0], np.array([1e300, 1e-300]) * sign).average()
        assert zero == 0 and math.copysign(1, zero) == sign
        with pytest.warns(RuntimeWarning):
            assert pycrust.PairAccumulator([1e300, -1e300], [sign * 1e300, 1e-300]).cov(ddof=5) == sign * np.inf


# ---- bad input --------------------------------------------------------------------------


def test_bad_input():
    matrix, vector = np.ones((2, 3)), np.ones(3)
    with pytest.raises(TypeError, match=r"vecdot.*np\.matmul"):
        pycrust.dot(matrix, vector)
    with pytest.raises(TypeError, match=r"vecdot.*np\.matmul"):
        pycrust.dot(3.0, 4.0)
    with pytest.raises(ValueError, match=r"shapes \(3,\) and \(4,\) not aligned"):
        pycrust.dot(vector, np.ones(4))
    with pytest.raises(ValueError, match=r"vecdot: Input operand 1 has a mismatch.*\(2, 3\).*\(4,\)"):
        pycrust.vecdot(matrix, np.ones(4))
    with pytest.raises(ValueError, match=r"could not be broadcast.*\(2, 3\) \(3, 3\)"):
        pycrust.vecdot(matrix, np.ones((3, 3)))
    with pytest.raises(ValueError, match="enough dimensions"):
        pycrust.vecdot(matrix, 2.0)
    with pytest.raises(np.exceptions.AxisError):
        pycrust.vecdot(matrix, matrix, axis=2)
    with pytest.raises(OverflowError, match=r"products at \(1,\).*dtype=object"):
        pycrust.vecdot([[1, 1], [2**62, 2]], [1, 2**62])
    with pytest.raises(ZeroDivisionError, match="sum to zero"):
        pycrust.average([1.0, 2.0], weights=[1, -1])
    with pytest.raises(ZeroDivisionError, match="sum to zero"):
        pycrust.average(matrix, 1, weights=[1, -1, 0])
    with pytest.raises(TypeError, match="axis must say"):
        pycrust.average(matrix, weights=[1, 2, 3])
    with pytest.raises(ValueError, match="along axis 0"):
        pycrust.average(matrix, 0, weights=[1, 2, 3])
    with pytest.raises(
        TypeError, match=r"real numbers.* pycrust\.vecdot\(weights.conj\(\), a\) / pycrust.sum\(weights"
    ):
        pycrust.average([1.0], weights=[1j])
    a, weights = numbers("c16", (2, 9), 1), numbers("c16", (2, 9), 2)  # what the message says
    np.testing.assert_allclose(
        pycrust.vecdot(weights.conj(), a) / pycrust.sum(weights, axis=-1), np.average(a, axis=1, weights=weights)
    )
    with pytest.raises(ValueError, match="more than 2"):
        pycrust.cov(np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match=r"^m has 3 observations of each variable, and y 4"):
        pycrust.cov(vector, np.ones(4))
    with pytest.raises(ValueError, match=r"^x has 3 observations of each variable, and y 4"):
        pycrust.corrcoef(vector, np.ones(4))
    for ddof in (0.5, np.inf, np.nan):
        with pytest.raises(ValueError, match="ddof must be integer"):
            pycrust.cov(vector, ddof=ddof)
    for ddof in ("1", "%d", b"1", [1], {}, 1j, np.array([1, 2])):
        with pytest.raises(TypeError, match=re.escape(f"ddof must be an integer, not {ddof!r}")):
            pycrust.cov(vector, ddof=ddof)
    with pytest.raises(TypeError, match="ddof must be an integer, not a list"):
        pycrust.cov(vector, ddof=[10**5000])
    for ddof in (1.0, np.float32(1), np.array(1), Fraction(1)):
        assert pycrust.cov(vector, ddof=ddof) == pycrust.var(vector, ddof=1)
    with pytest.raises(TypeError, match="does not hold covariances"):
        pycrust.cov(vector, dtype=np.int64)
    for function in (pycrust.dot, pycrust.vecdot, pycrust.cov, pycrust.corrcoef, pycrust.sse):
        with pytest.raises(TypeError, match="masked"):
            function(np.ma.masked_array(vector, [0, 1, 0]), vector)
        with pytest.raises(ValueError, match="workers = 0"):
            function(vector, vector, workers=0)
        name = {"vecdot": "x1", "cov": "m", "corrcoef": "x"}.get(function.__name__, "a")
        with pytest.raises(TypeError, match=rf"^{name}( \(a here\))?: .*dtype <U1"):
            function(["a", "b"], [1, 2])
        with pytest.raises(TypeError, match=r"^(b|x2|y) \(a here\): .*dtype <U1"):
            function([1, 2], ["c", "d"])
    with pytest.raises(TypeError, match="masked"):
        pycrust.average(vector, weights=np.ma.masked_array(vector, [0, 1, 0]))


def test_keepdims_of_vecdot():
    x, y = numbers("f8", (2, 3, 4), 1), numbers("f8", (2, 3, 4), 2)
    for axis in (0, 1, 2, -1, -3):
        for one, other in ((x, y), (x, y[0] if axis == -1 else y)):
            made = pycrust.vecdot(one, other, axis, keepdims=True)
            assert made.shape == np.vecdot(one, other, axis=axis, keepdims=True).shape
            assert_same(made, np.expand_dims(pycrust.vecdot(one, other, axis), axis))
    out = np.zeros((2, 1, 4))
    assert pycrust.vecdot(x, y, 1, keepdims=True, out=out) is out
    assert_same(out[:, 0], pycrust.vecdot(x, y, 1))
    with pytest.raises(ValueError, match=r"out has shape \(2, 4\), but the result has shape \(2, 1, 4\)"):
        pycrust.vecdot(x, y, 1, keepdims=True, out=np.zeros((2, 4)))
    assert pycrust.average([1.0, 3.0], None, [1, 3], True) == (2.5, 4.0)  # in the place where NumPy has it


def test_masked_arrays_with_the_mask_left_out():
    a = np.ma.masked_array([1.0, np.nan, 3.0], [0, 1, 0])
    assert pycrust.dot(a, [2.0, 2.0, 2.0], where=~a.mask) == 8
    assert pycrust.average(a, weights=[1, 2, 3], where=~a.mask) == 2.5
    assert pycrust.average([1, 2, 3], weights=a, where=~a.mask) == 2.5


def test_out():
    out = np.zeros(2)
    assert pycrust.vecdot(np.ones((2, 3)), np.ones(3), out=out) is out
    assert out.tolist() == [3, 3]
    single = np.zeros((), np.float32)
    assert pycrust.dot([0.1, 0.2], [1, 1], out=single) is single
    assert single == np.float32(0.3)
    with pytest.raises(ValueError, match=r"out has shape \(3,\)"):
        pycrust.vecdot(np.ones((2, 3)), np.ones(3), out=np.zeros(3))
    assert type(pycrust.dot([1, 2], [3, 4], dtype=np.float32)) is float
    assert pycrust.vecdot(np.array([1, 2], np.uint8), np.array([3, 4], np.uint8)).dtype == np.uint64


# ---- short rows, in lanes ------------------------------------------------------------------


def rows_of(kind, shape, rng):
    """Numbers whose sums of products are ordinary, often ties, cancel, underflow, overflow, or are no numbers."""
    x = rng.standard_normal(shape)
    if kind == "whole":
        return rng.integers(-8, 9, shape) * 2.0 ** rng.integers(24, 28, shape)
    if kind == "wide":
        return x * 2.0 ** rng.integers(-300, 300, shape)
    if kind == "tiny":
        return x * 2.0 ** rng.integers(-560, -480, shape)
    if kind == "huge":
        return x * 2.0 ** rng.integers(480, 520, shape)
    if kind == "odd":
        return np.where(rng.random(shape) < 0.1, rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324], shape), x)
    if kind in ("f2", "f4"):
        return x.astype(kind)
    if kind != "plain":
        return numbers(kind, shape, int(rng.integers(1 << 30)))
    return x


@all_pairs(
    kind=["plain", "whole", "wide", "tiny", "huge", "odd", "f2", "f4", "?", "i1", "u2", "i4", "u4"],
    depth=[1, 2, 3, 4, 7, 8, 16, 33, 128],
    layout=["rows", "columns", "one vector", "swapped", "masked", "narrow"],
)
def test_short_rows(level, kind, depth, layout):
    rng = np.random.default_rng(depth)
    x, y = rows_of(kind, (50, depth), rng), rows_of(kind, (50, depth), rng)
    if kind in ("i4", "u4"):  # so that the sums of 128 products fit 64 bits
        x = x >> 7
    cancel = rng.random(50) < 0.3
    if depth > 1 and kind not in ("?", "u2", "u4"):  # where the last product takes back what the first is
        x[cancel, -1], y[cancel, -1] = x[cancel, 0], -(y[cancel, 0] >> 1) if kind[0] == "i" else -y[cancel, 0]
    options, keep = {}, np.ones((50, depth), bool)
    if layout == "columns":
        x, y = np.asfortranarray(x), np.asfortranarray(y)
    elif layout == "one vector":
        y = y[7]
    elif layout == "swapped":
        x = x.astype(x.dtype.newbyteorder())
    elif layout == "masked":
        keep = rng.random((50, depth)) < 0.7
        options["where"] = keep
    elif layout == "narrow" and kind in ("plain", "whole", "f2", "f4", "odd"):
        options["dtype"] = np.float32
    elif x.dtype.kind in "biu":
        options["dtype"] = object if layout == "narrow" else None
    made = pycrust.vecdot(x, y, **options)
    ys = np.broadcast_to(y, x.shape)
    kind_of = {"dtype": options.get("dtype")} if "dtype" in options else {}
    for k in range(50):
        expected = pycrust.dot(x[k][keep[k]], ys[k][keep[k]], **kind_of)
        assert_same(made[k], made.dtype.type(expected) if made.dtype != object else expected)


def in_layout(x, layout):
    """Rows, of which the first starts anywhere and the next does not begin where one ends; or columns."""
    if layout == "columns":
        return np.asfortranarray(x)
    if layout == "apart":
        made = np.zeros((len(x), x.shape[1] + 3), x.dtype)[:, 1:-2]
        made[...] = x
        return made
    return x[::-1].copy()[::-1] if layout == "backwards" else x


@all_pairs(
    kind=["plain", "whole", "wide", "tiny", "huge", "odd", "f2", "f4", "i4"],
    depth=[4, 8, 15, 16, 17, 31, 33, 64, 100, 128, 129, 131, 700, 2047, 2048, 2049],
    layout=["rows", "apart", "backwards", "columns", "one vector"],
    count=[3, 8, 13, 75],
)
def test_many_rows_at_once(level, kind, depth, layout, count):
    rng = np.random.default_rng(depth)
    x, y = rows_of(kind, (count, depth), rng), rows_of(kind, (count, depth), rng)
    x[1], y[2] = 0, 0
    x[0, -1], y[0, -1] = x[0, 0], -(y[0, 0] >> 1) if kind == "i4" else -y[0, 0]
    if kind == "i4":
        x = x >> 12
    x = in_layout(x, layout)
    y = y[0].copy() if layout == "one vector" else in_layout(y, layout)
    some = [0, 1, 2, count // 2, count - 1]
    ys = np.broadcast_to(y, x.shape)
    with np.errstate(all="ignore"):
        assert_same(pycrust.vecdot(x, y)[some], reference.vecdot(x[some], ys[some]))
        weights = ys | 1 if kind == "i4" else np.where(ys == 0, 0.5, np.abs(ys)).astype(ys.dtype)
        weights = weights[0] if layout == "one vector" else in_layout(weights, layout)
        among = np.broadcast_to(weights, x.shape)
        assert_same(pycrust.average(x, 1, weights)[some], reference.average(x[some], 1, among[some]))


@pytest.mark.parametrize("depth", [3, 20, 200])
@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_rows_of_other_sizes_than_those_before(level, depth, layout):
    """The binades that sums begin in are those of the rows before, until they do not do."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 320, depth))
    x[64:130] *= 2.0**400
    x[130:200] *= 2.0**-300
    y[200:260] *= 2.0**600
    x[260:270], y[275:280] = np.nan, np.inf
    x, y = in_layout(x, layout), in_layout(np.abs(y), layout)
    some = [*range(0, 320, 17), 261, 276]
    assert_same(pycrust.vecdot(x, y)[some], reference.vecdot(x[some], y[some]))
    some.remove(276)  # whose weights are infinite
    made = pycrust.average(x, 1, y)
    assert np.isnan(made[276])
    assert_same(made[some], reference.average(x[some], 1, y[some]))


@pytest.mark.parametrize("dtype", ["i4", "f8", "c16"])
def test_an_average_of_zero_has_the_sign_of_the_weights(dtype):
    """As IEEE division and NumPy have it; so do accumulators, and so dask."""
    for n in (3, 16, 129, 5000):
        x, w = np.zeros((3, n), dtype), np.full((3, n), -3, "i4" if dtype == "c16" else dtype)
        w[:, 0], x[:, 1:3] = 1, (1, -1)
        w[2] = -w[2]
        made = pycrust.average(x, 1, w)
        assert_same(made, reference.average(x, 1, w))
        assert np.signbit(made.real).tolist() == [True, True, False]
        assert pycrust.average(x[0], weights=w[0]) == 0 and np.signbit(np.real(pycrust.average(x[0], weights=w[0])))
        of_lists = pycrust.average([0, 0], weights=[-(2**70), 1])  # Python ints
        assert of_lists == 0 and math.copysign(1, of_lists) == -1
        if dtype != "c16":
            one = pycrust.PairAccumulator(x[0], w[0]).average()
            assert one == 0 and math.copysign(1, one) == -1


@pytest.mark.parametrize("near", range(12))
def test_averages_beside_a_midpoint(level, near):
    """Of so many digits that a quotient of doubles is off by far less than a double tells."""
    rng = np.random.default_rng(near)
    middle = (1 << 53 | int(rng.integers(1 << 52)) << 1 | 1) * 2.0**-53  # 54 bits: rounded to even
    w = rng.integers(1, 1 << 40, (9, 20)) * 2.0**-30
    x = np.full((9, 20), np.nextafter(middle, 0)) + rng.integers(0, 3, (9, 20)) * 2.0**-52
    x[:, 0] += rng.integers(-3, 4, 9) * 2.0 ** -(52 - near)
    for a, b in ((x, w), (np.asfortranarray(x), np.asfortranarray(w)), (x[:, :5], w[:, :5])):
        assert_same(pycrust.average(a, 1, b), reference.average(a, 1, b))
    w[3] = w[3] - w[3].mean()
    w[3, 0] -= w[3].sum() - 2.0**-40  # so small a sum that the quotient is uncertain
    assert_same(pycrust.average(x, 1, w), reference.average(x, 1, w))
    w[5] = 0
    with pytest.raises(ZeroDivisionError):
        pycrust.average(x, 1, w)


@counts
@pytest.mark.parametrize(("dtype", "depth"), [("f4", 4), ("f4", 16), ("f4", 100), ("f8", 20), ("f8", 500), ("f2", 30)])
@pytest.mark.parametrize("order", "CF")
def test_ties_of_many_rows_are_decided_at_once(level, dtype, depth, order):
    """Sums of few products of float32 are often halfway between two doubles."""
    x, y = (np.asarray(numbers(dtype, (5000, depth), seed), order=order) for seed in (1, 2))
    before = _rounding_test_failures()
    made = pycrust.vecdot(x, y)
    if depth > 4:
        pycrust.average(x, 1, np.abs(y))
    assert _rounding_test_failures() - before < 10 or level == "portable"  # which has no lanes
    assert_same(made[:50], reference.vecdot(x[:50], y[:50]))


def test_the_grid_of_short_products_has_every_digit(level):
    """The sum is 1 below a tie, which the sum of the rounding errors does not hold: twice their grid would not tell."""
    x = np.array([2.0**52, *[2.0**25] * 7, 2**23 + 1, 2**23 + 2], np.float32)
    y = np.array([2.0**52, *[2.0**26] * 7, 2**23 + 3, -(2**23) - 2], np.float32)
    expected = float(2**104 + 3 * 2**52)
    assert sum(int(v) * int(w) for v, w in zip(x, y)) == 2**104 + 7 * 2**51 - 1
    for sign in (1, -1):
        rows = np.tile(sign * x, (40, 1))
        assert_same(pycrust.vecdot(rows, np.tile(y, (40, 1)), dtype=np.float64), np.full(40, sign * expected))


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_extreme_integers(level, dtype):
    limits = np.iinfo(dtype)
    for n in (1, 2, 15, 64, 1000, 70_000):
        for one in (limits.min, limits.max):
            for other in (limits.min, limits.max, limits.max // 2):
                x, y = np.full(n, one, dtype), np.full(n, other, dtype)
                assert pycrust.dot(x, y) == n * one * other
                y[n // 2] = limits.max - 3
                assert pycrust.dot(x, y) == (n - 1) * one * other + one * (limits.max - 3)
    for mixed in "i8", "u8":
        x, y = np.full(999, limits.min, dtype), np.full(999, np.iinfo(mixed).max, mixed)
        assert pycrust.dot(x, y) == pycrust.dot(y, x) == 999 * limits.min * np.iinfo(mixed).max


@counts
@pytest.mark.parametrize("dtype", ["f8", "f4", "i2"])
def test_short_rows_need_few_exact_sums(level, dtype):
    x, y = numbers(dtype, (20_000, 3), 1), numbers(dtype, (20_000, 3), 2)
    before = _rounding_test_failures()
    pycrust.vecdot(x, y)
    assert _rounding_test_failures() - before < 20


@pytest.mark.parametrize("other", [pycrust.Accumulator(), pycrust.Accumulator(shape=2), "text", 1.5, [1], np.ones(2)])
def test_only_pair_accumulators_are_added(other):
    pairs = pycrust.PairAccumulator([1], [2])
    with pytest.raises(TypeError):
        pairs + other
    with pytest.raises(TypeError):
        other + pairs
    with pytest.raises(TypeError):
        pairs += other
    assert pairs.count == 1


@pytest.mark.parametrize(
    "change",
    [
        {"count": 0},
        {"sums": ((3, -10), (7, 0), (5, 0), (25, 0), (11, 0))},
        {"sums": ((1, 0), (1, 0), (0, 0), (1, 0), (1, 0))},
        {"sums": ((1, 0), (1, 0), (1, 0), (1, 0), (9, 0))},
        {"sums": ((3, 0), (7, 0), (5, 0), (25, 0), (11, 0), (0, 0), (0, 0), (0, 0), (11, 0), (0, 0))},
        {"sums": ((3, 0), (7, 0), (5, 0), (25, 0))},
        {"special": 1},
        {"floats": True, "special": 512},
        {"version": 2},
        {"version": 2, "complex": 0},
    ],
)
def test_forged_states_of_pairs(change):
    state = {
        "version": 1, "count": 2, "special": 0, "floats": False, "sums": ((3, 0), (7, 0), (5, 0), (25, 0), (11, 0)),
    }  # fmt: skip
    pairs = pycrust.PairAccumulator([5], [6])
    with pytest.raises(ValueError, match="not the state"):
        pairs.__setstate__(state | change)
    assert pairs == pycrust.PairAccumulator([5], [6])
    pairs.__setstate__(state)
    assert pairs == pycrust.PairAccumulator([1, 2], [3, 4])
    assert pairs.__reduce__()[2] == state  # as other versions read it


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"complex": 0},
        {"complex": 1},
        {"complex": 2},
        {"complex": 4},
        {"complex": 7},
        {"complex": True, 6: (0, 0)},
        {"floats": False},
        {"special": 8**6},
        {5: (9, 0)},
        {7: (99, 0)},
        {8: (99, 0)},
        {9: (1, -2201)},
        {9: (1.5, 0)},
    ],
)
def test_forged_states_of_complex_pairs(change):
    pairs = pycrust.PairAccumulator([1 + 2j, 0], [3 - 1j, 3 - 3j])
    sums = ((1, 0), (6, 0), (5, 0), (28, 0), (5, 0), (2, 0), (-4, 0), (1, 0), (7, 0), (5, 0))
    state = {"version": 2, "count": 2, "special": 0, "floats": True, "complex": 3, "sums": sums}
    assert pairs.__reduce__()[2] == state
    forged = state | {"sums": [change.pop(k, each) for k, each in enumerate(sums)]} | change
    with pytest.raises(ValueError, match="not the state"):
        pairs.__setstate__(forged)


def test_a_result_of_pairs_is_of_one_state():
    pairs = pycrust.PairAccumulator([1, 2, 3], [4, 6, 9])

    class Adding:
        def __index__(self):
            pairs.update([100], [1000])
            return 1

    assert pairs.cov(Adding()) == pycrust.cov([1, 2, 3], [4, 6, 9])[0, 1]
