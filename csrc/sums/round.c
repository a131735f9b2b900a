/* Results, rounded once: the float nearest to a sum, mean or variance, or to the square root of
 * one. */
#include "bounded.h"

#include <string.h>

/* A binary format of IEEE 754: significant bits, with the implicit one, and the exponent of the
 * least normal number. */
typedef struct {
    int digits, least;
} format;

static format format_of(pc_type type)
{
    format float64 = {53, -1022}, float32 = {24, -126}, float16 = {11, -14};
    return type == PC_FLOAT16 ? float16 : type == PC_FLOAT32 ? float32 : float64;
}

static uint64_t infinity_of(format f)
{
    return (uint64_t)(3 - 2 * f.least) << (f.digits - 1);
}

static uint64_t sign_bit_of(format f)
{
    return infinity_of(f) + (UINT64_C(1) << (f.digits - 1));
}

/* Round (top + f) * 2^exponent, and return the bits of the float: bit 63 of top is set, and
 * 0 <= f < 1, with `more` (the sticky bit) for f > 0. */
static uint64_t round_to_format(uint64_t top, int exponent, int more, format f)
{
    int e = exponent + 63; /* of the leading bit */
    int lost = e < f.least ? f.least - e : 0, dropped = 64 - f.digits + lost;
    uint64_t bits;
    if (e > 1 - f.least) /* Python ints may have any exponent */
        return infinity_of(f);
    if (dropped > 64)
        return 0;
    uint64_t kept = dropped == 64 ? 0 : top >> dropped;
    uint64_t rest = top << (64 - dropped), half = UINT64_C(1) << 63;
    kept += rest > half || (rest == half && (more || (kept & 1)));
    /* A carry out of the fraction raises the exponent by one, as it should. */
    bits = ((uint64_t)(e + lost - f.least) << (f.digits - 1)) + kept;
    return bits < infinity_of(f) ? bits : infinity_of(f);
}

/* The leading 256 bits of v, with bit 255 set, and their exponent; *more: whether any bit below is
 * set. */
static void leading(value v, uint64_t top[4], int *exponent, int *more)
{
    uint64_t word[5] = {0}; /* the five leading words, most significant first */
    for (size_t k = 0; k < 5 && k < v.count; k++)
        word[k] = v.word[v.count - 1 - k];
    *more = v.count > 5; /* the last word is not zero */
    unsigned shift = leading_zeros(word[0]);
    for (int k = 0; k < 4; k++)
        top[k] = shift ? word[k] << shift | word[k + 1] >> (64 - shift) : word[k];
    *more |= (word[4] << shift) != 0;
    *exponent = v.exponent + 64 * ((int)v.count - 4) - (int)shift;
}

/* (high, low) / divisor, high < divisor; the remainder replaces *high. */
static uint64_t divide(uint64_t *high, uint64_t low, uint64_t divisor)
{
#ifdef PC_INT128
    const uint64_t quotient = (uint64_t)(((pc_uint128)*high << 64 | low) / divisor);
    *high = low - quotient * divisor;
    return quotient;
#else
    uint64_t quotient = 0, rest = *high;
    for (int k = 63; k >= 0; k--) {
        uint64_t over = rest >> 63;
        rest = rest << 1 | (low >> k & 1);
        if (over || rest >= divisor) {
            rest -= divisor;
            quotient |= UINT64_C(1) << k;
        }
    }
    *high = rest;
    return quotient;
#endif
}

/* The integer square root of n >= 2^126; sets *more if it is not exact. */
static uint64_t root_of(pc_u128 n, int *more)
{
    /* Newton's method from above: the root of the high word, ... */
    uint64_t r = UINT64_C(1) << 32, next;
    while ((next = (r + n.hi / r) / 2) < r)
        r = next;
    /* ... then one step that doubles its 32 bits, up to an error in the last. */
    r = r < UINT32_MAX ? (r + 1) << 32 : UINT64_MAX;
    if (n.hi < r) {
        uint64_t rest = n.hi, quotient = divide(&rest, n.lo, r);
        r = (r >> 1) + (quotient >> 1) + (r & quotient & 1);
    }
    for (;; r--) {
        pc_u128 square = u128_mul64(r, r);
        uint64_t lo = n.lo - square.lo, borrow = n.lo < square.lo;
        if (n.hi >= square.hi + borrow) {
            *more |= lo != 0 || n.hi != square.hi;
            return r;
        }
    }
}

/* top / divisor, normalized to bit 255 again: the lowest 64 bits of the quotient are lost. */
static void divide_leading(uint64_t top[4], uint64_t divisor, int *exponent, int *more)
{
    uint64_t rest = 0;
    for (int k = 0; k < 4; k++)
        top[k] = divide(&rest, top[k], divisor);
    *more |= rest != 0;
    if (!top[0]) {
        top[0] = top[1];
        top[1] = top[2];
        top[2] = top[3];
        top[3] = 0;
        *exponent -= 64;
    }
    const unsigned shift = leading_zeros(top[0]);
    for (int k = 0; k < 4 && shift; k++)
        top[k] = top[k] << shift | (k < 3 ? top[k + 1] >> (64 - shift) : 0);
    *exponent -= (int)shift;
}

/* |v| / (divisor * other), or its square root, rounded; as the bits of the float. */
static uint64_t rounded(value v, uint64_t divisor, uint64_t other, int root, format f)
{
    uint64_t top[4];
    int exponent, more;
    if (v.count == 0)
        return 0;
    leading(v, top, &exponent, &more);
    pc_u128 both = u128_mul64(divisor, other);
    if (!both.hi) {
        divisor = both.lo;
        other = 1;
    }
    if (divisor != 1)
        divide_leading(top, divisor, &exponent, &more);
    if (other != 1)
        divide_leading(top, other, &exponent, &more);
    more |= (top[2] | top[3]) != 0;
    if (!root)
        return round_to_format(top[0], exponent + 192, more || top[1], f);

    /* The leading 128 or 127 bits, so that the exponent is even. */
    pc_u128 n = {top[1], top[0]};
    exponent += 128;
    if (exponent & 1) {
        more |= (int)(n.lo & 1);
        n.lo = n.lo >> 1 | n.hi << 63;
        n.hi >>= 1;
        exponent++;
    }
    uint64_t root_bits = root_of(n, &more);
    return round_to_format(root_bits, exponent / 2, more, f);
}

/* ---- variances ---------------------------------------------------------------- */

/* sum -= v^2 */
static void take_square(uint64_t *sum, size_t room, size_t position, value v)
{
    for (size_t i = 0; i < v.count; i++)
        for (size_t j = 0; j < v.count; j++) {
            pc_u128 product = u128_mul64(v.word[i], v.word[j]);
            const pc_u128 minus = {0 - product.lo, ~product.hi + !product.lo};
            if (product.lo | product.hi)
                add_at(sum, room, position + 64 * (i + j), minus, UINT64_MAX);
        }
}

/* |v| < 2^top_of(v). */
static int top_of(value v)
{
    return v.exponent + 64 * (int)v.count;
}

/* From the smallest squares to 2^64 times the largest ones: 2 * 2176 bits, and a partial word at
 * either end. */
enum { SPREAD_WORDS = PC_LIMBS + 3 };

/* n * squares - re^2 - im^2, which is n times the sum of squared deviations from the mean; 0 if
 * negative, as for an end of a bounded sum. */
static value centered_square_sum(uint64_t n, value squares, const value numbers[2],
                                 uint64_t room[SPREAD_WORDS])
{
    int unit = squares.exponent, top = top_of(squares) + 64;
    if (squares.count == 0)
        return squares;
    for (int k = 0; k < 2; k++)
        if (numbers[k].count) {
            const int low = 2 * numbers[k].exponent, high = 2 * top_of(numbers[k]);
            unit = low < unit ? low : unit;
            top = high > top ? high : top;
        }
    const size_t count = (size_t)(top - unit) / 64 + 2;
    memset(room, 0, count * sizeof *room);
    for (size_t k = 0; k < squares.count; k++)
        add_at(room, count, (size_t)(squares.exponent - unit) + 64 * k,
               u128_mul64(squares.word[k], n), 0);
    for (int k = 0; k < 2; k++)
        if (numbers[k].count)
            take_square(room, count, (size_t)(2 * numbers[k].exponent - unit), numbers[k]);
    return limbs_view_of(room, room[count - 1] >> 63 ? 0 : count, unit, 0);
}

/* ---- results --------------------------------------------------------------------- */

static uint64_t nan_of(format f)
{
    return infinity_of(f) | UINT64_C(1) << (f.digits - 2);
}

/* One end of a part, as bounded_end; of an exact sum both are its value. */
static value part_at(const pc_accumulator *acc, pc_moment part, int side, uint64_t room[PC_LIMBS])
{
    return acc->flags & PC_BOUNDED ? bounded_end(&acc->part[part], side, room)
                                   : accumulator_limbs(acc, part, room);
}

/* max(count - ddof / 2^ddof_bits, 0), times 2^ddof_bits. */
static uint64_t degrees_of_freedom(const pc_accumulator *acc, const pc_output_spec *figure)
{
    const uint64_t count = acc->count << figure->ddof_bits;
    return count > figure->ddof ? count - figure->ddof : 0;
}

/* The bits of the float that one part of the result rounds to, from one end of the sums. */
static uint64_t bits_at(const pc_accumulator *acc, const pc_output_spec *figure, pc_moment part,
                        int side)
{
    const format f = format_of(figure->type);
    const int root =
        figure->result == PC_NORM || figure->result == PC_RMS || figure->result == PC_STD;
    uint64_t room[3][PC_LIMBS], spread[SPREAD_WORDS], count = acc->count;
    if (is_spread(figure->result)) {
        const uint64_t freedom = degrees_of_freedom(acc, figure);
        const value numbers[2] = {part_at(acc, PC_NUMBERS, !side, room[0]),
                                  part_at(acc, PC_IMAGINARY, !side, room[1])};
        value v =
            centered_square_sum(count, part_at(acc, PC_SQUARES, side, room[2]), numbers, spread);
        if (!freedom)
            return v.count ? infinity_of(f) : nan_of(f);
        v.exponent += (int)figure->ddof_bits;
        return rounded(v, count, freedom, root, f);
    }
    if (figure->result != PC_RMS && figure->result != PC_MEAN)
        count = 1;
    value v = part_at(acc, part, side, room[0]);
    return rounded(v, count, 1, root, f) | (uint64_t)v.negative * sign_bit_of(f);
}

/* The bits of the result if there were NaN or infinities; else 0. */
static uint64_t special_bits(const pc_accumulator *acc, const pc_output_spec *figure,
                             pc_moment part)
{
    const format f = format_of(figure->type);
    uint32_t special = pc_accumulator_nonfinite(acc);
    const uint32_t real = special & ((1 << PC_NONFINITE_BITS) - 1),
                   imaginary = special >> PC_NONFINITE_BITS;
    if (part == PC_SQUARES) {
        special = real | imaginary;
        if (special & PC_NAN || (special && is_spread(figure->result)))
            return nan_of(f);
        return special ? infinity_of(f) : 0;
    }
    special = part == PC_NUMBERS ? real : imaginary;
    if (special == PC_PLUS_INF || special == 0)
        return special ? infinity_of(f) : 0;
    return special == PC_MINUS_INF ? infinity_of(f) | sign_bit_of(f) : nan_of(f);
}

static void write_bits(char *out, pc_type type, uint64_t bits)
{
    const uint32_t bits32 = (uint32_t)bits;
    const uint16_t bits16 = (uint16_t)bits;
    switch (size_of_type[type]) {
    case 2: memcpy(out, &bits16, sizeof bits16); break;
    case 4: memcpy(out, &bits32, sizeof bits32); break;
    default: memcpy(out, &bits, sizeof bits);
    }
}

/* A sum as an integer; the exponent of its words need not be 0. */
static pc_status write_word(const pc_accumulator *acc, pc_moment part, pc_type type, char *out)
{
    uint64_t room[PC_LIMBS], word[3] = {0}; /* from 2^-64 on */
    value v = accumulator_limbs(acc, part, room);
    if (v.count && (v.exponent < -64 || top_of(v) > 128))
        return PC_TOO_LARGE;
    for (size_t k = 0; k < v.count; k++)
        add_at(word, 3, (size_t)(v.exponent + 64) + 64 * k, (pc_u128){v.word[k], 0}, 0);
    const uint64_t most =
        type == PC_UINT64 ? (v.negative ? 0 : UINT64_MAX) : INT64_MAX + (uint64_t)v.negative;
    if (word[0] || word[2] || word[1] > most)
        return PC_TOO_LARGE;
    write_bits(out, type, v.negative ? 0 - word[1] : word[1]);
    return PC_OK;
}

pc_status pc_accumulator_round(const pc_accumulator *acc, const pc_output_spec *figure, char *out)
{
    const format f = format_of(figure->type);
    const int of_numbers = figure->result == PC_SUM || figure->result == PC_MEAN;
    const pc_moment first = of_numbers ? PC_NUMBERS : PC_SQUARES;
    uint64_t bits[2];
    if (!is_float(figure->type))
        return write_word(acc, first, figure->type, out);

    const int too_few = is_spread(figure->result) ? degrees_of_freedom(acc, figure) == 0
                                                  : acc->count == 0 && (figure->result == PC_RMS ||
                                                                        figure->result == PC_MEAN);
    for (int p = 0; p < figure->parts; p++) {
        const pc_moment part = first + (pc_moment)p;
        bits[p] = too_few && !acc->count ? nan_of(f) : special_bits(acc, figure, part);
        if (bits[p])
            continue;
        bits[p] = bits_at(acc, figure, part, 0);
        if (acc->flags & PC_BOUNDED && /* no numbers sum up to 0 */
            (is_inconclusive(acc) ||
             (acc->count && ((of_numbers && bounded_spans_zero(&acc->part[part])) ||
                             bits[p] != bits_at(acc, figure, part, 1))))) {
            count_rounding_test_failure();
            return PC_INCONCLUSIVE;
        }
    }
    for (int p = 0; p < figure->parts; p++)
        write_bits(out + (size_t)p * size_of_type[figure->type], figure->type, bits[p]);
    return too_few ? PC_EMPTY : PC_OK;
}

void pc_round_words(const uint64_t *words, size_t count, int exponent, int negative, int root,
                    pc_type type, char *out)
{
    const format f = format_of(type);
    value v = limbs_view_of(words, count, exponent, negative);
    write_bits(out, type, rounded(v, 1, 1, root, f) | (negative ? sign_bit_of(f) : 0));
}

double pc_u128_round(const pc_u128 *x)
{
    const uint64_t words[2] = {x->lo, x->hi};
    double nearest;
    pc_round_words(words, 2, 0, 0, 0, PC_FLOAT64, (char *)&nearest);
    return nearest;
}
