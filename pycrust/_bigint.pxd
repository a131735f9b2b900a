from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t

from pycrust.csrc cimport pc_accumulator, pc_moment, pc_output_spec, pc_status, pc_type

cdef object int_from_words(uint64_t *words, size_t count)
cdef object int_from_u128(uint64_t lo, uint64_t hi)
cdef tuple exact_moment(const pc_accumulator *acc, pc_moment moment)
cdef object exact_int(const pc_accumulator *acc, pc_moment moment)
cdef pc_status import_int(pc_accumulator *acc, pc_moment moment, integer, int exponent) except *
cdef pc_status write_exact(const pc_output_spec *spec, tuple ddof, count, tuple sums, uint32_t nonfinite,
                           char *out) except *
cpdef double quotient(integer, int exponent, divisor, bint root=*, int type=*) except? -1
cdef tuple centered_square_sum(count, tuple sums)
cpdef tuple lowest_terms(tuple number)
cdef str shown_int(integer)
cpdef str shown(argument)
