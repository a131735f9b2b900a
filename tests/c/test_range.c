/* range.c, dispatch.c and u128.h against sums and products done the long way. */
#include "check.h"

/* ---- 128-bit arithmetic by 32-bit digits ---------------------------------- */

static pc_u128 slow_multiply(pc_u128 x, pc_u128 y)
{
    uint32_t a[4] = {(uint32_t)x.lo, (uint32_t)(x.lo >> 32), (uint32_t)x.hi,
                     (uint32_t)(x.hi >> 32)};
    uint32_t b[4] = {(uint32_t)y.lo, (uint32_t)(y.lo >> 32), (uint32_t)y.hi,
                     (uint32_t)(y.hi >> 32)};
    uint32_t product[4] = {0};
    for (int i = 0; i < 4; i++) {
        uint64_t carry = 0;
        for (int j = 0; i + j < 4; j++) {
            carry += (uint64_t)a[i] * b[j] + product[i + j];
            product[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    pc_u128 result = {(uint64_t)product[1] << 32 | product[0],
                      (uint64_t)product[3] << 32 | product[2]};
    return result;
}

static int equal(pc_u128 x, pc_u128 y)
{
    return x.lo == y.lo && x.hi == y.hi;
}

static pc_u128 random_u128(void)
{
    static const uint64_t edges[] = {
        0, 1, 2, UINT32_MAX, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX};
    pc_u128 x = {below(2) ? random_size() : edges[below(8)],
                 below(2) ? random_size() : edges[below(8)]};
    return x;
}

static pc_u128 slow_shift(pc_u128 x, unsigned k)
{
    for (; k; k--)
        u128_add(&x, x);
    return x;
}

static void test_u128(long count)
{
    for (; count; count--) {
        pc_u128 x = random_u128(), y = random_u128(), sum = x;
        unsigned k = (unsigned)below(64);

        uint64_t carry = u128_add(&sum, y), low_carry = y.lo > UINT64_MAX - x.lo;
        CHECK(sum.lo == x.lo + y.lo && sum.hi == x.hi + y.hi + low_carry);
        CHECK(carry == (y.hi > UINT64_MAX - x.hi || (low_carry && y.hi == UINT64_MAX - x.hi)));

        pc_u128 xl = {x.lo, 0}, yl = {y.lo, 0};
        CHECK(equal(u128_mul64(x.lo, y.lo), slow_multiply(xl, yl)));
        CHECK(equal(u128_mul(x, y), slow_multiply(x, y)));

        CHECK(equal(u128_shl(x, k), slow_shift(x, k)));

        if (x.lo) {
            unsigned zeros = 0;
            while (!(x.lo << zeros >> 63))
                zeros++;
            CHECK(leading_zeros(x.lo) == zeros);
        }
    }
}

/* The nearest double: drop bits one by one, remember the last and all before it. */
static double slow_round(pc_u128 x)
{
    uint64_t last = 0, before = 0;
    int dropped = 0;
    for (; x.hi || x.lo >> 53; dropped++) {
        before |= last;
        last = x.lo & 1;
        x.lo = x.lo >> 1 | x.hi << 63;
        x.hi >>= 1;
    }
    return ldexp((double)(x.lo + (last & (before | (x.lo & 1)))), dropped);
}

static void test_round(long count)
{
    for (; count; count--) {
        pc_u128 x = random_u128();
        if (below(2)) { /* ties and their neighbours */
            pc_u128 tie = {(random64() >> 11 | UINT64_C(1) << 52) << 1 | 1, 0};
            x = slow_shift(tie, (unsigned)below(74));
            x.lo += below(3) - 1;
        }
        double nearest = pc_u128_round(&x), many;
        CHECK(nearest == slow_round(x));
        pc_round_many(&x.lo, &x.hi, 1, &many);
        CHECK(many == nearest);
    }
}

/* ---- 1^2 + ... + n^2 ------------------------------------------------------- */

static pc_u128 formula(uint64_t n)
{
    pc_u128 sum;
    pc_closed_form(n, &sum);
    return sum;
}

static pc_u128 square(uint64_t n)
{
    pc_u128 x = {n, 0};
    return slow_multiply(x, x);
}

static void add_one(pc_u128 *sum, pc_u128 x)
{
    sum->lo += x.lo;
    sum->hi += x.hi + (sum->lo < x.lo);
}

/* Some n, near the places where something changes. */
static uint64_t some_n(void)
{
    static const uint64_t centres[] = {
        0,           1 << 12, 1 << 15, 1 << 26, 1 << 27, UINT64_C(1) << 32, UINT64_C(5541191377756),
        PC_RANGE_MAX};
    uint64_t n =
        below(2) ? random64() % PC_RANGE_MAX >> below(40) : centres[below(8)] + below(200) - 100;
    return n > UINT64_MAX / 2 ? 0 : n > PC_RANGE_MAX ? PC_RANGE_MAX : n;
}

/* The formula is right for 0, and from each n to the next. */
static void test_formula(long count)
{
    pc_u128 sum = {0, 0};
    for (uint64_t n = 0; n < 5000; n++) {
        CHECK(equal(formula(n), sum));
        add_one(&sum, square(n + 1));
    }
    for (; count; count--) {
        uint64_t n = some_n() % PC_RANGE_MAX;
        sum = formula(n);
        add_one(&sum, square(n + 1));
        CHECK(equal(formula(n + 1), sum));

        int64_t both[2] = {(int64_t)n, -(int64_t)n};
        uint64_t lo[2], hi[2], low[2];
        pc_closed_form_many(both, 2, lo, hi);
        pc_closed_form_many(both, 2, low, NULL);
        CHECK(lo[0] == formula(n).lo && hi[0] == formula(n).hi && lo[1] == 0 && hi[1] == 0);
        CHECK(low[0] == lo[0] && low[1] == 0);
    }
    int64_t least = INT64_MIN;
    uint64_t lo, hi;
    pc_closed_form_many(&least, 1, &lo, &hi);
    CHECK(lo == 0 && hi == 0);
    CHECK(formula(PC_RANGE_MAX).hi >> 63 == 0);
}

static pc_walk walk_from(uint64_t i)
{
    pc_walk walk = {i, formula(i)};
    return walk;
}

static void test_walk(long count)
{
    pc_u128 sum = {0, 0};
    for (uint64_t n = 0; n < 1000; n++) {
        pc_walk walk = {0, {0, 0}};
        pc_walk_to(&walk, n);
        CHECK(walk.i == n && equal(walk.sum, sum));
        add_one(&sum, square(n + 1));
    }
    for (; count; count--) {
        uint64_t first = some_n(), n = first + (below(100) ? below(300) : below(200000));
        n = n > PC_RANGE_MAX ? PC_RANGE_MAX : n;
        pc_walk walk = walk_from(first);
        pc_walk_to(&walk, n);
        CHECK(walk.i == n && equal(walk.sum, formula(n)));
    }
}

/* No more squares than the budget, no fewer stops than it allows. */
static void test_stops(long count)
{
    enum { MOST = 40 };
    for (; count; count--) {
        uint64_t stops[MOST], lo[MOST], hi[MOST], low[MOST], first = some_n(), at = first, work = 0;
        size_t stops_count = 1 + (size_t)below(MOST), passed = 0;
        for (size_t k = 0; k < stops_count; k++) {
            at += below(4) ? below(50) : 0;
            stops[k] = at = at > PC_RANGE_MAX ? PC_RANGE_MAX : at;
        }
        pc_walk walk = walk_from(first);
        while (passed < stops_count) {
            uint64_t budget = below(100), before = walk.i;
            size_t some = pc_walk_stops(&walk, stops + passed, stops_count - passed, budget,
                                        lo + passed, hi + passed);
            passed += some;
            work += walk.i - before;
            CHECK(walk.i - before <= budget);
            CHECK(passed == stops_count || (walk.i - before == budget && stops[passed] > walk.i));
        }
        CHECK(work == at - first);
        for (size_t k = 0; k < stops_count; k++)
            CHECK(lo[k] == formula(stops[k]).lo && hi[k] == formula(stops[k]).hi);

        /* A single walk to the last stop is all the work there is. */
        walk = walk_from(first);
        CHECK(pc_walk_stops(&walk, stops, stops_count, at - first, low, NULL) == stops_count);
        CHECK(memcmp(low, lo, stops_count * sizeof *lo) == 0);
        CHECK(walk.i == at && equal(walk.sum, formula(at)));

        walk = walk_from(first);
        size_t each = (size_t)below(MOST);
        if (each > PC_RANGE_MAX - first)
            each = (size_t)(PC_RANGE_MAX - first);
        pc_walk_each(&walk, each, lo, hi);
        CHECK(walk.i == first + each && equal(walk.sum, formula(first + each)));
        for (size_t k = 0; k < each; k++)
            CHECK(lo[k] == formula(first + 1 + k).lo && hi[k] == formula(first + 1 + k).hi);
        walk = walk_from(first);
        pc_walk_each(&walk, each, low, NULL);
        CHECK(memcmp(low, lo, each * sizeof *lo) == 0);
    }
}

/* Sums by way of a table of every other one; what is out of the table's range stays in it.
 */
static void test_even(long count)
{
    enum { MOST = 3000 };
    static uint64_t even[MOST / 2 + 1];
    for (; count; count--) {
        uint64_t last = below(MOST), sum[6];
        size_t words = (size_t)last / 2 + 1, first = (size_t)below(words + 1);
        int64_t n[6] = {0, (int64_t)last, (int64_t)below(last + 1), -1, INT64_MIN, INT64_MAX};
        pc_walk walk = {0, {0, 0}};
        pc_walk_even(&walk, first, even);
        CHECK(walk.i == 2 * first && equal(walk.sum, formula(walk.i)));
        pc_walk_even(&walk, words - first, even + first);
        pc_sums_from_even(even, last, n, 6, sum);
        CHECK(sum[0] == 0 && sum[1] == formula(last).lo && sum[2] == formula((uint64_t)n[2]).lo);
        CHECK(sum[3] == 0 && sum[4] == 0 && sum[5] == sum[1]);
    }
}

/* ---- levels ---------------------------------------------------------------- */

#ifdef PC_X86_LEVELS
/* A level needs each of its bits and no other, and the machine has what it has. */
static void test_bits(void)
{
    const uint32_t leaf1 = 1u << 12 | 1u << 27 | 1u << 29, avx2 = 1u << 5, ifma = 1u << 21,
                   avx512 = avx2 | 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    const uint32_t ymm = 6, zmm = 0xe6;
    CHECK(levels_of(0, 0, 0) == 1);
    CHECK(levels_of(leaf1, avx2, ymm) == 2 && levels_of(leaf1, avx2 | ifma, zmm) == 2);
    CHECK(levels_of(leaf1, avx512, zmm) == 3 && levels_of(leaf1, avx512 | ifma, zmm) == 4);
    for (int k = 0; k < 32; k++) {
        const uint32_t bit = 1u << k, rest = ~bit;
        CHECK(levels_of(rest, ~0u, ~0u) == (leaf1 & bit ? 1 : 4));
        CHECK(levels_of(~0u, rest, ~0u) == (avx2 & bit     ? 1
                                            : avx512 & bit ? 2
                                            : ifma & bit   ? 3
                                                           : 4));
        CHECK(levels_of(~0u, ~0u, rest) == (ymm & bit ? 1 : zmm & bit ? 2 : 4));
    }

    /* What the compiler's own library says of this machine; zig's has not looked. */
    if (!__builtin_cpu_supports("sse2"))
        return;
    CHECK(pc_simd_usable("avx2") ==
          (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")));
    CHECK(pc_simd_usable("avx512") ==
          (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")));
    CHECK(pc_simd_usable("avx512ifma") ==
          (pc_simd_usable("avx512") && __builtin_cpu_supports("avx512ifma")));
}
#endif

static void test_levels(void)
{
    const char *best = pc_simd(), *first = best;
    CHECK(strcmp(pc_simd_names[0], "portable") == 0);
    CHECK(pc_simd_usable("portable") && pc_simd_usable(best) && !pc_simd_usable("best") &&
          !pc_simd_usable(""));
    int absent = 0;
    for (const char *const *name = pc_simd_names; *name; name++) {
        pc_status status = pc_simd_use(*name);
        CHECK(status == (pc_simd_usable(*name) ? PC_OK : PC_ABSENT_LEVEL));
        CHECK(strcmp(pc_simd(), status == PC_OK ? *name : best) == 0 || absent);
        absent |= status != PC_OK;
        CHECK(!absent || status != PC_OK); /* usable ones come first */
        if (status == PC_OK)
            best = *name;
    }
    CHECK(pc_simd_use("best") == PC_UNKNOWN_LEVEL && pc_simd_use("") == PC_UNKNOWN_LEVEL);
    CHECK(strcmp(pc_simd(), best) == 0 && strcmp(first, best) == 0);
}

int main(int argc, char **argv)
{
    long count = trials(argc, argv);
#ifdef PC_X86_LEVELS
    test_bits();
#endif
    test_levels();
    test_u128(count);
    test_round(count);
    test_formula(count);
    test_even(count / 100 + 1);
    FOR_EACH_LEVEL
    {
        test_walk(count);
        test_stops(count);
        printf("%s ", pc_simd());
    }
    return 0;
}
