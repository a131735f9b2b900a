/* Sums over moving windows: what enters is added, and what leaves is subtracted, without rounding.
 * Each number is cut into 2 or 3 pieces, multiples of fixed units, whose sums are exact in doubles.
 * Bounds and proofs: docs/design/moving.md. Assumes rounding to nearest and fused multiply-add. */

#if defined(FLOATS) && defined(fused)

/* The multiple of a unit nearest to x, if |x| < 2^51 units; magic = 1.5 * 2^52 units. */
static inline vecd to_unit(vecd x, vecd magic)
{
    return (x + magic) - magic;
}

/* x, a double, as `pieces` pieces; *residual gets bits if they do not add up to x. */
static inline __attribute__((always_inline)) void cut_number(vecd x, const vecd *magic, int pieces,
                                                             vecd *piece, vec *residual)
{
    for (int k = 0; k < pieces; k++) {
        piece[k] = to_unit(x, magic[k]);
        x -= piece[k]; /* exact */
    }
    *residual |= (vec)x;
}

/* The same for x^2. */
static inline __attribute__((always_inline)) void cut_square(vecd x, const vecd *magic, int pieces,
                                                             vecd *piece, vec *residual)
{
    const vecd high = x * x, low = fused(x, x, -high);
    piece[0] = fused(x, x, magic[0]) - magic[0];
    const vecd remainder = high - piece[0], all = remainder + low;
    piece[1] = to_unit(all, magic[1]);
    if (pieces == 2) {
        *residual |= (vec)((remainder - piece[1]) + low);
        return;
    }
    const vecd error = low - (all - remainder), more = all - piece[1], end = more + error;
    piece[2] = to_unit(end, magic[2]);
    *residual |= (vec)(end - piece[2]) | (vec)(error - (end - more));
}

/* Sums of the pieces up to each lane, from *total on, to which all of them are added. */
static inline vecd running_sums(vecd change, vecd *total)
{
    const vecd sums = prefix_sums(change), before = *total;
    *total = before + last_lane(sums);
    return before + sums;
}

/* The pieces of a sum as an estimate. */
static inline __attribute__((always_inline)) void store_pieces(double to[3][LANE_COLUMNS], size_t c,
                                                               const vecd *piece, int pieces)
{
    vecd high = piece[0], low = piece[1], bound = splatd(0.0);
    if (pieces == 3) {
        high = two_sum(piece[0], piece[1], &low);
        low = two_sum(low, piece[2], &bound);
        bound = magnitude(bound);
    }
    store_doubles(to[0] + c, high);
    store_doubles(to[1] + c, low);
    store_doubles(to[2] + c, bound);
}

static inline vecd finite_only(vecd x, vecd y)
{
    return select_bits((vec)(magnitude(x) < (vecd)splat(UINT64_C(0x7ff) << 52)), y);
}

static inline __attribute__((always_inline)) void move_lanes(const double *in, const double *out,
                                                             moving_sums *state, lane_sums *sums,
                                                             int squares, int pieces, int masked,
                                                             int leaving)
{
    const vecd pivot = splatd(state->pivot);
    vecd magic[2][3], total[2][3], max = splatd(0.0);
    vec residual[2] = {splat(0), splat(0)};
    for (int k = 0; k < pieces; k++) {
        magic[0][k] = splatd(state->number.magic[k]);
        total[0][k] = splatd(state->number.sum[k]);
        if (squares) {
            magic[1][k] = splatd(state->square.magic[k]);
            total[1][k] = splatd(state->square.sum[k]);
        }
    }
    for (size_t c = 0; c < LANE_COLUMNS; c += LANES) {
        vecd x = load_doubles(in + c), y = splatd(0.0), piece[3], leaving_piece[3];
        vec ignored = splat(0);
        x = masked ? finite_only(x, squares ? x - pivot : x) : squares ? x - pivot : x;
        if (leaving) {
            y = load_doubles(out + c);
            y = masked ? finite_only(y, squares ? y - pivot : y) : squares ? y - pivot : y;
        }
        max = vector_max(magnitude(x), max);
        cut_number(x, magic[0], pieces, piece, &residual[0]);
        if (leaving)
            cut_number(y, magic[0], pieces, leaving_piece, &ignored);
        for (int k = 0; k < pieces; k++)
            piece[k] = running_sums(leaving ? piece[k] - leaving_piece[k] : piece[k], &total[0][k]);
        store_pieces(sums->number, c, piece, pieces);
        if (!squares)
            continue;
        cut_square(x, magic[1], pieces, piece, &residual[1]);
        if (leaving)
            cut_square(y, magic[1], pieces, leaving_piece, &ignored);
        for (int k = 0; k < pieces; k++)
            piece[k] = running_sums(leaving ? piece[k] - leaving_piece[k] : piece[k], &total[1][k]);
        store_pieces(sums->square, c, piece, pieces);
    }
    state->max = 0.0;
    uint64_t bits[2] = {0, 0};
    for (int k = 0; k < LANES; k++) {
        state->max = max[k] > state->max ? max[k] : state->max;
        bits[0] |= residual[0][k] << 1;
        bits[1] |= residual[1][k] << 1;
    }
    for (int k = 0; k < pieces; k++) {
        state->number.sum[k] = total[0][k][0];
        if (squares)
            state->square.sum[k] = total[1][k][0];
    }
    state->number.inexact = bits[0] != 0;
    state->square.inexact = (bits[0] | bits[1]) != 0;
}

#define MOVE(name, squares, pieces, masked, leaving)                                               \
    static void name(const double *in, const double *out, moving_sums *state, lane_sums *sums)     \
    {                                                                                              \
        move_lanes(in, out, state, sums, squares, pieces, masked, leaving);                        \
    }
MOVE(move_numbers_2, 0, 2, 0, 1)
MOVE(move_numbers_3, 0, 3, 0, 1)
MOVE(move_both_2, 1, 2, 0, 1)
MOVE(move_both_3, 1, 3, 0, 1)
MOVE(move_finite_numbers_2, 0, 2, 1, 1)
MOVE(move_finite_numbers_3, 0, 3, 1, 1)
MOVE(move_finite_both_2, 1, 2, 1, 1)
MOVE(move_finite_both_3, 1, 3, 1, 1)
MOVE(add_numbers_2, 0, 2, 1, 0)
MOVE(add_numbers_3, 0, 3, 1, 0)

/* ---- starting a window ------------------------------------------------------------- */

/* Of LANE_COLUMNS numbers that are finite; whether all are. */
static int extend_range(const double *x, double *min, double *max)
{
    vecd low = splatd(*min), high = splatd(*max);
    vec odd = splat(0);
    for (size_t k = 0; k < LANE_COLUMNS; k += LANES) {
        const vecd each = load_doubles(x + k),
                   nothing = each - each; /* NaN of what is not finite */
        odd |= (vec)(nothing != 0.0);
        low = vector_min(each + nothing, low);
        high = vector_max(each + nothing, high);
    }
    for (int k = 0; k < LANES; k++) {
        *min = low[k] < *min ? low[k] : *min;
        *max = high[k] > *max ? high[k] : *max;
    }
    return !any_bits(odd);
}

/* Add the pieces of LANE_COLUMNS numbers, less those that are not finite. */
static inline __attribute__((always_inline)) void start_lanes(const double *in, moving_sums *state,
                                                              int squares, int pieces)
{
    moving_pieces *of[2] = {&state->number, &state->square};
    const vecd pivot = splatd(state->pivot);
    vecd magic[2][3], sum[2][3];
    vec residual[2] = {splat(0), splat(0)};
    for (int s = 0; s < 1 + squares; s++)
        for (int k = 0; k < pieces; k++) {
            magic[s][k] = splatd(of[s]->magic[k]);
            sum[s][k] = splatd(0.0);
        }
    for (size_t c = 0; c < LANE_COLUMNS; c += LANES) {
        vecd x = load_doubles(in + c), piece[3];
        x = finite_only(x, squares ? x - pivot : x);
        for (int s = 0; s < 1 + squares; s++) {
            if (s)
                cut_square(x, magic[s], pieces, piece, &residual[s]);
            else
                cut_number(x, magic[s], pieces, piece, &residual[s]);
            for (int k = 0; k < pieces; k++)
                sum[s][k] += piece[k];
        }
    }
    for (int s = 0; s < 1 + squares; s++) {
        for (int k = 0; k < pieces; k++)
            of[s]->sum[k] += prefix_sums(sum[s][k])[LANES - 1];
        of[s]->inexact = any_bits((residual[0] | residual[s]) << 1);
    }
}

#define START(name, squares, pieces)                                                               \
    static void name(const double *in, moving_sums *state)                                         \
    {                                                                                              \
        start_lanes(in, state, squares, pieces);                                                   \
    }
START(start_numbers_2, 0, 2)
START(start_numbers_3, 0, 3)
START(start_both_2, 1, 2)
START(start_both_3, 1, 3)

/* ---- results ----------------------------------------------------------------------- */

#ifndef choose_by_sign
/* Where the first bit is set x, else y. */
static inline vecd choose_by_sign(vec bits, vecd x, vecd y)
{
    const vec mask = 0 - (bits >> 63);
    return (vecd)((mask & (vec)x) | (~mask & (vec)y));
}
#endif

#ifndef load_transposed
/* LANES vectors that lie `pitch` numbers apart, as rows become columns. */
static inline void load_transposed(vecd *v, const double *x, size_t pitch)
{
    UNROLLED
    for (size_t k = 0; k < LANES; k++)
        v[k] = load_doubles(x + k * pitch);
    transpose(v);
}
#endif

/* x as multiples of the units: the bits of magic + piece. Their differences are those of the pieces
 * in units, as integers. *residual, unless NULL, gets bits if the pieces do not add up to x. */
static inline __attribute__((always_inline)) void number_words(vecd x, const vecd *magic,
                                                               int pieces, vec *word, vec *residual)
{
    for (int k = 0; k < pieces; k++) {
        const vecd sum = x + magic[k], piece = sum - magic[k];
        word[k] = (vec)sum;
        if (k + 1 < pieces)
            x -= piece; /* exact */
        else if (residual)
            *residual |= (vec)x ^ (vec)piece;
    }
}

/* The same for x^2. */
static inline __attribute__((always_inline)) void square_words(vecd x, const vecd *magic,
                                                               int pieces, vec *word)
{
    const vecd sum = fused(x, x, magic[0]), piece = sum - magic[0], all = fused(x, x, -piece),
               sum1 = all + magic[1];
    word[0] = (vec)sum;
    word[1] = (vec)sum1;
    if (pieces == 3) {
        const vecd high = x * x, error = fused(x, x, -high) - (all - (high - piece));
        word[2] = (vec)(((all - (sum1 - magic[1])) + error) + magic[2]);
    }
}

/* What a result is made with: the count, the divisor, the inverses, and the error bound of what is
 * added to the first estimate. */
typedef struct {
    vecd count, minus_per_count, divisor, inverse, bound;
} moving_count;

static inline moving_count count_of(vecd count, double ddof, double error_bound)
{
    const vecd per_count = 1.0 / count, divisor = count - splatd(ddof),
               inverse = ddof == 0.0 ? per_count : 1.0 / divisor;
    return (moving_count){count, -per_count, divisor, inverse, splatd(error_bound) * inverse};
}

/* Vectors of results that go through each stage together: each is a long chain of operations. */
enum { INTERLEAVED = 2 };
#define EACH_INTERLEAVED UNROLLED for (size_t k = 0; k < INTERLEAVED; k++)

/* high + low of the first two pieces, of which the first is a multiple of the ulp of the second:
 * Dekker's Fast2Sum is exact. */
static inline vecd join(const vecd *piece, vecd *low)
{
    const vecd high = piece[0] + piece[1];
    *low = piece[1] - (high - piece[0]);
    return high;
}

/* Sums, which are rounded once if they are exact, and means; of *is_certain only the sign bits
 * count.
 */
static inline __attribute__((always_inline)) void
linear_results(pc_statistic statistic, int pieces, int exact, vecd sum[INTERLEAVED][2][3],
               vecd quarter_of_tie_square, const moving_count *by, vecd *result, vec *is_certain)
{
    vecd high[INTERLEAVED], low[INTERLEAVED], remainder[INTERLEAVED], upper[INTERLEAVED],
        lower[INTERLEAVED];
    EACH_INTERLEAVED
    {
        high[k] = sum[k][0][0];
        low[k] = sum[k][0][1];
        if (pieces == 3)
            high[k] = join(sum[k][0], &low[k]);
    }
    if (statistic == PC_SUM && exact) {
        EACH_INTERLEAVED result[k] = high[k] + low[k];
        return;
    }
    if (statistic == PC_SUM) {
        EACH_INTERLEAVED remainder[k] = pieces == 3 ? low[k] + sum[k][0][2] : low[k];
        EACH_INTERLEAVED upper[k] = high[k] + (remainder[k] + by[k].bound);
        EACH_INTERLEAVED lower[k] = high[k] + (remainder[k] - by[k].bound);
    } else {
        /* Halves of results if exact: the sum of two is rounded to the even one of neighbours. */
        const double part = exact ? 0.5 : 1.0; /* no result is subnormal */
        vecd q[INTERLEAVED];
        EACH_INTERLEAVED q[k] = high[k] * (by[k].inverse * part);
        EACH_INTERLEAVED remainder[k] = fused(-q[k], by[k].divisor * (1 / part), high[k]) + low[k];
        if (pieces == 3)
            EACH_INTERLEAVED remainder[k] += sum[k][0][2];
        if (exact) {
            EACH_INTERLEAVED upper[k] = fused(remainder[k], by[k].inverse * (0.5 + 0x1p-51), q[k]);
            EACH_INTERLEAVED lower[k] = fused(remainder[k], by[k].inverse * (0.5 - 0x1p-51), q[k]);
            /* From the threshold on what is not certain is a tie. */
            EACH_INTERLEAVED is_certain[k] &=
                (vec)(upper[k] == lower[k]) | (vec)fused(-q[k], q[k], quarter_of_tie_square);
            EACH_INTERLEAVED result[k] = upper[k] + lower[k];
            return;
        }
        EACH_INTERLEAVED upper[k] = q[k] + fused(remainder[k], by[k].inverse, by[k].bound);
        EACH_INTERLEAVED lower[k] = q[k] + fused(remainder[k], by[k].inverse, -by[k].bound);
    }
    EACH_INTERLEAVED is_certain[k] &= (vec)(upper[k] == lower[k]);
    EACH_INTERLEAVED result[k] = upper[k];
}

/* Variances, or their roots, from squares - number^2 / count. */
static inline __attribute__((always_inline)) void spread_results(int root, int pieces,
                                                                 vecd sum[INTERLEAVED][2][3],
                                                                 const moving_count *by,
                                                                 vecd *result, vec *is_certain)
{
    vecd minus_mean[INTERLEAVED], high[INTERLEAVED], low[INTERLEAVED], remainder[INTERLEAVED],
        q[INTERLEAVED];
    if (pieces == 3)
        EACH_INTERLEAVED
        {
            sum[k][0][1] += sum[k][0][2];
            sum[k][1][1] += sum[k][1][2];
        }
    EACH_INTERLEAVED minus_mean[k] = (sum[k][0][0] + sum[k][0][1]) * by[k].minus_per_count;
    EACH_INTERLEAVED high[k] = sum[k][1][0] + minus_mean[k] * sum[k][0][0];
    EACH_INTERLEAVED remainder[k] = fused(minus_mean[k], by[k].count, sum[k][0][0]);
    EACH_INTERLEAVED low[k] = fused(minus_mean[k], sum[k][0][0], sum[k][1][0] - high[k]);
    EACH_INTERLEAVED remainder[k] = fused(sum[k][0][1], splatd(2.0), remainder[k]);
    EACH_INTERLEAVED low[k] = fused(minus_mean[k], remainder[k], low[k] + sum[k][1][1]);
    if (root)
        EACH_INTERLEAVED q[k] = (high[k] + low[k]) * by[k].inverse;
    else
        EACH_INTERLEAVED q[k] = high[k] * by[k].inverse;
    EACH_INTERLEAVED remainder[k] = fused(-q[k], by[k].divisor, high[k]) + low[k];
    vecd upper[INTERLEAVED], lower[INTERLEAVED];
    EACH_INTERLEAVED upper[k] = fused(remainder[k], by[k].inverse, by[k].bound);
    EACH_INTERLEAVED lower[k] = fused(remainder[k], by[k].inverse, -by[k].bound);
    if (root) {
        vecd half[INTERLEAVED];
        EACH_INTERLEAVED high[k] = square_root(q[k], q[k], &half[k]);
        EACH_INTERLEAVED remainder[k] = fused(-high[k], high[k], q[k]);
        EACH_INTERLEAVED upper[k] = fused(remainder[k] + upper[k], half[k], high[k]);
        EACH_INTERLEAVED lower[k] = fused(remainder[k] + lower[k], half[k], high[k]);
    } else {
        EACH_INTERLEAVED upper[k] += q[k];
        EACH_INTERLEAVED lower[k] += q[k];
    }
    EACH_INTERLEAVED is_certain[k] &= (vec)(upper[k] == lower[k]);
    EACH_INTERLEAVED result[k] = upper[k];
}

/* Results of windows: see slide_kernel. Each lane has as many in succession as there are vectors
 * in a block: so sums need no shuffles, but the numbers do. */
static inline __attribute__((always_inline)) size_t slide(
    const double *in, const double *out, moving_sums *state, const moving_spec *spec, double *value,
    size_t blocks, pc_statistic statistic, int pieces, int exact, int leaving, int skip_nan)
{
    enum { STEPS = LANE_COLUMNS / LANES };
    const int squares = statistic == PC_VAR;
    const vecd pivot = splatd(state->pivot);
    const vec out_of_range = splat(~(2 * spec->max_units - 1));
    vecd magic[2][3];
    vec base[2][3];
    moving_pieces *of[2] = {&state->number, &state->square};
    for (int s = 0; s < 1 + squares; s++)
        for (int k = 0; k < pieces; k++) {
            magic[s][k] = splatd(of[s]->magic[k]);
            base[s][k] = (vec)(splatd(of[s]->sum[k]) + magic[s][k]);
        }
    const vec range_offset = splat(spec->max_units) - (vec)magic[0][0];
    const vecd quarter_of_tie_square = splatd(0.25 * spec->tie_square);
    moving_count by[INTERLEAVED];
    EACH_INTERLEAVED by[k] =
        (moving_count){splatd(spec->count), splatd(-spec->per_count), splatd(spec->divisor),
                       splatd(spec->inverse), splatd(spec->bound)};
    double present = state->count;
    size_t done = 0;
    state->number.inexact = 0;
    for (; done < blocks; done++, in += LANE_COLUMNS, out += LANE_COLUMNS, value += LANE_COLUMNS) {
        vec kept[STEPS][2][3], sum[2][3], offset[2][3], range = splat(0), residual = splat(0),
                                                        is_certain = splat(UINT64_MAX);
        vecd counted[STEPS], count = splatd(0.0);
        for (int s = 0; s < 1 + squares; s++)
            for (int k = 0; k < pieces; k++)
                sum[s][k] = splat(0);
        for (size_t first = 0; first < STEPS; first += LANES) {
            vecd x[LANES], y[LANES];
            load_transposed(x, in + first, STEPS);
            if (leaving)
                load_transposed(y, out + first, STEPS);
            UNROLLED
            for (size_t i = 0; i < LANES; i++) {
                vec word[3], leaving_piece[3];
                if (skip_nan) {
                    const vec here = (vec)(x[i] == x[i]), gone = (vec)(y[i] == y[i]);
                    x[i] = select_bits(here, squares ? x[i] - pivot : x[i]);
                    y[i] = select_bits(gone, squares ? y[i] - pivot : y[i]);
                    count += select_bits(here, splatd(1.0)) - select_bits(gone, splatd(1.0));
                    counted[first + i] = count;
                } else if (squares) {
                    x[i] -= pivot;
                    y[i] -= pivot;
                }
                for (int s = 0; s < 1 + squares; s++) {
                    if (s) {
                        square_words(x[i], magic[s], pieces, word);
                        square_words(y[i], magic[s], pieces, leaving_piece);
                    } else {
                        number_words(x[i], magic[s], pieces, word, squares ? NULL : &residual);
                        range |= word[0] + range_offset;
                        if (leaving)
                            number_words(y[i], magic[s], pieces, leaving_piece, NULL);
                    }
                    for (int k = 0; k < pieces; k++) {
                        sum[s][k] += word[k] - (leaving ? leaving_piece[k] : (vec)magic[s][k]);
                        kept[first + i][s][k] = sum[s][k];
                    }
                }
            }
        }
        for (int s = 0; s < 1 + squares; s++)
            for (int k = 0; k < pieces; k++) {
                const vec up_to = prefix_words(sum[s][k]);
                offset[s][k] = base[s][k] + (up_to - sum[s][k]);
                sum[s][k] = base[s][k] + (vec)last_lane((vecd)up_to);
            }
        double then = present;
        if (skip_nan) {
            const vecd up_to = prefix_sums(count);
            count = splatd(present) + (up_to - count);
            then += up_to[LANES - 1];
        }
        for (size_t first = 0; first < STEPS; first += LANES) {
            vecd result[LANES];
            UNROLLED
            for (size_t i = 0; i < LANES; i += INTERLEAVED) {
                vec one[INTERLEAVED];
                vecd here[INTERLEAVED][2][3], all[INTERLEAVED];
                EACH_INTERLEAVED one[k] = splat(UINT64_MAX);
                for (int s = 0; s < 1 + squares; s++)
                    for (int piece = 0; piece < pieces; piece++)
                        EACH_INTERLEAVED here[k][s][piece] =
                            (vecd)(kept[first + i + k][s][piece] + offset[s][piece]) -
                            magic[s][piece];
                if (skip_nan)
                    EACH_INTERLEAVED
                    {
                        all[k] = counted[first + i + k] + count;
                        if (statistic != PC_SUM)
                            by[k] = count_of(all[k], squares ? spec->ddof : 0.0, spec->error_bound);
                    }
                if (squares)
                    spread_results(spec->root, pieces, here, by, result + i, one);
                else
                    linear_results(statistic, pieces, exact, here, quarter_of_tie_square, by,
                                   result + i, one);
                EACH_INTERLEAVED
                {
                    if (skip_nan) {
                        const vec few = (vec)(all[k] < splatd(spec->min_count));
                        if (statistic != PC_SUM)
                            one[k] &= (vec)(by[k].divisor > 0.0);
                        one[k] |= few;
                        result[i + k] =
                            choose_by_sign(few, (vecd)splat(UINT64_C(0x7ff8) << 48), result[i + k]);
                    }
                    is_certain &= one[k];
                }
            }
            transpose(result);
            UNROLLED
            for (size_t lane = 0; lane < LANES; lane++)
                store_doubles(value + lane * STEPS + first, result[lane]);
        }
        const vec inexact = residual << 1;
        if (any_bits(~is_certain >> 63 | (range & out_of_range) | (exact ? inexact : splat(0))))
            break;
        if (!exact && !squares && any_bits(inexact))
            state->number.inexact = (int)done + 1;
        for (int s = 0; s < 1 + squares; s++)
            for (int k = 0; k < pieces; k++)
                base[s][k] = sum[s][k];
        present = then;
    }
    for (int s = 0; s < 1 + squares; s++)
        for (int k = 0; k < pieces; k++)
            of[s]->sum[k] = ((vecd)base[s][k] - magic[s][k])[0];
    state->count = present;
    return done;
}

#define SLIDE(name, statistic, leaving, skip_nan)                                                  \
    static size_t name##_2(const double *in, const double *out, moving_sums *state,                \
                           const moving_spec *spec, double *value, size_t blocks)                  \
    {                                                                                              \
        return spec->exact && statistic < PC_VAR ? slide(in, out, state, spec, value, blocks,      \
                                                         statistic, 2, 1, leaving, skip_nan)       \
                                                 : slide(in, out, state, spec, value, blocks,      \
                                                         statistic, 2, 0, leaving, skip_nan);      \
    }                                                                                              \
    static size_t name##_3(const double *in, const double *out, moving_sums *state,                \
                           const moving_spec *spec, double *value, size_t blocks)                  \
    {                                                                                              \
        return slide(in, out, state, spec, value, blocks, statistic, 3, 0, leaving, skip_nan);     \
    }
SLIDE(slide_sum, PC_SUM, 1, 0)
SLIDE(slide_mean, PC_MEAN, 1, 0)
SLIDE(slide_var, PC_VAR, 1, 0)
SLIDE(nanslide_sum, PC_SUM, 1, 1)
SLIDE(nanslide_mean, PC_MEAN, 1, 1)
SLIDE(nanslide_var, PC_VAR, 1, 1)
SLIDE(slide_prefix, PC_SUM, 0, 0)
#endif
