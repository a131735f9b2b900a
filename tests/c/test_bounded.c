/* Bounded sums: do they lose no more than they say, and do they round to what the
 * exact sums (test_squares.c) do? */
#include "check.h"

#include "../../csrc/array/bounded_runs.h"
#include "../../csrc/sums/bounded.h"

#include <fenv.h>

#define UNUSED UINT64_C(0x5555555555555555)

/* ---- the bound ---------------------------------------------------------------- */

/* x <= y */
static int at_most(const slow_sum *x, const slow_sum *y)
{
    if (slow_is_negative(x) != slow_is_negative(y))
        return slow_is_negative(x);
    for (int k = DIGITS - 1; k >= 0; k--)
        if (x->digit[k] != y->digit[k])
            return x->digit[k] < y->digit[k];
    return 1;
}

/* Whether the exact sum lies where a bounded one says that it does. */
static int holds(const pc_accumulator *bounded, const pc_accumulator *exact, pc_moment moment)
{
    const pc_window *sum = &bounded->windows[moment];
    uint64_t words[PC_LIMBS];
    int exponent, negative, within = 1;
    size_t count = pc_accumulator_export(exact, moment, words, &exponent, &negative);
    const slow_sum truth = slow_of_words(words, count, exponent, 0);
    for (int side = 0; side < 2; side++) {
        const limbs_view v = bounded_end(sum, side, words);
        const slow_sum end = slow_of_words(v.word, v.count, v.exponent, 0);
        within &= side ? at_most(&truth, &end) : at_most(&end, &truth);
        within &= !count || bounded_spans_zero(sum) || v.negative == negative;
    }
    return within;
}

static int all_hold(const pc_accumulator *bounded, const pc_accumulator *exact)
{
    const int squares = (exact->flags & PC_WITH_SQUARES) != 0,
              numbers = (exact->flags & PC_WITH_NUMBERS) != 0;
    return (!squares || holds(bounded, exact, PC_SQUARES)) &&
           (!numbers || (holds(bounded, exact, PC_NUMBERS) && holds(bounded, exact, PC_IMAGINARY)));
}

/* Whether it is kept what a result needs. */
static int is_kept(const pc_accumulator *acc, int result)
{
    pc_accumulator needed;
    pc_accumulator_clear(&needed, (pc_statistic)result);
    return (needed.flags & ~acc->flags) == 0;
}

/* What is not asked for nobody adds up, and the limbs nobody uses: see clear_both. */
static int rest_is_untouched(const pc_accumulator *bounded)
{
    static const uint64_t zero[4];
    const pc_window *moment = bounded->windows;
    int untouched = 1;
    for (size_t k = 0; k < sizeof bounded->limb / sizeof *bounded->limb; k++)
        untouched &= bounded->limb[k] == UNUSED;
    if (!(bounded->flags & PC_WITH_SQUARES) && moment[PC_SQUARES].flags & PC_WINDOW_USED)
        untouched &= !memcmp(moment[PC_SQUARES].words, zero, sizeof zero);
    if (!(bounded->flags & PC_WITH_NUMBERS))
        untouched &= !moment[PC_NUMBERS].flags && !moment[PC_IMAGINARY].flags;
    return untouched;
}

/* What the two come to, if the bounded one can tell; numbers of one part, or of two. Returns how
 * often it could not. */
static int compare(const pc_accumulator *bounded, const pc_accumulator *exact, int components)
{
    int unsure = 0;
    if (!(bounded->flags & PC_SUM_INCONCLUSIVE)) {
        CHECK(!pc_accumulator_nonfinite(exact) && all_hold(bounded, exact));
        CHECK(bounded->count == exact->count);
    }
    CHECK(rest_is_untouched(bounded));
    CHECK(bounded->count >= exact->count); /* where NaN is left out, of a sum given up */
    for (int result = PC_SUMSQ; result < RESULTS; result++) {
        pc_output_spec spec = spec_of((pc_statistic)result, PC_FLOAT16 + (pc_type)below(3));
        uint64_t bits[2], expected[2];
        if (!is_kept(exact, result))
            continue;
        if (result == PC_SUM || result == PC_MEAN)
            spec.components = components;
        spec.ddof_bits = (unsigned)below(3);
        spec.ddof = below(8);
        const uint64_t failures = pc_rounding_test_failures();
        const pc_status right = round_to(exact, spec, expected);
        CHECK(pc_rounding_test_failures() == failures);
        const pc_status status = round_to(bounded, spec, bits);
        CHECK(pc_rounding_test_failures() == failures + (status == PC_INCONCLUSIVE));
        if (status == PC_INCONCLUSIVE) {
            unsure++;
            continue;
        }
        CHECK(status == right &&
              memcmp(bits, expected, sizeof *bits * (size_t)spec.components) == 0);
    }
    return unsure;
}

/* A bounded sum and an exact one of what a result needs. */
static void clear_both(pc_accumulator *bounded, pc_accumulator *exact, pc_statistic statistic)
{
    memset(bounded->limb, 0x55, sizeof bounded->limb);
    pc_accumulator_clear_bounded(bounded, statistic);
    pc_accumulator_clear(exact, statistic);
}

static pc_statistic some_result(void)
{
    static const pc_statistic needs[] = {PC_SUMSQ, PC_SUM, PC_VAR, PC_STD};
    return needs[below(4)];
}

/* ---- numbers ------------------------------------------------------------------- */

enum { MOST = 3 * BOUNDED_RUN / 2 };

static guarded before_a_page;

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

/* Any bytes of a kind: of few or many scales, all ones, zeros, integers, growing; near to one
 * another, or the same. */
static void fill(char *x, pc_type type, size_t n)
{
    int kind = (int)below(10), centre = (int)below(type == PC_FLOAT64 ? 900 : 100),
        width = kind == 1 ? 400 : (int)below(60), signs = (int)below(3);
    const double same = of_bits((uint64_t)1023 << 52 | random64() >> 12);
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
        else if (kind == 8)
            value = ldexp(same + ldexp(value - 1.5, -width / 2), centre);
        else if (kind == 9)
            value = ldexp(same, centre);
        else
            value = ldexp(value, centre + (int)below((uint64_t)width + 1));
        put(x, type, k, signs == 2 ? (below(2) ? value : -value) : signs ? -value : value);
    }
    if (below(20) == 0 && n && type != PC_FLOAT16) {
        static const double odd[] = {(double)INFINITY, (double)NAN, 0x1p510, 0x1p1000, 0x1p-1074};
        put(x, type, (size_t)below(n), odd[below(5)]);
    }
}

static size_t some_length(void)
{
    static const size_t edges[] = {0, 1, 31, 32, 33, 255, 256, 2047, 2048, 2049, 4097};
    if (below(100) == 0)
        return (size_t)(below(2) ? BOUNDED_RUN : MIN_STREAMED) - 2 + (size_t)below(5);
    return below(2) ? (size_t)below(600) : edges[below(11)];
}

/* Numbers that grow, so that a stream leaves its range amid a run. */
static void grow(char *x, pc_type type, size_t n)
{
    for (size_t k = 0; k < n && type != PC_FLOAT16; k++)
        put(x, type, k, ldexp(1.0 + (double)below(99), (int)(k / 700) % 60));
}

/* NaN, each with some bits of its own, in the place of one number in `apart`, or of none. */
static size_t put_nans(char *x, pc_type type, size_t n, size_t stride, size_t apart)
{
    static const uint64_t quiet[] = {0x7e00, 0x7fc00000, UINT64_C(0x7ff8) << 48};
    const size_t size = sizes[type];
    size_t made = 0;
    for (size_t k = 0; k < n && apart; k++)
        if (below(apart) == 0) {
            const uint64_t sign = (random64() & 1) << (8 * size - 1);
            store_bits(x + k * stride, size, quiet[type - PC_FLOAT16] | sign | below(500));
            made++;
        }
    return made;
}

/* How many numbers there are to a NaN: few, many, or none at all (0). */
static size_t some_gap(void)
{
    static const size_t gaps[] = {0, 1, 2, 20, 3000};
    return gaps[below(5)];
}

static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};

/* ---- runs, pieces, merges ---------------------------------------------------------- */

static void test_runs(long count)
{
    for (; count; count--) {
        pc_accumulator bounded, exact, moment;
        int mode = modes[below(4)], merged = (int)below(2), components = 1 + (int)below(2);
        const pc_statistic statistic = some_result();
        clear_both(&bounded, &exact, statistic);
        for (int pieces = (int)below(4); pieces; pieces--) {
            pc_type type = PC_FLOAT16 + (pc_type)below(3);
            size_t n = some_length() / (size_t)components,
                   odd = (size_t)below(2) * (size_t)below(8);
            char *x = before_a_page.data + MOST * sizeof(double) -
                      n * (size_t)components * sizes[type] - odd;
            fill(x, type, n * (size_t)components);
            if (n * (size_t)components >= MIN_STREAMED && below(2))
                grow(x, type, n * (size_t)components);
            pc_accumulator_clear_bounded(&moment, statistic);
            fesetround(mode);
            pc_add_numbers(&exact, type, components, x, n);
            pc_add_numbers(merged ? &moment : &bounded, type, components, x, n);
            if (merged)
                CHECK(pc_accumulator_merge(&bounded, &moment) == PC_OK);
            fesetround(FE_TONEAREST);
        }
        if (below(4) == 0) {
            uint64_t factor = below(3) ? below(1000) : random64();
            pc_accumulator_scale(&bounded, factor);
            pc_accumulator_scale(&exact, factor);
            bounded.count = exact.count = exact.count ? exact.count : 1;
        }
        compare(&bounded, &exact, components);
    }
}

/* Numbers that lie apart, up to where memory ends, and backwards. */
static void test_strides(long count)
{
    for (; count; count--) {
        pc_tile_sum bounded, exact;
        pc_type type = PC_FLOAT16 + (pc_type)below(3);
        const int components = 1 + (int)below(2);
        const size_t item = sizes[type] * (size_t)components;
        size_t n = some_length() % 5000, apart = 1 + (size_t)below(5), odd = (size_t)below(3);
        size_t stride = apart * item + odd, bytes = n ? (n - 1) * stride + item : 0;
        char *x = before_a_page.data + MOST * sizeof(double) - bytes;
        const int halves = type == PC_FLOAT16 && components == 2; /* no such type */
        const int skip_nan = !halves && below(2);
        fill(x, type, bytes / sizes[type]);
        if (skip_nan)
            put_nans(x, type, n, stride, some_gap());
        clear_both(&bounded.total, &exact.total, some_result());
        pc_array a = {.type = type,
                      .components = components,
                      .skip_nan = skip_nan,
                      .data = x,
                      .reduced_axes = 1,
                      .repeat = 1,
                      .axis = {{n, (ptrdiff_t)stride, 0, 0, 0}}};
        if (below(2) && n) {
            a.data = x + (n - 1) * stride;
            a.axis[0].stride = -a.axis[0].stride;
        }
        pc_add_tile(&a, 0, 1, 0, n, &bounded);
        pc_add_tile(&a, 0, 1, 0, n, &exact);
        compare(&bounded.total, &exact.total, components);
    }
}

/* ---- columns -------------------------------------------------------------------------- */

static pc_tile_sum bounded_columns[PC_TILE], exact_columns[PC_TILE];

static pc_array matrix_of(pc_type type, const char *x, size_t rows, size_t columns, size_t width)
{
    pc_array a = {.type = type,
                  .components = 1,
                  .data = x,
                  .kept_axes = 1,
                  .reduced_axes = 1,
                  .repeat = 1,
                  .axis = {{columns, (ptrdiff_t)sizes[type], 0, 0, 0},
                           {rows, (ptrdiff_t)(width * sizes[type]), 0, 0, 0}}};
    return a;
}

static void test_columns(long count)
{
    for (; count; count--) {
        pc_type type = PC_FLOAT16 + (pc_type)below(3);
        size_t rows = below(10) ? 20 + (size_t)below(200) : 2040 + (size_t)below(20),
               columns = rows < 220 && below(20) == 0 ? PC_TILE : 8 * (1 + (size_t)below(4)),
               width = columns + (size_t)below(3);
        const pc_statistic statistic = some_result();
        char *x = before_a_page.data +
                  (MOST * sizeof(double) - ((rows - 1) * width + columns) * sizes[type]);
        fill(x, type, (rows - 1) * width + columns);
        for (size_t c = 0; c < columns; c++)
            clear_both(&bounded_columns[c].total, &exact_columns[c].total, statistic);
        pc_array a = matrix_of(type, x, rows, columns, width);
        if (below(2)) {
            a.skip_nan = 1;
            put_nans(x, type, (rows - 1) * width + columns, sizes[type], some_gap());
        }
        for (int times = 1 + (int)below(2); times; times--) {
            const size_t most = below(2) ? rows : 8; /* so few rows are summed number by number */
            for (size_t row = 0, some; row < rows; row += some) {
                some = 1 + (size_t)below(most);
                some = some < rows - row ? some : rows - row;
                pc_add_tile(&a, 0, columns, row, row + some, bounded_columns);
                pc_add_tile(&a, 0, columns, row, row + some, exact_columns);
            }
        }
        for (size_t c = 0; c < columns; c++)
            compare(&bounded_columns[c].total, &exact_columns[c].total, 1);
    }
}

/* ---- when it is given up ---------------------------------------------------------------- */

/* Numbers whose spread is this share of their mean; from `zeros` on, before which they are 0. */
static void put_spread(char *x, pc_type type, size_t n, size_t step, double share, size_t zeros)
{
    for (size_t k = 0; k < n; k++) {
        const double value = k < zeros ? 0.0 : 1.0 + (k % 2 ? share : -share);
        if (type == PC_FLOAT16)
            store_bits(x + k * step, 2, k < zeros ? 0 : k % 2 ? 0x3c01 : 0x3bff);
        else
            put(x + k * step, type, 0, value);
    }
}

/* The first 64 numbers say whether a variance is hopeless; only a variance. Zeros say nothing. */
static void test_cancels(const pc_kernels *kernels)
{
    static const struct {
        double share;
        int hopeless;
    } cases[] = {{0.5, 0}, {0x1p-10, 0}, {0x1.1p-11, 0}, {0x0.fp-11, 1}, {0x1p-20, 1}, {0.0, 1}};
    enum { N = 300, COLUMNS = 16 };
    static char x[N * COLUMNS * sizeof(double)];
    for (pc_type type = PC_FLOAT32; type <= PC_FLOAT64; type++)
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
            for (int result = PC_SUMSQ; result < RESULTS; result++)
                for (int components = 1; components < 3; components++) {
                    pc_accumulator acc;
                    for (size_t k = 0; k < N; k += 2) /* pairs: both components alike */
                        for (size_t p = 0; p < 2; p++)
                            put(x, type, k + p,
                                1.0 + ((k / 2 + p * (2 - (size_t)components)) % 2
                                           ? cases[c].share
                                           : -cases[c].share));
                    for (int zeros = 0; zeros < 2; zeros++) {
                        pc_accumulator_clear_bounded(&acc, (pc_statistic)result);
                        if (zeros)
                            memset(x, 0, 64 * sizes[type]);
                        pc_add_numbers(&acc, type, components, x, N / (size_t)components);
                        CHECK(((acc.flags & PC_SUM_INCONCLUSIVE) != 0) ==
                              (result >= PC_VAR && cases[c].hopeless && !zeros));
                    }
                }

    /* One column for which it is, or of NaN, is enough to give up all of them. */
    for (pc_type type = kernels->bounded[0][0] ? PC_FLOAT16 : PC_FLOAT32; type <= PC_FLOAT64;
         type++)
        for (int odd = 0; odd < 5; odd++)
            for (int result = PC_SUMSQ; result < RESULTS; result++) {
                const size_t which = (size_t)(result + odd) % COLUMNS, size = sizes[type];
                for (size_t c = 0; c < COLUMNS; c++)
                    put_spread(x + c * size, type, N, COLUMNS * size, 0.5, 0);
                if (odd == 1)
                    put_spread(x + which * size, type, N, COLUMNS * size, 0.0, 0);
                if (odd == 2)
                    put_spread(x + which * size, type, N, COLUMNS * size, 0.0, 64);
                if (odd >= 3) /* NaN, later or at once */
                    store_bits(x + ((odd == 3 ? 200 * COLUMNS : 0) + which) * size, size,
                               UINT64_MAX);
                for (size_t c = 0; c < COLUMNS; c++)
                    clear_both(&bounded_columns[c].total, &exact_columns[c].total,
                               (pc_statistic)result);
                const pc_array a = matrix_of(type, x, N, COLUMNS, COLUMNS);
                pc_add_tile(&a, 0, COLUMNS, 0, N, bounded_columns);
                pc_add_tile(&a, 0, COLUMNS, 0, N, exact_columns);
                const int hopeless =
                    odd >= 3 || (odd == 1 && result >= PC_VAR && type != PC_FLOAT16);
                for (size_t c = 0; c < COLUMNS; c++) {
                    compare(&bounded_columns[c].total, &exact_columns[c].total, 1);
                    CHECK(((bounded_columns[c].total.flags & PC_SUM_INCONCLUSIVE) != 0) ==
                          hopeless);
                }
            }
}

/* A sum of that error bound, in units of 1. */
static pc_window window_of(uint64_t low, uint64_t sign, uint64_t error_bound)
{
    return (pc_window){{low, sign, sign, sign}, error_bound, PC_WINDOW_USED, 0};
}

/* More error_bound than a word counts, or a sum beyond its window: then nothing is known. */
static void test_overflow(void)
{
    static const struct {
        uint64_t top, error_bound, factor;
        int fits;
    } cases[] = {
        {0, UINT64_MAX / 5, 5, 1},    {0, UINT64_MAX / 5 + 1, 5, 0},
        {0, UINT64_C(1) << 63, 2, 0}, {(UINT64_C(1) << 61) - 1, 1, 2, 1},
        {UINT64_C(1) << 61, 1, 2, 0}, {UINT64_C(1) << 61, 0, UINT64_MAX, 0},
        {UINT64_C(1) << 61, 0, 8, 0}, {0, 0, UINT64_MAX, 1},
    };
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
        for (int negative = 0; negative < 2; negative++) {
            const uint64_t sign = 0 - (uint64_t)negative;
            pc_accumulator acc;
            pc_window *sum = &acc.windows[moment];
            pc_accumulator_clear_bounded(&acc, PC_VAR);
            bounded_add(&acc, moment, window_of(0, 0, 5));
            bounded_add(&acc, moment, window_of(0, 0, UINT64_MAX - 5));
            CHECK(!is_inconclusive(&acc) && sum->error_bound == UINT64_MAX);
            bounded_add(&acc, moment, window_of(0, 0, 1));
            CHECK(is_inconclusive(&acc));

            for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
                pc_accumulator_clear_bounded(&acc, PC_VAR);
                bounded_coarsen(sum, -100);
                sum->error_bound = cases[c].error_bound;
                sum->words[0] = 0 - (uint64_t)negative; /* 0 or -1, ... */
                sum->words[1] = sum->words[2] = sign;
                sum->words[3] = negative ? ~cases[c].top : cases[c].top;
                pc_accumulator_scale(&acc, cases[c].factor);
                CHECK(is_inconclusive(&acc) == !cases[c].fits);
                if (cases[c].fits) {
                    CHECK(sum->error_bound == cases[c].error_bound * cases[c].factor);
                    CHECK(sum->words[0] == (negative ? 0 - cases[c].factor : 0));
                    CHECK(bounded_spans_zero(sum) == (cases[c].error_bound >= 5));
                }
            }

            /* A sum that fills three words: its sign is in the fourth alone. */
            pc_accumulator_clear_bounded(&acc, PC_VAR);
            bounded_coarsen(sum, -100);
            sum->words[0] = sum->words[1] = sum->words[3] = sign;
            sum->words[2] = UINT64_C(1) << 63 ^ sign;
            pc_accumulator_scale(&acc, 2);
            CHECK(!is_inconclusive(&acc) && sum->words[3] == (1 ^ sign));
        }
}

/* The least or the largest that a sum may be. */
static slow_sum end_of(const pc_window *sum, int side)
{
    slow_sum end = {{0}};
    slow_add_signed(&end, sum->words, 4, sum->exponent);
    slow_add_word(&end, sum->error_bound, sum->exponent, !side);
    return end;
}

/* Any window, counted in larger units: it still holds what it did, with two units more of
 * error_bound at most; and its ends are where it says. */
static void test_windows(long count)
{
    for (; count; count--) {
        pc_window sum, coarse;
        uint64_t room[4];
        memset(&sum, 0, sizeof sum);
        bounded_coarsen(&sum, -(int)below(600));
        const int units = below(4) ? (int)below(330) - 10 : 62 + (int)below(3);
        const int full = (int)below(3), spread = (int)below(4);
        for (int k = 0; k < 4; k++) /* all ones: what is cut off is as much as can be */
            sum.words[k] = full ? UINT64_MAX : random64();
        sum.words[3] = (spread == 0 ? random64() >> 2 : 0) ^ (0 - below(2));
        sum.words[2] = spread == 1 ? 0 : sum.words[2];
        sum.error_bound = full == 2 ? UINT64_MAX >> (below(2) ? below(64) : 0) : random_size();

        for (int side = 0; side < 2; side++) {
            const slow_sum low = end_of(&sum, 0), high = end_of(&sum, 1);
            const int negative = (int)(sum.words[3] >> 63),
                      spans = sum.error_bound && !slow_is_negative(&high) &&
                              (slow_is_negative(&low) || slow_is_zero(&low));
            const limbs_view v = bounded_end(&sum, side, room);
            const slow_sum end = slow_of_words(v.word, v.count, v.exponent, negative),
                           expected = end_of(&sum, side != negative);
            CHECK(v.negative == negative);
            if (side || slow_is_negative(&expected) == negative)
                CHECK(memcmp(&end, &expected, sizeof end) == 0);
            else
                CHECK(v.count == 0);
            CHECK(bounded_spans_zero(&sum) || !spans);
        }

        coarse = sum;
        bounded_coarsen(&coarse, sum.exponent + units);
        if (units <= 0) {
            CHECK(memcmp(&coarse, &sum, sizeof sum) == 0);
            continue;
        }
        CHECK(coarse.exponent == sum.exponent + units);
        CHECK(coarse.error_bound == (units < 64 ? sum.error_bound >> units : 0) + 2);
        for (int side = 0; side < 2; side++) {
            const slow_sum fine = end_of(&sum, side), end = end_of(&coarse, side);
            CHECK(side ? at_most(&fine, &end) : at_most(&end, &fine));
        }
    }
}

/* Numbers as they are in practice, in one piece or merged from several, one of them empty: all
 * that is asked of them is certain. The same ones each time: of others one result in some two
 * thousand is not. */
static void test_ordinary(void)
{
    enum { N = 3000 };
    const uint64_t state = random_state;
    random_state = 1;
    for (int result = PC_SUMSQ; result < RESULTS; result++)
        for (int pieces = 1; pieces < 4; pieces++) {
            pc_accumulator bounded, exact, moment;
            char *x = before_a_page.data + MOST * sizeof(double) - N * sizeof(double);
            clear_both(&bounded, &exact, (pc_statistic)result);
            for (size_t k = 0; k < N; k++)
                put(x, PC_FLOAT64, k, of_bits((uint64_t)1023 << 52 | random64() >> 12) - 1.25);
            pc_add_numbers(&exact, PC_FLOAT64, 1, x, N);
            for (int piece = 0; piece < pieces; piece++) {
                pc_accumulator_clear_bounded(&moment, (pc_statistic)result);
                if (pieces == 1)
                    pc_add_numbers(&bounded, PC_FLOAT64, 1, x, N);
                else if (piece)
                    pc_add_numbers(&moment, PC_FLOAT64, 1,
                                   x + (size_t)(piece - 1) * N / (size_t)(pieces - 1) *
                                           sizeof(double),
                                   N / (size_t)(pieces - 1));
                CHECK(pc_accumulator_merge(&bounded, &moment) == PC_OK);
            }
            CHECK(!is_inconclusive(&bounded));
            const int unsure = compare(&bounded, &exact, 1);
#ifndef PC_WIDER_BOUND
            CHECK(unsure == 0);
#else
            (void)unsure;
#endif
        }
    random_state = state;
}

/* The least variance is that of the least squares and the largest numbers. Here n times a unit of
 * the one comes to what a unit of the other adds to their square: from the same ends of both it
 * would seem to be certain. */
static void test_ends_of_a_variance(void)
{
    for (pc_moment moment = PC_NUMBERS; moment <= PC_IMAGINARY; moment++)
        for (int negative = 0; negative < 2; negative++)
            for (uint64_t error_bound = 0; error_bound < 2; error_bound++) {
                uint64_t bits[2];
                pc_accumulator acc;
                pc_accumulator_clear_bounded(&acc, PC_VAR);
                for (pc_moment k = PC_SQUARES; k <= PC_IMAGINARY; k++)
                    bounded_coarsen(&acc.windows[k], 0);
                const uint64_t size = UINT64_C(1) << 20;
                const pc_window squares = window_of(UINT64_C(1) << 49, 0, error_bound),
                                plus = window_of(size, 0, error_bound),
                                minus = window_of(0 - size, UINT64_MAX, error_bound);
                acc.count = UINT64_C(1) << 21;
                bounded_add(&acc, PC_SQUARES, squares);
                bounded_add(&acc, moment, negative ? minus : plus);
                CHECK(round_to(&acc, spec_of(PC_VAR, PC_FLOAT64), bits) ==
                      (error_bound ? PC_INCONCLUSIVE : PC_OK));
            }
}

/* A level without kernels for a type, chosen by another thread after it was asked for them. */
static void test_without_kernels(const char *level)
{
    enum { ROWS = 4, COLUMNS = 8 };
    static const uint16_t x[ROWS * COLUMNS];
    CHECK(pc_simd_use("portable") == PC_OK && !has_bounded(PC_FLOAT16));
    pc_accumulator *const acc = &bounded_columns[0].total;
    for (int result = PC_SUMSQ; result < RESULTS; result++)
        for (int skip_nan = 0; skip_nan < 2; skip_nan++) {
            pc_accumulator_clear_bounded(acc, (pc_statistic)result);
            CHECK(add_bounded(acc, PC_FLOAT16, 1, (const char *)x, sizeof *x, ROWS, skip_nan) == 0);
            CHECK(is_inconclusive(acc));
        }
    pc_accumulator_clear_bounded(acc, (pc_statistic)PC_DOT);
    add_bounded_products(acc, PC_SQUARES, PC_FLOAT16, (const char *)x, sizeof *x, (const char *)x,
                         sizeof *x, ROWS);
    CHECK(is_inconclusive(acc));
    for (size_t c = 0; c < COLUMNS; c++)
        pc_accumulator_clear_bounded(&bounded_columns[c].total, PC_VAR);
    add_bounded_columns(bounded_columns, PC_FLOAT16, (const char *)x, sizeof *x * COLUMNS, ROWS,
                        COLUMNS, 0);
    for (size_t c = 0; c < COLUMNS; c++)
        CHECK(is_inconclusive(&bounded_columns[c].total));
    CHECK(pc_simd_use(level) == PC_OK);
}

/* ---- what a kernel says of itself ---------------------------------------------------- */

/* A lane that comes to 2C or beyond says so; one that stays below has counted right. */
static void test_edge_of_a_lane(const pc_kernels *kernels, int both)
{
    enum { N = 300 };
    for (int k = -40; k <= 40; k += 2)
        for (int at = 0; at < N; at += 7) {
            static const double roots[] = {1.0, 0x1.fffffffffffffp-1, -0x1.ffffffffffffep-1, 0x1p-1,
                                           -0x1.0000000000001p0};
            for (size_t r = 0; r < 5; r++) {
                double x[N] = {0.0};
                bounded_sums found;
                x[at] = ldexp(roots[r], k / 2); /* squared: C, or so */
                size_t done = kernels->bounded[both][2]((const char *)x, sizeof *x, N, k, &found);
                if (fabs(roots[r]) >= 1.0) {
                    CHECK(done < N && found.overflow_at >= ldexp(2.0, k));
                } else {
                    CHECK(done == N && found.overflow_at == 0.0);
                    CHECK(ldexp((double)found.units, k - 52) + found.residual == x[at] * x[at]);
                    for (int p = 0; both && p < 2; p++)
                        CHECK(ldexp((double)(int64_t)found.number_units[p],
                                    numbers_exponent(k) - 52) +
                                  found.number_residual[p] ==
                              (at % 2 == p ? x[at] : 0.0));
                }
            }
        }
}

/* As many numbers in a lane as there can be, as large as their squares allow: their sum has gone as
 * far as it can, to either side. */
static void test_longest_lane(const pc_kernels *kernels)
{
    enum { COLUMNS = 8 };
    static double x[FLOAT_BLOCK * COLUMNS];
    for (int k = -41; k <= 41; k++)
        for (int sign = -1; sign < 2; sign += 2) {
            const double size = k % 2 ? ldexp(1.0 - 0x1p-20, (k - 11) / 2)
                                      : ldexp(1.4140625, (k - 12) / 2); /* its square is 1.9996 */
            int ks[COLUMNS];
            column_sums sums;
            for (int c = 0; c < COLUMNS; c++)
                ks[c] = k;
            for (int j = 0; j < FLOAT_BLOCK * COLUMNS; j++)
                x[j] = sign * size;
            kernels->bounded_columns[1][2]((const char *)x, sizeof *x * COLUMNS, FLOAT_BLOCK,
                                           COLUMNS, ks, &sums);
            for (int c = 0; c < COLUMNS; c++) {
                const bounded_sums found = column_partial(&sums, (size_t)c, k, 1);
                CHECK(found.overflow_at == 0.0);
                CHECK(ldexp((double)(int64_t)found.number_units[0], numbers_exponent(k) - 52) +
                          found.number_residual[0] ==
                      FLOAT_BLOCK * sign * size);
                CHECK(found.number_units[1] == 0 && found.number_residual[1] == 0.0);
            }
        }
}

/* Longer runs, whose squares fit one lane to the end, but the sum of the numbers does not: it is
 * taken out of the lane block by block. */
static void test_longest_run(const pc_kernels *kernels)
{
    static double x[2 * BOUNDED_RUN];
    for (int k = -41; k <= 41; k += 2)
        for (size_t apart = 1; apart <= 2; apart++) {
            const double size = ldexp(below(2) ? 1.0 : -1.0, (k - 15) / 2);
            double number = 0.0;
            bounded_sums found;
            for (size_t j = 0; j < BOUNDED_RUN; j++)
                x[j * apart] = size;
            CHECK(kernels->bounded[1][2]((const char *)x, (ptrdiff_t)(apart * sizeof *x),
                                         BOUNDED_RUN, k, &found) == BOUNDED_RUN);
            CHECK(found.overflow_at == 0.0);
            CHECK(ldexp((double)found.units, k - 52) + found.residual == BOUNDED_RUN * size * size);
            for (int p = 0; p < 2; p++)
                number += ldexp((double)(int64_t)found.number_units[p], numbers_exponent(k) - 52) +
                          found.number_residual[p];
            CHECK(number == BOUNDED_RUN * size);
        }
}

/* How far a lane came is told by NaN, wherever there is one: no scale will do. */
static void test_nan_is_farthest(const pc_kernels *kernels)
{
    enum { N = 64 };
    for (int both = 0; both < 2; both++)
        for (size_t at = 0; at < N; at++) {
            double x[N];
            bounded_sums found;
            for (size_t j = 0; j < N; j++)
                x[j] = j == at ? (double)NAN : 0x1p400;
            CHECK(kernels->bounded[both][2]((const char *)x, sizeof *x, N, 0, &found) == 0);
            CHECK(found.overflow_at != found.overflow_at);
        }
}

/* NaN left out counts as 0: the same sums to the last bit as with 0 in its place, and as many NaN
 * as were met. `zeroed` is a copy for that. */
static void test_skipping(const pc_kernels *kernels, long count)
{
    static char zeroed[MOST * sizeof(double)];
    for (; count; count--) {
        const pc_type type = PC_FLOAT16 + (pc_type)below(3);
        const int which = (int)(type - PC_FLOAT16), k = below(4) ? 60 : (int)below(40) - 20;
        const int streamed = below(50) == 0;
        const size_t size = sizes[type], stride = size * (streamed ? 1 : 1 + (size_t)below(3)),
                     n = streamed ? MIN_STREAMED + (size_t)below(100) : some_length() % 5000,
                     bytes = n ? (n - 1) * stride + size : 0;
        char *x = before_a_page.data + MOST * sizeof(double) - bytes;
        bounded_sums found, expected;
        if (!kernels->nanbounded[which])
            continue;
        fill(x, type, bytes / size);
        if (streamed && below(2))
            grow(x, type, n);
        put_nans(x, type, n, stride, some_gap());
        memcpy(zeroed, x, bytes);
        size_t missing = 0;
        for (size_t j = 0; j < n; j++) {
            slow_sums number = {.special = 0};
            slow_add_element(&number, PC_NUMBERS, type, x + j * stride);
            if (number.special & PC_NAN)
                memset(zeroed + j * stride, 0, size);
        }
        const size_t done = kernels->nanbounded[which](x, (ptrdiff_t)stride, n, k, &found);
        CHECK(done == kernels->bounded[1][which](zeroed, (ptrdiff_t)stride, n, k, &expected));
        for (size_t j = 0; j < done; j++)
            missing += memcmp(x + j * stride, zeroed + j * stride, size) != 0;
        CHECK(found.missing == missing && expected.missing == 0);
        CHECK(found.units == expected.units && found.residual == expected.residual);
        CHECK(found.overflow_at == expected.overflow_at);
        for (int p = 0; p < 2; p++)
            CHECK(found.number_units[p] == expected.number_units[p] &&
                  found.number_residual[p] == expected.number_residual[p]);

        const size_t added =
            kernels->nanbounded_sums[which](x, (ptrdiff_t)stride, NULL, 0, n, k, &found);
        CHECK(added == kernels->bounded_products[which](zeroed, (ptrdiff_t)stride, NULL, 0, n, k,
                                                        &expected));
        for (size_t j = done; j < added; j++)
            missing += memcmp(x + j * stride, zeroed + j * stride, size) != 0;
        for (size_t j = added; j < done; j++)
            missing -= memcmp(x + j * stride, zeroed + j * stride, size) != 0;
        CHECK(found.missing == missing && expected.missing == 0);
        CHECK(found.units == expected.units && found.residual == expected.residual);
        CHECK(found.overflow_at == expected.overflow_at);
    }
}

/* Streams of which the last block stops have added nothing, nor counted what is left out. */
static void test_skipping_streams(const pc_kernels *kernels)
{
    static double x[MIN_STREAMED];
    bounded_sums found;
    for (size_t j = 0; j < MIN_STREAMED; j++)
        x[j] = j % 7 ? 1.0 : (double)NAN;
    x[MIN_STREAMED - 1] = 0x1p100;
    CHECK(kernels->nanbounded_sums[2]((const char *)x, sizeof *x, NULL, 0, MIN_STREAMED, 60,
                                      &found) == 0);
    CHECK(found.missing == 0 && found.overflow_at >= 0x1p100);
}

/* Columns likewise: column c from where a page ends, and each NaN counted in its own. */
static void test_skipping_columns(const pc_kernels *kernels, long count)
{
    static char zeroed[MOST * sizeof(double)];
    for (; count; count--) {
        const pc_type type = PC_FLOAT16 + (pc_type)below(3);
        const int which = (int)(type - PC_FLOAT16);
        const size_t size = sizes[type], rows = 1 + (size_t)below(40),
                     columns = 8 * (1 + (size_t)below(BOUNDED_STRIP / 8)),
                     width = columns + (size_t)below(3), numbers = (rows - 1) * width + columns;
        char *x = before_a_page.data + MOST * sizeof(double) - numbers * size;
        int k[BOUNDED_STRIP];
        column_sums found, expected;
        if (!kernels->nanbounded_columns[which])
            continue;
        fill(x, type, numbers);
        put_nans(x, type, numbers, size, some_gap());
        memcpy(zeroed, x, numbers * size);
        for (size_t j = 0; j < numbers; j++) {
            slow_sums number = {.special = 0};
            slow_add_element(&number, PC_NUMBERS, type, x + j * size);
            if (number.special & PC_NAN)
                memset(zeroed + j * size, 0, size);
        }
        for (size_t c = 0; c < columns; c++)
            k[c] = (int)below(80) - 20;
        kernels->nanbounded_columns[which](x, (ptrdiff_t)(width * size), rows, columns, k, &found);
        kernels->bounded_columns[1][which](zeroed, (ptrdiff_t)(width * size), rows, columns, k,
                                           &expected);
        for (size_t c = 0; c < columns; c++) {
            uint64_t missing = 0;
            for (size_t r = 0; r < rows; r++)
                missing +=
                    memcmp(x + (r * width + c) * size, zeroed + (r * width + c) * size, size) != 0;
            CHECK(found.missing[c] == missing && expected.missing[c] == 0);
            CHECK(bits_of(found.s[c]) == bits_of(expected.s[c]) &&
                  bits_of(found.t[c]) == bits_of(expected.t[c]));
            CHECK(bits_of(found.a[c]) == bits_of(expected.a[c]) &&
                  bits_of(found.b[c]) == bits_of(expected.b[c]));
        }
    }
}

/* The worst that a lane can lose: numbers that make t (or b) large and each rounding of it go one
 * way, found by trying, and the same in every lane. Returns how much of the error bound that is. */
static double worst(const pc_kernels *kernels, pc_moment moment, int rows, int upwards)
{
    enum { TRIES = 64, LANES = 32, K = 20 };
    static double x[LANES * 4096];
    double s = 0x1p20, t = 0.0, share = 0.0;
    pc_accumulator acc, exact;
    const size_t lanes = kernels->lanes[1];
    const int unit = numbers_exponent(K); /* of b: 2^(unit - 52) */
    pc_window *sum = &acc.windows[moment];
    CHECK(lanes <= LANES && rows <= 4096);
    for (int row = 0; row < rows; row++) {
        double best = 0.0;
        long double most = -1.0L;
        for (int try = 0; try < TRIES; try++) {
            double v = of_bits((uint64_t)1023 << 52 | random64() >> 12), h, e;
            if (moment == PC_SQUARES) {
                v = ldexp(v, -1);
                h = fma(v, v, s);
                e = fma(v, v, s - h);
            } else { /* what is lost is v itself: less than half a unit */
                v = ldexp(v, unit - 54);
                e = v;
            }
            double grown = t + e;
            long double error = (long double)grown - t - e; /* as good as exact */
            error = upwards ? error : -error;
            if (error > most &&
                (moment != PC_SQUARES || e > 0x1p-34)) { /* g is 2^-32: t shall grow fast */
                most = error;
                best = v;
            }
        }
        double h = fma(best, best, s);
        t += moment == PC_SQUARES ? fma(best, best, s - h) : best;
        s = moment == PC_SQUARES ? h : s;
        for (size_t lane = 0; lane < lanes; lane++)
            x[(size_t)row * lanes + lane] = best;
    }
    clear_both(&acc, &exact, PC_VAR);
    pc_add_numbers(&exact, PC_FLOAT64, 1, (const char *)x, (size_t)rows * lanes);
    for (pc_moment k = PC_SQUARES; k <= PC_IMAGINARY; k++) /* for K, as above */
        bounded_coarsen(&acc.windows[k], (k == PC_SQUARES ? K : numbers_exponent(K)) - 52 - 46);
    pc_add_numbers(&acc, PC_FLOAT64, 1, (const char *)x, (size_t)rows * lanes);
    CHECK(acc.windows[PC_SQUARES].exponent == K - 52 - 46 && all_hold(&acc, &exact));

    /* How much of the error bound that was: the least error_bound that would have held. */
    uint64_t low = 0, high = sum->error_bound;
    share = (double)sum->error_bound;
    while (low < high) {
        sum->error_bound = low + (high - low) / 2;
        if (holds(&acc, &exact, moment))
            high = sum->error_bound;
        else
            low = sum->error_bound + 1;
    }
    return (double)low / share;
}

static void test_worst(const pc_kernels *kernels)
{
    double most[2] = {0.0};
    for (int rows = 64; rows <= 4096; rows *= 8)
        for (int way = 0; way < 2; way++)
            for (pc_moment moment = PC_SQUARES; moment <= PC_NUMBERS; moment++)
                most[moment] = fmax(most[moment], worst(kernels, moment, rows, way));
    printf("%.2f and %.2f of the error bound at worst, ", most[0], most[1]);
}

int main(int argc, char **argv)
{
    long count = trials(argc, argv);
    before_a_page = guarded_buffer(MOST * sizeof(double), 1);
    FOR_EACH_LEVEL
    {
        const pc_kernels *kernels = pc_kernels_in_use();
        if (!kernels->lanes[0])
            continue;
        /* Of lanes that sum both there are half as many. */
        CHECK(kernels->lanes[0] == 2 * kernels->lanes[1]);
        test_edge_of_a_lane(kernels, 0);
        test_edge_of_a_lane(kernels, 1);
        test_longest_lane(kernels);
        test_longest_run(kernels);
        test_nan_is_farthest(kernels);
        test_skipping(kernels, count);
        test_skipping_streams(kernels);
        test_skipping_columns(kernels, count / 4);
        test_cancels(kernels);
        test_overflow();
        test_windows(count);
        test_ordinary();
        test_ends_of_a_variance();
        test_without_kernels(*level_);
        test_worst(kernels);
        test_runs(count);
        test_strides(count);
        test_columns(count / 4);
        printf("%s ", pc_simd());
    }
    return 0;
}
