/* The exact running sums: add, merge, scale, export. */
#include "bounded.h"

#include <string.h>

const size_t size_of_type[] = {
    [PC_INT8] = 1,  [PC_UINT8] = 1,   [PC_INT16] = 2,   [PC_UINT16] = 2,
    [PC_INT32] = 4, [PC_UINT32] = 4,  [PC_INT64] = 8,   [PC_UINT64] = 8,
    [PC_BOOL] = 1,  [PC_FLOAT16] = 2, [PC_FLOAT32] = 4, [PC_FLOAT64] = 8,
};

void pc_accumulator_clear(pc_accumulator *acc, pc_statistic statistic)
{
    acc->count = 0;
    acc->flags = sums_for(statistic);
    for (int moment = 0; moment < 3; moment++)
        acc->windows[moment].flags = 0;
}

void pc_accumulator_clear_bounded(pc_accumulator *acc, pc_statistic statistic)
{
    pc_accumulator_clear(acc, statistic);
    acc->flags |= PC_BOUNDED;
    for (int moment = 0; moment < 3; moment++)
        acc->windows[moment].error_bound = 0;
}

/* The limbs of a moment. */
typedef struct {
    size_t first, count;
    int lowest;
} limbs;

static limbs limbs_of(const pc_accumulator *acc, pc_moment moment)
{
    static const limbs of[] = {
        [PC_SQUARES] = {0, PC_LIMBS, LOWEST},
        [PC_NUMBERS] = {PC_LIMBS, PC_LIMBS / 2, LOWEST_NUMBER},
        [PC_IMAGINARY] = {PC_LIMBS + PC_LIMBS / 2, PC_LIMBS / 2, LOWEST_NUMBER},
    };
    static const limbs imaginary_products = {PC_LIMBS, PC_LIMBS, LOWEST};
    return moment == PC_NUMBERS && has_complex_products(acc) ? imaginary_products : of[moment];
}

/* ---- add ----------------------------------------------------------------- */

/* to += (words, sign) * 2^bit. From the top down, since `words` may be those of `to`: carries
 * then change only words that have been read. */
static void add_words_at(uint64_t *to, size_t length, size_t bit, const uint64_t *words,
                         size_t count, uint64_t sign)
{
    uint64_t above = sign;
    for (size_t k = count + count % 2; k; above = 0) {
        k -= 2;
        const pc_u128 two = {words[k], k + 1 < count ? words[k + 1] : sign};
        add_at(to, length, bit + 64 * k, two, above);
    }
}

/* limb += (words, sign) * 2^exponent. Bits outside the limbs are zero in any such sum. */
static void add_to_limbs(pc_accumulator *acc, pc_moment moment, const uint64_t *words, size_t count,
                         int exponent, uint64_t sign)
{
    const limbs of = limbs_of(acc, moment);
    uint64_t *limb = acc->limb + of.first;
    if (!(acc->windows[moment].flags & PC_LIMBS_USED)) {
        memset(limb, 0, of.count * sizeof *limb);
        acc->windows[moment].flags |= PC_LIMBS_USED;
    }
    add_words_at(limb, of.count, (size_t)(exponent - of.lowest), words, count, sign);
}

/* Move the window's content to the limbs. */
static void close_window(pc_accumulator *acc, pc_moment moment)
{
    pc_window *window = &acc->windows[moment];
    if (window->flags & PC_WINDOW_USED) {
        window->flags &= ~(uint32_t)PC_WINDOW_USED;
        add_to_limbs(acc, moment, window->words, 4, window->exponent,
                     sign_of_word(window->words[3]));
    }
}

/* Whether a sum below 2^220 in absolute value can be added without overflow. */
static inline int has_headroom(const pc_window *window)
{
    return window->words[3] + (UINT64_C(1) << 62) < UINT64_C(1) << 63;
}

void accumulator_add(pc_accumulator *acc, pc_moment moment, const uint64_t words[4], int exponent)
{
    pc_window *window = &acc->windows[moment];
    if ((window->flags & PC_WINDOW_USED) && window->exponent == exponent && has_headroom(window)) {
        add_words(window->words, words);
        return;
    }
    close_window(acc, moment);
    memcpy(window->words, words, sizeof window->words);
    window->exponent = exponent;
    window->flags |= PC_WINDOW_USED;
}

/* The highest bit of a window to which 106 bits of a square may be added: they stay below 2^220. */
enum { MAX_SQUARE_BIT = 220 - 106 };

/* The slow path of add_term: no window is open, or it does not fit. */
static void add_term_outside_window(pc_accumulator *acc, pc_moment moment, pc_u128 x, uint64_t sign,
                                    int exponent, int window_exponent)
{
    pc_window *window = &acc->windows[moment];
    const uint64_t words[2] = {x.lo, x.hi};
    if (window->flags & (PC_WINDOW_USED | PC_LIMBS_USED)) {
        add_to_limbs(acc, moment, words, 2, exponent, sign);
        return;
    }
    memset(window->words, 0, sizeof window->words);
    window->exponent = window_exponent;
    window->flags |= PC_WINDOW_USED;
    add_at(window->words, 4, (size_t)(exponent - window_exponent), x, sign);
}

/* Add (x, sign) * 2^exponent to the window, to a new one at `window_exponent`, or to the limbs. */
static inline void add_term(pc_accumulator *acc, pc_moment moment, pc_u128 x, uint64_t sign,
                            int exponent, int window_exponent)
{
    pc_window *window = &acc->windows[moment];
    const unsigned bit = (unsigned)exponent - (unsigned)window->exponent;
    if ((window->flags & PC_WINDOW_USED) && bit <= MAX_SQUARE_BIT && has_headroom(window))
        add_at(window->words, 4, bit, x, sign);
    else
        add_term_outside_window(acc, moment, x, sign, exponent, window_exponent);
}

/* `remove` is 0 or, to subtract, UINT64_MAX. */
static inline void add_signed(pc_accumulator *acc, double x, int imaginary, uint64_t remove)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1), sign = 0 - (bits >> 63);
    int e = (int)(bits >> 52 & 0x7ff);
    if (e == 0x7ff) {
        uint32_t nonfinite = fraction ? PC_NAN : sign ? PC_MINUS_INF : PC_PLUS_INF;
        acc->flags |= nonfinite << (imaginary ? PC_NONFINITE_BITS : 0);
        return;
    }
    if (e)
        fraction |= UINT64_C(1) << 52;
    else if (fraction)
        e = 1;
    else
        return;

    /* x = fraction * 2^exponent, and its square has 106 bits */
    const int block_exponent = e < 43 ? -980 : e - 1023, exponent = e - 1075;
    if (acc->flags & PC_WITH_SQUARES) {
        pc_u128 square = u128_mul64(fraction, fraction);
        if (remove) /* never 0 */
            square = (pc_u128){0 - square.lo, ~square.hi + !square.lo};
        add_term(acc, PC_SQUARES, square, remove, 2 * exponent,
                 square_window_exponent(block_exponent));
    }
    if (acc->flags & PC_WITH_NUMBERS) {
        sign ^= remove;
        pc_u128 number = {(fraction ^ sign) - sign, sign};
        add_term(acc, imaginary ? PC_IMAGINARY : PC_NUMBERS, number, sign, exponent,
                 number_window_exponent(block_exponent));
    }
}

/* |x| = *fraction * 2^*exponent; returns 0 for NaN and Inf. */
static int decompose_double(double x, uint64_t *fraction, int *exponent)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int e = (int)(bits >> 52 & 0x7ff);
    *fraction = (bits & ((UINT64_C(1) << 52) - 1)) | (uint64_t)(e != 0) << 52;
    *exponent = (e ? e : 1) - 1075;
    return e != 0x7ff;
}

void accumulator_add_product(pc_accumulator *acc, pc_moment moment, double x, double y)
{
    uint64_t fraction[2], bits;
    int exponent[2];
    const double rounded = x * y;
    memcpy(&bits, &rounded, sizeof bits);
    const int x_is_finite = decompose_double(x, &fraction[0], &exponent[0]),
              y_is_finite = decompose_double(y, &fraction[1], &exponent[1]);
    if (!x_is_finite || !y_is_finite) {
        const uint32_t nonfinite = rounded != rounded ? PC_NAN
                                   : bits >> 63       ? PC_MINUS_INF
                                                      : PC_PLUS_INF;
        const int second = moment == PC_NUMBERS || acc->flags & PC_WITH_NUMBERS;
        acc->flags |= nonfinite << (second ? PC_NONFINITE_BITS : 0);
        return;
    }
    pc_u128 product = u128_mul64(fraction[0], fraction[1]);
    if (!(product.lo | product.hi))
        return;
    const uint64_t sign = sign_of_word(bits);
    if (sign)
        product = (pc_u128){0 - product.lo, ~product.hi + !product.lo};
    const int unit = exponent[0] + exponent[1], window = unit - 99;
    add_term(acc, moment, product, sign, unit, window < LOWEST ? LOWEST : window);
}

void accumulator_add_number(pc_accumulator *acc, double x, int imaginary)
{
    add_signed(acc, x, imaginary, 0);
}

void accumulator_add_or_remove(pc_accumulator *acc, double x, int remove)
{
    add_signed(acc, x, 0, remove ? UINT64_MAX : 0);
}

pc_status pc_accumulator_merge(pc_accumulator *acc, const pc_accumulator *other)
{
    if (acc->count > UINT64_MAX - other->count)
        return PC_TOO_LARGE;
    acc->count += other->count;
    if (acc->flags & PC_BOUNDED) {
        bounded_merge(acc, other);
        return PC_OK;
    }
    acc->flags |= pc_accumulator_nonfinite(other);
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
        const pc_window *window = &other->windows[moment];
        const limbs of = limbs_of(other, moment);
        const uint64_t *limb = other->limb + of.first;
        if (window->flags & PC_LIMBS_USED)
            add_to_limbs(acc, moment, limb, of.count, of.lowest, 0);
        if (window->flags & PC_WINDOW_USED)
            add_to_limbs(acc, moment, window->words, 4, window->exponent,
                         sign_of_word(window->words[3]));
    }
    return PC_OK;
}

void pc_accumulator_scale(pc_accumulator *acc, uint64_t factor)
{
    acc->count *= factor;
    if (acc->flags & PC_BOUNDED) {
        bounded_scale(acc, factor);
        return;
    }
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
        const limbs of = limbs_of(acc, moment);
        close_window(acc, moment);
        if (acc->windows[moment].flags & PC_LIMBS_USED)
            multiply_words(acc->limb + of.first, of.count, factor);
    }
}

/* ---- read ---------------------------------------------------------------- */

limbs_view limbs_view_of(const uint64_t *word, size_t count, int exponent, int negative)
{
    limbs_view v = {word, count, exponent, negative};
    while (v.count && !v.word[v.count - 1])
        v.count--;
    while (v.count && !v.word[0]) {
        v.word++;
        v.count--;
        v.exponent += 64;
    }
    return v;
}

/* The value of `count` words in two's complement; `scratch` has room for as many. */
static limbs_view signed_limbs_view(const uint64_t *word, size_t count, int exponent,
                                    uint64_t *scratch)
{
    if (!(word[count - 1] >> 63))
        return limbs_view_of(word, count, exponent, 0);
    memmove(scratch, word, count * sizeof *scratch);
    negate_words(scratch, count);
    return limbs_view_of(scratch, count, exponent, 1);
}

limbs_view accumulator_limbs(const pc_accumulator *acc, pc_moment moment,
                             uint64_t scratch[PC_LIMBS])
{
    const pc_window *window = &acc->windows[moment];
    const limbs of = limbs_of(acc, moment);
    if (!(window->flags & (PC_LIMBS_USED | PC_WINDOW_USED)))
        return limbs_view_of(scratch, 0, 0, 0);
    if (!(window->flags & PC_LIMBS_USED))
        return signed_limbs_view(window->words, 4, window->exponent, scratch);
    memcpy(scratch, acc->limb + of.first, of.count * sizeof *scratch);
    if (window->flags & PC_WINDOW_USED)
        add_words_at(scratch, of.count, (size_t)(window->exponent - of.lowest), window->words, 4,
                     sign_of_word(window->words[3]));
    return signed_limbs_view(scratch, of.count, of.lowest, scratch);
}

uint32_t pc_accumulator_nonfinite(const pc_accumulator *acc)
{
    return acc->flags & ((1u << 2 * PC_NONFINITE_BITS) - 1);
}

void pc_accumulator_add_nonfinite(pc_accumulator *acc, uint32_t nonfinite)
{
    acc->flags |= nonfinite;
}

size_t pc_accumulator_export(const pc_accumulator *acc, pc_moment moment, uint64_t *words,
                             int *exponent, int *negative)
{
    uint64_t scratch[PC_LIMBS];
    limbs_view v = accumulator_limbs(acc, moment, scratch);
    memcpy(words, v.word, v.count * sizeof *words);
    *exponent = v.count ? v.exponent : 0;
    *negative = v.negative;
    return v.count;
}

pc_status pc_accumulator_import(pc_accumulator *acc, pc_moment moment, const uint64_t *words,
                                size_t count, int exponent, int negative)
{
    const limbs of = limbs_of(acc, moment);
    /* 2^64 of the largest doubles, or of their squares, are below 2 to this power. */
    const int highest = moment == PC_SQUARES ? 2112 : 1088;
    uint64_t own[PC_LIMBS];
    while (count && !words[count - 1])
        count--;
    if (!count)
        return PC_OK;
    if (count > of.count || exponent < of.lowest ||
        exponent > highest - 64 * (int)count + (int)leading_zeros(words[count - 1]))
        return PC_OUT_OF_RANGE;
    memcpy(own, words, count * sizeof *own);
    if (negative)
        negate_words(own, count);
    add_to_limbs(acc, moment, own, count, exponent, negative ? UINT64_MAX : 0);
    return PC_OK;
}
