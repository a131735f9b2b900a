# The C core for Cython; ../csrc/pycrust.h says what each function does. A module that cimports from here must call
# import_core() first.

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t

from pycrust.types cimport *

cdef extern from "core.h":
    int import_core() except -1

cdef extern from "core.h" nogil:
    enum:
        PC_UNKNOWN_LEVEL
        PC_ABSENT_LEVEL
        PC_OUT_OF_RANGE
        PC_INCONCLUSIVE
        PC_NO_WEIGHT
        PC_UNSUITED
        PC_DOT
        PC_AVERAGE

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
    void pc_walk_even(pc_walk *walk, size_t count, uint64_t *even) noexcept
    void pc_sums_from_even(const uint64_t *even, uint64_t last, const int64_t *n, size_t count, uint64_t *sum) noexcept

    void pc_closed_form(uint64_t n, pc_u128 *sum) noexcept
    void pc_closed_form_many(const int64_t *n, size_t count, uint64_t *lo, uint64_t *hi) noexcept
    void pc_round_many(const uint64_t *lo, const uint64_t *hi, size_t count, double *out) noexcept

    enum:
        PC_LIMBS
        PC_MAX_AXES
        PC_PLUS_INF
        PC_NAN
        PC_NONFINITE_BITS

    ctypedef enum pc_moment:
        PC_SQUARES
        PC_NUMBERS
        PC_IMAGINARY

    ctypedef struct pc_window:
        uint64_t error_bound
        uint32_t flags
        int32_t exponent

    ctypedef struct pc_accumulator:
        uint64_t count
        uint32_t flags
        pc_window windows[3]

    void pc_accumulator_clear(pc_accumulator *acc, pc_statistic statistic) noexcept
    void pc_accumulator_clear_bounded(pc_accumulator *acc, pc_statistic statistic) noexcept
    pc_status pc_accumulator_merge(pc_accumulator *acc, const pc_accumulator *other) noexcept
    void pc_accumulator_scale(pc_accumulator *acc, uint64_t factor) noexcept
    uint32_t pc_accumulator_nonfinite(const pc_accumulator *acc) noexcept
    void pc_accumulator_add_nonfinite(pc_accumulator *acc, uint32_t nonfinite) noexcept
    size_t pc_accumulator_export(const pc_accumulator *acc, pc_moment moment, uint64_t *words,
                                 int *exponent, int *negative) noexcept
    pc_status pc_accumulator_import(pc_accumulator *acc, pc_moment moment, const uint64_t *words,
                                    size_t count, int exponent, int negative) noexcept

    ctypedef struct pc_output_spec:
        pc_statistic statistic
        pc_type type
        int components
        uint64_t ddof
        unsigned ddof_bits

    pc_status pc_accumulator_round(const pc_accumulator *acc, const pc_output_spec *spec, char *out) noexcept
    void pc_round_words(const uint64_t *words, size_t count, int exponent, int negative, int root,
                        pc_type type, char *out) noexcept
    void pc_add_numbers(pc_accumulator *acc, pc_type type, int components, const char *data, size_t count) noexcept
    uint64_t pc_rounding_test_failures() noexcept

    const size_t PC_TILE
    const size_t PC_MIN_SUMS

    ctypedef struct pc_axis:
        size_t length
        ptrdiff_t stride
        ptrdiff_t mask_stride
        ptrdiff_t out_stride
        ptrdiff_t other_stride

    ctypedef struct pc_other:
        pc_type type
        int components
        int swapped
        const char *data
        int conjugate

    ctypedef struct pc_array:
        pc_type type
        int components
        int swapped
        const char *data
        const char *mask
        int skip_nan
        int kept_axes
        int reduced_axes
        uint64_t repeat
        pc_other other
        pc_axis axis[PC_MAX_AXES]

    void pc_array_arrange(pc_array *array) noexcept
    int pc_merge_axes(pc_axis *axis, int count) noexcept
    size_t pc_array_outputs(const pc_array *array) noexcept
    size_t pc_array_reduction_length(const pc_array *array) noexcept
    int pc_array_boundable(const pc_array *array) noexcept

    ctypedef struct pc_tile_sum:
        pc_accumulator total
        ptrdiff_t offset

    size_t pc_array_tile(const pc_array *array, size_t first, size_t last) noexcept
    void pc_add_tile(const pc_array *array, size_t first, size_t count, size_t start, size_t stop,
                      pc_tile_sum *sums) noexcept
    pc_status pc_write_tile(const pc_tile_sum *sums, size_t count, const pc_output_spec *spec, char *out) noexcept
    ctypedef struct pc_vector:
        pc_type type
        int components
        int swapped
        const char *data
        ptrdiff_t stride

    ctypedef struct pc_vector_pair:
        const pc_vector *x
        const pc_vector *y

    void pc_add_vector_pairs(const pc_vector_pair *pairs, size_t count, size_t vectors, size_t start, size_t stop,
                             pc_tile_sum *sums) noexcept
    pc_status pc_round_covariance(const pc_accumulator *products, const pc_accumulator *x, const pc_accumulator *y,
                                  uint64_t freedom, pc_type type, char *out) noexcept
    pc_status pc_round_correlation(const pc_accumulator *products, const pc_accumulator *x, const pc_accumulator *y,
                                   pc_type type, char *out) noexcept
    pc_status pc_reduce(const pc_array *array, size_t first, size_t last, const pc_output_spec *spec,
                        char *out, pc_tile_sum *sums) noexcept
    pc_status pc_reduce_contiguous(pc_type type, int components, const char *data, size_t count,
                                   int skip_nan, const pc_output_spec *spec, pc_tile_sum *sum, char *out) noexcept

    ctypedef struct pc_moving:
        pc_array array
        size_t window
        size_t min_count
        const size_t *start
        const size_t *end
        pc_output_spec spec
        char *out
        const double *carried
        size_t carried_count

    ctypedef struct pc_move_state:
        pass

    size_t pc_move_state_size() noexcept
    size_t pc_move(const pc_moving *moving, size_t row, size_t rows, size_t first, size_t last,
                   size_t budget, pc_move_state *states) noexcept
    enum: PC_MAX_CARRIED
    void pc_move_add(const pc_moving *moving, size_t row, size_t first, size_t last, pc_tile_sum *sum) noexcept
    size_t pc_move_carry(pc_tile_sum *sum, double *carried) noexcept
    size_t pc_cumulate(const pc_moving *moving, size_t row, size_t first, size_t last, pc_u128 *sum) noexcept

    ctypedef struct pc_state:
        uint64_t count
        int16_t exponent
        uint16_t flags
        uint32_t pool
        uint64_t[3] numbers
        uint64_t[4] squares
        uint64_t[3] imaginary

    enum:
        PC_STATE_NUMBERS
        PC_STATE_BOTH
        PC_STATE_COMPLEX

    ctypedef struct pc_states:
        char *at
        size_t size
        size_t count
        pc_accumulator *pool
        size_t pool_used
        size_t pool_size

    pc_status pc_states_add(pc_states *states, size_t index, const pc_accumulator *acc) noexcept
    pc_status pc_states_add_tile(pc_states *states, const pc_tile_sum *sums, size_t count, size_t *done) noexcept
    pc_status pc_states_merge(pc_states *states, const pc_states *other, size_t *done) noexcept
    void pc_states_get(const pc_states *states, size_t index, pc_accumulator *acc) noexcept
    void pc_states_normalize(pc_states *states) noexcept
    pc_status pc_states_round(const pc_states *states, size_t first, size_t last, const pc_output_spec *spec,
                              char *out, size_t *done) noexcept

    ctypedef struct pc_labelled:
        pc_type type
        int components
        int swapped
        int skip_nan
        const char *data
        const char *mask
        pc_type label_type
        int labels_swapped
        const char *labels
        size_t label_count
        size_t label_step
        int axes
        pc_axis[PC_MAX_AXES] axis

    pc_status pc_states_add_labelled(pc_states *states, const pc_labelled *array, size_t *done, size_t stop) noexcept

    ctypedef struct pc_sorted:
        pc_type type
        int skip_nan
        const char *data
        size_t count
        pc_type label_type
        int labels_swapped
        const char *labels

    int pc_sorted_suited(pc_type type, const pc_output_spec *spec) noexcept
    pc_status pc_reduce_sorted(const pc_sorted *array, size_t start, size_t stop, size_t first, size_t last,
                               const pc_output_spec *spec, char *out, pc_tile_sum *sums) noexcept
