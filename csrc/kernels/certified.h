/* Squares of floats summed in four operations an element, with what is lost bounded
 * (docs/design/certified.md). A lane holds s, which starts as C = 2^k, and t:
 *
 *   h = s + x^2             rounded once, to a multiple of g = 2^(k-52) while below 2C
 *   t = t + (x^2 - (h - s)) what h lost, at most g/2, rounded
 *   s = h
 *
 * s never falls, and NaN stays: so its last value, seen in [C, 2C), says that all of
 * it held. (bits(s) - bits(C)) g + t is the sum then, but for the roundings of t. */

#ifdef FLOATS
typedef struct {
    vecd s, t;
} lane;

/* `narrow`: x^2 is a double. */
static inline void add_square(lane *to, vecd x, int narrow)
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
}

/* What reads LANES numbers that lie `stride` bytes apart, or, as _row, side by side. */
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

#if LANES == 8 /* written out, for compilers to see what it is */
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

/* NaN is larger than any number. */
static inline double larger_double(double x, double y)
{
    return y <= x ? x : y;
}

/* A row is WAYS vectors: so many chains of additions hide the latency of each. */
enum { WAYS = 4, ROW = WAYS * LANES, ROWS = FLOAT_BLOCK / ROW };

/* Sum the squares of some rows from s = C on. Returns whether all of it held: then
 * `whole` and `t` have grown by them, else `most` says how far a lane came. */
static inline __attribute__((always_inline)) int add_rows(const char *x, ptrdiff_t stride,
                                                          size_t rows, vecd C, vecd t[WAYS],
                                                          vec *whole, double *most, size_t size,
                                                          loader *load)
{
    lane to[WAYS];
    vec units = splat(0), beyond = splat(0);
    for (int w = 0; w < WAYS; w++) {
        to[w].s = C;
        to[w].t = t[w];
    }
    for (; rows; rows--)
        for (int w = 0; w < WAYS; w++, x += LANES * stride)
            add_square(&to[w], load(x, stride), size < sizeof(double));
    for (int w = 0; w < WAYS; w++) {
        vec grown = (vec)to[w].s - (vec)C;
        units += grown;
        beyond |= grown >> 52;
    }
    if (sum_of_lanes(beyond)) {
        for (int w = 0; w < WAYS; w++)
            for (int k = 0; k < LANES; k++)
                *most = larger_double(*most, to[w].s[k]);
        return 0;
    }
    *whole += units;
    for (int w = 0; w < WAYS; w++)
        t[w] = to[w].t;
    return 1;
}

static inline __attribute__((always_inline)) size_t certify(const char *x, ptrdiff_t stride,
                                                            size_t n, int k, certified *found,
                                                            size_t size, loader *load,
                                                            loader *load_tail)
{
    const vecd C = splatd(power(k));
    vecd t[WAYS];
    vec whole = splat(0);
    size_t done = 0, step;

    for (int w = 0; w < WAYS; w++)
        t[w] = splatd(0.0);
    found->most = 0.0;
    for (; done < n; done += step, x += (ptrdiff_t)step * stride) {
        size_t rows = (n - done) / ROW;
        int held;
        rows = rows < ROWS ? rows : ROWS;
        step = rows * ROW;
        if (rows) {
            held = add_rows(x, stride, rows, C, t, &whole, &found->most, size, load);
        } else {
            char tail[ROW * sizeof(double)] = {0};
            step = n - done;
            for (size_t j = 0; j < step; j++)
                memcpy(tail + j * size, x + (ptrdiff_t)j * stride, size);
            held = add_rows(tail, (ptrdiff_t)size, 1, C, t, &whole, &found->most, size, load_tail);
        }
        if (!held)
            break;
    }
    for (int w = 1; w < WAYS; w++)
        t[0] += t[w];
    found->whole = sum_of_lanes(whole);
    found->rest = 0.0;
    for (int j = 0; j < LANES; j++)
        found->rest += t[0][j];
    return done;
}

/* One lane a column; eight rows at a time, as squares_of_columns (exact.h). */
static inline __attribute__((always_inline)) void certify_columns(const char *x, ptrdiff_t stride,
                                                                  size_t rows, size_t columns,
                                                                  const int *k, certified *found,
                                                                  size_t size, loader *load)
{
    lane to[PC_PANEL / LANES];
    vecd C[PC_PANEL / LANES];
    size_t vectors = columns / LANES;

    for (size_t v = 0; v < vectors; v++) {
        for (int j = 0; j < LANES; j++)
            C[v][j] = power(k[v * LANES + (size_t)j]);
        to[v].s = C[v];
        to[v].t = splatd(0.0);
    }
    for (size_t row = 0, some; row < rows; row += some, x += (ptrdiff_t)some * stride) {
        some = rows - row < 8 ? rows - row : 8;
        for (size_t v = 0; v < vectors; v++) {
            lane here = to[v];
            const char *from = x + v * LANES * size;
            for (size_t r = 0; r < some; r++, from += stride) {
                prefetch(from, 8 * stride);
                add_square(&here, load(from, 0), size < sizeof(double));
            }
            to[v] = here;
        }
    }
    for (size_t c = 0; c < columns; c++) {
        double s = to[c / LANES].s[c % LANES];
        found[c].whole = bits_of(s) - bits_of(C[c / LANES][c % LANES]);
        found[c].rest = to[c / LANES].t[c % LANES];
        found[c].most = found[c].whole >> 52 ? s : 0.0;
    }
}

#define CERTIFIED(type, size)                                                                      \
    static size_t certified_##type(const char *x, ptrdiff_t stride, size_t n, int k,               \
                                   certified *found)                                               \
    {                                                                                              \
        if (stride == (ptrdiff_t)(size))                                                           \
            return certify(x, size, n, k, found, size, load_row_of_##type, load_row_of_##type);    \
        return certify(x, stride, n, k, found, size, load_##type, load_row_of_##type);             \
    }                                                                                              \
    static void certified_columns_of_##type(const char *x, ptrdiff_t stride, size_t rows,          \
                                            size_t columns, const int *k, certified *found)        \
    {                                                                                              \
        certify_columns(x, stride, rows, columns, k, found, size, load_row_of_##type);             \
    }
#ifdef widen16
CERTIFIED(float16, sizeof(uint16_t))
#endif
CERTIFIED(float32, sizeof(float))
CERTIFIED(float64, sizeof(double))
#endif
