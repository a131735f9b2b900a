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
#endif
