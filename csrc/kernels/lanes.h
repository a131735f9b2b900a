/* Many short sums at once, one vector lane each, from the load to the rounded result. Bounds and
 * proofs: docs/design/lanes.md. Assumes rounding to nearest and fused multiply-add. */

#if defined(FLOATS) && defined(fused)

/* To keep arrays of vectors in registers. */
#ifdef __clang__
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED _Pragma("GCC unroll 8")
#endif

/* For each lane a real number: high + low, up to an error of at most `error_bound`. */
typedef struct {
    vecd high, low, error_bound;
} estimate;

static inline vecd magnitude(vecd x)
{
    return select_bits(splat(UINT64_MAX >> 1), x);
}

static inline vecd load_doubles(const double *x)
{
    vecd v;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline void store_doubles(double *x, vecd v)
{
    memcpy(x, &v, sizeof v);
}

/* x - y as a multiply-add: used for every other operation, to balance the execution ports. */
static inline vecd minus(vecd x, vecd y)
{
    return fused(y, splatd(-1.0), x);
}

/* Knuth's TwoSum: x + y == sum + *error, exactly. */
static inline vecd two_sum(vecd x, vecd y, vecd *error)
{
    const vecd sum = x + y, part = minus(sum, x);
    *error = plus(x - (sum - part), minus(y, part));
    return sum;
}

/* An unsigned integer below 2^52 as a double. */
static inline vecd double_of_small(vec x)
{
    return (vecd)(x | splat(UINT64_C(0x4330000000000000))) - splatd(0x1p52);
}

/* ---- sums ------------------------------------------------------------------------ */

/* The union of the bits of some numbers, the largest magnitude, and the smallest except 0. */
typedef struct {
    vec bits;
    vecd min, max;
} extent;

static inline extent empty_extent(void)
{
    return (extent){splat(0), splatd(0x1p400), splatd(0.0)};
}

static inline void extend(extent *to, vecd x)
{
    const vecd abs_x = magnitude(x);
    to->bits |= (vec)x;
    to->max = vector_max(abs_x, to->max);
    to->min = vector_min((vecd)((vec)abs_x - 1),
                         to->min); /* 0 gives NaN, for which the minimum is the latter */
}

/* A power of two of which all the numbers are multiples, or 0. `digits`: those of their type. */
static inline vecd grid_of(const extent *x, unsigned digits)
{
    const vecd floor = select_bits(splat(UINT64_C(0x7ff) << 52), x->min);
    if (digits < 53)
        return floor * power(1 - (int)digits);
    const vec ones = (x->bits & (UINT64_MAX >> 12)) | splat(UINT64_C(1) << 51);
    return floor * (double_of_small(ones & (0 - ones)) * 0x1p-52);
}

/* The same for their squares: 0 where the rounding error of a square may underflow. */
static inline vecd grid_of_squares(const extent *x, vecd grid)
{
    return select_bits((vec)(x->min > 0x1p-480), grid * grid);
}

/* to += x, with an unknown rounding error in `low`. */
static inline void add_double(estimate *to, vecd x)
{
    vecd error;
    to->high = two_sum(to->high, x, &error);
    to->low += error;
}

/* What is exact in double arithmetic. EXACT_NOTHING: nothing in particular. EXACT_SQUARE: squares
 * (float32, float16). EXACT_SUM: sums of numbers (32-bit integers). EXACT_SUM_OF_SQUARES: also sums
 * of squares (16 bits). TWO_PARTS: 64-bit integers in two components. */
typedef enum { EXACT_NOTHING, EXACT_SQUARE, EXACT_SUM, EXACT_SUM_OF_SQUARES, TWO_PARTS } exactness;

/* to += x^2 */
static inline __attribute__((always_inline)) void add_square(estimate *to, vecd x, exactness exact)
{
    const vecd square = x * x;
    vecd error;
    if (exact == EXACT_SUM_OF_SQUARES) {
        to->high += square;
        return;
    }
    to->high = two_sum(to->high, square, &error);
    to->low += exact == EXACT_SQUARE ? error : error + fused(x, x, -square);
}

/* For at most MAX_FEW numbers, what `low` loses is found in each addition: that takes less time
 * than finding the extent of the numbers. */
enum { MAX_FEW = 3 };

/* to += x; `second`: to->low is 0. */
static inline __attribute__((always_inline)) void add_one_of_few(estimate *to, vecd x, int second)
{
    vecd error, rounding;
    to->high = two_sum(to->high, x, &error);
    if (second) {
        to->low = error;
        return;
    }
    to->low = two_sum(to->low, error, &rounding);
    to->error_bound += magnitude(rounding);
}

static inline __attribute__((always_inline)) void add_number(estimate *to, vecd x, vecd low,
                                                             exactness exact)
{
    if (exact == EXACT_SUM || exact == EXACT_SUM_OF_SQUARES) {
        to->high += x;
    } else if (exact == TWO_PARTS) {
        to->high += x;
        to->low += low;
    } else {
        add_double(to, x);
    }
}

/* Loads LANES adjacent numbers: 64-bit integers in two parts, or in one part if `one_part`, where
 * those of 52 bits or more give NaN, so that the sum fails its rounding test. */
typedef vecd lane_loader(const char *x, int one_part, vecd *low);

#define LOAD_LANES_OF_FLOAT(type)                                                                  \
    static inline vecd load_lanes_of_##type(const char *x, int one_part, vecd *low)                \
    {                                                                                              \
        (void)one_part;                                                                            \
        (void)low;                                                                                 \
        return load_row_of_##type(x, 0);                                                           \
    }
LOAD_LANES_OF_FLOAT(float64)
LOAD_LANES_OF_FLOAT(float32)
#ifdef widen16
LOAD_LANES_OF_FLOAT(float16)
#endif

#ifndef doubles_of_int8 /* where compilers do not vectorize these well */
#define CONVERTED(name, type)                                                                      \
    static inline vecd name(const char *x)                                                         \
    {                                                                                              \
        typedef type narrow __attribute__((vector_size(sizeof(type) * LANES)));                    \
        narrow v;                                                                                  \
        memcpy(&v, x, sizeof v);                                                                   \
        return __builtin_convertvector(v, vecd);                                                   \
    }
CONVERTED(doubles_of_int8, int8_t)
CONVERTED(doubles_of_uint8, uint8_t)
CONVERTED(doubles_of_int16, int16_t)
CONVERTED(doubles_of_uint16, uint16_t)
CONVERTED(doubles_of_int32, int32_t)
#endif

#define LOAD_LANES_OF_SMALL(type)                                                                  \
    static inline vecd load_lanes_of_##type(const char *x, int one_part, vecd *low)                \
    {                                                                                              \
        (void)one_part;                                                                            \
        (void)low;                                                                                 \
        return doubles_of_##type(x);                                                               \
    }
LOAD_LANES_OF_SMALL(int8)
LOAD_LANES_OF_SMALL(uint8)
LOAD_LANES_OF_SMALL(int16)
LOAD_LANES_OF_SMALL(uint16)
LOAD_LANES_OF_SMALL(int32)

static inline vecd load_lanes_of_bool(const char *x, int one_part, vecd *low)
{
    (void)one_part;
    (void)low;
    return select_bits((vec)(doubles_of_uint8(x) != 0.0), splatd(1.0));
}

static inline vecd load_lanes_of_uint32(const char *x, int one_part, vecd *low)
{
    typedef uint32_t narrow __attribute__((vector_size(4 * LANES)));
    narrow v;
    (void)one_part;
    (void)low;
    memcpy(&v, x, sizeof v);
    return double_of_small(__builtin_convertvector(v, vec));
}

static inline __attribute__((always_inline)) vecd load_long(const char *x, uint64_t flip,
                                                            int one_part, vecd *low)
{
    vec v;
    memcpy(&v, x, sizeof v);
    if (one_part) {
        const vec offset = v + (flip >> 12), wide = (vec)(offset >> 52 != 0);
        const vecd value = double_of_small(offset & (UINT64_MAX >> 12)) - (double)(flip >> 12);
        return (vecd)((vec)value | wide);
    }
    *low = double_of_small(v & 0xffffffffu);
    return (double_of_small((v ^ flip) >> 32) - (double)(flip >> 32)) * 0x1p32;
}

static inline vecd load_lanes_of_int64(const char *x, int one_part, vecd *low)
{
    return load_long(x, UINT64_C(1) << 63, one_part, low);
}

static inline vecd load_lanes_of_uint64(const char *x, int one_part, vecd *low)
{
    return load_long(x, 0, one_part, low);
}

static inline void store_estimate(double to[3][LANE_COLUMNS], size_t c, estimate x)
{
    store_doubles(to[0] + c, x.high);
    store_doubles(to[1] + c, x.low);
    store_doubles(to[2] + c, x.error_bound);
}

/* The error bound of `low`: 0 if `last_bits`, a bound on 2^-53 |low|, is below `grid`, since then
 * all additions were exact. */
static inline vecd low_error_bound(vecd last_bits, vecd grid, vecd bound)
{
    return select_bits((vec) ~(last_bits < grid), bound + 0x1p-1000);
}

/* One lane per column. So many adjacent vectors go through each stage together. */
enum { VECTORS_PER_STEP = LANES < LANE_STEP ? LANE_STEP / LANES : 2 };
#define EACH UNROLLED for (size_t k = 0; k < VECTORS_PER_STEP; k++)

/* The columns at which these vectors begin, from `first` on; if there are no more columns, the last
 * ones are done again. */
static inline void find_columns(size_t *c, size_t first, size_t columns)
{
    EACH
    {
        c[k] = first + k * LANES;
        if (VECTORS_PER_STEP * LANES > LANE_STEP && c[k] >= columns)
            c[k] = columns - LANES;
    }
}

/* Add one vector of row r; row 0 starts the sums. */
static inline __attribute__((always_inline)) void
add_row(const lane_rows *from, size_t r, size_t c, size_t size, int numbers, int squares,
        int skip_nan, int few, exactness exact, lane_loader *load, estimate *number,
        estimate *square, extent *all, vec *missing)
{
    const int one_part = exact != TWO_PARTS || squares,
              of_integers = exact == EXACT_SUM || exact == EXACT_SUM_OF_SQUARES || !one_part;
    vecd low = splatd(0.0), x = load(from->x + from->row[r] + c * size, one_part, &low);
    if (numbers && !squares && !skip_nan && r && from->difference) {
        x = -x;
        low = -low;
    }
    if (skip_nan)
        x = without_nan(x, missing);
    if (!of_integers && !few)
        extend(all, x);
    if (few && r) {
        add_one_of_few(number, x, r == 1);
    } else if (numbers && r) {
        add_number(number, x, low, one_part && exact == TWO_PARTS ? EXACT_NOTHING : exact);
    } else if (numbers) {
        number->high = x + 0.0; /* -0 is 0 */
        number->low = low;
    }
    if (squares && r) {
        add_square(square, x, exact);
    } else if (squares) {
        square->high = x * x;
        if (exact != EXACT_SUM_OF_SQUARES && exact != EXACT_SQUARE)
            square->low = fused(x, x, -square->high);
    }
}

/* Store the sums of n numbers, with their error bounds. */
static inline __attribute__((always_inline)) void
store_sums(lane_sums *sums, size_t c, estimate number, estimate square, const extent *all, double n,
           int numbers, int squares, int few, int of_integers, unsigned digits)
{
    const double unit = 0x1p-106 * 1.01;
    const vecd grid = of_integers ? splatd(1.0) : grid_of(all, digits), max = all->max,
               squared = square.high;
    if (numbers && squares) {
        const vec one = (vec)((vec)max - (vec)all->min == 1);
        store_doubles(sums->grid + c, grid);
        store_doubles(sums->common_magnitude + c, (vecd)((vec)max | ~one));
    }
    if (numbers) {
        if (!of_integers && !few)
            number.error_bound =
                low_error_bound(max * (n * n * unit), grid, max * (n * n * n * unit));
        store_estimate(sums->number, c, number);
    }
    if (squares) {
        if (!of_integers)
            square.error_bound =
                low_error_bound(squared * ((n + 1) * unit), grid_of_squares(all, grid),
                                squared * (n * (n + 3) * unit));
        store_estimate(sums->square, c, square);
    }
}

/* Sum the rows of each column. */
static inline __attribute__((always_inline)) void sum_lanes(const lane_rows *from, lane_sums *sums,
                                                            size_t size, int numbers, int squares,
                                                            int skip_nan, int few, exactness exact,
                                                            lane_loader *load)
{
    const int one_part = exact != TWO_PARTS || squares,
              of_integers = exact == EXACT_SUM || exact == EXACT_SUM_OF_SQUARES || !one_part;
    const unsigned digits = exact == EXACT_SQUARE ? size == 2 ? 11 : 24 : 53;
    for (size_t first = 0; first < from->columns; first += VECTORS_PER_STEP * LANES) {
        estimate number[VECTORS_PER_STEP], square[VECTORS_PER_STEP];
        extent all[VECTORS_PER_STEP];
        vec missing[VECTORS_PER_STEP];
        size_t c[VECTORS_PER_STEP];
        find_columns(c, first, from->columns);
        EACH
        {
            number[k] = square[k] = (estimate){splatd(0.0), splatd(0.0), splatd(0.0)};
            all[k] = empty_extent();
            missing[k] = splat(0);
        }
        size_t r = 0;
#define ADD_ROW(r)                                                                                 \
    EACH add_row(from, r, c[k], size, numbers, squares, skip_nan, few, exact, load, &number[k],    \
                 &square[k], &all[k], &missing[k])
        ADD_ROW(0);
        if (few && from->rows > 1) {
            ADD_ROW(1);
            r = 1;
        }
        if (from->ahead && first * size % 64 == 0) /* once a cache line */
            for (r++; r < from->rows; r++) {
                const char *at = from->x + from->row[r] + first * size;
                for (size_t line = 0; line < VECTORS_PER_STEP * LANES * size; line += 64)
                    prefetch(at + line, from->ahead);
                ADD_ROW(r);
            }
        else
            for (r++; r < from->rows; r++)
                ADD_ROW(r);
        EACH
        {
            store_sums(sums, c[k], number[k], square[k], &all[k], (double)from->rows, numbers,
                       squares, few, of_integers, digits);
            if (skip_nan)
                store_doubles(sums->count + c[k], double_of_small(from->rows - missing[k]));
        }
    }
}

/* The sums of numbers alone. */
static inline __attribute__((always_inline)) void sum_numbers(const lane_rows *from,
                                                              lane_sums *sums, size_t size,
                                                              int skip_nan, exactness exact,
                                                              lane_loader *load)
{
    if ((exact == EXACT_NOTHING || exact == EXACT_SQUARE) && from->rows <= MAX_FEW)
        sum_lanes(from, sums, size, 1, 0, skip_nan, 1, exact, load);
    else
        sum_lanes(from, sums, size, 1, 0, skip_nan, 0, exact, load);
}

#define SUM_LANES_OF(name, type, size, skip_nan, exact)                                            \
    static void name##_of_##type##_numbers(const lane_rows *from, lane_sums *sums)                 \
    {                                                                                              \
        sum_numbers(from, sums, size, skip_nan, exact, load_lanes_of_##type);                      \
    }                                                                                              \
    static void name##_of_##type##_both(const lane_rows *from, lane_sums *sums)                    \
    {                                                                                              \
        sum_lanes(from, sums, size, 1, 1, skip_nan, 0, exact, load_lanes_of_##type);               \
    }
#define SUM_LANES(type, size, exact)                                                               \
    SUM_LANES_OF(lanes, type, size, 0, exact)                                                      \
    static void lanes_of_##type##_squares(const lane_rows *from, lane_sums *sums)                  \
    {                                                                                              \
        sum_lanes(from, sums, size, 0, 1, 0, 0, exact, load_lanes_of_##type);                      \
    }
#define SUM_LANES_OF_FLOATS(type, size, exact)                                                     \
    SUM_LANES(type, size, exact)                                                                   \
    SUM_LANES_OF(nanlanes, type, size, 1, exact)
SUM_LANES(int8, 1, EXACT_SUM_OF_SQUARES)
SUM_LANES(uint8, 1, EXACT_SUM_OF_SQUARES)
SUM_LANES(bool, 1, EXACT_SUM_OF_SQUARES)
SUM_LANES(int16, 2, EXACT_SUM_OF_SQUARES)
SUM_LANES(uint16, 2, EXACT_SUM_OF_SQUARES)
SUM_LANES(int32, 4, EXACT_SUM)
SUM_LANES(uint32, 4, EXACT_SUM)
SUM_LANES(int64, 8, TWO_PARTS)
SUM_LANES(uint64, 8, TWO_PARTS)
#ifdef widen16
SUM_LANES_OF_FLOATS(float16, 2, EXACT_SQUARE)
#endif
SUM_LANES_OF_FLOATS(float32, 4, EXACT_SQUARE)
SUM_LANES_OF_FLOATS(float64, 8, EXACT_NOTHING)

/* ---- few numbers ------------------------------------------------------------------ */

/* to += (high + low)^2, without low^2 */
static inline void add_square_of_sum(estimate *to, vecd high, vecd low)
{
    const vecd square = high * high;
    vecd error;
    to->high = two_sum(to->high, square, &error);
    to->low += fused(high + high, low, fused(high, high, -square)) + error;
}

/* n squares - number^2 of n = 2, 3 or 4 numbers is a sum of squares: of the difference, of the
 * three differences, or of a + b - c - d, a - b + c - d and a - b - c + d. Nothing cancels in it.
 */
static inline __attribute__((always_inline)) estimate centered_squares_of_few(const vecd *x, int n,
                                                                              vecd grid)
{
    estimate v = {splatd(0.0), splatd(0.0), splatd(0.0)};
    vecd high[3], low[3], error;
    high[0] = two_sum(x[0], -x[1], &low[0]);
    if (n == 3) {
        high[1] = two_sum(x[0], -x[2], &low[1]);
        high[2] = two_sum(x[1], -x[2], &low[2]);
    } else if (n == 4) {
        vecd low_cd, low_ac, low_bd;
        const vecd cd = two_sum(x[2], -x[3], &low_cd), ac = two_sum(x[0], -x[2], &low_ac),
                   bd = two_sum(x[1], -x[3], &low_bd);
        high[0] = two_sum(high[0], cd, &error);
        low[0] = (low[0] + low_cd) + error;
        high[1] = two_sum(ac, bd, &error);
        low[1] = (low_ac + low_bd) + error;
        high[2] = two_sum(ac, -bd, &error);
        low[2] = (low_ac - low_bd) + error;
    }
    v.high = high[0] * high[0];
    v.low = fused(high[0] + high[0], low[0], fused(high[0], high[0], -v.high));
    for (int k = 1; k < (n == 2 ? 1 : 3); k++)
        add_square_of_sum(&v, high[k], low[k]);
    v.error_bound = low_error_bound(v.high * 0x1p-103, grid, v.high * 0x1p-98);
    return v;
}

static inline __attribute__((always_inline)) void center_few(const lane_rows *from, lane_sums *sums,
                                                             size_t size, int n, unsigned digits,
                                                             lane_loader *load)
{
    for (size_t first = 0; first < from->columns; first += VECTORS_PER_STEP * LANES) {
        size_t c[VECTORS_PER_STEP];
        find_columns(c, first, from->columns);
        EACH
        {
            extent all = empty_extent();
            vecd x[4], none;
            for (int r = 0; r < n; r++) {
                x[r] = load(from->x + from->row[r] + c[k] * size, 1, &none);
                extend(&all, x[r]);
            }
            const vecd grid = grid_of_squares(&all, grid_of(&all, digits));
            store_estimate(sums->square, c[k], centered_squares_of_few(x, n, grid));
        }
    }
}

#define CENTER_FEW(type, size, digits)                                                             \
    static void few_centered_squares_of_##type(const lane_rows *from, lane_sums *sums)             \
    {                                                                                              \
        if (from->rows == 2)                                                                       \
            center_few(from, sums, size, 2, digits, load_lanes_of_##type);                         \
        else if (from->rows == 3)                                                                  \
            center_few(from, sums, size, 3, digits, load_lanes_of_##type);                         \
        else                                                                                       \
            center_few(from, sums, size, 4, digits, load_lanes_of_##type);                         \
    }
#ifdef widen16
CENTER_FEW(float16, 2, 11)
#endif
CENTER_FEW(float32, 4, 24)
CENTER_FEW(float64, 8, 53)

/* ---- transposing ------------------------------------------------------------------ */

/* `count` columns of `rows` numbers of 8 bytes, each column contiguous, `stride` bytes apart, into
 * rows that are `pitch` columns long. */
static void transpose_columns(char *to, size_t pitch, const char *from, ptrdiff_t stride,
                              size_t count, size_t rows)
{
    size_t c = 0;
    for (; c + LANES <= count; c += LANES, from += LANES * stride) {
        size_t r = 0;
        for (; r + LANES <= rows; r += LANES) {
            const char *at = from + r * sizeof(double);
            char *put = to + (r * pitch + c) * sizeof(double);
            vecd v[LANES];
            UNROLLED
            for (int k = 0; k < LANES; k++)
                v[k] = load_row_of_float64(at + k * stride, 0);
            transpose(v);
            UNROLLED
            for (size_t k = 0; k < LANES; k++)
                memcpy(put + k * pitch * sizeof(double), &v[k], sizeof *v);
        }
        for (; r < rows; r++)
            for (size_t k = 0; k < LANES; k++)
                memcpy(to + (r * pitch + c + k) * sizeof(double),
                       from + (ptrdiff_t)k * stride + r * sizeof(double), sizeof(double));
    }
    for (; c < count; c++, from += stride)
        for (size_t r = 0; r < rows; r++)
            memcpy(to + (r * pitch + c) * sizeof(double), from + r * sizeof(double),
                   sizeof(double));
}

/* The same for narrower numbers, in blocks as wide as 16 bytes: to interleave each vector with the
 * one half the block after it, once for each bit of the width, is to transpose. Where the columns
 * run on as one, a block may reach into the next column; else the last one begins further back. */
#ifdef __clang__
#define LIST(...) __VA_ARGS__
#define SHUFFLE(type, x, y, order) __builtin_shufflevector(x, y, LIST order)
#else
#define LIST(...) __VA_ARGS__
#define SHUFFLE(type, x, y, order) __builtin_shuffle(x, y, (type){LIST order})
#endif

#define TRANSPOSE(number, UPPER, LOWER)                                                            \
    static void transpose_##number(char *to, size_t pitch, const char *from, ptrdiff_t stride,     \
                                   size_t count, size_t rows)                                      \
    {                                                                                              \
        typedef number block __attribute__((vector_size(16)));                                     \
        enum { SIZE = sizeof(number), SIDE = 16 / SIZE };                                          \
        const int run_on = stride == (ptrdiff_t)rows * SIZE;                                       \
        size_t c = 0;                                                                              \
        for (; c + SIDE <= count; c += SIDE, from += SIDE * stride) {                              \
            const size_t readable = run_on ? (count - c - SIDE + 1) * rows : rows;                 \
            size_t r = 0;                                                                          \
            for (; r < rows && readable >= SIDE; r += SIDE) {                                      \
                r = r + SIDE <= readable ? r : readable - SIDE;                                    \
                block v[SIDE], w[SIDE];                                                            \
                UNROLLED                                                                           \
                for (int k = 0; k < SIDE; k++)                                                     \
                    memcpy(&v[k], from + k * stride + r * SIZE, sizeof *v);                        \
                for (int side = SIDE; side > 1; side /= 2) {                                       \
                    UNROLLED                                                                       \
                    for (int k = 0; k < SIDE / 2; k++) {                                           \
                        w[2 * k] = SHUFFLE(block, v[k], v[k + SIDE / 2], UPPER);                   \
                        w[2 * k + 1] = SHUFFLE(block, v[k], v[k + SIDE / 2], LOWER);               \
                    }                                                                              \
                    UNROLLED                                                                       \
                    for (int k = 0; k < SIDE / 2; k++) {                                           \
                        v[2 * k] = w[2 * k];                                                       \
                        v[2 * k + 1] = w[2 * k + 1];                                               \
                    }                                                                              \
                }                                                                                  \
                for (size_t k = 0; k < SIDE && r + k < rows; k++)                                  \
                    memcpy(to + ((r + k) * pitch + c) * SIZE, &v[k], sizeof *v);                   \
            }                                                                                      \
            for (; r < rows; r++)                                                                  \
                for (size_t k = 0; k < SIDE; k++)                                                  \
                    memcpy(to + (r * pitch + c + k) * SIZE,                                        \
                           from + (ptrdiff_t)k * stride + r * SIZE, SIZE);                         \
        }                                                                                          \
        for (; c < count; c++, from += stride)                                                     \
            for (size_t r = 0; r < rows; r++)                                                      \
                memcpy(to + (r * pitch + c) * SIZE, from + r * SIZE, SIZE);                        \
    }
TRANSPOSE(uint8_t, (0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
          (8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31))
TRANSPOSE(uint16_t, (0, 8, 1, 9, 2, 10, 3, 11), (4, 12, 5, 13, 6, 14, 7, 15))
TRANSPOSE(uint32_t, (0, 4, 1, 5), (2, 6, 3, 7))

/* ---- results --------------------------------------------------------------------- */

/* Bounds are computed in doubles, too: they grow by 2^-40 at each stage, far more than their own
 * roundings take away, and by 2^-1000 unless they are 0, since products may underflow. */
#define BOUND_GROWTH (1 + 0x1p-40)

static inline vecd tiny_unless_zero(vecd bound)
{
    return select_bits((vec)(bound > 0.0), splatd(0x1p-1000));
}

/* The sums as they are stored; |low| is at most half an ulp of high. */
static inline estimate load_estimate(double sums[3][LANE_COLUMNS], size_t c)
{
    estimate x;
    const vecd bound = load_doubles(sums[2] + c);
    x.high = two_sum(load_doubles(sums[0] + c), load_doubles(sums[1] + c), &x.low);
    x.error_bound = fused(bound, splatd(BOUND_GROWTH), tiny_unless_zero(bound));
    return x;
}

/* Where x is 0, or so large that nothing computed from it underflows. (What overflows becomes NaN.)
 */
static inline vec in_range(estimate x)
{
    return ~(vec)((vecd)((vec)magnitude(x.high) - 1) <= 0x1p-900); /* 0 is NaN here */
}

/* x / divisor, an integer below 2^52; `inverse` is 1 / divisor, rounded. */
static inline estimate quotient(estimate x, vecd divisor, vecd inverse)
{
    estimate q;
    vecd error;
    q.high = x.high * inverse;
    const vecd more = two_sum(fused(-q.high, divisor, x.high), x.low, &error);
    q.low = more * inverse;
    q.low = fused(fused(-q.low, divisor, more), inverse, q.low);
    const vecd bound = magnitude(fused(-q.low, divisor, more)) + magnitude(error) + x.error_bound;
    q.error_bound = fused(bound, inverse * BOUND_GROWTH, tiny_unless_zero(bound));
    return q;
}

/* x / w; certain only where the error bound of w is small compared with w. */
static inline estimate ratio(estimate x, estimate w, vec *is_certain)
{
    estimate q;
    const vecd abs_w = magnitude(w.high);
    q.high = x.high / w.high;
    /* x - q w, in 1 + 3 + 2 roundings of 2^-53 |x.high| or less: with those of q.low and the
     * difference of w and w.high below 16 * 2^-106 |x.high| in all. */
    q.low = (fused(-q.high, w.high, x.high) + fused(-q.high, w.low, x.low)) / w.high;
    const vecd bound = fused(magnitude(x.high), splatd(0x1p-102),
                             fused(magnitude(q.high), w.error_bound, x.error_bound));
    q.error_bound = fused(bound / abs_w, splatd(BOUND_GROWTH), tiny_unless_zero(bound));
    *is_certain &= in_range(x) & in_range(w) & in_range(q) & (vec)(abs_w * 0x1p-20 > w.error_bound);
    return q;
}

/* The square root of x within 1.5 * 2^-53 of it, and half its inverse within 1.2 * 2^-53; NaN if x
 * is negative, below 2^-1000, or infinite. `positive` is x; where x may be 0, any positive number.
 */
static inline vecd square_root(vecd x, vecd positive, vecd *half_inverse)
{
#ifdef reciprocal_sqrt
    /* Two of Newton's steps for both, from 14 bits on. */
    const vecd inverse = reciprocal_sqrt(positive);
    vecd root = x * inverse, half = 0.5 * inverse;
    const vecd lacking = fused(-root, half, splatd(0.5));
    root = fused(root, lacking, root);
    half = fused(half, lacking, half);
    root = fused(fused(-root, root, x), half, root);
    *half_inverse = fused(half, fused(-root, half + half, splatd(1.0)), half);
#else
    const vecd root = vector_sqrt(x);
    *half_inverse = vector_min(0.5 / root, splatd(0x1p500));
    (void)positive;
#endif
    return root;
}

/* The square root of x, which is 0, or in the range above. */
static inline estimate root(estimate x)
{
    estimate q;
    vecd half_inverse;
    const vecd positive = vector_max(x.high, splatd(0x1p-1000));
    q.high = square_root(x.high, positive, &half_inverse);
    /* x - q.high^2, and half of that by q.high: with what this leaves of the root, and four
     * roundings, wrong by less than 20 * 2^-106 q.high. */
    const vecd more = fused(-q.high, q.high, x.high) + x.low;
    q.low = more * half_inverse;
    q.error_bound = fused(x.error_bound, half_inverse + half_inverse, q.high * 0x1p-101);
    return q;
}

/* x times a power of two. */
static inline estimate times(estimate x, vecd scale)
{
    return (estimate){x.high * scale, x.low * scale, x.error_bound * scale};
}

/* n squares - number^2 */
static inline estimate centered_square_sum(vecd n, estimate squares, estimate number, vecd grid,
                                           vecd common_magnitude)
{
    estimate v;
    vecd low;
    /* The leading products, what they leave, and the products with `low`. */
    const vecd p = n * squares.high, q = number.high * number.high,
               twice = number.high + number.high;
    const vecd remainder = fused(n, squares.high, -p) - fused(number.high, number.high, -q);
    v.high = two_sum(p, -q, &low);
    low += fused(-twice, number.low, fused(n, squares.low, remainder));
    low = fused(-number.low, number.low, low);
    /* Each of these is below 8 * 2^-53 the larger product, and so rounded by 2^-53 of that at most;
     * or not at all, if they are all multiples of grid^2. The least numbers: what underflows. */
    const vecd max = vector_max(p, q), high = magnitude(number.high),
               abs_low = magnitude(number.low);
    const vec exact = (vec)(max * 0x1p-103 < grid * grid) &
                      (vec)(squares.error_bound + number.error_bound == 0.0);
    vecd bound = fused(n, squares.error_bound, max * 0x1p-100);
    bound = fused(2.0 * high + 2.0 * abs_low + number.error_bound, number.error_bound, bound);
    v.high = two_sum(v.high, low, &v.low);
    v.error_bound = fused(bound, splatd(BOUND_GROWTH), splatd(0x1p-1000));
    /* All numbers are equal: the variance is 0. (If they had both signs, their sum would be less.)
     */
    const vec differ = ~(vec)(n * common_magnitude == high);
    v.high = select_bits(differ, v.high);
    v.low = select_bits(differ, v.low);
    v.error_bound = select_bits(differ & ~exact, v.error_bound);
    return v;
}

/* Each lane and its neighbor, 2 k and 2 k + 1, change places. */
static inline vecd swap_neighbors(vecd x)
{
#if LANES == 8
    return SHUFFLE(vec, x, x, (1, 0, 3, 2, 5, 4, 7, 6));
#elif LANES == 4
    return SHUFFLE(vec, x, x, (1, 0, 3, 2));
#else
    return SHUFFLE(vec, x, x, (1, 0));
#endif
}

/* Each lane plus its neighbor. */
static inline estimate plus_neighbor(estimate x)
{
    estimate sum;
    vecd error, rounding[2];
    sum.high = two_sum(x.high, swap_neighbors(x.high), &error);
    sum.low = two_sum(two_sum(x.low, swap_neighbors(x.low), &rounding[0]), error, &rounding[1]);
    sum.high = two_sum(sum.high, sum.low, &sum.low);
    const vecd all = x.error_bound + swap_neighbors(x.error_bound) + magnitude(rounding[0]) +
                     magnitude(rounding[1]);
    sum.error_bound = fused(all, splatd(BOUND_GROWTH), tiny_unless_zero(all));
    return sum;
}

/* x rounded to nearest, ties to even, to `drop` bits fewer. */
static inline vecd shorten(vecd x, unsigned drop)
{
    const vec bits = (vec)x, half = splat(UINT64_C(1) << (drop - 1));
    return (vecd)((bits + (half - 1) + (bits >> drop & 1)) & ~(half + half - 1));
}

/* Where high + end, of which x is the double nearest, rounds to a shorter number as x does. */
static inline vec shortens_alike(vecd x, vecd high, vecd end, unsigned drop)
{
    const vec ones = splat((UINT64_C(1) << drop) - 1), half = splat(UINT64_C(1) << (drop - 1));
    return (vec)(((vec)x & ones) != half) | (vec)(end - (x - high) == 0.0);
}

/* The result in its type, and whether it is certain; an integer as two doubles that add up.
 * `maybe_exact`: if x->error_bound is 0, high + low is exact even if low is not 0. */
static inline __attribute__((always_inline)) vecd round_estimate(const lane_spec *spec,
                                                                 const estimate *x, int maybe_exact,
                                                                 vec *is_certain, double *residual)
{
    if (spec->integer) {
        *is_certain &=
            (vec)(x->error_bound == 0.0) & (vec)(x->high >= spec->min) & (vec)(x->high < 0x1p62);
        store_doubles(residual, x->low);
        return x->high;
    }
    const vecd part = splatd(0x1p-51),
               wide = fused(magnitude(x->low),
                            maybe_exact ? select_bits((vec)(x->error_bound > 0.0), part) : part,
                            x->error_bound),
               lower = x->low - wide, upper = x->low + wide;
    vecd high = x->high + upper, low = x->high + lower;
    if (spec->drop) {
        const vecd abs_low = magnitude(low);
        *is_certain &= shortens_alike(low, x->high, lower, spec->drop) &
                       shortens_alike(high, x->high, upper, spec->drop) &
                       ((vec)(abs_low >= spec->min) | (vec)(low == 0.0));
        low = shorten(low, spec->drop);
        high = shorten(high, spec->drop);
    }
    *is_certain &= (vec)(low == high);
    return low;
}

/* The results of all columns, and which are certain; returns whether all are. Vectors that lie
 * side by side go through each stage together: each is a long chain of operations. */
static inline __attribute__((always_inline)) int
round_lanes(const lane_spec *spec, pc_statistic statistic, lane_sums *sums, size_t columns,
            double *value, double *residual, uint64_t *certain)
{
    const int is_variance = statistic == PC_VAR || statistic == PC_STD,
              is_linear = statistic == PC_SUM || statistic == PC_MEAN,
              weighted = (int)statistic == PC_AVERAGE,
              divided = is_variance || statistic == PC_MEAN || statistic == PC_RMS,
              rooted = statistic == PC_NORM || statistic == PC_RMS || statistic == PC_STD,
              counted = spec->counted && divided;
    /* A divisor above 0, and where it may be larger, as `quotient` needs it. */
#define FITS(divisor) ((vec)((divisor) > 0.0) & (vec)((divisor) < 0x1p52))
    const vec divisor_fits = FITS(splatd(spec->divisor));
    vec all = splat(UINT64_MAX);
    for (size_t first = 0; first < columns; first += VECTORS_PER_STEP * LANES) {
        estimate x[VECTORS_PER_STEP];
        vecd n[VECTORS_PER_STEP], divisor[VECTORS_PER_STEP], inverse[VECTORS_PER_STEP];
        vec is_certain[VECTORS_PER_STEP];
        size_t c[VECTORS_PER_STEP];
        find_columns(c, first, columns);
        EACH
        {
            n[k] = spec->counted ? load_doubles(sums->count + c[k]) : splatd(spec->count);
            divisor[k] = splatd(spec->divisor);
            inverse[k] = splatd(spec->inverse);
            if (counted) {
                divisor[k] = is_variance ? n[k] * (n[k] * spec->scale - spec->ddof) : n[k];
                inverse[k] = 1.0 / divisor[k];
            }
        }
        if (is_variance && !spec->centered)
            EACH x[k] = centered_square_sum(
                n[k], load_estimate(sums->square, c[k]), load_estimate(sums->number, c[k]),
                load_doubles(sums->grid + c[k]), load_doubles(sums->common_magnitude + c[k]));
        else
            EACH x[k] = load_estimate(is_linear ? sums->number : sums->square, c[k]);
        if (spec->paired && !is_linear)
            EACH x[k] = plus_neighbor(x[k]);
        if (is_variance)
            EACH x[k] = times(x[k], splatd(spec->scale));
        EACH
        {
            is_certain[k] = in_range(x[k]);
            if (divided)
                is_certain[k] &= counted ? FITS(divisor[k]) : divisor_fits;
            if (is_variance)
                is_certain[k] &= (vec)(x[k].high >= 0.0);
        }
        if (weighted)
            EACH x[k] = ratio(x[k], load_estimate(sums->number, c[k]), &is_certain[k]);
        if (divided)
            EACH x[k] = quotient(x[k], divisor[k], inverse[k]);
        if (rooted)
            EACH x[k] = root(x[k]);
        EACH
        {
            vecd low = round_estimate(spec, &x[k], !rooted, &is_certain[k], residual + c[k]);
            store_doubles(value + c[k], spec->absolute ? magnitude(low) : low);
            memcpy(certain + c[k], &is_certain[k], sizeof is_certain[k]);
            all &= is_certain[k];
        }
    }
    uint64_t every = UINT64_MAX;
    for (int k = 0; k < LANES; k++)
        every &= all[k];
    return every == UINT64_MAX;
}

static int lane_results(const lane_spec *spec, lane_sums *sums, size_t columns, double *value,
                        double *residual, uint64_t *certain)
{
#define ROUND_LANES(statistic)                                                                     \
    case statistic:                                                                                \
        return round_lanes(spec, (pc_statistic)statistic, sums, columns, value, residual, certain)
    switch ((int)spec->statistic) {
        ROUND_LANES(PC_SUMSQ);
        ROUND_LANES(PC_NORM);
        ROUND_LANES(PC_RMS);
        ROUND_LANES(PC_SUM);
        ROUND_LANES(PC_MEAN);
        ROUND_LANES(PC_VAR);
        ROUND_LANES(PC_STD);
        ROUND_LANES(PC_AVERAGE);
    }
    return 0;
}
#endif
