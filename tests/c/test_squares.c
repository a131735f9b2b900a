/* reduce.c, contiguous.c, accumulator.c, round.c and the kernels against a slow exact sum: every
 * type, length and level, memory that ends where the data do, and every floating-point environment
 * that a caller may have set. */
#include "check.h"

#include <fenv.h>

/* ---- the caller's floating-point environment ------------------------------- */

#ifdef __SSE2__
#include <xmmintrin.h>
enum { ENVIRONMENTS = 16 }; /* four rounding modes, FTZ, DAZ */

static void set_environment(int k)
{
    _mm_setcsr(0x1f80u | (unsigned)(k & 3) << 13 | (k & 4 ? 0x8000u : 0) | (k & 8 ? 0x40u : 0));
}

static unsigned environment(void)
{
    return _mm_getcsr();
}
#else
enum { ENVIRONMENTS = 4 };

static const int modes[] = {
    FE_TONEAREST,
#ifdef FE_DOWNWARD
    FE_DOWNWARD,
    FE_UPWARD,
    FE_TOWARDZERO,
#endif
};

static void set_environment(int k)
{
    fesetround(modes[(size_t)k % (sizeof modes / sizeof *modes)]);
    feclearexcept(FE_ALL_EXCEPT);
}

static unsigned environment(void)
{
    return (unsigned)fegetround() << 16 | (unsigned)fetestexcept(FE_ALL_EXCEPT);
}
#endif

static int environment_in_use;
static unsigned environment_before;

static void as_the_caller(void)
{
    set_environment(environment_in_use);
    environment_before = environment();
}

static void as_the_test(void)
{
    unsigned after = environment();
    set_environment(0);
    CHECK(after == environment_before);
}

/* ---- numbers ---------------------------------------------------------------- */

enum { TYPES = PC_FLOAT64 + 1 };

/* How the floats of one trial spread. */
typedef struct {
    int low, high; /* of the biased exponent */
    int rough;     /* fractions all ones or zeros now and then */
    int odd;       /* zeros, and with 2 NaN and Inf too, now and then */
} spread;

static spread random_spread(pc_type type)
{
    int top = (1 << formats[type - PC_FLOAT16].exponent) - 2,
        centre = (int)below((uint64_t)top + 1);
    static const int widths[] = {0, 1, 5, 20, 23, 24, 25, 26, 27, 28, 29, 60, 3000};
    int width = widths[below(13)];
    if (below(8) == 0) /* near either end */
        centre = below(2) ? top - (int)below(3) : (int)below(3);
    spread s = {centre - width, centre, (int)below(2), (int)below(3)};
    s.low = s.low < 0 ? 0 : s.low;
    if (s.odd == 2 && below(10))
        s.odd = 0;
    return s;
}

static uint64_t random_float(pc_type type, spread s)
{
    int fraction_bits = formats[type - PC_FLOAT16].fraction,
        exponent_bits = formats[type - PC_FLOAT16].exponent;
    uint64_t ones = (UINT64_C(1) << fraction_bits) - 1, fraction = random64() & ones;
    uint64_t exponent = (uint64_t)s.low + below((uint64_t)(s.high - s.low) + 1);
    if (s.rough && below(2))
        fraction = below(2) ? ones : below(2) ? 0 : UINT64_C(1) << below((uint64_t)fraction_bits);
    if (s.odd && below(4) == 0)
        fraction = exponent = 0;
    if (s.odd == 2 && below(16) == 0) {
        exponent = (UINT64_C(1) << exponent_bits) - 1;
        fraction = below(2) ? 0 : fraction;
    }
    return below(2) << (fraction_bits + exponent_bits) | exponent << fraction_bits | fraction;
}

static uint64_t random_integer(void)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     UINT64_MAX,
                                     UINT64_C(1) << 63,
                                     UINT64_C(0x8000000080008080),
                                     UINT64_C(0x7fffffff7fff7f7f),
                                     UINT64_C(0xffffffff00000000),
                                     UINT64_C(1) << 31};
    return below(4) ? random64() >> below(2) * below(64) : edges[below(8)];
}

static void fill(char *to, pc_type type, size_t n)
{
    spread s = {0, 0, 0, 0};
    int same = below(8) == 0;
    uint64_t bits = 0;
    if (is_float(type))
        s = random_spread(type);
    for (size_t k = 0; k < n; k++) {
        if (!same || k == 0)
            bits = is_float(type)    ? random_float(type, s)
                   : type == PC_BOOL ? below(3)
                                     : random_integer();
        store_bits(to + k * sizes[type], sizes[type], bits);
    }
}

/* ---- pc_add_numbers ------------------------------------------------------------ */

static size_t some_length(void)
{
    static const size_t edges[] = {0,    1,    19,   20,   21,   63,    64,    65,   127,
                                   2047, 2048, 2049, 4096, 4100, 65535, 65536, 65537};
    return below(50) ? (size_t)below(80) : edges[below(below(20) ? 13 : 17)];
}

static guarded before_a_page, after_a_page;

/* What any of the results needs. */
static pc_statistic some_result(void)
{
    static const pc_statistic needs[] = {PC_SUMSQ, PC_SUM, PC_VAR, PC_VAR};
    return needs[below(4)];
}

/* An accumulator taken apart and put together again. */
static void copy_parts(pc_accumulator *copy, const pc_accumulator *acc)
{
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
        uint64_t words[PC_LIMBS];
        int exponent, negative;
        size_t used = pc_accumulator_export(acc, moment, words, &exponent, &negative);
        CHECK(used == 0 || (words[0] && words[used - 1]));
        CHECK(pc_accumulator_import(copy, moment, words, used, exponent, negative) == PC_OK);
    }
    copy->count = acc->count;
    pc_accumulator_add_nonfinite(copy, pc_accumulator_nonfinite(acc));
}

static void test_contiguous(long count)
{
    for (; count; count--) {
        const pc_statistic needed = some_result();
        slow_sums slow = {.special = 0};
        pc_accumulator acc, copy, twice;
        size_t total = 0;
        int complex = 0;
        pc_accumulator_clear(&acc, needed);
        pc_accumulator_clear(&copy, needed);
        pc_accumulator_clear(&twice, needed);
        for (int pieces = 1 + (int)below(3); pieces; pieces--) {
            pc_type type = (pc_type)below(TYPES);
            const int components = is_float(type) ? 1 + (int)below(2) : 1;
            size_t n = some_length() / (size_t)components, reals = n * (size_t)components,
                   bytes = reals * sizes[type], odd = below(2) ? (size_t)below(8) : 0;
            char *x = below(2) ? before_a_page.data + ((size_t)1 << 20) - bytes - odd
                               : after_a_page.data + odd;
            fill(x, type, reals);
            slow_add_all(&slow, type, components, x, reals);
            total += n;
            complex |= components == 2;
            as_the_caller();
            pc_add_numbers(&acc, type, components, x, n);
            as_the_test();
        }
        CHECK(acc.count == total && slow_all_equal(&slow, &acc));
        copy_parts(&copy, &acc);
        CHECK(slow_all_equal(&slow, &copy));

        /* Merged with itself it is twice as much, and so it is scaled by two. */
        uint64_t rounded[2][RESULTS][2] = {{{0}}};
        as_the_caller();
        CHECK(pc_accumulator_merge(&twice, &acc) == PC_OK &&
              pc_accumulator_merge(&twice, &copy) == PC_OK);
        pc_accumulator_scale(&copy, 2);
        for (int result = PC_SUMSQ; result < RESULTS; result++) {
            pc_output_spec spec = spec_of((pc_statistic)result, PC_FLOAT64);
            spec.components = result == PC_SUM || result == PC_MEAN ? 1 + complex : 1;
            (void)round_to(&twice, spec, rounded[0][result]);
            (void)round_to(&copy, spec, rounded[1][result]);
        }
        as_the_test();
        CHECK(memcmp(rounded[0], rounded[1], sizeof rounded[0]) == 0);
        CHECK(twice.count == 2 * total && copy.count == 2 * total);
    }
}

/* A window open at E makes E the first guess for a block. Most numbers have that
 * exponent, or the nearest that their type has, and one is just within what a
 * kernel takes for E or just beyond, or as small as can be. */
static void test_reach(long count)
{
    enum { N = 24 };
    static const int far[] = {0, 24, 27, 49, 3000}, edges[] = {-400, 400, -127, 127, -99, 26};
    for (; count; count--) {
        pc_type type = PC_FLOAT16 + (pc_type)below(3);
        int fraction_bits = formats[type - PC_FLOAT16].fraction,
            top = (1 << formats[type - PC_FLOAT16].exponent) - 2, bias = top / 2,
            E = edges[below(6)] + (int)below(7) - 3, e = E - far[below(5)] + (int)below(5) - 2;
        size_t odd = (size_t)below(N);
        char x[N * sizeof(double)];
        pc_accumulator acc;
        slow_sums slow = {.special = 0};
        const uint64_t zero[4] = {0};
        const pc_statistic needed = some_result();
        pc_accumulator_clear(&acc, needed);
        if (needed == PC_SUM)
            accumulator_add(&acc, PC_NUMBERS, zero, number_window_exponent(E));
        else
            accumulator_add(&acc, PC_SQUARES, zero, square_window_exponent(E));
        for (size_t k = 0; k < N; k++) {
            uint64_t ones = (UINT64_C(1) << fraction_bits) - 1, bits = 0,
                     fraction = below(2)   ? random64() & ones
                                : below(2) ? below(2)
                                           : ones;
            int biased = bias + (k == odd ? e : E);
            biased = biased < 0 ? 0 : biased > top ? top : biased;
            if (k == odd || below(4))
                bits = (uint64_t)biased << fraction_bits | fraction;
            bits |= below(2) << (8 * sizes[type] - 1);
            store_bits(x + k * sizes[type], sizes[type], bits);
            slow_add_element(&slow, PC_NUMBERS, type, x + k * sizes[type]);
        }
        as_the_caller();
        pc_add_numbers(&acc, type, 1, x, N);
        as_the_test();
        CHECK(slow_all_equal(&slow, &acc));
    }
}

/* ---- pc_reduce ---------------------------------------------------------------- */

/* A random view into a block of memory: any strides, a mask, swapped bytes. */
static void test_strided(long count)
{
    static pc_tile_sum tile[PC_TILE];
    enum { MEMORY = 1 << 16 };
    static char mask_memory[1 << 20];
    static double out[4096][2];

    for (; count; count--) {
        pc_array a = {.type = (pc_type)below(TYPES), .components = 1, .repeat = 1};
        if ((a.type == PC_FLOAT32 || a.type == PC_FLOAT64) && below(3) == 0)
            a.components = 2;
        a.swapped = sizes[a.type] > 1 && below(3) == 0;
        int matrix = below(4) == 0; /* of eight bytes an element, to be summed along its columns */
        if (matrix) {
            static const pc_type eight[] = {PC_FLOAT64, PC_FLOAT64, PC_FLOAT64, PC_FLOAT32,
                                            PC_INT64};
            a.type = eight[below(5)];
            a.components = a.type == PC_FLOAT32 ? 2 : 1;
        }
        size_t item = sizes[a.type] * (size_t)a.components, space = MEMORY / item, outputs = 1,
               depth = 1;
        int axes = matrix ? 2 : (int)below(5), masked = below(matrix ? 4 : 2) == 0;
        ptrdiff_t data_low = 0, data_high = 0, mask_low = 0, mask_high = 0;
        a.kept_axes = matrix ? 1 : (int)below((uint64_t)axes + 1);
        a.reduced_axes = axes - a.kept_axes;
        size_t room = below(4) ? 400 : 4000; /* elements in all, about */
        int plain = below(2) == 0;           /* C order without gaps */
        size_t next = 1;
        for (int k = axes - 1; k >= 0; k--) {
            size_t length = below(30) == 0 ? 0
                                           : 1 + (size_t)below(below(3) == 0 ? room
                                                               : room < 8    ? room
                                                                             : 8);
            room = length ? room / length : room;
            room = room ? room : 1;
            ptrdiff_t most = (ptrdiff_t)(space / (8 * (length ? length : 1)));
            ptrdiff_t stride =
                plain ? (ptrdiff_t)next : (ptrdiff_t)below((uint64_t)(2 * most + 1)) - most;
            if (plain && length)
                next *= length;
            if (below(6) == 0)
                stride = 0;
            if (below(6) == 0)
                stride = -stride;
            if (matrix) {
                length = k == 0      ? 1 + (size_t)below(40)
                         : below(20) ? 15 + (size_t)below(60)
                                     : 2040 + (size_t)below(20);
                stride = k == 0 ? 1 : 40 + (ptrdiff_t)below(3);
            }
            a.axis[k].length = length;
            a.axis[k].stride =
                stride * (ptrdiff_t)item + (matrix || plain || below(3) ? 0 : (ptrdiff_t)below(2));
            a.axis[k].mask_stride = masked ? (ptrdiff_t)below(41) - 20 : 0;
            if (length) {
                ptrdiff_t reach = (ptrdiff_t)(length - 1);
                *(a.axis[k].stride < 0 ? &data_low : &data_high) += reach * a.axis[k].stride;
                *(a.axis[k].mask_stride < 0 ? &mask_low : &mask_high) +=
                    reach * a.axis[k].mask_stride;
            }
        }
        size_t out_next = 1;
        for (int k = a.kept_axes - 1; k >= 0; k--) { /* the results in C order */
            a.axis[k].out_stride = (ptrdiff_t)(out_next * sizeof *out);
            out_next *= a.axis[k].length;
        }
        for (int k = 0; k < axes; k++)
            *(k < a.kept_axes ? &outputs : &depth) *= a.axis[k].length;
        if (outputs > 4096 || data_high - data_low + (ptrdiff_t)item > (1 << 20) ||
            mask_high - mask_low >= (1 << 20))
            continue;
        size_t bytes = (size_t)(data_high - data_low) + item;
        /* Where it ends there is nothing to read. */
        size_t whole = (bytes + sizes[a.type] - 1) / sizes[a.type];
        char *memory = before_a_page.data + ((size_t)1 << 20) - bytes;
        fill(after_a_page.data, a.type, whole);
        memcpy(memory, after_a_page.data, bytes);
        a.data = memory - data_low;
        if (masked) {
            for (ptrdiff_t k = 0; k <= mask_high - mask_low; k++)
                mask_memory[k] = below(3) != 0;
            a.mask = mask_memory - mask_low;
        }

        /* The slow way first, before pc_array_arrange moves the axes. */
        static slow_sums slow[4096];
        static pc_accumulator sums[4096];
        static uint64_t counts[4096];
        memset(slow, 0, outputs * sizeof *slow);
        for (size_t p = 0; p < outputs; p++) {
            counts[p] = 0;
            for (size_t d = 0; d < depth; d++) {
                size_t p_rest = p, d_rest = d;
                ptrdiff_t at = 0, mask_at = 0;
                for (int k = axes - 1; k >= 0; k--) {
                    size_t *rest = k < a.kept_axes ? &p_rest : &d_rest;
                    ptrdiff_t i = (ptrdiff_t)(*rest % a.axis[k].length);
                    *rest /= a.axis[k].length;
                    at += i * a.axis[k].stride;
                    mask_at += i * a.axis[k].mask_stride;
                }
                if (a.mask && !a.mask[mask_at])
                    continue;
                counts[p]++;
                for (int moment = 0; moment < a.components; moment++) {
                    char element[8] = {0};
                    const char *from = a.data + at + (size_t)moment * sizes[a.type];
                    for (size_t b = 0; b < sizes[a.type]; b++)
                        element[b] = from[a.swapped ? sizes[a.type] - 1 - b : b];
                    slow_add_element(&slow[p], PC_NUMBERS + (pc_moment)moment, a.type, element);
                }
            }
        }

        pc_array arranged = a;
        as_the_caller();
        pc_array_arrange(&arranged);
        as_the_test();
        CHECK(pc_array_outputs(&arranged) == outputs);
        CHECK(pc_array_reduction_length(&arranged) * arranged.repeat == depth || depth == 0 ||
              outputs == 0);

        /* Panel by tile: the sums themselves. */
        size_t n;
        for (size_t first = 0; first < outputs; first += n) {
            size_t last = first + 1 + (size_t)below(outputs - first);
            n = pc_array_tile(&arranged, first, last);
            CHECK(n >= 1 && n <= PC_TILE && n <= last - first);
            CHECK(pc_array_tile(&arranged, first, outputs) >= n);
            for (size_t k = 0; k < n; k++)
                pc_accumulator_clear(&tile[k].total, PC_VAR);
            as_the_caller();
            for (size_t start = 0, whole = pc_array_reduction_length(&arranged), stop;
                 start < whole; start = stop) {
                stop = start + 1 + (size_t)below(whole - start); /* cut anywhere */
                pc_add_tile(&arranged, first, n, start, stop, tile);
            }
            pc_add_tile(&arranged, first, n, 0, 0, tile); /* which adds nothing */
            as_the_test();
            for (size_t k = 0; k < n; k++) {
                pc_accumulator *sum = &tile[k].total;
                size_t p = (size_t)tile[k].offset / sizeof *out;
                pc_accumulator_scale(sum, arranged.repeat);
                CHECK(sum->count == counts[p]);
                CHECK(slow_all_equal(&slow[p], sum));
                sums[p] = *sum;
            }
        }

        /* And all at once: what they come to. It works in no more sums than it needs. */
        const size_t needed = outputs < PC_MIN_SUMS ? PC_MIN_SUMS : outputs;
        pc_tile_sum *least = tile + (needed < PC_TILE ? PC_TILE - needed : 0);
        static const pc_output_spec made[] = {
            {PC_SUMSQ, PC_FLOAT64, 1, 0, 0}, {PC_NORM, PC_FLOAT64, 1, 0, 0},
            {PC_RMS, PC_FLOAT64, 1, 0, 0},   {PC_SUMSQ, PC_FLOAT32, 1, 0, 0},
            {PC_NORM, PC_FLOAT16, 1, 0, 0},  {PC_RMS, PC_FLOAT32, 1, 0, 0},
            {PC_SUMSQ, PC_UINT64, 1, 0, 0},  {PC_SUMSQ, PC_INT64, 1, 0, 0},
            {PC_SUM, PC_FLOAT64, 2, 0, 0},   {PC_MEAN, PC_FLOAT32, 2, 0, 0},
            {PC_MEAN, PC_FLOAT64, 1, 0, 0},  {PC_SUM, PC_FLOAT16, 1, 0, 0},
            {PC_VAR, PC_FLOAT64, 1, 0, 0},   {PC_STD, PC_FLOAT64, 1, 3, 1},
            {PC_VAR, PC_FLOAT32, 1, 1, 0},   {PC_STD, PC_FLOAT16, 1, 0, 0},
            {PC_SUM, PC_UINT64, 1, 0, 0},    {PC_SUM, PC_INT64, 1, 0, 0},
        };
        for (size_t m = 0; m < sizeof made / sizeof *made; m++) {
            const pc_output_spec spec = made[m];
            const size_t size = sizes[spec.type] * (size_t)spec.components;
            pc_status status, expected = PC_OK;
            uint64_t bits[2];
            if ((!is_float(spec.type) && is_float(a.type)) || spec.components > a.components)
                continue;
            memset(out, 0x55, outputs * sizeof *out);
            as_the_caller();
            status = pc_reduce(&arranged, 0, outputs, &spec, (char *)out, least);
            as_the_test();
            for (size_t p = 0; p < outputs; p++) {
                pc_status one = round_to(&sums[p], spec, bits);
                expected = one == PC_TOO_LARGE || expected == PC_OK ? one : expected;
            }
            CHECK(status == expected);
            if (status == PC_TOO_LARGE) { /* the sums of the tile with it are there */
                size_t k = 0;
                while (k < PC_TILE && k < outputs &&
                       round_to(&least[k].total, spec, bits) != PC_TOO_LARGE)
                    k++;
                CHECK(k < PC_TILE && k < outputs);
                size_t p = (size_t)least[k].offset / sizeof *out;
                CHECK(round_to(&sums[p], spec, bits) == PC_TOO_LARGE);
                continue;
            }
            for (size_t p = 0; p < outputs; p++) {
                const char *written = (const char *)out[p];
                (void)round_to(&sums[p], spec, bits);
                for (int k = 0; k < spec.components; k++)
                    CHECK(load_bits(written + (size_t)k * sizes[spec.type], sizes[spec.type]) ==
                          bits[k]);
                for (size_t b = size; b < sizeof *out; b++)
                    CHECK(written[b] == 0x55);
            }
        }
    }
}

/* The order in which an array is summed: long strides outside, no axis more than needed. */
static void test_arrange(void)
{
    enum { MOST = 4 };
    static const char memory[256], *const element = memory + 128;
    typedef struct { /* of one array alone */
        size_t length;
        ptrdiff_t stride, mask_stride, out_stride;
    } one_axis;
    static const struct {
        int masked, kept, reduced;
        one_axis before[MOST];
        int kept_after, reduced_after, repeat;
        one_axis after[MOST];
        ptrdiff_t data, mask; /* how far the start has moved */
    } cases[] = {
        /* without gaps, in either order, is one axis */
        {0, 0, 3, {{2, 96, 0, 0}, {3, 32, 0, 0}, {4, 8, 0, 0}}, 0, 1, 1, {{24, 8, 0, 0}}, 0, 0},
        {0, 0, 3, {{4, 8, 0, 0}, {3, 32, 0, 0}, {2, 96, 0, 0}}, 0, 1, 1, {{24, 8, 0, 0}}, 0, 0},
        /* ... backwards too */
        {0, 0, 2, {{3, 32, 0, 0}, {4, -8, 0, 0}}, 0, 1, 1, {{12, 8, 0, 0}}, -24, 0},
        {1, 0, 2, {{3, -32, -4, 0}, {4, -8, -1, 0}}, 0, 1, 1, {{12, 8, 1, 0}}, -88, -11},
        /* a gap, in the data or the mask */
        {0, 0, 2, {{4, 8, 0, 0}, {3, 40, 0, 0}}, 0, 2, 1, {{3, 40, 0, 0}, {4, 8, 0, 0}}, 0, 0},
        {1, 0, 2, {{3, 32, 5, 0}, {4, 8, 1, 0}}, 0, 2, 1, {{3, 32, 5, 0}, {4, 8, 1, 0}}, 0, 0},
        /* equal strides stay in order */
        {0, 0, 2, {{3, 8, 0, 0}, {4, 8, 0, 0}}, 0, 2, 1, {{3, 8, 0, 0}, {4, 8, 0, 0}}, 0, 0},
        /* axes of length 1 are none */
        {0, 1, 2, {{1, 7, 0, 8}, {1, 99, 0, 0}, {5, 8, 0, 0}}, 0, 1, 1, {{5, 8, 0, 0}}, 0, 0},
        /* the same elements again and again, unless a mask has them or not */
        {0, 0, 2, {{7, 0, 0, 0}, {5, 8, 0, 0}}, 0, 1, 7, {{5, 8, 0, 0}}, 0, 0},
        {1, 0, 2, {{7, 0, 0, 0}, {5, 8, 1, 0}}, 0, 1, 7, {{5, 8, 1, 0}}, 0, 0},
        {1, 0, 2, {{7, 0, 5, 0}, {5, 8, 1, 0}}, 0, 2, 1, {{5, 8, 1, 0}, {7, 0, 5, 0}}, 0, 0},
        /* axes to keep: neither turned nor dropped, and merged only if the output runs on too */
        {0, 2, 0, {{3, 32, 0, 32}, {4, 8, 0, 8}}, 1, 0, 1, {{12, 8, 0, 8}}, 0, 0},
        {0, 2, 0, {{3, 32, 0, 8}, {4, 8, 0, 24}}, 2, 0, 1, {{3, 32, 0, 8}, {4, 8, 0, 24}}, 0, 0},
        {0, 2, 0, {{3, -8, 0, 8}, {4, 0, 0, 24}}, 2, 0, 1, {{3, -8, 0, 8}, {4, 0, 0, 24}}, 0, 0},
        {0, 2, 0, {{3, -8, 0, 8}, {4, 32, 0, 24}}, 2, 0, 1, {{4, 32, 0, 24}, {3, -8, 0, 8}}, 0, 0},
        {0, 1, 1, {{3, 8, 0, 8}, {4, 24, 0, 0}}, 1, 1, 1, {{3, 8, 0, 8}, {4, 24, 0, 0}}, 0, 0},
        /* where there is nothing to sum, strides lead nowhere */
        {0, 0, 2, {{0, 8, 0, 0}, {1, -8, 0, 0}}, 0, 2, 1, {{0, 0, 0, 0}, {1, 0, 0, 0}}, 0, 0},
        {0,
         1,
         1,
         {{4, PTRDIFF_MAX, 0, 8}, {0, 8, 0, 0}},
         1,
         1,
         1,
         {{4, 0, 0, 8}, {0, 0, 0, 0}},
         0,
         0},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        pc_array a = {.type = PC_FLOAT64,
                      .components = 1,
                      .data = element,
                      .mask = cases[c].masked ? element : NULL,
                      .kept_axes = cases[c].kept,
                      .reduced_axes = cases[c].reduced,
                      .repeat = 1};
        for (int k = 0; k < MOST; k++) {
            const one_axis *x = &cases[c].before[k];
            a.axis[k] = (pc_axis){x->length, x->stride, x->mask_stride, x->out_stride, 0};
        }
        pc_array_arrange(&a);
        CHECK(a.kept_axes == cases[c].kept_after && a.reduced_axes == cases[c].reduced_after);
        CHECK(a.repeat == (uint64_t)cases[c].repeat);
        CHECK((intptr_t)a.data - (intptr_t)element == cases[c].data);
        CHECK(!cases[c].masked || (intptr_t)a.mask - (intptr_t)element == cases[c].mask);
        for (int k = 0; k < a.kept_axes + a.reduced_axes; k++) {
            const one_axis *x = &cases[c].after[k];
            const pc_axis *y = &a.axis[k];
            CHECK(y->length == x->length && y->stride == x->stride && y->other_stride == 0);
            CHECK(y->mask_stride == x->mask_stride && y->out_stride == x->out_stride);
        }
    }

    /* Nothing is touched behind the axes. */
    pc_array none = {
        .type = PC_FLOAT64, .components = 1, .data = element, .reduced_axes = 1, .repeat = 1};
    none.axis[1].stride = none.axis[1].mask_stride = 7;
    pc_array_arrange(&none);
    CHECK(none.axis[1].stride == 7 && none.axis[1].mask_stride == 7);
}

/* ---- at the limits -------------------------------------------------------------- */

static void test_limits(void)
{
    pc_accumulator acc, other;
    uint64_t words[PC_LIMBS];

    /* Counts that do not fit are refused, and change nothing. */
    pc_accumulator_clear(&acc, PC_VAR);
    pc_accumulator_clear(&other, PC_VAR);
    double one = 1.0;
    pc_add_numbers(&acc, PC_FLOAT64, 1, (char *)&one, 1);
    other.count = UINT64_MAX;
    CHECK(pc_accumulator_merge(&acc, &other) == PC_TOO_LARGE);
    CHECK(acc.count == 1 && rounded_to(&acc, PC_SUMSQ) == 1.0);
    other.count = UINT64_MAX - 1;
    CHECK(pc_accumulator_merge(&acc, &other) == PC_OK && acc.count == UINT64_MAX);

    /* float32 after doubles of a scale that float32 has not. */
    static const double scales[] = {0x1p-300, -0x1p300};
    for (size_t k = 0; k < 2; k++) {
        double doubles[64];
        float floats[64];
        slow_sums slow = {.special = 0};
        for (size_t j = 0; j < 64; j++) {
            doubles[j] = scales[k];
            floats[j] = 1.5f;
        }
        slow_add_all(&slow, PC_FLOAT64, 1, (char *)doubles, 64);
        slow_add_all(&slow, PC_FLOAT32, 1, (char *)floats, 64);
        pc_accumulator_clear(&acc, PC_VAR);
        pc_add_numbers(&acc, PC_FLOAT64, 1, (char *)doubles, 64);
        pc_add_numbers(&acc, PC_FLOAT32, 1, (char *)floats, 64);
        CHECK(slow_all_equal(&slow, &acc));
    }

    /* A tile is written up to what does not fit. */
    pc_tile_sum tile[3];
    uint64_t x = 3, written[3] = {0, 0, 0};
    for (size_t k = 0; k < 3; k++) {
        pc_accumulator_clear(&tile[k].total, PC_SUMSQ);
        pc_add_numbers(&tile[k].total, PC_UINT64, 1, (char *)&x, 1);
        tile[k].offset = (ptrdiff_t)(k * sizeof x);
    }
    pc_accumulator_scale(&tile[1].total, UINT64_MAX);
    const pc_output_spec integer = {PC_SUMSQ, PC_UINT64, 1, 0, 0};
    CHECK(pc_write_tile(tile, 3, &integer, (char *)written) == PC_TOO_LARGE);
    CHECK(written[0] == 9 && written[1] == 0 && written[2] == 0);

    /* What no accumulator holds is not imported. Whatever is imported, more may be added. */
    memset(words, 0xff, sizeof words);
    static const int exponents[] = {LOWEST - 1,
                                    LOWEST,
                                    -2148,
                                    LOWEST_NUMBER - 1,
                                    LOWEST_NUMBER,
                                    -1074,
                                    -1,
                                    0,
                                    1,
                                    1024,
                                    1088,
                                    1984,
                                    2048,
                                    2112,
                                    2113,
                                    2176,
                                    100000,
                                    -100000};
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++)
        for (size_t count = 0; count <= PC_LIMBS; count++)
            for (size_t k = 0; k < sizeof exponents / sizeof *exponents; k++) {
                pc_accumulator_clear(&acc, PC_VAR);
                double largest = 0x1.fffffffffffffp1023, least = 0x1p-1074;
                if (pc_accumulator_import(&acc, moment, words, count, exponents[k], count & 1) !=
                    PC_OK)
                    continue;
                for (int again = 0; again < 3; again++) {
                    accumulator_add_number(&acc, largest, again & 1);
                    accumulator_add_number(&acc, least, again & 1);
                    CHECK(pc_accumulator_merge(&acc, &acc) == PC_OK);
                }
                acc.count = 3;
                for (int result = PC_SUMSQ; result < RESULTS; result++)
                    (void)rounded_to(&acc, (pc_statistic)result);
            }

    /* Words of zeros are nothing, wherever they stand. */
    memset(words, 0, sizeof words);
    pc_accumulator_clear(&acc, PC_VAR);
    CHECK(pc_accumulator_import(&acc, PC_SQUARES, words, PC_LIMBS, 100000, 0) == PC_OK &&
          rounded_to(&acc, PC_NORM) == 0.0);

    /* 2^64 - 1 of the largest doubles are no matter; nor of the least. */
    for (int sign = -1; sign < 2; sign += 2) {
        double largest = sign * 0x1.fffffffffffffp1023, least = sign * 0x1p-1074;
        pc_accumulator_clear(&acc, PC_VAR);
        pc_add_numbers(&acc, PC_FLOAT64, 1, (char *)&largest, 1);
        pc_accumulator_scale(&acc, UINT64_MAX);
        CHECK(acc.count == UINT64_MAX);
        CHECK(rounded_to(&acc, PC_RMS) == sign * largest);
        CHECK(rounded_to(&acc, PC_SUMSQ) == (double)INFINITY);
        CHECK(rounded_to(&acc, PC_MEAN) == largest);
        CHECK(rounded_to(&acc, PC_SUM) == sign * (double)INFINITY);
        CHECK(rounded_to(&acc, PC_VAR) == 0.0 && rounded_to(&acc, PC_STD) == 0.0);
        pc_accumulator_clear(&other, PC_VAR); /* and as many with the other sign */
        largest = -largest;
        pc_add_numbers(&other, PC_FLOAT64, 1, (char *)&largest, 1);
        pc_accumulator_scale(&other, UINT64_MAX);
        acc.count = UINT64_C(1) << 63;
        other.count = acc.count - 1;
        CHECK(pc_accumulator_merge(&acc, &other) == PC_OK);
        CHECK(rounded_to(&acc, PC_SUM) == 0.0 && rounded_to(&acc, PC_MEAN) == 0.0);
        pc_accumulator_clear(&acc, PC_VAR);
        pc_add_numbers(&acc, PC_FLOAT64, 1, (char *)&least, 1);
        pc_accumulator_scale(&acc, UINT64_MAX);
        CHECK(rounded_to(&acc, PC_MEAN) == least && rounded_to(&acc, PC_VAR) == 0.0);
    }

    /* The largest spread there is. */
    double ends[2] = {0x1.fffffffffffffp1023, -0x1.fffffffffffffp1023};
    pc_accumulator_clear(&acc, PC_VAR);
    pc_add_numbers(&acc, PC_FLOAT64, 1, (char *)ends, 2);
    CHECK(rounded_to(&acc, PC_SUM) == 0.0 && rounded_to(&acc, PC_STD) == ends[0] &&
          rounded_to(&acc, PC_VAR) == (double)INFINITY);
}

/* n squares that come to just about 2^128: the last carry of all decides. */
static void test_carry(void)
{
    enum { MOST = 64 };
    for (int n = 2; n < MOST; n++) {
        uint64_t root = (uint64_t)(0x1p64L / sqrtl((long double)n)), x[MOST];
        for (uint64_t near = root - 3; near <= root + 3; near++)
            for (pc_type type = PC_INT64; type <= PC_UINT64; type++) {
                pc_accumulator acc;
                slow_sums slow = {.special = 0};
                pc_accumulator_clear(&acc, PC_VAR);
                for (int k = 0; k < n; k++)
                    x[k] = near;
                slow_add_all(&slow, type, 1, (char *)x, (size_t)n);
                pc_add_numbers(&acc, type, 1, (char *)x, (size_t)n);
                CHECK(slow_all_equal(&slow, &acc));
            }
    }
}

int main(int argc, char **argv)
{
    long count = trials(argc, argv);
    before_a_page = guarded_buffer(1 << 20, 1);
    after_a_page = guarded_buffer(1 << 20, 0);
    FOR_EACH_LEVEL
    {
        test_arrange();
        test_limits();
        test_carry();
        for (environment_in_use = 0; environment_in_use < ENVIRONMENTS; environment_in_use++) {
            test_contiguous(count / ENVIRONMENTS + 1);
            test_reach(count / ENVIRONMENTS * 4 + 1);
            test_strided(count / ENVIRONMENTS / 4 + 1);
        }
        printf("%s ", pc_simd());
    }
    guarded_free(before_a_page);
    guarded_free(after_a_page);
    return 0;
}
