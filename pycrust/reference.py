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


def nearest(x: int | Fraction) -> float:
    """The float64 nearest to the rational number x >= 0, ties to even."""
    try:
        return x.numerator / x.denominator  # Python rounds int / int correctly
    except OverflowError:
        return math.inf


def nearest_root(x: int | Fraction) -> float:
    """The float64 nearest to the square root of the rational number x >= 0.

    Every float64, and every point halfway between two of them, is an integer
    multiple of 2**-1075. So it is enough to know which multiple the root is, or
    which two it lies between.
    """
    square = x * 4**1075
    root = math.isqrt(math.floor(square))
    between = root * root != square
    return nearest(Fraction(2 * root + between, 2**1076))


# ---- the exact sum ------------------------------------------------------------


def _square(x: float) -> int:
    """x squared as an integer multiple of 4**-1074; every finite float has one."""
    numerator, denominator = x.as_integer_ratio()
    return numerator**2 << 2 * (1075 - denominator.bit_length())


class Accumulator:
    """The exact sum of the squares of all numbers that it was given."""

    def __init__(self) -> None:
        self.count = 0
        self._exact: int | Fraction = 0  # an int while only integers were added, then a Fraction
        self._nonfinite = 0.0  # the sum of |x| for those x: NaN beats Inf

    def update(self, a: Any, where: Any = True, workers: SupportsIndex = 1) -> None:
        """Add the squares of all elements of `a` for which `where` is true."""
        a = _array(a)
        _workers(workers)
        numbers = a[_mask(where, a)].tolist()
        self.count += len(numbers)
        if a.dtype.kind in "biu":
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

    def sumsq(self) -> int | float:
        """The sum of squares: an int while only integers were added, then a float."""
        if isinstance(self._exact, int):
            return self._exact
        return self._nonfinite or nearest(self._exact)

    def norm(self) -> float:
        """The square root of the exact sum."""
        return self._nonfinite or nearest_root(self._exact)

    def rms(self) -> float:
        """The square root of the exact sum divided by `count`."""
        if self.count == 0:
            warnings.warn("rms of no elements", RuntimeWarning, stacklevel=2)
            return math.nan
        return self._nonfinite or nearest_root(Fraction(self._exact) / self.count)

    def __add__(self, other: object) -> "Accumulator":
        if not isinstance(other, Accumulator):
            return NotImplemented
        total = Accumulator()
        total.merge(self)
        total.merge(other)
        return total

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
        return f"<Accumulator: count={self.count}, sumsq={self.sumsq()}>"


def _state(accumulator: Accumulator) -> tuple[int, int | Fraction, str]:
    return accumulator.count, accumulator._exact, repr(accumulator._nonfinite)


# ---- the reductions -----------------------------------------------------------


def sumsq(
    a: Any,
    /,
    axis: Any = None,
    *,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The sum of squares: exact for integers, correctly rounded for floats."""
    a = _array(a)
    _workers(workers)
    integers = a.dtype.kind in "biu"
    allowed = [np.dtype(name) for name in (("u8", "f8", "O") if integers else ("f8",))]
    if dtype is not None and np.dtype(dtype) not in allowed:
        raise TypeError(f"dtype for {a.dtype} must be one of {allowed}, not {np.dtype(dtype)}")
    if dtype is None and isinstance(out, np.ndarray) and out.dtype in allowed:
        dtype = out.dtype
    if dtype is None and integers and axis is None and out is None and not keepdims:
        dtype = object  # one int, of any size
    if dtype is None:
        dtype = allowed[0]
    return _reduce(Accumulator.sumsq, np.dtype(dtype), a, axis, out, keepdims, where)


def norm(
    a: Any,
    /,
    axis: Any = None,
    *,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The square root of the exact sum of squares, correctly rounded."""
    _workers(workers)
    return _reduce(Accumulator.norm, np.dtype(np.float64), _array(a), axis, out, keepdims, where)


def rms(
    a: Any,
    /,
    axis: Any = None,
    *,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
    workers: SupportsIndex = 1,
) -> Any:
    """The square root of the exact mean of squares, correctly rounded."""
    _workers(workers)
    return _reduce(Accumulator.rms, np.dtype(np.float64), _array(a), axis, out, keepdims, where)


def _reduce(
    figure: Callable[[Accumulator], Any], dtype: Any, a: Any, axis: Any, out: Any, keepdims: bool, where: Any
) -> Any:
    if out is not None and not isinstance(out, np.ndarray):
        raise TypeError(f"out must be an array, not {type(out).__name__}")
    where = _mask(where, a)
    axes = tuple(range(a.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    last = range(-len(axes), 0)
    a, where = np.moveaxis(a, axes, last), np.moveaxis(where, axes, last)
    result = np.empty(a.shape[: a.ndim - len(axes)], dtype=object)
    for position in np.ndindex(result.shape):
        part = Accumulator()
        part.update(a[position], where[position])
        result[position] = _held(figure(part), dtype, out)
    result = result.astype(dtype)
    if keepdims:
        result = np.expand_dims(result, axes)
    if out is None:
        return result[()]
    _check_out(out, result)
    out[...] = result
    return out


def _held(value: Any, dtype: Any, out: Any) -> Any:
    """`value` as a value of `dtype`, if that and `out` can hold it."""
    for kept in (dtype, dtype if out is None else out.dtype):
        if kept.kind in "iu" and value > np.iinfo(kept).max:
            raise OverflowError(f"{value} does not fit {kept}; use dtype=object or dtype=np.float64")
    return nearest(value) if dtype == np.float64 and isinstance(value, int) else value


# ---- what is accepted ---------------------------------------------------------


def _array(a: Any) -> Any:
    a = np.asanyarray(a)
    if isinstance(a, np.ma.MaskedArray):
        raise TypeError("a is a masked array; pass its data with where=~a.mask")
    if a.dtype.kind not in "biufc" or a.dtype.str[1:] in ("f16", "c32", "f12", "c24"):
        raise TypeError(f"a must hold integers, float16/32/64 or complex64/128, not {a.dtype}")
    return np.asarray(a)


def _mask(where: Any, a: Any) -> Any:
    where = np.asanyarray(where)
    if where.dtype != bool or isinstance(where, np.ma.MaskedArray):
        raise TypeError(f"where must be a plain array of bool, not {type(where).__name__} of {where.dtype}")
    return np.broadcast_to(where, a.shape)


def _workers(workers: SupportsIndex) -> None:
    if operator.index(workers) < 1 and workers != -1:
        raise ValueError(f"workers must be at least 1, or -1 for all cores, not {workers}")


def _check_out(out: Any, result: Any) -> None:
    if out.shape != result.shape:
        raise ValueError(f"out has shape {out.shape}, but the result has shape {result.shape}")
    if not np.can_cast(result.dtype, out.dtype, "same_kind"):
        raise TypeError(f"cannot write {result.dtype} to out of {out.dtype}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")
