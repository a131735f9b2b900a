# pycrust's C functions for other Cython modules: include/pycrust_capi.h says what each does.
#
#     from pycrust.capi cimport PC_FLOAT64, PC_MEAN, import_pycrust, pycrust_reduce
#     import_pycrust()
#
# Each module that calls one of them calls import_pycrust() first, at its top level.

from libc.stdint cimport uint64_t

cdef extern from "pycrust_capi.h" nogil:
    ctypedef int pc_status
    enum:
        PC_OK
        PC_EMPTY
        PC_TOO_LARGE
        PC_INVALID

    ctypedef enum pc_type:
        PC_INT8
        PC_UINT8
        PC_INT16
        PC_UINT16
        PC_INT32
        PC_UINT32
        PC_INT64
        PC_UINT64
        PC_BOOL
        PC_FLOAT16
        PC_FLOAT32
        PC_FLOAT64
        PC_COMPLEX64
        PC_COMPLEX128

    ctypedef enum pc_statistic:
        PC_SUMSQ
        PC_NORM
        PC_RMS
        PC_SUM
        PC_MEAN
        PC_VAR
        PC_STD

    ctypedef struct pc_u128:
        uint64_t lo
        uint64_t hi

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
