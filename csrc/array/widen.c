/* Numbers of any type as floats, doubles or 64-bit words. */
#include "widen.h"

#include <string.h>

void widen_float16(char *to, const char *from, size_t n)
{
    const float scale = 5.192296858534828e33f; /* 2^112: the biases differ by 112 */
    for (size_t k = 0; k < n; k++) {
        uint16_t half;
        memcpy(&half, from + k * sizeof half, sizeof half);
        uint32_t magnitude = half & 0x7fffu, bits = magnitude << 13;
        float v;
        memcpy(&v, &bits, sizeof v);
        v *= scale;
        memcpy(&bits, &v, sizeof bits);
        if (magnitude >= 0x7c00u) /* Inf, NaN */
            bits |= 0x7f800000u;
        bits |= (half & 0x8000u) << 16;
        memcpy(to + k * sizeof bits, &bits, sizeof bits);
    }
}

#define WIDEN(number, expression)                                                                  \
    for (size_t k = 0; k < n; k++) {                                                               \
        number v;                                                                                  \
        memcpy(&v, from + k * sizeof v, sizeof v);                                                 \
        to[k] = (uint64_t)(expression);                                                            \
    }                                                                                              \
    break

void widen_to_words(uint64_t *to, pc_type type, const char *from, size_t n)
{
    char wide[BUFFER * sizeof(float)];
    switch (type) {
    case PC_INT8: WIDEN(int8_t, v);
    case PC_UINT8: WIDEN(uint8_t, v);
    case PC_INT16: WIDEN(int16_t, v);
    case PC_UINT16: WIDEN(uint16_t, v);
    case PC_INT32: WIDEN(int32_t, v);
    case PC_UINT32: WIDEN(uint32_t, v);
    case PC_BOOL: WIDEN(uint8_t, v != 0); /* any byte but 0 is true */
    case PC_FLOAT16:
        widen_float16(wide, from, n);
        from = wide;
        WIDEN(float, bits_of(v));
    case PC_FLOAT32: WIDEN(float, bits_of(v));
    default: memcpy(to, from, n * sizeof *to);
    }
}

void widen_labels(int64_t *to, pc_type type, const char *from, size_t n)
{
    uint64_t *words = (uint64_t *)to;
    widen_to_words(words, type, from, n);
    for (size_t k = 0; type == PC_UINT64 && k < n; k++)
        words[k] = words[k] > INT64_MAX ? INT64_MAX : words[k];
}
