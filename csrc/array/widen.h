/* Numbers of any type, contiguous and in native byte order, as floats, doubles or 64-bit words. */
#ifndef PYCRUST_WIDEN_H
#define PYCRUST_WIDEN_H

#include "../kernels/kernels.h"

/* n float16 as float32, exact. */
void widen_float16(char *to, const char *from, size_t n);

#define WIDEN_TO_DOUBLES(type)                                                                     \
    for (size_t k = 0; k < n; k++) {                                                               \
        type v;                                                                                    \
        memcpy(&v, from + k * sizeof v, sizeof v);                                                 \
        to[k] = (double)v;                                                                         \
    }                                                                                              \
    break

/* n <= BUFFER numbers as doubles, rounded to nearest. Inline: how fast the loops are depends on
 * what their callers know. */
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

/* n numbers as 64-bit words: integers in two's complement, bools as 0 and 1, floats as the bits of
 * doubles. Of float16, n <= BUFFER. */
void widen_to_words(uint64_t *to, pc_type type, const char *from, size_t n);

/* n labels as int64; uint64 labels that do not fit become the largest int64. */
void widen_labels(int64_t *to, pc_type type, const char *from, size_t n);

#endif
