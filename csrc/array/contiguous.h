/* Contiguous numbers, and adjacent columns, through the kernels into accumulators. */
#ifndef PYCRUST_CONTIGUOUS_H
#define PYCRUST_CONTIGUOUS_H

#include "../kernels/kernels.h"

/* Add `count` contiguous reals in native byte order (the components of complex numbers if
 * components is 2), without counting them. The caller has called fpenv_enter. */
void add_reals(pc_accumulator *acc, pc_type type, int components, const char *x, size_t count);

/* Add and count adjacent columns of floats, n rows `stride` bytes apart; NaN are left out if
 * skip_nan. Returns how many of the columns were added: the caller adds the others, which may be
 * all. */
size_t add_columns(pc_tile_sum *sums, pc_type type, const char *x, ptrdiff_t stride, size_t n,
                   size_t columns, int skip_nan);

#endif
