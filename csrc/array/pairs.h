/* Products of the elements of two arrays: what pairs.c does for reduce.c. */
#ifndef PYCRUST_PAIRS_H
#define PYCRUST_PAIRS_H

#include "layout.h"

/* Where two arrays and a mask (or NULL) begin. */
typedef struct {
    const char *x, *y, *mask;
} pair_data;

/* Add and count n pairs along one axis. */
void add_pair_run(pc_accumulator *acc, const pc_array *a, pair_data from, pc_axis axis, size_t n);

/* Add n pairs along one axis, for each of `count` adjacent outputs along another. */
void add_pair_columns(pc_tile_sum *sums, const pc_array *a, pair_data from, pc_axis along, size_t n,
                      pc_axis across, size_t count);

/* Whether products of these types are floats. */
int products_are_floats(const pc_array *a);

#endif
