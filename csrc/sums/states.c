/* Many exact sums in little memory: states that move their exponents, and the accumulators of the
 * pool for what no exponent fits. */
#include "states.h"

#include <limits.h>
#include <string.h>

enum { WORDS = 3, SQUARE_WORDS = 4 };

static uint64_t *words_of(pc_state *state, pc_moment moment)
{
    return moment == PC_SQUARES   ? state->squares
           : moment == PC_NUMBERS ? state->numbers
                                  : state->imaginary;
}

static size_t length_of(pc_moment moment)
{
    return moment == PC_SQUARES ? SQUARE_WORDS : WORDS;
}

/* Whether the states have room for the sum of a moment. */
static int keeps(const pc_states *states, pc_moment moment)
{
    const size_t needs = moment == PC_SQUARES   ? PC_STATE_BOTH
                         : moment == PC_NUMBERS ? PC_STATE_NUMBERS
                                                : PC_STATE_COMPLEX;
    return states->size >= needs;
}

/* ---- bits -------------------------------------------------------------------- */

/* The lowest set bit of a view, and the bit above the highest, as exponents. */
static int lowest_bit(limbs_view v)
{
    return v.exponent + trailing_zeros(v.word[0]);
}

static int highest_bit(limbs_view v)
{
    return v.exponent + 64 * (int)v.count - (int)leading_zeros(v.word[v.count - 1]);
}

/* words *= 2^by, where that loses no bit. */
static void shift_words(uint64_t *words, size_t count, int by)
{
    const uint64_t sign = sign_of_word(words[count - 1]);
    uint64_t from[SQUARE_WORDS + 2];
    const size_t skip = (size_t)(by < 0 ? -by : by) / 64;
    const unsigned bit = (unsigned)(by < 0 ? -by : by) % 64;
    memcpy(from, words, count * sizeof *words);
    for (size_t k = 0; k < count; k++) {
        if (by < 0) {
            const uint64_t low = k + skip < count ? from[k + skip] : sign,
                           high = k + skip + 1 < count ? from[k + skip + 1] : sign;
            words[k] = bit ? low >> bit | high << (64 - bit) : low;
        } else {
            const uint64_t high = k >= skip ? from[k - skip] : 0,
                           low = k >= skip + 1 ? from[k - skip - 1] : 0;
            words[k] = bit ? high << bit | low >> (64 - bit) : high;
        }
    }
}

/* The sum of a moment in the state itself, without what it has in the pool. */
static limbs_view state_view(const pc_states *states, const pc_state *state, pc_moment moment,
                             uint64_t scratch[SQUARE_WORDS])
{
    const size_t count = length_of(moment);
    if (!keeps(states, moment))
        return limbs_view_of(scratch, 0, 0, 0);
    memcpy(scratch, words_of((pc_state *)state, moment), count * sizeof *scratch);
    const int negative = moment != PC_SQUARES && scratch[count - 1] >> 63;
    if (negative)
        negate_words(scratch, count);
    return limbs_view_of(scratch, count,
                         moment == PC_SQUARES ? 2 * state->exponent : state->exponent, negative);
}

/* words += v, in units of 2^exponent. */
static void add_view(uint64_t *words, size_t count, limbs_view v, int exponent)
{
    for (size_t k = 0; k < v.count; k++) {
        const int bit = v.exponent + 64 * (int)k - exponent;
        pc_u128 x = {bit < 0 ? v.word[k] >> -bit : v.word[k], 0};
        if (v.negative)
            x = (pc_u128){0 - x.lo, 0 - (uint64_t)(x.lo != 0)};
        if (x.lo)
            add_at(words, count, bit < 0 ? 0 : (size_t)bit, x, x.hi);
    }
}

/* ---- exponents ----------------------------------------------------------------- */

/* The exponents at which sums can be held. */
typedef struct {
    int min, max;
} exponents;

static const exponents any_exponent = {INT_MIN, STATE_HIGHEST};

/* The most bits of sums that are added to others. Sums of numbers do not overflow even after 2^64
 * more of them; those of squares have less headroom, and are checked before each addition. */
enum { NUMBER_BITS = 185, SQUARE_BITS = 250 };

/* Those of the exponents e at which this sum, too, can be held in so many bits. */
static exponents narrowed(exponents e, limbs_view v, pc_moment moment, int bits)
{
    if (!v.count)
        return e;
    int min = highest_bit(v) - bits, max = lowest_bit(v);
    if (moment == PC_SQUARES) { /* rounded up, and down */
        min = (min + 1) >> 1;
        max >>= 1;
    }
    e.min = min > e.min ? min : e.min;
    e.max = max < e.max ? max : e.max;
    return e;
}

/* How far a state moves beyond what is needed, so that it need not soon move again. */
enum { MOVE_MARGIN = 16 };

static int clamped(int x, exponents e)
{
    x = x < e.max ? x : e.max;
    x = x > e.min ? x : e.min;
    return x > STATE_LOWEST ? x : STATE_LOWEST;
}

/* Move the state to one of the exponents e, near `first` if it is empty. Returns 0 if there is
 * none. */
static int move_state(const pc_states *states, pc_state *state, exponents e, int first)
{
    uint64_t scratch[SQUARE_WORDS];
    int empty = 1, to;
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
        const limbs_view v = state_view(states, state, moment, scratch);
        empty &= v.count == 0;
        e = narrowed(e, v, moment, moment == PC_SQUARES ? 254 : NUMBER_BITS);
    }
    if (e.min > e.max)
        return 0;
    to = empty                     ? clamped(first, e)
         : state->exponent > e.max ? clamped(e.max - MOVE_MARGIN, e)
         : state->exponent < e.min ? clamped(e.min + MOVE_MARGIN, e)
                                   : state->exponent;
    const int by = state->exponent - to;
    for (pc_moment moment = PC_SQUARES; by && moment <= PC_IMAGINARY; moment++)
        if (keeps(states, moment))
            shift_words(words_of(state, moment), length_of(moment),
                        moment == PC_SQUARES ? 2 * by : by);
    state->exponent = (int16_t)to;
    return 1;
}

/* ---- the pool ------------------------------------------------------------------ */

/* The accumulator of a state, a new one if it has none; NULL if there is no room. */
static pc_accumulator *accumulator_of(pc_states *states, pc_state *state)
{
    if (!state->pool) {
        if (states->pool_used == states->pool_size)
            return NULL;
        pc_accumulator_clear(&states->pool[states->pool_used], PC_VAR);
        state->pool = (uint32_t)++states->pool_used;
    }
    return &states->pool[state->pool - 1];
}

static void import_view(pc_accumulator *acc, pc_moment moment, limbs_view v)
{
    pc_accumulator_import(acc, moment, v.word, v.count, v.exponent, v.negative);
}

/* Move the sums of the state to its accumulator. */
static void empty_state(const pc_states *states, pc_state *state, pc_accumulator *acc)
{
    uint64_t scratch[SQUARE_WORDS];
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
        import_view(acc, moment, state_view(states, state, moment, scratch));
        if (keeps(states, moment))
            memset(words_of(state, moment), 0, length_of(moment) * sizeof(uint64_t));
    }
    state->exponent = 0;
}

/* ---- add ----------------------------------------------------------------------- */

/* The sums of the moments += v, in the state or in its accumulator. */
static pc_status add_views(pc_states *states, pc_state *state, const limbs_view v[3], int first)
{
    exponents e = any_exponent;
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
        e = narrowed(e, v[moment], moment, moment == PC_SQUARES ? SQUARE_BITS : NUMBER_BITS);
    if (first == INT_MIN)
        first = e.max == STATE_HIGHEST ? 0 : e.max - MOVE_MARGIN;
    if (move_state(states, state, e, first)) {
        for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
            if (keeps(states, moment))
                add_view(words_of(state, moment), length_of(moment), v[moment],
                         moment == PC_SQUARES ? 2 * state->exponent : state->exponent);
        return PC_OK;
    }
    pc_accumulator *acc = accumulator_of(states, state);
    if (!acc)
        return PC_NO_ROOM;
    if (keeps(states, PC_SQUARES) && state->squares[3] >> 62)
        empty_state(states, state, acc);
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
        import_view(acc, moment, v[moment]);
    return PC_OK;
}

/* The sums += one number, fraction * 2^exponent. */
static pc_status add_number(pc_states *states, pc_state *state, uint64_t fraction, int negative,
                            int exponent, int imaginary, int first)
{
    const pc_u128 square = u128_mul64(fraction, fraction);
    const uint64_t words[2] = {square.lo, square.hi};
    limbs_view v[3] = {limbs_view_of(words, keeps(states, PC_SQUARES) ? 2 : 0, 2 * exponent, 0),
                       limbs_view_of(&fraction, imaginary ? 0 : 1, exponent, negative),
                       limbs_view_of(&fraction, imaginary ? 1 : 0, exponent, negative)};
    return add_views(states, state, v, first);
}

/* How far the first exponent of a state is below the last bit of its first number. Others may be
 * 2^15 times as large, or 2^47 times as small, before it has to move; and most are shifted by 32
 * bits or more, the common case of state_add_double. */
enum { FIRST_SHIFT = 47 };

pc_status state_add_any_double(pc_states *states, pc_state *state, uint64_t bits, int imaginary)
{
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    const int e = (int)(bits >> 52 & 0x7ff), negative = bits >> 63 != 0;
    if (e == 0x7ff) {
        const unsigned nonfinite = fraction ? PC_NAN : negative ? PC_MINUS_INF : PC_PLUS_INF;
        state->flags |= (uint16_t)(nonfinite << (imaginary ? PC_NONFINITE_BITS : 0));
        return PC_OK;
    }
    if (e)
        fraction |= UINT64_C(1) << 52;
    if (!fraction)
        return PC_OK;
    const int exponent = (e ? e : 1) - 1075;
    if (state->count == 1 && !state->pool && !imaginary && e) { /* the first one */
        state->exponent = (int16_t)clamped(exponent - FIRST_SHIFT, any_exponent);
        if (keeps(states, PC_SQUARES))
            state_add_double(state, state->numbers, bits, PC_WITH_NUMBERS | PC_WITH_SQUARES);
        else
            state_add_double(state, state->numbers, bits, PC_WITH_NUMBERS);
        return PC_OK;
    }
    return add_number(states, state, fraction, negative, exponent, imaginary,
                      exponent - FIRST_SHIFT);
}

pc_status state_add_any_integer(pc_states *states, pc_state *state, uint64_t x, uint64_t sign)
{
    return x ? add_number(states, state, (x ^ sign) - sign, sign != 0, 0, 0, 0) : PC_OK;
}

/* States whose exponents differ by more than this are merged by the general, slower way. */
enum { MERGE_MAX_SHIFT = 24 };

/* words << by, 0 <= by < 64, where only copies of the sign are shifted out. */
static inline void shift_up(uint64_t *to, const uint64_t *words, size_t count, unsigned by)
{
    for (size_t k = count; k-- > 1;)
        to[k] = words[k] << by | words[k - 1] >> 1 >> (63 - by);
    to[0] = words[0] << by;
}

/* Whether the sums can be shifted by so many bits, the squares by twice as many, and added. */
static inline int has_headroom(const pc_state *state, int squares, unsigned up)
{
    const uint64_t room = UINT64_C(1) << (56 - up);
    return state->numbers[2] + room < 2 * room && !(squares && state->squares[3] >> (62 - 2 * up));
}

/* *to += *from, for sums of real numbers whose exponents are close: in units of the lower one.
 * Returns whether that could be done. */
static inline int merge_shifted(pc_state *to, const pc_state *from, int squares)
{
    const int by = from->exponent - to->exponent;
    const pc_state *low = by < 0 ? from : to, *high = by < 0 ? to : from;
    const unsigned up = (unsigned)(by < 0 ? -by : by);
    if (up > MERGE_MAX_SHIFT || !has_headroom(low, squares, 0) || !has_headroom(high, squares, up))
        return 0;
    uint64_t numbers[3], words[4];
    shift_up(numbers, high->numbers, 3, up);
    uint8_t carry = add_carry(&numbers[0], low->numbers[0], 0);
    carry = add_carry(&numbers[1], low->numbers[1], carry);
    add_carry(&numbers[2], low->numbers[2], carry);
    if (squares) {
        shift_up(words, high->squares, 4, 2 * up);
        add_words(words, low->squares);
        memcpy(to->squares, words, sizeof words);
    }
    memcpy(to->numbers, numbers, sizeof numbers);
    to->exponent = low->exponent;
    return 1;
}

/* *to += *from, of `size` bytes and with nothing in the pool. Whether that was done. */
static inline int merge_state(pc_state *to, const pc_state *from, size_t size)
{
    if (!to->count && !to->pool) {
        memcpy(to, from, size);
        return 1;
    }
    if (size == PC_STATE_COMPLEX || !merge_shifted(to, from, size == PC_STATE_BOTH))
        return 0;
    to->count += from->count;
    to->flags |= from->flags;
    return 1;
}

/* The sums of real numbers in the windows of an accumulator as a state: 0 if there are others, or
 * if they do not fit. */
static int state_of_windows(pc_state *state, const pc_accumulator *acc)
{
    const pc_window *numbers = &acc->windows[PC_NUMBERS], *squares = &acc->windows[PC_SQUARES];
    const int exponent = squares->exponent >> 1;
    const unsigned up = (unsigned)(numbers->exponent - exponent);
    if (numbers->flags != PC_WINDOW_USED || squares->flags != PC_WINDOW_USED ||
        acc->windows[PC_IMAGINARY].flags || squares->exponent & 1 || up > MERGE_MAX_SHIFT ||
        exponent < STATE_LOWEST || exponent > STATE_HIGHEST ||
        numbers->words[3] != sign_of_word(numbers->words[2]))
        return 0;
    memset(state, 0, sizeof *state);
    state->count = acc->count;
    state->exponent = (int16_t)exponent;
    state->flags = (uint16_t)pc_accumulator_nonfinite(acc);
    memcpy(state->numbers, numbers->words, sizeof state->numbers);
    memcpy(state->squares, squares->words, sizeof state->squares);
    if (!has_headroom(state, 0, up) || !has_headroom(state, 1, 0))
        return 0;
    shift_up(state->numbers, numbers->words, WORDS, up);
    return 1;
}

pc_status pc_states_add(pc_states *states, size_t index, const pc_accumulator *acc)
{
    pc_state *state = state_at(states, index), from;
    uint64_t scratch[3][PC_LIMBS];
    limbs_view v[3];
    if (acc->count > UINT64_MAX - state->count)
        return PC_TOO_LARGE;
    if (state_of_windows(&from, acc) && merge_state(state, &from, states->size))
        return PC_OK;
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
        v[moment] = keeps(states, moment) ? accumulator_limbs(acc, moment, scratch[moment])
                                          : limbs_view_of(scratch[moment], 0, 0, 0);
    const pc_status status = add_views(states, state, v, INT_MIN);
    if (status == PC_OK) {
        state->count += acc->count;
        state->flags |= (uint16_t)pc_accumulator_nonfinite(acc);
    }
    return status;
}

pc_status pc_states_add_tile(pc_states *states, const pc_tile_sum *sums, size_t count, size_t *done)
{
    pc_status status = PC_OK;
    for (; *done < count && status == PC_OK; *done += status == PC_OK)
        status = pc_states_add(states, (size_t)sums[*done].offset, &sums[*done].total);
    return status;
}

pc_status pc_states_merge(pc_states *states, const pc_states *other, size_t *done)
{
    for (; *done < states->count; ++*done) {
        const pc_state *from = state_at(other, *done);
        pc_state *to = state_at(states, *done);
        pc_status status;
        if (!from->count)
            continue;
        if (from->pool) {
            pc_accumulator acc;
            pc_states_get(other, *done, &acc);
            status = pc_states_add(states, *done, &acc);
        } else if (from->count > UINT64_MAX - to->count) {
            status = PC_TOO_LARGE;
        } else if (other->size == states->size && merge_state(to, from, other->size)) {
            continue;
        } else {
            uint64_t scratch[3][SQUARE_WORDS];
            limbs_view v[3];
            for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
                v[moment] = state_view(other, from, moment, scratch[moment]);
            status = add_views(states, to, v, INT_MIN);
            if (status == PC_OK) {
                to->count += from->count;
                to->flags |= from->flags;
            }
        }
        if (status != PC_OK)
            return status;
    }
    return PC_OK;
}

/* ---- read ---------------------------------------------------------------------- */

void pc_states_get(const pc_states *states, size_t index, pc_accumulator *acc)
{
    const pc_state *state = state_at(states, index);
    uint64_t scratch[SQUARE_WORDS];
    if (state->pool)
        *acc = states->pool[state->pool - 1];
    else
        pc_accumulator_clear(acc, PC_VAR);
    acc->count = state->count;
    pc_accumulator_add_nonfinite(acc, state->flags);
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
        pc_window *window = &acc->windows[moment];
        const size_t count = length_of(moment);
        if (!keeps(states, moment))
            continue;
        if (window->flags) {
            import_view(acc, moment, state_view(states, state, moment, scratch));
            continue;
        }
        memcpy(window->words, words_of((pc_state *)state, moment), count * sizeof *window->words);
        if (count < 4)
            window->words[3] = sign_of_word(window->words[2]);
        window->exponent = moment == PC_SQUARES ? 2 * state->exponent : state->exponent;
        window->flags = PC_WINDOW_USED;
    }
}

void pc_states_normalize(pc_states *states)
{
    pc_accumulator acc;
    uint64_t scratch[3][PC_LIMBS];
    limbs_view v[3];
    for (size_t index = 0; index < states->count; index++) {
        pc_state *state = state_at(states, index);
        exponents e = any_exponent;
        int empty = 1;
        pc_states_get(states, index, &acc);
        for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
            v[moment] = accumulator_limbs(&acc, moment, scratch[moment]);
            e = narrowed(e, v[moment], moment, 64 * (int)length_of(moment) - 1);
            empty &= v[moment].count == 0;
        }
        if (e.min > e.max) { /* all of it to its accumulator, which exists */
            empty_state(states, state, &states->pool[state->pool - 1]);
            continue;
        }
        state->pool = 0;
        state->exponent = empty ? 0 : (int16_t)e.max;
        for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
            if (keeps(states, moment)) {
                uint64_t *words = words_of(state, moment);
                memset(words, 0, length_of(moment) * sizeof *words);
                add_view(words, length_of(moment), v[moment],
                         moment == PC_SQUARES ? 2 * state->exponent : state->exponent);
            }
    }
}
