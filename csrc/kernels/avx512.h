/* What vectors.h asks of a level, in 512-bit vectors. */
#include <immintrin.h>

#define VECTOR_BYTES 64
#define mul32(x, y) ((vec)_mm512_mul_epu32((__m512i)(x), (__m512i)(y)))
#define madd16(x, y) ((vec)_mm512_madd_epi16((__m512i)(x), (__m512i)(y)))
#define fused(x, y, z) ((vecd)_mm512_fmadd_pd((__m512d)(x), (__m512d)(y), (__m512d)(z)))
#define widen(x) ((vecd)_mm512_cvtps_pd((__m256)(x)))
#define widen16(x) ((vecd)_mm512_cvtps_pd(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x)))))
#define smaller(x, y) ((vecw)_mm512_min_epu32((__m512i)(x), (__m512i)(y)))
#define larger(x, y) ((vecw)_mm512_max_epu32((__m512i)(x), (__m512i)(y)))
#define vector_min(x, y) ((vecd)_mm512_min_pd((__m512d)(x), (__m512d)(y)))
#define vector_max(x, y) ((vecd)_mm512_max_pd((__m512d)(x), (__m512d)(y)))
#define vector_sqrt(x) ((vecd)_mm512_sqrt_pd((__m512d)(x)))
