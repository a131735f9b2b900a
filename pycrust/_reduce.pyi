# The first overload that fits decides, from special to general (np.float64 is also an object): as in NumPy's stubs.
# mypy: disable-error-code="overload-overlap"

from collections.abc import Sequence
from typing import Any, Literal, Protocol, SupportsIndex, TypeAlias, TypeVar, overload

import numpy as np
import numpy.typing as npt

from pycrust._range import _Simd

_Scalar_co = TypeVar("_Scalar_co", bound=np.generic, covariant=True)

class _Array(Protocol[_Scalar_co]):
    def __array__(self) -> npt.NDArray[_Scalar_co]: ...

_Unsigned: TypeAlias = _Array[np.unsignedinteger[Any]]
_Integers: TypeAlias = int | _Array[np.integer[Any] | np.bool_] | Sequence[_Integers]
_Floats: TypeAlias = complex | _Array[np.floating[Any] | np.complexfloating[Any, Any]] | Sequence[_Floats]
_Numbers: TypeAlias = _Integers | _Floats
_Bools: TypeAlias = bool | _Array[np.bool_] | Sequence[_Bools]
_Axis: TypeAlias = SupportsIndex | tuple[SupportsIndex, ...] | None
_Object: TypeAlias = type[object] | np.dtype[np.object_]
_AnInteger: TypeAlias = type[np.int64 | np.uint64] | np.dtype[np.int64 | np.uint64] | _Object
_AFloat: TypeAlias = (
    type[np.float64 | np.float32 | np.float16] | type[float] | np.dtype[np.float64 | np.float32 | np.float16]
)

_T = TypeVar("_T", np.int64, np.uint64, np.float64, np.float32, np.float16)
_Float = TypeVar("_Float", np.float64, np.float32, np.float16)
_Out = TypeVar("_Out", bound=npt.NDArray[Any])

def _use_simd(name: _Simd) -> _Simd: ...
def _uncertain_sums() -> int: ...

# An out decides the type of the result. Else no axis and no keepdims gives a number of Python's, and the rest arrays
# (or a NumPy scalar, where the axes are all that the array has: as NumPy's own stubs, these say array).
@overload
def sumsq(
    a: _Numbers,
    axis: _Axis = None,
    *,
    dtype: npt.DTypeLike | None = None,
    out: _Out,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> _Out: ...
@overload
def sumsq(
    a: _Numbers,
    axis: None = None,
    *,
    dtype: _AFloat,
    out: None = None,
    keepdims: Literal[False] = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> float: ...
@overload
def sumsq(
    a: _Integers,
    axis: None = None,
    *,
    dtype: _AnInteger | None = None,
    out: None = None,
    keepdims: Literal[False] = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> int: ...
@overload
def sumsq(
    a: _Floats,
    axis: None = None,
    *,
    dtype: None = None,
    out: None = None,
    keepdims: Literal[False] = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> float: ...
@overload
def sumsq(
    a: _Unsigned,
    axis: _Axis = None,
    *,
    dtype: None = None,
    out: None = None,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> npt.NDArray[np.uint64]: ...
@overload
def sumsq(
    a: _Integers,
    axis: _Axis = None,
    *,
    dtype: None = None,
    out: None = None,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> npt.NDArray[np.int64]: ...
@overload
def sumsq(
    a: _Floats,
    axis: _Axis = None,
    *,
    dtype: None = None,
    out: None = None,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> npt.NDArray[np.float64]: ...
@overload
def sumsq(
    a: _Numbers,
    axis: _Axis = None,
    *,
    dtype: type[_T] | np.dtype[_T],
    out: None = None,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> npt.NDArray[_T]: ...
@overload
def sumsq(
    a: _Integers,
    axis: _Axis = None,
    *,
    dtype: _Object,
    out: None = None,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> npt.NDArray[np.object_]: ...
@overload
def sumsq(
    a: _Numbers,
    axis: _Axis = None,
    *,
    dtype: npt.DTypeLike | None,
    out: None = None,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> Any: ...
@overload
def norm(
    a: _Numbers,
    *,
    axis: _Axis = None,
    dtype: npt.DTypeLike | None = None,
    out: _Out,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> _Out: ...
@overload
def norm(
    a: _Numbers,
    *,
    axis: None = None,
    dtype: _AFloat | None = None,
    out: None = None,
    keepdims: Literal[False] = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> float: ...
@overload
def norm(
    a: _Numbers,
    *,
    axis: _Axis = None,
    dtype: None = None,
    out: None = None,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> npt.NDArray[np.float64]: ...
@overload
def norm(
    a: _Numbers,
    *,
    axis: _Axis = None,
    dtype: type[_Float] | np.dtype[_Float],
    out: None = None,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> npt.NDArray[_Float]: ...
@overload
def norm(
    a: _Numbers,
    *,
    axis: _Axis = None,
    dtype: npt.DTypeLike | None,
    out: None = None,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> Any: ...
@overload
def rms(
    a: _Numbers,
    axis: _Axis = None,
    *,
    dtype: npt.DTypeLike | None = None,
    out: _Out,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> _Out: ...
@overload
def rms(
    a: _Numbers,
    axis: None = None,
    *,
    dtype: _AFloat | None = None,
    out: None = None,
    keepdims: Literal[False] = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> float: ...
@overload
def rms(
    a: _Numbers,
    axis: _Axis = None,
    *,
    dtype: None = None,
    out: None = None,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> npt.NDArray[np.float64]: ...
@overload
def rms(
    a: _Numbers,
    axis: _Axis = None,
    *,
    dtype: type[_Float] | np.dtype[_Float],
    out: None = None,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> npt.NDArray[_Float]: ...
@overload
def rms(
    a: _Numbers,
    axis: _Axis = None,
    *,
    dtype: npt.DTypeLike | None,
    out: None = None,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> Any: ...
