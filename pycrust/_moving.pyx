"""
Moving windows and prefix sums: what is asked for, and how the rows are cut into chunks.

Check, convert, release the GIL, call C once a chunk, raise.
"""

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stddef cimport size_t
from libc.string cimport memset

from pycrust._args cimport (
    array_and_missing,
    axes_of,
    changed,
    check_out,
    check_shape,
    data_of,
    describe_data,
    dtype_of,
    integer_of,
    native_dtype,
    numbers_of,
    type_of,
)
from pycrust._bigint cimport int_from_u128, shown_int, write_exact
from pycrust._plan cimport Statistic, axis_of, holds, raise_too_large
from pycrust._threads cimport MORE, TimeSlices, after_time_slice, count_workers, run_chunks, time_slices_of
from pycrust.csrc cimport (
    PC_MEAN,
    PC_MAX_CARRIED,
    PC_STD,
    PC_SUM,
    PC_VAR,
    import_core,
    pc_accumulator,
    pc_accumulator_clear,
    pc_accumulator_merge,
    pc_add_numbers,
    pc_cumulate,
    pc_merge_axes,
    pc_move,
    pc_move_add,
    pc_move_carry,
    pc_move_state,
    pc_move_state_size,
    pc_moving,
    pc_statistic,
    pc_tile_sum,
    pc_type,
    pc_u128,
)

import numpy as np

cnp.import_array()
import_core()


cdef enum:
    # Results of a chunk: a millisecond, 50 where each is summed exactly. Fewer are not worth a thread.
    MOVE_CHUNK = 1 << 17
    MIN_MOVE_CHUNK = 1 << 13
    # A chunk that does not go on where its worker stopped sums a whole window first: at most so many for each window.
    MAX_CHUNKS_PER_WINDOW = 8
    # Rows whose windows move together, where the next row is nearer in memory than the next element.
    ROWS_TOGETHER = 8
    # A result takes as long as so many elements of a sum.
    MOVE_COST = 4
    # Integers that are made Python ints at once, and results of Python ints between two checks for signals.
    INT_BATCH = 4096
    # Blocks of 64 numbers that are read between two checks for signals: about 10 ms.
    MOVE_BUDGET = 1 << 16
    # In the place of an axis: all axes, in C order.
    ALL_AXES = -1


# ---- the job ----------------------------------------------------------------

cdef struct Prefix:
    pc_u128 sum                 # of the elements of the row before a chunk, and then up to where it ends
    size_t row, end
    bint is_too_large           # the sum, with element `end` of that row


cdef struct Progress:
    size_t row, result          # of a chunk that is not finished: how far it is


cdef struct MoveJob:
    pc_moving c
    size_t rows, length
    size_t together             # rows of one call
    size_t chunk_rows, chunk_length     # of a chunk: a multiple of `together`, and the results of each row
    size_t row_chunks           # in which each row is cut
    char *states                # of each worker `together`
    size_t state_size
    Progress *progress          # of each worker
    pc_tile_sum *sums           # of rows that are cut, one by one: of each chunk the exact sum, and floats that add up
    double *carried             # to all before it, PC_MAX_CARRIED at most; else NULL
    size_t *carried_count
    Prefix *prefixes            # of integers: of each chunk


cdef int move_chunk(const void *job, size_t chunk, size_t worker) noexcept nogil:
    cdef const MoveJob *s = <const MoveJob *>job
    cdef size_t row = chunk // s.row_chunks * s.chunk_rows, first = chunk % s.row_chunks * s.chunk_length
    cdef size_t last_row = min(row + s.chunk_rows, s.rows), last = min(first + s.chunk_length, s.length)
    cdef pc_move_state *states = <pc_move_state *>(s.states + worker * s.together * s.state_size)
    cdef Progress *at = &s.progress[worker]
    while row + at.row < last_row:
        at.result = pc_move(&s.c, row + at.row, min(s.together, last_row - row - at.row), first + at.result, last,
                            MOVE_BUDGET, states) - first
        if first + at.result < last:
            return MORE
        at.result = 0
        at.row += s.together
    at.row = 0
    return 0


cdef int sum_chunk(const void *job, size_t chunk, size_t worker) noexcept nogil:
    cdef const MoveJob *s = <const MoveJob *>job
    cdef size_t first = chunk % s.row_chunks * s.chunk_length
    pc_accumulator_clear(&s.sums[chunk].total, PC_SUM)
    pc_move_add(&s.c, chunk // s.row_chunks, first, min(first + s.chunk_length, s.length), &s.sums[chunk])
    return 0


cdef int move_carried_chunk(const void *job, size_t chunk, size_t worker) noexcept nogil:
    cdef const MoveJob *s = <const MoveJob *>job
    cdef size_t first = chunk % s.row_chunks * s.chunk_length
    cdef pc_moving c = s.c
    c.carried = s.carried + chunk * PC_MAX_CARRIED
    c.carried_count = s.carried_count[chunk]
    pc_move(&c, chunk // s.row_chunks, 1, first, min(first + s.chunk_length, s.length), <size_t>-1,
            <pc_move_state *>(s.states + worker * s.together * s.state_size))
    return 0


cdef bint carry(MoveJob *s, size_t chunks) noexcept:
    """From the sums of chunks, find what is carried into each; False if a sum is beyond the range of floats."""
    cdef pc_tile_sum before, copy
    cdef size_t chunk
    for chunk in range(chunks):
        if chunk % s.row_chunks == 0:
            pc_accumulator_clear(&before.total, PC_SUM)
        copy = before
        s.carried_count[chunk] = pc_move_carry(&copy, s.carried + chunk * PC_MAX_CARRIED)
        if s.carried_count[chunk] > PC_MAX_CARRIED:
            return False
        pc_accumulator_merge(&before.total, &s.sums[chunk].total)
    return True


cdef list row_axes(array, int axis):
    """The axes other than `axis`, in the order in which rows are counted: the shortest stride last."""
    cdef int k
    strides = list(map(abs, array.strides))
    return sorted([k for k in range(array.ndim) if k != axis], key=strides.__getitem__, reverse=True)


cdef int lay_in_order(pc_moving *c, array) noexcept:
    """Describe all axes of an array that is not empty in C order, merged where that is possible."""
    cdef int k
    for k in range(cnp.PyArray_NDIM(array)):
        c.array.axis[k] = axis_of(array, None, None, k)
    c.array.reduced_axes = pc_merge_axes(c.array.axis, cnp.PyArray_NDIM(array))
    if c.array.reduced_axes == 0:
        c.array.axis[0].length = c.array.reduced_axes = 1
    return 0


cdef bint fit(values, array, int axis, bounds) except -1:
    """Whether there is a result for each element, or one along `axis` for each window within bounds."""
    cdef int k, ndim = cnp.PyArray_NDIM(array)
    cdef size_t windows
    if axis == ALL_AXES:
        return cnp.PyArray_SIZE(values) == cnp.PyArray_SIZE(array)
    if cnp.PyArray_NDIM(values) != ndim:
        return False
    for k in range(ndim):
        if (k != axis or bounds is None) and cnp.PyArray_DIM(values, k) != cnp.PyArray_DIM(array, k):
            return False
    windows = 0 if bounds is None else bounds[1].size
    return windows == 0 or bounds[1][windows - 1] <= cnp.PyArray_DIM(array, axis)


cdef int describe(pc_moving *c, array, mask, int axis, values, bounds, Statistic spec) except -1:
    """Fill all of *c but the length of the window."""
    cdef int position = 0, k
    memset(c, 0, sizeof(c[0]))
    check_shape(mask, array)
    if not fit(values, array, axis, bounds):
        raise changed(f"results of shape {values.shape} are not those of shape {array.shape}")
    describe_data(array, &c.array.type, &c.array.components, &c.array.swapped, &c.array.data)
    if mask is not None:
        c.array.mask = <const char *>cnp.PyArray_DATA(mask)
    c.array.repeat = 1
    if axis == ALL_AXES:
        lay_in_order(c, array)
        c.array.axis[c.array.reduced_axes - 1].out_stride = cnp.PyArray_STRIDE(values, 0)
    else:
        c.array.kept_axes = array.ndim - 1
        c.array.reduced_axes = 1
        for k in (*row_axes(array, axis), axis):
            c.array.axis[position] = axis_of(array, mask, None, k)
            c.array.axis[position].out_stride = cnp.PyArray_STRIDE(values, k)
            position += 1
    if bounds is not None:
        c.start, c.end = <const size_t *>cnp.PyArray_DATA(bounds[0]), <const size_t *>cnp.PyArray_DATA(bounds[1])
    spec.set_dtype(values.dtype)
    c.spec = spec.c
    c.out = <char *>cnp.PyArray_DATA(values)
    return 0


cdef size_t cut(MoveJob *s, size_t total, size_t workers) noexcept:
    """Cut the rows into chunks of MOVE_CHUNK results, or as many steps from window to window; returns how many."""
    cdef size_t step = MOVE_CHUNK, groups = 1, least = 1, work = 1
    if s.c.start != NULL:
        work += 2 * (s.c.end[s.length - 1] - s.c.start[0]) // s.length
    if workers > 1:
        step = min(step, max(<size_t>MIN_MOVE_CHUNK, total * work // (4 * workers)))
        least = max(least, s.c.window // MAX_CHUNKS_PER_WINDOW // work)
    step //= work
    s.chunk_length = min(max(step // s.together, least), s.length)
    s.row_chunks = (s.length - 1) // s.chunk_length + 1
    if s.row_chunks == 1:
        groups = max(<size_t>1, step // (s.length * s.together))
    s.chunk_rows = groups * s.together
    return ((s.rows - 1) // s.chunk_rows + 1) * s.row_chunks


def _chunks(length, rows, workers, bounds=None, together=1, window=1):
    """For the tests: how many, and how many rows each has, and results of each."""
    cdef MoveJob s
    memset(&s, 0, sizeof(s))
    s.length, s.rows, s.together, s.c.window = length, rows, together, window
    if bounds is not None:
        s.c.start, s.c.end = <const size_t *>cnp.PyArray_DATA(bounds[0]), <const size_t *>cnp.PyArray_DATA(bounds[1])
    return cut(&s, length * rows, workers), s.chunk_rows, s.chunk_length


cdef int move(array, mask, int axis, values, Statistic spec, size_t window, size_t min_count,
              size_t workers, bounds=None) except -1:
    """Write the results to `values`; window 0 for prefix sums, each row of which is one chunk."""
    cdef MoveJob s
    cdef size_t total = values.size, chunks
    if total == 0:
        return 0
    describe(&s.c, array, mask, axis, values, bounds, spec)
    s.c.window = window
    s.c.min_count = min_count
    s.length = total if axis == ALL_AXES else <size_t>cnp.PyArray_DIM(values, axis)
    s.rows = total // s.length
    s.together = 1
    cdef int kept = s.c.array.kept_axes
    if s.rows > 1 and abs(s.c.array.axis[kept - 1].stride) < abs(s.c.array.axis[kept].stride):
        s.together = min(<size_t>ROWS_TOGETHER, s.rows)
    chunks = cut(&s, total, workers)
    workers = min(workers, chunks)
    s.state_size = pc_move_state_size()
    if window == 0 and s.row_chunks > 1:
        if workers > 1 and s.together == 1 and move_carried_chunks(&s, chunks, workers):
            return 0
        workers = 1                         # a row goes on where it stood
    s.states = <char *>PyMem_Calloc(workers * s.together, s.state_size)
    s.progress = <Progress *>PyMem_Calloc(workers, sizeof(Progress))
    try:
        if s.states == NULL or s.progress == NULL:
            raise MemoryError
        run_chunks(move_chunk, &s, sizeof(s), chunks, workers,
                   <double>max(total, <size_t>array.size) * MOVE_COST)
    finally:
        PyMem_Free(s.states)
        PyMem_Free(s.progress)
    return 0


cdef bint move_carried_chunks(MoveJob *s, size_t chunks, size_t workers) except -1:
    """Prefix sums of long rows, in chunks: first the exact sum of each, then the results; False as `carry`."""
    s.sums = <pc_tile_sum *>PyMem_Calloc(chunks, sizeof(pc_tile_sum))
    s.carried = <double *>PyMem_Calloc(chunks * PC_MAX_CARRIED, sizeof(double))
    s.carried_count = <size_t *>PyMem_Calloc(chunks, sizeof(size_t))
    s.states = <char *>PyMem_Calloc(workers, s.state_size)
    try:
        if s.sums == NULL or s.carried == NULL or s.carried_count == NULL or s.states == NULL:
            raise MemoryError
        run_chunks(sum_chunk, s, sizeof(s[0]), chunks, workers, <double>s.rows * s.length)
        if not carry(s, chunks):
            return False
        run_chunks(move_carried_chunk, s, sizeof(s[0]), chunks, workers, <double>s.rows * s.length)
        return True
    finally:
        PyMem_Free(s.sums)
        PyMem_Free(s.carried)
        PyMem_Free(s.carried_count)
        PyMem_Free(s.states)


# ---- moving windows ---------------------------------------------------------

cdef object moving(a, window, min_count, axis, workers, pc_statistic statistic, ddof):
    cdef size_t threads = count_workers(workers)
    cdef Statistic spec = Statistic(statistic, ddof)
    axis = integer_of(axis, "axis")
    bounds = bounds_of(window) if isinstance(window, tuple) else None
    if bounds is None:
        window = integer_of(window, "window", "an integer, or a tuple (start, end) of two arrays of integers")
    min_count = None if min_count is None else integer_of(min_count, "min_count")
    array, mask = data_of(a, True, True)
    if array.ndim == 0:
        raise ValueError("a has no axis along which a window could move: pass an array of one dimension or more")
    if array.dtype.kind == "c":
        raise TypeError(f"moving windows of {array.dtype} are not taken: pass a.real and a.imag")
    (along,), shape = axes_of(axis, array.ndim), array.shape
    length = shape[along]
    if bounds is not None:
        window = longest_window(bounds[0], bounds[1], length)
        least = 1 if min_count is None else min_count
        if least < 1:
            raise ValueError(f"min_count is {shown_int(least)}, but must be 1 or more")
        least = min(least, length + 1)
        shape = (*shape[:along], bounds[0].size, *shape[along + 1:])
    else:
        least = window if min_count is None else min_count
        if not 1 <= window <= length:
            raise ValueError(f"window is {shown_int(window)}, but must be 1 or more, and no longer than the axis, which "
                             f"has {length} elements")
        if not 1 <= least <= window:
            raise ValueError(f"min_count is {shown_int(least)}, but must be from 1 to {window}, the window")
    values = np.empty(shape)
    if cnp.PyArray_ISOBJECT(array):
        move_ints(array, mask, along, values, spec, window, least, bounds)
    elif not spec.is_for_c(length):
        move_alone(array, mask, along, values, spec, window, least, bounds)
    else:
        move(array, mask, along, values, spec, window, least, threads, bounds)
    return values


cdef tuple bounds_of(tuple window):
    """(start, end), copied: nobody may change them once they are checked."""
    if len(window) != 2:
        raise TypeError("window must be an integer, or (start, end), two arrays of integers; "
                        f"not a tuple of {len(window)} elements")
    made = []
    for name, given in zip(("start", "end"), window):
        bound, missing = array_and_missing(given, name)
        if missing is not None:
            raise TypeError(f"{name} has missing bounds: fill them, with start[k] == end[k] for a window of no elements")
        if bound.size == 0 and isinstance(given, (list, tuple)):
            bound = bound.astype(np.intp)
        if bound.ndim != 1 or bound.dtype.kind not in "iu":
            raise TypeError(f"{name} must be an array of integers with one axis, not of {bound.dtype} "
                            f"with {bound.ndim}")
        if bound.dtype.kind == "u" and bound.size and bound.max() > np.iinfo(np.intp).max:
            raise ValueError(f"{name} has a bound of {bound.max()}, beyond the end of any axis")
        made.append(np.array(bound, np.intp, order="C"))
    start, end = made
    if start.size != end.size:
        raise ValueError(f"start has {start.size} elements and end {end.size}")
    return start, end


cdef size_t check_bounds(const size_t *start, const size_t *end, size_t first, size_t last, size_t length,
                         size_t *longest) noexcept nogil:
    """The first window that is not within the length, or starts or ends before the one before; `last` for none."""
    cdef size_t k
    for k in range(first, last):
        if start[k] > end[k] or end[k] > length or (k > 0 and (start[k] < start[k - 1] or end[k] < end[k - 1])):
            return k
        longest[0] = max(longest[0], end[k] - start[k])
    return last


cdef object longest_window(start, end, size_t length):
    """How many elements it has, but 1 at least."""
    cdef size_t longest = 1, count = start.size, first = 0, last, k
    cdef const size_t *starts = <const size_t *>cnp.PyArray_DATA(start)
    cdef const size_t *ends = <const size_t *>cnp.PyArray_DATA(end)
    cdef TimeSlices slices = time_slices_of(count)
    while first < count:
        last = first + min(slices.size, count - first)
        with nogil:
            k = check_bounds(starts, ends, first, last, length, &longest)
        if k < last:
            here = f"window {k} is from {start[k]} to {end[k]}"
            if 0 <= start[k] <= end[k] <= length:
                raise ValueError(f"{here}, after one from {start[k - 1]} to {end[k - 1]}: neither bound may decrease")
            raise ValueError(f"{here}, but must lie between 0 and {length}, the length of the axis, and not end "
                             "before it starts")
        first = last
        after_time_slice(&slices)
    return longest


def _every_window(window, bounds, count):
    """(start, end) of each."""
    for first in range(0, count, INT_BATCH):
        last = min(first + INT_BATCH, count)
        if bounds is not None:
            starts, ends = [each[first:last] for each in bounds]
        else:
            ends = np.arange(first + 1, last + 1)
            starts = np.maximum(ends - window, 0)
        yield from zip(starts.tolist(), ends.tolist())


cdef int move_ints(array, mask, int axis, values, Statistic spec, window, least, bounds) except -1:
    """The same for Python ints."""
    cdef double made
    rows, results = np.moveaxis(array, axis, -1), np.moveaxis(values, axis, -1)
    masks = None if mask is None else np.moveaxis(mask, axis, -1)
    for position in np.ndindex(rows.shape[:array.ndim - 1]):
        row = (rows[position] if masks is None else np.where(masks[position], rows[position], None)).tolist()
        numbers = squares = count = first = last = 0
        for k, (start, end) in enumerate(_every_window(window, bounds, results.shape[array.ndim - 1])):
            if k % INT_BATCH == 0:
                PyErr_CheckSignals()
            for x in row[last:end]:
                if x is not None:
                    numbers, squares, count = numbers + x, squares + x * x, count + 1
            for x in row[first:start]:
                if x is not None:
                    numbers, squares, count = numbers - x, squares - x * x, count - 1
            first, last = start, end
            made = np.nan
            if count >= least:
                write_exact(&spec.c, spec.ddof, count, ((squares, 0), (numbers, 0), (0, 0)), 0, <char *>&made)
            results[(*position, k)] = made
    return 0


cdef int move_alone(array, mask, int axis, values, Statistic spec, window, least, bounds) except -1:
    """The same for a ddof with more digits than C takes: each window is summed anew."""
    cdef pc_accumulator acc
    cdef double made
    cdef int components
    cdef pc_type kind = <pc_type>type_of(cnp.PyArray_TYPE(array), &components)
    native = array.dtype.newbyteorder("=")
    rows, results = np.moveaxis(array, axis, -1), np.moveaxis(values, axis, -1)
    there = ~np.isnan(rows) if array.dtype.kind == "f" else np.ones(rows.shape, bool)
    if mask is not None:
        there &= np.moveaxis(mask, axis, -1) != 0
    for position in np.ndindex(rows.shape[:array.ndim - 1]):
        row, present = rows[position], there[position]
        for k, (start, end) in enumerate(_every_window(window, bounds, results.shape[array.ndim - 1])):
            PyErr_CheckSignals()
            numbers = np.ascontiguousarray(row[start:end][present[start:end]], native)
            made = np.nan
            if numbers.size >= least:
                pc_accumulator_clear(&acc, spec.c.statistic)
                pc_add_numbers(&acc, kind, 1, <const char *>cnp.PyArray_DATA(numbers), numbers.size)
                spec.write(&acc, <char *>&made)
            results[(*position, k)] = made
    return 0


def move_sum(a, window, min_count=None, axis=-1, *, workers=1):
    """
    Sum of each window of adjacent elements, correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
    window : int or tuple of two array_like
        %(window)s
    min_count : int, optional
        %(min_count)s
    axis : int, optional
        %(axis)s
    workers : int, optional
        %(workers)s

    Returns
    -------
    ndarray
        Float64, of the shape of `a`; with bounds, one result for each window along `axis`.
        At each position the float nearest to the exact sum of the numbers in its window,
        less those that are missing.
        %(spoiled)s

    Raises
    ------
    ValueError
        %(value_error)s
    TypeError, numpy.exceptions.AxisError
        %(type_error)s

    See Also
    --------
    sum, nansum : The same for one window.
    cumsum : Of all elements up to each.

    Notes
    -----
    The interface is that of `bottleneck.move_sum`. What enters the window is added,
    and what leaves is subtracted, as integer multiples of fixed units: without
    rounding, so that nothing of a large number stays behind. The time does not depend
    on `window`.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.move_sum([0.1, 1e17, 0.2, 0.3], 2)
    array([   nan, 1.e+17, 1.e+17, 5.e-01])
    """
    return moving(a, window, min_count, axis, workers, PC_SUM, 0)


def move_mean(a, window, min_count=None, axis=-1, *, workers=1):
    """
    Mean of each window of adjacent elements, correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
    window : int or tuple of two array_like
        %(window)s
    min_count : int, optional
        %(min_count)s
    axis : int, optional
        %(axis)s
    workers : int, optional
        %(workers)s

    Returns
    -------
    ndarray
        Float64, of the shape of `a`; with bounds, one result for each window along `axis`.
        At each position what `mean` gives for the numbers in its window, less those that are
        missing. So it lies between the least and the largest of them.
        %(spoiled)s

    Raises
    ------
    ValueError
        %(value_error)s
    TypeError, numpy.exceptions.AxisError
        %(type_error)s

    Notes
    -----
    As for `move_sum`.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.move_mean([1.0, np.nan, 2.0, 4.0], 2, min_count=1)
    array([1., 1., 2., 3.])
    """
    return moving(a, window, min_count, axis, workers, PC_MEAN, 0)


def move_var(a, window, min_count=None, axis=-1, ddof=0, *, workers=1):
    """
    Variance of each window of adjacent elements, correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
    window : int or tuple of two array_like
        %(window)s
    min_count : int, optional
        %(min_count)s
    axis : int, optional
        %(axis)s
    ddof : float, optional
        %(ddof)s
    workers : int, optional
        %(workers)s

    Returns
    -------
    ndarray
        Float64, of the shape of `a`; with bounds, one result for each window along `axis`.
        At each position what `var` gives for the numbers in its window, less those that are
        missing. Never negative, and 0.0 if all are equal; NaN or Inf if there are no more than
        `ddof`, and NaN if one is infinite. NaN where fewer than `min_count` are left.

    Raises
    ------
    ValueError
        %(value_error)s
        Also for a `ddof` that is negative or NaN.
    TypeError, numpy.exceptions.AxisError
        %(type_error)s

    Notes
    -----
    As for `move_sum`; likewise with the squares. Where all numbers are near to one
    another, one of about their size is first subtracted from each, exactly.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.move_var(1e8 + np.arange(5.0), 3, ddof=1)
    array([nan, nan,  1.,  1.,  1.])
    """
    return moving(a, window, min_count, axis, workers, PC_VAR, ddof)


def move_std(a, window, min_count=None, axis=-1, ddof=0, *, workers=1):
    """
    Standard deviation of each window of adjacent elements, correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
    window : int or tuple of two array_like
        %(window)s
    min_count : int, optional
        %(min_count)s
    axis : int, optional
        %(axis)s
    ddof : float, optional
        %(ddof)s
    workers : int, optional
        %(workers)s

    Returns
    -------
    ndarray
        Float64, of the shape of `a`; with bounds, one result for each window along `axis`.
        At each position what `std` gives for the numbers in its window, less those that are
        missing: the float nearest to the root of the exact variance. Else as `move_var`.

    Raises
    ------
    ValueError
        %(value_error)s
        Also for a `ddof` that is negative or NaN.
    TypeError, numpy.exceptions.AxisError
        %(type_error)s

    Notes
    -----
    As for `move_var`.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.move_std([5.0, 1e17, 1.0, 3.0, 5.0], 2)[3:]
    array([1., 1.])
    """
    return moving(a, window, min_count, axis, workers, PC_STD, ddof)


# ---- prefix sums ------------------------------------------------------------

cdef int cumulate_chunk(const void *job, size_t chunk, size_t worker) noexcept nogil:
    """Some rows, or a chunk of one."""
    cdef const MoveJob *s = <const MoveJob *>job
    cdef Prefix *at = &s.prefixes[chunk]
    cdef size_t row = chunk // s.row_chunks * s.chunk_rows, first = chunk % s.row_chunks * s.chunk_length
    cdef size_t last_row = min(row + s.chunk_rows, s.rows), last = min(first + s.chunk_length, s.length)
    while row < last_row:
        if s.row_chunks == 1:
            memset(&at.sum, 0, sizeof(at.sum))
        at.row = row
        at.end = pc_cumulate(&s.c, row, first, last, &at.sum)
        at.is_too_large = at.end < last
        if at.is_too_large:
            return 0
        row += 1
    if last < s.length:
        s.prefixes[chunk + 1].sum = at.sum
    return 0


cdef int cumulate(array, int axis, values, size_t workers) except -1:
    """Prefix sums of integers as integers."""
    cdef MoveJob s
    cdef size_t chunk, chunks, total = values.size
    if total == 0:
        return 0
    memset(&s, 0, sizeof(s))
    describe(&s.c, array, None, axis, values, None, Statistic(PC_SUM))
    s.length = total if axis == ALL_AXES else <size_t>cnp.PyArray_DIM(values, axis)
    s.rows = total // s.length
    s.together = 1
    chunks = cut(&s, total, workers)
    workers = min(workers, chunks)
    s.prefixes = <Prefix *>PyMem_Calloc(chunks, sizeof(Prefix))
    if s.row_chunks > 1:            # a row goes on where it stood: to read it twice would take longer
        workers = 1
    try:
        if s.prefixes == NULL:
            raise MemoryError
        run_chunks(cumulate_chunk, &s, sizeof(s), chunks, workers, <double>total * MOVE_COST)
        for chunk in range(chunks):
            if s.prefixes[chunk].is_too_large:
                raise_at(array, axis, &s.prefixes[chunk], values.dtype)
    finally:
        PyMem_Free(s.prefixes)
    return 0


cdef int raise_at(array, int axis, const Prefix *at, dtype) except -1:
    """OverflowError: where, and the sum."""
    cdef int k
    total = int_from_u128(at.sum.lo, at.sum.hi)
    if array.dtype.kind == "i" and total >> 127:
        total -= 1 << 128
    if axis == ALL_AXES:
        return raise_prefix(total, [at.end], dtype)
    kept = row_axes(array, axis)
    position = [0] * array.ndim
    for k, index in zip(kept, np.unravel_index(at.row, tuple(map(array.shape.__getitem__, kept))) if kept else ()):
        position[k] = int(index)
    position[axis] = at.end
    return raise_prefix(total, position, dtype)


cdef int raise_prefix(total, position, dtype) except -1:
    raise_too_large(f"up to {position[0] if len(position) == 1 else tuple(position)} ", total, dtype, PC_SUM)


cdef int cumulate_ints(array, int axis, values) except -1:
    """Prefix sums of integers as Python ints, or of Python ints."""
    cdef double made
    cdef Statistic spec = Statistic(PC_SUM)
    rows, results, positions = array, values, [()]
    if axis != ALL_AXES:
        rows, results = np.moveaxis(array, axis, -1), np.moveaxis(values, axis, -1)
        positions = np.ndindex(rows.shape[:array.ndim - 1])
    floats = values.dtype.kind == "f"
    if floats:
        spec.set_dtype(values.dtype)
    single = np.empty(1, values.dtype)
    for position in positions:
        row, total = rows[(*position, ...)], 0
        for first in range(0, row.size, INT_BATCH):
            PyErr_CheckSignals()
            for k, x in enumerate(row.flat[first:first + INT_BATCH].tolist(), first):
                total += x
                if floats:
                    write_exact(&spec.c, spec.ddof, 1, ((0, 0), (total, 0), (0, 0)), 0,
                                <char *>cnp.PyArray_DATA(single))
                    results[(*position, k)] = single[0]
                    continue
                if not holds(values.dtype, total):
                    where = list(position)
                    where.insert(axis, k)
                    raise_prefix(total, where, values.dtype)
                results[(*position, k)] = total
    return 0


def cumsum(a, axis=None, dtype=None, out=None, *, workers=1):
    """
    Sum of all elements up to each, exact or correctly rounded.

    Parameters
    ----------
    a : array_like
        Numbers of bool, any integer dtype, float16/32/64 or complex64/128: an array in any
        layout, which is not copied, or nested lists.
    axis : int, optional
        The axis along which to sum; by default all elements are, in C order.
    dtype : {int64, uint64, float64, float32, float16, object, complex128, complex64}, optional
        The type of the results, as for `sum`.
    out : ndarray, optional
        Where to write the results, of their shape; its dtype takes the place of `dtype`.
    workers : int, optional
        Number of threads among which the rows along `axis`, and parts of long rows, are
        divided, 1 by default; -1 for all usable cores, -2 for all but one, and so on. It does
        not change a bit of the result.

    Returns
    -------
    ndarray
        Of the shape of `a`, or of one dimension without `axis`; `out`, if it was given. Each
        element is what `sum` gives for those up to it; the last is the sum of all.

    Raises
    ------
    OverflowError
        If a sum does not fit the integer dtype, with its position: pass ``dtype=object``.
    TypeError, ValueError, numpy.exceptions.AxisError
        As `sum` does, and for arrays without an axis if one is given.

    See Also
    --------
    numpy.cumsum : The same, rounded at every addition; integers wrap.
    move_sum : Of the last elements alone.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.cumsum([0.1] * 10)[-1], np.cumsum([0.1] * 10)[-1] == 1
    (np.float64(1.0), np.False_)
    >>> pycrust.cumsum(np.array([100, 100, 100], dtype=np.int8))
    array([100, 200, 300])
    """
    cdef size_t threads = count_workers(workers)
    axis, dtype = None if axis is None else integer_of(axis, "axis"), native_dtype(dtype)
    array, missing = array_and_missing(a, "a")
    if missing is not None:
        raise missing.error("cumsum")
    array = numbers_of(array)
    along, shape = ALL_AXES, (array.size,)
    if axis is not None:
        (along,), shape = axes_of(axis, array.ndim), array.shape
    if out is not None:
        check_out(out, shape)
    values = np.empty(shape, dtype_of(dtype, out, array, PC_SUM))
    if array.dtype == object or values.dtype == object:
        cumulate_ints(array, along, values)
    elif values.dtype.kind in "iu":
        cumulate(array, along, values, threads)
    elif array.dtype.kind == "c":
        for part, result in ((array.real, values.real), (array.imag, values.imag)):
            move(part, None, along, result, Statistic(PC_SUM), 0, 1, threads)
    else:
        move(array, None, along, values, Statistic(PC_SUM), 0, 1, threads)
    if out is not None:
        np.copyto(out, values)
        return out
    return values


# ---- what the docstrings share ----------------------------------------------

_SHARED = {
    "a": "Numbers of bool, any integer dtype or float16/32/64: an array in any layout, which\n"
         "        is not copied, nested lists, or a container of pandas, Arrow, polars or xarray.\n"
         "        NaN, masked elements and nulls are missing.",
    "window": "How many elements a window has, the last of them at the position of its result:\n"
              "        from 1 to the length of the axis. Or ``(start, end)``, two arrays of integers,\n"
              "        neither of which decreases: result k is of elements ``start[k]`` to ``end[k] - 1``,\n"
              "        and there are as many results along `axis` as windows.",
    "min_count": "The fewest numbers that a window needs for a result, from 1 to `window`, the default;\n"
                 "        by default 1 for windows with bounds. Where there are fewer that are not missing,\n"
                 "        at the start too, the result is NaN.",
    "axis": "The axis along which the window moves, by default the last.",
    "ddof": "What is subtracted from the number of elements to give the divisor: 0 by default. One\n"
            "        with more than 16 binary digits after the point makes each window be summed anew.",
    "workers": "Number of threads, 1 by default; -1 for all usable cores, -2 for all but one,\n"
               "        and so on. It does not change a bit of the result.",
    "spoiled": "NaN where fewer than `min_count` are left. An infinity makes infinite or NaN the\n"
               "        results of those windows that hold it, and no others.",
    "value_error": "For a `window` below 1 or above the length of the axis, bounds beyond the axis or\n"
                   "        that decrease, a `min_count` below 1 or above an integer `window`, an array without\n"
                   "        axes, or bad `workers`.",
    "type_error": "As `sum` does, for complex numbers, and for arguments that are not integers.",
}

for _function in (move_sum, move_mean, move_var, move_std):
    _function.__doc__ %= _SHARED
del _function
