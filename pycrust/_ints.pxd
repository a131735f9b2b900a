from libc.stdint cimport uint32_t

from pycrust.csrc cimport pc_accumulator, pc_figure, pc_part, pc_status

cdef tuple exact_part(const pc_accumulator *acc, pc_part part)
cdef object exact_int(const pc_accumulator *acc, pc_part part)
cdef pc_status import_int(pc_accumulator *acc, pc_part part, integer, int exponent) except *
cdef pc_status write_exact(const pc_figure *figure, tuple ddof, count, tuple sums, uint32_t special,
                           char *out) except *
cdef tuple spread_of(count, tuple sums)
cdef str shown_int(integer)
