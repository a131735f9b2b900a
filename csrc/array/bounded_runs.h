/* Floats through the bounded kernels, for contiguous.c, reduce.c, pairs.c and lanes.c. */
#ifndef PYCRUST_BOUNDED_RUNS_H
#define PYCRUST_BOUNDED_RUNS_H

#include "../kernels/kernels.h"

/* The lane exponents that the kernels take. */
enum { LANE_EXPONENT_MIN = -900, LANE_EXPONENT_MAX = 1000 };

/* The least lane exponent that leaves a lane that reached `max` room for 2^spare times as much;
 * above LANE_EXPONENT_MAX if there is none. */
static inline int lane_exponent_above(double max, int spare)
{
    int lane_exponent = (int)(bits_of(max) >> 52) - 1023 + 1 + spare;
    return lane_exponent < LANE_EXPONENT_MIN ? LANE_EXPONENT_MIN : lane_exponent;
}

/* Whether the level in use has a bounded kernel for this type of floats. */
static inline int has_bounded(pc_type type)
{
    return pc_kernels_in_use()->bounded[0][type - PC_FLOAT16] != NULL;
}

/* Add `count` reals, `stride` bytes apart (the components of complex numbers: contiguous), without
 * counting them. Leaves out NaN if skip_nan (of real numbers alone), and returns how many. */
size_t add_bounded(pc_accumulator *acc, pc_type type, int components, const char *x,
                   ptrdiff_t stride, size_t count, int skip_nan);

/* The sum of a moment += the sum of n products x y, or of n numbers x if y is NULL, `x_stride` and
 * `y_stride` bytes apart. */
void add_bounded_products(pc_accumulator *acc, pc_moment moment, pc_type type, const char *x,
                          ptrdiff_t x_stride, const char *y, ptrdiff_t y_stride, size_t n);

/* Add n <= MAX_MATRIX_LENGTH products x y of contiguous floats and, as numbers, the weights y, in
 * one pass. Returns 0, with nothing added, if the level has no kernel for it, or the windows, which
 * other sums set, no room. */
int add_weighted_row(pc_accumulator *acc, pc_type type, const char *x, const char *y, size_t n);

/* Add and count adjacent columns, n rows `stride` bytes apart: column c to sums[c]. `columns` is a
 * multiple of 8, at most PC_TILE. NaN are left out, and not counted, if skip_nan. */
void add_bounded_columns(pc_tile_sum *sums, pc_type type, const char *x, ptrdiff_t stride, size_t n,
                         size_t columns, int skip_nan);

#endif
