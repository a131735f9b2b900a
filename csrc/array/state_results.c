/* Results of exact states, many at once: the leading bits of their sums are rounded as those of
 * lanes are; a state whose rounding test fails is rounded alone, through an accumulator. */
#include "lanes.h"
#include "../base/fpenv.h"
#include "../sums/states.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* With exponents up to this, both doubles of an estimate are normal. */
enum { ESTIMATE_MAX = 800 };

/* Store an integer in two's complement times 2^exponent, as an estimate in column c; NaN if it is
 * out of range. Returns the exponent of its lowest set bit, INT_MAX for 0. */
static int estimate_words(double sum[3][LANE_COLUMNS], size_t c, const uint64_t *words,
                          size_t count, int exponent)
{
    enum { BELOW = 2 };
    uint64_t w[BELOW + 4] = {0};
    size_t top = BELOW + count - 1, low = BELOW;
    memcpy(w + BELOW, words, count * sizeof *w);
    const int negative = w[top] >> 63 != 0;
    if (negative)
        negate_words(w + BELOW, count);
    while (top > BELOW && !w[top])
        top--;
    sum[0][c] = sum[1][c] = sum[2][c] = 0.0;
    if (!w[top])
        return INT_MAX;
    while (!w[low])
        low++;
    const unsigned up = leading_zeros(w[top]);
    const uint64_t high = w[top] << up | w[top - 1] >> 1 >> (63 - up),
                   next = w[top - 1] << up | w[top - 2] >> 1 >> (63 - up);
    const int lowest = exponent + 64 * (int)(low - BELOW) + trailing_zeros(w[low]),
              last = exponent + 64 * (int)(top - BELOW) - (int)up - 42; /* of 53 + 53 bits */
    if (last < -ESTIMATE_MAX || last > ESTIMATE_MAX) {
        sum[0][c] = NAN;
        return lowest;
    }
    const double unit = power(last), sign = negative ? -unit : unit;
    sum[0][c] = (double)(high >> 11) * 0x1p53 * sign;
    sum[1][c] = (double)((high & 0x7ff) << 42 | next >> 22) * sign;
    sum[2][c] = lowest < last ? unit : 0.0;
    return lowest;
}

/* Store the sums of a state in column c; NaN if part of them is in the pool or not finite, or if
 * `integers`, and they are not. With both sums, store a grid of which the sum of the numbers is a
 * multiple, and that of the squares a multiple of its square. */
static void estimate_state(lane_sums *sums, size_t c, const pc_state *state, summands what,
                           int integers)
{
    int squares = INT_MAX, numbers = INT_MAX;
    if (state->flags || state->pool || state->count > MAX_LANE_COUNT) {
        sums->number[0][c] = sums->square[0][c] = NAN;
        return;
    }
    if (what != SUM_NUMBERS)
        squares = estimate_words(sums->square, c, state->squares, 4, 2 * state->exponent);
    if (what != SUM_SQUARES)
        numbers = estimate_words(sums->number, c, state->numbers, 3, state->exponent);
    if (integers && (squares < 0 || numbers < 0))
        sums->number[0][c] = sums->square[0][c] = NAN;
    const int grid = squares >> 1 < numbers ? squares >> 1 : numbers;
    sums->grid[c] = grid < -ESTIMATE_MAX ? 0.0 : power(grid < ESTIMATE_MAX ? grid : 0);
    sums->common_magnitude[c] =
        state->count == 1 ? fabs(sums->number[0][c] + sums->number[1][c]) : NAN;
    sums->count[c] = (double)state->count;
}

/* Write the results of the states first to first + count - 1, and which of them are certain. */
static void round_in_lanes(const pc_kernels *kernels, const pc_states *states, size_t first,
                           size_t count, const pc_output_spec *spec, char *out,
                           uint64_t certain[LANE_COLUMNS])
{
    const lane_spec lanes = lane_spec_of(spec, 0, 1);
    const summands what = summands_of(spec);
    double value[LANE_COLUMNS], residual[LANE_COLUMNS];
    lane_sums sums;
    memset(&sums, 0, sizeof sums);
    for (size_t c = 0; c < count; c++)
        estimate_state(&sums, c, state_at(states, first + c), what, lanes.integer);
    kernels->lane_results(&lanes, &sums, whole_steps(count), value, residual, certain);
    write_lane_results(spec->type, value, residual, count, out,
                       (ptrdiff_t)size_of_type[spec->type]);
}

static pc_status round_states(const pc_states *states, size_t first, size_t last,
                              const pc_output_spec *spec, char *out, size_t *done)
{
    const size_t size = size_of_type[spec->type] * (size_t)spec->components;
    const pc_kernels *kernels = pc_kernels_in_use();
    const int in_lanes = states->size != PC_STATE_COMPLEX && spec->components == 1 &&
                         fits_lanes(spec) && kernels->lane_results;
    pc_accumulator acc;
    pc_status status = PC_OK;
    for (*done = first; *done < last;) {
        const size_t left = last - *done, count = left < LANE_COLUMNS ? left : LANE_COLUMNS;
        uint64_t certain[LANE_COLUMNS] = {0};
        if (in_lanes)
            round_in_lanes(kernels, states, *done, count, spec, out, certain);
        for (size_t c = 0; c < count; c++, ++*done, out += size) {
            if (certain[c])
                continue;
            pc_states_get(states, *done, &acc);
            const pc_status one = pc_accumulator_round(&acc, spec, out);
            if (one == PC_TOO_LARGE)
                return one;
            status = one == PC_OK ? status : one;
        }
    }
    return status;
}

pc_status pc_states_round(const pc_states *states, size_t first, size_t last,
                          const pc_output_spec *spec, char *out, size_t *done)
{
    fpenv callers = fpenv_enter();
    const pc_status status = round_states(states, first, last, spec, out, done);
    fpenv_leave(callers);
    return status;
}
