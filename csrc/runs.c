/* Runs of floats through the certified kernels into sums with slack. */
#include "certified.h"

#include <string.h>

/* With g = 2^(k-52), the unit of a kernel's `whole` for its k, a window counts in
 * 2^-46 g: then `rest`, below 2^17 g, has less than 63 bits. */
enum { FINE = 46, K_LEAST = -900, K_MOST = 1000 };

static int exponent_of(int k)
{
    return k - 52 - FINE;
}

static int k_of(const pc_accumulator *acc)
{
    return acc->exponent + 52 + FINE;
}

#ifndef PC_MORE_SLACK /* for tests: so many bits, and nothing is certain */
#define PC_MORE_SLACK 0
#endif

/* In units of 2^-46 g, what a kernel may have lost over n numbers in so many lanes, and
 * the conversion of `rest` to such units. */
static uint64_t slack_of(size_t n, size_t lanes)
{
    uint64_t m = n / lanes + 1;
    return ((lanes * m * (m + 4) >> 8) + (n * lanes >> 8) + 2) << PC_MORE_SLACK;
}

/* acc += what a kernel found for n numbers with this k. */
static void add_found(pc_accumulator *acc, certified found, int k, size_t n, size_t lanes)
{
    uint64_t bits = (uint64_t)(52 + FINE - k + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    int64_t rest = (int64_t)(found.rest * scale);
    pc_u128 sum = u128_shl((pc_u128){found.whole, 0}, FINE);
    u128_add(&sum, (pc_u128){(uint64_t)rest, 0 - (uint64_t)(rest < 0)});
    const uint64_t words[4] = {sum.lo, sum.hi, 0, 0};
    certified_add(acc, words, slack_of(n, lanes));
}

/* The k from which a lane that came to `most` has room for 2^spare times as much; above
 * K_MOST for what no k has. */
static int k_above(double most, int spare)
{
    uint64_t bits;
    memcpy(&bits, &most, sizeof bits);
    int k = (int)(bits >> 52) - 1023 + 1 + spare;
    return k < K_LEAST ? K_LEAST : k;
}

/* How many numbers, or rows, are looked at for a first k; and what a block of 2048 numbers
 * may come to by them, as a power of two. */
enum { LOOK = 64, SPARE = 7 };

/* Whether a kernel can go on, from this k at least. */
static int raise_to(pc_accumulator *acc, int k)
{
    if (k > K_MOST)
        give_up(acc);
    else
        certified_coarsen(acc, exponent_of(k));
    return k <= K_MOST;
}

void add_certified(pc_accumulator *acc, pc_type type, const char *x, ptrdiff_t stride, size_t count)
{
    const pc_kernels *kernels = pc_kernels_in_use();
    size_t (*kernel)(const char *, ptrdiff_t, size_t, int, certified *) =
        kernels->certified[type - PC_FLOAT16];
    certified found;
    if (is_uncertain(acc) || !count)
        return;
    if (!(acc->flags & PC_WINDOW_USED)) {
        kernel(x, stride, count < LOOK ? count : LOOK, K_LEAST, &found);
        if (!raise_to(acc, k_above(found.most, SPARE)))
            return;
    }
    for (size_t n, done; count; count -= done, x += (ptrdiff_t)done * stride) {
        int k = k_of(acc);
        n = count < CERTIFIED_RUN ? count : CERTIFIED_RUN;
        done = kernel(x, stride, n, k, &found);
        if (done)
            add_found(acc, found, k, done, kernels->lanes);
        if (done < n && !raise_to(acc, k_above(found.most, 1)))
            return;
    }
}

void add_certified_columns(pc_sum *sums, pc_type type, const char *x, ptrdiff_t stride, size_t n,
                           size_t columns)
{
    void (*kernel)(const char *, ptrdiff_t, size_t, size_t, const int *, certified *) =
        pc_kernels_in_use()->certified_columns[type - PC_FLOAT16];
    int k[PC_PANEL];
    certified found[PC_PANEL];
    size_t m, again;

    for (size_t c = 0; c < columns; c++)
        k[c] = K_LEAST;
    kernel(x, stride, n < LOOK ? n : LOOK, columns, k, found);
    for (size_t c = 0; c < columns; c++)
        if (!(sums[c].total.flags & PC_WINDOW_USED) && !is_uncertain(&sums[c].total))
            raise_to(&sums[c].total, k_above(found[c].most, SPARE));
    for (size_t row = 0; row < n; row += m, x += (ptrdiff_t)m * stride) {
        m = n - row < FLOAT_BLOCK ? n - row : FLOAT_BLOCK;
        do {
            for (size_t c = 0; c < columns; c++)
                k[c] = is_uncertain(&sums[c].total) ? K_LEAST : k_of(&sums[c].total);
            kernel(x, stride, m, columns, k, found);
            again = 0;
            for (size_t c = 0; c < columns; c++)
                if (!is_uncertain(&sums[c].total) && found[c].most != 0.0)
                    again += (size_t)raise_to(&sums[c].total, k_above(found[c].most, 1));
        } while (again);
        for (size_t c = 0; c < columns; c++)
            if (!is_uncertain(&sums[c].total))
                add_found(&sums[c].total, found[c], k[c], m, 1);
    }
    for (size_t c = 0; c < columns; c++)
        sums[c].total.count += n;
}
