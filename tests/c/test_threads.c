/* Many threads at once, the first call racing through the choice of a level,
 * over one shared array. For ThreadSanitizer; right answers without it too. */
#include "check.h"

#include <pthread.h>

enum { THREADS = 8, COUNT = 5000 };

static double shared[COUNT];
static const int8_t bytes[COUNT] = {-128, 1, 2};
static pthread_barrier_t start;
static double norms[THREADS], deviations[THREADS];
static pc_accumulator sums[THREADS];

static void *work(void *argument)
{
    size_t me = *(size_t *)argument;
    pc_walk walk = {0, {0, 0}};
    pc_accumulator mine;
    pc_tile_sum one;
    uint64_t word[2];
    const pc_output_spec deviation = spec_of(PC_STD, PC_FLOAT64);

    pthread_barrier_wait(&start);
    pc_walk_to(&walk, 1000);
    CHECK(walk.sum.lo == 333833500 && walk.sum.hi == 0);

    pc_accumulator_clear(&sums[me], PC_VAR);
    pc_add_numbers(&sums[me], PC_FLOAT64, 1, (const char *)shared, COUNT);
    norms[me] = rounded_to(&sums[me], PC_NORM);
    CHECK(pc_reduce_contiguous(PC_FLOAT64, 1, (const char *)shared, COUNT, 0, &deviation, &one,
                               (char *)&deviations[me]) == PC_OK);

    pc_accumulator_clear(&mine, PC_SUMSQ);
    pc_add_numbers(&mine, PC_INT8, 1, (const char *)bytes, COUNT);
    CHECK(round_to(&mine, spec_of(PC_SUMSQ, PC_UINT64), word) == PC_OK &&
          word[0] == 128 * 128 + 1 + 4);

    for (const char *const *name = pc_simd_names; *name;
         name++) /* levels change under the others' feet */
        pc_simd_use(*name);
    return NULL;
}

int main(void)
{
    pthread_t thread[THREADS];
    size_t number[THREADS];
    for (size_t k = 0; k < COUNT; k++)
        shared[k] = ldexp((double)random64(), (int)below(60) - 30);
    CHECK(pthread_barrier_init(&start, NULL, THREADS) == 0);
    for (size_t k = 0; k < THREADS; k++) {
        number[k] = k;
        CHECK(pthread_create(&thread[k], NULL, work, &number[k]) == 0);
    }
    pc_accumulator total, twice;
    pc_accumulator_clear(&total, PC_VAR);
    for (size_t k = 0; k < THREADS; k++) {
        CHECK(pthread_join(thread[k], NULL) == 0);
        CHECK(norms[k] == norms[0] && deviations[k] == rounded_to(&sums[0], PC_STD));
        CHECK(pc_accumulator_merge(&total, &sums[k]) == PC_OK);
    }
    twice = sums[0];
    pc_accumulator_scale(&twice, THREADS);
    for (int result = PC_SUMSQ; result < RESULTS; result++)
        CHECK(rounded_to(&twice, (pc_statistic)result) == rounded_to(&total, (pc_statistic)result));
    return 0;
}
