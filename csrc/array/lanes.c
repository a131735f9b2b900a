/* Many short sums at once: each output is a column of a tile, which the kernels of
 * kernels/lanes.h sum lane by lane. Results that fail the rounding test are left to reduce.c. */
#include "lanes.h"
#include "bounded_runs.h"
#include "gather.h"

#include <math.h>
#include <string.h>

/* ---- rows ---------------------------------------------------------------------- */

/* The longest sums of products that are taken in tiles; and the shortest of contiguous pairs that
 * are faster along rows, measured on Zen 3. */
enum { MAX_PRODUCTS = LANE_ROWS / 2, MIN_IN_ROWS = 16 };

/* The offsets of the elements of one output; the last reduced axis varies fastest. */
static void find_rows(lane_job *job)
{
    const pc_array *a = job->array;
    size_t rows = 1;
    job->other_row = job->of_products ? job->row + MAX_PRODUCTS : NULL;
    job->row[0] = job->mask_row[0] = 0;
    if (job->of_products)
        job->other_row[0] = 0;
    for (int k = a->kept_axes; k < a->kept_axes + a->reduced_axes; k++) {
        const pc_axis *axis = &a->axis[k];
        for (size_t r = rows; r-- > 0;) /* expand in place, from the end */
            for (size_t i = axis->length; i-- > 0;) {
                const size_t to = r * axis->length + i;
                job->row[to] = job->row[r] + (ptrdiff_t)i * axis->stride;
                job->mask_row[to] = job->mask_row[r] + (ptrdiff_t)i * axis->mask_stride;
                if (job->of_products)
                    job->other_row[to] = job->other_row[r] + (ptrdiff_t)i * axis->other_stride;
            }
        rows *= axis->length;
    }
}

/* ---- tiles ----------------------------------------------------------------------- */

/* Bytes of a tile and its mask: the longest sums have LANE_STEP columns of 8 bytes. */
enum { TILE = LANE_STEP * LANE_ROWS * (sizeof(double) + 1) };

/* Longer sums are faster one by one: floats in bounded sums, and integers that would have to be
 * copied to a tile. Measured with each type on Zen 3 (AVX2). */
static size_t max_rows(const pc_array *a, int side_by_side)
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
static uint16_t float16_of(double x)
{
    const uint64_t bits = bits_of(x), sign = bits >> 48 & 0x8000,
                   magnitude = bits & (UINT64_MAX >> 1),
                   half = magnitude ? (magnitude >> 42) - ((uint64_t)(1023 - 15) << 10) : 0;
    return (uint16_t)(sign | (half < 0x7c00 ? half : 0x7c00));
}

#define WRITE(made, expression)                                                                    \
    for (size_t c = 0; c < count; c++, out += stride) {                                            \
        const made x = expression;                                                                 \
        memcpy(out, &x, sizeof x);                                                                 \
    }

void write_lane_results(pc_type type, const double *value, const double *residual, size_t count,
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
    case PC_FLOAT16: WRITE(uint16_t, float16_of(value[c])) break;
    default: /* -2^62 <= value < 2^62 where the result is certain */
        WRITE(int64_t, value[c] < 0x1p62 && value[c] >= -0x1p62
                           ? (int64_t)value[c] + (int64_t)residual[c]
                           : 0)
    }
}

lane_spec lane_spec_of(const pc_output_spec *spec, uint64_t count, int counted)
{
    const int of_products = is_of_products(spec->statistic);
    lane_spec lanes = {.statistic = (int)spec->statistic == PC_DOT ? PC_SUM : spec->statistic,
                       .counted = counted && !of_products};
    lanes.integer = spec->type < PC_FLOAT16;
    lanes.drop = spec->type == PC_FLOAT32 ? 29 : spec->type == PC_FLOAT16 ? 42 : 0;
    lanes.min = spec->type == PC_FLOAT32   ? 0x1p-125
                : spec->type == PC_FLOAT16 ? 0x1p-13
                : spec->type == PC_INT64   ? -0x1p62
                                           : 0.0;
    lanes.count = (double)count;
    lanes.ddof = (double)spec->ddof;
    lanes.scale = (double)(UINT64_C(1) << spec->ddof_bits);
    lanes.divisor = is_variance(spec->statistic)
                        ? lanes.count * (lanes.count * lanes.scale - lanes.ddof)
                    : spec->statistic == PC_MEAN || spec->statistic == PC_RMS ? lanes.count
                                                                              : 1.0;
    lanes.inverse = 1.0 / lanes.divisor;
    return lanes;
}

/* The kernel for what lies in rows or in columns; NULL if there is none. */
static lane_matrix_kernel *find_matrix_kernel(const lane_job *job, int skip_nan)
{
    return (
        job->where == IN_ROWS
            ? job->kernels->matrix_rows
            : job->kernels->matrix_columns)[skip_nan][job->summed][job->array->type - PC_FLOAT32];
}

/* Choose the kernels for sums of `length` products; 0 if there are none. */
static int start_products(lane_job *job, const pc_output_spec *spec, size_t length)
{
    const pc_array *a = job->array;
    const pc_type type = a->type;
    const int weighted = (int)spec->statistic == PC_AVERAGE;
    job->products = NULL;
    job->summed = weighted ? SUM_WEIGHTED : SUM_PRODUCTS;
    if (a->other.type != type || a->other.components != 1 || spec->components != 1)
        return 0;
    if (length <= MAX_PRODUCTS)
        job->products = job->kernels->lane_products[type];
    job->weights = weighted ? job->kernels->lane_sums[0][type][0] : NULL;
    if (type < PC_FLOAT32 || a->mask)
        return job->products != NULL;
    if (a->kept_axes && a->reduced_axes == 1 && !a->swapped && !a->other.swapped) {
        const ptrdiff_t size = (ptrdiff_t)size_of_type[type];
        const pc_axis across = a->axis[a->kept_axes - 1], along = a->axis[a->kept_axes];
        if (length >= MIN_IN_ROWS && along.stride == size && along.other_stride == size)
            job->where = IN_ROWS;
        else if (across.length >= LANE_STEP && across.stride == size && across.other_stride == size)
            job->where = IN_COLUMNS;
    }
    if (job->where == IN_TILES ? job->products != NULL : length <= FLOAT_BLOCK)
        job->matrix_kernel = find_matrix_kernel(job, 0);
    return job->products || job->matrix_kernel;
}

/* From so many numbers on, it is faster to sum the rows of one array where they lie than in a tile,
 * and columns by their matrix kernel than as double-doubles: by summands, and by type (float32,
 * float64); measured on Zen 3 (AVX2) and Sapphire Rapids. */
static const size_t min_in_rows[SUM_BOTH + 1][2] = {{28, 36}, {24, 16}, {17, 16}};
static const size_t min_in_columns[SUM_BOTH + 1][2] = {{16, 16}, {12, 3}, {12, 4}};

/* The same for integers, whose rows are summed one by one: of up to 16 bits, and of more. */
static const size_t min_integers[SUM_BOTH + 1][2] = {{48, 48}, {128, 32}, {128, 64}};

/* Whether each output is a row of integers that is long enough for that. */
static int start_integers(lane_job *job, size_t length)
{
    const pc_array *a = job->array;
    const size_t size = size_of_type[a->type];
    job->integers = a->type != PC_BOOL && !is_float(a->type) && !a->mask && !a->swapped &&
                    a->kept_axes && a->reduced_axes == 1 && length <= MAX_MATRIX_LENGTH &&
                    length >= min_integers[job->summed][size > 2] &&
                    (a->axis[a->kept_axes - 1].length >= LANE_STEP || length > LANE_ROWS / 2) &&
                    a->axis[a->kept_axes].stride == (ptrdiff_t)size;
    if (job->integers)
        job->where = IN_ROWS;
    return job->integers;
}

/* The most numbers of a column, which one lane sums: docs/design/lanes.md. */
enum { MAX_COLUMN = 1024 };

/* Choose the kernel for sums of `length` numbers where they lie; 0 if there is none. */
static int start_matrix(lane_job *job, size_t length, int side_by_side)
{
    const pc_array *a = job->array;
    if (a->type < PC_FLOAT32 || a->mask || a->swapped || !a->kept_axes || a->reduced_axes != 1)
        return 0;
    const size_t type = (size_t)(a->type - PC_FLOAT32);
    const int few = a->axis[a->kept_axes - 1].length < LANE_STEP; /* tiles go beyond them */
    if (length >= min_in_rows[job->summed][type] && length <= MAX_MATRIX_LENGTH &&
        (!few || length > LANE_ROWS) &&
        a->axis[a->kept_axes].stride == (ptrdiff_t)size_of_type[a->type])
        job->where = IN_ROWS;
    else if (length >= min_in_columns[job->summed][type] && length <= MAX_COLUMN && side_by_side &&
             !few)
        job->where = IN_COLUMNS;
    else
        return 0;
    job->matrix_kernel = find_matrix_kernel(job, 0);
    return job->matrix_kernel != NULL;
}

int lanes_start(lane_job *job, const pc_array *array, const pc_output_spec *spec, size_t first,
                size_t outputs, int paired)
{
    const pc_kernels *kernels = pc_kernels_in_use();
    const size_t length = pc_array_reduction_length(array);
    const int side_by_side =
        array->kept_axes && !array->swapped && array->components == 1 &&
        array->axis[array->kept_axes - 1].stride == (ptrdiff_t)size_of_type[array->type];
    const int partial = is_partial(array),
              difference =
                  spec->statistic == PC_STD && length == 2 && !spec->ddof && !partial && !paired,
              centered = is_variance(spec->statistic) && !difference && !partial && length > 1 &&
                         length <= MAX_CENTERED &&
                         kernels->few_centered_squares[array->type] != NULL;
    const summands summed = difference ? SUM_NUMBERS : summands_of(spec);
    job->array = array;
    job->kernels = kernels;
    job->sum = centered ? kernels->few_centered_squares[array->type]
                        : kernels->lane_sums[skips_nan(array)][array->type][summed];
    job->summed = summed;
    job->matrix_kernel = NULL;
    job->integers = 0;
    job->exponents_known = job->lane_exponent[0] = job->lane_exponent[1] = job->met_nan = 0;
    job->where = IN_TILES;
    if (array->components != 1 || array->repeat != 1 || length < 1 || outputs < 2 ||
        !fits_lanes(spec))
        return 0;
    job->of_products = array->other.data != NULL;
    if (job->of_products) {
        if (!is_of_products(spec->statistic) || !start_products(job, spec, length))
            return 0;
    } else {
        if (!job->sum)
            return 0;
        const int where_they_lie =
            !difference && !centered &&
            (start_matrix(job, length, side_by_side) || start_integers(job, length));
        if (!where_they_lie && length > max_rows(array, side_by_side))
            return 0;
    }
    job->spec = lane_spec_of(spec, length, partial);
    if (difference) { /* the standard deviation of two numbers is half their distance, and often a
                         tie */
        job->spec.statistic = PC_MEAN;
        job->spec.divisor = 2.0;
        job->spec.inverse = 0.5;
        job->spec.absolute = 1;
    }
    job->from.difference = difference;
    job->spec.centered = centered;
    job->spec.paired = paired;
    if (!(job->spec.divisor > 0.0))
        return 0;
    job->type = spec->type;
    job->from.row = job->row;
    job->from.ahead = 0;
    job->from.rows = length;
    if (job->of_products ? job->products != NULL : !job->matrix_kernel && !job->integers)
        find_rows(job);
    if (array->reduced_axes == 1) {
        const ptrdiff_t size = (ptrdiff_t)size_of_type[array->type];
        job->contiguous = array->axis[array->kept_axes].stride == size;
        job->other_contiguous = array->axis[array->kept_axes].other_stride == size;
    } else {
        job->contiguous = job->other_contiguous = 0;
    }
    cursor_move(&job->next, array->axis, array->kept_axes, first);
    return 1;
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
enum { MIN_PREFETCH_ROWS = 17 };

static const pc_axis *innermost_kept(const pc_array *a)
{
    return a->kept_axes ? &a->axis[a->kept_axes - 1] : &no_axis;
}

/* The outputs left along the innermost kept axis, at most `max`. */
static size_t outputs_left(const lane_job *job, const pc_axis *across, size_t max)
{
    const pc_array *a = job->array;
    const size_t left = a->kept_axes ? across->length - job->next.index[a->kept_axes - 1] : 1;
    return left < max ? left : max;
}

static void advance(lane_job *job, size_t outputs)
{
    cursor_advance(&job->next, job->array->axis, job->array->kept_axes, outputs);
}

/* The width of the tiles that so many columns are cut into: equal, and a multiple of LANE_STEP. */
static size_t tile_width(size_t columns)
{
    const size_t tiles = (columns + LANE_COLUMNS - 1) / LANE_COLUMNS;
    return whole_steps((columns + tiles - 1) / tiles);
}

/* A tile, where the results of its columns go, and the results. It is in the working memory behind
 * the copied numbers, to save stack. */
typedef struct {
    struct {
        ptrdiff_t out;
        size_t first;
    } run[LANE_COLUMNS + 1];
    size_t runs, count, pitch;
    uint16_t masked[LANE_COLUMNS]; /* how many numbers of a column the mask leaves out */
    ptrdiff_t row[LANE_ROWS];
    double value[LANE_COLUMNS], residual[LANE_COLUMNS];
    char *x, *y, *mask;
} tile;

/* resum_uncertain_numbers needs this. */
typedef char column_fits[TILE >= sizeof(lane_sums) + MAX_COLUMN * sizeof(double) ? 1 : -1];

typedef char tile_fits[PC_MIN_SUMS * sizeof(pc_tile_sum) >= TILE + sizeof(tile) ? 1 : -1];

/* Divide the working memory for a tile. */
static void lay_out(const lane_job *job, tile *t, pc_tile_sum *scratch)
{
    const size_t rows = job->from.rows, size = size_of_type[job->array->type],
                 operands = job->of_products ? 2 : 1, pitch = TILE / (operands * size + 1) / rows;
    t->pitch = pitch > LANE_COLUMNS ? LANE_COLUMNS : pitch - pitch % LANE_STEP;
    t->x = (char *)scratch;
    t->y = t->x + t->pitch * rows * size;
    t->mask = t->x + operands * t->pitch * rows * size;
}

/* Zeros in the place of what the mask leaves out. */
static void apply_mask(const lane_job *job, tile *t)
{
    const pc_type type = job->array->type;
    const size_t rows = job->from.rows, size = size_of_type[type];
    memset(t->masked, 0, sizeof t->masked);
    for (size_t r = 0; r < rows; r++) {
        const char *mask = t->mask + r * t->pitch;
        leave_out_of(type, 1, 0, t->x + r * t->pitch * size, t->count, mask, 1);
        if (job->of_products)
            leave_out_of(type, 1, 0, t->y + r * t->pitch * size, t->count, mask, 1);
        for (size_t c = 0; c < t->count; c++)
            t->masked[c] = (uint16_t)(t->masked[c] + (mask[c] == 0));
    }
}

/* Copy the next outputs, at most `max`, to a tile. */
static void next_tile(lane_job *job, const pc_axis *across, size_t max, tile *t,
                      pc_tile_sum *scratch)
{
    const pc_array *a = job->array;
    lay_out(job, t, scratch);
    const size_t rows = job->from.rows, size = size_of_type[a->type], pitch = t->pitch;
    t->runs = t->count = 0;
    max = max < pitch ? max : pitch;
    for (size_t n; t->count < max; t->count += n) {
        n = outputs_left(job, across, max - t->count);
        fill_tile(job, t->x + t->count * size, pitch, a->data + job->next.offset.data,
                  across->stride, n, job->row, job->contiguous);
        if (job->of_products)
            fill_tile(job, t->y + t->count * size, pitch, a->other.data + job->next.offset.other,
                      across->other_stride, n, job->other_row, job->other_contiguous);
        if (a->mask)
            gather(t->mask + t->count, pitch, a->mask + job->next.offset.mask, across->mask_stride,
                   n, job->mask_row, rows, 1);
        t->run[t->runs].first = t->count;
        t->run[t->runs++].out = job->next.offset.out;
        advance(job, n);
    }
    t->run[t->runs].first = t->count;
    if (a->swapped)
        swap_bytes(t->x, size, (rows - 1) * pitch + t->count);
    if (job->of_products && a->other.swapped)
        swap_bytes(t->y, size, (rows - 1) * pitch + t->count);
    if (a->mask)
        apply_mask(job, t);
}

/* Zeros after the columns, up to a multiple of LANE_STEP, which is returned. */
static size_t fill_up(const lane_job *job, tile *t, size_t count)
{
    const size_t size = size_of_type[job->array->type], rows = job->from.rows,
                 columns = whole_steps(count), padding = columns - count;
    for (size_t r = 0; r < rows; r++)
        t->row[r] = (ptrdiff_t)(r * t->pitch * size);
    for (size_t r = 0; padding && r < rows; r++) {
        memset(t->x + (r * t->pitch + count) * size, 0, padding * size);
        if (job->of_products)
            memset(t->y + (r * t->pitch + count) * size, 0, padding * size);
    }
    return columns;
}

/* Write the results of `count` outputs, `stride` bytes apart; of two that are paired, the first. */
static void write_outputs(const lane_job *job, double *value, double *residual, size_t count,
                          char *out, ptrdiff_t stride)
{
    if (job->spec.paired) {
        count /= 2;
        stride *= 2;
        for (size_t k = 0; k < count; k++)
            value[k] = value[2 * k];
    }
    write_lane_results(job->type, value, residual, count, out, stride);
}

/* Write the results at the places of a tile. */
static void write_tile(const lane_job *job, const tile *t, double *value, double *residual,
                       char *out, ptrdiff_t stride)
{
    for (size_t k = 0; k < t->runs; k++) {
        const size_t at = t->run[k].first;
        write_outputs(job, value + at, residual + at, t->run[k + 1].first - at, out + t->run[k].out,
                      stride);
    }
}

/* ---- sums of products ------------------------------------------------------------- */

/* Rows of a matrix that are sampled for the first exponents, and the bits that these leave to
 * spare. */
enum { SAMPLED_ROWS = 4, SPARE_BITS = 4 };

/* The k of 1.5 * 2^k, for sums up to `max`, with so many bits to spare. */
static int sum_exponent(double max, int spare)
{
    const int k = lane_exponent_above(max, 1 + spare);
    return k < LANE_EXPONENT_MAX ? k : LANE_EXPONENT_MAX;
}

/* The largest number of a matrix, in one of its arrays, or of a part of it. */
static double largest_in(const lane_job *job, const lane_matrix *matrix, int second, int sample)
{
    const int in_rows = job->where == IN_ROWS;
    size_t rows = in_rows ? matrix->outputs : matrix->length,
           columns = in_rows ? matrix->length : matrix->outputs;
    rows = sample && rows > SAMPLED_ROWS ? SAMPLED_ROWS : rows;
    columns = sample && columns > LANE_COLUMNS ? LANE_COLUMNS : columns;
    return job->kernels->largest[job->array->type - PC_FLOAT32](
        second ? matrix->y : matrix->x, second ? matrix->y_step : matrix->x_step, rows, columns);
}

/* Find exponents for the sums of a matrix; if `sample`, from its first rows. Returns whether one is
 * larger than before. */
static int find_exponents(lane_job *job, const lane_matrix *matrix, int sample)
{
    const double x = largest_in(job, matrix, 0, sample),
                 y = largest_in(job, matrix, 1, sample) * (double)matrix->length;
    const int products = sum_exponent(x * y, SPARE_BITS), weights = sum_exponent(y, SPARE_BITS),
              larger = products > job->lane_exponent[0] || weights > job->lane_exponent[1];
    job->lane_exponent[0] = products;
    job->lane_exponent[1] = weights;
    return larger;
}

/* Before a kernel sums a matrix: make the sums of the outputs beyond it, up to a multiple of
 * LANE_STEP, ordinary numbers. */
static void pad_sums(lane_sums *sums, size_t outputs)
{
    const size_t columns = whole_steps(outputs);
    for (size_t c = columns - LANE_STEP; c < columns && columns != outputs; c++) {
        for (size_t k = 0; k < 3; k++)
            sums->number[k][c] = sums->square[k][c] = 1.0;
        sums->grid[c] = sums->common_magnitude[c] = sums->count[c] = 1.0;
    }
}

/* The sums of the products of a matrix; NaN for those that leave their binade. */
static void sum_pairs(lane_job *job, const lane_matrix *matrix, lane_sums *sums)
{
    if (!job->exponents_known)
        find_exponents(job, matrix, 1);
    job->exponents_known = 1;
    if (!job->matrix_kernel(matrix, job->lane_exponent, sums) && find_exponents(job, matrix, 0))
        job->matrix_kernel(matrix, job->lane_exponent, sums);
}

/* The sums of the columns of a tile, as double-doubles. */
static void sum_products_of_tile(const lane_job *job, const tile *t, size_t columns,
                                 lane_sums *sums)
{
    const lane_rows x = {.x = t->x, .row = t->row, .rows = job->from.rows, .columns = columns};
    lane_rows y = x;
    y.x = t->y;
    job->products(&x, &y, sums);
    if (job->weights) {
        memcpy(sums->square, sums->number, sizeof sums->square);
        job->weights(&y, sums);
    }
}

/* Sum the outputs of a tile or matrix that are not certain once more, as double-doubles, at most a
 * tile at a time. Returns whether all are certain now. */
static int resum_uncertain_products(lane_job *job, const lane_matrix *matrix, const pc_axis *across,
                                    char *out, tile *t, size_t count, uint64_t *certain,
                                    lane_sums *sums, pc_tile_sum *scratch)
{
    const size_t size = size_of_type[job->array->type], rows = job->from.rows;
    double *value = t->value, *residual = t->residual;
    uint64_t is_certain[LANE_COLUMNS];
    size_t run = 0;
    int all = 1;
    if (job->where != IN_TILES)
        lay_out(job, t, scratch);
    for (size_t c = 0; c < count;) {
        unsigned char taken[LANE_COLUMNS];
        size_t some = 0;
        for (; c < count && some < t->pitch; c++) {
            if (certain[c])
                continue;
            if (job->where != IN_TILES) {
                fill_tile(job, t->x + some * size, t->pitch,
                          matrix->x + (ptrdiff_t)c * across->stride, across->stride, 1, job->row,
                          job->contiguous);
                fill_tile(job, t->y + some * size, t->pitch,
                          matrix->y + (ptrdiff_t)c * across->other_stride, across->other_stride, 1,
                          job->other_row, job->other_contiguous);
            } else if (some < c) {
                for (size_t r = 0; r < rows; r++) {
                    char *x = t->x + r * t->pitch * size, *y = t->y + r * t->pitch * size;
                    memcpy(x + some * size, x + c * size, size);
                    memcpy(y + some * size, y + c * size, size);
                }
            }
            taken[some++] = (unsigned char)c;
        }
        if (!some)
            break;
        const size_t columns = fill_up(job, t, some);
        sum_products_of_tile(job, t, columns, sums);
        job->kernels->lane_results(&job->spec, sums, columns, value, residual, is_certain);
        for (size_t k = 0; k < some; k++) {
            const size_t at = taken[k];
            while (t->run[run + 1].first <= at)
                run++;
            certain[at] = is_certain[k];
            all &= is_certain[k] != 0;
            write_lane_results(job->type, value + k, residual + k, 1,
                               out + t->run[run].out +
                                   (ptrdiff_t)(at - t->run[run].first) * across->out_stride,
                               across->out_stride);
        }
    }
    return all;
}

/* The next outputs where they lie, as a matrix. Returns how many of its first outputs are not
 * wanted: they overlap with the last ones. */
static size_t next_matrix(lane_job *job, const pc_axis *across, size_t max, lane_matrix *matrix,
                          tile *t)
{
    const pc_array *a = job->array;
    const size_t left = outputs_left(job, across, max), index = job->next.index[a->kept_axes - 1];
    size_t overlap = 0;
    t->count = matrix->outputs = left < LANE_COLUMNS ? left : LANE_COLUMNS;
    if (job->where == IN_COLUMNS) { /* a multiple of LANE_STEP: also some of those before */
        size_t columns = tile_width(left), first = index;
        if (columns > across->length)
            columns = across->length / LANE_STEP * LANE_STEP;
        if (first > across->length - columns)
            first = across->length - columns;
        overlap = index - first;
        t->count = left < columns - overlap ? left : columns - overlap;
        matrix->outputs = columns;
    }
    matrix->x = a->data + job->next.offset.data - (ptrdiff_t)overlap * across->stride;
    if (job->of_products)
        matrix->y =
            a->other.data + job->next.offset.other - (ptrdiff_t)overlap * across->other_stride;
    t->run[0].out = job->next.offset.out;
    t->run[0].first = 0;
    t->run[1].first = t->count;
    t->runs = 1;
    const ptrdiff_t data = job->next.offset.data;
    advance(job, t->count);
    if (job->where == IN_COLUMNS && matrix->length >= MIN_PREFETCH_ROWS)
        matrix->ahead = job->next.offset.data - data;
    return overlap;
}

static size_t products_next(lane_job *job, size_t max, char *out, uint64_t certain[LANE_COLUMNS],
                            int *all, pc_tile_sum *scratch)
{
    const pc_array *a = job->array;
    const pc_axis *across = innermost_kept(a);
    lane_matrix matrix = {.length = job->from.rows};
    size_t overlap = 0;
    lane_sums sums;
    tile *t = (tile *)((char *)scratch + TILE);
    if (job->where == IN_TILES) {
        next_tile(job, across, max, t, scratch);
        matrix.outputs = fill_up(job, t, t->count);
        matrix.x = t->x;
        matrix.y = t->y;
        matrix.x_step = matrix.y_step = (ptrdiff_t)(t->pitch * size_of_type[a->type]);
    } else {
        const pc_axis *step = job->where == IN_ROWS ? across : across + 1;
        matrix.x_step = step->stride;
        matrix.y_step = step->other_stride;
        overlap = next_matrix(job, across, max, &matrix, t);
    }
    *all = 0;
    if (job->matrix_kernel) {
        double *value = t->value, *residual = t->residual;
        uint64_t is_certain[LANE_COLUMNS];
        const size_t columns = whole_steps(matrix.outputs);
        pad_sums(&sums, matrix.outputs);
        sum_pairs(job, &matrix, &sums);
        *all = job->kernels->lane_results(&job->spec, &sums, columns, value, residual, is_certain);
        write_tile(job, t, value + overlap, residual + overlap, out, across->out_stride);
        if (!*all) {
            uint64_t every = UINT64_MAX;
            for (size_t c = 0; c < t->count; c++)
                every &= certain[c] = is_certain[overlap + c];
            *all = every == UINT64_MAX;
        }
        job->exponents_known &= *all;
    } else {
        memset(certain, 0, t->count * sizeof *certain);
    }
    if (!*all && job->products) {
        matrix.x += (ptrdiff_t)overlap * across->stride;
        matrix.y += (ptrdiff_t)overlap * across->other_stride;
        *all = resum_uncertain_products(job, &matrix, across, out, t, t->count, certain, &sums,
                                        scratch);
    }
    return t->count;
}

/* ---- numbers of one array where they lie ------------------------------------------- */

/* Exponents for sums of `length` numbers, none larger than `max`. */
static void set_exponents(int k[2], summands what, double max, size_t length, int spare)
{
    k[0] = sum_exponent((what == SUM_NUMBERS ? max : max * max) * (double)length, spare);
    k[1] = numbers_exponent(k[0]);
}

/* Compute the results of a matrix. Returns how many of them are not certain; if any, sets
 * certain[]. */
static size_t sum_matrix(lane_job *job, const lane_matrix *matrix, lane_sums *sums, size_t overlap,
                         tile *t, uint64_t *certain)
{
    uint64_t is_certain[LANE_COLUMNS];
    size_t uncertain = 0;
    pad_sums(sums, matrix->outputs);
    job->out_of_binade = !find_matrix_kernel(job, job->met_nan)(matrix, job->lane_exponent, sums);
    if (job->spec.counted && !job->met_nan)
        for (size_t c = 0; c < matrix->outputs; c++)
            sums->count[c] = job->spec.count;
    const int all = job->kernels->lane_results(&job->spec, sums, whole_steps(matrix->outputs),
                                               t->value, t->residual, is_certain);
    for (size_t c = 0; !all && c < t->count; c++) {
        certain[c] = is_certain[overlap + c];
        uncertain += certain[c] == 0;
    }
    return uncertain;
}

void sum_row_alone(const pc_kernels *kernels, pc_type type, summands what, int skip_nan,
                   const char *x, size_t length, lane_sums *one, lane_sums *sums, size_t c)
{
    const lane_matrix row = {.x = x, .length = length, .outputs = 1};
    const size_t t = (size_t)(type - PC_FLOAT32);
    lane_matrix_kernel *kernel = what == SUM_BOTH ? kernels->gridded_rows[skip_nan][t]
                                                  : kernels->matrix_rows[skip_nan][what][t];
    int k[2];
    set_exponents(k, what, kernels->largest[t](x, 0, 1, length), length, 0);
    kernel(&row, k, one);
    for (int part = 0; part < 3; part++) {
        sums->number[part][c] = one->number[part][0];
        sums->square[part][c] = one->square[part][0];
    }
    sums->grid[c] = one->grid[0];
    sums->common_magnitude[c] = one->common_magnitude[0];
    sums->count[c] = skip_nan ? one->count[0] : (double)length;
}

/* Sum the outputs that are not certain once more, each with exponents of its own. Returns whether
 * all are certain now. */
static int resum_uncertain_numbers(lane_job *job, const lane_matrix *matrix, const pc_axis *across,
                                   char *out, tile *t, uint64_t *certain, lane_sums *sums,
                                   void *scratch)
{
    const size_t size = size_of_type[job->array->type], length = matrix->length,
                 padded = length < LANE_STEP ? LANE_STEP : length;
    uint64_t is_certain[LANE_COLUMNS];
    unsigned char taken[LANE_COLUMNS];
    lane_sums *one = (lane_sums *)scratch;
    char *copy = (char *)scratch + sizeof *one;
    size_t some = 0;
    int all = 1;
    memset(copy, 0, LANE_STEP * size);
    for (size_t c = 0; c < t->count; c++) {
        if (certain[c])
            continue;
        const char *x = matrix->x + (ptrdiff_t)c * across->stride;
        if (job->where == IN_COLUMNS) {
            gather_columns(copy, 0, x, size, length, matrix->x_step, 1, 0);
            x = copy;
        }
        sum_row_alone(job->kernels, job->array->type, SUM_BOTH, skips_nan(job->array), x, padded,
                      one, sums, some);
        if (job->spec.counted) {
            sums->count[some] -= (double)(padded - length);
            job->met_nan |= sums->count[some] < job->spec.count;
        }
        taken[some++] = (unsigned char)c;
    }
    job->kernels->lane_results(&job->spec, sums, whole_steps(some), t->value, t->residual,
                               is_certain);
    for (size_t j = 0; j < some; j++) {
        certain[taken[j]] = is_certain[j];
        all &= is_certain[j] != 0;
    }
    for (size_t j = 0, of_one = job->spec.paired ? 2 : 1; j < some; j += of_one)
        write_outputs(job, t->value + j, t->residual + j, of_one,
                      out + t->run[0].out + (ptrdiff_t)taken[j] * across->out_stride,
                      across->out_stride);
    return all;
}

/* An exponent that is so much larger than necessary is found anew. */
enum { MAX_SPARE_BITS = 16 };

static size_t matrix_next(lane_job *job, size_t max, char *out, uint64_t certain[LANE_COLUMNS],
                          int *all, pc_tile_sum *scratch)
{
    const pc_axis *across = innermost_kept(job->array);
    lane_matrix matrix = {.length = job->from.rows};
    lane_sums sums;
    tile *t = (tile *)((char *)scratch + TILE);
    matrix.x_step = (job->where == IN_ROWS ? across : across + 1)->stride;
    const size_t overlap = next_matrix(job, across, max, &matrix, t);
    if (!job->exponents_known)
        set_exponents(job->lane_exponent, job->summed, largest_in(job, &matrix, 0, 1),
                      matrix.length, SPARE_BITS);
    job->exponents_known = 1;
    size_t uncertain = sum_matrix(job, &matrix, &sums, overlap, t, certain);
    if (4 * uncertain > t->count) {
        int k[2];
        set_exponents(k, job->summed, largest_in(job, &matrix, 0, 0), matrix.length, SPARE_BITS);
        const int other = (job->out_of_binade && k[0] > job->lane_exponent[0]) ||
                          k[0] + MAX_SPARE_BITS < job->lane_exponent[0],
                  perhaps_nan = skips_nan(job->array) && !job->met_nan;
        if (other)
            memcpy(job->lane_exponent, k, sizeof k);
        if (other || perhaps_nan) {
            job->met_nan |= perhaps_nan;
            uncertain = sum_matrix(job, &matrix, &sums, overlap, t, certain);
        }
    }
    write_tile(job, t, t->value + overlap, t->residual + overlap, out, across->out_stride);
    if (job->met_nan) {
        job->met_nan = 0;
        for (size_t c = 0; c < matrix.outputs; c++)
            job->met_nan |= sums.count[c] < job->spec.count;
    }
    matrix.x += (ptrdiff_t)overlap * across->stride;
    *all = !uncertain ||
           resum_uncertain_numbers(job, &matrix, across, out, t, certain, &sums, scratch);
    return t->count;
}

/* ---- rows of integers -------------------------------------------------------------- */

/* An integer below 2^150 as an estimate: exact below 2^106. */
static void estimate_integer(double to[3][LANE_COLUMNS], size_t c, const uint64_t sum[4])
{
    const uint64_t ones = (UINT64_C(1) << 53) - 1;
    const double top = (double)(int64_t)(sum[1] >> 42 | sum[2] << 22) * 0x1p106,
                 middle = (double)((sum[1] << 11 | sum[0] >> 53) & ones) * 0x1p53,
                 high = top + middle, error = middle - (high - top), /* none below 2^106 */
        low = error + (double)(sum[0] & ones);
    to[0][c] = high;
    to[1][c] = low;
    to[2][c] = error != 0.0 ? fabs(low) * 0x1p-52 : 0.0;
}

static size_t integers_next(lane_job *job, size_t max, char *out, uint64_t certain[LANE_COLUMNS],
                            int *all, pc_tile_sum *scratch)
{
    const pc_axis *across = innermost_kept(job->array);
    const pc_type type = job->array->type;
    lane_matrix matrix = {.length = job->from.rows};
    lane_sums sums;
    tile *t = (tile *)((char *)scratch + TILE);
    next_matrix(job, across, max, &matrix, t);
    pad_sums(&sums, matrix.outputs);
    for (size_t c = 0; c < matrix.outputs; c++, matrix.x += across->stride) {
        uint64_t sum[4];
        if (job->summed != SUM_SQUARES) {
            job->kernels->sum_of_integers[type](matrix.x, matrix.length, sum);
            estimate_integer(sums.number, c, sum);
        }
        if (job->summed != SUM_NUMBERS) {
            job->kernels->squares_of_integers[type](matrix.x, matrix.length, sum);
            estimate_integer(sums.square, c, sum);
        }
        sums.grid[c] = 1.0;
        sums.common_magnitude[c] = (double)NAN; /* equal numbers are found exactly */
    }
    *all = job->kernels->lane_results(&job->spec, &sums, whole_steps(matrix.outputs), t->value,
                                      t->residual, certain);
    write_tile(job, t, t->value, t->residual, out, across->out_stride);
    return t->count;
}

size_t lanes_next(lane_job *job, size_t max, char *out, uint64_t certain[LANE_COLUMNS], int *all,
                  pc_tile_sum *scratch)
{
    const pc_array *a = job->array;
    const pc_axis *across = innermost_kept(a);
    const size_t size = size_of_type[a->type];
    double *value, *residual;
    lane_rows from = job->from;
    lane_sums sums;
    tile *t = (tile *)((char *)scratch + TILE);
    if (job->of_products)
        return products_next(job, max, out, certain, all, scratch);
    if (job->matrix_kernel)
        return matrix_next(job, max, out, certain, all, scratch);
    if (job->integers)
        return integers_next(job, max, out, certain, all, scratch);
    value = t->value;
    residual = t->residual;
    if (across->stride == (ptrdiff_t)size && !a->swapped && !a->mask) {
        /* As they lie. The last ones of an axis are made a multiple of LANE_STEP by those before.
         */
        const size_t left = outputs_left(job, across, max), columns = tile_width(left),
                     overlap = columns > left ? columns - left : 0, count = columns - overlap;
        if (overlap <= job->next.index[a->kept_axes - 1]) {
            const ptrdiff_t data = job->next.offset.data - (ptrdiff_t)(overlap * size),
                            to = job->next.offset.out;
            advance(job, count);
            from.x = a->data + data;
            from.columns = columns;
            from.ahead = from.rows >= MIN_PREFETCH_ROWS ? job->next.offset.data - data : 0;
            job->sum(&from, &sums);
            *all = job->kernels->lane_results(&job->spec, &sums, columns, value, residual, certain);
            if (!*all)
                memmove(certain, certain + overlap, count * sizeof *certain);
            write_outputs(job, value + overlap, residual + overlap, count, out + to,
                          across->out_stride);
            return count;
        }
    }
    next_tile(job, across, max, t, scratch);
    from.columns = fill_up(job, t, t->count);
    from.x = t->x;
    from.row = t->row;
    job->sum(&from, &sums);
    for (size_t c = 0; a->mask && c < from.columns; c++)
        sums.count[c] = (skips_nan(a) ? sums.count[c] : job->spec.count) - t->masked[c];
    *all = job->kernels->lane_results(&job->spec, &sums, from.columns, value, residual, certain);
    write_tile(job, t, value, residual, out, across->out_stride);
    return t->count;
}
