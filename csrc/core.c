/* The table of core_table.h, and the functions of pycrust_capi.h: they check what the core takes
 * for granted. */
#include "core_table.h"
#include "array/widen.h"
#include "sums/states.h"

/* How many numbers of type *real one of `type` consists of: 1, 2 if it is complex, 0 if there is
 * no such type. */
static int split(pc_type type, pc_type *real)
{
    if ((unsigned)type > PC_COMPLEX128)
        return 0;
    *real = type == PC_COMPLEX64 ? PC_FLOAT32 : type == PC_COMPLEX128 ? PC_FLOAT64 : type;
    return *real == type ? 1 : 2;
}

static int is_statistic(pc_statistic statistic)
{
    return (unsigned)statistic <= PC_STD;
}

/* Whether a result may have that type; sets *spec for the core. */
static int specify(pc_statistic statistic, uint64_t ddof, pc_type out_type, pc_output_spec *spec)
{
    spec->statistic = statistic;
    spec->components = split(out_type, &spec->type);
    spec->ddof = ddof;
    spec->ddof_bits = 0;
    if (!is_statistic(statistic) || spec->components == 0)
        return 0;
    if (spec->components == 2)
        return is_linear(statistic);
    return is_float(out_type) || ((out_type == PC_INT64 || out_type == PC_UINT64) &&
                                  (statistic == PC_SUM || statistic == PC_SUMSQ));
}

static pc_status api_accumulator_init(pc_accumulator *acc, pc_statistic statistic)
{
    if (!is_statistic(statistic))
        return PC_INVALID;
    pc_accumulator_clear(acc, statistic);
    return PC_OK;
}

static size_t api_accumulator_size(void)
{
    return sizeof(pc_accumulator);
}

static pc_status api_accumulator_add(pc_accumulator *acc, pc_type type, const void *data,
                                     size_t count)
{
    const int components = split(type, &type);
    if (!components)
        return PC_INVALID;
    if (count > UINT64_MAX - acc->count)
        return PC_TOO_LARGE;
    acc->flags |= components == 2 ? PC_WITH_COMPLEX : 0;
    pc_add_numbers(acc, type, components, data, count);
    return PC_OK;
}

static pc_status api_accumulator_merge(pc_accumulator *acc, const pc_accumulator *other)
{
    const uint32_t missing = acc->flags & ~other->flags;
    if (missing & (PC_WITH_NUMBERS | PC_WITH_SQUARES))
        return PC_INVALID;
    const pc_status status = pc_accumulator_merge(acc, other);
    if (status == PC_OK)
        acc->flags |= other->flags & PC_WITH_COMPLEX;
    return status;
}

static uint64_t api_accumulator_count(const pc_accumulator *acc)
{
    return acc->count;
}

static pc_status api_accumulator_result(const pc_accumulator *acc, pc_statistic statistic,
                                        uint64_t ddof, pc_type out_type, void *out)
{
    pc_output_spec spec;
    if (!specify(statistic, ddof, out_type, &spec) || sums_for(statistic) & ~acc->flags)
        return PC_INVALID;
    if (acc->flags & PC_WITH_COMPLEX && spec.components == 1 && is_linear(statistic))
        return PC_INVALID;
    if (pc_accumulator_nonfinite(acc) && !is_float(spec.type))
        return PC_TOO_LARGE;
    return pc_accumulator_round(acc, &spec, out);
}

static pc_status api_reduce(pc_type type, const void *data, size_t count, pc_statistic statistic,
                            uint64_t ddof, pc_type out_type, void *out)
{
    pc_tile_sum sum;
    pc_output_spec spec;
    pc_type real;
    const int components = split(type, &real);
    if (!components || !specify(statistic, ddof, out_type, &spec))
        return PC_INVALID;
    if (components == 2 && spec.components == 1 && is_linear(statistic))
        return PC_INVALID;
    if (is_float(spec.type))
        return pc_reduce_contiguous(real, components, data, count, 0, &spec, &sum, out);
    pc_accumulator_clear(&sum.total, statistic); /* an integer result needs the exact sum */
    pc_add_numbers(&sum.total, real, components, data, count);
    return api_accumulator_result(&sum.total, statistic, ddof, out_type, out);
}

static pc_status api_sum_of_squares(uint64_t n, pc_u128 *sum)
{
    if (n > PC_RANGE_MAX)
        return PC_TOO_LARGE;
    pc_closed_form(n, sum);
    return PC_OK;
}

static size_t api_state_size(pc_statistic statistic)
{
    return !is_statistic(statistic)                ? 0
           : sums_for(statistic) & PC_WITH_SQUARES ? PC_STATE_BOTH
                                                   : PC_STATE_NUMBERS;
}

static int are_states(const pc_states *states)
{
    return (states->size == PC_STATE_NUMBERS || states->size == PC_STATE_BOTH) &&
           states->pool_used <= states->pool_size && states->pool_size <= UINT32_MAX;
}

static pc_status api_states_add(pc_states *states, pc_type type, const void *data,
                                pc_type label_type, const void *labels, size_t count, size_t *done)
{
    pc_labelled a;
    if (!are_states(states) || split(type, &type) != 1 || (unsigned)label_type > PC_UINT64 ||
        *done > count)
        return PC_INVALID;
    const size_t label_size = size_of_type[label_type];
    a.type = type;
    a.components = 1;
    a.swapped = a.skip_nan = a.labels_swapped = 0;
    a.data = data;
    a.mask = NULL;
    a.label_type = label_type;
    a.labels = labels;
    a.label_count = states->count;
    a.label_step = 1;
    a.axes = 1;
    a.axis[0] = (pc_axis){.length = count,
                          .stride = (ptrdiff_t)size_of_type[type],
                          .other_stride = (ptrdiff_t)label_size};
    pc_status status = pc_states_add_labelled(states, &a, done, count);
    if (status != PC_NO_LABEL)
        return status;
    size_t stop = *done; /* nothing of its batch has been added: add what is before it */
    for (int64_t label; stop < count; stop++) {
        widen_labels(&label, label_type, a.labels + stop * label_size, 1);
        if (label >= 0 && (uint64_t)label >= states->count)
            break;
    }
    status = pc_states_add_labelled(states, &a, done, stop);
    return status == PC_OK ? PC_NO_LABEL : status;
}

static pc_status api_states_merge(pc_states *states, const pc_states *other, size_t *done)
{
    if (!are_states(states) || !are_states(other) || states->size != other->size ||
        states->count != other->count || *done > states->count)
        return PC_INVALID;
    return pc_states_merge(states, other, done);
}

static uint64_t api_states_count(const pc_states *states, size_t index)
{
    return are_states(states) && index < states->count ? state_at(states, index)->count : 0;
}

static pc_status api_states_result(const pc_states *states, pc_statistic statistic, uint64_t ddof,
                                   pc_type out_type, void *out, size_t stop, size_t *done)
{
    pc_output_spec spec;
    if (!are_states(states) || !specify(statistic, ddof, out_type, &spec) || spec.components != 1 ||
        api_state_size(statistic) > states->size || stop > states->count || *done > stop)
        return PC_INVALID;
    if (*done == stop)
        return PC_OK;
    size_t end = *done; /* up to the first state whose sum is no integer, but NaN or Inf */
    while (end < stop && (is_float(spec.type) || !state_at(states, end)->flags))
        end++;
    const size_t size = size_of_type[spec.type];
    const pc_status status =
        pc_states_round(states, *done, end, &spec, (char *)out + *done * size, done);
    return status == PC_OK && end < stop ? PC_TOO_LARGE : status;
}

const pc_core_table pc_core = {
    .api = {.abi = PYCRUST_ABI,
            .size = sizeof(pycrust_capi),
            .simd = pc_simd,
            .reduce = api_reduce,
            .accumulator_size = api_accumulator_size,
            .accumulator_init = api_accumulator_init,
            .accumulator_add = api_accumulator_add,
            .accumulator_merge = api_accumulator_merge,
            .accumulator_count = api_accumulator_count,
            .accumulator_result = api_accumulator_result,
            .sum_of_squares = api_sum_of_squares,
            .state_size = api_state_size,
            .states_add = api_states_add,
            .states_merge = api_states_merge,
            .states_count = api_states_count,
            .states_result = api_states_result},
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
    .closed_form = pc_closed_form,
    .closed_form_many = pc_closed_form_many,
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
    .merge_axes = pc_merge_axes,
    .array_outputs = pc_array_outputs,
    .array_reduction_length = pc_array_reduction_length,
    .array_boundable = pc_array_boundable,
    .array_tile = pc_array_tile,
    .add_tile = pc_add_tile,
    .write_tile = pc_write_tile,
    .add_vector_pairs = pc_add_vector_pairs,
    .round_covariance = pc_round_covariance,
    .round_correlation = pc_round_correlation,
    .reduce = pc_reduce,
    .move_state_size = pc_move_state_size,
    .move = pc_move,
    .move_add = pc_move_add,
    .move_carry = pc_move_carry,
    .cumulate = pc_cumulate,
    .states_add = pc_states_add,
    .states_add_tile = pc_states_add_tile,
    .states_merge = pc_states_merge,
    .states_get = pc_states_get,
    .states_normalize = pc_states_normalize,
    .states_round = pc_states_round,
    .states_add_labelled = pc_states_add_labelled,
    .sorted_suited = pc_sorted_suited,
    .reduce_sorted = pc_reduce_sorted,
};
