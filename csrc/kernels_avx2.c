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

#include "kernels_text.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
