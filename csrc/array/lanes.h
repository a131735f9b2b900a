/* Many short sums at once: what lanes.c does for reduce.c. */
#ifndef PYCRUST_LANES_H
#define PYCRUST_LANES_H

#include "layout.h"

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
    ptrdiff_t *other_row; /* of a second array: the second half of row[], as the sums are shorter */
    cursor next;          /* the next output, along the kept axes */

    int of_products; /* of two arrays */
    /* The kernels for sums of products, and of the weights of an average; NULL if the sums are too
     * long, or there are no weights. other_contiguous: as `contiguous`, for the second array. */
    void (*products)(const lane_rows *, const lane_rows *, lane_sums *);
    void (*weights)(const lane_rows *, lane_sums *);
    int other_contiguous;
    /* The kernel that sums the numbers or products where they lie, from 1.5 * 2^lane_exponent on;
     * NULL if there is none. (For products in tiles, it is tried before `products`.) */
    lane_matrix_kernel *matrix_kernel;
    enum { IN_ROWS, IN_COLUMNS, IN_TILES } where;
    int integers; /* rows of integers, each summed by their kernels */
    summands summed;
    int lane_exponent[2], exponents_known;
    int met_nan;       /* whether there were NaN in the last matrix, if they are left out */
    int out_of_binade; /* whether a sum of the last matrix left its binade */
} lane_job;

/* Set up a reduction of `outputs` outputs from `first` on; 0 if it is not suited to lanes.
 * `paired`: adjacent outputs are the components of complex numbers, and have one result. */
int lanes_start(lane_job *job, const pc_array *array, const pc_output_spec *spec, size_t first,
                size_t outputs, int paired);

/* Write the next results, of at most `max` outputs; returns how many outputs. Sets *all to whether
 * all of them passed the rounding test; if not, those with certain[k] == 0 failed it, and are left
 * to the caller. `sums` is working memory for PC_MIN_SUMS sums. The caller has called fpenv_enter.
 */
size_t lanes_next(lane_job *job, size_t max, char *out, uint64_t certain[LANE_COLUMNS], int *all,
                  pc_tile_sum *sums);

/* The sums of one array from which a statistic is computed. */
static inline summands summands_of(const pc_output_spec *spec)
{
    return is_variance(spec->statistic) ? SUM_BOTH
           : is_linear(spec->statistic) ? SUM_NUMBERS
                                        : SUM_SQUARES;
}

/* Whether a lane_spec can hold it. */
static inline int fits_lanes(const pc_output_spec *spec)
{
    return spec->ddof_bits <= 16 && spec->ddof >> 40 == 0;
}

/* The next multiple of LANE_STEP. */
static inline size_t whole_steps(size_t columns)
{
    return (columns + LANE_STEP - 1) / LANE_STEP * LANE_STEP;
}

/* The result for the kernels to compute: of `count` numbers each or, if `counted`, of as many as
 * lane_sums.count says. */
lane_spec lane_spec_of(const pc_output_spec *spec, uint64_t count, int counted);

/* The sums of one row of floats, of LANE_STEP to MAX_MATRIX_LENGTH numbers, to column `c` of *sums:
 * with exponents of its own and, for SUM_BOTH, with an error bound of 0 where no addition was
 * rounded. *one is working memory. */
void sum_row_alone(const pc_kernels *kernels, pc_type type, summands what, int skip_nan,
                   const char *x, size_t length, lane_sums *one, lane_sums *sums, size_t c);

/* Write `count` results of the kernels to `out`, `stride` bytes apart. */
void write_lane_results(pc_type type, const double *value, const double *residual, size_t count,
                        char *out, ptrdiff_t stride);

#endif
