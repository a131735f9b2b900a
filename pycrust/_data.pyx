"""Sums of squares of data: check, convert, release the GIL, call C once, raise."""

cimport cython
cimport numpy as cnp
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint64_t

from pycrust._shared cimport check_out, int_from_words, use_simd, use_simd_of_environment
from pycrust.csrc cimport (
    PC_BOOL,
    PC_EMPTY,
    PC_FLOAT16,
    PC_FLOAT32,
    PC_FLOAT64,
    PC_INT8,
    PC_INT16,
    PC_INT32,
    PC_INT64,
    PC_LIMBS,
    PC_NORM,
    PC_OK,
    PC_OUT_OF_RANGE,
    PC_PANEL,
    PC_RMS,
    PC_SUMSQ,
    PC_SUMSQ_WORD,
    PC_TOO_LARGE,
    PC_UINT8,
    PC_UINT16,
    PC_UINT32,
    PC_UINT64,
    pc_accumulator,
    pc_accumulator_clear,
    pc_accumulator_export,
    pc_accumulator_import,
    pc_accumulator_make_special,
    pc_accumulator_merge,
    pc_accumulator_round,
    pc_accumulator_scale,
    pc_accumulator_special,
    pc_add_panel,
    pc_add_squares,
    pc_array,
    pc_array_arrange,
    pc_array_depth,
    pc_array_panel,
    pc_array_positions,
    pc_axis,
    pc_reduce,
    pc_result,
    pc_status,
    pc_sum,
    pc_type,
    pc_write_panel,
)

import warnings
from operator import index

import numpy as np
from numpy.exceptions import AxisError
from numpy.ma import MaskedArray

from pycrust._workers import count_workers, run_all

cnp.import_array()
use_simd_of_environment()


def _use_simd(name):
    """Force a level at run time, for tests; gives the one before."""
    return use_simd(name)


cdef enum:
    # Below this many elements a call takes so little time that releasing the
    # GIL and taking it back (some 40 ns) would cost more than it gives.
    FEW = 4096
    # A piece of a long job: some milliseconds, so that Ctrl-C is soon seen.
    PIECE = 1 << 22
    # A piece worth handing to another thread.
    SMALLEST_PIECE = 1 << 16


# ---- types ------------------------------------------------------------------

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


# ---- one job: an array, the axes to sum over, where the results go ----------

cdef class Sums:
    """The exact sums at `count` positions of one panel; C says which positions they are."""
    cdef pc_sum *at
    cdef size_t count

    def __cinit__(self, size_t count):
        cdef size_t k
        self.at = <pc_sum *>PyMem_Malloc(count * sizeof(pc_sum))
        if self.at == NULL:
            raise MemoryError
        self.count = count
        for k in range(count):
            pc_accumulator_clear(&self.at[k].total)

    def __dealloc__(self):
        PyMem_Free(self.at)


cdef class Job:
    """
    A reduction, cut into pieces that any thread may take.

    Many positions: each piece is a range of them, and C writes the results.
    Few positions of many elements: each piece is a part of one reduced axis,
    and gives sums to be merged.
    """
    cdef pc_array array     # all zeros and NULLs at first
    cdef object held        # what the pointers point into
    cdef pc_result result
    cdef char *out          # doubles or uint64s; NULL: Python objects, in `objects`
    cdef object[::1] objects
    cdef size_t positions, depth

    def __init__(self, array, mask, tuple axes, out, pc_result result):
        """Sum over `axes`; `out` is contiguous, with the shape of the other axes."""
        cdef int k, parts, ndim = cnp.PyArray_NDIM(array), position = 0
        cdef pc_axis axis
        self.held = (array, mask, out)
        self.array.type = <pc_type>type_of(cnp.PyArray_TYPE(array), &parts)
        self.array.parts = parts
        self.array.swapped = not array.dtype.isnative
        self.array.data = <const char *>cnp.PyArray_DATA(array)
        if mask is not None:
            self.array.mask = <const char *>cnp.PyArray_DATA(mask)
        self.array.kept = ndim - <int>len(axes)
        self.array.reduced = <int>len(axes)
        self.array.repeat = 1
        for k in (*(k for k in range(ndim) if k not in axes), *axes):
            axis.length = <size_t>cnp.PyArray_DIM(array, k)
            axis.stride = cnp.PyArray_STRIDE(array, k)
            axis.mask_stride = 0 if mask is None else cnp.PyArray_STRIDE(mask, k)
            axis.out_stride = 0 if position >= self.array.kept else cnp.PyArray_STRIDE(out, position)
            self.array.axis[position] = axis
            position += 1
        pc_array_arrange(&self.array)
        self.positions = pc_array_positions(&self.array)
        self.depth = pc_array_depth(&self.array)
        self.result = result
        if out is not None and out.dtype != object:
            self.out = <char *>cnp.PyArray_DATA(out)
        elif out is not None:
            self.objects = out.reshape(-1)

    def reduce(self, size_t first, size_t last):
        """Write the results at positions first to last - 1."""
        cdef Sums sums = Sums(min(<size_t>PC_PANEL, last - first))
        cdef pc_status status
        if (last - first) * self.depth < FEW:
            status = pc_reduce(&self.array, first, last, self.result, self.out, sums.at)
        else:
            with nogil:
                status = pc_reduce(&self.array, first, last, self.result, self.out, sums.at)
        return status

    def add(self, size_t first, size_t count, int axis, size_t start, size_t stop):
        """The sums of the panel at `first` over start to stop - 1 of one reduced axis."""
        cdef Sums sums = Sums(count)
        cdef pc_array part = self.array
        if axis >= 0:
            part.axis[axis].length = stop - start
            part.data += <ptrdiff_t>start * part.axis[axis].stride
            if part.mask != NULL:
                part.mask += <ptrdiff_t>start * part.axis[axis].mask_stride
        if count * self.depth < FEW:
            pc_add_panel(&part, first, count, sums.at)
        else:
            with nogil:
                pc_add_panel(&part, first, count, sums.at)
        return sums

    cdef list parts(self, size_t first, size_t count, size_t piece):
        """The calls of `add` that cover a panel, each of about `piece` elements."""
        cdef int k, longest = -1
        cdef size_t length = 1, step, start
        for k in range(self.array.kept, self.array.kept + self.array.reduced):
            if self.array.axis[k].length > length:
                longest = k
                length = self.array.axis[k].length
        step = max(<size_t>1, length // (1 + count * self.depth // piece))
        return [(first, count, longest, start, min(start + step, length)) for start in range(0, length, step)]

    cdef Sums sums(self, size_t first, int workers):
        """The sums of the panel at `first`."""
        cdef size_t k, count = pc_array_panel(&self.array, first, self.positions)
        cdef Sums part, total = Sums(count)
        for part in run_all(self.add, self.parts(first, count, self.piece(workers)), workers):
            for k in range(count):
                pc_accumulator_merge(&total.at[k].total, &part.at[k].total)
                total.at[k].offset = part.at[k].offset
        if self.array.repeat != 1:
            for k in range(count):
                pc_accumulator_scale(&total.at[k].total, self.array.repeat)
        return total

    cdef size_t piece(self, int workers) noexcept:
        """How many elements a piece has: four pieces a worker even out their speeds."""
        if workers == 1:
            return PIECE
        return min(<size_t>PIECE, max(<size_t>SMALLEST_PIECE, self.positions * self.depth // (4 * <size_t>workers)))

    cdef int run(self, int workers) except -1:
        """All of it. Returns the last C status that is not PC_OK, or PC_OK."""
        cdef size_t step, k, first = 0, piece = self.piece(workers)
        cdef int status = PC_OK, done
        cdef Sums sums
        if self.out != NULL and self.depth <= piece // PC_PANEL:
            step = piece // max(<size_t>1, self.depth)
            ranges = [(k, min(k + step, self.positions)) for k in range(0, self.positions, step)]
            for done in run_all(self.reduce, ranges, workers):
                status = done or status
            return status
        while first < self.positions:
            sums = self.sums(first, workers)
            first += sums.count
            if self.out != NULL:
                done = pc_write_panel(sums.at, sums.count, self.result, self.out)
                status = done or status
            else:
                for k in range(sums.count):
                    self.objects[sums.at[k].offset // <ptrdiff_t>sizeof(void *)] = exact_int(&sums.at[k].total)
        return status


cdef object exact_int(const pc_accumulator *acc):
    """The sum of squares of integers."""
    cdef uint64_t words[PC_LIMBS]
    cdef int exponent
    cdef size_t count = pc_accumulator_export(acc, words, &exponent)
    return int_from_words(words, count) << exponent


# ---- sumsq, norm, rms -------------------------------------------------------

cdef object value_of(const pc_accumulator *acc, bint integers, pc_result result):
    """The result over all elements: an int for the sum of squares of integers, else a float."""
    if integers and result == PC_SUMSQ:
        return exact_int(acc)
    if result == PC_RMS and acc.count == 0:
        warn_empty()
    return pc_accumulator_round(acc, result)


cdef int warn_empty() except -1:
    warnings.warn("rms of no elements is NaN", RuntimeWarning, stacklevel=1)


cdef bint add_quickly(a, pc_accumulator *acc) except -1:
    """Sum a whole array that takes no time worth cutting up, if it is a plain one."""
    cdef int type, parts
    cdef size_t count
    cdef const char *data
    if not cnp.PyArray_CheckExact(a):
        return False
    type = type_of(cnp.PyArray_TYPE(a), &parts)
    count = <size_t>cnp.PyArray_SIZE(a)
    if (type < 0 or count >= PIECE or cnp.PyArray_ISBYTESWAPPED(a)
            or not (cnp.PyArray_IS_C_CONTIGUOUS(a) or cnp.PyArray_IS_F_CONTIGUOUS(a))):
        return False
    data = <const char *>cnp.PyArray_DATA(a)
    pc_accumulator_clear(acc)
    if count < FEW:
        pc_add_squares(acc, <pc_type>type, data, count * <size_t>parts)
    else:
        with nogil:
            pc_add_squares(acc, <pc_type>type, data, count * <size_t>parts)
    acc.count = count
    return True


cdef Sums add_all(array, mask, int workers):
    """Sum any array over all its axes."""
    cdef Job job = Job(array, mask, tuple(range(array.ndim)), None, PC_SUMSQ)
    return job.sums(0, workers)


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


cdef int reduce_into(values, array, mask, tuple axes, int workers, pc_result result) except -1:
    """Write the results to values; the place where a C status becomes an exception."""
    cdef Job job = Job(array, mask, axes, values, PC_SUMSQ_WORD if values.dtype == np.uint64 else result)
    cdef int status = job.run(workers)
    if status == PC_EMPTY:
        warn_empty()
    elif status == PC_TOO_LARGE:
        exact = np.empty(values.shape, dtype=object)
        reduce_into(exact, array, mask, axes, workers, PC_SUMSQ)
        position = tuple(int(k) for k in np.argwhere(exact > 2**64 - 1)[0])
        raise OverflowError(
            f"the sum of squares at {position} along the axes kept is {exact[position]}, which does not fit "
            "uint64; use dtype=object (exact) or dtype=np.float64 (rounded)"
        )
    elif status != PC_OK:
        raise SystemError(f"pycrust: unknown C status {status}")


cdef object reduction(a, axis, dtype, out, bint keepdims, where, workers, pc_result result):
    cdef pc_accumulator acc
    cdef Sums sums
    cdef bint whole = axis is None and dtype is None and out is None and not keepdims

    if whole and where is True and workers is 1 and add_quickly(a, &acc):
        return value_of(&acc, is_integer(a), result)

    workers = count_workers(workers)
    array = as_array(a)
    mask = mask_of(where, array)
    if whole:
        sums = add_all(array, mask, workers)
        return value_of(&sums.at[0].total, is_integer(array), result)

    axes = axes_of(axis, array.ndim)
    dtype = dtype_of(dtype, array, result)
    kept = tuple(length for k, length in enumerate(array.shape) if k not in axes)
    shape = tuple(1 if k in axes else length for k, length in enumerate(array.shape)) if keepdims else kept
    if out is not None:
        check_out(out, shape, dtype)
    values = np.empty(kept, dtype=dtype)
    reduce_into(values, array, mask, axes, workers, result)
    if out is not None:
        np.copyto(out, values.reshape(shape))
        return out
    return values.reshape(shape)[()]


def sumsq(a, /, axis=None, *, dtype=None, out=None, keepdims=False, where=True, workers=1):
    """
    Sum of the squares of the elements, exact or correctly rounded.

    Parameters
    ----------
    a : array_like
        Numbers of bool, any integer dtype, float16/32/64 or complex64/128, in
        any shape, strides, alignment and byte order. It is not copied.
    axis : int or tuple of int, optional
        The axes to sum over; all of them by default.
    dtype : {uint64, float64, object}, optional
        Of the result, for integer input with an axis: uint64 by default,
        float64 for the nearest double, object for Python ints. For other input
        float64 is the only one.
    out : ndarray, optional
        Where to write the result. It must have its shape, and a dtype that holds
        every value of the result's dtype.
    keepdims : bool, optional
        Leave the axes summed over in the result, with length one.
    where : array_like of bool, optional
        The elements to include; must broadcast to the shape of `a`.
    workers : int, optional
        Number of threads, 1 by default; -1 for all usable cores. It does not
        change a bit of the result.

    Returns
    -------
    int, float or ndarray
        Without `axis`: a Python int for integers, else a float. With it: uint64
        for integers, else float64. For floats the result is the double nearest
        to the true sum of the exact squares (ties to even), which is Inf from
        2**1024 - 2**970 on; for complex numbers that of abs(z)**2. NaN if any
        element is NaN, else Inf if any is Inf. 0 for no elements.

    Raises
    ------
    TypeError
        For a dtype that is not taken (object, str, datetime, structured,
        longdouble) and for masked arrays: pass ``where=~a.mask``.
    OverflowError
        If a sum along an axis does not fit uint64: pass ``dtype=object``.
    ValueError, numpy.exceptions.AxisError
        For an `axis`, `out`, `where` or `workers` that does not fit `a`.

    See Also
    --------
    norm, rms : The square root of it, and of its mean.
    Accumulator : The same for data that come in pieces.

    Notes
    -----
    The GIL is released for 4096 elements and more. `a` must not be written to
    meanwhile: the result would be that of neither state.

    Squares are summed without rounding as fixed-point integers, in blocks of
    vector arithmetic [1]_ and a superaccumulator [2]_; so the result depends on
    neither the order of the elements nor on how the work is split.

    References
    ----------
    .. [1] J. Demmel, P. Ahrens, H. D. Nguyen, "Efficient reproducible floating
       point summation and BLAS", EECS-2016-121, UC Berkeley.
    .. [2] R. M. Neal, "Fast exact summation using small and large
       superaccumulators", arXiv:1505.05571 (2015).

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> x = np.array([-32768, -32768], dtype=np.int16)
    >>> int(np.sum(x**2)), pycrust.sumsq(x)
    (0, 2147483648)
    >>> pycrust.sumsq([[3.0, 4.0], [5.0, 12.0]], axis=1)
    array([ 25., 169.])
    """
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_SUMSQ)


def norm(a, /, axis=None, *, out=None, keepdims=False, where=True, workers=1):
    """
    Euclidean norm: the square root of the sum of the squares, correctly rounded.

    Parameters
    ----------
    a : array_like
    axis : int or tuple of int, optional
    out : ndarray, optional
    keepdims : bool, optional
    where : array_like of bool, optional
    workers : int, optional
        All as in `sumsq`. Over two axes or more it is the Frobenius norm.

    Returns
    -------
    float or ndarray of float64
        The double nearest to the root of the *exact* sum: it neither overflows
        nor underflows unless the norm itself does. 0.0 for no elements.

    Raises
    ------
    TypeError, ValueError, numpy.exceptions.AxisError
        As `sumsq` does.

    Notes
    -----
    The root is an integer square root of the leading 128 bits of the sum, with a
    sticky bit for the remainder and all bits below. Threads: see `sumsq`.

    Examples
    --------
    >>> import pycrust
    >>> pycrust.norm([3e160, 4e160])
    5e+160
    """
    return reduction(a, axis, None, out, keepdims, where, workers, PC_NORM)


def rms(a, /, axis=None, *, out=None, keepdims=False, where=True, workers=1):
    """
    Root mean square: the square root of the mean of the squares, correctly rounded.

    Parameters
    ----------
    a : array_like
    axis : int or tuple of int, optional
    out : ndarray, optional
    keepdims : bool, optional
    where : array_like of bool, optional
        Elements left out do not count in the mean.
    workers : int, optional
        All as in `sumsq`.

    Returns
    -------
    float or ndarray of float64
        In the units of `a`: the double nearest to the root of the *exact* mean.
        NaN for no elements, with a RuntimeWarning, as `numpy.mean` gives.

    Raises
    ------
    TypeError, ValueError, numpy.exceptions.AxisError
        As `sumsq` does.

    Notes
    -----
    As for `norm`; the exact sum is divided by the count in integers first.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.rms(np.full(1000, -32768, dtype=np.int16))
    32768.0
    """
    return reduction(a, axis, None, out, keepdims, where, workers, PC_RMS)


# ---- Accumulator ------------------------------------------------------------

@cython.final
cdef class Accumulator:
    """
    The exact sum of squares of data that come in pieces.

    Add arrays with `update`, and other accumulators with `merge` or ``+``. All of
    it is exact: any cutting of the data, any order, and any tree of merges gives
    the same bits as `sumsq`, `norm` and `rms` of the whole. It takes some 700
    bytes whatever it holds, and pickles to fewer, so it serves files larger than
    memory, processes and clusters.

    Attributes
    ----------
    count : int
        How many elements have been added (a complex number is one).

    Notes
    -----
    Threads may share one: each `update` sums outside any lock and adds its sum
    in one step.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> left, right = pycrust.Accumulator(), pycrust.Accumulator()
    >>> left.update(np.arange(500))
    >>> right.update(np.arange(500, 1000))
    >>> total = left + right
    >>> total.count, total.sumsq()
    (1000, 332833500)
    >>> total.rms() == pycrust.rms(np.arange(1000))
    True
    """
    cdef pc_accumulator acc
    cdef bint floats        # something other than integers was added

    def __cinit__(self):
        pc_accumulator_clear(&self.acc)

    def __init__(self):
        pass        # and takes no arguments

    def update(self, a, /, *, where=True, workers=1):
        """
        Add the squares of all elements of an array.

        Parameters
        ----------
        a : array_like
        where : array_like of bool, optional
        workers : int, optional
            All as in `sumsq`.

        Raises
        ------
        TypeError, ValueError
            As `sumsq` does; the accumulator is left as it was.
        """
        cdef pc_accumulator acc
        cdef Sums sums
        if where is True and workers is 1 and add_quickly(a, &acc):
            self.add(&acc, not is_integer(a))
            return
        array = as_array(a)
        sums = add_all(array, mask_of(where, array), count_workers(workers))
        self.add(&sums.at[0].total, not is_integer(array))

    def merge(self, Accumulator other not None, /):
        """
        Add what another accumulator holds.

        Parameters
        ----------
        other : Accumulator
            It is left as it was.
        """
        cdef Accumulator copy = other.copy()
        self.add(&copy.acc, copy.floats)

    cdef int add(self, const pc_accumulator *acc, bint floats) except -1:
        cdef pc_status status
        with cython.critical_section(self):
            status = pc_accumulator_merge(&self.acc, acc)
            if status == PC_OK:
                self.floats = self.floats or floats
        if status == PC_TOO_LARGE:
            raise OverflowError("an Accumulator counts at most 2**64 - 1 elements; this one is left as it was")

    cdef Accumulator copy(self):
        cdef Accumulator copy = Accumulator()
        with cython.critical_section(self):
            copy.acc = self.acc
            copy.floats = self.floats
        return copy

    @property
    def count(self):
        """int: How many elements have been added; a complex number is one."""
        return self.copy().acc.count

    def sumsq(self):
        """
        Return the sum of the squares.

        Returns
        -------
        int or float
            The exact int as long as only integers were added, else the nearest float.
        """
        cdef Accumulator copy = self.copy()
        return value_of(&copy.acc, not copy.floats, PC_SUMSQ)

    def norm(self):
        """
        Return the square root of the sum of the squares.

        Returns
        -------
        float
            Correctly rounded; 0.0 if nothing was added.
        """
        cdef Accumulator copy = self.copy()
        return value_of(&copy.acc, False, PC_NORM)

    def rms(self):
        """
        Return the square root of the mean of the squares.

        Returns
        -------
        float
            Correctly rounded; NaN with a RuntimeWarning if nothing was added.
        """
        cdef Accumulator copy = self.copy()
        return value_of(&copy.acc, False, PC_RMS)

    cdef tuple state(self):
        """(integer, exponent, count, special, floats): the sum is integer * 2**exponent."""
        cdef Accumulator copy = self.copy()
        cdef uint64_t words[PC_LIMBS]
        cdef int exponent
        cdef size_t count = pc_accumulator_export(&copy.acc, words, &exponent)
        integer = int_from_words(words, count)
        zeros = max(0, (integer & -integer).bit_length() - 1)
        return (integer >> zeros, exponent + zeros, copy.acc.count,
                pc_accumulator_special(&copy.acc), copy.floats)

    def __reduce__(self):
        return _accumulator, self.state()

    def __add__(self, other):
        if not isinstance(other, Accumulator):
            return NotImplemented
        cdef Accumulator total = (<Accumulator>self).copy()
        total.merge(other)
        return total

    def __radd__(self, other):
        if isinstance(other, int) and other == 0:     # where sum() starts
            return self.copy()
        return NotImplemented

    def __iadd__(self, other):
        if not isinstance(other, Accumulator):
            return NotImplemented
        self.merge(other)
        return self

    def __eq__(self, other):
        if not isinstance(other, Accumulator):
            return NotImplemented
        return self.state() == (<Accumulator>other).state()

    __hash__ = None

    def __repr__(self):
        cdef Accumulator copy = self.copy()         # count and sum of one moment
        return f"Accumulator(count={copy.count}, sumsq={copy.sumsq()!r})"


def _accumulators(array, tuple axes, where):
    """An Accumulator for each position that is left after summing over `axes`, for pycrust.dask."""
    array = as_array(array)
    made = np.empty([length for k, length in enumerate(array.shape) if k not in axes], dtype=object)
    cdef Job job = Job(array, mask_of(where, array), axes, made, PC_SUMSQ)
    cdef bint floats = not is_integer(array)
    cdef Accumulator one
    cdef Sums sums
    cdef size_t k, first = 0
    while first < job.positions:
        sums = job.sums(first, 1)
        first += sums.count
        for k in range(sums.count):
            one = Accumulator()
            one.acc = sums.at[k].total
            one.floats = floats
            job.objects[sums.at[k].offset // <ptrdiff_t>sizeof(void *)] = <object>one
    return made


def _accumulator(integer, exponent, count, special, floats):
    """An Accumulator from its state, for pickle."""
    cdef Accumulator made = Accumulator()
    words = np.frombuffer(integer.to_bytes(8 * -(-integer.bit_length() // 64), "little"), dtype="<u8").astype(np.uint64)
    cdef pc_status status = pc_accumulator_import(&made.acc, <const uint64_t *>cnp.PyArray_DATA(words),
                                                  <size_t>len(words), exponent)
    if status == PC_OUT_OF_RANGE:
        raise ValueError(f"{integer} * 2**{exponent} is not a sum of squares of doubles")
    pc_accumulator_make_special(&made.acc, special)
    made.acc.count = count
    made.floats = floats
    return made
