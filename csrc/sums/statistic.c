/* A statistic from the sums of an accumulator, exact or bounded, rounded once. */
#include "bounded.h"
#include "round.h"

#include <string.h>

/* sum -= v^2 */
static void take_square(uint64_t *sum, size_t count, size_t bit, limbs_view v)
{
    for (size_t i = 0; i < v.count; i++)
        for (size_t j = 0; j < v.count; j++) {
            pc_u128 product = u128_mul64(v.word[i], v.word[j]);
            const pc_u128 minus = {0 - product.lo, ~product.hi + !product.lo};
            if (product.lo | product.hi)
                add_at(sum, count, bit + 64 * (i + j), minus, UINT64_MAX);
        }
}

/* |v| < 2^top_of(v). */
static int top_of(limbs_view v)
{
    return v.exponent + 64 * (int)v.count;
}

/* From the smallest squares to 2^64 times the largest ones: 2 * 2176 bits, and a partial word at
 * either end. */
enum { CENTERED_WORDS = PC_LIMBS + 3 };

/* n * squares - re^2 - im^2, which is n times the sum of squared deviations from the mean; 0 if
 * negative, as for an end of a bounded sum. */
static limbs_view centered_square_sum(uint64_t n, limbs_view squares, const limbs_view numbers[2],
                                      uint64_t scratch[CENTERED_WORDS])
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
    memset(scratch, 0, count * sizeof *scratch);
    for (size_t k = 0; k < squares.count; k++)
        add_at(scratch, count, (size_t)(squares.exponent - unit) + 64 * k,
               u128_mul64(squares.word[k], n), 0);
    for (int k = 0; k < 2; k++)
        if (numbers[k].count)
            take_square(scratch, count, (size_t)(2 * numbers[k].exponent - unit), numbers[k]);
    return limbs_view_of(scratch, scratch[count - 1] >> 63 ? 0 : count, unit, 0);
}

/* One end of the sum of a moment, as bounded_end; of an exact sum both are its value. */
static limbs_view moment_end(const pc_accumulator *acc, pc_moment moment, int upper,
                             uint64_t scratch[PC_LIMBS])
{
    return acc->flags & PC_BOUNDED ? bounded_end(&acc->windows[moment], upper, scratch)
                                   : accumulator_limbs(acc, moment, scratch);
}

/* max(count - ddof / 2^ddof_bits, 0), times 2^ddof_bits. */
static uint64_t degrees_of_freedom(const pc_accumulator *acc, const pc_output_spec *spec)
{
    const uint64_t count = acc->count << spec->ddof_bits;
    return count > spec->ddof ? count - spec->ddof : 0;
}

/* The bits of the float that one component of the result rounds to, from one end of the sums. */
static uint64_t bits_at(const pc_accumulator *acc, const pc_output_spec *spec, pc_moment moment,
                        int upper)
{
    const format f = format_of(spec->type);
    const int root =
        spec->statistic == PC_NORM || spec->statistic == PC_RMS || spec->statistic == PC_STD;
    uint64_t scratch[3][PC_LIMBS], centered[CENTERED_WORDS], count = acc->count;
    if (is_spread(spec->statistic)) {
        const uint64_t freedom = degrees_of_freedom(acc, spec);
        const limbs_view numbers[2] = {moment_end(acc, PC_NUMBERS, !upper, scratch[0]),
                                       moment_end(acc, PC_IMAGINARY, !upper, scratch[1])};
        limbs_view v = centered_square_sum(count, moment_end(acc, PC_SQUARES, upper, scratch[2]),
                                           numbers, centered);
        if (!freedom)
            return v.count ? infinity_of(f) : nan_of(f);
        v.exponent += (int)spec->ddof_bits;
        return rounded(v, count, freedom, root, f);
    }
    if (spec->statistic != PC_RMS && spec->statistic != PC_MEAN)
        count = 1;
    limbs_view v = moment_end(acc, moment, upper, scratch[0]);
    if ((int)spec->statistic == PC_AVERAGE) {
        const limbs_view w = moment_end(acc, PC_NUMBERS, !upper, scratch[1]);
        return rounded_ratio(v, w, f) | (uint64_t)(v.negative ^ w.negative) * sign_bit_of(f);
    }
    return rounded(v, count, 1, root, f) | (uint64_t)v.negative * sign_bit_of(f);
}

/* The sum that a result is made of, or its real part. */
static pc_moment first_moment(pc_statistic statistic)
{
    return is_linear(statistic) ? PC_NUMBERS : PC_SQUARES;
}

/* The bits of an average if there were NaN or infinities; else 0. */
static uint64_t nonfinite_average(const pc_accumulator *acc, format f)
{
    const uint32_t nonfinite = pc_accumulator_nonfinite(acc),
                   weights = nonfinite & ((1 << PC_NONFINITE_BITS) - 1),
                   products = nonfinite >> PC_NONFINITE_BITS;
    uint64_t scratch[PC_LIMBS];
    if (!nonfinite)
        return 0;
    if (weights || (products != PC_PLUS_INF && products != PC_MINUS_INF))
        return nan_of(f);
    const int negative = accumulator_limbs(acc, PC_NUMBERS, scratch).negative;
    return infinity_of(f) | (uint64_t)(negative ^ (products == PC_MINUS_INF)) * sign_bit_of(f);
}

/* The bits of the result if there were NaN or infinities; else 0. */
static uint64_t nonfinite_bits(const pc_accumulator *acc, const pc_output_spec *spec,
                               pc_moment moment)
{
    const format f = format_of(spec->type);
    if ((int)spec->statistic == PC_AVERAGE)
        return nonfinite_average(acc, f);
    uint32_t nonfinite = pc_accumulator_nonfinite(acc);
    const uint32_t real = nonfinite & ((1 << PC_NONFINITE_BITS) - 1),
                   imaginary = nonfinite >> PC_NONFINITE_BITS;
    if (moment == PC_SQUARES && (int)spec->statistic != PC_DOT) {
        nonfinite = real | imaginary;
        if (nonfinite & PC_NAN || (nonfinite && is_spread(spec->statistic)))
            return nan_of(f);
        return nonfinite ? infinity_of(f) : 0;
    }
    nonfinite = moment == first_moment(spec->statistic) ? real : imaginary;
    if (nonfinite == PC_PLUS_INF || nonfinite == 0)
        return nonfinite ? infinity_of(f) : 0;
    return nonfinite == PC_MINUS_INF ? infinity_of(f) | sign_bit_of(f) : nan_of(f);
}

/* A sum as an integer; the exponent of its words need not be 0. */
static pc_status write_word(const pc_accumulator *acc, pc_moment moment, pc_type type, char *out)
{
    uint64_t scratch[PC_LIMBS], word[3] = {0}; /* from 2^-64 on */
    limbs_view v = accumulator_limbs(acc, moment, scratch);
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

/* Whether the weights of an average have a sum to divide by. */
static pc_status weigh(const pc_accumulator *acc)
{
    uint64_t scratch[PC_LIMBS];
    if (acc->flags & PC_BOUNDED) {
        const pc_window *weights = &acc->windows[PC_NUMBERS];
        if (!is_inconclusive(acc) && weights->flags & PC_WINDOW_USED &&
            !bounded_spans_zero(weights))
            return PC_OK;
        count_rounding_test_failure();
        return PC_INCONCLUSIVE;
    }
    const uint32_t nonfinite = pc_accumulator_nonfinite(acc) & ((1 << PC_NONFINITE_BITS) - 1);
    return nonfinite || accumulator_limbs(acc, PC_NUMBERS, scratch).count ? PC_OK : PC_NO_WEIGHT;
}

pc_status pc_accumulator_round(const pc_accumulator *acc, const pc_output_spec *spec, char *out)
{
    const format f = format_of(spec->type);
    const int either_sign = is_linear(spec->statistic) || is_of_products(spec->statistic);
    const pc_moment first = first_moment(spec->statistic);
    uint64_t bits[2];
    if (!is_float(spec->type))
        return write_word(acc, first, spec->type, out);

    const int too_few =
        is_spread(spec->statistic)
            ? degrees_of_freedom(acc, spec) == 0
            : acc->count == 0 && (spec->statistic == PC_RMS || spec->statistic == PC_MEAN);
    if ((int)spec->statistic == PC_AVERAGE) {
        const pc_status status = weigh(acc);
        if (status != PC_OK)
            return status;
    }
    for (int p = 0; p < spec->components; p++) {
        const pc_moment moment = first + (pc_moment)p;
        bits[p] = too_few && !acc->count ? nan_of(f) : nonfinite_bits(acc, spec, moment);
        if (bits[p])
            continue;
        bits[p] = bits_at(acc, spec, moment, 0);
        if (acc->flags & PC_BOUNDED && /* no numbers sum up to 0 */
            (is_inconclusive(acc) ||
             (acc->count && ((either_sign && bounded_spans_zero(&acc->windows[moment])) ||
                             bits[p] != bits_at(acc, spec, moment, 1))))) {
            count_rounding_test_failure();
            return PC_INCONCLUSIVE;
        }
    }
    for (int p = 0; p < spec->components; p++)
        write_bits(out + (size_t)p * size_of_type[spec->type], spec->type, bits[p]);
    return too_few ? PC_EMPTY : PC_OK;
}
