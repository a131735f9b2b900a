/* Rounded once: the float nearest to a sum, to its root, or to that of its mean. */
#include "certified.h"

#include <string.h>

/* A binary format of IEEE 754: digits with the leading one, and the exponent of
 * the least normal number. */
typedef struct {
    int digits, least;
} format;

static format format_of(pc_type type)
{
    format float64 = {53, -1022}, float32 = {24, -126}, float16 = {11, -14};
    return type == PC_FLOAT16 ? float16 : type == PC_FLOAT32 ? float32 : float64;
}

static uint64_t infinity_of(format f)
{
    return (uint64_t)(3 - 2 * f.least) << (f.digits - 1);
}

/* The number nearest to (top + a bit) * 2^exponent, as bits: top has bit 63 set,
 * and `more` says that the bit, below 1, is not zero. */
static uint64_t pack(uint64_t top, int exponent, int more, format f)
{
    int e = exponent + 63; /* of the leading bit */
    int lost = e < f.least ? f.least - e : 0, dropped = 64 - f.digits + lost;
    uint64_t bits;
    if (dropped > 64)
        return 0;
    uint64_t kept = dropped == 64 ? 0 : top >> dropped;
    uint64_t rest = top << (64 - dropped), half = UINT64_C(1) << 63;
    kept += rest > half || (rest == half && (more || (kept & 1)));
    /* A carry out of the fraction rightly raises the exponent by one. */
    bits = ((uint64_t)(e + lost - f.least) << (f.digits - 1)) + kept;
    return bits < infinity_of(f) ? bits : infinity_of(f);
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

/* What sum v comes to, of so many numbers > 0. */
static uint64_t rounded(value v, uint64_t count, pc_result result, format f)
{
    uint64_t top[3];
    int exponent, more;
    if (v.count == 0)
        return 0;
    leading(v, top, &exponent, &more);
    if (result == PC_SUMSQ)
        return pack(top[0], exponent + 128, more || (top[1] | top[2]), f);

    if (result == PC_RMS) {
        uint64_t rest = 0;
        for (int k = 0; k < 3; k++)
            top[k] = divide(&rest, top[k], count);
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
    return pack(root, exponent / 2, more, f);
}

static uint64_t nan_of(format f)
{
    return infinity_of(f) | UINT64_C(1) << (f.digits - 2);
}

uint64_t pc_accumulator_bits(const pc_accumulator *acc, pc_result result, pc_type type)
{
    pc_accumulator room;
    const format f = format_of(type);
    int special = pc_accumulator_special(acc);
    if (special == 2 || (result == PC_RMS && acc->count == 0))
        return nan_of(f);
    if (special == 1)
        return infinity_of(f);
    return rounded(accumulator_value(acc, &room), acc->count, result, f);
}

pc_status certified_round(const pc_accumulator *acc, pc_result result, pc_type type, uint64_t *bits)
{
    const format f = format_of(type);
    uint64_t end[2];
    *bits = nan_of(f);
    if (result == PC_RMS && acc->count == 0)
        return PC_EMPTY;
    for (int side = 0; side < 2; side++) {
        uint64_t words[4];
        certified_bound(acc, side, words);
        end[side] = rounded(value_of(words, 4, acc->exponent), acc->count, result, f);
    }
    if (is_uncertain(acc) || end[0] != end[1]) {
        certified_failed();
        return PC_UNCERTAIN_SUM;
    }
    *bits = end[0];
    return PC_OK;
}

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

double pc_accumulator_round(const pc_accumulator *acc, pc_result result)
{
    return double_of(pc_accumulator_bits(acc, result, PC_FLOAT64));
}

double pc_u128_round(const pc_u128 *x)
{
    const uint64_t words[2] = {x->lo, x->hi};
    return double_of(rounded(value_of(words, 2, 0), 1, PC_SUMSQ, format_of(PC_FLOAT64)));
}
