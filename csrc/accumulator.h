/* The exact running sum, seen from inside: what the kernels and pycrust.h share.
 *
 * A sum of squares of doubles is a multiple of 2^-2148 below 2^2112 (for fewer
 * than 2^64 of them). It is held in two parts that add up:
 *
 *   window  256 bits at 2^exponent, where nearly all data go: block sums of one
 *           scale add up here with no more than a carry
 *   limb    the whole range, from 2^-2176: used (and cleared) only once data of
 *           another scale come, flag PC_LIMBS_USED
 *
 * Both hold non-negative integers, so that addition is integer addition, and
 * any order and grouping of it gives the same bits. */
#ifndef PYCRUST_ACCUMULATOR_H
#define PYCRUST_ACCUMULATOR_H

#include "u128.h"

/* Sums are below 2^HIGHEST, so that no carry ever leaves the limbs. */
enum { LOWEST = -2176, HIGHEST = 2112 };

/* The window for squares of doubles of exponents up to E, exact down to E - 49. */
static inline int window_of(int E)
{
    return 2 * E - 204;
}

/* Flags of pc_accumulator. */
enum {
    PC_LIMBS_USED = 1,
    PC_WINDOW_USED = 2,
    PC_SEEN_INF = 4,
    PC_SEEN_NAN = 8,
    PC_CERTIFIED = 16, /* the sum has slack: certified.h */
    PC_UNCERTAIN = 32  /* ... so much that nothing is known of it */
};

/* acc += sum * 2^exponent; sum below 2^220. */
void accumulator_add(pc_accumulator *acc, const uint64_t sum[4], int exponent);

/* acc += x^2. Integer arithmetic only. */
void accumulator_add_square(pc_accumulator *acc, double x);

/* words * 2^exponent, the least significant first; value_of drops zero words at
 * either end. */
typedef struct {
    const uint64_t *word;
    size_t count;
    int exponent;
} value;

value value_of(const uint64_t *word, size_t count, int exponent);

/* The sum. `room` is where window and limbs are added up if both are in use. */
value accumulator_value(const pc_accumulator *acc, pc_accumulator *room);

#endif
