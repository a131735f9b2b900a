/* Sums of squares of floats in four operations per element, with an error bound
 * (docs/design/bounded.md). A lane holds s, which starts as C = 2^k, and t:
 *
 *   h = s + x^2             rounded once, to a multiple of 2^(k-52) while below 2C
 *   t = t + (x^2 - (h - s)) what h lost, at most half of that, rounded
 *   s = h
 *
 * s never decreases, and NaN persists: if its last value is in [C, 2C), so were all before it. The
 * sum is then (bits(s) - bits(C)) 2^(k-52) + t, up to the roundings of t.
 *
 * For the sum of the numbers themselves, a starts as D = 1.5 * 2^numbers_exponent(k), and b as 0:
 *
 *   f = a + x               rounded once, to a multiple of 2^(numbers_exponent(k) - 52)
 *   b = b + ((a - f) + x)   what f lost, exact; rounded only in the addition to b
 *   a = f
 *
 * By Cauchy-Schwarz, a stays in the binade of D if s < 2C. */

#ifdef FLOATS
typedef struct {
    vecd s, t, a, b;
} lane;

static inline vecd select_bits(vec mask, vecd x)
{
    return (vecd)(mask & (vec)x);
}

#ifndef without_nan
/* x, or 0 where it is NaN, which *missing counts in each lane. */
static inline vecd without_nan(vecd x, vec *missing)
{
    const vec is_nan = (vec)(x != x);
    *missing -= is_nan;
    return select_bits(~is_nan, x);
}
#endif

/* x + y, as x * 1 + y where that balances the execution ports: 0.17 instead of 0.21 ns per element
 * on Zen 4. */
static inline vecd plus(vecd x, vecd y)
{
#ifdef fused
    return fused(x, splatd(1.0), y);
#else
    return x + y;
#endif
}

/* `narrow`: x^2 is exact in double. `both`: sum the numbers, too. */
static inline __attribute__((always_inline)) void add_to_lane(lane *to, vecd x, int narrow,
                                                              int both)
{
#ifdef fused
    vecd h = fused(x, x, to->s);
    to->t += fused(x, x, to->s - h);
    (void)narrow;
#else
    vecd p = x * x, h = to->s + p, lost = to->s - h + p;
    if (!narrow) { /* x^2 - p by Dekker's product */
        vecd c = x * 134217729.0, high = c - (c - x), low = x - high;
        lost += high * high - p + high * (low + low) + low * low;
    }
    to->t += lost;
#endif
    to->s = h;
    if (both) {
        vecd f = plus(x, to->a);
        to->b += plus(x, to->a - f);
        to->a = f;
    }
}

/* Loads LANES numbers, `stride` bytes apart; load_row_of_... load contiguous ones. */
typedef vecd loader(const char *x, ptrdiff_t stride);

static inline vecd load_row_of_float64(const char *x, ptrdiff_t stride)
{
    vecd v;
    (void)stride;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline vecd load_row_of_float32(const char *x, ptrdiff_t stride)
{
    typedef float half __attribute__((vector_size(VECTOR_BYTES / 2)));
    half v;
    (void)stride;
    memcpy(&v, x, sizeof v);
    return widen(v);
}

#if LANES == 8 /* written out, so that compilers vectorize it */
#define VECTOR_OF(at) ((vecd){at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7)})
#elif LANES == 4
#define VECTOR_OF(at) ((vecd){at(0), at(1), at(2), at(3)})
#else
#define VECTOR_OF(at) ((vecd){at(0), at(1)})
#endif

static inline double float64_at(const char *x)
{
    double value;
    memcpy(&value, x, sizeof value);
    return value;
}

static inline double float32_at(const char *x)
{
    float value;
    memcpy(&value, x, sizeof value);
    return value;
}

static inline vecd load_float64(const char *x, ptrdiff_t stride)
{
#define AT(k) float64_at(x + (k) * stride)
    return VECTOR_OF(AT);
#undef AT
}

static inline vecd load_float32(const char *x, ptrdiff_t stride)
{
#define AT(k) float32_at(x + (k) * stride)
    return VECTOR_OF(AT);
#undef AT
}

#ifdef widen16
static inline vecd load_row_of_float16(const char *x, ptrdiff_t stride)
{
    (void)stride;
    return widen16(x);
}

static inline vecd load_float16(const char *x, ptrdiff_t stride)
{
    uint16_t row[LANES];
    for (int k = 0; k < LANES; k++)
        memcpy(&row[k], x + k * stride, sizeof *row);
    return widen16(row);
}
#endif

/* The larger one; NaN counts as larger than any number. */
static inline double larger_double(double x, double y)
{
    return x >= y || x != x ? x : y;
}

/* A row is WAYS vectors, or half as many if both are summed: independent chains of additions, to
 * hide their latency. */
enum { WAYS = 4, ROW = WAYS * LANES };

typedef struct {
    vecd C, D;
    vecd t[WAYS], b[WAYS];
    vec units, number_units, missing;
} run_sums;

/* The distances in bytes between numbers, between the vectors of a row, and between rows. */
typedef struct {
    ptrdiff_t number, way, row;
} row_strides;

/* The strides of rows of n numbers in all. If `streamed`, each way reads a part of its own. */
static inline row_strides row_strides_of(ptrdiff_t stride, size_t ways, size_t n, int streamed)
{
    const ptrdiff_t vector = LANES * stride, rows = (ptrdiff_t)(n / (ways * LANES));
    return streamed ? (row_strides){stride, rows * vector, vector}
                    : (row_strides){stride, vector, (ptrdiff_t)ways * vector};
}

/* Sum some rows, starting from s = C and a = D. If no lane overflowed, add them to the sums of the
 * run and return 1; else set *max to the largest s, and return 0. NaN counts as 0 if skip_nan. */
static inline __attribute__((always_inline)) int add_rows(const char *x, row_strides step,
                                                          size_t rows, run_sums *sums, double *max,
                                                          size_t size, int both, int skip_nan,
                                                          loader *load)
{
    const int ways = both ? WAYS / 2 : WAYS;
    lane to[WAYS];
    vec units = splat(0), number_units = splat(0), out_of_range = splat(0), missing = splat(0);
    for (int w = 0; w < ways; w++) {
        to[w].s = sums->C;
        to[w].t = sums->t[w];
        if (both) {
            to[w].a = sums->D;
            to[w].b = sums->b[w];
        }
    }
    for (; rows; rows--, x += step.row)
        for (int w = 0; w < ways; w++) {
            vecd v = load(x + w * step.way, step.number);
            if (skip_nan)
                v = without_nan(v, &missing);
            add_to_lane(&to[w], v, size < sizeof(double), both);
        }
    for (int w = 0; w < ways; w++) {
        vec grown = (vec)to[w].s - (vec)sums->C;
        units += grown;
        out_of_range |= grown >> 52;
        if (both)
            number_units += (vec)to[w].a - (vec)sums->D;
    }
    if (any_bits(out_of_range)) {
        for (int w = 0; w < ways; w++)
            for (int k = 0; k < LANES; k++)
                *max = larger_double(*max, to[w].s[k]);
        return 0;
    }
    sums->units += units;
    sums->number_units += number_units;
    sums->missing += missing;
    for (int w = 0; w < ways; w++) {
        sums->t[w] = to[w].t;
        if (both)
            sums->b[w] = to[w].b;
    }
    return 1;
}

static inline __attribute__((always_inline)) size_t sum_bounded(const char *x, ptrdiff_t stride,
                                                                size_t n, int k,
                                                                bounded_sums *partial, size_t size,
                                                                int both, int skip_nan,
                                                                loader *load)
{
    const int ways = both ? WAYS / 2 : WAYS, contiguous = stride == (ptrdiff_t)size;
    const int streamed = contiguous && n >= MIN_STREAMED;
    const size_t row = (size_t)ways * LANES, max_rows = FLOAT_BLOCK / row;
    const row_strides usual = row_strides_of(stride, (size_t)ways, n, streamed),
                      of_tail = row_strides_of((ptrdiff_t)size, (size_t)ways, n, 0);
    char tail[ROW * sizeof(double)] = {0};
    run_sums sums;
    size_t done = 0, step;

    for (int w = 0; w < ways; w++) {
        sums.t[w] = splatd(0.0);
        if (both)
            sums.b[w] = splatd(0.0);
    }
    sums.C = splatd(power(k));
    sums.D = splatd(start_of_numbers(k));
    sums.units = sums.number_units = sums.missing = splat(0);
    partial->overflow_at = 0.0;
    for (; done < n; done += step) {
        size_t rows = (n - done) / row;
        const char *from = x + (ptrdiff_t)(done / row) * usual.row;
        const int whole = rows != 0;
        rows = rows < max_rows ? rows : max_rows;
        step = rows * row;
        if (!whole) {
            step = n - done;
            for (size_t j = 0; j < step; j++)
                memcpy(tail + j * size, x + (ptrdiff_t)(done + j) * stride, size);
            from = tail;
            rows = 1;
        }
        if (!add_rows(from, whole ? usual : of_tail, rows, &sums, &partial->overflow_at, size, both,
                      skip_nan, load)) {
            done = streamed ? 0 : done;
            break;
        }
    }
    for (int w = 1; w < ways; w++) {
        sums.t[0] += sums.t[w];
        if (both)
            sums.b[0] += sums.b[w];
    }
    partial->units = sum_of_lanes(sums.units);
    partial->missing = skip_nan && done ? sum_of_lanes(sums.missing) : 0;
    partial->residual = 0.0;
    for (int j = 0; j < LANES; j++)
        partial->residual += sums.t[0][j];
    for (int p = 0; both && p < 2; p++) {
        partial->number_units[p] = sum_of_every_other(sums.number_units, p);
        partial->number_residual[p] = 0.0;
        for (int j = p; j < LANES; j += 2)
            partial->number_residual[p] += sums.b[0][j];
    }
    return done;
}

/* How many rows are summed, column by column, while the next ones are fetched row by row. */
enum { ROWS_AT_ONCE = 32 };

/* One lane per column. */
static inline __attribute__((always_inline)) void
sum_bounded_columns(const char *x, ptrdiff_t stride, size_t rows, size_t columns, const int *k,
                    column_sums *sums, size_t size, int both, int skip_nan, loader *load)
{
    for (size_t c = 0; c < columns; c++) {
        sums->missing[c] = 0;
        sums->s[c] = power(k[c]);
        sums->t[c] = 0.0;
        if (both) {
            sums->a[c] = start_of_numbers(k[c]);
            sums->b[c] = 0.0;
        }
    }
    for (size_t row = 0, some; row < rows; row += some, x += (ptrdiff_t)some * stride) {
        some = rows - row < ROWS_AT_ONCE ? rows - row : ROWS_AT_ONCE;
        ptrdiff_t next = (ptrdiff_t)some * stride; /* the row to fetch, from this one on */
        const size_t width = rows - row > some ? columns * size : 0;
        size_t at = 0;
        for (size_t c = 0; c < columns; c += LANES) {
            lane here;
            vec missing;
            const char *from = x + c * size;
            memcpy(&here.s, &sums->s[c], sizeof here.s);
            memcpy(&here.t, &sums->t[c], sizeof here.t);
            memcpy(&missing, &sums->missing[c], sizeof missing);
            if (both) {
                memcpy(&here.a, &sums->a[c], sizeof here.a);
                memcpy(&here.b, &sums->b[c], sizeof here.b);
            }
            for (size_t r = 0; r < some; r++, from += stride) {
                vecd v = load(from, 0);
                if (at < width)
                    prefetch_to_l2(x, next + (ptrdiff_t)at);
                if ((at += LANES * size) >= width) {
                    at = 0;
                    next += stride;
                }
                if (skip_nan)
                    v = without_nan(v, &missing);
                add_to_lane(&here, v, size < sizeof(double), both);
            }
            if (skip_nan)
                memcpy(&sums->missing[c], &missing, sizeof missing);
            memcpy(&sums->s[c], &here.s, sizeof here.s);
            memcpy(&sums->t[c], &here.t, sizeof here.t);
            if (both) {
                memcpy(&sums->a[c], &here.a, sizeof here.a);
                memcpy(&sums->b[c], &here.b, sizeof here.b);
            }
        }
    }
}

#define BOUNDED_OF(type, size, name, both, skip_nan)                                               \
    static size_t name##_##type(const char *x, ptrdiff_t stride, size_t n, int k,                  \
                                bounded_sums *partial)                                             \
    {                                                                                              \
        if (stride == (ptrdiff_t)(size))                                                           \
            return sum_bounded(x, size, n, k, partial, size, both, skip_nan, load_row_of_##type);  \
        return sum_bounded(x, stride, n, k, partial, size, both, skip_nan, load_##type);           \
    }                                                                                              \
    static void name##_columns_of_##type(const char *x, ptrdiff_t stride, size_t rows,             \
                                         size_t columns, const int *k, column_sums *sums)          \
    {                                                                                              \
        sum_bounded_columns(x, stride, rows, columns, k, sums, size, both, skip_nan,               \
                            load_row_of_##type);                                                   \
    }
#define BOUNDED(type, size)                                                                        \
    BOUNDED_OF(type, size, squares, 0, 0)                                                          \
    BOUNDED_OF(type, size, moments, 1, 0)                                                          \
    BOUNDED_OF(type, size, nanmoments, 1, 1)
#ifdef widen16
BOUNDED(float16, sizeof(uint16_t))
#endif
BOUNDED(float32, sizeof(float))
BOUNDED(float64, sizeof(double))
#endif
