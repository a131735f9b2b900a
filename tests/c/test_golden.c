/* golden.txt (made from Fraction by make_golden.py) at every level: the same
 * bits on every machine. */
#include "check.h"

static const char *const names[] = {"int8",  "uint8",  "int16", "uint16",  "int32",   "uint32",
                                    "int64", "uint64", "bool",  "float16", "float32", "float64"};

/* Hexadecimal digits of any number of bits, after a sign or none, times 2^exponent. */
static slow_sum read_sum(const char *digits, int exponent)
{
    slow_sum s = {{0}};
    const int negative = *digits == '-';
    digits += negative;
    for (size_t n = strlen(digits), k = 0; k < n; k++) {
        char digit[2] = {digits[n - 1 - k], 0};
        slow_add_word(&s, strtoul(digit, NULL, 16), exponent + 4 * (int)k, negative);
    }
    return s;
}

static uint64_t read_bits(char *word)
{
    CHECK(word);
    return strtoull(word, NULL, 16);
}

static void check_range(void)
{
    enum { SOME = 1 << 16 };
    uint64_t n = strtoull(strtok(NULL, " "), NULL, 10);
    CHECK(strcmp(strtok(NULL, " "), "=") == 0);
    slow_sum expected = read_sum(strtok(NULL, " "), 0), found = {{0}};
    uint64_t nearest = read_bits(strtok(NULL, " \n"));
    pc_walk walk = {n > SOME ? n - SOME : 0, {0, 0}}; /* of a long way the end is enough */
    pc_closed_form(walk.i, &walk.sum);
    pc_walk_to(&walk, n);
    slow_add(&found, (uint32_t)walk.sum.lo, 0);
    slow_add(&found, (uint32_t)(walk.sum.lo >> 32), 32);
    slow_add(&found, (uint32_t)walk.sum.hi, 64);
    slow_add(&found, (uint32_t)(walk.sum.hi >> 32), 96);
    CHECK(memcmp(&found, &expected, sizeof found) == 0);
    CHECK(bits_of(pc_u128_round(&walk.sum)) == nearest);
    pc_u128 sum;
    pc_closed_form(n, &sum);
    CHECK(sum.lo == walk.sum.lo && sum.hi == walk.sum.hi);
}

static const pc_output_spec specs[] = {
    {PC_SUMSQ, PC_FLOAT64, 1, 0, 0}, {PC_NORM, PC_FLOAT64, 1, 0, 0}, {PC_RMS, PC_FLOAT64, 1, 0, 0},
    {PC_SUM, PC_FLOAT64, 1, 0, 0},   {PC_MEAN, PC_FLOAT64, 1, 0, 0}, {PC_VAR, PC_FLOAT64, 1, 0, 0},
    {PC_STD, PC_FLOAT64, 1, 0, 0},   {PC_VAR, PC_FLOAT64, 1, 1, 0},  {PC_STD, PC_FLOAT64, 1, 3, 1},
};
enum { SPECS = sizeof specs / sizeof *specs };

/* The same numbers, in another order at each of some positions, so that they go through lanes;
 * side by side and apart, and with NaN or masked elements between them that are left out. */
static void check_lanes(pc_type type, const char *numbers, size_t count, int has_nan,
                        const uint64_t nearest[SPECS])
{
    enum { POSITIONS = 9, MOST = 64, ROWS = MOST + 2 };
    static char cells[ROWS * POSITIONS * 8], mask[ROWS * POSITIONS];
    static pc_tile_sum sums[PC_TILE];
    const size_t size = sizes[type];
    if (count > MOST)
        return;
    for (int left_out = 0; left_out < (type >= PC_FLOAT16 && !has_nan ? 3 : 2); left_out++)
        for (int apart = 0; apart < 2; apart++) {
            const size_t rows = count + (left_out ? 2 : 0), across = apart ? rows : 1,
                         along = apart ? 1 : POSITIONS;
            for (size_t p = 0; p < POSITIONS; p++)
                for (size_t r = 0, k = p; r < rows; r++) {
                    const size_t at = p * across + r * along;
                    const int out = left_out && (r == p % rows || r == (p + count / 2 + 1) % rows);
                    mask[at] = (char)!out;
                    if (out)
                        store_bits(cells + at * size, size, left_out == 2 ? UINT64_MAX : 3);
                    else
                        memcpy(cells + at * size, numbers + k++ % count * size, size);
                }
            pc_array a = {.type = type,
                          .components = 1,
                          .data = cells,
                          .mask = left_out == 1 ? mask : NULL,
                          .skip_nan = left_out == 2,
                          .kept_axes = 1,
                          .reduced_axes = 1,
                          .repeat = 1,
                          .axis = {{POSITIONS, (ptrdiff_t)(across * size), (ptrdiff_t)across, 8, 0},
                                   {rows, (ptrdiff_t)(along * size), (ptrdiff_t)along, 0, 0}}};
            for (int k = 0; k < SPECS; k++) {
                double value[POSITIONS];
                (void)pc_reduce(&a, 0, POSITIONS, &specs[k], (char *)value, sums);
                for (int p = 0; p < POSITIONS; p++)
                    CHECK(bits_of(value[p]) == nearest[k]);
            }
        }
}

static void check_sum(pc_type type, char *memory)
{
    char *end = memory, *word;
    pc_accumulator acc, pieces;
    size_t count, size = sizes[type];

    pc_accumulator_clear(&pieces, PC_VAR);
    while ((word = strtok(NULL, " ")) && strcmp(word, "=") != 0) {
        char *star, *start = end;
        uint64_t bits = strtoull(word, &star, 16);
        for (size_t repeat = strtoul(star + 1, NULL, 10); repeat; repeat--, end += size)
            store_bits(end, size, bits);
        pc_accumulator piece;
        pc_accumulator_clear(&piece, PC_VAR);
        pc_add_numbers(&piece, type, 1, start, (size_t)(end - start) / size);
        CHECK(pc_accumulator_merge(&pieces, &piece) == PC_OK);
    }
    count = (size_t)(end - memory) / size;
    pc_accumulator_clear(&acc, PC_VAR);
    pc_add_numbers(&acc, type, 1, memory, count);
    CHECK(acc.count == count && pieces.count == count);

    slow_sums expected = {.special = (uint32_t)atoi(strtok(NULL, " "))};
    for (pc_moment moment = PC_SQUARES; moment <= PC_NUMBERS; moment++) {
        const char *digits = strtok(NULL, " ");
        expected.moment[moment] = read_sum(digits, atoi(strtok(NULL, " ")));
    }
    CHECK(slow_all_equal(&expected, &acc) && slow_all_equal(&expected, &pieces));

    uint64_t all[SPECS];
    for (int k = 0; k < SPECS; k++) {
        const uint64_t nearest = all[k] = read_bits(strtok(NULL, " \n"));
        uint64_t bits[2];
        pc_tile_sum work;
        double value;
        (void)round_to(&acc, specs[k], bits);
        CHECK(bits[0] == nearest);
        (void)round_to(&pieces, specs[k], bits);
        CHECK(bits[0] == nearest);
        (void)pc_reduce_contiguous(type, 1, memory, count, 0, &specs[k], &work, (char *)&value);
        CHECK(bits_of(value) == nearest);
    }
    check_lanes(type, memory, count, (expected.special & PC_NAN) != 0, all);
}

static pc_type type_named(const char *name)
{
    pc_type type = PC_INT8;
    while (strcmp(names[type], name) != 0)
        CHECK(++type <= PC_FLOAT64);
    return type;
}

/* Two arrays: their products, summed and averaged, the covariance and the correlation. */
static void check_pairs(char *memory)
{
    static pc_tile_sum sum[3], work[PC_MIN_SUMS];
    const pc_type type = type_named(strtok(NULL, " ")), other = type_named(strtok(NULL, " "));
    const size_t size = sizes[type], other_size = sizes[other],
                 n = strtoul(strtok(NULL, " "), NULL, 10);
    char *const data[2] = {memory, memory + n * size};
    for (size_t k = 0; k < n; k++)
        store_bits(data[0] + k * size, size, read_bits(strtok(NULL, " ")));
    for (size_t k = 0; k < n; k++)
        store_bits(data[1] + k * other_size, other_size, read_bits(strtok(NULL, " ")));
    CHECK(strcmp(strtok(NULL, " "), "=") == 0);
    const pc_array a = {.type = type,
                        .components = 1,
                        .data = data[0],
                        .reduced_axes = 1,
                        .repeat = 1,
                        .other = {.type = other, .components = 1, .data = data[1]},
                        .axis = {{n, (ptrdiff_t)size, 0, 0, (ptrdiff_t)other_size}}};
    const int statistics[] = {PC_DOT, PC_AVERAGE};
    for (int k = 0; k < 2; k++) {
        const pc_output_spec spec = spec_of((pc_statistic)statistics[k], PC_FLOAT64);
        const uint64_t nearest = read_bits(strtok(NULL, " "));
        uint64_t bits[2];
        double value;
        pc_accumulator_clear(&sum[0].total, spec.statistic);
        pc_add_tile(&a, 0, 1, 0, n, sum);
        const pc_status status = round_to(&sum[0].total, spec, bits);
        CHECK(pc_reduce(&a, 0, 1, &spec, (char *)&value, work) == status);
        if (status != PC_NO_WEIGHT)
            CHECK(bits[0] == nearest && bits_of(value) == nearest);
    }
    const uint64_t covariance = read_bits(strtok(NULL, " ")),
                   correlation = read_bits(strtok(NULL, " \n"));
    const pc_vector vector[2] = {
        {.type = type, .components = 1, .data = data[0], .stride = (ptrdiff_t)size},
        {.type = other, .components = 1, .data = data[1], .stride = (ptrdiff_t)other_size}};
    const pc_vector_pair pair[3] = {{&vector[0], &vector[1]}, /* what sum[0] to sum[2] are of */
                                    {&vector[0], &vector[0]},
                                    {&vector[1], &vector[1]}};
    for (int bounded = 0; bounded <= (is_float(type) && is_float(other)); bounded++) {
        double value;
        for (int k = 0; k < 3; k++)
            (bounded ? pc_accumulator_clear_bounded
                     : pc_accumulator_clear)(&sum[k].total, (pc_statistic)(k ? PC_VAR : PC_DOT));
        pc_add_vector_pairs(pair, 3, 2, 0, n, sum);
        const pc_accumulator *const x = &sum[1].total, *const y = &sum[2].total;
        pc_status status =
            pc_round_covariance(&sum[0].total, x, y, n > 1 ? n - 1 : 1, PC_FLOAT64, (char *)&value);
        CHECK(status == (bounded ? status : PC_OK));
        CHECK(status != PC_OK || bits_of(value) == covariance);
        status = pc_round_correlation(&sum[0].total, x, y, PC_FLOAT64, (char *)&value);
        CHECK(status == (bounded ? status : PC_OK));
        CHECK(status != PC_OK || bits_of(value) == correlation);
    }
}

int main(int argc, char **argv)
{
    static char line[1 << 16];
    char *memory = malloc((size_t)1 << 22);
    FILE *file = argc > 2 ? fopen(argv[2], "r") : NULL;
    long lines = 0;
    if (!file || !memory) {
        fprintf(stderr, "cannot read the golden vectors\n");
        return 1;
    }
    FOR_EACH_LEVEL
    {
        rewind(file);
        for (lines = 0; fgets(line, sizeof line, file); lines++) {
            char *word = strtok(line, " ");
            if (strcmp(word, "range") == 0) {
                check_range();
                continue;
            }
            if (strcmp(word, "pair") == 0) {
                check_pairs(memory);
                continue;
            }
            check_sum(type_named(word), memory);
        }
    }
    printf("%ld vectors", lines);
    fclose(file);
    free(memory);
    return lines ? 0 : 1;
}
