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

/* Short sums: an array of these bytes along one axis or another, with a mask, without NaN or with
 * it, whatever their order: every position as the portable level sums it alone. */
static void arrays(const uint8_t *bytes, size_t size)
{
    enum { MOST = 64 };
    static pc_tile_sum sums[PC_TILE];
    static uint64_t made[MOST], alone[MOST];
    const pc_type type = (pc_type)(bytes[0] % (PC_FLOAT64 + 1));
    const size_t item = sizes[type], depth = 1 + bytes[1] % 40u, count = (size - 4) / item / depth,
                 outputs = count < MOST ? count : MOST;
    const pc_type types[] = {PC_FLOAT64, PC_FLOAT32, PC_FLOAT16,
                             type >= PC_FLOAT16 ? PC_FLOAT64 : PC_INT64};
    pc_array a = {.type = type,
                  .components = 1,
                  .swapped = bytes[0] / 16 % 8 == 7,
                  .skip_nan = bytes[0] >> 7,
                  .data = (const char *)bytes + 4,
                  .mask = bytes[2] & 1 ? (const char *)bytes + 4 : NULL, /* any bytes */
                  .kept_axes = 1,
                  .reduced_axes = 1,
                  .repeat = 1,
                  .axis = {{outputs, (ptrdiff_t)item, 1, 8, 0},
                           {depth, (ptrdiff_t)(item * outputs), (ptrdiff_t)outputs, 0, 0}}};
    if (bytes[2] & 2) {
        a.axis[0].stride = (ptrdiff_t)(item * depth);
        a.axis[0].mask_stride = (ptrdiff_t)depth;
        a.axis[1].stride = (ptrdiff_t)item;
        a.axis[1].mask_stride = 1;
    }
    if (!outputs)
        return;
    pc_array_arrange(&a);
    for (int result = PC_SUMSQ; result < RESULTS; result++) {
        pc_output_spec spec = spec_of((pc_statistic)result, types[bytes[3] % 4]);
        pc_status right = PC_OK;
        if (spec.type == PC_INT64 && result != PC_SUM && result != PC_SUMSQ)
            spec.type = PC_FLOAT64;
        spec.ddof = result >= PC_VAR ? bytes[3] / 4 % 4 : 0;
        spec.ddof_bits = bytes[3] / 64;
        CHECK(pc_simd_use("portable") == PC_OK);
        memset(alone, 0, sizeof alone);
        for (size_t p = 0; p < outputs && right != PC_TOO_LARGE; p++) {
            pc_accumulator_clear(&sums[0].total, (pc_statistic)result);
            pc_add_tile(&a, p, 1, 0, depth, sums);
            const pc_status one = pc_write_tile(sums, 1, &spec, (char *)alone);
            right = one == PC_OK ? right : one;
        }
        FOR_EACH_LEVEL
        {
            memset(made, 0, sizeof made);
            CHECK(pc_reduce(&a, 0, outputs, &spec, (char *)made, sums) == right);
            CHECK(right == PC_TOO_LARGE || memcmp(made, alone, sizeof made) == 0);
        }
    }
}

/* The covariance and the correlation of two vectors, as the portable level has them; from sums with
 * an error bound, too, where these tell. */
static void matrices(const pc_vector vectors[2], size_t n)
{
    const pc_vector_pair pairs[3] = {
        {&vectors[0], &vectors[1]}, {&vectors[0], &vectors[0]}, {&vectors[1], &vectors[1]}};
    const int floats = is_float(vectors[0].type) && is_float(vectors[1].type);
    uint64_t first[2] = {0};
    FOR_EACH_LEVEL
    for (int bounded = 0; bounded <= floats; bounded++) {
        static pc_tile_sum sum[3];
        uint64_t bits[2] = {0};
        for (int k = 0; k < 3; k++)
            (bounded ? pc_accumulator_clear_bounded
                     : pc_accumulator_clear)(&sum[k].total, (pc_statistic)(k ? PC_VAR : PC_DOT));
        pc_add_vector_pairs(pairs, 3, 2, 0, n, sum);
        const pc_accumulator *const x = &sum[1].total, *const y = &sum[2].total;
        const pc_status status[2] = {
            pc_round_covariance(&sum[0].total, x, y, n, PC_FLOAT64, (char *)&bits[0]),
            pc_round_correlation(&sum[0].total, x, y, PC_FLOAT64, (char *)&bits[1])};
        if (!bounded && strcmp(pc_simd(), "portable") == 0)
            memcpy(first, bits, sizeof first);
        for (int k = 0; k < 2; k++)
            CHECK(status[k] == PC_OK ? bits[k] == first[k]
                                     : bounded && status[k] == PC_INCONCLUSIVE);
    }
}

/* Two arrays of these bytes, of any types: the sum of products and the average of any cutting, and
 * of a reduction, as the portable level has them. */
static void pairs(const uint8_t *bytes, size_t size)
{
    const pc_type x_type = (pc_type)(bytes[0] % (PC_FLOAT64 + 1)),
                  y_type = bytes[0] & 128 ? x_type : (pc_type)(bytes[1] % (PC_FLOAT64 + 1));
    const int of_x = x_type > PC_FLOAT16 && bytes[1] & 32 ? 2 : 1,
              of_y = y_type > PC_FLOAT16 && bytes[1] & 16 ? 2 : 1, complexes = of_x * of_y > 1;
    const size_t x_size = sizes[x_type] * (size_t)of_x, y_size = sizes[y_type] * (size_t)of_y,
                 n = (size - 3) / (x_size + y_size), cut = n ? bytes[2] % (n + 1) : 0;
    const char *x = (const char *)bytes + 3, *y = x + n * x_size;
    const pc_array a = {.type = x_type,
                        .components = of_x,
                        .data = x,
                        .mask = bytes[1] & 64 ? x : NULL, /* any bytes */
                        .reduced_axes = 1,
                        .repeat = 1,
                        .other = {.type = y_type,
                                  .components = of_y,
                                  .conjugate = complexes && bytes[2] & 1,
                                  .data = y},
                        .axis = {{n, (ptrdiff_t)x_size, 1, 0, (ptrdiff_t)y_size}}};
    if (n && !complexes) {
        const pc_vector vectors[2] = {
            {.type = x_type, .components = 1, .data = x, .stride = (ptrdiff_t)x_size},
            {.type = y_type, .components = 1, .data = y, .stride = (ptrdiff_t)y_size}};
        matrices(vectors, n);
    }
    for (int average = 0; average < 2 - complexes; average++) {
        pc_output_spec spec = spec_of((pc_statistic)(average ? PC_AVERAGE : PC_DOT),
                                      PC_FLOAT16 + (pc_type)(bytes[2] % 3));
        uint64_t first[2] = {0};
        pc_status right = PC_OK;
        spec.components = 1 + complexes;
        FOR_EACH_LEVEL
        {
            static pc_tile_sum sum, rest, work[PC_MIN_SUMS];
            uint64_t bits[2] = {0};
            char out[2 * sizeof(double)] = {0};
            pc_accumulator_clear(&sum.total, spec.statistic);
            pc_accumulator_clear(&rest.total, spec.statistic);
            pc_add_tile(&a, 0, 1, 0, cut, &sum);
            pc_add_tile(&a, 0, 1, cut, n, &rest);
            CHECK(pc_accumulator_merge(&sum.total, &rest.total) == PC_OK);
            const pc_status status = round_to(&sum.total, spec, bits);
            if (strcmp(pc_simd(), "portable") == 0) {
                memcpy(first, bits, sizeof first);
                right = status;
            }
            CHECK(status == right && memcmp(bits, first, sizeof bits) == 0);
            CHECK(pc_reduce(&a, 0, 1, &spec, out, work) == status);
            for (int p = 0; p <= complexes && status == PC_OK; p++)
                CHECK(load_bits(out + (size_t)p * sizes[spec.type], sizes[spec.type]) == bits[p]);
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
    pc_closed_form(last, &expected);
    FOR_EACH_LEVEL
    {
        pc_walk walk = {first, {0, 0}};
        pc_closed_form(first, &walk.sum);
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
    case 2:
    case 3:
    case 4:
        if (size > 5)
            arrays(bytes + 1, size - 1);
        break;
    case 5:
        if (size > 4)
            pairs(bytes + 1, size - 1);
        break;
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
