/* states.c and labels.c from inside: every state against a plain accumulator of the same numbers.
 */
#include "check.h"

#include "../../csrc/sums/states.h"

enum { STATES = 5, POOL = STATES };

/* Equal counts and flags; sums of one sign and of one lowest bit. */
static void check_same(const pc_accumulator *x, const pc_accumulator *y, size_t size)
{
    uint64_t words[2][PC_LIMBS];
    int exponent[2], negative[2];
    CHECK(x->count == y->count);
    CHECK(pc_accumulator_nonfinite(x) == pc_accumulator_nonfinite(y));
    for (pc_moment moment = PC_SQUARES; moment <= PC_IMAGINARY; moment++) {
        if ((moment == PC_SQUARES && size < PC_STATE_BOTH) ||
            (moment == PC_IMAGINARY && size < PC_STATE_COMPLEX))
            continue;
        size_t count[2] = {pc_accumulator_export(x, moment, words[0], &exponent[0], &negative[0]),
                           pc_accumulator_export(y, moment, words[1], &exponent[1], &negative[1])};
        CHECK(!count[0] == !count[1] && negative[0] == negative[1]);
        for (size_t k = 0; k < 2 && count[k]; k++) /* words may begin at different exponents */
            for (uint64_t low = words[k][0]; !(low & 1); low >>= 1)
                exponent[k]++;
        CHECK(!count[0] || exponent[0] == exponent[1]);
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

static void test_numbers(int scales)
{
    enum { MOST = 400 };
    static some_states s, other;
    static double x[2 * MOST];
    static int32_t label[MOST];
    pc_accumulator plain[STATES], got;
    const int components = 1 + (int)below(2);
    const size_t size = components == 2 ? (size_t)PC_STATE_COMPLEX
                        : below(2)      ? (size_t)PC_STATE_BOTH
                                        : (size_t)PC_STATE_NUMBERS;
    const size_t count = 1 + below(MOST), part = below(count + 1), run = 1 + below(90);
    const int scale = (int)below(1800) - 1000;
    for (size_t k = 0; k < count * (size_t)components; k++)
        x[k] = scales == 0 ? ldexp((double)(int64_t)random64(), (int)below(9))
                           : random_double(scale + (int)below((uint64_t)scales) * 17);
    for (size_t k = 0; k < count; k++)
        label[k] = (int32_t)(k / run * 7 % (STATES + 1)) - 1;
    for (size_t k = 0; k < STATES; k++)
        pc_accumulator_clear(&plain[k], PC_VAR);
    for (size_t k = 0; k < count; k++)
        if (label[k] >= 0) {
            plain[label[k]].count++;
            for (int p = 0; p < components; p++)
                accumulator_add_number(&plain[label[k]], x[k * (size_t)components + (size_t)p], p);
        }
    pc_labelled array = {.type = PC_FLOAT64,
                         .components = components,
                         .data = (const char *)x,
                         .label_type = PC_INT32,
                         .labels = (const char *)label,
                         .label_count = STATES,
                         .label_step = 1,
                         .axes = 1,
                         .axis = {{part, 8 * components, 0, 0, 4}}};
    start(&s, size);
    start(&other, size);
    if (part)
        add(&s, &array, part);
    array.axis[0].length = count - part;
    array.data += part * 8 * (size_t)components;
    array.labels += part * 4;
    if (count > part)
        add(&other, &array, count - part);
    size_t done = 0;
    while (pc_states_merge(&s.c, &other.c, &done) == PC_NO_ROOM)
        CHECK(++s.c.pool_size <= POOL);
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
    pc_labelled array = {.type = negative ? PC_INT64 : PC_UINT64,
                         .components = 1,
                         .data = (const char *)x,
                         .label_type = PC_UINT8,
                         .labels = (const char *)label,
                         .label_count = 2,
                         .label_step = 1,
                         .axes = 1,
                         .axis = {{300, 8, 0, 0, 1}}};
    start(&s, PC_STATE_BOTH);
    add(&s, &array, 300);
    CHECK(s.c.pool_used == 0);
    pc_states_get(&s.c, 0, &got);
    check_results(&got, &plain, PC_STATE_BOTH);
    label[299] = 2;
    size_t done = 0;
    CHECK(pc_states_add_labelled(&s.c, &array, &done, 300) == PC_NO_LABEL);
}

int main(int argc, char **argv)
{
    const long count = trials(argc, argv);
    FOR_EACH_LEVEL for (long k = 0; k < count; k++)
    {
        test_numbers((int)below(7)); /* 0: ordinary numbers, as most data are */
        test_integers();
    }
    return 0;
}
