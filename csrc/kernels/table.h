/* Included once per level: defines its kernels, and their tables. */
#include "squares.h"

#include "bounded.h"
#include "integers.h"
#include "lanes.h"
#include "pairs.h"
#include "matrices.h"
#include "groups.h"
#include "moving.h"

#if defined(fused)
enum { MIN_BOUNDED = 256 };
#elif defined(FLOATS)
enum { MIN_BOUNDED = 64 };
#else /* never */
#define MIN_BOUNDED SIZE_MAX
#endif

const pc_kernels JOIN(pc_kernels_, LEVEL) = {
    .squares_of_integers = {squares_of_int8_t, squares_of_uint8_t, squares_of_int16_t,
                            squares_of_uint16_t, squares_of_int32_t, squares_of_uint32_t,
                            squares_of_int64_t, squares_of_uint64_t},
    .sum_of_integers = {sum_of_int8_t, sum_of_uint8_t, sum_of_int16_t, sum_of_uint16_t,
                        sum_of_int32_t, sum_of_uint32_t, sum_of_int64_t, sum_of_uint64_t},
    .products_of_integers = {products_of_int8_t, products_of_uint8_t, products_of_int16_t,
                             products_of_uint16_t, products_of_int32_t, products_of_uint32_t},
    .min_bounded = MIN_BOUNDED,
#ifdef FLOATS
    .lanes = {ROW, ROW / 2},
#ifdef widen16
#define FOR_FLOATS(name) {name##float16, name##float32, name##float64}
#else
#define FOR_FLOATS(name) {NULL, name##float32, name##float64}
#endif
    .bounded = {FOR_FLOATS(squares_), FOR_FLOATS(moments_)},
    .bounded_products = FOR_FLOATS(products_of_),
    .nanbounded = FOR_FLOATS(nanmoments_),
    .nanbounded_sums = FOR_FLOATS(nansums_of_),
    .nanbounded_columns = FOR_FLOATS(nanmoments_columns_of_),
    .bounded_columns = {FOR_FLOATS(squares_columns_of_), FOR_FLOATS(moments_columns_of_)},
#ifdef fused
    .product_exponent_range = PRODUCT_EXPONENT_RANGE,
    .sums_of_products = sums_of_products,
#define OF_SUMS(name, type) {[SUM_NUMBERS] = name##type##_numbers, [SUM_BOTH] = name##type##_both}
#define OF_LANES(name, type) {name##type##_numbers, name##type##_squares, name##type##_both}
#ifdef widen16
#define OF_FLOAT16(name) OF_LANES(name, float16)
#else
#define OF_FLOAT16(name) {NULL, NULL, NULL}
#endif
#define OF_TYPES(name)                                                                             \
    {OF_LANES(name, int8),   OF_LANES(name, uint8),   OF_LANES(name, int16),                       \
     OF_LANES(name, uint16), OF_LANES(name, int32),   OF_LANES(name, uint32),                      \
     OF_LANES(name, int64),  OF_LANES(name, uint64),  OF_LANES(name, bool),                        \
     OF_FLOAT16(name),       OF_LANES(name, float32), OF_LANES(name, float64)}
    .few_centered_squares =
        {
#ifdef widen16
            [PC_FLOAT16] = few_centered_squares_of_float16,
#endif
            [PC_FLOAT32] = few_centered_squares_of_float32,
            [PC_FLOAT64] = few_centered_squares_of_float64,
        },
    .lane_sums = {OF_TYPES(lanes_of_),
                  {
#ifdef widen16
                      [PC_FLOAT16] = OF_SUMS(nanlanes_of_, float16),
#endif
                      [PC_FLOAT32] = OF_SUMS(nanlanes_of_, float32),
                      [PC_FLOAT64] = OF_SUMS(nanlanes_of_, float64)}},
    .compare_labels = {compare_labels_of_int32, compare_labels_of_int64},
    .group_sums = {[PC_INT32] = OF_SUMS(groups_of_, int32),
                   [PC_INT64] = OF_SUMS(groups_of_, int64),
                   [PC_FLOAT32] = OF_SUMS(groups_of_, float32),
                   [PC_FLOAT64] = OF_SUMS(groups_of_, float64)},
    .lane_products = {product_lanes_of_int8, product_lanes_of_uint8, product_lanes_of_int16,
                      product_lanes_of_uint16, product_lanes_of_int32, product_lanes_of_uint32,
                      NULL, NULL, product_lanes_of_bool, PRODUCT_LANES_OF_FLOAT16,
                      product_lanes_of_float32, product_lanes_of_float64},
#define WIDER(name) {name##float32, name##float64}
#define MATRIX_KERNELS(way)                                                                        \
    {                                                                                              \
        {WIDER(number_##way##_of_), WIDER(square_##way##_of_), WIDER(both_##way##_of_),            \
         WIDER(product_##way##_of_), WIDER(weighted_##way##_of_)},                                 \
        {                                                                                          \
            [SUM_NUMBERS] = WIDER(nannumber_##way##_of_), [SUM_BOTH] = WIDER(nanboth_##way##_of_)  \
        }                                                                                          \
    }
    .matrix_rows = MATRIX_KERNELS(rows),
    .matrix_columns = MATRIX_KERNELS(columns),
    .gridded_rows = {WIDER(gridded_rows_of_), WIDER(nangridded_rows_of_)},
    .largest = WIDER(largest_),
    .lane_results = lane_results,
    .moving = {{{move_numbers_2, move_numbers_3}, {move_both_2, move_both_3}},
               {{move_finite_numbers_2, move_finite_numbers_3},
                {move_finite_both_2, move_finite_both_3}},
               {{add_numbers_2, add_numbers_3}}},
    .extend_range = extend_range,
    .start = {{start_numbers_2, start_numbers_3}, {start_both_2, start_both_3}},
    .slide = {{[0] = {slide_prefix_2, slide_prefix_3},
               [PC_SUM] = {slide_sum_2, slide_sum_3},
               [PC_MEAN] = {slide_mean_2, slide_mean_3},
               [PC_VAR] = {slide_var_2, slide_var_3}},
              {[PC_SUM] = {nanslide_sum_2, nanslide_sum_3},
               [PC_MEAN] = {nanslide_mean_2, nanslide_mean_3},
               [PC_VAR] = {nanslide_var_2, nanslide_var_3}}},
    .transpose_columns = transpose_columns,
    .transpose_narrow = {transpose_uint8_t, transpose_uint16_t, transpose_uint32_t},
#endif
#endif
};
