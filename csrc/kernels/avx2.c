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
#define madd16(x, y) ((vec)_mm256_madd_epi16((__m256i)(x), (__m256i)(y)))
#define fused(x, y, z) ((vecd)_mm256_fmadd_pd((__m256d)(x), (__m256d)(y), (__m256d)(z)))
#define widen(x) ((vecd)_mm256_cvtps_pd((__m128)(x)))
#define widen16(x) ((vecd)_mm256_cvtps_pd(_mm_cvtph_ps(_mm_loadl_epi64((const __m128i *)(x)))))
#define smaller(x, y) ((vecw)_mm256_min_epu32((__m256i)(x), (__m256i)(y)))
#define larger(x, y) ((vecw)_mm256_max_epu32((__m256i)(x), (__m256i)(y)))

#include "table.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
