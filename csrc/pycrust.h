/* pycrust: the public C face. Usable from C without Python.
 *
 * No function here allocates, prints, or touches Python. All are safe to call
 * from any number of threads, as long as no two write to the same argument. */
#ifndef PYCRUST_H
#define PYCRUST_H

#include "../pycrust/include/pycrust_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What else a pc_status may be, in the core alone. */
enum {
    PC_UNKNOWN_LEVEL = 64, /* no SIMD level has that name */
    PC_ABSENT_LEVEL,       /* this build, CPU or operating system lacks that level */
    PC_OUT_OF_RANGE,       /* no sum of doubles is that large, or that fine */
    PC_INCONCLUSIVE        /* the rounding test of a bounded sum failed: sum exactly */
};

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

/* ---- exact running sums (accumulator.c) ----------------------------------- */

/* An integer, as two's complement, times 2^exponent: part of an accumulator. */
typedef struct {
    uint64_t window[4];
    uint64_t error_bound; /* of a bounded sum */
    uint32_t flags;
    int32_t exponent;
} pc_window;

/* The sums: of the squares, of the numbers (of complex ones: of their real parts), of their
 * imaginary parts. */
typedef enum { PC_SQUARES, PC_NUMBERS, PC_IMAGINARY } pc_moment;

#define PC_LIMBS 68 /* of the squares; each of the others has half as many */

/* accumulator.h says how they are held. */
struct pc_accumulator {
    uint64_t count; /* how many numbers were added; a complex one is one */
    uint32_t flags;
    pc_window part[3];
    uint64_t limb[2 * PC_LIMBS];
};

/* Start with no numbers, and keep what one result needs: PC_VAR all, PC_SUMSQ the squares
 * alone, PC_SUM the numbers alone. */
void pc_accumulator_clear(pc_accumulator *acc, pc_statistic result);

/* The same for a bounded sum, only of floats: much faster, and nearly always enough to
 * know the exact sum's rounded result; else pc_accumulator_round says PC_INCONCLUSIVE. No
 * other reading of it means anything. */
void pc_accumulator_clear_bounded(pc_accumulator *acc, pc_statistic result);

/* acc += other; PC_TOO_LARGE, and no change, if they count 2^64 numbers or more. */
pc_status pc_accumulator_merge(pc_accumulator *acc, const pc_accumulator *other);

/* acc *= factor, the count too. */
void pc_accumulator_scale(pc_accumulator *acc, uint64_t factor);

/* NaN and infinities that were added, a bit each; those of imaginary parts are shifted up by
 * PC_NONFINITE_BITS. */
enum { PC_PLUS_INF = 1, PC_MINUS_INF = 2, PC_NAN = 4, PC_NONFINITE_BITS = 3 };
uint32_t pc_accumulator_nonfinite(const pc_accumulator *acc);
void pc_accumulator_add_nonfinite(pc_accumulator *acc, uint32_t special);

/* The size of a part as an integer times a power of two, least significant word first:
 * writes the words (at most PC_LIMBS) without zero words at either end, returns
 * how many, and sets *exponent and *negative. And back: += +-words * 2^exponent, which
 * what was taken from an accumulator always allows; PC_OUT_OF_RANGE for what no accumulator
 * holds. */
size_t pc_accumulator_export(const pc_accumulator *acc, pc_moment part, uint64_t *words,
                             int *exponent, int *negative);
pc_status pc_accumulator_import(pc_accumulator *acc, pc_moment part, const uint64_t *words,
                                size_t count, int exponent, int negative);

/* A result, and the type in which to give it: PC_FLOAT64, PC_FLOAT32 or PC_FLOAT16, two of them
 * (real and imaginary part) if parts is 2, as for the sum or mean of complex numbers; or, for the
 * sum of integers or of their squares, PC_INT64 or PC_UINT64. A variance is divided by
 * count - ddof / 2^ddof_bits: if ddof_bits is not 0, count << ddof_bits must be below 2^64. */
typedef struct {
    pc_statistic result;
    pc_type type;
    int parts;
    uint64_t ddof;
    unsigned ddof_bits;
} pc_output_spec;

/* ---- results (round.c) ----------------------------------------------------- */

/* Write the number nearest to the exact result, ties to even. NaN beats Inf. PC_EMPTY if
 * there were too few numbers (then it is NaN or Inf); PC_TOO_LARGE if an integer does not
 * hold it, and PC_INCONCLUSIVE if the sum is bounded and its rounding test fails, with nothing
 * written. */
pc_status pc_accumulator_round(const pc_accumulator *acc, const pc_output_spec *figure, char *out);

/* Write the float nearest to +-words * 2^exponent, or to its root. */
void pc_round_words(const uint64_t *words, size_t count, int exponent, int negative, int root,
                    pc_type type, char *out);

/* ---- sums of arrays (reduce.c) ---------------------------------------------- */

/* Add `count` numbers (complex: of two parts each) that lie one behind the other, aligned or
 * not, in native byte order. */
void pc_add_numbers(pc_accumulator *acc, pc_type type, int parts, const char *data, size_t count);

/* pc_accumulator_round of such numbers, the faster way: by a bounded sum, or exactly. It
 * works in `acc`. */
pc_status pc_reduce_contiguous(pc_type type, int parts, const char *data, size_t count,
                               const pc_output_spec *figure, pc_accumulator *acc, char *out);

/* How many bounded sums could not tell, so that the exact way had to. */
uint64_t pc_rounding_test_failures(void);

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
    int skip_nan;     /* leave out NaN, and complex numbers with a NaN in them */
    int kept, reduced;
    uint64_t repeat; /* 1; pc_array_arrange may change it */
    pc_axis axis[PC_MAX_AXES];
} pc_array;

/* Bring an array into the order in which it is fastest to sum. To be called
 * once, before the functions below. Axes may move, merge or vanish. */
void pc_array_arrange(pc_array *array);

/* The number of positions along the kept axes, and of elements summed at each. */
size_t pc_array_outputs(const pc_array *array);
size_t pc_array_reduction_length(const pc_array *array);

/* How many positions are summed side by side, at most. */
#define PC_TILE 256

/* Whether bounded sums are the faster way to its results. */
int pc_array_boundable(const pc_array *array);

/* The sum at one position, and where `out` has it. */
typedef struct {
    pc_accumulator total;
    ptrdiff_t offset;
} pc_sum;

/* How many positions from `first` on, below `last`, make up one tile. */
size_t pc_array_tile(const pc_array *array, size_t first, size_t last);

/* Add the elements start to stop - 1, of pc_array_reduction_length, at each position of the tile
 * at `first` to sums[0 .. count). */
void pc_add_tile(const pc_array *array, size_t first, size_t count, size_t start, size_t stop,
                 pc_sum *sums);

/* Write what the sums of a tile come to, at `out`: pc_accumulator_round of each, up to the
 * first that is PC_TOO_LARGE or PC_INCONCLUSIVE. */
pc_status pc_write_tile(const pc_sum *sums, size_t count, const pc_output_spec *figure, char *out);

/* The whole reduction for the positions first to last - 1. It works in `sums`,
 * PC_TILE of them or last - first, whichever is less; after PC_TOO_LARGE they
 * are those of the tile in question. */
pc_status pc_reduce(const pc_array *array, size_t first, size_t last, const pc_output_spec *figure,
                    char *out, pc_sum *sums);

#ifdef __cplusplus
}
#endif
#endif
