# The C face, line for line: ../csrc/pycrust.h says what each does.

from libc.stdint cimport int64_t, uint64_t

cdef extern from "pycrust.h" nogil:
    ctypedef enum pc_status:
        PC_OK
        PC_UNKNOWN_LEVEL
        PC_ABSENT_LEVEL

    ctypedef struct pc_u128:
        uint64_t lo
        uint64_t hi

    double pc_u128_round(const pc_u128 *x) noexcept

    const char *const *pc_simd_names
    int pc_simd_usable(const char *name) noexcept
    const char *pc_simd() noexcept
    pc_status pc_simd_use(const char *name) noexcept

    const uint64_t PC_RANGE_MAX

    ctypedef struct pc_walk:
        uint64_t i
        pc_u128 sum

    void pc_walk_to(pc_walk *walk, uint64_t n) noexcept
    size_t pc_walk_stops(pc_walk *walk, const uint64_t *stops, size_t count,
                         uint64_t budget, uint64_t *lo, uint64_t *hi) noexcept

    void pc_walk_each(pc_walk *walk, size_t count, uint64_t *lo, uint64_t *hi) noexcept

    void pc_formula(uint64_t n, pc_u128 *sum) noexcept
    void pc_formula_many(const int64_t *n, size_t count, uint64_t *lo, uint64_t *hi) noexcept
    void pc_round_many(const uint64_t *lo, const uint64_t *hi, size_t count, double *out) noexcept
