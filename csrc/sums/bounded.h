/* Bounded sums: in an accumulator with the flag PC_BOUNDED, each window is within error_bound *
 * 2^exponent of the exact sum. If both ends of that interval round to the same result, so does the
 * exact sum; else the sum must be computed exactly. The limbs are unused.
 * docs/design/bounded.md has the bounds and their proof. */
#ifndef PYCRUST_BOUNDED_H
#define PYCRUST_BOUNDED_H

#include "accumulator.h"

/* Whether only the exact sum will do: for NaN, Inf, numbers out of the kernels' range, or an error
 * bound that overflows. */
static inline int is_inconclusive(const pc_accumulator *acc)
{
    return (acc->flags & PC_SUM_INCONCLUSIVE) != 0;
}

static inline void mark_inconclusive(pc_accumulator *acc)
{
    acc->flags |= PC_SUM_INCONCLUSIVE;
}

/* Raise the window's exponent to this one, if it is lower. */
void bounded_coarsen(pc_window *window, int exponent);

/* The sum of a moment += that of another window, in units of the larger exponent of both. */
void bounded_add(pc_accumulator *acc, pc_moment moment, pc_window from);

void bounded_merge(pc_accumulator *acc, const pc_accumulator *other);
void bounded_scale(pc_accumulator *acc, uint64_t factor);

/* The least absolute value that the exact sum may have, or the largest one if `upper`, with the
 * sign of the window. `scratch` is working memory. */
limbs_view bounded_end(const pc_window *window, int upper, uint64_t scratch[4]);

/* Whether the exact sum may be of either sign. */
int bounded_spans_zero(const pc_window *window);

/* Count one more for pc_rounding_test_failures. */
void count_rounding_test_failure(void);

#endif
