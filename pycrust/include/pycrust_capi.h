/* pycrust's functions for other extension modules, in C or Cython (pycrust/capi.pxd).
 *
 *     if (import_pycrust() < 0)       once, when your module is initialised, with the GIL;
 *         return NULL;                -1: ImportError or RuntimeError is set
 *     double mean;
 *     pc_output_spec figure = {PC_MEAN, PC_FLOAT64, 1, 0, 0};
 *     pycrust_reduce(PC_FLOAT64, 1, data, count, &figure, &mean);
 *
 * All but import_pycrust may be called without the GIL, from any number of threads, as long as
 * no two write to the same argument. None allocates, raises or touches a Python object. Compile
 * with pycrust.get_include() among the include directories; there is nothing to link. */
#ifndef PYCRUST_CAPI_H
#define PYCRUST_CAPI_H

#ifndef PYCRUST_NO_IMPORT /* defined by pycrust itself */
#include <Python.h>
#endif

#include "pycrust_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Changes when a function below changes or goes. New ones are added at the end: a module runs with
 * the pycrust that it was compiled with, and with all later ones of this number. */
#define PYCRUST_ABI 1

typedef struct {
    uint32_t abi, size; /* PYCRUST_ABI; of this struct, in bytes */

    /* The SIMD level in use: "portable", "avx2", "avx512", "avx512ifma". */
    const char *(*simd)(void);

    /* Write to *out the number nearest to the exact statistic of `count` contiguous numbers,
     * aligned or not, in native byte order: of `type`, or complex ones if parts is 2. PC_OK;
     * PC_EMPTY if there are too few numbers (*out is NaN or Inf then); PC_TOO_LARGE if an
     * integer type does not hold it (nothing is written). */
    pc_status (*reduce)(pc_type type, int parts, const void *data, size_t count,
                        const pc_output_spec *figure, void *out);

    /* For data that come in pieces: an accumulator takes accumulator_size() bytes, aligned as by
     * malloc, that are yours; copying the bytes copies it. Set it up for PC_VAR, and it serves
     * every statistic; for another, that one alone, in less time. */
    size_t (*accumulator_size)(void);
    void (*accumulator_init)(pc_accumulator *acc, pc_statistic result);
    void (*accumulator_add)(pc_accumulator *acc, pc_type type, int parts, const void *data,
                            size_t count);
    uint64_t (*accumulator_count)(const pc_accumulator *acc);

    /* acc += other. PC_TOO_LARGE, and no change, if they count 2^64 numbers or more. */
    pc_status (*accumulator_merge)(pc_accumulator *acc, const pc_accumulator *other);

    /* As `reduce`, of all that was added. */
    pc_status (*accumulator_result)(const pc_accumulator *acc, const pc_output_spec *figure,
                                    void *out);

    /* 1^2 + 2^2 + ... + n^2. PC_TOO_LARGE above n = 7991780883560. */
    pc_status (*sum_of_squares)(uint64_t n, pc_u128 *sum);
} pycrust_capi;

#ifndef PYCRUST_NO_IMPORT
static const pycrust_capi *pycrust_api;

#define pycrust_simd pycrust_api->simd
#define pycrust_reduce pycrust_api->reduce
#define pycrust_accumulator_size pycrust_api->accumulator_size
#define pycrust_accumulator_init pycrust_api->accumulator_init
#define pycrust_accumulator_add pycrust_api->accumulator_add
#define pycrust_accumulator_count pycrust_api->accumulator_count
#define pycrust_accumulator_merge pycrust_api->accumulator_merge
#define pycrust_accumulator_result pycrust_api->accumulator_result
#define pycrust_sum_of_squares pycrust_api->sum_of_squares

/* 0, or -1 with an exception set. */
static inline int import_pycrust(void)
{
    const pycrust_capi *api = (const pycrust_capi *)PyCapsule_Import("pycrust._core._C_API", 0);
    if (!api)
        return -1;
    if (api->abi != PYCRUST_ABI || api->size < sizeof *api) {
        PyErr_Format(PyExc_ImportError,
                     "this module was compiled with a pycrust whose C API has version %d and %zu "
                     "bytes, but the installed one has version %u and %u bytes: %s",
                     PYCRUST_ABI, sizeof *api, (unsigned)api->abi, (unsigned)api->size,
                     api->abi == PYCRUST_ABI ? "upgrade pycrust" : "compile the module again");
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
