/* Rounding once: to the nearest number of a binary format, ties to even. */
#ifndef PYCRUST_ROUND_H
#define PYCRUST_ROUND_H

#include "accumulator.h"

/* A binary format of IEEE 754: significant bits, including the implicit one, and the exponent of
 * the least normal number. */
typedef struct {
    int digits, min_exponent;
} format;

static inline format format_of(pc_type type)
{
    format float64 = {53, -1022}, float32 = {24, -126}, float16 = {11, -14};
    return type == PC_FLOAT16 ? float16 : type == PC_FLOAT32 ? float32 : float64;
}

static inline uint64_t infinity_of(format f)
{
    return (uint64_t)(3 - 2 * f.min_exponent) << (f.digits - 1);
}

static inline uint64_t sign_bit_of(format f)
{
    return infinity_of(f) + (UINT64_C(1) << (f.digits - 1));
}

static inline uint64_t nan_of(format f)
{
    return infinity_of(f) | UINT64_C(1) << (f.digits - 2);
}

/* The bits of the number nearest to |v| / (divisor * other), or to its square root. */
uint64_t rounded_quotient(limbs_view v, uint64_t divisor, uint64_t other, int root, format f);

/* The most words of a divisor: two ends of a centered sum of products, multiplied. */
enum { END_WORDS = PC_LIMBS + 8, RATIO_WORDS = 2 * END_WORDS };

/* The bits of the number nearest to |v / w|, or to its square root; w is not 0. */
uint64_t rounded_ratio(limbs_view v, limbs_view w, int root, format f);

/* Store the bits of a number of this type. */
void write_bits(char *out, pc_type type, uint64_t bits);

#endif
