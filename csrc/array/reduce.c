/* Sums of arrays: axes and strides, positions and tiles, results. */
#include "contiguous.h"
#include "bounded_runs.h"
#include "../sums/bounded.h"
#include "../base/fpenv.h"
#include "lanes.h"

#include <string.h>

/* ---- strides into blocks ------------------------------------------------- */

static size_t size_of(ptrdiff_t stride)
{
    return stride < 0 ? 0 - (size_t)stride : (size_t)stride;
}

/* columns x rows elements of `size` bytes, each column contiguous at `to`. */
#define COPY(size)                                                                                 \
    if (columns == 1)                                                                              \
        for (size_t r = 0; r < rows; r++, from += row_stride) {                                    \
            prefetch(from, ahead);                                                                 \
            memcpy(to + r * size, from, size);                                                     \
        }                                                                                          \
    else                                                                                           \
        for (size_t r = 0; r < rows; r++, from += row_stride) {                                    \
            prefetch(from, 16 * row_stride);                                                       \
            prefetch(from, 16 * row_stride + (ptrdiff_t)columns * column_stride - 1);              \
            for (size_t c = 0; c < columns; c++)                                                   \
                memcpy(to + c * pitch + r * size, from + (ptrdiff_t)c * column_stride, size);      \
        }

static void copy(char *to, size_t pitch, const char *from, size_t size, size_t rows,
                 ptrdiff_t row_stride, size_t columns, ptrdiff_t column_stride)
{
    /* Prefetch some kilobytes or some rows ahead, whichever is farther. */
    const ptrdiff_t ahead = row_stride * (size_of(row_stride) <= 64 ? 512 : 32);
    switch (size) {
    case 1: COPY(1) break;
    case 2: COPY(2) break;
    case 4: COPY(4) break;
    case 8: COPY(8) break;
    default: COPY(16) break;
    }
}

static void swap_bytes(char *x, size_t size, size_t n)
{
    for (size_t k = 0; k < n; k++, x += size)
        for (size_t low = 0, high = size - 1; low < high; low++, high--) {
            char byte = x[low];
            x[low] = x[high];
            x[high] = byte;
        }
}

static int skips_nan(const pc_array *a)
{
    return a->skip_nan && is_float(a->type);
}

/* Whether elements may be left out, by a mask or as NaN. */
static int is_partial(const pc_array *a)
{
    return a->mask || skips_nan(a);
}

/* Put 0 in the place of what is left out, of n elements of so many parts: where the mask has 0,
 * and, if skip_nan, where a part is NaN, that is above Inf in size. Returns how many are left. */
#define KEEP_OF(word, infinity)                                                                    \
    static inline size_t keep_##word(char *x, size_t parts, size_t n, const char *mask,            \
                                     ptrdiff_t mask_stride, int skip_nan)                          \
    {                                                                                              \
        const word inf2 = (word)((word)(infinity) << 1);                                           \
        size_t left = 0;                                                                           \
        for (size_t k = 0; k < n; k++, x += parts * sizeof(word)) {                                \
            word part[2] = {0, 0};                                                                 \
            int keep = !mask || mask[(ptrdiff_t)k * mask_stride];                                  \
            memcpy(part, x, parts * sizeof(word));                                                 \
            const int nan = ((word)(part[0] << 1) > inf2) | ((word)(part[1] << 1) > inf2);         \
            keep &= !(skip_nan & nan);                                                             \
            part[0] &= (word)(0 - (word)keep);                                                     \
            part[1] &= (word)(0 - (word)keep);                                                     \
            memcpy(x, part, parts * sizeof(word));                                                 \
            left += (size_t)keep;                                                                  \
        }                                                                                          \
        return left;                                                                               \
    }
KEEP_OF(uint8_t, 0)
KEEP_OF(uint16_t, 0x7c00)
KEEP_OF(uint32_t, 0x7f800000)
KEEP_OF(uint64_t, UINT64_C(0x7ff) << 52)

static size_t keep(const pc_array *a, char *x, size_t n, const char *mask, ptrdiff_t mask_stride)
{
    const int skip_nan = skips_nan(a), two = a->parts == 2;
    switch (size_of_type[a->type]) {
    case 1: return keep_uint8_t(x, 1, n, mask, mask_stride, 0);
    case 2: return keep_uint16_t(x, 1, n, mask, mask_stride, skip_nan);
    case 4:
        return two ? keep_uint32_t(x, 2, n, mask, mask_stride, skip_nan)
                   : keep_uint32_t(x, 1, n, mask, mask_stride, skip_nan);
    default:
        return two        ? keep_uint64_t(x, 2, n, mask, mask_stride, skip_nan)
               : skip_nan ? keep_uint64_t(x, 1, n, mask, mask_stride, 1)
                          : keep_uint64_t(x, 1, n, mask, mask_stride, 0);
    }
}

/* Add a column of n elements made by `copy`, at most 2 * BUFFER reals. */
static void add_copied(pc_accumulator *acc, const pc_array *a, char *x, size_t n, const char *mask,
                       ptrdiff_t mask_stride)
{
    size_t reals = n * (size_t)a->parts;
    if (a->swapped)
        swap_bytes(x, size_of_type[a->type], reals);
    acc->count += is_partial(a) ? keep(a, x, n, mask, mask_stride) : n;
    add_reals(acc, a->type, a->parts, x, reals);
}

/* n elements along one axis. */
static void add_run(pc_accumulator *acc, const pc_array *a, const char *data, const char *mask,
                    pc_axis axis, size_t n)
{
    size_t size = size_of_type[a->type] * (size_t)a->parts, most = 2 * BUFFER / (size_t)a->parts,
           m;
    if (acc->flags & PC_BOUNDED && a->parts == 1 && !a->mask && !a->swapped &&
        has_bounded(a->type)) {
        acc->count += n - add_bounded(acc, a->type, 1, data, axis.stride, n, skips_nan(a));
        return;
    }
    if (axis.stride == (ptrdiff_t)size && !is_partial(a) && !a->swapped) {
        acc->count += n;
        add_reals(acc, a->type, a->parts, data, n * (size_t)a->parts);
        return;
    }
    for (; n; n -= m) {
        double block[2 * BUFFER];
        m = n < most ? n : most;
        copy((char *)block, 0, data, size, m, axis.stride, 1, 0);
        add_copied(acc, a, (char *)block, m, mask, axis.mask_stride);
        data += (ptrdiff_t)m * axis.stride;
        if (mask)
            mask += (ptrdiff_t)m * axis.mask_stride;
    }
}

/* n elements along one axis, for each of the columns first to last - 1 along another. */
static void add_tiles(pc_sum *sums, const pc_array *a, const char *data, const char *mask,
                      pc_axis along, size_t n, pc_axis across, size_t first, size_t last)
{
    /* One cache line more than a column, so that columns do not share cache sets. */
    enum { COLUMNS = 16, BYTES = 512, PITCH = BYTES + 64 };
    size_t size = size_of_type[a->type] * (size_t)a->parts, most = BYTES / size, columns, m;
    char block[COLUMNS * PITCH];
    for (; first < last; first += columns) {
        columns = last - first < COLUMNS ? last - first : COLUMNS;
        for (size_t row = 0; row < n; row += m) {
            m = n - row < most ? n - row : most;
            copy(block, PITCH,
                 data + (ptrdiff_t)row * along.stride + (ptrdiff_t)first * across.stride, size, m,
                 along.stride, columns, across.stride);
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

/* ---- arrays -------------------------------------------------------------- */

static size_t product(const pc_axis *axis, int count)
{
    size_t total = 1;
    for (int k = 0; k < count; k++)
        total *= axis[k].length;
    return total;
}

size_t pc_array_outputs(const pc_array *array)
{
    return product(array->axis, array->kept);
}

size_t pc_array_reduction_length(const pc_array *array)
{
    return product(array->axis + array->kept, array->reduced);
}

/* The longest stride first; among equals the order stays. */
static void sort_axes(pc_axis *axis, int count)
{
    for (int k = 1; k < count; k++)
        for (int j = k; j > 0 && size_of(axis[j].stride) > size_of(axis[j - 1].stride); j--) {
            pc_axis moved = axis[j];
            axis[j] = axis[j - 1];
            axis[j - 1] = moved;
        }
}

/* Drop axes of length 1, and merge neighbouring axes that can be traversed as one. Returns how
 * many are left. */
static int merge_axes(pc_axis *axis, int count)
{
    int left = 0;
    for (int k = 0; k < count; k++) {
        pc_axis *outer = left ? &axis[left - 1] : NULL;
        ptrdiff_t n = (ptrdiff_t)axis[k].length;
        if (n == 1)
            continue;
        if (outer && outer->stride == axis[k].stride * n &&
            outer->mask_stride == axis[k].mask_stride * n &&
            outer->out_stride == axis[k].out_stride * n) {
            axis[k].length *= outer->length;
            *outer = axis[k];
        } else {
            axis[left++] = axis[k];
        }
    }
    return left;
}

void pc_array_arrange(pc_array *a)
{
    pc_axis *reduced = a->axis + a->kept;
    int count = 0;
    if (pc_array_outputs(a) == 0 || pc_array_reduction_length(a) == 0) {
        for (int k = 0; k < a->kept + a->reduced;
             k++) /* the strides of an empty array may be anything */
            a->axis[k].stride = a->axis[k].mask_stride = 0;
        return;
    }
    for (int k = 0; k < a->reduced; k++) {
        pc_axis axis = reduced[k];
        ptrdiff_t last = (ptrdiff_t)axis.length - 1;
        if (axis.stride < 0) { /* negative stride: start from the other end */
            a->data += last * axis.stride;
            axis.stride = -axis.stride;
            if (a->mask)
                a->mask += last * axis.mask_stride;
            axis.mask_stride = -axis.mask_stride;
        }
        if (axis.stride == 0 && (!a->mask || axis.mask_stride == 0))
            a->repeat *= axis.length; /* broadcast: the same elements again */
        else
            reduced[count++] = axis;
    }
    sort_axes(reduced, count);
    count = merge_axes(reduced, count);
    sort_axes(a->axis, a->kept);
    int kept = merge_axes(a->axis, a->kept);
    memmove(a->axis + kept, reduced, (size_t)count * sizeof *reduced);
    a->kept = kept;
    a->reduced = count;
}

size_t pc_array_tile(const pc_array *a, size_t first, size_t last)
{
    size_t count = last - first < PC_TILE ? last - first : PC_TILE;
    if (a->kept) {
        size_t length = a->axis[a->kept - 1].length, left = length - first % length;
        if (left < count)
            count = left;
    }
    return count;
}

/* The offsets of position `index` along `count` axes. */
typedef struct {
    ptrdiff_t data, mask, out;
} place;

static place place_of(const pc_axis *axis, int count, size_t index)
{
    place at = {0, 0, 0};
    for (int k = count - 1; k >= 0; k--) {
        ptrdiff_t i = (ptrdiff_t)(index % axis[k].length);
        index /= axis[k].length;
        at.data += i * axis[k].stride;
        at.mask += i * axis[k].mask_stride;
        at.out += i * axis[k].out_stride;
    }
    return at;
}

static void add_to_tile(const pc_array *a, size_t first, size_t count, size_t start, size_t stop,
                        pc_sum *sums)
{
    static const pc_axis none = {1, 0, 0, 0};
    pc_axis across = a->kept ? a->axis[a->kept - 1] : none;
    pc_axis along = a->reduced ? a->axis[a->kept + a->reduced - 1] : none;
    int outer_axes = a->reduced ? a->reduced - 1 : 0;
    int across_first = count > 1 && size_of(across.stride) < size_of(along.stride);
    place origin = place_of(a->axis, a->kept, first);

    for (size_t c = 0; c < count; c++)
        sums[c].offset = origin.out + (ptrdiff_t)c * across.out_stride;
    for (size_t rows; start < stop; start += rows) { /* part of an innermost axis, or all of it */
        ptrdiff_t row = (ptrdiff_t)(start % along.length);
        place at = place_of(a->axis + a->kept, outer_axes, start / along.length);
        const char *data = a->data + origin.data + at.data + row * along.stride, *mask = NULL;
        if (a->mask)
            mask = a->mask + origin.mask + at.mask + row * along.mask_stride;
        rows = along.length - (size_t)row;
        rows = stop - start < rows ? stop - start : rows;
        if (across_first) {
            size_t done = 0;
            if (is_float(a->type) && a->parts == 1 && !a->swapped && !a->mask &&
                across.stride == (ptrdiff_t)size_of_type[a->type])
                done = add_columns(sums, a->type, data, along.stride, rows, count, skips_nan(a));
            add_tiles(sums, a, data, mask, along, rows, across, done, count);
            continue;
        }
        for (size_t c = 0; c < count; c++)
            add_run(&sums[c].total, a, data + (ptrdiff_t)c * across.stride,
                    mask ? mask + (ptrdiff_t)c * across.mask_stride : NULL, along, rows);
    }
}

void pc_add_tile(const pc_array *a, size_t first, size_t count, size_t start, size_t stop,
                 pc_sum *sums)
{
    fpenv callers = fpenv_enter();
    add_to_tile(a, first, count, start, stop, sums);
    fpenv_leave(callers);
}

int pc_array_boundable(const pc_array *a)
{
    return is_float(a->type) && pc_array_reduction_length(a) >= pc_kernels_in_use()->bounded_from;
}

static void sum_tile(const pc_array *a, size_t first, size_t count, size_t depth,
                     pc_statistic result, int bounded, pc_sum *sums)
{
    for (size_t c = 0; c < count; c++)
        if (bounded)
            pc_accumulator_clear_bounded(&sums[c].total, result);
        else
            pc_accumulator_clear(&sums[c].total, result);
    add_to_tile(a, first, count, 0, depth, sums);
    if (a->repeat != 1)
        for (size_t c = 0; c < count; c++)
            pc_accumulator_scale(&sums[c].total, a->repeat);
}

pc_status pc_write_tile(const pc_sum *sums, size_t count, const pc_output_spec *figure, char *out)
{
    pc_status status = PC_OK;
    for (size_t c = 0; c < count; c++) {
        pc_status one = pc_accumulator_round(&sums[c].total, figure, out + sums[c].offset);
        if (one == PC_TOO_LARGE || one == PC_INCONCLUSIVE)
            return one;
        status = one ? one : status;
    }
    return status;
}

/* The results at the positions first to last - 1, tile by tile. */
static pc_status reduce_tiles(const pc_array *a, size_t first, size_t last,
                              const pc_output_spec *figure, int bounded, char *out, pc_sum *sums)
{
    pc_status status = PC_OK;
    const size_t depth = pc_array_reduction_length(a);
    for (size_t count; first < last && status != PC_TOO_LARGE; first += count) {
        count = pc_array_tile(a, first, last);
        sum_tile(a, first, count, depth, figure->result, bounded, sums);
        pc_status tile = pc_write_tile(sums, count, figure, out);
        if (tile == PC_INCONCLUSIVE) {
            sum_tile(a, first, count, depth, figure->result, 0, sums);
            tile = pc_write_tile(sums, count, figure, out);
        }
        status = tile == PC_OK ? status : tile;
    }
    return status;
}

/* The same in lanes; only positions that fail their rounding test are summed exactly. */
static pc_status reduce_lanes(lane_job *job, size_t first, size_t last,
                              const pc_output_spec *figure, char *out, pc_sum *sums)
{
    pc_status status = PC_OK;
    uint64_t certain[LANE_COLUMNS];
    int all;
    for (size_t count; first < last && status != PC_TOO_LARGE; first += count) {
        count = lanes_next(job, last - first, out, certain, &all, sums);
        for (size_t k = 0, next; !all && k < count && status != PC_TOO_LARGE; k = next) {
            next = k + 1;
            if (certain[k])
                continue;
            for (count_rounding_test_failure(); next < count && !certain[next]; next++)
                count_rounding_test_failure();
            pc_status some =
                reduce_tiles(job->array, first + k, first + next, figure, 0, out, sums);
            status = some == PC_OK ? status : some;
        }
    }
    return status;
}

pc_status pc_reduce(const pc_array *a, size_t first, size_t last, const pc_output_spec *figure,
                    char *out, pc_sum *sums)
{
    lane_job job;
    fpenv callers = fpenv_enter();
    const pc_status status =
        lanes_start(&job, a, figure, first, last - first)
            ? reduce_lanes(&job, first, last, figure, out, sums)
            : reduce_tiles(a, first, last, figure, pc_array_boundable(a), out, sums);
    fpenv_leave(callers);
    return status;
}
