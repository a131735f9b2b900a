/* Squares of integers. Compilers vectorise most of these as they stand. */

/* memcpy reads what is not aligned. */
#define READ(v, x, k) memcpy(&(v), (x) + (k) * sizeof(v), sizeof(v))

/* 8 bits: a square is below 2^16, and INTEGER_BLOCK of them below 2^32.
 * 16 bits: a square is below 2^32. */
#define SMALL_INTEGERS(type, partial)                                                              \
    static void JOIN(squares_of_, type)(const char *x, size_t n, uint64_t sum[4])                  \
    {                                                                                              \
        partial total = 0;                                                                         \
        for (size_t k = 0; k < n; k++) {                                                           \
            type v;                                                                                \
            READ(v, x, k);                                                                         \
            total += (uint32_t)v * (uint32_t)v;                                                    \
        }                                                                                          \
        sum[0] = total;                                                                            \
        sum[1] = sum[2] = sum[3] = 0;                                                              \
    }
SMALL_INTEGERS(int8_t, uint32_t)
SMALL_INTEGERS(uint8_t, uint32_t)
SMALL_INTEGERS(int16_t, uint64_t)
SMALL_INTEGERS(uint16_t, uint64_t)

/* 32 bits: the halves of the 64-bit squares are summed apart. */
#define MEDIUM_INTEGERS(type, wide)                                                                \
    static void JOIN(squares_of_, type)(const char *x, size_t n, uint64_t sum[4])                  \
    {                                                                                              \
        uint64_t low = 0, high = 0;                                                                \
        for (size_t k = 0; k < n; k++) {                                                           \
            type v;                                                                                \
            READ(v, x, k);                                                                         \
            uint64_t square = (uint64_t)((wide)v * v);                                             \
            low += square & 0xffffffffu;                                                           \
            high += square >> 32;                                                                  \
        }                                                                                          \
        pc_u128 total = {low, 0}, upper = {high, 0};                                               \
        u128_add(&total, u128_shl(upper, 32));                                                     \
        sum[0] = total.lo;                                                                         \
        sum[1] = total.hi;                                                                         \
        sum[2] = sum[3] = 0;                                                                       \
    }
MEDIUM_INTEGERS(int32_t, int64_t)
MEDIUM_INTEGERS(uint32_t, uint64_t)

/* 64 bits: with |x| = h * 2^32 + l, x^2 = h^2 * 2^64 + hl * 2^33 + l^2, and the
 * halves of each product are summed apart. */
static inline void large_integers(const char *x, size_t n, int is_signed, uint64_t sum[4])
{
    vec part[6]; /* the low and the high half of l^2, of hl and of h^2 */
    uint64_t tail[LANES] = {0}, total[6];
    size_t rows = n / LANES, rest = n % LANES;
    for (int k = 0; k < 6; k++)
        part[k] = splat(0);
    memcpy(tail, x + rows * sizeof tail, rest * sizeof *tail);
    for (size_t row = 0; row < rows + (rest != 0); row++) {
        vec v;
        memcpy(&v, row < rows ? x + row * sizeof v : (const char *)tail, sizeof v);
        prefetch(x + row * sizeof v, AHEAD);
        if (is_signed) {
            vec sign = 0 - (v >> 63);
            v = (v ^ sign) - sign;
        }
        vec h = v >> 32, ll = mul32(v, v), hl = mul32(h, v), hh = mul32(h, h);
        part[0] += ll & 0xffffffffu;
        part[1] += ll >> 32;
        part[2] += hl & 0xffffffffu;
        part[3] += hl >> 32;
        part[4] += hh & 0xffffffffu;
        part[5] += hh >> 32;
    }
    for (int k = 0; k < 6; k++)
        total[k] = sum_of_lanes(part[k]);
    /* Weights 2^0, 2^32, 2^33, 2^65, 2^64, 2^96; each total is below 2^48. */
    pc_u128 low = {total[0], 0}, second = {total[1] + 2 * total[2], 0};
    pc_u128 high = {2 * total[3] + total[4], 0}, top = {total[5], 0};
    u128_add(&low, u128_shl(second, 32));
    u128_add(&high, u128_shl(top, 32));
    high.hi += (high.lo += low.hi) < low.hi;
    sum[0] = low.lo;
    sum[1] = high.lo;
    sum[2] = high.hi;
    sum[3] = 0;
}

static void squares_of_int64_t(const char *x, size_t n, uint64_t sum[4])
{
    large_integers(x, n, 1, sum);
}

static void squares_of_uint64_t(const char *x, size_t n, uint64_t sum[4])
{
    large_integers(x, n, 0, sum);
}
