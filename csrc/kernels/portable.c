/* The level that every machine can run. */
#include "kernels.h"

#define LEVEL portable

#if defined(PC_NO_VECTORS) /* for tests: as compilers without vector types build it */
#define VECTOR_BYTES 8
#define mul32(x, y) (((x) & 0xffffffffu) * ((y) & 0xffffffffu))
#elif defined(__SSE2__)
#include <emmintrin.h>
#define VECTOR_BYTES 16
#define mul32(x, y) ((vec)_mm_mul_epu32((__m128i)(x), (__m128i)(y)))
#define madd16(x, y) ((vec)_mm_madd_epi16((__m128i)(x), (__m128i)(y)))
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

/* a < b is a mask of ones and zeros, lane by lane */
#define choose(mask, x, y) (((mask) & (x)) | (~(mask) & (y)))
#define widen(x) __builtin_convertvector(x, vecd)
#define smaller(x, y) choose((vecw)((x) < (y)), x, y)
#define larger(x, y) choose((vecw)((x) > (y)), x, y)
#if defined(__aarch64__) && defined(__GNUC__)
#define fused(x, y, z) ((vecd)vfmaq_f64((float64x2_t)(z), (float64x2_t)(x), (float64x2_t)(y)))
#define vector_sqrt(x) ((vecd)vsqrtq_f64((float64x2_t)(x)))
#elif defined(__FP_FAST_FMA) && VECTOR_BYTES == 16 /* an instruction, for one double at least */
#define fused(x, y, z)                                                                             \
    ((vecd){__builtin_fma((x)[0], (y)[0], (z)[0]), __builtin_fma((x)[1], (y)[1], (z)[1])})
#define vector_sqrt(x) ((vecd){__builtin_sqrt((x)[0]), __builtin_sqrt((x)[1])})
#endif
#define vector_min(x, y) ((vecd)choose((vec)((x) < (y)), (vec)(x), (vec)(y)))
#define vector_max(x, y) ((vecd)choose((vec)((x) > (y)), (vec)(x), (vec)(y)))
#define transpose(v)                                                                               \
    do {                                                                                           \
        const double moved = (v)[0][1];                                                            \
        (v)[0][1] = (v)[1][0];                                                                     \
        (v)[1][0] = moved;                                                                         \
    } while (0)

#define prefix_sums(v) ((v) + (vecd){0.0, (v)[0]})
#define prefix_words(v) ((v) + (vec){0, (v)[0]})
#define last_lane(v) ((vecd){(v)[1], (v)[1]})

#include "table.h"
