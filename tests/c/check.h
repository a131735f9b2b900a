/* What every test programme here shares: CHECK, random numbers, all levels,
 * buffers that end where memory ends, and a slow exact sum to compare with. */
#ifndef CHECK_H
#define CHECK_H

#include "../../csrc/kernels/kernels.h"

#include <fenv.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#undef near /* as it has them, pointers of 1985 */
#undef far
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

/* What `run` takes for "not possible here". */
enum { SKIPPED = 77 };

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so at level %s: %s\n", __FILE__, __LINE__, pc_simd(),      \
                    #condition);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define FOR_EACH_LEVEL                                                                             \
    for (const char *const *level_ = pc_simd_names; *level_; level_++)                             \
        if (pc_simd_use(*level_) == PC_OK)

/* splitmix64: the same numbers everywhere. */
static uint64_t random_state = 1;

static inline uint64_t random64(void)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint64_t below(uint64_t n)
{
    return random64() % n;
}

/* How many random trials, and which, from the command line. */
static inline long trials(int argc, char **argv)
{
    if (argc > 3)
        random_state = strtoull(argv[3], NULL, 10);
    return argc > 1 ? atol(argv[1]) : 1000;
}

/* Whether sums of doubles are rounded that way, which fegetround may not tell. */
static inline int rounds(int mode)
{
    const volatile double one = 1.0, little = 0x1p-60;
    const volatile double up = one + little, down = one - little;
    return mode == (up > 1.0 ? FE_UPWARD : down < 1.0 ? FE_DOWNWARD : FE_TONEAREST);
}

/* A number of random size: each bit length is as likely. */
static inline uint64_t random_size(void)
{
    return random64() >> below(64);
}

/* `size` bytes that end at an unreadable page (at_end) or begin after one. */
typedef struct {
    char *map, *data;
    size_t pages;
} guarded;

#ifdef _WIN32
static inline size_t page_size(void)
{
    SYSTEM_INFO system;
    GetSystemInfo(&system);
    return system.dwPageSize;
}

static inline char *map_pages(size_t size)
{
    return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

static inline int forbid(char *page, size_t size)
{
    DWORD before;
    return VirtualProtect(page, size, PAGE_NOACCESS, &before) != 0;
}

static inline void unmap_pages(char *map, size_t size)
{
    (void)size;
    VirtualFree(map, 0, MEM_RELEASE);
}
#else
static inline size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static inline char *map_pages(size_t size)
{
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return map == MAP_FAILED ? NULL : map;
}

static inline int forbid(char *page, size_t size)
{
    return mprotect(page, size, PROT_NONE) == 0;
}

static inline void unmap_pages(char *map, size_t size)
{
    munmap(map, size);
}
#endif

static inline guarded guarded_buffer(size_t size, int at_end)
{
    size_t page = page_size(), inner = (size + page - 1) / page * page;
    guarded g;
    g.pages = inner + 2 * page;
    g.map = map_pages(g.pages);
    CHECK(g.map);
    CHECK(forbid(g.map, page));
    CHECK(forbid(g.map + page + inner, page));
    g.data = at_end ? g.map + page + inner - size : g.map + page;
    return g;
}

static inline void guarded_free(guarded g)
{
    unmap_pages(g.map, g.pages);
}

/* ---- slow exact sums: 32-bit digits from 2^-2304 on, in two's complement ---- */

enum { DIGITS = 144, FIRST_BIT = -2304 };

typedef struct {
    uint32_t digit[DIGITS];
} slow_sum;

/* += x * 2^exponent. */
static inline void slow_add(slow_sum *s, uint32_t x, int exponent)
{
    int position = exponent - FIRST_BIT;
    uint64_t carry = (uint64_t)x << (position % 32);
    for (int k = position / 32; carry && k < DIGITS; k++) {
        carry += s->digit[k];
        s->digit[k] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* -= x * 2^exponent. */
static inline void slow_take(slow_sum *s, uint32_t x, int exponent)
{
    int position = exponent - FIRST_BIT;
    uint64_t borrow = (uint64_t)x << (position % 32);
    for (int k = position / 32; borrow && k < DIGITS; k++) {
        uint32_t before = s->digit[k];
        s->digit[k] -= (uint32_t)borrow;
        borrow = (borrow >> 32) + (before < (uint32_t)borrow);
    }
}

/* +-= x * 2^exponent. */
static inline void slow_add_word(slow_sum *s, uint64_t x, int exponent, int negative)
{
    void (*add)(slow_sum *, uint32_t, int) = negative ? slow_take : slow_add;
    add(s, (uint32_t)x, exponent);
    add(s, (uint32_t)(x >> 32), exponent + 32);
}

/* += (m * 2^exponent)^2, by products of 16-bit digits. */
static inline void slow_add_square(slow_sum *s, uint64_t m, int exponent)
{
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            slow_add(s, (uint32_t)(m >> 16 * i & 0xffff) * (uint32_t)(m >> 16 * j & 0xffff),
                     2 * exponent + 16 * (i + j));
}

static inline int slow_is_negative(const slow_sum *s)
{
    return s->digit[DIGITS - 1] >> 31 != 0;
}

static inline int slow_is_zero(const slow_sum *s)
{
    static const slow_sum zero;
    return memcmp(s, &zero, sizeof zero) == 0;
}

/* words * 2^exponent, or minus that. */
static inline slow_sum slow_of_words(const uint64_t *words, size_t count, int exponent,
                                     int negative)
{
    slow_sum s = {{0}};
    for (size_t k = 0; k < count; k++)
        if (words[k])
            slow_add_word(&s, words[k], exponent + 64 * (int)k, negative);
    return s;
}

/* += words * 2^exponent, in two's complement. */
static inline void slow_add_signed(slow_sum *s, const uint64_t *words, size_t count, int exponent)
{
    for (size_t k = 0; k < count; k++)
        slow_add_word(s, words[k], exponent + 64 * (int)k, 0);
    if (words[count - 1] >> 63)
        slow_take(s, 1, exponent + 64 * (int)count);
}

/* Whether a part of an accumulator is just that sum. */
static inline int slow_equal(const slow_sum *s, const pc_accumulator *acc, pc_moment moment)
{
    uint64_t words[PC_LIMBS];
    int exponent, negative;
    size_t count = pc_accumulator_export(acc, moment, words, &exponent, &negative);
    slow_sum other = slow_of_words(words, count, exponent, negative);
    return negative == slow_is_negative(s) && memcmp(s, &other, sizeof other) == 0;
}

/* ---- slow sums of numbers and of their squares ------------------------------ */

static const size_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 1, 2, 4, 8};

/* float16, float32 or float64: mantissa bits, exponent bits. */
static const struct {
    int fraction, exponent;
} formats[] = {{10, 5}, {23, 8}, {52, 11}};

typedef struct {
    slow_sum moment[3];
    uint32_t special;
} slow_sums;

/* +-= m * 2^exponent; PC_NUMBERS or PC_IMAGINARY. */
static inline void slow_add_number(slow_sums *to, pc_moment moment, uint64_t m, int exponent,
                                   int negative)
{
    slow_add_square(&to->moment[PC_SQUARES], m, exponent);
    slow_add_word(&to->moment[moment], m, exponent, negative);
}

/* An unsigned integer of so many bytes, from memory or to it. */
static inline uint64_t load_bits(const char *x, size_t size)
{
    uint64_t bits;
    uint32_t four;
    uint16_t two;
    switch (size) {
    case 1: return (uint8_t)*x;
    case 2: memcpy(&two, x, sizeof two); return two;
    case 4: memcpy(&four, x, sizeof four); return four;
    default: memcpy(&bits, x, sizeof bits); return bits;
    }
}

static inline void store_bits(char *x, size_t size, uint64_t bits)
{
    const uint8_t one = (uint8_t)bits;
    const uint16_t two = (uint16_t)bits;
    const uint32_t four = (uint32_t)bits;
    memcpy(x,
           size == 1   ? (const void *)&one
           : size == 2 ? (const void *)&two
           : size == 4 ? (const void *)&four
                       : (const void *)&bits,
           size);
}

static inline void slow_add_float(slow_sums *to, pc_moment moment, uint64_t bits, int fraction_bits,
                                  int exponent_bits)
{
    const int top = (1 << exponent_bits) - 1, exponent = (int)(bits >> fraction_bits) & top,
              negative = (int)(bits >> (fraction_bits + exponent_bits)) & 1;
    const uint64_t leading = UINT64_C(1) << fraction_bits, fraction = bits & (leading - 1);
    if (exponent == top) {
        uint32_t special = fraction ? PC_NAN : negative ? PC_MINUS_INF : PC_PLUS_INF;
        to->special |= special << (moment == PC_IMAGINARY ? PC_NONFINITE_BITS : 0);
        return;
    }
    slow_add_number(to, moment, exponent ? leading | fraction : fraction,
                    (exponent ? exponent : 1) - (top >> 1) - fraction_bits, negative);
}

static inline void slow_add_double(slow_sums *to, pc_moment moment, double x)
{
    slow_add_float(to, moment, load_bits((const char *)&x, sizeof x), 52, 11);
}

/* A number of any type. */
static inline void slow_add_element(slow_sums *to, pc_moment moment, pc_type type, const char *x)
{
    uint64_t bits = load_bits(x, sizes[type]), negative = 0;
    if (type >= PC_FLOAT16) {
        slow_add_float(to, moment, bits, formats[type - PC_FLOAT16].fraction,
                       formats[type - PC_FLOAT16].exponent);
        return;
    }
    if (type == PC_BOOL)
        bits = bits != 0;
    else if (type % 2 == 0) /* signed */
        negative = bits >> (8 * sizes[type] - 1);
    if (negative)
        bits = (0 - bits) & (UINT64_MAX >> (64 - 8 * sizes[type]));
    slow_add_number(to, moment, bits, 0, negative != 0);
}

/* So many numbers, or components of complex ones. */
static inline void slow_add_all(slow_sums *to, pc_type type, int components, const char *x,
                                size_t reals)
{
    for (size_t k = 0; k < reals; k++)
        slow_add_element(to, PC_NUMBERS + (pc_moment)(k % (size_t)components), type,
                         x + k * sizes[type]);
}

/* Whether an accumulator holds just these, of those that it is to hold. */
static inline int slow_all_equal(const slow_sums *s, const pc_accumulator *acc)
{
    static const slow_sum zero;
    const int squares = (acc->flags & PC_WITH_SQUARES) != 0,
              numbers = (acc->flags & PC_WITH_NUMBERS) != 0;
    return slow_equal(squares ? &s->moment[PC_SQUARES] : &zero, acc, PC_SQUARES) &&
           slow_equal(numbers ? &s->moment[PC_NUMBERS] : &zero, acc, PC_NUMBERS) &&
           slow_equal(numbers ? &s->moment[PC_IMAGINARY] : &zero, acc, PC_IMAGINARY) &&
           pc_accumulator_nonfinite(acc) == s->special;
}

/* ---- results ----------------------------------------------------------------- */

enum { RESULTS = PC_STD + 1 };

static inline pc_output_spec spec_of(pc_statistic statistic, pc_type type)
{
    pc_output_spec spec = {.statistic = statistic, .type = type, .components = 1};
    return spec;
}

/* What an accumulator comes to, as bits; writes no more than it should. */
static inline pc_status round_to(const pc_accumulator *acc, pc_output_spec spec, uint64_t bits[2])
{
    const size_t size = sizes[spec.type], written = size * (size_t)spec.components;
    char out[4 * sizeof(double)];
    memset(out, 0x55, sizeof out);
    pc_status status = pc_accumulator_round(acc, &spec, out);
    for (size_t k = status == PC_OK || status == PC_EMPTY ? written : 0; k < sizeof out; k++)
        CHECK(out[k] == 0x55);
    for (size_t p = 0; p < (size_t)spec.components; p++)
        bits[p] = load_bits(out + p * size, size);
    return status;
}

/* As a double. */
static inline double rounded_to(const pc_accumulator *acc, pc_statistic statistic)
{
    double value;
    const pc_output_spec spec = spec_of(statistic, PC_FLOAT64);
    pc_accumulator_round(acc, &spec, (char *)&value);
    return value;
}

#endif
