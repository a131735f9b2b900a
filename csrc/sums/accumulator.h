/* The representation of the exact running sums.
 *
 * For fewer than 2^64 doubles the sum of their squares is a multiple of 2^-2148 below 2^2112, and
 * that of the numbers a multiple of 2^-1074 below 2^1088 in absolute value. Each is the sum of two
 * integers in two's complement:
 *
 *   window  256 bits at 2^exponent, where nearly all data go: adding block sums of the same scale
 *           takes four word additions
 *   limb    the whole range, from 2^-2176 or 2^-1084: cleared and used (PC_LIMBS_USED) only when
 *           data of another scale arrive
 *
 * All additions are integer additions, so any order and grouping gives the same bits. */
#ifndef PYCRUST_ACCUMULATOR_H
#define PYCRUST_ACCUMULATOR_H

#include "../base/fpenv.h"
#include "../base/u128.h"

/* In bytes, by pc_type. */
extern const size_t size_of_type[];

static inline int is_float(pc_type type)
{
    return type >= PC_FLOAT16;
}

/* The exponents of the least significant bits of the limbs: squares, numbers. */
enum { LOWEST = -2176, LOWEST_NUMBER = -1084 };

/* The exponents of the windows for doubles with exponents from block_exponent - 49 to
 * block_exponent. */
static inline int square_window_exponent(int block_exponent)
{
    return 2 * block_exponent - 204;
}

static inline int number_window_exponent(int block_exponent)
{
    return block_exponent - 101;
}

/* The same for products below 2^block_exponent. */
static inline int product_window_exponent(int block_exponent)
{
    return block_exponent - 205;
}

/* Flags of a pc_window. */
enum { PC_LIMBS_USED = 1, PC_WINDOW_USED = 2 };

/* Flags of a pc_accumulator, above those for NaN and infinities. */
enum {
    PC_WITH_SQUARES = 64, /* what is summed */
    PC_WITH_NUMBERS = 128,
    PC_BOUNDED = 256,          /* the sums have an error bound: bounded.h */
    PC_SUM_INCONCLUSIVE = 512, /* inconclusive: the exact sums are needed */
    PC_WITH_PRODUCTS = 1024,   /* sums of products, in the place of the squares */
    PC_WITH_COMPLEX = 2048     /* of the C API: complex numbers were added */
};

/* Whether the sum of the imaginary parts of products takes the place of that of the numbers. */
static inline int has_complex_products(const pc_accumulator *acc)
{
    return (acc->flags & (PC_WITH_PRODUCTS | PC_WITH_NUMBERS)) == PC_WITH_PRODUCTS;
}

/* Statistics of the numbers alone, and of both sums; the others are of the squares alone. */
static inline int is_linear(pc_statistic statistic)
{
    return statistic == PC_SUM || statistic == PC_MEAN;
}

static inline int is_variance(pc_statistic statistic)
{
    return statistic == PC_VAR || statistic == PC_STD;
}

/* A statistic of the products of two arrays. */
static inline int is_of_products(pc_statistic statistic)
{
    return (int)statistic >= PC_DOT;
}

/* The sums that a statistic needs, as flags. */
static inline uint32_t sums_for(pc_statistic statistic)
{
    return is_of_products(statistic)
               ? PC_WITH_PRODUCTS | ((int)statistic == PC_AVERAGE ? PC_WITH_NUMBERS : 0)
           : is_linear(statistic)   ? PC_WITH_NUMBERS
           : is_variance(statistic) ? PC_WITH_NUMBERS | PC_WITH_SQUARES
                                    : PC_WITH_SQUARES;
}

/* The sum of a moment += sum * 2^exponent; sum in two's complement, |sum| < 2^220. */
void accumulator_add(pc_accumulator *acc, pc_moment moment, const uint64_t sum[4], int exponent);

/* acc += x, as a real or imaginary part, without counting it. Integer arithmetic only. */
void accumulator_add_number(pc_accumulator *acc, double x, int imaginary);

/* The sum of a moment += x y, likewise: PC_SQUARES, or PC_NUMBERS for an imaginary part. */
void accumulator_add_product(pc_accumulator *acc, pc_moment moment, double x, double y);

/* acc += x, or acc -= x, for a finite real x that was added before. */
void accumulator_add_or_remove(pc_accumulator *acc, double x, int remove);

/* words += (x, sign) * 2^bit: x in two's complement, and `sign` its sign extension.
 * bit < 64 * length; a carry out of the last word is dropped. */
static inline void add_at(uint64_t *words, size_t length, size_t bit, pc_u128 x, uint64_t sign)
{
    const unsigned shift = bit % 64;
    const uint64_t top = shift ? sign << shift | x.hi >> (64 - shift) : sign;
    size_t k = bit / 64;
    uint8_t carry;
    x = u128_shl(x, shift);
    if (k + 2 < length) {
        pc_u128 sum = {words[k], words[k + 1]};
        carry = u128_add(&sum, x);
        words[k] = sum.lo;
        words[k + 1] = sum.hi;
        carry = add_carry(&words[k + 2], top, carry);
        for (k += 3; k < length && carry != (sign & 1); k++)
            carry = add_carry(&words[k], sign, carry);
    } else {
        carry = add_carry(&words[k], x.lo, 0);
        if (++k < length)
            add_carry(&words[k], x.hi, carry);
    }
}

/* +-words * 2^exponent, the least significant first; limbs_view_of drops zero words at
 * either end. */
typedef struct {
    const uint64_t *word;
    size_t count;
    int exponent, negative;
} limbs_view;

limbs_view limbs_view_of(const uint64_t *word, size_t count, int exponent, int negative);

/* The sum of a moment; `scratch` is working memory, which the result may point to. */
limbs_view accumulator_limbs(const pc_accumulator *acc, pc_moment moment,
                             uint64_t scratch[PC_LIMBS]);

#endif
