/* The kernels of one SIMD level: one signature each, one table per level.
 * the texts in kernels/ are built once per level; dispatch.c picks the table. */
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

/* What a block of floats spans: the high 32 bits (float32: all 32) of |x|, the
 * largest, and of |x| - 1 ulp, the smallest; zeros count as the largest there. */
typedef struct {
    uint32_t least, most;
} magnitude_range;

/* The sums over a block of floats: of the squares, times 2^window_of(E), and of every other
 * number, from the first on and from the second on (in two's complement), times
 * 2^number_window_of(E). */
typedef struct {
    uint64_t squares[4];
    pc_u128 numbers[2];
    magnitude_range found;
} block_sums;

/* Elements in one call of a kernel, at most. */
enum { FLOAT_BLOCK = 2048, INTEGER_BLOCK = 1 << 16 };

/* Columns in one call of sums_of_columns, at most, and elements in a buffer on the stack: no call
 * takes more than 16 KiB of it, since a thread may have as little as 32. */
enum { STRIP = 64, BUFFER = 256 };

/* Sums that may have lost a little: units * 2^(k-52) + residual, if nothing came too far;
 * of the numbers, every other one, likewise with numbers_exponent(k) for k. Else `most` says how
 * far the squares came: 2^k must be above it. 0 if nothing did. */
typedef struct {
    uint64_t units, number_units[2]; /* these in two's complement */
    double residual, number_residual[2], most;
    uint64_t missing; /* of those done: NaN that were left out */
} bounded_sums;

/* The sum of 2048 numbers whose squares sum up to less than 2^k or little more is less than
 * 2^(numbers_exponent(k) - 1) in size, by Cauchy and Schwarz. */
static inline int numbers_exponent(int k)
{
    return ((k + 2001) >> 1) - 1000 + 7; /* k / 2, rounded up */
}

/* From where such a kernel counts the numbers, which may be of either sign. */
static inline double start_of_numbers(int k)
{
    return 1.5 * power(numbers_exponent(k));
}

/* Elements in one call of a bounded kernel, at most: `units` is below 2^63. */
enum { BOUNDED_RUN = 1 << 17 };

typedef size_t bounded_kernel(const char *x, ptrdiff_t stride, size_t n, int k,
                              bounded_sums *found);

/* The same for columns, as kernels/bounded.h has it: s and t of the squares, a and b of the
 * numbers, from s = 2^k and a = start_of_numbers(k) on. */
typedef struct {
    double s[PC_TILE], t[PC_TILE], a[PC_TILE], b[PC_TILE];
    uint64_t missing[PC_TILE]; /* NaN that were left out */
} column_sums;

typedef void columns_kernel(const char *x, ptrdiff_t stride, size_t rows, size_t columns,
                            const int *k, column_sums *sums);

/* ---- lanes (kernels/lanes.h) ---------------------------------------------- */

/* Positions that are summed side by side in one call, at most, and numbers in each sum. */
enum { LANE_COLUMNS = 64, LANE_STEP = 8, LANE_ROWS = 256 };

/* Columns of numbers: row r begins at x + row[r]. A multiple of LANE_STEP of them. Where there is a
 * mask, of one byte a number and `mask_pitch` a row, those with 0 are left out; and NaN if
 * skip_nan. All rows but the first are taken away if `difference`, where only numbers are summed,
 * and all of them. */
typedef struct {
    const char *x, *mask;
    const ptrdiff_t *row;
    size_t rows, columns, mask_pitch;
    int skip_nan, difference;
} lane_rows;

/* For each column the sums of the numbers and of the squares, as high + low, up to an error of at
 * most `lost`: [0], [1], [2]. If both are summed, all the numbers are multiples of `grid`, and of
 * the size `alike`, if that is not NaN. If some may not count, how many do. */
typedef struct {
    double number[3][LANE_COLUMNS], square[3][LANE_COLUMNS];
    double grid[LANE_COLUMNS], alike[LANE_COLUMNS], count[LANE_COLUMNS];
} lane_sums;

/* What is asked of these sums. */
typedef struct {
    pc_statistic result;
    int integer;   /* give integers */
    int counted;   /* by lane_sums.count, not `count` */
    int absolute;  /* without the sign */
    unsigned drop; /* bits by which doubles are longer than the result, 0 for doubles, */
    double least;  /* ... and down to which it is of full precision; of integers, the least */
    double count, ddof, scale; /* scale: 2^ddof_bits */
    double divisor, inverse;   /* the result is so many times less; 1 / divisor, rounded */
} lane_figure;
/* What a kernel found for one column. */
static inline bounded_sums found_in(const column_sums *sums, size_t c, int k, int both)
{
    bounded_sums found = {0};
    found.units = bits_of(sums->s[c]) - bits_of(power(k));
    found.residual = sums->t[c];
    found.missing = sums->missing[c];
    found.most = found.units >> 52 ? sums->s[c] : 0.0;
    if (both) {
        found.number_units[0] = bits_of(sums->a[c]) - bits_of(start_of_numbers(k));
        found.number_residual[0] = sums->b[c];
    }
    return found;
}

typedef struct {
    const char *name;

    /* *sum += first^2 + ... + (first + count - 1)^2. The caller keeps every
     * square below 2^86 and the sum below 2^127. */
    void (*squares_of_range)(uint64_t first, uint64_t count, pc_u128 *sum);

    /* sum = x[0]^2 + ... + x[n - 1]^2, unaligned, n <= INTEGER_BLOCK. */
    void (*squares_of_integers[8])(const char *x, size_t n, uint64_t sum[4]);

    /* sum = x[0] + ... + x[n - 1], in two's complement. */
    void (*sum_of_integers[8])(const char *x, size_t n, uint64_t sum[4]);

    /* Both for floats, n <= FLOAT_BLOCK. Exact if the magnitude_range is one that exact32 or
     * exact64 of contiguous.c allows for E; else the sums mean nothing. NULL where the machine
     * lacks what the kernel needs. */
    void (*sums_of_float32)(const char *x, size_t n, int E, block_sums *sums);
    int depth; /* of float64 below E */
    void (*sums_of_float64)(const char *x, size_t n, int E, block_sums *sums);

    /* The same for each column of a matrix of float64, the rows `stride` bytes
     * apart: rows <= FLOAT_BLOCK, columns <= STRIP and a multiple of 8. */
    void (*sums_of_columns)(const char *x, ptrdiff_t stride, size_t rows, size_t columns,
                            const int *E, block_sums *sums);

    /* Bounded sums, of the squares alone or ([1]) of the numbers, too: n <= BOUNDED_RUN, of
     * `lanes` apart, -900 <= k <= 1000: as far as 2^k goes. The numbers lie `stride` bytes
     * apart. Returns how many that was, and found->most if it was not all. By type -
     * PC_FLOAT16; the first may be NULL. `nanbounded` leaves out NaN. */
    size_t lanes[2], bounded_from; /* so many numbers: there it is the faster way */
    bounded_kernel *bounded[2][3], *nanbounded[2][3];

    /* The same for each column of a matrix, as sums_of_columns: columns <= PC_TILE. */
    columns_kernel *bounded_columns[2][3], *nanbounded_columns[2][3];

    /* Many short sums at once, each in a vector lane. By type; [0] of the numbers, [1] of the
     * squares, [2] of both; [1] where some may not count. NULL where the level has none. */
    void (*lane_sums[2][PC_FLOAT64 + 1][3])(const lane_rows *from, lane_sums *sums);

    /* Their results, each the nearest number where `certain` is all ones: value, as a double, or of
     * integers value + rest. Returns whether all are certain. */
    int (*lane_results)(const lane_figure *figure, lane_sums *sums, size_t columns, double *value,
                        double *rest, uint64_t *certain);

    /* Numbers of 8 bytes, `count` columns of `rows`, each column contiguous and `stride` bytes from
     * the last, into rows that are `pitch` columns long. */
    void (*transpose_columns)(char *to, size_t pitch, const char *from, ptrdiff_t stride,
                              size_t count, size_t rows);
} pc_kernels;

extern const pc_kernels pc_kernels_portable;
extern const pc_kernels pc_kernels_avx2;
extern const pc_kernels pc_kernels_avx512;
extern const pc_kernels pc_kernels_avx512ifma;

/* The table in use; chosen at the first call. */
const pc_kernels *pc_kernels_in_use(void);

/* Fetch what lies `ahead` bytes beyond: no address is wrong to ask for. */
#ifdef __GNUC__
#define prefetch(address, ahead)                                                                   \
    __builtin_prefetch((const void *)((uintptr_t)(address) + (uintptr_t)(ahead)))
#else
#define prefetch(address, ahead) ((void)(address), (void)(ahead))
#endif

/* x86-64 under gcc or clang: the only builds with levels above portable. */
#if defined(__x86_64__) && defined(__GNUC__)
#define PC_X86_LEVELS 1

/* How many levels, from portable up, a processor can run: by ECX of CPUID leaf 1, EBX
 * of leaf 7, and the state that the operating system saves. */
size_t levels_of(uint32_t leaf1, uint32_t leaf7, uint32_t state);
#endif

#endif
