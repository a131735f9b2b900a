/* Sums of squares from C: of 1 .. n, and of an array, whole and in pieces. */
#include "pycrust.h"

#include <inttypes.h>
#include <stdio.h>

int main(void)
{
    pc_walk walk = {0};
    pc_walk_to(&walk, 1000000);
    printf("1^2 + ... + 1000000^2 = %" PRIu64 "\n", walk.sum.lo); /* walk.sum.hi is 0 here */

    const double x[] = {3e160, 4e160};
    pc_accumulator whole, part, rest;
    pc_accumulator_clear(&whole);
    pc_add_squares(&whole, PC_FLOAT64, (const char *)x, 2);
    printf("norm of (3e160, 4e160) = %g\n", pc_accumulator_round(&whole, PC_NORM));

    pc_accumulator_clear(&part);
    pc_accumulator_clear(&rest);
    pc_add_squares(&part, PC_FLOAT64, (const char *)x, 1);
    pc_add_squares(&rest, PC_FLOAT64, (const char *)(x + 1), 1);
    if (pc_accumulator_merge(&part, &rest) != PC_OK)
        return 1;
    printf("norm in two pieces = %g\n", pc_accumulator_round(&part, PC_NORM));
    return 0;
}
