/* The exact running sum: add, merge, scale, round, root, export. */
#include "accumulator.h"

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

/* The sum as words * 2^exponent, with no zero word at either end. `room` is
 * where the two parts are added up if both are in use. */
typedef struct {
    const uint64_t *word;
    size_t count;
    int exponent;
} value;

static value value_of(const pc_accumulator *acc, pc_accumulator *room)
{
    value v = {acc->window, 0, acc->exponent};
    if (acc->flags & PC_LIMBS_USED) {
        if (acc->flags & PC_WINDOW_USED) {
            *room = *acc;
            close_window(room);
            acc = room;
        }
        v = (value){acc->limb, PC_LIMBS, LOWEST};
    } else if (acc->flags & PC_WINDOW_USED) {
        v.count = 4;
    }
    while (v.count && !v.word[v.count - 1])
        v.count--;
    while (v.count && !v.word[0]) {
        v.word++;
        v.count--;
        v.exponent += 64;
    }
    return v;
}

/* The double nearest to (top + a bit) * 2^exponent: top has bit 63 set, and
 * `more` says that the bit, below 1, is not zero. */
static double pack(uint64_t top, int exponent, int more)
{
    int e = exponent + 63; /* of the leading bit */
    int lost = e < -1022 ? -1022 - e : 0, dropped = 11 + lost;
    uint64_t bits;
    double nearest;
    if (dropped > 64)
        return 0.0;
    uint64_t kept = dropped == 64 ? 0 : top >> dropped;
    uint64_t rest = top << (64 - dropped), half = UINT64_C(1) << 63;
    kept += rest > half || (rest == half && (more || (kept & 1)));
    /* A carry out of the fraction rightly raises the exponent by one. */
    bits = ((uint64_t)(e + lost + 1022) << 52) + kept;
    if (bits > UINT64_C(0x7ff) << 52)
        bits = UINT64_C(0x7ff) << 52;
    memcpy(&nearest, &bits, sizeof nearest);
    return nearest;
}

/* The leading 192 bits of v, bit 191 set, times 2^*exponent; *more says whether
 * any bit below is set. */
static void leading(value v, uint64_t top[3], int *exponent, int *more)
{
    uint64_t word[4] = {0}; /* the four leading words, most significant first */
    for (size_t k = 0; k < 4 && k < v.count; k++)
        word[k] = v.word[v.count - 1 - k];
    *more = v.count > 4; /* the last word is not zero */
    unsigned shift = leading_zeros(word[0]);
    for (int k = 0; k < 3; k++)
        top[k] = shift ? word[k] << shift | word[k + 1] >> (64 - shift) : word[k];
    *more |= (word[3] << shift) != 0;
    *exponent = v.exponent + 64 * ((int)v.count - 3) - (int)shift;
}

/* (high, low) / divisor, high < divisor; the remainder replaces *high. */
static uint64_t divide(uint64_t *high, uint64_t low, uint64_t divisor)
{
#ifdef PC_INT128
    pc_uint128 dividend = (pc_uint128)*high << 64 | low;
    *high = (uint64_t)(dividend % divisor);
    return (uint64_t)(dividend / divisor);
#else
    uint64_t quotient = 0, rest = *high;
    for (int k = 63; k >= 0; k--) {
        uint64_t over = rest >> 63;
        rest = rest << 1 | (low >> k & 1);
        if (over || rest >= divisor) {
            rest -= divisor;
            quotient |= UINT64_C(1) << k;
        }
    }
    *high = rest;
    return quotient;
#endif
}

/* The integer square root of n >= 2^126; *more says whether it is not exact. */
static uint64_t root_of(pc_u128 n, int *more)
{
    /* Newton's method from above: the root of the high word, ... */
    uint64_t r = UINT64_C(1) << 32, next;
    while ((next = (r + n.hi / r) / 2) < r)
        r = next;
    /* ... then one step that doubles its 32 bits to all but the last. */
    r = r < UINT32_MAX ? (r + 1) << 32 : UINT64_MAX;
    if (n.hi < r) {
        uint64_t rest = n.hi, quotient = divide(&rest, n.lo, r);
        r = (r >> 1) + (quotient >> 1) + (r & quotient & 1);
    }
    for (;; r--) {
        pc_u128 square = u128_mul64(r, r);
        uint64_t lo = n.lo - square.lo, borrow = n.lo < square.lo;
        if (n.hi >= square.hi + borrow) {
            *more |= lo != 0 || n.hi != square.hi;
            return r;
        }
    }
}

/* Inf or NaN, made of its leading 16 bits. */
static double special_double(uint64_t top)
{
    double x;
    top <<= 48;
    memcpy(&x, &top, sizeof x);
    return x;
}

int pc_accumulator_special(const pc_accumulator *acc)
{
    return acc->flags & PC_SEEN_NAN ? 2 : acc->flags & PC_SEEN_INF ? 1 : 0;
}

void pc_accumulator_make_special(pc_accumulator *acc, int special)
{
    acc->flags |= special == 2 ? PC_SEEN_NAN : special == 1 ? PC_SEEN_INF : 0;
}

double pc_accumulator_round(const pc_accumulator *acc, pc_result result)
{
    pc_accumulator room;
    uint64_t top[3];
    int exponent, more, special = pc_accumulator_special(acc);
    if (special == 2 || (result == PC_RMS && acc->count == 0))
        return special_double(0x7ff8);
    if (special == 1)
        return special_double(0x7ff0);
    value v = value_of(acc, &room);
    if (v.count == 0)
        return 0.0;
    leading(v, top, &exponent, &more);
    if (result == PC_SUMSQ)
        return pack(top[0], exponent + 128, more || (top[1] | top[2]));

    if (result == PC_RMS) {
        uint64_t rest = 0;
        for (int k = 0; k < 3; k++)
            top[k] = divide(&rest, top[k], acc->count);
        more |= rest != 0;
        while (!(top[0] >> 63)) { /* at most 64 places: 128 bits stay */
            top[0] = top[0] << 1 | top[1] >> 63;
            top[1] = top[1] << 1 | top[2] >> 63;
            top[2] <<= 1;
            exponent--;
        }
    }
    /* The leading 128 or 127 bits, so that the exponent is even. */
    pc_u128 n = {top[1], top[0]};
    exponent += 64;
    more |= top[2] != 0;
    if (exponent & 1) {
        more |= (int)(n.lo & 1);
        n.lo = n.lo >> 1 | n.hi << 63;
        n.hi >>= 1;
        exponent++;
    }
    uint64_t root = root_of(n, &more);
    return pack(root, exponent / 2, more);
}

pc_status pc_accumulator_word(const pc_accumulator *acc, uint64_t *word)
{
    pc_accumulator room;
    value v = value_of(acc, &room);
    if (v.count > 1 || (v.count == 1 && v.exponent != 0))
        return PC_TOO_LARGE;
    *word = v.count ? v.word[0] : 0;
    return PC_OK;
}

size_t pc_accumulator_export(const pc_accumulator *acc, uint64_t *words, int *exponent)
{
    pc_accumulator room;
    value v = value_of(acc, &room);
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

double pc_u128_round(const pc_u128 *x)
{
    uint64_t words[2] = {x->lo, x->hi}, top[3];
    int exponent, more;
    value v = {words, x->hi ? 2 : 1, 0};
    if (!(x->lo | x->hi))
        return 0.0;
    leading(v, top, &exponent, &more);
    return pack(top[0], exponent + 128, top[1] != 0);
}
