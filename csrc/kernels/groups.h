/* The sums of short groups of contiguous numbers, which become columns, one lane for each: the
 * estimates of lanes.h. Those of longer groups are NaN. Bounds and proofs: docs/design/states.md.
 */

#if defined(FLOATS) && defined(fused)

/* See compare_labels in kernels.h. */
#define COMPARE_LABELS(type, vector)                                                               \
    static int compare_labels_of_##type(const char *labels, size_t n, uint64_t *changes)           \
    {                                                                                              \
        enum { SIZE = sizeof(type##_t), AT_ONCE = VECTOR_BYTES / SIZE };                           \
        vector falls = {0};                                                                        \
        uint64_t bits = 0;                                                                         \
        for (size_t step = 0; step * LABELS_STEP < n; step++, labels += LABELS_STEP * SIZE) {      \
            vector differ = {0};                                                                   \
            UNROLLED                                                                               \
            for (size_t k = 0; k < LABELS_STEP; k += AT_ONCE) {                                    \
                vector these, before;                                                              \
                memcpy(&these, labels + k * SIZE, sizeof these);                                   \
                memcpy(&before, labels + k * SIZE - SIZE, sizeof before);                          \
                differ |= these - before;                                                          \
                falls |= these | (these - before);                                                 \
            }                                                                                      \
            bits |= (uint64_t)any_bits((vec)differ) << step;                                       \
        }                                                                                          \
        *changes = bits;                                                                           \
        return !any_bits((vec)(falls >> (8 * SIZE - 1)));                                          \
    }
COMPARE_LABELS(int32, vecw)
COMPARE_LABELS(int64, vec)

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
    int squares; /* as well as the numbers */
    exactness exact;
    lane_loader *load;
} group_kind;

static inline __attribute__((always_inline)) int one_part_of(group_kind kind)
{
    return kind.exact != TWO_PARTS || kind.squares;
}

static inline __attribute__((always_inline)) int integers_of(group_kind kind)
{
    return kind.exact == EXACT_SUM || !one_part_of(kind);
}

/* The estimates += x + low. */
static inline __attribute__((always_inline)) void
add_to_group(estimate *number, estimate *square, extent *all, vecd x, vecd low, group_kind kind)
{
    if (!integers_of(kind))
        extend(all, x);
    add_number(number, x, low,
               kind.exact == TWO_PARTS && one_part_of(kind) ? EXACT_NOTHING : kind.exact);
    if (kind.squares)
        add_square(square, x, kind.exact);
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

/* The numbers of LANES groups, of at most `max` numbers each, in a lane each. */
static inline __attribute__((always_inline)) group_sum sum_short_groups(const char *const x[LANES],
                                                                        const size_t count[LANES],
                                                                        size_t max, const char *end,
                                                                        int few, group_kind kind)
{
    group_sum sum = empty_group();
    for (size_t r = 0; r < max; r += LANES) {
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
            if (r + j >= max)
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

static inline __attribute__((always_inline)) void sum_groups(const lane_groups *from,
                                                             lane_sums *sums, group_kind kind)
{
    const char *end = from->x + from->end * kind.size;
    for (size_t first = 0; first < from->groups; first += LANES) {
        const char *x[LANES];
        size_t count[LANES], max = 0;
        vecd counts;
        vec too_long = splat(0);
        for (size_t j = 0; j < LANES; j++) { /* the last group again for those beyond it */
            const size_t c = first + j < from->groups ? first + j : from->groups - 1;
            x[j] = from->x + from->at[c] * kind.size;
            count[j] = from->at[c + 1] - from->at[c];
            counts[j] = (double)count[j];
            if (count[j] > MAX_SHORT_GROUP) {
                count[j] = 0;
                too_long[j] = UINT64_MAX;
            }
            max = count[j] > max ? count[j] : max;
        }
        store_doubles(sums->count + first, counts);
        if (!kind.squares && !integers_of(kind) && max <= MAX_FEW) {
            group_sum sum = sum_short_groups(x, count, max, end, 1, kind);
            sum.number.high = (vecd)((vec)sum.number.high | too_long);
            store_estimate(sums->number, first, sum.number);
        } else {
            group_sum sum = sum_short_groups(x, count, max, end, 0, kind);
            sum.number.high = (vecd)((vec)sum.number.high | too_long);
            sum.square.high = (vecd)((vec)sum.square.high | too_long);
            store_sums(sums, first, sum.number, sum.square, &sum.all, (double)max, 1, kind.squares,
                       0, integers_of(kind), kind.exact == EXACT_SQUARE ? 24 : 53);
        }
    }
}

#define SUM_GROUPS_OF(name, type, size, squares, exact)                                            \
    static void groups_of_##type##_##name(const lane_groups *from, lane_sums *sums)                \
    {                                                                                              \
        const group_kind kind = {size, squares, exact, load_lanes_of_##type};                      \
        sum_groups(from, sums, kind);                                                              \
    }
#define SUM_GROUPS(type, size, exact)                                                              \
    SUM_GROUPS_OF(numbers, type, size, 0, exact)                                                   \
    SUM_GROUPS_OF(both, type, size, 1, exact)
SUM_GROUPS(int32, 4, EXACT_SUM)
SUM_GROUPS(int64, 8, TWO_PARTS)
SUM_GROUPS(float32, 4, EXACT_SQUARE)
SUM_GROUPS(float64, 8, EXACT_NOTHING)
#endif
