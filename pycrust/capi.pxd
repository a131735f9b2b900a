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

    ctypedef struct pc_states:
        char *at
        size_t size, count
        pc_accumulator *pool
        size_t pool_used, pool_size

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
    size_t pycrust_state_size(pc_statistic statistic) noexcept
    pc_status pycrust_states_add(pc_states *states, pc_type type, const void *data, pc_type label_type,
                                 const void *labels, size_t count, size_t *done) noexcept
    pc_status pycrust_states_merge(pc_states *states, const pc_states *other, size_t *done) noexcept
    uint64_t pycrust_states_count(const pc_states *states, size_t index) noexcept
    pc_status pycrust_states_result(const pc_states *states, pc_statistic statistic, uint64_t ddof,
                                    pc_type out_type, void *out, size_t stop, size_t *done) noexcept

cdef extern from "pycrust_capi.h":
    int import_pycrust() except -1
