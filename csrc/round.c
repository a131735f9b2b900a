/* Rounded once: the float nearest to a sum, to its root, or to that of its mean. */
#include "accumulator.h"

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

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
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

uint64_t pc_accumulator_bits(const pc_accumulator *acc, pc_result result, pc_type type)
{
    pc_accumulator room;
    uint64_t top[3];
    const format f = format_of(type);
    int exponent, more, special = pc_accumulator_special(acc);
    if (special == 2 || (result == PC_RMS && acc->count == 0))
        return infinity_of(f) | UINT64_C(1) << (f.digits - 2);
    if (special == 1)
        return infinity_of(f);
    value v = accumulator_value(acc, &room);
    if (v.count == 0)
        return 0;
    leading(v, top, &exponent, &more);
    if (result == PC_SUMSQ)
        return pack(top[0], exponent + 128, more || (top[1] | top[2]), f);

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
    return pack(root, exponent / 2, more, f);
}

double pc_accumulator_round(const pc_accumulator *acc, pc_result result)
{
    return double_of(pc_accumulator_bits(acc, result, PC_FLOAT64));
}

double pc_u128_round(const pc_u128 *x)
{
    uint64_t words[2] = {x->lo, x->hi}, top[3];
    int exponent, more;
    value v = {words, x->hi ? 2 : 1, 0};
    if (!(x->lo | x->hi))
        return 0.0;
    leading(v, top, &exponent, &more);
    return double_of(pack(top[0], exponent + 128, top[1] != 0, format_of(PC_FLOAT64)));
}
