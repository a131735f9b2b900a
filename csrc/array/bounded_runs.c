/* Runs of floats through the bounded kernels into sums with an error bound. */
#include "bounded_runs.h"
#include "../sums/bounded.h"

#include <string.h>

/* For the exponent k of a kernel call, `units` counts multiples of g = 2^(k-52), and the window
 * multiples of 2^-46 g: `residual`, below 2^17 g, is then less than 2^63 of these. */
enum { GUARD_BITS = 46, K_LEAST = -900, K_MOST = 1000 };

static int exponent_of(int k)
{
    return k - 52 - GUARD_BITS;
}

static int lane_exponent_of(const pc_accumulator *acc)
{
    return acc->part[PC_SQUARES].exponent + 52 + GUARD_BITS;
}

#ifndef PC_WIDER_BOUND /* for tests: widen the bound until every rounding test fails */
#define PC_WIDER_BOUND 0
#endif

/* The error bound, in units of 2^-46 g, of a kernel's sum of n numbers in this many lanes, and of
 * the conversion of `residual` to these units. */
static uint64_t error_bound_of(size_t n, size_t lanes)
{
    uint64_t m = n / lanes + 1;
    return ((lanes * m * (m + 4) >> 8) + (n * lanes >> 8) + 2) << PC_WIDER_BOUND;
}

/* One part += whole * 2^(k-52) + rest, of n numbers. */
static void add_one_found(pc_accumulator *acc, pc_moment part, uint64_t whole, uint64_t sign,
                          double rest, int k, size_t n, size_t lanes)
{
    uint64_t bits = (uint64_t)(52 + GUARD_BITS - k + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    int64_t fine = (int64_t)(rest * scale);
    uint64_t words[4] = {(uint64_t)fine, 0 - (uint64_t)(fine < 0), 0 - (uint64_t)(fine < 0),
                         0 - (uint64_t)(fine < 0)};
    add_at(words, 4, GUARD_BITS, (pc_u128){whole, sign}, sign);
    bounded_add(acc, part, words, error_bound_of(n, lanes));
}

/* acc += a kernel's sums of n numbers, for the exponent k. */
static void add_found(pc_accumulator *acc, int parts, const bounded_sums *found, int k, size_t n,
                      size_t lanes)
{
    const uint64_t *whole = found->number_units;
    const double *rest = found->number_residual;
    if (acc->flags & PC_WITH_SQUARES)
        add_one_found(acc, PC_SQUARES, found->units, 0, found->residual, k, n, lanes);
    if (!(acc->flags & PC_WITH_NUMBERS))
        return;
    k = numbers_exponent(k);
    if (parts == 1) {
        uint64_t all = whole[0] + whole[1];
        add_one_found(acc, PC_NUMBERS, all, sign_of_word(all), rest[0] + rest[1], k, n, lanes);
    } else {
        for (int p = 0; p < 2; p++)
            add_one_found(acc, PC_NUMBERS + (pc_moment)p, whole[p], sign_of_word(whole[p]), rest[p],
                          k, n, lanes);
    }
}

/* The least k that leaves a lane that reached `most` room for 2^spare times as much; above K_MOST
 * if there is none. */
static int lane_exponent_above(double most, int spare)
{
    uint64_t bits;
    memcpy(&bits, &most, sizeof bits);
    int k = (int)(bits >> 52) - 1023 + 1 + spare;
    return k < K_LEAST ? K_LEAST : k;
}

/* Numbers, or rows, sampled for a first k; and log2 of how many times as large as the sum of a
 * sample that of a block of 2048 numbers may be. */
enum { SAMPLE = 64, HEADROOM_BITS = 7 };

/* Make the windows coarse enough for k; returns 0 if k is too large for the kernels. */
static int widen_windows(pc_accumulator *acc, int k)
{
    if (k > K_MOST) {
        mark_inconclusive(acc);
        return 0;
    }
    bounded_coarsen(&acc->part[PC_SQUARES], exponent_of(k));
    if (acc->flags & PC_WITH_NUMBERS)
        for (pc_moment part = PC_NUMBERS; part <= PC_IMAGINARY; part++)
            bounded_coarsen(&acc->part[part], exponent_of(numbers_exponent(k)));
    return 1;
}

/* Whether a variance will probably need the exact sum: in a sample of n numbers the mean is more
 * than 2^11 times the standard deviation. (Not if all are zeros.) Affects speed only. */
static int ill_conditioned(const pc_accumulator *acc, int parts, const bounded_sums *found, int k,
                           size_t n)
{
    const double re = (double)(int64_t)found->number_units[0],
                 im = (double)(int64_t)found->number_units[1];
    const double numbers = parts == 1 ? (re + im) * (re + im) : 2 * (re * re + im * im);
    const double unit = 2 * numbers_exponent(k) - k == 14 ? 0x1p-38 : 0x1p-37; /* of whole^2 */
    return (acc->flags & PC_WITH_SQUARES) && n >= SAMPLE &&
           numbers * unit > (1 - 0x1p-22) * (double)n * (double)found->units;
}

/* Until there is a NaN to skip the kernel that does not look for any is the faster one. */
size_t add_bounded(pc_accumulator *acc, pc_type type, int parts, const char *x, ptrdiff_t stride,
                   size_t count, int skip_nan)
{
    const pc_kernels *kernels = pc_kernels_in_use();
    const int both = (acc->flags & PC_WITH_NUMBERS) != 0;
    bounded_kernel *const plain = kernels->bounded[both][type - PC_FLOAT16],
                          *const skipping = kernels->nanbounded[both][type - PC_FLOAT16],
                          *kernel = skip_nan ? skipping : plain;
    bounded_sums found;
    size_t missing = 0;
    if (!kernel) /* another thread has just switched to a level without it */
        mark_inconclusive(acc);
    if (is_inconclusive(acc) || !count)
        return 0;
    if (!(acc->part[PC_SQUARES].flags & PC_WINDOW_USED)) {
        const size_t look = count < SAMPLE ? count : SAMPLE;
        kernel(x, stride, look, K_LEAST, &found);
        if (!widen_windows(acc, lane_exponent_above(found.most, HEADROOM_BITS)))
            return 0;
        if (both) {
            kernel(x, stride, look, lane_exponent_of(acc), &found);
            if (ill_conditioned(acc, parts, &found, lane_exponent_of(acc), look - found.missing)) {
                mark_inconclusive(acc);
                return 0;
            }
        }
    }
    kernel = plain;
    for (size_t n, done; count; count -= done, x += (ptrdiff_t)done * stride) {
        int k = lane_exponent_of(acc);
        n = count < BOUNDED_RUN ? count : BOUNDED_RUN;
        done = kernel(x, stride, n, k, &found);
        if (done)
            add_found(acc, parts, &found, k, done, kernels->lanes[both]);
        missing += found.missing;
        const int met_nan = skip_nan && kernel == plain && found.most != found.most;
        kernel = met_nan || found.missing ? skipping : plain;
        if (done < n && !met_nan && !widen_windows(acc, lane_exponent_above(found.most, 1)))
            break;
    }
    return missing;
}

/* Add the columns; returns 0, with the sums unusable, if one is inconclusive. */
static int columns_added(columns_kernel *plain, columns_kernel *skipping, pc_sum *sums,
                         const char *x, ptrdiff_t stride, size_t n, size_t columns, int both)
{
    const size_t look = n < SAMPLE ? n : SAMPLE;
    columns_kernel *kernel = skipping ? skipping : plain;
    int k[PC_TILE], inconclusive = 0;
    column_sums sum;
    bounded_sums found;
    size_t m, again;

    for (size_t c = 0; c < PC_TILE; c++)
        k[c] = K_LEAST;
    kernel(x, stride, look, columns, k, &sum);
    for (size_t c = 0; c < columns; c++)
        if (!(sums[c].total.part[PC_SQUARES].flags & PC_WINDOW_USED)) {
            found = found_in(&sum, c, k[c], 0);
            widen_windows(&sums[c].total, lane_exponent_above(found.most, HEADROOM_BITS));
        }
    for (size_t c = 0; c < columns; c++) {
        inconclusive |= is_inconclusive(&sums[c].total);
        k[c] = inconclusive ? K_LEAST : lane_exponent_of(&sums[c].total);
    }
    if (both && !inconclusive) {
        kernel(x, stride, look, columns, k, &sum);
        for (size_t c = 0; c < columns; c++) {
            found = found_in(&sum, c, k[c], 1);
            inconclusive |= ill_conditioned(&sums[c].total, 1, &found, k[c], look - found.missing);
        }
    }
    kernel = plain;
    for (size_t row = 0; row < n && !inconclusive; row += m, x += (ptrdiff_t)m * stride) {
        m = n - row < FLOAT_BLOCK ? n - row : FLOAT_BLOCK;
        do {
            for (size_t c = 0; c < columns; c++)
                k[c] = lane_exponent_of(&sums[c].total);
            kernel(x, stride, m, columns, k, &sum);
            again = 0;
            int met_nan = 0;
            for (size_t c = 0; c < columns; c++) {
                found = found_in(&sum, c, k[c], both);
                if (skipping && kernel == plain && found.most != found.most)
                    met_nan = 1;
                else if (found.most != 0.0 &&
                         widen_windows(&sums[c].total, lane_exponent_above(found.most, 1)))
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
            found = found_in(&sum, c, k[c], both);
            add_found(&sums[c].total, 1, &found, k[c], m, 1);
            sums[c].total.count -= found.missing;
            missing |= found.missing;
        }
        kernel = missing ? skipping : plain;
    }
    return !inconclusive;
}

void add_bounded_columns(pc_sum *sums, pc_type type, const char *x, ptrdiff_t stride, size_t n,
                         size_t columns, int skip_nan)
{
    const pc_kernels *kernels = pc_kernels_in_use();
    const int both = (sums[0].total.flags & PC_WITH_NUMBERS) != 0;
    columns_kernel *plain = kernels->bounded_columns[both][type - PC_FLOAT16],
                   *skipping =
                       skip_nan ? kernels->nanbounded_columns[both][type - PC_FLOAT16] : NULL;
    const int certain = plain && columns_added(plain, skipping, sums, x, stride, n, columns, both);
    /* One inconclusive column sends all of them to the exact sum. */
    for (size_t c = 0; c < columns; c++) {
        if (!certain)
            mark_inconclusive(&sums[c].total);
        sums[c].total.count += n;
    }
}
