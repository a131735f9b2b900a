/* Certified sums: windows with slack. */
#include "certified.h"

#include <string.h>

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

void certified_coarsen(pc_accumulator *acc, int exponent)
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

void certified_add(pc_accumulator *acc, const uint64_t words[4], uint64_t slack)
{
    add_words(acc->window, words);
    widen_slack(acc, slack);
}

void certified_merge(pc_accumulator *acc, const pc_accumulator *other)
{
    acc->flags |= other->flags & PC_UNCERTAIN;
    if (!(other->flags & PC_WINDOW_USED))
        return;
    pc_accumulator from = *other;
    certified_coarsen(acc, from.exponent);
    certified_coarsen(&from, acc->exponent);
    certified_add(acc, from.window, from.slack);
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
