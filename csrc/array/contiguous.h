/* What contiguous.c does for reduce.c. */
#ifndef PYCRUST_CONTIGUOUS_H
#define PYCRUST_CONTIGUOUS_H

#include "../kernels/kernels.h"

/* Add `count` reals, native, one behind the other (complex numbers: parts is 2); the count of
 * `acc` stays. The floating-point environment is ours (fpenv.h). */
void add_reals(pc_accumulator *acc, pc_type type, int parts, const char *x, size_t count);

/* Add columns of floats that lie side by side, n rows `stride` bytes apart, and count them; NaN
 * are left out if skip_nan. Returns how many of the columns it did: it may leave some, or all. */
size_t add_columns(pc_sum *sums, pc_type type, const char *x, ptrdiff_t stride, size_t n,
                   size_t columns, int skip_nan);

#endif
