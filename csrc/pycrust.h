/* pycrust: the public C face. Usable from C without Python.
 *
 * No function here allocates, prints, or touches Python. All are safe to call
 * from any number of threads, as long as no two write to the same argument. */
#ifndef PYCRUST_H
#define PYCRUST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    PC_OK = 0,
    PC_UNKNOWN_LEVEL, /* no SIMD level has that name */
    PC_ABSENT_LEVEL,  /* this build, CPU or operating system lacks that level */
    PC_TOO_LARGE,     /* a sum or a count that does not fit a uint64 */
    PC_OUT_OF_RANGE,  /* a number that no sum of squares of doubles can be */
    PC_EMPTY,         /* the mean of no numbers */
    PC_UNCERTAIN_SUM  /* a certified sum has too much slack to tell: sum exactly */
} pc_status;

/* hi * 2^64 + lo. A struct, since not every compiler has __int128, and those
 * that do disagree on passing it by value. */
typedef struct {
    uint64_t lo, hi;
} pc_u128;

/* The double nearest to *x, ties to even, under any rounding mode. */
double pc_u128_round(const pc_u128 *x);

/* ---- SIMD levels (dispatch.c) ------------------------------------------- */

/* The names, slowest first, NULL at the end; `simd_usable` says whether this
 * machine can run one. */
extern const char *const pc_simd_names[];
int pc_simd_usable(const char *name);

/* The level in use: the best that the machine can run, or what pc_simd_use
 * asked for. Every level gives the same bits. */
const char *pc_simd(void);
pc_status pc_simd_use(const char *name);

/* ---- 1^2 + 2^2 + ... + n^2 (range.c) ------------------------------------ */

/* The largest n whose sum fits a signed 128-bit integer. */
#define PC_RANGE_MAX UINT64_C(7991780883560)

/* A walk along the squares: sum = 1^2 + ... + i^2. Starts as {0}. */
typedef struct {
    uint64_t i;
    pc_u128 sum;
} pc_walk;

/* Walk on to n (i <= n <= PC_RANGE_MAX): every square is computed and added,
 * so the time is proportional to n - i. */
void pc_walk_to(pc_walk *walk, uint64_t n);

/* Walk past many stops (ascending, each >= i and <= PC_RANGE_MAX) and write the
 * sum at each to lo[k], hi[k]. Computes at most `budget` squares, and returns
 * how many stops it passed: call again with the rest. `hi` may be NULL, here
 * and below, where only the low words are wanted. */
size_t pc_walk_stops(pc_walk *walk, const uint64_t *stops, size_t count, uint64_t budget,
                     uint64_t *lo, uint64_t *hi);

/* The same with a stop at each of the next `count` integers, from i + 1 on. */
void pc_walk_each(pc_walk *walk, size_t count, uint64_t *lo, uint64_t *hi);

/* For many n in any order, with sums below 2^64: walk on, writing the sum at i,
 * i + 2, ... (i even); then, from a table of these that starts at 0 and ends with
 * those of `last`, the sum at each n (0 for n < 0; n > last means last, should
 * someone write to the array meanwhile). Half a table is half the memory to be
 * had and filled. */
void pc_walk_even(pc_walk *walk, size_t count, uint64_t *even);
void pc_sums_from_even(const uint64_t *even, uint64_t last, const int64_t *n, size_t count,
                       uint64_t *sum);

/* n(n+1)(2n+1)/6, for n <= PC_RANGE_MAX; 0 for the n < 0 of an array. */
void pc_formula(uint64_t n, pc_u128 *sum);
void pc_formula_many(const int64_t *n, size_t count, uint64_t *lo, uint64_t *hi);

/* pc_u128_round of each (lo[k], hi[k]). */
void pc_round_many(const uint64_t *lo, const uint64_t *hi, size_t count, double *out);

/* The types of numbers. */
typedef enum {
    PC_INT8,
    PC_UINT8,
    PC_INT16,
    PC_UINT16,
    PC_INT32,
    PC_UINT32,
    PC_INT64,
    PC_UINT64,
    PC_BOOL,
    PC_FLOAT16,
    PC_FLOAT32,
    PC_FLOAT64
} pc_type;

/* ---- the exact running sum (accumulator.c) ------------------------------- */

#define PC_LIMBS 68

/* The exact sum of any number of squares, of integers and of doubles of any
 * scale. Start with pc_accumulator_clear. accumulator.h says how it is held. */
typedef struct {
    uint64_t count; /* how many numbers were squared */
    uint64_t slack; /* of a certified sum */
    uint32_t flags;
    int32_t exponent;
    uint64_t window[4];
    uint64_t limb[PC_LIMBS];
} pc_accumulator;

void pc_accumulator_clear(pc_accumulator *acc);

/* The same for a certified sum, only of floats: much faster, and nearly always enough to
 * know the exact sum's rounded result; else pc_write_panel says PC_UNCERTAIN_SUM. No other
 * reading of it means anything. */
void pc_accumulator_clear_certified(pc_accumulator *acc);

/* acc += other; PC_TOO_LARGE, and no change, if they count 2^64 numbers or more. */
pc_status pc_accumulator_merge(pc_accumulator *acc, const pc_accumulator *other);

/* acc *= factor, the count too. */
void pc_accumulator_scale(pc_accumulator *acc, uint64_t factor);

typedef enum { PC_SUMSQ, PC_NORM, PC_RMS } pc_result;

/* The double nearest to the sum (PC_SUMSQ), to its square root (PC_NORM), or to
 * the square root of sum / count (PC_RMS; NaN for count 0). Ties to even; NaN
 * beats Inf. */
double pc_accumulator_round(const pc_accumulator *acc, pc_result result);

/* The same for the nearest PC_FLOAT64, PC_FLOAT32 or PC_FLOAT16, as its bits. */
uint64_t pc_accumulator_bits(const pc_accumulator *acc, pc_result result, pc_type type);

/* Whether the sum is NaN or Inf: 0 neither, 1 Inf, 2 NaN. */
int pc_accumulator_special(const pc_accumulator *acc);
void pc_accumulator_make_special(pc_accumulator *acc, int special);

/* The sum as a uint64 (PC_UINT64, or PC_INT64 for one below 2^63), if it is an
 * integer that fits. */
pc_status pc_accumulator_word(const pc_accumulator *acc, pc_type type, uint64_t *word);

/* The sum as an integer times a power of two, least significant word first:
 * writes the words (at most PC_LIMBS) without zero words at either end, returns
 * how many, and sets *exponent. And back: acc += words * 2^exponent, which
 * exponent and words taken from an accumulator always allow; PC_OUT_OF_RANGE
 * for a part that no accumulator holds. */
size_t pc_accumulator_export(const pc_accumulator *acc, uint64_t *words, int *exponent);
pc_status pc_accumulator_import(pc_accumulator *acc, const uint64_t *words, size_t count,
                                int exponent);

/* ---- sums of squares of arrays (arrays.c) --------------------------------- */

/* Add the squares of `count` numbers that lie one behind the other, aligned or
 * not, in native byte order. */
void pc_add_squares(pc_accumulator *acc, pc_type type, const char *data, size_t count);

/* The result (not PC_SUMSQ_WORD) over `count` numbers of so many parts each (2: complex),
 * the faster way: by a certified sum, or exactly. It works in `acc`. */
double pc_squares_of(pc_type type, const char *data, size_t count, int parts, pc_result result,
                     pc_accumulator *acc);

/* How many certified sums could not tell, so that the exact way had to. */
uint64_t pc_uncertain_sums(void);

#define PC_MAX_AXES 64

/* One axis of an array. Strides are in bytes, and may be zero or negative. */
typedef struct {
    size_t length;
    ptrdiff_t stride, mask_stride, out_stride;
} pc_axis;

/* A strided array of numbers, the axes to keep first, then those to sum over. */
typedef struct {
    pc_type type;
    int parts;        /* 2: complex, its parts of `type`; else 1 */
    int swapped;      /* bytes in the other order */
    const char *data; /* aligned or not */
    const char *mask; /* one byte an element, zero: leave it out; or NULL */
    int kept, reduced;
    uint64_t repeat; /* 1; pc_array_arrange may change it */
    pc_axis axis[PC_MAX_AXES];
} pc_array;

/* Bring an array into the order in which it is fastest to sum. To be called
 * once, before the functions below. Axes may move, merge or vanish. */
void pc_array_arrange(pc_array *array);

/* The number of positions along the kept axes, and of elements summed at each. */
size_t pc_array_positions(const pc_array *array);
size_t pc_array_depth(const pc_array *array);

/* How many positions are summed side by side, at most. */
#define PC_PANEL 256

/* Whether certified sums are the faster way to its results. */
int pc_array_certifiable(const pc_array *array);

/* The sum at one position, and where `out` has it. */
typedef struct {
    pc_accumulator total;
    ptrdiff_t offset;
} pc_sum;

/* How many positions from `first` on, below `last`, make up one panel. */
size_t pc_array_panel(const pc_array *array, size_t first, size_t last);

/* Add the squares of the elements start to stop - 1, of pc_array_depth, at each
 * position of the panel at `first` to sums[0 .. count). */
void pc_add_panel(const pc_array *array, size_t first, size_t count, size_t start, size_t stop,
                  pc_sum *sums);

/* Write what the sums of a panel come to, at `out`, as numbers of `type`: a float
 * or, for PC_SUMSQ of integers, PC_INT64 or PC_UINT64. PC_EMPTY if an rms had no
 * numbers (and is NaN); PC_TOO_LARGE at the first sum that the type does not hold,
 * and PC_UNCERTAIN_SUM at the first that is certified and cannot tell, with the
 * rest unwritten. */
pc_status pc_write_panel(const pc_sum *sums, size_t count, pc_result result, pc_type type,
                         char *out);

/* The whole reduction for the positions first to last - 1. It works in `sums`,
 * PC_PANEL of them or last - first, whichever is less; after PC_TOO_LARGE they
 * are those of the panel in question. */
pc_status pc_reduce(const pc_array *array, size_t first, size_t last, pc_result result,
                    pc_type type, char *out, pc_sum *sums);

#ifdef __cplusplus
}
#endif
#endif
