"""Statistics of groups, which labels make: signatures and docstrings; _states.pyx does the work."""

cimport numpy as cnp

from pycrust._args cimport axes_of, data_of, dtype_of, is_exact, is_integer
from pycrust._bigint cimport write_exact
from pycrust._plan cimport Statistic, checked_int, is_spread, moment_of, one_ddof, warn_empty
from pycrust._states cimport States, labels_of, placed, state_size
from pycrust._threads cimport count_workers
from pycrust.csrc cimport (
    PC_EMPTY,
    PC_MEAN,
    PC_NUMBERS,
    PC_STD,
    PC_SUM,
    PC_SUMSQ,
    PC_VAR,
    import_core,
    pc_statistic,
)

import operator

import numpy as np

cnp.import_array()
import_core()


cdef object label_count_of(num_labels, labels):
    if num_labels is None:
        return max(int(labels.max()), -1) + 1 if labels.size else 0
    try:
        count = operator.index(num_labels)
    except TypeError:
        raise TypeError(f"num_labels must be an integer, not {num_labels!r}") from None
    if count < 0:
        raise ValueError(f"num_labels must not be negative, but is {count}")
    return count


cdef object group(values, labels, axis, num_labels, where, dtype, workers, bint skipna, int statistic, ddof=None,
                  correction=None):
    """`statistic` -1: the counts."""
    cdef pc_statistic wanted = PC_SUM if statistic < 0 else <pc_statistic>statistic
    cdef Statistic spec = Statistic(wanted, one_ddof(ddof, correction), skipna)
    cdef States states
    cdef size_t threads = count_workers(workers)
    array, mask = data_of(values, where, skipna, "values")
    labels = labels_of(labels)
    axes = axes_of(axis, array.ndim)
    made = None if statistic < 0 else dtype_of(dtype, None, array, wanted)
    count = label_count_of(num_labels, labels)
    shape, place = placed(array.shape, axes, labels, count)
    if array.dtype == object:
        return group_ints(array, mask, labels, axes, shape, place, made, spec, statistic < 0)
    states = States(shape, state_size(moment_of(wanted) != PC_NUMBERS, cnp.PyArray_ISCOMPLEX(array)))
    states.add_labelled(array, mask, labels, axes, count, skipna, threads)
    if statistic < 0:
        return states.counts()
    return states.results(spec, made, is_integer(array), (place,), threads)


cdef object group_ints(array, mask, labels, tuple axes, tuple shape, int place, made, Statistic spec, bint count):
    """The same for Python ints, as Python adds."""
    cdef Py_ssize_t k
    cdef bint empty = False
    expand = tuple(slice(None) if k in axes else None for k in range(array.ndim))
    each = np.broadcast_to(labels[expand], array.shape)
    included = each >= 0
    if mask is not None:
        included = included & mask
    if (each[included] >= shape[place]).any():
        position = tuple(int(k) for k in np.argwhere(included & (each >= shape[place]))[0])
        raise IndexError(f"the label of values[{', '.join(map(str, position))}] is {each[position]}, "
                         f"but num_labels is {shape[place]}")
    position = [at for k, at in enumerate(np.nonzero(included)) if k == place or k not in axes]
    position[place] = each[included]
    position = tuple(position)
    sums = [np.full(shape, 0, dtype=object) for _ in range(3)]
    for total, numbers in zip(sums, (array * array, array, np.ones(array.shape, dtype=object))):
        np.add.at(total, position, np.asarray(numbers, dtype=object)[included])
    squares, numbers, counts = sums
    if count:
        return counts.astype(np.int64)
    values = np.empty(shape, dtype=made)
    totals = numbers if moment_of(spec.c.statistic) == PC_NUMBERS else squares
    if made.kind == "f":
        spec.set_dtype(made)
    for k, at in enumerate(np.ndindex(*shape)):
        if made.kind == "f":
            if write_exact(&spec.c, spec.ddof, counts[at], ((squares[at], 0), (numbers[at], 0), (0, 0)), 0,
                           <char *>cnp.PyArray_DATA(values) + k * <Py_ssize_t>values.itemsize) == PC_EMPTY:
                empty = True
        else:
            values[at] = checked_int(totals[at], made, at, spec.c.statistic)
    if empty:
        warn_empty(spec.c.statistic, spec.skip_nan)
    return values


def group_sum(values, labels, *, axis=-1, num_labels=None, where=True, dtype=None, workers=1, skipna=False):
    """group_sum"""
    return group(values, labels, axis, num_labels, where, dtype, workers, skipna, PC_SUM)


def group_mean(values, labels, *, axis=-1, num_labels=None, where=True, dtype=None, workers=1, skipna=False):
    """group_mean"""
    return group(values, labels, axis, num_labels, where, dtype, workers, skipna, PC_MEAN)


def group_var(values, labels, *, axis=-1, num_labels=None, ddof=None, where=True, dtype=None, workers=1,
              skipna=False, correction=None):
    """group_var"""
    return group(values, labels, axis, num_labels, where, dtype, workers, skipna, PC_VAR, ddof, correction)


def group_std(values, labels, *, axis=-1, num_labels=None, ddof=None, where=True, dtype=None, workers=1,
              skipna=False, correction=None):
    """group_std"""
    return group(values, labels, axis, num_labels, where, dtype, workers, skipna, PC_STD, ddof, correction)


def group_sumsq(values, labels, *, axis=-1, num_labels=None, where=True, dtype=None, workers=1, skipna=False):
    """group_sumsq"""
    return group(values, labels, axis, num_labels, where, dtype, workers, skipna, PC_SUMSQ)


def group_count(values, labels, *, axis=-1, num_labels=None, where=True, workers=1, skipna=False):
    """group_count"""
    return group(values, labels, axis, num_labels, where, None, workers, skipna, -1)
