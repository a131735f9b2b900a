"""pycrust.dask: lazy, exact, the same bits as on one machine for every chunking; on a cluster, too."""

import os
import re
import signal
import time
import warnings
from fractions import Fraction

import numpy as np
import pytest
from cases import all_pairs, slow
from hard_arrays import assert_same

import pycrust
from pycrust import reference

dask = pytest.importorskip("dask")

import dask.array as da  # noqa: E402

import pycrust.dask as lazy  # noqa: E402

RNG = np.random.default_rng(2026)
SHAPE = (13, 10, 4)
FUNCTIONS = ["sumsq", "norm", "rms", "sum", "mean", "var", "std"]
DATA = {
    "wild float64": RNG.normal(size=SHAPE) * 10.0 ** RNG.integers(-300, 150, size=SHAPE),
    "float32": RNG.normal(size=SHAPE).astype(np.float32),
    "complex128": RNG.normal(size=SHAPE) + 1j * RNG.normal(size=SHAPE),
    "int16": RNG.integers(-(2**15), 2**15, size=SHAPE).astype(np.int16),
    "bool": RNG.integers(2, size=SHAPE).astype(bool),
    "timestamps": 1.7e9 + RNG.uniform(0, 0.01, size=SHAPE),
    "constant": np.full(SHAPE, 0.1),
}
CHUNKS = [(13, 10, 4), (5, 3, 2), (1, 10, 4), (13, 10, 1), (4, 10, 3)]
AXES = [None, 0, 1, -1, (0, 1), (2, 0), (0, 1, 2), ()]


@pytest.fixture(scope="module", autouse=True)
def _on_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def bits(x):
    x = np.asarray(x)
    return x.shape, x.dtype, x.tolist() if x.dtype == object else x.tobytes()


@all_pairs(axis=AXES, kind=DATA, figure=FUNCTIONS)
def test_same_bits_for_every_chunking(kind, axis, figure):
    x = DATA[kind]
    for keepdims in (False, True):
        expected = getattr(pycrust, figure)(x, axis=axis, keepdims=keepdims)
        results = [getattr(lazy, figure)(da.from_array(x, c), axis=axis, keepdims=keepdims) for c in CHUNKS]
        assert all(isinstance(result, da.Array) for result in results)
        for chunks, result, computed in zip(CHUNKS, results, dask.compute(*results)):
            if isinstance(expected, int):
                assert computed == expected
                assert computed.shape == () and type(computed.item()) is int
                assert result.dtype == object
            else:
                assert bits(computed) == bits(expected), chunks
                assert (result.shape, result.dtype) == bits(expected)[:2]


def test_any_tree_of_merges_gives_the_same_bits():
    x = DATA["wild float64"]
    for split_every in (2, 3, 100):
        result = lazy.norm(da.from_array(x, chunks=(2, 2, 2)), axis=(0, 2), split_every=split_every)
        assert bits(result.compute()) == bits(pycrust.norm(x, axis=(0, 2)))


def test_chunks_that_numpy_would_sum_differently():
    x = DATA["wild float64"].ravel()
    by_numpy = {float((da.from_array(x, chunks=k) ** 2).sum().compute()) for k in range(1, 200, 7)}
    ours = {lazy.sumsq(da.from_array(x, chunks=k)).compute() for k in range(1, 200, 7)}
    assert len(by_numpy) > 1
    assert ours == {pycrust.sumsq(x)}
    x = DATA["timestamps"].ravel()
    assert len({float(da.from_array(x, chunks=k).var().compute()) for k in range(1, 200, 7)}) > 1
    assert {lazy.var(da.from_array(x, chunks=k)).compute() for k in range(1, 200, 7)} == {pycrust.var(x)}


@all_pairs(axis=[None, 0, (1, 2)], ddof=[1, 0.1, np.float32(1.5)], figure=["var", "std"])
def test_ddof(ddof, axis, figure):
    function, here = getattr(lazy, figure), getattr(pycrust, figure)
    for x in DATA.values():
        expected = bits(here(x, axis=axis, ddof=ddof))
        for chunks in CHUNKS[:2]:
            chunked = da.from_array(x, chunks=chunks)
            assert bits(function(chunked, axis=axis, ddof=ddof, split_every=2).compute()) == expected
            assert bits(function(chunked, axis, correction=ddof).compute()) == expected
            where = x.real > 0
            chosen = function(chunked, axis, where=where, ddof=ddof, dtype="f4")
            assert bits(chosen.compute()) == bits(np.float32(here(x, axis, where=where, ddof=ddof, dtype="f4")))


@pytest.mark.parametrize("chunks", [1, 5])
def test_no_degrees_of_freedom(chunks):
    x = da.from_array(np.array([[3.0, 4.0, 5.0], [3.0, 3.0, 3.0]]), chunks=(2, chunks))
    for axis, expected in ((1, [np.inf, np.nan]), (None, np.nan)):
        result = lazy.var(x if axis else x[1], axis=axis, ddof=3)
        with pytest.warns(RuntimeWarning, match="var"):
            assert np.array_equal(result.compute(), expected, equal_nan=True)
    for given, error in (({"ddof": -1}, ValueError), ({"ddof": np.nan}, ValueError), ({"ddof": "1"}, TypeError)):
        with pytest.raises(error, match="ddof"):
            lazy.std(x, **given)
    with pytest.raises(TypeError, match="ddof"):
        lazy.std(x, ddof=1, correction=1)


@pytest.mark.parametrize("dtype", ["c16", "c8"])
def test_complex_results(dtype):
    x = DATA["complex128"]
    for figure in ("sum", "mean"):
        for chunks in CHUNKS:
            result = getattr(lazy, figure)(da.from_array(x, chunks=chunks), axis=(0, 2), dtype=dtype)
            assert result.dtype == dtype
            assert bits(result.compute()) == bits(getattr(pycrust, figure)(x, axis=(0, 2), dtype=dtype))
            with pytest.raises(TypeError, match=r"dtype|out"):
                getattr(lazy, figure)(da.from_array(x, chunks=chunks), dtype=float)


def test_sums_of_integers_never_wrap():
    x = np.array([[2**63 - 1, 0, 0], [-(2**63), 0, -1]])
    for chunks in ((2, 3), (1, 2)):
        chunked = da.from_array(x, chunks=chunks)
        with pytest.raises(OverflowError, match="dtype=object"):
            lazy.sum(chunked, axis=1).compute()
        assert lazy.sum(chunked, axis=1, dtype=object).compute().tolist() == [2**63 - 1, -(2**63) - 1]
        assert int(lazy.sum(chunked)) == -2
        with pytest.raises(OverflowError, match="uint64"):
            lazy.sum(chunked[1:], axis=1, dtype=np.uint64).compute()


@pytest.mark.parametrize("axis", [None, 0, (1, 2)])
def test_where(axis):
    x = DATA["float32"]
    mask = x > 0
    mask[0] = False
    for chunks in CHUNKS:
        for where in (mask, da.from_array(mask, chunks=(2, 10, 1)), mask[:, :1, :1], [True, False, True, True]):
            plain = np.asarray(where)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # nothing is left at some positions
                expected = pycrust.rms(x, axis=axis, where=plain)
                result = lazy.rms(da.from_array(x, chunks=chunks), axis=axis, where=where).compute()
            assert bits(result) == bits(expected)


def test_dtype():
    x = np.full((6, 2), 2**62)
    chunked = da.from_array(x, chunks=(4, 1))
    assert bits(lazy.sumsq(chunked, 0, dtype=np.float64).compute()) == bits(pycrust.sumsq(x, 0, dtype=np.float64))
    assert lazy.sumsq(chunked, 0, dtype=object).compute().tolist() == [6 * 2**124] * 2
    for chunks in ((4, 1), (6, 1)):
        with pytest.raises(OverflowError, match="dtype=object"):
            lazy.sumsq(da.from_array(x, chunks=chunks), 0).compute()


def test_unknown_chunk_sizes():
    x = RNG.normal(size=1000)
    chunked = da.from_array(x, chunks=100)
    chosen = chunked[chunked > 0]
    assert np.isnan(chosen.shape[0])
    assert bits(lazy.rms(chosen).compute()) == bits(pycrust.rms(x[x > 0]))


def test_no_elements():
    empty = da.zeros((0, 3), chunks=(1, 2))
    assert lazy.sumsq(empty).compute() == 0.0
    assert lazy.sumsq(empty, axis=0).compute().tolist() == [0.0] * 3
    assert lazy.sum(empty).compute() == 0.0
    with pytest.warns(RuntimeWarning, match="rms of no elements"):
        assert np.isnan(lazy.rms(empty).compute())
    for figure in ("mean", "var", "std"):
        with pytest.warns(RuntimeWarning, match=figure):
            assert np.isnan(getattr(lazy, figure)(empty).compute())


def test_errors_come_at_once_and_are_those_of_pycrust():
    x = da.zeros((4, 3), chunks=2)
    with pytest.raises(TypeError, match="use float64"):
        lazy.sumsq(x, dtype=np.uint64)
    with pytest.raises(np.exceptions.AxisError):
        lazy.norm(x, axis=2)
    with pytest.raises(TypeError, match="float"):  # objects are looked at when they are computed
        lazy.norm(x.astype(object)).compute()
    with pytest.raises(TypeError, match="mask"):
        lazy.norm(da.ma.masked_greater(x, 1))
    with pytest.raises(TypeError, match="bool"):
        lazy.norm(x, where=[1, 0, 1])
    with pytest.raises(ValueError, match="broadcast"):
        lazy.norm(x, where=[True, False])


@pytest.mark.parametrize("axis", [0, None])
def test_a_chunk_that_is_not_what_was_promised(axis):
    masked = dask.delayed(np.ma.masked_greater)(np.zeros((2, 3)), 1)
    plain = da.from_delayed(masked, shape=(2, 3), dtype=float)
    for x in (plain, da.concatenate([plain, plain])):
        with pytest.raises(TypeError, match="mask"):
            lazy.norm(x, axis=axis).compute()


def test_lazy():
    def never(block):
        raise AssertionError("computed too soon")

    x = da.zeros((4, 4), chunks=2).map_blocks(never, dtype=float)
    lazy.rms(x)
    lazy.sumsq(x, axis=0)
    with pytest.raises(AssertionError, match="too soon"):
        lazy.rms(x).compute()


# ---- a cluster of several processes -----------------------------------------


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 10, "scheduler": None}),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of ports in use, and of memory limits
        with (
            distributed.LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


@pytest.mark.slow
@pytest.mark.thread_unsafe(reason="starts a cluster")
def test_cluster_gives_the_same_bits(cluster):
    x = DATA["wild float64"]
    whole = lazy.sumsq(da.from_array(x, chunks=(2, 5, 2)))
    spread = lazy.std(da.from_array(x, chunks=(2, 5, 2)))
    together = cluster.gather(cluster.compute([whole, spread]))
    assert bits(together[0]) == bits(pycrust.sumsq(x))
    assert bits(together[1]) == bits(pycrust.std(x))


@pytest.mark.slow
@pytest.mark.thread_unsafe(reason="starts a cluster")
@pytest.mark.parametrize("axis", [0, -1, (0, 2)])
def test_cluster_gives_the_same_bits_along_axes(cluster, axis):
    """The states of chunks go from one process to another, those with accumulators beside them among them."""
    x = DATA["wild float64"]
    results = [
        getattr(lazy, figure)(da.from_array(x, chunks=(3, 5, 2)), axis=axis, split_every=2) for figure in FUNCTIONS
    ]
    expected = [bits(getattr(pycrust, figure)(x, axis=axis)) for figure in FUNCTIONS]
    assert [bits(each) for each in cluster.gather(cluster.compute(results))] == expected


def slowly(block):
    time.sleep(0.2)
    return block


@pytest.mark.slow
@pytest.mark.thread_unsafe(reason="starts a cluster")
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_worker_killed_midway(cluster):
    x = RNG.normal(size=60_000) * 10.0 ** RNG.integers(-30, 30, size=60_000)
    chunked = da.from_array(x, chunks=2000).map_blocks(slowly, dtype=x.dtype)
    future = cluster.compute(lazy.norm(chunked, split_every=2))
    before = cluster.run(os.getpid)
    deadline = time.monotonic() + 60
    while not (holders := [worker for workers in cluster.who_has().values() for worker in workers]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not future.done()
    os.kill(before[holders[0]], signal.SIGKILL)  # its results are lost with it
    assert bits(future.result(timeout=120)) == bits(pycrust.norm(x))
    assert before[holders[0]] not in cluster.run(os.getpid).values()


# ---- other inputs -----------------------------------------------------------


def test_dask_dataframe():
    dd = pytest.importorskip("dask.dataframe")
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"volts": RNG.normal(size=100), "amperes": RNG.normal(size=100)})
    chunked = dd.from_pandas(frame, npartitions=4)
    assert bits(lazy.rms(chunked["volts"]).compute()) == bits(pycrust.rms(frame["volts"]))
    assert bits(lazy.norm(chunked, axis=0).compute()) == bits(pycrust.norm(frame, axis=0))


@all_pairs(figure=FUNCTIONS, dtype=["f8", "i4", "u1"], axis=[None, 0, (0, 1)], chunks=[6, 2])
def test_results_are_arrays_like_others(figure, dtype, axis, chunks, tmp_path):
    """What one does with the result of any reduction of dask's."""
    x = np.arange(36).reshape(6, 6).astype(dtype)
    expected = np.asarray(getattr(pycrust, figure)(x, axis=axis))
    r = getattr(lazy, figure)(da.from_array(x, chunks=chunks), axis=axis)
    assert r.shape == expected.shape
    assert r.dtype == (object if isinstance(getattr(pycrust, figure)(x, axis=axis), int) else expected.dtype)
    if expected.ndim == 0:
        assert float(r) == float(expected) and int(r) == int(expected)
    views = (
        lambda r: r[None],
        lambda r: r[..., None],
        lambda r: r.astype(float),
        lambda r: da.stack([r, r]),
        lambda r: r.reshape((-1,)),
        lambda r: r.map_blocks(lambda block: block * 2),
        lambda r: r + r,
        lambda r: r[:2] if r.ndim else r,
    )
    plain = da.from_array(expected.astype(r.dtype), chunks=-1)
    for ours, numpys in dask.compute(*((view(r), view(plain)) for view in views)):
        assert np.shape(ours) == np.shape(numpys) and np.array_equal(ours, numpys)
    target = np.empty(r.shape, expected.dtype)
    da.store(r, target, scheduler="synchronous")
    assert np.array_equal(target, expected)


@pytest.mark.parametrize("figure", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["f4", "f2"])
def test_short_floats(figure, dtype):
    x = DATA["float32"]
    expected = getattr(pycrust, figure)(x, axis=1, dtype=dtype)
    for chunks in CHUNKS:
        result = getattr(lazy, figure)(da.from_array(x, chunks=chunks), axis=1, dtype=dtype)
        assert result.dtype == dtype and bits(result.compute()) == bits(expected)


def test_where_with_unknown_chunk_sizes():
    x, mask = RNG.normal(size=(1000, 2)), RNG.random((1000, 2)) < 0.5
    some = x[:, 0] > 0
    chosen, where = (da.from_array(each, chunks=(100, 2))[da.from_array(some, chunks=100)] for each in (x, mask))
    for axis in (None, 0, 1):
        assert bits(lazy.sumsq(chosen, axis=axis, where=where).compute()) == bits(
            np.float64(pycrust.sumsq(x[some], axis=axis, where=mask[some]))
        )
        assert bits(lazy.sumsq(chosen, axis=axis, where=[True, False]).compute()) == bits(
            np.float64(pycrust.sumsq(x[some], axis=axis, where=[True, False]))
        )
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        lazy.sumsq(chosen, where=mask[some])


def test_norm_takes_its_axis_by_name():
    with pytest.raises(TypeError):
        lazy.norm(da.ones(3), 0)
    assert float(lazy.norm(a=da.ones(4, chunks=2), axis=0)) == 2.0


@pytest.mark.parametrize("name", [*FUNCTIONS, "Accumulator", "sum_of_squares_batch"])
def test_lazy_arrays_are_not_computed_behind_the_callers_back(name):
    def never():
        raise AssertionError

    x = da.from_delayed(dask.delayed(never)(), shape=(3,), dtype=int)
    for a in (x, [x], [[x]]):
        with pytest.raises(
            TypeError, match=r"dask: pass [\w\[\]]+\.compute\(\), or call the function of pycrust\.dask"
        ):
            getattr(pycrust, name)(a)
    if name != "sum_of_squares_batch":
        with pytest.raises(TypeError, match="where is a lazy Array"):
            getattr(pycrust, name)([1, 2, 3], where=x)


# ---- blocks that are not what dask believes ------------------------------------------


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("block", [lambda b: b.sum(axis=1), np.sum, lambda b: b[None]], ids=["fewer", "none", "more"])
def test_blocks_of_other_axes(block, axis):
    """A forgotten drop_axis: strides that are not there were read."""
    a = da.random.random((1000, 8), chunks=(100, 8)).map_blocks(block, dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(ValueError, match="axes where dask expects 2"):
        lazy.mean(a, axis=axis).compute()


PAIRS = {
    "average": lambda a: lazy.average(a, axis=0, weights=da.ones(a.shape, chunks=a.chunks)),
    "vecdot": lambda a: lazy.vecdot(a, a),
    "cov": lambda a: lazy.cov(a, rowvar=False),
}


@pytest.mark.parametrize("name", PAIRS)
def test_blocks_of_other_axes_or_another_dtype_in_pairs(name):
    for block, error, words in (
        (np.atleast_3d, ValueError, "axes"),  # of dask itself, where it moves axes first
        (lambda b: b * 1.5, TypeError, "of float64 where dask expects int64"),
    ):
        a = da.ones((6, 3), chunks=(2, 3), dtype=np.int64)
        a = a.map_blocks(block, dtype=np.int64, meta=np.empty((0, 0), np.int64))
        with pytest.raises(error, match=words):
            PAIRS[name](a).compute()


@pytest.mark.parametrize("chunks", [2, 4])
@pytest.mark.parametrize("declared, actual", [(np.int64, [1.5, np.nan]), (np.float64, [1j, 2]), (np.bool_, [1, 7])])
def test_blocks_of_another_dtype(declared, actual, chunks):
    """Digits, NaN and imaginary parts would be lost, and more or less of them by the number of chunks."""
    actual = np.array(actual * 2)
    a = da.from_array(actual, chunks=chunks).map_blocks(lambda b: b, dtype=declared, meta=np.empty(0, declared))
    with pytest.raises(TypeError, match=f"of {actual.dtype} where dask expects {np.dtype(declared)}"):
        lazy.sum(a).compute()


def test_blocks_of_a_narrower_dtype_are_what_they_are():
    a = da.from_array(np.array([1, 2], np.int8)).map_blocks(lambda b: b, dtype=float, meta=np.empty(0))
    assert lazy.sum(a).compute() == 3.0


def test_accumulators_check_their_axes():
    from pycrust._accumulator import _accumulators

    for axes in [(1,), (-2,), (0, 1)]:
        with pytest.raises(np.exceptions.AxisError):
            _accumulators(np.ones(3), axes, True)


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
def test_python_ints_of_any_size(chunks, axis):
    numbers = np.array([[2**70, 1], [-(2**90), 5]], dtype=object)
    a = da.from_array(numbers, chunks=chunks)
    for name in ("mean", "std", "sum", "sumsq"):
        dtype = {"dtype": object} if name.startswith("sum") else {}
        expected = getattr(pycrust, name)(numbers, axis, **dtype)
        assert np.array_equal(getattr(lazy, name)(a, axis, **dtype).compute(), expected)
    masked = lazy.sum(a, axis, dtype=object, where=numbers != 5).compute()
    assert np.array_equal(masked, pycrust.sum(numbers, axis, dtype=object, where=numbers != 5))


def test_a_list_of_python_ints():
    assert int(lazy.sum([2**70, 1])) == 2**70 + 1
    with pytest.raises(TypeError, match="float"):
        lazy.sum(da.from_array(np.array([1.5, 2], dtype=object), chunks=2)).compute()


# ---- two arrays ---------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [1, 3, 100])
def test_two_arrays(chunks):
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((4, 25)), rng.integers(-9, 9, (4, 25))
    a, b = da.from_array(x, chunks=(2, chunks)), da.from_array(y, chunks=(3, 7))
    assert lazy.dot(a[0], b[0]).compute() == pycrust.dot(x[0], y[0])
    assert int(lazy.dot(b[0], b[1]).compute()) == pycrust.dot(y[0], y[1])
    assert (lazy.vecdot(a, b[1]).compute() == pycrust.vecdot(x, y[1])).all()
    made = lazy.vecdot(b, b, axis=0, keepdims=True)
    assert_same(made.compute(), pycrust.vecdot(y, y, axis=0, keepdims=True))
    made = lazy.vecdot(b, b, axis=0)
    assert made.dtype == np.int64 and (made.compute() == pycrust.vecdot(y, y, axis=0)).all()
    assert lazy.average(a, weights=abs(b)).compute() == pycrust.average(x, weights=abs(y))
    for axis in (0, 1):
        weights = np.arange(1, 1 + x.shape[axis])
        assert (lazy.average(a, axis, weights).compute() == pycrust.average(x, axis, weights)).all()
        made = lazy.average(a, axis, abs(b), keepdims=True)
        assert (made.compute() == pycrust.average(x, axis, abs(y), keepdims=True)).all()
    boxes, weights = x.reshape(2, 10, 5), np.arange(10).reshape(5, 2)
    for given in weights, da.from_array(weights, chunks=2):
        made = lazy.average(da.from_array(boxes, chunks=(1, chunks, 2)), (2, 0), given).compute()
        assert (made == pycrust.average(boxes, (2, 0), weights)).all()
    assert (lazy.cov(a, b).compute() == pycrust.cov(x, y)).all()
    assert (lazy.cov(a.T, rowvar=False, bias=True).compute() == pycrust.cov(x, bias=True)).all()
    assert (lazy.corrcoef(a, b).compute() == pycrust.corrcoef(x, y)).all()
    assert lazy.cov(a[0]).compute() == pycrust.cov(x[0])


def _exact_products(x, y, conjugate):
    """Both parts of the sum of the products of two vectors, rounded once."""
    real = imag = Fraction(0)
    for u, v in zip(x.tolist(), y.tolist(), strict=True):
        a, b, c, d = (Fraction(part) for z in (u, v) for part in (z.real, z.imag))
        b = -b if conjugate else b
        real, imag = real + a * c - b * d, imag + a * d + b * c
    return complex(float(real), float(imag))


def _exact_average(x, weights):
    """Both parts, of complex numbers."""
    divisor = sum(map(Fraction, weights.tolist()))
    parts = [
        sum(Fraction(u) * Fraction(w) for u, w in zip(part.tolist(), weights.tolist(), strict=True))
        for part in (x.real, x.imag)
    ]
    return complex(*(float(part / divisor) for part in parts))


@pytest.mark.parametrize("one, other", [("c16", "c16"), ("c16", "f8"), ("i4", "c16"), ("c8", "f4"), ("?", "c8")])
def test_complex_pairs_in_any_chunks(one, other):
    rng = np.random.default_rng(5)

    def numbers(dtype):
        parts = rng.normal(size=(2, 3, 20)) * 10.0 ** rng.integers(-9, 9, (2, 3, 20))
        return (parts[0] + 1j * parts[1]).astype(dtype) if dtype[0] == "c" else parts[0].astype(dtype)

    x, y = numbers(one), numbers(other)
    for chunks in ((1, 3), (3, 20)):
        a, b = da.from_array(x, chunks=chunks), da.from_array(y, chunks=(3, 3))
        assert_same(lazy.dot(a[0], b[0]).compute()[()], np.complex128(_exact_products(x[0], y[0], False)))
        for u, v, of_u, of_v in ((a, b, x, y), (b, a, y, x)):
            expected = [_exact_products(*each, True) for each in zip(of_u, of_v, strict=True)]
            assert_same(lazy.vecdot(u, v).compute(), np.array(expected))
        if other[0] != "c":
            expected = [_exact_average(*each) for each in zip(x.T, y.T, strict=True)]
            assert_same(lazy.average(a, 0, b, keepdims=True).compute(), np.array([expected]))
    for strange in (np.nan, np.inf, complex(0, -np.inf)) if one == "c16" else ():
        x[0, 4] = strange
        a = da.from_array(x, chunks=(1, 4))
        assert_same(lazy.dot(a[0], y[0]).compute()[()], np.complex128(pycrust.dot(x[0], y[0])))
        assert_same(lazy.vecdot(a, y).compute(), pycrust.vecdot(x, y))
        assert_same(lazy.average(a, 1, abs(y)).compute(), pycrust.average(x, 1, abs(y)))


def test_a_covariance_that_rounds_to_minus_zero():
    x = np.array([5e-324, -5e-324, 0.0])
    assert_same(lazy.cov(da.from_array(x, chunks=1), da.from_array(-x, chunks=2)).compute(), pycrust.cov(x, -x))
    assert_same(pycrust.cov(x, -x)[0, 1], np.float64(-0.0))


@pytest.mark.parametrize("one, other", [("c16", "c16"), ("c16", "f8"), ("i8", "c8"), ("c8", None)])
def test_complex_covariances_in_any_chunks(one, other):
    rng = np.random.default_rng(7)

    def numbers(dtype, rows, length):
        if dtype[0] == "i":  # beyond what doubles hold
            return rng.integers(2**62, 2**63 - 1, (rows, length))
        parts = rng.normal(size=(2, rows, length)) * 10.0 ** rng.integers(-9, 9, (2, rows, length)) + 1e3
        return (parts[0] + 1j * parts[1] if dtype[0] == "c" else parts[0]).astype(dtype)

    def check(x, y, chunks, **options):
        a = da.from_array(x, chunks=(1, chunks))
        b = None if y is None else da.from_array(y, chunks=(2, 4))
        for function, plain, oracle in (
            (lazy.cov, pycrust.cov, reference.cov),
            (lazy.corrcoef, pycrust.corrcoef, reference.corrcoef),
        ):
            given = options if function is lazy.cov else {}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                made = function(a, b, **given)
                assert made.dtype == complex
                assert_same(made.compute(scheduler="sync"), plain(x, y, **given))
                assert_same(plain(x, y, **given), oracle(x, y, **given))
                if y is None:
                    assert_same(function(a.T, rowvar=False, **given).compute(scheduler="sync"), plain(x, **given))
                    assert_same(function(a[0], **given).compute(scheduler="sync")[()], plain(x[0], **given))

    for length, chunks in ((11, 3), (2, 1), (1, 1)):
        x, y = numbers(one, 2, length), None if other is None else numbers(other, 2, length)
        for ddof in (None, 0, 3):
            check(x, y, chunks, ddof=ddof)
        check(x, y, chunks, bias=True)
    x, y = numbers(one, 2, 12), None if other is None else numbers(other, 2, 12)
    x[1] = x[1, 0]
    check(x, y, 5)
    for odd in (np.nan, complex(0, np.inf)) if one[0] == "c" else ():
        x[0, 4] = odd
        check(x, y, 5)
    if other == "f8":
        y[1, 3], y[0] = -np.inf, 1e200  # whose squares no double holds
        y[0, 0] = -1e200
        check(numbers(one, 2, 12), y, 5)


@pytest.mark.parametrize("name", ["var", "nanvar", "move_mean", "average", "dot", "cov"])
def test_what_other_containers_hold_is_not_lost(name):
    """A mask or a null of what is not of dask, and of what lies in a list, as by the function without chunks."""
    pa = pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    for a in (
        np.ma.masked_array([2**60 + 1, 5, 2**60 + 3, 5], [0, 1, 0, 1]),
        pd.Series([2**60 + 1, None, 2**60 + 3, None], dtype="Int64"),
        pa.array([2**60 + 1, None, 2**60 + 3, None]),
    ):
        function, plain = getattr(lazy, name), getattr(pycrust, name)
        if name == "nanvar":
            assert function(a).compute() == 1
        elif name == "move_mean":
            np.testing.assert_array_equal(function(a, 4, 2).compute(), plain(a, 4, 2))
        else:
            extra = () if name == "var" else (None, [1, 2, 3, 4]) if name == "average" else ([1, 2, 3, 4],)
            for given in (a, [a]) if name in ("var", "cov") else (a,):
                with pytest.raises(TypeError, match=r"masked arrays are not taken|has missing values"):
                    function(given, *extra)
        if name == "var":
            present = ~np.ma.getmaskarray(a) if isinstance(a, np.ma.MaskedArray) else np.array([True, False] * 2)
            assert function(a, where=present).compute() == 1
            with pytest.raises(TypeError, match=r"masked arrays are not taken|has missing values"):
                function(a, where=[True, True, False, False])
            with pytest.raises(TypeError, match=r"where has missing|masked arrays are not taken"):
                function([1.0, 2.0], where=pd.array([True, None], dtype="boolean"))


def test_the_dtype_of_a_result_does_not_depend_on_what_memory_holds(monkeypatch):
    """The example that stands for the arrays is made of zeros: products of any old integers need not fit."""
    empty = np.empty
    monkeypatch.setattr(np, "empty", lambda *args, **more: _filled(empty(*args, **more)))
    x = da.ones((4, 3), chunks=2, dtype=np.int64)
    assert lazy.vecdot(x, x).dtype == np.int64


def _filled(a):
    if a.dtype.kind in "iuf":
        a.fill(np.iinfo(np.int64).max if a.dtype.kind in "iu" else np.finfo(float).max)
    return a


def test_calls_that_do_not_fit_name_the_function():
    x = da.ones((3, 4), chunks=2)
    for call, message in (
        (lambda: lazy.sum(x, workers=2), r"^sum\(\): .*'workers'"),
        (lambda: lazy.norm(x, 1), r"^norm\(\): too many positional"),
        (lambda: lazy.sum(), r"^sum\(\): missing a required argument: 'a'"),
        (lambda: lazy.move_mean(x, 2, workers=2), r"^move_mean\(\): .*'workers'"),
    ):
        with pytest.raises(TypeError, match=message):
            call()


def test_where_that_does_not_fit():
    x = da.ones((3, 4), chunks=2)
    for where in (np.array([True, False]), da.ones(3, chunks=2, dtype=bool), np.ones((2, 3, 4), bool)):
        with pytest.raises(ValueError) as error:
            pycrust.mean(np.ones((3, 4)), where=np.asarray(where))
        assert "where has shape" in str(error.value)
        with pytest.raises(ValueError, match=f"^{re.escape(str(error.value))}$"):
            lazy.mean(x, where=where)


def test_two_arrays_that_do_not_fit():
    a = da.ones((2, 3), chunks=1)
    with pytest.raises(TypeError, match="vecdot"):
        lazy.dot(a, a)
    with pytest.raises(ValueError, match="lengths 3 and 2"):
        lazy.dot(a[0], a[:, 0])
    with pytest.raises(ValueError, match="differ along axis"):
        lazy.vecdot(a, a[:, 0])
    with pytest.raises(TypeError, match="axis must say"):
        lazy.average(a, weights=[1, 2, 3])
    with pytest.raises(TypeError, match="axis must be None, an integer or a tuple of integers, not True"):
        lazy.average(a, True, weights=[1, 2, 3])
    with pytest.raises(TypeError, match=r"weights must be real numbers.*vecdot"):
        lazy.average(a[0], weights=a[0] * 1j)
    with pytest.raises(ZeroDivisionError):
        lazy.average(a[0], weights=[1, 0, -1]).compute()
    with pytest.raises(ValueError, match="observations of m, but 2 of y"):
        lazy.cov(a[0], a[:, 0])
    with pytest.raises(ValueError, match="observations of x, but 2 of y"):
        lazy.corrcoef(a[0], a[:, 0])
    with pytest.raises(OverflowError, match="does not fit"):
        lazy.vecdot(da.from_array(np.array([2**62, 2**62])), da.from_array(np.array([2, 2]))).compute()


# ---- moving windows -------------------------------------------------------------


@pytest.mark.parametrize("name", ["move_sum", "move_var", *map(slow, ["move_mean", "move_std"])])
def test_moving_windows_in_any_chunks(name):
    rng = np.random.default_rng(0)
    a = np.where(rng.random((5, 60)) < 0.05, 1e17, rng.normal(size=(5, 60)))
    a[2, 20:30] = np.nan
    for chunks in (60, 1, 7, (2, 13), ((5,), (1, 2, 50, 7))):
        for window, min_count, axis in ((1, None, 1), (4, None, -1), (20, 3, 1), (60, 1, 1), (3, 2, 0)):
            result = getattr(lazy, name)(da.from_array(a, chunks=chunks), window, min_count, axis)
            assert result.dtype == np.float64 and result.shape == a.shape
            expected = getattr(pycrust, name)(a, window, min_count, axis)
            np.testing.assert_array_equal(result.compute(scheduler="sync"), expected, strict=True)
    whole = da.from_array(np.arange(10), chunks=3)
    np.testing.assert_array_equal(getattr(lazy, name)(whole, 3).compute(), getattr(pycrust, name)(np.arange(10), 3))


def test_moving_windows_refuse_at_once():
    a = da.ones((4, 6), chunks=2)
    for given, error, message in (
        ({"window": 7}, ValueError, "axis, which has 6 elements"),
        ({"window": 5, "axis": 0}, ValueError, "axis, which has 4 elements"),
        ({"window": 2.0}, TypeError, "integer"),
        ({"window": ([0], [1])}, TypeError, "do not move across chunks"),
        ({"window": 3, "min_count": 4}, ValueError, "min_count is 4"),
        ({"window": 3, "axis": 2}, ValueError, "axis 2 is out of bounds"),
        ({"window": 3, "axis": True}, TypeError, "axis must be an integer, not True"),
    ):
        with pytest.raises(error, match=message):
            lazy.move_mean(a, **given)
    with pytest.raises(ValueError, match="no axis"):
        lazy.move_sum(da.ones(()), 1)
    with pytest.raises(TypeError, match="complex128"):
        lazy.move_sum(a * 1j, 1)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        lazy.move_sum(a[a > 0], 2)


@pytest.mark.parametrize("chunks", [(0, 1), (1, 0), (0, 0, 1)])
def test_one_pair_among_empty_chunks(chunks):
    x = da.from_array(np.array([3.0]), chunks=(chunks,))
    y = da.from_array(np.array([5.0]), chunks=1)
    assert lazy.dot(x, y).compute() == 15 and lazy.average(x, weights=y).compute() == 3
    a = da.from_array(np.array([[1.0, 2.0, 3.0]]), chunks=(chunks, (3,)))
    weights = da.from_array(np.array([1.0, 2.0, 3.0]), chunks=3)
    assert lazy.average(a, axis=1, weights=weights).compute().tolist() == [14 / 6]
    assert lazy.average(a, axis=0, weights=y).compute().tolist() == [1, 2, 3]


@pytest.mark.parametrize("dtype", ["f8", "i8", "c16", *map(slow, ["f4", "u1", "?"])])
def test_cumsum_in_any_chunks(dtype):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(13, 11)) * 10.0 ** rng.integers(-20, 20, (13, 11))
    x[4, 3], x[5, 3], x[7, 5], x[8, 5] = 1.7e308, 1.7e308, np.inf, -np.inf
    x[6, 3] = x[9, 3] = -1.7e308
    if dtype in ("i8", "u1", "?"):
        x = rng.integers(0, 200, x.shape)
    elif dtype == "f4":
        x = rng.normal(size=x.shape)
    if dtype == "c16":
        x = np.stack([x, x[::-1]], axis=-1).copy().view(dtype)[..., 0]
    x = x.astype(dtype)
    for chunks in ((13, 11), (1, 1), (5, 4), ((1, 0, 12), (3, 8))):
        a = da.from_array(x, chunks=chunks)
        for axis in (None, 0, 1, -1):
            result = lazy.cumsum(a, axis)
            expected = pycrust.cumsum(x, axis)
            assert result.dtype == expected.dtype
            assert_same(result.compute(scheduler="sync"), expected)
    if dtype in ("f8", "i8"):
        for made in ("f4", "f8"):
            assert_same(lazy.cumsum(a, 0, made).compute(scheduler="sync"), pycrust.cumsum(x, 0, made))


def test_cumsum_of_integers_beyond_64_bits():
    x = np.array([2**62, 2**62, -(2**62), 2**62 - 1, 0, -5])
    a = da.from_array(x, chunks=1)
    with pytest.raises(OverflowError):
        lazy.cumsum(a).compute(scheduler="sync")
    assert lazy.cumsum(a, dtype=object).compute(scheduler="sync").tolist() == np.cumsum(x.astype(object)).tolist()
    assert_same(lazy.cumsum(a, dtype=float).compute(scheduler="sync"), pycrust.cumsum(x, dtype=float))
    assert_same(lazy.cumsum(a[1:]).compute(scheduler="sync"), np.cumsum(x[1:]))
    objects = da.from_array(np.array([10**30, 1, 2], dtype=object), chunks=2)
    exact = lazy.cumsum(objects, dtype=object).compute(scheduler="sync")
    assert exact.tolist() == [10**30, 10**30 + 1, 10**30 + 3]
    with pytest.raises(OverflowError):
        lazy.cumsum(objects).compute(scheduler="sync")
    assert_same(lazy.cumsum(a[1:].astype(object)).compute(scheduler="sync"), np.cumsum(x[1:]))
    with pytest.raises(np.exceptions.AxisError):
        lazy.cumsum(a, 1)
    with pytest.raises(TypeError):
        lazy.cumsum(a * 1.0, dtype=int)


def test_empty_chunks_and_unknown_sizes():
    x = np.arange(6.0).reshape(2, 3)
    a = da.from_array(x, chunks=((2, 0), (1, 2)))
    assert_same(lazy.cumsum(a).compute(), pycrust.cumsum(x))
    assert_same(lazy.cumsum(a, 1).compute(), pycrust.cumsum(x, 1))
    one = np.ones((1, 3, 1), bool)
    mask = da.from_array(one, chunks=((0, 1), (1, 2), (1, 0)))
    whole = np.arange(24).reshape(2, 3, 4)
    b = da.from_array(whole, chunks=(1, 2, 3))
    assert_same(lazy.sum(b, 0, where=mask).compute(), pycrust.sum(whole, 0, where=one))
    weights = da.from_array(np.array([2.0]), chunks=((0, 1),))
    assert_same(lazy.average(b[:1], 0, weights).compute(), pycrust.average(whole[:1], 0, [2.0]))
    assert_same(
        lazy.sumsq(da.from_array(np.array(2**63 + 5, np.uint64)), axis=(), where=False).compute()[()], np.uint64(0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert_same(lazy.cov(da.from_array(np.array(3.0))).compute(), pycrust.cov(3.0)[()])
        one_number = da.from_array(np.ones(1), chunks=((0, 1),))
        assert_same(lazy.corrcoef(one_number, da.ones(1)).compute(), pycrust.corrcoef([1.0], [1.0]))
    assert_same(lazy.cov(one_number, ddof=0).compute()[()], pycrust.cov([1.0], ddof=0)[()])
    assert_same(lazy.cumsum(da.from_array(np.empty((0, 5), object), chunks=-1)).compute(), np.empty(0, np.int64))
    unknown = da.from_array(np.arange(5.0), chunks=2)
    unknown = unknown[unknown > 1]
    assert_same(lazy.average(unknown, weights=unknown).compute()[()], pycrust.average([2.0, 3, 4], weights=[2, 3, 4]))
    for call in (
        *(lambda: lazy.dot(unknown, unknown), lambda: lazy.vecdot(unknown, unknown), lambda: lazy.cov(unknown)),
        *(lambda: lazy.average(unknown, 0, 2 * unknown), lambda: lazy.average(unknown, weights=2 * unknown)),
    ):
        with pytest.raises(ValueError, match=r"compute_chunk_sizes\(\)"):
            call()
    for ddof in (np.inf, 0.5):
        with pytest.raises(ValueError, match="ddof must be integer"):
            lazy.cov(a, ddof=ddof)
    with pytest.raises(TypeError, match="ddof must be an integer, not '1'"):
        lazy.cov(a, ddof="1")


@pytest.mark.parametrize("axis", [None, 0])
@pytest.mark.parametrize("chunks", [2, 6])
@pytest.mark.parametrize("dtype", [float, int])
def test_cumsum_refuses_masks(axis, chunks, dtype):
    masked = da.ma.masked_array(da.from_array(np.arange(6).astype(dtype), chunks=chunks), np.arange(6) == 2)
    with pytest.raises(TypeError, match="masked"):
        lazy.cumsum(masked, axis).compute()


def test_a_row_of_y_is_a_variable():
    rng = np.random.default_rng(0)
    for m, y in ((rng.normal(size=(5, 2)), rng.normal(size=(1, 5))), (rng.normal(size=(5, 2)), rng.normal(size=5))):
        made = lazy.cov(da.from_array(m, chunks=2), da.from_array(y, chunks=2), rowvar=False)
        assert_same(made.compute(), pycrust.cov(m, y, rowvar=False))
    with pytest.raises(ValueError, match="observations"):
        lazy.cov(da.ones((1, 3)), da.arange(3.0)[None], rowvar=False)


def test_unknown_sizes_beside_the_axis():
    a = da.from_array(np.arange(24.0).reshape(4, 6), chunks=2)
    a = a[a[:, 0] > -10]
    for call in (lambda: lazy.move_sum(a, 3, axis=1), lambda: lazy.cumsum(a)):
        with pytest.raises(ValueError, match=r"compute_chunk_sizes\(\)"):
            call()


def test_products_of_python_ints():
    a = np.array([2**70, 1, 2], object)
    b = da.from_array(a, chunks=2)
    assert lazy.dot(b, b).compute() == pycrust.dot(a, a)
    assert_same(lazy.average(b, weights=b).compute(), np.float64(pycrust.average(a, weights=a)))
    assert_same(lazy.cov(b, b).compute(), pycrust.cov(a, a))


def test_empty_chunks_of_python_ints():
    x = np.array([[1, 2**70], [2, 3]], object)
    for chunks in (((2, 0), (2,)), ((0, 1, 1), (1, 0, 1))):
        a = da.from_array(x, chunks=chunks)
        for name in ("mean", "sumsq", "norm", "nanmean"):
            assert getattr(lazy, name)(a).compute() == getattr(pycrust, name)(x)
        for axis in (0, 1):
            assert_same(lazy.sum(a, axis, dtype=object).compute(), pycrust.sum(x, axis, dtype=object))
            assert_same(lazy.average(a, axis, a).compute(), pycrust.average(x, axis, x))
        assert_same(lazy.vecdot(a[1:], a[1:]).compute(), pycrust.vecdot(x[1:], x[1:]))
        assert lazy.dot(a[:, 1], a[:, 0]).compute() == pycrust.dot(x[:, 1], x[:, 0])
        assert_same(lazy.cov(a).compute(), pycrust.cov(x))
    some = da.from_array(x.ravel(), chunks=2)
    assert lazy.sum(some[some > 3]).compute() == 2**70
    assert int(lazy.sum(some[some < 0])) == 0


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_where_that_does_not_fit_unknown_chunk_sizes(axis):
    a = da.from_array(np.arange(12.0).reshape(6, 2), chunks=(3, 2))
    a = a[a[:, 0] > -1]
    one_each = da.from_array(np.array([[True], [False]]), chunks=1)
    for where in (one_each, one_each[one_each[:, 0] | True]):
        with pytest.raises(ValueError, match=r"where has shape \(1, 1\) in a chunk of shape \(3, 2\)"):
            lazy.sum(a, axis, where=where).compute()
    for where in (da.from_array(np.array([[True]]), chunks=((0, 1), (1,))), np.array([True, False])):
        expected = pycrust.sum(np.arange(12.0).reshape(6, 2), axis, where=np.asarray(where))
        assert_same(np.asarray(lazy.sum(a, axis, where=where).compute()), np.asarray(expected))


def test_no_elements_in_several_chunks():
    a, w = da.zeros((2, 0), chunks=((2,), (0, 0))), da.zeros((2, 0), chunks=((2,), (0,)))
    for one, other in ((a, w), (w, a), (a, a)):
        with pytest.raises(ZeroDivisionError):
            lazy.average(one, weights=other).compute()
        assert_same(lazy.vecdot(one, other).compute(), np.zeros(2))
        assert lazy.dot(one[0], other[0]).compute() == 0


def test_vecdot_broadcasts_a_row_beside_an_empty_chunk():
    row, rows = np.ones((1, 3)), np.arange(12.0).reshape(4, 3)
    x, y = da.from_array(row, chunks=((0, 1), (3,))), da.from_array(rows, chunks=(2, 3))
    assert_same(lazy.vecdot(x, y).compute(), pycrust.vecdot(row, rows))
    assert_same(lazy.vecdot(y, x).compute(), pycrust.vecdot(rows, row))


def test_cumsum_of_no_elements():
    for shape, chunks in (((15, 3, 0), ((15,), (1, 2), (0,))), ((0, 6), ((0,), (3, 3))), ((2, 0), ((1, 1), (0, 0)))):
        for dtype in (float, int, complex):
            a = da.zeros(shape, dtype=dtype, chunks=chunks)
            assert_same(lazy.cumsum(a).compute(), pycrust.cumsum(np.zeros(shape, dtype)))


@pytest.mark.parametrize("axis", [None, 0])
def test_cumsum_refuses_integers_among_floats(axis):
    a = da.arange(6, chunks=3).map_blocks(lambda b: b * 0.5 if b[0] < 3 else b, dtype=float, meta=np.empty(0))
    with pytest.raises(TypeError, match="of int64 where dask expects float64"):
        lazy.cumsum(a, axis).compute()
    narrow = da.arange(6, chunks=3).map_blocks(lambda b: b.astype(np.int8) if b[0] < 3 else b, dtype=np.int64)
    assert lazy.cumsum(narrow, axis).compute().tolist() == [0, 1, 3, 6, 10, 15]
    objects = da.from_array(np.arange(6).astype(object), chunks=3)
    objects = objects.map_blocks(lambda b: b.astype(int) if b[0] < 3 else b, dtype=object)
    assert lazy.cumsum(objects, axis).compute().tolist() == [0, 1, 3, 6, 10, 15]
