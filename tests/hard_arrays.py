"""Arrays that are hard to sum, and how to compare two answers bit by bit."""

import math

import numpy as np
from hypothesis import strategies as st

INTEGERS = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
FLOATS = ["f2", "f4", "f8"]
COMPLEX = ["c8", "c16"]
DTYPES = INTEGERS + FLOATS + COMPLEX

EXACT = ["sumsq", "sum"]  # of integers
FUNCTIONS = [*EXACT, "norm", "rms", "mean", "var", "std"]

TINY = 5e-324  # the smallest positive float64
HUGE = math.ldexp(2**53 - 1, 971)  # the largest

# Around everything that a kernel may take as the size of a vector or a block.
SIZES = sorted({*range(9), *(max(2**k + d, 0) for k in range(3, 14) for d in (-1, 0, 1)), 3 * 2048 + 5, 5000})


def assert_same(result, expected):
    """The same kind of object, dtype, shape and bits. A NaN equals any NaN; 0.0 is not -0.0."""
    if isinstance(expected, int):
        assert type(result) is int
        assert result == expected
        return
    if isinstance(expected, (float, complex)):
        assert isinstance(result, type(expected))  # np.float64 is a float
    else:
        assert type(result) is type(expected)
        assert result.dtype == expected.dtype and result.shape == expected.shape
    if getattr(expected, "dtype", None) == object:
        assert all(type(value) is int for value in result.flat)
        assert result.tolist() == expected.tolist()
        return
    result, expected = np.asarray(result), np.asarray(expected)
    if expected.dtype.kind == "c":
        result, expected = (np.stack([x.real, x.imag]) for x in (result, expected))
    if expected.dtype.kind == "f":
        result, expected = (np.where(np.isnan(x), np.nan, x) for x in (result, expected))
    if result.tobytes() != expected.tobytes():  # or pytest compares the bytes, at length
        raise AssertionError(f"{result!r} is not {expected!r}")


def exactly(a):
    """The dtype in which every sum of such numbers fits; None for floats, whose own is as good."""
    return object if a.dtype.kind in "biu" else None


def reduced(module, name, a, axis, **given):
    """A result along an axis, of pycrust or of the oracle, in a dtype in which it fits."""
    return getattr(module, name)(a, axis=axis, **({"dtype": exactly(a)} if name in EXACT else {}), **given)


def dtypes_of(name, a):
    """The dtypes in which results of a function may be asked for."""
    if name in ("sum", "mean") and a.dtype.kind == "c":
        return ["c16", "c8"]
    return ["f8", "f4", "f2", *(["O"] if name in EXACT and exactly(a) else [])]


def state_of(expected):
    """What the pickle of an Accumulator that is like this one of the oracle must hold."""

    def lowest(x):  # of all denominators, powers of two
        return x.numerator, 1 - x.denominator.bit_length()

    specials = [name + unit for unit, seen in zip(["", "j"], expected._specials) for name in seen]
    return {
        "version": 1,
        "count": expected.count,
        "kind": ["int", "float", "complex"][expected._kind],
        "special": tuple(sorted(specials, key=["inf", "-inf", "nan", "infj", "-infj", "nanj"].index)),
        "sumsq": lowest(expected._sumsq),
        "sum": lowest(expected._sums[0]),
        "sumj": lowest(expected._sums[1]),
    }


class unchanged:
    """Within this context an array keeps its bytes."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __enter__(self):
        self.before = [array.tobytes() for array in self.arrays]

    def __exit__(self, *error):
        after = [array.tobytes() for array in self.arrays]
        assert after == self.before, "the input was written to"


def roots_of(total):
    """Integers of at most 53 bits whose squares sum to the integer `total`."""
    roots = []
    while total:
        root = math.isqrt(total)
        drop = max(root.bit_length() - 53, 0)
        roots.append(root >> drop << drop)
        total -= roots[-1] ** 2
    return roots


# ---- random floats of a given range -------------------------------------------

SPREADS = [0, 1, 2, 8, *range(20, 31), 40, *range(46, 57), 80, 104, 200, 700, 2097]


def floats(rng, n, *, highest, spread, mantissa="random"):
    """n floats, negative ones too, of exponents in [highest - spread, highest]."""
    exponents = rng.integers(highest - spread, highest, n, endpoint=True)
    integers = {
        "random": lambda: rng.integers(2**52, 2**53, n),
        "ones": lambda: np.full(n, 2**53 - 1),
        "power": lambda: np.full(n, 2**52),
        "ends": lambda: rng.choice([2**52, 2**52 + 1, 2**53 - 2, 2**53 - 1], n),
        "short": lambda: rng.integers(2**4, 2**5, n) << 48,
    }[mantissa]()
    return np.ldexp(integers * rng.choice([-1.0, 1.0], n), exponents - 52)


RANGE = {"f8": (-1074, 1023), "f4": (-149, 127), "f2": (-24, 15)}
SPECIALS = [0.0, -0.0, TINY, -TINY, 2.0**-1022, 1e-200, 1.0, 1e200, HUGE, math.inf, -math.inf, math.nan]


@st.composite
def float_arrays(draw, dtype, sizes=st.sampled_from(SIZES)):
    """1-d arrays of dtype, made from a seed: fast for long ones."""
    dtype = np.dtype(dtype)
    n = draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    part = {"c8": "f4", "c16": "f8"}.get(dtype.str[1:], dtype.str[1:])
    lowest, highest = RANGE[part]
    length = n if dtype.kind == "f" else 2 * n
    kind = draw(st.sampled_from(["range", "range", "range", "sorted", "bits", "blocks"]))
    if kind == "bits":
        a = rng.bytes(length * np.dtype(part).itemsize)
        a = np.frombuffer(a, part).copy()
        if draw(st.booleans()):
            a[~np.isfinite(a)] = 1
    elif kind == "blocks":  # each run of numbers has another magnitude
        a = np.empty(length)
        cuts = [0, *sorted(rng.integers(0, length, 6, endpoint=True)), length]
        for start, end in zip(cuts, cuts[1:]):
            top = rng.integers(lowest, highest, endpoint=True)
            a[start:end] = floats(rng, end - start, highest=top, spread=rng.integers(0, 30))
    else:
        a = floats(
            rng,
            length,
            highest=draw(
                st.one_of(st.integers(lowest, highest), st.integers(-3, 3), st.integers(highest - 2, highest))
            ),
            spread=draw(st.sampled_from(SPREADS)),
            mantissa=draw(st.sampled_from(["random", "ones", "power", "ends", "short"])),
        )
        if kind == "sorted":
            a = a[np.argsort(np.abs(a))]
            a = a[::-1] if draw(st.booleans()) else a
    with np.errstate(over="ignore"):
        a = a.astype(part)
        for value in draw(st.lists(st.sampled_from(SPECIALS), max_size=3)):
            if length:
                a[rng.integers(length)] = value
    if draw(st.booleans()):
        a[rng.random(length) < rng.random()] = 0
    return np.ascontiguousarray(a).view(dtype)


@st.composite
def integer_arrays(draw, dtype, sizes=st.sampled_from(SIZES)):
    dtype = np.dtype(dtype)
    n = draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if dtype == bool:
        return rng.random(n) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    kind = draw(st.sampled_from(["bits", "ends", "least", "most", "small"]))
    if kind == "ends":
        return rng.choice(np.array([least, least + 1, most - 1, most, 0, 1], dtype), n)
    if kind in ("least", "most"):
        return np.full(n, least if kind == "least" else most, dtype)
    if kind == "small":
        return rng.integers(0, 100, n).astype(dtype)
    return np.frombuffer(rng.bytes(n * dtype.itemsize), dtype).copy()


def hard_arrays(dtype, **given):
    return (float_arrays if np.dtype(dtype).kind in "fc" else integer_arrays)(dtype, **given)


# ---- arrays whose mean and spread are hard --------------------------------------


def nearly_equal(rng, n, kind, offset):
    """n floats around one number: all the same, some units in the last place apart, or in a narrow range."""
    if kind == "constant":
        return np.full(n, offset)
    if kind == "neighbours":
        return offset + np.spacing(offset) * rng.integers(-3, 4, n)
    if kind == "timestamps":
        return 1.7e9 + np.round(rng.uniform(0, 10.0 ** rng.integers(-2, 8), n), rng.integers(0, 7))
    return offset + offset * 2.0 ** -rng.integers(0, 60) * rng.normal(size=n)


@st.composite
def offset_arrays(draw, dtype, sizes=st.sampled_from(SIZES)):
    """1-d arrays with a spread that is small beside their mean, or none; or with numbers that cancel."""
    dtype = np.dtype(dtype)
    n = draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["constant", "neighbours", "narrow", "timestamps", "cancelling"]))
    if dtype.kind in "biu":
        least, most = (0, 1) if dtype == bool else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        middle, width = draw(st.integers(least, most)), 0 if kind == "constant" else draw(st.integers(1, 300))
        low, high = max(least, middle - width), min(most, middle + width)
        return np.array([low + int(k) for k in rng.integers(0, high - low, n, endpoint=True)], dtype)
    part = {"c8": "f4", "c16": "f8"}.get(dtype.str[1:], dtype.str[1:])
    lowest, highest = RANGE[part]
    numbers = np.empty(n, dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # the largest may become Inf in that type, and Inf - Inf is NaN
        for half in [numbers] if dtype.kind == "f" else [numbers.real, numbers.imag]:
            power = draw(st.integers(lowest // 2, highest) | st.integers(-3, 3))
            offset = float(floats(rng, 1, highest=power, spread=0).astype(part)[0])  # a number of that type
            if kind == "cancelling":
                some = floats(rng, n // 2, highest=max(power, lowest + 40), spread=40)
                half[...] = rng.permutation([*some, *-some, *([offset * 2.0**-70] * (n % 2))])
            else:
                half[...] = nearly_equal(rng, n, kind, offset)
    return numbers


def summing_to(total, exponent=0):
    """Floats whose sum is the integer `total` times 2**exponent."""
    chunks = []
    sign, total = (-1 if total < 0 else 1), abs(total)
    while total:
        drop = max(total.bit_length() - 53, 0)
        chunks.append(math.ldexp(sign * (total >> drop), drop + exponent))
        total &= (1 << drop) - 1
    return chunks


# ---- layouts ------------------------------------------------------------------


def layouts(a, folder=None):
    """Yield name, view: the values and shape of `a`, laid out in memory in many ways."""
    yield "C", np.array(a, order="C")
    yield "Fortran", np.array(a, order="F")
    yield "byteswapped", a.astype(a.dtype.newbyteorder("S"))
    buffer = np.zeros(a.nbytes + 1, np.uint8)
    misaligned = buffer[1:].view(a.dtype).reshape(a.shape)
    misaligned[...] = a
    yield "misaligned", misaligned
    swapped = buffer.copy()[1:].view(a.dtype.newbyteorder("S")).reshape(a.shape)
    swapped[...] = a
    yield "misaligned and byteswapped", swapped
    read_only = a.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only
    if a.ndim:
        flip = (slice(None, None, -1),) * a.ndim
        yield "reversed", a[flip].copy()[flip]
        for axis in range(a.ndim):
            some = tuple(slice(None, None, -1 if k == axis else 1) for k in range(a.ndim))
            yield f"axis {axis} reversed", a[some].copy()[some]
            step = tuple(slice(1, None, 3) if k == axis else slice(None) for k in range(a.ndim))
            spread = np.ones([3 * m if k == axis else m for k, m in enumerate(a.shape)], a.dtype)
            spread[step] = a
            yield f"axis {axis} strided", spread[step]
            yield f"axis {axis} first", np.moveaxis(np.moveaxis(a, axis, 0).copy(), 0, axis)
        inner = np.ones([m + 2 for m in a.shape], a.dtype)[(slice(1, -1),) * a.ndim]
        inner[...] = a
        yield "window of a larger one", inner
        yield "transposed", a.T.copy().T
    record = np.zeros(a.shape, [("pad", "u1"), ("value", a.dtype)])
    record["value"] = a
    yield "field of records", record["value"]
    if folder is not None and a.size:
        path = folder / "data.bin"
        a.tofile(path)
        yield "memmap", np.memmap(path, a.dtype, "r", shape=a.shape)
