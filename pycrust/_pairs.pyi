# The first overload that fits decides, from special to general, as in _reductions.pyi.
# mypy: disable-error-code="overload-overlap"

from typing import Any, Literal, Self, SupportsIndex, TypeVar, final, overload

import numpy.typing as npt

from pycrust._reductions import _Axis, _Bools, _Complexes, _Integers, _Numbers, _Reals

_Out = TypeVar("_Out", bound=npt.NDArray[Any])

@overload
def dot(
    a: _Integers,
    b: _Integers,
    *,
    dtype: None = None,
    out: None = None,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> int: ...
@overload
def dot(
    a: _Numbers,
    b: _Numbers,
    *,
    dtype: npt.DTypeLike | None = None,
    out: _Out,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> _Out: ...
@overload
def dot(
    a: _Integers | _Reals,
    b: _Integers | _Reals,
    *,
    dtype: None = None,
    out: None = None,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> float: ...
@overload
def dot(
    a: _Numbers,
    b: _Numbers,
    *,
    dtype: npt.DTypeLike | None = None,
    out: None = None,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> Any: ...
@overload
def vecdot(
    x1: _Numbers,
    x2: _Numbers,
    axis: SupportsIndex = -1,
    *,
    dtype: npt.DTypeLike | None = None,
    out: _Out,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> _Out: ...
@overload
def vecdot(
    x1: _Numbers,
    x2: _Numbers,
    axis: SupportsIndex = -1,
    *,
    dtype: npt.DTypeLike | None = None,
    out: None = None,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> Any: ...
@overload
def average(
    a: _Integers | _Reals,
    axis: None = None,
    weights: _Integers | _Reals | None = None,
    returned: Literal[False] = False,
    *,
    keepdims: Literal[False] = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> float: ...
@overload
def average(
    a: _Complexes,
    axis: None = None,
    weights: _Integers | _Reals | None = None,
    returned: Literal[False] = False,
    *,
    keepdims: Literal[False] = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> complex: ...
@overload
def average(
    a: _Numbers,
    axis: _Axis = None,
    weights: _Integers | _Reals | None = None,
    *,
    returned: Literal[True],
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> tuple[Any, Any]: ...
@overload
def average(
    a: _Numbers,
    axis: _Axis,
    weights: _Integers | _Reals | None,
    returned: Literal[True],
    *,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> tuple[Any, Any]: ...
@overload
def average(
    a: _Numbers,
    axis: _Axis = None,
    weights: _Integers | _Reals | None = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
    where: _Bools = True,
    workers: SupportsIndex = 1,
) -> Any: ...
def cov(
    m: _Numbers,
    y: _Numbers | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    *,
    dtype: npt.DTypeLike | None = None,
    workers: SupportsIndex = 1,
) -> npt.NDArray[Any]: ...
def corrcoef(
    x: _Numbers,
    y: _Numbers | None = None,
    rowvar: bool = True,
    *,
    dtype: npt.DTypeLike | None = None,
    workers: SupportsIndex = 1,
) -> npt.NDArray[Any]: ...
@overload
def sse(a: _Integers, b: _Integers, *, where: _Bools = True, workers: SupportsIndex = 1) -> int: ...
@overload
def sse(a: _Numbers, b: _Numbers, *, where: _Bools = True, workers: SupportsIndex = 1) -> float: ...
def mse(a: _Numbers, b: _Numbers, *, where: _Bools = True, workers: SupportsIndex = 1) -> float: ...

@final
class PairAccumulator:
    def __init__(
        self,
        x: _Numbers | None = None,
        y: _Numbers | None = None,
        /,
        *,
        where: _Bools = True,
        workers: SupportsIndex = 1,
    ) -> None: ...
    @property
    def count(self) -> int: ...
    def update(self, x: _Numbers, y: _Numbers, /, *, where: _Bools = True, workers: SupportsIndex = 1) -> None: ...
    def merge(self, other: PairAccumulator, /) -> None: ...
    # Real or complex, as the numbers are: no promise.
    def dot(self) -> Any: ...
    def mean_x(self) -> Any: ...
    def mean_y(self) -> Any: ...
    def var_x(self, ddof: SupportsIndex = 0) -> float: ...
    def var_y(self, ddof: SupportsIndex = 0) -> float: ...
    def cov(self, ddof: SupportsIndex = 1) -> Any: ...
    def average(self) -> Any: ...
    def corr(self) -> Any: ...
    def slope(self) -> Any: ...
    def intercept(self) -> Any: ...
    def __add__(self, other: PairAccumulator | Literal[0], /) -> PairAccumulator: ...
    def __radd__(self, other: int, /) -> PairAccumulator: ...
    def __iadd__(self, other: PairAccumulator | Literal[0], /) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[type[PairAccumulator], tuple[()], dict[str, Any]]: ...
    def __setstate__(self, state: dict[str, Any], /) -> None: ...
    __array_ufunc__: None
    __hash__: None  # type: ignore[assignment]
