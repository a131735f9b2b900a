/* Many exact sums in little memory: a state holds a count, the sum of integers m and that of their
 * squares, where each number is m * 2^exponent with |m| < 2^115. The exponent is the state's own,
 * set by the first number, and moves as long as no bit is lost at either end; for ordinary data it
 * suits all numbers. Other numbers go to a pc_accumulator of the pool.
 *
 * These are integers, so any order and grouping gives the same sums. The exponent may differ, until
 * pc_states_normalize makes it the highest at which no bit is lost. */
#ifndef PYCRUST_STATES_H
#define PYCRUST_STATES_H

#include "accumulator.h"

/* The exponents of a state: all numbers are multiples of 2^-1074, and the sums of both ends fit the
 * limbs of an accumulator. */
enum { STATE_LOWEST = -1074, STATE_HIGHEST = 909 };

/* |m| < 2^STATE_BITS; and how far above the exponent the last bit of a double may be. */
enum { STATE_BITS = 115, STATE_MAX_SHIFT = STATE_BITS - 53 };

static inline pc_state *state_at(const pc_states *states, size_t index)
{
    return (pc_state *)(void *)(states->at + index * states->size);
}

/* words += (lo, hi, sign) + carry. */
static inline void add_three(uint64_t words[3], pc_u128 x, uint64_t sign, uint8_t carry)
{
    carry = add_carry(&words[0], x.lo, carry);
    carry = add_carry(&words[1], x.hi, carry);
    add_carry(&words[2], sign, carry);
}

static inline void add_square(uint64_t words[4], pc_u128 x, uint64_t top)
{
    uint8_t carry = add_carry(&words[0], x.lo, 0);
    carry = add_carry(&words[1], x.hi, carry);
    carry = add_carry(&words[2], top, carry);
    add_carry(&words[3], 0, carry);
}

/* Add x, given by its bits, to the sum `words` of the real or imaginary components, and x^2 to that
 * of the squares, without counting it; returns 0, and no change, if the exponent of the state does
 * not fit. `sums` says which sums are kept; a compile-time constant. */
static inline int state_add_double(pc_state *state, uint64_t words[3], uint64_t bits, uint32_t sums)
{
    const unsigned shift = (unsigned)(bits >> 52 & 0x7ff) - (unsigned)(state->exponent + 1075);
    if (shift > STATE_MAX_SHIFT || (sums & PC_WITH_SQUARES && state->squares[3] >> 62))
        return 0;
    const uint64_t one = UINT64_C(1) << 52, fraction = (bits & (one - 1)) | one;
    if (sums & PC_WITH_NUMBERS) {
        const uint64_t sign = 0 - (bits >> 63);
        const pc_u128 m = {(fraction << shift) ^ sign, (fraction >> 1 >> (63 - shift)) ^ sign};
        add_three(words, m, sign, sign & 1);
    }
    if (sums & PC_WITH_SQUARES) {
        const unsigned bit = 2 * shift % 64;
        const pc_u128 square = u128_mul64(fraction, fraction);
        const uint64_t top = square.hi >> 1 >> (63 - bit);
        const pc_u128 low = u128_shl(square, bit);
        if (shift >= 32)
            add_three(state->squares + 1, low, top, 0);
        else
            add_square(state->squares, low, top);
    }
    return 1;
}

/* The same for an integer, (x, sign) in two's complement. */
static inline int state_add_integer(pc_state *state, uint64_t x, uint64_t sign, uint32_t sums)
{
    if (state->exponent || (sums & PC_WITH_SQUARES && state->squares[3] >> 62))
        return 0;
    if (sums & PC_WITH_NUMBERS)
        add_three(state->numbers, (pc_u128){x, sign}, sign, 0);
    if (sums & PC_WITH_SQUARES) {
        const uint64_t size = (x ^ sign) - sign;
        add_square(state->squares, u128_mul64(size, size), 0);
    }
    return 1;
}

/* The same for any number, which has been counted already. PC_NO_ROOM, and no change, if the pool
 * has no accumulator left for it. */
pc_status state_add_any_double(pc_states *states, pc_state *state, uint64_t bits, int imaginary);
pc_status state_add_any_integer(pc_states *states, pc_state *state, uint64_t x, uint64_t sign);

#endif
