#ifndef TALLY_H
#define TALLY_H

#include <stddef.h>
#include <stdint.h>

/* Count how many of `size` values fall into each of `bins` bins: add them to counts[0 .. bins).
 * Bin b holds edges[b] <= x < edges[b + 1]; the last one holds its right edge, too.
 * What lies outside, and NaN, is not counted. The bins + 1 edges ascend. */
void tally_count(const double *values, size_t size, const double *edges, size_t bins,
                 int64_t *counts);

/* The same for each of `rows` rows of `columns` values; each has its own row of counts. */
void tally_rows(const double *values, size_t rows, size_t columns, const double *edges, size_t bins,
                int64_t *counts);

#endif
