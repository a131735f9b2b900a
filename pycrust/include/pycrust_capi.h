/* pycrust's functions for other extension modules, in C99, C++ or Cython (pycrust/capi.pxd).
 *
 *     if (import_pycrust() < 0)       // when your module is initialized
 *         return NULL;                // ImportError is set
 *     double mean;
 *     pycrust_reduce(PC_FLOAT64, data, count, PC_MEAN, 0, PC_FLOAT64, &mean);
 *
 * Compile with pycrust.get_include() among the include directories. There is nothing to link.
 *
 * import_pycrust needs the GIL. The other functions do not, and may be called from any number of
 * threads, as long as no two use the same accumulator or states and one of them changes these. They
 * do not allocate, raise or touch Python objects, and leave the floating-point environment as it
 * was.
 *
 * Each C file that includes this header has a pointer of its own to the functions, and must call
 * import_pycrust before it calls any of them: else the pointer is NULL, and the call crashes.
 *
 * Data, results, accumulators and states are yours: pycrust keeps no pointer to them. Data and
 * results may be aligned or not. */
#ifndef PYCRUST_CAPI_H
#define PYCRUST_CAPI_H

#ifndef PYCRUST_NO_IMPORT /* defined by pycrust itself */
#include <Python.h>
#endif

#include "pycrust_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Changes when a function below changes or goes; new ones are added at the end. A module runs with
 * the pycrust that it was compiled with, and with later ones of the same number. */
#define PYCRUST_ABI 1

typedef struct {
    uint32_t abi, size; /* PYCRUST_ABI; of this struct, in bytes */

    /* The SIMD level in use, as pycrust.simd() in Python. */
    const char *(*simd)(void);

    /* Compute a statistic of `count` contiguous numbers in native byte order, and write it to
     * *out, correctly rounded to `out_type`: one of the float types; for the sum or mean of complex
     * numbers a complex type; for PC_SUM and PC_SUMSQ also PC_INT64 or PC_UINT64. PC_VAR and
     * PC_STD divide by count - ddof; the others ignore ddof.
     *
     * PC_OK. PC_EMPTY if there are too few numbers: *out is NaN or Inf. PC_TOO_LARGE if an integer
     * type cannot hold the result, be it too large, negative, a fraction, or NaN: *out is
     * unchanged. PC_INVALID: *out is unchanged. */
    pc_status (*reduce)(pc_type type, const void *data, size_t count, pc_statistic statistic,
                        uint64_t ddof, pc_type out_type, void *out);

    /* Data in pieces. Allocate accumulator_size() bytes, aligned as by malloc, and initialize them:
     * for PC_VAR, which serves every statistic, or, in less time, for another one. A copy of the
     * bytes is another accumulator; they hold no pointer, but depend on the version of pycrust. */
    size_t (*accumulator_size)(void);
    pc_status (*accumulator_init)(pc_accumulator *acc, pc_statistic statistic);

    /* PC_TOO_LARGE, and no change, if that makes 2^64 numbers or more. */
    pc_status (*accumulator_add)(pc_accumulator *acc, pc_type type, const void *data, size_t count);

    /* acc += other, exactly. PC_TOO_LARGE as above; PC_INVALID if `other` was not initialized for
     * all that `acc` was. */
    pc_status (*accumulator_merge)(pc_accumulator *acc, const pc_accumulator *other);

    uint64_t (*accumulator_count)(const pc_accumulator *acc);

    /* As `reduce`, of all that was added: numbers of which some are complex have a complex sum, be
     * their imaginary parts 0. PC_INVALID also if the accumulator was not initialized for this
     * statistic. */
    pc_status (*accumulator_result)(const pc_accumulator *acc, pc_statistic statistic,
                                    uint64_t ddof, pc_type out_type, void *out);

    /* 1^2 + 2^2 + ... + n^2. PC_TOO_LARGE above n = 7991780883560. */
    pc_status (*sum_of_squares)(uint64_t n, pc_u128 *sum);

    /* Many sums of real numbers, as of groups, with the same results as an accumulator for each.
     * Fill in a pc_states: `count` states of state_size() bytes, all 0, and a pool of pool_size
     * accumulators of accumulator_size() bytes, 0 to 2^32 - 1, none of them used. As accumulators,
     * the bytes depend on the version of pycrust.
     *
     * *done is where a function begins, 0 at first, and then where it stopped: all before that is
     * done, and another call goes on from there. PC_INVALID changes nothing; it is also returned
     * for a `size` that is none of state_size(), and for a *done beyond the end.
     *
     * How many bytes a state has that serves a statistic: for PC_SUM and PC_MEAN alone fewer than
     * for PC_VAR, which serves all. 0 for an unknown statistic. */
    size_t (*state_size)(pc_statistic statistic);

    /* Add data[k] to the state labels[k], for k from *done to count - 1. The labels are contiguous,
     * of an integer type; numbers with a negative label are left out. PC_NO_ROOM: enlarge the pool,
     * and call again. PC_NO_LABEL: labels[*done] is not below states->count. PC_TOO_LARGE if that
     * state would have 2^64 numbers, or some of a run of its label from *done on would. */
    pc_status (*states_add)(pc_states *states, pc_type type, const void *data, pc_type label_type,
                            const void *labels, size_t count, size_t *done);

    /* Each state += that of `other` with its index, from *done on. PC_NO_ROOM as above;
     * PC_TOO_LARGE if the state *done would have 2^64 numbers or more; PC_INVALID if there are not
     * as many, of the same size. */
    pc_status (*states_merge)(pc_states *states, const pc_states *other, size_t *done);

    /* How many numbers a state has; 0 if there is no such state. */
    uint64_t (*states_count)(const pc_states *states, size_t index);

    /* Write the result of each state k from *done to stop - 1 to out[k], as accumulator_result
     * does. PC_EMPTY if a state has too few numbers: the others have their results all the same.
     * PC_TOO_LARGE if the result of the state *done is: out[*done] to out[stop - 1] are then
     * undefined. */
    pc_status (*states_result)(const pc_states *states, pc_statistic statistic, uint64_t ddof,
                               pc_type out_type, void *out, size_t stop, size_t *done);
} pycrust_capi;

#ifndef PYCRUST_NO_IMPORT
static const pycrust_capi *pycrust_api;

#define pycrust_simd pycrust_api->simd
#define pycrust_reduce pycrust_api->reduce
#define pycrust_accumulator_size pycrust_api->accumulator_size
#define pycrust_accumulator_init pycrust_api->accumulator_init
#define pycrust_accumulator_add pycrust_api->accumulator_add
#define pycrust_accumulator_merge pycrust_api->accumulator_merge
#define pycrust_accumulator_count pycrust_api->accumulator_count
#define pycrust_accumulator_result pycrust_api->accumulator_result
#define pycrust_sum_of_squares pycrust_api->sum_of_squares
#define pycrust_state_size pycrust_api->state_size
#define pycrust_states_add pycrust_api->states_add
#define pycrust_states_merge pycrust_api->states_merge
#define pycrust_states_count pycrust_api->states_count
#define pycrust_states_result pycrust_api->states_result

/* Import pycrust. 0, or -1 with an exception set. */
static inline int import_pycrust(void)
{
    const pycrust_capi *api = (const pycrust_capi *)PyCapsule_Import("pycrust._core._C_API", 0);
    if (!api)
        return -1;
    if (api->abi != PYCRUST_ABI || api->size < sizeof *api) {
        PyErr_Format(
            PyExc_ImportError,
            "this module was compiled for version %d of pycrust's C API (%d bytes), but the "
            "installed pycrust has version %d (%d bytes): %s",
            PYCRUST_ABI, (int)sizeof *api, (int)api->abi, (int)api->size,
            api->abi > PYCRUST_ABI ? "recompile this module with the installed pycrust"
                                   : "upgrade pycrust");
        return -1;
    }
    pycrust_api = api;
    return 0;
}
#endif

#ifdef __cplusplus
}
#endif
#endif
