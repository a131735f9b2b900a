/* Moving windows, at every level: the result of each window is that of its exact sum, wherever the
 * row is cut. Arrays end where memory ends. */
#include "check.h"

enum { LONGEST = 700 };

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
    default: return below(50) ? unit : -1e300;
    }
}

static void fill(char *data, pc_type type, size_t n)
{
    const int kind = (int)below(9), still = below(4) == 0;
    double x = random_number(kind);
    for (size_t k = 0; k < n; k++, data += 8) {
        if (!still || below(20) == 0)
            x = random_number(kind);
        const int64_t wide = below(40) ? (int64_t)below(1000) : (int64_t)random_size();
        if (type == PC_FLOAT64)
            memcpy(data, &x, 8);
        else
            memcpy(data, &wide, 8);
    }
}

static double expected(const pc_moving *m, const char *data, size_t at)
{
    pc_accumulator acc;
    double x;
    int nan = 0;
    pc_accumulator_clear(&acc, m->spec.statistic);
    for (size_t k = m->window && at >= m->window ? at + 1 - m->window : 0; k <= at; k++) {
        memcpy(&x, data + 8 * k, 8);
        if (m->array.type == PC_FLOAT64 && x != x)
            nan = 1;
        else
            pc_add_numbers(&acc, m->array.type, 1, data + 8 * k, 1);
    }
    if (acc.count < m->min_count || (nan && !m->window))
        return (double)NAN;
    pc_accumulator_round(&acc, &m->spec, (char *)&x);
    return x;
}

static void test_row(void)
{
    static const pc_type types[] = {PC_FLOAT64, PC_FLOAT64, PC_FLOAT64, PC_INT64};
    const size_t n = 1 + below(below(2) ? 70 : LONGEST);
    guarded memory = guarded_buffer(8 * n, 1), result = guarded_buffer(8 * n, 1);
    pc_move_state *state = calloc(1, pc_move_state_size());
    pc_moving m;
    memset(&m, 0, sizeof m);
    m.array.type = types[below(4)];
    m.array.components = 1;
    m.array.reduced = 1;
    m.array.repeat = 1;
    m.array.data = memory.data;
    m.array.axis[0] = (pc_axis){n, 8, 0, 8, 0};
    m.spec.statistic = (pc_statistic)(PC_SUM + below(4));
    m.spec.type = PC_FLOAT64;
    m.spec.components = 1;
    m.spec.ddof = below(3);
    m.window = 1 + below(below(2) ? n : (n + 9) / 10);
    m.min_count = below(2) ? m.window : 1 + below(m.window);
    if (m.spec.statistic == PC_SUM && below(3) == 0) {
        m.window = 0;
        m.min_count = 1;
    }
    m.out = result.data;
    fill(memory.data, m.array.type, n);
    for (size_t first = 0, last; first < n; first = last) {
        last = below(3) ? n : first + 1 + below(n - first);
        if (below(4) == 0)
            memset(state, 0, pc_move_state_size());
        pc_move(&m, 0, 1, first, last, state);
    }
    for (size_t k = 0; k < n; k++) {
        double x, y = expected(&m, memory.data, k);
        memcpy(&x, result.data + 8 * k, 8);
        CHECK(memcmp(&x, &y, 8) == 0 || (x != x && y != y));
    }
    free(state);
    guarded_free(memory);
    guarded_free(result);
}

int main(int argc, char **argv)
{
    const long count = trials(argc, argv);
    FOR_EACH_LEVEL
    {
        for (long k = 0; k < count; k++)
            test_row();
        printf("%s ", pc_simd());
    }
    return 0;
}
