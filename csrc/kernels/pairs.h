/* Sums of the products of two arrays: of floats with an error bound and exactly, of integers
 * exactly. Bounds and proofs: docs/design/pairs.md. */

#ifdef FLOATS
/* With an error bound. A lane holds s, which starts as D = 1.5 * 2^k, and t:
 *
 *   h = s + x y               rounded once, to a multiple of g = 2^(k-52) in the binade of D
 *   t = t + (x y - (h - s))   what h lost, at most g/2, rounded
 *   s = h
 *
 * s rises and falls, so every h is checked: the leading 12 bits of h and D, sign and exponent, must
 * be the same. The sum is then (bits(s) - bits(D)) g + t, up to the roundings of t. */

/* x y, and what it lost, by Dekker's product: for levels without fused multiply-add. NaN if the
 * parts overflow. */
static inline vecd product_error(vecd x, vecd y, vecd product)
{
#ifdef fused
    return fused(x, y, -product);
#else
    const vecd c = x * 134217729.0, x1 = c - (c - x), x0 = x - x1, d = y * 134217729.0,
               y1 = d - (d - y), y0 = y - y1;
    return x1 * y1 - product + x1 * y0 + x0 * y1 + x0 * y0;
#endif
}

/* `narrow`: x y is exact in double. */
static inline __attribute__((always_inline)) void add_product(vecd *s, vecd *t, vecd x, vecd y,
                                                              int narrow)
{
#ifdef fused
    const vecd h = fused(x, y, *s);
    *t += fused(x, y, *s - h);
    (void)narrow;
#else
    const vecd p = x * y, h = *s + p;
    vecd lost = *s - h + p;
    if (!narrow)
        lost += product_error(x, y, p);
    *t += lost;
#endif
    *s = h;
}

/* In the place of y: to sum the numbers x. */
static inline vecd load_ones(const char *y, ptrdiff_t stride)
{
    (void)y;
    (void)stride;
    return splatd(1.0);
}

/* The rows of some vectors, from s = D on. 1 if every h stayed in the binade of D. NaN of x counts
 * as 0 if skip_nan. */
static inline __attribute__((always_inline)) int
add_rows_of_products(const char *x, row_strides x_step, const char *y, row_strides y_step,
                     size_t rows, vecd D, vecd t[WAYS], vec *units, vec *missing, int narrow,
                     int skip_nan, loader *load_x, loader *load_y)
{
    vecd s[WAYS], residual[WAYS];
    vec left[WAYS], all = splat(0), grown = splat(0), absent = splat(0);
    for (int w = 0; w < WAYS; w++) {
        s[w] = D;
        residual[w] = t[w];
        left[w] = splat(0);
    }
    for (; rows; rows--, x += x_step.row, y += y_step.row)
        for (int w = 0; w < WAYS; w++) {
            vecd v = load_x(x + w * x_step.way, x_step.number);
            if (skip_nan)
                v = without_nan(v, &absent);
            add_product(&s[w], &residual[w], v, load_y(y + w * y_step.way, y_step.number), narrow);
            left[w / 2] |= (vec)s[w] ^ (vec)D;
        }
    for (int w = 0; w < WAYS; w++) {
        grown += (vec)s[w] - (vec)D;
        all |= left[w];
    }
    if (any_bits(all >> 52))
        return 0;
    for (int w = 0; w < WAYS; w++)
        t[w] = residual[w];
    *units += grown;
    *missing += absent;
    return 1;
}

/* The sum of |x y|, rounded: what D must leave room for. */
static inline __attribute__((always_inline)) double
sum_of_magnitudes(const char *x, row_strides x_step, const char *y, row_strides y_step, size_t rows,
                  int skip_nan, loader *load_x, loader *load_y)
{
    vecd total = splatd(0.0);
    vec missing = splat(0);
    for (; rows; rows--, x += x_step.row, y += y_step.row)
        for (int w = 0; w < WAYS; w++) {
            vecd v = load_x(x + w * x_step.way, x_step.number);
            if (skip_nan)
                v = without_nan(v, &missing);
            total +=
                select_bits(splat(UINT64_MAX >> 1), v * load_y(y + w * y_step.way, y_step.number));
        }
    double sum = 0.0;
    for (int j = 0; j < LANES; j++)
        sum += total[j];
    return sum;
}

static inline __attribute__((always_inline)) size_t sum_bounded_products(
    const char *x, ptrdiff_t x_stride, const char *y, ptrdiff_t y_stride, size_t n, int k,
    bounded_sums *partial, size_t size, int skip_nan, loader *load_x, loader *load_y)
{
    const int contiguous = x_stride == (ptrdiff_t)size && y_stride == (ptrdiff_t)size,
              streamed = contiguous && n >= MIN_STREAMED;
    const row_strides usual_x = row_strides_of(x_stride, WAYS, n, streamed),
                      usual_y = row_strides_of(y_stride, WAYS, n, streamed),
                      of_tail = row_strides_of((ptrdiff_t)size, WAYS, n, 0);
    const vecd D = splatd(1.5 * power(k));
    char tail_x[ROW * sizeof(double)] = {0}, tail_y[ROW * sizeof(double)] = {0};
    vecd t[WAYS];
    vec units = splat(0), missing = splat(0);
    size_t done = 0, step;

    for (int w = 0; w < WAYS; w++)
        t[w] = splatd(0.0);
    partial->overflow_at = 0.0;
    for (; done < n; done += step) {
        const char *from_x = x + (ptrdiff_t)(done / ROW) * usual_x.row,
                   *from_y = y + (ptrdiff_t)(done / ROW) * usual_y.row;
        row_strides x_step = usual_x, y_step = usual_y;
        size_t rows = (n - done) / ROW;
        rows = rows < FLOAT_BLOCK / ROW ? rows : FLOAT_BLOCK / ROW;
        step = rows * ROW;
        if (!rows) {
            step = n - done;
            for (size_t j = 0; j < step; j++) {
                memcpy(tail_x + j * size, x + (ptrdiff_t)(done + j) * x_stride, size);
                memcpy(tail_y + j * size, y + (ptrdiff_t)(done + j) * y_stride, size);
            }
            from_x = tail_x;
            from_y = tail_y;
            x_step = y_step = of_tail;
            rows = 1;
        }
        if (!add_rows_of_products(from_x, x_step, from_y, y_step, rows, D, t, &units, &missing,
                                  size < sizeof(double), skip_nan, load_x, load_y)) {
            partial->overflow_at =
                sum_of_magnitudes(from_x, x_step, from_y, y_step, rows, skip_nan, load_x, load_y);
            done = streamed ? 0 : done;
            break;
        }
    }
    for (int w = 1; w < WAYS; w++)
        t[0] += t[w];
    partial->units = sum_of_lanes(units);
    partial->missing = skip_nan && done ? sum_of_lanes(missing) : 0;
    partial->residual = 0.0;
    for (int j = 0; j < LANES; j++)
        partial->residual += t[0][j];
    return done;
}

#define BOUNDED_SUMS(name, type, size, skip_nan)                                                   \
    static size_t name##type(const char *x, ptrdiff_t x_stride, const char *y, ptrdiff_t y_stride, \
                             size_t n, int k, bounded_sums *partial)                               \
    {                                                                                              \
        if (!y && x_stride == (ptrdiff_t)(size))                                                   \
            return sum_bounded_products(x, size, x, size, n, k, partial, size, skip_nan,           \
                                        load_row_of_##type, load_ones);                            \
        if (!y || skip_nan)                                                                        \
            return sum_bounded_products(x, x_stride, x, x_stride, n, k, partial, size, skip_nan,   \
                                        load_##type, load_ones);                                   \
        if (x_stride == (ptrdiff_t)(size) && y_stride == (ptrdiff_t)(size))                        \
            return sum_bounded_products(x, size, y, size, n, k, partial, size, 0,                  \
                                        load_row_of_##type, load_row_of_##type);                   \
        return sum_bounded_products(x, x_stride, y, y_stride, n, k, partial, size, 0, load_##type, \
                                    load_##type);                                                  \
    }
#define BOUNDED_PRODUCTS(type, size)                                                               \
    BOUNDED_SUMS(products_of_, type, size, 0)                                                      \
    BOUNDED_SUMS(nansums_of_, type, size, 1)
#ifdef widen16
BOUNDED_PRODUCTS(float16, sizeof(uint16_t))
#endif
BOUNDED_PRODUCTS(float32, sizeof(float))
BOUNDED_PRODUCTS(float64, sizeof(double))

#ifdef fused
/* Exactly: p = x y rounded, and e = x y - p. With u = 2^(E-51), v = 2^(E-102), w = 2^(E-154) and
 * the constants A, B and C, each in the middle of a binade with that spacing,
 *
 *   a = A + p             a - A is p to the nearest u
 *   b = p - (a - A) + B   exact: a multiple of v, if |p| >= 2^(E-50)
 *   c = b + e             rounds e to a multiple of v
 *   r = e - (c - b)       exact, and a multiple of w, as x y is, if |p| >= 2^(E-49)
 *   d = C + r             exact
 *
 * and x y = (a - A) + (c - B) + (d - C), three integers of units u, v and w: bits(a) - bits(A) and
 * so on, of either sign, at most 2^51. |p| < 2^E. */
enum { PRODUCT_EXPONENT_RANGE = 49 };

static void sums_of_products(const char *x, const char *y, size_t n, int E, product_sums *result)
{
    enum { WIDTH = 2, STEP = WIDTH * LANES };
    const double a0 = 1.5 * power(E + 1), b0 = 1.5 * power(E - 50), c0 = 1.5 * power(E - 102);
    const vecd A = splatd(a0), C = splatd(c0), AB = splatd(a0 + b0);
    double tail_x[STEP] = {0}, tail_y[STEP] = {0};
    const size_t rows = n / STEP, rest = n % STEP, all = rows + (rest != 0);
    vec sum[WIDTH][3], min[WIDTH], max[WIDTH], smallest[WIDTH];
    for (int k = 0; k < WIDTH; k++) {
        sum[k][0] = sum[k][1] = sum[k][2] = max[k] = splat(0);
        min[k] = smallest[k] = splat(UINT64_MAX);
    }
    memcpy(tail_x, x + rows * sizeof tail_x, rest * sizeof *tail_x);
    memcpy(tail_y, y + rows * sizeof tail_y, rest * sizeof *tail_y);
    for (size_t row = 0; row < all; row++) {
        const char *from_x = row < rows ? x + row * sizeof tail_x : (const char *)tail_x,
                   *from_y = row < rows ? y + row * sizeof tail_y : (const char *)tail_y;
        for (int k = 0; k < WIDTH; k++) {
            const vecd v = load_row_of_float64(from_x + k * VECTOR_BYTES, 0),
                       w = load_row_of_float64(from_y + k * VECTOR_BYTES, 0), p = v * w,
                       e = fused(v, w, -p), a = p + A, b = p - (a - AB), c = b + e,
                       d = C + (e - (c - b));
            const vec size = (vec)p & (UINT64_MAX >> 1);
            sum[k][0] += (vec)a;
            sum[k][1] += (vec)c;
            sum[k][2] += (vec)d;
            max[k] = (vec)larger((vecw)max[k], (vecw)size);
            smallest[k] = (vec)smaller((vecw)smallest[k], (vecw)size);
            min[k] = (vec)smaller((vecw)min[k], (vecw)(size - 1));
        }
    }
    for (int k = 1; k < WIDTH; k++) {
        for (int j = 0; j < 3; j++)
            sum[0][j] += sum[k][j];
        max[0] = (vec)larger((vecw)max[0], (vecw)max[k]);
        smallest[0] = (vec)smaller((vecw)smallest[0], (vecw)smallest[k]);
        min[0] = (vec)smaller((vecw)min[0], (vecw)min[k]);
    }
    const uint64_t count = all * STEP;
    result->magnitudes = range_of((vecw)min[0], (vecw)max[0], 2);
    result->zeros = rest || range_of((vecw)smallest[0], (vecw)smallest[0], 2).min == 0;
    memset(result->sum, 0, sizeof result->sum);
    add_shifted(result->sum, widened(sum_of_lanes(sum[0][0]) - count * bits_of(a0)), 154);
    add_shifted(result->sum, widened(sum_of_lanes(sum[0][1]) - count * bits_of(b0)), 103);
    add_shifted(result->sum, widened(sum_of_lanes(sum[0][2]) - count * bits_of(c0)), 51);
}
#endif
#endif

/* ---- short sums of products, one lane each: see lanes.h ------------------------- */

#if defined(FLOATS) && defined(fused)
/* As sum_lanes: the products x y = q + l are added to high and low. With Q the sum of |q|, low errs
 * by at most n (n + 3) 2^-106 Q in all, and not at all if it is a multiple of the product of the
 * grids of x and y that has at most 53 bits. */
static inline __attribute__((always_inline)) void
sum_product_lanes(const lane_rows *from_x, const lane_rows *from_y, lane_sums *sums, size_t size,
                  int of_integers, unsigned digits, lane_loader *load)
{
    const double n = (double)from_x->rows, unit = 0x1p-106 * 1.01;
    for (size_t c = 0; c < from_x->columns; c += LANES) {
        estimate sum = {splatd(0.0), splatd(0.0), splatd(0.0)};
        extent of_x = empty_extent(), of_y = of_x;
        vecd total = splatd(0.0), low;
        for (size_t r = 0; r < from_x->rows; r++) {
            vecd x = load(from_x->x + from_x->row[r] + c * size, 1, &low),
                 y = load(from_y->x + from_y->row[r] + c * size, 1, &low);
            if (!of_integers) {
                extend(&of_x, x);
                extend(&of_y, y);
            }
            const vecd q = x * y, l = fused(x, y, -q);
            vecd error;
            sum.high = two_sum(sum.high, q, &error);
            sum.low += error + l;
            total += magnitude(q);
        }
        vecd grid = splatd(1.0);
        if (!of_integers)
            grid = select_bits((vec)(of_x.min > 0x1p-400) & (vec)(of_y.min > 0x1p-400),
                               grid_of(&of_x, digits) * grid_of(&of_y, digits));
        sum.error_bound =
            low_error_bound(total * ((n + 2) * unit), grid, total * (n * (n + 3) * unit));
        store_estimate(sums->number, c, sum);
    }
}

#define PRODUCT_LANES(type, size, of_integers, digits)                                             \
    static void product_lanes_of_##type(const lane_rows *x, const lane_rows *y, lane_sums *sums)   \
    {                                                                                              \
        sum_product_lanes(x, y, sums, size, of_integers, digits, load_lanes_of_##type);            \
    }
#define PRODUCT_LANES_OF_INTEGERS(type, size) PRODUCT_LANES(type, size, 1, 53)
PRODUCT_LANES_OF_INTEGERS(int8, 1)
PRODUCT_LANES_OF_INTEGERS(uint8, 1)
PRODUCT_LANES_OF_INTEGERS(bool, 1)
PRODUCT_LANES_OF_INTEGERS(int16, 2)
PRODUCT_LANES_OF_INTEGERS(uint16, 2)
PRODUCT_LANES_OF_INTEGERS(int32, 4)
PRODUCT_LANES_OF_INTEGERS(uint32, 4)
#ifdef widen16
PRODUCT_LANES(float16, 2, 0, 11)
#define PRODUCT_LANES_OF_FLOAT16 product_lanes_of_float16
#else
#define PRODUCT_LANES_OF_FLOAT16 NULL
#endif
PRODUCT_LANES(float32, 4, 0, 24)
PRODUCT_LANES(float64, 8, 0, 53)
#endif

/* ---- integers --------------------------------------------------------------- */

/* `wide` holds a product, `partial` the sum of SHORT_RUN of them. */
#define PRODUCTS_OF_INTEGERS(type, wide, partial)                                                  \
    static void products_of_##type(const char *x, const char *y, size_t n, uint64_t sum[4])        \
    {                                                                                              \
        int64_t total = 0;                                                                         \
        for (size_t m; n; n -= m, x += m * sizeof(type), y += m * sizeof(type)) {                  \
            partial some = 0;                                                                      \
            m = n < SHORT_RUN ? n : SHORT_RUN;                                                     \
            for (size_t k = 0; k < m; k++) {                                                       \
                type v, w;                                                                         \
                READ(v, x, k);                                                                     \
                READ(w, y, k);                                                                     \
                some += (partial)((wide)v * (wide)w);                                              \
            }                                                                                      \
            total += (int64_t)some;                                                                \
        }                                                                                          \
        set_sum(sum, (uint64_t)total, 0 - (uint64_t)(total < 0));                                  \
    }
#ifndef madd16 /* else in integers.h */
PRODUCTS_OF_INTEGERS(int8_t, int32_t, int32_t)
PRODUCTS_OF_INTEGERS(uint8_t, uint32_t, uint32_t)
PRODUCTS_OF_INTEGERS(int16_t, int32_t, int64_t)
PRODUCTS_OF_INTEGERS(uint16_t, uint32_t, uint64_t)
#endif

/* 32 bits: the halves of the 64-bit products are summed apart, the upper ones with their sign. */
#define PRODUCTS_OF_MEDIUM_INTEGERS(type, wide, sign_of)                                           \
    static void products_of_##type(const char *x, const char *y, size_t n, uint64_t sum[4])        \
    {                                                                                              \
        uint64_t low = 0;                                                                          \
        wide high = 0;                                                                             \
        for (size_t k = 0; k < n; k++) {                                                           \
            type v, w;                                                                             \
            READ(v, x, k);                                                                         \
            READ(w, y, k);                                                                         \
            const wide product = (wide)v * (wide)w;                                                \
            low += (uint64_t)product & 0xffffffffu;                                                \
            high += product >> 32;                                                                 \
        }                                                                                          \
        const uint64_t sign = sign_of((uint64_t)high);                                             \
        set_sum(sum, low, 0);                                                                      \
        add_at(sum, 4, 32, (pc_u128){(uint64_t)high, sign}, sign);                                 \
    }
#define no_sign(x) 0
#ifndef muls32
PRODUCTS_OF_MEDIUM_INTEGERS(int32_t, int64_t, sign_of_word)
PRODUCTS_OF_MEDIUM_INTEGERS(uint32_t, uint64_t, no_sign)
#endif
