/* The kernels called directly: exact as deep as they claim and no deeper, up to
 * the fullest block, and with a span that is right whatever the numbers are. */
#include "check.h"

enum { MOST = FLOAT_BLOCK };

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^e and on to 2^(e + 1): its ends, or anything between. */
static double in_binade(int e)
{
    static const uint64_t edges[] = {0, 1, (UINT64_C(1) << 52) - 1, UINT64_C(1) << 51};
    uint64_t fraction = below(2) ? random64() >> 12 : edges[below(4)];
    return double_of(below(2) << 63 | (uint64_t)(e + 1023) << 52 | fraction);
}

static float in_binade32(int e)
{
    static const uint32_t edges[] = {0, 1, (1u << 23) - 1, 1u << 22};
    uint32_t fraction = below(2) ? (uint32_t)below(1 << 23) : edges[below(4)];
    return float_of((uint32_t)below(2) << 31 | (uint32_t)(e + 127) << 23 | fraction);
}

/* How many numbers: all the lengths of a last row, and full blocks. */
static size_t some_length(void)
{
    return below(4) ? (size_t)below(71) : MOST - (size_t)below(20);
}

/* A block: anything in the binades low to high, or all the same, and zeros or not. */
typedef struct {
    int low, high, same, zeros;
} block;

static block some_block(int low, int high)
{
    static const int width = 3;
    block b = {low, high, below(3) == 0, below(3) == 0};
    if (below(3) == 0)
        b.high = b.low + width < high ? b.low + width : high;
    else if (below(2))
        b.low = b.high - width > low ? b.high - width : low;
    return b;
}

static int some_exponent(block b)
{
    return b.low + (int)below((uint64_t)(b.high - b.low) + 1);
}

static void widen_span(span *s, uint32_t least, uint32_t most)
{
    s->least = least < s->least ? least : s->least;
    s->most = most > s->most ? most : s->most;
}

static void add_to_span(span *s, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= UINT64_MAX >> 1;
    widen_span(s, (uint32_t)((bits - 1) >> 32), (uint32_t)(bits >> 32));
}

static void add_to_span32(span *s, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= UINT32_MAX >> 1;
    widen_span(s, bits - 1, bits);
}

static int equal_spans(span x, span y)
{
    return x.least == y.least && x.most == y.most;
}

static int is_sum(const slow_sum *expected, const uint64_t sum[4], int E)
{
    pc_accumulator acc;
    pc_accumulator_clear(&acc);
    accumulator_add(&acc, sum, window_of(E));
    return !(sum[3] >> 28) && slow_equal(expected, &acc);
}

/* ---- float64 ----------------------------------------------------------------- */

static void fill(double *x, size_t n, size_t step, block b)
{
    double same = in_binade(below(2) ? b.high : some_exponent(b));
    for (size_t k = 0; k < n; k++)
        x[k * step] = b.zeros && below(4) == 0 ? 0.0 : b.same ? same : in_binade(some_exponent(b));
}

static int some_E(void)
{
    static const int edges[] = {-400, 400, 0};
    return below(2) ? edges[below(3)] : (int)below(801) - 400;
}

static void test_float64(const pc_kernels *kernels, long count)
{
    static double x[MOST];
    uint64_t sum[4];
    for (; count; count--) {
        int E = some_E();
        size_t n = some_length();
        slow_sum expected = {{0}};
        span found, right = {UINT32_MAX, 0};
        fill(x, n, 1, some_block(E - kernels->depth, E));
        for (size_t k = 0; k < n; k++) {
            slow_add_double_squared(&expected, x[k]);
            add_to_span(&right, x[k]);
        }
        kernels->squares_of_float64((char *)x, n, E, sum, &found);
        CHECK(is_sum(&expected, sum, E) && equal_spans(found, right));

        right = (span){UINT32_MAX, 0};
        for (size_t k = 0; k < n; k++) { /* whatever they are */
            x[k] = double_of(below(2) ? random64() : random_size());
            add_to_span(&right, x[k]);
        }
        kernels->squares_of_float64((char *)x, n, E, sum, &found);
        CHECK(equal_spans(found, right));
    }

    /* A depth less than it might be would cost time. */
    int inexact = 0;
    for (int again = 0; again < 100; again++) {
        slow_sum expected = {{0}};
        span found;
        x[0] = in_binade(-kernels->depth - 1);
        slow_add_double_squared(&expected, x[0]);
        kernels->squares_of_float64((char *)x, 1, 0, sum, &found);
        inexact |= !is_sum(&expected, sum, 0);
    }
    CHECK(inexact);
}

static void test_columns(const pc_kernels *kernels, long count)
{
    enum { GAP = 3 };
    static double x[MOST * (16 + GAP)];
    static uint64_t sum[PC_PANEL][4];
    span found[PC_PANEL];
    int E[PC_PANEL];
    for (; count; count--) {
        size_t columns = 8 * (1 + (size_t)below(below(8) ? 2 : PC_PANEL / 8)),
               gap = (size_t)below(GAP),
               rows = 1 + (columns > 16 ? (size_t)below(40) : some_length() % MOST);
        ptrdiff_t stride = (ptrdiff_t)(columns + gap);
        double *first = x;
        for (size_t c = 0; c < columns; c++) {
            E[c] = some_E();
            fill(x + c, rows, columns + gap, some_block(E[c] - kernels->depth, E[c]));
        }
        if (below(2)) { /* from the last row up */
            first = x + (ptrdiff_t)(rows - 1) * stride;
            stride = -stride;
        }
        kernels->squares_of_columns((char *)first, stride * (ptrdiff_t)sizeof *x, rows, columns, E,
                                    sum, found);
        for (size_t c = 0; c < columns; c++) {
            slow_sum expected = {{0}};
            span right = {UINT32_MAX, 0};
            for (size_t r = 0; r < rows; r++) {
                slow_add_double_squared(&expected, x[r * (columns + gap) + c]);
                add_to_span(&right, x[r * (columns + gap) + c]);
            }
            CHECK(is_sum(&expected, sum[c], E[c]) && equal_spans(found[c], right));
        }
    }
}

/* ---- float32 ----------------------------------------------------------------- */

static void test_float32(const pc_kernels *kernels, long count)
{
    static float x[MOST];
    uint64_t sum[4];
    for (; count; count--) {
        int E = below(4) ? (int)below(255) - 127 : below(2) ? 127 : -127;
        size_t n = some_length();
        slow_sum expected = {{0}};
        span found, right = {UINT32_MAX, 0};
        block b = some_block(E - 27 < -126 ? -126 : E - 27, E < -126 ? -126 : E);
        float same = in_binade32(some_exponent(b));
        for (size_t k = 0; k < n; k++) {
            x[k] = b.zeros && below(4) == 0 ? 0.0f : b.same ? same : in_binade32(some_exponent(b));
            if (E < -126 ||
                (E < -98 && below(4) == 0)) /* their last bit may be the last there is */
                x[k] = float_of((uint32_t)below(1 << 23));
            slow_add_double_squared(&expected, (double)x[k]);
            add_to_span32(&right, x[k]);
        }
        kernels->squares_of_float32((char *)x, n, E, sum, &found);
        CHECK(is_sum(&expected, sum, E) && equal_spans(found, right));

        right = (span){UINT32_MAX, 0};
        for (size_t k = 0; k < n; k++) {
            x[k] = float_of((uint32_t)(below(2) ? random64() : random_size()));
            add_to_span32(&right, x[k]);
        }
        kernels->squares_of_float32((char *)x, n, E, sum, &found);
        CHECK(equal_spans(found, right));
    }
}

int main(int argc, char **argv)
{
    long count = trials(argc, argv) / 4 + 1;
    FOR_EACH_LEVEL
    {
        const pc_kernels *kernels = pc_kernels_in_use();
        if (kernels->squares_of_float32)
            test_float32(kernels, count);
        if (kernels->squares_of_float64) {
            test_float64(kernels, count);
            test_columns(kernels, count / 8 + 1);
        }
        printf("%s ", pc_simd());
    }
    return 0;
}
