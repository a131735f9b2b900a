/* Bounded sums: an accumulator with the flag PC_BOUNDED holds each sum but for its
 * `error_bound` units of 2^exponent, to either side. What rounds alike from both ends is
 * what the exact sum rounds to; else the exact way decides. The limbs stay unused.
 * docs/design/bounded.md has the bounds and their proof. */
#ifndef PYCRUST_BOUNDED_H
#define PYCRUST_BOUNDED_H

#include "../kernels/kernels.h"

/* What is asked of a sum is to be had only the exact way: NaN, Inf, a scale beyond
 * the kernels', or a wider error bound than can be counted. */
static inline int is_inconclusive(const pc_accumulator *acc)
{
    return (acc->flags & PC_BOUND_TOO_WIDE) != 0;
}

static inline void mark_inconclusive(pc_accumulator *acc)
{
    acc->flags |= PC_BOUND_TOO_WIDE;
}

/* Count in units of 2^exponent from now on, or stay with larger ones. */
void bounded_coarsen(pc_window *sum, int exponent);

/* One part += words, but for `error_bound` of its units. */
void bounded_add(pc_accumulator *acc, pc_moment part, const uint64_t words[4],
                 uint64_t error_bound);

void bounded_merge(pc_accumulator *acc, const pc_accumulator *other);
void bounded_scale(pc_accumulator *acc, uint64_t factor);

/* The least (side 0) and the largest (side 1) size that a sum may have; `negative` is the sign
 * of the sum itself. Works in `room`. */
value bounded_end(const pc_window *sum, int side, uint64_t room[4]);

/* Whether a sum may be of either sign. */
int bounded_spans_zero(const pc_window *sum);

/* One more for pc_rounding_test_failures. */
void count_rounding_test_failure(void);

/* ---- bounded_runs.c ------------------------------------------------------------------- */

/* Whether a kernel takes floats of this type. */
static inline int has_bounded(pc_type type)
{
    return pc_kernels_in_use()->bounded[0][type - PC_FLOAT16] != NULL;
}

/* acc += `count` of them, `stride` bytes apart (complex: side by side, of two parts each); its
 * own count stays. NaN are left out if skip_nan, of real numbers alone: returns how many. */
size_t add_bounded(pc_accumulator *acc, pc_type type, int parts, const char *x, ptrdiff_t stride,
                   size_t count, int skip_nan);

/* The same for columns of them that lie side by side, n rows `stride` bytes apart, which
 * are counted, NaN that are left out not: sums[c] for each. `columns` <= PC_TILE, and a multiple
 * of 8. */
void add_bounded_columns(pc_sum *sums, pc_type type, const char *x, ptrdiff_t stride, size_t n,
                         size_t columns, int skip_nan);

#endif
