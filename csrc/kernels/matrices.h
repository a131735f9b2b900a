/* Many sums of floats at once, with an error bound: of the numbers of one array, of their squares,
 * of both, or of the products of two arrays. Bounds and proofs: docs/design/lanes.md, pairs.md.
 * Assumes rounding to nearest and fused multiply-add. */

#if defined(FLOATS) && defined(fused)

/* s, which starts as D, and t, as in pairs.h and bounded.h. */
typedef struct {
    vecd s, t;
} bounded_lane;

/* A lane of a sum, and of a second one: of numbers beside squares, or of weights. `seen` tells
 * whether s left the binade of D; `min` is the smallest summand of the first sum, except 0. */
typedef struct {
    bounded_lane first, second;
    vec seen;
    vecd min;
} matrix_lane;

static inline int has_two_sums(summands what)
{
    return what == SUM_BOTH || what == SUM_WEIGHTED;
}

static inline int of_two_arrays(summands what)
{
    return what == SUM_PRODUCTS || what == SUM_WEIGHTED;
}

/* D, the start of a sum. Numbers are multiplied by 2^-exponent on the way, and D is -1.5: an h in
 * another binade, or of the other sign, has a 0 among the upper 12 bits where D has a 1, or is
 * infinite or NaN, and remains so. Sums of squares only rise. */
static inline vecd start_of_matrix_sum(summands what, int exponent)
{
    return splatd(what == SUM_NUMBERS ? -1.5 : 1.5 * power(exponent));
}

static inline matrix_lane new_matrix_lane(const vecd D[2], summands what)
{
    return (matrix_lane){{D[0], splatd(0.0)},
                         {D[1], splatd(0.0)},
                         what == SUM_NUMBERS ? (vec)D[0] : splat(0),
                         splatd(0x1p1000)};
}

/* y is 2^-exponent for numbers, and x for squares. `digits`: those of a product, or 0 if `min` is
 * not wanted. */
static inline __attribute__((always_inline)) void
add_to_matrix_lane(matrix_lane *to, vecd x, vecd y, const vecd D[2], unsigned digits, summands what)
{
    add_product(&to->first.s, &to->first.t, x, y, digits != 0);
    if (what == SUM_NUMBERS)
        to->seen &= (vec)to->first.s;
    else if (of_two_arrays(what))
        to->seen |= (vec)to->first.s ^ (vec)D[0];
    if (digits)
        to->min = vector_min((vecd)((vec)magnitude(what == SUM_NUMBERS ? x : x * y) - 1), to->min);
    if (has_two_sums(what)) {
        const vecd h = plus(y, to->second.s);
        to->second.t += plus(y, to->second.s - h);
        to->second.s = h;
        if (what == SUM_WEIGHTED)
            to->seen |= (vec)h ^ (vec)D[1];
    }
}

/* Has bits from 52 on if s was not always in the binade of D. */
static inline __attribute__((always_inline)) vec has_left_binade(const matrix_lane *lane, vecd D,
                                                                 summands what)
{
    if (of_two_arrays(what))
        return lane->seen;
    const vec last = (vec)lane->first.s ^ (vec)D;
    return what == SUM_NUMBERS ? last | (lane->seen ^ (vec)D) : last;
}

/* By how many units s grew. */
static inline vec units_grown(vecd s, vecd D, int negative)
{
    return negative ? (vec)D - (vec)s : (vec)s - (vec)D;
}

/* The error bound for sums of `lanes` lanes of m summands each, whose t are added up in `steps`
 * more steps. */
static inline double matrix_bound(size_t lanes, size_t m, size_t steps, int exponent)
{
    const double number = (double)m;
    return (double)lanes * number * (number + 3 + 2 * (double)steps) * 0x1.03p-55 *
           power(exponent - 52);
}

/* If all n summands are multiples of this, no addition to t has been rounded. */
static inline double exact_grid(size_t n, int exponent)
{
    return (double)n * power(exponent - 106);
}

/* The bound, or 0 where no addition to t can have been rounded: numbers of so many digits are
 * multiples of 2^-digits times the smallest. */
static inline vecd unless_exact(double bound, unsigned digits, vecd min, size_t n, int exponent)
{
    return digits ? select_bits((vec) ~(min * power(-(int)digits) >= exact_grid(n, exponent)),
                                splatd(bound))
                  : splatd(bound);
}

/* NaN in the lanes of t whose sum left its binade. */
static inline vecd unless_left_binade(vecd t, vec out_of_binade)
{
    return (vecd)((vec)t | (vec)(out_of_binade >> 52 != 0));
}

/* Store the estimates of LANES outputs, at column c. */
static inline void store_matrix_sums(lane_sums *sums, size_t c, summands what, estimate first,
                                     estimate second)
{
    store_estimate(what == SUM_NUMBERS || what == SUM_PRODUCTS ? sums->number : sums->square, c,
                   first);
    if (has_two_sums(what))
        store_estimate(sums->number, c, second);
    if (what == SUM_BOTH) { /* not known */
        store_doubles(sums->grid + c, splatd(0.0));
        store_doubles(sums->common_magnitude + c, (vecd)splat(UINT64_MAX));
    }
}

/* Sum some columns from `first` on. Returns bits from bit 52 on for those that left their binade.
 * (Twice as many columns take longer from memory: measured on Zen 3.) */
static inline __attribute__((always_inline)) vec
sum_step_of_columns(const lane_matrix *from, const int exponent[2], lane_sums *sums, size_t first,
                    size_t size, unsigned digits, summands what, int skip_nan, loader *load)
{
    const int two = of_two_arrays(what), numbers = what == SUM_NUMBERS;
    const vecd D[2] = {start_of_matrix_sum(what, exponent[0]), splatd(1.5 * power(exponent[1]))},
               unit = splatd(numbers ? power(exponent[0]) : 1.0),
               scale = splatd(power(-exponent[0]));
    const size_t n = from->length;
    const ptrdiff_t ahead = first * size % 64 ? 0 : from->ahead;
    const char *x = from->x, *y = two ? from->y : x;
    matrix_lane lane[VECTORS_PER_STEP];
    vec missing[VECTORS_PER_STEP], out_of_binade = splat(0);
    size_t c[VECTORS_PER_STEP];
    find_columns(c, first, from->outputs);
    EACH
    {
        lane[k] = new_matrix_lane(D, what);
        missing[k] = splat(0);
    }
    for (size_t r = 0; r < n; r++, x += from->x_step) {
        for (size_t line = 0; ahead && line < VECTORS_PER_STEP * LANES * size; line += 64) {
            prefetch(x + first * size + line, ahead);
            if (two)
                prefetch(y + first * size + line, ahead);
        }
        EACH
        {
            vecd v = load(x + c[k] * size, 0);
            if (skip_nan)
                v = without_nan(v, &missing[k]);
            add_to_matrix_lane(&lane[k], v,
                               two       ? load(y + c[k] * size, 0)
                               : numbers ? scale
                                         : v,
                               D, digits, what);
        }
        if (two)
            y += from->y_step;
    }
    EACH
    {
        const vec gone = has_left_binade(&lane[k], D[0], what);
        const estimate sum = {(lane[k].first.s - D[0]) * unit,
                              unless_left_binade(lane[k].first.t, gone) * unit,
                              unless_exact(matrix_bound(1, n, 0, exponent[0]), digits, lane[k].min,
                                           n, exponent[0])},
                       second = {lane[k].second.s - D[1], lane[k].second.t,
                                 splatd(matrix_bound(1, n, 0, exponent[1]))};
        store_matrix_sums(sums, c[k], what, sum, second);
        if (skip_nan)
            store_doubles(sums->count + c[k], double_of_small(n - missing[k]));
        out_of_binade |= gone;
    }
    return out_of_binade;
}

static inline __attribute__((always_inline)) int
sum_columns_in_lanes(const lane_matrix *from, const int exponent[2], lane_sums *sums, size_t size,
                     unsigned digits, summands what, int skip_nan, loader *load)
{
    vec out_of_binade = splat(0);
    for (size_t c = 0; c < from->outputs; c += VECTORS_PER_STEP * LANES)
        out_of_binade |=
            sum_step_of_columns(from, exponent, sums, c, size, digits, what, skip_nan, load);
    return !any_bits(out_of_binade >> 52);
}

/* The sums of the lanes of LANES vectors: adjacent ones of two vectors are added up, and so on. */
#if LANES == 8
#define ADD_LANES(v)                                                                               \
    do {                                                                                           \
        ADD_HALVES(v, 4, (0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15));                \
        ADD_HALVES(v, 2, (0, 1, 4, 5, 8, 9, 12, 13), (2, 3, 6, 7, 10, 11, 14, 15));                \
        ADD_HALVES(v, 1, (0, 1, 4, 5, 8, 9, 12, 13), (2, 3, 6, 7, 10, 11, 14, 15));                \
    } while (0)
#elif LANES == 4
#define ADD_LANES(v)                                                                               \
    do {                                                                                           \
        ADD_HALVES(v, 2, (0, 4, 2, 6), (1, 5, 3, 7));                                              \
        ADD_HALVES(v, 1, (0, 1, 4, 5), (2, 3, 6, 7));                                              \
    } while (0)
#else
#define ADD_LANES(v) ADD_HALVES(v, 1, (0, 2), (1, 3))
#endif
#define ADD_HALVES(v, half, first, second)                                                         \
    UNROLLED                                                                                       \
    for (int j = 0; j < (half); j++)                                                               \
    (v)[j] = SHUFFLE(vec, (v)[2 * j], (v)[2 * j + 1], first) +                                     \
             SHUFFLE(vec, (v)[2 * j], (v)[2 * j + 1], second)

/* The sums of LANES rows, in a lane each, from their units and t, in a vector each; t is to be
 * multiplied by 2^exponent if `scaled`. */
static inline __attribute__((always_inline)) estimate sum_of_rows(vec units[LANES], vecd t[LANES],
                                                                  int exponent, int scaled,
                                                                  vecd bound)
{
    vecd error, rounding;
    ADD_LANES(units);
    ADD_LANES(t);
    vec all = units[0];
    vecd residual = t[0];
    if (scaled)
        residual *= power(exponent);
    /* units is below 2^62 in size: its upper and lower half are doubles. */
    all += UINT64_C(1) << 62;
    const double g = power(exponent - 52);
    const vecd high = (double_of_small(all >> 32) - 0x1p30) * (g * 0x1p32),
               low = double_of_small(all & 0xffffffffu) * g;
    estimate sum;
    sum.high = two_sum(high, low, &error);
    sum.low = two_sum(error, residual, &rounding);
    sum.error_bound = bound + magnitude(rounding);
    return sum;
}

/* Ones in the last `rest` lanes of what is read LANES - rest words after the middle. */
static inline vec last_lanes(size_t rest)
{
    static const uint64_t words[2 * LANE_STEP] = {0,          0,          0,          0,
                                                  0,          0,          0,          0,
                                                  UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                                  UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    vec mask;
    memcpy(&mask, words + LANE_STEP - LANES + rest, sizeof mask);
    return mask;
}

/* The extents of LANES rows, each still in all lanes of a vector. */
typedef struct {
    vecd bits[LANES], min[LANES], max[LANES];
} row_extents;

/* The extents of LANES rows, in a lane each. */
static inline extent extent_of_rows(row_extents *rows)
{
    extent all = empty_extent();
    transpose(rows->bits);
    transpose(rows->min);
    transpose(rows->max);
    for (int j = 0; j < LANES; j++) {
        all.bits |= (vec)rows->bits[j];
        all.min = vector_min(rows->min[j], all.min);
        all.max = vector_max(rows->max[j], all.max);
    }
    return all;
}

/* The most vectors of a row that are summed side by side. */
enum { MAX_WAYS = 4 };

/* `gridded`: for SUM_BOTH, with grid and common_magnitude, and bounds of 0 where no addition was
 * rounded. */
static inline __attribute__((always_inline)) int
sum_rows_in_lanes(const lane_matrix *from, const int exponent[2], lane_sums *sums, size_t size,
                  unsigned digits, summands what, int skip_nan, int gridded, int ways, loader *load)
{
    const int numbers = what == SUM_NUMBERS, two = of_two_arrays(what);
    const vecd D[2] = {start_of_matrix_sum(what, exponent[0]), splatd(1.5 * power(exponent[1]))},
               scale = splatd(power(-exponent[0]));
    const size_t n = from->length, row = (size_t)ways * LANES, m = n / row + 1, rest = n % LANES;
    const vec tail = last_lanes(rest);
    vec any_out_of_binade = splat(0);
    for (size_t first = 0; first < from->outputs; first += LANES) {
        vec units[2][LANES], gone[LANES];
        vecd t[2][LANES], min[LANES], smallest = splatd(0x1p1000);
        row_extents extents;
        for (size_t j = 0; j < LANES; j++) {
            if (first + j >= from->outputs) {
                units[0][j] = units[1][j] = gone[j] = splat(0);
                t[0][j] = t[1][j] = splatd(0.0);
                extents.bits[j] = extents.max[j] = splatd(0.0);
                min[j] = extents.min[j] = splatd(0x1p400);
                continue;
            }
            const char *x = from->x + (ptrdiff_t)(first + j) * from->x_step,
                       *y = two ? from->y + (ptrdiff_t)(first + j) * from->y_step : x;
            matrix_lane lane[MAX_WAYS];
            extent all = empty_extent();
            vec missing = splat(0);
            size_t i = 0;
#define ADD_VECTOR(w, at, keep)                                                                    \
    do {                                                                                           \
        vecd u = keep(load(x + (at) * size, 0)), v;                                                \
        if (skip_nan)                                                                              \
            u = without_nan(u, &missing);                                                          \
        v = two ? keep(load(y + (at) * size, 0)) : numbers ? scale : u;                            \
        if (gridded)                                                                               \
            extend(&all, u);                                                                       \
        add_to_matrix_lane(&lane[w], u, v, D, digits, what);                                       \
    } while (0)
#define WHOLE(v) (v)
#define TAIL(v) select_bits(tail, v)
            UNROLLED
            for (int w = 0; w < ways; w++)
                lane[w] = new_matrix_lane(D, what);
            for (; i + row <= n; i += row)
                UNROLLED
            for (size_t w = 0; w < (size_t)ways; w++)
                ADD_VECTOR(w, i + w * LANES, WHOLE);
            UNROLLED
            for (int w = 0; w < ways - 1; w++)
                if (i + LANES <= n) {
                    ADD_VECTOR(w, i, WHOLE);
                    i += LANES;
                }
            if (rest)
                ADD_VECTOR(ways - 1, n - LANES, TAIL);
            vec grown[2] = {splat(0), splat(0)}, out_of_binade = splat(0);
            UNROLLED
            for (int w = 0; w < ways; w++) {
                out_of_binade |= has_left_binade(&lane[w], D[0], what);
                grown[0] += units_grown(lane[w].first.s, D[0], numbers);
                grown[1] += units_grown(lane[w].second.s, D[1], 0);
            }
            UNROLLED
            for (int w = 1; w < ways; w++) {
                lane[0].min = vector_min(lane[w].min, lane[0].min);
                lane[0].first.t += lane[w].first.t;
                lane[0].second.t += lane[w].second.t;
            }
            units[0][j] = grown[0];
            units[1][j] = grown[1];
            t[0][j] = unless_left_binade(lane[0].first.t, out_of_binade);
            t[1][j] = unless_left_binade(lane[0].second.t, out_of_binade);
            min[j] = lane[0].min;
            gone[j] = missing;
            extents.bits[j] = (vecd)all.bits;
            extents.min[j] = all.min;
            extents.max[j] = all.max;
            any_out_of_binade |= out_of_binade;
        }
        if (digits) {
            transpose(min);
            UNROLLED
            for (int j = 0; j < LANES; j++)
                smallest = vector_min(min[j], smallest);
        }
        if (skip_nan) {
            ADD_LANES(gone);
            store_doubles(sums->count + first, double_of_small(n - gone[0]));
        }
        const size_t steps = (size_t)ways + LANES;
        vecd bound[2] = {unless_exact(matrix_bound(row, m, steps, exponent[0]), digits, smallest,
                                      row * m, exponent[0]),
                         splatd(matrix_bound(row, m, steps, exponent[1]))},
             grid = splatd(0.0);
        vec common_magnitude = splat(UINT64_MAX);
        if (gridded) {
            const extent all = extent_of_rows(&extents);
            grid = grid_of(&all, size == 8 ? 53 : 24);
            common_magnitude = (vec)all.max | (vec)((vec)all.max - (vec)all.min != 1);
            bound[0] = select_bits(
                (vec) ~(grid_of_squares(&all, grid) >= exact_grid(row * m, exponent[0])), bound[0]);
            bound[1] = select_bits((vec) ~(grid >= exact_grid(row * m, exponent[1])), bound[1]);
        }
        const estimate sum = sum_of_rows(units[0], t[0], exponent[0], numbers, bound[0]);
        estimate second = sum;
        if (has_two_sums(what))
            second = sum_of_rows(units[1], t[1], exponent[1], 0, bound[1]);
        store_matrix_sums(sums, first, what, sum, second);
        if (gridded) {
            store_doubles(sums->grid + first, grid);
            store_doubles(sums->common_magnitude + first, (vecd)common_magnitude);
        }
    }
    return !any_bits(any_out_of_binade >> 52);
}

static inline __attribute__((always_inline)) double
largest_of(const char *x, ptrdiff_t stride, size_t rows, size_t columns, size_t size, loader *load)
{
    vecd max[WAYS];
    double largest = 0.0;
    for (int w = 0; w < WAYS; w++)
        max[w] = splatd(0.0);
    for (; rows; rows--, x += stride) {
        size_t c = 0;
        for (; c + ROW <= columns; c += ROW)
            for (size_t w = 0; w < WAYS; w++)
                max[w] = vector_max(magnitude(load(x + (c + w * LANES) * size, 0)), max[w]);
        for (size_t n; c < columns; c += n) {
            char some[LANES * sizeof(double)] = {0};
            n = columns - c < LANES ? columns - c : LANES;
            memcpy(some, x + c * size, n * size);
            max[0] = vector_max(magnitude(load(some, 0)), max[0]);
        }
    }
    for (int w = 0; w < WAYS; w++)
        for (int j = 0; j < LANES; j++)
            largest = max[w][j] > largest ? max[w][j] : largest;
    return largest;
}

/* Sums of few float32, or of few products of them, are often halfway between two doubles: up to so
 * many, it is found whether the sum is exact. (For rows of numbers only where the result is not
 * certain.) */
enum { MAX_PRODUCT_TIES = 128, MAX_NUMBER_TIES = 32 };

#define ROWS_OF(name, what, type, size, skip_nan, ways, digits, ties)                              \
    static int name##_rows_of_##type(const lane_matrix *from, const int exponent[2],               \
                                     lane_sums *sums)                                              \
    {                                                                                              \
        if (digits && from->length <= ties)                                                        \
            return sum_rows_in_lanes(from, exponent, sums, size, digits, what, skip_nan, 0, ways,  \
                                     load_row_of_##type);                                          \
        return sum_rows_in_lanes(from, exponent, sums, size, 0, what, skip_nan, 0, ways,           \
                                 load_row_of_##type);                                              \
    }
#define COLUMNS_OF(name, what, type, size, skip_nan, digits, ties)                                 \
    static int name##_columns_of_##type(const lane_matrix *from, const int exponent[2],            \
                                        lane_sums *sums)                                           \
    {                                                                                              \
        if (digits && from->length <= ties)                                                        \
            return sum_columns_in_lanes(from, exponent, sums, size, digits, what, skip_nan,        \
                                        load_row_of_##type);                                       \
        return sum_columns_in_lanes(from, exponent, sums, size, 0, what, skip_nan,                 \
                                    load_row_of_##type);                                           \
    }
/* Of numbers and of squares. */
#define MATRIX_SUMS_OF(name, what, type, size, skip_nan, ways, digits)                             \
    ROWS_OF(name, what, type, size, skip_nan, ways, 0, 0)                                          \
    COLUMNS_OF(name, what, type, size, skip_nan, digits, MAX_NUMBER_TIES)
#define MATRIX_SUMS_OF_NUMBERS(name, type, size, skip_nan, digits)                                 \
    MATRIX_SUMS_OF(name##number, SUM_NUMBERS, type, size, skip_nan, MAX_WAYS, digits)              \
    MATRIX_SUMS_OF(name##both, SUM_BOTH, type, size, skip_nan, 2, 0)                               \
    static int name##gridded_rows_of_##type(const lane_matrix *from, const int exponent[2],        \
                                            lane_sums *sums)                                       \
    {                                                                                              \
        return sum_rows_in_lanes(from, exponent, sums, size, 0, SUM_BOTH, skip_nan, 1, 2,          \
                                 load_row_of_##type);                                              \
    }
/* Rows of less than three vectors are summed two at a time. The digits of a number, and of the
 * product of two numbers; 0 for float64, whose products have too many. */
#define MATRIX_SUMS_OF_PRODUCTS(type, size, digits)                                                \
    ROWS_OF(few_product, SUM_PRODUCTS, type, size, 0, 2, digits, MAX_PRODUCT_TIES)                 \
    ROWS_OF(more_product, SUM_PRODUCTS, type, size, 0, MAX_WAYS, digits, MAX_PRODUCT_TIES)         \
    static int product_rows_of_##type(const lane_matrix *from, const int exponent[2],              \
                                      lane_sums *sums)                                             \
    {                                                                                              \
        return (from->length < 3 * LANES ? few_product_rows_of_##type                              \
                                         : more_product_rows_of_##type)(from, exponent, sums);     \
    }                                                                                              \
    COLUMNS_OF(product, SUM_PRODUCTS, type, size, 0, digits, MAX_PRODUCT_TIES)                     \
    ROWS_OF(weighted, SUM_WEIGHTED, type, size, 0, 2, digits, MAX_PRODUCT_TIES)                    \
    COLUMNS_OF(weighted, SUM_WEIGHTED, type, size, 0, digits, MAX_PRODUCT_TIES)                    \
    static double largest_##type(const char *x, ptrdiff_t stride, size_t rows, size_t columns)     \
    {                                                                                              \
        return largest_of(x, stride, rows, columns, size, load_row_of_##type);                     \
    }
#define MATRIX_SUMS(type, size, digits, square_digits)                                             \
    MATRIX_SUMS_OF_PRODUCTS(type, size, square_digits)                                             \
    MATRIX_SUMS_OF_NUMBERS(, type, size, 0, digits)                                                \
    MATRIX_SUMS_OF(square, SUM_SQUARES, type, size, 0, MAX_WAYS, square_digits)                    \
    MATRIX_SUMS_OF_NUMBERS(nan, type, size, 1, digits)
MATRIX_SUMS(float32, 4, 24, 48)
MATRIX_SUMS(float64, 8, 53, 0)
#endif
