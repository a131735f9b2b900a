/* Reductions: the sums of each tile of outputs, bounded or exact, and their results. */
#include "bounded_runs.h"
#include "contiguous.h"
#include "gather.h"
#include "lanes.h"
#include "pairs.h"
#include "../sums/bounded.h"

/* Keeps the large locals of a function out of the stack frame of its caller. */
#ifdef _MSC_VER
#define NOT_INLINED __declspec(noinline)
#else
#define NOT_INLINED __attribute__((noinline))
#endif

/* Add a column of n elements made by gather_columns. */
static void add_copied(pc_accumulator *acc, const pc_array *a, char *x, size_t n, const char *mask,
                       ptrdiff_t mask_stride)
{
    size_t reals = n * (size_t)a->components;
    if (a->swapped)
        swap_bytes(x, size_of_type[a->type], reals);
    acc->count += is_partial(a) ? leave_out(a, x, n, mask, mask_stride) : n;
    add_reals(acc, a->type, a->components, x, reals);
}

/* Add n elements along one axis. */
static void add_run(pc_accumulator *acc, const pc_array *a, const char *data, const char *mask,
                    pc_axis axis, size_t n)
{
    size_t size = size_of_type[a->type] * (size_t)a->components,
           max = 2 * BUFFER / (size_t)a->components, m;
    if (acc->flags & PC_BOUNDED && a->components == 1 && !a->mask && !a->swapped &&
        has_bounded(a->type)) {
        acc->count += n - add_bounded(acc, a->type, 1, data, axis.stride, n, skips_nan(a));
        return;
    }
    if (axis.stride == (ptrdiff_t)size && !is_partial(a) && !a->swapped) {
        acc->count += n;
        add_reals(acc, a->type, a->components, data, n * (size_t)a->components);
        return;
    }
    for (; n; n -= m) {
        double block[2 * BUFFER];
        m = n < max ? n : max;
        gather_columns((char *)block, 0, data, size, m, axis.stride, 1, 0);
        add_copied(acc, a, (char *)block, m, mask, axis.mask_stride);
        data += (ptrdiff_t)m * axis.stride;
        if (mask)
            mask += (ptrdiff_t)m * axis.mask_stride;
    }
}

/* Add n elements along one axis, copied to blocks, for each of the columns first to last - 1 along
 * another. */
static void add_gathered_columns(pc_tile_sum *sums, const pc_array *a, const char *data,
                                 const char *mask, pc_axis along, size_t n, pc_axis across,
                                 size_t first, size_t last)
{
    /* One cache line more than a column, so that columns do not share cache sets. */
    enum { COLUMNS = 8, BYTES = 512, PITCH = BYTES + 64 };
    size_t size = size_of_type[a->type] * (size_t)a->components, max = BYTES / size, columns, m;
    char block[COLUMNS * PITCH];
    for (; first < last; first += columns) {
        columns = last - first < COLUMNS ? last - first : COLUMNS;
        for (size_t row = 0; row < n; row += m) {
            m = n - row < max ? n - row : max;
            gather_columns(block, PITCH,
                           data + (ptrdiff_t)row * along.stride + (ptrdiff_t)first * across.stride,
                           size, m, along.stride, columns, across.stride);
            for (size_t c = 0; c < columns; c++) {
                const char *with = mask ? mask + (ptrdiff_t)row * along.mask_stride +
                                              (ptrdiff_t)(first + c) * across.mask_stride
                                        : NULL;
                add_copied(&sums[first + c].total, a, block + c * PITCH, m, with,
                           along.mask_stride);
            }
        }
    }
}

/* Add n pairs along one axis, for each of `count` outputs along another. */
static void add_pairs(const pc_array *a, pc_tile_sum *sums, pair_data from, pc_axis along, size_t n,
                      pc_axis across, size_t count, int across_first)
{
    if (across_first) {
        add_pair_columns(sums, a, from, along, n, across, count);
        return;
    }
    for (size_t c = 0; c < count; c++) {
        add_pair_run(&sums[c].total, a, from, along, n);
        from.x += across.stride;
        from.y += across.other_stride;
        if (from.mask)
            from.mask += across.mask_stride;
    }
}

static void add_to_tile(const pc_array *a, size_t first, size_t count, size_t start, size_t stop,
                        pc_tile_sum *sums)
{
    pc_axis across = a->kept_axes ? a->axis[a->kept_axes - 1] : no_axis;
    pc_axis along = a->reduced_axes ? a->axis[a->kept_axes + a->reduced_axes - 1] : no_axis;
    int outer_axes = a->reduced_axes ? a->reduced_axes - 1 : 0;
    int across_first = count > 1 && stride_size(across.stride) < stride_size(along.stride);
    offsets origin = offsets_of(a->axis, a->kept_axes, first);

    for (size_t c = 0; c < count; c++)
        sums[c].offset = origin.out + (ptrdiff_t)c * across.out_stride;
    for (size_t rows; start < stop; start += rows) { /* part of an innermost axis, or all of it */
        ptrdiff_t row = (ptrdiff_t)(start % along.length);
        offsets at = offsets_of(a->axis + a->kept_axes, outer_axes, start / along.length);
        const char *data = a->data + origin.data + at.data + row * along.stride, *mask = NULL;
        if (a->mask)
            mask = a->mask + origin.mask + at.mask + row * along.mask_stride;
        rows = along.length - (size_t)row;
        rows = stop - start < rows ? stop - start : rows;
        if (a->other.data) {
            const pair_data pairs = {
                data, a->other.data + origin.other + at.other + row * along.other_stride, mask};
            add_pairs(a, sums, pairs, along, rows, across, count, across_first);
            continue;
        }
        if (across_first) {
            size_t done = 0;
            if (is_float(a->type) && a->components == 1 && !a->swapped && !a->mask &&
                across.stride == (ptrdiff_t)size_of_type[a->type])
                done = add_columns(sums, a->type, data, along.stride, rows, count, skips_nan(a));
            add_gathered_columns(sums, a, data, mask, along, rows, across, done, count);
            continue;
        }
        for (size_t c = 0; c < count; c++)
            add_run(&sums[c].total, a, data + (ptrdiff_t)c * across.stride,
                    mask ? mask + (ptrdiff_t)c * across.mask_stride : NULL, along, rows);
    }
}

void pc_add_tile(const pc_array *a, size_t first, size_t count, size_t start, size_t stop,
                 pc_tile_sum *sums)
{
    fpenv callers = fpenv_enter();
    add_to_tile(a, first, count, start, stop, sums);
    fpenv_leave(callers);
}

void pc_add_vector_pairs(const pc_vector_pair *pairs, size_t count, size_t vectors, size_t start,
                         size_t stop, pc_tile_sum *sums)
{
    /* So many elements at a time that those of all vectors stay in the cache. */
    size_t max = (1 << 15) / (vectors + 1), n;
    max = max < 512 ? 512 : max - max % 512;
    pc_array a;
    a.kept_axes = a.skip_nan = 0;
    a.reduced_axes = 1;
    a.mask = NULL;
    a.other.conjugate = 1;
    fpenv callers = fpenv_enter();
    for (; start < stop; start += n) {
        n = stop - start < max ? stop - start : max;
        for (size_t k = 0; k < count; k++) {
            const pc_vector *x = pairs[k].x, *y = pairs[k].y; /* y first: it is conjugated */
            a.type = y->type;
            a.components = y->components;
            a.swapped = y->swapped;
            a.data = y->data;
            a.other.type = x->type;
            a.other.components = x->components;
            a.other.swapped = x->swapped;
            a.other.data = x == y ? NULL : x->data;
            a.axis[0] = (pc_axis){stop, y->stride, 0, 0, x->stride};
            add_to_tile(&a, 0, 1, start, start + n, sums + k);
        }
    }
    fpenv_leave(callers);
}

int pc_array_boundable(const pc_array *a)
{
    const int floats = a->other.data ? products_are_floats(a) : is_float(a->type);
    return floats && pc_array_reduction_length(a) >= pc_kernels_in_use()->min_bounded;
}

static void sum_tile(const pc_array *a, size_t first, size_t count, size_t length,
                     pc_statistic statistic, int bounded, pc_tile_sum *sums)
{
    for (size_t c = 0; c < count; c++)
        if (bounded)
            pc_accumulator_clear_bounded(&sums[c].total, statistic);
        else
            pc_accumulator_clear(&sums[c].total, statistic);
    add_to_tile(a, first, count, 0, length, sums);
    if (a->repeat != 1)
        for (size_t c = 0; c < count; c++)
            pc_accumulator_scale(&sums[c].total, a->repeat);
}

pc_status pc_write_tile(const pc_tile_sum *sums, size_t count, const pc_output_spec *spec,
                        char *out)
{
    pc_status status = PC_OK;
    for (size_t c = 0; c < count; c++) {
        pc_status one = pc_accumulator_round(&sums[c].total, spec, out + sums[c].offset);
        if (one == PC_TOO_LARGE || one == PC_INCONCLUSIVE)
            return one;
        status = one ? one : status;
    }
    return status;
}

/* The results of one tile. Ziv's strategy: by bounded sums first; where the rounding test of one
 * fails, all of them exactly. */
static pc_status reduce_tile(const pc_array *a, size_t first, size_t count, size_t length,
                             const pc_output_spec *spec, int bounded, char *out, pc_tile_sum *sums)
{
    sum_tile(a, first, count, length, spec->statistic, bounded, sums);
    const pc_status status = pc_write_tile(sums, count, spec, out);
    return status == PC_INCONCLUSIVE ? reduce_tile(a, first, count, length, spec, 0, out, sums)
                                     : status;
}

/* The results at the outputs first to last - 1. */
static pc_status reduce_tiles(const pc_array *a, size_t first, size_t last,
                              const pc_output_spec *spec, int bounded, char *out, pc_tile_sum *sums)
{
    pc_status status = PC_OK;
    const size_t length = pc_array_reduction_length(a);
    for (size_t count; first < last && status != PC_TOO_LARGE; first += count) {
        count = pc_array_tile(a, first, last);
        pc_status tile = reduce_tile(a, first, count, length, spec, bounded, out, sums);
        status = tile == PC_OK ? status : tile;
    }
    return status;
}

/* The same in lanes, of one lane each, or of two if `paired`: those of the components of the
 * complex numbers of *a, which *lanes has apart. Only outputs that fail their rounding test are
 * summed exactly. Returns 0 if the array is not suited to lanes. */
static NOT_INLINED int reduce_lanes(const pc_array *lanes, int paired, const pc_array *a,
                                    size_t first, size_t last, const pc_output_spec *spec,
                                    char *out, pc_tile_sum *sums, pc_status *result)
{
    const size_t each = paired ? 2 : 1;
    pc_status status = PC_OK;
    uint64_t certain[LANE_COLUMNS];
    lane_job job;
    int all;
    if (!lanes_start(&job, lanes, spec, first * each, (last - first) * each, paired))
        return 0;
    for (size_t count; first < last && status != PC_TOO_LARGE; first += count) {
        count = lanes_next(&job, (last - first) * each, out, certain, &all, sums) / each;
        for (size_t k = 0, next; !all && k < count && status != PC_TOO_LARGE; k = next) {
            next = k + 1;
            if (certain[k * each])
                continue;
            for (count_rounding_test_failure(); next < count && !certain[next * each]; next++)
                count_rounding_test_failure();
            pc_status some = reduce_tiles(a, first + k, first + next, spec, 0, out, sums);
            status = some == PC_OK ? status : some;
        }
    }
    *result = status;
    return 1;
}

/* In lanes, or by tiles if the array is not suited. */
static pc_status reduce_real(const pc_array *a, size_t first, size_t last,
                             const pc_output_spec *spec, char *out, pc_tile_sum *sums)
{
    pc_status status;
    if (!reduce_lanes(a, 0, a, first, last, spec, out, sums, &status))
        status = reduce_tiles(a, first, last, spec, pc_array_boundable(a), out, sums);
    return status;
}

/* Of complex numbers, a sum or a mean is one of each component; the sum of squares, and what is
 * made of it, adds those of both. */
static NOT_INLINED pc_status reduce_complex(const pc_array *a, size_t first, size_t last,
                                            const pc_output_spec *spec, char *out,
                                            pc_tile_sum *sums)
{
    const size_t size = size_of_type[spec->type] * (size_t)spec->components;
    pc_array reals;
    pc_status status;
    if (split_components(&reals, a, (ptrdiff_t)size / 2)) {
        if (spec->components == 2) {
            /* By halves: there is room for no more than last - first sums. */
            const size_t middle = first + last;
            pc_output_spec of_reals = *spec;
            of_reals.components = 1;
            int done =
                reduce_lanes(&reals, 0, &reals, 2 * first, middle, &of_reals, out, sums, &status);
            if (!done && reals.axis[reals.kept_axes - 1].length > 2) { /* columns side by side */
                status = reduce_tiles(&reals, 2 * first, middle, &of_reals,
                                      pc_array_boundable(&reals), out, sums);
                done = 1;
            }
            if (done) {
                const pc_status rest = reduce_real(&reals, middle, 2 * last, &of_reals, out, sums);
                return status ? status : rest;
            }
        } else if (reduce_lanes(&reals, 1, a, first, last, spec, out, sums, &status)) {
            return status;
        }
    }
    return reduce_tiles(a, first, last, spec, pc_array_boundable(a), out, sums);
}

pc_status pc_reduce(const pc_array *a, size_t first, size_t last, const pc_output_spec *spec,
                    char *out, pc_tile_sum *sums)
{
    fpenv callers = fpenv_enter();
    const int apart = a->components == 2 && last - first > 1 && !a->other.data && !skips_nan(a) &&
                      (spec->components == 2 || !is_linear(spec->statistic));
    const pc_status status =
        (apart ? reduce_complex : reduce_real)(a, first, last, spec, out, sums);
    fpenv_leave(callers);
    return status;
}

pc_status pc_reduce_contiguous(pc_type type, int components, const char *data, size_t count,
                               int skip_nan, const pc_output_spec *spec, pc_tile_sum *sum,
                               char *out)
{
    const size_t reals = count * (size_t)components;
    const int bounded = is_float(type) && reals >= pc_kernels_in_use()->min_bounded;
    if (!bounded && !skip_nan) { /* few numbers, or integers: saves 5 % for ten numbers */
        pc_accumulator_clear(&sum->total, spec->statistic);
        pc_add_numbers(&sum->total, type, components, data, count);
        return pc_accumulator_round(&sum->total, spec, out);
    }
    pc_array array;
    set_run(&array, type, components, data, count, (ptrdiff_t)size_of_type[type] * components);
    array.skip_nan = skip_nan;
    fpenv callers = fpenv_enter();
    const pc_status status = reduce_tile(&array, 0, 1, count, spec, bounded, out, sum);
    fpenv_leave(callers);
    return status;
}
