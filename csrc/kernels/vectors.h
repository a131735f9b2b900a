/* The vector types and operations of one level, in which all kernels are written.
 * Each LEVEL.c defines
 *
 *   LEVEL         portable, avx2, avx512, avx512ifma
 *   VECTOR_BYTES  16, 32, 64, or 8 where the compiler has no vector types
 *   mul32(x, y)   per 64-bit lane: the product of the low 32 bits
 *   muls32(x, y)  the same of signed numbers, or not defined
 *   madd16(x, y)  per 32-bit lane: the sum of the two products of signed 16 bits,
 *                 or not defined
 *   fused(x, y, z)              x * y + z rounded once, or not defined
 *   madd52lo(s, x, y), madd52hi  s + the low or high half of the product of the low
 *                               52 bits of x and y, per 64-bit lane, or not defined
 *   widen(x)                    half a vector of float to double
 *   widen16(x)                  LANES float16 at x to double, or not defined
 *   smaller(x, y), larger(x, y) per unsigned 32-bit lane
 *   vector_min(x, y), vector_max(x, y)  per lane of doubles, where `fused` is defined; of NaN
 *                 and y they give y
 *   vector_sqrt(x)  likewise; or, where division and roots take longer than a dozen operations,
 *                 reciprocal_sqrt(x), which is 1 / sqrt(x) within 2^-14 of that
 *   transpose(v)  LANES vectors of doubles, likewise
 *   any_bits(v)   whether any is not 0; or not defined
 *   without_nan(x, missing)  as in bounded.h, or not defined
 *   prefix_sums(v), prefix_words(v), last_lane(v)  the sum of each lane and those before it, of
 *                 doubles and of 64-bit integers; the last, in all lanes
 *   doubles_of_int8(x) and of uint8, int16, uint16, int32: LANES of them, at x; or not defined
 *
 * and includes table.h once. Vectors are the compiler's own vector types: + & >>
 * work on them as on numbers, and no optimiser sees through them to a closed
 * form (clang folds a scalar loop over i*i to n(n+1)(2n+1)/6). */

#include "kernels.h"

#define LANES (VECTOR_BYTES / 8)
#if VECTOR_BYTES > 8
typedef uint64_t vec __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t vecw __attribute__((vector_size(VECTOR_BYTES)));
#define LANE(v, k) ((v)[k])
#else
typedef uint64_t vec;
#define LANE(v, k) (v)
#endif

/* Each operation on doubles rounds to double. (16: with AVX512-FP16, each on _Float16 to that.) */
#if VECTOR_BYTES > 8 && (__FLT_EVAL_METHOD__ == 0 || __FLT_EVAL_METHOD__ == 16)
#define FLOATS 1
#endif

/* How far ahead of the loads to fetch: hardware stops at the end of a page. */
enum { AHEAD = 8192 };

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

static inline vec splat(uint64_t x)
{
    return (vec){0} + x;
}

static inline uint64_t sum_of_lanes(vec v)
{
    uint64_t sum = 0;
    for (int k = 0; k < LANES; k++)
        sum += LANE(v, k);
    return sum;
}

#ifndef any_bits
static inline int any_bits(vec v)
{
    uint64_t bits = 0;
    for (int k = 0; k < LANES; k++)
        bits |= LANE(v, k);
    return bits != 0;
}
#endif

#if VECTOR_BYTES > 8
/* Of the even lanes (0) or of the odd ones (1). */
static inline uint64_t sum_of_every_other(vec v, int first)
{
    uint64_t sum = 0;
    for (int k = first; k < LANES; k += 2)
        sum += v[k];
    return sum;
}
#endif

#if defined(PC_EMULATE_MADD52) && !defined(madd52lo) /* for tests: on machines that lack it */
static inline vec madd52(vec s, vec x, vec y, int high)
{
    for (int k = 0; k < LANES; k++) {
        const uint64_t ones = (UINT64_C(1) << 52) - 1;
        const pc_u128 product = u128_mul64(LANE(x, k) & ones, LANE(y, k) & ones);
        LANE(s, k) += high ? product.hi << 12 | product.lo >> 52 : product.lo & ones;
    }
    return s;
}

#define madd52lo(s, x, y) madd52(s, (vec)(x), (vec)(y), 0)
#define madd52hi(s, x, y) madd52(s, (vec)(x), (vec)(y), 1)
#endif

/* ---- doubles ------------------------------------------------------------- */

#ifdef FLOATS
typedef double vecd __attribute__((vector_size(VECTOR_BYTES)));

static inline vecd splatd(double x)
{
    return (vecd){0} + x;
}
#endif
