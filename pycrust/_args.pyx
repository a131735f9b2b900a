"""The arguments of the functions of data: arrays and what converts to them, where=, axis=, dtype=, out=."""

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals

from pycrust._bigint cimport shown, shown_int
from pycrust.csrc cimport (
    PC_BOOL,
    PC_FLOAT16,
    PC_FLOAT32,
    PC_FLOAT64,
    PC_INT16,
    PC_INT32,
    PC_INT64,
    PC_INT8,
    PC_MEAN,
    PC_NORM,
    PC_RMS,
    PC_STD,
    PC_SUM,
    PC_SUMSQ,
    PC_UINT16,
    PC_UINT32,
    PC_UINT64,
    PC_UINT8,
    PC_VAR,
    pc_statistic,
    pc_type,
)

from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from numbers import Number
from operator import index

import numpy as np
from numpy.exceptions import AxisError
from numpy.ma import MaskedArray

from pycrust._containers import contents, is_array_like, is_sequence, refuse_other_dims

cnp.import_array()


# ---- types ------------------------------------------------------------------

cdef struct Type:
    int type        # a pc_type; -1 if C has none
    int components

cdef Type[<int>cnp.NPY_NTYPES_LEGACY] types     # by NumPy's type number

_BY_KIND = {
    "b1": PC_BOOL, "i1": PC_INT8, "u1": PC_UINT8, "i2": PC_INT16, "u2": PC_UINT16, "i4": PC_INT32, "u4": PC_UINT32,
    "i8": PC_INT64, "u8": PC_UINT64, "f2": PC_FLOAT16, "f4": PC_FLOAT32, "f8": PC_FLOAT64,
}


cdef int fill_types() except -1:
    for k in range(cnp.NPY_NTYPES_LEGACY):
        types[<int>k].type = -1
    for char in "?bBhHiIlLqQefdFD":         # int, long and long long are three types, though two are alike
        dtype = np.dtype(char)
        components = 2 if dtype.kind == "c" else 1
        types[<int>dtype.num].type = _BY_KIND[f"{'f' if components == 2 else dtype.kind}{dtype.itemsize // components}"]
        types[<int>dtype.num].components = components


fill_types()


cdef int type_of(int number, int *components) noexcept:
    """The pc_type of a NumPy type number, and in *components 2 for complex numbers, else 1; -1 if C has none."""
    if not 0 <= number < cnp.NPY_NTYPES_LEGACY:
        return -1
    components[0] = types[number].components
    return types[number].type


cdef bint is_taken(array) noexcept:
    """Whether C takes elements of this dtype."""
    cdef int components
    return type_of(cnp.PyArray_TYPE(array), &components) >= 0


# ---- what C must know of an array -------------------------------------------

# Conversions call code of the caller's, which may change an array that was looked at; so may other threads. Therefore
# scalars are converted first, and what C relies on is checked where arrays are described to it, with nothing in between.

cdef object changed(str what):
    return RuntimeError(f"an array was changed by other code during the call: {what}; pass a copy of it")


cdef int check_shape(other, array) except -1:
    """Refuse an array that has not, or no longer, the shape of `array`; None goes with any."""
    if other is not None and not cnp.PyArray_SAMESHAPE(other, array):
        raise changed(f"{other.shape} and {array.shape} should be one shape")
    return 0


cdef int describe_data(array, pc_type *type, int *components, int *swapped, const char **data) except -1:
    """What C must know of the elements of an array."""
    cdef int its_type = type_of(cnp.PyArray_TYPE(array), components)
    if its_type < 0:
        raise changed(f"its dtype is now {array.dtype}")
    type[0] = <pc_type>its_type
    swapped[0] = cnp.PyArray_ISBYTESWAPPED(array)
    data[0] = <const char *>cnp.PyArray_DATA(array)
    return 0


# ---- what converts to an array ----------------------------------------------

cdef object array_of(a, str name):
    """
    An array, or what converts to one, as an ndarray.

    No array is copied, no mask is dropped, and nothing lazy is computed.
    """
    if cnp.PyArray_CheckExact(a):
        return a
    array, missing = array_and_missing(a, name)
    if missing is not None:
        raise missing.error(name)
    return array


cdef tuple array_and_missing(a, str name):
    """The same, and a _containers.Missing if `a` has a mask or nulls."""
    cdef bint may_round = False
    missing = None
    if cnp.PyArray_CheckExact(a):
        return a, None
    if type(a) is float or type(a) is int or type(a) is bool:
        return np.asarray(a), None
    if is_sequence(a):
        a = plain_list(a, name, 0, &may_round)
        try:
            array = np.asarray(a)
        except ValueError as error:
            if "inhomogeneous" not in str(error) and "could not broadcast" not in str(error):
                raise
            hint = RAGGED if name == "a" else ""
            raise ValueError(f"{name} is ragged: its parts are not of one shape{hint}") from None
        if cnp.PyArray_ISFLOAT(array) or cnp.PyArray_ISOBJECT(array):
            array = list_of_ints(a, array)
        if may_round and cnp.PyArray_ISOBJECT(array):
            array = list_of_floats(array)
        if may_round and (cnp.PyArray_ISFLOAT(array) or cnp.PyArray_ISCOMPLEX(array)):
            refuse_rounding(a, name)
    else:
        array, missing = contents(a, name)
        if not cnp.PyArray_CheckExact(array):   # whatever the container gave
            array = np.asarray(array)
    if cnp.PyArray_ISOBJECT(array) and cnp.PyArray_NDIM(array) == 0 and not isinstance(a, (int, np.ndarray)):
        raise TypeError(f"{name} must be an array, nested lists or a number, not {type(a).__name__}"
                        f"{way_to_array(a, name)}")
    return array, missing


cdef str way_to_array(a, str name):
    """How to make an array of an object that NumPy takes for a scalar; for error messages."""
    if hasattr(a, "toarray"):                   # scipy's sparse arrays
        return f": pass {name}.toarray(), or {name}.data for what is stored"
    if hasattr(a, "as_py"):
        return f": pass {name}.as_py()"
    if hasattr(a, "update") and hasattr(a, "sumsq"):
        return ": merge it into another with merge() or +, or call its own sum(), mean(), var()"
    if isinstance(a, dict):
        return f", e.g. list({name}.values())"
    if hasattr(a, "__iter__"):
        return f", e.g. list({name})"
    if isinstance(a, Number):
        return f"; {what_helps(a)}"
    return ""


cdef object plain_list(a, str name, int depth, bint *may_round):
    """
    Nested lists, with plain arrays in the place of arrays of any kind, and lists in the place of other sequences.

    A list that needs no change is returned itself. `may_round` becomes true if float64 may not hold some integers.
    """
    cdef Py_ssize_t k
    cdef bint changed = False
    made = None
    if not isinstance(a, (list, tuple)):
        length = len(a)
        a = made = list(islice(a, length + 1))
        if len(made) != length:
            raise TypeError(f"{name} has {length} elements by len(), but {'more' if len(made) > length else len(made)} "
                            "when iterated over")
    if depth == 64:                             # NumPy goes no deeper
        return a
    for k, each in enumerate(a):
        poll_signals(k)
        if type(each) is float:
            continue
        if isinstance(each, int):
            may_round[0] |= not -MAX_EXACT_INT <= each <= MAX_EXACT_INT
            continue
        if cnp.PyArray_CheckExact(each) or isinstance(each, np.generic):
            plain = each
            may_round[0] |= each.dtype.kind in "iu" and each.dtype.itemsize == 8
        elif is_sequence(each):
            made = list(a) if made is None else made        # other code may now change `a`
            plain = plain_list(each, f"{name}[{k}]", depth + 1, may_round)
        elif is_array_like(each):
            made = list(a) if made is None else made
            plain, missing = contents(each, f"{name}[{k}]")
            if missing is not None:
                raise missing.error(name.partition("[")[0], f"{name}[{k}]")
            may_round[0] |= plain.dtype.kind in "iu" and plain.dtype.itemsize == 8
        else:
            continue
        if plain is not each:
            made = list(a) if made is None else made
            if k < len(made):
                made[k] = plain
                changed = True
    if made is not None and len(a) != len(made):
        raise RuntimeError(f"{name} was changed while it was read")
    return made if changed else a


cdef int refuse_rounding(a, str name) except -1:
    """Refuse nested lists of floats and of integers that float64 does not hold."""
    for each in np.array(a, dtype=object).reshape(-1):
        each = unwrapped(each)
        if not isinstance(each, (int, np.integer)):
            continue
        try:
            if int(float(each)) == int(each):
                continue
            instead = f", or pass float({each}) if it may be rounded"
        except OverflowError:
            instead = ""
        raise TypeError(f"{name} has floats and the integer {shown_int(each)}, which float64 does not hold: add the "
                        f"integers and the floats to a pycrust.Accumulator, each as a list of their own{instead}")


cdef object list_of_floats(array):
    """An array of objects, which NumPy makes of floats beside integers beyond 64 bits, as floats; else `array`."""
    dtype = None
    for each in array.reshape(-1):
        each = unwrapped(each)
        if not isinstance(each, NUMBERS) or isinstance(each, (np.longdouble, np.clongdouble)):
            return array
        if isinstance(each, (complex, np.complexfloating)):
            dtype = np.complex128
        elif dtype is None and isinstance(each, (float, np.floating)):
            dtype = np.float64
    try:
        return array if dtype is None else array.astype(dtype)
    except OverflowError:                       # refuse_rounding names the integer
        return np.empty(0, dtype)


cdef tuple data_of(a, where, bint skip_missing, str name="a"):
    """The input as an ndarray of a dtype that we take, and a mask of the elements to include, none missing, or None."""
    array, missing = array_and_missing(a, name)
    if where is not True and not cnp.PyArray_CheckExact(a):
        refuse_other_dims(a, where)
    argument = None if name == "a" else name
    if missing is None:
        array = numbers_of(array, argument)
        return array, mask_of(where, array)
    mask = mask_of(where, array)
    if skip_missing:
        mask = np.asarray(~missing.at if mask is None else mask & ~missing.at)  # without axes, NumPy makes a scalar
    elif mask is None or np.any(missing.at & mask):
        raise missing.error(name)
    return numbers_of(array, argument), mask


cdef object numbers_of(array, str name=None):
    """
    The array itself if its dtype is one that we take.

    Arrays of dtype object may hold integers alone. The small floats and integers of other packages are widened.
    Errors speak of `a`, and say first that this is the argument `name`, if it is given.
    """
    if is_taken(array):
        return array
    try:
        return converted(array)
    except TypeError as error:
        if name is None:
            raise
        raise TypeError(f"{name}{'' if name == 'a' else ' (a here)'}: {error}") from None


cdef object converted(array):
    """An array whose dtype is none that we take."""
    if cnp.PyArray_ISOBJECT(array):
        if cnp.PyArray_SIZE(array) == 0:
            raise TypeError("an empty array of dtype object does not say what it holds: pass a.astype(np.int64)")
        other, ints = ints_among(array)
        if ints is not None:
            return ints
        for each in array.reshape(-1):          # name a float, or None, only if there is nothing worse
            each = unwrapped(each)
            if not isinstance(each, NUMBERS):
                other = each
                if each is not None:
                    break
        raise TypeError(f"cannot sum objects of type {type(other).__name__}, as in an array of dtype object; "
                        f"{what_helps(other)}")
    if cnp.PyArray_TYPE(array) >= cnp.NPY_NTYPES_LEGACY:
        for dtype in (np.int8, np.uint8, np.float32, np.complex64):
            if np.can_cast(array.dtype, dtype, "safe"):
                return array.astype(dtype)
    hint = {
        "V": "pass one field at a time, e.g. a['x']" if array.dtype.names else "pass a.view(...) of the dtype it holds",
        "g": TOO_LONG,
        "G": TOO_LONG.replace("float64", "complex128"),
        "S": "pass np.frombuffer(a, dtype=np.uint8) for bytes as numbers, or [float(x) for x in a] for numbers in text",
        "U": "convert the text to numbers first: np.array(a, dtype=np.float64), or [int(x) for x in a] for integers",
        "M": "pass the counts of their unit since 1970, x.astype(np.int64), where=~np.isnat(x) with x = np.asarray(a)",
        "m": "pass the counts of their unit, x.astype(np.int64), where=~np.isnat(x) with x = np.asarray(a)",
    }.get(array.dtype.char, "pass numbers")
    raise TypeError(
        f"cannot sum numbers of dtype {array.dtype}: "
        f"bool, integers, float16/32/64 and complex64/128 are taken; {hint}"
    )


MAX_EXACT_INT = 2**53      # all integers up to it are float64

NUMBERS = (int, float, complex, np.number, np.bool_)

RAGGED = ": add them to a pycrust.Accumulator one by one, or pass np.concatenate(a) if each has one dimension"

TOO_LONG = (
    "a.astype(np.float64) would round each of them, which is exact where (a == a.astype(np.float64)).all(); else pass "
    "differences that are exact, as (a - a[0]).astype(np.float64) of numbers that lie close together"
)


cdef str what_helps(other):
    """What to do instead of passing such an object; for error messages."""
    if other is None or other is np.ma.masked or type(other).__name__ in ("NAType", "NaTType"):
        return "leave out what is missing, or mark it in a boolean array for where= and put a number in its place"
    if isinstance(other, (float, complex, np.floating, np.complexfloating)):
        dtype = "complex128" if isinstance(other, (complex, np.complexfloating)) else "float64"
        return f"convert to a numeric dtype, np.asarray(a, dtype=np.{dtype}), which rounds integers beyond 2**53"
    if isinstance(other, (Decimal, Fraction)):
        return ("their binary floats would be rounded: pass integers of a unit that makes them whole, e.g. "
                "[int(x * 100) for x in np.ravel(a)] for two decimals, or use Python's statistics, e.g. "
                "statistics.mean(np.ravel(a))")
    if isinstance(other, str):
        return "convert the text to numbers first: [float(x) for x in a], or [int(x) for x in a] for integers"
    if isinstance(other, (datetime, date, timedelta)):
        return "convert to counts of a unit: np.array(a, dtype='datetime64[us]').astype(np.int64), or timedelta64[us]"
    if hasattr(other, "toarray"):
        return "pass [x.toarray() for x in a]"
    if hasattr(other, "as_py"):
        return "pass [x.as_py() for x in a]"
    if isinstance(other, (list, tuple, np.ndarray)):
        return ("if they are of one shape, pass a.tolist(), of polars a.to_list(), of pyarrow a.to_pylist(); else add "
                "them to a pycrust.Accumulator one by one")
    return "pass an array of numbers"


cdef inline int poll_signals(Py_ssize_t k) except -1:
    """In a loop over objects: let signal handlers run."""
    return PyErr_CheckSignals() if k & 0xFFFF == 0xFFFF else 0


cdef inline object unwrapped(each):
    """An element of an array of objects, without the 0-d array that it may be in."""
    return each[()] if isinstance(each, np.ndarray) and each.ndim == 0 else each


cdef tuple ints_among(array):
    """(None, the array with Python ints) if it holds integers alone, else (the first object that is none, None)."""
    cdef Py_ssize_t k
    exact = np.empty(array.shape, dtype=object)
    flat = exact.reshape(-1)                    # no copy; .flat takes at most 32 axes
    for k, each in enumerate(array.reshape(-1)):
        poll_signals(k)
        each = unwrapped(each)
        if not isinstance(each, (int, np.integer, np.bool_)):
            return each, None
        flat[k] = int(each)
    return None, exact


cdef object list_of_ints(a, array):
    """Nested lists of integers alone, which NumPy may take for floats, as an array of Python ints; else `array`."""
    first = a
    for _ in range(64):                         # NumPy goes no deeper
        if not (isinstance(first, (list, tuple)) and first):
            break
        first = first[0]
    if isinstance(first, np.ndarray):
        if first.dtype.kind not in "biuO":
            return array
    elif not isinstance(first, (int, np.integer, np.bool_)):
        return array
    _, exact = ints_among(np.array(a, dtype=object))
    return array if exact is None else exact


cdef bint is_integer(array):
    return cnp.PyArray_ISINTEGER(array) or cnp.PyArray_ISBOOL(array) or cnp.PyArray_ISOBJECT(array)


# ---- integers, axis=, where=, dtype=, out= ----------------------------------

cdef object integer_of(number, str name, str kind="an integer"):
    """What must be an integer, as Python's int; `kind` is all that `name` may be."""
    if not isinstance(number, (bool, np.bool_)):
        try:
            return index(number)
        except TypeError:
            pass
    raise TypeError(f"{name} must be {kind}, not {shown(number)}")


cdef object axis_of_ints(axis):
    """axis= with Python's ints."""
    cdef bint many = isinstance(axis, tuple)
    if axis is None or type(axis) is int:
        return axis
    axes = []
    for given in (axis if many else (axis,)):
        axes.append(integer_of(given, "axis", "None, an integer or a tuple of integers"))
    return tuple(axes) if many else axes[0]


cdef tuple axes_of(axis, int ndim):
    """What axis_of_ints gave, as a tuple of ascending axis numbers."""
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    axes = []
    for k in (axis if type(axis) is tuple else (axis,)):
        if not -ndim <= k < ndim:
            if abs(k) >= 2**63:
                raise AxisError(f"axis {shown_int(k)} is out of bounds for array of dimension {ndim}")
            raise AxisError(k, ndim)
        axes.append(k % ndim)
    if len(set(axes)) < len(axes):
        raise ValueError(f"axis={axis!r} names an axis twice")
    return tuple(sorted(axes))


cdef object in_order(array, axis, int ndim):
    """An array that lies along the axes of `axis`, with its own in ascending order, too."""
    if type(axis) is not tuple or array.ndim != len(axis):
        return array
    along = [k % ndim for k in axis]
    return array.transpose(sorted(range(len(along)), key=along.__getitem__))


cdef object mask_of(where, array):
    """where= as a boolean array of the shape of `array`, not copied; None for all elements."""
    if where is True:
        return None
    mask = array_of(where, "where")
    if mask.dtype != np.bool_:
        raise TypeError(f"where must be an array of bool, not of {mask.dtype}; e.g. where=a > 0")
    if mask.shape == array.shape:               # numpy.broadcast_to takes longer than a short sum
        return mask
    try:
        return np.broadcast_to(mask, array.shape)
    except ValueError:
        hint = ""
        if mask.ndim < array.ndim and mask.shape == array.shape[:mask.ndim]:
            new = ", None" * (array.ndim - mask.ndim)
            hint = f"; if it is one for each row, pass np.asarray(where)[{':, ' * (mask.ndim - 1)}:{new}]"
        raise ValueError(
            f"where has shape {mask.shape}, which does not broadcast to {array.shape}, the shape of a{hint}"
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


cdef bint is_exact(array, pc_statistic statistic):
    """Whether the result is an integer."""
    return is_integer(array) and (statistic == PC_SUMSQ or statistic == PC_SUM)


cdef object native_dtype(dtype):
    """dtype= as a dtype in native byte order, or None."""
    return None if dtype is None else np.dtype(dtype).newbyteorder("=")


cdef object dtype_of(dtype, out, array, pc_statistic statistic):
    """The dtype of the results: a native `dtype`, or else that of `out`; each, if given, must be able to hold them."""
    cdef bint integers = is_exact(array, statistic)
    cdef bint complexes = cnp.PyArray_ISCOMPLEX(array) and (statistic == PC_SUM or statistic == PC_MEAN)
    if dtype is None and out is None:
        if integers:
            return _UINT64 if cnp.PyArray_ISUNSIGNED(array) else _INT64
        return _COMPLEX128 if complexes else _FLOAT64
    allowed = _FOR_INTEGERS if integers else _FOR_COMPLEX if complexes else _FOR_FLOATS
    of_out = None if out is None else out.dtype.newbyteorder("=")
    if dtype is not None:
        if of_out is not None and dtype != of_out:
            raise TypeError(f"out is of {of_out}, which is not dtype={dtype}; the results are made in one of them")
    else:
        dtype = of_out
    if dtype not in allowed:
        names = ", ".join([each.name for each in allowed])
        which = "dtype" if of_out is None else "out of dtype"
        raise TypeError(f"{which} {dtype} does not hold {_PLURALS[statistic]} of {array.dtype}: use {names}")
    return dtype


cdef int check_out(out, tuple shape) except -1:
    """Refuse an out= to which results of this shape cannot be written."""
    if not isinstance(out, np.ndarray) or isinstance(out, MaskedArray):
        raise TypeError(f"out must be a plain array, not {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, but the result has shape {shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")
