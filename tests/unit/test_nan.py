"""nansum, nanmean, nanvar, nanstd and skipna=: what is missing is left out, and the rest is exact."""

import math
import warnings
from fractions import Fraction

import numpy as np
import pytest

import pycrust
from pycrust import reference

NAMES = ("nansum", "nanmean", "nanvar", "nanstd")
FLOATS = (np.float16, np.float32, np.float64, np.complex64, np.complex128)
INTEGERS = (np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)
NAN = math.nan

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def numbers(dtype, shape, missing=0.1, seed=0):
    """Numbers of a dtype, of a spread that float16 has, some of them NaN: of complex ones one part or the other."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind in "biu":
        return rng.integers(0, 2 if dtype.kind == "b" else 100, shape).astype(dtype)
    a = (100 * rng.normal(size=shape)).astype(dtype)
    if dtype.kind == "c":
        a.imag = rng.normal(size=shape)
        a.real[rng.random(shape) < missing / 2] = NAN
        a.imag[rng.random(shape) < missing / 2] = NAN
    else:
        a[rng.random(shape) < missing] = NAN
    return a


def same(result, expected):
    """To the last bit, and of the same type; NaN is NaN."""
    assert type(result) is type(expected)
    assert getattr(result, "dtype", None) == getattr(expected, "dtype", None)
    assert np.shape(result) == np.shape(expected)
    np.testing.assert_array_equal(np.asarray(result), np.asarray(expected), strict=True)


def check(name, a, *args, **kwargs):
    expected = getattr(reference, name)(a, *args, **{k: v for k, v in kwargs.items() if k != "workers"})
    same(getattr(pycrust, name)(a, *args, **kwargs), expected)
    return expected


# ---- against the oracle -------------------------------------------------------


def test_the_oracle_knows_what_is_missing():
    a = np.array([0.1, NAN, 0.2, 0.4])
    exact = [Fraction(0.1), Fraction(0.2), Fraction(0.4)]
    mean = sum(exact) / 3
    assert reference.nansum(a) == reference.nearest(sum(exact))
    assert reference.nanmean(a) == reference.nearest(mean)
    assert reference.nanvar(a, ddof=1) == reference.nearest(sum((x - mean) ** 2 for x in exact) / 2)
    assert reference.nanstd(a) == reference.nearest_root(sum((x - mean) ** 2 for x in exact) / 3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
def test_every_dtype_along_every_axis(name, dtype):
    a = numbers(dtype, (5, 7, 9))
    for axis in (None, 0, 1, 2, (0, 2)):
        check(name, a, axis)
    check(name, a, 1, keepdims=True)
    check(name, np.asfortranarray(a)[::-1, ::2], 0)
    check(name, a.astype(a.dtype.newbyteorder()), 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("missing", [0, 0.002, 0.4, 1])
def test_long_runs(name, dtype, missing):
    """Through the bounded kernels, which take blocks of 2048."""
    a = numbers(dtype, 5000, missing)
    check(name, a)
    check(name, a[::-2])
    check(name, a[:4998].reshape(-1, 7)[:, 2])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", [0, 1, 63, 64, 2047, 2048, 4999])
def test_one_nan_wherever_it_is(name, place):
    a = numbers(np.float64, 5000, 0)
    a[place] = NAN
    check(name, a)


@pytest.mark.parametrize("name", NAMES)
def test_nan_before_all_else_and_then_larger_numbers(name):
    """The first block says nothing of the sizes to come, and the window has to widen amid blocks with NaN."""
    a = np.concatenate([np.full(2500, NAN), numbers(np.float64, 2500), 1e100 * numbers(np.float64, 2500, 0.5)])
    check(name, a)
    check(name, a[::-1])
    check(name, np.stack([a, a[::-1], np.full_like(a, NAN)] * 4, axis=1), 0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("missing", [0, 0.001, 0.4])
def test_long_columns(name, dtype, missing):
    a = numbers(dtype, (2500, 16), missing)
    check(name, a, 0)
    a[:2100, 4] = NAN
    check(name, np.concatenate([a, a[:, :3]], axis=1), 0)
    a[:, 3] = NAN
    check(name, a, 0)


@pytest.mark.thread_unsafe(reason="counts what other threads do, too")
def test_no_column_is_summed_exactly_because_of_nan():
    from pycrust._core import _rounding_test_failures

    a = numbers(np.float64, (2500, 16), 0.1)
    a[:, 3] = NAN
    before = _rounding_test_failures()
    pycrust.nansum(a, 0)
    pycrust.nanvar(a, 0)
    pycrust.nansum(a.T, 1)
    pycrust.nanstd(a)
    assert _rounding_test_failures() == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", ["portable", None])
def test_levels(name, level):
    from pycrust._core import _use_simd

    used = pycrust.simd()
    try:
        _use_simd(level or used)
        check(name, numbers(np.float64, 3000))
        check(name, numbers(np.float32, (300, 11)), 0)
        check(name, numbers(np.float16, (11, 300)), 1)
    finally:
        _use_simd(used)


@pytest.mark.parametrize("name", NAMES)
def test_infinities(name):
    for values in ([math.inf, NAN, 1.0], [math.inf, NAN, -math.inf], [NAN, -math.inf]):
        check(name, np.array(values))
        check(name, np.array(values * 1000))
        check(name, np.array([values] * 300), 0)


# ---- out, dtype, where, ddof, workers -----------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_out_dtype_and_where(name):
    a = numbers(np.float64, (6, 300))
    out = np.empty(6, np.float32)
    assert getattr(pycrust, name)(a, 1, out=out) is out
    same(out, getattr(reference, name)(a, 1, dtype=np.float32))
    for where in (a > 0, np.arange(300) % 3 == 0, np.array(False)):
        check(name, a, where=where)
        check(name, a, 0, where=where)
        check(name, a, 1, where=where, dtype=np.float16)


@pytest.mark.parametrize("name", NAMES)
def test_threads_do_not_change_a_bit(name):
    a = numbers(np.float64, 300_000, 0.01)
    expected = getattr(pycrust, name)(a)
    assert expected == getattr(pycrust, name[3:])(a[~np.isnan(a)])
    for workers in (2, 3):
        assert getattr(pycrust, name)(a, workers=workers) == expected
    b = a.reshape(3, -1)
    same(getattr(pycrust, name)(b, 1, workers=2), getattr(pycrust, name)(b, 1))


@pytest.mark.parametrize("ddof", [0, 1, 2, 3, 0.5, 2**40])
def test_ddof(ddof):
    a = np.array([[1, NAN, 4, 9.0], [NAN, NAN, NAN, 1], [1, 2, 3, NAN]])
    for name in ("nanvar", "nanstd"):
        check(name, a, 1, ddof=ddof)
        check(name, a, ddof=ddof)
        check(name, a, 1, correction=ddof)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = getattr(np, name)(a, 1, ddof=ddof)
        np.testing.assert_array_equal(np.isnan(getattr(pycrust, name)(a, 1, ddof=ddof)), np.isnan(theirs))
    with pytest.raises(TypeError, match="two names"):
        pycrust.nanvar(a, ddof=1, correction=1)


# ---- nothing left -------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "a",
    [np.array([NAN, NAN]), np.array([complex(NAN, 1), complex(1, NAN)]), np.full((300, 2), NAN)],
    ids=["floats", "complex", "columns"],
)
@pytest.mark.parametrize("axis", [None, 0])
def test_all_missing_as_numpy_has_it(name, a, axis):
    with warnings.catch_warnings(record=True) as theirs:
        warnings.simplefilter("always")
        expected = getattr(np, name)(a, axis)
    with warnings.catch_warnings(record=True) as ours:
        warnings.simplefilter("always")
        result = getattr(pycrust, name)(a, axis)
    np.testing.assert_array_equal(result, expected)
    assert [(each.category, str(each.message)) for each in ours] == [
        (each.category, str(each.message)) for each in theirs
    ]


def test_empty():
    assert pycrust.nansum([]) == 0
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"):
        assert math.isnan(pycrust.nanmean([]))
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        assert math.isnan(pycrust.nanvar(np.empty(0)))


# ---- containers ---------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_masked_arrays(name):
    a = np.ma.array(numbers(np.float64, (20, 30)), mask=np.arange(600).reshape(20, 30) % 7 == 0)
    for axis in (None, 0, 1):
        check(name, a, axis)
    check(name, a, where=np.arange(30) > 3)
    check(name, np.ma.array([2**60 + 1, 7, 2**60 + 3], mask=[0, 1, 0]))
    check(name, np.ma.array([1.0, 2.0]))
    with pytest.raises(TypeError, match="masked"):
        getattr(pycrust, name)([1.0, 2.0], where=np.ma.array([True, False], mask=[0, 1]))


@pytest.mark.parametrize("name", NAMES)
def test_nulls_of_pandas(name):
    pd = pytest.importorskip("pandas")
    function, expected = getattr(pycrust, name), getattr(reference, name)
    ids = pd.Series([2**60 + 1, None, 2**60 + 3], dtype="Int64")
    same(function(ids), expected(np.array([2**60 + 1, 2**60 + 3])))
    same(function(ids, where=np.array([True, True, False])), expected(np.array([2**60 + 1])))
    volts = pd.Series([0.1, None, 0.2, 0.4], dtype="Float64")
    same(function(volts), expected(np.array([0.1, 0.2, 0.4])))
    same(function(pd.Series([0.1, None, 0.2])), expected(np.array([0.1, 0.2])))
    frame = pd.DataFrame({"x": volts, "y": volts * 2})
    same(function(frame, 0), expected(np.array([[0.1, 0.2], [0.2, 0.4], [0.4, 0.8]]), 0))


@pytest.mark.parametrize("name", NAMES)
def test_nulls_of_arrow_and_polars(name):
    pa = pytest.importorskip("pyarrow")
    pl = pytest.importorskip("polars")
    function, expected = getattr(pycrust, name), getattr(reference, name)(np.array([0.1, 0.2]))
    same(function(pa.array([0.1, None, NAN, 0.2])), expected)
    same(function(pl.Series([0.1, None, NAN, 0.2])), expected)
    table = {"x": [0.1, None], "y": [None, 0.2]}
    same(function(pa.table(table)), expected)
    same(function(pl.DataFrame(table)), expected)
    with pytest.raises(TypeError, match="one by one"):
        pycrust.sum(pl.DataFrame(table))


def test_masked_columns_of_astropy():
    masked = pytest.importorskip("astropy.utils.masked").Masked
    assert pycrust.nansum(masked([1.0, 2.0, NAN], mask=[True, False, False])) == 2.0


def test_what_is_not_missing_is_refused_as_before():
    with pytest.raises(TypeError, match="leave out what is missing"):
        pycrust.nansum(np.array([1, None], dtype=object))
    with pytest.raises(OverflowError, match="object"):
        pycrust.nansum(np.full(4, 2**62), 0)


# ---- Accumulator --------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*FLOATS, np.int16])
def test_accumulator(dtype):
    a = numbers(dtype, 3000)
    present = a[~np.isnan(a)]
    total = pycrust.Accumulator()
    for piece in np.array_split(a, 7):
        total.update(piece, skipna=True)
    assert total == pycrust.Accumulator(present) and total.count == len(present)
    again = pycrust.Accumulator()
    again.update(a.reshape(2, -1).T, skipna=True, workers=2, where=True)
    assert again == total


def test_accumulator_of_containers():
    total = pycrust.Accumulator()
    total.update(np.ma.array([1.0, 2.0, NAN], mask=[1, 0, 0]), skipna=True)
    assert total == pycrust.Accumulator([2.0])
    with pytest.raises(TypeError, match="masked"):
        total.update(np.ma.array([1.0], mask=[1]))
    total.update([NAN])
    assert math.isnan(total.sum())


# ---- dask -----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("chunks", [(4, 5), (20, 30), (7, 30), (20, 4)])
def test_dask(name, chunks):
    da = pytest.importorskip("dask.array")
    a = numbers(np.float64, (20, 30), 0.3)
    a[2] = a[:, 4] = NAN
    lazy, function = da.from_array(a, chunks), getattr(pycrust.dask, name)
    for axis in (None, 0, 1):
        same(np.asarray(function(lazy, axis).compute()), np.asarray(getattr(pycrust, name)(a, axis)))
        where = a > -50
        same(
            np.asarray(function(lazy, axis, where=where).compute()),
            np.asarray(getattr(pycrust, name)(a, axis, where=where)),
        )
    mask = np.arange(600).reshape(20, 30) % 5 == 0
    masked = da.ma.masked_array(lazy, da.from_array(mask, chunks))
    for axis in (None, 0):
        same(
            np.asarray(function(masked, axis).compute()),
            np.asarray(getattr(pycrust, name)(np.ma.array(a, mask=mask), axis)),
        )


def test_dask_without_degrees_of_freedom():
    da = pytest.importorskip("dask.array")
    a = da.from_array(np.array([1.0, NAN, 3.0]), 1)
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        assert math.isnan(pycrust.dask.nanvar(a, ddof=2).compute())
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"):
        assert math.isnan(pycrust.dask.nanmean(a[1:2]).compute())
    assert float(pycrust.dask.nanvar(a, ddof=1).compute()) == 2.0
