/* pycrust: the public C face. Usable from C without Python.
 *
 * No function here allocates, prints, or touches Python. All are safe to call
 * from any number of threads, as long as no two write to the same argument. */
#ifndef PYCRUST_H
#define PYCRUST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    PC_OK = 0,
    PC_UNKNOWN_LEVEL, /* no SIMD level has that name */
    PC_ABSENT_LEVEL   /* this build, CPU or operating system lacks that level */
} pc_status;

/* hi * 2^64 + lo. A struct, since not every compiler has __int128, and those
 * that do disagree on passing it by value. */
typedef struct {
    uint64_t lo, hi;
} pc_u128;

/* The double nearest to *x, ties to even, under any rounding mode. */
double pc_u128_round(const pc_u128 *x);

/* ---- SIMD levels (dispatch.c) ------------------------------------------- */

/* The names, slowest first, NULL at the end; `simd_usable` says whether this
 * machine can run one. */
extern const char *const pc_simd_names[];
int pc_simd_usable(const char *name);

/* The level in use: the best that the machine can run, or what pc_simd_use
 * asked for. Every level gives the same bits. */
const char *pc_simd(void);
pc_status pc_simd_use(const char *name);

/* ---- 1^2 + 2^2 + ... + n^2 (range.c) ------------------------------------ */

/* The largest n whose sum fits a signed 128-bit integer. */
#define PC_RANGE_MAX UINT64_C(7991780883560)

/* A walk along the squares: sum = 1^2 + ... + i^2. Starts as {0}. */
typedef struct {
    uint64_t i;
    pc_u128 sum;
} pc_walk;

/* Walk on to n (i <= n <= PC_RANGE_MAX): every square is computed and added,
 * so the time is proportional to n - i. */
void pc_walk_to(pc_walk *walk, uint64_t n);

/* Walk past many stops (ascending, each >= i and <= PC_RANGE_MAX) and write the
 * sum at each to lo[k], hi[k]. Computes at most `budget` squares, and returns
 * how many stops it passed: call again with the rest. `hi` may be NULL, here
 * and below, where only the low words are wanted. */
size_t pc_walk_stops(pc_walk *walk, const uint64_t *stops, size_t count,
                     uint64_t budget, uint64_t *lo, uint64_t *hi);

/* The same with a stop at each of the next `count` integers, from i + 1 on. */
void pc_walk_each(pc_walk *walk, size_t count, uint64_t *lo, uint64_t *hi);

/* n(n+1)(2n+1)/6, for n <= PC_RANGE_MAX; 0 for the n < 0 of an array. */
void pc_formula(uint64_t n, pc_u128 *sum);
void pc_formula_many(const int64_t *n, size_t count, uint64_t *lo, uint64_t *hi);

/* pc_u128_round of each (lo[k], hi[k]). */
void pc_round_many(const uint64_t *lo, const uint64_t *hi, size_t count, double *out);

#ifdef __cplusplus
}
#endif
#endif
