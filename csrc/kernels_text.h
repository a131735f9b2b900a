/* The text of the kernels. Each kernels_LEVEL.c defines
 *
 *   LEVEL         portable, avx2, avx512
 *   VECTOR_BYTES  16, 32, 64, or 8 where the compiler has no vector types
 *   mul32(x, y)   per 64-bit lane: the product of the low 32 bits
 *
 * and includes this once. Vectors are the compiler's own vector types: + & >>
 * work on them as on numbers, and no optimiser sees through them to a closed
 * form (clang folds a scalar loop over i*i to n(n+1)(2n+1)/6). */

#include "kernels.h"

#define LANES (VECTOR_BYTES / 8)
#if VECTOR_BYTES > 8
typedef uint64_t vec __attribute__((vector_size(VECTOR_BYTES)));
#define LANE(v, k) ((v)[k])
#else
typedef uint64_t vec;
#define LANE(v, k) (v)
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define STRING_(a) #a
#define STRING(a) STRING_(a)

/* Four chains of additions hide the latency of each. */
enum { CHAINS = 4, STEP = CHAINS * LANES };

/* Rounds of STEP squares before the lanes are emptied. */
enum { ROUNDS = 1024 };

/* Below it a square is below 2^54, so that ROUNDS of them fit a 64-bit lane. */
#define NARROW (UINT64_C(1) << 27)

static inline vec splat(uint64_t x)
{
    return (vec){0} + x;
}

/* first, first + 1, ... */
static inline vec counting(uint64_t first)
{
    vec v = splat(first);
    for (int k = 0; k < LANES; k++)
        LANE(v, k) += (uint64_t)k;
    return v;
}

static inline uint64_t sum_of_lanes(vec v)
{
    uint64_t sum = 0;
    for (int k = 0; k < LANES; k++)
        sum += LANE(v, k);
    return sum;
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
    pc_u128 part = {sum_of_lanes(low), 0}, upper = {sum_of_lanes(high), 0};
    u128_add(&part, u128_shl(upper, 32));
    u128_add(sum, u128_shl(part, shift));
}

/* `rounds` <= ROUNDS rounds of STEP squares from `first`, below NARROW. */
static void narrow_squares(uint64_t first, uint64_t rounds, pc_u128 *sum)
{
    vec i[CHAINS], total[CHAINS];
    for (int c = 0; c < CHAINS; c++) {
        i[c] = counting(first + (uint64_t)(c * LANES));
        total[c] = splat(0);
    }
    for (; rounds; rounds--)
        for (int c = 0; c < CHAINS; c++) {
            total[c] += mul32(i[c], i[c]);
            i[c] += STEP;
        }
    empty_lanes(total, 0, sum);
}

/* The same without the bound, i < 2^43: with i = h * 2^24 + l,
 * i^2 = h^2 * 2^48 + hl * 2^25 + l^2, each product below 2^48. */
static void wide_squares(uint64_t first, uint64_t rounds, pc_u128 *sum)
{
    vec i[CHAINS], ll[CHAINS], hl[CHAINS], hh[CHAINS];
    for (int c = 0; c < CHAINS; c++) {
        i[c] = counting(first + (uint64_t)(c * LANES));
        ll[c] = hl[c] = hh[c] = splat(0);
    }
    for (; rounds; rounds--)
        for (int c = 0; c < CHAINS; c++) {
            vec h = i[c] >> 24, l = i[c] & 0xffffffu;
            ll[c] += mul32(l, l);
            hl[c] += mul32(h, l);
            hh[c] += mul32(h, h);
            i[c] += STEP;
        }
    empty_lanes(ll, 0, sum);
    empty_lanes(hl, 25, sum);
    empty_lanes(hh, 48, sum);
}

static void squares_of_range(uint64_t first, uint64_t count, pc_u128 *sum)
{
    while (count >= STEP) {
        uint64_t rounds = count / STEP;
        if (rounds > ROUNDS)
            rounds = ROUNDS;
        if (first + rounds * STEP <= NARROW)
            narrow_squares(first, rounds, sum);
        else
            wide_squares(first, rounds, sum);
        first += rounds * STEP;
        count -= rounds * STEP;
    }
    for (; count; count--, first++)
        u128_add(sum, u128_mul64(first, first));
}

const pc_kernels JOIN(pc_kernels_, LEVEL) = {
    .name = STRING(LEVEL),
    .squares_of_range = squares_of_range,
};
