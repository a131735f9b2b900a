"""The functions of pycrust in plain Python, on ints and Fractions.

Slow and obviously right: the tests compare the C kernels with these, bit by bit.
"""

import builtins
import math
import operator
import warnings
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate
from typing import Any, Self, SupportsIndex

import numpy as np

__all__ = [
    "Accumulator",
    "average",
    "corrcoef",
    "cov",
    "cumsum",
    "dot",
    "group_count",
    "group_mean",
    "group_std",
    "group_sum",
    "group_sumsq",
    "group_var",
    "mean",
    "move_mean",
    "move_std",
    "move_sum",
    "move_var",
    "nanmean",
    "nanstd",
    "nansum",
    "nanvar",
    "nearest",
    "nearest_root",
    "norm",
    "rms",
    "std",
    "sum",
    "sum_of_squares",
    "sum_of_squares_batch",
    "sumsq",
    "var",
    "vecdot",
]

# ---- range ---------------------------------------------------------------------


def sum_of_squares(n: SupportsIndex, /, *, method: str = "loop") -> int:
    """Sum the squares 1² + 2² + … + n²."""
    last = max(operator.index(n), 0)
    if method == "formula":
        return last * (last + 1) * (2 * last + 1) // 6
    return builtins.sum(i * i for i in range(1, last + 1))


def sum_of_squares_batch(ns: Any, /, *, method: str = "loop") -> Any:
    """Sum the squares for every n of nested lists: nested lists of ints."""
    if isinstance(ns, list):
        return [sum_of_squares_batch(n, method=method) for n in ns]
    return sum_of_squares(ns, method=method)


# ---- rounding, once -----------------------------------------------------------


def nearest(x: int | Fraction, dtype: Any = np.float64) -> float:
    """The float64, or other float, nearest to the rational x, ties to even; a complex dtype stands for its parts."""
    if x < 0:
        return -nearest(-x, dtype)
    kind = np.finfo(dtype)
    bits = kind.nmant + 1
    exponent = max(x.numerator.bit_length() - x.denominator.bit_length() - bits, kind.minexp - kind.nmant)
    above, below = _over(x, exponent)
    if above >= below << bits:
        exponent, below = exponent + 1, below << 1
    multiple, rest = divmod(above, below)
    multiple += 2 * rest + multiple % 2 > below  # half to even
    return math.ldexp(multiple, exponent) if multiple.bit_length() + exponent <= kind.maxexp else math.inf


def nearest_root(x: int | Fraction, dtype: Any = np.float64) -> float:
    """The float64, or other float, nearest to the square root of the rational number x >= 0.

    Every float of the size of the root, and every point halfway between two of
    them, is a multiple of a power of two, which is 2**-54 of the root or more. So
    it is enough to know which multiple of a lesser one the root is, or which two
    it lies between.
    """
    exponent = (x.numerator.bit_length() - x.denominator.bit_length()) // 2 - 60
    above, below = _over(x, 2 * exponent)
    root = math.isqrt(above // below)
    between = root * root * below != above
    return nearest(Fraction(*_over(2 * root + between, 1 - exponent)), dtype)


def _over(x: int | Fraction, exponent: int) -> tuple[int, int]:
    """Numerator and denominator of x / 2**exponent."""
    return x.numerator << max(-exponent, 0), x.denominator << max(exponent, 0)


# ---- the exact sums -----------------------------------------------------------


class Accumulator:
    """The exact sum of all numbers that it was given, and that of their squares."""

    def __init__(self, a: Any = None, where: Any = True, workers: SupportsIndex = 1) -> None:
        self.count = 0
        self._kind = 0  # 1 from the first float on, 2 from the first complex number on
        self._sumsq = Fraction(0)
        self._sums = [Fraction(0), Fraction(0)]  # of the real parts, and of the imaginary ones
        self._specials: list[set[str]] = [set(), set()]  # which of inf, -inf and nan were among these
        if a is not None:
            self.update(a, where, workers)

    def update(self, a: Any, where: Any = True, workers: SupportsIndex = 1) -> None:
        """Add all elements of `a` for which `where` is true."""
        _workers(workers)
        empty = isinstance(a, (list, tuple)) and not np.size(a)  # which has no type
        a = _array(a)
        self._add(a if not empty else a.astype(int), _mask(where, a))

    def _add(self, a: Any, where: Any) -> None:
        a = a[where]
        self.count += a.size
        self._kind = max(self._kind, 2 if a.dtype.kind == "c" else 1 if a.dtype.kind == "f" else 0)
        for k, part in enumerate([a.real, a.imag] if a.dtype.kind == "c" else [a]):
            finite = part if _integers(part) else part[np.isfinite(part)]
            if finite.size < part.size:
                self._specials[k] |= {repr(x) for x in part.tolist() if not math.isfinite(x)}
            integers, unit = _multiples(finite)
            self._sums[k] += Fraction(builtins.sum(integers), unit)
            self._sumsq += Fraction(builtins.sum([x * x for x in integers]), unit * unit)

    def merge(self, other: Any) -> None:
        """Add what `other` has seen."""
        if not isinstance(other, Accumulator):
            raise TypeError(f"cannot merge an Accumulator with {type(other).__name__}")
        self.count += other.count
        self._kind = max(self._kind, other._kind)
        self._sumsq += other._sumsq
        for k in (0, 1):
            self._sums[k] += other._sums[k]
            self._specials[k] |= other._specials[k]

    def _exact(self, dtype: Any) -> bool:
        return self._kind == 0 and (dtype is None or np.dtype(dtype).kind in "iuO")

    def _nonfinite(self) -> float:
        """The sum of |x| for those x: NaN beats Inf; 0 if there are none."""
        return builtins.sum(abs(float(x)) for x in self._specials[0] | self._specials[1])

    def sumsq(self, dtype: Any = None) -> int | float:
        """The sum of squares: an int while only integers were added, then a float."""
        if self._exact(dtype):
            return int(self._sumsq)
        return self._nonfinite() or nearest(self._sumsq, dtype or np.float64)

    def norm(self, dtype: Any = np.float64) -> float:
        """The square root of the exact sum of squares."""
        return self._nonfinite() or nearest_root(self._sumsq, dtype)

    def rms(self, dtype: Any = np.float64) -> float:
        """The square root of the exact sum of squares divided by `count`."""
        if self.count == 0:
            warnings.warn("rms of no elements", RuntimeWarning, stacklevel=2)
            return math.nan
        return self._nonfinite() or nearest_root(self._sumsq / self.count, dtype)

    def _rounded(self, divisor: int, dtype: Any) -> float | complex:
        """The sum divided by an integer, both parts by themselves: Inf - Inf is NaN."""
        parts = [
            builtins.sum(map(float, specials)) or nearest(exact / divisor, dtype)
            for exact, specials in zip(self._sums, self._specials, strict=True)
        ]
        return complex(*parts) if self._kind == 2 else parts[0]

    def sum(self, dtype: Any = None) -> int | float | complex:
        """The sum: an int while only integers were added, complex from the first complex number on, else a float."""
        return int(self._sums[0]) if self._exact(dtype) else self._rounded(1, dtype or np.float64)

    def mean(self, dtype: Any = np.float64) -> float | complex:
        """The exact sum divided by `count`."""
        if self.count == 0:
            warnings.warn("mean of no elements", RuntimeWarning, stacklevel=2)
            return complex(math.nan, math.nan) if self._kind == 2 else math.nan
        return self._rounded(self.count, dtype)

    def var(self, ddof: Any = 0, dtype: Any = np.float64) -> float:
        """The exact sum of |x - mean|² divided by `count` - `ddof`."""
        return self._spread(nearest, ddof, dtype)

    def std(self, ddof: Any = 0, dtype: Any = np.float64) -> float:
        """The square root of that."""
        return self._spread(nearest_root, ddof, dtype)

    def _spread(self, rounded: Callable[[int | Fraction, Any], float], ddof: Any, dtype: Any) -> float:
        ddof = _ddof(ddof)
        real, imaginary = self._sums
        squares = self._sumsq - (real * real + imaginary * imaginary) / max(self.count, 1)
        if ddof >= self.count:
            warnings.warn("var or std of no more elements than ddof", RuntimeWarning, stacklevel=3)
            return math.inf if squares and not self._nonfinite() else math.nan
        return math.nan if self._nonfinite() else rounded(squares / (self.count - Fraction(ddof)), dtype)

    def __add__(self, other: object) -> "Accumulator":
        total = Accumulator()
        total.merge(self)
        if other != 0 or not isinstance(other, int):  # 0 is where sum() starts
            if not isinstance(other, Accumulator):
                return NotImplemented
            total.merge(other)
        return total

    __radd__ = __add__

    def __iadd__(self, other: object) -> Self:
        if not isinstance(other, Accumulator):
            return NotImplemented
        self.merge(other)
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Accumulator):
            return NotImplemented
        return _state(self) == _state(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Accumulator(count={self.count}, sumsq={self.sumsq()!r})"


def _multiples(numbers: Any) -> tuple[list[int], int]:
    """Integers, and by what to divide each of them for the numbers."""
    if _integers(numbers):
        return numbers.tolist(), 1
    ratios = [x.as_integer_ratio() for x in numbers.tolist()]
    unit = max([denominator for _, denominator in ratios], default=1)  # all are powers of two
    return [numerator * (unit // denominator) for numerator, denominator in ratios], unit


def _state(total: Accumulator) -> tuple[object, ...]:
    return total.count, total._kind, total._sumsq, total._sums, total._specials


# ---- the reductions -----------------------------------------------------------


def sumsq(
    a: Any,
    axis: Any = None,
    *,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The sum of squares: exact for integers, correctly rounded for floats."""
    _workers(workers)
    return _reduce(Accumulator.sumsq, a, axis, dtype, out, keepdims, where)


def norm(
    a: Any,
    *,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The square root of the exact sum of squares, correctly rounded."""
    _workers(workers)
    return _reduce(Accumulator.norm, a, axis, dtype, out, keepdims, where)


def rms(
    a: Any,
    axis: Any = None,
    *,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The square root of the exact mean of squares, correctly rounded."""
    _workers(workers)
    return _reduce(Accumulator.rms, a, axis, dtype, out, keepdims, where)


def sum(
    a: Any,
    axis: Any = None,
    *,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The sum: exact for integers, correctly rounded for floats."""
    _workers(workers)
    return _reduce(Accumulator.sum, a, axis, dtype, out, keepdims, where)


def mean(
    a: Any,
    axis: Any = None,
    *,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The exact mean, correctly rounded."""
    _workers(workers)
    return _reduce(Accumulator.mean, a, axis, dtype, out, keepdims, where)


def var(
    a: Any,
    axis: Any = None,
    *,
    ddof: Any = None,
    correction: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The exact variance, real also of complex numbers, correctly rounded."""
    _workers(workers)
    ddof = _ddof(ddof, correction)
    return _reduce(lambda total, dtype: total.var(ddof, dtype), a, axis, dtype, out, keepdims, where)


def std(
    a: Any,
    axis: Any = None,
    *,
    ddof: Any = None,
    correction: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The square root of the exact variance, correctly rounded."""
    _workers(workers)
    ddof = _ddof(ddof, correction)
    return _reduce(lambda total, dtype: total.std(ddof, dtype), a, axis, dtype, out, keepdims, where)


def nansum(
    a: Any,
    axis: Any = None,
    *,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The sum of the elements that are not missing: exact for integers, correctly rounded for floats."""
    _workers(workers)
    a, where = _present(a, where)
    return _reduce(Accumulator.sum, a, axis, dtype, out, keepdims, where)


def nanmean(
    a: Any,
    axis: Any = None,
    *,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The exact mean of the elements that are not missing, correctly rounded."""
    _workers(workers)
    a, where = _present(a, where)
    return _reduce(Accumulator.mean, a, axis, dtype, out, keepdims, where)


def nanvar(
    a: Any,
    axis: Any = None,
    *,
    ddof: Any = None,
    correction: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The exact variance of the elements that are not missing, correctly rounded."""
    _workers(workers)
    ddof = _ddof(ddof, correction)
    a, where = _present(a, where)

    def figure(total: Accumulator, dtype: Any) -> float:
        result = total.var(ddof, dtype)
        return result if total.count > ddof or _integers(a) else math.nan  # var may be Inf

    return _reduce(figure, a, axis, dtype, out, keepdims, where)


def nanstd(
    a: Any,
    axis: Any = None,
    *,
    ddof: Any = None,
    correction: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The square root of that."""
    _workers(workers)
    ddof = _ddof(ddof, correction)
    a, where = _present(a, where)

    def figure(total: Accumulator, dtype: Any) -> float:
        result = total.std(ddof, dtype)
        return result if total.count > ddof or _integers(a) else math.nan  # var may be Inf

    return _reduce(figure, a, axis, dtype, out, keepdims, where)


def _reduce(
    figure: Callable[[Accumulator, Any], Any], a: Any, axis: Any, dtype: Any, out: Any, keepdims: bool, where: Any
) -> Any:
    a = _array(a)
    where = _mask(where, a)
    alone = axis is None and not keepdims and out is None  # one number of Python's
    exact = figure in (Accumulator.sumsq, Accumulator.sum) and _integers(a)
    rounded = complex if figure in (Accumulator.sum, Accumulator.mean) and a.dtype.kind == "c" else float
    if dtype is None and out is None:
        dtype = object if exact and alone else rounded if not exact else np.uint64 if a.dtype.kind == "u" else np.int64
    elif dtype is None:
        dtype = out.dtype
    dtype = np.dtype(dtype).newbyteorder("=")
    allowed = ["c16", "c8"] if rounded is complex else ["f8", "f4", "f2", *(["i8", "u8", "O"] if exact else [])]
    if dtype not in allowed or (out is not None and out.dtype.newbyteorder("=") != dtype):
        raise TypeError(f"dtype and that of out must be one of {allowed}, not {dtype}")
    axes = tuple(range(a.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    last = range(-len(axes), 0)
    a, where = np.moveaxis(a, axes, last), np.moveaxis(where, axes, last)
    result = np.empty(a.shape[: a.ndim - len(axes)], dtype=dtype)
    for position in np.ndindex(result.shape):
        part = Accumulator()
        part._add(a[position], where[position])
        value = figure(part, dtype)
        if dtype.kind in "iu" and not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
            raise OverflowError(f"{value} does not fit {dtype}; use dtype=object or dtype=np.float64")
        result[position] = value
    if keepdims:
        result = np.expand_dims(result, axes)
    if out is None:
        return result.item() if alone else result[()]
    if out.shape != result.shape or not out.flags.writeable:
        raise ValueError(f"out has shape {out.shape}, the result {result.shape}; or it is read-only")
    out[...] = result
    return out


# ---- two arrays -----------------------------------------------------------------


def dot(a: Any, b: Any, *, dtype: Any = None, out: Any = None, where: Any = True, workers: SupportsIndex = 1) -> Any:
    """The sum of the products of two vectors: exact for integers, correctly rounded for floats."""
    _workers(workers)
    a, b = _array(a), _array(b)
    if a.ndim != 1 or b.ndim != 1:
        raise TypeError(f"dot takes vectors, not arrays of {a.ndim} and {b.ndim} axes; see vecdot and np.matmul")
    where = _mask(where, a)
    exact = _integers(a) and _integers(b)
    kind = object if exact else complex if "c" in a.dtype.kind + b.dtype.kind else float
    result = _contract(a, b, where, np.dtype(dtype or kind if out is None else out.dtype))
    if out is None:
        return result.item()
    out[...] = result
    return out


def vecdot(
    x1: Any,
    x2: Any,
    axis: SupportsIndex = -1,
    *,
    dtype: Any = None,
    out: Any = None,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The sums of the products along an axis of two arrays, of which the first is conjugated."""
    _workers(workers)
    axis = operator.index(axis)
    x, y = (np.moveaxis(_array(each), axis, -1) for each in (x1, x2))
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(f"x1 and x2 have {x.shape[-1]} and {y.shape[-1]} numbers along axis {axis}")
    x, y = np.broadcast_arrays(x, y)
    where = np.moveaxis(_mask(where, np.moveaxis(x, -1, axis)), axis, -1)
    exact = _integers(x) and _integers(y)
    if dtype is None and out is None:
        kinds = x.dtype.kind + y.dtype.kind
        dtype = complex if "c" in kinds else float
        if exact:
            dtype = np.uint64 if "u" in kinds and not set("iO") & set(kinds) else np.int64
    result = _contract(np.conjugate(x), y, where, np.dtype(dtype if out is None else out.dtype))
    if out is None:
        return result[()]
    out[...] = result
    return out


def average(
    a: Any,
    axis: Any = None,
    weights: Any = None,
    *,
    returned: bool = False,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The sum of the products with the weights, divided by the sum of the weights."""
    _workers(workers)
    a = _array(a)
    weights = np.ones(a.shape, int) if weights is None else _array(weights)
    if weights.shape != a.shape:
        if axis is None:
            raise TypeError("which axis do the weights lie along?")
        given = [k % a.ndim for k in (axis if isinstance(axis, tuple) else (axis,))]
        if weights.shape != tuple(a.shape[k] for k in given):
            raise ValueError(f"weights have shape {weights.shape}, a {a.shape}")
        order = sorted(range(len(given)), key=given.__getitem__)
        weights = np.expand_dims(weights.transpose(order), [k for k in range(a.ndim) if k not in given])
        weights = np.broadcast_to(weights, a.shape)
    where = _mask(where, a)
    axes = tuple(range(a.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    last = range(-len(axes), 0)
    x, w, keep = (np.moveaxis(each, axes, last) for each in (a, weights, where))
    shape = x.shape[: a.ndim - len(axes)]
    result, totals = np.empty(shape, complex if a.dtype.kind == "c" else float), np.empty(shape)
    for position in np.ndindex(shape):
        total = Accumulator()
        total._add(w[position], keep[position])
        if not total._nonfinite() and not total._sums[0]:
            raise ZeroDivisionError("weights that sum to zero")
        totals[position] = total.sum(float)
        products = _Products(x[position][keep[position]], w[position][keep[position]])
        parts = [
            (math.nan if total._nonfinite() else special * (1 if total._sums[0] > 0 else -1))
            if special
            else _weighted_mean(exact, total._sums[0])
            for special, exact in zip(products.specials(), products.sums, strict=True)
        ]
        result[position] = complex(*parts) if a.dtype.kind == "c" else parts[0]
    if keepdims:
        result, totals = np.expand_dims(result, axes), np.expand_dims(totals, axes)
    alone = axis is None and not keepdims
    made = [each.item() if alone else each[()] for each in (result, totals)]
    return tuple(made) if returned else made[0]


def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    *,
    dtype: Any = None,
    workers: SupportsIndex = 1,
) -> Any:
    """The exact covariances, correctly rounded."""
    _workers(workers)
    rows = _variables(m, y, rowvar)
    freedom = len(rows[0]) - (ddof if ddof is not None else 0 if bias else 1)

    def entry(cross: list[Fraction], own: Fraction, other: Fraction) -> list[Any]:
        if freedom <= 0:
            return [math.inf if part > 0 else -math.inf if part < 0 else math.nan for part in cross]
        return [nearest(part / (len(rows[0]) * freedom), dtype or float) for part in cross]

    return _matrix(rows, entry, dtype)


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None, workers: SupportsIndex = 1) -> Any:
    """The exact correlations, correctly rounded."""
    _workers(workers)

    def entry(cross: list[Fraction], own: Fraction, other: Fraction) -> list[Any]:
        if not own or not other:
            return [math.nan] * 2
        return [(-1 if part < 0 else 1) * nearest_root(part * part / (own * other), dtype or float) for part in cross]

    return _matrix(_variables(x, y, rowvar), entry, dtype)


def _weighted_mean(products: Fraction, weights: Fraction) -> float:
    """Their quotient; 0 has the sign of the weights, as in IEEE division."""
    if not products:
        return 0.0 if weights > 0 else -0.0
    return nearest(products / weights)


class _Products:
    """The exact sum of the products of two vectors, as real and imaginary part."""

    def __init__(self, x: Any, y: Any) -> None:
        self.sums = [Fraction(0), Fraction(0)]
        self._specials: list[set[str]] = [set(), set()]
        parts = [[each.real, each.imag] if each.dtype.kind == "c" else [each] for each in (x, y)]
        for i, one in enumerate(parts[0]):
            for j, other in enumerate(parts[1]):
                sign = -1 if i and j else 1
                total, finest = 0, 0  # the sum is total / 2**finest
                for u, v in zip(one.tolist(), other.tolist(), strict=True):
                    if math.isfinite(u) and math.isfinite(v):
                        (a, b), (c, d) = u.as_integer_ratio(), v.as_integer_ratio()
                        bits = b.bit_length() + d.bit_length() - 2  # the denominators are powers of two
                        if bits > finest:
                            total, finest = total << bits - finest, bits
                        total += a * c << finest - bits
                    else:
                        self._specials[i ^ j].add(repr(float(u) * float(v) * sign))
                self.sums[i ^ j] += Fraction(sign * total, 1 << finest)

    def specials(self) -> list[float]:
        """The sums of the products that are not finite; 0 if there are none."""
        return [builtins.sum(map(float, each)) for each in self._specials]


def _contract(x: Any, y: Any, where: Any, dtype: np.dtype[Any]) -> Any:
    result = np.empty(x.shape[:-1], dtype)
    for position in np.ndindex(result.shape):
        products = _Products(x[position][where[position]], y[position][where[position]])
        if dtype.kind in "iuO":
            value: Any = int(products.sums[0])
            if dtype.kind != "O" and not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
                raise OverflowError(f"{value} does not fit {dtype}")
        else:
            pairs = zip(products.specials(), products.sums, strict=True)
            parts = [special or nearest(exact, dtype) for special, exact in pairs]
            value = complex(*parts) if dtype.kind == "c" else parts[0]
        result[position] = value
    return result


def _variables(m: Any, y: Any, rowvar: bool) -> list[Any]:
    arrays = [_array(each) for each in (m, y) if each is not None]
    if any(array.ndim > 2 for array in arrays):
        raise ValueError("more than 2 dimensions")
    if len(arrays) == 2 and arrays[1].ndim == 2 and arrays[1].shape[0] == 1:
        arrays[1] = arrays[1][0]  # one row of y is a variable for numpy.cov, rowvar or not
    arrays = [array.reshape(1, -1) if array.ndim < 2 else array if rowvar else array.T for array in arrays]
    if len({array.shape[1] for array in arrays}) > 1:
        raise ValueError("different numbers of observations")
    return [row for array in arrays for row in array]


def _matrix(rows: list[Any], entry: Callable[[list[Fraction], Fraction, Fraction], list[Any]], dtype: Any) -> Any:
    """Of what `entry` gives for count**2 times the covariance, and for those of each variable with itself."""
    count, kind = len(rows[0]), complex if any(row.dtype.kind == "c" for row in rows) else float
    result = np.full((len(rows), len(rows)), complex(math.nan, math.nan))

    sums = [_Products(row, np.ones(count, int)) for row in rows]

    def centered(i: int, j: int) -> list[Fraction]:
        """Of row i and the conjugate of row j."""
        (a, b), (c, d) = sums[i].sums, sums[j].sums
        real, imaginary = _Products(rows[i], np.conjugate(rows[j])).sums
        return [count * real - (a * c + b * d), count * imaginary - (b * c - a * d)]

    finite = [k for k, each in enumerate(sums) if not any(each._specials)]
    own = {k: centered(k, k)[0] for k in finite}
    for i in finite:
        for j in finite:
            result[i, j] = complex(*entry(centered(i, j), own[i], own[j]))
    return (result if kind is complex else result.real).astype(dtype or kind).squeeze()[()]


# ---- moving windows -------------------------------------------------------------


def move_sum(a: Any, window: Any, min_count: Any = None, axis: int = -1, *, workers: SupportsIndex = 1) -> Any:
    """The sum of the numbers that are not NaN in each window, of the last `window` elements, correctly rounded."""
    _workers(workers)
    return _move(lambda total: total.sum(np.float64), a, window, min_count, axis)


def move_mean(a: Any, window: Any, min_count: Any = None, axis: int = -1, *, workers: SupportsIndex = 1) -> Any:
    """Their exact mean, correctly rounded."""
    _workers(workers)
    return _move(Accumulator.mean, a, window, min_count, axis)


def move_var(
    a: Any, window: Any, min_count: Any = None, axis: int = -1, ddof: float = 0, *, workers: SupportsIndex = 1
) -> Any:
    """Their exact variance, correctly rounded."""
    _workers(workers)
    return _move(lambda total: total.var(_ddof(ddof)), a, window, min_count, axis)


def move_std(
    a: Any, window: Any, min_count: Any = None, axis: int = -1, ddof: float = 0, *, workers: SupportsIndex = 1
) -> Any:
    """The square root of that."""
    _workers(workers)
    return _move(lambda total: total.std(_ddof(ddof)), a, window, min_count, axis)


def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, *, workers: SupportsIndex = 1) -> Any:
    """The sum up to each element: exact for integers, correctly rounded for floats."""
    _workers(workers)
    a = _array(a)
    a, axis = (a.reshape(-1), 0) if axis is None else (a, axis)
    if dtype is None:
        dtype = out.dtype if out is not None else _sum_dtype(a)
    result = np.empty(a.shape, dtype)
    moved, sums = np.moveaxis(a, axis, -1), np.moveaxis(result, axis, -1)
    for position in np.ndindex(moved.shape[:-1]):
        total = Accumulator()
        for k in range(moved.shape[-1]):
            total._add(moved[position][k : k + 1], np.array([True]))
            value: Any = total.sum(dtype)
            if result.dtype.kind in "iu" and not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
                raise OverflowError(f"{value} does not fit {dtype}; use dtype=object or dtype=np.float64")
            sums[(*position, k)] = value
    if out is not None:
        out[...] = result
        return out
    return result


def _sum_dtype(a: Any) -> Any:
    if _integers(a):
        return np.uint64 if a.dtype.kind == "u" else np.int64
    return np.complex128 if a.dtype.kind == "c" else np.float64


def _move(figure: Callable[[Accumulator], Any], a: Any, window: Any, min_count: Any, axis: int) -> Any:
    a = _array(a)
    length = a.shape[axis]
    if isinstance(window, tuple):
        windows = [(int(first), int(last)) for first, last in zip(*window, strict=True)]
        least = 1 if min_count is None else operator.index(min_count)
    else:
        window = operator.index(window)
        least = window if min_count is None else operator.index(min_count)
        if not 1 <= window <= length:
            raise ValueError(f"window is {window}, but must be from 1 to {length}")
        if not 1 <= least <= window:
            raise ValueError(f"min_count is {least}, but must be from 1 to {window}, the window")
        windows = [(max(k + 1 - window, 0), k + 1) for k in range(length)]
    shape = list(a.shape)
    shape[axis] = len(windows)
    result = np.full(shape, math.nan)
    moved, results = np.moveaxis(a, axis, -1), np.moveaxis(result, axis, -1)
    for position in np.ndindex(moved.shape[:-1]):
        row = moved[position]
        there = (~_nan(row)).tolist()
        infinite = ["" if math.isfinite(x) or x != x else repr(x) for x in row.tolist()]
        integers, unit = _multiples(row if _integers(row) else np.where(np.isfinite(row), row, 0))
        squares = [integer * integer for integer in integers]
        counts, sums, sums_of_squares = (list(accumulate(each, initial=0)) for each in (there, integers, squares))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            for k, (first, last) in enumerate(windows):
                total = Accumulator()
                total.count = counts[last] - counts[first]
                if total.count >= least:
                    total._kind = 0 if _integers(row) else 1
                    total._sums[0] = Fraction(sums[last] - sums[first], unit)
                    total._sumsq = Fraction(sums_of_squares[last] - sums_of_squares[first], unit * unit)
                    total._specials[0] = set(infinite[first:last]) - {""}
                    results[(*position, k)] = figure(total)
    return result


def _nan(a: Any) -> Any:
    return np.zeros(a.shape, bool) if _integers(a) else np.isnan(a)


# ---- groups -------------------------------------------------------------------


def group_sum(values: Any, labels: Any, *, skipna: bool = False, **given: Any) -> Any:
    """The sum of the values with each label."""
    return _group(nansum if skipna else sum, values, labels, **given)


def group_mean(values: Any, labels: Any, *, skipna: bool = False, **given: Any) -> Any:
    """The mean of the values with each label."""
    return _group(nanmean if skipna else mean, values, labels, **given)


def group_var(values: Any, labels: Any, *, skipna: bool = False, **given: Any) -> Any:
    """The variance of the values with each label."""
    return _group(nanvar if skipna else var, values, labels, **given)


def group_std(values: Any, labels: Any, *, skipna: bool = False, **given: Any) -> Any:
    """The standard deviation of the values with each label."""
    return _group(nanstd if skipna else std, values, labels, **given)


def group_sumsq(values: Any, labels: Any, *, where: Any = True, skipna: bool = False, **given: Any) -> Any:
    """The sum of the squares of the values with each label."""
    values, where = _present(values, where) if skipna else (values, where)
    return _group(sumsq, values, labels, where=where, **given)


def group_count(values: Any, labels: Any, *, where: Any = True, skipna: bool = False, **given: Any) -> Any:
    """How many values there are with each label."""
    values, where = _present(values, where) if skipna else (_array(values), where)
    return _group(sum, np.ones(values.shape, int), labels, where=where, **given)


def _group(
    function: Callable[..., Any],
    values: Any,
    labels: Any,
    *,
    axis: Any = -1,
    num_labels: int | None = None,
    where: Any = True,
    workers: SupportsIndex = 1,
    **given: Any,
) -> Any:
    """The function of what a mask leaves of the values, for one label after another."""
    _workers(workers)
    values = values if isinstance(values, list) else _array(values)  # lists of large ints stay such
    shape, ndim = np.shape(values), np.ndim(values)
    labels = np.asarray(labels)
    axes = tuple(range(ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(k % ndim for k in axes)
    labels = labels.transpose(np.argsort(axes)) if labels.ndim == len(axes) else labels
    axes = tuple(sorted(axes))
    labels = labels.reshape([length if k in axes else 1 for k, length in enumerate(shape)])
    if num_labels is None:
        num_labels = max(labels.max(initial=-1), -1) + 1
    if labels.size and labels.max() >= num_labels:
        raise IndexError(f"labels are from 0 to {num_labels - 1}, not {labels.max()}")
    mask = np.broadcast_to(np.asarray(where), shape)
    dtype = (
        object if given.get("dtype") in (object, np.dtype(object)) else None
    )  # which NumPy would forget where no axis is kept
    none = np.asarray(function(values, axis=axes, where=False, **given), dtype)
    if not num_labels:
        return np.empty((*none.shape[: axes[0]], 0, *none.shape[axes[0] :]), none.dtype)
    there = set(labels.flat)
    each = [
        np.asarray(function(values, axis=axes, where=mask & (labels == k), **given), dtype) if k in there else none
        for k in range(num_labels)
    ]
    return np.stack(each, axis=axes[0])


# ---- what is accepted ---------------------------------------------------------


def _array(a: Any) -> Any:
    if isinstance(a, np.ma.MaskedArray):
        raise TypeError("a is a masked array; pass its data with where=~a.mask")
    if isinstance(a, (list, tuple)):  # which NumPy may round
        objects = np.array(a, dtype=object)
        if objects.size and all(isinstance(x, (int, np.integer, np.bool_)) for x in objects.flat):
            return np.frompyfunc(int, 1, 1)(objects)
    a = np.asarray(a)
    if a.dtype.kind not in "biufc" or a.dtype.str[1:] in ("f16", "c32", "f12", "c24"):
        raise TypeError(f"a must hold integers, float16/32/64 or complex64/128, not {a.dtype}")
    return a


def _integers(a: Any) -> bool:
    return a.dtype.kind in "biuO"


def _mask(where: Any, a: Any) -> Any:
    where = np.asanyarray(where)
    if where.dtype != bool or isinstance(where, np.ma.MaskedArray):
        raise TypeError(f"where must be a plain array of bool, not {type(where).__name__} of {where.dtype}")
    return np.broadcast_to(where, a.shape)


def _present(a: Any, where: Any) -> tuple[Any, Any]:
    """The elements, and which of them are neither left out, masked nor NaN; complex ones have two parts to be NaN."""
    missing = np.ma.getmaskarray(a) if isinstance(a, np.ma.MaskedArray) else np.False_
    a = _array(np.ma.getdata(a) if isinstance(a, np.ma.MaskedArray) else a)
    missing = missing | (np.zeros(a.shape, bool) if _integers(a) else np.isnan(a))
    return a, _mask(where, a) & ~missing


def _ddof(ddof: Any, correction: Any = None) -> int | float:
    """What is taken off the number of elements, by either of its names."""
    if ddof is not None and correction is not None:
        raise TypeError("ddof and correction are two names for one thing; give one of them")
    ddof = ddof if ddof is not None else correction if correction is not None else 0
    if not isinstance(ddof, (int, float, np.integer, np.floating)):
        raise TypeError(f"ddof must be a number, not {type(ddof).__name__}")
    if not ddof >= 0:
        raise ValueError(f"ddof must be at least 0, not {ddof}")
    return int(ddof) if isinstance(ddof, (int, np.integer)) else float(ddof)


def _workers(workers: SupportsIndex) -> None:
    if operator.index(workers) < 1 and workers != -1:
        raise ValueError(f"workers must be at least 1, or -1 for all cores, not {workers}")
