/* Copies, in contiguous blocks, of elements that no kernel takes in place: strides, byte order,
 * masks. */
#include "gather.h"

#define COPY(size)                                                                                 \
    if (columns == 1)                                                                              \
        for (size_t r = 0; r < rows; r++, from += row_stride) {                                    \
            prefetch(from, ahead);                                                                 \
            memcpy(to + r * size, from, size);                                                     \
        }                                                                                          \
    else                                                                                           \
        for (size_t r = 0; r < rows; r++, from += row_stride) {                                    \
            prefetch(from, 16 * row_stride);                                                       \
            prefetch(from, 16 * row_stride + (ptrdiff_t)columns * column_stride - 1);              \
            for (size_t c = 0; c < columns; c++)                                                   \
                memcpy(to + c * pitch + r * size, from + (ptrdiff_t)c * column_stride, size);      \
        }

void gather_columns(char *to, size_t pitch, const char *from, size_t size, size_t rows,
                    ptrdiff_t row_stride, size_t columns, ptrdiff_t column_stride)
{
    /* Prefetch some kilobytes or some rows ahead, whichever is farther. */
    const ptrdiff_t ahead = row_stride * (stride_size(row_stride) <= 64 ? 512 : 32);
    switch (size) {
    case 1: COPY(1) break;
    case 2: COPY(2) break;
    case 4: COPY(4) break;
    case 8: COPY(8) break;
    default: COPY(16) break;
    }
}

#define SWAP(size)                                                                                 \
    for (size_t k = 0; k < n; k++, x += size) {                                                    \
        char reversed[size];                                                                       \
        for (size_t b = 0; b < size; b++)                                                          \
            reversed[b] = x[size - 1 - b];                                                         \
        memcpy(x, reversed, size);                                                                 \
    }

void swap_bytes(char *x, size_t size, size_t n)
{
    switch (size) {
    case 1: break;
    case 2: SWAP(2) break;
    case 4: SWAP(4) break;
    default: SWAP(8)
    }
}

/* Put 0 in the place of what the mask leaves out, and, if skip_nan, of elements with a component
 * that is NaN: whose bits, but for the sign, are above those of Inf. Returns how many are left. */
#define KEEP_OF(word, infinity)                                                                    \
    static inline size_t keep_##word(char *x, size_t components, size_t n, const char *mask,       \
                                     ptrdiff_t mask_stride, int skip_nan)                          \
    {                                                                                              \
        const word inf2 = (word)((word)(infinity) << 1);                                           \
        size_t left = 0;                                                                           \
        for (size_t k = 0; k < n; k++, x += components * sizeof(word)) {                           \
            word component[2] = {0, 0};                                                            \
            int keep = !mask || mask[(ptrdiff_t)k * mask_stride];                                  \
            memcpy(component, x, components * sizeof(word));                                       \
            const int nan =                                                                        \
                ((word)(component[0] << 1) > inf2) | ((word)(component[1] << 1) > inf2);           \
            keep &= !(skip_nan & nan);                                                             \
            component[0] &= (word)(0 - (word)keep);                                                \
            component[1] &= (word)(0 - (word)keep);                                                \
            memcpy(x, component, components * sizeof(word));                                       \
            left += (size_t)keep;                                                                  \
        }                                                                                          \
        return left;                                                                               \
    }
KEEP_OF(uint8_t, 0)
KEEP_OF(uint16_t, 0x7c00)
KEEP_OF(uint32_t, 0x7f800000)
KEEP_OF(uint64_t, UINT64_C(0x7ff) << 52)

size_t leave_out_of(pc_type type, int components, int skip_nan, char *x, size_t n, const char *mask,
                    ptrdiff_t mask_stride)
{
    const int two = components == 2;
    switch (size_of_type[type]) {
    case 1: return keep_uint8_t(x, 1, n, mask, mask_stride, 0);
    case 2: return keep_uint16_t(x, 1, n, mask, mask_stride, skip_nan);
    case 4:
        return two ? keep_uint32_t(x, 2, n, mask, mask_stride, skip_nan)
                   : keep_uint32_t(x, 1, n, mask, mask_stride, skip_nan);
    default:
        return two        ? keep_uint64_t(x, 2, n, mask, mask_stride, skip_nan)
               : skip_nan ? keep_uint64_t(x, 1, n, mask, mask_stride, 1)
                          : keep_uint64_t(x, 1, n, mask, mask_stride, 0);
    }
}

size_t leave_out(const pc_array *a, char *x, size_t n, const char *mask, ptrdiff_t mask_stride)
{
    return leave_out_of(a->type, a->components, skips_nan(a), x, n, mask, mask_stride);
}
