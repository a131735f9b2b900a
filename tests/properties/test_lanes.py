"""Many short sums at once (csrc/array/lanes.c): the nearest number, always, and the exact way only where that is needed."""

import functools
import warnings

import numpy as np
import pytest
from hard_arrays import assert_same

import pycrust
from pycrust import reference
from pycrust._core import _rounding_test_failures

FUNCTIONS = ["sumsq", "norm", "rms", "sum", "mean", "var", "std"]
POSITIONS = 19  # two vectors of eight, and some more


@functools.lru_cache(1000)
def total_of(numbers, dtype):
    return reference.Accumulator(np.frombuffer(numbers, dtype))


@functools.lru_cache(10_000)
def expected_of(name, numbers, dtype, kwargs):
    """What the reference makes of a row, which comes in several layouts."""
    return getattr(total_of(numbers, dtype), name)(**dict(kwargs))


def check(a, axis, names=FUNCTIONS, where=True, **kwargs):
    """Each function of the rows along an axis is what the reference makes of each row, bit by bit."""
    moved = np.moveaxis(a, axis, -1)
    wheres = np.moveaxis(np.broadcast_to(where, a.shape), axis, -1)
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            values = getattr(pycrust, name)(a, axis=axis, where=where, **kwargs)
            for position in np.ndindex(moved.shape[:-1]):
                row = moved[position][wheres[position]]
                expected = expected_of(name, row.tobytes(), row.dtype, tuple(kwargs.items()))
                got = values[position].item()
                assert type(got) is type(expected)
                for x, y in ((got.real, expected.real), (got.imag, expected.imag)):
                    assert x == y or (x != x and y != y), (name, position, moved[position])
                    assert np.signbit(x) == np.signbit(y) or x != x


def layouts(rows):
    """The same rows along the first, the last and a middle axis, and with odd strides."""
    yield np.ascontiguousarray(rows.T), 0
    yield np.ascontiguousarray(rows), 1
    yield np.ascontiguousarray(rows[:, :, np.newaxis]), 1
    wide = np.empty((2 * len(rows), 3 * rows.shape[1]), dtype=rows.dtype)
    strided = wide[::2, ::-3]
    strided[...] = rows
    yield strided, 1


@pytest.mark.parametrize("depth", [*range(71), 255, 256, 257, 511, 512, 513])
def test_every_length(depth):
    random = np.random.default_rng(depth)
    rows = random.normal(size=(POSITIONS, depth))
    check(np.ascontiguousarray(rows.T), 0, FUNCTIONS if depth % 8 < 4 else ["sum", "var"])
    if depth % 8 in (0, 1, 4):
        check(rows, 1, ["mean", "std"])


@pytest.mark.parametrize("depth", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("dtype", ["f8", ">f8", "f4", "f2", "i1", "u1", "?", "i2", "u2", "i4", "u4", ">i4", "i8", "u8"])
def test_types_and_layouts(dtype, depth):
    random = np.random.default_rng(depth)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        rows = random.normal(size=(POSITIONS, depth)).astype(dtype)
    elif dtype.kind == "b":
        rows = random.random((POSITIONS, depth)) < 0.5
    else:
        info = np.iinfo(dtype)
        rows = random.integers(info.min // depth, info.max // depth, (POSITIONS, depth), dtype.newbyteorder("="))
        rows = rows.astype(dtype)
        rows[::3] //= 2 ** (dtype.itemsize * 6)
    for a, axis in layouts(rows):
        check(a, axis, ["sum", "mean", "var", "std", "rms"])
        check(a, axis, ["sum", "norm", "var"], dtype=np.float32)
        check(a, axis, ["mean", "std"], dtype=np.float16)
        if dtype.itemsize < 4 or dtype.kind == "f":
            check(a, axis, ["sumsq"])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_results_halfway_between_two_floats(dtype):
    """A third number, however small, decides; without it, the even one is the nearest."""
    ulp = np.finfo(dtype).eps
    rows = np.array(
        [
            [1 + k * ulp, side * ulp / 2, tiny]
            for k in range(4)
            for side in (1, -1)
            for tiny in (0.0, 2.0**-80, -(2.0**-80), 2.0**-160, -(2.0**-160), 5e-324, -5e-324)
        ]
    )
    for a, axis in layouts(rows):
        check(a, axis, ["sum"], dtype=dtype)
    for a, axis in layouts(rows * 3):
        check(a, axis, ["mean"], dtype=dtype)
    # the square of a number of 54 bits, of 25, of 12; of two numbers at its distance
    halfway = np.array(
        [
            [side * (1 + k * ulp + ulp / 2), 0, tiny]
            for k in range(4)
            for side in (1, -1)
            for tiny in (0.0, 2.0**-200, -5e-324)
        ]
    )
    if dtype != np.float64:
        check(halfway, 1, ["norm"], dtype=dtype)
        check(halfway * 2, 1, ["std"], dtype=dtype)
    pairs = np.array([[1 + k * ulp, -1.0] for k in range(8)])
    check(pairs, 1, ["std", "var"], dtype=dtype)
    check(pairs, 1, ["std", "var"], dtype=dtype, ddof=1)


def test_means_of_all_small_multiples():
    """Sums of three that are divisible by three, with a quotient halfway between two doubles."""
    rows = np.array(
        [
            [float(2**53 + a), float(2**53 + b), float(2**53 + c)]
            for a in range(0, 12, 2)
            for b in range(0, 8, 2)
            for c in range(0, 8, 2)
        ]
    )
    for a, axis in layouts(rows):
        check(a, axis, ["sum", "mean"])


def test_adverse_sizes():
    random = np.random.default_rng(4)
    for depth in (2, 3, 7):
        rows = np.ldexp(random.normal(size=(60, depth)), random.integers(-1074, 1020, (60, depth)))
        rows[::4] = random.choice([0.0, -0.0, 5e-324, 1.7976931348623157e308, -1e300, 1.0], (15, depth))
        rows[1::8, 0] = np.inf
        rows[3::8, 0] = np.nan
        check(rows, 1)
        check(np.ascontiguousarray(rows.T), 0)
        check(rows, 1, ["sum", "mean", "norm", "std"], dtype=np.float32)


def test_integers_at_their_ends():
    for dtype in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64):
        info = np.iinfo(dtype)
        rows = np.random.default_rng(5).choice(np.array([info.min, info.max, 0, 1], dtype), (40, 5))
        check(rows, 1, ["sum", "mean", "var", "norm"], dtype=np.float64)
        if info.bits < 64:
            check(rows, 1, ["sum"])


def test_sums_that_do_not_fit():
    a = np.full((20, 3), 1, dtype=np.int64)
    a[7] = 2**62
    with pytest.raises(OverflowError, match=r"at \(7,\).*13835058055282163712"):
        pycrust.sum(a, axis=1)
    a[7, 0] = -(2**62)
    assert pycrust.sum(a, axis=1).tolist() == [3] * 7 + [2**62] + [3] * 12
    with pytest.raises(OverflowError, match=r"at \(2,\)"):
        pycrust.sum(np.array([[1, 1], [2, -1], [1, -2]]), axis=1, dtype=np.uint64)
    a = np.repeat(a, 50, axis=1)
    with pytest.raises(OverflowError, match=r"at \(7,\).*230584300921369395200"):
        pycrust.sum(a, axis=1)


@pytest.mark.parametrize("depth", [1, 2, 3, 40, 200])
@pytest.mark.parametrize("dtype", ["i8", "u8"])
def test_integers_about_the_end_of_lanes(level, depth, dtype):
    """Results of lanes are below 2**62 in size, or -2**62; what rounds to these as a double is not always there."""
    ends = [k << e for e in (61, 62) for k in ((1, -1) if dtype == "i8" else (1,))]
    sums = [end + apart for end in ends for apart in (0, 1, -1, 255, -256, 257, -512, 513)]
    a = np.zeros((depth, len(sums)), dtype)
    a[-1] = sums
    for rows in (a, np.ascontiguousarray(a.T).T):
        assert pycrust.sum(rows, axis=0).tolist() == sums
        assert pycrust.nansum(rows, axis=0).tolist() == sums
        labels = np.repeat(np.arange(len(sums)), depth)
        assert pycrust.group_sum(np.ascontiguousarray(rows.T).ravel(), labels).tolist() == sums
        assert pycrust.group_sum(rows.T.ravel()[::-1], labels[::-1]).tolist() == sums


@pytest.mark.parametrize("dtype", ["f8", "f4", ">f8", "i4", "u1"])
def test_masks(dtype):
    random = np.random.default_rng(6)
    rows = (10 * random.normal(size=(70, 6))).astype(np.int8).astype(dtype)
    where = random.random((70, 6)) < 0.7
    where[5] = False
    for name in ("f", "c"):
        check(np.array(rows, order=name), 1, where=np.array(where, order=name))
        check(np.array(rows.T, order=name), 0, where=where.T)
    check(rows, 1, ["var", "std"], where=where, ddof=2)
    check(rows, 1, where=where[:, :1])


def test_degrees_of_freedom():
    rows = np.random.default_rng(7).normal(size=(30, 4))
    for ddof in (0, 1, 0.5, 1.5, 3, 4, 5):
        check(rows, 1, ["var", "std"], ddof=ddof)


def test_repeated_elements():
    """Of a broadcast axis each element counts as often as it is there."""
    rows = np.random.default_rng(9).normal(size=(30, 1))
    check(np.broadcast_to(rows, (30, 3)), 1)
    check(np.broadcast_to(rows.T, (3, 30)), 0, where=rows.T > 0)


def test_constant_rows_have_no_variance():
    rows = np.repeat(np.random.default_rng(8).normal(size=(100, 1)), 5, axis=1)
    rows[::7, 2] = -rows[::7, 2]
    check(rows, 1, ["var", "std", "mean"])


@pytest.mark.thread_unsafe(reason="counts the uncertain sums of the whole process")
@pytest.mark.parametrize("dtype", ["f8", "f4", "u1"])
@pytest.mark.parametrize("depth", [2, 3, 8, 32, 200])
def test_ordinary_numbers_rarely_go_the_exact_way(dtype, depth):
    positions = 20_000 if depth < 100 else 5000
    rows = 30 * abs(np.random.default_rng(depth).normal(size=(positions, depth)))
    rows = rows.astype(dtype)
    for name in FUNCTIONS:
        before = _rounding_test_failures()
        getattr(pycrust, name)(rows, axis=1, dtype=np.float64)
        assert _rounding_test_failures() - before <= positions // 10_000


def test_constants_do_not_go_the_exact_way():
    rows = np.repeat(np.random.default_rng(8).normal(size=(1000, 1)), 3, axis=1)
    before = _rounding_test_failures()
    pycrust.std(rows, axis=1)
    assert _rounding_test_failures() == before


# ---- rows as they lie ------------------------------------------------------------

NAN_FUNCTIONS = ["nansum", "nanmean", "nanvar", "nanstd"]
LENGTHS = [23, 24, 27, 28, 31, 32, 33, 47, 49, 64, 96, 100, 128, 257]


def rows_of_all_kinds(dtype, length):
    """More than a block of them, of different sizes: most are ordinary."""
    random = np.random.default_rng(length)
    largest, smallest = float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_subnormal)
    rows = random.normal(size=(90, length))
    rows[3] = random.random(length) + 1  # all multiples of 2**-52: often halfway between two doubles
    rows[4] = np.round(rows[4] * 100)
    rows[5] = rows[5, 0]
    rows[6] = 0
    rows[7] = -0.0
    rows[8, 1::2] = -rows[8, : length - 1 : 2]
    rows[9] = smallest * np.round(rows[9] * 10)
    rows[10] *= largest / length / 8
    rows[11] = largest * np.sign(rows[11])
    rows[12, length // 2] = 2.0**12
    rows[13] = 1000 + rows[13] / 1000
    rows[14] *= 2.0**-10
    rows[15:17] = [[1, *[smallest] * (length - 1)], [1, *[-smallest] * (length - 1)]]
    rows[17] = abs(rows[17]) % 1
    return rows.astype(dtype)


def check_rows(rows, names, **kwargs):
    """Side by side, and with a gap between them."""
    wide = np.full((len(rows), rows.shape[1] + 3), 7, dtype=rows.dtype)
    wide[:, :-3] = rows
    for a in (rows, wide[:, :-3], wide[::-1, :-3]):
        for name in names:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                values = getattr(pycrust, name)(a, axis=1, **kwargs)
                for row, got in zip(a, values.tolist(), strict=True):
                    if name.startswith("nan"):
                        row = row[row == row]
                    function = name.removeprefix("nan")
                    expected = expected_of(function, row.tobytes(), row.dtype, tuple(kwargs.items()))
                    assert got == expected or (got != got and expected != expected), (name, row)
                    assert np.signbit(got) == np.signbit(expected) or got != got


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("dtype", ["f8", "f4", pytest.param("f2", marks=pytest.mark.slow)])
def test_rows_of_all_kinds(dtype, length):
    rows = rows_of_all_kinds(dtype, length)
    check_rows(rows, FUNCTIONS)
    check_rows(rows, ["sum", "mean"], dtype=np.float32)
    rows[20:23, 5] = np.inf, -np.inf, np.nan
    check_rows(rows[18:24], FUNCTIONS)


@pytest.mark.parametrize("length", [257, 300, 1023, 1024, 1025])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_long_columns(dtype, length):
    """As many as one lane may sum, and one more."""
    rows = rows_of_all_kinds(dtype, length)[[*range(18), 0]]
    check(np.ascontiguousarray(rows.T), 0, ["sum", "norm", "var"])
    check(np.ascontiguousarray(rows[:, ::-1].T)[:, 3:], 0, ["mean", "std"])
    rows[:, 2::9] = np.nan
    for name in ("nansum", "nanvar"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            values = getattr(pycrust, name)(np.ascontiguousarray(rows.T), axis=0)
        for row, got in zip(rows, values.tolist(), strict=True):
            row = row[row == row]
            expected = expected_of(name.removeprefix("nan"), row.tobytes(), row.dtype, ())
            assert got == expected or (got != got and expected != expected), (name, row)


@pytest.mark.parametrize("length", [1000, 4095, 4096, 4097])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_long_rows(dtype, length):
    rows = rows_of_all_kinds(dtype, length)[[0, 3, 4, 5, 6, 8, 12, 13, 17]]
    check_rows(rows, ["sum", "norm", "var"])
    rows[2, ::9] = np.nan
    check_rows(rows, ["nansum", "nanvar"])


@pytest.mark.parametrize("length", [31, 32, 47, 48, 63, 64, 127, 128, 129, 300, 4096, 4097])
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_rows_of_integers(dtype, length):
    random = np.random.default_rng(length)
    info = np.iinfo(dtype)
    rows = random.integers(info.min, info.max, (70 if length < 1000 else 9, length), dtype, endpoint=True)
    rows[1] = info.max
    rows[2] = info.min
    rows[3] = 0
    rows[4, ::2] = info.min
    rows[5] = 1
    rows[5, 0] = 0
    rows[6] = np.repeat([3, 200], [length - 1, 1]).astype(dtype) if info.min == 0 else -rows[5]
    rows[7:] >>= random.integers(0, info.bits, (len(rows) - 7, 1), dtype=dtype)
    check_rows(rows, FUNCTIONS if length in (48, 129) else ["norm", "sum", "mean", "var"], dtype=np.float64)
    check_rows(rows, ["mean", "std"], dtype=np.float32)
    check_rows(rows[7:] if info.bits < 64 else rows[7:] >> 9 >> 12, ["sum"])


@pytest.mark.thread_unsafe(reason="counts the uncertain sums of the whole process")
@pytest.mark.parametrize("dtype", ["i1", "u4", "i8", "u8"])
def test_rows_of_integers_do_not_go_the_exact_way(dtype):
    info = np.iinfo(dtype)
    rows = np.random.default_rng(1).integers(info.min, info.max, (500, 130), dtype)
    before = _rounding_test_failures()
    for name in FUNCTIONS:
        getattr(pycrust, name)(rows, axis=1, dtype=np.float64)
    assert _rounding_test_failures() - before <= 1


@pytest.mark.parametrize("length", [24, 28, 33, 100])
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2"])
def test_rows_with_nan(dtype, length):
    """In some rows of some blocks; a row of nothing else; beside infinities."""
    random = np.random.default_rng(length)
    rows = random.normal(size=(200, length)).astype(dtype)
    rows[70:130][random.random((60, length)) < 0.2] = np.nan
    rows[80] = np.nan
    rows[81, 1:] = np.nan
    rows[[5, 84], 3] = np.inf
    rows[3, 4] = np.nan
    check_rows(rows, NAN_FUNCTIONS)
    check_rows(rows, ["sum", "var"])


@pytest.mark.thread_unsafe(reason="counts the uncertain sums of the whole process")
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_unusual_rows_that_do_not_go_the_exact_way(dtype):
    """Constant rows, rows of zeros, sums halfway between two doubles; rows of other sizes than those before."""
    random = np.random.default_rng(3)
    constant = np.repeat(random.normal(size=(500, 1)), 50, axis=1)
    constant[::5] = 0
    ties = random.integers(2**52, 2**53, (500, 50)).astype(float)
    apart = random.normal(size=(500, 50)) * 10.0 ** random.integers(-12, 13, (500, 1))
    missing = np.where(random.random((500, 50)) < 0.1, np.nan, apart)
    for rows, names in ((constant, FUNCTIONS), (ties, FUNCTIONS), (apart, FUNCTIONS), (missing, NAN_FUNCTIONS)):
        for name in names:
            before = _rounding_test_failures()
            getattr(pycrust, name)(rows.astype(dtype), axis=1, dtype=np.float64)
            assert _rounding_test_failures() - before <= 1, name


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 17, 33, 257, 300])
@pytest.mark.parametrize("dtype", ["c16", "c8", ">c16"])
def test_complex_numbers(dtype, length):
    random = np.random.default_rng(length)
    rows = (random.normal(size=(POSITIONS, length)) + 1j * random.normal(size=(POSITIONS, length))).astype(dtype)
    rows[1::5].imag *= np.float32(1e-9)
    rows[2::5].real = random.integers(-9, 9)
    rows[3::9].real = 1e-30
    rows[6, 0] = complex(np.inf, 1)
    rows[7, -1] = complex(2, np.nan)
    names = FUNCTIONS if length < 9 else ["sumsq", "rms", "mean", "std"]
    for a, axis in layouts(rows):
        check(a, axis, names)
        check(a, axis, ["var", "norm"], dtype=np.float32)
        check(a, axis, ["sum", "mean"], dtype=np.complex64)
    check(rows, 1, ["var", "std"], dtype=np.float16, ddof=0.5)
    where = random.random(rows.shape) < 0.7
    check(rows, 1, where=where)
    check(np.array(rows.T), 0, where=where.T)
    check(np.stack([rows, rows + 1]).astype(dtype), 1, ["mean", "var"])
    check(np.broadcast_to(rows[:3, :, np.newaxis], (3, length, 5)), 1, ["sum", "norm", "var"])


def test_components_that_decide_a_rounding():
    """The squares of one component end halfway between two doubles, or cancel; those of the other are far below."""
    halfway = [1 + 2.0**-27, 2.0**26 + 1, 2.0**-26 + 3 * 2.0**-53, 0.0]
    tiny = [0.0, 2.0**-60, 2.0**-200, -(2.0**-500), 5e-324, 1.0]
    rows = np.array([[complex(a, b), complex(c, b), complex(b, a)] for a in halfway for b in tiny for c in (a, -a, b)])
    for a, axis in layouts(rows):
        check(a, axis)
    for a, axis in layouts(rows.conj()[:, :2] * 2.0**-440):
        check(a, axis, ["sumsq", "norm", "rms", "var", "std"])
    # 1 + 2**-53 + 2**-140 in all: two doubles do not hold the sum of one component, or of what both leave
    small = [11 * 2.0**-30, 2 * 2.0**-30, 2.0**-30, 2.0**-30]
    for first, second in (([1, 2.0**-30, 2.0**-70, 0, 0], [*small, 0]), ([1, 2.0**-30, 0, 0, 0], [*small, 2.0**-70])):
        rows = np.array([np.array([first, second]).T, np.array([second, first]).T]).reshape(2, -1).view(complex)
        assert pycrust.sumsq(rows, axis=1).tolist() == [1 + 2.0**-52] * 2


def test_results_of_complex_numbers_to_any_array():
    """Results side by side or apart, of outputs of which some axes are one."""
    rows = np.random.default_rng(5).normal(size=(6, 4, 10)).view(complex)
    for name, dtype in (("mean", "c16"), ("var", "f8"), ("norm", "f4")):
        expected = getattr(pycrust, name)(rows.copy(), axis=1, dtype=dtype)
        for step in (1, 2, -1):
            out = np.zeros((6, 5 * abs(step)), dtype)[:, ::step]
            assert getattr(pycrust, name)(rows, axis=1, dtype=dtype, out=out) is out
            assert_same(out, expected)
            out = np.zeros((5, 6), dtype).T
            getattr(pycrust, name)(rows, axis=1, dtype=dtype, out=out)
            assert_same(out, expected)
        check(rows, 1, [name], dtype=np.dtype(dtype).type)


@pytest.mark.thread_unsafe(reason="counts the uncertain sums of the whole process")
@pytest.mark.parametrize("depth", [2, 3, 8, 32, 200])
def test_ordinary_complex_numbers_rarely_go_the_exact_way(depth):
    rows = np.random.default_rng(depth).normal(size=(2000, 2 * depth)).view(complex)
    for name in FUNCTIONS:
        before = _rounding_test_failures()
        getattr(pycrust, name)(rows, axis=1)
        assert _rounding_test_failures() - before <= 1
        getattr(pycrust, name)(np.ascontiguousarray(rows.T), axis=0)
        assert _rounding_test_failures() - before <= 2
