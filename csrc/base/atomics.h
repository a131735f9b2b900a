/* An atomic counter, also for MSVC, whose C has no <stdatomic.h>. */
#ifndef PYCRUST_ATOMICS_H
#define PYCRUST_ATOMICS_H

#include <stddef.h>
#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
typedef volatile __int64 pc_counter;

/* Add to it, and return the value before; a full barrier. */
static inline uint64_t pc_counter_add(pc_counter *counter, uint64_t n)
{
    return (uint64_t)_InterlockedExchangeAdd64(counter, (__int64)n);
}
#else
#include <stdatomic.h>
typedef _Atomic(uint64_t) pc_counter;

/* Add to it, and return the value before; a full barrier. */
static inline uint64_t pc_counter_add(pc_counter *counter, uint64_t n)
{
    return atomic_fetch_add(counter, n);
}
#endif

#endif
