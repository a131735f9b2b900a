"""
Statistics of groups, given by labels.

If the labels are sorted (non-decreasing), the numbers of each group lie side by side, and C gives the results at once;
else by exact states, in _states.pyx.
"""

cimport numpy as cnp
from cpython.bytearray cimport PyByteArray_AS_STRING

from pycrust._args cimport (
    axes_of,
    axis_of_ints,
    data_of,
    describe_data,
    dtype_of,
    in_order,
    integer_of,
    is_integer,
    native_dtype,
)
from pycrust._bigint cimport shown, shown_int, write_exact
from pycrust._plan cimport (
    Statistic,
    axis_of,
    chunk_size,
    holds,
    is_variance,
    moment_of,
    ddof_or_correction,
    raise_too_large,
    warn_empty,
)
from pycrust._states cimport States, labels_of, labelled_shape, shown_position, state_size
from pycrust._threads cimport count_workers, run_chunks
from pycrust.csrc cimport (
    PC_EMPTY,
    PC_MEAN,
    PC_MIN_SUMS,
    PC_NUMBERS,
    PC_OK,
    PC_STD,
    PC_SUM,
    PC_SUMSQ,
    PC_TILE,
    PC_TOO_LARGE,
    PC_UNSUITED,
    PC_VAR,
    import_core,
    pc_array,
    pc_axis,
    pc_output_spec,
    pc_reduce,
    pc_reduce_sorted,
    pc_sorted,
    pc_sorted_suited,
    pc_statistic,
    pc_status,
    pc_tile_sum,
)

import math
import sys

import numpy as np

cnp.import_array()
import_core()


cdef object label_count_of(num_labels, labels):
    count = num_labels
    if count is None:
        count = max(int(labels.max()), -1) + 1 if labels.size else 0
    if count < 0:
        raise ValueError(f"num_labels must not be negative, but is {shown(count)}")
    if count > sys.maxsize:
        raise MemoryError(f"there is no memory for {shown_int(count)} groups")
    return count


cdef object group(values, labels, axis, num_labels, where, dtype, workers, bint skipna, int statistic, ddof=None,
                  correction=None):
    """The statistic of each group; the counts if `statistic` is -1."""
    cdef pc_statistic wanted = PC_SUM if statistic < 0 else <pc_statistic>statistic
    cdef Statistic spec = Statistic(wanted, ddof_or_correction(ddof, correction), skipna)
    cdef States states
    cdef size_t threads = count_workers(workers)
    axis, dtype = axis_of_ints(axis), native_dtype(dtype)
    num_labels = None if num_labels is None else integer_of(num_labels, "num_labels")
    array, mask = data_of(values, where, skipna, "values")
    labels = labels_of(labels)
    axes = axes_of(axis, array.ndim)
    labels = in_order(labels, axis, array.ndim)
    out_dtype = None if statistic < 0 else dtype_of(dtype, None, array, wanted)
    values = reduce_sorted(array, mask, labels, axes, num_labels, out_dtype, spec, threads)
    if values is not None:
        return values
    count = label_count_of(num_labels, labels)
    shape, label_axis = labelled_shape(array.shape, axes, labels, count)
    if cnp.PyArray_ISOBJECT(array):
        return group_ints(array, mask, labels, axes, shape, label_axis, out_dtype, spec, statistic < 0)
    states = States(shape, state_size(moment_of(wanted) != PC_NUMBERS, cnp.PyArray_ISCOMPLEX(array)))
    states.add_labelled(array, mask, labels, axes, count, skipna, threads, True, True)
    if statistic < 0:
        return states.counts()
    return states.results(spec, out_dtype, is_integer(array), (label_axis,), threads)


# ---- groups that lie side by side ---------------------------------------------

cdef object reduce_sorted(array, mask, labels, tuple axes, num_labels, out_dtype, Statistic spec, size_t workers):
    """
    The results, where the labels are sorted; None if they are not, and for what is rare.

    Left to the states: masks, Python ints, other layouts, and whatever must raise an error.
    """
    cdef Py_ssize_t length = cnp.PyArray_SIZE(labels), width
    cdef pc_status status
    if (mask is not None or cnp.PyArray_SIZE(array) == 0 or length == 0 or not axes or out_dtype is None
            or out_dtype.kind == "O" or cnp.PyArray_ISOBJECT(array) or not cnp.PyArray_IS_C_CONTIGUOUS(array)
            or not cnp.PyArray_IS_C_CONTIGUOUS(labels)):
        return None
    first, last = labels.item(0), labels.item(length - 1)
    if not first <= labels.item(length // 3) <= labels.item(2 * length // 3) <= last:   # as of most that are not sorted
        return None
    outer, inner = array.shape[:axes[0]], array.shape[axes[0] + labels.ndim:]
    if (len(axes) != labels.ndim or axes[len(axes) - 1] - axes[0] >= labels.ndim
            or array.shape != (*outer, *labels.shape, *inner)):
        return None
    count = last + 1 if num_labels is None else num_labels
    width = math.prod(inner)
    spec.set_dtype(out_dtype)
    if not (0 <= last < count < 2**48 // width and first <= last and spec.is_for_c(length)):
        return None
    values = np.empty((*outer, count, *inner), dtype=out_dtype)
    if width == 1:
        status = reduce_sorted_rows(array, labels.reshape(-1), values, count, spec, workers)
    else:
        status = reduce_sorted_slices(array, labels.reshape(-1), values, count, width, spec, workers)
    if status > PC_EMPTY or (status == PC_EMPTY and spec.skip_nan and is_variance(spec.c.statistic)):
        return None
    if status == PC_EMPTY:
        warn_empty(spec.c.statistic, spec.skip_nan)
    return values


# What the threads see: each row of the array has the same labels, and each chunk is a range of those of one row.
cdef struct SortedRowsJob:
    pc_sorted array         # the first row
    pc_output_spec spec
    char *out
    const size_t *start     # of the chunks of a row: the first element of each, and the end of the last
    const size_t *first     # and the first label of each, and the end of the last
    size_t chunks
    size_t row, out_row     # from one row to the next, in bytes
    pc_tile_sum *sums       # PC_MIN_SUMS for each worker
    pc_status *statuses     # one for each worker


cdef int reduce_sorted_rows_chunk(const void *job, size_t chunk, size_t worker) noexcept nogil:
    cdef const SortedRowsJob *s = <const SortedRowsJob *>job
    cdef size_t row = chunk // s.chunks, k = chunk % s.chunks
    cdef pc_sorted array = s.array
    array.data += row * s.row
    cdef pc_status status = pc_reduce_sorted(&array, s.start[k], s.start[k + 1], s.first[k], s.first[k + 1], &s.spec,
                                             s.out + row * s.out_row, s.sums + worker * PC_MIN_SUMS)
    if status != PC_OK:
        s.statuses[worker] = status
    return status == PC_TOO_LARGE or status == PC_UNSUITED


cdef pc_status reduce_sorted_rows(array, labels, values, count, Statistic spec, size_t workers) except *:
    """Where the labels lie along the last axis; PC_UNSUITED if they are not sorted, and for complex and other types."""
    cdef SortedRowsJob job
    cdef int components, swapped
    cdef size_t length = cnp.PyArray_SIZE(labels), rows = cnp.PyArray_SIZE(array) // length, step
    describe_data(array, &job.array.type, &components, &swapped, &job.array.data)
    if components != 1 or swapped or not pc_sorted_suited(job.array.type, &spec.c):
        return PC_UNSUITED
    describe_data(labels, &job.array.label_type, &components, &job.array.labels_swapped, &job.array.labels)
    step = chunk_size(rows * length, workers)
    chunks = chunks_of(labels, labels.item(0), count, step, workers)
    if chunks is None:
        return PC_UNSUITED
    job.chunks = chunks.shape[1] - 1
    job.start = <const size_t *>cnp.PyArray_DATA(chunks)
    job.first = job.start + job.chunks + 1
    job.array.skip_nan = spec.skip_nan
    job.array.count = length
    job.spec = spec.c
    job.out = <char *>cnp.PyArray_DATA(values)
    job.row = length * <size_t>cnp.PyArray_ITEMSIZE(array)
    job.out_row = <size_t>count * <size_t>cnp.PyArray_ITEMSIZE(values)
    workers = min(workers, rows * job.chunks)
    memory = bytearray(workers * (PC_MIN_SUMS * sizeof(pc_tile_sum) + sizeof(pc_status)))
    job.sums = <pc_tile_sum *>PyByteArray_AS_STRING(memory)
    job.statuses = <pc_status *>(job.sums + workers * PC_MIN_SUMS)
    run_chunks(reduce_sorted_rows_chunk, &job, sizeof(job), rows * job.chunks, workers, <double>rows * length)
    return worst(job.statuses, workers)


cdef enum:
    # The fewest elements of a label: fewer are faster with states.
    MIN_SLICE = 8


# The same where other axes follow those of the labels: the numbers of a label are a slice of the array, and each chunk
# is a range of labels.
cdef struct SortedSlicesJob:
    pc_array array          # what all slices have in common
    pc_output_spec spec
    char *out
    const size_t *start     # of each label, along the axis of the labels; and the end of the last
    size_t count, step      # labels in all, and in a chunk
    size_t out_step         # from one label to the next, in bytes
    size_t outputs, sums_per_worker    # of a label; and the sums of a worker
    pc_tile_sum *sums
    pc_status *statuses     # one for each worker


cdef int reduce_sorted_slices_chunk(const void *job, size_t chunk, size_t worker) noexcept nogil:
    cdef const SortedSlicesJob *s = <const SortedSlicesJob *>job
    cdef size_t label
    cdef pc_array array = s.array
    cdef pc_axis *along = &array.axis[array.kept_axes]
    cdef pc_status status
    for label in range(chunk * s.step, min((chunk + 1) * s.step, s.count)):
        along.length = s.start[label + 1] - s.start[label]
        array.data = s.array.data + s.start[label] * <size_t>along.stride
        status = pc_reduce(&array, 0, s.outputs, &s.spec, s.out + label * s.out_step,
                           s.sums + worker * s.sums_per_worker)
        if status != PC_OK:
            s.statuses[worker] = status
        if status == PC_TOO_LARGE:
            return 1
    return 0


cdef pc_status reduce_sorted_slices(array, labels, values, count, size_t width, Statistic spec,
                                    size_t workers) except *:
    """Where other axes of `width` elements follow; PC_UNSUITED if the labels are not sorted."""
    cdef SortedSlicesJob job
    cdef size_t length = cnp.PyArray_SIZE(labels), step, chunks
    cdef int k
    job.outputs = cnp.PyArray_SIZE(array) // length
    if length * job.outputs < <size_t>MIN_SLICE * <size_t>count:
        return PC_UNSUITED
    labels = labels.astype(np.intp, copy=False)
    if (labels[1:] < labels[:length - 1]).any():
        return PC_UNSUITED
    start = np.searchsorted(labels, np.arange(count + 1))
    if (start[1:] < start[:count]).any():       # another thread has changed the labels in between
        return PC_UNSUITED
    step = chunk_size(length * job.outputs, workers)
    if workers > 1 and np.diff(start).max() * job.outputs > 4 * step:
        return PC_UNSUITED              # a label that all threads should add to
    job.sums_per_worker = max(<size_t>PC_MIN_SUMS, min(<size_t>PC_TILE, job.outputs))
    describe_data(array, &job.array.type, &job.array.components, &job.array.swapped, &job.array.data)
    job.array.mask = NULL
    job.array.other.data = NULL
    job.array.skip_nan = spec.skip_nan
    job.array.repeat = 1
    job.array.kept_axes = 0
    planes, results = array.reshape(-1, length, width), values.reshape(-1, count, width)
    for k in range(0, 3, 2):
        if cnp.PyArray_DIM(planes, k) > 1:
            job.array.axis[job.array.kept_axes] = axis_of(planes, None, None, k)
            job.array.axis[job.array.kept_axes].out_stride = cnp.PyArray_STRIDE(results, k)
            job.array.kept_axes += 1
    job.array.axis[job.array.kept_axes] = axis_of(planes, None, None, 1)
    job.array.reduced_axes = 1
    job.spec = spec.c
    job.out = <char *>cnp.PyArray_DATA(values)
    job.start = <const size_t *>cnp.PyArray_DATA(start)
    job.count = count
    job.out_step = width * <size_t>cnp.PyArray_ITEMSIZE(values)
    job.step = step // (job.outputs * (length // job.count + 8)) + 1
    chunks = (job.count - 1) // job.step + 1
    workers = min(workers, chunks)
    memory = bytearray(workers * (job.sums_per_worker * sizeof(pc_tile_sum) + sizeof(pc_status)))
    job.sums = <pc_tile_sum *>PyByteArray_AS_STRING(memory)
    job.statuses = <pc_status *>(job.sums + workers * job.sums_per_worker)
    run_chunks(reduce_sorted_slices_chunk, &job, sizeof(job), chunks, workers,
               <double>job.outputs * (length + job.count))
    return worst(job.statuses, workers)


cdef pc_status worst(const pc_status *statuses, size_t workers) noexcept:
    cdef pc_status status = PC_OK
    cdef size_t worker
    for worker in range(workers):
        status = max(status, statuses[worker])
    return status


cdef object chunks_of(labels, first, count, size_t step, size_t workers):
    """The first element and the first label of each chunk, and the ends; None if the labels are not sorted here."""
    if <size_t>len(labels) <= step and first >= 0:
        return np.array([[0, len(labels)], [0, count]], dtype=np.uintp)
    named = np.unique(np.maximum(labels[::step], 0)).astype(np.uintp)
    named[0] = 0
    start = np.append(np.searchsorted(labels, named.astype(labels.dtype)), len(labels))
    lengths, left_out = np.diff(start), labels[:start[0]]       # with negative labels
    if named.max() >= count or lengths.min() < 0 or (left_out >= 0).any() or (workers > 1 and lengths.max() > 4 * step):
        return None                     # the last: a label that all threads should add to
    return np.stack([start.astype(np.uintp), np.append(named, np.uintp(count))])


# ---- Python ints ----------------------------------------------------------------

cdef object group_ints(array, mask, labels, tuple axes, tuple shape, int label_axis, out_dtype, Statistic spec,
                       bint count):
    """The same for Python ints, as Python adds."""
    cdef Py_ssize_t k
    cdef bint empty = False
    expand = tuple([slice(None) if k in axes else None for k in range(array.ndim)])
    each = np.broadcast_to(labels[expand], array.shape)
    included = each >= 0
    if mask is not None:
        included = included & mask
    if (each[included] >= shape[label_axis]).any():
        position = tuple([int(k) for k in np.argwhere(included & (each >= shape[label_axis]))[0]])
        raise IndexError(f"the label of values[{', '.join(map(str, position))}] is {each[position]}, "
                         f"but num_labels is {shape[label_axis]}")
    position = [at for k, at in enumerate(np.nonzero(included)) if k == label_axis or k not in axes]
    position[label_axis] = each[included]
    position = tuple(position)
    sums = [np.full(shape, 0, dtype=object) for _ in range(3)]
    for total, numbers in zip(sums, (array * array, array, np.ones(array.shape, dtype=object))):
        np.add.at(total, position, np.asarray(numbers, dtype=object)[included])
    squares, numbers, counts = sums
    if count:
        return counts.astype(np.int64)
    values = np.empty(shape, dtype=out_dtype)
    totals = numbers if moment_of(spec.c.statistic) == PC_NUMBERS else squares
    if out_dtype.kind == "f":
        spec.set_dtype(out_dtype)
    for k, at in enumerate(np.ndindex(*shape)):
        if out_dtype.kind == "f":
            if write_exact(&spec.c, spec.ddof, counts[at], ((squares[at], 0), (numbers[at], 0), (0, 0)), 0,
                           <char *>cnp.PyArray_DATA(values) + k * <Py_ssize_t>values.itemsize) == PC_EMPTY:
                empty = True
        else:
            if not holds(out_dtype, totals[at]):
                raise_too_large(shown_position(at, (label_axis,)), totals[at], out_dtype, spec.c.statistic)
            values[at] = totals[at]
    if empty:
        warn_empty(spec.c.statistic, spec.skip_nan)
    return values


def group_sum(values, labels, *, axis=-1, num_labels=None, where=True, dtype=None, workers=1, skipna=False):
    """
    Sum of the values with each label, exact or correctly rounded.

    Parameters
    ----------
    values : array_like
        %(values)s
    labels : array_like of int
        %(labels)s
    axis : int, tuple of int or None, optional
        %(axis)s
    num_labels : int, optional
        %(num_labels)s
    where : array_like of bool, optional
        %(where)s
    dtype : {int64, uint64, float64, float32, float16, object, complex128, complex64}, optional
        %(sum_dtype)s
    workers : int, optional
        %(workers)s
    skipna : bool, optional
        %(skipna)s

    Returns
    -------
    ndarray
        In the shape of `values`, with `num_labels` in the place of `axis`. What `sum`
        gives for the values of each group alone, to the last bit; 0 where there are none.

    Raises
    ------
    TypeError
        For labels that are not integers, and values that `sum` does not take.
    IndexError
        For a label that is not below `num_labels`, with its position.
    ValueError, numpy.exceptions.AxisError
        For `labels` that do not fit the shape of `values` along `axis`, and an `axis`, `where` or `workers` that
        does not fit.
    OverflowError
        If a sum of integers does not fit the dtype, with its label: pass ``dtype=object``.
    MemoryError
        For more labels than there is memory for.

    See Also
    --------
    Accumulator : With `shape`, the same for data that come in pieces.

    Notes
    -----
    Each group takes 40 bytes for sums and means, 72 for the others, 96 for complex numbers: a count, and exact
    sums of integers, relative to an exponent of the group [1]_. Groups whose numbers differ by more than 2**60 in
    size take 1300 bytes more. Integer additions may be made in any order, so neither that of the values nor
    `workers` changes a bit.

    References
    ----------
    .. [1] R. M. Neal, "Fast exact summation using small and large superaccumulators", arXiv:1505.05571 (2015).

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.group_sum([0.1, 1e100, 0.2, 5.0, -1e100], [1, 0, 1, 0, 0])
    array([5. , 0.3])
    >>> days = np.array([[3, 1, 4, 1], [5, 9, 2, 6]])
    >>> pycrust.group_sum(days, [0, 0, 1, -1])
    array([[ 4,  4],
           [14,  2]])
    """
    return group(values, labels, axis, num_labels, where, dtype, workers, skipna, PC_SUM)


def group_mean(values, labels, *, axis=-1, num_labels=None, where=True, dtype=None, workers=1, skipna=False):
    """
    Arithmetic mean of the values with each label, correctly rounded.

    Parameters
    ----------
    values : array_like
        %(values)s
    labels : array_like of int
        %(labels)s
    axis : int, tuple of int or None, optional
        %(axis)s
    num_labels : int, optional
        %(num_labels)s
    where : array_like of bool, optional
        %(where)s
    dtype : {float64, float32, float16, complex128, complex64}, optional
        %(mean_dtype)s
    workers : int, optional
        %(workers)s
    skipna : bool, optional
        %(skipna)s

    Returns
    -------
    ndarray
        In the shape of `values`, with `num_labels` in the place of `axis`. What `mean`
        gives for the values of each group alone. NaN where there are none, with one RuntimeWarning.

    Raises
    ------
    TypeError, ValueError, IndexError
        As `group_sum` does.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.group_mean([0.1, 7.0, 0.1, 0.1], [1, 0, 1, 1])
    array([7. , 0.1])
    """
    return group(values, labels, axis, num_labels, where, dtype, workers, skipna, PC_MEAN)


def group_var(values, labels, *, axis=-1, num_labels=None, ddof=None, where=True, dtype=None, workers=1,
              skipna=False, correction=None):
    """
    Variance of the values with each label, correctly rounded.

    Parameters
    ----------
    values : array_like
        %(values)s
    labels : array_like of int
        %(labels)s
    axis : int, tuple of int or None, optional
        %(axis)s
    num_labels : int, optional
        %(num_labels)s
    ddof : int or float, optional
        %(ddof)s
    where : array_like of bool, optional
        %(where)s
    dtype : {float64, float32, float16}, optional
        %(dtype)s
    workers : int, optional
        %(workers)s
    skipna : bool, optional
        %(skipna)s
    correction : int or float, optional
        Another name for `ddof`.

    Returns
    -------
    ndarray
        In the shape of `values`, with `num_labels` in the place of `axis`. What `var`
        gives for the values of each group alone. NaN (or Inf, as `var`, but not `nanvar`) where there are no
        more than `ddof`, with one RuntimeWarning.

    Raises
    ------
    TypeError, ValueError, IndexError
        As `group_sum` does.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> x = 1e9 + np.array([4.0, 7.0, 13.0, 16.0, 3.0, 3.0])
    >>> pycrust.group_var(x, [1, 1, 1, 1, 0, 0])
    array([ 0. , 22.5])
    """
    return group(values, labels, axis, num_labels, where, dtype, workers, skipna, PC_VAR, ddof, correction)


def group_std(values, labels, *, axis=-1, num_labels=None, ddof=None, where=True, dtype=None, workers=1,
              skipna=False, correction=None):
    """
    Standard deviation of the values with each label, correctly rounded.

    Parameters
    ----------
    values : array_like
        %(values)s
    labels : array_like of int
        %(labels)s
    axis : int, tuple of int or None, optional
        %(axis)s
    num_labels : int, optional
        %(num_labels)s
    ddof : int or float, optional
        %(ddof)s
    where : array_like of bool, optional
        %(where)s
    dtype : {float64, float32, float16}, optional
        %(dtype)s
    workers : int, optional
        %(workers)s
    skipna : bool, optional
        %(skipna)s
    correction : int or float, optional
        Another name for `ddof`.

    Returns
    -------
    ndarray
        In the shape of `values`, with `num_labels` in the place of `axis`. The float nearest
        to the root of the *exact* variance of each group. Else as `group_var`.

    Raises
    ------
    TypeError, ValueError, IndexError
        As `group_sum` does.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.group_std([2.0, 5.0, 4.0, 9.0], [0, 1, 0, 1])
    array([1., 2.])
    """
    return group(values, labels, axis, num_labels, where, dtype, workers, skipna, PC_STD, ddof, correction)


def group_sumsq(values, labels, *, axis=-1, num_labels=None, where=True, dtype=None, workers=1, skipna=False):
    """
    Sum of the squares of the values with each label, exact or correctly rounded.

    Parameters
    ----------
    values : array_like
        %(values)s
    labels : array_like of int
        %(labels)s
    axis : int, tuple of int or None, optional
        %(axis)s
    num_labels : int, optional
        %(num_labels)s
    where : array_like of bool, optional
        %(where)s
    dtype : {int64, uint64, float64, float32, float16, object}, optional
        The type of the results. Integers give int64 by default, and uint64 if they are unsigned; object
        holds Python ints. Other input gives float64, or on request a smaller type.
    workers : int, optional
        %(workers)s
    skipna : bool, optional
        %(skipna)s

    Returns
    -------
    ndarray
        In the shape of `values`, with `num_labels` in the place of `axis`. What `sumsq`
        gives for the values of each group alone; 0 where there are none.

    Raises
    ------
    TypeError, ValueError, IndexError, OverflowError
        As `group_sum` does.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.group_sumsq(np.array([3, 200, 4], np.uint8), [0, 1, 0])
    array([   25, 40000], dtype=uint64)
    """
    return group(values, labels, axis, num_labels, where, dtype, workers, skipna, PC_SUMSQ)


def group_count(values, labels, *, axis=-1, num_labels=None, where=True, workers=1, skipna=False):
    """
    Number of values with each label.

    Parameters
    ----------
    values : array_like
        %(values)s
    labels : array_like of int
        %(labels)s
    axis : int, tuple of int or None, optional
        %(axis)s
    num_labels : int, optional
        %(num_labels)s
    where : array_like of bool, optional
        %(where)s
    workers : int, optional
        %(workers)s
    skipna : bool, optional
        %(skipna)s

    Returns
    -------
    ndarray
        int64, in the shape of `values`, with `num_labels` in the place of `axis`. NaN is
        counted, unless `skipna`.

    Raises
    ------
    TypeError, ValueError, IndexError
        As `group_sum` does.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.group_count([2.0, np.nan, 4.0], [0, 1, 0], num_labels=3)
    array([2, 1, 0])
    >>> pycrust.group_count([2.0, np.nan, 4.0], [0, 1, 0], num_labels=3, skipna=True)
    array([2, 0, 0])
    """
    return group(values, labels, axis, num_labels, where, None, workers, skipna, -1)


# ---- what the docstrings share ----------------------------------------------

_SHARED = {
    "values": "Numbers of bool, any integer dtype, float16/32/64 or complex64/128: an array in any\n"
              "        layout, which is not copied, nested lists, or a container of pandas, Arrow, polars or xarray.",
    "labels": "The group of each element along `axis`: integers of any dtype, from 0 to `num_labels` - 1. Elements\n"
              "        whose label is negative or missing are left out, as with the codes of pandas.",
    "axis": "The axis that the labels lie along, -1 by default. With several axes, or None for all, `labels` has\n"
            "        their shape, and the groups take the place of the smallest of them.",
    "num_labels": "How many groups there are; by default one more than the largest label.",
    "where": "The elements to include; must broadcast to the shape of `values`.",
    "sum_dtype": "The type of the results. Integers give int64 by default, and uint64 if they are unsigned; object\n"
                 "        holds Python ints. Other input gives float64, or complex128, or on request a smaller type.",
    "dtype": "The type of the results: float64 by default.",
    "mean_dtype": "The type of the results: float64 by default, complex128 for complex means.",
    "ddof": "The sum of the squared distances from the mean is divided by the number of elements of the group minus\n"
            "        this: 0 by default, as in NumPy; pandas has 1.",
    "workers": "Number of threads, 1 by default; -1 for all usable cores, -2 for all but one, and so on. It does not change a\n"
               "        bit of the result.",
    "skipna": "Leave out what is missing: NaN, nulls and masked elements. False by default: NaN makes the result of\n"
              "        its group NaN, and nulls and masked elements are a TypeError.",
}

for _function in (group_sum, group_mean, group_var, group_std, group_sumsq, group_count):
    _function.__doc__ %= _SHARED
del _function
