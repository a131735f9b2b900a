/* The kernels of one level, and their table: one text a subject. */
#include "vectors.h"

#include "certified.h"
#include "exact.h"
#include "integers.h"
#include "range.h"

#if defined(fused)
enum { CERTIFIED_FROM = 256 };
#elif defined(FLOATS)
enum { CERTIFIED_FROM = 64 };
#else /* never */
#define CERTIFIED_FROM SIZE_MAX
#endif

const pc_kernels JOIN(pc_kernels_, LEVEL) = {
    .name = STRING(LEVEL),
    .squares_of_range = squares_of_range,
    .squares_of_integers = {squares_of_int8_t, squares_of_uint8_t, squares_of_int16_t,
                            squares_of_uint16_t, squares_of_int32_t, squares_of_uint32_t,
                            squares_of_int64_t, squares_of_uint64_t},
    .certified_from = CERTIFIED_FROM,
#ifdef FLOATS
    .lanes = ROW,
#ifdef widen16
    .certified = {certified_float16, certified_float32, certified_float64},
    .certified_columns = {certified_columns_of_float16, certified_columns_of_float32,
                          certified_columns_of_float64},
#else
    .certified = {NULL, certified_float32, certified_float64},
    .certified_columns = {NULL, certified_columns_of_float32, certified_columns_of_float64},
#endif
    .squares_of_float32 = squares_of_float32,
#ifdef fused
    .depth = DEPTH,
    .squares_of_float64 = squares_of_float64,
    .squares_of_columns = squares_of_columns,
#endif
#endif
};
