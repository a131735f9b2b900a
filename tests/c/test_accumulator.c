/* accumulator.c and round.c from inside: every state against a slow exact sum, and every
 * rounding against the two points halfway to the neighbours of what it gives. */
#include "check.h"

#include "../../csrc/core_table.h"

/* What the limbs of a part hold, and below which power of two it is. */
static const struct {
    size_t first, count;
    int lowest, highest;
} limbs[] = {{0, PC_LIMBS, LOWEST, 2112},
             {PC_LIMBS, PC_LIMBS / 2, LOWEST_NUMBER, 1088},
             {PC_LIMBS + PC_LIMBS / 2, PC_LIMBS / 2, LOWEST_NUMBER, 1088}};

static int window_for(pc_moment moment, int E)
{
    return moment == PC_SQUARES ? square_window_exponent(E) : number_window_exponent(E);
}

/* ---- slow arithmetic --------------------------------------------------------- */

/* Two's complement or not, it is the same modulo a power of two. */
static void slow_multiply(slow_sum *s, uint64_t factor)
{
    slow_sum product = {{0}};
    for (int k = 0; k < DIGITS; k++) {
        slow_add_word(&product, s->digit[k] * (factor & UINT32_MAX), FIRST_BIT + 32 * k, 0);
        slow_add_word(&product, s->digit[k] * (factor >> 32), FIRST_BIT + 32 * (k + 1), 0);
    }
    *s = product;
}

static void slow_add_sum(slow_sum *s, const slow_sum *x, int negative)
{
    for (int k = 0; k < DIGITS; k++)
        slow_add_word(s, x->digit[k], FIRST_BIT + 32 * k, negative);
}

static slow_sum slow_size(const slow_sum *x)
{
    slow_sum s = {{0}};
    slow_add_sum(&s, x, slow_is_negative(x));
    return s;
}

/* -= x^2 */
static void slow_take_square(slow_sum *s, const slow_sum *x)
{
    const slow_sum size = slow_size(x);
    for (int i = 0; i < DIGITS; i++)
        for (int j = 0; j < DIGITS; j++) {
            uint64_t product = (uint64_t)size.digit[i] * size.digit[j];
            if (product)
                slow_add_word(s, product, 2 * FIRST_BIT + 32 * (i + j), 1);
        }
}

/* Of what is not negative. */
static int slow_compare(const slow_sum *x, const slow_sum *y)
{
    for (int k = DIGITS - 1; k >= 0; k--)
        if (x->digit[k] != y->digit[k])
            return x->digit[k] < y->digit[k] ? -1 : 1;
    return 0;
}

/* So many words, or minus them, in two's complement. */
static void put_signed(uint64_t *to, size_t room, const uint64_t *words, size_t count, int negative)
{
    uint64_t carry = (uint64_t)negative;
    for (size_t k = 0; k < room; k++) {
        const uint64_t word = k < count ? words[k] : 0;
        to[k] = (negative ? ~word : word) + carry;
        carry &= to[k] == 0;
    }
}

/* What the window and the limbs of a part hold. */
static slow_sum held(const pc_accumulator *acc, pc_moment moment)
{
    slow_sum s = {{0}};
    if (acc->windows[moment].flags & PC_WINDOW_USED)
        slow_add_signed(&s, acc->windows[moment].words, 4, acc->windows[moment].exponent);
    if (acc->windows[moment].flags & PC_LIMBS_USED)
        slow_add_signed(&s, acc->limb + limbs[moment].first, limbs[moment].count,
                        limbs[moment].lowest);
    return s;
}

/* ---- states ------------------------------------------------------------------ */

/* Carries and borrows go far through words like these. */
static uint64_t edge(void)
{
    static const uint64_t edges[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63};
    return below(4) ? edges[below(5)] : random64();
}

/* Any words in two's complement at `exponent`, below 2^top in size. */
static void random_words(uint64_t *words, size_t count, int exponent, int top)
{
    const uint64_t sign = 0 - below(2), often = below(4) ? 4 : UINT64_MAX;
    for (size_t k = 0; k < count; k++) {
        int room = top - (exponent + 64 * (int)k);
        words[k] = below(often) ? edge() : sign;
        if (room <= 0)
            words[k] = sign;
        else if (room < 64)
            words[k] = sign << room | (words[k] & ((UINT64_C(1) << room) - 1));
    }
}

/* Any state with room for more; what is not in use may hold anything. */
static pc_accumulator some_state(int E, int spare)
{
    pc_accumulator acc;
    memset(&acc, 0x55, sizeof acc);
    pc_accumulator_clear(&acc, PC_VAR);
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
        pc_window *sum = &acc.windows[moment];
        sum->exponent = INT32_MAX;
        if (below(3)) {
            sum->flags |= PC_WINDOW_USED;
            sum->exponent = window_for(moment, E);
            random_words(sum->words, 4, sum->exponent, limbs[moment].highest - spare);
        }
        if (below(3)) {
            sum->flags |= PC_LIMBS_USED;
            random_words(acc.limb + limbs[moment].first, limbs[moment].count, limbs[moment].lowest,
                         limbs[moment].highest - spare);
        }
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
        const int E = (int)below(2000) - 970, way = (int)below(5), spare = way == 4 ? 66 : 3;
        pc_accumulator acc = some_state(E, spare), other = some_state(E, spare);
        slow_sums expected = {.special = 0};
        for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
            expected.moment[moment] = held(&acc, moment);

        switch (way) {
        case 0: { /* a block */
            pc_moment moment = (pc_moment)below(3);
            uint64_t sum[4];
            int exponent = window_for(moment, E) + (below(2) ? 0 : (int)below(100) - 50);
            if (exponent > limbs[moment].highest - 223)
                exponent = limbs[moment].highest - 223;
            if (exponent < limbs[moment].lowest)
                exponent = limbs[moment].lowest;
            random_words(sum, 4, exponent, exponent + 220);
            slow_add_signed(&expected.moment[moment], sum, 4, exponent);
            accumulator_add(&acc, moment, sum, exponent);
            break;
        }
        case 1: { /* a number, in the windows' reach or not */
            const int imaginary = (int)below(2);
            double x = random_double();
            if (x != 0.0 && below(2))
                x = ldexp(x, E + (int)below(130) - 80 - ilogb(x));
            if (x == 0.0 || isinf(x))
                x = -1.0;
            slow_add_double(&expected, imaginary ? PC_IMAGINARY : PC_NUMBERS, x);
            accumulator_add_number(&acc, x, imaginary);
            break;
        }
        case 2:
        case 3: { /* another, or itself */
            const pc_accumulator *more = way == 2 ? &other : &acc;
            for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
                const slow_sum sum = held(more, moment);
                slow_add_sum(&expected.moment[moment], &sum, 0);
            }
            CHECK(pc_accumulator_merge(&acc, more) == PC_OK);
            break;
        }
        default: { /* a factor, below what would be too much */
            uint64_t factor = edge() >> 1;
            for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
                slow_multiply(&expected.moment[moment], factor);
            acc.count = 3;
            pc_accumulator_scale(&acc, factor);
            CHECK(acc.count == 3 * factor);
        }
        }
        for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
            const slow_sum now = held(&acc, moment);
            CHECK(memcmp(&now, &expected.moment[moment], sizeof now) == 0);
            CHECK(acc.windows[moment].error_bound ==
                  UINT64_C(0x5555555555555555)); /* is of no exact sum */
        }
        CHECK(slow_all_equal(&expected, &acc));
    }
}

/* Data of one scale stay in the window, and leave the limbs alone, till it is full. */
static void test_full_window(void)
{
    static const struct {
        uint64_t top;
        int room;
    } cases[] = {{(UINT64_C(1) << 62) - 1, 1},
                 {UINT64_C(1) << 62, 0},
                 {0 - (UINT64_C(1) << 62), 1},
                 {0 - (UINT64_C(1) << 62) - 1, 0}};
    const uint64_t one[4] = {1, 0, 0, 0};
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
            const uint32_t flags = cases[c].room ? PC_WINDOW_USED : PC_WINDOW_USED | PC_LIMBS_USED;
            pc_accumulator acc, with_block, with_number;
            pc_window *block = &with_block.windows[moment], *number = &with_number.windows[moment];
            pc_accumulator_clear(&acc, PC_VAR);
            accumulator_add(&acc, moment, one, window_for(moment, 0));
            CHECK(acc.windows[moment].flags == PC_WINDOW_USED);
            acc.windows[moment].words[3] = cases[c].top;
            with_block = with_number = acc;
            accumulator_add(&with_block, moment, one, window_for(moment, 0));
            CHECK(block->flags == flags && block->words[0] == (cases[c].room ? 2 : 1));
            CHECK(block->words[3] == (cases[c].room ? cases[c].top : 0));
            accumulator_add_number(&with_number, 0x1p-45, moment == PC_IMAGINARY);
            CHECK(number->flags == flags && number->words[3] == cases[c].top);
            if (moment == PC_SQUARES) /* 2^-90 in units of 2^-204; or 2^-45 in those of 2^-101 */
                CHECK(number->words[0] == 1 &&
                      number->words[1] == (cases[c].room ? UINT64_C(1) << 50 : 0));
            else
                CHECK(number->words[0] == (cases[c].room ? (UINT64_C(1) << 56) + 1 : 1));
        }
}

static void test_window(void)
{
    pc_accumulator acc;
    const pc_window *squares = &acc.windows[PC_SQUARES], *numbers = &acc.windows[PC_NUMBERS];

    /* The first number opens it where a kernel would. */
    for (int e = -1074; e <= 1023; e++) {
        const int E = e < -980 ? -980 : e;
        pc_accumulator_clear(&acc, PC_VAR);
        accumulator_add_number(&acc, ldexp(e % 2 ? 1.0 : -1.0, e), 0);
        CHECK(squares->flags == PC_WINDOW_USED && squares->exponent == square_window_exponent(E));
        CHECK(numbers->flags == PC_WINDOW_USED && numbers->exponent == number_window_exponent(E));
        CHECK(acc.windows[PC_IMAGINARY].flags == 0);
    }

    /* Numbers fit whose last bits it has, and whose sum with many others it has. */
    for (int e = -140; e <= 140; e++) {
        pc_accumulator_clear(&acc, PC_VAR);
        accumulator_add_number(&acc, 1.0, 0);
        accumulator_add_number(&acc, ldexp(-1.0, e), 0);
        CHECK(!(squares->flags & PC_LIMBS_USED) == (e >= -50 && e <= 7));
        CHECK(!(numbers->flags & PC_LIMBS_USED) == (e >= -49 && e <= 65));
    }

    /* An empty one has no limbs to scale. */
    memset(&acc, 0x55, sizeof acc);
    pc_accumulator_clear(&acc, PC_VAR);
    pc_accumulator_scale(&acc, 3);
    for (size_t k = 0; k < 2 * PC_LIMBS; k++)
        CHECK(acc.limb[k] == UINT64_C(0x5555555555555555));

    /* What is read is not changed. */
    for (int result = PC_SUMSQ; result < RESULTS; result++) {
        acc = some_state(0, 3);
        acc.count = 3;
        pc_accumulator before = acc;
        (void)rounded_to(&acc, (pc_statistic)result);
        CHECK(memcmp(&acc, &before, sizeof acc) == 0);
    }
}

/* What a result does not need is not summed. */
static void test_parts(void)
{
    for (int result = PC_SUMSQ; result < RESULTS; result++) {
        const int squares = result <= PC_RMS || result >= PC_VAR, numbers = result >= PC_SUM;
        pc_accumulator acc;
        pc_accumulator_clear(&acc, (pc_statistic)result);
        CHECK(acc.count == 0 && pc_accumulator_nonfinite(&acc) == 0);
        accumulator_add_number(&acc, -3.0, 0);
        accumulator_add_number(&acc, 2.0, 1);
        CHECK(!acc.windows[PC_SQUARES].flags == !squares &&
              !acc.windows[PC_NUMBERS].flags == !numbers &&
              !acc.windows[PC_IMAGINARY].flags == !numbers);
    }
}

/* Nothing is no words at 2^0, and not negative, however it came to be. */
static void test_export_of_zero(void)
{
    uint64_t words[PC_LIMBS];
    pc_accumulator acc;
    memset(&acc, 0, sizeof acc);
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
        for (unsigned flags = 0; flags < 4; flags++) {
            int exponent = -1, negative = -1;
            acc.windows[moment].exponent = -204;
            acc.windows[moment].flags = flags;
            CHECK(pc_accumulator_export(&acc, moment, words, &exponent, &negative) == 0);
            CHECK(exponent == 0 && negative == 0);
        }
}

/* What is below 2^highest and a multiple of 2^lowest can be imported, and nothing else. */
static void test_import(void)
{
    const uint64_t one = 1, two = 2, words[PC_LIMBS + 1] = {0};
    uint64_t ones[PC_LIMBS + 1];
    memset(ones, 0xff, sizeof ones);
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
        for (int negative = 0; negative < 2; negative++) {
            const int lowest = limbs[moment].lowest, highest = limbs[moment].highest;
            const size_t count = limbs[moment].count;
            const slow_sum zero = {{0}};
            slow_sum expected = zero;
            pc_accumulator acc;
            pc_accumulator_clear(&acc, PC_VAR);
#define IMPORT(x, count, exponent) pc_accumulator_import(&acc, moment, x, count, exponent, negative)
            CHECK(IMPORT(words, PC_LIMBS + 1, 100000) == PC_OK && slow_equal(&zero, &acc, moment));
            CHECK(IMPORT(&one, 1, highest) == PC_OUT_OF_RANGE);
            CHECK(IMPORT(&two, 1, highest - 1) == PC_OUT_OF_RANGE);
            CHECK(IMPORT(&one, 1, lowest - 1) == PC_OUT_OF_RANGE);
            CHECK(IMPORT(ones, count, lowest) == PC_OUT_OF_RANGE);
            CHECK(IMPORT(ones, count + 1, lowest) == PC_OUT_OF_RANGE);
            CHECK(acc.windows[moment].flags == 0);
            CHECK(IMPORT(&two, 1, highest - 2) == PC_OK);
            CHECK(IMPORT(&one, 1, lowest) == PC_OK);
            CHECK(IMPORT(ones, count - 2, lowest + 1) == PC_OK);
#undef IMPORT
            slow_add_word(&expected, 2, highest - 2, negative);
            slow_add_word(&expected, 1, lowest, negative);
            for (size_t k = 0; k < count - 2; k++)
                slow_add_word(&expected, UINT64_MAX, lowest + 1 + 64 * (int)k, negative);
            CHECK(slow_equal(&expected, &acc, moment));
        }
}

/* Who imports sums without their counts may get beyond any sum of numbers, but not
 * out of the limbs. */
static void test_too_large(void)
{
    const uint64_t words[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    pc_tile_sum sum, more;
    pc_accumulator_clear(&sum.total, PC_VAR);
    sum.offset = 1;
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
        CHECK(pc_accumulator_import(&sum.total, moment, words, 4, limbs[moment].highest - 256,
                                    moment == PC_IMAGINARY) == PC_OK);
    for (int k = 0; k < 70; k++) { /* from the 64th on its ones end where the limbs do */
        more = sum;
        for (int imaginary = 0; imaginary < 2; imaginary++)
            accumulator_add_number(&more.total, 0x1.fffffffffffffp1023, imaginary);
        for (int result = PC_SUMSQ; result < RESULTS; result++)
            (void)rounded_to(&more.total, (pc_statistic)result);
        CHECK(pc_accumulator_merge(&sum.total, &sum.total) == PC_OK);
        CHECK(sum.offset == 1 && more.offset == 1);
    }
}

/* ---- NaN, infinities, too few numbers -------------------------------------------- */

static const double specials[] = {1.0, INFINITY, -INFINITY, NAN};

static void check_specials(const pc_accumulator *acc, uint32_t expected)
{
    const uint32_t re = expected % 8, im = expected / 8;
    const double of_part[] = {1.0, INFINITY, -INFINITY, NAN, NAN, NAN, NAN, NAN};
    CHECK(pc_accumulator_nonfinite(acc) == expected);
    for (int result = PC_SUMSQ; result < RESULTS; result++) {
        pc_output_spec spec = spec_of((pc_statistic)result, PC_FLOAT64);
        const int of_numbers = result == PC_SUM || result == PC_MEAN;
        uint64_t bits[2];
        spec.components = of_numbers ? 2 : 1;
        CHECK(round_to(acc, spec, bits) == PC_OK);
        if (of_numbers) {
            CHECK(re == 0 || bits[0] == bits_of(of_part[re]));
            CHECK(im == 0 || bits[1] == bits_of(of_part[im]));
        } else if (expected) {
            CHECK(bits[0] == bits_of((re | im) & PC_NAN || result >= PC_VAR ? NAN : INFINITY));
        }
    }
}

static void test_specials(void)
{
    for (int x = 0; x < 4; x++)
        for (int y = 0; y < 4; y++)
            for (int imaginary = 0; imaginary < 2; imaginary++) {
                pc_accumulator acc, other;
                const uint32_t first = x ? 1u << (x - 1) : 0, second = y ? 1u << (y - 1) : 0,
                               expected = first | second << (imaginary ? PC_NONFINITE_BITS : 0);
                pc_accumulator_clear(&acc, PC_VAR);
                pc_accumulator_clear(&other, PC_VAR);
                accumulator_add_number(&acc, specials[x], 0);
                accumulator_add_number(&other, specials[y], imaginary);
                acc.count = other.count = 2;
                CHECK(pc_accumulator_merge(&acc, &other) == PC_OK);
                check_specials(&acc, expected);
                pc_accumulator_clear(&acc, PC_VAR);
                pc_accumulator_add_nonfinite(&acc, first);
                pc_accumulator_add_nonfinite(&acc, expected & ~first);
                acc.count = 2;
                check_specials(&acc, expected);
            }
}

/* Of too few numbers: NaN, or Inf where something is divided by nothing. */
static void check_too_few(uint64_t count, int spread, pc_output_spec spec)
{
    const int fraction = formats[spec.type - PC_FLOAT16].fraction,
              variance = spec.statistic >= PC_VAR, few = variance && spec.ddof >= 2 * count,
              none = count == 0 && (spec.statistic == PC_RMS || spec.statistic == PC_MEAN);
    const uint64_t ones = (UINT64_C(1) << formats[spec.type - PC_FLOAT16].exponent) - 1,
                   inf = ones << fraction, nan = inf | UINT64_C(1) << (fraction - 1);
    uint64_t bits[2];
    pc_accumulator acc;
    pc_accumulator_clear(&acc, PC_VAR);
    for (uint64_t k = 0; k < count; k++)
        accumulator_add_number(&acc, spread && k == 0 ? 2.0 : -1.0, 0);
    acc.count = count;
    CHECK(round_to(&acc, spec, bits) == (few || none ? PC_EMPTY : PC_OK));
    if (few || none)
        CHECK(bits[0] == (few && spread ? inf : nan));
    else
        CHECK((bits[0] & inf) != inf);
    pc_accumulator_add_nonfinite(&acc, PC_MINUS_INF);
    CHECK(round_to(&acc, spec, bits) == (few || none ? PC_EMPTY : PC_OK));
    if (variance || none)
        CHECK(bits[0] == nan);
}

static void test_too_few(void)
{
    for (int result = PC_SUMSQ; result < RESULTS; result++)
        for (pc_type type = PC_FLOAT16; type <= PC_FLOAT64; type++)
            for (uint64_t count = 0; count < 4; count++)
                for (int spread = 0; spread < (count > 1 ? 2 : 1); spread++) {
                    pc_output_spec spec = spec_of((pc_statistic)result, type);
                    spec.ddof_bits = 1; /* in halves */
                    for (spec.ddof = 0; spec.ddof < 10; spec.ddof++)
                        check_too_few(count, spread, spec);
                    spec.ddof = UINT64_MAX;
                    check_too_few(count, spread, spec);
                }
}

/* ---- sums of integers -------------------------------------------------------------- */

/* What fits a word, and what does not; in the window, where a sum begins, and in the limbs, where
 * merging puts it. */
static void test_words(void)
{
    static const struct {
        uint64_t low, high;
        int negative, fits_signed, fits_unsigned;
    } cases[] = {
        {0, 0, 0, 1, 1},
        {1, 0, 0, 1, 1},
        {1, 0, 1, 1, 0},
        {12, 0, 1, 1, 0},
        {UINT64_C(1) << 32, 0, 0, 1, 1},
        {INT64_MAX, 0, 0, 1, 1},
        {INT64_MAX, 0, 1, 1, 0},
        {UINT64_C(1) << 63, 0, 0, 0, 1},
        {UINT64_C(1) << 63, 0, 1, 1, 0},
        {(UINT64_C(1) << 63) + 1, 0, 1, 0, 0},
        {UINT64_MAX, 0, 0, 0, 1},
        {UINT64_MAX, 0, 1, 0, 0},
        {0, 1, 0, 0, 0},
        {0, 1, 1, 0, 0},
        {1, 1, 0, 0, 0},
        {0, UINT64_C(1) << 63, 0, 0, 0},
        {UINT64_MAX, UINT64_MAX, 0, 0, 0},
        {UINT64_MAX, UINT64_MAX, 1, 0, 0},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (pc_moment moment = PC_SQUARES; moment <= PC_NUMBERS; moment++)
            for (int unsigned_too = 0; unsigned_too < 2; unsigned_too++) {
                const uint64_t words[2] = {cases[c].low, cases[c].high};
                const int negative = cases[c].negative,
                          fits = unsigned_too ? cases[c].fits_unsigned : cases[c].fits_signed;
                const pc_output_spec spec = spec_of(moment == PC_SQUARES ? PC_SUMSQ : PC_SUM,
                                                    unsigned_too ? PC_UINT64 : PC_INT64);
                pc_accumulator window, merged, imported;
                uint64_t bits[2], sum[4] = {0};
                put_signed(sum, 4, words, 2, negative);
                pc_accumulator_clear(&window, PC_VAR);
                pc_accumulator_clear(&merged, PC_VAR);
                pc_accumulator_clear(&imported, PC_VAR);
                accumulator_add(&window, moment, sum, 0);
                CHECK(pc_accumulator_merge(&merged, &window) == PC_OK);
                CHECK(pc_accumulator_import(&imported, moment, words, 2, 0, negative) == PC_OK);
                const pc_accumulator *all[] = {&window, &merged, &imported};
                for (int k = 0; k < 3; k++) {
                    CHECK(round_to(all[k], spec, bits) == (fits ? PC_OK : PC_TOO_LARGE));
                    CHECK(!fits || bits[0] == (negative ? 0 - words[0] : words[0]));
                }
            }
}

/* What is no integer fits none, as long as it is not rounded. */
static void test_fractions(void)
{
    for (int e = -1074; e <= 1023; e++) {
        pc_accumulator acc;
        uint64_t bits[2];
        pc_accumulator_clear(&acc, PC_VAR);
        accumulator_add_number(&acc, ldexp(1.0, e), 0);
        const pc_status sum = round_to(&acc, spec_of(PC_SUM, PC_UINT64), bits);
        CHECK(sum == (e >= 0 && e <= 63 ? PC_OK : PC_TOO_LARGE));
        CHECK(sum != PC_OK || bits[0] == UINT64_C(1) << e);
        const pc_status square = round_to(&acc, spec_of(PC_SUMSQ, PC_INT64), bits);
        CHECK(square == (e >= 0 && e <= 31 ? PC_OK : PC_TOO_LARGE));
        CHECK(square != PC_OK || bits[0] == UINT64_C(1) << 2 * e);
    }
}

/* ---- rounding ---------------------------------------------------------------- */

/* Whether these bits, without their sign, are the float nearest to size / divisor / other, or to
 * the root of that. */
static int is_nearest(uint64_t bits, pc_type type, const slow_sum *size, int root, uint64_t divisor,
                      uint64_t other)
{
    const int fraction = formats[type - PC_FLOAT16].fraction,
              top = (1 << formats[type - PC_FLOAT16].exponent) - 1;
    const uint64_t leading = UINT64_C(1) << fraction, biased = bits >> fraction,
                   m = (bits & (leading - 1)) | (biased ? leading : 0);
    const int e = (int)(biased ? biased : 1) - (top >> 1) - fraction; /* it is m * 2^e */
    /* A power of two has its lower neighbour at half the distance. */
    const uint64_t halfway[2] = {4 * m - (m == leading && biased > 1 ? 1 : 2), 4 * m + 2};
    for (int up = m == 0; up < 2 - (biased == (uint64_t)top); up++) {
        slow_sum limit = {{0}};
        if (root)
            slow_add_square(&limit, halfway[up], e - 2);
        else
            slow_add_word(&limit, halfway[up], e - 2, 0);
        slow_multiply(&limit, divisor);
        if (other != 1)
            slow_multiply(&limit, other);
        int order = slow_compare(size, &limit);
        if (order == 0 ? m % 2 != 0 : (order > 0) == up)
            return 0;
    }
    return biased <= (uint64_t)top;
}

static int is_root(pc_statistic statistic)
{
    return statistic == PC_NORM || statistic == PC_RMS || statistic == PC_STD;
}

static uint64_t freedom(uint64_t count, pc_output_spec spec)
{
    return (count << spec.ddof_bits) - spec.ddof;
}

/* Whether a spec is what these sums of `count` numbers come to. */
static int is_right(const uint64_t bits[2], const slow_sums *sums, uint64_t count,
                    pc_output_spec spec)
{
    const int of_numbers = spec.statistic == PC_SUM || spec.statistic == PC_MEAN,
              size_bits = 8 * (int)sizes[spec.type] - 1;
    for (int p = 0; p < spec.components; p++) {
        const slow_sum *sum = &sums->moment[of_numbers ? PC_NUMBERS + (pc_moment)p : PC_SQUARES];
        const uint64_t sign = bits[p] >> size_bits;
        uint64_t divisor = 1, other = 1;
        slow_sum size = slow_size(sum);
        if (spec.statistic == PC_RMS || spec.statistic == PC_MEAN)
            divisor = count;
        if (spec.statistic == PC_VAR || spec.statistic == PC_STD) {
            divisor = count;
            other = freedom(count, spec);
            slow_multiply(&size, count);
            slow_take_square(&size, &sums->moment[PC_NUMBERS]);
            slow_take_square(&size, &sums->moment[PC_IMAGINARY]);
            CHECK(!slow_is_negative(&size));
            slow_multiply(&size, UINT64_C(1) << spec.ddof_bits);
        }
        if (sign != (uint64_t)(of_numbers && slow_is_negative(sum)) ||
            !is_nearest(bits[p] & ((UINT64_C(1) << size_bits) - 1), spec.type, &size,
                        is_root(spec.statistic), divisor, other))
            return 0;
    }
    return 1;
}

/* The words of a sum as those of the limbs of a part lie. */
static int words_of(const slow_sum *sum, pc_moment moment, uint64_t words[PC_LIMBS])
{
    const slow_sum size = slow_size(sum);
    const int skip = limbs[moment].lowest - FIRST_BIT;
    for (size_t k = 0; k < limbs[moment].count; k++) {
        words[k] = 0;
        for (int b = 0; b < 64; b += 4) {
            const int bit = skip + 64 * (int)k + b;
            words[k] |= (uint64_t)(size.digit[bit / 32] >> bit % 32 & 15) << b;
        }
    }
    return slow_is_negative(sum);
}

/* The same sums in the limbs, and again with some of each, or all, in its window. */
static void check_rounding(const slow_sums *sums, uint64_t count, pc_output_spec spec)
{
    pc_accumulator acc, windows;
    uint64_t bits[2], again[2];
    pc_accumulator_clear(&acc, PC_VAR);
    pc_accumulator_clear(&windows, PC_VAR);
    acc.count = windows.count = count;
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
        pc_window *sum = &windows.windows[moment];
        uint64_t words[PC_LIMBS];
        const int negative = words_of(&sums->moment[moment], moment, words);
        size_t top = limbs[moment].count;
        CHECK(pc_accumulator_import(&acc, moment, words, top, limbs[moment].lowest, negative) ==
              PC_OK);
        while (top > 4 && !(words[top - 1] | words[top - 2] >> 63))
            top--;
        if (below(2) && top > 4)
            top = 4 + (size_t)below((uint64_t)top - 4);
        if (words[top - 1] >> 63)
            continue;
        put_signed(sum->words, 4, words + top - 4, 4, negative);
        memset(words + top - 4, 0, 4 * sizeof *words);
        sum->exponent = limbs[moment].lowest + 64 * (int)(top - 4);
        sum->flags |= PC_WINDOW_USED;
        CHECK(pc_accumulator_import(&windows, moment, words, limbs[moment].count,
                                    limbs[moment].lowest, negative) == PC_OK);
        CHECK(slow_equal(&sums->moment[moment], &windows, moment));
    }
    CHECK(round_to(&acc, spec, bits) == PC_OK && is_right(bits, sums, count, spec));
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
        if (!(windows.windows[moment].flags & PC_WINDOW_USED)) { /* it did not fit */
            windows.windows[moment] = acc.windows[moment];
            memcpy(windows.limb + limbs[moment].first, acc.limb + limbs[moment].first,
                   limbs[moment].count * sizeof *acc.limb);
        }
    CHECK(round_to(&windows, spec, again) == PC_OK);
    CHECK(memcmp(bits, again, sizeof *bits * (size_t)spec.components) == 0);
}

/* pc_round_words, too. */
static void check_words(const slow_sum *sum, pc_moment moment, pc_output_spec spec)
{
    uint64_t words[PC_LIMBS], bits[2];
    char out[8] = {0};
    slow_sums sums = {.special = 0};
    const int negative = words_of(sum, moment, words);
    sums.moment[moment] = *sum;
    spec.components = 1;
    pc_round_words(words, limbs[moment].count, limbs[moment].lowest, negative,
                   is_root(spec.statistic), spec.type, out);
    bits[0] = load_bits(out, sizes[spec.type]);
    CHECK(is_right(bits, &sums, 1, spec));
}

/* Sums that come to x * 2^e, as far as a root of them does: a tie, if x * 2^e is halfway
 * between two floats; and those that are a bit larger or smaller. */
static void check_near(uint64_t x, int e, uint64_t count, uint64_t factor, pc_output_spec spec)
{
    const int root = is_root(spec.statistic), spread = spec.statistic >= PC_VAR,
              of_numbers = spec.statistic == PC_SUM || spec.statistic == PC_MEAN;
    const pc_moment moment = of_numbers ? PC_NUMBERS : PC_SQUARES;
    const int down = spread ? (int)spec.ddof_bits : 0;
    slow_sums sums = {.special = 0};
    slow_sum *sum = &sums.moment[moment];
    if (root)
        slow_add_square(sum, x, e);
    else
        slow_add_word(sum, x, e, of_numbers && below(2));
    slow_multiply(sum, spread ? freedom(count, spec) : factor);
    if (down) { /* in the units of freedom */
        slow_sum whole = {{0}};
        for (int k = 0; k < DIGITS; k++)
            if (sum->digit[k])
                slow_add(&whole, sum->digit[k], FIRST_BIT + 32 * k - down);
        *sum = whole;
    }
    if (spec.components == 2)
        slow_add_word(&sums.moment[PC_IMAGINARY], random_size(), e, (int)below(2));
    int top = DIGITS - 1;
    const slow_sum size = slow_size(sum);
    while (top && !size.digit[top])
        top--;
    int bit = FIRST_BIT + 32 * top + 63 - (int)leading_zeros(size.digit[top] | 1) -
              (below(2) ? 55 + (int)below(300) : 124 + (int)below(8)); /* 128 make a root */
    if (bit < limbs[moment].lowest)
        bit = limbs[moment].lowest;
    if (spread) /* around a mean, of two components; or around less, and farther */
        for (pc_moment k = PC_NUMBERS; k <= PC_IMAGINARY; k++) {
            const uint64_t mean = below(3) ? random_size() : 0;
            const int low = e < -1080 ? -1080 : e > 900 ? 900 : e, at = low + (int)below(30) - 15;
            const int exponent = at < -1080 ? -1080 : at;
            slow_sum square = {{0}};
            slow_add_square(&square, mean, exponent);
            slow_multiply(&square, count);
            slow_add_sum(sum, &square, 0);
            slow_add_word(&sums.moment[k], mean, exponent, (int)below(2));
            slow_multiply(&sums.moment[k], below(4) ? count : 1 + below(count));
        }
    check_rounding(&sums, count, spec);
    if (!spread && spec.statistic != PC_RMS && spec.statistic != PC_MEAN)
        check_words(sum, moment, spec);

    for (int negative = 0; negative < 2; negative++) {
        slow_sums other = sums;
        slow_add_word(&other.moment[moment], 1, bit, negative);
        check_rounding(&other, count, spec);
    }
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
            slow_sums sums = {.special = 0};
            slow_add_word(&sums.moment[PC_SQUARES], high[k], 64, 0);
            slow_add_word(&sums.moment[PC_SQUARES], low[j], 0, 0);
            check_rounding(&sums, 1, spec_of(PC_NORM, PC_FLOAT64));
        }
}

static void test_rounding(long trials_left)
{
    for (; trials_left; trials_left--) {
        pc_output_spec spec = spec_of((pc_statistic)below(RESULTS), PC_FLOAT16 + (pc_type)below(3));
        const int fraction = formats[spec.type - PC_FLOAT16].fraction,
                  bias = (1 << (formats[spec.type - PC_FLOAT16].exponent - 1)) - 1,
                  spread = spec.statistic >= PC_VAR;
        /* from halves of the least number to where what is halfway is beyond the largest */
        const int least = -bias - fraction, most = bias + 1 - fraction - 2;
        /* the last bit set: halfway between two floats */
        const uint64_t ones = (UINT64_C(1) << (fraction + 2)) - 1;
        uint64_t half = UINT64_C(1) << (fraction + 1) | (random64() & ones) | 1,
                 count = random_size() | 1, factor;
        int e = least + (int)below((uint64_t)(most - least + 1));
        switch (below(8)) {
        case 0: half = ones; break; /* carries into the exponent */
        case 1: half = (UINT64_C(1) << (fraction + 1)) + 1; break;
        case 2: half = random64() | 1; break;                /* no tie */
        case 6: half = UINT64_C(1) << (fraction + 1); break; /* a bit below: ones alone */
        case 3: e = most; break;                             /* overflow */
        case 4:                                              /* subnormal */
            e = least;
            half >>= below((uint64_t)fraction + 1);
            half |= 1;
            break;
        case 5: /* zero, or all but zero */
            e = least -
                (spec.statistic == PC_SUMSQ || spec.statistic == PC_VAR ? (int)below(200) : 0);
            half = below(2) ? 1 : random64() | 1;
        }
        if (e > 960)
            half &= ones;
        if (below(4) == 0)
            count = below(2) ? UINT64_MAX : 1;
        factor = spec.statistic != PC_RMS && spec.statistic != PC_MEAN ? 1
                 : below(4)                                            ? count
                                                                       : random_size() | 1;
        if (spread) {
            if (e > 800)
                count >>= below(2) * 32;
            count |= 1;
            spec.ddof_bits = (unsigned)below(leading_zeros(count) + 1);
            if (is_root(spec.statistic) && 2 * e - (int)spec.ddof_bits < LOWEST)
                spec.ddof_bits = 0;
            const uint64_t units = count << spec.ddof_bits;
            spec.ddof = below(3) == 0 ? 0 : below(3) == 0 ? units - 1 : below(units);
        } else if ((spec.statistic == PC_SUM || spec.statistic == PC_MEAN) && below(2)) {
            spec.components = 2;
        }
        check_near(half, e, count, factor, spec);
    }
}

/* No exponent is too large for infinity, as the sums of Python ints have them. */
static void test_beyond(void)
{
    const uint64_t word = UINT64_MAX;
    for (int exponent = 900; exponent < 1 << 22; exponent += exponent < 10000 ? 1 : exponent / 7)
        for (int root = 0; root < 2; root++)
            for (int negative = 0; negative < 2; negative++) {
                double out;
                pc_round_words(&word, 1, exponent, negative, root, PC_FLOAT64, (char *)&out);
                const int least = root ? 2048 - 64 : 1024 - 64; /* 2^64 - 1 rounds up */
                CHECK(!isinf(out) == (exponent < least) && (out < 0) == negative);
            }
}

/* The sum of complex numbers is complex, be their imaginary parts 0, or all of them merged. */
static void test_complex_results(void)
{
    const pycrust_capi *api = &pc_core.api;
    static const double x[] = {1.0, 0.0, 2.0, 0.5};
    for (size_t count = 0; count <= 2; count++) {
        pc_accumulator acc, other;
        double out[2];
        CHECK(api->accumulator_init(&acc, PC_VAR) == PC_OK);
        CHECK(api->accumulator_add(&acc, PC_FLOAT64, x, 1) == PC_OK);
        other = acc;
        CHECK(api->accumulator_merge(&acc, &other) == PC_OK);
        CHECK(api->accumulator_result(&acc, PC_SUM, 0, PC_FLOAT64, out) == PC_OK && *out == 2.0);
        CHECK(api->accumulator_add(&other, PC_COMPLEX128, x, count) == PC_OK);
        CHECK(api->accumulator_merge(&acc, &other) == PC_OK);
        for (int merged = 0; merged < 2; merged++) {
            const pc_accumulator *of = merged ? &acc : &other;
            CHECK(api->accumulator_result(of, PC_SUM, 0, PC_FLOAT64, out) == PC_INVALID);
            CHECK(api->accumulator_result(of, PC_MEAN, 0, PC_FLOAT32, out) == PC_INVALID);
            CHECK(api->accumulator_result(of, PC_SUM, 0, PC_INT64, out) == PC_INVALID);
            CHECK(api->accumulator_result(of, PC_VAR, 0, PC_FLOAT64, out) == PC_OK);
            CHECK(api->accumulator_result(of, PC_SUM, 0, PC_COMPLEX128, out) == PC_OK);
            CHECK(out[0] == 1.0 + 2.0 * merged + (count > 0) + 2.0 * (count > 1) &&
                  out[1] == (count > 1) * 0.5);
        }
    }
}

int main(int argc, char **argv)
{
    long count = trials(argc, argv);
    test_states(count);
    test_full_window();
    test_window();
    test_parts();
    test_specials();
    test_too_few();
    test_words();
    test_fractions();
    test_export_of_zero();
    test_import();
    test_too_large();
    test_roots();
    test_beyond();
    test_rounding(count);
    test_complex_results();
    return 0;
}
