/* Elements of an array, copied to contiguous blocks for the kernels. */
#ifndef PYCRUST_GATHER_H
#define PYCRUST_GATHER_H

#include "layout.h"

/* Copy columns x rows elements of `size` bytes; at `to` each column is contiguous, `pitch` bytes
 * after the one before. */
void gather_columns(char *to, size_t pitch, const char *from, size_t size, size_t rows,
                    ptrdiff_t row_stride, size_t columns, ptrdiff_t column_stride);

/* Reverse the bytes of each of n numbers. */
void swap_bytes(char *x, size_t size, size_t n);

/* Put 0 in the place of those of n contiguous elements that the mask (or NULL) leaves out, and of
 * NaN if skip_nan; returns how many are left. */
size_t leave_out_of(pc_type type, int components, int skip_nan, char *x, size_t n, const char *mask,
                    ptrdiff_t mask_stride);

/* The same for elements of an array, with its `skip_nan`. */
size_t leave_out(const pc_array *a, char *x, size_t n, const char *mask, ptrdiff_t mask_stride);

#endif
