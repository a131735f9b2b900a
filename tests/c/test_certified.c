/* Certified sums: do they lose no more than they say, and do they round to what the
 * exact sums (test_squares.c) do? */
#include "check.h"

#include "../../csrc/certified.h"

#include <fenv.h>

/* ---- the bound ---------------------------------------------------------------- */

static slow_sum digits_of(const uint64_t *words, size_t count, int exponent)
{
    slow_sum s = {{0}};
    for (size_t k = 0; k < count; k++)
        slow_add_word(&s, words[k], exponent + 64 * (int)k);
    return s;
}

/* x <= y */
static int at_most(const slow_sum *x, const slow_sum *y)
{
    for (int k = DIGITS - 1; k >= 0; k--)
        if (x->digit[k] != y->digit[k])
            return x->digit[k] < y->digit[k];
    return 1;
}

/* Whether the exact sum lies where a certified one says that it does. */
static int holds(const pc_accumulator *certified, const pc_accumulator *exact)
{
    uint64_t words[PC_LIMBS];
    int exponent, within = 1;
    size_t count = pc_accumulator_export(exact, words, &exponent);
    slow_sum truth = digits_of(words, count, exponent);
    for (int side = 0; side < 2; side++) {
        certified_bound(certified, side, words);
        slow_sum end = digits_of(words, 4, certified->exponent);
        within &= side ? at_most(&truth, &end) : at_most(&end, &truth);
    }
    return within;
}

/* What the two come to, if the certified one can tell. Returns whether it can. */
static int compare(const pc_accumulator *certified, const pc_accumulator *exact)
{
    int sure = 0;
    if (!(certified->flags & PC_UNCERTAIN))
        CHECK(!pc_accumulator_special(exact) && holds(certified, exact));
    CHECK(certified->count == exact->count);
    for (int result = PC_SUMSQ; result <= PC_RMS; result++) {
        pc_type type = PC_FLOAT16 + (pc_type)below(3);
        uint64_t bits, expected = pc_accumulator_bits(exact, (pc_result)result, type);
        pc_status status = certified_round(certified, (pc_result)result, type, &bits);
        if (status == PC_UNCERTAIN_SUM)
            continue;
        CHECK(status == (result == PC_RMS && exact->count == 0 ? PC_EMPTY : PC_OK));
        CHECK(bits == expected);
        sure++;
    }
    return sure == PC_RMS + 1;
}

/* ---- numbers ------------------------------------------------------------------- */

enum { MOST = 3 * CERTIFIED_RUN / 2 };

static guarded before_a_page;

static const size_t sizes[] = {[PC_FLOAT16] = 2, [PC_FLOAT32] = 4, [PC_FLOAT64] = 8};

static double of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void put(char *x, pc_type type, size_t k, double value)
{
    float narrow = (float)value;
    if (type == PC_FLOAT64)
        memcpy(x + k * 8, &value, 8);
    else
        memcpy(x + k * 4, &narrow, 4);
}

/* Any bytes of a kind: of few or many scales, all ones, zeros, integers, growing. */
static void fill(char *x, pc_type type, size_t n)
{
    int kind = (int)below(8), centre = (int)below(type == PC_FLOAT64 ? 900 : 100),
        width = kind == 1 ? 400 : (int)below(60);
    centre -= type == PC_FLOAT64 ? 450 : 50;
    for (size_t k = 0; k < n; k++) {
        if (type == PC_FLOAT16) {
            uint16_t bits =
                (uint16_t)(random64() & (below(500) ? 0xbbff : 0xffff)); /* NaN, Inf: few */
            memcpy(x + 2 * k, &bits, 2);
            continue;
        }
        uint64_t fraction = kind == 2 ? UINT64_MAX >> 12 : random64() >> 12;
        double value = of_bits((uint64_t)1023 << 52 | fraction);
        if (kind == 3)
            value = (double)(random64() >> 40);
        else if (kind == 4)
            value = ldexp(value, centre + (int)(k * (size_t)width / (n + 1)));
        else if (kind == 5)
            value = below(2) ? 0.0 : value;
        else if (kind == 6)
            value = k ? 0x1p-30 : 0x1p30;
        else
            value = ldexp(value, centre + (int)below((uint64_t)width + 1));
        put(x, type, k, below(2) ? value : -value);
    }
    if (below(20) == 0 && n && type != PC_FLOAT16) {
        static const double odd[] = {(double)INFINITY, (double)NAN, 0x1p510, 0x1p1000, 0x1p-1074};
        put(x, type, (size_t)below(n), odd[below(5)]);
    }
}

static size_t some_length(void)
{
    static const size_t edges[] = {0, 1, 31, 32, 33, 255, 256, 2047, 2048, 2049, 4097};
    if (below(200) == 0)
        return CERTIFIED_RUN - 2 + (size_t)below(5);
    return below(2) ? (size_t)below(600) : edges[below(11)];
}

static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};

/* ---- runs, pieces, merges ---------------------------------------------------------- */

static void test_runs(long count)
{
    for (; count; count--) {
        pc_accumulator certified, exact, part;
        int mode = modes[below(4)], merged = (int)below(2);
        pc_accumulator_clear_certified(&certified);
        pc_accumulator_clear(&exact);
        for (int pieces = (int)below(4); pieces; pieces--) {
            pc_type type = PC_FLOAT16 + (pc_type)below(3);
            size_t n = some_length(), odd = (size_t)below(2) * (size_t)below(8);
            char *x = before_a_page.data + MOST * sizeof(double) - n * sizes[type] - odd;
            fill(x, type, n);
            pc_accumulator_clear_certified(&part);
            fesetround(mode);
            pc_add_squares(&exact, type, x, n);
            pc_add_squares(merged ? &part : &certified, type, x, n);
            if (merged)
                CHECK(pc_accumulator_merge(&certified, &part) == PC_OK);
            fesetround(FE_TONEAREST);
        }
        if (below(4) == 0) {
            uint64_t factor = below(3) ? below(1000) : random64();
            pc_accumulator_scale(&certified, factor);
            pc_accumulator_scale(&exact, factor);
            certified.count = exact.count = exact.count ? exact.count : 1;
        }
        compare(&certified, &exact);
    }
}

/* Numbers that lie apart, up to where memory ends, and backwards. */
static void test_strides(long count)
{
    for (; count; count--) {
        pc_sum certified, exact;
        pc_type type = PC_FLOAT16 + (pc_type)below(3);
        size_t n = some_length() % 5000, apart = 1 + (size_t)below(5), odd = (size_t)below(3);
        size_t stride = apart * sizes[type] + odd, bytes = n ? (n - 1) * stride + sizes[type] : 0;
        char *x = before_a_page.data + MOST * sizeof(double) - bytes;
        fill(x, type, bytes / sizes[type]);
        pc_accumulator_clear_certified(&certified.total);
        pc_accumulator_clear(&exact.total);
        pc_array a = {.type = type,
                      .parts = 1,
                      .data = x,
                      .reduced = 1,
                      .repeat = 1,
                      .axis = {{n, (ptrdiff_t)stride, 0, 0}}};
        if (below(2) && n) {
            a.data = x + (n - 1) * stride;
            a.axis[0].stride = -a.axis[0].stride;
        }
        pc_add_panel(&a, 0, 1, 0, n, &certified);
        pc_add_panel(&a, 0, 1, 0, n, &exact);
        compare(&certified.total, &exact.total);
    }
}

/* ---- columns -------------------------------------------------------------------------- */

static void test_columns(long count)
{
    static pc_sum certified[PC_PANEL], exact[PC_PANEL];
    for (; count; count--) {
        pc_type type = PC_FLOAT16 + (pc_type)below(3);
        size_t rows = below(10) ? 20 + (size_t)below(200) : 2040 + (size_t)below(20),
               columns = 8 * (1 + (size_t)below(4)), width = columns + (size_t)below(3);
        char *x = before_a_page.data;
        fill(x, type, rows * width);
        for (size_t c = 0; c < columns; c++) {
            pc_accumulator_clear_certified(&certified[c].total);
            pc_accumulator_clear(&exact[c].total);
        }
        pc_array a = {.type = type,
                      .parts = 1,
                      .data = x,
                      .kept = 1,
                      .reduced = 1,
                      .repeat = 1,
                      .axis = {{columns, (ptrdiff_t)sizes[type], 0, 0},
                               {rows, (ptrdiff_t)(width * sizes[type]), 0, 0}}};
        for (int times = 1 + (int)below(2); times; times--) {
            pc_add_panel(&a, 0, columns, 0, rows, certified);
            pc_add_panel(&a, 0, columns, 0, rows, exact);
        }
        for (size_t c = 0; c < columns; c++)
            compare(&certified[c].total, &exact[c].total);
    }
}

/* ---- what a kernel says of itself ---------------------------------------------------- */

/* A lane that comes to 2C or beyond says so; one that stays below has counted right. */
static void test_edge_of_a_lane(const pc_kernels *kernels)
{
    enum { N = 300 };
    for (int k = -40; k <= 40; k += 2)
        for (int at = 0; at < N; at += 7) {
            static const double roots[] = {1.0, 0x1.fffffffffffffp-1, 0x1.ffffffffffffep-1, 0x1p-1,
                                           0x1.0000000000001p0};
            for (size_t r = 0; r < 5; r++) {
                double x[N] = {0.0};
                certified found;
                x[at] = ldexp(roots[r], k / 2); /* squared: C, or so */
                size_t done = kernels->certified[2]((const char *)x, sizeof *x, N, k, &found);
                if (roots[r] >= 1.0) {
                    CHECK(done < N && found.most >= ldexp(2.0, k));
                } else {
                    CHECK(done == N && found.most == 0.0);
                    CHECK(ldexp((double)found.whole, k - 52) + found.rest == x[at] * x[at]);
                }
            }
        }
}

/* The worst that a lane can lose: numbers that make t large and each rounding of it go one
 * way, found by trying, and the same in every lane. */
static double worst(const pc_kernels *kernels, int rows, int upwards)
{
    enum { TRIES = 64, LANES = 32 };
    static double x[LANES * 4096];
    double s = 0x1p20, t = 0.0, share = 0.0;
    pc_accumulator certified, exact;
    const size_t lanes = kernels->lanes;
    CHECK(lanes <= LANES && rows <= 4096);
    for (int row = 0; row < rows; row++) {
        double best = 0.0;
        long double most = -1.0L;
        for (int try = 0; try < TRIES; try++) {
            double v = ldexp(of_bits((uint64_t)1023 << 52 | random64() >> 12), -1);
            double h = fma(v, v, s), e = fma(v, v, s - h), sum = t + e;
            long double error = (long double)sum - t - e; /* as good as exact */
            error = upwards ? error : -error;
            if (error > most && e > 0x1p-34) { /* g is 2^-32: t shall grow fast */
                most = error;
                best = v;
            }
        }
        double h = fma(best, best, s);
        t += fma(best, best, s - h);
        s = h;
        for (size_t lane = 0; lane < lanes; lane++)
            x[(size_t)row * lanes + lane] = best;
    }
    pc_accumulator_clear(&exact);
    pc_add_squares(&exact, PC_FLOAT64, (const char *)x, (size_t)rows * lanes);
    pc_accumulator_clear_certified(&certified);
    memset(certified.window, 0, sizeof certified.window); /* for k = 20, as above */
    certified.exponent = 20 - 52 - 46;
    certified.flags |= PC_WINDOW_USED;
    pc_add_squares(&certified, PC_FLOAT64, (const char *)x, (size_t)rows * lanes);
    CHECK(certified.exponent == 20 - 52 - 46 && holds(&certified, &exact));

    /* How much of the slack that was: the least slack that would have held. */
    uint64_t low = 0, high = certified.slack;
    share = (double)certified.slack;
    while (low < high) {
        certified.slack = low + (high - low) / 2;
        if (holds(&certified, &exact))
            high = certified.slack;
        else
            low = certified.slack + 1;
    }
    return (double)low / share;
}

static void test_worst(const pc_kernels *kernels)
{
    double most = 0.0;
    for (int rows = 64; rows <= 4096; rows *= 8)
        for (int way = 0; way < 2; way++)
            most = fmax(most, worst(kernels, rows, way));
    printf("%.2f of the slack at worst, ", most);
}

int main(int argc, char **argv)
{
    before_a_page = guarded_buffer(MOST * sizeof(double), 1);
    FOR_EACH_LEVEL
    {
        const pc_kernels *kernels = pc_kernels_in_use();
        if (!kernels->lanes)
            continue;
        test_edge_of_a_lane(kernels);
        test_worst(kernels);
        test_runs(trials(argc, argv));
        test_strides(trials(argc, argv));
        test_columns(trials(argc, argv) / 4);
        printf("%s ", pc_simd());
    }
    return 0;
}
