/* x86-64-v4: AVX-512 F, BW, DQ, VL. */
#include "kernels.h"

#ifdef PC_X86_LEVELS
#ifdef PC_EMULATE_AVX512 /* for tests: tests/c/simde */
#elif defined(__clang__)
#pragma clang attribute push(                                                                      \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))),                   \
    apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,prefer-vector-width=512")
#endif
#include "avx512.h"

#define LEVEL avx512

#include "table.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
