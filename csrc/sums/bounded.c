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

void bounded_coarsen(pc_window *sum, int exponent)
{
    if (!(sum->flags & PC_WINDOW_USED)) {
        memset(sum->window, 0, sizeof sum->window);
        sum->exponent = exponent;
        sum->flags |= PC_WINDOW_USED;
    } else if (sum->exponent < exponent) {
        unsigned shift = (unsigned)(exponent - sum->exponent);
        shift_down(sum->window, shift);
        sum->error_bound = (shift < 64 ? sum->error_bound >> shift : 0) + 2;
        sum->exponent = exponent;
    }
}

void bounded_add(pc_accumulator *acc, pc_moment part, const uint64_t words[4], uint64_t error_bound)
{
    pc_window *sum = &acc->part[part];
    add_words(sum->window, words);
    sum->error_bound += error_bound;
    if (sum->error_bound < error_bound)
        mark_inconclusive(acc);
}

void bounded_merge(pc_accumulator *acc, const pc_accumulator *other)
{
    acc->flags |= other->flags & PC_BOUND_TOO_WIDE;
    for (pc_moment part = PC_SQUARES; part <= PC_IMAGINARY; part++) {
        pc_window from = other->part[part];
        if (!(from.flags & PC_WINDOW_USED))
            continue;
        bounded_coarsen(&acc->part[part], from.exponent);
        bounded_coarsen(&from, acc->part[part].exponent);
        bounded_add(acc, part, from.window, from.error_bound);
    }
}

void bounded_scale(pc_accumulator *acc, uint64_t factor)
{
    for (pc_moment part = PC_SQUARES; part <= PC_IMAGINARY; part++) {
        pc_window *sum = &acc->part[part];
        pc_u128 error_bound = u128_mul64(sum->error_bound, factor);
        if (!(sum->flags & PC_WINDOW_USED))
            continue;
        const int negative = sum->window[3] >> 63 != 0;
        if (negative)
            negate_words(sum->window, 4);
        uint64_t over = multiply_words(sum->window, 4, factor);
        sum->error_bound = error_bound.lo;
        if (error_bound.hi || over || sum->window[3] >> 62)
            mark_inconclusive(acc);
        if (negative)
            negate_words(sum->window, 4);
    }
}

value bounded_end(const pc_window *sum, int side, uint64_t room[4])
{
    const uint64_t plus[4] = {sum->error_bound, 0, 0, 0};
    const uint64_t minus[4] = {0 - sum->error_bound, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    if (!(sum->flags & PC_WINDOW_USED))
        return limbs_view_of(sum->window, 0, 0, 0);
    memcpy(room, sum->window, sizeof sum->window);
    const int negative = room[3] >> 63 != 0;
    if (negative)
        negate_words(room, 4);
    if (sum->error_bound)
        add_words(room, side ? plus : minus);
    if (room[3] >> 63) /* absolute values end at 0 */
        memset(room, 0, 4 * sizeof *room);
    return limbs_view_of(room, 4, sum->exponent, negative);
}

int bounded_spans_zero(const pc_window *sum)
{
    uint64_t room[4];
    return sum->error_bound && bounded_end(sum, 0, room).count == 0;
}

/* ---- statistics ------------------------------------------------------------- */

static pc_counter failed;

void count_rounding_test_failure(void)
{
    pc_counter_add(&failed, 1);
}

uint64_t pc_rounding_test_failures(void)
{
    return pc_counter_add(&failed, 0);
}
