/* Exact sums of floats and of their squares, in floating-point arithmetic. */

/* sum += x * 2^shift, both in two's complement. */
static inline void add_shifted(uint64_t sum[4], pc_u128 x, unsigned shift)
{
    add_at(sum, 4, shift, x, sign_of_word(x.hi));
}

static inline pc_u128 widened(uint64_t x)
{
    return (pc_u128){x, sign_of_word(x)};
}

/* sum = (s1 * 2^103 + s2 * 2^52 + s3) * 2^51, with s2 and s3 signed: what the
 * constants with ulps 2^(2E-50), 2^(2E-101), 2^(2E-153) have counted. */
static inline void sum_from_pieces(uint64_t sum[4], uint64_t s1, uint64_t s2, uint64_t s3)
{
    memset(sum, 0, 4 * sizeof *sum);
    add_shifted(sum, (pc_u128){s1, 0}, 154);
    add_shifted(sum, widened(s2), 103);
    add_shifted(sum, widened(s3), 51);
}

#ifdef FLOATS
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
enum { UPPER = 0 };
#else
enum { UPPER = 1 };
#endif

/* The range over all 32-bit lanes (step 1), or over the upper halves of 64-bit lanes (step 2). */
static inline magnitude_range range_of(vecw min, vecw max, int step)
{
    magnitude_range range = {UINT32_MAX, 0};
    for (int k = step == 2 ? UPPER : 0; k < VECTOR_BYTES / 4; k += step) {
        range.min = min[k] < range.min ? min[k] : range.min;
        range.max = max[k] > range.max ? max[k] : range.max;
    }
    return range;
}

/* The numbers and their sum: with u = 2^(E-50) and v = 2^(E-101),
 *
 *   t = 3 * 2^(E+1) + x           rounds x to a multiple of u
 *   r = x - (t - 3 * 2^(E+1))     exact: what is left, at most u/2, and a multiple of v if
 *                                 |x| >= 2^(E-49) (or 0)
 *   w = 3u + r                    exact
 *
 * Both constants keep their binades, for |x| < 2^(E+1) (1 - 2^-21). So x = p u + q v with the
 * integers p = bits(t) - bits(3 * 2^(E+1)), q = bits(w) - bits(3u), of either sign. */
static inline double first_constant(int E)
{
    return 3.0 * power(E + 1);
}

static inline double second_constant(int E)
{
    return 3.0 * power(E - 50);
}

/* p u + q v, times 2^-number_window_exponent(E). */
static inline pc_u128 number_sum_from(uint64_t p, uint64_t q)
{
    pc_u128 sum = u128_shl(widened(p), 51);
    u128_add(&sum, widened(q));
    return sum;
}

#ifdef fused
/* Two methods to square doubles without rounding, in blocks whose nonzero |x| lie
 * in [2^(E - EXPONENT_RANGE), 2^(E+1) (1 - 2^-21)). Each turns x^2 into a few integers, so that
 * sums of squares are sums of 64-bit integers, exact in any order:
 *
 *   constants_of     the CONSTANTS that it needs for one E, the two above first
 *   add_pieces       adds the pieces of x^2 to sums, given t and w
 *   square_sum_from  the sum of squares, times 2^-square_window_exponent(E), from the sums over
 *                    `count` numbers
 *
 * Pieces are at most 2^52 in absolute value, so that 2048 of them fit 64 bits. Zeros contribute
 * nothing. The first two of the SUMS are those of the bits of t and w. */

#ifdef madd52lo
/* Integer multiply-add of 52 bits: with T = 2^51 + p and W = 2^51 + q, the 52 bits of fraction
 * of t and w,
 *
 *   x^2 = p^2 u^2 + 2 p q u v + q^2 v^2
 *
 * and the sums of p^2, pq, q^2 follow from those of T^2, TW, W^2. The instruction reads only the 52
 * bits. */
enum { CONSTANTS = 2, EXPONENT_RANGE = 49, SUMS = 8 };

static inline void constants_of(int E, double c[CONSTANTS])
{
    c[0] = first_constant(E);
    c[1] = second_constant(E);
}

static inline void add_pieces(vec sum[SUMS], vecd x, vecd t, vecd w, const vecd c[CONSTANTS])
{
    (void)x;
    (void)c;
    sum[2] = madd52lo(sum[2], t, t);
    sum[3] = madd52hi(sum[3], t, t);
    sum[4] = madd52lo(sum[4], t, w);
    sum[5] = madd52hi(sum[5], t, w);
    sum[6] = madd52lo(sum[6], w, w);
    sum[7] = madd52hi(sum[7], w, w);
}

/* The sum of x y from that of (2^51 + x)(2^51 + y), as low and high halves of 52 bits, and
 * that of x + y. */
static inline pc_u128 without_bias(uint64_t low, uint64_t high, uint64_t sum, uint64_t count)
{
    pc_u128 product = u128_shl((pc_u128){high, 0}, 52);
    u128_add(&product, (pc_u128){low, 0});
    u128_add(&product, u128_shl(widened(0 - sum), 51));
    product.hi -= count << 38; /* 2^102 each */
    return product;
}

static inline void square_sum_from(uint64_t sum[4], const uint64_t total[SUMS], uint64_t p,
                                   uint64_t q, uint64_t count, int E)
{
    (void)E;
    memset(sum, 0, 4 * sizeof *sum);
    add_shifted(sum, without_bias(total[2], total[3], 2 * p, count), 104);
    add_shifted(sum, without_bias(total[4], total[5], p + q, count), 54);
    add_shifted(sum, without_bias(total[6], total[7], 2 * q, count), 2);
}

#else
/* Floating-point arithmetic. Let p = x^2 rounded, x^2 = p + e, and let adding C to
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
enum { CONSTANTS = 5, EXPONENT_RANGE = 24, SUMS = 5 };

static inline double c2_of(int E)
{
    return 1.5 * power(2 * E - 49);
}

static inline void constants_of(int E, double c[CONSTANTS])
{
    c[0] = first_constant(E);
    c[1] = second_constant(E);
    c[2] = power(2 * E + 2);
    c[3] = power(2 * E + 2) + c2_of(E);
    c[4] = 1.5 * power(2 * E - 101);
}

static inline void add_pieces(vec sum[SUMS], vecd x, vecd t, vecd w, const vecd c[CONSTANTS])
{
    (void)t;
    (void)w;
    vecd h1 = fused(x, x, c[2]), p = x * x, e = fused(x, x, -p);
    vecd h2 = p - (h1 - c[3]), h3 = h2 + e, r = e - (h3 - h2), h4 = r + c[4];
    sum[2] += (vec)h1;
    sum[3] += (vec)h3;
    sum[4] += (vec)h4;
}

static inline void square_sum_from(uint64_t sum[4], const uint64_t total[SUMS], uint64_t p,
                                   uint64_t q, uint64_t count, int E)
{
    double c[CONSTANTS];
    (void)p;
    (void)q;
    constants_of(E, c);
    sum_from_pieces(sum, total[2] - count * bits_of(c[2]), total[3] - count * bits_of(c2_of(E)),
                    total[4] - count * bits_of(c[4]));
}
#endif

/* The sums in each lane of a vector, and their magnitude_range. */
typedef struct {
    vec piece[SUMS], min, max;
} piece_sums;

static inline void clear_sums(piece_sums *to)
{
    for (int k = 0; k < SUMS; k++)
        to->piece[k] = splat(0);
    to->min = splat(UINT64_MAX);
    to->max = splat(0);
}

static inline void add_numbers(piece_sums *to, vecd x, const vecd c[CONSTANTS])
{
    vec magnitude = (vec)x & (UINT64_MAX >> 1);
    vecd t = x + c[0], w = x - (t - c[0]) + c[1];
    to->piece[0] += (vec)t;
    to->piece[1] += (vec)w;
    add_pieces(to->piece, x, t, w, c);
    to->max = (vec)larger((vecw)to->max, (vecw)magnitude);
    to->min = (vec)smaller((vecw)to->min, (vecw)(magnitude - 1));
}

/* The sums of p and q, from those of the bits of t and w over `count` numbers. */
static inline uint64_t sum_of_p(uint64_t total, uint64_t count, int E)
{
    return total - count * bits_of(first_constant(E));
}

static inline uint64_t sum_of_q(uint64_t total, uint64_t count, int E)
{
    return total - count * bits_of(second_constant(E));
}

static void sums_of_float64(const char *x, size_t n, int E, block_sums *result)
{
    enum { WIDTH = 2, ROW = WIDTH * LANES };
    double scalar[CONSTANTS], tail[ROW] = {0};
    vecd c[CONSTANTS];
    piece_sums to[WIDTH];
    uint64_t total[SUMS];
    size_t rows = n / ROW, rest = n % ROW, all = rows + (rest != 0);

    constants_of(E, scalar);
    for (int k = 0; k < CONSTANTS; k++)
        c[k] = splatd(scalar[k]);
    for (int k = 0; k < WIDTH; k++)
        clear_sums(&to[k]);
    memcpy(tail, x + rows * sizeof tail, rest * sizeof *tail);
    for (size_t row = 0; row < all; row++) {
        const char *from = row < rows ? x + row * sizeof tail : (const char *)tail;
        for (int k = 0; k < WIDTH; k++) {
            vecd v;
            memcpy(&v, from + k * VECTOR_BYTES, sizeof v);
            add_numbers(&to[k], v, c);
        }
    }
    for (int k = 1; k < WIDTH; k++) {
        for (int j = 0; j < SUMS; j++)
            to[0].piece[j] += to[k].piece[j];
        to[0].min = (vec)smaller((vecw)to[0].min, (vecw)to[k].min);
        to[0].max = (vec)larger((vecw)to[0].max, (vecw)to[k].max);
    }
    result->magnitudes = range_of((vecw)to[0].min, (vecw)to[0].max, 2);
    for (int j = 0; j < SUMS; j++)
        total[j] = sum_of_lanes(to[0].piece[j]);
    uint64_t count = all * ROW, p[2], q[2];
    for (int k = 0; k < 2; k++) {
        p[k] = sum_of_p(sum_of_every_other(to[0].piece[0], k), count / 2, E);
        q[k] = sum_of_q(sum_of_every_other(to[0].piece[1], k), count / 2, E);
        result->numbers[k] = number_sum_from(p[k], q[k]);
    }
    square_sum_from(result->squares, total, p[0] + p[1], q[0] + q[1], count, E);
}

/* Eight rows at a time: few enough for hardware prefetch streams, enough to amortize loading and
 * storing the sums of the columns. */
static void sums_of_columns(const char *x, ptrdiff_t stride, size_t rows, size_t columns,
                            const int *E, block_sums *result)
{
    vecd c[STRIP / LANES][CONSTANTS];
    piece_sums to[STRIP / LANES];
    size_t vectors = columns / LANES;

    for (size_t k = 0; k < vectors; k++) {
        for (int j = 0; j < LANES; j++) {
            double scalar[CONSTANTS];
            constants_of(E[k * LANES + (size_t)j], scalar);
            for (int i = 0; i < CONSTANTS; i++)
                c[k][i][j] = scalar[i];
        }
        clear_sums(&to[k]);
    }
    for (size_t row = 0, some; row < rows; row += some, x += (ptrdiff_t)some * stride) {
        some = rows - row < 8 ? rows - row : 8;
        for (size_t k = 0; k < vectors; k++) {
            piece_sums here = to[k];
            const char *from = x + k * VECTOR_BYTES;
            for (size_t r = 0; r < some; r++, from += stride) {
                vecd v;
                prefetch(from, 8 * stride);
                memcpy(&v, from, sizeof v);
                add_numbers(&here, v, c[k]);
            }
            to[k] = here;
        }
    }
    for (size_t k = 0; k < vectors; k++)
        for (int j = 0; j < LANES; j++) {
            size_t column = k * LANES + (size_t)j;
            block_sums *at = &result[column];
            uint64_t total[SUMS];
            for (int i = 0; i < SUMS; i++)
                total[i] = to[k].piece[i][j];
            at->magnitudes.min = (uint32_t)(to[k].min[j] >> 32);
            at->magnitudes.max = (uint32_t)(to[k].max[j] >> 32);
            uint64_t p = sum_of_p(total[0], rows, E[column]),
                     q = sum_of_q(total[1], rows, E[column]);
            at->numbers[0] = number_sum_from(p, q);
            at->numbers[1] = (pc_u128){0, 0};
            square_sum_from(at->squares, total, p, q, rows, E[column]);
        }
}
#endif

/* x * y + z, where x * y is exact: rounds once, fused or not. */
#ifdef fused
#define multiply_add(x, y, z) fused(x, y, z)
#else
#define multiply_add(x, y, z) ((x) * (y) + (z))
#endif

/* A float32 squared is exact in double: h1 and h2 = C2 + (x^2 - (h1 - C1)) do,
 * for |x| in [2^(E-27), 2^(E+1)); and x is a multiple of u = 2^(E-50): t does. */
static void sums_of_float32(const char *x, size_t n, int E, block_sums *result)
{
    typedef float half __attribute__((vector_size(VECTOR_BYTES / 2)));
    enum { WIDTH = 2, ROW = WIDTH * LANES };
    const double c1 = power(2 * E + 2), c2 = 1.5 * power(2 * E - 49), d = first_constant(E);
    const vecd C1 = splatd(c1), C2 = splatd(c2), D = splatd(d);
    vec sum1[WIDTH], sum2[WIDTH], numbers[WIDTH];
    vecw min = (vecw){0} - 1, max = (vecw){0};
    float tail[ROW] = {0};
    size_t rows = n / ROW, rest = n % ROW;

    for (int c = 0; c < WIDTH; c++)
        sum1[c] = sum2[c] = numbers[c] = splat(0);
    memcpy(tail, x + rows * sizeof tail, rest * sizeof *tail);
    size_t all = rows + (rest != 0);
    for (size_t row = 0; row < all; row++) {
        const char *from = row < rows ? x + row * sizeof tail : (const char *)tail;
        vecw magnitude;
        memcpy(&magnitude, from, sizeof magnitude);
        prefetch(from, AHEAD);
        magnitude &= 0x7fffffffu;
        max = larger(max, magnitude);
        min = smaller(min, magnitude - 1);
        for (int c = 0; c < WIDTH; c++) {
            half narrow;
            memcpy(&narrow, from + c * (int)sizeof narrow, sizeof narrow);
            vecd v = widen(narrow);
            vecd h1 = multiply_add(v, v, C1), h2 = multiply_add(v, v, C1 - h1) + C2;
            sum1[c] += (vec)h1;
            sum2[c] += (vec)h2;
            numbers[c] += (vec)(v + D);
        }
    }
    for (int c = 1; c < WIDTH; c++) {
        sum1[0] += sum1[c];
        sum2[0] += sum2[c];
        numbers[0] += numbers[c];
    }
    result->magnitudes = range_of(min, max, 1);
    uint64_t count = all * ROW;
    sum_from_pieces(result->squares, sum_of_lanes(sum1[0]) - count * bits_of(c1),
                    sum_of_lanes(sum2[0]) - count * bits_of(c2), 0);
    for (int k = 0; k < 2; k++)
        result->numbers[k] =
            number_sum_from(sum_of_every_other(numbers[0], k) - count / 2 * bits_of(d), 0);
}
#endif
