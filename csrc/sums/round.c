/* The float nearest to a multi-word integer, to a quotient, or to the square root of either:
 * rounded once. */
#include "round.h"

#include <string.h>

/* Round (top + fraction) * 2^exponent, and return the bits of the float. Bit 63 of top is set; 0 <=
 * fraction < 1, and `sticky` says whether it is not 0. */
static uint64_t round_to_format(uint64_t top, int exponent, int sticky, format f)
{
    int e = exponent + 63; /* of the leading bit */
    int lost_digits = e < f.min_exponent ? f.min_exponent - e : 0,
        dropped = 64 - f.digits + lost_digits;
    uint64_t bits;
    if (e > 1 - f.min_exponent) /* Python ints may have any exponent */
        return infinity_of(f);
    if (dropped > 64)
        return 0;
    uint64_t kept = dropped == 64 ? 0 : top >> dropped;
    uint64_t rest = top << (64 - dropped), half = UINT64_C(1) << 63;
    kept += rest > half || (rest == half && (sticky || (kept & 1)));
    /* A carry out of the fraction raises the exponent by one, as it should. */
    bits = ((uint64_t)(e + lost_digits - f.min_exponent) << (f.digits - 1)) + kept;
    return bits < infinity_of(f) ? bits : infinity_of(f);
}

/* The leading 256 bits of v, with bit 255 set, and their exponent; *sticky: whether any bit below
 * is set. */
static void leading_bits(limbs_view v, uint64_t top[4], int *exponent, int *sticky)
{
    uint64_t word[5] = {0}; /* the five leading words, most significant first */
    for (size_t k = 0; k < 5 && k < v.count; k++)
        word[k] = v.word[v.count - 1 - k];
    *sticky = v.count > 5; /* the last word is not zero */
    unsigned shift = leading_zeros(word[0]);
    for (int k = 0; k < 4; k++)
        top[k] = shift ? word[k] << shift | word[k + 1] >> (64 - shift) : word[k];
    *sticky |= (word[4] << shift) != 0;
    *exponent = v.exponent + 64 * ((int)v.count - 4) - (int)shift;
}

/* (high, low) / divisor, high < divisor; the remainder replaces *high. */
static uint64_t divide(uint64_t *high, uint64_t low, uint64_t divisor)
{
#ifdef PC_HAS_INT128
    const uint64_t quotient = (uint64_t)(((pc_uint128)*high << 64 | low) / divisor);
    *high = low - quotient * divisor;
    return quotient;
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

/* The integer square root of n >= 2^126; sets *sticky if it is not exact. */
static uint64_t root_of(pc_u128 n, int *sticky)
{
    /* Newton's method from above: the root of the high word, ... */
    uint64_t r = UINT64_C(1) << 32, next;
    while ((next = (r + n.hi / r) / 2) < r)
        r = next;
    /* ... then one step that doubles its 32 bits, up to an error in the last. */
    r = r < UINT32_MAX ? (r + 1) << 32 : UINT64_MAX;
    if (n.hi < r) {
        uint64_t rest = n.hi, quotient = divide(&rest, n.lo, r);
        r = (r >> 1) + (quotient >> 1) + (r & quotient & 1);
    }
    for (;; r--) {
        pc_u128 square = u128_mul64(r, r);
        uint64_t lo = n.lo - square.lo, borrow = n.lo < square.lo;
        if (n.hi >= square.hi + borrow) {
            *sticky |= lo != 0 || n.hi != square.hi;
            return r;
        }
    }
}

/* top / divisor, normalized to bit 255 again: the lowest 64 bits of the quotient are lost. */
static void divide_leading(uint64_t top[4], uint64_t divisor, int *exponent, int *sticky)
{
    uint64_t rest = 0;
    for (int k = 0; k < 4; k++)
        top[k] = divide(&rest, top[k], divisor);
    *sticky |= rest != 0;
    if (!top[0]) {
        top[0] = top[1];
        top[1] = top[2];
        top[2] = top[3];
        top[3] = 0;
        *exponent -= 64;
    }
    const unsigned shift = leading_zeros(top[0]);
    for (int k = 0; k < 4 && shift; k++)
        top[k] = top[k] << shift | (k < 3 ? top[k + 1] >> (64 - shift) : 0);
    *exponent -= (int)shift;
}

/* The root of the leading bits of a number, and whether any below is set. */
static uint64_t round_root(const uint64_t top[4], int exponent, int sticky, format f)
{
    /* The leading 128 or 127 bits, so that the exponent is even. */
    pc_u128 n = {top[1], top[0]};
    exponent += 128;
    if (exponent & 1) {
        sticky |= (int)(n.lo & 1);
        n.lo = n.lo >> 1 | n.hi << 63;
        n.hi >>= 1;
        exponent++;
    }
    const uint64_t root_bits = root_of(n, &sticky);
    return round_to_format(root_bits, exponent / 2, sticky, f);
}

uint64_t rounded_quotient(limbs_view v, uint64_t divisor, uint64_t other, int root, format f)
{
    uint64_t top[4];
    int exponent, sticky;
    if (v.count == 0)
        return 0;
    leading_bits(v, top, &exponent, &sticky);
    pc_u128 both = u128_mul64(divisor, other);
    if (!both.hi) {
        divisor = both.lo;
        other = 1;
    }
    if (divisor != 1)
        divide_leading(top, divisor, &exponent, &sticky);
    if (other != 1)
        divide_leading(top, other, &exponent, &sticky);
    sticky |= (top[2] | top[3]) != 0;
    if (!root)
        return round_to_format(top[0], exponent + 192, sticky || top[1], f);

    return round_root(top, exponent, sticky, f);
}

/* n -= w * factor in count + 1 words; 1 if the difference is negative. */
static uint64_t subtract_multiple(uint64_t *n, const uint64_t *w, size_t count, uint64_t factor)
{
    uint64_t over = 0, borrow = 0;
    for (size_t k = 0; k <= count; k++) {
        pc_u128 product = {0, 0};
        if (k < count)
            product = u128_mul64(w[k], factor);
        const uint64_t take = product.lo + over, less = n[k] - take;
        over = product.hi + (take < product.lo);
        const uint64_t under = n[k] < take;
        n[k] = less - borrow;
        borrow = under | (less < borrow);
    }
    return borrow;
}

/* Long division (Knuth, TAOCP 2, algorithm D): two words of the quotient, or three for its root,
 * and whether there is a remainder. */
uint64_t rounded_ratio(limbs_view v, limbs_view w, int root, format f)
{
    uint64_t n[RATIO_WORDS + 4], d[RATIO_WORDS], top[4] = {0};
    const size_t words = root ? 4 : 3;
    if (v.count == 0)
        return 0;
    /* d is w, shifted to have its highest bit set. */
    const unsigned shift = leading_zeros(w.word[w.count - 1]);
    for (size_t k = 0; k < w.count; k++)
        d[k] = shift ? w.word[k] << shift | (k ? w.word[k - 1] >> (64 - shift) : 0) : w.word[k];
    int more = 0, exponent = v.exponent - w.exponent + (int)shift;
    const size_t length = w.count + words - 1; /* of the words of v that matter */
    size_t skip = v.count > length ? v.count - length : 0;
    for (size_t k = 0; k < skip; k++)
        more |= v.word[k] != 0;
    memset(n, 0, (length + 1) * sizeof *n);
    for (size_t k = skip; k < v.count; k++)
        n[k - skip + length - (v.count - skip)] = v.word[k];
    /* n is v at the top of `length` words: the first word of the quotient is 0 or 1. */
    exponent += 64 * ((int)v.count - (int)length);
    for (size_t k = words; k-- > 0;) {
        uint64_t *at = n + k, high = at[w.count], guess = UINT64_MAX;
        if (high < d[w.count - 1]) {
            uint64_t rest = high;
            guess = divide(&rest, at[w.count - 1], d[w.count - 1]);
        }
        for (uint64_t negative = subtract_multiple(at, d, w.count, guess); negative; guess--) {
            uint8_t carry = 0;
            for (size_t j = 0; j < w.count; j++)
                carry = add_carry(&at[j], d[j], carry);
            negative -= add_carry(&at[w.count], 0, carry);
        }
        top[k] = guess;
    }
    for (size_t k = 0; k < w.count; k++)
        more |= n[k] != 0;
    limbs_view quotient = limbs_view_of(top, words, exponent, 0);
    uint64_t leading_words[4];
    int also;
    leading_bits(quotient, leading_words, &exponent, &also);
    more |= also | ((leading_words[2] | leading_words[3]) != 0);
    if (root)
        return round_root(leading_words, exponent, more, f);
    more |= leading_words[1] != 0;
    return round_to_format(leading_words[0], exponent + 192, more, f);
}

void write_bits(char *out, pc_type type, uint64_t bits)
{
    const uint32_t bits32 = (uint32_t)bits;
    const uint16_t bits16 = (uint16_t)bits;
    switch (size_of_type[type]) {
    case 2: memcpy(out, &bits16, sizeof bits16); break;
    case 4: memcpy(out, &bits32, sizeof bits32); break;
    default: memcpy(out, &bits, sizeof bits);
    }
}

void pc_round_words(const uint64_t *words, size_t count, int exponent, int negative, int root,
                    pc_type type, char *out)
{
    const format f = format_of(type);
    limbs_view v = limbs_view_of(words, count, exponent, negative);
    write_bits(out, type, rounded_quotient(v, 1, 1, root, f) | (negative ? sign_bit_of(f) : 0));
}

double pc_u128_round(const pc_u128 *x)
{
    const uint64_t words[2] = {x->lo, x->hi};
    double nearest;
    pc_round_words(words, 2, 0, 0, 0, PC_FLOAT64, (char *)&nearest);
    return nearest;
}
