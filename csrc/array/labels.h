/* Integers of any type as 64 bits: what labels.c does for others. */
#ifndef PYCRUST_LABELS_H
#define PYCRUST_LABELS_H

#include "../kernels/kernels.h"

/* n contiguous native numbers: integers as 64 bits, bools as 0 and 1, floats as the bits of
 * doubles. */
void widen_to_words(uint64_t *to, pc_type type, const char *from, size_t n);

/* n contiguous native labels as int64; uint64 labels beyond become the largest int64. */
void widen_labels(int64_t *to, pc_type type, const char *from, size_t n);

#endif
