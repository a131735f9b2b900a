/* The level that every machine can run. */
#include "kernels.h"

#define LEVEL portable

#if defined(__SSE2__)
#include <emmintrin.h>
#define VECTOR_BYTES 16
#define mul32(x, y) ((vec)_mm_mul_epu32((__m128i)(x), (__m128i)(y)))
#elif defined(__ARM_NEON) && defined(__GNUC__)
#include <arm_neon.h>
#define VECTOR_BYTES 16
#define mul32(x, y) ((vec)vmull_u32(vmovn_u64((uint64x2_t)(x)), vmovn_u64((uint64x2_t)(y))))
#else
#if defined(__GNUC__)
#define VECTOR_BYTES 16
#else
#define VECTOR_BYTES 8
#endif
#define mul32(x, y) (((x) & 0xffffffffu) * ((y) & 0xffffffffu))
#endif

#include "kernels_text.h"
