# The first overload that fits decides, from special to general (np.float64 is also an object): as in NumPy's stubs.
# mypy: disable-error-code="overload-overlap"

from abc import ABCMeta
from collections.abc import Sequence
from typing import Any, Literal, Protocol, SupportsIndex, TypeAlias, TypeVar, overload

import numpy as np
import numpy.typing as npt

_Scalar_co = TypeVar("_Scalar_co", bound=np.generic, covariant=True)

class _Array(Protocol[_Scalar_co]):
    def __array__(self) -> npt.NDArray[_Scalar_co]: ...

class _Unknown(np.generic, metaclass=ABCMeta): ...

# pandas, polars and others do not tell a type checker what they hold, but NDArray[Any], which alone fits this.
_Untyped: TypeAlias = _Array[_Unknown]
_Unsigned: TypeAlias = _Array[np.unsignedinteger[Any]]
_Integers: TypeAlias = int | _Array[np.integer[Any] | np.bool_ | np.object_] | Sequence[_Integers]
_Reals: TypeAlias = float | _Array[np.floating[Any]] | Sequence[_Reals]
_Complexes: TypeAlias = complex | _Array[np.complexfloating[Any, Any]] | Sequence[_Complexes]
_Numbers: TypeAlias = _Integers | _Reals | _Complexes
_Bools: TypeAlias = bool | _Array[np.bool_] | Sequence[_Bools]
_Axis: TypeAlias = SupportsIndex | tuple[SupportsIndex, ...] | None
_Ddof: TypeAlias = float | np.floating[Any] | np.integer[Any]
_Object: TypeAlias = type[object] | np.dtype[np.object_]
_AnInteger: TypeAlias = type[np.int64 | np.uint64] | np.dtype[np.int64 | np.uint64] | _Object
_AFloat: TypeAlias = (
    type[np.float64 | np.float32 | np.float16] | type[float] | np.dtype[np.float64 | np.float32 | np.float16]
)
_AComplex: TypeAlias = type[np.complex128 | np.complex64] | type[complex] | np.dtype[np.complex128 | np.complex64]

_T = TypeVar("_T", np.int64, np.uint64, np.float64, np.float32, np.float16, np.complex128, np.complex64)
_Out = TypeVar("_Out", bound=npt.NDArray[Any])
_One = TypeVar("_One", float, complex, covariant=True)  # what complex numbers give
_Many = TypeVar("_Many", np.float64, np.complex128, covariant=True)

# Functions with the same parameters share a class, so that its overloads are written once. Where the result depends on
# what is untyped it is Any; an out decides its type. Else no axis and no keepdims gives a number of Python's, and the
# rest arrays (or a NumPy scalar, where the axes are all that the array has: as NumPy's own stubs, these say array).

class _Total(Protocol[_One, _Many]):
    @overload
    def __call__(
        self,
        a: _Untyped,
        axis: _Axis = None,
        *,
        dtype: npt.DTypeLike | None = None,
        out: None = None,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> Any: ...
    @overload
    def __call__(
        self,
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
    def __call__(
        self,
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
    def __call__(
        self,
        a: _Reals,
        axis: None = None,
        *,
        dtype: None = None,
        out: None = None,
        keepdims: Literal[False] = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> float: ...
    @overload
    def __call__(
        self,
        a: _Complexes,
        axis: None = None,
        *,
        dtype: _AComplex | None = None,
        out: None = None,
        keepdims: Literal[False] = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> _One: ...
    @overload
    def __call__(
        self,
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
    def __call__(
        self,
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
    def __call__(
        self,
        a: _Reals,
        axis: _Axis = None,
        *,
        dtype: None = None,
        out: None = None,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> npt.NDArray[np.float64]: ...
    @overload
    def __call__(
        self,
        a: _Complexes,
        axis: _Axis = None,
        *,
        dtype: None = None,
        out: None = None,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> npt.NDArray[_Many]: ...
    @overload
    def __call__(
        self,
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
    def __call__(
        self,
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
    def __call__(
        self,
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
    def __call__(
        self,
        a: _Numbers,
        axis: _Axis = None,
        *,
        dtype: npt.DTypeLike | None = None,
        out: _Out,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> _Out: ...

class _Mean(Protocol[_One, _Many]):
    @overload
    def __call__(
        self,
        a: _Untyped,
        axis: _Axis = None,
        *,
        dtype: npt.DTypeLike | None = None,
        out: None = None,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> Any: ...
    @overload
    def __call__(
        self,
        a: _Integers | _Reals,
        axis: None = None,
        *,
        dtype: _AFloat | None = None,
        out: None = None,
        keepdims: Literal[False] = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> float: ...
    @overload
    def __call__(
        self,
        a: _Complexes,
        axis: None = None,
        *,
        dtype: _AFloat | _AComplex | None = None,
        out: None = None,
        keepdims: Literal[False] = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> _One: ...
    @overload
    def __call__(
        self,
        a: _Integers | _Reals,
        axis: _Axis = None,
        *,
        dtype: None = None,
        out: None = None,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> npt.NDArray[np.float64]: ...
    @overload
    def __call__(
        self,
        a: _Complexes,
        axis: _Axis = None,
        *,
        dtype: None = None,
        out: None = None,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> npt.NDArray[_Many]: ...
    @overload
    def __call__(
        self,
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
    def __call__(
        self,
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
    def __call__(
        self,
        a: _Numbers,
        axis: _Axis = None,
        *,
        dtype: npt.DTypeLike | None = None,
        out: _Out,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> _Out: ...

class _Norm(Protocol):
    @overload
    def __call__(
        self,
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
    def __call__(
        self,
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
    def __call__(
        self,
        a: _Numbers,
        *,
        axis: _Axis = None,
        dtype: type[_T] | np.dtype[_T],
        out: None = None,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> npt.NDArray[_T]: ...
    @overload
    def __call__(
        self,
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
    def __call__(
        self,
        a: _Numbers,
        *,
        axis: _Axis = None,
        dtype: npt.DTypeLike | None = None,
        out: _Out,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> _Out: ...

class _Spread(Protocol):
    @overload
    def __call__(
        self,
        a: _Numbers,
        axis: None = None,
        *,
        dtype: _AFloat | None = None,
        out: None = None,
        ddof: _Ddof | None = None,
        keepdims: Literal[False] = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
        correction: _Ddof | None = None,
    ) -> float: ...
    @overload
    def __call__(
        self,
        a: _Numbers,
        axis: _Axis = None,
        *,
        dtype: None = None,
        out: None = None,
        ddof: _Ddof | None = None,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
        correction: _Ddof | None = None,
    ) -> npt.NDArray[np.float64]: ...
    @overload
    def __call__(
        self,
        a: _Numbers,
        axis: _Axis = None,
        *,
        dtype: type[_T] | np.dtype[_T],
        out: None = None,
        ddof: _Ddof | None = None,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
        correction: _Ddof | None = None,
    ) -> npt.NDArray[_T]: ...
    @overload
    def __call__(
        self,
        a: _Numbers,
        axis: _Axis = None,
        *,
        dtype: npt.DTypeLike | None,
        out: None = None,
        ddof: _Ddof | None = None,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
        correction: _Ddof | None = None,
    ) -> Any: ...
    @overload
    def __call__(
        self,
        a: _Numbers,
        axis: _Axis = None,
        *,
        dtype: npt.DTypeLike | None = None,
        out: _Out,
        ddof: _Ddof | None = None,
        keepdims: bool = False,
        where: _Bools = True,
        workers: SupportsIndex = 1,
        correction: _Ddof | None = None,
    ) -> _Out: ...

sumsq: _Total[float, np.float64]
"""Sum of the squares of the elements, exact or correctly rounded."""
norm: _Norm
"""Euclidean norm: the square root of the sum of the squares, correctly rounded."""
rms: _Mean[float, np.float64]
"""Root mean square: the square root of the mean of the squares, correctly rounded."""
sum: _Total[complex, np.complex128]
"""Sum of the elements, exact or correctly rounded."""
mean: _Mean[complex, np.complex128]
"""Arithmetic mean, correctly rounded."""
var: _Spread
"""Variance, correctly rounded."""
std: _Spread
"""Standard deviation: the square root of the variance, correctly rounded."""
nansum: _Total[complex, np.complex128]
"""Sum of the elements that are not missing, exact or correctly rounded."""
nanmean: _Mean[complex, np.complex128]
"""Arithmetic mean of the elements that are not missing, correctly rounded."""
nanvar: _Spread
"""Variance of the elements that are not missing, correctly rounded."""
nanstd: _Spread
"""Standard deviation of the elements that are not missing, correctly rounded."""
