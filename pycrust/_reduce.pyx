"""Sums of squares of data: check, convert, release the GIL, call C once, raise."""

cimport numpy as cnp
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint64_t

from pycrust._arrays cimport as_array, axes_of, dtype_of, is_integer, mask_of, type_of
from pycrust._shared cimport check_out, int_from_words, use_simd, use_simd_of_environment
from pycrust.csrc cimport (
    PC_EMPTY,
    PC_LIMBS,
    PC_NORM,
    PC_OK,
    PC_PANEL,
    PC_RMS,
    PC_SUMSQ,
    PC_SUMSQ_WORD,
    PC_TOO_LARGE,
    pc_accumulator,
    pc_accumulator_clear,
    pc_accumulator_export,
    pc_accumulator_merge,
    pc_accumulator_round,
    pc_accumulator_scale,
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

import numpy as np

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


# ---- one job: an array, the axes to sum over, where the results go ----------

cdef class Sums:
    """The exact sums at `count` positions of one panel; C says which positions they are."""

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
