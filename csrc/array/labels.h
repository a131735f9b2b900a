/* Labels of any integer type: what labels.c does for groups.c. */
#ifndef PYCRUST_LABELS_H
#define PYCRUST_LABELS_H

#include "../kernels/kernels.h"

/* n contiguous native labels as int64; uint64 labels beyond become the largest int64. */
void widen_labels(int64_t *to, pc_type type, const char *from, size_t n);

#endif
