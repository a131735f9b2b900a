from libc.stdint cimport int64_t

cdef extern from "tally.h" nogil:
    void tally_count(const double *values, size_t size, const double *edges, size_t bins,
                     int64_t *counts) noexcept
    void tally_rows(const double *values, size_t rows, size_t columns, const double *edges,
                    size_t bins, int64_t *counts) noexcept
