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
    PC_SUMSQ,
    PC_UINT8,
    PC_UINT16,
    PC_UINT32,
    PC_UINT64,
    pc_result,
)

from operator import index

import numpy as np
from numpy.exceptions import AxisError
from numpy.ma import MaskedArray

cnp.import_array()


cdef int type_of(int number, int *parts) noexcept:
    """The C type behind a NumPy type number, and how many parts an element has; -1 if none."""
    parts[0] = 1
    if number == cnp.NPY_DOUBLE:
        return PC_FLOAT64
    if number == cnp.NPY_FLOAT:
        return PC_FLOAT32
    if number == cnp.NPY_FLOAT16:
        return PC_FLOAT16
    if number == cnp.NPY_CDOUBLE:
        parts[0] = 2
        return PC_FLOAT64
    if number == cnp.NPY_CFLOAT:
        parts[0] = 2
        return PC_FLOAT32
    if number == cnp.NPY_BOOL:
        return PC_BOOL
    if number == cnp.NPY_BYTE:
        return PC_INT8
    if number == cnp.NPY_UBYTE:
        return PC_UINT8
    if number == cnp.NPY_SHORT:
        return PC_INT16
    if number == cnp.NPY_USHORT:
        return PC_UINT16
    if number == cnp.NPY_INT:
        return PC_INT32
    if number == cnp.NPY_UINT:
        return PC_UINT32
    if number == cnp.NPY_LONG:
        return PC_INT64 if sizeof(long) == 8 else PC_INT32
    if number == cnp.NPY_ULONG:
        return PC_UINT64 if sizeof(long) == 8 else PC_UINT32
    if number == cnp.NPY_LONGLONG:
        return PC_INT64
    if number == cnp.NPY_ULONGLONG:
        return PC_UINT64
    return -1


cdef object as_array(a):
    """The input as an ndarray of a dtype that we take; never a copy of an array."""
    cdef int parts
    if isinstance(a, MaskedArray):
        raise TypeError("masked arrays are not taken, lest the mask be lost: pass a.data, where=~np.ma.getmaskarray(a)")
    array = np.asarray(a)
    if type_of(cnp.PyArray_TYPE(array), &parts) < 0:
        hint = {
            "O": "convert it to the numeric dtype it holds, e.g. a.astype(np.float64)",
            "g": "convert it to float64: a.astype(np.float64)",
            "G": "convert it to complex128: a.astype(np.complex128)",
            "V": "pass one field at a time, e.g. a['x']",
        }.get(array.dtype.char, "pass numbers")
        raise TypeError(
            f"cannot square numbers of dtype {array.dtype}: "
            f"bool, integers, float16/32/64 and complex64/128 are taken; {hint}"
        )
    return array


cdef bint is_integer(array):
    return cnp.PyArray_ISINTEGER(array) or cnp.PyArray_ISBOOL(array)

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
    mask = np.asanyarray(where)
    if mask.dtype != np.bool_ or isinstance(mask, MaskedArray):
        raise TypeError(f"where must be an array of bool, not of {mask.dtype}; e.g. where=a > 0")
    try:
        return np.broadcast_to(np.asarray(mask), array.shape)
    except ValueError:
        raise ValueError(
            f"where has shape {mask.shape}, which does not broadcast to {array.shape}, the shape of a"
        ) from None


cdef object dtype_of(dtype, array, pc_result result):
    """The dtype of an array of results."""
    if dtype is None:
        return np.dtype(np.uint64 if is_integer(array) and result == PC_SUMSQ else np.float64)
    dtype = np.dtype(dtype)
    allowed = (np.uint64, np.float64, object) if is_integer(array) else (np.float64,)
    if dtype not in allowed:
        names = ", ".join(np.dtype(each).name for each in allowed)
        raise TypeError(f"dtype={dtype} does not hold sums of squares of {array.dtype}: use {names}")
    return dtype

