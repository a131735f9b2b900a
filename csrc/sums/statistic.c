/* A statistic from the sums of an accumulator, exact or bounded, rounded once. */
#include "bounded.h"
#include "round.h"

#include <string.h>

/* sum += x * 2^bit; -= if `subtract`. */
static void add_or_subtract(uint64_t *sum, size_t count, size_t bit, pc_u128 x, int subtract)
{
    const pc_u128 minus = {0 - x.lo, ~x.hi + !x.lo};
    if (x.lo | x.hi)
        add_at(sum, count, bit, subtract ? minus : x, subtract ? UINT64_MAX : 0);
}

/* sum += |v| * factor, in units of 2^unit; -= if `subtract`. */
static void add_multiple(uint64_t *sum, size_t count, int unit, limbs_view v, uint64_t factor,
                         int subtract)
{
    for (size_t k = 0; k < v.count; k++)
        add_or_subtract(sum, count, (size_t)(v.exponent - unit) + 64 * k,
                        u128_mul64(v.word[k], factor), subtract);
}

/* sum -= v w */
static void subtract_product(uint64_t *sum, size_t count, int unit, limbs_view v, limbs_view w)
{
    for (size_t k = 0; k < w.count; k++) {
        limbs_view shifted = v;
        shifted.exponent += w.exponent + 64 * (int)k;
        add_multiple(sum, count, unit, shifted, w.word[k], v.negative == w.negative);
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
    add_multiple(scratch, count, unit, squares, n, 0);
    for (int k = 0; k < 2; k++)
        subtract_product(scratch, count, unit, numbers[k], numbers[k]);
    return limbs_view_of(scratch, scratch[count - 1] >> 63 ? 0 : count, unit, 0);
}

/* One end of the sum of a moment, as bounded_end; both ends of an exact sum are its value. */
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
static uint64_t bits_at_end(const pc_accumulator *acc, const pc_output_spec *spec, pc_moment moment,
                            int upper)
{
    const format f = format_of(spec->type);
    const int root =
        spec->statistic == PC_NORM || spec->statistic == PC_RMS || spec->statistic == PC_STD;
    uint64_t scratch[3][PC_LIMBS], centered[CENTERED_WORDS], count = acc->count;
    if (is_variance(spec->statistic)) {
        const uint64_t freedom = degrees_of_freedom(acc, spec);
        const limbs_view numbers[2] = {moment_end(acc, PC_NUMBERS, !upper, scratch[0]),
                                       moment_end(acc, PC_IMAGINARY, !upper, scratch[1])};
        limbs_view v = centered_square_sum(count, moment_end(acc, PC_SQUARES, upper, scratch[2]),
                                           numbers, centered);
        if (!freedom)
            return v.count ? infinity_of(f) : nan_of(f);
        v.exponent += (int)spec->ddof_bits;
        return rounded_quotient(v, count, freedom, root, f);
    }
    if (spec->statistic != PC_RMS && spec->statistic != PC_MEAN)
        count = 1;
    limbs_view v = moment_end(acc, moment, upper, scratch[0]);
    if ((int)spec->statistic == PC_AVERAGE) {
        const limbs_view w = moment_end(acc, PC_NUMBERS, !upper, scratch[1]);
        return rounded_ratio(v, w, 0, f) | (uint64_t)(v.negative ^ w.negative) * sign_bit_of(f);
    }
    return rounded_quotient(v, count, 1, root, f) | (uint64_t)v.negative * sign_bit_of(f);
}

/* The sum that a result, or its real part, is made of. */
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
        if (nonfinite & PC_NAN || (nonfinite && is_variance(spec->statistic)))
            return nan_of(f);
        return nonfinite ? infinity_of(f) : 0;
    }
    nonfinite = moment == first_moment(spec->statistic) ? real : imaginary;
    if (nonfinite == PC_PLUS_INF || nonfinite == 0)
        return nonfinite ? infinity_of(f) : 0;
    return nonfinite == PC_MINUS_INF ? infinity_of(f) | sign_bit_of(f) : nan_of(f);
}

/* Write a sum as an integer; its words may have an exponent other than 0. */
static pc_status write_integer(const pc_accumulator *acc, pc_moment moment, pc_type type, char *out)
{
    uint64_t scratch[PC_LIMBS], word[3] = {0}; /* from 2^-64 on */
    limbs_view v = accumulator_limbs(acc, moment, scratch);
    if (v.count && (v.exponent < -64 || top_of(v) > 128))
        return PC_TOO_LARGE;
    for (size_t k = 0; k < v.count; k++)
        add_at(word, 3, (size_t)(v.exponent + 64) + 64 * k, (pc_u128){v.word[k], 0}, 0);
    const uint64_t max =
        type == PC_UINT64 ? (v.negative ? 0 : UINT64_MAX) : INT64_MAX + (uint64_t)v.negative;
    if (word[0] || word[2] || word[1] > max)
        return PC_TOO_LARGE;
    write_bits(out, type, v.negative ? 0 - word[1] : word[1]);
    return PC_OK;
}

/* PC_OK if the sum of the weights of an average is not 0, PC_NO_WEIGHT if it is; PC_INCONCLUSIVE if
 * that is not certain. */
static pc_status check_weights(const pc_accumulator *acc)
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
        return write_integer(acc, first, spec->type, out);

    const int too_few =
        is_variance(spec->statistic)
            ? degrees_of_freedom(acc, spec) == 0
            : acc->count == 0 && (spec->statistic == PC_RMS || spec->statistic == PC_MEAN);
    if ((int)spec->statistic == PC_AVERAGE) {
        const pc_status status = check_weights(acc);
        if (status != PC_OK)
            return status;
    }
    for (int p = 0; p < spec->components; p++) {
        const pc_moment moment = first + (pc_moment)p;
        bits[p] = too_few && !acc->count ? nan_of(f) : nonfinite_bits(acc, spec, moment);
        if (bits[p])
            continue;
        bits[p] = bits_at_end(acc, spec, moment, 0);
        if (acc->flags & PC_BOUNDED && /* the sum of no numbers is 0 */
            (is_inconclusive(acc) ||
             (acc->count && ((either_sign && bounded_spans_zero(&acc->windows[moment])) ||
                             bits[p] != bits_at_end(acc, spec, moment, 1))))) {
            count_rounding_test_failure();
            return PC_INCONCLUSIVE;
        }
    }
    for (int p = 0; p < spec->components; p++)
        write_bits(out + (size_t)p * size_of_type[spec->type], spec->type, bits[p]);
    return too_few ? PC_EMPTY : PC_OK;
}

/* ---- covariances -------------------------------------------------------------- */

/* A sum as an interval: value +- error * 2^exponent. */
typedef struct {
    limbs_view value;
    uint64_t error, scratch[PC_LIMBS];
    int exponent;
} sum_interval;

static void load_sum(sum_interval *sum, const pc_accumulator *acc, pc_moment moment)
{
    if (acc->flags & PC_BOUNDED) {
        pc_window window = acc->windows[moment];
        sum->error = window.flags & PC_WINDOW_USED ? window.error_bound : 0;
        sum->exponent = window.exponent;
        window.error_bound = 0;
        sum->value = bounded_end(&window, 0, sum->scratch);
    } else {
        sum->error = 0;
        sum->value = accumulator_limbs(acc, moment, sum->scratch);
    }
    if (!sum->error)
        sum->exponent = sum->value.exponent;
}

/* |value| and the error are below 2^(exponent + 64 * word_span). */
static int word_span(const sum_interval *sum)
{
    const int words = (sum->value.exponent - sum->exponent) / 64 + (int)sum->value.count + 1;
    return sum->value.count ? words : 1;
}

/* The lower or upper end of n * products - x * y, which is n^2 times the covariance. */
static limbs_view centered_end(uint64_t n, const sum_interval *products, const sum_interval *x,
                               const sum_interval *y, int upper, uint64_t scratch[END_WORDS])
{
    const int of_xy = x->exponent + y->exponent,
              unit = of_xy < products->exponent ? of_xy : products->exponent,
              top_xy = of_xy + 64 * (word_span(x) + word_span(y)),
              top = products->exponent + 64 * (word_span(products) + 1);
    const size_t count = (size_t)((top > top_xy ? top : top_xy) - unit) / 64 + 2;
    const uint64_t one = 1;
    limbs_view errors = {&one, 1, of_xy, 0}, of_x = x->value, of_y = y->value;
    memset(scratch, 0, count * sizeof *scratch);
    add_multiple(scratch, count, unit, products->value, n, products->value.negative);
    subtract_product(scratch, count, unit, of_x, of_y);
    of_x.exponent += y->exponent;
    of_y.exponent += x->exponent;
    add_multiple(scratch, count, unit, of_x, y->error, !upper);
    add_multiple(scratch, count, unit, of_y, x->error, !upper);
    errors.word = &x->error;
    add_multiple(scratch, count, unit, errors, y->error, !upper);
    errors.word = &products->error;
    errors.exponent = products->exponent;
    add_multiple(scratch, count, unit, errors, n, !upper);
    const int negative = (int)(scratch[count - 1] >> 63);
    if (negative)
        negate_words(scratch, count);
    return limbs_view_of(scratch, count, unit, negative);
}

pc_status pc_round_covariance(const pc_accumulator *products, const pc_accumulator *x,
                              const pc_accumulator *y, uint64_t freedom, pc_type type, char *out)
{
    const format f = format_of(type);
    uint64_t scratch[END_WORDS], bits[2];
    sum_interval of_products, of_x, of_y;
    if (is_inconclusive(products) || is_inconclusive(x) || is_inconclusive(y)) {
        count_rounding_test_failure();
        return PC_INCONCLUSIVE;
    }
    load_sum(&of_products, products, PC_SQUARES);
    load_sum(&of_x, x, PC_NUMBERS);
    load_sum(&of_y, y, PC_NUMBERS);
    for (int upper = 0; upper < 2; upper++) {
        limbs_view v = centered_end(x->count, &of_products, &of_x, &of_y, upper, scratch);
        if (x == y && v.negative) /* an end of a variance; or another thread changed the numbers */
            v = limbs_view_of(scratch, 0, 0, 0);
        bits[upper] =
            rounded_quotient(v, x->count, freedom, 0, f) | (uint64_t)v.negative * sign_bit_of(f);
    }
    if (bits[0] != bits[1]) {
        count_rounding_test_failure();
        return PC_INCONCLUSIVE;
    }
    if (pc_accumulator_nonfinite(products) || pc_accumulator_nonfinite(x) ||
        pc_accumulator_nonfinite(y))
        bits[0] = nan_of(f);
    write_bits(out, type, bits[0]);
    return PC_OK;
}

/* |v w| */
static limbs_view product_of(limbs_view v, limbs_view w, uint64_t scratch[2 * END_WORDS])
{
    const size_t count = v.count + w.count;
    v.negative = 1; /* so that it is added */
    w.negative = 0;
    memset(scratch, 0, count * sizeof *scratch);
    subtract_product(scratch, count, v.exponent + w.exponent, v, w);
    return limbs_view_of(scratch, count, v.exponent + w.exponent, 0);
}

/* n^2 times a variance: its lower and its upper end. */
typedef struct {
    limbs_view end[2];
    uint64_t scratch[2][END_WORDS];
} centered_sum;

/* PC_OK if it is above zero, PC_EMPTY if not, PC_INCONCLUSIVE if that is not certain. */
static pc_status find_centered_sum(centered_sum *found, const pc_accumulator *x,
                                   const sum_interval *number)
{
    sum_interval squares;
    int above_zero[2];
    load_sum(&squares, x, PC_SQUARES);
    for (int upper = 0; upper < 2; upper++) {
        const limbs_view end =
            centered_end(x->count, &squares, number, number, upper, found->scratch[upper]);
        above_zero[upper] = end.count && !end.negative;
        found->end[upper] = end;
    }
    return above_zero[0] ? PC_OK : above_zero[1] ? PC_INCONCLUSIVE : PC_EMPTY;
}

/* The bits of |cross| / sqrt(x y), without a sign. */
static uint64_t rounded_correlation(limbs_view cross, limbs_view x, limbs_view y, format f)
{
    uint64_t dividend[2 * END_WORDS], divisor[2 * END_WORDS];
    return rounded_ratio(product_of(cross, cross, dividend), product_of(x, y, divisor), 1, f);
}

/* Both ends of Nxy / sqrt(Nxx Nyy) as bits; or PC_INCONCLUSIVE, or PC_EMPTY if a variance is not
 * above zero. */
static pc_status correlation_ends(const pc_accumulator *products, const pc_accumulator *x,
                                  const pc_accumulator *y, format f, uint64_t bits[2])
{
    const uint64_t one = (uint64_t)(1 - f.min_exponent) << (f.digits - 1);
    uint64_t scratch[END_WORDS];
    sum_interval of_products, of_x, of_y;
    centered_sum xx, yy;
    load_sum(&of_x, x, PC_NUMBERS);
    load_sum(&of_y, y, PC_NUMBERS);
    const pc_status first = find_centered_sum(&xx, x, &of_x),
                    second = x == y ? first : find_centered_sum(&yy, y, &of_y);
    if (first == PC_EMPTY || second == PC_EMPTY)
        return PC_EMPTY;
    if (first != PC_OK || second != PC_OK)
        return PC_INCONCLUSIVE;
    bits[0] = bits[1] = one;
    if (x == y)
        return PC_OK;
    load_sum(&of_products, products, PC_SQUARES);
    for (int upper = 0; upper < 2; upper++) {
        const limbs_view cross = centered_end(x->count, &of_products, &of_x, &of_y, upper, scratch);
        /* The larger quotient is that of the smaller variances. */
        const int end = upper == cross.negative;
        const uint64_t size = rounded_correlation(cross, xx.end[end], yy.end[end], f);
        bits[upper] = (size < one ? size : one) | (uint64_t)cross.negative * sign_bit_of(f);
    }
    return PC_OK;
}

pc_status pc_round_correlation(const pc_accumulator *products, const pc_accumulator *x,
                               const pc_accumulator *y, pc_type type, char *out)
{
    const format f = format_of(type);
    uint64_t bits[2] = {nan_of(f), nan_of(f)};
    pc_status status = PC_INCONCLUSIVE;
    if (!is_inconclusive(products) && !is_inconclusive(x) && !is_inconclusive(y))
        status = pc_accumulator_nonfinite(products) || pc_accumulator_nonfinite(x) ||
                         pc_accumulator_nonfinite(y)
                     ? PC_EMPTY
                     : correlation_ends(products, x, y, f, bits);
    if (status == PC_INCONCLUSIVE || bits[0] != bits[1]) {
        count_rounding_test_failure();
        return PC_INCONCLUSIVE;
    }
    write_bits(out, type, bits[0]);
    return PC_OK;
}
