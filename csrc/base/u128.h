/* Unsigned 128-bit arithmetic modulo 2^128, with or without __int128. */
#ifndef PYCRUST_U128_H
#define PYCRUST_U128_H

#include "../pycrust.h"

#if defined(__SIZEOF_INT128__) && !defined(PC_NO_INT128)
#define PC_HAS_INT128 1
__extension__ typedef unsigned __int128 pc_uint128;
__extension__ typedef __int128 pc_int128;
#endif

#ifdef PC_HAS_INT128
static inline pc_uint128 u128_wide(pc_u128 x)
{
    return (pc_uint128)x.hi << 64 | x.lo;
}

static inline pc_u128 u128_of(pc_uint128 wide)
{
    pc_u128 x = {(uint64_t)wide, (uint64_t)(wide >> 64)};
    return x;
}
#endif

/* The sign extension of a word in two's complement: all ones if it is negative. */
static inline uint64_t sign_of_word(uint64_t x)
{
    return 0 - (x >> 63);
}

/* *x += y; returns the carry out. */
static inline uint8_t u128_add(pc_u128 *x, pc_u128 y)
{
#ifdef PC_HAS_INT128
    pc_uint128 sum = u128_wide(*x) + u128_wide(y);
    *x = u128_of(sum);
    return sum < u128_wide(y);
#else
    uint64_t lo = x->lo + y.lo, carry = lo < y.lo;
    uint64_t hi = x->hi + y.hi, over = hi < y.hi;
    x->lo = lo;
    x->hi = hi + carry;
    return (uint8_t)(over | (x->hi < carry));
#endif
}

/* x * y, exact. */
static inline pc_u128 u128_mul64(uint64_t x, uint64_t y)
{
#ifdef PC_HAS_INT128
    return u128_of((pc_uint128)x * y);
#else
    pc_u128 product;
    uint64_t x0 = x & 0xffffffffu, x1 = x >> 32, y0 = y & 0xffffffffu, y1 = y >> 32;
    uint64_t low = x0 * y0, mid = x1 * y0 + (low >> 32), cross = x0 * y1 + (mid & 0xffffffffu);
    product.lo = (cross << 32) | (low & 0xffffffffu);
    product.hi = x1 * y1 + (mid >> 32) + (cross >> 32);
    return product;
#endif
}

/* x * y mod 2^128. */
static inline pc_u128 u128_mul(pc_u128 x, pc_u128 y)
{
    pc_u128 product = u128_mul64(x.lo, y.lo);
    product.hi += x.lo * y.hi + x.hi * y.lo;
    return product;
}

/* x * 2^k mod 2^128, 0 <= k < 64. */
static inline pc_u128 u128_shl(pc_u128 x, unsigned k)
{
    pc_u128 shifted = x;
    if (k) {
        shifted.hi = (x.hi << k) | (x.lo >> (64 - k));
        shifted.lo = x.lo << k;
    }
    return shifted;
}

/* The number of leading zero bits of x > 0. */
static inline unsigned leading_zeros(uint64_t x)
{
#ifdef __GNUC__
    return (unsigned)__builtin_clzll(x);
#else
    unsigned zeros = 0;
    for (; !(x >> 63); x <<= 1)
        zeros++;
    return zeros;
#endif
}

/* That many zero bits follow the last one of x. */
static inline int trailing_zeros(uint64_t x)
{
    return 63 - (int)leading_zeros(x & (0 - x));
}

/* ---- words, the least significant first ------------------------------------ */

/* *x += y + carry; returns the carry out. Compilers make one instruction of the first alone. */
static inline uint8_t add_carry(uint64_t *x, uint64_t y, uint8_t carry)
{
#if defined(__x86_64__) && defined(__GNUC__)
    unsigned long long sum;
    carry = __builtin_ia32_addcarryx_u64(carry, *x, y, &sum);
    *x = sum;
    return carry;
#else
    const uint64_t sum = *x + y;
    const uint8_t out = sum < y;
    *x = sum + carry;
    return (uint8_t)(out | (*x < carry));
#endif
}

/* x += y mod 2^256. */
static inline void add_words(uint64_t x[4], const uint64_t y[4])
{
    uint8_t carry = 0;
    for (int k = 0; k < 4; k++)
        carry = add_carry(&x[k], y[k], carry);
}

/* x = -x, in two's complement. */
static inline void negate_words(uint64_t *x, size_t count)
{
    uint8_t carry = 1;
    for (size_t k = 0; k < count; k++) {
        x[k] = ~x[k];
        carry = add_carry(&x[k], 0, carry);
    }
}

/* x *= factor; returns the word carried out. */
static inline uint64_t multiply_words(uint64_t *x, size_t count, uint64_t factor)
{
    uint64_t over = 0;
    for (size_t k = 0; k < count; k++) {
        pc_u128 product = u128_mul64(x[k], factor);
        over = product.hi + add_carry(&product.lo, over, 0);
        x[k] = product.lo;
    }
    return over;
}

#endif
