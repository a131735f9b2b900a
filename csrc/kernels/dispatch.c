/* The SIMD level in use: by default the best one that this machine can run.
 *
 * CPUID says what the processor has, XCR0 whether the operating system saves the wide registers on
 * a context switch: both are needed. */
#include "kernels.h"

#include <string.h>

const char *const pc_simd_names[] = {"portable", "avx2", "avx512", "avx512ifma", NULL};

typedef struct {
    const pc_kernels *kernels;
    const pc_square_kernels *squares;
} level;

static const level levels[] = {
    {&pc_kernels_portable, &pc_squares_portable}, /* in the order of pc_simd_names */
#ifdef PC_X86_LEVELS
    {&pc_kernels_avx2, &pc_squares_avx2},
    {&pc_kernels_avx512, &pc_squares_avx512},
    {&pc_kernels_avx512, &pc_squares_avx512ifma},
#endif
};

#ifdef PC_X86_LEVELS
#include <cpuid.h>

static uint32_t enabled_state(void)
{
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

enum { FMA = 1 << 12, OSXSAVE = 1 << 27, F16C = 1 << 29, AVX2 = 1 << 5, IFMA = 1 << 21 };

size_t levels_of(uint32_t leaf1, uint32_t leaf7, uint32_t state)
{
    const uint32_t always = FMA | OSXSAVE | F16C;
    const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F DQ BW VL */
    const uint32_t ymm_state = 0x06, zmm_state = 0xe6;

    if ((leaf1 & always) != always || !(leaf7 & AVX2) || (state & ymm_state) != ymm_state)
        return 1;
    if ((leaf7 & avx512) != avx512 || (state & zmm_state) != zmm_state)
        return 2;
    return leaf7 & IFMA ? 4 : 3;
}

/* How many levels this machine can run. */
static size_t count_usable(void)
{
#ifdef PC_EMULATE_AVX512 /* for tests, on machines with AVX2 */
    return sizeof levels / sizeof *levels;
#endif
    unsigned a, b, c = 0, d, b7 = 0, c7; /* an unsupported leaf leaves them as they are */
    __get_cpuid(1, &a, &b, &c, &d);
    __get_cpuid_count(7, 0, &a, &b7, &c7, &d);
    return levels_of(c, b7, c & OSXSAVE ? enabled_state() : 0);
}
#else
static size_t count_usable(void)
{
    return 1;
}
#endif

/* Set by the first call and by pc_simd_use, always to one of the constant levels: a race between
 * two first calls is harmless. */
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static void *volatile in_use;
#define LOAD() ((const level *)in_use)
#define STORE(chosen) _InterlockedExchangePointer(&in_use, (void *)(chosen))
#else
#include <stdatomic.h>
static _Atomic(const level *) in_use;
#define LOAD() atomic_load_explicit(&in_use, memory_order_acquire)
#define STORE(chosen) atomic_store_explicit(&in_use, (chosen), memory_order_release)
#endif

static const level *level_in_use(void)
{
    const level *chosen = LOAD();
    if (!chosen) {
        chosen = &levels[count_usable() - 1];
        STORE(chosen);
    }
    return chosen;
}

const pc_kernels *pc_kernels_in_use(void)
{
    return level_in_use()->kernels;
}

const pc_square_kernels *pc_squares_in_use(void)
{
    return level_in_use()->squares;
}

const char *pc_simd(void)
{
    return pc_simd_names[level_in_use() - levels];
}

static const level *find(const char *name)
{
    for (size_t k = count_usable(); k--;)
        if (strcmp(pc_simd_names[k], name) == 0)
            return &levels[k];
    return NULL;
}

int pc_simd_usable(const char *name)
{
    return find(name) != NULL;
}

pc_status pc_simd_use(const char *name)
{
    const level *chosen = find(name);
    if (chosen) {
        STORE(chosen);
        return PC_OK;
    }
    for (const char *const *known = pc_simd_names; *known; known++)
        if (strcmp(*known, name) == 0)
            return PC_ABSENT_LEVEL;
    return PC_UNKNOWN_LEVEL;
}
