/* Sums of products of two arrays: run by run through the kernels, or copied to blocks of doubles or
 * integers of one type that the kernels take. */
#include "pairs.h"
#include "bounded_runs.h"
#include "contiguous.h"
#include "gather.h"
#include "widen.h"

#include <string.h>

int products_are_floats(const pc_array *a)
{
    return is_float(a->type) || is_float(a->other.type);
}

/* ---- exact sums of products of doubles ---------------------------------------- */

/* For these block exponents the kernel's arithmetic neither overflows nor underflows. */
enum { PRODUCT_EXPONENT_MIN = -800, PRODUCT_EXPONENT_MAX = 1000 };

static int exact_products(magnitude_range range, int block_exponent, int exponent_range)
{
    return block_exponent >= PRODUCT_EXPONENT_MIN && block_exponent <= PRODUCT_EXPONENT_MAX &&
           range.max < (uint32_t)(block_exponent + 1023) << 20 &&
           range.min >= (uint32_t)(block_exponent - exponent_range + 1023) << 20;
}

static double double_at(const char *x, size_t k)
{
    double v;
    memcpy(&v, x + k * sizeof v, sizeof v);
    return v;
}

/* Whether a product of two numbers other than 0 is rounded to 0, whose residual is then lost. */
static int any_underflows(const char *x, const char *y, size_t n)
{
    int any = 0;
    for (size_t k = 0; k < n; k++) {
        const double v = double_at(x, k), w = double_at(y, k);
        any |= (v * w == 0.0) & (v != 0.0) & (w != 0.0);
    }
    return any;
}

/* n <= FLOAT_BLOCK */
static void add_exact_block(pc_accumulator *acc, pc_moment moment, const char *x, const char *y,
                            size_t n)
{
    const pc_kernels *kernels = pc_kernels_in_use();
    const pc_window *window = &acc->windows[moment];
    product_sums block;
    int block_exponent = 0, fits = 0;
    if (kernels->sums_of_products && n >= 4) {
        if (window->flags & PC_WINDOW_USED)
            block_exponent = window->exponent - product_window_exponent(0);
        if (block_exponent < PRODUCT_EXPONENT_MIN || block_exponent > PRODUCT_EXPONENT_MAX)
            block_exponent = 0;
        kernels->sums_of_products(x, y, n, block_exponent, &block);
        fits = exact_products(block.magnitudes, block_exponent, kernels->product_exponent_range);
        if (!fits) {
            block_exponent =
                (int)(block.magnitudes.max >> 20) - 1023 + 4; /* with room for later blocks */
            fits =
                exact_products(block.magnitudes, block_exponent, kernels->product_exponent_range);
            if (!fits) {
                block_exponent -= 3;
                fits = exact_products(block.magnitudes, block_exponent,
                                      kernels->product_exponent_range);
            }
            if (fits)
                kernels->sums_of_products(x, y, n, block_exponent, &block);
        }
    }
    if (fits && !(block.zeros && any_underflows(x, y, n)))
        accumulator_add(acc, moment, block.sum, product_window_exponent(block_exponent));
    else
        for (size_t k = 0; k < n; k++)
            accumulator_add_product(acc, moment, double_at(x, k), double_at(y, k));
}

/* n contiguous doubles each, exact or bounded. */
static void add_doubles(pc_accumulator *acc, pc_moment moment, const char *x, const char *y,
                        size_t n)
{
    const ptrdiff_t size = sizeof(double);
    if (acc->flags & PC_BOUNDED) {
        add_bounded_products(acc, moment, PC_FLOAT64, x, size, y, size, n);
        return;
    }
    for (size_t m; n; n -= m, x += m * sizeof(double), y += m * sizeof(double)) {
        m = n < FLOAT_BLOCK ? n : FLOAT_BLOCK;
        add_exact_block(acc, moment, x, y, m);
    }
}

/* ---- integers ------------------------------------------------------------------- */

static int is_signed(pc_type type)
{
    return type < PC_BOOL && !(type & 1);
}

/* The narrowest type up to 32 bits that holds the numbers of both, or PC_INT64. */
static pc_type common_integer(pc_type x, pc_type y)
{
    x = x == PC_BOOL ? PC_UINT8 : x;
    y = y == PC_BOOL ? PC_UINT8 : y;
    if (x == y)
        return x < PC_INT64 ? x : PC_INT64;
    if (is_signed(x) == is_signed(y)) {
        const pc_type wide = x > y ? x : y;
        return wide < PC_INT64 ? wide : PC_INT64;
    }
    const size_t of_signed = size_of_type[is_signed(x) ? x : y],
                 of_unsigned = size_of_type[is_signed(x) ? y : x];
    const size_t bytes = of_signed > 2 * of_unsigned ? of_signed : 2 * of_unsigned;
    return bytes == 2 ? PC_INT16 : bytes == 4 ? PC_INT32 : PC_INT64;
}

/* Integers of one type as those of another. */
#define CONVERT(to_type, from_type)                                                                \
    for (size_t k = 0; k < n; k++) {                                                               \
        from_type v;                                                                               \
        memcpy(&v, from + k * sizeof v, sizeof v);                                                 \
        const to_type made = (to_type)v;                                                           \
        memcpy(to + k * sizeof made, &made, sizeof made);                                          \
    }                                                                                              \
    break
#define CONVERT_INTEGERS(to_type)                                                                  \
    switch (type) {                                                                                \
    case PC_INT8: CONVERT(to_type, int8_t);                                                        \
    case PC_UINT8: CONVERT(to_type, uint8_t);                                                      \
    case PC_INT16: CONVERT(to_type, int16_t);                                                      \
    case PC_UINT16: CONVERT(to_type, uint16_t);                                                    \
    case PC_INT32: CONVERT(to_type, int32_t);                                                      \
    case PC_UINT32: CONVERT(to_type, uint32_t);                                                    \
    case PC_INT64: CONVERT(to_type, int64_t);                                                      \
    case PC_UINT64: CONVERT(to_type, uint64_t);                                                    \
    default: /* any byte but 0 is true */                                                          \
        for (size_t k = 0; k < n; k++) {                                                           \
            const to_type made = from[k] != 0;                                                     \
            memcpy(to + k * sizeof made, &made, sizeof made);                                      \
        }                                                                                          \
    }

static void convert_integers(char *to, pc_type wanted, const char *from, pc_type type, size_t n)
{
    switch (wanted) {
    case PC_UINT8: CONVERT_INTEGERS(uint8_t) break;
    case PC_INT8: CONVERT_INTEGERS(int8_t) break;
    case PC_INT16: CONVERT_INTEGERS(int16_t) break;
    case PC_UINT16: CONVERT_INTEGERS(uint16_t) break;
    case PC_INT32: CONVERT_INTEGERS(int32_t) break;
    case PC_UINT32: CONVERT_INTEGERS(uint32_t) break;
    default: CONVERT_INTEGERS(uint64_t)
    }
}

/* 64-bit words, each array of either sign: whole products, of 128 bits. */
#ifdef PC_HAS_INT128
/* They are summed modulo 2^128, and their upper 32 bits apart, rounded down: what those leave of
 * the sum is at least 0 and below n 2^96. */
static inline void sum_of_words(const char *x, int x_signed, const char *y, int y_signed, size_t n,
                                uint64_t sum[4])
{
    pc_uint128 total = 0;
    uint64_t upper = 0;
    for (size_t k = 0; k < n; k++) {
        uint64_t v, w;
        memcpy(&v, x + k * sizeof v, sizeof v);
        memcpy(&w, y + k * sizeof w, sizeof w);
        pc_u128 product;
        if (x_signed && y_signed)
            product = u128_of((pc_uint128)((pc_int128)(int64_t)v * (int64_t)w));
        else
            product = u128_mul64(v, w);
        if (x_signed && !y_signed)
            product.hi -= sign_of_word(v) & w;
        total += u128_wide(product);
        upper += x_signed ? (uint64_t)((int64_t)product.hi >> 32) : product.hi >> 32;
    }
    const uint64_t sign = x_signed ? sign_of_word(upper) : 0;
    const pc_u128 low = u128_of(total - ((pc_uint128)upper << 96));
    memset(sum, 0, 4 * sizeof *sum);
    sum[0] = low.lo;
    sum[1] = low.hi;
    add_at(sum, 4, 96, (pc_u128){upper, sign}, sign);
}

static void products_of_words(const char *x, int x_signed, const char *y, int y_signed, size_t n,
                              uint64_t sum[4])
{
    if (x_signed && y_signed)
        sum_of_words(x, 1, y, 1, n, sum);
    else if (x_signed)
        sum_of_words(x, 1, y, 0, n, sum);
    else if (y_signed)
        sum_of_words(y, 1, x, 0, n, sum);
    else
        sum_of_words(x, 0, y, 0, n, sum);
}
#else
static void products_of_words(const char *x, int x_signed, const char *y, int y_signed, size_t n,
                              uint64_t sum[4])
{
    const uint64_t x_mask = 0 - (uint64_t)x_signed, y_mask = 0 - (uint64_t)y_signed,
                   either = x_mask | y_mask;
    uint64_t total[3] = {0, 0, 0};
    for (size_t k = 0; k < n; k++) {
        uint64_t v, w;
        memcpy(&v, x + k * sizeof v, sizeof v);
        memcpy(&w, y + k * sizeof w, sizeof w);
        pc_u128 product = u128_mul64(v, w);
        product.hi -= sign_of_word(v) & x_mask & w;
        product.hi -= sign_of_word(w) & y_mask & v;
        const uint64_t top = sign_of_word(product.hi) & either;
        const uint8_t carry = add_carry(&total[0], product.lo, 0);
        add_carry(&total[2], top, add_carry(&total[1], product.hi, carry));
    }
    memcpy(sum, total, sizeof total);
    sum[3] = sign_of_word(sum[2]);
}
#endif

/* n contiguous integers each, of these types. */
static void add_integers(pc_accumulator *acc, const char *x, pc_type x_type, const char *y,
                         pc_type y_type, size_t n)
{
    const pc_kernels *kernels = pc_kernels_in_use();
    const pc_type type = common_integer(x_type, y_type);
    const size_t max = x_type == y_type && x_type != PC_BOOL ? INTEGER_BLOCK : BUFFER;
    uint64_t sum[4];
    for (size_t m; n; n -= m, x += m * size_of_type[x_type], y += m * size_of_type[y_type]) {
        uint64_t wide_x[BUFFER], wide_y[BUFFER];
        const char *from_x = x, *from_y = y;
        m = n < max ? n : max;
        if (max == BUFFER) {
            convert_integers((char *)wide_x, type, x, x_type, m);
            convert_integers((char *)wide_y, type, y, y_type, m);
            from_x = (const char *)wide_x;
            from_y = (const char *)wide_y;
        }
        if (type == PC_INT64)
            products_of_words(from_x, is_signed(x_type), from_y, is_signed(y_type), m, sum);
        else
            kernels->products_of_integers[type](from_x, from_y, m, sum);
        accumulator_add(acc, PC_SQUARES, sum, 0);
    }
}

/* ---- blocks ---------------------------------------------------------------------- */

/* Pairs in a block of doubles. */
enum { BLOCK = 128 };

/* One component of n contiguous elements as doubles, and what a double of a 64-bit integer lacks:
 * two parts that are exact. Returns whether any lacks something. */
static int doubles_of(double *to, double *residual, const char *from, pc_type type, int components,
                      int component, size_t n)
{
    uint64_t lacking = 0;
    if (components == 2 && type == PC_FLOAT64) {
        for (size_t k = 0; k < n; k++)
            to[k] = double_at(from, 2 * k + (size_t)component);
        return 0;
    }
    if (components == 2) {
        for (size_t k = 0; k < n; k++) {
            float v;
            memcpy(&v, from + (2 * k + (size_t)component) * sizeof v, sizeof v);
            to[k] = v;
        }
        return 0;
    }
    if (type != PC_INT64 && type != PC_UINT64) {
        widen_to_doubles(to, type, from, n);
        return 0;
    }
    for (size_t k = 0; k < n; k++) { /* the upper part is a multiple of 2^11 */
        uint64_t v, low;
        memcpy(&v, from + k * sizeof v, sizeof v);
        const int64_t as_signed = (int64_t)v;
        const uint64_t magnitude = type == PC_INT64 && as_signed < 0 ? 0 - v : v;
        low = magnitude >> 53 ? v & 0x7ff : 0;
        v -= low;
        to[k] = type == PC_INT64 ? (double)(int64_t)v : (double)v;
        residual[k] = (double)low;
        lacking |= low;
    }
    return lacking != 0;
}

/* The products of x and what y lacks. Inf and NaN of x are left out: they have been added. */
static void add_residuals(pc_accumulator *acc, pc_moment moment, const double *x,
                          const double *residual, size_t n)
{
    double finite[BLOCK];
    for (size_t k = 0; k < n; k++)
        finite[k] = residual[k] != 0.0 && x[k] - x[k] == 0.0 ? x[k] : 0.0;
    add_doubles(acc, moment, (const char *)finite, (const char *)residual, n);
}

/* n <= BLOCK contiguous pairs whose products are floats: those of each component with each. */
static void add_components(pc_accumulator *acc, const pc_array *a, const char *x, const char *y,
                           size_t n)
{
    const pc_other *other = &a->other;
    double of_x[2][BLOCK], of_y[2][BLOCK], negative[BLOCK], residual[BLOCK];
    int x_lacks = 0, y_lacks = 0; /* at most one of them: the other is a float */
    for (int i = 0; i < a->components; i++)
        x_lacks |= doubles_of(of_x[i], residual, x, a->type, a->components, i, n);
    for (int j = 0; j < other->components; j++)
        y_lacks |= doubles_of(of_y[j], residual, y, other->type, other->components, j, n);
    for (size_t k = 0; k < n && a->components == 2; k++)
        negative[k] = -of_x[1][k];
    for (int i = 0; i < a->components; i++)
        for (int j = 0; j < other->components; j++) {
            const pc_moment moment = i == j ? PC_SQUARES : PC_NUMBERS;
            const double *from = i && (other->conjugate ? !j : j) ? negative : of_x[i];
            if (x_lacks || y_lacks)
                add_residuals(acc, moment, x_lacks ? of_y[j] : from, residual, n);
            add_doubles(acc, moment, (const char *)from, (const char *)of_y[j], n);
        }
}

/* The weights y of an average, summed as numbers. */
static void add_weights(pc_accumulator *acc, const pc_array *a, const char *y, ptrdiff_t stride,
                        size_t n)
{
    const pc_type type = a->other.type;
    if (!(acc->flags & PC_BOUNDED)) {
        add_reals(acc, type, 1, y, n); /* contiguous */
        return;
    }
    if (is_float(type) && pc_kernels_in_use()->bounded_products[type - PC_FLOAT16]) {
        add_bounded_products(acc, PC_NUMBERS, type, y, stride, NULL, 0, n);
        return;
    }
    for (size_t m; n; n -= m, y += m * size_of_type[type]) {
        double wide[BLOCK], residual[BLOCK];
        const ptrdiff_t size = sizeof(double);
        m = n < BLOCK ? n : BLOCK;
        if (doubles_of(wide, residual, y, type, 1, 0, m))
            add_bounded_products(acc, PC_NUMBERS, PC_FLOAT64, (const char *)residual, size, NULL, 0,
                                 m);
        add_bounded_products(acc, PC_NUMBERS, PC_FLOAT64, (const char *)wide, size, NULL, 0, m);
    }
}

/* n contiguous pairs in native byte order, none left out, without counting them. */
static void add_contiguous(pc_accumulator *acc, const pc_array *a, const char *x, const char *y,
                           size_t n)
{
    const pc_other *other = &a->other;
    const size_t x_size = size_of_type[a->type] * (size_t)a->components,
                 y_size = size_of_type[other->type] * (size_t)other->components;
    const int alike = a->components * other->components == 1 && a->type == other->type;
    if (acc->flags & PC_WITH_NUMBERS) {
        if (alike && acc->flags & PC_BOUNDED && add_weighted_row(acc, a->type, x, y, n))
            return;
        add_weights(acc, a, y, (ptrdiff_t)y_size, n);
    }
    if (!products_are_floats(a)) {
        add_integers(acc, x, a->type, y, other->type, n);
        return;
    }
    if (alike) {
        if (acc->flags & PC_BOUNDED && has_bounded(a->type)) {
            add_bounded_products(acc, PC_SQUARES, a->type, x, (ptrdiff_t)x_size, y,
                                 (ptrdiff_t)y_size, n);
            return;
        }
        if (a->type == PC_FLOAT64) {
            add_doubles(acc, PC_SQUARES, x, y, n);
            return;
        }
    }
    for (size_t m; n; n -= m, x += m * x_size, y += m * y_size) {
        m = n < BLOCK ? n : BLOCK;
        add_components(acc, a, x, y, m);
    }
}

/* Whether the kernels can take both where they lie. */
static int is_plain(const pc_array *a)
{
    return !a->mask && !a->swapped && !a->other.swapped && a->components == 1 &&
           a->other.components == 1;
}

/* m <= BLOCK pairs copied to blocks: the byte order, the mask. */
static void add_copied(pc_accumulator *acc, const pc_array *a, char *x, char *y, size_t m,
                       const char *mask, ptrdiff_t mask_stride)
{
    const pc_other *other = &a->other;
    if (a->swapped)
        swap_bytes(x, size_of_type[a->type], m * (size_t)a->components);
    if (other->swapped)
        swap_bytes(y, size_of_type[other->type], m * (size_t)other->components);
    if (mask) {
        leave_out_of(other->type, other->components, 0, y, m, mask, mask_stride);
        acc->count += leave_out_of(a->type, a->components, 0, x, m, mask, mask_stride);
    } else {
        acc->count += m;
    }
    add_contiguous(acc, a, x, y, m);
}

void add_pair_run(pc_accumulator *acc, const pc_array *a, pair_data from, pc_axis axis, size_t n)
{
    const size_t x_size = size_of_type[a->type] * (size_t)a->components,
                 y_size = size_of_type[a->other.type] * (size_t)a->other.components;
    const int contiguous =
                  axis.stride == (ptrdiff_t)x_size && axis.other_stride == (ptrdiff_t)y_size,
              strided = acc->flags & PC_BOUNDED && a->type == a->other.type && is_plain(a) &&
                        has_bounded(a->type),
              here = strided || (contiguous && !a->mask && !a->swapped && !a->other.swapped);
    /* Where products and weights are summed in turn, few enough to stay in the cache. */
    const size_t max = !here ? BLOCK : acc->flags & PC_WITH_NUMBERS ? MAX_MATRIX_LENGTH : n;
    for (size_t m; n; n -= m) {
        m = n < max ? n : max;
        if (here) {
            acc->count += m;
            if (contiguous) {
                add_contiguous(acc, a, from.x, from.y, m);
            } else {
                if (acc->flags & PC_WITH_NUMBERS)
                    add_weights(acc, a, from.y, axis.other_stride, m);
                add_bounded_products(acc, PC_SQUARES, a->type, from.x, axis.stride, from.y,
                                     axis.other_stride, m);
            }
        } else {
            double x[2 * BLOCK], y[2 * BLOCK];
            gather_columns((char *)x, 0, from.x, x_size, m, axis.stride, 1, 0);
            gather_columns((char *)y, 0, from.y, y_size, m, axis.other_stride, 1, 0);
            add_copied(acc, a, (char *)x, (char *)y, m, from.mask, axis.mask_stride);
        }
        from.x += (ptrdiff_t)m * axis.stride;
        from.y += (ptrdiff_t)m * axis.other_stride;
        if (from.mask)
            from.mask += (ptrdiff_t)m * axis.mask_stride;
    }
}

void add_pair_columns(pc_tile_sum *sums, const pc_array *a, pair_data from, pc_axis along, size_t n,
                      pc_axis across, size_t count)
{
    /* One cache line more than a column, so that columns do not share cache sets. */
    enum { COLUMNS = 4, BYTES = 512, PITCH = BYTES + 64 };
    const size_t x_size = size_of_type[a->type] * (size_t)a->components,
                 y_size = size_of_type[a->other.type] * (size_t)a->other.components;
    size_t max = BYTES / (x_size > y_size ? x_size : y_size), columns, m;
    char x[COLUMNS * PITCH], y[COLUMNS * PITCH];
    max = max < BLOCK ? max : BLOCK;
    for (size_t first = 0; first < count; first += columns) {
        columns = count - first < COLUMNS ? count - first : COLUMNS;
        for (size_t row = 0; row < n; row += m) {
            m = n - row < max ? n - row : max;
            gather_columns(
                x, PITCH, from.x + (ptrdiff_t)row * along.stride + (ptrdiff_t)first * across.stride,
                x_size, m, along.stride, columns, across.stride);
            gather_columns(y, PITCH,
                           from.y + (ptrdiff_t)row * along.other_stride +
                               (ptrdiff_t)first * across.other_stride,
                           y_size, m, along.other_stride, columns, across.other_stride);
            for (size_t c = 0; c < columns; c++)
                add_copied(&sums[first + c].total, a, x + c * PITCH, y + c * PITCH, m,
                           from.mask ? from.mask + (ptrdiff_t)row * along.mask_stride +
                                           (ptrdiff_t)(first + c) * across.mask_stride
                                     : NULL,
                           along.mask_stride);
        }
    }
}
