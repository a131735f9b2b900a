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
        job->index[k] += count;
        if (job->index[k] < axis[k].length)
            return;
        job->data -= (ptrdiff_t)axis[k].length * axis[k].stride;
        job->mask -= (ptrdiff_t)axis[k].length * axis[k].mask_stride;
        job->out -= (ptrdiff_t)axis[k].length * axis[k].out_stride;
        job->index[k] = 0;
    }
}

static void go_to(lane_job *job, size_t output)
{
    job->data = job->mask = job->out = 0;
    for (int k = job->array->kept - 1; k >= 0; k--) {
        const pc_axis *axis = &job->array->axis[k];
        job->index[k] = output % axis->length;
        output /= axis->length;
        job->data += (ptrdiff_t)job->index[k] * axis->stride;
        job->mask += (ptrdiff_t)job->index[k] * axis->mask_stride;
        job->out += (ptrdiff_t)job->index[k] * axis->out_stride;
    }
}

/* The offsets of the elements of one output; the last reduced axis varies fastest. */
static void find_rows(lane_job *job)
{
    const pc_array *a = job->array;
    size_t rows = 1;
    job->row[0] = job->mask_row[0] = 0;
    for (int k = a->kept; k < a->kept + a->reduced; k++) {
        const pc_axis *axis = &a->axis[k];
        for (size_t r = rows; r-- > 0;) /* expand in place, from the end */
            for (size_t i = axis->length; i-- > 0;) {
                const size_t to = r * axis->length + i;
                job->row[to] = job->row[r] + (ptrdiff_t)i * axis->stride;
                job->mask_row[to] = job->mask_row[r] + (ptrdiff_t)i * axis->mask_stride;
            }
        rows *= axis->length;
    }
    job->from.rows = rows;
}

/* ---- tiles ----------------------------------------------------------------------- */

/* Numbers in a tile, unless it has the least number of columns. */
enum { TILE = 2048, NARROWEST = 8, MOST_IN_TILE = NARROWEST * LANE_ROWS };

/* A tile and its mask fit the workspace. */
typedef char
    tile_fits[PC_MIN_SUMS * sizeof(pc_tile_sum) >= MOST_IN_TILE * (sizeof(double) + 1) ? 1 : -1];

/* The longest sums for which outputs that are not adjacent are copied to a tile: for longer ones
 * a bounded sum of each is faster. */
enum { MOST_COPIED = 128 };

/* `count` columns of `rows` elements, `stride` bytes apart, into one of `pitch` columns. */
#define GATHER(type)                                                                               \
    if (stride == (ptrdiff_t)sizeof(type))                                                         \
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
    lane_spec f = {.statistic = spec->statistic, .counted = counted};
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
    if (!job->sum || array->components != 1 || array->repeat != 1 || length < 1 ||
        length > (side_by_side ? LANE_ROWS : MOST_COPIED) || outputs < 2 || spec->ddof_bits > 16 ||
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
    find_rows(job);
    job->contiguous = array->reduced == 1 && size_of_type[array->type] == sizeof(double) &&
                      array->axis[array->kept].stride == (ptrdiff_t)sizeof(double);
    go_to(job, first);
    return 1;
}

size_t lanes_next(lane_job *job, size_t most, char *out, uint64_t certain[LANE_COLUMNS], int *all,
                  pc_tile_sum *workspace)
{
    static const pc_axis none = {1, 0, 0, 0};
    const pc_array *a = job->array;
    const pc_axis *across = a->kept ? &a->axis[a->kept - 1] : &none;
    const size_t size = size_of_type[a->type], width = LANE_STEP;
    double value[LANE_COLUMNS], rest[LANE_COLUMNS];
    lane_rows from = job->from;
    lane_sums sums;
    size_t left = a->kept ? across->length - job->index[a->kept - 1] : 1;
    left = left < most ? left : most;

    if (across->stride == (ptrdiff_t)size && !a->swapped && !a->mask && left >= 2 * width) {
        size_t columns = left < LANE_COLUMNS ? left - left % width : LANE_COLUMNS;
        from.x = a->data + job->data;
        from.columns = columns;
        job->sum(&from, &sums);
        *all = job->kernels->lane_results(&job->spec, &sums, columns, value, rest, certain);
        write_lane_results(job->type, value, rest, columns, out + job->out, across->out_stride);
        advance(job, columns);
        return columns;
    }

    char *tile = (char *)workspace, *mask = tile + MOST_IN_TILE * sizeof(double);
    struct {
        ptrdiff_t out;
        size_t first;
    } run[LANE_COLUMNS + 1];
    ptrdiff_t tile_row[LANE_ROWS];
    const size_t rows = from.rows;
    size_t pitch = TILE / rows, runs = 0, count = 0;
    pitch = pitch > LANE_COLUMNS ? LANE_COLUMNS : pitch < NARROWEST ? NARROWEST : pitch - pitch % 8;
    most = most < pitch ? most : pitch;
    for (size_t n; count < most; count += n) {
        left = a->kept ? across->length - job->index[a->kept - 1] : 1;
        n = most - count < left ? most - count : left;
        if (job->contiguous)
            job->kernels->transpose_columns(tile + count * size, pitch, a->data + job->data,
                                            across->stride, n, rows);
        else
            gather(tile + count * size, pitch, a->data + job->data, across->stride, n, job->row,
                   rows, size);
        if (a->mask)
            gather(mask + count, pitch, a->mask + job->mask, across->mask_stride, n, job->mask_row,
                   rows, 1);
        run[runs].first = count;
        run[runs++].out = job->out;
        advance(job, n);
    }
    from.columns = (count + width - 1) / width * width;
    for (size_t r = 0; r < rows; r++) {
        memset(tile + (r * pitch + count) * size, 0, (from.columns - count) * size);
        memset(mask + r * pitch + count, 1, from.columns - count);
        tile_row[r] = (ptrdiff_t)(r * pitch * size);
    }
    if (a->swapped)
        swap_bytes(tile, size, (rows - 1) * pitch + count);
    from.x = tile;
    from.row = tile_row;
    from.mask = a->mask ? mask : NULL;
    from.mask_pitch = pitch;
    job->sum(&from, &sums);
    *all = job->kernels->lane_results(&job->spec, &sums, from.columns, value, rest, certain);
    run[runs].first = count;
    for (size_t k = 0; k < runs; k++) {
        const size_t at = run[k].first;
        write_lane_results(job->type, value + at, rest + at, run[k + 1].first - at,
                           out + run[k].out, across->out_stride);
    }
    return count;
}
