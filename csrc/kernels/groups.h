/* The sums of groups of contiguous numbers, of any length each: the estimates of lanes.h. Short
 * groups become columns, one lane for each; long ones of floats are summed along the vectors, whose
 * lanes are added up at the end; those of integers are left to the caller (NaN). Bounds and proofs:
 * docs/design/states.md. */

#if defined(FLOATS) && defined(fused)

static int compare_labels(const char *labels, size_t n, uint64_t *changes)
{
    vec falls = splat(0);
    *changes = 0;
    for (size_t step = 0; step * LABELS_STEP < n; step++, labels += LABELS_STEP * 8) {
        vec differ = splat(0);
        UNROLLED
        for (size_t k = 0; k < LABELS_STEP; k += LANES) {
            vec these, before;
            memcpy(&these, labels + 8 * k, sizeof these);
            memcpy(&before, labels + 8 * k - 8, sizeof before);
            differ |= these - before;
            falls |= these | (these - before);
        }
        *changes |= (uint64_t)(sum_of_lanes((vec)(differ != 0)) != 0) << step;
    }
    return sum_of_lanes(falls >> 63) == 0;
}

/* Groups of more numbers are long; and how many vectors of one go side by side, to hide
 * the latency of their sums. */
enum { MAX_SHORT_GROUP = 64, GROUP_WAYS = 4 };

/* The sums of the numbers of a group, or of one lane. */
typedef struct {
    estimate number, square;
    extent all;
} group_sum;

static inline group_sum empty_group(void)
{
    const estimate zero = {splatd(0.0), splatd(0.0), splatd(0.0)};
    return (group_sum){zero, zero, empty_extent()};
}

/* What the kernels of a type have in common, as constants. */
typedef struct {
    size_t size;
    int numbers, squares;
    exactness exact;
    lane_loader *load;
} group_kind;

static inline __attribute__((always_inline)) int one_part_of(group_kind kind)
{
    return kind.exact != LONG || kind.squares;
}

static inline __attribute__((always_inline)) int integers_of(group_kind kind)
{
    return kind.exact == WORD || !one_part_of(kind);
}

/* The estimates += x + low. */
static inline __attribute__((always_inline)) void
add_to_group(estimate *number, estimate *square, extent *all, vecd x, vecd low, group_kind kind)
{
    if (!integers_of(kind))
        extend(all, x);
    if (kind.numbers)
        add_number(number, x, low, kind.exact == LONG && one_part_of(kind) ? ANY : kind.exact);
    if (kind.squares)
        add_square(square, x, kind.exact);
}

static inline void add_estimate(estimate *to, estimate x)
{
    vecd error;
    to->high = two_sum(to->high, x.high, &error);
    to->low += x.low;
    to->low += error;
}

/* to += from, lane by lane. */
static inline __attribute__((always_inline)) void add_group(group_sum *to, const group_sum *from,
                                                            group_kind kind)
{
    if (kind.numbers)
        add_estimate(&to->number, from->number);
    if (kind.squares)
        add_estimate(&to->square, from->square);
}

/* The first `count` of LANES numbers, then zeros; reads LANES of them if there are so many before
 * `end`. */
static inline __attribute__((always_inline)) vecd load_some(const char *x, size_t count,
                                                            const char *end, vecd *low,
                                                            group_kind kind)
{
    char some[LANES * sizeof(double)] = {0};
    if (count >= LANES)
        return kind.load(x, one_part_of(kind), low);
    if ((size_t)(end - x) < LANES * kind.size) {
        memcpy(some, x, count * kind.size);
        return kind.load(some, one_part_of(kind), low);
    }
    const vec keep = ~last_lanes(LANES - count);
    const vecd v = kind.load(x, one_part_of(kind), low);
    *low = select_bits(keep, *low);
    return select_bits(keep, v);
}

/* The numbers of LANES groups, of at most `most` numbers each, in a lane each. */
static inline __attribute__((always_inline)) group_sum sum_short_groups(const char *const x[LANES],
                                                                        const size_t count[LANES],
                                                                        size_t most,
                                                                        const char *end, int few,
                                                                        group_kind kind)
{
    group_sum sum = empty_group();
    for (size_t r = 0; r < most; r += LANES) {
        vecd v[LANES], low[LANES];
        UNROLLED
        for (size_t j = 0; j < LANES; j++) {
            const size_t left = count[j] > r ? count[j] - r : 0;
            low[j] = splatd(0.0);
            if (r && r * kind.size % 64 == 0) /* hardware does not follow LANES groups */
                prefetch(x[j] + r * kind.size, AHEAD);
            v[j] = load_some(left ? x[j] + r * kind.size : x[j], left, end, &low[j], kind);
        }
        transpose(v);
        if (!one_part_of(kind))
            transpose(low);
        UNROLLED
        for (size_t j = 0; j < LANES; j++) {
            if (r + j >= most)
                break;
            if (!few)
                add_to_group(&sum.number, &sum.square, &sum.all, v[j], low[j], kind);
            else if (r + j == 0)
                sum.number.high = v[j] + 0.0; /* -0 is 0 */
            else
                add_one_of_few(&sum.number, v[j], r + j == 1);
        }
    }
    return sum;
}

/* LANES numbers after number i of a group, zeros after the last. */
static inline __attribute__((always_inline)) vecd load_group(const char *x, size_t i, size_t count,
                                                             const char *end, vecd *low,
                                                             group_kind kind)
{
    return load_some(x + i * kind.size, count - i, end, low, kind);
}

static inline __attribute__((always_inline)) void fetch_ahead(const char *x, size_t i, size_t w,
                                                              group_kind kind)
{
    if (w * LANES * kind.size % 64 == 0)
        prefetch(x + (i + w * LANES) * kind.size, AHEAD);
}

/* For each vector v of a group and a w below GROUP_WAYS, which takes turns: the statement. */
#define EACH_OF_GROUP(...)                                                                         \
    do {                                                                                           \
        size_t i = 0;                                                                              \
        for (; i + GROUP_WAYS * LANES <= count; i += GROUP_WAYS * LANES)                           \
            UNROLLED                                                                               \
        for (size_t w = 0; w < GROUP_WAYS; w++) {                                                  \
            vecd low = splatd(0.0);                                                                \
            const vecd v = kind.load(x + (i + w * LANES) * kind.size, one_part_of(kind), &low);    \
            __VA_ARGS__;                                                                           \
            (void)low;                                                                             \
        }                                                                                          \
        UNROLLED                                                                                   \
        for (size_t w = 0; w < GROUP_WAYS; w++)                                                    \
            if (i < count) {                                                                       \
                vecd low = splatd(0.0);                                                            \
                const vecd v = load_group(x, i, count, end, &low, kind);                           \
                __VA_ARGS__;                                                                       \
                (void)low;                                                                         \
                i += LANES;                                                                        \
            }                                                                                      \
    } while (0)

/* The power of two below the number, or what leaves no sum certain. */
static inline double binade_of(double x)
{
    const uint64_t bits = bits_of(x) & UINT64_C(0x7ff) << 52;
    double power_of_two;
    memcpy(&power_of_two, &bits, sizeof bits);
    return power_of_two > 0x1p-900 ? power_of_two : 0x1p-900;
}

/* What floats of one group have in common. */
typedef struct {
    double number_lost, square_lost, alike;
} group_bounds;

/* The same of floats, first the largest of them: then their sums, from D on, the middle of a binade
 * with room for all, as those of pairs.h. */
static inline __attribute__((always_inline)) group_sum sum_long_floats(const char *x, size_t count,
                                                                       const char *end,
                                                                       group_bounds *bounds,
                                                                       group_kind kind)
{
    const double lanes = GROUP_WAYS * LANES, m = (double)(count / (GROUP_WAYS * LANES) + 1);
    group_sum sum[GROUP_WAYS];
    vecd most[GROUP_WAYS], least = splatd(0x1p400);
    double largest = 0.0, smallest;
    UNROLLED
    for (int w = 0; w < GROUP_WAYS; w++) {
        sum[w] = empty_group();
        most[w] = splatd(0.0);
    }
    EACH_OF_GROUP(fetch_ahead(x, i, w, kind); const vecd size = magnitude(v);
                  most[w] = vector_max(size, most[w]);
                  if (kind.numbers && kind.squares) least =
                      vector_min((vecd)((vec)size - 1), least));
    UNROLLED
    for (int w = 1; w < GROUP_WAYS; w++)
        most[0] = vector_max(most[w], most[0]);
    smallest = least[0];
    for (int j = 0; j < LANES; j++) {
        largest = most[0][j] > largest ? most[0][j] : largest;
        smallest = least[j] < smallest ? least[j] : smallest;
    }
    const double C = 3 * binade_of(largest * (2 * m + 2)),
                 D = 3 * binade_of(largest * largest * (2 * m + 2)),
                 unit = lanes * (m + lanes) * (m + lanes) * 0x1.03p-105 * (2.0 / 3);
    bounds->number_lost = C * unit;
    bounds->square_lost = D * unit;
    bounds->alike = bits_of(largest) - bits_of(smallest) == 1 ? largest : -1.0; /* not of any sum */
    UNROLLED
    for (int w = 0; w < GROUP_WAYS; w++) {
        sum[w].number.high = splatd(C);
        sum[w].square.high = splatd(D);
    }
    EACH_OF_GROUP(if (kind.numbers) {
        const vecd h = plus(v, sum[w].number.high);
        sum[w].number.low += plus(v, sum[w].number.high - h);
        sum[w].number.high = h;
    } if (kind.squares) add_product(&sum[w].square.high, &sum[w].square.low, v, v,
                                    kind.exact == SHORT));
    UNROLLED
    for (int w = 0; w < GROUP_WAYS; w++) {
        sum[w].number.high -= C;
        sum[w].square.high -= D;
        if (w)
            add_group(&sum[0], &sum[w], kind);
    }
    return sum[0];
}

/* The same of any number of them, in segments that stay in the cache. */
static inline __attribute__((always_inline)) group_sum sum_segments(const char *x, size_t count,
                                                                    const char *end,
                                                                    group_bounds *bounds,
                                                                    group_kind kind)
{
    group_sum sum = empty_group();
    *bounds = (group_bounds){0};
    const double segments = (double)(count / FLOAT_BLOCK + 1),
                 times = segments * (1 + segments / (GROUP_WAYS * LANES));
    for (size_t n; count; count -= n, x += n * kind.size) {
        group_bounds more;
        n = count < FLOAT_BLOCK ? count : FLOAT_BLOCK;
        const group_sum some = sum_long_floats(x, n, end, &more, kind);
        add_group(&sum, &some, kind);
        if (times * more.number_lost > bounds->number_lost)
            bounds->number_lost = times * more.number_lost;
        if (times * more.square_lost > bounds->square_lost)
            bounds->square_lost = times * more.square_lost;
        bounds->alike = segments > 1 ? -1.0 : more.alike;
    }
    return sum;
}

#define TRANSPOSE_FIELD(field)                                                                     \
    {                                                                                              \
        vecd v[LANES];                                                                             \
        UNROLLED                                                                                   \
        for (int j = 0; j < LANES; j++)                                                            \
            v[j] = of[j].field;                                                                    \
        transpose(v);                                                                              \
        UNROLLED                                                                                   \
        for (int j = 0; j < LANES; j++)                                                            \
            of[j].field = v[j];                                                                    \
    }

/* LANES sums whose lanes are to be added up, each then in a lane of its own. */
static inline __attribute__((always_inline)) group_sum sum_of_groups(group_sum of[LANES],
                                                                     group_kind kind)
{
    if (kind.numbers) {
        TRANSPOSE_FIELD(number.high)
        TRANSPOSE_FIELD(number.low)
    }
    if (kind.squares) {
        TRANSPOSE_FIELD(square.high)
        TRANSPOSE_FIELD(square.low)
    }
    for (int half = LANES / 2; half; half /= 2)
        UNROLLED
    for (int j = 0; j < half; j++)
        add_group(&of[j], &of[j + half], kind);
    return of[0];
}

static inline __attribute__((always_inline)) void sum_groups(const group_block *from,
                                                             lane_sums *sums, group_kind kind)
{
    const unsigned digits = kind.exact == SHORT ? 24 : 53;
    const char *end = from->x + from->end * kind.size;
    for (size_t first = 0; first < from->groups; first += LANES) {
        const char *x[LANES];
        size_t count[LANES], most = 0;
        vecd counts;
        for (size_t j = 0; j < LANES; j++) { /* the last group again for those beyond it */
            const size_t c = first + j < from->groups ? first + j : from->groups - 1;
            x[j] = from->x + from->at[c] * kind.size;
            count[j] = from->at[c + 1] - from->at[c];
            most = count[j] > most ? count[j] : most;
            counts[j] = (double)count[j];
        }
        const int few = !kind.squares && !integers_of(kind) && most <= MAX_FEW,
                  floats = kind.exact == ANY || kind.exact == SHORT;
        const double n = (double)most;
        group_sum sum, of[LANES];
        if (few) {
            sum = sum_short_groups(x, count, most, end, 1, kind);
            store_estimate(sums->number, first, sum.number);
        } else if (most <= MAX_SHORT_GROUP) {
            sum = sum_short_groups(x, count, most, end, 0, kind);
            store_sums(sums, first, sum.number, sum.square, &sum.all, n, kind.numbers, kind.squares,
                       0, integers_of(kind), digits);
        } else if (!floats) { /* the exact sum of many integers takes less time */
            sum = empty_group();
            sum.number.high = sum.square.high = (vecd)splat(UINT64_MAX);
            store_sums(sums, first, sum.number, sum.square, &sum.all, n, kind.numbers, kind.squares,
                       0, integers_of(kind), digits);
        } else {
            vecd alike, number_lost, square_lost;
            group_bounds bounds;
            for (size_t j = 0; j < LANES; j++) {
                of[j] = sum_segments(x[j], count[j], end, &bounds, kind);
                number_lost[j] = bounds.number_lost;
                square_lost[j] = bounds.square_lost;
                alike[j] = bounds.alike;
            }
            sum = sum_of_groups(of, kind);
            sum.number.lost = number_lost;
            sum.square.lost = square_lost;
            if (kind.numbers)
                store_estimate(sums->number, first, sum.number);
            if (kind.squares)
                store_estimate(sums->square, first, sum.square);
            store_doubles(sums->grid + first, splatd(0.0));
            store_doubles(sums->common_abs + first, alike);
        }
        store_doubles(sums->count + first, counts);
    }
}

#define SUM_GROUPS_OF(name, type, size, numbers, squares, exact)                                   \
    static void groups_of_##type##_##name(const group_block *from, lane_sums *sums)                \
    {                                                                                              \
        const group_kind kind = {size, numbers, squares, exact, load_lanes_of_##type};             \
        sum_groups(from, sums, kind);                                                              \
    }
#define SUM_GROUPS(type, size, exact)                                                              \
    SUM_GROUPS_OF(numbers, type, size, 1, 0, exact)                                                \
    SUM_GROUPS_OF(squares, type, size, 0, 1, exact)                                                \
    SUM_GROUPS_OF(both, type, size, 1, 1, exact)
SUM_GROUPS(int32, 4, WORD)
SUM_GROUPS(int64, 8, LONG)
SUM_GROUPS(float32, 4, SHORT)
SUM_GROUPS(float64, 8, ANY)
#endif
