/* The kernels of one SIMD level: one signature each, one table per level.
 * kernels_text.h is built once per level; dispatch.c picks the table. */
#ifndef PYCRUST_KERNELS_H
#define PYCRUST_KERNELS_H

#include "u128.h"

typedef struct {
    const char *name;

    /* *sum += first^2 + ... + (first + count - 1)^2. The caller keeps every
     * square below 2^86 and the sum below 2^127. */
    void (*squares_of_range)(uint64_t first, uint64_t count, pc_u128 *sum);
} pc_kernels;

extern const pc_kernels pc_kernels_portable;
extern const pc_kernels pc_kernels_avx2;
extern const pc_kernels pc_kernels_avx512;

/* The table in use; chosen at the first call. */
const pc_kernels *pc_kernels_in_use(void);

/* x86-64 under gcc or clang: the only builds with levels above portable. */
#if defined(__x86_64__) && defined(__GNUC__)
#define PC_X86_LEVELS 1
#endif

#endif
