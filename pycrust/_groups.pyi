from typing import Any, Protocol, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from pycrust._reductions import _T, _Axis, _Bools, _Complexes, _Ddof, _Integers, _Numbers, _Reals, _Untyped

class _Sum(Protocol):
    @overload
    def __call__(
        self,
        values: _Untyped,
        labels: _Integers,
        *,
        axis: _Axis = -1,
        num_labels: SupportsIndex | None = None,
        where: _Bools = True,
        dtype: None = None,
        workers: SupportsIndex = 1,
        skipna: bool = False,
    ) -> npt.NDArray[Any]: ...
    @overload
    def __call__(
        self,
        values: _Reals,
        labels: _Integers,
        *,
        axis: _Axis = -1,
        num_labels: SupportsIndex | None = None,
        where: _Bools = True,
        dtype: None = None,
        workers: SupportsIndex = 1,
        skipna: bool = False,
    ) -> npt.NDArray[np.float64]: ...
    @overload
    def __call__(
        self,
        values: _Numbers,
        labels: _Integers,
        *,
        axis: _Axis = -1,
        num_labels: SupportsIndex | None = None,
        where: _Bools = True,
        dtype: type[_T] | np.dtype[_T],
        workers: SupportsIndex = 1,
        skipna: bool = False,
    ) -> npt.NDArray[_T]: ...
    @overload
    def __call__(
        self,
        values: _Numbers,
        labels: _Integers,
        *,
        axis: _Axis = -1,
        num_labels: SupportsIndex | None = None,
        where: _Bools = True,
        dtype: npt.DTypeLike | None = None,
        workers: SupportsIndex = 1,
        skipna: bool = False,
    ) -> npt.NDArray[Any]: ...

class _Mean(Protocol):
    @overload
    def __call__(
        self,
        values: _Untyped | _Complexes,
        labels: _Integers,
        *,
        axis: _Axis = -1,
        num_labels: SupportsIndex | None = None,
        where: _Bools = True,
        dtype: None = None,
        workers: SupportsIndex = 1,
        skipna: bool = False,
    ) -> npt.NDArray[Any]: ...
    @overload
    def __call__(
        self,
        values: _Integers | _Reals,
        labels: _Integers,
        *,
        axis: _Axis = -1,
        num_labels: SupportsIndex | None = None,
        where: _Bools = True,
        dtype: None = None,
        workers: SupportsIndex = 1,
        skipna: bool = False,
    ) -> npt.NDArray[np.float64]: ...
    @overload
    def __call__(
        self,
        values: _Numbers,
        labels: _Integers,
        *,
        axis: _Axis = -1,
        num_labels: SupportsIndex | None = None,
        where: _Bools = True,
        dtype: type[_T] | np.dtype[_T],
        workers: SupportsIndex = 1,
        skipna: bool = False,
    ) -> npt.NDArray[_T]: ...
    @overload
    def __call__(
        self,
        values: _Numbers,
        labels: _Integers,
        *,
        axis: _Axis = -1,
        num_labels: SupportsIndex | None = None,
        where: _Bools = True,
        dtype: npt.DTypeLike | None = None,
        workers: SupportsIndex = 1,
        skipna: bool = False,
    ) -> npt.NDArray[Any]: ...

class _Spread(Protocol):
    @overload
    def __call__(
        self,
        values: _Numbers,
        labels: _Integers,
        *,
        axis: _Axis = -1,
        num_labels: SupportsIndex | None = None,
        ddof: _Ddof | None = None,
        where: _Bools = True,
        dtype: None = None,
        workers: SupportsIndex = 1,
        skipna: bool = False,
        correction: _Ddof | None = None,
    ) -> npt.NDArray[np.float64]: ...
    @overload
    def __call__(
        self,
        values: _Numbers,
        labels: _Integers,
        *,
        axis: _Axis = -1,
        num_labels: SupportsIndex | None = None,
        ddof: _Ddof | None = None,
        where: _Bools = True,
        dtype: type[_T] | np.dtype[_T],
        workers: SupportsIndex = 1,
        skipna: bool = False,
        correction: _Ddof | None = None,
    ) -> npt.NDArray[_T]: ...
    @overload
    def __call__(
        self,
        values: _Numbers,
        labels: _Integers,
        *,
        axis: _Axis = -1,
        num_labels: SupportsIndex | None = None,
        ddof: _Ddof | None = None,
        where: _Bools = True,
        dtype: npt.DTypeLike | None = None,
        workers: SupportsIndex = 1,
        skipna: bool = False,
        correction: _Ddof | None = None,
    ) -> npt.NDArray[Any]: ...

group_sum: _Sum
"""Sum of the values with each label, exact or correctly rounded."""
group_sumsq: _Sum
"""Sum of the squares of the values with each label, exact or correctly rounded."""
group_mean: _Mean
"""Arithmetic mean of the values with each label, correctly rounded."""
group_var: _Spread
"""Variance of the values with each label, correctly rounded."""
group_std: _Spread
"""Standard deviation of the values with each label, correctly rounded."""

def group_count(
    values: _Numbers,
    labels: _Integers,
    *,
    axis: _Axis = -1,
    num_labels: SupportsIndex | None = None,
    where: _Bools = True,
    workers: SupportsIndex = 1,
    skipna: bool = False,
) -> npt.NDArray[np.int64]: ...
