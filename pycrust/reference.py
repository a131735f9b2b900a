"""The functions of pycrust in plain Python, on ints and Fractions.

Slow and obviously right: the tests compare the C kernels with these, bit by bit.
"""

import math
import operator
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Self, SupportsIndex

import numpy as np

__all__ = [
    "Accumulator",
    "nearest",
    "nearest_root",
    "norm",
    "rms",
    "sum_of_squares",
    "sum_of_squares_batch",
    "sumsq",
]

# ---- range ---------------------------------------------------------------------


def sum_of_squares(n: SupportsIndex, /, *, method: str = "loop") -> int:
    """Sum the squares 1² + 2² + … + n²."""
    last = max(operator.index(n), 0)
    if method == "formula":
        return last * (last + 1) * (2 * last + 1) // 6
    return sum(i * i for i in range(1, last + 1))


def sum_of_squares_batch(ns: Any, /, *, method: str = "loop") -> Any:
    """Sum the squares for every n of nested lists: nested lists of ints."""
    if isinstance(ns, list):
        return [sum_of_squares_batch(n, method=method) for n in ns]
    return sum_of_squares(ns, method=method)


# ---- rounding, once -----------------------------------------------------------


def nearest(x: int | Fraction, dtype: Any = np.float64) -> float:
    """The float64, or other float, nearest to the rational number x >= 0, ties to even."""
    kind = np.finfo(dtype)
    bits = kind.nmant + 1
    exponent = max(x.numerator.bit_length() - x.denominator.bit_length() - bits, kind.minexp - kind.nmant)
    if x >= Fraction(2) ** (exponent + bits):
        exponent += 1
    multiple = round(Fraction(x) / Fraction(2) ** exponent)  # half to even
    return math.ldexp(multiple, exponent) if multiple * Fraction(2) ** exponent < 2**kind.maxexp else math.inf


def nearest_root(x: int | Fraction, dtype: Any = np.float64) -> float:
    """The float64, or other float, nearest to the square root of the rational number x >= 0.

    Every float, and every point halfway between two of them, is an integer
    multiple of 2**-1075. So it is enough to know which multiple the root is, or
    which two it lies between.
    """
    square = x * 4**1075
    root = math.isqrt(math.floor(square))
    between = root * root != square
    return nearest(Fraction(2 * root + between, 2**1076), dtype)


# ---- the exact sum ------------------------------------------------------------


def _square(x: float) -> int:
    """x squared as an integer multiple of 4**-1074; every finite float has one."""
    numerator, denominator = x.as_integer_ratio()
    return numerator**2 << 2 * (1075 - denominator.bit_length())


class Accumulator:
    """The exact sum of the squares of all numbers that it was given."""

    def __init__(self, a: Any = None, where: Any = True, workers: SupportsIndex = 1) -> None:
        self.count = 0
        self._exact: int | Fraction = 0  # an int while only integers were added, then a Fraction
        self._nonfinite = 0.0  # the sum of |x| for those x: NaN beats Inf
        if a is not None:
            self.update(a, where, workers)

    def update(self, a: Any, where: Any = True, workers: SupportsIndex = 1) -> None:
        """Add the squares of all elements of `a` for which `where` is true."""
        _workers(workers)
        empty = isinstance(a, (list, tuple)) and not np.size(a)  # which has no type
        a = _array(a)
        self._add(a if not empty else a.astype(int), _mask(where, a))

    def _add(self, a: Any, where: Any) -> None:
        numbers = a[where].tolist()
        self.count += len(numbers)
        if _integers(a):
            self._exact += sum(x * x for x in numbers)
            return
        if a.dtype.kind == "c":
            numbers = [part for z in numbers for part in (z.real, z.imag)]
        self._exact += Fraction(sum(_square(x) for x in numbers if math.isfinite(x)), 4**1074)
        self._nonfinite += sum(abs(x) for x in numbers if not math.isfinite(x))

    def merge(self, other: Any) -> None:
        """Add what `other` has seen."""
        if not isinstance(other, Accumulator):
            raise TypeError(f"cannot merge an Accumulator with {type(other).__name__}")
        self.count += other.count
        self._exact += other._exact
        self._nonfinite += other._nonfinite

    def sumsq(self, dtype: Any = None) -> int | float:
        """The sum of squares: an int while only integers were added, then a float."""
        if isinstance(self._exact, int) and (dtype is None or np.dtype(dtype).kind in "iuO"):
            return self._exact
        return self._nonfinite or nearest(self._exact, dtype or np.float64)

    def norm(self, dtype: Any = np.float64) -> float:
        """The square root of the exact sum."""
        return self._nonfinite or nearest_root(self._exact, dtype)

    def rms(self, dtype: Any = np.float64) -> float:
        """The square root of the exact sum divided by `count`."""
        if self.count == 0:
            warnings.warn("rms of no elements", RuntimeWarning, stacklevel=2)
            return math.nan
        return self._nonfinite or nearest_root(Fraction(self._exact) / self.count, dtype)

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


def _state(accumulator: Accumulator) -> tuple[int, int | Fraction, str]:
    return accumulator.count, accumulator._exact, repr(accumulator._nonfinite)


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


def _reduce(
    figure: Callable[[Accumulator, Any], Any], a: Any, axis: Any, dtype: Any, out: Any, keepdims: bool, where: Any
) -> Any:
    a = _array(a)
    where = _mask(where, a)
    alone = axis is None and not keepdims and out is None  # one number of Python's
    exact = figure is Accumulator.sumsq and _integers(a)
    if dtype is None and out is None:
        dtype = object if exact and alone else float if not exact else np.uint64 if a.dtype.kind == "u" else np.int64
    elif dtype is None:
        dtype = out.dtype
    dtype = np.dtype(dtype).newbyteorder("=")
    allowed = ["f8", "f4", "f2", *(["i8", "u8", "O"] if exact else [])]
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
        if dtype.kind in "iu" and value > np.iinfo(dtype).max:
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


def _workers(workers: SupportsIndex) -> None:
    if operator.index(workers) < 1 and workers != -1:
        raise ValueError(f"workers must be at least 1, or -1 for all cores, not {workers}")
