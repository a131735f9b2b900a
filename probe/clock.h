/* The clock of time.perf_counter, and naps on it. */
#ifndef PC_CLOCK_H
#define PC_CLOCK_H

#include <math.h>
#include <stdint.h>

/* A random time, exponentially distributed with this mean: nothing regular keeps in step. */
static inline double pc_random_time(uint64_t *random, double mean)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return -mean * log(((double)(*random >> 11) + 0.5) * 0x1p-53);
}

#ifdef _WIN32
#include <windows.h>

static inline double pc_now(void)
{
    LARGE_INTEGER count, frequency;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (double)count.QuadPart / (double)frequency.QuadPart;
}

static inline void pc_nap(double seconds)
{
    Sleep((DWORD)(seconds * 1e3) + 1);
}
#else
#include <time.h>

#ifdef __APPLE__
#define PC_CLOCK CLOCK_UPTIME_RAW
#else
#define PC_CLOCK CLOCK_MONOTONIC
#endif

static inline double pc_now(void)
{
    struct timespec now;
    clock_gettime(PC_CLOCK, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static inline void pc_nap(double seconds)
{
    struct timespec nap = {.tv_sec = (time_t)seconds};
    nap.tv_nsec = (long)(1e9 * (seconds - (double)nap.tv_sec));
    nanosleep(&nap, NULL);
}
#endif

/* For pc_random_time, whose numbers are never 0. */
static inline uint64_t pc_seed(void)
{
    return (uint64_t)(1e9 * pc_now()) | 1;
}

#endif
