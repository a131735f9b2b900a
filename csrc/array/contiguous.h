/* Contiguous numbers, and adjacent columns, through the kernels into accumulators. */
#ifndef PYCRUST_CONTIGUOUS_H
#define PYCRUST_CONTIGUOUS_H

#include "../kernels/kernels.h"

/* Add `count` contiguous reals in native byte order (the components of complex numbers if
 * components is 2), without counting them. The caller has called fpenv_enter. */
void add_reals(pc_accumulator *acc, pc_type type, int components, const char *x, size_t count);

/* float16 to float32, exact: n contiguous ones. */
void widen_float16(char *to, const char *from, size_t n);

/* Numbers of any type to doubles, rounded to nearest: n <= BUFFER contiguous ones in native byte
 * order. Inline: how fast the loops are depends on what their callers know. */
#define WIDEN_TO_DOUBLES(type)                                                                     \
    for (size_t k = 0; k < n; k++) {                                                               \
        type v;                                                                                    \
        memcpy(&v, from + k * sizeof v, sizeof v);                                                 \
        to[k] = (double)v;                                                                         \
    }                                                                                              \
    break

static inline void widen_to_doubles(double *to, pc_type type, const char *from, size_t n)
{
    char wide[BUFFER * sizeof(float)];
    switch (type) {
    case PC_INT8: WIDEN_TO_DOUBLES(int8_t);
    case PC_UINT8: WIDEN_TO_DOUBLES(uint8_t);
    case PC_INT16: WIDEN_TO_DOUBLES(int16_t);
    case PC_UINT16: WIDEN_TO_DOUBLES(uint16_t);
    case PC_INT32: WIDEN_TO_DOUBLES(int32_t);
    case PC_UINT32: WIDEN_TO_DOUBLES(uint32_t);
    case PC_INT64: WIDEN_TO_DOUBLES(int64_t);
    case PC_UINT64: WIDEN_TO_DOUBLES(uint64_t);
    case PC_BOOL: /* any byte but 0 is true */
        for (size_t k = 0; k < n; k++)
            to[k] = from[k] != 0;
        break;
    case PC_FLOAT16:
        widen_float16(wide, from, n);
        from = wide;
        WIDEN_TO_DOUBLES(float);
    case PC_FLOAT32: WIDEN_TO_DOUBLES(float);
    default: memcpy(to, from, n * sizeof *to);
    }
}

/* Add and count adjacent columns of floats, n rows `stride` bytes apart; NaN are left out if
 * skip_nan. Returns how many of the columns were added: the caller adds the others, which may be
 * all. */
size_t add_columns(pc_tile_sum *sums, pc_type type, const char *x, ptrdiff_t stride, size_t n,
                   size_t columns, int skip_nan);

#endif
