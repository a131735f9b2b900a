/* accumulator.c from inside: every state against a slow exact sum, and every
 * rounding against the two points halfway to the neighbours of what it gives. */
#include "check.h"

/* ---- slow arithmetic --------------------------------------------------------- */

static void slow_multiply(slow_sum *s, uint64_t factor)
{
    slow_sum product = {{0}};
    for (int k = 0; k < DIGITS; k++) {
        slow_add_word(&product, s->digit[k] * (factor & UINT32_MAX), FIRST_BIT + 32 * k);
        slow_add_word(&product, s->digit[k] * (factor >> 32), FIRST_BIT + 32 * (k + 1));
    }
    *s = product;
}

/* -= 2^exponent */
static void slow_take(slow_sum *s, int exponent)
{
    int k = (exponent - FIRST_BIT) / 32;
    uint32_t bit = UINT32_C(1) << (exponent - FIRST_BIT) % 32, borrow = s->digit[k] < bit;
    s->digit[k] -= bit;
    while (borrow)
        borrow = s->digit[++k]-- == 0;
}

static int slow_compare(const slow_sum *x, const slow_sum *y)
{
    for (int k = DIGITS - 1; k >= 0; k--)
        if (x->digit[k] != y->digit[k])
            return x->digit[k] < y->digit[k] ? -1 : 1;
    return 0;
}

/* What the two parts of an accumulator hold. */
static slow_sum held(const pc_accumulator *acc)
{
    slow_sum s = {{0}};
    if (acc->flags & PC_WINDOW_USED)
        for (int k = 0; k < 4; k++)
            slow_add_word(&s, acc->window[k], acc->exponent + 64 * k);
    if (acc->flags & PC_LIMBS_USED)
        for (int k = 0; k < PC_LIMBS; k++)
            slow_add_word(&s, acc->limb[k], LOWEST + 64 * k);
    return s;
}

/* ---- states ------------------------------------------------------------------ */

/* Carries go far through words like these. */
static uint64_t edge(void)
{
    static const uint64_t edges[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63};
    return below(4) ? edges[below(5)] : random64();
}

/* Any state with room for more below 2^HIGHEST, the window at `exponent`. */
static pc_accumulator random_state_at(int exponent)
{
    pc_accumulator acc;
    memset(&acc, 0x55, sizeof acc); /* what is not in use may hold anything */
    pc_accumulator_clear(&acc);
    acc.exponent = exponent;
    if (below(3)) {
        acc.flags |= PC_WINDOW_USED;
        for (int k = 0; k < 4; k++)
            acc.window[k] = edge();
        if (exponent + 255 >= HIGHEST - 1)
            acc.window[3] = acc.window[2] = 0;
    }
    if (below(3)) {
        acc.flags |= PC_LIMBS_USED;
        for (int k = 0; k < PC_LIMBS; k++)
            acc.limb[k] = below(8) ? edge() : UINT64_MAX;
        acc.limb[PC_LIMBS - 1] = acc.limb[PC_LIMBS - 2] = 0;
    }
    return acc;
}

static double random_double(void)
{
    static const uint64_t fractions[] = {0, 1, (UINT64_C(1) << 52) - 1};
    uint64_t fraction = below(2) ? random64() >> 12 : fractions[below(3)],
             exponent = below(4)   ? below(2047)
                        : below(2) ? below(3)
                                   : 2044 + below(3),
             bits = below(2) << 63 | exponent << 52 | fraction;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void test_states(long count)
{
    for (; count; count--) {
        int exponent = window_of((int)below(2000) - 970);
        pc_accumulator acc = random_state_at(exponent), other = random_state_at(exponent);
        slow_sum expected = held(&acc), more = held(&other), now;
        uint64_t sum[4] = {edge(), edge(), edge(), edge() & ((UINT64_C(1) << 28) - 1)};

        switch (below(4)) {
        case 0: /* a block */
            exponent += below(2) ? 0 : (int)below(100) - 50;
            if (exponent > HIGHEST - 223)
                exponent = HIGHEST - 223;
            if (exponent < LOWEST)
                exponent = LOWEST;
            for (int k = 0; k < 4; k++)
                slow_add_word(&expected, sum[k], exponent + 64 * k);
            accumulator_add(&acc, sum, exponent);
            break;
        case 1: { /* a number, in the window's reach or not */
            double x = random_double();
            if (below(2))
                x = ldexp(x, (exponent + 204) / 2 + (int)below(130) - 80 - ilogb(x));
            if (x == 0.0 || isinf(x))
                x = 1.0;
            slow_add_double_squared(&expected, x);
            accumulator_add_square(&acc, x);
            break;
        }
        case 2:
            for (int k = 0; k < DIGITS; k++)
                slow_add(&expected, more.digit[k], FIRST_BIT + 32 * k);
            CHECK(pc_accumulator_merge(&acc, &other) == PC_OK);
            break;
        default: { /* a factor, below what would be too much */
            uint64_t factor = edge() >> 1;
            acc.limb[PC_LIMBS - 3] = acc.window[3] = 0;
            expected = held(&acc);
            slow_multiply(&expected, factor);
            acc.count = 3;
            pc_accumulator_scale(&acc, factor);
            CHECK(acc.count == 3 * factor);
        }
        }
        now = held(&acc);
        CHECK(memcmp(&now, &expected, sizeof now) == 0);
        CHECK(slow_equal(&expected, &acc));
    }
}

/* Data of one scale stay in the window, and leave the limbs alone. */
static void test_window(void)
{
    pc_accumulator acc;
    const uint64_t sum[4] = {1, 0, 0, 0}, square = UINT64_C(1) << 40; /* of 2^-50, in its word 1 */

    /* ... till it is full */
    pc_accumulator_clear(&acc);
    accumulator_add(&acc, sum, window_of(0));
    acc.window[3] = UINT64_MAX >> 1;
    accumulator_add(&acc, sum, window_of(0));
    accumulator_add_square(&acc, 0x1p-50);
    CHECK(acc.flags == PC_WINDOW_USED && acc.window[0] == 2 && acc.window[1] == square);
    acc.window[3]++;
    accumulator_add_square(&acc, 0x1p-50);
    CHECK(acc.flags == (PC_WINDOW_USED | PC_LIMBS_USED) && acc.window[1] == square);
    acc.flags = PC_WINDOW_USED;
    accumulator_add(&acc, sum, window_of(0));
    CHECK(acc.flags == (PC_WINDOW_USED | PC_LIMBS_USED) && acc.window[0] == 1);

    /* The first number opens it where a kernel would. */
    for (int e = -1074; e <= 1023; e++) {
        pc_accumulator_clear(&acc);
        accumulator_add_square(&acc, ldexp(1.0, e));
        CHECK(acc.flags == PC_WINDOW_USED);
        CHECK(acc.exponent == window_of(e < -980 ? -980 : e));
    }

    /* Squares fit whose last bits it has, and whose sum with many others it has. */
    for (int e = -120; e <= 120; e++) {
        pc_accumulator_clear(&acc);
        accumulator_add_square(&acc, 1.0);
        accumulator_add_square(&acc, ldexp(1.0, e));
        CHECK(!(acc.flags & PC_LIMBS_USED) == (e >= -50 && e <= 7));
    }

    /* An empty one has no limbs to scale. */
    memset(&acc, 0x55, sizeof acc);
    pc_accumulator_clear(&acc);
    pc_accumulator_scale(&acc, 3);
    CHECK(acc.flags == 0 && acc.limb[0] == UINT64_C(0x5555555555555555));

    /* What is read is not changed. */
    acc = random_state_at(0);
    acc.flags = PC_WINDOW_USED | PC_LIMBS_USED;
    pc_accumulator before = acc;
    (void)pc_accumulator_round(&acc, PC_NORM);
    CHECK(memcmp(&acc, &before, sizeof acc) == 0);
}

/* Nothing is no words at 2^0, however it came to be. */
static void test_export_of_zero(void)
{
    uint64_t words[PC_LIMBS];
    pc_accumulator acc;
    memset(&acc, 0, sizeof acc);
    acc.exponent = -204;
    for (unsigned flags = 0; flags < 4; flags++) {
        int exponent = -1;
        acc.flags = flags;
        CHECK(pc_accumulator_export(&acc, words, &exponent) == 0 && exponent == 0);
    }
}

/* What is below 2^2112 and a multiple of 2^-2176 can be imported, and nothing else. */
static void test_import(void)
{
    const uint64_t one = 1, two = 2, words[PC_LIMBS + 1] = {0};
    uint64_t ones[PC_LIMBS + 1];
    pc_accumulator acc;
    memset(ones, 0xff, sizeof ones);
    pc_accumulator_clear(&acc);
    CHECK(pc_accumulator_import(&acc, words, PC_LIMBS + 1, 100000) == PC_OK && acc.flags == 0);
    CHECK(pc_accumulator_import(&acc, &one, 1, 2112) == PC_OUT_OF_RANGE);
    CHECK(pc_accumulator_import(&acc, &two, 1, 2111) == PC_OUT_OF_RANGE);
    CHECK(pc_accumulator_import(&acc, &one, 1, -2177) == PC_OUT_OF_RANGE);
    CHECK(pc_accumulator_import(&acc, ones, PC_LIMBS + 1, LOWEST) == PC_OUT_OF_RANGE);
    CHECK(acc.flags == 0);
    CHECK(pc_accumulator_import(&acc, &two, 1, 2110) == PC_OK);
    CHECK(pc_accumulator_import(&acc, &one, 1, -2176) == PC_OK);
    CHECK(acc.limb[0] == 1 && acc.limb[PC_LIMBS - 2] == UINT64_C(1) << 63);
}

/* Who imports sums without their counts may get beyond any sum of squares, but not
 * out of the limbs. */
static void test_too_large(void)
{
    const uint64_t words[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    pc_sum sum, more;
    pc_accumulator_clear(&sum.total);
    sum.offset = 1;
    CHECK(pc_accumulator_import(&sum.total, words, 4, HIGHEST - 256) == PC_OK);
    for (int k = 0; k < 70; k++) { /* from the 64th on its ones end where the limbs do */
        more = sum;
        accumulator_add_square(&more.total, 0x1.fffffffffffffp1023);
        CHECK(pc_accumulator_merge(&sum.total, &sum.total) == PC_OK);
        CHECK(sum.offset == 1 && more.offset == 1);
    }
}

static void test_specials(void)
{
    static const double specials[] = {1.0, INFINITY, -INFINITY, NAN};
    for (int x = 0; x < 4; x++)
        for (int y = 0; y < 4; y++) {
            pc_accumulator acc, other;
            int expected = x == 3 || y == 3 ? 2 : x || y ? 1 : 0;
            pc_accumulator_clear(&acc);
            pc_accumulator_clear(&other);
            accumulator_add_square(&acc, specials[x]);
            accumulator_add_square(&other, specials[y]);
            CHECK(pc_accumulator_merge(&acc, &other) == PC_OK);
            CHECK(pc_accumulator_special(&acc) == expected);
            pc_accumulator_clear(&acc);
            CHECK(pc_accumulator_special(&acc) == 0);
            pc_accumulator_make_special(&acc, x > 1 ? 2 : x);
            pc_accumulator_make_special(&acc, y > 1 ? 2 : y);
            CHECK(pc_accumulator_special(&acc) == (x > 1 || y > 1 ? 2 : x || y ? 1 : 0));
        }
}

/* ---- rounding ---------------------------------------------------------------- */

/* Whether y is the double nearest to the sum, or to the square root of the sum / divisor. */
static int is_nearest(double y, const slow_sum *sum, pc_result result, uint64_t divisor)
{
    uint64_t bits;
    memcpy(&bits, &y, sizeof bits);
    uint64_t leading = UINT64_C(1) << 52, m = bits & (leading - 1), biased = bits >> 52;
    int e = (int)(biased ? biased : 1) - 1075; /* y = m * 2^e */
    m |= biased ? leading : 0;
    /* A power of two has its lower neighbour at half the distance. */
    uint64_t halfway[2] = {4 * m - (m == leading && biased > 1 ? 1 : 2), 4 * m + 2};
    for (int up = m == 0; up < 2 - (biased == 2047); up++) {
        slow_sum limit = {{0}};
        if (result == PC_SUMSQ)
            slow_add_word(&limit, halfway[up], e - 2);
        else
            slow_add_square(&limit, halfway[up], e - 2);
        if (result == PC_RMS)
            slow_multiply(&limit, divisor);
        int order = slow_compare(sum, &limit);
        if (order == 0 ? m % 2 != 0 : (order > 0) == up)
            return 0;
    }
    return biased <= 2047;
}

/* The same sum in the limbs, and again with some of it, or all, in the window. */
static void check_rounding(const slow_sum *sum, pc_result result, uint64_t divisor)
{
    uint64_t words[PC_LIMBS];
    pc_accumulator acc;
    int skip = (LOWEST - FIRST_BIT) / 32, top = PC_LIMBS;
    for (int k = 0; k < PC_LIMBS; k++)
        words[k] = (uint64_t)sum->digit[skip + 2 * k + 1] << 32 | sum->digit[skip + 2 * k];
    pc_accumulator_clear(&acc);
    CHECK(pc_accumulator_import(&acc, words, PC_LIMBS, LOWEST) == PC_OK);
    acc.count = divisor;
    double y = pc_accumulator_round(&acc, result);
    CHECK(is_nearest(y, sum, result, divisor));

    while (top > 4 && !words[top - 1])
        top--;
    if (below(2) && top > 4)
        top = 4 + (int)below((uint64_t)top - 4);
    for (int k = 0; k < 4; k++) {
        acc.window[k] = words[top - 4 + k];
        acc.limb[top - 4 + k] = 0;
    }
    acc.exponent = LOWEST + 64 * (top - 4);
    acc.flags |= PC_WINDOW_USED;
    CHECK(slow_equal(sum, &acc));
    CHECK(pc_accumulator_round(&acc, result) == y);
}

/* x * 2^e, or its square, times a factor; and what lies a bit above or below. */
static void check_near(uint64_t x, int e, pc_result result, uint64_t factor, uint64_t divisor)
{
    slow_sum sum = {{0}};
    if (result == PC_SUMSQ)
        slow_add_word(&sum, x, e);
    else
        slow_add_square(&sum, x, e);
    slow_multiply(&sum, factor);
    check_rounding(&sum, result, divisor);

    int top = DIGITS - 1;
    while (!sum.digit[top])
        top--;
    int bit = FIRST_BIT + 32 * top - 20 - (int)below(300);
    if (bit < LOWEST)
        bit = LOWEST;
    slow_sum above = sum;
    slow_add(&above, 1, bit);
    check_rounding(&above, result, divisor);
    slow_sum lower = sum;
    slow_take(&lower, bit);
    check_rounding(&lower, result, divisor);
}

/* Roots at the ends of what their first 32 bits can be. */
static void test_roots(void)
{
    static const uint64_t high[] = {UINT64_C(1) << 62,
                                    UINT64_C(1) << 63,
                                    UINT64_C(0xfffffffc00000003),
                                    UINT64_C(0xfffffffc00000004),
                                    UINT64_C(0xfffffffdffffffff),
                                    UINT64_C(0xfffffffe00000000),
                                    UINT64_C(0xfffffffe00000001),
                                    UINT64_MAX};
    static const uint64_t low[] = {0, 1, UINT64_MAX};
    for (size_t k = 0; k < sizeof high / sizeof *high; k++)
        for (size_t j = 0; j < 3; j++) {
            slow_sum sum = {{0}};
            slow_add_word(&sum, high[k], 64);
            slow_add_word(&sum, low[j], 0);
            check_rounding(&sum, PC_NORM, 1);
        }
}

static void test_rounding(long count)
{
    for (; count; count--) {
        pc_result result = (pc_result)below(3);
        /* 54 bits, the last set: halfway between two doubles */
        uint64_t half = UINT64_C(1) << 53 | random64() >> 11 | 1, divisor = random_size() | 1;
        int e = (int)below(2040) - 1075;
        switch (below(8)) {
        case 0: half = (UINT64_C(1) << 54) - 1; break; /* carries into the exponent */
        case 1: half = (UINT64_C(1) << 53) + 1; break;
        case 2: half = random64() | 1; break;    /* no tie */
        case 6: half = UINT64_C(1) << 53; break; /* a bit below it there are ones alone */
        case 3: e = 970; break;                  /* overflow */
        case 4:                                  /* subnormal */
            e = -1075;
            half >>= below(53);
            half |= 1;
            break;
        case 5: /* zero, or all but zero */
            e = -1075 - (result == PC_SUMSQ ? (int)below(200) : 0);
            half = below(2) ? 1 : random64() | 1;
        }
        if (e > 960)
            half &= (UINT64_C(1) << 54) - 1;
        if (e > 970)
            e = 970;
        if (below(4) == 0)
            divisor = below(2) ? UINT64_MAX : 1;
        if (result != PC_RMS)
            check_near(half, e, result, 1, divisor);
        else
            check_near(half, e, result, below(4) ? divisor : random_size() | 1, divisor);
    }
}

int main(int argc, char **argv)
{
    long count = trials(argc, argv);
    test_states(count);
    test_window();
    test_specials();
    test_export_of_zero();
    test_import();
    test_too_large();
    test_roots();
    test_rounding(count);
    return 0;
}
