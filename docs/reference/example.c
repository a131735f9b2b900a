/* Sums from C: of the squares 1 .. n; of an array, whole and in pieces. */
#include "pycrust.h"

#include <inttypes.h>
#include <stdio.h>

int main(void)
{
    pc_walk walk = {0};
    pc_walk_to(&walk, 1000000);
    printf("1^2 + ... + 1000000^2 = %" PRIu64 "\n", walk.sum.lo); /* walk.sum.hi is 0 here */

    const double x[] = {3e160, 4e160, 1e160};
    pc_output_spec norm = {PC_NORM, PC_FLOAT64, 1, 0, 0}, std = {PC_STD, PC_FLOAT64, 1, 0, 0};
    pc_tile_sum work;
    double result;
    pc_reduce_contiguous(PC_FLOAT64, 1, (const char *)x, 2, 0, &norm, &work, (char *)&result);
    printf("norm of (3e160, 4e160) = %g\n", result);

    pc_accumulator part, rest;
    pc_accumulator_clear(&part, PC_VAR); /* what a variance needs: both sums */
    pc_accumulator_clear(&rest, PC_VAR);
    pc_add_numbers(&part, PC_FLOAT64, 1, (const char *)x, 1);
    pc_add_numbers(&rest, PC_FLOAT64, 1, (const char *)(x + 1), 2);
    if (pc_accumulator_merge(&part, &rest) != PC_OK)
        return 1;
    pc_accumulator_round(&part, &std, (char *)&result);
    printf("standard deviation, from two pieces = %g\n", result);
    return 0;
}
