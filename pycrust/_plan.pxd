from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport uint64_t

from pycrust.csrc cimport pc_accumulator, pc_array, pc_output_spec, pc_moment, pc_statistic, pc_status, pc_sum, pc_type


cdef class Statistic:
    cdef pc_output_spec c
    cdef tuple ddof             # (integer, bits): integer / 2**bits, which C may not take
    cdef bint skip_nan          # as NumPy's nansum, nanmean, nanvar, nanstd

    cdef int set_dtype(self, dtype) except -1
    cdef bint is_for_c(self, uint64_t count) except -1
    cdef pc_status write(self, const pc_accumulator *acc, char *out) except *


cdef class Accumulators:
    cdef pc_sum *at
    cdef size_t count


# What one thread has to say of its pieces: the worst status, and which piece gave it.
cdef struct WorkerStatus:
    pc_status status
    size_t piece


# What the threads of a job see.
cdef struct PlanState:
    pc_array array      # all zeros and NULLs at first
    pc_output_spec figure
    char *out           # NULL: Python objects, in Plan.objects
    size_t positions, depth
    size_t first, count         # the tile to add to
    size_t step                 # what a piece has, of `positions` or of `depth`
    pc_sum *sums                # of each worker `count`
    WorkerStatus *reports             # of each worker


cdef class Plan:
    cdef PlanState shares
    cdef object held            # what the pointers point into
    cdef Statistic figure
    cdef object[::1] objects
    cdef size_t workers
    cdef readonly object too_large      # (offset in `out`, exact sum) of a sum that its type does not hold

    cdef size_t piece(self) noexcept
    cdef bint is_quick(self, size_t positions) noexcept
    cdef Accumulators sums(self, size_t first, bint bounded)
    cdef pc_status run(self) except *
    cdef pc_status write(self, Accumulators sums) except *
    cdef pc_status reduce(self) except *


# Numbers one behind the other, native, not so many that Ctrl-C would have to wait.
cdef struct Contiguous:
    pc_type type
    int parts
    ptrdiff_t size              # of a number, in bytes
    size_t count
    const char *data


cdef object one_ddof(ddof, correction)
cdef bint is_spread(pc_statistic result) noexcept
cdef int warn_empty(pc_statistic result, bint skip_nan) except -1
cdef pc_moment part_of(pc_statistic result) noexcept
cdef bint is_contiguous(a, Contiguous *plain) noexcept
cdef void add_contiguous(const Contiguous *plain, pc_accumulator *acc, pc_statistic result) noexcept
cdef Accumulators add_all(array, mask, size_t workers, bint skip_nan)
cdef tuple sums_of_ints(array, mask, tuple axes)
cdef object checked_int(total, dtype, position, pc_statistic result)
cdef object reduction(a, axis, dtype, out, bint keepdims, where, workers, pc_statistic result, ddof=*, correction=*,
                      bint skip_nan=*)
