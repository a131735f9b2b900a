/* For libFuzzer: whatever the bytes, every level agrees with the portable one,
 * and that with a slow exact sum. */
#include "check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const size_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 1, 2, 4, 8};

static double number(pc_type type, const char *x)
{
    int8_t i8;
    uint8_t u8;
    int16_t i16;
    uint16_t u16;
    int32_t i32;
    uint32_t u32;
    float f32;
    double f64;
    switch (type) {
    case PC_INT8: memcpy(&i8, x, 1); return i8;
    case PC_UINT8: memcpy(&u8, x, 1); return u8;
    case PC_INT16: memcpy(&i16, x, 2); return i16;
    case PC_UINT16: memcpy(&u16, x, 2); return u16;
    case PC_INT32: memcpy(&i32, x, 4); return i32;
    case PC_UINT32: memcpy(&u32, x, 4); return u32;
    case PC_BOOL: return *x != 0;
    case PC_FLOAT16:
        memcpy(&u16, x, 2);
        if ((u16 >> 10 & 31) == 31)
            return u16 & 1023 ? (double)NAN : (double)INFINITY;
        return ldexp((u16 & 1023) + (u16 >> 10 & 31 ? 1024 : 0),
                     (u16 >> 10 & 31 ? (u16 >> 10 & 31) : 1) - 25);
    case PC_FLOAT32: memcpy(&f32, x, 4); return (double)f32;
    case PC_FLOAT64: memcpy(&f64, x, 8); return f64;
    default: return 0.0;
    }
}

static void sums(const uint8_t *bytes, size_t size)
{
    pc_type type = (pc_type)(bytes[0] % (PC_FLOAT64 + 1));
    size_t count = (size - 2) / sizes[type], cut = count ? bytes[1] % (count + 1) : 0;
    const char *x = (const char *)bytes + 2;
    slow_sum slow = {{0}};
    int special = 0;
    double first[3] = {0};

    for (size_t k = 0; k < count; k++, x += sizes[type]) {
        if (type == PC_INT64 || type == PC_UINT64) {
            uint64_t v;
            memcpy(&v, x, sizeof v);
            slow_add_square(&slow, type == PC_INT64 && v >> 63 ? 0 - v : v, 0);
        } else {
            double v = number(type, x);
            if (isfinite(v))
                slow_add_double_squared(&slow, v);
            else if (special < 2)
                special = isnan(v) ? 2 : 1;
        }
    }
    x = (const char *)bytes + 2;
    FOR_EACH_LEVEL
    {
        pc_accumulator acc, rest;
        pc_accumulator_clear(&acc);
        pc_accumulator_clear(&rest);
        pc_add_squares(&acc, type, x, cut);
        pc_add_squares(&rest, type, x + cut * sizes[type], count - cut);
        CHECK(pc_accumulator_merge(&acc, &rest) == PC_OK && acc.count == count);
        CHECK(pc_accumulator_special(&acc) == special);
        CHECK(special || slow_equal(&slow, &acc));
        for (int result = PC_SUMSQ; result <= PC_RMS; result++) {
            double value = pc_accumulator_round(&acc, (pc_result)result);
            if (strcmp(pc_simd(), "portable") == 0)
                first[result] = value;
            CHECK(memcmp(&value, &first[result], sizeof value) == 0);
        }
    }
}

/* Any words and exponent: taken in exactly, or refused. */
static void words(const uint8_t *bytes, size_t size)
{
    uint64_t word[PC_LIMBS + 2];
    int16_t exponent;
    size_t count = (size - 2) / 8 > PC_LIMBS + 2 ? PC_LIMBS + 2 : (size - 2) / 8;
    memcpy(&exponent, bytes, 2);
    memcpy(word, bytes + 2, count * 8);
    pc_accumulator acc;
    pc_accumulator_clear(&acc);
    if (pc_accumulator_import(&acc, word, count, exponent) != PC_OK)
        return;
    slow_sum slow = {{0}};
    for (size_t k = 0; k < count; k++)
        if (word[k])
            slow_add_word(&slow, word[k], exponent + 64 * (int)k);
    CHECK(slow_equal(&slow, &acc));
    double largest = 0x1.fffffffffffffp1023;
    pc_add_squares(&acc, PC_FLOAT64, (const char *)&largest, 1);
    slow_add_double_squared(&slow, largest);
    CHECK(slow_equal(&slow, &acc));
    (void)pc_accumulator_round(&acc, PC_NORM);
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
        if (size > 3)
            words(bytes + 1, size - 1);
        break;
    default:
        if (size > 3)
            sums(bytes + 1, size - 1);
    }
    return 0;
}
