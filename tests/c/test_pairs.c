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

enum { MOST = 3000, TYPES = PC_FLOAT64 + 1 };

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

static void any_arrays(long count)
{
    static char x[MOST * 8 * 2], y[MOST * 8 * 2], mask[MOST];
    long unsure = 0;
    for (long trial = 0; trial < count; trial++) {
        const pc_type tx = (pc_type)below(TYPES), ty = below(2) ? tx : (pc_type)below(TYPES);
        const size_t n = below(4) ? below(600) : below(MOST);
        const ptrdiff_t gap_x = 1 + (ptrdiff_t)below(2), gap_y = 1 + (ptrdiff_t)below(2);
        const unsigned spread = 1 + (unsigned)below(below(4) ? 20 : 500);
        fill(x, tx, (size_t)gap_x * n, spread, below(5) ? 1000 : 200 + (int)below(1300));
        fill(y, ty, (size_t)gap_y * n, spread, below(5) ? 1000 : 200 + (int)below(1300));
        for (size_t k = 0; k < n; k++)
            mask[k] = below(4) != 0;
        pc_array a = {.type = tx,
                      .components = 1,
                      .data = x,
                      .mask = below(3) ? NULL : mask,
                      .reduced = 1,
                      .repeat = 1,
                      .other = {.type = ty, .components = 1, .data = y}};
        a.axis[0] = (pc_axis){n, gap_x * (ptrdiff_t)sizes[tx], 1, 0, gap_y * (ptrdiff_t)sizes[ty]};
        slow_sum truth = {{0}}, weights = {{0}};
        for (size_t k = 0; k < n; k++)
            if (!a.mask || mask[k]) {
                const number v = number_at(tx, x + (ptrdiff_t)k * a.axis[0].stride),
                             w = number_at(ty, y + (ptrdiff_t)k * a.axis[0].other_stride);
                slow_add_product(&truth, v, w);
                slow_add_word(&weights, w.m, w.exponent, w.negative);
            }
        FOR_EACH_LEVEL
        {
            static pc_tile_sum exact, bounded;
            const pc_statistic statistic = (pc_statistic)(below(2) ? PC_DOT : PC_AVERAGE);
            pc_accumulator_clear(&exact.total, statistic);
            const size_t cut = below(n + 1);
            pc_add_tile(&a, 0, 1, 0, cut, &exact);
            pc_add_tile(&a, 0, 1, cut, n, &exact);
            CHECK(slow_equal(&truth, &exact.total, PC_SQUARES));
            if ((int)statistic == PC_AVERAGE)
                CHECK(slow_equal(&weights, &exact.total, PC_NUMBERS));
            if (!pc_array_boundable(&a))
                continue;
            pc_accumulator_clear_bounded(&bounded.total, statistic);
            pc_add_tile(&a, 0, 1, 0, n, &bounded);
            if (is_inconclusive(&bounded.total))
                continue;
            CHECK(holds(&bounded.total.windows[PC_SQUARES], &truth, 1));
            if ((int)statistic == PC_AVERAGE)
                CHECK(holds(&bounded.total.windows[PC_NUMBERS], &weights, 1));
            uint64_t bits[2], expected[2];
            const pc_output_spec spec = spec_of(statistic, PC_FLOAT16 + (pc_type)below(3));
            const pc_status right = round_to(&exact.total, spec, expected),
                            status = round_to(&bounded.total, spec, bits);
            if (status == PC_INCONCLUSIVE)
                unsure++;
            else
                CHECK(status == right && (status != PC_OK || bits[0] == expected[0]));
        }
    }
    printf("pairs: %ld of %ld rounding tests failed\n", unsure, count);
}

/* ---- how close data come to the bound ------------------------------------------------ */

/* Every lane gets the same products: of sixteen candidates the one whose addition to t loses most,
 * in one direction. */
static void search(void)
{
    enum { N = 1 << 14, WIDEST = 64, CANDIDATES = 16 };
    static double x[N], y[N];
    const double D = 0x1.8p60;
    FOR_EACH_LEVEL
    {
        const pc_kernels *kernels = pc_kernels_in_use();
        if (!kernels->bounded_products[2])
            continue;
        const size_t lanes = kernels->lanes[0];
        CHECK(lanes <= WIDEST);
        double s = D, t = 0.0;
        for (size_t k = 0; k < N; k += lanes) {
            double best = -2, best_x = 0, best_y = 0, next_s = s, next_t = t;
            if (k % FLOAT_BLOCK == 0) /* where the kernel begins anew */
                s = D;
            for (int c = 0; c < CANDIDATES; c++) {
                const double u = 0x1p30 + (double)(random64() >> 11) * 0x1p-23,
                             v = (s > D ? -1 : 1) * (0x1p15 + (double)(random64() >> 11) * 0x1p-38),
                             h = fma(u, v, s), lost = fma(u, v, s - h), sum = t + lost,
                             rounding = (t - sum) + lost,
                             value = lost < 0x1p6 ? -1.0 : 1.0 + rounding;
                if (value > best) {
                    best = value;
                    best_x = u;
                    best_y = v;
                    next_s = h;
                    next_t = sum;
                }
            }
            for (size_t j = k; j < k + lanes; j++) {
                x[j] = best_x;
                y[j] = best_y;
            }
            s = next_s;
            t = next_t;
        }
        slow_sum truth = {{0}};
        for (size_t k = 0; k < N; k++)
            slow_add_product(&truth, number_at(PC_FLOAT64, (char *)&x[k]),
                             number_at(PC_FLOAT64, (char *)&y[k]));
        static pc_accumulator acc;
        pc_accumulator_clear_bounded(&acc, (pc_statistic)PC_DOT);
        bounded_coarsen(&acc.windows[PC_SQUARES], 60 - 52 - 46);
        add_bounded_products(&acc, PC_SQUARES, PC_FLOAT64, (char *)x, 8, (char *)y, 8, N);
        CHECK(!is_inconclusive(&acc) && holds(&acc.windows[PC_SQUARES], &truth, 1));
        uint64_t part = 1;
        while (part < 1024 && holds(&acc.windows[PC_SQUARES], &truth, 2 * part))
            part *= 2;
        printf("pairs, %s: the bound holds, a %" PRIu64 "th of it does not\n", pc_simd(), 2 * part);
        CHECK(part <= 4);
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
        uint64_t kept = q >> 1;
        const int tiny = length == 1 && w[0] == 1; /* then it is one more, or one less */
        if (tiny)
            continue;
        if (q & 1 && (side > 0 || (side == 0 && kept & 1)))
            kept++;
        const double expected = ldexp((double)kept, 1 + e - g);
        CHECK(bits == bits_of(expected));
    }
}

int main(int argc, char **argv)
{
    const long count = trials(argc, argv);
    any_arrays(count);
    search();
    quotients(100 * count);
    return 0;
}
