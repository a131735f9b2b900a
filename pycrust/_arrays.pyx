"""What the functions of data take: arrays and what converts to them, where=, axis=, dtype=."""

cimport numpy as cnp

from pycrust.csrc cimport (
    PC_BOOL,
    PC_FLOAT16,
    PC_FLOAT32,
    PC_FLOAT64,
    PC_INT8,
    PC_INT16,
    PC_INT32,
    PC_INT64,
    PC_MEAN,
    PC_NORM,
    PC_RMS,
    PC_STD,
    PC_SUM,
    PC_SUMSQ,
    PC_UINT8,
    PC_UINT16,
    PC_UINT32,
    PC_UINT64,
    PC_VAR,
    pc_result,
)

from collections.abc import Sequence
from operator import index

import numpy as np
from numpy.exceptions import AxisError
from numpy.ma import MaskedArray

cnp.import_array()


# ---- types ------------------------------------------------------------------

cdef struct Type:
    int type        # a pc_type; -1 if C has none
    int parts

cdef Type[cnp.NPY_NTYPES_LEGACY] types      # by NumPy's type number

_BY_KIND = {
    "b1": PC_BOOL, "i1": PC_INT8, "u1": PC_UINT8, "i2": PC_INT16, "u2": PC_UINT16, "i4": PC_INT32, "u4": PC_UINT32,
    "i8": PC_INT64, "u8": PC_UINT64, "f2": PC_FLOAT16, "f4": PC_FLOAT32, "f8": PC_FLOAT64,
}


cdef int fill_types() except -1:
    for k in range(cnp.NPY_NTYPES_LEGACY):
        types[<int>k].type = -1
    for char in "?bBhHiIlLqQefdFD":         # int and long and long long, though two of them are alike
        dtype = np.dtype(char)
        parts = 2 if dtype.kind == "c" else 1
        types[<int>dtype.num].type = _BY_KIND[f"{'f' if parts == 2 else dtype.kind}{dtype.itemsize // parts}"]
        types[<int>dtype.num].parts = parts


fill_types()


cdef int type_of(int number, int *parts) noexcept:
    """The C type behind a NumPy type number, and how many parts an element has; -1 if none."""
    if not 0 <= number < cnp.NPY_NTYPES_LEGACY:
        return -1
    parts[0] = types[number].parts
    return types[number].type


# ---- what converts to an array ----------------------------------------------

cdef object array_of(a, str name):
    """
    An array, or what converts to one, as an ndarray.

    No array is copied, no mask is lost, and nothing lazy is computed.
    """
    if cnp.PyArray_CheckExact(a):
        return a
    refuse(a, name, 0)
    array = np.asanyarray(a)
    refuse(array, name, 0)                      # masked behind __array__
    array = np.asarray(array)
    if array.dtype == object and array.ndim == 0 and not isinstance(a, (int, np.ndarray)):
        as_list = f", e.g. list({name})" if hasattr(a, "__iter__") else ""
        raise TypeError(f"{name} must be an array, nested lists or a number, not {type(a).__name__}{as_list}")
    return array


cdef int refuse(a, str name, int depth) except -1:
    """Refuse what NumPy would convert with a loss, or behind the caller's back: in lists too."""
    if type(a) is float or type(a) is int or type(a) is bool:
        return 0
    if isinstance(a, (list, tuple)):
        if depth < 64:                          # NumPy goes no deeper
            for each in a:
                refuse(each, name, depth + 1)
        return 0
    if isinstance(a, MaskedArray):
        if depth:
            instead = "put those of the list together with np.ma.stack"
        elif name == "where":
            instead = "pass where.filled(False)"
        elif name == "ns":
            instead = "pass ns.compressed() or ns.filled(0)"
        else:
            instead = "pass a.data, where=~np.ma.getmaskarray(a)"
        raise TypeError(f"masked arrays are not taken, lest the mask be lost: {instead}")
    if isinstance(a, (np.ndarray, np.generic)):
        return 0
    graph = getattr(type(a), "__dask_graph__", None)
    if graph is not None and graph(a) is not None:
        raise TypeError(
            f"{name} is a lazy {type(a).__name__} of dask: use the functions of pycrust.dask, or pass {name}.compute()"
        )
    if depth and hasattr(type(a), "__array__"):
        refuse(np.asanyarray(a), name, depth)
    return 0


cdef object as_array(a):
    """
    The input as an ndarray of a dtype that we take; never a copy of an array.

    Of dtype object are only lists of Python ints of which some are beyond 64 bits.
    """
    cdef int parts
    array = array_of(a, "a")
    if cnp.PyArray_ISFLOAT(array) or array.dtype == object:
        exact = ints_of(a)
        if exact is not None:
            return exact
    if type_of(cnp.PyArray_TYPE(array), &parts) < 0:
        hint = {
            "O": "convert it to the numeric dtype it holds, e.g. a.astype(np.float64)",
            "g": "convert it to float64: a.astype(np.float64)",
            "G": "convert it to complex128: a.astype(np.complex128)",
            "V": "pass one field at a time, e.g. a['x']",
        }.get(array.dtype.char, "pass numbers")
        raise TypeError(
            f"cannot sum numbers of dtype {array.dtype}: "
            f"bool, integers, float16/32/64 and complex64/128 are taken; {hint}"
        )
    return array


cdef object ints_of(a):
    """Nested sequences of integers alone as an array of Python ints, which NumPy may take for floats; else None."""
    if isinstance(a, np.ndarray):
        return None
    first = a
    for _ in range(64):                         # NumPy goes no deeper
        if not (isinstance(first, Sequence) and len(first)) or isinstance(first, (str, bytes)):
            break
        first = first[0]
    if isinstance(first, np.ndarray):
        if first.dtype.kind not in "biuO":
            return None
    elif not isinstance(first, (int, np.integer)):
        return None
    exact = np.array(a, dtype=object)
    flat = exact.reshape(-1)                    # no copy; .flat goes no deeper than 32
    for k, each in enumerate(flat):
        if not isinstance(each, (int, np.integer, np.bool_)):
            return None
        flat[k] = int(each)
    return exact


cdef bint is_integer(array):
    return cnp.PyArray_ISINTEGER(array) or cnp.PyArray_ISBOOL(array) or cnp.PyArray_ISOBJECT(array)


# ---- axis=, where=, dtype= --------------------------------------------------

cdef tuple axes_of(axis, int ndim):
    """axis= as a tuple of ascending axis numbers."""
    if axis is None:
        return tuple(range(ndim))
    axes = []
    for given in (axis if isinstance(axis, tuple) else (axis,)):
        k = index(given)
        if not -ndim <= k < ndim:
            raise AxisError(k, ndim)
        axes.append(k % ndim)
    if len(set(axes)) < len(axes):
        raise ValueError(f"axis={axis!r} names an axis twice")
    return tuple(sorted(axes))


cdef object mask_of(where, array):
    """where= as a boolean array of the array's shape, not copied; None for all."""
    if where is True:
        return None
    mask = array_of(where, "where")
    if mask.dtype != np.bool_:
        raise TypeError(f"where must be an array of bool, not of {mask.dtype}; e.g. where=a > 0")
    try:
        return np.broadcast_to(mask, array.shape)
    except ValueError:
        raise ValueError(
            f"where has shape {mask.shape}, which does not broadcast to {array.shape}, the shape of a"
        ) from None


_FLOAT64, _INT64, _UINT64, _COMPLEX128 = map(np.dtype, (np.float64, np.int64, np.uint64, np.complex128))
_FOR_FLOATS = (_FLOAT64, np.dtype(np.float32), np.dtype(np.float16))
_FOR_COMPLEX = (_COMPLEX128, np.dtype(np.complex64))
_FOR_INTEGERS = (_INT64, _UINT64, *_FOR_FLOATS, np.dtype(object))

_PLURALS = {
    PC_SUMSQ: "sums of squares",
    PC_NORM: "norms",
    PC_RMS: "root mean squares",
    PC_SUM: "sums",
    PC_MEAN: "means",
    PC_VAR: "variances",
    PC_STD: "standard deviations",
}


cdef bint is_exact(array, pc_result result):
    """Whether it is an integer."""
    return is_integer(array) and (result == PC_SUMSQ or result == PC_SUM)


cdef object dtype_of(dtype, out, array, pc_result result):
    """The dtype of an array of results: `dtype`, or else that of `out`, both of which must be able to hold them."""
    cdef bint integers = is_exact(array, result)
    cdef bint complexes = cnp.PyArray_ISCOMPLEX(array) and (result == PC_SUM or result == PC_MEAN)
    if dtype is None and out is None:
        if integers:
            return _UINT64 if cnp.PyArray_ISUNSIGNED(array) else _INT64
        return _COMPLEX128 if complexes else _FLOAT64
    allowed = _FOR_INTEGERS if integers else _FOR_COMPLEX if complexes else _FOR_FLOATS
    of_out = None if out is None else out.dtype.newbyteorder("=")
    if dtype is not None:
        dtype = np.dtype(dtype).newbyteorder("=")
        if of_out is not None and dtype != of_out:
            raise TypeError(f"out is of {of_out}, which is not dtype={dtype}; the results are made in one of them")
    else:
        dtype = of_out
    if dtype not in allowed:
        names = ", ".join(each.name for each in allowed)
        raise TypeError(f"{'dtype' if of_out is None else 'out of dtype'} {dtype} does not hold {_PLURALS[result]} of "
                        f"{array.dtype}: use {names}")
    return dtype
