/* The types that pycrust's C core shares with other extension modules. */
#ifndef PYCRUST_TYPES_H
#define PYCRUST_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* What a function returns. An int, since later versions may add to the list. */
typedef int pc_status;
enum {
    PC_OK = 0,
    PC_EMPTY,     /* the mean of no numbers, or a variance without degrees of freedom */
    PC_TOO_LARGE, /* an integer type cannot hold the result */
    PC_INVALID,   /* an unknown type or statistic, or a combination that makes no sense */
    PC_NO_ROOM,   /* the pool of accumulators is full: enlarge it, and call again */
    PC_NO_LABEL   /* a label is not below the number of states */
};

/* hi * 2^64 + lo. A struct, since not every compiler has __int128. */
typedef struct {
    uint64_t lo, hi;
} pc_u128;

/* Types of numbers, as NumPy names them: a PC_COMPLEX64 is two floats, a PC_COMPLEX128 two
 * doubles, and any PC_BOOL but 0 is true. */
typedef enum {
    PC_INT8,
    PC_UINT8,
    PC_INT16,
    PC_UINT16,
    PC_INT32,
    PC_UINT32,
    PC_INT64,
    PC_UINT64,
    PC_BOOL,
    PC_FLOAT16,
    PC_FLOAT32,
    PC_FLOAT64,
    PC_COMPLEX64,
    PC_COMPLEX128
} pc_type;

/* What to compute, as by the Python functions of these names. */
typedef enum { PC_SUMSQ, PC_NORM, PC_RMS, PC_SUM, PC_MEAN, PC_VAR, PC_STD } pc_statistic;

/* The exact sum of any number of integers and floats, and of their squares. */
typedef struct pc_accumulator pc_accumulator;

/* Many exact sums in little memory, which is the caller's: `count` states of `size` bytes each,
 * aligned as by malloc, and a pool of accumulators for what does not fit them, such as numbers of
 * very different size. A state whose bytes are all 0 is empty.
 *
 * An addition that would need one more accumulator than pool_size changes nothing and returns
 * PC_NO_ROOM: the caller enlarges the pool, which may move, and calls again. */
typedef struct {
    char *at;
    size_t size, count;
    pc_accumulator *pool;
    size_t pool_used, pool_size;
} pc_states;

#endif
