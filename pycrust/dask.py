"""
The data family over dask arrays: lazy, along any axes, the same bits for every chunking.

Each chunk gives an `~pycrust.Accumulator` for every position that is kept; the
accumulators are merged along a tree, exactly, and rounded once at its end. So the
result is that of `pycrust.sumsq`, `norm` and `rms` on the whole array on one
machine, to the last bit. Nothing is computed until it is asked for.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

import pycrust
from pycrust import Accumulator
from pycrust._accumulator import _accumulators

try:
    import dask.array as da
    from dask.array.utils import validate_axis
except ImportError as error:
    raise ImportError("pycrust.dask needs dask: pip install 'dask[array]'") from error

if TYPE_CHECKING:
    _Axis: TypeAlias = SupportsIndex | tuple[SupportsIndex, ...] | None
    _Figure: TypeAlias = Literal["sumsq", "norm", "rms"]
    _Block: TypeAlias = npt.NDArray[Any]
    _Parts: TypeAlias = npt.NDArray[Any]  # of Accumulators

__all__ = ["norm", "rms", "sumsq"]


def sumsq(
    a: Any,
    /,
    axis: "_Axis" = None,
    *,
    dtype: npt.DTypeLike | None = None,
    keepdims: bool = False,
    where: Any = True,
    split_every: int | dict[int, int] | None = None,
) -> da.Array:
    """
    Sum of the squares of a dask array, exact or correctly rounded, lazily.

    Parameters
    ----------
    a : dask array
        Of bool, any integer dtype, float16/32/64 or complex64/128, in any
        chunks, unknown chunk sizes too. Other arrays are taken as one chunk.
    axis : int or tuple of int, optional
        The axes to sum over; all of them by default.
    dtype : {uint64, float64, object}, optional
        Of the result, as for `pycrust.sumsq`.
    keepdims : bool, optional
        Leave the axes summed over in the result, with length one.
    where : array_like of bool or dask array, optional
        The elements to include; must broadcast to the shape of `a`.
    split_every : int or dict, optional
        How many accumulators one task merges, as for `dask.array.reduction`.

    Returns
    -------
    dask array
        What `pycrust.sumsq` gives for the whole array, to the last bit: also a
        Python int (dtype object) for integers without `axis`.

    Raises
    ------
    TypeError, ValueError, numpy.exceptions.AxisError
        At once, as `pycrust.sumsq` does.
    OverflowError
        When computed, if a sum along an axis does not fit uint64.

    Notes
    -----
    If every summed axis lies in one chunk, each chunk costs one call. Else every
    chunk gives an accumulator of some 700 bytes for every position kept: if there
    are millions of these, ``a.rechunk({axis: -1})`` first.

    Examples
    --------
    >>> import dask.array as da, pycrust.dask
    >>> a = da.arange(10**6, chunks=12345)
    >>> pycrust.dask.sumsq(a).compute()
    333332833333500000
    """
    return _reduce("sumsq", a, axis, dtype, keepdims, where, split_every)


def norm(
    a: Any,
    /,
    axis: "_Axis" = None,
    *,
    keepdims: bool = False,
    where: Any = True,
    split_every: int | dict[int, int] | None = None,
) -> da.Array:
    """
    Euclidean norm of a dask array, correctly rounded, lazily.

    Parameters
    ----------
    a : dask array
    axis : int or tuple of int, optional
    keepdims : bool, optional
    where : array_like of bool or dask array, optional
    split_every : int or dict, optional
        All as in `sumsq`.

    Returns
    -------
    dask array of float64
        What `pycrust.norm` gives for the whole array, to the last bit.

    Examples
    --------
    >>> import dask.array as da, pycrust.dask
    >>> float(pycrust.dask.norm(da.full(4, 1e200, chunks=2)).compute())
    2e+200
    """
    return _reduce("norm", a, axis, None, keepdims, where, split_every)


def rms(
    a: Any,
    /,
    axis: "_Axis" = None,
    *,
    keepdims: bool = False,
    where: Any = True,
    split_every: int | dict[int, int] | None = None,
) -> da.Array:
    """
    Root mean square of a dask array, correctly rounded, lazily.

    Parameters
    ----------
    a : dask array
    axis : int or tuple of int, optional
    keepdims : bool, optional
    where : array_like of bool or dask array, optional
    split_every : int or dict, optional
        All as in `sumsq`. Elements left out do not count in the mean.

    Returns
    -------
    dask array of float64
        What `pycrust.rms` gives for the whole array, to the last bit.

    Examples
    --------
    >>> import dask.array as da, pycrust.dask
    >>> a = da.from_array([[3, 4], [3, -4], [3, 4]], chunks=1)
    >>> pycrust.dask.rms(a, axis=0).compute()
    array([3., 4.])
    """
    return _reduce("rms", a, axis, None, keepdims, where, split_every)


# ---- the graph --------------------------------------------------------------


def _reduce(
    figure: "_Figure",
    a: Any,
    axis: "_Axis",
    dtype: npt.DTypeLike | None,
    keepdims: bool,
    where: Any,
    split_every: int | dict[int, int] | None,
) -> da.Array:
    a = da.asarray(a)
    # The sum over the empty array that stands for a refuses what a call on a would refuse, and has its dtype.
    example: Any = pycrust.sumsq(a._meta, axis, dtype=dtype, keepdims=keepdims)
    made: np.dtype[Any] = np.dtype(object) if isinstance(example, int) else np.asarray(example).dtype
    if figure != "sumsq":
        made = np.dtype(np.float64)
    meta = np.empty((0,) * np.ndim(example), made)
    mask = None
    if where is not True:
        mask = da.asanyarray(where)
        pycrust.sumsq(np.empty(0), where=mask._meta.reshape(-1))  # refuses what is not bool
        mask = da.broadcast_to(mask, a.shape)
    axes: Any = validate_axis(tuple(range(a.ndim)) if axis is None else axis, a.ndim)
    axes = axes if isinstance(axes, tuple) else (axes,)

    result: da.Array
    if all(len(a.chunks[k]) == 1 for k in axes):  # each chunk holds all that its results need
        result = da.map_blocks(
            partial(_call, figure=figure, axes=axis, made=dtype, keep=keepdims),
            *([a] if mask is None else [a, mask.rechunk(a.chunks)]),
            chunks=[(1,) if k in axes else a.chunks[k] for k in range(a.ndim) if keepdims or k not in axes],
            drop_axis=() if keepdims else axes,
            dtype=made,
            meta=meta,
            token=figure,
        )
    else:
        result = da.reduction(
            a,
            chunk=_accumulate,
            combine=_merge,
            aggregate=partial(_round, figure=figure, made=made),
            axis=axes,
            keepdims=keepdims,
            dtype=made,
            weights=mask,
            split_every=split_every,
            name=figure,
            meta=meta,
        )
    return result


def _call(
    block: "_Block", where: Any = True, *, figure: "_Figure", axes: "_Axis", made: npt.DTypeLike | None, keep: bool
) -> Any:
    """The result of a chunk that holds all of the summed axes."""
    options = {} if made is None else {"dtype": made}
    return getattr(pycrust, figure)(block, axes, where=where, keepdims=keep, **options)


def _accumulate(
    block: "_Block", where: Any = True, *, axis: tuple[int, ...], keepdims: bool = True, computing_meta: bool = False
) -> "_Parts":
    """One Accumulator for every position of a chunk that is kept; the other axes have length 1."""
    if computing_meta:
        return block  # dask asks for the kind of array and the number of axes alone
    return np.expand_dims(_accumulators(block, axis, where), axis)


def _merge(parts: "_Parts", axis: tuple[int, ...], keepdims: bool) -> "_Parts":
    """The accumulators added along the axes."""
    merged: Any = np.sum(parts, axis=axis, keepdims=keepdims)  # one + after another
    return np.asarray(merged, dtype=object)


def _round(parts: "_Parts", axis: tuple[int, ...], keepdims: bool, *, figure: "_Figure", made: np.dtype[Any]) -> Any:
    """The results, from what is left of the accumulators."""
    parts = _merge(parts, axis, keepdims)
    read: Callable[[Accumulator], Any] = getattr(Accumulator, figure)
    values = np.empty(parts.shape, dtype=made)
    for position in np.ndindex(parts.shape):
        value = read(parts.item(position))
        if made == np.uint64 and value >= 2**64:
            raise OverflowError(
                f"the sum of squares at {position} along the axes kept in this chunk is {value}, which does not "
                "fit uint64; use dtype=object (exact) or dtype=np.float64 (rounded)"
            )
        values[position] = value
    return values[()]
