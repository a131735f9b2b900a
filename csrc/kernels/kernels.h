/* The tables of kernels of a SIMD level. The headers beside this one define the kernels, and are
 * compiled once for each level (avx512ifma shares most of them with avx512); dispatch.c picks the
 * level.
 *
 * Block exponents are E, and lane exponents k, in the kernels as in their proofs. */
#ifndef PYCRUST_KERNELS_H
#define PYCRUST_KERNELS_H

#include "../sums/accumulator.h"

#include <string.h>

/* 2^e, -1022 <= e <= 1023. */
static inline double power(int e)
{
    uint64_t bits = (uint64_t)(e + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The range of magnitudes in a block of floats, as the upper 32 bits of a double (float32: all 32
 * bits): the largest |x|, and the smallest |x| less 1 ulp, in which 0 wraps around. */
typedef struct {
    uint32_t min, max;
} magnitude_range;

/* The sums over a block of floats: of the squares, in units of 2^square_window_exponent(E); of the
 * numbers with even and with odd index (in two's complement), in units of
 * 2^number_window_exponent(E). */
typedef struct {
    uint64_t squares[4];
    pc_u128 numbers[2];
    magnitude_range magnitudes;
} block_sums;

/* The most elements in one call of a kernel. */
enum { FLOAT_BLOCK = 2048, INTEGER_BLOCK = 1 << 16 };

/* The same for a block of products, in units of 2^product_window_exponent(E); the magnitudes are
 * those of the rounded products. */
typedef struct {
    uint64_t sum[4];
    magnitude_range magnitudes;
    int zeros; /* whether any product may have been 0, or rounded to 0 */
} product_sums;

/* The most columns in one call of sums_of_columns and of a columns_kernel, and the most elements in
 * a buffer on the stack: no call uses more than 19 KiB of the stack, since a thread may have as
 * little as 32 KiB. */
enum { STRIP = 32, BOUNDED_STRIP = 256, BUFFER = 128 };

/* Bounded sums, for a lane exponent k: of the squares, units * 2^(k-52) + residual; of the numbers
 * with even and with odd index, likewise with numbers_exponent(k) for k. Valid if `overflow_at` is
 * 0: else a lane of the squares reached that value, and a larger k is needed. */
typedef struct {
    uint64_t units, number_units[2]; /* these in two's complement */
    double residual, number_residual[2], overflow_at;
    uint64_t missing; /* how many NaN were left out */
} bounded_sums;

/* By Cauchy-Schwarz, the sum of 2048 numbers whose squares sum up to little more than 2^k, or less,
 * is below 2^(numbers_exponent(k) - 1) in absolute value. */
static inline int numbers_exponent(int lane_exponent)
{
    return ((lane_exponent + 2001) >> 1) - 1000 + 7; /* half of it, rounded up */
}

/* The start of such a kernel's sum of the numbers: the middle of a binade, for either sign. */
static inline double start_of_numbers(int lane_exponent)
{
    return 1.5 * power(numbers_exponent(lane_exponent));
}

/* The most elements in one call of a bounded kernel, so that `units` stays below 2^64; and the
 * least number of contiguous elements that are read as several streams, which hardware prefetches
 * faster than one: 0.6 of the time from memory, 0.5 from the L3 cache (sumsq, Zen 3). Streams whose
 * distance is a power of two would share cache sets. */
enum { BOUNDED_RUN = (1 << 17) - 512, MIN_STREAMED = 1 << 14 };

/* Adds up to n numbers; see pc_kernels.bounded. */
typedef size_t bounded_kernel(const char *x, ptrdiff_t stride, size_t n, int lane_exponent,
                              bounded_sums *partial);

/* The same for the sum of products, `units` in two's complement; y = NULL stands for ones. If the
 * sum left its binade, `overflow_at` is the sum of the absolute values in that block. */
typedef size_t products_kernel(const char *x, ptrdiff_t x_stride, const char *y, ptrdiff_t y_stride,
                               size_t n, int lane_exponent, bounded_sums *partial);

/* The same for columns, in the notation of bounded.h: s and t for the squares, a and b for the
 * numbers; initially s = 2^k and a = start_of_numbers(k). */
typedef struct {
    double s[BOUNDED_STRIP], t[BOUNDED_STRIP], a[BOUNDED_STRIP], b[BOUNDED_STRIP];
    uint64_t missing[BOUNDED_STRIP]; /* NaN that were left out */
} column_sums;

typedef void columns_kernel(const char *x, ptrdiff_t stride, size_t rows, size_t columns,
                            const int *lane_exponent, column_sums *sums);

/* ---- lanes (kernels/lanes.h) ---------------------------------------------- */

/* In one call of a kernel: at most LANE_COLUMNS outputs, a multiple of LANE_STEP, of at most
 * LANE_ROWS numbers each. */
enum { LANE_COLUMNS = 64, LANE_STEP = 8, LANE_ROWS = 256 };

/* Variances of at most so many floats have a kernel of their own. */
enum { MAX_CENTERED = 4 };

/* The most elements of one output in a lane_matrix. */
enum { MAX_MATRIX_LENGTH = 4096 };

/* Row r, which begins at x + row[r], has element r of each output; each output has a column.
 * `difference`: subtract all rows but the first (of numbers alone). `ahead`: how many bytes beyond
 * each row to prefetch, or 0. */
typedef struct {
    const char *x;
    const ptrdiff_t *row;
    size_t rows, columns;
    int difference;
    ptrdiff_t ahead;
} lane_rows;

/* For each column the sums of the numbers and of the squares: high [0] + low [1], with the error
 * bound [2]. If both are summed: `grid`, a power of two of which all numbers are multiples, and
 * `common_magnitude`, the absolute value that all of them have, or NaN if there is none. If NaN are
 * left out, `count` is how many numbers were summed. */
typedef struct {
    double number[3][LANE_COLUMNS], square[3][LANE_COLUMNS];
    double grid[LANE_COLUMNS], common_magnitude[LANE_COLUMNS], count[LANE_COLUMNS];
} lane_sums;

/* Groups of contiguous numbers: group k has the numbers at[k] to at[k + 1] - 1; x has `end` numbers
 * in all. */
typedef struct {
    const char *x;
    const size_t *at;
    size_t groups, end;
} lane_groups;

/* The most numbers of a group that group_sums sums. */
enum { MAX_SHORT_GROUP = 128 };

/* Labels that are compared at a time by compare_labels. */
enum { LABELS_STEP = 16 };

/* What is summed: the numbers, their squares, or both; the products of two numbers, or these and
 * the second numbers, which are weights. */
typedef enum { SUM_NUMBERS, SUM_SQUARES, SUM_BOTH, SUM_PRODUCTS, SUM_WEIGHTED } summands;

/* A matrix, or two of the same shape; each output is the sum of `length` elements. To sum rows: the
 * elements of an output are contiguous, and x_step and y_step are the bytes from one output to the
 * next. To sum columns: the outputs, a multiple of LANE_STEP, are contiguous, and x_step and y_step
 * are the bytes from one element to the next. */
typedef struct {
    const char *x, *y;
    ptrdiff_t x_step, y_step;
    size_t length, outputs;
    ptrdiff_t ahead; /* in columns: how many bytes beyond each row to prefetch, or 0 */
} lane_matrix;

/* The sums of each output, with an error bound. They start at +-1.5 * 2^exponent[0]; a second sum,
 * of numbers beside squares or of weights, starts at 1.5 * 2^exponent[1]. Returns whether all sums
 * stayed in these binades; those that did not are NaN. For SUM_BOTH, exponent[1] is
 * numbers_exponent(exponent[0]). */
typedef int lane_matrix_kernel(const lane_matrix *from, const int exponent[2], lane_sums *sums);

/* The most numbers in a sum that lane_results takes: its divisors stay below 2^52. */
enum { MAX_LANE_COUNT = 1 << 17 };

/* The result that lane_results computes from the sums. */
typedef struct {
    pc_statistic statistic;
    int integer;   /* an integer result */
    int counted;   /* use lane_sums.count, not `count` */
    int centered;  /* lane_sums.square is n * squares - number^2 already */
    int absolute;  /* the absolute value */
    int paired;    /* adjacent lanes have one result: that of both sums of squares */
    unsigned drop; /* significant bits of a double that the result type lacks */
    double min;    /* the least result of full precision; for integers, the least result */
    double count, ddof, scale; /* scale: 2^ddof_bits */
    double divisor, inverse;   /* inverse: 1 / divisor, rounded */
} lane_spec;

/* ---- moving windows (kernels/moving.h) -------------------------------------- */

/* The sums over a window of the pieces of each number, or of each square: piece k is a multiple of
 * the unit magic[k] / (1.5 * 2^52). `inexact`: whether the pieces of some number that entered last
 * do not add up to it. */
typedef struct {
    double magic[3], sum[3];
    int inexact;
} moving_pieces;

/* The sums of the numbers and of the squares of x, or of x - pivot if squares are summed. `max`:
 * the largest magnitude that entered last; `count`: how many numbers are not NaN, where NaN are
 * left out. Without squares, a slide_kernel sets number.inexact to the number (from 1 on) of the
 * last block in which pieces do not add up. */
typedef struct {
    moving_pieces number, square;
    double pivot, max, count;
} moving_sums;

/* The result that a slide_kernel computes. `count`: the numbers in a window; per_count and inverse:
 * 1 / count and 1 / divisor, rounded. `error_bound`: that of a sum, or of squares - number^2 /
 * count; `bound`: that of a result. |x - pivot| is at most max_units, a power of two, in units of
 * the first piece. `exact`, for sums and means: all pieces in the window add up, so that there is
 * no error, and means whose square is tie_square or more may be ties. Where NaN are left out, count
 * and divisor are found for each window, and windows of fewer than min_count numbers give NaN. */
typedef struct {
    double count, per_count, divisor, inverse, error_bound, bound, tie_square, min_count, ddof;
    uint64_t max_units;
    int exact, root; /* root: of the variances */
} moving_spec;

/* LANE_COLUMNS numbers enter the window, and as many leave it, one after another: gives the sums
 * after each, with error bounds that do not include what pieces fail to add up to. */
typedef void moving_kernel(const double *in, const double *out, moving_sums *state,
                           lane_sums *sums);

/* The same for `blocks` blocks, and the results themselves. Returns how many blocks were done: it
 * stops before a block with a result that is not certain, a number out of range or, if `exact`,
 * pieces that do not add up. */
typedef size_t slide_kernel(const double *in, const double *out, moving_sums *state,
                            const moving_spec *spec, double *value, size_t blocks);

/* The sums of one column. */
static inline bounded_sums column_partial(const column_sums *sums, size_t c, int lane_exponent,
                                          int both)
{
    bounded_sums partial = {0};
    partial.units = bits_of(sums->s[c]) - bits_of(power(lane_exponent));
    partial.residual = sums->t[c];
    partial.missing = sums->missing[c];
    partial.overflow_at = partial.units >> 52 ? sums->s[c] : 0.0;
    if (both) {
        partial.number_units[0] = bits_of(sums->a[c]) - bits_of(start_of_numbers(lane_exponent));
        partial.number_residual[0] = sums->b[c];
    }
    return partial;
}

/* Exact squares (kernels/exact.h, kernels/range.h): what the 52-bit integer multiply-add is for. */
typedef struct {
    /* *sum += first^2 + ... + (first + count - 1)^2. The caller keeps every
     * square below 2^86 and the sum below 2^127. */
    void (*squares_of_range)(uint64_t first, uint64_t count, pc_u128 *sum);

    /* The sums of floats and of their squares, n <= FLOAT_BLOCK. Exact if exact32 or exact64 of
     * contiguous.c accepts the magnitude_range for E; else the sums are meaningless. NULL if the
     * level has no such kernel. */
    void (*sums_of_float32)(const char *x, size_t n, int block_exponent, block_sums *sums);
    int exponent_range; /* float64: magnitudes from 2^(E - exponent_range) on are exact */
    void (*sums_of_float64)(const char *x, size_t n, int block_exponent, block_sums *sums);

    /* The same for each column of a matrix of float64, the rows `stride` bytes
     * apart: rows <= FLOAT_BLOCK, columns <= STRIP and a multiple of 8. */
    void (*sums_of_columns)(const char *x, ptrdiff_t stride, size_t rows, size_t columns,
                            const int *block_exponent, block_sums *sums);
} pc_square_kernels;

/* All other kernels. */
typedef struct {
    /* sum = x[0]^2 + ... + x[n - 1]^2, unaligned, n <= INTEGER_BLOCK. */
    void (*squares_of_integers[8])(const char *x, size_t n, uint64_t sum[4]);

    /* sum = x[0] + ... + x[n - 1], in two's complement. */
    void (*sum_of_integers[8])(const char *x, size_t n, uint64_t sum[4]);

    /* Bounded sums of the squares alone [0], or of the numbers, too [1], by type - PC_FLOAT16;
     * NULL for float16 if the level has none; `nanbounded`, of both, leaves out NaN. n <=
     * BOUNDED_RUN numbers, `stride` bytes apart; -900 <= lane_exponent <= 1000. Stops before a
     * block in which a lane exceeds its range: returns how many numbers were added (0 if they were
     * to be streamed), and sets partial->overflow_at if that is not all. */
    size_t lanes[2];    /* how many partial sums they use */
    size_t min_bounded; /* from so many numbers on they are faster than the exact kernels */
    bounded_kernel *bounded[2][3], *nanbounded[3];

    /* The same for products, or for numbers if y is NULL, in lanes[0] partial sums;
     * `nanbounded_sums` for numbers, with NaN left out. */
    products_kernel *bounded_products[3], *nanbounded_sums[3];

    /* Exact sums of products of float64, n <= FLOAT_BLOCK, if exact_products of array/pairs.c
     * accepts the magnitudes; NULL if the level has no such kernel. And of integers of up to 32
     * bits. */
    int product_exponent_range;
    void (*sums_of_products)(const char *x, const char *y, size_t n, int block_exponent,
                             product_sums *sums);
    void (*products_of_integers[6])(const char *x, const char *y, size_t n, uint64_t sum[4]);

    /* Bounded sums of each column of a matrix, as sums_of_columns: columns <= BOUNDED_STRIP. */
    columns_kernel *bounded_columns[2][3], *nanbounded_columns[3];

    /* Many short sums at once, each in a vector lane, by type and by summands; [1], for floats
     * alone, leaves out NaN, and has no sums of squares alone. NULL if the level has no such
     * kernel.
     */
    void (*lane_sums[2][PC_FLOAT64 + 1][3])(const lane_rows *from, lane_sums *sums);

    /* The same for 2 to MAX_CENTERED floats, n: n * squares - number^2 in the place of the squares.
     */
    void (*few_centered_squares[PC_FLOAT64 + 1])(const lane_rows *from, lane_sums *sums);

    /* Whether n labels of int32, or [1] of int64, are not negative, and none is below the one
     * before it; there is a label before the first. n <= 64 * LABELS_STEP; labels up to the next
     * multiple of LABELS_STEP are read. Bit k of *changes: whether one of step k differs from the
     * one before it. NULL as lane_sums. */
    int (*compare_labels[2])(const char *labels, size_t n, uint64_t *changes);

    /* The sums of at most LANE_COLUMNS groups, NaN for those longer than MAX_SHORT_GROUP, and the
     * count of each. By type and by summands, but for squares alone; NULL as lane_sums. */
    void (*group_sums[PC_FLOAT64 + 1][3])(const lane_groups *from, lane_sums *sums);

    /* The sums of the products of two tiles of one type, as those of numbers. NULL if the level, or
     * the type, has no such kernel. */
    void (*lane_products[PC_FLOAT64 + 1])(const lane_rows *x, const lane_rows *y, lane_sums *sums);

    /* Many bounded sums of floats at once (matrices.h), of at most MAX_MATRIX_LENGTH elements each:
     * of rows of at least LANE_STEP elements, and of columns. By summands, and by type -
     * PC_FLOAT32. [1] leaves out NaN, and counts what is left; it has no sums of squares alone.
     * Sums of products are in lane_sums.number or, beside weights, in lane_sums.square. NULL as
     * lane_sums. */
    lane_matrix_kernel *matrix_rows[2][SUM_WEIGHTED + 1][2],
        *matrix_columns[2][SUM_WEIGHTED + 1][2];

    /* matrix_rows for SUM_BOTH, with `grid` and `common_magnitude`, and an error bound of 0 where
     * no addition was rounded. */
    lane_matrix_kernel *gridded_rows[2][2];

    /* The largest absolute value in a matrix, NaN ignored. */
    double (*largest[2])(const char *x, ptrdiff_t stride, size_t rows, size_t columns);

    /* The results of these sums: `value`, or value + residual for integers. Where `certain` is all
     * ones, the rounding test was passed, and the result is correctly rounded; else it is 0.
     * Returns whether all are certain. */
    int (*lane_results)(const lane_spec *spec, lane_sums *sums, size_t columns, double *value,
                        double *residual, uint64_t *certain);

    /* By what the numbers are: all finite [0]; others are left out [1]; others are left out, and no
     * number leaves the window [2]. By what is summed: numbers [0], or squares, too [1] (not in the
     * last case). In 2 pieces [0], or 3 [1]. NULL as lane_sums. */
    moving_kernel *moving[3][2][2];

    /* To start a window, with LANE_COLUMNS numbers: extend a range by those that are finite, and
     * return whether all are; add their pieces, of the numbers [0] or of both [1], 2 [0] or 3 [1].
     */
    int (*extend_range)(const double *x, double *min, double *max);
    void (*start[2][2])(const double *in, moving_sums *state);

    /* For full windows of finite numbers [0], or with NaN left out [1]; by statistic, PC_SUM to
     * PC_VAR, where the first of [0] is for prefix sums of finite numbers. In 2 pieces [0], or 3
     * [1].
     */
    slide_kernel *slide[2][PC_VAR + 1][2];

    /* Copy `count` contiguous columns of `rows` numbers of 8 bytes, `stride` bytes apart, to
     * contiguous rows, `pitch` numbers apart. */
    void (*transpose_columns)(char *to, size_t pitch, const char *from, ptrdiff_t stride,
                              size_t count, size_t rows);

    /* The same for numbers of 1, 2 and 4 bytes. */
    void (*transpose_narrow[3])(char *to, size_t pitch, const char *from, ptrdiff_t stride,
                                size_t count, size_t rows);
} pc_kernels;

extern const pc_kernels pc_kernels_portable;
extern const pc_kernels pc_kernels_avx2;
extern const pc_kernels pc_kernels_avx512;

extern const pc_square_kernels pc_squares_portable;
extern const pc_square_kernels pc_squares_avx2;
extern const pc_square_kernels pc_squares_avx512;
extern const pc_square_kernels pc_squares_avx512ifma;

/* The tables of the level in use, which the first call chooses. */
const pc_kernels *pc_kernels_in_use(void);
const pc_square_kernels *pc_squares_in_use(void);

/* Prefetch the cache line `ahead` bytes after an address; an invalid address is harmless. */
#ifdef __GNUC__
#define after(address, ahead) ((const void *)((uintptr_t)(address) + (uintptr_t)(ahead)))
#define prefetch(address, ahead) __builtin_prefetch(after(address, ahead))
#define prefetch_to_l2(address, ahead) __builtin_prefetch(after(address, ahead), 0, 2)
#else
#define prefetch(address, ahead) ((void)(address), (void)(ahead))
#define prefetch_to_l2(address, ahead) prefetch(address, ahead)
#endif

/* x86-64 under gcc or clang: the only builds with levels above portable. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(PC_NO_VECTORS)
#define PC_X86_LEVELS 1

/* How many levels, from portable up, a processor can run, given ECX of CPUID leaf 1, EBX of leaf 7,
 * and XCR0. */
size_t levels_of(uint32_t leaf1, uint32_t leaf7, uint32_t state);
#endif

#endif
