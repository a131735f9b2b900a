/* Sums over moving windows: what enters is added, and what leaves is subtracted, without rounding.
 * Each number is cut into 2 or 3 pieces, multiples of fixed units, whose sums are exact in doubles.
 * Bounds and proofs: docs/design/moving.md. Assumes rounding to nearest and fused multiply-add. */

#if defined(FLOATS) && defined(fused)

/* The multiple of a unit nearest to x, if |x| < 2^51 units; magic = 1.5 * 2^52 units. */
static inline vecd to_unit(vecd x, vecd magic)
{
    return (x + magic) - magic;
}

/* x, a double, as `pieces` pieces; *rest gets bits if they do not add up to x. */
static inline __attribute__((always_inline)) void cut_number(vecd x, const vecd *magic, int pieces,
                                                             vecd *piece, vec *rest)
{
    for (int k = 0; k < pieces; k++) {
        piece[k] = to_unit(x, magic[k]);
        x -= piece[k]; /* exact */
    }
    *rest |= (vec)x;
}

/* The same for x^2. */
static inline __attribute__((always_inline)) void cut_square(vecd x, const vecd *magic, int pieces,
                                                             vecd *piece, vec *rest)
{
    const vecd high = x * x, low = fused(x, x, -high);
    piece[0] = to_unit(high, magic[0]);
    const vecd left = high - piece[0], all = left + low;
    piece[1] = to_unit(all, magic[1]);
    if (pieces == 2) {
        *rest |= (vec)((left - piece[1]) + low);
        return;
    }
    const vecd lost = low - (all - left), more = all - piece[1], end = more + lost;
    piece[2] = to_unit(end, magic[2]);
    *rest |= (vec)(end - piece[2]) | (vec)(lost - (end - more));
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
    vecd high = piece[0], low = piece[1], lost = splatd(0.0);
    if (pieces == 3) {
        high = two_sum(piece[0], piece[1], &low);
        low = two_sum(low, piece[2], &lost);
        lost = magnitude(lost);
    }
    store_doubles(to[0] + c, high);
    store_doubles(to[1] + c, low);
    store_doubles(to[2] + c, lost);
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
    vecd magic[2][3], total[2][3], most = splatd(0.0);
    vec rest[2] = {splat(0), splat(0)};
    for (int k = 0; k < pieces; k++) {
        magic[0][k] = splatd(state->number.magic[k]);
        total[0][k] = splatd(state->number.sum[k]);
        if (squares) {
            magic[1][k] = splatd(state->square.magic[k]);
            total[1][k] = splatd(state->square.sum[k]);
        }
    }
    for (size_t c = 0; c < LANE_COLUMNS; c += LANES) {
        vecd x = load_doubles(in + c), y = splatd(0.0), piece[3], left[3];
        vec ignored = splat(0);
        x = masked ? finite_only(x, squares ? x - pivot : x) : squares ? x - pivot : x;
        if (leaving) {
            y = load_doubles(out + c);
            y = masked ? finite_only(y, squares ? y - pivot : y) : squares ? y - pivot : y;
        }
        most = vector_max(magnitude(x), most);
        cut_number(x, magic[0], pieces, piece, &rest[0]);
        if (leaving)
            cut_number(y, magic[0], pieces, left, &ignored);
        for (int k = 0; k < pieces; k++)
            piece[k] = running_sums(leaving ? piece[k] - left[k] : piece[k], &total[0][k]);
        store_pieces(sums->number, c, piece, pieces);
        if (!squares)
            continue;
        cut_square(x, magic[1], pieces, piece, &rest[1]);
        if (leaving)
            cut_square(y, magic[1], pieces, left, &ignored);
        for (int k = 0; k < pieces; k++)
            piece[k] = running_sums(leaving ? piece[k] - left[k] : piece[k], &total[1][k]);
        store_pieces(sums->square, c, piece, pieces);
    }
    state->most = 0.0;
    uint64_t bits[2] = {0, 0};
    for (int k = 0; k < LANES; k++) {
        state->most = most[k] > state->most ? most[k] : state->most;
        bits[0] |= rest[0][k] << 1;
        bits[1] |= rest[1][k] << 1;
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
MOVE(add_both_2, 1, 2, 1, 0)
MOVE(add_both_3, 1, 3, 1, 0)
/* ---- results of full windows ------------------------------------------------------ */

static inline vecd exponent_part(vecd x)
{
    return select_bits(splat(UINT64_C(0x7ff) << 52), x);
}

/* high + low of pieces, of which each sum is a multiple of the ulp of the next: Dekker's Fast2Sum
 * is exact. */
static inline __attribute__((always_inline)) vecd join(const vecd *piece, int pieces, vecd *low)
{
    vecd high = piece[0] + piece[1];
    *low = piece[1] - (high - piece[0]);
    if (pieces == 3) {
        const vecd more = *low + piece[2], sum = high + more;
        *low = more - (sum - high);
        high = sum;
    }
    return high;
}

/* What a result is divided by. */
typedef struct {
    vecd count, divisor, inverse;
} moving_count;

/* (high + low) / divisor, rounded once. *sure: where that is certain, if high + low is known up to
 * `bound`; `exact`: where it is known, so that ties are, too. *rest is what is left, times divisor.
 */
static inline __attribute__((always_inline)) vecd rounded_quotient(vecd high, vecd low,
                                                                   const moving_count *by,
                                                                   vecd bound, vec exact,
                                                                   vecd *rest, vec *sure)
{
    const vecd divisor = by->divisor, inverse = by->inverse;
    vecd q = high * inverse;
    q = fused(fused(-q, divisor, high) + low, inverse, q);
    const vecd left = fused(-q, divisor, high) + low, size = magnitude(left),
               /* below a power of two ulps are half as long */
        binade = exponent_part(q * (1 - 0x1p-53)), half = binade * (divisor * 0x1p-53);
    const vec tie = (vec)(size == half) & exact, odd = 0 - ((vec)q & 1);
    *sure = (vec)(fused(size, splatd(1 + 0x1p-50), bound) < half) | tie;
    *rest = left;
    const vec step = (vec)(binade * 0x1p-52) | ((vec)left & (UINT64_C(1) << 63));
    return q + select_bits(tie & odd, (vecd)step);
}

/* The square root of (q + rest / divisor), likewise; bound is that of rest. */
static inline __attribute__((always_inline)) vecd rounded_root(vecd q, vecd rest,
                                                               const moving_count *by, vecd bound,
                                                               vec *sure)
{
    const vecd inverse = by->inverse * (1 + 0x1p-40), low = rest * inverse, root = vector_sqrt(q),
               left = fused(-root, root, q) + low, size = magnitude(left),
               wide = fused(size + magnitude(low), splatd(0x1p-38), bound * inverse),
               binade = exponent_part(root), below = exponent_part(root * (1 - 0x1p-53)),
               half = root * (below * 0x1p-52);
    const vec beyond = (vec)(size - wide > half) & (vec)(binade == below);
    *sure = (vec)(size + wide < half) | beyond;
    const vec step = (vec)(binade * 0x1p-52) | ((vec)left & (UINT64_C(1) << 63));
    return root + select_bits(beyond, (vecd)step);
}

/* One result from the sums of the pieces. */
static inline __attribute__((always_inline)) vecd result_of(pc_statistic statistic, int pieces,
                                                            vecd sum[2][3], const moving_end *end,
                                                            const moving_count *by, vec *sure)
{
    vecd low, low2, rest;
    const vecd high = join(sum[0], pieces, &low);
    const vec exact = splat(end->exact ? UINT64_MAX : 0);
    if (statistic == PC_SUM) {
        const vecd half = exponent_part(high * (1 - 0x1p-53)) * 0x1p-53;
        *sure =
            (vec)(fused(magnitude(low), splatd(1 + 0x1p-50), splatd(end->slack[0])) < half) | exact;
        return high;
    }
    if (statistic == PC_MEAN)
        return rounded_quotient(high, low, by, splatd(end->slack[0]), exact, &rest, sure);
    /* n squares - number^2, as in lanes.h */
    const vecd high2 = join(sum[1], pieces, &low2), n = by->count, p = n * high2, k = high * high,
               difference = p - k;
    vecd more = (p - difference) - k + (fused(n, high2, -p) - fused(high, high, -k));
    more = fused(-2.0 * high, low, fused(n, low2, more));
    const vecd spread = difference + more, left = more - (spread - difference),
               bound = fused(magnitude(high), splatd(end->slack[0]),
                             fused(p, splatd(0x1p-99), splatd(end->slack[1])));
    const vecd q = rounded_quotient(spread, left, by, bound, splat(0), &rest, sure);
    if (statistic == PC_VAR)
        return q;
    return rounded_root(q, rest, by, bound, sure);
}

/* The results of LANE_COLUMNS windows. Each lane has as many in succession as there are vectors: so
 * sums need no shuffles, but the numbers do. Returns whether all results are certain; what is in
 * *state is then valid, too. */
static inline __attribute__((always_inline)) int slide(const double *in, const double *out,
                                                       moving_sums *state, const moving_end *end,
                                                       double *value, pc_statistic statistic,
                                                       int pieces, int leaving, int skip_nan)
{
    enum { STEPS = LANE_COLUMNS / LANES };
    const int squares = statistic == PC_VAR || statistic == PC_STD;
    const vecd pivot = splatd(state->pivot);
    vecd kept[STEPS][2][3], counted[STEPS], count = splatd(0.0), sum[2][3], magic[2][3],
                                            most = splatd(0.0);
    vec rest[2] = {splat(0), splat(0)}, sure = splat(UINT64_MAX);
    for (int s = 0; s < 1 + squares; s++)
        for (int k = 0; k < pieces; k++) {
            sum[s][k] = splatd(0.0);
            magic[s][k] = splatd(s ? state->square.magic[k] : state->number.magic[k]);
        }
    for (size_t first = 0; first < STEPS; first += LANES) {
        vecd x[LANES], y[LANES];
        UNROLLED
        for (size_t lane = 0; lane < LANES; lane++) {
            x[lane] = load_doubles(in + lane * STEPS + first);
            y[lane] = splatd(0.0);
            if (leaving)
                y[lane] = load_doubles(out + lane * STEPS + first);
        }
        transpose(x);
        if (leaving)
            transpose(y);
        UNROLLED
        for (size_t i = 0; i < LANES; i++) {
            vecd piece[3], left[3];
            vec ignored = splat(0);
            const vec here = (vec)(x[i] == x[i]), gone = (vec)(y[i] == y[i]);
            if (squares) {
                x[i] -= pivot;
                y[i] -= pivot;
            }
            if (skip_nan) {
                x[i] = select_bits(here, x[i]);
                y[i] = select_bits(gone, y[i]);
                count += select_bits(here, splatd(1.0)) - select_bits(gone, splatd(1.0));
                counted[first + i] = count;
            }
            most = vector_max(magnitude(x[i]), most);
            for (int s = 0; s < 1 + squares; s++) {
                if (s)
                    cut_square(x[i], magic[s], pieces, piece, &rest[s]);
                else
                    cut_number(x[i], magic[s], pieces, piece, &rest[s]);
                if (leaving && s)
                    cut_square(y[i], magic[s], pieces, left, &ignored);
                else if (leaving)
                    cut_number(y[i], magic[s], pieces, left, &ignored);
                for (int k = 0; k < pieces; k++) {
                    sum[s][k] += leaving ? piece[k] - left[k] : piece[k];
                    kept[first + i][s][k] = sum[s][k];
                }
            }
        }
    }
    vecd offset[2][3];
    for (int s = 0; s < 1 + squares; s++)
        for (int k = 0; k < pieces; k++) {
            double *total = s ? &state->square.sum[k] : &state->number.sum[k];
            const vecd up_to = prefix_sums(sum[s][k]);
            offset[s][k] = splatd(*total) + (up_to - sum[s][k]);
            *total += up_to[LANES - 1];
        }
    moving_count by = {splatd(end->count), splatd(end->divisor), splatd(end->inverse)};
    if (skip_nan) {
        const vecd up_to = prefix_sums(count), before = splatd(state->count) + (up_to - count);
        state->count += up_to[LANES - 1];
        count = before;
    }
    for (size_t first = 0; first < STEPS; first += LANES) {
        vecd result[LANES];
        UNROLLED
        for (size_t i = 0; i < LANES; i++) {
            vec one;
            vecd here[2][3];
            for (int s = 0; s < 1 + squares; s++)
                for (int k = 0; k < pieces; k++)
                    here[s][k] = kept[first + i][s][k] + offset[s][k];
            if (skip_nan) {
                by.count = counted[first + i] + count;
                by.divisor = squares
                                 ? by.count * (by.count * splatd(end->scale) - splatd(end->ddof))
                                 : by.count;
                by.inverse = 1.0 / by.divisor;
            }
            result[i] = result_of(statistic, pieces, here, end, &by, &one);
            if (skip_nan) {
                const vec few = (vec)(by.count < splatd(end->min_count));
                one = (one & (vec)(by.divisor > 0.0)) | few;
                const vec nan = few & (UINT64_C(0x7ff8) << 48);
                result[i] = (vecd)((vec)select_bits(~few, result[i]) | nan);
            }
            sure &= one;
        }
        transpose(result);
        UNROLLED
        for (size_t lane = 0; lane < LANES; lane++)
            store_doubles(value + lane * STEPS + first, result[lane]);
    }
    uint64_t every = UINT64_MAX, bits[2] = {0, 0};
    state->most = 0.0;
    for (int k = 0; k < LANES; k++) {
        every &= sure[k];
        state->most = most[k] > state->most ? most[k] : state->most;
        bits[0] |= rest[0][k] << 1;
        bits[1] |= rest[1][k] << 1;
    }
    state->number.inexact = bits[0] != 0;
    state->square.inexact = (bits[0] | bits[1]) != 0;
    return every == UINT64_MAX && state->most <= end->limit &&
           state->number.sum[0] - state->number.sum[0] == 0.0;
}

#define SLIDE(name, statistic, leaving, skip_nan)                                                  \
    static int name##_2(const double *in, const double *out, moving_sums *state,                   \
                        const moving_end *end, double *value)                                      \
    {                                                                                              \
        return slide(in, out, state, end, value, statistic, 2, leaving, skip_nan);                 \
    }                                                                                              \
    static int name##_3(const double *in, const double *out, moving_sums *state,                   \
                        const moving_end *end, double *value)                                      \
    {                                                                                              \
        return slide(in, out, state, end, value, statistic, 3, leaving, skip_nan);                 \
    }
SLIDE(slide_sum, PC_SUM, 1, 0)
SLIDE(slide_mean, PC_MEAN, 1, 0)
SLIDE(slide_var, PC_VAR, 1, 0)
SLIDE(slide_std, PC_STD, 1, 0)
SLIDE(nanslide_sum, PC_SUM, 1, 1)
SLIDE(nanslide_mean, PC_MEAN, 1, 1)
SLIDE(nanslide_var, PC_VAR, 1, 1)
SLIDE(nanslide_std, PC_STD, 1, 1)
SLIDE(slide_prefix, PC_SUM, 0, 0)
#endif
