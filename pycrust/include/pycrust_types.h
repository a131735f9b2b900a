/* The types that C and other extension modules share with pycrust. */
#ifndef PYCRUST_TYPES_H
#define PYCRUST_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    PC_OK = 0,
    PC_UNKNOWN_LEVEL, /* no SIMD level has that name */
    PC_ABSENT_LEVEL,  /* this build, CPU or operating system lacks that level */
    PC_TOO_LARGE,     /* a sum or a count that does not fit a uint64 */
    PC_OUT_OF_RANGE,  /* a number that no such sum of doubles can be */
    PC_EMPTY,         /* the mean of no numbers, or a variance without degrees of freedom */
    PC_INCONCLUSIVE   /* a bounded sum has too wide an error bound to tell: sum exactly */
} pc_status;

/* hi * 2^64 + lo. A struct, since not every compiler has __int128, and those
 * that do disagree on passing it by value. */
typedef struct {
    uint64_t lo, hi;
} pc_u128;

/* The types of numbers. */
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
    PC_FLOAT64
} pc_type;

/* What may be asked of numbers: sum of the squares, its root, that of its mean; sum, mean,
 * variance, its root. */
typedef enum { PC_SUMSQ, PC_NORM, PC_RMS, PC_SUM, PC_MEAN, PC_VAR, PC_STD } pc_statistic;

/* A result, and the numbers in which to give it: PC_FLOAT64, PC_FLOAT32 or PC_FLOAT16, two of
 * them (real and imaginary part) if parts is 2, as for the sum or mean of complex numbers; or,
 * for the sum of integers or of their squares, PC_INT64 or PC_UINT64. A variance is divided by
 * count - ddof / 2^ddof_bits: if ddof_bits is not 0, count << ddof_bits must be below 2^64. */
typedef struct {
    pc_statistic result;
    pc_type type;
    int parts;
    uint64_t ddof;
    unsigned ddof_bits;
} pc_output_spec;

/* The exact sums of any number of integers and doubles of any scale, and of their squares. */
typedef struct pc_accumulator pc_accumulator;

#endif
