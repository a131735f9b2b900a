from pycrust.csrc cimport pc_accumulator, pc_array, pc_result, pc_sum


cdef class Sums:
    cdef pc_sum *at
    cdef size_t count


cdef class Job:
    cdef pc_array array     # all zeros and NULLs at first
    cdef object held        # what the pointers point into
    cdef pc_result result
    cdef char *out          # doubles or uint64s; NULL: Python objects, in `objects`
    cdef object[::1] objects
    cdef size_t positions, depth

    cdef list parts(self, size_t first, size_t count, size_t piece)
    cdef Sums sums(self, size_t first, int workers)
    cdef size_t piece(self, int workers) noexcept
    cdef int run(self, int workers) except -1


cdef object value_of(const pc_accumulator *acc, bint integers, pc_result result)
cdef bint add_quickly(a, pc_accumulator *acc) except -1
cdef Sums add_all(array, mask, int workers)
