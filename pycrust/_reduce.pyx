"""Sums of squares of data: check, convert, release the GIL, call C once, raise."""

cimport numpy as cnp
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint64_t

from pycrust._arrays cimport as_array, axes_of, dtype_of, is_integer, mask_of, type_of
from pycrust._shared cimport check_out, int_from_words, use_simd, use_simd_of_environment
from pycrust._workers cimport count_workers, run_pieces
from pycrust.csrc cimport (
    PC_EMPTY,
    PC_LIMBS,
    PC_NORM,
    PC_OK,
    PC_PANEL,
    PC_RMS,
    PC_SUMSQ,
    PC_TOO_LARGE,
    PC_UNCERTAIN_SUM,
    pc_accumulator,
    pc_accumulator_bits,
    pc_accumulator_clear,
    pc_accumulator_clear_certified,
    pc_accumulator_export,
    pc_accumulator_import,
    pc_accumulator_merge,
    pc_accumulator_round,
    pc_accumulator_scale,
    pc_accumulator_word,
    pc_add_panel,
    pc_add_squares,
    pc_array_arrange,
    pc_array_certifiable,
    pc_array_depth,
    pc_array_panel,
    pc_array_positions,
    pc_axis,
    pc_reduce,
    pc_result,
    pc_squares_of,
    pc_status,
    pc_sum,
    pc_type,
    pc_uncertain_sums,
    pc_write_panel,
)

import warnings

import numpy as np

cnp.import_array()
use_simd_of_environment()


def _use_simd(name):
    """Force a level at run time, for tests; gives the one before."""
    return use_simd(name)


def _uncertain_sums():
    """How many results of floats had to be found the exact way, since a certified sum could not tell them."""
    return pc_uncertain_sums()


cdef enum:
    # Below this many elements a call takes so little time that releasing the
    # GIL and taking it back (some 40 ns) would cost more than it gives.
    FEW = 4096
    # A piece of a long job: milliseconds, some tens of them where elements lie worst.
    PIECE = 1 << 19
    # A piece worth handing to another thread.
    SMALLEST_PIECE = 1 << 16
    # What a position costs beside its elements, in elements.
    POSITION = 32
    # So many positions side by side are still as fast as a whole panel.
    NARROW = 16


# ---- one job: an array, the axes to sum over, where the results go ----------

cdef class Sums:
    """Sums, zero at first, exact or certified; C says to which positions they belong."""

    def __cinit__(self, size_t count, bint certify):
        cdef size_t k
        self.at = <pc_sum *>PyMem_Malloc(count * sizeof(pc_sum))
        if self.at == NULL:
            raise MemoryError
        self.count = count
        for k in range(count):
            if certify:
                pc_accumulator_clear_certified(&self.at[k].total)
            else:
                pc_accumulator_clear(&self.at[k].total)

    def __dealloc__(self):
        PyMem_Free(self.at)


cdef int reduce_piece(void *job, size_t piece, size_t worker) noexcept nogil:
    """The results at `step` positions, written; the sums are this worker's room."""
    cdef Shares *s = <Shares *>job
    cdef Report *report = &s.reports[worker]
    cdef size_t first = piece * s.step
    cdef pc_status status = pc_reduce(&s.array, first, min(first + s.step, s.positions), s.result, s.type, s.out,
                                      s.sums + worker * s.count)
    if status != PC_OK:
        report.status = status
        report.piece = piece
    return status == PC_TOO_LARGE


cdef int add_piece(void *job, size_t piece, size_t worker) noexcept nogil:
    """`step` of the elements at each position of a panel, added to this worker's sums."""
    cdef Shares *s = <Shares *>job
    cdef size_t start = piece * s.step
    pc_add_panel(&s.array, s.first, s.count, start, min(start + s.step, s.depth), s.sums + worker * s.count)
    return 0


cdef class Job:
    """
    A reduction, cut into pieces that any thread may take.

    Many positions: each piece is a range of them, and C writes the results.
    Few positions of many elements: each piece is a part of the elements, from
    anywhere among the reduced axes, and gives sums to be merged.
    """

    def __init__(self, array, mask, tuple axes, out, pc_result result, size_t workers):
        """Sum over `axes`; `out` is contiguous, with the shape of the other axes."""
        cdef int k, parts, ndim = cnp.PyArray_NDIM(array), position = 0
        cdef pc_axis axis
        cdef Shares *s = &self.shares
        self.held = (array, mask, out)
        self.workers = workers
        s.array.type = <pc_type>type_of(cnp.PyArray_TYPE(array), &parts)
        s.array.parts = parts
        s.array.swapped = not array.dtype.isnative
        s.array.data = <const char *>cnp.PyArray_DATA(array)
        if mask is not None:
            s.array.mask = <const char *>cnp.PyArray_DATA(mask)
        s.array.kept = ndim - <int>len(axes)
        s.array.reduced = <int>len(axes)
        s.array.repeat = 1
        for k in (*(k for k in range(ndim) if k not in axes), *axes):
            axis.length = <size_t>cnp.PyArray_DIM(array, k)
            axis.stride = cnp.PyArray_STRIDE(array, k)
            axis.mask_stride = 0 if mask is None else cnp.PyArray_STRIDE(mask, k)
            axis.out_stride = 0 if position >= s.array.kept else cnp.PyArray_STRIDE(out, position)
            s.array.axis[position] = axis
            position += 1
        pc_array_arrange(&s.array)
        s.positions = pc_array_positions(&s.array)
        s.depth = pc_array_depth(&s.array)
        s.result = result
        if out is not None and out.dtype != object:
            s.type = <pc_type>type_of(cnp.PyArray_TYPE(out), &parts)
            s.out = <char *>cnp.PyArray_DATA(out)
        elif out is not None:
            self.objects = out.reshape(-1)

    cdef size_t piece(self) noexcept:
        """How many elements a piece has: four pieces a worker even out their speeds."""
        if self.workers == 1:
            return PIECE
        return min(<size_t>PIECE, max(<size_t>SMALLEST_PIECE, self.shares.positions * self.shares.depth
                                      // (4 * self.workers)))

    cdef bint is_quick(self, size_t positions) noexcept:
        return positions * (self.shares.depth + 8) < FEW

    cdef Sums sums(self, size_t first, bint certify):
        """The sums of the panel at `first`."""
        cdef Shares *s = &self.shares
        cdef size_t k, worker, pieces, workers
        s.first = first
        s.count = pc_array_panel(&s.array, first, s.positions)
        s.step = max(<size_t>1, self.piece() // s.count)
        pieces = s.depth // s.step + (s.depth % s.step != 0)
        workers = max(<size_t>1, min(self.workers, pieces))
        cdef Sums sums = Sums(workers * s.count, certify)
        s.sums = sums.at
        run_pieces(add_piece, s, pieces, workers, self.is_quick(s.count))
        pc_add_panel(&s.array, first, s.count, 0, 0, sums.at)       # whose offsets are set, if nothing else
        for k in range(s.count):
            for worker in range(1, workers):
                pc_accumulator_merge(&sums.at[k].total, &sums.at[worker * s.count + k].total)
            if s.array.repeat != 1:
                pc_accumulator_scale(&sums.at[k].total, s.array.repeat)
        sums.count = s.count
        return sums

    cdef pc_status run(self) except *:
        """All of it. Returns a C status that is not PC_OK, if there is one."""
        cdef Shares *s = &self.shares
        cdef pc_status status = PC_OK, done
        cdef Sums sums
        cdef size_t k, first = 0
        cdef bint certify = s.out != NULL and pc_array_certifiable(&s.array)
        if s.out != NULL and s.depth <= PIECE // NARROW:
            return self.reduce()
        while first < s.positions:
            sums = self.sums(first, certify)
            if s.out == NULL:
                for k in range(sums.count):
                    self.objects[sums.at[k].offset // <ptrdiff_t>sizeof(void *)] = exact_int(&sums.at[k].total)
            else:
                done = pc_write_panel(sums.at, sums.count, s.result, s.type, s.out)
                if done == PC_UNCERTAIN_SUM:
                    sums = self.sums(first, False)
                    done = pc_write_panel(sums.at, sums.count, s.result, s.type, s.out)
                if done == PC_TOO_LARGE:
                    self.too_large = first_too_large(sums.at, s.type)
                    return done
                status = status if done == PC_OK else done
            first += sums.count
            PyErr_CheckSignals()
        return status

    cdef pc_status reduce(self) except *:
        """The same for many positions: pieces of these."""
        cdef Shares *s = &self.shares
        cdef pc_status status = PC_OK
        cdef size_t worker, pieces, workers, worst = 0
        s.step = max(<size_t>1, self.piece() // (s.depth + POSITION))
        if s.step > 8:
            s.step -= s.step % 8        # as columns go best
        pieces = s.positions // s.step + (s.positions % s.step != 0)
        workers = max(<size_t>1, min(self.workers, pieces))
        s.count = min(<size_t>PC_PANEL, s.step, s.positions)
        cdef Sums sums = Sums(workers * s.count, False)
        reports = bytearray(workers * sizeof(Report))
        s.sums = sums.at
        s.reports = <Report *>PyByteArray_AS_STRING(reports)
        run_pieces(reduce_piece, s, pieces, workers, self.is_quick(s.positions))
        for worker in range(workers):
            if s.reports[worker].status == PC_OK:
                continue
            if status != PC_TOO_LARGE or (s.reports[worker].status == PC_TOO_LARGE
                                          and s.reports[worker].piece < s.reports[worst].piece):
                status = s.reports[worker].status
                worst = worker
        if status == PC_TOO_LARGE:      # of all such pieces the first: whatever the number of workers
            self.too_large = first_too_large(sums.at + worst * s.count, s.type)
        return status


cdef tuple first_too_large(const pc_sum *sums, pc_type type):
    """Where the results have the first of these sums that the type does not hold, and what it is."""
    cdef uint64_t word
    while pc_accumulator_word(&sums.total, type, &word) == PC_OK:
        sums += 1
    return sums.offset, exact_int(&sums.total)


cdef object exact_int(const pc_accumulator *acc):
    """The sum of squares of integers."""
    cdef uint64_t words[PC_LIMBS]
    cdef int exponent
    cdef size_t count = pc_accumulator_export(acc, words, &exponent)
    return int_from_words(words, count) << exponent


cdef pc_status import_int(pc_accumulator *acc, integer, int exponent) except *:
    """acc += integer * 2**exponent, unless PC_OUT_OF_RANGE."""
    words = np.frombuffer(integer.to_bytes(8 * -(-integer.bit_length() // 64), "little"), dtype="<u8").astype(np.uint64)
    return pc_accumulator_import(acc, <const uint64_t *>cnp.PyArray_DATA(words), <size_t>len(words), exponent)


# ---- lists of Python ints beyond 64 bits ------------------------------------

cdef tuple sums_of_ints(array, mask, tuple axes):
    """The sums of the squares of Python ints along axes, and how many there are in each: as Python does sums."""
    counted = np.ones(array.shape, dtype=object) if mask is None else mask.astype(object) + 0
    return np.sum(array * array * counted, axis=axes), np.sum(counted, axis=axes)


cdef object value_of_int(total, count, pc_result result, pc_type type):
    """What a sum of squares of `count` integers comes to, as a float of that type."""
    cdef pc_accumulator acc
    pc_accumulator_clear(&acc)
    if import_int(&acc, total, 0) != PC_OK:
        return np.inf                           # of the mean of less than 2**64 numbers, too
    acc.count = count
    return np.uint64(pc_accumulator_bits(&acc, result, type))


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


cdef bint is_plain(a, Plain *plain) noexcept:
    """Whether a whole array takes no time worth cutting up and lies in one piece: then what C needs of it."""
    cdef int type
    if not cnp.PyArray_CheckExact(a):
        return False
    type = type_of(cnp.PyArray_TYPE(a), &plain.parts)
    plain.type = <pc_type>type
    plain.count = <size_t>cnp.PyArray_SIZE(a)
    plain.data = <const char *>cnp.PyArray_DATA(a)
    return (type >= 0 and plain.count < PIECE and not cnp.PyArray_ISBYTESWAPPED(a)
            and (cnp.PyArray_IS_C_CONTIGUOUS(a) or cnp.PyArray_IS_F_CONTIGUOUS(a)))


cdef void add_plain(const Plain *plain, pc_accumulator *acc) noexcept:
    """Its exact sum."""
    pc_accumulator_clear(acc)
    if plain.count < FEW:
        pc_add_squares(acc, plain.type, plain.data, plain.count * <size_t>plain.parts)
    else:
        with nogil:
            pc_add_squares(acc, plain.type, plain.data, plain.count * <size_t>plain.parts)
    acc.count = plain.count


cdef object result_of_plain(const Plain *plain, bint integers, pc_result result):
    cdef pc_accumulator acc
    cdef double nearest
    if integers and result == PC_SUMSQ:
        add_plain(plain, &acc)
        return exact_int(&acc)
    if result == PC_RMS and plain.count == 0:
        warn_empty()
    if plain.count < FEW:
        return pc_squares_of(plain.type, plain.data, plain.count, plain.parts, result, &acc)
    with nogil:
        nearest = pc_squares_of(plain.type, plain.data, plain.count, plain.parts, result, &acc)
    return nearest


cdef Sums add_all(array, mask, size_t workers):
    """Sum any array over all its axes."""
    cdef Job job = Job(array, mask, tuple(range(array.ndim)), None, PC_SUMSQ, workers)
    return job.sums(0, False)


cdef int reduce_into(values, array, mask, tuple axes, size_t workers, pc_result result) except -1:
    """Write the results to values; the place where a C status becomes an exception."""
    cdef Job job
    cdef pc_status status
    if array.dtype == object:
        return reduce_ints_into(values, array, mask, axes, result)
    job = Job(array, mask, axes, values, result, workers)
    status = job.run()
    if status == PC_EMPTY:
        warn_empty()
    elif status == PC_TOO_LARGE:
        offset, total = job.too_large
        raise_too_large(np.unravel_index(offset // values.itemsize, values.shape), total, values.dtype)
    elif status != PC_OK:
        raise SystemError(f"pycrust: unknown C status {<int>status}")


cdef int reduce_ints_into(values, array, mask, tuple axes, pc_result result) except -1:
    """The same for Python ints."""
    cdef int parts
    totals, counts = (np.asarray(each, dtype=object) for each in sums_of_ints(array, mask, axes))
    kind = values.dtype.kind
    bits = values.view(f"u{values.itemsize}") if kind == "f" else values
    for position in np.ndindex(values.shape):
        total, count = totals[position], counts[position]
        if kind == "O":
            values[position] = total
        elif kind == "f":
            made = value_of_int(total, count, result, <pc_type>type_of(values.dtype.num, &parts))
            if isinstance(made, float):
                values[position] = made
            else:
                bits[position] = made
            if result == PC_RMS and count == 0:
                warn_empty()
        elif total > np.iinfo(values.dtype).max:
            raise_too_large(position, total, values.dtype)
        else:
            values[position] = total


cdef int raise_too_large(position, total, dtype) except -1:
    position = tuple(int(k) for k in position)
    wider = "dtype=np.uint64, " if dtype == np.int64 and total < 2**64 else ""
    raise OverflowError(
        f"the sum of squares {f'at {position} along the axes kept ' if position else ''}is {total}, which does not "
        f"fit {dtype}; use {wider}dtype=object (exact) or dtype=np.float64 (rounded)"
    )


cdef object reduction(a, axis, dtype, out, bint keepdims, where, workers, pc_result result):
    cdef Plain plain
    cdef bint whole = axis is None and dtype is None and out is None and not keepdims

    if whole and where is True and workers is 1 and is_plain(a, &plain):
        return result_of_plain(&plain, is_integer(a), result)

    cdef size_t threads = count_workers(workers)
    array = as_array(a)
    mask = mask_of(where, array)
    if whole and result == PC_SUMSQ and is_integer(array):
        dtype = object
    axes = axes_of(axis, array.ndim)
    kept = tuple(length for k, length in enumerate(array.shape) if k not in axes)
    shape = tuple(1 if k in axes else length for k, length in enumerate(array.shape)) if keepdims else kept
    if out is not None:
        check_out(out, shape)
    values = np.empty(kept, dtype=dtype_of(dtype, out, array, result))
    reduce_into(values, array, mask, axes, threads, result)
    if out is not None:
        np.copyto(out, values.reshape(shape))
        return out
    if axis is None and not keepdims:
        return values.item()            # a number of Python's, as without dtype=
    return values.reshape(shape)[()]


def sumsq(a, axis=None, *, dtype=None, out=None, keepdims=False, where=True, workers=1):
    """
    Sum of the squares of the elements, exact or correctly rounded.

    Parameters
    ----------
    a : array_like
        Numbers of bool, any integer dtype, float16/32/64 or complex64/128, in
        any shape, strides, alignment and byte order: an array, which is not
        copied, or nested lists. Lists of Python ints may hold any of them, and
        are exact; a list with a float in it is one of floats.
    axis : int or tuple of int, optional
        The axes to sum over; all of them by default.
    dtype : {int64, uint64, float64, float32, float16, object}, optional
        What the results are made in. Integers give int64 by default, and uint64
        if they are unsigned, or on request any of these; object holds Python
        ints. Other input gives float64, or on request float32 or float16.
    out : ndarray, optional
        Where to write the result, of its shape; its dtype, one of the above,
        takes the place of `dtype`.
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
        Without `axis`: a Python int, or a Python float for floats and a float
        `dtype`. With `axis` or `keepdims`: an array, or a NumPy scalar where no
        axis is left; `out`, if it was given. A float is the one of its type
        nearest to the true sum of the exact squares (ties to even; float64 is
        Inf from 2**1024 - 2**970 on), rounded once; for complex numbers that of
        abs(z)**2. NaN if any element is NaN, else Inf if any is Inf. 0 for no
        elements.

    Raises
    ------
    TypeError
        For a dtype that is not taken (object, str, datetime, structured,
        longdouble), for masked arrays (pass ``where=~a.mask``) and for dask's
        (use pycrust.dask), for sets and generators.
    OverflowError
        If a sum does not fit the integer dtype: pass ``dtype=object``.
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


def norm(a, *, axis=None, dtype=None, out=None, keepdims=False, where=True, workers=1):
    """
    Euclidean norm: the square root of the sum of the squares, correctly rounded.

    Parameters
    ----------
    a : array_like
    axis : int or tuple of int, optional
    dtype : {float64, float32, float16}, optional
    out : ndarray, optional
    keepdims : bool, optional
    where : array_like of bool, optional
    workers : int, optional
        All as in `sumsq`, but by name alone: the second argument of
        `numpy.linalg.norm` is another. Over two axes or more it is the Frobenius
        norm.

    Returns
    -------
    float or ndarray
        The float nearest to the root of the *exact* sum: it neither overflows
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
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_NORM)


def rms(a, axis=None, *, dtype=None, out=None, keepdims=False, where=True, workers=1):
    """
    Root mean square: the square root of the mean of the squares, correctly rounded.

    Parameters
    ----------
    a : array_like
    axis : int or tuple of int, optional
    dtype : {float64, float32, float16}, optional
    out : ndarray, optional
    keepdims : bool, optional
    where : array_like of bool, optional
        Elements left out do not count in the mean.
    workers : int, optional
        All as in `sumsq`.

    Returns
    -------
    float or ndarray
        In the units of `a`: the float nearest to the root of the *exact* mean.
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
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_RMS)
