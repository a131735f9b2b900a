"""
The data family over dask arrays: lazy, along any axes, the same bits for every chunking.

Each chunk gives an `~pycrust.Accumulator` with a state for every position that is kept;
these are merged along a tree, exactly, and rounded once at its end. So the
result is that of `pycrust.sum`, `mean`, `var` and the others on the whole array on
one machine, to the last bit. Nothing is computed until it is asked for.
"""

import inspect
import operator
import warnings
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, SupportsIndex, TypeAlias

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
    from collections.abc import Iterator

    _Axis: TypeAlias = SupportsIndex | tuple[SupportsIndex, ...] | None
    _Figure: TypeAlias = Literal[
        "sumsq", "norm", "rms", "sum", "mean", "var", "std", "nansum", "nanmean", "nanvar", "nanstd"
    ]
    _Ddof: TypeAlias = float | None
    _Block: TypeAlias = npt.NDArray[Any]
    # The exact sums of a chunk at each position kept; of Python ints: an array of single Accumulators.
    _Parts: TypeAlias = pycrust.Accumulator | npt.NDArray[Any]

__all__ = ["mean", "nanmean", "nanstd", "nansum", "nanvar", "norm", "rms", "std", "sum", "sumsq", "var"]


# ---- the functions ----------------------------------------------------------

_DOC = """
{summary}, lazily.

Parameters
----------
a : dask array
    Of bool, any integer dtype, float16/32/64 or complex64/128, in any
    chunks, unknown chunk sizes too. Other arrays are taken as one chunk.{missing}
axis : int or tuple of int, optional
    The axes to reduce; all of them by default.
dtype : {dtypes}, optional
    Of the result, as for `pycrust.{name}`.{ddof}
keepdims : bool, optional
    Leave the axes reduced in the result, with length one.
where : array_like of bool or dask array, optional
    The elements to include; must broadcast to the shape of `a`.
split_every : int or dict, optional
    How many accumulators one task merges, as for `dask.array.reduction`.{correction}

Returns
-------
dask array
    What `pycrust.{name}` gives for the whole array, to the last bit, whatever the chunks.{integers}

Raises
------
TypeError, ValueError, numpy.exceptions.AxisError
    At once, as `pycrust.{name}` does.{overflow}

Notes
-----
If every reduced axis lies in one chunk, each chunk costs one call. Else every
chunk gives some 72 bytes for every position kept, and 1300 more where numbers
differ by more than 2**60 in size.

Examples
--------
>>> import dask.array as da, numpy as np, pycrust.dask
{example}
"""
_FLOATS = "{float64, float32, float16}"
_SUMS = "{int64, uint64, float64, float32, float16, object"


class _Function(Protocol):
    def __call__(
        self,
        a: Any,
        axis: "_Axis" = None,
        *,
        dtype: npt.DTypeLike | None = None,
        keepdims: bool = False,
        where: Any = True,
        split_every: int | dict[int, int] | None = None,
    ) -> da.Array: ...


class _Norm(Protocol):
    def __call__(
        self,
        a: Any,
        *,
        axis: "_Axis" = None,
        dtype: npt.DTypeLike | None = None,
        keepdims: bool = False,
        where: Any = True,
        split_every: int | dict[int, int] | None = None,
    ) -> da.Array: ...


class _Spread(Protocol):
    def __call__(
        self,
        a: Any,
        axis: "_Axis" = None,
        *,
        dtype: npt.DTypeLike | None = None,
        ddof: "_Ddof" = None,
        keepdims: bool = False,
        where: Any = True,
        split_every: int | dict[int, int] | None = None,
        correction: "_Ddof" = None,
    ) -> da.Array: ...


def _function(kind: type, name: "_Figure", summary: str, dtypes: str, example: str) -> Any:
    """The function of that name, with the signature that `kind` declares, and its docstring."""
    signature = inspect.signature(kind.__call__)
    signature = signature.replace(parameters=list(signature.parameters.values())[1:])

    def function(*args: Any, **kwargs: Any) -> da.Array:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        return _reduce(name, **given.arguments)

    skips, spread, integers = name.startswith("nan"), kind is _Spread, dtypes.startswith(_SUMS)
    texts = {
        "missing": "\n    NaN, nulls and masked elements are left out, as by `pycrust.nansum`." if skips else "",
        "ddof": "\nddof : int or float, optional\n    As for `pycrust.var`: 0 by default." if spread else "",
        "correction": "\ncorrection : int or float, optional\n    Another name for `ddof`." if spread else "",
        "integers": (
            " The sum of\n    integers without `axis` is of dtype object, and computes to an array of no\n"
            "    axes around a Python int: ``int(result)``."
        )
        if integers
        else "",
        "overflow": "\nOverflowError\n    When computed, if a sum along an axis does not fit its dtype."
        if integers
        else "",
    }
    function.__doc__ = _DOC.format(name=name, summary=summary, dtypes=dtypes, example=example, **texts)
    function.__name__ = function.__qualname__ = name
    function.__annotations__ = {}
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


sumsq: _Function = _function(
    _Function,
    "sumsq",
    "Sum of the squares of a dask array, exact or correctly rounded",
    _SUMS + "}",
    ">>> a = da.arange(10**6, chunks=12345)\n>>> int(pycrust.dask.sumsq(a))\n333332833333500000",
)
norm: _Norm = _function(
    _Norm,
    "norm",
    "Euclidean norm of a dask array, correctly rounded",
    _FLOATS,
    ">>> float(pycrust.dask.norm(da.full(4, 1e200, chunks=2)).compute())\n2e+200",
)
rms: _Function = _function(
    _Function,
    "rms",
    "Root mean square of a dask array, correctly rounded",
    _FLOATS,
    ">>> a = da.from_array([[3, 4], [3, -4], [3, 4]], chunks=1)\n"
    ">>> pycrust.dask.rms(a, axis=0).compute()\n"
    "array([3., 4.])",
)
sum: _Function = _function(
    _Function,
    "sum",
    "Sum of a dask array, exact or correctly rounded",
    _SUMS + ", complex128, complex64}",
    ">>> a = da.from_array(np.array([1e100, 1.0, -1e100, 1.0]), chunks=2)\n"
    ">>> float(pycrust.dask.sum(a).compute())\n"
    "2.0",
)
mean: _Function = _function(
    _Function,
    "mean",
    "Arithmetic mean of a dask array, correctly rounded",
    _FLOATS + ", or {complex128, complex64} for complex `a`",
    ">>> float(pycrust.dask.mean(da.full(10, 0.1, chunks=3)).compute())\n0.1",
)
var: _Spread = _function(
    _Spread,
    "var",
    "Variance of a dask array, correctly rounded",
    _FLOATS,
    ">>> a = da.from_array(1e9 + np.array([4.0, 7.0, 13.0, 16.0]), chunks=2)\n"
    ">>> float(pycrust.dask.var(a).compute())\n"
    "22.5",
)
std: _Spread = _function(
    _Spread,
    "std",
    "Standard deviation of a dask array, correctly rounded",
    _FLOATS,
    ">>> float(pycrust.dask.std(da.arange(10, chunks=3), ddof=1).compute())\n3.0276503540974917",
)
nansum: _Function = _function(
    _Function,
    "nansum",
    "Sum of the elements of a dask array that are not missing, exact or correctly rounded",
    _SUMS + ", complex128, complex64}",
    ">>> a = da.from_array(np.array([1e100, 1.0, np.nan, -1e100]), chunks=2)\n"
    ">>> float(pycrust.dask.nansum(a).compute())\n"
    "1.0",
)
nanmean: _Function = _function(
    _Function,
    "nanmean",
    "Arithmetic mean of the elements of a dask array that are not missing, correctly rounded",
    _FLOATS + ", or {complex128, complex64} for complex `a`",
    ">>> a = da.from_array(np.array([0.1, np.nan, 0.1, 0.1]), chunks=3)\n"
    ">>> float(pycrust.dask.nanmean(a).compute())\n"
    "0.1",
)
nanvar: _Spread = _function(
    _Spread,
    "nanvar",
    "Variance of the elements of a dask array that are not missing, correctly rounded",
    _FLOATS,
    ">>> a = da.from_array(1e9 + np.array([4.0, 7.0, np.nan, 13.0, 16.0]), chunks=2)\n"
    ">>> float(pycrust.dask.nanvar(a).compute())\n"
    "22.5",
)
nanstd: _Spread = _function(
    _Spread,
    "nanstd",
    "Standard deviation of the elements of a dask array that are not missing, correctly rounded",
    _FLOATS,
    ">>> a = da.from_array(np.array([2.0, np.nan, 4.0]), chunks=2)\n>>> float(pycrust.dask.nanstd(a).compute())\n1.0",
)

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
    spread: dict[str, Any] = {"ddof": ddof, "correction": correction} if figure.endswith(("var", "std")) else {}
    # The figure of the empty array that stands for a: it refuses what a call on a would refuse, and has its dtype.
    # Objects are taken for Python ints; whether they are is seen when they are computed.
    empty = np.empty((0,) * a.ndim, np.int64) if a.dtype == object else a._meta
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        example = getattr(pycrust, figure)(empty, axis=axis, dtype=dtype, keepdims=keepdims, **spread)
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
            partial(_accumulate, like=like, axis=axes, skipna=figure.startswith("nan")),
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
            concatenate=False,
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
    block: Any,
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


def _accumulate(block: "_Block", where: Any = True, *, like: _Like, axis: tuple[int, ...], skipna: bool) -> "_Parts":
    """The exact sums of a chunk, for every position that is kept."""
    like.check(block)
    if block.dtype == object:
        return _accumulators(block, axis, where, skipna)[()]
    sums = pycrust.Accumulator(shape=tuple(length for k, length in enumerate(block.shape) if k not in axis))
    sums.update(block, axis=axis if sums.shape else None, where=where, skipna=skipna)
    return sums


def _as_they_are(parts: "_Parts", axis: tuple[int, ...], keepdims: bool) -> "_Parts":
    return parts


def _flat(parts: Any) -> "Iterator[_Parts]":
    """The sums in nested lists, of which dask makes one for each axis; what a worker gives may be anything."""
    if isinstance(parts, list):
        for each in parts:
            yield from _flat(each)
    elif isinstance(parts, pycrust.Accumulator) or (isinstance(parts, np.ndarray) and parts.dtype == object):
        yield parts
    else:
        raise TypeError(
            f"the sums of a chunk came back as {type(parts).__name__}, not as an Accumulator: "
            "the worker that made them is at fault"
        )


def _merge(parts: Any, axis: tuple[int, ...], keepdims: bool) -> "_Parts":
    """The sums of several chunks."""
    return reduce(operator.add, _flat(parts))


def _round(
    parts: Any, axis: tuple[int, ...], keepdims: bool, *, figure: "_Figure", made: np.dtype[Any], ddof: "_Ddof"
) -> Any:
    """The results, from what is left of the sums."""
    values = _results(_merge(parts, axis, keepdims), figure, made, ddof)
    return _block(np.expand_dims(values, axis) if keepdims else values, made)
