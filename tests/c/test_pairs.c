/* Sums of products: exact ones, those with an error bound, and quotients of sums. */
#include "check.h"

#include "../../csrc/array/bounded_runs.h"
#include "../../csrc/sums/bounded.h"
#include "../../csrc/sums/round.h"

/* ---- the truth ------------------------------------------------------------------ */

/* An element as +-m * 2^exponent; 0 if it is NaN or Inf. */
typedef struct {
    uint64_t m;
    int exponent, negative, finite;
} number;

static number number_at(pc_type type, const char *x)
{
    uint64_t bits = load_bits(x, sizes[type]);
    number v = {bits, 0, 0, 1};
    if (type == PC_BOOL) {
        v.m = bits != 0;
    } else if (type < PC_BOOL) {
        v.negative = type % 2 == 0 && bits >> (8 * sizes[type] - 1);
        if (v.negative)
            v.m = (0 - bits) & (UINT64_MAX >> (64 - 8 * sizes[type]));
    } else {
        const int fraction = formats[type - PC_FLOAT16].fraction,
                  top = (1 << formats[type - PC_FLOAT16].exponent) - 1,
                  e = (int)(bits >> fraction) & top;
        v.negative = (int)(bits >> (8 * sizes[type] - 1));
        v.m = bits & ((UINT64_C(1) << fraction) - 1);
        v.m |= (uint64_t)(e != 0) << fraction;
        v.exponent = (e ? e : 1) - (top >> 1) - fraction;
        v.finite = e != top;
    }
    return v;
}

static void slow_add_product(slow_sum *s, number x, number y)
{
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            const uint32_t product =
                (uint32_t)(x.m >> 16 * i & 0xffff) * (uint32_t)(y.m >> 16 * j & 0xffff);
            (x.negative != y.negative ? slow_take : slow_add)(
                s, product, x.exponent + y.exponent + 16 * (i + j));
        }
}

static int at_most(const slow_sum *x, const slow_sum *y)
{
    if (slow_is_negative(x) != slow_is_negative(y))
        return slow_is_negative(x);
    for (int k = DIGITS - 1; k >= 0; k--)
        if (x->digit[k] != y->digit[k])
            return x->digit[k] < y->digit[k];
    return 1;
}

/* The window -+ times its bound / `part`. */
static slow_sum end_of(const pc_window *window, int upper, uint64_t part)
{
    slow_sum s = {{0}};
    slow_add_signed(&s, window->words, 4, window->exponent);
    slow_add_word(&s, window->error_bound / part, window->exponent, !upper);
    return s;
}

static int holds(const pc_window *window, const slow_sum *truth, uint64_t part)
{
    const slow_sum low = end_of(window, 0, part), high = end_of(window, 1, part);
    return at_most(&low, truth) && at_most(truth, &high);
}

/* ---- arrays of any types ---------------------------------------------------------- */

enum { MOST = MIN_STREAMED + 2000, TYPES = PC_FLOAT64 + 1 };

/* Floats whose exponents lie up to `spread` apart; now and then 0, or whatever bits there are. */
static void fill(char *x, pc_type type, size_t n, unsigned spread, int center)
{
    for (size_t k = 0; k < n; k++, x += sizes[type]) {
        uint64_t bits = random64();
        if (type == PC_FLOAT64 && below(60))
            bits = (bits & ~(UINT64_C(0x7ff) << 52)) | (uint64_t)(center + (int)below(spread))
                                                           << 52;
        else if (type == PC_FLOAT32)
            bits = (bits & ~UINT64_C(0x7f800000)) | (90 + below(spread < 90 ? spread : 90)) << 23;
        else if (type == PC_FLOAT16)
            bits = (bits & ~UINT64_C(0x7c00)) | (2 + below(28)) << 10;
        else if (type == PC_FLOAT64)
            bits = below(2) ? 0 : bits & ~(UINT64_C(1) << 62); /* finite */
        store_bits(x, sizes[type], bits);
    }
}

/* One component of a pair, as it goes into a product. */
static number part_of(pc_type type, const char *x, int component, int negative)
{
    number v = number_at(type, x + (size_t)component * sizes[type]);
    v.negative ^= negative;
    return v;
}

static void any_arrays(long count)
{
    static char x[MOST * 8 * 4], y[MOST * 8 * 4], mask[MOST];
    long unsure = 0;
    for (long trial = 0; trial < count; trial++) {
        const int streamed = below(50) == 0;
        const pc_type tx = streamed ? PC_FLOAT16 + (pc_type)below(3) : (pc_type)below(TYPES),
                      ty = streamed || below(2) ? tx : (pc_type)below(TYPES);
        const size_t n = streamed   ? MIN_STREAMED - 2 + below(2000)
                         : below(4) ? below(600)
                                    : below(3000),
                     of_x = tx > PC_FLOAT16 && below(3) == 0 ? 2 : 1,
                     of_y = ty > PC_FLOAT16 && below(3) == 0 ? 2 : 1,
                     gap_x = of_x * (1 + below(streamed ? 1 : 2)),
                     gap_y = of_y * (1 + below(streamed ? 1 : 2));
        const int complexes = of_x * of_y > 1, conjugate = complexes && below(2);
        const unsigned spread = 1 + (unsigned)below(below(4) ? 20 : 500);
        fill(x, tx, gap_x * n, spread, below(5) ? 1000 : 200 + (int)below(1300));
        fill(y, ty, gap_y * n, spread, below(5) ? 1000 : 200 + (int)below(1300));
        for (size_t k = 0; k < n; k++)
            mask[k] = below(4) != 0;
        pc_array a = {
            .type = tx,
            .components = (int)of_x,
            .data = x,
            .mask = below(3) ? NULL : mask,
            .reduced_axes = 1,
            .repeat = 1,
            .other = {.type = ty, .components = (int)of_y, .conjugate = conjugate, .data = y}};
        a.axis[0] =
            (pc_axis){n, (ptrdiff_t)(gap_x * sizes[tx]), 1, 0, (ptrdiff_t)(gap_y * sizes[ty])};
        slow_sum truth = {{0}}, other = {{0}}; /* the sum of the weights, or the imaginary part */
        size_t pairs = 0;
        for (size_t k = 0; k < n; k++) {
            const char *at_x = x + (ptrdiff_t)k * a.axis[0].stride,
                       *at_y = y + (ptrdiff_t)k * a.axis[0].other_stride;
            if (a.mask && !mask[k])
                continue;
            pairs++;
            for (int i = 0; i < (int)of_x; i++)
                for (int j = 0; j < (int)of_y; j++)
                    slow_add_product(i == j ? &truth : &other, part_of(tx, at_x, i, i && conjugate),
                                     part_of(ty, at_y, j, i && j));
            const number w = number_at(ty, at_y);
            if (!complexes)
                slow_add_word(&other, w.m, w.exponent, w.negative);
        }
        FOR_EACH_LEVEL
        {
            static pc_tile_sum exact, bounded;
            const pc_statistic statistic =
                (pc_statistic)(complexes || below(2) ? PC_DOT : PC_AVERAGE);
            const int both = complexes || (int)statistic == PC_AVERAGE;
            pc_accumulator_clear(&exact.total, statistic);
            const size_t cut = below(n + 1);
            pc_add_tile(&a, 0, 1, 0, cut, &exact);
            pc_add_tile(&a, 0, 1, cut, n, &exact);
            CHECK(exact.total.count == pairs);
            CHECK(slow_equal(&truth, &exact.total, PC_SQUARES));
            CHECK(!both || slow_equal(&other, &exact.total, PC_NUMBERS));
            if (!pc_array_boundable(&a))
                continue;
            pc_accumulator_clear_bounded(&bounded.total, statistic);
            pc_add_tile(&a, 0, 1, 0, cut, &bounded);
            pc_add_tile(&a, 0, 1, cut, n, &bounded);
            if (is_inconclusive(&bounded.total))
                continue;
            CHECK(holds(&bounded.total.windows[PC_SQUARES], &truth, 1));
            CHECK(!both || holds(&bounded.total.windows[PC_NUMBERS], &other, 1));
            uint64_t bits[2] = {0}, expected[2] = {0};
            pc_output_spec spec = spec_of(statistic, PC_FLOAT16 + (pc_type)below(3));
            spec.components = 1 + complexes;
            const pc_status right = round_to(&exact.total, spec, expected),
                            status = round_to(&bounded.total, spec, bits);
            if (status == PC_INCONCLUSIVE)
                unsure++;
            else
                CHECK(status == right &&
                      (status != PC_OK || memcmp(bits, expected, sizeof bits) == 0));
        }
    }
    printf("pairs: %ld of %ld rounding tests failed\n", unsure, count);
}

/* Factors so large that their parts overflow, where there is no fused multiply-add; and sums of
 * such numbers. */
static void large_factors(long count)
{
    enum { N = 3000 };
    static double x[N], y[N];
    for (long trial = 0; trial < count; trial++) {
        const size_t n = 1 + below(N), from = below(2) * below(n);
        const int sum = (int)below(2), e = 985 + (int)below(below(4) ? 14 : 39);
        const double one = 1.0;
        slow_sum truth = {{0}};
        for (size_t k = 0; k < n; k++) {
            const int large = k >= from && below(3) == 0;
            x[k] = ldexp((double)(int64_t)random64(), large ? e - 63 : -63);
            y[k] = ldexp((double)(int64_t)random64(), large ? -e - 63 : -63);
            slow_add_product(&truth, number_at(PC_FLOAT64, (const char *)&x[k]),
                             number_at(PC_FLOAT64, (const char *)(sum ? &one : &y[k])));
        }
        FOR_EACH_LEVEL
        {
            pc_accumulator acc;
            const pc_moment moment = sum ? PC_NUMBERS : PC_SQUARES;
            const ptrdiff_t step = sizeof(double);
            if (!has_bounded(PC_FLOAT64))
                continue;
            pc_accumulator_clear_bounded(&acc, sum ? PC_SUM : (pc_statistic)PC_DOT);
            if (sum)
                add_bounded(&acc, PC_FLOAT64, 1, (const char *)x, step, n, 0);
            else
                add_bounded_products(&acc, moment, PC_FLOAT64, (const char *)x, step,
                                     (const char *)y, step, n);
            CHECK(is_inconclusive(&acc) || holds(&acc.windows[moment], &truth, 1));
        }
    }
}

/* NaN is a factor like others: the sum is not known from finite ones. */
static void nan_factors(long count)
{
    enum { N = 300 };
    static char x[2 * N * 8], y[2 * N * 8];
    for (long trial = 0; trial < count; trial++) {
        const pc_type type = PC_FLOAT32 + (pc_type)below(2);
        const size_t n = 1 + below(N), size = sizes[type], x_step = size * (1 + below(2)),
                     y_step = size * (1 + below(2)), at = below(n);
        const int in_y = (int)below(2);
        fill(x, type, 2 * N, 8, 1000);
        fill(y, type, 2 * N, 8, 1000);
        store_bits(in_y ? y + at * y_step : x + at * x_step, size, UINT64_MAX);
        FOR_EACH_LEVEL
        {
            pc_accumulator acc;
            pc_accumulator_clear_bounded(&acc, (pc_statistic)PC_DOT);
            if (has_bounded(type))
                add_bounded_products(&acc, PC_SQUARES, type, x, (ptrdiff_t)x_step, y,
                                     (ptrdiff_t)y_step, n);
            CHECK(!has_bounded(type) || is_inconclusive(&acc));
        }
    }
}

/* ---- how close data come to the bound ------------------------------------------------ */

typedef struct {
    double x, y;
} pair;

/* Of sixteen candidates the pair whose product's addition to t loses most, in one direction; added
 * to a lane, of which s began as D. */
static pair worst_pair(double D, double *s, double *t)
{
    enum { CANDIDATES = 16 };
    pair worst = {0, 0};
    double most = -2, next_s = *s, next_t = *t;
    for (int c = 0; c < CANDIDATES; c++) {
        const double u = 0x1p30 + (double)(random64() >> 11) * 0x1p-23,
                     v = (*s > D ? -1 : 1) * (0x1p15 + (double)(random64() >> 11) * 0x1p-38),
                     h = fma(u, v, *s), lost = fma(u, v, *s - h), sum = *t + lost,
                     rounding = (*t - sum) + lost, value = lost < 0x1p6 ? -1.0 : 1.0 + rounding;
        if (value > most) {
            most = value;
            worst = (pair){u, v};
            next_s = h;
            next_t = sum;
        }
    }
    *s = next_s;
    *t = next_t;
    return worst;
}

/* Every lane gets the same products; `weighted`: through the kernel that sums the weights, too. The
 * other one reads four streams. */
static void search(int weighted)
{
    enum { N = MIN_STREAMED, STREAMS = 4, WIDEST = 64 };
    static double x[N], y[N];
    const double D = 0x1.8p60;
    const size_t block =
        weighted ? MAX_MATRIX_LENGTH : FLOAT_BLOCK; /* where the kernel begins anew */
    FOR_EACH_LEVEL
    {
        const pc_kernels *kernels = pc_kernels_in_use();
        if (!(weighted ? kernels->matrix_rows[0][SUM_WEIGHTED][1] != NULL
                       : kernels->bounded_products[2] != NULL))
            continue;
        const size_t lanes = kernels->lanes[weighted];
        CHECK(lanes <= WIDEST);
        double s = D, t = 0.0;
        for (size_t k = 0; k < N; k += lanes) {
            if (k % block == 0) {
                s = D;
                t = weighted ? 0.0 : t;
            }
            const pair next = worst_pair(D, &s, &t);
            for (size_t j = 0; j < lanes; j++) {
                const size_t each = lanes / STREAMS, stream = j / each,
                             at =
                                 weighted ? k + j : stream * (N / STREAMS) + k / STREAMS + j % each;
                x[at] = next.x;
                y[at] = next.y;
            }
        }
        slow_sum truth = {{0}}, weights = {{0}};
        for (size_t k = 0; k < N; k++) {
            const number w = number_at(PC_FLOAT64, (char *)&y[k]);
            slow_add_product(&truth, number_at(PC_FLOAT64, (char *)&x[k]), w);
            slow_add_word(&weights, w.m, w.exponent, w.negative);
        }
        static pc_accumulator acc;
        pc_accumulator_clear_bounded(&acc, (pc_statistic)(weighted ? PC_AVERAGE : PC_DOT));
        bounded_coarsen(&acc.windows[PC_SQUARES], 60 - 52 - 46);
        bounded_coarsen(&acc.windows[PC_NUMBERS], 40 - 52 - 46);
        for (size_t k = 0; weighted && k < N; k += MAX_MATRIX_LENGTH)
            CHECK(add_weighted_row(&acc, PC_FLOAT64, (char *)&x[k], (char *)&y[k],
                                   MAX_MATRIX_LENGTH));
        if (!weighted)
            add_bounded_products(&acc, PC_SQUARES, PC_FLOAT64, (char *)x, 8, (char *)y, 8, N);
        CHECK(!is_inconclusive(&acc) && holds(&acc.windows[PC_SQUARES], &truth, 1));
        CHECK(!weighted || holds(&acc.windows[PC_NUMBERS], &weights, 1));
        uint64_t part = 1;
        while (part < 1024 && holds(&acc.windows[PC_SQUARES], &truth, 2 * part))
            part *= 2;
        if (weighted) { /* nothing is added */
            memset(x, 0, sizeof x);
            CHECK(add_weighted_row(&acc, PC_FLOAT64, (char *)x, (char *)y, MAX_MATRIX_LENGTH));
            CHECK(holds(&acc.windows[PC_SQUARES], &truth, 1));
        }
        printf("%s, %s: the bound holds, a %" PRIu64 "th of it does not\n",
               weighted ? "averages" : "pairs", pc_simd(), 2 * part);
        CHECK(part <= 4);
    }
}

/* The sum of the |x y|, or |x|, rounded. */
static double magnitudes(pc_type type, const char *x, ptrdiff_t x_stride, const char *y,
                         ptrdiff_t y_stride, size_t n)
{
    double sum = 0.0;
    for (; n; n--, x += x_stride) {
        const number v = number_at(type, x), w = y ? number_at(type, y) : (number){1, 0, 0, 1};
        sum += ldexp((double)v.m, v.exponent) * ldexp((double)w.m, w.exponent);
        if (y)
            y += y_stride;
    }
    return sum;
}

/* Where a sum leaves its binade, the kernel says how large those of the block can be. */
static void overflows(long count)
{
    static char x[2 * MOST * 8], y[2 * MOST * 8];
    long found = 0, all = 0;
    for (long trial = 0; trial < count; trial++) {
        const pc_type type = PC_FLOAT32 + (pc_type)below(2);
        const ptrdiff_t x_stride = (ptrdiff_t)(sizes[type] * (1 + below(2))),
                        y_stride = (ptrdiff_t)(sizes[type] * (1 + below(2)));
        const size_t n = below(20) ? 1 + below(3000) : MIN_STREAMED - 2 + below(2000);
        const char *const other = below(4) ? y : NULL;
        const int streamed = n >= MIN_STREAMED && x_stride == (ptrdiff_t)sizes[type] &&
                             (!other || y_stride == x_stride);
        const int center = below(2) ? 1000 : 1040;
        fill(x, type, 2 * n, 8, center);
        fill(y, type, 2 * n, 8, center);
        const double total = magnitudes(type, x, x_stride, other, y_stride, n);
        const int k = ilogb(total + 0x1p-800) - (int)below(12);
        FOR_EACH_LEVEL
        {
            const pc_kernels *kernels = pc_kernels_in_use();
            products_kernel *const kernel = kernels->bounded_products[type - PC_FLOAT16];
            bounded_sums partial;
            if (!kernel)
                continue;
            const size_t done = kernel(x, x_stride, other, y_stride, n, k, &partial),
                         row = kernels->lanes[0], rows = (n - done) / row, most = FLOAT_BLOCK / row,
                         block = rows ? (rows < most ? rows : most) * row : n - done;
            const double sum =
                magnitudes(type, x + (ptrdiff_t)done * x_stride, x_stride,
                           other ? y + (ptrdiff_t)done * y_stride : NULL, y_stride, block);
            if (streamed && done < n) /* a block has some of each stream */
                CHECK(done == 0 && partial.overflow_at >= 0.49 * power(k) &&
                      partial.overflow_at <= total * 1.01);
            else
                CHECK(fabs(partial.overflow_at - sum) <= sum * 0x1p-40);
            found += done < n;
            all++;
        }
    }
    printf("pairs: %ld of %ld sums left their binades\n", found, all);
    CHECK(!all || found);
}

/* What the exact kernel says of the sizes of the products of a block, one of which may be 0. */
static void magnitude_ranges(long count)
{
    static double x[FLOAT_BLOCK], y[FLOAT_BLOCK];
    for (long trial = 0; trial < count; trial++) {
        const size_t n = below(4) ? 16 * (1 + below(FLOAT_BLOCK / 16)) : 1 + below(FLOAT_BLOCK);
        const unsigned spread = 1 + (unsigned)below(80);
        fill((char *)x, PC_FLOAT64, n, spread, 1000);
        fill((char *)y, PC_FLOAT64, n, spread, 1000);
        for (size_t k = 0; k < n; k++) {
            x[k] = x[k] == 0.0 ? 1.0 : x[k];
            y[k] = fabs(y[k]) < 0x1p-100 ? 1.0 : y[k];
        }
        if (below(2))
            x[below(n)] = below(2) ? 0.0 : 0x1p-1074;
        uint32_t min = UINT32_MAX, max = 0;
        int zero = 0, tiny = 0;
        for (size_t k = 0; k < n; k++) {
            const uint64_t bits = bits_of(fabs(x[k] * y[k]));
            const uint32_t below_it = (uint32_t)((bits - 1) >> 32);
            min = below_it < min ? below_it : min;
            max = bits >> 32 > max ? (uint32_t)(bits >> 32) : max;
            zero |= bits == 0;
            tiny |= bits >> 32 == 0;
        }
        FOR_EACH_LEVEL
        {
            product_sums sums;
            if (!pc_kernels_in_use()->sums_of_products)
                continue;
            pc_kernels_in_use()->sums_of_products((char *)x, (char *)y, n, 0, &sums);
            CHECK(sums.magnitudes.max == max && sums.magnitudes.min == min);
            CHECK(sums.zeros || !zero);
            CHECK(!sums.zeros || tiny || n % 16);
        }
    }
}

/* Products with as many digits as can be, so far below the largest that a block is just exact, or
 * is not; and those of integers of which some have one bit more than a double. */
static void long_products(long count)
{
    static char x[64 * 8], y[64 * 8];
    for (long trial = 0; trial < count; trial++) {
        const pc_type type = (const pc_type[]){PC_FLOAT64, PC_INT64, PC_UINT64}[trial % 3];
        const size_t n = 4 + below(61);
        const int depth = 44 + (int)below(12);
        slow_sum truth = {{0}};
        for (size_t k = 0; k < n; k++) {
            char *const at_x = x + 8 * k, *const at_y = y + 8 * k;
            const double v = (double)(random64() >> 11 | UINT64_C(3) << 51 | 1),
                         w = ldexp(v, k ? -depth : 0);
            store_bits(at_x, 8,
                       type == PC_FLOAT64 ? bits_of(w) : UINT64_C(1) << 53 | (below(8) == 0));
            store_bits(at_y, 8, bits_of((double)(random64() >> 11 | UINT64_C(3) << 51 | 1)));
            slow_add_product(&truth, number_at(type, at_x), number_at(PC_FLOAT64, at_y));
        }
        pc_array a = {.type = type,
                      .components = 1,
                      .data = x,
                      .reduced_axes = 1,
                      .repeat = 1,
                      .other = {.type = PC_FLOAT64, .components = 1, .data = y}};
        a.axis[0] = (pc_axis){n, 8, 0, 0, 8};
        FOR_EACH_LEVEL
        {
            static pc_tile_sum exact;
            pc_accumulator_clear(&exact.total, (pc_statistic)PC_DOT);
            pc_add_tile(&a, 0, 1, 0, n, &exact);
            CHECK(slow_equal(&truth, &exact.total, PC_SQUARES));
        }
    }
}

/* ---- many sums at once -------------------------------------------------------------- */

static void slow_add_or_take(slow_sum *s, double x, int negative)
{
    const number v = number_at(PC_FLOAT64, (char *)&x);
    slow_add_word(s, v.m, v.exponent, v.negative ^ negative);
}

/* Whether high + low, plus and minus lost / part, hold a sum. */
static int estimate_holds(double sums[3][LANE_COLUMNS], size_t c, const slow_sum *truth, int part)
{
    for (int upper = 0; upper < 2; upper++) {
        slow_sum end = {{0}};
        slow_add_or_take(&end, sums[0][c], 0);
        slow_add_or_take(&end, sums[1][c], 0);
        slow_add_or_take(&end, sums[2][c] / part, !upper);
        if (!(upper ? at_most(truth, &end) : at_most(&end, truth)))
            return 0;
    }
    return 1;
}

/* In rows (0) or columns (1), NaN left out or not; `gridded`: the kernel that finds what is exact.
 */
static lane_matrix_kernel *block_kernel(int way, int skip_nan, int gridded, summands what,
                                        pc_type type)
{
    const pc_kernels *kernels = pc_kernels_in_use();
    if (gridded)
        return kernels->gridded_rows[skip_nan][type - PC_FLOAT32];
    return (way ? kernels->matrix_columns
                : kernels->matrix_rows)[skip_nan][what][type - PC_FLOAT32];
}

static int is_nan_at(pc_type type, const char *x)
{
    const int fraction = formats[type - PC_FLOAT16].fraction;
    const uint64_t bits = load_bits(x, sizes[type]);
    return !number_at(type, x).finite && bits & ((UINT64_C(1) << fraction) - 1);
}

/* The largest part of 1 that the bound can be divided by, for each output. */
static int check_block(const lane_matrix *from, pc_type type, const int k[2], int way, int skip_nan,
                       int gridded, summands what, int most)
{
    static lane_sums sums;
    int part = most;
    memset(&sums, 0x55, sizeof sums);
    if (!block_kernel(way, skip_nan, gridded, what, type)(from, k, &sums))
        return 0;
    for (size_t c = 0; c < from->outputs; c++) {
        slow_sum first = {{0}}, second = {{0}};
        double count = 0;
        const int two = what >= SUM_PRODUCTS;
        for (size_t r = 0; r < from->length; r++) {
            const ptrdiff_t size = (ptrdiff_t)sizes[type], i = (ptrdiff_t)(way ? r : c),
                            j = (ptrdiff_t)(way ? c : r);
            const char *x = from->x + i * from->x_step + j * size,
                       *y = two ? from->y + i * from->y_step + j * size : x;
            const number v = number_at(type, x), w = number_at(type, y);
            if (skip_nan && is_nan_at(type, x))
                continue;
            count++;
            if (gridded && sums.grid[c] != 0.0 && v.finite)
                CHECK(fmod(ldexp((double)v.m, v.exponent), sums.grid[c]) == 0.0);
            if (what == SUM_NUMBERS)
                slow_add_word(&first, v.m, v.exponent, v.negative);
            else
                slow_add_product(&first, v, w);
            slow_add_word(&second, w.m, w.exponent, w.negative);
        }
        double (*at)[LANE_COLUMNS] =
            what == SUM_NUMBERS || what == SUM_PRODUCTS ? sums.number : sums.square;
        CHECK(estimate_holds(at, c, &first, 1));
        if (what == SUM_BOTH || what == SUM_WEIGHTED)
            CHECK(estimate_holds(sums.number, c, &second, 1));
        CHECK(!skip_nan || sums.count[c] == count);
        while (part > 1 && !estimate_holds(at, c, &first, part))
            part /= 2;
    }
    return part;
}

static void blocks(long count)
{
    enum { N = 600, MOST_OUTPUTS = 24, ROOM = N * (MOST_OUTPUTS + 3) };
    static char x[ROOM * 8], y[ROOM * 8];
    long in_range = 0;
    for (long trial = 0; trial < count; trial++) {
        const pc_type type = PC_FLOAT32 + (pc_type)below(2);
        const int way = (int)below(2), gridded = !way && below(4) == 0;
        const summands what = gridded ? SUM_BOTH : (summands)below(5);
        const int skip_nan = what < SUM_PRODUCTS && below(2);
        const size_t n = (way ? 1 : LANE_STEP) + below(below(8) ? 60 : N - 10),
                     outputs = way ? LANE_STEP * (1 + below(3)) : 1 + below(MOST_OUTPUTS),
                     columns = way ? outputs : n;
        const lane_matrix from = {.x = x,
                                  .y = what < SUM_PRODUCTS ? NULL : y,
                                  .x_step = (ptrdiff_t)((columns + below(3)) * sizes[type]),
                                  .y_step = (ptrdiff_t)((columns + below(3)) * sizes[type]),
                                  .length = n,
                                  .outputs = outputs};
        const unsigned spread = 1 + (unsigned)below(gridded ? 4 : 12);
        fill(x, type, ROOM, spread, 1000);
        fill(y, type, ROOM, spread, 1000);
        for (size_t j = 0; skip_nan && j < ROOM; j += 1 + below(9))
            store_bits(x + j * sizes[type], sizes[type], UINT64_MAX >> (65 - 8 * sizes[type]));
        FOR_EACH_LEVEL
        {
            const pc_kernels *kernels = pc_kernels_in_use();
            if (!block_kernel(way, skip_nan, gridded, what, type))
                continue;
            const size_t rows = way ? n : outputs;
            const double most_x =
                             kernels->largest[type - PC_FLOAT32](x, from.x_step, rows, columns),
                         most_y = what == SUM_NUMBERS   ? 1.0
                                  : what < SUM_PRODUCTS ? most_x
                                                        : kernels->largest[type - PC_FLOAT32](
                                                              y, from.y_step, rows, columns);
            const int spare = (int)below(12);
            int k[2] = {ilogb(most_x * most_y * (double)n + 0x1p-1000) - 2 + spare,
                        ilogb(most_y * (double)n + 0x1p-1000) - 2 + spare};
            if (what == SUM_BOTH)
                k[1] = numbers_exponent(k[0]);
            if (k[0] > -900 && k[1] > -900 && k[0] <= 1000 && k[1] <= 1000)
                in_range += check_block(&from, type, k, way, skip_nan, gridded, what, 1);
        }
    }
    printf("pairs: %ld blocks stayed in their binades, of %ld\n", in_range, count);
}

/* Of sixteen candidates the number, or the number to square, whose addition to t loses most: at
 * most half a unit of s, which remains what it is. */
static double worst_number(int squared, double unit, double *t)
{
    enum { CANDIDATES = 16 };
    double worst = 0, most = -1, next = *t;
    for (int c = 0; c < CANDIDATES; c++) {
        const double part = unit * (0.25 + (double)(random64() >> 11) * 0x1p-55),
                     x = squared ? sqrt(part) : part, y = squared ? x : 1.0,
                     sum = *t + fma(x, y, 0), rounding = fma(x, y, *t - sum);
        if (x * y < unit / 2 && rounding > most) {
            most = rounding;
            worst = x;
            next = sum;
        }
    }
    *t = next;
    return worst;
}

/* The same search as above: all lanes get pairs whose roundings add up. */
static void search_blocks(void)
{
    enum { N = FLOAT_BLOCK, OUTPUTS = LANE_STEP };
    static double x[N * OUTPUTS], y[N * OUTPUTS];
    const double D = 0x1.8p60;
    const int k[2] = {60, 60};
    FOR_EACH_LEVEL
    for (int way = 0; way < 2; way++) {
        const pc_kernels *kernels = pc_kernels_in_use();
        if (!block_kernel(way, 0, 0, SUM_PRODUCTS, PC_FLOAT64))
            continue;
        const size_t lanes = way ? OUTPUTS : kernels->lanes[0], n = way ? N / 8 : N - lanes;
        double s = D, t = 0.0;
        for (size_t i = 0; i < (way ? n * OUTPUTS : n); i += lanes) {
            const pair next = worst_pair(D, &s, &t);
            for (size_t j = i; j < i + lanes; j++) {
                x[j] = next.x;
                y[j] = next.y;
            }
        }
        const lane_matrix from = {(char *)x,         (char *)y, 8 * OUTPUTS, 8 * OUTPUTS, n,
                                  way ? OUTPUTS : 1, 0};
        const int part = check_block(&from, PC_FLOAT64, k, way, 0, 0, SUM_PRODUCTS, 1 << 10);
        printf("pairs, %s, %s: the bound holds, a %dth of it does not\n", pc_simd(),
               way ? "columns" : "rows", 2 * part);
        CHECK(part >= 1 && part <= 8);
    }
    FOR_EACH_LEVEL
    for (summands what = SUM_NUMBERS; what <= SUM_SQUARES; what++) {
        const pc_kernels *kernels = pc_kernels_in_use();
        if (!block_kernel(0, 0, 0, what, PC_FLOAT64))
            continue;
        const size_t lanes = kernels->lanes[0], n = MAX_MATRIX_LENGTH - lanes;
        double t = 0.0;
        for (size_t i = 0; i < n; i += lanes) {
            const double next = worst_number(what == SUM_SQUARES, 0x1p8, &t);
            for (size_t j = i; j < i + lanes; j++)
                x[j] = next;
        }
        const lane_matrix from = {(char *)x, NULL, 8 * OUTPUTS, 0, n, 1, 0};
        const int part = check_block(&from, PC_FLOAT64, k, 0, 0, 0, what, 1 << 10);
        printf("%s, %s, rows: the bound holds, a %dth of it does not\n",
               what == SUM_SQUARES ? "squares" : "numbers", pc_simd(), 2 * part);
        CHECK(part >= 1 && part <= 8);
    }
}

/* ---- quotients ------------------------------------------------------------------------ */

/* Of integers that are known to be beside, or on, the middle between two floats. */
static void quotients(long count)
{
    const format f = format_of(PC_FLOAT64);
    for (long trial = 0; trial < count; trial++) {
        uint64_t w[4], v[8] = {0};
        const size_t length = 1 + below(4);
        for (size_t k = 0; k < length; k++)
            w[k] = random64() >> below(64);
        w[length - 1] |= 1;
        /* v = q w + d, q of 54 bits: the quotient is q, or just above it, or just below. */
        const uint64_t q = UINT64_C(1) << 53 | random64() >> 11;
        memcpy(v, w, length * sizeof *w);
        v[length] = multiply_words(v, length, q);
        const int side = (int)below(3) - 1;
        const uint64_t one[8] = {1};
        uint8_t carry = 0;
        for (size_t k = 0; k < 6; k++)
            carry = add_carry(&v[k], side < 0 ? UINT64_MAX : side > 0 ? one[k] : 0, carry);
        const int e = (int)below(200) - 100, g = (int)below(200) - 100;
        const uint64_t bits =
            rounded_ratio(limbs_view_of(v, 6, e, 0), limbs_view_of(w, length, g, 0), 0, f);
        /* And the root of the square of q w + d, divided by that of w. */
        uint64_t vv[16] = {0}, ww[8] = {0};
        for (size_t i = 0; i < 6; i++) {
            uint64_t scaled[16] = {0};
            uint8_t carry_in = 0;
            memcpy(scaled + i, v, 6 * sizeof *v);
            scaled[i + 6] = multiply_words(scaled + i, 6, v[i]);
            for (size_t k = 0; k < 16; k++)
                carry_in = add_carry(&vv[k], scaled[k], carry_in);
        }
        for (size_t i = 0; i < length; i++) {
            uint64_t scaled[8] = {0};
            uint8_t carry_in = 0;
            memcpy(scaled + i, w, length * sizeof *w);
            scaled[i + length] = multiply_words(scaled + i, length, w[i]);
            for (size_t k = 0; k < 8; k++)
                carry_in = add_carry(&ww[k], scaled[k], carry_in);
        }
        const uint64_t root = rounded_ratio(limbs_view_of(vv, 12, 2 * e, 0),
                                            limbs_view_of(ww, 2 * length, 2 * g, 0), 1, f);
        uint64_t kept = q >> 1;
        const int tiny = length == 1 && w[0] == 1; /* then it is one more, or one less */
        if (tiny)
            continue;
        if (q & 1 && (side > 0 || (side == 0 && kept & 1)))
            kept++;
        const double expected = ldexp((double)kept, 1 + e - g);
        CHECK(bits == bits_of(expected));
        CHECK(root == bits_of(expected));
    }
}

/* ---- covariances and correlations ------------------------------------------------------ */

/* +-v * 2^exponent for v of so many bits, and an error bound: v / 2^part, or any. */
static void fill_window(pc_window *window, unsigned bits, int exponent, int either_sign,
                        unsigned part)
{
    const pc_u128 v = {random64(), (random64() >> (128 - bits)) | UINT64_C(1) << (bits - 65)};
    memset(window->words, 0, sizeof window->words);
    window->words[0] = v.lo;
    window->words[1] = v.hi;
    if (either_sign && below(2))
        negate_words(window->words, 4);
    window->exponent = exponent;
    window->error_bound = part       ? v.hi << (64 - part) | v.lo >> part
                          : below(2) ? random64() >> (4 + below(60))
                                     : 0;
    window->flags |= PC_WINDOW_USED;
}

/* At either end of its error bound. */
static pc_window window_at(const pc_window *window, int upper)
{
    pc_window end = *window;
    uint64_t error[4] = {window->error_bound};
    if (!upper)
        negate_words(error, 4);
    add_words(end.words, error);
    end.error_bound = 0;
    return end;
}

/* What is certain is so at all corners: of the sums of x y, x x, y y, x and y. */
static void corners(long count)
{
    enum { SUMS = 5 };
    static pc_accumulator sum[3], corner[3];
    static const struct {
        int of;
        pc_moment moment;
    } at[SUMS] = {
        {0, PC_SQUARES}, {1, PC_SQUARES}, {2, PC_SQUARES}, {1, PC_NUMBERS}, {2, PC_NUMBERS}};
    long unsure = 0;
    for (long trial = 0; trial < count; trial++) {
        const pc_type type = PC_FLOAT16 + (pc_type)below(3);
        const int alone = below(4) == 0, correlation = !alone && below(2);
        const uint64_t n = 2 + below(below(2) ? 8 : 1000), freedom = 1 + below(n);
        const unsigned part = below(2) ? 0 : 47 + (unsigned)below(10);
        for (int k = 0; k < 3; k++) {
            pc_accumulator_clear_bounded(&sum[k], (pc_statistic)(k ? PC_VAR : PC_DOT));
            sum[k].count = n;
        }
        for (int k = 0; k < SUMS; k++)
            fill_window(&sum[at[k].of].windows[at[k].moment],
                        k == 0  ? 107
                        : k < 3 ? 110
                                : 100,
                        k < 3 ? 0 : -48 - (int)below(20), k == 0 || k > 2, k < 3 ? part : 0);
        const pc_accumulator *const products = &sum[alone], *const y = &sum[alone ? 1 : 2];
        uint64_t bits = 0;
        const pc_status status =
            correlation ? pc_round_correlation(products, &sum[1], y, type, (char *)&bits)
                        : pc_round_covariance(products, &sum[1], y, freedom, type, (char *)&bits);
        CHECK(status == PC_OK || status == PC_INCONCLUSIVE);
        unsure += status != PC_OK;
        for (unsigned which = 0; status == PC_OK && which < 1u << SUMS; which++) {
            uint64_t other = 0;
            memcpy(corner, sum, sizeof sum);
            for (int k = 0; k < SUMS; k++)
                corner[at[k].of].windows[at[k].moment] =
                    window_at(&sum[at[k].of].windows[at[k].moment], which >> k & 1);
            const pc_accumulator *const xy = &corner[alone], *const yy = &corner[alone ? 1 : 2];
            CHECK((correlation ? pc_round_correlation(xy, &corner[1], yy, type, (char *)&other)
                               : pc_round_covariance(xy, &corner[1], yy, freedom, type,
                                                     (char *)&other)) == PC_OK);
            CHECK(other == bits);
        }
    }
    printf("covariances: %ld of %ld rounding tests failed\n", unsure, count);
    CHECK(unsure < count);
}

int main(int argc, char **argv)
{
    const long count = trials(argc, argv);
    any_arrays(count);
    large_factors(count);
    nan_factors(count);
    search(0);
    search(1);
    overflows(count);
    magnitude_ranges(count);
    long_products(count);
    blocks(count);
    search_blocks();
    quotients(100 * count);
    corners(10 * count);
    return 0;
}
