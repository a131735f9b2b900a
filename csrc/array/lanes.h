/* Many short sums at once: what lanes.c does for reduce.c. */
#ifndef PYCRUST_LANES_H
#define PYCRUST_LANES_H

#include "../kernels/kernels.h"

/* A reduction by lanes, and its progress. */
typedef struct {
    const pc_array *array;
    const pc_kernels *kernels;
    void (*sum)(const lane_rows *, lane_sums *);
    lane_spec spec;
    pc_type type;   /* of the results */
    int contiguous; /* the elements of one output */
    lane_rows from;
    ptrdiff_t row[LANE_ROWS], mask_row[LANE_ROWS]; /* offsets of the elements of an output */
    size_t index[PC_MAX_AXES];                     /* of the next output, along the kept axes */
    ptrdiff_t data, mask, out, other;              /* its offsets */

    /* Of two arrays the sums of products: what is said of the first above, for the second. */
    void (*products)(const lane_rows *, const lane_rows *, lane_sums *);
    int other_contiguous;
    ptrdiff_t other_row[LANE_ROWS];
} lane_job;

/* Set up a reduction of `outputs` outputs from `first` on; 0 if it is not suited to lanes. */
int lanes_start(lane_job *job, const pc_array *array, const pc_output_spec *spec, size_t first,
                size_t outputs);

/* Write the next results, at most `most`. Those with certain[k] == 0 failed the
 * rounding test: the caller computes them exactly. Returns the number of outputs, and sets *all
 * to whether all are certain. Works in PC_MIN_SUMS
 * `sums`. The caller has called fpenv_enter. */
size_t lanes_next(lane_job *job, size_t most, char *out, uint64_t certain[LANE_COLUMNS], int *all,
                  pc_tile_sum *sums);

#endif
