/* Many short sums at once (lanes.c): the same bits as the exact way, wherever the numbers lie, and
 * how often that way is taken. */
#include "check.h"

#include "../../csrc/array/lanes.h"

/* ---- numbers ------------------------------------------------------------------- */

/* +-m 2^e with m of `bits` bits at most. */
static double number_of(unsigned bits, int e)
{
    const double m = ldexp((double)(random64() >> (64 - bits)), e);
    return random64() & 1 ? m : -m;
}

static double any_double(void)
{
    double x;
    const uint64_t bits = random64();
    memcpy(&x, &bits, sizeof x);
    return x;
}

enum { KINDS = 21 };

/* One of the numbers of a sum, of a kind; `before` is the one before it. */
static double number_of_kind(int kind, int scale, size_t k, const double *before)
{
    const double ulp = ldexp(1.0, scale - 52);
    switch (kind) {
    case 14: /* sums of three halfway between multiples of three */
    case 15: return 3 * number_of_kind(6, scale, k, before);
    case 16: /* a norm just below a power of two, or above */
        return k == 0 ? ldexp(1.0, scale) - (double)below(5) * ulp / 2
                      : number_of(1 + (unsigned)below(4), scale - 28 - (int)below(3));
    case 17: /* far from zero, and near to each other */
    case 18:
        return k ? before[0] + number_of(1 + (unsigned)below(30), scale - 54)
                 : number_of(53, scale - 53);
    case 20: /* a sum of squares halfway between two doubles, and much less */
        return k == 0   ? ldexp(1.0 + (double)(2 * below(1 << 20) + 1) * 0x1p-27, scale)
               : k == 1 ? ldexp(1.0, scale - 27)
                        : number_of(2, scale - 28 - (int)below(40));
    case 19: return below(8) ? -0.0 : 0.0;
    case 0: return number_of(53, scale - 53);                 /* alike */
    case 1: return number_of(1 + (unsigned)below(8), 0);      /* small integers */
    case 2: return number_of(24, scale - 24 - (int)below(6)); /* float32 */
    case 3: return number_of(27, scale - (int)below(3));      /* ties of squares */
    case 4: return number_of(53, scale - (int)below(200));    /* of all sizes */
    case 5: return number_of(2, scale - (int)below(60) * 2);  /* few bits, far apart: ties */
    case 6:                                                   /* half an ulp, and much less */
        return k == 0   ? ldexp(1.0, scale) + (double)below(8) * ulp
               : k == 1 ? (random64() & 1 ? 0.5 : -0.5) * ulp
                        : number_of(2, scale - 53 - (int)(below(2) ? 46 + below(14) : below(400)));
    case 7: return k && below(2) ? -before[below(k)] : number_of(53, scale); /* cancelling */
    case 8: return ldexp(1.0, scale) + number_of(1 + (unsigned)below(20), scale - 53); /* near */
    case 9: return k ? before[0] : number_of(53, scale); /* constant */
    case 10: return k && below(4) ? before[0] : number_of(53, scale);
    case 11: return any_double();
    case 12: return number_of(26, scale - 26) + (below(3) ? 0.0 : number_of(3, scale - 55));
    default: return below(2) ? 0.0 : number_of(1 + (unsigned)below(53), scale - (int)below(30));
    }
}

static int random_scale(void)
{
    switch (below(8)) {
    case 0: return (int)below(2100) - 1070;
    case 1: return -450 - (int)below(80);
    default: return (int)below(40) - 20;
    }
}

static uint16_t half_of_double(double x)
{
    /* by the nearest of what is near: any float16 will do */
    int e;
    const double m = frexp(fabs(x), &e);
    const uint16_t sign = x < 0 ? 0x8000 : 0;
    if (x != x)
        return 0x7e00;
    if (!(fabs(x) < 65504.0))
        return (uint16_t)(sign | 0x7bff);
    if (e < -13)
        return (uint16_t)(sign | (uint16_t)ldexp(m, e + 24));
    return (uint16_t)(sign |
                      (((uint16_t)(e + 14) << 10) + (uint16_t)((uint16_t)(m * 2048) - 1024)));
}

/* Such a number in a type. */
static void put_number(char *to, pc_type type, double x)
{
    const float narrow = (float)x;
    if (type == PC_FLOAT64)
        memcpy(to, &x, sizeof x);
    else if (type == PC_FLOAT32)
        memcpy(to, &narrow, sizeof narrow);
    else if (type == PC_FLOAT16)
        store_bits(to, 2, half_of_double(x));
    else if (below(20) == 0) /* the ends of its range */
        store_bits(to, sizes[type],
                   (random64() & 1) - (random64() & 1) + (random64() << 63 >> below(64)));
    else
        store_bits(to, sizes[type], random64() >> below(64));
}

/* ---- arrays --------------------------------------------------------------------- */

enum { POSITIONS = 150, CELLS = POSITIONS * LANE_ROWS };

/* Each either ends where memory ends or begins where it begins. */
static guarded cells_at[2], mask_at[2];
static char made[2][POSITIONS * 16];

static const pc_type result_types[] = {PC_FLOAT64, PC_FLOAT32, PC_FLOAT16, PC_INT64, PC_UINT64};

/* What the exact way makes of one position. */
static pc_status exact_result(const pc_array *a, size_t position, const pc_output_spec *spec,
                              char *out, pc_tile_sum *sum)
{
    pc_accumulator_clear(&sum->total, spec->statistic);
    pc_add_tile(a, position, 1, 0, pc_array_reduction_length(a), sum);
    return pc_write_tile(sum, 1, spec, out);
}

static pc_tile_sum sums[PC_TILE];

/* All that can be asked of an array, by lanes and exactly. */
static void compare(pc_array a)
{
    const size_t outputs = pc_array_outputs(&a), room = outputs < PC_MIN_SUMS ? PC_MIN_SUMS
                                                        : outputs < PC_TILE   ? outputs
                                                                              : PC_TILE;
    const int first = a.other.data ? PC_DOT : 0, last = a.other.data ? PC_DOT : RESULTS - 1;
    pc_tile_sum *work =
        malloc((outputs == 1 ? 1 : room) * sizeof *work); /* no more than is asked */
    CHECK(work != NULL);
    pc_array_arrange(&a);
    for (int t = 0; t < 5; t++)
        for (int result = first; result <= last; result++) {
            pc_output_spec spec = spec_of((pc_statistic)result, result_types[t]);
            spec.components = result == PC_SUM || result == PC_MEAN ? a.components : 1;
            const size_t size = sizes[spec.type] * (size_t)spec.components;
            if (t >= 3 && (a.type >= PC_FLOAT16 || (result != PC_SUM && result != PC_SUMSQ)))
                continue;
            if (t && t < 3 && below(3))
                continue;
            spec.ddof = below(4) ? below(2) : below(6);
            spec.ddof_bits = below(4) ? 0 : (unsigned)below(3);
            for (int k = 0; k < a.kept_axes; k++) /* of whatever size the results are */
                a.axis[k].out_stride = a.axis[k].out_stride / 8 * (ptrdiff_t)size;
            pc_status exact = PC_OK;
            memset(made, 0x55, sizeof made);
            for (size_t p = 0; p < outputs && exact != PC_TOO_LARGE; p++) {
                pc_status one = exact_result(&a, p, &spec, made[0], sums);
                exact = one == PC_OK ? exact : one;
            }
            const pc_status status = pc_reduce(&a, 0, outputs, &spec, made[1], work);
            if (status != exact)
                fprintf(
                    stderr, "type %d result %d as %d, %zu of %zu%s, ddof %d/%d: status %d not %d\n",
                    a.type, result, spec.type, outputs, pc_array_reduction_length(&a),
                    a.mask ? " masked" : "", (int)spec.ddof, 1 << spec.ddof_bits, status, exact);
            CHECK(status == exact);
            if (status == PC_TOO_LARGE) {
                uint64_t word[2];
                CHECK(round_to(&sums[0].total, spec, word) == PC_TOO_LARGE ||
                      pc_array_reduction_length(&a) < 1 || outputs > 1);
            } else {
                for (size_t p = 0; p < outputs; p++)
                    if (memcmp(made[0] + p * size, made[1] + p * size, size)) {
                        fprintf(stderr,
                                "type %d result %d as %d at %zu of %zu, depth %zu, ddof %d/%d: "
                                "%016" PRIx64 " not %016" PRIx64 "\n",
                                a.type, result, spec.type, p, outputs,
                                pc_array_reduction_length(&a), (int)spec.ddof, 1 << spec.ddof_bits,
                                load_bits(made[1] + p * size, size),
                                load_bits(made[0] + p * size, size));
                        CHECK(0);
                    }
            }
            for (int k = 0; k < a.kept_axes; k++)
                a.axis[k].out_stride = a.axis[k].out_stride / (ptrdiff_t)size * 8;
        }
    free(work);
}

/* A random array of so many outputs and so deep: its strides, types, bytes, mask. */
static void test_random(pc_type type, size_t outputs, size_t depth)
{
    const int components = type >= PC_FLOAT32 && 2 * outputs * depth <= CELLS && !below(4) ? 2 : 1;
    const size_t one = sizes[type], size = one * (size_t)components;
    const int kind = (int)below(KINDS), scale = random_scale(), layout = (int)below(4),
              apart = below(4) ? 0 : (int)below(80); /* the scales of outputs */
    const int at_end = (int)below(2);
    char *cells = cells_at[at_end].data + (at_end ? (CELLS * 8 - outputs * depth * size) : 0),
         *mask = mask_at[at_end].data + (at_end ? CELLS - outputs * depth : 0);
    pc_array a = {.type = type, .components = components, .repeat = 1, .data = cells};
    static double row[MAX_MATRIX_LENGTH + 1];
    const int with_nan = below(3) == 0;
    a.swapped = below(4) == 0;
    a.mask = below(3) == 0 ? mask : NULL;
    a.skip_nan = below(4) == 0;
    a.kept_axes = 1;
    a.reduced_axes = 1;
    a.axis[0] = (pc_axis){outputs, (ptrdiff_t)size, 1, 8, 0};
    a.axis[1] = (pc_axis){depth, (ptrdiff_t)(size * outputs), (ptrdiff_t)outputs, 0, 0};
    if (layout & 1) {
        a.axis[0].stride = (ptrdiff_t)(size * depth);
        a.axis[0].mask_stride = (ptrdiff_t)depth;
        a.axis[1].stride = (ptrdiff_t)size;
        a.axis[1].mask_stride = 1;
    }
    for (size_t p = 0; p < outputs; p++)
        for (size_t k = 0; k < depth; k++) {
            const int now = below(40) ? kind : (int)below(KINDS - 1);
            row[k] = number_of_kind(now, scale + apart * (int)(p % 3), k, row);
            if (a.skip_nan && (with_nan || p % 70 == 69) && below(5) == 0)
                row[k] = (double)NAN;
            char *at = cells + (ptrdiff_t)p * a.axis[0].stride + (ptrdiff_t)k * a.axis[1].stride;
            for (int j = 0; j < components; j++, at += one) {
                put_number(at, type, j ? number_of_kind(now, scale - apart, k, row) : row[k]);
                for (size_t b = 0; a.swapped && b < one / 2; b++) {
                    const char byte = at[b];
                    at[b] = at[one - 1 - b];
                    at[one - 1 - b] = byte;
                }
            }
            mask[(ptrdiff_t)p * a.axis[0].mask_stride + (ptrdiff_t)k * a.axis[1].mask_stride] =
                (char)(below(4) ? 1 + below(255) : 0);
        }
    if (layout & 2 && outputs % 3 == 0) { /* two kept axes that do not run on as one */
        a.kept_axes = 2;
        a.axis[2] = a.axis[1];
        a.axis[1] = a.axis[0];
        a.axis[0].length = outputs / 3;
        a.axis[0].out_stride *= 3;
        a.axis[1].length = 3;
        a.axis[1].stride *= (ptrdiff_t)outputs / 3;
        a.axis[1].mask_stride *= (ptrdiff_t)outputs / 3;
    } else if (layout & 2 && depth % 2 == 0 && depth > 2) { /* two such reduced axes */
        a.reduced_axes = 2;
        a.axis[2] = a.axis[1];
        a.axis[1].length = 2;
        a.axis[1].stride *= (ptrdiff_t)depth / 2;
        a.axis[1].mask_stride *= (ptrdiff_t)depth / 2;
        a.axis[2].length = depth / 2 - 1;
    }
    compare(a);
}

/* The sums of products of two arrays, each in either order, with a gap or none. */
static void test_products(pc_type type, size_t outputs, size_t depth)
{
    const ptrdiff_t size = (ptrdiff_t)sizes[type];
    const int kind = (int)below(KINDS), scale = random_scale() / 2;
    const size_t gap = 1 + (size_t)below(2), numbers = gap * outputs * depth;
    char *x = cells_at[1].data + CELLS * 8 - numbers * (size_t)size, *y = cells_at[0].data;
    pc_array a = {
        .type = type, .components = 1, .repeat = 1, .data = x, .kept_axes = 1, .reduced_axes = 1};
    ptrdiff_t step[3][2]; /* of x, y, and the mask: to the next output, and the next element */
    double row[LANE_ROWS];
    a.other = (pc_other){type, 1, below(4) == 0, y, 0};
    a.swapped = below(4) == 0;
    a.mask = below(3) == 0 ? mask_at[0].data : NULL;
    for (int k = 0; k < 3; k++) {
        const int by_columns = (int)below(2);
        const size_t apart = k < 2 ? gap * (size_t)size : 1;
        step[k][0] = (ptrdiff_t)(apart * (by_columns ? 1 : depth));
        step[k][1] = (ptrdiff_t)(apart * (by_columns ? outputs : 1));
    }
    a.axis[0] = (pc_axis){outputs, step[0][0], step[2][0], 8, step[1][0]};
    a.axis[1] = (pc_axis){depth, step[0][1], step[2][1], 0, step[1][1]};
    for (size_t k = 0; k < numbers; k++)
        for (int other = 0; other < 2; other++) {
            char number[8];
            row[k % LANE_ROWS] = number_of_kind(below(40) ? kind : 0, scale, k % LANE_ROWS, row);
            put_number(number, type, row[k % LANE_ROWS]);
            for (ptrdiff_t b = 0; b < size; b++)
                (other ? y : x)[(ptrdiff_t)k * size + b] =
                    number[(other ? a.other.swapped : a.swapped) ? size - 1 - b : b];
        }
    for (size_t k = 0; k < outputs * depth; k++)
        mask_at[0].data[k] = below(4) != 0;
    if (depth % 2 == 0 && depth > 2 && below(2)) { /* two reduced axes that do not run on as one */
        a.reduced_axes = 2;
        a.axis[2] = a.axis[1];
        a.axis[1].length = 2;
        a.axis[1].stride *= (ptrdiff_t)depth / 2;
        a.axis[1].other_stride *= (ptrdiff_t)depth / 2;
        a.axis[1].mask_stride *= (ptrdiff_t)depth / 2;
        a.axis[2].length = depth / 2 - 1;
    }
    compare(a);
}

/* Every length up to 70, and those where another way begins. */
static void test_depths(void)
{
    static const size_t deep[] = {95,  96,  97,   127,  128,  129,  130,  255,  256,
                                  257, 512, 1000, 2047, 2049, 4000, 4095, 4096, 4097};
    for (size_t d = 0; d < sizeof deep / sizeof *deep; d++)
        for (pc_type type = PC_FLOAT16; type <= PC_FLOAT64; type++)
            test_random(type, 2 + (size_t)below(8), deep[d]);
    for (size_t depth = 0; depth <= LANE_ROWS; depth += depth == 70 ? 50 : depth == 132 ? 118 : 1)
        for (pc_type type = PC_INT64; type <= PC_FLOAT64; type += 2)
            test_random(type, 1 + (size_t)below(18), depth);
    for (size_t depth = 1; depth <= LANE_ROWS / 2 + 2; depth++) /* too long from 129 on */
        for (pc_type type = PC_FLOAT16; type <= PC_FLOAT64; type++)
            test_products(type, 2 + (size_t)below(30), depth);
}

/* NaN that are left out count as 0: the same sums of lanes to the last bit as with 0 in their
 * place, and a count of what is left. */
static void test_without_nan(const pc_kernels *kernels)
{
    enum { ROWS = 9 };
    static lane_sums sums[2];
    static char zeroed[ROWS * LANE_COLUMNS * 8];
    const pc_type type = (pc_type)(PC_FLOAT16 + below(PC_FLOAT64 - PC_FLOAT16 + 1));
    const size_t size = sizes[type], rows = 1 + (size_t)below(ROWS),
                 columns = LANE_STEP * (1 + (size_t)below(LANE_COLUMNS / LANE_STEP)),
                 numbers = rows * columns;
    char *x = cells_at[1].data + CELLS * 8 - numbers * size;
    ptrdiff_t row[ROWS];
    size_t left[LANE_COLUMNS] = {0};
    lane_rows from = {x, row, rows, columns, 0, 0};
    if (!kernels->lane_sums[1][type][0])
        return;
    for (size_t r = 0; r < rows; r++)
        row[r] = (ptrdiff_t)(r * columns * size);
    for (size_t k = 0; k < numbers; k++) {
        const int nan = below(4) == 0;
        put_number(x + k * size, type, nan ? (double)NAN : number_of(53, (int)below(40) - 60));
        memcpy(zeroed + k * size, x + k * size, size);
        if (nan)
            memset(zeroed + k * size, 0, size);
        else
            left[k % columns]++;
    }
    for (int which = 0; which < 3; which++) {
        if (which == SUM_SQUARES) {
            CHECK(!kernels->lane_sums[1][type][which]);
            continue;
        }
        memset(sums, 0x55, sizeof sums);
        from.x = x;
        kernels->lane_sums[1][type][which](&from, &sums[0]);
        from.x = zeroed;
        kernels->lane_sums[0][type][which](&from, &sums[1]);
        for (size_t c = 0; c < columns; c++)
            CHECK(sums[0].count[c] == (double)left[c]);
        memset(sums[0].count, 0x55, sizeof sums[0].count);
        CHECK(memcmp(&sums[0], &sums[1], sizeof sums[0]) == 0);
    }
}

/* Columns as they are and no farther, of numbers of each size. */
static void test_transpose(const pc_kernels *kernels)
{
    enum { MOST = 40 };
    static char to[MOST * MOST * 8];
    const size_t size = (size_t)1 << below(4), count = (size_t)below(MOST - 3),
                 rows = 1 + (size_t)below(below(2) ? MOST : 5), pitch = count + (size_t)below(4),
                 apart = rows + (size_t)(below(2) * below(3)),
                 items = count ? (count - 1) * apart + rows : 0;
    const int at_end = (int)below(2);
    char *x = cells_at[at_end].data + (at_end ? CELLS * 8 - items * size : 0);
    for (size_t k = 0; k < items; k++)
        store_bits(x + size * k, size, random64());
    memset(to, 0x55, sizeof to);
    (size == 8 ? kernels->transpose_columns : kernels->transpose_narrow[size / 2])(
        to, pitch, x, (ptrdiff_t)(size * apart), count, rows);
    for (size_t r = 0; r < MOST; r++)
        for (size_t c = 0; c < pitch && r * pitch + c < MOST * MOST; c++)
            CHECK(load_bits(to + (r * pitch + c) * size, size) ==
                  (r < rows && c < count ? load_bits(x + size * (c * apart + r), size)
                                         : UINT64_C(0x5555555555555555) >> (64 - 8 * size)));
}

/* Sorted labels: what the exact way makes of the numbers of each. */
static void test_sorted(pc_type type, size_t most)
{
    static int64_t at[POSITIONS + 1];
    static char labels[CELLS * sizeof(int64_t)];
    const size_t size = sizes[type], count = 1 + (size_t)below(POSITIONS);
    const pc_type label_type = (pc_type)below(PC_BOOL);
    const size_t label_size = sizes[label_type];
    const int kind = (int)below(KINDS), scale = random_scale(), at_end = (int)below(2),
              sparse = (int)below(2);
    size_t end = 0, offset = 0;
    double before[LANE_ROWS];
    for (size_t k = 0; k < count; k++) { /* the sizes of groups; at most 127 fit an int8 */
        size_t some = below(sparse ? 3 : 30) ? 1 + (size_t)below(most) : 0;
        some = below(9) || !some ? some : most;
        at[k] = (int64_t)end;
        end += k < 127 && end + some <= CELLS ? some : 0;
    }
    at[count] = (int64_t)end;
    offset = (CELLS - end) * label_size * (size_t)at_end;
    char *x = cells_at[at_end].data + (at_end ? CELLS * 8 - end * size : 0),
         *label = labels + offset;
    pc_sorted sorted = {type, below(4) == 0, x, end, label_type, below(3) == 0, label};
    for (size_t k = 0, of = 0, row = 0; k < end; k++, row = (row + 1) % LANE_ROWS) {
        const int now = below(40) ? kind : (int)below(KINDS - 1);
        while ((size_t)at[of + 1] <= k) {
            of++;
            row = below(2) ? 0 : row;
        }
        before[row] = number_of_kind(now, scale, row, before);
        if (sorted.skip_nan && below(50) == 0)
            before[row] = (double)NAN;
        put_number(x + k * size, type, before[row]);
        store_bits(label + k * label_size, label_size, of);
        for (size_t b = 0; sorted.labels_swapped && b < label_size / 2; b++) {
            char *byte = label + k * label_size, first = byte[b];
            byte[b] = byte[label_size - 1 - b];
            byte[label_size - 1 - b] = first;
        }
    }
    for (int t = 0; t < 5; t++)
        for (int result = 0; result < RESULTS; result++) {
            pc_output_spec spec = spec_of((pc_statistic)result, result_types[t]);
            const size_t result_size = sizes[spec.type];
            const size_t first = (size_t)below(count);
            if ((t >= 3 && (type >= PC_FLOAT16 || (result != PC_SUM && result != PC_SUMSQ))) ||
                (t && below(3)))
                continue;
            spec.ddof = below(4) ? below(2) : below(6);
            spec.ddof_bits = below(4) ? 0 : (unsigned)below(3);
            if (!pc_sorted_suited(type, &spec))
                continue;
            pc_status exact = PC_OK;
            memset(made, 0x55, sizeof made);
            for (size_t k = first; k < count && exact != PC_TOO_LARGE; k++) {
                pc_array a = {.type = type, .components = 1, .repeat = 1, .reduced_axes = 1};
                a.data = x + (size_t)at[k] * size;
                a.skip_nan = sorted.skip_nan;
                a.axis[0] = (pc_axis){(size_t)(at[k + 1] - at[k]), (ptrdiff_t)size, 0, 0, 0};
                const pc_status one = exact_result(&a, 0, &spec, made[0] + k * result_size, sums);
                exact = one == PC_OK ? exact : one;
            }
            const int mode = below(2) ? FE_UPWARD : FE_TONEAREST;
            fesetround(mode);
            const pc_status status = pc_reduce_sorted(&sorted, (size_t)at[first], end, first, count,
                                                      &spec, made[1], sums);
            CHECK(rounds(mode));
            fesetround(FE_TONEAREST);
            if (status != exact ||
                (exact != PC_TOO_LARGE && memcmp(made[0], made[1], sizeof made[0])))
                fprintf(stderr,
                        "type %d result %d as %d, labels %d of type %d, ddof %d/%d: %d %d\n", type,
                        result, spec.type, (int)count, label_type, (int)spec.ddof,
                        1 << spec.ddof_bits, status, exact);
            CHECK(status == exact);
            CHECK(exact == PC_TOO_LARGE || memcmp(made[0], made[1], sizeof made[0]) == 0);
            if (exact != PC_TOO_LARGE && first + 1 < count && at[count] > at[count - 1])
                CHECK(pc_reduce_sorted(&sorted, (size_t)at[first], end, first, count - 1, &spec,
                                       made[1], sums) == PC_UNSUITED);
        }
}

/* One long group, or one of integers whose sum a double does not hold, among some of few numbers.
 */
static void test_long_group(pc_type type)
{
    enum { GROUPS = 24, MOST_NUMBERS = 3 * MAX_MATRIX_LENGTH, ALL = MOST_NUMBERS + 3 * GROUPS };
    static char x[ALL * 8];
    static int32_t label[ALL];
    size_t at[GROUPS + 1] = {0};
    const size_t size = sizes[type], which = below(GROUPS),
                 length = below(3)   ? 1 + below(MAX_SHORT_GROUP + 2)
                          : below(2) ? MAX_MATRIX_LENGTH - 1 + below(3)
                                     : below(MOST_NUMBERS + 1);
    const double offset = below(2) ? 0.0 : 0x1p23;
    for (size_t g = 0; g < GROUPS; g++) {
        at[g + 1] = at[g] + (g == which ? length : below(4));
        for (size_t k = at[g]; k < at[g + 1]; k++) {
            const int64_t wide = (int64_t)(random64() >> 14) + (INT64_C(1) << 50);
            label[k] = (int32_t)g;
            if (type == PC_INT64)
                memcpy(x + k * size, &wide, size);
            else
                put_number(x + k * size, type, (double)(int64_t)(random64() >> 40) - offset);
        }
    }
    const pc_sorted sorted = {type, 0, x, at[GROUPS], PC_INT32, 0, (const char *)label};
    for (int result = 0; result < RESULTS; result++) {
        const pc_output_spec spec = spec_of((pc_statistic)result, PC_FLOAT64);
        double all[GROUPS], one;
        if (!pc_sorted_suited(type, &spec))
            continue;
        pc_reduce_sorted(&sorted, 0, at[GROUPS], 0, GROUPS, &spec, (char *)all, sums);
        for (size_t g = 0; g < GROUPS; g++) {
            pc_reduce_contiguous(type, 1, x + at[g] * size, at[g + 1] - at[g], 0, &spec, sums,
                                 (char *)&one);
            CHECK(memcmp(&one, &all[g], sizeof one) == 0);
        }
    }
}

/* The exact sum, or that of the squares, less an estimate: within its bound. Returns the part of
 * the bound that it takes. */
static double check_estimate(const char *x, pc_type type, size_t n, int squares,
                             double (*of)[LANE_COLUMNS])
{
    pc_accumulator acc, estimated;
    double error;
    uint64_t words[PC_LIMBS];
    pc_accumulator_clear(&acc, PC_VAR);
    pc_accumulator_clear(&estimated, PC_VAR);
    pc_add_numbers(&acc, type, 1, x, n);
    /* Moments as numbers: less high and low. */
    int exponent, negative;
    const size_t count =
        pc_accumulator_export(&acc, squares ? PC_SQUARES : PC_NUMBERS, words, &exponent, &negative);
    if (pc_accumulator_import(&estimated, PC_NUMBERS, words, count, exponent, negative) != PC_OK)
        return 0.0; /* beyond the range of numbers */
    estimated.count = 1;
    for (int k = 0; k < 2; k++) {
        const double part = -of[k][0];
        if (!isfinite(part) || !isfinite(of[2][0]))
            return 0.0;
        pc_add_numbers(&estimated, PC_FLOAT64, 1, (const char *)&part, 1);
    }
    const pc_output_spec sum = spec_of(PC_SUM, PC_FLOAT64);
    CHECK(pc_accumulator_round(&estimated, &sum, (char *)&error) == PC_OK);
    CHECK(fabs(error) <= of[2][0] || fabs(error) < 0x1p-990);
    return of[2][0] > 0.0 ? fabs(error) / of[2][0] : 0.0;
}

/* The estimates of groups of floats, and their bounds, which are not far above what is reached; of
 * those too long NaN. */
static void test_bounds(const pc_kernels *kernels)
{
    static const size_t lengths[] = {4, 16, 64, 100, 127, 128, 129, 5000};
    static lane_sums sums;
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
        for (pc_type type = PC_FLOAT32; type <= PC_FLOAT64; type++) {
            const size_t n = lengths[k], size = sizes[type], at[2] = {0, n};
            char *x = cells_at[1].data + CELLS * 8 - n * size;
            const lane_groups block = {x, at, 1, n};
            double most[2] = {0.0, 0.0};
            for (int again = 0; again < 40; again++) {
                const int sign = (int)below(2);
                for (size_t j = 0; j < n; j++) {
                    const double v = number_of(53, -53 - (int)(below(2) * below(80)));
                    put_number(x + j * size, type, sign ? fabs(v) : v);
                }
                kernels->group_sums[type][2](&block, &sums);
                CHECK(sums.count[0] == (double)n);
                CHECK(isnan(sums.number[0][0]) == (n > MAX_SHORT_GROUP));
                CHECK(isnan(sums.square[0][0]) == (n > MAX_SHORT_GROUP));
                for (int squares = 0; squares < 2; squares++) {
                    const double part =
                        check_estimate(x, type, n, squares, squares ? sums.square : sums.number);
                    most[squares] = part > most[squares] ? part : most[squares];
                }
            }
            CHECK(type != PC_FLOAT64 || n < 64 || n > MAX_SHORT_GROUP ||
                  (most[0] > 0x1p-20 && most[1] > 0x1p-16));
        }
}

/* Squares of floats of 24 bits of which the last is lost on the way, and tells on which side of a
 * tie the sum is: their grid says so. */
static void test_last_square(void)
{
    static const double after[] = {8740, 8974, 10887, 10561, 8881, 9766, 4236, 9366};
    enum { N = 2 + sizeof after / sizeof *after };
    const pc_output_spec spec = spec_of(PC_SUMSQ, PC_FLOAT64);
    static const int32_t labels[N];
    float x[N] = {0x1p52f}; /* the squares: 2^104, then 5/2 of its last bits in all, and 1 */
    double result;
    for (int k = 1; k + 1 < N; k++)
        x[k] = (float)after[k - 1] * 0x1p12f;
    x[N - 1] = 0x1p23f + 1.0f;
    const pc_sorted sorted = {PC_FLOAT32, 0, (const char *)x, N, PC_INT32, 0, (const char *)labels};
    pc_output_spec complex_spec = spec;
    complex_spec.components = 2;
    CHECK(pc_sorted_suited(PC_FLOAT32, &spec) && !pc_sorted_suited(PC_FLOAT32, &complex_spec));
    CHECK(pc_reduce_sorted(&sorted, 0, N, 0, 1, &spec, (char *)&result, sums) == PC_OK);
    CHECK(result == 0x1p104 + 3 * 0x1p52);
}

/* Three numbers, of which the least tells on which side of a tie the sum is, though nothing is left
 * of it on the way. */
static void test_least_number(void)
{
    static const double x[][3] = {
        {0x1p-53, 1.0, 0x1p-160}, {1.0, 0x1p-53, 0x1p-160}, {1.0, 0x1p-160, 0x1p-53}};
    static const int32_t labels[3];
    for (size_t k = 0; k < sizeof x / sizeof *x; k++) {
        const pc_output_spec spec = spec_of(PC_SUM, PC_FLOAT64);
        const pc_sorted sorted = {PC_FLOAT64, 0, (const char *)x[k],  3,
                                  PC_INT32,   0, (const char *)labels};
        double result;
        CHECK(pc_reduce_sorted(&sorted, 0, 3, 0, 1, &spec, (char *)&result, sums) == PC_OK);
        CHECK(result == 1.0 + 0x1p-52);
    }
}

/* Three squares of so many bits that the last of them may be lost. */
static void test_last_bits(const pc_kernels *kernels)
{
    static lane_sums few;
    static const size_t at[2] = {0, 3};
    double x[3];
    const lane_groups block = {(const char *)x, at, 1, 3};
    for (int again = 0; again < 1000; again++) {
        for (int k = 0; k < 3; k++)
            x[k] = 1.0 + (double)(random64() >> 15) * 0x1p-52;
        kernels->group_sums[PC_FLOAT64][2](&block, &few);
        check_estimate((const char *)x, PC_FLOAT64, 3, 1, few.square);
    }
}

/* The estimates of n squares - number^2 of few numbers, and their bounds; none if all is exact. */
static void test_few_centered(const pc_kernels *kernels)
{
    static lane_sums sums;
    for (pc_type type = PC_FLOAT16; type <= PC_FLOAT64; type++) {
        const size_t size = sizes[type];
        double most = 0.0;
        int exact = 0;
        for (int again = 0; kernels->few_centered_squares[type] && again < 2000; again++) {
            const size_t n = 2 + (size_t)below(MAX_CENTERED - 1);
            const int kind = (int)below(11), few_digits = (int)below(2); /* not any_double */
            char *x = cells_at[1].data + CELLS * 8 - n * LANE_STEP * size;
            double number[MAX_CENTERED][LANE_STEP];
            ptrdiff_t row[MAX_CENTERED];
            lane_rows from = {x, row, n, LANE_STEP, 0, 0};
            for (size_t r = 0; r < n; r++) {
                row[r] = (ptrdiff_t)(r * LANE_STEP * size);
                for (size_t c = 0; c < LANE_STEP; c++) {
                    double before[MAX_CENTERED];
                    for (size_t k = 0; k < r; k++)
                        before[k] = number[k][c];
                    put_number(x + (r * LANE_STEP + c) * size, type,
                               few_digits ? number_of(9, -5) : number_of_kind(kind, 2, r, before));
                    /* As it is in that type: the sum of one number. */
                    pc_accumulator one;
                    const pc_output_spec sum = spec_of(PC_SUM, PC_FLOAT64);
                    pc_accumulator_clear(&one, PC_SUM);
                    pc_add_numbers(&one, type, 1, x + (r * LANE_STEP + c) * size, 1);
                    CHECK(pc_accumulator_round(&one, &sum, (char *)&number[r][c]) == PC_OK);
                }
            }
            memset(&sums, 0x55, sizeof sums);
            kernels->few_centered_squares[type](&from, &sums);
            for (size_t c = 0; c < LANE_STEP; c++) {
                pc_accumulator error;
                double terms[2] = {-sums.square[0][c], -sums.square[1][c]}, left;
                pc_accumulator_clear(&error, PC_SUM);
                pc_add_numbers(&error, PC_FLOAT64, 1, (const char *)terms, 2);
                for (size_t i = 0; i < n; i++)
                    for (size_t j = 0; j < n; j++) { /* n x_i^2 - x_i x_j of all i and j */
                        const double y = number[i][c], z = number[j][c], square = y * y,
                                     product = -y * z;
                        const double of[4] = {square, fma(y, y, -square), product,
                                              fma(-y, z, -product)};
                        pc_add_numbers(&error, PC_FLOAT64, 1, (const char *)of, 4);
                    }
                const pc_output_spec sum = spec_of(PC_SUM, PC_FLOAT64);
                CHECK(pc_accumulator_round(&error, &sum, (char *)&left) == PC_OK);
                CHECK(fabs(left) <= sums.square[2][c]);
                exact += sums.square[2][c] == 0.0;
                if (sums.square[2][c] > 0.0 && fabs(left) / sums.square[2][c] > most)
                    most = fabs(left) / sums.square[2][c];
            }
        }
        if (kernels->few_centered_squares[type])
            CHECK(exact > 10000 && (type < PC_FLOAT64 || most > 0x1p-9));
    }
}

/* Labels that rise, but perhaps for one, which may be below 0. */
static void test_labels(const pc_kernels *kernels)
{
    int64_t label[1 + 64 * LABELS_STEP];
    int32_t narrow[1 + 64 * LABELS_STEP];
    const size_t n = LABELS_STEP * (1 + below(64)), rare = 1 + below(100);
    uint64_t changes, differ = 0;
    int rise = 1;
    label[0] = (int64_t)below(3);
    for (size_t k = 1; k <= n; k++)
        label[k] = label[k - 1] + (below(rare) ? 0 : (int64_t)below(3));
    if (below(2))
        label[1 + below(n)] -= (int64_t)below(4);
    if (below(4) == 0) { /* differences of int32 that wrap, and none that is negative */
        const size_t k = 1 + below(n - 1);
        label[k] = INT32_MIN + (int64_t)below(99);
        label[k + 1] = 0;
    }
    if (below(2)) /* up to the largest */
        for (size_t k = 0; k <= n; k++)
            label[k] += label[k] < 0 ? 0 : INT32_MAX - (int64_t)(2 * n + 4);
    for (size_t k = 0; k <= n; k++)
        narrow[k] = (int32_t)label[k];
    for (size_t k = 1; k <= n; k++) {
        rise &= label[k] >= 0 && label[k] >= label[k - 1];
        differ |= (uint64_t)(label[k] != label[k - 1]) << (k - 1) / LABELS_STEP;
    }
    CHECK(kernels->compare_labels[0]((const char *)&narrow[1], n, &changes) == rise);
    CHECK(changes == differ);
    if (below(2))
        for (size_t k = 0; k <= n; k++)
            label[k] += label[k] < 0 ? 0 : INT64_MAX - INT32_MAX;
    CHECK(kernels->compare_labels[1]((const char *)&label[1], n, &changes) == rise);
    CHECK(changes == differ);
}

static size_t random_depth(void)
{
    switch (below(16)) {
    case 0: return 1 + below(LANE_ROWS);
    case 1: return 1 + below(70);
    case 2:
    case 3:
    case 4:
    case 5: return 1 + below(9);
    case 6: return 16 + below(20);
    default: return 2 + below(3);
    }
}

/* How often ordinary numbers go the exact way. */
static void test_counts(void)
{
    static const size_t depths[] = {2, 3, 4, 8, 16, 32, 100, 256};
    for (pc_type type = PC_FLOAT32; type <= PC_FLOAT64; type++)
        for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
            for (int result = 0; result < 2 * RESULTS; result++) {
                const uint64_t before = pc_rounding_test_failures();
                const int in_rows = result >= RESULTS;
                char *cells = cells_at[0].data;
                size_t all = 0;
                pc_array a = {.type = type,
                              .components = 1,
                              .repeat = 1,
                              .data = cells,
                              .kept_axes = 1,
                              .reduced_axes = 1};
                a.axis[0] = (pc_axis){POSITIONS, (ptrdiff_t)sizes[type], 0, 8, 0};
                a.axis[1] = (pc_axis){depths[d], (ptrdiff_t)(POSITIONS * sizes[type]), 0, 0, 0};
                if (in_rows) {
                    a.axis[0].stride = (ptrdiff_t)(depths[d] * sizes[type]);
                    a.axis[1].stride = (ptrdiff_t)sizes[type];
                }
                for (; all < 20000; all += POSITIONS) {
                    for (size_t k = 0; k < POSITIONS * depths[d]; k++) { /* about normal */
                        double x = 0;
                        for (int j = 0; j < 4; j++)
                            x += (double)(int64_t)random64() * 0x1p-63;
                        put_number(cells + k * sizes[type], type, x);
                    }
                    const pc_output_spec spec =
                        spec_of((pc_statistic)(result % RESULTS), PC_FLOAT64);
                    pc_reduce(&a, 0, POSITIONS, &spec, made[0], sums);
                }
                const uint64_t inexact = pc_rounding_test_failures() - before;
                if (inexact * 10000 > all)
                    fprintf(stderr, "type %d depth %zu%s result %d: %d of %zu\n", type, depths[d],
                            in_rows ? " in rows" : "", result % RESULTS, (int)inexact, all);
                CHECK(inexact * 10000 <= all);
            }
}

int main(int argc, char **argv)
{
    long count = trials(argc, argv);
    for (int at_end = 0; at_end < 2; at_end++) {
        cells_at[at_end] = guarded_buffer(CELLS * 8, at_end);
        mask_at[at_end] = guarded_buffer(CELLS, at_end);
    }
    FOR_EACH_LEVEL
    {
        const pc_kernels *kernels = pc_kernels_in_use();
        if (!kernels->lane_results)
            continue;
        for (long k = 0; k < 10 * count; k++) {
            test_without_nan(kernels);
            test_transpose(kernels);
        }
        test_depths();
        for (long k = 0; k < count; k++)
            for (pc_type type = PC_INT8; type <= PC_FLOAT64; type++) {
                if (type < PC_FLOAT16 && below(4))
                    continue;
                for (int again = type == PC_FLOAT64 ? 3 : 1; again; again--)
                    test_random(type, 2 + below(below(8) ? 20 : POSITIONS - 2), random_depth());
                test_products(type, 2 + below(below(8) ? 20 : POSITIONS / 2 - 2), random_depth());
                test_sorted(type, below(4) ? random_depth() : 1 + below(500));
                test_long_group(type);
            }
        test_counts();
        test_bounds(kernels);
        test_last_square();
        test_least_number();
        test_last_bits(kernels);
        test_few_centered(kernels);
        for (int again = 0; again < 200; again++)
            test_labels(kernels);
        printf("%s ", pc_simd());
    }
    return 0;
}
