from typing import Any, Protocol, SupportsIndex, TypeAlias, TypeVar, overload

import numpy as np
import numpy.typing as npt

from pycrust._reductions import _Numbers, _Untyped

_Window: TypeAlias = SupportsIndex | tuple[npt.ArrayLike, npt.ArrayLike]
_Out = TypeVar("_Out", bound=npt.NDArray[Any])
_T = TypeVar("_T", np.int64, np.uint64, np.float64, np.float32, np.float16, np.complex128, np.complex64)

class _Moving(Protocol):
    def __call__(
        self,
        a: _Numbers | _Untyped,
        window: _Window,
        min_count: SupportsIndex | None = None,
        axis: SupportsIndex = -1,
        *,
        workers: SupportsIndex = 1,
    ) -> npt.NDArray[np.float64]: ...

class _MovingSpread(Protocol):
    def __call__(
        self,
        a: _Numbers | _Untyped,
        window: _Window,
        min_count: SupportsIndex | None = None,
        axis: SupportsIndex = -1,
        ddof: float = 0,
        *,
        workers: SupportsIndex = 1,
    ) -> npt.NDArray[np.float64]: ...

class _Cumsum(Protocol):
    @overload
    def __call__(
        self,
        a: _Numbers | _Untyped,
        axis: SupportsIndex | None = None,
        *,
        dtype: type[_T] | np.dtype[_T],
        out: None = None,
        workers: SupportsIndex = 1,
    ) -> npt.NDArray[_T]: ...
    @overload
    def __call__(
        self,
        a: _Numbers | _Untyped,
        axis: SupportsIndex | None = None,
        dtype: npt.DTypeLike | None = None,
        out: None = None,
        *,
        workers: SupportsIndex = 1,
    ) -> npt.NDArray[Any]: ...
    @overload
    def __call__(
        self,
        a: _Numbers | _Untyped,
        axis: SupportsIndex | None = None,
        dtype: npt.DTypeLike | None = None,
        *,
        out: _Out,
        workers: SupportsIndex = 1,
    ) -> _Out: ...

move_sum: _Moving
"""Sum of each window of adjacent elements, correctly rounded."""
move_mean: _Moving
"""Mean of each window of adjacent elements, correctly rounded."""
move_var: _MovingSpread
"""Variance of each window of adjacent elements, correctly rounded."""
move_std: _MovingSpread
"""Standard deviation of each window of adjacent elements, correctly rounded."""
cumsum: _Cumsum
"""Sum of all elements up to each, exact or correctly rounded."""
