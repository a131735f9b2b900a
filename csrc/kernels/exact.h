/* Squares of floats without rounding, in arithmetic that rounds. */

/* sum += (sign, x) * 2^shift: x has 128 bits, and `sign` all above them. No
 * shift here is a multiple of 64. */
static inline void add_shifted(uint64_t sum[4], pc_u128 x, uint64_t sign, unsigned shift)
{
    const uint64_t word[7] = {0, 0, 0, x.lo, x.hi, sign, sign};
    unsigned skip = shift / 64, up = shift % 64;
    pc_u128 part[2];
    for (unsigned k = 0; k < 2; k++) {
        const uint64_t *at = word + 3 + 2 * k - skip;
        part[k].lo = at[0] << up | at[-1] >> (64 - up);
        part[k].hi = at[1] << up | at[0] >> (64 - up);
    }
    pc_u128 low = {sum[0], sum[1]}, high = {sum[2], sum[3]}, carry = {u128_add(&low, part[0]), 0};
    u128_add(&high, part[1]);
    u128_add(&high, carry);
    sum[0] = low.lo;
    sum[1] = low.hi;
    sum[2] = high.lo;
    sum[3] = high.hi;
}

/* sum = (s1 * 2^103 + s2 * 2^52 + s3) * 2^51, with s2 and s3 signed: what the
 * constants with ulps 2^(2E-50), 2^(2E-101), 2^(2E-153) have counted. */
static inline void put_parts(uint64_t sum[4], uint64_t s1, uint64_t s2, uint64_t s3)
{
    uint64_t sign2 = 0 - (s2 >> 63), sign3 = 0 - (s3 >> 63);
    pc_u128 first = {s1, 0}, second = {s2, sign2}, third = {s3, sign3};
    memset(sum, 0, 4 * sizeof *sum);
    add_shifted(sum, first, 0, 154);
    add_shifted(sum, second, sign2, 103);
    add_shifted(sum, third, sign3, 51);
}

#ifdef FLOATS
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
enum { UPPER = 0 };
#else
enum { UPPER = 1 };
#endif

/* Of each 32 bits (step 1), or of the upper 32 of each 64 (step 2). */
static inline span span_of(vecw least, vecw most, int step)
{
    span found = {UINT32_MAX, 0};
    for (int k = step == 2 ? UPPER : 0; k < VECTOR_BYTES / 4; k += step) {
        found.least = least[k] < found.least ? least[k] : found.least;
        found.most = most[k] > found.most ? most[k] : found.most;
    }
    return found;
}

#ifdef fused
/* Two methods to square doubles without rounding, in blocks whose nonzero |x| lie
 * in [2^(E - DEPTH), 2^(E+1)). Each turns x^2 into a few integers, so that sums
 * of squares are sums of 64-bit integers, exact in any order:
 *
 *   constants_of  the CONSTANTS that it needs for one E
 *   add_parts     adds the parts of x^2 to SUMS sums
 *   put_together  what the sums over `count` numbers come to, times 2^-window_of(E)
 *
 * No part is above 2^52 in size, so 2048 of them fit. Zeros add up to nothing. */
enum { CONSTANTS = 3 };

#ifdef madd52lo
/* Integer multiply-add of 52 bits. With u = 2^(E-50) and v = 2^(E-101), |x| = T u - B v:
 *
 *   t = |x| + 2^(E+2) + u    rounds |x| to a multiple of u: its 52 bits of fraction are T
 *   y = (t - 2^(E+2)) - |x|  exact: between u/2 and 3u/2, a multiple of v for DEPTH 49
 *   w = y + 2u               exact: its 52 bits of fraction are B
 *
 * and x^2 = T^2 u^2 - 2 T B u v + B^2 v^2. The unit reads the 52 bits and no others. */
enum { DEPTH = 49, SUMS = 6 };

static inline void constants_of(int E, double c[CONSTANTS])
{
    c[0] = power(E + 2);
    c[1] = power(E + 2) + power(E - 50);
    c[2] = power(E - 49);
}

static inline void add_parts(vec sum[SUMS], vecd x, const vecd c[CONSTANTS])
{
    vecd size = (vecd)((vec)x & (UINT64_MAX >> 1)), t = size + c[1], y = t - c[0] - size,
         w = y + c[2];
    sum[0] = madd52lo(sum[0], t, t);
    sum[1] = madd52hi(sum[1], t, t);
    sum[2] = madd52lo(sum[2], t, w);
    sum[3] = madd52hi(sum[3], t, w);
    sum[4] = madd52lo(sum[4], w, w);
    sum[5] = madd52hi(sum[5], w, w);
}

static inline void put_together(uint64_t sum[4], const uint64_t total[SUMS], uint64_t count, int E)
{
    pc_u128 part[3];
    for (int k = 0; k < 3; k++) {
        pc_u128 low = {total[2 * k], 0}, high = {total[2 * k + 1], 0};
        part[k] = u128_shl(high, 52);
        u128_add(&part[k], low);
    }
    (void)count;
    (void)E;
    memset(sum, 0, 4 * sizeof *sum);
    add_shifted(sum, part[0], 0, 104);
    pc_u128 negative = {~part[1].lo, ~part[1].hi}, one = {1, 0};
    uint64_t sign = u128_add(&negative, one) ? 0 : UINT64_MAX;
    add_shifted(sum, negative, sign, 54);
    add_shifted(sum, part[2], 0, 2);
}

#else
/* Arithmetic that rounds. Let p = x^2 rounded, x^2 = p + e, and let adding C to
 * a number that is small against it round to multiples of ulp(C). Then, with
 * ulp(C1) = 2^(2E-50), ulp(C2) = 2^(2E-101), ulp(C3) = 2^(2E-153),
 *
 *   h1 = C1 + x^2               h1 - C1 is x^2 to the nearest ulp(C1)
 *   t  = p - (h1 - C1) + C2     exact: a multiple of ulp(C2) in the binade of C2
 *   h3 = t + e                  rounds e to a multiple of ulp(C2)
 *   r  = e - (h3 - t)           exact: what is left, a multiple of ulp(C3)
 *   h4 = C3 + r                 exact
 *
 * and x^2 = (h1 - C1) + (h3 - C2) + (h4 - C3). Each h stays in the binade of its
 * C, so bits(h) - bits(C) is the integer (h - C) / ulp(C), of either sign. */
enum { DEPTH = 24, SUMS = 3 };

static inline double c2_of(int E)
{
    return 1.5 * power(2 * E - 49);
}

static inline void constants_of(int E, double c[CONSTANTS])
{
    c[0] = power(2 * E + 2);
    c[1] = power(2 * E + 2) + c2_of(E);
    c[2] = 1.5 * power(2 * E - 101);
}

static inline void add_parts(vec sum[SUMS], vecd x, const vecd c[CONSTANTS])
{
    vecd h1 = fused(x, x, c[0]), p = x * x, e = fused(x, x, -p);
    vecd t = p - (h1 - c[1]), h3 = t + e, r = e - (h3 - t), h4 = r + c[2];
    sum[0] += (vec)h1;
    sum[1] += (vec)h3;
    sum[2] += (vec)h4;
}

static inline void put_together(uint64_t sum[4], const uint64_t total[SUMS], uint64_t count, int E)
{
    double c[CONSTANTS];
    constants_of(E, c);
    put_parts(sum, total[0] - count * bits_of(c[0]), total[1] - count * bits_of(c2_of(E)),
              total[2] - count * bits_of(c[2]));
}
#endif

/* The sums for one vector of numbers, and their span. */
typedef struct {
    vec part[SUMS], least, most;
} sums;

static inline void clear(sums *to)
{
    for (int k = 0; k < SUMS; k++)
        to->part[k] = splat(0);
    to->least = splat(UINT64_MAX);
    to->most = splat(0);
}

static inline void add_squares(sums *to, vecd x, const vecd c[CONSTANTS])
{
    vec size = (vec)x & (UINT64_MAX >> 1);
    add_parts(to->part, x, c);
    to->most = (vec)larger((vecw)to->most, (vecw)size);
    to->least = (vec)smaller((vecw)to->least, (vecw)(size - 1));
}

static void squares_of_float64(const char *x, size_t n, int E, uint64_t sum[4], span *found)
{
    enum { WIDTH = 2, ROW = WIDTH * LANES };
    double scalar[CONSTANTS], tail[ROW] = {0};
    vecd c[CONSTANTS];
    sums to[WIDTH];
    uint64_t total[SUMS];
    size_t rows = n / ROW, rest = n % ROW, all = rows + (rest != 0);

    constants_of(E, scalar);
    for (int k = 0; k < CONSTANTS; k++)
        c[k] = splatd(scalar[k]);
    for (int k = 0; k < WIDTH; k++)
        clear(&to[k]);
    memcpy(tail, x + rows * sizeof tail, rest * sizeof *tail);
    for (size_t row = 0; row < all; row++) {
        const char *from = row < rows ? x + row * sizeof tail : (const char *)tail;
        for (int k = 0; k < WIDTH; k++) {
            vecd v;
            memcpy(&v, from + k * VECTOR_BYTES, sizeof v);
            prefetch(from + k * VECTOR_BYTES, AHEAD);
            add_squares(&to[k], v, c);
        }
    }
    for (int k = 1; k < WIDTH; k++) {
        for (int j = 0; j < SUMS; j++)
            to[0].part[j] += to[k].part[j];
        to[0].least = (vec)smaller((vecw)to[0].least, (vecw)to[k].least);
        to[0].most = (vec)larger((vecw)to[0].most, (vecw)to[k].most);
    }
    *found = span_of((vecw)to[0].least, (vecw)to[0].most, 2);
    for (int j = 0; j < SUMS; j++)
        total[j] = sum_of_lanes(to[0].part[j]);
    put_together(sum, total, all * ROW, E);
}

/* Eight rows at a time: few enough to stream from memory side by side, enough
 * to pay for fetching and storing the sums of the columns. */
static void squares_of_columns(const char *x, ptrdiff_t stride, size_t rows, size_t columns,
                               const int *E, uint64_t (*sum)[4], span *found)
{
    vecd c[PC_PANEL / LANES][CONSTANTS];
    sums to[PC_PANEL / LANES];
    size_t vectors = columns / LANES;

    for (size_t k = 0; k < vectors; k++) {
        for (int j = 0; j < LANES; j++) {
            double scalar[CONSTANTS];
            constants_of(E[k * LANES + (size_t)j], scalar);
            for (int i = 0; i < CONSTANTS; i++)
                c[k][i][j] = scalar[i];
        }
        clear(&to[k]);
    }
    for (size_t row = 0, some; row < rows; row += some, x += (ptrdiff_t)some * stride) {
        some = rows - row < 8 ? rows - row : 8;
        for (size_t k = 0; k < vectors; k++) {
            sums here = to[k];
            const char *from = x + k * VECTOR_BYTES;
            for (size_t r = 0; r < some; r++, from += stride) {
                vecd v;
                prefetch(from, 8 * stride);
                memcpy(&v, from, sizeof v);
                add_squares(&here, v, c[k]);
            }
            to[k] = here;
        }
    }
    for (size_t k = 0; k < vectors; k++)
        for (int j = 0; j < LANES; j++) {
            size_t column = k * LANES + (size_t)j;
            uint64_t total[SUMS];
            for (int i = 0; i < SUMS; i++)
                total[i] = to[k].part[i][j];
            found[column].least = (uint32_t)(to[k].least[j] >> 32);
            found[column].most = (uint32_t)(to[k].most[j] >> 32);
            put_together(sum[column], total, rows, E[column]);
        }
}
#endif

/* x * y + z where x * y is exact: fused or not, it rounds once. */
#ifdef fused
#define multiply_add(x, y, z) fused(x, y, z)
#else
#define multiply_add(x, y, z) ((x) * (y) + (z))
#endif

/* A float32 squared is exact in double: h1 and h2 = C2 + (x^2 - (h1 - C1)) do,
 * for |x| in [2^(E-27), 2^(E+1)). */
static void squares_of_float32(const char *x, size_t n, int E, uint64_t sum[4], span *found)
{
    typedef float half __attribute__((vector_size(VECTOR_BYTES / 2)));
    enum { WIDTH = 2, ROW = WIDTH * LANES };
    const double c1 = power(2 * E + 2), c2 = 1.5 * power(2 * E - 49);
    const vecd C1 = splatd(c1), C2 = splatd(c2);
    vec sum1[WIDTH], sum2[WIDTH];
    vecw least = (vecw){0} - 1, most = (vecw){0};
    float tail[ROW] = {0};
    size_t rows = n / ROW, rest = n % ROW;

    for (int c = 0; c < WIDTH; c++)
        sum1[c] = sum2[c] = splat(0);
    memcpy(tail, x + rows * sizeof tail, rest * sizeof *tail);
    size_t all = rows + (rest != 0);
    for (size_t row = 0; row < all; row++) {
        const char *from = row < rows ? x + row * sizeof tail : (const char *)tail;
        vecw size;
        memcpy(&size, from, sizeof size);
        prefetch(from, AHEAD);
        size &= 0x7fffffffu;
        most = larger(most, size);
        least = smaller(least, size - 1);
        for (int c = 0; c < WIDTH; c++) {
            half narrow;
            memcpy(&narrow, from + c * (int)sizeof narrow, sizeof narrow);
            vecd v = widen(narrow);
            vecd h1 = multiply_add(v, v, C1), h2 = multiply_add(v, v, C1 - h1) + C2;
            sum1[c] += (vec)h1;
            sum2[c] += (vec)h2;
        }
    }
    for (int c = 1; c < WIDTH; c++) {
        sum1[0] += sum1[c];
        sum2[0] += sum2[c];
    }
    *found = span_of(least, most, 1);
    uint64_t count = all * ROW;
    put_parts(sum, sum_of_lanes(sum1[0]) - count * bits_of(c1),
              sum_of_lanes(sum2[0]) - count * bits_of(c2), 0);
}
#endif
