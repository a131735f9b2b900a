"""Accumulator(shape=...): each position like an Accumulator of its own, whatever the pieces, their order and the labels."""

import copy
import pickle
import signal
import sys
import threading
import warnings
from fractions import Fraction

import numpy as np
import pytest
from cases import all_pairs
from hard_arrays import DTYPES, HUGE, TINY, assert_same, hard_arrays
from hypothesis import given
from hypothesis import strategies as st

import pycrust
from pycrust import Accumulator, reference
from pycrust._accumulator import _merged, _results

RNG = np.random.default_rng(300)
RESULTS = ["sum", "mean", "var", "std", "sumsq", "norm", "rms"]

pytestmark = pytest.mark.filterwarnings("ignore:(sum|mean|var|std|rms) :RuntimeWarning")


def compare(acc, columns):
    """Each state of one axis with the oracle, and with an Accumulator of its own."""
    singles = [reference.Accumulator(column) for column in columns]
    assert acc.count.tolist() == [len(column) for column in columns]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for name in RESULTS:
            expected = [getattr(single, name)() for single in singles]
            of = object if isinstance(expected[0], int) else complex if isinstance(expected[0], complex) else float
            assert_same(getattr(acc, name)(), np.array(expected, of))
            assert_same(getattr(acc[1], name)(), expected[1])
    assert all(acc[k] == Accumulator(column) for k, column in enumerate(columns))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_pieces_in_any_order(level, dtype, data):
    """By rows, by columns, by labels, backwards, merged: equal states, and equal pickles."""
    rows = data.draw(hard_arrays(dtype, sizes=st.sampled_from([3, 30, 240, 600])))
    rows = rows[: len(rows) // 3 * 3].reshape(-1, 3)
    cut = data.draw(st.integers(0, len(rows)))
    labels = np.broadcast_to(np.arange(3), rows.shape)

    def made(*updates):
        acc = Accumulator(shape=3)
        for a, arguments in updates:
            acc.update(a, **arguments)
        return acc

    whole = made((rows, {}))
    compare(whole, list(rows.T))
    ways = [
        made((rows[cut:], {"axis": 0}), (rows[:cut], {"workers": 2})),
        made((rows.T.copy(), {"axis": 1})),
        made((rows[::-1], {"labels": labels})),
        made((rows[:cut].reshape(-1), {"labels": labels[:cut].reshape(-1)}), (rows[cut:], {"axis": -2})),
        made(*((row, {}) for row in rows)),
        made((rows[cut:], {})) + made((rows[:cut], {})),
        sum([made((rows[cut:], {})), made(), made((rows[:cut], {}))]),
        pickle.loads(pickle.dumps(whole)),
        copy.deepcopy(whole),
    ]
    for way in ways:
        assert way == whole
        assert pickle.dumps(way) == pickle.dumps(whole)


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(allow_nan=False)), max_size=30), st.integers(0, 30))
def test_any_floats(numbers, cut):
    """In one state after another, and in two that are merged: exponents, pools and what leaves them again."""
    accs = [Accumulator(np.zeros((0, 2)), shape=2), Accumulator(np.zeros((0, 2)), shape=2)]
    for k, (label, x) in enumerate(numbers):
        accs[k < cut].update([x], labels=[label])
    total = accs[0] + accs[1]
    compare(total, [np.array([x for label, x in numbers if label == k]) for k in (0, 1)])
    again = pickle.loads(pickle.dumps(total))
    for label, x in numbers[::-1]:
        again.update([-x], labels=[label])
    zeros = again.sum()
    assert np.all((zeros == 0) | np.isnan(zeros))


@all_pairs(
    dtype=["i2", "u8", "f4", ">f8", "c16"], shape=[(5, 6), (2, 700), (3, 4, 5)], axis=[0, -1, (0, 2)],
    depth=[1, 3, 20, 70], skipna=[False, True], workers=[1, 2],
)  # fmt: skip
def test_axes(dtype, shape, axis, depth, skipna, workers):
    axes = axis if isinstance(axis, tuple) else (axis,)
    full = list(shape)
    for k in sorted(k % (len(shape) + len(axes)) for k in axes):
        full.insert(k, depth if k == axes[0] % (len(shape) + len(axes)) else 2)
    a = (100 * RNG.normal(size=full)).astype(dtype) if dtype != "u8" else RNG.integers(0, 99, size=full).astype(dtype)
    if skipna and a.dtype.kind in "fc":
        a[RNG.random(full) < 0.2] = np.nan
    where = RNG.random(full) < 0.8
    acc = Accumulator(shape=shape)
    acc.update(a, axis=axis, where=where, skipna=skipna, workers=workers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        kept = where & ~np.isnan(a) if skipna else where
        for name in RESULTS:
            more = {"dtype": object} if name in ("sum", "sumsq") and a.dtype.kind in "iu" else {}
            assert_same(getattr(acc, name)(), getattr(pycrust, name)(a, axis=axis, where=kept, **more))
    assert_same(acc.count, np.sum(kept, axis=axis))


@pytest.mark.parametrize("length", [256, 512, 521, 700, 1400])  # one part, two, none of a prime, 4 and 7
@pytest.mark.parametrize("backwards", [False, True])
def test_adjacent_states_of_several_numbers_each(length, backwards):
    """They are gone through part by part."""
    step = -1 if backwards else 1
    a, where = RNG.normal(size=(3, 4, length))[..., ::step], RNG.random((3, 4, length)) < 0.8
    for axis in (0, 1):
        acc, named = Accumulator(shape=np.delete(a.shape, axis).tolist()), [5, 0, 2, 5][: a.shape[axis]]
        acc.update(a, axis=axis, where=where)
        assert_same(acc.var(), pycrust.var(a, axis=axis, where=where))
        groups = Accumulator(shape=(*a.shape[:axis], 6, *a.shape[axis + 1 :]))
        groups.update(a, axis=axis, where=where, labels=named)
        for label in range(6):
            mine = where & np.expand_dims(np.equal(named, label), tuple(k for k in range(3) if k != axis))
            assert_same(groups.sum().take(label, axis), pycrust.sum(a, axis=axis, where=mine))


def test_labels_beside_other_axes():
    a, labels = RNG.normal(size=(4, 90, 3)), RNG.integers(-1, 5, size=90)
    acc = Accumulator(shape=(4, 5, 3))
    for part in np.split(np.arange(90), 9):
        acc.update(a[:, part], labels=labels[part], axis=1)
    assert_same(acc.std(), pycrust.group_std(a, labels, axis=1))
    assert_same(acc.count, pycrust.group_count(a, labels, axis=1))


def test_ddof_and_empty_states():
    acc = Accumulator(shape=3)
    acc.update([1.0, 3.0, 2.0, 4.0], labels=[0, 0, 2, 2])
    with pytest.warns(RuntimeWarning, match="var of no more elements") as caught:
        assert_same(acc.var(), np.array([1.0, np.nan, 1.0]))
    assert len(caught) == 1
    with pytest.warns(RuntimeWarning):
        assert_same(acc.var(ddof=2), np.array([np.inf, np.nan, np.inf]))
    one = pycrust.std([1.0, 3.0], ddof=0.5)
    with pytest.warns(RuntimeWarning):
        assert_same(acc.std(correction=0.5), np.array([one, np.nan, one]))
    assert_same(acc.sum(), np.array([4.0, 0.0, 6.0]))


def test_nanvar_of_no_more_elements_than_ddof():
    """NaN, where var is infinite; as dask asks for it, of an Accumulator without and with a shape."""
    for acc in (Accumulator([1.0, 3.0]), Accumulator([[1.0], [3.0]], shape=1)):
        for name, expected in (("var", np.inf), ("nanvar", np.nan)):
            with pytest.warns(RuntimeWarning):
                assert_same(_results(acc, name, float, 2), np.full(acc.shape, expected))


def test_indexing():
    rows = RNG.normal(size=(20, 4, 5)) * 10.0 ** RNG.integers(-150, 150, size=(20, 4, 5))
    acc = Accumulator(shape=(4, 5))
    acc.update(rows)
    assert acc.shape == (4, 5) and acc[1].shape == (5,) and acc[1, 2].shape == ()
    assert acc[1][2] == acc[1, 2] == acc[-3, -3] == Accumulator(rows[:, 1, 2])
    assert_same(acc[::2, 1:].var(), acc.var()[::2, 1:])
    assert_same(acc[[3, 0]].norm(), acc.norm()[[3, 0]])
    assert_same(acc[acc.count > 99].sum(), np.zeros(0))
    for key in (4, (0, 5), -5):
        with pytest.raises(IndexError, match="out of bounds"):
            acc[key]
    with pytest.raises(TypeError, match=r"shape=\.\.\."):
        Accumulator()[0]
    part = acc[1]
    part.update(rows[0, 1])
    assert part != acc[1] and acc[1, 2] == Accumulator(rows[:, 1, 2])


def test_kinds_meet():
    acc = Accumulator(shape=2)
    assert repr(acc) == "Accumulator(shape=(2,), count=0)"
    acc.update(np.array([2**63 - 1, -(2**63)]))
    acc.update(np.array([2**64 - 1, 1], np.uint64))
    assert acc.sum().tolist() == [2**63 + 2**64 - 2, 1 - 2**63] and acc.sum().dtype == object
    acc.update([2**900, 3])
    assert acc.sumsq().tolist() == [(2**63 - 1) ** 2 + (2**64 - 1) ** 2 + 2**1800, 2**126 + 10]
    acc.update([1e-300, 0.5])
    assert_same(acc.sum(), np.array([float(2**63 + 2**64 - 2 + 2**900), 1.0 - 2**63 + 3.5]))
    acc.update([1j, 2.0])
    assert_same(acc.sum(), np.array([float(2**63 + 2**64 - 2 + 2**900) + 1j, 1.0 - 2**63 + 5.5]))
    assert repr(acc) == "Accumulator(shape=(2,), count=10)"
    again = pickle.loads(pickle.dumps(acc))
    assert again == acc and again[0] == acc[0]


def test_kinds_meet_in_merges():
    """Also in those that an update of many numbers ends with, and in those of dask."""
    rows = [np.full((9, 2), 3), np.full((9, 2), 0.25), np.full((9, 2), 1j)]
    accs = [Accumulator(row, shape=2) for row in rows]
    total, updated = Accumulator(shape=2), Accumulator(shape=2)
    for k, (row, acc) in enumerate(zip(rows, accs)):
        updated.update(row)
        total.merge(acc)
        exact = np.array([[27, 27], [29.25, 29.25], [29.25 + 9j, 29.25 + 9j]][k], [object, float, complex][k])
        for way in (updated, total, _merged(accs[: k + 1]), _merged(accs[k::-1])):
            assert_same(way.sum(), exact)
            assert way == total and way.count.tolist() == [9 * (k + 1)] * 2


def test_memory_and_pickles_of_ordinary_data():
    acc = Accumulator(shape=(100, 100))
    acc.update(RNG.normal(size=(20, 100, 100)))
    assert 1000 < sys.getsizeof(Accumulator()) < 2000
    assert 72 * 10_000 < sys.getsizeof(acc) < 80 * 10_000
    assert len(pickle.dumps(acc)) < 80 * 10_000


def test_pickles_of_as_many_axes_as_numpy_knows():
    acc = Accumulator(shape=(1,) * 63 + (2,))
    assert pickle.loads(pickle.dumps(acc)) == acc


def test_pickles_of_version_1_are_read():
    old = {"version": 1, "count": 2, "kind": "float", "special": (), "sumsq": (5, -2), "sum": (3, -1), "sumj": (0, 0)}
    acc = Accumulator(shape=4)
    acc.__setstate__(old)
    assert acc.shape == () and acc.count == 2 and acc.sum() == 1.5
    assert acc.__reduce__()[2] == old


def test_threads_share_one():
    acc, rows = Accumulator(shape=8), RNG.normal(size=(64, 25, 8))

    def work(part):
        for each in part:
            acc.update(each)
            acc.merge(Accumulator(shape=8))

    threads = [threading.Thread(target=work, args=(part,)) for part in np.split(rows, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = Accumulator(shape=8)
    whole.update(rows.reshape(-1, 8))
    assert acc == whole


# ---- counts up to 2**64 - 1 -------------------------------------------------------


def repeated(acc, times):
    """The sum of so many like this one."""
    total = None
    while times:
        if times & 1:
            total = acc if total is None else total + acc
        times >>= 1
        acc = acc + acc if times else acc
    return total


@pytest.mark.parametrize(
    "rows", [[[3, -(2**63)], [-5, 2**63 - 1]], [[0.1, HUGE], [1e9, TINY]], [[1 + 2j, 1e300], [3j, np.inf]]], ids=["int", "float", "complex"]
)  # fmt: skip
def test_the_largest_counts(rows):
    acc = Accumulator(shape=2)
    acc.update(rows)
    acc = repeated(acc, 2**63 - 1)
    acc.update(rows[0])
    columns = [repeated(reference.Accumulator(np.array(column)), 2**63 - 1) for column in zip(*rows)]
    for column, x in zip(columns, rows[0]):
        column.update(np.array([x], np.array(rows).dtype))
    assert_same(acc.count, np.array([2**64 - 1] * 2, np.uint64))
    assert repr(acc) == f"Accumulator(shape=(2,), count={2**65 - 2})"
    for name in RESULTS:
        expected = [getattr(column, name)() for column in columns]
        of = object if isinstance(expected[0], int) else complex if isinstance(expected[0], complex) else float
        assert_same(getattr(acc, name)(), np.array(expected, of))
    again = pickle.loads(pickle.dumps(acc))
    assert again == acc and again[1].count == 2**64 - 1


@pytest.mark.parametrize("size", [3, 50])  # to which some of these are added at once, or by way of new states
@pytest.mark.parametrize("one", [1, 1.0, 1e300])  # the last beside numbers that are only in the pool
def test_one_number_more(size, one):
    """Is refused in any way that it may come, and changes nothing."""
    acc = Accumulator(shape=size)
    acc.update(np.transpose([[3 * one, 2 * one, 1e-300 if one == 1e300 else one]] * size))
    acc, last = repeated(acc, (2**64 - 1) // 3), Accumulator(shape=size)
    last.update([one], labels=[size - 1])
    for change in [
        lambda acc: acc.update(np.full(size, one)),
        lambda acc: acc.update(np.full(size, one * 1j)),
        lambda acc: acc.update(np.full((20, size), one)),
        lambda acc: acc.update([one], labels=[size - 1]),
        lambda acc: acc.update(np.full(100, one), labels=np.full(100, size - 1)),  # a run
        lambda acc: acc.update(np.full(100_000, one), labels=np.arange(100_000) % size, workers=2),
        lambda acc: acc.update([2**70] * size),
        lambda acc: acc.merge(last),
        lambda acc: acc.merge(acc),
        lambda acc: last + acc,
        lambda acc: _merged([last, acc]),
    ]:
        again = copy.copy(acc)
        before = pickle.dumps(again)
        with pytest.raises(OverflowError, match=r"at most 2\*\*64 - 1 elements; this one is left as it was"):
            change(again)
        assert pickle.dumps(again) == before and last.count.sum() == 1
        again.update(np.full(9, one), labels=np.full(9, -1))  # no number
        assert again.count.tolist() == acc.count.tolist()


# ---- what is refused ------------------------------------------------------------


def test_what_does_not_fit_changes_nothing():
    acc = Accumulator(shape=(2, 3))
    acc.update(np.ones((4, 2, 3)))
    before = pickle.dumps(acc)
    for error, text, arguments in [
        (ValueError, r"a has shape \(3, 2\).*has shape \(2, 3\)", {"a": np.ones((3, 2))}),
        (ValueError, r"a has shape \(5, 3\)", {"a": np.ones((5, 3)), "axis": 0}),
        (ValueError, r"labels has shape \(2,\), but a has shape \(3,\)", {"a": np.ones(3), "labels": [0, 1]}),
        (ValueError, r"this Accumulator has shape \(2, 3\)", {"a": np.ones(3), "labels": [0, 1, 1]}),
        (
            IndexError,
            r"labels\[1\] is 3, but axis 1 of this Accumulator has length 3",
            {"a": np.ones((2, 9)), "labels": [0, 3] + [1] * 7},
        ),
        (TypeError, "labels must be integers", {"a": np.ones((2, 3)), "labels": [0.0, 1.0, 2.0]}),
        (TypeError, "float64, or|text", {"a": [["x", "y", "z"], ["x", "y", "z"]]}),
        (OverflowError, r"2\*\*1024", {"a": [[2**1100, 1, 1], [1, 1, 1]]}),
        (TypeError, "labels are for numbers of NumPy's dtypes", {"a": [[2**70, 1], [1, 1]], "labels": [0, 2]}),
    ]:
        with pytest.raises(error, match=text):
            acc.update(arguments.pop("a"), **arguments)
        assert pickle.dumps(acc) == before
    for other in (Accumulator(), Accumulator(shape=(3, 2)), Accumulator(shape=6)):
        with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
            acc.merge(other)
        with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
            other + acc
        assert acc != other
    for single in ({"axis": 0}, {"labels": [0]}):
        with pytest.raises(TypeError, match=r"shape=\.\.\."):
            Accumulator().update([1.0], **single)


@pytest.mark.parametrize(
    "shape, error", [("ab", TypeError), (2.5, TypeError), (-1, ValueError), ((2, -3), ValueError), ((2**40, 2**20), MemoryError), ((2**40, 2**40), MemoryError),
                     ((1,) * 65, ValueError)]
)  # fmt: skip
def test_shapes_that_are_none(shape, error):
    with pytest.raises(error, match=r"shape|states"):
        Accumulator(shape=shape)


def forged():
    acc = Accumulator(shape=3)
    acc.update([[1.0, 2.0, HUGE], [1.5, 0.1, TINY]])
    state = acc.__reduce__()[2]
    data, size = state["states"], len(state["states"]) // 3
    yield "shape", {**state, "shape": [3]}
    yield "shape", {**state, "shape": (3, True)}
    yield "bytes", {**state, "shape": (4,)}
    yield "bytes", {**state, "states": data[:-1]}
    yield "bytes", {**state, "states": bytearray(data)}
    yield "numbers cannot", {**state, "kind": "bool"}
    yield "integers", {**state, "kind": "int"}
    yield "bytes", {**state, "kind": "complex"}
    yield "beside 0 states", {**state, "rest": ()}
    yield "beside 2 states", {**state, "rest": state["rest"] * 2}
    yield "three", {**state, "rest": (state["rest"][0][:2],)}
    yield "pairs", {**state, "rest": (((1.0, 0), (1, 0), (1, 0)),)}
    yield "not a sum", {**state, "rest": (((1, 10**6), (1, 0), (0, 0)),)}
    yield "no elements", {**state, "states": bytes(8) + data[8:]}
    yield "out of range", {**state, "states": data[:8] + b"\xff\x7f" + data[10:]}
    yield "out of range", {**state, "states": data[:10] + b"\x08\x00" + data[12:]}
    yield "out of range", {**state, "states": data[:12] + b"\x02\x00\x00\x00" + data[16:]}
    yield "no numbers", {**state, "states": data[:32] + b"\x7f" * 7 + b"\x3f" + data[40:]}
    yield "no numbers", {**state, "states": data[:8] + b"\x8d\x03" + data[10:64] + b"\x00" * 7 + b"\x40" + data[72:]}
    ((squares, numbers, none),) = state["rest"]
    yield "no numbers", {**state, "rest": (((-squares[0], squares[1]), numbers, none),)}
    yield "no numbers", {**state, "rest": (((0, 0), numbers, none),)}
    yield "no numbers", {**state, "rest": ((squares, numbers, (1, 0)),)}
    yield "bytes", {**state, "shape": (2**31,)}
    yield "version", {**state, "version": 3}
    yield "shape", {key: value for key, value in state.items() if key != "shape"}
    assert size == 72


@pytest.mark.parametrize("text, state", list(forged()))
def test_forged_pickles(text, state):
    acc = Accumulator([1.0])
    with pytest.raises(ValueError, match=f"not the state of an Accumulator: .*{text}"):
        acc.__setstate__(state)
    assert acc == Accumulator([1.0])


@pytest.mark.thread_unsafe(reason="signals")
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_a_signal_amid_a_merge_of_many_states():
    """Of which none fits its words: what a handler raises comes before the end, and changes nothing."""
    one, other = Accumulator(shape=20_000), Accumulator(shape=20_000)
    for each in (one, other):
        each.update(np.broadcast_to([[1e300], [1e-300]], (2, 20_000)), axis=0)

    def handler(number, frame):
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, handler)

    def merge():
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        one.merge(other)

    try:
        with pytest.raises(InterruptedError):
            merge()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert one == other


@pytest.mark.thread_unsafe(reason="signals")
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
@pytest.mark.parametrize("call", [lambda acc: acc.__reduce__(), lambda acc: acc.merge(acc)], ids=["pickle", "merge"])
def test_signals_amid_many_states(call):
    """They are looked for after 4096 states each: while these are read or merged, the next signal comes."""
    seen, acc = [], Accumulator(shape=50_000)
    acc.update(np.broadcast_to([[1e300], [1e-300]], (2, 50_000)), axis=0)
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
    try:
        call(acc)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(seen) > 50_000 // 4096 // 2


def test_pickles_of_the_largest_complex_numbers():
    """Whose absolute values are beyond the floats."""
    acc = Accumulator(shape=3)
    acc.update(np.array([[HUGE + HUGE * 1j, HUGE * 1j, -HUGE - HUGE * 1j]] * 3))
    assert pickle.loads(pickle.dumps(acc)) == acc


def test_many_elements_and_a_ddof_of_many_digits():
    """The state with the most elements tells whether their number fits what C divides by."""
    acc = pycrust.Accumulator(shape=3)
    acc.update([1.0, 2.0, 5.0], labels=[1, 1, 2])
    for _ in range(55):
        acc += acc
    acc.update([7.0], labels=[0])
    n, ddof = 2**56, 2.0**-14
    assert acc.count.tolist() == [1, n, n // 2]
    exact = Fraction(n, 4) / (n - Fraction(ddof))
    assert acc.var(ddof).tolist() == [0.0, float(exact), 0.0]


def test_integers_that_are_left_out_may_have_any_size():
    rows, where = [[2**2000, 1], [1, 2]], [[False, True], [True, True]]
    for axis, expected in ((0, [1, 3]), (1, [1, 3])):
        states = Accumulator(shape=2)
        states.update(rows, axis=axis, where=where)
        assert states.sum().tolist() == expected
        with pytest.raises(OverflowError, match=r"2\*\*1024"):
            states.update(rows, axis=axis)
