/* x86-64-v4 and the 52-bit integer multiply-add: AVX-512 F, BW, DQ, VL, IFMA. Exact squares alone:
 * all else is that of avx512.c. */
#include "kernels.h"

#ifdef PC_X86_LEVELS
#ifdef PC_EMULATE_AVX512 /* for tests: vectors.h has the multiply-add by hand */
#elif defined(__clang__)
#pragma clang attribute push(                                                                      \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512ifma,avx2,fma,f16c"))),        \
    apply_to = function)
#else
#pragma GCC target(                                                                                \
    "avx512f,avx512bw,avx512dq,avx512vl,avx512ifma,avx2,fma,f16c,prefer-vector-width=512")
#endif
#include "avx512.h"

#define LEVEL avx512ifma
#ifndef PC_EMULATE_MADD52
#define madd52lo(s, x, y) ((vec)_mm512_madd52lo_epu64((__m512i)(s), (__m512i)(x), (__m512i)(y)))
#define madd52hi(s, x, y) ((vec)_mm512_madd52hi_epu64((__m512i)(s), (__m512i)(x), (__m512i)(y)))
#endif

#include "squares.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
