/* The tables of kernels of a SIMD level. The headers beside this one define the kernels, and are
 * compiled once for each level, but for avx512ifma, which shares most with avx512; dispatch.c picks
 * the level. */
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

/* The magnitudes in a block of floats, as the upper 32 bits (float32: all 32) of their bits: the
 * largest |x|, and the smallest |x| - 1 ulp, in which 0 wraps around and is ignored. */
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

/* The same for a block of products, in units of 2^product_window_exponent(E); magnitudes of the
 * rounded products. */
typedef struct {
    uint64_t sum[4];
    magnitude_range magnitudes;
    int zeros; /* whether any product may have been 0, or rounded to it */
} product_sums;

/* The most columns in one call of sums_of_columns and of a columns_kernel, and elements in a buffer
 * on the stack: no call uses more than 16 KiB, since a thread may have as little as 32. */
enum { STRIP = 32, BOUNDED_STRIP = 128, BUFFER = 128 };

/* Sums with a bounded error: of the squares, units * 2^(k-52) + residual; of the numbers with even
 * and odd index, likewise with numbers_exponent(k) for k. Valid if `overflow_at` is 0: else the
 * squares reached it, and need a k with 2^k above it. */
typedef struct {
    uint64_t units, number_units[2]; /* these in two's complement */
    double residual, number_residual[2], overflow_at;
    uint64_t missing; /* of those done: NaN that were left out */
} bounded_sums;

/* By Cauchy-Schwarz, the sum of 2048 numbers whose squares sum up to little more than 2^k, or less,
 * is below 2^(numbers_exponent(k) - 1) in absolute value. */
static inline int numbers_exponent(int k)
{
    return ((k + 2001) >> 1) - 1000 + 7; /* k / 2, rounded up */
}

/* The start of such a kernel's sum of the numbers: the middle of a binade, for either sign. */
static inline double start_of_numbers(int k)
{
    return 1.5 * power(numbers_exponent(k));
}

/* The most elements in one call of a bounded kernel, so that `units` is below 2^64; and from how
 * many on, if they are contiguous, they are read as several streams, which hardware prefetches
 * faster than one: 0.6 of the time from memory, 0.5 from the L3 cache (sumsq, Zen 3). Streams a
 * power of two apart would share cache sets. */
enum { BOUNDED_RUN = (1 << 17) - 512, STREAMED_FROM = 1 << 14 };

typedef size_t bounded_kernel(const char *x, ptrdiff_t stride, size_t n, int k,
                              bounded_sums *partial);

/* The sum of products likewise, `units` in two's complement; y = NULL stands for ones. Where the
 * sum left its range, `overflow_at` is the sum of the absolute values in a block. */
typedef size_t products_kernel(const char *x, ptrdiff_t x_stride, const char *y, ptrdiff_t y_stride,
                               size_t n, int k, bounded_sums *partial);

/* The same for columns, as kernels/bounded.h has it: s and t of the squares, a and b of the
 * numbers, from s = 2^k and a = start_of_numbers(k) on. */
typedef struct {
    double s[BOUNDED_STRIP], t[BOUNDED_STRIP], a[BOUNDED_STRIP], b[BOUNDED_STRIP];
    uint64_t missing[BOUNDED_STRIP]; /* NaN that were left out */
} column_sums;

typedef void columns_kernel(const char *x, ptrdiff_t stride, size_t rows, size_t columns,
                            const int *k, column_sums *sums);

/* ---- lanes (kernels/lanes.h) ---------------------------------------------- */

/* The most outputs in one call, what their number is a multiple of, the most numbers in each sum.
 */
enum { LANE_COLUMNS = 64, LANE_STEP = 8, LANE_ROWS = 256 };

/* So few floats or fewer have a kernel of their own for variances. */
enum { MAX_CENTERED = 4 };

/* The most elements of one output in a lane_block. */
enum { BLOCK_LENGTH = 4096 };

/* Columns of numbers, a multiple of LANE_STEP; row r begins at x + row[r].
 * `difference`: subtract all rows but the first (of numbers alone). `ahead`: how many bytes beyond
 * each row to prefetch, or 0. */
typedef struct {
    const char *x;
    const ptrdiff_t *row;
    size_t rows, columns;
    int difference;
    ptrdiff_t ahead;
} lane_rows;

/* For each column the sums of the numbers and of the squares, as high + low ([0] + [1]), with an
 * error of at most [2]. If both are summed: `grid`, of which all numbers are multiples, and
 * `common_magnitude`, the absolute value of all of them, or NaN if they differ. Where NaN are left
 * out: how many were summed. */
typedef struct {
    double number[3][LANE_COLUMNS], square[3][LANE_COLUMNS];
    double grid[LANE_COLUMNS], common_magnitude[LANE_COLUMNS], count[LANE_COLUMNS];
} lane_sums;

/* Groups of contiguous numbers: group k has those from at[k] to at[k + 1] - 1; `end` of them may be
 * read. */
typedef struct {
    const char *x;
    const size_t *at;
    size_t groups, end;
} group_block;

/* The most numbers of a group whose sums group_sums finds. */
enum { MAX_SHORT_GROUP = 128 };

/* Labels that are compared at a time. */
enum { LABELS_STEP = 16 };

/* What is summed: numbers, their squares, or both; products of two numbers, or these and the second
 * numbers, which are weights. */
typedef enum { SUM_NUMBERS, SUM_SQUARES, SUM_BOTH, SUM_PRODUCTS, SUM_WEIGHTED } summands;

/* A matrix, or two of the same shape. In rows, the `length` elements of each output are contiguous,
 * and an output begins `x_step` and `y_step` bytes after the one before; in columns the outputs are
 * contiguous, a multiple of LANE_STEP, and so far apart lie the elements of each. */
typedef struct {
    const char *x, *y;
    ptrdiff_t x_step, y_step;
    size_t length, outputs;
    ptrdiff_t ahead; /* in columns: how many bytes beyond each row to prefetch, or 0 */
} lane_block;

/* The sums of each output, with an error bound: from +-1.5 * 2^k[0] on, and, of numbers or weights
 * beside others, 1.5 * 2^k[1]. Returns whether all stayed in these binades; sums that did not are
 * NaN. To sum both, k[1] is numbers_exponent(k[0]). */
typedef int lane_block_kernel(const lane_block *from, const int k[2], lane_sums *sums);

/* The most numbers of a result of lanes: all it is divided by is below 2^52. */
enum { MAX_LANE_COUNT = 1 << 17 };

/* The result to compute from these sums. */
typedef struct {
    pc_statistic statistic;
    int integer;   /* an integer result */
    int counted;   /* use lane_sums.count, not `count` */
    int centered;  /* the squares are n squares - number^2 */
    int absolute;  /* the absolute value */
    unsigned drop; /* significant bits of a double that the result type lacks */
    double min;    /* the least result of full precision; of integers, the least result */
    double count, ddof, scale; /* scale: 2^ddof_bits */
    double divisor, inverse;   /* divide by it; 1 / divisor, rounded */
} lane_spec;

/* ---- moving windows (kernels/moving.h) -------------------------------------- */

/* The sums over a window of the pieces of each number, or of each square: multiples of the units
 * magic / (1.5 * 2^52). `inexact`: whether, of what entered last, some pieces do not add up. */
typedef struct {
    double magic[3], sum[3];
    int inexact;
} moving_pieces;

/* Those of x, or of x - pivot if there are squares. `max`: the largest size of what entered last;
 * `count`: how many are not NaN, where NaN are left out. A slide_kernel sets number.inexact to the
 * last block, from 1 on, with numbers that do not add up, if there are no squares. */
typedef struct {
    moving_pieces number, square;
    double pivot, max, count;
} moving_sums;

/* How results are made: the numbers of a window, what to divide by, and the inverses of both;
 * `error_bound`: the error bound of a sum, or of squares - number^2 / count, and `bound`, of a
 * result. No |x - pivot| is above `max_units`, a power of two. `exact`: for sums and means, all
 * in the window adds up: there is no error, and means whose square is tie_square or more may be
 * ties. Where NaN are left out, the count and the divisor are those of each window, and NaN the
 * results of fewer than min_count. */
typedef struct {
    double count, per_count, divisor, inverse, error_bound, bound, tie_square, min_count, ddof;
    uint64_t max_units;
    int exact, root; /* root: of the variances */
} moving_end;

/* LANE_COLUMNS numbers enter the window, and as many leave it, one after another; the estimates of
 * lane_sums, but for what the pieces are short of. */
typedef void moving_kernel(const double *in, const double *out, moving_sums *state,
                           lane_sums *sums);

/* The same of `blocks` blocks, and the results themselves. Returns how many were done: all, or
 * those before the first of which some results are not certain, or some number was not for this
 * kernel, or, if `exact`, did not add up. */
typedef size_t slide_kernel(const double *in, const double *out, moving_sums *state,
                            const moving_end *end, double *value, size_t blocks);

/* The sums of one column. */
static inline bounded_sums column_partial(const column_sums *sums, size_t c, int k, int both)
{
    bounded_sums partial = {0};
    partial.units = bits_of(sums->s[c]) - bits_of(power(k));
    partial.residual = sums->t[c];
    partial.missing = sums->missing[c];
    partial.overflow_at = partial.units >> 52 ? sums->s[c] : 0.0;
    if (both) {
        partial.number_units[0] = bits_of(sums->a[c]) - bits_of(start_of_numbers(k));
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

/* All others. */
typedef struct {
    /* sum = x[0]^2 + ... + x[n - 1]^2, unaligned, n <= INTEGER_BLOCK. */
    void (*squares_of_integers[8])(const char *x, size_t n, uint64_t sum[4]);

    /* sum = x[0] + ... + x[n - 1], in two's complement. */
    void (*sum_of_integers[8])(const char *x, size_t n, uint64_t sum[4]);

    /* Bounded sums of the squares alone [0], or of the numbers, too [1], by type - PC_FLOAT16;
     * that for float16 may be NULL; `nanbounded`, of both, leaves out NaN. n <= BOUNDED_RUN
     * numbers, `stride` bytes apart; -900 <= k <= 1000. Stops where a lane exceeds 2^k: returns how
     * many numbers were added, none if streamed, and sets partial->overflow_at if not all. */
    size_t lanes[2];     /* how many partial sums they use */
    size_t bounded_from; /* from how many numbers on they are faster than the exact kernels */
    bounded_kernel *bounded[2][3], *nanbounded[3];

    /* The same of products, or of numbers if y is NULL, in lanes[0] partial sums; of numbers, of
     * which NaN are left out; of products exactly (product_sums is what E must fit, and
     * n <= FLOAT_BLOCK; NULL if the level has no such kernel); of integers, up to 32 bits. */
    products_kernel *bounded_products[3], *nanbounded_sums[3];
    int product_exponent_range;
    void (*sums_of_products)(const char *x, const char *y, size_t n, int E, product_sums *sums);
    void (*products_of_integers[6])(const char *x, const char *y, size_t n, uint64_t sum[4]);

    /* The same for each column of a matrix, as sums_of_columns: columns <= BOUNDED_STRIP. */
    columns_kernel *bounded_columns[2][3], *nanbounded_columns[3];

    /* Many short sums at once, each in a vector lane; [1] of floats, leaves out NaN, and has none
     * of the squares alone; by type, and by summands. NULL if the level has no such kernel. */
    void (*lane_sums[2][PC_FLOAT64 + 1][3])(const lane_rows *from, lane_sums *sums);

    /* n squares - number^2 of n = 2 to MAX_CENTERED floats, in the place of the squares. */
    void (*few_centered_squares[PC_FLOAT64 + 1])(const lane_rows *from, lane_sums *sums);

    /* Whether none of n labels of int32, or [1] of int64, is below 0, or below the one before it;
     * there is one before the first. n <= 64 * LABELS_STEP, and as many may be read as make it a
     * multiple of that. Bit k of *changes: whether one of step k differs from the one before it.
     * NULL as lane_sums. */
    int (*compare_labels[2])(const char *labels, size_t n, uint64_t *changes);

    /* The sums of at most LANE_COLUMNS groups, NaN of those that are not short, and how many
     * numbers each has; likewise, and none of the squares alone. */
    void (*group_sums[PC_FLOAT64 + 1][3])(const group_block *from, lane_sums *sums);

    /* The sums of the products of two tiles of one type, as those of numbers. NULL if the level, or
     * the type, has no such kernel. */
    void (*lane_products[PC_FLOAT64 + 1])(const lane_rows *x, const lane_rows *y, lane_sums *sums);

    /* Many sums of floats at once (kernels/blocks.h), of BLOCK_LENGTH elements each at most: along
     * rows, of at least LANE_STEP elements, and in columns. [1] leaves out NaN, and counts what is
     * left; it has none of the squares alone. By summands, and by type. Sums of products as those
     * of numbers, or, beside weights, of squares. NULL as lane_sums. */
    lane_block_kernel *block_rows[2][SUM_WEIGHTED + 1][2], *block_columns[2][SUM_WEIGHTED + 1][2];

    /* Of both along rows; but where no addition was rounded the error bound is 0, and `grid` and
     * `common_magnitude` are known. */
    lane_block_kernel *gridded_rows[2][2];

    /* The largest size of these numbers, NaN apart. */
    double (*largest[2])(const char *x, ptrdiff_t stride, size_t rows, size_t columns);

    /* The results of these sums: `value`, or value + residual for integers; correctly rounded where
     * `certain` is all ones. Returns whether all are. */
    int (*lane_results)(const lane_spec *spec, lane_sums *sums, size_t columns, double *value,
                        double *residual, uint64_t *certain);

    /* [0] all are finite; [1] others are left out; [2] likewise, and none leaves. [0] of the
     * numbers, [1] of the squares, too, unless none leaves. [0] in 2 pieces, [1] in 3. NULL as
     * lane_results. */
    moving_kernel *moving[3][2][2];

    /* To start a window, with LANE_COLUMNS numbers: extend a range by those that are finite, and
     * return whether all are; add their pieces, [0] of the numbers, [1] of both, in 2 and 3. */
    int (*extend_range)(const double *x, double *min, double *max);
    void (*start[2][2])(const double *in, moving_sums *state);

    /* [0] of full windows of finite numbers, [1] NaN left out; by statistic: PC_SUM to PC_VAR; and
     * [0] prefix sums of finite numbers. In 2 pieces, in 3. */
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

/* Prefetch from `ahead` bytes after an address; an invalid address is harmless. */
#ifdef __GNUC__
#define prefetch(address, ahead)                                                                   \
    __builtin_prefetch((const void *)((uintptr_t)(address) + (uintptr_t)(ahead)))
#else
#define prefetch(address, ahead) ((void)(address), (void)(ahead))
#endif

/* x86-64 under gcc or clang: the only builds with levels above portable. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(PC_NO_VECTORS)
#define PC_X86_LEVELS 1

/* How many levels, from portable up, a processor can run, given ECX of CPUID leaf 1, EBX of leaf 7,
 * and XCR0. */
size_t levels_of(uint32_t leaf1, uint32_t leaf7, uint32_t state);
#endif

#endif
