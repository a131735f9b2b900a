/* Many short sums at once: each output is a column of a tile, which the kernels of
 * kernels/lanes.h sum lane by lane. Results that fail the rounding test are left to reduce.c. */
#include "lanes.h"
#include "gather.h"

#include <string.h>

/* ---- outputs ------------------------------------------------------------------- */

/* Advance by `count` outputs, at most to the end of the innermost kept axis. */
static void advance(lane_job *job, size_t count)
{
    const pc_axis *axis = job->array->axis;
    for (int k = job->array->kept - 1; k >= 0; k--, count = 1) {
        job->data += (ptrdiff_t)count * axis[k].stride;
        job->mask += (ptrdiff_t)count * axis[k].mask_stride;
        job->out += (ptrdiff_t)count * axis[k].out_stride;
        job->other += (ptrdiff_t)count * axis[k].other_stride;
        job->index[k] += count;
        if (job->index[k] < axis[k].length)
            return;
        job->data -= (ptrdiff_t)axis[k].length * axis[k].stride;
        job->mask -= (ptrdiff_t)axis[k].length * axis[k].mask_stride;
        job->out -= (ptrdiff_t)axis[k].length * axis[k].out_stride;
        job->other -= (ptrdiff_t)axis[k].length * axis[k].other_stride;
        job->index[k] = 0;
    }
}

static void go_to(lane_job *job, size_t output)
{
    job->data = job->mask = job->out = job->other = 0;
    for (int k = job->array->kept - 1; k >= 0; k--) {
        const pc_axis *axis = &job->array->axis[k];
        job->index[k] = output % axis->length;
        output /= axis->length;
        job->data += (ptrdiff_t)job->index[k] * axis->stride;
        job->mask += (ptrdiff_t)job->index[k] * axis->mask_stride;
        job->out += (ptrdiff_t)job->index[k] * axis->out_stride;
        job->other += (ptrdiff_t)job->index[k] * axis->other_stride;
    }
}

/* The longest sums of products. */
enum { MOST_PRODUCTS = LANE_ROWS / 2 };

/* The offsets of the elements of one output; the last reduced axis varies fastest. */
static void find_rows(lane_job *job)
{
    const pc_array *a = job->array;
    size_t rows = 1;
    job->other_row = job->products ? job->row + MOST_PRODUCTS : NULL;
    job->row[0] = job->mask_row[0] = 0;
    if (job->products)
        job->other_row[0] = 0;
    for (int k = a->kept; k < a->kept + a->reduced; k++) {
        const pc_axis *axis = &a->axis[k];
        for (size_t r = rows; r-- > 0;) /* expand in place, from the end */
            for (size_t i = axis->length; i-- > 0;) {
                const size_t to = r * axis->length + i;
                job->row[to] = job->row[r] + (ptrdiff_t)i * axis->stride;
                job->mask_row[to] = job->mask_row[r] + (ptrdiff_t)i * axis->mask_stride;
                if (job->products)
                    job->other_row[to] = job->other_row[r] + (ptrdiff_t)i * axis->other_stride;
            }
        rows *= axis->length;
    }
    job->from.rows = rows;
}

/* ---- tiles ----------------------------------------------------------------------- */

/* Bytes of a tile and its mask: the longest sums have LANE_STEP columns of 8 bytes. */
enum { TILE = LANE_STEP * LANE_ROWS * (sizeof(double) + 1) };

/* It fits the workspace. */
typedef char tile_fits[PC_MIN_SUMS * sizeof(pc_tile_sum) >= TILE ? 1 : -1];

/* Longer sums are faster one by one: floats in bounded sums, and integers that would have to be
 * copied to a tile. Measured with each type on Zen 3 (AVX2). */
static size_t most_rows(const pc_array *a, int side_by_side)
{
    return side_by_side || is_float(a->type) ? LANE_ROWS : LANE_ROWS / 2;
}

/* `count` columns of `rows` elements, `stride` bytes apart, into one of `pitch` columns. */
#define GATHER(type)                                                                               \
    if (stride == (ptrdiff_t)sizeof(type) && count >= 8)                                           \
        for (size_t r = 0; r < rows; r++)                                                          \
            memcpy(to + r * pitch * sizeof(type), from + row[r], count * sizeof(type));            \
    else                                                                                           \
        for (size_t c = 0; c < count; c++, from += stride)                                         \
            for (size_t r = 0; r < rows; r++)                                                      \
                memcpy(to + (r * pitch + c) * sizeof(type), from + row[r], sizeof(type));

static void gather(char *to, size_t pitch, const char *from, ptrdiff_t stride, size_t count,
                   const ptrdiff_t *row, size_t rows, size_t size)
{
    switch (size) {
    case 1: GATHER(uint8_t) break;
    case 2: GATHER(uint16_t) break;
    case 4: GATHER(uint32_t) break;
    default: GATHER(uint64_t)
    }
}

/* ---- results --------------------------------------------------------------------- */

/* Convert a double that is a normal float16, or 0; Inf from 2^16 on. */
static uint16_t half_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint64_t sign = bits >> 48 & 0x8000, size = bits & (UINT64_MAX >> 1),
                   half = size ? (size >> 42) - ((uint64_t)(1023 - 15) << 10) : 0;
    return (uint16_t)(sign | (half < 0x7c00 ? half : 0x7c00));
}

#define WRITE(made, expression)                                                                    \
    for (size_t c = 0; c < count; c++, out += stride) {                                            \
        const made x = expression;                                                                 \
        memcpy(out, &x, sizeof x);                                                                 \
    }

void write_lane_results(pc_type type, const double *value, const double *rest, size_t count,
                        char *out, ptrdiff_t stride)
{
    switch (type) {
    case PC_FLOAT64:
        if (stride == (ptrdiff_t)sizeof *value)
            memcpy(out, value, count * sizeof *value);
        else
            WRITE(double, value[c])
        break;
    case PC_FLOAT32: WRITE(float, (float)value[c]) break;
    case PC_FLOAT16: WRITE(uint16_t, half_of(value[c])) break;
    default: /* |value| < 2^62 where the result is certain */
        WRITE(int64_t,
              value[c]<0x1p62 && value[c]> - 0x1p62 ? (int64_t)value[c] + (int64_t)rest[c] : 0)
    }
}

lane_spec lane_spec_of(const pc_output_spec *spec, uint64_t count, int counted)
{
    const int of_products = is_of_products(spec->statistic);
    lane_spec f = {.statistic = of_products ? PC_SUM : spec->statistic,
                   .counted = counted && !of_products};
    f.integer = spec->type < PC_FLOAT16;
    f.drop = spec->type == PC_FLOAT32 ? 29 : spec->type == PC_FLOAT16 ? 42 : 0;
    f.least = spec->type == PC_FLOAT32   ? 0x1p-125
              : spec->type == PC_FLOAT16 ? 0x1p-13
              : spec->type == PC_INT64   ? -0x1p62
                                         : 0.0;
    f.count = (double)count;
    f.ddof = (double)spec->ddof;
    f.scale = (double)(UINT64_C(1) << spec->ddof_bits);
    f.divisor = is_spread(spec->statistic) ? f.count * (f.count * f.scale - f.ddof)
                : spec->statistic == PC_MEAN || spec->statistic == PC_RMS ? f.count
                                                                          : 1.0;
    f.inverse = 1.0 / f.divisor;
    return f;
}

int lanes_start(lane_job *job, const pc_array *array, const pc_output_spec *spec, size_t first,
                size_t outputs)
{
    const size_t length = pc_array_reduction_length(array);
    const int side_by_side =
        array->kept && !array->swapped && array->components == 1 &&
        array->axis[array->kept - 1].stride == (ptrdiff_t)size_of_type[array->type];
    const int skip_nan = array->skip_nan && array->type >= PC_FLOAT16,
              masked = array->mask || skip_nan,
              difference = spec->statistic == PC_STD && length == 2 && !spec->ddof && !masked,
              sums = difference                   ? 0
                     : is_spread(spec->statistic) ? 2
                     : is_linear(spec->statistic) ? 0
                                                  : 1;
    job->array = array;
    job->kernels = pc_kernels_in_use();
    job->sum = job->kernels->lane_sums[masked][array->type][sums];
    job->products = NULL;
    if (array->other.data) {
        if ((int)spec->statistic != PC_DOT || array->other.type != array->type ||
            array->other.components != 1 || length > MOST_PRODUCTS)
            return 0;
        job->products = job->kernels->lane_products[array->type];
        if (!job->products)
            return 0;
    }
    if (!job->sum || array->components != 1 || array->repeat != 1 || length < 1 ||
        length > most_rows(array, side_by_side) || outputs < 2 || spec->ddof_bits > 16 ||
        spec->ddof >> 40)
        return 0;
    job->spec = lane_spec_of(spec, length, masked);
    if (difference) { /* the standard deviation of two numbers is half their distance, and often a
                         tie */
        job->spec.statistic = PC_MEAN;
        job->spec.divisor = 2.0;
        job->spec.inverse = 0.5;
        job->spec.absolute = 1;
    }
    job->from.difference = difference;
    job->from.skip_nan = skip_nan;
    if (!(job->spec.divisor > 0.0))
        return 0;
    job->type = spec->type;
    job->from.row = job->row;
    job->from.mask = NULL;
    job->from.ahead = 0;
    find_rows(job);
    if (array->reduced == 1) {
        const ptrdiff_t size = (ptrdiff_t)size_of_type[array->type];
        job->contiguous = array->axis[array->kept].stride == size;
        job->other_contiguous = array->axis[array->kept].other_stride == size;
    } else {
        job->contiguous = job->other_contiguous = 0;
    }
    go_to(job, first);
    return 1;
}

static void sum_columns(const lane_job *job, const lane_rows *from, const lane_rows *other,
                        lane_sums *sums)
{
    if (job->products)
        job->products(from, other, sums);
    else
        job->sum(from, sums);
}

/* `count` columns, whose elements are contiguous or at the offsets `row`, to a tile. */
static void fill_tile(const lane_job *job, char *to, size_t pitch, const char *from,
                      ptrdiff_t stride, size_t count, const ptrdiff_t *row, int contiguous)
{
    const size_t size = size_of_type[job->array->type], rows = job->from.rows;
    if (!contiguous)
        gather(to, pitch, from, stride, count, row, rows, size);
    else if (size == sizeof(double))
        job->kernels->transpose_columns(to, pitch, from, stride, count, rows);
    else
        job->kernels->transpose_narrow[size / 2](to, pitch, from, stride, count, rows);
}

/* From so many rows on hardware no longer fetches ahead in all of them: measured on Zen 3. */
enum { FETCHED_FROM = 17 };

size_t lanes_next(lane_job *job, size_t most, char *out, uint64_t certain[LANE_COLUMNS], int *all,
                  pc_tile_sum *workspace)
{
    static const pc_axis none = {1, 0, 0, 0, 0};
    const pc_array *a = job->array;
    const pc_axis *across = a->kept ? &a->axis[a->kept - 1] : &none;
    const size_t size = size_of_type[a->type], width = LANE_STEP;
    double value[LANE_COLUMNS], rest[LANE_COLUMNS];
    lane_rows from = job->from, other = {.row = job->other_row, .rows = from.rows};
    lane_sums sums;
    size_t left = a->kept ? across->length - job->index[a->kept - 1] : 1;
    left = left < most ? left : most;

    if (across->stride == (ptrdiff_t)size && !a->swapped && !a->mask &&
        (!job->products || (across->other_stride == (ptrdiff_t)size && !a->other.swapped))) {
        /* As they lie. The last ones of an axis are made a multiple of LANE_STEP by those before.
         */
        const size_t tiles = (left + LANE_COLUMNS - 1) / LANE_COLUMNS,
                     columns = ((left + tiles - 1) / tiles + width - 1) / width * width,
                     again = columns > left ? columns - left : 0, count = columns - again;
        if (again <= job->index[a->kept - 1]) {
            const ptrdiff_t back = (ptrdiff_t)(again * size), data = job->data - back,
                            to = job->out;
            if (job->products)
                other.x = a->other.data + job->other - back;
            advance(job, count);
            from.x = a->data + data;
            from.columns = columns;
            from.ahead = from.rows >= FETCHED_FROM ? job->data - data : 0;
            sum_columns(job, &from, &other, &sums);
            *all = job->kernels->lane_results(&job->spec, &sums, columns, value, rest, certain);
            memmove(certain, certain + again, count * sizeof *certain);
            write_lane_results(job->type, value + again, rest + again, count, out + to,
                               across->out_stride);
            return count;
        }
    }

    struct {
        ptrdiff_t out;
        size_t first;
    } run[LANE_COLUMNS + 1];
    ptrdiff_t tile_row[LANE_ROWS];
    const size_t rows = from.rows, operands = job->products ? 2 : 1;
    size_t pitch = TILE / (operands * size + 1) / rows, runs = 0, count = 0;
    pitch = pitch > LANE_COLUMNS ? LANE_COLUMNS : pitch - pitch % width;
    char *tile = (char *)workspace, *other_tile = tile + pitch * rows * size,
         *mask = tile + operands * pitch * rows * size;
    most = most < pitch ? most : pitch;
    for (size_t n; count < most; count += n) {
        left = a->kept ? across->length - job->index[a->kept - 1] : 1;
        n = most - count < left ? most - count : left;
        fill_tile(job, tile + count * size, pitch, a->data + job->data, across->stride, n, job->row,
                  job->contiguous);
        if (job->products)
            fill_tile(job, other_tile + count * size, pitch, a->other.data + job->other,
                      across->other_stride, n, job->other_row, job->other_contiguous);
        if (a->mask)
            gather(mask + count, pitch, a->mask + job->mask, across->mask_stride, n, job->mask_row,
                   rows, 1);
        run[runs].first = count;
        run[runs++].out = job->out;
        advance(job, n);
    }
    from.columns = (count + width - 1) / width * width;
    const size_t padding = from.columns - count;
    for (size_t r = 0; r < rows; r++)
        tile_row[r] = (ptrdiff_t)(r * pitch * size);
    for (size_t r = 0; padding && r < rows; r++) {
        memset(tile + (r * pitch + count) * size, 0, padding * size);
        if (job->products)
            memset(other_tile + (r * pitch + count) * size, 0, padding * size);
        memset(mask + r * pitch + count, 1, padding);
    }
    if (a->swapped)
        swap_bytes(tile, size, (rows - 1) * pitch + count);
    if (job->products && a->other.swapped)
        swap_bytes(other_tile, size, (rows - 1) * pitch + count);
    from.x = tile;
    other.x = other_tile;
    from.row = other.row = tile_row;
    from.mask = a->mask ? mask : NULL;
    from.mask_pitch = pitch;
    sum_columns(job, &from, &other, &sums);
    *all = job->kernels->lane_results(&job->spec, &sums, from.columns, value, rest, certain);
    run[runs].first = count;
    for (size_t k = 0; k < runs; k++) {
        const size_t at = run[k].first;
        write_lane_results(job->type, value + at, rest + at, run[k + 1].first - at,
                           out + run[k].out, across->out_stride);
    }
    return count;
}
