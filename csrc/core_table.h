/* The table of functions of the C core, which is linked into pycrust._core alone. First the public
 * API (pycrust_capi.h); the rest is for pycrust's own modules, and may change with every version.
 */
#ifndef PYCRUST_CORE_TABLE_H
#define PYCRUST_CORE_TABLE_H

#define PYCRUST_NO_IMPORT
#include "../pycrust/include/pycrust_capi.h"
#include "pycrust.h"

typedef struct {
    pycrust_capi api;
    size_t size; /* of this struct; differs between incompatible builds */
    const char *const *simd_names;
    int (*simd_usable)(const char *name);
    const char *(*simd)(void);
    pc_status (*simd_use)(const char *name);
    void (*walk_to)(pc_walk *walk, uint64_t n);
    size_t (*walk_stops)(pc_walk *walk, const uint64_t *stops, size_t count, uint64_t budget,
                         uint64_t *lo, uint64_t *hi);
    void (*walk_each)(pc_walk *walk, size_t count, uint64_t *lo, uint64_t *hi);
    void (*walk_even)(pc_walk *walk, size_t count, uint64_t *even);
    void (*sums_from_even)(const uint64_t *even, uint64_t last, const int64_t *n, size_t count,
                           uint64_t *sum);
    void (*closed_form)(uint64_t n, pc_u128 *sum);
    void (*closed_form_many)(const int64_t *n, size_t count, uint64_t *lo, uint64_t *hi);
    void (*round_many)(const uint64_t *lo, const uint64_t *hi, size_t count, double *out);
    void (*accumulator_clear)(pc_accumulator *acc, pc_statistic statistic);
    void (*accumulator_clear_bounded)(pc_accumulator *acc, pc_statistic statistic);
    pc_status (*accumulator_merge)(pc_accumulator *acc, const pc_accumulator *other);
    void (*accumulator_scale)(pc_accumulator *acc, uint64_t factor);
    uint32_t (*accumulator_nonfinite)(const pc_accumulator *acc);
    void (*accumulator_add_nonfinite)(pc_accumulator *acc, uint32_t nonfinite);
    size_t (*accumulator_export)(const pc_accumulator *acc, pc_moment moment, uint64_t *words,
                                 int *exponent, int *negative);
    pc_status (*accumulator_import)(pc_accumulator *acc, pc_moment moment, const uint64_t *words,
                                    size_t count, int exponent, int negative);
    pc_status (*accumulator_round)(const pc_accumulator *acc, const pc_output_spec *spec,
                                   char *out);
    pc_status (*round_covariance)(const pc_accumulator *products, const pc_accumulator *x,
                                  const pc_accumulator *y, uint64_t freedom, pc_type type,
                                  char *out);
    pc_status (*round_correlation)(const pc_accumulator *products, const pc_accumulator *x,
                                   const pc_accumulator *y, pc_type type, char *out);
    void (*round_words)(const uint64_t *words, size_t count, int exponent, int negative, int root,
                        pc_type type, char *out);
    void (*add_numbers)(pc_accumulator *acc, pc_type type, int components, const char *data,
                        size_t count);
    pc_status (*reduce_contiguous)(pc_type type, int components, const char *data, size_t count,
                                   int skip_nan, const pc_output_spec *spec, pc_tile_sum *sum,
                                   char *out);
    uint64_t (*rounding_test_failures)(void);
    void (*array_arrange)(pc_array *array);
    int (*merge_axes)(pc_axis *axis, int count);
    size_t (*array_outputs)(const pc_array *array);
    size_t (*array_reduction_length)(const pc_array *array);
    int (*array_boundable)(const pc_array *array);
    size_t (*array_tile)(const pc_array *array, size_t first, size_t last);
    void (*add_tile)(const pc_array *array, size_t first, size_t count, size_t start, size_t stop,
                     pc_tile_sum *sums);
    pc_status (*write_tile)(const pc_tile_sum *sums, size_t count, const pc_output_spec *spec,
                            char *out);
    void (*add_vector_pairs)(const pc_vector_pair *pairs, size_t count, size_t vectors,
                             size_t start, size_t stop, pc_tile_sum *sums);
    pc_status (*reduce)(const pc_array *array, size_t first, size_t last,
                        const pc_output_spec *spec, char *out, pc_tile_sum *sums);
    size_t (*move_state_size)(void);
    size_t (*move)(const pc_moving *moving, size_t row, size_t rows, size_t first, size_t last,
                   size_t budget, pc_move_state *states);
    void (*move_add)(const pc_moving *moving, size_t row, size_t first, size_t last,
                     pc_tile_sum *sum);
    size_t (*move_carry)(pc_tile_sum *sum, double *carried);
    size_t (*cumulate)(const pc_moving *moving, size_t row, size_t first, size_t last,
                       pc_u128 *sum);
    pc_status (*states_add)(pc_states *states, size_t index, const pc_accumulator *acc);
    pc_status (*states_add_tile)(pc_states *states, const pc_tile_sum *sums, size_t count,
                                 size_t *done);
    pc_status (*states_merge)(pc_states *states, const pc_states *other, size_t *done);
    void (*states_get)(const pc_states *states, size_t index, pc_accumulator *acc);
    void (*states_normalize)(pc_states *states);
    pc_status (*states_round)(const pc_states *states, size_t first, size_t last,
                              const pc_output_spec *spec, char *out, size_t *done);
    pc_status (*states_add_labelled)(pc_states *states, const pc_labelled *array, size_t *done,
                                     size_t stop);
    int (*sorted_suited)(pc_type type, const pc_output_spec *spec);
    pc_status (*reduce_sorted)(const pc_sorted *array, size_t start, size_t stop, size_t first,
                               size_t last, const pc_output_spec *spec, char *out,
                               pc_tile_sum *sums);
} pc_core_table;

extern const pc_core_table pc_core;

#endif
