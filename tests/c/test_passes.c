/* How often contiguous.c sends numbers through the kernels, and which it adds one by
 * one: what else it might try gives the same bits, but takes longer. Linked so
 * that calls of the three functions wrapped here come here (ld --wrap). */
#include "check.h"

/* ---- what is counted --------------------------------------------------------- */

static struct {
    size_t squares, integers, float32, float64, columns, single, bounded[2], skipping, products,
        lanes[2], matrices[2], gridded[2], results;
} passed;

const pc_kernels *__real_pc_kernels_in_use(void);
const pc_kernels *__wrap_pc_kernels_in_use(void);
void __real_accumulator_add_number(pc_accumulator *acc, double x, int imaginary);
void __wrap_accumulator_add_number(pc_accumulator *acc, double x, int imaginary);

const pc_square_kernels *__real_pc_squares_in_use(void);
const pc_square_kernels *__wrap_pc_squares_in_use(void);

static const pc_kernels *real;
static const pc_square_kernels *real_squares;

#define COUNT_INTEGERS(type)                                                                       \
    static void squares_of_##type(const char *x, size_t n, uint64_t sum[4])                        \
    {                                                                                              \
        CHECK(n <= INTEGER_BLOCK);                                                                 \
        passed.squares += n;                                                                       \
        real->squares_of_integers[type](x, n, sum);                                                \
    }                                                                                              \
    static void sum_of_##type(const char *x, size_t n, uint64_t sum[4])                            \
    {                                                                                              \
        CHECK(n <= INTEGER_BLOCK);                                                                 \
        passed.integers += n;                                                                      \
        real->sum_of_integers[type](x, n, sum);                                                    \
    }
COUNT_INTEGERS(PC_INT8)
COUNT_INTEGERS(PC_UINT8)
COUNT_INTEGERS(PC_INT16)
COUNT_INTEGERS(PC_UINT16)
COUNT_INTEGERS(PC_INT32)
COUNT_INTEGERS(PC_UINT32)
COUNT_INTEGERS(PC_INT64)
COUNT_INTEGERS(PC_UINT64)
#define OF_INTEGERS(name)                                                                          \
    {name##PC_INT8,  name##PC_UINT8,  name##PC_INT16, name##PC_UINT16,                             \
     name##PC_INT32, name##PC_UINT32, name##PC_INT64, name##PC_UINT64}

static void count_float32(const char *x, size_t n, int E, block_sums *sums)
{
    CHECK(n <= FLOAT_BLOCK && E >= -127 && E <= 127);
    passed.float32 += n;
    real_squares->sums_of_float32(x, n, E, sums);
}

static void count_float64(const char *x, size_t n, int E, block_sums *sums)
{
    CHECK(n <= FLOAT_BLOCK && E >= -400 && E <= 400);
    passed.float64 += n;
    real_squares->sums_of_float64(x, n, E, sums);
}

static void count_columns(const char *x, ptrdiff_t stride, size_t rows, size_t columns,
                          const int *E, block_sums *sums)
{
    CHECK(rows <= FLOAT_BLOCK && columns <= STRIP && columns % 8 == 0);
    for (size_t c = 0; c < columns; c++)
        CHECK(E[c] >= -400 && E[c] <= 400);
    passed.columns += rows * columns;
    real_squares->sums_of_columns(x, stride, rows, columns, E, sums);
}

/* `of`: the index of the kernels of squares alone or both, if there is one. */
#define COUNT_BOUNDED_OF(name, of, counter, both, which)                                           \
    static size_t name##_##both##which(const char *x, ptrdiff_t stride, size_t n, int k,           \
                                       bounded_sums *found)                                        \
    {                                                                                              \
        CHECK(n <= BOUNDED_RUN && k >= -900 && k <= 1000);                                         \
        passed.counter += n;                                                                       \
        return real->name of[which](x, stride, n, k, found);                                       \
    }                                                                                              \
    static void name##_columns_##both##which(const char *x, ptrdiff_t stride, size_t rows,         \
                                             size_t columns, const int *k, column_sums *sums)      \
    {                                                                                              \
        CHECK(rows <= FLOAT_BLOCK && columns <= BOUNDED_STRIP && columns % 8 == 0);                \
        passed.counter += rows * columns;                                                          \
        real->name##_columns of[which](x, stride, rows, columns, k, sums);                         \
    }
#define COUNT_PRODUCTS_OF(name, counter, which)                                                    \
    static size_t name##_##which(const char *x, ptrdiff_t x_stride, const char *y,                 \
                                 ptrdiff_t y_stride, size_t n, int k, bounded_sums *found)         \
    {                                                                                              \
        CHECK(n <= BOUNDED_RUN && k >= -900 && k <= 1000);                                         \
        passed.counter += n;                                                                       \
        return real->name[which](x, x_stride, y, y_stride, n, k, found);                           \
    }
#define COUNT_BOUNDED(which)                                                                       \
    COUNT_PRODUCTS_OF(bounded_products, products, which)                                           \
    COUNT_PRODUCTS_OF(nanbounded_sums, skipping, which)                                            \
    COUNT_BOUNDED_OF(bounded, [0], bounded[0], 0, which)                                           \
    COUNT_BOUNDED_OF(bounded, [1], bounded[1], 1, which)                                           \
    COUNT_BOUNDED_OF(nanbounded, , skipping, 1, which)
COUNT_BOUNDED(0)
COUNT_BOUNDED(1)
COUNT_BOUNDED(2)
#define OF_BOUNDED(name, both) {name##_##both##0, name##_##both##1, name##_##both##2}

/* Of numbers alone, squares, both. */
#define COUNT_LANES_OF(masked, type, which)                                                        \
    static void lanes_##masked##type##which(const lane_rows *from, lane_sums *sums)                \
    {                                                                                              \
        CHECK(from->rows <= LANE_ROWS && from->columns <= LANE_COLUMNS &&                          \
              from->columns % LANE_STEP == 0);                                                     \
        passed.lanes[masked] += from->rows * from->columns;                                        \
        real->lane_sums[masked][type][which](from, sums);                                          \
    }
#define COUNT_LANES(type)                                                                          \
    COUNT_LANES_OF(0, type, 0)                                                                     \
    COUNT_LANES_OF(0, type, 1)                                                                     \
    COUNT_LANES_OF(0, type, 2)                                                                     \
    COUNT_LANES_OF(1, type, 0)                                                                     \
    COUNT_LANES_OF(1, type, 1)                                                                     \
    COUNT_LANES_OF(1, type, 2)
COUNT_LANES(PC_INT16)
COUNT_LANES(PC_FLOAT32)
COUNT_LANES(PC_FLOAT64)
#define OF_LANES(masked, type)                                                                     \
    {lanes_##masked##type##0, lanes_##masked##type##1, lanes_##masked##type##2}

/* Of float64 in matrices: rows and columns, NaN left out or not. */
#define COUNT_MATRICES_OF(way, skip_nan, what)                                                     \
    static int matrix_##way##_##skip_nan##what(const lane_matrix *from, const int k[2],            \
                                               lane_sums *sums)                                    \
    {                                                                                              \
        CHECK(k[0] >= -900 && k[0] <= 1000 && from->outputs <= LANE_COLUMNS);                      \
        passed.matrices[skip_nan] += from->outputs * from->length;                                 \
        return real->matrix_##way[skip_nan][what][1](from, k, sums);                               \
    }
#define COUNT_MATRICES(skip_nan)                                                                   \
    COUNT_MATRICES_OF(rows, skip_nan, 0)                                                           \
    COUNT_MATRICES_OF(rows, skip_nan, 1)                                                           \
    COUNT_MATRICES_OF(rows, skip_nan, 2)                                                           \
    COUNT_MATRICES_OF(columns, skip_nan, 0)                                                        \
    COUNT_MATRICES_OF(columns, skip_nan, 1)                                                        \
    COUNT_MATRICES_OF(columns, skip_nan, 2)                                                        \
    static int gridded_##skip_nan(const lane_matrix *from, const int k[2], lane_sums *sums)        \
    {                                                                                              \
        CHECK(from->length >= LANE_STEP);                                                          \
        passed.gridded[skip_nan] += from->outputs;                                                 \
        return real->gridded_rows[skip_nan][1](from, k, sums);                                     \
    }
COUNT_MATRICES(0)
COUNT_MATRICES(1)

static int count_results(const lane_spec *spec, lane_sums *sums, size_t columns, double *value,
                         double *rest, uint64_t *certain)
{
    passed.results++;
    return real->lane_results(spec, sums, columns, value, rest, certain);
}

const pc_kernels *__wrap_pc_kernels_in_use(void)
{
    static pc_kernels counting;
    static lane_matrix_kernel *const rows[2][3] = {
        {matrix_rows_00, matrix_rows_01, matrix_rows_02},
        {matrix_rows_10, matrix_rows_11, matrix_rows_12}};
    static lane_matrix_kernel *const columns[2][3] = {
        {matrix_columns_00, matrix_columns_01, matrix_columns_02},
        {matrix_columns_10, matrix_columns_11, matrix_columns_12}};
    static const pc_kernels all = {
        .squares_of_integers = OF_INTEGERS(squares_of_),
        .sum_of_integers = OF_INTEGERS(sum_of_),
        .bounded = {OF_BOUNDED(bounded, 0), OF_BOUNDED(bounded, 1)},
        .nanbounded = OF_BOUNDED(nanbounded, 1),
        .bounded_products = {bounded_products_0, bounded_products_1, bounded_products_2},
        .nanbounded_sums = {nanbounded_sums_0, nanbounded_sums_1, nanbounded_sums_2},
        .bounded_columns = {OF_BOUNDED(bounded_columns, 0), OF_BOUNDED(bounded_columns, 1)},
        .nanbounded_columns = OF_BOUNDED(nanbounded_columns, 1),
        .lane_sums = {{[PC_INT16] = OF_LANES(0, PC_INT16),
                       [PC_FLOAT32] = OF_LANES(0, PC_FLOAT32),
                       [PC_FLOAT64] = OF_LANES(0, PC_FLOAT64)},
                      {[PC_INT16] = OF_LANES(1, PC_INT16),
                       [PC_FLOAT32] = OF_LANES(1, PC_FLOAT32),
                       [PC_FLOAT64] = OF_LANES(1, PC_FLOAT64)}}};
    real = __real_pc_kernels_in_use();
    counting = *real;
    memcpy(counting.squares_of_integers, all.squares_of_integers, sizeof all.squares_of_integers);
    memcpy(counting.sum_of_integers, all.sum_of_integers, sizeof all.sum_of_integers);
    for (int both = 0; both < 2; both++)
        for (int type = 0; type < 3; type++)
            if (real->bounded[both][type]) {
                counting.bounded[both][type] = all.bounded[both][type];
                counting.bounded_columns[both][type] = all.bounded_columns[both][type];
                counting.nanbounded[type] = all.nanbounded[type];
                counting.bounded_products[type] = all.bounded_products[type];
                counting.nanbounded_sums[type] = all.nanbounded_sums[type];
                counting.nanbounded_columns[type] = all.nanbounded_columns[type];
            }
    for (int skip_nan = 0; skip_nan < 2 && real->gridded_rows[0][1]; skip_nan++) {
        for (int what = 0; what < 3; what++) {
            if (!real->matrix_rows[skip_nan][what][1])
                continue;
            counting.matrix_rows[skip_nan][what][1] = rows[skip_nan][what];
            counting.matrix_columns[skip_nan][what][1] = columns[skip_nan][what];
        }
        counting.gridded_rows[skip_nan][1] = skip_nan ? gridded_1 : gridded_0;
    }
    for (int masked = 0; masked < 2; masked++)
        for (pc_type type = PC_INT8; type <= PC_FLOAT64; type++)
            for (int what = 0; what < 3; what++)
                if (real->lane_sums[masked][type][what] && all.lane_sums[masked][type][what])
                    counting.lane_sums[masked][type][what] = all.lane_sums[masked][type][what];
    counting.lane_results = real->lane_results ? count_results : NULL;
    return &counting;
}

const pc_square_kernels *__wrap_pc_squares_in_use(void)
{
    static pc_square_kernels counting;
    real_squares = __real_pc_squares_in_use();
    counting = *real_squares;
    counting.sums_of_float32 = counting.sums_of_float32 ? count_float32 : NULL;
    counting.sums_of_float64 = counting.sums_of_float64 ? count_float64 : NULL;
    counting.sums_of_columns = counting.sums_of_columns ? count_columns : NULL;
    return &counting;
}

void __wrap_accumulator_add_number(pc_accumulator *acc, double x, int imaginary)
{
    passed.single++;
    __real_accumulator_add_number(acc, x, imaginary);
}

/* What is summed makes no difference to any of this: both sums come of one pass. */
static pc_statistic needed;

/* ---- blocks ------------------------------------------------------------------ */

enum { B = FLOAT_BLOCK, N = 2 * B };

static double numbers[N];

/* Just above 2^e, for all that is asked of 2^e itself (which counts as too small for a
 * kernel that begins there), and of either sign. */
static double above(int k, int e)
{
    return ldexp(k % 3 ? 1.0 + 0x1p-23 : -1.0 - 0x1p-23, e);
}

/* From 2^low to below 2^(high + 1). */
static double number(int k, int low, int high)
{
    return above(k, high - k % (high - low + 1));
}

static void put(pc_type type, int k, double x)
{
    float narrow = (float)x;
    if (type == PC_FLOAT64)
        numbers[k] = x;
    else
        memcpy((char *)numbers + (size_t)k * sizeof narrow, &narrow, sizeof narrow);
}

static void add_all(pc_type type, size_t n)
{
    pc_accumulator acc;
    pc_accumulator_clear(&acc, needed);
    memset(&passed, 0, sizeof passed);
    pc_add_numbers(&acc, type, 1, (const char *)numbers, n);
    CHECK(acc.count == n);
}

/* Two blocks pass the kernel twice in all, and a third time if the first guess for the first of
 * them, by the first number, was wrong: what is seen of it serves for the second. */
static void test_scales(const pc_square_kernels *squares)
{
    const int depth = squares->exponent_range;
    const struct {
        pc_type type;
        int low, high, later; /* the second block times 2^later */
        size_t passes;
    } cases[] = {
        {PC_FLOAT32, 0, 0, 0, 2},       /* as guessed */
        {PC_FLOAT32, -23, 0, 0, 2},     /* ... as wide as can be, with room for 16 times as much */
        {PC_FLOAT32, -24, 0, 0, 3},     /* ... and wider */
        {PC_FLOAT32, 24, 50, 0, 3},     /* as wide as can be, with room */
        {PC_FLOAT32, 50, 50, 4, 2},     /* 16 times as large: there is room */
        {PC_FLOAT32, 50, 50, 5, 3},     /* 32 times: there is none */
        {PC_FLOAT32, 100, 123, 0, 2},   /* near the end */
        {PC_FLOAT32, 100, 126, 0, 3},   /* nearer */
        {PC_FLOAT32, 100, 127, 0, 3},   /* at the end: no room needed */
        {PC_FLOAT32, -149, -103, 0, 2}, /* so small that any number goes */
        {PC_FLOAT32, -149, -102, 0, 3},
        {PC_FLOAT32, -149, -149, 0, 3},
        {PC_FLOAT64, 0, 0, 0, 2},
        {PC_FLOAT64, 4 - depth, 0, 0, 2},
        {PC_FLOAT64, 3 - depth, 0, 0, 3},
        {PC_FLOAT64, 50 + 1 - depth, 50, 0, 3},
        {PC_FLOAT64, 50, 50, 4, 2},
        {PC_FLOAT64, 50, 50, 5, 3},
        {PC_FLOAT64, 400 - depth, 396, 0, 2},
        {PC_FLOAT64, 400 - depth, 397, 0, 3},
        {PC_FLOAT64, 400 - depth, 399, 0, 3},
        {PC_FLOAT64, -400 - depth, -404, 0, 2},
        {PC_FLOAT64, -400 - depth, -401, 0, 3},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        pc_type type = cases[c].type;
        if (type == PC_FLOAT32 ? !squares->sums_of_float32 : !squares->sums_of_float64)
            continue;
        for (int k = 0; k < N; k++)
            put(type, k, number(k, cases[c].low, cases[c].high + (k < B ? 0 : cases[c].later)));
        add_all(type, N);
        CHECK((type == PC_FLOAT32 ? passed.float32 : passed.float64) == cases[c].passes * B);
        CHECK((type == PC_FLOAT32 ? passed.float64 : passed.float32) == 0 && passed.single == 0);
    }
}

/* An empty accumulator whose window is open for blocks of this scale. */
static void open_at(pc_accumulator *acc, int E)
{
    const uint64_t zero[4] = {0};
    pc_accumulator_clear(acc, needed);
    if (needed == PC_SUM)
        accumulator_add(acc, PC_NUMBERS, zero, number_window_exponent(E));
    else
        accumulator_add(acc, PC_SQUARES, zero, square_window_exponent(E));
    memset(&passed, 0, sizeof passed);
}

/* A number in the last 2^-21 of a binade belongs to the next E: its whole block does. */
static void test_top(void)
{
    static const struct {
        double x;
        size_t passes;
    } cases[] = {{0x1.ffffeffffffffp0, 1}, {-0x1.fffff00000000p0, 2}, {0x1.fffffffffffffp0, 2}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        pc_accumulator acc;
        for (int k = 0; k < B; k++)
            put(PC_FLOAT64, k, k == 99 ? cases[c].x : above(k, 0));
        open_at(&acc, 0);
        pc_add_numbers(&acc, PC_FLOAT64, 1, (const char *)numbers, B);
        CHECK(passed.float64 == cases[c].passes * B && passed.single == 0);
    }
}

/* The window that is open makes the first guess, if it is one that the kernel takes;
 * a second pass where it was wrong. */
static void test_guess(const pc_square_kernels *squares)
{
    static const struct {
        pc_type type;
        int E;
        size_t passes; /* of numbers near 1, or of the least of float16 */
    } cases[] = {
        {PC_FLOAT64, 0, 1},    {PC_FLOAT64, 400, 2}, {PC_FLOAT64, 401, 1}, {PC_FLOAT64, -400, 2},
        {PC_FLOAT64, -401, 1}, {PC_FLOAT32, 127, 2}, {PC_FLOAT32, 128, 1}, {PC_FLOAT32, -127, 2},
        {PC_FLOAT32, -128, 1}, {PC_FLOAT16, 26, 1}, /* as far up as its last bit is within reach */
        {PC_FLOAT16, 27, 2},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        pc_type type = cases[c].type;
        pc_accumulator acc;
        if (type == PC_FLOAT64 ? !squares->sums_of_float64 : !squares->sums_of_float32)
            continue;
        for (int k = 0; k < B; k++) {
            uint16_t least = 1;
            if (type == PC_FLOAT16)
                memcpy((char *)numbers + (size_t)k * sizeof least, &least, sizeof least);
            else
                put(type, k, above(k, 0));
        }
        open_at(&acc, cases[c].E);
        pc_add_numbers(&acc, type, 1, (const char *)numbers, B);
        /* float16 is widened in pieces, of which only the first needs a second pass */
        const size_t again = (cases[c].passes - 1) * (type == PC_FLOAT16 ? BUFFER : B);
        CHECK(passed.float32 + passed.float64 == B + again && passed.single == 0);
    }
}

/* Zeros say nothing: then 1 is the guess. */
static void test_first_zero(pc_type type)
{
    for (int e = -1; e <= 1; e++) {
        put(type, 0, 0.0);
        for (int k = 1; k < B; k++)
            put(type, k, above(k, e));
        add_all(type, B);
        CHECK(passed.float32 + passed.float64 == (e > 0 ? 2 : 1) * B && passed.single == 0);
    }
}

/* One block: `count` numbers of every `period` are 2^low, the others 2^high. */
static void put_mixed(int count, int period, int low, int high)
{
    for (int k = 0; k < B; k++)
        numbers[k] = above(k, k % period < count ? low : high);
}

/* In a block that no E fits, what fits together with the largest goes through the
 * kernel nevertheless, unless that seems to be the lesser part. */
static void test_spread(int depth)
{
    const struct {
        int count, period, low, high;
        size_t passes, single;
    } cases[] = {
        {1, B, -4, 0, 1, 0},            /* all fit at once */
        {1, B, 1 - depth, 0, 2, 0},     /* ... or at the second try */
        {1, B, -depth, 0, 2, 1},        /* one does not */
        {1, 8, -200, 0, 2, B / 8},      /* some do not */
        {1, 2, -200, 0, 2, B / 2},      /* half of them, ... */
        {B / 2, B, -200, 0, 2, B / 2},  /* ... however they lie */
        {B / 2 + 10, B, -200, 0, 1, B}, /* more than half: one by one */
        {3, 4, -200, 0, 1, B},
        {1, B, -1074, 0, 2, 1},
        {1, B, 0, 401, 2, 1}, /* beyond the kernel's range: scaled into it */
        {B, B, 401, 401, 2, 0},
        {B, B, 400, 400, 2, 0},
        {B, B, 1023, 1023, 2, 0},
        {1, B, 1023, 1024 - depth, 2, 0}, /* the first is the largest */
        {1, B, 1024 - depth, 1023, 2, 0},
        {1, B, 1023 - depth, 1023, 2, 1},
        {B, B, -404, -404, 1, 0},
        {B, B, -405, -405, 2, 0},
        {1, B, -401 - depth, -402, 2, 0},
        {1, B, -402 - depth, -402, 2, 1},
        {1, B, -958 - depth, -959, 2, 0},
        {1, B, -959 - depth, -959, 2, 1},
        {1, B, -960 - depth, -961, 2, 0},
        {1, B, -961 - depth, -961, 2, 1},
        {1, B, -960 - depth, -962, 2, 0}, /* so near to the subnormal that E stays */
        {1, B, -961 - depth, -962, 2, 1},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        put_mixed(cases[c].count, cases[c].period, cases[c].low, cases[c].high);
        add_all(PC_FLOAT64, B);
        if (!(passed.float64 == cases[c].passes * B && passed.single == cases[c].single))
            fprintf(stderr, "c=%zu needed %d: %zu %zu depth %d\n", c, needed, passed.float64,
                    passed.single, depth);
        CHECK(passed.float64 == cases[c].passes * B && passed.single == cases[c].single);
    }
}

/* A few numbers are added one by one. */
static void test_few(pc_type type, int kernel)
{
    const size_t few = needed == PC_VAR ? 6 : 12;
    for (int k = 0; k < 12; k++)
        put(type, k, 1.0);
    add_all(type, few - 1);
    CHECK(passed.single == few - 1 && passed.float32 + passed.float64 == 0);
    add_all(type, few);
    CHECK(passed.single == (kernel ? 0 : few) &&
          passed.float32 + passed.float64 == (kernel ? few : 0));
}

/* Numbers for which float32 is too narrow go the way of float64; those of float16 never are. */
static void test_narrow(const pc_square_kernels *squares)
{
    for (int k = 0; k < B; k++)
        put(PC_FLOAT32, k, k == 7 ? 0x1p-100 : 1.0);
    add_all(PC_FLOAT32, B);
    CHECK(passed.float32 == B);
    CHECK(passed.float64 == (squares->sums_of_float64 ? B + BUFFER : 0)); /* twice where it is */
    CHECK(passed.single == (squares->sums_of_float64 ? 1 : B));

    for (int k = 0; k < N; k++) {
        uint16_t bits = (uint16_t)(k % 0x7c00);
        memcpy((char *)numbers + (size_t)k * sizeof bits, &bits, sizeof bits);
    }
    uint16_t largest = 0x7bff;
    memcpy((char *)numbers + 10, &largest, sizeof largest);
    add_all(PC_FLOAT16, N); /* some pieces need a second pass */
    CHECK(passed.float32 > N && passed.float32 < 2 * N);
    CHECK(passed.float64 == 0 && passed.single == 0);
}

static void test_integers(void)
{
    static const char zeros[(INTEGER_BLOCK + 1) * 8];
    for (pc_type type = PC_INT8; type <= PC_BOOL; type++) {
        pc_accumulator acc;
        pc_accumulator_clear(&acc, needed);
        memset(&passed, 0, sizeof passed);
        pc_add_numbers(&acc, type, 1, zeros, INTEGER_BLOCK + 1);
        CHECK(passed.squares == (needed == PC_SUM ? 0 : INTEGER_BLOCK + 1));
        CHECK(passed.integers == (needed == PC_SUMSQ ? 0 : INTEGER_BLOCK + 1));
        CHECK(passed.single == 0);
    }
}

/* ---- columns ----------------------------------------------------------------- */

/* The first rows are looked at to know the sizes, and then all are summed; if those were all, and
 * the exponents of the columns beside them (at first 0) suit, these are the sums. What does not fit
 * goes the way of a block, in two passes where its own first guess is wrong. */
static void test_columns(int depth)
{
    enum { ROWS = 100, LOOKED = 64, MOST = 2100, COLUMNS = PC_TILE };
    static double matrix[MOST * COLUMNS];
    static pc_tile_sum sums[COLUMNS];
    const struct {
        size_t rows, columns;
        int low, high, later; /* the rows after those looked at times 2^later */
        size_t in_columns, in_blocks, single;
    } cases[] = {
        {ROWS, 16, 0, 0, 0, 16 * (LOOKED + ROWS), 0, 0},
        {ROWS, 8, 0, 0, 0, 8 * (LOOKED + ROWS), 0, 0},
        {6, PC_TILE, 0, 0, 0, PC_TILE * 6, 0, 0},
        {6, PC_TILE, 50, 50, 0, (STRIP + PC_TILE) * 6, 0, 0},
        {LOOKED, 8, 0, 0, 0, 8 * LOOKED, 0, 0},
        {LOOKED + 1, 8, 0, 0, 0, 8 * (LOOKED + LOOKED + 1), 0, 0},
        {ROWS, 12, 0, 0, 0, 8 * (LOOKED + ROWS), 4 * ROWS, 0}, /* eights */
        {ROWS, 7, 0, 0, 0, 0, 7 * ROWS, 0},
        {MOST, 8, 0, 0, 0, 8 * (LOOKED + MOST), 0, 0},
        {6, 8, 0, 0, 0, 8 * 6, 0, 0},
        {5, 8, 0, 0, 0, 0, 0, 8 * 5}, /* few */
        {ROWS, 16, 50 + 2 - depth, 50, 0, 16 * (LOOKED + ROWS), 0, 0},
        {ROWS, 16, 50, 50, 2, 16 * (LOOKED + ROWS), 0, 0}, /* there is room to grow */
        {ROWS, 16, 50, 50, 3, 16 * (LOOKED + ROWS), 16 * ROWS, 0},
        {ROWS, 16, 50, 50, 5, 16 * (LOOKED + ROWS), 16 * 2 * ROWS, 0},
        {ROWS, 8, 398, 398, 0, 8 * (LOOKED + ROWS), 0, 0}, /* the ends of the kernel's range */
        {ROWS, 8, 399, 399, 0, 8 * (LOOKED + ROWS), 8 * 2 * ROWS, 0},
        {ROWS, 8, -402, -402, 0, 8 * (LOOKED + ROWS), 0, 0},
        {ROWS, 8, -403, -403, 0, 8 * (LOOKED + ROWS), 8 * ROWS, 0},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t rows = cases[c].rows, columns = cases[c].columns;
        for (size_t r = 0; r < rows; r++)
            for (size_t k = 0; k < columns; k++)
                matrix[r * COLUMNS + k] = number((int)r, cases[c].low, cases[c].high) *
                                          ldexp(1.0, r < LOOKED ? 0 : cases[c].later);
        pc_array a = {.type = PC_FLOAT64,
                      .components = 1,
                      .data = (const char *)matrix,
                      .kept_axes = 1,
                      .reduced_axes = 1,
                      .repeat = 1,
                      .axis = {{columns, sizeof(double), 0, 0, 0},
                               {rows, COLUMNS * sizeof(double), 0, 0, 0}}};
        for (size_t k = 0; k < columns; k++)
            pc_accumulator_clear(&sums[k].total, needed);
        memset(&passed, 0, sizeof passed);
        pc_add_tile(&a, 0, columns, 0, rows, sums);
        CHECK(passed.columns == cases[c].in_columns && passed.float64 == cases[c].in_blocks &&
              passed.single == cases[c].single);
        for (size_t k = 0; k < columns; k++)
            CHECK(sums[k].total.count == rows);
    }
}

/* ---- bounded sums ------------------------------------------------------------ */

static size_t passed_exactly(void)
{
    return passed.float32 + passed.float64 + passed.columns + passed.single;
}

/* A few numbers are looked at (twice, if a variance depends on it), then all pass once, and none
 * the exact way; but for fewer than pay. With an outlier the block that it is in passes once more.
 * To sum numbers alone they are products by ones. */
static void test_bounded(const pc_kernels *kernels)
{
    enum { LOOKED = 64 };
    const size_t from = kernels->min_bounded;
    for (pc_type type = PC_FLOAT32; type <= PC_FLOAT64; type++)
        for (int result = PC_SUMSQ; result < RESULTS; result++)
            for (int outlier = 0; outlier < 2; outlier++)
                for (size_t n = from - 1; n <= N; n += n < from ? 1 : N - from) {
                    const pc_output_spec spec = spec_of((pc_statistic)result, PC_FLOAT64);
                    const int linear = is_linear((pc_statistic)result), both = result > PC_MEAN;
                    pc_tile_sum sum;
                    double out;
                    for (int k = 0; k < N; k++)
                        put(type, k, above(k, k == 70 && outlier ? 30 : -(k % 3)));
                    uint64_t inconclusive = pc_rounding_test_failures();
                    memset(&passed, 0, sizeof passed);
                    CHECK(pc_reduce_contiguous(type, 1, (const char *)numbers, n, 0, &spec, &sum,
                                               (char *)&out) == PC_OK);
                    CHECK(sum.total.count == n && pc_rounding_test_failures() == inconclusive);
                    const size_t found = linear ? passed.products : passed.bounded[both],
                                 all =
                                     (size_t)(1 + both) * LOOKED + (outlier && n > 70 ? 2 : 1) * n;
                    CHECK(passed.products + passed.bounded[0] + passed.bounded[1] == found);
                    CHECK(found == (n < from ? 0 : all));
                    if (n < from)
                        continue;
                    CHECK(passed_exactly() == 0);
                }
}

/* Columns likewise. */
static void test_bounded_columns(void)
{
    enum { LOOKED = 64, ROWS = 1100, COLUMNS = 12, EIGHTS = 8 }; /* too long for matrices */
    static double matrix[ROWS][COLUMNS];
    static pc_tile_sum sums[PC_TILE];
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++)
            matrix[r][c] = above(r + c, -((r + c) % 3));
    for (int result = PC_SUMSQ; result < RESULTS; result++) {
        const pc_output_spec spec = spec_of((pc_statistic)result, PC_FLOAT64);
        const int both = result >= PC_SUM;
        double out[COLUMNS];
        pc_array a = {.type = PC_FLOAT64,
                      .components = 1,
                      .data = (const char *)matrix,
                      .kept_axes = 1,
                      .reduced_axes = 1,
                      .repeat = 1,
                      .axis = {{COLUMNS, sizeof(double), 0, sizeof(double), 0},
                               {ROWS, sizeof matrix[0], 0, 0, 0}}};
        memset(&passed, 0, sizeof passed);
        CHECK(pc_reduce(&a, 0, COLUMNS, &spec, (char *)out, sums) == PC_OK);
        CHECK(passed_exactly() == 0 && passed.bounded[!both] == 0);
        const int linear = is_linear((pc_statistic)result);
        CHECK(passed.bounded[both] ==
              (linear ? EIGHTS : COLUMNS) * (size_t)((1 + both) * LOOKED + ROWS));
        CHECK(passed.products == (linear ? (COLUMNS - EIGHTS) * (size_t)(LOOKED + ROWS) : 0));
    }
}

/* Where NaN is left out, the sample goes through the kernel that looks for it, then a run that met
 * one, once more from there, and every run after that until one has none: that next after it, too.
 */
static void test_skipping(void)
{
    enum { LOOKED = 64, RUN = BOUNDED_RUN, ALL = 4 * RUN + 100 };
    static double x[ALL];
    static const struct {
        size_t nan[2]; /* where they are; ALL: none */
        size_t plain, skipping;
    } cases[] = {
        {{ALL, ALL}, ALL, 0},
        {{0, ALL}, RUN + 2 * RUN + 100, 2 * RUN},
        {{RUN + 5, ALL}, 2 * RUN + RUN + 100, 2 * RUN},
        {{RUN + 5, 2 * RUN + 5}, 2 * RUN + 100, 3 * RUN},
        {{ALL - 100, ALL}, ALL, 100},
    };
    for (size_t k = 0; k < ALL; k++)
        x[k] = above((int)(k % 4096), -((int)k % 3));
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int result = PC_SUMSQ; result < RESULTS; result++) {
            const pc_output_spec spec = spec_of((pc_statistic)result, PC_FLOAT64);
            const int both = result >= PC_SUM;
            double kept[2] = {0}, out;
            size_t missing = 0;
            pc_tile_sum sum;
            for (int k = 0; k < 2; k++)
                if (cases[c].nan[k] < ALL) {
                    kept[k] = x[cases[c].nan[k]];
                    x[cases[c].nan[k]] = (double)NAN;
                    missing++;
                }
            memset(&passed, 0, sizeof passed);
            CHECK(pc_reduce_contiguous(PC_FLOAT64, 1, (const char *)x, ALL, 1, &spec, &sum,
                                       (char *)&out) == PC_OK);
            CHECK(sum.total.count == ALL - missing && passed_exactly() == 0);
            const int linear = is_linear((pc_statistic)result);
            const size_t looked = (size_t)(1 + (both && !linear)) * LOOKED;
            CHECK((linear ? passed.products : passed.bounded[both]) == cases[c].plain &&
                  passed.skipping == looked + cases[c].skipping);
            CHECK(passed.bounded[!both] == 0 &&
                  (linear ? passed.bounded[both] : passed.products) == 0);
            for (int k = 0; k < 2; k++)
                if (cases[c].nan[k] < ALL)
                    x[cases[c].nan[k]] = kept[k];
        }
}

/* Of columns all go the way of one that met NaN, from that block of rows on. */
static void test_skipping_columns(void)
{
    enum { LOOKED = 64, ROWS = 3 * FLOAT_BLOCK + 10, COLUMNS = 8 };
    static double matrix[ROWS][COLUMNS];
    static pc_tile_sum sums[PC_TILE];
    static const struct {
        int nan;
        size_t plain, skipping;
    } cases[] = {
        {-1, ROWS, 0},
        {5, FLOAT_BLOCK + FLOAT_BLOCK + 10, 2 * FLOAT_BLOCK},
        {FLOAT_BLOCK + 5, 2 * FLOAT_BLOCK + 10, 2 * FLOAT_BLOCK},
        {3 * FLOAT_BLOCK, ROWS, 10},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int result = PC_SUMSQ; result < RESULTS; result++) {
            const pc_output_spec spec = spec_of((pc_statistic)result, PC_FLOAT64);
            const int both = result >= PC_SUM;
            double out[COLUMNS];
            pc_array a = {.type = PC_FLOAT64,
                          .components = 1,
                          .data = (const char *)matrix,
                          .skip_nan = 1,
                          .kept_axes = 1,
                          .reduced_axes = 1,
                          .repeat = 1,
                          .axis = {{COLUMNS, sizeof(double), 0, sizeof(double), 0},
                                   {ROWS, sizeof matrix[0], 0, 0, 0}}};
            for (int r = 0; r < ROWS; r++)
                for (int k = 0; k < COLUMNS; k++)
                    matrix[r][k] =
                        r == cases[c].nan && k == 3 ? (double)NAN : above(r + k, -((r + k) % 3));
            memset(&passed, 0, sizeof passed);
            CHECK(pc_reduce(&a, 0, COLUMNS, &spec, (char *)out, sums) == PC_OK);
            for (int k = 0; k < COLUMNS; k++)
                CHECK(sums[k].total.count + (k == 3 && cases[c].nan >= 0) == ROWS);
            CHECK(passed_exactly() == 0 && passed.bounded[!both] == 0);
            CHECK(passed.bounded[both] == COLUMNS * cases[c].plain);
            CHECK(passed.skipping == COLUMNS * ((size_t)(1 + both) * LOOKED + cases[c].skipping));
        }
}

/* Many sums of floats at once: each matrix passes once; once more if many of its results are not
 * certain, and then with another k or without NaN; and what is still not certain alone. Only
 * infinity asks for an exact sum. */
static void test_matrices(void)
{
    enum { OUTPUTS = 80, LENGTH = 100, N_ALL = OUTPUTS * LENGTH };
    static double x[OUTPUTS][LENGTH];
    static pc_tile_sum sums[PC_TILE];
    enum {
        ORDINARY,
        ONE_LARGE,
        FEW_LARGE,
        ALL_LARGER,
        ALL_SMALLER,
        ONE_EXACT,
        MANY_CONSTANT,
        ONE_NAN,
        MANY_NAN,
        CASES
    };
    for (int columns = 0; columns < 2; columns++)
        for (int which = 0; which < CASES; which++)
            for (int skip_nan = which >= ONE_NAN; skip_nan < 2 - (which == MANY_CONSTANT);
                 skip_nan++)
                for (int result = skip_nan ? PC_SUM : PC_SUMSQ; result < RESULTS; result++) {
                    const pc_output_spec spec = spec_of((pc_statistic)result, PC_FLOAT64);
                    const size_t first = columns ? OUTPUTS / 2 : LANE_COLUMNS, /* of two matrices */
                        second = OUTPUTS - first;
                    double out[OUTPUTS];
                    pc_array a = {.type = PC_FLOAT64,
                                  .components = 1,
                                  .data = (const char *)x,
                                  .skip_nan = skip_nan,
                                  .kept_axes = 1,
                                  .reduced_axes = 1,
                                  .repeat = 1,
                                  .axis = {{OUTPUTS, LENGTH * sizeof(double), 0, sizeof(double), 0},
                                           {LENGTH, sizeof(double), 0, 0, 0}}};
                    if (columns) {
                        a.axis[0].stride = sizeof(double);
                        a.axis[1].stride = OUTPUTS * sizeof(double);
                    }
                    for (size_t p = 0; p < OUTPUTS; p++)
                        for (size_t k = 0; k < LENGTH; k++) {
                            /* not where the first k is looked for */
                            const int large =
                                          k >= 4 &&
                                          ((which == ONE_LARGE || which == ONE_EXACT) ? p == 5
                                           : which == FEW_LARGE ? p % 4 == 3 && p > 3 && p < first
                                                                : 0),
                                      later = p >= first;
                            double v = above((int)k, -(int)(k % 3));
                            v = ldexp(v, large                           ? 60
                                         : which == ALL_LARGER && later  ? 60
                                         : which == ALL_SMALLER && later ? -70
                                                                         : 0);
                            if (k == 7 && ((which == ONE_NAN && p == 5) ||
                                           (which == MANY_NAN && p < first && p % 2)))
                                v = (double)NAN;
                            if (which == MANY_CONSTANT && p % 3 == 0)
                                v = 0.3;
                            if (which == ONE_EXACT && p == 6 && k == 7)
                                v = INFINITY;
                            (&x[0][0])[columns ? k * OUTPUTS + p : p * LENGTH + k] = v;
                        }
                    const uint64_t failed = pc_rounding_test_failures();
                    memset(&passed, 0, sizeof passed);
                    CHECK(pc_reduce(&a, 0, OUTPUTS, &spec, (char *)out, sums) == PC_OK);
                    CHECK(pc_rounding_test_failures() - failed == (which == ONE_EXACT));
                    CHECK(passed.lanes[0] + passed.lanes[1] == 0);
                    CHECK(passed.bounded[0] + passed.bounded[1] == 0);
                    size_t matrices[2] = {N_ALL, 0}, gridded = 0;
                    if (which == ONE_LARGE)
                        gridded = 1;
                    else if (which == ONE_EXACT)
                        gridded = 2;
                    else if (which == MANY_CONSTANT)
                        gridded = result == PC_VAR || result == PC_STD ? (OUTPUTS + 2) / 3 : 0;
                    else if (which == FEW_LARGE)
                        gridded = first / 4 - 1;
                    else if (which == ALL_LARGER || which == ALL_SMALLER)
                        matrices[skip_nan] += second * LENGTH;
                    else if (which == ONE_NAN) {
                        matrices[1] = second * LENGTH;
                        matrices[0] -= matrices[1];
                        gridded = 1;
                    } else if (which == MANY_NAN)
                        matrices[1] = N_ALL, matrices[0] = first * LENGTH;
                    CHECK(passed.matrices[0] == matrices[0] && passed.matrices[1] == matrices[1]);
                    CHECK(passed.gridded[skip_nan] == gridded && passed.gridded[!skip_nan] == 0);
                }
}

/* Where a sum lies halfway between two doubles the exact way follows. */
static void test_tie(const pc_square_kernels *squares)
{
    pc_tile_sum sum;
    const pc_output_spec specs[] = {spec_of(PC_SUMSQ, PC_FLOAT64), spec_of(PC_SUM, PC_FLOAT64)};
    for (int k = 0; k < 2; k++) {
        uint64_t inconclusive = pc_rounding_test_failures();
        double out;
        memset(numbers, 0, sizeof numbers);
        numbers[0] = k ? 0x1p54 : 0x1p27;
        numbers[1] = numbers[B - 1] = 1.0;
        memset(&passed, 0, sizeof passed);
        CHECK(pc_reduce_contiguous(PC_FLOAT64, 1, (const char *)numbers, B, 0, &specs[k], &sum,
                                   (char *)&out) == PC_OK);
        CHECK(out == 0x1p54);
        CHECK(pc_rounding_test_failures() == inconclusive + 1 &&
              (k ? passed.products : passed.bounded[0]) > B);
        CHECK(passed.float64 + passed.single >= (squares->sums_of_float64 ? B : 3));
    }
}

/* A variance whose digits cancel is not tried to the end. */
static void test_cancels(void)
{
    const pc_output_spec spec = spec_of(PC_VAR, PC_FLOAT64);
    pc_tile_sum sum;
    double out;
    for (int k = 0; k < N; k++)
        numbers[k] = 1.7e9 + (k % 2 ? 0.25 : -0.25);
    memset(&passed, 0, sizeof passed);
    CHECK(pc_reduce_contiguous(PC_FLOAT64, 1, (const char *)numbers, N, 0, &spec, &sum,
                               (char *)&out) == PC_OK);
    CHECK(out == 0x1p-4 && passed.bounded[1] == 2 * 64 && passed_exactly() >= N);
}

static void check_windows(pc_statistic statistic, size_t window, size_t min_count)
{
    static double out[N];
    pc_moving m = {
        .spec = spec_of(statistic, PC_FLOAT64), .window = window, .min_count = min_count};
    m.array = (pc_array){.data = (const char *)numbers,
                         .type = PC_FLOAT64,
                         .components = 1,
                         .repeat = 1,
                         .reduced_axes = 1};
    m.array.axis[0] = (pc_axis){.length = N, .stride = 8, .out_stride = 8};
    m.out = (char *)out;
    char *state = calloc(1, pc_move_state_size());
    memset(&passed, 0, sizeof passed);
    const uint64_t failed = pc_rounding_test_failures();
    pc_move(&m, 0, 1, 0, N, SIZE_MAX, (pc_move_state *)(void *)state);
    CHECK(passed.results <= 2 && pc_rounding_test_failures() - failed <= 2);
    free(state);
}

/* Nearly all blocks of moving windows of ordinary numbers have their results at once. */
static void test_windows(void)
{
    for (int kind = 0; kind < 4; kind++) {
        const int nan = kind & 1;
        const double middle = kind & 2 ? 0x1p80 : 0.0;
        for (size_t k = 0; k < N; k++)
            numbers[k] = nan && below(40) == 0 ? (double)NAN : middle + (double)(int64_t)random64();
        for (pc_statistic statistic = PC_SUM; statistic <= PC_STD; statistic++) {
            check_windows(statistic, 100, 50);
            check_windows(statistic, 20, 20);
        }
    }
    for (size_t k = 0; k < N; k++)
        numbers[k] = 0x1p52 + (double)(128 * below(2));
    check_windows(PC_MEAN, 256, 256); /* half are ties */
    check_windows(PC_SUM, 0, 1);
}

int main(void)
{
    static const pc_statistic results[] = {PC_SUMSQ, PC_SUM, PC_VAR};
    FOR_EACH_LEVEL
    {
        const pc_kernels *kernels = pc_kernels_in_use();
        const pc_square_kernels *squares = pc_squares_in_use();
        for (size_t k = 0; k < 3; k++) {
            needed = results[k];
            test_integers();
            test_scales(squares);
            test_guess(squares);
            if (squares->sums_of_float32)
                test_first_zero(PC_FLOAT32);
            test_few(PC_FLOAT32, squares->sums_of_float32 != NULL);
            test_few(PC_FLOAT64, squares->sums_of_float64 != NULL);
            if (squares->sums_of_float32)
                test_narrow(squares);
            if (squares->sums_of_float64) {
                test_spread(squares->exponent_range);
                test_top();
                test_first_zero(PC_FLOAT64);
            }
            if (squares->sums_of_columns)
                test_columns(squares->exponent_range);
        }
        if (kernels->lanes[0]) {
            test_bounded(kernels);
            test_bounded_columns();
            test_skipping();
            test_skipping_columns();
            test_tie(squares);
            test_cancels();
        }
        if (kernels->lane_results) {
            test_matrices();
            test_windows();
        }
        printf("%s ", pc_simd());
    }
    return 0;
}
