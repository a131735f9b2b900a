/* Bounded sums: in an accumulator with the flag PC_BOUNDED, each window is within error_bound *
 * 2^exponent of the exact sum. If both ends of that interval round to the same result, so does the
 * exact sum; else the sum must be computed exactly. The limbs are unused.
 * docs/design/bounded.md has the bounds and their proof. */
#ifndef PYCRUST_BOUNDED_H
#define PYCRUST_BOUNDED_H

#include "../kernels/kernels.h"

/* Whether only the exact sum will do: for NaN, Inf, numbers out of the kernels' range, or an error
 * bound that overflows. */
static inline int is_inconclusive(const pc_accumulator *acc)
{
    return (acc->flags & PC_BOUND_TOO_WIDE) != 0;
}

static inline void mark_inconclusive(pc_accumulator *acc)
{
    acc->flags |= PC_BOUND_TOO_WIDE;
}

/* Raise the window's exponent to this one, if it is lower. */
void bounded_coarsen(pc_window *sum, int exponent);

/* One part += words, with an error of at most `error_bound` of its units. */
void bounded_add(pc_accumulator *acc, pc_moment part, const uint64_t words[4],
                 uint64_t error_bound);

void bounded_merge(pc_accumulator *acc, const pc_accumulator *other);
void bounded_scale(pc_accumulator *acc, uint64_t factor);

/* The least (side 0) or the largest (side 1) absolute value that the exact sum may have, with the
 * sign of the window. `room` is working memory. */
value bounded_end(const pc_window *sum, int side, uint64_t room[4]);

/* Whether the exact sum may have either sign. */
int bounded_spans_zero(const pc_window *sum);

/* One more for pc_rounding_test_failures. */
void count_rounding_test_failure(void);

/* ---- bounded_runs.c ------------------------------------------------------------------- */

/* Whether the level in use has a bounded kernel for this type of floats. */
static inline int has_bounded(pc_type type)
{
    return pc_kernels_in_use()->bounded[0][type - PC_FLOAT16] != NULL;
}

/* Add `count` reals, `stride` bytes apart (the parts of complex numbers: contiguous), without
 * counting them. */
void add_bounded(pc_accumulator *acc, pc_type type, int parts, const char *x, ptrdiff_t stride,
                 size_t count);

/* Add and count adjacent columns, n rows `stride` bytes apart: column c to sums[c]. `columns` is a
 * multiple of 8, at most PC_TILE. */
void add_bounded_columns(pc_sum *sums, pc_type type, const char *x, ptrdiff_t stride, size_t n,
                         size_t columns);

#endif
