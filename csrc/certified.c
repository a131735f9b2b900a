/* Certified sums: windows with slack. */
#include "certified.h"
#include "atomics.h"

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

void certified_coarsen(pc_fixed *sum, int exponent)
{
    if (!(sum->flags & PC_WINDOW_USED)) {
        memset(sum->window, 0, sizeof sum->window);
        sum->exponent = exponent;
        sum->flags |= PC_WINDOW_USED;
    } else if (sum->exponent < exponent) {
        unsigned shift = (unsigned)(exponent - sum->exponent);
        shift_down(sum->window, shift);
        sum->slack = (shift < 64 ? sum->slack >> shift : 0) + 2;
        sum->exponent = exponent;
    }
}

void certified_add(pc_accumulator *acc, pc_part part, const uint64_t words[4], uint64_t slack)
{
    pc_fixed *sum = &acc->part[part];
    add_words(sum->window, words);
    sum->slack += slack;
    if (sum->slack < slack)
        give_up(acc);
}

void certified_merge(pc_accumulator *acc, const pc_accumulator *other)
{
    acc->flags |= other->flags & PC_UNCERTAIN;
    for (pc_part part = PC_SQUARES; part <= PC_IMAGINARY; part++) {
        pc_fixed from = other->part[part];
        if (!(from.flags & PC_WINDOW_USED))
            continue;
        certified_coarsen(&acc->part[part], from.exponent);
        certified_coarsen(&from, acc->part[part].exponent);
        certified_add(acc, part, from.window, from.slack);
    }
}

void certified_scale(pc_accumulator *acc, uint64_t factor)
{
    for (pc_part part = PC_SQUARES; part <= PC_IMAGINARY; part++) {
        pc_fixed *sum = &acc->part[part];
        pc_u128 slack = u128_mul64(sum->slack, factor);
        if (!(sum->flags & PC_WINDOW_USED))
            continue;
        const int negative = sum->window[3] >> 63 != 0;
        if (negative)
            negate_words(sum->window, 4);
        uint64_t over = multiply_words(sum->window, 4, factor);
        sum->slack = slack.lo;
        if (slack.hi || over || sum->window[3] >> 62)
            give_up(acc);
        if (negative)
            negate_words(sum->window, 4);
    }
}

value certified_bound(const pc_fixed *sum, int side, uint64_t room[4])
{
    const uint64_t plus[4] = {sum->slack, 0, 0, 0};
    const uint64_t minus[4] = {0 - sum->slack, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    if (!(sum->flags & PC_WINDOW_USED))
        return value_of(sum->window, 0, 0, 0);
    memcpy(room, sum->window, sizeof sum->window);
    const int negative = room[3] >> 63 != 0;
    if (negative)
        negate_words(room, 4);
    if (sum->slack)
        add_words(room, side ? plus : minus);
    if (room[3] >> 63) /* below 0, as no size is */
        memset(room, 0, 4 * sizeof *room);
    return value_of(room, 4, sum->exponent, negative);
}

int certified_spans_zero(const pc_fixed *sum)
{
    uint64_t room[4];
    return sum->slack && certified_bound(sum, 0, room).count == 0;
}

/* ---- how often that did not do ------------------------------------------------ */

static pc_counter failed;

void certified_failed(void)
{
    pc_counter_add(&failed, 1);
}

uint64_t pc_uncertain_sums(void)
{
    return pc_counter_add(&failed, 0);
}
