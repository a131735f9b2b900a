# pycrust's C functions for other Cython modules: include/pycrust_capi.h says what each does.
#
#     from pycrust.capi cimport PC_FLOAT64, PC_MEAN, import_pycrust, pycrust_reduce
#     import_pycrust()
#
# Each module that calls one of these functions must call import_pycrust() first, at its top level.

from libc.stdint cimport uint64_t

from pycrust.types cimport *

cdef extern from "pycrust_capi.h" nogil:
    ctypedef struct pc_accumulator:
        pass

    const char *pycrust_simd() noexcept
    pc_status pycrust_reduce(pc_type type, const void *data, size_t count, pc_statistic statistic,
                             uint64_t ddof, pc_type out_type, void *out) noexcept
    size_t pycrust_accumulator_size() noexcept
    pc_status pycrust_accumulator_init(pc_accumulator *acc, pc_statistic statistic) noexcept
    pc_status pycrust_accumulator_add(pc_accumulator *acc, pc_type type, const void *data, size_t count) noexcept
    pc_status pycrust_accumulator_merge(pc_accumulator *acc, const pc_accumulator *other) noexcept
    uint64_t pycrust_accumulator_count(const pc_accumulator *acc) noexcept
    pc_status pycrust_accumulator_result(const pc_accumulator *acc, pc_statistic statistic,
                                         uint64_t ddof, pc_type out_type, void *out) noexcept
    pc_status pycrust_sum_of_squares(uint64_t n, pc_u128 *sum) noexcept

cdef extern from "pycrust_capi.h":
    int import_pycrust() except -1
