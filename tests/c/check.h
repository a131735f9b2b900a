/* What every test programme here shares: CHECK, random numbers, all levels,
 * buffers that end where memory ends, and a slow exact sum to compare with. */
#ifndef CHECK_H
#define CHECK_H

#include "../../csrc/kernels.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* How many random trials, from the command line. */
static inline long trials(int argc, char **argv)
{
    return argc > 1 ? atol(argv[1]) : 1000;
}

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

static inline guarded guarded_buffer(size_t size, int at_end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (size + page - 1) / page * page;
    guarded g;
    g.pages = inner + 2 * page;
    g.map = mmap(NULL, g.pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(g.map != MAP_FAILED);
    CHECK(mprotect(g.map, page, PROT_NONE) == 0);
    CHECK(mprotect(g.map + page + inner, page, PROT_NONE) == 0);
    g.data = at_end ? g.map + page + inner - size : g.map + page;
    return g;
}

static inline void guarded_free(guarded g)
{
    munmap(g.map, g.pages);
}

/* ---- a slow exact sum: 32-bit digits from 2^-2304 on ----------------------- */

enum { DIGITS = 144, FIRST_BIT = -2304 };

typedef struct {
    uint32_t digit[DIGITS];
} slow_sum;

/* += x * 2^exponent. */
static inline void slow_add(slow_sum *s, uint32_t x, int exponent)
{
    int position = exponent - FIRST_BIT;
    uint64_t carry = (uint64_t)x << (position % 32);
    for (int k = position / 32; carry; k++) {
        carry += s->digit[k];
        s->digit[k] = (uint32_t)carry;
        carry >>= 32;
    }
}

static inline void slow_add_word(slow_sum *s, uint64_t x, int exponent)
{
    slow_add(s, (uint32_t)x, exponent);
    slow_add(s, (uint32_t)(x >> 32), exponent + 32);
}

/* += (m * 2^exponent)^2, by products of 16-bit digits. */
static inline void slow_add_square(slow_sum *s, uint64_t m, int exponent)
{
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            slow_add(s, (uint32_t)(m >> 16 * i & 0xffff) * (uint32_t)(m >> 16 * j & 0xffff),
                     2 * exponent + 16 * (i + j));
}

static inline void slow_add_double_squared(slow_sum *s, double x)
{
    int e;
    double f = frexp(fabs(x), &e);
    slow_add_square(s, (uint64_t)ldexp(f, 53), e - 53);
}

/* Whether an accumulator holds just that sum. */
static inline int slow_equal(const slow_sum *s, const pc_accumulator *acc)
{
    uint64_t words[PC_LIMBS];
    int exponent;
    slow_sum other = {{0}};
    size_t count = pc_accumulator_export(acc, words, &exponent);
    for (size_t k = 0; k < count; k++)
        slow_add_word(&other, words[k], exponent + 64 * (int)k);
    return memcmp(s, &other, sizeof other) == 0;
}

#endif
