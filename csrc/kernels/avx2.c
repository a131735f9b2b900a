/* x86-64-v3: AVX2, FMA, F16C. */
#include "kernels.h"

#ifdef PC_X86_LEVELS
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c")
#endif
#include <immintrin.h>

#define LEVEL avx2
#define VECTOR_BYTES 32
#define mul32(x, y) ((vec)_mm256_mul_epu32((__m256i)(x), (__m256i)(y)))
#define muls32(x, y) ((vec)_mm256_mul_epi32((__m256i)(x), (__m256i)(y)))
#define madd16(x, y) ((vec)_mm256_madd_epi16((__m256i)(x), (__m256i)(y)))
#define fused(x, y, z) ((vecd)_mm256_fmadd_pd((__m256d)(x), (__m256d)(y), (__m256d)(z)))
#define widen(x) ((vecd)_mm256_cvtps_pd((__m128)(x)))
#define widen16(x) ((vecd)_mm256_cvtps_pd(_mm_cvtph_ps(_mm_loadl_epi64((const __m128i *)(x)))))
#define smaller(x, y) ((vecw)_mm256_min_epu32((__m256i)(x), (__m256i)(y)))
#define larger(x, y) ((vecw)_mm256_max_epu32((__m256i)(x), (__m256i)(y)))
#define vector_min(x, y) ((vecd)_mm256_min_pd((__m256d)(x), (__m256d)(y)))
#define vector_max(x, y) ((vecd)_mm256_max_pd((__m256d)(x), (__m256d)(y)))
#define vector_sqrt(x) ((vecd)_mm256_sqrt_pd((__m256d)(x)))

static inline __m128i load_4_bytes(const char *x)
{
    int bytes;
    __builtin_memcpy(&bytes, x, sizeof bytes);
    return _mm_cvtsi32_si128(bytes);
}

#define load_8_bytes(x) _mm_loadl_epi64((const __m128i *)(x))
#define doubles_of_int8(x) ((vecd)_mm256_cvtepi32_pd(_mm_cvtepi8_epi32(load_4_bytes(x))))
#define doubles_of_uint8(x) ((vecd)_mm256_cvtepi32_pd(_mm_cvtepu8_epi32(load_4_bytes(x))))
#define doubles_of_int16(x) ((vecd)_mm256_cvtepi32_pd(_mm_cvtepi16_epi32(load_8_bytes(x))))
#define doubles_of_uint16(x) ((vecd)_mm256_cvtepi32_pd(_mm_cvtepu16_epi32(load_8_bytes(x))))
#define doubles_of_int32(x) ((vecd)_mm256_cvtepi32_pd(_mm_loadu_si128((const __m128i *)(x))))

#define any_bits(x) (!_mm256_testz_si256((__m256i)(x), (__m256i)(x)))

/* Four vectors `pitch` numbers apart, transposed. */
#define load_transposed(v, from, pitch)                                                            \
    do {                                                                                           \
        const double *row = (from);                                                                \
        const __m256d a = load_halves(row, row + 2 * (pitch)),                                     \
                      b = load_halves(row + (pitch), row + 3 * (pitch)),                           \
                      c = load_halves(row + 2, row + 2 * (pitch) + 2),                             \
                      d = load_halves(row + (pitch) + 2, row + 3 * (pitch) + 2);                   \
        (v)[0] = (vecd)_mm256_unpacklo_pd(a, b);                                                   \
        (v)[1] = (vecd)_mm256_unpackhi_pd(a, b);                                                   \
        (v)[2] = (vecd)_mm256_unpacklo_pd(c, d);                                                   \
        (v)[3] = (vecd)_mm256_unpackhi_pd(c, d);                                                   \
    } while (0)

static inline __m256d load_halves(const double *low, const double *high)
{
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(low)), _mm_loadu_pd(high), 1);
}

/* v[0] to v[3] as rows become columns. */
#define transpose(v)                                                                               \
    do {                                                                                           \
        const __m256d a = _mm256_unpacklo_pd((__m256d)(v)[0], (__m256d)(v)[1]),                    \
                      b = _mm256_unpackhi_pd((__m256d)(v)[0], (__m256d)(v)[1]),                    \
                      c = _mm256_unpacklo_pd((__m256d)(v)[2], (__m256d)(v)[3]),                    \
                      d = _mm256_unpackhi_pd((__m256d)(v)[2], (__m256d)(v)[3]);                    \
        (v)[0] = (vecd)_mm256_permute2f128_pd(a, c, 0x20);                                         \
        (v)[1] = (vecd)_mm256_permute2f128_pd(b, d, 0x20);                                         \
        (v)[2] = (vecd)_mm256_permute2f128_pd(a, c, 0x31);                                         \
        (v)[3] = (vecd)_mm256_permute2f128_pd(b, d, 0x31);                                         \
    } while (0)

#define choose_by_sign(bits, x, y)                                                                 \
    ((vecd)_mm256_blendv_pd((__m256d)(y), (__m256d)(x), (__m256d)(bits)))

static inline __m256d prefix_sums_of(__m256d v)
{
    v = _mm256_add_pd(v, _mm256_unpacklo_pd(_mm256_setzero_pd(), v));
    const __m256d odd = _mm256_unpackhi_pd(v, v);
    return _mm256_add_pd(v, _mm256_permute2f128_pd(odd, odd, 0x08));
}

static inline __m256i prefix_words_of(__m256i v)
{
    v = _mm256_add_epi64(v, _mm256_slli_si256(v, 8));
    const __m256i odd = _mm256_unpackhi_epi64(v, v);
    return _mm256_add_epi64(v, _mm256_permute2x128_si256(odd, odd, 0x08));
}

static inline __m256d last_lane_of(__m256d v)
{
    const __m256d odd = _mm256_unpackhi_pd(v, v);
    return _mm256_permute2f128_pd(odd, odd, 0x11);
}

#define prefix_sums(v) ((vecd)prefix_sums_of((__m256d)(v)))
#define prefix_words(v) ((vec)prefix_words_of((__m256i)(v)))
#define last_lane(v) ((vecd)last_lane_of((__m256d)(v)))

#include "table.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
