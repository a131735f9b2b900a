/* golden.txt (made from Fraction by make_golden.py) at every level: the same
 * bits on every machine. */
#include "check.h"

static const char *const names[] = {"int8",  "uint8",  "int16", "uint16",  "int32",   "uint32",
                                    "int64", "uint64", "bool",  "float16", "float32", "float64"};
static const size_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 1, 2, 4, 8};

/* Hexadecimal digits of any number of bits, times 2^exponent. */
static slow_sum read_sum(const char *digits, int exponent)
{
    slow_sum s = {{0}};
    for (size_t n = strlen(digits), k = 0; k < n; k++) {
        char digit[2] = {digits[n - 1 - k], 0};
        slow_add(&s, (uint32_t)strtoul(digit, NULL, 16), exponent + 4 * (int)k);
    }
    return s;
}

static uint64_t read_bits(char *word)
{
    CHECK(word);
    return strtoull(word, NULL, 16);
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void check_range(void)
{
    enum { SOME = 1 << 16 };
    uint64_t n = strtoull(strtok(NULL, " "), NULL, 10);
    CHECK(strcmp(strtok(NULL, " "), "=") == 0);
    slow_sum expected = read_sum(strtok(NULL, " "), 0), found = {{0}};
    uint64_t nearest = read_bits(strtok(NULL, " \n"));
    pc_walk walk = {n > SOME ? n - SOME : 0, {0, 0}}; /* of a long way the end is enough */
    pc_formula(walk.i, &walk.sum);
    pc_walk_to(&walk, n);
    slow_add(&found, (uint32_t)walk.sum.lo, 0);
    slow_add(&found, (uint32_t)(walk.sum.lo >> 32), 32);
    slow_add(&found, (uint32_t)walk.sum.hi, 64);
    slow_add(&found, (uint32_t)(walk.sum.hi >> 32), 96);
    CHECK(memcmp(&found, &expected, sizeof found) == 0);
    CHECK(bits_of(pc_u128_round(&walk.sum)) == nearest);
    pc_u128 sum;
    pc_formula(n, &sum);
    CHECK(sum.lo == walk.sum.lo && sum.hi == walk.sum.hi);
}

static void check_sum(pc_type type, char *memory)
{
    char *end = memory, *word;
    pc_accumulator acc, pieces;
    size_t count, size = sizes[type];

    pc_accumulator_clear(&pieces);
    while ((word = strtok(NULL, " ")) && strcmp(word, "=") != 0) {
        char *star, *start = end;
        uint64_t bits = strtoull(word, &star, 16);
        uint8_t one = (uint8_t)bits;
        uint16_t two = (uint16_t)bits;
        uint32_t four = (uint32_t)bits;
        for (size_t repeat = strtoul(star + 1, NULL, 10); repeat; repeat--, end += size)
            memcpy(end,
                   size == 1   ? (void *)&one
                   : size == 2 ? (void *)&two
                   : size == 4 ? (void *)&four
                               : (void *)&bits,
                   size);
        pc_accumulator piece;
        pc_accumulator_clear(&piece);
        pc_add_squares(&piece, type, start, (size_t)(end - start) / size);
        CHECK(pc_accumulator_merge(&pieces, &piece) == PC_OK);
    }
    count = (size_t)(end - memory) / size;
    pc_accumulator_clear(&acc);
    pc_add_squares(&acc, type, memory, count);
    CHECK(acc.count == count && pieces.count == count);

    char *digits = strtok(NULL, " ");
    int exponent = atoi(strtok(NULL, " ")),
        special = strcmp(digits, "nan") == 0 ? 2 : strcmp(digits, "inf") == 0;
    CHECK(pc_accumulator_special(&acc) == special && pc_accumulator_special(&pieces) == special);
    if (!special) {
        slow_sum expected = read_sum(digits, exponent);
        CHECK(slow_equal(&expected, &acc));
        CHECK(slow_equal(&expected, &pieces));
    }
    for (int result = PC_SUMSQ; result <= PC_RMS; result++) {
        uint64_t expected = read_bits(strtok(NULL, " \n"));
        CHECK(bits_of(pc_accumulator_round(&acc, (pc_result)result)) == expected);
        CHECK(bits_of(pc_accumulator_round(&pieces, (pc_result)result)) == expected);
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
            pc_type type = PC_INT8;
            if (strcmp(word, "range") == 0) {
                check_range();
                continue;
            }
            while (strcmp(names[type], word) != 0)
                CHECK(++type <= PC_FLOAT64);
            check_sum(type, memory);
        }
    }
    printf("%ld vectors", lines);
    fclose(file);
    free(memory);
    return lines ? 0 : 1;
}
