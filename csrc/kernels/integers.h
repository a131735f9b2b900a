/* Exact sums of integers and of their squares. Compilers vectorize most of these loops. */

/* Unaligned loads. */
#define READ(v, x, k) memcpy(&(v), (x) + (k) * sizeof(v), sizeof(v))

static inline void set_sum(uint64_t sum[4], uint64_t low, uint64_t sign)
{
    sum[0] = low;
    sum[1] = sum[2] = sum[3] = sign;
}

/* 8 and 16 bits: a square is below 2^16 or 2^32, and INTEGER_BLOCK of them below 2^48. */
#ifdef madd16
typedef int16_t vech __attribute__((vector_size(VECTOR_BYTES)));
typedef uint16_t vecuh __attribute__((vector_size(VECTOR_BYTES)));

/* Products of two arrays, or of one: squares. By sums of two products of signed 16 bits, from
 * -2^31 + 2^16 to 2^31:
 *
 *   8 bits   of the even bytes and of the odd ones; the sums fit 32-bit lanes
 *   16 bits  plus 2^31 - 1 if they are no squares, so that none is negative: those in both halves
 *            of a 64-bit lane are summed apart, as a whole (total), and the upper one (high).
 * Unsigned x = s + 2^15 with signed s, and x y = s t + 2^15 (s + t) + 2^30 */
static inline __attribute__((always_inline)) void small_integers(const char *x, const char *y,
                                                                 size_t n, size_t size,
                                                                 int is_signed, int squares,
                                                                 uint64_t sum[4])
{
    enum { WIDTH = 2, BYTES = WIDTH * VECTOR_BYTES };
    vec total[WIDTH], high[WIDTH];
    vecw sums[WIDTH];
    char tail_x[BYTES] = {0}, tail_y[BYTES] = {0};
    const size_t rows = n * size / BYTES, rest = n * size % BYTES, all = rows + (rest != 0);

    for (int w = 0; w < WIDTH; w++) {
        total[w] = high[w] = splat(0);
        sums[w] = (vecw){0};
    }
    memcpy(tail_x, x + rows * BYTES, rest);
    memcpy(tail_y, y + rows * BYTES, rest);
    for (size_t row = 0; row < all; row++)
        for (int w = 0; w < WIDTH; w++) {
            vech v[2];
            memcpy(&v[0], (row < rows ? x + row * BYTES : tail_x) + w * VECTOR_BYTES, sizeof *v);
            memcpy(&v[1], (row < rows ? y + row * BYTES : tail_y) + w * VECTOR_BYTES, sizeof *v);
            if (size == 1) {
                vech even[2], odd[2];
                for (int k = 0; k < 2; k++) {
                    even[k] = is_signed ? (vech)((vecuh)v[k] << 8) >> 8 : v[k] & 0xff;
                    odd[k] = is_signed ? v[k] >> 8 : (vech)((vecuh)v[k] >> 8);
                }
                sums[w] += (vecw)madd16(even[0], even[1]) + (vecw)madd16(odd[0], odd[1]);
            } else {
                for (int k = 0; k < 2; k++)
                    v[k] = is_signed ? v[k] : v[k] ^ INT16_MIN;
                const vec pairs = (vec)((vecw)madd16(v[0], v[1]) + (squares ? 0 : INT32_MAX));
                total[w] += pairs;
                high[w] += pairs >> 32;
                for (int k = 0; k < 2 - squares && !is_signed; k++)
                    sums[w] += (vecw)madd16(v[k], (vech){0} + 1);
            }
        }
    for (int w = 1; w < WIDTH; w++) {
        total[0] += total[w];
        high[0] += high[w];
        sums[0] += sums[w];
    }
    uint64_t found = 0;
    for (int k = 0; k < VECTOR_BYTES / 4; k++)
        found += (uint64_t)(int32_t)sums[0][k] << (size == 1 ? 0 : 15 + squares);
    const uint64_t upper = sum_of_lanes(high[0]);
    found += sum_of_lanes(total[0]) - (upper << 32) + upper;
    if (size == 2 && !squares)
        found -= (uint64_t)all * (BYTES / 4) * INT32_MAX;
    if (size == 2 && !is_signed)
        found += (uint64_t)all * (BYTES / 2) << 30;
    set_sum(sum, found, sign_of_word(found));
}

#define SMALL_INTEGERS(type)                                                                       \
    static void JOIN(squares_of_, type)(const char *x, size_t n, uint64_t sum[4])                  \
    {                                                                                              \
        small_integers(x, x, n, sizeof(type), (type) - 1 < 0, 1, sum);                             \
    }                                                                                              \
    static void JOIN(products_of_, type)(const char *x, const char *y, size_t n, uint64_t sum[4])  \
    {                                                                                              \
        small_integers(x, y, n, sizeof(type), (type) - 1 < 0, 0, sum);                             \
    }
#else
#define SMALL_INTEGERS(type)                                                                       \
    static void JOIN(squares_of_, type)(const char *x, size_t n, uint64_t sum[4])                  \
    {                                                                                              \
        uint64_t total = 0;                                                                        \
        for (size_t k = 0; k < n; k++) {                                                           \
            type v;                                                                                \
            READ(v, x, k);                                                                         \
            total += (uint32_t)v * (uint32_t)v;                                                    \
        }                                                                                          \
        sum[0] = total;                                                                            \
        sum[1] = sum[2] = sum[3] = 0;                                                              \
    }
#endif
SMALL_INTEGERS(int8_t)
SMALL_INTEGERS(uint8_t)
SMALL_INTEGERS(int16_t)
SMALL_INTEGERS(uint16_t)

/* 32 bits: the 64-bit products are summed modulo 2^64, and their upper halves apart: those of
 * unsigned ones, or of the sums of two signed ones, from -2^63 + 2^32 to 2^63, with 2^63 - 1 added
 * to each. What the sum of the lower halves, below 2^48, lacks follows. */
#ifdef muls32
static inline
    __attribute__((always_inline)) void medium_integers(const char *x, const char *y, size_t n,
                                                        int is_signed, uint64_t sum[4])
{
    enum { WIDTH = 2, BYTES = WIDTH * VECTOR_BYTES };
    const uint64_t offset = UINT64_MAX >> 1;
    vec total[WIDTH], high[WIDTH];
    char tail_x[BYTES] = {0}, tail_y[BYTES] = {0};
    const size_t rows = n * 4 / BYTES, rest = n * 4 % BYTES, all = rows + (rest != 0);
    for (int k = 0; k < WIDTH; k++)
        total[k] = high[k] = splat(0);
    memcpy(tail_x, x + rows * BYTES, rest);
    memcpy(tail_y, y + rows * BYTES, rest);
    for (size_t row = 0; row < all; row++) {
        const char *from_x = row < rows ? x + row * BYTES : tail_x,
                   *from_y = row < rows ? y + row * BYTES : tail_y;
        for (int k = 0; k < WIDTH; k++) {
            vec v, w;
            memcpy(&v, from_x + k * VECTOR_BYTES, sizeof v);
            memcpy(&w, from_y + k * VECTOR_BYTES, sizeof w);
            const vec even = is_signed ? muls32(v, w) : mul32(v, w),
                      odd = is_signed ? muls32(v >> 32, w >> 32) : mul32(v >> 32, w >> 32),
                      both = even + odd;
            total[k] += both;
            high[k] += is_signed ? (both + offset) >> 32 : (even >> 32) + (odd >> 32);
        }
    }
    for (int k = 1; k < WIDTH; k++) {
        total[0] += total[k];
        high[0] += high[k];
    }
    const uint64_t offsets = is_signed ? (uint64_t)all * (BYTES / 8) : 0, /* of 2^63 - 1 each */
        of_high = sum_of_lanes(high[0]), upper = of_high - (offsets << 31),
                   lower = sum_of_lanes(total[0]) + offsets * offset - (of_high << 32),
                   sign = is_signed ? sign_of_word(upper) : 0;
    set_sum(sum, lower + offsets, 0);
    add_at(sum, 4, 32, (pc_u128){upper, sign}, sign);
}

#define MEDIUM_INTEGERS(type, is_signed)                                                           \
    static void JOIN(squares_of_, type)(const char *x, size_t n, uint64_t sum[4])                  \
    {                                                                                              \
        medium_integers(x, x, n, is_signed, sum);                                                  \
    }                                                                                              \
    static void JOIN(products_of_, type)(const char *x, const char *y, size_t n, uint64_t sum[4])  \
    {                                                                                              \
        medium_integers(x, y, n, is_signed, sum);                                                  \
    }
MEDIUM_INTEGERS(int32_t, 1)
MEDIUM_INTEGERS(uint32_t, 0)
#else
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
#endif

/* 64 bits: with |x| = h * 2^32 + l, x^2 = h^2 * 2^64 + hl * 2^33 + l^2, and the
 * halves of each product are summed apart. */
static inline void large_integers(const char *x, size_t n, int is_signed, uint64_t sum[4])
{
    vec half[6]; /* the low and the high half of l^2, of hl and of h^2 */
    uint64_t tail[LANES] = {0}, total[6];
    size_t rows = n / LANES, rest = n % LANES;
    for (int k = 0; k < 6; k++)
        half[k] = splat(0);
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
        half[0] += ll & 0xffffffffu;
        half[1] += ll >> 32;
        half[2] += hl & 0xffffffffu;
        half[3] += hl >> 32;
        half[4] += hh & 0xffffffffu;
        half[5] += hh >> 32;
    }
    for (int k = 0; k < 6; k++)
        total[k] = sum_of_lanes(half[k]);
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

/* ---- the integers themselves ---------------------------------------------- */

#define SUM_OF_INTEGERS(type, partial)                                                             \
    static void JOIN(sum_of_, type)(const char *x, size_t n, uint64_t sum[4])                      \
    {                                                                                              \
        int64_t total = 0;                                                                         \
        for (size_t m; n; n -= m, x += m * sizeof(type)) {                                         \
            partial some = 0; /* does not overflow in SHORT_RUN steps */                           \
            m = n < SHORT_RUN ? n : SHORT_RUN;                                                     \
            for (size_t k = 0; k < m; k++) {                                                       \
                type v;                                                                            \
                READ(v, x, k);                                                                     \
                some += (partial)v;                                                                \
            }                                                                                      \
            total += (int64_t)some;                                                                \
        }                                                                                          \
        set_sum(sum, (uint64_t)total, 0 - (uint64_t)(total < 0));                                  \
    }
enum { SHORT_RUN = 1 << 15 };
SUM_OF_INTEGERS(int8_t, int32_t)
SUM_OF_INTEGERS(uint8_t, uint32_t)
SUM_OF_INTEGERS(int16_t, int32_t)
SUM_OF_INTEGERS(uint16_t, uint32_t)
SUM_OF_INTEGERS(int32_t, int64_t)
SUM_OF_INTEGERS(uint32_t, uint64_t)

/* 64 bits: modulo 2^64, and the high halves apart; the sum of the low halves, below 2^48, follows.
 * Signed numbers are made unsigned, x + 2^63, and n times 2^63 is subtracted at the end. */
static inline void sum_of_large(const char *x, size_t n, uint64_t flip, uint64_t sum[4])
{
    uint64_t total = 0, high = 0;
    for (size_t k = 0; k < n; k++) {
        uint64_t v;
        READ(v, x, k);
        v ^= flip;
        total += v;
        high += v >> 32;
    }
    set_sum(sum, total - (high << 32), 0);
    add_at(sum, 4, 32, (pc_u128){high, 0}, 0);
    if (flip && n)
        add_at(sum, 4, 63, (pc_u128){0 - (uint64_t)n, UINT64_MAX}, UINT64_MAX);
}

static void sum_of_int64_t(const char *x, size_t n, uint64_t sum[4])
{
    sum_of_large(x, n, UINT64_C(1) << 63, sum);
}

static void sum_of_uint64_t(const char *x, size_t n, uint64_t sum[4])
{
    sum_of_large(x, n, 0, sum);
}
