/* Certified sums: runs of numbers into windows with slack. */
#include "certified.h"

#include <string.h>

/* ---- sums with slack ------------------------------------------------------- */

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

static void give_up(pc_accumulator *acc)
{
    acc->flags |= PC_UNCERTAIN;
}

static void widen_slack(pc_accumulator *acc, uint64_t more)
{
    acc->slack += more;
    if (acc->slack < more)
        give_up(acc);
}

/* words += more; nothing is carried out of what is far below 2^256. */
static void add_words(uint64_t words[4], const uint64_t more[4])
{
    pc_u128 low = {words[0], words[1]}, high = {words[2], words[3]};
    const pc_u128 more_low = {more[0], more[1]}, more_high = {more[2], more[3]};
    pc_u128 carry = {u128_add(&low, more_low), 0};
    u128_add(&high, more_high);
    u128_add(&high, carry);
    words[0] = low.lo;
    words[1] = low.hi;
    words[2] = high.lo;
    words[3] = high.hi;
}

/* words / 2^shift, rounded down. */
static void shift_down(uint64_t words[4], unsigned shift)
{
    size_t skip = shift / 64;
    unsigned down = shift % 64;
    for (size_t k = 0; k < 4; k++) {
        uint64_t low = k + skip < 4 ? words[k + skip] : 0,
                 high = k + skip < 3 ? words[k + skip + 1] : 0;
        words[k] = down ? low >> down | high << (64 - down) : low;
    }
}

/* Count in units of 2^exponent, or stay with larger ones. */
static void coarsen(pc_accumulator *acc, int exponent)
{
    if (!(acc->flags & PC_WINDOW_USED)) {
        memset(acc->window, 0, sizeof acc->window);
        acc->exponent = exponent;
        acc->flags |= PC_WINDOW_USED;
    } else if (acc->exponent < exponent) {
        unsigned shift = (unsigned)(exponent - acc->exponent);
        shift_down(acc->window, shift);
        acc->slack = (shift < 64 ? acc->slack >> shift : 0) + 2;
        acc->exponent = exponent;
    }
}

void certified_merge(pc_accumulator *acc, const pc_accumulator *other)
{
    acc->flags |= other->flags & PC_UNCERTAIN;
    if (!(other->flags & PC_WINDOW_USED))
        return;
    pc_accumulator from = *other;
    coarsen(acc, from.exponent);
    coarsen(&from, acc->exponent);
    add_words(acc->window, from.window);
    widen_slack(acc, from.slack);
}

void certified_scale(pc_accumulator *acc, uint64_t factor)
{
    pc_u128 slack = u128_mul64(acc->slack, factor), part;
    uint64_t carry = 0;
    if (!(acc->flags & PC_WINDOW_USED))
        return;
    for (int k = 0; k < 4; k++) {
        part = u128_mul64(acc->window[k], factor);
        acc->window[k] = part.lo + carry;
        carry = part.hi + (acc->window[k] < carry);
    }
    acc->slack = slack.lo;
    if (slack.hi || carry || acc->window[3] >> 62)
        give_up(acc);
}

void certified_bound(const pc_accumulator *acc, int side, uint64_t words[4])
{
    const uint64_t plus[4] = {acc->slack, 0, 0, 0};
    const uint64_t minus[4] = {0 - acc->slack, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    memset(words, 0, 4 * sizeof *words);
    if (!(acc->flags & PC_WINDOW_USED))
        return;
    memcpy(words, acc->window, 4 * sizeof *words);
    if (acc->slack)
        add_words(words, side ? plus : minus);
    if (words[3] >> 63) /* below 0, as no sum is */
        memset(words, 0, 4 * sizeof *words);
}

/* ---- runs of numbers into sums ---------------------------------------------- */

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
    add_words(acc->window, words);
    widen_slack(acc, slack_of(n, lanes));
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
        coarsen(acc, exponent_of(k));
    return k <= K_MOST;
}

void certified_add(pc_accumulator *acc, pc_type type, const char *x, size_t count)
{
    const pc_kernels *kernels = pc_kernels_in_use();
    size_t (*kernel)(const char *, size_t, int, certified *) =
        kernels->certified[type == PC_FLOAT64];
    const size_t size = type == PC_FLOAT64 ? sizeof(double) : sizeof(float);
    certified found;
    if (is_uncertain(acc) || !count)
        return;
    if (!(acc->flags & PC_WINDOW_USED)) {
        kernel(x, count < LOOK ? count : LOOK, K_LEAST, &found);
        if (!raise_to(acc, k_above(found.most, SPARE)))
            return;
    }
    for (size_t n, done; count; count -= done, x += done * size) {
        int k = k_of(acc);
        n = count < CERTIFIED_RUN ? count : CERTIFIED_RUN;
        done = kernel(x, n, k, &found);
        if (done)
            add_found(acc, found, k, done, kernels->lanes);
        if (done < n && !raise_to(acc, k_above(found.most, 1)))
            return;
    }
}

void certified_add_columns(pc_sum *sums, pc_type type, const char *x, ptrdiff_t stride, size_t n,
                           size_t columns)
{
    void (*kernel)(const char *, ptrdiff_t, size_t, size_t, const int *, certified *) =
        pc_kernels_in_use()->certified_columns[type == PC_FLOAT64];
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

/* ---- how often that did not do ------------------------------------------------ */

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static volatile __int64 failed;
#define COUNT() _InterlockedIncrement64(&failed)
#define COUNTED() ((uint64_t)failed)
#else
#include <stdatomic.h>
static _Atomic(uint64_t) failed;
#define COUNT() atomic_fetch_add_explicit(&failed, 1, memory_order_relaxed)
#define COUNTED() atomic_load_explicit(&failed, memory_order_relaxed)
#endif

void certified_failed(void)
{
    COUNT();
}

uint64_t pc_uncertain_sums(void)
{
    return COUNTED();
}
