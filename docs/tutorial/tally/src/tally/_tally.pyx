# cython: boundscheck=False, wraparound=False, freethreading_compatible=True
"""Check, convert, release the GIL, call C."""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t

from tally.ctally cimport tally_count, tally_rows

import numpy as np

cdef enum:
    SLICE = 1 << 20     # values between two checks for Ctrl-C: some 20 ms


def _checked(edges):
    """The edges as a new array."""
    edges = np.array(edges, dtype=np.float64)   # a copy, which nobody else can change
    if edges.ndim != 1 or edges.size < 2 or not (edges[: edges.size - 1] < edges[1:]).all():
        raise ValueError("edges must be two or more numbers, each above the one before")
    return edges


def histogram(x, edges):
    """
    Count how many numbers fall into each bin, with the GIL released.

    Bin k holds edges[k] <= x < edges[k + 1], the last one its right edge, too.
    Numbers outside, and NaN, are not counted.

    >>> histogram([0, 0.5, 1, 1, 2], [0, 1, 2]).tolist()
    [2, 3]
    """
    cdef const double[::1] values = np.ascontiguousarray(x, dtype=np.float64)
    cdef const double[::1] bounds = _checked(edges)
    result = np.zeros(bounds.shape[0] - 1, dtype=np.int64)
    cdef int64_t[::1] counts = result
    cdef size_t size = values.shape[0], bins = counts.shape[0]
    cdef size_t step, done = 0
    while done < size:
        step = min(size - done, <size_t>SLICE)
        with nogil:
            tally_count(&values[done], step, &bounds[0], bins, &counts[0])
        PyErr_CheckSignals()
        done += step
    return result


def histogram_rows(x, edges):
    """
    Count each row of a matrix; row r of the result is histogram(x[r], edges).

    >>> histogram_rows([[0, 1], [1, 1]], [0, 1, 2]).tolist()
    [[1, 1], [0, 2]]
    """
    cdef const double[:, ::1] values = np.ascontiguousarray(x, dtype=np.float64)
    cdef const double[::1] bounds = _checked(edges)
    result = np.zeros((values.shape[0], bounds.shape[0] - 1), dtype=np.int64)
    cdef int64_t[:, ::1] counts = result
    cdef size_t rows = values.shape[0], columns = values.shape[1], bins = counts.shape[1]
    cdef size_t step, done = 0
    while done < rows:
        step = min(rows - done, <size_t>SLICE // (columns + 1) + 1)
        with nogil:
            tally_rows(&values[done, 0], step, columns, &bounds[0], bins, &counts[done, 0])
        PyErr_CheckSignals()
        done += step
    return result
