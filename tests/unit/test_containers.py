"""What containers of other packages hold reaches C as it is, or is refused with advice that works."""

import array
import ctypes
import enum
import math
import mmap
import operator
import re
import statistics
import warnings
from collections import UserList, deque
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import pycrust
from pycrust import reference

A, B = 2**60 + 1, 2**60 + 3  # one apart from their mean, and in float64 equal
ALL = ("sumsq", "norm", "rms", "sum", "mean", "var", "std")


def advice(error, **names):
    """What the message advises to pass as where=, evaluated."""
    found = re.search(r"pass where=(.*?)( \(for dask|$)", str(error.value))
    return eval(found[1], {"np": np, **names})


def takes(a, numbers):
    """Every function takes the container exactly as these numbers."""
    numbers = np.asarray(numbers)
    if numbers.dtype == object:
        numbers = numbers.tolist()
    for name in ALL:
        result, expected = getattr(pycrust, name)(a), getattr(reference, name)(numbers)
        assert type(result) is type(expected) and result == expected, name
    assert pycrust.Accumulator(a) == pycrust.Accumulator(numbers)


def takes_with_advice(a, numbers, match):
    """What is missing is refused, as is a where= that leaves it in; with the advice, `numbers` are what is there."""
    for name in ALL:
        with pytest.raises(TypeError, match=match) as error:
            getattr(pycrust, name)(a)
        with pytest.raises(TypeError, match=match):
            getattr(pycrust, name)(a, where=np.ones(len(a), bool))
        where = advice(error, a=a)
        assert getattr(pycrust, name)(a, where=where) == getattr(reference, name)(np.asarray(numbers))
    with pytest.raises(TypeError, match=match):
        pycrust.Accumulator(a)
    assert pycrust.Accumulator(a, where=where) == pycrust.Accumulator(numbers)
    held = [np.arange(len(a)), a]
    with pytest.raises(TypeError, match=r"a\[1\](\.data)? has missing|masked arrays") as error:
        pycrust.sum(held)
    total = pycrust.Accumulator()
    eval(re.search(r"with (update.*)", str(error.value))[1], {"update": total.update, "a": held, "np": np})
    assert total == pycrust.Accumulator(numbers)
    with pytest.raises(TypeError, match=r"put .* in the place of where\[0\]|array of bool"):
        pycrust.sum([[1.0] * len(a)], where=[a])


def takes_as_where(where, present):
    """A container of [True, missing, False] as where=: refused, but not as it is advised; `present` has none missing."""
    with pytest.raises(TypeError, match=r"pass where=where\.(fillna|fill_null|filled)\(False\)") as error:
        pycrust.sum([1, 2, 4], where=where)
    assert pycrust.sum([1, 2, 4], where=advice(error, where=where)) == 1
    assert pycrust.sum([1, 2, 4], where=present) == 5


# ---- NumPy ----------------------------------------------------------------------


def test_masked_arrays():
    a = np.ma.masked_array([A, 7, B], [False, True, False])
    takes_with_advice(a, [A, B], "masked arrays are not taken")
    assert pycrust.var(a, where=~a.mask) == 1.0
    takes_as_where(np.ma.masked_array([True, True, False], [0, 1, 0]), np.array([True, False, True]))
    plain = np.ma.masked_array([A, B])
    assert pycrust.var(plain, where=~plain.mask) == 1.0
    rows = np.ma.masked_array([[A, 5], [B, 7]], [[0, 1], [0, 1]])
    assert pycrust.sum(rows, axis=0, where=[True, False]).tolist() == [A + B, 0]
    with pytest.raises(TypeError, match="masked"):
        pycrust.sum(rows, axis=0, where=[False, True])


def test_masked_numbers():
    """Arrays without an axis, of which NumPy makes scalars."""
    for mask, total in ((False, 1.5), (True, 0.0)):
        a = np.ma.masked_array(1.5, mask)
        assert pycrust.nansum(a) == pycrust.nansum(a, where=np.array(True)) == total
        accumulator = pycrust.Accumulator()
        accumulator.update(a, skipna=True)
        assert (accumulator.sum(), accumulator.count) == (total, 1 - mask)
    assert pycrust.nanmean(np.ma.masked_array(3)) == 3.0
    assert pycrust.nanvar(np.ma.masked_array(3)) == pycrust.nanstd(np.ma.masked_array(3)) == 0.0


def test_functions_without_where_say_what_else_helps():
    a = np.ma.masked_array([1.0, 2.0, 4.0], [0, 1, 0])
    with pytest.raises(TypeError, match=r"pass a\.compressed\(\)"):
        pycrust.cumsum(a)
    for call in (pycrust.cov, pycrust.corrcoef):
        with pytest.raises(
            TypeError, match=r"leave out, of each array, .* where y is missing; .*PairAccumulator\(x, y, wh"
        ):
            call([1, 2, 4], a)
        first = "m" if call is pycrust.cov else "x"
        with pytest.raises(TypeError, match=rf"leave out, of each array, what lies where {first}\[0\] is missing$"):
            call([a, [1, 2, 4]])
    with pytest.raises(TypeError, match=r": leave out ns\[0\], or put 0 in its place$"):
        pycrust.sum_of_squares_batch([np.ma.masked, 2])
    assert pycrust.sum_of_squares_batch([0, 2]).tolist() == [0, 5]


def test_objects_that_are_ints():
    own = pycrust.sumsq(np.full((3, 2), 2**40), axis=1, dtype=object)
    assert own.dtype == object
    takes(own, own)
    assert pycrust.sum(own) == 6 * 2**80
    assert pycrust.sum(np.array([2**70, True, np.uint64(2**64 - 1)], object)) == 2**70 + 2**64
    total = pycrust.Accumulator([2])
    total.update(own, where=[True, False, False])
    assert total.sum() == 2**81 + 2


def test_many_python_ints(monkeypatch):
    """NumPy, which runs no signal handlers, gets few at a time, and the results are the same."""
    a = np.arange(3 * 2**15).reshape(3, 2**13, 4)
    mask = a % 3 == 0
    sizes = []
    plain = np.sum
    monkeypatch.setattr(np, "sum", lambda each, **kwargs: sizes.append(np.size(each)) or plain(each, **kwargs))
    for axis in (None, 0, 1, 2, (0, 1), (1, 2), (0, 2)):
        for where in (True, mask, mask[:, :1]):
            made = pycrust.sum(a.astype(object), axis=axis, where=where)
            assert np.array_equal(made, plain(a, axis=axis, where=where)) and np.shape(made) == np.shape(plain(a, axis))
    assert 0 < max(sizes) <= 2**16


def test_zero_dimensional_arrays_in_lists():
    for a in ([np.array(2**64 - 1, "u8"), -1], [-1, np.array(2**64 - 1, "u8")], [[np.array(2**64 - 1, "u8")], [-1]]):
        assert pycrust.sum(a) == 2**64 - 2


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("number", [2**100, -(2**64), 3**700], ids=["2**100", "-2**64", "3**700"])
def test_a_bare_int(name, number):
    result = getattr(pycrust, name)(number)
    assert result == getattr(pycrust, name)([number]) == getattr(reference, name)([number])
    assert type(result) is type(getattr(pycrust, name)([1]))


@pytest.mark.filterwarnings("ignore:(rms|mean|var|std) of no:RuntimeWarning")
def test_a_bare_int_left_out():
    for name in ALL:
        result = getattr(pycrust, name)(2**100, where=False)
        assert type(result) is type(getattr(pycrust, name)([1])) and (result == 0 or math.isnan(result))


def test_ints_and_floats_in_one_list():
    for a in ([A, 0.5], [0.5, A], [[A], [0.5]], [np.array([A, B]), np.array([0.5, 0.25])], [np.int64(A), 1j]):
        with pytest.raises(TypeError, match=f"a has floats and the integer {A}, which float64 does not hold"):
            pycrust.sum(a)
    total = pycrust.Accumulator([A])
    total.update([0.5, -(2**60)])
    assert total.sum() == 1.5
    assert pycrust.sum([2**60, 0.5, -(2**60)]) == 0.5
    assert pycrust.sum([0.5, 2**64, -(2**70)]) == 0.5 + 2**64 - 2**70
    assert pycrust.sum([[1j], [2**64]]) == 2**64 + 1j
    for large in (2**64 + 1, -(2**63) - 1, 2**1100, 10**5000):
        for a in ([0.5, large], [large, 0.5], [1j, large]):
            with pytest.raises(TypeError, match=r"a has floats and the integer .* pycrust.Accumulator"):
                pycrust.sum(a)


def test_masks_deep_in_lists():
    """As it is advised, no mask is lost."""
    a = [[1.0, np.ma.masked], np.ma.masked_array([2.0, 4.0], [0, 1])]
    with pytest.raises(TypeError, match=r"update\(a\[0\]\[1\], where=~np\.ma\.getmaskarray\(a\[0\]\[1\]\)\)"):
        pycrust.sum(a)
    total = pycrust.Accumulator()
    for part in (a[0][0], a[0][1], a[1]):
        total.update(part, where=~np.ma.getmaskarray(part))
    assert total.sum() == 3.0 and total.count == 2
    with pytest.raises(TypeError, match=r"put False in the place of where\[0\]\[1\]"):
        pycrust.sum([1.0, 2.0], where=[[True, np.ma.masked]])


class Large(enum.IntEnum):
    ID = 2**53 + 1


class Items:
    """A sequence by its methods alone."""

    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, k):
        return self.items[k]


class Interface:
    def __init__(self, values):
        self.values = values
        self.__array_interface__ = values.__array_interface__


@pytest.mark.parametrize("sequence", [deque, UserList, lambda items: Items(*items)], ids=["deque", "UserList", "Items"])
def test_masks_within_any_sequence(sequence):
    m = np.ma.masked_array([1.0, 2.0], [0, 1])
    for a in (sequence([m]), (sequence([m]),), sequence([np.ma.masked, 1])):
        for function in (pycrust.sum, pycrust.Accumulator):
            with pytest.raises(TypeError, match="masked arrays are not taken"):
                function(a)
    with pytest.raises(TypeError, match="masked"):
        pycrust.sum([[1.0, 2.0]], where=sequence([m > 0]))
    assert pycrust.sum(sequence([sequence([A, 1]), (B, 2)]), axis=0).tolist() == [A + B, 3]


@pytest.mark.parametrize(
    "a",
    [
        [Large.ID, 0.5],
        [array.array("q", [Large.ID]), [0.5]],
        [memoryview(array.array("q", [Large.ID])), [0.5]],
        [(ctypes.c_int64 * 1)(Large.ID), [0.5]],
        [Interface(np.array([Large.ID])), [0.5]],
        [range(Large.ID, Large.ID + 1), [0.5]],
        [deque([Large.ID]), deque([0.5])],
        UserList([2**53 + 1, 0.5]),
        Items(2**53 + 1, 0.5),
    ],
    ids=["IntEnum", "array", "memoryview", "ctypes", "interface", "range", "deques", "UserList", "Items"],
)
def test_ints_of_any_kind_beside_floats(a):
    with pytest.raises(TypeError, match=f"the integer {2**53 + 1}, which float64 does not hold"):
        pycrust.sum(a)


def test_truth_beside_ints():
    large = np.uint64(2**64 - 1)
    for a in ([np.True_, large, -5], [[np.True_], [large], [-5]], [np.array(True), large, -5], [True, large, -5]):
        assert pycrust.sum(a) == 2**64 - 5
    assert type(pycrust.sum([np.True_, 2])) is int


def test_ints_of_any_kind_beside_ints():
    top = np.array([2**64 - 1], "u8")
    for held in (Interface(top), array.array("Q", [2**64 - 1]), deque([2**64 - 1]), range(2**64 - 1, 2**64)):
        assert pycrust.sum([held, [-1]]) == pycrust.sum(UserList([held, [-1]])) == 2**64 - 2


@pytest.mark.parametrize(
    "a, named, way",
    [
        ([Decimal("1.25"), Decimal("2.50")], "Decimal", lambda a: [int(x * 100) for x in np.ravel(a)]),
        ([Fraction(1, 3)], "Fraction", None),
        ([1, None, 2], "NoneType.*leave out what is missing", None),
        ([1.5, None], "NoneType.*leave out what is missing", None),
        ([1.5, Decimal(3)], "Decimal", lambda a: [int(x * 100) for x in np.ravel(a)]),
        (np.array([np.nan, Fraction(1, 3)], object), "Fraction", None),
        (np.array([np.ma.masked, 1], object), "MaskedConstant.*leave out what is missing", None),
        ([1.5, np.longdouble(1), 2**64], "float", None),
        (["1", "2"], "<U1", lambda a: np.array(a, dtype=np.float64)),
        (b"\x01\x02", r"\|S2", lambda a: np.frombuffer(a, dtype=np.uint8)),
        (memoryview(b"\x01\x02").cast("c"), r"\|S1", lambda a: np.frombuffer(a, dtype=np.uint8)),
        (np.array(["2026-01-01", "NaT"], "M8[s]"), "datetime64", lambda a: np.asarray(a).astype(np.int64)[:1]),
        (np.array([1.5, 2], object), "float", lambda a: np.asarray(a, dtype=np.float64)),
        (np.array([1j, 2], object), "complex", lambda a: np.asarray(a, dtype=np.complex128)),
        ([[1], [2, 3]], None, np.concatenate),
        ([np.zeros((2, 2)), np.zeros(2)], None, None),
    ],
)
def test_what_is_refused_is_named(a, named, way):
    if named is None:
        with pytest.raises(ValueError, match=r"a is ragged: .* pycrust.Accumulator one by one"):
            pycrust.sum(a)
    else:
        with pytest.raises(TypeError, match=named) as error:
            pycrust.sum(a)
        assert "astype(np.float64)" not in str(error.value)
        assert "dtype=np.float64" not in str(error.value) or way is not None or isinstance(a[1], np.longdouble)
    if way is not None:
        assert pycrust.sum(way(a)) == reference.sum(np.asarray(way(a)))


@pytest.mark.parametrize("kind", ["<M8[s]", ">M8[s]", "<m8[s]", ">m8[s]"])
def test_dates_as_counts(kind):
    """As it is advised, in either byte order."""
    a = np.array([1, 2, "NaT"], kind)
    with pytest.raises(TypeError, match=r"pass the counts of their unit") as error:
        pycrust.sum(a)
    advised = re.search(r", (x\..*), where=(.*) with x = (.*)", str(error.value))
    x = eval(advised[3], {"np": np, "a": a})
    numbers, where = (eval(advised[k], {"np": np, "x": x}) for k in (1, 2))
    assert pycrust.sum(numbers, where=where) == 3


@pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="no digits beyond those of float64")
def test_long_doubles():
    a = np.longdouble(58000) + np.array([1, 3]) * np.longdouble(2) ** -46
    assert pycrust.std(a.astype(np.float64)) == 0.0  # as the message warns
    with pytest.raises(TypeError, match="would round") as error:
        pycrust.std(a)
    assert "(a - a[0]).astype(np.float64)" in str(error.value)
    assert pycrust.std((a - a[0]).astype(np.float64)) == 2.0**-46


def test_buffers():
    memory = mmap.mmap(-1, 4)
    memory[:4] = b"\x01\x02\x00\xff"
    for a in (bytearray(memory), memoryview(memory), memory, memoryview(b"\x01\x02\x00\xff")):
        takes(a, np.array([1, 2, 0, 255], np.uint8))


# ---- pandas, in both kinds of dtypes ----------------------------------------------


@pytest.fixture
def pd():
    return pytest.importorskip("pandas")


def nullable(pd, backend, values, kind="int64"):
    if backend == "pyarrow":
        pytest.importorskip("pyarrow")
        return pd.Series(values, dtype=f"{kind}[pyarrow]")
    return pd.Series(values, dtype={"int64": "Int64", "uint64": "UInt64", "bool": "boolean", "double": "Float64"}[kind])


@pytest.mark.parametrize("backend", ["pandas", "pyarrow"])
def test_nullable_columns(pd, backend):
    takes(nullable(pd, backend, [A, B]), [A, B])
    takes(nullable(pd, backend, [2**64 - 1, 1], "uint64"), np.array([2**64 - 1, 1], "u8"))
    z = nullable(pd, backend, [A, None, B])
    assert pycrust.var(z, where=z.notna()) == 1.0
    takes_with_advice(z, [A, B], "a has missing values")
    takes_with_advice(z.array, [A, B], "a has missing values")
    takes_with_advice(pd.Index(z), [A, B], "a has missing values")
    takes_with_advice(nullable(pd, backend, [0.1, None, 1e300], "double"), [0.1, 1e300], "a has missing values")
    takes_as_where(
        nullable(pd, backend, [True, None, False], "bool"), nullable(pd, backend, [True, False, True], "bool")
    )
    with pytest.raises(TypeError, match=r"pass ns\.dropna\(\)"):
        pycrust.sum_of_squares_batch(nullable(pd, backend, [4, None]))


def test_nan_of_float_columns_is_a_value(pd):
    assert math.isnan(pycrust.mean(pd.Series([1.0, None])))
    assert pycrust.mean(pd.Series([1.0, None]), where=[True, False]) == 1.0
    for held in (pd.Series([1.0, None]).array, pd.Series([1.0, None], dtype="float32").array):
        assert math.isnan(pycrust.mean(held)) and pycrust.nansum(held) == 1.0
    with pytest.raises(TypeError, match=r"NoneType.*leave out what is missing"):
        pycrust.sum(pd.Series([2**70, None], dtype=object).array)


def test_other_columns(pd):
    takes(pd.Series(pd.arrays.SparseArray([0, A, 0, B])), [0, A, 0, B])
    takes(pd.Series([A, B], dtype="category"), [A, B])
    takes_with_advice(pd.Series([A, None, B], dtype=pd.CategoricalDtype([A, B])), [A, B], "a has missing values")
    for missing in (pd.Categorical([None, None]), pd.Categorical([None, None], categories=pd.Index([], dtype="int64"))):
        assert pycrust.nansum(missing) == pycrust.sum(missing, where=[False, False]) == 0
        with pytest.raises(TypeError, match=r"NA of pandas.*: pass where=~a\.isna\(\)"):
            pycrust.sum(missing)
    takes(pd.RangeIndex(5), np.arange(5))
    takes(pd.Series([2**70, 1], dtype=object), np.array([2**70, 1]))
    with pytest.raises(TypeError, match="NoneType"):
        pycrust.sum(pd.Series([1, None], dtype=object))


def test_frames_of_one_dtype(pd):
    takes(pd.DataFrame({"a": [A, B], "b": [1, 2]}), [[A, 1], [B, 2]])
    frame = pd.DataFrame({"a": [A, B, None], "b": [1, None, 2]}, dtype="Int64")
    with pytest.raises(TypeError, match="a has missing values") as error:
        pycrust.var(frame, axis=0)
    assert pycrust.var(frame, axis=0, where=advice(error, a=frame)).tolist() == [1.0, 0.25]
    takes(frame.iloc[:1], [[A, 1]])


def test_frames_of_several_dtypes(pd):
    """Mixed where float64 holds them all; else column by column, as is advised."""
    takes(pd.DataFrame({"a": np.array([1, 2], "i2"), "b": [0.1, 0.2]}), [[1, 0.1], [2, 0.2]])
    takes(pd.DataFrame({"a": np.array([1, 2], "f4"), "b": np.array([3, 4], "i4")}), [[1.0, 3.0], [2.0, 4.0]])
    ids = pd.DataFrame({"id": [A, B], "v": [0.5, 0.25]})
    for frame in (ids, ids.astype({"id": "Int64"}), ids.astype({"v": "Float64"})):
        for call in (pycrust.var, pycrust.cov, pycrust.cumsum, lambda a: pycrust.move_sum(a, 1)):
            with pytest.raises(
                TypeError, match=r"of different dtypes \(int64, float64\).*, e\.g\. a\.iloc\[:, 0\]$|m.iloc"
            ):
                call(frame)
        assert pycrust.var(frame.iloc[:, 0]) == 1.0
        assert frame.agg(pycrust.var).to_dict() == {"id": 1.0, "v": 0.015625}
    both = pd.DataFrame({"a": np.array([2**64 - 1], "u8"), "b": [-1]})
    with pytest.raises(TypeError, match=r"\(uint64, int64\)"):
        pycrust.sum(both, axis=0)
    takes(pd.DataFrame({"a": [True, False], "b": [0.5, 0.25]}), [[1, 0.5], [0, 0.25]])
    takes(pd.DataFrame({"a": [True, False], "b": [A, B]}), [[1, A], [0, B]])
    text = pd.DataFrame({"a": [1.0, 2.0], "name": ["x", "y"], "b": [3.0, 4.0]})
    with pytest.raises(TypeError, match="cannot sum the column 'name' of a, of dtype") as error:
        pycrust.mean(text, axis=0)
    numeric = eval(re.search(r"numeric columns, (.*)", str(error.value))[1], {"a": text})
    assert pycrust.mean(numeric, axis=0).tolist() == [1.5, 3.5]


def test_frames_without_columns(pd):
    """Each of their rows has a sum."""
    frame = pd.DataFrame(index=[1, 2])
    assert pycrust.sum(frame, axis=1).tolist() == [0.0, 0.0] and pycrust.sum(frame, axis=0).tolist() == []
    assert pycrust.sum(frame[[]], axis=1).tolist() == [0.0, 0.0]
    table = pytest.importorskip("pyarrow").table({"a": [1, 2]}).select([])
    assert pycrust.sum(table, axis=1).tolist() == [0.0, 0.0]


def test_labels_that_are_names_of_attributes(pd):
    for label in ("columns", "dtype", "array", "agg", "units"):
        takes(pd.Series([A, B], index=[label, "x"]), [A, B])
        frame = pd.DataFrame({label: [A, 1], "b": [B, 2]})
        takes(frame, [[A, B], [1, 2]])
        assert frame.agg(pycrust.sum, axis=1).tolist() == [A + B, 3]
    assert pycrust.sum([1, 2], where=pd.Series([True, False], index=["columns", "x"])) == 1


def test_groups_and_columns_of_arrays(pd):
    s = pd.Series([1, 2, 3])
    for groups in (s.groupby([0, 0, 1]), s.to_frame("x").groupby([0, 0, 1]), s.rolling(1)):
        for a in (groups, [groups]):
            with pytest.raises(TypeError, match=r"a(\[0\])? is a \w+: use a(\[0\])?\.agg|type Rolling"):
                pycrust.mean(a)
    assert s.groupby([0, 0, 1]).agg(pycrust.mean).tolist() == [1.5, 3.0]
    with pytest.raises(TypeError, match=r"a is a ExponentialMovingWindow.*: use pycrust\.average"):
        pycrust.mean(s.ewm(1))


def test_columns_of_arrays(pd):
    """As it is advised, in the dtype that they hold."""
    pa, pl = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    rows = [[2**53 + 1, 2], [3, 4]]
    for a, way in (
        (pd.Series(rows), "a.tolist()"),
        (pd.Series(map(np.array, rows)), "a.tolist()"),
        (pa.array(rows), "a.to_pylist()"),
        (pa.array(rows, pa.list_(pa.int64(), 2)), "a.to_pylist()"),
        (pa.chunked_array([rows]), "a.to_pylist()"),
        (pl.Series(rows), "a.to_list()"),
    ):
        with pytest.raises(TypeError, match=rf"type (list|ndarray).* of one shape, pass .*{re.escape(way)}"):
            pycrust.sum(a)
        takes(eval(way), rows)
    a = pa.array([[2**53 + 1, None]])
    with pytest.raises(TypeError, match="NoneType"):
        pycrust.nansum(a.to_pylist())


def test_decimals_of_every_container(pd):
    pa, pl = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    numbers = [Decimal("1.25"), Decimal("2.50")]
    for a in (
        numbers,
        [numbers],
        np.array(numbers),
        pd.Series(numbers),
        pa.array(numbers),
        pl.Series(numbers),
        numbers[0],
    ):
        with pytest.raises(TypeError, match=r"Decimal.* e\.g\. (.*) for two decimals, or .*, e\.g\. (.*)") as error:
            pycrust.sum(a)
        way = re.search(r"e\.g\. (.*) for two decimals, or .*, e\.g\. (.*)", str(error.value))
        names = {"a": a, "np": np, "statistics": statistics}
        assert pycrust.sum(eval(way[1], names)) == (125 if a is numbers[0] else 375)
        assert eval(way[2], names) == (numbers[0] if a is numbers[0] else Decimal("1.875"))


def test_columns_in_a_list(pd):
    assert pycrust.sum([pd.Series([2**64 - 1], dtype="uint64"), pd.Series([-1])]) == 2**64 - 2
    assert pycrust.sum([[pd.Series([2**64 - 1], dtype="UInt64")], [pd.Series([-1], dtype="Int64")]]) == 2**64 - 2


def test_several_functions_of_a_series(pd):
    """As docs/guide/inputs.md says: pandas 2 calls a function that takes a number element by element."""
    s = pd.Series([1.0, 2.0, 4.0])
    if int(pd.__version__.partition(".")[0]) >= 3:
        made = s.agg([pycrust.mean, pycrust.var])
        assert made.to_dict() == {"mean": pycrust.mean(s), "var": pycrust.var(s)}
    functions = {"mean": pycrust.mean, "var": pycrust.var}
    frame = pd.DataFrame({"a": s, "b": 2 * s})
    made = pd.DataFrame({name: frame.agg(function) for name, function in functions.items()})
    assert made.loc["b"].to_dict() == {"mean": pycrust.mean(2 * s), "var": pycrust.var(2 * s)}
    made = frame.groupby([1, 1, 1])["a"].agg([pycrust.mean, pycrust.var])
    assert made.loc[1].to_dict() == {"mean": pycrust.mean(s), "var": pycrust.var(s)}


# ---- Arrow, polars ------------------------------------------------------------------


def test_arrow():
    pa = pytest.importorskip("pyarrow")
    takes(pa.array([A, B]), [A, B])
    takes(pa.chunked_array([[A], [B]]), [A, B])
    takes(pa.array([1.5, 2.5], pa.float16()), np.array([1.5, 2.5], "f2"))
    takes_with_advice(pa.array([A, None, B]), [A, B], "a has missing values")
    takes_with_advice(pa.chunked_array([[A], [None, B]]), [A, B], "a has missing values")
    takes_as_where(pa.array([True, None, False]), pa.array([True, False, True]))
    takes(pa.table({"a": [A, B], "b": [1, 2]}), [[A, 1], [B, 2]])
    mixed = pa.table({"a": [A, B], "b": [0.5, 1.0]})
    with pytest.raises(TypeError, match=r"\(int64, float64\).*a\.column\(0\)"):
        pycrust.var(mixed, axis=0)
    assert pycrust.var(mixed.column(0)) == 1.0
    with pytest.raises(TypeError, match=r"a\.column\(0\) with where=x\.is_valid\(\)"):
        pycrust.var(pa.table({"a": [A, None]}))
    for refused in (pa.array([1, 2], pa.decimal128(10, 2)), pa.array([1], pa.duration("s")), pa.scalar(1), pa.nulls(2)):
        with pytest.raises(TypeError, match=r"Decimal|timedelta64|as_py\(\)|missing values"):
            pycrust.sum(refused)


def test_the_null_type_of_arrow(pd):
    """Which holds no value: what is missing is of no other type."""
    pa = pytest.importorskip("pyarrow")
    a = pa.array([None, None])
    for held in (a, pa.chunked_array([a]), pd.Series(a, dtype=pd.ArrowDtype(pa.null())), wrapped(pa, a)):
        assert pycrust.nansum(held) == 0.0
        assert np.isnan(pycrust.move_sum(held, 1)).all()
        with pytest.raises(TypeError, match="has missing values") as error:
            pycrust.mean(held)
        with pytest.warns(RuntimeWarning, match="no elements"):
            assert math.isnan(pycrust.mean(held, where=advice(error, a=held)))
    assert pycrust.sum(pa.array([])) == 0.0


def wrapped(pa, storage):
    """As an extension type."""

    class Wrapped(pa.ExtensionType):
        def __init__(self):
            super().__init__(storage.type, "pycrust.wrapped")

        def __arrow_ext_serialize__(self):
            return b""

    return pa.ExtensionArray.from_storage(Wrapped(), storage)


def test_nulls_among_the_values_of_arrow():
    """Of dictionaries, runs, and what is wrapped around them: null_count does not count them."""
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.compute")
    values = pa.array([A, None, B])
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), values)
    runs = pa.RunEndEncodedArray.from_arrays([1, 2, 3], values)
    for a in (dictionary, runs, wrapped(pa, values), wrapped(pa, dictionary)):
        for held in (a, pa.chunked_array([a]), pa.chunked_array([a[:1], a[1:]])):
            with pytest.raises(TypeError, match=r"has missing values \(nulls of Arrow\)") as error:
                pycrust.var(held)
            with pytest.raises(TypeError, match=r"has missing values \(nulls of Arrow\)"):
                pycrust.var(held, where=[True] * 3)
            where = advice(error, a=held, pyarrow=pa)
            assert pycrust.var(held, where=where) == 1.0
            assert pycrust.nansum(held) == A + B
            total = pycrust.Accumulator()
            total.update(held, skipna=True)
            assert total.sum() == A + B
            with pytest.raises(TypeError, match="has missing values"):
                pycrust.group_sum(held, [0, 0, 0])
            assert pycrust.nansum(pa.table({"a": held}), axis=0).tolist() == [A + B]
    takes(dictionary.take([0, 2]), [A, B])
    takes(pa.RunEndEncodedArray.from_arrays([2, 3], pa.array([A, B])), [A, A, B])
    takes(pa.array([True, False]).dictionary_encode(), [True, False])
    assert pycrust.sum(pa.chunked_array([], dictionary.type)) == 0
    where = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), pa.array([True, None, False]))
    with pytest.raises(TypeError, match="has missing values") as error:
        pycrust.sum([1, 2, 4], where=where)
    filled = eval(re.search(r"pass where=(.*)", str(error.value))[1], {"where": where})
    assert pycrust.sum([1, 2, 4], where=filled) == 1


def test_dictionaries_of_arrow_in_pandas(pd):
    pa = pytest.importorskip("pyarrow")
    within = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), pa.array([A, None, B]))
    beside = pa.DictionaryArray.from_arrays(pa.array([0, None, 1]), pa.array([A, B]))
    for a in (within, beside):
        series = pd.Series(a, dtype=pd.ArrowDtype(a.type))
        with pytest.raises(TypeError, match=r"a\b.* has missing values") as error:
            pycrust.sum(series)
        assert pycrust.sum(series, where=advice(error, a=series, pyarrow=pa)) == pycrust.nansum(series) == A + B


def test_bool8_of_arrow():
    pa = pytest.importorskip("pyarrow")
    if not hasattr(pa, "bool8"):
        pytest.skip("an older pyarrow")
    a = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, None, 2, 0], pa.int8()))
    for held in (a, pa.chunked_array([a])):
        assert pycrust.nansum(held) == 2 and pycrust.sum(held[2:]) == 1
        assert pycrust.sum([1, 2], where=held[2:]) == 1


def test_what_is_no_number_of_arrow():
    """With nulls as without."""
    pa = pytest.importorskip("pyarrow")
    for values, kind, named in (
        (["1"], pa.string(), "type str"),
        ([b"1"], pa.binary(), "type bytes"),
        ([[1]], pa.list_(pa.int64()), "type ndarray"),
        ([{"a": 1}], pa.struct([("a", pa.int64())]), "type dict"),
        ([Decimal(1)], pa.decimal128(5, 2), "type Decimal"),
        ([1], pa.timestamp("s"), "dtype datetime64"),
        ([1], pa.duration("s"), "dtype timedelta64"),
    ):
        for a in (values, [*values, None], [None, *values]):
            held = pa.array(a, kind)
            for each in (held, pa.chunked_array([held]), wrapped(pa, held)):
                for function in (pycrust.sum, pycrust.nansum):
                    with pytest.raises(TypeError, match=f"cannot sum .* of {named}"):
                        function(each)


def test_polars():
    pl = pytest.importorskip("polars")
    takes(pl.Series([A, B]), [A, B])
    takes_with_advice(pl.Series([A, None, B]), [A, B], "a has missing values")
    takes_with_advice(pl.Series([0.1, None, 1e300]), [0.1, 1e300], "a has missing values")
    takes_as_where(pl.Series([True, None, False]), pl.Series([True, False, True]))
    large = pl.Series([2**100, None, 1], dtype=pl.Int128)
    assert pycrust.sum(large, where=large.is_not_null()) == 2**100 + 1
    assert pycrust.sum([pl.Series([2**64 - 1], dtype=pl.UInt64), pl.Series([-1])]) == 2**64 - 2
    takes(pl.DataFrame({"a": [A, B], "b": [1, 2]}), [[A, 1], [B, 2]])
    mixed = pl.DataFrame({"a": [A, B], "b": [0.5, 1.0]})
    with pytest.raises(TypeError, match=r"\(int64, float64\).*a\['a'\]"):
        pycrust.var(mixed, axis=0)
    with pytest.raises(TypeError, match=r"a\['a'\] with where=x\.is_not_null\(\)"):
        pycrust.var(pl.DataFrame({"a": [A, None]}))
    with pytest.raises(TypeError, match=r"a\.collect\(\)"):
        pycrust.var(mixed.lazy())
    with pytest.raises(TypeError, match="Decimal"):
        pycrust.sum(pl.Series([Decimal("1.5")]))


def test_what_polars_has_besides():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"a": [A, B], "b": [1, 2]})
    for a in (pl.col("a"), pl.lit(A), pl.col("a") + 1):
        with pytest.raises(TypeError, match=r"a is a Expr of polars.* e\.g\. (.*)") as error:
            pycrust.sum(a)
        selected = eval(re.search(r"e\.g\. (.*)", str(error.value))[1], {"df": frame, "a": a})
        assert pycrust.sum(selected) == frame.select(a.sum()).item()
    for a in (frame.group_by("b"), frame.lazy().group_by("b")):
        with pytest.raises(TypeError, match=r"a is a (Lazy)?GroupBy of polars.*pass a Series or a DataFrame"):
            pycrust.sum(a)
    with pytest.raises(TypeError, match="a is a Expr of polars"):
        pycrust.sum(pl.element())


@pytest.mark.parametrize(
    "fields", [{"a": 2**53 + 1, "b": 0.5}, {"a": Decimal("1.1"), "b": 1.0}, {"a": 1, "b": 2}, {"a": None, "b": 1.5}]
)
def test_structs_of_polars(fields):
    pl = pytest.importorskip("polars")
    a = pl.Series([fields])
    for held, name in ((a, "a"), (a.to_frame("s"), "a['s']"), ([a], "a[0]")):
        for function in (pycrust.sum, pycrust.nansum, pycrust.Accumulator):
            with pytest.raises(TypeError, match=re.escape(f"{name} holds structs: ")) as error:
                function(held)
            field = eval(re.search(r"e\.g\. (.*)", str(error.value))[1], {"a": held})
            assert field.to_list() == [fields["a"]]


def test_arrays_of_polars():
    """Nulls within are as missing as those of whole rows."""
    pl = pytest.importorskip("polars")
    for rows, shape in (
        ([[A, None], [B, 2]], (2,)),
        ([[A, 2], None, [B, 5]], (2,)),
        ([[[A, None], [1, 2]], [[B, 6], None]], (2, 2)),
    ):
        a = pl.Series(rows, dtype=pl.Array(pl.Int64, shape))
        flat = a.reshape((-1,)).drop_nulls().to_list()
        with pytest.raises(TypeError, match="a has missing values") as error:
            pycrust.sum(a)
        with pytest.raises(TypeError, match="a has missing values"):
            pycrust.sum(a, where=np.ones((len(a), *shape), bool))
        where = advice(error, a=a)
        for held in (a, a.to_frame("x")):
            assert pycrust.nansum(held) == sum(flat)
        assert pycrust.sum(a, where=where) == sum(flat)
        assert pycrust.Accumulator(a, where=where) == pycrust.Accumulator(flat)
        grouped = pycrust.group_sum(a, np.zeros(len(a), int), axis=0, skipna=True)
        assert grouped.dtype == np.int64 and grouped.sum() == sum(flat)
        with pytest.raises(TypeError, match=r"pass (a\..*)$") as error:
            pycrust.cumsum(a)
        assert pycrust.cumsum(eval(str(error.value).partition("pass ")[2], {"a": a}))[-1] == sum(flat)
        with pytest.raises(TypeError, match=r"a\['x'\] with where=(x\..*)$") as error:
            pycrust.sum(a.to_frame("x"))
        assert pycrust.sum(a, where=eval(str(error.value).partition("where=")[2], {"x": a})) == sum(flat)
        with pytest.raises(TypeError, match=r"a\[0\] has missing values"):
            pycrust.sum([a])
    takes(pl.Series([[A, B], [1, 2]], dtype=pl.Array(pl.Int64, 2)), [[A, B], [1, 2]])
    assert pycrust.sum(pl.Series([], dtype=pl.Array(pl.Int64, 2)), axis=0).tolist() == [0, 0]
    mask = pl.Series([[True, None]], dtype=pl.Array(pl.Boolean, 2))
    with pytest.raises(TypeError, match="where has missing values") as error:
        pycrust.sum([[1, 2]], where=mask)
    assert pycrust.sum([[1, 2]], where=advice(error, where=mask)) == 1
    for inner, named in ((Decimal("1.1"), "Decimal"), (date(2026, 1, 1), "datetime64"), ({"x": 1}, "holds structs")):
        with pytest.raises(TypeError, match=named):
            pycrust.sum(pl.Series([[inner]], dtype=pl.Array(pl.Series([inner]).dtype, 1)))
    uneven = pl.DataFrame({"x": [[1, 2]], "y": [3]}, schema={"x": pl.Array(pl.Int64, 2), "y": pl.Int64})
    with pytest.raises(TypeError, match=r"columns of different shapes.*, e\.g\. a\['x'\]"):
        pycrust.sum(uneven)


# ---- xarray, astropy, units -----------------------------------------------------------


def test_xarray():
    xr = pytest.importorskip("xarray")
    takes(xr.DataArray([A, B], attrs={"units": "m"}), [A, B])
    takes(xr.Variable("x", [A, B]), [A, B])
    held = xr.Dataset({"data": ("x", [A, B]), "b": ("y", [1.0])})
    assert held.reduce(pycrust.var)["data"] == held.map(pycrust.var)["data"] == 1.0
    array = held["data"].assign_coords(x=[0, 0])
    for each in (
        held,
        *([xr.DataTree(held)] if hasattr(xr, "DataTree") else ()),
        array.groupby("x"),
        array.rolling(x=2),
        array.coarsen(x=2),
    ):
        with pytest.raises(TypeError, match=r"a is a \w+: .* use a\.reduce with a function of pycrust$"):
            pycrust.sum(each)
        assert type(each.reduce(pycrust.var)) in (xr.Dataset, xr.DataArray, getattr(xr, "DataTree", None))
    pd = pytest.importorskip("pandas")
    held = xr.DataArray(pd.Series([A, None, B], dtype="Int64"))
    if not isinstance(held.data, np.ndarray):  # older ones make objects of it
        takes_with_advice(held, [A, B], r"a\.data has missing values")


def test_dimensions_of_where():
    """where= applies by position, so its dimensions must be in the same order."""
    xr = pytest.importorskip("xarray")
    a = xr.DataArray([[1, 2, 4], [8, 16, 32], [64, 128, 256]], dims=("x", "y"))
    square = xr.DataArray(np.triu(np.ones((3, 3), bool)), dims=("x", "y"))
    rows = xr.DataArray([True, False, False], dims="x")
    for where, way, expected in (
        (square.transpose("y", "x"), "where.transpose(*a.dims)", 1 + 2 + 4 + 16 + 32 + 256),
        (rows, "where.broadcast_like(a)", 7),
    ):
        for function in (pycrust.sum, pycrust.Accumulator):
            with pytest.raises(TypeError, match=re.escape(f"pass {way}")):
                function(a, where=where)
        assert pycrust.sum(a, where=eval(way, {"a": a, "where": where})) == expected
    with pytest.raises(TypeError, match="one with dimensions of a"):
        pycrust.sum(a, where=rows.rename(x="z"))
    assert pycrust.sum(a, where=rows.rename(x="y")) == pycrust.sum(a.data, where=rows.rename(x="z")) == 1 + 8 + 64
    assert pycrust.sum(a, where=xr.DataArray(True)) == 511
    with pytest.raises(TypeError, match="where has the dimensions"):
        pycrust.sum(xr.DataArray(1), where=rows)
    pytest.importorskip("dask.array")
    from pycrust.dask import sum as lazy_sum

    with pytest.raises(TypeError, match="where has the dimensions"):
        lazy_sum(a.chunk(x=2), where=rows)
    assert lazy_sum(a.chunk(x=2), where=rows.broadcast_like(a)).compute() == 7


class Quantity(np.ndarray):
    """As of astropy and unyt, which these tests do without."""

    unit = "m"

    @property
    def value(self):
        return np.asarray(self)


def test_units():
    a = np.array([A, B]).view(Quantity)
    for held in (a, [a], [[a]]):
        with pytest.raises(TypeError, match=r"a(\[0\])* has the unit m, .*pass a(\[0\])*\.value"):
            pycrust.var(held)
    takes(a.value, [A, B])
    a.unit = ""
    takes(a, [A, B])


def test_astropy():
    u = pytest.importorskip("astropy.units")
    from astropy.table import QTable, Table
    from astropy.utils.masked import Masked

    m = Masked([A, 5, B], [False, True, False])
    takes_with_advice(m, [A, B], "masked elements")
    takes_with_advice(QTable({"a": m})["a"], [A, B], "masked elements")
    takes_as_where(Masked([True, True, False], [False, True, False]), np.array([True, False, True]))
    for a in ([1.0, 2.0] * u.m, Table({"a": [1.0, 2.0]}, units={"a": "m"})["a"], Masked([1.0, 2.0]) * u.m, [1 * u.m]):
        with pytest.raises(TypeError, match=r"has the unit m, .*\.value"):
            pycrust.mean(a)
    assert pycrust.mean(([1.0, 2.0] * u.m).value) == 1.5
    takes([1.0, 2.0] * u.dimensionless_unscaled, [1.0, 2.0])
    takes(Table({"a": [A, B]})["a"], [A, B])
    takes_with_advice(Table({"a": np.ma.masked_array([A, 5, B], [0, 1, 0])})["a"], [A, B], "masked")
    xr = pytest.importorskip("xarray")
    takes_with_advice(xr.DataArray(m), [A, B], r"a\.data has missing")


def test_pint():
    pint = pytest.importorskip("pint")
    registry = pint.UnitRegistry()
    a = registry.Quantity([1.0, 2.0], "m")
    with pytest.raises(TypeError, match=r"has the unit meter, .*a\.magnitude"):
        pycrust.mean(a)
    takes(a.magnitude, [1.0, 2.0])


# ---- files, other arrays ----------------------------------------------------------------


class Variable:
    """As of netCDF4: read as a masked array, and without the attributes of one."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_what_is_read_as_a_masked_array():
    takes_with_advice(Variable(np.ma.masked_array([A, 5, B], [0, 1, 0])), [A, B], "masked arrays are not taken")


def test_netcdf4():
    netcdf = pytest.importorskip("netCDF4")
    with netcdf.Dataset("memory", "w", diskless=True) as file:
        file.createDimension("x", 3)
        a = file.createVariable("a", "i8", "x", fill_value=-9)
        a[:] = np.ma.masked_array([A, 5, B], [0, 1, 0])
        takes_with_advice(a, [A, B], "masked arrays are not taken")
        takes_with_advice(a[:], [A, B], "masked arrays are not taken")
        a[:] = [A, A, B]
        assert pycrust.sum(a, where=~np.ma.getmaskarray(a[:])) == 2 * A + B


def test_masked_arrays_of_dask():
    da = pytest.importorskip("dask.array")
    import pycrust.dask

    a = da.ma.masked_array([A, 5, B], [False, True, False])
    with pytest.raises(TypeError, match="masked arrays are not taken") as error:
        pycrust.dask.var(a)
    assert "(for dask: da.ma.getdata(a), where=~da.ma.getmaskarray(a))" in str(error.value)
    assert pycrust.dask.var(da.ma.getdata(a), where=~da.ma.getmaskarray(a)).compute() == 1.0
    with pytest.raises(TypeError, match=r"pass a\.compute\(\)"):
        pycrust.var(a)
    takes_with_advice(a.compute(), [A, B], "masked arrays are not taken")


def test_what_is_lazy_in_dask():
    """No function is named that pycrust.dask does not have."""
    da = pytest.importorskip("dask.array")
    import dask

    a = da.arange(4, chunks=2)
    for held, name, call in (
        (a, "a", lambda a: pycrust.sse(a, a)),
        (a, "values", lambda a: pycrust.group_sum(a, [0, 1, 0, 1])),
        (a, "labels", lambda a: pycrust.group_sum([1, 2, 3, 4], a)),
        (a, "ns", pycrust.sum_of_squares_batch),
        (dask.delayed([1, 2]), "a", pycrust.sum),
    ):
        with pytest.raises(TypeError, match=rf"{name} is a lazy \w+ of dask: pass {name}\.compute\(\)") as error:
            call(held)
        assert ("pycrust.dask" in str(error.value)) == (held is a)
        assert "use the functions of" not in str(error.value)
    total = pycrust.Accumulator()
    for block in a.blocks:  # as it is advised
        total.update(block.compute())
    assert total.sum() == 6


def test_sparse_arrays_of_scipy():
    sparse = pytest.importorskip("scipy.sparse")
    a = sparse.csr_array([[A, 0], [0, B]])
    with pytest.raises(TypeError, match=r"a\.toarray\(\)"):
        pycrust.var(a)
    takes(a.toarray(), [[A, 0], [0, B]])
    with pytest.raises(TypeError, match=r"x\.toarray\(\)"):
        pycrust.var([a])


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu", "int4", "uint4"])
def test_small_numbers_of_ml_dtypes(name):
    """Every one of them, exactly."""
    small = getattr(pytest.importorskip("ml_dtypes"), name)
    size = np.dtype(small).itemsize
    every = np.arange(256**size if "4" not in name[-1] else 16, dtype=f"u{size}")
    a = every.astype(small) if "int" in name else every.view(small)
    wide = a.astype(np.int8 if "int" in name else np.float32)
    finite = np.isfinite(wide)
    for function in ("sum", "mean", "var"):
        assert getattr(pycrust, function)(a, where=finite) == getattr(reference, function)(wide[finite])
    assert pycrust.sum(a[:2]) == wide[:2].sum()


@pytest.fixture
def torch():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what torch itself calls experimental, or will drop
        yield pytest.importorskip("torch")


def test_tensors_of_torch(torch):
    """In their own dtype, in any layout, without a copy of more."""
    a = torch.tensor([[A, 7, B], [1, B, 2]])
    takes(a, a.tolist())
    takes(a.T, a.T.tolist())
    takes(a[:, ::2], a[:, ::2].tolist())
    takes(torch.tensor([A, B]).expand(3, 2), [[A, B]] * 3)
    assert pycrust.sum(a, axis=0).tolist() == [A + 1, B + 7, B + 2]
    assert pycrust.sum(a, where=a > 2) == A + 7 + 2 * B
    assert pycrust.sum([a[0, 0], a[0, 2]]) == A + B
    assert pycrust.Accumulator(a).sum() == A + 2 * B + 10
    for name in (
        "bool",
        "uint8",
        "int8",
        "int16",
        "int32",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
    ):
        assert pycrust.var(torch.tensor([1, 0, 1, 0]).to(getattr(torch, name))) == 0.25
    z = torch.tensor([1 + 2j, 3 - 1j])
    for name in ("complex32", "complex64", "complex128"):
        assert pycrust.sum(z.to(getattr(torch, name)).conj()) == 4 - 1j
    assert pycrust.sum(z.conj().imag) == -1


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu"])
def test_small_numbers_of_torch(torch, name):
    """Every one of them, exactly."""
    small = getattr(pytest.importorskip("ml_dtypes"), name)
    every = np.arange(256 ** np.dtype(small).itemsize, dtype=f"u{np.dtype(small).itemsize}")
    wide = every.view(small).astype(np.float32)
    finite = np.isfinite(wide)
    a = torch.from_numpy(every.astype("i2") if every.itemsize == 2 else every).view(getattr(torch, name))
    for function in ("sum", "mean", "var"):
        assert getattr(pycrust, function)(a, where=finite) == getattr(reference, function)(wide[finite])


def test_tensors_that_are_refused(torch):
    a = torch.ones(3, requires_grad=True)
    with pytest.raises(TypeError, match=r"a requires a gradient, .* pass a\.detach\(\)"):
        pycrust.sum(a)
    with pytest.raises(TypeError, match=r"pass a\[1\]\.detach\(\)"):
        pycrust.sum([1.0, a[0]])
    assert pycrust.sum(a.detach()) == 3.0
    with pytest.raises(TypeError, match=r"on the device meta: pass a\.cpu\(\)"):
        pycrust.sum(torch.ones(3, device="meta"))
    with pytest.raises(TypeError, match="to_dense"):
        pycrust.sum(a.detach().to_sparse())
    with pytest.raises(TypeError, match=r"a tensor of torch\.qint8, cannot be read"):
        pycrust.sum(torch.quantize_per_tensor(a.detach(), 0.1, 0, torch.qint8))
    masked = torch.masked.masked_tensor(a.detach(), torch.tensor([True, False, True]))
    with pytest.raises(TypeError, match="cannot be read"):
        pycrust.mean(masked)
    with pytest.raises(TypeError, match="out must be a plain array"):
        pycrust.sum(torch.ones(2, 3), axis=0, out=torch.empty(3))


def test_h5py_and_zarr(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        takes(file.create_dataset("a", data=[A, B]), [A, B])
    zarr = pytest.importorskip("zarr")
    takes(zarr.array(np.array([A, B])), [A, B])


# ---- other arguments ------------------------------------------------------------------------


def test_a_mask_for_rows_says_how():
    a = np.arange(12.0).reshape(2, 2, 3)
    for rows, way in (
        (np.array([True, False]), "np.asarray(where)[:, None, None]"),
        (np.eye(2, dtype=bool), "np.asarray(where)[:, :, None]"),
    ):
        with pytest.raises(ValueError, match=f"pass {re.escape(way)}$"):
            pycrust.sum(a, where=rows)
        pycrust.sum(a, where=eval(way, {"where": rows, "np": np}))


@pytest.mark.parametrize("package", ["list", "pandas", "polars", "pyarrow"])
def test_a_mask_for_rows_of_any_container(package):
    a, rows = np.arange(6).reshape(2, 3), [False, True]
    if package == "list":
        held = [rows]
    else:
        made = pytest.importorskip(package)
        held = [made.array(rows)] if package != "polars" else [made.Series(rows)]
        held += [made.Series(rows, dtype="boolean")] if package == "pandas" else []
    for where in held:
        with pytest.raises(ValueError, match="pass np") as error:
            pycrust.sum(a, where=where)
        way = str(error.value).partition("pass ")[2]
        assert pycrust.sum(a, where=eval(way, {"where": where, "np": np})) == 3 + 4 + 5


@pytest.mark.parametrize(
    "axis", [True, np.True_, (0, True), "columns", [0, 1], 0.5, np.array([0, 1]), (0, np.array([1, 2]))]
)
def test_what_is_no_axis(axis):
    with pytest.raises(TypeError, match="axis must be None, an integer or a tuple of integers, not "):
        pycrust.sum(np.ones((2, 3)), axis=axis)


@pytest.mark.parametrize("workers", ["all", 1.0, None])
def test_what_is_no_number_of_workers(workers):
    with pytest.raises(TypeError, match="workers must be an integer"):
        pycrust.sum([1.0], workers=workers)


def test_integers_that_python_does_not_print():
    large = 10**5000
    with pytest.raises(OverflowError, match=f"is an integer of {large.bit_length()} bits, which does not fit int64"):
        pycrust.sum([large], axis=0)
    with pytest.raises(ValueError, match="ddof must not be negative or NaN, but is -an integer of"):
        pycrust.var([1.0], ddof=-large)
    with pytest.raises(np.exceptions.AxisError, match="an integer of"):
        pycrust.sum([1.0], axis=large)
    with pytest.raises(ValueError, match="no thread at all"):
        pycrust.sum([1.0], workers=-large)
    with pytest.raises(ValueError, match=r"method must be .*, not an integer of"):
        pycrust.sum_of_squares(3, method=large)
    with pytest.raises(MemoryError, match=r"an integer of .* states"):
        pycrust.Accumulator(shape=large)
    with pytest.raises(ValueError, match=r"shape must not be negative, but is \(2, -an integer of"):
        pycrust.Accumulator(shape=(2, -large))
    with pytest.raises(ValueError, match="num_labels must not be negative, but is -an integer of"):
        pycrust.group_sum([1.0], [0], num_labels=-large)
    with pytest.warns(RuntimeWarning, match="no more elements than ddof"):
        assert np.isnan(pycrust.var([1.0], ddof=Fraction(large, 3)))
    with pytest.raises(ValueError, match="ddof must not be negative or NaN, but is a Fraction"):
        pycrust.var([1.0], ddof=Fraction(-large, 3))
    for call in (
        lambda no: pycrust.sum([1.0], axis=(0, no)),
        lambda no: pycrust.sum([1.0], axis=((large,),)),
        lambda no: pycrust.sum([1.0], workers=no),
        lambda no: pycrust.cumsum([1.0], axis=no),
        lambda no: pycrust.move_sum([1.0], no),
        lambda no: pycrust.group_sum([1.0], [0], num_labels=no),
        lambda no: pycrust.vecdot([1.0], [1.0], axis=no),
        lambda no: pycrust.Accumulator(shape=no),
        lambda no: pycrust.PairAccumulator([1.0], [1.0]).cov(ddof=no),
    ):
        with pytest.raises(TypeError, match=r"must be .*integer.*, not (a Fraction|.an integer of)"):
            call(Fraction(large, 3))


def test_what_is_refused_is_named_as_the_argument_is():
    for call, name in (
        (lambda a: pycrust.group_sum(a, [0]), "values"),
        (lambda a: pycrust.group_mean(a, [0], skipna=True), "values"),
        (lambda a: pycrust.dot([1], a), "b"),
    ):
        for a in (["x"], [Decimal(1)], np.array([None], object)):
            with pytest.raises(TypeError, match=rf"^{name} \(a here\): cannot sum"):
                call(a)
    with pytest.raises(TypeError, match=r"^cannot sum"):
        pycrust.sum(["x"])


# ---- Accumulator ------------------------------------------------------------------------------


def test_what_an_accumulator_adds():
    total = pycrust.Accumulator([1.0])
    for other in (np.ones(2), np.float64(1), 1, 2.5, [1, 2]):
        for add in (operator.add, operator.iadd, lambda total, other: other + total):
            with pytest.raises(TypeError, match=rf"\+ adds Accumulators, not {type(other).__name__}: .*update\(\)"):
                add(total, other)
    for add in (lambda: total.update(total), lambda: pycrust.Accumulator(total)):
        with pytest.raises(TypeError, match=r"added by merge\(\) or \+"):
            add()
    with pytest.raises(TypeError, match=r"merge takes an Accumulator, not list: .*sum\(\)"):
        total.merge([total])
    with pytest.raises(TypeError, match="unsupported operand"):
        total + "1"
    with pytest.raises(TypeError, match=r"not Accumulator: .*mean\(\)"):
        pycrust.mean(total)
    assert total == pycrust.Accumulator([1.0])


def test_correction_of_an_accumulator():
    total = pycrust.Accumulator([4.0, 7.0, 13.0, 16.0])
    assert total.var(correction=1) == total.var(1) == total.var(ddof=1) == 30.0
    assert total.std(correction=1) == total.std(1)
    with pytest.raises(TypeError, match="two names of one thing"):
        total.var(1, correction=1)


@pytest.mark.parametrize("ddof", [np.array([0, 1]), np.array([1]), np.array(1.5), [0, 1], "1", 1j])
def test_ddof_is_one_number(ddof):
    for call in (
        lambda: pycrust.var([1.0, 2.0], ddof=ddof),
        lambda: pycrust.std(np.ones((2, 3)), axis=0, ddof=ddof),
        lambda: pycrust.nanvar([1.0, 2.0], correction=ddof),
        lambda: pycrust.Accumulator([1.0, 2.0]).var(ddof),
    ):
        with pytest.raises(TypeError, match=f"ddof must be one real number, not {type(ddof).__name__}"):
            call()
    assert pycrust.var([1.0, 2.0], ddof=np.array(1)) == 0.5


def test_ddof_is_not_rounded():
    x = [1.0, 2.0, 4.0]
    for ddof in (Fraction(1, 3), Fraction(2**60 + 1, 2)):
        for function in (pycrust.var, pycrust.nanstd, lambda x, ddof: pycrust.Accumulator(x).var(ddof)):
            with pytest.raises(TypeError, match=r"ddof is a Fraction that .*: pass float\(ddof\)"):
                function(x, ddof=ddof)
    assert pycrust.var(x, ddof=Fraction(1, 2)) == pycrust.var(x, ddof=np.float32(0.5)) == pycrust.var(x, ddof=0.5)
    if np.finfo(np.longdouble).nmant > 52:
        with pytest.raises(TypeError, match="ddof is a longdouble that"):
            pycrust.var(x, ddof=np.longdouble(1) / 3)
    with pytest.warns(RuntimeWarning, match="no more elements than ddof"):
        assert np.isnan(pycrust.var([1.0], ddof=2**1100 + 1))


def test_an_exception_leaves_out_as_it_was():
    out = np.full(2, 7)
    with pytest.raises(OverflowError, match=r"at \(1,\)"):
        pycrust.sumsq([[1, 2], [2**40, 1]], axis=1, out=out)
    assert out.tolist() == [7, 7]


def test_a_list_that_is_changed_while_it_is_read():
    class Shortening:
        def __init__(self, items):
            self.items = items

        def __array__(self, *_args, **_options):
            self.items.clear()
            return np.array(1.0)

    for read in (pycrust.sum, pycrust.Accumulator, lambda items: pycrust.dot(items, [1.0] * 1000)):
        items = [1.0] * 1000
        items[10] = Shortening(items)
        with pytest.raises(RuntimeError, match="changed while"):
            read(items)


def test_a_sequence_that_does_not_end():
    class Endless:
        def __len__(self):
            return 3

        def __getitem__(self, _k):
            return 1.0

    for a in (Endless(), [1.0, Endless()]):
        with pytest.raises(TypeError, match="3 elements by len"):
            pycrust.sum(a)
