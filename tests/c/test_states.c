/* states.c and labels.c from inside: every state against a plain accumulator of the same numbers.
 */
#include "check.h"

#include "../../csrc/core_table.h"
#include "../../csrc/sums/states.h"

enum { STATES = 5, POOL = STATES };

/* Equal counts, flags and sums. */
static void check_same(const pc_accumulator *x, const pc_accumulator *y, size_t size)
{
    const pc_accumulator *const both[] = {x, y};
    CHECK(x->count == y->count);
    CHECK(pc_accumulator_nonfinite(x) == pc_accumulator_nonfinite(y));
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
        slow_sum of[2];
        if ((moment == PC_SQUARES && size < PC_STATE_BOTH) ||
            (moment == PC_IMAGINARY && size < PC_STATE_COMPLEX))
            continue;
        for (size_t k = 0; k < 2; k++) {
            uint64_t words[PC_LIMBS];
            int exponent, negative;
            const size_t count =
                pc_accumulator_export(both[k], moment, words, &exponent, &negative);
            of[k] = slow_of_words(words, count, exponent, negative);
        }
        CHECK(memcmp(&of[0], &of[1], sizeof of[0]) == 0);
    }
}

/* The same bits, if rounded in any way. */
static void check_results(const pc_accumulator *x, const pc_accumulator *y, size_t size)
{
    const pc_statistic all[] = {PC_SUM, PC_MEAN, PC_SUMSQ, PC_NORM, PC_RMS, PC_VAR, PC_STD};
    for (size_t k = 0; k < (size >= PC_STATE_BOTH ? 7 : 2); k++) {
        double made[2][2] = {{0}};
        pc_output_spec spec = {all[k], PC_FLOAT64, size == PC_STATE_COMPLEX && k < 2 ? 2 : 1, 0, 0};
        CHECK(pc_accumulator_round(x, &spec, (char *)made[0]) ==
              pc_accumulator_round(y, &spec, (char *)made[1]));
        CHECK(memcmp(made[0], made[1], sizeof made[0]) == 0);
    }
}

static double random_double(int scale)
{
    static const double special[] = {0.0, -0.0, 5e-324, 0x1p1023, INFINITY, -INFINITY, NAN, 1.0};
    const double x = (double)(int64_t)random64() * (below(3) ? 1.0 : 0x1p-40);
    if (below(50) == 0)
        return special[below(8)];
    return ldexp(below(4) ? x : rint(ldexp(x, -50)), scale + (int)below(3) * 30);
}

typedef struct {
    pc_states c;
    char at[(STATES + 1) * sizeof(pc_state)];
    pc_accumulator pool[POOL];
} some_states;

static void start(some_states *s, size_t size)
{
    memset(s->at, 0, sizeof s->at);
    s->c = (pc_states){s->at, size, STATES, s->pool, 0, 0};
}

/* `length` numbers side by side, with a label each. */
static pc_labelled labelled(pc_type type, int components, const void *data, pc_type label_type,
                            const void *labels, size_t label_count, size_t length)
{
    return (pc_labelled){.type = type,
                         .components = components,
                         .data = (const char *)data,
                         .label_type = label_type,
                         .labels = (const char *)labels,
                         .label_count = label_count,
                         .label_step = 1,
                         .axes = 1,
                         .axis = {{length, (ptrdiff_t)size_of_type[type] * components, 1, 0,
                                   (ptrdiff_t)size_of_type[label_type]}}};
}

/* Add all, giving the pool one accumulator more each time that it is used up. */
static void add(some_states *s, const pc_labelled *array, size_t count)
{
    size_t done = 0, before = 0;
    pc_status status;
    while ((status = pc_states_add_labelled(&s->c, array, &done, count)) == PC_NO_ROOM) {
        CHECK(before <= done && done < count);
        before = done;
        CHECK(++s->c.pool_size <= POOL);
    }
    CHECK(status == PC_OK && done == count);
}

/* *to += *from, giving the pool one accumulator more each time that it is used up. */
static void merge(some_states *to, const some_states *from)
{
    size_t done = 0;
    while (pc_states_merge(&to->c, &from->c, &done) == PC_NO_ROOM)
        CHECK(++to->c.pool_size <= POOL);
}

static void test_numbers(int scales)
{
    enum { MOST = 400 };
    static some_states s, other;
    static double x[2 * MOST];
    static int32_t label[MOST];
    static char mask[MOST];
    pc_accumulator plain[STATES], got;
    const int components = 1 + (int)below(2);
    const size_t size = components == 2 ? (size_t)PC_STATE_COMPLEX
                        : below(2)      ? (size_t)PC_STATE_BOTH
                                        : (size_t)PC_STATE_NUMBERS;
    const size_t count = 1 + below(MOST), part = below(count + 1), run = 1 + below(90);
    const int scale = (int)below(1800) - 1000, masked = below(3) == 0,
              real = components == 2 && below(2); /* of what comes last the real parts alone */
    for (size_t k = 0; k < count * (size_t)components; k++)
        x[k] = scales == 0 ? ldexp((double)(int64_t)random64(), (int)below(9))
                           : random_double(scale + (int)below((uint64_t)scales) * 17);
    for (size_t k = 0; k < count; k++) {
        label[k] = (int32_t)(k / run * 7 % (STATES + 1)) - 1;
        mask[k] = !masked || below(3);
    }
    for (size_t k = 0; k < STATES; k++)
        pc_accumulator_clear(&plain[k], PC_VAR);
    for (size_t k = 0; k < count; k++)
        if (label[k] >= 0 && mask[k]) {
            plain[label[k]].count++;
            for (int p = 0; p < (real && k >= part ? 1 : components); p++)
                accumulator_add_number(&plain[label[k]], x[k * (size_t)components + (size_t)p], p);
        }
    pc_labelled array = labelled(PC_FLOAT64, components, x, PC_INT32, label, STATES, part);
    array.mask = masked ? mask : NULL;
    start(&s, size);
    start(&other, real ? (size_t)PC_STATE_BOTH : size);
    if (part)
        add(&s, &array, part);
    array.components = real ? 1 : components;
    array.axis[0].length = count - part;
    array.data += part * 8 * (size_t)components;
    array.labels += part * 4;
    if (masked)
        array.mask += part;
    if (count > part)
        add(&other, &array, count - part);
    merge(&s, &other);
    for (int reduced = 0; reduced < 2; reduced++) {
        for (size_t k = 0; k < STATES; k++) {
            pc_states_get(&s.c, k, &got);
            check_results(&got, &plain[k], size);
            check_same(&got, &plain[k], size);
        }
        pc_states_normalize(&s.c);
    }
    for (size_t k = 0; k < STATES; k++) { /* by themselves, and reduced: the same bytes */
        start(&other, size);
        other.c.pool_size = POOL;
        CHECK(pc_states_add(&other.c, k, &plain[k]) == PC_OK);
        pc_states_normalize(&other.c);
        pc_state *one = state_at(&s.c, k), *two = state_at(&other.c, k);
        CHECK(!one->pool == !two->pool);
        one->pool = two->pool = 0;
        CHECK(memcmp(one, two, size) == 0);
    }
}

/* Infinity, of this type of floats, as bits. */
static uint64_t infinity_of(pc_type type)
{
    const uint64_t sign = UINT64_C(1) << (8 * sizes[type] - 1);
    return sign - (UINT64_C(1) << formats[type - PC_FLOAT16].fraction);
}

static int is_nan_of(pc_type type, const char *x)
{
    const uint64_t sign = UINT64_C(1) << (8 * sizes[type] - 1);
    return type >= PC_FLOAT16 && (load_bits(x, sizes[type]) & (sign - 1)) > infinity_of(type);
}

static void reverse(char *x, size_t size)
{
    for (size_t k = 0; k < size / 2; k++) {
        const char first = x[k];
        x[k] = x[size - 1 - k];
        x[size - 1 - k] = first;
    }
}

/* A table of numbers of any type, with labels of any type for its columns, its rows or each
 * element; all of them with gaps, and in any order of their bytes. */
static void test_tables(void)
{
    enum { ROWS = 6, COLUMNS = 150, ALL = ROWS * COLUMNS, LABELS = 4, MOST = COLUMNS * LABELS };
    static char x[ALL * 32], labels[ALL * 16], mask[ALL * 2], at[(MOST + 1) * sizeof(pc_state)];
    static char *element[ALL], *label[ALL];
    static size_t other[ALL]; /* along the axis that has no labels */
    static pc_accumulator plain[MOST], pool[MOST], got;
    const pc_type type = (pc_type)below(PC_FLOAT64 + 1), label_type = (pc_type)below(8);
    /* Contiguous, native and whole, but for one thing, or for several. */
    const size_t alone = below(8), odd = alone > 3 && below(2);
    const size_t components = type > PC_FLOAT16 && below(3) == 0 ? 2 : 1, width = sizes[type],
                 label_width = sizes[label_type], gap = width * components * (1 + odd * below(2)),
                 label_gap = label_width * (1 + odd * below(2)), mask_gap = 1 + below(2),
                 rows = 1 + below(ROWS), columns = 1 + below(COLUMNS), all = rows * columns,
                 run = below(2) ? 1 : 1 + below(2 * columns),
                 bad = below(6) ? all : below(2) * below(all);
    const size_t by_column = below(3) > 0, by_row = !by_column || below(2); /* the labels lie */
    const int labels_first = (int)below(2), scale = (int)below(60), back = odd && below(3) == 0,
              swapped = alone == 0 || (odd && below(3) == 0),
              labels_swapped = alone == 1 || (odd && below(3) == 0),
              masked = alone == 2 || (odd && below(3) == 0),
              skip_nan = alone == 3 || (odd && below(3) == 0);
    const size_t kept = !by_row ? rows : !by_column ? columns : 1;
    pc_states s = {at, PC_STATE_BOTH, kept * LABELS, pool, 0, 0};
    size_t done = 0;
    int refused = 0;
    if (components == 2)
        s.size = PC_STATE_COMPLEX;
    memset(at, 0, sizeof at);
    for (size_t k = 0; k < s.count; k++)
        pc_accumulator_clear(&plain[k], PC_VAR);
    for (size_t k = 0; k < ALL; k++) /* also behind those that are used */
        store_bits(labels + k * label_gap, label_width,
                   label_type % 2 == 0 && below(30) == 0 ? UINT64_MAX << below(7)
                                                         : k / run % LABELS);
    store_bits(labels + (below(2) ? 1 : below(ALL)) * label_gap, label_width, LABELS - 1);
    for (size_t k = 0; k < all; k++) {
        const size_t row = k / columns, column = k % columns,
                     named = by_row * row * (by_column ? columns : 1) + by_column * column;
        element[k] = x + (row * columns + (back ? columns - 1 - column : column)) * gap;
        label[k] = labels + named * label_gap;
        other[k] = !by_row ? row : !by_column ? column : 0;
        mask[k * mask_gap] = (char)below(3);
        for (size_t p = 0; p < components; p++) {
            const double ordinary = ldexp((double)(int64_t)random64(), -scale);
            const float shorter = (float)ordinary;
            store_bits(element[k] + p * width, width, random64() >> below(64));
            if (below(40) && type == PC_FLOAT64)
                memcpy(element[k] + p * width, &ordinary, width);
            else if (below(40) && type == PC_FLOAT32)
                memcpy(element[k] + p * width, &shorter, width);
            if (below(100) == 0 && type >= PC_FLOAT16) { /* Inf, and two NaN */
                const uint64_t ends[] = {0, 1,
                                         UINT64_C(1) << (formats[type - PC_FLOAT16].fraction - 1)};
                store_bits(element[k] + p * width, width,
                           infinity_of(type) | ends[below(3)] | below(2) << (8 * width - 1));
            }
        }
    }
    for (size_t k = bad; k < all && k <= bad + (run > 1 ? (size_t)99 : 0);
         k++) /* labels that are too large */
        store_bits(label[k], label_width,
                   label_type == PC_UINT64 && odd ? UINT64_MAX : (uint64_t)LABELS);
    for (size_t k = 0; k < all; k++) {
        const uint64_t name = load_bits(label[k], label_width);
        if ((label_type % 2 == 0 && name >> (8 * label_width - 1)) ||
            (masked && !mask[k * mask_gap]) ||
            (skip_nan && (is_nan_of(type, element[k]) ||
                          is_nan_of(type, element[k] + (components - 1) * width))))
            continue;
        if (name < LABELS)
            pc_add_numbers(&plain[labels_first ? name * kept + other[k] : other[k] * LABELS + name],
                           type, (int)components, element[k], 1);
        else
            refused = 1;
    }
    for (size_t k = 0; k < all && swapped; k++)
        for (size_t p = 0; p < components; p++)
            reverse(element[k] + p * width, width);
    for (size_t k = 0; k < all / kept && labels_swapped; k++)
        reverse(labels + k * label_gap, label_width);
    const ptrdiff_t step = labels_first ? 1 : LABELS,
                    along = back ? -(ptrdiff_t)gap : (ptrdiff_t)gap;
    const pc_labelled array = {
        .type = type,
        .components = (int)components,
        .swapped = swapped,
        .skip_nan = skip_nan,
        .data = element[0],
        .mask = masked ? mask : NULL,
        .label_type = label_type,
        .labels_swapped = labels_swapped,
        .labels = labels,
        .label_count = LABELS,
        .label_step = labels_first ? kept : 1,
        .axes = 2,
        .axis = {{rows, (ptrdiff_t)(columns * gap), (ptrdiff_t)(columns * mask_gap),
                  by_row ? 0 : step,
                  by_row ? (ptrdiff_t)(label_gap * (by_column ? columns : 1)) : 0},
                 {columns, along, (ptrdiff_t)mask_gap, by_column ? 0 : step,
                  by_column ? (ptrdiff_t)label_gap : 0}}};
    const size_t stop = below(all + 1), stops[] = {below(stop + 1), stop, all};
    const int mode = below(2) ? FE_UPWARD : FE_TONEAREST;
    pc_status status = PC_OK;
    fesetround(mode);
    for (size_t k = 0; k < 3 && status == PC_OK; k++) {
        while ((status = pc_states_add_labelled(&s, &array, &done, stops[k])) == PC_NO_ROOM)
            CHECK(++s.pool_size <= s.count);
        CHECK(status != PC_OK || done == stops[k]);
    }
    CHECK(rounds(mode));
    fesetround(FE_TONEAREST);
    CHECK(status == (refused ? PC_NO_LABEL : PC_OK));
    for (size_t k = 0; !refused && k < s.count; k++) {
        pc_states_get(&s, k, &got);
        check_same(&got, &plain[k], s.size);
    }
}

static void test_integers(void)
{
    static some_states s;
    static uint64_t x[300];
    static uint8_t label[300];
    pc_accumulator plain, got;
    const int negative = (int)below(2);
    for (size_t k = 0; k < 300; k++) {
        x[k] = random64() >> below(64);
        label[k] = 0;
    }
    label[0] = 1;
    pc_accumulator_clear(&plain, PC_VAR);
    pc_add_numbers(&plain, negative ? PC_INT64 : PC_UINT64, 1, (const char *)(x + 1), 299);
    const pc_labelled array =
        labelled(negative ? PC_INT64 : PC_UINT64, 1, x, PC_UINT8, label, 2, 300);
    start(&s, PC_STATE_BOTH);
    if (below(2)) { /* beside a number that is no integer: at another exponent */
        pc_accumulator half;
        const double of = ldexp((double)random64(), -(int)below(40));
        pc_accumulator_clear(&half, PC_VAR);
        pc_add_numbers(&half, PC_FLOAT64, 1, (const char *)&of, 1);
        pc_add_numbers(&plain, PC_FLOAT64, 1, (const char *)&of, 1);
        CHECK(pc_states_add(&s.c, 0, &half) == PC_OK);
    }
    add(&s, &array, 300);
    CHECK(s.c.pool_used == 0);
    pc_states_get(&s.c, 0, &got);
    check_results(&got, &plain, PC_STATE_BOTH);
    label[299] = 2;
    size_t done = 0;
    CHECK(pc_states_add_labelled(&s.c, &array, &done, 300) == PC_NO_LABEL);
}

/* An integer of any number of bits. */
static void set_window(pc_window *window, int exponent, int negative)
{
    const size_t bits = 1 + below(250), top = bits / 64;
    memset(window->words, 0, sizeof window->words);
    for (size_t k = 0; k <= top; k++)
        window->words[k] = random64();
    window->words[top] &= (UINT64_C(1) << bits % 64) - 1;
    if (below(4) == 0) /* of which the last of three words tells nothing */
        window->words[2] = 0;
    if (negative)
        negate_words(window->words, 4);
    window->exponent = exponent;
    window->flags = PC_WINDOW_USED;
}

/* Windows that a state does or does not hold: blocks and sums of any two sizes, at odd exponents.
 */
static void test_windows(void)
{
    static some_states s, other;
    double x[8];
    pc_accumulator acc, more, got;
    const int far = (int)below(260) - 130, near = (int)below(50) - 25;
    const uint64_t word = random64() | 1;
    size_t done = 0;
    start(&s, PC_STATE_BOTH);
    s.c.pool_size = POOL;
    pc_accumulator_clear(&acc, PC_VAR);
    for (int part = 0; part < 2; part++) {
        for (size_t k = 0; k < 8; k++)
            x[k] = ldexp((double)(int64_t)(random64() >> 12 | 1), part ? far : 0);
        if (below(2))
            for (size_t k = 0; k < 8; k++)
                x[k] = -x[k];
        pc_add_numbers(&acc, PC_FLOAT64, 1, (const char *)x, 8);
    }
    if (below(2))
        CHECK(pc_accumulator_import(&acc, PC_SQUARES, &word, 1, far, 0) == PC_OK);
    if (below(2))
        CHECK(pc_accumulator_import(&acc, PC_NUMBERS, &word, 1, far, (int)below(2)) == PC_OK);
    if (below(2)) {
        pc_accumulator_clear(&acc, PC_VAR);
        acc.count = 9;
        set_window(&acc.windows[PC_SQUARES], 2 * far - (below(8) == 0), 0);
        set_window(&acc.windows[PC_NUMBERS], far + (int)below(30), (int)below(2));
    }
    CHECK(pc_states_add(&s.c, 1, &acc) == PC_OK);
    pc_states_get(&s.c, 1, &got);
    check_same(&got, &acc, PC_STATE_BOTH);
    CHECK(pc_states_add(&s.c, 1, &acc) == PC_OK); /* and twice */
    CHECK(pc_accumulator_merge(&acc, &acc) == PC_OK);
    pc_states_get(&s.c, 1, &got);
    check_same(&got, &acc, PC_STATE_BOTH);
    pc_accumulator_clear(&more, PC_VAR); /* and with another one */
    more.count = 9;
    set_window(&more.windows[PC_SQUARES], 2 * (far + near), 0);
    set_window(&more.windows[PC_NUMBERS], far + near + (int)below(26), (int)below(2));
    start(&other, PC_STATE_BOTH);
    other.c.pool_size = POOL;
    CHECK(pc_states_add(&other.c, 1, &more) == PC_OK);
    CHECK(pc_states_merge(&s.c, &other.c, &done) == PC_OK && done == STATES);
    CHECK(pc_accumulator_merge(&acc, &more) == PC_OK);
    pc_states_get(&s.c, 1, &got);
    check_same(&got, &acc, PC_STATE_BOTH);
}

/* Of three sums two end in more zeros than the other, which loses a bit if it is shifted as far. */
static void test_last_bits(void)
{
    enum { SOME = 14 };
    static some_states s;
    static const int8_t label[SOME + 1] = {0};
    double x[2 * (SOME + 1)] = {0};
    const size_t part = below(2);
    pc_accumulator plain, got;
    for (size_t k = 0; k < SOME; k++) { /* 4 and 2, and 16 of the squares */
        x[2 * k + part] = k < 9 ? 1.0 : -1.0;
        x[2 * k + 1 - part] = k < 2;
    }
    x[2 * SOME + part] = ldexp(1.0, 105 + (int)below(25));
    pc_accumulator_clear(&plain, PC_VAR);
    pc_add_numbers(&plain, PC_FLOAT64, 2, (const char *)x, SOME + 1);
    start(&s, PC_STATE_COMPLEX);
    const pc_labelled array = labelled(PC_FLOAT64, 2, x, PC_INT8, label, STATES, SOME + 1);
    add(&s, &array, SOME + 1);
    pc_states_get(&s.c, 0, &got);
    check_same(&got, &plain, PC_STATE_COMPLEX);
    start(&s, PC_STATE_COMPLEX); /* the sums at once */
    s.c.pool_size = POOL;
    CHECK(pc_states_add(&s.c, 0, &plain) == PC_OK);
    pc_states_get(&s.c, 0, &got);
    check_same(&got, &plain, PC_STATE_COMPLEX);
}

/* Of two states the one whose exponent is higher may have so large a sum that it cannot be shifted
 * by the difference. */
static void test_large_sums(void)
{
    static some_states s[2];
    static const int8_t label[2] = {0, 0};
    const size_t size = below(2) ? PC_STATE_BOTH : PC_STATE_NUMBERS, into = below(2);
    const double sign = below(2) ? 1.0 : -1.0, large[2] = {sign, sign * 0x1p15},
                 small = ldexp(sign, -(int)below(30));
    pc_accumulator plain, got;
    pc_accumulator_clear(&plain, PC_VAR);
    pc_add_numbers(&plain, PC_FLOAT64, 1, (const char *)large, 2);
    start(&s[0], size);
    start(&s[1], size);
    const pc_labelled two = labelled(PC_FLOAT64, 1, large, PC_INT8, label, STATES, 2),
                      one = labelled(PC_FLOAT64, 1, &small, PC_INT8, label, STATES, 1);
    add(&s[0], &two, 2);
    add(&s[1], &one, 1);
    for (uint64_t doublings = below(63); doublings--;) {
        merge(&s[0], &s[0]);
        CHECK(pc_accumulator_merge(&plain, &plain) == PC_OK);
    }
    pc_add_numbers(&plain, PC_FLOAT64, 1, (const char *)&small, 1);
    merge(&s[into], &s[1 - into]);
    pc_states_get(&s[into].c, 0, &got);
    check_same(&got, &plain, size);
}

/* A state is merged with another, or itself, again and again, whose sums are nearly as large as any
 * that are not moved to the pool: its own become too large, and the other's do not. */
static void test_large_merges(void)
{
    static some_states s[2];
    static const int8_t label[2] = {0, 0};
    const size_t size = below(2) ? PC_STATE_BOTH : PC_STATE_NUMBERS;
    const int e = size == PC_STATE_BOTH ? 126 - (int)below(3) : 183 - (int)below(3);
    const double two[2] = {1.0, ldexp(below(2) ? 1.375 : -1.375, e)};
    pc_accumulator some, plain, got;
    pc_accumulator_clear(&some, PC_VAR);
    pc_add_numbers(&some, PC_FLOAT64, 1, (const char *)two, 2);
    pc_accumulator_clear(&plain, PC_VAR);
    start(&s[0], size);
    start(&s[1], size);
    const pc_labelled array = labelled(PC_FLOAT64, 1, two, PC_INT8, label, STATES, 2);
    add(&s[1], &array, 2);
    for (int again = 0; again < (size == PC_STATE_BOTH ? 20 : 1200); again++) {
        const int itself = again && again < 20 && below(2);
        merge(&s[0], &s[1 - itself]);
        CHECK(pc_accumulator_merge(&plain, itself ? &plain : &some) == PC_OK);
    }
    pc_states_get(&s[0].c, 0, &got);
    check_same(&got, &plain, size);
}

/* A run of numbers at either end of the range of doubles, whose block has an exponent that a state
 * must not have: then some that have none of their own. */
static void test_ends(void)
{
    enum { RUN = 64, MOST = 600 };
    static some_states s;
    static const int8_t label[MOST] = {0};
    const size_t size = below(2) ? PC_STATE_BOTH : PC_STATE_NUMBERS, n = RUN + below(MOST - RUN),
                 few = 1 + below(8);
    const int high = (int)below(2), e = high ? 1023 - (int)below(30) : -1074 + (int)below(100);
    double x[MOST];
    pc_accumulator plain, got;
    pc_accumulator_clear(&plain, PC_VAR);
    start(&s, size);
    for (int last = 0; last < 2; last++) {
        const size_t count = last ? few : n;
        for (size_t k = 0; k < count; k++)
            x[k] = !last  ? ldexp(1.0 + (double)below(1 << 20) * 0x1p-20, e - (int)below(3))
                   : high ? (below(2) ? INFINITY : -INFINITY)
                          : (double)below(3) * 0x1p-1074;
        const pc_labelled array = labelled(PC_FLOAT64, 1, x, PC_INT8, label, STATES, count);
        add(&s, &array, count);
        pc_add_numbers(&plain, PC_FLOAT64, 1, (const char *)x, count);
    }
    pc_states_get(&s.c, 0, &got);
    check_same(&got, &plain, size);
}

/* A state has up to 2^64 - 1 numbers, here nearly all of them zeros; one more is refused, and so is
 * a run in which that is. */
static void test_counts(void)
{
    enum { COUNT = 200 };
    static some_states s;
    static double x[2 * COUNT];
    uint8_t label[COUNT];
    pc_accumulator plain, got;
    const size_t left = below(3), run = below(2), kind = below(4);
    const int components = 1 + (kind == 3);
    size_t done = 0;
    for (size_t k = 0; k < COUNT; k++)
        label[k] = run || k % 2;
    for (size_t k = 0; k < 2 * COUNT; k++)
        x[k] = (double)(1 + below(9)); /* integers as bits are, too */
    const pc_labelled array =
        labelled(kind == 0 ? PC_INT64 : PC_FLOAT64, components, x, PC_UINT8, label, 2, COUNT);
    start(&s, components == 2 ? PC_STATE_COMPLEX : kind == 2 ? PC_STATE_NUMBERS : PC_STATE_BOTH);
    s.c.pool_size = POOL;
    state_at(&s.c, 1)->count = UINT64_MAX - left;
    CHECK(pc_states_add_labelled(&s.c, &array, &done, COUNT) == PC_TOO_LARGE);
    CHECK(done == (run ? 0 : 2 * left + 1));
    pc_accumulator_clear(&plain, PC_VAR);
    for (size_t k = 1; k < done; k += 2)
        pc_add_numbers(&plain, array.type, components, (const char *)(x + k * (size_t)components),
                       1);
    plain.count = UINT64_MAX - (run ? left : 0);
    pc_states_get(&s.c, 1, &got);
    check_same(&got, &plain, s.c.size);
    CHECK(state_at(&s.c, 0)->count == (run ? 0 : left + 1));
}

/* Merged states have no more than that either: where they would, both stay as they are. */
static void test_merged_counts(void)
{
    static some_states s, other;
    const uint64_t left = 1 + random_size() / 2;
    const size_t size = below(2) ? PC_STATE_BOTH : PC_STATE_NUMBERS, too_many = below(2);
    size_t done = 0;
    start(&s, size);
    start(&other, size);
    state_at(&s.c, 1)->count = UINT64_MAX - left;
    state_at(&other.c, 1)->count = left + too_many;
    CHECK(pc_states_merge(&s.c, &other.c, &done) == (too_many ? PC_TOO_LARGE : PC_OK));
    CHECK(done == (too_many ? 1 : STATES));
    CHECK(state_at(&s.c, 1)->count == UINT64_MAX - (too_many ? left : 0));
    CHECK(state_at(&other.c, 1)->count == left + too_many);
}

/* Sums of a tile, each to the state at its offset: it goes on where there was no room, and stops at
 * a count that is too large. */
static void test_tile(void)
{
    static some_states s;
    static pc_tile_sum sums[STATES];
    pc_accumulator got;
    const size_t full = below(2 * STATES);
    size_t done = 0;
    pc_status status;
    start(&s, PC_STATE_BOTH);
    for (size_t k = 0; k < STATES; k++) {
        pc_accumulator_clear(&sums[k].total, PC_VAR);
        sums[k].offset = (ptrdiff_t)(STATES - 1 - k);
        for (size_t n = below(40); n; n--) {
            const double x = random_double(below(2) ? 0 : 600);
            pc_add_numbers(&sums[k].total, PC_FLOAT64, 1, (const char *)&x, 1);
        }
        sums[k].total.count += k == full; /* at least one */
    }
    if (full < STATES)
        state_at(&s.c, STATES - 1 - full)->count = UINT64_MAX;
    while ((status = pc_states_add_tile(&s.c, sums, STATES, &done)) == PC_NO_ROOM)
        CHECK(++s.c.pool_size <= POOL);
    CHECK(status == (full < STATES ? PC_TOO_LARGE : PC_OK));
    CHECK(done == (full < STATES ? full : STATES));
    for (size_t k = 0; k < done; k++) {
        pc_states_get(&s.c, STATES - 1 - k, &got);
        check_same(&got, &sums[k].total, PC_STATE_BOTH);
    }
}

/* Numbers of any kind, among them such that sums, means and variances are ties of a format. */
static double of_kind(int kind, size_t k, uint64_t bits)
{
    static const double far[] = {1.0, 0x1p-53, 0x1p-106, 0x1p53, -0x1p-160, -1.0};
    switch (kind) {
    case 0: return ldexp((double)(int64_t)random64(), (int)below(9));
    case 1: return ((double)below(9) - 4.0) * (bits % 2 ? 0.5 : 1.0); /* ties of means, variances */
    case 2: return (double)bits;                                      /* no spread */
    case 3: return far[below(6)];                                     /* ties of sums, and nearly */
    case 4: return k ? ldexp(1.0, -(int)below(60)) : 0x1p60;          /* a large one first */
    case 5: return ldexp((double)(int64_t)random64(), (int)below(2) ? 900 : -1000);
    case 6: return k % 2 ? -1e9 : 1e9 + (double)below(2); /* what cancels */
    case 7: return (double)(float)below(1 << 24) * (below(2) ? 0x1p-20 : -0x1p-20);
    case 8: return (double)bits + (double)below(2); /* little */
    case 9: /* a sum of few bits, and squares whose sum has about 105 */
        return ldexp(k % 3 == 2 ? 1.0 + (bits >> 27 & 1 ? 0x1p-40 : 0.0)
                                : 1.0 + (double)((bits & 0x7fffff) | 0x400001) *
                                            (k % 3 ? 0x1p-49 : -0x1p-49),
                     bits >> 28 & 1 ? 60 : 0);
    default: return random_double(0);
    }
}

/* Many states rounded at once, as each alone. */
static void test_rounding(void)
{
    enum { MANY = 140, KINDS = 11 };
    static const pc_type types[] = {PC_FLOAT64, PC_FLOAT32, PC_FLOAT16, PC_INT64, PC_UINT64};
    static char at[(MANY + 1) * sizeof(pc_state)], made[MANY * 8], alone[8];
    static pc_accumulator pool[MANY];
    const size_t size = below(4)   ? (size_t)PC_STATE_BOTH
                        : below(2) ? (size_t)PC_STATE_NUMBERS
                                   : (size_t)PC_STATE_COMPLEX;
    pc_states s = {at, size, MANY, pool, 0, MANY};
    pc_accumulator acc;
    memset(at, 0, sizeof at);
    for (size_t k = 0; k < MANY; k++) {
        const int kind = (int)below(KINDS), integers = kind == 10 && below(2);
        const size_t count = kind == 9 ? 3 * below(14) : below(3) ? below(4) : below(40);
        const uint64_t bits = random64() >> (11 + below(14));
        pc_accumulator_clear(&acc, PC_VAR);
        for (size_t i = 0; i < count; i++) {
            const double x[2] = {of_kind(kind, i, bits), of_kind(kind, i + 1, bits)};
            const int64_t integer = (int64_t)(random64() >> below(64));
            if (integers)
                pc_add_numbers(&acc, PC_INT64, 1, (const char *)&integer, 1);
            else
                pc_add_numbers(&acc, PC_FLOAT64, size == PC_STATE_COMPLEX ? 2 : 1, (const char *)x,
                               1);
        }
        if (below(40) == 0) /* the largest divisor of the lanes, and beyond */
            acc.count =
                below(2) ? (UINT64_C(1) << 17) + below(3) - 1 : random64() >> (24 + below(16));
        CHECK(pc_states_add(&s, k, &acc) == PC_OK);
    }
    const pc_statistic all[] = {PC_SUM, PC_MEAN, PC_SUMSQ, PC_NORM, PC_RMS, PC_VAR, PC_STD};
    const uint64_t ddofs[] = {0, 1, (UINT64_C(1) << 40) - 1, UINT64_C(1) << 40};
    for (size_t j = size == PC_STATE_COMPLEX ? 2 : 0; j < (size >= PC_STATE_BOTH ? 7 : 2); j++)
        for (size_t t = 0; t < (all[j] == PC_SUM || all[j] == PC_SUMSQ ? 5 : 3); t++) {
            const pc_output_spec spec = {all[j], types[t], 1, ddofs[below(4)], below(2) ? 0 : 16};
            const size_t first = below(MANY), width = size_of_type[types[t]];
            size_t done = first;
            pc_status status = PC_OK, expected = PC_OK;
            for (size_t k = first; k < MANY;) {
                const int mode = below(2) ? FE_DOWNWARD : FE_TONEAREST;
                fesetround(mode);
                status = pc_states_round(&s, k, MANY, &spec, made, &done);
                CHECK(rounds(mode));
                fesetround(FE_TONEAREST);
                for (size_t i = k; i < done; i++) {
                    pc_states_get(&s, i, &acc);
                    const pc_status one = pc_accumulator_round(&acc, &spec, alone);
                    CHECK(one == PC_OK || one == PC_EMPTY);
                    expected = one == PC_OK ? expected : one;
                    CHECK(memcmp(made + (i - k) * width, alone, width) == 0);
                }
                if (status == PC_TOO_LARGE) {
                    pc_states_get(&s, done, &acc);
                    CHECK(pc_accumulator_round(&acc, &spec, alone) == PC_TOO_LARGE);
                    expected = PC_OK;
                    done++;
                } else {
                    CHECK(done == MANY && status == expected);
                }
                k = done;
            }
        }
}

/* Memory that ends at an unreadable page. */
enum { NUMBERS, LABELS, FIRST_STATES, ENDS = FIRST_STATES + 2 };
enum { MOST_AT_END = 4096 };
static guarded at_end[ENDS];

static char *before_end(size_t which, size_t size)
{
    return at_end[which].data + MOST_AT_END - size;
}

/* Nothing behind the last number, label or state is read. */
static void test_ends_of_memory(void)
{
    const pc_type label_type = (pc_type)below(8);
    const int components = 1 + (int)below(2);
    const size_t size = components == 2 ? (size_t)PC_STATE_COMPLEX
                        : below(2)      ? (size_t)PC_STATE_BOTH
                                        : (size_t)PC_STATE_NUMBERS,
                 n = 64 * (1 + below(3)) + below(3) - 1, run = below(2) ? n : 1 + below(n),
                 width = sizes[label_type], element = 8 * (size_t)components;
    char *numbers = before_end(NUMBERS, n * element), *labels = before_end(LABELS, n * width);
    const pc_labelled array =
        labelled(PC_FLOAT64, components, numbers, label_type, labels, STATES, n);
    pc_accumulator pool[2][POOL], plain[STATES], got;
    double out[STATES];
    pc_states s[2];
    for (size_t k = 0; k < STATES; k++)
        pc_accumulator_clear(&plain[k], PC_VAR);
    for (size_t k = 0; k < n; k++)
        store_bits(labels + k * width, width, STATES - 1 - k / run % STATES);
    for (size_t part = 0; part < 2; part++) {
        const int scale = (int)below(20);
        size_t done = 0;
        for (size_t k = 0; k < n * (size_t)components; k++) {
            const double x = ldexp((double)(int64_t)random64(), scale);
            memcpy(numbers + 8 * k, &x, sizeof x);
        }
        for (size_t k = 0; k < n; k++)
            pc_add_numbers(&plain[STATES - 1 - k / run % STATES], PC_FLOAT64, components,
                           numbers + k * element, 1);
        s[part] = (pc_states){
            before_end(FIRST_STATES + part, STATES * size), size, STATES, pool[part], 0, POOL};
        memset(s[part].at, 0, STATES * size);
        CHECK(pc_states_add_labelled(&s[part], &array, &done, n) == PC_OK && done == n);
    }
    size_t done = 0;
    CHECK(pc_states_merge(&s[0], &s[1], &done) == PC_OK && done == STATES);
    pc_states_normalize(&s[0]);
    for (size_t k = 0; k < STATES; k++) {
        pc_states_get(&s[0], k, &got);
        check_same(&got, &plain[k], size);
    }
    const pc_output_spec spec = {PC_SUM, PC_FLOAT64, 1, 0, 0};
    done = 0;
    CHECK(pc_states_round(&s[0], 0, STATES, &spec, (char *)out, &done) == PC_OK);
    for (size_t k = 0; k < STATES; k++) {
        double alone;
        CHECK(pc_accumulator_round(&plain[k], &spec, (char *)&alone) == PC_OK);
        CHECK(memcmp(&out[k], &alone, sizeof alone) == 0);
    }
}

/* Nothing to do is done, whatever the pointers are. */
static void test_nothing(void)
{
    const pycrust_capi *api = &pc_core.api;
    some_states s;
    pc_states none = {NULL, PC_STATE_BOTH, 0, NULL, 0, 0};
    pc_accumulator acc;
    double out, x = 1.0;
    int32_t label = 0;
    start(&s, PC_STATE_BOTH);
    CHECK(api->accumulator_init(&acc, PC_VAR) == PC_OK);
    for (pc_type type = PC_INT8; type <= PC_COMPLEX128; type++) {
        CHECK(api->accumulator_add(&acc, type, NULL, 0) == PC_OK);
        CHECK(api->reduce(type, NULL, 0, PC_SUMSQ, 0, PC_FLOAT64, &out) == PC_OK && out == 0.0);
        CHECK(api->reduce(type, NULL, 0, PC_VAR, 0, PC_FLOAT64, &out) == PC_EMPTY && isnan(out));
        for (pc_type of = PC_INT8; of <= PC_UINT64 && type <= PC_FLOAT64; of++) {
            size_t done = 0;
            CHECK(api->states_add(&s.c, type, NULL, of, NULL, 0, &done) == PC_OK && done == 0);
            CHECK(api->states_add(&none, type, NULL, of, NULL, 0, &done) == PC_OK && done == 0);
        }
    }
    CHECK(api->accumulator_count(&acc) == 0 && api->states_count(&s.c, 0) == 0);
    size_t done = 0;
    CHECK(api->states_merge(&none, &none, &done) == PC_OK && done == 0);
    CHECK(api->states_result(&none, PC_SUM, 0, PC_FLOAT64, NULL, 0, &done) == PC_OK && done == 0);
    for (int again = 0; again < 2; again++)
        CHECK(api->states_add(&s.c, PC_FLOAT64, &x, PC_INT32, &label, 1, &done) == PC_OK &&
              done == 1 && api->states_count(&s.c, 0) == 1);
}

int main(int argc, char **argv)
{
    const long count = trials(argc, argv);
    test_nothing();
    for (guarded *each = at_end; each < at_end + ENDS; each++)
        *each = guarded_buffer(MOST_AT_END, 1);
    FOR_EACH_LEVEL for (long k = 0; k < count; k++)
    {
        test_tables();
        test_numbers((int)below(7)); /* 0: ordinary numbers, as most data are */
        test_integers();
        test_counts();
        test_last_bits();
        test_large_sums();
        if (k % 4 == 0)
            test_large_merges();
        test_ends();
        test_ends_of_memory();
        test_merged_counts();
        test_windows();
        test_tile();
        if (k % 4 == 0)
            test_rounding();
    }
    return 0;
}
