/* The table of core_table.h. */
#include "core_table.h"

static pc_status reduce(pc_type type, int parts, const void *data, size_t count,
                        const pc_output_spec *figure, void *out)
{
    pc_accumulator acc;
    return pc_reduce_contiguous(type, parts, data, count, figure, &acc, out);
}

static size_t accumulator_size(void)
{
    return sizeof(pc_accumulator);
}

static void accumulator_add(pc_accumulator *acc, pc_type type, int parts, const void *data,
                            size_t count)
{
    pc_add_numbers(acc, type, parts, data, count);
}

static uint64_t accumulator_count(const pc_accumulator *acc)
{
    return acc->count;
}

static pc_status accumulator_result(const pc_accumulator *acc, const pc_output_spec *figure,
                                    void *out)
{
    return pc_accumulator_round(acc, figure, out);
}

static pc_status sum_of_squares(uint64_t n, pc_u128 *sum)
{
    if (n > PC_RANGE_MAX)
        return PC_TOO_LARGE;
    pc_formula(n, sum);
    return PC_OK;
}

const pc_core_table pc_core = {
    .api = {.abi = PYCRUST_ABI,
            .size = sizeof(pycrust_capi),
            .simd = pc_simd,
            .reduce = reduce,
            .accumulator_size = accumulator_size,
            .accumulator_init = pc_accumulator_clear,
            .accumulator_add = accumulator_add,
            .accumulator_count = accumulator_count,
            .accumulator_merge = pc_accumulator_merge,
            .accumulator_result = accumulator_result,
            .sum_of_squares = sum_of_squares},
    .size = sizeof(pc_core_table),
    .simd_names = pc_simd_names,
    .simd_usable = pc_simd_usable,
    .simd = pc_simd,
    .simd_use = pc_simd_use,
    .walk_to = pc_walk_to,
    .walk_stops = pc_walk_stops,
    .walk_each = pc_walk_each,
    .walk_even = pc_walk_even,
    .sums_from_even = pc_sums_from_even,
    .formula = pc_formula,
    .formula_many = pc_formula_many,
    .round_many = pc_round_many,
    .accumulator_clear = pc_accumulator_clear,
    .accumulator_clear_bounded = pc_accumulator_clear_bounded,
    .accumulator_merge = pc_accumulator_merge,
    .accumulator_scale = pc_accumulator_scale,
    .accumulator_nonfinite = pc_accumulator_nonfinite,
    .accumulator_add_nonfinite = pc_accumulator_add_nonfinite,
    .accumulator_export = pc_accumulator_export,
    .accumulator_import = pc_accumulator_import,
    .accumulator_round = pc_accumulator_round,
    .round_words = pc_round_words,
    .add_numbers = pc_add_numbers,
    .reduce_contiguous = pc_reduce_contiguous,
    .rounding_test_failures = pc_rounding_test_failures,
    .array_arrange = pc_array_arrange,
    .array_outputs = pc_array_outputs,
    .array_reduction_length = pc_array_reduction_length,
    .array_boundable = pc_array_boundable,
    .array_tile = pc_array_tile,
    .add_tile = pc_add_tile,
    .write_tile = pc_write_tile,
    .reduce = pc_reduce,
};
