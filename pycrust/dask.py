"""
The functions of data over dask arrays: lazy, along any axes, the same bits for any chunks.

For reductions, each chunk gives an `~pycrust.Accumulator` with a state for every position that is kept;
these are merged in a tree, exactly, and rounded once at its end. So the result is that
of `pycrust.sum`, `mean`, `var` and the others on the whole array on one machine, to the
last bit. Nothing is computed until it is asked for.
"""

import builtins
import inspect
import math
import operator
import warnings
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

import pycrust
from pycrust._accumulator import _accumulators, _array, _mask, _merged, _results
from pycrust._containers import READERS, Missing, package, refuse_other_dims
from pycrust._ratios import covariance_ddof

try:
    import dask.array as da
    from dask.array.utils import validate_axis
    from dask.base import tokenize
    from dask.delayed import delayed
    from dask.highlevelgraph import HighLevelGraph
except ImportError as error:
    raise ImportError("pycrust.dask needs dask: pip install 'dask[array]'") from error

if TYPE_CHECKING:
    from collections.abc import Iterator

    _Axis: TypeAlias = SupportsIndex | tuple[SupportsIndex, ...] | None
    _Statistic: TypeAlias = Literal[
        "sumsq", "norm", "rms", "sum", "mean", "var", "std", "nansum", "nanmean", "nanvar", "nanstd"
    ]
    _Ddof: TypeAlias = float | None
    _Block: TypeAlias = npt.NDArray[Any]
    # The exact sums of a chunk at each position kept; of Python ints: an array of single Accumulators.
    _Parts: TypeAlias = pycrust.Accumulator | npt.NDArray[Any]

__all__ = [
    "average",
    "corrcoef",
    "cov",
    "cumsum",
    "dot",
    "mean",
    "move_mean",
    "move_std",
    "move_sum",
    "move_var",
    "nanmean",
    "nanstd",
    "nansum",
    "nanvar",
    "norm",
    "rms",
    "std",
    "sum",
    "sumsq",
    "var",
    "vecdot",
]


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
    Keep the reduced axes in the result, with length one.
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


def _declared(kind: type, name: str, call: Any, doc: str) -> Any:
    """A function with the signature that `kind` declares, and what it calls with its arguments by name."""
    signature = inspect.signature(kind.__call__)
    signature = signature.replace(parameters=list(signature.parameters.values())[1:])

    def function(*args: Any, **kwargs: Any) -> da.Array:
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}(): {error}") from None
        given.apply_defaults()
        made: da.Array = call(**given.arguments)
        return made

    function.__doc__ = doc
    function.__name__ = function.__qualname__ = name
    function.__annotations__ = {}
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _function(kind: type, name: "_Statistic", summary: str, dtypes: str, example: str) -> Any:
    """A reduction, with its docstring."""
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
    doc = _DOC.format(name=name, summary=summary, dtypes=dtypes, example=example, **texts)
    return _declared(kind, name, lambda **given: _reduce(name, **given), doc)


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

# ---- two arrays: a PairAccumulator for every result of a chunk ---------------


def dot(a: Any, b: Any) -> da.Array:
    """
    Sum of the products of two vectors, lazily: exact or correctly rounded.

    Parameters
    ----------
    a, b : dask array
        Two vectors of one length. Other arrays are taken as one chunk.

    Returns
    -------
    dask array
        What `pycrust.dot` gives for the whole vectors, to the last bit, whatever the chunks; of integers an
        array of dtype object around a Python int.

    Raises
    ------
    TypeError, ValueError
        At once, as `pycrust.dot` does.

    Examples
    --------
    >>> import dask.array as da, numpy as np, pycrust.dask
    >>> a = da.from_array(np.array([1e20, 1.0, -1e20]), chunks=1)
    >>> float(pycrust.dask.dot(a, da.from_array(np.array([3.0, 0.1, 3.0]), chunks=2)).compute())
    0.1
    """
    a, b = _numbers(a, "a"), _numbers(b, "b")
    pycrust.dot(np.empty((0,) * a.ndim), np.empty((0,) * b.ndim))
    _check_sizes(a, b)
    if a.shape != b.shape:
        raise ValueError(f"a and b have lengths {a.shape[0]} and {b.shape[0]}: not aligned")
    kinds = {a.dtype.kind, b.dtype.kind}
    made = np.dtype(object if kinds <= set("biuO") else complex if "c" in kinds else float)
    return _of_pairs("dot", a, b, (0,), made, False)


def vecdot(x1: Any, x2: Any, axis: SupportsIndex = -1, *, keepdims: bool = False) -> da.Array:
    """
    Sums of the products of two arrays along an axis, lazily: exact or correctly rounded.

    Parameters
    ----------
    x1, x2 : dask array
        In shapes that broadcast, apart from the axis: `x1` is conjugated if it is complex. Other arrays
        are taken as one chunk.
    axis : int, optional
        The axis of both to sum over, the last by default.
    keepdims : bool, optional
        Keep the axis in the result, with length one.

    Returns
    -------
    dask array
        What `pycrust.vecdot` gives for the whole arrays, to the last bit, whatever the chunks.

    Raises
    ------
    TypeError, ValueError, numpy.exceptions.AxisError
        At once, as `pycrust.vecdot` does.
    OverflowError
        When computed, if a sum does not fit its dtype.

    Examples
    --------
    >>> import dask.array as da, pycrust.dask
    >>> x = da.arange(6, chunks=4).reshape(2, 3)
    >>> pycrust.dask.vecdot(x, x).compute()
    array([ 5, 50])
    """
    x1, x2 = _numbers(x1, "x1"), _numbers(x2, "x2")
    made = pycrust.vecdot(np.zeros((1,) * x1.ndim, x1.dtype), np.zeros((1,) * x2.ndim, x2.dtype), axis).dtype
    _check_sizes(x1, x2)
    x, y = (da.moveaxis(each, axis, -1) for each in (x1, x2))
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(f"x1 has shape {x1.shape} and x2 {x2.shape}: they differ along axis {axis}")
    x, y = da.broadcast_arrays(_whole_if_one(x), _whole_if_one(y))
    result = _of_pairs("dot", x, y, (x.ndim - 1,), made, False, conjugate=True)
    return da.expand_dims(result, axis) if keepdims else result


def average(a: Any, axis: "_Axis" = None, weights: Any = None, *, keepdims: bool = False) -> da.Array:
    """
    Weighted mean of a dask array, lazily: correctly rounded.

    Parameters
    ----------
    a : dask array
        Real or complex numbers. Other arrays are taken as one chunk.
    axis : int or tuple of int, optional
        The axes to average over; all of them by default.
    weights : dask array, optional
        Real numbers in the shape of `a`, or in that of its axes `axis`, in their order; ones by default.
    keepdims : bool, optional
        Keep the reduced axes in the result, with length one.

    Returns
    -------
    dask array
        What `pycrust.average` gives for the whole array, to the last bit, whatever the chunks.

    Raises
    ------
    TypeError, ValueError, numpy.exceptions.AxisError
        At once, as `pycrust.average` does.
    ZeroDivisionError
        When computed, if weights sum to zero.

    Examples
    --------
    >>> import dask.array as da, pycrust.dask
    >>> float(pycrust.dask.average(da.arange(4, chunks=2), weights=da.arange(4, chunks=3)).compute())
    2.3333333333333335
    """
    if weights is None:
        return mean(a, axis, keepdims=keepdims)
    a, weights = _numbers(a, "a"), _numbers(weights, "weights")
    pycrust.average(np.zeros((1,) * a.ndim), axis)  # refuses what are no axes
    pycrust.average(np.ones(1), weights=np.ones(1, weights.dtype))  # refuses complex ones
    axes: Any = validate_axis(tuple(range(a.ndim)) if axis is None else axis, a.ndim)
    axes = axes if isinstance(axes, tuple) else (axes,)
    if weights.shape != a.shape:
        _check_sizes(a, weights)
        if axis is None:
            raise TypeError(f"weights have shape {weights.shape} and a {a.shape}: axis must say where they lie")
        if weights.shape != tuple(a.shape[k] for k in axes):
            raise ValueError(f"weights have shape {weights.shape}, which is not that of a {a.shape} along axis {axis}")
        ascending = _whole_if_one(weights.transpose(sorted(range(len(axes)), key=axes.__getitem__)))
        weights = da.broadcast_to(ascending[tuple(slice(None) if k in axes else None for k in range(a.ndim))], a.shape)
    return _of_pairs("average", a, weights, axes, np.dtype(complex if a.dtype.kind == "c" else float), keepdims)


def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> da.Array:
    """
    Covariance matrix, lazily: correctly rounded.

    Parameters
    ----------
    m : dask array
        A variable, or variables and observations of them, the latter in any chunks: real or complex numbers.
    y : dask array, optional
        More variables, with as many observations.
    rowvar : bool, optional
        Each row is a variable: True by default; else each column.
    bias : bool, optional
        Divide by the number of observations, not by one less.
    ddof : int, optional
        Divide by the number of observations minus this.

    Returns
    -------
    dask array
        What `pycrust.cov` gives for the whole arrays, to the last bit, whatever the chunks.

    Raises
    ------
    TypeError, ValueError
        At once, as `pycrust.cov` does.

    Examples
    --------
    >>> import dask.array as da, pycrust.dask
    >>> float(pycrust.dask.cov(da.arange(10, chunks=3)).compute())
    9.166666666666666
    """
    return _square(m, "m", y, rowvar, partial(_covariance, ddof=covariance_ddof(ddof, bias)))


def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> da.Array:
    """
    Pearson's correlation coefficients, lazily: correctly rounded.

    Parameters
    ----------
    x : dask array
        Variables, as for `cov`.
    y : dask array, optional
        More variables, with as many observations.
    rowvar : bool, optional
        Each row is a variable: True by default; else each column.

    Returns
    -------
    dask array
        What `pycrust.corrcoef` gives for the whole arrays, to the last bit, whatever the chunks.

    Raises
    ------
    TypeError, ValueError
        At once, as `pycrust.corrcoef` does.

    Examples
    --------
    >>> import dask.array as da, pycrust.dask
    >>> x = da.arange(10, chunks=3)
    >>> pycrust.dask.corrcoef(x, -0.5 * x).compute()
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    return _square(x, "x", y, rowvar, pycrust.PairAccumulator.corr)


def _numbers(a: Any, name: str) -> da.Array:
    made, missing = _lazy(a, name)
    if missing is not None:
        raise missing.error("cov")
    pycrust.sumsq(np.zeros(0, np.int64) if made.dtype == object else made._meta)  # refuses what is not a number
    return made


def _check_sizes(*arrays: da.Array) -> None:
    if any(np.isnan(array.shape).any() for array in arrays):
        raise ValueError("the chunk sizes are unknown: call compute_chunk_sizes() on the array first")


def _whole_if_one(a: da.Array) -> da.Array:
    """With one chunk along axes of length one, or none: empty ones beside it would be broadcast."""
    whole: da.Array = a.rechunk({k: -1 for k, length in enumerate(a.shape) if length <= 1})
    return whole


def _without_empty_chunks(a: da.Array) -> da.Array:
    chunks = tuple(tuple(size for size in along if size != 0) or (0,) for along in a.chunks)
    return a if tuple(map(len, chunks)) == a.numblocks else a.rechunk(chunks)


def _covariance(pairs: pycrust.PairAccumulator, ddof: int) -> Any:
    return pairs.cov(ddof)


def _of_pairs(
    statistic: str,
    x: da.Array,
    y: da.Array,
    axes: tuple[int, ...],
    made: np.dtype[Any],
    keepdims: bool,
    conjugate: bool = False,
) -> da.Array:
    """A statistic of the pairs at each position that is kept; both arrays have the same shape."""
    x, y = _whole_if_one(x), _whole_if_one(y)
    every = tuple(range(x.ndim))
    parts = da.blockwise(
        partial(
            _accumulate_pairs, like=(_Like(x.ndim, x.dtype), _Like(y.ndim, y.dtype)), axes=axes, conjugate=conjugate
        ),
        every,
        x,
        every,
        y,
        every,
        adjust_chunks=dict.fromkeys(axes, 1),
        dtype=object,
        meta=np.empty((0,) * x.ndim, object),
        token=statistic,
    )
    result: da.Array = da.reduction(
        parts,
        chunk=_as_they_are,
        combine=_merge_pairs,
        aggregate=partial(_round_pairs, statistic=statistic, made=made),
        axis=axes,
        keepdims=keepdims,
        dtype=made,
        name=statistic,
        meta=np.empty((0,) * (x.ndim if keepdims else x.ndim - len(axes)), made),
    )
    return result


def _accumulate_pairs(
    x: "_Block", y: "_Block", *, like: "tuple[_Like, _Like]", axes: tuple[int, ...], conjugate: bool
) -> "npt.NDArray[Any]":
    x, y = like[0].check(x), like[1].check(y)
    kept = tuple(k for k in range(x.ndim) if k not in axes)
    x, y = (np.transpose(each, kept + axes) for each in (x.conj() if conjugate else x, y))
    parts = np.empty(x.shape[: len(kept)], object)
    for position in np.ndindex(parts.shape):
        parts[position] = pycrust.PairAccumulator(x[position], y[position])
    return np.expand_dims(parts, axes)


def _merge_pairs(parts: "npt.NDArray[Any]", axis: tuple[int, ...], keepdims: bool) -> "npt.NDArray[Any]":
    """The accumulators, merged along the axes."""
    merged = np.asarray(np.sum(parts, axis=axis, keepdims=True), dtype=object)  # one + after another
    return merged if keepdims else merged.squeeze(axis)


def _round_pairs(
    parts: "npt.NDArray[Any]", axis: tuple[int, ...], keepdims: bool, *, statistic: str, made: np.dtype[Any]
) -> Any:
    parts = _merge_pairs(parts, axis, keepdims)
    values = np.empty(parts.shape, made)
    for position in np.ndindex(parts.shape):
        value = getattr(parts[position], statistic)()
        if made.kind in "iu" and not np.iinfo(made).min <= value <= np.iinfo(made).max:
            raise OverflowError(
                f"the sum of products at {position} is {value}, which does not fit {made}; "
                "pass one of the arrays as floats: their products are summed exactly, and rounded once"
            )
        values[position] = value
    return _block(values, made)


def _square(m: Any, first: str, y: Any, rowvar: bool, statistic: Any) -> da.Array:
    """The matrix of a statistic of all pairs of variables; `first` is the name of the argument `m`."""
    arrays = [_numbers(each, name) for each, name in ((m, first), (y, "y")) if each is not None]
    _check_sizes(*arrays)
    for k, array in enumerate(arrays):
        if array.ndim > 2:
            raise ValueError(f"an array has {array.ndim} dimensions, more than 2")
        flat = array.ndim < 2
        one_row = k == 1 and not flat and array.shape[0] == 1  # of y, which numpy.cov takes for a variable
        arrays[k] = da.atleast_2d(array) if flat else array if rowvar or one_row else array.T
    if len({array.shape[1] for array in arrays}) > 1:
        raise ValueError(f"there are {arrays[0].shape[1]} observations of {first}, but {arrays[1].shape[1]} of y")
    arrays = [array.rechunk({0: -1, 1: arrays[0].chunks[1]}) for array in arrays]
    size = int(np.sum([array.shape[0] for array in arrays]))
    like = [_Like(2, array.dtype) for array in arrays]
    blocks = [
        delayed(partial(_cross, like=like))(list(some))
        for some in zip(*(each.to_delayed()[0] for each in arrays), strict=True)
    ]
    while len(blocks) > 1:
        blocks = [delayed(_add)(blocks[k : k + 8]) for k in range(0, len(blocks), 8)]
    made = complex if any(array.dtype.kind == "c" for array in arrays) else float
    filled = delayed(partial(_fill, statistic=statistic, size=size, made=made))(blocks[0] if blocks else {})
    matrix: da.Array = da.from_delayed(filled, (size, size), dtype=made)
    return matrix[0, 0] if size == 1 else matrix


def _cross(blocks: list["_Block"], *, like: "list[_Like]") -> dict[tuple[int, int], pycrust.PairAccumulator]:
    rows = [row for block, expected in zip(blocks, like, strict=True) for row in expected.check(block)]
    return {(i, j): pycrust.PairAccumulator(rows[i], rows[j]) for i in range(len(rows)) for j in range(i, len(rows))}


def _add(parts: list[dict[tuple[int, int], pycrust.PairAccumulator]]) -> dict[tuple[int, int], pycrust.PairAccumulator]:
    return {pair: builtins.sum([part[pair] for part in parts], pycrust.PairAccumulator()) for pair in parts[0]}


def _fill(pairs: dict[tuple[int, int], pycrust.PairAccumulator], *, statistic: Any, size: int, made: type) -> Any:
    values: npt.NDArray[Any] = np.empty((size, size), made)
    like = pycrust.PairAccumulator(values[:0], values[:0])  # complex, if any variable is
    for (i, j), total in pairs.items():
        value = statistic(total + like)
        values[i, j] = value
        values[j, i] = complex(value.real, 0.0 - value.imag) if values.dtype.kind == "c" else value  # no imaginary -0.0
    return values


# ---- what is given ------------------------------------------------------------


def _is_lazy(a: Any) -> bool:
    """Whether it is of dask, or holds what is; or a file's, which is read when it is asked for."""
    if isinstance(a, (list, tuple)):
        return any(isinstance(each, da.Array) for each in a)
    graph = getattr(type(a), "__dask_graph__", None)
    if graph is not None and graph(a) is not None:
        return True
    known = isinstance(a, np.ndarray) or any(package(base) in READERS for base in type(a).__mro__)
    return not known and hasattr(a, "shape") and isinstance(getattr(a, "dtype", None), np.dtype)


def _lazy(a: Any, name: str) -> tuple[da.Array, Missing | None]:
    """A dask array of it, and what of it is missing: of what is lazy the blocks tell that."""
    if _is_lazy(a):
        return da.asanyarray(a), None
    array, missing = _array(a, name)
    return da.asanyarray(array), missing


def _leaves_out(where: Any, missing: Missing) -> bool:
    """Whether where= has no missing element, as far as can be seen without computing it."""
    if where is True or _is_lazy(where):
        return False
    mask = _array(where, "where")[0]
    return mask.dtype == bool and not np.any(missing.at & mask)


def _masked(a: da.Array, missing: Missing) -> da.Array:
    masked: da.Array = da.ma.masked_array(a, missing.at)
    return masked


# ---- the graph --------------------------------------------------------------


def _reduce(
    statistic: "_Statistic",
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
    a, missing = _lazy(a, "a")
    if missing is not None and statistic.startswith("nan"):
        a = _masked(a, missing)
    elif missing is not None and not _leaves_out(where, missing):
        raise missing.error("a")
    spread: dict[str, Any] = {"ddof": ddof, "correction": correction} if statistic.endswith(("var", "std")) else {}
    # The result for the empty array that stands for a: its call refuses what a call on a would, and it has the dtype.
    # Objects are assumed to be Python ints, which is checked when they are computed.
    # (That of an array without axes is its element, or any other.)
    empty = np.zeros((0,) * a.ndim, np.int64) if a.dtype == object else a._meta if a.ndim else np.zeros((), a.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        example = getattr(pycrust, statistic)(empty, axis=axis, dtype=dtype, keepdims=keepdims, **spread)
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
            partial(_call, like=like, statistic=statistic, axes=axes, made=made, keep=keepdims, **spread),
            kept,
            *(each for array in (a, *masks) for each in (array, tuple(range(a.ndim)))),
            adjust_chunks={k: 1 for k in axes if keepdims},
            align_arrays=False,
            concatenate=False,
            dtype=made,
            meta=meta,
            token=statistic,
        )
    else:
        parts = da.blockwise(
            partial(_accumulate, like=like, axis=axes, skipna=statistic.startswith("nan")),
            tuple(range(a.ndim)),
            *(each for array in (a, *masks) for each in (array, tuple(range(a.ndim)))),
            adjust_chunks=dict.fromkeys(axes, 1),
            align_arrays=False,
            dtype=object,
            meta=np.empty((0,) * a.ndim, object),
            token=statistic,
        )
        result = da.reduction(
            parts,
            chunk=_as_they_are,
            combine=_merge,
            aggregate=partial(_round, statistic=statistic, made=made, ddof=ddof),
            concatenate=False,
            axis=axes,
            keepdims=keepdims,
            dtype=made,
            split_every=split_every,
            name=statistic,
            meta=meta,
        )
    return result


def _mask_of(where: Any, a: da.Array) -> da.Array:
    """where= in the chunks of a, or in one chunk along axes of length one."""
    mask: da.Array
    mask, missing = _lazy(where, "where")
    if missing is not None:
        raise missing.error("where")
    pycrust.sumsq(np.empty(0), where=mask._meta.reshape(-1))  # refuses what is not bool
    mask = _whole_if_one(mask)
    if not np.isnan([*a.shape, *mask.shape]).any():
        _mask(np.broadcast_to(True, mask.shape), np.broadcast_to(0, a.shape))  # refuses what does not fit
        mask = da.broadcast_to(mask, a.shape).rechunk(a.chunks)
        return mask
    mask = mask[(None,) * (a.ndim - mask.ndim)]
    for size, blocks, wanted in zip(mask.shape, mask.numblocks, a.numblocks, strict=True):
        if size != 1 and blocks != wanted:
            raise ValueError(
                f"where has {mask.numblocks} chunks and a {a.numblocks}, which cannot be brought together while "
                "their sizes are unknown: call compute_chunk_sizes() on them first"
            )
    every = tuple(range(a.ndim))
    mask = da.blockwise(
        partial(_fitting, along=tuple(k for k in every if mask.shape[k] != 1), like=_Like(a.ndim, a.dtype)),
        every,
        mask,
        every,
        a,
        every,
        align_arrays=False,
        dtype=bool,
        meta=np.empty((0,) * a.ndim, bool),
    )
    return mask


def _fitting(mask: "_Block", block: "_Block", *, along: tuple[int, ...], like: "_Like") -> "_Block":
    """A block of where=, which must be as long as that of a along these axes: NumPy would repeat a single row."""
    like.check(block)
    given, wanted = np.shape(mask), np.shape(block)
    if any(given[k] != wanted[k] for k in along):
        raise ValueError(
            f"where has shape {given} in a chunk of shape {wanted}: "
            "give it the chunks of a, or call compute_chunk_sizes() on both first"
        )
    return mask


def _block(values: Any, made: np.dtype[Any]) -> Any:
    """A block of results; if no axis is left, a NumPy scalar, or an array around an object."""
    values = np.asarray(values, dtype=made)
    return values if made.hasobject else values[()]


class _Like(NamedTuple):
    """What dask expects of each block."""

    ndim: int
    dtype: np.dtype[Any]

    def check(self, block: "_Block", sums_alike: bool = False) -> "_Block":
        """
        The block; any other is refused: the axes would be wrong, or digits be lost.

        With `sums_alike`, so are integers among floats, and real numbers among complex ones.
        """
        ndim, dtype = np.ndim(block), getattr(block, "dtype", self.dtype)
        if ndim != self.ndim:
            raise ValueError(
                f"a block has {ndim} axes where dask expects {self.ndim}: "
                "give map_blocks (or whatever made the array) the right drop_axis=, new_axis= or chunks="
            )
        alike = not sums_alike or dtype.kind.strip("biuO") == self.dtype.kind.strip("biuO")
        if not (alike and np.can_cast(dtype, self.dtype, "same_kind")):
            raise TypeError(
                f"a block is of {dtype} where dask expects {self.dtype}: "
                f"give map_blocks (or whatever made the array) dtype={dtype}, or convert with .astype"
            )
        if self.dtype == object and np.size(block) == 0:  # which does not say that it holds integers
            return np.empty(np.shape(block), np.int64)
        return block


def _call(
    block: Any,
    where: Any = True,
    *,
    like: _Like,
    statistic: "_Statistic",
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
    block = like.check(block)
    return _block(getattr(pycrust, statistic)(block, axis=axes, dtype=made, where=where, keepdims=keep, **spread), made)


def _accumulate(block: "_Block", where: Any = True, *, like: _Like, axis: tuple[int, ...], skipna: bool) -> "_Parts":
    """The exact sums of a chunk, for every position that is kept."""
    block = like.check(block)
    if like.dtype == object:
        return _accumulators(block, axis, where, skipna)[()]
    sums = pycrust.Accumulator(shape=tuple(length for k, length in enumerate(block.shape) if k not in axis))
    sums.update(block, axis=axis if sums.shape else None, where=where, skipna=skipna)
    return sums


def _as_they_are(parts: "_Parts", axis: tuple[int, ...], keepdims: bool) -> "_Parts":
    return parts


def _flat(parts: Any) -> "Iterator[_Parts]":
    """The sums in nested lists, which dask makes, one level for each axis; a worker may return anything."""
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
    each = list(_flat(parts))
    return reduce(operator.add, each) if isinstance(each[0], np.ndarray) else _merged(each)


def _round(
    parts: Any, axis: tuple[int, ...], keepdims: bool, *, statistic: "_Statistic", made: np.dtype[Any], ddof: "_Ddof"
) -> Any:
    """The results, from the sums of the last merge."""
    values = _results(_merge(parts, axis, keepdims), statistic, made, ddof)
    return _block(np.expand_dims(values, axis) if keepdims else values, made)


# ---- moving windows ---------------------------------------------------------

_MOVE_DOC = """
{summary}, lazily.

Parameters
----------
a : dask array
    Of bool, any integer dtype or float16/32/64, in any chunks. Other arrays are taken as one chunk.
window : int
    How many elements a window has; bounds are refused.
min_count, axis{ddof}
    As for `pycrust.{name}`.

Returns
-------
dask array
    What `pycrust.{name}` gives for the whole array, to the last bit, in the chunks of `a`, whatever
    these are; chunks shorter than the window are first merged along `axis`.

Raises
------
TypeError, ValueError, numpy.exceptions.AxisError
    At once, as `pycrust.{name}` does, and for unknown chunk sizes.

Examples
--------
>>> import dask.array as da, numpy as np, pycrust.dask
{example}
"""


class _Moving(Protocol):
    def __call__(
        self, a: Any, window: SupportsIndex, min_count: SupportsIndex | None = None, axis: SupportsIndex = -1
    ) -> da.Array: ...


class _MovingSpread(Protocol):
    def __call__(
        self,
        a: Any,
        window: SupportsIndex,
        min_count: SupportsIndex | None = None,
        axis: SupportsIndex = -1,
        ddof: float = 0,
    ) -> da.Array: ...


def _moving(kind: type, name: str, summary: str, example: str) -> Any:
    """As _function."""
    ddof = ", ddof" if kind is _MovingSpread else ""
    doc = _MOVE_DOC.format(name=name, summary=summary, example=example, ddof=ddof)
    return _declared(kind, name, lambda **given: _move(name, **given), doc)


def _move(name: str, a: Any, window: Any, min_count: Any, axis: Any, **ddof: Any) -> da.Array:
    a, missing = _lazy(a, "a")
    if missing is not None:
        a = _masked(a, missing)
    call = partial(getattr(pycrust, name), **ddof)
    if isinstance(window, tuple):
        raise TypeError("windows with bounds of their own do not move across chunks: pass an integer, or compute a")
    if a.ndim == 0:
        call(np.zeros((), a.dtype), window)  # refuses it
    call(np.zeros((1,) * a.ndim), 1, 1, axis)  # refuses what is no axis
    axis = operator.index(axis) % a.ndim
    _check_sizes(a)
    length = a.shape[axis]
    # A call on no rows of that length refuses what a call on `a` would refuse.
    call(np.empty((0, length), np.int64 if a.dtype == object else a.dtype), window, min_count)
    window = operator.index(window)
    least = window if min_count is None else operator.index(min_count)
    result: da.Array = da.map_overlap(
        partial(_move_block, call=call, window=window, least=least, axis=axis, like=_Like(a.ndim, a.dtype)),
        a,
        depth={axis: (window - 1, 0)},
        boundary="none",
        dtype=np.float64,
        meta=np.empty((0,) * a.ndim),
    )
    result = result.rechunk(a.chunks)
    return result


def _move_block(block: "_Block", *, call: Any, window: int, least: int, axis: int, like: _Like) -> "_Block":
    """The results for a chunk and the elements before it, which may be fewer than a window."""
    like.check(block)
    length = np.shape(block)[axis]
    if length < least or np.size(block) == 0:
        return np.full(np.shape(block), np.nan)
    values: _Block = call(block, min(window, length), least, axis)
    return values


move_sum: _Moving = _moving(
    _Moving,
    "move_sum",
    "Sum of each window of adjacent elements of a dask array, correctly rounded",
    ">>> a = da.from_array(np.array([0.1, 1e17, 0.2, 0.3]), chunks=1)\n"
    ">>> pycrust.dask.move_sum(a, 2).compute()\n"
    "array([   nan, 1.e+17, 1.e+17, 5.e-01])",
)
move_mean: _Moving = _moving(
    _Moving,
    "move_mean",
    "Mean of each window of adjacent elements of a dask array, correctly rounded",
    ">>> pycrust.dask.move_mean(da.arange(5, chunks=2), 3).compute()\narray([nan, nan,  1.,  2.,  3.])",
)
move_var: _MovingSpread = _moving(
    _MovingSpread,
    "move_var",
    "Variance of each window of adjacent elements of a dask array, correctly rounded",
    ">>> pycrust.dask.move_var(da.arange(5, chunks=2), 3, ddof=1).compute()\narray([nan, nan,  1.,  1.,  1.])",
)
move_std: _MovingSpread = _moving(
    _MovingSpread,
    "move_std",
    "Standard deviation of each window of adjacent elements of a dask array, correctly rounded",
    ">>> pycrust.dask.move_std(da.arange(5, chunks=2), 3, ddof=1).compute()\narray([nan, nan,  1.,  1.,  1.])",
)


# ---- prefix sums ------------------------------------------------------------


def cumsum(a: Any, axis: SupportsIndex | None = None, dtype: npt.DTypeLike | None = None) -> da.Array:
    """
    Sum of all elements up to each of a dask array, exact or correctly rounded, lazily.

    Parameters
    ----------
    a : dask array
        Of numbers that `pycrust.cumsum` takes, in any chunks. Other arrays are taken as one chunk.
    axis, dtype
        As for `pycrust.cumsum`; without `axis` the elements are taken in C order.

    Returns
    -------
    dask array
        What `pycrust.cumsum` gives for the whole array, to the last bit, in the chunks of `a`.
        Each chunk is read twice: for its exact sums, which are added up from chunk to chunk, and
        for the results.

    Raises
    ------
    TypeError, ValueError, numpy.exceptions.AxisError
        At once, as `pycrust.cumsum` does.
    OverflowError
        When it is computed, if a sum does not fit the integer dtype.

    Examples
    --------
    >>> import dask.array as da, numpy as np, pycrust.dask
    >>> pycrust.dask.cumsum(da.from_array(np.array([1e100, 1.0, -1e100]), chunks=1)).compute()
    array([1.e+100, 1.e+100, 1.e+000])
    """
    a, missing = _lazy(a, "a")
    if missing is not None:
        raise missing.error("cumsum")
    if axis is None:
        _check_sizes(a)
        # dask flattens no array without elements that is in several chunks
        a = _without_empty_chunks(a).flatten() if a.size else da.from_array(np.empty(0, a.dtype), chunks=-1)
        axis = 0
    elif a.ndim == 0:
        pycrust.cumsum(np.zeros(()), axis)  # refuses it
    along: int = validate_axis(operator.index(axis), a.ndim)
    made = pycrust.cumsum(np.empty((0,) * a.ndim, np.int64 if a.dtype == object else a.dtype), along, dtype).dtype
    like, name = _Like(a.ndim, a.dtype), f"cumsum-{tokenize(a, along, made)}"
    graph: dict[Any, Any] = {}
    for at in np.ndindex(*a.numblocks):
        before = None
        if at[along]:
            last = (*at[:along], at[along] - 1, *at[along + 1 :])
            before, whole = (f"{name}-before", *at), (f"{name}-whole", *last)
            graph[whole] = (partial(_whole, like=like, axis=along), (a.name, *last))
            graph[before] = (_join, (f"{name}-before", *last) if last[along] else None, whole)
        graph[name, *at] = (partial(_prefixes, like=like, axis=along, made=made), (a.name, *at), before)
    layers = HighLevelGraph.from_collections(name, graph, dependencies=[a])
    return da.Array(layers, name, a.chunks, meta=np.empty((0,) * a.ndim, made))


def _whole(block: "_Block", *, like: _Like, axis: int) -> Any:
    """The exact sums along the axis: integers, or floats that add up to them along the first axis of an array."""
    block = np.moveaxis(_unmasked(block, like), axis, 0)
    if block.dtype.kind == "c":
        return _terms(block.real), _terms(block.imag)
    if block.dtype.kind == "f":
        return _terms(block)
    if block.size == 0:
        return np.zeros(block.shape[1:], int).astype(object)
    return np.asarray(pycrust.sum(block, axis=0, dtype=object), dtype=object)


def _unmasked(block: "_Block", like: _Like) -> "_Block":
    like.check(block, sums_alike=True)  # the sums of chunks before it are added to its own
    array, missing = _array(block, "a")
    if missing is not None:
        raise missing.error("cumsum")
    return array


def _terms(numbers: "_Block") -> "_Block":
    """Few floats with the same exact sum along the first axis, the infinities and NaN in the last."""
    shape = np.shape(numbers)[1:]
    flat = np.asarray(numbers, dtype=float).reshape(len(numbers), math.prod(shape))
    finite = np.isfinite(flat)
    left, terms = pycrust.Accumulator(shape=flat.shape[1:]), []
    left.update(flat, axis=0, where=finite)
    most = np.finfo(float).max
    while (part := np.clip(np.asarray(left.sum(), dtype=float), -most, most)).any():
        terms.append(part)
        left.update(-part[None], axis=0)
    with np.errstate(invalid="ignore"):
        terms.append(np.where(finite, 0.0, flat).sum(axis=0))
    return np.stack(terms).reshape(len(terms), *shape)


def _join(before: Any, whole: Any) -> Any:
    """The sums up to the end of a chunk."""
    if before is None:
        return whole
    if isinstance(whole, tuple):
        return tuple(_join(*each) for each in zip(before, whole, strict=True))
    if whole.dtype == object:
        return np.asarray(before + whole, dtype=object)
    return _terms(np.concatenate([before, whole]))


def _prefixes(block: "_Block", before: Any, *, like: _Like, axis: int, made: np.dtype[Any]) -> "_Block":
    """The results for a chunk: those of what stands for all before it, and the chunk."""
    block = _unmasked(block, like)
    if block.size == 0:
        return np.empty(block.shape, made)
    if before is None:
        return np.asarray(pycrust.cumsum(block, axis, made))
    if block.dtype.kind == "c":
        values = np.empty(block.shape, made)
        for to, part, carried in ((values.real, block.real, before[0]), (values.imag, block.imag, before[1])):
            to[...] = _prefixes(part, carried, like=_Like(part.ndim, part.dtype), axis=axis, made=values.real.dtype)
        return values
    first = before if block.dtype.kind == "f" else before[None]
    if first.dtype == object and made.kind in "iu" and np.can_cast(block.dtype, made):
        info = np.iinfo(made)
        if info.min <= first.min() and first.max() <= info.max:
            first = first.astype(made)
    values = pycrust.cumsum(np.concatenate([np.moveaxis(first, 0, axis), block], axis=axis), axis, made)
    return np.asarray(np.moveaxis(np.moveaxis(values, axis, 0)[len(first) :], 0, axis))
