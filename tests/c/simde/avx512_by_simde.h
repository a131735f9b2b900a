/* AVX-512 on machines that lack it: its intrinsics by SIMDe (Debian: libsimde-dev), and those that
 * SIMDe 0.7 lacks. For builds with -DPC_EMULATE_AVX512. */
#include <immintrin.h>

#include <simde/x86/avx512/add.h>
#include <simde/x86/avx512/cmp.h>
#include <simde/x86/avx512/cvt.h>
#include <simde/x86/avx512/fmadd.h>
#include <simde/x86/avx512/madd.h>
#include <simde/x86/avx512/max.h>
#include <simde/x86/avx512/min.h>
#include <simde/x86/avx512/mov.h>
#include <simde/x86/avx512/mul.h>
#include <simde/x86/avx512/set1.h>
#include <simde/x86/avx512/shuffle.h>
#include <simde/x86/avx512/sqrt.h>
#include <simde/x86/avx512/sub.h>
#include <simde/x86/avx512/test.h>
#include <simde/x86/avx512/unpackhi.h>
#include <simde/x86/avx512/unpacklo.h>

#define __m512i simde__m512i
#define __m512d simde__m512d

#define _mm512_mul_epi32 simde_mm512_mul_epi32
#define _mm512_mul_epu32 simde_mm512_mul_epu32
#define _mm512_madd_epi16 simde_mm512_madd_epi16
#define _mm512_fmadd_pd simde_mm512_fmadd_pd
#define _mm512_min_epu32 simde_mm512_min_epu32
#define _mm512_max_epu32 simde_mm512_max_epu32
#define _mm512_min_pd simde_mm512_min_pd
#define _mm512_max_pd simde_mm512_max_pd
#define _mm512_test_epi64_mask simde_mm512_test_epi64_mask
#undef _mm512_cmp_pd_mask
#define _mm512_cmp_pd_mask simde_mm512_cmp_pd_mask
#define _mm512_mask_sub_epi64 simde_mm512_mask_sub_epi64
#define _mm512_mask_mov_pd simde_mm512_mask_mov_pd
#define _mm512_set1_epi64 simde_mm512_set1_epi64
#define _mm512_set1_pd simde_mm512_set1_pd
#define _mm512_unpacklo_pd simde_mm512_unpacklo_pd
#define _mm512_unpackhi_pd simde_mm512_unpackhi_pd
#undef _mm512_shuffle_f64x2
#define _mm512_shuffle_f64x2 simde_mm512_shuffle_f64x2

typedef double emulated_doubles __attribute__((vector_size(64)));
typedef int emulated_ints __attribute__((vector_size(32)));
typedef float emulated_floats __attribute__((vector_size(32)));
typedef unsigned char emulated_bytes __attribute__((vector_size(8)));
typedef unsigned long long emulated_words __attribute__((vector_size(64)));

#define _mm512_cvtepi32_pd(x)                                                                      \
    ((simde__m512d) __builtin_convertvector((emulated_ints)(x), emulated_doubles))
#define _mm512_cvtps_pd(x)                                                                         \
    ((simde__m512d) __builtin_convertvector((emulated_floats)(x), emulated_doubles))
#define _mm512_cvtepu8_epi64(x)                                                                    \
    ((simde__m512i) __builtin_convertvector((emulated_bytes)(x)[0], emulated_words))

/* As inexact as may be: each other lane 2^-14 too large, and too small. */
static inline simde__m512d emulated_rsqrt14(simde__m512d x)
{
    const emulated_doubles error = {0x1p-14, -0x1p-14, 0x1p-14, -0x1p-14,
                                    0x1p-14, -0x1p-14, 0x1p-14, -0x1p-14};
    return (simde__m512d)(1.0 / (emulated_doubles)simde_mm512_sqrt_pd(x) * (1.0 + error));
}

#define _mm512_rsqrt14_pd emulated_rsqrt14
