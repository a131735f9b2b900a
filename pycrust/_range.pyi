# The first overload that fits decides, from special to general (np.int64 is also an object): as in NumPy's stubs.
# mypy: disable-error-code="overload-overlap"

from collections.abc import Sequence
from typing import Any, Literal, Protocol, SupportsIndex, TypeAlias, TypeVar, overload

import numpy as np
import numpy.typing as npt

_Method: TypeAlias = Literal["loop", "formula"]

# What the batch takes: arrays (and what converts to one) of integers, and nested sequences of ints.
class _IntegerArray(Protocol):
    def __array__(self) -> npt.NDArray[np.integer[Any] | np.object_]: ...

_Integers: TypeAlias = _IntegerArray | Sequence[SupportsIndex | _Integers]

_T = TypeVar("_T", np.int64, np.uint64, np.float64)
_Out = TypeVar("_Out", bound=npt.NDArray[Any])

def sum_of_squares(n: SupportsIndex, /, *, method: _Method = "loop") -> int: ...
def threadable_sum_of_squares(n: SupportsIndex, /, *, method: _Method = "loop") -> int: ...

# An out decides the type of the result; else dtype does. One n gives a scalar.
@overload
def sum_of_squares_batch(
    ns: SupportsIndex | _Integers, /, *, dtype: npt.DTypeLike = ..., out: _Out, method: _Method = "loop"
) -> _Out: ...
@overload
def sum_of_squares_batch(
    ns: int | np.integer[Any],
    /,
    *,
    dtype: type[np.int64] = ...,
    out: None = None,
    method: _Method = "loop",
) -> np.int64: ...
@overload
def sum_of_squares_batch(
    ns: int | np.integer[Any], /, *, dtype: type[_T] | np.dtype[_T], out: None = None, method: _Method = "loop"
) -> _T: ...
@overload
def sum_of_squares_batch(
    ns: int | np.integer[Any],
    /,
    *,
    dtype: type[object] | np.dtype[np.object_],
    out: None = None,
    method: _Method = "loop",
) -> int: ...
@overload
def sum_of_squares_batch(
    ns: _Integers, /, *, dtype: type[np.int64] = ..., out: None = None, method: _Method = "loop"
) -> npt.NDArray[np.int64]: ...
@overload
def sum_of_squares_batch(
    ns: _Integers, /, *, dtype: type[_T] | np.dtype[_T], out: None = None, method: _Method = "loop"
) -> npt.NDArray[_T]: ...
@overload
def sum_of_squares_batch(
    ns: _Integers,
    /,
    *,
    dtype: type[object] | np.dtype[np.object_],
    out: None = None,
    method: _Method = "loop",
) -> npt.NDArray[np.object_]: ...
@overload
def sum_of_squares_batch(
    ns: SupportsIndex | _Integers, /, *, dtype: npt.DTypeLike, out: None = None, method: _Method = "loop"
) -> Any: ...
