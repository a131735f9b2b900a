/* Included once per level: defines its kernels of exact squares, and their table. */
#include "vectors.h"

#include "exact.h"
#include "range.h"

const pc_square_kernels JOIN(pc_squares_, LEVEL) = {
    .squares_of_range = squares_of_range,
#ifdef FLOATS
    .sums_of_float32 = sums_of_float32,
#ifdef fused
    .exponent_range = EXPONENT_RANGE,
    .sums_of_float64 = sums_of_float64,
    .sums_of_columns = sums_of_columns,
#endif
#endif
};
