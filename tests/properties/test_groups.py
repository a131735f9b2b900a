"""group_sum and the others: the bits of the function of each group alone, whatever the order, the labels and the threads."""

import itertools
import warnings

import numpy as np
import pytest
from cases import all_pairs
from hard_arrays import DTYPES, HUGE, TINY, assert_same, hard_arrays, offset_arrays
from hypothesis import given
from hypothesis import strategies as st

import pycrust
from pycrust import reference

NAMES = ["group_sum", "group_mean", "group_var", "group_std", "group_sumsq", "group_count"]
LABEL_DTYPES = ["i1", "u1", "i2", ">i2", "u2", "i4", "u4", ">u4", "i8", "u8", ">i8"]
RNG = np.random.default_rng(30)

pytestmark = pytest.mark.filterwarnings("ignore:(mean|var|std|Mean|Degrees) :RuntimeWarning")


def exact_dtype(name, a):
    return {"dtype": object} if name in ("group_sum", "group_sumsq") and a.dtype.kind in "biu" else {}


def compare(values, labels, **given):
    """Like the oracle, in each of the orders that a group may come in."""
    values, labels = np.asarray(values), np.asarray(labels)
    order, by_label = RNG.permutation(len(labels)), np.argsort(labels, kind="stable")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for name in NAMES:
            more = {**given, **exact_dtype(name, values)}
            expected = getattr(reference, name)(values, labels, **more)
            function = getattr(pycrust, name)
            assert_same(function(values, labels, **more), expected)
            assert_same(function(values[::-1], labels[::-1], workers=2, **more), expected)
            assert_same(function(values[order], labels[order], **more), expected)
            assert_same(function(values[by_label], labels[by_label], **more), expected)


# ---- values -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_hard_arrays(level, dtype, data):
    values = data.draw(hard_arrays(dtype, sizes=st.sampled_from([0, 1, 2, 5, 17, 300])))
    labels = data.draw(st.integers(1, 9).map(lambda n: RNG.integers(-1, n, size=len(values))))
    compare(values, labels, num_labels=9, skipna=data.draw(st.booleans()))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_small_spreads_and_numbers_that_cancel(level, dtype, data):
    values = data.draw(offset_arrays(dtype))
    compare(values, RNG.integers(0, 3, size=len(values)), num_labels=3)


@given(
    st.lists(st.sampled_from([-1100, -1074, -1000, -400, -60, -20, 0, 20, 60, 400, 900, 1000]), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(-(2**53), 2**53)), max_size=40),
)
def test_states_that_move_and_spill(scales, numbers):
    """Numbers of every distance from each other: exponents move up and down, and accumulators take what does not fit."""
    values = [float(np.ldexp(float(m), min(scales[k % len(scales)], 970))) for k, _, m in numbers]
    compare(np.array(values, dtype=float), np.array([label for _, label, _ in numbers], dtype=int), num_labels=3)


@pytest.mark.parametrize("step", [-70, -33, -16, 16, 33, 70])
def test_numbers_ever_larger_and_ever_smaller(step):
    values = np.ldexp(RNG.integers(1, 2**53, size=27).astype(float), step * np.arange(27) - (900 if step > 0 else 0))
    compare(values, np.arange(len(values)) % 2)
    compare(np.concatenate([values, -values[1:]]), np.zeros(2 * len(values) - 1, int))


def test_the_ends_of_the_range():
    for values in (
        [HUGE] * 70,
        [HUGE, -HUGE, TINY],
        [TINY, HUGE],
        [TINY] * 5,
        [HUGE, 1.0, -HUGE, 2.0**-1022],
        [0.0, -0.0],
    ):
        compare(np.array(values), np.zeros(len(values), int))


def test_integers_that_wrap_elsewhere():
    for dtype in ("i8", "u8"):
        ends = np.array([np.iinfo(dtype).min, np.iinfo(dtype).max] * 40, dtype)
        compare(ends, np.arange(80) % 3)


def test_squares_beyond_the_window():
    """2**25 squares are more than a state holds, if the largest that it takes; then they move to an accumulator."""
    large, small = (2**53 - 1) * 2**10, 2**47  # with which the state begins
    values = np.full(1 << 16, float(large))
    values[0] = small
    many = np.broadcast_to(values, (1 << 10, 1 << 16))
    labels = np.zeros(many.shape, np.int8)
    count = many.size - 1024
    assert_same(pycrust.group_sumsq(many, labels, axis=None), np.array([float(count * large**2 + 1024 * small**2)]))
    assert_same(pycrust.group_sum(many, labels, axis=None), np.array([float(count * large + 1024 * small)]))


@pytest.mark.parametrize("special", [[np.nan], [np.inf], [-np.inf], [np.inf, -np.inf], [np.inf, np.nan]])
def test_nan_and_infinities_stay_in_their_group(special):
    values = np.array([1.0, 2.0, *special, 3.0])
    labels = np.array([0, 1, *[1] * len(special), 2])
    for skipna in (False, True):
        compare(values, labels, skipna=skipna)
        compare(np.stack([values, values[::-1]], axis=-1).reshape(-1).view(complex), labels, skipna=skipna)


# ---- shapes, labels, options ------------------------------------------------------


SHAPES = {"1d": ((40,), -1), "rows": ((3, 40), -1), "columns": ((40, 3), 0), "grid": ((4, 12, 5), 1), "all": ((6, 7), None),
          "two axes": ((3, 5, 4), (1, 2)), "two outer": ((3, 5, 4), (0, 2))}  # fmt: skip


@all_pairs(
    shape=SHAPES, dtype=["i2", "u8", "f4", "f8", ">f8", "c16"], labels=LABEL_DTYPES, name=NAMES, layout=["C", "F", "strided"],
    where=[False, True], workers=[1, 2],
)  # fmt: skip
def test_every_layout(shape, dtype, labels, name, layout, where, workers):
    lengths, axis = SHAPES[shape]
    values = (
        (100 * RNG.normal(size=lengths)).astype(dtype)
        if dtype != "u8"
        else RNG.integers(0, 99, size=lengths).astype(dtype)
    )
    if layout == "strided":
        values = np.stack([values, values], axis=-1)[..., 1][::-1]
    values = np.asarray(values, order="F" if layout == "F" else None)
    axes = range(len(lengths)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    names = RNG.integers(-1 if np.dtype(labels).kind == "i" else 0, 4, size=[lengths[k] for k in axes]).astype(labels)
    more = {"axis": axis, "num_labels": 5, **exact_dtype(name, values)}
    if where:
        more["where"] = RNG.integers(0, 2, size=lengths[-1]).astype(bool)
    expected = getattr(reference, name)(values, names, **more)
    assert_same(getattr(pycrust, name)(values, names, workers=workers, **more), expected)


@pytest.mark.parametrize("lengths", [(3, 3, 3), (2, 2, 2, 2), (8, 8, 8)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_sorted_labels_along_any_axes(lengths, order):
    """Axes of one length, side by side or not: the labels of each element are those at its own indexes."""
    values = np.asarray(RNG.normal(size=lengths), order=order)
    for count in range(1, len(lengths)):
        for axes in itertools.permutations(range(len(lengths)), count):
            labels = np.arange(lengths[0] ** count).reshape(lengths[:count]) // lengths[0]
            expected = reference.group_sum(values, labels, axis=axes)
            assert_same(pycrust.group_sum(values, labels, axis=axes), expected)
            assert_same(pycrust.group_sum(values, labels.astype(np.int8), axis=axes, workers=2), expected)
            some = pycrust.group_sum(values, labels, axis=axes, where=values > 0)
            assert_same(some, reference.group_sum(np.maximum(values, 0), labels, axis=axes))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_pieces_of_many_threads_that_spill(workers):
    values = RNG.normal(size=200_000) * 2.0 ** RNG.integers(-300, 300, size=200_000)
    labels = RNG.integers(0, 50, size=values.size)
    for name in NAMES:
        expected = [getattr(pycrust, name.removeprefix("group_"), np.size)(values[labels == k]) for k in range(50)]
        assert_same(getattr(pycrust, name)(values, labels, workers=workers), np.array(expected))


def test_ddof_and_dtype():
    values, labels = RNG.normal(size=60), np.arange(60) % 7
    for ddof in (0, 1, 2.5, 0.1, 9, 1e300):
        for name in ("group_var", "group_std"):
            more = {"ddof": ddof}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                for dtype in (None, "f8", "f4", "f2"):
                    expected = getattr(reference, name)(values, labels, **more, dtype=dtype)
                    assert_same(getattr(pycrust, name)(values, labels, **more, dtype=dtype), expected)
                assert_same(
                    getattr(pycrust, name)(values, labels, correction=ddof),
                    getattr(reference, name)(values, labels, **more),
                )


def test_python_ints():
    values = [2**70, -(2**80), 3, 5, 2**1200]
    labels = [0, 0, 2, -1, 2]
    assert_same(pycrust.group_sum(values, labels, dtype=object), reference.group_sum(values, labels, dtype=object))
    assert_same(
        pycrust.group_sumsq(values[:4], labels[:4], dtype=object),
        reference.group_sumsq(values[:4], labels[:4], dtype=object),
    )
    rows = [values[:3], values[1:4]]
    for axis in (0, 1):
        of = labels[: np.shape(rows)[axis]]
        for name in ("group_mean", "group_var", "group_count"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                expected = getattr(reference, name)(rows, of, axis=axis, num_labels=4)
                assert_same(getattr(pycrust, name)(rows, of, axis=axis, num_labels=4), expected)


def test_empty_groups():
    values, labels = np.array([1.0, 2.0]), np.array([3, 3])
    assert_same(pycrust.group_sum(values, labels), np.array([0.0, 0, 0, 3]))
    assert_same(pycrust.group_count(values, labels, num_labels=5), np.array([0, 0, 0, 2, 0]))
    with pytest.warns(RuntimeWarning, match="mean of no elements") as caught:
        assert_same(pycrust.group_mean(values, labels), np.array([np.nan, np.nan, np.nan, 1.5]))
    assert len(caught) == 1
    for labels in ([], np.zeros(0, np.uint16)):
        assert_same(pycrust.group_sum([], labels), np.zeros(0))
        assert_same(pycrust.group_sum([], labels, num_labels=2), np.zeros(2))
    assert_same(pycrust.group_sum(np.ones(3), [-1, -5, -1]), np.zeros(0))


@pytest.mark.parametrize("dtype", ["?", "i1", "i8", "u8", "f2", "f4", "f8", ">f8", "c8", "c16"])
@pytest.mark.parametrize("labels", ["i1", ">i4", "i8"])
def test_long_runs_of_one_label(level, dtype, labels):
    """Which go through the kernels of blocks; with numbers of every size among them, into the pool."""
    lengths = [1, 127, 128, 129, 200, 64, 70, 700, 128]
    of = np.repeat([0, 1, 2, -1, 3, 1, 2, 4, 0], lengths).astype(labels)
    values = RNG.normal(size=of.size) * (
        30 if np.dtype(dtype).kind in "biu" else 2.0 ** RNG.integers(-9, 9, size=of.size)
    )
    values = (values > 0).astype(dtype) if dtype == "?" else np.abs(values).astype(dtype)
    compare(values, of, num_labels=6)
    if dtype == "f8":
        compare(values * 2.0 ** RNG.integers(-500, 400, size=of.size), of)
        rows = np.stack([values, -values, values[::-1]])
        assert_same(pycrust.group_var(rows, of), np.stack([pycrust.group_var(row, of) for row in rows]))
        compare(np.stack([values, values], axis=1)[:, 0], of)
        of[300:] = 9
        with pytest.raises(IndexError, match=r"labels\[300\] is 9"):
            pycrust.group_sum(values, of, num_labels=9)


# ---- sorted labels: groups side by side, without states -----------------------


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_groups_side_by_side(level, dtype, data):
    """Of any lengths, with labels that no element has, and elements that are left out."""
    lengths = data.draw(st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 9, 30, 64, 127, 128, 129]), min_size=1, max_size=9))
    out, more = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 70))
    labels = np.repeat([-1, *np.cumsum([k % 7 == 3 for k in lengths]) * 40 + np.arange(len(lengths))], [out, *lengths])
    values = data.draw(hard_arrays(dtype, sizes=st.just(len(labels))))
    compare(values, labels, num_labels=int(labels.max(initial=-1)) + 1 + more, skipna=data.draw(st.booleans()))


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"])
@pytest.mark.parametrize("kind", ["alike", "ties", "far apart", "constant", "missing"])
def test_long_groups_side_by_side(level, dtype, kind):
    """Of every length at which another way begins, and beyond."""
    lengths = np.array([1, 4095, 3, 4096, 4097, 129, 300, 0, 6000, 128, 17])
    n = lengths.sum()
    if np.dtype(dtype).kind != "f":
        most = 1 if dtype == "?" else int(np.iinfo(dtype).max)
        values = RNG.integers(0, most, size=n, endpoint=True, dtype=np.uint64).astype(dtype)
        values = values // 2**20 if kind == "alike" and np.dtype(dtype).itemsize == 8 else values
    elif kind == "ties":
        values = (RNG.integers(0, 2**9, size=n) * 2.0 ** -RNG.integers(0, 9, size=n)).astype(dtype)
    else:
        values = (RNG.normal(size=n) * 2.0 ** (RNG.integers(-9, 9, size=n) * (kind == "far apart"))).astype(dtype)
    if kind == "far apart" and dtype == "f8":
        values[::1000] *= 2.0**500
    elif kind == "constant":
        values = np.repeat(values[: len(lengths)], lengths)
    elif kind == "missing" and np.dtype(dtype).kind == "f":
        values[RNG.random(n) < 0.001] = np.nan
    labels = np.repeat(np.arange(len(lengths)), lengths)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for name in NAMES[:5]:
            one = getattr(pycrust, ("nan" if kind == "missing" else "") + name.removeprefix("group_"), None)
            if one is None:
                continue
            large = name in ("group_sum", "group_sumsq") and np.dtype(dtype).itemsize >= 4
            more = {"dtype": float} if large else {}
            each = [one(group, **more) for group in np.split(values, np.cumsum(lengths)[:-1])]
            got = getattr(pycrust, name)(values, labels, skipna=kind == "missing", **more)
            assert_same(got, np.array(each, np.uint64 if got.dtype == np.uint64 else None))


@all_pairs(labels=LABEL_DTYPES, workers=[1, 2, 3])
def test_rows_of_groups_side_by_side(labels, workers):
    """In pieces of several threads; each row, and each column, like an array of its own."""
    of = np.sort(RNG.integers(-1 if np.dtype(labels).kind == "i" else 0, 100, size=300_000)).astype(labels)
    values = RNG.normal(size=(2, of.size))
    for name in ("group_sum", "group_var"):
        function = getattr(pycrust, name)
        got = function(values, of, workers=workers)
        order = RNG.permutation(of.size)
        assert_same(got, function(values[:, order], of[order], workers=workers))
        assert_same(got[1], function(values[1], of, num_labels=100))
        assert_same(got, function(values.reshape(2, 100, -1), of.reshape(100, -1), axis=(1, 2), workers=workers))
    few, order = slice(50_000), RNG.permutation(50_000)  # one chunk, and labels that none has
    expected = pycrust.group_sum(values[0, order], of[order], num_labels=199)
    assert_same(pycrust.group_sum(values[0, few], of[few], num_labels=199), expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("axis", [0, 1, (0, 1)])
@pytest.mark.parametrize("workers", [1, 2])
def test_labels_in_order_along_other_axes(name, axis, workers):
    """Rows, or planes, with one label after another: like the function of each label's own."""
    values = RNG.normal(size=(300, 70, 9)) * 10.0 ** RNG.integers(-30, 30, size=(300, 70, 9))
    shape = tuple(np.take(values.shape, axis if isinstance(axis, tuple) else (axis,)))
    labels = np.sort(np.arange(np.prod(shape)) % 12).reshape(shape)
    got = getattr(pycrust, name)(values, labels, axis=axis, num_labels=12, workers=workers)
    rows = np.moveaxis(values, axis, range(labels.ndim))
    function = (lambda a, axis: np.full(a.shape[1], len(a))) if name == "group_count" else getattr(pycrust, name[6:])
    expected = [function(rows[labels == k].reshape(np.sum(labels == k), -1), axis=0) for k in range(12)]
    got = np.moveaxis(got, axis if isinstance(axis, int) else 0, 0)
    assert_same(np.ascontiguousarray(got.reshape(12, -1)), np.array(expected))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_slices_side_by_side(level, dtype, data):
    """Rows with one label after another, some of no row: like the oracle, and like an array between others."""
    lengths = data.draw(st.lists(st.sampled_from([0, 1, 2, 3, 9, 30]), min_size=1, max_size=5))
    width, skipna = data.draw(st.sampled_from([1, 2, 3, 8, 9])), data.draw(st.booleans())
    labels = np.repeat(np.arange(len(lengths)), lengths)
    values = data.draw(hard_arrays(dtype, sizes=st.just(width * len(labels)))).reshape(-1, width)
    swapped = values.astype(values.dtype.newbyteorder())
    planes = np.stack([values[::-1], values])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for name in NAMES[:5]:
            function = getattr(pycrust, name)
            more = {"num_labels": len(lengths) + 2, "skipna": skipna, "dtype": np.result_type(values, float)}
            if name in ("group_var", "group_std", "group_sumsq"):
                more["dtype"] = float
            expected = getattr(reference, name)(values, labels, axis=0, **more)
            assert_same(function(values, labels, axis=0, **more), expected)
            assert_same(function(swapped, labels, axis=0, **more), expected)
            assert_same(function(planes, labels, axis=1, **more)[1], expected)
            assert_same(function(planes[..., None], labels, axis=1, **more)[1, ..., 0], expected)


@pytest.mark.parametrize("at", [1, 17, 300, 65_536, 262_144, 299_999])
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("dtype, down", [("i8", 1), ("i4", 40)])
def test_labels_that_fall_once(level, at, workers, dtype, down):
    labels = (np.arange(300_000) // 3000 + 50).astype(dtype)
    labels[at:] -= down
    values = RNG.normal(size=labels.size)
    order = np.argsort(labels, kind="stable")
    expected = pycrust.group_sum(values[order], labels[order])
    assert_same(pycrust.group_sum(values, labels, workers=workers), expected)
    rows = np.stack([values, values], axis=1)
    assert_same(pycrust.group_sum(rows, labels, axis=0, workers=workers), np.stack([expected, expected], axis=1))
    labels[at:] += down
    labels[[2999, 3000]] = labels[[3000, 2999]]
    assert_same(pycrust.group_sum(values, labels, workers=workers), pycrust.group_sum(values[order], labels[order]))
    few = [np.iinfo(dtype).min + 40, 3]  # the differences wrap, and none is negative
    labels[at : at + 2] = few[: labels.size - at]
    labels[0] = -1
    left = labels >= 0
    assert_same(pycrust.group_sum(values, labels, workers=workers), pycrust.group_sum(values[left], labels[left]))


def test_sums_side_by_side_that_do_not_fit():
    x, labels = np.full(300, 2**62), np.arange(300) // 3
    with pytest.raises(OverflowError, match="the sum of label 0 is"):
        pycrust.group_sum(x, labels)
    assert_same(pycrust.group_sum(x, labels, dtype=np.uint64), np.full(100, 3 * 2**62, np.uint64))
    x[200:] = 1
    rows = np.stack([x, x], axis=1)
    for values in (x, rows):
        with pytest.raises(IndexError, match=r"labels\[297\] is 99, but num_labels is 99"):
            pycrust.group_mean(values, labels, axis=0, num_labels=99)
    with pytest.raises(OverflowError, match=r"the sum at \(1, 0\), where axis 0 has the labels, is"):
        pycrust.group_sum(rows, np.repeat([0, 1], [1, 299]), axis=0)
    for values in (np.array([1.0, 2.0, np.nan, 4.0, 5.0]), np.array([[1.0, 2.0, np.nan, 4.0, 5.0]] * 3).T.copy()):
        with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
            got = pycrust.group_var(values, [0, 0, 1, 1, 1], axis=0, ddof=2, skipna=True)
        assert np.isnan(got).all()


# ---- what is refused ------------------------------------------------------------


def test_labels_that_are_none():
    x = np.ones(3)
    for labels, text in [
        ([0.0, 1.0, 2.0], r"not float64: pass np.asarray\(labels\).astype\(np.int64\)"),
        ([True, False], r"not bool: pass np.asarray\(labels\).astype\(np.int8\)"),
        (np.array([True, False, True]), "not bool"),
        (["a", "b", "a"], "np.unique"),
        (np.array(["a", "b", None], object), "factorize"),
    ]:
        with pytest.raises(TypeError, match=f"labels must be integers.*{text}"):
            pycrust.group_sum(x, labels)


def test_no_label_is_allowed():
    with pytest.raises(IndexError, match=r"labels\[0\] is 0, but num_labels is 0: labels must be less, or negative to"):
        pycrust.group_mean([1.0], [0], num_labels=0)


@pytest.mark.parametrize("dtype", LABEL_DTYPES)
def test_a_label_too_large_says_where(dtype):
    labels = np.zeros(5000, dtype)
    labels[4321] = 100
    for workers in (1, 2):
        with pytest.raises(IndexError, match=r"labels\[4321\] is 100, but num_labels is 100"):
            pycrust.group_sum(np.ones(5000), labels, num_labels=100, workers=workers)
    with pytest.raises(IndexError, match=r"labels\[1, 2\] is 7, but num_labels is 3"):
        pycrust.group_mean(np.ones((2, 4)), np.array([[0, 1, 2, 0], [0, 1, 7, 0]], dtype), axis=None, num_labels=3)
    where = np.arange(5000) != 4321
    assert pycrust.group_sum(np.ones(5000), labels, num_labels=100, where=where)[0] == 4999
    with pytest.raises(IndexError, match="labels"):
        pycrust.group_sum(np.ones(2), np.array([0, 2**64 - 1], np.uint64), num_labels=100)


def test_the_label_that_an_error_names_is_of_an_element_that_counts():
    labels = np.array([9, 0, 5])
    rows = np.array([[1.0, 2.0, 3.0]] * 2)
    states = pycrust.Accumulator(shape=3)
    for call in (
        lambda: pycrust.group_sum([np.nan, 1.0, 2.0], labels, num_labels=3, skipna=True),
        lambda: pycrust.group_sum(rows, labels, num_labels=3, where=np.array([False, True, True])),
        lambda: states.update([np.nan, 1.0, 2.0], labels=labels, skipna=True),
    ):
        with pytest.raises(IndexError, match=r"labels\[2\] is 5, "):
            call()
    with pytest.raises(OverflowError, match=f"the sum of label 1 is {2**70}, "):
        pycrust.group_sum([2**70, 1, 2], [1, 0, 0])


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"labels has shape \(4,\), but values has shape \(3,\)"):
        pycrust.group_sum(np.ones(3), [0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"labels has shape \(0,\), but values has shape \(3,\)"):
        pycrust.group_sum(np.ones(3), [])
    with pytest.raises(ValueError, match=r"\(2, 3\).*pass axis=None"):
        pycrust.group_sum(np.ones((2, 3)), np.zeros((2, 3), int))
    with pytest.raises(ValueError, match="no axis along which there could be labels"):
        pycrust.group_sum(1.0, 0, axis=None)
    with pytest.raises(ValueError, match="num_labels must not be negative"):
        pycrust.group_sum(np.ones(3), [0, 1, 2], num_labels=-1)
    with pytest.raises(TypeError, match="num_labels must be an integer"):
        pycrust.group_sum(np.ones(3), [0, 1, 2], num_labels=2.5)
    with pytest.raises(MemoryError):
        pycrust.group_sum(np.ones(3), [0, 1, 2], num_labels=2**60)


def test_sums_that_do_not_fit_say_of_which_label():
    x = np.array([2**62, 2**62, 5])
    with pytest.raises(
        OverflowError, match=f"the sum of label 1 is {2**63}, which does not fit int64; use dtype=np.uint64"
    ):
        pycrust.group_sum(x, [1, 1, 0])
    assert pycrust.group_sum(x, [1, 1, 0], dtype=np.uint64).tolist() == [5, 2**63]
    with pytest.raises(OverflowError, match=r"the sum of squares at \(1, 0\)"):
        pycrust.group_sumsq(np.stack([x[::-1] // 2**61, x]), [0, 0, 1])
    assert pycrust.group_sumsq(x, [1, 1, 0], dtype=object).tolist() == [25, 2**125]


def test_labels_lie_along_the_axes_in_the_order_given():
    values, labels = np.arange(6).reshape(2, 3), np.array([[0, 1], [2, 0], [1, 2]])
    expected = pycrust.group_sum(values, labels.T, axis=(0, 1))
    assert (pycrust.group_sum(values, labels, axis=(1, 0)) == expected).all()
    sums = pycrust.Accumulator(shape=3)
    sums.update(values, labels=labels, axis=(1, 0))
    assert (sums.sum() == expected).all()


@pytest.mark.parametrize("count", [2**63, 2**64, 10**30])
def test_more_groups_than_memory_has_bytes(count):
    with pytest.raises(MemoryError):
        pycrust.group_sum([1, 2], [0, 1], num_labels=count)
