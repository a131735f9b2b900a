/* The kernels of one SIMD level: one signature each, one table per level.
 * the texts in kernels/ are built once per level; dispatch.c picks the table. */
#ifndef PYCRUST_KERNELS_H
#define PYCRUST_KERNELS_H

#include "accumulator.h"

/* What a block of floats spans: the high 32 bits (float32: all 32) of |x|, the
 * largest, and of |x| - 1 ulp, the smallest; zeros count as the largest there. */
typedef struct {
    uint32_t least, most;
} span;

/* Elements in one call of a kernel, at most. */
enum { FLOAT_BLOCK = 2048, INTEGER_BLOCK = 1 << 16 };

/* A sum of squares that may have lost a little: whole * 2^(k-52) + rest, if nothing
 * came too far. Else `most` says how far: 2^k must be above it. 0 if nothing did. */
typedef struct {
    uint64_t whole;
    double rest, most;
} certified;

/* Elements in one call of a certified kernel, at most: `whole` is below 2^63. */
enum { CERTIFIED_RUN = 1 << 17 };

typedef struct {
    const char *name;

    /* *sum += first^2 + ... + (first + count - 1)^2. The caller keeps every
     * square below 2^86 and the sum below 2^127. */
    void (*squares_of_range)(uint64_t first, uint64_t count, pc_u128 *sum);

    /* sum = x[0]^2 + ... + x[n - 1]^2, unaligned, n <= INTEGER_BLOCK. */
    void (*squares_of_integers[8])(const char *x, size_t n, uint64_t sum[4]);

    /* The same for floats, n <= FLOAT_BLOCK, times 2^-window_of(E). Exact if the
     * span that it finds is one that exact32 or exact64 of blocks.c allows for E;
     * else sum means nothing. NULL where the machine lacks what the kernel needs. */
    void (*squares_of_float32)(const char *x, size_t n, int E, uint64_t sum[4], span *found);
    int depth; /* of float64 below E */
    void (*squares_of_float64)(const char *x, size_t n, int E, uint64_t sum[4], span *found);

    /* The same for each column of a matrix of float64, the rows `stride` bytes
     * apart: rows <= FLOAT_BLOCK, columns <= PC_PANEL and a multiple of 8. */
    void (*squares_of_columns)(const char *x, ptrdiff_t stride, size_t rows, size_t columns,
                               const int *E, uint64_t (*sum)[4], span *found);

    /* Certified sums, n <= CERTIFIED_RUN, of `lanes` apart, -900 <= k <= 1000: as far as
     * 2^k goes. The numbers lie `stride` bytes apart. Returns how many that was, and
     * found->most if it was not all. By type - PC_FLOAT16; the first may be NULL. */
    size_t lanes, certified_from; /* so many numbers: there it is the faster way */
    size_t (*certified[3])(const char *x, ptrdiff_t stride, size_t n, int k, certified *found);

    /* The same for each column of a matrix, as squares_of_columns. */
    void (*certified_columns[3])(const char *x, ptrdiff_t stride, size_t rows, size_t columns,
                                 const int *k, certified *found);
} pc_kernels;

extern const pc_kernels pc_kernels_portable;
extern const pc_kernels pc_kernels_avx2;
extern const pc_kernels pc_kernels_avx512;
extern const pc_kernels pc_kernels_avx512ifma;

/* The table in use; chosen at the first call. */
const pc_kernels *pc_kernels_in_use(void);

/* Fetch what lies `ahead` bytes beyond: no address is wrong to ask for. */
#ifdef __GNUC__
#define prefetch(address, ahead)                                                                   \
    __builtin_prefetch((const void *)((uintptr_t)(address) + (uintptr_t)(ahead)))
#else
#define prefetch(address, ahead) ((void)0)
#endif

/* x86-64 under gcc or clang: the only builds with levels above portable. */
#if defined(__x86_64__) && defined(__GNUC__)
#define PC_X86_LEVELS 1

/* How many levels, from portable up, a processor can run: by ECX of CPUID leaf 1, EBX
 * of leaf 7, and the state that the operating system saves. */
size_t levels_of(uint32_t leaf1, uint32_t leaf7, uint32_t state);
#endif

#endif
