/* Sums of squares of arrays: blocks into accumulators, strides into blocks. */
#include "fpenv.h"
#include "kernels.h"

#include <string.h>

/* ---- blocks of native, contiguous numbers -------------------------------- */

/* Below it adding element by element costs less than a kernel call. */
enum { FEW = 20 };

/* The kernels round doubles within these exponents without over- or underflow. */
enum { E_LEAST = -400, E_MOST = 400 };

/* Whether squares_of_float64(E) was exact for what it found. */
static int exact64(span found, int E, int depth)
{
    return E >= E_LEAST && E <= E_MOST && found.most < (uint32_t)(E + 1 + 1023) << 20 &&
           found.least >= (uint32_t)(E - depth + 1023) << 20;
}

/* The same for squares_of_float32. Numbers that are all multiples of 2^finest
 * are never too fine for an E whose last bits their squares reach. */
static int exact32(span found, int E, int finest)
{
    return found.most < (uint32_t)(E + 1 + 127) << 23 &&
           (finest >= E - 50 || found.least >= (uint32_t)(E - 27 + 127) << 23);
}

/* The E that the open window is for, as a first guess for the next block. */
static int scale_of(const pc_accumulator *acc)
{
    return acc->flags & PC_WINDOW_USED ? (acc->exponent - window_of(0)) / 2 : 0;
}

static void add_one_by_one(pc_accumulator *acc, const char *x, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        double v;
        memcpy(&v, x + k * sizeof v, sizeof v);
        accumulator_add_square(acc, v);
    }
}

/* Whether most numbers of a block are too small to go with the largest, judged
 * by a few: a matter of speed alone. */
static int is_wild(const char *x, size_t n, span found, int depth)
{
    size_t step = n / 16 + 1, small = 0, looked = 0;
    for (size_t k = 0; k < n; k += step, looked++) {
        uint64_t bits;
        memcpy(&bits, x + k * sizeof bits, sizeof bits);
        small += (uint32_t)(bits >> 52 & 0x7ff) + (uint32_t)depth < found.most >> 20;
    }
    return 2 * small > looked;
}

/* A block that no E fits: what fits together with the largest goes through the
 * kernel, scaled into its range; the rest (NaN and Inf too) one by one. */
static void add_spread(pc_accumulator *acc, const char *x, size_t n, const pc_kernels *kernels)
{
    double inside[FLOAT_BLOCK], scale;
    uint64_t top = 0, bits, sum[4];
    span found;
    for (size_t k = 0; k < n; k++) {
        memcpy(&bits, x + k * sizeof bits, sizeof bits);
        bits &= UINT64_MAX >> 1;
        top = bits > top && bits >> 52 != 0x7ff ? bits : top;
    }
    int E = (int)(top >> 52) - 1023;
    if (E < -960) /* so that E - depth is not subnormal */
        E = -960;
    int shift = E > E_MOST ? -700 : E < E_LEAST ? 700 : 0;
    const uint64_t least = (uint64_t)(E - kernels->depth + 1023) << 52;
    bits = (uint64_t)(1023 + shift) << 52;
    memcpy(&scale, &bits, sizeof scale);
    for (size_t k = 0; k < n; k++) {
        memcpy(&inside[k], x + k * sizeof *inside, sizeof *inside);
        memcpy(&bits, &inside[k], sizeof bits);
        bits &= UINT64_MAX >> 1;
        if (bits >= least && bits <= top) {
            inside[k] *= scale;
        } else {
            accumulator_add_square(acc, inside[k]);
            inside[k] = 0.0;
        }
    }
    kernels->squares_of_float64((const char *)inside, n, E + shift, sum, &found);
    accumulator_add(acc, sum, window_of(E));
}

static void add_float64(pc_accumulator *acc, const char *x, size_t n)
{
    const pc_kernels *kernels = pc_kernels_in_use();
    uint64_t sum[4];
    span found;
    if (n < FEW || !kernels->squares_of_float64) {
        add_one_by_one(acc, x, n);
        return;
    }
    int E = scale_of(acc);
    if (E < E_LEAST || E > E_MOST)
        E = 0;
    kernels->squares_of_float64(x, n, E, sum, &found);
    if (!exact64(found, E, kernels->depth)) {
        E = (int)(found.most >> 20) - 1023 + 1; /* room to double before the next change */
        if (!exact64(found, E, kernels->depth)) {
            if (is_wild(x, n, found, kernels->depth))
                add_one_by_one(acc, x, n);
            else
                add_spread(acc, x, n, kernels);
            return;
        }
        kernels->squares_of_float64(x, n, E, sum, &found);
    }
    accumulator_add(acc, sum, window_of(E));
}

/* float32, or float16 widened: multiples of 2^finest. */
static void add_float32(pc_accumulator *acc, const char *x, size_t n, int finest)
{
    const pc_kernels *kernels = pc_kernels_in_use();
    double wide[FLOAT_BLOCK];
    uint64_t sum[4];
    span found;
    if (n >= FEW && kernels->squares_of_float32) {
        int E = scale_of(acc);
        if (E < -127 || E > 127)
            E = 0;
        kernels->squares_of_float32(x, n, E, sum, &found);
        if (!exact32(found, E, finest)) {
            E = (int)(found.most >> 23) - 127 + 1;
            E = E > 127 ? 127 : E;
            if (exact32(found, E, finest))
                kernels->squares_of_float32(x, n, E, sum, &found);
        }
        if (exact32(found, E, finest)) {
            accumulator_add(acc, sum, window_of(E));
            return;
        }
    }
    for (size_t k = 0; k < n; k++) {
        float v;
        memcpy(&v, x + k * sizeof v, sizeof v);
        wide[k] = v;
    }
    add_float64(acc, (const char *)wide, n);
}

static void add_integers(pc_accumulator *acc, pc_type type, const char *x, size_t n)
{
    uint64_t sum[4];
    pc_kernels_in_use()->squares_of_integers[type](x, n, sum);
    accumulator_add(acc, sum, 0);
}

/* ---- types --------------------------------------------------------------- */

static const size_t size_of_type[] = {
    [PC_INT8] = 1,  [PC_UINT8] = 1,   [PC_INT16] = 2,   [PC_UINT16] = 2,
    [PC_INT32] = 4, [PC_UINT32] = 4,  [PC_INT64] = 8,   [PC_UINT64] = 8,
    [PC_BOOL] = 1,  [PC_FLOAT16] = 2, [PC_FLOAT32] = 4, [PC_FLOAT64] = 8,
};

static int is_float(pc_type type)
{
    return type >= PC_FLOAT16;
}

static size_t block_of(pc_type type)
{
    return is_float(type) ? FLOAT_BLOCK : INTEGER_BLOCK;
}

/* float16 to float32, bit by bit the same number. */
static void widen_float16(char *to, const char *from, size_t n)
{
    const float scale = 5.192296858534828e33f; /* 2^112: the biases differ by 112 */
    for (size_t k = 0; k < n; k++) {
        uint16_t half;
        memcpy(&half, from + k * sizeof half, sizeof half);
        uint32_t size = half & 0x7fffu, bits = size << 13;
        float v;
        memcpy(&v, &bits, sizeof v);
        v *= scale;
        memcpy(&bits, &v, sizeof bits);
        if (size >= 0x7c00u) /* Inf, NaN */
            bits |= 0x7f800000u;
        memcpy(to + k * sizeof bits, &bits, sizeof bits);
    }
}

static void swap_bytes(char *x, size_t size, size_t n)
{
    for (size_t k = 0; k < n; k++, x += size)
        for (size_t low = 0, high = size - 1; low < high; low++, high--) {
            char byte = x[low];
            x[low] = x[high];
            x[high] = byte;
        }
}

/* n <= block_of(type) numbers, native and contiguous. */
static void add_block(pc_accumulator *acc, pc_type type, const char *x, size_t n)
{
    char wide[FLOAT_BLOCK * sizeof(float)], truth[FLOAT_BLOCK];
    size_t m;
    switch (type) {
    case PC_FLOAT64: add_float64(acc, x, n); break;
    case PC_FLOAT32: add_float32(acc, x, n, -149); break;
    case PC_FLOAT16:
        widen_float16(wide, x, n);
        add_float32(acc, wide, n, -24);
        break;
    case PC_BOOL: /* any byte but 0 is true */
        for (; n; n -= m, x += m) {
            m = n < sizeof truth ? n : sizeof truth;
            for (size_t k = 0; k < m; k++)
                truth[k] = x[k] != 0;
            add_integers(acc, PC_UINT8, truth, m);
        }
        break;
    default: add_integers(acc, type, x, n);
    }
}

/* ---- strides into blocks ------------------------------------------------- */

static size_t size_of(ptrdiff_t stride)
{
    return stride < 0 ? 0 - (size_t)stride : (size_t)stride;
}

/* columns x rows elements of `size` bytes, each column contiguous at `to`. */
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

static void copy(char *to, size_t pitch, const char *from, size_t size, size_t rows,
                 ptrdiff_t row_stride, size_t columns, ptrdiff_t column_stride)
{
    /* Some kilobytes, or some rows, whichever is the farther. */
    const ptrdiff_t ahead = row_stride * (size_of(row_stride) <= 64 ? 512 : 32);
    switch (size) {
    case 1: COPY(1) break;
    case 2: COPY(2) break;
    case 4: COPY(4) break;
    case 8: COPY(8) break;
    default: COPY(16) break;
    }
}

/* Add a column of n elements that `copy` made, at most FLOAT_BLOCK reals. */
static void add_copied(pc_accumulator *acc, const pc_array *a, char *x, size_t n, const char *mask,
                       ptrdiff_t mask_stride)
{
    size_t size = size_of_type[a->type], reals = n * (size_t)a->parts, left = n;
    if (a->swapped)
        swap_bytes(x, size, reals);
    if (mask)
        for (size_t k = 0; k < n; k++)
            if (!mask[(ptrdiff_t)k * mask_stride]) {
                memset(x + k * size * (size_t)a->parts, 0, size * (size_t)a->parts);
                left--;
            }
    acc->count += left;
    add_block(acc, a->type, x, reals);
}

static void add_contiguous(pc_accumulator *acc, pc_type type, const char *data, size_t count)
{
    for (size_t n; count; count -= n, data += n * size_of_type[type]) {
        n = count < block_of(type) ? count : block_of(type);
        add_block(acc, type, data, n);
    }
}

void pc_add_squares(pc_accumulator *acc, pc_type type, const char *data, size_t count)
{
    acc->count += count;
    if (!is_float(type) || (count < FEW && type == PC_FLOAT64)) { /* integer arithmetic alone */
        add_contiguous(acc, type, data, count);
        return;
    }
    fpenv callers = fpenv_enter();
    add_contiguous(acc, type, data, count);
    fpenv_leave(callers);
}

/* n elements along one axis. */
static void add_run(pc_accumulator *acc, const pc_array *a, const char *data, const char *mask,
                    pc_axis axis, size_t n)
{
    size_t size = size_of_type[a->type] * (size_t)a->parts, most = FLOAT_BLOCK / (size_t)a->parts,
           m;
    if (axis.stride == (ptrdiff_t)size && !mask && !a->swapped) {
        acc->count += n;
        add_contiguous(acc, a->type, data, n * (size_t)a->parts);
        return;
    }
    for (; n; n -= m) {
        double block[FLOAT_BLOCK];
        m = n < most ? n : most;
        copy((char *)block, 0, data, size, m, axis.stride, 1, 0);
        add_copied(acc, a, (char *)block, m, mask, axis.mask_stride);
        data += (ptrdiff_t)m * axis.stride;
        if (mask)
            mask += (ptrdiff_t)m * axis.mask_stride;
    }
}

/* n elements along one axis, for each of the columns first to last - 1 along another. */
static void add_tiles(pc_sum *sums, const pc_array *a, const char *data, const char *mask,
                      pc_axis along, size_t n, pc_axis across, size_t first, size_t last)
{
    /* Eight doubles more than a column takes: their starts spread over the cache. */
    enum { COLUMNS = 16, ROWS = 128, PITCH = (ROWS + 8) * sizeof(double) };
    size_t size = size_of_type[a->type] * (size_t)a->parts, most = ROWS / (size_t)a->parts, columns,
           m;
    char block[COLUMNS * PITCH];
    for (; first < last; first += columns) {
        columns = last - first < COLUMNS ? last - first : COLUMNS;
        for (size_t row = 0; row < n; row += m) {
            m = n - row < most ? n - row : most;
            copy(block, PITCH,
                 data + (ptrdiff_t)row * along.stride + (ptrdiff_t)first * across.stride, size, m,
                 along.stride, columns, across.stride);
            for (size_t c = 0; c < columns; c++) {
                const char *with = mask ? mask + (ptrdiff_t)row * along.mask_stride +
                                              (ptrdiff_t)(first + c) * across.mask_stride
                                        : NULL;
                add_copied(&sums[first + c].total, a, block + c * PITCH, m, with,
                           along.mask_stride);
            }
        }
    }
}

/* The same for plain float64 with the columns side by side, by the kernel for
 * columns: no copy. Returns how many columns it did. */
static size_t add_columns(pc_sum *sums, const pc_array *a, const char *data, pc_axis along,
                          size_t columns)
{
    int E[PC_PANEL];
    uint64_t sum[PC_PANEL][4];
    span found[PC_PANEL];
    const pc_kernels *kernels = pc_kernels_in_use();
    size_t n = along.length, m;

    columns -= columns % 8;
    if (!kernels->squares_of_columns || n < FEW || columns == 0)
        return 0;
    memset(E, 0, sizeof E);
    kernels->squares_of_columns(data, along.stride, n < 64 ? n : 64, columns, E, sum,
                                found); /* to know their sizes */
    for (size_t c = 0; c < columns; c++) {
        E[c] = (int)(found[c].most >> 20) - 1023 + 2;
        if (E[c] < E_LEAST || E[c] > E_MOST)
            E[c] = 0;
    }
    for (size_t row = 0; row < n; row += m, data += (ptrdiff_t)m * along.stride) {
        m = n - row < FLOAT_BLOCK ? n - row : FLOAT_BLOCK;
        kernels->squares_of_columns(data, along.stride, m, columns, E, sum, found);
        for (size_t c = 0; c < columns; c++) {
            if (exact64(found[c], E[c], kernels->depth)) {
                accumulator_add(&sums[c].total, sum[c], window_of(E[c]));
                sums[c].total.count += m;
            } else {
                add_run(&sums[c].total, a, data + c * sizeof(double), NULL, along, m);
            }
        }
    }
    return columns;
}

/* ---- arrays -------------------------------------------------------------- */

static size_t product(const pc_axis *axis, int count)
{
    size_t total = 1;
    for (int k = 0; k < count; k++)
        total *= axis[k].length;
    return total;
}

size_t pc_array_positions(const pc_array *array)
{
    return product(array->axis, array->kept);
}

size_t pc_array_depth(const pc_array *array)
{
    return product(array->axis + array->kept, array->reduced);
}

/* The longest stride first; among equals the order stays. */
static void sort_axes(pc_axis *axis, int count)
{
    for (int k = 1; k < count; k++)
        for (int j = k; j > 0 && size_of(axis[j].stride) > size_of(axis[j - 1].stride); j--) {
            pc_axis moved = axis[j];
            axis[j] = axis[j - 1];
            axis[j - 1] = moved;
        }
}

/* Drop axes of length 1, and merge each axis into the one within it where both
 * run on as one. Returns how many are left. */
static int merge_axes(pc_axis *axis, int count)
{
    int left = 0;
    for (int k = 0; k < count; k++) {
        pc_axis *outer = left ? &axis[left - 1] : NULL;
        ptrdiff_t n = (ptrdiff_t)axis[k].length;
        if (n == 1)
            continue;
        if (outer && outer->stride == axis[k].stride * n &&
            outer->mask_stride == axis[k].mask_stride * n &&
            outer->out_stride == axis[k].out_stride * n) {
            axis[k].length *= outer->length;
            *outer = axis[k];
        } else {
            axis[left++] = axis[k];
        }
    }
    return left;
}

void pc_array_arrange(pc_array *a)
{
    pc_axis *reduced = a->axis + a->kept;
    int count = 0;
    if (pc_array_positions(a) == 0 || pc_array_depth(a) == 0)
        return;
    for (int k = 0; k < a->reduced; k++) {
        pc_axis axis = reduced[k];
        ptrdiff_t last = (ptrdiff_t)axis.length - 1;
        if (axis.stride < 0) { /* backwards: from the other end */
            a->data += last * axis.stride;
            axis.stride = -axis.stride;
            if (a->mask)
                a->mask += last * axis.mask_stride;
            axis.mask_stride = -axis.mask_stride;
        }
        if (axis.stride == 0 && (!a->mask || axis.mask_stride == 0))
            a->repeat *= axis.length; /* the same elements again and again */
        else
            reduced[count++] = axis;
    }
    sort_axes(reduced, count);
    count = merge_axes(reduced, count);
    sort_axes(a->axis, a->kept);
    int kept = merge_axes(a->axis, a->kept);
    memmove(a->axis + kept, reduced, (size_t)count * sizeof *reduced);
    a->kept = kept;
    a->reduced = count;
}

size_t pc_array_panel(const pc_array *a, size_t first, size_t last)
{
    size_t count = last - first < PC_PANEL ? last - first : PC_PANEL;
    if (a->kept) {
        size_t length = a->axis[a->kept - 1].length, left = length - first % length;
        if (left < count)
            count = left;
    }
    return count;
}

/* Where position `index` along `count` axes lies. */
typedef struct {
    ptrdiff_t data, mask, out;
} place;

static place place_of(const pc_axis *axis, int count, size_t index)
{
    place at = {0, 0, 0};
    for (int k = count - 1; k >= 0; k--) {
        ptrdiff_t i = (ptrdiff_t)(index % axis[k].length);
        index /= axis[k].length;
        at.data += i * axis[k].stride;
        at.mask += i * axis[k].mask_stride;
        at.out += i * axis[k].out_stride;
    }
    return at;
}

static void add_to_panel(const pc_array *a, size_t first, size_t count, pc_sum *sums)
{
    static const pc_axis none = {1, 0, 0, 0};
    pc_axis across = a->kept ? a->axis[a->kept - 1] : none;
    pc_axis along = a->reduced ? a->axis[a->kept + a->reduced - 1] : none;
    int outer_axes = a->reduced ? a->reduced - 1 : 0;
    size_t outer = product(a->axis + a->kept, outer_axes);
    int across_first = count > 1 && size_of(across.stride) < size_of(along.stride);
    place start = place_of(a->axis, a->kept, first);

    for (size_t c = 0; c < count; c++)
        sums[c].offset = start.out + (ptrdiff_t)c * across.out_stride;
    if (along.length == 0)
        return;
    for (size_t index = 0; index < outer; index++) {
        place at = place_of(a->axis + a->kept, outer_axes, index);
        const char *data = a->data + start.data + at.data;
        const char *mask = a->mask ? a->mask + start.mask + at.mask : NULL;
        if (across_first) {
            size_t done = 0;
            if (a->type == PC_FLOAT64 && a->parts == 1 && !a->swapped && !mask &&
                across.stride == sizeof(double))
                done = add_columns(sums, a, data, along, count);
            add_tiles(sums, a, data, mask, along, along.length, across, done, count);
            continue;
        }
        for (size_t c = 0; c < count; c++)
            add_run(&sums[c].total, a, data + (ptrdiff_t)c * across.stride,
                    mask ? mask + (ptrdiff_t)c * across.mask_stride : NULL, along, along.length);
    }
}

void pc_add_panel(const pc_array *a, size_t first, size_t count, pc_sum *sums)
{
    fpenv callers = fpenv_enter();
    add_to_panel(a, first, count, sums);
    fpenv_leave(callers);
}

static size_t sum_panel(const pc_array *a, size_t first, size_t last, pc_sum *sums)
{
    size_t count = pc_array_panel(a, first, last);
    for (size_t c = 0; c < count; c++)
        pc_accumulator_clear(&sums[c].total);
    add_to_panel(a, first, count, sums);
    if (a->repeat != 1)
        for (size_t c = 0; c < count; c++)
            pc_accumulator_scale(&sums[c].total, a->repeat);
    return count;
}

pc_status pc_write_panel(const pc_sum *sums, size_t count, pc_result result, char *out)
{
    pc_status status = PC_OK;
    for (size_t c = 0; c < count; c++) {
        const pc_accumulator *sum = &sums[c].total;
        if (result == PC_SUMSQ_WORD) {
            uint64_t word;
            if (pc_accumulator_word(sum, &word) != PC_OK)
                return PC_TOO_LARGE;
            memcpy(out + sums[c].offset, &word, sizeof word);
        } else {
            double nearest = pc_accumulator_round(sum, result);
            if (result == PC_RMS && sum->count == 0)
                status = PC_EMPTY;
            memcpy(out + sums[c].offset, &nearest, sizeof nearest);
        }
    }
    return status;
}

pc_status pc_reduce(const pc_array *a, size_t first, size_t last, pc_result result, char *out,
                    pc_sum *sums)
{
    pc_status status = PC_OK;
    fpenv callers = fpenv_enter();
    for (size_t count; first < last && status != PC_TOO_LARGE; first += count) {
        count = sum_panel(a, first, last, sums);
        pc_status panel = pc_write_panel(sums, count, result, out);
        status = panel == PC_OK ? status : panel;
    }
    fpenv_leave(callers);
    return status;
}
