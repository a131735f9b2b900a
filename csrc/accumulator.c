/* The exact running sum: add, merge, scale, export. */
#include "certified.h"

#include <string.h>

/* ---- add ----------------------------------------------------------------- */

/* *x += y + carry; returns the carry out. */
static inline uint64_t add_carry(uint64_t *x, uint64_t y, uint64_t carry)
{
    uint64_t sum = *x + y, out = sum < y;
    *x = sum + carry;
    return out | (*x < carry);
}

void pc_accumulator_clear(pc_accumulator *acc)
{
    acc->count = 0;
    acc->flags = 0;
}

void pc_accumulator_clear_certified(pc_accumulator *acc)
{
    acc->count = 0;
    acc->slack = 0;
    acc->flags = PC_CERTIFIED;
}

/* words += x * 2^position. In the limbs a carry ends with them. */
static inline void add_at(uint64_t *words, unsigned position, pc_u128 x)
{
    unsigned shift = position % 64;
    uint64_t top = shift ? x.hi >> (64 - shift) : 0, *word = words + position / 64;
    pc_u128 sum = {word[0], word[1]};
    uint64_t carry = u128_add(&sum, u128_shl(x, shift));
    word[0] = sum.lo;
    word[1] = sum.hi;
    carry = add_carry(&word[2], top, carry);
    for (word += 3; carry && word < words + PC_LIMBS; word++)
        carry = ++*word == 0;
}

static inline void use_limbs(pc_accumulator *acc)
{
    if (!(acc->flags & PC_LIMBS_USED)) {
        memset(acc->limb, 0, sizeof acc->limb);
        acc->flags |= PC_LIMBS_USED;
    }
}

/* limb += words * 2^exponent. Bits outside the limbs are zero in any sum of
 * squares, which is a multiple of 2^-2148 and below 2^2176. */
static void add_to_limbs(pc_accumulator *acc, const uint64_t *words, size_t count, int exponent)
{
    use_limbs(acc);
    unsigned position = (unsigned)(exponent - LOWEST), shift = position % 64;
    size_t k = position / 64;
    uint64_t carry = 0, below = 0;
    for (size_t j = 0; j <= count && k < PC_LIMBS; j++, k++) {
        uint64_t word = j < count ? words[j] : 0;
        carry =
            add_carry(&acc->limb[k], shift ? word << shift | below >> (64 - shift) : word, carry);
        below = word;
    }
    for (; carry && k < PC_LIMBS; k++)
        carry = add_carry(&acc->limb[k], 0, carry);
}

/* The window's content moves to the limbs. */
static void close_window(pc_accumulator *acc)
{
    if (acc->flags & PC_WINDOW_USED) {
        acc->flags &= ~(uint32_t)PC_WINDOW_USED;
        add_to_limbs(acc, acc->window, 4, acc->exponent);
    }
}

void accumulator_add(pc_accumulator *acc, const uint64_t sum[4], int exponent)
{
    /* A window below 2^255 takes a sum below 2^220. */
    if ((acc->flags & PC_WINDOW_USED) && acc->exponent == exponent && !(acc->window[3] >> 63)) {
        uint64_t carry = 0;
        for (int k = 0; k < 4; k++)
            carry = add_carry(&acc->window[k], sum[k], carry);
        return;
    }
    close_window(acc);
    memcpy(acc->window, sum, sizeof acc->window);
    acc->exponent = exponent;
    acc->flags |= PC_WINDOW_USED;
}

void accumulator_add_square(pc_accumulator *acc, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int e = (int)(bits >> 52 & 0x7ff);
    if (e == 0x7ff) {
        acc->flags |= fraction ? PC_SEEN_NAN : PC_SEEN_INF;
        return;
    }
    if (e)
        fraction |= UINT64_C(1) << 52;
    else if (fraction)
        e = 1;
    else
        return;

    /* x^2 = fraction^2 * 2^exponent, 106 bits */
    pc_u128 square = u128_mul64(fraction, fraction);
    int exponent = 2 * (e - 1075);
    if (!(acc->flags & (PC_WINDOW_USED | PC_LIMBS_USED))) {
        memset(acc->window, 0, sizeof acc->window);
        acc->exponent = window_of(e < 43 ? -980 : e - 1023);
        acc->flags |= PC_WINDOW_USED;
    }
    int position = exponent - acc->exponent;
    if ((acc->flags & PC_WINDOW_USED) && position >= 0 && position <= 220 - 106 &&
        !(acc->window[3] >> 63)) {
        add_at(acc->window, (unsigned)position, square);
    } else {
        use_limbs(acc);
        add_at(acc->limb, (unsigned)(exponent - LOWEST), square);
    }
}

pc_status pc_accumulator_merge(pc_accumulator *acc, const pc_accumulator *other)
{
    if (acc->count > UINT64_MAX - other->count)
        return PC_TOO_LARGE;
    acc->count += other->count;
    if (acc->flags & PC_CERTIFIED) {
        certified_merge(acc, other);
        return PC_OK;
    }
    acc->flags |= other->flags & (PC_SEEN_INF | PC_SEEN_NAN);
    if (other->flags & PC_LIMBS_USED)
        add_to_limbs(acc, other->limb, PC_LIMBS, LOWEST);
    if (other->flags & PC_WINDOW_USED)
        add_to_limbs(acc, other->window, 4, other->exponent);
    return PC_OK;
}

void pc_accumulator_scale(pc_accumulator *acc, uint64_t factor)
{
    uint64_t carry = 0;
    acc->count *= factor;
    if (acc->flags & PC_CERTIFIED) {
        certified_scale(acc, factor);
        return;
    }
    close_window(acc);
    if (!(acc->flags & PC_LIMBS_USED))
        return;
    for (int k = 0; k < PC_LIMBS; k++) {
        pc_u128 product = u128_mul64(acc->limb[k], factor);
        uint64_t over = add_carry(&product.lo, carry, 0);
        acc->limb[k] = product.lo;
        carry = product.hi + over;
    }
}

/* ---- read ---------------------------------------------------------------- */

value value_of(const uint64_t *word, size_t count, int exponent)
{
    value v = {word, count, exponent};
    while (v.count && !v.word[v.count - 1])
        v.count--;
    while (v.count && !v.word[0]) {
        v.word++;
        v.count--;
        v.exponent += 64;
    }
    return v;
}

value accumulator_value(const pc_accumulator *acc, pc_accumulator *room)
{
    if (!(acc->flags & PC_LIMBS_USED))
        return value_of(acc->window, acc->flags & PC_WINDOW_USED ? 4 : 0, acc->exponent);
    if (acc->flags & PC_WINDOW_USED) {
        *room = *acc;
        close_window(room);
        acc = room;
    }
    return value_of(acc->limb, PC_LIMBS, LOWEST);
}

int pc_accumulator_special(const pc_accumulator *acc)
{
    return acc->flags & PC_SEEN_NAN ? 2 : acc->flags & PC_SEEN_INF ? 1 : 0;
}

void pc_accumulator_make_special(pc_accumulator *acc, int special)
{
    acc->flags |= special == 2 ? PC_SEEN_NAN : special == 1 ? PC_SEEN_INF : 0;
}

pc_status pc_accumulator_word(const pc_accumulator *acc, pc_type type, uint64_t *word)
{
    pc_accumulator room;
    value v = accumulator_value(acc, &room);
    if (v.count > 1 || (v.count == 1 && (v.exponent != 0 || (type == PC_INT64 && v.word[0] >> 63))))
        return PC_TOO_LARGE;
    *word = v.count ? v.word[0] : 0;
    return PC_OK;
}

size_t pc_accumulator_export(const pc_accumulator *acc, uint64_t *words, int *exponent)
{
    pc_accumulator room;
    value v = accumulator_value(acc, &room);
    memcpy(words, v.word, v.count * sizeof *words);
    *exponent = v.count ? v.exponent : 0;
    return v.count;
}

pc_status pc_accumulator_import(pc_accumulator *acc, const uint64_t *words, size_t count,
                                int exponent)
{
    while (count && !words[count - 1])
        count--;
    if (!count)
        return PC_OK;
    if (count > PC_LIMBS || exponent < LOWEST ||
        exponent > HIGHEST - 64 * (int)count + (int)leading_zeros(words[count - 1]))
        return PC_OUT_OF_RANGE;
    add_to_limbs(acc, words, count, exponent);
    return PC_OK;
}
