"""Every layout in memory gives the bits of the same numbers in a row, without a copy."""

import itertools
import math
import signal
import sys
import tracemalloc

import numpy as np
import pytest
from cases import all_pairs
from hard_arrays import DTYPES, HUGE, TINY, assert_same, hard_arrays, layouts, reduced, unchanged
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pycrust
from pycrust import reference

BOTH = ["sumsq", "std"]  # of one kind of sum, and of two
FUNCTIONS = [*BOTH, "sum"]

pytestmark = pytest.mark.filterwarnings("ignore:(var|std) :RuntimeWarning")


def sample(dtype, shape, seed=0):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind in "fc":
        with np.errstate(over="ignore"):
            a = rng.normal(size=shape) * np.ldexp(1.0, rng.integers(-30, 30, shape))
            a = a + (1j * rng.normal(size=shape) if dtype.kind == "c" else 0)
            return np.asarray(a, dtype)
    return (
        rng.integers(0, 256, (*shape, dtype.itemsize), np.uint8)
        .view("u1" if dtype == bool else dtype)[..., 0]
        .astype(dtype)
    )


# ---- the zoo ------------------------------------------------------------------


@all_pairs(
    dtype=DTYPES,
    shape=[(), (1,), (7,), (3000,), (37, 53), (2, 1500), (1500, 2), (5, 1, 7), (3, 4, 5, 6), (2, 0, 3)],
)
def test_whole_arrays(dtype, shape, tmp_path):
    a = sample(dtype, shape)
    total = reference.Accumulator()
    total.update(a)
    for name, view in layouts(a, tmp_path):
        with unchanged(view):
            for name in ("sumsq", "norm", "sum", *(["rms", "mean", "var", "std"] if a.size else [])):
                assert_same(getattr(pycrust, name)(view), getattr(total, name)())


@all_pairs(dtype=DTYPES, shape=[(37, 53), (2, 1500), (1500, 2), (3, 4, 5)])
def test_axes(dtype, shape, tmp_path):
    a = sample(dtype, shape)
    for function, axis in itertools.product(BOTH, (0, 1, -1, (0, 1), (-1, 0))):
        expected = reduced(reference, function, a, axis)
        for name, view in layouts(a, tmp_path):
            with unchanged(view):
                assert_same(reduced(pycrust, function, view, axis), expected)


EACH = np.random.default_rng(5).random((31, 67)) < 0.4
MASKS = [EACH[:, :1], EACH[0], EACH, np.asfortranarray(EACH), EACH[::-1, ::-1], np.False_, np.True_, [[True]]]


@all_pairs(dtype=DTYPES, mask=range(len(MASKS)))
def test_masks(dtype, mask, tmp_path):
    a = sample(dtype, (31, 67))
    for function, axis in itertools.product(BOTH, (None, 0, 1)):
        expected = reduced(reference, function, a, axis, where=MASKS[mask])
        for name, view in layouts(a, tmp_path):
            assert_same(reduced(pycrust, function, view, axis, where=MASKS[mask]), expected)


def test_masked_numbers_do_not_count(level):
    a = np.array([3.0, math.nan, 4.0, math.inf])
    where = np.isfinite(a)
    assert pycrust.sumsq(a, where=where) == 25.0
    assert pycrust.norm(a, where=where) == 5.0
    assert pycrust.rms(a, where=where) == math.sqrt(12.5)
    assert pycrust.sumsq(a, where=False) == 0.0
    nothing = pycrust.Accumulator()
    nothing.update(a, where=False)
    assert nothing.count == nothing.sumsq() == 0
    assert pycrust.sumsq(np.ma.masked_invalid(a).data, where=~np.ma.masked_invalid(a).mask) == 25.0


@given(data=st.data())
def test_views_of_views(level, data):
    """Any slicing, flipping and reshaping, one after the other."""
    dtype = data.draw(st.sampled_from(DTYPES))
    a = data.draw(hard_arrays(dtype, sizes=st.just(720))).reshape(data.draw(st.permutations([4, 5, 6, 6])))
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            a = a[data.draw(hnp.basic_indices(a.shape, allow_newaxis=True, max_dims=8))]
            a = np.asarray(a)
        a = a.transpose(data.draw(st.permutations(range(a.ndim))))
    for name in FUNCTIONS:
        axis = data.draw(st.sampled_from([None, *range(a.ndim)]))
        assert_same(reduced(pycrust, name, a, axis), reduced(reference, name, a, axis))


@given(
    st.sampled_from(DTYPES),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(-9, 9),
    st.integers(-9, 9),
)
def test_strides_of_any_number_of_bytes(level, dtype, m, n, row, step):
    """Overlapping, misaligned, backwards, standing still."""
    dtype = np.dtype(dtype)
    if dtype == bool:
        buffer = np.random.default_rng(0).integers(0, 2, 2000, np.uint8)
    else:
        buffer = np.random.default_rng(0).integers(0, 60, 2000, np.uint8)
    lowest = min(0, row * (m - 1)) + min(0, step * (n - 1))
    a = np.ndarray((m, n), dtype, buffer, offset=-lowest, strides=(row, step))
    for name, axis in itertools.product(FUNCTIONS, (None, 0, 1)):
        assert_same(reduced(pycrust, name, a, axis), reduced(reference, name, a, axis))


# ---- elements that stand for many ---------------------------------------------


def test_one_number_seen_often(level):
    assert_same(pycrust.sumsq(np.broadcast_to(3, 2**40)), 9 * 2**40)
    assert_same(pycrust.sumsq(np.broadcast_to(np.uint64(2**64 - 1), (2**20, 2**20))), (2**64 - 1) ** 2 * 2**40)
    assert_same(pycrust.sumsq(np.broadcast_to(np.int8(-128), (2**30, 2**30))), 2**74)
    assert_same(pycrust.sumsq(np.broadcast_to(True, (2**31, 2**31))), 2**62)
    third = np.float64(1 / 3)
    assert_same(pycrust.sumsq(np.broadcast_to(third, 2**40)), reference.sumsq([third]) * 2.0**40)
    assert_same(pycrust.norm(np.broadcast_to(np.float32(-2), 2**40)), 2.0**21)
    assert_same(pycrust.rms(np.broadcast_to(np.float16(0.1), 2**40)), float(np.float16(0.1)))
    assert_same(pycrust.rms(np.broadcast_to(HUGE, 2**40)), HUGE)
    assert_same(pycrust.norm(np.broadcast_to(HUGE, 2**40)), math.inf)
    assert_same(pycrust.norm(np.broadcast_to(TINY, 2**40)), TINY * 2.0**20)
    assert_same(pycrust.sumsq(np.broadcast_to(math.nan, 2**40)), math.nan)
    assert_same(pycrust.sumsq(np.broadcast_to(-math.inf, 2**40)), math.inf)
    assert_same(pycrust.sumsq(np.broadcast_to(3 + 4j, 2**40)), 25.0 * 2**40)
    assert_same(pycrust.sum(np.broadcast_to(3 + 4j, 2**40)), (3 + 4j) * 2**40)
    assert_same(pycrust.sum(np.broadcast_to(np.int8(-128), (2**30, 2**30))), -(2**67))
    assert_same(pycrust.sum(np.broadcast_to(np.uint64(2**64 - 1), (2**20, 2**20))), (2**64 - 1) * 2**40)
    assert_same(pycrust.sum(np.broadcast_to(HUGE, 2**40)), math.inf)
    for number in (3, np.uint64(2**63), True, third, np.float32(-0.1), HUGE, -TINY, 0.1 - 0.7j):
        often = np.broadcast_to(number, 2**40)
        assert_same(pycrust.mean(often), reference.mean([number]))
        assert_same(pycrust.var(often), 0.0)


def test_rows_seen_often(level):
    few = np.array([1, 2, 3])
    assert_same(pycrust.sumsq(np.broadcast_to(few, (2**40, 3))), 14 * 2**40)
    assert_same(pycrust.sumsq(np.broadcast_to(few[:, None], (3, 2**40))), 14 * 2**40)
    assert_same(pycrust.sumsq(np.broadcast_to(few[:, None, None], (3, 2**20, 2**20))), 14 * 2**40)
    assert_same(
        pycrust.sumsq(np.broadcast_to(few[::-1, None] / 7, (2**20, 3, 2**20))), reference.sumsq(few / 7) * 2.0**40
    )
    assert_same(pycrust.sumsq(np.broadcast_to(few[:, None], (3, 2**40)), axis=1), np.array([1, 4, 9]) << 40)
    assert_same(pycrust.norm(np.broadcast_to(few[:, None], (3, 2**40)), axis=1), few * 2.0**20)
    assert_same(pycrust.sumsq(np.broadcast_to(few, (2**40, 3)), axis=0), np.array([1, 4, 9]) << 40)
    assert_same(pycrust.rms(np.broadcast_to(few, (2**40, 3)), axis=0), np.array([1.0, 2.0, 3.0]))
    assert_same(pycrust.sumsq(np.broadcast_to(few, (2**40, 3)), workers=2), 14 * 2**40)
    for wide in (np.broadcast_to(few, (2**40, 3)), np.broadcast_to(few[:, None, None], (3, 2**20, 2**20))):
        assert_same(pycrust.sum(wide), 6 * 2**40)
        assert_same(pycrust.mean(wide), 2.0)
        assert_same(pycrust.std(wide), reference.std(few))
    assert_same(pycrust.mean(np.broadcast_to(few / 7, (2**40, 3)), axis=0), few / 7)
    assert_same(pycrust.var(np.broadcast_to(few / 7, (2**40, 3)), axis=0), np.zeros(3))
    total = pycrust.Accumulator()
    total.update(np.broadcast_to(few, (2**40, 3)))
    assert (total.count, total.sumsq()) == (3 * 2**40, 14 * 2**40)


@given(data=st.data())
def test_small_broadcasts(level, data):
    dtype = data.draw(st.sampled_from(DTYPES))
    shape = data.draw(hnp.array_shapes(max_dims=3, max_side=4))
    a = data.draw(hard_arrays(dtype, sizes=st.just(math.prod(shape)))).reshape(shape)
    a = a[tuple(data.draw(st.sampled_from([slice(None), slice(0, 1)])) for _ in shape)]
    wide = np.broadcast_to(
        a, (*data.draw(st.sampled_from([(), (3,), (2, 5)])), *(5 if side == 1 else side for side in a.shape))
    )
    wide = wide.transpose(data.draw(st.permutations(range(wide.ndim))))
    for name, axis in itertools.product(FUNCTIONS, (None, *range(wide.ndim))):
        assert_same(reduced(pycrust, name, wide, axis), reduced(reference, name, wide, axis))


# ---- no copies ----------------------------------------------------------------


def peak_of(function, *args, **kwargs):
    function(*args, **kwargs)  # what is made once
    tracemalloc.start()
    try:
        function(*args, **kwargs)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.thread_unsafe(reason="tracemalloc sees every thread")
@pytest.mark.parametrize("dtype", DTYPES)
def test_never_a_full_copy(dtype):
    a = np.ones((1000, 8_000 // np.dtype(dtype).itemsize), dtype)
    mask = np.broadcast_to(True, a.shape)
    for name, view in layouts(a):
        for axis, where in ((None, True), (0, True), (1, True), (None, mask)):
            peak = peak_of(pycrust.std, view, axis, where=where)  # which has both sums
            assert peak < a.nbytes / 4, f"{peak} bytes for {name}, axis {axis}"
    assert peak_of(pycrust.norm, a, workers=2) < a.nbytes / 4
    assert peak_of(pycrust.Accumulator().update, a[:, ::2]) < a.nbytes / 4


@pytest.mark.thread_unsafe(reason="tracemalloc sees every thread")
@pytest.mark.parametrize("dtype", ["i2", "f8", "c16"])
@pytest.mark.parametrize("name", ["sum", "std"])
def test_no_temporaries(name, dtype):
    """Ten million bytes: what a call takes beside them does not grow with them, nor with the number of results."""
    a = np.ones((1000, 10_000_000 // np.dtype(dtype).itemsize // 1000), dtype)
    a[500, 500] = 3
    function = getattr(pycrust, name)
    for view in (a, a[:, ::2], a.T, a[::-1]):
        for options in ({}, {"workers": 2}, {"where": a[:, :1] == 1}):
            if view.shape[0] == 1000 or "where" not in options:
                assert peak_of(function, view, **options) < 50_000
    for view in (a, a.reshape(-1, 100), a.T):
        for axis in (0, 1):
            assert peak_of(function, view, axis) < 400_000 + 16 * view.shape[1 - axis]


def test_any_bytes_in_an_array_of_bool(level):
    """Of bytes that are no bools, as a view of others may hold, all but 0 are True, in data and in masks."""
    size = 6001
    octets = np.random.default_rng(0).integers(0, 256, size).astype("u1")
    octets[::2] = 0
    true = octets != 0
    a = np.random.default_rng(1).normal(size=size)
    for step in (1, 3, -1):
        bools = octets[::step].view(bool)
        assert_same(pycrust.sum(bools), int(true[::step].sum()))
        assert_same(pycrust.var(bools), reference.var(true[::step]))
        for name in ("sum", "sumsq", "mean"):
            expected = getattr(pycrust, name)(a[::step][true[::step]])
            assert_same(getattr(pycrust, name)(a[::step], where=bools), expected)
        assert pycrust.Accumulator(a[::step], where=bools).count == true[::step].sum()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="as Linux does it")
@pytest.mark.parametrize("call", ["np.sum(a)", "pycrust.sum(a)"])
def test_a_file_cut_short_while_it_is_mapped(call, tmp_path, python):
    """The system ends the process, whoever reads: nobody else can know."""
    script = f"""
import numpy as np, pycrust
np.ones(10**6).tofile("data")
a = np.memmap("data", mode="r")
open("data", "r+b").truncate(4096)
{call}
"""
    process = python(script, cwd=tmp_path)
    assert process.returncode == -signal.SIGBUS
