/* What vectors.h asks of a level, in 512-bit vectors. */
#ifdef PC_EMULATE_AVX512 /* for tests */
#include <avx512_by_simde.h>
#else
#include <immintrin.h>
#endif

#define VECTOR_BYTES 64
#define mul32(x, y) ((vec)_mm512_mul_epu32((__m512i)(x), (__m512i)(y)))
#define muls32(x, y) ((vec)_mm512_mul_epi32((__m512i)(x), (__m512i)(y)))
#define madd16(x, y) ((vec)_mm512_madd_epi16((__m512i)(x), (__m512i)(y)))
#define fused(x, y, z) ((vecd)_mm512_fmadd_pd((__m512d)(x), (__m512d)(y), (__m512d)(z)))
#define widen(x) ((vecd)_mm512_cvtps_pd((__m256)(x)))
#define widen16(x) ((vecd)_mm512_cvtps_pd(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x)))))
#define smaller(x, y) ((vecw)_mm512_min_epu32((__m512i)(x), (__m512i)(y)))
#define larger(x, y) ((vecw)_mm512_max_epu32((__m512i)(x), (__m512i)(y)))
#define vector_min(x, y) ((vecd)_mm512_min_pd((__m512d)(x), (__m512d)(y)))
#define vector_max(x, y) ((vecd)_mm512_max_pd((__m512d)(x), (__m512d)(y)))
#define reciprocal_sqrt(x) ((vecd)_mm512_rsqrt14_pd((__m512d)(x)))
#define any_bits(x) (_mm512_test_epi64_mask((__m512i)(x), (__m512i)(x)) != 0)

#define load_8_bytes(x) _mm_loadl_epi64((const __m128i *)(x))
#define load_16_bytes(x) _mm_loadu_si128((const __m128i *)(x))
#define doubles_of_int8(x) ((vecd)_mm512_cvtepi32_pd(_mm256_cvtepi8_epi32(load_8_bytes(x))))
#define doubles_of_uint8(x) ((vecd)_mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(load_8_bytes(x))))
#define doubles_of_int16(x) ((vecd)_mm512_cvtepi32_pd(_mm256_cvtepi16_epi32(load_16_bytes(x))))
#define doubles_of_uint16(x) ((vecd)_mm512_cvtepi32_pd(_mm256_cvtepu16_epi32(load_16_bytes(x))))
#define doubles_of_int32(x) ((vecd)_mm512_cvtepi32_pd(_mm256_loadu_si256((const __m256i *)(x))))

/* v[0] to v[7] as rows become columns: pairs of doubles, then of these, then of those. */
#define transpose(v)                                                                               \
    do {                                                                                           \
        __m512d pair[8], four[8];                                                                  \
        UNROLLED                                                                                   \
        for (int k = 0; k < 8; k += 2) {                                                           \
            pair[k] = _mm512_unpacklo_pd((__m512d)(v)[k], (__m512d)(v)[k + 1]);                    \
            pair[k + 1] = _mm512_unpackhi_pd((__m512d)(v)[k], (__m512d)(v)[k + 1]);                \
        }                                                                                          \
        UNROLLED                                                                                   \
        for (int k = 0; k < 8; k += 4)                                                             \
            UNROLLED for (int odd = 0; odd < 2; odd++)                                             \
            {                                                                                      \
                four[k + odd] = _mm512_shuffle_f64x2(pair[k + odd], pair[k + odd + 2], 0x88);      \
                four[k + odd + 2] = _mm512_shuffle_f64x2(pair[k + odd], pair[k + odd + 2], 0xdd);  \
            }                                                                                      \
        UNROLLED                                                                                   \
        for (int k = 0; k < 4; k++) {                                                              \
            (v)[k] = (vecd)_mm512_shuffle_f64x2(four[k], four[k + 4], 0x88);                       \
            (v)[k + 4] = (vecd)_mm512_shuffle_f64x2(four[k], four[k + 4], 0xdd);                   \
        }                                                                                          \
    } while (0)

/* Half the time of what compilers make of comparisons as vectors. */
static inline __m512d without_nan_of(__m512d x, __m512i *missing)
{
    const __mmask8 is_nan = _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q);
    *missing = _mm512_mask_sub_epi64(*missing, is_nan, *missing, _mm512_set1_epi64(-1));
    return _mm512_mask_mov_pd(x, is_nan, _mm512_set1_pd(0.0));
}

#define without_nan(x, missing) ((vecd)without_nan_of((__m512d)(x), (__m512i *)(missing)))

static inline __m512d prefix_sums_of(__m512d v)
{
    typedef uint64_t words __attribute__((vector_size(64)));
    const __m512d zero = (__m512d)(words){0};
    const words pairs = {0, 0, UINT64_MAX, UINT64_MAX, 0, 0, UINT64_MAX, UINT64_MAX};
    typedef double doubles __attribute__((vector_size(64)));
    doubles sums = (doubles)v + (doubles)_mm512_unpacklo_pd(zero, v);
    __m512d odd = _mm512_unpackhi_pd((__m512d)sums, (__m512d)sums);
    sums += (doubles)((words)_mm512_shuffle_f64x2(odd, odd, 0xa0) & pairs);
    odd = _mm512_unpackhi_pd((__m512d)sums, (__m512d)sums);
    return (__m512d)(sums + (doubles)_mm512_shuffle_f64x2(zero, odd, 0x50));
}

static inline __m512i prefix_words_of(__m512i v)
{
    typedef uint64_t words __attribute__((vector_size(64)));
    const __m512d zero = (__m512d)(words){0};
    const words pairs = {0, 0, UINT64_MAX, UINT64_MAX, 0, 0, UINT64_MAX, UINT64_MAX};
    words sums = (words)v + (words)_mm512_unpacklo_pd(zero, (__m512d)v);
    __m512d odd = _mm512_unpackhi_pd((__m512d)sums, (__m512d)sums);
    sums += (words)_mm512_shuffle_f64x2(odd, odd, 0xa0) & pairs;
    odd = _mm512_unpackhi_pd((__m512d)sums, (__m512d)sums);
    return (__m512i)(sums + (words)_mm512_shuffle_f64x2(zero, odd, 0x50));
}

static inline __m512d last_lane_of(__m512d v)
{
    const __m512d odd = _mm512_unpackhi_pd(v, v);
    return _mm512_shuffle_f64x2(odd, odd, 0xff);
}

#define prefix_sums(v) ((vecd)prefix_sums_of((__m512d)(v)))
#define prefix_words(v) ((vec)prefix_words_of((__m512i)(v)))
#define last_lane(v) ((vecd)last_lane_of((__m512d)(v)))
