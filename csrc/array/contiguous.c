/* Contiguous numbers: block by block through the kernels into an accumulator; one by one where no
 * kernel applies. */
#include "contiguous.h"
#include "bounded_runs.h"
#include "widen.h"
#include "../base/fpenv.h"

#include <string.h>

static int has_both(const pc_accumulator *acc)
{
    const uint32_t both = PC_WITH_SQUARES | PC_WITH_NUMBERS;
    return (acc->flags & both) == both;
}

/* ---- floats ------------------------------------------------------------------ */

/* Fewer numbers than this are added faster one by one than by a kernel. */
static size_t min_for_kernel(const pc_accumulator *acc)
{
    return has_both(acc) ? 6 : 12;
}

/* For block exponents in this range the kernels' arithmetic neither overflows nor underflows. */
enum { BLOCK_EXPONENT_MIN = -400, BLOCK_EXPONENT_MAX = 400 };

/* Whether sums_of_float64 was exact, according to the magnitudes that it found. */
static int exact64(magnitude_range range, int block_exponent, int exponent_range)
{
    return block_exponent >= BLOCK_EXPONENT_MIN && block_exponent <= BLOCK_EXPONENT_MAX &&
           range.max < ((uint32_t)(block_exponent + 1 + 1023) << 20) - 1 &&
           range.min >= (uint32_t)(block_exponent - exponent_range + 1023) << 20;
}

/* The same for sums_of_float32. Multiples of 2^finest are never too small if the last bits of
 * their squares are within reach of the block exponent. */
static int exact32(magnitude_range range, int block_exponent, int finest)
{
    return range.max < (uint32_t)(block_exponent + 1 + 127) << 23 &&
           (finest >= block_exponent - 50 || range.min >= (uint32_t)(block_exponent - 27 + 127)
                                                              << 23);
}

/* A first guess at the exponent of a block: that of the open window, or from its first number, with
 * room for numbers 16 times as large. */
static int guess_block_exponent(const pc_accumulator *acc, double first)
{
    if (acc->flags & PC_WITH_SQUARES && acc->windows[PC_SQUARES].flags & PC_WINDOW_USED)
        return (acc->windows[PC_SQUARES].exponent - square_window_exponent(0)) / 2;
    if (acc->windows[PC_NUMBERS].flags & PC_WINDOW_USED)
        return acc->windows[PC_NUMBERS].exponent - number_window_exponent(0);
    return first == 0.0 ? 0 : (int)(bits_of(first) >> 52 & 0x7ff) - 1023 + 4;
}

static void add_block_sums(pc_accumulator *acc, int components, const block_sums *sums,
                           int block_exponent)
{
    if (acc->flags & PC_WITH_SQUARES)
        accumulator_add(acc, PC_SQUARES, sums->squares, square_window_exponent(block_exponent));
    if (!(acc->flags & PC_WITH_NUMBERS))
        return;
    pc_u128 number[2] = {sums->numbers[0], sums->numbers[1]};
    if (components == 1)
        u128_add(&number[0], number[1]);
    for (int p = 0; p < components; p++) {
        const uint64_t sign = sign_of_word(number[p].hi),
                       words[4] = {number[p].lo, number[p].hi, sign, sign};
        accumulator_add(acc, PC_NUMBERS + (pc_moment)p, words,
                        number_window_exponent(block_exponent));
    }
}

static void add_one_by_one(pc_accumulator *acc, int components, const char *x, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        double v;
        memcpy(&v, x + k * sizeof v, sizeof v);
        accumulator_add_number(acc, v, components == 2 && (k & 1));
    }
}

/* Whether most numbers of a block are too small for the block exponent of the largest, by a sample:
 * affects speed only. */
static int mostly_tiny(const char *x, size_t n, magnitude_range range, int exponent_range)
{
    size_t step = n / 16 + 1, small = 0, looked = 0;
    for (size_t k = 0; k < n; k += step, looked++) {
        uint64_t bits;
        memcpy(&bits, x + k * sizeof bits, sizeof bits);
        small += (uint32_t)(bits >> 52 & 0x7ff) + (uint32_t)exponent_range < range.max >> 20;
    }
    return 2 * small > looked;
}

/* A block that no single exponent fits. Numbers within the exponent range of the largest go through
 * the kernel, scaled into its range; the others, NaN and Inf are added one by one. */
static void add_wide_range(pc_accumulator *acc, int components, const char *x, size_t n,
                           const pc_square_kernels *kernels)
{
    double inside[BUFFER];
    uint64_t top = 0, bits;
    block_sums sums;
    for (size_t k = 0; k < n; k++) {
        memcpy(&bits, x + k * sizeof bits, sizeof bits);
        bits &= UINT64_MAX >> 1;
        top = bits > top && bits >> 52 != 0x7ff ? bits : top;
    }
    int block_exponent = (int)(top >> 52) - 1023 + 1;
    if (block_exponent < -960) /* so that 2^(E - exponent_range) is not subnormal */
        block_exponent = -960;
    int shift = block_exponent > BLOCK_EXPONENT_MAX   ? -700
                : block_exponent < BLOCK_EXPONENT_MIN ? 700
                                                      : 0;
    const uint64_t min = (uint64_t)(block_exponent - kernels->exponent_range + 1023) << 52;
    const double scale = power(shift);
    for (size_t m; n; n -= m, x += m * sizeof *inside) {
        m = n < BUFFER ? n : BUFFER;
        for (size_t k = 0; k < m; k++) {
            memcpy(&inside[k], x + k * sizeof *inside, sizeof *inside);
            bits = bits_of(inside[k]) & (UINT64_MAX >> 1);
            if (bits >= min && bits <= top) {
                inside[k] *= scale;
            } else {
                accumulator_add_number(acc, inside[k], components == 2 && (k & 1));
                inside[k] = 0.0;
            }
        }
        kernels->sums_of_float64((const char *)inside, m, block_exponent + shift, &sums);
        add_block_sums(acc, components, &sums, block_exponent);
    }
}

static void add_float64(pc_accumulator *acc, int components, const char *x, size_t n)
{
    const pc_square_kernels *kernels = pc_squares_in_use();
    block_sums sums;
    if (n < min_for_kernel(acc) || !kernels->sums_of_float64) {
        add_one_by_one(acc, components, x, n);
        return;
    }
    double first;
    memcpy(&first, x, sizeof first);
    int block_exponent = guess_block_exponent(acc, first);
    if (block_exponent < BLOCK_EXPONENT_MIN || block_exponent > BLOCK_EXPONENT_MAX)
        block_exponent = 0;
    kernels->sums_of_float64(x, n, block_exponent, &sums);
    if (!exact64(sums.magnitudes, block_exponent, kernels->exponent_range)) {
        block_exponent = (int)(sums.magnitudes.max >> 20) - 1023 +
                         1; /* room for numbers twice as large in later blocks */
        if (!exact64(sums.magnitudes, block_exponent, kernels->exponent_range)) {
            if (mostly_tiny(x, n, sums.magnitudes, kernels->exponent_range))
                add_one_by_one(acc, components, x, n);
            else
                add_wide_range(acc, components, x, n, kernels);
            return;
        }
        kernels->sums_of_float64(x, n, block_exponent, &sums);
    }
    add_block_sums(acc, components, &sums, block_exponent);
}

/* float32, or float16 widened to it; all are multiples of 2^finest. */
static void add_float32(pc_accumulator *acc, int components, const char *x, size_t n, int finest)
{
    const pc_square_kernels *kernels = pc_squares_in_use();
    double wide[BUFFER];
    block_sums sums;
    if (n >= min_for_kernel(acc) && kernels->sums_of_float32) {
        float first;
        memcpy(&first, x, sizeof first);
        int block_exponent = guess_block_exponent(acc, first);
        if (block_exponent < -127 || block_exponent > 127)
            block_exponent = 0;
        kernels->sums_of_float32(x, n, block_exponent, &sums);
        if (!exact32(sums.magnitudes, block_exponent, finest)) {
            block_exponent = (int)(sums.magnitudes.max >> 23) - 127 + 1;
            block_exponent = block_exponent > 127 ? 127 : block_exponent;
            if (exact32(sums.magnitudes, block_exponent, finest))
                kernels->sums_of_float32(x, n, block_exponent, &sums);
        }
        if (exact32(sums.magnitudes, block_exponent, finest)) {
            add_block_sums(acc, components, &sums, block_exponent);
            return;
        }
    }
    for (size_t m; n; n -= m, x += m * sizeof(float)) {
        m = n < BUFFER ? n : BUFFER;
        widen_to_doubles(wide, PC_FLOAT32, x, m);
        add_float64(acc, components, (const char *)wide, m);
    }
}

/* Integers for two kernels in turn: few enough to stay in the cache for the second. */
enum { BOTH_BLOCK = 1 << 13 };

static void add_integers(pc_accumulator *acc, pc_type type, const char *x, size_t n)
{
    const pc_kernels *kernels = pc_kernels_in_use();
    uint64_t sum[4];
    if (acc->flags & PC_WITH_SQUARES) {
        kernels->squares_of_integers[type](x, n, sum);
        accumulator_add(acc, PC_SQUARES, sum, 0);
    }
    if (acc->flags & PC_WITH_NUMBERS) {
        kernels->sum_of_integers[type](x, n, sum);
        accumulator_add(acc, PC_NUMBERS, sum, 0);
    }
}

/* ---- types --------------------------------------------------------------- */

static size_t block_size(const pc_accumulator *acc, pc_type type)
{
    return type == PC_FLOAT16 ? BUFFER
           : is_float(type)   ? FLOAT_BLOCK
           : has_both(acc)    ? BOTH_BLOCK
                              : INTEGER_BLOCK;
}

/* n <= block_size(type) reals, native and contiguous. */
static void add_block(pc_accumulator *acc, pc_type type, int components, const char *x, size_t n)
{
    char wide[BUFFER * sizeof(float)], truth[BUFFER];
    size_t m;
    switch (type) {
    case PC_FLOAT64: add_float64(acc, components, x, n); break;
    case PC_FLOAT32: add_float32(acc, components, x, n, -149); break;
    case PC_FLOAT16:
        widen_float16(wide, x, n);
        add_float32(acc, components, wide, n, -24);
        break;
    case PC_BOOL: /* any byte but 0 is true */
        for (; n; n -= m, x += m) {
            m = n < sizeof truth ? n : sizeof truth;
            for (size_t k = 0; k < m; k++)
                truth[k] = x[k] != 0;
            add_integers(acc, PC_UINT8, truth, m);
        }
        break;
    default: add_integers(acc, type, x, n);
    }
}

/* Bounded kernels take longer runs; float16 is widened first where the level has no kernel for it.
 */
static void add_bounded_reals(pc_accumulator *acc, pc_type type, int components, const char *x,
                              size_t count)
{
    char wide[BUFFER * sizeof(float)];
    if (has_bounded(type)) {
        add_bounded(acc, type, components, x, (ptrdiff_t)size_of_type[type], count, 0);
        return;
    }
    for (size_t n; count; count -= n, x += n * sizeof(uint16_t)) {
        n = count < BUFFER ? count : BUFFER;
        widen_float16(wide, x, n);
        add_bounded(acc, PC_FLOAT32, components, wide, sizeof(float), n, 0);
    }
}

void add_reals(pc_accumulator *acc, pc_type type, int components, const char *x, size_t count)
{
    const size_t block = block_size(acc, type);
    if (acc->flags & PC_BOUNDED) {
        add_bounded_reals(acc, type, components, x, count);
        return;
    }
    for (size_t n; count; count -= n, x += n * size_of_type[type]) {
        n = count < block ? count : block;
        add_block(acc, type, components, x, n);
    }
}

void pc_add_numbers(pc_accumulator *acc, pc_type type, int components, const char *data,
                    size_t count)
{
    const size_t reals = count * (size_t)components;
    acc->count += count;
    if (!is_float(type) ||
        (reals < min_for_kernel(acc) && type == PC_FLOAT64)) { /* no floating-point arithmetic */
        add_reals(acc, type, components, data, reals);
        return;
    }
    fpenv callers = fpenv_enter();
    add_reals(acc, type, components, data, reals);
    fpenv_leave(callers);
}

/* ---- columns side by side ------------------------------------------------- */

/* Below this many rows, add_columns is not worth it. */
enum { MIN_ROWS = 6 };

static void add_column(pc_accumulator *acc, const char *x, ptrdiff_t stride, size_t n)
{
    double block[BUFFER];
    for (size_t m; n; n -= m, x += (ptrdiff_t)m * stride) {
        m = n < BUFFER ? n : BUFFER;
        for (size_t k = 0; k < m; k++)
            memcpy(&block[k], x + (ptrdiff_t)k * stride, sizeof *block);
        add_float64(acc, 1, (const char *)block, m);
    }
}

/* Uses the exponents in block_exponent[] if they suit, as they mostly do for a few rows; else finds
 * those of the columns, and leaves them there for the next columns. */
static void add_float64_columns(pc_tile_sum *sums, const char *x, ptrdiff_t stride, size_t n,
                                size_t columns, const pc_square_kernels *kernels,
                                int block_exponent[STRIP])
{
    block_sums block[STRIP];
    size_t m = n < 64 ? n : 64;
    int exact = m == n;

    kernels->sums_of_columns(x, stride, m, columns, block_exponent, block); /* for the magnitudes */
    for (size_t c = 0; c < columns; c++)
        exact &= exact64(block[c].magnitudes, block_exponent[c], kernels->exponent_range);
    for (size_t c = 0; c < columns && !exact; c++) {
        block_exponent[c] = (int)(block[c].magnitudes.max >> 20) - 1023 + 2;
        if (block_exponent[c] < BLOCK_EXPONENT_MIN || block_exponent[c] > BLOCK_EXPONENT_MAX)
            block_exponent[c] = 0;
    }
    for (size_t row = 0; row < n; row += m, x += (ptrdiff_t)m * stride) {
        m = n - row < FLOAT_BLOCK ? n - row : FLOAT_BLOCK;
        if (!exact)
            kernels->sums_of_columns(x, stride, m, columns, block_exponent, block);
        for (size_t c = 0; c < columns; c++) {
            sums[c].total.count += m;
            if (exact64(block[c].magnitudes, block_exponent[c], kernels->exponent_range))
                add_block_sums(&sums[c].total, 1, &block[c], block_exponent[c]);
            else
                add_column(&sums[c].total, x + c * sizeof(double), stride, m);
        }
    }
}

size_t add_columns(pc_tile_sum *sums, pc_type type, const char *x, ptrdiff_t stride, size_t n,
                   size_t columns, int skip_nan)
{
    columns -= columns % 8;
    if (n < MIN_ROWS || columns == 0)
        return 0;
    const pc_square_kernels *kernels = pc_squares_in_use();
    const int bounded = sums[0].total.flags & PC_BOUNDED && has_bounded(type);
    int block_exponent[STRIP] = {0};
    if (!bounded && (skip_nan || !(type == PC_FLOAT64 && kernels->sums_of_columns)))
        return 0;
    if (bounded)
        add_bounded_columns(sums, type, x, stride, n, columns, skip_nan);
    for (size_t c = 0, strip; c < columns && !bounded; c += strip, x += strip * sizeof(double)) {
        strip = columns - c < STRIP ? columns - c : STRIP;
        add_float64_columns(sums + c, x, stride, n, strip, kernels, block_exponent);
    }
    return columns;
}
