/* Runs of floats through the bounded kernels into sums with an error bound. */
#include "bounded_runs.h"
#include "../sums/bounded.h"

/* For the lane exponent k of a kernel call, `units` counts multiples of g = 2^(k-52), and the
 * window multiples of 2^-46 g: `residual`, below 2^17 g, is then less than 2^63 of these. */
enum { GUARD_BITS = 46 };

static int exponent_of(int lane_exponent)
{
    return lane_exponent - 52 - GUARD_BITS;
}

static int lane_exponent_of(const pc_accumulator *acc)
{
    return acc->windows[PC_SQUARES].exponent + 52 + GUARD_BITS;
}

#ifndef PC_WIDER_BOUND /* for tests: widen the bound until every rounding test fails */
#define PC_WIDER_BOUND 0
#endif

/* The error bound, in units of 2^-46 g, of a kernel's sum of n numbers in this many lanes, and of
 * the conversion of `residual` to these units. */
static uint64_t error_bound_of(size_t n, size_t lanes)
{
    uint64_t m = n / lanes + 1;
    return (lanes * m * (m + 4) >> 8) + (n * lanes >> 8) + 3; /* both rounded down */
}

/* The sum of a moment += units * 2^(lane_exponent-52) + residual, with that error bound. */
static void add_partial_moment(pc_accumulator *acc, pc_moment moment, uint64_t units, uint64_t sign,
                               double residual, int lane_exponent, uint64_t error_bound)
{
    int64_t fine = (int64_t)(residual * power(52 + GUARD_BITS - lane_exponent));
    const uint64_t minus = 0 - (uint64_t)(fine < 0);
    pc_window sum = {{(uint64_t)fine, minus, minus, minus},
                     error_bound << PC_WIDER_BOUND,
                     PC_WINDOW_USED,
                     exponent_of(lane_exponent)};
    add_at(sum.words, 4, GUARD_BITS, (pc_u128){units, sign}, sign);
    bounded_add(acc, moment, sum);
}

/* acc += a kernel's sums of n numbers, for that lane exponent. */
static void add_partial(pc_accumulator *acc, int components, const bounded_sums *partial,
                        int lane_exponent, size_t n, size_t lanes)
{
    const uint64_t *units = partial->number_units;
    const double *residual = partial->number_residual;
    const uint64_t error_bound = error_bound_of(n, lanes);
    if (acc->flags & PC_WITH_SQUARES)
        add_partial_moment(acc, PC_SQUARES, partial->units, 0, partial->residual, lane_exponent,
                           error_bound);
    if (!(acc->flags & PC_WITH_NUMBERS))
        return;
    lane_exponent = numbers_exponent(lane_exponent);
    if (components == 1) {
        uint64_t all = units[0] + units[1];
        add_partial_moment(acc, PC_NUMBERS, all, sign_of_word(all), residual[0] + residual[1],
                           lane_exponent, error_bound);
    } else {
        for (int p = 0; p < 2; p++)
            add_partial_moment(acc, PC_NUMBERS + (pc_moment)p, units[p], sign_of_word(units[p]),
                               residual[p], lane_exponent, error_bound);
    }
}

/* Numbers, or rows, sampled for a first lane exponent; and log2 of how many times larger the sum of
 * a block of 2048 numbers may be than that of the sample. */
enum { SAMPLE = 64, HEADROOM_BITS = 7 };

/* Make a window coarse enough for a lane exponent; returns 0 if it is too large for the kernels. */
static int widen_window(pc_accumulator *acc, pc_moment moment, int lane_exponent)
{
    if (lane_exponent > LANE_EXPONENT_MAX) {
        mark_inconclusive(acc);
        return 0;
    }
    bounded_coarsen(&acc->windows[moment], exponent_of(lane_exponent));
    return 1;
}

/* The same of all windows, for the lane exponent of the squares. */
static int widen_windows(pc_accumulator *acc, int lane_exponent)
{
    if (!widen_window(acc, PC_SQUARES, lane_exponent))
        return 0;
    if (acc->flags & PC_WITH_NUMBERS)
        for (pc_moment moment = PC_NUMBERS; moment <= PC_IMAGINARY; moment++)
            widen_window(acc, moment, numbers_exponent(lane_exponent));
    return 1;
}

/* Whether a variance will probably need the exact sum: in a sample of n numbers the mean is more
 * than 2^11 times the standard deviation. (Not if all are zeros.) Affects speed only. */
static int ill_conditioned(const pc_accumulator *acc, int components, const bounded_sums *partial,
                           int lane_exponent, size_t n)
{
    const double re = (double)(int64_t)partial->number_units[0],
                 im = (double)(int64_t)partial->number_units[1];
    const double numbers = components == 1 ? (re + im) * (re + im) : 2 * (re * re + im * im);
    const double unit = 2 * numbers_exponent(lane_exponent) - lane_exponent == 14
                            ? 0x1p-38
                            : 0x1p-37; /* of number_units^2 */
    return (acc->flags & PC_WITH_SQUARES) && n >= SAMPLE &&
           numbers * unit > (1 - 0x1p-22) * (double)n * (double)partial->units;
}

/* The most numbers in the next call of a bounded kernel. One that stopped is followed by one that
 * is not streamed, of which less is lost if it stops, too. */
static size_t max_run_after(int stopped)
{
    return stopped ? MIN_STREAMED / 2 : BOUNDED_RUN;
}

/* Each moment has its own lane exponent here, that of its window. Leaves out NaN if skip_nan (of
 * numbers alone), and returns how many. */
static size_t add_products(const pc_kernels *kernels, pc_accumulator *acc, pc_moment moment,
                           pc_type type, const char *x, ptrdiff_t x_stride, const char *y,
                           ptrdiff_t y_stride, size_t n, int skip_nan)
{
    products_kernel *const plain = kernels->bounded_products[type - PC_FLOAT16],
                           *const skipping = kernels->nanbounded_sums[type - PC_FLOAT16],
                           *kernel = skip_nan ? skipping : plain;
    const pc_window *window = &acc->windows[moment];
    bounded_sums partial;
    size_t missing = 0;
    if (!kernel) /* another thread has just switched to a level without it */
        mark_inconclusive(acc);
    if (is_inconclusive(acc) || !n)
        return 0;
    if (!(window->flags & PC_WINDOW_USED)) {
        kernel(x, x_stride, y, y_stride, n < SAMPLE ? n : SAMPLE, LANE_EXPONENT_MIN, &partial);
        if (!widen_window(acc, moment, lane_exponent_above(partial.overflow_at, HEADROOM_BITS)))
            return 0;
    }
    kernel = plain;
    for (size_t some, done, longest = BOUNDED_RUN; n; n -= done, x += (ptrdiff_t)done * x_stride) {
        const int lane_exponent = window->exponent + 52 + GUARD_BITS;
        some = n < longest ? n : longest;
        done = kernel(x, x_stride, y, y_stride, some, lane_exponent, &partial);
        if (partial.residual != partial.residual) { /* Dekker's product overflowed */
            mark_inconclusive(acc);
            break;
        }
        if (done)
            add_partial_moment(acc, moment, partial.units, sign_of_word(partial.units),
                               partial.residual, lane_exponent,
                               error_bound_of(done, kernels->lanes[0]));
        missing += (size_t)partial.missing;
        if (y)
            y += (ptrdiff_t)done * y_stride;
        const int met_nan =
            skip_nan && kernel == plain && partial.overflow_at != partial.overflow_at;
        kernel = met_nan || partial.missing ? skipping : plain;
        longest = max_run_after(done < some && !met_nan);
        if (done == some || met_nan)
            continue;
        const int higher = lane_exponent_above(partial.overflow_at, 2);
        if (higher <= lane_exponent) {
            mark_inconclusive(acc);
            break;
        }
        if (!widen_window(acc, moment, higher))
            break;
    }
    return missing;
}

void add_bounded_products(pc_accumulator *acc, pc_moment moment, pc_type type, const char *x,
                          ptrdiff_t x_stride, const char *y, ptrdiff_t y_stride, size_t n)
{
    add_products(pc_kernels_in_use(), acc, moment, type, x, x_stride, y, y_stride, n, 0);
}

/* The kernel that does not look for NaN is faster: it runs until there is one to skip. Numbers
 * alone are products by one, whose kernel needs no squares. */
size_t add_bounded(pc_accumulator *acc, pc_type type, int components, const char *x,
                   ptrdiff_t stride, size_t count, int skip_nan)
{
    const pc_kernels *kernels = pc_kernels_in_use();
    const int both = (acc->flags & PC_WITH_NUMBERS) != 0;
    bounded_kernel *const plain = kernels->bounded[both][type - PC_FLOAT16],
                          *const skipping = kernels->nanbounded[type - PC_FLOAT16],
                          *kernel = skip_nan ? skipping : plain;
    bounded_sums partial;
    size_t missing = 0;
    if (!(acc->flags & PC_WITH_SQUARES) && components == 1)
        return add_products(kernels, acc, PC_NUMBERS, type, x, stride, NULL, 0, count, skip_nan);
    if (!kernel) /* another thread has just switched to a level without it */
        mark_inconclusive(acc);
    if (is_inconclusive(acc) || !count)
        return 0;
    if (!(acc->windows[PC_SQUARES].flags & PC_WINDOW_USED)) {
        const size_t sampled = count < SAMPLE ? count : SAMPLE;
        kernel(x, stride, sampled, LANE_EXPONENT_MIN, &partial);
        if (!widen_windows(acc, lane_exponent_above(partial.overflow_at, HEADROOM_BITS)))
            return 0;
        if (both) {
            kernel(x, stride, sampled, lane_exponent_of(acc), &partial);
            if (ill_conditioned(acc, components, &partial, lane_exponent_of(acc),
                                sampled - (size_t)partial.missing)) {
                mark_inconclusive(acc);
                return 0;
            }
        }
    }
    kernel = plain;
    for (size_t n, done, longest = BOUNDED_RUN; count;
         count -= done, x += (ptrdiff_t)done * stride) {
        int lane_exponent = lane_exponent_of(acc);
        n = count < longest ? count : longest;
        done = kernel(x, stride, n, lane_exponent, &partial);
        if (done)
            add_partial(acc, components, &partial, lane_exponent, done,
                        kernels->lanes[both || kernel == skipping]);
        missing += (size_t)partial.missing;
        const int met_nan =
            skip_nan && kernel == plain && partial.overflow_at != partial.overflow_at;
        kernel = met_nan || partial.missing ? skipping : plain;
        longest = max_run_after(done < n && !met_nan);
        if (done < n && !met_nan &&
            !widen_windows(acc, lane_exponent_above(partial.overflow_at, 1)))
            break;
    }
    return missing;
}

/* The sum of a moment += what a block kernel made of it, for that lane exponent. */
static void add_estimate(pc_accumulator *acc, pc_moment moment, double sum[3][LANE_COLUMNS],
                         int lane_exponent)
{
    const int64_t units = (int64_t)(sum[0][0] * power(52 - lane_exponent));
    const double bound = sum[2][0] * power(52 + GUARD_BITS - lane_exponent);
    add_partial_moment(acc, moment, (uint64_t)units, 0 - (uint64_t)(units < 0), sum[1][0],
                       lane_exponent, (uint64_t)bound + 2);
}

int add_weighted_row(pc_accumulator *acc, pc_type type, const char *x, const char *y, size_t n)
{
    const pc_window *windows = acc->windows;
    lane_matrix_kernel *const kernel =
        type < PC_FLOAT32 ? NULL
                          : pc_kernels_in_use()->matrix_rows[0][SUM_WEIGHTED][type - PC_FLOAT32];
    if (!kernel || n < LANE_STEP || is_inconclusive(acc) ||
        !(windows[PC_SQUARES].flags & windows[PC_NUMBERS].flags & PC_WINDOW_USED))
        return 0;
    const lane_matrix from = {.x = x, .y = y, .length = n, .outputs = 1};
    const int lane_exponents[2] = {windows[PC_SQUARES].exponent + 52 + GUARD_BITS,
                                   windows[PC_NUMBERS].exponent + 52 + GUARD_BITS};
    lane_sums sums;
    if (!kernel(&from, lane_exponents, &sums))
        return 0;
    add_estimate(acc, PC_SQUARES, sums.square, lane_exponents[0]);
    add_estimate(acc, PC_NUMBERS, sums.number, lane_exponents[1]);
    return 1;
}

/* Add the columns; returns 0, with the sums unusable, if one is inconclusive. */
static int add_strip(columns_kernel *plain, columns_kernel *skipping, pc_tile_sum *sums,
                     const char *x, ptrdiff_t stride, size_t n, size_t columns, int both)
{
    const size_t sampled = n < SAMPLE ? n : SAMPLE;
    columns_kernel *kernel = skipping ? skipping : plain;
    int lane_exponent[BOUNDED_STRIP], inconclusive = 0;
    column_sums sum;
    bounded_sums partial;
    size_t m, again;

    for (size_t c = 0; c < BOUNDED_STRIP; c++)
        lane_exponent[c] = LANE_EXPONENT_MIN;
    kernel(x, stride, sampled, columns, lane_exponent, &sum);
    for (size_t c = 0; c < columns; c++)
        if (!(sums[c].total.windows[PC_SQUARES].flags & PC_WINDOW_USED)) {
            partial = column_partial(&sum, c, lane_exponent[c], 0);
            widen_windows(&sums[c].total, lane_exponent_above(partial.overflow_at, HEADROOM_BITS));
        }
    for (size_t c = 0; c < columns; c++) {
        inconclusive |= is_inconclusive(&sums[c].total);
        lane_exponent[c] = inconclusive ? LANE_EXPONENT_MIN : lane_exponent_of(&sums[c].total);
    }
    if (both && !inconclusive) {
        kernel(x, stride, sampled, columns, lane_exponent, &sum);
        for (size_t c = 0; c < columns; c++) {
            partial = column_partial(&sum, c, lane_exponent[c], 1);
            inconclusive |= ill_conditioned(&sums[c].total, 1, &partial, lane_exponent[c],
                                            sampled - (size_t)partial.missing);
        }
    }
    kernel = plain;
    for (size_t row = 0; row < n && !inconclusive; row += m, x += (ptrdiff_t)m * stride) {
        m = n - row < FLOAT_BLOCK ? n - row : FLOAT_BLOCK;
        do {
            for (size_t c = 0; c < columns; c++)
                lane_exponent[c] = lane_exponent_of(&sums[c].total);
            kernel(x, stride, m, columns, lane_exponent, &sum);
            again = 0;
            int met_nan = 0;
            for (size_t c = 0; c < columns; c++) {
                partial = column_partial(&sum, c, lane_exponent[c], both);
                if (skipping && kernel == plain && partial.overflow_at != partial.overflow_at)
                    met_nan = 1;
                else if (partial.overflow_at != 0.0 &&
                         widen_windows(&sums[c].total, lane_exponent_above(partial.overflow_at, 1)))
                    again++;
                else
                    inconclusive |= is_inconclusive(&sums[c].total);
            }
            if (met_nan) {
                kernel = skipping;
                again++;
            }
        } while (again && !inconclusive);
        uint64_t missing = 0;
        for (size_t c = 0; c < columns && !inconclusive; c++) {
            partial = column_partial(&sum, c, lane_exponent[c], both);
            add_partial(&sums[c].total, 1, &partial, lane_exponent[c], m, 1);
            sums[c].total.count -= partial.missing;
            missing |= partial.missing;
        }
        kernel = missing ? skipping : plain;
    }
    return !inconclusive;
}

void add_bounded_columns(pc_tile_sum *sums, pc_type type, const char *x, ptrdiff_t stride, size_t n,
                         size_t columns, int skip_nan)
{
    const pc_kernels *kernels = pc_kernels_in_use();
    const int both = (sums[0].total.flags & PC_WITH_NUMBERS) != 0;
    columns_kernel *plain = kernels->bounded_columns[both][type - PC_FLOAT16],
                   *skipping = skip_nan ? kernels->nanbounded_columns[type - PC_FLOAT16] : NULL;
    int certain = plain != NULL;
    for (size_t c = 0, strip; c < columns && certain; c += strip) {
        strip = columns - c < BOUNDED_STRIP ? columns - c : BOUNDED_STRIP;
        certain = add_strip(plain, skipping, sums + c, x + c * size_of_type[type], stride, n, strip,
                            both);
    }
    /* If one column is inconclusive, all are summed exactly. */
    for (size_t c = 0; c < columns; c++) {
        if (!certain)
            mark_inconclusive(&sums[c].total);
        sums[c].total.count += n;
    }
}
