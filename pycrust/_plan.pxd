from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport uint64_t

from pycrust.csrc cimport (
    pc_accumulator,
    pc_array,
    pc_axis,
    pc_moment,
    pc_output_spec,
    pc_statistic,
    pc_status,
    pc_tile_sum,
    pc_type,
)


cdef enum:
    # Elements in a chunk of a long job: milliseconds of work, tens of them in the worst layouts.
    CHUNK = 1 << 19
    # The fewest: microseconds of work.
    MIN_CHUNK = 1 << 14


cdef class Statistic:
    cdef pc_output_spec c
    cdef tuple ddof             # (integer, bits): integer / 2**bits; see is_for_c
    cdef bint skip_nan          # as NumPy's nansum, nanmean, nanvar, nanstd

    cdef int set_dtype(self, dtype) except -1
    cdef bint is_for_c(self, uint64_t count) except -1
    cdef pc_status write(self, const pc_accumulator *acc, char *out) except *


cdef class Accumulators:
    cdef pc_tile_sum *at
    cdef size_t count
    cdef Accumulators clear(self, bint bounded, pc_statistic statistic)


# What one thread reports of its chunks: the worst status, and the chunk that gave it.
cdef struct WorkerStatus:
    pc_status status
    size_t chunk


# What the threads of a job see.
cdef struct PlanJob:
    pc_array array      # all zeros and NULLs at first
    pc_output_spec spec
    char *out           # NULL: Python objects, in Plan.objects
    size_t outputs, length
    size_t first, count         # the tile to add to
    size_t step                 # the size of a chunk: in outputs, or in elements of each output
    pc_tile_sum *sums           # `count` for each worker
    WorkerStatus *statuses      # one for each worker


cdef class Plan:
    cdef PlanJob job
    cdef object keepalive       # what the pointers point into
    cdef Statistic spec
    cdef object objects                 # an array of one axis, over `out`
    cdef size_t workers
    cdef readonly object too_large      # (offset in `out`, exact sum) of a sum that its type does not hold

    cdef double work(self, size_t outputs) noexcept
    cdef bint is_of_columns(self) noexcept
    cdef Accumulators sums(self, size_t first, bint bounded)
    cdef pc_status run(self) except *
    cdef pc_status write(self, Accumulators sums) except *
    cdef pc_status reduce(self) except *


# Contiguous numbers in native byte order, too few to keep Ctrl-C waiting.
cdef struct Contiguous:
    pc_type type
    int components
    ptrdiff_t size              # of a number, in bytes
    size_t count
    const char *data


cdef pc_axis axis_of(array, mask, other, int k) noexcept
cdef pc_output_spec default_spec(pc_statistic statistic) noexcept
cdef object ddof_or_correction(ddof, correction)
cdef bint is_variance(pc_statistic statistic) noexcept
cdef int warn_empty(pc_statistic statistic, bint skip_nan) except -1
cdef pc_moment moment_of(pc_statistic statistic) noexcept
cdef bint is_contiguous(a, Contiguous *plain) noexcept
cdef void add_contiguous(const Contiguous *plain, pc_accumulator *acc, pc_statistic statistic) noexcept
cdef size_t chunk_size(size_t total, size_t workers) noexcept
cdef void clear_sum(pc_accumulator *acc, bint bounded, int statistic) noexcept
cdef Accumulators add_all(array, mask, size_t workers, bint skip_nan)
cdef tuple moments_of_ints(array, mask, tuple axes)
cdef bint holds(dtype, total) except -1
cdef object checked_int(total, dtype, position, pc_statistic statistic)
cdef object reduce_contiguous(const Contiguous *plain, bint integers, pc_output_spec spec, bint skip_nan)
cdef int reduce_into(values, array, mask, tuple axes, size_t workers, Statistic spec, other=*,
                     bint conjugate=*) except -1
cdef int raise_too_large(position, total, dtype, pc_statistic statistic) except -1
