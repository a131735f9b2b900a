/* The kernels called directly: exact as deep as they claim and no deeper, up to the
 * fullest block, and with a magnitude_range that is right whatever the numbers are. */
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

/* 2^e and on to 2^(e + 1): its ends, or anything between. Of the last binade that is for the
 * kernel (`whole`: it is not) the end is 2^(e + 1) (1 - 2^-21). */
static double in_binade(int e, int whole)
{
    static const uint64_t edges[] = {0, 1, (UINT64_C(1) << 52) - 1, UINT64_C(1) << 51};
    uint64_t fraction = below(2) ? random64() >> 12 : edges[below(4)];
    if (!whole && fraction >> 32 == 0xfffff)
        fraction -= UINT64_C(1) << 32;
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
    int low, high, top, same, zeros;
} block;

static block some_block(int low, int high)
{
    static const int width = 3;
    block b = {low, high, high, below(3) == 0, below(3) == 0};
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

static void widen_span(magnitude_range *s, uint32_t least, uint32_t most)
{
    s->min = least < s->min ? least : s->min;
    s->max = most > s->max ? most : s->max;
}

static void add_to_span(magnitude_range *s, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= UINT64_MAX >> 1;
    widen_span(s, (uint32_t)((bits - 1) >> 32), (uint32_t)(bits >> 32));
}

static void add_to_span32(magnitude_range *s, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= UINT32_MAX >> 1;
    widen_span(s, bits - 1, bits);
}

static int equal_spans(magnitude_range x, magnitude_range y)
{
    return x.min == y.min && x.max == y.max;
}

/* Whether that is what a kernel found: even numbers are PC_NUMBERS, odd ones PC_IMAGINARY. */
static int is_sum(const slow_sum *right, const uint64_t *words, size_t count, int exponent)
{
    slow_sum s = {{0}};
    slow_add_signed(&s, words, count, exponent);
    return memcmp(&s, right, sizeof s) == 0;
}

static int are_squares(const slow_sums *right, const block_sums *sums, int E)
{
    return !(sums->squares[3] >> 28) &&
           is_sum(&right->moment[PC_SQUARES], sums->squares, 4, square_window_exponent(E));
}

static int are_numbers(const slow_sums *right, const block_sums *sums, int E)
{
    int equal = 1;
    for (int k = 0; k < 2; k++) {
        const uint64_t words[2] = {sums->numbers[k].lo, sums->numbers[k].hi};
        equal &=
            is_sum(&right->moment[PC_NUMBERS + (pc_moment)k], words, 2, number_window_exponent(E));
    }
    return equal;
}

/* ---- float64 ----------------------------------------------------------------- */

static void fill(double *x, size_t n, size_t step, block b)
{
    const int e = below(2) ? b.high : some_exponent(b), signs = (int)below(2);
    const double same = in_binade(e, e < b.top);
    for (size_t k = 0; k < n; k++) {
        const int own = some_exponent(b);
        x[k * step] = b.zeros && below(4) == 0 ? 0.0
                      : b.same                 ? (signs && below(2) ? -same : same)
                                               : in_binade(own, own < b.top);
    }
}

static int some_E(void)
{
    static const int edges[] = {-400, 400, 0};
    return below(2) ? edges[below(3)] : (int)below(801) - 400;
}

static void test_float64(const pc_square_kernels *squares, long count)
{
    static double x[MOST];
    block_sums sums;
    for (; count; count--) {
        int E = some_E();
        size_t n = some_length();
        slow_sums expected = {.special = 0};
        magnitude_range right = {UINT32_MAX, 0};
        fill(x, n, 1, some_block(E - squares->exponent_range, E));
        slow_add_all(&expected, PC_FLOAT64, 2, (char *)x, n);
        for (size_t k = 0; k < n; k++)
            add_to_span(&right, x[k]);
        squares->sums_of_float64((char *)x, n, E, &sums);
        CHECK(are_squares(&expected, &sums, E) && are_numbers(&expected, &sums, E));
        CHECK(equal_spans(sums.magnitudes, right));

        right = (magnitude_range){UINT32_MAX, 0};
        for (size_t k = 0; k < n; k++) { /* whatever they are */
            x[k] = double_of(below(2) ? random64() : random_size());
            add_to_span(&right, x[k]);
        }
        squares->sums_of_float64((char *)x, n, E, &sums);
        CHECK(equal_spans(sums.magnitudes, right));
    }

    /* A depth less than it might be would cost time. */
    int inexact = 0;
    for (int again = 0; again < 100; again++) {
        slow_sums expected = {.special = 0};
        x[0] = in_binade(-squares->exponent_range - 1, 1);
        slow_add_double(&expected, PC_NUMBERS, x[0]);
        squares->sums_of_float64((char *)x, 1, 0, &sums);
        inexact |= !are_squares(&expected, &sums, 0);
        CHECK(squares->exponent_range > 40 || are_numbers(&expected, &sums, 0));
    }
    CHECK(inexact);
}

static void test_columns(const pc_square_kernels *squares, long count)
{
    enum { GAP = 3 };
    static double x[MOST * (16 + GAP)];
    static block_sums sums[STRIP];
    int E[STRIP];
    for (; count; count--) {
        size_t columns = 8 * (1 + (size_t)below(below(8) ? 2 : STRIP / 8)),
               gap = (size_t)below(GAP),
               rows = 1 + (columns > 16 ? (size_t)below(40) : some_length() % MOST);
        ptrdiff_t stride = (ptrdiff_t)(columns + gap);
        double *first = x;
        for (size_t c = 0; c < columns; c++) {
            E[c] = some_E();
            fill(x + c, rows, columns + gap, some_block(E[c] - squares->exponent_range, E[c]));
        }
        if (below(2)) { /* from the last row up */
            first = x + (ptrdiff_t)(rows - 1) * stride;
            stride = -stride;
        }
        squares->sums_of_columns((char *)first, stride * (ptrdiff_t)sizeof *x, rows, columns, E,
                                 sums);
        for (size_t c = 0; c < columns; c++) {
            slow_sums expected = {.special = 0};
            magnitude_range right = {UINT32_MAX, 0};
            for (size_t r = 0; r < rows; r++) {
                slow_add_double(&expected, PC_NUMBERS, x[r * (columns + gap) + c]);
                add_to_span(&right, x[r * (columns + gap) + c]);
            }
            CHECK(are_squares(&expected, &sums[c], E[c]) && are_numbers(&expected, &sums[c], E[c]));
            CHECK(equal_spans(sums[c].magnitudes, right));
        }
    }
}

/* ---- float32 ----------------------------------------------------------------- */

static void test_float32(const pc_square_kernels *squares, long count)
{
    static float x[MOST];
    block_sums sums;
    for (; count; count--) {
        int E = below(4) ? (int)below(255) - 127 : below(2) ? 127 : -127;
        size_t n = some_length();
        slow_sums expected = {.special = 0};
        magnitude_range right = {UINT32_MAX, 0};
        block b = some_block(E - 27 < -126 ? -126 : E - 27, E < -126 ? -126 : E);
        float same = in_binade32(some_exponent(b));
        for (size_t k = 0; k < n; k++) {
            x[k] = b.zeros && below(4) == 0 ? 0.0f : b.same ? same : in_binade32(some_exponent(b));
            if (E < -126 ||
                (E < -98 && below(4) == 0)) /* their last bit may be the last there is */
                x[k] = float_of((uint32_t)below(1 << 23));
            add_to_span32(&right, x[k]);
        }
        slow_add_all(&expected, PC_FLOAT32, 2, (char *)x, n);
        squares->sums_of_float32((char *)x, n, E, &sums);
        CHECK(are_squares(&expected, &sums, E) && are_numbers(&expected, &sums, E));
        CHECK(equal_spans(sums.magnitudes, right));

        right = (magnitude_range){UINT32_MAX, 0};
        for (size_t k = 0; k < n; k++) {
            x[k] = float_of((uint32_t)(below(2) ? random64() : random_size()));
            add_to_span32(&right, x[k]);
        }
        squares->sums_of_float32((char *)x, n, E, &sums);
        CHECK(equal_spans(sums.magnitudes, right));
    }
}

/* ---- integers ------------------------------------------------------------------ */

/* Up to the fullest block of the largest, and of the least: those of a sign that add up. */
static void test_integers(const pc_kernels *kernels, long count)
{
    static char x[INTEGER_BLOCK * 8 + 8];
    for (; count; count--) {
        static const uint64_t edges[] = {0, 1, UINT64_MAX, UINT64_C(1) << 63, UINT64_MAX >> 1};
        const pc_type type = (pc_type)below(8);
        const size_t n = below(20) ? (size_t)below(300) : INTEGER_BLOCK - (size_t)below(3);
        const uint64_t kind = below(3), same = edges[below(5)];
        const unsigned shift = 64 - 8 * (unsigned)sizes[type];
        char *from = x + below(8);
        slow_sums expected = {.special = 0};
        uint64_t sum[4];
        for (size_t k = 0; k < n; k++) {
            const uint64_t bits = kind == 0 ? same : kind == 1 ? edges[below(5)] : random64();
            store_bits(from + k * sizes[type], sizes[type], bits >> shift);
        }
        slow_add_all(&expected, type, 1, from, n);
        kernels->squares_of_integers[type](from, n, sum);
        CHECK(!(sum[3] >> 28) && is_sum(&expected.moment[PC_SQUARES], sum, 4, 0));
        kernels->sum_of_integers[type](from, n, sum);
        CHECK(is_sum(&expected.moment[PC_NUMBERS], sum, 4, 0));
    }
}

int main(int argc, char **argv)
{
    long count = trials(argc, argv) / 4 + 1;
    FOR_EACH_LEVEL
    {
        const pc_kernels *kernels = pc_kernels_in_use();
        const pc_square_kernels *squares = pc_squares_in_use();
        test_integers(kernels, count / 2 + 1);
        if (squares->sums_of_float32)
            test_float32(squares, count);
        if (squares->sums_of_float64) {
            test_float64(squares, count);
            test_columns(squares, count / 8 + 1);
        }
        printf("%s ", pc_simd());
    }
    return 0;
}
