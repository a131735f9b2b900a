/* The C core, usable without Python. (Extension modules call the installed pycrust instead:
 * pycrust/include/pycrust_capi.h.)
 *
 * No function here allocates, prints or touches Python. Any number of threads may call them, as
 * long as none writes to an argument that another uses. Arguments are not checked. */
#ifndef PYCRUST_H
#define PYCRUST_H

#include "../pycrust/include/pycrust_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Further values of pc_statistic, in the core alone: the sum of the products of two arrays, and
 * that sum divided by the sum of the second. */
enum { PC_DOT = 64, PC_AVERAGE };

/* Further values of pc_status, in the core alone. */
enum {
    PC_UNKNOWN_LEVEL = 64, /* no SIMD level has that name */
    PC_ABSENT_LEVEL,       /* this build, CPU or operating system lacks that level */
    PC_OUT_OF_RANGE,       /* no sum of doubles has bits so high, or so low */
    PC_INCONCLUSIVE,       /* the rounding test of a bounded sum failed: sum exactly */
    PC_NO_WEIGHT,          /* an average whose weights sum to zero */
    PC_UNSUITED            /* not a case for this function: take the more general way */
};

/* The double nearest to *x, ties to even, whatever the rounding mode. */
double pc_u128_round(const pc_u128 *x);

/* ---- SIMD levels (kernels/dispatch.c) ------------------------------------ */

/* The names of the levels, slowest first, then NULL; and whether this machine can run a level. */
extern const char *const pc_simd_names[];
int pc_simd_usable(const char *name);

/* The level in use: the best that the machine can run, or what pc_simd_use
 * asked for. Every level gives the same bits. */
const char *pc_simd(void);
pc_status pc_simd_use(const char *name);

/* ---- 1^2 + 2^2 + ... + n^2 (array/range.c) --------------------------------- */

/* The largest n whose sum fits a signed 128-bit integer. */
#define PC_RANGE_MAX UINT64_C(7991780883560)

/* A walk along the squares: sum = 1^2 + ... + i^2. Initially {0}. */
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
 * and below, if only the low words are wanted. */
size_t pc_walk_stops(pc_walk *walk, const uint64_t *stops, size_t count, uint64_t budget,
                     uint64_t *lo, uint64_t *hi);

/* The same with a stop at each of the next `count` integers, from i + 1 on. */
void pc_walk_each(pc_walk *walk, size_t count, uint64_t *lo, uint64_t *hi);

/* For many n in any order, with sums below 2^64. pc_walk_even walks on and writes the sums at i, i
 * + 2, ... (i even; every other one, to halve the memory). pc_sums_from_even looks up the sum at
 * each n in such a table from 0 to `last`. n < 0 gives 0, and n > last the sum at `last`, since
 * another thread may change the array of n meanwhile. */
void pc_walk_even(pc_walk *walk, size_t count, uint64_t *even);
void pc_sums_from_even(const uint64_t *even, uint64_t last, const int64_t *n, size_t count,
                       uint64_t *sum);

/* n(n+1)(2n+1)/6, for n <= PC_RANGE_MAX; in an array, n < 0 gives 0. */
void pc_closed_form(uint64_t n, pc_u128 *sum);
void pc_closed_form_many(const int64_t *n, size_t count, uint64_t *lo, uint64_t *hi);

/* pc_u128_round of each (lo[k], hi[k]). */
void pc_round_many(const uint64_t *lo, const uint64_t *hi, size_t count, double *out);

/* ---- exact running sums (sums/accumulator.c) -------------------------------- */

/* An integer in two's complement, times 2^exponent: the sum of a moment. */
typedef struct {
    uint64_t words[4];
    uint64_t error_bound; /* of a bounded sum */
    uint32_t flags;
    int32_t exponent;
} pc_window;

/* The sums of the squares, of the numbers (or of their real components), and of their imaginary
 * components. For two arrays: the sum of the products (or of their real components) in the place of
 * the squares, and in the place of the numbers that of the imaginary components of the products, or
 * of the weights of an average. */
typedef enum { PC_SQUARES, PC_NUMBERS, PC_IMAGINARY } pc_moment;

#define PC_LIMBS 68 /* of the squares; each of the others has half as many */

/* sums/accumulator.h describes the representation. */
struct pc_accumulator {
    uint64_t count; /* how many numbers were added; a complex number is one */
    uint32_t flags;
    pc_window windows[3];
    uint64_t limb[2 * PC_LIMBS];
};

/* Make it empty. It will keep the sums that the statistic needs: of the numbers and of their
 * squares (PC_VAR), of the squares alone (PC_SUMSQ), of the numbers alone (PC_SUM). */
void pc_accumulator_clear(pc_accumulator *acc, pc_statistic statistic);

/* The same for bounded sums, of floats only: much faster, with an error bound that nearly always
 * determines the rounded result. If it does not, pc_accumulator_round returns PC_INCONCLUSIVE. Only
 * rounded results can be read from it. */
void pc_accumulator_clear_bounded(pc_accumulator *acc, pc_statistic statistic);

/* acc += other; PC_TOO_LARGE, and no change, if the counts add up to 2^64 or more. */
pc_status pc_accumulator_merge(pc_accumulator *acc, const pc_accumulator *other);

/* acc *= factor, including the count. */
void pc_accumulator_scale(pc_accumulator *acc, uint64_t factor);

/* Which of NaN and the infinities were added, one bit each; for imaginary components shifted left
 * by PC_NONFINITE_BITS. */
enum { PC_PLUS_INF = 1, PC_MINUS_INF = 2, PC_NAN = 4, PC_NONFINITE_BITS = 3 };
uint32_t pc_accumulator_nonfinite(const pc_accumulator *acc);
void pc_accumulator_add_nonfinite(pc_accumulator *acc, uint32_t nonfinite);

/* Export the absolute value of the sum of a moment as words * 2^exponent, least significant word
 * first: writes at most PC_LIMBS words, without zero words at either end, and returns how many.
 * Import adds +-words * 2^exponent. It accepts all that export gives; PC_OUT_OF_RANGE for what no
 * accumulator can hold. */
size_t pc_accumulator_export(const pc_accumulator *acc, pc_moment moment, uint64_t *words,
                             int *exponent, int *negative);
pc_status pc_accumulator_import(pc_accumulator *acc, pc_moment moment, const uint64_t *words,
                                size_t count, int exponent, int negative);

/* A statistic, and the type of its result: PC_FLOAT64, PC_FLOAT32 or PC_FLOAT16, or two of these
 * (the real and the imaginary part) if components is 2, for the sum or mean of complex numbers; or
 * PC_INT64 or PC_UINT64, for the sum of integers or of their squares. The divisor of a variance is
 * count - ddof / 2^ddof_bits: if ddof_bits is not 0, count << ddof_bits must be below 2^64. */
typedef struct {
    pc_statistic statistic;
    pc_type type;
    int components;
    uint64_t ddof;
    unsigned ddof_bits;
} pc_output_spec;

/* ---- results (sums/statistic.c, sums/round.c) -------------------------------- */

/* Write the number nearest to the exact result, ties to even; NaN takes precedence over Inf.
 * PC_EMPTY if there were too few numbers: the result is NaN or Inf. Writes nothing if an integer
 * type cannot hold the result (PC_TOO_LARGE), or the rounding test of a bounded sum fails
 * (PC_INCONCLUSIVE). */
pc_status pc_accumulator_round(const pc_accumulator *acc, const pc_output_spec *spec, char *out);

/* Write the covariance of x and y, with the divisor `freedom` = count - ddof > 0. `products` has
 * the sum of their products (cleared for PC_DOT), x and y have their own sums (cleared for PC_VAR);
 * if all three are the same, the result is the variance of x. All are exact, or all are bounded,
 * and of equally many real numbers, at least one. PC_OK or PC_INCONCLUSIVE. The result is NaN if a
 * number is not finite. */
pc_status pc_round_covariance(const pc_accumulator *products, const pc_accumulator *x,
                              const pc_accumulator *y, uint64_t freedom, pc_type type, char *out);

/* The same for their correlation: 1 if they are the same, NaN if a variance is zero or not finite.
 */
pc_status pc_round_correlation(const pc_accumulator *products, const pc_accumulator *x,
                               const pc_accumulator *y, pc_type type, char *out);

/* Write the float nearest to +-words * 2^exponent, or to its square root. */
void pc_round_words(const uint64_t *words, size_t count, int exponent, int negative, int root,
                    pc_type type, char *out);

/* ---- contiguous numbers (array/contiguous.c) --------------------------------- */

/* Add `count` contiguous numbers (complex ones have two components each), aligned or not, in native
 * byte order. */
void pc_add_numbers(pc_accumulator *acc, pc_type type, int components, const char *data,
                    size_t count);

/* How many bounded sums have been inconclusive, so that an exact sum followed (sums/bounded.c). */
uint64_t pc_rounding_test_failures(void);

/* ---- arrays (array/layout.c, array/reduce.c) --------------------------------------------------
 */

#define PC_MAX_AXES 64

/* One axis of an array. Strides are in bytes, and may be zero or negative. */
typedef struct {
    size_t length;
    ptrdiff_t stride, mask_stride, out_stride, other_stride;
} pc_axis;

/* The second of two arrays of one shape, whose products are summed. */
typedef struct {
    pc_type type;
    int components, swapped;
    const char *data; /* NULL: there is none */
    int conjugate;    /* take the complex conjugate of the first */
} pc_other;

/* A strided array: first the axes to keep, then the axes to reduce. */
typedef struct {
    pc_type type;
    int components;              /* 2: complex, its components of `type`; else 1 */
    int swapped;                 /* not in native byte order */
    const char *data;            /* aligned or not */
    const char *mask;            /* one byte per element, 0 to leave it out; or NULL */
    int skip_nan;                /* leave out NaN, and complex numbers with a NaN part */
    int kept_axes, reduced_axes; /* how many there are of each */
    uint64_t repeat;             /* how often each element counts: 1 before pc_array_arrange */
    pc_other other;
    pc_axis axis[PC_MAX_AXES];
} pc_array;

/* Reorder and merge axes for speed. Call it once, before the functions below. */
void pc_array_arrange(pc_array *array);

/* Drop axes of length 1, and merge neighbouring axes that can be traversed as one. Returns how
 * many are left. */
int pc_merge_axes(pc_axis *axis, int count);

/* The number of outputs (results along the kept axes), and of the elements that each sums. */
size_t pc_array_outputs(const pc_array *array);
size_t pc_array_reduction_length(const pc_array *array);

/* The most outputs that are summed together. */
#define PC_TILE 256

/* Whether bounded sums are faster than exact ones for this array, or pair of arrays. */
int pc_array_boundable(const pc_array *array);

/* The sum at one output, and the offset of its result in `out`. */
typedef struct {
    pc_accumulator total;
    ptrdiff_t offset;
} pc_tile_sum;

/* The length of the tile that starts at output `first`, and ends at `last` or before. */
size_t pc_array_tile(const pc_array *array, size_t first, size_t last);

/* For each of the `count` outputs of the tile at `first`, add those of its elements (numbered from
 * 0 to pc_array_reduction_length) from start to stop - 1 to its sum in sums[], and set the offset.
 */
void pc_add_tile(const pc_array *array, size_t first, size_t count, size_t start, size_t stop,
                 pc_tile_sum *sums);

/* Write the result of each sum of a tile to `out`, as pc_accumulator_round does, up to the first
 * that is PC_TOO_LARGE or PC_INCONCLUSIVE. */
pc_status pc_write_tile(const pc_tile_sum *sums, size_t count, const pc_output_spec *spec,
                        char *out);

/* A variable of a covariance matrix, which has one row and one column for it. */
typedef struct {
    pc_type type;
    int components, swapped;
    const char *data;
    ptrdiff_t stride;
} pc_vector;

/* For each of `count` pairs out of `vectors` vectors, add the elements start to stop - 1 of
 * x conj(y) to its sum (cleared for PC_DOT); if x == y, those of x (cleared for PC_VAR). */
typedef struct {
    const pc_vector *x, *y;
} pc_vector_pair;
void pc_add_vector_pairs(const pc_vector_pair *pairs, size_t count, size_t vectors, size_t start,
                         size_t stop, pc_tile_sum *sums);

/* The whole reduction for the outputs first to last - 1. `sums` is working memory for
 * max(PC_MIN_SUMS, min(PC_TILE, last - first)) sums, or for one if there is one output; after
 * PC_TOO_LARGE it holds the sums of the tile that failed. (PC_MIN_SUMS: lanes use the memory for
 * other things, and need so much.) */
#define PC_MIN_SUMS 19
pc_status pc_reduce(const pc_array *array, size_t first, size_t last, const pc_output_spec *spec,
                    char *out, pc_tile_sum *sums);

/* The rounded result of contiguous numbers, by a bounded sum where that is faster and conclusive,
 * else exactly. `sum` is working memory. */
pc_status pc_reduce_contiguous(pc_type type, int components, const char *data, size_t count,
                               int skip_nan, const pc_output_spec *spec, pc_tile_sum *sum,
                               char *out);

/* ---- moving windows (array/moving.c) -------------------------------------------- */

/* Statistics of moving windows along the one reduced axis of an array: for each element, of the
 * last `window` elements up to it. NaN are left out; a window with fewer than min_count other
 * elements gives NaN.
 *
 * With bounds (`start` and `end` not NULL), result k is that of the elements start[k] to end[k] - 1
 * instead; neither bound ever decreases, and no window has more than `window` elements.
 *
 * If `window` is 0: prefix sums, of all elements up to each; NaN are not left out. If no axis is
 * kept, there may be several reduced axes, of which the last varies fastest.
 *
 * pc_array_arrange must not be called for the array. */
typedef struct {
    pc_array array; /* with the strides of the results */
    size_t window, min_count;
    const size_t *start, *end;
    pc_output_spec spec;
    char *out;
    const double *carried; /* prefix sums: numbers to add before the first element of a call */
    size_t carried_count;
} pc_moving;

/* How far a row has come; all zeros initially. */
typedef struct pc_move_state pc_move_state;
size_t pc_move_state_size(void);

/* Write the results first to last - 1 of adjacent rows, each of which has a state. A row goes on
 * where the last call with its state ended; if `first` is not there, its window is first summed
 * anew. Looks at blocks of 64 numbers at most `budget` times (2 or more; SIZE_MAX if numbers are
 * carried). Returns `last`, or the `first` to go on with in another call. */
size_t pc_move(const pc_moving *moving, size_t row, size_t rows, size_t first, size_t last,
               size_t budget, pc_move_state *states);

/* Add the elements first to last - 1 of a row. */
void pc_move_add(const pc_moving *moving, size_t row, size_t first, size_t last, pc_tile_sum *sum);

/* Write floats that add up to the sum exactly, or one that is not finite, to
 * carried[PC_MAX_CARRIED]; returns how many, or PC_MAX_CARRIED + 1 if the sum is beyond the range
 * of floats. Changes *sum. */
enum { PC_MAX_CARRIED = 64 };
size_t pc_move_carry(pc_tile_sum *sum, double *carried);

/* Write the prefix sums first to last - 1 of a row of integers, as spec.type, PC_INT64 or
 * PC_UINT64. *sum is the one before, initially 0, and becomes the last one. Returns `last`, or the
 * first that the type does not hold. There must be no mask. */
size_t pc_cumulate(const pc_moving *moving, size_t row, size_t first, size_t last, pc_u128 *sum);

/* ---- many exact states (sums/states.c, array/labels.c, array/state_results.c) ---- */

/* One of pc_states: sums/states.h describes the representation. */
typedef struct {
    uint64_t count;
    int16_t exponent;
    uint16_t flags; /* as pc_accumulator_nonfinite */
    uint32_t pool;  /* 1 + the index of the accumulator for what does not fit; 0: none */
    uint64_t numbers[3], squares[4], imaginary[3];
} pc_state;

/* The size of a pc_state, in bytes, by the sums that it keeps: those of real numbers; of their
 * squares, too; and of imaginary components, too. */
enum {
    PC_STATE_NUMBERS = offsetof(pc_state, squares),
    PC_STATE_BOTH = offsetof(pc_state, imaginary),
    PC_STATE_COMPLEX = sizeof(pc_state)
};

/* The state += acc, which holds the sums that the states keep. PC_TOO_LARGE as
 * pc_accumulator_merge. */
pc_status pc_states_add(pc_states *states, size_t index, const pc_accumulator *acc);

/* Add each sum of a tile, from *done on, to the state whose index is its offset. *done advances. */
pc_status pc_states_add_tile(pc_states *states, const pc_tile_sum *sums, size_t count,
                             size_t *done);

/* Add each state of `other`, from *done on; *done advances. `other` keeps no sums that these do
 * not. */
pc_status pc_states_merge(pc_states *states, const pc_states *other, size_t *done);

/* *acc = the state. */
void pc_states_get(const pc_states *states, size_t index, pc_accumulator *acc);

/* Normalize: states with equal sums then have equal bytes, except for their indexes into the pool.
 * To states that keep no squares nothing may be added afterwards: their sums may fill their words.
 */
void pc_states_normalize(pc_states *states);

/* Write the results of the states first to last - 1 to consecutive places, as pc_accumulator_round
 * does. Stops at the first that is PC_TOO_LARGE: that of state *done. */
pc_status pc_states_round(const pc_states *states, size_t first, size_t last,
                          const pc_output_spec *spec, char *out, size_t *done);

/* Numbers, as in pc_array, and the label of each; the last axis varies fastest. other_stride is the
 * stride of the labels (0 if all along the axis have the same label). The index of the state that
 * an element belongs to is label * label_step + the sum of index * out_stride over the axes. */
typedef struct {
    pc_type type;
    int components, swapped, skip_nan;
    const char *data, *mask;
    pc_type label_type; /* of integers; elements with a negative label are left out */
    int labels_swapped;
    const char *labels;
    size_t label_count, label_step;
    int axes;
    pc_axis axis[PC_MAX_AXES];
} pc_labelled;

/* Add the elements *done to stop - 1 to their states; PC_TOO_LARGE if one would have 2^64 numbers.
 * Then *done have been added, unless it returns PC_NO_LABEL. */
pc_status pc_states_add_labelled(pc_states *states, const pc_labelled *array, size_t *done,
                                 size_t stop);

/* ---- groups side by side (array/groups.c) ---------------------------------------- */

/* Contiguous real numbers in native byte order, and their labels, contiguous, of any integer type.
 */
typedef struct {
    pc_type type;
    int skip_nan;
    const char *data;
    size_t count;
    pc_type label_type;
    int labels_swapped;
    const char *labels;
} pc_sorted;

/* Whether the level in use has kernels for this type and result; if not, states are faster. */
int pc_sorted_suited(pc_type type, const pc_output_spec *spec);

/* Write the results of the labels first to last - 1 to their places in `out`, as
 * pc_accumulator_round does; stops at PC_TOO_LARGE. The elements start to stop - 1 must have these
 * labels, in ascending order: if not, returns PC_UNSUITED, and what was written is of no use.
 * `sums` is working memory for PC_MIN_SUMS sums. */
pc_status pc_reduce_sorted(const pc_sorted *array, size_t start, size_t stop, size_t first,
                           size_t last, const pc_output_spec *spec, char *out, pc_tile_sum *sums);

#ifdef __cplusplus
}
#endif
#endif
