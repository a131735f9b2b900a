/* Many short sums at once: what lanes.c does for reduce.c. */
#ifndef PYCRUST_LANES_H
#define PYCRUST_LANES_H

#include "../kernels/kernels.h"

/* A reduction by lanes, and how far it has come. */
typedef struct {
    const pc_array *array;
    const pc_kernels *kernels;
    void (*sum)(const lane_rows *, lane_sums *);
    lane_figure figure;
    pc_type type;   /* of the results */
    int contiguous; /* the elements of one position: 8 bytes each */
    lane_rows from;
    ptrdiff_t row[LANE_ROWS], mask_row[LANE_ROWS]; /* from a position to its elements */
    size_t index[PC_MAX_AXES];                     /* of the next position, along the kept axes */
    ptrdiff_t data, mask, out;                     /* where that is */
} lane_job;

/* Whether lanes are the way to the results of `positions` positions, from `first` on. */
int lanes_start(lane_job *job, const pc_array *array, const pc_output_spec *figure, size_t first,
                size_t positions);

/* Write the next results, of at most `most` positions: those at `out` where certain[k] is not 0;
 * the others are to be found in another way. Returns how many there were, and sets *all to whether
 * all are certain. Works in PC_LEAST_SUMS `sums`. The floating-point environment is ours
 * (fpenv.h). */
size_t lanes_next(lane_job *job, size_t most, char *out, uint64_t certain[LANE_COLUMNS], int *all,
                  pc_sum *sums);

#endif
