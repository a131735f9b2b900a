/* For libFuzzer: whatever the bytes, every level agrees with the portable one,
 * and that with a slow exact sum. */
#include "check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void sums(const uint8_t *bytes, size_t size)
{
    const pc_type type = (pc_type)(bytes[0] % (PC_FLOAT64 + 1));
    const int components = is_float(type) && bytes[0] & 128 ? 2 : 1;
    const size_t item = sizes[type] * (size_t)components, count = (size - 2) / item,
                 cut = count ? bytes[1] % (count + 1) : 0;
    const char *x = (const char *)bytes + 2;
    slow_sums slow = {.special = 0};
    uint64_t first[RESULTS][2];

    slow_add_all(&slow, type, components, x, count * (size_t)components);
    FOR_EACH_LEVEL
    {
        pc_accumulator acc, rest;
        pc_tile_sum work;
        pc_accumulator_clear(&acc, PC_VAR);
        pc_accumulator_clear(&rest, PC_VAR);
        pc_add_numbers(&acc, type, components, x, cut);
        pc_add_numbers(&rest, type, components, x + cut * item, count - cut);
        CHECK(pc_accumulator_merge(&acc, &rest) == PC_OK && acc.count == count);
        CHECK(slow_all_equal(&slow, &acc));
        for (int result = PC_SUMSQ; result < RESULTS; result++) {
            pc_output_spec spec =
                spec_of((pc_statistic)result, PC_FLOAT16 + (pc_type)(bytes[1] % 3));
            uint64_t exact[2] = {0};
            char out[4 * sizeof(double)];
            spec.components = result == PC_SUM || result == PC_MEAN ? components : 1;
            spec.ddof = result >= PC_VAR ? bytes[0] / 16 : 0;
            spec.ddof_bits = bytes[1] % 3;
            const pc_status status = round_to(&acc, spec, exact);
            if (strcmp(pc_simd(), "portable") == 0)
                memcpy(first[result], exact, sizeof exact);
            CHECK(memcmp(exact, first[result], sizeof exact) == 0);
            CHECK(pc_reduce_contiguous(type, components, x, count, 0, &spec, &work, out) == status);
            for (size_t p = 0; p < (size_t)spec.components; p++)
                CHECK(load_bits(out + p * sizes[spec.type], sizes[spec.type]) == exact[p]);
        }
    }
}

/* Any words and exponent, of any part: taken in exactly, or refused. */
static void words(const uint8_t *bytes, size_t size)
{
    uint64_t word[PC_LIMBS + 2];
    int16_t exponent;
    const pc_moment moment = (pc_moment)(bytes[0] % 3);
    const int negative = bytes[0] & 4;
    size_t count = (size - 3) / 8 > PC_LIMBS + 2 ? PC_LIMBS + 2 : (size - 3) / 8;
    memcpy(&exponent, bytes + 1, 2);
    memcpy(word, bytes + 3, count * 8);
    pc_accumulator acc;
    pc_accumulator_clear(&acc, PC_VAR);
    if (pc_accumulator_import(&acc, moment, word, count, exponent, negative != 0) != PC_OK)
        return;
    slow_sums slow = {.special = 0};
    slow.moment[moment] = slow_of_words(word, count, exponent, negative != 0);
    CHECK(slow_all_equal(&slow, &acc));
    double largest = 0x1.fffffffffffffp1023;
    pc_add_numbers(&acc, PC_FLOAT64, 1, (const char *)&largest, 1);
    slow_add_double(&slow, PC_NUMBERS, largest);
    CHECK(slow_all_equal(&slow, &acc));
    for (int result = PC_SUMSQ; result < RESULTS; result++)
        (void)rounded_to(&acc, (pc_statistic)result);
}

static void walks(const uint8_t *bytes, size_t size)
{
    uint64_t first = 0, gap = 0;
    memcpy(&first, bytes, size < 8 ? size : 8);
    memcpy(&gap, bytes + size / 2, size < 8 ? 1 : 3);
    first %= PC_RANGE_MAX;
    gap %= 1 << 17;
    uint64_t last = first + gap > PC_RANGE_MAX ? PC_RANGE_MAX : first + gap;
    pc_u128 expected;
    pc_formula(last, &expected);
    FOR_EACH_LEVEL
    {
        pc_walk walk = {first, {0, 0}};
        pc_formula(first, &walk.sum);
        pc_walk_to(&walk, last);
        CHECK(walk.sum.lo == expected.lo && walk.sum.hi == expected.hi);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 3)
        return 0;
    switch (bytes[0] % 8) {
    case 0: walks(bytes + 1, size - 1); break;
    case 1:
        if (size > 4)
            words(bytes + 1, size - 1);
        break;
    default:
        if (size > 3)
            sums(bytes + 1, size - 1);
    }
    return 0;
}
