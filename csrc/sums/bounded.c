/* Bounded sums: windows with an error bound. */
#include "bounded.h"
#include "../base/atomics.h"

#include <string.h>

/* words / 2^shift, rounded down. */
static void shift_down(uint64_t words[4], unsigned shift)
{
    const uint64_t sign = sign_of_word(words[3]);
    size_t skip = shift / 64;
    unsigned down = shift % 64;
    for (size_t k = 0; k < 4; k++) {
        uint64_t low = k + skip < 4 ? words[k + skip] : sign,
                 high = k + skip < 3 ? words[k + skip + 1] : sign;
        words[k] = down ? low >> down | high << (64 - down) : low;
    }
}

void bounded_coarsen(pc_window *window, int exponent)
{
    if (!(window->flags & PC_WINDOW_USED)) {
        memset(window->words, 0, sizeof window->words);
        window->exponent = exponent;
        window->flags |= PC_WINDOW_USED;
    } else if (window->exponent < exponent) {
        unsigned shift = (unsigned)(exponent - window->exponent);
        shift_down(window->words, shift);
        window->error_bound = (shift < 64 ? window->error_bound >> shift : 0) + 2;
        window->exponent = exponent;
    }
}

void bounded_add(pc_accumulator *acc, pc_moment moment, pc_window from)
{
    pc_window *window = &acc->windows[moment];
    bounded_coarsen(window, from.exponent);
    bounded_coarsen(&from, window->exponent);
    add_words(window->words, from.words);
    window->error_bound += from.error_bound;
    if (window->error_bound < from.error_bound)
        mark_inconclusive(acc);
}

void bounded_merge(pc_accumulator *acc, const pc_accumulator *other)
{
    acc->flags |= other->flags & PC_SUM_INCONCLUSIVE;
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
        if (other->windows[moment].flags & PC_WINDOW_USED)
            bounded_add(acc, moment, other->windows[moment]);
}

void bounded_scale(pc_accumulator *acc, uint64_t factor)
{
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
        pc_window *window = &acc->windows[moment];
        pc_u128 error_bound = u128_mul64(window->error_bound, factor);
        if (!(window->flags & PC_WINDOW_USED))
            continue;
        const int negative = window->words[3] >> 63 != 0;
        if (negative)
            negate_words(window->words, 4);
        uint64_t over = multiply_words(window->words, 4, factor);
        window->error_bound = error_bound.lo;
        if (error_bound.hi || over || window->words[3] >> 62)
            mark_inconclusive(acc);
        if (negative)
            negate_words(window->words, 4);
    }
}

limbs_view bounded_end(const pc_window *window, int upper, uint64_t scratch[4])
{
    const uint64_t plus[4] = {window->error_bound, 0, 0, 0};
    const uint64_t minus[4] = {0 - window->error_bound, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    if (!(window->flags & PC_WINDOW_USED))
        return limbs_view_of(window->words, 0, 0, 0);
    memcpy(scratch, window->words, sizeof window->words);
    const int negative = scratch[3] >> 63 != 0;
    if (negative)
        negate_words(scratch, 4);
    if (window->error_bound)
        add_words(scratch, upper ? plus : minus);
    if (scratch[3] >> 63) /* absolute values end at 0 */
        memset(scratch, 0, 4 * sizeof *scratch);
    return limbs_view_of(scratch, 4, window->exponent, negative);
}

int bounded_spans_zero(const pc_window *window)
{
    uint64_t scratch[4];
    return window->error_bound && bounded_end(window, 0, scratch).count == 0;
}

/* ---- the counter of failed rounding tests ----------------------------------- */

static pc_counter failed;

void count_rounding_test_failure(void)
{
    pc_counter_add(&failed, 1);
}

uint64_t pc_rounding_test_failures(void)
{
    return pc_counter_add(&failed, 0);
}
