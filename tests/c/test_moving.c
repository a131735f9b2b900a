/* Moving windows, at every level: the result of each window is that of its exact sum, wherever the
 * row is cut, and however elements lie. Arrays end where memory ends. */
#include "check.h"

enum { LONGEST = 700, MOST_ROWS = 4 };

static double random_number(int kind)
{
    const double unit = (double)(int64_t)random64() * 0x1p-63;
    switch (kind) {
    case 0: return unit;
    case 1: return 1e6 + unit;
    case 2: return ldexp(unit, (int)below(80) - 40);
    case 3: return ldexp(unit, (int)below(2000) - 1000);
    case 4: return (double)(int)below(5);
    case 5: return below(30) ? unit : 1e17;
    case 6: return below(40) ? unit : below(2) ? (double)NAN : (double)INFINITY;
    case 7: return below(5) ? unit : (double)NAN;
    case 8: return below(2) ? 1.7e308 : -1.7e308 * unit;
    case 9: return below(50) ? unit : -1e300;
    case 10: return below(60) ? unit : below(2) ? (double)INFINITY : -(double)INFINITY;
    case 11: return ldexp(unit, -980 - (int)below(90));
    default: return (double)((int)below(3) - 1) * ldexp(1.0, (int)below(3) * 30 + 30);
    }
}

static void fill(char *data, pc_type type, size_t n)
{
    const int still = below(4) == 0, alternate = below(10) == 0, stretches = below(4) == 0;
    int kind = (int)below(13);
    double x = random_number(kind), other = random_number(kind);
    for (size_t k = 0; k < n; k++, data += sizes[type]) {
        if (stretches && below(60) == 0) /* fine numbers after coarse ones, and the like */
            kind = kind == 12 ? 0 : 12;
        if (alternate) {
            const double last = x;
            x = other;
            other = last;
        } else if (!still || below(20) == 0) {
            x = random_number(kind);
        }
        const float single = (float)x;
        const uint64_t wide = below(40)  ? below(1000)
                              : below(2) ? random_size()
                                         : (UINT64_C(1) << 53) + below(9) - 4;
        if (type == PC_FLOAT64)
            memcpy(data, &x, sizeof x);
        else if (type == PC_FLOAT32)
            memcpy(data, &single, sizeof single);
        else
            store_bits(data, sizes[type], type == PC_FLOAT16 ? random64() & 0x7bff : wide);
    }
}

/* Two large numbers that cancel, fine ones, of which coarse pieces leave much, and zeros behind
 * them; perhaps an infinity. */
static void fill_after_large(double *x, size_t n)
{
    const size_t fine = 30 + below(35);
    const int whole = below(2) != 0; /* then it is only of the squares that anything is left */
    for (size_t k = 0; k < n; k++) {
        const double number = random_number(0);
        x[k] = k >= fine ? 0.0 : whole ? rint(0x1p49 * number) : number;
        if (k < 2)
            x[k] = k ? -0x1p70 : 0x1p70;
    }
    if (below(2))
        x[below(n)] = (double)INFINITY;
}

/* ---- what is right -------------------------------------------------------------------- */

/* Element `at` of a row, in the byte order of the machine; whether a mask leaves it in. */
static int element(const pc_moving *m, size_t row, size_t at, char x[8])
{
    const pc_array *a = &m->array;
    const size_t size = sizes[a->type];
    ptrdiff_t offset = 0, of_mask = 0;
    for (int k = a->kept_axes + a->reduced_axes - 1; k >= 0; k--) {
        size_t *index = k < a->kept_axes ? &row : &at;
        const ptrdiff_t i = (ptrdiff_t)(*index % a->axis[k].length);
        *index /= a->axis[k].length;
        offset += i * a->axis[k].stride;
        of_mask += i * a->axis[k].mask_stride;
    }
    for (size_t k = 0; k < size; k++)
        x[a->swapped ? size - 1 - k : k] = a->data[offset + (ptrdiff_t)k];
    return !a->mask || a->mask[of_mask];
}

static int is_nan(pc_type type, const char *x)
{
    static const uint64_t infinity[] = {0x7c00, UINT64_C(0x7f8) << 20, UINT64_C(0x7ff) << 52};
    const int bits = 8 * (int)sizes[type];
    return type >= PC_FLOAT16 &&
           (load_bits(x, sizes[type]) & ~(UINT64_C(1) << (bits - 1))) > infinity[type - PC_FLOAT16];
}

static pc_status expected(const pc_moving *m, size_t row, size_t at, char *result)
{
    pc_accumulator acc;
    char x[8];
    int nan = 0;
    const size_t start = m->start                       ? m->start[at]
                         : m->window && at >= m->window ? at + 1 - m->window
                                                        : 0,
                 end = m->start ? m->end[at] : at + 1;
    pc_accumulator_clear(&acc, m->spec.statistic);
    for (size_t k = start; k < end; k++) {
        const int there = element(m, row, k, x);
        if (is_nan(m->array.type, x))
            nan = 1;
        else if (there)
            pc_add_numbers(&acc, m->array.type, 1, x, 1);
    }
    if (acc.count < m->min_count || (nan && !m->window))
        store_bits(result, sizes[m->spec.type],
                   m->spec.type == PC_FLOAT64   ? UINT64_C(0x7ff8) << 48
                   : m->spec.type == PC_FLOAT32 ? UINT64_C(0x7fc) << 20
                                                : 0x7e00);
    else
        return pc_accumulator_round(&acc, &m->spec, result);
    return PC_OK;
}

static int same(pc_type type, const char *x, const char *y)
{
    return memcmp(x, y, sizes[type]) == 0 || (is_nan(type, x) && is_nan(type, y));
}

/* ---- arrays at random --------------------------------------------------------------------- */

typedef struct {
    pc_moving m;
    size_t rows, length, results;
    guarded data, mask, out;
    size_t start[LONGEST], end[LONGEST];
} problem;

/* Bounds that grow and shrink, stay and jump; returns the length of the longest, 1 at least. */
static size_t fill_bounds(size_t *start, size_t *end, size_t n, size_t length, size_t longest)
{
    size_t most = 1;
    for (size_t k = 0; k < n; k++) {
        const size_t jump = below(20) ? 0 : below(length + 1);
        start[k] = (k ? start[k - 1] : 0) + (below(3) ? below(3) : jump);
        start[k] = start[k] < length ? start[k] : length;
        end[k] = start[k] + below(longest + 1);
        end[k] = end[k] < length ? end[k] : length;
        end[k] = k && end[k] < end[k - 1] ? end[k - 1] : end[k];
        most = end[k] - start[k] > most ? end[k] - start[k] : most;
    }
    return most;
}

/* Two axes in either order, with a gap or without, backwards or not; perhaps more between rows. */
static void lay_out(problem *p, int with_mask)
{
    const pc_type type = p->m.array.type;
    const int across = below(3) == 0, back = below(5) == 0;
    const size_t size = sizes[type], gap = below(3) ? 1 : 2,
                 between = across || below(2) ? 0 : below(70),
                 last = p->rows * (p->length * gap + between) - 1;
    pc_axis *axis = p->m.array.axis;
    p->data = guarded_buffer(size * (last + 1), 1);
    if (type == PC_FLOAT64 && below(4) == 0)
        fill_after_large((double *)(void *)p->data.data, last + 1);
    else
        fill(p->data.data, type, last + 1);
    axis[0].length = p->rows;
    axis[1].length = p->length;
    const ptrdiff_t step = (ptrdiff_t)(gap * size), rows = (ptrdiff_t)p->rows,
                    length = (ptrdiff_t)p->length;
    axis[0].stride = across ? step : step * length + (ptrdiff_t)(between * size);
    axis[1].stride = across ? step * rows : step;
    p->m.array.data = p->data.data + (gap - 1 + between) * size;
    if (back) {
        p->m.array.data = p->data.data + last * size;
        axis[0].stride = -axis[0].stride;
        axis[1].stride = -axis[1].stride;
    }
    if (with_mask) {
        p->mask = guarded_buffer(p->rows * p->length, 0);
        for (size_t k = 0; k < p->rows * p->length; k++)
            p->mask.data[k] = below(10) != 0;
        p->m.array.mask = p->mask.data;
        axis[0].mask_stride = length;
        axis[1].mask_stride = 1;
    }
}

static problem *new_problem(const pc_type *types, size_t count)
{
    problem *p = calloc(1, sizeof *p);
    p->m.array.type = types[below(count)];
    p->m.array.components = 1;
    p->m.array.repeat = 1;
    p->m.array.kept_axes = p->m.array.reduced_axes = 1;
    p->m.array.swapped = below(4) == 0;
    p->m.min_count = 1;
    p->m.spec.components = 1;
    p->length = 1 + below(below(4) ? 150 : LONGEST);
    p->rows = below(2) ? 1 : 2 + below(MOST_ROWS - 1);
    p->results = p->length;
    return p;
}

static void make_results(problem *p)
{
    const size_t size = sizes[p->m.spec.type];
    const int across = below(4) == 0;
    p->out = guarded_buffer(size * p->rows * p->results, 1);
    p->m.out = p->out.data;
    p->m.array.axis[0].out_stride = (ptrdiff_t)(across ? size : size * p->results);
    p->m.array.axis[1].out_stride = (ptrdiff_t)(across ? size * p->rows : size);
}

static void in_order(problem *p)
{
    if (p->m.array.kept_axes == 0)
        return;
    p->m.array.kept_axes = 0;
    p->m.array.reduced_axes = 2;
    p->m.array.axis[1].out_stride = (ptrdiff_t)sizes[p->m.spec.type];
    pc_axis *axis = p->m.array.axis;
    if (axis[1].length % 2 == 0 && below(2)) { /* as three axes */
        p->m.array.reduced_axes = 3;
        axis[2] = axis[1];
        axis[1].length /= 2;
        axis[1].stride *= 2;
        axis[2].length = 2;
    }
    p->length *= p->rows;
    p->rows = 1;
    p->results = p->length;
}

static const char *result_at(const problem *p, size_t row, size_t at)
{
    return p->m.out + (ptrdiff_t)row * p->m.array.axis[0].out_stride * (p->m.array.kept_axes == 1) +
           (ptrdiff_t)at * p->m.array.axis[1].out_stride;
}

static void check_results(const problem *p)
{
    for (size_t row = 0; row < p->rows; row++)
        for (size_t k = 0; k < p->results; k++) {
            char right[8];
            expected(&p->m, row, k, right);
            CHECK(same(p->m.spec.type, result_at(p, row, k), right));
        }
}

static void free_problem(problem *p)
{
    guarded_free(p->data);
    guarded_free(p->out);
    if (p->mask.map)
        guarded_free(p->mask);
    free(p);
}

/* ---- tests -------------------------------------------------------------------------------- */

/* What each part of a row begins with, in place of what comes before it. */
static void move_in_parts(problem *p, pc_move_state *state)
{
    for (size_t row = 0; row < p->rows; row++) {
        pc_tile_sum before, copy;
        pc_accumulator_clear(&before.total, PC_SUM);
        for (size_t first = 0, last; first < p->length; first = last) {
            double carried[PC_MAX_CARRIED];
            pc_moving m = p->m;
            last = first + 1 + below(p->length - first);
            copy = before;
            m.carried = carried;
            m.carried_count = pc_move_carry(&copy, carried);
            if (m.carried_count > PC_MAX_CARRIED) {
                CHECK(p->m.array.type == PC_FLOAT64);
                memset((void *)state, 0, pc_move_state_size()); /* to go back */
                pc_move(&p->m, row, 1, 0, p->length, SIZE_MAX, state);
                break;
            }
            pc_move(&m, row, 1, first, last, SIZE_MAX, state);
            pc_move_add(&p->m, row, first, last, &before);
        }
    }
}

static void test_rows(void)
{
    static const pc_type types[] = {PC_FLOAT64, PC_FLOAT64, PC_FLOAT64, PC_FLOAT32, PC_FLOAT16,
                                    PC_INT64,   PC_UINT64,  PC_INT8,    PC_UINT16};
    problem *p = new_problem(types, sizeof types / sizeof *types);
    pc_moving *m = &p->m;
    const int prefix = below(4) == 0, bounds = !prefix && below(4) == 0;
    m->spec.statistic = prefix ? PC_SUM : (pc_statistic)(PC_SUM + below(4));
    m->spec.type = below(4) ? PC_FLOAT64 : (pc_type)(PC_FLOAT16 + below(2));
    m->spec.ddof = below(3);
    lay_out(p, !prefix && below(5) == 0);
    if (bounds) {
        p->results = 1 + below(below(2) ? LONGEST : p->length);
        m->start = p->start;
        m->end = p->end;
        m->window = fill_bounds(p->start, p->end, p->results, p->length, below(2) ? 10 : p->length);
    } else if (!prefix) {
        m->window = 1 + below(below(2) ? p->length : (p->length + 9) / 10);
    }
    if (!prefix)
        m->min_count = below(2) ? m->window : 1 + below(m->window);
    make_results(p);
    if (prefix && below(2))
        in_order(p);
    char *states = calloc(MOST_ROWS, pc_move_state_size());
    pc_move_state *state = (pc_move_state *)(void *)states;
    if (prefix && below(3) == 0) {
        move_in_parts(p, state);
    } else {
        const size_t together = below(2) ? 1 : p->rows, in_steps = below(3) ? 0 : 1 + below(40);
        for (size_t row = 0; row < p->rows; row += together)
            for (size_t first = 0, last; first < p->results; first = last) {
                last = below(3) ? p->results : first + 1 + below(p->results - first);
                if (below(4) == 0)
                    memset(states, 0, MOST_ROWS * pc_move_state_size());
                for (size_t at = first; at < last;)
                    at = pc_move(m, row, together, at, last,
                                 in_steps ? 2 + below(in_steps) : SIZE_MAX, state);
            }
    }
    check_results(p);
    free(states);
    free_problem(p);
}

static void test_integers(void)
{
    static const pc_type types[] = {PC_BOOL,  PC_INT8,   PC_UINT8, PC_INT16, PC_UINT16,
                                    PC_INT32, PC_UINT32, PC_INT64, PC_UINT64};
    problem *p = new_problem(types, sizeof types / sizeof *types);
    p->m.spec.statistic = PC_SUM;
    p->m.spec.type = below(2) ? PC_INT64 : PC_UINT64;
    lay_out(p, 0);
    make_results(p);
    if (below(2))
        in_order(p);
    for (size_t row = 0; row < p->rows; row++) {
        pc_u128 sum = {0, 0};
        size_t first = 0, last, end;
        char right[8];
        do {
            last = first + 1 + below(p->length - first);
            end = pc_cumulate(&p->m, row, first, last, &sum);
            for (size_t k = first; k < end; k++) {
                CHECK(expected(&p->m, row, k, right) == PC_OK);
                CHECK(same(p->m.spec.type, result_at(p, row, k), right));
            }
            CHECK(end == last || expected(&p->m, row, end, right) == PC_TOO_LARGE);
            first = end;
        } while (end == last && last < p->length);
    }
    free_problem(p);
}

/* 64-bit integers whose sums stay near a multiple of 2^61, and then go to another, till one does
 * not fit. Cut anywhere. */
static void test_sums_near_the_limits(void)
{
    enum { MOST = 600 };
    const pc_type types[] = {PC_INT64, PC_UINT64};
    const size_t n = 1 + below(below(2) ? 20 : MOST), jump_after = 1 + below(40);
    uint64_t x[MOST], result[MOST], right, to = 0;
    pc_moving m = {.spec = {.statistic = PC_SUM, .components = 1}, .min_count = 1};
    m.array = (pc_array){.data = (char *)x, .components = 1, .repeat = 1, .reduced_axes = 1};
    m.array.axis[0] = (pc_axis){.length = n, .stride = 8, .out_stride = 8};
    m.out = (char *)result;
    m.array.type = types[below(2)];
    m.spec.type = types[below(2)];
    for (size_t k = 0; k < n; k++) {
        const uint64_t before = to;
        to += below(3) - (m.array.type == PC_INT64);
        if (below(jump_after) == 0)
            to = (below(8) << 61) + below(5) - 2;
        x[k] = to - before;
    }
    pc_u128 sum = {0, 0};
    size_t end = 0, k = 0;
    pc_accumulator acc;
    pc_accumulator_clear(&acc, PC_SUM);
    for (size_t first = 0, last; first == end && first < n; first = last) {
        last = first + 1 + below(below(2) ? n - first : 1);
        end = pc_cumulate(&m, 0, first, last, &sum);
        for (; k < end; k++) {
            pc_add_numbers(&acc, m.array.type, 1, (char *)&x[k], 1);
            CHECK(pc_accumulator_round(&acc, &m.spec, (char *)&right) == PC_OK);
            CHECK(result[k] == right);
        }
        if (end < last) {
            pc_add_numbers(&acc, m.array.type, 1, (char *)&x[end], 1);
            CHECK(pc_accumulator_round(&acc, &m.spec, (char *)&right) == PC_TOO_LARGE);
        }
    }
}

/* ---- coarse units --------------------------------------------------------------------------- */

enum { ROW = 320 };

/* One row, whose blocks begin at multiples of 64, of doubles or 64-bit integers; the bounds of its
 * windows, or NULL. */
static void check_windows(pc_type type, pc_statistic statistic, const void *x, size_t window,
                          const size_t *start, const size_t *end)
{
    double result[ROW], right;
    pc_moving m = {.spec = {.statistic = statistic, .type = PC_FLOAT64, .components = 1},
                   .window = window,
                   .min_count = 1,
                   .start = start,
                   .end = end};
    m.array = (pc_array){.data = x, .type = type, .components = 1, .repeat = 1, .reduced_axes = 1};
    m.array.axis[0] = (pc_axis){.length = ROW, .stride = 8, .out_stride = 8};
    m.out = (char *)result;
    char *state = calloc(1, pc_move_state_size());
    pc_move(&m, 0, 1, 0, ROW, SIZE_MAX, (pc_move_state *)(void *)state);
    free(state);
    for (size_t k = 0; k < ROW; k++) {
        expected(&m, 0, k, (char *)&right);
        CHECK(same(PC_FLOAT64, (char *)&result[k], (char *)&right));
    }
}

static void check_row_of(pc_type type, pc_statistic statistic, const void *x, size_t window)
{
    check_windows(type, statistic, x, window, NULL, NULL);
}

static void check_row(pc_statistic statistic, const double *x, size_t window)
{
    check_row_of(PC_FLOAT64, statistic, x, window);
}

/* Integers that are no doubles: they enter the exact sum and leave it one by one; each result is
 * counted as one of those. */
static void test_wide_integers(void)
{
    const uint64_t before = pc_rounding_test_failures();
    uint64_t x[ROW];
    for (size_t k = 0; k < ROW; k++) {
        x[k] = (UINT64_C(1) << 53) + below(1 << 20);
        x[k] = below(2) ? x[k] : 0 - x[k];
    }
    check_row_of(below(2) ? PC_INT64 : PC_UINT64, (pc_statistic)(PC_SUM + below(4)), x,
                 64 + below(100));
    CHECK(pc_rounding_test_failures() - before == ROW);
}

/* Small results where large numbers give the units. */
static void test_coarse_units(void)
{
    static const pc_statistic all[] = {PC_SUM, PC_MEAN, PC_VAR, PC_STD};
    const int whole = below(2) != 0; /* then it is only of the squares that anything is left */
    double x[ROW];

    /* Of two of the last units: the other means are so large that what is not certain is a tie. */
    for (size_t k = 0; k < ROW; k++)
        x[k] = (double)(k % 8 < 6 ? below(UINT64_C(1) << 39) + 64 : 2 * below(1 << 20) + 1) *
               (k % 8 < 6 ? 1.0 : 0x1p-49);
    x[0] = 0x1p40;
    check_row(PC_MEAN, x, 2);

    /* Of a number in the block before, when all sums of that block were certain. */
    for (size_t k = 0; k < ROW; k++)
        x[k] = k >= 128 ? 0.0 : k % 2 ? random_number(0) : 0x1p39 + (double)below(1000);
    check_row(all[below(4)], x, 2);

    /* Of numbers before a block that ends with a large one. */
    for (size_t k = 0; k < ROW; k++)
        x[k] = k >= 64 ? 0.0 : whole ? rint(0x1p49 * random_number(0)) : random_number(0);
    x[127] = 0x1p70;
    check_row(all[below(4)], x, 100);

    /* Of two that cancel and others, 2/5 of the first unit above a multiple of it or a bit more: in
     * three pieces, soon. */
    const double step = 0.25 * (double)(1 + below(12));
    for (size_t k = 0; k < ROW; k++)
        x[k] = k % 40 < 2 ? (k % 2 ? -0x1p40 : 0x1p40)
                          : 0.1 + step * (double)below(2) + 0x1p-9 * random_number(0);
    check_row(all[below(4)], x, 80);

    /* Of 70 equal numbers and others before them, when the large number has just left. */
    for (size_t k = 0; k < ROW; k++)
        x[k] = k > 122 ? x[122] : random_number(0);
    x[90] = 0x1p70;
    check_row(below(2) ? PC_VAR : PC_STD, x, 100);
}

/* The first block, or a large number now and then, gives the units; others are finer, or near one
 * number: so what is left over, and each rounding, is about as large as the bound says. */
static void test_finer_numbers(void)
{
    static const pc_statistic all[] = {PC_SUM, PC_MEAN, PC_VAR, PC_STD};
    const double size = ldexp(1.0, (int)below(200) - 100), fine = ldexp(size, -(int)below(60)),
                 middle = below(2) ? size : 0.0;
    const size_t coarse = below(2) ? 64 : 0, every = below(2) ? 20 + below(80) : ROW;
    double x[ROW];
    for (size_t k = 0; k < ROW; k++)
        x[k] = k % every == 0 ? size
               : k < coarse   ? size * random_number(0)
                              : middle + fine * random_number(0);
    if (below(3) == 0)
        x[below(ROW)] = below(2) ? (double)NAN : (double)INFINITY;
    check_row(all[below(4)], x, 1 + below(below(3) ? 4 : 130));
}

/* A window is looked at twice before its first result, no more of it in a call than was said; or,
 * where there are no kernels, for its exact sum, and before and after that for its range. */
static void test_a_call_is_short(void)
{
    enum { MOST = 2000 };
    double x[MOST], result[MOST], right;
    const size_t window = 64 + below(MOST - 64), work = 2 + below(8), last = window - 1;
    size_t calls = 0, at = last;
    pc_moving m = {.spec = {.statistic = (pc_statistic)(PC_SUM + below(4)),
                            .type = PC_FLOAT64,
                            .components = 1},
                   .window = window,
                   .min_count = window,
                   .out = (char *)result};
    m.array = (pc_array){
        .data = (char *)x, .type = PC_FLOAT64, .components = 1, .repeat = 1, .reduced_axes = 1};
    m.array.axis[0] = (pc_axis){.length = MOST, .stride = 8, .out_stride = 8};
    const int kind = (int)below(10);
    for (size_t k = 0; k < MOST; k++)
        x[k] = random_number(kind);
    char *state = calloc(1, pc_move_state_size());
    for (; at <= last; calls++)
        at = pc_move(&m, 0, 1, at, last + 1, work, (pc_move_state *)(void *)state);
    free(state);
    expected(&m, 0, last, (char *)&right);
    const size_t passes = pc_kernels_in_use()->lane_results ? 2 : isfinite(right) ? 3 : 1;
    CHECK(calls * work >= passes * (window / 64));
    CHECK(same(PC_FLOAT64, (char *)&result[last], (char *)&right));
}

/* Numbers so small that the last units are the least there are. */
static void test_least_units(void)
{
    /* Near one another, and then so much nearer to 0 that no difference from those is a double. */
    const double size = ldexp(1.0 + (double)below(20) / 100.0, -347 + (int)below(8));
    double x[ROW];
    for (size_t k = 0; k < ROW; k++)
        x[k] = size * (k < 64 ? 1.0 + 0x1p-6 * random_number(0) : 0.25 + 0.05 * random_number(0));
    check_row(below(2) ? PC_VAR : PC_STD, x, 2 + below(9));

    /* Of the square of one number and 0 the variance is a quarter: a tie but for its last bit. */
    const double tie = ldexp(1.0 + 0x1p-8 + 0x1p-46, -480 - (int)below(30));
    for (size_t k = 0; k < ROW; k++)
        x[k] = k % 2 ? tie : 0.0;
    check_row(PC_VAR, x, 2);
}

/* Short windows beside one that is longer than any array: its units would not be finite. */
static void test_beside_the_longest(void)
{
    const pc_statistic statistic = (pc_statistic)(PC_SUM + below(4));
    const size_t w = 1 + below(70);
    const int scale = below(2) ? 978 : (int)below(1900) - 920;
    double x[ROW];
    size_t start[ROW], end[ROW];
    for (size_t k = 0; k < ROW; k++) {
        x[k] = ldexp(random_number(0), scale - (below(7) ? 0 : 30));
        start[k] = k < w ? 0 : k - w;
        end[k] = k + 1;
    }
    check_windows(PC_FLOAT64, statistic, x, (size_t)1 << (20 + below(44)), start, end);
}

/* Numbers of both signs, half of whose range is nearly infinite, in windows that nothing enters. */
static void test_widest_range(void)
{
    const size_t n = 2 + below(ROW - 2);
    double x[ROW];
    size_t start[ROW], end[ROW];
    for (size_t k = 0; k < ROW; k++) {
        x[k] = (below(4) ? 1.0 : random_number(0)) * (below(2) ? 1.7976e308 : -1.7e308);
        start[k] = k * below(2) * below(2) / 2 % n;
        start[k] = k && start[k] < start[k - 1] ? start[k - 1] : start[k];
        end[k] = n;
    }
    check_windows(PC_FLOAT64, below(2) ? PC_VAR : PC_STD, x, n, start, end);
}

/* Hardly any window of such numbers is summed alone. */
static void check_few_go_the_exact_way(pc_statistic statistic, double *x, size_t window)
{
    const uint64_t before = pc_rounding_test_failures();
    check_row(statistic, x, window);
    CHECK(pc_rounding_test_failures() - before < 5 || !pc_kernels_in_use()->lane_results);
}

static void test_few_go_the_exact_way(void)
{
    double x[ROW];
    const double middle = below(2) ? 1e6 : 0.0;
    for (size_t k = 0; k < ROW; k++)
        x[k] = middle + random_number(0);
    if (below(2))
        x[below(ROW)] = (double)NAN;
    for (pc_statistic statistic = PC_SUM; statistic <= PC_STD; statistic++)
        check_few_go_the_exact_way(statistic, x, 10 + below(100));

    for (size_t k = 0; k < ROW; k++) /* half of the means are ties */
        x[k] = 0x1p52 + (double)(128 * below(2));
    check_few_go_the_exact_way(PC_MEAN, x, 256);
}

int main(int argc, char **argv)
{
    const long count = trials(argc, argv);
    FOR_EACH_LEVEL
    {
        for (long k = 0; k < count; k++) {
            test_rows();
            test_sums_near_the_limits();
            test_finer_numbers();
            test_a_call_is_short();
            test_least_units();
            if (k % 4 == 0) {
                test_beside_the_longest();
                test_widest_range();
                test_coarse_units();
                test_wide_integers();
                test_few_go_the_exact_way();
                test_integers();
            }
        }
        printf("%s ", pc_simd());
    }
    return 0;
}
