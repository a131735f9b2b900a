/* 1^2 + 2^2 + ... + n^2, term by term. */

/* Four independent chains of additions, to hide their latency. */
enum { CHAINS = 4, STEP = CHAINS * LANES };

/* Rounds of STEP squares before the lanes are added to the total. */
enum { ROUNDS = 1024 };

/* s + i^2 per lane, for i below NARROW_BELOW: the square is then below 2^54 (as the sum of
 * its low 52 bits, below 2^52), so that ROUNDS of them fit a 64-bit lane. */
#ifdef madd52lo
#define NARROW_BELOW (UINT64_C(1) << 26)
#define add_square_of(s, i) madd52lo(s, i, i)
#else
#define NARROW_BELOW (UINT64_C(1) << 27)
#define add_square_of(s, i) ((s) + mul32(i, i))
#endif

/* first, first + 1, ... */
static inline vec counting(uint64_t first)
{
    vec v = splat(first);
    for (int k = 0; k < LANES; k++)
        LANE(v, k) += (uint64_t)k;
    return v;
}

/* *sum += 2^shift * (the sum of all lanes of v[0..CHAINS)): the halves of the
 * lanes are summed apart, so nothing is lost to a carry. */
static inline void empty_lanes(const vec v[CHAINS], unsigned shift, pc_u128 *sum)
{
    vec low = splat(0), high = splat(0);
    for (int c = 0; c < CHAINS; c++) {
        low += v[c] & 0xffffffffu;
        high += v[c] >> 32;
    }
    pc_u128 piece = {sum_of_lanes(low), 0}, upper = {sum_of_lanes(high), 0};
    u128_add(&piece, u128_shl(upper, 32));
    u128_add(sum, u128_shl(piece, shift));
}

/* `rounds` <= ROUNDS rounds of STEP squares from `first`, below NARROW_BELOW. */
static void narrow_squares(uint64_t first, uint64_t rounds, pc_u128 *sum)
{
    vec i[CHAINS], total[CHAINS];
    for (int c = 0; c < CHAINS; c++) {
        i[c] = counting(first + (uint64_t)(c * LANES));
        total[c] = splat(0);
    }
    for (; rounds; rounds--)
        for (int c = 0; c < CHAINS; c++) {
            total[c] = add_square_of(total[c], i[c]);
            i[c] += STEP;
        }
    empty_lanes(total, 0, sum);
}

/* For i < 2^43, i^2 as the sum of pieces times 2^shifts, each piece below 2^52, so that
 * ROUNDS of them fit a 64-bit lane. */
#ifdef madd52lo
enum { PIECES = 2 };
static const unsigned shifts[PIECES] = {0, 52};

static inline void add_pieces_of_square(vec i, vec sum[PIECES][CHAINS], int c)
{
    sum[0][c] = madd52lo(sum[0][c], i, i);
    sum[1][c] = madd52hi(sum[1][c], i, i);
}
#else
enum { PIECES = 3 };
static const unsigned shifts[PIECES] = {0, 25, 48};

/* With i = h * 2^24 + l: l^2, hl and h^2. */
static inline void add_pieces_of_square(vec i, vec sum[PIECES][CHAINS], int c)
{
    vec h = i >> 24, l = i & 0xffffffu;
    sum[0][c] += mul32(l, l);
    sum[1][c] += mul32(h, l);
    sum[2][c] += mul32(h, h);
}
#endif

/* The same without the bound. */
static void wide_squares(uint64_t first, uint64_t rounds, pc_u128 *sum)
{
    vec i[CHAINS], piece[PIECES][CHAINS];
    for (int c = 0; c < CHAINS; c++) {
        i[c] = counting(first + (uint64_t)(c * LANES));
        for (int p = 0; p < PIECES; p++)
            piece[p][c] = splat(0);
    }
    for (; rounds; rounds--)
        for (int c = 0; c < CHAINS; c++) {
            add_pieces_of_square(i[c], piece, c);
            i[c] += STEP;
        }
    for (int p = 0; p < PIECES; p++)
        empty_lanes(piece[p], shifts[p], sum);
}

static void squares_of_range(uint64_t first, uint64_t count, pc_u128 *sum)
{
    while (count >= STEP) {
        uint64_t rounds = count / STEP;
        if (rounds > ROUNDS)
            rounds = ROUNDS;
        if (first + rounds * STEP <= NARROW_BELOW)
            narrow_squares(first, rounds, sum);
        else
            wide_squares(first, rounds, sum);
        first += rounds * STEP;
        count -= rounds * STEP;
    }
    for (; count; count--, first++)
        u128_add(sum, u128_mul64(first, first));
}
