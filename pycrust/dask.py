"""
The data family over dask arrays: lazy, along any axes, the same bits for every chunking.

Each chunk gives an `~pycrust.Accumulator` for every position that is kept; the
accumulators are merged along a tree, exactly, and rounded once at its end. So the
result is that of `pycrust.sum`, `mean`, `var` and the others on the whole array on
one machine, to the last bit. Nothing is computed until it is asked for.
"""

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

import pycrust
from pycrust._accumulator import _accumulators, _results
from pycrust._containers import refuse_other_dims

try:
    import dask.array as da
    from dask.array.utils import validate_axis
except ImportError as error:
    raise ImportError("pycrust.dask needs dask: pip install 'dask[array]'") from error

if TYPE_CHECKING:
    _Axis: TypeAlias = SupportsIndex | tuple[SupportsIndex, ...] | None
    _Figure: TypeAlias = Literal["sumsq", "norm", "rms", "sum", "mean", "var", "std"]
    _Ddof: TypeAlias = float | None
    _Block: TypeAlias = npt.NDArray[Any]
    _Parts: TypeAlias = npt.NDArray[Any]  # of Accumulators

__all__ = ["mean", "norm", "rms", "std", "sum", "sumsq", "var"]


def sumsq(
    a: Any,
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
    dtype : {int64, uint64, float64, float32, float16, object}, optional
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
        What `pycrust.sumsq` gives for the whole array, to the last bit. The sum of
        integers without `axis` is of dtype object, and computes to an array of no
        axes around a Python int: ``int(result)``.

    Raises
    ------
    TypeError, ValueError, numpy.exceptions.AxisError
        At once, as `pycrust.sumsq` does.
    OverflowError
        When computed, if a sum along an axis does not fit its dtype.

    Notes
    -----
    If every summed axis lies in one chunk, each chunk costs one call. Else every
    chunk gives an accumulator of some 1300 bytes for every position kept: if there
    are millions of these, ``a.rechunk({axis: -1})`` first.

    Examples
    --------
    >>> import dask.array as da, pycrust.dask
    >>> a = da.arange(10**6, chunks=12345)
    >>> int(pycrust.dask.sumsq(a))
    333332833333500000
    """
    return _reduce("sumsq", a, axis, dtype, keepdims, where, split_every)


def norm(
    a: Any,
    *,
    axis: "_Axis" = None,
    dtype: npt.DTypeLike | None = None,
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
    dtype : {float64, float32, float16}, optional
    keepdims : bool, optional
    where : array_like of bool or dask array, optional
    split_every : int or dict, optional
        All as in `sumsq`.

    Returns
    -------
    dask array
        Of `dtype`, float64 by default. What `pycrust.norm` gives for the whole array, to the last bit.

    Examples
    --------
    >>> import dask.array as da, pycrust.dask
    >>> float(pycrust.dask.norm(da.full(4, 1e200, chunks=2)).compute())
    2e+200
    """
    return _reduce("norm", a, axis, dtype, keepdims, where, split_every)


def rms(
    a: Any,
    axis: "_Axis" = None,
    *,
    dtype: npt.DTypeLike | None = None,
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
    dtype : {float64, float32, float16}, optional
    keepdims : bool, optional
    where : array_like of bool or dask array, optional
    split_every : int or dict, optional
        All as in `sumsq`. Elements left out do not count in the mean.

    Returns
    -------
    dask array
        Of `dtype`, float64 by default. What `pycrust.rms` gives for the whole array, to the last bit.

    Examples
    --------
    >>> import dask.array as da, pycrust.dask
    >>> a = da.from_array([[3, 4], [3, -4], [3, 4]], chunks=1)
    >>> pycrust.dask.rms(a, axis=0).compute()
    array([3., 4.])
    """
    return _reduce("rms", a, axis, dtype, keepdims, where, split_every)


def sum(
    a: Any,
    axis: "_Axis" = None,
    *,
    dtype: npt.DTypeLike | None = None,
    keepdims: bool = False,
    where: Any = True,
    split_every: int | dict[int, int] | None = None,
) -> da.Array:
    """
    Sum of a dask array, exact or correctly rounded, lazily.

    Parameters
    ----------
    a : dask array
    axis : int or tuple of int, optional
    dtype : {int64, uint64, float64, float32, float16, object, complex128, complex64}, optional
    keepdims : bool, optional
    where : array_like of bool or dask array, optional
    split_every : int or dict, optional
        All as in `sumsq`, and as for `pycrust.sum`.

    Returns
    -------
    dask array
        What `pycrust.sum` gives for the whole array, to the last bit; for integers without `axis` as in `sumsq`.

    Examples
    --------
    >>> import dask.array as da, numpy as np, pycrust.dask
    >>> a = da.from_array(np.array([1e100, 1.0, -1e100, 1.0]), chunks=2)
    >>> float(pycrust.dask.sum(a).compute())
    2.0
    """
    return _reduce("sum", a, axis, dtype, keepdims, where, split_every)


def mean(
    a: Any,
    axis: "_Axis" = None,
    *,
    dtype: npt.DTypeLike | None = None,
    keepdims: bool = False,
    where: Any = True,
    split_every: int | dict[int, int] | None = None,
) -> da.Array:
    """
    Arithmetic mean of a dask array, correctly rounded, lazily.

    Parameters
    ----------
    a : dask array
    axis : int or tuple of int, optional
    dtype : {float64, float32, float16}, or {complex128, complex64} for complex `a`, optional
    keepdims : bool, optional
    where : array_like of bool or dask array, optional
    split_every : int or dict, optional
        All as in `sumsq`. Elements left out do not count in the mean.

    Returns
    -------
    dask array
        What `pycrust.mean` gives for the whole array, to the last bit.

    Examples
    --------
    >>> import dask.array as da, pycrust.dask
    >>> float(pycrust.dask.mean(da.full(10, 0.1, chunks=3)).compute())
    0.1
    """
    return _reduce("mean", a, axis, dtype, keepdims, where, split_every)


def var(
    a: Any,
    axis: "_Axis" = None,
    *,
    dtype: npt.DTypeLike | None = None,
    ddof: "_Ddof" = None,
    keepdims: bool = False,
    where: Any = True,
    split_every: int | dict[int, int] | None = None,
    correction: "_Ddof" = None,
) -> da.Array:
    """
    Variance of a dask array, correctly rounded, lazily.

    Parameters
    ----------
    a : dask array
    axis : int or tuple of int, optional
    dtype : {float64, float32, float16}, optional
    ddof : int or float, optional
        As for `pycrust.var`: 0 by default.
    keepdims : bool, optional
    where : array_like of bool or dask array, optional
    split_every : int or dict, optional
    correction : int or float, optional
        Another name for `ddof`. All others as in `sumsq`.

    Returns
    -------
    dask array
        What `pycrust.var` gives for the whole array, to the last bit, whatever the chunks.

    Examples
    --------
    >>> import dask.array as da, numpy as np, pycrust.dask
    >>> a = da.from_array(1e9 + np.array([4.0, 7.0, 13.0, 16.0]), chunks=2)
    >>> float(pycrust.dask.var(a).compute())
    22.5
    """
    return _reduce("var", a, axis, dtype, keepdims, where, split_every, ddof, correction)


def std(
    a: Any,
    axis: "_Axis" = None,
    *,
    dtype: npt.DTypeLike | None = None,
    ddof: "_Ddof" = None,
    keepdims: bool = False,
    where: Any = True,
    split_every: int | dict[int, int] | None = None,
    correction: "_Ddof" = None,
) -> da.Array:
    """
    Standard deviation of a dask array, correctly rounded, lazily.

    Parameters
    ----------
    a : dask array
    axis : int or tuple of int, optional
    dtype : {float64, float32, float16}, optional
    ddof : int or float, optional
    keepdims : bool, optional
    where : array_like of bool or dask array, optional
    split_every : int or dict, optional
    correction : int or float, optional
        All as in `var`.

    Returns
    -------
    dask array
        What `pycrust.std` gives for the whole array, to the last bit, whatever the chunks.

    Examples
    --------
    >>> import dask.array as da, pycrust.dask
    >>> float(pycrust.dask.std(da.arange(10, chunks=3), ddof=1).compute())
    3.0276503540974917
    """
    return _reduce("std", a, axis, dtype, keepdims, where, split_every, ddof, correction)


# ---- the graph --------------------------------------------------------------


def _reduce(
    figure: "_Figure",
    a: Any,
    axis: "_Axis",
    dtype: npt.DTypeLike | None,
    keepdims: bool,
    where: Any,
    split_every: int | dict[int, int] | None,
    ddof: "_Ddof" = None,
    correction: "_Ddof" = None,
) -> da.Array:
    refuse_other_dims(a, where)
    a = da.asanyarray(a)
    spread: dict[str, Any] = {"ddof": ddof, "correction": correction} if figure in ("var", "std") else {}
    # The figure of the empty array that stands for a: it refuses what a call on a would refuse, and has its dtype.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        example = getattr(pycrust, figure)(a._meta, axis=axis, dtype=dtype, keepdims=keepdims, **spread)
    made = np.dtype(object) if isinstance(example, int) else np.asarray(example).dtype
    if dtype is not None:
        made = np.dtype(dtype)
    ddof = ddof if correction is None else correction
    if spread:
        spread = {"ddof": ddof}
    meta = np.empty((0,) * np.ndim(example), made)
    axes: Any = validate_axis(tuple(range(a.ndim)) if axis is None else axis, a.ndim)
    axes = axes if isinstance(axes, tuple) else (axes,)
    masks = [] if where is True else [_mask_of(where, a)]

    like = _Like(a.ndim, a.dtype)
    result: da.Array
    if all(len(a.chunks[k]) == 1 for k in axes):  # each chunk holds all that its results need
        kept = tuple(k for k in range(a.ndim) if keepdims or k not in axes)
        result = da.blockwise(
            partial(_call, like=like, figure=figure, axes=axes, made=made, keep=keepdims, **spread),
            kept,
            *(each for array in (a, *masks) for each in (array, tuple(range(a.ndim)))),
            adjust_chunks={k: 1 for k in axes if keepdims},
            align_arrays=False,
            concatenate=False,
            dtype=made,
            meta=meta,
            token=figure,
        )
    else:
        parts = da.blockwise(
            partial(_accumulate, like=like, axis=axes),
            tuple(range(a.ndim)),
            *(each for array in (a, *masks) for each in (array, tuple(range(a.ndim)))),
            adjust_chunks=dict.fromkeys(axes, 1),
            align_arrays=False,
            dtype=object,
            meta=np.empty((0,) * a.ndim, object),
            token=figure,
        )
        result = da.reduction(
            parts,
            chunk=_as_they_are,
            combine=_merge,
            aggregate=partial(_round, figure=figure, made=made, ddof=ddof),
            axis=axes,
            keepdims=keepdims,
            dtype=made,
            split_every=split_every,
            name=figure,
            meta=meta,
        )
    return result


def _mask_of(where: Any, a: da.Array) -> da.Array:
    """where= in the chunks of a, or in one chunk along axes where it has length one."""
    mask: da.Array = da.asanyarray(where)
    pycrust.sumsq(np.empty(0), where=mask._meta.reshape(-1))  # refuses what is not bool
    if not np.isnan([*a.shape, *mask.shape]).any():
        mask = da.broadcast_to(mask, a.shape).rechunk(a.chunks)
        return mask
    mask = mask[(None,) * (a.ndim - mask.ndim)]
    for size, blocks, wanted in zip(mask.shape, mask.numblocks, a.numblocks, strict=True):
        if size != 1 and blocks != wanted:
            raise ValueError(
                f"where has {mask.numblocks} chunks and a {a.numblocks}, which cannot be brought together while "
                "their sizes are unknown: call compute_chunk_sizes() on them first"
            )
    return mask


def _block(values: Any, made: np.dtype[Any]) -> Any:
    """A block of results: where no axis is left a NumPy scalar, or an array around an object."""
    values = np.asarray(values, dtype=made)
    return values if made.hasobject else values[()]


class _Like(NamedTuple):
    """What dask believes of each block."""

    ndim: int
    dtype: np.dtype[Any]

    def check(self, block: "_Block") -> None:
        """Refuse a block that is something else: axes would be others, and digits be lost."""
        ndim, dtype = np.ndim(block), getattr(block, "dtype", self.dtype)
        if ndim != self.ndim:
            raise ValueError(
                f"a block has {ndim} axes where dask expects {self.ndim}: "
                "give map_blocks (or whatever made the array) the right drop_axis=, new_axis= or chunks="
            )
        if not np.can_cast(dtype, self.dtype, "same_kind"):
            raise TypeError(
                f"a block is of {dtype} where dask expects {self.dtype}: "
                f"give map_blocks (or whatever made the array) dtype={dtype}, or convert with .astype"
            )


def _call(
    block: "_Block",
    where: Any = True,
    *,
    like: _Like,
    figure: "_Figure",
    axes: tuple[int, ...],
    made: np.dtype[Any],
    keep: bool,
    **spread: Any,
) -> Any:
    """The results of a chunk that holds all of the summed axes; dask puts it in a list for each of these."""
    while isinstance(block, list):
        (block,) = block
    while isinstance(where, list):
        (where,) = where
    like.check(block)
    return _block(getattr(pycrust, figure)(block, axis=axes, dtype=made, where=where, keepdims=keep, **spread), made)


def _accumulate(block: "_Block", where: Any = True, *, like: _Like, axis: tuple[int, ...]) -> "_Parts":
    """One Accumulator for every position of a chunk that is kept; the other axes have length 1."""
    like.check(block)
    return np.expand_dims(_accumulators(block, axis, where), axis)


def _as_they_are(parts: "_Parts", axis: tuple[int, ...], keepdims: bool) -> "_Parts":
    return parts


def _merge(parts: "_Parts", axis: tuple[int, ...], keepdims: bool) -> "_Parts":
    """The accumulators added along the axes."""
    merged = np.asarray(np.sum(parts, axis=axis, keepdims=True), dtype=object)  # one + after another
    return merged if keepdims else merged.squeeze(axis)


def _round(
    parts: "_Parts", axis: tuple[int, ...], keepdims: bool, *, figure: "_Figure", made: np.dtype[Any], ddof: "_Ddof"
) -> Any:
    """The results, from what is left of the accumulators."""
    return _block(_results(_merge(parts, axis, keepdims), figure, made, ddof), made)
