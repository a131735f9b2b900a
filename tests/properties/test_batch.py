"""sum_of_squares_batch against plain Python ints: every layout, every dtype, every error."""

import math

import numpy as np
import pytest
from cases import all_pairs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pycrust import reference, sum_of_squares_batch

MAX = 7_991_780_883_560
LARGEST = {np.int64: 3_024_616, np.uint64: 3_810_777, np.float64: math.inf, object: math.inf}

INTEGERS = st.sampled_from([f"{order}{kind}{size}" for order in "<>" for kind in "iu" for size in (1, 2, 4, 8)])
DTYPES = pytest.mark.parametrize("dtype", LARGEST, ids=lambda dtype: dtype.__name__)
METHODS = pytest.mark.parametrize("method", ["loop", "formula"])


def exact(ns, method="formula"):
    """The sums as nested lists of Python ints."""
    return reference.sum_of_squares_batch(np.asarray(ns).tolist(), method=method)


def check(ns, **kwargs):
    """The batch against the oracle, bit for bit; ns must stay as it was."""
    before = ns.tobytes()
    result = sum_of_squares_batch(ns, **kwargs)
    assert ns.tobytes() == before
    dtype = kwargs.get("dtype", np.int64)
    if ns.ndim == 0 and dtype is object:
        assert type(result) is int
        assert result == exact(ns)
        return
    assert result.dtype == dtype
    assert result.shape == ns.shape
    expected = np.array(exact(ns), dtype=object).reshape(ns.shape)
    assert result.tolist() == (expected.astype(float) if dtype is np.float64 else expected).tolist()
    if dtype is object:
        assert all(type(total) is int for total in result.flat)


def arrays(low=-(10**4), high=10**5, dtypes=INTEGERS):
    """Arrays of any shape, integer dtype and byte order, with values in what the dtype holds of [low, high]."""

    def of(dtype):
        info = np.iinfo(dtype)
        values = st.integers(max(low, info.min), min(high, info.max))
        return npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6), elements=values)

    return dtypes.flatmap(of)


def zoo():
    """The same numbers in every layout that NumPy has: (name, array)."""
    base = np.arange(-3, 21, dtype=np.int64).reshape(2, 3, 4)
    misaligned = np.zeros(base.nbytes + 1, np.uint8)[1:].view(np.int64)
    misaligned[:] = base.reshape(-1)
    readonly = base.copy()
    readonly.flags.writeable = False
    fields = np.zeros(24, dtype=[("skip", "i1"), ("n", "i8")])
    fields["n"] = base.reshape(-1)
    yield "contiguous", base
    yield "fortran", np.asfortranarray(base)
    yield "transposed", base.transpose(1, 2, 0)
    yield "reversed", base[::-1, :, ::-1]
    yield "stepped", base[:, ::2, ::3]
    yield "broadcast", np.broadcast_to(np.int64(7), (3, 5))
    yield "broadcast rows", np.broadcast_to(base[0, 0], (6, 4))
    yield "sliding", np.lib.stride_tricks.sliding_window_view(base.reshape(-1), 5)
    yield "length-1 axes", base[:, None, :1, None, :]
    yield "misaligned", misaligned
    yield "misaligned reversed", misaligned[::-1]
    yield "a field", fields["n"]
    yield "byteswapped", base.astype(">i8")
    yield "little", base.astype("<i8")
    yield "read-only", readonly
    yield "0-d", np.array(12)
    yield "empty", np.zeros(0, np.int16)
    yield "empty 3-d", np.zeros((2, 0, 1), np.uint64)
    yield "one", np.array([5], np.uint8)
    yield "matrix", base[0].view(np.matrix)


ZOO = dict(zoo())


# ---- the right numbers ------------------------------------------------------


@DTYPES
@METHODS
@given(data=st.data())
def test_any_array(level, dtype, method, data):
    check(data.draw(arrays()), dtype=dtype, method=method)


@all_pairs(layout=ZOO, dtype=LARGEST, method=["loop", "formula"])
def test_any_layout(layout, dtype, method):
    ns = ZOO[layout]
    if isinstance(ns, np.matrix):
        ns = np.asarray(ns)
    check(ns, dtype=dtype, method=method)


@METHODS
@given(ns=st.lists(st.integers(-(2**70), MAX // 10**6), min_size=1, max_size=20))
def test_lists_of_ints(method, ns):
    assert sum_of_squares_batch(ns, dtype=object, method=method).tolist() == exact(np.array(ns, dtype=object))


@given(ns=st.lists(st.integers(-(2**100), 2**100), min_size=1, max_size=20))
def test_formula_of_ints_of_any_size(ns):
    """Among them lists that NumPy alone would take for floats: [-1, 2**63]."""
    result = sum_of_squares_batch(ns, dtype=object, method="formula")
    assert result.tolist() == [reference.sum_of_squares(n, method="formula") for n in ns]
    rounded = sum_of_squares_batch(ns, dtype=np.float64, method="formula")
    assert rounded.tolist() == [float(reference.sum_of_squares(n, method="formula")) for n in ns]


@given(ns=npst.arrays(np.int64, st.integers(1, 50), elements=st.integers(-5, MAX)))
@pytest.mark.parametrize("dtype", [np.float64, object])
def test_formula_up_to_128_bits(ns, dtype):
    check(ns, dtype=dtype, method="formula")


@pytest.mark.slow
@given(ns=st.lists(st.integers(-5, 10**7) | st.integers(2**27 - 10**5, 2**27 + 10**5), min_size=1, max_size=50))
@pytest.mark.parametrize("dtype", [np.float64, object])
def test_sparse_stops(level, ns, dtype):
    check(np.array(ns), dtype=dtype)


@DTYPES
@METHODS
def test_up_to_the_limit_of_each_dtype(level, dtype, method):
    top = 10**8 if LARGEST[dtype] == math.inf else LARGEST[dtype]
    check(np.array([top, 0, top - 1, -1, top]), dtype=dtype, method=method)
    check(np.arange(top - 3, top + 1), dtype=dtype, method=method)


@METHODS
def test_a_dense_batch(level, method):
    """As many values as the highest of them: the walk stops at every integer."""
    ns = np.random.default_rng(0).permutation(30_000)
    check(ns, method=method)
    check(ns, dtype=np.float64, method=method)


def test_correctly_rounded():
    """Sums halfway between two doubles exist, and go to the even one."""
    ns = np.arange(300_000, 330_000)
    sums = sum_of_squares_batch(ns, dtype=object).tolist()
    ties = [n for n in sums if n.bit_length() == 54 and n % 2 == 1]
    assert len(ties) > 100
    assert sum_of_squares_batch(ns, dtype=np.float64).tolist() == [float(n) for n in sums]


def test_scalars_and_array_likes():
    assert type(sum_of_squares_batch(4)) is np.int64
    assert type(sum_of_squares_batch(np.array(4), dtype=object)) is int
    assert sum_of_squares_batch(range(4)).tolist() == [0, 1, 5, 14]
    assert sum_of_squares_batch(((1, 2), (3, 4))).tolist() == [[1, 5], [14, 30]]
    assert sum_of_squares_batch(memoryview(b"\x03\x04")).tolist() == [14, 30]
    assert sum_of_squares_batch([]).shape == (0,)
    assert sum_of_squares_batch([[], []]).shape == (2, 0)
    assert sum_of_squares_batch(np.array([np.uint8(3), 4], dtype=object)).tolist() == [14, 30]


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_gives_an_array():
    total = sum_of_squares_batch(np.asmatrix([[1, 2], [3, 4]]))
    assert type(total) is np.ndarray
    assert total.tolist() == [[1, 5], [14, 30]]


def test_memmap(tmp_path):
    path = tmp_path / "numbers"
    np.arange(100, dtype=">u4").tofile(path)
    for mode in ("r", "r+", "c"):
        check(np.memmap(path, dtype=">u4", mode=mode))
    assert np.fromfile(path, dtype=">u4").tolist() == list(range(100))


def test_the_whole_of_each_small_dtype():
    for dtype in (np.int8, np.uint8, np.int16, np.uint16):
        info = np.iinfo(dtype)
        check(np.arange(info.min, info.max + 1).astype(dtype))


# ---- one walk for the whole batch -------------------------------------------


class TwentyMilliseconds:
    """A clock on which every slice of the walk takes 20 ms: then the slices keep their first size of
    2**22 squares, and the looks at the clock count the squares walked."""

    def __init__(self):
        self.looks = 0

    def __call__(self):
        self.looks += 1
        return 0.02 * self.looks


@pytest.mark.parametrize(
    "ns",
    [[2**27], [2**27] * 1000, range(2**27 - 1000, 2**27 + 1), np.linspace(0, 2**27, 5000).astype(int)],
    ids=["one", "the same", "close", "spread"],
)
def test_one_walk_serves_the_batch(monkeypatch, ns):
    clock = TwentyMilliseconds()
    monkeypatch.setattr("time.perf_counter", clock)
    sum_of_squares_batch(ns, dtype=object)
    assert abs(clock.looks - 2**27 // 2**22) <= 2


def test_many_stops_are_many_looks_for_signals(monkeypatch):
    """On a clock that stands still the slices double without end; yet stops close together are looked after."""

    def looks(ns):
        count = 0

        def clock():
            nonlocal count
            count += 1
            return 1.0

        monkeypatch.setattr("time.perf_counter", clock)
        sum_of_squares_batch(ns, dtype=object)
        return count

    assert looks(np.arange(10**8, 10**8 + 2**20)) - looks([10**8 + 2**20]) >= 3


# ---- out --------------------------------------------------------------------

OUTS = {
    np.int64: ["i8", ">i8", "f8", ">f8", "c16", "O"],
    np.uint64: ["u8", ">u8", "f8", "O"],
    np.float64: ["f8", ">f8", "c16", "O"],
    object: ["O"],
}


@pytest.mark.parametrize(("dtype", "target"), [(dtype, target) for dtype in OUTS for target in OUTS[dtype]])
@METHODS
def test_out(dtype, target, method):
    ns = np.arange(12).reshape(3, 4)
    for out in (np.empty((3, 4), target), np.empty((4, 3), target).T, np.empty((6, 8), target)[::-2, ::2]):
        assert sum_of_squares_batch(ns, dtype=dtype, out=out, method=method) is out
        assert out.tolist() == exact(ns)


def test_out_may_be_the_input():
    ns = np.arange(10)
    assert sum_of_squares_batch(ns[::-1], out=ns) is ns
    assert ns.tolist() == exact(np.arange(10)[::-1])


def test_out_0d():
    out = np.zeros(())
    assert sum_of_squares_batch(4, out=out) is out
    assert out[()] == 30


OUT_ERRORS = [
    (TypeError, np.int64, [0, 0], "list"),
    (TypeError, np.int64, 3, "int"),
    (ValueError, np.int64, np.full(3, 9), r"\(3,\).*\(2,\)"),
    (ValueError, np.int64, np.full((2, 1), 9), r"\(2, 1\).*\(2,\)"),
    (ValueError, np.int64, np.array(9), "shape"),
    *[(TypeError, np.int64, np.full(2, 9).astype(to), to) for to in ("int8", "int32", "uint64", "float32", "bool")],
    *[(TypeError, np.uint64, np.full(2, 9).astype(to), to) for to in ("int64", "uint32")],
    *[(TypeError, np.float64, np.full(2, 9).astype(to), to) for to in ("int64", "float32", "float16")],
    *[(TypeError, object, np.full(2, 9).astype(to), to) for to in ("int64", "float64")],
    (TypeError, np.int64, np.full(2, 9).astype("m8[s]"), "timedelta"),
    (TypeError, np.int64, np.full(2, "9", dtype="U30"), "U30"),
    (TypeError, np.int64, np.ma.array([9, 9], mask=[0, 1]), "MaskedArray"),
]


@pytest.mark.parametrize(("error", "dtype", "out", "message"), OUT_ERRORS)
def test_out_that_cannot_hold_the_result(error, dtype, out, message):
    before = np.array(out)
    with pytest.raises(error, match=message):
        sum_of_squares_batch([300, 2], dtype=dtype, out=out)
    assert np.array(out).tolist() == before.tolist()


def test_out_read_only():
    out = np.full(2, 9)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        sum_of_squares_batch([1, 2], out=out)
    assert out.tolist() == [9, 9]


# ---- errors -----------------------------------------------------------------

masked = np.ma.array([1, 2], mask=[0, 1])


@pytest.mark.parametrize(
    ("ns", "message"),
    [
        (1.5, "float"),
        ([1, 2.0], "float"),
        (np.array([1.0, 2.0]), "float64"),
        (np.zeros(0), "float64"),
        (np.array([1.0], dtype=np.longdouble), "longdouble|float128|float96"),
        (np.array([1j]), "complex"),
        ("12", "str|<U2"),
        (["1", "2"], "<U1"),
        (b"12", "S2"),
        (np.array(["2020-01-01"], dtype="M8[D]"), "datetime64"),
        (np.array([5], dtype="m8[s]"), "timedelta64"),
        (np.zeros(2, dtype=[("a", "i8")]), r"\('a'"),
        (None, "NoneType"),
        ({1, 2}, "set"),
        pytest.param((n for n in [1]), "generator", id="generator"),
        ([1, None], r"ns\[1\].*NoneType"),
        ([[1, 2], [3, "x"]], "str|<U"),
        (np.array([[1, 2], [3, 2.5]], dtype=object), r"ns\[1, 1\].*float"),
        (masked, "filled"),
        (masked.astype(object), "filled"),
        (np.array([True]), "bool"),
    ],
    ids=repr,
)
@METHODS
def test_not_integers(ns, message, method):
    out = np.full(2, 9)
    with pytest.raises(TypeError, match=message):
        sum_of_squares_batch(ns, method=method)
    with pytest.raises((TypeError, ValueError)):
        sum_of_squares_batch(ns, method=method, out=out)
    assert out.tolist() == [9, 9]


def test_what_is_no_integer_can_be_made_one():
    """As it is advised, of lists too."""
    for ns in (np.array([1.0, 2.0]), ["1", "2"]):
        with pytest.raises(TypeError, match=r"e\.g\. (.*)") as error:
            sum_of_squares_batch(ns)
        made = eval(str(error.value).partition("e.g. ")[2], {"np": np, "ns": ns})
        assert sum_of_squares_batch(made).tolist() == [1, 5]


@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.longdouble, complex, bool, "U5", ">i8", "M8[s]", None])
def test_dtypes_that_are_not_offered(dtype):
    with pytest.raises(TypeError, match=r"dtype must be|int64, uint64, float64 or object"):
        sum_of_squares_batch([3], dtype=dtype)


def test_dtypes_by_any_name():
    for name in ("int64", "i8", np.dtype(np.int64), np.longlong):
        assert sum_of_squares_batch([3], dtype=name).dtype == np.int64
    assert sum_of_squares_batch([3], dtype=float).dtype == np.float64
    assert sum_of_squares_batch([3], dtype="O").dtype == object


@pytest.mark.parametrize(
    ("dtype", "advice"), [(np.int64, r"dtype=np\.uint64, dtype=object"), (np.uint64, "dtype=object")]
)
@METHODS
def test_a_sum_that_does_not_fit(dtype, advice, method):
    top = LARGEST[dtype]
    ns = np.array([[top, 1, 2], [3, top + 1, top + 2]])
    out = np.full((2, 3), 9, dtype=dtype)
    with pytest.raises(OverflowError, match=rf"ns\[1, 1\] = {top + 1}: .*{top}; use {advice}"):
        sum_of_squares_batch(ns, dtype=dtype, out=out, method=method)
    assert (out == 9).all()


def test_uint64_is_only_advised_where_it_helps():
    with pytest.raises(OverflowError) as error:
        sum_of_squares_batch([LARGEST[np.uint64] + 1])
    assert "uint64," not in str(error.value)


@pytest.mark.parametrize("dtype", [np.float64, object])
@pytest.mark.parametrize("n", [MAX + 1, 2**63 - 1, 2**63, 2**64 - 1, 10**40, pytest.param(10**5000, id="10**5000")])
def test_beyond_the_loop(dtype, n):
    with pytest.raises(OverflowError, match=r"ns\[2\].*method='formula'"):
        sum_of_squares_batch([1, 2, n], dtype=dtype)
    with pytest.raises(OverflowError, match=r"ns\[2\]"):
        sum_of_squares_batch([1, 2, n])
    with pytest.raises(OverflowError, match=r"ns[^\[]"):
        sum_of_squares_batch(n, dtype=dtype)


def test_a_sum_above_the_largest_float():
    ns = [1, 10**200]
    with pytest.raises(OverflowError, match=r"ns\[1\].*dtype=object"):
        sum_of_squares_batch(ns, dtype=np.float64, method="formula")
    assert sum_of_squares_batch(ns, dtype=object, method="formula").tolist() == exact(np.array(ns, dtype=object))


def test_an_index_that_raises_is_heard():
    class Unready:
        def __index__(self):
            raise LookupError("not yet")

    with pytest.raises(LookupError, match="not yet"):
        sum_of_squares_batch([1, Unready()])


@pytest.mark.parametrize("method", ["", "Loop", None, 1, ["loop"], b"loop"])
def test_unknown_method(method):
    with pytest.raises(ValueError, match="'loop' or 'formula'"):
        sum_of_squares_batch([3], method=method)


def test_ragged():
    with pytest.raises(ValueError, match="ns is ragged"):
        sum_of_squares_batch([[1], [2, 3]])


@pytest.mark.parametrize(
    "ns", [np.ma.array([1, 2], mask=[False, True]), [np.ma.array([1, 2], mask=[False, True]), np.ma.array([3, 4])]]
)
def test_masks_are_never_ignored(ns):
    with pytest.raises(TypeError, match="mask"):
        sum_of_squares_batch(ns)
