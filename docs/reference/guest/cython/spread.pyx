# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""Standard deviations: of each row of an array, and of data in pieces."""

from libc.stdlib cimport free, malloc

from pycrust.capi cimport (
    PC_EMPTY,
    PC_FLOAT64,
    PC_STD,
    import_pycrust,
    pc_accumulator,
    pc_status,
    pycrust_accumulator_add,
    pycrust_accumulator_init,
    pycrust_accumulator_result,
    pycrust_accumulator_size,
    pycrust_reduce,
)

import_pycrust()


def of_rows(const double[:, ::1] x, double[::1] out):
    """Write the standard deviation of each row to `out`."""
    if out.shape[0] != x.shape[0]:
        raise ValueError(f"{out.shape[0]} results for {x.shape[0]} rows")
    if x.shape[1] == 0:
        raise ValueError("the rows are empty")
    cdef Py_ssize_t row
    with nogil:
        for row in range(x.shape[0]):
            pycrust_reduce(PC_FLOAT64, &x[row, 0], x.shape[1], PC_STD, 0, PC_FLOAT64, &out[row])


def of_pieces(pieces):
    """The sample standard deviation of all numbers of some one-dimensional arrays."""
    cdef const double[::1] piece
    cdef double result
    cdef pc_status status
    cdef pc_accumulator *total = <pc_accumulator *>malloc(pycrust_accumulator_size())
    if total == NULL:
        raise MemoryError
    try:
        pycrust_accumulator_init(total, PC_STD)
        for piece in pieces:
            with nogil:
                pycrust_accumulator_add(total, PC_FLOAT64, &piece[0], piece.shape[0])
        status = pycrust_accumulator_result(total, PC_STD, 1, PC_FLOAT64, &result)
    finally:
        free(total)
    if status == PC_EMPTY:
        raise ValueError("a sample standard deviation needs two numbers")
    return result
